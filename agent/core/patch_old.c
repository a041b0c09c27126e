/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/patch_p.h"

#include <string.h>

int
patch_own(struct own_ref *o, const struct segref *ref, struct zr_err *e)
{
	if (ref->key_len > sizeof(o->key))
		return zr_fail(e, ZR_DB, "a stored segment has a key of %zu octets", ref->key_len);
	o->ref = *ref;
	o->ref.key = o->key;
	memmove(o->key, ref->key, ref->key_len);
	return 0;
}

void
patch_copy_ref(struct own_ref *to, const struct own_ref *from)
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
		patch_copy_ref(&p->held[0], &p->held[1]);
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

int
patch_kill_all(struct patch *p, struct zr_err *e)
{
	while (p->held_count > 0) {
		if (kill_held(p, 0, e) != 0)
			return -1;
	}
	return 0;
}

int
patch_segment(void *arg, const struct segment *s, struct zr_err *e)
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
int
patch_hold(struct patch *p, const struct own_ref *ref, struct zr_err *e)
{
	size_t len;
	const uint8_t *key = packer_key(p->packer, &len);
	const struct segref *h;

	for (unsigned i = p->held_count; i-- > 0;) {
		h = &p->held[i].ref;
		if (segment_key_cmp(h->key, h->key_len, key, len) != 0 && kill_held(p, i, e) != 0)
			return -1;
	}
	patch_copy_ref(&p->held[p->held_count++], ref);
	return 0;
}

/* ---- reading old segments ---- */

/* 1: r->rr is the next record; 0: no more; -1. */
int
patch_peek_rr(struct reading *r, struct zr_err *e)
{
	int rc;

	if (r->have_rr)
		return 1;
	rc = unpacker_next(r->u, &r->rr, e);
	r->have_rr = rc > 0;
	return rc < 0 ? stored_segment_fail(e) : rc;
}

/* Opens a segment; its first record is peeked. */
int
patch_open(struct patch *p, struct reading *r, const struct segref *ref, struct zr_err *e)
{
	const uint8_t *data;
	size_t len;
	int rc;

	p->cost++;
	if (p->ops->read(p->arg, ref, &data, &len, e) != 0)
		return -1;
	unpacker_start(r->u, data, len);
	r->have_rr = false;
	rc = patch_peek_rr(r, e);
	if (rc == 0)
		return zr_fail(e, ZR_DB, "a stored segment is empty");
	return rc < 0 ? -1 : 0;
}

int
patch_fetch_next(struct patch *p, const struct segref *behind, struct zr_err *e)
{
	struct segref ref;
	int rc = p->ops->next(p->arg, behind, &ref, e);

	p->ahead_open = false;
	p->have_next = rc > 0;
	if (rc > 0 && patch_own(&p->next, &ref, e) != 0)
		return -1;
	return rc < 0 ? -1 : 0;
}

int
patch_open_ahead(struct patch *p, struct zr_err *e)
{
	if (p->ahead_open || !p->have_next)
		return 0;
	if (patch_open(p, &p->in[p->cur ^ 1], &p->next.ref, e) != 0)
		return -1;
	p->ahead_open = true;
	return 0;
}
