/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a committed forced transfer leads to: is it news for the downstreams, or the echo of what
 * went round a ring of relays (AN-11, A-05, A-06, A-10)?  And what became of it at each of them
 * .  Pure; the main loop owns the state, the store keeps a copy of it.
 *
 * An event is a forced transfer that was passed on.  One that brought the same content as
 * the event before it, within the window, is a duplicate: it belongs to that event, and goes only
 * to those who have not fetched the zone since the event was committed.  So a ring comes to rest,
 * and a second NOTIFY(AXFR) sent on purpose still reaches whoever needs it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "wire/segment.h"

#define FORCED_WINDOW_MAX_US (24 * 3600 * ZR_US_PER_S) /* of A-06; also what forgets repeats */
#define FORCED_ALTERNATIONS_MAX 2 /* that are passed on: a late old content makes two of them */
#define FORCED_DUPLICATES_MAX 8	  /* of one event that are passed on to anybody */

enum forced_verdict {
	FORCED_NEW,	  /* other content, or the first ever: to all */
	FORCED_REPEAT,	  /* the same content, but outside the window: to all, the window doubles */
	FORCED_DUPLICATE, /* the same within it: to those who are not verified */
	FORCED_ALTERNATING, /* the primaries disagree: to nobody; pin to the first of them */
	FORCED_VERDICT_COUNT
};

extern const char *const forced_verdict_names[FORCED_VERDICT_COUNT]; /* "new", "repeat", ... */

/* The last event; all zero: there was none. */
struct forced {
	uint64_t event;	      /* number, from 1 */
	struct zr_wall at;    /* commit of the newest transfer, duplicates included */
	struct zr_wall since; /* commit of the one that made the event */
	uint32_t serial;
	int64_t version;
	uint8_t digest[SEGMENT_DIGEST];
	uint8_t before[SEGMENT_DIGEST]; /* content that the event replaced */
	uint32_t repeats, alternations;
	int64_t duration_us; /* of the newest transfer */
	enum forced_verdict verdict;
	/*
	 * A duplicate that goes to nobody: the echo from one of those we told, or one too many of
	 * this event (a ring whose members fetch where we cannot see it).  These two are not
	 * stored.
	 */
	bool quiet;
	uint32_t duplicates; /* of this event */
};

/* A forced transfer that is about to be committed. */
struct forced_result {
	struct zr_wall at;
	struct zr_wall
	    asked; /* first trigger that it answers; it counts for the window; unset: at */
	uint32_t serial;
	int64_t version; /* after the commit */
	uint8_t digest[SEGMENT_DIGEST];
	uint8_t old_digest[SEGMENT_DIGEST]; /* what was served until now */
	int64_t duration_us;
	int64_t window_us; /* W(0): configured */
	int64_t splay_us;  /* W(0) is at least 2 x this + 2 x duration */
	bool operator;	   /* by command: never a duplicate; repeats start again */
	bool echo;	   /* the notifier has heard of the event from us: forced_peer_echoes() */
};

/* ---- what became of it at one downstream address ---- */

enum forced_peer_state {
	FORCED_PEER_OWED,     /* not sent yet, or no answer so far: it goes on being sent */
	FORCED_PEER_SENT,     /* sent, the answer is awaited */
	FORCED_PEER_ACKED,    /* NOERROR, which proves nothing (I-SILENT) */
	FORCED_PEER_VERIFIED, /* it came for an AXFR since */
	FORCED_PEER_UNVERIFIED,	 /* acknowledged, but no AXFR within the verify window */
	FORCED_PEER_UNSUPPORTED, /* FORMERR, NOTIMP, zone data: has got NOTIFY(SOA) instead */
	FORCED_PEER_REFUSED,	 /* configuration fault there (or here) */
	FORCED_PEER_GIVEN_UP,	 /* never answered until EXPIRE */
	FORCED_PEER_STATE_COUNT
};

extern const char *const forced_peer_names[FORCED_PEER_STATE_COUNT];

/* ---- judging ---- */

/* Judges the result, and makes *f what it is after the commit. */
enum forced_verdict forced_judge(struct forced *f, const struct forced_result *r);
/* Who hears of the newest transfer; peer: what is known of this target since the event. */
bool forced_goes(const struct forced *f, enum forced_peer_state peer);
/* W(n) as it stands: until when after f->at the same content is a duplicate. */
int64_t forced_window(const struct forced *f, int64_t window_us, int64_t splay_us);
/*
 * The primaries have been found to disagree: only the first one is believed now.  It ends with
 * other content, after 24 hours, or by command.
 */
bool forced_pinned(const struct forced *f, struct zr_wall now);

/*
 * Spread of the first NOTIFYs of an event (A-09, AN-14): `least` (configured), or as long as
 * n downstreams need that come one after the other, each for `duration_us`; at most `most`
 * (configured) and REFRESH (0: not known).  0 for one downstream, unless `least` says more.
 */
int64_t forced_splay(
    unsigned n, int64_t duration_us, int64_t least_us, int64_t most_us, uint32_t refresh_s);

/* ---- the course at one address ---- */

enum forced_peer_event {
	FORCED_PEER_EV_EVENT, /* a new event, or a duplicate that goes to it */
	FORCED_PEER_EV_SENT,
	FORCED_PEER_EV_UNANSWERED, /* a burst of tries ended */
	FORCED_PEER_EV_ACKED,
	FORCED_PEER_EV_UNSUPPORTED,
	FORCED_PEER_EV_REFUSED,
	FORCED_PEER_EV_GIVEN_UP,
	FORCED_PEER_EV_FETCHED, /* an AXFR begun after the commit of the event has ended */
	FORCED_PEER_EV_WINDOW,	/* the verify window is over */
	FORCED_PEER_EVENT_COUNT
};

/* The next state; the same: nothing to store. */
enum forced_peer_state forced_peer_step(enum forced_peer_state s, enum forced_peer_event ev);
/* Whether a duplicate goes to it. */
bool forced_peer_needs(enum forced_peer_state s);
/* Whether it may have heard of the event from us, so that its NOTIFY(AXFR) may be the echo. */
bool forced_peer_echoes(enum forced_peer_state s);
