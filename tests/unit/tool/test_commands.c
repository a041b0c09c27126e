/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands while the daemon is down. */
#include "tests/unit/tool/rig.h"

#include "base/clock.h"
#include "tool/tool.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define S ZR_US_PER_S

/* A daemon that talks nonsense is not believed, and the rest is shown. */
static void
not_json(void **state)
{
	struct zr_err e;
	struct look *l;

	(void)state;
	assert_int_equal(look_open(&l, fx.path, clock_now().wall.us, &e), 0);
	assert_int_equal(look_line(l, "{\"kind\":\"zone\",", &e), -1);
	assert_in(e.text, "malformed JSON");
	assert_int_equal(look_line(l, "{}", &e), 0);
	assert_int_equal(look_line(l, "{\"kind\":\"new\",\"x\":1}", &e), 0);
	look_close(l);
}

/* Every statement of the tool can be prepared. */
static void
statements(void **state)
{
	struct zr_err e;
	struct look *l;

	(void)state;
	assert_int_equal(look_open(&l, fx.path, clock_now().wall.us, &e), 0);
	for (int i = SQL_IN_TOOL_FIRST; i <= SQL_IN_TOOL_LAST; i++) {
		if (strncmp(sql_name[i], "tool_create_", 12) == 0)
			continue; /* done by look_open(): they cannot be prepared twice */
		if (look_stmt(l, (enum sql_id)i, &e) == NULL)
			fail_msg("%s: %s", sql_name[i], e.text);
	}
	look_close(l);
}

/* ---- without a daemon ---- */

static void
states(void **state)
{
	(void)state;
	assert_int_equal(run("zones"), TOOL_OK);
	assert_in(err, "zonerelayd is not running; showing what the database knows");
	assert_in(out, "ZONE           STATE");
	assert_in(out, "\ngood.example   current      10        5");
	assert_in(out, "\nold.example    behind       10        5");
	assert_in(out, "\nfail.example   failing      10        3");
	assert_in(out, "\nlate.example   expired      10        3");
	assert_in(out, "\nempty.example  never         -        0");
	assert_in(out, "10m ago");
	assert_in(out, "connection reset");
	assert_int_equal(run("zones --state behind"), TOOL_OK);
	assert_in(out, "old.example");
	assert_not_in(out, "good.example");
	assert_int_equal(run("zones --state odd"), TOOL_USAGE);
	assert_int_equal(run("zones --limit 1 --json"), TOOL_OK);
	assert_in(out,
	    "[\n{\"name\":\"empty.example\",\"state\":\"never\",\"activity\":null,\"serial\":null");
	assert_not_in(out, "fail.example");
	assert_int_equal(run("status"), TOOL_OK);
	assert_in(out, "zonerelayd      not running");
	assert_in(out, "1 current, 1 behind, 1 failing, 1 expired, 1 never");
	assert_in(out, "1 NOTIFYs owed");
	assert_int_equal(run("-j status"), TOOL_OK);
	assert_in(out, "{\"running\":false,\n\"daemon\":null,");
	assert_in(out, "{\"state\":\"failing\",\"zones\":1}");
}

static void
one_zone(void **state)
{
	(void)state;
	assert_int_equal(run("zone --check GOOD.example."), TOOL_OK);
	assert_in(out, "good.example: current: serial 10, checked 2m ago\n");
	assert_in(out, "content   serial 10, version 1, 5 records");
	assert_in(out, "hidden   192.0.2.53@53  10 1m ago");
	assert_in(out, "bind        192.0.2.80@53  current  10 1m ago  10 1m ago  10 1m ago  -");
	assert_in(out, "10m1s ago  in   AXFR  hidden  192.0.2.53@53     -  10");

	assert_int_equal(run("zone old.example"), TOOL_OK);
	assert_in(out,
	    "old.example: behind: primary hidden has 11, we have 10, last attempt failed "
	    "30s ago (2 in a row): connection reset (hidden), next try in 4m12s (20");
	assert_in(out, "\nhint      the primary broke off");
	assert_in(
	    out, "192.0.2.80@53  behind, acked but not fetched  10 1m ago  10 1m ago  9 1m ago");
	assert_in(out, "nsd         192.0.2.81@53  owed, 3 tries, next now");
	assert_int_equal(run("zone --check old.example"), TOOL_FAILED);

	assert_int_equal(run("zone fail.example"), TOOL_OK);
	assert_in(out, "fail.example: failing: no primary could be asked; serial 10 is served for "
		       "another 59m");
	assert_in(out, "try: dig @192.0.2.53 fail.example SOA\n");
	assert_int_equal(run("zone late.example"), TOOL_OK);
	assert_in(out, "late.example: expired since 20");
	assert_in(out, "(5m ago): serial 10 is not served any more, last attempt failed 30s ago");
	assert_int_equal(run("zone \\102MPTY.example"), TOOL_NO_ZONE);
	assert_int_equal(run("zone \\101..example"), TOOL_USAGE);
	assert_int_equal(run("zone \\069MPTY.example"), TOOL_OK);
	assert_in(out, "empty.example: never loaded: no primary has answered yet");
	assert_int_equal(run("zone other.example"), TOOL_NO_ZONE);
	assert_in(err, "no such zone: other.example");

	assert_int_equal(run("zone --json old.example"), TOOL_OK);
	assert_in(out, "{\"running\":false,\n\"verdict\":\"behind: primary hidden has 11,");
	assert_in(out, "\"state\":\"behind\"");
	assert_in(out, "\"ahead_primary\":\"hidden\",\"ahead_serial\":11,");
	assert_in(out,
	    "\"primaries\":[\n{\"name\":\"hidden\",\"address\":\"192.0.2.53@53\",\"serial\":11,");
	assert_in(out, "\"error_code\":\"closed\"");
}

