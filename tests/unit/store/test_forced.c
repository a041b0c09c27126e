/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Forced transfers: who asked, the event, what became of it at the
 * downstreams, commands that are to be run.
 */
#include "tests/unit/store/util.h"

#include "base/buf.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- marks ---- */

static struct store_order *
mark_order(int64_t zone, enum store_pending p, int64_t since, const char *notifier, bool proved)
{
	struct store_order *o = store_order_new(STORE_MARK, zone);

	o->mark.pending = p;
	o->mark.since.us = since;
	snprintf(o->mark.notifier, sizeof(o->mark.notifier), "%s", notifier);
	o->mark.authenticated = proved;
	return o;
}

static void
expect_mark(struct fx *b, enum store_pending p, int64_t since, const char *notifier, bool proved)
{
	struct store_zone *z = fx_zone_row(b, "a");

	assert_int_equal(z->pending, p);
	assert_int_equal(z->pending_since.us, since);
	assert_string_equal(z->pending_notifier, notifier);
	assert_int_equal(z->pending_authenticated, proved);
	free(z);
}

static void
test_mark_knows_who_asked(void **state)
{
	struct fx *b = *state;
	int64_t zone = fx_zone(b, "a");

	expect_mark(b, PENDING_NONE, 0, "", false);
	/* A check is nobody's. */
	fx_ok(b, mark_order(zone, PENDING_CHECK, 1, "p1", true));
	expect_mark(b, PENDING_CHECK, 1, "", false);
	fx_ok(b, mark_order(zone, PENDING_FORCE, 2, "p2", false));
	expect_mark(b, PENDING_FORCE, 1, "p2", false);
	/* The first that asked stays, ... */
	fx_ok(b, mark_order(zone, PENDING_FORCE, 3, "p3", false));
	expect_mark(b, PENDING_FORCE, 1, "p2", false);
	/* ... unless another one proves who it is: of a forced transfer, not of a check. */
	fx_ok(b, mark_order(zone, PENDING_CHECK, 4, "p4", true));
	expect_mark(b, PENDING_FORCE, 1, "p2", false);
	fx_ok(b, mark_order(zone, PENDING_FORCE, 5, "p5", true));
	expect_mark(b, PENDING_FORCE, 1, "p5", true);
	fx_ok(b, mark_order(zone, PENDING_FORCE, 6, "p6", true));
	fx_ok(b, mark_order(zone, PENDING_FORCE, 7, "p7", false));
	expect_mark(b, PENDING_FORCE, 1, "p5", true);
	fx_close(b);
	fx_open(b);
	expect_mark(b, PENDING_FORCE, 1, "p5", true);
}

static void
save(struct fx *b, int64_t zone, enum store_pending p, const struct store_caller *caller)
{
	struct store_order *o = store_order_new(STORE_TIMERS, zone);

	o->timers.set_pending = true;
	o->timers.pending = p;
	o->timers.caller = *caller;
	o->timers.at.us = 50;
	fx_ok(b, o);
}

static void
commit_leaving(struct fx *b, enum store_pending p, const struct store_caller *caller)
{
	struct store_order *o;
	struct version v;

	fx_version(b, &v, "a", 1);
	v.serial = (uint32_t)v.version;
	fx_put(&v, (unsigned)v.version, 1, 100);
	o = fx_commit(&v);
	o->commit.pending_after = p;
	o->commit.caller_after = *caller;
	fx_ok(b, o);
}

