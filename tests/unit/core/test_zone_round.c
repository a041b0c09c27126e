/* SPDX-License-Identifier: BSD-2-Clause */
/* One round: serials, whom to ask, transfers that go wrong. */
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

/* ---- serials ---- */

/* T-02, E-05, E-09 */
static void
equal_serial_restarts_the_timers(void **state)
{
	(void)state;
	at_rest();
	rig_pass(&r, 3600 * S);
	rig_timer(&r);
	rig_grant(&r);
	rig_soa(&r, 10);
	assert_note(ZONE_NOTE_CURRENT);
	assert_in_range(r.z.refresh_us - r.now.mono.us, 3240 * S, 3600 * S);
	assert_int_equal(r.z.expire_us, r.now.mono.us + 604800 * S);
	rig_store_all(&r);
	assert_int_equal(r.row.checked_at.us, r.now.wall.us);
	assert_int_equal(r.row.expire_at.us, r.now.wall.us + 604800 * S);
}

/* E-05: the later of the two; E-08: never above the SOA's. */
static void
expire_option_rules(void **state)
{
	static const struct {
		uint32_t option, left;
	} rows[] = {{100000, 601200}, {700000, 604800}, {0, 601200}, {602000, 602000}};

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		rig_init(&r, 1);
		at_rest();
		rig_pass(&r, 3600 * S);
		rig_timer(&r);
		rig_grant(&r);
		struct zone_arg a = {.attempt = r.attempt,
		    .soa = {.serial = 10, .expire_valid = true, .expire = rows[i].option}};
		rig_step(&r, ZONE_EV_SOA_OK, &a);
		assert_int_equal(r.z.expire_us - r.now.mono.us, rows[i].left * S);
		assert_int_equal(zone_expire_left(&r.z, r.now.mono), rows[i].left);
	}
}

/* E-07 */
static void
expire_option_of_a_transfer_replaces(void **state)
{
	static const struct {
		uint32_t option, left;
	} rows[] = {{1000, 1000}, {604801, 604800}, {604800, 604800}};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		rig_init(&r, 1);
		at_rest();
		rig_notify(&r, 0, 11);
		rig_grant(&r);
		rig_soa(&r, 11);
		rig_grant(&r);
		struct zone_arg a = {.attempt = r.attempt,
		    .ready = {.serial = 11,
			.times = rig_times,
			.expire_valid = true,
			.expire = rows[i].option}};
		rig_step(&r, ZONE_EV_XFER_READY, &a);
		rig_store_all(&r);
		assert_int_equal(zone_expire_left(&r.z, r.now.mono), rows[i].left);
		assert_true(r.z.refresh_us < r.z.expire_us); /* T-13 */
	}
}

/* O-02, S-03: no transfer, others are asked, expiry goes on, RETRY. */
static void
primary_behind_us(void **state)
{
	(void)state;
	at_rest();
	int64_t expire = r.z.expire_us;
	rig_pass(&r, 3600 * S);
	rig_timer(&r);
	rig_grant(&r);
	rig_soa(&r, 9);
	assert_note(ZONE_NOTE_BEHIND);
	assert_int_equal(r.asked, 1);
	rig_grant(&r);
	rig_soa(&r, 10 + UINT32_C(0x80000000));
	assert_note(ZONE_NOTE_INCOMPARABLE);
	assert_int_equal(r.asked, 2);
	rig_grant(&r);
	rig_soa(&r, 9);
	assert_note(ZONE_NOTE_ALL_BEHIND);
	assert_int_equal(r.fetches, 0);
	assert_int_equal(r.z.expire_us, expire);
	assert_in_range(r.armed_us - r.now.mono.us, 540 * S, 600 * S);
}

