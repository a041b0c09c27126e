/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Undoing the whole journal must be possible from the content as it is: seen from the end, each
 * addition takes away a record that is there, and each deletion brings back one that is not.
 * Whether that holds is a question to each record alone; so the changes are sorted by record, the
 * newest first, and laid beside the content.  Identity is without TTL, as for differences (U-06).
 */
#include "tool/verify.h"

#include "base/mem.h"
#include "store/spill.h"
#include "wire/name.h"
#include "wire/segment.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLASS_NONE 254 /* marks a deletion, as in RFC 2136 */
#define MEMORY_ALL (UINT64_C(1) << 62)

struct vjournal {
	struct verify *v;
	const struct audit_zone *z;
	struct spill *spill;
	struct unpacker *u;
	struct buf data;
	bool comparable; /* every chunk could be read */
	/* walking back */
	struct audit_chunk at; /* the chunk before (that is: behind) */
	bool any;
	int64_t steps, octets;
	char where[96];
	/* laying beside */
	bool has_head;
	struct rr head; /* the next change; valid until the next spill_next() */
	struct rr same; /* the record whose changes are looked at */
	uint8_t owner[NAME_MAX_LEN];
	uint8_t rdata[UINT16_MAX];
};

void
vjournal_free(struct vjournal *j)
{
	if (j == NULL)
		return;
	spill_close(j->spill);
	unpacker_free(j->u);
	buf_clear(&j->data);
	free(j);
}

/* ---- from the end to the beginning ---- */

/* May this chunk stand directly before the one seen last? */
static bool
precedes(const struct audit_chunk *c, const struct audit_chunk *behind)
{
	if (c->version == behind->version && c->step == behind->step) {
		if (c->part == behind->part)
			return c->chunk == behind->chunk - 1 &&
			       c->from_serial == behind->from_serial &&
			       c->to_serial == behind->to_serial;
		return behind->part == 1 && c->part == 0 && behind->chunk == 0 &&
		       c->from_serial == behind->from_serial && c->to_serial == behind->to_serial;
	}
	if (behind->part != 0 || behind->chunk != 0 || c->part != 1 ||
	    c->to_serial != behind->from_serial)
		return false;
	if (c->version == behind->version)
		return c->step == behind->step - 1;
	return c->version == behind->version - 1 && behind->step == 0;
}

static bool
is_last(const struct vjournal *j, const struct audit_chunk *c)
{
	return c->version == j->z->version && c->part == 1 && c->to_serial == j->z->serial;
}

/* The first record of a part is the SOA of its side. */
static void
check_soa(struct vjournal *j, const struct audit_chunk *c, const struct rr *rr)
{
	uint32_t serial = c->part == 0 ? c->from_serial : c->to_serial;
	struct soa soa;

	if (rr->type != TYPE_SOA || !name_equal(rr->owner, j->z->name) || !rr_soa(rr, &soa) ||
	    soa.serial != serial)
		verify_fault(
		    j->v, j->where, "does not begin with the SOA of serial %" PRIu32, serial);
}

static int
take_records(struct vjournal *j, const struct audit_chunk *c, struct zr_err *e)
{
	struct zr_err bad = {0};
	uint8_t key[RR_KEY_MAX];
	int64_t n = 0;
	struct rr rr;
	int rc;

	unpacker_start(j->u, j->data.data, j->data.len);
	while ((rc = unpacker_next(j->u, &rr, &bad)) == 1) {
		if (!name_within(rr.owner, j->z->name)) {
			rc = zr_fail(&bad, ZR_BADZONE, "it is outside of the zone");
			break;
		}
		if (n++ == 0 && c->chunk == 0)
			check_soa(j, c, &rr);
		rr.class = c->part == 0 ? CLASS_NONE : CLASS_IN;
		if (spill_add(j->spill, key, rr_key(&rr, j->z->name, key, NULL), &rr, e) != 0)
			return -1;
	}
	if (rc < 0) {
		verify_fault(j->v, j->where, "record %" PRId64 " cannot be read: %s", n, bad.text);
		j->comparable = false;
	} else if (n != c->rrs) {
		verify_fault(
		    j->v, j->where, "%" PRId64 " records, %" PRId64 " are noted", n, c->rrs);
	}
	return 0;
}

static int
take_content(struct vjournal *j, const struct audit_chunk *c, struct zr_err *e)
{
	struct zr_err bad = {0};
	struct audit_octets octets = {0};
	int rc;

	buf_reset(&j->data);
	rc = audit_content(
	    j->v->audit, c->id, j->z->id, NULL, 0, c->version, &j->data, &octets, &bad);
	if (rc == 1) {
		if (!octets.intact)
			verify_fault(
			    j->v, j->where, "its octets do not have the sum that is noted");
		if (!octets.owned)
			verify_fault(
			    j->v, j->where, "its octets say that they belong to another one");
		if ((int64_t)j->data.len != c->octets)
			verify_fault(j->v, j->where, "%zu octets, %" PRId64 " are noted",
			    j->data.len, c->octets);
		return take_records(j, c, e);
	}
	j->comparable = false;
	if (rc < 0 && bad.code != ZR_DAMAGED) {
		*e = bad;
		return -1;
	}
	verify_fault(j->v, j->where, "its octets %s", rc == 0 ? "are not there" : "cannot be read");
	return 0;
}

