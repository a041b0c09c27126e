/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/db.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Page caches, in KiB.  The writer's holds the inner pages of the trees and what a group of
 * orders touches (a megabyte); more did not make a large transfer faster.  Readers read each octet
 * once.
 */
#define WRITER_CACHE "-8192"
#define READER_CACHE "-1024"

/* The WAL file is cut back to this when it starts anew (octets; WAL_HARD in checkpoint.c). */
#define WAL_KEEP "33554432"

/* SQLite does not note errno when a COMMIT fails; q_step() has set it to 0 before. */
static int
system_error(struct db *db)
{
	int err = db->sql != NULL ? sqlite3_system_errno(db->sql) : 0;

	return err != 0 ? err : errno;
}

static const char *
system_text(int err)
{
	return err != 0 ? strerror(err) : "no reason given";
}

static int
fail_io(struct db *db, const char *doing, struct zr_err *e)
{
	int err = system_error(db);

	return zr_fail(e, ZR_DB, "%s: reading or writing %s failed (%s): check the disk%s", doing,
	    db->path, system_text(err), err == EFBIG ? " and the limit on the size of files" : "");
}

int
db_fail(struct db *db, const char *doing, struct zr_err *e)
{
	int rc = db->sql != NULL ? sqlite3_extended_errcode(db->sql) : SQLITE_NOMEM;

	switch (rc & 0xff) {
	case SQLITE_FULL:
		return zr_fail(
		    e, ZR_DB, "%s: no space left for %s: free space on its disk", doing, db->path);
	case SQLITE_READONLY:
		return zr_fail(e, ZR_DB,
		    "%s: %s may not be written: check the owner and mode of "
		    "the file and of its folder",
		    doing, db->path);
	case SQLITE_PERM:
	case SQLITE_AUTH:
	case SQLITE_CANTOPEN:
		return zr_fail(e, ZR_DB,
		    "%s: cannot open %s (%s): its folder must exist and be "
		    "writable",
		    doing, db->path, system_text(system_error(db)));
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return zr_fail(e, ZR_DAMAGED,
		    "%s: %s is damaged or no database (%s): move it away and "
		    "start again; every zone is then transferred anew",
		    doing, db->path, sqlite3_errmsg(db->sql));
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL:
		return zr_fail(
		    e, ZR_DB, "%s: another program keeps %s locked: end it", doing, db->path);
	case SQLITE_IOERR:
		return fail_io(db, doing, e);
	case SQLITE_NOMEM:
		return zr_fail(e, ZR_NOMEM, "%s: out of memory in %s", doing, db->path);
	case SQLITE_CONSTRAINT:
	case SQLITE_MISUSE:
	case SQLITE_RANGE:
	case SQLITE_MISMATCH:
		return zr_fail(e, ZR_INTERNAL, "%s: %s", doing, sqlite3_errmsg(db->sql));
	default:
		return zr_fail(
		    e, ZR_DB, "%s: %s: %s (%d)", doing, db->path, sqlite3_errmsg(db->sql), rc);
	}
}

/* *value, if not NULL: the first column. */
static int
db_pragma(struct db *db, const char *pragma, int64_t *value, struct zr_err *e)
{
	sqlite3_stmt *s = NULL;
	int rc;

	rc = sqlite3_prepare_v2(db->sql, pragma, -1, &s, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	if (rc == SQLITE_ROW && value != NULL)
		*value = sqlite3_column_int64(s, 0);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE && rc != SQLITE_OK)
		db_fail(db, "settings", e);
	sqlite3_finalize(s);
	return rc == SQLITE_ROW || rc == SQLITE_DONE || rc == SQLITE_OK ? 0 : -1;
}

int
db_header(struct db *db, struct db_header *out, struct zr_err *e)
{
	if (db_pragma(db, "PRAGMA application_id", &out->application, e) < 0 ||
	    db_pragma(db, "PRAGMA user_version", &out->version, e) < 0)
		return -1;
	return db_pragma(db, "PRAGMA schema_version", &out->schema, e);
}

int
db_set_header(struct db *db, int version, struct zr_err *e)
{
	char text[64];

	snprintf(text, sizeof(text), "PRAGMA application_id = %d", DB_APPLICATION_ID);
	if (db_pragma(db, text, NULL, e) < 0)
		return -1;
	snprintf(text, sizeof(text), "PRAGMA user_version = %d", version);
	return db_pragma(db, text, NULL, e);
}

static int
run_pragmas(struct db *db, const char *const *list, struct zr_err *e)
{
	for (; *list != NULL; list++)
		if (db_pragma(db, *list, NULL, e) < 0)
			return -1;
	return 0;
}

/* The size of pages and the vacuum mode count only while the file is empty. */
static const char *const writer_pragmas[] = {
    "PRAGMA page_size = 4096",
    "PRAGMA auto_vacuum = NONE",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",
    "PRAGMA wal_autocheckpoint = 0", /* see checkpoint.c */
    "PRAGMA journal_size_limit = " WAL_KEEP,
    "PRAGMA secure_delete = OFF", /* some builds have it on: every removed zone would be written */
    "PRAGMA cache_size = " WRITER_CACHE,
    "PRAGMA mmap_size = 0", /* an I/O error in a mapping is a signal, not an error code */
    "PRAGMA temp_store = MEMORY",
    "PRAGMA trusted_schema = OFF",
    NULL,
};

