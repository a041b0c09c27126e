/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Forced transfers: on whose word and from whom, also after a restart; and every place
 * that compares serials.
 */
#include "zonerig_each.h"

#include "base/serial.h"

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

/* ---- on whose word, from whom ---- */

static void
another_kind_does_not_redirect(void **state)
{
	(void)state;
	at_rest();
	assert_int_equal(wait_of(0), 0);
	bring(S);
	assert_int_equal(wait_of(1), 59 * S);
	rig_notify(&r, 2, 11);
	assert_int_equal(r.asked, 2);
	rig_run(&r, 11);
	assert_int_equal(r.z.serial, 11);
	rig_pass(&r, 59 * S);
	rig_timer(&r);
	assert_int_equal(r.what, SCHED_FORCED);
	assert_int_equal(r.asked, 1);
	rig_grant(&r);
	rig_ready(&r, 11, false, true);
	assert_int_equal(committed()->notifier, 1);
	assert_false(committed()->operator);
	assert_int_equal(committed()->asked.us, r.now.wall.us - 59 * S);
}

static void
proof_is_not_redirected(void **state)
{
	(void)state;
	at_rest();
	rig_step(&r, ZONE_EV_HOLD, NULL);
	rig_notify_axfr(&r, 1, true);
	rig_notify_axfr(&r, 2, false);
	rig_step(&r, ZONE_EV_RESUME, NULL);
	assert_int_equal(r.asked, 1);
	rig_store_all(&r);
	/* Nor is it after a round that failed, with another one meanwhile. */
	rig_grant(&r);
	rig_notify_axfr(&r, 2, false);
	for (unsigned i = 0; i < 3; i++) {
		rig_xfer_fail(&r, ZR_SERVFAIL, true);
		if (i < 2)
			rig_grant(&r);
	}
	rig_run(&r, 10);
	rig_pass(&r, 600 * S);
	rig_timer(&r);
	assert_int_equal(r.what, SCHED_FORCED);
	assert_int_equal(r.asked, 1);
	rig_grant(&r);
	rig_ready(&r, 5, false, false); /* and it is still proved */
	assert_true(rig_ordered(&r, ZONE_OR_COMMIT));
}

static void
what_the_commit_says(void **state)
{
	(void)state;
	at_rest();
	rig_notify(&r, 2, 11);
	rig_grant(&r);
	rig_soa(&r, 11);
	rig_grant(&r);
	rig_ready(&r, 11, true, false);
	assert_false(committed()->forced || committed()->operator);
	assert_int_equal(committed()->notifier, ZONE_NO_INDEX);
	assert_int_equal(committed()->asked.us, 0);
	rig_store_all(&r);
	rig_step(&r, ZONE_EV_RETRANSFER, NULL);
	rig_grant(&r);
	rig_ready(&r, 11, false, true);
	assert_true(committed()->forced && committed()->operator);
	assert_int_equal(committed()->notifier, ZONE_NO_INDEX);
	rig_store_all(&r);
	/* A command while one runs is the next one's. */
	rig_pass(&r, 100 * S);
	rig_notify_axfr(&r, 0, false);
	int64_t asked = r.now.wall.us;
	rig_grant(&r);
	rig_pass(&r, 7 * S);
	rig_step(&r, ZONE_EV_RETRANSFER, NULL);
	rig_notify_axfr(&r, 1, false);
	rig_ready(&r, 11, false, true);
	assert_false(committed()->operator);
	assert_int_equal(committed()->notifier, 0);
	assert_int_equal(committed()->asked.us, asked);
	rig_store_all(&r);
	rig_grant(&r);
	rig_ready(&r, 11, false, true);
	assert_true(committed()->operator);
	assert_int_equal(committed()->notifier, 1);
	assert_int_equal(committed()->asked.us, asked + 7 * S);
	rig_store_all(&r);
	/* A command to check, taken along, is not one to transfer. */
	rig_pass(&r, 100 * S);
	rig_step(&r, ZONE_EV_REFRESH, NULL);
	rig_notify_axfr(&r, 1, false);
	rig_grant(&r);
	rig_ready(&r, 11, false, true);
	assert_true(committed()->forced);
	assert_false(committed()->operator);
}