/* RFC 2182 section 7, O-03, and the wrap of S-02. */
static void
serial_recipe(void **state)
{
	static const uint32_t steps[] = {
	    1000, 2000000000, 4000000000, 11, 0x7fffffff, 0xfffffffe, 0xffffffff, 0, 1};

	(void)state;
	at_rest();
	for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		rig_pass(&r, 3600 * S);
		rig_timer(&r);
		rig_run(&r, steps[i]);
		assert_int_equal(r.z.serial, steps[i]);
		assert_int_equal(r.commits, i + 1);
	}
}

/* ---- whom to ask ---- */

static void
order_of_the_primaries(void **state)
{
	/* 2 notified: 2 first, both addresses, then 0, 1. */
	static const uint16_t expect[][2] = {{2, 0}, {2, 1}, {0, 0}, {0, 1}, {1, 0}, {1, 1}};

	(void)state;
	at_rest();
	rig_notify(&r, 2, 11);
	for (unsigned i = 0; i < 6; i++) {
		rig_grant(&r);
		assert_int_equal(r.asked, expect[i][0]);
		assert_int_equal(r.asked_address, expect[i][1]);
		rig_soa_fail(&r, ZR_TIMEOUT, false);
	}
	assert_int_equal(r.z.state, ZONE_IDLE);
}

static void
address_of_the_notifier_first(void **state)
{
	struct zone_arg a = {.notify = {.primary = 1, .address = 1}};

	(void)state;
	at_rest();
	rig_step(&r, ZONE_EV_NOTIFY, &a);
	rig_grant(&r);
	assert_int_equal(r.asked, 1);
	assert_int_equal(r.asked_address, 1);
	rig_soa_fail(&r, ZR_TIMEOUT, false);
	rig_grant(&r);
	assert_int_equal(r.asked, 1);
	assert_int_equal(r.asked_address, 0);
	rig_soa_fail(&r, ZR_TIMEOUT, true);
	rig_grant(&r);
	assert_int_equal(r.asked, 0);
	assert_int_equal(r.asked_address, 0);
}

static void
backed_off_addresses_are_passed_over(void **state)
{
	(void)state;
	at_rest();
	primary_failed(&r.primary[0], 0, ZR_TIMEOUT, r.now.mono);
	primary_failed(&r.primary[0], 1, ZR_TIMEOUT, r.now.mono);
	primary_failed(&r.primary[1], 0, ZR_TIMEOUT, r.now.mono);
	rig_step(&r, ZONE_EV_REFRESH, NULL);
	assert_int_equal(r.lane, LANE_OPERATOR);
	rig_grant(&r);
	assert_int_equal(r.asked, 1);
	assert_int_equal(r.asked_address, 1);
}

/* All backed off: nothing is asked, nothing counts as failed, and the end of the hold is the time.
 */
static void
all_backed_off(void **state)
{
	(void)state;
	at_rest();
	for (unsigned i = 0; i < 3; i++)
		for (unsigned a = 0; a < 2; a++)
			primary_failed(&r.primary[i], a, ZR_TIMEOUT, r.now.mono);
	rig_step(&r, ZONE_EV_REFRESH, NULL);
	assert_int_equal(r.z.state, ZONE_IDLE);
	assert_int_equal(r.z.failures, 0);
	assert_int_equal(r.armed_us, r.now.mono.us + 10 * S);
	assert_false(rig_ordered(&r, ZONE_OR_SAVE));
	rig_pass(&r, 10 * S);
	rig_timer(&r);
	assert_int_equal(r.z.state, ZONE_QUEUED);
}

static void
denied_goes_to_the_next(void **state)
{
	(void)state;
	at_rest();
	rig_notify(&r, 1, 11);
	for (unsigned a = 0; a < 2; a++)
		primary_failed(&r.primary[1], a, ZR_TIMEOUT, r.now.mono);
	rig_denied(&r);
	assert_int_equal(r.asked, 0);
	for (unsigned a = 0; a < 2; a++)
		primary_failed(&r.primary[0], a, ZR_TIMEOUT, r.now.mono);
	rig_grant(&r); /* granted before anybody knew */
	assert_true(rig_ordered(&r, ZONE_OR_RELEASE));
	assert_int_equal(r.asked, 2);
	rig_run(&r, 11);
	assert_int_equal(r.z.serial, 11);
}

