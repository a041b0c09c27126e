/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A forced transfer that waits in a long line: the zone is kept up meanwhile, and the force keeps
 * its place (T-08, A-04, A-07); and a force whose notifier cannot be asked.
 */
#include "zonerig_each.h"

/* Queued for the forced transfer, and nobody grants it. */
static void
in_line(void)
{
	rig_start_loaded(&r, 10, ZONE_PENDING_NONE);
	rig_notify_axfr(&r, 0, false);
	rig_store_all(&r);
	assert_true(r.queued);
	assert_int_equal(r.what, SCHED_FORCED);
	assert_false(r.first);
}

static void
until_armed(void)
{
	assert_true(r.armed_us > r.now.mono.us);
	rig_pass(&r, r.armed_us - r.now.mono.us);
	rig_timer(&r);
}

/* Back in line, in front, and the event as it was. */
static void
back_in_line(void)
{
	assert_true(r.queued);
	assert_int_equal(r.what, SCHED_FORCED);
	assert_int_equal(r.lane, LANE_FORCED);
	assert_int_equal(r.asked, 0);
	assert_true(r.first);
	assert_int_equal(zone_owed(&r.z), ZONE_PENDING_FORCE);
}

static void
notify_does_not_wait_for_the_line(void **state)
{
	(void)state;
	in_line();
	rig_pass(&r, 30 * S);
	rig_notify(&r, 1, 11);
	rig_store_all(&r);
	assert_int_equal(r.what, SCHED_FORCED);
	assert_int_equal(r.armed_us, r.now.mono.us + ZONE_GRACE_US);
	/* Further ones do not put it off. */
	rig_pass(&r, S);
	rig_notify(&r, 1, 11);
	assert_int_equal(r.armed_us, r.now.mono.us + S);
	until_armed();
	assert_int_equal(r.what, SCHED_SOA);
	assert_int_equal(r.asked, 1);
	assert_int_equal(r.lane, LANE_NOTIFY);
	/* Nor does another NOTIFY(AXFR), or what is newer, put the force before it. */
	rig_notify_axfr(&r, 2, false);
	assert_int_equal(r.what, SCHED_SOA);
	rig_grant(&r);
	rig_soa(&r, 11);
	assert_int_equal(r.what, SCHED_TRANSFER);
	rig_grant(&r);
	rig_ready(&r, 11, true, false);
	assert_true(rig_ordered(&r, ZONE_OR_COMMIT));
	assert_int_equal(rig_order(&r, ZONE_OR_COMMIT)->commit.pending_after, ZONE_PENDING_FORCE);
	rig_store_all(&r);
	assert_int_equal(r.z.serial, 11);
	assert_int_equal(r.asked, 2);
	assert_true(r.first);
	rig_run(&r, 11);
	assert_int_equal(r.forced_fetches, 1);
	assert_int_equal(zone_owed(&r.z), ZONE_PENDING_NONE);
	/* The next event stands at the end of the line like everybody. */
	rig_pass(&r, 100 * S);
	rig_timer(&r);
	rig_run(&r, 11);
	rig_notify_axfr(&r, 0, false);
	assert_int_equal(r.what, SCHED_FORCED);
	assert_false(r.first);
}

static void
operator_does_not_wait_for_the_line(void **state)
{
	(void)state;
	in_line();
	rig_step(&r, ZONE_EV_REFRESH, NULL);
	rig_store_all(&r);
	until_armed();
	assert_int_equal(r.what, SCHED_SOA);
	assert_int_equal(r.lane, LANE_OPERATOR);
	rig_grant(&r);
	rig_soa(&r, 10);
	back_in_line();
}

/* One transfer for both, whichever comes first, when the line is short. */
static void
both_kinds_together_cost_one(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		rig_init(&r, RIG_PRIMARIES);
		rig_start_loaded(&r, 10, ZONE_PENDING_NONE);
		if (i == 0)
			rig_notify(&r, 0, 11);
		rig_notify_axfr(&r, 0, false);
		if (i == 1)
			rig_notify(&r, 0, 11);
		rig_pass(&r, 1900 * ZR_US_PER_MS);
		rig_timer(&r);
		rig_run(&r, 11);
		assert_int_equal(r.fetches, 1);
		assert_int_equal(r.probes, 0);
		assert_int_equal(r.z.state, ZONE_IDLE);
	}
}