static void
lists(void **state)
{
	(void)state;
	assert_int_equal(run("transfers"), TOOL_OK);
	assert_in(out, "good.example  10m1s ago  in   AXFR  hidden  192.0.2.53@53     -  10");
	assert_in(out, "2ms  ok\n");
	assert_int_equal(run("transfers --limit 2 --json"), TOOL_OK);
	unsigned rows = 0;
	for (const char *p = out; (p = strstr(p, "\"duration_us\":2500")) != NULL; p++)
		rows++;
	assert_int_equal(rows, 2);
	assert_int_equal(run("transfers old.example"), TOOL_OK);
	assert_not_in(out, "good.example");
	assert_int_equal(run("transfers nope.example"), TOOL_NO_ZONE);
	assert_int_equal(run("transfers empty.example"), TOOL_OK);
	assert_string_equal(out, "no transfer yet\n");
	/* Two zones of bind: one has it, one acknowledged and did not come. */
	assert_int_equal(run("downstreams --json"), TOOL_OK);
	assert_in(out, "{\"name\":\"bind\",\"zones\":2,\"current\":1,\"behind\":1,\"owed\":0,"
		       "\"acked_only\":1,");
	assert_in(out, "{\"name\":\"nsd\",\"zones\":0,\"current\":0,\"behind\":0,\"owed\":1,");
}

static void
needs_daemon(void **state)
{
	static const char *const lines[] = {"refresh good.example", "refresh --all", "reload",
	    "stop", "retransfer good.example", "notify good.example"};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_int_equal(run(lines[i]), TOOL_NO_DAEMON);
		assert_in(err, "zonerelayd is not running");
	}
	assert_int_equal(run("version"), TOOL_OK);
	assert_in(out, "zonerelayd   not running");
}

static void
no_database(void **state)
{
	char path[120];

	(void)state;
	snprintf(path, sizeof(path), "%s", fx.path);
	strcat(fx.path, "-other");
	assert_int_equal(run("zones"), TOOL_NO_DATABASE);
	assert_in(err, "was zonerelayd ever started");
	int fd = open(fx.path, O_CREAT | O_WRONLY, 0600);
	assert_int_equal(write(fd, "this is no database, not at all, it is a text", 45), 45);
	close(fd);
	assert_int_equal(run("zones"), TOOL_NO_DATABASE);
	assert_int_equal(ftruncate(open(fx.path, O_WRONLY), 0), 0);
	assert_int_equal(run("zones"), TOOL_NO_DATABASE);
	assert_in(err, "version 0 of its tables");
	strcpy(fx.path, path);
}

/* ---- export ---- */

static void
export_file(void **state)
{
	char line[256], file[160], tmp[170];

	(void)state;
	load_zone("large", 5000, 3600 * S);
	assert_true(segments > 5);
	snprintf(file, sizeof(file), "%s/large.zone", fx.dir);
	snprintf(tmp, sizeof(tmp), "%s.tmp", file);
	snprintf(line, sizeof(line), "export large.example %s", file);
	assert_int_equal(run(line), TOOL_OK);
	assert_int_equal(access(tmp, F_OK), -1);
	int fd = open(file, O_RDONLY);
	char *text = slurp(fd);
	close(fd);
	const char *body = strchr(text, '\n') + 1;
	assert_in(text, "; large.example serial 10,");
	buf_u8(&expected, 0);
	assert_string_equal(body, (const char *)expected.data);
	free(text);
	/* A damaged database gives no file, and leaves the one that is there. */
	assert_int_equal(
	    fx_sql(&fx, "UPDATE segment SET died = 1 WHERE key = (SELECT max(key) FROM "
			"segment) RETURNING 1"),
	    1);
	assert_int_equal(run(line), TOOL_NO_DATABASE);
	assert_in(err, "records found, 5003 expected");
	assert_int_equal(access(tmp, F_OK), -1);
	assert_int_equal(access(file, F_OK), 0);
	assert_int_equal(run("export large.example /nonexistent/x"), TOOL_FAILED);
	assert_int_equal(run("export nope.example"), TOOL_NO_ZONE);
	assert_int_equal(run("export empty.example"), TOOL_FAILED);
	assert_in(err, "was never loaded");
}

static void
export_stdout(void **state)
{
	(void)state;
	load_zone("last", 3, -S);
	assert_int_equal(run("export last.example -"), TOOL_OK);
	assert_in(err, "has expired; this is its last content");
	buf_u8(&expected, 0);
	assert_string_equal(strchr(out, '\n') + 1, (const char *)expected.data);
	assert_in(out, "\nhost000002\\.x.last.example.");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    RIG_TEST(statements),
	    RIG_TEST(not_json),
	    RIG_TEST(states),
	    RIG_TEST(one_zone),
	    RIG_TEST(lists),
	    RIG_TEST(needs_daemon),
	    RIG_TEST(no_database),
	    RIG_TEST(export_file),
	    RIG_TEST(export_stdout),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
