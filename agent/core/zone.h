/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The zone machine: everything that decides when a zone is checked, transferred, committed,
 * expired. One struct zone per zone, owned by the main loop.  zone_step() takes an event, changes
 * the zone, and writes what must be done into `orders`; it does nothing else: no I/O, no clock, no
 * allocation.  The drawn diagram is at the top of zone.c.
 *
 * Orders are to be carried out in their order, at once, before the next step of any zone.  Each
 * PROBE, FETCH and COMMIT is followed by exactly one result event carrying its `attempt`, unless a
 * CANCEL with this attempt came first; results of an attempt that is over are ignored.
 *
 * Promises (T-*, N-*, E-*, A-* of the requirements are cited in zone.c):
 * - A trigger that was answered NOERROR leads to a query written after it arrived, or is
 *   known from its hint to be satisfied by what is committed.
 * - At most one of probe, fetch, commit is outstanding; a slot is held exactly in PROBING and
 * FETCHING.
 * - What the store holds as pending is never less than what is owed, once MARKED came.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/heap.h"
#include "core/primary.h"
#include "core/sched.h"

enum zone_state {
	ZONE_IDLE,     /* waits for its timer */
	ZONE_QUEUED,   /* in the scheduler */
	ZONE_PROBING,  /* SOA query out */
	ZONE_FETCHING, /* a worker transfers */
	ZONE_STORING,  /* commit posted */
	ZONE_HELD,     /* frozen by the operator */
	ZONE_GONE,     /* removed; may be freed */
	ZONE_STATE_COUNT
};

enum zone_data {
	ZONE_EMPTY,   /* never loaded: answers SERVFAIL + EDE 14 */
	ZONE_LOADED,  /* served */
	ZONE_EXPIRED, /* answers SERVFAIL + EDE 24 */
	ZONE_DATA_COUNT
};

/* Same values as enum store_pending. */
enum zone_pending { ZONE_PENDING_NONE, ZONE_PENDING_CHECK, ZONE_PENDING_FORCE };

enum zone_event {
	ZONE_EV_START,	      /* arg.start; first event of every zone */
	ZONE_EV_NOTIFY,	      /* arg.notify; source and policy were judged already */
	ZONE_EV_MARKED,	      /* arg.marked: a MARK is on disk */
	ZONE_EV_MARK_FAIL,    /* arg.marked: the store could not */
	ZONE_EV_TIMER,	      /* the armed deadline is due */
	ZONE_EV_GRANT,	      /* the scheduler lets it go */
	ZONE_EV_DENIED,	      /* the scheduler took it out: its primary is backed off */
	ZONE_EV_SOA_OK,	      /* arg.soa */
	ZONE_EV_SOA_FAIL,     /* arg.fail */
	ZONE_EV_XFER_READY,   /* arg.ready: transfer complete and checked, staged */
	ZONE_EV_XFER_CURRENT, /* arg.soa: the primary says we have the newest (I-03) */
	ZONE_EV_XFER_FAIL,    /* arg.fail */
	ZONE_EV_COMMITTED,
	ZONE_EV_COMMIT_FAIL, /* arg.fail */
	ZONE_EV_REFRESH,     /* operator: check now */
	ZONE_EV_RETRANSFER,  /* operator: forced transfer */
	ZONE_EV_HOLD,	     /* operator: freeze; what runs is cancelled, a commit ends first */
	ZONE_EV_RESUME,
	ZONE_EV_POLICY, /* arg.policy: the configuration changed */
	ZONE_EV_REMOVE, /* ends in ZONE_GONE, after a running commit */
	ZONE_EVENT_COUNT
};

enum zone_order_kind {
	ZONE_OR_MARK, /* durable: pending := max(pending, mark.pending); answer with MARKED, seq */
	ZONE_OR_ENQUEUE,   /* sched_enqueue(&zone->sched, ...), or sched_enqueue_first() */
	ZONE_OR_DEQUEUE,   /* sched_dequeue(&zone->sched) */
	ZONE_OR_RELEASE,   /* sched_release(&zone->sched), or sched_return() */
	ZONE_OR_PROBE,	   /* send an SOA query */
	ZONE_OR_FETCH,	   /* start a transfer (with CANCEL still in the worker: after it let go) */
	ZONE_OR_CANCEL,	   /* stop the running probe or transfer; what it staged is thrown away */
	ZONE_OR_ABORT,	   /* throw away what this attempt staged; it has ended */
	ZONE_OR_COMMIT,	   /* the flip */
	ZONE_OR_SAVE,	   /* timers row */
	ZONE_OR_ARM,	   /* timer: heap_set(&zone->timer, arm.us), 0 = none */
	ZONE_OR_EXPIRED,   /* stop serving */
	ZONE_OR_UNEXPIRED, /* serve again (comes with COMMITTED) */
	ZONE_OR_GONE,	   /* nothing is outstanding any more: free the zone */
	ZONE_ORDER_COUNT
};

