/* SPDX-License-Identifier: BSD-2-Clause */
/* Every statement, how SQLite finds its rows, and opening files of all kinds. */
#include "tests/unit/store/util.h"

#include "store/db.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int
setup(void **state)
{
	static struct fx b;

	fx_init(&b);
	*state = &b;
	return 0;
}

static int
teardown(void **state)
{
	fx_clear(*state);
	return 0;
}

/* Those of tool.sql need what zonerelayctl brings: its own test. */
static bool
ours(int id)
{
	return id < SQL_IN_TOOL_FIRST || id > SQL_IN_TOOL_LAST;
}

static void
test_every_statement_is_prepared(void **state)
{
	struct fx *b = *state;
	struct db *h[3];
	struct zr_err e = {0};

	if (db_open(&h[0], b->path, DB_WRITER, &e) != 0 ||
	    db_open(&h[1], b->path, DB_READER, &e) != 0 ||
	    db_open(&h[2], b->path, DB_CHECKER, &e) != 0)
		fail_msg("%s", e.text);
	for (int i = 0; i < SQL_COUNT; i++) {
		int handles = 0;

		for (int k = 0; k < 3; k++)
			handles += h[k]->stmt[i] != NULL;
		if (ours(i) && handles != 1)
			fail_msg("%s belongs to %d handles", sql_name[i], handles);
	}
	/* One statement each: what follows the first ; would never run. */
	for (int i = 0; i < SQL_COUNT; i++)
		assert_ptr_equal(strchr(sql_text[i], ';'), sql_text[i] + strlen(sql_text[i]) - 2);
	for (int k = 0; k < 3; k++)
		db_close(h[k]);
}

/* Runs once at open, reads tables that are small by nature, or is to look at everything. */
static bool
may_scan(int id)
{
	switch (id) {
	case SQL_VERIFY_INTEGRITY:
	case SQL_VERIFY_QUICK:
	case SQL_VERIFY_STRAYS:
	case SQL_VERIFY_ZONE_COUNT:
	case SQL_ZONE_EACH:
	case SQL_OUTBOX_EACH:
	case SQL_STAGING_EACH:
	case SQL_SWEEP_EACH:
	case SQL_FORCED_EACH:
	case SQL_FORCED_PEER_EACH:
	case SQL_NO_AXFR_EACH:
	case SQL_NO_AXFR_EXPIRE:
	case SQL_SIGNED_EACH:
	case SQL_HOOK_EACH:
	case SQL_HOOK_LAST_ID:
		return true;
	default:
		return false;
	}
}

static void
check_plan(sqlite3 *sql, int id)
{
	sqlite3_stmt *s = NULL;
	char text[4096];

	snprintf(text, sizeof(text), "EXPLAIN QUERY PLAN %s", sql_text[id]);
	assert_int_equal(sqlite3_prepare_v2(sql, text, -1, &s, NULL), SQLITE_OK);
	while (sqlite3_step(s) == SQLITE_ROW) {
		const char *plan = (const char *)sqlite3_column_text(s, 3);

		if (strncmp(plan, "SCAN", 4) == 0 && !may_scan(id))
			fail_msg("%s: %s", sql_name[id], plan);
		if (strstr(plan, "TEMP B-TREE") != NULL && id != SQL_READ_TRANSFERS &&
		    id != SQL_DOWNSTREAM_TRIM && !may_scan(id))
			fail_msg("%s: %s", sql_name[id], plan);
	}
	sqlite3_finalize(s);
}

static void
test_no_statement_scans(void **state)
{
	struct fx *b = *state;
	struct zr_err e = {0};
	struct db *db;

	assert_int_equal(db_open(&db, b->path, DB_WRITER, &e), 0);
	for (int i = 0; i < SQL_COUNT; i++)
		if (ours(i) && (i < SQL_IN_TX_FIRST || i > SQL_IN_TX_LAST))
			check_plan(db->sql, i);
	db_close(db);
}

/* Finders must use all of the key, not only the zone. */
static void
test_searches_by_key(void **state)
{
	static const struct {
		int id;
		const char *plan;
	} want[] = {
	    {SQL_READ_SEGMENT_AT, "(zone=? AND key<?)"},
	    {SQL_READ_SEGMENT_NEXT, "(zone=? AND key>?)"},
	    {SQL_READ_SEGMENT_PREV, "(zone=? AND key<?)"},
	    {SQL_READ_JOURNAL_CHUNK, "(version,step,part,chunk)>(?,?,?,?)"},
	    {SQL_READ_JOURNAL_CHAIN, "version>? AND version<?"},
	    {SQL_SEGMENT_KILL, "(zone=? AND key=? AND born=?)"},
	    {SQL_SEGMENT_FIND_DEAD, "segment_dead (zone=? AND died<?)"},
	    {SQL_SEGMENT_FIND_BORN, "(zone=? AND key>?)"},
	    {SQL_OUTBOX_ADD, "outbox_target (zone=? AND target=? AND downstream=?)"},
	    {SQL_OUTBOX_REPLACE, "rowid=?"},
	    {SQL_HOOK_SET, "(zone=? AND name=?)"},
	    {SQL_HOOK_REMOVE, "(zone=? AND name=?)"},
	    {SQL_PURGE_FIND, "zone_removed"},
	    {SQL_VERIFY_SEGMENT_NEXT, "(zone=? AND key>?)"},
	    {SQL_VERIFY_CHUNK_BEFORE, "(version,step,part,chunk)<(?,?,?,?)"},
	    {SQL_VERIFY_ZONE_NEXT, "(name>?)"},
	};
	struct fx *b = *state;
	struct zr_err e = {0};
	char text[4096];
	struct db *db;

	assert_int_equal(db_open(&db, b->path, DB_WRITER, &e), 0);
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		sqlite3_stmt *s = NULL;
		bool found = false;

		snprintf(text, sizeof(text), "EXPLAIN QUERY PLAN %s", sql_text[want[i].id]);
		assert_int_equal(sqlite3_prepare_v2(db->sql, text, -1, &s, NULL), SQLITE_OK);
		while (sqlite3_step(s) == SQLITE_ROW)
			found |=
			    strstr((const char *)sqlite3_column_text(s, 3), want[i].plan) != NULL;
		sqlite3_finalize(s);
		if (!found)
			fail_msg("%s does not search %s", sql_name[want[i].id], want[i].plan);
	}
	db_close(db);
}

