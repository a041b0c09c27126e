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

#include "base/buf.h"
#include "base/mem.h"
#include "rig.h"
#include "wire/delta.h"

#define LIMIT (64 * 1024 * 1024)

static struct gen g;

/* One transfer being made up: the zone after it, what was sent. */
struct story {
	struct model m;	   /* the zone now */
	struct model down; /* a downstream that only gets differences */
	struct rig rig;
	struct changes *c;
	uint32_t serial;
	uint64_t touched; /* segments written by steps of one change */
	uint64_t small;	  /* such steps */
};

static uint64_t
below(uint64_t n)
{
	return rng_below(&g.rng, n);
}

static void
del(struct story *s, const struct rr *rr)
{
	struct rr *copy = rr_dup(rr);

	copy->ttl += (uint32_t)below(2); /* a deletion's TTL does not matter (U-06) */
	assert_int_equal(changes_del(s->c, copy, NULL), 0);
	assert_true(model_del(&s->m, copy));
	free(copy);
}

static void
add(struct story *s, const struct rr *rr)
{
	bool found;

	model_find(&s->m, rr, &found);
	if (found)
		return;
	assert_int_equal(changes_add(s->c, rr, NULL), 0);
	model_put(&s->m, rr);
}

static size_t
any(const struct story *s)
{
	return 1 + below(s->m.n - 1); /* never the SOA */
}

static void
add_some(struct story *s, unsigned n)
{
	struct rr rr;

	while (n-- > 0) {
		gen_rr(&g, s->m.apex, &rr);
		add(s, &rr);
	}
}

static void
add_at_owner(struct story *s, unsigned n)
{
	unsigned owner = (unsigned)below(g.owners);
	struct rr rr;

	while (n-- > 0) {
		gen_rr_at(&g, s->m.apex, owner, &rr);
		add(s, &rr);
	}
}

static void
del_some(struct story *s, unsigned n)
{
	while (n-- > 0 && s->m.n > 1)
		del(s, s->m.v[any(s)]);
}

static void
del_range(struct story *s, size_t from, size_t n)
{
	while (n-- > 0 && from < s->m.n)
		del(s, s->m.v[from]);
}

/* All records of the owner of record `at`, in both parts or in one. */
static void
del_owner(struct story *s, size_t at)
{
	struct rr *like = rr_dup(s->m.v[at]);

	for (size_t i = s->m.n; i-- > 1;) {
		if (name_equal(s->m.v[i]->owner, like->owner))
			del(s, s->m.v[i]);
	}
	free(like);
}

static void
change_ttl(struct story *s, unsigned n)
{
	struct rr *rr;

	while (n-- > 0 && s->m.n > 1) {
		rr = rr_dup(s->m.v[any(s)]);
		del(s, rr);
		rr->ttl = 1 + (uint32_t)below(5000);
		add(s, rr);
		free(rr);
	}
}

static void
change_case(struct story *s, unsigned n)
{
	struct rr *rr;
	uint8_t *owner;

	while (n-- > 0 && s->m.n > 1) {
		rr = rr_dup(s->m.v[any(s)]);
		owner = zr_xmemdup(rr->owner, rr->owner_len);
		for (unsigned i = 0; i < rr->owner_len; i++) {
			if (owner[i] >= 'a' && owner[i] <= 'z' && below(2) == 0)
				owner[i] = (uint8_t)(owner[i] - 32);
		}
		del(s, rr);
		rr->owner = owner;
		add(s, rr);
		free(owner);
		free(rr);
	}
}

/* Added and deleted again, or deleted and added again. */
static void
no_ops(struct story *s, unsigned n)
{
	struct rr rr, *copy;
	bool found;

	while (n-- > 0 && s->m.n > 1) {
		gen_rr(&g, s->m.apex, &rr);
		model_find(&s->m, &rr, &found);
		if (!found) {
			add(s, &rr);
			del(s, &rr);
		}
		copy = rr_dup(s->m.v[any(s)]);
		del(s, copy);
		add(s, copy);
		free(copy);
	}
}

