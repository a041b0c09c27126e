/* SPDX-License-Identifier: BSD-2-Clause */
/* Changes that do not fit, that come to nothing, that meet errors or damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "story.h"

static enum zr_code
try_patch(struct story *s, struct changes *c, unsigned flags)
{
	struct zr_err e = {0};
	struct patch *p;

	changes_sort(c, NULL);
	p = patch_new(s->m.apex, &rig_patch_ops, &s->rig, c, NULL, flags);
	if (rig_run(p, 1000, &e) == PATCH_DONE)
		e.code = ZR_OK;
	patch_free(p);
	changes_free(c);
	stored_clear(&s->rig.now);
	stored_copy(&s->rig.now, &s->rig.base);
	return e.code;
}

static void
test_misfits(void **state)
{
	struct story s;
	struct changes *c;
	struct rr rr, *there;
	bool found;

	(void)state;
	story_begin(&s, 4, 3000);
	for (unsigned i = 0; i < 60; i++) {
		there = s.m.v[story_any(&s)];
		do {
			gen_rr(&story_gen, s.m.apex, &rr);
			model_find(&s.m, &rr, &found);
		} while (found);
		c = changes_new(s.m.apex, LIMIT);
		changes_del(c, &rr, NULL); /* I-08: not there */
		assert_int_equal(try_patch(&s, c, 0), ZR_DIFF);
		c = changes_new(s.m.apex, LIMIT);
		changes_add(c, there, NULL); /* there already */
		assert_int_equal(try_patch(&s, c, 0), ZR_DIFF);
		c = changes_new(s.m.apex, LIMIT);
		changes_del(c, &rr, NULL);
		changes_add(c, &rr, NULL); /* replaced, but not there */
		assert_int_equal(try_patch(&s, c, 0), ZR_DIFF);
		c = changes_new(s.m.apex, LIMIT);
		changes_add(c, there, NULL);
		changes_del(c, there, NULL); /* came and went, but was there */
		assert_int_equal(try_patch(&s, c, 0), ZR_DIFF);
		c = changes_new(s.m.apex, LIMIT);
		changes_add(c, &rr, NULL);
		changes_del(c, &rr, NULL);
		changes_del(c, there, NULL);
		changes_add(c, there, NULL);
		assert_int_equal(try_patch(&s, c, 0), ZR_OK);
	}
	story_end(&s);
}

/* PATCH_READD lets through what is there already, with the same TTL and nothing else. */
static void
test_readd(void **state)
{
	struct story s;
	struct changes *c;
	struct rr there, absent;
	bool found;

	(void)state;
	story_begin(&s, 4, 1000);
	there = *s.m.v[500];
	do {
		gen_rr(&story_gen, s.m.apex, &absent);
		model_find(&s.m, &absent, &found);
	} while (found);
	c = changes_new(s.m.apex, LIMIT);
	changes_allow_readd(c);
	assert_int_equal(changes_add(c, &there, NULL), 0);
	assert_int_equal(changes_add(c, &there, NULL), 0);
	assert_int_equal(try_patch(&s, c, PATCH_READD), ZR_OK);
	c = changes_new(s.m.apex, LIMIT);
	changes_allow_readd(c);
	there.ttl++;
	assert_int_equal(changes_add(c, &there, NULL), 0);
	there.ttl++;
	assert_int_equal(changes_add(c, &there, NULL), -1);
	assert_int_equal(try_patch(&s, c, PATCH_READD), ZR_DIFF);
	c = changes_new(s.m.apex, LIMIT);
	changes_allow_readd(c);
	assert_int_equal(changes_del(c, &absent, NULL), 0);
	assert_int_equal(changes_del(c, &absent, NULL), -1);
	assert_int_equal(try_patch(&s, c, PATCH_READD), ZR_DIFF); /* still not there */
	/* Listed again, then deleted: it goes. */
	s.c = changes_new(s.m.apex, LIMIT);
	s.readd = true;
	changes_allow_readd(s.c);
	there.ttl = s.m.v[500]->ttl;
	assert_int_equal(changes_add(s.c, &there, NULL), 0);
	assert_int_equal(changes_del(s.c, &there, NULL), 0);
	assert_true(model_del(&s.m, &there));
	story_apply(&s);
	changes_free(s.c);
	model_clear(&s.m);
	model_clear(&s.down);
	rig_clear(&s.rig);
}

