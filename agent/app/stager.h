/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The worker's end of a version under construction: collects changes to segments and journal, hands
 * them to the store in batches, and counts what the store has not answered yet.  What fits into one
 * batch is never posted: it travels inside the commit.  Owned by one transfer on one worker.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "store/store.h"

struct stager {
	struct store *store;
	struct mbox *reply; /* of the worker */
	void *owner;	    /* store_order.owner of what comes back */
	int64_t zone_id;
	int64_t version;
	struct stage_batch *batch; /* being filled */
	size_t outstanding;	   /* octets posted and not answered */
	unsigned orders;	   /* posted and not answered */
	bool posted;		   /* something of this version is in the database */
	struct zr_err err;	   /* first failure the store reported */
};

void stager_init(struct stager *s, struct store *store, struct mbox *reply, void *owner,
    int64_t zone_id, int64_t version);
/* Nothing may be outstanding. */
void stager_clear(struct stager *s);

int stager_segment(struct stager *s, const struct segment *seg, struct zr_err *e);
int stager_kill(struct stager *s, int64_t segment_id, size_t octets, struct zr_err *e);
int stager_delta(struct stager *s, uint32_t step, uint8_t part, uint32_t chunk,
    uint32_t from_serial, uint32_t to_serial, const uint8_t *data, size_t len, uint32_t rrs,
    struct zr_err *e);

/* Posts what is held, so that it can be read back; the stager is not quiet then. */
void stager_flush(struct stager *s);

/* An order with our owner came back; frees it. */
void stager_returned(struct stager *s, struct store_order *o);
static inline bool
stager_full(const struct stager *s)
{
	return s->outstanding > STORE_CREDIT_BYTES;
}
static inline bool
stager_quiet(const struct stager *s)
{
	return s->orders == 0;
}
/* The rest, for the commit; NULL when there is none.  The stager is quiet. */
struct stage_batch *stager_take(struct stager *s);
/* Throws everything away, also what the database holds; quiet only after the answer came. */
void stager_abort(struct stager *s);
