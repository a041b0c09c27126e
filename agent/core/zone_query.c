/* SPDX-License-Identifier: BSD-2-Clause */
/* Queries to the primaries and what their answers mean for the round. */
#include "base/serial.h"
#include "core/zone_p.h"

static void
write_probe(struct step *s)
{
	struct zone *z = s->z;

	zone_cover(z);
	z->attempt++;
	struct zone_order *o = zone_order(s, ZONE_OR_PROBE);
	o->probe.primary = z->primary;
	o->probe.address = z->address;
	z->state = ZONE_PROBING;
}

/* I-13: no IXFR without a valid copy, none for a force, none when the serial is ambiguous. */
static bool
use_ixfr(const struct zone *z, struct zr_mono now)
{
	return z->data == ZONE_LOADED && z->policy->ixfr &&
	       !zone_is(z, ZF_ROUND_FORCE | ZF_AXFR_NEXT | ZF_NO_IXFR) &&
	       primary_use_ixfr(z->policy->primaries[z->primary], now);
}

static void
write_fetch(struct step *s)
{
	struct zone *z = s->z;
	bool force = zone_is(z, ZF_ROUND_FORCE);
	bool direct = !force && !zone_is(z, ZF_COVERED);

	/* One token a round, however many primaries it takes. */
	if (force && !zone_is(z, ZF_COVERED))
		zone_forced_begins(z, s->now.mono.us);
	zone_cover(z);
	if (direct) /* any serial is good; hints have nothing to be compared with */
		z->flags &= ~ZF_WANTED;
	z->attempt++;
	z->flags &= ~ZF_IXFR;
	if (use_ixfr(z, s->now.mono))
		z->flags |= ZF_IXFR;
	struct zone_order *o = zone_order(s, ZONE_OR_FETCH);
	o->fetch.primary = z->primary;
	o->fetch.address = z->address;
	o->fetch.ixfr = zone_is(z, ZF_IXFR);
	o->fetch.forced = force;
	o->fetch.have_serial = z->data == ZONE_LOADED;
	o->fetch.serial = z->serial;
	z->state = ZONE_FETCHING;
}

void
zone_on_grant(struct step *s)
{
	struct zone *z = s->z;
	const struct primary *p = z->policy->primaries[z->primary];

	if (p->address[z->address].hold_us > s->now.mono.us) {
		zone_order(s, ZONE_OR_RELEASE);
		zone_advance(s, false);
	} else if (zone_is(z, ZF_ROUND_FORCE | ZF_TRANSFER)) {
		write_fetch(s);
	} else if (zone_is_direct(z)) { /* it has answered since this one came into its line */
		zone_order(s, ZONE_OR_RELEASE)->release.unused = true;
		zone_enqueue(s);
	} else {
		write_probe(s);
	}
}

void
zone_on_denied(struct step *s)
{
	zone_advance(s, false);
}

static void
note_order(struct step *s, uint32_t serial)
{
	if (serial_incomparable(serial, s->z->serial))
		s->out->notes |= ZONE_NOTE_INCOMPARABLE;
	else
		s->out->notes |= ZONE_NOTE_BEHIND;
}

/* A primary has our serial, or less: is that the end of the round? */
static void
not_newer(struct step *s, const struct zone_soa *soa, bool disagree)
{
	struct zone *z = s->z;

	if (soa->serial == z->serial) {
		zone_extend(z, soa, s->now.mono);
		z->flags |= ZF_ANSWERED;
	} else {
		note_order(s, soa->serial);
		z->flags |= ZF_BEHIND;
	}
	bool unmet = zone_is(z, ZF_WANTED) && serial_gt(z->wanted, z->serial);
	if (soa->serial == z->serial && !unmet && !disagree && !zone_is(z, ZF_ROUND_MANY))
		zone_finish_current(s);
	else
		zone_advance(s, true);
}

