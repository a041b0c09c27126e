/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A region is a run of old segments that is packed anew:
 *
 *          change            change <= first record of the next segment: pull it in
 *             |                |
 *    IDLE -> MERGE -(no more)-> GAP -> the packer cuts just here and would give the same key:
 *     ^                         |      the region ends, everything behind stays as it is
 *     +-------------------------+
 *
 * Why this gives the layout of packing from the beginning: a cut depends only on the records since
 * the cut before and on the record behind it.  Everything before the region is untouched, and so
 * is the cut at its beginning, provided that the first record there is: when a change falls on it
 * or before it, the region begins one segment earlier.
 */
#include "core/patch_p.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* The next segment, open already, becomes the one being merged. */
static int
pull_next(struct patch *p, struct zr_err *e)
{
	struct own_ref now;

	patch_copy_ref(&now, &p->next);
	if (patch_hold(p, &now, e) != 0)
		return -1;
	p->cur ^= 1;
	p->phase = MERGE;
	return patch_fetch_next(p, &now.ref, e);
}

/* ---- where a region begins ---- */

/*
 * The last segment that begins at or before the change, into p->next; in a run of numbered segments
 * the one that its first begins behind, see in_run().  1, 0: there is none, -1.
 */
static int
find_start(struct patch *p, struct zr_err *e)
{
	uint8_t key[RR_KEY_MAX];
	size_t n = rr_key(&p->change.rr, p->apex, key, NULL);
	struct segref ref;
	int rc;

	if (n > SEGMENT_KEY_INNER)
		n = SEGMENT_KEY_INNER;
	rc = p->ops->at(p->arg, key, n, &ref, e);
	if (rc <= 0)
		return rc;
	p->have_next = true;
	p->ahead_open = false;
	return patch_own(&p->next, &ref, e) == 0 ? 1 : -1;
}

/* p->next is open and the change falls on its first record or before it: begin one earlier. */
static int
start_before(struct patch *p, struct zr_err *e)
{
	struct segref ref;
	struct own_ref prev;
	int rc = p->ops->prev(p->arg, &p->next.ref, &ref, e);

	if (rc < 0)
		return -1;
	p->phase = GAP;
	if (rc == 0)
		return 0; /* the very first: its key follows from its first record */
	if (patch_own(&prev, &ref, e) != 0 || patch_open(p, &p->in[p->cur], &prev.ref, e) != 0)
		return -1;
	packer_resume(p->packer, prev.key, prev.ref.key_len);
	p->phase = MERGE;
	return patch_hold(p, &prev, e);
}

static int
start_region(struct patch *p, struct zr_err *e)
{
	static const struct segref none = {.key = (const uint8_t *)""};
	int rc = find_start(p, e);

	if (rc < 0)
		return -1;
	p->in[p->cur].have_rr = false;
	if (rc == 0) { /* before the first segment, or there is none */
		p->phase = GAP;
		return patch_fetch_next(p, &none, e);
	}
	if (patch_open_ahead(p, e) != 0)
		return -1;
	if (rr_cmp(&p->change.rr, &p->in[p->cur ^ 1].rr, p->apex) <= 0)
		return start_before(p, e);
	packer_resume(p->packer, p->next.key, p->next.ref.key_len);
	return pull_next(p, e);
}

/* ---- the merge ---- */

static int
merge_one(struct patch *p, struct zr_err *e)
{
	struct reading *in = &p->in[p->cur];
	int rc = patch_peek_rr(in, e), c = 1;

	if (rc <= 0) {
		p->phase = GAP;
		return rc;
	}
	rc = patch_peek_change(p, e);
	if (rc < 0)
		return -1;
	if (rc > 0)
		c = rr_cmp(&p->change.rr, &in->rr, p->apex);
	if (c < 0)
		return patch_absent(p, e);
	in->have_rr = false;
	return c == 0 ? patch_present(p, &in->rr, e) : packer_add(p->packer, &in->rr, e);
}

static int
end_region(struct patch *p, struct zr_err *e)
{
	p->phase = IDLE;
	if (packer_flush(p->packer, e) != 0)
		return -1;
	return patch_kill_all(p, e);
}

static bool
cut_is_here(struct patch *p)
{
	uint8_t key[RR_KEY_MAX];
	size_t n;

	return packer_would_cut(p->packer, &p->in[p->cur ^ 1].rr, key, &n) &&
	       segment_key_cmp(key, n, p->next.key, p->next.ref.key_len) == 0;
}

