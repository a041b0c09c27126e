/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One round: the primaries in order, the notifier first (N-19, A-03), until one is found that has
 * our serial or a newer one, or none is left.  A check round asks for the SOA, then transfers from
 * the same address; a forced round transfers at once (AN-05).
 */
#include "core/zone_p.h"

#include "base/serial.h"

/* ---- what is covered (A-11, N-26) ---- */

void
zone_want(struct zone *z, uint32_t serial)
{
	if (!zone_is(z, ZF_WANTED) || serial_gt(serial, z->wanted))
		z->wanted = serial;
	z->flags |= ZF_WANTED;
}

static void
cover_force(struct zone *z)
{
	bool bound = zone_is(z, ZF_ROUND_AUTH) && !zone_is(z, ZF_AUTH);

	if ((z->pending & ZONE_BIT_FORCE) == 0)
		return;
	if (zone_is(z, ZF_AUTH))
		z->flags |= ZF_ROUND_AUTH;
	if (zone_is(z, ZF_COMMAND))
		z->flags |= ZF_ROUND_COMMAND;
	if (z->force_by != ZONE_NO_INDEX && !bound)
		z->round_by = z->force_by;
	z->force_by = ZONE_NO_INDEX;
	if ((z->serving & ZONE_BIT_FORCE) == 0)
		z->round_s = z->force_s;
	z->flags &= ~(ZF_AUTH | ZF_COMMAND);
	z->aside &= (uint8_t)~ZONE_ASIDE_FIRST;
	z->serving |= ZONE_BIT_FORCE;
	z->pending &= (uint8_t)~ZONE_BIT_FORCE;
}

/*
 * A query is about to be written: which triggers does it answer?  The first query of a round
 * answers all that came before it.  A later one of a check round answers a NOTIFY only when it goes
 * to its sender; an AXFR on behalf of a force answers everything.
 */
void
zone_cover(struct zone *z)
{
	bool force = zone_is(z, ZF_ROUND_FORCE);
	bool all = force || !zone_is(z, ZF_COVERED) || z->notifier == ZONE_NO_INDEX ||
		   z->notifier == z->primary;

	z->flags |= ZF_COVERED;
	if (!all)
		return;
	if (zone_is(z, ZF_HINT))
		zone_want(z, z->hint);
	if (zone_is(z, ZF_MANY))
		z->flags |= ZF_ROUND_MANY;
	if (zone_is(z, ZF_OPERATOR))
		z->flags |= ZF_ROUND_OPERATOR;
	z->flags &= ~(ZF_PENDING | ZF_FRESH);
	z->serving |= z->pending & ZONE_BIT_CHECK;
	z->pending &= (uint8_t)~ZONE_BIT_CHECK;
	z->notifier = ZONE_NO_INDEX;
	if (force)
		cover_force(z);
	if (!zone_is(z, ZF_COMMAND))
		z->flags &= ~ZF_OPERATOR;
}

/* Who proved it stays who is asked first. */
static bool
round_caller_first(const struct zone *z)
{
	bool better = zone_is(z, ZF_ROUND_AUTH) && !zone_is(z, ZF_AUTH);

	return z->round_by != ZONE_NO_INDEX && (better || z->force_by == ZONE_NO_INDEX);
}

uint16_t
zone_caller(const struct zone *z, bool *proved)
{
	bool pending = (z->pending & ZONE_BIT_FORCE) != 0;
	bool serving = (z->serving & ZONE_BIT_FORCE) != 0;

	*proved = (pending && zone_is(z, ZF_AUTH | ZF_COMMAND)) ||
		  (serving && zone_is(z, ZF_ROUND_AUTH | ZF_ROUND_COMMAND));
	if (serving && round_caller_first(z))
		return z->round_by;
	return pending ? z->force_by : ZONE_NO_INDEX;
}

static void
uncover_force(struct zone *z)
{
	if (round_caller_first(z)) {
		z->force_by = z->round_by;
		z->force_by_address = ZONE_NO_INDEX;
	}
	if (zone_is(z, ZF_ROUND_AUTH))
		z->flags |= ZF_AUTH;
	if (zone_is(z, ZF_ROUND_COMMAND))
		z->flags |= ZF_COMMAND;
	z->force_s = z->round_s;
}

