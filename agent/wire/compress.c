/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names are kept as a tree: a node is one label at the offset where it was written, and its
 * parent is the offset of the rest of the name.  Walking a name from the root downward
 * needs one look-up for each label, and comparing a label needs no pointer to be
 * followed.  Nodes live in a hash table of (parent, label); a slot of an older generation is
 * empty, so a reset touches nothing.
 */
#include "wire/compress.h"

#include "base/mem.h"
#include "base/octets.h"
#include "wire/msg.h"
#include "wire/name.h"
#include "wire/segment.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS 4096 /* 32 KiB: stays in the first level cache */
#define SLOTS_USED                                                                                 \
	3072		/* most that are filled: a segment of common records has some 1,000 names  \
			 */
#define PROBES 16	/* a peer that chooses colliding labels gains nothing */
#define LABELS_MAX 127	/* of one octet each in a name */
#define NAMES_MAX 3	/* owner and two in the RDATA */
#define QUESTION_TAIL 4 /* type and class */
#define RR_FIXED 10	/* type, class, TTL, RDLENGTH */
#define POINTER 0xc000

struct slot {
	uint16_t gen;
	uint16_t parent; /* offset of the rest of the name; 0 is the root */
	uint16_t offset; /* of the label */
	uint16_t tag;	 /* more of the hash, to compare fewer labels */
};

struct compress {
	struct slot slot[SLOTS];
	uint16_t gen;
	bool question_only;
	unsigned used;
	uint8_t apex_len;
	uint8_t apex_labels;
	uint16_t owner_ref; /* offset of the last owner, 0 when it has none */
	size_t base;
	size_t at; /* next octet of msg */

	/* To take the last record back. */
	size_t undo_at;
	uint16_t undo_owner_ref;
	unsigned undo_count;
	uint16_t undo[NAMES_MAX * LABELS_MAX];

	/* The longest run allowed and one more record. */
	uint8_t msg[MSG_HEADER + NAME_MAX_LEN + QUESTION_TAIL + SEGMENT_DATA_MAX + NAME_MAX_LEN +
		    RR_FIXED + UINT16_MAX];
};

static inline uint64_t
load64(const uint8_t *p)
{
	return (uint64_t)p[7] << 56 | (uint64_t)p[6] << 48 | (uint64_t)p[5] << 40 |
	       (uint64_t)p[4] << 32 | (uint64_t)p[3] << 24 | (uint64_t)p[2] << 16 |
	       (uint64_t)p[1] << 8 | p[0];
}

static inline uint64_t
load32(const uint8_t *p)
{
	return (uint64_t)p[3] << 24 | (uint64_t)p[2] << 16 | (uint64_t)p[1] << 8 | p[0];
}

static inline uint64_t
mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 29;
}

/* The last octets are read again with those before them rather than one by one. */
static inline uint32_t
hash_octets(const uint8_t *p, size_t n, uint32_t seed)
{
	uint64_t h = mix(seed + UINT64_C(0xd6e8feb86659fd93), n);

	if (n >= 8) {
		for (size_t i = 0; i + 8 < n; i += 8)
			h = mix(h, load64(p + i));
		h = mix(h, load64(p + n - 8));
	} else if (n >= 4) {
		h = mix(h, load32(p) | load32(p + n - 4) << 32);
	} else if (n > 0) {
		h = mix(h, (uint64_t)p[0] << 16 | (uint64_t)p[n / 2] << 8 | p[n - 1]);
	}
	h *= UINT64_C(0xff51afd7ed558ccd);
	return (uint32_t)(h >> 32);
}

uint32_t
compress_hash(const uint8_t *p, size_t n, uint32_t seed)
{
	return hash_octets(p, n, seed);
}

static inline uint32_t
label_hash(uint16_t parent, const uint8_t *label)
{
	return hash_octets(label + 1, label[0], parent);
}

/* h: label_hash(). */
static inline uint16_t
find(const struct compress *c, uint16_t parent, const uint8_t *label, uint32_t h)
{
	const struct slot *s;

	for (unsigned i = 0; i < PROBES; i++) {
		s = &c->slot[(h + i) % SLOTS];
		if (s->gen != c->gen)
			return 0;
		if (s->tag == h >> 16 && s->parent == parent &&
		    octets_same(c->msg + s->offset, label, 1u + label[0]))
			return s->offset;
	}
	return 0;
}

/* The label at msg + offset becomes a target; h: its label_hash(). */
static inline void
insert(struct compress *c, uint16_t parent, size_t offset, uint32_t h)
{
	unsigned at;

	if (offset > SEGMENT_OFFSET_MAX || c->used >= SLOTS_USED)
		return;
	for (unsigned i = 0; i < PROBES; i++) {
		at = (h + i) % SLOTS;
		if (c->slot[at].gen != c->gen) {
			c->slot[at] = (struct slot){.gen = c->gen,
			    .parent = parent,
			    .offset = (uint16_t)offset,
			    .tag = (uint16_t)(h >> 16)};
			c->used++;
			c->undo[c->undo_count++] = (uint16_t)at;
			return;
		}
	}
}

static unsigned
label_starts(const uint8_t *name, uint8_t at[LABELS_MAX])
{
	unsigned n = 0;

	for (size_t i = 0; name[i] != 0; i += 1u + name[i])
		at[n++] = (uint8_t)i;
	return n;
}

