/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/primary.h"

#define S ZR_US_PER_S

static struct primary p;
static struct zr_mono now;

static int
setup(void **state)
{
	static const struct sched_limits none[SCHED_WHAT_COUNT];
	struct zr_addr a[3];

	(void)state;
	assert_true(addr_parse("192.0.2.1@53", 53, &a[0]));
	assert_true(addr_parse("192.0.2.2@5353", 53, &a[1]));
	assert_true(addr_parse("2001:db8::1", 53, &a[2]));
	primary_init(&p, 1, a, 3, true, true, none);
	now.us = 1000 * S;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	primary_clear(&p);
	return 0;
}

static void
silence_doubles_the_hold(void **state)
{
	static const int64_t hold[] = {10, 20, 40, 80, 160, 320, 640, 640, 640};

	(void)state;
	for (unsigned i = 0; i < 9; i++) {
		assert_true(primary_failed(&p, 0, ZR_TIMEOUT, now));
		assert_int_equal(p.address[0].hold_us, now.us + hold[i] * S);
		assert_false(primary_failed(&p, 0, ZR_TIMEOUT, now)); /* the same silence again */
		now.us += hold[i] * S - 1;
		assert_int_equal(primary_pick(&p, 0, now), 1);
		now.us += 1;
		assert_int_equal(primary_pick(&p, 0, now), 0);
	}
	primary_ok(&p, 0, now);
	assert_true(primary_failed(&p, 0, ZR_IO, now));
	assert_int_equal(p.address[0].hold_us, now.us + 10 * S);
}

/* Whoever answers lives, whatever the answer. */
static void
answers_are_signs_of_life(void **state)
{
	static const enum zr_code alive[] = {
	    ZR_REFUSED, ZR_SERVFAIL, ZR_NOTIMP, ZR_FORMERR, ZR_BADZONE};

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		primary_failed(&p, 0, ZR_CLOSED, now);
		assert_int_equal(primary_pick(&p, 0, now), 1);
		assert_false(primary_failed(&p, 0, alive[i], now));
		assert_int_equal(primary_pick(&p, 0, now), 0);
	}
}

static void
held_only_when_all_addresses_are(void **state)
{
	(void)state;
	primary_failed(&p, 0, ZR_TIMEOUT, now);
	primary_failed(&p, 1, ZR_TIMEOUT, now);
	assert_true(primary_ready_at(&p).us <= now.us);
	now.us += S;
	primary_failed(&p, 2, ZR_TIMEOUT, now);
	assert_int_equal(primary_ready_at(&p).us, now.us + 9 * S);
	assert_int_equal(p.peer.hold_us, now.us + 9 * S);
	assert_int_equal(primary_pick(&p, 0, now), -1);
	primary_notified(&p, 2);
	assert_int_equal(primary_pick(&p, 0, now), 2);
	assert_int_equal(primary_ready_at(&p).us, 0);
}

/* A NOTIFY ends the hold, but not the memory of it. */
static void
notify_clears_the_hold(void **state)
{
	(void)state;
	primary_failed(&p, 0, ZR_TIMEOUT, now);
	primary_failed(&p, 1, ZR_TIMEOUT, now);
	primary_notified(&p, -1);
	assert_int_equal(primary_pick(&p, 0, now), 0);
	assert_int_equal(primary_pick(&p, 1, now), 1);
	primary_failed(&p, 0, ZR_TIMEOUT, now);
	assert_int_equal(p.address[0].hold_us, now.us + 20 * S);
}

static void
finds_addresses_without_their_port(void **state)
{
	struct zr_addr a;

	(void)state;
	assert_true(addr_parse("192.0.2.2@1", 53, &a));
	assert_int_equal(primary_find(&p, &a), 1);
	assert_true(addr_parse("192.0.2.3@53", 53, &a));
	assert_int_equal(primary_find(&p, &a), -1);
}

static void
memory_of_edns_and_ixfr(void **state)
{
	(void)state;
	assert_true(primary_use_edns(&p, 0, now));
	primary_edns_failed(&p, 0, now);
	assert_false(primary_use_edns(&p, 0, now));
	assert_true(primary_use_edns(&p, 1, now));
	now.us += PRIMARY_PLAIN_US;
	assert_true(primary_use_edns(&p, 0, now));

	primary_ixfr_failed(&p, false, now);
	primary_ixfr_failed(&p, false, now);
	primary_ixfr_ok(&p);
	primary_ixfr_failed(&p, false, now);
	primary_ixfr_failed(&p, false, now);
	assert_true(primary_use_ixfr(&p, now));
	primary_ixfr_failed(&p, false, now);
	assert_false(primary_use_ixfr(&p, now));
	now.us += PRIMARY_IXFR_OFF_US;
	assert_true(primary_use_ixfr(&p, now));
	primary_ixfr_failed(&p, true, now);
	assert_false(primary_use_ixfr(&p, now));
	primary_ixfr_ok(&p);
	assert_true(primary_use_ixfr(&p, now));
	p.ixfr = p.edns = false;
	assert_false(primary_use_ixfr(&p, now));
	assert_false(primary_use_edns(&p, 1, now));
}

static void
addresses_out_of_range_are_ignored(void **state)
{
	(void)state;
	assert_false(primary_failed(&p, 3, ZR_TIMEOUT, now));
	primary_ok(&p, 3, now);
	primary_edns_failed(&p, 3, now);
	assert_false(primary_use_edns(&p, 3, now));
	assert_int_equal(primary_pick(&p, 3, now), -1);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(silence_doubles_the_hold),
	    T(answers_are_signs_of_life),
	    T(held_only_when_all_addresses_are),
	    T(notify_clears_the_hold),
	    T(finds_addresses_without_their_port),
	    T(memory_of_edns_and_ixfr),
	    T(addresses_out_of_range_are_ignored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