/* The round did not bring what it served: it is owed again, and its hints are no longer trusted. */
static void
uncover(struct zone *z)
{
	if ((z->serving & ZONE_BIT_CHECK) != 0)
		z->flags |= ZF_BLIND;
	if ((z->serving & ZONE_BIT_FORCE) != 0)
		uncover_force(z);
	if (zone_is(z, ZF_ROUND_OPERATOR) && z->serving != 0)
		z->flags |= ZF_OPERATOR;
	z->pending |= z->serving;
	z->serving = 0;
}

void
zone_drop_satisfied(struct zone *z, uint32_t serial)
{
	if ((z->pending & ZONE_BIT_CHECK) == 0 || !zone_is(z, ZF_HINT) || zone_is(z, ZF_BLIND) ||
	    serial - z->hint >= ZONE_HINT_FAR)
		return;
	z->pending &= (uint8_t)~ZONE_BIT_CHECK;
	z->flags &= ~(ZF_PENDING | ZF_FRESH);
	z->notifier = ZONE_NO_INDEX;
}

/* ---- whom to ask ---- */

static uint16_t
rotated(uint16_t pos, uint16_t first)
{
	if (first == ZONE_NO_INDEX)
		return pos;
	if (pos == 0)
		return first;
	return pos <= first ? (uint16_t)(pos - 1) : pos;
}

/* Moves to the first place at or behind this one where the address is not backed off. */
static bool
find_candidate(struct step *s)
{
	struct zone *z = s->z;

	for (; z->pos < z->policy->primary_count; z->pos++, z->address_pos = 0) {
		z->primary = rotated(z->pos, z->first);
		const struct primary *p = z->policy->primaries[z->primary];
		uint16_t first = z->pos == 0 && z->first_address < p->address_count
				     ? z->first_address
				     : ZONE_NO_INDEX;
		for (; z->address_pos < p->address_count; z->address_pos++) {
			z->address = rotated(z->address_pos, first);
			if (p->address[z->address].hold_us <= s->now.mono.us)
				return true;
		}
		if (z->pos == 0 && z->first != ZONE_NO_INDEX)
			z->flags |= ZF_FIRST_FAILED;
	}
	return false;
}

/*
 * The line of the forced transfers may be hours long, and it says nothing about ordinary ones: a
 * check that is wanted waits for it only so long that a NOTIFY(SOA) and a NOTIFY(AXFR) of one event
 * may come together.  A round that has asked somebody already makes way only for what is due by
 * itself: it would begin anew, and whoever sends NOTIFYs could keep it from its end.
 */
static int64_t
check_at(const struct zone *z, int64_t now)
{
	int64_t at = now + ZONE_GRACE_US;
	bool fresh = zone_is(z, ZF_FRESH) && !zone_is(z, ZF_COVERED);

	return fresh || z->refresh_us < at ? at : z->refresh_us;
}

/*
 * Where there is nothing to compare a serial with, the transfer itself says it: no SOA query for a
 * zone that was never loaded, unless it has failed before.  Only from a primary that answers: a
 * query over UDP that is not answered costs nobody else anything, a connection that does not come
 * about one of few slots.
 */
bool
zone_is_direct(const struct zone *z)
{
	const struct primary *p = z->policy->primaries[z->primary];

	return z->data == ZONE_EMPTY && z->failures == 0 && !zone_is(z, ZF_ROUND_FORCE) &&
	       p->address[z->address].alive;
}

void
zone_enqueue(struct step *s)
{
	struct zone *z = s->z;
	struct zone_order *o = zone_order(s, ZONE_OR_ENQUEUE);

	if (zone_is_direct(z))
		z->flags |= ZF_TRANSFER;

	z->check_us = check_at(z, s->now.mono.us);
	o->enqueue.first = zone_is(z, ZF_ROUND_FORCE) && (z->aside & ZONE_ASIDE_FIRST) != 0;
	o->enqueue.lane = z->lane;
	o->enqueue.primary = z->primary;
	o->enqueue.what = zone_is(z, ZF_ROUND_FORCE) ? SCHED_FORCED
			  : zone_is(z, ZF_TRANSFER)  ? SCHED_TRANSFER
						     : SCHED_SOA;
	z->state = ZONE_QUEUED;
}

