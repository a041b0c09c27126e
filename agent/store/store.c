/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The thread: mail -> lanes -> groups.  A group is one transaction; what it costs is one
 * fsync at most, however many orders it holds.  One turn of the loop is
 *
 *     take mail, one group of the control lane, one small group of the stage lane, some chores
 *
 * so that an order waits at most a few milliseconds for somebody else's large transfer.  Sweeping,
 * and what a primary was seen to have, is never urgent: those orders are gathered for a while, so
 * that changes do not wait for them, and share their transaction.
 */
#include "base/mem.h"
#include "store/store_p.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A group ends at the first limit it meets. */
struct limits {
	unsigned orders; /* bounds what is done again when the group fails */
	size_t octets;	 /* bounds the memory for changed pages */
	int64_t us;
};

static const struct limits control_limits = {512, 4 * 1024 * 1024, 20 * ZR_US_PER_MS};
/* Control orders wait for a group of these to end. */
static const struct limits stage_limits = {64, 1024 * 1024, 4 * ZR_US_PER_MS};

/*
 * What nobody waits for, such as that a NOTIFY was answered, must not be lost to a disk that is
 * full for a minute: up to so many orders are kept and tried again.
 */
#define LATER_MAX 16384
#define LATER_MS 2000
#define LATER_US (LATER_MS * ZR_US_PER_MS)

/* ---- one order ---- */

static int
nothing_run(struct store *s, struct store_order *o, struct zr_err *e)
{
	(void)s;
	(void)o;
	(void)e;
	return 0; /* that its group is durable, or was carried out, is all it wants */
}

static const struct {
	const char *name; /* in the log */
	int (*run)(struct store *, struct store_order *, struct zr_err *);
} ops[] = {
    [STORE_ADD_ZONE] = {"add-zone", zones_add},
    [STORE_REMOVE_ZONE] = {"remove-zone", zones_remove},
    [STORE_MARK] = {"mark", zones_mark},
    [STORE_STAGE] = {"stage", stage_run},
    [STORE_COMMIT] = {"commit", commit_run},
    [STORE_ABORT] = {"abort", stage_abort},
    [STORE_TIMERS] = {"timers", zones_timers},
    [STORE_OUTBOX_ADD] = {"outbox-add", outbox_add},
    [STORE_OUTBOX_SET] = {"outbox-set", outbox_set},
    [STORE_PEER_SEEN] = {"peer-seen", peers_seen},
    [STORE_LOG_TRANSFER] = {"log-transfer", peers_log},
    [STORE_FORCED_PEER] = {"forced-peer", forced_row_peer},
    [STORE_NO_AXFR] = {"no-axfr", forced_row_no_axfr},
    [STORE_SIGNED] = {"signed", signed_run},
    [STORE_AMBIGUOUS_CLEAR] = {"ambiguous-clear", commit_settle},
    [STORE_JOURNAL_VOID] = {"journal-void", commit_void},
    [STORE_HOOK_SET] = {"hook-set", hook_row_set},
    [STORE_SWEEP] = {"sweep", sweep_run},
    [STORE_SYNC] = {"sync", nothing_run},
    [STORE_PING] = {"ping", nothing_run},
};
_Static_assert(sizeof(ops) / sizeof(ops[0]) == STORE_PING + 1, "every order");

/* It changes nothing that could not come back: it may be written first and synced later. */
static bool
synced_later(const struct store_order *o)
{
	return o->op == STORE_MARK || o->op == STORE_SYNC;
}

static bool
is_durable(const struct store_order *o)
{
	return o->durable || synced_later(o);
}

/* Roughly what it adds to the page cache. */
static size_t
order_octets(const struct store_order *o)
{
	if (o->op == STORE_STAGE && o->stage.batch != NULL)
		return o->stage.batch->octets;
	if (o->op == STORE_COMMIT && o->commit.batch != NULL)
		return o->commit.batch->octets;
	return 1024;
}

static int
run_order(struct store *s, struct store_order *o)
{
	zr_err_clear(&o->err);
	if (ops[o->op].run(s, o, &o->err) == 0)
		return 0;
	if (o->err.code == ZR_OK)
		zr_fail(&o->err, ZR_INTERNAL, "order %s failed without a reason", ops[o->op].name);
	return -1;
}

void
order_report(struct store_order *o)
{
	if (o->op == STORE_ADD_ZONE && o->err.code != ZR_OK)
		o->zone_id = 0;
	if (o->reply == NULL) {
		store_order_free(o);
		return;
	}
	o->mail.type = STORE_DONE;
	mbox_post(o->reply, &o->mail);
}

/* ---- groups ---- */

/* How a group is to be committed. */
struct wants {
	bool durable; /* something in it is */
	bool full;    /* the commit itself syncs */
};

