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
#include "core/patch.h"

#include "base/mem.h"
#include "core/arena.h"
#include "core/order.h"
#include "wire/name.h"

#include <stdlib.h>
#include <string.h>

/* A reference with its key. */
struct own_ref {
	struct segref ref;
	uint8_t key[RR_KEY_MAX];
};

enum phase { IDLE, MERGE, GAP };

/* A segment open for reading, with one record peeked. */
struct reading {
	struct unpacker *u;
	struct rr rr;
	bool have_rr;
};

struct patch {
	const struct patch_ops *ops;
	void *arg, *change_arg;
	unsigned flags;
	enum phase phase;
	unsigned cost; /* segments read and written in this step */
	struct packer *packer;

	struct change change; /* the next one */
	bool have_change;
	struct arena copy[2];  /* PATCH_DEDUP: the next change and the one behind it */
	struct change waiting; /* PATCH_DEDUP: the one behind */
	bool have_waiting;
	bool source_ended;
	unsigned copy_cur; /* which arena holds `waiting` */

	struct reading in[2];
	unsigned cur;	 /* in[cur]: being merged; in[cur ^ 1]: of the next segment */
	bool ahead_open; /* in[cur ^ 1] holds the next segment */
	bool have_next;	 /* there is a next segment */
	struct own_ref next;

	/* Old segments of the region whose fate is open: of the one under construction, the last.
	 */
	struct own_ref held[2];
	unsigned held_count;

	struct version_sum sum;
	struct layout_count count;
	uint8_t apex[NAME_MAX_LEN];
};

static int
own(struct own_ref *o, const struct segref *ref, struct zr_err *e)
{
	if (ref->key_len > sizeof(o->key))
		return zr_fail(e, ZR_DB, "a stored segment has a key of %zu octets", ref->key_len);
	o->ref = *ref;
	o->ref.key = o->key;
	memmove(o->key, ref->key, ref->key_len);
	return 0;
}

static void
copy_ref(struct own_ref *to, const struct own_ref *from)
{
	*to = *from;
	to->ref.key = to->key;
}

/* ---- old segments leave, new ones come ---- */

static int
drop_held(struct patch *p, unsigned at)
{
	p->held_count--;
	if (at == 0)
		copy_ref(&p->held[0], &p->held[1]);
	return 0;
}

static int
kill_held(struct patch *p, unsigned at, struct zr_err *e)
{
	const struct segref *ref = &p->held[at].ref;

	version_sum_sub(&p->sum, ref->digest, ref->rrs, ref->len);
	p->count.killed++;
	if (p->ops->kill(p->arg, ref, e) != 0)
		return -1;
	return drop_held(p, at);
}

static int
kill_all(struct patch *p, struct zr_err *e)
{
	while (p->held_count > 0) {
		if (kill_held(p, 0, e) != 0)
			return -1;
	}
	return 0;
}

static int
on_segment(void *arg, const struct segment *s, struct zr_err *e)
{
	struct patch *p = arg;
	const struct segref *ref = &p->held[0].ref;
	int c;

	p->cost++;
	while (p->held_count > 0) {
		c = segment_key_cmp(ref->key, ref->key_len, s->key, s->key_len);
		if (c > 0)
			break;
		if (c == 0 && memcmp(ref->digest, s->digest, SEGMENT_DIGEST) == 0) {
			p->count.kept++;
			return drop_held(p, 0);
		}
		if (kill_held(p, 0, e) != 0)
			return -1;
	}
	version_sum_add(&p->sum, s->digest, s->rrs, s->len);
	p->count.written++;
	return p->ops->write(p->arg, s, e);
}

/*
 * A segment joins the region.  What will still be written begins either where the segment under
 * construction does or inside the one that joins, so of those held before only the
 * former can come back unchanged.
 */
static int
hold(struct patch *p, const struct own_ref *ref, struct zr_err *e)
{
	size_t len;
	const uint8_t *key = packer_key(p->packer, &len);
	const struct segref *h;

	for (unsigned i = p->held_count; i-- > 0;) {
		h = &p->held[i].ref;
		if (segment_key_cmp(h->key, h->key_len, key, len) != 0 && kill_held(p, i, e) != 0)
			return -1;
	}
	copy_ref(&p->held[p->held_count++], ref);
	return 0;
}

/* ---- changes ---- */

static int
copy_change(struct patch *p, struct change *out, const struct change *c, struct zr_err *e)
{
	struct arena *a = &p->copy[p->copy_cur ^= 1];

	arena_reset(a);
	out->op = c->op;
	if (!arena_rr(a, &out->rr, &c->rr, NULL))
		return zr_fail(e, ZR_NOMEM, "no memory for a record");
	return 1;
}

