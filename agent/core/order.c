/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Senders differ in one thing that matters: some send the NSEC3 part behind everything else,
 * others mix it in.  The first such records tell nothing yet, so they wait in memory: when a
 * record of the normal part follows, they and all later ones are spilled; when `group_max`
 * octets of them came in a row, or the transfer ended, they are taken as they come.  A wrong guess
 * costs a merge, never a record.
 */
#include "core/order.h"

#include "base/mem.h"
#include "base/octets.h"
#include "core/arena.h"
#include "core/segref.h"
#include "core/sort.h"
#include "wire/name.h"

#include <stdlib.h>
#include <string.h>

#define PART_NSEC3 1

/* Records in memory, in the order of their arrival. */
struct batch {
	struct arena arena;
	struct rr *v;
	size_t n, cap;
	size_t octets; /* of what is in use, records and all */
};

enum nsec3 {
	NSEC3_WAIT,   /* it is not known yet where the sender puts them */
	NSEC3_INLINE, /* taken as they come */
	NSEC3_SPILL   /* all of them are spilled */
};

struct order {
	const struct order_ops *ops;
	void *arg;
	size_t group_max;
	enum nsec3 nsec3;
	struct batch group; /* of one owner and part */
	struct batch ahead; /* NSEC3_WAIT */
	bool have_group;
	bool sorted; /* the group arrived in order */
	uint8_t part;
	uint64_t spilled;
	size_t key_len; /* of the group, or of the one emitted last */
	uint8_t key[RR_KEY_MAX];
	size_t low_len; /* lowest part and owner spilled */
	uint8_t low[RR_KEY_MAX];
	const void **index; /* to sort a group: twice index_cap pointers */
	size_t index_cap;
	uint8_t apex[NAME_MAX_LEN];
};

static int
no_memory(struct zr_err *e)
{
	return zr_fail(e, ZR_NOMEM, "no memory for the records of an owner");
}

static int
batch_add(struct batch *b, const struct rr *rr, struct zr_err *e)
{
	size_t cap = b->cap == 0 ? 16 : 2 * b->cap;
	struct rr *v;

	if (b->n == b->cap) {
		v = zr_try_realloc(b->v, cap * sizeof(*v));
		if (v == NULL)
			return no_memory(e);
		b->v = v;
		b->cap = cap;
	}
	if (!arena_rr(&b->arena, &b->v[b->n], rr, b->n > 0 ? &b->v[b->n - 1] : NULL))
		return no_memory(e);
	b->n++;
	b->octets += sizeof(*rr) + rr->owner_len + rr->rdlen;
	return 0;
}

static void
batch_reset(struct batch *b)
{
	arena_reset(&b->arena);
	b->n = 0;
	b->octets = 0;
}

static void
batch_clear(struct batch *b)
{
	arena_clear(&b->arena);
	free(b->v);
	*b = (struct batch){0};
}

bool
order_prefer(const struct rr *a, const struct rr *b)
{
	if (a->ttl != b->ttl)
		return a->ttl < b->ttl;
	return memcmp(a->owner, b->owner, a->owner_len) <= 0;
}

/* Zone order among the records of one owner. */
static int
group_cmp(const void *va, const void *vb, const void *arg)
{
	const struct rr *a = va, *b = vb;
	const struct order *o = arg;
	size_t n = a->rdlen < b->rdlen ? a->rdlen : b->rdlen;
	int c;

	if (a->type != b->type)
		return rr_cmp(a, b, o->apex);
	c = n == 0 ? 0 : memcmp(a->rdata, b->rdata, n);
	return c != 0 ? c : a->rdlen - b->rdlen;
}

static bool
duplicates(const struct rr *a, const struct rr *b)
{
	return a->type == b->type && a->rdlen == b->rdlen && rr_same(a, b);
}

static const void **
sorted_index(struct order *o, struct zr_err *e)
{
	const struct batch *g = &o->group;
	const void **index;

	if (g->n > o->index_cap) {
		index = zr_try_realloc(o->index, 2 * g->cap * sizeof(*index));
		if (index == NULL) {
			no_memory(e);
			return NULL;
		}
		o->index = index;
		o->index_cap = g->cap;
	}
	for (size_t i = 0; i < g->n; i++)
		o->index[i] = &g->v[i];
	if (!o->sorted)
		sort_pointers(o->index, o->index + o->index_cap, g->n, group_cmp, o);
	return o->index;
}

static int
close_group(struct order *o, struct zr_err *e)
{
	const struct rr *best, *rr;
	const void **index;

	if (o->group.n == 0)
		return 0;
	index = sorted_index(o, e);
	if (index == NULL)
		return -1;
	best = index[0];
	for (size_t i = 1; i < o->group.n; i++) {
		rr = index[i];
		if (duplicates(best, rr)) {
			if (order_prefer(rr, best))
				best = rr;
			continue;
		}
		if (o->ops->emit(o->arg, best, e) != 0)
			return -1;
		best = rr;
	}
	if (o->ops->emit(o->arg, best, e) != 0)
		return -1;
	batch_reset(&o->group);
	return 0;
}

