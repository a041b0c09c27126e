/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two halves: segments are read into one until it is full, then into the other, which is emptied
 * first.  So the newest half of what was read is always there, and nothing is ever moved.
 */
#include "app/segcache.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"

/*
 * Of a half; one segment more may stand in it, which is at most 64 KiB.  One reader needs no more
 * than what it reads ahead, and that stays in the processor's cache; several are some hundred KiB
 * apart, which is what the kernel takes for each of them.
 */
#define HALF_ALONE (256 * 1024)
#define HALF_SHARED (2048 * 1024)
/* In a half: they are looked for one by one. */
#define HALF_SEGMENTS 512
/* Read at once.  More would not save much and keep others of the loop waiting. */
#define AHEAD_MAX 16
/* Octets of a segment, about; only the share of each reader is reckoned with it. */
#define SEGMENT_OCTETS 12288

struct place {
	int64_t id;
	size_t at, len;
};

struct half {
	struct buf data;
	struct place v[HALF_SEGMENTS];
	size_t n;
};

struct segcache {
	struct reader *reader;
	struct half half[2];
	unsigned now; /* being filled */
};

/* Newest first: readers that keep step want what was read last. */
static const struct place *
find_in(const struct half *h, int64_t id)
{
	for (size_t i = h->n; i > 0; i--)
		if (h->v[i - 1].id == id)
			return &h->v[i - 1];
	return NULL;
}

static bool
found(const struct segcache *c, int64_t id, const uint8_t **data, size_t *len)
{
	for (unsigned i = 0; i < 2; i++) {
		const struct half *h = &c->half[c->now ^ i];
		const struct place *p = find_in(h, id);

		if (p != NULL) {
			*data = h->data.data + p->at;
			*len = p->len;
			return true;
		}
	}
	return false;
}

static size_t
half_octets(unsigned sharers)
{
	return sharers > 1 ? HALF_SHARED : HALF_ALONE;
}

static bool
full(const struct half *h, unsigned sharers)
{
	return h->n == HALF_SEGMENTS || h->data.len >= half_octets(sharers);
}

static int
read_one(struct segcache *c, int64_t id, struct zr_err *e)
{
	struct half *h = &c->half[c->now];
	size_t at = h->data.len;

	if (reader_segment_data(c->reader, id, &h->data, e) != 0) {
		h->data.bad = false;
		return -1;
	}
	h->v[h->n++] = (struct place){.id = id, .at = at, .len = h->data.len - at};
	return 0;
}

static size_t
share(unsigned sharers)
{
	size_t n = half_octets(sharers) / SEGMENT_OCTETS / (sharers == 0 ? 1 : sharers);

	return n > AHEAD_MAX ? AHEAD_MAX : n < 1 ? 1 : n;
}

/* Of those read ahead, what cannot be read is an error when its turn comes. */
static int
read_ahead(struct segcache *c, const int64_t *ids, size_t n, unsigned sharers, struct zr_err *e)
{
	const uint8_t *data;
	size_t len;

	if (full(&c->half[c->now], sharers)) {
		c->now ^= 1;
		buf_reset(&c->half[c->now].data);
		c->half[c->now].n = 0;
	}
	if (read_one(c, ids[0], e) != 0)
		return -1;
	for (size_t i = 1; i < n && !full(&c->half[c->now], sharers); i++)
		if (!found(c, ids[i], &data, &len) && read_one(c, ids[i], NULL) != 0)
			break;
	return 0;
}

int
segcache_get(struct segcache *c, const int64_t *ids, size_t n, unsigned sharers,
    const uint8_t **data, size_t *len, struct zr_err *e)
{
	size_t ahead = share(sharers);
	int rc;

	if (found(c, ids[0], data, len))
		return 0;
	if (reader_begin(c->reader, e) != 0)
		return -1;
	rc = read_ahead(c, ids, n < ahead ? n : ahead, sharers, e);
	reader_end(c->reader);
	if (rc == 0)
		(void)found(c, ids[0], data, len);
	return rc;
}

void
segcache_forget(struct segcache *c)
{
	for (int i = 0; i < 2; i++) {
		buf_clear(&c->half[i].data);
		c->half[i].n = 0;
	}
}

struct segcache *
segcache_new(struct reader *r)
{
	struct segcache *c = zr_xcalloc(1, sizeof(*c));

	c->reader = r;
	for (int i = 0; i < 2; i++)
		buf_init(&c->half[i].data, 0);
	return c;
}

void
segcache_free(struct segcache *c)
{
	if (c == NULL)
		return;
	segcache_forget(c);
	free(c);
}
