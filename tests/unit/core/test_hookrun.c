/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "core/hookrun.h"

#define S ZR_US_PER_S
#define TIMEOUT (60 * S)
#define MAX_TRIES 5

static struct hookrun h;
static struct zr_mono now;

static int
setup(void **state)
{
	(void)state;
	now.us = 1000 * S;
	hookrun_init(&h, now, 0);
	return 0;
}

static enum hookrun_do
step(enum hookrun_event ev)
{
	struct hookrun_arg arg = {.timeout_us = TIMEOUT};

	return hookrun_step(&h, ev, &arg, now);
}

static enum hookrun_do
ended(enum hookrun_end end)
{
	struct hookrun_arg arg = {.end = end, .max_tries = MAX_TRIES};

	return hookrun_step(&h, HOOKRUN_EV_ENDED, &arg, now);
}

static enum hookrun_do
newer(int64_t not_before_us, uint32_t tries)
{
	struct hookrun_arg arg = {.not_before = {not_before_us}, .tries = tries};

	return hookrun_step(&h, HOOKRUN_EV_NEWER, &arg, now);
}

/* To the armed time, and the timer. */
static enum hookrun_do
wait(void)
{
	assert_true(h.at_us > 0);
	if (now.us < h.at_us)
		now.us = h.at_us;
	return step(HOOKRUN_EV_TIMER);
}

static void
run(void)
{
	assert_int_equal(wait(), HOOKRUN_QUEUE);
	assert_int_equal(h.state, HOOKRUN_QUEUED);
	assert_int_equal(h.at_us, 0);
	assert_int_equal(step(HOOKRUN_EV_STARTED), HOOKRUN_NOTHING);
	assert_int_equal(h.state, HOOKRUN_RUNNING);
	assert_true(hookrun_runs(&h));
	assert_int_equal(h.at_us, now.us + TIMEOUT);
}

static void
succeeds(void **state)
{
	(void)state;
	run();
	now.us += 3 * S;
	assert_int_equal(ended(HOOKRUN_END_OK), HOOKRUN_DONE);
	assert_int_equal(h.state, HOOKRUN_OVER);
	assert_int_equal(h.at_us, 0);
	assert_int_equal(h.tries, 1);
}

/* 10 s, doubled, as many times as is said. */
static void
tries_again(void **state)
{
	static const int64_t pause[] = {10, 20, 40, 80};

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		run();
		assert_int_equal(ended(HOOKRUN_END_FAILED), HOOKRUN_RETRY);
		assert_int_equal(h.state, HOOKRUN_WAITING);
		assert_int_equal(h.at_us - now.us, pause[i] * S);
		assert_int_equal(h.tries, i + 1);
		/* Not before its time. */
		now.us = h.at_us - 1;
		assert_int_equal(step(HOOKRUN_EV_TIMER), HOOKRUN_NOTHING);
	}
	run();
	assert_int_equal(ended(HOOKRUN_END_FAILED), HOOKRUN_FAILED);
	assert_int_equal(h.state, HOOKRUN_OVER);
	assert_int_equal(h.tries, MAX_TRIES);
}

static void
pauses_at_most_ten_minutes(void **state)
{
	struct hookrun_arg arg = {.end = HOOKRUN_END_FAILED, .max_tries = UINT32_MAX};
	int64_t longest = 0;

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		run();
		assert_int_equal(hookrun_step(&h, HOOKRUN_EV_ENDED, &arg, now), HOOKRUN_RETRY);
		if (h.at_us - now.us > longest)
			longest = h.at_us - now.us;
	}
	assert_int_equal(longest, 600 * S);
	assert_int_equal(h.at_us - now.us, 600 * S);
}

/* As many tries before a restart as after it count. */
static void
goes_on_after_restart(void **state)
{
	(void)state;
	hookrun_init(&h, (struct zr_mono){now.us + 7 * S}, 3);
	assert_int_equal(step(HOOKRUN_EV_TIMER), HOOKRUN_NOTHING);
	run();
	assert_int_equal(ended(HOOKRUN_END_FAILED), HOOKRUN_RETRY);
	assert_int_equal(h.at_us - now.us, 80 * S);
	run();
	assert_int_equal(ended(HOOKRUN_END_FAILED), HOOKRUN_FAILED);
}

static void
never_again(void **state)
{
	(void)state;
	run();
	assert_int_equal(ended(HOOKRUN_END_NEVER), HOOKRUN_FAILED);
	assert_int_equal(h.state, HOOKRUN_OVER);
}

