/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How the run before has ended.  A power cut takes what was committed since the last sync, and who
 * reads the file afterwards sees nothing missing.  So the file says since when nobody has it open,
 * which an orderly end writes as its last word, synced with all before it; and the first
 * transaction of a run takes it back, synced as well: what is not synced comes after it.
 */
#include "base/clock.h"
#include "store/store_p.h"

int
ending_load(struct store *s, struct zr_err *e)
{
	struct q q;

	q_open(&q, s->db, SQL_TX_ENDED);
	if (q_value(&q, &s->ended.us, e) < 0)
		return -1;
	s->end_open = s->ended.us == 0;
	return 0;
}

static int
put(struct store *s, int64_t at, struct zr_err *e)
{
	struct q q;

	q_open(&q, s->db, SQL_TX_SET_ENDED);
	q_int(&q, ":at", at);
	return q_run(&q, e);
}

int
ending_begin(struct store *s, bool durable, struct zr_err *e)
{
	if (db_begin(s->db, durable || !s->end_open, e) < 0)
		return -1;
	if (s->end_open || put(s, 0, e) == 0)
		return 0;
	db_rollback(s->db);
	return -1;
}

void
ending_write(struct store *s)
{
	struct zr_err e = {0};

	if (!s->in_order || s->db == NULL)
		return;
	if (db_begin(s->db, true, &e) < 0 || put(s, clock_now().wall.us, &e) < 0 ||
	    file_check(s, &e) < 0 || db_commit(s->db, &e) < 0) {
		db_rollback(s->db);
		log_event(LOG_LVL_WARN, "store-end-failed", LS("error", e.text));
	}
}

struct zr_wall
store_ended(const struct store *s)
{
	return s->ended;
}

void
store_end_in_order(struct store *s)
{
	s->in_order = true;
}
