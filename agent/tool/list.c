/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/list.h"

#include "tool/text.h"

#include <stdlib.h>
#include <string.h>

#define TRANSFERS_DEFAULT 30 /* rows of `transfers` when no --limit is given */

int
list_table(
    struct tool *t, sqlite3_stmt *s, const struct list *l, unsigned long *rows, struct zr_err *e)
{
	struct grid *g = grid_new(t->out, t->width, l->columns, l->headings);
	unsigned long n;
	int rc;

	grid_title(g, l->title);
	while ((rc = look_step(t->look, s, e)) == 1)
		l->row(g, s, t->look->now_us);
	n = grid_end(g);
	if (rows != NULL)
		*rows = n;
	return rc;
}

int
list_json(struct tool *t, sqlite3_stmt *s, struct zr_err *e)
{
	struct buf b = BUF_INIT;
	const char *before = "[\n";
	int rc;

	while ((rc = look_step(t->look, s, e)) == 1) {
		buf_reset(&b);
		buf_str(&b, before);
		look_json(&b, s);
		fwrite(b.data, 1, b.len, t->out);
		before = ",\n";
	}
	fputs(*before == '[' ? "[]" : "\n]", t->out);
	buf_clear(&b);
	return rc;
}

/* *rows is left alone with JSON: an empty list needs no words. */
static int
show(struct tool *t, sqlite3_stmt *s, const struct list *l, unsigned long *rows, struct zr_err *e)
{
	int rc;

	if (!t->args.json)
		return list_table(t, s, l, rows, e);
	rc = list_json(t, s, e);
	fputc('\n', t->out);
	return rc;
}

/* ---- cells ---- */

void
cell_ago(struct grid *g, sqlite3_stmt *s, const char *column, int64_t now)
{
	char text[TEXT_MAX];

	grid_cell(g, text_ago(look_int(s, column), now, text));
}

void
cell_int(struct grid *g, sqlite3_stmt *s, const char *column)
{
	if (look_has(s, column))
		grid_cellf(g, "%lld", (long long)look_int(s, column));
	else
		grid_cell(g, NULL);
}

void
cell_text(struct grid *g, sqlite3_stmt *s, const char *column)
{
	grid_cell(g, look_text(s, column));
}

void
cell_size(struct grid *g, sqlite3_stmt *s, const char *column)
{
	char text[TEXT_MAX];

	grid_cell(g, look_has(s, column) ? text_size((uint64_t)look_int(s, column), text) : NULL);
}

void
cell_span(struct grid *g, sqlite3_stmt *s, const char *column)
{
	char text[TEXT_MAX];

	grid_cell(g, text_span(look_int(s, column), text));
}

/* ---- zones ---- */

static void
zones_row(struct grid *g, sqlite3_stmt *s, int64_t now)
{
	cell_text(g, s, "name");
	cell_text(g, s, "state");
	cell_int(g, s, "serial");
	cell_int(g, s, "records");
	cell_size(g, s, "octets");
	cell_ago(g, s, "loaded_at", now);
	cell_ago(g, s, "checked_at", now);
	cell_ago(g, s, "refresh_at", now);
	cell_ago(g, s, "expire_at", now);
	cell_text(g, s, "activity");
	cell_text(g, s, "error");
}

static const char *const zones_head[] = {"ZONE", "STATE", ">SERIAL", ">RECORDS", ">SIZE", ">LOADED",
    ">CHECKED", ">NEXT CHECK", ">EXPIRES", "ACTIVITY", "ERROR"};
static const struct list zones_list = {NULL, zones_head, 11, zones_row};

static bool
known_state(const char *state)
{
	static const char *const all[] = {"current", "behind", "failing", "expired", "never"};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (strcmp(all[i], state) == 0)
			return true;
	return false;
}

