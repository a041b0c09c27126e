/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/grid.h"

#include "base/buf.h"
#include "base/mem.h"
#include "tool/text.h"

#include <assert.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define GAP 2 /* blanks between columns */

struct grid {
	FILE *out;
	const char *title;		 /* NULL = none */
	unsigned width, columns, column; /* column: next cell */
	bool flowing;			 /* widths are fixed, rows go out at once */
	bool right[GRID_COLUMNS];
	unsigned wide[GRID_COLUMNS];
	unsigned kept; /* rows in cells, without the heading */
	unsigned long rows;
	struct buf cells; /* NUL-ended, row after row; the heading first */
	struct buf line;
};

struct grid *
grid_new(FILE *out, unsigned width, unsigned columns, const char *const *headings)
{
	struct grid *g = zr_xcalloc(1, sizeof(*g));

	assert(columns > 0 && columns <= GRID_COLUMNS);
	g->out = out;
	g->width = width;
	g->columns = columns;
	for (unsigned i = 0; i < columns; i++) {
		const char *h = headings[i];
		g->right[i] = *h == '>';
		h += g->right[i];
		g->wide[i] = (unsigned)strlen(h);
		buf_bytes(&g->cells, h, strlen(h) + 1);
	}
	return g;
}

void
grid_title(struct grid *g, const char *title)
{
	g->title = title;
}

static void
put_row(struct grid *g, const char *cell)
{
	struct buf *l = &g->line;
	size_t len;

	buf_reset(l);
	for (unsigned i = 0; i < g->columns; i++, cell += len + 1) {
		len = strlen(cell);
		size_t fill = len < g->wide[i] ? g->wide[i] - len : 0;
		if (i > 0)
			buf_bytes(l, "  ", GAP);
		for (size_t k = 0; g->right[i] && k < fill; k++)
			buf_u8(l, ' ');
		buf_bytes(l, cell, len);
		for (size_t k = 0; !g->right[i] && k < fill; k++)
			buf_u8(l, ' ');
	}
	len = l->len;
	while (len > 0 && l->data[len - 1] == ' ')
		len--;
	if (g->width > 0 && len > g->width)
		len = g->width;
	fwrite(l->data, 1, len, g->out);
	fputc('\n', g->out);
}

static void
put_kept(struct grid *g)
{
	const char *cell = (const char *)g->cells.data;

	if (g->title != NULL)
		fputs(g->title, g->out);
	for (unsigned r = 0; r <= g->kept; r++) {
		put_row(g, cell);
		for (unsigned i = 0; i < g->columns; i++)
			cell += strlen(cell) + 1;
	}
	buf_reset(&g->cells);
	g->kept = 0;
	g->flowing = true;
}

static void
end_row(struct grid *g)
{
	g->column = 0;
	g->rows++;
	if (g->flowing) {
		put_row(g, (const char *)g->cells.data);
		buf_reset(&g->cells);
	} else if (++g->kept == GRID_AHEAD) {
		put_kept(g);
	}
}

void
grid_cell(struct grid *g, const char *text)
{
	size_t start = g->cells.len, len;

	text_clean(&g->cells, text != NULL && *text != '\0' ? text : "-");
	len = g->cells.len - start;
	if (len > GRID_CELL_MAX) {
		g->cells.len = start + GRID_CELL_MAX - 3;
		buf_str(&g->cells, "...");
		len = GRID_CELL_MAX;
	}
	buf_u8(&g->cells, 0);
	if (!g->flowing && len > g->wide[g->column])
		g->wide[g->column] = (unsigned)len;
	if (++g->column == g->columns)
		end_row(g);
}

void
grid_cellf(struct grid *g, const char *fmt, ...)
{
	char text[GRID_CELL_MAX + 2];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	grid_cell(g, text);
}

unsigned long
grid_end(struct grid *g)
{
	unsigned long rows = g->rows;

	assert(g->column == 0);
	if (!g->flowing && g->kept > 0)
		put_kept(g);
	buf_clear(&g->cells);
	buf_clear(&g->line);
	free(g);
	return rows;
}