extern const char *const zone_state_names[ZONE_STATE_COUNT];
extern const char *const zone_data_names[ZONE_DATA_COUNT];
extern const char *const zone_pending_names[3];
extern const char *const zone_event_names[ZONE_EVENT_COUNT];
extern const char *const zone_order_names[ZONE_ORDER_COUNT];

/* When a forced transfer may install a serial lower than ours, or incomparable. */
enum zone_lower { ZONE_LOWER_AUTHENTICATED, ZONE_LOWER_ALWAYS, ZONE_LOWER_NEVER };

/* Shared by the zones of a template; all times in microseconds.  Borrowed by every zone. */
struct zone_policy {
	struct primary **primaries; /* order of the configuration */
	uint16_t primary_count;
	int64_t refresh_min_us, refresh_max_us;
	int64_t retry_min_us, retry_max_us;
	int64_t expire_min_us, expire_max_us; /* 0 = no bound (E-08: a minimum exceeds the SOA's) */
	int64_t forced_every_us; /* one forced transfer of a zone in so long; 0 = any number */
	uint32_t forced_burst;	 /* so many at once before that; 0 counts as 1 */
	enum zone_lower forced_lower;
	uint64_t mutual; /* bit i: primaries[i] is fed by us as well (ring of two, mesh) */
	bool ixfr;
	bool notify_enclosing; /* A-01; used by notifyin */
	uint64_t seed;	       /* of the jitter; tests repeat a run with it */
	void *app;	       /* the app's: its configuration */
};

#define ZONE_NO_INDEX UINT16_MAX
#define ZONE_BOOT_UNIT_US (5 * ZR_US_PER_S) /* never loaded: 5 s x failures squared */
#define ZONE_BOOT_MAX_US (2 * 3600 * ZR_US_PER_S)
#define ZONE_SAME_ROUNDS 1		/* so many fail for SAME_ELSEWHERE; then it is taken */
#define ZONE_GRACE_US (2 * ZR_US_PER_S) /* a check waits so long behind a force in its line */
#define ZONE_FORCED_TIMES 3 /* forced transfers at least 3 x the last one's duration apart */

struct zone_soa_times {
	uint32_t refresh, retry, expire; /* seconds, from the SOA */
};

/* ---- events ---- */

struct zone_start {
	bool has_data;
	uint32_t serial; /* this and times: valid with has_data */
	struct zone_soa_times times;
	struct zr_wall checked_at, refresh_at, expire_at; /* 0 = not known */
	enum zone_pending pending;
	uint32_t failures;
	bool axfr_next; /* the serial is ambiguous: next refresh by AXFR (A-10 (4)) */
	/* The row may be older than what was served: check it now, whatever its deadlines say. */
	bool recheck;
	/* Of a pending force, as MARK had it. */
	uint16_t notifier; /* index in the policy, or ZONE_NO_INDEX */
	bool authenticated;
	struct zr_wall forced_at; /* commit of the last forced transfer; 0 = none */
	int64_t forced_duration_us;
};

struct zone_notify {
	bool forced; /* QTYPE AXFR */
	bool hinted; /* NOTIFY(SOA) that carried our apex SOA */
	bool authenticated;
	bool deferred; /* the source is above its rate: recorded, but served in a low lane */
	uint32_t hint;
	uint16_t primary; /* who sent it: index in the policy */
	uint16_t address; /* of this primary, or ZONE_NO_INDEX */
};

struct zone_marked {
	uint16_t seq;
};

struct zone_soa {
	uint32_t serial;
	bool expire_valid; /* EDNS EXPIRE */
	uint32_t expire;   /* seconds */
};

struct zone_ready {
	uint32_t serial;
	bool diff;	/* incremental */
	bool identical; /* content, SOA included, is what we have; nothing is staged */
	bool expire_valid;
	uint32_t expire;
	struct zone_soa_times times;
	int64_t duration_us;
};

struct zone_fail {
	enum zr_code code;
	bool whole;	   /* other addresses of this primary need not be tried */
	bool serial_valid; /* XFER_FAIL: the SOA at the head of the stream was seen */
	uint32_t serial;
};

struct zone_new_policy {
	const struct zone_policy *policy;
	/* Running work is cancelled, the zone is checked again.  False: the same primaries at the
	 * same places of the list. */
	bool primaries_changed;
};

struct zone_arg {
	uint32_t attempt; /* of SOA_*, XFER_*, COMMIT*: copied from the order */
	union {
		struct zone_start start;
		struct zone_notify notify;
		struct zone_marked marked;
		struct zone_soa soa;
		struct zone_ready ready;
		struct zone_fail fail;
		struct zone_new_policy policy;
	};
};

