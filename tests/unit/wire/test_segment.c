/* SPDX-License-Identifier: BSD-2-Clause */
/* Packing and reading back: what a zone becomes, where it is cut, and that it comes out as it went
 * in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "model.h"

static struct gen g;

static void
fill(struct model *m, unsigned n)
{
	struct rr rr;

	gen_soa(&g, m->apex, 1, &rr);
	model_put(m, &rr);
	for (unsigned i = 0; i < n; i++) {
		gen_rr(&g, m->apex, &rr);
		model_put(m, &rr);
	}
}

static void
round_trip(const char *apex, uint64_t seed, unsigned records, bool odd, unsigned rdata)
{
	struct model m, back;
	struct stored_list a = {0}, b = {0};

	gen_init(&g, seed);
	g.odd = odd;
	g.rdata = rdata;
	g.nsec3 = odd ? 20 : 0;
	model_init(&m, apex);
	model_init(&back, apex);
	fill(&m, records);
	stored_pack(&a, &m);
	assert_true(stored_unpack(&a, &back));
	assert_true(model_equal(&m, &back));
	stored_pack(&b, &back);
	assert_null(stored_differ(&a, &b));
	stored_clear(&a);
	stored_clear(&b);
	model_clear(&m);
	model_clear(&back);
}

static void
test_round_trip(void **state)
{
	(void)state;
	round_trip("example.", 1, 0, false, 60);
	round_trip("example.", 2, 3000, false, 60);
	round_trip("Example.Test.", 3, 3000, true, 60);
	round_trip("example.", 4, 400, true, 3000);
	round_trip("example.", 5, 60, false, 64000);
	round_trip(".", 6, 2000, true, 100);
	round_trip("a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.w.x.y.z.", 7, 1500, true, 60);
}

static void
test_long_apex(void **state)
{
	char apex[300], label[64];

	(void)state;
	memset(label, 'x', 62);
	label[62] = '\0';
	/* 3 * 63 + 63 octets and the root: nothing fits below it. */
	snprintf(apex, sizeof(apex), "%s.%s.%s.%s.", label, label, label, label);
	round_trip(apex, 8, 0, false, 60);
	snprintf(apex, sizeof(apex), "%s.%s.%s.", label, label, label);
	round_trip(apex, 9, 500, true, 60);
}

/* ---- cuts ---- */

struct watch {
	struct stored_list list;
	bool cut;
};

static int
watch_sink(void *arg, const struct segment *s, struct zr_err *e)
{
	struct watch *w = arg;

	w->cut = true;
	return stored_sink(&w->list, s, e);
}

static bool
new_owner(const struct model *m, size_t i)
{
	return i == 0 || rr_part(m->v[i]) != rr_part(m->v[i - 1]) ||
	       !name_equal(m->v[i]->owner, m->v[i - 1]->owner);
}

/* Every cut and every place without one is justified; packer_would_cut() foretells both. */
static void
check_cuts(const struct model *m)
{
	struct watch w = {0};
	struct packer *p = packer_new(m->apex, watch_sink, &w);
	size_t max = SEGMENT_OFFSET_MAX + 1 - 12 - name_len(m->apex) - 4, before, after, key_len, n;
	uint8_t key[RR_KEY_MAX];
	const uint8_t *now;
	bool would;

	for (size_t i = 0; i < m->n; i++) {
		before = packer_pending(p);
		key_len = 0;
		would = packer_would_cut(p, m->v[i], key, &key_len);
		assert_int_equal(packer_pending(p), before);
		w.cut = false;
		assert_int_equal(packer_add(p, m->v[i], NULL), 0);
		after = packer_pending(p);
		now = packer_key(p, &n);
		assert_int_equal(w.cut, would);
		if (w.cut) {
			assert_true(after < before || before + after > max);
			if (before + after <= max) {
				/* Compressed against the segment before it could be shorter. */
				assert_true(new_owner(m, i));
				assert_true(before >= SEGMENT_CUT_MIN);
			}
			assert_int_equal(n, key_len);
			assert_memory_equal(now, key, n);
		} else {
			assert_true(after <= max || before == 0);
			assert_true(before < SEGMENT_CUT_SOFT || !new_owner(m, i));
		}
	}
	assert_int_equal(packer_flush(p, NULL), 0);
	packer_free(p);
	stored_clear(&w.list);
}