static const char *const reader_pragmas[] = {
    "PRAGMA query_only = ON",
    "PRAGMA cache_size = " READER_CACHE,
    "PRAGMA mmap_size = 0",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA trusted_schema = OFF",
    NULL,
};

/* The files of sql/query whose statements a handle needs. */
struct range {
	int first, last;
};

static const struct range writer_ranges[] = {
    {SQL_IN_COMMIT_FIRST, SQL_IN_COMMIT_LAST},
    {SQL_IN_FORCED_FIRST, SQL_IN_FORCED_LAST},
    {SQL_IN_HOOK_FIRST, SQL_IN_HOOK_LAST},
    {SQL_IN_OUTBOX_FIRST, SQL_IN_OUTBOX_LAST},
    {SQL_IN_PEER_FIRST, SQL_IN_PEER_LAST},
    {SQL_IN_SIGNED_FIRST, SQL_IN_SIGNED_LAST},
    {SQL_IN_STAGE_FIRST, SQL_IN_STAGE_LAST},
    {SQL_IN_SWEEP_FIRST, SQL_IN_SWEEP_LAST},
    {SQL_IN_TX_FIRST, SQL_IN_TX_LAST},
    {SQL_IN_ZONE_FIRST, SQL_IN_ZONE_LAST},
};

static const struct range reader_ranges[] = {
    {SQL_IN_READ_FIRST, SQL_IN_READ_LAST},
};

static const struct range checker_ranges[] = {
    {SQL_IN_VERIFY_FIRST, SQL_IN_VERIFY_LAST},
};

static int
prepare_range(struct db *db, const struct range *r, struct zr_err *e)
{
	for (int i = r->first; i <= r->last; i++)
		if (sqlite3_prepare_v3(db->sql, sql_text[i], -1, SQLITE_PREPARE_PERSISTENT,
			&db->stmt[i], NULL) != SQLITE_OK)
			return db_fail(db, sql_name[i], e);
	return 0;
}

static int
prepare_all(struct db *db, const struct range *r, size_t n, struct zr_err *e)
{
	for (size_t i = 0; i < n; i++)
		if (prepare_range(db, &r[i], e) < 0)
			return -1;
	return 0;
}

static int
on_wal(void *arg, sqlite3 *sql, const char *name, int pages)
{
	struct db *db = arg;

	(void)sql;
	(void)name;
	db->wal_pages = pages;
	return SQLITE_OK;
}

static bool
in_wal_mode(struct db *db)
{
	sqlite3_stmt *s = NULL;
	bool wal;

	wal = sqlite3_prepare_v2(db->sql, "PRAGMA journal_mode", -1, &s, NULL) == SQLITE_OK &&
	      sqlite3_step(s) == SQLITE_ROW &&
	      strcmp((const char *)sqlite3_column_text(s, 0), "wal") == 0;
	sqlite3_finalize(s);
	return wal;
}

/* Nothing is written before the file is known to be ours. */
static int
open_writer(struct db *db, struct zr_err *e)
{
	/* SQLite is content to read when it may not write. */
	if (sqlite3_db_readonly(db->sql, "main") == 1)
		return zr_fail(e, ZR_DB,
		    "%s may not be written: check the owner and mode of the file and of its folder",
		    db->path);
	if (db_check_owner(db, e) < 0 || run_pragmas(db, writer_pragmas, e) < 0)
		return -1;
	sqlite3_wal_hook(db->sql, on_wal, db); /* PRAGMA wal_autocheckpoint removes any hook */
	if (!in_wal_mode(db))
		return zr_fail(e, ZR_DB,
		    "%s cannot be used in WAL mode: the file system must be a "
		    "local one with shared memory",
		    db->path);
	if (db_migrate(db, e) < 0)
		return -1;
	return prepare_all(db, writer_ranges, sizeof(writer_ranges) / sizeof(writer_ranges[0]), e);
}

/* Each pass ends with an fsync of the database, whatever the writer sets for its transactions. */
static const char *const helper_pragmas[] = {
    "PRAGMA synchronous = NORMAL",
    "PRAGMA wal_autocheckpoint = 0",
    "PRAGMA cache_size = " READER_CACHE,
    "PRAGMA mmap_size = 0",
    NULL,
};

static int
open_helper(struct db *db, struct zr_err *e)
{
	struct db_header h;

	/* Reading makes it find the WAL. */
	return run_pragmas(db, helper_pragmas, e) < 0 || db_header(db, &h, e) < 0 ? -1 : 0;
}