static void
want(const struct store *s, const struct store_order *o, struct wants *w)
{
	w->durable |= is_durable(o);
	w->full |= is_durable(o) && !(synced_later(o) && sync_may(s));
}

/* Of orders early in the lane: later ones will not be in this group. */
static struct wants
wants_of(const struct store *s, const struct lane *l, unsigned orders)
{
	struct wants w = {false, !s->end_open};

	for (struct mail *m = l->head; m != NULL && orders > 0; m = m->next, orders--)
		want(s, order_of(m), &w);
	return w;
}

static int
begin(struct store *s, const struct wants *w, struct zr_err *e)
{
	if (w->durable && sync_mend(s, e) < 0)
		return -1;
	return ending_begin(s, w->full, e);
}

static int
commit(struct store *s, const struct wants *w, struct zr_err *e)
{
	struct timespec nap = {s->slow_ms / 1000, s->slow_ms % 1000 * 1000000L};

	if (s->slow_ms != 0)
		(void)nanosleep(&nap, NULL);
	if (file_check(s, e) < 0 || db_commit(s->db, e) < 0)
		return -1;
	s->end_open = true;
	if (w->full)
		sync_begun(s);
	return 0;
}

/* It has been committed. */
static void
deliver(struct store *s, struct store_order *o, const struct wants *w)
{
	if (synced_later(o) && !w->full)
		sync_post(s, o);
	else
		order_report(o);
}

/* One that may run now, or NULL. */
static struct mail **
runnable(struct store *s, struct lane *l)
{
	struct mail **at = &l->head;

	while (*at != NULL && l == &s->stage && tidy_given_up(s, order_of(*at)->zone_id))
		at = &(*at)->next;
	return *at != NULL ? at : NULL;
}

/* Nothing can be begun: whoever waits is told together, not each after a wait of its own. */
static void
take_all(struct store *s, struct lane *l, struct lane *group, unsigned max)
{
	struct mail **at = runnable(s, l);

	for (unsigned n = 1; at != NULL && n < max; n++) {
		lane_put(group, lane_take(l, at));
		at = runnable(s, l);
	}
}

/* Moves orders into `group` and runs them in one transaction.  On failure nothing of it stays. */
static int
run_group(struct store *s, struct lane *l, struct lane *group, const struct limits *limits,
    const struct wants *w, struct zr_err *e)
{
	int64_t end = clock_now().mono.us + limits->us;
	unsigned orders = 0;
	size_t octets = 0;
	struct mail **at = runnable(s, l), *m;

	for (; at != NULL; at = runnable(s, l)) {
		m = lane_take(l, at);
		lane_put(group, m);
		if (orders++ == 0 && begin(s, w, e) < 0) {
			take_all(s, l, group, limits->orders);
			return -1;
		}
		if (run_order(s, order_of(m)) < 0) {
			*e = order_of(m)->err;
			goto fail;
		}
		octets += order_octets(order_of(m));
		if (orders >= limits->orders || octets >= limits->octets ||
		    clock_now().mono.us >= end)
			break;
	}
	if (commit(s, w, e) == 0)
		return 0;
fail:
	db_rollback(s->db);
	return -1;
}

/* False: nothing can be begun, which is not this order's fault. */
static bool
run_alone(struct store *s, struct store_order *o, struct wants *w)
{
	zr_err_clear(&o->err);
	*w = (struct wants){false, !s->end_open};
	want(s, o, w);
	if (begin(s, w, &o->err) < 0)
		return false;
	if (run_order(s, o) < 0 || commit(s, w, &o->err) < 0)
		db_rollback(s->db);
	return true;
}

static void
log_failure(struct store *s, const struct store_order *o)
{
	uint64_t left_out;

	if (o->err.code == ZR_NOTFOUND || /* removed meanwhile: no fault of the store */
	    !log_limit_pass(&s->log_limit, clock_now().mono.us, &left_out))
		return;
	log_event(LOG_LVL_ERROR, "store-order-failed", LI("zone-id", o->zone_id),
	    LS("order", ops[o->op].name), LS("error", o->err.text), LU("suppressed", left_out));
}

static bool /* still true when it comes late, behind orders that were posted after it? */
may_come_late(const struct store_order *o)
{
	switch (o->op) {
	case STORE_OUTBOX_SET:
	case STORE_HOOK_SET:
	case STORE_PEER_SEEN:
	case STORE_FORCED_PEER:
	case STORE_NO_AXFR:
	case STORE_SIGNED:
	case STORE_AMBIGUOUS_CLEAR:
	case STORE_JOURNAL_VOID:
	case STORE_LOG_TRANSFER:
		return o->reply == NULL;
	default:
		return false;
	}
}

