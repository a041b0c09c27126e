/* SPDX-License-Identifier: BSD-2-Clause */
/* NOTIFYs owed. */
#include "store/store_p.h"

int
outbox_insert(struct store *s, int64_t zone, struct store_notify *n, struct zr_err *e)
{
	char target[ADDR_TEXT_MAX];
	int64_t qtype = n->qtype;
	struct q q;
	int rc;

	n->id = s->next_outbox++;
	n->zone_id = zone;
	q_open(&q, s->db, SQL_OUTBOX_ADD);
	q_int(&q, ":id", n->id);
	q_int(&q, ":zone", zone);
	q_text(&q, ":downstream", n->downstream);
	q_text(&q, ":target", row_addr_text(&n->target, target));
	q_int(&q, ":qtype", n->qtype);
	q_int(&q, ":serial", n->serial);
	q_time(&q, ":not_before", n->not_before);
	q_int(&q, ":tries", n->tries);
	rc = q_value(&q, &qtype, e);
	n->qtype = (uint16_t)qtype;
	return rc < 0 ? -1 : 0;
}

/*
 * The row without target goes when its targets come.  One that is not there was absorbed by a newer
 * one, whose targets will come too: those of the older are no longer wanted.
 */
static int
replace(struct store *s, struct store_order *o, struct zr_err *e)
{
	struct q q;

	q_open(&q, s->db, SQL_OUTBOX_REPLACE);
	q_int(&q, ":id", o->outbox.replaces);
	q_int(&q, ":zone", o->zone_id);
	if (q_run(&q, e) < 0)
		return -1;
	o->outbox.gone = sqlite3_changes(s->db->sql) == 0;
	return 0;
}

int
outbox_add(struct store *s, struct store_order *o, struct zr_err *e)
{
	struct zone_base base;

	o->outbox.gone = false;
	if (zones_base(s, o->zone_id, &base, e) < 0)
		return -1;
	if (o->outbox.replaces != 0 && replace(s, o, e) < 0)
		return -1;
	for (size_t i = 0; i < o->outbox.count; i++)
		o->outbox.v[i].id = 0; /* of an attempt that was rolled back */
	if (o->outbox.gone)
		return 0;
	for (size_t i = 0; i < o->outbox.count; i++)
		if (outbox_insert(s, o->zone_id, &o->outbox.v[i], e) < 0)
			return -1;
	return 0;
}

static int
run_on(struct store *s, enum sql_id sql, const struct store_order *o, struct zr_err *e)
{
	const struct store_notify *n = &o->notify.row;
	struct q q;

	q_open(&q, s->db, sql);
	q_int(&q, ":id", n->id);
	q_int(&q, ":zone", o->zone_id);
	if (sql != SQL_OUTBOX_REMOVE)
		q_text(&q, ":downstream", n->downstream);
	if (sql == SQL_OUTBOX_SET) {
		q_int(&q, ":tries", n->tries);
		q_time(&q, ":not_before", n->not_before);
	}
	return q_run(&q, e);
}

/*
 * A row that is gone was absorbed by a newer one: nothing to do.  When one would get the name of
 * another row of its target, the newer of the two absorbs the older.
 */
int
outbox_set(struct store *s, struct store_order *o, struct zr_err *e)
{
	if (o->notify.remove)
		return run_on(s, SQL_OUTBOX_REMOVE, o, e);
	if (run_on(s, SQL_OUTBOX_SET, o, e) < 0)
		return -1;
	if (sqlite3_changes(s->db->sql) != 0)
		return 0;
	if (run_on(s, SQL_OUTBOX_SAME, o, e) < 0 || run_on(s, SQL_OUTBOX_ABSORB, o, e) < 0)
		return -1;
	return run_on(s, SQL_OUTBOX_SET, o, e);
}
