/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One owed NOTIFY: when it is sent, repeated, answered, given up (N-11..N-15, N-20, N-24, A-12,
 * The app has one struct notifyout per outbox row and target, and one per (zone, target):
 * newer absorbs older.  Pure; owned by the main loop.
 *
 *     WAITING --TIMER: SEND--> SENT --answer--> DONE
 *        ^                      | ^  |  no answer: SEND again after 3 s, x2, at most 60 s,
 *        |                      | +--+  5 times (N-15)
 *        +--- a pause: SAVE ----+        in the end: DONE, given up
 *
 * After a SEND with burst 1 the app draws a fresh ID into `id` and a fresh port; the further ones
 * of the burst repeat the same message from the same port, so that an answer to any of them counts.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "core/bucket.h"
#include "wire/msg.h"

enum notifyout_kind { NOTIFYOUT_SOA, NOTIFYOUT_AXFR };

enum notifyout_state {
	NOTIFYOUT_WAITING, /* for its time, for a token, or between bursts of tries */
	NOTIFYOUT_SENT,	   /* query out, answer awaited */
	NOTIFYOUT_DONE,	   /* over; result says how */
	NOTIFYOUT_STATE_COUNT
};

enum notifyout_result {
	NOTIFYOUT_OPEN,	       /* not over */
	NOTIFYOUT_ACKED,       /* NOERROR */
	NOTIFYOUT_UNSUPPORTED, /* NOTIMP or FORMERR: complete (N-20); after NOTIFY(AXFR) it went on
				  as SOA */
	NOTIFYOUT_REFUSED,     /* REFUSED, NOTAUTH, NXDOMAIN, BADVERS: configuration fault, no more
				  tries */
	NOTIFYOUT_GIVEN_UP,    /* no answer for too long */
	NOTIFYOUT_FETCHED,     /* the target came for this version before it was told (SOA only), or
				  instead of an answer */
	NOTIFYOUT_RESULT_COUNT
};

enum notifyout_event {
	NOTIFYOUT_EV_TIMER,	  /* the armed time is due */
	NOTIFYOUT_EV_ANSWER,	  /* arg.rcode; matched by notifyout_match() */
	NOTIFYOUT_EV_UNREACHABLE, /* ICMP, connection refused or lost: ends this burst (N-13) */
	NOTIFYOUT_EV_ZONE_DATA,	  /* over TCP: it answered with the zone (NT-06): not supported */
	NOTIFYOUT_EV_FETCHED,	  /* arg.kind: AXFR when it transferred the whole zone, and began
				     after the commit of the event that is owed, else SOA;
				     arg.serial.  An AXFR that began earlier may have brought the
				     old content under the same serial */
	NOTIFYOUT_EV_NEWER,	  /* arg.kind, serial, not_before: another event of the zone; SOA
				     for a target that is known not to understand AXFR */
	NOTIFYOUT_EVENT_COUNT
};

extern const char *const notifyout_state_names[NOTIFYOUT_STATE_COUNT];
extern const char *const notifyout_result_names[NOTIFYOUT_RESULT_COUNT];
extern const char *const notifyout_event_names[NOTIFYOUT_EVENT_COUNT];

/* Times in microseconds.  notifyout_default gives those of N-15 and A-36. */
struct notifyout_policy {
	bool tcp;		/* one try per burst with tcp_timeout (N-12) */
	int64_t first_us;	/* 3 s */
	int64_t cap_us;		/* 60 s */
	unsigned repeats;	/* 5 after the first */
	int64_t tcp_timeout_us; /* 60 s */
	int64_t owed_us;	/* between bursts: 60 s, x2, at most this: RETRY, at most 1 h */
	int64_t gap_us;		/* between the sends of two events of a zone to one target */
	int64_t give_up_us;	/* since created: the zone's EXPIRE */
};

extern const struct notifyout_policy notifyout_default;

/* The rate of NOTIFYs out, shared by all; a separate one serves those owed from before a start. */
struct notifyout_rate {
	struct bucket_rate rate;
	struct bucket bucket;
};

struct notifyout {
	int64_t at_us;	    /* armed for; 0 = none: the app's timer follows it after every step */
	int64_t created_us; /* of this event */
	int64_t sent_us;    /* last SEND; 0 = none */
	uint32_t serial;
	uint32_t tries; /* sent, in all */
	uint16_t burst; /* sent, in this burst */
	uint16_t id;	/* of the query out */
	uint8_t kind, state, result;
	uint8_t bursts; /* ended without an answer */
	/*
	 * The target does not know NOTIFY(AXFR): set in the very step that learns it, whatever that
	 * returns.  It is then that the caller remembers it, for what follows is NOTIFY(SOA).
	 */
	bool no_axfr;
	bool fetched;  /* it came for this version while its answer was awaited */
	bool silent;   /* and has let that burst end without an answer */
	bool reserved; /* at_us is when the token taken is there */
};

struct notifyout_arg {
	bool has; /* FETCHED: it has the version, for it asked with this serial */
	uint16_t rcode;
	enum notifyout_kind kind;
	uint32_t serial;
	struct zr_mono not_before;
};

enum notifyout_do {
	NOTIFYOUT_NOTHING, /* wait for at_us */
	NOTIFYOUT_SEND,	   /* send now with a fresh ID put into id, wait for at_us */
	NOTIFYOUT_SAVE,	   /* the burst ended unanswered: store tries and at_us, wait for at_us */
	NOTIFYOUT_END	   /* over: store the result, remove the row */
};

/* created: when the event was committed; not_before: with its splay, or when it was due before a
 * restart. */
void notifyout_init(struct notifyout *o, enum notifyout_kind kind, uint32_t serial,
    struct zr_mono created, struct zr_mono not_before, uint32_t tries);
enum notifyout_do notifyout_step(struct notifyout *o, enum notifyout_event ev,
    const struct notifyout_arg *arg, const struct notifyout_policy *p, struct notifyout_rate *rate,
    struct zr_mono now);
/*
 * Does this message answer our query (N-14)?  The socket is the caller's business: source address
 * and port.
 */
bool notifyout_match(const struct notifyout *o, const struct msg *m, const uint8_t *zone);