/* Takes an order that failed, or one that must stay behind such. */
static bool
keep_for_later(struct store *s, struct store_order *o)
{
	if (!may_come_late(o) || s->later_count >= LATER_MAX || s->quitting)
		return false;
	if (s->later.head == NULL)
		s->later_at.us = clock_now().mono.us + LATER_US;
	lane_put(&s->later, &o->mail);
	s->later_count++;
	return true;
}

/* When something can be written again, or at the end, they go before all others. */
static void
turn_later(struct store *s)
{
	struct zr_now now = clock_now();
	struct zr_err e;

	if (s->later.head == NULL || (s->later_at.us > now.mono.us && !s->quitting))
		return;
	s->later_at.us = now.mono.us + LATER_US;
	if (!s->quitting &&
	    (db_begin(s->db, true, &e) < 0 || file_check(s, &e) < 0 || db_commit(s->db, &e) < 0)) {
		db_rollback(s->db);
		return;
	}
	*s->later.tail = s->control.head;
	if (s->control.head != NULL)
		s->later.tail = s->control.tail;
	s->control.head = s->later.head;
	s->control.tail = s->later.tail;
	lane_init(&s->later);
	s->later_count = 0;
}

/* False when there was nothing to do. */
static bool
turn_lane(struct store *s, struct lane *l, const struct limits *limits)
{
	struct zr_err e = {0};
	struct store_order *o;
	struct lane group;
	struct wants w;
	bool done, begins = true;

	if (runnable(s, l) == NULL)
		return false;
	lane_init(&group);
	w = wants_of(s, l, limits->orders);
	done = run_group(s, l, &group, limits, &w, &e) == 0;
	while (group.head != NULL) {
		o = order_of(lane_take(&group, &group.head));
		if (!done) {
			/* To wait for a lock once is enough for all of them. */
			if (!begins)
				o->err = e;
			else if (!run_alone(s, o, &w)) {
				begins = false;
				e = o->err;
			}
			if (o->err.code != ZR_OK)
				log_failure(s, o);
			if (o->err.code == ZR_DB && keep_for_later(s, o))
				continue;
		}
		if (o->err.code == ZR_OK)
			deliver(s, o, &w);
		else
			order_report(o);
	}
	return true;
}

/* Takes STAGE orders out of the lane: of one zone and version, or of any with 0. */
static void
drop_staged(struct store *s, int64_t zone, int64_t version, const struct zr_err *e)
{
	struct mail **at = &s->stage.head;
	struct store_order *o;

	while (*at != NULL) {
		o = order_of(*at);
		if ((zone != 0 && o->zone_id != zone) ||
		    (version != 0 && o->stage.version != version)) {
			at = &(*at)->next;
			continue;
		}
		(void)lane_take(&s->stage, at);
		o->err = *e;
		order_report(o);
	}
}

static bool
turn_gathered(struct store *s)
{
	if (!gather_due(s))
		return false;
	(void)turn_lane(s, &s->gathered, &control_limits);
	s->gathered_count = 0; /* of what is left, if anything, the time is up anyway */
	return true;
}

/* ---- the thread ---- */

static void
sort_mail(struct store *s, struct mail *m)
{
	static const struct zr_err none;
	struct store_order *o;
	struct mail *next;

	for (; m != NULL; m = next) {
		next = m->next;
		if (m->type == MAIL_QUIT) {
			s->quitting = true;
			continue;
		}
		if (m->type == MAIL_CHECKPOINTED) {
			checkpoint_done(s);
			continue;
		}
		o = order_of(m);
		if (o->op == STORE_STAGE) {
			lane_put(&s->stage, m);
			continue;
		}
		/* Staged and then forgotten comes to the same as never staged. */
		if (o->op == STORE_ABORT)
			drop_staged(s, o->zone_id, o->stage.version, &none);
		if (s->later.head != NULL && keep_for_later(s, o))
			continue;
		if (gather_may(o)) {
			gather_put(s, m);
			continue;
		}
		gather_hurry(s, o);
		lane_put(&s->control, m);
	}
}

static bool
turn_chores(struct store *s)
{
	struct zr_err e = {0};
	int64_t failed;
	bool busy = tidy_step(s, &failed, &e);

	/* Their transfers must not wait until the disk has room again. */
	if (failed != 0 && tidy_given_up(s, failed))
		drop_staged(s, failed, 0, &e);
	if (!busy && s->quitting && s->stage.head != NULL && runnable(s, &s->stage) == NULL) {
		zr_fail(&e, ZR_DB, "the store stops");
		drop_staged(s, 0, 0, &e);
	}
	return busy;
}

