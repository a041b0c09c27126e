/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A record is found again by its full sort key (part, owner, type, RDATA), which is what
 * identity means here, and the same octets give the order at the end.  The RDATA is kept once, as
 * the tail of the key.
 */
#include "core/changes.h"

#include "base/mem.h"
#include "base/table.h"
#include "core/arena.h"
#include "core/segref.h"
#include "core/sort.h"
#include "wire/name.h"

#include <stdlib.h>
#include <string.h>

#define KEY_TYPE 2 /* octets of the type in a key */

struct entry {
	struct rr rr; /* as it was named last */
	const uint8_t *key;
	uint32_t key_len;
	bool base; /* in the version that the changes start from */
	bool now;  /* in the version reached so far */
};

struct changes {
	bool readd; /* adding what was added is no contradiction */
	struct arena arena;
	struct table *table;
	size_t limit;
	const void **index; /* entries; after sorting in zone order */
	size_t n, cap;	    /* cap counts twice: the second half is spare room for sorting */
	size_t next;
	bool sorted;
	uint16_t class;
	uint8_t *key; /* scratch */
	uint8_t apex[NAME_MAX_LEN];
};

size_t
changes_bytes(const struct changes *c)
{
	return sizeof(*c) + c->arena.bytes + table_bytes(c->table) + 2 * c->cap * sizeof(*c->index);
}

static int
full(const struct changes *c, struct zr_err *e)
{
	return zr_fail(
	    e, ZR_LIMIT, "the differences take more than %zu octets of memory", c->limit);
}

static int
no_memory(struct zr_err *e)
{
	return zr_fail(e, ZR_NOMEM, "no memory for the differences");
}

static int
make_room(struct changes *c, struct zr_err *e)
{
	size_t cap = c->cap == 0 ? 64 : 2 * c->cap;
	const void **index;

	if (c->n < c->cap)
		return 0;
	if (changes_bytes(c) + 2 * (cap - c->cap) * sizeof(*index) > c->limit)
		return full(c, e);
	index = zr_try_realloc(c->index, 2 * cap * sizeof(*index));
	if (index == NULL)
		return no_memory(e);
	c->index = index;
	c->cap = cap;
	return 0;
}

/* The key in c->key; *tail: where the RDATA begins. */
static size_t
full_key(const struct changes *c, const struct rr *rr, size_t *tail)
{
	size_t n = rr_key_owner(rr, c->apex, c->key);

	rr_key_tail(rr, n, c->key); /* for the type; cuts RDATA */
	*tail = n + KEY_TYPE;
	if (rr->rdlen > 0)
		memcpy(c->key + *tail, rr->rdata, rr->rdlen);
	return *tail + rr->rdlen;
}

static struct entry *
entry_new(struct changes *c, const struct rr *rr, size_t key_len, size_t tail)
{
	struct entry *en = arena_alloc(&c->arena, sizeof(*en) + key_len);
	uint8_t *key;

	if (en == NULL)
		return NULL;
	key = (uint8_t *)(en + 1);
	memcpy(key, c->key, key_len);
	*en = (struct entry){.rr = *rr, .key = key, .key_len = (uint32_t)key_len};
	en->rr.rdata = key + tail;
	return en;
}

/* The TTL and the case of the owner are those of the record named last. */
static int
set_record(struct changes *c, struct entry *en, const struct rr *rr, struct zr_err *e)
{
	const struct entry *before = c->n > 0 ? c->index[c->n - 1] : NULL;
	uint8_t *owner;

	en->rr.ttl = rr->ttl;
	if (en->rr.owner != rr->owner && memcmp(en->rr.owner, rr->owner, rr->owner_len) == 0)
		return 0;
	if (before != NULL && before->rr.owner_len == rr->owner_len &&
	    memcmp(before->rr.owner, rr->owner, rr->owner_len) == 0) {
		en->rr.owner = before->rr.owner;
		return 0;
	}
	owner = arena_alloc(&c->arena, rr->owner_len);
	if (owner == NULL)
		return no_memory(e);
	memcpy(owner, rr->owner, rr->owner_len);
	en->rr.owner = owner;
	return 0;
}

