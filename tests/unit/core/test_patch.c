/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random histories: after every step the patched layout equals packing the whole zone from its
 * beginning, the sums agree, the difference old -> new leads from old to new, and a copy that only
 * ever got the differences holds the same records.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "story.h"

static unsigned
steps(unsigned otherwise)
{
	const char *text = getenv("ZR_PATCH_STEPS"); /* for long campaigns */

	return text == NULL ? otherwise : (unsigned)strtoul(text, NULL, 10);
}

static void
test_histories(void **state)
{
	struct story s;
	const char *seed = getenv("ZR_PATCH_SEED");
	uint64_t first = seed == NULL ? 1 : strtoull(seed, NULL, 10);

	(void)state;
	for (uint64_t i = first; i < first + 12; i++) {
		story_begin(&s, i, i % 3 == 0 ? 0 : 1500);
		s.readd = i % 6 == 5;
		for (unsigned n = steps(60); n > 0; n--)
			story_step(&s);
		story_end(&s);
	}
}

/* A change of one record of a large zone costs a few segments, wherever it is. */
static void
test_cost(void **state)
{
	struct story s;
	uint64_t written = 0;
	unsigned n = 150;

	(void)state;
	story_begin(&s, 2, 8000);
	assert_true(s.rig.base.n > 20);
	for (unsigned i = 0; i < n; i++) {
		s.c = changes_new(s.m.apex, LIMIT);
		if (i % 2 == 0)
			story_add_some(&s, 1);
		else
			story_del_some(&s, 1);
		story_apply(&s);
		written += s.rig.written;
		rig_commit(&s.rig);
		changes_free(s.c);
	}
	assert_true(written < 3 * n);
	model_clear(&s.m);
	model_clear(&s.down);
	rig_clear(&s.rig);
}

/* One owner with very many records, changed in its middle and at its ends. */
static void
test_giant_owner(void **state)
{
	struct story s;
	uint8_t rdata[300] = {0};
	struct rr rr = {.type = 16, .class = CLASS_IN, .ttl = 60, .rdata = rdata, .rdlen = 40};

	(void)state;
	story_begin(&s, 11, 200);
	rr.owner = story_gen.owner;
	rr.owner_len = (uint8_t)gen_owner(&story_gen, s.m.apex, 9, story_gen.owner);
	for (unsigned i = 0; i < 5000; i++) {
		put_u32(rdata, i * 7);
		model_put(&s.m, &rr);
	}
	rig_clear(&s.rig);
	rig_load(&s.rig, &s.m);
	assert_true(s.rig.base.n > 10);
	for (unsigned i = 0; i < 40; i++) {
		s.c = changes_new(s.m.apex, LIMIT);
		for (unsigned k = 0; k < 3; k++) {
			rr.owner_len = (uint8_t)gen_owner(&story_gen, s.m.apex, 9, story_gen.owner);
			put_u32(rdata, (uint32_t)story_below(5000) * 7);
			if (i % 2 == 0)
				put_u32(rdata, (uint32_t)story_below(35000));
			rr.rdlen = (uint16_t)(40 + 200 * story_below(2));
			model_find(&s.m, &rr, &(bool){false});
			if (i % 2 == 0)
				story_add(&s, &rr);
			else if (changes_count(s.c) < 3)
				story_at_boundary(&s);
		}
		story_apply(&s);
		rig_commit(&s.rig);
		changes_free(s.c);
	}
	s.c = changes_new(s.m.apex, LIMIT);
	rr.owner_len = (uint8_t)gen_owner(&story_gen, s.m.apex, 9, story_gen.owner);
	for (size_t i = s.m.n; i-- > 1;) {
		if (s.m.v[i]->type == 16 && s.m.v[i]->rdlen >= 40)
			story_del(&s, s.m.v[i]);
	}
	story_apply(&s);
	changes_free(s.c);
	model_clear(&s.m);
	model_clear(&s.down);
	rig_clear(&s.rig);
}

/* From nothing to a zone, and from a zone to nothing but its SOA. */
static void
test_empty(void **state)
{
	struct story s;
	struct rr rr;

	(void)state;
	story_begin(&s, 13, 0);
	rig_clear(&s.rig);
	s.rig = (struct rig){0};
	s.c = changes_new(s.m.apex, LIMIT);
	gen_soa(&story_gen, s.m.apex, 1, &rr);
	model_del(&s.m, &rr);
	story_add(&s, &rr);
	story_add_some(&s, 3000);
	story_apply(&s);
	rig_commit(&s.rig);
	changes_free(s.c);
	s.c = changes_new(s.m.apex, LIMIT);
	story_del_range(&s, 1, s.m.n);
	story_apply(&s);
	assert_int_equal(s.rig.now.n, 1);
	rig_commit(&s.rig);
	changes_free(s.c);
	s.c = changes_new(s.m.apex, LIMIT);
	story_del(
	    &s, s.m.v[0]); /* not even an SOA: not to be committed, but not to be tripped over */
	story_apply(&s);
	assert_int_equal(s.rig.now.n, 0);
	changes_free(s.c);
	model_clear(&s.m);
	model_clear(&s.down);
	rig_clear(&s.rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_histories),
	    cmocka_unit_test(test_cost),
	    cmocka_unit_test(test_giant_owner),
	    cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
