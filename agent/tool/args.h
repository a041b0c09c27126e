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

#define ARGS_TARGETS 256 /* of send-notify */
#define ARGS_OPERANDS (1 + ARGS_TARGETS)

struct args_command {
	const char *name;
	unsigned min, max;	    /* operands */
	unsigned options;	    /* ARG_* it takes besides those of every command */
	bool zone;		    /* the first operand is a zone, unless --all */
	bool alone;		    /* needs neither daemon nor database nor configuration */
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
#define ARG_AXFR 0x40
#define ARG_TYPE 0x80
#define ARG_SERIAL 0x100
#define ARG_KEY 0x200
#define ARG_KEY_FILE 0x400
#define ARG_TCP 0x800
#define ARG_SOURCE 0x1000
#define ARG_TRIES 0x2000

struct args {
	const struct args_command *command;
	const char *operand[ARGS_OPERANDS]; /* NULL: not given; borrowed from argv */
	unsigned operands;
	const char *config, *database, *socket, *state;
	const char *type, *key, *key_file, *source;
	bool json, all, wait, check, help, version, axfr, tcp;
	int64_t limit; /* rows; -1 = all */
	bool limit_given, serial_given;
	int64_t timeout_us; /* 0 = none was given */
	int64_t serial;	    /* 32 bits */
	int64_t tries;	    /* 0 = none was given */
};

extern const struct args_command args_commands[];
extern const unsigned args_command_count;

/* 0, or -1 with what is wrong.  With help or version nothing else is checked. */
int args_parse(struct args *a, int argc, const char *const *argv, struct zr_err *e);