/* Records that share all the octets that a key holds. */
static void
add_alike(struct story *s)
{
	static uint8_t rdata[9000];
	struct rr rr = {.owner = g.owner,
	    .type = 16,
	    .class = CLASS_IN,
	    .ttl = 60,
	    .rdata = rdata,
	    .rdlen = (uint16_t)(3000 + below(6000))};

	rr.owner_len = (uint8_t)gen_owner(&g, s->m.apex, 3, g.owner);
	for (unsigned n = 1 + (unsigned)below(8); n-- > 0;) {
		put_u32(rdata + 1000, (uint32_t)below(20));
		rr.rdlen = (uint16_t)(3000 + 500 * below(3));
		add(s, &rr);
	}
}

static void
del_alike(struct story *s)
{
	for (size_t i = s->m.n; i-- > 1;) {
		if (s->m.v[i]->rdlen >= 3000 && s->m.v[i]->rdata[0] == 0 && below(3) == 0)
			del(s, s->m.v[i]);
	}
}

/* At the very places where segments meet. */
static void
at_boundary(struct story *s)
{
	const struct stored_list *l = &s->rig.base;
	size_t seg = below(l->n), at = 0;
	struct rr rr;
	unsigned n = 1 + (unsigned)below(4);

	for (size_t i = 0; i < seg; i++)
		at += l->v[i].rrs;
	/* Earlier changes of this step may have moved it a little; that does no harm. */
	switch (below(5)) {
	case 0: /* the first records */
		del_range(s, at == 0 ? 1 : at, n);
		break;
	case 1: /* the last records before */
		del_range(s, at > n ? at - n : 1, n);
		break;
	case 2: /* the whole first owner */
		if (at > 0 && at < s->m.n)
			del_owner(s, at);
		break;
	case 3: /* one more of the first owner */
		if (at == 0 || at >= s->m.n)
			break;
		gen_rr(&g, s->m.apex, &rr);
		rr.owner = s->m.v[at]->owner;
		rr.owner_len = s->m.v[at]->owner_len;
		add(s, &rr);
		break;
	default: /* both sides */
		del_range(s, at > 1 ? at - 1 : 1, 2);
		break;
	}
}

static void
giant(struct story *s)
{
	unsigned was = g.rdata;
	struct rr rr;

	g.rdata = 1000 + (unsigned)below(60000);
	gen_rr(&g, s->m.apex, &rr);
	if (rr.rdlen <= 62000)
		add(s, &rr);
	g.rdata = was;
}

static void
change_something(struct story *s)
{
	switch (below(16)) {
	case 0:
		add_some(s, 1 + (unsigned)below(60));
		break;
	case 1:
		del_some(s, 1 + (unsigned)below(60));
		break;
	case 2:
		add_at_owner(s, 1 + (unsigned)below(50));
		break;
	case 3:
		if (s->m.n > 1)
			del_owner(s, any(s));
		break;
	case 4:
		if (s->m.n > 1)
			del_range(s, any(s), below(300));
		break;
	case 5:
		change_ttl(s, 1 + (unsigned)below(10));
		break;
	case 6:
		change_case(s, 1 + (unsigned)below(10));
		break;
	case 7:
		no_ops(s, 1 + (unsigned)below(5));
		break;
	case 8:
		add_alike(s);
		break;
	case 9:
		del_alike(s);
		break;
	case 10:
	case 11:
	case 12:
		at_boundary(s);
		break;
	case 13:
		giant(s);
		break;
	case 14:
		if (s->m.n > 1) /* the last owner, or the first behind the apex */
			del_owner(s, below(2) == 0 ? s->m.n - 1 : 1);
		break;
	default:
		if (below(20) == 0)
			del_range(s, 1, s->m.n);
		else
			add_some(s, (unsigned)below(300));
		break;
	}
}

static void
bump_serial(struct story *s)
{
	struct rr rr;

	gen_soa(&g, s->m.apex, s->serial, &rr);
	del(s, &rr);
	gen_soa(&g, s->m.apex, ++s->serial, &rr);
	add(s, &rr);
}

/* ---- the checks ---- */

static int
to_downstream(void *arg, const struct delta_chunk *c, struct zr_err *e)
{
	struct buf *b = arg;

	(void)e;
	buf_u32(b, (uint32_t)c->len);
	buf_bytes(b, c->data, c->len);
	return 0;
}

