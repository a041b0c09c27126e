/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A token bucket in 8 octets: the time at which the bucket will be full again (GCRA).
 * Microseconds throughout; the rate is shared by many buckets.  A zeroed bucket is full.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct bucket_rate {
	int64_t interval_us; /* one token comes back in so long; 0 = unlimited */
	uint32_t burst;	     /* tokens a full bucket holds, at least 1 */
};

struct bucket {
	int64_t full_us;
};

/* per_second 0 = unlimited; burst 0 is taken as 1. */
struct bucket_rate bucket_rate(uint32_t per_second, uint32_t burst);
/* For rates below one per second. */
struct bucket_rate bucket_rate_every(int64_t interval_us, uint32_t burst);
/* The earliest time at which one token is there; <= now when there is one now. */
int64_t bucket_ready_us(const struct bucket *b, const struct bucket_rate *r, int64_t now_us);
/* Takes a token; false and no change when there is none. */
bool bucket_take(struct bucket *b, const struct bucket_rate *r, int64_t now_us);
/* Takes the next token there will be and returns when it is there (>= now): a place in a queue. */
int64_t bucket_reserve(struct bucket *b, const struct bucket_rate *r, int64_t now_us);
/* Gives back a token that was taken and not used. */
void bucket_return(struct bucket *b, const struct bucket_rate *r);