/* ---- orders ---- */

/* What goes to the downstreams with a commit. */
enum zone_announce { ZONE_ANNOUNCE_NONE, ZONE_ANNOUNCE_SOA, ZONE_ANNOUNCE_AXFR };

struct zone_commit {
	bool content;	   /* false: identical, only the rows move */
	bool drop_journal; /* no step leads from the old content to this one (A-10, I-25) */
	bool ambiguous;	   /* the old serial may now name two contents */
	bool had_data;	   /* old_serial is valid */
	bool forced;
	bool operator;	   /* forced by command, maybe beside a NOTIFY; false after a restart */
	uint16_t notifier; /* forced by the NOTIFY of this primary; or ZONE_NO_INDEX */
	/* Forced: when the first trigger that it answers came, or this process started. */
	struct zr_wall asked;
	/* fsync it: nothing in the row would bring it back after a power cut, neither a pending
	 * mark nor an overdue refresh, and NOTIFYs are answered for its serial from now on (N-09).
	 * And when the serial has not risen: who fetched it before the power went would have other
	 * content than ours under that serial, and take a difference that is not for it.
	 */
	bool durable;
	uint32_t old_serial, serial;
	enum zone_announce announce;
	enum zone_pending pending_after; /* what is still owed then */
	/* With FORCE, as in MARK: of that one, not of the one that is served now. */
	uint16_t notifier_after;
	bool authenticated_after;
	struct zr_wall checked_at, refresh_at, expire_at;
};

struct zone_save {
	struct zr_wall checked_at;	      /* unset: no successful check */
	struct zr_wall refresh_at, expire_at; /* unset: leave */
	enum zone_pending pending;	      /* always set the row to this */
	uint16_t notifier;		      /* with FORCE: as in MARK */
	bool authenticated;
	uint32_t failures;
	enum zr_code code; /* ZR_OK, or of the last failure of the round */
};

struct zone_fetch {
	uint16_t primary, address;
	bool ixfr;   /* the worker may go over to AXFR by itself */
	bool forced; /* take any serial (AN-05) */
	bool have_serial;
	uint32_t serial; /* ours */
};

struct zone_order {
	enum zone_order_kind kind;
	uint32_t attempt;
	union {
		struct {
			enum zone_pending pending;
			uint16_t seq;
			/*
			 * Of a force: who is to be asked first, ZONE_NO_INDEX by command or
			 * for a check; whether it may install a lower serial under that policy
			 * a command may.  A MARK with `authenticated` also comes on top of
			 * a row that has FORCE without it.
			 */
			uint16_t notifier;
			bool authenticated;
		} mark;
		struct {
			enum sched_lane lane;
			enum sched_what what;
			uint16_t primary;
			bool first;
		} enqueue;
		struct {
			bool unused; /* nothing was asked on this grant */
		} release;
		struct {
			uint16_t primary, address;
		} probe;
		struct zone_fetch fetch;
		struct zone_commit commit;
		struct zone_save save;
		struct zr_mono arm;
	};
};

#define ZONE_ORDER_MAX 8

/* The answer to a NOTIFY or an operator's command. */
enum zone_answer {
	ZONE_ANSWER_NONE,  /* the event was of another kind */
	ZONE_ANSWER_NOW,   /* NOERROR at once: nothing more to record */
	ZONE_ANSWER_MARKED /* NOERROR when MARKED with answer_seq comes; SERVFAIL on MARK_FAIL */
};

/* Remarks for the log; the machine does not depend on them. */
#define ZONE_NOTE_BEHIND 0x01u	     /* the primary's serial is lower than ours (O-02) */
#define ZONE_NOTE_INCOMPARABLE 0x02u /* distance 2^31 (S-03) */
#define ZONE_NOTE_INCONSISTENT 0x04u /* SOA answer and transfer disagree */
#define ZONE_NOTE_REJECTED 0x08u     /* this serial was rejected lately: not fetched again */
#define ZONE_NOTE_ROUND_FAILED 0x10u /* no primary was of use; retry later */
#define ZONE_NOTE_SAME_SERIAL 0x20u  /* content changed under the same serial (O-01) */
#define ZONE_NOTE_SERIAL_BACK 0x40u  /* a lower or incomparable serial is installed */
#define ZONE_NOTE_FORCE_KEPT 0x80u   /* forced result not installed: lower serial, policy */
#define ZONE_NOTE_FORCE_WAITS 0x100u /* forced transfer deferred by its rate */
#define ZONE_NOTE_HINT_UNMET                                                                       \
	0x200u			     /* nobody had the serial a NOTIFY announced; checked at RETRY \
				      */
