/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/rand.h"
#include "core/sched.h"

#define S ZR_US_PER_S
#define PEERS 4
#define NODES 64

static struct sched sched;
static struct sched_peer peer[PEERS];
static struct sched_node node[NODES];
static struct zr_mono now, again;
static struct sched_node *got;

static const struct sched_limits unlimited[SCHED_WHAT_COUNT];

static void
start(const struct sched_limits all[SCHED_WHAT_COUNT],
    const struct sched_limits each[SCHED_WHAT_COUNT])
{
	sched_clear(&sched);
	sched_init(&sched, all);
	memset(node, 0, sizeof(node));
	for (unsigned i = 0; i < PEERS; i++)
		sched_peer_init(&peer[i], each);
	now.us = 1000 * S;
}

static void
enqueue(unsigned n, unsigned p, enum sched_what what, enum sched_lane lane)
{
	sched_enqueue(&sched, &node[n], &peer[p], what, lane);
}

static enum sched_verdict
take(void)
{
	return sched_take(&sched, now, &got, &again);
}

static void
assert_grants(unsigned n)
{
	assert_int_equal(take(), SCHED_GRANT);
	assert_ptr_equal(got, &node[n]);
	assert_int_equal(node[n].state, SCHED_GRANTED);
}

static void
assert_nothing(void)
{
	assert_int_equal(take(), SCHED_NOTHING);
	assert_null(got);
}

static void
lanes_in_order(void **state)
{
	(void)state;
	start(unlimited, unlimited);
	for (unsigned lane = LANE_COUNT; lane-- > 0;)
		enqueue(lane, 0, SCHED_SOA, lane);
	for (unsigned lane = 0; lane < LANE_COUNT; lane++)
		assert_grants(lane);
	assert_nothing();
	assert_int_equal(again.us, 0);
}

/* 100 zones of one primary do not come before the only one of another. */
static void
primaries_take_turns(void **state)
{
	(void)state;
	start(unlimited, unlimited);
	for (unsigned i = 0; i < 10; i++)
		enqueue(i, 0, SCHED_SOA, LANE_REFRESH);
	enqueue(20, 1, SCHED_SOA, LANE_REFRESH);
	enqueue(30, 2, SCHED_SOA, LANE_REFRESH);
	enqueue(31, 2, SCHED_SOA, LANE_REFRESH);
	assert_grants(0);
	assert_grants(20);
	assert_grants(30);
	assert_grants(1);
	assert_grants(31);
	for (unsigned i = 2; i < 10; i++)
		assert_grants(i);
	assert_nothing();
}

static void
a_flood_does_not_starve_the_lowest_lane(void **state)
{
	unsigned when = 0;

	(void)state;
	start(unlimited, unlimited);
	enqueue(60, 1, SCHED_SOA, LANE_REFRESH);
	enqueue(61, 1, SCHED_SOA, LANE_START);
	for (unsigned i = 0; i < 40; i++)
		enqueue(i, 0, SCHED_SOA, LANE_NOTIFY);
	for (unsigned i = 0; i < 34; i++) {
		assert_int_equal(take(), SCHED_GRANT);
		if (got == &node[61])
			assert_int_equal(i, 15);
		if (got == &node[60])
			when = i;
	}
	assert_int_equal(when, 31);
}

/*
 * Each NOTIFY leads to one check and one transfer, so the grants of two kinds alternate: the turns
 * of the lowest lane must not always fall upon the same kind, which may have nothing there.
 */
static void
kinds_that_alternate_do_not_starve_the_lowest_lane(void **state)
{
	struct sched_limits all[SCHED_WHAT_COUNT] = {[SCHED_TRANSFER] = {.slots = 1}};
	unsigned running = 1, i;

	(void)state;
	start(all, unlimited);
	enqueue(running, 0, SCHED_TRANSFER, LANE_NOTIFY);
	assert_grants(running);
	enqueue(60, 1, SCHED_TRANSFER, LANE_REFRESH);
	for (i = 0; i < 40 && node[60].state == SCHED_QUEUED; i++) {
		enqueue(0, 0, SCHED_SOA, LANE_NOTIFY);
		assert_grants(0);
		assert_nothing();
		sched_release(&sched, &node[0]);
		enqueue(3 - running, 0, SCHED_TRANSFER, LANE_NOTIFY);
		sched_release(&sched, &node[running]);
		assert_int_equal(take(), SCHED_GRANT);
		running = 3 - running;
	}
	assert_int_equal(i, 15);
}

