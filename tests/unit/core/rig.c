/* SPDX-License-Identifier: BSD-2-Clause */
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void
stored_ref(const struct stored *s, struct segref *out)
{
	*out = (struct segref){.id = s->id,
	    .key = s->key,
	    .key_len = s->key_len,
	    .rrs = s->rrs,
	    .len = (uint32_t)s->len};
	memcpy(out->digest, s->digest, SEGMENT_DIGEST);
}

struct version_sum
stored_sum(const struct stored_list *l)
{
	struct version_sum sum = {0};

	for (size_t i = 0; i < l->n; i++)
		version_sum_add(&sum, l->v[i].digest, l->v[i].rrs, l->v[i].len);
	return sum;
}

static bool
fails(struct rig *r, struct zr_err *e)
{
	if (r->fail_after == 0 || --r->fail_after > 0)
		return false;
	zr_fail(e, ZR_DB, "made to fail");
	return true;
}

static int
give(const struct stored_list *l, size_t at, struct segref *out)
{
	if (at >= l->n)
		return 0;
	stored_ref(&l->v[at], out);
	return 1;
}

static int
rig_at(void *arg, const uint8_t *key, size_t len, struct segref *out, struct zr_err *e)
{
	struct rig *r = arg;

	if (fails(r, e))
		return -1;
	return give(&r->base, stored_at(&r->base, key, len), out);
}

static int
rig_next(void *arg, const struct segref *ref, struct segref *out, struct zr_err *e)
{
	struct rig *r = arg;
	const struct stored_list *l = &r->base;
	size_t at = stored_at(l, ref->key, ref->key_len);

	if (fails(r, e))
		return -1;
	return give(l, ref->key_len == 0 || at == l->n ? 0 : at + 1, out);
}

static int
rig_prev(void *arg, const struct segref *ref, struct segref *out, struct zr_err *e)
{
	struct rig *r = arg;
	const struct stored_list *l = &r->base;
	size_t at = stored_at(l, ref->key, ref->key_len);

	if (fails(r, e))
		return -1;
	assert_true(at < l->n);
	assert_int_equal(l->v[at].key_len, ref->key_len); /* it is still there */
	return give(l, at == 0 ? l->n : at - 1, out);
}

static int
rig_read(void *arg, const struct segref *ref, const uint8_t **data, size_t *len, struct zr_err *e)
{
	struct rig *r = arg;
	const struct stored_list *l = &r->base;

	if (fails(r, e))
		return -1;
	for (size_t i = 0; i < l->n; i++) {
		if (l->v[i].id != ref->id)
			continue;
		assert_memory_equal(l->v[i].key, ref->key, ref->key_len);
		*data = l->v[i].data;
		*len = l->v[i].len;
		return 0;
	}
	return zr_fail(e, ZR_NOTFOUND, "no segment %d", (int)ref->id);
}

static int
rig_write(void *arg, const struct segment *s, struct zr_err *e)
{
	struct rig *r = arg;
	size_t at = stored_at(&r->now, s->key, s->key_len);

	if (fails(r, e))
		return -1;
	/* The key must be free, unless it is a numbered one. */
	if (at < r->now.n && s->key_len < RR_KEY_MAX)
		assert_true(r->now.v[at].key_len != s->key_len ||
			    memcmp(r->now.v[at].key, s->key, s->key_len) != 0);
	stored_insert(&r->now, s);
	r->written++;
	return 0;
}

static int
rig_kill(void *arg, const struct segref *ref, struct zr_err *e)
{
	struct rig *r = arg;

	if (fails(r, e))
		return -1;
	assert_true(stored_remove(&r->now, ref->id));
	r->killed++;
	return 0;
}

static int
rig_removed(void *arg, const struct rr *rr, struct zr_err *e)
{
	struct rig *r = arg;
	bool found;
	size_t at;

	if (fails(r, e))
		return -1;
	if (r->track == NULL)
		return 0;
	at = model_find(r->track, rr, &found);
	assert_true(found);
	assert_true(rr_identical(r->track->v[at], rr)); /* as it was stored */
	model_del(r->track, rr);
	return 0;
}

static int
rig_added(void *arg, const struct rr *rr, struct zr_err *e)
{
	struct rig *r = arg;

	if (fails(r, e))
		return -1;
	if (r->track != NULL)
		assert_false(model_put(r->track, rr));
	return 0;
}