static void
cannot_be_started(void **state)
{
	(void)state;
	assert_int_equal(wait(), HOOKRUN_QUEUE);
	assert_int_equal(ended(HOOKRUN_END_FAILED), HOOKRUN_RETRY);
	assert_int_equal(h.tries, 1);
	assert_int_equal(h.at_us - now.us, 10 * S);
}

static void
takes_too_long(void **state)
{
	(void)state;
	run();
	assert_int_equal(wait(), HOOKRUN_TERM);
	assert_true(hookrun_runs(&h));
	assert_int_equal(h.at_us - now.us, 5 * S);
	for (int i = 0; i < 3; i++) { /* an order may be lost */
		assert_int_equal(wait(), HOOKRUN_KILL);
		assert_int_equal(h.at_us - now.us, 5 * S);
	}
	assert_true(hookrun_runs(&h));
	assert_int_equal(ended(HOOKRUN_END_FAILED), HOOKRUN_RETRY);
	assert_int_equal(h.at_us - now.us, 10 * S);
}

/* No try: nothing of it was begun. */
static void
put_off(void **state)
{
	(void)state;
	assert_int_equal(wait(), HOOKRUN_QUEUE);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(step(HOOKRUN_EV_PUT_OFF), HOOKRUN_NOTHING);
		assert_int_equal(h.state, HOOKRUN_WAITING);
		assert_int_equal(h.at_us - now.us, HOOKRUN_BUSY_US);
		assert_int_equal(h.tries, 0);
		assert_int_equal(wait(), HOOKRUN_QUEUE);
	}
	assert_int_equal(step(HOOKRUN_EV_STRUCK), HOOKRUN_STOP);
}

static void
newer_while_waiting(void **state)
{
	(void)state;
	run();
	ended(HOOKRUN_END_FAILED);
	assert_int_equal(newer(now.us, 0), HOOKRUN_NOTHING);
	assert_int_equal(h.tries, 0);
	assert_int_equal(h.at_us, now.us); /* it does not wait for the pause of the older */
	assert_int_equal(wait(), HOOKRUN_QUEUE);
	newer(now.us, 0);
	assert_int_equal(h.state, HOOKRUN_QUEUED);
	assert_int_equal(step(HOOKRUN_EV_STARTED), HOOKRUN_NOTHING);
	assert_int_equal(ended(HOOKRUN_END_OK), HOOKRUN_DONE);
	assert_int_equal(h.state, HOOKRUN_OVER);
}

/* However the running one ends, the newer is run once. */
static void
newer_while_running(void **state)
{
	static const struct {
		enum hookrun_end end;
		enum hookrun_do verdict;
	} ends[] = {{HOOKRUN_END_OK, HOOKRUN_DONE}, {HOOKRUN_END_NEVER, HOOKRUN_FAILED},
	    {HOOKRUN_END_FAILED, HOOKRUN_RETRY}};

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		setup(state);
		hookrun_init(&h, now, MAX_TRIES - 1);
		run();
		for (unsigned k = 0; k < 10; k++)
			assert_int_equal(newer(now.us, 0), HOOKRUN_NOTHING);
		assert_true(hookrun_runs(&h));
		assert_int_equal(h.at_us, now.us + TIMEOUT);
		now.us += S;
		assert_int_equal(ended(ends[i].end), ends[i].verdict);
		assert_int_equal(h.state, HOOKRUN_WAITING);
		assert_int_equal(h.at_us, now.us);
		assert_int_equal(h.tries, 0);
		run();
		assert_int_equal(ended(HOOKRUN_END_OK), HOOKRUN_DONE);
		assert_int_equal(h.state, HOOKRUN_OVER);
	}
}

static void
struck_off(void **state)
{
	assert_int_equal(step(HOOKRUN_EV_STRUCK), HOOKRUN_STOP);
	assert_int_equal(h.state, HOOKRUN_OVER);
	assert_int_equal(step(HOOKRUN_EV_STRUCK), HOOKRUN_NOTHING);
	setup(state);
	wait();
	assert_int_equal(step(HOOKRUN_EV_STRUCK), HOOKRUN_STOP);
	/* What runs ends by itself, or by the limit of its time, and is not tried again. */
	setup(state);
	run();
	newer(now.us, 0);
	assert_int_equal(step(HOOKRUN_EV_STRUCK), HOOKRUN_NOTHING);
	assert_true(hookrun_runs(&h));
	assert_int_equal(wait(), HOOKRUN_TERM);
	assert_int_equal(ended(HOOKRUN_END_FAILED), HOOKRUN_FAILED);
	assert_int_equal(h.state, HOOKRUN_OVER);
	/* Unless it is wanted again. */
	setup(state);
	run();
	step(HOOKRUN_EV_STRUCK);
	newer(now.us, 0);
	assert_int_equal(ended(HOOKRUN_END_FAILED), HOOKRUN_RETRY);
	assert_int_equal(h.state, HOOKRUN_WAITING);
}

