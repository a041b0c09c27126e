/* SPDX-License-Identifier: BSD-2-Clause */
/* The segments of one stored version as core wants to see them: a list with keys, and their data.
 */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "core/segref.h"
#include "store/reader.h"

struct oldsegs {
	struct segref *v; /* keys owned */
	size_t n, cap;
	bool no_memory; /* while loading */
};

/* version 0: empty.  Memory: about 100 octets for each segment. */
int oldsegs_load(
    struct oldsegs *o, struct reader *r, int64_t zone, int64_t version, struct zr_err *e);
void oldsegs_clear(struct oldsegs *o);

/* A stored row as a segref; the key stays the row's. */
void segref_from_row(struct segref *out, const struct segment_row *row);
