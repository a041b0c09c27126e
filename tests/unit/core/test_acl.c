/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/rand.h"
#include "core/acl.h"

static struct zr_addr
address(const char *text)
{
	struct zr_addr a;

	assert_true(addr_parse_ip(text, &a));
	return a;
}

static struct acl_entry
entry(const char *text, uint32_t id)
{
	struct acl_entry e = {.id = id};

	assert_true(prefix_parse(text, &e.prefix));
	return e;
}

/* The ids found, in the order they come. */
static void
assert_ids(const struct acl *a, const char *text, size_t n, const uint32_t *ids)
{
	struct zr_addr at = address(text);
	struct acl_iter it;
	uint32_t id;

	acl_start(a, &at, &it);
	for (size_t i = 0; i < n; i++) {
		assert_true(acl_next(a, &it, &id));
		assert_int_equal(id, ids[i]);
	}
	assert_false(acl_next(a, &it, &id));
	assert_false(acl_next(a, &it, &id));
	assert_int_equal(acl_known(a, &at), n > 0);
	for (size_t i = 0; i < n; i++)
		assert_true(acl_has(a, &at, ids[i]));
	assert_false(acl_has(a, &at, 99));
}

#define IDS(...)                                                                                   \
	sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t), (uint32_t[])                         \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}

static void
longest_prefix_first(void **state)
{
	const struct acl_entry v[] = {
	    entry("192.0.0.0/16", 1),
	    entry("192.0.2.7", 2),
	    entry("192.0.2.0/24", 3),
	    entry("192.0.2.7/32", 4),
	    entry("0.0.0.0/0", 5),
	    entry("2001:db8::/32", 6),
	    entry("2001:db8::1", 7),
	    entry("10.0.0.0/8", 8),
	};
	struct acl *a = acl_new(v, sizeof(v) / sizeof(v[0]));

	(void)state;
	assert_ids(a, "192.0.2.7", IDS(2, 4, 3, 1, 5));
	assert_ids(a, "192.0.2.8", IDS(3, 1, 5));
	assert_ids(a, "192.0.3.7", IDS(1, 5));
	assert_ids(a, "11.0.0.1", IDS(5));
	assert_ids(a, "10.255.255.255", IDS(8, 5));
	assert_ids(a, "2001:db8::1", IDS(7, 6));
	assert_ids(a, "2001:db8:ffff::1", IDS(6));
	assert_ids(a, "2001:db9::1", 0, NULL);
	assert_ids(a, "::ffff:192.0.2.8", IDS(3, 1, 5)); /* */
	acl_free(a);
}

static void
empty_knows_nobody(void **state)
{
	struct acl *a = acl_new(NULL, 0);

	(void)state;
	assert_ids(a, "192.0.2.1", 0, NULL);
	acl_free(a);
	acl_free(NULL);
}

static void
hosts_by_address_alone(void **state)
{
	struct zr_addr h = address("192.0.2.1");

	(void)state;
	h.port = 53;
	struct acl_entry e = {.prefix = acl_host(&h), .id = 1};
	struct acl *a = acl_new(&e, 1);
	h.port = 40000;
	assert_true(acl_known(a, &h));
	acl_free(a);
}

static void
scopes_of_link_local_addresses(void **state)
{
	struct zr_addr one = address("fe80::1"), two = one;

	(void)state;
	one.scope = 1;
	two.scope = 2;
	struct acl_entry v[] = {{acl_host(&one), 1}, entry("fe80::/10", 2)};
	struct acl *a = acl_new(v, 2);
	assert_true(acl_has(a, &one, 1));
	assert_false(acl_has(a, &two, 1));
	assert_true(acl_has(a, &two, 2));
	acl_free(a);
}

/* The same as trying every prefix. */
static void
agrees_with_the_simple_way(void **state)
{
	enum { N = 3000 };
	struct acl_entry *v = calloc(N, sizeof(*v));
	struct rng rng;

	(void)state;
	assert_non_null(v);
	rng_seed(&rng, 11);
	for (unsigned i = 0; i < N; i++) {
		struct zr_prefix *p = &v[i].prefix;
		bool six = rng_below(&rng, 2) != 0;
		p->addr.family = six ? 6 : 4;
		p->bits = (uint8_t)rng_below(&rng, six ? 129 : 33);
		for (unsigned k = 0; k < (six ? 16u : 4u); k++)
			p->addr.ip[k] = (uint8_t)rng_below(&rng, 3);
		/* No bits behind the prefix. */
		for (unsigned b = p->bits; b < (six ? 128u : 32u); b++)
			p->addr.ip[b / 8] &= (uint8_t) ~(0x80u >> (b % 8));
		v[i].id = i;
	}
	struct acl *a = acl_new(v, N);
	for (unsigned i = 0; i < 5000; i++) {
		struct zr_addr at = {.family = rng_below(&rng, 2) != 0 ? 6 : 4};
		for (unsigned k = 0; k < (at.family == 6 ? 16u : 4u); k++)
			at.ip[k] = (uint8_t)rng_below(&rng, 3);
		struct acl_iter it;
		uint32_t id;
		unsigned found = 0, expect = 0;
		unsigned bits = 200;
		for (unsigned k = 0; k < N; k++)
			expect += prefix_match(&v[k].prefix, &at);
		acl_start(a, &at, &it);
		while (acl_next(a, &it, &id)) {
			assert_true(prefix_match(&v[id].prefix, &at));
			assert_true(v[id].prefix.bits <= bits);
			bits = v[id].prefix.bits;
			found++;
		}
		assert_int_equal(found, expect);
	}
	acl_free(a);
	free(v);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(longest_prefix_first),
	    cmocka_unit_test(empty_knows_nobody),
	    cmocka_unit_test(hosts_by_address_alone),
	    cmocka_unit_test(scopes_of_link_local_addresses),
	    cmocka_unit_test(agrees_with_the_simple_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
