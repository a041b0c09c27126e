/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One command owed to a downstream for a zone: when it is run, ended, tried again, given up; and
 * the order in which commands get their turn.  Pure; the main loop owns both.
 *
 *     WAITING --TIMER: QUEUE--> QUEUED --STARTED--> RUNNING --TIMER: TERM--> ENDING --TIMER: KILL
 *        ^                        |                    |                       |
 *        +--RETRY, NEWER,---------+ ENDED (no start)   +-- ENDED --------------+
 *           PUT_OFF               +--> DONE or FAILED: OVER
 *
 * A newer row (NEWER) takes the place of the older.  While a process runs for the older one it is
 * let alone, and the newer is run after it, however it ends.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

#define HOOKRUN_FIRST_US (10 * ZR_US_PER_S) /* before the second try; then doubled */
#define HOOKRUN_CAP_US (600 * ZR_US_PER_S)  /* at most */
#define HOOKRUN_KILL_US (5 * ZR_US_PER_S)   /* from TERM to KILL, and to each further KILL */
#define HOOKRUN_BUSY_US (1 * ZR_US_PER_S)
#define HOOKRUN_EXIT_NEVER 78 /* EX_CONFIG: trying again is of no use */

enum hookrun_state {
	HOOKRUN_WAITING, /* for at_us */
	HOOKRUN_QUEUED,	 /* for a place */
	HOOKRUN_RUNNING,
	HOOKRUN_ENDING, /* has been sent TERM: its time is over */
	HOOKRUN_OVER,
	HOOKRUN_STATE_COUNT
};

enum hookrun_event {
	HOOKRUN_EV_NEWER,   /* arg.not_before, tries: another row is owed instead */
	HOOKRUN_EV_TIMER,   /* at_us is due */
	HOOKRUN_EV_STARTED, /* arg.timeout_us */
	HOOKRUN_EV_ENDED,   /* arg.end, max_tries */
	HOOKRUN_EV_PUT_OFF, /* it could not even be tried: again in HOOKRUN_BUSY_US */
	HOOKRUN_EV_STRUCK,  /* nobody wants it any more; what runs ends by itself */
	HOOKRUN_EVENT_COUNT
};

enum hookrun_end {
	HOOKRUN_END_OK,
	HOOKRUN_END_NEVER,  /* exit status HOOKRUN_EXIT_NEVER */
	HOOKRUN_END_FAILED, /* any other status, a signal, or it could not be started */
};

enum hookrun_do {
	HOOKRUN_NOTHING, /* wait for at_us, if it is not 0 */
	HOOKRUN_QUEUE,	 /* hookq_add() */
	HOOKRUN_TERM,
	HOOKRUN_KILL,
	/* The try that ended: store it.  Then look at the state: WAITING or OVER. */
	HOOKRUN_DONE,
	HOOKRUN_RETRY,
	HOOKRUN_FAILED, /* for good */
	HOOKRUN_STOP	/* over without a result: hookq_del(), forget it */
};

extern const char *const hookrun_state_names[HOOKRUN_STATE_COUNT];
extern const char *const hookrun_event_names[HOOKRUN_EVENT_COUNT];

struct hookrun {
	int64_t at_us;	      /* 0 = none: the app's timer follows it after every step */
	int64_t newer_us;     /* not_before of `newer` */
	uint32_t tries;	      /* ended, of the row owed */
	uint32_t newer_tries; /* of `newer` */
	uint8_t state;
	bool newer;  /* another row came while this one was running */
	bool struck; /* no further try */
};

struct hookrun_arg {
	struct zr_mono not_before;
	uint32_t tries;
	int64_t timeout_us;
	enum hookrun_end end;
	uint32_t max_tries;
};

void hookrun_init(struct hookrun *h, struct zr_mono not_before, uint32_t tries);
enum hookrun_do hookrun_step(
    struct hookrun *h, enum hookrun_event ev, const struct hookrun_arg *arg, struct zr_mono now);
static inline bool
hookrun_runs(const struct hookrun *h)
{
	return h->state == HOOKRUN_RUNNING || h->state == HOOKRUN_ENDING;
}

/* ---- turns ---- */

struct hookq_line;

/* In every job; zero-initialised. */
struct hookq_node {
	struct hookq_node *next, *prev;
	struct hookq_line *line; /* set while queued */
};

/* Of one downstream: first come, first served.  Zero-initialised; lives as long as the queue. */
struct hookq_line {
	struct hookq_node *head, *tail;
	struct hookq_line *next, *prev; /* ring of lines with work */
	uint32_t running;
};

struct hookq {
	struct hookq_line *ring; /* whose turn is next */
	uint32_t running, queued;
};

void hookq_add(struct hookq *q, struct hookq_line *l, struct hookq_node *n);
void hookq_del(struct hookq *q, struct hookq_node *n); /* no-op unless queued */
/*
 * The next one that may start, taken out and counted as running until hookq_done(); NULL: none now.
 * At most `max` run at once.  The lines take turns; and with `shared` a line that has one running
 * gets another only while at least as many places stay free as it would then have: so it never has
 * more than half of them, or one, and somebody who comes later finds a free one.
 */
struct hookq_node *hookq_take(struct hookq *q, uint32_t max, bool shared, struct hookq_line **line);
void hookq_done(struct hookq *q, struct hookq_line *l);
