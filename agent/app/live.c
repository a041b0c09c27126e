/* SPDX-License-Identifier: BSD-2-Clause */
/* The commands of the control socket (ctl/ctl.h has their contract). */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/agent_p.h"
#include "app/json.h"
#include "base/mem.h"
#include "wire/name.h"

/* Zones written by one pull of a stream. */
#define ZONES_PER_PULL 256

static struct entry *
find(struct agent *a, struct ctl_reply *r, const char *text)
{
	uint8_t name[NAME_MAX_LEN];
	struct entry *en = NULL;

	if (name_from_text(text, name) == 0) {
		ctl_fail(r, ZR_NOTFOUND, "\"%s\" is not a domain name", text);
		return NULL;
	}
	name_lower(name, name);
	en = entry_by_name(a, name);
	if (en == NULL)
		ctl_fail(r, ZR_NOTFOUND, "zone %s is not configured", text);
	else if (!en->started) {
		ctl_fail(r, ZR_NOTFOUND, "zone %s is being added, try again", text);
		en = NULL;
	}
	return en;
}

/* ---- facts ---- */

static void
live_version(void *arg, struct ctl_reply *r, int argc, const char *const *argv)
{
	struct agent *a = arg;
	struct buf b = BUF_INIT;

	(void)argc;
	(void)argv;
	agent_touch(a);
	json_daemon(&b, a);
	ctl_body(r, &b);
	buf_clear(&b);
	ctl_done(r);
}

static void
body(struct ctl_reply *r, struct buf *b)
{
	ctl_body(r, b);
	buf_reset(b);
}

static void
all_facts(struct agent *a, struct ctl_reply *r)
{
	unsigned count[ZONE_FACE_COUNT] = {0};
	struct buf b = BUF_INIT;
	struct entry *en;
	size_t pos = 0;

	json_daemon(&b, a);
	body(r, &b);
	while ((en = table_next(a->zones, &pos)) != NULL)
		count[json_face(en)]++;
	for (unsigned i = 0; i < ZONE_FACE_COUNT; i++) {
		json_state(&b, i, count[i]);
		body(r, &b);
	}
	for (size_t i = 0; i < a->primary_count; i++) {
		for (unsigned k = 0; k < a->primaries[i]->address_count; k++) {
			json_primary(&b, a, a->primaries[i], k);
			body(r, &b);
		}
	}
	for (size_t i = 0; i < a->cfg->downstream_count; i++) {
		json_downstream(&b, a, &a->cfg->downstreams[i]);
		body(r, &b);
	}
	for (size_t i = 0; i < a->cfg->key_count; i++) {
		json_key(&b, &a->cfg->keys[i]);
		body(r, &b);
	}
	certs_json(&b, a->certs);
	json_lines(r, &b);
	buf_clear(&b);
	ctl_done(r);
}

static void
zone_facts(struct agent *a, struct ctl_reply *r, const char *text)
{
	struct entry *en = find(a, r, text);
	struct buf b = BUF_INIT;
	struct owed *o;

	if (en == NULL)
		return;
	json_zone(&b, en);
	body(r, &b);
	for (unsigned i = 0; i < en->z.policy->primary_count; i++) {
		struct primary *p = en->z.policy->primaries[i];

		for (unsigned k = 0; k < p->address_count; k++) {
			json_primary(&b, a, p, k);
			body(r, &b);
		}
	}
	for (o = en->owed; o != NULL; o = o->next) {
		json_owed(&b, o);
		body(r, &b);
	}
	json_forced(r, en);
	hook_json(&b, en);
	targets_json(&b, en);
	json_lines(r, &b);
	buf_clear(&b);
	ctl_done(r);
}

static void
live(void *arg, struct ctl_reply *r, int argc, const char *const *argv)
{
	agent_touch(arg);
	if (argc > 1)
		zone_facts(arg, r, argv[1]);
	else
		all_facts(arg, r);
}

/*
 * The list is taken by store number before the first pull: zones may come and go while a slow
 * client reads.
 */
struct zone_list {
	struct agent *a;
	int64_t *ids;
	size_t n, pos;
};

