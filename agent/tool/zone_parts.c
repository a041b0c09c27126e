/* SPDX-License-Identifier: BSD-2-Clause */
/* The tables of `zone`. */
#include "tool/list.h"
#include "tool/reach.h"
#include "tool/text.h"
#include "tool/zone.h"

#include <string.h>

#define TRANSFERS_SHOWN 6

static void
cell_serial_ago(struct grid *g, sqlite3_stmt *s, const char *serial, const char *at, int64_t now)
{
	char ago[TEXT_MAX];

	if (look_has(s, serial))
		grid_cellf(g, "%lld %s", (long long)look_int(s, serial),
		    text_ago(look_int(s, at), now, ago));
	else
		grid_cell(g, NULL);
}

static void
cell_error_ago(struct grid *g, sqlite3_stmt *s, int64_t now)
{
	char ago[TEXT_MAX];

	if (*look_text(s, "error") != '\0')
		grid_cellf(g, "%s: %s", text_ago(look_int(s, "error_at"), now, ago),
		    look_text(s, "error"));
	else
		grid_cell(g, NULL);
}

static void
primaries_row(struct grid *g, sqlite3_stmt *s, int64_t now)
{
	cell_text(g, s, "name");
	cell_text(g, s, "address");
	cell_serial_ago(g, s, "serial", "seen_at", now);
	cell_ago(g, s, "held_until_at", now);
	cell_text(g, s, "trust");
	cell_error_ago(g, s, now);
}

static const char *const primaries_head[] = {
    "PRIMARY", "ADDRESS", "LAST SERIAL SEEN", "HELD UNTIL", "TRUST", "ERROR"};
static const struct list primaries_list = {"\n", primaries_head, 6, primaries_row};

/* One that acknowledged and then never came is the case to look for. */
static void
cell_downstream_state(struct grid *g, sqlite3_stmt *s, int64_t now)
{
	const char *state = look_text(s, "state");
	char ago[TEXT_MAX];

	if (look_has(s, "tries"))
		grid_cellf(g, "%s, %lld %s, next %s", state, (long long)look_int(s, "tries"),
		    look_int(s, "tries") == 1 ? "try" : "tries",
		    look_int(s, "next_at") <= now ? "now"
						  : text_ago(look_int(s, "next_at"), now, ago));
	else if (look_int(s, "acked_only") != 0)
		grid_cell(g, "behind, acked but not fetched");
	else
		grid_cell(g, state);
}

static void
downstreams_row(struct grid *g, sqlite3_stmt *s, int64_t now)
{
	cell_text(g, s, "name");
	cell_text(g, s, "address");
	cell_downstream_state(g, s, now);
	cell_serial_ago(g, s, "notified_serial", "notified_at", now);
	cell_serial_ago(g, s, "acked_serial", "acked_at", now);
	cell_serial_ago(g, s, "fetched_serial", "fetched_at", now);
	cell_error_ago(g, s, now);
}

static const char *const downstreams_head[] = {
    "DOWNSTREAM", "ADDRESS", "STATE", "NOTIFIED", "ACKED", "FETCHED", "ERROR"};
static const struct list downstreams_list = {"\n", downstreams_head, 7, downstreams_row};

/* ---- the last event ---- */

static void
reach_row(struct grid *g, sqlite3_stmt *s, int64_t now)
{
	struct buf b = BUF_INIT;
	struct reach r = zone_reach(NULL, s);

	if (*r.state == '\0')
		return;
	cell_text(g, s, "name");
	cell_text(g, s, "address");
	reach_words(&r, now, &b);
	grid_cell(g, buf_cstr(&b));
	buf_clear(&b);
}

static const char *const reach_head[] = {"NOTIFY(AXFR) TO", "ADDRESS", "WHAT BECAME OF IT"};
static const struct list reach_list = {"\n", reach_head, 3, reach_row};

static void
hooks_row(struct grid *g, sqlite3_stmt *s, int64_t now)
{
	struct buf b = BUF_INIT;
	struct reach_hook h = zone_hook(s);

	cell_text(g, s, "name");
	cell_text(g, s, "kind");
	cell_int(g, s, "serial");
	reach_hook_words(&h, now, &b);
	grid_cell(g, buf_cstr(&b));
	buf_clear(&b);
}

static const char *const hooks_head[] = {"COMMAND OF", "KIND", ">SERIAL", "WHAT BECAME OF IT"};
static const struct list hooks_list = {"\n", hooks_head, 4, hooks_row};

static void
targets_row(struct grid *g, sqlite3_stmt *s, int64_t now)
{
	(void)now;
	cell_text(g, s, "host");
	cell_text(g, s, "address");
	cell_text(g, s, "downstream");
	cell_text(g, s, "state");
	cell_text(g, s, "text");
}

static const char *const targets_head[] = {"TARGET", "ADDRESS", "DOWNSTREAM", "NOTIFIED", "WHY"};
static const struct list targets_list = {"\n", targets_head, 5, targets_row};

static const struct {
	enum sql_id id;
	const struct list *list;
	const char *key; /* NULL: not with --json, it is another view of rows already there */
} parts[] = {
    {SQL_TOOL_ZONE_PRIMARIES, &primaries_list, "primaries"},
    {SQL_TOOL_ZONE_DOWNSTREAMS, &downstreams_list, "downstreams"},
    {SQL_TOOL_ZONE_DOWNSTREAMS, &reach_list, NULL},
    {SQL_TOOL_ZONE_HOOKS, &hooks_list, "hooks"},
    {SQL_TOOL_ZONE_TARGETS, &targets_list, "targets"},
    {SQL_TOOL_ZONE_TRANSFERS, &list_zone_transfers, "transfers"},
};
#define PARTS (sizeof(parts) / sizeof(parts[0]))

sqlite3_stmt *
zone_part(struct tool *t, enum sql_id id, int64_t zone, struct zr_err *e)
{
	sqlite3_stmt *s = look_stmt(t->look, id, e);

	if (s == NULL)
		return NULL;
	if (id == SQL_TOOL_ZONE_TARGETS)
		look_bind_int(s, ":all", t->args.json);
	else
		look_bind_int(s, ":zone", zone);
	if (id == SQL_TOOL_ZONE_TRANSFERS)
		look_bind_int(s, ":limit", TRANSFERS_SHOWN);
	return s;
}

int
zone_tables(struct tool *t, int64_t zone, struct zr_err *e)
{
	for (size_t i = 0; i < PARTS; i++) {
		sqlite3_stmt *s = zone_part(t, parts[i].id, zone, e);
		if (s == NULL || list_table(t, s, parts[i].list, NULL, e) != 0)
			return -1;
	}
	return 0;
}

int
zone_tables_json(struct tool *t, int64_t zone, struct zr_err *e)
{
	for (size_t i = 0; i < PARTS; i++) {
		if (parts[i].key == NULL)
			continue;
		sqlite3_stmt *s = zone_part(t, parts[i].id, zone, e);
		if (s == NULL)
			return -1;
		fprintf(t->out, ",\n\"%s\":", parts[i].key);
		if (list_json(t, s, e) != 0)
			return -1;
	}
	fputs("}\n", t->out);
	return 0;
}
