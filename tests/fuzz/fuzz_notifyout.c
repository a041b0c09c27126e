/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Input: what becomes of one owed NOTIFY.  It is never forgotten: until it is over it has a time at
 * which it goes on, and when nobody ever answers it is given up, not before its time.
 */
#include "fuzz.h"

#include "base/serial.h"
#include "choose.h"
#include "core/notifyout.h"
#include "wire/query.h"

#include <string.h>

#define OPS_MAX 2000
#define S ZR_US_PER_S
#define ZONE ((const uint8_t *)"\7example\3org")

struct world {
	struct notifyout o;
	struct notifyout_policy policy;
	struct notifyout_rate rate;
	int64_t now, start;
	uint64_t sends;
	bool came; /* FETCHED for what is owed, since it is owed */
};

static void
check_sent(struct world *w, const struct notifyout *was)
{
	const struct notifyout *o = &w->o;
	unsigned burst = w->policy.tcp ? 1 : w->policy.repeats + 1;
	int64_t passed = w->now - w->start, interval = w->rate.rate.interval_us;

	FUZZ_CHECK(o->state == NOTIFYOUT_SENT && o->sent_us == w->now && o->at_us > w->now);
	FUZZ_CHECK(o->tries == was->tries + 1 && o->burst <= burst && !o->reserved);
	w->sends++;
	FUZZ_CHECK(
	    interval == 0 || w->sends <= w->rate.rate.burst + (uint64_t)(passed / interval) + 1);
}

static void
check_over(const struct world *w, const struct notifyout *was, enum notifyout_event ev,
    const struct notifyout_arg *a)
{
	const struct notifyout *o = &w->o;

	FUZZ_CHECK(was->state != NOTIFYOUT_DONE && o->at_us == 0);
	switch ((enum notifyout_result)o->result) {
	case NOTIFYOUT_ACKED:
		FUZZ_CHECK(ev == NOTIFYOUT_EV_ANSWER && a->rcode == RCODE_NOERROR);
		FUZZ_CHECK(was->state == NOTIFYOUT_SENT && !o->no_axfr);
		break;
	case NOTIFYOUT_UNSUPPORTED:
		FUZZ_CHECK(o->no_axfr || ev == NOTIFYOUT_EV_ZONE_DATA ||
			   (ev == NOTIFYOUT_EV_ANSWER &&
			       (a->rcode == RCODE_NOTIMP || a->rcode == RCODE_FORMERR)));
		break;
	case NOTIFYOUT_REFUSED:
		FUZZ_CHECK(ev == NOTIFYOUT_EV_ANSWER && was->state == NOTIFYOUT_SENT);
		break;
	case NOTIFYOUT_GIVEN_UP:
		FUZZ_CHECK(w->now - was->created_us >= w->policy.give_up_us);
		break;
	case NOTIFYOUT_FETCHED:
		FUZZ_CHECK(w->came);
		break;
	case NOTIFYOUT_OPEN:
	case NOTIFYOUT_RESULT_COUNT:
		FUZZ_CHECK(false);
	}
}

static void
note_fetched(struct world *w, enum notifyout_event ev, const struct notifyout_arg *a)
{
	if (ev == NOTIFYOUT_EV_NEWER)
		w->came = false;
	if (ev == NOTIFYOUT_EV_FETCHED && serial_ge(a->serial, w->o.serial) &&
	    (w->o.kind == NOTIFYOUT_SOA || a->kind == NOTIFYOUT_AXFR))
		w->came = true;
}

static void
step(struct world *w, enum notifyout_event ev, const struct notifyout_arg *a)
{
	const struct notifyout was = w->o;
	const struct notifyout *o = &w->o;
	enum notifyout_do d;

	note_fetched(w, ev, a);
	d = notifyout_step(&w->o, ev, a, &w->policy, &w->rate, (struct zr_mono){w->now});
	FUZZ_CHECK((o->state == NOTIFYOUT_DONE) == (o->result != NOTIFYOUT_OPEN));
	FUZZ_CHECK(o->state == NOTIFYOUT_DONE || o->at_us > 0);
	FUZZ_CHECK(
	    (d == NOTIFYOUT_END) == (o->state == NOTIFYOUT_DONE && was.state != NOTIFYOUT_DONE));
	if (d == NOTIFYOUT_SEND)
		check_sent(w, &was);
	else
		FUZZ_CHECK(o->tries == was.tries || ev == NOTIFYOUT_EV_NEWER);
	if (d == NOTIFYOUT_END)
		check_over(w, &was, ev, a);
	if (d == NOTIFYOUT_SAVE) {
		FUZZ_CHECK(o->state == NOTIFYOUT_WAITING && o->at_us > w->now);
		FUZZ_CHECK(o->at_us - w->now <= w->policy.owed_us);
	}
	/* AXFR stays owed until it is over, or is known not to be understood. */
	if (was.kind == NOTIFYOUT_AXFR && was.state != NOTIFYOUT_DONE)
		FUZZ_CHECK(o->kind == NOTIFYOUT_AXFR || o->no_axfr);
	if (ev == NOTIFYOUT_EV_NEWER) {
		FUZZ_CHECK(o->state == NOTIFYOUT_WAITING && o->serial == a->serial);
		FUZZ_CHECK(o->reserved || o->at_us >= a->not_before.us);
		FUZZ_CHECK(a->kind != NOTIFYOUT_AXFR || o->kind == NOTIFYOUT_AXFR);
	}
}