static bool
pull_zones(void *arg, struct ctl_reply *r)
{
	struct zone_list *l = arg;
	struct buf b = BUF_INIT;
	size_t end = l->pos + ZONES_PER_PULL;

	agent_touch(l->a);
	for (; l->pos < l->n && l->pos < end; l->pos++) {
		struct entry *en = entry_by_id(l->a, l->ids[l->pos]);

		if (en == NULL || (json_face(en) == ZONE_FACE_CURRENT && json_is_idle(en)))
			continue;
		json_zone(&b, en);
		body(r, &b);
	}
	buf_clear(&b);
	return l->pos < l->n;
}

static void
end_zones(void *arg)
{
	struct zone_list *l = arg;

	free(l->ids);
	free(l);
}

static void
live_zones(void *arg, struct ctl_reply *r, int argc, const char *const *argv)
{
	struct agent *a = arg;
	struct zone_list *l = zr_xcalloc(1, sizeof(*l));
	struct entry *en;
	size_t pos = 0;

	(void)argc;
	(void)argv;
	l->a = a;
	l->ids = zr_xcalloc(table_count(a->by_id) + 1, sizeof(int64_t));
	while ((en = table_next(a->by_id, &pos)) != NULL)
		l->ids[l->n++] = en->z.id;
	ctl_stream(r, pull_zones, end_zones, l);
}

/* ---- orders ---- */

static void
order_done(struct ctl_reply *r, const char *more)
{
	struct buf b = BUF_INIT;

	buf_fmt(&b, "{\"kind\":\"order\",%s}", more);
	ctl_body(r, &b);
	buf_clear(&b);
	ctl_done(r);
}

static void
lift_holds(struct agent *a)
{
	for (size_t i = 0; i < a->primary_count; i++)
		primary_notified(a->primaries[i], -1);
}

/* Answered when every mark is on disk: orders of the store are carried out in turn. */
static void
refresh_all(struct agent *a, struct ctl_reply *r)
{
	struct store_order *o = store_order_new(STORE_SYNC, 0);
	struct entry *en;
	size_t pos = 0;

	lift_holds(a);
	while ((en = table_next(a->zones, &pos)) != NULL) {
		if (!en->started)
			continue;
		route_event(en, ZONE_EV_REFRESH, NULL, NULL);
		o->cookie++;
	}
	o->owner = r;
	agent_store(a, o, true);
	agent_schedule(a);
}

void
live_synced(struct agent *a, struct store_order *o)
{
	struct ctl_reply *r = o->owner;
	char text[48];

	(void)a;
	if (o->err.code != ZR_OK) {
		ctl_error(r, &o->err);
		return;
	}
	snprintf(text, sizeof(text), "\"zones\":%llu", (unsigned long long)o->cookie);
	order_done(r, text);
}

void
live_marked(struct ctl_reply *r, bool ok)
{
	if (ok)
		order_done(r, "\"zones\":1");
	else
		ctl_fail(r, ZR_DB, "the order could not be stored");
}

static void
trigger(struct agent *a, struct ctl_reply *r, const char *name, enum zone_event ev)
{
	struct entry *en = find(a, r, name);
	struct zone_orders os;

	if (en == NULL)
		return;
	for (unsigned i = 0; i < en->z.policy->primary_count; i++)
		primary_notified(en->z.policy->primaries[i], -1);
	route_event(en, ev, NULL, &os);
	if (os.answer == ZONE_ANSWER_MARKED)
		answer_command(en, os.answer_seq, r);
	else
		live_marked(r, true);
	agent_schedule(a);
}

static void
refresh(void *arg, struct ctl_reply *r, int argc, const char *const *argv)
{
	(void)argc;
	agent_touch(arg);
	if (strcmp(argv[1], "--all") == 0)
		refresh_all(arg, r);
	else
		trigger(arg, r, argv[1], ZONE_EV_REFRESH);
}

static void
retransfer(void *arg, struct ctl_reply *r, int argc, const char *const *argv)
{
	(void)argc;
	agent_touch(arg);
	trigger(arg, r, argv[1], ZONE_EV_RETRANSFER);
}

static unsigned
addressed(const struct store_order *o)
{
	unsigned n = 0;

	for (size_t i = 0; i < o->outbox.count; i++)
		n += o->outbox.v[i].target.family != 0;
	return n;
}

