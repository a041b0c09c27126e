/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/grid.h"

#include "tool/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *text;
static size_t text_len;

static struct grid *
begin(unsigned width, unsigned columns, const char *const *head, FILE **f)
{
	*f = open_memstream(&text, &text_len);
	assert_non_null(*f);
	return grid_new(*f, width, columns, head);
}

static void
finish(FILE *f, const char *want)
{
	fclose(f);
	assert_string_equal(text, want);
	free(text);
}

static const char *const head[] = {"NAME", ">SIZE", "NOTE"};

static void
aligned(void **state)
{
	FILE *f;
	struct grid *g = begin(0, 3, head, &f);

	(void)state;
	grid_cell(g, "a");
	grid_cellf(g, "%d", 7);
	grid_cell(g, "x");
	grid_cell(g, "longer");
	grid_cellf(g, "%d", 123456);
	grid_cell(g, NULL);
	grid_cell(g, "");
	grid_cell(g, "1");
	grid_cell(g, "y  ");
	assert_int_equal(grid_end(g), 3);
	finish(f, "NAME      SIZE  NOTE\n"
		  "a            7  x\n"
		  "longer  123456  -\n"
		  "-            1  y\n");
}

static void
empty(void **state)
{
	FILE *f;
	struct grid *g = begin(0, 3, head, &f);

	(void)state;
	grid_title(g, "never seen\n");
	assert_int_equal(grid_end(g), 0);
	finish(f, "");
}

static void
titled(void **state)
{
	FILE *f;
	struct grid *g = begin(0, 1, head, &f);

	(void)state;
	grid_title(g, "\n");
	grid_cell(g, "a");
	grid_end(g);
	finish(f, "\nNAME\na\n");
}

/* A terminal gets no line longer than itself, and no control sequence of a stranger. */
static void
harmless(void **state)
{
	FILE *f;
	struct grid *g = begin(12, 3, head, &f);

	(void)state;
	grid_cell(g, "a\x1b[2Jb\n");
	grid_cell(g, "\x80\xc3\xa9");
	grid_cell(g, "cut off here");
	grid_end(g);
	finish(f, "NAME     SIZ\n"
		  "a?[2Jb?   ??\n");
}

static void
huge_cell(void **state)
{
	FILE *f;
	char big[2000];
	struct grid *g = begin(0, 1, head, &f);

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	grid_cell(g, big);
	grid_cellf(g, "%s", big);
	grid_end(g);
	fclose(f);
	const char *line = strchr(text, '\n') + 1;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(strcspn(line, "\n"), GRID_CELL_MAX);
		assert_memory_equal(line + GRID_CELL_MAX - 3, "...", 3);
		line += GRID_CELL_MAX + 1;
	}
	free(text);
}

/* Widths come from the first rows; later ones are all there, at most pushed to the right. */
static void
many_rows(void **state)
{
	const unsigned long n = 20 * GRID_AHEAD;
	FILE *f;
	struct grid *g = begin(0, 3, head, &f);
	unsigned long lines = 0;

	(void)state;
	for (unsigned long i = 0; i < n; i++) {
		grid_cellf(g, "zone-%lu", i);
		grid_cellf(g, "%lu", i);
		grid_cell(g, i == n - 1 ? "last" : NULL);
	}
	assert_int_equal(grid_end(g), n);
	fclose(f);
	for (const char *p = text; *p != '\0'; p++)
		lines += *p == '\n';
	assert_int_equal(lines, n + 1);
	assert_non_null(strstr(text, "\nzone-7       7  -\n"));
	assert_non_null(strstr(text, "\nzone-9999  9999  last\n"));
	free(text);
}

/* ---- values ---- */

static void
assert_span(int64_t us, const char *want)
{
	char out[TEXT_MAX];

	assert_string_equal(text_span(us, out), want);
}

static void
spans(void **state)
{
	const int64_t s = 1000000;

	(void)state;
	assert_span(0, "0s");
	assert_span(999, "<1ms");
	assert_span(1000, "1ms");
	assert_span(250000, "250ms");
	assert_span(s, "1s");
	assert_span(s + 99999, "1s");
	assert_span(3 * s + 250000, "3.2s");
	assert_span(9 * s + 999999, "9.9s");
	assert_span(10 * s, "10s");
	assert_span(59 * s, "59s");
	assert_span(60 * s, "1m");
	assert_span(252 * s, "4m12s");
	assert_span(3600 * s, "1h");
	assert_span(3600 * s + 59 * s, "1h");
	assert_span(26 * 3600 * s, "1d2h");
	assert_span(8 * 86400 * s, "1w1d");
	assert_span(-252 * s, "4m12s");
	assert_span(INT64_MIN, "15250284w3d");
}

static void
sizes(void **state)
{
	static const struct {
		uint64_t n;
		const char *want;
	} v[] = {{0, "0 B"}, {1023, "1023 B"}, {1024, "1.0 KiB"}, {1536, "1.5 KiB"},
	    {1048575, "1023.9 KiB"}, {1048576, "1.0 MiB"}, {UINT64_C(5) << 30, "5.0 GiB"},
	    {UINT64_MAX, "15.9 EiB"}};
	char out[TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		assert_string_equal(text_size(v[i].n, out), v[i].want);
}

static void
points(void **state)
{
	const int64_t now = INT64_C(1795244591000000); /* 2026-11-21T07:03:11Z */
	char out[TEXT_MAX];

	(void)state;
	assert_string_equal(text_ago(0, now, out), "-");
	assert_string_equal(text_ago(now, now, out), "now");
	assert_string_equal(text_ago(now - 192000000, now, out), "3m12s ago");
	assert_string_equal(text_ago(now + 192000000, now, out), "in 3m12s");
	assert_string_equal(text_ago(INT64_MIN, now, out), "?");
	assert_string_equal(
	    text_when(now, now - 252000000, out), "2026-11-21T07:03:11Z (in 4m12s)");
	assert_string_equal(text_when(0, now, out), "-");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(aligned),
	    cmocka_unit_test(empty),
	    cmocka_unit_test(titled),
	    cmocka_unit_test(harmless),
	    cmocka_unit_test(huge_cell),
	    cmocka_unit_test(many_rows),
	    cmocka_unit_test(spans),
	    cmocka_unit_test(sizes),
	    cmocka_unit_test(points),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