/* ---- ends of a round ---- */

static void
end_round(struct step *s, bool save, bool checked)
{
	s->save |= save;
	s->checked |= checked;
	if (zone_is(s->z, ZF_COVERED))
		s->z->unseen = false; /* what came of it stands in the row */
	s->z->flags &= ~ZF_ROUND;
	s->z->state = ZONE_IDLE;
}

/* The primaries were asked and have nothing newer (T-02). */
void
zone_finish_current(struct step *s)
{
	struct zone *z = s->z;
	int64_t now = s->now.mono.us;
	bool unmet = zone_is(z, ZF_WANTED) && serial_gt(z->wanted, z->serial);

	s->out->notes |= unmet ? ZONE_NOTE_CURRENT | ZONE_NOTE_HINT_UNMET : ZONE_NOTE_CURRENT;
	z->refresh_us = unmet || zone_is(z, ZF_FIRST_FAILED)
			    ? now + zone_retry_after(z)
			    : now + zone_refresh_after(z, &z->times, z->expire_us - now);
	z->serving = 0;
	z->failures = 0;
	z->code = ZR_OK;
	zone_drop_satisfied(z, z->serial);
	end_round(s, true, true);
	zone_settle(s);
}

/*
 * They answered, all with a serial lower than ours (O-02), or one that an earlier forced transfer
 * brought and policy refused.  The trigger is dealt with, but this is no successful check:
 * expiry goes on.
 */
static void
finish_behind(struct step *s)
{
	struct zone *z = s->z;

	if (zone_is(z, ZF_ROUND_FORCE)) {
		s->out->notes |= ZONE_NOTE_FORCE_KEPT;
		z->forced_retry_us = 0;
	} else {
		z->refresh_us = s->now.mono.us + zone_retry_after(z);
	}
	s->out->notes |= ZONE_NOTE_ALL_BEHIND;
	z->serving = 0;
	z->failures++;
	end_round(s, true, false);
	zone_settle(s);
}

static int64_t
first_ready(const struct zone *z)
{
	int64_t first = INT64_MAX;

	for (unsigned i = 0; i < z->policy->primary_count; i++) {
		int64_t at = primary_ready_at(z->policy->primaries[i]).us;
		if (at < first)
			first = at;
	}
	return first;
}

/*
 * not fetched again for RETRY, doubled with every failure, up to REFRESH.  X-16: for 1 s,
 * doubled, up to RETRY, when it was not the content that was wrong.
 */
static void
hold_rejected(struct zone *z, int64_t now)
{
	bool content = z->reject_code == ZR_BADZONE || z->reject_code == ZR_LIMIT;
	unsigned times = z->failures < 6 ? z->failures : 6;
	int64_t us =
	    (content ? zone_retry_after(z) << times : ZR_US_PER_S << (times > 0 ? times - 1 : 0));
	int64_t most =
	    content ? zone_refresh_after(z, &z->times, INT64_MAX / 2) : zone_retry_after(z);

	if (most < us)
		us = most;
	z->reject_us = now + us;
}

/*
 * N-35, T-03: again after RETRY.  What is owed to a NOTIFY, a zone that was never loaded, and one
 * whose row is not trusted, need not wait longer than until a primary is off its back-off.  When
 * all are backed off, nothing was asked, so nothing has failed either.
 */
