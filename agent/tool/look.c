/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/look.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/serial.h"
#include "wire/name.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUSY_MS 3000 /* the daemon holds the file for moments only */

/* ---- functions for the statements ---- */

static void
fn_name_show(sqlite3_context *c, int n, sqlite3_value **v)
{
	char text[NAME_TEXT_MAX];
	const uint8_t *p = sqlite3_value_blob(v[0]);
	size_t len = (size_t)sqlite3_value_bytes(v[0]);

	(void)n;
	if (p == NULL || name_check(p, len) != len)
		sqlite3_result_null(c);
	else
		sqlite3_result_text(c, name_show(p, text), -1, SQLITE_TRANSIENT);
}

static void
fn_serial_gt(sqlite3_context *c, int n, sqlite3_value **v)
{
	(void)n;
	if (sqlite3_value_type(v[0]) == SQLITE_NULL || sqlite3_value_type(v[1]) == SQLITE_NULL)
		sqlite3_result_int(c, 0);
	else
		sqlite3_result_int(c, serial_gt((uint32_t)sqlite3_value_int64(v[0]),
					  (uint32_t)sqlite3_value_int64(v[1])));
}

static void
fn_time_now(sqlite3_context *c, int n, sqlite3_value **v)
{
	const struct look *l = sqlite3_user_data(c);

	(void)n;
	(void)v;
	sqlite3_result_int64(c, l->now_us);
}

static void
fn_live(sqlite3_context *c, int n, sqlite3_value **v)
{
	const struct look *l = sqlite3_user_data(c);

	(void)n;
	(void)v;
	sqlite3_result_int(c, l->live);
}

static void
fn_known(sqlite3_context *c, int n, sqlite3_value **v)
{
	const struct look *l = sqlite3_user_data(c);
	const char *kind = (const char *)sqlite3_value_text(v[0]);

	(void)n;
	if (kind != NULL && strcmp(kind, "primary") == 0)
		sqlite3_result_int(c, l->primaries_known);
	else
		sqlite3_result_int(c, l->downstreams_known);
}

static int
add_functions(struct look *l)
{
	const int flags = SQLITE_UTF8 | SQLITE_INNOCUOUS;
	static const struct {
		const char *name;
		int args, flags;
		void (*fn)(sqlite3_context *, int, sqlite3_value **);
	} list[] = {
	    {"name_show", 1, SQLITE_DETERMINISTIC, fn_name_show},
	    {"serial_gt", 2, SQLITE_DETERMINISTIC, fn_serial_gt},
	    {"time_now", 0, 0, fn_time_now},
	    {"live", 0, 0, fn_live},
	    {"known", 1, 0, fn_known},
	};
	int rc = SQLITE_OK;

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]) && rc == SQLITE_OK; i++)
		rc = sqlite3_create_function(l->sql, list[i].name, list[i].args,
		    flags | list[i].flags, l, list[i].fn, NULL, NULL);
	return rc;
}

/* ---- opening ---- */

static int
db_fail(struct look *l, const char *doing, struct zr_err *e)
{
	return zr_fail(e, ZR_DB, "database %s: %s: %s", l->path, doing, sqlite3_errmsg(l->sql));
}

/*
 * A file of a daemon that was stopped has no WAL beside it; reading it the usual way would make
 * one, for which one who may only read has no right.  Without a WAL nobody writes to it, so it may
 * then be read as a file that does not change.
 */
