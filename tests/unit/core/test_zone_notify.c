/* SPDX-License-Identifier: BSD-2-Clause */
/* Start-up and NOTIFYs: what is recorded, answered, coalesced, retried. */
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

/* ---- beginning ---- */

static void
never_loaded_starts_at_once_in_the_lowest_lane(void **state)
{
	(void)state;
	rig_start_empty(&r);
	assert_int_equal(r.z.state, ZONE_QUEUED);
	assert_int_equal(r.lane, LANE_START);
	assert_int_equal(r.what, SCHED_SOA);
	rig_grant(&r);
	rig_soa(&r, 0); /* S-04: zero is a serial like any other */
	assert_int_equal(r.what, SCHED_TRANSFER);
	rig_grant(&r);
	assert_false(r.fetch_ixfr);
	rig_ready(&r, 0, false, false);
	const struct zone_commit *c = &rig_order(&r, ZONE_OR_COMMIT)->commit;
	assert_false(c->had_data);
	assert_int_equal(c->announce, ZONE_ANNOUNCE_SOA);
	rig_store_all(&r);
	assert_int_equal(r.z.data, ZONE_LOADED);
	assert_int_equal(r.z.serial, 0);
	assert_int_equal(r.z.state, ZONE_IDLE);
}

static void
never_loaded_backs_off(void **state)
{
	static const int64_t after[] = {5, 20, 45, 80, 125};

	(void)state;
	rig_init(&r, 1);
	rig_start_empty(&r);
	for (unsigned i = 0; i < 5; i++) {
		for (unsigned a = 0; a < 2; a++) {
			rig_grant(&r);
			rig_soa_fail(&r, ZR_REFUSED, false);
		}
		assert_int_equal(r.z.state, ZONE_IDLE);
		int64_t wait = r.armed_us - r.now.mono.us;
		assert_in_range(wait, after[i] * S * 9 / 10, after[i] * S);
		rig_pass(&r, wait);
		rig_timer(&r);
		assert_int_equal(r.z.state, ZONE_QUEUED);
	}
}

static void
what_was_owed_is_done_after_a_restart(void **state)
{
	(void)state;
	rig_start_loaded(&r, 10, ZONE_PENDING_CHECK);
	assert_int_equal(r.z.state, ZONE_QUEUED);
	assert_int_equal(r.lane, LANE_NOTIFY);
	rig_run(&r, 10);
	assert_int_equal(r.row.pending, ZONE_PENDING_NONE);
	assert_int_equal(r.probes, 1);
	assert_int_equal(r.fetches, 0);
}

static void
forced_pending_survives_a_restart(void **state)
{
	(void)state;
	rig_start_loaded(&r, 10, ZONE_PENDING_FORCE);
	assert_int_equal(r.what, SCHED_FORCED);
	assert_int_equal(r.lane, LANE_FORCED);
	rig_grant(&r);
	assert_true(r.fetch_forced);
	rig_xfer_fail(&r, ZR_TIMEOUT, true);
	rig_store_all(&r);
	assert_int_equal(r.row.pending, ZONE_PENDING_FORCE);
	rig_restart(&r, true);
	assert_int_equal(r.what, SCHED_FORCED);
	rig_run(&r, 10);
	assert_int_equal(r.row.pending, ZONE_PENDING_NONE);
}

/* ---- NOTIFY ---- */

static void
notify_soa_transfer_commit(void **state)
{
	(void)state;
	at_rest();
	rig_notify(&r, 1, 11);
	assert_true(rig_ordered(&r, ZONE_OR_MARK));
	assert_int_equal(r.out.answer, ZONE_ANSWER_MARKED);
	assert_int_equal(r.lane, LANE_NOTIFY);
	assert_int_equal(r.asked, 1); /* N-19 */
	rig_grant(&r);
	rig_soa(&r, 11);
	assert_int_equal(r.what, SCHED_TRANSFER);
	assert_int_equal(r.asked, 1);
	assert_int_equal(r.lane, LANE_NOTIFY);
	rig_grant(&r);
	assert_true(r.fetch_ixfr);
	rig_ready(&r, 11, true, false);
	const struct zone_commit *c = &rig_order(&r, ZONE_OR_COMMIT)->commit;
	assert_true(c->content);
	assert_false(c->drop_journal);
	assert_int_equal(c->old_serial, 10);
	assert_int_equal(c->announce, ZONE_ANNOUNCE_SOA);
	assert_int_equal(c->pending_after, ZONE_PENDING_NONE);
	rig_store_all(&r);
	assert_int_equal(r.z.state, ZONE_IDLE);
	assert_int_equal(r.row.pending, ZONE_PENDING_NONE);
	assert_int_equal(r.probes, 1);
	assert_int_equal(r.fetches, 1);
}

