/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Delta chunks: the records of an IXFR step, packed with compression against the question only,
 * so that any chunk may stand behind any other record in a message.  A step is part 0 (old SOA,
 * deletions) and part 1 (new SOA, additions); see RFC 1995 section 4.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "wire/rr.h"

#define DELTA_CHUNK 16000 /* octets; a single larger record stands alone */

struct delta_chunk {
	const uint8_t *data;
	size_t len;
	uint32_t rrs;
};

typedef int (*delta_sink)(void *arg, const struct delta_chunk *c, struct zr_err *e);

struct deltapack;
struct deltapack *deltapack_new(const uint8_t *apex, delta_sink sink, void *arg);
void deltapack_free(struct deltapack *d);
int deltapack_add(struct deltapack *d, const struct rr *rr, struct zr_err *e);
int deltapack_flush(struct deltapack *d, struct zr_err *e);
