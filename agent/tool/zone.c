/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `zone NAME`: the screen for the question "why is this zone not current?".  The answer
 * stands in the first line; what it rests on follows.
 */
#include "tool/list.h"
#include "tool/text.h"
#include "tool/tool.h"
#include "tool/verdict.h"

#include <stdlib.h>
#include <string.h>

#define TRANSFERS_SHOWN 6

static struct verdict
verdict_of(sqlite3_stmt *s)
{
	return (struct verdict){
	    .name = look_text(s, "name"),
	    .state = look_text(s, "state"),
	    .activity = look_text(s, "activity"),
	    .pending = look_text(s, "pending"),
	    .has_serial = look_has(s, "serial"),
	    .serial = (uint32_t)look_int(s, "serial"),
	    .has_ahead = look_has(s, "ahead_serial"),
	    .ahead_primary = look_text(s, "ahead_primary"),
	    .ahead_serial = (uint32_t)look_int(s, "ahead_serial"),
	    .has_want = look_has(s, "want_serial"),
	    .want_serial = (uint32_t)look_int(s, "want_serial"),
	    .error = look_text(s, "error"),
	    .error_code = look_text(s, "error_code"),
	    .error_peer = look_text(s, "error_peer"),
	    .error_address = look_text(s, "error_address"),
	    .error_at = look_int(s, "error_at"),
	    .next_at = look_int(s, "next_at"),
	    .checked_at = look_int(s, "checked_at"),
	    .refresh_at = look_int(s, "refresh_at"),
	    .expire_at = look_int(s, "expire_at"),
	    .failures = look_int(s, "failures"),
	    .transfer = look_text(s, "transfer"),
	    .primary = look_text(s, "primary_name"),
	    .transfer_at = look_int(s, "transfer_at"),
	    .transfer_records = look_int(s, "transfer_records"),
	    .transfer_octets = look_int(s, "transfer_octets"),
	};
}

static void
show_time(struct tool *t, sqlite3_stmt *s, const char *label, const char *column)
{
	char when[TEXT_MAX];

	if (look_int(s, column) != 0)
		fprintf(t->out, "%-9s %s\n", label,
		    text_when(look_int(s, column), t->look->now_us, when));
}

static void
show_content(struct tool *t, sqlite3_stmt *s)
{
	char size[TEXT_MAX];

	if (look_has(s, "serial"))
		fprintf(t->out,
		    "content   serial %lld, version %lld, %lld records, %s in %lld segment%s\n",
		    (long long)look_int(s, "serial"), (long long)look_int(s, "version"),
		    (long long)look_int(s, "records"),
		    text_size((uint64_t)look_int(s, "octets"), size),
		    (long long)look_int(s, "segments"), look_int(s, "segments") == 1 ? "" : "s");
	show_time(t, s, "loaded", "loaded_at");
	show_time(t, s, "checked", "checked_at");
	show_time(t, s, "refresh", "refresh_at");
	show_time(t, s, "expire", "expire_at");
	if (strcmp(look_text(s, "pending"), "none") != 0) {
		char when[TEXT_MAX];
		fprintf(t->out, "owed      %s, since %s\n",
		    strcmp(look_text(s, "pending"), "force") == 0 ? "full transfer" : "check",
		    text_when(look_int(s, "pending_at"), t->look->now_us, when));
	}
	if (*look_text(s, "lane") != '\0')
		fprintf(t->out, "queue     lane %s\n", look_text(s, "lane"));
}

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
	cell_error_ago(g, s, now);
}

static const char *const primaries_head[] = {
    "PRIMARY", "ADDRESS", "LAST SERIAL SEEN", "HELD UNTIL", "ERROR"};
static const struct list primaries_list = {"\n", primaries_head, 5, primaries_row};

