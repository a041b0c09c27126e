/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside of targets*.c: what is found out about the targets of a zone, and what is still to be.
 * Owner: the main loop.
 */
#pragma once

#include "app/agent_p.h"
#include "net/resolve.h"

/* ---- targets_copy.c: records of the version that is served ---- */

struct copy {
	struct entry *entry;
	struct unpacker *unpacker;
	struct buf data;
	int64_t segment; /* in data; 0: none */
};

void copy_open(struct copy *c, struct entry *en);
void copy_close(struct copy *c);
/*
 * The records of a name (lower case, in the zone) whose type is within these two; cb returns false
 * when it has enough.  What a hostile zone puts there in masses is not read to its end.
 */
int copy_each(struct copy *c, const uint8_t *name, uint16_t first, uint16_t last,
    bool (*cb)(void *arg, const struct rr *rr), void *arg, struct zr_err *e);

/* ---- targets_survey.c: who is to be notified now ---- */

enum survey_how {
	SURVEY_KNOWN, /* with what the resolver has found before, however old */
	SURVEY_SHOW,  /* the same; what is not known or old is looked up for the next time */
	SURVEY_WAIT   /* what is not known or old is looked up and waited for */
};

struct survey_host {
	uint8_t name[NAME_MAX_LEN];
	struct zr_addr *addr; /* owned */
	size_t count;
	const char *error;
	bool asking; /* being looked up */
	bool again;  /* failed, but may be found another time */
};

struct survey {
	struct survey_host *hosts;
	size_t host_count;
	struct target *v; /* names and texts are those of hosts */
	size_t count;
	unsigned asking, again; /* hosts */
};

/* Waits are hung up at *waits.  -1: our own copy could not be read; nothing needs to be cleared. */
struct host_wait;
int survey_take(struct survey *s, struct entry *en, enum survey_how how, struct host_wait **waits,
    struct zr_err *e);
void survey_clear(struct survey *s);

/* One host that a zone waits for. */
struct host_wait {
	struct resolve_wait w; /* done() is targets_resolved() */
	struct host_wait *next;
};

void targets_resolved(void *zone_targets);

/* ---- targets_own.c: which addresses are ours ---- */

void targets_see_interfaces(struct targets *t); /* now and then; before targets_is_own() */
/* `targets`: struct targets *, as targets_ask.own wants it. */
bool targets_is_own(void *targets, const struct zr_addr *addr);

/* ---- targets.c ---- */

struct targets {
	struct agent *agent;
	struct resolver *resolver;
	struct event *work_event, *timer_event;
	struct zone_targets *queue, **queue_end;
	struct heap timers;
	uint64_t generation; /* counts reloads */
	struct zr_addr *interfaces;
	size_t interface_count;
	struct zr_mono interfaces_at; /* when they were asked for; 0: never */
};

/* A row without target, until all that it stands for has been settled. */
struct targets_run {
	struct store_notify row;
	struct zr_mono since;	/* clocks jump: its time on the disk proves nothing */
	struct zr_addr *posted; /* have rows of their own */
	size_t posted_count;
	struct host_wait *waits;
	int64_t delay_us; /* until the next look-up of what failed */
	uint32_t missing; /* targets_missing() of the last survey */
};

struct zone_targets {
	struct zone_targets *next, **link; /* in the queue; link NULL: not */
	struct heap_node timer;
	struct entry *entry;
	struct targets_run *run; /* NULL: no row is owed */
	uint64_t generation;	 /* of what follows; 0: nothing was found out yet */
	uint64_t told;		 /* the unresolved hosts that were logged, as a sum; 0: none */
	struct zr_addr *in;
	uint32_t in_count;
	bool partial;	  /* some hosts have no address yet: who is not in `in` may be one */
	bool outstanding; /* rows are on their way to the store */
	bool missed;	  /* meanwhile there was something to do */
	bool stale;	  /* they belong to a row that has been replaced */
	bool last;	  /* nothing is left after them */
};

/* ---- targets_rows.c ---- */

/* Rows for those of the survey that have none yet.  Caller frees. */
struct store_notify *targets_rows(struct zone_targets *zt, const struct survey *s, size_t *count);
/* Which hosts have no rows when these are written, for the row that stands for them. */
uint32_t targets_missing(const struct survey *s);
bool targets_among(const struct zr_addr *v, size_t n, const struct zr_addr *a);