/* Net changes through delta chunks to the downstream's copy: deletions first. */
static void
send_delta(struct story *s)
{
	struct buf part[2] = {BUF_INIT, BUF_INIT};
	struct deltapack *d[2];
	struct unpacker *u = unpacker_new(s->m.apex);
	struct change c;
	struct rr rr;
	struct rd rd;
	size_t n;

	for (unsigned i = 0; i < 2; i++)
		d[i] = deltapack_new(s->m.apex, to_downstream, &part[i]);
	assert_int_equal(changes_sort(s->c, NULL), 0);
	while (changes_next(s->c, &c, NULL) > 0) {
		if (c.op == CHANGE_DEL || c.op == CHANGE_REPLACE)
			assert_int_equal(deltapack_add(d[0], &c.rr, NULL), 0);
		if (c.op == CHANGE_ADD || c.op == CHANGE_REPLACE)
			assert_int_equal(deltapack_add(d[1], &c.rr, NULL), 0);
	}
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(deltapack_flush(d[i], NULL), 0);
		deltapack_free(d[i]);
		rd_init(&rd, part[i].data, part[i].len);
		while (rd_left(&rd) > 0) {
			n = rd_u32(&rd);
			unpacker_start(u, rd_bytes(&rd, n), n);
			while (unpacker_next(u, &rr, NULL) > 0) {
				if (i == 0)
					assert_true(model_del(&s->down, &rr));
				else
					assert_false(model_put(&s->down, &rr));
			}
		}
		buf_clear(&part[i]);
	}
	unpacker_free(u);
}

static void
check_layout(const struct story *s, const struct patch *p)
{
	struct stored_list want = {0};
	struct version_sum sum;
	const char *what;

	stored_pack(&want, &s->m);
	what = stored_differ(&s->rig.now, &want);
	if (what != NULL)
		fail_msg("serial %u: layouts differ in %s", s->serial, what);
	sum = stored_sum(&want);
	assert_memory_equal(&sum, patch_sum(p), sizeof(sum));
	assert_int_equal(patch_count(p)->written, s->rig.written);
	assert_int_equal(patch_count(p)->killed, s->rig.killed);
	stored_clear(&want);
}

static void
check_diff(const struct story *s, const struct model *before)
{
	struct model m;
	struct diff_count count;
	struct rr soa;

	model_copy(&m, before);
	assert_true(rig_diff(&s->rig.base, &s->rig.now, &m, &count));
	gen_soa(&g, m.apex, s->serial, &soa); /* the caller's part */
	model_del(&m, m.v[0]);
	model_put(&m, &soa);
	assert_true(model_equal(&m, &s->m));
	model_clear(&m);
}

static void
apply(struct story *s)
{
	struct version_sum base = stored_sum(&s->rig.base);
	struct patch *p;
	struct zr_err e = {0};

	stored_clear(&s->rig.now);
	stored_copy(&s->rig.now, &s->rig.base);
	s->rig.written = s->rig.killed = 0;
	assert_int_equal(changes_sort(s->c, NULL), 0);
	p = patch_new(s->m.apex, &rig_patch_ops, &s->rig, s->c, &base, 0);
	if (rig_run(p, (unsigned)below(20), &e) != PATCH_DONE)
		fail_msg("serial %u: %s", s->serial, e.text);
	check_layout(s, p);
	patch_free(p);
}

static void
step(struct story *s)
{
	struct model before;
	unsigned sequences = 1 + (unsigned)below(3);

	model_copy(&before, &s->m);
	s->c = changes_new(s->m.apex, LIMIT);
	while (sequences-- > 0) {
		for (unsigned n = (unsigned)below(4); n-- > 0;)
			change_something(s);
		bump_serial(s);
	}
	apply(s);
	check_diff(s, &before);
	send_delta(s);
	rig_commit(&s->rig);
	changes_free(s->c);
	model_clear(&before);
}

static void
begin(struct story *s, uint64_t seed, unsigned records)
{
	struct rr rr;

	gen_init(&g, seed);
	*s = (struct story){.serial = 1};
	model_init(&s->m, seed % 3 == 0 ? "." : "Zone.Example.");
	g.odd = seed % 2 == 0;
	g.nsec3 = seed % 4 == 3 ? 30 : 5;
	g.rdata = seed % 5 == 0 ? 700 : 90;
	g.owners = seed % 4 == 1 ? 12 : 500;
	gen_soa(&g, s->m.apex, s->serial, &rr);
	model_put(&s->m, &rr);
	for (unsigned i = 0; i < records; i++) {
		gen_rr(&g, s->m.apex, &rr);
		model_put(&s->m, &rr);
	}
	model_copy(&s->down, &s->m);
	rig_load(&s->rig, &s->m);
}