/* One that acknowledged and then never came is the case to look for. */
static void
cell_downstream_state(struct grid *g, sqlite3_stmt *s, int64_t now)
{
	const char *state = look_text(s, "state");
	char ago[TEXT_MAX];

	if (look_has(s, "tries"))
		grid_cellf(g, "%s, %lld tries, next %s", state, (long long)look_int(s, "tries"),
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

static sqlite3_stmt *
part(struct tool *t, enum sql_id id, int64_t zone, struct zr_err *e)
{
	sqlite3_stmt *s = look_stmt(t->look, id, e);

	if (s == NULL)
		return NULL;
	look_bind_int(s, ":zone", zone);
	if (id == SQL_TOOL_ZONE_TRANSFERS)
		look_bind_int(s, ":limit", TRANSFERS_SHOWN);
	return s;
}

static int
show_parts(struct tool *t, int64_t zone, struct zr_err *e)
{
	static const struct {
		enum sql_id id;
		const struct list *list;
	} parts[] = {{SQL_TOOL_ZONE_PRIMARIES, &primaries_list},
	    {SQL_TOOL_ZONE_DOWNSTREAMS, &downstreams_list},
	    {SQL_TOOL_ZONE_TRANSFERS, &list_zone_transfers}};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		sqlite3_stmt *s = part(t, parts[i].id, zone, e);
		if (s == NULL)
			return -1;
		if (list_table(t, s, parts[i].list, NULL, e) != 0)
			return -1;
	}
	return 0;
}

static int
json_parts(struct tool *t, int64_t zone, struct zr_err *e)
{
	static const struct {
		enum sql_id id;
		const char *key;
	} parts[] = {{SQL_TOOL_ZONE_PRIMARIES, "primaries"},
	    {SQL_TOOL_ZONE_DOWNSTREAMS, "downstreams"}, {SQL_TOOL_ZONE_TRANSFERS, "transfers"}};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		sqlite3_stmt *s = part(t, parts[i].id, zone, e);
		if (s == NULL)
			return -1;
		fprintf(t->out, ",\n\"%s\":", parts[i].key);
		if (list_json(t, s, e) != 0)
			return -1;
	}
	fputs("}\n", t->out);
	return 0;
}

static void
json_head(struct tool *t, sqlite3_stmt *s, struct buf *line, struct buf *hint)
{
	struct buf b = BUF_INIT;

	buf_fmt(&b, "{\"running\":%s,\n\"verdict\":", t->look->live ? "true" : "false");
	buf_json(&b, buf_cstr(line));
	buf_str(&b, ",\n\"hint\":");
	if (hint->len > 0)
		buf_json(&b, buf_cstr(hint));
	else
		buf_str(&b, "null");
	buf_str(&b, ",\n\"zone\":");
	look_json(&b, s);
	fwrite(b.data, 1, b.len, t->out);
	buf_clear(&b);
}

static int
show_zone(struct tool *t, int64_t zone, bool *current, struct zr_err *e)
{
	struct buf line = BUF_INIT, hint = BUF_INIT;
	sqlite3_stmt *s = part(t, SQL_TOOL_ZONE, zone, e);

	if (s == NULL || look_step(t->look, s, e) != 1)
		return -1;
	struct verdict v = verdict_of(s);
	verdict_line(&v, t->look->now_us, &line);
	verdict_hint(&v, &hint);
	*current = strcmp(v.state, "current") == 0;
	if (t->args.json) {
		json_head(t, s, &line, &hint);
	} else {
		fprintf(t->out, "%s: %s\n", v.name, buf_cstr(&line));
		if (hint.len > 0)
			fprintf(t->out, "hint      %s\n", buf_cstr(&hint));
		show_content(t, s);
	}
	sqlite3_reset(s);
	buf_clear(&line);
	buf_clear(&hint);
	return t->args.json ? json_parts(t, zone, e) : show_parts(t, zone, e);
}

int
cmd_zone(struct tool *t)
{
	const char *words[] = {"live", t->zone_text};
	bool current = false;
	struct zr_err e;
	int64_t zone;
	int rc = gather(t, 2, words);

	if (rc == TOOL_OK)
		rc = gather_zone(t, &zone);
	if (rc != TOOL_OK)
		return rc;
	gather_configured(t);
	if (show_zone(t, zone, &current, &e) != 0)
		return tool_fail(&e);
	return t->args.check && !current ? TOOL_FAILED : TOOL_OK;
}
