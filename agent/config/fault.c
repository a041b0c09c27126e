/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/fault.h"

#include "base/mem.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 1024 /* octets of one fault */
#define SHOW_OCTETS 60

struct fault {
	uint32_t order; /* of the file */
	uint32_t line, col;
	uint32_t seq;
	bool error;
	const char *text;
};

struct fault_file {
	const char *name;
	size_t kept;
	size_t lost[2]; /* warnings, errors beyond FAULTS_KEPT */
};

void
faults_init(struct faults *f)
{
	*f = (struct faults){0};
	pool_init(&f->arena);
}

void
faults_clear(struct faults *f)
{
	pool_clear(&f->arena);
	free(f->file);
	free(f->v);
	faults_init(f);
}

const char *
faults_file(struct faults *f, const char *name)
{
	f->file = zr_xrealloc(f->file, (f->file_count + 1) * sizeof(*f->file));
	f->file[f->file_count++] = (struct fault_file){.name = name};
	return name;
}

/* Newest first: that is the one being read. */
unsigned
faults_file_order(const struct faults *f, const char *file)
{
	size_t i = f->file_count;

	while (i-- > 0)
		if (f->file[i].name == file)
			return (unsigned)i;
	assert(!"a file which was never made known");
	return 0;
}

static void add(struct faults *f, struct place at, bool error, const char *fmt, va_list ap)
    __attribute__((format(printf, 4, 0)));

static void
add(struct faults *f, struct place at, bool error, const char *fmt, va_list ap)
{
	unsigned order = faults_file_order(f, at.file);
	struct fault_file *file = &f->file[order];
	char text[TEXT_MAX];

	if (error)
		f->errors++;
	else
		f->warnings++;
	if (file->kept == FAULTS_KEPT) {
		file->lost[error]++;
		return;
	}
	file->kept++;
	if (f->n == f->cap) {
		f->cap = f->cap != 0 ? f->cap * 2 : 16;
		f->v = zr_xrealloc(f->v, f->cap * sizeof(*f->v));
	}
	vsnprintf(text, sizeof(text), fmt, ap);
	f->v[f->n] = (struct fault){.order = order,
	    .line = at.line,
	    .col = at.col,
	    .seq = (uint32_t)f->n,
	    .error = error,
	    .text = pool_str(&f->arena, text)};
	f->n++;
}

void
fault_error(struct faults *f, struct place at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(f, at, true, fmt, ap);
	va_end(ap);
}

void
fault_warning(struct faults *f, struct place at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(f, at, false, fmt, ap);
	va_end(ap);
}

static int
by_position(const void *pa, const void *pb)
{
	const struct fault *a = pa, *b = pb;

	if (a->order != b->order)
		return a->order < b->order ? -1 : 1;
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	if (a->col != b->col)
		return a->col < b->col ? -1 : 1;
	return a->seq < b->seq ? -1 : 1;
}

static void say(struct config_report *r, bool error, const struct fault_file *file,
    const struct fault *at, const char *fmt, ...) __attribute__((format(printf, 5, 6)));

static void
say(struct config_report *r, bool error, const struct fault_file *file, const struct fault *at,
    const char *fmt, ...)
{
	struct buf line = BUF_INIT;
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	buf_str(&line, file->name);
	if (at->line != 0)
		buf_fmt(&line, ":%" PRIu32 ":%" PRIu32, at->line, at->col);
	buf_fmt(&line, ": %s", text);
	r->line(r->arg, error, buf_cstr(&line));
	buf_clear(&line);
}

/* v[0..n) are the faults of one file, in order. */
static void
report_file(struct config_report *r, const struct fault_file *file, const struct fault *v, size_t n)
{
	size_t shown[2] = {0, 0}, more[2] = {file->lost[0], file->lost[1]};
	const struct fault *first[2] = {NULL, NULL};

	for (size_t i = 0; i < n; i++) {
		bool e = v[i].error;

		if (shown[e] == FAULTS_SHOWN) {
			more[e]++;
			if (first[e] == NULL)
				first[e] = &v[i];
			continue;
		}
		shown[e]++;
		say(r, e, file, &v[i], "%s", v[i].text);
	}
	if (more[1] != 0)
		say(r, true, file, first[1] != NULL ? first[1] : &v[n - 1],
		    "%zu more errors are not shown", more[1]);
	if (more[0] != 0)
		say(r, false, file, first[0] != NULL ? first[0] : &v[n - 1],
		    "%zu more warnings are not shown", more[0]);
}

void
faults_report(struct faults *f, struct config_report *r)
{
	size_t from = 0, to;

	if (f->n != 0)
		qsort(f->v, f->n, sizeof(*f->v), by_position);
	for (size_t i = 0; i < f->file_count; i++, from = to) {
		for (to = from; to < f->n && f->v[to].order == i; to++)
			;
		if (to != from)
			report_file(r, &f->file[i], f->v + from, to - from);
	}
	r->errors = (unsigned)f->errors;
	r->warnings = (unsigned)f->warnings;
}

/* Octets of the UTF-8 sequence at p; 0: not one. */
static size_t
utf8_len(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

	if (p[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++) /* stops at a NUL */
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

const char *
fault_show(const char *text, char out[SHOW_MAX])
{
	size_t at = 0, n;

	out[at++] = '\'';
	for (; *text != '\0'; text += n) {
		n = utf8_len(text);
		if (at + n > SHOW_OCTETS)
			break;
		if (n == 0 || (unsigned char)*text < 0x20 || *text == 0x7f) {
			out[at++] = '?';
			n = 1;
			continue;
		}
		memcpy(out + at, text, n);
		at += n;
	}
	snprintf(out + at, SHOW_MAX - at, *text == '\0' ? "'" : "...'");
	return out;
}
