/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signed requests that were seen before (RFC 8945 section 5.2.3, TS-09): nobody who has overheard
 * a NOTIFY makes us work by sending it again.  Pure; one owner thread.
 *
 * The same request is known by its MAC, among the last REPLAY_PLACES: a sender that got no answer
 * repeats it, so it is answered again, and nothing else.  One that is not known must not have been
 * signed more than REPLAY_LATE_S before the newest of its key; that much, since datagrams overtake
 * each other and the senders that share a key may differ in their clocks.
 *
 * A process that has just begun has seen nothing.  What the one before it acted upon is known by
 * the floor of each key, the newest time of such a request: what was signed before it is refused,
 * and a NOTIFY(AXFR) of the same second, too, for it would cost a transfer, and a NOTIFY(SOA) only
 * a query.
 *
 * Times that are more than REPLAY_AHEAD_S ahead of the clock do not count: they are of a clock that
 * was wrong, and would keep everybody out until the right one has got there.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPLAY_PLACES 4096
#define REPLAY_LATE_S 60
#define REPLAY_AHEAD_S 3600 /* more than the fudge that anybody grants (TSIG_FUDGE is 300) */

struct replay;

enum replay_verdict {
	REPLAY_NEW,
	REPLAY_SEEN, /* by this process */
	REPLAY_LATE,
	REPLAY_OLD /* not above the floor */
};

/* A request that was verified; everything is borrowed. */
struct replay_request {
	const uint8_t *key; /* its name in lower-case wire form */
	uint64_t time;	    /* signed at, seconds */
	const uint8_t *mac;
	size_t mac_len;
	bool forced; /* NOTIFY(AXFR) */
};

struct replay *replay_new(void);
void replay_free(struct replay *r); /* NULL is allowed */
enum replay_verdict replay_check(
    const struct replay *r, const struct replay_request *q, uint64_t now);
/* It was acted upon. */
void replay_note(struct replay *r, const struct replay_request *q, uint64_t now);
/* It came to nothing after all: the repetition is to be acted upon. */
void replay_forget(struct replay *r, const struct replay_request *q);

/* At start: what the process before this one has kept of a key. */
void replay_floor(struct replay *r, const uint8_t *key, uint64_t time);
/*
 * True: this one is newer than what was kept of its key so far, and the caller keeps its time now,
 * not after anything that follows from it.  replay_forget() takes that back.
 */
bool replay_keep(struct replay *r, const struct replay_request *q);
