/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Time.  Two types, so that the compiler refuses to mix them: monotonic time for
 * every deadline in memory, wall time for what is stored or shown.  Only clock.c reads
 * a clock; everything else is told the time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct zr_mono {
	int64_t us; /* microseconds since an arbitrary start; 0 = never / unset */
};

struct zr_wall {
	int64_t us; /* microseconds since 1970-01-01T00:00:00Z; 0 = unset */
};

struct zr_now {
	struct zr_mono mono;
	struct zr_wall wall;
};

#define ZR_US_PER_MS INT64_C(1000)
#define ZR_US_PER_S INT64_C(1000000)

struct zr_now clock_now(void);

#define CLOCK_RFC3339_LEN 28 /* 2026-11-21T06:45:01.123Z and the NUL fit */

/* RFC 3339 in UTC; with milliseconds when `ms`.  "-" for an unset time. */
void clock_rfc3339(struct zr_wall t, bool ms, char out[CLOCK_RFC3339_LEN]);
