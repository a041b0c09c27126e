/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside of the store.  All of it belongs to the store's thread (before store_start() and after
 * store_stop(): to the caller's).
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mbox.h"
#include "base/mem.h"
#include "store/db.h"
#include "store/store.h"

#define TRANSFERS_KEPT 20 /* per zone and direction */
#define SWEEP_ROWS 256	  /* removed in one transaction: at most some 4 MiB of segments */

#define STORE_FILES 3 /* the database, its WAL and the index of that */
/* Between looks whether they are still there, when nothing is written. */
#define FILE_WATCH_MS 5000

struct chore;

/* A file as the system knows it. */
struct file_id {
	bool known;
	dev_t dev;
	ino_t ino;
};

/* Orders waiting, first to last. */
struct lane {
	struct mail *head;
	struct mail **tail;
};

struct store {
	struct db *db;
	struct mbox *box;
	pthread_t thread;
	struct mail quit; /* posted by store_stop() */
	bool started;
	bool quitting;
	int lock_fd;
	unsigned slow_ms;
	struct lane control, stage;
	struct lane gathered; /* what is not urgent, until gathered_at */
	unsigned gathered_count;
	struct zr_mono gathered_at;
	/* Orders nobody waits for, in their order, while nothing can be written. */
	struct lane later;
	unsigned later_count;
	struct zr_mono later_at; /* when it is tried whether something can */
	/* Row numbers are never used twice while the program runs: a late order finds nothing. */
	int64_t next_zone, next_content, next_outbox, next_hook;
	/* tidy.c */
	struct chore *chores, **chores_tail;
	struct zr_mono chores_at; /* not before: the last attempt failed */
	struct zr_mono purge_at;
	struct checkpointer *checkpointer; /* NULL before store_start() */
	struct syncer *syncer;		   /* likewise */
	struct log_limit log_limit;
	/* file.c */
	struct file_id file[STORE_FILES];
	bool file_gone;
	int64_t file_told_us, file_looked_us;
	/* ending.c */
	struct zr_wall ended; /* the run before, in order; unset: not so */
	bool end_open;	      /* the file says that it is open, and so does the disk */
	bool in_order;	      /* this run ends in order */
};

/* ---- lanes ---- */

static inline struct store_order *
order_of(struct mail *m)
{
	return ZR_CONTAINER(m, struct store_order, mail);
}

static inline void
lane_init(struct lane *l)
{
	l->head = NULL;
	l->tail = &l->head;
}

static inline void
lane_put(struct lane *l, struct mail *m)
{
	m->next = NULL;
	*l->tail = m;
	l->tail = &m->next;
}

static inline struct mail *
lane_take(struct lane *l, struct mail **at)
{
	struct mail *m = *at;

	*at = m->next;
	if (l->tail == &m->next)
		l->tail = at;
	return m;
}

/* It has been carried out, or has failed for good: back to its poster, or freed.  Any thread. */
void order_report(struct store_order *o);

/* ---- aide.c: a thread that helps the store's ---- */

struct aide {
	struct mbox *box; /* what it is sent */
	struct mail quit; /* it ends when this comes */
	pthread_t thread;
	bool runs;
};

/* Zeroed before.  -1: aide_stop() all the same. */
int aide_start(struct aide *a, void *(*run)(void *), void *arg, struct zr_err *e);
/* When nobody sends it anything any more; waits for its end.  Zeroed, or stopped before: nothing.
 */
void aide_stop(struct aide *a);

/* ---- gather.c ---- */

bool gather_may(const struct store_order *o);
void gather_put(struct store *s, struct mail *m);
bool gather_due(const struct store *s);
int gather_wait_ms(const struct store *s, int ms); /* until then, but at most `ms` */
/* What goes with this order, or must not come behind it, goes to the control lane now. */
void gather_hurry(struct store *s, const struct store_order *o);

/* ---- row.c: rows to structs ---- */

