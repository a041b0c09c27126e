/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Transfers that fail on our side, wherever they do: the reason is told, and after it has been
 * thrown away the store holds exactly the old version and takes the next one.
 */
#include "loader.h"

#include "base/mem.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

static struct gen gen;

struct story {
	struct bed b;
	struct load l;
	struct model m; /* the next version */
	struct stream s;
	struct script d;
};

static void
load_now(struct story *t, enum stream_style style)
{
	stream_clear(&t->s);
	stream_make(&t->s, &gen, &t->m, style);
	load_init(&t->l, &t->b, XFRIN_AXFR);
}

/* A stored zone and a next version which differs from it in nearly every segment. */
static void
begin(struct story *t, size_t records)
{
	memset(t, 0, sizeof(*t));
	gen_init(&gen, 1234);
	gen.owners = 4000;
	gen.nsec3 = 20;
	gen.rdata = 100;
	bed_open(&t->b, 0);
	bed_make(&gen, &t->m, 10, records);
	load_now(t, STREAM_SORTED);
	load_full(&t->l, &t->s);
	load_commit(&t->l, &t->m, NULL, 0);
	load_clear(&t->l);
	model_copy(&t->m, &t->b.now);
	bed_change(&gen, &t->m, (unsigned)records / 8, (unsigned)records / 8);
	bed_set_serial(&gen, &t->m, 11);
}

static void
expect(struct story *t, enum zr_code code)
{
	if (t->l.ok || t->l.err.code != code)
		fail_msg("%s instead of %s: %s", t->l.ok ? "success" : zr_code_name(t->l.err.code),
		    zr_code_name(code), t->l.err.text);
	assert_true(t->l.err.text[0] != '\0');
	load_clear(&t->l);
	bed_check(&t->b);
	bed_check_folder(&t->b);
}

/* The same version arrives, now without a fault. */
static void
end(struct story *t)
{
	load_now(t, STREAM_OWNERS);
	load_full(&t->l, &t->s);
	load_commit(&t->l, &t->m, NULL, 0);
	load_clear(&t->l);
	bed_check(&t->b);
	bed_close(&t->b);
	stream_clear(&t->s);
	script_clear(&t->d);
	model_clear(&t->m);
}

/* ---- the store says no ---- */

static void
limit_files(rlim_t octets)
{
	struct rlimit l;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &l), 0);
	l.rlim_cur = octets < l.rlim_max ? octets : l.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &l), 0);
}

/* The log of the database cannot grow beyond what it has, plus this. */
static void
no_space(struct load *l)
{
	char path[sizeof(l->b->fx.path) + 8];
	struct stat st;

	snprintf(path, sizeof(path), "%s-wal", l->b->fx.path);
	assert_int_equal(stat(path, &st), 0);
	limit_files((rlim_t)st.st_size + 8192);
}

static void
space_again(struct load *l)
{
	(void)l;
	limit_files(RLIM_INFINITY);
}

static void
test_disk_full(void **state)
{
	static const enum stream_style styles[] = {STREAM_SORTED, STREAM_MIXED, STREAM_STRAY};
	struct story t;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		begin(&t, 16000);
		bed_change(&gen, &t.m, 0, 8000);
		load_now(&t, styles[i]);
		t.l.pause_after = 4000;
		t.l.pause = no_space;
		t.l.abort = space_again;
		load_full(&t.l, &t.s);
		assert_true(t.l.posted >= 2);
		expect(&t, ZR_DB);
		end(&t);
	}
}

static void
test_disk_full_for_a_difference(void **state)
{
	struct story t;

	(void)state;
	begin(&t, 16000);
	bed_change(&gen, &t.m, 0, 12000);
	script_step(&t.d, &gen, &t.b.now, &t.m);
	load_init(&t.l, &t.b, XFRIN_IXFR);
	t.l.pause_after = (unsigned)t.d.rr.n / 2;
	t.l.pause = no_space;
	t.l.abort = space_again;
	load_diff(&t.l, &t.d);
	expect(&t, ZR_DB);
	end(&t);
}

/* The sorted runs do not fit on the disk either: that is the spill's own write. */
static void
no_space_at_all(struct load *l)
{
	(void)l;
	limit_files(65536);
}

