/* SPDX-License-Identifier: BSD-2-Clause */
/* The main loop: opening, mail, timers, the scheduler's turn, and the orderly end. */
#include "app/agent.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "app/forced_p.h"
#include "app/ready.h"
#include "app/restore.h"
#include "app/sandbox.h"
#include "base/mem.h"

/* UDP sockets for queries of our own, when the limit of descriptors allows. */
#define QUERY_SOCKETS 1024
#define NOTIFY_SOCKETS 512
/* Descriptors that TCP leaves to others, or a quarter of all. */
#define SPARE_DESCRIPTORS 128
/* Lines about strangers: a burst, then one a second. */
#define STRANGER_BURST 20
/* Complaints about zones: when a primary of 100,000 is dead, not one for each. */
#define ZONE_LOG_BURST 500
#define ZONE_LOG_US (50 * ZR_US_PER_MS)
/* Sources of queries remembered. */
#define QUERY_SOURCES 4096
/* Timers handled in one turn, so that a storm of deadlines does not keep mail waiting. */
#define TIMERS_PER_TURN 1000
/* Zones granted or denied in one turn: a dead primary may have 100,000 waiting. */
#define GRANTS_PER_TURN 1000
/* For event_add(); event_active() would keep libevent from looking at the sockets before. */
static const struct timeval next_turn = {0, 0};

void
agent_touch(struct agent *a)
{
	a->now = clock_now();
}

uint64_t
agent_number(struct agent *a)
{
	return ++a->next_number;
}

void
agent_store(struct agent *a, struct store_order *o, bool reply)
{
	if (reply) {
		o->reply = a->in;
		a->store_outstanding++;
	}
	store_post(a->store, o);
}

const char *
agent_intern(struct agent *a, const char *name)
{
	char *s = table_get(a->names, name, strlen(name));

	if (s != NULL)
		return s;
	s = zr_xstrdup(name);
	table_put(a->names, s, strlen(s), s);
	return s;
}

/* ---- timers ---- */

void
agent_arm(const struct agent *a, struct event *timer, int64_t at)
{
	int64_t us = at > a->now.mono.us ? at - a->now.mono.us : 0;
	struct timeval tv = {.tv_sec = us / ZR_US_PER_S, .tv_usec = us % ZR_US_PER_S};

	if (at == INT64_MAX)
		event_del(timer);
	else
		event_add(timer, &tv);
}

struct zr_mono
agent_mono(const struct agent *a, struct zr_wall t)
{
	int64_t ahead = t.us - a->now.wall.us;

	/* No spread and no pause is longer than an hour: the clock has jumped. */
	if (t.us == 0 || ahead < 0 || ahead > 2 * 3600 * ZR_US_PER_S)
		ahead = 0;
	return (struct zr_mono){a->now.mono.us + ahead};
}

void
agent_rearm(struct agent *a)
{
	const struct heap *heaps[] = {&a->timers, &a->owed_timers, &a->forced_timers};
	int64_t at = INT64_MAX;

	for (size_t i = 0; i < sizeof(heaps) / sizeof(heaps[0]); i++) {
		const struct heap_node *n = heap_peek(heaps[i]);

		if (n != NULL && n->at < at)
			at = n->at;
	}
	agent_arm(a, a->timer_event, at);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct agent *a = arg;
	struct heap_node *n;
	int i;

	(void)fd;
	(void)what;
	agent_touch(a);
	for (i = 0; i < TIMERS_PER_TURN && !a->stopping; i++) {
		n = heap_pop_due(&a->owed_timers, a->now.mono.us);
		if (n == NULL)
			break;
		outbox_timer(ZR_CONTAINER(n, struct owed, timer));
	}
	for (i = 0; i < TIMERS_PER_TURN && !a->stopping; i++) {
		n = heap_pop_due(&a->timers, a->now.mono.us);
		if (n == NULL)
			break;
		zones_timer(entry_of(ZR_CONTAINER(n, struct zone, timer)));
	}
	for (i = 0; i < TIMERS_PER_TURN && !a->stopping; i++) {
		n = heap_pop_due(&a->forced_timers, a->now.mono.us);
		if (n == NULL)
			break;
		forced_timer(ZR_CONTAINER(n, struct forced_zone, timer));
	}
	agent_schedule(a);
}

/* ---- the scheduler ---- */

