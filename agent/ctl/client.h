/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The other end of the control socket, blocking, for zonerelayctl and tests.  Any thread, one
 * owner at a time.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>

struct ctl_client;

/* -1 with ZR_CLOSED when no daemon listens there, ZR_IO for anything else (permission ...). */
int ctl_client_open(struct ctl_client **out, const char *path, struct zr_err *e);
void ctl_client_close(struct ctl_client *c); /* NULL-safe */
/* How long to wait for each piece of an answer; 0 = for ever.  Default 30 s. */
void ctl_client_timeout(struct ctl_client *c, int ms);

/* Sends a request.  The answer of the one before must have been read to its end. */
int ctl_client_ask(struct ctl_client *c, int argc, const char *const *argv, struct zr_err *e);
/*
 * The next body line, valid until the next call.  1 a line, 0 the answer ended with ok, -1 with
 * the daemon's code and text, or a code of our own when ctl_client_broken().
 */
int ctl_client_line(struct ctl_client *c, const char **line, struct zr_err *e);
/* The connection failed: the last -1 was not the daemon's word. */
bool ctl_client_broken(const struct ctl_client *c);