static void
test_disk_full_for_the_spill(void **state)
{
	struct story t;
	struct rr rr;

	(void)state;
	begin(&t, 500);
	gen.rdata = 5000;
	for (unsigned i = 0; i < 40000 && t.m.n < 9000; i++) {
		gen_rr(&gen, t.m.apex, &rr);
		if (rr.type == 16)
			model_put(&t.m, &rr);
	}
	load_now(&t, STREAM_SHUFFLED);
	t.l.pause_after = 20;
	t.l.pause = no_space_at_all;
	t.l.abort = space_again;
	load_full(&t.l, &t.s);
	expect(&t, ZR_DB);
	end(&t);
}

/* The zone is taken out of the configuration while it is on its way. */
static void
remove_zone(struct load *l)
{
	fx_ok(&l->b->fx, store_order_new(STORE_REMOVE_ZONE, l->b->zone));
}

static void
test_zone_removed_meanwhile(void **state)
{
	struct story t;
	int64_t id;

	(void)state;
	begin(&t, 16000);
	bed_change(&gen, &t.m, 0, 8000);
	load_now(&t, STREAM_SORTED);
	t.l.pause_after = 100;
	t.l.pause = remove_zone;
	load_full(&t.l, &t.s);
	assert_false(t.l.ok);
	assert_int_equal(t.l.err.code, ZR_NOTFOUND);
	load_clear(&t.l);
	id = t.b.zone;
	assert_int_equal(fx_zone(&t.b.fx, "a"), id); /* back with all it had */
	bed_check(&t.b);
	end(&t);
}

/* ---- limits ---- */

static void
test_spill_limit(void **state)
{
	struct story t;

	(void)state;
	begin(&t, 9000);
	for (unsigned i = 0; i < 2; i++) {
		load_now(&t, i == 0 ? STREAM_SHUFFLED : STREAM_MIXED);
		t.l.job->limits.max_octets = 65536;
		load_full(&t.l, &t.s);
		expect(&t, ZR_LIMIT);
	}
	end(&t);
}

/* More than DIFFLOAD_MEMORY, as deletions and as additions. */
static void
test_difference_too_large(void **state)
{
	static uint8_t rdata[60000];
	struct story t;
	struct rr rr = {.type = 65280, .class = CLASS_IN, .ttl = 1, .rdlen = sizeof(rdata)};

	(void)state;
	begin(&t, 3000);
	for (unsigned round = 0; round < 2; round++) {
		script_clear(&t.d);
		script_add(&t.d, DIFF_OLD, t.b.now.v[0]);
		if (round == 1)
			script_add(&t.d, DIFF_NEW, t.m.v[0]);
		for (unsigned i = 0; i < DIFFLOAD_MEMORY / sizeof(rdata) + 10; i++) {
			put_u32(rdata, i);
			rr.rdata = rdata;
			rr.owner_len = (uint8_t)gen_owner(&gen, t.m.apex, i, gen.owner);
			rr.owner = gen.owner;
			script_add(&t.d, round == 1 ? DIFF_ADD : DIFF_DEL, &rr);
		}
		load_init(&t.l, &t.b, XFRIN_IXFR);
		load_diff(&t.l, &t.d);
		assert_true(round == 0 || t.l.posted > 0); /* additions are staged on the way */
		expect(&t, ZR_LIMIT);
	}
	end(&t);
}

/* ---- differences that do not fit ---- */

/* A record that is not in `a`, at an owner behind all others of the normal part. */
static void
stranger(const struct story *t, struct rr *rr)
{
	static const uint8_t rdata[4] = {192, 0, 2, 200};
	static uint8_t owner[NAME_MAX_LEN];

	memcpy(owner, "\004zzzz", 5);
	memcpy(owner + 5, t->m.apex, name_len(t->m.apex));
	*rr = (struct rr){.owner = owner,
	    .owner_len = (uint8_t)name_len(owner),
	    .type = TYPE_A,
	    .class = CLASS_IN,
	    .ttl = 60,
	    .rdata = rdata,
	    .rdlen = 4};
}

static void
try_diff(struct story *t)
{
	load_init(&t->l, &t->b, XFRIN_IXFR);
	load_diff(&t->l, &t->d);
	expect(t, ZR_DIFF);
	script_clear(&t->d);
}