/* What a commit or a failure leaves is that of who is owed it. */
static void
test_mark_set_says_who(void **state)
{
	static const struct store_caller proved = {"p1", true}, other = {"p2", false}, nobody;
	struct fx *b = *state;
	int64_t zone = fx_zone(b, "a");

	fx_ok(b, mark_order(zone, PENDING_FORCE, 1, "p1", true));
	save(b, zone, PENDING_FORCE, &proved);
	expect_mark(b, PENDING_FORCE, 1, "p1", true);
	commit_leaving(b, PENDING_FORCE, &other);
	expect_mark(b, PENDING_FORCE, 1, "p2", false);
	save(b, zone, PENDING_FORCE, &proved);
	expect_mark(b, PENDING_FORCE, 1, "p1", true);
	commit_leaving(b, PENDING_CHECK, &proved);
	expect_mark(b, PENDING_CHECK, 1, "", false);
	save(b, zone, PENDING_FORCE, &nobody); /* by command */
	expect_mark(b, PENDING_FORCE, 1, "", false);
	commit_leaving(b, PENDING_NONE, &nobody);
	expect_mark(b, PENDING_NONE, 0, "", false);
	/* Nothing of the last one is left over. */
	fx_ok(b, mark_order(zone, PENDING_FORCE, 2, "", false));
	expect_mark(b, PENDING_FORCE, 2, "", false);
}

static off_t
wal_size(struct fx *b)
{
	char name[100];
	struct stat st;

	snprintf(name, sizeof(name), "%s-wal", b->path);
	assert_int_equal(stat(name, &st), 0);
	return st.st_size;
}

/* A NOTIFY is answered when this is on disk: each may come alone. */
static void
test_mark_is_a_few_pages(void **state)
{
	struct fx *b = *state;
	int64_t zone = fx_zone(b, "a");
	off_t before;

	fx_ok(b, store_order_new(STORE_SYNC, 0));
	before = wal_size(b);
	fx_ok(b, mark_order(zone, PENDING_FORCE, 1, "a name of some length for a primary", true));
	assert_in_range(wal_size(b) - before, 1, 3 * (4096 + 24));
}

/* ---- what is there at start, as text ---- */

static int
take_forced(void *arg, const struct store_forced *f)
{
	buf_fmt(arg, "%d event %d at %d/%d serial %u version %d %02x%02x n %u a %u %d %s '%s' %s;",
	    (int)f->zone_id, (int)f->event, (int)f->at.us, (int)f->event_at.us, f->serial,
	    (int)f->version, f->digest[0], f->before[31], f->repeats, f->alternations,
	    (int)f->duration_us, f->verdict, f->notifier, f->source);
	return 0;
}

static int
take_peer(void *arg, const struct store_forced_peer *p)
{
	char at[ADDR_TEXT_MAX];

	buf_fmt(arg, "%d %s %s event %d %s at %d '%s';", (int)p->zone_id, p->name,
	    addr_text(&p->target, at), (int)p->event, p->state, (int)p->at.us, p->text);
	return 0;
}

static int
take_no_axfr(void *arg, const struct store_no_axfr *n)
{
	char at[ADDR_TEXT_MAX];

	buf_fmt(arg, "%s '%s' %d;", addr_text(&n->target, at), n->text, n->until.us != 0);
	return 0;
}

static int
take_hook(void *arg, const struct store_hook *h)
{
	buf_fmt(arg, "%d %s %s %d-%u %s at %d tries %u;", (int)h->zone_id, h->name,
	    h->forced ? "forced" : "change", h->has_old ? (int)h->old_serial : -1, h->serial,
	    h->source, (int)h->not_before.us, h->tries);
	return 0;
}

static int
take_row(void *arg, const struct store_notify *n)
{
	char at[ADDR_TEXT_MAX];

	buf_fmt(arg, "%s %s %u %u;", n->downstream,
	    n->target.family == 0 ? "-" : addr_text(&n->target, at), n->qtype, n->serial);
	return 0;
}

enum what { FORCED, PEERS, NO_AXFR, HOOKS, OUTBOX };

static int
each(struct fx *b, enum what what, struct buf *out, struct zr_err *e)
{
	switch (what) {
	case FORCED:
		return store_each_forced(b->s, take_forced, out, e);
	case PEERS:
		return store_each_forced_peer(b->s, take_peer, out, e);
	case NO_AXFR:
		return store_each_no_axfr(b->s, take_no_axfr, out, e);
	case HOOKS:
		return store_each_hook(b->s, take_hook, out, e);
	case OUTBOX:
		return store_each_outbox(b->s, take_row, out, e);
	}
	return -1;
}

