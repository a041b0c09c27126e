/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commands of downstreams: rows written with the commit become jobs, one for each zone and
 * downstream, and jobs get their turn.  So the queue is never longer than the zones are many, times
 * their downstreams, and no more commands run at once than the configuration says.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "app/helper.h"
#include "app/hook_p.h"
#include "base/mem.h"

/* Started in one turn of the loop. */
#define STARTS_PER_TURN 4
#define TIMERS_PER_TURN 1000
static const struct timeval next_turn = {0, 0};

/* ---- the configuration ---- */

static const struct config_argv *
argv_of(const struct config_downstream *d, bool forced)
{
	const struct config_argv *c = forced ? &d->on_forced : &d->on_change;

	return c->n > 0 ? c : NULL;
}

const struct config_downstream *
hook_command(
    const struct entry *en, const char *downstream, bool forced, const struct config_argv **argv)
{
	const struct config_policy *p = entry_config(en);

	for (size_t i = 0; i < p->downstream_count; i++) {
		const struct config_downstream *d = p->downstreams[i];

		if (strcmp(d->name, downstream) != 0)
			continue;
		*argv = argv_of(d, forced);
		return *argv != NULL ? d : NULL;
	}
	return NULL;
}

/* More than one downstream has commands, so none may have every place. */
static bool
is_shared(const struct config *c)
{
	unsigned n = 0;

	for (size_t i = 0; i < c->downstream_count && n < 2; i++)
		n += c->downstreams[i].on_forced.n > 0 || c->downstreams[i].on_change.n > 0;
	return n > 1;
}

/* ---- rows ---- */

static void
fill_row(struct store_hook *r, const struct entry *en, const struct config_downstream *d,
    const struct zone_commit *zc, bool forced, const char *source)
{
	r->zone_id = en->z.id;
	snprintf(r->name, sizeof(r->name), "%s", d->name);
	snprintf(r->source, sizeof(r->source), "%s", source);
	r->forced = forced;
	r->serial = zc->serial;
	r->old_serial = zc->old_serial;
	r->has_old = zc->had_data;
	r->not_before = en->agent->now.wall;
}

/*
 * After a forced transfer also when it brought nothing new: so the draft wants it.  Without
 * a command for that, it is a change like any other.
 */
struct store_hook *
hook_rows(struct entry *en, const struct zone_commit *zc, const char *source, size_t *count)
{
	const struct config_policy *p = entry_config(en);
	struct store_hook *v = NULL;

	*count = 0;
	if (!zc->forced && !zc->content)
		return NULL;
	for (size_t i = 0; i < p->downstream_count; i++) {
		const struct config_downstream *d = p->downstreams[i];

		bool forced = zc->forced && d->on_forced.n > 0;

		if (argv_of(d, forced) == NULL || (!forced && !zc->content))
			continue;
		if (v == NULL)
			v = zr_xcalloc(p->downstream_count, sizeof(*v));
		fill_row(&v[(*count)++], en, d, zc, forced, source);
	}
	return v;
}

static void
remove_row(struct agent *a, int64_t zone, const char *name, int64_t id)
{
	struct store_order *o = store_order_new(STORE_HOOK_SET, zone);

	o->hook.row.id = id;
	o->hook.row.zone_id = zone;
	snprintf(o->hook.row.name, sizeof(o->hook.row.name), "%s", name);
	o->hook.remove = true;
	agent_store(a, o, false);
}

/* Nobody is told in its place: the operator hears of it. */
static void
drop_row(struct entry *en, const char *downstream, int64_t id, bool forced, uint32_t serial)
{
	char name[NAME_TEXT_MAX];

	log_event(LOG_LVL_WARN, "hook-dropped", LS("zone", name_show(en->name, name)),
	    LS("downstream", downstream), LS("kind", forced ? "AXFR" : "SOA"), LU("serial", serial),
	    LS("reason", "this downstream has no command for it any more"));
	remove_row(en->agent, en->z.id, downstream, id);
}

/* ---- turns ---- */

static void
pump_soon(struct hooks *h)
{
	if (!h->stopping && !h->gone && !event_pending(h->pump, EV_TIMEOUT, NULL))
		event_add(h->pump, &next_turn);
}

static void
rearm(struct agent *a)
{
	struct hooks *h = a->hooks;
	struct heap_node *n = heap_peek(&h->timers);

	if (n != NULL && !h->stopping)
		agent_arm(a, h->timer, n->at);
}

