/* SPDX-License-Identifier: BSD-2-Clause */
/* Expiry, forced transfers, hold, changes of the configuration, removal. */
#include "zonerig_each.h"

#include "base/serial.h"

/* Loaded with serial 10 and at rest. */
static void
at_rest(void)
{
	rig_start_loaded(&r, 10, ZONE_PENDING_NONE);
	assert_int_equal(r.z.state, ZONE_IDLE);
}

static void
assert_note(uint32_t note)
{
	assert_int_equal(r.out.notes & note, note);
}

/* ---- expiry ---- */

static void
expiry_and_coming_back(void **state)
{
	(void)state;
	at_rest();
	for (unsigned i = 0; i < 3; i++)
		for (unsigned a = 0; a < 2; a++)
			r.primary[i].address[a].hold_us = INT64_MAX;
	rig_pass(&r, 604800 * S - 1);
	rig_timer(&r);
	assert_int_equal(r.z.data, ZONE_LOADED);
	rig_pass(&r, 1);
	rig_timer(&r);
	assert_true(r.expired);
	assert_int_equal(zone_expire_left(&r.z, r.now.mono), 0);
	assert_int_equal(r.z.state, ZONE_IDLE);
	assert_in_range(r.armed_us - r.now.mono.us, 1, 600 * S); /* T-08 */
	for (unsigned i = 0; i < 3; i++)
		primary_notified(&r.primary[i], -1);
	rig_pass(&r, 600 * S);
	rig_timer(&r);
	rig_grant(&r);
	rig_soa(&r, 10); /* the very serial: it is fetched all the same */
	rig_grant(&r);
	assert_false(r.fetch_ixfr); /* A-20, I-13 */
	rig_ready(&r, 10, false, true);
	const struct zone_commit *c = &rig_order(&r, ZONE_OR_COMMIT)->commit;
	assert_false(c->content);
	assert_int_equal(c->announce, ZONE_ANNOUNCE_SOA);
	rig_store_all(&r);
	assert_false(r.expired);
	assert_int_equal(r.z.data, ZONE_LOADED);
}

static void
expired_zone_takes_a_lower_serial_and_drops_the_journal(void **state)
{
	(void)state;
	at_rest();
	rig_pass(&r, 604800 * S);
	rig_timer(&r);
	rig_grant(&r);
	rig_soa(&r, 5);
	rig_grant(&r);
	rig_ready(&r, 5, false, false);
	assert_note(ZONE_NOTE_SERIAL_BACK);
	const struct zone_commit *c = &rig_order(&r, ZONE_OR_COMMIT)->commit;
	assert_true(c->drop_journal);
	assert_true(c->ambiguous);
	rig_store_all(&r);
	assert_int_equal(r.z.serial, 5);
}

static void
expiry_goes_on_while_busy(void **state)
{
	(void)state;
	at_rest();
	rig_pass(&r, 604000 * S);
	rig_timer(&r);
	rig_grant(&r);
	rig_soa(&r, 11);
	rig_grant(&r);
	rig_pass(&r, 800 * S);
	assert_int_equal(r.armed_us, r.z.expire_us);
	rig_timer(&r);
	assert_true(r.expired);
	assert_int_equal(r.z.state, ZONE_FETCHING);
	rig_ready(&r, 11, true, false);
	rig_store_all(&r);
	assert_false(r.expired);
}

/* ---- forced transfers ---- */

static void
forced_transfer_asks_no_soa(void **state)
{
	(void)state;
	at_rest();
	rig_notify_axfr(&r, 1, false);
	assert_int_equal(rig_order(&r, ZONE_OR_MARK)->mark.pending, ZONE_PENDING_FORCE);
	assert_int_equal(r.what, SCHED_FORCED);
	assert_int_equal(r.asked, 1);
	rig_grant(&r);
	assert_int_equal(r.probes, 0);
	assert_false(r.fetch_ixfr);
	rig_ready(&r, 10, false, true);
	const struct zone_commit *c = &rig_order(&r, ZONE_OR_COMMIT)->commit;
	assert_false(c->content);
	assert_int_equal(c->announce, ZONE_ANNOUNCE_AXFR); /* AN-11, A-04 */
	rig_store_all(&r);
	assert_int_equal(r.row.pending, ZONE_PENDING_NONE);
	assert_int_equal(r.z.state, ZONE_IDLE);
}