/* Closed and opened again: what a main loop would be told. */
static void
expect(struct fx *b, enum what what, const char *want)
{
	struct store_conf conf = {.path = b->path};
	struct buf out = BUF_INIT;
	struct zr_err e = {0};

	fx_close(b);
	if (store_open(&b->s, &conf, &e) != 0 || each(b, what, &out, &e) != 0)
		fail_msg("%s", e.text);
	store_stop(b->s);
	b->s = NULL;
	fx_open(b);
	assert_string_equal(buf_cstr(&out), want);
	buf_clear(&out);
}

/* ---- the event ---- */

static struct store_order *
forced_commit(struct fx *b, const char *label, bool content, uint64_t event)
{
	struct store_order *o;
	struct version v;

	fx_version(b, &v, label, 0);
	v.serial = (uint32_t)v.version;
	if (content)
		fx_put(&v, (unsigned)v.version, 1, 100);
	o = fx_commit(&v);
	o->commit.content = content;
	o->commit.has_forced = true;
	o->commit.forced = (struct store_forced){
	    .event = event,
	    .at = {10},
	    .event_at = {9},
	    .serial = 0xfffffffeu,
	    .version = 3,
	    .digest = {0xaa},
	    .repeats = 4,
	    .alternations = 2,
	    .duration_us = 1234,
	    .verdict = "repeat",
	    .notifier = "p1",
	    .source = "p2",
	};
	o->commit.forced.before[31] = 0xbb;
	return o;
}

static void
peer(struct fx *b, int64_t zone, const char *target, uint64_t event, const char *st)
{
	struct store_order *o = store_order_new(STORE_FORCED_PEER, zone);

	strcpy(o->forced_peer.name, "x");
	assert_true(addr_parse(target, 53, &o->forced_peer.target));
	o->forced_peer.event = event;
	snprintf(o->forced_peer.state, sizeof(o->forced_peer.state), "%s", st);
	o->forced_peer.at.us = (int64_t)event * 10;
	strcpy(o->forced_peer.text, "it's so");
	fx_ok(b, o);
}

static void
test_event_comes_with_the_commit(void **state)
{
	struct fx *b = *state;
	struct store_order *o;
	struct version v;

	fx_zone(b, "a");
	fx_zone(b, "b");
	fx_ok(b, forced_commit(b, "a", true, 7));
	expect(b, FORCED,
	    "1 event 7 at 10/9 serial 4294967294 version 3 aabb n 4 a 2 1234 repeat 'p1' p2;");
	/* Another commit leaves it; the next forced one replaces it, also without content. */
	fx_version(b, &v, "a", 2);
	fx_put(&v, 9, 1, 100);
	fx_ok(b, fx_commit(&v));
	assert_int_equal(fx_sql(b, "SELECT event FROM forced"), 7);
	o = forced_commit(b, "a", false, 8);
	o->commit.forced.notifier[0] = '\0';
	strcpy(o->commit.forced.verdict, "new");
	fx_ok(b, o);
	expect(b, FORCED,
	    "1 event 8 at 10/9 serial 4294967294 version 3 aabb n 4 a 2 1234 new '' p2;");
	/* A commit that fails takes nothing with it. */
	o = forced_commit(b, "b", true, 1);
	o->commit.version += 5;
	fx_fails(b, o, ZR_INTERNAL);
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM forced"), 1);
}

static void
test_peers_of_the_event(void **state)
{
	struct fx *b = *state;
	int64_t zone = fx_zone(b, "a");

	peer(b, zone, "192.0.2.1", 3, "sent");
	peer(b, zone, "2001:db8::1@5353", 3, "acked");
	peer(b, zone, "192.0.2.1", 3, "verified");
	peer(b, zone + 9, "192.0.2.1", 3, "sent"); /* too late: dropped */
	expect(b, PEERS,
	    "1 x 192.0.2.1@53 event 3 verified at 30 'it's so';"
	    "1 x 2001:db8::1@5353 event 3 acked at 30 'it's so';");
	/* A zone whose events start again has nothing to do with the earlier ones. */
	peer(b, zone, "192.0.2.1", 1, "owed");
	fx_ok(b, forced_commit(b, "a", true, 1));
	expect(b, PEERS, "1 x 192.0.2.1@53 event 1 owed at 10 'it's so';");
}

