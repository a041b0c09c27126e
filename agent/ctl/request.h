/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A request line: words separated by blanks.  A word in double quotes may hold blanks; in it
 * \" and \\ stand for " and \ and any other backslash is an error.  Outside of quotes a backslash
 * is an ordinary character (names have escapes of their own: ex\046ample).  No octet below 0x20 but
 * the tab as a blank, and no 0x7f.  Pure.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <stddef.h>

#define CTL_LINE_MAX 4096 /* octets without the newline */
#define CTL_ARGS_MAX 16	  /* words with the command */

struct ctl_request {
	int argc;
	const char *argv[CTL_ARGS_MAX + 1]; /* NULL at the end; into text */
	char text[CTL_LINE_MAX + 1];
};

/* `line` without its newline; a CR at the end is dropped.  argc 0: an empty line. */
int ctl_request_parse(struct ctl_request *r, const char *line, size_t len, struct zr_err *e);

/* Appends the line for these words, quoted where needed, with the newline.  -1: cannot be said. */
int ctl_request_write(struct buf *out, int argc, const char *const *argv, struct zr_err *e);
