/* SPDX-License-Identifier: BSD-2-Clause */
/* NOTIFY(AXFR): from whom it is taken, and how often the same one counts (A-11, A-14, AN-16). */
#include "notifyrig.h"

#include <stdio.h>

/* each policy, with and without a key in the configuration, proved and not. */
static void
who_may_force(void **state)
{
	static const struct {
		enum primary_forced policy;
		bool keyed, proved;
		enum notifyin_why why;
	} rows[] = {
	    {PRIMARY_FORCED_AUTO, false, false, NOTIFYIN_OK},
	    {PRIMARY_FORCED_AUTO, false, true, NOTIFYIN_OK},
	    {PRIMARY_FORCED_AUTO, true, false, NOTIFYIN_FORCED_AUTH},
	    {PRIMARY_FORCED_AUTO, true, true, NOTIFYIN_OK},
	    {PRIMARY_FORCED_ADDRESS, false, false, NOTIFYIN_OK},
	    {PRIMARY_FORCED_ADDRESS, false, true, NOTIFYIN_OK},
	    {PRIMARY_FORCED_ADDRESS, true, false, NOTIFYIN_OK},
	    {PRIMARY_FORCED_ADDRESS, true, true, NOTIFYIN_OK},
	    {PRIMARY_FORCED_KEY, false, false, NOTIFYIN_FORCED_AUTH},
	    {PRIMARY_FORCED_KEY, false, true, NOTIFYIN_OK},
	    {PRIMARY_FORCED_KEY, true, false, NOTIFYIN_FORCED_AUTH},
	    {PRIMARY_FORCED_KEY, true, true, NOTIFYIN_OK},
	    {PRIMARY_FORCED_OFF, false, false, NOTIFYIN_FORCED_OFF},
	    {PRIMARY_FORCED_OFF, false, true, NOTIFYIN_FORCED_OFF},
	    {PRIMARY_FORCED_OFF, true, false, NOTIFYIN_FORCED_OFF},
	    {PRIMARY_FORCED_OFF, true, true, NOTIFYIN_FORCED_OFF},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) * 2; i++) {
		size_t k = i / 2;
		bool tcp = i % 2, ok = rows[k].why == NOTIFYIN_OK;
		now.us += 100 * S;
		primary[0].forced = rows[k].policy;
		primary[0].keyed = rows[k].keyed;
		buf_reset(&message);
		xfrmsg_build(&message, "!query !opcode=4 soa=7", TYPE_AXFR);
		for (unsigned again = 0; again < 3; again++) {
			judge_raw(HIDDEN, tcp, rows[k].proved);
			if (ok && !tcp && again > 0)
				break;
			assert_int_equal(v.why, rows[k].why);
			assert_false(v.drop);
			assert_int_equal(v.rcode, ok ? RCODE_NOERROR : RCODE_REFUSED);
			assert_int_equal(v.ede, ok ? -1 : EDE_PROHIBITED);
			assert_int_equal(v.aa, ok);
			assert_ptr_equal(v.zone, ok ? &zone[0] : NULL);
			assert_ptr_equal(v.primary, ok ? &primary[0] : NULL);
			assert_int_equal(v.memory != 0, ok && !tcp);
			if (ok)
				assert_int_equal(v.notify.authenticated, rows[k].proved);
		}
		/* NOTIFY(SOA) is taken whatever that says (AN-22). */
		buf_reset(&message);
		xfrmsg_build(&message, "!query !opcode=4 soa=7", TYPE_SOA);
		judge_raw(HIDDEN, tcp, rows[k].proved);
		assert_int_equal(v.why, NOTIFYIN_OK);
		assert_false(v.notify.forced);
	}
	/* Another primary of the zone is not concerned; one of another zone may not at all. */
	primary[0].forced = PRIMARY_FORCED_OFF;
	judge("", TYPE_AXFR, SECOND);
	assert_int_equal(v.why, NOTIFYIN_OK);
	judge("", TYPE_AXFR, THIRD);
	assert_int_equal(v.why, NOTIFYIN_NOT_PRIMARY);
	assert_int_equal(v.rcode, RCODE_REFUSED);
	judge("", TYPE_AXFR, STRANGER); /* AN-16 */
	assert_int_equal(v.why, NOTIFYIN_STRANGER);
	/* A signature that nobody has checked proves nothing, whatever the policy. */
	primary[0].forced = PRIMARY_FORCED_ADDRESS;
	judge("!tsig", TYPE_AXFR, HIDDEN);
	assert_int_equal(v.why, NOTIFYIN_SIGNED);
}

