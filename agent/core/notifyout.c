/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/notifyout.h"

#include "base/serial.h"
#include "wire/rr.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define PAUSE_FIRST_US (60 * ZR_US_PER_S)

const char *const notifyout_state_names[] = {"waiting", "sent", "done"};
_Static_assert(COUNT(notifyout_state_names) == NOTIFYOUT_STATE_COUNT, "names");

const char *const notifyout_result_names[] = {
    "open", "acked", "unsupported", "refused", "given_up", "fetched"};
_Static_assert(COUNT(notifyout_result_names) == NOTIFYOUT_RESULT_COUNT, "names");

const char *const notifyout_event_names[] = {
    "timer", "answer", "unreachable", "zone_data", "fetched", "newer"};
_Static_assert(COUNT(notifyout_event_names) == NOTIFYOUT_EVENT_COUNT, "names");

const struct notifyout_policy notifyout_default = {
    .first_us = 3 * ZR_US_PER_S,
    .cap_us = 60 * ZR_US_PER_S,
    .repeats = 5,
    .tcp_timeout_us = 60 * ZR_US_PER_S,
    .owed_us = 3600 * ZR_US_PER_S,
    .gap_us = 500 * ZR_US_PER_MS,
    .give_up_us = 7 * 24 * 3600 * ZR_US_PER_S,
};

/* One step under way. */
struct turn {
	struct notifyout *o;
	const struct notifyout_policy *p;
	struct notifyout_rate *rate;
	int64_t now;
};

void
notifyout_init(struct notifyout *o, enum notifyout_kind kind, uint32_t serial,
    struct zr_mono created, struct zr_mono not_before, uint32_t tries)
{
	*o = (struct notifyout){
	    .kind = (uint8_t)kind,
	    .serial = serial,
	    .created_us = created.us,
	    .at_us = not_before.us,
	    .tries = tries,
	    .state = NOTIFYOUT_WAITING,
	};
}

static enum notifyout_do
end(struct notifyout *o, enum notifyout_result r)
{
	o->state = NOTIFYOUT_DONE;
	o->result = (uint8_t)(o->no_axfr && r != NOTIFYOUT_FETCHED ? NOTIFYOUT_UNSUPPORTED : r);
	o->at_us = 0;
	o->reserved = false; /* it would leave a newer one without a time */
	return NOTIFYOUT_END;
}

/* 3 s, 6 s, 12 s, ... */
static int64_t
answer_time(const struct turn *t)
{
	if (t->p->tcp)
		return t->p->tcp_timeout_us;
	int64_t us = t->p->first_us;
	for (unsigned i = 1; i < t->o->burst && us < t->p->cap_us; i++)
		us *= 2;
	return us < t->p->cap_us ? us : t->p->cap_us;
}

/*
 * Each NOTIFY takes its token when it is due and then waits for just that one, so a long queue does
 * not wake up as a whole for every token.
 */
static enum notifyout_do
send(struct turn *t)
{
	struct notifyout *o = t->o;

	if (!o->reserved) {
		int64_t at = bucket_reserve(&t->rate->bucket, &t->rate->rate, t->now);
		if (at > t->now) {
			o->at_us = at;
			o->reserved = true;
			return NOTIFYOUT_NOTHING;
		}
	}
	o->reserved = false;
	o->tries++;
	o->burst++;
	o->state = NOTIFYOUT_SENT;
	o->sent_us = t->now;
	o->at_us = t->now + answer_time(t);
	return NOTIFYOUT_SEND;
}

/* No answer, in spite of all: later again, but not for ever. */
static enum notifyout_do
pause(struct turn *t)
{
	struct notifyout *o = t->o;
	int64_t us = PAUSE_FIRST_US;

	if (t->now - o->created_us >= t->p->give_up_us)
		return end(o, NOTIFYOUT_GIVEN_UP);
	for (unsigned i = 0; i < o->bursts && us < t->p->owed_us; i++)
		us *= 2;
	if (us > t->p->owed_us)
		us = t->p->owed_us;
	if (o->bursts < UINT8_MAX)
		o->bursts++;
	o->burst = 0;
	o->state = NOTIFYOUT_WAITING;
	o->at_us = t->now + us;
	return NOTIFYOUT_SAVE;
}

static enum notifyout_do
on_timer(struct turn *t)
{
	struct notifyout *o = t->o;

	if (t->now < o->at_us)
		return NOTIFYOUT_NOTHING;
	if (o->state != NOTIFYOUT_SENT || (!t->p->tcp && o->burst <= t->p->repeats))
		return send(t);
	/* NOTIFY(AXFR): it may have come for the zone when the last repeat had gone already. */
	if (o->fetched && (o->kind != NOTIFYOUT_AXFR || o->silent))
		return end(o, NOTIFYOUT_FETCHED);
	o->silent = o->fetched;
	return pause(t);
}

/* it lacks the feature; the ordinary kind may still be of use to it. */
static enum notifyout_do
unsupported(struct turn *t)
{
	struct notifyout *o = t->o;

	if (o->kind != NOTIFYOUT_AXFR)
		return end(o, NOTIFYOUT_UNSUPPORTED);
	o->no_axfr = true;
	o->kind = NOTIFYOUT_SOA;
	o->burst = 0;
	o->state = NOTIFYOUT_WAITING;
	o->at_us = t->now;
	o->reserved = false;
	return send(t);
}