/* the proof is as durable as the mark. */
static void
proof_after_a_crash(void **state)
{
	static const struct {
		const char *who; /* u: not authenticated, a: authenticated, o: by command */
		bool install;
		unsigned marks, first;
	} rows[] = {{"u", false, 1, 1}, {"uu", false, 1, 1}, {"a", true, 1, 1}, {"ua", true, 2, 2},
	    {"au", true, 1, 1}, {"uau", true, 2, 2}, {"aa", true, 1, 1}, {"o", true, 1, 0},
	    {"uo", true, 2, 1}, {"ou", true, 1, 0}};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (unsigned held = 0; held < 2; held++) {
			rig_init(&r, RIG_PRIMARIES);
			at_rest();
			if (held)
				rig_step(&r, ZONE_EV_HOLD, NULL);
			for (uint16_t k = 0; rows[i].who[k] != '\0'; k++) {
				if (rows[i].who[k] == 'o')
					rig_step(&r, ZONE_EV_RETRANSFER, NULL);
				else
					rig_notify_axfr(&r, k == 0 ? 1 : 2, rows[i].who[k] == 'a');
				assert_int_not_equal(r.out.answer, ZONE_ANSWER_NONE);
			}
			assert_int_equal(r.marks, rows[i].marks);
			rig_store_all(&r);
			assert_int_equal(r.row.authenticated, rows[i].install);
			rig_restart(&r, true);
			assert_int_equal(r.asked, rows[i].first);
			rig_grant(&r);
			rig_ready(&r, 5, false, false);
			while (!rig_ordered(&r, ZONE_OR_COMMIT) && r.queued) {
				rig_grant(&r);
				rig_ready(&r, 5, false, false);
			}
			assert_int_equal(rig_ordered(&r, ZONE_OR_COMMIT), rows[i].install);
		}
	}
}

/* A round that failed is repeated for the same ones: who, and since when. */
static void
repeated_for_the_same(void **state)
{
	(void)state;
	at_rest();
	rig_notify_axfr(&r, 2, false);
	int64_t asked = r.now.wall.us;
	for (unsigned i = 0; i < 3; i++) {
		rig_pass(&r, S);
		rig_grant(&r);
		if (i == 2)
			rig_notify_axfr(&r, 2, false);
		rig_xfer_fail(&r, ZR_SERVFAIL, true);
	}
	rig_run(&r, 10);
	rig_pass(&r, 600 * S);
	rig_timer(&r);
	rig_notify_axfr(&r, 0, false); /* once it is queued, its first one stays */
	assert_int_equal(r.asked, 2);
	rig_grant(&r);
	rig_ready(&r, 10, false, true);
	assert_int_equal(committed()->asked.us, asked);
}

/* A command in the middle of a check keeps its lane. */
static void
command_keeps_its_lane(void **state)
{
	(void)state;
	at_rest();
	rig_notify(&r, 0, -1);
	rig_grant(&r);
	rig_step(&r, ZONE_EV_RETRANSFER, NULL);
	rig_soa_fail(&r, ZR_SERVFAIL, true);
	assert_int_equal(r.what, SCHED_SOA);
	rig_grant(&r);
	rig_soa(&r, 10);
	assert_int_equal(r.what, SCHED_FORCED);
	assert_int_equal(r.lane, LANE_OPERATOR);
}

/* What was proved once does not prove what comes after it was dealt with. */
static void
proof_is_for_one(void **state)
{
	(void)state;
	at_rest();
	rig_notify_axfr(&r, 0, true);
	rig_run(&r, 10);
	assert_int_equal(r.row.pending, ZONE_PENDING_NONE);
	rig_pass(&r, 60 * S);
	rig_notify_axfr(&r, 1, false);
	assert_false(rig_order(&r, ZONE_OR_MARK)->mark.authenticated);
	rig_notify_axfr(&r, 1, true);
	assert_true(rig_order(&r, ZONE_OR_MARK)->mark.authenticated);
	assert_int_equal(rig_order(&r, ZONE_OR_MARK)->mark.notifier, 1);
	rig_grant(&r);
	rig_notify_axfr(&r, 2, false); /* while the proved one runs */
	rig_ready(&r, 10, false, true);
	rig_store_all(&r);
	rig_pass(&r, 60 * S);
	rig_timer(&r);
	assert_int_equal(r.asked, 2);
	rig_grant(&r);
	rig_ready(&r, 5, false, false);
	assert_false(rig_ordered(&r, ZONE_OR_COMMIT));
}

/*
 * the notifier cannot be asked, and the others have what we have.  They may not have heard of
 * it yet; to pass it on as the news would roll back those who have.
 */
