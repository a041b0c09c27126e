/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/rand.h"
#include "wire/name.h"
#include "wire/rr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define KEY_ROOM (1 + NAME_KEY_MAX + 2 + 4096)

static const uint8_t apex[] = "\007example";

static struct rr
record(const uint8_t *owner, uint16_t type, const void *rdata, uint16_t rdlen)
{
	return (struct rr){.owner = owner,
	    .owner_len = (uint8_t)name_len(owner),
	    .type = type,
	    .class = CLASS_IN,
	    .ttl = 300,
	    .rdata = rdata,
	    .rdlen = rdlen};
}

static int
sign(int v)
{
	return (v > 0) - (v < 0);
}

static void
test_layouts(void **state)
{
	/* RFC 3597 section 4 and RFC 1035: n may be compressed when sent, d never. */
	static const struct {
		uint16_t type;
		const char *kinds;
	} cases[] = {{2, "n"}, {3, "n"}, {4, "n"}, {5, "n"}, {6, "nnf"}, {7, "n"}, {8, "n"},
	    {9, "n"}, {12, "n"}, {14, "nn"}, {15, "fn"}, {17, "dd"}, {18, "fd"}, {21, "fd"},
	    {24, "fd*"}, {26, "fdd"}, {30, "d*"}, {33, "fd"}, {35, "fsssd"}, {36, "fd"}};
	const struct rdata_part *p;
	size_t next = 0, n;

	(void)state;
	for (unsigned type = 0; type <= UINT16_MAX; type++) {
		p = rdata_layout((uint16_t)type);
		if (next == COUNT(cases) || cases[next].type != type) {
			assert_null(p);
			continue;
		}
		assert_non_null(p);
		n = strlen(cases[next].kinds);
		for (size_t i = 0; i <= n; i++)
			assert_int_equal(p[i].kind, cases[next].kinds[i]);
		next++;
	}
	assert_int_equal(next, COUNT(cases));
}

static void
test_soa(void **state)
{
	static const uint8_t rdata[] = "\002ns\000\001h\000"
				       "\377\377\377\376\000\000\000\002\000\000\000\003"
				       "\000\000\000\004\200\000\000\005";
	struct rr rr = record(apex, TYPE_SOA, rdata, sizeof(rdata) - 1);
	struct soa soa;

	(void)state;
	assert_true(rr_soa(&rr, &soa));
	assert_int_equal(soa.serial, 0xfffffffe);
	assert_int_equal(soa.refresh, 2);
	assert_int_equal(soa.retry, 3);
	assert_int_equal(soa.expire, 4);
	assert_int_equal(soa.minimum, 0x80000005);
	assert_int_equal(soa.ttl, 300);
	for (uint16_t n = 0; n < sizeof(rdata) - 1; n++) {
		rr.rdlen = n;
		assert_false(rr_soa(&rr, &soa));
	}
	rr.rdlen = sizeof(rdata); /* one octet too many */
	assert_false(rr_soa(&rr, &soa));
	rr = record(apex, TYPE_NS, rdata, sizeof(rdata) - 1);
	assert_false(rr_soa(&rr, &soa));
}

static void
test_meta_types(void **state)
{
	(void)state;
	for (unsigned type = 0; type <= UINT16_MAX; type++) {
		assert_int_equal(rr_type_is_meta((uint16_t)type),
		    type == 0 || type == 41 || (type >= 128 && type <= 255)); /* U-09 */
	}
}

static void
test_parts(void **state)
{
	static const uint8_t over_nsec3[] = {0, 50, 8}, over_a[] = {0, 1, 8};
	struct rr rr = record(apex, TYPE_RRSIG, over_nsec3, 3);

	(void)state;
	assert_int_equal(rr_covers(&rr), TYPE_NSEC3);
	assert_int_equal(rr_part(&rr), 1);
	rr.rdata = over_a;
	assert_int_equal(rr_covers(&rr), TYPE_A);
	assert_int_equal(rr_part(&rr), 0);
	rr.rdlen = 1;
	assert_int_equal(rr_covers(&rr), 0);
	rr = record(apex, TYPE_A, over_nsec3, 3);
	assert_int_equal(rr_part(&rr), 0);
	rr.type = TYPE_NSEC3;
	assert_int_equal(rr_part(&rr), 1);
}

