/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a transfer that is complete to the commit, and what follows from it,
 * A-28, E-07, I-25.
 */
#include "base/serial.h"
#include "core/zone_p.h"

enum verdict {
	INSTALL,
	NEXT,  /* not from this primary, now */
	SAME,  /* likewise: it may not have heard of it yet */
	STALE, /* not newer than what we have */
};

/* A serial that is not newer, in a forced round. */
static enum verdict
judge_lower(const struct zone *z)
{
	if (!zone_may_lower(z))
		return NEXT;
	bool notifier = z->first != ZONE_NO_INDEX && z->pos == 0;
	if (notifier || zone_is(z, ZF_LOWER_OK) || z->policy->primary_count == 1)
		return INSTALL;
	return NEXT;
}

/*
 * Somebody has news, but cannot be asked; and this other primary, which is fed by us as well, has
 * what we have.  In a mesh it may only not have fetched it yet, and to pass on the old content as
 * that of the event would roll back those who have the new one, as the serial does not tell them
 * apart.  When it has fetched it, it tells us, and is asked at once; else it is tried again
 * at RETRY, and believed then.
 */
static bool
proves_nothing(const struct zone *z, const struct zone_ready *r)
{
	bool notifier = z->round_by == z->primary || (z->first != ZONE_NO_INDEX && z->pos == 0);
	bool mutual = z->primary < 64 && (z->policy->mutual >> z->primary & 1) != 0;

	return r->identical && mutual && z->round_by != ZONE_NO_INDEX && !notifier &&
	       !zone_is(z, ZF_ROUND_COMMAND) && z->same_rounds < ZONE_SAME_ROUNDS;
}

static enum verdict
judge(const struct zone *z, const struct zone_ready *r)
{
	if (z->data != ZONE_LOADED || serial_gt(r->serial, z->serial))
		return INSTALL;
	if (!zone_is(z, ZF_ROUND_FORCE))
		return STALE;
	if (proves_nothing(z, r))
		return SAME;
	return r->serial == z->serial ? INSTALL : judge_lower(z);
}

static void
note_install(struct step *s, const struct zone_ready *r)
{
	const struct zone *z = s->z;

	if (z->data == ZONE_EMPTY || r->identical || serial_gt(r->serial, z->serial))
		return;
	s->out->notes |= r->serial == z->serial ? ZONE_NOTE_SAME_SERIAL : ZONE_NOTE_SERIAL_BACK;
}

/* The deadlines of the version to come. */
static void
next_times(struct zone *z, const struct zone_ready *r, int64_t now)
{
	int64_t left = zone_expire_after(z, &r->times);

	if (r->expire_valid && r->expire * ZR_US_PER_S < left)
		left = r->expire * ZR_US_PER_S; /* E-07, bounded by E-08 */
	z->next_expire_us = now + left;
	/* Nothing was changed, so this was a check like any other (E-05). */
	if (r->identical && z->data == ZONE_LOADED && z->expire_us > z->next_expire_us)
		z->next_expire_us = z->expire_us;
	z->next_times = r->times;
	z->next_serial = r->serial;
	z->next_refresh_us = now + zone_refresh_after(z, &r->times, z->next_expire_us - now);
}

static enum zone_announce
announce(const struct zone *z, const struct zone_ready *r)
{
	if (zone_is(z, ZF_ROUND_FORCE))
		return ZONE_ANNOUNCE_AXFR; /* AN-11, also when nothing changed */
	return r->identical && z->data == ZONE_LOADED ? ZONE_ANNOUNCE_NONE : ZONE_ANNOUNCE_SOA;
}

/* What hints have announced and this version brings is served by it. */
static void
serve_hinted(struct zone *z, uint32_t serial)
{
	uint8_t before = z->pending;

	zone_drop_satisfied(z, serial);
	z->serving |= before & (uint8_t)~z->pending;
}