/* The notifier could not be asked and the others know nothing: again after RETRY. */
static void
dead_notifier_is_asked_again(void **state)
{
	(void)state;
	at_rest();
	rig_notify(&r, 0, -1);
	for (unsigned a = 0; a < 2; a++) {
		rig_grant(&r);
		rig_soa_fail(&r, ZR_TIMEOUT, false);
	}
	rig_grant(&r);
	assert_int_equal(r.asked, 1);
	rig_soa(&r, 10);
	assert_note(ZONE_NOTE_CURRENT);
	assert_in_range(r.armed_us - r.now.mono.us, 540 * S, 600 * S);
}

/* The hint of another peer is looked for at every primary, then at RETRY, then no longer. */
static void
hint_that_nobody_has(void **state)
{
	(void)state;
	at_rest();
	rig_notify(&r, 1, 99);
	for (unsigned i = 0; i < 3; i++) {
		rig_grant(&r);
		rig_soa(&r, 10);
	}
	assert_note(ZONE_NOTE_CURRENT | ZONE_NOTE_HINT_UNMET);
	assert_in_range(r.armed_us - r.now.mono.us, 540 * S, 600 * S);
	rig_pass(&r, 600 * S);
	rig_timer(&r);
	rig_grant(&r);
	rig_soa(&r, 10);
	assert_in_range(r.armed_us - r.now.mono.us, 3240 * S, 3600 * S);
}

/* ---- transfers that go wrong ---- */

/* */
static void
less_than_announced_is_installed_and_checked_again(void **state)
{
	(void)state;
	rig_init(&r, 1);
	at_rest();
	rig_notify(&r, 0, -1);
	rig_grant(&r);
	rig_soa(&r, 15);
	rig_grant(&r);
	rig_ready(&r, 12, true, false);
	assert_true(rig_ordered(&r, ZONE_OR_COMMIT));
	rig_store_all(&r);
	assert_int_equal(r.z.serial, 12);
	assert_int_equal(r.z.state, ZONE_QUEUED);
	rig_grant(&r);
	rig_soa(&r, 15);
	rig_grant(&r);
	rig_current(&r, 12);
	assert_note(ZONE_NOTE_INCONSISTENT);
	assert_int_equal(r.z.state, ZONE_IDLE); /* not for ever */
	assert_in_range(r.armed_us - r.now.mono.us, 540 * S, 600 * S);
	assert_int_equal(r.z.failures, 0);
}

static void
transfer_not_newer_is_thrown_away(void **state)
{
	(void)state;
	at_rest();
	rig_notify(&r, 0, 11);
	rig_grant(&r);
	rig_soa(&r, 11);
	rig_grant(&r);
	rig_ready(&r, 10, false, false);
	assert_note(ZONE_NOTE_INCONSISTENT);
	assert_true(rig_ordered(&r, ZONE_OR_ABORT));
	assert_false(rig_ordered(&r, ZONE_OR_COMMIT));
	assert_int_equal(r.asked, 1); /* perhaps another has it */
	rig_run(&r, 11);
	assert_int_equal(r.z.serial, 11);
}

static void
difference_that_does_not_fit_leads_to_axfr_in_the_same_slot(void **state)
{
	(void)state;
	at_rest();
	rig_notify(&r, 0, 11);
	rig_grant(&r);
	rig_soa(&r, 11);
	rig_grant(&r);
	assert_true(r.fetch_ixfr);
	uint32_t attempt = r.attempt;
	rig_xfer_fail(&r, ZR_DIFF, false);
	assert_int_equal(rig_order(&r, ZONE_OR_ABORT)->attempt, attempt);
	assert_int_equal(r.z.state, ZONE_FETCHING);
	assert_int_not_equal(r.attempt, attempt);
	assert_false(r.fetch_ixfr);
	assert_false(rig_ordered(&r, ZONE_OR_RELEASE));
	rig_xfer_fail(&r, ZR_DIFF, false);
	assert_true(rig_ordered(&r, ZONE_OR_RELEASE));
	assert_int_equal(r.z.state, ZONE_QUEUED);
}

