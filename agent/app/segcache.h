/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Segments on their way out, read ahead: several in one transaction of the store, and once for all
 * clients of a worker that fetch the same zone at about the same pace.  A segment never changes, so
 * what is here is never stale.  Memory is bounded whatever the number of clients; octets were found
 * intact when they were read.  Owned by one worker.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "store/reader.h"

struct segcache;

struct segcache *segcache_new(struct reader *r);
void segcache_free(struct segcache *c);	  /* NULL is fine */
void segcache_forget(struct segcache *c); /* gives the memory back: nobody reads now */

/*
 * The octets of ids[0], valid until the next call.  When they are not here, those of the following
 * ids, which the caller will want next, are read with them.  `sharers`: how many read from here
 * now. -1 as reader_segment_data().
 */
int segcache_get(struct segcache *c, const int64_t *ids, size_t n, unsigned sharers,
    const uint8_t **data, size_t *len, struct zr_err *e);
