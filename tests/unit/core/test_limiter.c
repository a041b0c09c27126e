/* SPDX-License-Identifier: BSD-2-Clause */
/* Token buckets, and the bounded table of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/rand.h"
#include "core/limiter.h"

#define S ZR_US_PER_S

static void
bucket_gives_its_burst_and_then_its_rate(void **state)
{
	struct bucket_rate r = bucket_rate(10, 5);
	struct bucket b = {0};
	int64_t now = 1000 * S;

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		assert_true(bucket_take(&b, &r, now));
	assert_false(bucket_take(&b, &r, now));
	assert_int_equal(bucket_ready_us(&b, &r, now), now + S / 10);
	assert_false(bucket_take(&b, &r, now + S / 10 - 1));
	assert_true(bucket_take(&b, &r, now + S / 10));
	assert_false(bucket_take(&b, &r, now + S / 10));
	/* Long idle: the burst again, not more. */
	now += 1000 * S;
	for (unsigned i = 0; i < 5; i++)
		assert_true(bucket_take(&b, &r, now));
	assert_false(bucket_take(&b, &r, now));
	bucket_return(&b, &r);
	assert_true(bucket_take(&b, &r, now));
	assert_false(bucket_take(&b, &r, now));
}

static void
bucket_reserves_places_in_a_queue(void **state)
{
	struct bucket_rate r = bucket_rate(20, 2);
	struct bucket b = {0};
	int64_t now = 5 * S;

	(void)state;
	assert_int_equal(bucket_reserve(&b, &r, now), now);
	assert_int_equal(bucket_reserve(&b, &r, now), now);
	for (int i = 1; i < 100; i++)
		assert_int_equal(bucket_reserve(&b, &r, now), now + i * S / 20);
	assert_false(bucket_take(&b, &r, now + S));
}

static void
bucket_rates_at_the_edges(void **state)
{
	struct bucket_rate none = bucket_rate(0, 0), fast = bucket_rate(UINT32_MAX, UINT32_MAX);
	struct bucket_rate slow = bucket_rate_every(INT64_MAX, UINT32_MAX);
	struct bucket_rate odd = bucket_rate_every(-5, 0);
	struct bucket b = {0};

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		assert_true(bucket_take(&b, &none, 1));
		assert_true(bucket_take(&b, &odd, 1));
	}
	assert_int_equal(b.full_us, 0);
	for (unsigned i = 0; i < 1000; i++)
		assert_true(bucket_take(&b, &fast, 1));
	struct bucket c = {0};
	for (unsigned i = 0; i < 100000; i++)
		bucket_take(&c, &slow, INT64_C(1) << 52); /* no overflow: UBSan watches */
}

/* Never more than burst + rate x time, whatever the pattern. */
static void
bucket_bound_holds_at_random(void **state)
{
	struct bucket_rate r = bucket_rate(7, 3);
	struct bucket b = {0};
	struct rng rng;
	int64_t now = S, began = S;
	int64_t taken = 0;

	(void)state;
	rng_seed(&rng, 3);
	for (unsigned i = 0; i < 200000; i++) {
		now += (int64_t)rng_below(&rng, 300000);
		bool ready = bucket_ready_us(&b, &r, now) <= now;
		assert_int_equal(bucket_take(&b, &r, now), ready);
		taken += ready;
		assert_true(taken <= 3 + (now - began) / r.interval_us + 1);
	}
	assert_true(taken > (now - began) / r.interval_us / 2);
}

static struct zr_addr
address(const char *text)
{
	struct zr_addr a;

	assert_true(addr_parse_ip(text, &a));
	return a;
}

static void
sources_have_their_own_buckets(void **state)
{
	struct limiter *l = limiter_new(bucket_rate(1, 2), 64);
	struct zr_addr a = address("192.0.2.1"), b = address("192.0.2.2");
	struct zr_mono now = {100 * S};

	(void)state;
	assert_true(limiter_take(l, &a, now));
	assert_true(limiter_take(l, &a, now));
	assert_false(limiter_take(l, &a, now));
	assert_true(limiter_take(l, &b, now));
	a.port = 4711; /* the port makes no difference */
	assert_false(limiter_take(l, &a, now));
	now.us += S;
	assert_true(limiter_take(l, &a, now));
	limiter_set_rate(l, bucket_rate(0, 0));
	for (unsigned i = 0; i < 100; i++)
		assert_true(limiter_take(l, &a, now));
	limiter_free(l);
	limiter_free(NULL);
}

/* IPv6 by /64. */
static void
ipv6_counts_by_its_network(void **state)
{
	struct limiter *l = limiter_new(bucket_rate(1, 2), 64);
	struct zr_addr a = address("2001:db8::1"), b = address("2001:db8::ffff:1");
	struct zr_addr c = address("2001:db8:0:1::1");
	struct zr_mono now = {100 * S};

	(void)state;
	assert_true(limiter_take(l, &a, now));
	assert_true(limiter_take(l, &b, now));
	assert_false(limiter_take(l, &b, now));
	assert_true(limiter_take(l, &c, now));
	limiter_free(l);
}

/*
 * A million forged sources: the table does not grow, and an honest source that is over its rate
 * cannot be helped by them as long as its bucket is emptier than theirs.
 */
static void
forged_sources_cost_no_memory(void **state)
{
	struct limiter *l = limiter_new(bucket_rate(50, 200), 4096);
	struct zr_addr a = address("10.0.0.1"), loud = address("192.0.2.1");
	struct zr_mono now = {100 * S};
	size_t before = limiter_bytes(l);
	unsigned passed = 0;

	(void)state;
	assert_true(before <= 4096 * 16 + 256);
	for (uint32_t i = 0; i < 1000000; i++) {
		memcpy(a.ip, &i, 4);
		assert_true(limiter_take(l, &a, now));
		passed += limiter_take(l, &loud, now);
	}
	assert_int_equal(limiter_bytes(l), before);
	assert_int_equal(passed, 200);
	limiter_free(l);
}

static void
what_costs_more_makes_the_next_wait(void **state)
{
	struct limiter *l = limiter_new(bucket_rate(100, 100), 16);
	struct zr_mono now = {1000 * S};
	struct zr_addr a = {.family = 4, .ip = {1, 2, 3, 4}};

	(void)state;
	/* 49, 98, and one more that owes what is not there. */
	for (unsigned i = 0; i < 3; i++)
		assert_true(limiter_take_cost(l, &a, 49, now));
	assert_false(limiter_take(l, &a, now));
	now.us += 47 * S / 100;
	assert_false(limiter_take(l, &a, now));
	now.us += S / 100;
	assert_true(limiter_take(l, &a, now));
	assert_false(limiter_take_cost(l, &a, 49, now));
	limiter_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bucket_gives_its_burst_and_then_its_rate),
	    cmocka_unit_test(bucket_reserves_places_in_a_queue),
	    cmocka_unit_test(bucket_rates_at_the_edges),
	    cmocka_unit_test(bucket_bound_holds_at_random),
	    cmocka_unit_test(sources_have_their_own_buckets),
	    cmocka_unit_test(ipv6_counts_by_its_network),
	    cmocka_unit_test(forged_sources_cost_no_memory),
	    cmocka_unit_test(what_costs_more_makes_the_next_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
