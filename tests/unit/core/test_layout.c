/* SPDX-License-Identifier: BSD-2-Clause */
/* A whole zone over an older one: what is kept, written and killed, and the difference. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/layout.h"
#include "rig.h"

static struct gen g;

/* The outcome of a layout is carried out on `now`, which begins as the old version. */
struct run {
	const struct stored_list *old;
	struct stored_list now;
	size_t next;
	uint64_t written, kept, killed;
	bool fail;
};

static int
next_old(void *arg, struct segref *out, struct zr_err *e)
{
	struct run *r = arg;

	if (r->fail)
		return zr_fail(e, ZR_DB, "made to fail");
	if (r->next >= r->old->n)
		return 0;
	stored_ref(&r->old->v[r->next++], out);
	return 1;
}

static int
on_write(void *arg, const struct segment *s, struct zr_err *e)
{
	struct run *r = arg;

	(void)e;
	r->written++;
	stored_insert(&r->now, s);
	return 0;
}

static int
on_keep(void *arg, const struct segref *old, struct zr_err *e)
{
	struct run *r = arg;

	(void)old;
	(void)e;
	r->kept++;
	return 0;
}

static int
on_kill(void *arg, const struct segref *old, struct zr_err *e)
{
	struct run *r = arg;

	(void)e;
	r->killed++;
	assert_true(stored_remove(&r->now, old->id));
	return 0;
}

static const struct layout_ops ops = {
    .next_old = next_old, .write = on_write, .keep = on_keep, .kill = on_kill};

static void
zone(struct model *m, uint64_t seed, unsigned records)
{
	struct rr rr;

	gen_init(&g, seed);
	g.odd = seed % 2 == 0;
	g.nsec3 = 10;
	g.rdata = 200;
	model_init(m, "example.");
	gen_soa(&g, m->apex, 1, &rr);
	model_put(m, &rr);
	for (unsigned i = 0; i < records; i++) {
		gen_rr(&g, m->apex, &rr);
		model_put(m, &rr);
	}
}

/* Replaces the SOA, and about one record in `every`. */
static void
alter(struct model *m, unsigned every)
{
	struct rr rr, *t;
	size_t n = m->n / every;

	model_del(m, m->v[0]);
	gen_soa(&g, m->apex, 2, &rr);
	model_put(m, &rr);
	while (n-- > 0 && m->n > 2) {
		t = rr_dup(m->v[1 + rng_below(&g.rng, m->n - 1)]);
		if (rng_below(&g.rng, 4) != 0) {
			model_del(m, t);
		} else {
			t->ttl++;
			model_put(m, t);
		}
		free(t);
		if (rng_below(&g.rng, 3) == 0)
			continue;
		gen_rr(&g, m->apex, &rr);
		model_put(m, &rr);
	}
}

/* Lays `m` out over `old`; true when it ended without an error. */
static void
lay_out(struct run *r, const struct stored_list *old, const struct model *m)
{
	struct layout *l = layout_new(&ops, r);
	struct packer *p = packer_new(m->apex, layout_add, l);
	struct stored_list want = {0};
	struct version_sum sum;

	*r = (struct run){.old = old};
	stored_copy(&r->now, old);
	for (size_t i = 0; i < m->n; i++)
		assert_int_equal(packer_add(p, m->v[i], NULL), 0);
	assert_int_equal(packer_flush(p, NULL), 0);
	assert_int_equal(layout_finish(l, NULL), 0);
	stored_pack(&want, m);
	assert_null(stored_differ(&r->now, &want));
	sum = stored_sum(&want);
	assert_memory_equal(&sum, layout_sum(l), sizeof(sum));
	assert_int_equal(layout_count(l)->written, r->written);
	assert_int_equal(layout_count(l)->kept, r->kept);
	assert_int_equal(layout_count(l)->killed, r->killed);
	assert_int_equal(r->kept + r->killed, old->n);
	assert_int_equal(r->kept + r->written, want.n);
	stored_clear(&want);
	packer_free(p);
	layout_free(l);
}

static void
test_unchanged(void **state)
{
	struct model m;
	struct stored_list old = {0};
	struct run r;

	(void)state;
	zone(&m, 1, 5000);
	stored_pack(&old, &m);
	lay_out(&r, &old, &m);
	assert_int_equal(r.written, 0);
	assert_int_equal(r.killed, 0);
	stored_clear(&r.now);
	stored_clear(&old);
	lay_out(&r, &old, &m); /* over nothing */
	assert_int_equal(r.kept, 0);
	stored_clear(&r.now);
	model_clear(&m);
}

