/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/rand.h"
#include "core/notifyout.h"
#include "wire/name.h"
#include "wire/rr.h"
#include "xfrmsg.h"

#define S ZR_US_PER_S

static struct notifyout o;
static struct notifyout_policy policy;
static struct notifyout_rate rate;
static struct zr_mono now;

static int
setup(void **state)
{
	(void)state;
	policy = notifyout_default;
	rate = (struct notifyout_rate){0};
	now.us = 1000 * S;
	notifyout_init(&o, NOTIFYOUT_SOA, 7, now, now, 0);
	return 0;
}

static enum notifyout_do
step(enum notifyout_event ev)
{
	return notifyout_step(&o, ev, &(struct notifyout_arg){0}, &policy, &rate, now);
}

static enum notifyout_do
answer(uint16_t rcode)
{
	return notifyout_step(
	    &o, NOTIFYOUT_EV_ANSWER, &(struct notifyout_arg){.rcode = rcode}, &policy, &rate, now);
}

static enum notifyout_do
fetched(enum notifyout_kind kind, uint32_t serial)
{
	return notifyout_step(&o, NOTIFYOUT_EV_FETCHED,
	    &(struct notifyout_arg){.kind = kind, .serial = serial}, &policy, &rate, now);
}

static enum notifyout_do
newer(enum notifyout_kind kind, uint32_t serial, int64_t not_before)
{
	return notifyout_step(&o, NOTIFYOUT_EV_NEWER,
	    &(struct notifyout_arg){.kind = kind, .serial = serial, .not_before = {not_before}},
	    &policy, &rate, now);
}

/* Lets the time come and fires. */
static enum notifyout_do
wait(void)
{
	assert_true(o.at_us > 0);
	if (o.at_us > now.us)
		now.us = o.at_us;
	return step(NOTIFYOUT_EV_TIMER);
}

/* N-15: 0, 3, 9, 21, 45, 93 s; the last answer may come until 153 s. */
static void
schedule_of_a_burst(void **state)
{
	static const int64_t at[] = {0, 3, 9, 21, 45, 93};
	int64_t began = now.us;

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(wait(), NOTIFYOUT_SEND);
		assert_int_equal(now.us - began, at[i] * S);
		assert_int_equal(o.burst, i + 1);
		assert_int_equal(o.tries, i + 1);
		assert_int_equal(o.state, NOTIFYOUT_SENT);
	}
	assert_int_equal(wait(), NOTIFYOUT_SAVE);
	assert_int_equal(now.us - began, 153 * S);
	assert_int_equal(o.state, NOTIFYOUT_WAITING);
	assert_int_equal(o.at_us - now.us, 60 * S);
}

static void
early_timer_does_nothing(void **state)
{
	(void)state;
	assert_int_equal(wait(), NOTIFYOUT_SEND);
	now.us += 3 * S - 1;
	assert_int_equal(step(NOTIFYOUT_EV_TIMER), NOTIFYOUT_NOTHING);
	now.us += 1;
	assert_int_equal(step(NOTIFYOUT_EV_TIMER), NOTIFYOUT_SEND);
}

/* further and further apart, until it is given up. */
static void
owed_until_given_up(void **state)
{
	static const int64_t pause[] = {60, 120, 240, 480, 600, 600, 600};
	unsigned bursts = 0;
	int64_t began = now.us;

	(void)state;
	policy.owed_us = 600 * S;
	policy.give_up_us = 86400 * S;
	for (;;) {
		enum notifyout_do d = wait();
		if (d == NOTIFYOUT_END)
			break;
		if (d == NOTIFYOUT_SAVE) {
			if (bursts < 7)
				assert_int_equal(o.at_us - now.us, pause[bursts] * S);
			bursts++;
		}
	}
	assert_int_equal(o.result, NOTIFYOUT_GIVEN_UP);
	assert_in_range(now.us - began, 86400 * S, 87300 * S);
	assert_true(bursts > 100);
	assert_int_equal(o.at_us, 0);
	assert_int_equal(step(NOTIFYOUT_EV_TIMER), NOTIFYOUT_NOTHING);
}

