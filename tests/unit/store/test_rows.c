/* SPDX-License-Identifier: BSD-2-Clause */
/* Marks, timers, removal, outbox, peers, transfer log. */
#include "tests/unit/store/util.h"

#include "base/mem.h"
#include "store/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- marks and timers ---- */

static void
mark(struct fx *b, int64_t zone, enum store_pending p, int64_t since)
{
	struct store_order *o = store_order_new(STORE_MARK, zone);

	o->mark.pending = p;
	o->mark.since.us = since;
	fx_ok(b, o);
}

static void
expect_pending(struct fx *b, enum store_pending p, int64_t since)
{
	struct store_zone *z = fx_zone_row(b, "a");

	assert_int_equal(z->pending, p);
	assert_int_equal(z->pending_since.us, since);
	free(z);
}

static void
test_mark_only_rises(void **state)
{
	struct fx *b = *state;
	int64_t zone = fx_zone(b, "a");
	struct store_order *o;
	struct version v;

	mark(b, zone, PENDING_NONE, 1);
	expect_pending(b, PENDING_NONE, 0);
	mark(b, zone, PENDING_CHECK, 5);
	expect_pending(b, PENDING_CHECK, 5);
	mark(b, zone, PENDING_FORCE, 6);
	expect_pending(b, PENDING_FORCE, 5);
	mark(b, zone, PENDING_CHECK, 7);
	expect_pending(b, PENDING_FORCE, 5);
	fx_version(b, &v, "a", 1);
	fx_put(&v, 1, 1, 100);
	o = fx_commit(&v);
	o->commit.pending_after = PENDING_CHECK; /* one came later */
	fx_ok(b, o);
	expect_pending(b, PENDING_CHECK, 5);
	fx_version(b, &v, "a", 2);
	fx_put(&v, 2, 1, 100);
	fx_ok(b, fx_commit(&v));
	expect_pending(b, PENDING_NONE, 0);
	o = store_order_new(STORE_MARK, zone + 99);
	o->mark.pending = PENDING_CHECK;
	fx_fails(b, o, ZR_NOTFOUND);
}

/* ---- what was signed (TS-09) ---- */

static struct store_signed *
signature(const char *key, uint64_t time)
{
	struct store_signed *v = zr_xcalloc(1, sizeof(*v));

	v->time = time;
	v->key[0] = (uint8_t)strlen(key);
	memcpy(v->key + 1, key, strlen(key));
	return v;
}

static void
put_signature(struct fx *b, const char *key, uint64_t time)
{
	struct store_order *o = store_order_new(STORE_SIGNED, 0);
	struct store_signed *v = signature(key, time);

	o->signature = *v;
	free(v);
	fx_ok(b, o);
}

static int
take_signature(void *arg, const struct store_signed *v)
{
	char *out = arg;
	size_t len = strlen(out);

	snprintf(out + len, 200 - len, "%s %llu;", (const char *)v->key + 1,
	    (unsigned long long)v->time);
	return 0;
}

static void
expect_signatures(struct fx *b, const char *want)
{
	struct store_conf conf = {.path = b->path};
	struct zr_err e = {0};
	char out[200] = "";

	fx_close(b);
	if (store_open(&b->s, &conf, &e) != 0 ||
	    store_each_signed(b->s, take_signature, out, &e) != 0)
		fail_msg("%s", e.text);
	store_stop(b->s);
	b->s = NULL;
	fx_open(b);
	assert_string_equal(out, want);
}

static void
test_signature_goes_with_its_mark(void **state)
{
	struct fx *b = *state;
	int64_t zone = fx_zone(b, "a");
	struct store_order *o = store_order_new(STORE_MARK, zone);

	o->mark.pending = PENDING_FORCE;
	o->mark.signature = signature("one", 100);
	fx_ok(b, o);
	expect_pending(b, PENDING_FORCE, 0);
	expect_signatures(b, "one 100;");
	/* The mark is not new, but the time is. */
	o = store_order_new(STORE_MARK, zone);
	o->mark.pending = PENDING_CHECK;
	o->mark.signature = signature("one", 101);
	fx_ok(b, o);
	expect_signatures(b, "one 101;");
	/* No mark, no time. */
	o = store_order_new(STORE_MARK, zone + 99);
	o->mark.pending = PENDING_FORCE;
	o->mark.signature = signature("one", 102);
	fx_fails(b, o, ZR_NOTFOUND);
	expect_signatures(b, "one 101;");
}

