/* SPDX-License-Identifier: BSD-2-Clause */
/* Sequences of differences and the net changes that come of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/changes.h"
#include "model.h"

#define LIMIT (64 * 1024 * 1024)

static struct gen g;
static uint8_t apex[NAME_MAX_LEN];

static struct changes *
begin(uint64_t seed)
{
	gen_init(&g, seed);
	name_from_text("example.", apex);
	return changes_new(apex, LIMIT);
}

static void
test_net(void **state)
{
	/* What happens to one record, d and a; what comes of it, '!' for a contradiction. */
	static const struct {
		const char *story;
		int op;
	} cases[] = {{"d", CHANGE_DEL}, {"a", CHANGE_ADD}, {"da", CHANGE_REPLACE},
	    {"ad", CHANGE_ABSENT}, {"dad", CHANGE_DEL}, {"ada", CHANGE_ADD},
	    {"dada", CHANGE_REPLACE}, {"adad", CHANGE_ABSENT}, {"dd", -1}, {"aa", -1}, {"daa", -1},
	    {"add", -1}, {"dadd", -1}};
	struct changes *c;
	struct change out;
	struct zr_err e = {0};
	struct rr rr;
	int rc;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		c = begin(i);
		gen_rr(&g, apex, &rr);
		rc = 0;
		for (const char *s = cases[i].story; *s != '\0' && rc == 0; s++) {
			rr.ttl++;
			rc = *s == 'd' ? changes_del(c, &rr, &e) : changes_add(c, &rr, &e);
		}
		if (cases[i].op < 0) {
			assert_int_equal(rc, -1);
			assert_int_equal(e.code, ZR_DIFF);
		} else {
			assert_int_equal(rc, 0);
			assert_int_equal(changes_count(c), 1);
			assert_int_equal(changes_sort(c, &e), 0);
			assert_int_equal(changes_next(c, &out, &e), 1);
			assert_int_equal(out.op, cases[i].op);
			assert_true(rr_identical(&out.rr, &rr)); /* as named last */
			assert_int_equal(changes_next(c, &out, &e), 0);
			assert_int_equal(changes_next(c, &out, &e), 0);
		}
		changes_free(c);
	}
}

/* U-06: TTL and the case of the owner are not part of identity, the case of RDATA is. */
static void
test_identity(void **state)
{
	uint8_t upper[NAME_MAX_LEN], lower[NAME_MAX_LEN], one[NAME_MAX_LEN], two[NAME_MAX_LEN];
	struct changes *c = begin(1);
	struct change out;
	struct rr rr = {.type = TYPE_NS, .class = CLASS_IN, .ttl = 1, .rdata = one};

	(void)state;
	rr.owner_len = (uint8_t)name_from_text("WWW.Example.", upper);
	name_from_text("www.example.", lower);
	rr.rdlen = (uint16_t)name_from_text("ns.test.", one);
	name_from_text("NS.test.", two);
	rr.owner = lower;
	assert_int_equal(changes_del(c, &rr, NULL), 0);
	rr.owner = upper;
	rr.ttl = 2;
	assert_int_equal(changes_add(c, &rr, NULL), 0);
	rr.rdata = two;
	assert_int_equal(changes_add(c, &rr, NULL), 0); /* another record */
	assert_int_equal(changes_sort(c, NULL), 0);
	assert_int_equal(changes_next(c, &out, NULL), 1); /* "NS" before "ns" */
	assert_int_equal(out.op, CHANGE_ADD);
	assert_int_equal(changes_next(c, &out, NULL), 1);
	assert_int_equal(out.op, CHANGE_REPLACE);
	assert_int_equal(out.rr.ttl, 2);
	assert_true(name_equal_case(out.rr.owner, upper));
	assert_int_equal(changes_add(c, &rr, NULL), -1); /* too late */
	changes_free(c);
}

