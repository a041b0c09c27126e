/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linear probing over slots of 24 octets.  A slot keeps 32 bits of the hash beside the
 * length, so that a probe compares 8 octets before it touches the key, and growing
 * never touches keys at all.  A deleted slot becomes a tombstone, because iteration must
 * survive the deletion of the value just returned; a rebuild sweeps them.
 */
#include "base/table.h"

#include "base/mem.h"
#include "base/rand.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 16 /* slots; always a power of two */

struct slot {
	uint32_t hash;
	uint32_t len;
	const void *key; /* NULL: never used; DEAD: deleted */
	void *value;
};

struct table {
	struct slot *slot;
	size_t cap;
	size_t count; /* live */
	size_t used;  /* live and dead */
	struct rand_key key;
};

static const char dead_mark;
#define DEAD ((const void *)&dead_mark)

static uint64_t
rotl(uint64_t x, int k)
{
	return x << k | x >> (64 - k);
}

static inline void
sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] = rotl(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] = rotl(v[2], 32);
}

static uint64_t
load_le8(const uint8_t *p)
{
	/* Compilers make one load of it. */
	return (uint64_t)p[7] << 56 | (uint64_t)p[6] << 48 | (uint64_t)p[5] << 40 |
	       (uint64_t)p[4] << 32 | (uint64_t)p[3] << 24 | (uint64_t)p[2] << 16 |
	       (uint64_t)p[1] << 8 | p[0];
}

static uint64_t
load_le(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)p[i] << 8 * i;
	return v;
}

/* SipHash with 1 compression round and 3 finalisation rounds. */
static uint64_t
siphash13(const struct rand_key *key, const uint8_t *p, size_t len)
{
	uint64_t v[4] = {
	    key->k[0] ^ UINT64_C(0x736f6d6570736575),
	    key->k[1] ^ UINT64_C(0x646f72616e646f6d),
	    key->k[0] ^ UINT64_C(0x6c7967656e657261),
	    key->k[1] ^ UINT64_C(0x7465646279746573),
	};
	uint64_t m;
	size_t left;

	for (left = len; left >= 8; left -= 8, p += 8) {
		m = load_le8(p);
		v[3] ^= m;
		sip_round(v);
		v[0] ^= m;
	}
	m = load_le(p, left) | (uint64_t)len << 56;
	v[3] ^= m;
	sip_round(v);
	v[0] ^= m;
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t
table_hash(const void *key, size_t len)
{
	struct rand_key k = rand_process_key();

	return siphash13(&k, key, len);
}

static uint32_t
hash32(const struct table *t, const void *key, size_t len)
{
	assert(key != NULL && len <= UINT32_MAX);
	return (uint32_t)siphash13(&t->key, key, len);
}

struct table *
table_new(void)
{
	struct table *t = zr_xcalloc(1, sizeof(*t));

	t->cap = FIRST_CAP;
	t->slot = zr_xcalloc(t->cap, sizeof(*t->slot));
	t->key = rand_process_key();
	return t;
}

void
table_free(struct table *t)
{
	if (t == NULL)
		return;
	free(t->slot);
	free(t);
}

static bool
live(const struct slot *s)
{
	return s->key != NULL && s->key != DEAD;
}

/* The slot which holds the key, or NULL; *spare (may be NULL) is where it would go. */
static struct slot *
find(const struct table *t, uint32_t hash, const void *key, size_t len, struct slot **spare)
{
	struct slot *reuse = NULL;

	for (size_t i = hash & (t->cap - 1);; i = (i + 1) & (t->cap - 1)) {
		struct slot *s = &t->slot[i];

		if (s->key == NULL) {
			if (spare != NULL)
				*spare = reuse != NULL ? reuse : s;
			return NULL;
		}
		if (s->key == DEAD) {
			if (reuse == NULL)
				reuse = s;
		} else if (s->hash == hash && s->len == len && memcmp(s->key, key, len) == 0) {
			return s;
		}
	}
}

/* Without tombstones, at most 3/8 full: the next rebuild is far away. */
static void
rebuild(struct table *t)
{
	struct slot *old = t->slot;
	size_t old_cap = t->cap;

	t->cap = FIRST_CAP;
	while (t->cap / 8 * 3 < t->count + 1)
		t->cap *= 2;
	t->slot = zr_xcalloc(t->cap, sizeof(*t->slot));
	for (size_t i = 0; i < old_cap; i++) {
		size_t to = old[i].hash & (t->cap - 1);

		if (!live(&old[i]))
			continue;
		while (t->slot[to].key != NULL)
			to = (to + 1) & (t->cap - 1);
		t->slot[to] = old[i];
	}
	t->used = t->count;
	free(old);
}

void *
table_get(const struct table *t, const void *key, size_t len)
{
	struct slot *s = find(t, hash32(t, key, len), key, len, NULL);

	return s != NULL ? s->value : NULL;
}

bool
table_put(struct table *t, const void *key, size_t len, void *value)
{
	uint32_t hash = hash32(t, key, len);
	struct slot *s;

	assert(value != NULL);
	if (find(t, hash, key, len, &s) != NULL)
		return false;
	if (s->key == NULL) {
		if (t->used + 1 > t->cap / 4 * 3) {
			rebuild(t);
			(void)find(t, hash, key, len, &s);
		}
		t->used++;
	}
	*s = (struct slot){hash, (uint32_t)len, key, value};
	t->count++;
	return true;
}

void *
table_del(struct table *t, const void *key, size_t len)
{
	struct slot *s = find(t, hash32(t, key, len), key, len, NULL);
	size_t i;
	void *value;

	if (s == NULL)
		return NULL;
	value = s->value;
	*s = (struct slot){.key = DEAD};
	t->count--;
	/* At the end of a run nobody probes past: the tombstones there are not needed. */
	i = (size_t)(s - t->slot);
	if (t->slot[(i + 1) & (t->cap - 1)].key != NULL)
		return value;
	for (; t->slot[i].key == DEAD; i = (i - 1) & (t->cap - 1)) {
		t->slot[i].key = NULL;
		t->used--;
	}
	return value;
}

size_t
table_count(const struct table *t)
{
	return t->count;
}

size_t
table_bytes(const struct table *t)
{
	return sizeof(*t) + t->cap * sizeof(*t->slot);
}

void *
table_next(const struct table *t, size_t *pos)
{
	while (*pos < t->cap) {
		const struct slot *s = &t->slot[(*pos)++];

		if (live(s))
			return s->value;
	}
	return NULL;
}
