/* SPDX-License-Identifier: BSD-2-Clause */
/* A start that does not trust the row: every zone is asked about, behind all who are due. */
#define ZONERIG_PRIMARIES 2
#include "zonerig_each.h"

/* What the row says: seconds until the next check and until it expires. */
static void
start(bool recheck, int64_t refresh, int64_t expire, enum zone_pending pending)
{
	r.row = (struct rig_row){
	    .has_data = true,
	    .recheck = recheck,
	    .serial = 10,
	    .times = rig_times,
	    .checked_at = {r.now.wall.us - S},
	    .refresh_at = {r.now.wall.us + refresh * S},
	    .expire_at = {r.now.wall.us + expire * S},
	    .pending = pending,
	    .notifier = ZONE_NO_INDEX,
	};
	r.durable = r.row;
	rig_start_row(&r);
}

static void
assert_waits_for_recheck(void)
{
	assert_true(r.queued);
	assert_int_equal(r.lane, LANE_RECHECK);
	assert_int_equal(r.what, SCHED_SOA);
	assert_true(r.z.unseen);
}

/* Fails at everybody with an address that goes on hold. */
static void
nobody_answers(void)
{
	while (r.queued) {
		rig_grant(&r);
		if (r.op != OP_PROBE)
			continue;
		(void)primary_failed(&r.primary[r.asked], r.asked_address, ZR_TIMEOUT, r.now.mono);
		rig_soa_fail(&r, ZR_TIMEOUT, false);
	}
}

static void
who_is_not_due_is_asked_last(void **state)
{
	static const struct {
		int64_t refresh, expire;
		enum zone_pending pending;
		enum sched_lane lane;
	} rows[] = {
	    {3000, 600000, ZONE_PENDING_NONE, LANE_RECHECK},
	    {-1, 600000, ZONE_PENDING_NONE, LANE_START}, /* REFRESH is over */
	    {3000, -1, ZONE_PENDING_NONE, LANE_START},	 /* EXPIRE is */
	    {3000, 600000, ZONE_PENDING_CHECK, LANE_NOTIFY},
	    {3000, 600000, ZONE_PENDING_FORCE, LANE_FORCED},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		rig_init(&r, 2);
		start(true, rows[i].refresh, rows[i].expire, rows[i].pending);
		assert_true(r.queued);
		assert_int_equal(r.lane, rows[i].lane);
		assert_true(r.z.unseen);
		rig_run(&r, 11); /* one that was lost */
		assert_false(r.z.unseen);
		assert_int_equal(r.z.serial, 11);
	}
}

static void
trusted_rows_are_not_asked_about(void **state)
{
	(void)state;
	start(false, 3000, 600000, ZONE_PENDING_NONE);
	assert_int_equal(r.z.state, ZONE_IDLE);
	assert_false(r.z.unseen);
	assert_int_equal(r.armed_us, r.now.mono.us + 3000 * S);
}

static void
what_was_never_loaded_is_no_recheck(void **state)
{
	(void)state;
	r.row = (struct rig_row){.recheck = true};
	rig_start_row(&r);
	assert_int_equal(r.lane, LANE_START);
	assert_false(r.z.unseen);
}

/* The check is one like any other: once, and the next at REFRESH. */
static void
once(void **state)
{
	(void)state;
	start(true, 3000, 600000, ZONE_PENDING_NONE);
	assert_waits_for_recheck();
	rig_grant(&r);
	rig_soa(&r, 10);
	rig_store_all(&r);
	assert_int_equal(r.z.state, ZONE_IDLE);
	assert_false(r.z.unseen);
	assert_in_range(r.z.refresh_us - r.now.mono.us, 3240 * S, 3600 * S);
	assert_int_equal(r.row.expire_at.us, r.now.wall.us + 604800 * S);
	assert_int_equal(r.probes, 1);
}

static void
notify_does_not_wait_for_it(void **state)
{
	(void)state;
	start(true, 3000, 600000, ZONE_PENDING_NONE);
	rig_notify(&r, 1, 12);
	rig_store_all(&r);
	assert_true(r.queued);
	assert_int_equal(r.lane, LANE_NOTIFY);
	assert_int_equal(r.asked, 1);
	rig_run(&r, 12);
	assert_false(r.z.unseen);
	assert_int_equal(r.probes, 1);
	assert_int_equal(r.z.state, ZONE_IDLE);
}

/*
 * A hint that equals the row's serial says nothing about what was lost, and what it ends stays
 * ended (N-09): the recheck goes on.
 */
static void
an_old_hint_does_not_end_it(void **state)
{
	(void)state;
	start(true, 3000, 600000, ZONE_PENDING_NONE);
	rig_notify(&r, 1, 10);
	assert_int_equal(r.out.answer, ZONE_ANSWER_NOW);
	assert_waits_for_recheck();
}

