/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows of zones: coming, going, marks, timers. */
#include "base/buf.h"
#include "base/log.h"
#include "store/store_p.h"

#include <stdlib.h>

int
run_zone(struct db *db, enum sql_id id, int64_t zone, struct zr_err *e)
{
	struct q q;

	q_open(&q, db, id);
	q_int(&q, ":zone", zone);
	return q_run(&q, e);
}

int
zones_base(struct store *s, int64_t zone, struct zone_base *out, struct zr_err *e)
{
	const uint8_t *soa;
	struct q q;
	size_t len;
	int rc;

	q_open(&q, s->db, SQL_ZONE_BASE);
	q_int(&q, ":zone", zone);
	rc = q_step(&q, e);
	if (rc > 0) {
		*out = (struct zone_base){
		    .version = q_col(&q, 0),
		    .segments = q_col(&q, 1),
		    .records = q_col(&q, 2),
		    .octets = q_col(&q, 3),
		    .serial = (uint32_t)q_col(&q, 5),
		    .journal_from = q_col(&q, 7),
		    .journal_steps = q_col(&q, 8),
		    .journal_octets = q_col(&q, 9),
		};
		q_col_digest(&q, 4, out->digest);
		soa = q_col_blob(&q, 6, &len);
		if (len >= 8)
			out->expire = get_u32(soa + len - 8);
	}
	q_close(&q);
	if (rc == 0)
		return zr_fail(e, ZR_NOTFOUND, "the store has no zone %lld", (long long)zone);
	return rc < 0 ? -1 : 0;
}

static int
add_new(struct store *s, struct store_order *o, size_t len, struct zr_err *e)
{
	struct q q;

	o->zone_id = s->next_zone++;
	q_open(&q, s->db, SQL_ZONE_ADD);
	q_int(&q, ":zone", o->zone_id);
	q_blob(&q, ":name", o->add.name, len);
	return q_run(&q, e);
}

int
zones_add(struct store *s, struct store_order *o, struct zr_err *e)
{
	size_t len = row_name_len(o->add.name, sizeof(o->add.name));
	struct store_zone z;
	struct q q;
	int rc;

	free(o->add.zone); /* of an attempt that was rolled back */
	o->add.zone = NULL;
	if (len == 0)
		return zr_fail(e, ZR_INTERNAL, "the name of the zone to add does not end");
	q_open(&q, s->db, SQL_ZONE_BY_NAME);
	q_blob(&q, ":name", o->add.name, len);
	rc = q_step(&q, e);
	if (rc > 0) {
		row_zone(&q, &z);
		o->zone_id = z.id;
		o->add.zone = row_zone_copy(&z);
	}
	q_close(&q);
	if (rc < 0)
		return -1;
	if (rc == 0)
		return add_new(s, o, len, e);
	return run_zone(s->db, SQL_ZONE_UNREMOVE, o->zone_id, e);
}

/* What is owed goes at once; content stays for the case that the removal was a slip. */
int
zones_remove(struct store *s, struct store_order *o, struct zr_err *e)
{
	struct q q;

	q_open(&q, s->db, SQL_ZONE_REMOVE);
	q_int(&q, ":zone", o->zone_id);
	q_time(&q, ":at", clock_now().wall);
	if (q_run(&q, e) < 0 || run_zone(s->db, SQL_MARK_CLEAR, o->zone_id, e) < 0 ||
	    run_zone(s->db, SQL_HOOK_REMOVE_ZONE, o->zone_id, e) < 0)
		return -1;
	return run_zone(s->db, SQL_OUTBOX_REMOVE_ZONE, o->zone_id, e);
}

int
zones_mark(struct store *s, struct store_order *o, struct zr_err *e)
{
	bool force = o->mark.pending == PENDING_FORCE;
	struct zone_base base;
	struct q q;

	if (zones_base(s, o->zone_id, &base, e) < 0)
		return -1;
	if (o->mark.pending == PENDING_NONE)
		return 0;
	q_open(&q, s->db, SQL_MARK_RAISE);
	q_int(&q, ":zone", o->zone_id);
	q_int(&q, ":pending", o->mark.pending);
	q_time(&q, ":since", o->mark.since);
	q_text(&q, ":notifier", force ? o->mark.notifier : "");
	q_int(&q, ":authenticated", force && o->mark.authenticated);
	if (q_run(&q, e) < 0)
		return -1;
	return o->mark.signature != NULL ? signed_put(s, o->mark.signature, e) : 0;
}

int
zones_mark_set(struct store *s, int64_t zone, enum store_pending pending,
    const struct store_caller *caller, struct zr_wall since, struct zr_err *e)
{
	bool force = pending == PENDING_FORCE;
	struct q q;

	if (pending == PENDING_NONE)
		return run_zone(s->db, SQL_MARK_CLEAR, zone, e);
	q_open(&q, s->db, SQL_MARK_SET);
	q_int(&q, ":zone", zone);
	q_int(&q, ":pending", pending);
	q_time(&q, ":since", since);
	q_text(&q, ":notifier", force ? caller->notifier : "");
	q_int(&q, ":authenticated", force && caller->authenticated);
	return q_run(&q, e);
}

int
zones_timers(struct store *s, struct store_order *o, struct zr_err *e)
{
	const struct store_timers *t = &o->timers;
	bool failed = t->code != ZR_OK;
	struct q q;

	q_open(&q, s->db, SQL_ZONE_TIMERS);
	q_int(&q, ":zone", o->zone_id);
	q_time(&q, ":checked_at", t->checked_at);
	q_time(&q, ":refresh_at", t->refresh_at);
	q_time(&q, ":expire_at", t->expire_at);
	q_int(&q, ":failures", t->failures);
	q_text(&q, ":error", row_code_text(t->code));
	q_text(&q, ":error_text", failed ? t->text : "");
	q_text(&q, ":error_peer", failed ? t->peer : "");
	q_int(&q, ":error_at", failed ? t->at.us : 0);
	q_time(&q, ":next_try", t->next_try);
	if (q_run(&q, e) < 0)
		return -1;
	if (sqlite3_changes(s->db->sql) == 0)
		return zr_fail(e, ZR_NOTFOUND, "the store has no zone %lld", (long long)o->zone_id);
	if (t->set_pending)
		return zones_mark_set(s, o->zone_id, t->pending, &t->caller, t->at, e);
	return 0;
}

int
store_each_zone(
    struct store *s, int (*cb)(void *, const struct store_zone *), void *arg, struct zr_err *e)
{
	struct store_zone z;
	struct q q;
	int rc;

	q_open(&q, s->db, SQL_ZONE_EACH);
	while ((rc = q_step(&q, e)) > 0) {
		row_zone(&q, &z);
		if (z.name == NULL)
			log_event(LOG_LVL_ERROR, "store-zone-without-name", LI("zone-id", z.id));
		else if (cb(arg, &z) != 0)
			break;
	}
	q_close(&q);
	return rc < 0 ? -1 : 0;
}

int
store_each_outbox(
    struct store *s, int (*cb)(void *, const struct store_notify *), void *arg, struct zr_err *e)
{
	struct store_notify n;
	struct q q;
	int rc;

	q_open(&q, s->db, SQL_OUTBOX_EACH);
	while ((rc = q_step(&q, e)) > 0) {
		if (!row_notify(&q, &n))
			log_event(LOG_LVL_WARN, "store-notify-without-target", LI("row", n.id),
			    LS("downstream", n.downstream));
		else if (cb(arg, &n) != 0)
			break;
	}
	q_close(&q);
	return rc < 0 ? -1 : 0;
}
