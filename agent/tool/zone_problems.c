/* SPDX-License-Identifier: BSD-2-Clause */
/* The last forced transfer of a zone, and what has gone wrong with it anywhere. */
#include "tool/text.h"
#include "tool/zone.h"

#include <string.h>

static enum config_server_kind
kind_of(const struct tool *t, const char *name)
{
	for (size_t i = 0; t->config != NULL && i < t->config->downstream_count; i++)
		if (strcmp(t->config->downstreams[i].name, name) == 0)
			return t->config->downstreams[i].server;
	return CONFIG_KIND_NONE;
}

struct reach
zone_reach(const struct tool *t, sqlite3_stmt *s)
{
	return (struct reach){
	    .zone = t != NULL ? t->zone_text : "",
	    .name = look_text(s, "name"),
	    .address = look_text(s, "address"),
	    .state = look_text(s, "forced_state"),
	    .text = look_text(s, "forced_text"),
	    .at = look_int(s, "forced_at"),
	    .has_tries = look_has(s, "tries"),
	    .tries = look_int(s, "tries"),
	    .next_at = look_int(s, "next_at"),
	    .unsupported_until = look_int(s, "unsupported_until_at"),
	    .excused = look_int(s, "forced_excused") != 0,
	    .current = strcmp(look_text(s, "state"), "current") == 0,
	    .kind = t != NULL ? kind_of(t, look_text(s, "name")) : CONFIG_KIND_NONE,
	};
}

struct reach_hook
zone_hook(sqlite3_stmt *s)
{
	return (struct reach_hook){
	    .name = look_text(s, "name"),
	    .state = look_text(s, "state"),
	    .last_state = look_text(s, "last_state"),
	    .last_text = look_text(s, "last_text"),
	    .since = look_int(s, "since_at"),
	    .tries = look_int(s, "tries"),
	    .next_at = look_int(s, "next_at"),
	    .last_at = look_int(s, "last_at"),
	    .last_duration_us = look_int(s, "last_duration_us"),
	};
}

static struct reach_event
event_of(sqlite3_stmt *s)
{
	return (struct reach_event){
	    .event = look_int(s, "event"),
	    .at = look_int(s, "event_at"),
	    .last_at = look_int(s, "last_at"),
	    .serial = look_int(s, "serial"),
	    .pinned = look_int(s, "pinned") != 0,
	    .verdict = look_text(s, "verdict"),
	    .notifier = look_text(s, "notifier"),
	    .source = look_text(s, "source"),
	};
}

/* ---- the lines ---- */

struct problems {
	struct tool *t;
	unsigned n;
};

static void
put_line(struct tool *t, const char *label, struct buf *b)
{
	struct buf clean = BUF_INIT;

	text_clean(&clean, buf_cstr(b));
	fprintf(t->out, "%-9s %s\n", label, buf_cstr(&clean));
	buf_clear(&clean);
}

static void
put_problem(struct problems *p, struct buf *b)
{
	struct buf json = BUF_INIT, clean = BUF_INIT;

	if (!p->t->args.json) {
		put_line(p->t, "problem", b);
		p->n++;
		return;
	}
	text_clean(&clean, buf_cstr(b));
	buf_json(&json, buf_cstr(&clean));
	fprintf(p->t->out, "%s%s", p->n++ == 0 ? "\n" : ",\n", buf_cstr(&json));
	buf_clear(&json);
	buf_clear(&clean);
}

int
zone_event(struct tool *t, int64_t zone, struct zr_err *e)
{
	sqlite3_stmt *s = zone_part(t, SQL_TOOL_ZONE_EVENT, zone, e);
	struct buf b = BUF_INIT;
	int rc = s == NULL ? -1 : look_step(t->look, s, e);

	if (t->args.json) {
		buf_str(&b, ",\n\"event\":");
		if (rc == 1)
			look_json(&b, s);
		else
			buf_str(&b, "null");
		fputs(buf_cstr(&b), t->out);
	} else if (rc == 1) {
		struct reach_event v = event_of(s);
		reach_event_words(&v, t->look->now_us, &b);
		put_line(t, "event", &b);
	}
	buf_clear(&b);
	if (rc == 1)
		sqlite3_reset(s);
	return rc < 0 ? -1 : 0;
}

/* ---- what is wrong ---- */

static bool
of_event(struct tool *t, sqlite3_stmt *s, struct buf *b)
{
	struct reach_event v = event_of(s);

	(void)t;
	return reach_event_problem(&v, b);
}

static bool
of_peer(struct tool *t, sqlite3_stmt *s, struct buf *b)
{
	struct reach r = zone_reach(t, s);

	return reach_problem(&r, b);
}

static bool
of_hook(struct tool *t, sqlite3_stmt *s, struct buf *b)
{
	struct reach_hook h = zone_hook(s);

	(void)t;
	return reach_hook_problem(&h, b);
}

int
zone_problems(struct tool *t, int64_t zone, struct zr_err *e)
{
	static const struct {
		enum sql_id id;
		bool (*find)(struct tool *t, sqlite3_stmt *s, struct buf *b);
	} from[] = {{SQL_TOOL_ZONE_EVENT, of_event}, {SQL_TOOL_ZONE_DOWNSTREAMS, of_peer},
	    {SQL_TOOL_ZONE_HOOKS, of_hook}};
	struct problems p = {.t = t};
	struct buf b = BUF_INIT;
	int rc = 0;

	if (t->args.json)
		fputs(",\n\"problems\":[", t->out);
	for (size_t i = 0; i < sizeof(from) / sizeof(from[0]) && rc == 0; i++) {
		sqlite3_stmt *s = zone_part(t, from[i].id, zone, e);
		while (s != NULL && (rc = look_step(t->look, s, e)) == 1) {
			buf_reset(&b);
			if (from[i].find(t, s, &b))
				put_problem(&p, &b);
		}
		if (s == NULL)
			rc = -1;
	}
	if (t->args.json)
		fputs(p.n > 0 ? "\n]" : "]", t->out);
	buf_clear(&b);
	return rc;
}
