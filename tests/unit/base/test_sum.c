/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/sum.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/octets.h"

/* It is stored: other values would make every database look damaged. */
static void
test_values_stay(void **state)
{
	static const struct {
		size_t n;
		uint64_t seed, sum;
	} known[] = {
	    {0, 0, UINT64_C(0x70e012bb4d33cc2e)},
	    {1, 1, UINT64_C(0x152d293018f12a9b)},
	    {32, 7, UINT64_C(0x4b96baf25c4e4e7e)},
	    {100, UINT64_MAX, UINT64_C(0x791a14223e5b6831)},
	};
	uint8_t p[100];

	(void)state;
	for (size_t i = 0; i < sizeof(p); i++)
		p[i] = (uint8_t)(i * 7);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		assert_int_equal(sum_of(p, known[i].n, known[i].seed), known[i].sum);
}

/* Every bit of every length, the length itself, the seed, and words that change places. */
static void
test_changes_show(void **state)
{
	uint8_t p[150], swapped[sizeof(p)];
	uint64_t before;

	(void)state;
	for (size_t i = 0; i < sizeof(p); i++)
		p[i] = (uint8_t)(i * i);
	for (size_t n = 0; n <= sizeof(p); n++) {
		before = sum_of(p, n, 5);
		assert_true(before != sum_of(p, n, 6));
		if (n > 0)
			assert_true(before != sum_of(p, n - 1, 5));
		for (size_t bit = 0; bit < 8 * n; bit++) {
			p[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_true(before != sum_of(p, n, 5));
			p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
	before = sum_of(p, 128, 5);
	for (size_t a = 0; a < 128; a += 8) {
		for (size_t b = a + 8; b < 128; b += 8) {
			memcpy(swapped, p, sizeof(p));
			memcpy(swapped + a, p + b, 8);
			memcpy(swapped + b, p + a, 8);
			assert_true(before != sum_of(swapped, 128, 5));
		}
	}
	memset(p, 0, sizeof(p)); /* zeros in front and behind */
	for (size_t n = 1; n < sizeof(p); n++)
		assert_true(sum_of(p, n, 5) != sum_of(p, n - 1, 5));
}

static void
test_octets_same(void **state)
{
	uint8_t a[64], b[64];

	(void)state;
	for (size_t i = 0; i < sizeof(a); i++)
		a[i] = b[i] = (uint8_t)(i * 3);
	for (size_t n = 0; n < sizeof(a); n++) {
		b[n] ^= 1; /* behind the end */
		assert_true(octets_same(a, b, n));
		b[n] ^= 1;
		for (size_t i = 0; i < n; i++) {
			b[i] ^= 0x80;
			assert_false(octets_same(a, b, n));
			b[i] ^= 0x80;
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_values_stay),
	    cmocka_unit_test(test_changes_show),
	    cmocka_unit_test(test_octets_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
