/* SPDX-License-Identifier: BSD-2-Clause */
#include "loader.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- streams ---- */

void
stream_add(struct stream *s, const struct rr *rr)
{
	if (s->n == s->cap) {
		s->cap = s->cap == 0 ? 256 : 2 * s->cap;
		s->v = zr_xrealloc(s->v, s->cap * sizeof(*s->v));
	}
	s->v[s->n++] = rr_dup(rr);
}

void
stream_clear(struct stream *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i]);
	free(s->v);
	*s = (struct stream){0};
}

static void
swap(struct stream *s, size_t i, size_t k)
{
	struct rr *t = s->v[i];

	s->v[i] = s->v[k];
	s->v[k] = t;
}

static void
shuffle(struct stream *s, struct gen *g, size_t from, size_t to)
{
	for (size_t i = to; i > from + 1; i--)
		swap(s, i - 1, from + rng_below(&g->rng, i - from));
}

static int
owner_cmp(const void *a, const void *b)
{
	const struct rr *const *x = a, *const *y = b;

	if ((*x)->type == TYPE_SOA || (*y)->type == TYPE_SOA)
		return ((*y)->type == TYPE_SOA) - ((*x)->type == TYPE_SOA);
	return name_cmp((*x)->owner, (*y)->owner);
}

static void
shuffle_owners(struct stream *s, struct gen *g)
{
	size_t i = 1, k;

	while (i < s->n) {
		for (k = i + 1; k < s->n && name_equal(s->v[k]->owner, s->v[i]->owner) &&
				rr_part(s->v[k]) == rr_part(s->v[i]);
		     k++)
			;
		shuffle(s, g, i, k);
		i = k;
	}
}

/* Again, and with a TTL that must lose (RFC 5936 section 2.2, X-12). */
static void
repeat(struct stream *s, struct gen *g, const struct rr *rr)
{
	struct rr *again = rr_dup(rr);

	stream_add(s, again);
	if (rng_below(&g->rng, 2) == 0) {
		again->ttl++;
		stream_add(s, again);
	}
	free(again);
}

void
stream_make(struct stream *s, struct gen *g, const struct model *m, enum stream_style style)
{
	*s = (struct stream){0};
	for (size_t i = 0; i < m->n; i++) {
		stream_add(s, m->v[i]);
		if (i > 0 && style != STREAM_SORTED && rng_below(&g->rng, 50) == 0)
			repeat(s, g, m->v[i]);
	}
	switch (style) {
	case STREAM_SORTED:
		break;
	case STREAM_MIXED:
		qsort(s->v, s->n, sizeof(struct rr *), owner_cmp);
		break;
	case STREAM_OWNERS:
		shuffle_owners(s, g);
		break;
	case STREAM_STRAY:
		for (unsigned i = 0; i < 3 && s->n > 2; i++)
			swap(s, 1 + rng_below(&g->rng, s->n - 1), 1 + rng_below(&g->rng, s->n - 1));
		break;
	case STREAM_SHUFFLED:
		shuffle(s, g, 1, s->n);
		break;
	}
}

/* ---- differences ---- */

void
script_add(struct script *s, enum diff_op op, const struct rr *rr)
{
	stream_add(&s->rr, rr);
	s->op = zr_xrealloc(s->op, s->rr.cap * sizeof(*s->op));
	s->op[s->rr.n - 1] = op;
}

void
script_clear(struct script *s)
{
	stream_clear(&s->rr);
	free(s->op);
	*s = (struct script){0};
}

/* What of `a` is not in `b` as it is; the SOA stands first by itself. */
static void
put_part(struct script *s, struct gen *g, const struct model *a, const struct model *b,
    enum diff_op soa, enum diff_op op)
{
	size_t from, at;
	bool found;

	script_add(s, soa, a->v[0]);
	from = s->rr.n;
	for (size_t i = 1; i < a->n; i++) {
		at = model_find(b, a->v[i], &found);
		if (!found || !rr_identical(b->v[at], a->v[i]))
			script_add(s, op, a->v[i]);
	}
	shuffle(&s->rr, g, from, s->rr.n);
}

void
script_step(struct script *s, struct gen *g, const struct model *from, const struct model *to)
{
	put_part(s, g, from, to, DIFF_OLD, DIFF_DEL);
	put_part(s, g, to, from, DIFF_NEW, DIFF_ADD);
}

/* ---- loading ---- */

void
load_init(struct load *l, struct bed *b, enum xfrin_kind kind)
{
	memset(l, 0, sizeof(*l));
	l->b = b;
	l->job = bed_job(b, kind);
	l->box = mbox_new();
	assert_non_null(l->box);
	stager_init(&l->stager, b->fx.s, l->box, l, b->zone, b->version + 1);
}

static void
take_mail(struct load *l)
{
	struct mail *m = mbox_wait(l->box, 10000), *next;

	if (m == NULL)
		fail_msg("the store does not answer");
	for (; m != NULL; m = next) {
		struct store_order *o = ZR_CONTAINER(m, struct store_order, mail);

		next = m->next;
		assert_int_equal(m->type, STORE_DONE);
		assert_ptr_equal(o->owner, l);
		stager_returned(&l->stager, o);
		l->posted++;
	}
}