/* A start that does not trust what it has: a million rechecks keep nobody from what is due. */
static void
rechecks_wait_for_all_and_not_for_ever(void **state)
{
	unsigned starts = 0, rechecks = 0;

	(void)state;
	start(unlimited, unlimited);
	for (unsigned i = 0; i < 8; i++) {
		enqueue(i, 0, SCHED_SOA, LANE_RECHECK);
		enqueue(8 + i, 0, SCHED_SOA, LANE_START);
	}
	for (unsigned i = 16; i < 64; i++)
		enqueue(i, 1, SCHED_SOA, LANE_NOTIFY);
	/* A flood: of 16 grants each of them has one. */
	for (unsigned i = 0; i < 48; i++) {
		assert_int_equal(take(), SCHED_GRANT);
		rechecks += got->lane == LANE_RECHECK;
		starts += got->lane == LANE_START;
	}
	assert_int_equal(rechecks, 3);
	assert_int_equal(starts, 3);
	for (unsigned i = 48; i < 54; i++) /* what the flood has left over */
		assert_int_equal(take(), SCHED_GRANT);
	/* Without one: who is due first. */
	for (unsigned i = 54; i < 64; i++) {
		assert_int_equal(take(), SCHED_GRANT);
		assert_int_equal(got->lane, i == 55 || i >= 60 ? LANE_RECHECK : LANE_START);
	}
	assert_nothing();
}

static void
slots_of_one_and_of_all(void **state)
{
	struct sched_limits all[SCHED_WHAT_COUNT] = {[SCHED_TRANSFER] = {.slots = 3}};
	struct sched_limits each[SCHED_WHAT_COUNT] = {[SCHED_TRANSFER] = {.slots = 2}};

	(void)state;
	start(all, each);
	for (unsigned i = 0; i < 4; i++)
		enqueue(i, 0, SCHED_TRANSFER, LANE_NOTIFY);
	for (unsigned i = 10; i < 14; i++)
		enqueue(i, 1, SCHED_TRANSFER, LANE_NOTIFY);
	enqueue(50, 0, SCHED_SOA, LANE_REFRESH);
	assert_grants(0);
	assert_grants(10);
	assert_grants(1);
	assert_grants(50); /* another kind has its own limits */
	assert_nothing();
	assert_int_equal(again.us, 0);
	sched_release(&sched, &node[10]);
	assert_grants(11);
	assert_nothing();
	sched_release(&sched, &node[11]);
	assert_grants(12);
	sched_release(&sched, &node[0]);
	assert_grants(13); /* primary 0 was passed over while it was full, and stands behind */
	sched_release(&sched, &node[0]); /* no grant any more: nothing happens */
	assert_nothing();
	assert_int_equal(sched.running[SCHED_TRANSFER], 3);
}

/* A full primary comes back by itself when it has a slot, though nobody enqueues. */
static void
parked_primary_comes_back(void **state)
{
	struct sched_limits each[SCHED_WHAT_COUNT] = {[SCHED_TRANSFER] = {.slots = 1}};

	(void)state;
	start(unlimited, each);
	enqueue(0, 0, SCHED_TRANSFER, LANE_START);
	enqueue(1, 0, SCHED_TRANSFER, LANE_START);
	assert_grants(0);
	assert_nothing();
	enqueue(2, 0, SCHED_TRANSFER, LANE_OPERATOR); /* arrives while it is parked */
	assert_nothing();
	sched_release(&sched, &node[0]);
	assert_grants(2);
	assert_nothing();
	sched_release(&sched, &node[2]);
	assert_grants(1);
}

