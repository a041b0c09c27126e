/* SPDX-License-Identifier: BSD-2-Clause */
/* The segments of one version: each for itself, one behind the other, and all together. */
#include "tool/verify.h"

#include "base/mem.h"
#include "wire/name.h"
#include "wire/segment.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct walk {
	struct verify *v;
	const struct audit_zone *z;
	struct vjournal *journal; /* NULL: there is none */
	struct unpacker *u;
	struct audit_segment seg;
	char where[64];
	struct buf data;
	bool readable; /* so far every record could be read: content and journal can be compared */
	/* sums */
	int64_t segments, records, octets;
	uint8_t digest[SEGMENT_DIGEST];
	/* the record before */
	struct rr prev;
	uint8_t prev_owner[NAME_MAX_LEN];
	uint8_t prev_rdata[UINT16_MAX];
};

static void
record_fault(struct walk *w, const struct rr *rr, const char *what)
{
	char name[NAME_TEXT_MAX], type[16];

	verify_fault(w->v, w->where, "%.120s %s %s", name_show(rr->owner, name),
	    rr_type_text(rr->type, type), what);
}

/* The very first record. */
static void
check_soa(struct walk *w, const struct rr *rr)
{
	const struct audit_zone *z = w->z;
	struct soa soa;

	if (rr->type != TYPE_SOA || !name_equal(rr->owner, z->name) || !rr_soa(rr, &soa)) {
		record_fault(w, rr, "stands where the SOA must stand");
		return;
	}
	if (soa.serial != z->serial)
		verify_fault(w->v, w->where, "its SOA has serial %" PRIu32 ", the zone %" PRIu32,
		    soa.serial, z->serial);
	else if (rr->rdlen != z->soa_len || memcmp(rr->rdata, z->soa, z->soa_len) != 0 ||
		 rr->ttl != z->soa_ttl)
		verify_fault(w->v, w->where, "its SOA is not that which is noted for the zone");
}

/* The key of a segment is made of its first record; see wire/segment.h. */
static void
check_key(struct walk *w, const struct rr *rr)
{
	const struct audit_segment *s = &w->seg;
	uint8_t key[RR_KEY_MAX];
	size_t owner, n = rr_key(rr, w->z->name, key, &owner);

	if (s->key_len == owner && memcmp(s->key, key, owner) == 0)
		return;
	n = n < SEGMENT_KEY_INNER ? n : SEGMENT_KEY_INNER;
	if ((s->key_len != n && s->key_len != n + 4) || memcmp(s->key, key, n) != 0)
		record_fault(w, rr, "comes first, but the key is of another record");
}

static void
remember(struct walk *w, const struct rr *rr)
{
	w->prev = *rr;
	memcpy(w->prev_owner, rr->owner, rr->owner_len);
	if (rr->rdlen > 0)
		memcpy(w->prev_rdata, rr->rdata, rr->rdlen);
	w->prev.owner = w->prev_owner;
	w->prev.rdata = w->prev_rdata;
}

static int
check_record(struct walk *w, const struct rr *rr, bool first, struct zr_err *e)
{
	if (!name_within(rr->owner, w->z->name))
		record_fault(w, rr, "is outside of the zone");
	else if (first)
		check_key(w, rr);
	if (w->records == 0 && first)
		check_soa(w, rr);
	else if (w->prev.owner != NULL && rr_cmp(&w->prev, rr, w->z->name) >= 0) {
		record_fault(w, rr, "does not come behind the record before");
		w->readable = false;
	}
	remember(w, rr);
	if (w->journal != NULL && w->readable && !w->v->moved)
		return vjournal_record(w->journal, rr, e);
	return 0;
}

static int
check_records(struct walk *w, struct zr_err *e)
{
	struct zr_err bad = {0};
	struct rr rr;
	int64_t n = 0;
	int rc;

	unpacker_start(w->u, w->data.data, w->data.len);
	while ((rc = unpacker_next(w->u, &rr, &bad)) == 1) {
		if (check_record(w, &rr, n++ == 0, e) != 0)
			return -1;
		if (w->v->moved)
			return 0;
	}
	if (rc < 0) {
		verify_fault(w->v, w->where, "record %" PRId64 " cannot be read: %s", n, bad.text);
		w->readable = false;
	} else if (n != w->seg.rrs) {
		verify_fault(
		    w->v, w->where, "%" PRId64 " records, %" PRId64 " are noted", n, w->seg.rrs);
	}
	w->records += n;
	return 0;
}

