/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Is a name below our zone's apex delegated in the copy we have?  Asked for NOTIFYs of names
 * that are no zone of ours.  Deep names mostly lie in one segment, which is then read once.
 */
#include "app/agent_p.h"
#include "wire/name.h"
#include "wire/segment.h"

struct search {
	struct entry *entry;
	const uint8_t *qname;
	struct unpacker *unpacker;
	struct buf data;
	int64_t segment; /* looked through last; 0 = none */
};

/* Any delegation in this segment that the name asked for lies at or below? */
static bool
look_through(struct search *s, int64_t segment)
{
	struct zr_err e;
	struct rr rr;

	s->segment = segment;
	buf_reset(&s->data);
	if (reader_segment_data(s->entry->agent->reader, segment, &s->data, &e) != 0)
		return false;
	unpacker_start(s->unpacker, s->data.data, s->data.len);
	while (unpacker_next(s->unpacker, &rr, &e) == 1)
		if (rr.type == TYPE_NS && name_within(s->qname, rr.owner) &&
		    !name_equal(rr.owner, s->entry->name))
			return true;
	return false;
}

/*
 * The NS records of a name, if it has any, end the run of records before the next type; so the
 * last segment that begins before that type has one of them.
 */
static bool
delegated_at(struct search *s, const uint8_t *name)
{
	const struct rr after = {.owner = name,
	    .owner_len = (uint8_t)name_len(name),
	    .type = TYPE_NS + 1,
	    .class = CLASS_IN,
	    .rdata = name};
	struct segment_row row;
	struct zr_err e;
	uint8_t key[RR_KEY_MAX];
	size_t len = rr_key(&after, s->entry->name, key, NULL);

	return reader_segment_at(s->entry->agent->reader, s->entry->z.id, s->entry->version, key,
		   len, &row, &e) == 1 &&
	       row.id != s->segment && look_through(s, row.id);
}

bool
cut_above(void *arg, const struct zone *z, const uint8_t *qname)
{
	struct agent *a = arg;
	struct search s = {.entry = entry_by_id(a, z->id), .qname = qname, .data = BUF_INIT};
	bool found = false;

	if (s.entry == NULL || z->data == ZONE_EMPTY)
		return false;
	s.unpacker = unpacker_new(s.entry->name);
	for (; !found && name_len(qname) > name_len(s.entry->name); qname += 1 + *qname)
		found = delegated_at(&s, qname);
	unpacker_free(s.unpacker);
	buf_clear(&s.data);
	return found;
}
