/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A stored segment without its data, and the sums over the segments of one version.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "wire/segment.h"

struct segref {
	int64_t id;	    /* the store's; passed through, never looked at */
	const uint8_t *key; /* borrowed, valid until the next call of the function that gave it */
	size_t key_len;
	uint8_t digest[SEGMENT_DIGEST];
	uint32_t rrs;
	uint32_t len; /* octets of data */
};

/* Gives the segments of a version in key order.  1: *out filled; 0: no more; -1: error. */
typedef int (*segref_next)(void *arg, struct segref *out, struct zr_err *e);

/* The data of a stored segment; borrowed, valid until the next call of any callback. */
typedef int (*segref_read)(
    void *arg, const struct segref *ref, const uint8_t **data, size_t *len, struct zr_err *e);

struct version_sum {
	uint8_t
	    digest[SEGMENT_DIGEST]; /* sum of the segments' digests; the same for equal content */
	uint64_t segments;
	uint64_t records;
	uint64_t octets;
};

void version_sum_add(struct version_sum *v, const uint8_t *digest, uint32_t rrs, size_t octets);
void version_sum_sub(struct version_sum *v, const uint8_t *digest, uint32_t rrs, size_t octets);

/* Keys as memcmp() orders them, a prefix first. */
int segment_key_cmp(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len);

/* After a failed unpacker_next() on what the store gave: that is no peer's fault.  Returns -1. */
int stored_segment_fail(struct zr_err *e);

/* An array of references as a segref_next; `arg` is the struct. */
struct segref_array {
	const struct segref *v;
	size_t n;
	size_t pos; /* start with 0 */
};
int segref_array_next(void *arg, struct segref *out, struct zr_err *e);
