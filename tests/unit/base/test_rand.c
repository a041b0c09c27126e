/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* 20,000 draws of 16 bits: about 17,200 distinct ones; a stuck pool has far fewer. */
static void
test_ids_fill_their_range(void **state)
{
	static uint8_t seen[65536];
	unsigned distinct = 0, high = 0;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		uint16_t id = rand_id();

		distinct += seen[id] == 0;
		seen[id] = 1;
		high += id >= 0x8000;
	}
	assert_in_range(distinct, 16700, 17700);
	assert_in_range(high, 9500, 10500);
}

/* Every octet of every size is written, and nothing behind. */
static void
test_all_sizes_are_filled(void **state)
{
	static const unsigned size[] = {1, 2, 31, 32, 33, 255, 256, 257, 1000};
	uint8_t p[1001], any[1000];

	(void)state;
	for (size_t i = 0; i < sizeof(size) / sizeof(size[0]); i++) {
		memset(any, 0, sizeof(any));
		for (int round = 0; round < 30; round++) {
			memset(p, 0, sizeof(p));
			rand_secure(p, size[i]);
			assert_int_equal(p[size[i]], 0);
			for (unsigned k = 0; k < size[i]; k++)
				any[k] |= p[k];
		}
		for (unsigned k = 0; k < size[i]; k++)
			assert_int_not_equal(any[k], 0);
	}
}

#define DRAWS 4096

static void *
draw(void *arg)
{
	uint64_t *v = arg;

	for (int i = 0; i < DRAWS; i++)
		rand_secure(&v[i], sizeof(v[i]));
	return NULL;
}

static int
compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void
test_threads_never_share_octets(void **state)
{
	static uint64_t v[4 * DRAWS];
	pthread_t thread[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, draw, v + i * DRAWS), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	qsort(v, 4 * DRAWS, sizeof(v[0]), compare);
	for (int i = 1; i < 4 * DRAWS; i++)
		assert_true(v[i] != v[i - 1]);
}

static void
test_process_key_stays(void **state)
{
	struct rand_key a = rand_process_key(), b = rand_process_key();

	(void)state;
	assert_memory_equal(&a, &b, sizeof(a));
	assert_true(a.k[0] != 0 && a.k[0] != a.k[1]);
}

static void
test_rng_repeats(void **state)
{
	struct rng a, b, c;
	int differ = 0;

	(void)state;
	rng_seed(&a, 42);
	rng_seed(&b, 42);
	rng_seed(&c, 43);
	for (int i = 0; i < 1000; i++) {
		uint64_t v = rng_next(&a);

		assert_true(v == rng_next(&b));
		differ += v != rng_next(&c);
	}
	assert_int_equal(differ, 1000);
	rng_seed(&a, 0);
	assert_true(rng_next(&a) != 0 || rng_next(&a) != 0);
}

static void
test_rng_below(void **state)
{
	unsigned count[3] = {0};
	struct rng r;

	(void)state;
	rng_seed(&r, 7);
	assert_true(rng_below(&r, 0) == 0);
	assert_true(rng_below(&r, 1) == 0);
	for (int i = 0; i < 30000; i++)
		count[rng_below(&r, 3)]++;
	for (int i = 0; i < 3; i++)
		assert_in_range(count[i], 9500, 10500);
	/* Of 3 * 2^62, a plain remainder would take half below 2^62, not a third. */
	count[0] = 0;
	for (int i = 0; i < 30000; i++)
		count[0] += rng_below(&r, UINT64_C(3) << 62) < UINT64_C(1) << 62;
	assert_in_range(count[0], 9500, 10500);
	for (int i = 0; i < 1000; i++) /* nearly half of all draws must be skipped here */
		assert_true(rng_below(&r, (UINT64_C(1) << 63) + 1) <= UINT64_C(1) << 63);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ids_fill_their_range),
	    cmocka_unit_test(test_all_sizes_are_filled),
	    cmocka_unit_test(test_threads_never_share_octets),
	    cmocka_unit_test(test_process_key_stays),
	    cmocka_unit_test(test_rng_repeats),
	    cmocka_unit_test(test_rng_below),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