static void
test_signatures_only_rise(void **state)
{
	struct fx *b = *state;

	put_signature(b, "one", 10000);
	put_signature(b, "one", 9999);
	put_signature(b, "two", 5);
	expect_signatures(b, "one 10000;two 5;");
	put_signature(b, "one", 10001);
	put_signature(b, "two", 0); /* forgotten */
	put_signature(b, "three", 0);
	expect_signatures(b, "one 10001;");
	/* The clock was wrong when this one came. */
	put_signature(b, "one", 90000);
	put_signature(b, "one", 90000 - STORE_SIGNED_APART_S);
	expect_signatures(b, "one 90000;");
	put_signature(b, "one", 90000 - STORE_SIGNED_APART_S - 1);
	expect_signatures(b, "one 82799;");
}

static void
test_timers(void **state)
{
	struct fx *b = *state;
	int64_t zone = fx_zone(b, "a");
	struct store_order *o;
	struct store_zone *z;

	fx_load(b, "a", 1, "1");
	o = store_order_new(STORE_TIMERS, zone);
	o->timers.refresh_at.us = 42;
	o->timers.failures = 3;
	o->timers.code = ZR_TIMEOUT;
	strcpy(o->timers.text, "no answer in 5 s");
	strcpy(o->timers.peer, "hidden");
	o->timers.at.us = 43;
	o->timers.next_try.us = 44;
	o->timers.set_pending = true;
	o->timers.pending = PENDING_FORCE;
	fx_ok(b, o);
	z = fx_zone_row(b, "a");
	assert_int_equal(z->refresh_at.us, 42);
	assert_int_equal(z->expire_at.us, 3000000); /* unset: left as it was */
	assert_int_equal(z->checked_at.us, 1000000);
	assert_int_equal(z->failures, 3);
	assert_int_equal(z->error, ZR_TIMEOUT);
	assert_string_equal(z->error_text, "no answer in 5 s");
	assert_string_equal(z->error_peer, "hidden");
	assert_int_equal(z->error_at.us, 43);
	assert_int_equal(z->next_try.us, 44);
	assert_int_equal(z->pending, PENDING_FORCE);
	free(z);
	o = store_order_new(STORE_TIMERS, zone);
	o->timers.checked_at.us = 50;
	fx_ok(b, o);
	z = fx_zone_row(b, "a");
	assert_int_equal(z->checked_at.us, 50);
	assert_int_equal(z->error, ZR_OK);
	assert_string_equal(z->error_text, "");
	assert_int_equal(z->pending, PENDING_FORCE); /* not set: left */
	free(z);
	fx_fails(b, store_order_new(STORE_TIMERS, zone + 5), ZR_NOTFOUND);
}

/* ---- removal ---- */

static void
test_removed_zone_can_come_back(void **state)
{
	struct fx *b = *state;
	int64_t zone = fx_zone(b, "a");
	struct store_order *o;

	fx_load(b, "a", 5, "1 2");
	mark(b, zone, PENDING_CHECK, 1);
	fx_ok(b, store_order_new(STORE_REMOVE_ZONE, zone));
	assert_null(fx_zone_row(b, "a"));
	o = store_order_new(STORE_MARK, zone);
	o->mark.pending = PENDING_CHECK;
	fx_fails(b, o, ZR_NOTFOUND);
	fx_close(b);
	fx_open(b); /* not yet old enough */
	o = store_order_new(STORE_ADD_ZONE, 0);
	memcpy(o->add.name, "\001a\007example", 11);
	fx_run(b, o);
	assert_int_equal(o->zone_id, zone);
	assert_non_null(o->add.zone);
	assert_int_equal(o->add.zone->serial, 5);
	assert_int_equal(o->add.zone->pending, PENDING_NONE);
	assert_memory_equal(o->add.zone->name, "\001a\007example", 11);
	store_order_free(o);
	assert_string_equal(fx_list(b, zone, 1), "1:1 2:1 ");
}