/* N-14, N-20, A-12 */
static void
meaning_of_answers(void **state)
{
	static const struct {
		enum notifyout_kind kind;
		uint16_t rcode;
		enum notifyout_do what;
		enum notifyout_result result;
	} rows[] = {
	    {NOTIFYOUT_SOA, RCODE_NOERROR, NOTIFYOUT_END, NOTIFYOUT_ACKED},
	    {NOTIFYOUT_AXFR, RCODE_NOERROR, NOTIFYOUT_END, NOTIFYOUT_ACKED},
	    {NOTIFYOUT_SOA, RCODE_NOTIMP, NOTIFYOUT_END, NOTIFYOUT_UNSUPPORTED},
	    {NOTIFYOUT_SOA, RCODE_FORMERR, NOTIFYOUT_END, NOTIFYOUT_UNSUPPORTED},
	    {NOTIFYOUT_AXFR, RCODE_NOTIMP, NOTIFYOUT_SEND, NOTIFYOUT_OPEN},
	    {NOTIFYOUT_AXFR, RCODE_FORMERR, NOTIFYOUT_SEND, NOTIFYOUT_OPEN},
	    {NOTIFYOUT_SOA, RCODE_REFUSED, NOTIFYOUT_END, NOTIFYOUT_REFUSED},
	    {NOTIFYOUT_SOA, RCODE_NOTAUTH, NOTIFYOUT_END, NOTIFYOUT_REFUSED},
	    {NOTIFYOUT_AXFR, RCODE_NXDOMAIN, NOTIFYOUT_END, NOTIFYOUT_REFUSED},
	    {NOTIFYOUT_SOA, RCODE_BADVERS, NOTIFYOUT_END, NOTIFYOUT_REFUSED},
	    {NOTIFYOUT_SOA, RCODE_SERVFAIL, NOTIFYOUT_NOTHING, NOTIFYOUT_OPEN},
	    {NOTIFYOUT_SOA, 23, NOTIFYOUT_NOTHING, NOTIFYOUT_OPEN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		notifyout_init(&o, rows[i].kind, 7, now, now, 0);
		assert_int_equal(
		    answer(RCODE_NOERROR), NOTIFYOUT_NOTHING); /* nothing was sent yet */
		assert_int_equal(wait(), NOTIFYOUT_SEND);
		assert_int_equal(answer(rows[i].rcode), rows[i].what);
		assert_int_equal(o.result, rows[i].result);
		assert_int_equal(o.state == NOTIFYOUT_DONE, rows[i].result != NOTIFYOUT_OPEN);
	}
}

/* the ordinary kind at once, and the result tells that the forced one was not understood. */
static void
axfr_falls_back_to_soa(void **state)
{
	(void)state;
	notifyout_init(&o, NOTIFYOUT_AXFR, 7, now, now, 0);
	wait();
	assert_int_equal(answer(RCODE_NOTIMP), NOTIFYOUT_SEND);
	assert_int_equal(o.kind, NOTIFYOUT_SOA);
	assert_int_equal(o.burst, 1); /* a message of its own: fresh ID */
	assert_int_equal(o.tries, 2);
	assert_int_equal(answer(RCODE_NOERROR), NOTIFYOUT_END);
	assert_int_equal(o.result, NOTIFYOUT_UNSUPPORTED);
	assert_true(o.no_axfr);

	policy.tcp = true;
	notifyout_init(&o, NOTIFYOUT_AXFR, 7, now, now, 0);
	wait();
	assert_int_equal(step(NOTIFYOUT_EV_ZONE_DATA), NOTIFYOUT_SEND); /* NT-06 */
	assert_int_equal(o.kind, NOTIFYOUT_SOA);
}

static void
owe_axfr(void)
{
	setup(NULL);
	notifyout_init(&o, NOTIFYOUT_AXFR, 7, now, now, 0);
	assert_int_equal(wait(), NOTIFYOUT_SEND);
}

/* each thing a downstream may do with NOTIFY(AXFR), and what is then concluded. */
static void
whatever_it_does_with_axfr(void **state)
{
	static const struct {
		int rcode; /* -1 zone data, -2 unreachable, -3 it comes for the zone */
		bool tcp, no_axfr, sends;
		enum notifyout_state then;
		enum notifyout_result result;
	} rows[] = {
	    {RCODE_NOERROR, false, false, false, NOTIFYOUT_DONE, NOTIFYOUT_ACKED},
	    {RCODE_FORMERR, false, true, true, NOTIFYOUT_SENT, NOTIFYOUT_OPEN},
	    {RCODE_NOTIMP, false, true, true, NOTIFYOUT_SENT, NOTIFYOUT_OPEN},
	    {RCODE_SERVFAIL, false, false, false, NOTIFYOUT_SENT, NOTIFYOUT_OPEN},
	    {RCODE_REFUSED, false, false, false, NOTIFYOUT_DONE, NOTIFYOUT_REFUSED},
	    {RCODE_NOTAUTH, false, false, false, NOTIFYOUT_DONE, NOTIFYOUT_REFUSED},
	    {RCODE_NXDOMAIN, false, false, false, NOTIFYOUT_DONE, NOTIFYOUT_REFUSED},
	    {RCODE_BADVERS, false, false, false, NOTIFYOUT_DONE, NOTIFYOUT_REFUSED},
	    {-2, false, false, false, NOTIFYOUT_WAITING, NOTIFYOUT_OPEN},
	    {-3, false, false, false, NOTIFYOUT_SENT, NOTIFYOUT_OPEN},
	    {RCODE_NOERROR, true, false, false, NOTIFYOUT_DONE, NOTIFYOUT_ACKED},
	    {RCODE_FORMERR, true, true, true, NOTIFYOUT_SENT, NOTIFYOUT_OPEN},
	    {RCODE_SERVFAIL, true, false, false, NOTIFYOUT_WAITING, NOTIFYOUT_OPEN},
	    {-1, true, true, true, NOTIFYOUT_SENT, NOTIFYOUT_OPEN},
	    {-2, true, false, false, NOTIFYOUT_WAITING, NOTIFYOUT_OPEN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		owe_axfr();
		policy.tcp = rows[i].tcp;
		enum notifyout_do d = rows[i].rcode >= 0    ? answer((uint16_t)rows[i].rcode)
				      : rows[i].rcode == -1 ? step(NOTIFYOUT_EV_ZONE_DATA)
				      : rows[i].rcode == -2 ? step(NOTIFYOUT_EV_UNREACHABLE)
							    : fetched(NOTIFYOUT_AXFR, 7);
		assert_int_equal(o.no_axfr, rows[i].no_axfr);
		assert_int_equal(d == NOTIFYOUT_SEND, rows[i].sends);
		assert_int_equal(d == NOTIFYOUT_END, rows[i].then == NOTIFYOUT_DONE);
		assert_int_equal(o.state, rows[i].then);
		assert_int_equal(o.result, rows[i].result);
		assert_int_equal(o.kind, rows[i].no_axfr ? NOTIFYOUT_SOA : NOTIFYOUT_AXFR);
	}
}

/* it is known at once, also when there is no token for the other kind yet. */
static void
fallback_waits_for_a_token(void **state)
{
	(void)state;
	setup(NULL);
	rate.rate = bucket_rate(1, 1);
	notifyout_init(&o, NOTIFYOUT_AXFR, 7, now, now, 0);
	assert_int_equal(wait(), NOTIFYOUT_SEND);
	assert_int_equal(answer(RCODE_FORMERR), NOTIFYOUT_NOTHING);
	assert_true(o.no_axfr);
	assert_int_equal(o.kind, NOTIFYOUT_SOA);
	assert_int_equal(o.at_us, now.us + S);
	/* A late copy of the answer is not taken for the other one's. */
	assert_int_equal(answer(RCODE_FORMERR), NOTIFYOUT_NOTHING);
	assert_int_equal(o.state, NOTIFYOUT_WAITING);
	assert_int_equal(wait(), NOTIFYOUT_SEND);
	assert_int_equal(answer(RCODE_NOERROR), NOTIFYOUT_END);
	assert_int_equal(o.result, NOTIFYOUT_UNSUPPORTED);
}

/* Whatever comes of the NOTIFY(SOA) instead: the forced one was not understood. */
static void
ends_of_the_fallback(void **state)
{
	static const uint16_t rcodes[] = {
	    RCODE_NOERROR, RCODE_FORMERR, RCODE_NOTIMP, RCODE_REFUSED, RCODE_NOTAUTH};

	(void)state;
	for (size_t i = 0; i < sizeof(rcodes) / sizeof(rcodes[0]); i++) {
		owe_axfr();
		answer(RCODE_NOTIMP);
		assert_int_equal(answer(rcodes[i]), NOTIFYOUT_END);
		assert_int_equal(o.result, NOTIFYOUT_UNSUPPORTED);
	}
	owe_axfr();
	answer(RCODE_NOTIMP);
	policy.give_up_us = 0;
	while (o.state != NOTIFYOUT_DONE)
		wait();
	assert_int_equal(o.result, NOTIFYOUT_UNSUPPORTED);
	/* It came for it all the same, told by its operator. */
	owe_axfr();
	answer(RCODE_NOTIMP);
	assert_int_equal(fetched(NOTIFYOUT_AXFR, 7), NOTIFYOUT_END);
	assert_int_equal(o.result, NOTIFYOUT_FETCHED);
}

/* the caller says of each newer event whether the target understands AXFR. */
static void
newer_after_the_fallback(void **state)
{
	(void)state;
	owe_axfr();
	answer(RCODE_NOTIMP);
	newer(NOTIFYOUT_SOA, 8, now.us);
	assert_int_equal(o.kind, NOTIFYOUT_SOA);
	assert_true(o.no_axfr);
	assert_int_equal(wait(), NOTIFYOUT_SEND);
	assert_int_equal(answer(RCODE_NOERROR), NOTIFYOUT_END);
	assert_int_equal(o.result, NOTIFYOUT_UNSUPPORTED);
	newer(NOTIFYOUT_SOA, 9, now.us);
	assert_false(o.no_axfr);
	assert_int_equal(wait(), NOTIFYOUT_SEND);
	assert_int_equal(answer(RCODE_NOERROR), NOTIFYOUT_END);
	assert_int_equal(o.result, NOTIFYOUT_ACKED);
	/* A day later it may have learnt. */
	owe_axfr();
	answer(RCODE_NOTIMP);
	newer(NOTIFYOUT_AXFR, 8, now.us);
	assert_int_equal(o.kind, NOTIFYOUT_AXFR);
	assert_false(o.no_axfr);
	assert_int_equal(wait(), NOTIFYOUT_SEND);
	assert_int_equal(answer(RCODE_NOERROR), NOTIFYOUT_END);
	assert_int_equal(o.result, NOTIFYOUT_ACKED);
}

/* at most an hour apart, until EXPIRE; a serial change in between does not make it SOA. */
static void
owed_axfr_is_never_downgraded(void **state)
{
	int64_t last = 0, longest = 0;
	int64_t began = now.us;

	(void)state;
	owe_axfr();
	for (unsigned i = 0; i < 40; i++) {
		while (wait() == NOTIFYOUT_SEND) {
			if (last != 0 && now.us - last > longest)
				longest = now.us - last;
			last = now.us;
		}
		assert_int_equal(o.state, NOTIFYOUT_WAITING);
		assert_int_equal(o.kind, NOTIFYOUT_AXFR);
	}
	assert_true(longest <= 3600 * S + 60 * S);
	newer(NOTIFYOUT_SOA, 8, now.us);
	assert_int_equal(o.kind, NOTIFYOUT_AXFR);
	assert_int_equal(fetched(NOTIFYOUT_SOA, 8), NOTIFYOUT_NOTHING);
	began = now.us;
	while (o.state != NOTIFYOUT_DONE)
		wait();
	assert_int_equal(o.result, NOTIFYOUT_GIVEN_UP);
	assert_in_range(now.us - began, policy.give_up_us, policy.give_up_us + 4000 * S);
}

/* N-12 */
static void
tcp_tries_once_per_burst(void **state)
{
	(void)state;
	policy.tcp = true;
	assert_int_equal(wait(), NOTIFYOUT_SEND);
	assert_int_equal(o.at_us - now.us, 60 * S);
	assert_int_equal(wait(), NOTIFYOUT_SAVE);
	assert_int_equal(wait(), NOTIFYOUT_SEND);
	assert_int_equal(answer(RCODE_SERVFAIL), NOTIFYOUT_SAVE);
	assert_int_equal(o.state, NOTIFYOUT_WAITING);
}

/* N-13 */
static void
unreachable_ends_the_burst(void **state)
{
	(void)state;
	wait();
	assert_int_equal(step(NOTIFYOUT_EV_UNREACHABLE), NOTIFYOUT_SAVE);
	assert_int_equal(o.at_us - now.us, 60 * S);
	assert_int_equal(step(NOTIFYOUT_EV_UNREACHABLE), NOTIFYOUT_NOTHING);
	assert_int_equal(wait(), NOTIFYOUT_SEND);
	assert_int_equal(o.burst, 1);
}

static void
target_that_came_anyway(void **state)
{
	(void)state;
	assert_int_equal(fetched(NOTIFYOUT_SOA, 6), NOTIFYOUT_NOTHING); /* an older one */
	assert_int_equal(fetched(NOTIFYOUT_SOA, 7), NOTIFYOUT_END);
	assert_int_equal(o.result, NOTIFYOUT_FETCHED);
	notifyout_init(&o, NOTIFYOUT_AXFR, 7, now, now, 0);
	assert_int_equal(fetched(NOTIFYOUT_SOA, 7), NOTIFYOUT_NOTHING); /* proves nothing */
	/* It took that for ordinary news, and those below it have not heard of the force (AN-11).
	 */
	assert_int_equal(fetched(NOTIFYOUT_AXFR, 8), NOTIFYOUT_NOTHING);
	assert_int_equal(wait(), NOTIFYOUT_SEND);
	assert_int_equal(step(NOTIFYOUT_EV_UNREACHABLE), NOTIFYOUT_SAVE);
	assert_int_equal(fetched(NOTIFYOUT_AXFR, 8), NOTIFYOUT_NOTHING);
	assert_int_equal(wait(), NOTIFYOUT_SEND);
	assert_int_equal(answer(RCODE_NOERROR), NOTIFYOUT_END);
	assert_int_equal(o.result, NOTIFYOUT_ACKED);
}

/* Killed between the transfer and its commit, it has neither: only an answer outlives that. */
static void
target_that_came_must_answer(void **state)
{
	(void)state;
	owe_axfr();
	assert_int_equal(fetched(NOTIFYOUT_AXFR, 7), NOTIFYOUT_NOTHING);
	assert_int_equal(wait(), NOTIFYOUT_SEND);
	assert_int_equal(answer(RCODE_NOERROR), NOTIFYOUT_END);
	assert_int_equal(o.result, NOTIFYOUT_ACKED);
	/* It never answers: this burst and another one, which it had time to hear, are enough. */
	owe_axfr();
	assert_int_equal(fetched(NOTIFYOUT_AXFR, 7), NOTIFYOUT_NOTHING);
	for (unsigned i = 0; i < policy.repeats; i++)
		assert_int_equal(wait(), NOTIFYOUT_SEND);
	assert_int_equal(wait(), NOTIFYOUT_SAVE);
	for (unsigned i = 0; i <= policy.repeats; i++)
		assert_int_equal(wait(), NOTIFYOUT_SEND);
	assert_int_equal(wait(), NOTIFYOUT_END);
	assert_int_equal(o.result, NOTIFYOUT_FETCHED);
	/* It is gone: what it fetched does not count. */
	owe_axfr();
	assert_int_equal(fetched(NOTIFYOUT_AXFR, 7), NOTIFYOUT_NOTHING);
	assert_int_equal(step(NOTIFYOUT_EV_UNREACHABLE), NOTIFYOUT_SAVE);
	for (unsigned i = 0; i <= policy.repeats; i++)
		assert_int_equal(wait(), NOTIFYOUT_SEND);
	assert_int_equal(wait(), NOTIFYOUT_SAVE);
	assert_int_equal(o.state, NOTIFYOUT_WAITING);
}

/* N-29, A-32 */
static void
newer_absorbs_older(void **state)
{
	(void)state;
	wait();
	now.us += S;
	assert_int_equal(newer(NOTIFYOUT_SOA, 8, now.us), NOTIFYOUT_NOTHING);
	assert_int_equal(o.at_us, now.us);
	assert_int_equal(o.serial, 8);
	assert_int_equal(answer(RCODE_NOERROR), NOTIFYOUT_NOTHING); /* it speaks of the older one */
	assert_int_equal(wait(), NOTIFYOUT_SEND);
	assert_int_equal(o.burst, 1);
	/* Within the gap after a send it waits a moment. */
	newer(NOTIFYOUT_AXFR, 9, now.us);
	assert_int_equal(o.at_us - now.us, policy.gap_us);
	assert_int_equal(o.kind, NOTIFYOUT_AXFR);
	newer(NOTIFYOUT_SOA, 10, now.us); /* never downgraded */
	assert_int_equal(o.kind, NOTIFYOUT_AXFR);
	assert_int_equal(o.serial, 10);
	assert_int_equal(wait(), NOTIFYOUT_SEND);
	assert_int_equal(answer(RCODE_NOERROR), NOTIFYOUT_END);
	/* After its end it begins anew. */
	newer(NOTIFYOUT_SOA, 11, now.us + 5 * S);
	assert_int_equal(o.state, NOTIFYOUT_WAITING);
	assert_int_equal(o.kind, NOTIFYOUT_SOA);
	assert_int_equal(o.result, NOTIFYOUT_OPEN);
	assert_int_equal(o.at_us, now.us + 5 * S);
}

/* Found by fuzz_notifyout: one that was over while it waited for its token had no time afterwards.
 */
static void
newer_after_the_end_in_the_queue(void **state)
{
	(void)state;
	rate.rate = bucket_rate_every(S, 1);
	rate.bucket.full_us = now.us + S;
	assert_int_equal(wait(), NOTIFYOUT_NOTHING);
	assert_true(o.reserved);
	assert_int_equal(fetched(NOTIFYOUT_AXFR, 7), NOTIFYOUT_END);
	newer(NOTIFYOUT_SOA, 8, now.us);
	assert_int_equal(o.state, NOTIFYOUT_WAITING);
	while (wait() != NOTIFYOUT_SEND)
		;
}

static void
waits_for_its_splay(void **state)
{
	(void)state;
	notifyout_init(&o, NOTIFYOUT_AXFR, 7, now, (struct zr_mono){now.us + 20 * S}, 0);
	assert_int_equal(step(NOTIFYOUT_EV_TIMER), NOTIFYOUT_NOTHING);
	assert_int_equal(wait(), NOTIFYOUT_SEND);
}

/* The rate holds over all of them, each wakes up once for its token, and none is left out. */
static void
common_rate(void **state)
{
	enum { N = 2000 };
	struct notifyout *all = calloc(N, sizeof(*all));
	unsigned sent = 0, woken = 0;

	(void)state;
	assert_non_null(all);
	rate.rate = bucket_rate(20, 10);
	for (unsigned i = 0; i < N; i++)
		notifyout_init(&all[i], NOTIFYOUT_SOA, 7, now, now, 0);
	int64_t began = now.us;
	while (sent < N) {
		int64_t next = INT64_MAX;
		for (unsigned i = 0; i < N; i++) {
			if (all[i].state != NOTIFYOUT_WAITING)
				continue;
			if (all[i].at_us > now.us) {
				next = all[i].at_us < next ? all[i].at_us : next;
				continue;
			}
			woken++;
			sent += notifyout_step(&all[i], NOTIFYOUT_EV_TIMER, NULL, &policy, &rate,
				    now) == NOTIFYOUT_SEND;
			next = all[i].state == NOTIFYOUT_WAITING && all[i].at_us < next
				   ? all[i].at_us
				   : next;
		}
		assert_true(sent <= 10 + (unsigned)((now.us - began) / (S / 20)) + 1);
		if (sent < N)
			now.us = next;
	}
	assert_true(woken <= 2 * N);
	assert_in_range(now.us - began, 99 * S, 100 * S);
	free(all);
}

static bool
matches(const char *text, uint16_t qtype)
{
	uint8_t zone[NAME_MAX_LEN];
	struct buf b = {0};
	struct zr_err e;
	struct msg m;

	xfrmsg_zone(zone);
	xfrmsg_build(&b, text, qtype);
	assert_int_equal(msg_parse(&m, b.data, b.len, MSG_FULL, &e), 0);
	bool yes = notifyout_match(&o, &m, zone);
	buf_clear(&b);
	return yes;
}

/* N-14 */
static void
what_counts_as_an_answer(void **state)
{
	(void)state;
	o.id = XFRMSG_ID;
	assert_false(matches("!opcode=4", TYPE_SOA)); /* nothing is out */
	wait();
	assert_true(matches("!opcode=4", TYPE_SOA));
	assert_true(matches("!opcode=4 !aa=0 !rcode=5", TYPE_SOA));
	assert_true(matches("!opcode=4 !q=EXAMPLE.ORG.", TYPE_SOA));
	assert_true(matches("!opcode=4 !noq !rcode=1", TYPE_SOA));
	assert_false(matches("!opcode=4 !noq", TYPE_SOA));
	assert_false(matches("!opcode=4 !twoq", TYPE_SOA));
	assert_false(matches("!opcode=4", TYPE_AXFR));
	assert_false(matches("!opcode=4 !id=4712", TYPE_SOA));
	assert_false(matches("!opcode=4 !query", TYPE_SOA));
	assert_false(matches("!opcode=4 !q=example.com.", TYPE_SOA));
	assert_false(matches("!opcode=4 !qclass=3", TYPE_SOA));
	assert_false(matches("", TYPE_SOA));
	o.kind = NOTIFYOUT_AXFR;
	assert_true(matches("!opcode=4", TYPE_AXFR));
	assert_false(matches("!opcode=4", TYPE_SOA));
}

/* Every state with every event, at random for long: it ends, and never forgets to wake up. */
static void
random_walk(void **state)
{
	static const uint16_t rcodes[] = {0, 1, 2, 3, 4, 5, 9, 16, 23};
	struct rng rng;
	unsigned ends = 0, sends = 0;

	(void)state;
	rng_seed(&rng, 5);
	rate.rate = bucket_rate(20, 5);
	policy.give_up_us = 3600 * S;
	for (unsigned i = 0; i < 1000000; i++) {
		struct notifyout_arg a = {
		    .rcode = rcodes[rng_below(&rng, 9)],
		    .kind = (enum notifyout_kind)rng_below(&rng, 2),
		    .serial = o.serial + (uint32_t)rng_below(&rng, 3) - 1,
		    .not_before = {now.us + (int64_t)rng_below(&rng, 10) * S},
		};
		unsigned what = (unsigned)rng_below(&rng, 100);
		enum notifyout_event ev =
		    what < 60 ? NOTIFYOUT_EV_TIMER
			      : (enum notifyout_event)rng_below(&rng, NOTIFYOUT_EVENT_COUNT);
		if (ev == NOTIFYOUT_EV_TIMER && o.at_us > now.us)
			now.us = o.at_us;
		policy.tcp = rng_below(&rng, 1000) == 0 ? !policy.tcp : policy.tcp;
		bool was_done = o.state == NOTIFYOUT_DONE;
		enum notifyout_do d = notifyout_step(&o, ev, &a, &policy, &rate, now);
		assert_int_equal(o.state == NOTIFYOUT_DONE, o.result != NOTIFYOUT_OPEN);
		assert_int_equal(o.state == NOTIFYOUT_DONE, o.at_us == 0);
		assert_int_equal(d == NOTIFYOUT_END, o.state == NOTIFYOUT_DONE && !was_done);
		assert_int_equal(o.burst > 0,
		    o.state == NOTIFYOUT_SENT || (o.state == NOTIFYOUT_DONE && o.burst > 0));
		assert_true(o.burst <= policy.repeats + 1 || policy.tcp);
		ends += d == NOTIFYOUT_END;
		sends += d == NOTIFYOUT_SEND;
	}
	assert_true(ends > 10000 && sends > 10000);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
	    T(schedule_of_a_burst),
	    T(early_timer_does_nothing),
	    T(owed_until_given_up),
	    T(meaning_of_answers),
	    T(axfr_falls_back_to_soa),
	    T(whatever_it_does_with_axfr),
	    T(fallback_waits_for_a_token),
	    T(ends_of_the_fallback),
	    T(newer_after_the_fallback),
	    T(owed_axfr_is_never_downgraded),
	    T(tcp_tries_once_per_burst),
	    T(unreachable_ends_the_burst),
	    T(target_that_came_anyway),
	    T(target_that_came_must_answer),
	    T(newer_absorbs_older),
	    T(newer_after_the_end_in_the_queue),
	    T(waits_for_its_splay),
	    T(common_rate),
	    T(what_counts_as_an_answer),
	    T(random_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
