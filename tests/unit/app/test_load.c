/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random histories of a zone through the real store, by whole zones in every order a primary may
 * send and by differences: what is stored is always what packing the model from its beginning
 * gives, and the journal leads from each older version to the present one.
 */
#include "loader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct gen gen;

static uint64_t
below(uint64_t n)
{
	return rng_below(&gen.rng, n);
}

/* ---- histories ---- */

/* Every zone is stored as the same segments, whether or not it was sorted before. */
static void
next_full(struct bed *b, struct model *m, enum stream_style style)
{
	static const size_t small[] = {0, 2000, FULLLOAD_SMALL, 1024 * 1024};
	struct load l;
	struct stream s;

	stream_make(&s, &gen, m, style);
	load_init(&l, b, XFRIN_AXFR);
	l.small = small[below(sizeof(small) / sizeof(small[0]))];
	load_full(&l, &s);
	load_commit(&l, m, NULL, 0);
	load_clear(&l);
	stream_clear(&s);
}

/* Most advances are small, some are as large as RFC 1982 allows. */
static uint32_t
next_serial(uint32_t serial)
{
	return serial + 1 + (below(10) == 0 ? (uint32_t)below(0x7ffffffe) : (uint32_t)below(3));
}

static void
changed(const struct bed *b, struct model *m, uint32_t serial)
{
	unsigned n = below(4) == 0 ? 400 : 8;

	model_copy(m, &b->now);
	bed_change(&gen, m, (unsigned)below(n), (unsigned)below(n));
	bed_set_serial(&gen, m, serial);
}

static void
step_full(struct bed *b)
{
	struct model m;

	changed(b, &m, next_serial(b->serial));
	next_full(b, &m, (enum stream_style)below(5));
}

/* The operator forces an older serial, or other content under the same one. */
static void
step_back(struct bed *b)
{
	int64_t version = b->version;
	struct model m;

	changed(b, &m, b->serial - (uint32_t)below(3));
	next_full(b, &m, STREAM_SORTED);
	if (b->version != version) /* by chance it is the same serial with the same content */
		assert_int_equal(b->pasts, 0);
}

static void
step_same(struct bed *b)
{
	struct model m;
	int64_t rows = fx_sql(&b->fx, "SELECT count(*) FROM content");
	int64_t version = b->version;

	model_copy(&m, &b->now);
	next_full(b, &m, (enum stream_style)below(5));
	assert_int_equal(b->version, version);
	assert_int_equal(fx_sql(&b->fx, "SELECT count(*) FROM content"), rows);
}

/* Only the serial moves: one segment is written. */
static void
step_serial(struct bed *b)
{
	struct model m;

	model_copy(&m, &b->now);
	bed_set_serial(&gen, &m, next_serial(b->serial));
	next_full(b, &m, (enum stream_style)below(3));
	assert_int_equal(bed_born(b, b->version), 1);
}

#define STEPS_MAX 4

static void
step_diff(struct bed *b)
{
	struct model chain[STEPS_MAX + 1];
	struct past between[STEPS_MAX];
	struct script s = {0};
	struct load l;
	unsigned n = 1 + (unsigned)below(STEPS_MAX);
	uint32_t serial = b->serial;

	model_copy(&chain[0], &b->now);
	for (unsigned i = 1; i <= n; i++) {
		/* The whole difference must go forward, too. */
		serial += 1 + (uint32_t)below(3);
		model_copy(&chain[i], &chain[i - 1]);
		bed_change(&gen, &chain[i], (unsigned)below(below(4) == 0 ? 300 : 5),
		    (unsigned)below(below(4) == 0 ? 300 : 5));
		bed_set_serial(&gen, &chain[i], serial);
		script_step(&s, &gen, &chain[i - 1], &chain[i]);
	}
	load_init(&l, b, XFRIN_IXFR);
	load_diff(&l, &s);
	assert_true(!l.ok || l.result.has_delta);
	for (unsigned i = 1; i < n; i++)
		between[i - 1] =
		    (struct past){.serial = bed_model_serial(&chain[i]), .m = chain[i]};
	load_commit(&l, &chain[n], between, n - 1);
	load_clear(&l);
	script_clear(&s);
	model_clear(&chain[0]);
}