/* A primary that names other targets with every event does not fill the disk with them. */
static void
test_peers_of_long_ago_go(void **state)
{
	struct fx *b = *state;
	int64_t zone = fx_zone(b, "a");
	struct store_order *o;

	for (int i = 1; i <= 4; i++) {
		char target[32];

		snprintf(target, sizeof(target), "192.0.2.%d", i);
		peer(b, zone, target, (uint64_t)i, "owed");
	}
	o = forced_commit(b, "a", true, 5);
	o->commit.forced.keep = 3;
	fx_ok(b, o);
	expect(b, PEERS,
	    "1 x 192.0.2.3@53 event 3 owed at 30 'it's so';"
	    "1 x 192.0.2.4@53 event 4 owed at 40 'it's so';");
	o = store_order_new(STORE_FORCED_PEER, zone); /* it is no target any more */
	strcpy(o->forced_peer.name, "x");
	assert_true(addr_parse("192.0.2.3", 53, &o->forced_peer.target));
	o->forced_peer.remove = true;
	fx_ok(b, o);
	expect(b, PEERS, "1 x 192.0.2.4@53 event 4 owed at 40 'it's so';");
}

/* Nor do those that NOTIFYs were sent to once. */
static void
test_targets_of_long_ago_go(void **state)
{
	struct fx *b = *state;
	int64_t zone = fx_zone(b, "a");
	struct store_order *o;

	for (int i = 0; i < 1100; i++) {
		o = store_order_new(STORE_PEER_SEEN, zone);
		o->peer.event = PEER_DOWNSTREAM_SENT;
		strcpy(o->peer.name, "ns");
		o->peer.addr = (struct zr_addr){.family = 4, .port = (uint16_t)(1 + i)};
		o->peer.at.us = i + 1;
		store_post(b->s, o);
	}
	o = forced_commit(b, "a", true, 1);
	strcpy(o->commit.log.kind, "AXFR");
	fx_ok(b, o);
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM downstream_state"), 1024);
	assert_int_equal(fx_sql(b, "SELECT min(notified_at) FROM downstream_state"), 77);
}

static void
no_axfr(struct fx *b, const char *target, int64_t until)
{
	struct store_order *o = store_order_new(STORE_NO_AXFR, 0);

	assert_true(addr_parse(target, 53, &o->no_axfr.target));
	o->no_axfr.until.us = until;
	strcpy(o->no_axfr.text, "FORMERR");
	fx_ok(b, o);
}

static void
test_addresses_without_axfr_are_forgotten(void **state)
{
	struct fx *b = *state;
	int64_t now = clock_now().wall.us;

	no_axfr(b, "192.0.2.1", now + 3600 * ZR_US_PER_S);
	no_axfr(b, "192.0.2.2", now + 3600 * ZR_US_PER_S);
	no_axfr(b, "192.0.2.3", now - 1);
	no_axfr(b, "192.0.2.1", now + 7200 * ZR_US_PER_S);
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM no_axfr"), 3);
	expect(b, NO_AXFR, "192.0.2.1@53 'FORMERR' 1;192.0.2.2@53 'FORMERR' 1;");
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM no_axfr"), 2);
	assert_true(fx_sql(b, "SELECT until FROM no_axfr") == now + 7200 * ZR_US_PER_S);
	no_axfr(b, "192.0.2.1", 0);
	no_axfr(b, "192.0.2.9", 0); /* not known: nothing */
	expect(b, NO_AXFR, "192.0.2.2@53 'FORMERR' 1;");
}

/* ---- hooks ---- */

