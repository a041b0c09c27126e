/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A heap of deadlines.  The node lives in the object it belongs to; pos 0 means "not
 * in the heap".  One owner thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
	int64_t at;
	size_t pos;
};

struct heap {
	struct heap_node **v; /* 1-based */
	size_t n;
	size_t cap;
};

void heap_init(struct heap *h);
void heap_clear(struct heap *h);
void heap_set(struct heap *h, struct heap_node *n, int64_t at); /* insert or move */
void heap_del(struct heap *h, struct heap_node *n);		/* no-op when not in */
struct heap_node *heap_peek(const struct heap *h);		/* smallest, or NULL */
struct heap_node *heap_pop_due(struct heap *h, int64_t now);	/* smallest if at <= now */
static inline bool
heap_in(const struct heap_node *n)
{
	return n->pos != 0;
}