static void
on_pump(evutil_socket_t fd, short what, void *arg)
{
	struct agent *a = arg;
	struct hooks *h = a->hooks;
	bool shared = is_shared(a->cfg);
	struct hookq_line *l;
	struct hookq_node *n;
	int i;

	(void)fd;
	(void)what;
	agent_touch(a);
	for (i = 0; i < STARTS_PER_TURN && !h->stopping && !h->gone; i++) {
		n = hookq_take(&h->queue, a->cfg->server.max_hooks, shared, &l);
		if (n == NULL)
			break;
		hook_start(ZR_CONTAINER(n, struct hook_job, turn));
	}
	if (i == STARTS_PER_TURN)
		pump_soon(h);
	rearm(a);
}

void
hook_forget(struct hook_job *j)
{
	struct hooks *h = j->agent->hooks;
	struct hook_job **p;

	if (j->entry != NULL) {
		for (p = &j->entry->hooks; *p != j;)
			p = &(*p)->next;
		*p = j->next;
	}
	if (h != NULL) {
		hookq_del(&h->queue, &j->turn);
		heap_del(&h->timers, &j->timer);
	}
	free(j->text);
	free(j);
}

void
hook_follow(struct hook_job *j)
{
	struct hooks *h = j->agent->hooks;

	if (j->run.state == HOOKRUN_OVER)
		hook_forget(j);
	else if (j->run.at_us != 0)
		heap_set(&h->timers, &j->timer, j->run.at_us);
	else
		heap_del(&h->timers, &j->timer);
}

static void
step(struct hook_job *j, enum hookrun_event ev, const struct hookrun_arg *arg)
{
	struct hooks *h = j->agent->hooks;

	switch (hookrun_step(&j->run, ev, arg, j->agent->now.mono)) {
	case HOOKRUN_QUEUE:
		hookq_add(&h->queue, &j->line->q, &j->turn);
		pump_soon(h);
		break;
	case HOOKRUN_TERM:
		helper_signal(j->agent->opt.helper, j->child, SIGTERM);
		break;
	case HOOKRUN_KILL:
		helper_signal(j->agent->opt.helper, j->child, SIGKILL);
		break;
	default:
		break;
	}
	hook_follow(j);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct agent *a = arg;
	struct hooks *h = a->hooks;
	struct heap_node *n;

	(void)fd;
	(void)what;
	agent_touch(a);
	if (h->stopping) { /* they have had their time */
		for (struct hook_job *j = h->running; j != NULL; j = j->running_next)
			helper_signal(j->agent->opt.helper, j->child, SIGKILL);
		h->killed = true;
		agent_maybe_quit(a);
		return;
	}
	for (int i = 0; i < TIMERS_PER_TURN; i++) {
		n = heap_pop_due(&h->timers, a->now.mono.us);
		if (n == NULL)
			break;
		step(ZR_CONTAINER(n, struct hook_job, timer), HOOKRUN_EV_TIMER, NULL);
	}
	rearm(a);
}

/* ---- what the helper says ---- */

static struct hook_job *
job_of(struct agent *a, uint64_t child)
{
	struct hook_job *j = a->hooks->running;

	while (j != NULL && j->child != child)
		j = j->running_next;
	return j;
}

static void
on_started(void *arg, uint64_t child, pid_t pid)
{
	struct hook_job *j = job_of(arg, child);

	if (j != NULL)
		hook_started(j, pid);
}

static void
on_ended(void *arg, uint64_t child, bool ran, int status, const char *line)
{
	struct agent *a = arg;
	struct hook_job *j = job_of(a, child);

	agent_touch(a);
	if (j != NULL)
		hook_ended(j, ran, status, line);
	pump_soon(a->hooks);
	rearm(a);
	agent_maybe_quit(a);
}

static void
on_stale(void *arg, const char *why)
{
	(void)arg;
	log_event(LOG_LVL_ERROR, "hook-commands-old", LS("reason", why),
	    LS("next", "commands are those from before the reload; mend it and reload again"));
}

/* Nobody can start it again from in here.  What is owed stays on disk. */
static void
on_gone(void *arg)
{
	struct agent *a = arg;
	struct hook_job *j;

	agent_touch(a);
	a->hooks->gone = true;
	log_event(LOG_LVL_ERROR, "hook-helper-gone",
	    LS("next", "commands wait until zonerelayd is restarted"));
	while ((j = a->hooks->running) != NULL)
		hook_ended(j, false, -1, "the process that runs commands has ended");
	rearm(a);
	agent_maybe_quit(a);
}

static const struct helper_events helper_events = {on_started, on_ended, on_stale, on_gone};

/* ---- jobs ---- */

static struct hook_line *
line_of(struct agent *a, const char *name)
{
	struct hooks *h = a->hooks;
	struct hook_line *l = table_get(h->lines, name, strlen(name));

	if (l != NULL)
		return l;
	l = zr_xcalloc(1, sizeof(*l));
	l->name = agent_intern(a, name);
	table_put(h->lines, l->name, strlen(l->name), l);
	return l;
}

