/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line of zonerelayctl: options may stand anywhere before "--"; each
 * command says which it takes and how many operands.  Pure.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct tool;

#define ARGS_OPERANDS 2

struct args_command {
	const char *name;
	unsigned min, max;	    /* operands */
	unsigned options;	    /* ARG_* it takes besides those of every command */
	bool zone;		    /* the first operand is a zone, unless --all */
	int (*run)(struct tool *t); /* exit status */
	const char *operands;	    /* for the usage text */
	const char *what;
};

#define ARG_ALL 0x01
#define ARG_WAIT 0x02
#define ARG_STATE 0x04
#define ARG_LIMIT 0x08
#define ARG_CHECK 0x10
#define ARG_TIMEOUT 0x20

struct args {
	const struct args_command *command;
	const char *operand[ARGS_OPERANDS]; /* NULL: not given; borrowed from argv */
	unsigned operands;
	const char *config, *database, *socket, *state;
	bool json, all, wait, check, help, version;
	int64_t limit; /* rows; -1 = all */
	bool limit_given;
	int64_t timeout_us; /* of --wait; 0 = none */
};

extern const struct args_command args_commands[];
extern const unsigned args_command_count;

/* 0, or -1 with what is wrong.  With help or version nothing else is checked. */
int args_parse(struct args *a, int argc, const char *const *argv, struct zr_err *e);