static int
open_immutable(struct look *l)
{
	char *wal = sqlite3_mprintf("%s-wal", l->path);
	char *uri;
	int rc = SQLITE_CANTOPEN;

	if (wal == NULL)
		return SQLITE_NOMEM;
	if (access(wal, F_OK) != 0 && errno == ENOENT && strpbrk(l->path, "%?#") == NULL) {
		uri = sqlite3_mprintf("file:%s?immutable=1", l->path);
		rc = uri == NULL ? SQLITE_NOMEM
				 : sqlite3_open_v2(
				       uri, &l->sql, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
		sqlite3_free(uri);
	}
	sqlite3_free(wal);
	return rc;
}

/* The first statement touches the file. */
static int
check_version(struct look *l, struct zr_err *e)
{
	sqlite3_stmt *s = look_stmt(l, SQL_TOOL_SCHEMA_VERSION, e);
	int64_t version;

	if (s == NULL || look_step(l, s, e) != 1)
		return -1;
	version = sqlite3_column_int64(s, 0);
	sqlite3_reset(s);
	if (version != SQL_MIGRATIONS)
		return zr_fail(e, ZR_DB,
		    "database %s has version %lld of its tables and this program knows %d; use the "
		    "zonerelayctl that came with the daemon",
		    l->path, (long long)version, SQL_MIGRATIONS);
	return 0;
}

static int
set_up(struct look *l, struct zr_err *e)
{
	static const enum sql_id steps[] = {SQL_TOOL_CREATE_LIVE_ZONE, SQL_TOOL_CREATE_LIVE_LINE,
	    SQL_TOOL_CREATE_ZONE_NOW, SQL_TOOL_CREATE_DOWNSTREAM_NOW, SQL_TOOL_CREATE_FORCED_NOW,
	    SQL_TOOL_CREATE_FORCED_LIVE};

	sqlite3_busy_timeout(l->sql, BUSY_MS);
	sqlite3_extended_result_codes(l->sql, 1);
	if (add_functions(l) != SQLITE_OK)
		return db_fail(l, "functions", e);
	if (!l->memory && check_version(l, e) != 0)
		return -1;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (look_run(l, steps[i], e) != 0)
			return -1;
	return 0;
}

static void
drop(struct look *l)
{
	for (size_t i = 0; i < sizeof(l->stmt) / sizeof(l->stmt[0]); i++) {
		sqlite3_finalize(l->stmt[i]);
		l->stmt[i] = NULL;
	}
	sqlite3_close(l->sql);
	l->sql = NULL;
}

int
look_open(struct look **out, const char *path, int64_t now_us, struct zr_err *e)
{
	struct look *l = zr_xcalloc(1, sizeof(*l));
	struct zr_err second;
	int rc;

	*out = NULL;
	l->memory = path == NULL;
	l->path = zr_xstrdup(l->memory ? ":memory:" : path);
	l->now_us = now_us;
	if (!l->memory && access(path, R_OK) != 0) {
		zr_fail(e, ZR_DB, "database %s: %s%s", path, strerror(errno),
		    errno == ENOENT ? "; was zonerelayd ever started with this configuration?"
				    : "");
		goto fail;
	}
	rc = sqlite3_open_v2(l->path, &l->sql,
	    l->memory ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY : SQLITE_OPEN_READONLY, NULL);
	if (rc != SQLITE_OK)
		db_fail(l, "opening", e);
	else if (set_up(l, e) == 0)
		goto done;
	rc = sqlite3_errcode(l->sql) & 0xff;
	drop(l);
	if ((rc != SQLITE_CANTOPEN && rc != SQLITE_READONLY) || open_immutable(l) != SQLITE_OK ||
	    set_up(l, &second) != 0)
		goto fail;
done:
	*out = l;
	return 0;
fail:
	look_close(l);
	return -1;
}

void
look_close(struct look *l)
{
	if (l == NULL)
		return;
	drop(l);
	free(l->path);
	free(l);
}

/* ---- statements ---- */

sqlite3_stmt *
look_stmt(struct look *l, enum sql_id id, struct zr_err *e)
{
	sqlite3_stmt **s = &l->stmt[id - SQL_IN_TOOL_FIRST];

	if (*s == NULL && sqlite3_prepare_v2(l->sql, sql_text[id], -1, s, NULL) != SQLITE_OK) {
		db_fail(l, sql_name[id], e);
		return NULL;
	}
	sqlite3_reset(*s);
	sqlite3_clear_bindings(*s);
	return *s;
}

static int
parameter(sqlite3_stmt *s, const char *name)
{
	int i = sqlite3_bind_parameter_index(s, name);

	assert(i > 0);
	return i;
}

void
look_bind_int(sqlite3_stmt *s, const char *name, int64_t v)
{
	sqlite3_bind_int64(s, parameter(s, name), v);
}

void
look_bind_text(sqlite3_stmt *s, const char *name, const char *v)
{
	sqlite3_bind_text(s, parameter(s, name), v, -1, SQLITE_STATIC);
}

void
look_bind_blob(sqlite3_stmt *s, const char *name, const void *v, size_t n)
{
	sqlite3_bind_blob64(s, parameter(s, name), v, n, SQLITE_STATIC);
}

int
look_step(struct look *l, sqlite3_stmt *s, struct zr_err *e)
{
	switch (sqlite3_step(s)) {
	case SQLITE_ROW:
		return 1;
	case SQLITE_DONE:
		sqlite3_reset(s);
		return 0;
	default:
		db_fail(l, "reading", e);
		sqlite3_reset(s);
		return -1;
	}
}

int
look_run(struct look *l, enum sql_id id, struct zr_err *e)
{
	sqlite3_stmt *s = look_stmt(l, id, e);
	int rc = -1;

	while (s != NULL && (rc = look_step(l, s, e)) == 1)
		;
	return rc;
}

int
look_line(struct look *l, const char *line, struct zr_err *e)
{
	static const enum sql_id where[] = {SQL_TOOL_ADD_LIVE_ZONE, SQL_TOOL_ADD_LIVE_LINE};

	for (int i = 0; i < 2; i++) {
		sqlite3_stmt *s = look_stmt(l, where[i], e);
		if (s == NULL)
			return -1;
		look_bind_text(s, ":line", line);
		if (look_step(l, s, e) < 0)
			return zr_fail_in(e, "the daemon's answer \"%.60s\"", line);
		sqlite3_clear_bindings(s);
	}
	return 0;
}

/* ---- columns ---- */

static int
column(sqlite3_stmt *s, const char *name)
{
	int n = sqlite3_column_count(s);

	for (int i = 0; i < n; i++)
		if (strcmp(sqlite3_column_name(s, i), name) == 0)
			return i;
	assert(!"no such column");
	return -1;
}

bool
look_has(sqlite3_stmt *s, const char *name)
{
	return sqlite3_column_type(s, column(s, name)) != SQLITE_NULL;
}

int64_t
look_int(sqlite3_stmt *s, const char *name)
{
	return sqlite3_column_int64(s, column(s, name));
}

const char *
look_text(sqlite3_stmt *s, const char *name)
{
	const char *t = (const char *)sqlite3_column_text(s, column(s, name));

	return t != NULL ? t : "";
}

static bool
ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);

	return n > m && strcmp(name + n - m, end) == 0;
}

