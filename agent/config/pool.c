/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/pool.h"

#include "base/mem.h"

#include <assert.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES ((size_t)32 << 10) /* of room; some 600 zones */

struct pool_chunk {
	struct pool_chunk *older;
	alignas(max_align_t) uint8_t room[];
};

void
pool_init(struct pool *a)
{
	*a = (struct pool){0};
}

void
pool_clear(struct pool *a)
{
	while (a->chunk != NULL) {
		struct pool_chunk *older = a->chunk->older;

		free(a->chunk);
		a->chunk = older;
	}
	pool_init(a);
}

static void
grow(struct pool *a, size_t size)
{
	size_t room = size > CHUNK_BYTES ? size : CHUNK_BYTES;
	struct pool_chunk *c = zr_xmalloc(sizeof(*c) + room);

	c->older = a->chunk;
	a->chunk = c;
	a->next = c->room;
	a->left = room;
}

static void *
take(struct pool *a, size_t size)
{
	void *p;

	if (size > a->left)
		grow(a, size);
	p = a->next;
	a->next += size;
	a->left -= size;
	return p;
}

void *
pool_alloc(struct pool *a, size_t size)
{
	size_t gap = (alignof(max_align_t) - (uintptr_t)a->next % alignof(max_align_t)) %
		     alignof(max_align_t);

	assert(size <= SIZE_MAX / 2);
	if (gap + size > a->left)
		grow(a, size); /* a new chunk is aligned */
	else
		(void)take(a, gap);
	return memset(take(a, size), 0, size);
}

void *
pool_array(struct pool *a, size_t n, size_t size)
{
	assert(size != 0 && n <= SIZE_MAX / 2 / size);
	return n != 0 ? pool_alloc(a, n * size) : NULL;
}

void *
pool_bytes(struct pool *a, const void *p, size_t n)
{
	return memcpy(take(a, n), p, n);
}

char *
pool_str(struct pool *a, const char *s)
{
	return pool_bytes(a, s, strlen(s) + 1);
}
