/* SPDX-License-Identifier: BSD-2-Clause */
/* A database of an earlier release: opened, it is one of this release and has lost nothing. */
#include "tests/unit/store/util.h"

#include "base/buf.h"
#include "store/db.h"
#include "store/status.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
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

/* What release 0.1 wrote: every table has a row, zone 2 is removed. */
static const char data[] =
    "INSERT INTO zone (id, name, version, serial, soa_ttl, soa, soa_owner, digest, segments, "
    "records, octets, journal_from, journal_steps, journal_octets, loaded_at, checked_at, "
    "refresh_at, expire_at, failures, error, error_text, error_peer, error_at, next_try) "
    "VALUES (1, x'0161076578616d706c6500', 2, 4294967290, 300, x'0000ff', "
    "x'0141076578616d706c6500', "
    "x'577fcad6fcd8592bf8b3b70c5ed4981eb1b2f7b7ac7ae355b930aa302ff85a55', 1, 5, 8, 2, 1, 4, 11, "
    "12, 13, 14, 3, "
    "'timeout', 'no answer', 'hidden', 15, 16);"
    "INSERT INTO zone (id, name, removed_at) VALUES (2, x'0162076578616d706c6500', "
    "4000000000000000);"
    "INSERT INTO mark VALUES (1, 2, 77);"
    "INSERT INTO segment VALUES (1, x'0001', 1, NULL, 1, 5, 8, "
    "x'577fcad6fcd8592bf8b3b70c5ed4981eb1b2f7b7ac7ae355b930aa302ff85a55');"
    "INSERT INTO content VALUES (1, 1, x'0001', 1, x'0000000100000001'), (2, 1, x'', 2, "
    "x'04050607');"
    "INSERT INTO journal VALUES (1, 2, 0, 0, 0, 2, 4294967289, 4294967290, 1, 4);"
    "INSERT INTO ambiguous VALUES (1, 4294967290, 4294967290, 0), (1, 5, 6, 9);"
    "INSERT INTO outbox VALUES (7, 1, 'x', '192.0.2.1@53', 252, 4294967290, 18, 4);"
    "INSERT INTO transfer VALUES (1, 0, 1, 20, 21, 'AXFR', 'hidden', '192.0.2.2@53', NULL, 1, 2, "
    "3, 4, '', '');"
    "INSERT INTO primary_state VALUES (1, 'hidden', '192.0.2.2@53', 9, 22, '', '', 0);"
    "INSERT INTO downstream_state VALUES (1, 'x', '192.0.2.1@53', 8, 23, 7, 24, 6, 1, 25, '', "
    "'', 0);";