static void
refresh_does_not_wait_for_the_line(void **state)
{
	(void)state;
	in_line();
	assert_int_equal(r.armed_us, r.z.refresh_us);
	until_armed();
	assert_int_equal(r.what, SCHED_SOA);
	rig_grant(&r);
	rig_soa(&r, 10);
	back_in_line();
	/* A check that fails comes again at RETRY, not at once (T-03). */
	until_armed();
	for (unsigned i = 0; i < 3; i++) {
		rig_grant(&r);
		rig_soa_fail(&r, ZR_SERVFAIL, true);
	}
	back_in_line();
	assert_true(r.armed_us - r.now.mono.us >= 500 * S);
	/* Likewise when a NOTIFY is owed. */
	rig_notify(&r, 1, 12);
	rig_store_all(&r);
	until_armed();
	for (unsigned i = 0; i < 3; i++) {
		rig_grant(&r);
		rig_soa_fail(&r, ZR_SERVFAIL, true);
	}
	back_in_line();
	assert_true(r.armed_us - r.now.mono.us >= 500 * S);
}

/* Due at the same time: the force has its 2 s, and answers for both. */
static void
overdue_refresh_waits_for_the_grace(void **state)
{
	(void)state;
	rig_start_loaded(&r, 10, ZONE_PENDING_NONE);
	rig_pass(&r, rig_times.refresh * S);
	rig_notify_axfr(&r, 0, false);
	assert_int_equal(r.what, SCHED_FORCED);
	assert_true(r.z.refresh_us <= r.now.mono.us);
	assert_int_equal(r.armed_us, r.now.mono.us + ZONE_GRACE_US);
	rig_run(&r, 10);
	assert_int_equal(r.probes, 0);
	assert_int_equal(r.fetches, 1);
	assert_true(r.z.refresh_us > r.now.mono.us);
}

/* For a month nobody may make a forced transfer; the primaries answer. */
static void
never_expires_in_line(void **state)
{
	(void)state;
	for (unsigned asked = 0; asked < 2; asked++) {
		rig_init(&r, RIG_PRIMARIES);
		in_line();
		if (asked == 1) { /* one has failed: it waits for the second */
			rig_grant(&r);
			rig_xfer_fail(&r, ZR_REFUSED, true);
			assert_int_equal(r.what, SCHED_FORCED);
			assert_int_equal(r.asked, 1);
		}
		int64_t end = r.now.mono.us + 30 * 86400 * S;
		while (r.now.mono.us < end) {
			until_armed();
			assert_int_equal(r.z.data, ZONE_LOADED);
			while (r.queued && r.what != SCHED_FORCED) {
				rig_grant(&r);
				rig_soa(&r, 10);
			}
			rig_store_all(&r);
		}
		assert_in_range(r.probes, 30 * 24, 30 * 24 * 2);
		assert_int_equal(r.forced_fetches, asked);
		back_in_line();
		rig_run(&r, 10);
		assert_int_equal(zone_owed(&r.z), ZONE_PENDING_NONE);
	}
}

/* A NOTIFY(SOA) every second: in line for most of the time, and always in front. */
static void
checks_do_not_starve_the_force(void **state)
{
	int64_t waited = 0;

	(void)state;
	in_line();
	for (unsigned i = 0; i < 600; i++) {
		rig_pass(&r, S);
		waited += r.what == SCHED_FORCED ? S : 0;
		rig_timer(&r);
		if (r.what == SCHED_SOA) {
			rig_grant(&r);
			rig_soa(&r, 10);
			back_in_line();
		}
		rig_notify(&r, 1, -1);
		rig_store_all(&r);
	}
	assert_true(waited >= 590 * S);
	assert_in_range(r.probes, 190, 310);
}

