/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The simplest thing that can be right, to hold the segment store against: a zone as a sorted array
 * of records, a version as an array of segments in memory; and records made at random.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rand.h"
#include "wire/name.h"
#include "wire/segment.h"

struct model {
	uint8_t apex[NAME_MAX_LEN];
	struct rr **v; /* zone order; each owns its octets */
	size_t n, cap;
};

void model_init(struct model *m, const char *apex);
void model_clear(struct model *m);
void model_copy(struct model *to, const struct model *from);
size_t model_find(const struct model *m, const struct rr *rr, bool *found);
bool model_put(struct model *m, const struct rr *rr); /* true: it was there and is replaced */
bool model_del(struct model *m, const struct rr *rr); /* true: it was there */
bool model_equal(const struct model *a, const struct model *b);
struct rr *rr_dup(const struct rr *rr); /* one block, for free() */

/* What a random zone is made of. */
struct gen {
	struct rng rng;
	unsigned owners; /* how many different names */
	unsigned rdata;	 /* octets of RDATA at most, for types of free form */
	bool odd;	 /* binary labels, upper case, deep names, all layouts */
	unsigned nsec3;	 /* percent of records in the NSEC3 part */
	uint8_t owner[NAME_MAX_LEN];
	uint8_t data[UINT16_MAX];
};

void gen_init(struct gen *g, uint64_t seed);
/* Owner number i of the pool; the case of its letters varies when g->odd. */
size_t gen_owner(struct gen *g, const uint8_t *apex, unsigned i, uint8_t out[NAME_MAX_LEN]);
/* A record (never the SOA); valid until the next call. */
void gen_rr(struct gen *g, const uint8_t *apex, struct rr *out);
void gen_rr_at(struct gen *g, const uint8_t *apex, unsigned owner, struct rr *out);
void gen_soa(struct gen *g, const uint8_t *apex, uint32_t serial, struct rr *out);

struct stored {
	int64_t id;
	uint8_t key[RR_KEY_MAX];
	size_t key_len;
	uint8_t *data;
	size_t len;
	uint32_t rrs;
	uint8_t digest[SEGMENT_DIGEST];
};

struct stored_list {
	struct stored *v; /* in key order */
	size_t n, cap;
	int64_t next_id;
};

void stored_clear(struct stored_list *l);
void stored_copy(struct stored_list *to, const struct stored_list *from);
int stored_sink(void *arg, const struct segment *s, struct zr_err *e); /* a segment_sink: appends */
void stored_insert(struct stored_list *l, const struct segment *s);    /* where its key belongs */
bool stored_remove(struct stored_list *l, int64_t id);
/* The last one with a key <= this, or l->n when there is none. */
size_t stored_at(const struct stored_list *l, const uint8_t *key, size_t len);
/* Packs a whole model. */
void stored_pack(struct stored_list *l, const struct model *m);
/* NULL when they are equal but for the ids, else what differs. */
const char *stored_differ(const struct stored_list *a, const struct stored_list *b);
/* Reads everything back; false when it is malformed. */
bool stored_unpack(const struct stored_list *l, struct model *m);
