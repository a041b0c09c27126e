/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `zone NAME`: the screen for the question "why is this zone not current?".  The answer
 * stands in the first line; what it rests on follows.
 */
#include "tool/zone.h"
#include "tool/text.h"
#include "tool/verdict.h"

#include "base/parse.h"

#include <stdlib.h>
#include <string.h>

#define LIMIT_TEXT 128

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
	    .older = look_text(s, "older"),
	    .pending_notifier = look_text(s, "pending_notifier"),
	    .pending_at = look_int(s, "pending_at"),
	    .forced_wait = look_text(s, "forced_wait"),
	    .forced_wait_at = look_int(s, "forced_wait_at"),
	    .forced_limit = "",
	};
}

static void
add_trouble(struct verdict *v, sqlite3_stmt *s)
{
	v->unverified = look_text(s, "unverified");
	v->unsupported = look_text(s, "unsupported");
	v->refused = look_text(s, "refused");
	v->unanswered = look_text(s, "unanswered");
	v->hooks_failed = look_text(s, "hooks_failed");
}

/* The limit of this name, as the configuration has it. */
static const char *
limit_words(const struct tool *t, const char *name, char out[LIMIT_TEXT])
{
	const struct config_zone *z =
	    t->config != NULL ? config_zone_find(t->config, t->zone) : NULL;
	char span[PARSE_TEXT_MAX];

	out[0] = '\0';
	if (z == NULL)
		return out;
	if (strcmp(name, "zone limit") == 0)
		snprintf(out, LIMIT_TEXT, "%u per %s", (unsigned)z->policy->forced_burst,
		    duration_text(z->policy->forced_interval_us, span));
	else if (strcmp(name, "primary limit") == 0 && z->policy->primary_count == 1)
		snprintf(out, LIMIT_TEXT, "%u per minute from %.60s",
		    (unsigned)z->policy->primaries[0]->forced_rate, z->policy->primaries[0]->name);
	else if (strcmp(name, "global limit") == 0)
		snprintf(out, LIMIT_TEXT, "%u per minute", (unsigned)t->config->server.forced_rate);
	return out;
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
		bool force = strcmp(look_text(s, "pending"), "force") == 0;
		fprintf(t->out, "owed      %s, since %s%s%s\n", force ? "forced transfer" : "check",
		    text_when(look_int(s, "pending_at"), t->look->now_us, when),
		    *look_text(s, "pending_notifier") != '\0' ? ", asked for by " : "",
		    look_text(s, "pending_notifier"));
	}
	if (*look_text(s, "lane") != '\0')
		fprintf(t->out, "queue     lane %s\n", look_text(s, "lane"));
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
	sqlite3_stmt *s = zone_part(t, SQL_TOOL_ZONE, zone, e);
	sqlite3_stmt *more = zone_part(t, SQL_TOOL_ZONE_TROUBLE, zone, e);
	char limit[LIMIT_TEXT];

	if (s == NULL || more == NULL || look_step(t->look, s, e) != 1 ||
	    look_step(t->look, more, e) != 1)
		return -1;
	struct verdict v = verdict_of(s);
	add_trouble(&v, more);
	v.forced_limit = limit_words(t, v.forced_wait, limit);
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
	sqlite3_reset(more);
	buf_clear(&line);
	buf_clear(&hint);
	if (zone_event(t, zone, e) != 0 || zone_problems(t, zone, e) != 0)
		return -1;
	return t->args.json ? zone_tables_json(t, zone, e) : zone_tables(t, zone, e);
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