/* A zone that was never loaded is, before its turn comes. */
static void
empty_zone_does_not_wait_for_the_line(void **state)
{
	(void)state;
	r.row.pending = ZONE_PENDING_FORCE;
	r.row.notifier = 0;
	r.durable = r.row;
	rig_start_empty(&r);
	assert_int_equal(r.what, SCHED_FORCED);
	until_armed();
	assert_int_equal(r.what, SCHED_SOA);
	rig_grant(&r);
	rig_soa(&r, 10);
	rig_grant(&r);
	rig_ready(&r, 10, false, false);
	rig_store_all(&r);
	assert_int_equal(r.z.data, ZONE_LOADED);
	back_in_line();
}

/* ---- the notifier cannot be asked (A-04) ---- */

enum failing { BY_ADDRESS, WHOLE, CURRENT, NOBODY_NAMED };

static void
fail_first(enum failing how)
{
	if (how == WHOLE || how == NOBODY_NAMED) {
		rig_xfer_fail(&r, ZR_REFUSED, true);
	} else if (how == CURRENT) {
		rig_current(&r, 10);
	} else {
		rig_xfer_fail(&r, ZR_TIMEOUT, false);
		rig_grant(&r);
		rig_xfer_fail(&r, ZR_TIMEOUT, false);
	}
}

static void
unheard_notifier_is_not_forgotten(void **state)
{
	(void)state;
	for (unsigned how = BY_ADDRESS; how <= NOBODY_NAMED; how++) {
		rig_init(&r, RIG_PRIMARIES);
		if (how == NOBODY_NAMED) { /* as after a restart */
			rig_start_loaded(&r, 10, ZONE_PENDING_FORCE);
		} else {
			rig_start_loaded(&r, 10, ZONE_PENDING_NONE);
			rig_notify_axfr(&r, 0, false);
			rig_store_all(&r);
		}
		rig_grant(&r);
		assert_int_equal(r.asked, 0);
		fail_first(how);
		for (unsigned i = 0; i < 2; i++) {
			rig_grant(&r);
			assert_int_equal(r.asked, i + 1);
			rig_ready(&r, 9, false, false);
		}
		assert_true((r.out.notes & ZONE_NOTE_ROUND_FAILED) != 0);
		rig_run(&r, 10);
		assert_int_equal(zone_owed(&r.z), ZONE_PENDING_FORCE);
		assert_int_equal(r.row.pending, ZONE_PENDING_FORCE);
		/* At RETRY it is back, and has news under the old serial. */
		for (unsigned i = 0; i < 5 && !(r.queued && r.what == SCHED_FORCED); i++)
			until_armed();
		assert_int_equal(r.asked, 0);
		rig_grant(&r);
		rig_ready(&r, 10, false, false);
		rig_store_all(&r);
		assert_int_equal(zone_owed(&r.z), ZONE_PENDING_NONE);
		assert_int_equal(r.row.pending, ZONE_PENDING_NONE);
	}
}

/* All were heard, the notifier with another address: that is an answer. */
static void
heard_notifier_ends_it(void **state)
{
	(void)state;
	rig_start_loaded(&r, 10, ZONE_PENDING_NONE);
	rig_notify_axfr(&r, 0, false);
	rig_grant(&r);
	rig_xfer_fail(&r, ZR_TIMEOUT, false);
	for (unsigned i = 0; i < 3; i++) {
		rig_grant(&r);
		assert_int_equal(r.asked, i);
		rig_ready(&r, 9, false, false);
	}
	assert_true((r.out.notes & ZONE_NOTE_FORCE_KEPT) != 0);
	rig_store_all(&r);
	assert_int_equal(zone_owed(&r.z), ZONE_PENDING_NONE);
}

/* ---- another list of primaries (A-03) ---- */

