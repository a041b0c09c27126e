/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A new configuration over a running daemon: what did not change is not touched.  What needs a
 * restart (database, control socket, number of workers) is kept as it is and said so.
 */
#include <stdlib.h>
#include <string.h>

#include "app/agent_p.h"
#include "app/helper.h"
#include "app/ready.h"
#include "app/sandbox.h"
#include "base/mem.h"

/* Who asked for the reload; NULL: nobody waits for words. */
struct sink {
	void (*line)(void *arg, bool error, const char *text);
	void *arg;
};

static void
tell(const struct sink *s, bool error, const char *text)
{
	if (s->line != NULL)
		s->line(s->arg, error, text);
}

static void
report_line(void *arg, bool error, const char *text)
{
	log_event(error ? LOG_LVL_ERROR : LOG_LVL_WARN, "config-problem", LS("text", text));
	tell(arg, error, text);
}

static void
warn_fixed(const struct sink *s, const char *key, bool same)
{
	char text[128];

	if (same)
		return;
	log_event(LOG_LVL_WARN, "reload-needs-restart", LS("key", key));
	snprintf(text, sizeof(text), "%s stays as it is: a restart of zonerelayd changes it", key);
	tell(s, false, text);
}

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static void
warn_all_fixed(const struct agent *a, const struct config *now, const struct sink *s)
{
	const struct config_server *is = &a->cfg->server, *to = &now->server;

	warn_fixed(s, "server.workers", to->workers == is->workers);
	warn_fixed(s, "server.database", strcmp(to->database, a->database) == 0);
	warn_fixed(s, "server.control", strcmp(to->control, a->control) == 0);
	warn_fixed(s, "server.user", same_text(to->user, is->user));
	warn_fixed(s, "server.confine", to->confine == is->confine);
	warn_fixed(s, "server.core-dumps", to->core_dumps == is->core_dumps);
	warn_fixed(s, "log.format", now->log.format == a->cfg->log.format);
	warn_fixed(s, "log.to", now->log.dest == a->cfg->log.dest);
}

/* The configuration in force says what runs, so that the next reload is compared with that. */
static void
keep_fixed(struct agent *a, struct config *now)
{
	const struct config_server *is = &a->cfg->server;

	now->server.workers = is->workers;
	now->server.user = is->user != NULL ? (char *)(uintptr_t)agent_intern(a, is->user) : NULL;
	now->server.confine = is->confine;
	now->server.core_dumps = is->core_dumps;
	now->log.format = a->cfg->log.format;
	now->log.dest = a->cfg->log.dest;
}

static void
retire_snapshot(struct agent *a, struct config *old, struct policy *policies)
{
	struct snapshot *s = zr_xcalloc(1, sizeof(*s));

	s->cfg = old;
	s->policies = policies;
	s->next = a->old;
	a->old = s;
	reload_sweep(a);
}

void
reload_sweep(struct agent *a)
{
	struct snapshot *s;
	struct policy *p;

	if (a->lingering > 0)
		return; /* removed zones that end a commit still look at it */
	while ((s = a->old) != NULL) {
		a->old = s->next;
		while ((p = s->policies) != NULL) {
			s->policies = p->next;
			free(p->zp.primaries);
			free(p);
		}
		/* Retired primaries point at their configuration for the name only while used. */
		config_free(s->cfg);
		free(s);
	}
	policy_sweep_retired(a);
}

static int
apply(struct agent *a, struct reload_count *n, struct sink *sink)
{
	struct config_report report = {
	    .line = report_line, .arg = sink, .denied = sandbox_file_advice()};
	struct config *now = config_load(a->opt.config_path, &report), *before = a->cfg;
	struct certs *certs = now != NULL ? certs_load(now, &report) : NULL;
	struct policy *policies = a->policies;
	struct zr_err e;

	if (certs == NULL) {
		config_free(now);
		log_event(LOG_LVL_ERROR, "reload-failed", LS("file", a->opt.config_path),
		    LS("reason", "errors in the configuration; the old one stays in force"));
		return -1;
	}
	agent_touch(a);
	warn_all_fixed(a, now, sink);
	keep_fixed(a, now);
	config_keys_adopt(now, before);
	certs_adopt(certs, a->certs);
	certs_free(a->certs);
	a->certs = certs;
	a->cfg = now;
	log_set_level(a->opt.debug ? LOG_LVL_DEBUG : now->log.level);
	policy_build(a, before);
	targets_reconfigure(a);
	zones_apply(a, n);
	helper_reload(a->opt.helper);
	if (listeners_open(a, &e) != 0) /* the log has each */
		tell(sink, false, e.text);
	retire_snapshot(a, before, policies);
	log_event(LOG_LVL_INFO, "reloaded", LU("zones", n->zones), LU("added", n->added),
	    LU("removed", n->removed), LU("changed", n->changed));
	certs_watch(a);
	agent_schedule(a);
	return 0;
}

int
agent_reload(struct agent *a, struct reload_count *n,
    void (*problem)(void *arg, bool error, const char *text), void *arg)
{
	struct sink sink = {problem, arg};
	int rc;

	ready_reloading();
	rc = apply(a, n, &sink);
	ready_tell("READY=1");
	return rc;
}