const struct patch_ops rig_patch_ops = {
    .next_change = changes_next,
    .at = rig_at,
    .next = rig_next,
    .prev = rig_prev,
    .read = rig_read,
    .write = rig_write,
    .kill = rig_kill,
    .removed = rig_removed,
    .added = rig_added,
};

struct patch_ops
rig_patch_ops_with(change_next next_change)
{
	struct patch_ops ops = rig_patch_ops;

	ops.next_change = next_change;
	return ops;
}

void
rig_load(struct rig *r, const struct model *m)
{
	stored_pack(&r->base, m);
	stored_copy(&r->now, &r->base);
}

void
rig_commit(struct rig *r)
{
	stored_clear(&r->base);
	stored_copy(&r->base, &r->now);
}

void
rig_clear(struct rig *r)
{
	stored_clear(&r->base);
	stored_clear(&r->now);
}

enum patch_state
rig_run(struct patch *p, unsigned budget, struct zr_err *e)
{
	enum patch_state s;

	while ((s = patch_step(p, budget, e)) == PATCH_MORE)
		;
	return s;
}

/* ---- differences ---- */

struct diff_rig {
	const struct stored_list *old;
	const struct stored_list *new;
	size_t next_old;
	struct model *m;
	struct rr *last_del, *last_add;
	bool fits;
};

static int
diff_next_old(void *arg, struct segref *out, struct zr_err *e)
{
	struct diff_rig *d = arg;

	(void)e;
	return give(d->old, d->next_old++, out);
}

static int
diff_read_old(
    void *arg, const struct segref *ref, const uint8_t **data, size_t *len, struct zr_err *e)
{
	struct diff_rig *d = arg;

	for (size_t i = 0; i < d->old->n; i++) {
		if (d->old->v[i].id == ref->id) {
			*data = d->old->v[i].data;
			*len = d->old->v[i].len;
			return 0;
		}
	}
	return zr_fail(e, ZR_NOTFOUND, "no such segment");
}

static int
diff_read_new(
    void *arg, const struct segment *s, const uint8_t **data, size_t *len, struct zr_err *e)
{
	struct diff_rig *d = arg;
	const struct stored *t = &d->new->v[stored_at(d->new, s->key, s->key_len)];

	(void)e;
	*data = t->data;
	*len = t->len;
	return 0;
}

/* Both runs come in zone order without duplicates. */
static bool
follows(struct diff_rig *d, struct rr **last, const struct rr *rr)
{
	bool ok = *last == NULL || rr_cmp(*last, rr, d->m->apex) < 0;

	free(*last);
	*last = rr_dup(rr);
	return ok;
}

static int
diff_del(void *arg, const struct rr *rr, struct zr_err *e)
{
	struct diff_rig *d = arg;
	bool found;
	size_t at = model_find(d->m, rr, &found);

	(void)e;
	d->fits &= found && rr_identical(d->m->v[at], rr) && follows(d, &d->last_del, rr);
	model_del(d->m, rr);
	return 0;
}

static int
diff_put(void *arg, const struct rr *rr, struct zr_err *e)
{
	struct diff_rig *d = arg;

	(void)e;
	d->fits &= !model_put(d->m, rr) && follows(d, &d->last_add, rr);
	return 0;
}

bool
rig_diff(const struct stored_list *old, const struct stored_list *new, struct model *m,
    struct diff_count *count)
{
	static const struct diff_ops ops = {.next_old = diff_next_old,
	    .read_old = diff_read_old,
	    .read_new = diff_read_new,
	    .del = diff_del,
	    .add = diff_put};
	struct diff_rig rig = {.old = old, .new = new, .m = m, .fits = true};
	struct diff *d = diff_new(m->apex, &ops, &rig);
	struct segment s;

	for (size_t i = 0; i < new->n; i++) {
		s = (struct segment){
		    .key = new->v[i].key, .key_len = new->v[i].key_len, .rrs = new->v[i].rrs};
		if (i % 2 == 0) { /* the others are asked for with read_new() */
			s.data = new->v[i].data;
			s.len = new->v[i].len;
		}
		memcpy(s.digest, new->v[i].digest, SEGMENT_DIGEST);
		assert_int_equal(diff_add(d, &s, NULL), 0);
	}
	assert_int_equal(diff_finish(d, NULL), 0);
	*count = *diff_count(d);
	diff_free(d);
	free(rig.last_del);
	free(rig.last_add);
	return rig.fits;
}