int
cmd_zones(struct tool *t)
{
	static const char *const words[] = {"live-zones"};
	struct zr_err e;
	sqlite3_stmt *s;
	unsigned long rows = 1;
	int rc;

	if (t->args.state != NULL && !known_state(t->args.state)) {
		tool_warn("--state: one of current, behind, failing, expired, never");
		return TOOL_USAGE;
	}
	rc = gather(t, 1, words);
	if (rc != TOOL_OK)
		return rc;
	s = look_stmt(t->look, SQL_TOOL_ZONES, &e);
	if (s == NULL)
		return tool_fail(&e);
	look_bind_text(s, ":state", t->args.state);
	look_bind_int(s, ":limit", t->args.limit);
	if (show(t, s, &zones_list, &rows, &e) != 0)
		return tool_fail(&e);
	if (rows == 0)
		fprintf(t->out, "no zone%s%s\n", t->args.state != NULL ? " in state " : "",
		    t->args.state != NULL ? t->args.state : "");
	return TOOL_OK;
}

/* ---- transfers ---- */

static void
transfer_cells(struct grid *g, sqlite3_stmt *s, int64_t now)
{
	cell_ago(g, s, "started_at", now);
	cell_text(g, s, "direction");
	cell_text(g, s, "kind");
	cell_text(g, s, "peer");
	cell_text(g, s, "address");
	cell_int(g, s, "from_serial");
	cell_int(g, s, "to_serial");
	cell_int(g, s, "records");
	cell_size(g, s, "octets");
	cell_span(g, s, "duration_us");
	grid_cell(g, *look_text(s, "error_code") == '\0' ? "ok" : look_text(s, "error"));
}

static void
transfers_row(struct grid *g, sqlite3_stmt *s, int64_t now)
{
	cell_text(g, s, "name");
	transfer_cells(g, s, now);
}

static const char *const transfers_head[] = {"ZONE", ">WHEN", "DIR", "KIND", "PEER", "ADDRESS",
    ">FROM", ">TO", ">RECORDS", ">SIZE", ">TOOK", "RESULT"};
static const struct list transfers_list = {NULL, transfers_head, 12, transfers_row};
const struct list list_zone_transfers = {"\n", transfers_head + 1, 11, transfer_cells};

int
cmd_transfers(struct tool *t)
{
	const char *words[] = {"live", t->zone_text};
	struct zr_err e;
	sqlite3_stmt *s;
	unsigned long rows = 1;
	int64_t id = 0;
	int rc = gather(t, t->zone_len > 0 ? 2 : 1, words);

	if (rc == TOOL_OK && t->zone_len > 0)
		rc = gather_zone(t, &id);
	if (rc != TOOL_OK)
		return rc;
	s = look_stmt(t->look, SQL_TOOL_TRANSFERS, &e);
	if (s == NULL)
		return tool_fail(&e);
	if (t->zone_len > 0)
		look_bind_int(s, ":zone", id);
	look_bind_int(s, ":limit", t->args.limit_given ? t->args.limit : TRANSFERS_DEFAULT);
	if (show(t, s, &transfers_list, &rows, &e) != 0)
		return tool_fail(&e);
	if (rows == 0)
		fputs("no transfer yet\n", t->out);
	return TOOL_OK;
}

/* ---- downstreams ---- */

/* NOTIFY(AXFR): how many zones it fetched, how many it did not. */
static void
cell_forced(struct grid *g, sqlite3_stmt *s)
{
	static const struct {
		const char *column, *word;
	} counts[] = {{"forced_verified", "verified"}, {"forced_acked", "acked"},
	    {"forced_owed", "owed"}, {"forced_unverified", "UNVERIFIED"},
	    {"forced_unsupported", "unsupported"}, {"forced_refused", "refused"}};
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		if (look_int(s, counts[i].column) > 0)
			buf_fmt(&b, "%s%lld %s", b.len > 0 ? ", " : "",
			    (long long)look_int(s, counts[i].column), counts[i].word);
	grid_cell(g, buf_cstr(&b));
	buf_clear(&b);
}