void
zone_fail(struct step *s, bool ours)
{
	struct zone *z = s->z;
	int64_t now = s->now.mono.us;
	bool force = zone_is(z, ZF_ROUND_FORCE), asked = zone_is(z, ZF_COVERED);
	bool reject = zone_is(z, ZF_REJECT_NEW);

	uncover(z);
	if (asked)
		z->failures++;
	if (z->code == ZR_OK)
		z->code = ZR_TIMEOUT;
	if (reject)
		hold_rejected(z, now);
	int64_t again = now + zone_retry_after(z), ready = first_ready(z);
	bool eager = z->pending != 0 || z->data == ZONE_EMPTY || z->unseen;
	if (eager && ready > now && ready != INT64_MAX && (ready < again || !asked))
		again = ready;
	/* It was only held: what a NOTIFY is owed need not wait for longer than that. */
	if (!reject && z->pending != 0 && zone_is(z, ZF_REJECTED) && z->reject_us > now &&
	    z->reject_us < again)
		again = z->reject_us;
	if (force) {
		z->forced_retry_us = again;
		/* The ordinary check need not fail because the forced transfer does. */
		if (!ours && (z->pending & ZONE_BIT_CHECK) != 0)
			z->flags |= ZF_FRESH;
	} else {
		z->refresh_us = again;
	}
	s->out->notes |= ZONE_NOTE_ROUND_FAILED;
	end_round(s, asked, false);
	zone_settle(s);
}

bool
zone_may_lower(const struct zone *z)
{
	return zone_is(z, ZF_ROUND_COMMAND) || z->policy->forced_lower == ZONE_LOWER_ALWAYS ||
	       (z->policy->forced_lower == ZONE_LOWER_AUTHENTICATED && zone_is(z, ZF_ROUND_AUTH));
}

void
zone_note_first(struct zone *z)
{
	if (zone_is(z, ZF_ROUND_FORCE) && z->pos == 0 && z->first != ZONE_NO_INDEX)
		z->flags |= ZF_FIRST_FAILED;
}

/* Where the notifier is not known, it may be any that could not be asked. */
static bool
notifier_unheard(const struct zone *z)
{
	return zone_is(z, ZF_FIRST_FAILED) || (z->first == ZONE_NO_INDEX && z->code != ZR_OK);
}

static void
out_of_primaries(struct step *s)
{
	struct zone *z = s->z;

	if (zone_is(z, ZF_ROUND_FORCE) && zone_is(z, ZF_ANSWERED)) {
		z->same_rounds++;
		zone_fail(s, false);
		return;
	}
	if (zone_is(z, ZF_LOWER_SEEN) && !zone_is(z, ZF_LOWER_OK) && zone_may_lower(z)) {
		/* every one that could be reached is lower. */
		z->flags |= ZF_LOWER_OK;
		z->pos = z->address_pos = 0;
		if (find_candidate(s)) {
			zone_enqueue(s);
			return;
		}
	}
	if (zone_is(z, ZF_LOWER_SEEN) && !zone_is(z, ZF_LOWER_OK) && notifier_unheard(z))
		zone_fail(s, false); /* that the others lag says nothing about its news */
	else if (zone_is(z, ZF_LOWER_SEEN) && !zone_is(z, ZF_LOWER_OK))
		finish_behind(s);
	else if (z->data != ZONE_LOADED)
		zone_fail(
		    s, false); /* it expired meanwhile: to have the same as we had is of no use */
	else if (zone_is(z, ZF_ANSWERED))
		zone_finish_current(s);
	else if (zone_is(z, ZF_BEHIND))
		finish_behind(s);
	else
		zone_fail(s, false);
}

void
zone_advance(struct step *s, bool whole)
{
	struct zone *z = s->z;

	z->flags &= ~(ZF_TRANSFER | ZF_IXFR | ZF_NO_IXFR);
	if (whole) {
		z->pos++;
		z->address_pos = 0;
	} else {
		z->address_pos++;
	}
	if (find_candidate(s))
		zone_enqueue(s);
	else
		out_of_primaries(s);
}

/* ---- beginning ---- */

static enum sched_lane
lane_for(const struct zone *z, bool force, int64_t now)
{
	if (zone_is(z, ZF_OPERATOR))
		return LANE_OPERATOR;
	if (force)
		return LANE_FORCED;
	if ((z->pending & ZONE_BIT_CHECK) != 0 && !zone_is(z, ZF_LOW))
		return LANE_NOTIFY;
	if (z->unseen && z->data == ZONE_LOADED && z->refresh_us > now)
		return LANE_RECHECK;
	return zone_is(z, ZF_BOOT) ? LANE_START : LANE_REFRESH;
}

