/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the script runner and the parts it drives; README.md describes the language. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "wire/name.h"
#include "wire/rr.h"

#define REPLAY_WORDS 32
#define REPLAY_BLOCK 64

/* One command: its words, and the lines below it without their indentation. */
struct replay_cmd {
	unsigned line;
	unsigned argc;
	char *argv[REPLAY_WORDS];
	unsigned blockc;
	char *block[REPLAY_BLOCK];
	unsigned block_line[REPLAY_BLOCK];
};

struct replay {
	const char *file;
	struct zr_now now;
	uint8_t zone[NAME_MAX_LEN];
	struct buf out;	      /* lines that came out and were not looked at yet */
	const char *step;     /* last step; NULL: none since the last expect */
	struct zr_err reason; /* of that step */
	bool step_final;      /* it has to be confirmed */
	void *part[4];	      /* state of the parts, by their index in replay_tables */
};

struct replay_word {
	const char *name;
	/* Runs a command; calls replay_die() when the script is wrong. */
	void (*run)(struct replay *r, const struct replay_cmd *c);
};

struct replay_table {
	const struct replay_word *words; /* ended by a NULL name */
	void (*begin)(struct replay *r);
	/* Time has moved to r->now; may be NULL. */
	void (*tick)(struct replay *r);
	void (*end)(struct replay *r);
};

enum { REPLAY_XFRIN };
extern const struct replay_table replay_xfrin;

/* The script is wrong, or the daemon is: "file:line: text", and the program ends with failure. */
void replay_die(const struct replay *r, unsigned line, const char *fmt, ...)
    __attribute__((noreturn, format(printf, 3, 4)));

/* A step has been taken; final ones must be confirmed by "expect". */
void replay_step(struct replay *r, unsigned line, const char *step, bool final);

/* "key=value" among the arguments from `from`: value, "" for a bare key, or NULL. */
const char *replay_flag(const struct replay_cmd *c, unsigned from, const char *key);
/* The argument behind the word `key`, or NULL. */
const char *replay_after(const struct replay_cmd *c, const char *key);
unsigned long replay_number(const struct replay *r, unsigned line, const char *text);

/*
 * Records of a block line (shorthand included), appended in wire form without compression.
 * Returns their number.
 */
unsigned replay_records(const struct replay *r, unsigned line, const char *text, struct buf *wire);
/* The same in the form in which rr_print() would write them, each behind `prefix`. */
void replay_lines(
    const struct replay *r, unsigned line, const char *prefix, const char *text, struct buf *out);
