/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/rand.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define POOL 512  /* octets: one system call serves 256 query IDs */
#define SMALL 32  /* octets: larger requests go to the kernel directly */
#define CHUNK 256 /* octets: getrandom() never cuts a request of this size */

/* The octets from `used` on have not been given out; given ones are wiped. */
static struct {
	pthread_mutex_t lock;
	uint8_t octets[POOL];
	unsigned used;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .used = POOL};

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static struct rand_key process_key;

static void
from_kernel(uint8_t *p, unsigned n)
{
	while (n > 0) {
		ssize_t got = getrandom(p, n < CHUNK ? n : CHUNK, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			abort(); /* no kernel we support does this; guessable IDs are worse */
		p += got;
		n -= (unsigned)got;
	}
}

void
rand_secure(void *p, unsigned n)
{
	if (n > SMALL) {
		from_kernel(p, n);
		return;
	}
	pthread_mutex_lock(&pool.lock);
	if (n > POOL - pool.used) {
		from_kernel(pool.octets, POOL);
		pool.used = 0;
	}
	memcpy(p, pool.octets + pool.used, n);
	memset(pool.octets + pool.used, 0, n);
	pool.used += n;
	pthread_mutex_unlock(&pool.lock);
}

uint16_t
rand_id(void)
{
	uint16_t v;

	rand_secure(&v, sizeof(v));
	return v;
}

uint32_t
rand_secure32(void)
{
	uint32_t v;

	rand_secure(&v, sizeof(v));
	return v;
}

static void
key_fill(void)
{
	rand_secure(&process_key, sizeof(process_key));
}

struct rand_key
rand_process_key(void)
{
	pthread_once(&key_once, key_fill);
	return process_key;
}

/* splitmix64: spreads any seed, also 0, over the whole state. */
static uint64_t
spread(uint64_t *x)
{
	uint64_t z = *x += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

void
rng_seed(struct rng *r, uint64_t seed)
{
	r->s[0] = spread(&seed);
	r->s[1] = spread(&seed);
}

static uint64_t
rotl(uint64_t x, int k)
{
	return x << k | x >> (64 - k);
}

/* xoroshiro128+ with the shifts of its 2018 version. */
uint64_t
rng_next(struct rng *r)
{
	uint64_t a = r->s[0], b = r->s[1], sum = a + b;

	b ^= a;
	r->s[0] = rotl(a, 24) ^ b ^ b << 16;
	r->s[1] = rotl(b, 37);
	return sum;
}

uint64_t
rng_below(struct rng *r, uint64_t bound)
{
	uint64_t skip, v;

	if (bound == 0)
		return 0;
	skip = -bound % bound; /* 2^64 mod bound: this many values would be favoured */
	do
		v = rng_next(r);
	while (v < skip);
	return v % bound;
}