static void
forced_needs_a_transfer_slot_too(void **state)
{
	struct sched_limits all[SCHED_WHAT_COUNT] = {
	    [SCHED_TRANSFER] = {.slots = 2}, [SCHED_FORCED] = {.slots = 5}};
	struct sched_limits each[SCHED_WHAT_COUNT] = {
	    [SCHED_FORCED] = {.slots = 1, .rate = bucket_rate(1, 3)}};

	(void)state;
	start(all, each);
	enqueue(0, 0, SCHED_FORCED, LANE_FORCED);
	enqueue(1, 0, SCHED_FORCED, LANE_FORCED);
	enqueue(2, 1, SCHED_TRANSFER, LANE_NOTIFY);
	enqueue(3, 1, SCHED_TRANSFER, LANE_NOTIFY);
	assert_grants(0);
	assert_grants(2);
	assert_nothing();
	assert_int_equal(sched.running[SCHED_TRANSFER], 2);
	sched_release(&sched, &node[0]);
	assert_int_equal(sched.running[SCHED_TRANSFER], 1);
	assert_grants(1);
	assert_nothing();
	sched_release(&sched, &node[2]);
	assert_grants(3);
}

static void
token_buckets(void **state)
{
	struct sched_limits all[SCHED_WHAT_COUNT] = {[SCHED_SOA] = {.rate = bucket_rate(100, 3)}};
	struct sched_limits each[SCHED_WHAT_COUNT] = {[SCHED_SOA] = {.rate = bucket_rate(10, 2)}};

	(void)state;
	start(all, each);
	for (unsigned i = 0; i < 5; i++)
		enqueue(i, 0, SCHED_SOA, LANE_NOTIFY);
	assert_grants(0);
	assert_grants(1);
	assert_nothing();
	assert_int_equal(again.us, now.us + S / 10); /* of the primary */
	enqueue(10, 1, SCHED_SOA, LANE_NOTIFY);
	enqueue(11, 1, SCHED_SOA, LANE_NOTIFY);
	assert_grants(10);
	assert_nothing();
	assert_int_equal(again.us, now.us + S / 100); /* of all */
	now.us = again.us;
	assert_grants(11);
	assert_nothing();
	now.us += S / 10;
	assert_grants(2);
	assert_nothing();
	assert_int_equal(again.us, 1000 * S + 2 * S / 10);
	for (unsigned i = 0; i < 7; i++)
		sched_release(&sched, &node[i]);
	assert_nothing(); /* a release gives no token back */
}

/* Zones of a backed-off primary are turned away, at once and without using up anything. */
static void
held_primary_is_denied(void **state)
{
	struct sched_limits all[SCHED_WHAT_COUNT] = {[SCHED_SOA] = {.rate = bucket_rate(1, 1)}};

	(void)state;
	start(all, unlimited);
	for (unsigned i = 0; i < 5; i++)
		enqueue(i, 0, SCHED_SOA, LANE_NOTIFY);
	enqueue(10, 1, SCHED_SOA, LANE_START);
	peer[0].hold_us = now.us + S;
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(take(), SCHED_DENY);
		assert_ptr_equal(got, &node[i]);
		assert_int_equal(node[i].state, SCHED_OUT);
	}
	assert_grants(10);
	enqueue(0, 0, SCHED_SOA, LANE_NOTIFY);
	now.us += S;
	assert_grants(0);
}

static void
dequeue_from_anywhere(void **state)
{
	(void)state;
	start(unlimited, unlimited);
	for (unsigned i = 0; i < 5; i++)
		enqueue(i, 0, SCHED_SOA, LANE_NOTIFY);
	sched_dequeue(&sched, &node[0]);
	sched_dequeue(&sched, &node[2]);
	sched_dequeue(&sched, &node[4]);
	sched_dequeue(&sched, &node[4]);
	assert_int_equal(sched.queued[SCHED_SOA], 2);
	assert_grants(1);
	sched_dequeue(&sched, &node[1]); /* granted: not in the queue */
	assert_int_equal(node[1].state, SCHED_GRANTED);
	assert_grants(3);
	assert_nothing();
	assert_false(sched_peer_unused(&peer[0]));
	sched_release(&sched, &node[1]);
	sched_release(&sched, &node[3]);
	assert_true(sched_peer_unused(&peer[0]));
	sched_peer_clear(&sched, &peer[0]);
}

