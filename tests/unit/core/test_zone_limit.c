/* SPDX-License-Identifier: BSD-2-Clause */
/* Forced transfers: how often, also after a restart. */
#include "zonerig_each.h"

static void
at_rest(void)
{
	rig_start_loaded(&r, 10, ZONE_PENDING_NONE);
	assert_int_equal(r.z.state, ZONE_IDLE);
}

static const struct zone_commit *
committed(void)
{
	assert_true(rig_ordered(&r, ZONE_OR_COMMIT));
	return &rig_order(&r, ZONE_OR_COMMIT)->commit;
}

/* The forced transfer that is queued brings our serial after so long. */
static void
bring(int64_t duration_us)
{
	struct zone_arg a = {
	    .ready = {
		.serial = 10, .identical = true, .times = rig_times, .duration_us = duration_us}};

	assert_int_equal(r.what, SCHED_FORCED);
	rig_grant(&r);
	assert_true(r.fetch_forced);
	rig_pass(&r, duration_us);
	a.attempt = r.attempt;
	r.commit_times = rig_times;
	rig_step(&r, ZONE_EV_XFER_READY, &a);
	assert_true(committed()->forced);
	rig_store_all(&r);
}

/* A NOTIFY(AXFR) now: how long until its transfer may begin; 0: it is queued. */
static int64_t
wait_of(uint16_t primary)
{
	rig_notify_axfr(&r, primary, false);
	assert_int_not_equal(r.out.answer, ZONE_ANSWER_NONE);
	rig_store_all(&r);
	if (r.queued)
		return 0;
	assert_int_equal(r.z.state, ZONE_IDLE);
	assert_true(r.z.forced_limit_us > r.now.mono.us);
	assert_int_equal(r.armed_us, r.z.forced_limit_us);
	return r.armed_us - r.now.mono.us;
}

/* ---- how often ---- */

/* k of them in the wait cost one transfer, and none is answered with an error. */
static void
those_in_the_wait_cost_one(void **state)
{
	(void)state;
	at_rest();
	assert_int_equal(wait_of(0), 0);
	bring(S);
	assert_int_equal(wait_of(0), 59 * S);
	for (unsigned i = 0; i < 1000; i++) {
		rig_pass(&r, 50 * S / 1000);
		rig_notify_axfr(&r, (uint16_t)(i % 3), false);
		assert_int_equal(r.out.answer, ZONE_ANSWER_NOW); /* the mark is there */
		assert_true((r.out.notes & ZONE_NOTE_FORCE_WAITS) != 0 || i > 0);
	}
	assert_int_equal(r.forced_fetches, 1);
	assert_int_equal(r.marks, 2);
	rig_pass(&r, 9 * S);
	rig_timer(&r);
	bring(S);
	assert_int_equal(r.forced_fetches, 2);
	assert_int_equal(r.row.pending, ZONE_PENDING_NONE);
	rig_pass(&r, 3000 * S);
	rig_timer(&r);
	assert_false(r.queued);
	assert_int_equal(r.forced_fetches, 2);
}

/* one, and a thousand, while one runs: exactly one more. */
static void
those_while_one_runs_cost_one(void **state)
{
	static const unsigned counts[] = {1, 2, 1000};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		rig_init(&r, RIG_PRIMARIES);
		r.policy.forced_every_us = i == 1 ? 0 : 60 * S;
		at_rest();
		assert_int_equal(wait_of(0), 0);
		rig_grant(&r);
		for (unsigned k = 0; k < counts[i]; k++)
			rig_notify_axfr(&r, 0, false);
		rig_ready(&r, 10, false, true);
		assert_int_equal(committed()->pending_after, ZONE_PENDING_FORCE);
		rig_store_all(&r);
		rig_pass(&r, 60 * S);
		rig_timer(&r);
		rig_run(&r, 10);
		rig_pass(&r, 3000 * S);
		rig_timer(&r);
		rig_run(&r, 10);
		assert_int_equal(r.forced_fetches, 2);
		assert_int_equal(r.row.pending, ZONE_PENDING_NONE);
	}
}

static void
burst_then_one_at_a_time(void **state)
{
	(void)state;
	r.policy.forced_burst = 3;
	at_rest();
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(wait_of(0), 0);
		bring(S);
	}
	assert_int_equal(wait_of(0), 57 * S); /* the bucket began to fill with the first */
	rig_pass(&r, 57 * S);
	rig_timer(&r);
	bring(S);
	assert_int_equal(wait_of(0), 59 * S);
	/* Full again after three of them. */
	rig_pass(&r, 59 * S);
	rig_timer(&r);
	bring(S);
	rig_pass(&r, 180 * S);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(wait_of(0), 0);
		bring(S);
	}
	assert_true(wait_of(0) > 50 * S);
}

/* 3 x the last duration, at most REFRESH. */
static void
interval_follows_the_duration(void **state)
{
	static const struct {
		int64_t took, wait;
	} rows[] = {{1, 59}, {20, 40}, {21, 42}, {100, 200}, {1000, 2000}, {1300, 2300}, {3600, 0}};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		rig_init(&r, 1);
		at_rest();
		assert_int_equal(wait_of(0), 0);
		bring(rows[i].took * S);
		assert_int_equal(wait_of(0), rows[i].wait * S);
		assert_int_equal(r.z.forced_duration_us, rows[i].took * S);
	}
}

/* One token for the round, however many primaries it takes; failures wait for RETRY. */
static void
a_round_takes_one_token(void **state)
{
	(void)state;
	r.policy.forced_burst = 2;
	at_rest();
	assert_int_equal(wait_of(0), 0);
	rig_grant(&r);
	rig_xfer_fail(&r, ZR_REFUSED, true);
	rig_grant(&r);
	rig_xfer_fail(&r, ZR_REFUSED, true);
	rig_run(&r, 10);
	assert_int_equal(r.forced_fetches, 3);
	assert_int_equal(wait_of(0), 0);
	bring(S);
	assert_true(wait_of(0) > 0);
}

