/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A merge of two sorted runs of records: the new one is pushed segment by segment, the old one is
 * pulled.  An old segment is opened only when one of its records could be needed, because
 * one that is still unopened when its equal comes along is skipped whole.
 */
#include "core/diff.h"

#include "base/mem.h"
#include "wire/name.h"

#include <stdlib.h>
#include <string.h>

struct diff {
	const struct diff_ops *ops;
	void *arg;
	struct segref ref; /* the next old segment, unopened */
	bool have_ref;
	bool refs_ended;
	struct unpacker *old;
	struct rr old_rr; /* the next old record, of the open segment */
	bool have_old_rr;
	struct unpacker *new;
	struct diff_count count;
	uint8_t apex[NAME_MAX_LEN];
};

static bool
is_apex_soa(const struct diff *d, const struct rr *rr)
{
	return rr->type == TYPE_SOA && name_equal(rr->owner, d->apex);
}

static int
put_del(struct diff *d, const struct rr *rr, struct zr_err *e)
{
	if (is_apex_soa(d, rr))
		return 0;
	d->count.dels++;
	return d->ops->del(d->arg, rr, e);
}

static int
put_add(struct diff *d, const struct rr *rr, struct zr_err *e)
{
	if (is_apex_soa(d, rr))
		return 0;
	d->count.adds++;
	return d->ops->add(d->arg, rr, e);
}

/* 1: d->ref is the next unopened old segment; 0: there is none; -1. */
static int
peek_ref(struct diff *d, struct zr_err *e)
{
	int rc;

	if (d->have_ref)
		return 1;
	if (d->refs_ended)
		return 0;
	rc = d->ops->next_old(d->arg, &d->ref, e);
	d->have_ref = rc > 0;
	d->refs_ended = rc == 0;
	return rc;
}

/* 1: d->old_rr is the next record of the open old segment; 0: it has no more; -1. */
static int
peek_old(struct diff *d, struct zr_err *e)
{
	int rc;

	if (d->have_old_rr)
		return 1;
	rc = unpacker_next(d->old, &d->old_rr, e);
	d->have_old_rr = rc > 0;
	return rc < 0 ? stored_segment_fail(e) : rc;
}

static int
open_ref(struct diff *d, struct zr_err *e)
{
	const uint8_t *data;
	size_t len;

	d->have_ref = false;
	if (d->ops->read_old(d->arg, &d->ref, &data, &len, e) != 0)
		return -1;
	unpacker_start(d->old, data, len);
	return 0;
}

static int
open_new(struct diff *d, const struct segment *s, struct zr_err *e)
{
	const uint8_t *data = s->data;
	size_t len = s->len;

	if (data == NULL && d->ops->read_new(d->arg, s, &data, &len, e) != 0)
		return -1;
	unpacker_start(d->new, data, len);
	d->count.compared++;
	return 0;
}

/* Can the unopened segment hold a record at or before rr?  Its key tells, but for numbered ones. */
static bool
ref_may_reach(const struct diff *d, const struct rr *rr)
{
	uint8_t key[RR_KEY_MAX];
	size_t n = rr_key(rr, d->apex, key, NULL);

	if (n > SEGMENT_KEY_INNER) {
		n = SEGMENT_KEY_INNER;
		if (d->ref.key_len > n && memcmp(d->ref.key, key, n) == 0)
			return true;
	}
	return segment_key_cmp(d->ref.key, d->ref.key_len, key, n) <= 0;
}

/* 1: d->old_rr is the next old record; 0: no old record is at or before rr; -1. */
static int
seek_old(struct diff *d, const struct rr *rr, struct zr_err *e)
{
	int rc;

	while ((rc = peek_old(d, e)) == 0) {
		rc = peek_ref(d, e);
		if (rc <= 0 || !ref_may_reach(d, rr))
			return rc < 0 ? -1 : 0;
		if (open_ref(d, e) != 0)
			return -1;
	}
	return rc;
}

static int
del_old(struct diff *d, struct zr_err *e)
{
	d->have_old_rr = false;
	return put_del(d, &d->old_rr, e);
}

