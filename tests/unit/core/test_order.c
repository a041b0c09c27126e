/* SPDX-License-Identifier: BSD-2-Clause */
/* Whatever order a zone arrives in, the same segments come of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/order.h"
#include "core/sort.h"
#include "rig.h"

static struct gen g;

/* A spill in memory: records in order of arrival, and the keys they came with. */
struct spilled {
	struct rr *rr;
	uint8_t key[RR_KEY_MAX];
	size_t key_len;
};

struct way {
	struct model *m; /* for its apex */
	struct packer *packer;
	struct stored_list out;
	struct spilled **spill;
	size_t n, cap, next;
	uint64_t emitted;
};

static int
on_emit(void *arg, const struct rr *rr, struct zr_err *e)
{
	struct way *w = arg;

	w->emitted++;
	return packer_add(w->packer, rr, e);
}

static int
on_spill(void *arg, const uint8_t *key, size_t n, const struct rr *rr, struct zr_err *e)
{
	struct way *w = arg;
	struct spilled *s = zr_xcalloc(1, sizeof(*s));
	uint8_t want[RR_KEY_MAX];

	(void)e;
	assert_int_equal(rr_key(rr, w->m->apex, want, NULL), n);
	assert_memory_equal(key, want, n);
	s->rr = rr_dup(rr);
	memcpy(s->key, key, n);
	s->key_len = n;
	if (w->n == w->cap) {
		w->cap = w->cap == 0 ? 64 : 2 * w->cap;
		w->spill = zr_xrealloc(w->spill, w->cap * sizeof(struct spilled *));
	}
	w->spill[w->n++] = s;
	return 0;
}

static const struct order_ops ops = {.emit = on_emit, .spill = on_spill};

/* As the store sorts: by key, then by RDATA. */
static int
spill_cmp(const void *va, const void *vb)
{
	const struct spilled *a = *(struct spilled *const *)va, *b = *(struct spilled *const *)vb;
	int c = segment_key_cmp(a->key, a->key_len, b->key, b->key_len);

	return c != 0 ? c : segment_key_cmp(a->rr->rdata, a->rr->rdlen, b->rr->rdata, b->rr->rdlen);
}

static void
sort_spill(struct way *w)
{
	if (w->n > 0)
		qsort(w->spill, w->n, sizeof(struct spilled *), spill_cmp);
	w->next = 0;
}

static int
next_spilled(void *arg, struct change *out, struct zr_err *e)
{
	struct way *w = arg;

	(void)e;
	assert_true(w->next <= w->n); /* not called again after its end */
	if (w->next++ >= w->n)
		return 0;
	out->op = CHANGE_ADD;
	out->rr = *w->spill[w->next - 1]->rr;
	return 1;
}

/* The spill merged onto the segments that came of the rest. */
static void
merge(struct way *w)
{
	struct patch_ops patch_ops = rig_patch_ops_with(next_spilled);
	struct rig rig = {0};
	struct version_sum sum = stored_sum(&w->out);
	struct patch *p;
	struct zr_err e = {0};

	stored_copy(&rig.base, &w->out);
	stored_copy(&rig.now, &w->out);
	p = patch_new(w->m->apex, &patch_ops, &rig, w, &sum, PATCH_DEDUP);
	if (rig_run(p, 7, &e) != PATCH_DONE)
		fail_msg("merge: %s", e.text);
	sum = stored_sum(&rig.now);
	assert_memory_equal(&sum, patch_sum(p), sizeof(sum));
	patch_free(p);
	stored_clear(&w->out);
	stored_copy(&w->out, &rig.now);
	rig_clear(&rig);
}

static void
append(struct way *w, struct order *o)
{
	for (size_t i = 0; i < w->n; i++)
		assert_int_equal(order_append(o, w->spill[i]->rr, NULL), 0);
	assert_int_equal(order_append_finish(o, NULL), 0);
}

