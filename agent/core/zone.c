/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The zone machine: events.
 *
 *                    refresh due, NOTIFY, operator
 *              +---------+  ENQUEUE   +----------+
 *   START ---> |  IDLE   |----------->|  QUEUED  |<----------------------------+
 *              +---------+            +----------+                             |
 *               ^  ^  ^  ^  DENIED, none | GRANT  \ GRANT for the transfer     |
 *               |  |  |  +----left-------+         \                           |
 *               |  |  |                  | PROBE    \ FETCH                    |
 *               |  |  |  same serial     v           v                         |
 *               |  |  |  or none  +----------+    +----------+                 |
 *               |  |  +-----left--| PROBING  |    | FETCHING |                 |
 *               |  |              +----------+    +----------+                 |
 *               |  |    newer, or the |  next primary | | fail: next primary   |
 *               |  |                  +---------------|-+----------------------+
 *               |  |              none left           | READY
 *               |  +----------------------------------+
 *               |              COMMITTED              v COMMIT
 *               |              COMMIT_FAIL        +----------+
 *               +---------------------------------| STORING  |
 *                                                 +----------+
 *
 *   any but STORING --HOLD--> HELD --RESUME--> IDLE       STORING: after the commit
 *   any but STORING --REMOVE--> GONE                      STORING: after the commit
 *
 * Beside the state: `data` (empty, loaded, expired), `pending` (what is owed and not yet covered
 * by a query), `serving` (what the round under way covers).  A trigger only raises
 * pending; a query that is about to be written moves it to serving; success drops serving, failure
 * puts it back.  So nothing that was answered NOERROR is lost, however events interleave.
 */
#include "core/zone.h"

#include <assert.h>

#include "base/serial.h"
#include "core/zone_p.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

const char *const zone_state_names[] = {
    "idle", "queued", "probing", "fetching", "storing", "held", "gone"};
_Static_assert(COUNT(zone_state_names) == ZONE_STATE_COUNT, "names");

const char *const zone_data_names[] = {"empty", "loaded", "expired"};
_Static_assert(COUNT(zone_data_names) == ZONE_DATA_COUNT, "names");

const char *const zone_pending_names[] = {"none", "check", "force"};
_Static_assert(COUNT(zone_pending_names) == ZONE_PENDING_FORCE + 1, "names");

const char *const zone_event_names[] = {"start", "notify", "marked", "mark_fail", "timer", "grant",
    "denied", "soa_ok", "soa_fail", "xfer_ready", "xfer_current", "xfer_fail", "committed",
    "commit_fail", "refresh", "retransfer", "hold", "resume", "policy", "remove"};
_Static_assert(COUNT(zone_event_names) == ZONE_EVENT_COUNT, "names");

const char *const zone_order_names[] = {"mark", "enqueue", "dequeue", "release", "probe", "fetch",
    "cancel", "abort", "commit", "save", "arm", "expired", "unexpired", "gone"};
_Static_assert(COUNT(zone_order_names) == ZONE_ORDER_COUNT, "names");

struct zone_order *
zone_order(struct step *s, enum zone_order_kind kind)
{
	assert(s->out->n < ZONE_ORDER_MAX);
	struct zone_order *o = &s->out->v[s->out->n++];
	*o = (struct zone_order){.kind = kind, .attempt = s->z->attempt};
	return o;
}

void
zone_disk_lowered(struct zone *z, enum zone_pending to)
{
	if (to < z->disk)
		z->disk = (uint8_t)to;
	if (z->disk < ZONE_PENDING_FORCE)
		z->flags &= ~ZF_DISK_AUTH;
}

void
zone_disk_proved(struct zone *z, bool proved)
{
	if (!proved)
		z->flags &= ~ZF_DISK_AUTH;
}

/* ---- triggers ---- */

/*
 * A MARK only when the row will hold less than this, or does not know yet that the forced
 * one has been proved.
 */
