/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Aligned tables of any length in bounded memory: the widths of the columns come from the
 * heading and the first GRID_AHEAD rows; a later cell that is wider pushes its row to the right.
 * Nothing is cut but the end of lines, when the terminal has a width.
 */
#pragma once

#include <stdio.h>

#define GRID_AHEAD 500
#define GRID_COLUMNS 16
#define GRID_CELL_MAX 256 /* octets; longer cells end with "..." */

struct grid;

/* Headings; one that begins with '>' is of a column aligned to the right.  width 0: no limit. */
struct grid *grid_new(FILE *out, unsigned width, unsigned columns, const char *const *headings);
/* Something to write above the heading, if there is going to be one; borrowed. */
void grid_title(struct grid *g, const char *title);
/* Cells from left to right; NULL and "" become "-".  Control characters become '?'. */
void grid_cell(struct grid *g, const char *text);
void grid_cellf(struct grid *g, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Writes what is kept, frees.  With no row nothing is written.  Returns the number of rows. */
unsigned long grid_end(struct grid *g);
