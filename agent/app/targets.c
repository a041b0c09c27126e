/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NOTIFYs of zones without a list of targets.  A commit leaves one row without target in the
 * outbox; here it becomes one row for each target, as their addresses are found.  Until all have
 * been settled the row stays, so that after a crash everything is looked for again: better twice
 * than never.  Zones have their turn in a queue, a few at a time, and wait for names, not for each
 * other.
 */
#include <stdlib.h>
#include <string.h>

#include "app/targets_p.h"
#include "base/mem.h"
#include "wire/name.h"

#define ZONES_PER_TURN 64
#define AGAIN_MIN_US (60 * ZR_US_PER_S)
#define AGAIN_MAX_US (3600 * ZR_US_PER_S)
/* Our own database could not be read or written. */
#define TROUBLE_US (10 * ZR_US_PER_S)

static const struct timeval next_turn = {0, 0};

/* ---- the queue, and the timers ---- */

static void
enqueue(struct zone_targets *zt)
{
	struct targets *t = zt->entry->agent->targets;

	if (zt->link != NULL)
		return;
	heap_del(&t->timers, &zt->timer);
	zt->next = NULL;
	zt->link = t->queue_end;
	*t->queue_end = zt;
	t->queue_end = &zt->next;
	event_add(t->work_event, &next_turn);
}

static void
dequeue(struct zone_targets *zt)
{
	struct targets *t = zt->entry->agent->targets;

	if (zt->link == NULL)
		return;
	*zt->link = zt->next;
	if (zt->next != NULL)
		zt->next->link = zt->link;
	else
		t->queue_end = zt->link;
	zt->link = NULL;
}

static void
rearm(struct targets *t)
{
	const struct heap_node *n = heap_peek(&t->timers);

	agent_arm(t->agent, t->timer_event, n == NULL ? INT64_MAX : n->at);
}

static void
later(struct zone_targets *zt, int64_t us)
{
	struct targets *t = zt->entry->agent->targets;

	heap_set(&t->timers, &zt->timer, t->agent->now.mono.us + us);
	rearm(t);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct targets *t = arg;
	struct heap_node *n;

	(void)fd;
	(void)what;
	agent_touch(t->agent);
	while ((n = heap_pop_due(&t->timers, t->agent->now.mono.us)) != NULL)
		enqueue(ZR_CONTAINER(n, struct zone_targets, timer));
	rearm(t);
}

void
targets_resolved(void *zone_targets)
{
	enqueue(zone_targets);
}

/* ---- one row ---- */

static void
clear_waits(struct targets_run *run)
{
	struct host_wait *w;

	while ((w = run->waits) != NULL) {
		run->waits = w->next;
		resolver_cancel(&w->w);
		free(w);
	}
}

static void
run_clear(struct targets_run *run)
{
	clear_waits(run);
	free(run->posted);
	*run = (struct targets_run){0};
}

static void
run_end(struct zone_targets *zt)
{
	struct agent *a = zt->entry->agent;

	if (zt->run == NULL)
		return;
	run_clear(zt->run);
	free(zt->run);
	zt->run = NULL;
	dequeue(zt);
	heap_del(&a->targets->timers, &zt->timer);
}

static struct zone_targets *
get(struct entry *en)
{
	if (en->targets == NULL) {
		en->targets = zr_xcalloc(1, sizeof(*en->targets));
		en->targets->entry = en;
	}
	return en->targets;
}

void
targets_expand(struct entry *en, const struct store_notify *row)
{
	struct zone_targets *zt = get(en);

	if (zt->run == NULL)
		zt->run = zr_xcalloc(1, sizeof(*zt->run));
	run_clear(zt->run);
	zt->run->row = *row;
	zt->run->since = en->agent->now.mono;
	zt->stale = zt->outstanding;
	enqueue(zt);
}

/* ---- what was found ---- */

/* Addresses that are notified; also-notify has rows of its own, and is in the configuration. */
static void
keep(struct zone_targets *zt, const struct survey *s)
{
	zt->generation = zt->entry->agent->targets->generation;
	zt->partial = s->asking + s->again > 0;
	zt->in_count = 0;
	free(zt->in);
	zt->in = zr_xcalloc(s->count + 1, sizeof(*zt->in));
	for (size_t i = 0; i < s->count; i++)
		if (s->v[i].why == TARGETS_IN)
			zt->in[zt->in_count++] = s->v[i].addr;
	zt->in = zr_xrealloc(zt->in, (zt->in_count + 1u) * sizeof(*zt->in));
}