/* */
static void
forced_same_serial_other_content(void **state)
{
	(void)state;
	at_rest();
	rig_notify_axfr(&r, 0, false);
	rig_grant(&r);
	rig_ready(&r, 10, false, false);
	assert_note(ZONE_NOTE_SAME_SERIAL);
	const struct zone_commit *c = &rig_order(&r, ZONE_OR_COMMIT)->commit;
	assert_true(c->content);
	assert_true(c->drop_journal);
	assert_true(c->ambiguous);
	assert_true(c->durable); /* though there is a mark: nobody may have what we then lose */
	rig_store_all(&r);
	/* A-10 (4): the next refresh is by AXFR, the one after it by IXFR again. */
	rig_notify(&r, 0, 11);
	rig_grant(&r);
	rig_soa(&r, 11);
	rig_grant(&r);
	assert_false(r.fetch_ixfr);
	rig_ready(&r, 11, false, false);
	rig_store_all(&r);
	rig_notify(&r, 0, 12);
	rig_grant(&r);
	rig_soa(&r, 12);
	rig_grant(&r);
	assert_true(r.fetch_ixfr);
}

/* a thousand while one runs are exactly one more, when the rate allows. */
static void
forced_are_coalesced_and_limited(void **state)
{
	(void)state;
	at_rest();
	rig_notify_axfr(&r, 0, false);
	rig_grant(&r);
	for (unsigned i = 0; i < 1000; i++)
		rig_notify_axfr(&r, 0, false);
	rig_ready(&r, 10, false, true);
	rig_store_all(&r);
	assert_int_equal(r.z.state, ZONE_IDLE);
	assert_note(ZONE_NOTE_FORCE_WAITS);
	assert_int_equal(r.row.pending, ZONE_PENDING_FORCE);
	assert_in_range(r.armed_us - r.now.mono.us, 50 * S, 60 * S);
	/* An ordinary NOTIFY is not made to wait for that. */
	rig_notify(&r, 0, 11);
	assert_int_equal(r.what, SCHED_SOA);
	rig_run(&r, 11);
	assert_int_equal(r.z.serial, 11);
	assert_int_equal(r.row.pending, ZONE_PENDING_FORCE);
	rig_pass(&r, 60 * S);
	rig_timer(&r);
	assert_int_equal(r.what, SCHED_FORCED);
	unsigned before = r.fetches;
	rig_run(&r, 11);
	assert_int_equal(r.fetches, before + 1);
	assert_int_equal(r.row.pending, ZONE_PENDING_NONE);
}

static void
long_forced_transfers_are_further_apart(void **state)
{
	(void)state;
	at_rest();
	rig_notify_axfr(&r, 0, false);
	rig_grant(&r);
	rig_pass(&r, 200 * S);
	struct zone_arg a = {.attempt = r.attempt,
	    .ready = {.serial = 10, .identical = true, .times = rig_times, .duration_us = 200 * S}};
	r.commit_times = rig_times;
	rig_step(&r, ZONE_EV_XFER_READY, &a);
	rig_store_all(&r);
	rig_notify_axfr(&r, 0, false);
	assert_int_equal(r.z.state, ZONE_IDLE);
	assert_int_equal(r.armed_us, r.now.mono.us + 400 * S);
}

static void
forced_overtakes_a_queued_or_probing_check(void **state)
{
	(void)state;
	at_rest();
	rig_notify(&r, 0, -1);
	rig_notify_axfr(&r, 1, false);
	assert_true(rig_ordered(&r, ZONE_OR_DEQUEUE));
	assert_int_equal(r.what, SCHED_FORCED);
	rig_run(&r, 10);
	assert_int_equal(r.probes, 0); /* the AXFR answers the check as well */
	rig_pass(&r, 3600 * S);
	rig_notify(&r, 0, -1);
	rig_grant(&r);
	rig_notify_axfr(&r, 0, false);
	assert_int_equal(r.z.state, ZONE_PROBING);
	rig_soa(&r, 11);
	assert_int_equal(r.what, SCHED_FORCED);
	rig_run(&r, 11);
	assert_int_equal(r.z.serial, 11);
	assert_int_equal(r.fetches, 2);
}

/* A running transfer proves nothing about later news. */
static void
forced_follows_a_running_transfer(void **state)
{
	(void)state;
	at_rest();
	rig_notify(&r, 0, 11);
	rig_grant(&r);
	rig_soa(&r, 11);
	rig_grant(&r);
	rig_notify_axfr(&r, 0, false);
	assert_int_equal(r.z.state, ZONE_FETCHING);
	rig_ready(&r, 11, true, false);
	assert_int_equal(rig_order(&r, ZONE_OR_COMMIT)->commit.pending_after, ZONE_PENDING_FORCE);
	rig_store_all(&r);
	assert_int_equal(r.what, SCHED_FORCED);
	rig_run(&r, 11);
	assert_int_equal(r.row.pending, ZONE_PENDING_NONE);
}