/* N-09 */
static void
old_hints_end_the_work(void **state)
{
	(void)state;
	at_rest();
	rig_notify(&r, 0, 10);
	assert_int_equal(r.out.answer, ZONE_ANSWER_NOW);
	assert_note(ZONE_NOTE_HINT_OLD);
	assert_int_equal(r.z.state, ZONE_IDLE);
	rig_notify(&r, 0, 9);
	assert_int_equal(r.z.state, ZONE_IDLE);
	rig_notify(&r, 0, 10 + INT64_C(0x80000000)); /* S-03: no order */
	assert_int_equal(r.z.state, ZONE_QUEUED);
}

/* Nor is a repeat of it answered before the mark is there, however fast the version came. */
static void
old_hints_wait_for_the_mark(void **state)
{
	struct zone_arg marked = {.marked = {.seq = 1}};
	struct zone_orders out;
	struct zone z;

	(void)state;
	at_rest();
	rig_notify(&r, 0, 11);
	assert_int_equal(r.out.answer, ZONE_ANSWER_MARKED);
	z = r.z; /* the version is committed while the mark is being synced */
	marked.marked.seq = r.out.answer_seq;
	z.serial = 11;
	zone_step(&z, ZONE_EV_NOTIFY, &(struct zone_arg){.notify = {.hinted = true, .hint = 11}},
	    r.now, &out);
	assert_int_equal(out.answer, ZONE_ANSWER_MARKED);
	assert_int_equal(out.answer_seq, r.out.answer_seq);
	zone_step(&z, ZONE_EV_MARKED, &marked, r.now, &out);
	zone_step(&z, ZONE_EV_NOTIFY, &(struct zone_arg){.notify = {.hinted = true, .hint = 11}},
	    r.now, &out);
	assert_int_equal(out.answer, ZONE_ANSWER_NOW);
}

static void
hints_count_for_nothing_when_expired_or_empty(void **state)
{
	struct zone_arg a = {.notify = {.hinted = true, .hint = 10, .address = ZONE_NO_INDEX}};

	(void)state;
	at_rest();
	rig_pass(&r, 604800 * S);
	rig_timer(&r);
	rig_run(&r, 10);
	rig_pass(&r, 604800 * S);
	for (unsigned i = 0; i < 3; i++)
		r.primary[i].address[0].hold_us = r.primary[i].address[1].hold_us = INT64_MAX;
	rig_timer(&r);
	assert_int_equal(r.z.data, ZONE_EXPIRED);
	assert_int_equal(r.z.state, ZONE_IDLE);
	primary_notified(&r.primary[0], -1);
	rig_step(&r, ZONE_EV_NOTIFY, &a);
	assert_int_equal(r.z.state, ZONE_QUEUED);
	assert_int_equal(r.out.answer, ZONE_ANSWER_MARKED);
}

/* A force that is owed is not ended by a hint, and one under way is followed by a check. */
static void
hints_count_for_nothing_while_forced(void **state)
{
	(void)state;
	at_rest();
	rig_notify_axfr(&r, 0, false);
	rig_grant(&r);
	rig_notify(&r, 0, 10);
	assert_int_not_equal(r.out.notes & ZONE_NOTE_HINT_OLD, ZONE_NOTE_HINT_OLD);
	rig_ready(&r, 10, false, true);
	rig_store_all(&r);
	assert_int_equal(
	    zone_owed(&r.z), ZONE_PENDING_NONE); /* serial 10 is what the hint asked for */
	rig_pass(&r, 3600 * S);
	rig_notify_axfr(&r, 0, false);
	while (r.op != OP_FETCH)
		rig_grant(&r);
	rig_notify(&r, 0, -1);
	rig_ready(&r, 10, false, true);
	rig_store_all(&r);
	assert_int_equal(r.z.state, ZONE_QUEUED);
	assert_int_equal(r.what, SCHED_SOA);
	rig_run(&r, 10);
}

