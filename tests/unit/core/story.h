/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Histories of a zone, made up at random: transfers with sequences of deletions and additions, each
 * applied with core/patch and checked.
 */
#pragma once

#include "base/buf.h"
#include "base/mem.h"
#include "rig.h"

#define LIMIT ((size_t)64 * 1024 * 1024)

extern struct gen story_gen;

/* One transfer being made up: the zone after it, what was sent. */
struct story {
	struct model m;	   /* the zone now */
	struct model down; /* a downstream that only gets differences */
	struct rig rig;
	struct changes *c;
	uint32_t serial;
	bool readd; /* the sender lists again what is there */
};

/* A zone of so many records; what kind of zone and of records depends on the seed. */
void story_begin(struct story *s, uint64_t seed, unsigned records);
void story_end(struct story *s);
/* A whole transfer: made up, applied, checked, sent on. */
void story_step(struct story *s);

/* Parts of a transfer.  s->c collects the changes. */
uint64_t story_below(uint64_t n);
void story_del(struct story *s, const struct rr *rr); /* it must be there */
void story_add(struct story *s, const struct rr *rr); /* nothing when it is there */
size_t story_any(const struct story *s);	      /* never the SOA */
void story_add_some(struct story *s, unsigned n);
void story_del_some(struct story *s, unsigned n);
void story_del_range(struct story *s, size_t from, size_t n);
void story_add_alike(struct story *s); /* records that share all the octets that a key holds */
void story_at_boundary(struct story *s);
/*
 * Patches s->rig with s->c and checks the layout, the sums and what was reported as removed and
 * added.  rig_commit() makes it the next version.
 */
void story_apply(struct story *s);
