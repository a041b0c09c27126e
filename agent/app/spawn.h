/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program as a child, without a shell: in a process group of its own, in the folder /, with
 * nothing open but 0 and 1 (/dev/null) and 2 (a pipe to us), all signals as they are by
 * default.  Of what it writes to 2 the first line is kept, the rest is read and thrown away, so
 * that it never waits for us.  When the caller's process dies, it is killed.  Nothing here blocks
 * but the start, until the program is there.
 *
 * Owner: the loop of a process with one thread and with 0, 1 and 2 open (helper_run.c); its event
 * base must handle SIGCHLD and then ask spawn_ended().
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

struct event_base;
struct spawn;

#define SPAWN_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define SPAWN_LINE_MAX 200 /* octets */

/* Both vectors end with NULL.  A name without a slash is looked for in SPAWN_PATH. */
int spawn_start(struct spawn **out, struct event_base *base, char *const argv[], char *const env[],
    struct zr_err *e);
pid_t spawn_pid(const struct spawn *s);
/* To its whole group; not after spawn_ended() was true. */
void spawn_signal(const struct spawn *s, int sig);
/*
 * True once, when it has ended, with the status of waitpid(), or -1 when that is not known.
 * `all`: what it left behind in its group is killed; else that is let alone.
 */
bool spawn_ended(struct spawn *s, bool all, int *status);
/* First line that is not empty, with control characters made harmless; "" none.  Borrowed. */
const char *spawn_line(const struct spawn *s);
void spawn_free(struct spawn *s); /* NULL-safe; one that has not ended is let alone */
