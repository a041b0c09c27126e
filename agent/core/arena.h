/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An arena for records: octets that live until the next reset.  Sizes come from peers, so
 * allocation may fail.  Owner thread: the one that uses it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/rr.h"

struct arena_chunk;

struct arena {
	struct arena_chunk *head; /* the newest, which is being filled */
	size_t bytes;		  /* allocated, for limits */
};

#define ARENA_INIT                                                                                 \
	{                                                                                          \
		0                                                                                  \
	}

void arena_clear(struct arena *a); /* frees; may be used again */
void arena_reset(struct arena *a); /* forgets everything, keeps the first chunk */
/* Aligned for pointers; NULL when memory is exhausted. */
void *arena_alloc(struct arena *a, size_t n);
/* Copies owner and RDATA; `like`, if not NULL, may already hold the same owner.  False: no memory.
 */
bool arena_rr(struct arena *a, struct rr *out, const struct rr *rr, const struct rr *like);
