/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside of the zone machine: zone.c has the events, zone_round.c the course of one round
 * through the primaries, zone_query.c the queries and answers, zone_store.c the commit, zone_time.c
 * the timers.
 */
#pragma once

#include "core/zone.h"

/* struct zone.flags.  "Pending": of what no query covers yet; "round": of the work under way. */
#define ZF_STARTED 0x1u
#define ZF_HOLD 0x2u
#define ZF_REMOVE 0x4u
#define ZF_BOOT 0x8u	      /* nothing was done since START: low lane */
#define ZF_FRESH 0x10u	      /* a check is wanted now, not at the refresh time */
#define ZF_HINT 0x20u	      /* pending: hint is valid */
#define ZF_BLIND 0x40u	      /* pending: not every trigger had a hint */
#define ZF_LOW 0x80u	      /* pending: only from sources above their rate */
#define ZF_MANY 0x100u	      /* pending: from several primaries */
#define ZF_OPERATOR 0x200u    /* pending: the operator asked */
#define ZF_AUTH 0x400u	      /* pending: the forced one is authenticated */
#define ZF_ROUND_FORCE 0x800u /* round: forced transfer */
#define ZF_ROUND_MANY 0x1000u /* round: ask every primary */
#define ZF_ROUND_OPERATOR 0x2000u
#define ZF_ROUND_AUTH 0x4000u
#define ZF_COVERED 0x8000u	  /* round: a query was written */
#define ZF_WANTED 0x10000u	  /* round: wanted is valid */
#define ZF_TRANSFER 0x20000u	  /* round: queued for the transfer, no SOA query (any more) */
#define ZF_IXFR 0x40000u	  /* round: the transfer under way is incremental */
#define ZF_NO_IXFR 0x80000u	  /* round: it failed, AXFR from now on */
#define ZF_ANSWERED 0x100000u	  /* round: a primary has our serial */
#define ZF_BEHIND 0x200000u	  /* round: a primary is behind us */
#define ZF_FIRST_FAILED 0x400000u /* round: the notifier could not be asked */
#define ZF_LOWER_SEEN 0x800000u	  /* round: forced result with a lower serial passed over */
#define ZF_LOWER_OK 0x1000000u	  /* round: take it now, all are lower */
#define ZF_REJECTED 0x2000000u	  /* rejected is valid */
#define ZF_REJECT_NEW 0x4000000u  /* round: it was rejected in this round */
#define ZF_AXFR_NEXT 0x8000000u	  /* the next refresh is by AXFR (A-10 (4)) */
#define ZF_AXFR_AFTER 0x10000000u /* storing: set ZF_AXFR_NEXT with it */
#define ZF_COMMAND 0x20000000u	  /* pending: the forced one is the operator's */
#define ZF_ROUND_COMMAND 0x40000000u
#define ZF_DISK_AUTH 0x80000000u /* the row has FORCE, and that it is authenticated */

#define ZF_PENDING (ZF_HINT | ZF_BLIND | ZF_LOW | ZF_MANY)
#define ZF_ROUND                                                                                   \
	(ZF_ROUND_FORCE | ZF_ROUND_MANY | ZF_ROUND_OPERATOR | ZF_ROUND_AUTH | ZF_COVERED |         \
	    ZF_WANTED | ZF_TRANSFER | ZF_IXFR | ZF_NO_IXFR | ZF_ANSWERED | ZF_BEHIND |             \
	    ZF_FIRST_FAILED | ZF_LOWER_SEEN | ZF_LOWER_OK | ZF_REJECT_NEW | ZF_AXFR_AFTER |        \
	    ZF_ROUND_COMMAND)

/* Hints further apart than this are not merged, and a serial further ahead does not satisfy one. */
#define ZONE_HINT_NEAR (UINT32_C(1) << 20)
#define ZONE_HINT_FAR (UINT32_C(1) << 30)

/* One step under way. */
struct step {
	struct zone *z;
	struct zr_now now;
	const struct zone_arg *arg;
	struct zone_orders *out;
	bool save;    /* a SAVE is due at the end of the step */
	bool checked; /* with a successful check */
};

static inline bool
zone_is(const struct zone *z, uint32_t flag)
{
	return (z->flags & flag) != 0;
}