static void
mark(struct step *s)
{
	struct zone *z = s->z;
	enum zone_pending level = pending_level(z->pending);
	bool force = level == ZONE_PENDING_FORCE;
	bool proved = force && zone_is(z, ZF_AUTH | ZF_COMMAND);

	if (level > z->disk || (proved && !zone_is(z, ZF_DISK_AUTH))) {
		struct zone_order *o = zone_order(s, ZONE_OR_MARK);
		o->mark.pending = level;
		o->mark.seq = ++z->mark_seq;
		o->mark.notifier = force ? z->force_by : ZONE_NO_INDEX;
		o->mark.authenticated = proved;
		z->disk = (uint8_t)level;
		if (proved)
			z->flags |= ZF_DISK_AUTH;
	}
	answer_as_marked(s);
}

static void
act(struct step *s)
{
	if (s->z->state == ZONE_IDLE)
		zone_settle(s);
	else if (s->z->state == ZONE_QUEUED)
		zone_requeue(s);
	/* Else the end of what runs leads to the next round; HELD waits for RESUME. */
}

/*
 * One hint stands for all as long as they are near each other: RFC 1982's order is not transitive
 * over longer distances, so "newest of all" would mean nothing.
 */
static void
raise_hint(struct zone *z, const struct zone_notify *n)
{
	bool first = !zone_is(z, ZF_HINT);
	uint32_t up = n->hint - z->hint, down = z->hint - n->hint;

	if (!n->hinted || (!first && up >= ZONE_HINT_NEAR && down >= ZONE_HINT_NEAR)) {
		z->flags |= ZF_BLIND;
		return;
	}
	if (first || up < ZONE_HINT_NEAR)
		z->hint = n->hint;
	z->flags |= ZF_HINT;
}

static void
raise_check(struct zone *z, const struct zone_notify *n)
{
	bool first = (z->pending & ZONE_BIT_CHECK) == 0;

	if (first) {
		z->flags &= ~ZF_PENDING;
		if (n->deferred)
			z->flags |= ZF_LOW;
	} else if (z->notifier != n->primary) {
		z->flags |= ZF_MANY;
	}
	if (!n->deferred)
		z->flags &= ~ZF_LOW;
	raise_hint(z, n);
	z->pending |= ZONE_BIT_CHECK;
	z->flags |= ZF_FRESH;
}

static void
pend_force(struct step *s)
{
	struct zone *z = s->z;

	if ((z->pending & ZONE_BIT_FORCE) == 0)
		z->force_s = (uint32_t)(s->now.mono.us / ZR_US_PER_S);
	z->pending |= ZONE_BIT_FORCE;
}

/*
 * A forced event that proved who it is from is not redirected by one that did not; none is by a
 * NOTIFY(SOA), which asks for something else.
 */
static void
raise_force(struct step *s, const struct zone_notify *n)
{
	struct zone *z = s->z;
	bool bound = (z->pending & ZONE_BIT_FORCE) != 0 && zone_is(z, ZF_AUTH);

	if (!bound || n->authenticated) {
		z->force_by = n->primary;
		z->force_by_address = n->address;
	}
	if (n->authenticated)
		z->flags |= ZF_AUTH;
	pend_force(s);
	z->forced_retry_us = 0;
}

static void
on_notify(struct step *s)
{
	struct zone *z = s->z;
	const struct zone_notify *n = &s->arg->notify;

	/* N-09; not while a force is owed, and not for AXFR, whose answer section is ignored
	 * (AN-21). */
	if (!n->forced && n->hinted && z->data == ZONE_LOADED &&
	    zone_owed(z) != ZONE_PENDING_FORCE && serial_ge(z->serial, n->hint)) {
		/* The version may be less durable than the mark that it came from. */
		s->out->notes |= ZONE_NOTE_HINT_OLD;
		answer_as_marked(s);
		return;
	}
	if (n->forced) {
		raise_force(s, n);
	} else {
		raise_check(z, n);
		z->notifier = n->primary;
		z->notifier_address = n->address;
	}
	mark(s);
	act(s);
}

static void
on_operator(struct step *s, uint8_t bit)
{
	struct zone *z = s->z;

	if (bit == ZONE_BIT_FORCE)
		pend_force(s);
	z->pending |= bit;
	z->flags |= ZF_OPERATOR | ZF_BLIND;
	if (bit == ZONE_BIT_FORCE) {
		z->flags |= ZF_COMMAND;
		z->forced_retry_us = 0;
	} else {
		z->flags |= ZF_FRESH;
	}
	mark(s);
	act(s);
}

