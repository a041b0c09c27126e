/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Limits of forced transfers, per primary and over all (AN-13, R-01): what is above them waits, in
 * turn, and is not lost; and a flood of them delays nobody else's work.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/rand.h"
#include "core/sched.h"

#define S ZR_US_PER_S
#define PEERS 24
#define NODES 2000

/* One zone at a time of each node; its transfer ends at `until`. */
static struct sched sched;
static struct sched_peer peer[PEERS];
static struct sched_node node[NODES];
static int64_t asked[NODES], granted[NODES], until[NODES];
static unsigned grants[PEERS][SCHED_WHAT_COUNT];
static struct zr_mono now;
static struct rng rng;

static void
start(const struct sched_limits all[SCHED_WHAT_COUNT],
    const struct sched_limits each[SCHED_WHAT_COUNT])
{
	sched_clear(&sched);
	sched_init(&sched, all);
	memset(node, 0, sizeof(node));
	memset(until, 0, sizeof(until));
	memset(granted, 0, sizeof(granted));
	memset(grants, 0, sizeof(grants));
	for (unsigned i = 0; i < PEERS; i++)
		sched_peer_init(&peer[i], each);
	now.us = 1000 * S;
	rng_seed(&rng, 1);
}

static void
enqueue(unsigned n, unsigned p, enum sched_what what)
{
	static const enum sched_lane lanes[] = {LANE_REFRESH, LANE_NOTIFY, LANE_FORCED};

	sched_enqueue(&sched, &node[n], &peer[p], what, lanes[what]);
	asked[n] = now.us;
	granted[n] = 0;
}

/* Grants what may begin; each takes so long. */
static void
grant_all(int64_t least, int64_t most)
{
	struct sched_node *got;
	struct zr_mono again;

	while (sched_take(&sched, now, &got, &again) == SCHED_GRANT) {
		unsigned n = (unsigned)(got - node);
		granted[n] = now.us;
		until[n] = now.us + least + (int64_t)rng_below(&rng, (uint64_t)(most - least) + 1);
		grants[got->peer - peer][got->what]++;
	}
}

static void
release_ended(void)
{
	for (unsigned i = 0; i < NODES; i++)
		if (node[i].state == SCHED_GRANTED && until[i] <= now.us)
			sched_release(&sched, &node[i]);
}

/* The configuration's defaults: 60 and 600 a minute. */
static const struct sched_limits all_default[SCHED_WHAT_COUNT] = {
    [SCHED_SOA] = {.rate = {S / 100, 100}},
    [SCHED_TRANSFER] = {.slots = 20},
    [SCHED_FORCED] = {.slots = 10, .rate = {S / 10, 50}},
};
static const struct sched_limits each_default[SCHED_WHAT_COUNT] = {
    [SCHED_TRANSFER] = {.slots = 6},
    [SCHED_FORCED] = {.slots = 4, .rate = {S, 10}},
};

/* 1000 zones of one primary at once: the burst, then one a second; the last is not forgotten. */
static void
flood_of_one_primary(void **state)
{
	unsigned done = 0;

	(void)state;
	start(all_default, each_default);
	int64_t began = now.us;
	for (unsigned i = 0; i < 1000; i++)
		enqueue(i, 0, SCHED_FORCED);
	while (done < 1000) {
		unsigned running = 0;
		release_ended();
		grant_all(S / 10, 2 * S);
		done = grants[0][SCHED_FORCED];
		for (unsigned i = 0; i < 1000; i++)
			running += node[i].state == SCHED_GRANTED;
		assert_true(running <= 4);
		assert_true(done <= 10 + (now.us - began) / S);
		now.us += S / 10;
		assert_true(now.us - began < 1200 * S);
	}
	/* First come, first served. */
	for (unsigned i = 1; i < 1000; i++)
		assert_true(granted[i] >= granted[i - 1]);
	assert_in_range(now.us - began, 990 * S, 1100 * S);
}

/* Meanwhile checks and transfers of others, and their own forced ones, begin at once. */
static void
flood_delays_nobody_else(void **state)
{
	(void)state;
	start(all_default, each_default);
	for (unsigned i = 0; i < 1000; i++)
		enqueue(i, 0, SCHED_FORCED);
	for (unsigned t = 0; t < 3000; t++) {
		unsigned n = 1000 + t % 30 * 3, p = 1 + t % 5;
		release_ended();
		for (unsigned w = 0; w < SCHED_WHAT_COUNT && t % 10 == 0; w++)
			if (node[n + w].state == SCHED_OUT)
				enqueue(n + w, p, (enum sched_what)w);
		grant_all(S / 20, S / 5);
		for (unsigned w = 0; w < SCHED_WHAT_COUNT && t % 10 == 0; w++)
			assert_int_equal(granted[n + w], now.us);
		/* The primary that is flooded itself is checked, and gives ordinary transfers. */
		if (t % 10 == 5) {
			enqueue(1900, 0, SCHED_SOA);
			enqueue(1901, 0, SCHED_TRANSFER);
			grant_all(0, 0);
			assert_int_equal(granted[1900], now.us);
			assert_int_equal(granted[1901], now.us);
			sched_release(&sched, &node[1900]);
			sched_release(&sched, &node[1901]);
		}
		now.us += S / 10;
	}
	assert_in_range(grants[0][SCHED_FORCED], 300, 311);
}