/* A file of another version cannot be read: say so, not "no such table". */
static int
open_reader(struct db *db, const struct range *ranges, size_t n, struct zr_err *e)
{
	struct db_header h;

	if (run_pragmas(db, reader_pragmas, e) < 0 || db_header(db, &h, e) < 0)
		return -1;
	if (h.application != DB_APPLICATION_ID)
		return zr_fail(e, ZR_DB, "%s is not a zonerelay database", db->path);
	if (h.version != SQL_MIGRATIONS)
		return zr_fail(e, ZR_DB,
		    "%s has schema version %lld, this program reads %d: use "
		    "programs of one release",
		    db->path, (long long)h.version, SQL_MIGRATIONS);
	return prepare_all(db, ranges, n, e);
}

static int
open_as(struct db *db, enum db_mode mode, struct zr_err *e)
{
	switch (mode) {
	case DB_WRITER:
		return open_writer(db, e);
	case DB_READER:
		return open_reader(
		    db, reader_ranges, sizeof(reader_ranges) / sizeof(reader_ranges[0]), e);
	case DB_CHECKER:
		return open_reader(
		    db, checker_ranges, sizeof(checker_ranges) / sizeof(checker_ranges[0]), e);
	case DB_HELPER:
		break;
	}
	return open_helper(db, e);
}

static int
open_file(struct db *db, const char *name, int flags, enum db_mode mode, struct zr_err *e)
{
	if (sqlite3_open_v2(name, &db->sql, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		return db_fail(db, "open", e);
	sqlite3_extended_result_codes(db->sql, 1);
	sqlite3_busy_timeout(db->sql, DB_BUSY_MS);
	return open_as(db, mode, e);
}

static void
drop(struct db *db)
{
	for (int i = 0; i < SQL_COUNT; i++) {
		sqlite3_finalize(db->stmt[i]);
		db->stmt[i] = NULL;
	}
	sqlite3_close(db->sql);
	db->sql = NULL;
}

/*
 * Reading a file in WAL mode makes a WAL where there is none, for which one who may only read has
 * no right.  But without a WAL nobody writes, and the file may be read as one that does not change.
 */
static int
open_immutable(struct db *db, enum db_mode mode, struct zr_err *e)
{
	int rc = sqlite3_errcode(db->sql) & 0xff;
	char *wal = sqlite3_mprintf("%s-wal", db->path);
	char *uri = sqlite3_mprintf("file:%s?immutable=1", db->path);
	bool may = wal != NULL && uri != NULL && access(wal, F_OK) != 0 &&
		   strpbrk(db->path, "%?#") == NULL &&
		   (rc == SQLITE_CANTOPEN || rc == SQLITE_READONLY);

	if (may) {
		drop(db);
		rc = open_file(db, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, mode, e);
	}
	sqlite3_free(wal);
	sqlite3_free(uri);
	return may ? rc : -1;
}

int
db_open(struct db **out, const char *path, enum db_mode mode, struct zr_err *e)
{
	static const int flags[] = {
	    [DB_WRITER] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
	    [DB_READER] = SQLITE_OPEN_READONLY,
	    [DB_CHECKER] = SQLITE_OPEN_READONLY,
	    [DB_HELPER] = SQLITE_OPEN_READWRITE,
	};
	struct db *db = zr_xcalloc(1, sizeof(*db));
	int rc;

	*out = NULL;
	db->path = zr_xstrdup(path);
	rc = open_file(db, path, flags[mode], mode, e);
	if (rc != 0 && mode == DB_CHECKER)
		rc = open_immutable(db, mode, e);
	if (rc != 0) {
		db_close(db);
		return -1;
	}
	*out = db;
	return 0;
}

void
db_close(struct db *db)
{
	if (db == NULL)
		return;
	drop(db);
	free(db->path);
	free(db);
}

/* May only be changed outside of transactions, where it costs a few microseconds. */
static int
set_full(struct db *db, bool full, struct zr_err *e)
{
	if (db->full == full)
		return 0;
	if (db_pragma(db, full ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL", NULL,
		e) < 0)
		return -1;
	db->full = full;
	return 0;
}

static int
run_plain(struct db *db, enum sql_id id, struct zr_err *e)
{
	struct q q;

	q_open(&q, db, id);
	return q_run(&q, e);
}

int
db_begin_at(struct db *db, bool durable, const char *where, struct zr_err *e)
{
	if (db->began != NULL)
		return zr_fail(
		    e, ZR_INTERNAL, "%s: the transaction of %s is still open", where, db->began);
	if (set_full(db, durable, e) < 0 || run_plain(db, SQL_TX_BEGIN, e) < 0)
		return -1;
	db->began = where;
	if (durable && run_plain(db, SQL_TX_TOUCH, e) < 0) {
		db_rollback(db);
		return -1;
	}
	return 0;
}

int
db_commit(struct db *db, struct zr_err *e)
{
	assert(db->began != NULL);
	if (run_plain(db, SQL_TX_COMMIT, e) < 0)
		return -1;
	db->began = NULL;
	return 0;
}

void
db_rollback(struct db *db)
{
	struct zr_err e = {0};

	/* On errors such as a full disk SQLite may have rolled back by itself. */
	if (!sqlite3_get_autocommit(db->sql))
		(void)run_plain(db, SQL_TX_ROLLBACK, &e);
	db->began = NULL;
}
