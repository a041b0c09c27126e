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
	uint64_t floor; /* of the process before this one; 0: none */
	uint64_t kept;	/* what the caller has kept of this process; 0: nothing */
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

static struct newest *
newest_of(struct replay *r, const uint8_t *key)
{
	size_t len = name_len(key);
	struct newest *n = table_get(r->keys, key, len);

	if (n != NULL)
		return n;
	n = zr_xcalloc(1, sizeof(*n));
	memcpy(n->key, key, len);
	(void)table_put(r->keys, n->key, len, n);
	return n;
}

/* A time that counts, or 0. */
static uint64_t
sane(uint64_t time, uint64_t now)
{
	return time <= now + REPLAY_AHEAD_S ? time : 0;
}

enum replay_verdict
replay_check(const struct replay *r, const struct replay_request *q, uint64_t now)
{
	const struct newest *n = table_get(r->keys, q->key, name_len(q->key));
	uint64_t newest, floor;

	if (find(r, hash(q->key, q->mac, q->mac_len)) < REPLAY_PLACES)
		return REPLAY_SEEN;
	if (n == NULL)
		return REPLAY_NEW;
	newest = sane(n->time, now);
	if (newest > REPLAY_LATE_S && q->time < newest - REPLAY_LATE_S)
		return REPLAY_LATE;
	floor = sane(n->floor, now);
	if (q->time < floor || (q->forced && q->time == floor))
		return REPLAY_OLD;
	return REPLAY_NEW;
}

void
replay_note(struct replay *r, const struct replay_request *q, uint64_t now)
{
	uint64_t h = hash(q->key, q->mac, q->mac_len);
	size_t at = first_place(h), to = at;
	struct newest *n = newest_of(r, q->key);

	if (q->time > sane(n->time, now))
		n->time = q->time;
	if (find(r, h) < REPLAY_PLACES)
		return;
	for (size_t i = at; i < at + WAYS; i++)
		if (r->place[i].time < r->place[to].time)
			to = i;
	r->place[to] = (struct place){h, q->time};
}

void
replay_forget(struct replay *r, const struct replay_request *q)
{
	size_t i = find(r, hash(q->key, q->mac, q->mac_len));

	if (i < REPLAY_PLACES)
		r->place[i] = (struct place){0, 0};
	newest_of(r, q->key)->kept = 0;
}

void
replay_floor(struct replay *r, const uint8_t *key, uint64_t time)
{
	newest_of(r, key)->floor = time;
}

/* One that is much older was not signed by the clock that the kept one was. */
bool
replay_keep(struct replay *r, const struct replay_request *q)
{
	struct newest *n = newest_of(r, q->key);

	if (q->time <= n->kept && n->kept <= q->time + 2 * REPLAY_AHEAD_S)
		return false;
	n->kept = q->time;
	return true;
}
