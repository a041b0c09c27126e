/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the command `zone` share. */
#pragma once

#include "tool/reach.h"
#include "tool/tool.h"

/* A statement of the zone, bound. */
sqlite3_stmt *zone_part(struct tool *t, enum sql_id id, int64_t zone, struct zr_err *e);
/* Everything below the head; with JSON also the end of the object.  0 or -1. */
int zone_tables(struct tool *t, int64_t zone, struct zr_err *e);
int zone_tables_json(struct tool *t, int64_t zone, struct zr_err *e);

/* Rows of `tool_zone_downstreams` (t NULL: without what the configuration adds) and
 * `tool_zone_hooks`, borrowed until the next step. */
struct reach zone_reach(const struct tool *t, sqlite3_stmt *s);
struct reach_hook zone_hook(sqlite3_stmt *s);

/* The line "event", or the object; nothing, or null, without one.  0 or -1. */
int zone_event(struct tool *t, int64_t zone, struct zr_err *e);
/* Everything that needs somebody: lines "problem", or an array of texts.  0 or -1. */
int zone_problems(struct tool *t, int64_t zone, struct zr_err *e);