/*
 * Is an ABORT still in the control lane?  The next attempt may have the same version: what it
 * stages must not be taken for what is to be thrown away.
 */
static bool
abort_waits(const struct store *s)
{
	for (struct mail *m = s->control.head; m != NULL; m = m->next)
		if (order_of(m)->op == STORE_ABORT)
			return true;
	return false;
}

/* How long to wait for mail: not at all while there is work that may be done. */
static int
patience(const struct store *s, bool busy)
{
	int ms;

	if (busy || (s->quitting && !checkpoint_holds(s)))
		return 0;
	ms = tidy_wait_ms(s);
	ms = ms >= 0 && ms < FILE_WATCH_MS ? ms : FILE_WATCH_MS;
	ms = gather_wait_ms(s, ms);
	return s->later.head == NULL || ms < LATER_MS ? ms : LATER_MS;
}

static void *
run_thread(void *arg)
{
	struct store *s = arg;
	bool busy = true;

	while (!s->quitting || s->control.head != NULL || s->stage.head != NULL ||
	       s->later.head != NULL || s->gathered.head != NULL) {
		sort_mail(s, mbox_wait(s->box, patience(s, busy)));
		file_watch(s); /* also when there is nothing to commit */
		turn_later(s);
		busy = turn_lane(s, &s->control, &control_limits);
		if (!checkpoint_holds(s)) {
			if (!abort_waits(s))
				busy |= turn_lane(s, &s->stage, &stage_limits);
			busy |= turn_gathered(s);
			if (!s->quitting || s->stage.head != NULL)
				busy |= turn_chores(s);
		}
		checkpoint_poke(s, !busy);
	}
	return NULL;
}

/* ---- door ---- */

static int
first_id(struct store *s, enum sql_id last, int64_t *next, struct zr_err *e)
{
	struct q q;

	q_open(&q, s->db, last);
	if (q_value(&q, next, e) < 0)
		return -1;
	++*next;
	return 0;
}

int
store_open(struct store **out, const struct store_conf *c, struct zr_err *e)
{
	struct store *s = zr_xcalloc(1, sizeof(*s));

	*out = NULL;
	lane_init(&s->control);
	lane_init(&s->stage);
	lane_init(&s->later);
	lane_init(&s->gathered);
	s->quit.type = MAIL_QUIT;
	s->slow_ms = c->slow ? c->slow_ms : 0;
	s->log_limit = (struct log_limit){.interval_us = 10 * ZR_US_PER_S, .burst = 10};
	s->lock_fd = lock_take(c->path, e);
	if (s->lock_fd < 0)
		goto fail;
	s->box = mbox_new();
	if (s->box == NULL) {
		zr_fail(e, ZR_DB, "no file descriptor for the store: raise the limit (ulimit -n)");
		goto fail;
	}
	if (db_open(&s->db, c->path, DB_WRITER, e) < 0 ||
	    first_id(s, SQL_ZONE_LAST_ID, &s->next_zone, e) < 0 ||
	    first_id(s, SQL_CONTENT_LAST_ID, &s->next_content, e) < 0 ||
	    first_id(s, SQL_OUTBOX_LAST_ID, &s->next_outbox, e) < 0 ||
	    first_id(s, SQL_HOOK_LAST_ID, &s->next_hook, e) < 0 || tidy_open(s, e) < 0 ||
	    ending_load(s, e) < 0 || file_check(s, e) < 0)
		goto fail;
	forced_row_expire(s);
	*out = s;
	return 0;
fail:
	store_stop(s);
	return -1;
}

/* Signals are for the main thread. */
int
store_start(struct store *s, struct zr_err *e)
{
	sigset_t all, old;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = checkpoint_start(s, e);
	if (rc == 0)
		rc = sync_start(s, e);
	if (rc == 0) {
		rc = pthread_create(&s->thread, NULL, run_thread, s);
		s->started = rc == 0;
		if (rc != 0)
			zr_fail(e, ZR_DB, "cannot start the thread of the store: %s", strerror(rc));
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return rc == 0 ? 0 : -1;
}

void
store_post(struct store *s, struct store_order *o)
{
	o->mail.type = 0;
	mbox_post(s->box, &o->mail);
}

void
store_stop(struct store *s)
{
	if (s == NULL)
		return;
	if (s->db != NULL) {
		mbox_post(s->box, &s->quit);
		if (s->started)
			pthread_join(s->thread, NULL);
		else
			run_thread(s);
		sync_stop(s);
		checkpoint_stop(s);
		(void)mbox_take(s->box); /* its last answer */
		ending_write(s);
	}
	tidy_close(s);
	/* Closing the last handle writes the WAL back; with readers still open it stays. */
	db_close(s->db);
	mbox_free(s->box);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	free(s);
}
