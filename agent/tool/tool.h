/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zonerelayctl: one command per run.  Everything below belongs to the one thread there is.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "config/config.h"
#include "ctl/client.h"
#include "tool/args.h"
#include "tool/look.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Exit status, as the manual says. */
enum tool_exit {
	TOOL_OK = 0,
	TOOL_FAILED = 1, /* the command failed; --check or --wait: the zone is not current */
	TOOL_USAGE = 2,	 /* command line or configuration */
	TOOL_NO_DAEMON = 3,
	TOOL_NO_ZONE = 4,
	TOOL_NO_DATABASE = 5
};

struct tool {
	struct args args;
	struct config *config; /* NULL: -d and -s said all that is needed */
	const char *database, *socket;
	char *found_database, *found_socket; /* owned; where.c */
	struct ctl_client *client;	     /* NULL: the daemon does not run, or was not asked */
	struct look *look;		     /* NULL until look is needed */
	FILE *out;
	unsigned width;	   /* of the terminal; 0 = not a terminal: nothing is cut */
	bool progress;	   /* stderr is a terminal */
	uint8_t zone[255]; /* the operand NAME, lower-case wire; zone_len 0: none was given */
	size_t zone_len;
	char zone_text[1024];
};

/* The program; returns its exit status. */
int tool_main(int argc, char **argv);
/* One command: args, out, width and progress are set; everything else is filled and freed here. */
int tool_run(struct tool *t);

/* Writes "zonerelayctl: text" to stderr. */
void tool_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* tool_warn() and the exit status that goes with the code. */
int tool_fail(const struct zr_err *e);

/* Commands: exit status. */
int cmd_status(struct tool *t);
int cmd_zones(struct tool *t);
int cmd_zone(struct tool *t);
int cmd_transfers(struct tool *t);
int cmd_downstreams(struct tool *t);
int cmd_export(struct tool *t);
int cmd_verify(struct tool *t);
int cmd_refresh(struct tool *t); /* also retransfer */
int cmd_notify(struct tool *t);
int cmd_send_notify(struct tool *t);
int cmd_reload(struct tool *t);
int cmd_stop(struct tool *t);
int cmd_version(struct tool *t);

/* ---- look: database and daemon together (gather.c) ---- */

/*
 * Opens the database and, when the daemon answers, lays the lines of its answer to `words` over
 * it; when it does not, says so on stderr.  The reading transaction is open then.  0 or an exit
 * status.
 */
int gather(struct tool *t, int argc, const char *const *words);
/* The same without asking the daemon, and without a word about it. */
int gather_database(struct tool *t);
/* Adds what the configuration says of the zone's peers; what the daemon said stays. */
void gather_configured(struct tool *t);
/* Finds the zone of the operand; TOOL_NO_ZONE after saying why. */
int gather_zone(struct tool *t, int64_t *id);
/* Connects for a command that needs the daemon. */
int need_daemon(struct tool *t);
/* Sends a command; each body line goes to `line` (may be NULL).  0, or -1. */
int daemon_ask(struct tool *t, int argc, const char *const *words,
    int (*line)(void *arg, const char *text, struct zr_err *e), void *arg, struct zr_err *e);