static enum notifyout_do
on_answer(struct turn *t, uint16_t rcode)
{
	if (t->o->state != NOTIFYOUT_SENT)
		return NOTIFYOUT_NOTHING;
	switch (rcode) {
	case RCODE_NOERROR:
		return end(t->o, NOTIFYOUT_ACKED);
	case RCODE_NOTIMP:
	case RCODE_FORMERR:
		return unsupported(t);
	case RCODE_REFUSED:
	case RCODE_NOTAUTH:
	case RCODE_NXDOMAIN:
	case RCODE_BADVERS:
		return end(t->o, NOTIFYOUT_REFUSED);
	default:
		/* SERVFAIL and the like pass; over TCP there is no repeat within the burst. */
		return t->p->tcp ? pause(t) : NOTIFYOUT_NOTHING;
	}
}

/*
 * A whole zone fetched also satisfies who should fetch the newest; the reverse does not hold.
 * Once the NOTIFY is out, only its answer proves that the target will not forget what it was told:
 * one that is killed between the transfer and its commit has neither.  So the answer is waited for,
 * but not for longer than this burst, or the next one for NOTIFY(AXFR).  One that asks with this
 * serial has stored it.
 *
 * NOTIFY(AXFR) is owed whatever was fetched (AN-11): who came by itself took the content for
 * ordinary news, and those below it, who may have the old one under this serial, hear of nothing.
 */
static enum notifyout_do
on_fetched(struct turn *t, const struct notifyout_arg *a)
{
	struct notifyout *o = t->o;
	bool forced = o->kind == NOTIFYOUT_AXFR;

	if (!serial_ge(a->serial, o->serial))
		return NOTIFYOUT_NOTHING;
	if (forced && a->kind != NOTIFYOUT_AXFR)
		return NOTIFYOUT_NOTHING;
	if (!forced && (o->state != NOTIFYOUT_SENT || o->no_axfr || a->has))
		return end(o, NOTIFYOUT_FETCHED);
	o->fetched = o->fetched || o->state == NOTIFYOUT_SENT;
	return NOTIFYOUT_NOTHING;
}

/* Nobody is there any more: what it fetched may be gone as well. */
static enum notifyout_do
on_unreachable(struct turn *t)
{
	if (t->o->state != NOTIFYOUT_SENT)
		return NOTIFYOUT_NOTHING;
	t->o->fetched = t->o->silent = false;
	return pause(t);
}

/*
 * Newer absorbs older, AXFR absorbs SOA.  An answer to the query out would not speak for the
 * new event (N-29): that query is forgotten.  A newer one that is to be AXFR is, also where an
 * older one was not understood: the caller knows for how long that counts.
 */
static enum notifyout_do
on_newer(struct turn *t, const struct notifyout_arg *a)
{
	struct notifyout *o = t->o;
	bool owed = o->kind == NOTIFYOUT_AXFR && o->state != NOTIFYOUT_DONE;

	o->kind = owed || a->kind == NOTIFYOUT_AXFR ? NOTIFYOUT_AXFR : NOTIFYOUT_SOA;
	o->no_axfr = o->no_axfr && o->kind == NOTIFYOUT_SOA && o->state != NOTIFYOUT_DONE;
	o->serial = a->serial;
	o->created_us = t->now;
	o->tries = 0;
	o->burst = o->bursts = 0;
	o->fetched = o->silent = false;
	o->state = NOTIFYOUT_WAITING;
	o->result = NOTIFYOUT_OPEN;
	if (o->reserved)
		return NOTIFYOUT_NOTHING; /* keeps the place it has */
	o->at_us = a->not_before.us > t->now ? a->not_before.us : t->now;
	if (o->sent_us != 0 && o->at_us < o->sent_us + t->p->gap_us)
		o->at_us = o->sent_us + t->p->gap_us;
	return NOTIFYOUT_NOTHING;
}

enum notifyout_do
notifyout_step(struct notifyout *o, enum notifyout_event ev, const struct notifyout_arg *arg,
    const struct notifyout_policy *p, struct notifyout_rate *rate, struct zr_mono now)
{
	struct turn t = {o, p, rate, now.us};

	if (o->state == NOTIFYOUT_DONE && ev != NOTIFYOUT_EV_NEWER)
		return NOTIFYOUT_NOTHING;
	switch (ev) {
	case NOTIFYOUT_EV_TIMER:
		return on_timer(&t);
	case NOTIFYOUT_EV_ANSWER:
		return on_answer(&t, arg->rcode);
	case NOTIFYOUT_EV_UNREACHABLE:
		return on_unreachable(&t);
	case NOTIFYOUT_EV_ZONE_DATA:
		return o->state == NOTIFYOUT_SENT ? unsupported(&t) : NOTIFYOUT_NOTHING;
	case NOTIFYOUT_EV_FETCHED:
		return on_fetched(&t, arg);
	case NOTIFYOUT_EV_NEWER:
		return on_newer(&t, arg);
	case NOTIFYOUT_EVENT_COUNT:
		break;
	}
	return NOTIFYOUT_NOTHING;
}

bool
notifyout_match(const struct notifyout *o, const struct msg *m, const uint8_t *zone)
{
	uint16_t qtype = o->kind == NOTIFYOUT_AXFR ? TYPE_AXFR : TYPE_SOA;

	if (o->state != NOTIFYOUT_SENT || m->len < MSG_HEADER || m->id != o->id ||
	    m->opcode != OPCODE_NOTIFY || (m->flags & FLAG_QR) == 0)
		return false;
	if (m->qdcount == 0)
		return (m->flags & 0xf) != RCODE_NOERROR;
	return m->qdcount == 1 && msg_question_is(m, zone, qtype, CLASS_IN);
}