/* Every event in every state: nothing is left half. */
static void
grid(void **state)
{
	static const enum hookrun_event way[HOOKRUN_STATE_COUNT][4] = {
	    [HOOKRUN_WAITING] = {HOOKRUN_EVENT_COUNT},
	    [HOOKRUN_QUEUED] = {HOOKRUN_EV_TIMER, HOOKRUN_EVENT_COUNT},
	    [HOOKRUN_RUNNING] = {HOOKRUN_EV_TIMER, HOOKRUN_EV_STARTED, HOOKRUN_EVENT_COUNT},
	    [HOOKRUN_ENDING] = {HOOKRUN_EV_TIMER, HOOKRUN_EV_STARTED, HOOKRUN_EV_TIMER,
		HOOKRUN_EVENT_COUNT},
	    [HOOKRUN_OVER] = {HOOKRUN_EV_STRUCK, HOOKRUN_EVENT_COUNT},
	};

	for (unsigned from = 0; from < HOOKRUN_STATE_COUNT; from++) {
		for (unsigned ev = 0; ev < HOOKRUN_EVENT_COUNT; ev++) {
			enum hookrun_do out;

			setup(state);
			for (unsigned i = 0; way[from][i] != HOOKRUN_EVENT_COUNT; i++) {
				if (h.at_us > now.us)
					now.us = h.at_us;
				step(way[from][i]);
			}
			assert_int_equal(h.state, from);
			out = step((enum hookrun_event)ev);
			switch ((enum hookrun_state)h.state) {
			case HOOKRUN_WAITING:
			case HOOKRUN_RUNNING:
				assert_true(h.at_us > 0);
				break;
			case HOOKRUN_QUEUED:
			case HOOKRUN_OVER:
				assert_int_equal(h.at_us, 0);
				break;
			default:
				assert_true(h.at_us > 0);
				break;
			}
			if (out == HOOKRUN_DONE || out == HOOKRUN_RETRY || out == HOOKRUN_FAILED)
				assert_int_equal(ev, HOOKRUN_EV_ENDED);
		}
	}
	for (unsigned i = 0; i < HOOKRUN_STATE_COUNT; i++)
		assert_true(strlen(hookrun_state_names[i]) > 0);
	for (unsigned i = 0; i < HOOKRUN_EVENT_COUNT; i++)
		assert_true(strlen(hookrun_event_names[i]) > 0);
}

/* ---- turns ---- */

enum { LINES = 4, EACH = 200 };

static struct hookq q;
static struct hookq_line lines[LINES];
static struct hookq_node nodes[LINES][EACH];

static int
setup_queue(void **state)
{
	(void)state;
	memset(&q, 0, sizeof(q));
	memset(lines, 0, sizeof(lines));
	memset(nodes, 0, sizeof(nodes));
	return 0;
}

static void
fill(unsigned line)
{
	for (unsigned i = 0; i < EACH; i++)
		hookq_add(&q, &lines[line], &nodes[line][i]);
}

/* Its number, or -1; its place in the line is looked at too. */
static int
take(uint32_t max, bool shared)
{
	struct hookq_line *l = NULL;
	struct hookq_node *n = hookq_take(&q, max, shared, &l);

	if (n == NULL)
		return -1;
	assert_null(n->line);
	assert_in_range(
	    (uintptr_t)n, (uintptr_t)nodes[l - lines], (uintptr_t)&nodes[l - lines][EACH - 1]);
	return (int)(l - lines);
}