static void
begin(struct step *s, bool force)
{
	struct zone *z = s->z;

	z->lane = (uint8_t)lane_for(z, force, s->now.mono.us);
	z->flags &= ~(ZF_ROUND | ZF_BOOT);
	if (force)
		z->flags |= ZF_ROUND_FORCE; /* what is FRESH stays so until it asks */
	else
		z->flags &= ~ZF_FRESH;
	z->round_by = ZONE_NO_INDEX;
	bool by = force && z->force_by != ZONE_NO_INDEX;
	z->first = by ? z->force_by : z->notifier;
	z->first_address = by ? z->force_by_address : z->notifier_address;
	if (z->first >= z->policy->primary_count)
		z->first = z->first_address = ZONE_NO_INDEX;
	z->pos = z->address_pos = 0;
	z->code = ZR_OK;
	if (find_candidate(s))
		zone_enqueue(s);
	else
		zone_fail(s, false);
}

bool
zone_force_due(const struct zone *z, int64_t now)
{
	return (z->pending & ZONE_BIT_FORCE) != 0 && now >= z->forced_retry_us &&
	       (now >= z->forced_limit_us || zone_is(z, ZF_COMMAND));
}

void
zone_settle(struct step *s)
{
	struct zone *z = s->z;
	int64_t now = s->now.mono.us;

	z->state = zone_is(z, ZF_HOLD) ? ZONE_HELD : ZONE_IDLE;
	z->aside &= (uint8_t)~ZONE_ASIDE_ROUND;
	if (zone_is(z, ZF_HOLD | ZF_REMOVE))
		return;
	if (zone_force_due(z, now))
		begin(s, true);
	else if (zone_is(z, ZF_FRESH) || z->refresh_us <= now)
		begin(s, false);
	else if ((z->pending & ZONE_BIT_FORCE) != 0 && now < z->forced_limit_us)
		s->out->notes |= ZONE_NOTE_FORCE_WAITS;
}

void
zone_cancel(struct step *s)
{
	struct zone *z = s->z;

	if (z->state == ZONE_QUEUED) {
		zone_order(s, ZONE_OR_DEQUEUE);
	} else if (z->state == ZONE_PROBING || z->state == ZONE_FETCHING) {
		zone_order(s, ZONE_OR_CANCEL);
		zone_order(s, ZONE_OR_RELEASE);
		z->attempt++;
	}
	uncover(z);
	if ((z->pending & ZONE_BIT_CHECK) != 0 || z->unseen)
		z->flags |= ZF_FRESH;
	z->flags &= ~ZF_ROUND;
	z->state = ZONE_IDLE;
}

void
zone_step_aside(struct step *s)
{
	struct zone *z = s->z;

	if (!zone_is(z, ZF_ROUND_FORCE) || s->now.mono.us < z->check_us)
		return;
	zone_cancel(s);
	z->aside = ZONE_ASIDE_ROUND | ZONE_ASIDE_FIRST;
	begin(s, false);
}

/*
 * Only the first NOTIFY chooses the primary: peers that notify by turns would otherwise
 * send the zone to the end of the queue again and again.
 */
void
zone_requeue(struct step *s)
{
	struct zone *z = s->z;
	bool force = zone_is(z, ZF_ROUND_FORCE);

	if (!force && zone_force_due(z, s->now.mono.us) && (z->aside & ZONE_ASIDE_ROUND) == 0) {
		zone_cancel(s);
		zone_settle(s);
		return;
	}
	enum sched_lane lane = lane_for(z, force, s->now.mono.us);
	uint16_t by = force ? z->force_by : z->notifier;
	bool better = lane < z->lane;
	if (!zone_is(z, ZF_COVERED) &&
	    (better || (z->first == ZONE_NO_INDEX && by != ZONE_NO_INDEX))) {
		zone_cancel(s);
		zone_settle(s);
	} else if (better) {
		zone_order(s, ZONE_OR_DEQUEUE);
		z->lane = (uint8_t)lane;
		zone_enqueue(s);
	} else if (force && !zone_is(z, ZF_COVERED) && zone_is(z, ZF_FRESH)) {
		int64_t at = check_at(z, s->now.mono.us);
		if (at < z->check_us)
			z->check_us = at;
	}
}
