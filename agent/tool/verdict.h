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
	const char *older; /* "hidden has 7, ...": primaries whose serial is not newer than ours */
	const char *pending_notifier; /* of a pending force; "" = the operator, or not known */
	int64_t pending_at;
	const char
	    *forced_wait; /* what a pending force waits for: "zone limit", ...; "" = nothing */
	const char *forced_limit; /* that limit in words; "" = not known */
	int64_t forced_wait_at;	  /* until when; 0 = not known */
	/* Lists of names: downstreams that the last forced transfer did not reach, and why; those
	 * whose command failed for good. */
	const char *unverified, *unsupported, *refused, *unanswered, *hooks_failed;
};

/* All texts "", all else 0. */
extern const struct verdict verdict_blank;

/* "behind: primary hidden has 7, we have 6, last attempt failed 2m ago: ..., next try in 4m (...)"
 */
void verdict_line(const struct verdict *v, int64_t now, struct buf *out);
/* "" when there is nothing to do. */
void verdict_hint(const struct verdict *v, struct buf *out);
