/* SPDX-License-Identifier: BSD-2-Clause */
/* Segments and their content.  Each call leaves no statement open, so that no snapshot stays. */
#include "base/mem.h"
#include "base/sum.h"
#include "store/reader_p.h"

#include <stdlib.h>
#include <string.h>

int
reader_open(struct reader **out, const char *path, struct zr_err *e)
{
	struct reader *r = zr_xcalloc(1, sizeof(*r));

	*out = NULL;
	if (db_open(&r->db, path, DB_READER, e) < 0) {
		free(r);
		return -1;
	}
	*out = r;
	return 0;
}

void
reader_close(struct reader *r)
{
	if (r == NULL)
		return;
	db_close(r->db);
	free(r);
}

/* Columns id, key, digest, rrs, octets. */
static int
take_segment(struct q *q, struct segment_row *row, struct zr_err *e)
{
	const uint8_t *key;
	size_t len;

	key = q_col_blob(q, 1, &len);
	if (len > sizeof(row->key))
		return zr_fail(
		    e, ZR_DB, "a segment has a key of %zu octets: the file is damaged", len);
	row->id = q_col(q, 0);
	row->key_len = (uint16_t)len;
	if (len > 0)
		memcpy(row->key, key, len);
	q_col_digest(q, 2, row->digest);
	row->rrs = (uint32_t)q_col(q, 3);
	row->octets = (uint32_t)q_col(q, 4);
	return 0;
}

static int
find_segment(struct reader *r, enum sql_id id, int64_t zone, int64_t version, const uint8_t *key,
    size_t key_len, struct segment_row *out, struct zr_err *e)
{
	struct q q;
	int rc;

	q_open(&q, r->db, id);
	q_int(&q, ":zone", zone);
	q_int(&q, ":version", version);
	q_blob(&q, ":key", key, key_len);
	rc = q_step(&q, e);
	if (rc > 0 && take_segment(&q, out, e) < 0)
		rc = -1;
	q_close(&q);
	return rc;
}

int
reader_segment_at(struct reader *r, int64_t zone, int64_t version, const uint8_t *key,
    size_t key_len, struct segment_row *out, struct zr_err *e)
{
	return find_segment(r, SQL_READ_SEGMENT_AT, zone, version, key, key_len, out, e);
}

int
reader_segment_next(struct reader *r, int64_t zone, int64_t version, const uint8_t *key,
    size_t key_len, struct segment_row *out, struct zr_err *e)
{
	return find_segment(r, SQL_READ_SEGMENT_NEXT, zone, version, key, key_len, out, e);
}

int
reader_segment_prev(struct reader *r, int64_t zone, int64_t version, const uint8_t *key,
    size_t key_len, struct segment_row *out, struct zr_err *e)
{
	return find_segment(r, SQL_READ_SEGMENT_PREV, zone, version, key, key_len, out, e);
}

int
reader_segments(struct reader *r, int64_t zone, int64_t version,
    int (*cb)(void *, const struct segment_row *), void *arg, struct zr_err *e)
{
	struct segment_row row;
	struct q q;
	int rc;

	q_open(&q, r->db, SQL_READ_SEGMENTS);
	q_int(&q, ":zone", zone);
	q_int(&q, ":version", version);
	while ((rc = q_step(&q, e)) > 0) {
		if (take_segment(&q, &row, e) < 0) {
			rc = -1;
			break;
		}
		if (cb(arg, &row) != 0)
			break;
	}
	q_close(&q);
	return rc < 0 ? -1 : 0;
}

/* Without a sum.  1: it is what was written; 0: it is not; -1. */
static int
check_digest(struct reader *r, int64_t id, const uint8_t *data, size_t len, struct zr_err *e)
{
	uint8_t is[SEGMENT_DIGEST], noted[SEGMENT_DIGEST];
	struct q q;
	int rc;

	q_open(&q, r->db, SQL_READ_CONTENT_DIGEST);
	q_int(&q, ":id", id);
	rc = q_step(&q, e);
	if (rc > 0)
		q_col_digest(&q, 0, noted);
	q_close(&q);
	if (rc > 0 && !digest_of(data, len, is))
		return zr_fail(e, ZR_NOMEM, "no memory for a digest");
	return rc <= 0 ? rc : memcmp(is, noted, sizeof(is)) == 0;
}

int
reader_damaged(const struct reader *r, int64_t id, struct zr_err *e)
{
	return zr_fail(e, ZR_DAMAGED,
	    "%s is damaged: content %lld is not what was written; check the disk", r->db->path,
	    (long long)id);
}

int
reader_segment_data(struct reader *r, int64_t id, struct buf *out, struct zr_err *e)
{
	const uint8_t *data;
	size_t len = 0, at = out->len;
	uint64_t sum;
	struct q q;
	int rc;

	q_open(&q, r->db, SQL_READ_CONTENT);
	q_int(&q, ":id", id);
	rc = q_step(&q, e);
	if (rc > 0) {
		data = q_col_blob(&q, 0, &len);
		buf_bytes(out, data, len);
		sum = (uint64_t)q_col(&q, 1);
		if (out->bad)
			rc = zr_fail(e, ZR_NOMEM, "no memory for a segment of %zu octets", len);
		else if (q_null(&q, 1))
			rc = check_digest(r, id, data, len, e);
		else
			rc = sum_of(data, len, (uint64_t)id) == sum;
		if (rc == 0)
			rc = reader_damaged(r, id, e);
	}
	q_close(&q);
	if (rc == 0)
		return zr_fail(e, ZR_NOTFOUND, "segment %lld was removed", (long long)id);
	if (rc < 0)
		out->len = at;
	return rc < 0 ? -1 : 0;
}

void
reader_end(struct reader *r)
{
	struct q q;

	if (sqlite3_get_autocommit(r->db->sql))
		return;
	q_open(&q, r->db, SQL_READ_END);
	(void)q_run(&q, NULL);
}

int
reader_begin(struct reader *r, struct zr_err *e)
{
	struct q q;

	reader_end(r); /* one that could not be ended */
	q_open(&q, r->db, SQL_READ_BEGIN);
	return q_run(&q, e);
}
