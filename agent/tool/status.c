/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/list.h"
#include "tool/text.h"
#include "tool/tool.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void
primaries_row(struct grid *g, sqlite3_stmt *s, int64_t now)
{
	cell_text(g, s, "name");
	cell_text(g, s, "address");
	cell_int(g, s, "transfers");
	cell_int(g, s, "queued");
	cell_int(g, s, "failures");
	cell_ago(g, s, "held_until_at", now);
	cell_text(g, s, "trust");
	cell_text(g, s, "error");
}

static const char *const primaries_head[] = {
    "PRIMARY", "ADDRESS", ">RUNNING", ">QUEUED", ">FAILURES", ">HELD UNTIL", "TRUST", "ERROR"};
static const struct list primaries_list = {"\n", primaries_head, 8, primaries_row};

static void
certificates_row(struct grid *g, sqlite3_stmt *s, int64_t now)
{
	cell_text(g, s, "name");
	cell_text(g, s, "state");
	cell_ago(g, s, "not_after_at", now);
	cell_text(g, s, "certificate");
	cell_text(g, s, "file");
}

static const char *const certificates_head[] = {
    "CERTIFICATE OF", "STATE", ">ENDS", "IDENTITY", "FILE"};
static const struct list certificates_list = {"\n", certificates_head, 5, certificates_row};

