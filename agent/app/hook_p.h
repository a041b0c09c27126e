/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside of the hooks: what their files share.  Main thread. */
#pragma once

#include "app/agent_p.h"
#include "core/hookrun.h"
#include "wire/name.h"

/* ---- hook_argv.c ---- */

/* What a command is told. */
struct hook_vars {
	char zone[NAME_TEXT_MAX];	 /* hook_zone() */
	char serial[16], old_serial[16]; /* old_serial "": there was nothing before */
	const char *primary;		 /* it was fetched from: name in the configuration */
	const char *kind;		 /* "AXFR" after a forced transfer, else "SOA" */
	const char *downstream;
};

/*
 * The name as it is given to commands: presentation format in lower case without the final dot, but
 * "." for the root.  It never begins with '-', which could be taken for an option: that is written
 * as \045.
 */
const char *hook_zone(const uint8_t *name, char out[NAME_TEXT_MAX]);

/* Vectors that end with NULL, for hook_vector_free(). */
char **hook_argv(const struct config_argv *c, const struct hook_vars *v);
char **hook_env(const struct hook_vars *v);
void hook_vector_free(char **v);

/* ---- jobs ---- */

/* Of one downstream, by name. */
struct hook_line {
	struct hookq_line q; /* first */
	const char *name;    /* interned */
};

struct hook_row {
	int64_t id; /* in the store */
	uint32_t serial, old_serial;
	bool forced, has_old;
	const char *primary; /* interned */
};

/* A command owed to one downstream for one zone. */
struct hook_job {
	struct heap_node timer;
	struct hookrun run;
	struct hookq_node turn;
	struct hook_job *next;			       /* of the entry */
	struct hook_job *running_next, **running_link; /* of all that run */
	struct agent *agent;
	struct entry *entry; /* NULL: the zone has gone; what runs ends by itself */
	struct hook_line *line;
	struct hook_row row;	/* owed */
	struct hook_row tried;	/* for which `child` runs */
	uint64_t child;		/* its number at the helper; 0: none runs */
	struct zr_mono started; /* the child */
	int64_t timeout_us;	/* its time */
	struct zr_wall since;	/* in this state */
	char *text;		/* how the last try ended; NULL: none did */
};

struct hooks {
	struct hookq queue;
	struct heap timers;
	struct event *timer, *pump;
	struct table *lines; /* struct hook_line by name */
	struct hook_job *running;
	uint64_t next_child;
	bool stopping, killed;
	bool gone; /* the helper: nothing can be run any more */
};

/* The downstream of the zone that has a command for it, and the command; NULL: none (any more). */
const struct config_downstream *hook_command(
    const struct entry *en, const char *downstream, bool forced, const struct config_argv **argv);

/* ---- hook_run.c ---- */

/* Starts its child; when that fails the try has ended. */
void hook_start(struct hook_job *j);
/* Its child is there. */
void hook_started(struct hook_job *j, pid_t pid);
/* Its child has ended, and so has the try.  The job may be gone after this. */
void hook_ended(struct hook_job *j, bool ran, int status, const char *line);

/* ---- hook.c ---- */

/* After a step, or the end of a try: arms its timer, or frees it. */
void hook_follow(struct hook_job *j);
void hook_forget(struct hook_job *j); /* out of every list, and freed */