static void
command_passes_the_limit(void **state)
{
	(void)state;
	at_rest();
	assert_int_equal(wait_of(0), 0);
	bring(S);
	for (unsigned i = 0; i < 10; i++) {
		rig_step(&r, ZONE_EV_RETRANSFER, NULL);
		assert_int_equal(r.lane, LANE_OPERATOR);
		bring(S);
	}
	/* It does not put off the next NOTIFY for longer than one interval. */
	assert_int_equal(wait_of(0), 59 * S);
	rig_step(&r, ZONE_EV_RETRANSFER, NULL); /* takes the waiting one along */
	rig_grant(&r);
	rig_ready(&r, 10, false, true);
	assert_true(committed()->operator);
	assert_int_equal(committed()->notifier, 0);
	rig_store_all(&r);
	assert_int_equal(r.row.pending, ZONE_PENDING_NONE);
}

/* A command to check is not one to transfer. */
static void
command_to_check_lifts_nothing(void **state)
{
	(void)state;
	at_rest();
	assert_int_equal(wait_of(0), 0);
	bring(S);
	assert_int_equal(wait_of(0), 59 * S);
	rig_step(&r, ZONE_EV_REFRESH, NULL);
	assert_int_equal(r.what, SCHED_SOA);
	rig_run(&r, 10);
	assert_int_equal(r.forced_fetches, 1);
	rig_pass(&r, 59 * S);
	rig_timer(&r);
	rig_step(&r, ZONE_EV_REFRESH, NULL); /* beside a NOTIFY(AXFR) that nobody proved */
	rig_grant(&r);
	assert_true(r.fetch_forced);
	rig_ready(&r, 5, false, false);
	assert_false(rig_ordered(&r, ZONE_OR_COMMIT));
	rig_run(&r, 10);
	assert_int_equal(r.z.serial, 10);
}

static void
other_interval_counts_at_once(void **state)
{
	struct zone_policy other = r.policy;

	(void)state;
	at_rest();
	r.policy.forced_every_us = 3000 * S;
	other.forced_every_us = 100 * S;
	assert_int_equal(wait_of(0), 0);
	bring(S);
	assert_int_equal(wait_of(0), 2999 * S);
	struct zone_arg a = {.policy = {.policy = &other}};
	rig_step(&r, ZONE_EV_POLICY, &a);
	assert_int_equal(r.armed_us - r.now.mono.us, 100 * S);
	other.forced_every_us = 0;
	rig_step(&r, ZONE_EV_POLICY, &a);
	rig_timer(&r);
	bring(S);
	assert_int_equal(wait_of(0), 0);
}

/* ---- after a restart ---- */

static void
limit_survives_a_restart(void **state)
{
	/* The row says it ended so long ago, after so long: how long is it from now? */
	static const struct {
		int64_t ago, took, wait;
	} rows[] = {
	    {0, 1, 59}, {30, 1, 29}, {59, 1, 0}, {60, 0, 0}, {INT64_MAX / S, 1, 60}, {0, 500, 1000},
	    {900, 500, 100}, {-1, 1, 60}, /* the clock was set back: as if it had just begun */
	    {-86400 * 365, 1, 60}, {-86400 * 365, 500, 1500}, {0, -5, 60},
	    {0, INT64_MAX / S, 0}, /* longer than REFRESH: it is over */
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		rig_init(&r, 1);
		at_rest();
		r.row.forced_at.us = r.now.wall.us - rows[i].ago * S;
		if (rows[i].ago == INT64_MAX / S)
			r.row.forced_at.us = INT64_MIN;
		r.row.forced_duration_us = rows[i].took * S;
		rig_restart(&r, false);
		assert_int_equal(wait_of(0), rows[i].wait * S);
	}
	/* With a burst one token is gone, and the others are there. */
	rig_init(&r, 1);
	r.policy.forced_burst = 2;
	at_rest();
	r.row.forced_at = r.now.wall;
	rig_restart(&r, false);
	assert_int_equal(wait_of(0), 0);
	bring(S);
	assert_true(wait_of(0) > 0);
}

/* what was acknowledged is done after a crash, at its time, once. */
static void
pending_force_after_a_crash(void **state)
{
	(void)state;
	for (unsigned cut = 0; cut < 2; cut++) {
		rig_init(&r, RIG_PRIMARIES);
		at_rest();
		assert_int_equal(wait_of(1), 0);
		rig_grant(&r);
		rig_restart(&r, cut);
		assert_int_equal(r.asked, 1);
		bring(S);
		assert_int_equal(wait_of(1), 59 * S);
		rig_restart(&r, cut);
		assert_int_equal(r.row.pending, ZONE_PENDING_FORCE);
		rig_run(&r, 10); /* the check that may be owed beside it */
		assert_false(r.queued);
		rig_pass(&r, 59 * S);
		rig_timer(&r);
		assert_int_equal(r.asked, 1); /* */
		bring(S);
		assert_int_equal(r.row.pending, ZONE_PENDING_NONE);
		assert_int_equal(r.forced_fetches, 3);
	}
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(those_in_the_wait_cost_one),
	    T(those_while_one_runs_cost_one),
	    T(burst_then_one_at_a_time),
	    T(interval_follows_the_duration),
	    T(a_round_takes_one_token),
	    T(command_passes_the_limit),
	    T(command_to_check_lifts_nothing),
	    T(other_interval_counts_at_once),
	    T(limit_survives_a_restart),
	    T(pending_force_after_a_crash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
