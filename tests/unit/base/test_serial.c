/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/serial.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* S-01, S-02: the examples of RFC 1982 section 5.2, for 32 bits. */
static void
test_order_wraps(void **state)
{
	(void)state;
	assert_true(serial_gt(1, 0));
	assert_true(serial_gt(44, 0));
	assert_true(serial_gt(0, UINT32_MAX));
	assert_true(serial_gt(44, UINT32_MAX - 10));
	assert_true(serial_lt(UINT32_MAX, 0));
	assert_true(serial_gt(0x7fffffff, 0));
	assert_true(serial_gt(0, 0x80000001));
	assert_false(serial_gt(0, 0));
	assert_false(serial_lt(5, 5));
}

/* S-03, S-06: at distance 2^31 there is no order, so neither le nor ge holds. */
static void
test_half_way_is_unordered(void **state)
{
	static const uint32_t start[] = {0, 1, 100, 0x7fffffff, 0x80000000, UINT32_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof(start) / sizeof(start[0]); i++) {
		uint32_t a = start[i], b = a + UINT32_C(0x80000000);

		assert_true(serial_incomparable(a, b));
		assert_true(serial_incomparable(b, a));
		assert_false(serial_lt(a, b) || serial_gt(a, b));
		assert_false(serial_le(a, b) || serial_ge(a, b));
		assert_true(serial_gt(b - 1, a));
		assert_true(serial_lt(b + 1, a));
	}
}

static void
test_exactly_one_relation(void **state)
{
	uint32_t a = 0, b = 0x9e3779b9;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		int n = serial_lt(a, b) + serial_gt(a, b) + (a == b) + serial_incomparable(a, b);

		assert_int_equal(n, 1);
		assert_true(serial_lt(a, b) == serial_gt(b, a));
		assert_true(serial_le(a, b) == (serial_lt(a, b) || a == b));
		assert_true(serial_ge(a, b) == (serial_gt(a, b) || a == b));
		a = a * 1664525 + 1013904223;
		b = i % 7 == 0 ? a : b * 22695477 + 1;
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_order_wraps),
	    cmocka_unit_test(test_half_way_is_unordered),
	    cmocka_unit_test(test_exactly_one_relation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
