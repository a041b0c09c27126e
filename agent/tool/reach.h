/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What became of a forced transfer, in words: at an address of a downstream, of a command, and of
 * the event as a whole; and what an operator has to do about it.  Pure.  Texts may be "" but not
 * NULL; times are microseconds, 0 = unset.
 */
#pragma once

#include "base/buf.h"
#include "config/config.h"

#include <stdbool.h>
#include <stdint.h>

/* One address of a downstream.  state: forced_peer_names, or "" when it has no part in the event.
 */
struct reach {
	const char *zone, *name, *address;
	const char *state, *text;
	int64_t at; /* in this state since */
	bool has_tries;
	int64_t tries, next_at; /* of the NOTIFY owed */
	int64_t unsupported_until;
	bool current;		      /* it has the newest version */
	bool excused;		      /* its command is owed, or has just been run */
	enum config_server_kind kind; /* of the software there, when configured */
};

void reach_words(const struct reach *r, int64_t now, struct buf *out);
/* A problem and its remedy; false when there is none. */
bool reach_problem(const struct reach *r, struct buf *out);

/* A command of a downstream. */
struct reach_hook {
	const char *name;
	const char *state; /* "waiting", "running", "retry", "done", "failed" */
	const char *last_state, *last_text;
	int64_t since, tries, next_at, last_at, last_duration_us;
};

void reach_hook_words(const struct reach_hook *h, int64_t now, struct buf *out);
bool reach_hook_problem(const struct reach_hook *h, struct buf *out);

/* The event; verdict: forced_verdict_names. */
struct reach_event {
	int64_t event, at, last_at, serial;
	bool pinned;			/* only the first primary is believed now */
	const char *verdict, *notifier; /* notifier "": the operator */
	const char *source;		/* "": no transfer, but a NOTIFY(AXFR) by command */
};

void reach_event_words(const struct reach_event *v, int64_t now, struct buf *out);
bool reach_event_problem(const struct reach_event *v, struct buf *out);