static void
a_forced_transfer_is_as_good(void **state)
{
	(void)state;
	start(true, 3000, 600000, ZONE_PENDING_NONE);
	rig_notify_axfr(&r, 0, false);
	rig_store_all(&r);
	assert_int_equal(r.lane, LANE_FORCED);
	assert_true(r.z.unseen);
	rig_grant(&r);
	rig_ready(&r, 10, false, true);
	rig_store_all(&r);
	assert_false(r.z.unseen);
	assert_int_equal(r.z.state, ZONE_IDLE);
	assert_int_equal(r.probes, 0);
}

static void
a_primary_behind_us_is_an_answer(void **state)
{
	(void)state;
	start(true, 3000, 600000, ZONE_PENDING_NONE);
	rig_grant(&r);
	rig_soa(&r, 9);
	rig_grant(&r);
	rig_soa(&r, 9);
	rig_store_all(&r);
	assert_int_equal(r.z.state, ZONE_IDLE);
	assert_false(r.z.unseen);
	assert_in_range(r.z.refresh_us - r.now.mono.us, 540 * S, 600 * S);
}

/* Who comes up before its primaries asks again when they are off their hold, then at RETRY. */
static void
primaries_that_come_later(void **state)
{
	(void)state;
	start(true, 3000, 600000, ZONE_PENDING_NONE);
	nobody_answers();
	rig_store_all(&r);
	assert_int_equal(r.z.state, ZONE_IDLE);
	assert_false(r.z.unseen); /* from here on the row has RETRY */
	assert_true(r.armed_us - r.now.mono.us <= 10 * S);
	assert_true(r.row.refresh_at.us <= r.now.wall.us + 10 * S);
	rig_pass(&r, 10 * S);
	rig_timer(&r);
	assert_true(r.queued);
	nobody_answers();
	assert_in_range(r.armed_us - r.now.mono.us, 540 * S, 600 * S);
}

/* All are on hold already: nobody was asked, so it is owed still, and nothing is written. */
static void
denied_is_not_asked(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++)
		for (unsigned k = 0; k < 2; k++)
			(void)primary_failed(&r.primary[i], k, ZR_TIMEOUT, r.now.mono);
	start(true, 3000, 600000, ZONE_PENDING_NONE);
	assert_int_equal(r.z.state, ZONE_IDLE);
	assert_true(r.z.unseen);
	assert_int_equal(r.saves, 0);
	assert_true(r.armed_us - r.now.mono.us <= 10 * S);
	rig_pass(&r, 10 * S);
	rig_timer(&r);
	rig_run(&r, 11);
	assert_int_equal(r.z.serial, 11);
	assert_false(r.z.unseen);
}

/* What takes the zone out of the queue does not take the check away. */
static void
held_and_reconfigured(void **state)
{
	struct zone_arg a = {.policy = {.policy = &r.policy, .primaries_changed = true}};

	(void)state;
	start(true, 3000, 600000, ZONE_PENDING_NONE);
	rig_step(&r, ZONE_EV_POLICY, &a);
	assert_waits_for_recheck();
	rig_step(&r, ZONE_EV_HOLD, NULL);
	assert_false(r.queued);
	assert_int_equal(r.z.state, ZONE_HELD);
	rig_step(&r, ZONE_EV_RESUME, NULL);
	assert_waits_for_recheck();
	rig_grant(&r); /* under way, and cancelled */
	rig_step(&r, ZONE_EV_HOLD, NULL);
	rig_step(&r, ZONE_EV_RESUME, NULL);
	assert_waits_for_recheck();
	rig_run(&r, 11);
	assert_int_equal(r.z.serial, 11);
}

/* A-28 and the like go on in the same round; while it fetches, it is not seen yet. */
static void
not_before_the_commit(void **state)
{
	(void)state;
	start(true, 3000, 600000, ZONE_PENDING_NONE);
	rig_grant(&r);
	rig_soa(&r, 11);
	assert_true(r.queued);
	assert_int_equal(r.lane, LANE_RECHECK);
	rig_grant(&r);
	rig_ready(&r, 11, true, false);
	assert_true(r.z.unseen);
	rig_store_all(&r);
	assert_false(r.z.unseen);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(who_is_not_due_is_asked_last),
	    T(trusted_rows_are_not_asked_about),
	    T(what_was_never_loaded_is_no_recheck),
	    T(once),
	    T(notify_does_not_wait_for_it),
	    T(an_old_hint_does_not_end_it),
	    T(a_forced_transfer_is_as_good),
	    T(a_primary_behind_us_is_an_answer),
	    T(primaries_that_come_later),
	    T(denied_is_not_asked),
	    T(held_and_reconfigured),
	    T(not_before_the_commit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