/* Writes a name at c->at; returns the offset by which it may be pointed to, 0 when by none. */
static uint16_t
put_name(struct compress *c, const uint8_t *name, size_t len)
{
	uint8_t start[LABELS_MAX];
	unsigned n = label_starts(name, start), zone = n - c->apex_labels;
	uint16_t parent = 0, found;
	size_t here = c->at, own;
	uint32_t h = 0;

	/* Nearly every name ends in the apex: begin there. */
	if (c->apex_labels != 0 && n >= c->apex_labels &&
	    start[zone] + (size_t)c->apex_len == len &&
	    octets_same(name + start[zone], c->msg + MSG_HEADER, c->apex_len)) {
		parent = MSG_HEADER;
		n = zone;
	}
	while (n > 0) {
		h = label_hash(parent, name + start[n - 1]);
		found = find(c, parent, name + start[n - 1], h);
		if (found == 0)
			break;
		parent = found;
		n--;
	}
	own = parent == 0 ? len - 1 : n == 0 ? 0 : start[n - 1] + 1u + name[start[n - 1]];
	memcpy(c->msg + here, name, own);
	c->at = here + own;
	if (parent == 0) {
		c->msg[c->at++] = 0;
	} else {
		put_u16(c->msg + c->at, (uint16_t)(POINTER | parent));
		c->at += 2;
	}
	if (n == 0)
		return parent;
	if (c->question_only)
		return 0;
	while (n > 0) {
		insert(c, parent, here + start[--n], h);
		parent = (uint16_t)(here + start[n]);
		if (n > 0)
			h = label_hash(parent, name + start[n - 1]);
	}
	return here > SEGMENT_OFFSET_MAX ? 0 : (uint16_t)here;
}

/* RDATA as it is, but for the names that may be compressed. */
static bool
put_rdata(struct compress *c, const struct rr *rr)
{
	const struct rdata_part *part = rdata_layout(rr->type);
	const uint8_t *p = rr->rdata;
	size_t left = rr->rdlen, n;

	for (; part != NULL && part->kind != 0; part++) {
		if (part->kind == 'f') {
			n = part->count;
			if (n > left)
				return false;
			memcpy(c->msg + c->at, p, n);
			c->at += n;
		} else if (part->kind == 'n') {
			n = name_check(p, left);
			if (n == 0)
				return false;
			put_name(c, p, n);
		} else {
			break; /* nothing behind it is ever compressed */
		}
		p += n;
		left -= n;
	}
	if (part != NULL && part->kind == 0 && left > 0)
		return false;
	if (left > 0)
		memcpy(c->msg + c->at, p, left);
	c->at += left;
	return true;
}

size_t
compress_rr(struct compress *c, const struct rr *rr, bool same_owner)
{
	size_t fixed;

	c->undo_at = c->at;
	c->undo_owner_ref = c->owner_ref;
	c->undo_count = 0;
	if (same_owner && c->owner_ref != 0) {
		put_u16(c->msg + c->at, (uint16_t)(POINTER | c->owner_ref));
		c->at += 2;
	} else {
		c->owner_ref = put_name(c, rr->owner, rr->owner_len);
	}
	fixed = c->at;
	put_u16(c->msg + fixed, rr->type);
	put_u16(c->msg + fixed + 2, rr->class);
	put_u32(c->msg + fixed + 4, rr->ttl);
	c->at += RR_FIXED;
	if (!put_rdata(c, rr)) {
		compress_undo(c);
		return 0;
	}
	put_u16(c->msg + fixed + 8, (uint16_t)(c->at - fixed - RR_FIXED));
	return c->at - c->undo_at;
}

/* The newest slots go first, so no look-up is ever cut short. */
void
compress_undo(struct compress *c)
{
	while (c->undo_count > 0) {
		c->slot[c->undo[--c->undo_count]].gen = 0;
		c->used--;
	}
	c->at = c->undo_at;
	c->owner_ref = c->undo_owner_ref;
}

void
compress_reset(struct compress *c)
{
	uint16_t parent = 0;
	uint8_t start[LABELS_MAX];
	unsigned n = label_starts(c->msg + MSG_HEADER, start);

	if (++c->gen == 0) {
		memset(c->slot, 0, sizeof(c->slot));
		c->gen = 1;
	}
	c->used = 0;
	c->owner_ref = 0;
	c->undo_count = 0;
	while (n > 0) {
		n--;
		insert(c, parent, MSG_HEADER + (size_t)start[n],
		    label_hash(parent, c->msg + MSG_HEADER + start[n]));
		parent = (uint16_t)(MSG_HEADER + start[n]);
	}
	c->undo_count = 0;
	c->at = c->base;
	c->undo_at = c->base;
	c->undo_owner_ref = 0;
}

struct compress *
compress_new(const uint8_t *apex, bool question_only)
{
	struct compress *c = zr_xmalloc(sizeof(*c));

	memset(c->slot, 0, sizeof(c->slot));
	c->gen = 0;
	c->question_only = question_only;
	c->apex_len = (uint8_t)name_len(apex);
	c->apex_labels = (uint8_t)name_labels(apex);
	c->base = MSG_HEADER + (size_t)c->apex_len + QUESTION_TAIL;
	memset(c->msg, 0, c->base);
	memcpy(c->msg + MSG_HEADER, apex, c->apex_len);
	compress_reset(c);
	return c;
}

void
compress_free(struct compress *c)
{
	free(c);
}

const uint8_t *
compress_data(const struct compress *c)
{
	return c->msg + c->base;
}

size_t
compress_len(const struct compress *c)
{
	return c->at - c->base;
}

size_t
compress_base(const struct compress *c)
{
	return c->base;
}
