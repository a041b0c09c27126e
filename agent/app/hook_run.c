/* SPDX-License-Identifier: BSD-2-Clause */
/* One try of a command: its child, how it ended, what is kept and said of that; and live facts. */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "app/helper.h"
#include "app/hook_p.h"
#include "base/mem.h"
#include "base/parse.h"

static const char *
kind_of(const struct hook_row *r)
{
	return r->forced ? "AXFR" : "SOA";
}

/* ---- the end ---- */

/* What was said by it stands behind; cut when it is too long. */
static void
describe(const struct hook_job *j, bool ran, int status, const char *line, char out[ZR_ERR_TEXT])
{
	const char *colon = *line != '\0' ? ": " : "";
	char limit[PARSE_TEXT_MAX];

	if (!ran)
		snprintf(out, ZR_ERR_TEXT, "%s", line);
	else if (j->run.state == HOOKRUN_ENDING)
		snprintf(out, ZR_ERR_TEXT, "not done in %s%s%s",
		    duration_text(j->timeout_us, limit), colon, line);
	else if (status < 0)
		snprintf(out, ZR_ERR_TEXT, "its exit status was lost%s%s", colon, line);
	else if (WIFSIGNALED(status))
		snprintf(out, ZR_ERR_TEXT, "signal %d%s%s", WTERMSIG(status), colon, line);
	else
		snprintf(out, ZR_ERR_TEXT, "exit %d%s%s", WEXITSTATUS(status), colon, line);
}

static enum hookrun_end
end_of(const struct hook_job *j, int status)
{
	if (j->run.state == HOOKRUN_ENDING || status < 0 || !WIFEXITED(status))
		return HOOKRUN_END_FAILED;
	if (WEXITSTATUS(status) == HOOKRUN_EXIT_NEVER)
		return HOOKRUN_END_NEVER;
	return WEXITSTATUS(status) == 0 ? HOOKRUN_END_OK : HOOKRUN_END_FAILED;
}

/* The row of an older one than is owed is gone by now: then only the result is kept. */
static void
store_result(
    const struct hook_job *j, enum hookrun_do verdict, int64_t duration_us, const char *text)
{
	const struct agent *a = j->agent;
	struct store_order *o = store_order_new(STORE_HOOK_SET, j->entry->z.id);
	struct store_hook *r = &o->hook.row;
	struct store_hook_result *t = &o->hook.result;

	r->id = j->tried.id;
	r->zone_id = j->entry->z.id;
	snprintf(r->name, sizeof(r->name), "%s", j->line->name);
	r->tries = j->run.tries;
	r->not_before = zone_wall(j->run.at_us, a->now);
	o->hook.remove = verdict != HOOKRUN_RETRY;
	o->hook.has_result = true;
	t->at = a->now.wall;
	t->duration_us = duration_us;
	t->forced = j->tried.forced;
	t->serial = j->tried.serial;
	snprintf(t->state, sizeof(t->state), "%s",
	    verdict == HOOKRUN_DONE    ? "done"
	    : verdict == HOOKRUN_RETRY ? "retry"
				       : "failed");
	snprintf(t->text, sizeof(t->text), "%s", text);
	agent_store(j->agent, o, false);
}

static void
log_result(struct hook_job *j, enum hookrun_do verdict, uint32_t tries, int64_t duration_us,
    const char *text)
{
	struct agent *a = j->agent;
	char name[NAME_TEXT_MAX];
	uint64_t more = 0;

	name_show(j->entry->name, name);
	if (verdict == HOOKRUN_DONE) {
		log_event(LOG_LVL_INFO, "hook-done", LS("zone", name),
		    LS("downstream", j->line->name), LU("serial", j->tried.serial),
		    LS("kind", kind_of(&j->tried)), LU("tries", tries),
		    LI("duration_us", duration_us));
		return;
	}
	if (!log_limit_pass(&a->zone_log, a->now.mono.us, &more))
		return;
	log_event(verdict == HOOKRUN_RETRY ? LOG_LVL_WARN : LOG_LVL_ERROR, "hook-failed",
	    LS("zone", name), LS("downstream", j->line->name), LU("serial", j->tried.serial),
	    LS("kind", kind_of(&j->tried)), LU("tries", tries), LI("duration_us", duration_us),
	    LS("reason", text), LB("again", verdict == HOOKRUN_RETRY),
	    LI("again_us", verdict == HOOKRUN_RETRY ? j->run.at_us - a->now.mono.us : 0),
	    LU("left_out", more));
}

/* No child of it runs now, or ever did. */
static void
try_ended(struct hook_job *j, enum hookrun_end end, const char *text)
{
	struct agent *a = j->agent;
	const struct config_argv *argv;
	const struct config_downstream *d =
	    j->entry == NULL ? NULL : hook_command(j->entry, j->line->name, j->tried.forced, &argv);
	struct hookrun_arg arg = {.end = end, .max_tries = d != NULL ? d->hook_tries : 0};
	int64_t duration_us = a->now.mono.us - j->started.us;
	uint32_t tries = j->run.tries + 1;
	enum hookrun_do verdict;

	hookq_done(&a->hooks->queue, &j->line->q);
	verdict = hookrun_step(&j->run, HOOKRUN_EV_ENDED, &arg, a->now.mono);
	if (j->entry != NULL) {
		store_result(j, verdict, duration_us, text);
		log_result(j, verdict, tries, duration_us, text);
	}
	free(j->text);
	j->text = zr_xstrdup(text);
	j->since = a->now.wall;
	hook_follow(j);
}