/*
 * Is the next segment a numbered one whose number alone tells whether the change comes before it?
 * Keys cannot lead to the place, so the region goes on until the merge gets there.
 */
static bool
in_run(const struct patch *p)
{
	uint8_t key[RR_KEY_MAX];

	return p->have_change && p->next.ref.key_len > SEGMENT_KEY_INNER &&
	       rr_key(&p->change.rr, p->apex, key, NULL) >= SEGMENT_KEY_INNER &&
	       memcmp(key, p->next.key, SEGMENT_KEY_INNER) == 0;
}

/* Part and owner and nothing behind: labels end with a zero octet, which stands in none of them. */
static bool
is_owner_key(const uint8_t *key, size_t len)
{
	for (size_t i = 1; i < len; i++) {
		if (key[i] == 0)
			return i + 1 == len;
		while (i < len && key[i] != 0)
			i++;
	}
	return false;
}

/*
 * Most regions end behind one segment, and the key of the next one is enough to see it: then its
 * octets need not be read.  > 0: the region ends here; < 0: the change comes before it; 0: look.
 */
static int
judge_by_key(struct patch *p)
{
	const struct segref *next = &p->next.ref;
	uint8_t key[RR_KEY_MAX];
	int c = 1;

	if (!is_owner_key(next->key, next->key_len))
		return 0;
	if (p->have_change)
		c = segment_key_cmp(
		    key, rr_key_owner(&p->change.rr, p->apex, key), next->key, next->key_len);
	if (c > 0 && !packer_would_cut_at(p->packer, next->key, next->key_len))
		c = 0;
	return c;
}

/* All of the segment is merged. */
static int
gap_one(struct patch *p, struct zr_err *e)
{
	int rc = patch_peek_change(p, e), c;

	if (rc < 0)
		return -1;
	if (!p->have_next)
		return rc > 0 ? patch_absent(p, e) : end_region(p, e);
	c = p->ahead_open ? 0 : judge_by_key(p);
	if (c != 0)
		return c < 0 ? patch_absent(p, e) : end_region(p, e);
	if (patch_open_ahead(p, e) != 0)
		return -1;
	c = 1;
	if (rc > 0)
		c = rr_cmp(&p->change.rr, &p->in[p->cur ^ 1].rr, p->apex);
	if (c < 0)
		return patch_absent(p, e);
	if (c > 0 && !in_run(p) && cut_is_here(p))
		return end_region(p, e);
	return pull_next(p, e);
}

enum patch_state
patch_step(struct patch *p, unsigned budget, struct zr_err *e)
{
	int rc;

	p->cost = 0;
	do {
		switch (p->phase) {
		case IDLE:
			rc = patch_peek_change(p, e);
			if (rc == 0)
				return PATCH_DONE;
			if (rc > 0)
				rc = start_region(p, e);
			break;
		case MERGE:
			rc = merge_one(p, e);
			break;
		case GAP:
		default:
			rc = gap_one(p, e);
			break;
		}
		if (rc < 0)
			return PATCH_FAIL;
	} while (p->cost <= budget);
	return PATCH_MORE;
}

const struct version_sum *
patch_sum(const struct patch *p)
{
	return &p->sum;
}

const struct layout_count *
patch_count(const struct patch *p)
{
	return &p->count;
}

struct patch *
patch_new(const uint8_t *apex, const struct patch_ops *ops, void *arg, void *change_arg,
    const struct version_sum *base, unsigned flags)
{
	struct patch *p = zr_xcalloc(1, sizeof(*p));

	memcpy(p->apex, apex, name_len(apex));
	p->ops = ops;
	p->arg = arg;
	p->change_arg = change_arg;
	p->flags = flags;
	if (base != NULL)
		p->sum = *base;
	p->packer = packer_new(apex, patch_segment, p);
	p->in[0].u = unpacker_new(apex);
	p->in[1].u = unpacker_new(apex);
	return p;
}

void
patch_free(struct patch *p)
{
	if (p == NULL)
		return;
	packer_free(p->packer);
	unpacker_free(p->in[0].u);
	unpacker_free(p->in[1].u);
	arena_clear(&p->copy[0]);
	arena_clear(&p->copy[1]);
	free(p);
}