/* An answer made of chosen parts; it counts exactly when every part is right. */
static void
match(struct world *w, struct rd *in)
{
	bool axfr = w->o.kind == NOTIFYOUT_AXFR;
	unsigned wrong = choose_below(in, 64), rcode = choose_below(in, 16);
	struct buf b = BUF_INIT;
	struct msg m;

	w->o.id = (uint16_t)choose_below(in, 65536);
	query_notify(&b, (uint16_t)(w->o.id ^ (wrong & 1)),
	    (wrong & 2) != 0 ? (const uint8_t *)"\7example\3net" : ZONE,
	    axfr == ((wrong & 4) == 0) ? TYPE_AXFR : TYPE_SOA, NULL, NULL);
	if ((wrong & 8) == 0)
		b.data[2] |= 0x80; /* QR */
	if ((wrong & 16) != 0)
		b.data[2] ^= 0x08; /* the opcode */
	b.data[3] = (uint8_t)rcode;
	if ((wrong & 32) != 0) {
		b.data[5] = 0; /* no question: enough for who could not read it (N-14) */
		b.len = MSG_HEADER;
	}
	FUZZ_CHECK(msg_parse(&m, b.data, b.len, MSG_FULL, NULL) == 0);
	bool good =
	    (wrong & 25) == 0 && ((wrong & 32) != 0 ? rcode != RCODE_NOERROR : (wrong & 6) == 0);
	FUZZ_CHECK(notifyout_match(&w->o, &m, ZONE) == (good && w->o.state == NOTIFYOUT_SENT));
	buf_clear(&b);
}

static void
one(struct world *w, struct rd *in)
{
	static const int64_t passes[] = {0, 1000, S / 2, S, 10 * S, 100 * S, 3600 * S, 86400 * S};
	static const uint16_t rcodes[] = {RCODE_NOERROR, RCODE_FORMERR, RCODE_SERVFAIL,
	    RCODE_NXDOMAIN, RCODE_NOTIMP, RCODE_REFUSED, RCODE_NOTAUTH, RCODE_BADVERS, 23};
	enum notifyout_event ev = (enum notifyout_event)choose_below(in, NOTIFYOUT_EVENT_COUNT + 3);
	struct notifyout_arg a = {0};

	if (ev >= NOTIFYOUT_EVENT_COUNT) {
		if (ev == NOTIFYOUT_EVENT_COUNT)
			w->now += passes[choose_below(in, 8)];
		else if (w->o.at_us > w->now)
			w->now = w->o.at_us;
		if (choose_rarely(in, 3))
			match(w, in);
		ev = NOTIFYOUT_EV_TIMER;
	}
	if (ev == NOTIFYOUT_EV_ANSWER)
		a.rcode = rcodes[choose_below(in, 9)];
	if (ev == NOTIFYOUT_EV_FETCHED || ev == NOTIFYOUT_EV_NEWER) {
		a.kind = (enum notifyout_kind)choose_below(in, 2);
		a.serial = w->o.serial + choose_below(in, 5) - 2;
		a.has = choose_below(in, 2) != 0;
		a.not_before.us = w->now + passes[choose_below(in, 8)] - S;
	}
	step(w, ev, &a);
}

/* Nobody answers any more. */
static void
silence(struct world *w)
{
	for (unsigned n = 0; w->o.state != NOTIFYOUT_DONE; n++) {
		FUZZ_CHECK(n < 10000); /* a day in pauses of a minute */
		if (w->o.at_us > w->now)
			w->now = w->o.at_us;
		step(w, NOTIFYOUT_EV_TIMER, NULL);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int64_t intervals[] = {0, 1000, S / 20, S};
	static const int64_t give_up[] = {0, 3600 * S, 86400 * S};
	struct world w = {.policy = notifyout_default, .now = 1000 * S, .start = 1000 * S};
	struct rd in;

	rd_init(&in, data, size);
	w.policy.tcp = choose_below(&in, 2) != 0;
	w.policy.repeats = choose_below(&in, 6);
	w.policy.owed_us = (60 + 100 * (int64_t)choose_below(&in, 36)) * S;
	w.policy.give_up_us = give_up[choose_below(&in, 3)];
	w.rate.rate = bucket_rate_every(intervals[choose_below(&in, 4)], 1 + choose_below(&in, 3));
	notifyout_init(&w.o, (enum notifyout_kind)choose_below(&in, 2), rd_u32(&in),
	    (struct zr_mono){w.now}, (struct zr_mono){w.now + (int64_t)choose_below(&in, 60) * S},
	    0);
	for (unsigned n = 0; n < OPS_MAX && rd_left(&in) > 0; n++)
		one(&w, &in);
	silence(&w);
	return 0;
}