static void
on_marked(struct step *s, bool ok)
{
	struct zone *z = s->z;
	uint16_t seq = s->arg->marked.seq;

	if ((int16_t)(seq - z->marked_seq) > 0)
		z->marked_seq = seq;
	if (!ok)
		zone_disk_lowered(
		    z, ZONE_PENDING_NONE); /* not known: the next trigger marks again */
}

/* ---- life ---- */

/* hold after a restart as before it. */
static void
start_force(struct step *s)
{
	struct zone *z = s->z;
	const struct zone_start *st = &s->arg->start;

	pend_force(s);
	if (st->notifier < z->policy->primary_count)
		z->force_by = st->notifier;
	if (st->authenticated)
		z->flags |= ZF_AUTH | ZF_DISK_AUTH;
}

static void
on_start(struct step *s)
{
	struct zone *z = s->z;
	const struct zone_start *st = &s->arg->start;

	if (zone_is(z, ZF_STARTED))
		return;
	z->flags |= ZF_STARTED | ZF_BOOT | (st->axfr_next ? ZF_AXFR_NEXT : 0);
	z->failures = st->failures;
	z->disk = (uint8_t)st->pending;
	if (st->pending != ZONE_PENDING_NONE) {
		/* The row holds only the highest; a check may be owed beside a force. */
		z->pending = ZONE_BIT_CHECK;
		z->flags |= ZF_BLIND | ZF_FRESH; /* not at the refresh time (AN-24) */
	}
	if (st->pending == ZONE_PENDING_FORCE)
		start_force(s);
	z->refresh_us = s->now.mono.us;
	if (st->has_data) {
		z->serial = st->serial;
		z->times = st->times;
	}
	zone_start_times(z, st, s->now);
	if (z->data == ZONE_EXPIRED) {
		zone_order(s, ZONE_OR_EXPIRED);
		z->flags |= ZF_FRESH;
	}
	zone_settle(s);
	z->flags &= ~ZF_BOOT;
}

/* The expiry runs whatever else goes on (27.1); an attempt follows when none is under way (T-08).
 */
static void
on_timer(struct step *s)
{
	struct zone *z = s->z;

	z->armed_us = 0;
	if (z->data == ZONE_LOADED && s->now.mono.us >= z->expire_us) {
		z->data = ZONE_EXPIRED;
		zone_order(s, ZONE_OR_EXPIRED);
	}
	if (z->state == ZONE_IDLE)
		zone_settle(s);
	else if (z->state == ZONE_QUEUED)
		zone_step_aside(s);
}

static void
on_hold(struct step *s)
{
	struct zone *z = s->z;

	z->flags |= ZF_HOLD;
	s->out->answer = ZONE_ANSWER_NOW;
	if (z->state == ZONE_STORING)
		return;
	zone_cancel(s);
	zone_settle(s);
}

static void
on_resume(struct step *s)
{
	struct zone *z = s->z;

	s->out->answer = ZONE_ANSWER_NOW;
	if (!zone_is(z, ZF_HOLD))
		return;
	z->flags &= ~ZF_HOLD;
	if ((z->pending & ZONE_BIT_CHECK) != 0)
		z->flags |= ZF_FRESH;
	if (z->state == ZONE_HELD)
		zone_settle(s);
}

/* A shorter interval counts from now on, a longer one from the next check.  True when one did. */
static bool
shorten(struct zone *z, int64_t now)
{
	if (z->data != ZONE_LOADED)
		return false;
	bool expire = z->expire_us > now + zone_expire_after(z, &z->times);
	if (expire)
		z->expire_us = now + zone_expire_after(z, &z->times);
	bool refresh =
	    z->refresh_us > now + zone_refresh_whole(z, &z->times) || z->refresh_us >= z->expire_us;
	if (refresh)
		z->refresh_us = now + zone_refresh_after(z, &z->times, z->expire_us - now);
	return expire || refresh;
}

/* The same primary at its place in another list. */
static uint16_t
moved(const struct zone_policy *from, const struct zone_policy *to, uint16_t i)
{
	if (i >= from->primary_count)
		return ZONE_NO_INDEX;
	for (uint16_t k = 0; k < to->primary_count; k++)
		if (to->primaries[k] == from->primaries[i])
			return k;
	return ZONE_NO_INDEX;
}