/* Keys rise, lead to the records behind them and lie above those before. */
static void
check_keys(const struct model *m)
{
	struct stored_list l = {0};
	uint8_t key[RR_KEY_MAX];
	size_t at = 0, owner_len, n;
	const struct stored *s;

	stored_pack(&l, m);
	for (size_t i = 0; i < l.n; i++) {
		s = &l.v[i];
		n = rr_key(m->v[at], m->apex, key, &owner_len);
		assert_true(s->len <= SEGMENT_DATA_MAX);
		if (new_owner(m, at)) {
			assert_int_equal(s->key_len, owner_len);
			assert_memory_equal(s->key, key, owner_len);
		} else {
			n = n < SEGMENT_KEY_INNER ? n : SEGMENT_KEY_INNER;
			assert_true(s->key_len == n || s->key_len == RR_KEY_MAX);
			assert_memory_equal(s->key, key, n);
		}
		if (i > 0) {
			n = l.v[i - 1].key_len < s->key_len ? l.v[i - 1].key_len : s->key_len;
			assert_true(memcmp(l.v[i - 1].key, s->key, n) < 0 ||
				    (memcmp(l.v[i - 1].key, s->key, n) == 0 &&
					l.v[i - 1].key_len < s->key_len));
		}
		if (at > 0 && l.v[i - 1].key_len < RR_KEY_MAX) {
			n = rr_key(m->v[at - 1], m->apex, key, NULL);
			n = n < SEGMENT_KEY_INNER ? n : SEGMENT_KEY_INNER;
			assert_int_equal(stored_at(&l, key, n), i - 1);
		}
		at += s->rrs;
	}
	assert_int_equal(at, m->n);
	stored_clear(&l);
}

static void
test_cuts(void **state)
{
	static const unsigned rdata[] = {30, 300, 3000, 30000};
	struct model m;

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		gen_init(&g, 100 + i);
		g.rdata = rdata[i % 4];
		g.odd = i >= 4;
		g.nsec3 = 10;
		g.owners = i % 2 == 0 ? 20 : 400;
		model_init(&m, "example.");
		fill(&m, 2000 / (1 + g.rdata / 300));
		check_cuts(&m);
		check_keys(&m);
		model_clear(&m);
	}
}

/* Records that differ only behind the part that a key holds: numbered keys. */
static void
test_long_common_prefix(void **state)
{
	struct model m;
	struct stored_list l = {0};
	uint8_t rdata[9000] = {0};
	struct rr rr = {.type = 16, .class = CLASS_IN, .ttl = 300, .rdata = rdata};
	unsigned numbered = 0;

	(void)state;
	gen_init(&g, 1);
	model_init(&m, "example.");
	fill(&m, 50);
	rr.owner = g.owner;
	rr.owner_len = (uint8_t)gen_owner(&g, m.apex, 5, g.owner);
	for (unsigned i = 0; i < 60; i++) {
		rr.rdlen = (uint16_t)(2000 + 100 * (i % 7));
		put_u16(rdata + 1500, (uint16_t)(i * 37 % 60));
		model_put(&m, &rr);
	}
	check_cuts(&m);
	check_keys(&m);
	stored_pack(&l, &m);
	for (size_t i = 0; i < l.n; i++)
		numbered += l.v[i].key_len == RR_KEY_MAX;
	assert_true(numbered >= 6);
	stored_clear(&l);
	model_clear(&m);
}