static void
json_value(struct buf *out, sqlite3_stmt *s, int i, bool time)
{
	char stamp[CLOCK_RFC3339_LEN];
	int64_t v;

	switch (sqlite3_column_type(s, i)) {
	case SQLITE_INTEGER:
		v = sqlite3_column_int64(s, i);
		if (!time) {
			buf_fmt(out, "%lld", (long long)v);
		} else if (v == 0) {
			buf_str(out, "null");
		} else {
			clock_rfc3339((struct zr_wall){v}, true, stamp);
			buf_fmt(out, "\"%s\"", stamp);
		}
		break;
	case SQLITE_TEXT:
		buf_json(out, (const char *)sqlite3_column_text(s, i));
		break;
	default:
		buf_str(out, "null");
	}
}

void
look_json(struct buf *out, sqlite3_stmt *s)
{
	int n = sqlite3_column_count(s);
	const char *comma = "";

	buf_u8(out, '{');
	for (int i = 0; i < n; i++) {
		const char *name = sqlite3_column_name(s, i);
		bool raw = ends_with(name, "_json");

		if (sqlite3_column_type(s, i) == SQLITE_BLOB)
			continue;
		buf_fmt(out, "%s\"%.*s\":", comma,
		    (int)(strlen(name) - (raw ? strlen("_json") : 0)), name);
		comma = ",";
		if (raw && sqlite3_column_type(s, i) == SQLITE_TEXT)
			buf_str(out, (const char *)sqlite3_column_text(s, i));
		else
			json_value(out, s, i, ends_with(name, "_at"));
	}
	buf_u8(out, '}');
}