static void
test_order(void **state)
{
	static const uint8_t below[] = "\001B\007EXAMPLE", upper[] = "\007EXAMPLE";
	static const uint8_t over_nsec3[] = {0, 50}, over_ns[] = {0, 2};
	const struct rr ordered[] = {
	    record(upper, TYPE_SOA, "zz", 2), /* as type 0 */
	    record(apex, TYPE_A, "", 0),
	    record(upper, TYPE_A, "\000", 1),
	    record(apex, TYPE_A, "\000\000", 2),
	    record(apex, TYPE_A, "\001", 1),
	    record(apex, TYPE_A, "\377", 1), /* octets are unsigned */
	    record(apex, TYPE_NS, "a", 1),
	    record(apex, TYPE_RRSIG, over_ns, 2),
	    record(apex, 65280, "", 0),
	    record(below, TYPE_A, "", 0),
	    record(below, TYPE_SOA, "", 0), /* below the apex it is type 6 */
	    record(below, 7, "", 0),
	    record(apex, TYPE_RRSIG, over_nsec3, 2),
	    record(apex, TYPE_NSEC3, "", 0),
	    record(below, TYPE_NSEC3, "", 0),
	};
	uint8_t a[RR_KEY_MAX], b[RR_KEY_MAX];
	size_t an, bn;
	int c;

	(void)state;
	for (size_t i = 0; i < COUNT(ordered); i++) {
		for (size_t j = 0; j < COUNT(ordered); j++) {
			/* In part 1 types still order: NSEC3 (50) after RRSIG (46). */
			assert_int_equal(
			    sign(rr_cmp(&ordered[i], &ordered[j], apex)), i < j ? -1 : i > j);
			an = rr_key(&ordered[i], apex, a, NULL);
			bn = rr_key(&ordered[j], apex, b, NULL);
			c = memcmp(a, b, an < bn ? an : bn);
			c = c != 0 ? c : (int)an - (int)bn;
			assert_int_equal(sign(c), i < j ? -1 : i > j);
		}
	}
}

static void
test_key_octets(void **state)
{
	static const uint8_t owner[] = "\001B\007EXAMPLE";
	static const uint8_t want[] = {0, 'b', 0, 0, 0xff, 0x01, 9, 8};
	uint8_t key[RR_KEY_MAX], step[RR_KEY_MAX];
	static uint8_t big[UINT16_MAX];
	struct rr rr = record(owner, 0xff01, "\011\010", 2);
	size_t n, owner_len;

	(void)state;
	assert_int_equal(rr_key(&rr, apex, key, &owner_len), sizeof(want));
	assert_memory_equal(key, want, sizeof(want));
	assert_int_equal(owner_len, 4);
	assert_int_equal(rr_key_owner(&rr, apex, step), 4);
	assert_int_equal(rr_key_tail(&rr, 4, step), sizeof(want));
	assert_memory_equal(step, want, sizeof(want));
	/* Cut at RR_KEY_MAX, not before. */
	rr = record(owner, TYPE_A, big, RR_KEY_MAX - 6);
	assert_int_equal(rr_key(&rr, apex, key, NULL), RR_KEY_MAX);
	rr.rdlen--;
	assert_int_equal(rr_key(&rr, apex, key, NULL), RR_KEY_MAX - 1);
	rr.rdlen = UINT16_MAX;
	n = rr_key(&rr, apex, key, NULL);
	assert_int_equal(n, RR_KEY_MAX);
	/* The apex SOA, and a record without RDATA. */
	rr = record(apex, TYPE_SOA, NULL, 0);
	assert_int_equal(rr_key(&rr, apex, key, &owner_len), 4);
	assert_int_equal(owner_len, 2);
	assert_memory_equal(key, "\000\000\000\000", 4);
}

/* The uncut key, written down independently. */
static size_t
whole_key(const struct rr *rr, uint8_t *out)
{
	size_t n = 1;
	bool soa = rr->type == TYPE_SOA && name_equal(rr->owner, apex);

	out[0] = rr->type == 50 ||
		 (rr->type == 46 && rr->rdlen >= 2 && rr->rdata[0] == 0 && rr->rdata[1] == 50);
	n += name_key(rr->owner, apex, out + 1);
	out[n++] = soa ? 0 : (uint8_t)(rr->type >> 8);
	out[n++] = soa ? 0 : (uint8_t)rr->type;
	memcpy(out + n, rr->rdata, rr->rdlen);
	return n + rr->rdlen;
}

