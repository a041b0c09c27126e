/* SPDX-License-Identifier: BSD-2-Clause */
/* What all kinds of socket of this room share.  Not for other rooms. */
#pragma once

#include "base/addr.h"
#include "base/err.h"

#include <stdbool.h>

/* A non-blocking, close-on-exec socket for the family of `a`; IPv6 never takes IPv4. */
int sock_open(const struct zr_addr *a, int type, struct zr_err *e); /* -1: failed */
int sock_bind(int fd, const struct zr_addr *a, struct zr_err *e);   /* 0 or -1 */
bool sock_local(int fd, struct zr_addr *out);			    /* getsockname() */

/* Whether errno says that the process or the system has run out of something. */
bool sock_exhausted(int err);

/* "WHAT ADDRESS: reason" from err; ZR_LIMIT when exhausted, ZR_TIMEOUT or ZR_IO. -1. */
int sock_fail(struct zr_err *e, int err, const char *what, const struct zr_addr *a);

/* Sets an option to 1 or another number; what cannot be set is not worth failing. */
void sock_set(int fd, int level, int option, int value);