static void
test_difference_does_not_fit(void **state)
{
	struct story t;
	struct model other;
	struct rr rr;

	(void)state;
	begin(&t, 12000);
	/* Goes what is not there, after much has been staged (I-08). */
	script_step(&t.d, &gen, &t.b.now, &t.m);
	script_add(&t.d, DIFF_OLD, t.m.v[0]);
	stranger(&t, &rr);
	script_add(&t.d, DIFF_DEL, &rr);
	bed_set_serial(&gen, &t.m, 12);
	script_add(&t.d, DIFF_NEW, t.m.v[0]);
	load_init(&t.l, &t.b, XFRIN_IXFR);
	load_diff(&t.l, &t.d);
	assert_true(t.l.posted > 0);
	expect(&t, ZR_DIFF);
	script_clear(&t.d);
	/* Comes what is there. */
	script_add(&t.d, DIFF_OLD, t.b.now.v[0]);
	script_add(&t.d, DIFF_NEW, t.m.v[0]);
	script_add(&t.d, DIFF_ADD, t.b.now.v[t.b.now.n - 1]);
	try_diff(&t);
	/* Twice. */
	script_add(&t.d, DIFF_OLD, t.b.now.v[0]);
	script_add(&t.d, DIFF_DEL, t.b.now.v[5]);
	script_add(&t.d, DIFF_DEL, t.b.now.v[5]);
	try_diff(&t);
	/* From another SOA than ours, though of our serial. */
	model_copy(&other, &t.b.now);
	bed_set_serial(&gen, &other, 9);
	script_add(&t.d, DIFF_OLD, other.v[0]);
	script_add(&t.d, DIFF_NEW, t.m.v[0]);
	try_diff(&t);
	model_clear(&other);
	end(&t);
}

/* ---- malformed SOAs ---- */

static void
test_malformed_soa(void **state)
{
	static const uint8_t rdata[] = {0, 0, 1, 2, 3};
	struct story t;
	struct rr *soa;
	struct load_env env;
	struct diffload *d;

	(void)state;
	begin(&t, 50);
	load_now(&t, STREAM_SORTED);
	t.s.v[0]->rdlen--;
	load_full(&t.l, &t.s);
	t.s.v[0]->rdlen++;
	expect(&t, ZR_FORMERR);
	soa = rr_dup(t.m.v[0]);
	soa->rdata = rdata;
	soa->rdlen = sizeof(rdata);
	load_init(&t.l, &t.b, XFRIN_IXFR);
	env = (struct load_env){t.l.job, &t.l.stager, t.b.fx.r, t.b.fx.dir};
	d = diffload_new(&env);
	assert_int_equal(diffload_old(d, soa, &t.l.err), -1);
	diffload_free(d);
	expect(&t, ZR_FORMERR);
	load_init(&t.l, &t.b, XFRIN_IXFR);
	env = (struct load_env){t.l.job, &t.l.stager, t.b.fx.r, t.b.fx.dir};
	d = diffload_new(&env);
	assert_int_equal(diffload_old(d, t.b.now.v[0], &t.l.err), 0);
	assert_int_equal(diffload_new_soa(d, soa, &t.l.err), -1);
	diffload_free(d);
	expect(&t, ZR_FORMERR);
	free(soa);
	end(&t);
}

/* ---- memory ---- */

/*
 * Small enough to be held until the commit, so the store's thread sleeps meanwhile and every
 * allocation that fails is one of ours.
 */
static void
test_every_allocation(void **state)
{
	struct story t;
	unsigned n = 0;

	(void)state;
	begin(&t, 300);
	for (unsigned diff = 0; diff < 2; diff++) {
		if (diff == 1)
			script_step(&t.d, &gen, &t.b.now, &t.m);
		for (n = 1;; n++) {
			load_now(&t, STREAM_OWNERS);
			zr_mem_fail_after(n);
			if (diff == 1)
				load_diff(&t.l, &t.d);
			else
				load_full(&t.l, &t.s);
			zr_mem_fail_after(0);
			assert_int_equal(t.l.posted, 0);
			if (t.l.ok)
				break;
			expect(&t, ZR_NOMEM);
		}
		assert_true(n > 3);
		stager_abort(&t.l.stager);
		load_clear(&t.l);
	}
	end(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_disk_full),
	    cmocka_unit_test(test_disk_full_for_a_difference),
	    cmocka_unit_test(test_disk_full_for_the_spill),
	    cmocka_unit_test(test_zone_removed_meanwhile),
	    cmocka_unit_test(test_spill_limit),
	    cmocka_unit_test(test_difference_too_large),
	    cmocka_unit_test(test_difference_does_not_fit),
	    cmocka_unit_test(test_malformed_soa),
	    cmocka_unit_test(test_every_allocation),
	};

	signal(SIGXFSZ, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
