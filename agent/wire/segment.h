/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Segments: runs of records in zone order, packed as the answer section of a ready
 * DNS message (architecture section 4).  A segment is sent behind a 12 octet header and the
 * question <apex, qtype, IN>; its names are compressed against that question (offset 12) and
 * against itself.  The layout is a pure function of the content, so equal content packs to
 * equal octets.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "wire/rr.h"

#define SEGMENT_DIGEST 32	 /* SHA-256 */
#define SEGMENT_CUT_MIN 8192	 /* below this size never cut at a new owner */
#define SEGMENT_CUT_SOFT 12288	 /* from this size cut at every new owner */
#define SEGMENT_CUT_MASK 15	 /* between them: when hash(owner) & mask == 0 */
#define SEGMENT_OFFSET_MAX 16383 /* highest target of a compression pointer */
#define SEGMENT_DATA_MAX                                                                           \
	(65535 - 12 - 259 - 512) /* a single giant record; room for SOA and OPT                    \
				  */

/*
 * Keys of segments.  At an owner boundary: part and owner of the first record.  Inside an owner:
 * rr_key() of the first record cut to SEGMENT_KEY_INNER; when the record before has the same
 * octets there, a number of 32 bits follows that counts the segments which do.  So every
 * key is greater than that of the segment before, and the last key <= a record's own (cut to
 * SEGMENT_KEY_INNER) leads to that record, or to a run of numbered segments that holds it.
 */
#define SEGMENT_KEY_INNER (RR_KEY_MAX - 4)

struct segment {
	const uint8_t *key;
	size_t key_len;
	const uint8_t *data;
	size_t len;
	uint32_t rrs;
	uint8_t digest[SEGMENT_DIGEST];
};

/* Receives finished segments in order; borrowed.  -1 stops the packer with that error. */
typedef int (*segment_sink)(void *arg, const struct segment *s, struct zr_err *e);

struct packer;

struct packer *packer_new(const uint8_t *apex, segment_sink sink, void *arg);
void packer_free(struct packer *p);
/* Records must come in zone order without duplicates; ZR_INTERNAL otherwise. */
int packer_add(struct packer *p, const struct rr *rr, struct zr_err *e);
/*
 * Would packer_add() of this record end the segment under construction first?  If so and key is
 * not NULL, it gets the key that the next segment would have.
 */
bool packer_would_cut(
    struct packer *p, const struct rr *rr, uint8_t key[RR_KEY_MAX], size_t *key_len);
/*
 * The same of any record with this part and owner, as rr_key_owner(), and whatever its size.  True:
 * the next segment would have just this key.
 */
bool packer_would_cut_at(const struct packer *p, const uint8_t *key, size_t key_len);
/* Ends the segment under construction, if any.  The packer is then as new. */
int packer_flush(struct packer *p, struct zr_err *e);
/* A packer as new goes on where a stored segment begins: the next segment has this key. */
void packer_resume(struct packer *p, const uint8_t *key, size_t key_len);
size_t packer_pending(const struct packer *p); /* octets in the segment under construction */
/* Key of the segment under construction; length 0 when there is none. */
const uint8_t *packer_key(const struct packer *p, size_t *key_len);

/* Reads a segment (or a delta chunk) back.  Records are valid until the next call. */
struct unpacker;
struct unpacker *unpacker_new(const uint8_t *apex);
void unpacker_free(struct unpacker *u);
void unpacker_start(struct unpacker *u, const uint8_t *data, size_t len); /* borrows data */
int unpacker_next(struct unpacker *u, struct rr *rr, struct zr_err *e);	  /* 1, 0 end, -1 */

/*
 * Before anything else of OpenSSL.  What it allocates is of a size that it bounds itself, and where
 * it once could not load an algorithm it never can again: so a lack of memory ends the process here
 * as in base/mem.h, and what is missing for other reasons is told at the start.
 */
int digest_start(struct zr_err *e);
/* Of the data of a segment; false when the library fails, which is a lack of memory. */
bool digest_of(const uint8_t *data, size_t len, uint8_t out[SEGMENT_DIGEST]);
/* Digest of a version: the sum modulo 2^256 of its segments' digests, big endian. */
void digest_add(uint8_t sum[SEGMENT_DIGEST], const uint8_t d[SEGMENT_DIGEST]);
void digest_sub(uint8_t sum[SEGMENT_DIGEST], const uint8_t d[SEGMENT_DIGEST]);