/* */
static void
forced_lower_serial_by_policy(void **state)
{
	static const struct {
		enum zone_lower policy;
		bool authenticated, operator, install;
	} rows[] = {
	    {ZONE_LOWER_AUTHENTICATED, false, false, false},
	    {ZONE_LOWER_AUTHENTICATED, true, false, true},
	    {ZONE_LOWER_AUTHENTICATED, false, true, true},
	    {ZONE_LOWER_ALWAYS, false, false, true},
	    {ZONE_LOWER_NEVER, true, false, false},
	    {ZONE_LOWER_NEVER, false, true, true},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		rig_init(&r, 1);
		r.policy.forced_lower = rows[i].policy;
		at_rest();
		if (rows[i].operator)
			rig_step(&r, ZONE_EV_RETRANSFER, NULL);
		else
			rig_notify_axfr(&r, 0, rows[i].authenticated);
		rig_grant(&r);
		rig_ready(&r, 5, false, false);
		assert_int_equal(rig_ordered(&r, ZONE_OR_COMMIT), rows[i].install);
		if (!rows[i].install)
			assert_note(ZONE_NOTE_FORCE_KEPT);
		rig_run(&r, 10);
		assert_int_equal(r.z.serial, rows[i].install ? 5 : 10);
		assert_int_equal(r.row.pending, ZONE_PENDING_NONE);
	}
}

/* lower than ours at somebody who did not call is passed over, unless all are lower. */
static void
forced_lower_serial_elsewhere(void **state)
{
	(void)state;
	r.policy.forced_lower = ZONE_LOWER_ALWAYS;
	at_rest();
	rig_notify_axfr(&r, 1, false);
	rig_grant(&r);
	rig_xfer_fail(&r, ZR_TIMEOUT, true); /* the notifier */
	rig_grant(&r);
	rig_ready(&r, 5, false, false);
	assert_true(rig_ordered(&r, ZONE_OR_ABORT));
	assert_int_equal(r.asked, 2);
	rig_grant(&r);
	rig_ready(&r, 6, false, false);
	assert_true(rig_ordered(&r, ZONE_OR_ABORT));
	assert_int_equal(r.z.state, ZONE_QUEUED); /* second pass */
	assert_int_equal(r.asked, 1);
	rig_grant(&r);
	rig_xfer_fail(&r, ZR_TIMEOUT, true);
	rig_grant(&r);
	rig_ready(&r, 5, false, false);
	assert_true(rig_ordered(&r, ZONE_OR_COMMIT));
	rig_store_all(&r);
	assert_int_equal(r.z.serial, 5);
}

/* While AXFR fails, ordinary changes still come in. */
static void
failing_force_does_not_stop_checks(void **state)
{
	(void)state;
	rig_init(&r, 1);
	at_rest();
	rig_notify_axfr(&r, 0, false);
	rig_notify(&r, 0, 11);
	rig_grant(&r);
	rig_xfer_fail(&r, ZR_REFUSED, true);
	assert_int_equal(r.what, SCHED_SOA);
	rig_run(&r, 11);
	assert_int_equal(r.z.serial, 11);
	assert_int_equal(r.row.pending, ZONE_PENDING_FORCE);
	rig_pass(&r, 600 * S);
	rig_timer(&r);
	assert_int_equal(r.what, SCHED_FORCED);
	rig_run(&r, 11);
	assert_int_equal(r.row.pending, ZONE_PENDING_NONE);
}

static void
operator_retransfer_ignores_the_rate(void **state)
{
	(void)state;
	at_rest();
	for (unsigned i = 0; i < 3; i++) {
		rig_step(&r, ZONE_EV_RETRANSFER, NULL);
		assert_int_equal(r.what, SCHED_FORCED);
		assert_int_equal(r.lane, LANE_OPERATOR);
		rig_run(&r, 10);
	}
	assert_int_equal(r.fetches, 3);
}

/* ---- hold, policy, removal ---- */