/* */
static void
rejected_serial_is_not_fetched_again_and_again(void **state)
{
	(void)state;
	at_rest();
	rig_notify(&r, 0, 11);
	for (unsigned i = 0; i < 3; i++) { /* every primary gets its chance in this round */
		rig_grant(&r);
		rig_soa(&r, 11);
		rig_grant(&r);
		rig_xfer_fail(&r, ZR_BADZONE, true);
	}
	assert_int_equal(r.fetches, 3);
	assert_int_equal(r.z.state, ZONE_IDLE);
	for (unsigned i = 0; i < 50; i++) {
		rig_pass(&r, S);
		rig_notify(&r, 0, -1);
		while (r.queued) {
			rig_grant(&r);
			rig_soa(&r, 11);
			assert_note(ZONE_NOTE_REJECTED);
		}
	}
	assert_int_equal(r.fetches, 3);
	rig_notify(&r, 0, 12); /* another serial is another matter */
	rig_grant(&r);
	rig_soa(&r, 12);
	assert_int_equal(r.what, SCHED_TRANSFER);
	rig_run(&r, 12);
	assert_int_equal(r.z.serial, 12);
}

/* a primary that breaks off every transfer is not asked for one at every NOTIFY. */
static void
broken_transfers_are_spaced(void **state)
{
	(void)state;
	rig_init(&r, 1);
	at_rest();
	for (unsigned i = 0; i < 600; i++) { /* one minute, ten NOTIFYs a second */
		rig_notify(&r, 0, 11);
		rig_timer(&r);
		rig_store_all(&r);
		while (r.queued) {
			rig_grant(&r);
			if (r.z.state == ZONE_PROBING)
				rig_soa(&r, 11);
			else if (r.z.state == ZONE_FETCHING)
				rig_xfer_fail(&r, ZR_CLOSED, false);
		}
		rig_pass(&r, S / 10);
	}
	assert_in_range(r.fetches, 2, 7); /* at 0, 1, 3, 7, 15, 31 s */
	rig_pass(&r, 64 * S);
	rig_timer(&r);
	rig_run(&r, 11); /* and what the NOTIFY is owed is not forgotten */
	assert_int_equal(r.z.serial, 11);
}

static void
operator_overrides_the_rejection(void **state)
{
	(void)state;
	rig_init(&r, 1);
	at_rest();
	rig_notify(&r, 0, 11);
	rig_grant(&r);
	rig_soa(&r, 11);
	rig_grant(&r);
	rig_xfer_fail(&r, ZR_LIMIT, true);
	rig_step(&r, ZONE_EV_REFRESH, NULL);
	assert_int_not_equal(r.out.answer, ZONE_ANSWER_NONE);
	rig_run(&r, 11);
	assert_int_equal(r.z.serial, 11);
}

static void
commit_that_fails_keeps_the_old_version_and_is_tried_later(void **state)
{
	(void)state;
	at_rest();
	rig_notify(&r, 0, 11);
	rig_store_all(&r);
	rig_grant(&r);
	rig_soa(&r, 11);
	rig_grant(&r);
	rig_ready(&r, 11, true, false);
	rig_store(&r, true);
	assert_true(rig_ordered(&r, ZONE_OR_ABORT));
	assert_int_equal(r.z.serial, 10);
	assert_int_equal(r.z.state, ZONE_IDLE);
	rig_store_all(&r);
	assert_int_equal(r.row.pending, ZONE_PENDING_CHECK);
	rig_pass(&r, 600 * S);
	rig_timer(&r);
	rig_run(&r, 11);
	assert_int_equal(r.row.serial, 11);
	assert_int_equal(r.row.pending, ZONE_PENDING_NONE);
}