static void
new_limits_count_at_once(void **state)
{
	struct sched_limits each[SCHED_WHAT_COUNT] = {[SCHED_TRANSFER] = {.slots = 1}};

	(void)state;
	start(unlimited, each);
	for (unsigned i = 0; i < 3; i++)
		enqueue(i, 0, SCHED_TRANSFER, LANE_NOTIFY);
	assert_grants(0);
	assert_nothing();
	each[SCHED_TRANSFER].slots = 2;
	sched_peer_set_limits(&sched, &peer[0], each);
	assert_grants(1);
	assert_nothing();
	each[SCHED_TRANSFER].slots = 0;
	sched_peer_set_limits(&sched, &peer[0], each);
	assert_grants(2);
}

/* ---- against a model ---- */

static struct rng rng;

static unsigned
any(unsigned n)
{
	return (unsigned)rng_below(&rng, n);
}

static void
check_counts(const struct sched_limits *all, const struct sched_limits *each)
{
	uint32_t run[SCHED_WHAT_COUNT] = {0}, queued[SCHED_WHAT_COUNT] = {0};

	for (unsigned i = 0; i < NODES; i++) {
		if (node[i].state == SCHED_QUEUED)
			queued[node[i].what]++;
		if (node[i].state == SCHED_GRANTED)
			run[node[i].what]++;
	}
	run[SCHED_TRANSFER] += run[SCHED_FORCED];
	for (unsigned w = 0; w < SCHED_WHAT_COUNT; w++) {
		assert_int_equal(sched.running[w], run[w]);
		assert_int_equal(sched.queued[w], queued[w]);
		assert_true(all[w].slots == 0 || run[w] <= all[w].slots);
		for (unsigned p = 0; p < PEERS; p++) {
			uint32_t slots = each[w].slots;
			assert_true(slots == 0 || peer[p].line[w].running <= slots);
		}
	}
}

/* No slot and no token is exceeded, order is kept, and everything gets its turn. */
static void
random_work(void **state)
{
	const struct sched_limits all[SCHED_WHAT_COUNT] = {
	    [SCHED_SOA] = {.slots = 9, .rate = bucket_rate(50, 5)},
	    [SCHED_TRANSFER] = {.slots = 6},
	    [SCHED_FORCED] = {.slots = 2, .rate = bucket_rate(5, 2)},
	};
	const struct sched_limits each[SCHED_WHAT_COUNT] = {
	    [SCHED_SOA] = {.slots = 4, .rate = bucket_rate(20, 3)},
	    [SCHED_TRANSFER] = {.slots = 2},
	    [SCHED_FORCED] = {.slots = 1, .rate = bucket_rate(2, 1)},
	};
	uint64_t stamp[NODES] = {0}, count = 0;
	unsigned granted = 0, soa = 0;

	(void)state;
	rng_seed(&rng, 7);
	start(all, each);
	int64_t began = now.us;
	for (unsigned i = 0; i < 400000; i++) {
		unsigned n = any(NODES), what = any(100);
		if (what < 40 && node[n].state == SCHED_OUT) {
			enqueue(n, any(PEERS), any(SCHED_WHAT_COUNT), any(LANE_COUNT));
			stamp[n] = ++count;
		} else if (what < 45) {
			sched_dequeue(&sched, &node[n]);
		} else if (what < 75) {
			sched_release(&sched, &node[n]);
		} else if (what < 76) {
			peer[any(PEERS)].hold_us = now.us + any(S);
		} else {
			now.us += any(20000);
		}
		enum sched_verdict v;
		while ((v = take()) != SCHED_NOTHING) {
			unsigned g = (unsigned)(got - node);
			for (unsigned k = 0; k < NODES; k++)
				if (node[k].state == SCHED_QUEUED && v == SCHED_GRANT &&
				    node[k].peer == got->peer && node[k].what == got->what &&
				    node[k].lane == got->lane)
					assert_true(stamp[k] > stamp[g]);
			granted += v == SCHED_GRANT;
			soa += v == SCHED_GRANT && got->what == SCHED_SOA;
		}
		assert_true(again.us == 0 || again.us > now.us);
		check_counts(all, each);
		assert_true(soa <= 5 + (unsigned)((now.us - began) / (S / 50)) + 1);
	}
	assert_true(granted > 20000);
	for (unsigned p = 0; p < PEERS; p++)
		peer[p].hold_us = 0;
	for (unsigned i = 0; i < 10000 && sched.queued[0] + sched.queued[1] + sched.queued[2] > 0;
	     i++) {
		for (unsigned n = 0; n < NODES; n++)
			sched_release(&sched, &node[n]);
		while (take() != SCHED_NOTHING)
			;
		now.us += S / 10;
	}
	assert_int_equal(sched.queued[0] + sched.queued[1] + sched.queued[2], 0);
}