static void
test_removed_zone_is_swept(void **state)
{
	struct fx *b = *state;
	int64_t zone = fx_zone(b, "a"), other = fx_zone(b, "b");
	struct store_order *o;
	struct version v;

	fx_load(b, "a", 1, "1 2 3");
	fx_load(b, "b", 1, "1 2 3");
	fx_version(b, &v, "a", 2);
	fx_step(&v, 0, 1, 2, 2);
	fx_ok(b, fx_commit(&v));
	o = store_order_new(STORE_PEER_SEEN, zone);
	o->peer.event = PEER_PRIMARY_SOA;
	strcpy(o->peer.name, "p");
	fx_ok(b, o);
	fx_ok(b, store_order_new(STORE_REMOVE_ZONE, zone));
	fx_close(b);
	fx_sql(b, "UPDATE zone SET removed_at = removed_at - 8 * 86400 * 1000000 "
		  "WHERE removed_at > 0");
	fx_open(b);
	for (int i = 0; i < 2000 && fx_sql(b, "SELECT count(*) FROM zone") > 1; i++)
		usleep(2000);
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM zone"), 1);
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM segment"), 3);
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM content"), 3);
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM journal"), 0);
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM primary_state"), 0);
	assert_string_equal(fx_list(b, other, 1), "1:1 2:1 3:1 ");
	assert_int_not_equal(fx_zone(b, "a"), zone);
}

/* ---- peers, outbox, log ---- */

static struct store_notify
notify(const char *downstream, const char *target, uint16_t qtype, uint32_t serial)
{
	struct store_notify n = {.qtype = qtype, .serial = serial, .not_before = {5}, .tries = 0};

	snprintf(n.downstream, sizeof(n.downstream), "%s", downstream);
	assert_true(addr_parse(target, 53, &n.target));
	return n;
}

static int
take_notify(void *arg, const struct store_notify *n)
{
	struct buf *out = arg;
	char target[ADDR_TEXT_MAX];

	buf_fmt(out, "%s %s %u %u %u;", n->downstream, addr_text(&n->target, target), n->qtype,
	    n->serial, n->tries);
	return 0;
}

static void
expect_outbox(struct fx *b, int64_t zone, const char *want)
{
	struct buf out = BUF_INIT;
	struct zr_err e = {0};

	assert_int_equal(reader_outbox(b->r, zone, take_notify, &out, &e), 0);
	assert_string_equal(buf_cstr(&out), want);
	buf_clear(&out);
}

static void
name_notify(struct fx *b, int64_t zone, int64_t id, const char *name, uint32_t tries, bool remove)
{
	struct store_order *o = store_order_new(STORE_OUTBOX_SET, zone);

	o->notify.row.id = id;
	o->notify.row.tries = tries;
	strcpy(o->notify.row.downstream, name);
	o->notify.remove = remove;
	fx_ok(b, o);
}

static void
set_notify(struct fx *b, int64_t zone, int64_t id, uint32_t tries, bool remove)
{
	name_notify(b, zone, id, "x", tries, remove);
}

/* Two downstreams of one address, told apart by their keys: none takes the other's place. */
static void
test_outbox_twins(void **state)
{
	struct fx *b = *state;
	int64_t zone = fx_zone(b, "a"), id[2];
	const struct store_notify soa[2] = {
	    notify("in", "192.0.2.1", 6, 1), notify("out", "192.0.2.1", 6, 1)};
	const struct store_notify mixed[2] = {
	    notify("in", "192.0.2.1", 252, 2), notify("out", "192.0.2.1", 6, 2)};

	fx_owe(b, zone, soa, 2, id);
	expect_outbox(b, zone, "in 192.0.2.1@53 6 1 0;out 192.0.2.1@53 6 1 0;");
	fx_owe(b, zone, mixed, 2, id);
	expect_outbox(b, zone, "in 192.0.2.1@53 252 2 0;out 192.0.2.1@53 6 2 0;");

	/* One gets the name of the other: the newer row stays, with what the older was. */
	name_notify(b, zone, id[0], "out", 3, false);
	expect_outbox(b, zone, "out 192.0.2.1@53 252 2 0;");
	set_notify(b, zone, id[0], 0, true);
	expect_outbox(b, zone, "out 192.0.2.1@53 252 2 0;");
	set_notify(b, zone, id[1], 0, true);
	expect_outbox(b, zone, "");

	fx_owe(b, zone, mixed, 2, id);
	name_notify(b, zone, id[1], "in", 3, false);
	expect_outbox(b, zone, "in 192.0.2.1@53 252 2 3;");
	set_notify(b, zone, id[1], 0, true);
	expect_outbox(b, zone, "");
}