static void
grant(struct agent *a)
{
	struct sched_node *n;
	struct zr_mono again;
	enum sched_verdict v;
	struct timeval tv;
	int64_t us;
	int taken = 0;

	for (; taken < GRANTS_PER_TURN; taken++) {
		v = sched_take(&a->sched, a->now.mono, &n, &again);
		if (v == SCHED_NOTHING)
			break;
		route_event(entry_of(ZR_CONTAINER(n, struct zone, sched)),
		    v == SCHED_GRANT ? ZONE_EV_GRANT : ZONE_EV_DENIED, NULL, NULL);
	}
	if (taken == GRANTS_PER_TURN) { /* the rest in the next turn, after mail and sockets */
		event_add(a->sched_event, &next_turn);
		return;
	}
	if (again.us == 0) {
		event_del(a->sched_event);
		return;
	}
	us = again.us - a->now.mono.us;
	if (us < 0)
		us = 0;
	tv.tv_sec = us / ZR_US_PER_S;
	tv.tv_usec = us % ZR_US_PER_S;
	event_add(a->sched_event, &tv);
}

void
agent_schedule(struct agent *a)
{
	if (!a->stopping)
		grant(a);
	agent_rearm(a);
	if (a->old != NULL)
		reload_sweep(a);
}

static void
on_sched(evutil_socket_t fd, short what, void *arg)
{
	struct agent *a = arg;

	(void)fd;
	(void)what;
	agent_touch(a);
	agent_schedule(a);
}

/* ---- signals ---- */

static void
on_stop_signal(evutil_socket_t sig, short what, void *arg)
{
	(void)what;
	log_event(LOG_LVL_INFO, "signal", LS("name", sig == SIGTERM ? "SIGTERM" : "SIGINT"));
	agent_stop(arg);
}

static void
on_reload_signal(evutil_socket_t sig, short what, void *arg)
{
	struct reload_count n;

	(void)sig;
	(void)what;
	agent_reload(arg, &n, NULL, NULL);
}

static void
on_level_signal(evutil_socket_t sig, short what, void *arg)
{
	struct agent *a = arg;
	bool debug = !log_enabled(LOG_LVL_DEBUG);

	(void)sig;
	(void)what;
	log_set_level(debug ? LOG_LVL_DEBUG : a->cfg->log.level);
	log_event(LOG_LVL_INFO, "log-level", LS("level", debug ? "debug" : "as configured"));
}

static int
open_signals(struct agent *a, struct zr_err *e)
{
	a->signals[0] = evsignal_new(a->base, SIGTERM, on_stop_signal, a);
	a->signals[1] = evsignal_new(a->base, SIGINT, on_stop_signal, a);
	a->signals[2] = evsignal_new(a->base, SIGHUP, on_reload_signal, a);
	a->signals[3] = evsignal_new(a->base, SIGUSR1, on_level_signal, a);
	for (size_t i = 0; i < sizeof(a->signals) / sizeof(a->signals[0]); i++)
		if (event_add(a->signals[i], NULL) != 0)
			return zr_fail(e, ZR_IO, "cannot take signals");
	return 0;
}

/* ---- opening ---- */

static struct zone *
find_zone(void *arg, const uint8_t *name)
{
	struct entry *en = entry_by_name(arg, name);

	return en == NULL ? NULL : &en->z;
}

static unsigned
descriptor_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) != 0)
		return 1024;
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
	getrlimit(RLIMIT_NOFILE, &r);
	return r.rlim_cur > 1000000 ? 1000000 : (unsigned)r.rlim_cur;
}

/* Strangers are turned away first, then peers; what we begin ourselves goes on longest. */
static void
share_descriptors(struct fd_limits *l, unsigned fds)
{
	unsigned spare = fds / 4 < SPARE_DESCRIPTORS ? fds / 4 : SPARE_DESCRIPTORS;

	l->own = (int)(fds - spare);
	l->peers = l->own - l->own / 8;
	l->strangers = l->own - l->own / 4;
}