static struct rr
random_record(struct rng *r, uint8_t *owner, uint8_t *rdata)
{
	static const uint16_t type[] = {1, 2, 6, 46, 47, 50, 51, 256};
	static const uint16_t len[] = {0, 1, 2, 3, 4, 590, 595, 596, 600, 700};
	static const uint8_t octet[] = {0, 1, 'a', 'A', 50};
	uint16_t n = len[rng_below(r, COUNT(len))];
	size_t at = 0;

	for (unsigned i = (unsigned)rng_below(r, 3); i > 0; i--) {
		owner[at++] = 1;
		owner[at++] = octet[rng_below(r, COUNT(octet))];
	}
	memcpy(owner + at, rng_below(r, 2) ? "\007Example" : "\007example", 9);
	memset(rdata, 0, n);
	for (unsigned i = 0; i < 2 && n > 0; i++)
		rdata[i < n ? i : 0] = octet[rng_below(r, COUNT(octet))];
	if (n > 0)
		rdata[rng_below(r, n)] = octet[rng_below(r, COUNT(octet))];
	return record(owner, type[rng_below(r, COUNT(type))], rdata, n);
}

static void
test_order_and_keys_agree(void **state)
{
	static uint8_t owner[2][NAME_MAX_LEN], rdata[2][1024], key[2][KEY_ROOM];
	uint8_t cut[2][RR_KEY_MAX];
	struct rng r;
	struct rr a, b;
	size_t n[2], m[2];
	int c, k;

	(void)state;
	rng_seed(&r, 20);
	for (unsigned i = 0; i < 50000; i++) {
		a = random_record(&r, owner[0], rdata[0]);
		b = random_record(&r, owner[1], rdata[1]);
		n[0] = whole_key(&a, key[0]);
		n[1] = whole_key(&b, key[1]);
		k = memcmp(key[0], key[1], n[0] < n[1] ? n[0] : n[1]);
		k = k != 0 ? sign(k) : sign((int)n[0] - (int)n[1]);
		c = sign(rr_cmp(&a, &b, apex));
		assert_int_equal(c, k);
		assert_int_equal(c, -sign(rr_cmp(&b, &a, apex)));
		assert_int_equal(rr_same(&a, &b), c == 0);
		m[0] = rr_key(&a, apex, cut[0], NULL);
		m[1] = rr_key(&b, apex, cut[1], NULL);
		for (unsigned j = 0; j < 2; j++) {
			assert_int_equal(m[j], n[j] < RR_KEY_MAX ? n[j] : RR_KEY_MAX);
			assert_memory_equal(cut[j], key[j], m[j]);
		}
	}
}

static void
test_identity(void **state)
{
	static const uint8_t upper[] = "\007EXAMPLE", other[] = "\007exempla";
	const struct rr a = record(apex, TYPE_A, "\001\002\003\004", 4);
	struct rr b = a;

	(void)state;
	assert_true(rr_same(&a, &b));
	assert_true(rr_identical(&a, &b));
	b.ttl = 1; /* U-06: TTL and the owner's case are no part of identity */
	assert_true(rr_same(&a, &b));
	assert_false(rr_identical(&a, &b));
	b = a;
	b.owner = upper;
	assert_true(rr_same(&a, &b));
	assert_false(rr_identical(&a, &b));
	b.owner = other;
	assert_false(rr_same(&a, &b));
	b = a;
	b.rdlen = 3;
	assert_false(rr_same(&a, &b));
	assert_false(rr_identical(&a, &b));
	b = a;
	b.rdata = (const uint8_t *)"\001\002\003\005";
	assert_false(rr_same(&a, &b));
	b = a;
	b.class = 3;
	assert_false(rr_same(&a, &b));
	b = a;
	b.type = TYPE_NS;
	assert_false(rr_same(&a, &b));
	/* RDATA is compared bit by bit, names in it too (U-06). */
	b = record(apex, TYPE_NS, "\001a\000", 3);
	const struct rr c = record(apex, TYPE_NS, "\001A\000", 3);
	assert_false(rr_same(&b, &c));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_layouts),
	    cmocka_unit_test(test_soa),
	    cmocka_unit_test(test_meta_types),
	    cmocka_unit_test(test_parts),
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_key_octets),
	    cmocka_unit_test(test_order_and_keys_agree),
	    cmocka_unit_test(test_identity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
