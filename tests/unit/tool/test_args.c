/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/args.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct args a;
static struct zr_err e;

/* Words separated by single blanks; parsed behind a program name. */
static int
parse(const char *line)
{
	static char text[512];
	static const char *argv[32];
	int argc = 1;

	argv[0] = "zonerelayctl";
	strcpy(text, line);
	for (char *p = strtok(text, " "); p != NULL; p = strtok(NULL, " "))
		argv[argc++] = p;
	e.text[0] = '\0';
	return args_parse(&a, argc, argv, &e);
}

static void
assert_refused(const char *line, const char *word)
{
	assert_int_equal(parse(line), -1);
	if (strstr(e.text, word) == NULL)
		fail_msg("\"%s\" says \"%s\", without \"%s\"", line, e.text, word);
}

static void
plain(void **state)
{
	(void)state;
	assert_int_equal(parse("status"), 0);
	assert_string_equal(a.command->name, "status");
	assert_int_equal(a.operands, 0);
	assert_int_equal(a.limit, -1);
	assert_false(a.json);
	assert_int_equal(parse("zone example.org"), 0);
	assert_string_equal(a.operand[0], "example.org");
	assert_int_equal(parse("notify example.org bind"), 0);
	assert_string_equal(a.operand[1], "bind");
	assert_int_equal(parse("notify --axfr -w -t 5s example.org"), 0);
	assert_true(a.axfr);
	assert_true(a.wait);
	assert_int_equal(a.timeout_us, 5000000);
	assert_int_equal(parse("export example.org -"), 0);
	assert_string_equal(a.operand[1], "-");
}

/* Options stand anywhere, long or short, joined or apart. */
static void
options(void **state)
{
	static const char *const same[] = {"-c f -d g -s h -j refresh -w -t 90s x",
	    "refresh x -cf -dg -sh -jw -t90s",
	    "--config=f refresh --database=g x --socket h --json --wait --timeout=90s",
	    "--config f --database g -jwt 90s refresh x -s h",
	    "refresh -jw --socket=h --timeout 90s -c f -d g -- x"};

	(void)state;
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		assert_int_equal(parse(same[i]), 0);
		assert_string_equal(a.command->name, "refresh");
		assert_string_equal(a.operand[0], "x");
		assert_string_equal(a.config, "f");
		assert_string_equal(a.database, "g");
		assert_string_equal(a.socket, "h");
		assert_true(a.json);
		assert_true(a.wait);
		assert_int_equal(a.timeout_us, 90000000);
	}
	assert_int_equal(parse("zones --state failing -n 10"), 0);
	assert_string_equal(a.state, "failing");
	assert_int_equal(a.limit, 10);
	assert_true(a.limit_given);
	assert_int_equal(parse("zones --limit=0"), 0);
	assert_int_equal(a.limit, 0);
	/* Behind "--" nothing is an option; a name may begin with a minus. */
	assert_int_equal(parse("zone -- -c"), 0);
	assert_string_equal(a.operand[0], "-c");
	assert_int_equal(parse("-- zone --json"), 0);
	assert_string_equal(a.operand[0], "--json");
	assert_int_equal(parse("refresh --all"), 0);
	assert_true(a.all);
	assert_int_equal(a.operands, 0);
}

static void
send_notify(void **state)
{
	(void)state;
	assert_int_equal(
	    parse("send-notify --type axfr --tcp --source 127.0.0.2 --timeout 1 --tries 4 "
		  "--key k --key-file f x 127.0.0.1 ::1@5300 192.0.2.1"),
	    0);
	assert_true(a.command->alone);
	assert_string_equal(a.type, "axfr");
	assert_true(a.tcp);
	assert_string_equal(a.source, "127.0.0.2");
	assert_int_equal(a.timeout_us, 1000000);
	assert_int_equal(a.tries, 4);
	assert_string_equal(a.key, "k");
	assert_string_equal(a.key_file, "f");
	assert_false(a.serial_given);
	assert_int_equal(a.operands, 4);
	assert_string_equal(a.operand[3], "192.0.2.1");
	assert_int_equal(parse("send-notify x 127.0.0.1 --serial 4294967295"), 0);
	assert_true(a.serial_given);
	assert_int_equal(a.serial, 4294967295);
	assert_int_equal(parse("send-notify x 127.0.0.1 --serial=0"), 0);
	assert_true(a.serial_given);
	assert_refused("send-notify x", "expected: ");
	assert_refused("send-notify x y --serial 4294967296", "not a serial");
	assert_refused("send-notify x y --serial -1", "not a serial");
	assert_refused("send-notify x y --wait", "takes no --wait");
	assert_refused("zone x --tcp", "takes no --tcp");
	assert_refused("refresh x --axfr", "takes no --axfr");
}

static void
help(void **state)
{
	(void)state;
	assert_int_equal(parse("--help"), 0);
	assert_true(a.help);
	assert_int_equal(parse("-V"), 0);
	assert_true(a.version);
	assert_int_equal(parse("zone -h"), 0);
	assert_true(a.help);
}

static void
wrong(void **state)
{
	(void)state;
	assert_refused("", "a command");
	assert_refused("--json", "a command");
	assert_refused("statsu", "unknown command statsu");
	assert_refused("status now", "too many: now");
	assert_refused("zone", "expected: [--check] NAME");
	assert_refused("notify a b c", "too many");
	assert_refused("zone a --nope", "unknown option --nope");
	assert_refused("zone a --conf x", "unknown option --conf");
	assert_refused("zone a -x", "unknown option -x");
	assert_refused("zone a --config", "needs a value");
	assert_refused("zone a -c", "needs a value");
	assert_refused("zone a --json=yes", "takes no value");
	assert_refused("zone a --wait", "takes no --wait");
	assert_refused("status --limit 3", "takes no --limit");
	assert_refused("zones --limit x", "not a count");
	assert_refused("zones --limit -1", "not a count");
	assert_refused("zones --limit 99999999999", "not a count");
	assert_refused("refresh a --wait -t soon", "not a duration");
	assert_refused("refresh a -t 5s", "goes with --wait");
	assert_refused("refresh --all a", "not both");
	assert_refused("refresh a --all", "not both");
	assert_refused("refresh --all --wait", "one zone");
	assert_refused("retransfer --all", "takes no --all");
	assert_refused("refresh", "NAME | --all");
}

/* The tables agree with each other: every command can be called as its usage says. */
static void
tables(void **state)
{
	(void)state;
	for (unsigned i = 0; i < args_command_count; i++) {
		const struct args_command *c = &args_commands[i];
		assert_true(c->min <= c->max && c->max <= ARGS_OPERANDS);
		assert_non_null(c->run);
		assert_true(*c->what != '\0');
		assert_true(!c->zone || strstr(c->operands, "NAME") != NULL);
		assert_true((c->max > 0) == (strstr(c->operands, "NAME") != NULL));
		assert_true(
		    ((c->options & ARG_ALL) != 0) == (strstr(c->operands, "--all") != NULL));
		assert_true(
		    ((c->options & ARG_WAIT) != 0) == (strstr(c->operands, "--wait") != NULL));
		assert_true(
		    ((c->options & ARG_LIMIT) != 0) == (strstr(c->operands, "--limit") != NULL));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(plain),
	    cmocka_unit_test(options),
	    cmocka_unit_test(send_notify),
	    cmocka_unit_test(help),
	    cmocka_unit_test(wrong),
	    cmocka_unit_test(tables),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