static void
log_found(const struct zone_targets *zt, const struct survey *s)
{
	char name[NAME_TEXT_MAX];
	unsigned unresolved = 0;

	if (!log_enabled(LOG_LVL_DEBUG))
		return;
	for (size_t i = 0; i < s->count; i++)
		unresolved += s->v[i].why == TARGETS_UNRESOLVED;
	log_event(LOG_LVL_DEBUG, "targets-found", LS("zone", name_show(zt->entry->name, name)),
	    LU("serial", zt->run->row.serial), LU("hosts", s->host_count), LU("in", zt->in_count),
	    LU("unresolved", unresolved), LU("asking", s->asking));
}

static void
log_failed(const struct zone_targets *zt, const struct zr_err *e)
{
	struct agent *a = zt->entry->agent;
	char name[NAME_TEXT_MAX];
	uint64_t more;

	if (log_limit_pass(&a->zone_log, a->now.mono.us, &more))
		log_event(LOG_LVL_ERROR, "targets-failed",
		    LS("zone", name_show(zt->entry->name, name)), LS("reason", e->text),
		    LU("left_out", more));
}

static void
log_unresolved(struct zone_targets *zt, const struct target *t)
{
	struct agent *a = zt->entry->agent;
	char name[NAME_TEXT_MAX], host[NAME_TEXT_MAX];
	uint64_t more;

	if (log_limit_pass(&a->zone_log, a->now.mono.us, &more))
		log_event(LOG_LVL_WARN, "target-unresolved",
		    LS("zone", name_show(zt->entry->name, name)),
		    LS("host", name_show(t->host, host)), LS("reason", t->text),
		    LU("left_out", more));
}

/* Once for as long as it is the same hosts. */
static void
tell_unresolved(struct zone_targets *zt, const struct survey *s)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < s->count; i++)
		if (s->v[i].why == TARGETS_UNRESOLVED)
			sum += table_hash(s->v[i].host, name_len(s->v[i].host)) | 1;
	for (size_t i = 0; i < s->count && sum != zt->told; i++)
		if (s->v[i].why == TARGETS_UNRESOLVED)
			log_unresolved(zt, &s->v[i]);
	zt->told = sum;
}

/* ---- rows ---- */

/* The rows are on disk; those of these hosts are not. */
static void
note_missing(struct zone_targets *zt)
{
	struct targets_run *run = zt->run;
	struct store_order *o;

	if (run->missing == run->row.tries)
		return;
	run->row.tries = run->missing;
	o = store_order_new(STORE_OUTBOX_SET, zt->entry->z.id);
	o->notify.row = run->row;
	agent_store(zt->entry->agent, o, false);
}

/* `last`: the row without target goes. */
static void
post(struct zone_targets *zt, const struct survey *s, bool last)
{
	struct entry *en = zt->entry;
	struct store_order *o;
	struct store_notify *v;
	size_t n;

	v = targets_rows(zt, s, &n);
	n = outbox_spread(en, v, n);
	if (n == 0 && !last) {
		free(v);
		return;
	}
	o = store_order_new(STORE_OUTBOX_ADD, en->z.id);
	o->cookie = en->epoch;
	o->outbox.v = v;
	o->outbox.count = n;
	o->outbox.replaces = last ? zt->run->row.id : 0;
	zt->outstanding = true;
	zt->stale = false;
	zt->last = last;
	agent_store(en->agent, o, true);
}

/* Whoever has not been found until now has expired the zone, and will come by itself. */
static bool
given_up(const struct zone_targets *zt)
{
	const struct entry *en = zt->entry;
	int64_t expire = (int64_t)en->z.times.expire * ZR_US_PER_S;

	return expire > 0 && en->agent->now.mono.us - zt->run->since.us > expire;
}

static void
again(struct zone_targets *zt)
{
	struct targets_run *run = zt->run;

	run->delay_us = run->delay_us == 0 ? AGAIN_MIN_US : run->delay_us * 2;
	if (run->delay_us > AGAIN_MAX_US)
		run->delay_us = AGAIN_MAX_US;
	later(zt, run->delay_us);
}