#define ZONE_NOTE_STALE 0x400u	     /* result of an attempt that is over */
#define ZONE_NOTE_HINT_OLD 0x800u    /* the NOTIFY announced nothing new (N-09) */
#define ZONE_NOTE_CURRENT 0x1000u    /* the round ended: our serial is the newest there is */
#define ZONE_NOTE_ALL_BEHIND 0x2000u /* the round ended: nobody has our serial or a newer one */
/* Forced: the notifier cannot be asked, and a mutual one has what we have: not yet the end. */
#define ZONE_NOTE_SAME_ELSEWHERE 0x4000u

struct zone_orders {
	unsigned n;
	enum zone_answer answer;
	uint16_t answer_seq;
	uint32_t notes;
	struct zone_order v[ZONE_ORDER_MAX];
};

/* ---- the zone ---- */

struct zone {
	/* The app's; the machine does not touch them. */
	struct heap_node timer; /* in the app's heap, set on ARM */
	struct sched_node sched;
	int64_t id;
	const uint8_t *name; /* lower-case wire */
	void *app;

	/* For reading (status); written by the machine alone. */
	const struct zone_policy *policy;
	int64_t refresh_us; /* deadlines, monotonic; 0 = none */
	int64_t expire_us;
	int64_t forced_limit_us;    /* no forced transfer before, except by command (rate) */
	int64_t forced_full_us;	    /* when all the burst is there again */
	int64_t forced_duration_us; /* of the last one */
	int64_t forced_retry_us;    /* no forced transfer before (failed) */
	int64_t check_us;	    /* the force in its line makes way for a check (T-08) */
	int64_t reject_us;	    /* until when `rejected` is not fetched again */
	int64_t armed_us;
	int64_t next_refresh_us, next_expire_us; /* of the version being stored */
	struct zone_soa_times times;
	struct zone_soa_times next_times;
	uint32_t serial;      /* committed; valid unless ZONE_EMPTY */
	uint32_t next_serial; /* being stored */
	uint32_t hint;	      /* highest one of the pending NOTIFYs */
	uint32_t wanted;      /* highest one this round heard of: hints, SOA answers */
	uint32_t rejected;
	uint32_t attempt;
	uint32_t failures; /* rounds failed in a row */
	uint32_t force_s,
	    round_s; /* oldest trigger of the pending force, of the round's: seconds */
	uint16_t primary, address;	     /* being asked */
	uint16_t notifier, notifier_address; /* of the pending check; ZONE_NO_INDEX = none */
	uint16_t force_by, force_by_address; /* of the pending force; likewise */
	uint16_t round_by;		     /* of the force that the round serves */
	uint16_t first, first_address;	     /* of this round: whom to ask first */
	uint16_t pos, address_pos;	     /* places in the order of this round */
	uint16_t mark_seq, marked_seq;	     /* last MARK ordered; last one on disk */
	uint8_t state, data;
	uint8_t pending; /* ZONE_BIT_*: not yet covered by a query */
	uint8_t serving; /* ZONE_BIT_*: covered by this round */
	uint8_t disk;	 /* enum zone_pending: the row, when all posted orders are carried out */
	uint8_t lane;
	uint8_t code;	     /* enum zr_code of the round's last failure */
	uint8_t reject_code; /* enum zr_code: why `rejected` was */
	uint8_t aside;	     /* ZONE_ASIDE_* */
	uint8_t same_rounds; /* forced ones that ended with ZONE_NOTE_SAME_ELSEWHERE, in a row */
	bool unseen;	     /* the recheck of its start is still owed */
	uint32_t flags;
};

#define ZONE_BIT_CHECK 1
#define ZONE_BIT_FORCE 2

#define ZONE_ASIDE_ROUND 1 /* this check goes before the force that is due */
#define ZONE_ASIDE_FIRST 2 /* the pending force was in its line, and goes back to the front */

/* 40 octets of them are the rate of forced transfers, and who asked for one when. */
_Static_assert(sizeof(struct zone) <= 272, "a million zones");

void zone_init(struct zone *z, int64_t id, const uint8_t *name, const struct zone_policy *p);
/* *orders is overwritten.  arg may be NULL for events without one. */
void zone_step(struct zone *z, enum zone_event ev, const struct zone_arg *arg, struct zr_now now,
    struct zone_orders *orders);

/* What is owed, whether or not somebody works on it. */
enum zone_pending zone_owed(const struct zone *z);
/* Seconds left before the data expires (E-03); 0 when not served. */
uint32_t zone_expire_left(const struct zone *z, struct zr_mono now);
/* A monotonic deadline as wall time; unset stays unset. */
struct zr_wall zone_wall(int64_t mono_us, struct zr_now now);
