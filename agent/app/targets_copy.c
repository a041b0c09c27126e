/* SPDX-License-Identifier: BSD-2-Clause */
/* Single RRsets of the version served, for the hosts of the NS records and their glue. */
#include <string.h>

#include "app/targets_p.h"
#include "wire/name.h"

/* Segments looked through for one name: more are not for the sake of a few addresses. */
#define SEGMENTS_MAX 8

void
copy_open(struct copy *c, struct entry *en)
{
	*c = (struct copy){.entry = en, .data = BUF_INIT, .unpacker = unpacker_new(en->name)};
}

void
copy_close(struct copy *c)
{
	unpacker_free(c->unpacker);
	buf_clear(&c->data);
}

static size_t
key_of(const struct copy *c, const uint8_t *name, uint32_t type, uint8_t out[RR_KEY_MAX])
{
	const struct rr rr = {.owner = name,
	    .owner_len = (uint8_t)name_len(name),
	    .type = (uint16_t)type,
	    .class = CLASS_IN,
	    .rdata = name};

	return rr_key(&rr, c->entry->name, out, NULL);
}

static bool
before(const struct segment_row *row, const uint8_t *key, size_t len)
{
	size_t least = row->key_len < len ? row->key_len : len;
	int d = memcmp(row->key, key, least);

	return d < 0 || (d == 0 && row->key_len < len);
}

static int
load(struct copy *c, int64_t segment, struct zr_err *e)
{
	if (c->segment == segment)
		return 0;
	c->segment = 0;
	buf_reset(&c->data);
	if (reader_segment_data(c->entry->agent->reader, segment, &c->data, e) != 0)
		return -1;
	c->segment = segment;
	return 0;
}

int
copy_each(struct copy *c, const uint8_t *name, uint16_t first, uint16_t last,
    bool (*cb)(void *arg, const struct rr *rr), void *arg, struct zr_err *e)
{
	struct reader *r = c->entry->agent->reader;
	uint8_t low[RR_KEY_MAX], high[RR_KEY_MAX];
	size_t low_len = key_of(c, name, first, low), high_len = key_of(c, name, last + 1u, high);
	int64_t id = c->entry->z.id, version = c->entry->version;
	struct segment_row row;
	struct rr rr;
	int rc = reader_segment_at(r, id, version, low, low_len, &row, e), one;

	for (int i = 0; rc == 1 && i < SEGMENTS_MAX && (i == 0 || before(&row, high, high_len));
	     i++) {
		if (load(c, row.id, e) != 0)
			return -1;
		unpacker_start(c->unpacker, c->data.data, c->data.len);
		while ((one = unpacker_next(c->unpacker, &rr, e)) == 1)
			if (rr.type >= first && rr.type <= last && name_equal(rr.owner, name) &&
			    !cb(arg, &rr))
				return 0;
		if (one < 0)
			return -1;
		rc = reader_segment_next(r, id, version, row.key, row.key_len, &row, e);
	}
	return rc < 0 ? -1 : 0;
}
