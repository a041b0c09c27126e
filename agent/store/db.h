/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A handle on the database: pragmas, statements, transactions, errors.  Private to store/.  One
 * owner thread each.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#include "base/clock.h"
#include "base/err.h"
#include "sql_text.h"

/* "zrly": in the header of the file, so that file(1) and we know it. */
#define DB_APPLICATION_ID 0x7a726c79

/*
 * How long to wait for a lock.  The writer has none to fear but an operator's sqlite3 shell,
 * readers the recovery after a crash.
 */
#define DB_BUSY_MS 2000

enum db_mode {
	DB_WRITER,  /* creates, migrates */
	DB_READER,  /* read-only; the statements of query/read.sql */
	DB_CHECKER, /* read-only, also a file that nobody writes and we may not; query/verify.sql */
	DB_HELPER   /* to write the WAL back; no statements */
};

struct db {
	sqlite3 *sql;
	sqlite3_stmt *stmt[SQL_COUNT];
	char *path;
	const char *began; /* where the open transaction began, for the error text; else NULL */
	bool full;	   /* synchronous=FULL is set */
	int wal_pages;	   /* in the WAL, as of the last commit */
};

int db_open(struct db **out, const char *path, enum db_mode mode, struct zr_err *e);
void db_close(struct db *db); /* NULL is fine */

/* Parts of db_open() for a writer.  -1 when the file is of a newer program or of another one. */
int db_check_owner(struct db *db, struct zr_err *e);
/* Up to SQL_MIGRATIONS, each step in a transaction of its own. */
int db_migrate(struct db *db, struct zr_err *e);

/* Numbers in the header of the file: whose it is, its user_version, changes of its schema. */
struct db_header {
	int64_t application, version, schema;
};
int db_header(struct db *db, struct db_header *out, struct zr_err *e);
int db_set_header(struct db *db, int version, struct zr_err *e); /* and that it is ours */

/*
 * Transactions of the writer.  durable: db_commit() returns after an fsync, also when
 * nothing was changed, and all earlier transactions are then on disk too.
 */
#define DB_STR_(x) #x
#define DB_STR(x) DB_STR_(x)
#define db_begin(db, durable, e) db_begin_at((db), (durable), __FILE__ ":" DB_STR(__LINE__), (e))
int db_begin_at(struct db *db, bool durable, const char *where, struct zr_err *e);
int db_commit(struct db *db, struct zr_err *e); /* on failure the caller rolls back */
void db_rollback(struct db *db);		/* also when SQLite has done it already */

/* Turns what SQLite says into a text for people with what to do; -1. */
int db_fail(struct db *db, const char *doing, struct zr_err *e);

/*
 * One use of a statement.  The binder latches the first error, which q_step() and q_run()
 * report.  An unknown parameter name is a bug.  Blobs and texts are borrowed until q_close().
 *
 *     q_open(&q, db, SQL_ZONE_BY_NAME);
 *     q_blob(&q, ":name", name, len);
 *     rc = q_step(&q, e);
 *     ... columns ...
 *     q_close(&q);
 */
struct q {
	struct db *db;
	sqlite3_stmt *s;
	enum sql_id id;
	int rc;
};

void q_open(struct q *q, struct db *db, enum sql_id id);
void q_int(struct q *q, const char *name, int64_t v);
void q_time(struct q *q, const char *name, struct zr_wall t);
void q_text(struct q *q, const char *name, const char *v);
void q_blob(struct q *q, const char *name, const void *v, size_t len);
void q_digest(struct q *q, const char *name, const uint8_t *v);
/* 1 a row, 0 none left, -1. */
int q_step(struct q *q, struct zr_err *e);
/* Runs it to its end and closes it. */
int q_run(struct q *q, struct zr_err *e);
/* q_step(), and the first column of the row if there is one; closes it. */
int q_value(struct q *q, int64_t *v, struct zr_err *e);
void q_close(struct q *q);

/* Columns of the row, valid until the next q_step(). */
int64_t q_col(struct q *q, int i);
bool q_null(struct q *q, int i);
struct zr_wall q_col_time(struct q *q, int i);
const char *q_col_text(struct q *q, int i); /* "" for NULL */
const uint8_t *q_col_blob(struct q *q, int i, size_t *len);
/* A digest; zeros when the column is not SEGMENT_DIGEST octets long. */
void q_col_digest(struct q *q, int i, uint8_t *out);