/* A copy that is no longer valid, but still stored: compared and replaced all the same. */
static void
step_expired(struct bed *b)
{
	struct model m;

	b->have = false;
	switch (below(3)) {
	case 0:
		step_full(b);
		break;
	case 1:
		step_serial(b);
		break;
	default: /* the very same: a version of its own, without a segment of its own */
		model_copy(&m, &b->now);
		next_full(b, &m, STREAM_SORTED);
		assert_int_equal(bed_born(b, b->version), 0);
		break;
	}
}

static void
step(struct bed *b)
{
	switch (below(12)) {
	case 0:
	case 1:
	case 2:
	case 3:
		step_full(b);
		break;
	case 4:
		step_same(b);
		break;
	case 5:
		step_serial(b);
		break;
	case 6:
		if (below(3) == 0)
			step_back(b);
		else
			step_expired(b);
		break;
	case 7:
		bed_sweep(b);
		break;
	default:
		step_diff(b);
		break;
	}
}

static void
history(uint64_t seed, size_t records, unsigned steps)
{
	struct bed b;
	struct model m;
	unsigned descriptors = bed_descriptors();

	gen_init(&gen, seed);
	gen.owners = 20 + (unsigned)records / 2;
	gen.odd = seed % 2 == 0;
	gen.nsec3 = seed % 3 == 0 ? 0 : 25;
	gen.rdata = seed % 5 == 0 ? 900 : 60;
	bed_open(&b, 0);
	b.tight = seed % 4 == 3;
	bed_make(&gen, &m, seed % 2 == 0 ? 0xfffffff0u : 1, records);
	next_full(&b, &m, (enum stream_style)(seed % 5));
	bed_check(&b);
	for (unsigned i = 0; i < steps; i++) {
		step(&b);
		bed_check(&b);
	}
	bed_check_folder(&b);
	bed_close(&b);
	assert_int_equal(bed_descriptors(), descriptors);
}

static unsigned
env_number(const char *name, unsigned otherwise)
{
	const char *text = getenv(name); /* for long campaigns */

	return text == NULL ? otherwise : (unsigned)strtoul(text, NULL, 10);
}

static void
test_small_zones(void **state)
{
	unsigned seed = env_number("ZR_LOAD_SEED", 1), n = env_number("ZR_LOAD_STEPS", 25);

	(void)state;
	for (unsigned i = seed; i < seed + 6; i++)
		history(i, i % 3 == 0 ? 2 : 60, n);
}

static void
test_large_zones(void **state)
{
	unsigned seed = env_number("ZR_LOAD_SEED", 11), n = env_number("ZR_LOAD_STEPS", 15);

	(void)state;
	for (unsigned i = seed; i < seed + 6; i++)
		history(i, 1500 + 900 * (i % 4), n);
}

/* ---- roads ---- */

static void
fresh(struct bed *b, struct load *l, struct model *m, enum stream_style style, unsigned nsec3)
{
	struct stream s;

	gen_init(&gen, 77 + style);
	gen.owners = 4000;
	gen.nsec3 = nsec3;
	bed_open(b, 0);
	bed_make(&gen, m, 10, 9000);
	stream_make(&s, &gen, m, style);
	load_init(l, b, XFRIN_AXFR);
	load_full(l, &s);
	stream_clear(&s);
}

static void
end(struct bed *b, struct load *l, struct model *m)
{
	load_commit(l, m, NULL, 0);
	load_clear(l);
	bed_check(b);
	bed_check_folder(b);
	bed_close(b);
}

static void
test_sorted_needs_no_second_look(void **state)
{
	struct bed b;
	struct load l;
	struct model m;

	(void)state;
	fresh(&b, &l, &m, STREAM_SORTED, 30);
	assert_int_equal(l.waits + l.mores, 0);
	assert_true(l.posted > 0); /* it was staged on the way */
	end(&b, &l, &m);
	fresh(&b, &l, &m, STREAM_OWNERS, 0);
	assert_int_equal(l.waits + l.mores, 0);
	end(&b, &l, &m);
}

static void
test_nsec3_among_the_others_is_appended(void **state)
{
	struct bed b;
	struct load l;
	struct model m;

	(void)state;
	fresh(&b, &l, &m, STREAM_MIXED, 60);
	assert_int_equal(l.waits, 0); /* nothing had to be collected again */
	assert_true(l.mores >= 2);    /* in pieces */
	end(&b, &l, &m);
}

