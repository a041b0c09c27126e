/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of this room share: loading with the reported lines kept, and files to load. */
#pragma once

#include "config/config.h"
#include "config/load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct caught {
	struct buf text; /* every line with its newline */
	struct config_report r;
};

static inline void
caught_line(void *arg, bool error, const char *text)
{
	struct caught *c = arg;

	if (!error)
		buf_str(&c->text, "warning: ");
	buf_str(&c->text, text);
	buf_str(&c->text, "\n");
}

static inline void
caught_init(struct caught *c)
{
	*c = (struct caught){.r = {.line = caught_line, .arg = c}};
}

static inline struct config *
catch_load(struct caught *c, const char *path)
{
	caught_init(c);
	return config_load(path, &c->r);
}

static inline struct config *
catch_text(struct caught *c, const char *yaml)
{
	caught_init(c);
	return config_load_text("t.yaml", yaml, strlen(yaml), true, &c->r);
}

/* Loads what must be good. */
static inline struct config *
load_good(const char *yaml)
{
	struct caught caught;
	struct config *c = catch_text(&caught, yaml);

	if (c == NULL)
		fail_msg("refused: %s", buf_cstr(&caught.text));
	buf_clear(&caught.text);
	return c;
}

/* Loads what must be bad, with exactly these lines. */
static inline void
load_bad(const char *yaml, const char *lines)
{
	struct caught caught;
	struct config *c = catch_text(&caught, yaml);

	assert_string_equal(buf_cstr(&caught.text), lines);
	assert_null(c);
	assert_true(caught.r.errors > 0);
	buf_clear(&caught.text);
}

/* The whole file, with a NUL behind it; NULL when there is none.  free(). */
static inline char *
file_text(const char *path)
{
	size_t len;
	char *text;

	if (load_slurp(path, true, SIZE_MAX / 8, &text, &len) != 0)
		return NULL;
	text = realloc(text, len + 1);
	assert_non_null(text);
	text[len] = '\0';
	return text;
}

static inline char *
printed(const struct config *c)
{
	struct buf b = BUF_INIT;
	size_t len;
	char *text;

	config_print(c, &b);
	assert_false(b.bad);
	buf_u8(&b, 0);
	text = (char *)buf_take(&b, &len);
	return text;
}
