/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct ctl_request q;

static int
parse(const char *line)
{
	struct zr_err e;

	return ctl_request_parse(&q, line, strlen(line), &e);
}

static void
words(void **state)
{
	(void)state;
	assert_int_equal(parse("zone example.org"), 0);
	assert_int_equal(q.argc, 2);
	assert_string_equal(q.argv[0], "zone");
	assert_string_equal(q.argv[1], "example.org");
	assert_null(q.argv[2]);
	assert_int_equal(parse("  a \t b\t"), 0);
	assert_int_equal(q.argc, 2);
	assert_string_equal(q.argv[1], "b");
	assert_int_equal(parse("stop\r"), 0);
	assert_string_equal(q.argv[0], "stop");
	assert_int_equal(parse(""), 0);
	assert_int_equal(q.argc, 0);
	assert_int_equal(parse(" \t "), 0);
	assert_int_equal(q.argc, 0);
}

static void
quotes(void **state)
{
	(void)state;
	assert_int_equal(parse("export \"a b\" \"x\\\"y\\\\z\" \"\""), 0);
	assert_int_equal(q.argc, 4);
	assert_string_equal(q.argv[1], "a b");
	assert_string_equal(q.argv[2], "x\"y\\z");
	assert_string_equal(q.argv[3], "");
	/* The escapes of names are not ours. */
	assert_int_equal(parse("zone ex\\046a\\.b"), 0);
	assert_string_equal(q.argv[1], "ex\\046a\\.b");
	assert_int_equal(parse("zone \"open"), -1);
	assert_int_equal(parse("zone \"open\\"), -1);
	assert_int_equal(parse("zone \"a\\b\""), -1);
	assert_int_equal(parse("zone \"a\"b"), -1);
	assert_int_equal(parse("zone a\"b\""), -1);
}

static void
limits(void **state)
{
	char line[CTL_LINE_MAX + 2];
	struct zr_err e;

	(void)state;
	assert_int_equal(parse("a\x01"), -1);
	assert_int_equal(parse("a\x7f"), -1);
	assert_int_equal(parse("a\rb"), -1);
	assert_int_equal(parse("caf\xc3\xa9"), 0);
	assert_int_equal(ctl_request_parse(&q, "a\0b", 3, &e), -1);

	memset(line, 'x', sizeof(line));
	assert_int_equal(ctl_request_parse(&q, line, CTL_LINE_MAX, &e), 0);
	assert_int_equal(strlen(q.argv[0]), CTL_LINE_MAX);
	assert_int_equal(ctl_request_parse(&q, line, CTL_LINE_MAX + 1, &e), -1);
	assert_int_equal(e.code, ZR_LIMIT);

	for (int i = 0; i <= CTL_ARGS_MAX; i++)
		memcpy(line + 2 * i, "w ", 2);
	assert_int_equal(ctl_request_parse(&q, line, 2 * CTL_ARGS_MAX, &e), 0);
	assert_int_equal(q.argc, CTL_ARGS_MAX);
	assert_null(q.argv[CTL_ARGS_MAX]);
	assert_int_equal(ctl_request_parse(&q, line, 2 * CTL_ARGS_MAX + 1, &e), -1);
	assert_int_equal(e.code, ZR_LIMIT);
}

/* What is written is read back as the same words. */
static void
round_trip(void **state)
{
	static const char *const words[] = {
	    "notify", "", " ", "\"", "\\", "a\\046b", "\\\"x y\t", "caf\xc3\xa9", "plain"};
	struct buf b = BUF_INIT;
	struct zr_err e;
	const int n = sizeof(words) / sizeof(words[0]);

	(void)state;
	assert_int_equal(ctl_request_write(&b, n, words, &e), 0);
	assert_int_equal(b.data[b.len - 1], '\n');
	assert_int_equal(ctl_request_parse(&q, (const char *)b.data, b.len - 1, &e), 0);
	assert_int_equal(q.argc, n);
	for (int i = 0; i < n; i++)
		assert_string_equal(q.argv[i], words[i]);
	buf_clear(&b);
}

static void
unsayable(void **state)
{
	const char *bad[] = {"zone", "a\nb"};
	char *big = malloc(CTL_LINE_MAX + 2);
	const char *large[] = {big};
	struct buf b = BUF_INIT;
	struct zr_err e;

	(void)state;
	assert_non_null(big);
	memset(big, 'x', CTL_LINE_MAX + 1);
	big[CTL_LINE_MAX + 1] = '\0';
	assert_int_equal(ctl_request_write(&b, 2, bad, &e), -1);
	buf_reset(&b);
	assert_int_equal(ctl_request_write(&b, 1, large, &e), -1);
	buf_reset(&b);
	big[CTL_LINE_MAX] = '\0';
	assert_int_equal(ctl_request_write(&b, 1, large, &e), 0);
	buf_clear(&b);
	free(big);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(words),
	    cmocka_unit_test(quotes),
	    cmocka_unit_test(limits),
	    cmocka_unit_test(round_trip),
	    cmocka_unit_test(unsayable),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
