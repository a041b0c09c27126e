/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory that is freed all at once: a snapshot of the configuration, or the nodes of one
 * file while it is read.  Never fails (base/mem.h, zr_x*): an operator's file decides its size,
 * within the limits of yaml.c and zonelist.c.  One owner thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct arena_chunk;

struct arena {
	struct arena_chunk *chunk; /* newest first */
	uint8_t *next;
	size_t left;
};

void arena_init(struct arena *a);
void arena_clear(struct arena *a);
void *arena_alloc(struct arena *a, size_t size);	   /* zeroed, aligned for anything */
void *arena_array(struct arena *a, size_t n, size_t size); /* NULL when n is 0 */
/* Octets without alignment: names and strings lie side by side. */
void *arena_bytes(struct arena *a, const void *p, size_t n);
char *arena_str(struct arena *a, const char *s);
