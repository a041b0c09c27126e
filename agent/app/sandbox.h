/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How the daemon gives up what it does not need (README, "Confinement"), in three steps: who it is,
 * before anything is opened; then, when the sockets are, capabilities and the cage.  Main thread,
 * while there is no other.
 */
#pragma once

#include "base/err.h"
#include "config/config.h"

/*
 * No core dumps; the user of the configuration; and whether that user can work with the folders of
 * the database and the control socket: -1 says what is to be done.
 */
int sandbox_begin(const struct config *c, struct zr_err *e);
/* For the process of the commands: the same user, without a word; and no core dumps. */
int sandbox_follow(const char *user, bool core_dumps, struct zr_err *e);
/* The listeners are open; the store and all threads come after. */
int sandbox_close(const struct config *c, struct zr_err *e);
/* What is to be said of a file that a reload may not read, and of a port it may not open; "". */
const char *sandbox_file_advice(void);
const char *sandbox_port_advice(unsigned port);