static enum order_end
send(struct way *w, struct rr *const *v, size_t n, size_t group_max)
{
	struct order *o = order_new(w->m->apex, group_max, &ops, w);
	enum order_end end;
	struct zr_err e = {0};
	bool must;

	w->packer = packer_new(w->m->apex, stored_sink, &w->out);
	for (size_t i = 0; i < n; i++) {
		if (order_add(o, v[i], &e) != 0)
			fail_msg("record %zu: %s", i, e.text);
	}
	must = order_must_merge(o);
	assert_int_equal(order_finish(o, &end, &e), 0);
	assert_true(!must || end == ORDER_MERGE);
	assert_int_equal(order_spilled(o), w->n);
	assert_int_equal(w->n == 0, end == ORDER_DONE);
	sort_spill(w);
	if (end == ORDER_APPEND)
		append(w, o);
	assert_int_equal(packer_flush(w->packer, NULL), 0);
	packer_free(w->packer);
	if (end == ORDER_MERGE)
		merge(w);
	order_free(o);
	return end;
}

static void
way_clear(struct way *w)
{
	for (size_t i = 0; i < w->n; i++) {
		free(w->spill[i]->rr);
		free(w->spill[i]);
	}
	free(w->spill);
	stored_clear(&w->out);
}

static enum order_end
arrive(struct model *m, struct rr *const *v, size_t n, size_t group_max, uint64_t *spilled)
{
	struct way w = {.m = m};
	struct stored_list want = {0};
	enum order_end end = send(&w, v, n, group_max);
	const char *what;

	stored_pack(&want, m);
	what = stored_differ(&w.out, &want);
	if (what != NULL)
		fail_msg("layouts differ in %s", what);
	if (spilled != NULL)
		*spilled = w.n;
	stored_clear(&want);
	way_clear(&w);
	return end;
}

static void
zone(struct model *m, uint64_t seed, unsigned records, unsigned nsec3)
{
	struct rr rr;

	gen_init(&g, seed);
	g.odd = seed % 2 == 0;
	g.nsec3 = nsec3;
	g.owners = 300;
	model_init(m, "example.");
	gen_soa(&g, m->apex, 1, &rr);
	model_put(m, &rr);
	for (unsigned i = 0; i < records; i++) {
		gen_rr(&g, m->apex, &rr);
		model_put(m, &rr);
	}
}

static struct rr **
listed(const struct model *m)
{
	return zr_xmemdup(m->v, m->n * sizeof(struct rr *));
}

static void
shuffle(struct rr **v, size_t n)
{
	struct rr *t;
	size_t k;

	for (size_t i = n; i > 1; i--) {
		k = rng_below(&g.rng, i);
		t = v[i - 1];
		v[i - 1] = v[k];
		v[k] = t;
	}
}

static void
test_sorted(void **state)
{
	struct model m;

	(void)state;
	zone(&m, 1, 3000, 20);
	assert_int_equal(arrive(&m, m.v, m.n, ORDER_GROUP_MAX, NULL), ORDER_DONE);
	assert_int_equal(
	    arrive(&m, m.v, m.n, 2000, NULL), ORDER_MERGE); /* owners above the limit */
	model_clear(&m);
	zone(&m, 2, 0, 0);
	assert_int_equal(arrive(&m, m.v, m.n, ORDER_GROUP_MAX, NULL), ORDER_DONE);
	model_clear(&m);
}

/* owners in order, the records of each in any; what common servers do. */
static void
test_shuffled_within_owner(void **state)
{
	struct model m;
	struct rr **v;
	size_t from = 1, to;

	(void)state;
	zone(&m, 3, 4000, 20);
	v = listed(&m);
	for (; from < m.n; from = to) {
		for (to = from + 1; to < m.n && rr_part(v[to]) == rr_part(v[from]) &&
				    name_equal(v[to]->owner, v[from]->owner);)
			to++;
		shuffle(v + from, to - from);
	}
	assert_int_equal(arrive(&m, v, m.n, ORDER_GROUP_MAX, NULL), ORDER_DONE);
	free(v);
	model_clear(&m);
}

static int
mixed_cmp(const void *va, const void *vb)
{
	const struct rr *a = *(struct rr *const *)va, *b = *(struct rr *const *)vb;
	int c = name_cmp(a->owner, b->owner);

	return c != 0 ? c : (a->type > b->type) - (a->type < b->type);
}