static void
run(sqlite3 *sql, const char *text)
{
	char *why = NULL;

	if (sqlite3_exec(sql, text, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s", why);
}

static void
make_schema_1(struct fx *b)
{
	char pragma[100];
	sqlite3 *sql;

	assert_int_equal(sqlite3_open(b->path, &sql), SQLITE_OK);
	run(sql, "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL");
	run(sql, sql_migration[0]);
	run(sql, data);
	snprintf(pragma, sizeof(pragma), "PRAGMA application_id = %d; PRAGMA user_version = 1",
	    DB_APPLICATION_ID);
	run(sql, pragma);
	sqlite3_close(sql);
}

/*
 * Each column of each table of schema 1 as text; what later schemas have added is not looked at.
 * One line for each row.
 */
static void
dump(struct fx *b, struct buf *out)
{
	static const char *const tables[] = {"zone", "mark", "segment", "content", "journal",
	    "ambiguous", "outbox", "transfer", "primary_state", "downstream_state"};
	static const int columns[] = {25, 3, 8, 5, 10, 4, 8, 15, 8, 13}; /* of schema 1 */
	sqlite3_stmt *s;
	sqlite3 *sql;

	assert_int_equal(sqlite3_open(b->path, &sql), SQLITE_OK);
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		char text[100];

		snprintf(text, sizeof(text), "SELECT * FROM %s ORDER BY 1, 2, 3", tables[i]);
		assert_int_equal(sqlite3_prepare_v2(sql, text, -1, &s, NULL), SQLITE_OK);
		assert_true(sqlite3_column_count(s) >= columns[i]);
		while (sqlite3_step(s) == SQLITE_ROW) {
			buf_fmt(out, "%s:", tables[i]);
			for (int c = 0; c < columns[i]; c++) {
				const uint8_t *p;

				buf_fmt(out, " %d/", sqlite3_column_type(s, c));
				p = sqlite3_column_blob(s, c);
				for (int k = 0; k < sqlite3_column_bytes(s, c); k++)
					buf_fmt(out, "%02x", p[k]);
			}
			buf_fmt(out, "\n");
		}
		sqlite3_finalize(s);
	}
	sqlite3_close(sql);
}

static int
take_notify(void *arg, const struct store_notify *n)
{
	assert_int_equal(n->target.family, 4);
	*(uint32_t *)arg += n->serial;
	return 0;
}

static void
test_schema_1_keeps_everything(void **state)
{
	struct fx *b = *state;
	struct buf before = BUF_INIT, after = BUF_INIT;
	struct store_zone *z;
	struct zr_err e = {0};
	uint32_t serials = 0;

	make_schema_1(b);
	dump(b, &before);
	assert_true(before.len > 1000);
	assert_non_null(strstr(buf_cstr(&before), "downstream_state:"));
	fx_open(b);
	assert_int_equal(fx_sql(b, "PRAGMA user_version"), SQL_MIGRATIONS);
	dump(b, &after);
	assert_string_equal(buf_cstr(&before), buf_cstr(&after));
	z = fx_zone_row(b, "a");
	assert_int_equal(z->pending, PENDING_FORCE);
	assert_int_equal(z->pending_since.us, 77);
	assert_string_equal(z->pending_notifier, "");
	assert_false(z->pending_authenticated);
	assert_true(z->ambiguous);
	assert_int_equal(z->serial, 4294967290u);
	assert_int_equal(z->next_try.us, 16);
	free(z);
	assert_null(fx_zone_row(b, "b"));
	assert_string_equal(fx_list(b, 1, 2), "1:1 ");
	assert_int_equal(reader_outbox(b->r, 1, take_notify, &serials, &e), 0);
	assert_int_equal(serials, 4294967290u);
	/* What was ambiguous still is, and can be settled. */
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM ambiguous WHERE cleared"), 0);
	fx_ok(b, store_order_new(STORE_AMBIGUOUS_CLEAR, 1));
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM ambiguous WHERE cleared"), 1);
	buf_clear(&before);
	buf_clear(&after);
}

/* A release that is killed on the ladder is on a rung. */
static void
test_killed_while_it_migrates(void **state)
{
	struct fx *b = *state;
	struct buf before = BUF_INIT, after = BUF_INIT;
	int64_t version;
	int status;
	pid_t pid;

	make_schema_1(b);
	dump(b, &before);
	for (useconds_t us = 0; us < 20000; us += 1000) {
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			fx_open(b);
			for (;;)
				pause();
		}
		usleep(us);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		version = fx_sql(b, "PRAGMA user_version");
		assert_in_range(version, 1, SQL_MIGRATIONS);
		assert_int_equal(
		    fx_sql(b, "SELECT count(*) FROM sqlite_schema WHERE name = 'hook'"),
		    version > 1);
		buf_reset(&after);
		dump(b, &after);
		assert_string_equal(buf_cstr(&before), buf_cstr(&after));
	}
	fx_open(b);
	assert_int_equal(fx_sql(b, "PRAGMA user_version"), SQL_MIGRATIONS);
	buf_clear(&before);
	buf_clear(&after);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(test_schema_1_keeps_everything, setup, teardown),
    cmocka_unit_test_setup_teardown(test_killed_while_it_migrates, setup, teardown),
};

int
main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
