/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/bucket.h"

#include "base/clock.h"

/* Together they keep burst * interval far from the end of int64_t. */
#define BURST_MAX 1000000
#define INTERVAL_MAX_US (INT64_C(1000) * 1000 * ZR_US_PER_S)

struct bucket_rate
bucket_rate_every(int64_t interval_us, uint32_t burst)
{
	if (interval_us < 0)
		interval_us = 0;
	if (interval_us > INTERVAL_MAX_US)
		interval_us = INTERVAL_MAX_US;
	if (burst == 0)
		burst = 1;
	if (burst > BURST_MAX)
		burst = BURST_MAX;
	return (struct bucket_rate){.interval_us = interval_us, .burst = burst};
}

struct bucket_rate
bucket_rate(uint32_t per_second, uint32_t burst)
{
	if (per_second == 0)
		return bucket_rate_every(0, burst);
	int64_t interval = ZR_US_PER_S / per_second;
	return bucket_rate_every(interval > 0 ? interval : 1, burst);
}

/* A full bucket may be `burst - 1` intervals in debt and still give one. */
int64_t
bucket_ready_us(const struct bucket *b, const struct bucket_rate *r, int64_t now_us)
{
	if (r->interval_us == 0)
		return now_us;
	return b->full_us - (int64_t)(r->burst - 1) * r->interval_us;
}

int64_t
bucket_reserve(struct bucket *b, const struct bucket_rate *r, int64_t now_us)
{
	if (r->interval_us == 0)
		return now_us;
	int64_t at = bucket_ready_us(b, r, now_us);
	b->full_us = (b->full_us > now_us ? b->full_us : now_us) + r->interval_us;
	return at > now_us ? at : now_us;
}

bool
bucket_take(struct bucket *b, const struct bucket_rate *r, int64_t now_us)
{
	if (bucket_ready_us(b, r, now_us) > now_us)
		return false;
	bucket_reserve(b, r, now_us);
	return true;
}

void
bucket_return(struct bucket *b, const struct bucket_rate *r)
{
	b->full_us -= r->interval_us;
}
