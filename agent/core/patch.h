/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Applies sorted changes to a stored version by rewriting only the segments that they touch.
 * The result is laid out exactly as packing the whole new content from its beginning
 * would: after each change the packer goes on until one of its cuts falls on an old boundary.
 * A rewritten segment with the key and digest of the old one is kept: no write, no kill.
 *
 * A record to delete that is absent, or one to add that is present, is ZR_DIFF (I-08).
 * With PATCH_DEDUP only additions may come, sorted but perhaps with duplicates, and
 * duplicates are dropped as core/order does: this merges a spill onto segments just staged.
 *
 * at(), next(), prev() and read() see the version before the patch and nothing of what was written
 * or killed since; nothing else changes that version meanwhile. Owner thread: the one that steps
 * it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "core/changes.h"
#include "core/layout.h"
#include "core/segref.h"
#include "wire/segment.h"

struct patch_ops {
	change_next next_change; /* rr valid until the next call of it */
	/* 1: *out filled; 0: there is none; -1: error. */
	int (*at)(void *arg, const uint8_t *key, size_t key_len, struct segref *out,
	    struct zr_err *e); /* the last segment with a key <= this one */
	/* With an empty key (not NULL): the first segment. */
	int (*next)(void *arg, const struct segref *ref, struct segref *out, struct zr_err *e);
	int (*prev)(void *arg, const struct segref *ref, struct segref *out, struct zr_err *e);
	segref_read read; /* of what at(), next() or prev() gave */
	/*
	 * Segments are written in key order.  When one takes the key of an old one, that was
	 * killed before, except where keys are numbered (SEGMENT_KEY_INNER): there it may still
	 * be read, and is killed later.  Apart from that kills come in no particular order.
	 */
	int (*write)(void *arg, const struct segment *s, struct zr_err *e);
	int (*kill)(void *arg, const struct segref *ref, struct zr_err *e);
	/* May be NULL.  What really went and came, in zone order; a replaced record does both. */
	int (*removed)(void *arg, const struct rr *rr, struct zr_err *e);
	int (*added)(void *arg, const struct rr *rr, struct zr_err *e);
};

#define PATCH_DEDUP 1u
/* An addition of what is there with the same TTL is nothing (some servers send them). */
#define PATCH_READD 2u

enum patch_state {
	PATCH_MORE, /* the budget is used up: call again */
	PATCH_DONE,
	PATCH_FAIL /* *e filled; only patch_free() makes sense */
};

struct patch;

/*
 * `apex` is copied, `ops` borrowed for the object's life.  next_change is called with
 * `change_arg`, the others with `arg`.  `base`: sums of the version before, NULL for zero.
 */
struct patch *patch_new(const uint8_t *apex, const struct patch_ops *ops, void *arg,
    void *change_arg, const struct version_sum *base, unsigned flags);
void patch_free(struct patch *p);
/* Reads and writes at most about `budget` segments together, at least one. */
enum patch_state patch_step(struct patch *p, unsigned budget, struct zr_err *e);
const struct version_sum *patch_sum(const struct patch *p);    /* of the version after */
const struct layout_count *patch_count(const struct patch *p); /* kept: rewritten to the same */