static void
take_row(struct hook_job *j, const struct store_hook *r)
{
	j->row.id = r->id;
	j->row.serial = r->serial;
	j->row.old_serial = r->old_serial;
	j->row.has_old = r->has_old;
	j->row.forced = r->forced;
	j->row.primary = agent_intern(j->agent, r->source);
}

static void
owe(struct entry *en, const struct store_hook *r)
{
	struct agent *a = en->agent;
	struct hook_line *l = line_of(a, r->name);
	struct hookrun_arg arg = {.not_before = agent_mono(a, r->not_before), .tries = r->tries};
	struct hook_job *j;

	for (j = en->hooks; j != NULL; j = j->next) {
		if (j->line != l)
			continue;
		take_row(j, r);
		if (j->child == 0)
			j->since = a->now.wall;
		step(j, HOOKRUN_EV_NEWER, &arg);
		return;
	}
	j = zr_xcalloc(1, sizeof(*j));
	j->agent = a;
	j->entry = en;
	j->line = l;
	j->since = a->now.wall;
	j->next = en->hooks;
	en->hooks = j;
	take_row(j, r);
	hookrun_init(&j->run, arg.not_before, r->tries);
	step(j, HOOKRUN_EV_TIMER, NULL);
}

void
hook_owe(struct entry *en, const struct store_hook *rows, size_t n)
{
	const struct config_argv *argv;

	for (size_t i = 0; i < n; i++) {
		const struct store_hook *r = &rows[i];

		if (hook_command(en, r->name, r->forced, &argv) != NULL)
			owe(en, r);
		else
			drop_row(en, r->name, r->id, r->forced, r->serial);
	}
	if (n > 0)
		rearm(en->agent);
}

/* After a reload.  A command that changed is used for the next try. */
void
hook_reconfigure(struct entry *en)
{
	struct hook_job *j, *next;
	const struct config_argv *argv;

	for (j = en->hooks; j != NULL; j = next) {
		next = j->next;
		if (hook_command(en, j->line->name, j->row.forced, &argv) != NULL)
			continue;
		drop_row(en, j->line->name, j->row.id, j->row.forced, j->row.serial);
		step(j, HOOKRUN_EV_STRUCK, NULL);
	}
	if (en->agent->hooks != NULL)
		pump_soon(en->agent->hooks); /* there may be more places now */
}

void
hook_drop(struct entry *en)
{
	struct hook_job *j;

	/* NOLINTBEGIN(clang-analyzer-unix.Malloc): forgetting takes it out of the list */
	while ((j = en->hooks) != NULL) {
		if (en->agent->hooks == NULL || j->child == 0) {
			hook_forget(j);
			continue;
		}
		en->hooks = j->next;
		j->entry = NULL;
		step(j, HOOKRUN_EV_STRUCK, NULL);
	}
	/* NOLINTEND(clang-analyzer-unix.Malloc) */
}

/* ---- life ---- */

int
hook_open(struct agent *a, struct zr_err *e)
{
	struct hooks *h = zr_xcalloc(1, sizeof(*h));

	heap_init(&h->timers);
	h->lines = table_new();
	h->timer = event_new(a->base, -1, 0, on_timer, a);
	h->pump = event_new(a->base, -1, 0, on_pump, a);
	a->hooks = h;
	return helper_attach(a->opt.helper, a->base, &helper_events, a, e);
}

void
hook_stop(struct agent *a)
{
	const struct timeval patience = {HOOKRUN_KILL_US / ZR_US_PER_S, 0};
	struct hooks *h = a->hooks;

	if (h == NULL || h->stopping)
		return;
	h->stopping = true;
	event_del(h->pump);
	for (struct hook_job *j = h->running; j != NULL; j = j->running_next)
		helper_signal(j->agent->opt.helper, j->child, SIGTERM);
	if (h->running != NULL)
		event_add(h->timer, &patience);
	else
		event_del(h->timer);
}

bool
hook_busy(const struct agent *a)
{
	return a->hooks != NULL && a->hooks->running != NULL && !a->hooks->killed;
}

void
hook_close(struct agent *a)
{
	struct hooks *h = a->hooks;
	struct hook_job *j;
	struct hook_line *l;
	size_t pos = 0;

	if (h == NULL)
		return;
	while ((j = h->running) != NULL) {
		h->running = j->running_next;
		helper_signal(j->agent->opt.helper, j->child, SIGKILL);
		j->child = 0;
		if (j->entry == NULL)
			hook_forget(j);
	}
	while ((l = table_next(h->lines, &pos)) != NULL)
		free(l);
	table_free(h->lines);
	heap_clear(&h->timers);
	helper_detach(a->opt.helper);
	event_free(h->timer);
	event_free(h->pump);
	free(h);
	a->hooks = NULL;
}
