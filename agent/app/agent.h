/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon's main loop: owns every zone, the UDP sockets, the listeners, the scheduler and the
 * control socket, and joins the rooms together.
 */
#pragma once

#include <stdbool.h>

#include "app/certs.h"
#include "base/err.h"
#include "config/config.h"

struct agent;
struct helper;

struct agent_options {
	const char *config_path;
	const char *version;
	struct helper *helper;	/* runs commands; the caller's, and free it after the agent */
	bool debug;		/* log level debug whatever the configuration says */
	unsigned store_slow_ms; /* tests: every commit takes so much longer */
};

/*
 * Opens everything; takes the configuration and its certificates.  NULL: *e says why, nothing is
 * left running.
 */
struct agent *agent_new(
    const struct agent_options *o, struct config *c, struct certs *certs, struct zr_err *e);
/* Runs until SIGTERM, SIGINT or the control command `stop`; then everything is wound up. */
void agent_run(struct agent *a);
void agent_free(struct agent *a);
