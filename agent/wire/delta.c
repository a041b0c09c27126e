/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/delta.h"

#include "base/mem.h"
#include "wire/compress.h"
#include "wire/segment.h"

#include <stdlib.h>

struct deltapack {
	struct compress *c;
	delta_sink sink;
	void *arg;
	uint32_t rrs;
};

struct deltapack *
deltapack_new(const uint8_t *apex, delta_sink sink, void *arg)
{
	struct deltapack *d = zr_xcalloc(1, sizeof(*d));

	d->c = compress_new(apex, true);
	d->sink = sink;
	d->arg = arg;
	return d;
}

void
deltapack_free(struct deltapack *d)
{
	if (d == NULL)
		return;
	compress_free(d->c);
	free(d);
}

int
deltapack_flush(struct deltapack *d, struct zr_err *e)
{
	struct delta_chunk chunk = {
	    .data = compress_data(d->c), .len = compress_len(d->c), .rrs = d->rrs};

	if (d->rrs > 0 && d->sink(d->arg, &chunk, e) != 0)
		return -1;
	compress_reset(d->c);
	d->rrs = 0;
	return 0;
}

int
deltapack_add(struct deltapack *d, const struct rr *rr, struct zr_err *e)
{
	size_t len = compress_rr(d->c, rr, false);

	if (len == 0)
		return zr_fail(e, ZR_FORMERR, "RDATA of type %u does not fit its type", rr->type);
	if (d->rrs > 0 && compress_len(d->c) > DELTA_CHUNK) {
		compress_undo(d->c);
		if (deltapack_flush(d, e) != 0)
			return -1;
		compress_rr(d->c, rr, false);
	}
	if (len > SEGMENT_DATA_MAX) {
		compress_undo(d->c);
		return zr_fail(e, ZR_LIMIT, "a record of %zu octets is too large to be sent", len);
	}
	d->rrs++;
	return 0;
}
