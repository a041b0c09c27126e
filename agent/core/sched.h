/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Admission: which zone may ask its primary next.  Three kinds of work with resources of
 * their own: SOA checks (token buckets, bounded number outstanding), transfers (slots) and
 * forced transfers (slots and a smaller bucket; R-01, AN-13).  Within a kind the lanes are served
 * in order; one grant of 16 goes to start-up and then to what is above it instead, so that a flood
 * in a high lane never starves refreshes until they expire, and one to rechecks.  Within a lane the
 * primaries take turns, so a primary with 100,000 zones waiting does not delay one with a single
 * zone.
 *
 * Every operation is O(1) but for a heap of primaries waiting for tokens, O(log primaries).
 * Nothing is allocated per zone: the links are in struct sched_node.  Pure; one owner thread.
 *
 * Use: enqueue; then sched_take() in a loop until it gives no node; each grant is ended by
 * sched_release(); call sched_take() again at the time it names and after every enqueue and
 * release.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/heap.h"
#include "core/bucket.h"

enum sched_lane {
	LANE_OPERATOR,
	LANE_FORCED,
	LANE_NOTIFY,
	LANE_REFRESH,
	LANE_START,   /* due when the program started */
	LANE_RECHECK, /* not due, but asked about at the start all the same (struct zone_start) */
	LANE_COUNT
};

enum sched_what { SCHED_SOA, SCHED_TRANSFER, SCHED_FORCED, SCHED_WHAT_COUNT };

extern const char *const sched_lane_names[LANE_COUNT];
extern const char *const sched_what_names[SCHED_WHAT_COUNT];

struct sched_peer;

/* In every zone; zero-initialised. */
struct sched_node {
	struct sched_node *next, *prev;
	struct sched_peer *peer; /* set while queued or granted */
	uint8_t lane, what;
	uint8_t state; /* SCHED_OUT, _QUEUED, _GRANTED */
};

enum { SCHED_OUT, SCHED_QUEUED, SCHED_GRANTED };

struct sched_limits {
	uint32_t slots;		 /* outstanding at once; 0 = unlimited */
	struct bucket_rate rate; /* starts; interval 0 = unlimited */
};

/* One kind of work of one primary; internal. */
struct sched_line {
	struct sched_node *head[LANE_COUNT], *tail[LANE_COUNT];
	struct sched_line *next[LANE_COUNT], *prev[LANE_COUNT]; /* ring of lines with work */
	struct heap_node wait;					/* until a token comes */
	struct sched_peer *peer;
	struct sched_limits limits;
	struct bucket bucket;
	uint32_t running, queued;
	uint8_t what;
	bool parked; /* not in the rings: no slot or no token */
};

/* One primary; inside struct primary. */
struct sched_peer {
	struct sched_line line[SCHED_WHAT_COUNT];
	int64_t hold_us; /* backed off until then; primary.c keeps it */
};

struct sched {
	struct sched_line *ring[SCHED_WHAT_COUNT][LANE_COUNT];
	struct heap wait[SCHED_WHAT_COUNT];
	struct sched_limits limits[SCHED_WHAT_COUNT];
	struct bucket bucket[SCHED_WHAT_COUNT];
	uint32_t running[SCHED_WHAT_COUNT];
	uint32_t queued[SCHED_WHAT_COUNT];
	uint64_t turn[SCHED_WHAT_COUNT]; /* grants so far; forced ones count as transfers */
};

/* Limits over all primaries.  Forced transfers also use a transfer slot, here and per primary. */
void sched_init(struct sched *s, const struct sched_limits limits[SCHED_WHAT_COUNT]);
void sched_clear(struct sched *s);
void sched_set_limits(struct sched *s, const struct sched_limits limits[SCHED_WHAT_COUNT]);

void sched_peer_init(struct sched_peer *p, const struct sched_limits limits[SCHED_WHAT_COUNT]);
/* New limits, or the same ones to make the scheduler look at the peer again. */
void sched_peer_set_limits(
    struct sched *s, struct sched_peer *p, const struct sched_limits limits[SCHED_WHAT_COUNT]);
/* True when no node is queued or granted for it: it may be freed after sched_peer_clear(). */
bool sched_peer_unused(const struct sched_peer *p);
void sched_peer_clear(struct sched *s, struct sched_peer *p);

/* The node must be SCHED_OUT. */
void sched_enqueue(struct sched *s, struct sched_node *n, struct sched_peer *p,
    enum sched_what what, enum sched_lane lane);
/* Likewise, at the front of its line: for one that had waited there and stepped aside. */
void sched_enqueue_first(struct sched *s, struct sched_node *n, struct sched_peer *p,
    enum sched_what what, enum sched_lane lane);
/* No-op unless queued. */
void sched_dequeue(struct sched *s, struct sched_node *n);
/* Ends a grant; no-op unless granted. */
void sched_release(struct sched *s, struct sched_node *n);
/* Likewise of a grant that was not used: its tokens are there again. */
void sched_return(struct sched *s, struct sched_node *n);

enum sched_verdict {
	SCHED_NOTHING, /* look again at the time given (unset: only after an enqueue or release) */
	SCHED_GRANT,   /* the node is granted: event GRANT */
	SCHED_DENY     /* its primary is backed off: the node is out, event DENIED */
};

enum sched_verdict sched_take(
    struct sched *s, struct zr_mono now, struct sched_node **node, struct zr_mono *again);