/* Octets of the wire name at p; 0 when it does not end within `max`. */
size_t row_name_len(const uint8_t *p, size_t max);
/* Current row of a statement over zone_state; borrows from it. */
void row_zone(struct q *q, struct store_zone *z);
struct store_zone *row_zone_copy(const struct store_zone *z); /* one block; free() */
/* False when the target is no address (any more: an interface has gone); none at all is fine. */
bool row_notify(struct q *q, struct store_notify *n);
enum zr_code row_code(const char *name);      /* "" is ZR_OK, unknown ZR_INTERNAL */
const char *row_code_text(enum zr_code code); /* "" for ZR_OK */
void row_text(char *out, size_t size, const char *text);
bool row_addr(const char *text, struct zr_addr *out);			     /* "" is no address */
const char *row_addr_text(const struct zr_addr *a, char out[ADDR_TEXT_MAX]); /* "" for none */

/* ---- one order each: 0, or -1 and the transaction must be rolled back ---- */

int zones_add(struct store *s, struct store_order *o, struct zr_err *e);
int zones_remove(struct store *s, struct store_order *o, struct zr_err *e);
int zones_mark(struct store *s, struct store_order *o, struct zr_err *e);
int zones_timers(struct store *s, struct store_order *o, struct zr_err *e);
int stage_run(struct store *s, struct store_order *o, struct zr_err *e);
int stage_abort(struct store *s, struct store_order *o, struct zr_err *e);
int commit_run(struct store *s, struct store_order *o, struct zr_err *e);
int commit_settle(struct store *s, struct store_order *o, struct zr_err *e);
int commit_void(struct store *s, struct store_order *o, struct zr_err *e);
int outbox_add(struct store *s, struct store_order *o, struct zr_err *e);
int outbox_set(struct store *s, struct store_order *o, struct zr_err *e);
int peers_seen(struct store *s, struct store_order *o, struct zr_err *e);
int peers_log(struct store *s, struct store_order *o, struct zr_err *e);
int forced_row_peer(struct store *s, struct store_order *o, struct zr_err *e);
int forced_row_no_axfr(struct store *s, struct store_order *o, struct zr_err *e);
int signed_run(struct store *s, struct store_order *o, struct zr_err *e);
int hook_row_set(struct store *s, struct store_order *o, struct zr_err *e);
int sweep_run(struct store *s, struct store_order *o, struct zr_err *e);

/* ---- what they share ---- */

/* With a mark, in its transaction. */
int signed_put(struct store *s, const struct store_signed *v, struct zr_err *e);
/* Runs a statement whose only parameter is :zone. */
int run_zone(struct db *db, enum sql_id id, int64_t zone, struct zr_err *e);

/* A zone before it is changed. */
struct zone_base {
	int64_t version;
	int64_t segments, records, octets;
	uint8_t digest[SEGMENT_DIGEST];
	uint32_t serial;
	uint32_t expire; /* of the SOA, seconds; 0 without content */
	int64_t journal_from, journal_steps, journal_octets;
};

/* ZR_NOTFOUND when there is no such zone or it is removed. */
int zones_base(struct store *s, int64_t zone, struct zone_base *out, struct zr_err *e);
/* `since` stays when there is a row. */
int zones_mark_set(struct store *s, int64_t zone, enum store_pending pending,
    const struct store_caller *caller, struct zr_wall since, struct zr_err *e);

/* What a version under construction amounts to, against the version before. */
struct tally {
	int64_t version;
	int64_t segments, records, octets;
	uint8_t digest[SEGMENT_DIGEST];
	int64_t journal_steps, journal_octets;
};

/* 1 there is one, 0 none (*t is zero), -1. */
int stage_tally(struct store *s, int64_t zone, struct tally *t, struct zr_err *e);
int stage_apply(struct store *s, int64_t zone, int64_t version, const struct stage_batch *b,
    struct tally *t, struct zr_err *e);