static struct store_hook
hook(const char *name, bool forced, int old, uint32_t serial)
{
	struct store_hook h = {
	    .forced = forced,
	    .serial = serial,
	    .has_old = old >= 0,
	    .old_serial = old >= 0 ? (uint32_t)old : 0,
	    .not_before = {5},
	};

	snprintf(h.name, sizeof(h.name), "%s", name);
	snprintf(h.source, sizeof(h.source), "p%u", serial);
	return h;
}

/* Commits with these; what came back is copied to them. */
static void
commit_hooks(struct fx *b, struct store_hook *v, size_t n)
{
	struct store_order *o;
	struct version ver;

	fx_version(b, &ver, "a", v[0].serial);
	o = fx_commit(&ver);
	o->commit.content = false;
	o->commit.hooks = zr_xmemdup(v, n * sizeof(*v));
	o->commit.hook_count = n;
	fx_run(b, o);
	assert_int_equal(o->err.code, ZR_OK);
	memcpy(v, o->commit.hooks, n * sizeof(*v));
	store_order_free(o);
}

static struct store_order *
hook_set(const struct store_hook *h, bool remove, const char *result)
{
	struct store_order *o = store_order_new(STORE_HOOK_SET, h->zone_id);

	o->hook.row = *h;
	o->hook.remove = remove;
	o->hook.has_result = result != NULL;
	if (result == NULL)
		return o;
	o->hook.result.at.us = 77;
	o->hook.result.duration_us = 88;
	o->hook.result.forced = h->forced;
	o->hook.result.serial = h->serial;
	strcpy(o->hook.result.state, result);
	snprintf(o->hook.result.text, sizeof(o->hook.result.text), "exit status %u", h->serial);
	return o;
}

static void
test_hook_absorbs(void **state)
{
	struct fx *b = *state;
	struct store_hook v[2] = {hook("x", true, 3, 4), hook("y", false, -1, 4)};
	struct store_hook w[2] = {hook("x", false, 4, 5), hook("y", false, 4, 5)}, again;

	fx_zone(b, "a");
	fx_zone(b, "b");
	commit_hooks(b, v, 2);
	assert_true(v[0].id > 0 && v[1].id > v[0].id && v[0].zone_id == 1);
	expect(b, HOOKS, "1 x forced 3-4 p4 at 5 tries 0;1 y change -1-4 p4 at 5 tries 0;");
	/* It has been tried in vain: the server still has 3, and wants a whole zone. */
	v[0].tries = 2;
	v[0].not_before.us = 6;
	fx_ok(b, hook_set(&v[0], false, "retry"));
	expect(b, HOOKS, "1 x forced 3-4 p4 at 6 tries 2;1 y change -1-4 p4 at 5 tries 0;");
	commit_hooks(b, w, 2);
	assert_true(w[0].id > v[1].id && w[0].forced && w[0].has_old && w[0].old_serial == 3);
	assert_true(!w[1].forced && !w[1].has_old);
	expect(b, HOOKS, "1 x forced 3-5 p5 at 5 tries 0;1 y change -1-5 p5 at 5 tries 0;");
	/* A late result of the older one: kept, but the newer is still to be run. */
	fx_ok(b, hook_set(&v[0], true, "done"));
	fx_ok(b, hook_set(&v[1], false, NULL));
	expect(b, HOOKS, "1 x forced 3-5 p5 at 5 tries 0;1 y change -1-5 p5 at 5 tries 0;");
	assert_int_equal(fx_sql(b, "SELECT serial FROM hook_result WHERE state = 'done'"), 4);
	fx_ok(b, hook_set(&w[0], true, "failed"));
	expect(b, HOOKS, "1 y change -1-5 p5 at 5 tries 0;");
	assert_int_equal(fx_sql(b, "SELECT serial FROM hook_result WHERE state = 'failed' AND "
				   "at = 77 AND duration = 88 AND forced AND "
				   "text = 'exit status 5'"),
	    5);
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM hook_result"), 1);
	/* Once it has been run it starts from nothing, under an id of its own. */
	again = hook("x", false, 5, 6);
	commit_hooks(b, &again, 1);
	assert_true(again.id > w[1].id && !again.forced);
	assert_int_equal(fx_sql(b, "SELECT old_serial FROM hook WHERE name = 'x'"), 5);
}