static inline enum zone_pending
pending_level(unsigned bits)
{
	return (bits & ZONE_BIT_FORCE) != 0   ? ZONE_PENDING_FORCE
	       : (bits & ZONE_BIT_CHECK) != 0 ? ZONE_PENDING_CHECK
					      : ZONE_PENDING_NONE;
}

/* ---- zone.c ---- */

struct zone_order *zone_order(struct step *s, enum zone_order_kind kind);
/* The row will not hold more than this: less was owed when it was written. */
void zone_disk_lowered(struct zone *z, enum zone_pending to);
/* Likewise: on whose word the force is that the row will hold. */
void zone_disk_proved(struct zone *z, bool proved);

/* ---- zone_round.c ---- */

/* Nothing runs: begins what is due, or goes to rest. */
void zone_settle(struct step *s);
/* In the queue, and something was raised: a better place, another primary, a forced round. */
void zone_requeue(struct step *s);
/* Queued for a forced transfer: makes way for the check that has waited for ZONE_GRACE_US. */
void zone_step_aside(struct step *s);
/* Ends what runs or waits; what it served is pending again. */
void zone_cancel(struct step *s);

/* A query is about to be written: what came before is answered by it. */
void zone_cover(struct zone *z);
/* Of the force that is owed: who called, and whether that was proved, as if it were put back. */
uint16_t zone_caller(const struct zone *z, bool *proved);
/* Somebody said that there is such a serial. */
void zone_want(struct zone *z, uint32_t serial);
bool zone_is_direct(const struct zone *z); /* no SOA query before the transfer */
void zone_enqueue(struct step *s);
/* The round ends: our serial is the newest there is. */
void zone_finish_current(struct step *s);
bool zone_force_due(const struct zone *z, int64_t now_us);

/* ---- zone_query.c ---- */

void zone_on_grant(struct step *s);
void zone_on_denied(struct step *s);
void zone_on_soa_ok(struct step *s);
void zone_on_soa_fail(struct step *s);
void zone_on_xfer_current(struct step *s);
void zone_on_xfer_fail(struct step *s);

/* ---- zone_store.c ---- */

void zone_on_xfer_ready(struct step *s);
void zone_on_committed(struct step *s);
void zone_on_commit_fail(struct step *s);

/* Forced: this primary is of no use to it; was it the notifier, the event stays open. */
void zone_note_first(struct zone *z);
/* The primary being asked is of no use: the next address, or (whole) the next primary. */
void zone_advance(struct step *s, bool whole);
/* The round has failed as such: retry later.  ours: not for want of a primary. */
void zone_fail(struct step *s, bool ours);
/* May this forced round install a lower serial? */
bool zone_may_lower(const struct zone *z);
/* Drops the pending check when `serial` is as new as every hint. */
void zone_drop_satisfied(struct zone *z, uint32_t serial);

/* ---- zone_time.c ---- */

int64_t zone_refresh_after(
    const struct zone *z, const struct zone_soa_times *t, int64_t expire_left);
int64_t zone_refresh_whole(const struct zone *z, const struct zone_soa_times *t); /* no jitter */
int64_t zone_retry_after(const struct zone *z);
int64_t zone_expire_after(const struct zone *z, const struct zone_soa_times *t);
/* The rate of forced transfers: a query is about to be written; it took so long. */
void zone_forced_begins(struct zone *z, int64_t now_us);
void zone_forced_took(struct zone *z, int64_t duration_us);
void zone_forced_policy(struct zone *z, int64_t now_us); /* it has changed */
/* E-05, E-06, E-09: a primary has our serial. */
void zone_extend(struct zone *z, const struct zone_soa *soa, struct zr_mono now);
/* The deadlines of a row from the store (T-12). */
void zone_start_times(struct zone *z, const struct zone_start *st, struct zr_now now);
int64_t zone_deadline(const struct zone *z);

/* When a MARK is on its way still, the answer waits for it. */
static inline void
answer_as_marked(struct step *s)
{
	const struct zone *z = s->z;

	s->out->answer_seq = z->mark_seq;
	s->out->answer = z->mark_seq == z->marked_seq ? ZONE_ANSWER_NOW : ZONE_ANSWER_MARKED;
}
