/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Versions under construction.  Their segments bear the version to come, which nobody reads
 * yet; segments that end with it bear it as their last.  The row in `staging` says that they are
 * there and keeps their sums.
 */
#include "base/sum.h"
#include "store/store_p.h"

#include <string.h>

int
stage_tally(struct store *s, int64_t zone, struct tally *t, struct zr_err *e)
{
	struct q q;
	int rc;

	memset(t, 0, sizeof(*t));
	q_open(&q, s->db, SQL_STAGING_GET);
	q_int(&q, ":zone", zone);
	rc = q_step(&q, e);
	if (rc > 0) {
		t->version = q_col(&q, 0);
		t->segments = q_col(&q, 1);
		t->records = q_col(&q, 2);
		t->octets = q_col(&q, 3);
		q_col_digest(&q, 4, t->digest);
		t->journal_steps = q_col(&q, 5);
		t->journal_octets = q_col(&q, 6);
	}
	q_close(&q);
	return rc;
}

static int
put_tally(struct store *s, int64_t zone, const struct tally *t, struct zr_err *e)
{
	struct q q;

	q_open(&q, s->db, SQL_STAGING_PUT);
	q_int(&q, ":zone", zone);
	q_int(&q, ":version", t->version);
	q_int(&q, ":segments", t->segments);
	q_int(&q, ":records", t->records);
	q_int(&q, ":octets", t->octets);
	q_digest(&q, ":digest", t->digest);
	q_int(&q, ":journal_steps", t->journal_steps);
	q_int(&q, ":journal_octets", t->journal_octets);
	return q_run(&q, e);
}

static int
add_content(struct store *s, int64_t id, int64_t zone, int64_t version, const struct stage_op *op,
    struct zr_err *e)
{
	struct q q;

	q_open(&q, s->db, SQL_CONTENT_ADD);
	q_int(&q, ":id", id);
	q_int(&q, ":zone", zone);
	q_blob(&q, ":key", op->bytes, op->key_len);
	q_int(&q, ":born", version);
	q_blob(&q, ":data", op->bytes + op->key_len, op->len);
	q_int(&q, ":sum", (int64_t)sum_of(op->bytes + op->key_len, op->len, (uint64_t)id));
	return q_run(&q, e);
}

static int
add_segment(
    struct store *s, int64_t zone, const struct stage_op *op, struct tally *t, struct zr_err *e)
{
	int64_t id = s->next_content++;
	struct q q;

	q_open(&q, s->db, SQL_SEGMENT_ADD);
	q_int(&q, ":zone", zone);
	q_blob(&q, ":key", op->bytes, op->key_len);
	q_int(&q, ":born", t->version);
	q_int(&q, ":id", id);
	q_int(&q, ":rrs", op->rrs);
	q_int(&q, ":octets", (int64_t)op->len);
	q_digest(&q, ":digest", op->digest);
	if (q_run(&q, e) < 0 || add_content(s, id, zone, t->version, op, e) < 0)
		return -1;
	t->segments++;
	t->records += op->rrs;
	t->octets += (int64_t)op->len;
	digest_add(t->digest, op->digest);
	return 0;
}

static int
add_delta(
    struct store *s, int64_t zone, const struct stage_op *op, struct tally *t, struct zr_err *e)
{
	int64_t id = s->next_content++;
	struct q q;

	q_open(&q, s->db, SQL_JOURNAL_ADD);
	q_int(&q, ":zone", zone);
	q_int(&q, ":version", t->version);
	q_int(&q, ":step", op->step);
	q_int(&q, ":part", op->part);
	q_int(&q, ":chunk", op->chunk);
	q_int(&q, ":id", id);
	q_int(&q, ":from_serial", op->from_serial);
	q_int(&q, ":to_serial", op->to_serial);
	q_int(&q, ":rrs", op->rrs);
	q_int(&q, ":octets", (int64_t)op->len);
	if (q_run(&q, e) < 0 || add_content(s, id, zone, t->version, op, e) < 0)
		return -1;
	if (t->journal_steps < (int64_t)op->step + 1)
		t->journal_steps = (int64_t)op->step + 1;
	t->journal_octets += (int64_t)op->len;
	return 0;
}