static void
same_elsewhere_is_not_the_news(void **state)
{
	(void)state;
	r.policy.mutual = 7;
	at_rest();
	rig_notify_axfr(&r, 1, false);
	rig_grant(&r);
	rig_xfer_fail(&r, ZR_TIMEOUT, true);
	rig_grant(&r);
	rig_ready(&r, 10, false, true);
	assert_true((r.out.notes & ZONE_NOTE_SAME_ELSEWHERE) != 0);
	assert_true(rig_ordered(&r, ZONE_OR_ABORT));
	assert_int_equal(r.asked, 2);
	rig_grant(&r);
	rig_ready(&r, 10, false, true);
	assert_false(rig_ordered(&r, ZONE_OR_COMMIT));
	assert_true((r.out.notes & ZONE_NOTE_ROUND_FAILED) != 0);
	rig_run(&r, 10);
	assert_int_equal(r.row.pending, ZONE_PENDING_FORCE);
	/* One of them has fetched it, and says so: it is asked as soon as the rate allows. */
	rig_notify_axfr(&r, 2, false);
	assert_in_range(r.armed_us - r.now.mono.us, 1, 60 * S);
	rig_pass(&r, 60 * S);
	rig_timer(&r);
	assert_int_equal(r.asked, 2);
	rig_grant(&r);
	rig_ready(&r, 10, false, false);
	assert_int_equal(committed()->notifier, 2);
}

/*
 * In the end it is believed; at once: what is different, what a command brings, who has called as
 * well, and who is not fed by us (AN-17).
 */
static void
same_elsewhere_is_taken_in_the_end(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		rig_init(&r, RIG_PRIMARIES);
		r.policy.mutual = i == 4 ? 4 : 7;
		at_rest();
		rig_notify_axfr(&r, 1, false);
		if (i == 1)
			rig_step(&r, ZONE_EV_RETRANSFER, NULL);
		if (i == 2)
			rig_notify_axfr(&r, 0, false); /* told by two of them */
		rig_grant(&r);
		rig_xfer_fail(&r, ZR_TIMEOUT, true);
		rig_grant(&r);
		rig_ready(&r, 10, false, i != 3);
		assert_int_equal(rig_ordered(&r, ZONE_OR_COMMIT), i > 0);
		if (i > 0)
			continue;
		rig_grant(&r);
		rig_xfer_fail(&r, ZR_TIMEOUT, true);
		rig_notify(&r, 2, -1);
		rig_run(&r, 10); /* a check in between is a success */
		assert_int_equal(r.z.failures, 0);
		assert_int_equal(r.row.pending, ZONE_PENDING_FORCE);
		rig_pass(&r, 600 * S);
		rig_timer(&r);
		assert_int_equal(r.asked, 1);
		rig_grant(&r);
		rig_xfer_fail(&r, ZR_TIMEOUT, true);
		rig_grant(&r);
		rig_ready(&r, 10, false, true);
		assert_int_equal(committed()->announce, ZONE_ANNOUNCE_AXFR);
	}
}

/* ---- serials ---- */

/* each pair under each policy, forced and not. */
static void
pairs_of_serials(void **state)
{
	static const struct {
		uint32_t ours, theirs;
		char how; /* n: newer, e: equal, l: lower, i: incomparable */
	} pairs[] = {
	    {10, 11, 'n'},
	    {10, 10, 'e'},
	    {10, 9, 'l'},
	    {10, 0, 'l'},
	    {0, 0, 'e'},
	    {0, 1, 'n'},
	    {0, UINT32_MAX, 'l'},
	    {UINT32_MAX, 0, 'n'},
	    {UINT32_MAX, UINT32_MAX - 1, 'l'},
	    {UINT32_C(0xfffffff0), 16, 'n'},
	    {0, UINT32_C(0x7fffffff), 'n'},
	    {0, UINT32_C(0x80000000), 'i'},
	    {UINT32_C(0x80000000), 0, 'i'},
	    {1, UINT32_C(0x80000001), 'i'},
	    {0, UINT32_C(0x80000001), 'l'},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(pairs) / sizeof(pairs[0]) * 3 * 2 * 2; i++) {
		unsigned k = i / 12;
		enum zone_lower lower = i % 3;
		bool proved = i / 3 % 2, command = i / 6 % 2;
		bool keep = pairs[k].how == 'l' || pairs[k].how == 'i';
		bool install = !keep || command || lower == ZONE_LOWER_ALWAYS ||
			       (lower == ZONE_LOWER_AUTHENTICATED && proved);

		rig_init(&r, 1);
		r.policy.forced_lower = lower;
		rig_start_loaded(&r, pairs[k].ours, ZONE_PENDING_NONE);
		if (command)
			rig_step(&r, ZONE_EV_RETRANSFER, NULL);
		else
			rig_notify_axfr(&r, 0, proved);
		rig_grant(&r);
		assert_true(r.fetch_forced && !r.fetch_ixfr);
		rig_ready(&r, pairs[k].theirs, false, false);
		assert_int_equal(rig_ordered(&r, ZONE_OR_COMMIT), install);
		if (install) {
			bool breaks = pairs[k].how != 'n';
			assert_int_equal(committed()->drop_journal, breaks);
			assert_int_equal(committed()->ambiguous, breaks);
			assert_int_equal(committed()->announce, ZONE_ANNOUNCE_AXFR);
			assert_int_equal((r.out.notes & ZONE_NOTE_SERIAL_BACK) != 0, keep);
			assert_int_equal(
			    (r.out.notes & ZONE_NOTE_SAME_SERIAL) != 0, pairs[k].how == 'e');
		} else {
			assert_true(rig_ordered(&r, ZONE_OR_ABORT));
			assert_true((r.out.notes & ZONE_NOTE_FORCE_KEPT) != 0);
		}
		rig_store_all(&r);
		assert_int_equal(r.z.serial, install ? pairs[k].theirs : pairs[k].ours);
		assert_int_equal(r.row.pending, ZONE_PENDING_NONE);
		/* An ordinary check of the same never goes back. */
		rig_init(&r, 1);
		r.policy.forced_lower = lower;
		rig_start_loaded(&r, pairs[k].ours, ZONE_PENDING_NONE);
		rig_notify(&r, 0, proved ? -1 : (int64_t)pairs[k].theirs);
		rig_run(&r, pairs[k].theirs);
		assert_int_equal(r.z.serial, pairs[k].how == 'n' ? pairs[k].theirs : pairs[k].ours);
		assert_int_equal(r.commits, pairs[k].how == 'n');
	}
}