static void
test_outbox_absorbs(void **state)
{
	struct fx *b = *state;
	int64_t zone = fx_zone(b, "a"), first;
	struct store_order *o;
	struct version v;

	fx_version(b, &v, "a", 1);
	fx_put(&v, 1, 1, 100);
	o = fx_commit(&v);
	o->commit.notify = zr_xcalloc(2, sizeof(struct store_notify));
	o->commit.notify_count = 2;
	o->commit.notify[0] = notify("x", "192.0.2.1", 6, 1);
	o->commit.notify[1] = notify("y", "2001:db8::1@5353", 6, 1);
	fx_run(b, o);
	assert_int_equal(o->err.code, ZR_OK);
	first = o->commit.notify[0].id;
	assert_true(first > 0);
	assert_int_not_equal(first, o->commit.notify[1].id);
	assert_int_equal(o->commit.notify[1].zone_id, zone);
	store_order_free(o);
	expect_outbox(b, zone, "x 192.0.2.1@53 6 1 0;y 2001:db8::1@5353 6 1 0;");
	name_notify(b, zone, first, "x2", 4, false);
	expect_outbox(b, zone, "x2 192.0.2.1@53 6 1 4;y 2001:db8::1@5353 6 1 0;");
	name_notify(b, zone, first, "x", 4, false);

	/* AXFR absorbs SOA, and stays AXFR when an SOA follows. */
	for (int i = 0; i < 2; i++) {
		o = store_order_new(STORE_OUTBOX_ADD, zone);
		o->outbox.v = zr_xcalloc(1, sizeof(struct store_notify));
		o->outbox.count = 1;
		o->outbox.v[0] = notify("x", "192.0.2.1", i == 0 ? 252 : 6, 2 + (uint32_t)i);
		fx_run(b, o);
		assert_int_equal(o->err.code, ZR_OK);
		assert_int_equal(o->outbox.v[0].qtype, 252);
		assert_true(o->outbox.v[0].id > first);
		store_order_free(o);
	}
	expect_outbox(b, zone, "x 192.0.2.1@53 252 3 0;y 2001:db8::1@5353 6 1 0;");

	/* The answer to the one that was absorbed comes late: it does not end the newer. */
	set_notify(b, zone, first, 9, true);
	set_notify(b, zone, first, 9, false);
	expect_outbox(b, zone, "x 192.0.2.1@53 252 3 0;y 2001:db8::1@5353 6 1 0;");
	fx_close(b);
	fx_open(b);
	expect_outbox(b, zone, "x 192.0.2.1@53 252 3 0;y 2001:db8::1@5353 6 1 0;");
	set_notify(b, zone, fx_sql(b, "SELECT id FROM outbox WHERE qtype = 252"), 0, true);
	expect_outbox(b, zone, "y 2001:db8::1@5353 6 1 0;");
	fx_ok(b, store_order_new(STORE_REMOVE_ZONE, zone));
	expect_outbox(b, zone, "");
}

static void
post_end(struct fx *b, int64_t zone, int64_t id)
{
	struct store_order *o = store_order_new(STORE_OUTBOX_SET, zone);

	o->notify.row.id = id;
	o->notify.remove = true;
	store_post(b->s, o);
}

static int64_t
add_notify(struct fx *b, int64_t zone, uint16_t qtype, uint32_t serial)
{
	const struct store_notify n = notify("x", "192.0.2.1", qtype, serial);
	int64_t id;

	fx_owe(b, zone, &n, 1, &id);
	return id;
}

/* A NOTIFY(AXFR) that was answered does not live on in the NOTIFY(SOA) after it. */
static void
test_what_ended_is_not_absorbed(void **state)
{
	struct fx *b = *state;
	int64_t zone = fx_zone(b, "a");
	struct store_order *o;
	struct version v;

	post_end(b, zone, add_notify(b, zone, 252, 1));
	post_end(b, zone, add_notify(b, zone, 6, 2));
	fx_version(b, &v, "a", 1);
	fx_put(&v, 1, 1, 100);
	o = fx_commit(&v);
	o->commit.notify = zr_xcalloc(1, sizeof(struct store_notify));
	o->commit.notify_count = 1;
	o->commit.notify[0] = notify("x", "192.0.2.1", 6, 3);
	fx_ok(b, o);
	expect_outbox(b, zone, "x 192.0.2.1@53 6 3 0;");
	/* SYNC is behind all of it; and so is the end of the store. */
	post_end(b, zone, fx_sql(b, "SELECT id FROM outbox"));
	fx_ok(b, store_order_new(STORE_SYNC, 0));
	expect_outbox(b, zone, "");
	post_end(b, zone, add_notify(b, zone, 252, 4));
	fx_close(b);
	fx_open(b);
	expect_outbox(b, zone, "");
}