static int
spill(struct order *o, const struct rr *rr, struct zr_err *e)
{
	uint8_t key[RR_KEY_MAX];
	size_t owner_len, n = rr_key(rr, o->apex, key, &owner_len);

	if (o->spilled == 0 || segment_key_cmp(key, owner_len, o->low, o->low_len) < 0) {
		memcpy(o->low, key, owner_len);
		o->low_len = owner_len;
	}
	o->spilled++;
	return o->ops->spill(o->arg, key, n, rr, e);
}

static bool
in_group(const struct order *o, const struct rr *rr, uint8_t part)
{
	const struct rr *last;

	if (!o->have_group || part != o->part || o->group.n == 0)
		return false;
	last = &o->group.v[o->group.n - 1];
	if (last->owner_len != rr->owner_len)
		return false;
	return octets_same(last->owner, rr->owner, rr->owner_len) ||
	       name_equal(last->owner, rr->owner);
}

/* One more record of the owner being collected. */
static int
group_add(struct order *o, const struct rr *rr, struct zr_err *e)
{
	const struct batch *g = &o->group;

	if (g->octets > o->group_max)
		return spill(o, rr, e);
	if (g->n > 0 && o->sorted)
		o->sorted = group_cmp(&g->v[g->n - 1], rr, o) <= 0;
	return batch_add(&o->group, rr, e);
}

/* A record where it belongs: to the group, as the first of a new one, or to the spill. */
static int
place(struct order *o, const struct rr *rr, uint8_t part, struct zr_err *e)
{
	uint8_t key[RR_KEY_MAX];
	size_t len;

	if (in_group(o, rr, part))
		return group_add(o, rr, e);
	len = rr_key_owner(rr, o->apex, key);
	if (o->have_group && segment_key_cmp(key, len, o->key, o->key_len) <= 0)
		return spill(o, rr, e);
	if (close_group(o, e) != 0)
		return -1;
	memcpy(o->key, key, len);
	o->key_len = len;
	o->part = part;
	o->have_group = true;
	o->sorted = true;
	return group_add(o, rr, e);
}

/* The records that waited are spilled, or taken as if they came now. */
static int
settle(struct order *o, enum nsec3 as, struct zr_err *e)
{
	const struct rr *rr;

	o->nsec3 = as;
	for (size_t i = 0; i < o->ahead.n; i++) {
		rr = &o->ahead.v[i];
		if ((as == NSEC3_SPILL ? spill(o, rr, e) : place(o, rr, PART_NSEC3, e)) != 0)
			return -1;
	}
	batch_clear(&o->ahead);
	return 0;
}

int
order_add(struct order *o, const struct rr *rr, struct zr_err *e)
{
	uint8_t part = rr_part(rr);

	if (part != PART_NSEC3) {
		if (o->ahead.n > 0 && settle(o, NSEC3_SPILL, e) != 0)
			return -1;
		return place(o, rr, part, e);
	}
	if (o->nsec3 == NSEC3_INLINE)
		return place(o, rr, part, e);
	if (o->nsec3 == NSEC3_SPILL)
		return spill(o, rr, e);
	if (batch_add(&o->ahead, rr, e) != 0)
		return -1;
	return o->ahead.octets > o->group_max ? settle(o, NSEC3_INLINE, e) : 0;
}

int
order_finish(struct order *o, enum order_end *end, struct zr_err *e)
{
	if (o->ahead.n > 0 && settle(o, NSEC3_INLINE, e) != 0)
		return -1;
	if (close_group(o, e) != 0)
		return -1;
	*end = order_must_merge(o) ? ORDER_MERGE : o->spilled > 0 ? ORDER_APPEND : ORDER_DONE;
	return 0;
}

bool
order_must_merge(const struct order *o)
{
	return o->spilled > 0 && o->have_group &&
	       segment_key_cmp(o->low, o->low_len, o->key, o->key_len) <= 0;
}

uint64_t
order_spilled(const struct order *o)
{
	return o->spilled;
}

/* The group holds one record: the one that the next may be a duplicate of. */
int
order_append(struct order *o, const struct rr *rr, struct zr_err *e)
{
	const struct rr *held = o->group.n > 0 ? &o->group.v[0] : NULL;

	if (held != NULL && duplicates(held, rr) && order_prefer(held, rr))
		return 0;
	if (held != NULL && !duplicates(held, rr) && o->ops->emit(o->arg, held, e) != 0)
		return -1;
	batch_reset(&o->group);
	return batch_add(&o->group, rr, e);
}

int
order_append_finish(struct order *o, struct zr_err *e)
{
	if (o->group.n > 0 && o->ops->emit(o->arg, &o->group.v[0], e) != 0)
		return -1;
	batch_reset(&o->group);
	return 0;
}

struct order *
order_new(const uint8_t *apex, size_t group_max, const struct order_ops *ops, void *arg)
{
	struct order *o = zr_xcalloc(1, sizeof(*o));

	memcpy(o->apex, apex, name_len(apex));
	o->group_max = group_max;
	o->ops = ops;
	o->arg = arg;
	return o;
}

void
order_free(struct order *o)
{
	if (o == NULL)
		return;
	batch_clear(&o->group);
	batch_clear(&o->ahead);
	free(o->index);
	free(o);
}