static struct rr
txt(const uint8_t *owner, const uint8_t *rdata, uint16_t len)
{
	return (struct rr){.owner = owner,
	    .owner_len = (uint8_t)name_len(owner),
	    .type = 16,
	    .class = CLASS_IN,
	    .ttl = 300,
	    .rdata = rdata,
	    .rdlen = len};
}

static void
test_giants(void **state)
{
	static uint8_t big[UINT16_MAX];
	struct model m;
	struct stored_list l = {0};
	struct packer *p;
	struct zr_err e = {0};
	uint8_t owner[NAME_MAX_LEN];
	struct rr rr;

	(void)state;
	model_init(&m, "example.");
	gen_init(&g, 3);
	fill(&m, 0);
	assert_int_not_equal(name_from_text("big.example.", owner), 0);
	for (unsigned i = 0; i < 4; i++) {
		big[0] = (uint8_t)i;
		rr = txt(owner, big, i % 2 == 0 ? 64000 : 100);
		model_put(&m, &rr);
	}
	stored_pack(&l, &m);
	assert_int_equal(l.n, 5); /* SOA | big | small | big | small */
	for (size_t i = 1; i < l.n; i++)
		assert_int_equal(l.v[i].rrs, 1);
	check_cuts(&m);
	check_keys(&m);
	stored_clear(&l);
	model_clear(&m);

	p = packer_new(m.apex, stored_sink, &l);
	rr = txt(owner, big, SEGMENT_DATA_MAX - 4 - 2 - 10); /* "big", pointer, fixed part */
	assert_int_equal(packer_add(p, &rr, &e), 0);
	assert_int_equal(packer_pending(p), SEGMENT_DATA_MAX);
	assert_int_equal(packer_flush(p, &e), 0);
	rr.rdlen++;
	assert_int_equal(packer_add(p, &rr, &e), -1);
	assert_int_equal(e.code, ZR_LIMIT);
	assert_int_equal(l.n, 1);
	packer_free(p);
	stored_clear(&l);
}

/* ---- refusals ---- */

static enum zr_code
add_two(const struct rr *a, const struct rr *b)
{
	uint8_t apex[NAME_MAX_LEN];
	struct stored_list l = {0};
	struct zr_err e = {0};
	struct packer *p;

	name_from_text("example.", apex);
	p = packer_new(apex, stored_sink, &l);
	if (packer_add(p, a, &e) == 0)
		packer_add(p, b, &e);
	packer_free(p);
	stored_clear(&l);
	return e.code;
}

static void
test_refuses(void **state)
{
	uint8_t a_name[NAME_MAX_LEN], b_name[NAME_MAX_LEN], up_name[NAME_MAX_LEN];
	const uint8_t one[] = {1, 'x'}, two[] = {1, 'y'}, bad[] = {3, 'a', 'b'};
	struct rr a, b, c;

	(void)state;
	name_from_text("a.example.", a_name);
	name_from_text("A.example.", up_name);
	name_from_text("b.example.", b_name);
	a = txt(a_name, one, 2);
	b = txt(b_name, one, 2);
	assert_int_equal(add_two(&a, &b), ZR_OK);
	assert_int_equal(add_two(&b, &a), ZR_INTERNAL);
	assert_int_equal(add_two(&a, &a), ZR_INTERNAL);
	c = txt(up_name, one, 2); /* the same record but for its case */
	assert_int_equal(add_two(&a, &c), ZR_INTERNAL);
	c = txt(up_name, two, 2);
	assert_int_equal(add_two(&a, &c), ZR_OK);
	assert_int_equal(add_two(&c, &a), ZR_INTERNAL);
	c = txt(a_name, one, 2);
	c.type = TYPE_NSEC3; /* behind everything of the normal part */
	assert_int_equal(add_two(&b, &c), ZR_OK);
	assert_int_equal(add_two(&c, &b), ZR_INTERNAL);
	c = txt(b_name, bad, 3);
	c.type = TYPE_NS;
	assert_int_equal(add_two(&a, &c), ZR_FORMERR);
	c.rdlen = 0;
	assert_int_equal(add_two(&a, &c), ZR_FORMERR);
	c = txt(b_name, (const uint8_t *)"\0x", 2); /* a name and something behind it */
	c.type = TYPE_NS;
	assert_int_equal(add_two(&a, &c), ZR_FORMERR);
}