static uint64_t
file_size(const char *path, const char *end)
{
	char name[4096];
	struct stat st;

	snprintf(name, sizeof(name), "%s%s", path, end);
	return stat(name, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static int
show_daemon(struct tool *t, struct zr_err *e)
{
	char span[TEXT_MAX], size[TEXT_MAX];
	sqlite3_stmt *s = look_stmt(t->look, SQL_TOOL_DAEMON, e);
	int rc;

	if (s == NULL || (rc = look_step(t->look, s, e)) < 0)
		return -1;
	if (rc == 0) {
		fputs("zonerelayd      not running\n", t->out);
		return 0;
	}
	fprintf(t->out, "zonerelayd      %s, pid %lld, up %s", look_text(s, "version"),
	    (long long)look_int(s, "pid"),
	    text_span(t->look->now_us - look_int(s, "started_at"), span));
	if (look_has(s, "rss"))
		fprintf(t->out, ", %s of memory", text_size((uint64_t)look_int(s, "rss"), size));
	if (look_int(s, "zone_octets") > 0)
		fprintf(
		    t->out, ", %lld octets for each zone", (long long)look_int(s, "zone_octets"));
	fprintf(t->out, "\nconfiguration   %s\n", look_text(s, "config"));
	fprintf(t->out,
	    "running         %lld transfers in, %lld out; %lld zones queued; "
	    "%lld NOTIFYs owed",
	    (long long)look_int(s, "transfers_in"), (long long)look_int(s, "transfers_out"),
	    (long long)look_int(s, "queued"), (long long)look_int(s, "outbox"));
	if (look_int(s, "unseen") > 0)
		fprintf(t->out, "; %lld not yet checked since the start",
		    (long long)look_int(s, "unseen"));
	fputc('\n', t->out);
	if (look_int(s, "datagrams_lost") > 0)
		fprintf(t->out,
		    "lost            %lld datagrams for which the kernel had no room: a flood, or "
		    "net.core.rmem_max is small\n",
		    (long long)look_int(s, "datagrams_lost"));
	sqlite3_reset(s);
	return 0;
}

static int
show_database(struct tool *t, struct zr_err *e)
{
	char db[TEXT_MAX], wal[TEXT_MAX], octets[TEXT_MAX], when[TEXT_MAX];
	sqlite3_stmt *s = look_stmt(t->look, SQL_TOOL_TOTALS, e);

	if (s == NULL || look_step(t->look, s, e) != 1)
		return -1;
	fprintf(t->out, "database        %s, %s, WAL %s\n", t->database,
	    text_size(file_size(t->database, ""), db),
	    text_size(file_size(t->database, "-wal"), wal));
	fprintf(t->out,
	    "zones           %lld with %lld records, %s; %lld to be checked; last change %s\n",
	    (long long)look_int(s, "zones"), (long long)look_int(s, "records"),
	    text_size((uint64_t)look_int(s, "octets"), octets), (long long)look_int(s, "pending"),
	    text_ago(look_int(s, "loaded_at"), t->look->now_us, when));
	if (!t->look->live)
		fprintf(t->out, "outbox          %lld NOTIFYs owed\n",
		    (long long)look_int(s, "outbox"));
	sqlite3_reset(s);
	return 0;
}

/* In this order, whatever the order of the rows; "current" and what is not zero. */
static int
show_states(struct tool *t, struct zr_err *e)
{
	static const char *const order[] = {"current", "behind", "failing", "expired", "never"};
	int64_t n[5] = {0};
	sqlite3_stmt *s = look_stmt(t->look, SQL_TOOL_STATES, e);
	const char *comma = "";
	int rc = -1;

	while (s != NULL && (rc = look_step(t->look, s, e)) == 1)
		for (int i = 0; i < 5; i++)
			if (strcmp(order[i], look_text(s, "state")) == 0)
				n[i] += look_int(s, "zones");
	if (rc != 0)
		return -1;
	fputs("state           ", t->out);
	for (int i = 0; i < 5; i++) {
		if (n[i] == 0 && i > 0)
			continue;
		fprintf(t->out, "%s%lld %s", comma, (long long)n[i], order[i]);
		comma = ", ";
	}
	fputc('\n', t->out);
	return 0;
}

static int
show_text(struct tool *t, struct zr_err *e)
{
	sqlite3_stmt *s;

	if (show_daemon(t, e) != 0 || show_database(t, e) != 0 || show_states(t, e) != 0)
		return -1;
	if (!t->look->live)
		return 0;
	s = look_stmt(t->look, SQL_TOOL_PRIMARIES, e);
	if (s == NULL || list_table(t, s, &primaries_list, NULL, e) != 0)
		return -1;
	s = look_stmt(t->look, SQL_TOOL_CERTIFICATES, e);
	if (s == NULL)
		return -1;
	return list_table(t, s, &certificates_list, NULL, e);
}

/* "key": the only row, or null. */
static int
json_one(struct tool *t, const char *key, enum sql_id id, struct zr_err *e)
{
	struct buf b = BUF_INIT;
	sqlite3_stmt *s = look_stmt(t->look, id, e);
	int rc = s == NULL ? -1 : look_step(t->look, s, e);

	buf_fmt(&b, "\"%s\":", key);
	if (rc == 1)
		look_json(&b, s);
	else
		buf_str(&b, "null");
	if (rc == 1)
		sqlite3_reset(s);
	fprintf(t->out, "%s,\n", buf_cstr(&b));
	buf_clear(&b);
	return rc < 0 ? -1 : 0;
}

static int
show_json(struct tool *t, struct zr_err *e)
{
	sqlite3_stmt *s;

	fprintf(t->out, "{\"running\":%s,\n", t->look->live ? "true" : "false");
	if (json_one(t, "daemon", SQL_TOOL_DAEMON, e) != 0 ||
	    json_one(t, "database", SQL_TOOL_TOTALS, e) != 0)
		return -1;
	fputs("\"states\":", t->out);
	s = look_stmt(t->look, SQL_TOOL_STATES, e);
	if (s == NULL || list_json(t, s, e) != 0)
		return -1;
	fputs(",\"primaries\":", t->out);
	s = look_stmt(t->look, SQL_TOOL_PRIMARIES, e);
	if (s == NULL || list_json(t, s, e) != 0)
		return -1;
	fputs(",\"certificates\":", t->out);
	s = look_stmt(t->look, SQL_TOOL_CERTIFICATES, e);
	if (s == NULL || list_json(t, s, e) != 0)
		return -1;
	fputs("}\n", t->out);
	return 0;
}

int
cmd_status(struct tool *t)
{
	static const char *const words[] = {"live"};
	struct zr_err e;
	int rc = gather(t, 1, words);

	if (rc != TOOL_OK)
		return rc;
	if ((t->args.json ? show_json(t, &e) : show_text(t, &e)) != 0)
		return tool_fail(&e);
	return TOOL_OK;
}
