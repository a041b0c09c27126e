/* SPDX-License-Identifier: BSD-2-Clause */
/* --wait: follows a zone until what was ordered has succeeded or failed. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct tool;

/* Exit status: TOOL_OK when the zone is current. */
int wait_zone(struct tool *t);

struct wait_notify {
	bool axfr;
	const char *only;   /* downstream; NULL: all */
	int64_t since_us;   /* wall clock, before the order */
	int64_t zone, want; /* id; targets there are to be, 0: not known yet */
};

/*
 * Follows NOTIFYs that were ordered to their ends, prints them.  The database is open.  Exit
 * status: TOOL_OK when every target acknowledged, and with axfr fetched the zone.
 */
int wait_notify(struct tool *t, const struct wait_notify *w);