/* Old records before rr are deleted.  1: d->old_rr is rr; 0: it is not there; -1. */
static int
del_before(struct diff *d, const struct rr *rr, struct zr_err *e)
{
	int rc, c;

	while ((rc = seek_old(d, rr, e)) > 0) {
		c = rr_cmp(&d->old_rr, rr, d->apex);
		if (c >= 0)
			return c == 0;
		if (del_old(d, e) != 0)
			return -1;
	}
	return rc;
}

static int
compare(struct diff *d, const struct rr *rr, struct zr_err *e)
{
	int rc = del_before(d, rr, e);

	if (rc < 0)
		return -1;
	if (rc == 0)
		return put_add(d, rr, e);
	d->have_old_rr = false;
	if (rr_identical(&d->old_rr, rr))
		return 0;
	if (put_del(d, &d->old_rr, e) != 0)
		return -1;
	return put_add(d, rr, e);
}

/* 1: the next old segment is the same as s, and nothing is left before it; 0; -1. */
static int
same_segment(struct diff *d, const struct segment *s, struct zr_err *e)
{
	int rc = peek_old(d, e);

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	rc = peek_ref(d, e);
	if (rc <= 0)
		return rc;
	return segment_key_cmp(d->ref.key, d->ref.key_len, s->key, s->key_len) == 0 &&
	       memcmp(d->ref.digest, s->digest, SEGMENT_DIGEST) == 0;
}

static int
skip(struct diff *d)
{
	d->have_ref = false;
	d->count.skipped++;
	return 0;
}

/*
 * Old records before the first new one go before the segments are held against each other.  This
 * may not open the equal segment itself: opening stops at a key that is not below that of s.
 */
static int
catch_up(struct diff *d, const struct segment *s, const struct rr *first, struct zr_err *e)
{
	int rc;

	for (;;) {
		rc = peek_old(d, e);
		if (rc == 0) {
			rc = peek_ref(d, e);
			if (rc <= 0 ||
			    segment_key_cmp(d->ref.key, d->ref.key_len, s->key, s->key_len) >= 0)
				return rc < 0 ? -1 : 0;
			rc = open_ref(d, e) == 0 ? 0 : -1;
		} else if (rc > 0) {
			if (rr_cmp(&d->old_rr, first, d->apex) >= 0)
				return 0;
			rc = del_old(d, e);
		}
		if (rc < 0)
			return -1;
	}
}

int
diff_add(void *arg, const struct segment *s, struct zr_err *e)
{
	struct diff *d = arg;
	struct rr rr;
	int rc = same_segment(d, s, e);

	if (rc != 0)
		return rc < 0 ? -1 : skip(d);
	if (open_new(d, s, e) != 0)
		return -1;
	rc = unpacker_next(d->new, &rr, e);
	if (rc <= 0)
		return rc;
	if (catch_up(d, s, &rr, e) != 0)
		return -1;
	rc = same_segment(d, s, e);
	if (rc != 0)
		return rc < 0 ? -1 : skip(d);
	do {
		if (compare(d, &rr, e) != 0)
			return -1;
	} while ((rc = unpacker_next(d->new, &rr, e)) > 0);
	return rc;
}

int
diff_finish(struct diff *d, struct zr_err *e)
{
	int rc;

	for (;;) {
		rc = peek_old(d, e);
		if (rc == 0) {
			rc = peek_ref(d, e);
			if (rc <= 0)
				return rc;
			rc = open_ref(d, e);
		} else if (rc > 0) {
			rc = del_old(d, e);
		}
		if (rc < 0)
			return -1;
	}
}

const struct diff_count *
diff_count(const struct diff *d)
{
	return &d->count;
}

struct diff *
diff_new(const uint8_t *apex, const struct diff_ops *ops, void *arg)
{
	struct diff *d = zr_xcalloc(1, sizeof(*d));

	memcpy(d->apex, apex, name_len(apex));
	d->ops = ops;
	d->arg = arg;
	d->old = unpacker_new(apex);
	d->new = unpacker_new(apex);
	return d;
}

void
diff_free(struct diff *d)
{
	if (d == NULL)
		return;
	unpacker_free(d->old);
	unpacker_free(d->new);
	free(d);
}