/* next_change() is not called again after its end. */
static int
pull_change(struct patch *p, struct change *out, struct zr_err *e)
{
	int rc = p->source_ended ? 0 : p->ops->next_change(p->change_arg, out, e);

	p->source_ended |= rc == 0;
	return rc;
}

/* The next change without the duplicates behind it.  1, 0, -1. */
static int
next_unique(struct patch *p, struct zr_err *e)
{
	struct change c;
	int rc = 1;

	if (!p->have_waiting) {
		rc = pull_change(p, &c, e);
		if (rc > 0)
			rc = copy_change(p, &p->waiting, &c, e);
		if (rc <= 0)
			return rc;
	}
	p->change = p->waiting;
	p->have_waiting = false;
	while ((rc = pull_change(p, &c, e)) > 0) {
		if (!rr_same(&c.rr, &p->change.rr)) {
			rc = copy_change(p, &p->waiting, &c, e);
			p->have_waiting = rc > 0;
			break;
		}
		if (!order_prefer(&p->change.rr, &c.rr)) {
			/* Its copy may go: it is the one replaced. */
			p->copy_cur ^= 1;
			if (copy_change(p, &p->change, &c, e) < 0)
				return -1;
		}
	}
	return rc < 0 ? -1 : 1;
}

/* 1: p->change is the next change; 0: there is none; -1. */
static int
peek_change(struct patch *p, struct zr_err *e)
{
	int rc;

	if (p->have_change)
		return 1;
	if (p->flags & PATCH_DEDUP)
		rc = next_unique(p, e);
	else
		rc = pull_change(p, &p->change, e);
	p->have_change = rc > 0;
	return rc;
}

static int
misfit(const struct change *c, const char *what, struct zr_err *e)
{
	char name[NAME_TEXT_MAX], type[16];

	return zr_fail(e, ZR_DIFF, "%.100s %s %s", name_show(c->rr.owner, name),
	    rr_type_text(c->rr.type, type), what);
}

static int
removed(struct patch *p, const struct rr *rr, struct zr_err *e)
{
	return p->ops->removed == NULL ? 0 : p->ops->removed(p->arg, rr, e);
}

static int
add(struct patch *p, const struct rr *rr, struct zr_err *e)
{
	if (p->ops->added != NULL && p->ops->added(p->arg, rr, e) != 0)
		return -1;
	return packer_add(p->packer, rr, e);
}

/* The next change is about a record that the version does not hold. */
static int
change_absent(struct patch *p, struct zr_err *e)
{
	p->have_change = false;
	switch (p->change.op) {
	case CHANGE_ADD:
		return add(p, &p->change.rr, e);
	case CHANGE_ABSENT:
		return 0;
	case CHANGE_DEL:
	case CHANGE_REPLACE:
		break;
	}
	return misfit(&p->change, "is to be deleted but not there", e);
}

/* The next change is about this record of the version. */
static int
change_present(struct patch *p, const struct rr *rr, struct zr_err *e)
{
	const struct change *c = &p->change;

	p->have_change = false;
	switch (c->op) {
	case CHANGE_DEL:
		return removed(p, rr, e);
	case CHANGE_REPLACE:
		return removed(p, rr, e) != 0 ? -1 : add(p, &c->rr, e);
	case CHANGE_ADD:
		if (p->flags & PATCH_DEDUP)
			return packer_add(p->packer, order_prefer(rr, &c->rr) ? rr : &c->rr, e);
		if ((p->flags & PATCH_READD) != 0 && rr->ttl == c->rr.ttl)
			return packer_add(p->packer, rr, e);
		break;
	case CHANGE_ABSENT: /* added again, then deleted */
		if (p->flags & PATCH_READD)
			return removed(p, rr, e);
		break;
	}
	return misfit(c, "is to be added but there already", e);
}

/* ---- reading old segments ---- */

/* 1: r->rr is the next record; 0: no more; -1. */
static int
peek_rr(struct reading *r, struct zr_err *e)
{
	int rc;

	if (r->have_rr)
		return 1;
	rc = unpacker_next(r->u, &r->rr, e);
	r->have_rr = rc > 0;
	return rc < 0 ? stored_segment_fail(e) : rc;
}

/* Opens a segment; its first record is peeked. */
static int
open_segment(struct patch *p, struct reading *r, const struct segref *ref, struct zr_err *e)
{
	const uint8_t *data;
	size_t len;
	int rc;

	p->cost++;
	if (p->ops->read(p->arg, ref, &data, &len, e) != 0)
		return -1;
	unpacker_start(r->u, data, len);
	r->have_rr = false;
	rc = peek_rr(r, e);
	if (rc == 0)
		return zr_fail(e, ZR_DB, "a stored segment is empty");
	return rc < 0 ? -1 : 0;
}