static void
reload_keeps_who_called(void **state)
{
	static struct primary *turned[3];
	struct zone_policy other;
	struct zone_arg a = {.policy = {.policy = &other, .primaries_changed = true}};

	(void)state;
	for (unsigned when = 0; when < 4; when++) {
		bool gone = when == 3;
		rig_init(&r, RIG_PRIMARIES);
		rig_start_loaded(&r, 10, ZONE_PENDING_NONE);
		turned[0] = r.list[2];
		turned[1] = r.list[0];
		turned[2] = r.list[1];
		other = r.policy;
		other.primaries = turned;
		other.primary_count = gone ? 2 : 3;
		rig_notify_axfr(&r, 1, true);
		rig_store_all(&r);
		if (when == 1)
			rig_grant(&r);
		if (when == 2)
			rig_step(&r, ZONE_EV_HOLD, NULL);
		rig_step(&r, ZONE_EV_POLICY, &a);
		if (when == 2)
			rig_step(&r, ZONE_EV_RESUME, NULL);
		while (r.what != SCHED_FORCED) /* asked before: not before its rate allows */
			rig_run(&r, 10), until_armed();
		assert_ptr_equal(other.primaries[r.asked], r.list[gone ? 2 : 1]);
		rig_grant(&r);
		rig_ready(&r, 5, false, false); /* and it is still proved */
		if (gone)
			continue;
		assert_true(rig_ordered(&r, ZONE_OR_COMMIT));
		assert_int_equal(rig_order(&r, ZONE_OR_COMMIT)->commit.notifier, 2);
	}
}

/* ---- the proof of one event is not that of the next (A-08) ---- */

/* Two events, the first is proved; the second comes while the first is served; then a crash. */
static void
proof_ends_with_its_event(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		bool second = i == 1 || i == 3; /* it is proved as well */
		rig_init(&r, RIG_PRIMARIES);
		rig_start_loaded(&r, 10, ZONE_PENDING_NONE);
		rig_notify_axfr(&r, 1, true);
		rig_store_all(&r);
		assert_true(r.durable.authenticated);
		rig_grant(&r);
		if (i >= 2) { /* all lag: the first one ends without a commit */
			r.policy.forced_lower = ZONE_LOWER_NEVER;
			for (unsigned k = 0; k < 2; k++) {
				rig_ready(&r, 9, false, false);
				rig_grant(&r);
			}
		}
		rig_notify_axfr(&r, 2, second);
		rig_store_all(&r);
		assert_true(r.row.authenticated);
		rig_ready(&r, i < 2 ? 11 : 9, false, false);
		r.policy.forced_lower = ZONE_LOWER_AUTHENTICATED;
		rig_store_all(&r);
		assert_int_equal(r.row.pending, ZONE_PENDING_FORCE);
		assert_int_equal(r.row.notifier, 2);
		assert_int_equal(r.row.authenticated, second);
		rig_restart(&r, false);
		while (r.what != SCHED_FORCED || !r.queued)
			rig_run(&r, r.z.serial), until_armed();
		assert_int_equal(r.asked, 2);
		rig_grant(&r);
		rig_ready(&r, 5, false, false);
		assert_int_equal(rig_ordered(&r, ZONE_OR_COMMIT), second);
	}
}

/* One that is proved after that is on disk again. */
static void
proof_after_the_commit(void **state)
{
	(void)state;
	rig_start_loaded(&r, 10, ZONE_PENDING_NONE);
	rig_notify_axfr(&r, 1, true);
	rig_store_all(&r);
	rig_grant(&r);
	rig_notify_axfr(&r, 2, false);
	rig_ready(&r, 11, false, false);
	rig_notify_axfr(&r, 0, true);
	assert_int_equal(r.out.answer, ZONE_ANSWER_MARKED);
	rig_store_all(&r);
	assert_true(r.row.authenticated && r.durable.authenticated);
	assert_int_equal(r.row.notifier, 0);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(notify_does_not_wait_for_the_line),
	    T(operator_does_not_wait_for_the_line),
	    T(both_kinds_together_cost_one),
	    T(refresh_does_not_wait_for_the_line),
	    T(overdue_refresh_waits_for_the_grace),
	    T(never_expires_in_line),
	    T(checks_do_not_starve_the_force),
	    T(empty_zone_does_not_wait_for_the_line),
	    T(unheard_notifier_is_not_forgotten),
	    T(heard_notifier_ends_it),
	    T(reload_keeps_who_called),
	    T(proof_ends_with_its_event),
	    T(proof_after_the_commit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