static void
test_no_order_goes_through_the_spill(void **state)
{
	struct bed b;
	struct load l;
	struct model m;

	(void)state;
	fresh(&b, &l, &m, STREAM_SHUFFLED, 20);
	assert_int_equal(l.waits, 2); /* COLLECT, ABORTING */
	assert_true(l.mores >= 2);
	end(&b, &l, &m);
	fresh(&b, &l, &m, STREAM_STRAY, 0);
	assert_int_equal(l.waits, 2);
	end(&b, &l, &m);
}

/* More than the spill keeps in memory, over an older version, to the difference of one record. */
static void
test_spill_on_disk(void **state)
{
	struct bed b;
	struct model m, n;
	struct rr rr = {.type = 16, .class = CLASS_IN, .ttl = 60, .rdlen = 4000};
	static uint8_t rdata[4000];
	unsigned descriptors = bed_descriptors();

	(void)state;
	gen_init(&gen, 5);
	gen.owners = 3000;
	bed_open(&b, 0);
	bed_make(&gen, &m, 10, 1000);
	for (unsigned i = 0; i < 3500; i++) {
		rr.owner_len = (uint8_t)gen_owner(&gen, m.apex, i, gen.owner);
		rr.owner = gen.owner;
		rr.rdata = rdata;
		put_u32(rdata, i);
		model_put(&m, &rr);
	}
	model_copy(&n, &m);
	next_full(&b, &m, STREAM_SORTED);
	bed_change(&gen, &n, 1, 1);
	bed_set_serial(&gen, &n, 11);
	next_full(&b, &n, STREAM_SHUFFLED);
	assert_true(bed_born(&b, b.version) <= 9);
	assert_int_equal(fx_sql(&b.fx, "SELECT count(*) FROM journal WHERE version = 2"), 2);
	bed_check(&b);
	bed_check_folder(&b);
	bed_close(&b);
	assert_int_equal(bed_descriptors(), descriptors);
}

/* ---- the journal's own corners ---- */

static void
test_no_journal_when_none_is_kept(void **state)
{
	struct bed b;
	struct load l;
	struct model m;
	struct stream s;

	(void)state;
	fresh(&b, &l, &m, STREAM_SORTED, 0);
	load_commit(&l, &m, NULL, 0);
	load_clear(&l);
	changed(&b, &m, 11);
	stream_make(&s, &gen, &m, STREAM_SORTED);
	load_init(&l, &b, XFRIN_AXFR);
	l.job->journal_steps = 0;
	load_full(&l, &s);
	assert_false(l.result.has_delta);
	stream_clear(&s);
	end(&b, &l, &m);
}

/* ixfr-strict: no.  What is added again is taken, and the journal does not say it again. */
static void
test_readd(void **state)
{
	struct bed b;
	struct load l;
	struct model m, mid;
	struct script s = {0};

	(void)state;
	for (unsigned round = 0; round < 2; round++) {
		fresh(&b, &l, &m, STREAM_SORTED, 20);
		load_commit(&l, &m, NULL, 0);
		load_clear(&l);
		model_copy(&mid, &b.now);
		bed_change(&gen, &mid, 20, 20);
		bed_set_serial(&gen, &mid, 11);
		model_copy(&m, &mid);
		bed_change(&gen, &m, 20, 20);
		bed_set_serial(&gen, &m, 12);
		script_step(&s, &gen, &b.now, &mid);
		script_step(&s, &gen, &mid, &m);
		for (unsigned i = 0; i < 30; i++) /* there already */
			script_add(&s, DIFF_ADD, m.v[1 + below(m.n - 1)]);
		load_init(&l, &b, XFRIN_IXFR);
		l.job->readd = round == 1;
		load_diff(&l, &s);
		script_clear(&s);
		model_clear(&mid);
		if (round == 1) {
			end(&b, &l, &m);
			break;
		}
		assert_false(l.ok);
		assert_int_equal(l.err.code, ZR_DIFF);
		model_clear(&m);
		load_clear(&l);
		bed_check(&b);
		bed_close(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_small_zones),
	    cmocka_unit_test(test_large_zones),
	    cmocka_unit_test(test_sorted_needs_no_second_look),
	    cmocka_unit_test(test_nsec3_among_the_others_is_appended),
	    cmocka_unit_test(test_no_order_goes_through_the_spill),
	    cmocka_unit_test(test_spill_on_disk),
	    cmocka_unit_test(test_no_journal_when_none_is_kept),
	    cmocka_unit_test(test_readd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