static void
test_altered(void **state)
{
	static const unsigned every[] = {3000, 300, 30, 3, 1};
	struct model m, before;
	struct stored_list old = {0};
	struct diff_count count;
	struct run r;

	(void)state;
	for (unsigned i = 0; i < 15; i++) {
		zone(&m, 20 + i, i < 3 ? 1 : 3000);
		stored_pack(&old, &m);
		model_copy(&before, &m);
		alter(&m, every[i % 5]);
		lay_out(&r, &old, &m);
		assert_true(r.written > 0); /* the SOA */
		if (m.n > 1000 && every[i % 5] == 3000)
			assert_true(r.kept > r.written);
		/* The difference leads from the one to the other. */
		assert_true(rig_diff(&old, &r.now, &before, &count));
		model_del(&before, before.v[0]);
		model_put(&before, m.v[0]);
		assert_true(model_equal(&before, &m));
		if (m.n > 1000 && every[i % 5] == 3000)
			assert_true(count.skipped > count.compared);
		stored_clear(&r.now);
		stored_clear(&old);
		model_clear(&m);
		model_clear(&before);
	}
}

static void
test_diff_ends(void **state)
{
	struct model m, empty, at;
	struct stored_list full = {0}, none = {0};
	struct diff_count count;

	(void)state;
	zone(&m, 40, 3000);
	zone(&empty, 40, 0);
	stored_pack(&full, &m);
	stored_pack(&none, &empty);
	model_copy(&at, &m);
	assert_true(rig_diff(&full, &full, &at, &count)); /* nothing is read */
	assert_int_equal(count.skipped, full.n);
	assert_int_equal(count.compared, 0);
	assert_int_equal(count.dels + count.adds, 0);
	assert_true(rig_diff(&full, &none, &at, &count));
	assert_int_equal(count.dels, m.n - 1);
	assert_int_equal(count.adds, 0);
	assert_true(model_equal(&at, &empty));
	assert_true(rig_diff(&none, &full, &at, &count));
	assert_int_equal(count.dels, 0);
	assert_int_equal(count.adds, m.n - 1);
	assert_true(model_equal(&at, &m));
	model_clear(&at);
	model_clear(&empty);
	model_clear(&m);
	stored_clear(&full);
	stored_clear(&none);
}

/* Two zones that have nothing in common but their apex. */
static void
test_diff_strangers(void **state)
{
	struct model a, b;
	struct stored_list old = {0}, new = {0};
	struct diff_count count;

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		zone(&a, 50 + i, 1500);
		zone(&b, 70 + i, 1500);
		stored_pack(&old, &a);
		stored_pack(&new, &b);
		assert_true(rig_diff(&old, &new, &a, &count));
		assert_true(model_equal(&a, &b));
		model_clear(&a);
		model_clear(&b);
		stored_clear(&old);
		stored_clear(&new);
	}
}

static void
test_layout_refuses(void **state)
{
	static const struct layout_ops none = {0};
	struct stored_list old = {0};
	struct run r = {.old = &old, .fail = true};
	struct segment s = {.key = (const uint8_t *)"b", .key_len = 1};
	struct layout *l = layout_new(&ops, &r);
	struct zr_err e = {0};

	(void)state;
	assert_int_equal(layout_add(l, &s, &e), -1);
	assert_int_equal(e.code, ZR_DB);
	layout_free(l);
	l = layout_new(&none, NULL); /* sums only */
	assert_int_equal(layout_add(l, &s, &e), 0);
	assert_int_equal(layout_add(l, &s, &e), -1); /* the same key again */
	assert_int_equal(e.code, ZR_INTERNAL);
	s.key = (const uint8_t *)"a";
	assert_int_equal(layout_add(l, &s, &e), -1);
	assert_int_equal(layout_finish(l, &e), 0);
	layout_free(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_unchanged),
	    cmocka_unit_test(test_altered),
	    cmocka_unit_test(test_diff_ends),
	    cmocka_unit_test(test_diff_strangers),
	    cmocka_unit_test(test_layout_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
