/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Brings the records of a full transfer into zone order.
 *
 * Senders mostly keep canonical order of owners, so only the records of one owner are collected
 * and sorted.  What does not fit goes to a spill, which the caller sorts (by key, then by RDATA,
 * both as memcmp() does) and brings back at the end:
 *  - a record whose part or owner is below the one being collected;
 *  - records of the NSEC3 part that arrive while the normal part goes on (some senders
 *    interleave them).  The first of them wait in memory until it is clear which it is;
 *  - records of one owner beyond `group_max` octets.
 * Duplicates are dropped (RFC 5936 section 2.2): of records that differ only in TTL or in the
 * owner's case the one that order_prefer() prefers stays, so the result does not
 * depend on the order of arrival.
 *
 * The first record must be the apex SOA.  The closing SOA is not given to order_add().
 * Owner thread: the one that feeds it.  Memory: up to 2 * group_max and one record.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "wire/rr.h"

#define ORDER_GROUP_MAX (1024 * 1024) /* octets; holds the largest owners seen in practice */

enum order_end {
	ORDER_DONE,   /* nothing was spilled */
	ORDER_APPEND, /* all that was spilled follows what was emitted: order_append() */
	ORDER_MERGE   /* spilled records belong between emitted ones: core/patch */
};

struct order_ops {
	/* The next record in zone order; never a duplicate of an emitted one.  Borrowed. */
	int (*emit)(void *arg, const struct rr *rr, struct zr_err *e);
	/* key as rr_key() (at most RR_KEY_MAX octets); may be called with duplicates. */
	int (*spill)(
	    void *arg, const uint8_t *key, size_t key_len, const struct rr *rr, struct zr_err *e);
};

struct order;

/* `apex` is copied, `ops` borrowed for the object's life. */
struct order *order_new(
    const uint8_t *apex, size_t group_max, const struct order_ops *ops, void *arg);
void order_free(struct order *o);
/* -1: ZR_NOMEM, or what a callback reported.  The object is then only good for order_free(). */
int order_add(struct order *o, const struct rr *rr, struct zr_err *e);
/* Emits what is still held. */
int order_finish(struct order *o, enum order_end *end, struct zr_err *e);
/* True once the end can only be ORDER_MERGE: a caller may choose another way at once. */
bool order_must_merge(const struct order *o);
uint64_t order_spilled(const struct order *o);

/*
 * Records that are sorted already, by key and then RDATA, are emitted without duplicates:
 * the spilled ones after ORDER_APPEND, or a whole zone given to a new object.
 * order_append_finish() emits the last one.
 */
int order_append(struct order *o, const struct rr *rr, struct zr_err *e);
int order_append_finish(struct order *o, struct zr_err *e);

/* Of two records with the same identity: does a stay?  Lower TTL, then lower owner octets. */
bool order_prefer(const struct rr *a, const struct rr *b);
