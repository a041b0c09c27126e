/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two kinds of random numbers: unpredictable ones from the kernel for query IDs and
 * ports (RFC 5452 section 9.2), and a seedable generator for jitter, so that tests
 * can repeat a run.
 */
#pragma once

#include <stdint.h>

/* CSPRNG, from getrandom(2) through a small locked pool; any thread. */
uint16_t rand_id(void);
uint32_t rand_secure32(void);
void rand_secure(void *p, unsigned n);

/* A secret drawn once, the same for the life of the process; any thread. */
struct rand_key {
	uint64_t k[2];
};
struct rand_key rand_process_key(void);

struct rng {
	uint64_t s[2];
};

void rng_seed(struct rng *r, uint64_t seed);
uint64_t rng_next(struct rng *r);
/* Uniform in [0, bound); 0 when bound is 0. */
uint64_t rng_below(struct rng *r, uint64_t bound);
