/* SPDX-License-Identifier: BSD-2-Clause */
/* Removing what nobody reads any more, row by row within a budget. */
#include "store/store_p.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* What a finder returned; copied, because removing moves rows. */
struct found {
	uint8_t key[RR_KEY_MAX];
	size_t key_len;
	int64_t born, id;
};

static void
take_key(struct q *q, int i, struct found *f)
{
	const uint8_t *key = q_col_blob(q, i, &f->key_len);

	if (f->key_len > sizeof(f->key)) /* not written by us */
		f->key_len = sizeof(f->key);
	if (f->key_len > 0)
		memcpy(f->key, key, f->key_len);
}

static int
remove_content(struct store *s, int64_t id, struct zr_err *e)
{
	struct q q;

	q_open(&q, s->db, SQL_CONTENT_REMOVE);
	q_int(&q, ":id", id);
	return q_run(&q, e);
}

static int
remove_segment(struct store *s, int64_t zone, const struct found *f, struct zr_err *e)
{
	struct q q;

	q_open(&q, s->db, SQL_SEGMENT_REMOVE);
	q_int(&q, ":zone", zone);
	q_blob(&q, ":key", f->key, f->key_len);
	q_int(&q, ":born", f->born);
	if (q_run(&q, e) < 0)
		return -1;
	return remove_content(s, f->id, e);
}

static bool
spend(unsigned *budget)
{
	if (*budget == 0)
		return false;
	--*budget;
	return true;
}

/* A finder of (key, born, id); :version is bound when `version` is not 0. */
static int
sweep_segments(struct store *s, enum sql_id finder, int64_t zone, int64_t version, unsigned *budget,
    struct zr_err *e)
{
	struct found f;
	struct q q;
	int rc;

	for (;;) {
		if (!spend(budget))
			return 1;
		q_open(&q, s->db, finder);
		q_int(&q, ":zone", zone);
		if (version != 0)
			q_int(&q, ":version", version);
		rc = q_step(&q, e);
		if (rc > 0) {
			take_key(&q, 0, &f);
			f.born = q_col(&q, 1);
			f.id = q_col(&q, 2);
		}
		q_close(&q);
		if (rc <= 0)
			return rc;
		if (remove_segment(s, zone, &f, e) < 0)
			return -1;
	}
}

/* A finder of (version, step, part, chunk, id) with :zone and :version. */
static int
sweep_journal(struct store *s, enum sql_id finder, int64_t zone, int64_t version, unsigned *budget,
    struct zr_err *e)
{
	int64_t col[5] = {0};
	struct q q;
	int rc;

	for (;;) {
		if (!spend(budget))
			return 1;
		q_open(&q, s->db, finder);
		q_int(&q, ":zone", zone);
		q_int(&q, ":version", version);
		rc = q_step(&q, e);
		for (int i = 0; rc > 0 && i < 5; i++)
			col[i] = q_col(&q, i);
		q_close(&q);
		if (rc <= 0)
			return rc;
		q_open(&q, s->db, SQL_JOURNAL_REMOVE);
		q_int(&q, ":zone", zone);
		q_int(&q, ":version", col[0]);
		q_int(&q, ":step", col[1]);
		q_int(&q, ":part", col[2]);
		q_int(&q, ":chunk", col[3]);
		if (q_run(&q, e) < 0 || remove_content(s, col[4], e) < 0)
			return -1;
	}
}

/* Segments which the version under construction was to end live on. */
static int
revive(struct store *s, int64_t zone, int64_t version, unsigned *budget, struct zr_err *e)
{
	struct found f;
	struct q q;
	int rc;

	for (;;) {
		if (!spend(budget))
			return 1;
		q_open(&q, s->db, SQL_SEGMENT_FIND_KILLED);
		q_int(&q, ":zone", zone);
		q_int(&q, ":version", version);
		rc = q_step(&q, e);
		if (rc > 0) {
			take_key(&q, 0, &f);
			f.born = q_col(&q, 1);
		}
		q_close(&q);
		if (rc <= 0)
			return rc;
		q_open(&q, s->db, SQL_SEGMENT_REVIVE);
		q_int(&q, ":zone", zone);
		q_blob(&q, ":key", f.key, f.key_len);
		q_int(&q, ":born", f.born);
		if (q_run(&q, e) < 0)
			return -1;
	}
}