static int
add_entry(
    struct changes *c, const struct rr *rr, size_t key_len, size_t tail, bool now, struct zr_err *e)
{
	struct entry *en;

	if (make_room(c, e) != 0)
		return -1;
	en = entry_new(c, rr, key_len, tail);
	if (en == NULL)
		return no_memory(e);
	if (set_record(c, en, rr, e) != 0)
		return -1;
	en->base = !now;
	en->now = now;
	c->index[c->n++] = en;
	table_put(c->table, en->key, en->key_len, en);
	return 0;
}

static int
contradiction(const struct rr *rr, bool now, struct zr_err *e)
{
	char name[NAME_TEXT_MAX], type[16];

	return zr_fail(e, ZR_DIFF, "%.100s %s is %s twice", name_show(rr->owner, name),
	    rr_type_text(rr->type, type), now ? "added" : "deleted");
}

static int
change(struct changes *c, const struct rr *rr, bool now, struct zr_err *e)
{
	struct entry *en;
	size_t key_len, tail;

	if (c->sorted)
		return zr_fail(e, ZR_INTERNAL, "differences are sorted already");
	if (changes_bytes(c) > c->limit)
		return full(c, e);
	if (c->n == 0)
		c->class = rr->class;
	if (rr->class != c->class)
		return zr_fail(
		    e, ZR_FORMERR, "class %u among records of class %u", rr->class, c->class);
	key_len = full_key(c, rr, &tail);
	en = table_get(c->table, c->key, key_len);
	if (en == NULL)
		return add_entry(c, rr, key_len, tail, now, e);
	if (en->now && now && c->readd && en->rr.ttl == rr->ttl)
		return 0;
	if (en->now == now)
		return contradiction(rr, now, e);
	en->now = now;
	return set_record(c, en, rr, e);
}

int
changes_del(struct changes *c, const struct rr *rr, struct zr_err *e)
{
	return change(c, rr, false, e);
}

int
changes_add(struct changes *c, const struct rr *rr, struct zr_err *e)
{
	return change(c, rr, true, e);
}

static int
entry_cmp(const void *va, const void *vb, const void *arg)
{
	const struct entry *a = va, *b = vb;

	(void)arg;
	return segment_key_cmp(a->key, a->key_len, b->key, b->key_len);
}

int
changes_sort(struct changes *c, struct zr_err *e)
{
	(void)e;
	if (!c->sorted && c->n > 0)
		sort_pointers(c->index, c->index + c->cap, c->n, entry_cmp, NULL);
	c->sorted = true;
	c->next = 0;
	return 0;
}

int
changes_next(void *arg, struct change *out, struct zr_err *e)
{
	struct changes *c = arg;
	const struct entry *en;

	(void)e;
	if (c->next >= c->n)
		return 0;
	en = c->index[c->next++];
	out->rr = en->rr;
	if (en->base)
		out->op = en->now ? CHANGE_REPLACE : CHANGE_DEL;
	else
		out->op = en->now ? CHANGE_ADD : CHANGE_ABSENT;
	return 1;
}

size_t
changes_count(const struct changes *c)
{
	return c->n;
}

struct changes *
changes_new(const uint8_t *apex, size_t limit)
{
	struct changes *c = zr_xcalloc(1, sizeof(*c));

	memcpy(c->apex, apex, name_len(apex));
	c->limit = limit;
	c->table = table_new();
	c->key = zr_xmalloc(RR_KEY_MAX + UINT16_MAX);
	return c;
}

void
changes_allow_readd(struct changes *c)
{
	c->readd = true;
}

void
changes_free(struct changes *c)
{
	if (c == NULL)
		return;
	arena_clear(&c->arena);
	table_free(c->table);
	free(c->index);
	free(c->key);
	free(c);
}