static void
until_room(struct load *l)
{
	while (stager_full(&l->stager))
		take_mail(l);
}

static void
until_quiet(struct load *l)
{
	while (!stager_quiet(&l->stager))
		take_mail(l);
}

/* One record at a time in memory of its own, so that who keeps a pointer to it is seen. */
static int
feed(struct load *l, const struct rr *rr, int (*op)(void *, const struct rr *, struct zr_err *),
    void *arg)
{
	struct rr *own = rr_dup(rr);
	int rc = op(arg, own, &l->err);

	free(own);
	until_room(l);
	return rc;
}

static bool
stepped(struct load *l, enum load_state st)
{
	switch (st) {
	case LOAD_MORE:
		l->mores++;
		until_room(l);
		return true;
	case LOAD_WAIT:
		l->waits++;
		until_quiet(l);
		return true;
	case LOAD_DONE:
		l->ok = true;
		return false;
	case LOAD_FAIL:
		break;
	}
	assert_int_not_equal(l->err.code, ZR_OK);
	return false;
}

/* As job.c ends: what the store reported counts; whatever failed leaves nothing. */
static void
settle(struct load *l)
{
	until_quiet(l);
	if (l->ok && l->stager.err.code != ZR_OK) {
		l->ok = false;
		l->err = l->stager.err;
	}
	if (l->ok)
		return;
	if (l->abort != NULL)
		l->abort(l);
	stager_abort(&l->stager);
	until_quiet(l);
}

static void
maybe_pause(struct load *l, size_t fed)
{
	if (l->pause_after == 0 || fed != l->pause_after)
		return;
	until_quiet(l);
	l->pause(l);
}

static int
add_full(void *arg, const struct rr *rr, struct zr_err *e)
{
	return fullload_add(arg, rr, e);
}

static struct load_env
env_of(struct load *l)
{
	return (struct load_env){
	    .job = l->job,
	    .stager = &l->stager,
	    .reader = l->b->fx.r,
	    .spill_dir = l->b->fx.dir,
	    .small = l->small,
	};
}

void
load_full(struct load *l, const struct stream *s)
{
	struct load_env env = env_of(l);
	struct rr *soa = rr_dup(s->v[0]);
	struct fullload *f = fullload_new(&env, soa, &l->err);
	int rc = f == NULL ? -1 : 0;

	free(soa);
	for (size_t i = 0; rc == 0 && i < s->n; i++) {
		rc = feed(l, s->v[i], add_full, f);
		maybe_pause(l, i + 1);
	}
	if (rc == 0)
		while (stepped(l, fullload_step(f, &l->err)))
			;
	else
		assert_int_not_equal(l->err.code, ZR_OK);
	if (l->ok)
		l->result = *fullload_result(f);
	fullload_free(f);
	settle(l);
}

static int
old_soa(void *arg, const struct rr *rr, struct zr_err *e)
{
	return diffload_old(arg, rr, e);
}

static int
del(void *arg, const struct rr *rr, struct zr_err *e)
{
	return diffload_del(arg, rr, e);
}

static int
new_soa(void *arg, const struct rr *rr, struct zr_err *e)
{
	return diffload_new_soa(arg, rr, e);
}

static int
add(void *arg, const struct rr *rr, struct zr_err *e)
{
	return diffload_add(arg, rr, e);
}

void
load_diff(struct load *l, const struct script *s)
{
	static int (*const ops[])(void *, const struct rr *, struct zr_err *) = {
	    [DIFF_OLD] = old_soa, [DIFF_DEL] = del, [DIFF_NEW] = new_soa, [DIFF_ADD] = add};
	struct load_env env = env_of(l);
	struct diffload *d = diffload_new(&env);
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < s->rr.n; i++) {
		rc = feed(l, s->rr.v[i], ops[s->op[i]], d);
		maybe_pause(l, i + 1);
	}
	if (rc == 0)
		while (stepped(l, diffload_step(d, &l->err)))
			;
	else
		assert_int_not_equal(l->err.code, ZR_OK);
	if (l->ok)
		l->result = *diffload_result(d);
	diffload_free(d);
	settle(l);
}

void
load_commit(struct load *l, struct model *m, struct past *steps, size_t step_count)
{
	struct bed_commit c = {
	    .sum = l->result.sum,
	    .has_delta = l->result.has_delta,
	    .m = m,
	    .steps = steps,
	    .step_count = step_count,
	};

	if (!l->ok)
		fail_msg("not loaded: %s", l->err.text);
	assert_true(stager_quiet(&l->stager));
	assert_int_equal(l->stager.outstanding, 0);
	c.identical = l->job->stored && l->job->have &&
		      memcmp(l->job->digest, c.sum.digest, SEGMENT_DIGEST) == 0;
	c.batch = stager_take(&l->stager);
	if (c.identical) {
		assert_null(c.batch);
		assert_false(l->stager.posted);
	}
	bed_commit(l->b, &c);
}

void
load_clear(struct load *l)
{
	assert_true(stager_quiet(&l->stager));
	stager_clear(&l->stager);
	mail_free(&l->job->mail);
	mbox_free(l->box);
}