/* False when its octets are not those that were written; what they say is then of no interest. */
static bool
check_octets(struct walk *w, const struct audit_octets *o)
{
	const struct audit_segment *s = &w->seg;
	uint8_t digest[SEGMENT_DIGEST];

	if (!o->owned)
		verify_fault(w->v, w->where, "its octets say that they belong to another one");
	if ((int64_t)w->data.len != s->octets)
		verify_fault(
		    w->v, w->where, "%zu octets, %" PRId64 " are noted", w->data.len, s->octets);
	if (!digest_of(w->data.data, w->data.len, digest) ||
	    memcmp(digest, s->digest, sizeof(digest)) != 0) {
		verify_fault(w->v, w->where, "its octets do not have the digest that is noted");
		return false;
	}
	if (!o->intact)
		verify_fault(w->v, w->where, "the sum that is noted is not that of its octets");
	return true;
}

static int
check_segment(struct walk *w, struct zr_err *e)
{
	const struct audit_segment *s = &w->seg;
	struct zr_err bad = {0};
	struct audit_octets octets = {0};
	int rc;

	snprintf(w->where, sizeof(w->where), "segment %" PRId64 " (content %" PRId64 ")",
	    w->segments, s->id);
	buf_reset(&w->data);
	rc = audit_content(
	    w->v->audit, s->id, w->z->id, s->key, s->key_len, s->born, &w->data, &octets, &bad);
	w->segments++;
	w->octets += s->octets;
	digest_add(w->digest, s->digest);
	if (rc == 1 && check_octets(w, &octets))
		return check_records(w, e);
	w->readable = false;
	w->records += s->rrs;
	if (rc == 0)
		verify_fault(w->v, w->where, "its octets are not there");
	if (rc >= 0)
		return 0;
	if (bad.code != ZR_DAMAGED) {
		*e = bad;
		return -1;
	}
	verify_fault(w->v, w->where, "its octets cannot be read");
	return 0;
}

static void
check_sum(struct walk *w, const char *what, int64_t found, int64_t noted)
{
	if (found != noted)
		verify_fault(w->v, "", "%" PRId64 " %s, %" PRId64 " are noted", found, what, noted);
}

static void
check_sums(struct walk *w)
{
	const struct audit_zone *z = w->z;

	check_sum(w, "segments", w->segments, z->segments);
	check_sum(w, "records", w->records, z->records);
	check_sum(w, "octets", w->octets, z->octets);
	if (memcmp(w->digest, z->digest, sizeof(w->digest)) != 0)
		verify_fault(w->v, "", "its digest is not the sum of those of its segments");
	if (z->has_data && w->segments == 0)
		verify_fault(w->v, "", "it has a serial, but no content");
}

static int
check_content(struct walk *w, struct zr_err *e)
{
	struct verify *v = w->v;
	struct zr_err bad = {0};
	int rc;

	w->seg.key_len = 0;
	while ((rc = audit_segment_next(v->audit, w->z->id, w->z->version, w->seg.key,
		    w->seg.key_len, &w->seg, &bad)) == 1) {
		if (check_segment(w, e) != 0)
			return -1;
		if (v->moved)
			return 0;
		verify_progress(v, (uint64_t)w->segments, (uint64_t)w->z->segments);
	}
	if (rc < 0 && bad.code != ZR_DAMAGED) {
		*e = bad;
		return -1;
	}
	if (rc < 0) {
		verify_fault(v, "", "what comes behind segment %" PRId64 " cannot be found: %s",
		    w->segments, bad.text);
		return 0;
	}
	check_sums(w);
	if (w->journal != NULL && w->readable && !v->moved)
		return vjournal_end(w->journal, e);
	return 0;
}

int
verify_zone(struct verify *v, struct zr_err *e)
{
	struct walk *w = zr_xcalloc(1, sizeof(*w));
	int rc = -1;

	w->v = v;
	w->z = v->zone;
	w->readable = true;
	buf_init(&w->data, 0);
	w->u = unpacker_new(v->zone->name);
	if (vjournal_read(v, &w->journal, e) == 0)
		rc = v->moved ? 0 : check_content(w, e);
	v->now.segments = (uint64_t)w->segments;
	v->now.records = (uint64_t)w->records;
	v->now.octets = (uint64_t)w->octets;
	unpacker_free(w->u);
	vjournal_free(w->journal);
	buf_clear(&w->data);
	free(w);
	return rc;
}