void
live_notified(struct agent *a, struct store_order *o)
{
	struct ctl_reply *r = o->owner;
	char text[64];

	(void)a;
	if (o->err.code != ZR_OK) {
		ctl_error(r, &o->err);
		return;
	}
	snprintf(text, sizeof(text), "\"zones\":1,\"notifies\":%u", addressed(o));
	order_done(r, text);
}

/* No splay: a person waits.  Who was known not to understand NOTIFY(AXFR) is asked again. */
static void
owe(struct agent *a, struct ctl_reply *r, int argc, const char *const *argv, uint16_t qtype)
{
	struct entry *en = find(a, r, argv[1]);
	struct outbox_ask q = {.qtype = qtype, .operator= true, .only = argc > 2 ? argv[2] : NULL};
	struct store_order *o;

	if (en == NULL)
		return;
	if (en->z.data != ZONE_LOADED) {
		ctl_fail(r, ZR_REFUSED, "zone %s is not served now, there is nothing to announce",
		    argv[1]);
		return;
	}
	q.serial = en->z.serial;
	o = store_order_new(STORE_OUTBOX_ADD, en->z.id);
	o->cookie = en->epoch;
	o->owner = r;
	o->durable = true; /* before it is called done, as a mark is */
	o->outbox.v = outbox_rows(en, &q, &o->outbox.count);
	if (o->outbox.count == 0) {
		store_order_free(o);
		ctl_fail(r, ZR_NOTFOUND,
		    argc > 2 ? "%s has no downstream %s that is notified"
			     : "%s has no downstream that is notified%s",
		    argv[1], argc > 2 ? argv[2] : "");
		return;
	}
	for (size_t i = 0; qtype == TYPE_AXFR && i < o->outbox.count; i++)
		forced_forget(a, &o->outbox.v[i].target);
	if (qtype == TYPE_AXFR)
		forced_command(en);
	agent_store(a, o, true);
}

static void
notify(void *arg, struct ctl_reply *r, int argc, const char *const *argv)
{
	agent_touch(arg);
	owe(arg, r, argc, argv, TYPE_SOA);
}

static void
notify_axfr(void *arg, struct ctl_reply *r, int argc, const char *const *argv)
{
	agent_touch(arg);
	owe(arg, r, argc, argv, TYPE_AXFR);
}

static void
problem(void *arg, bool error, const char *text)
{
	struct buf b = BUF_INIT;

	(void)error;
	buf_str(&b, "{\"kind\":\"problem\",\"text\":");
	buf_json(&b, text);
	buf_str(&b, "}");
	ctl_body(arg, &b);
	buf_clear(&b);
}

static void
reload(void *arg, struct ctl_reply *r, int argc, const char *const *argv)
{
	struct reload_count n;
	char text[128];

	(void)argc;
	(void)argv;
	if (agent_reload(arg, &n, problem, r) != 0) {
		ctl_fail(r, ZR_CONF, "the configuration has errors, the old one stays in force");
		return;
	}
	snprintf(text, sizeof(text), "\"zones\":%u,\"added\":%u,\"removed\":%u,\"changed\":%u",
	    n.zones, n.added, n.removed, n.changed);
	order_done(r, text);
}

static void
stop(void *arg, struct ctl_reply *r, int argc, const char *const *argv)
{
	(void)argc;
	(void)argv;
	ctl_done(r);
	agent_stop(arg);
}

static const struct ctl_command commands[] = {
    {"version", 0, 0, live_version},
    {"live", 0, 1, live},
    {"live-zones", 0, 0, live_zones},
    {"refresh", 1, 1, refresh},
    {"retransfer", 1, 1, retransfer},
    {"notify", 1, 2, notify},
    {"notify-axfr", 1, 2, notify_axfr},
    {"reload", 0, 0, reload},
    {"stop", 0, 0, stop},
};

int
live_open(struct agent *a, struct zr_err *e)
{
	struct ctl_conf c = {
	    .path = a->control,
	    .commands = commands,
	    .command_count = sizeof(commands) / sizeof(commands[0]),
	    .arg = a,
	};

	return ctl_open(&a->ctl, a->base, &c, e);
}