/* N-26, A-11: 10,000 NOTIFYs while busy are one follow-up. */
static void
many_notifies_one_follow_up(void **state)
{
	(void)state;
	at_rest();
	rig_notify(&r, 0, -1);
	rig_store_all(&r);
	rig_grant(&r);
	for (unsigned i = 0; i < 3000; i++) {
		rig_notify(&r, (uint16_t)(i % 3), -1);
		assert_false(rig_ordered(&r, ZONE_OR_MARK)); /* nothing changes */
		assert_int_equal(r.out.answer, ZONE_ANSWER_NOW);
	}
	rig_soa(&r, 11);
	rig_grant(&r);
	for (unsigned i = 0; i < 3000; i++)
		rig_notify(&r, (uint16_t)(i % 3), -1);
	rig_ready(&r, 11, true, false);
	assert_int_equal(rig_order(&r, ZONE_OR_COMMIT)->commit.pending_after, ZONE_PENDING_CHECK);
	for (unsigned i = 0; i < 4000; i++)
		rig_notify(&r, (uint16_t)(i % 3), -1);
	unsigned before = r.probes;
	rig_run(&r, 11);
	/* One round; each primary had a word to say, so each is asked once. */
	assert_in_range(r.probes - before, 1, 3);
	assert_int_equal(r.fetches, 1);
	assert_int_equal(r.z.state, ZONE_IDLE);
	assert_int_equal(r.row.pending, ZONE_PENDING_NONE);
}

static void
one_primary_many_notifies_exactly_one_check(void **state)
{
	(void)state;
	rig_init(&r, 1);
	at_rest();
	rig_notify(&r, 0, -1);
	rig_grant(&r);
	for (unsigned i = 0; i < 10000; i++) {
		rig_notify(&r, 0, -1);
		rig_store(&r, false);
	}
	unsigned before = r.probes;
	rig_soa(&r, 10);
	rig_run(&r, 10);
	assert_int_equal(r.probes - before, 1);
}

/* The mark of a NOTIFY that came while the commit was on its way must come back after it. */
static void
notify_while_storing_is_marked_again(void **state)
{
	(void)state;
	at_rest();
	rig_notify(&r, 0, 11);
	rig_store_all(&r);
	rig_grant(&r);
	rig_soa(&r, 11);
	rig_grant(&r);
	rig_ready(&r, 11, true, false);
	rig_notify(&r, 0, 12);
	assert_true(rig_ordered(&r, ZONE_OR_MARK));
	assert_int_equal(r.out.answer, ZONE_ANSWER_MARKED);
	rig_store(&r, false); /* commit */
	assert_int_equal(r.row.pending, ZONE_PENDING_NONE);
	assert_int_equal(r.z.state, ZONE_QUEUED);
	rig_store(&r, false); /* mark */
	assert_int_equal(r.row.pending, ZONE_PENDING_CHECK);
	rig_run(&r, 12);
	assert_int_equal(r.row.serial, 12);
	assert_int_equal(r.row.pending, ZONE_PENDING_NONE);
}

/* ... unless the commit brings what its hint announced. */
static void
hint_met_by_the_commit_needs_no_check(void **state)
{
	(void)state;
	at_rest();
	rig_notify(&r, 0, 11);
	rig_grant(&r);
	rig_soa(&r, 11);
	rig_grant(&r);
	rig_notify(&r, 1, 11); /* the same event from another peer (N-23) */
	rig_ready(&r, 11, true, false);
	assert_int_equal(rig_order(&r, ZONE_OR_COMMIT)->commit.pending_after, ZONE_PENDING_NONE);
	rig_notify(&r, 2, 11);
	rig_run(&r, 11);
	assert_int_equal(r.probes, 1);
	assert_int_equal(r.fetches, 1);
	assert_int_equal(r.row.pending, ZONE_PENDING_NONE);
}

/* A NOTIFY from somebody else, answered by nobody's query, gets its own check, first at its sender.
 */
static void
notify_from_another_primary_is_asked_there(void **state)
{
	(void)state;
	at_rest();
	rig_notify(&r, 0, -1);
	rig_grant(&r);
	rig_notify(&r, 2, -1);
	rig_soa(&r, 10);
	assert_int_equal(r.z.state, ZONE_QUEUED);
	assert_int_equal(r.asked, 2);
	rig_run(&r, 10);
	assert_int_equal(r.probes, 2);
}

/* The transfer from one primary does not answer for what another one announced, unless its hint
 * says so. */