/* what was rejected, what a hint says, what the SOA answer says: none of it holds a force. */
static void
no_other_gate(void **state)
{
	(void)state;
	at_rest();
	/* 11 is rejected for a while. */
	rig_notify(&r, 0, 11);
	rig_grant(&r);
	rig_soa(&r, 11);
	rig_grant(&r);
	struct zone_arg a = {.attempt = r.attempt,
	    .fail = {.code = ZR_BADZONE, .whole = true, .serial_valid = true, .serial = 11}};
	rig_step(&r, ZONE_EV_XFER_FAIL, &a);
	for (unsigned i = 0; i < 2; i++) {
		rig_grant(&r);
		rig_soa(&r, 10);
	}
	rig_store_all(&r);
	rig_notify_axfr(&r, 0, false);
	rig_grant(&r);
	assert_true(r.fetch_forced);
	/* AN-21: a hint that is old does not end what is owed; the check beside it is kept too. */
	rig_notify(&r, 0, 10);
	assert_false((r.out.notes & ZONE_NOTE_HINT_OLD) != 0);
	struct zone_arg n = {.notify = {.forced = true, .hinted = true, .hint = 10, .primary = 0}};
	n.notify.address = ZONE_NO_INDEX;
	rig_step(&r, ZONE_EV_NOTIFY, &n);
	rig_add_trigger(&r, true, false, -1);
	assert_false((r.out.notes & ZONE_NOTE_HINT_OLD) != 0);
	rig_ready(&r, 11, false, false);
	assert_int_equal(committed()->serial, 11);
	assert_int_equal(committed()->pending_after, ZONE_PENDING_FORCE);
	rig_store_all(&r);
	/* A primary that calls what we have the newest is asked no more in this round (I-03). */
	rig_pass(&r, 60 * S);
	rig_timer(&r);
	rig_grant(&r);
	rig_current(&r, 11);
	assert_int_equal(r.what, SCHED_FORCED);
	assert_int_equal(r.asked, 1);
	rig_run(&r, 11);
	assert_int_equal(r.row.pending, ZONE_PENDING_NONE);
}

/* an expired zone takes what there is, whatever its serial and the policy. */
static void
expired_zone(void **state)
{
	(void)state;
	r.policy.forced_lower = ZONE_LOWER_NEVER;
	at_rest();
	rig_step(&r, ZONE_EV_HOLD, NULL);
	rig_pass(&r, 604800 * S);
	rig_timer(&r);
	assert_true(r.expired);
	rig_notify_axfr(&r, 1, false);
	rig_store_all(&r);
	assert_int_equal(r.row.pending, ZONE_PENDING_FORCE); /* */
	assert_int_equal(r.z.state, ZONE_HELD);
	rig_step(&r, ZONE_EV_RESUME, NULL);
	assert_int_equal(r.what, SCHED_FORCED);
	rig_grant(&r);
	rig_ready(&r, 5, false, false);
	assert_int_equal(committed()->announce, ZONE_ANNOUNCE_AXFR);
	assert_int_equal(committed()->notifier, 1);
	rig_store_all(&r);
	assert_false(r.expired);
	assert_int_equal(r.z.serial, 5);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(another_kind_does_not_redirect),
	    T(proof_is_not_redirected),
	    T(what_the_commit_says),
	    T(proof_after_a_crash),
	    T(repeated_for_the_same),
	    T(command_keeps_its_lane),
	    T(proof_is_for_one),
	    T(same_elsewhere_is_not_the_news),
	    T(same_elsewhere_is_taken_in_the_end),
	    T(pairs_of_serials),
	    T(no_other_gate),
	    T(expired_zone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
