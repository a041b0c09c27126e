/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A made-up zone transfer for benchmarks: a zone like that of a top-level domain, as the octets
 * a primary would send over TCP.  The same for the same number of records.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "wire/name.h"
#include "wire/rr.h"

struct stream {
	uint8_t *octets; /* framed messages */
	size_t len;
	unsigned messages;
	unsigned rrs;
	uint8_t apex[NAME_MAX_LEN];
};

/* Ends the program when memory is short. */
void stream_make(struct stream *s, unsigned rrs);
void stream_clear(struct stream *s);

/* The records of the stream, decompressed, in the order sent; for stages behind the walk. */
struct records {
	struct rr *rr;
	unsigned count;
	uint8_t *octets; /* what the records point to */
};

void records_make(struct records *r, const struct stream *s);
void records_clear(struct records *r);