/* NSEC3 among the other names: spilled and appended, or, in one run too long, guessed wrong. */
static void
test_interleaved_nsec3(void **state)
{
	struct model m;
	struct rr **v;
	uint64_t spilled, nsec3 = 0;

	(void)state;
	zone(&m, 5, 4000, 30);
	for (size_t i = 0; i < m.n; i++)
		nsec3 += rr_part(m.v[i]);
	v = listed(&m);
	qsort(v + 1, m.n - 1, sizeof(struct rr *), mixed_cmp);
	assert_int_equal(arrive(&m, v, m.n, ORDER_GROUP_MAX, &spilled), ORDER_APPEND);
	assert_int_equal(spilled, nsec3);
	assert_int_equal(arrive(&m, v, m.n, 1, NULL), ORDER_MERGE);
	free(v);
	model_clear(&m);
}

static void
test_permutations(void **state)
{
	struct model m;
	struct rr **v;

	(void)state;
	for (unsigned i = 0; i < 12; i++) {
		zone(&m, 10 + i, 100 + 250 * i, i % 3 == 0 ? 30 : 0);
		v = listed(&m);
		shuffle(v + 1, m.n - 1);
		assert_int_equal(
		    arrive(&m, v, m.n, i % 2 == 0 ? ORDER_GROUP_MAX : 500, NULL), ORDER_MERGE);
		free(v);
		model_clear(&m);
	}
}

/* One record out of place does not cost more than itself. */
static void
test_one_late(void **state)
{
	struct model m;
	struct rr **v, *late;
	uint64_t spilled;

	(void)state;
	zone(&m, 31, 2000, 0);
	v = listed(&m);
	late = v[700];
	memmove(v + 700, v + 701, 500 * sizeof(*v));
	v[1200] = late;
	assert_int_equal(arrive(&m, v, m.n, ORDER_GROUP_MAX, &spilled), ORDER_MERGE);
	assert_int_equal(spilled, 1);
	free(v);
	model_clear(&m);
}

/*
 * duplicates anywhere, in the stream, in the spill, across both; and such that differ in TTL
 * or in the owner's case, of which the same one stays however they come.
 */
static void
test_duplicates(void **state)
{
	struct model m;
	struct rr **v, *twin, *made[4000];
	uint8_t *owner;
	size_t n, all = 0;

	(void)state;
	for (unsigned round = 0; round < 6; round++) {
		zone(&m, 40 + round, 1500, 10);
		all = 0;
		v = zr_xmalloc(3 * m.n * sizeof(*v));
		memcpy(v, m.v, m.n * sizeof(*v));
		n = m.n;
		for (size_t i = 1; i < m.n; i++) {
			for (uint64_t k = rng_below(&g.rng, 3); k-- > 0;) {
				twin = rr_dup(m.v[i]);
				owner = zr_xmemdup(twin->owner, twin->owner_len);
				if (round % 2 == 1)
					twin->ttl += (uint32_t)rng_below(&g.rng, 3);
				if (round % 3 == 1 && twin->ttl > m.v[i]->ttl)
					name_lower(owner, owner);
				twin->owner = owner;
				made[all] = rr_dup(twin);
				free(owner);
				free(twin);
				v[n++] = made[all++];
				if (all == 4000 || n == 3 * m.n)
					break;
			}
			if (all == 4000)
				break;
		}
		if (round >= 3)
			shuffle(v + 1, n - 1);
		else
			qsort(v + 1, n - 1, sizeof(*v), mixed_cmp);
		arrive(&m, v, n, ORDER_GROUP_MAX, NULL);
		while (all > 0)
			free(made[--all]);
		free(v);
		model_clear(&m);
	}
}

static void
test_giant_owner(void **state)
{
	struct model m;
	struct rr **v, rr;
	uint8_t rdata[100] = {0};

	(void)state;
	zone(&m, 50, 300, 0);
	rr = (struct rr){.owner = g.owner,
	    .type = 16,
	    .class = CLASS_IN,
	    .ttl = 60,
	    .rdata = rdata,
	    .rdlen = sizeof(rdata)};
	rr.owner_len = (uint8_t)gen_owner(&g, m.apex, 9, g.owner);
	for (unsigned i = 0; i < 5000; i++) {
		put_u32(rdata, (uint32_t)rng_next(&g.rng));
		model_put(&m, &rr);
	}
	v = listed(&m);
	shuffle(v + 1, m.n - 1);
	qsort(v + 1, m.n - 1, sizeof(*v), mixed_cmp);
	assert_int_equal(arrive(&m, v, m.n, ORDER_GROUP_MAX, NULL), ORDER_DONE);
	assert_int_equal(arrive(&m, v, m.n, 50000, NULL), ORDER_MERGE);
	free(v);
	model_clear(&m);
}