/* The serial of a primary goes with the order in which its check ends, or behind it with SYNC. */
static void
test_serial_goes_with_the_check(void **state)
{
	static const enum store_op ends[] = {STORE_TIMERS, STORE_SYNC};
	struct fx *b = *state;
	int64_t zone = fx_zone(b, "a");
	struct store_order *o;

	for (uint32_t i = 0; i < 2; i++) {
		o = store_order_new(STORE_PEER_SEEN, zone);
		o->peer.event = PEER_PRIMARY_SOA;
		strcpy(o->peer.name, "p");
		o->peer.serial = 7 + i;
		store_post(b->s, o);
		fx_ok(b, store_order_new(ends[i], zone));
		assert_int_equal(fx_sql(b, "SELECT serial FROM primary_state"), 7 + i);
	}
}

static void
peer(struct fx *b, int64_t zone, enum peer_event ev, const char *addr, uint32_t serial, int64_t at)
{
	struct store_order *o = store_order_new(STORE_PEER_SEEN, zone);

	o->peer.event = ev;
	strcpy(o->peer.name, "n");
	assert_true(addr_parse(addr, 53, &o->peer.addr));
	o->peer.serial = serial;
	o->peer.version = serial * 10;
	o->peer.at.us = at;
	o->peer.code = ZR_REFUSED;
	snprintf(o->peer.text, sizeof(o->peer.text), "refused at %d", (int)at);
	fx_ok(b, o);
}

static int
take_primary(void *arg, const struct store_primary *p)
{
	buf_fmt(arg, "%s %s %d %u %d %s %s %d;", p->name, p->address, p->has_serial, p->serial,
	    (int)p->seen_at.us, zr_code_name(p->error), p->error_text, (int)p->error_at.us);
	return 0;
}

static int
take_downstream(void *arg, const struct store_downstream *d)
{
	buf_fmt(arg, "%s %s sent %d:%u@%d acked %d:%u@%d has %d:%u/%d@%d %s@%d;", d->name,
	    d->target, d->has_notified, d->notified_serial, (int)d->notified_at.us, d->has_acked,
	    d->acked_serial, (int)d->acked_at.us, d->has_fetched, d->fetched_serial,
	    (int)d->fetched_version, (int)d->fetched_at.us, d->error_text, (int)d->error_at.us);
	return 0;
}

static void
test_peers(void **state)
{
	struct fx *b = *state;
	int64_t zone = fx_zone(b, "a");
	struct buf out = BUF_INIT;
	struct zr_err e = {0};

	peer(b, zone, PEER_PRIMARY_ERROR, "192.0.2.1", 0, 1);
	peer(b, zone, PEER_PRIMARY_SOA, "192.0.2.1", 8, 2);
	peer(b, zone, PEER_PRIMARY_SOA, "192.0.2.1", 9, 3);
	peer(b, zone, PEER_PRIMARY_SOA, "192.0.2.2", 7, 4);
	assert_int_equal(reader_primaries(b->r, zone, take_primary, &out, &e), 0);
	assert_string_equal(buf_cstr(&out), "n 192.0.2.1@53 1 9 3 refused refused at 1 1;"
					    "n 192.0.2.2@53 1 7 4 ok  0;");
	buf_reset(&out);
	peer(b, zone, PEER_DOWNSTREAM_FETCHED, "192.0.2.9@4711", 3, 1);
	assert_int_equal(reader_downstreams(b->r, zone, take_downstream, &out, &e), 0);
	assert_string_equal(buf_cstr(&out), "n  sent 0:0@0 acked 0:0@0 has 1:3/30@1 @0;");
	buf_reset(&out);
	peer(b, zone, PEER_DOWNSTREAM_SENT, "192.0.2.1", 4, 2);
	peer(b, zone, PEER_DOWNSTREAM_ACKED, "192.0.2.1", 4, 3);
	peer(b, zone, PEER_DOWNSTREAM_SENT, "192.0.2.2", 4, 4);
	peer(b, zone, PEER_DOWNSTREAM_FAILED, "192.0.2.2", 0, 5);
	peer(b, zone, PEER_DOWNSTREAM_FETCHED, "192.0.2.9@4712", 4, 6);
	assert_int_equal(reader_downstreams(b->r, zone, take_downstream, &out, &e), 0);
	assert_string_equal(buf_cstr(&out),
	    "n 192.0.2.1@53 sent 1:4@2 acked 1:4@3 has 1:4/40@6 @0;"
	    "n 192.0.2.2@53 sent 1:4@4 acked 0:0@0 has 1:4/40@6 refused at 5@5;");
	buf_clear(&out);
	peer(b, zone + 7, PEER_PRIMARY_SOA, "192.0.2.1", 1, 1); /* too late: dropped */
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM primary_state"), 2);
}

