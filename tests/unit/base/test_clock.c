/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <time.h>

static void
test_now_moves_forward(void **state)
{
	struct zr_now a = clock_now(), b = clock_now();

	(void)state;
	assert_true(a.mono.us > 0);
	assert_true(b.mono.us >= a.mono.us);
	assert_true(a.wall.us > INT64_C(1577836800) * ZR_US_PER_S); /* 2020 is over */
}

static void
text_is(int64_t us, bool ms, const char *want)
{
	char out[CLOCK_RFC3339_LEN];

	clock_rfc3339((struct zr_wall){us}, ms, out);
	assert_string_equal(out, want);
}

static void
test_rfc3339(void **state)
{
	(void)state;
	/* Local time must not matter. */
	setenv("TZ", "America/St_Johns", 1);
	tzset();
	text_is(INT64_C(1795243501123456), true, "2026-11-21T06:45:01.123Z");
	text_is(INT64_C(1795243501123456), false, "2026-11-21T06:45:01Z");
	text_is(INT64_C(951782400000999), true, "2000-02-29T00:00:00.000Z");
	text_is(1, true, "1970-01-01T00:00:00.000Z");
	text_is(INT64_C(253402300799999999), true, "9999-12-31T23:59:59.999Z");
}

static void
test_unset_or_absurd_is_a_dash(void **state)
{
	(void)state;
	text_is(0, true, "-");
	text_is(-1, false, "-");
	text_is(INT64_C(253402300800000000), true, "-"); /* year 10000 */
	text_is(INT64_MAX, true, "-");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_now_moves_forward),
	    cmocka_unit_test(test_rfc3339),
	    cmocka_unit_test(test_unset_or_absurd_is_a_dash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
