/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t
read_us(clockid_t id)
{
	struct timespec t;

	/* Cannot fail for these two clocks. */
	(void)clock_gettime(id, &t);
	return (int64_t)t.tv_sec * ZR_US_PER_S + t.tv_nsec / 1000;
}

struct zr_now
clock_now(void)
{
	return (struct zr_now){
	    .mono = {read_us(CLOCK_MONOTONIC)},
	    .wall = {read_us(CLOCK_REALTIME)},
	};
}

void
clock_rfc3339(struct zr_wall t, bool ms, char out[CLOCK_RFC3339_LEN])
{
	time_t secs = (time_t)(t.us / ZR_US_PER_S);
	size_t n = 0;
	struct tm tm;

	/* RFC 3339 has four digits for the year; beyond that no text is right. */
	if (t.us > 0 && gmtime_r(&secs, &tm) != NULL && tm.tm_year + 1900 <= 9999)
		n = strftime(out, CLOCK_RFC3339_LEN, "%Y-%m-%dT%H:%M:%S", &tm);
	if (n == 0)
		snprintf(out, CLOCK_RFC3339_LEN, "-");
	else if (ms)
		snprintf(out + n, CLOCK_RFC3339_LEN - n, ".%03uZ",
		    (unsigned)(t.us / ZR_US_PER_MS % 1000));
	else
		snprintf(out + n, CLOCK_RFC3339_LEN - n, "Z");
}