/* Runs SEGMENT_KILL or SEGMENT_TAKE on a row and takes it out of the sums.  1 done, 0 no such row.
 */
static int
end_segment(struct store *s, enum sql_id id, int64_t zone, struct q *where, int64_t segment,
    struct tally *t, struct zr_err *e)
{
	uint8_t digest[SEGMENT_DIGEST];
	const uint8_t *key;
	struct q q;
	size_t len;
	int rc;

	key = q_col_blob(where, 0, &len);
	q_open(&q, s->db, id);
	q_int(&q, ":zone", zone);
	q_blob(&q, ":key", key, len);
	q_int(&q, ":born", q_col(where, 1));
	q_int(&q, ":id", segment);
	if (id == SQL_SEGMENT_KILL)
		q_int(&q, ":version", t->version);
	rc = q_step(&q, e);
	if (rc > 0) {
		t->segments--;
		t->records -= q_col(&q, 0);
		t->octets -= q_col(&q, 1);
		q_col_digest(&q, 2, digest);
		digest_sub(t->digest, digest);
	}
	q_close(&q);
	return rc;
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
kill_segment(
    struct store *s, int64_t zone, const struct stage_op *op, struct tally *t, struct zr_err *e)
{
	bool own = false;
	struct q q;
	int rc;

	q_open(&q, s->db, SQL_CONTENT_WHERE);
	q_int(&q, ":id", op->segment_id);
	q_int(&q, ":zone", zone);
	rc = q_step(&q, e);
	if (rc > 0) {
		own = q_col(&q, 1) == t->version;
		rc = end_segment(
		    s, own ? SQL_SEGMENT_TAKE : SQL_SEGMENT_KILL, zone, &q, op->segment_id, t, e);
	}
	q_close(&q);
	if (rc == 0)
		return zr_fail(e, ZR_INTERNAL,
		    "segment %lld to be ended does not live in zone %lld",
		    (long long)op->segment_id, (long long)zone);
	if (rc > 0 && own)
		return remove_content(s, op->segment_id, e);
	return rc < 0 ? -1 : 0;
}

int
stage_apply(struct store *s, int64_t zone, int64_t version, const struct stage_batch *b,
    struct tally *t, struct zr_err *e)
{
	int rc = 0;

	t->version = version;
	for (const struct stage_op *op = b->head; op != NULL && rc == 0; op = op->next) {
		switch (op->kind) {
		case STAGE_SEGMENT:
			rc = add_segment(s, zone, op, t, e);
			break;
		case STAGE_KILL:
			rc = kill_segment(s, zone, op, t, e);
			break;
		case STAGE_DELTA:
			rc = add_delta(s, zone, op, t, e);
			break;
		}
	}
	return rc;
}

int
stage_run(struct store *s, struct store_order *o, struct zr_err *e)
{
	struct zone_base base;
	struct tally t;

	if (zones_base(s, o->zone_id, &base, e) < 0 || stage_tally(s, o->zone_id, &t, e) < 0)
		return -1;
	if (o->stage.version != base.version + 1)
		return zr_fail(e, ZR_INTERNAL, "version %lld staged for a zone at %lld",
		    (long long)o->stage.version, (long long)base.version);
	if (tidy_given_up(s, o->zone_id)) /* store.c holds orders back until that is gone */
		return zr_fail(e, ZR_INTERNAL, "zone %lld still has pieces of an aborted version",
		    (long long)o->zone_id);
	if (o->stage.batch == NULL)
		return 0;
	if (stage_apply(s, o->zone_id, o->stage.version, o->stage.batch, &t, e) < 0)
		return -1;
	return put_tally(s, o->zone_id, &t, e);
}

/* Changes nothing in the database, so it cannot fail where it is needed most: on a full disk. */
int
stage_abort(struct store *s, struct store_order *o, struct zr_err *e)
{
	struct tally t;
	int rc = stage_tally(s, o->zone_id, &t, e);

	o->stage.found = rc > 0 && t.version == o->stage.version;
	if (o->stage.found)
		tidy_give_up(s, o->zone_id, t.version);
	return rc < 0 ? -1 : 0;
}