static int
take_chunk(struct vjournal *j, const struct audit_chunk *c, struct zr_err *e)
{
	snprintf(j->where, sizeof(j->where),
	    "journal, %" PRIu32 " to %" PRIu32 ", %s, part %" PRId64 " (content %" PRId64 ")",
	    c->from_serial, c->to_serial, c->part == 0 ? "deletions" : "additions", c->chunk,
	    c->id);
	if (j->any ? !precedes(c, &j->at) : !is_last(j, c)) {
		verify_fault(j->v, j->where,
		    j->any ? "does not lead to what comes behind it"
			   : "does not lead to the content");
		j->comparable = false;
	}
	if (!j->any || c->version != j->at.version || c->step != j->at.step)
		j->steps++;
	j->any = true;
	j->octets += c->octets;
	j->at = *c;
	return take_content(j, c, e);
}

static void
check_sums(struct vjournal *j)
{
	const struct audit_zone *z = j->z;

	if (j->any && (j->at.version != z->journal_from || j->at.step != 0 || j->at.part != 0 ||
			  j->at.chunk != 0)) {
		verify_fault(j->v, j->where, "the journal does not begin where it should");
		j->comparable = false;
	}
	if (j->steps != z->journal_steps)
		verify_fault(j->v, "journal", "%" PRId64 " steps, %" PRId64 " are noted", j->steps,
		    z->journal_steps);
	if (j->octets != z->journal_octets)
		verify_fault(j->v, "journal", "%" PRId64 " octets, %" PRId64 " are noted",
		    j->octets, z->journal_octets);
}

/* Moves on to the next change. */
static int
next_change(struct vjournal *j, struct zr_err *e)
{
	int rc = spill_next(j->spill, &j->head, e);

	j->has_head = rc == 1;
	return rc < 0 ? -1 : 0;
}

static int
walk_back(struct vjournal *j, struct zr_err *e)
{
	struct audit_chunk c = {.version = j->z->version, .step = INT64_MAX};
	struct verify *v = j->v;
	struct zr_err bad = {0};
	int rc;

	while ((rc = audit_chunk_before(v->audit, j->z->id, j->z->journal_from, &c, &bad)) == 1) {
		if (take_chunk(j, &c, e) != 0)
			return -1;
		if (v->moved)
			return 0;
		verify_progress(v, 0, 0);
	}
	if (rc < 0 && bad.code != ZR_DAMAGED) {
		*e = bad;
		return -1;
	}
	if (rc < 0) {
		verify_fault(v, "journal", "it cannot be read: %s", bad.text);
		j->comparable = false;
		return 0;
	}
	check_sums(j);
	return 0;
}

int
vjournal_read(struct verify *v, struct vjournal **out, struct zr_err *e)
{
	struct vjournal *j = zr_xcalloc(1, sizeof(*j));
	const char *dir = getenv("TMPDIR");

	*out = NULL;
	j->v = v;
	j->z = v->zone;
	j->comparable = true;
	buf_init(&j->data, 0);
	j->u = unpacker_new(v->zone->name);
	if (spill_open(&j->spill, dir != NULL && *dir == '/' ? dir : "/tmp", MEMORY_ALL, e) != 0 ||
	    walk_back(j, e) != 0)
		goto fail;
	v->now.steps = (uint64_t)j->steps;
	if (!j->any || !j->comparable || v->moved) {
		vjournal_free(j);
		return 0;
	}
	if (spill_sort(j->spill, e) != 0 || next_change(j, e) != 0)
		goto fail;
	*out = j;
	return 0;
fail:
	vjournal_free(j);
	return -1;
}

/* ---- beside the content ---- */

static void
misfit(struct vjournal *j, bool addition)
{
	char name[NAME_TEXT_MAX], type[16];

	verify_fault(j->v, "journal", "%.120s %s is %s", name_show(j->same.owner, name),
	    rr_type_text(j->same.type, type),
	    addition ? "added by it and is not there" : "deleted by it and is there all the same");
}

/* All changes of the record at the head; `there`: the content has it. */
static int
undo(struct vjournal *j, bool there, struct zr_err *e)
{
	bool told = false;

	j->same = j->head;
	memcpy(j->owner, j->head.owner, j->head.owner_len);
	if (j->head.rdlen > 0)
		memcpy(j->rdata, j->head.rdata, j->head.rdlen);
	j->same.owner = j->owner;
	j->same.rdata = j->rdata;
	do {
		bool addition = j->head.class == CLASS_IN;

		if (addition != there && !told) {
			misfit(j, addition);
			told = true;
		}
		there = !addition;
		if (next_change(j, e) != 0)
			return -1;
	} while (j->has_head && rr_cmp(&j->head, &j->same, j->z->name) == 0);
	return 0;
}

int
vjournal_record(struct vjournal *j, const struct rr *rr, struct zr_err *e)
{
	int c;

	while (j->has_head && (c = rr_cmp(&j->head, rr, j->z->name)) <= 0) {
		if (undo(j, c == 0, e) != 0)
			return -1;
		if (c == 0)
			break;
	}
	return 0;
}

int
vjournal_end(struct vjournal *j, struct zr_err *e)
{
	while (j->has_head)
		if (undo(j, false, e) != 0)
			return -1;
	return 0;
}