int outbox_insert(struct store *s, int64_t zone, struct store_notify *n, struct zr_err *e);
int forced_row_put(struct store *s, int64_t zone, const struct store_forced *f, struct zr_err *e);
void forced_row_expire(struct store *s); /* at open; what cannot be written is left for next time */
int hook_row_put(struct store *s, int64_t zone, struct store_hook *h, struct zr_err *e);
int peers_insert_log(struct store *s, int64_t zone, const struct store_log *l, struct zr_err *e);

/*
 * Removing in pieces.  *budget counts down by rows.  1: the budget is used up, there is
 * more; 0: all done; -1.
 */
struct key_cursor {
	uint8_t *key; /* NULL: from the beginning; free() */
	size_t len;
};
int sweep_dead(struct store *s, int64_t zone, int64_t keep, unsigned *budget, struct zr_err *e);
int sweep_staged(struct store *s, int64_t zone, int64_t version, struct key_cursor *c,
    unsigned *budget, struct zr_err *e);
int sweep_removed(struct store *s, int64_t zone, unsigned *budget, struct zr_err *e);

/* ---- tidy.c: work nobody ordered ---- */

/* At open: everything staged is given up; what a crash or an earlier run left becomes chores. */
int tidy_open(struct store *s, struct zr_err *e);
void tidy_close(struct store *s);
/*
 * What is staged for this zone is given up and will be removed.  Kept in memory only: after a
 * crash it holds for everything staged.
 */
void tidy_give_up(struct store *s, int64_t zone, int64_t version);
bool tidy_given_up(const struct store *s, int64_t zone); /* STAGE of this zone must wait */
/* At most one small transaction; false when nothing is due.  *failed: zone whose chore failed, or
 * 0. */
bool tidy_step(struct store *s, int64_t *failed, struct zr_err *e);
/* Milliseconds until tidy_step() may have something to do. */
int tidy_wait_ms(const struct store *s);

/* ---- checkpoint.c: a thread of its own writes the WAL back ---- */

#define MAIL_QUIT (-1)
#define MAIL_CHECKPOINTED (-2) /* to the store: for checkpoint_done() */

int checkpoint_start(struct store *s, struct zr_err *e);
void checkpoint_stop(struct store *s); /* its mail may still come */
/* Begins a pass when there is enough to write back; `idle`: nobody waits. */
void checkpoint_poke(struct store *s, bool idle);
void checkpoint_done(struct store *s);
/* The WAL is at its limit and a pass under way: what can wait must wait for MAIL_CHECKPOINTED. */
bool checkpoint_holds(const struct store *s);

/* ---- sync.c: a thread of its own syncs the WAL for marks ---- */

int sync_start(struct store *s, struct zr_err *e);
void sync_stop(struct store *s); /* when the store's thread has ended: reports what it has */
/* May the commit of marks leave syncing to it? */
bool sync_may(const struct store *s);
void sync_begun(struct store *s); /* a transaction was synced by its commit */
/* Hands over an order whose transaction has committed: synced, then reported. */
void sync_post(struct store *s, struct store_order *o);
/* Before anything is called durable.  -1: after a failure it cannot be had now. */
int sync_mend(struct store *s, struct zr_err *e);

/* ---- file.c ---- */

/*
 * -1 with what to do when a file was deleted or replaced since it was seen first; logs that, and
 * when it is back.  Some microseconds: it comes before every commit.
 */
int file_check(struct store *s, struct zr_err *e);
void file_watch(struct store *s); /* the same when it is some seconds since the last look */

/* ---- ending.c ---- */

int ending_load(struct store *s, struct zr_err *e); /* at open */
/*
 * As db_begin(), for what must not be lost without a trace.  s->end_open is to be set when such a
 * transaction is committed.
 */
int ending_begin(struct store *s, bool durable, struct zr_err *e);
void ending_write(struct store *s); /* the last transaction, if the run ends in order */

/* ---- lock.c ---- */

/* One daemon per database: holds PATH.lock until closed.  The descriptor, or -1. */
int lock_take(const char *path, struct zr_err *e);