/* All primaries are flooded: the limit over all holds, and they take turns. */
static void
flood_of_all(void **state)
{
	unsigned total = 0, least = UINT32_MAX, most = 0;

	(void)state;
	start(all_default, each_default);
	int64_t began = now.us;
	for (unsigned i = 0; i < NODES - 1; i++)
		enqueue(i, i % (PEERS - 1), SCHED_FORCED);
	while (now.us - began < 60 * S) {
		unsigned running = 0;
		release_ended();
		grant_all(S / 10, S / 2);
		total = 0;
		for (unsigned p = 0; p < PEERS; p++)
			total += grants[p][SCHED_FORCED];
		for (unsigned i = 0; i < NODES; i++)
			running += node[i].state == SCHED_GRANTED;
		assert_true(running <= 10);
		assert_true(total <= 50 + (now.us - began) / (S / 10));
		now.us += S / 50;
	}
	for (unsigned p = 0; p < PEERS - 1; p++) {
		least = grants[p][SCHED_FORCED] < least ? grants[p][SCHED_FORCED] : least;
		most = grants[p][SCHED_FORCED] > most ? grants[p][SCHED_FORCED] : most;
	}
	assert_true(total > 600);
	assert_true(most - least <= 2);
	/* One that comes late waits for one turn of the others. */
	enqueue(NODES - 1, PEERS - 1, SCHED_FORCED);
	while (granted[NODES - 1] == 0) {
		release_ended();
		grant_all(S / 10, S / 2);
		now.us += S / 50;
	}
	assert_true(granted[NODES - 1] - asked[NODES - 1] < (PEERS + 1) * S / 10);
}

/* What is enqueued again and again is coalesced by the zone; the tokens are used for work alone. */
static void
no_token_for_what_is_withdrawn(void **state)
{
	struct sched_node *got;
	struct zr_mono again;

	(void)state;
	start(all_default, each_default);
	for (unsigned i = 0; i < 10000; i++) {
		enqueue(i % NODES, 0, SCHED_FORCED);
		sched_dequeue(&sched, &node[i % NODES]);
	}
	for (unsigned i = 0; i < 10; i++) {
		enqueue(i, 0, SCHED_FORCED);
		assert_int_equal(sched_take(&sched, now, &got, &again), SCHED_GRANT);
		sched_release(&sched, &node[i]);
	}
	enqueue(10, 0, SCHED_FORCED);
	assert_int_equal(sched_take(&sched, now, &got, &again), SCHED_NOTHING);
	assert_int_equal(again.us, now.us + S);
}

/* Fewer slots after a reload, while more are in use; nothing is lost, and none begins too early. */
static void
limits_that_shrink(void **state)
{
	struct sched_limits less[SCHED_WHAT_COUNT] = {
	    [SCHED_TRANSFER] = {.slots = 1}, [SCHED_FORCED] = {.slots = 1, .rate = {10 * S, 1}}};
	unsigned running = 0;

	(void)state;
	start(all_default, each_default);
	for (unsigned i = 0; i < 20; i++)
		enqueue(i, 0, SCHED_FORCED);
	grant_all(S, S);
	assert_int_equal(grants[0][SCHED_FORCED], 4);
	sched_peer_set_limits(&sched, &peer[0], less);
	for (unsigned t = 0; t < 4000 && sched.queued[SCHED_FORCED] > 0; t++) {
		release_ended();
		grant_all(S, S);
		running = 0;
		for (unsigned i = 0; i < 20; i++)
			running += node[i].state == SCHED_GRANTED;
		assert_true(running <= (t < 10 ? 4 : 1));
		now.us += S / 10;
	}
	assert_int_equal(sched.queued[SCHED_FORCED], 0);
}

/* Who has stepped aside finds its place again, whether or not the line is empty or put aside. */
static void
back_to_the_front(void **state)
{
	static const unsigned order[] = {5, 2, 0, 1, 3, 4, 6};
	static const struct sched_limits one[SCHED_WHAT_COUNT] = {
	    [SCHED_FORCED] = {.rate = {S, 1}}};

	(void)state;
	start(all_default, one);
	for (unsigned i = 0; i < 8; i++)
		enqueue(i, 0, SCHED_FORCED);
	sched_dequeue(&sched, &node[2]);
	sched_dequeue(&sched, &node[5]);
	sched_dequeue(&sched, &node[7]);
	sched_enqueue_first(&sched, &node[2], &peer[0], SCHED_FORCED, LANE_FORCED);
	sched_enqueue_first(&sched, &node[5], &peer[0], SCHED_FORCED, LANE_FORCED);
	for (unsigned i = 0; i < 7; i++) {
		grant_all(S / 2, S / 2);
		assert_int_equal(grants[0][SCHED_FORCED], i + 1);
		assert_int_equal(granted[order[i]], now.us);
		now.us += S;
		release_ended();
	}
	assert_int_equal(sched.queued[SCHED_FORCED], 0);
	sched_enqueue_first(&sched, &node[7], &peer[0], SCHED_FORCED, LANE_FORCED);
	enqueue(0, 0, SCHED_FORCED);
	grant_all(S / 2, S / 2);
	assert_int_equal(granted[7], now.us);
	assert_int_equal(granted[0], 0);
	now.us += S;
	release_ended();
	grant_all(S / 2, S / 2);
	assert_int_equal(granted[0], now.us);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(flood_of_one_primary),
	    cmocka_unit_test(flood_delays_nobody_else),
	    cmocka_unit_test(flood_of_all),
	    cmocka_unit_test(no_token_for_what_is_withdrawn),
	    cmocka_unit_test(limits_that_shrink),
	    cmocka_unit_test(back_to_the_front),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);

	sched_clear(&sched);
	return rc;
}