static int
refuse_sink(void *arg, const struct segment *s, struct zr_err *e)
{
	(void)arg;
	(void)s;
	return zr_fail(e, ZR_DB, "full");
}

static void
test_sink_error(void **state)
{
	uint8_t apex[NAME_MAX_LEN];
	struct zr_err e = {0};
	struct packer *p;
	struct rr rr;

	(void)state;
	name_from_text("example.", apex);
	p = packer_new(apex, refuse_sink, NULL);
	gen_init(&g, 1);
	gen_soa(&g, apex, 1, &rr);
	assert_int_equal(packer_add(p, &rr, &e), 0);
	assert_int_equal(packer_flush(p, &e), -1);
	assert_int_equal(e.code, ZR_DB);
	packer_free(p);
}

/* ---- the octets themselves ---- */

static size_t
pack_text(struct stored_list *l, const char *const *names, unsigned n, uint16_t type)
{
	uint8_t apex[NAME_MAX_LEN], owner[NAME_MAX_LEN], rdata[NAME_MAX_LEN + 6] = {0};
	size_t fixed = type == 33 ? 6 : 0;
	struct packer *p;
	struct rr rr;

	name_from_text("example.", apex);
	p = packer_new(apex, stored_sink, l);
	for (unsigned i = 0; i < n; i++) {
		name_from_text(names[2 * i], owner);
		rr = txt(owner, rdata,
		    (uint16_t)(fixed + name_from_text(names[2 * i + 1], rdata + fixed)));
		rr.type = type;
		assert_int_equal(packer_add(p, &rr, NULL), 0);
	}
	packer_flush(p, NULL);
	packer_free(p);
	return l->v[0].len;
}

static void
test_compression(void **state)
{
	/* The question is at 12: "example" 12, root 20, type 21, class 23; data from 25 on. */
	static const char *const ns[] = {"a.example.", "Ns.a.example.", "a.example.",
	    "ns.a.example.", "b.example.", "ns.a.example."};
	static const uint8_t want[] = {1, 'a', 0xc0, 12,		      /* owner at 25 */
	    0, 2, 0, 1, 0, 0, 1, 0x2c, 0, 5, 2, 'N', 's', 0xc0, 25, 0xc0, 25, /* at 44 */
	    0, 2, 0, 1, 0, 0, 1, 0x2c, 0, 5, 2, 'n', 's', 0xc0, 25, /* not the same name */
	    1, 'b', 0xc0, 12,					    /* at 61 */
	    0, 2, 0, 1, 0, 0, 1, 0x2c, 0, 2, 0xc0, 56};
	static const char *const srv[] = {"a.example.", "a.example.", "b.example.", "a.example."};
	static const char *const elsewhere[] = {
	    "a.example.", "x.test.", "b.example.", "y.test.", "c.example.", "."};
	struct stored_list l = {0};

	(void)state;
	assert_int_equal(pack_text(&l, ns, 3, TYPE_NS), sizeof(want));
	assert_memory_equal(l.v[0].data, want, sizeof(want));
	stored_clear(&l);

	/* U-02: SRV targets stand as they are. */
	assert_int_equal(pack_text(&l, srv, 2, 33), 2 * (2 + 2 + 10 + 6 + 11));
	stored_clear(&l);
	assert_int_equal(pack_text(&l, elsewhere, 3, TYPE_NS),
	    3 * (2 + 2 + 10) + 8 /* x.test. */ + 4 /* y, pointer */ + 1 /* root */);
	stored_clear(&l);
}