static void
end(struct story *s)
{
	assert_true(model_equal(&s->m, &s->down));
	model_clear(&s->m);
	model_clear(&s->down);
	rig_clear(&s->rig);
}

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
		begin(&s, i, i % 3 == 0 ? 0 : 1500);
		for (unsigned n = steps(100); n > 0; n--)
			step(&s);
		end(&s);
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
	begin(&s, 2, 8000);
	assert_true(s.rig.base.n > 20);
	for (unsigned i = 0; i < n; i++) {
		s.c = changes_new(s.m.apex, LIMIT);
		if (i % 2 == 0)
			add_some(&s, 1);
		else
			del_some(&s, 1);
		apply(&s);
		written += s.rig.written;
		rig_commit(&s.rig);
		changes_free(s.c);
	}
	assert_true(written < 3 * n);
	model_clear(&s.m);
	model_clear(&s.down);
	rig_clear(&s.rig);
}

/* ---- what does not fit ---- */

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
	begin(&s, 4, 3000);
	for (unsigned i = 0; i < 60; i++) {
		there = s.m.v[any(&s)];
		do {
			gen_rr(&g, s.m.apex, &rr);
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
	end(&s);
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
	begin(&s, 5, 4000);
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
	end(&s);
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
	begin(&s, 7, 2000);
	s.c = changes_new(s.m.apex, LIMIT);
	add_some(&s, 30);
	add_alike(&s);
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
	begin(&s, 8, 2000);
	for (unsigned i = 0; i < 300; i++) {
		struct stored *seg = &s.rig.base.v[below(s.rig.base.n)];
		size_t at = below(seg->len), len = seg->len;
		enum zr_code code;

		octet = seg->data[at];
		seg->data[at] = (uint8_t)below(256);
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
	end(&s);
}

/* One owner with very many records, changed in its middle and at its ends. */
static void
test_giant_owner(void **state)
{
	struct story s;
	uint8_t rdata[300] = {0};
	struct rr rr = {.type = 16, .class = CLASS_IN, .ttl = 60, .rdata = rdata, .rdlen = 40};

	(void)state;
	begin(&s, 11, 200);
	rr.owner = g.owner;
	rr.owner_len = (uint8_t)gen_owner(&g, s.m.apex, 9, g.owner);
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
			rr.owner_len = (uint8_t)gen_owner(&g, s.m.apex, 9, g.owner);
			put_u32(rdata, (uint32_t)below(5000) * 7);
			if (i % 2 == 0)
				put_u32(rdata, (uint32_t)below(35000));
			rr.rdlen = (uint16_t)(40 + 200 * below(2));
			model_find(&s.m, &rr, &(bool){false});
			if (i % 2 == 0)
				add(&s, &rr);
			else if (changes_count(s.c) < 3)
				at_boundary(&s);
		}
		apply(&s);
		rig_commit(&s.rig);
		changes_free(s.c);
	}
	s.c = changes_new(s.m.apex, LIMIT);
	rr.owner_len = (uint8_t)gen_owner(&g, s.m.apex, 9, g.owner);
	for (size_t i = s.m.n; i-- > 1;) {
		if (s.m.v[i]->type == 16 && s.m.v[i]->rdlen >= 40)
			del(&s, s.m.v[i]);
	}
	apply(&s);
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
	begin(&s, 13, 0);
	rig_clear(&s.rig);
	s.rig = (struct rig){0};
	s.c = changes_new(s.m.apex, LIMIT);
	gen_soa(&g, s.m.apex, 1, &rr);
	model_del(&s.m, &rr);
	add(&s, &rr);
	add_some(&s, 3000);
	apply(&s);
	rig_commit(&s.rig);
	changes_free(s.c);
	s.c = changes_new(s.m.apex, LIMIT);
	del_range(&s, 1, s.m.n);
	apply(&s);
	assert_int_equal(s.rig.now.n, 1);
	rig_commit(&s.rig);
	changes_free(s.c);
	s.c = changes_new(s.m.apex, LIMIT);
	del(&s, s.m.v[0]); /* not even an SOA: not to be committed, but not to be tripped over */
	apply(&s);
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
	    cmocka_unit_test(test_misfits),
	    cmocka_unit_test(test_nothing_to_write),
	    cmocka_unit_test(test_callback_errors),
	    cmocka_unit_test(test_damaged),
	    cmocka_unit_test(test_giant_owner),
	    cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
