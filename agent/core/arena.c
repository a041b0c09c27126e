/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/arena.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK_FIRST 4096
#define CHUNK_LARGE ((size_t)256 * 1024)
#define ALIGN sizeof(void *)

struct arena_chunk {
	struct arena_chunk *older;
	size_t cap;
	size_t used;
	uint8_t mem[];
};

static struct arena_chunk *
chunk_new(struct arena *a, size_t n)
{
	struct arena_chunk *c;
	size_t cap = a->head == NULL ? CHUNK_FIRST : 2 * a->head->cap;

	if (cap > CHUNK_LARGE)
		cap = CHUNK_LARGE;
	if (cap < n)
		cap = n;
	c = zr_try_alloc(sizeof(*c) + cap);
	if (c == NULL)
		return NULL;
	*c = (struct arena_chunk){.older = a->head, .cap = cap};
	a->head = c;
	a->bytes += sizeof(*c) + cap;
	return c;
}

void *
arena_alloc(struct arena *a, size_t n)
{
	struct arena_chunk *c = a->head;
	uint8_t *p;

	n = (n + ALIGN - 1) & ~(ALIGN - 1);
	if (c == NULL || n > c->cap - c->used) {
		c = chunk_new(a, n);
		if (c == NULL)
			return NULL;
	}
	p = c->mem + c->used;
	c->used += n;
	return p;
}

static void
free_until(struct arena *a, const struct arena_chunk *last)
{
	struct arena_chunk *c;

	while (a->head != last) {
		c = a->head;
		a->head = c->older;
		a->bytes -= sizeof(*c) + c->cap;
		free(c);
	}
}

void
arena_reset(struct arena *a)
{
	const struct arena_chunk *first = a->head;

	if (first == NULL)
		return;
	while (first->older != NULL)
		first = first->older;
	free_until(a, first);
	a->head->used = 0;
}

void
arena_clear(struct arena *a)
{
	free_until(a, NULL);
}

bool
arena_rr(struct arena *a, struct rr *out, const struct rr *rr, const struct rr *like)
{
	bool share = like != NULL && like->owner_len == rr->owner_len &&
		     memcmp(like->owner, rr->owner, rr->owner_len) == 0;
	size_t n = share ? 0 : rr->owner_len;
	uint8_t *p = arena_alloc(a, n + rr->rdlen);

	if (p == NULL)
		return false;
	*out = *rr;
	out->owner = p;
	if (share)
		out->owner = like->owner;
	else
		memcpy(p, rr->owner, n);
	out->rdata = p + n;
	if (rr->rdlen > 0)
		memcpy(p + n, rr->rdata, rr->rdlen);
	return true;
}