/* Against a model that remembers the first and the last thing that happened. */
static void
test_random(void **state)
{
	struct changes *c;
	struct change out;
	struct model before, now;
	struct rr rr, *last;
	bool was, is;
	size_t n;

	(void)state;
	for (unsigned round = 0; round < 6; round++) {
		c = begin(100 + round);
		g.odd = true;
		g.rdata = round == 5 ? 3000 : 60;
		g.nsec3 = 20;
		g.owners = 40;
		model_init(&before, "example.");
		model_init(&now, "example.");
		for (unsigned i = 0; i < 600; i++) {
			gen_rr(&g, apex, &rr);
			model_put(&before, &rr);
			model_put(&now, &rr);
		}
		for (unsigned i = 0; i < 6000; i++) {
			if (rng_below(&g.rng, 2) == 0 && now.n > 0) {
				rr = *now.v[rng_below(&g.rng, now.n)];
				assert_int_equal(changes_del(c, &rr, NULL), 0);
				model_del(&now, &rr);
			} else {
				gen_rr(&g, apex, &rr);
				model_find(&now, &rr, &is);
				if (is) /* only core/patch can know of it */
					continue;
				assert_int_equal(changes_add(c, &rr, NULL), 0);
				model_put(&now, &rr);
			}
		}
		assert_int_equal(changes_sort(c, NULL), 0);
		last = NULL;
		n = 0;
		while (changes_next(c, &out, NULL) > 0) {
			model_find(&before, &out.rr, &was);
			model_find(&now, &out.rr, &is);
			assert_int_equal(out.op, was ? (is ? CHANGE_REPLACE : CHANGE_DEL)
						     : (is ? CHANGE_ADD : CHANGE_ABSENT));
			assert_true(last == NULL || rr_cmp(last, &out.rr, apex) < 0);
			free(last);
			last = rr_dup(&out.rr);
			if (is)
				model_put(&before, &out.rr);
			else
				model_del(&before, &out.rr);
			n++;
		}
		free(last);
		assert_int_equal(n, changes_count(c));
		assert_true(model_equal(&before, &now));
		model_clear(&before);
		model_clear(&now);
		changes_free(c);
	}
}

static void
test_limits(void **state)
{
	struct changes *c;
	struct zr_err e = {0};
	struct rr rr, *kept, other;
	unsigned n = 0;
	int rc;

	(void)state;
	gen_init(&g, 7);
	c = changes_new(apex, 200000);
	g.owners = 100000;
	do {
		gen_rr(&g, apex, &rr);
		rc = changes_add(c, &rr, &e);
		if (rc != 0 && e.code == ZR_DIFF)
			rc = 0;
	} while (rc == 0 && ++n < 100000);
	assert_int_equal(e.code, ZR_LIMIT);
	assert_true(n > 100);
	assert_true(changes_bytes(c) < 500000);
	changes_free(c);

	/* The same records over and over, each time in another case: memory is bounded too. */
	gen_init(&g, 8);
	c = changes_new(apex, 200000);
	g.odd = true;
	gen_rr_at(&g, apex, 5, &rr);
	kept = rr_dup(&rr);
	other = *kept;
	for (n = 0, rc = 0; n < 100000 && rc == 0; n++) {
		gen_owner(&g, apex, 5, g.owner);
		other.owner = g.owner;
		rc = n % 2 == 0 ? changes_add(c, &other, &e) : changes_del(c, &other, &e);
	}
	assert_int_equal(rc, -1);
	assert_int_equal(e.code, ZR_LIMIT);
	assert_true(changes_bytes(c) < 500000);
	free(kept);
	changes_free(c);

	c = begin(9);
	gen_rr(&g, apex, &rr);
	assert_int_equal(changes_add(c, &rr, &e), 0);
	gen_rr(&g, apex, &rr);
	rr.class = 3;
	assert_int_equal(changes_add(c, &rr, &e), -1);
	assert_int_equal(e.code, ZR_FORMERR);
	changes_free(c);

	for (n = 1; n < 10; n++) {
		c = begin(10);
		zr_mem_fail_after(n);
		for (rc = 0; rc == 0;) {
			gen_rr(&g, apex, &rr);
			rc = changes_add(c, &rr, &e);
			if (rc != 0 && e.code == ZR_DIFF)
				rc = 0;
		}
		zr_mem_fail_after(0);
		assert_int_equal(e.code, ZR_NOMEM);
		changes_free(c);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_net),
	    cmocka_unit_test(test_identity),
	    cmocka_unit_test(test_random),
	    cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
