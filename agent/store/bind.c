/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/db.h"

#include "wire/segment.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

void
q_open(struct q *q, struct db *db, enum sql_id id)
{
	*q = (struct q){.db = db, .s = db->stmt[id], .id = id, .rc = SQLITE_OK};
	assert(q->s != NULL && !sqlite3_stmt_busy(q->s));
}

static int
parameter(struct q *q, const char *name)
{
	int i = sqlite3_bind_parameter_index(q->s, name);

	assert(i > 0); /* a name the statement does not have */
	return i;
}

static void
latch(struct q *q, int rc)
{
	if (q->rc == SQLITE_OK)
		q->rc = rc;
}

void
q_int(struct q *q, const char *name, int64_t v)
{
	latch(q, sqlite3_bind_int64(q->s, parameter(q, name), v));
}

void
q_time(struct q *q, const char *name, struct zr_wall t)
{
	q_int(q, name, t.us);
}

void
q_text(struct q *q, const char *name, const char *v)
{
	latch(q, sqlite3_bind_text(q->s, parameter(q, name), v, -1, SQLITE_STATIC));
}

void
q_blob(struct q *q, const char *name, const void *v, size_t len)
{
	/* A NULL pointer would bind NULL, which is not an empty blob. */
	latch(q,
	    sqlite3_bind_blob64(q->s, parameter(q, name), v != NULL ? v : "", len, SQLITE_STATIC));
}

void
q_digest(struct q *q, const char *name, const uint8_t *v)
{
	q_blob(q, name, v, SEGMENT_DIGEST);
}

int
q_step(struct q *q, struct zr_err *e)
{
	int rc = q->rc;

	errno = 0; /* for db_fail() */
	if (rc == SQLITE_OK)
		rc = sqlite3_step(q->s);
	if (rc == SQLITE_ROW)
		return 1;
	if (rc == SQLITE_DONE)
		return 0;
	return db_fail(q->db, sql_name[q->id], e);
}

int
q_run(struct q *q, struct zr_err *e)
{
	int rc;

	do
		rc = q_step(q, e);
	while (rc > 0);
	q_close(q);
	return rc;
}

int
q_value(struct q *q, int64_t *v, struct zr_err *e)
{
	int rc = q_step(q, e);

	if (rc > 0)
		*v = q_col(q, 0);
	q_close(q);
	return rc;
}

/* Borrowed octets must not stay bound: they may be gone at the next use. */
void
q_close(struct q *q)
{
	sqlite3_reset(q->s);
	sqlite3_clear_bindings(q->s);
}

int64_t
q_col(struct q *q, int i)
{
	return sqlite3_column_int64(q->s, i);
}

bool
q_null(struct q *q, int i)
{
	return sqlite3_column_type(q->s, i) == SQLITE_NULL;
}

struct zr_wall
q_col_time(struct q *q, int i)
{
	return (struct zr_wall){q_col(q, i)};
}

const char *
q_col_text(struct q *q, int i)
{
	const void *text = sqlite3_column_text(q->s, i);

	return text != NULL ? text : "";
}

const uint8_t *
q_col_blob(struct q *q, int i, size_t *len)
{
	const uint8_t *p = sqlite3_column_blob(q->s, i);

	*len = p != NULL ? (size_t)sqlite3_column_bytes(q->s, i) : 0;
	return p;
}

void
q_col_digest(struct q *q, int i, uint8_t *out)
{
	size_t len;
	const uint8_t *p = q_col_blob(q, i, &len);

	if (len == SEGMENT_DIGEST)
		memcpy(out, p, SEGMENT_DIGEST);
	else
		memset(out, 0, SEGMENT_DIGEST);
}
