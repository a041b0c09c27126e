/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers that are lists: a table for people, or a JSON array with one row in each line. */
#pragma once

#include "tool/grid.h"
#include "tool/tool.h"

struct list {
	const char *title; /* above the heading, with its newline; NULL = none */
	const char *const *headings;
	unsigned columns;
	/* Puts one row into the table; NULL: the list exists as JSON only. */
	void (*row)(struct grid *g, sqlite3_stmt *s, int64_t now);
};

/* Runs the bound statement; *rows may be NULL.  0 or -1. */
int list_table(
    struct tool *t, sqlite3_stmt *s, const struct list *l, unsigned long *rows, struct zr_err *e);
int list_json(struct tool *t, sqlite3_stmt *s, struct zr_err *e);

/* Cells: "-" for unset. */
void cell_ago(struct grid *g, sqlite3_stmt *s, const char *column, int64_t now);
void cell_int(struct grid *g, sqlite3_stmt *s, const char *column);
void cell_text(struct grid *g, sqlite3_stmt *s, const char *column);
void cell_size(struct grid *g, sqlite3_stmt *s, const char *column);
void cell_span(struct grid *g, sqlite3_stmt *s, const char *column); /* of microseconds */

extern const struct list list_zone_transfers; /* also used by `zone` */
