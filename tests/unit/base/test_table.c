/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/rand.h"
#include "base/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

/* SipHash-c-d written from its definition, to check the one in table.c against. */
static uint64_t
rotl(uint64_t x, unsigned k)
{
	return x << k | x >> (64 - k);
}

static void
rounds(uint64_t v[4], int n)
{
	while (n-- > 0) {
		v[0] += v[1], v[1] = rotl(v[1], 13), v[1] ^= v[0], v[0] = rotl(v[0], 32);
		v[2] += v[3], v[3] = rotl(v[3], 16), v[3] ^= v[2];
		v[0] += v[3], v[3] = rotl(v[3], 21), v[3] ^= v[0];
		v[2] += v[1], v[1] = rotl(v[1], 17), v[1] ^= v[2], v[2] = rotl(v[2], 32);
	}
}

static uint64_t
siphash(int c, int d, uint64_t k0, uint64_t k1, const uint8_t *p, size_t len)
{
	uint64_t v[4] = {k0 ^ UINT64_C(0x736f6d6570736575), k1 ^ UINT64_C(0x646f72616e646f6d),
	    k0 ^ UINT64_C(0x6c7967656e657261), k1 ^ UINT64_C(0x7465646279746573)};

	for (size_t at = 0; at <= len; at += 8) {
		uint64_t m = len - at < 8 ? (uint64_t)len << 56 : 0;

		for (size_t i = 0; i < 8 && at + i < len; i++)
			m |= (uint64_t)p[at + i] << 8 * i;
		v[3] ^= m;
		rounds(v, c);
		v[0] ^= m;
	}
	v[2] ^= 0xff;
	rounds(v, d);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static void
test_hash_is_siphash13(void **state)
{
	struct rand_key key = rand_process_key();
	uint8_t p[64];

	(void)state;
	for (unsigned i = 0; i < sizeof(p); i++)
		p[i] = (uint8_t)i;
	/* The vector published with the algorithm, for 2-4: it anchors the function above. */
	assert_true(siphash(2, 4, UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908), p,
			15) == UINT64_C(0xa129ca6149be45e5));
	for (size_t n = 0; n <= sizeof(p); n++)
		assert_true(table_hash(p, n) == siphash(1, 3, key.k[0], key.k[1], p, n));
}

static void
test_put_get_del(void **state)
{
	struct table *t = table_new();
	int one, two;

	(void)state;
	assert_null(table_get(t, "a", 1));
	assert_null(table_del(t, "a", 1));
	assert_true(table_put(t, "a", 1, &one));
	assert_false(table_put(t, "a", 1, &two));
	assert_ptr_equal(table_get(t, "a", 1), &one);
	assert_true(table_put(t, "a\0", 2, &two)); /* the NUL is an octet like any other */
	assert_true(table_put(t, "", 0, &two));
	assert_int_equal(table_count(t), 3);
	assert_ptr_equal(table_del(t, "a", 1), &one);
	assert_null(table_get(t, "a", 1));
	assert_ptr_equal(table_get(t, "a\0", 2), &two);
	assert_ptr_equal(table_get(t, "", 0), &two);
	assert_int_equal(table_count(t), 2);
	table_free(t);
	table_free(NULL);
}

struct item {
	uint32_t key;
	uint32_t here; /* what the model says */
	uint32_t seen;
};

/* Random puts and deletes against a plain array. */
static void
test_against_a_model(void **state)
{
	enum { KEYS = 3000, STEPS = 300000 };
	struct item *item = calloc(KEYS, sizeof(*item));
	struct table *t = table_new();
	size_t count = 0;
	struct rng r;

	(void)state;
	rng_seed(&r, 1);
	for (uint32_t i = 0; i < KEYS; i++)
		item[i].key = i;
	for (int i = 0; i < STEPS; i++) {
		/* The set in use wanders, so that runs and tombstones come and go. */
		uint32_t k = (uint32_t)(rng_below(&r, 400) + (unsigned)i / 100) % KEYS;
		struct item *it = &item[k];

		assert_ptr_equal(table_get(t, &k, sizeof(k)), it->here ? it : NULL);
		if (rng_below(&r, 2) == 0) {
			assert_int_equal(table_put(t, &it->key, sizeof(it->key), it), !it->here);
			count += !it->here;
			it->here = 1;
		} else {
			assert_ptr_equal(table_del(t, &k, sizeof(k)), it->here ? it : NULL);
			count -= it->here;
			it->here = 0;
		}
		assert_int_equal(table_count(t), count);
	}
	for (uint32_t k = 0; k < KEYS; k++)
		assert_ptr_equal(table_get(t, &k, sizeof(k)), item[k].here ? &item[k] : NULL);
	/* 400 live keys at most at a time: tombstones must not have made it grow on. */
	assert_true(table_bytes(t) < 24 * 16384);
	table_free(t);
	free(item);
}

static void
test_delete_while_iterating(void **state)
{
	enum { KEYS = 1000 };
	static struct item item[KEYS];
	struct table *t = table_new();
	struct item *it;
	size_t pos = 0, n = 0;

	(void)state;
	for (uint32_t i = 0; i < KEYS; i++) {
		item[i].key = i;
		table_put(t, &item[i].key, sizeof(item[i].key), &item[i]);
	}
	while ((it = table_next(t, &pos)) != NULL) {
		it->seen++;
		n++;
		if (it->key % 3 != 0)
			assert_ptr_equal(table_del(t, &it->key, sizeof(it->key)), it);
	}
	assert_int_equal(n, KEYS);
	for (uint32_t i = 0; i < KEYS; i++)
		assert_int_equal(item[i].seen, 1);
	assert_int_equal(table_count(t), (KEYS + 2) / 3);
	for (pos = 0, n = 0; table_next(t, &pos) != NULL;)
		n++;
	assert_int_equal(n, (KEYS + 2) / 3);
	table_free(t);
}

static void
test_a_million_keys(void **state)
{
	enum { KEYS = 1000000 };
	uint64_t *key = malloc(KEYS * sizeof(*key));
	struct table *t = table_new();
	uint64_t k;

	(void)state;
	for (size_t i = 0; i < KEYS; i++) {
		key[i] = (uint64_t)i << 20;
		assert_true(table_put(t, &key[i], sizeof(key[i]), &key[i]));
	}
	assert_int_equal(table_count(t), KEYS);
	assert_true(table_bytes(t) <= (size_t)110 << 20);
	for (size_t i = 0; i < KEYS; i++) {
		k = (uint64_t)i << 20;
		if (table_get(t, &k, sizeof(k)) != &key[i])
			fail_msg("key %zu is lost", i);
		k++;
		if (table_get(t, &k, sizeof(k)) != NULL)
			fail_msg("key %zu was never put", i);
	}
	for (size_t i = 0; i < KEYS; i++)
		if (table_del(t, &key[i], sizeof(key[i])) != &key[i])
			fail_msg("key %zu cannot be deleted", i);
	assert_int_equal(table_count(t), 0);
	table_free(t);
	free(key);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_hash_is_siphash13),
	    cmocka_unit_test(test_put_get_del),
	    cmocka_unit_test(test_against_a_model),
	    cmocka_unit_test(test_delete_while_iterating),
	    cmocka_unit_test(test_a_million_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
