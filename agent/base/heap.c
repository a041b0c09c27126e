/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/heap.h"

#include "base/mem.h"

#include <stdlib.h>

#define FIRST_CAP 16 /* nodes */

void
heap_init(struct heap *h)
{
	*h = (struct heap){0};
}

void
heap_clear(struct heap *h)
{
	for (size_t i = 1; i <= h->n; i++)
		h->v[i]->pos = 0;
	free(h->v);
	heap_init(h);
}

static void
place(struct heap *h, struct heap_node *n, size_t pos)
{
	h->v[pos] = n;
	n->pos = pos;
}

/* Both keep n in hand and write it once, where it belongs. */
static void
sift_up(struct heap *h, struct heap_node *n, size_t pos)
{
	for (; pos > 1 && n->at < h->v[pos / 2]->at; pos /= 2)
		place(h, h->v[pos / 2], pos);
	place(h, n, pos);
}

static void
sift_down(struct heap *h, struct heap_node *n, size_t pos)
{
	for (size_t kid; (kid = pos * 2) <= h->n; pos = kid) {
		if (kid < h->n && h->v[kid + 1]->at < h->v[kid]->at)
			kid++;
		if (n->at <= h->v[kid]->at)
			break;
		place(h, h->v[kid], pos);
	}
	place(h, n, pos);
}

static void
settle(struct heap *h, struct heap_node *n, size_t pos)
{
	if (pos > 1 && n->at < h->v[pos / 2]->at)
		sift_up(h, n, pos);
	else
		sift_down(h, n, pos);
}

void
heap_set(struct heap *h, struct heap_node *n, int64_t at)
{
	n->at = at;
	if (heap_in(n)) {
		settle(h, n, n->pos);
		return;
	}
	if (h->n + 1 >= h->cap) {
		h->cap = h->cap != 0 ? h->cap * 2 : FIRST_CAP;
		h->v = zr_xrealloc(h->v, h->cap * sizeof(struct heap_node *));
	}
	sift_up(h, n, ++h->n);
}

void
heap_del(struct heap *h, struct heap_node *n)
{
	struct heap_node *last;
	size_t pos = n->pos;

	if (pos == 0)
		return;
	n->pos = 0;
	last = h->v[h->n--];
	if (last != n)
		settle(h, last, pos);
}

struct heap_node *
heap_peek(const struct heap *h)
{
	return h->n != 0 ? h->v[1] : NULL;
}

struct heap_node *
heap_pop_due(struct heap *h, int64_t now)
{
	struct heap_node *n = heap_peek(h);

	if (n == NULL || n->at > now)
		return NULL;
	heap_del(h, n);
	return n;
}
