/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The difference between two versions, taken while the segments of the new one come in:
 * equal segments are skipped unread, others are compared record by record.  A change of TTL or
 * of the owner's case is a deletion and an addition (RFC 1995 section 4).  The apex SOA is left
 * out: the caller puts both SOAs.  Deletions and additions each come in zone order.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "core/segref.h"
#include "wire/rr.h"
#include "wire/segment.h"

struct diff_ops {
	segref_next next_old; /* segments of the old version */
	segref_read read_old;
	/* Data of a new segment that was given without (data NULL); otherwise not needed. */
	int (*read_new)(void *arg, const struct segment *s, const uint8_t **data, size_t *len,
	    struct zr_err *e);
	int (*del)(void *arg, const struct rr *rr, struct zr_err *e);
	int (*add)(void *arg, const struct rr *rr, struct zr_err *e);
};

struct diff_count {
	uint64_t dels;
	uint64_t adds;
	uint64_t skipped;  /* equal segments */
	uint64_t compared; /* new segments read record by record */
};

struct diff;

/* `apex` is copied, `ops` borrowed for the object's life. */
struct diff *diff_new(const uint8_t *apex, const struct diff_ops *ops, void *arg);
void diff_free(struct diff *d);
/* A segment_sink; `arg` is the diff.  In key order. */
int diff_add(void *arg, const struct segment *s, struct zr_err *e);
/* What is left of the old version is deleted. */
int diff_finish(struct diff *d, struct zr_err *e);
const struct diff_count *diff_count(const struct diff *d);