static void
link_running(struct hook_job *j)
{
	struct hooks *h = j->agent->hooks;

	j->running_next = h->running;
	j->running_link = &h->running;
	if (h->running != NULL)
		h->running->running_link = &j->running_next;
	h->running = j;
}

static void
unlink_running(struct hook_job *j)
{
	*j->running_link = j->running_next;
	if (j->running_next != NULL)
		j->running_next->running_link = j->running_link;
	j->running_next = NULL;
	j->running_link = NULL;
}

void
hook_ended(struct hook_job *j, bool ran, int status, const char *line)
{
	char text[ZR_ERR_TEXT], name[NAME_TEXT_MAX];
	struct hooks *h = j->agent->hooks;
	enum hookrun_end end;

	describe(j, ran, status, line, text);
	end = end_of(j, status);
	unlink_running(j);
	j->child = 0;
	if (!h->stopping && !h->gone) {
		try_ended(j, end, text);
		return;
	}
	/* It was ended before its time, so how it did says nothing, and is no try. */
	heap_del(&h->timers, &j->timer);
	if (j->entry != NULL)
		log_event(LOG_LVL_INFO, "hook-failed", LS("zone", name_show(j->entry->name, name)),
		    LS("downstream", j->line->name), LU("serial", j->tried.serial),
		    LS("kind", kind_of(&j->tried)),
		    LS("reason", h->gone ? "the process that runs commands has ended; "
					   "it is run again after the next start"
					 : "ended with the daemon; it is run again after "
					   "the next start"));
	else
		hook_forget(j);
}

/* ---- the start ---- */

void
hook_started(struct hook_job *j, pid_t pid)
{
	const struct config_argv *argv = NULL;
	char zone[NAME_TEXT_MAX];

	if (j->entry == NULL ||
	    hook_command(j->entry, j->line->name, j->tried.forced, &argv) == NULL)
		return;
	log_event(LOG_LVL_DEBUG, "hook-started", LS("zone", hook_zone(j->entry->name, zone)),
	    LS("downstream", j->line->name), LU("serial", j->tried.serial),
	    LS("kind", kind_of(&j->tried)), LU("tries", j->run.tries), LS("program", argv->v[0]),
	    LI("pid", pid));
}

static int
run(struct hook_job *j, struct zr_err *e)
{
	const struct hook_row *r = &j->tried;
	char zone[NAME_TEXT_MAX];
	const struct helper_job job = {.id = ++j->agent->hooks->next_child,
	    .downstream = j->line->name,
	    .zone = hook_zone(j->entry->name, zone),
	    .primary = r->primary,
	    .serial = r->serial,
	    .old_serial = r->old_serial,
	    .has_old = r->has_old,
	    .forced = r->forced};

	if (helper_run(j->agent->opt.helper, &job, e) != 0)
		return -1;
	j->child = job.id;
	return 0;
}

/* The helper is busy: nothing was tried. */
static void
put_off(struct hook_job *j)
{
	struct agent *a = j->agent;

	hookq_done(&a->hooks->queue, &j->line->q);
	hookrun_step(&j->run, HOOKRUN_EV_PUT_OFF, NULL, a->now.mono);
	hook_follow(j);
}

/* Whoever has no command any more was struck off before. */
void
hook_start(struct hook_job *j)
{
	struct agent *a = j->agent;
	const struct config_argv *argv;
	const struct config_downstream *d =
	    hook_command(j->entry, j->line->name, j->row.forced, &argv);
	struct hookrun_arg arg = {0};
	struct zr_err e;

	j->tried = j->row;
	j->started = a->now.mono;
	if (d == NULL) {
		try_ended(j, HOOKRUN_END_NEVER, "it has no command any more");
		return;
	}
	j->timeout_us = d->hook_timeout_us;
	if (run(j, &e) != 0) {
		if (e.code == ZR_LIMIT)
			put_off(j);
		else
			try_ended(j, HOOKRUN_END_FAILED, e.text);
		return;
	}
	link_running(j);
	j->since = a->now.wall;
	arg.timeout_us = j->timeout_us;
	hookrun_step(&j->run, HOOKRUN_EV_STARTED, &arg, a->now.mono);
	hook_follow(j);
}

/* ---- live facts ---- */

static void
json_job(struct buf *b, const struct hook_job *j)
{
	const struct hook_row *r = j->child != 0 ? &j->tried : &j->row;
	bool retry = j->child == 0 && j->run.tries > 0;
	char name[NAME_TEXT_MAX];

	buf_str(b, "{\"kind\":\"hook\",\"zone\":");
	buf_json(b, name_show(j->entry->name, name));
	buf_str(b, ",\"name\":");
	buf_json(b, j->line->name);
	buf_fmt(b, ",\"state\":\"%s\",\"forced\":%s,\"serial\":%u,\"since_at\":%lld,\"tries\":%u",
	    j->child != 0 ? "running"
	    : retry	  ? "retry"
			  : "waiting",
	    r->forced ? "true" : "false", r->serial, (long long)j->since.us, j->run.tries);
	if (j->run.at_us > j->agent->now.mono.us)
		buf_fmt(
		    b, ",\"next_at\":%lld", (long long)zone_wall(j->run.at_us, j->agent->now).us);
	if (j->text != NULL) {
		buf_str(b, ",\"text\":");
		buf_json(b, j->text);
	}
	buf_str(b, "}\n");
}

void
hook_json(struct buf *b, const struct entry *en)
{
	for (const struct hook_job *j = en->hooks; j != NULL; j = j->next)
		json_job(b, j);
}