static bool
was_rejected(const struct zone *z, uint32_t serial, int64_t now)
{
	return zone_is(z, ZF_REJECTED) && !zone_is(z, ZF_REJECT_NEW | ZF_ROUND_OPERATOR) &&
	       z->rejected == serial && now < z->reject_us;
}

void
zone_on_soa_ok(struct step *s)
{
	struct zone *z = s->z;
	const struct zone_soa *soa = &s->arg->soa;

	zone_order(s, ZONE_OR_RELEASE);
	z->state = ZONE_IDLE;
	if (z->data == ZONE_LOADED && !serial_gt(soa->serial, z->serial)) {
		not_newer(s, soa, false);
		return;
	}
	if (z->data != ZONE_LOADED)
		z->flags &=
		    ~ZF_WANTED; /* any serial is good; hints have nothing to be compared with */
	zone_want(z, soa->serial);
	if (was_rejected(z, soa->serial, s->now.mono.us)) {
		s->out->notes |= ZONE_NOTE_REJECTED;
		z->code = z->reject_code;
		zone_advance(s, true);
		return;
	}
	if (zone_force_due(z, s->now.mono.us) && (z->aside & ZONE_ASIDE_ROUND) == 0) {
		/* Its transfer brings this one's content as well. */
		zone_cancel(s);
		zone_settle(s);
		return;
	}
	z->flags |= ZF_TRANSFER;
	zone_enqueue(s);
}

void
zone_on_soa_fail(struct step *s)
{
	struct zone *z = s->z;

	zone_order(s, ZONE_OR_RELEASE);
	z->code = (uint8_t)s->arg->fail.code;
	zone_advance(s, s->arg->fail.whole);
}

/* the SOA answer said newer, the transfer says not.  Not an error; others, then RETRY. */
void
zone_on_xfer_current(struct step *s)
{
	struct zone *z = s->z;

	zone_order(s, ZONE_OR_RELEASE);
	s->out->notes |= ZONE_NOTE_INCONSISTENT;
	if (z->data == ZONE_LOADED && !zone_is(z, ZF_ROUND_FORCE) &&
	    !serial_gt(s->arg->soa.serial, z->serial)) {
		not_newer(s, &s->arg->soa, true);
		return;
	}
	zone_note_first(z);
	z->code = ZR_FORMERR; /* "nothing newer" for somebody who has nothing */
	zone_advance(s, true);
}

/*
 * What was fetched in vain is not fetched again at every NOTIFY: rejected content for long,
 * a transfer that the primary refused or broke off for a moment that doubles.  What failed
 * on our side says nothing about the serial.
 */
static bool
in_vain(const struct zone *z, enum zr_code code)
{
	if (code == ZR_BADZONE || code == ZR_LIMIT)
		return true;
	/* A forced AXFR has a rate of its own, and the check behind it may do without one. */
	return !zone_is(z, ZF_ROUND_FORCE) && code >= ZR_TIMEOUT && code <= ZR_SERVFAIL;
}

void
zone_on_xfer_fail(struct step *s)
{
	struct zone *z = s->z;
	const struct zone_fail *f = &s->arg->fail;

	zone_order(s, ZONE_OR_ABORT);
	z->code = (uint8_t)f->code;
	if (zone_is(z, ZF_IXFR) && (f->code == ZR_DIFF || f->code == ZR_NOTIMP)) {
		/* I-05, I-08: the same primary, the same slot, the whole zone. */
		z->flags |= ZF_NO_IXFR;
		write_fetch(s);
		return;
	}
	if (in_vain(z, f->code) && (f->serial_valid || zone_is(z, ZF_WANTED))) {
		z->rejected = f->serial_valid ? f->serial : z->wanted;
		z->reject_code = (uint8_t)f->code;
		z->flags |= ZF_REJECTED | ZF_REJECT_NEW;
	}
	zone_order(s, ZONE_OR_RELEASE);
	if (f->whole)
		zone_note_first(z);
	zone_advance(s, f->whole);
}
