/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing records behind a header and a question, with name compression.  Names match exactly,
 * case included (RFC 5936 section 3.4); RDATA names are compressed for the types of
 * RFC 1035 only (RFC 3597 section 4).  What is written depends on the records since the
 * last reset alone, never on the machine, so it may be compared octet by octet.
 *
 * Bounded in every direction: a name that finds no room in the table is written out.
 * Owner thread: the one that uses it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/rr.h"

struct compress;

/* `question_only`: pointers into the question, none between records. */
struct compress *compress_new(const uint8_t *apex, bool question_only);
void compress_free(struct compress *c);
void compress_reset(struct compress *c); /* no records; cheap */

/*
 * Appends a record.  `same_owner`: its owner is octet for octet that of the record before.
 * Returns the octets it took, or 0 when the RDATA does not fit its type; then nothing changed.
 * The caller keeps compress_len() at or below SEGMENT_DATA_MAX before each call.
 */
size_t compress_rr(struct compress *c, const struct rr *rr, bool same_owner);
/* Takes the last record back; once for each compress_rr(). */
void compress_undo(struct compress *c);

const uint8_t *compress_data(const struct compress *c); /* behind the question */
size_t compress_len(const struct compress *c);
size_t compress_base(const struct compress *c); /* octets of header and question */

/* A hash that is the same on every machine and for ever. */
uint32_t compress_hash(const uint8_t *p, size_t n, uint32_t seed);
