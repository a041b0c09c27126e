/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an operator must know of a zone, in one line: is it current, and if not, why, and what
 * happens next; and what to do about it.  Pure.
 */
#pragma once

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

/* As in the columns of `tool_zone`; texts may be "" but not NULL.  Times: microseconds, 0 = unset.
 */
struct verdict {
	const char *name, *state, *activity, *pending;
	bool has_serial, has_ahead, has_want;
	uint32_t serial;
	const char *ahead_primary; /* last seen to hold ahead_serial, which is newer */
	uint32_t ahead_serial;
	uint32_t want_serial; /* announced by a NOTIFY */
	const char *error, *error_code, *error_peer;
	const char *error_address; /* ADDRESS@PORT of a primary that failed */
	int64_t error_at, next_at, checked_at, refresh_at, expire_at, failures;
	const char *transfer, *primary; /* under way, from whom */
	int64_t transfer_at, transfer_records, transfer_octets;
};

/* "behind: primary hidden has 7, we have 6, last attempt failed 2m ago: ..., next try in 4m (...)"
 */
void verdict_line(const struct verdict *v, int64_t now, struct buf *out);
/* "" when there is nothing to do. */
void verdict_hint(const struct verdict *v, struct buf *out);