/* Walks the zone once: the cursor remembers where the last call stopped. */
static int
unborn(struct store *s, int64_t zone, int64_t version, struct key_cursor *c, unsigned *budget,
    struct zr_err *e)
{
	struct found f;
	struct q q;
	int rc;

	for (;;) {
		if (!spend(budget))
			return 1;
		q_open(&q, s->db, SQL_SEGMENT_FIND_BORN);
		q_int(&q, ":zone", zone);
		q_blob(&q, ":key", c->key, c->len);
		q_int(&q, ":version", version);
		rc = q_step(&q, e);
		if (rc > 0) {
			take_key(&q, 0, &f);
			f.id = q_col(&q, 1);
			f.born = version;
		}
		q_close(&q);
		if (rc <= 0)
			return rc;
		if (remove_segment(s, zone, &f, e) < 0)
			return -1;
		if (c->key == NULL)
			c->key = zr_xmalloc(RR_KEY_MAX);
		memcpy(c->key, f.key, f.key_len);
		c->len = f.key_len;
	}
}

int
sweep_staged(struct store *s, int64_t zone, int64_t version, struct key_cursor *c, unsigned *budget,
    struct zr_err *e)
{
	int rc;

	if ((rc = revive(s, zone, version, budget, e)) != 0 ||
	    (rc = unborn(s, zone, version, c, budget, e)) != 0 ||
	    (rc = sweep_journal(s, SQL_JOURNAL_FIND_FROM, zone, version, budget, e)) != 0)
		return rc;
	return run_zone(s->db, SQL_STAGING_REMOVE, zone, e);
}

int
sweep_dead(struct store *s, int64_t zone, int64_t keep, unsigned *budget, struct zr_err *e)
{
	struct zone_base base;
	int rc;

	if (zones_base(s, zone, &base, e) < 0)
		return -1;
	if (keep > base.version) /* what is staged ends segments with the next one */
		keep = base.version;
	if (keep < 1)
		return 0;
	rc = sweep_segments(s, SQL_SEGMENT_FIND_DEAD, zone, keep, budget, e);
	if (rc != 0)
		return rc;
	return sweep_journal(s, SQL_JOURNAL_FIND_OLD, zone,
	    keep < base.journal_from ? keep : base.journal_from, budget, e);
}

/* All rows of a removed zone; that of the zone itself last, so that a crash finds it again. */
int
sweep_removed(struct store *s, int64_t zone, unsigned *budget, struct zr_err *e)
{
	static const enum sql_id rest[] = {SQL_STAGING_REMOVE, SQL_MARK_CLEAR,
	    SQL_OUTBOX_REMOVE_ZONE, SQL_AMBIGUOUS_CLEAR, SQL_PURGE_PRIMARY, SQL_PURGE_DOWNSTREAM,
	    SQL_PURGE_TRANSFER, SQL_HOOK_REMOVE_ZONE, SQL_PURGE_HOOK_RESULT, SQL_PURGE_FORCED,
	    SQL_PURGE_FORCED_PEER, SQL_PURGE_ZONE};
	int rc;

	if (run_zone(s->db, SQL_PURGE_UNNAME, zone, e) < 0)
		return -1;
	if ((rc = sweep_segments(s, SQL_SEGMENT_FIND_ANY, zone, 0, budget, e)) != 0 ||
	    (rc = sweep_journal(s, SQL_JOURNAL_FIND_FROM, zone, 0, budget, e)) != 0)
		return rc;
	for (size_t i = 0; i < sizeof(rest) / sizeof(rest[0]); i++)
		if (run_zone(s->db, rest[i], zone, e) < 0)
			return -1;
	return 0;
}

int
sweep_run(struct store *s, struct store_order *o, struct zr_err *e)
{
	unsigned budget = SWEEP_ROWS;
	int rc = sweep_dead(s, o->zone_id, o->sweep.keep_version, &budget, e);

	o->sweep.more = rc > 0;
	return rc < 0 ? -1 : 0;
}
