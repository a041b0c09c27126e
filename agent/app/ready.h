/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Telling the service manager how far we are: the datagram protocol of sd_notify(3), without the
 * library. A no-op when NOTIFY_SOCKET is not set.  The socket is of the process: main thread.
 */
#pragma once

#include <stdint.h>

/* Connects; before the cage is closed, and before the helper is forked, which is not to have it. */
void ready_open(void);
void ready_tell(const char *state); /* "READY=1", "STOPPING=1", ... */
void ready_reloading(void);	    /* with the time, as Type=notify-reload wants it */
/* It wants to hear WATCHDOG=1 at least so often, microseconds; 0: it does not, or not from us. */
int64_t ready_watchdog_us(void);