/* ---- NOTIFYs without target ---- */

static struct store_notify
row(const char *downstream, const char *target, uint16_t qtype, uint32_t serial)
{
	struct store_notify n = {.qtype = qtype, .serial = serial, .not_before = {5}};

	snprintf(n.downstream, sizeof(n.downstream), "%s", downstream);
	if (target != NULL)
		assert_true(addr_parse(target, 53, &n.target));
	return n;
}

/* The id of the first row. */
static int64_t
owe(struct fx *b, int64_t replaces, const struct store_notify *v, size_t n, bool gone)
{
	struct store_order *o = store_order_new(STORE_OUTBOX_ADD, 1);
	int64_t id = 0;

	o->outbox.v = n > 0 ? zr_xmemdup(v, n * sizeof(*v)) : NULL;
	o->outbox.count = n;
	o->outbox.replaces = replaces;
	fx_run(b, o);
	assert_int_equal(o->err.code, ZR_OK);
	assert_int_equal(o->outbox.gone, gone);
	assert_int_equal(o->outbox.count, n);
	if (n > 0)
		id = o->outbox.v[0].id;
	store_order_free(o);
	return id;
}

static void
test_row_without_target(void **state)
{
	struct fx *b = *state;
	struct store_notify axfr[2] = {row("", NULL, 252, 1), {0}};
	struct store_notify soa[2] = {row("", NULL, 6, 2), row("also", "192.0.2.9", 6, 2)};
	struct store_notify to[3] = {row("x", "192.0.2.1", 252, 2),
	    row("ns", "2001:db8::1", 252, 2), row("also", "192.0.2.9", 252, 2)};
	int64_t older, newer;

	fx_zone(b, "a");
	older = owe(b, 0, axfr, 1, false);
	expect(b, OUTBOX, " - 252 1;");
	/* A newer one absorbs it; AXFR is not made less; nobody else is touched. */
	newer = owe(b, 0, soa, 2, false);
	assert_true(newer > older);
	expect(b, OUTBOX, " - 252 2;also 192.0.2.9@53 6 2;");
	/* The targets of the older one come too late: those of the newer will come. */
	assert_int_equal(owe(b, older, to, 3, true), 0);
	expect(b, OUTBOX, " - 252 2;also 192.0.2.9@53 6 2;");
	/* A row with a target is not one to be replaced. */
	assert_int_equal(owe(b, newer + 1, to, 3, true), 0);
	assert_true(owe(b, newer, to, 3, false) > newer + 1);
	expect(b, OUTBOX, "x 192.0.2.1@53 252 2;ns 2001:db8::1@53 252 2;also 192.0.2.9@53 252 2;");
	/* Twice the same answer is once. */
	assert_int_equal(owe(b, newer, to, 3, true), 0);
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM outbox"), 3);
	/* Nobody to be told. */
	newer = owe(b, 0, soa, 1, false);
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM outbox"), 4);
	assert_int_equal(owe(b, newer, to, 0, false), 0);
	expect(b, OUTBOX, "x 192.0.2.1@53 252 2;ns 2001:db8::1@53 252 2;also 192.0.2.9@53 252 2;");
}

