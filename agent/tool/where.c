/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A daemon that runs goes on with the configuration it has when somebody breaks the file, and that
 * is when people come to look.  So a file with an error in it still tells us, line by line, where
 * its database and its socket are; the daemon at that socket knows its database; and then there are
 * the usual places.
 */
#include "tool/where.h"

#include "base/clock.h"
#include "base/mem.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_DATABASE ZR_LOCALSTATEDIR "/lib/zonerelay/zonerelay.db"
#define DEFAULT_SOCKET ZR_RUNSTATEDIR "/zonerelay/zonerelay.sock"

struct problems {
	unsigned shown, max;
};

static void
on_problem(void *arg, bool error, const char *text)
{
	struct problems *p = arg;

	if (error && p->shown++ < p->max)
		tool_warn("%s", text);
}

/* `key: value` in a line, quoted or not, of a block or of JSON: the value; NULL: another line. */
static char *
value_in(const char *line, const char *key)
{
	const char *p = line + strspn(line, " \t{,\"'"), *end;
	size_t n = strlen(key);
	char *out;

	if (strncmp(p, key, n) != 0)
		return NULL;
	p += n;
	p += strspn(p, "\"' \t");
	if (*p != ':')
		return NULL;
	p++;
	p += strspn(p, " \t");
	if (*p == '"' || *p == '\'') {
		end = strchr(p + 1, *p);
		p++;
	} else {
		end = p + strcspn(p, " \t\r\n,}#");
	}
	if (end == NULL || *p != '/')
		return NULL;
	n = (size_t)(end - p);
	out = zr_xcalloc(n + 1, 1);
	memcpy(out, p, n);
	return out;
}

/* Reads what can be read. */
static void
scan(struct tool *t, const char *path)
{
	FILE *f = fopen(path, "re");
	char *line = NULL;
	size_t cap = 0;

	if (f == NULL)
		return;
	while (getline(&line, &cap, f) > 0) {
		if (t->found_database == NULL)
			t->found_database = value_in(line, "database");
		if (t->found_socket == NULL)
			t->found_socket = value_in(line, "control");
	}
	free(line);
	fclose(f);
}

static int
take_line(void *arg, const char *text, struct zr_err *e)
{
	return look_line(arg, text, e);
}

/* The daemon's own word about its database. */
static void
ask(struct tool *t)
{
	static const char *const words[] = {"version"};
	struct look *l = NULL;
	sqlite3_stmt *s;
	struct zr_err e;

	if (ctl_client_open(&t->client, t->socket, &e) != 0)
		return;
	if (look_open(&l, NULL, clock_now().wall.us, &e) == 0 &&
	    daemon_ask(t, 1, words, take_line, l, &e) == 0 &&
	    (s = look_stmt(l, SQL_TOOL_DAEMON, &e)) != NULL && look_step(l, s, &e) == 1) {
		if (*look_text(s, "database") != '\0') {
			free(t->found_database);
			t->found_database = zr_xstrdup(look_text(s, "database"));
		}
		sqlite3_reset(s);
	}
	look_close(l);
	ctl_client_close(t->client);
	t->client = NULL;
}

/* 0: at least one of both is there. */
static int
do_without(struct tool *t, const char *path)
{
	scan(t, path);
	if (t->socket == NULL)
		t->socket = t->found_socket != NULL ? t->found_socket : DEFAULT_SOCKET;
	if (t->database == NULL)
		ask(t);
	if (t->database == NULL)
		t->database = t->found_database != NULL ? t->found_database : DEFAULT_DATABASE;
	if (access(t->socket, F_OK) != 0 && access(t->database, F_OK) != 0) {
		tool_warn(
		    "the configuration cannot be used, and there is neither %s nor %s; -c names "
		    "another one, -d and -s do without",
		    t->database, t->socket);
		return TOOL_USAGE;
	}
	tool_warn("the configuration cannot be used; going on with database %s and socket %s",
	    t->database, t->socket);
	return TOOL_OK;
}

int
where_find(struct tool *t)
{
	/* Whoever reloads wants to mend the file; others only want it out of the way. */
	bool reload = t->args.command->run == cmd_reload;
	struct problems p = {.max = reload ? UINT_MAX : 5};
	struct config_report report = {.line = on_problem, .arg = &p, .no_secrets = true};
	const char *path = t->args.config != NULL ? t->args.config : WHERE_CONFIG;

	t->database = t->args.database;
	t->socket = t->args.socket;
	if (t->database != NULL && t->socket != NULL && t->args.config == NULL)
		return TOOL_OK;
	t->config = config_load(path, &report);
	if (t->config == NULL && t->database != NULL && t->socket != NULL)
		return TOOL_OK;
	/* A name that was mistyped is no broken file. */
	if (t->config == NULL && (reload || (t->args.config != NULL && access(path, R_OK) != 0))) {
		tool_warn("the configuration cannot be used; -c names another one, -d and -s do "
			  "without");
		return TOOL_USAGE;
	}
	if (t->config == NULL)
		return do_without(t, path);
	if (t->database == NULL)
		t->database = t->config->server.database;
	if (t->socket == NULL)
		t->socket = t->config->server.control;
	return TOOL_OK;
}