static void
transfer_does_not_answer_for_another_primary(void **state)
{
	(void)state;
	at_rest();
	rig_notify(&r, 0, -1);
	rig_grant(&r);
	rig_notify(&r, 2, -1);
	rig_soa(&r, 11);
	rig_grant(&r);
	rig_ready(&r, 11, true, false);
	assert_int_equal(rig_order(&r, ZONE_OR_COMMIT)->commit.pending_after, ZONE_PENDING_CHECK);
	rig_store_all(&r);
	assert_int_equal(r.z.state, ZONE_QUEUED);
	assert_int_equal(r.asked, 2);
	rig_run(&r, 12);
	assert_int_equal(r.z.serial, 12);
	/* From its sender, the transfer is as good as the check. */
	rig_notify(&r, 0, -1);
	rig_grant(&r);
	rig_notify(&r, 0, -1);
	rig_soa(&r, 13);
	rig_grant(&r);
	rig_ready(&r, 13, true, false);
	assert_int_equal(rig_order(&r, ZONE_OR_COMMIT)->commit.pending_after, ZONE_PENDING_NONE);
}

/*
 * A power cut may take the newest commit.  Then the mark comes back with it, or the overdue
 * refresh; when there is neither, the commit must be on disk before anybody hears of it.
 */
static void
commit_is_durable_when_nothing_would_bring_it_back(void **state)
{
	(void)state;
	rig_init(&r, 1);
	at_rest();
	rig_notify(&r, 0, -1);
	rig_store_all(&r);
	rig_grant(&r);
	rig_soa(&r, 15);
	rig_grant(&r);
	rig_ready(&r, 12, true, false);
	assert_false(rig_order(&r, ZONE_OR_COMMIT)->commit.durable); /* the mark */
	rig_store_all(&r);
	rig_grant(&r);
	rig_soa(&r, 15); /* once more, without a mark */
	rig_grant(&r);
	rig_ready(&r, 15, true, false);
	assert_true(rig_order(&r, ZONE_OR_COMMIT)->commit.durable);
	rig_store_all(&r);
	rig_pass(&r, 3600 * S);
	rig_timer(&r);
	rig_grant(&r);
	rig_soa(&r, 16);
	rig_grant(&r);
	rig_ready(&r, 16, true, false);
	assert_false(rig_order(&r, ZONE_OR_COMMIT)->commit.durable); /* the refresh */
	rig_store_all(&r);
	rig_restart(&r, true);
	assert_int_equal(r.z.serial, 15);
	assert_int_equal(r.z.state, ZONE_QUEUED);
}

/* RFC 1982 has no order over long ways: such hints do not stand for each other. */
static void
hints_far_apart_are_not_merged(void **state)
{
	(void)state;
	at_rest();
	rig_notify(&r, 0, 11);
	rig_grant(&r);
	rig_notify(&r, 0, 20);
	rig_notify(&r, 0, 20 + (1 << 21));
	rig_soa(&r, 11);
	rig_grant(&r);
	rig_notify(&r, 1, 20);
	rig_notify(&r, 2, 20 + (1 << 21));
	rig_ready(&r, 20 + (1 << 21), true, false);
	assert_int_equal(rig_order(&r, ZONE_OR_COMMIT)->commit.pending_after, ZONE_PENDING_CHECK);
	rig_run(&r, 20 + (1 << 21));
}

/* A removal or expiry of the round's ground: what was the same serial is of no use once it expired.
 */
static void
expired_in_the_middle_of_a_round(void **state)
{
	(void)state;
	at_rest();
	rig_pass(&r, 604700 * S);
	rig_notify(&r, 0, 11);
	rig_grant(&r);
	struct zone_arg a = {.attempt = r.attempt, .soa = {.serial = 10, .expire_valid = true}};
	rig_step(&r, ZONE_EV_SOA_OK, &a);
	rig_grant(&r);
	rig_pass(&r, 100 * S);
	rig_timer(&r);
	assert_true(r.expired);
	rig_soa_fail(&r, ZR_REFUSED, true);
	rig_grant(&r);
	rig_soa_fail(&r, ZR_REFUSED, true);
	assert_note(ZONE_NOTE_ROUND_FAILED);
	rig_store_all(&r);
	assert_int_equal(r.row.pending, ZONE_PENDING_CHECK);
}

static void
notify_overtakes_a_refresh_in_the_queue(void **state)
{
	(void)state;
	at_rest();
	rig_pass(&r, 3600 * S);
	rig_timer(&r);
	assert_int_equal(r.lane, LANE_REFRESH);
	assert_int_equal(r.asked, 0);
	rig_notify(&r, 1, 11);
	assert_int_equal(r.lane, LANE_NOTIFY);
	assert_int_equal(r.asked, 1);
	rig_notify(&r, 2, 11);
	assert_int_equal(r.asked, 1); /* keeps its place */
	assert_false(rig_ordered(&r, ZONE_OR_DEQUEUE));
}

