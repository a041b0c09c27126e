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

static void
warn_fixed(const char *key, bool same)
{
	if (!same)
		log_event(LOG_LVL_WARN, "reload-needs-restart", LS("key", key));
}

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static void
warn_all_fixed(const struct agent *a, const struct config *now)
{
	warn_fixed("server.workers", now->server.workers == a->cfg->server.workers);
	warn_fixed("server.database", strcmp(now->server.database, a->database) == 0);
	warn_fixed("server.control", strcmp(now->server.control, a->control) == 0);
	warn_fixed("server.user", same_text(now->server.user, a->cfg->server.user));
	warn_fixed("server.confine", now->server.confine == a->cfg->server.confine);
	warn_fixed("server.core-dumps", now->server.core_dumps == a->cfg->server.core_dumps);
	warn_fixed("log.format", now->log.format == a->cfg->log.format);
	warn_fixed("log.to", now->log.dest == a->cfg->log.dest);
}

struct sink {
	void (*line)(void *arg, bool error, const char *text);
	void *arg;
};

static void
report_line(void *arg, bool error, const char *text)
{
	struct sink *s = arg;

	log_event(error ? LOG_LVL_ERROR : LOG_LVL_WARN, "config-problem", LS("text", text));
	if (s->line != NULL)
		s->line(s->arg, error, text);
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
	warn_all_fixed(a, now);
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
	listeners_open(a, &e); /* says itself what it could not open */
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