/* A whole zone, sorted elsewhere, through an order that was fed nothing else. */
static void
test_append_only(void **state)
{
	struct model m;
	struct way w = {.m = &m};
	struct stored_list want = {0};
	struct order *o;

	(void)state;
	zone(&m, 61, 1000, 10);
	o = order_new(m.apex, ORDER_GROUP_MAX, &ops, &w);
	w.packer = packer_new(m.apex, stored_sink, &w.out);
	for (size_t i = 0; i < m.n; i++) {
		assert_int_equal(order_append(o, m.v[i], NULL), 0);
		if (i % 3 == 0)
			assert_int_equal(order_append(o, m.v[i], NULL), 0);
	}
	assert_int_equal(order_append_finish(o, NULL), 0);
	assert_int_equal(packer_flush(w.packer, NULL), 0);
	stored_pack(&want, &m);
	assert_null(stored_differ(&w.out, &want));
	packer_free(w.packer);
	order_free(o);
	stored_clear(&want);
	way_clear(&w);
	model_clear(&m);
}

static int
refuse(void *arg, const struct rr *rr, struct zr_err *e)
{
	(void)arg;
	(void)rr;
	return zr_fail(e, ZR_DB, "full");
}

static void
test_errors(void **state)
{
	static const struct order_ops bad = {.emit = refuse, .spill = on_spill};
	struct model m;
	struct order *o;
	enum order_end end;
	struct zr_err e;
	unsigned fails = 0;

	(void)state;
	zone(&m, 71, 500, 10);
	o = order_new(m.apex, ORDER_GROUP_MAX, &bad, NULL);
	assert_int_equal(order_add(o, m.v[0], &e), 0);
	assert_int_equal(order_finish(o, &end, &e), -1);
	assert_int_equal(e.code, ZR_DB);
	order_free(o);
	for (unsigned n = 1; n < 40; n++) { /* memory fails at the n-th request */
		struct way w = {.m = &m};
		int rc = 0;

		o = order_new(m.apex, ORDER_GROUP_MAX, &ops, &w);
		w.packer = packer_new(m.apex, stored_sink, &w.out);
		zr_mem_fail_after(n);
		for (size_t i = 0; i < m.n && rc == 0; i++)
			rc = order_add(o, m.v[m.n - 1 - i], &e);
		zr_mem_fail_after(0);
		if (rc != 0)
			assert_int_equal(e.code, ZR_NOMEM);
		fails += rc != 0;
		packer_free(w.packer);
		order_free(o);
		way_clear(&w);
	}
	assert_true(fails > 3);
	model_clear(&m);
}

static int
number_cmp(const void *a, const void *b, const void *arg)
{
	const unsigned *x = a, *y = b;

	(*(unsigned *)(uintptr_t)arg)++;
	return (*x / 8 > *y / 8) - (*x / 8 < *y / 8);
}

static void
test_sort(void **state)
{
	static unsigned v[3000];
	static const void *p[3000], *spare[3000];
	const unsigned *a, *b;
	unsigned compares;

	(void)state;
	gen_init(&g, 80);
	for (unsigned n = 0; n < 3000; n = n < 70 ? n + 1 : n * 2 - 13) {
		for (unsigned i = 0; i < n; i++) {
			v[i] = (unsigned)rng_below(&g.rng, 8 * n);
			p[i] = &v[i];
		}
		compares = 0;
		sort_pointers(p, spare, n, number_cmp, &compares);
		assert_true(compares <= 14 * n);
		for (unsigned i = 1; i < n; i++) {
			a = p[i - 1];
			b = p[i];
			/* In order, and stable. */
			assert_true(*a / 8 < *b / 8 || (*a / 8 == *b / 8 && a < b));
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sorted),
	    cmocka_unit_test(test_shuffled_within_owner),
	    cmocka_unit_test(test_interleaved_nsec3),
	    cmocka_unit_test(test_permutations),
	    cmocka_unit_test(test_one_late),
	    cmocka_unit_test(test_duplicates),
	    cmocka_unit_test(test_giant_owner),
	    cmocka_unit_test(test_append_only),
	    cmocka_unit_test(test_errors),
	    cmocka_unit_test(test_sort),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
