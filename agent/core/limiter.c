/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/limiter.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/table.h"

#define WAYS 8 /* places an address may take: two cache lines */

struct place {
	uint64_t key; /* keyed hash of the client; two clients sharing one share a bucket */
	struct bucket bucket;
};

struct limiter {
	struct bucket_rate rate;
	size_t sets; /* power of two */
	struct place *place;
};

struct limiter *
limiter_new(struct bucket_rate rate, size_t places)
{
	struct limiter *l = zr_xcalloc(1, sizeof(*l));
	l->rate = rate;
	l->sets = 1;
	while (l->sets * WAYS < places)
		l->sets *= 2;
	l->place = zr_xcalloc(l->sets * WAYS, sizeof(*l->place));
	return l;
}

void
limiter_free(struct limiter *l)
{
	if (l == NULL)
		return;
	free(l->place);
	free(l);
}

void
limiter_set_rate(struct limiter *l, struct bucket_rate rate)
{
	l->rate = rate;
}

static uint64_t
place_key(uint64_t h)
{
	return h != 0 ? h : 1; /* 0 is an empty place */
}

static uint64_t
client_key(const struct zr_addr *source)
{
	struct zr_addr c = addr_client(source);
	uint8_t b[1 + sizeof(c.ip)] = {c.family};
	memcpy(b + 1, c.ip, sizeof(c.ip));
	return place_key(table_hash(b, sizeof(b)));
}

/* Its own place, or the one whose loss costs least: the bucket that is fullest. */
static struct place *
find_place(struct place *set, uint64_t key)
{
	struct place *best = &set[0];

	for (unsigned i = 0; i < WAYS; i++) {
		if (set[i].key == key)
			return &set[i];
		if (set[i].bucket.full_us < best->bucket.full_us)
			best = &set[i];
	}
	*best = (struct place){.key = key};
	return best;
}

static bool
take(struct limiter *l, uint64_t key, uint32_t cost, struct zr_mono now)
{
	struct place *p = find_place(&l->place[(key & (l->sets - 1)) * WAYS], key);

	if (!bucket_take(&p->bucket, &l->rate, now.us))
		return false;
	p->bucket.full_us += (int64_t)(cost - 1) * l->rate.interval_us;
	return true;
}

bool
limiter_take(struct limiter *l, const struct zr_addr *source, struct zr_mono now)
{
	return limiter_take_cost(l, source, 1, now);
}

bool
limiter_take_cost(
    struct limiter *l, const struct zr_addr *source, uint32_t cost, struct zr_mono now)
{
	return l->rate.interval_us == 0 || take(l, client_key(source), cost, now);
}

bool
limiter_take_key(struct limiter *l, const void *name, size_t len, struct zr_mono now)
{
	return l->rate.interval_us == 0 || take(l, place_key(table_hash(name, len)), 1, now);
}

size_t
limiter_bytes(const struct limiter *l)
{
	return sizeof(*l) + l->sets * WAYS * sizeof(*l->place);
}
