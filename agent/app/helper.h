/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The process that runs commands, seen from the daemon.  It is forked before the daemon has read a
 * secret, is given its commands once, before anything of the network is opened, becomes the same
 * user, and stays outside: no capabilities, no cage.  At a reload it reads the configuration
 * itself, without the files of secrets.  It runs those commands and nothing else: it is told of
 * which downstream and for which zone one is to be run; so who takes over the daemon cannot run
 * programs through it.
 *
 * It ends with the daemon, and kills what it runs; what it runs is killed when it dies.  It is not
 * started again: there is nobody outside of the cage who could.
 *
 * Owner: the main thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "config/config.h"

struct event_base;
struct helper;

struct helper_events {
	void (*started)(void *arg, uint64_t id, pid_t pid);
	/* status: of waitpid(), or -1; line: the first of its errors, or why it did not start. */
	void (*ended)(void *arg, uint64_t id, bool ran, int status, const char *line);
	/* It could not read the configuration again and goes on with what it had. */
	void (*stale)(void *arg, const char *why);
	void (*gone)(void *arg); /* nothing comes any more */
};

/* What is to be run: the command of the downstream, for a zone as hook_zone() writes it. */
struct helper_job {
	uint64_t id;
	const char *downstream, *zone, *primary;
	uint32_t serial, old_serial;
	bool has_old, forced;
};

/* Before there are threads or secrets; the file at `path` (kept) gives commands after a reload. */
int helper_fork(struct helper **out, const char *path, struct zr_err *e);
/* Once, before helper_attach(): it has its commands, and is who it is to be. */
int helper_begin(struct helper *h, const struct config *c, struct zr_err *e);
int helper_attach(struct helper *h, struct event_base *base, const struct helper_events *ev,
    void *arg, struct zr_err *e);
/* Before its base goes; nothing is told any more. */
void helper_detach(struct helper *h);
/*
 * started() and ended(), or ended() alone, come for it later, unless this fails: with ZR_LIMIT the
 * same may go a little later.
 */
int helper_run(struct helper *h, const struct helper_job *j, struct zr_err *e);
void helper_signal(struct helper *h, uint64_t id, int sig); /* to its whole group */
void helper_reload(struct helper *h);
pid_t helper_pid(const struct helper *h);
void helper_free(struct helper *h); /* NULL-safe; ends it, waits for it */
