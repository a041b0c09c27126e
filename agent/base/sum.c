/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Four lanes that do not wait for each other; each step maps a lane's state one to one, and so does
 * what joins them, so that no single step can make a difference vanish.
 */
#include "base/sum.h"

#include <string.h>

#define LANES 4
#define WORD 8

static const uint64_t odd[LANES] = {
    UINT64_C(0x9e3779b97f4a7c15),
    UINT64_C(0xbf58476d1ce4e5b9),
    UINT64_C(0x94d049bb133111eb),
    UINT64_C(0xd6e8feb86659fd93),
};

static inline uint64_t
load(const uint8_t *p)
{
	return (uint64_t)p[7] << 56 | (uint64_t)p[6] << 48 | (uint64_t)p[5] << 40 |
	       (uint64_t)p[4] << 32 | (uint64_t)p[3] << 24 | (uint64_t)p[2] << 16 |
	       (uint64_t)p[1] << 8 | p[0];
}

static inline uint64_t
step(uint64_t h, uint64_t v, uint64_t m)
{
	h = (h ^ v) * m;
	return h ^ h >> 32;
}

uint64_t
sum_of(const uint8_t *p, size_t n, uint64_t seed)
{
	uint64_t h[LANES], all = seed ^ n * odd[3];
	uint8_t last[LANES * WORD] = {0};

	for (int i = 0; i < LANES; i++)
		h[i] = step(seed, odd[i], odd[0]);
	for (; n >= sizeof(last); p += sizeof(last), n -= sizeof(last)) {
		h[0] = step(h[0], load(p), odd[0]);
		h[1] = step(h[1], load(p + WORD), odd[1]);
		h[2] = step(h[2], load(p + 2 * WORD), odd[2]);
		h[3] = step(h[3], load(p + 3 * WORD), odd[3]);
	}
	if (n > 0)
		memcpy(last, p, n);
	for (int i = 0; i < LANES; i++)
		all = step(all, step(h[i], load(last + i * WORD), odd[i]), odd[0]);
	return all;
}