static void
install(struct step *s, const struct zone_ready *r)
{
	struct zone *z = s->z;
	bool had = z->data != ZONE_EMPTY;
	/* Other content, and the serial has not risen. */
	bool anew = had && !r->identical && !serial_gt(r->serial, z->serial);
	bool breaks = anew && !r->diff;

	note_install(s, r);
	next_times(z, r, s->now.mono.us);
	serve_hinted(z, r->serial);
	if (breaks)
		z->flags |= ZF_AXFR_AFTER;

	struct zone_commit *c = &zone_order(s, ZONE_OR_COMMIT)->commit;
	c->content = !r->identical;
	c->had_data = had;
	c->drop_journal = breaks;
	c->ambiguous = breaks;
	c->forced = zone_is(z, ZF_ROUND_FORCE);
	c->operator= c->forced && zone_is(z, ZF_ROUND_COMMAND);
	c->notifier = c->forced ? z->round_by : ZONE_NO_INDEX;
	if (c->forced)
		c->asked = zone_wall(z->round_s * ZR_US_PER_S, s->now);
	c->durable = anew || (z->disk == ZONE_PENDING_NONE && z->refresh_us > s->now.mono.us);
	c->old_serial = z->serial;
	c->serial = r->serial;
	c->announce = announce(z, r);
	c->pending_after = pending_level(z->pending);
	c->notifier_after = z->force_by;
	c->authenticated_after =
	    c->pending_after == ZONE_PENDING_FORCE && zone_is(z, ZF_AUTH | ZF_COMMAND);
	c->checked_at = s->now.wall;
	c->refresh_at = zone_wall(z->next_refresh_us, s->now);
	c->expire_at = zone_wall(z->next_expire_us, s->now);
	zone_disk_lowered(z, c->pending_after);
	zone_disk_proved(z, c->authenticated_after);
	z->state = ZONE_STORING;
}

void
zone_on_xfer_ready(struct step *s)
{
	struct zone *z = s->z;
	const struct zone_ready *r = &s->arg->ready;

	zone_order(s, ZONE_OR_RELEASE);
	if (zone_is(z, ZF_ROUND_FORCE))
		zone_forced_took(z, r->duration_us);
	enum verdict v = judge(z, r);
	if (v == INSTALL) {
		install(s, r);
		return;
	}
	zone_order(s, ZONE_OR_ABORT);
	if (v == NEXT) {
		z->flags |= ZF_LOWER_SEEN;
	} else if (v == SAME) {
		s->out->notes |= ZONE_NOTE_SAME_ELSEWHERE;
		z->flags |= ZF_ANSWERED;
	} else {
		s->out->notes |= ZONE_NOTE_INCONSISTENT;
		z->flags |= r->serial == z->serial ? ZF_ANSWERED : ZF_BEHIND;
	}
	zone_advance(s, true);
}

/*
 * The new version is what readers see.  When less came than was announced, or than a hint
 * promised, one more round asks; it can repeat only as often as something newer really arrives.
 */
void
zone_on_committed(struct step *s)
{
	struct zone *z = s->z;
	bool short_of = zone_is(z, ZF_WANTED) && serial_gt(z->wanted, z->next_serial);

	if (z->data == ZONE_EXPIRED)
		zone_order(s, ZONE_OR_UNEXPIRED);
	z->data = ZONE_LOADED;
	z->serial = z->next_serial;
	z->times = z->next_times;
	z->refresh_us = z->next_refresh_us;
	z->expire_us = z->next_expire_us;
	z->failures = 0;
	z->code = ZR_OK;
	z->serving = 0;
	z->unseen = false;
	z->forced_retry_us = 0;
	if (zone_is(z, ZF_ROUND_FORCE))
		z->same_rounds = 0;
	z->flags &= ~(ZF_REJECTED | ZF_AXFR_NEXT);
	if (zone_is(z, ZF_AXFR_AFTER))
		z->flags |= ZF_AXFR_NEXT;
	zone_drop_satisfied(z, z->serial);
	if (short_of) {
		if (!zone_is(z, ZF_HINT) || serial_gt(z->wanted, z->hint))
			z->hint = z->wanted;
		z->flags |= ZF_HINT | ZF_FRESH;
		if ((z->pending & ZONE_BIT_CHECK) == 0)
			z->flags &= ~ZF_BLIND;
	}
	z->flags &= ~ZF_ROUND;
	if (pending_level(z->pending) < z->disk) {
		s->save = true; /* a mark made while storing is met by what was stored */
		s->checked = true;
	}
	zone_settle(s);
}

/* Our own fault, so no other primary is asked; what came meanwhile waits for RETRY as well. */
void
zone_on_commit_fail(struct step *s)
{
	struct zone *z = s->z;

	zone_order(s, ZONE_OR_ABORT);
	z->code = (uint8_t)s->arg->fail.code;
	z->flags &= ~ZF_FRESH;
	zone_fail(s, true);
}
