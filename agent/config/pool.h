/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory that is freed all at once: a snapshot of the configuration, or the nodes of one
 * file while it is read.  Never fails (base/mem.h, zr_x*): an operator's file decides its size,
 * within the limits of yaml.c and zonelist.c.  One owner thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct pool_chunk;

struct pool {
	struct pool_chunk *chunk; /* newest first */
	uint8_t *next;
	size_t left;
};

void pool_init(struct pool *a);
void pool_clear(struct pool *a);
void *pool_alloc(struct pool *a, size_t size);		 /* zeroed, aligned for anything */
void *pool_array(struct pool *a, size_t n, size_t size); /* NULL when n is 0 */
/* Octets without alignment: names and strings lie side by side. */
void *pool_bytes(struct pool *a, const void *p, size_t n);
char *pool_str(struct pool *a, const char *s);
