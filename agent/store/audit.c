/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/audit.h"

#include "base/mem.h"
#include "base/sum.h"
#include "store/db.h"

#include <stdlib.h>
#include <string.h>

struct audit {
	struct db *db;
};

int
audit_open(struct audit **out, const char *path, struct zr_err *e)
{
	struct audit *a = zr_xcalloc(1, sizeof(*a));

	*out = NULL;
	if (db_open(&a->db, path, DB_CHECKER, e) < 0) {
		free(a);
		return -1;
	}
	*out = a;
	return 0;
}

void
audit_close(struct audit *a)
{
	if (a == NULL)
		return;
	db_close(a->db);
	free(a);
}

int
audit_file(
    struct audit *a, bool quick, void (*cb)(void *, const char *), void *arg, struct zr_err *e)
{
	struct q q;
	int rc;

	q_open(&q, a->db, quick ? SQL_VERIFY_QUICK : SQL_VERIFY_INTEGRITY);
	while ((rc = q_step(&q, e)) > 0)
		if (strcmp(q_col_text(&q, 0), "ok") != 0)
			cb(arg, q_col_text(&q, 0));
	q_close(&q);
	return rc;
}

int
audit_strays(
    struct audit *a, void (*cb)(void *, const char *, int64_t), void *arg, struct zr_err *e)
{
	struct q q;
	int rc;

	q_open(&q, a->db, SQL_VERIFY_STRAYS);
	while ((rc = q_step(&q, e)) > 0)
		cb(arg, q_col_text(&q, 0), q_col(&q, 1));
	q_close(&q);
	return rc;
}

int
audit_begin(struct audit *a, struct zr_err *e)
{
	struct q q;

	q_open(&q, a->db, SQL_VERIFY_BEGIN);
	return q_run(&q, e);
}

void
audit_end(struct audit *a)
{
	struct q q;

	q_open(&q, a->db, SQL_VERIFY_END);
	(void)q_run(&q, NULL);
}

int
audit_zone_count(struct audit *a, int64_t *n, struct zr_err *e)
{
	struct q q;

	*n = 0;
	q_open(&q, a->db, SQL_VERIFY_ZONE_COUNT);
	return q_value(&q, n, e) < 0 ? -1 : 0;
}

/* Copies up to `max` octets of a column; 0 when it has more, or none. */
static size_t
take_blob(struct q *q, int i, uint8_t *out, size_t max)
{
	size_t len;
	const uint8_t *p = q_col_blob(q, i, &len);

	if (p == NULL || len > max)
		return 0;
	memcpy(out, p, len);
	return len;
}

static int
find_zone(struct audit *a, enum sql_id id, const uint8_t *name, size_t len, struct audit_zone *z,
    struct zr_err *e)
{
	struct q q;
	int rc;

	q_open(&q, a->db, id);
	q_blob(&q, ":name", name, len);
	rc = q_step(&q, e);
	memset(z, 0, sizeof(*z)); /* not before: `name` may be in it */
	if (rc > 0) {
		z->id = q_col(&q, 0);
		z->name_len = take_blob(&q, 1, z->name, sizeof(z->name));
		z->version = q_col(&q, 2);
		z->serial = (uint32_t)q_col(&q, 3);
		z->soa_ttl = (uint32_t)q_col(&q, 4);
		z->has_data = !q_null(&q, 5);
		z->soa_len = take_blob(&q, 5, z->soa, sizeof(z->soa));
		q_col_digest(&q, 6, z->digest);
		z->segments = q_col(&q, 7);
		z->records = q_col(&q, 8);
		z->octets = q_col(&q, 9);
		z->journal_from = q_col(&q, 10);
		z->journal_steps = q_col(&q, 11);
		z->journal_octets = q_col(&q, 12);
	}
	q_close(&q);
	return rc;
}

int
audit_zone_next(
    struct audit *a, const uint8_t *name, size_t len, struct audit_zone *out, struct zr_err *e)
{
	return find_zone(a, SQL_VERIFY_ZONE_NEXT, name, len, out, e);
}

int
audit_zone(
    struct audit *a, const uint8_t *name, size_t len, struct audit_zone *out, struct zr_err *e)
{
	return find_zone(a, SQL_VERIFY_ZONE, name, len, out, e);
}

int
audit_segment_next(struct audit *a, int64_t zone, int64_t version, const uint8_t *key,
    size_t key_len, struct audit_segment *out, struct zr_err *e)
{
	struct q q;
	int rc;

	q_open(&q, a->db, SQL_VERIFY_SEGMENT_NEXT);
	q_int(&q, ":zone", zone);
	q_int(&q, ":version", version);
	q_blob(&q, ":key", key, key_len);
	rc = q_step(&q, e);
	if (rc > 0) {
		out->id = q_col(&q, 0);
		out->born = q_col(&q, 1);
		out->key_len = take_blob(&q, 2, out->key, sizeof(out->key));
		q_col_digest(&q, 3, out->digest);
		out->rrs = q_col(&q, 4);
		out->octets = q_col(&q, 5);
		if (out->key_len == 0) /* the next one could not be found */
			rc = zr_fail(e, ZR_DAMAGED, "segment %lld has no key or one too long",
			    (long long)out->id);
	}
	q_close(&q);
	return rc;
}

int
audit_content(struct audit *a, int64_t id, int64_t zone, const uint8_t *key, size_t key_len,
    int64_t born, struct buf *data, struct audit_octets *out, struct zr_err *e)
{
	const uint8_t *octets;
	struct q q;
	size_t len;
	int rc;

	q_open(&q, a->db, SQL_VERIFY_CONTENT);
	q_int(&q, ":id", id);
	q_int(&q, ":zone", zone);
	q_blob(&q, ":key", key, key_len);
	q_int(&q, ":born", born);
	rc = q_step(&q, e);
	if (rc > 0) {
		octets = q_col_blob(&q, 0, &len);
		buf_bytes(data, octets, len);
		out->owned = q_col(&q, 1) != 0;
		out->intact =
		    q_null(&q, 2) || sum_of(octets, len, (uint64_t)id) == (uint64_t)q_col(&q, 2);
		if (data->bad)
			rc = zr_fail(e, ZR_NOMEM, "no memory for %zu octets of content", len);
	}
	q_close(&q);
	return rc;
}

int
audit_chunk_before(
    struct audit *a, int64_t zone, int64_t from, struct audit_chunk *at, struct zr_err *e)
{
	struct q q;
	int rc;

	q_open(&q, a->db, SQL_VERIFY_CHUNK_BEFORE);
	q_int(&q, ":zone", zone);
	q_int(&q, ":from", from);
	q_int(&q, ":version", at->version);
	q_int(&q, ":step", at->step);
	q_int(&q, ":part", at->part);
	q_int(&q, ":chunk", at->chunk);
	rc = q_step(&q, e);
	if (rc > 0) {
		at->version = q_col(&q, 0);
		at->step = q_col(&q, 1);
		at->part = q_col(&q, 2);
		at->chunk = q_col(&q, 3);
		at->id = q_col(&q, 4);
		at->from_serial = (uint32_t)q_col(&q, 5);
		at->to_serial = (uint32_t)q_col(&q, 6);
		at->rrs = q_col(&q, 7);
		at->octets = q_col(&q, 8);
	}
	q_close(&q);
	return rc;
}