static void
downstreams_row(struct grid *g, sqlite3_stmt *s, int64_t now)
{
	bool failed =
	    look_int(s, "error_at") > 0 && look_int(s, "error_at") >= look_int(s, "acked_at");

	cell_text(g, s, "name");
	cell_int(g, s, "zones");
	cell_int(g, s, "current");
	cell_int(g, s, "behind");
	cell_int(g, s, "owed");
	cell_int(g, s, "acked_only");
	cell_ago(g, s, "notified_at", now);
	cell_ago(g, s, "acked_at", now);
	cell_ago(g, s, "fetched_at", now);
	cell_int(g, s, "transfers");
	cell_forced(g, s);
	cell_ago(g, s, "unsupported_until_at", now);
	cell_text(g, s, "trust");
	grid_cell(g, failed ? look_text(s, "error") : NULL);
}

static const char *const downstreams_head[] = {"DOWNSTREAM", ">ZONES", ">CURRENT", ">BEHIND",
    ">OWED", ">ACKED ONLY", ">NOTIFIED", ">ACKED", ">FETCHED", ">RUNNING", "NOTIFY(AXFR)",
    ">UNSUPPORTED", "TRUST", "ERROR"};
static const struct list downstreams_list = {NULL, downstreams_head, 14, downstreams_row};

/* "nsd acknowledged NOTIFY(AXFR) of 3 zones and has not come for them: a.example, ..." */
static void
put_unreached(struct tool *t, sqlite3_stmt *s)
{
	static const struct {
		const char *state, *text;
	} words[] = {{"unverified", "acknowledged NOTIFY(AXFR), but has not come, for"},
	    {"unsupported", "does not know NOTIFY(AXFR), and does not have the version, of"},
	    {"refused", "refused NOTIFY(AXFR) of"}, {"given-up", "never answered NOTIFY(AXFR) of"}};
	struct buf b = BUF_INIT;
	int64_t zones = look_int(s, "zones");

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(look_text(s, "state"), words[i].state) == 0)
			buf_fmt(&b, "%s %s %lld zone%s: ", look_text(s, "name"), words[i].text,
			    (long long)zones, zones == 1 ? "" : "s");
	buf_str(&b, look_text(s, "names"));
	fprintf(t->out, "problem   ");
	struct buf clean = BUF_INIT;
	text_clean(&clean, buf_cstr(&b));
	fprintf(t->out, "%s%s\n", buf_cstr(&clean), zones > 5 ? ", ..." : "");
	buf_clear(&b);
	buf_clear(&clean);
}

static int
show_unreached(struct tool *t, struct zr_err *e)
{
	sqlite3_stmt *s = look_stmt(t->look, SQL_TOOL_UNREACHED, e);
	const char *before = "\n";
	int rc = -1;

	while (s != NULL && (rc = look_step(t->look, s, e)) == 1) {
		fputs(before, t->out);
		before = "";
		put_unreached(t, s);
	}
	if (rc == 0 && *before == '\0')
		fputs("hint      zonerelayctl zone NAME says what to do there\n", t->out);
	return rc;
}

int
cmd_downstreams(struct tool *t)
{
	static const char *const words[] = {"live"};
	struct zr_err e;
	sqlite3_stmt *s;
	unsigned long rows = 1;
	int rc = gather(t, 1, words);

	if (rc != TOOL_OK)
		return rc;
	s = look_stmt(t->look, SQL_TOOL_DOWNSTREAMS, &e);
	if (s == NULL)
		return tool_fail(&e);
	if (show(t, s, &downstreams_list, &rows, &e) != 0)
		return tool_fail(&e);
	if (rows == 0)
		fputs("no downstream\n", t->out);
	if (!t->args.json && show_unreached(t, &e) != 0)
		return tool_fail(&e);
	return TOOL_OK;
}