static void
work(struct zone_targets *zt)
{
	struct targets_run *run = zt->run;
	struct survey s;
	struct zr_err e;
	bool last;

	zt->missed = zt->outstanding;
	if (run == NULL || zt->outstanding)
		return;
	clear_waits(run);
	if (survey_take(&s, zt->entry, SURVEY_WAIT, &run->waits, &e) != 0) {
		clear_waits(run);
		log_failed(zt, &e);
		later(zt, TROUBLE_US);
		return;
	}
	keep(zt, &s);
	log_found(zt, &s);
	run->missing = targets_missing(&s);
	last = s.asking + s.again == 0 || given_up(zt);
	if (s.asking == 0 || last)
		tell_unresolved(zt, &s);
	if (!last && s.asking == 0)
		again(zt);
	post(zt, &s, last);
	survey_clear(&s);
}

void
targets_posted(struct entry *en, const struct store_order *o)
{
	struct zone_targets *zt = en->targets;

	if (zt == NULL || !zt->outstanding)
		return;
	zt->outstanding = false;
	if (zt->run == NULL)
		return;
	if (o->err.code != ZR_OK) {
		zt->run->posted_count = 0;
		later(zt, TROUBLE_US);
	} else if (zt->last && !zt->stale) {
		run_end(zt);
	} else if (!zt->stale) {
		note_missing(zt);
	}
	if (zt->missed && zt->run != NULL)
		enqueue(zt);
}

static void
on_work(evutil_socket_t fd, short what, void *arg)
{
	struct targets *t = arg;
	struct zone_targets *zt;

	(void)fd;
	(void)what;
	agent_touch(t->agent);
	for (int i = 0; i < ZONES_PER_TURN && (zt = t->queue) != NULL; i++) {
		dequeue(zt);
		if (!t->agent->stopping)
			work(zt);
	}
	if (t->queue != NULL)
		event_add(t->work_event, &next_turn);
}

/* ---- questions ---- */

bool
targets_computed(const struct entry *en)
{
	return entry_config(en)->notify_targets != CONFIG_TARGETS_EXPLICIT;
}

/* After a reload: as well as it is known without asking. */
static void
renew(struct zone_targets *zt)
{
	struct survey s;
	struct zr_err e;

	if (survey_take(&s, zt->entry, SURVEY_KNOWN, NULL, &e) != 0)
		return;
	keep(zt, &s);
	survey_clear(&s);
}

bool
targets_has(const struct entry *en, const struct zr_addr *target)
{
	const struct config_policy *p = entry_config(en);
	struct zone_targets *zt = en->targets;

	if (targets_among(p->also_notify.v, p->also_notify.n, target))
		return true;
	if (!targets_computed(en))
		return false;
	if (zt == NULL || zt->generation == 0)
		return true;
	if (zt->generation != en->agent->targets->generation)
		renew(zt);
	return zt->partial || targets_among(zt->in, zt->in_count, target);
}

/* ---- life ---- */

void
targets_drop(struct entry *en)
{
	struct zone_targets *zt = en->targets;

	if (zt == NULL)
		return;
	run_end(zt);
	free(zt->in);
	free(zt);
	en->targets = NULL;
}

int
targets_open(struct agent *a, struct zr_err *e)
{
	const struct config_addrs *servers = &a->cfg->server.resolver;
	struct targets *t = zr_xcalloc(1, sizeof(*t));

	a->targets = t;
	t->agent = a;
	t->generation = 1;
	t->queue_end = &t->queue;
	heap_init(&t->timers);
	t->work_event = event_new(a->base, -1, 0, on_work, t);
	t->timer_event = event_new(a->base, -1, 0, on_timer, t);
	t->resolver = resolver_new(a->base, servers->v, servers->n);
	if (t->work_event == NULL || t->timer_event == NULL)
		return zr_fail(e, ZR_IO, "cannot make the timers of the targets");
	return 0;
}

void
targets_close(struct agent *a)
{
	struct targets *t = a->targets;

	if (t == NULL)
		return;
	resolver_free(t->resolver);
	if (t->work_event != NULL)
		event_free(t->work_event);
	if (t->timer_event != NULL)
		event_free(t->timer_event);
	heap_clear(&t->timers);
	free(t->interfaces);
	free(t);
	a->targets = NULL;
}

void
targets_reconfigure(struct agent *a)
{
	const struct config_addrs *servers = &a->cfg->server.resolver;
	struct targets *t = a->targets;
	struct heap_node *n;

	t->generation++;
	t->interfaces_at.us = 0;
	resolver_configure(t->resolver, servers->v, servers->n);
	while ((n = heap_pop_due(&t->timers, INT64_MAX)) != NULL) {
		struct zone_targets *zt = ZR_CONTAINER(n, struct zone_targets, timer);

		zt->run->delay_us = 0;
		enqueue(zt);
	}
}
