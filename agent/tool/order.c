/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands the daemon carries out. */
#include "tool/tool.h"

#include "base/clock.h"
#include "tool/wait.h"

#include <stdlib.h>
#include <string.h>

/* What came of an order: the line of kind "order"; lines of other kinds are shown at once. */
struct outcome {
	struct tool *t;
	struct look *look;
	bool seen;
	int64_t zones, notifies, added, removed, changed;
	struct buf line;
};

static int
take_line(void *arg, const char *text, struct zr_err *e)
{
	struct outcome *o = arg;
	sqlite3_stmt *s = look_stmt(o->look, SQL_TOOL_ORDER, e);

	if (s == NULL)
		return -1;
	look_bind_text(s, ":line", text);
	if (look_step(o->look, s, e) != 1)
		return -1;
	if (strcmp(look_text(s, "kind"), "order") == 0) {
		o->seen = true;
		o->zones = look_int(s, "zones");
		o->notifies = look_int(s, "notifies");
		o->added = look_int(s, "added");
		o->removed = look_int(s, "removed");
		o->changed = look_int(s, "changed");
		buf_reset(&o->line);
		buf_str(&o->line, text);
	} else if (strcmp(look_text(s, "kind"), "problem") == 0) {
		tool_warn("%s", look_text(s, "text"));
	}
	sqlite3_reset(s);
	return 0;
}

/* Sends the order; 0 with the outcome or an exit status, after saying why. */
static int
order(struct tool *t, int argc, const char *const *words, struct outcome *o)
{
	struct zr_err e;
	int rc = need_daemon(t);

	*o = (struct outcome){.t = t};
	if (rc != TOOL_OK)
		return rc;
	if (t->look == NULL && look_open(&t->look, NULL, clock_now().wall.us, &e) != 0)
		return tool_fail(&e);
	o->look = t->look;
	if (daemon_ask(t, argc, words, take_line, o, &e) == 0) {
		if (t->args.json)
			fprintf(t->out, "%s\n", o->seen ? buf_cstr(&o->line) : "{}");
		buf_clear(&o->line);
		return TOOL_OK;
	}
	buf_clear(&o->line);
	if (ctl_client_broken(t->client)) {
		tool_warn("%s", e.text);
		return TOOL_NO_DAEMON;
	}
	tool_warn("%s", e.text);
	return e.code == ZR_NOTFOUND ? TOOL_NO_ZONE : e.code == ZR_CONF ? TOOL_USAGE : TOOL_FAILED;
}

static const char *
plural(int64_t n, const char *one, const char *many)
{
	return n == 1 ? one : many;
}

int
cmd_refresh(struct tool *t)
{
	const char *words[] = {t->args.command->name, t->args.all ? "--all" : t->zone_text};
	struct outcome o;
	bool json = t->args.json;
	int rc;

	/* With --wait the answer is how it ended. */
	t->args.json = json && !t->args.wait;
	rc = order(t, 2, words, &o);
	t->args.json = json;
	if (rc != TOOL_OK)
		return rc;
	if (t->args.wait)
		return wait_zone(t);
	if (!json && t->args.all)
		fprintf(t->out, "%lld %s will be checked\n", (long long)o.zones,
		    plural(o.zones, "zone", "zones"));
	else if (!json)
		fprintf(t->out, "%s will be %s\n", t->zone_text,
		    strcmp(words[0], "refresh") == 0 ? "checked" : "transferred");
	return TOOL_OK;
}

static void
say_notifies(struct tool *t, int64_t n)
{
	const char *kind = t->args.axfr ? "NOTIFY(AXFR)" : "NOTIFY";

	if (n == 0)
		fprintf(t->out, "%s: %s will be sent as soon as the targets are found out\n",
		    t->zone_text, kind);
	else
		fprintf(t->out, "%s: %lld %s%s will be sent\n", t->zone_text, (long long)n, kind,
		    n == 1 ? "" : "s");
}

int
cmd_notify(struct tool *t)
{
	const char *words[] = {
	    t->args.axfr ? "notify-axfr" : "notify", t->zone_text, t->args.operand[1]};
	struct wait_notify w = {
	    .axfr = t->args.axfr, .only = t->args.operand[1], .since_us = clock_now().wall.us};
	struct outcome o;
	int rc = t->args.wait ? need_daemon(t) : TOOL_OK;

	if (rc == TOOL_OK && t->args.wait)
		rc = gather_database(t);
	if (rc == TOOL_OK && t->args.wait)
		rc = gather_zone(t, &w.zone);
	if (rc != TOOL_OK)
		return rc;
	bool json = t->args.json;
	t->args.json = json && !t->args.wait;
	rc = order(t, t->args.operand[1] != NULL ? 3 : 2, words, &o);
	t->args.json = json;
	if (rc != TOOL_OK)
		return rc;
	w.want = o.notifies;
	if (t->args.wait)
		return wait_notify(t, &w);
	if (!json)
		say_notifies(t, o.notifies);
	return TOOL_OK;
}

int
cmd_reload(struct tool *t)
{
	static const char *const words[] = {"reload"};
	struct outcome o;
	int rc = order(t, 1, words, &o);

	if (rc != TOOL_OK)
		return rc;
	if (!t->args.json)
		fprintf(t->out, "%lld %s: %lld added, %lld removed, %lld changed\n",
		    (long long)o.zones, plural(o.zones, "zone", "zones"), (long long)o.added,
		    (long long)o.removed, (long long)o.changed);
	return TOOL_OK;
}

int
cmd_stop(struct tool *t)
{
	static const char *const words[] = {"stop"};
	struct outcome o;
	int rc = order(t, 1, words, &o);

	if (rc == TOOL_OK && !t->args.json)
		fputs("zonerelayd ends\n", t->out);
	return rc;
}

static int
take_version(void *arg, const char *text, struct zr_err *e)
{
	return look_line(arg, text, e);
}

/* Works without the daemon, and says so. */
int
cmd_version(struct tool *t)
{
	static const char *const words[] = {"version"};
	struct zr_err e;
	struct buf b = BUF_INIT;
	sqlite3_stmt *s = NULL;
	bool running = false;

	if (look_open(&t->look, NULL, clock_now().wall.us, &e) != 0)
		return tool_fail(&e);
	if (ctl_client_open(&t->client, t->socket, &e) == 0) {
		if (daemon_ask(t, 1, words, take_version, t->look, &e) != 0)
			return tool_fail(&e);
		s = look_stmt(t->look, SQL_TOOL_DAEMON, &e);
		running = s != NULL && look_step(t->look, s, &e) == 1;
	}
	if (t->args.json) {
		buf_str(&b, "{\"zonerelayctl\":");
		buf_json(&b, PACKAGE_VERSION);
		buf_str(&b, ",\"zonerelayd\":");
		if (running)
			buf_json(&b, look_text(s, "version"));
		else
			buf_str(&b, "null");
		fprintf(t->out, "%s}\n", buf_cstr(&b));
		buf_clear(&b);
	} else {
		fprintf(t->out, "zonerelayctl %s\nzonerelayd   %s\n", PACKAGE_VERSION,
		    running ? look_text(s, "version") : "not running");
	}
	if (running)
		sqlite3_reset(s);
	return TOOL_OK;
}