/* Who has called stays who is asked first; its addresses may be others. */
static void
move_callers(struct zone *z, const struct zone_policy *from)
{
	z->notifier = moved(from, z->policy, z->notifier);
	z->force_by = moved(from, z->policy, z->force_by);
	z->round_by = moved(from, z->policy, z->round_by);
	z->first = moved(from, z->policy, z->first);
	z->notifier_address = z->force_by_address = z->first_address = ZONE_NO_INDEX;
}

static void
on_policy(struct step *s)
{
	struct zone *z = s->z;
	const struct zone_policy *old = z->policy;

	z->policy = s->arg->policy.policy;
	s->save = shorten(z, s->now.mono.us);
	zone_forced_policy(z, s->now.mono.us);
	if (!s->arg->policy.primaries_changed)
		return;
	move_callers(z, old);
	z->flags |= ZF_FRESH;
	if (z->state == ZONE_STORING)
		return;
	zone_cancel(s);
	zone_settle(s);
}

static void
on_remove(struct step *s)
{
	s->z->flags |= ZF_REMOVE;
	if (s->z->state != ZONE_STORING)
		zone_cancel(s);
}

/* ---- the grid ---- */

enum does {
	NO, /* ignored on purpose: cannot concern this state */
	DO,
	LATE, /* result of an attempt that is over: what it staged is thrown away */
	BACK  /* a grant that nobody waits for: the slot is given back */
};

/* clang-format off */
static const uint8_t grid[ZONE_STATE_COUNT][ZONE_EVENT_COUNT] = {
/*                  start ntfy  mrkd  mfail timer grant deny  soaok soaf  ready curr  xfail comtd cfail refr  retr  hold  resu  pol   rem */
[ZONE_IDLE]     = { DO,   DO,   DO,   DO,   DO,   BACK, NO,   LATE, LATE, LATE, LATE, LATE, NO,   NO,   DO,   DO,   DO,   DO,   DO,   DO },
[ZONE_QUEUED]   = { NO,   DO,   DO,   DO,   DO,   DO,   DO,   LATE, LATE, LATE, LATE, LATE, NO,   NO,   DO,   DO,   DO,   DO,   DO,   DO },
[ZONE_PROBING]  = { NO,   DO,   DO,   DO,   DO,   NO,   NO,   DO,   DO,   LATE, LATE, LATE, NO,   NO,   DO,   DO,   DO,   DO,   DO,   DO },
[ZONE_FETCHING] = { NO,   DO,   DO,   DO,   DO,   NO,   NO,   LATE, LATE, DO,   DO,   DO,   NO,   NO,   DO,   DO,   DO,   DO,   DO,   DO },
[ZONE_STORING]  = { NO,   DO,   DO,   DO,   DO,   BACK, NO,   LATE, LATE, LATE, LATE, LATE, DO,   DO,   DO,   DO,   DO,   DO,   DO,   DO },
[ZONE_HELD]     = { NO,   DO,   DO,   DO,   DO,   BACK, NO,   LATE, LATE, LATE, LATE, LATE, NO,   NO,   DO,   DO,   DO,   DO,   DO,   DO },
[ZONE_GONE]     = { NO,   NO,   NO,   NO,   NO,   BACK, NO,   LATE, LATE, LATE, LATE, LATE, NO,   NO,   NO,   NO,   NO,   NO,   NO,   NO },
};
/* clang-format on */

static bool
is_result(enum zone_event ev)
{
	return ev >= ZONE_EV_SOA_OK && ev <= ZONE_EV_COMMIT_FAIL;
}

static enum does
look_up(const struct zone *z, enum zone_event ev, const struct zone_arg *arg)
{
	enum does d = grid[z->state][ev];

	return d == DO && is_result(ev) && arg->attempt != z->attempt ? LATE : d;
}

