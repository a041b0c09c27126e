/* SPDX-License-Identifier: BSD-2-Clause */
/* The last forced transfer of each zone, and what became of it at the downstreams. */
#include "base/log.h"
#include "store/store_p.h"

#include <string.h>

int
forced_row_put(struct store *s, int64_t zone, const struct store_forced *f, struct zr_err *e)
{
	struct q q;

	q_open(&q, s->db, SQL_FORCED_PUT);
	q_int(&q, ":zone", zone);
	q_int(&q, ":event", (int64_t)f->event);
	q_time(&q, ":at", f->at);
	q_time(&q, ":event_at", f->event_at);
	q_int(&q, ":serial", f->serial);
	q_int(&q, ":version", f->version);
	q_digest(&q, ":digest", f->digest);
	q_digest(&q, ":before", f->before);
	q_int(&q, ":repeats", f->repeats);
	q_int(&q, ":alternations", f->alternations);
	q_int(&q, ":duration", f->duration_us);
	q_text(&q, ":verdict", f->verdict);
	q_text(&q, ":notifier", f->notifier);
	q_text(&q, ":source", f->source);
	if (q_run(&q, e) < 0)
		return -1;
	q_open(&q, s->db, SQL_FORCED_PEER_FORGET);
	q_int(&q, ":zone", zone);
	q_int(&q, ":event", (int64_t)f->event);
	q_int(&q, ":keep", (int64_t)f->keep);
	return q_run(&q, e);
}

/* For a zone that is gone it is dropped: it came too late. */
int
forced_row_peer(struct store *s, struct store_order *o, struct zr_err *e)
{
	const struct store_forced_peer *p = &o->forced_peer;
	char target[ADDR_TEXT_MAX];
	struct q q;

	q_open(&q, s->db, p->remove ? SQL_FORCED_PEER_REMOVE : SQL_FORCED_PEER_PUT);
	q_int(&q, ":zone", o->zone_id);
	q_text(&q, ":name", p->name);
	q_text(&q, ":target", row_addr_text(&p->target, target));
	if (p->remove)
		return q_run(&q, e);
	q_int(&q, ":event", (int64_t)p->event);
	q_text(&q, ":state", p->state);
	q_time(&q, ":at", p->at);
	q_text(&q, ":text", p->text);
	return q_run(&q, e);
}

int
forced_row_no_axfr(struct store *s, struct store_order *o, struct zr_err *e)
{
	const struct store_no_axfr *n = &o->no_axfr;
	char target[ADDR_TEXT_MAX];
	struct q q;

	q_open(&q, s->db, n->until.us == 0 ? SQL_NO_AXFR_REMOVE : SQL_NO_AXFR_PUT);
	q_text(&q, ":target", row_addr_text(&n->target, target));
	if (n->until.us != 0) {
		q_time(&q, ":until", n->until);
		q_text(&q, ":text", n->text);
	}
	return q_run(&q, e);
}

/* A full disk keeps nobody from starting: these rows are not read either. */
void
forced_row_expire(struct store *s)
{
	struct zr_err e = {0};
	struct q q;

	if (db_begin(s->db, false, &e) < 0)
		return;
	q_open(&q, s->db, SQL_NO_AXFR_EXPIRE);
	q_time(&q, ":now", clock_now().wall);
	if (q_run(&q, &e) < 0 || db_commit(s->db, &e) < 0)
		db_rollback(s->db);
}

/* ---- at start ---- */

static void
take_forced(struct q *q, struct store_forced *f)
{
	*f = (struct store_forced){
	    .zone_id = q_col(q, 0),
	    .event = (uint64_t)q_col(q, 1),
	    .at = q_col_time(q, 2),
	    .event_at = q_col_time(q, 3),
	    .serial = (uint32_t)q_col(q, 4),
	    .version = q_col(q, 5),
	    .repeats = (uint32_t)q_col(q, 8),
	    .alternations = (uint32_t)q_col(q, 9),
	    .duration_us = q_col(q, 10),
	};
	q_col_digest(q, 6, f->digest);
	q_col_digest(q, 7, f->before);
	row_text(f->verdict, sizeof(f->verdict), q_col_text(q, 11));
	row_text(f->notifier, sizeof(f->notifier), q_col_text(q, 12));
	row_text(f->source, sizeof(f->source), q_col_text(q, 13));
}

int
store_each_forced(
    struct store *s, int (*cb)(void *, const struct store_forced *), void *arg, struct zr_err *e)
{
	struct store_forced f;
	struct q q;
	int rc;

	q_open(&q, s->db, SQL_FORCED_EACH);
	while ((rc = q_step(&q, e)) > 0) {
		take_forced(&q, &f);
		if (cb(arg, &f) != 0)
			break;
	}
	q_close(&q);
	return rc < 0 ? -1 : 0;
}

/* False when the target is no address (any more: an interface has gone). */
static bool
take_peer(struct q *q, struct store_forced_peer *p)
{
	memset(p, 0, sizeof(*p));
	p->zone_id = q_col(q, 0);
	row_text(p->name, sizeof(p->name), q_col_text(q, 1));
	p->event = (uint64_t)q_col(q, 3);
	row_text(p->state, sizeof(p->state), q_col_text(q, 4));
	p->at = q_col_time(q, 5);
	row_text(p->text, sizeof(p->text), q_col_text(q, 6));
	return row_addr(q_col_text(q, 2), &p->target);
}

int
store_each_forced_peer(struct store *s, int (*cb)(void *, const struct store_forced_peer *),
    void *arg, struct zr_err *e)
{
	struct store_forced_peer p;
	struct q q;
	int rc;

	q_open(&q, s->db, SQL_FORCED_PEER_EACH);
	while ((rc = q_step(&q, e)) > 0) {
		if (!take_peer(&q, &p))
			log_event(LOG_LVL_WARN, "store-peer-without-target",
			    LI("zone-id", p.zone_id), LS("downstream", p.name));
		else if (cb(arg, &p) != 0)
			break;
	}
	q_close(&q);
	return rc < 0 ? -1 : 0;
}

int
store_each_no_axfr(
    struct store *s, int (*cb)(void *, const struct store_no_axfr *), void *arg, struct zr_err *e)
{
	struct store_no_axfr n;
	struct q q;
	int rc;

	q_open(&q, s->db, SQL_NO_AXFR_EACH);
	q_time(&q, ":now", clock_now().wall);
	while ((rc = q_step(&q, e)) > 0) {
		n = (struct store_no_axfr){.until = q_col_time(&q, 1)};
		row_text(n.text, sizeof(n.text), q_col_text(&q, 2));
		if (row_addr(q_col_text(&q, 0), &n.target) && cb(arg, &n) != 0)
			break;
	}
	q_close(&q);
	return rc < 0 ? -1 : 0;
}