static void
test_hostile(void **state)
{
	uint8_t apex[NAME_MAX_LEN], data[300];
	struct unpacker *u;
	struct zr_err e;
	struct rr rr;
	struct rng r;
	int rc;

	(void)state;
	name_from_text("example.", apex);
	u = unpacker_new(apex);
	rng_seed(&r, 5);
	for (unsigned round = 0; round < 20000; round++) {
		size_t n = rng_below(&r, sizeof(data));

		for (size_t i = 0; i < n; i++)
			data[i] = (uint8_t)(rng_below(&r, 3) == 0 ? rng_next(&r) : 0);
		unpacker_start(u, data, n);
		while ((rc = unpacker_next(u, &rr, &e)) > 0)
			assert_true(rr.owner_len > 0);
		if (rc < 0)
			assert_int_equal(unpacker_next(u, &rr, &e), 0);
	}
	unpacker_start(u, apex, 70000);
	assert_int_equal(unpacker_next(u, &rr, &e), -1);
	assert_int_equal(e.code, ZR_FORMERR);
	unpacker_start(u, NULL, 0);
	assert_int_equal(unpacker_next(u, &rr, &e), 0);
	unpacker_free(u);
}

/* ---- digests ---- */

static void
test_digest(void **state)
{
	uint8_t sum[SEGMENT_DIGEST] = {0}, was[SEGMENT_DIGEST], one[SEGMENT_DIGEST] = {0};
	uint8_t v[40][SEGMENT_DIGEST];
	struct rng r;

	(void)state;
	rng_seed(&r, 2);
	for (unsigned i = 0; i < 40; i++) {
		for (unsigned k = 0; k < SEGMENT_DIGEST; k++)
			v[i][k] = (uint8_t)rng_next(&r);
		digest_add(sum, v[i]);
	}
	memcpy(was, sum, sizeof(was));
	digest_add(sum, v[7]);
	digest_sub(sum, v[7]);
	assert_memory_equal(sum, was, sizeof(sum));
	for (unsigned i = 40; i-- > 0;)
		digest_sub(sum, v[i]);
	for (unsigned k = 0; k < SEGMENT_DIGEST; k++)
		assert_int_equal(sum[k], 0);
	one[SEGMENT_DIGEST - 1] = 1;
	digest_sub(sum, one); /* all ones */
	for (unsigned k = 0; k < SEGMENT_DIGEST; k++)
		assert_int_equal(sum[k], 255);
	digest_add(sum, one);
	for (unsigned k = 0; k < SEGMENT_DIGEST; k++)
		assert_int_equal(sum[k], 0);
}

/*
 * Layout and digest of a fixed zone.  If this fails the layout has changed: every stored zone will
 * be written again by its next transfer, and digests differ from those of older daemons.
 */
static void
test_frozen(void **state)
{
	static const char *const want =
	    "7c8f2fc242b314f10067ba1b71e7593616a0221e6b9ea2c2147315a93968b263";
	struct model m;
	struct stored_list l = {0};
	uint8_t sum[SEGMENT_DIGEST] = {0};
	char text[2 * SEGMENT_DIGEST + 1];

	(void)state;
	gen_init(&g, 2024);
	g.odd = true;
	g.nsec3 = 10;
	g.rdata = 200;
	model_init(&m, "example.");
	fill(&m, 2000);
	stored_pack(&l, &m);
	for (size_t i = 0; i < l.n; i++)
		digest_add(sum, l.v[i].digest);
	for (unsigned i = 0; i < SEGMENT_DIGEST; i++)
		snprintf(text + 2 * i, 3, "%02x", sum[i]);
	assert_string_equal(text, want);
	stored_clear(&l);
	model_clear(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_long_apex),
	    cmocka_unit_test(test_cuts),
	    cmocka_unit_test(test_long_common_prefix),
	    cmocka_unit_test(test_giants),
	    cmocka_unit_test(test_refuses),
	    cmocka_unit_test(test_sink_error),
	    cmocka_unit_test(test_compression),
	    cmocka_unit_test(test_hostile),
	    cmocka_unit_test(test_digest),
	    cmocka_unit_test(test_frozen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