static void
late_results_change_nothing(void **state)
{
	(void)state;
	at_rest();
	rig_notify(&r, 0, 11);
	rig_grant(&r);
	uint32_t old = r.attempt;
	rig_soa(&r, 11);
	rig_grant(&r);
	struct zone_arg a = {.attempt = old, .soa = {.serial = 10}};
	rig_step(&r, ZONE_EV_SOA_OK, &a);
	assert_note(ZONE_NOTE_STALE);
	rig_step(&r, ZONE_EV_XFER_CURRENT, &a);
	assert_int_equal(r.z.state, ZONE_FETCHING);
	struct zone_arg b = {.attempt = old, .ready = {.serial = 50, .times = rig_times}};
	rig_step(&r, ZONE_EV_XFER_READY, &b);
	assert_int_equal(rig_order(&r, ZONE_OR_ABORT)->attempt, old);
	assert_int_equal(r.z.state, ZONE_FETCHING);
}

/* Once a primary answers, zones that were never loaded are not asked for their serial. */
static void
never_loaded_is_transferred_at_once(void **state)
{
	(void)state;
	rig_init(&r, 1);
	rig_start_empty(&r);
	assert_int_equal(r.z.sched.what, SCHED_SOA); /* nobody knows yet whether it is there */
	primary_ok(&r.primary[0], r.z.address, r.now.mono);
	rig_grant(&r); /* the line has waited meanwhile */
	assert_true(rig_order(&r, ZONE_OR_RELEASE)->release.unused);
	assert_int_equal(rig_order(&r, ZONE_OR_ENQUEUE)->enqueue.what, SCHED_TRANSFER);
	rig_grant(&r);
	assert_int_equal(r.z.state, ZONE_FETCHING);
	assert_false(rig_order(&r, ZONE_OR_FETCH)->fetch.have_serial);
	/* What fails is tried again by a query: it costs less, and tells whether there is news. */
	rig_xfer_fail(&r, ZR_REFUSED, true);
	rig_pass(&r, 60 * S);
	rig_timer(&r);
	assert_int_equal(rig_order(&r, ZONE_OR_ENQUEUE)->enqueue.what, SCHED_SOA);
}

/* A primary that does not answer is asked by a query that holds up nobody. */
static void
never_loaded_and_nobody_answers(void **state)
{
	(void)state;
	rig_init(&r, 1);
	primary_ok(&r.primary[0], 0, r.now.mono);
	primary_failed(&r.primary[0], 0, ZR_TIMEOUT, r.now.mono);
	primary_failed(&r.primary[0], 1, ZR_TIMEOUT, r.now.mono);
	rig_pass(&r, 700 * S);
	rig_start_empty(&r);
	assert_int_equal(rig_order(&r, ZONE_OR_ENQUEUE)->enqueue.what, SCHED_SOA);
	rig_grant(&r);
	assert_int_equal(r.z.state, ZONE_PROBING);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(equal_serial_restarts_the_timers),
	    T(never_loaded_is_transferred_at_once),
	    T(never_loaded_and_nobody_answers),
	    T(expire_option_rules),
	    T(expire_option_of_a_transfer_replaces),
	    T(primary_behind_us),
	    T(serial_recipe),
	    T(order_of_the_primaries),
	    T(address_of_the_notifier_first),
	    T(backed_off_addresses_are_passed_over),
	    T(all_backed_off),
	    T(denied_goes_to_the_next),
	    T(dead_notifier_is_asked_again),
	    T(hint_that_nobody_has),
	    T(less_than_announced_is_installed_and_checked_again),
	    T(transfer_not_newer_is_thrown_away),
	    T(difference_that_does_not_fit_leads_to_axfr_in_the_same_slot),
	    T(rejected_serial_is_not_fetched_again_and_again),
	    T(broken_transfers_are_spaced),
	    T(operator_overrides_the_rejection),
	    T(commit_that_fails_keeps_the_old_version_and_is_tried_later),
	    T(late_results_change_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