static void
open_tables(struct agent *a)
{
	const struct sched_limits none[SCHED_WHAT_COUNT] = {{0, {0, 0}}};
	const struct bucket_rate slow = bucket_rate(1, 1);
	struct notifyin_conf nc = {.known = slow, .stranger = slow};
	struct notifyin_zones nz = {.find = find_zone, .delegated = cut_above, .arg = a};

	a->zones = table_new();
	a->by_id = table_new();
	a->jobs = table_new();
	a->clients = table_new();
	a->client_ips = table_new();
	a->streams = table_new();
	a->names = table_new();
	heap_init(&a->timers);
	heap_init(&a->owed_timers);
	heap_init(&a->forced_timers);
	a->asking_end = &a->asking;
	sched_init(&a->sched, none);
	a->replay = replay_new();
	a->notifyin = notifyin_new(&nc, &nz);
	a->query_limit = limiter_new(slow, QUERY_SOURCES);
	cookie_open(a);
	a->stranger_log = (struct log_limit){.interval_us = ZR_US_PER_S, .burst = STRANGER_BURST};
	a->zone_log = (struct log_limit){.interval_us = ZONE_LOG_US, .burst = ZONE_LOG_BURST};
	rng_seed(&a->rng, (uint64_t)rand_secure32() << 32 | rand_secure32());
}

static int
open_loop(struct agent *a, struct zr_err *e)
{
	unsigned fds = descriptor_limit(), queries = fds / 4, notifies = fds / 8;

	a->in = mbox_new();
	a->base = event_base_new();
	if (a->in == NULL || a->base == NULL)
		return zr_fail(e, ZR_IO,
		    "cannot make an event loop: raise the limit on descriptors (ulimit -n)");
	a->mail_event = event_new(a->base, mbox_fd(a->in), EV_READ | EV_PERSIST, inbox_event, a);
	a->more_event = event_new(a->base, -1, 0, inbox_event, a);
	a->timer_event = event_new(a->base, -1, 0, on_timer, a);
	a->sched_event = event_new(a->base, -1, 0, on_sched, a);
	if (event_add(a->mail_event, NULL) != 0)
		return zr_fail(e, ZR_IO, "cannot watch the mailbox");
	share_descriptors(&a->fds, fds);
	a->query_sockets = queries < QUERY_SOCKETS ? queries : QUERY_SOCKETS;
	a->udpq = udpq_new(a->base, a->query_sockets);
	a->notifyq = udpq_new(a->base, notifies < NOTIFY_SOCKETS ? notifies : NOTIFY_SOCKETS);
	return open_signals(a, e);
}

static int
open_workers(struct agent *a, struct zr_err *e)
{
	unsigned n = a->cfg->server.workers;

	a->workers = zr_xcalloc(n, sizeof(struct worker *));
	while (a->worker_count < n) {
		struct worker_conf c = {.index = a->worker_count,
		    .store = a->store,
		    .main = a->in,
		    .database = a->database};

		a->workers[a->worker_count] = worker_start(&c, e);
		if (a->workers[a->worker_count] == NULL)
			return -1;
		a->worker_count++;
	}
	return 0;
}

static int
open_store(struct agent *a, struct zr_err *e)
{
	struct store_conf c = {
	    .path = a->database, .slow = a->opt.store_slow_ms > 0, .slow_ms = a->opt.store_slow_ms};

	if (store_open(&a->store, &c, e) != 0)
		return -1;
	return reader_open(&a->reader, a->database, e);
}

struct agent *
agent_new(const struct agent_options *o, struct config *c, struct certs *certs, struct zr_err *e)
{
	struct agent *a = zr_xcalloc(1, sizeof(*a));

	a->opt = *o;
	a->cfg = c;
	a->certs = certs;
	a->database = zr_xstrdup(c->server.database);
	a->control = zr_xstrdup(c->server.control);
	agent_touch(a);
	a->started = a->now;
	open_tables(a);
	if (open_loop(a, e) != 0 || targets_open(a, e) != 0)
		goto fail;
	policy_build(a, NULL);
	/*
	 * The control socket first: it tells a second daemon apart before anything is touched.  Who
	 * asks before the zones are there is answered when they are.
	 */
	if (live_open(a, e) != 0 || listeners_open(a, e) != 0 || sandbox_close(c, e) != 0 ||
	    open_store(a, e) != 0 || open_workers(a, e) != 0 || restore_zones(a, e) != 0 ||
	    watchdog_open(a, e) != 0)
		goto fail;
	return a;
fail:
	agent_free(a);
	return NULL;
}

/* ---- the end ---- */

void
agent_maybe_quit(struct agent *a)
{
	if (!a->stopping || a->stopped_workers < a->worker_count || a->store_outstanding > 0 ||
	    hook_busy(a))
		return;
	event_base_loopbreak(a->base);
}

