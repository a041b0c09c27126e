/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands that are to be run, and how they ended. */
#include "store/store_p.h"

#include <string.h>

int
hook_row_put(struct store *s, int64_t zone, struct store_hook *h, struct zr_err *e)
{
	struct q q;
	int rc;

	h->id = s->next_hook++;
	h->zone_id = zone;
	q_open(&q, s->db, SQL_HOOK_ADD);
	q_int(&q, ":zone", zone);
	q_text(&q, ":name", h->name);
	q_int(&q, ":id", h->id);
	q_int(&q, ":forced", h->forced);
	q_int(&q, ":serial", h->serial);
	if (h->has_old) /* else it stays unbound: NULL */
		q_int(&q, ":old_serial", h->old_serial);
	q_text(&q, ":source", h->source);
	q_time(&q, ":not_before", h->not_before);
	q_int(&q, ":tries", h->tries);
	rc = q_step(&q, e);
	if (rc > 0) {
		h->forced = q_col(&q, 0) != 0;
		h->has_old = !q_null(&q, 1);
		h->old_serial = (uint32_t)q_col(&q, 1);
	}
	q_close(&q);
	return rc < 0 ? -1 : 0;
}

static int
put_result(struct store *s, const struct store_order *o, struct zr_err *e)
{
	const struct store_hook_result *r = &o->hook.result;
	struct q q;

	q_open(&q, s->db, SQL_HOOK_RESULT_PUT);
	q_int(&q, ":zone", o->zone_id);
	q_text(&q, ":name", o->hook.row.name);
	q_time(&q, ":at", r->at);
	q_int(&q, ":duration", r->duration_us);
	q_int(&q, ":forced", r->forced);
	q_int(&q, ":serial", r->serial);
	q_text(&q, ":state", r->state);
	q_text(&q, ":text", r->text);
	return q_run(&q, e);
}

/* A row that is gone was absorbed by a newer one, which is still to be run. */
int
hook_row_set(struct store *s, struct store_order *o, struct zr_err *e)
{
	const struct store_hook *h = &o->hook.row;
	struct q q;

	q_open(&q, s->db, o->hook.remove ? SQL_HOOK_REMOVE : SQL_HOOK_SET);
	q_int(&q, ":zone", o->zone_id);
	q_text(&q, ":name", h->name);
	q_int(&q, ":id", h->id);
	if (!o->hook.remove) {
		q_int(&q, ":tries", h->tries);
		q_time(&q, ":not_before", h->not_before);
	}
	if (q_run(&q, e) < 0)
		return -1;
	return o->hook.has_result ? put_result(s, o, e) : 0;
}

static void
take_hook(struct q *q, struct store_hook *h)
{
	memset(h, 0, sizeof(*h));
	h->id = q_col(q, 0);
	h->zone_id = q_col(q, 1);
	row_text(h->name, sizeof(h->name), q_col_text(q, 2));
	h->forced = q_col(q, 3) != 0;
	h->serial = (uint32_t)q_col(q, 4);
	h->has_old = !q_null(q, 5);
	h->old_serial = (uint32_t)q_col(q, 5);
	row_text(h->source, sizeof(h->source), q_col_text(q, 6));
	h->not_before = q_col_time(q, 7);
	h->tries = (uint32_t)q_col(q, 8);
}

int
store_each_hook(
    struct store *s, int (*cb)(void *, const struct store_hook *), void *arg, struct zr_err *e)
{
	struct store_hook h;
	struct q q;
	int rc;

	q_open(&q, s->db, SQL_HOOK_EACH);
	while ((rc = q_step(&q, e)) > 0) {
		take_hook(&q, &h);
		if (cb(arg, &h) != 0)
			break;
	}
	q_close(&q);
	return rc < 0 ? -1 : 0;
}
