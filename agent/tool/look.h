/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The database as zonerelayctl sees it: read-only, with the lines of the daemon in temporary
 * tables beside it (sql/query/tool.sql).  Every statement is prepared when first used.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include "sql_text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

struct look {
	sqlite3 *sql;
	char *path;
	int64_t now_us; /* wall clock, one for the whole run */
	bool live;	/* the daemon's lines were loaded */
	/* These lines name all that is configured: */
	bool primaries_known, downstreams_known;
	bool memory; /* no database: only to take apart lines of the daemon */
	sqlite3_stmt *stmt[SQL_IN_TOOL_LAST - SQL_IN_TOOL_FIRST + 1];
};

/* path NULL: only to take apart what the daemon says.  -1 with ZR_DB and what to do. */
int look_open(struct look **out, const char *path, int64_t now_us, struct zr_err *e);
void look_close(struct look *l); /* NULL-safe */

/*
 * A statement ready to bind; NULL with *e.  The former use of the same one is ended.  Binding
 * by name; an unknown name is a bug.  Texts and blobs are borrowed until the last step.
 */
sqlite3_stmt *look_stmt(struct look *l, enum sql_id id, struct zr_err *e);
void look_bind_int(sqlite3_stmt *s, const char *name, int64_t v);
void look_bind_text(sqlite3_stmt *s, const char *name, const char *v); /* NULL: NULL */
void look_bind_blob(sqlite3_stmt *s, const char *name, const void *v, size_t n);
/* 1 a row, 0 end, -1. */
int look_step(struct look *l, sqlite3_stmt *s, struct zr_err *e);
/* A statement without parameters, to its end. */
int look_run(struct look *l, enum sql_id id, struct zr_err *e);
/* Takes in one line of the daemon. */
int look_line(struct look *l, const char *line, struct zr_err *e);

/* Columns by name; an unknown one is a bug. */
bool look_has(sqlite3_stmt *s, const char *column); /* not NULL */
int64_t look_int(sqlite3_stmt *s, const char *column);
const char *look_text(sqlite3_stmt *s, const char *column); /* "" for NULL */

/*
 * The row as a JSON object.  Columns *_at are RFC 3339 times or null, *_json stand as they are,
 * without that ending; blobs are left out.
 */
void look_json(struct buf *out, sqlite3_stmt *s);