static void
above_its_rate_a_source_gets_a_low_lane(void **state)
{
	struct zone_arg a = {.notify = {.deferred = true, .address = ZONE_NO_INDEX}};

	(void)state;
	at_rest();
	rig_step(&r, ZONE_EV_NOTIFY, &a);
	assert_int_equal(r.lane, LANE_REFRESH);
	assert_true(rig_ordered(&r, ZONE_OR_MARK));
	rig_notify(&r, 0, -1);
	assert_int_equal(r.lane, LANE_NOTIFY);
}

/* N-35: also when everybody fails. */
static void
failed_notify_is_retried(void **state)
{
	(void)state;
	at_rest();
	rig_notify(&r, 0, 11);
	for (unsigned i = 0; i < 6; i++) {
		rig_grant(&r);
		rig_soa_fail(&r, ZR_SERVFAIL, false);
	}
	assert_note(ZONE_NOTE_ROUND_FAILED);
	assert_int_equal(r.z.state, ZONE_IDLE);
	rig_store_all(&r);
	assert_int_equal(r.row.pending, ZONE_PENDING_CHECK);
	assert_in_range(r.armed_us - r.now.mono.us, 540 * S, 600 * S);
	rig_pass(&r, 600 * S);
	rig_timer(&r);
	assert_int_equal(r.lane, LANE_NOTIFY);
	rig_run(&r, 11);
	assert_int_equal(r.row.serial, 11);
}

static void
notify_in_a_failing_round_starts_another_at_once(void **state)
{
	(void)state;
	rig_init(&r, 1);
	at_rest();
	rig_notify(&r, 0, 11);
	rig_grant(&r);
	rig_notify(&r, 0, 11);
	rig_soa_fail(&r, ZR_SERVFAIL, true);
	assert_int_equal(r.z.state, ZONE_QUEUED);
	rig_grant(&r);
	rig_soa_fail(&r, ZR_SERVFAIL, true);
	assert_int_equal(r.z.state, ZONE_IDLE);
}

static void
mark_that_failed_is_made_again(void **state)
{
	(void)state;
	at_rest();
	rig_notify(&r, 0, 11);
	rig_store(&r, true);
	rig_notify(&r, 0, 11);
	assert_true(rig_ordered(&r, ZONE_OR_MARK));
	assert_int_equal(r.out.answer, ZONE_ANSWER_MARKED);
	/* A failed round writes the row, but not durably: still no reason to answer at once. */
	rig_store(&r, true);
	for (unsigned i = 0; i < 6; i++) {
		rig_grant(&r);
		rig_soa_fail(&r, ZR_SERVFAIL, false);
	}
	rig_notify(&r, 0, 11);
	assert_true(rig_ordered(&r, ZONE_OR_MARK));
	rig_run(&r, 11);
}

static void
repeat_waits_for_the_mark_under_way(void **state)
{
	(void)state;
	at_rest();
	rig_notify(&r, 0, 11);
	uint16_t seq = r.out.answer_seq;
	rig_notify(&r, 0, 11);
	assert_false(rig_ordered(&r, ZONE_OR_MARK));
	assert_int_equal(r.out.answer, ZONE_ANSWER_MARKED);
	assert_int_equal(r.out.answer_seq, seq);
	rig_store(&r, false);
	rig_notify(&r, 0, 11);
	assert_int_equal(r.out.answer, ZONE_ANSWER_NOW);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(never_loaded_starts_at_once_in_the_lowest_lane),
	    T(never_loaded_backs_off),
	    T(what_was_owed_is_done_after_a_restart),
	    T(forced_pending_survives_a_restart),
	    T(notify_soa_transfer_commit),
	    T(old_hints_end_the_work),
	    T(old_hints_wait_for_the_mark),
	    T(hints_count_for_nothing_when_expired_or_empty),
	    T(hints_count_for_nothing_while_forced),
	    T(many_notifies_one_follow_up),
	    T(one_primary_many_notifies_exactly_one_check),
	    T(notify_while_storing_is_marked_again),
	    T(hint_met_by_the_commit_needs_no_check),
	    T(notify_from_another_primary_is_asked_there),
	    T(transfer_does_not_answer_for_another_primary),
	    T(commit_is_durable_when_nothing_would_bring_it_back),
	    T(hints_far_apart_are_not_merged),
	    T(expired_in_the_middle_of_a_round),
	    T(notify_overtakes_a_refresh_in_the_queue),
	    T(above_its_rate_a_source_gets_a_low_lane),
	    T(failed_notify_is_retried),
	    T(notify_in_a_failing_round_starts_another_at_once),
	    T(mark_that_failed_is_made_again),
	    T(repeat_waits_for_the_mark_under_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