static int
take_log(void *arg, const struct store_log *l)
{
	struct buf *out = arg;

	buf_fmt(out, "%d%s%d ", (int)l->to_serial, l->out ? ">" : "<",
	    l->has_from ? (int)l->from_serial : -1);
	return 0;
}

static void
test_transfer_log_is_bounded(void **state)
{
	struct fx *b = *state;
	int64_t zone = fx_zone(b, "a");
	struct buf out = BUF_INIT, want = BUF_INIT;
	struct store_order *o;
	struct zr_err e = {0};

	for (uint32_t i = 0; i < 120; i++) {
		o = store_order_new(STORE_LOG_TRANSFER, zone);
		o->log.at.us = i + 1;
		o->log.out = i % 4 == 0;
		strcpy(o->log.kind, "IXFR");
		strcpy(o->log.peer, "hidden");
		o->log.has_from = i % 2 == 0;
		o->log.from_serial = i;
		o->log.to_serial = i + 1;
		o->log.code = i % 3 == 0 ? ZR_OK : ZR_CLOSED;
		strcpy(o->log.text, "closed after 3 messages");
		fx_ok(b, o);
	}
	/* Each direction keeps its own 20, so a busy one does not push out the other. */
	for (int i = 119; i >= 0; i--)
		if (i % 4 == 0 ? i >= 40 : i >= 94)
			buf_fmt(
			    &want, "%d%s%d ", i + 1, i % 4 == 0 ? ">" : "<", i % 2 == 0 ? i : -1);
	assert_int_equal(reader_transfers(b->r, zone, take_log, &out, &e), 0);
	assert_string_equal(buf_cstr(&out), buf_cstr(&want));
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM transfer"), 40);
	assert_int_equal(
	    fx_sql(b, "SELECT count(*) FROM transfer WHERE error = '' AND text <> ''"), 0);
	buf_clear(&out);
	buf_clear(&want);
}

/* ---- enumeration at start ---- */

static int
count_zone(void *arg, const struct store_zone *z)
{
	int64_t *sum = arg;

	assert_true(z->name[0] == 1);
	*sum += z->id;
	return 0;
}

static int
count_notify(void *arg, const struct store_notify *n)
{
	int64_t *sum = arg;

	*sum += n->serial;
	return 0;
}

static void
test_enumerate_before_start(void **state)
{
	struct fx *b = *state;
	struct store_conf conf = {.path = b->path};
	struct zr_err e = {0};
	struct store_order *o;
	int64_t want = 0, zones = 0, serials = 0;

	want += fx_zone(b, "a");
	want += fx_zone(b, "b");
	o = store_order_new(STORE_OUTBOX_ADD, want - 1);
	o->zone_id = 1;
	o->outbox.v = zr_xcalloc(1, sizeof(struct store_notify));
	o->outbox.count = 1;
	o->outbox.v[0] = notify("x", "192.0.2.1", 6, 5);
	fx_ok(b, o);
	fx_ok(b, store_order_new(STORE_REMOVE_ZONE, fx_zone(b, "c")));
	fx_close(b);
	assert_int_equal(store_open(&b->s, &conf, &e), 0);
	assert_int_equal(store_each_zone(b->s, count_zone, &zones, &e), 0);
	assert_int_equal(store_each_outbox(b->s, count_notify, &serials, &e), 0);
	assert_int_equal(zones, want);
	assert_int_equal(serials, 5);
	store_stop(b->s);
	b->s = NULL;
}

static const struct CMUnitTest tests[] = {
    FX_TEST(test_mark_only_rises),
    FX_TEST(test_signature_goes_with_its_mark),
    FX_TEST(test_signatures_only_rise),
    FX_TEST(test_timers),
    FX_TEST(test_removed_zone_can_come_back),
    FX_TEST(test_removed_zone_is_swept),
    FX_TEST(test_outbox_absorbs),
    FX_TEST(test_what_ended_is_not_absorbed),
    FX_TEST(test_serial_goes_with_the_check),
    FX_TEST(test_outbox_twins),
    FX_TEST(test_peers),
    FX_TEST(test_transfer_log_is_bounded),
    FX_TEST(test_enumerate_before_start),
};

int
main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