static void
in_order(void **state)
{
	struct hookq_line *l;

	(void)state;
	assert_null(hookq_take(&q, 4, true, &l));
	fill(0);
	hookq_del(&q, &nodes[0][0]);
	hookq_del(&q, &nodes[0][2]);
	hookq_del(&q, &nodes[0][2]);
	hookq_del(&q, &nodes[0][EACH - 1]);
	assert_int_equal(q.queued, EACH - 3);
	assert_ptr_equal(hookq_take(&q, 1000, false, &l), &nodes[0][1]);
	assert_ptr_equal(hookq_take(&q, 1000, false, &l), &nodes[0][3]);
	hookq_add(&q, &lines[0], &nodes[0][0]);
	for (unsigned i = 4; i < EACH - 1; i++)
		assert_ptr_equal(hookq_take(&q, 1000, false, &l), &nodes[0][i]);
	assert_ptr_equal(hookq_take(&q, 1000, false, &l), &nodes[0][0]);
	assert_null(hookq_take(&q, 1000, false, &l));
	assert_int_equal(q.queued, 0);
	assert_null(q.ring);
}

static void
at_most_so_many(void **state)
{
	(void)state;
	fill(0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(take(3, false), 0);
	assert_int_equal(take(3, false), -1);
	assert_int_equal(take(2, false), -1); /* fewer after a reload */
	hookq_done(&q, &lines[0]);
	assert_int_equal(take(2, false), -1);
	assert_int_equal(take(3, false), 0);
}

/* Half of the places, or one, whatever their number; and then somebody else finds one. */
static void
half_for_one(void **state)
{
	for (uint32_t max = 1; max <= 64; max++) {
		uint32_t half = max / 2 > 1 ? max / 2 : 1;

		setup_queue(state);
		fill(0);
		for (uint32_t i = 0; i < half; i++)
			assert_int_equal(take(max, true), 0);
		assert_int_equal(take(max, true), -1);
		if (max == 1)
			continue;
		fill(1);
		assert_int_equal(take(max, true), 1);
		if (max < 4)
			continue;
		fill(2);
		assert_int_equal(take(max, true) >= 1, 1);
	}
}

/* Two that hang do not take every place from a third. */
static void
two_hang(void **state)
{
	(void)state;
	fill(0);
	fill(1);
	while (take(8, true) >= 0)
		;
	assert_true(q.running < 8);
	fill(2);
	assert_int_equal(take(8, true), 2);
	/* And the third goes on, one after the other. */
	for (unsigned i = 0; i < 50; i++) {
		hookq_done(&q, &lines[2]);
		assert_int_equal(take(8, true), 2);
	}
}

static void
take_turns(void **state)
{
	unsigned got[LINES] = {0};

	(void)state;
	for (unsigned i = 0; i < LINES; i++)
		fill(i);
	for (unsigned i = 0; i < LINES * 20; i++) {
		int l = take(1, true);

		assert_in_range(l, 0, LINES - 1);
		got[l]++;
		hookq_done(&q, &lines[l]);
	}
	for (unsigned i = 0; i < LINES; i++)
		assert_int_equal(got[i], 20);
}

/* With one place everybody still gets a turn after the one that holds it. */
static void
nobody_starves(void **state)
{
	(void)state;
	fill(0);
	assert_int_equal(take(1, true), 0);
	hookq_add(&q, &lines[1], &nodes[1][0]);
	assert_int_equal(take(1, true), -1);
	hookq_done(&q, &lines[0]);
	assert_int_equal(take(1, true), 0); /* it stood before */
	hookq_done(&q, &lines[0]);
	assert_int_equal(take(1, true), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(succeeds, setup),
	    cmocka_unit_test_setup(tries_again, setup),
	    cmocka_unit_test_setup(pauses_at_most_ten_minutes, setup),
	    cmocka_unit_test_setup(goes_on_after_restart, setup),
	    cmocka_unit_test_setup(never_again, setup),
	    cmocka_unit_test_setup(cannot_be_started, setup),
	    cmocka_unit_test_setup(takes_too_long, setup),
	    cmocka_unit_test_setup(put_off, setup),
	    cmocka_unit_test_setup(newer_while_waiting, setup),
	    cmocka_unit_test_setup(newer_while_running, setup),
	    cmocka_unit_test_setup(struck_off, setup),
	    cmocka_unit_test(grid),
	    cmocka_unit_test_setup(in_order, setup_queue),
	    cmocka_unit_test_setup(at_most_so_many, setup_queue),
	    cmocka_unit_test_setup(half_for_one, setup_queue),
	    cmocka_unit_test_setup(two_hang, setup_queue),
	    cmocka_unit_test_setup(take_turns, setup_queue),
	    cmocka_unit_test_setup(nobody_starves, setup_queue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