static int
fetch_next(struct patch *p, const struct segref *behind, struct zr_err *e)
{
	struct segref ref;
	int rc = p->ops->next(p->arg, behind, &ref, e);

	p->ahead_open = false;
	p->have_next = rc > 0;
	if (rc > 0 && own(&p->next, &ref, e) != 0)
		return -1;
	return rc < 0 ? -1 : 0;
}

static int
open_ahead(struct patch *p, struct zr_err *e)
{
	if (p->ahead_open || !p->have_next)
		return 0;
	if (open_segment(p, &p->in[p->cur ^ 1], &p->next.ref, e) != 0)
		return -1;
	p->ahead_open = true;
	return 0;
}

/* The next segment, open already, becomes the one being merged. */
static int
pull_next(struct patch *p, struct zr_err *e)
{
	struct own_ref now;

	copy_ref(&now, &p->next);
	if (hold(p, &now, e) != 0)
		return -1;
	p->cur ^= 1;
	p->phase = MERGE;
	return fetch_next(p, &now.ref, e);
}

/* ---- where a region begins ---- */

/* The last segment that begins at or before the change, into p->next.  1, 0: there is none, -1. */
static int
find_start(struct patch *p, struct zr_err *e)
{
	uint8_t key[RR_KEY_MAX];
	size_t n = rr_key(&p->change.rr, p->apex, key, NULL);
	bool cut = n >= SEGMENT_KEY_INNER;
	struct segref ref;
	struct own_ref last;
	int rc;

	if (cut)
		n = SEGMENT_KEY_INNER;
	rc = p->ops->at(p->arg, key, n, &ref, e);
	if (rc <= 0)
		return rc;
	if (own(&p->next, &ref, e) != 0)
		return -1;
	/* Numbered segments of one key: only their records tell which. */
	while (cut) {
		copy_ref(&last, &p->next);
		if (fetch_next(p, &last.ref, e) != 0)
			return -1;
		cut = p->have_next && p->next.ref.key_len > n && memcmp(p->next.key, key, n) == 0;
		if (cut && open_ahead(p, e) != 0)
			return -1;
		if (!cut || rr_cmp(&p->change.rr, &p->in[p->cur ^ 1].rr, p->apex) < 0) {
			copy_ref(&p->next, &last);
			break;
		}
	}
	p->have_next = true;
	p->ahead_open = false;
	return 1;
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
	if (own(&prev, &ref, e) != 0 || open_segment(p, &p->in[p->cur], &prev.ref, e) != 0)
		return -1;
	packer_resume(p->packer, prev.key, prev.ref.key_len);
	p->phase = MERGE;
	return hold(p, &prev, e);
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
		return fetch_next(p, &none, e) == 0 ? open_ahead(p, e) : -1;
	}
	if (open_ahead(p, e) != 0)
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
	int rc = peek_rr(in, e), c = 1;

	if (rc <= 0) {
		p->phase = GAP;
		return rc < 0 ? -1 : open_ahead(p, e);
	}
	rc = peek_change(p, e);
	if (rc < 0)
		return -1;
	if (rc > 0)
		c = rr_cmp(&p->change.rr, &in->rr, p->apex);
	if (c < 0)
		return change_absent(p, e);
	in->have_rr = false;
	return c == 0 ? change_present(p, &in->rr, e) : packer_add(p->packer, &in->rr, e);
}

static int
end_region(struct patch *p, struct zr_err *e)
{
	p->phase = IDLE;
	if (packer_flush(p->packer, e) != 0)
		return -1;
	return kill_all(p, e);
}

static bool
cut_is_here(struct patch *p)
{
	uint8_t key[RR_KEY_MAX];
	size_t n;

	return packer_would_cut(p->packer, &p->in[p->cur ^ 1].rr, key, &n) &&
	       segment_key_cmp(key, n, p->next.key, p->next.ref.key_len) == 0;
}

/* All of the segment is merged; the next one is open if there is one. */
static int
gap_one(struct patch *p, struct zr_err *e)
{
	int rc = peek_change(p, e), c = 1;

	if (rc < 0)
		return -1;
	if (!p->have_next)
		return rc > 0 ? change_absent(p, e) : end_region(p, e);
	if (rc > 0)
		c = rr_cmp(&p->change.rr, &p->in[p->cur ^ 1].rr, p->apex);
	if (c < 0)
		return change_absent(p, e);
	if (c > 0 && cut_is_here(p))
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
			rc = peek_change(p, e);
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
	p->packer = packer_new(apex, on_segment, p);
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