static void
test_file_is_ours(void **state)
{
	struct fx *b = *state;

	fx_open(b);
	assert_int_equal(fx_sql(b, "PRAGMA user_version"), SQL_MIGRATIONS);
	assert_int_equal(fx_sql(b, "PRAGMA application_id"), DB_APPLICATION_ID);
	assert_int_equal(fx_sql(b, "PRAGMA page_size"), 4096);
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM pragma_table_list WHERE schema = 'main' "
				   "AND type = 'table' AND name NOT LIKE 'sqlite%' AND NOT strict"),
	    0);
	fx_close(b);
	fx_open(b); /* and again */
}

static void
refused(struct fx *b, const char *words)
{
	struct store_conf conf = {.path = b->path};
	struct zr_err e = {0};
	struct store *s;

	assert_int_equal(store_open(&s, &conf, &e), -1);
	assert_null(s);
	assert_true(e.code == ZR_DB || e.code == ZR_DAMAGED);
	if (strstr(e.text, words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", e.text, words);
}

static void
test_newer_version_is_refused(void **state)
{
	struct fx *b = *state;
	struct reader *r;
	struct zr_err e = {0};

	fx_open(b);
	fx_sql(b, "PRAGMA user_version = 999");
	fx_close(b);
	refused(b, "newer");
	assert_int_equal(reader_open(&r, b->path, &e), -1);
	assert_non_null(strstr(e.text, "999"));
	assert_int_equal(fx_sql(b, "PRAGMA user_version"), 999); /* and left as it was */
}

static void
test_foreign_database_is_refused(void **state)
{
	struct fx *b = *state;

	fx_sql(b, "CREATE TABLE song (title)");
	refused(b, "another program");
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM sqlite_schema"), 1);
	assert_int_equal(fx_sql(b, "SELECT journal_mode = 'wal' FROM pragma_journal_mode"), 0);
}

static void
test_garbage_is_refused(void **state)
{
	struct fx *b = *state;
	int fd = open(b->path, O_WRONLY | O_CREAT, 0600);
	char junk[8192];

	memset(junk, 'x', sizeof(junk));
	assert_int_equal(write(fd, junk, sizeof(junk)), sizeof(junk));
	close(fd);
	refused(b, "damaged");
}

static void
test_missing_folder_is_refused(void **state)
{
	struct fx *b = *state;
	char path[sizeof(b->path)];

	memcpy(path, b->path, sizeof(path));
	snprintf(b->path, sizeof(b->path), "%.60s/no/zr.db", b->dir);
	refused(b, "folder");
	memcpy(b->path, path, sizeof(path));
}

static void
test_folder_as_database_is_refused(void **state)
{
	struct fx *b = *state;

	assert_int_equal(mkdir(b->path, 0700), 0);
	refused(b, "cannot open");
	rmdir(b->path);
}

/* One daemon per database, whoever asks second; it learns who has it. */
static void
test_second_opener_is_refused(void **state)
{
	struct fx *b = *state;
	char pid[32];

	fx_open(b);
	snprintf(pid, sizeof(pid), "process %ld", (long)getpid());
	refused(b, pid);
	refused(b, "in use by another zonerelayd");
	assert_true(fx_zone(b, "a") > 0); /* the first one is not disturbed */
	fx_close(b);
	fx_open(b);
}

static void
test_migration_leaves_a_rung(void **state)
{
	struct fx *b = *state;
	struct zr_err e = {0};
	char pragma[64];
	struct db *db;

	/* The step fails in its middle: a table of the schema is there already. */
	fx_sql(b, "CREATE TABLE mark (x)");
	snprintf(pragma, sizeof(pragma), "PRAGMA application_id = %d", DB_APPLICATION_ID);
	fx_sql(b, pragma);
	assert_int_equal(db_open(&db, b->path, DB_WRITER, &e), -1);
	assert_non_null(strstr(e.text, "schema 1"));
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM sqlite_schema"), 1);
	assert_int_equal(fx_sql(b, "PRAGMA user_version"), 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(test_every_statement_is_prepared, setup, teardown),
    cmocka_unit_test_setup_teardown(test_no_statement_scans, setup, teardown),
    cmocka_unit_test_setup_teardown(test_searches_by_key, setup, teardown),
    cmocka_unit_test_setup_teardown(test_file_is_ours, setup, teardown),
    cmocka_unit_test_setup_teardown(test_newer_version_is_refused, setup, teardown),
    cmocka_unit_test_setup_teardown(test_foreign_database_is_refused, setup, teardown),
    cmocka_unit_test_setup_teardown(test_garbage_is_refused, setup, teardown),
    cmocka_unit_test_setup_teardown(test_missing_folder_is_refused, setup, teardown),
    cmocka_unit_test_setup_teardown(test_folder_as_database_is_refused, setup, teardown),
    cmocka_unit_test_setup_teardown(test_second_opener_is_refused, setup, teardown),
    cmocka_unit_test_setup_teardown(test_migration_leaves_a_rung, setup, teardown),
};

int
main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
