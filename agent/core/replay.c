/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/replay.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/table.h"
#include "wire/name.h"

#define WAYS 4 /* places that a request may take: the oldest gives way */
#define MAC_OCTETS 64

_Static_assert((REPLAY_PLACES & (REPLAY_PLACES - 1)) == 0, "a power of two");

struct place {
	uint64_t hash; /* keyed; 0: empty */
	uint64_t time;
};

struct newest {
	uint64_t time;
	uint8_t key[NAME_MAX_LEN];
};

struct replay {
	struct table *keys; /* name -> struct newest; there are as many as were configured */
	struct place place[REPLAY_PLACES];
};

struct replay *
replay_new(void)
{
	struct replay *r = zr_xcalloc(1, sizeof(*r));

	r->keys = table_new();
	return r;
}

void
replay_free(struct replay *r)
{
	struct newest *n;
	size_t pos = 0;

	if (r == NULL)
		return;
	while ((n = table_next(r->keys, &pos)) != NULL)
		free(n);
	table_free(r->keys);
	free(r);
}

static uint64_t
hash(const uint8_t *key, const uint8_t *mac, size_t mac_len)
{
	uint8_t b[NAME_MAX_LEN + MAC_OCTETS];
	size_t n = name_len(key);
	uint64_t h;

	if (mac_len > MAC_OCTETS)
		mac_len = MAC_OCTETS;
	memcpy(b, key, n);
	memcpy(b + n, mac, mac_len);
	h = table_hash(b, n + mac_len);
	return h != 0 ? h : 1;
}

static size_t
first_place(uint64_t h)
{
	return (size_t)(h & (REPLAY_PLACES - 1)) & ~(size_t)(WAYS - 1);
}

static size_t
find(const struct replay *r, uint64_t h)
{
	size_t at = first_place(h);

	for (size_t i = at; i < at + WAYS; i++)
		if (r->place[i].hash == h)
			return i;
	return REPLAY_PLACES;
}

enum replay_verdict
replay_check(
    const struct replay *r, const uint8_t *key, uint64_t time, const uint8_t *mac, size_t mac_len)
{
	const struct newest *n;

	if (find(r, hash(key, mac, mac_len)) < REPLAY_PLACES)
		return REPLAY_SEEN;
	n = table_get(r->keys, key, name_len(key));
	if (n != NULL && n->time > REPLAY_LATE_S && time < n->time - REPLAY_LATE_S)
		return REPLAY_LATE;
	return REPLAY_NEW;
}

void
replay_note(struct replay *r, const uint8_t *key, uint64_t time, const uint8_t *mac, size_t mac_len)
{
	uint64_t h = hash(key, mac, mac_len);
	size_t len = name_len(key), at = first_place(h), to = at;
	struct newest *n = table_get(r->keys, key, len);

	if (n == NULL) {
		n = zr_xcalloc(1, sizeof(*n));
		memcpy(n->key, key, len);
		(void)table_put(r->keys, n->key, len, n);
	}
	if (time > n->time)
		n->time = time;
	if (find(r, h) < REPLAY_PLACES)
		return;
	for (size_t i = at; i < at + WAYS; i++)
		if (r->place[i].time < r->place[to].time)
			to = i;
	r->place[to] = (struct place){h, time};
}

void
replay_forget(struct replay *r, const uint8_t *key, const uint8_t *mac, size_t mac_len)
{
	size_t i = find(r, hash(key, mac, mac_len));

	if (i < REPLAY_PLACES)
		r->place[i] = (struct place){0, 0};
}
