/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The deletions and additions of an incremental transfer, condensed to one net change for each
 * record.  Identity is owner (without case), type, class and RDATA, not TTL (U-06).
 *
 * The sequences of a transfer are added one after the other, deletions and additions
 * as they come, the SOAs too (old one deleted, new one added).  What contradicts itself (deleting
 * a record twice, adding it twice) is ZR_DIFF at once; what must hold of the base is left in the
 * net changes, so that core/patch can verify it (I-08).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "wire/rr.h"

enum change_op {
	CHANGE_DEL,	/* must be there, goes */
	CHANGE_ADD,	/* must not be there, comes */
	CHANGE_REPLACE, /* must be there, gets this TTL and this case of the owner */
	CHANGE_ABSENT	/* must not be there, and stays so: was added and deleted again */
};

struct change {
	enum change_op op;
	struct rr rr; /* borrowed from the collection */
};

/* Gives changes in zone order, one for each identity.  1, 0 at the end, -1. */
typedef int (*change_next)(void *arg, struct change *out, struct zr_err *e);

struct changes;

/* `limit`: octets of memory, tables included; beyond it ZR_LIMIT. */
struct changes *changes_new(const uint8_t *apex, size_t limit);
void changes_free(struct changes *c);
/* For a sender that lists records again which are there already: with the same TTL that is nothing.
 */
void changes_allow_readd(struct changes *c);
/* -1: ZR_DIFF, ZR_LIMIT, ZR_NOMEM; ZR_FORMERR when the class differs from the first one's.
 * ZR_LIMIT and ZR_NOMEM mean: take the whole zone instead. */
int changes_del(struct changes *c, const struct rr *rr, struct zr_err *e);
int changes_add(struct changes *c, const struct rr *rr, struct zr_err *e);
/* Sorts, once; afterwards nothing may be added.  Starts changes_next() from the beginning. */
int changes_sort(struct changes *c, struct zr_err *e);
/* A change_next; `arg` is the struct changes, sorted. */
int changes_next(void *arg, struct change *out, struct zr_err *e);
size_t changes_count(
    const struct changes *c); /* net changes so far, what must be absent included */
size_t changes_bytes(const struct changes *c);