static void
dispatch(struct step *s, enum zone_event ev)
{
	switch (ev) {
	case ZONE_EV_START:
		on_start(s);
		break;
	case ZONE_EV_NOTIFY:
		on_notify(s);
		break;
	case ZONE_EV_MARKED:
	case ZONE_EV_MARK_FAIL:
		on_marked(s, ev == ZONE_EV_MARKED);
		break;
	case ZONE_EV_TIMER:
		on_timer(s);
		break;
	case ZONE_EV_GRANT:
		zone_on_grant(s);
		break;
	case ZONE_EV_DENIED:
		zone_on_denied(s);
		break;
	case ZONE_EV_SOA_OK:
		zone_on_soa_ok(s);
		break;
	case ZONE_EV_SOA_FAIL:
		zone_on_soa_fail(s);
		break;
	case ZONE_EV_XFER_READY:
		zone_on_xfer_ready(s);
		break;
	case ZONE_EV_XFER_CURRENT:
		zone_on_xfer_current(s);
		break;
	case ZONE_EV_XFER_FAIL:
		zone_on_xfer_fail(s);
		break;
	case ZONE_EV_COMMITTED:
		zone_on_committed(s);
		break;
	case ZONE_EV_COMMIT_FAIL:
		zone_on_commit_fail(s);
		break;
	case ZONE_EV_REFRESH:
		on_operator(s, ZONE_BIT_CHECK);
		break;
	case ZONE_EV_RETRANSFER:
		on_operator(s, ZONE_BIT_FORCE);
		break;
	case ZONE_EV_HOLD:
		on_hold(s);
		break;
	case ZONE_EV_RESUME:
		on_resume(s);
		break;
	case ZONE_EV_POLICY:
		on_policy(s);
		break;
	case ZONE_EV_REMOVE:
		on_remove(s);
		break;
	case ZONE_EVENT_COUNT:
		break;
	}
}

static void
late(struct step *s, enum zone_event ev)
{
	s->out->notes |= ZONE_NOTE_STALE;
	if (ev == ZONE_EV_XFER_READY)
		zone_order(s, ZONE_OR_ABORT)->attempt = s->arg->attempt;
}

/* One row per step, with what holds at its end. */
static void
save(struct step *s)
{
	struct zone *z = s->z;
	struct zone_save *v = &zone_order(s, ZONE_OR_SAVE)->save;

	v->pending = zone_owed(z);
	v->failures = z->failures;
	v->code = z->code;
	v->refresh_at = zone_wall(z->refresh_us, s->now);
	if (s->checked)
		v->checked_at = s->now.wall;
	if (z->data != ZONE_EMPTY)
		v->expire_at = zone_wall(z->expire_us, s->now);
	v->notifier = zone_caller(z, &v->authenticated);
	/* Never taken for more than a MARK has made of it. */
	zone_disk_lowered(z, v->pending);
	zone_disk_proved(z, v->authenticated);
}

static void
finish(struct step *s)
{
	struct zone *z = s->z;
	bool gone = zone_is(z, ZF_REMOVE) && z->state != ZONE_STORING && z->state != ZONE_GONE;

	if (gone)
		z->state = ZONE_GONE;
	else if (s->save)
		save(s);
	int64_t at = zone_deadline(z);
	if (at != z->armed_us) {
		zone_order(s, ZONE_OR_ARM)->arm.us = at;
		z->armed_us = at;
	}
	if (gone)
		zone_order(s, ZONE_OR_GONE);
}

void
zone_step(struct zone *z, enum zone_event ev, const struct zone_arg *arg, struct zr_now now,
    struct zone_orders *orders)
{
	struct step s = {.z = z, .now = now, .arg = arg, .out = orders};

	orders->n = 0;
	orders->answer = ZONE_ANSWER_NONE;
	orders->answer_seq = 0;
	orders->notes = 0;
	switch (look_up(z, ev, arg)) {
	case NO:
		break;
	case DO:
		dispatch(&s, ev);
		break;
	case LATE:
		late(&s, ev);
		break;
	case BACK:
		zone_order(&s, ZONE_OR_RELEASE);
		break;
	}
	finish(&s);
}

void
zone_init(struct zone *z, int64_t id, const uint8_t *name, const struct zone_policy *p)
{
	*z = (struct zone){.id = id, .name = name, .policy = p};
	z->notifier = z->notifier_address = z->first = z->first_address = ZONE_NO_INDEX;
	z->force_by = z->force_by_address = z->round_by = ZONE_NO_INDEX;
}

enum zone_pending
zone_owed(const struct zone *z)
{
	return pending_level(z->pending | z->serving);
}