/* below the apex as well, where the zone has that. */
static void
forced_below_the_apex(void **state)
{
	(void)state;
	judge("!q=www.example.org.", TYPE_AXFR, HIDDEN);
	assert_int_equal(v.why, NOTIFYIN_OK);
	assert_ptr_equal(v.zone, &zone[0]);
	assert_true(v.notify.forced);
	judge("!q=cut.example.org.", TYPE_AXFR, HIDDEN);
	assert_int_equal(v.why, NOTIFYIN_CHILD);
	judge("!q=www.exact.test.", TYPE_AXFR, HIDDEN);
	assert_int_equal(v.why, NOTIFYIN_NO_ZONE);
}

/* repeated 3, 6, 12, 24 and 48 s apart, as its sender does that gets no answer (N-15). */
static void
forced_retransmissions(void **state)
{
	static const int64_t apart[] = {3, 6, 12, 24, 48, 60};

	(void)state;
	judge("", TYPE_AXFR, HIDDEN);
	uint32_t memory = v.memory;
	judge_raw(HIDDEN, false, false);
	assert_int_equal(v.why, NOTIFYIN_REPEAT_WAITS);
	assert_true(v.drop);
	notifyin_answered(n, memory, RCODE_NOERROR);
	for (unsigned i = 0; i < sizeof(apart) / sizeof(apart[0]); i++) {
		now.us += apart[i] * S;
		judge_raw(HIDDEN, false, false);
		assert_int_equal(v.why, NOTIFYIN_REPEAT);
		assert_int_equal(v.rcode, RCODE_NOERROR);
		assert_true(v.aa);
		assert_null(v.zone);
	}
	now.us += NOTIFYIN_FORCED_US + 1;
	judge_raw(HIDDEN, false, false);
	assert_int_equal(v.why, NOTIFYIN_OK);
	/* What failed is tried again soon. */
	notifyin_answered(n, v.memory, RCODE_SERVFAIL);
	now.us += 3 * S;
	judge_raw(HIDDEN, false, false);
	assert_int_equal(v.why, NOTIFYIN_REPEAT);
	assert_int_equal(v.rcode, RCODE_SERVFAIL);
	now.us += 3 * S;
	judge_raw(HIDDEN, false, false);
	assert_int_equal(v.why, NOTIFYIN_OK);
	/* One that still waits for the disk after so long is no longer waited for. */
	now.us += 6 * S;
	judge_raw(HIDDEN, false, false);
	assert_int_equal(v.why, NOTIFYIN_OK);
	/* Another ID is another one. */
	judge("!id=9", TYPE_AXFR, HIDDEN);
	assert_int_equal(v.why, NOTIFYIN_OK);
}

/* above its rate it is taken all the same. */
static void
forced_above_the_rate(void **state)
{
	char text[32];

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "!id=%u", i);
		judge(text, TYPE_AXFR, HIDDEN);
		assert_int_equal(v.why, NOTIFYIN_OK);
		assert_true(v.notify.forced);
	}
	assert_true(v.notify.deferred);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, notifyrig_setup, notifyrig_teardown)
	const struct CMUnitTest tests[] = {
	    T(who_may_force),
	    T(forced_below_the_apex),
	    T(forced_retransmissions),
	    T(forced_above_the_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