static void
test_row_without_target_comes_with_the_commit(void **state)
{
	struct fx *b = *state;
	struct store_order *o, *p;
	struct store_notify v[2] = {row("", NULL, 252, 9), row("also", "192.0.2.9", 252, 9)};
	struct zr_err e = {0};
	int64_t id;

	fx_zone(b, "a");
	fx_zone(b, "b");
	o = forced_commit(b, "a", true, 1);
	o->commit.notify = zr_xmemdup(v, sizeof(v));
	o->commit.notify_count = 2;
	fx_run(b, o);
	assert_int_equal(o->err.code, ZR_OK);
	id = o->commit.notify[0].id;
	store_order_free(o);
	/* Replacing it and something that fails, in one group: carried out one by one. */
	p = store_order_new(STORE_OUTBOX_ADD, 1);
	p->outbox.v = zr_xmemdup(&v[1], sizeof(v[1]));
	p->outbox.count = 1;
	p->outbox.replaces = id;
	o = forced_commit(b, "b", true, 1);
	o->commit.version += 5;
	fx_close(b);
	b->reply = mbox_new();
	assert_int_equal(store_open(&b->s, &(struct store_conf){.path = b->path}, &e), 0);
	fx_post(b, p);
	fx_post(b, o);
	assert_int_equal(store_start(b->s, &e), 0);
	assert_ptr_equal(fx_wait(b), p);
	assert_ptr_equal(fx_wait(b), o);
	assert_int_equal(p->err.code, ZR_OK);
	assert_int_equal(o->err.code, ZR_INTERNAL);
	assert_false(p->outbox.gone);
	assert_true(p->outbox.v[0].id > id);
	store_order_free(p);
	store_order_free(o);
	assert_int_equal(reader_open(&b->r, b->path, &e), 0);
	expect(b, OUTBOX, "also 192.0.2.9@53 252 9;");
}

/* ---- removal ---- */

static void
test_removed_zone(void **state)
{
	struct fx *b = *state;
	int64_t zone = fx_zone(b, "a"), other = fx_zone(b, "b");
	struct store_hook h = hook("x", true, 1, 2), r;
	struct store_notify n = row("", NULL, 252, 2);

	fx_ok(b, forced_commit(b, "a", true, 5));
	fx_ok(b, forced_commit(b, "b", true, 6));
	peer(b, zone, "192.0.2.1", 5, "acked");
	peer(b, other, "192.0.2.1", 6, "acked");
	commit_hooks(b, &h, 1);
	r = h;
	r.id += 50;
	fx_ok(b, hook_set(&r, true, "done"));
	owe(b, 0, &n, 1, false);
	fx_ok(b, mark_order(zone, PENDING_FORCE, 1, "p1", true));
	fx_ok(b, store_order_new(STORE_REMOVE_ZONE, zone));
	/* What is owed goes at once, what was stays for the case that it comes back. */
	expect(b, HOOKS, "");
	expect(b, OUTBOX, "");
	expect(b, PEERS, "2 x 192.0.2.1@53 event 6 acked at 60 'it's so';");
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM forced"), 2);
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM hook_result"), 1);
	assert_int_equal(fx_zone(b, "a"), zone);
	expect_mark(b, PENDING_NONE, 0, "", false);
	assert_int_equal(fx_sql(b, "SELECT event FROM forced WHERE zone = 1"), 5);
	fx_ok(b, store_order_new(STORE_REMOVE_ZONE, zone));
	fx_close(b);
	fx_sql(b, "UPDATE zone SET removed_at = removed_at - 8 * 86400 * 1000000 "
		  "WHERE removed_at > 0");
	fx_open(b);
	for (int i = 0; i < 2000 && fx_sql(b, "SELECT count(*) FROM zone") > 1; i++)
		usleep(2000);
	peer(b, zone, "192.0.2.1", 5, "verified"); /* too late */
	fx_ok(b, hook_set(&h, true, "done"));
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM forced"), 1);
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM forced_peer"), 1);
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM hook_result"), 0);
}

static const struct CMUnitTest tests[] = {
    FX_TEST(test_mark_knows_who_asked),
    FX_TEST(test_mark_set_says_who),
    FX_TEST(test_mark_is_a_few_pages),
    FX_TEST(test_event_comes_with_the_commit),
    FX_TEST(test_peers_of_the_event),
    FX_TEST(test_peers_of_long_ago_go),
    FX_TEST(test_targets_of_long_ago_go),
    FX_TEST(test_addresses_without_axfr_are_forgotten),
    FX_TEST(test_hook_absorbs),
    FX_TEST(test_row_without_target),
    FX_TEST(test_row_without_target_comes_with_the_commit),
    FX_TEST(test_removed_zone),
};

int
main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