static void
held_zone_records_and_acts_when_resumed(void **state)
{
	(void)state;
	at_rest();
	rig_notify(&r, 0, 11);
	rig_grant(&r);
	rig_step(&r, ZONE_EV_HOLD, NULL);
	assert_true(rig_ordered(&r, ZONE_OR_CANCEL));
	assert_int_equal(r.z.state, ZONE_HELD);
	rig_notify(&r, 1, 12); /* */
	assert_int_not_equal(r.out.answer, ZONE_ANSWER_NONE);
	rig_store_all(&r);
	assert_int_equal(r.row.pending, ZONE_PENDING_CHECK);
	assert_int_equal(r.z.state, ZONE_HELD);
	rig_step(&r, ZONE_EV_RESUME, NULL);
	assert_int_equal(r.z.state, ZONE_QUEUED);
	rig_run(&r, 12);
	assert_int_equal(r.z.serial, 12);
}

static void
held_zone_still_expires(void **state)
{
	(void)state;
	at_rest();
	rig_step(&r, ZONE_EV_HOLD, NULL);
	rig_pass(&r, 604800 * S);
	rig_timer(&r);
	assert_true(r.expired);
	assert_int_equal(r.armed_us, 0);
}

static void
hold_waits_for_a_commit(void **state)
{
	(void)state;
	at_rest();
	rig_notify(&r, 0, 11);
	rig_grant(&r);
	rig_soa(&r, 11);
	rig_grant(&r);
	rig_ready(&r, 11, true, false);
	rig_step(&r, ZONE_EV_HOLD, NULL);
	assert_int_equal(r.z.state, ZONE_STORING);
	rig_store_all(&r);
	assert_int_equal(r.z.state, ZONE_HELD);
	assert_int_equal(r.z.serial, 11);
}

static void
removal_cancels_and_waits_for_a_commit(void **state)
{
	(void)state;
	at_rest();
	rig_notify(&r, 0, 11);
	rig_grant(&r);
	rig_soa(&r, 11);
	rig_grant(&r);
	rig_ready(&r, 11, true, false);
	rig_step(&r, ZONE_EV_REMOVE, NULL);
	assert_false(r.gone);
	rig_store_all(&r);
	assert_true(r.gone);
	assert_int_equal(r.armed_us, 0);

	rig_init(&r, 1);
	at_rest();
	rig_notify(&r, 0, 11);
	rig_grant(&r);
	rig_step(&r, ZONE_EV_REMOVE, NULL);
	assert_true(rig_ordered(&r, ZONE_OR_CANCEL));
	assert_true(r.gone);
}

static void
other_primaries_start_over(void **state)
{
	struct zone_policy other = r.policy;
	struct primary *list[] = {&r.primary[2]};

	(void)state;
	at_rest();
	rig_notify(&r, 1, 11);
	rig_grant(&r);
	other.primaries = list;
	other.primary_count = 1;
	struct zone_arg a = {.policy = {.policy = &other, .primaries_changed = true}};
	rig_step(&r, ZONE_EV_POLICY, &a);
	assert_true(rig_ordered(&r, ZONE_OR_CANCEL));
	assert_int_equal(r.z.state, ZONE_QUEUED);
	assert_int_equal(r.asked, 0);
	rig_run(&r, 11);
	assert_int_equal(r.z.serial, 11);
}

static void
shorter_intervals_count_at_once(void **state)
{
	struct zone_policy other = r.policy;

	(void)state;
	at_rest();
	other.refresh_max_us = 1000 * S;
	other.expire_max_us = 5000 * S;
	struct zone_arg a = {.policy = {.policy = &other}};
	rig_step(&r, ZONE_EV_POLICY, &a);
	assert_int_equal(r.z.state, ZONE_IDLE);
	assert_in_range(r.armed_us - r.now.mono.us, 900 * S, 1000 * S);
	assert_int_equal(r.z.expire_us - r.now.mono.us, 5000 * S);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(expiry_and_coming_back),
	    T(expired_zone_takes_a_lower_serial_and_drops_the_journal),
	    T(expiry_goes_on_while_busy),
	    T(forced_transfer_asks_no_soa),
	    T(forced_same_serial_other_content),
	    T(forced_are_coalesced_and_limited),
	    T(long_forced_transfers_are_further_apart),
	    T(forced_overtakes_a_queued_or_probing_check),
	    T(forced_follows_a_running_transfer),
	    T(forced_lower_serial_by_policy),
	    T(forced_lower_serial_elsewhere),
	    T(failing_force_does_not_stop_checks),
	    T(operator_retransfer_ignores_the_rate),
	    T(held_zone_records_and_acts_when_resumed),
	    T(held_zone_still_expires),
	    T(hold_waits_for_a_commit),
	    T(removal_cancels_and_waits_for_a_commit),
	    T(other_primaries_start_over),
	    T(shorter_intervals_count_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