/* Changes that come to nothing write nothing. */
static void
test_nothing_to_write(void **state)
{
	struct story s;
	struct patch *p;
	struct version_sum sum;
	size_t at = 0;

	(void)state;
	story_begin(&s, 5, 4000);
	s.c = changes_new(s.m.apex, LIMIT);
	for (size_t i = 0; i < s.rig.base.n; i++) { /* where segments meet */
		assert_int_equal(changes_del(s.c, s.m.v[at], NULL), 0);
		assert_int_equal(changes_add(s.c, s.m.v[at], NULL), 0);
		at += s.rig.base.v[i].rrs;
	}
	changes_sort(s.c, NULL);
	sum = stored_sum(&s.rig.base);
	p = patch_new(s.m.apex, &rig_patch_ops, &s.rig, s.c, &sum, 0);
	assert_int_equal(rig_run(p, 5, NULL), PATCH_DONE);
	assert_int_equal(patch_step(p, 5, NULL), PATCH_DONE);
	assert_int_equal(s.rig.written, 0);
	assert_int_equal(s.rig.killed, 0);
	assert_int_equal(patch_count(p)->kept, s.rig.base.n);
	assert_memory_equal(patch_sum(p), &sum, sizeof(sum));
	patch_free(p);
	changes_free(s.c);
	story_end(&s);
}

/* Every callback may fail; the patch then fails with that error. */
static void
test_callback_errors(void **state)
{
	struct story s;
	struct patch *p;
	struct zr_err e;
	unsigned n = 0;
	enum patch_state rc;

	(void)state;
	story_begin(&s, 7, 2000);
	s.c = changes_new(s.m.apex, LIMIT);
	story_add_some(&s, 30);
	story_add_alike(&s);
	do {
		stored_clear(&s.rig.now);
		stored_copy(&s.rig.now, &s.rig.base);
		s.rig.fail_after = ++n;
		changes_sort(s.c, NULL);
		p = patch_new(s.m.apex, &rig_patch_ops, &s.rig, s.c, NULL, 0);
		rc = rig_run(p, 3, &e);
		patch_free(p);
		if (rc == PATCH_FAIL)
			assert_int_equal(e.code, ZR_DB);
	} while (rc == PATCH_FAIL);
	assert_true(n > 20);
	changes_free(s.c);
	model_clear(&s.m);
	model_clear(&s.down);
	rig_clear(&s.rig);
}

/* A stored segment that is damaged: an error of the store, not of the peer. */
static void
test_damaged(void **state)
{
	struct story s;
	struct changes *c;
	uint8_t octet;

	(void)state;
	story_begin(&s, 8, 2000);
	for (unsigned i = 0; i < 300; i++) {
		struct stored *seg = &s.rig.base.v[story_below(s.rig.base.n)];
		size_t at = story_below(seg->len), len = seg->len;
		enum zr_code code;

		octet = seg->data[at];
		seg->data[at] = (uint8_t)story_below(256);
		if (i % 3 == 0)
			seg->len = at;
		c = changes_new(s.m.apex, LIMIT);
		for (size_t k = 1; k < s.m.n; k += 100)
			changes_del(c, s.m.v[k], NULL);
		code = try_patch(&s, c, 0);
		assert_true(code == ZR_OK || code == ZR_DB || code == ZR_DIFF ||
			    code == ZR_INTERNAL || code == ZR_FORMERR);
		seg->len = len;
		seg->data[at] = octet;
	}
	story_end(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_misfits),
	    cmocka_unit_test(test_readd),
	    cmocka_unit_test(test_nothing_to_write),
	    cmocka_unit_test(test_callback_errors),
	    cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
