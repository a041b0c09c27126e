/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void
test_fail_fills_code_and_text(void **state)
{
	struct zr_err e = {0};

	(void)state;
	assert_int_equal(zr_fail(&e, ZR_LIMIT, "more than %d records", 7), -1);
	assert_int_equal(e.code, ZR_LIMIT);
	assert_string_equal(e.text, "more than 7 records");
}

static void
test_fail_accepts_null(void **state)
{
	(void)state;
	assert_int_equal(zr_fail(NULL, ZR_IO, "x"), -1);
	assert_int_equal(zr_fail_in(NULL, "x"), -1);
	zr_err_clear(NULL);
}

static void
test_long_text_is_cut(void **state)
{
	char text[2 * ZR_ERR_TEXT];
	struct zr_err e;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	zr_fail(&e, ZR_FORMERR, "%s", text);
	assert_int_equal(strlen(e.text), ZR_ERR_TEXT - 1);
	zr_fail_in(&e, "zone");
	assert_int_equal(strlen(e.text), ZR_ERR_TEXT - 1);
	assert_memory_equal(e.text, "zone: xxx", 9);
	zr_fail_in(&e, "%s", text);
	assert_int_equal(strlen(e.text), ZR_ERR_TEXT - 1);
}

static void
test_fail_in_prefixes_and_keeps_the_code(void **state)
{
	struct zr_err e;

	(void)state;
	zr_fail(&e, ZR_DB, "disk full");
	assert_int_equal(zr_fail_in(&e, "zone %s", "example.org"), -1);
	assert_int_equal(e.code, ZR_DB);
	assert_string_equal(e.text, "zone example.org: disk full");
	zr_err_clear(&e);
	assert_int_equal(e.code, ZR_OK);
	assert_string_equal(e.text, "");
}

static void
test_names_are_distinct(void **state)
{
	(void)state;
	assert_string_equal(zr_code_name(ZR_OK), "ok");
	assert_string_equal(zr_code_name(ZR_INTERNAL), "internal");
	assert_string_equal(zr_code_name(ZR_CODE_COUNT), "unknown");
	for (int i = 0; i < ZR_CODE_COUNT; i++) {
		assert_non_null(zr_code_name((enum zr_code)i));
		for (int k = 0; k < i; k++)
			assert_string_not_equal(
			    zr_code_name((enum zr_code)i), zr_code_name((enum zr_code)k));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_fail_fills_code_and_text),
	    cmocka_unit_test(test_fail_accepts_null),
	    cmocka_unit_test(test_long_text_is_cut),
	    cmocka_unit_test(test_fail_in_prefixes_and_keeps_the_code),
	    cmocka_unit_test(test_names_are_distinct),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
