/* SPDX-License-Identifier: BSD-2-Clause */
/* Differences as a reader sees them. */
#include "base/sum.h"
#include "store/reader_p.h"

/* Is there content under this serial that the journal does not start from? */
static int
is_ambiguous(struct reader *r, int64_t zone, uint32_t serial, struct zr_err *e)
{
	int64_t one;
	struct q q;

	q_open(&q, r->db, SQL_READ_AMBIGUOUS);
	q_int(&q, ":zone", zone);
	q_int(&q, ":serial", serial);
	return q_value(&q, &one, e);
}

static int
journal_from(struct reader *r, int64_t zone, int64_t *from, struct zr_err *e)
{
	struct q q;

	q_open(&q, r->db, SQL_READ_JOURNAL_FROM);
	q_int(&q, ":zone", zone);
	return q_value(&q, from, e);
}

/* The walk from the newest step to the oldest. */
struct chain {
	int64_t version;      /* of the step seen last; what comes must be it or the one before */
	uint32_t from_serial; /* where the step seen last starts */
	bool any;	      /* a step was seen */
	uint64_t octets;
	unsigned found; /* steps that start at the serial looked for */
	struct journal_pos first;
	uint64_t first_octets;
};

/* The first chunk of a step.  False when the chain ends before it. */
static bool
chain_step(struct chain *c, struct q *q, uint32_t wanted)
{
	int64_t version = q_col(q, 0);
	uint32_t from = (uint32_t)q_col(q, 4), to = (uint32_t)q_col(q, 5);

	if (c->any ? to != c->from_serial || version < c->version - 1 : version != c->version)
		return false;
	c->any = true;
	c->version = version;
	c->from_serial = from;
	if (from == wanted && c->found++ == 0) {
		c->first = (struct journal_pos){version, (uint32_t)q_col(q, 1), 0, 0};
		c->first_octets = c->octets;
	}
	return true;
}

/*
 * The whole chain is walked, not only up to the first hit: serials may run round the circle, and a
 * serial which starts two steps does not say which content its holder has.
 */
static int
walk(struct reader *r, int64_t zone, int64_t from, int64_t version, uint32_t wanted,
    struct chain *c, struct zr_err *e)
{
	struct q q;
	int rc;

	q_open(&q, r->db, SQL_READ_JOURNAL_CHAIN);
	q_int(&q, ":zone", zone);
	q_int(&q, ":from", from);
	q_int(&q, ":version", version);
	while ((rc = q_step(&q, e)) > 0) {
		c->octets += (uint64_t)q_col(&q, 6);
		if (q_col(&q, 2) == 0 && q_col(&q, 3) == 0 && !chain_step(c, &q, wanted))
			break;
	}
	q_close(&q);
	return rc < 0 ? -1 : 0;
}

int
reader_journal_find(struct reader *r, int64_t zone, uint32_t from_serial, int64_t version,
    struct journal_pos *first, uint64_t *octets, struct zr_err *e)
{
	struct chain c = {.version = version};
	int64_t from;
	int rc;

	rc = is_ambiguous(r, zone, from_serial, e);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	rc = journal_from(r, zone, &from, e);
	if (rc <= 0)
		return rc;
	if (walk(r, zone, from, version, from_serial, &c, e) < 0)
		return -1;
	if (c.found != 1)
		return 0;
	*first = c.first;
	*octets = c.first_octets;
	return 1;
}

/* May the chunk found stand where the cursor is, if nothing was removed? */
static bool
follows(const struct journal_pos *at, const struct journal_pos *found)
{
	if (found->version == at->version && found->step == at->step && found->part == at->part)
		return found->chunk == at->chunk;
	if (at->chunk == 0 || found->chunk != 0)
		return false;
	if (found->version == at->version && found->step == at->step)
		return at->part == 0 && found->part == 1;
	if (at->part != 1 || found->part != 0)
		return false;
	return found->version == at->version
		   ? found->step == at->step + 1
		   : found->version == at->version + 1 && found->step == 0;
}

/*
 * Where a part ends at the cursor: is the chunk before it still there?  Chunks are removed in
 * their order, so then none behind it had been removed when we looked.
 */
static int
before_is_there(struct reader *r, int64_t zone, const struct journal_pos *at, struct zr_err *e)
{
	int64_t one;
	struct q q;

	q_open(&q, r->db, SQL_READ_JOURNAL_HAS);
	q_int(&q, ":zone", zone);
	q_int(&q, ":version", at->version);
	q_int(&q, ":step", at->step);
	q_int(&q, ":part", at->part);
	q_int(&q, ":chunk", (int64_t)at->chunk - 1);
	return q_value(&q, &one, e);
}

static int
gap(const struct journal_pos *pos, struct zr_err *e)
{
	return zr_fail(e, ZR_NOTFOUND, "the difference that leads to version %lld was removed",
	    (long long)pos->version);
}

/* The first chunk from *pos on, up to `version`.  1, 0, -1. */
static int
next_chunk(struct reader *r, int64_t zone, int64_t version, const struct journal_pos *pos,
    struct journal_pos *found, struct buf *data, uint32_t *rrs, struct zr_err *e)
{
	const uint8_t *octets;
	struct q q;
	int64_t id;
	size_t len;
	int rc;

	q_open(&q, r->db, SQL_READ_JOURNAL_CHUNK);
	q_int(&q, ":zone", zone);
	q_int(&q, ":from", pos->version);
	q_int(&q, ":step", pos->step);
	q_int(&q, ":part", pos->part);
	q_int(&q, ":chunk", pos->chunk);
	q_int(&q, ":version", version);
	rc = q_step(&q, e);
	if (rc > 0) {
		*found = (struct journal_pos){q_col(&q, 0), (uint32_t)q_col(&q, 1),
		    (uint8_t)q_col(&q, 2), (uint32_t)q_col(&q, 3)};
		*rrs = (uint32_t)q_col(&q, 4);
		octets = q_col_blob(&q, 5, &len);
		buf_bytes(data, octets, len);
		id = q_col(&q, 6);
		/* Chunks and their octets are removed together. */
		if (q_null(&q, 6))
			rc = zr_fail(e, ZR_DAMAGED,
			    "%s is damaged: the octets of a difference are not there", r->db->path);
		else if (!q_null(&q, 7) &&
			 sum_of(octets, len, (uint64_t)id) != (uint64_t)q_col(&q, 7))
			rc = reader_damaged(r, id, e);
		else if (data->bad)
			rc = zr_fail(e, ZR_NOMEM, "no memory for a difference of %zu octets", len);
	}
	q_close(&q);
	return rc;
}

int
reader_journal_chunk(struct reader *r, int64_t zone, int64_t version, struct journal_pos *pos,
    struct buf *data, uint32_t *rrs, struct zr_err *e)
{
	struct journal_pos found = {0};
	int rc = next_chunk(r, zone, version, pos, &found, data, rrs, e), there;

	if (rc < 0)
		return -1;
	if (rc > 0 ? !follows(pos, &found) : pos->version != version || pos->part != 1)
		return gap(pos, e);
	if (rc == 0 || found.chunk != pos->chunk || found.part != pos->part) {
		there = before_is_there(r, zone, pos, e);
		if (there <= 0)
			return there < 0 ? -1 : gap(pos, e);
	}
	if (rc > 0) {
		*pos = found;
		pos->chunk++;
	}
	return rc;
}