void
agent_stop(struct agent *a)
{
	if (a->stopping)
		return;
	a->stopping = true;
	log_event(LOG_LVL_INFO, "stopping");
	ready_tell("STOPPING=1");
	listeners_close(a);
	hook_stop(a);
	for (unsigned i = 0; i < a->worker_count; i++)
		worker_post(a->workers[i], mail_new(MAIL_STOP, sizeof(struct mail)));
	agent_maybe_quit(a);
}

void
agent_run(struct agent *a)
{
	struct timeval soon = {.tv_usec = 50000};
	int patience = 40; /* a client that does not read must not keep us */

	agent_touch(a);
	certs_watch(a);
	inbox_tell_ready(a);
	agent_schedule(a);
	inbox_log(a, true);
	event_base_dispatch(a->base);
	/* `stop` over the control socket is answered before the socket goes. */
	while (ctl_busy(a->ctl) && patience-- > 0) {
		event_base_loopexit(a->base, &soon);
		event_base_dispatch(a->base);
	}
	inbox_log(a, false);
}

static void
free_tables(struct agent *a)
{
	struct entry *en;
	void *p;
	size_t pos = 0;

	while ((en = table_next(a->zones, &pos)) != NULL)
		entry_free(en);
	pos = 0; /* removed ones that have not gone yet */
	while ((en = table_next(a->by_id, &pos)) != NULL)
		entry_free(en);
	struct table *owned[] = {a->jobs, a->clients, a->client_ips, a->streams, a->names};
	for (size_t i = 0; i < sizeof(owned) / sizeof(owned[0]); i++) {
		pos = 0;
		while ((p = table_next(owned[i], &pos)) != NULL)
			free(p);
		table_free(owned[i]);
	}
	table_free(a->zones);
	table_free(a->by_id);
	heap_clear(&a->timers);
	heap_clear(&a->owed_timers);
	heap_clear(&a->forced_timers);
}

static void
free_loop(struct agent *a)
{
	udpq_free(a->udpq);
	udpq_free(a->notifyq);
	for (size_t i = 0; i < sizeof(a->signals) / sizeof(a->signals[0]); i++)
		if (a->signals[i] != NULL)
			event_free(a->signals[i]);
	if (a->mail_event != NULL)
		event_free(a->mail_event);
	if (a->more_event != NULL)
		event_free(a->more_event);
	if (a->timer_event != NULL)
		event_free(a->timer_event);
	if (a->sched_event != NULL)
		event_free(a->sched_event);
	if (a->certs_event != NULL)
		event_free(a->certs_event);
	if (a->base != NULL)
		event_base_free(a->base);
}

static void
stop_workers(struct agent *a)
{
	/* After a failed start they run still; after agent_run() they have ended. */
	for (unsigned i = 0; i < a->worker_count; i++) {
		if (!a->stopping)
			worker_post(a->workers[i], mail_new(MAIL_STOP, sizeof(struct mail)));
		worker_free(a->workers[i]);
	}
	free(a->workers);
}

void
agent_free(struct agent *a)
{
	if (a == NULL)
		return;
	listeners_close(a);
	watchdog_close(a);
	hook_close(a);
	ctl_close(a->ctl);
	stop_workers(a);
	a->worker_count = 0;
	/* Readers first: the last handle to close is the writer's, which checkpoints. */
	reader_close(a->reader);
	restore_end(a);
	a->stopping = true;
	free_tables(a);
	targets_close(a);
	forced_free(a);
	inbox_free(a);
	a->lingering = 0;
	reload_sweep(a);
	policy_clear(a);
	sched_clear(&a->sched); /* lines of primaries may wait in it */
	for (size_t i = 0; i < a->primary_count; i++) {
		primary_clear(a->primaries[i]);
		free(a->primaries[i]);
	}
	for (size_t i = 0; i < a->retired_count; i++) {
		primary_clear(a->retired[i]);
		free(a->retired[i]);
	}
	free(a->primaries);
	free(a->retired);
	acl_free(a->primary_acl);
	acl_free(a->downstream_acl);
	notifyin_free(a->notifyin);
	replay_free(a->replay);
	limiter_free(a->query_limit);
	cookie_close(a);
	free_loop(a);
	certs_free(a->certs);
	config_free(a->cfg);
	free(a->database);
	free(a->control);
	free(a);
}