/* A million zones of a thousand primaries: every step stays cheap, and nobody waits for the others.
 */
static void
a_million_zones(void **state)
{
	enum { MILLION = 1000000, MANY = 1000 };
	struct sched_limits all[SCHED_WHAT_COUNT] = {
	    [SCHED_SOA] = {.rate = bucket_rate(100000, 100)}};
	struct sched_limits each[SCHED_WHAT_COUNT] = {[SCHED_SOA] = {.rate = bucket_rate(1000, 1)}};
	struct sched_node *v = calloc(MILLION, sizeof(*v));
	struct sched_peer *p = calloc(MANY, sizeof(*p));
	unsigned grants = 0, rounds = 0, first = 0;

	(void)state;
	assert_non_null(v);
	assert_non_null(p);
	start(all, unlimited);
	for (unsigned i = 0; i < MANY; i++)
		sched_peer_init(&p[i], each);
	/* One primary has half of them. */
	for (unsigned i = 0; i < MILLION; i++)
		sched_enqueue(
		    &sched, &v[i], &p[i % 2 != 0 ? 0 : i / 2 % MANY], SCHED_SOA, LANE_START);
	sched_enqueue(&sched, &node[0], &p[5], SCHED_SOA, LANE_NOTIFY);
	assert_grants(0);
	sched_release(&sched, &node[0]);
	for (unsigned i = 0; i < 500000; i += 2) /* half of them go away again, from all over */
		sched_dequeue(&sched, &v[i]);
	while (sched.queued[SCHED_SOA] > 0 && rounds++ < 20000000) {
		enum sched_verdict x = take();
		if (x == SCHED_GRANT) {
			grants++;
			first += got->peer == &p[0] && grants <= 10 * MANY;
			sched_release(&sched, got);
		} else {
			assert_int_equal(x, SCHED_NOTHING);
			assert_true(again.us > now.us);
			now.us = again.us;
		}
	}
	assert_int_equal(grants, 750000);
	assert_in_range(first, 5, 30);
	for (unsigned i = 0; i < MANY; i++)
		sched_peer_clear(&sched, &p[i]);
	free(v);
	free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lanes_in_order),
	    cmocka_unit_test(primaries_take_turns),
	    cmocka_unit_test(a_flood_does_not_starve_the_lowest_lane),
	    cmocka_unit_test(kinds_that_alternate_do_not_starve_the_lowest_lane),
	    cmocka_unit_test(rechecks_wait_for_all_and_not_for_ever),
	    cmocka_unit_test(slots_of_one_and_of_all),
	    cmocka_unit_test(parked_primary_comes_back),
	    cmocka_unit_test(forced_needs_a_transfer_slot_too),
	    cmocka_unit_test(token_buckets),
	    cmocka_unit_test(held_primary_is_denied),
	    cmocka_unit_test(dequeue_from_anywhere),
	    cmocka_unit_test(new_limits_count_at_once),
	    cmocka_unit_test(random_work),
	    cmocka_unit_test(a_million_zones),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);

	sched_clear(&sched);
	return rc;
}
