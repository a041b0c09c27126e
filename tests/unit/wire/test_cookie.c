/* SPDX-License-Identifier: BSD-2-Clause */
/* RFC 9018 appendix A, and what may be wrong with a cookie (C-05, C-07). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/cookie.h"
#include "wire/msg.h"

static const uint8_t secret[] = {
    0xe5, 0xe9, 0x73, 0xe5, 0xa6, 0xb2, 0xa4, 0x3f, 0x48, 0xe7, 0xdc, 0x84, 0x9e, 0x37, 0xbf, 0xcf};

static void
unhex(const char *text, uint8_t *out)
{
	for (; *text != '\0'; text += 2) {
		char two[3] = {text[0], text[1], '\0'};

		*out++ = (uint8_t)strtoul(two, NULL, 16);
	}
}

struct vector {
	const char *secret, *client, *ip, *given; /* given: the server cookie it came with */
	uint32_t now;
	enum cookie_state state;
	const char *fresh;
};

static const struct vector vectors[] = {
    /* A.1: a client learns its first one */
    {"e5e973e5a6b2a43f48e7dc849e37bfcf", "2464c4abcf10c957", "198.51.100.100", NULL, 1559731985,
	COOKIE_BAD, "010000005cf79f111f8130c3eee29480"},
    /* A.2: 40 minutes later the same client gets a newer one */
    {"e5e973e5a6b2a43f48e7dc849e37bfcf", "2464c4abcf10c957", "198.51.100.100",
	"010000005cf79f111f8130c3eee29480", 1559734385, COOKIE_OLD,
	"010000005cf7a871d4a564a1442aca77"},
    /* A.3: reserved octets that are not zero */
    {"e5e973e5a6b2a43f48e7dc849e37bfcf", "fc93fc62807ddb86", "203.0.113.203",
	"01abcdef5cf78f71a314227b6679ebf5", 1559728000, COOKIE_GOOD, NULL},
    {"e5e973e5a6b2a43f48e7dc849e37bfcf", "fc93fc62807ddb86", "203.0.113.203", NULL, 1559734700,
	COOKIE_BAD, "010000005cf7a9acf73a7810aca2381e"},
    /* A.4: IPv6, and a new secret */
    {"dd3bdf9344b678b185a6f5cb60fca715", "22681ab97d52c298", "2001:db8:220:1:59de:d0f4:8769:82b8",
	"010000005cf7c57926556bd0934c72f8", 1559741817, COOKIE_GOOD, NULL},
    {"445536bcd2513298075a5d379663c962", "22681ab97d52c298", "2001:db8:220:1:59de:d0f4:8769:82b8",
	NULL, 1559741961, COOKIE_BAD, "010000005cf7c609a6bb79d16625507a"},
};

static void
test_vectors(void **state)
{
	struct cookie_mac *m = cookie_mac_new();
	uint8_t key[COOKIE_SECRET], in[COOKIE_OURS], out[COOKIE_OURS], want[COOKIE_SERVER];
	struct zr_addr a;

	(void)state;
	assert_non_null(m);
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		const struct vector *v = &vectors[i];

		unhex(v->secret, key);
		unhex(v->client, in);
		assert_true(addr_parse_ip(v->ip, &a));
		if (v->given != NULL) {
			unhex(v->given, in + COOKIE_CLIENT);
			assert_int_equal(
			    cookie_check(m, key, in, COOKIE_OURS, &a, v->now), v->state);
		}
		if (v->fresh != NULL) {
			unhex(v->fresh, want);
			assert_true(cookie_make(m, key, in, &a, v->now, out));
			assert_memory_equal(out, in, COOKIE_CLIENT);
			assert_memory_equal(out + COOKIE_CLIENT, want, COOKIE_SERVER);
		}
	}
	cookie_mac_free(m);
}

static void
test_age(void **state)
{
	static const struct {
		int32_t age;
		enum cookie_state state;
	} ages[] = {{0, COOKIE_GOOD}, {1800, COOKIE_GOOD}, {1801, COOKIE_OLD}, {3600, COOKIE_OLD},
	    {3601, COOKIE_BAD}, {-300, COOKIE_GOOD}, {-301, COOKIE_BAD}, {INT32_MAX, COOKIE_BAD},
	    {INT32_MIN, COOKIE_BAD}};
	/* The second is close to where 32 bits end. */
	static const uint32_t starts[] = {1559731985, 4294967295U, 5};
	struct cookie_mac *m = cookie_mac_new();
	struct zr_addr a;
	uint8_t c[COOKIE_OURS];

	(void)state;
	assert_true(addr_parse_ip("192.0.2.1", &a));
	for (size_t k = 0; k < 3; k++) {
		assert_true(cookie_make(m, secret, (const uint8_t *)"01234567", &a, starts[k], c));
		for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++)
			assert_int_equal(cookie_check(m, secret, c, sizeof(c), &a,
					     starts[k] + (uint32_t)ages[i].age),
			    ages[i].state);
	}
	cookie_mac_free(m);
}

/* Each octet counts but the reserved ones, which are covered by the hash; so does the address. */
static void
test_forged(void **state)
{
	struct cookie_mac *m = cookie_mac_new();
	struct zr_addr a, b;
	uint8_t c[COOKIE_OURS + 1] = {0};

	(void)state;
	assert_true(addr_parse_ip("2001:db8::1", &a) && addr_parse_ip("2001:db8::2", &b));
	assert_true(cookie_make(m, secret, (const uint8_t *)"01234567", &a, 1000000, c));
	assert_int_equal(cookie_check(m, secret, c, COOKIE_OURS, &a, 1000000), COOKIE_GOOD);
	assert_int_equal(cookie_check(m, secret, c, COOKIE_OURS, &b, 1000000), COOKIE_BAD);
	assert_int_equal(cookie_check(m, secret, c, COOKIE_OURS + 1, &a, 1000000), COOKIE_BAD);
	assert_int_equal(cookie_check(m, secret, c, COOKIE_OURS - 1, &a, 1000000), COOKIE_BAD);
	for (size_t i = 0; i < COOKIE_OURS; i++) {
		c[i] ^= 1;
		assert_int_equal(cookie_check(m, secret, c, COOKIE_OURS, &a, 1000000), COOKIE_BAD);
		c[i] ^= 1;
	}
	cookie_mac_free(m);
}

/* The option in messages: which lengths are legal, and that only the first one counts. */
static void
test_option(void **state)
{
	uint8_t q[] = "\0\1\0\0\0\1\0\0\0\0\0\1\0\0\6\0\1" /* . SOA IN */
		      "\0\0\x29\x04\xd0\0\0\0\0\0\0";	   /* OPT */
	uint8_t b[sizeof(q) + 200];
	struct msg m;

	(void)state;
	for (unsigned len = 0; len <= 60; len++)
		for (unsigned answer = 0; answer < 2; answer++) {
			bool ok = len == 8 || (len >= 16 && len <= 40);
			size_t n = sizeof(q) - 1;

			memcpy(b, q, n);
			b[2] = answer ? 0x80 : 0;
			b[n - 1] = (uint8_t)(4 + len + 4 + 8);
			memcpy(b + n, "\0\12\0", 3);
			b[n + 3] = (uint8_t)len;
			memset(b + n + 4, 'a', len);
			n += 4 + len;
			memcpy(b + n, "\0\12\0\10bbbbbbbb", 12);
			assert_int_equal(msg_parse(&m, b, n + 12, MSG_FULL, NULL), 0);
			assert_int_equal(m.edns.malformed, !ok && !answer);
			assert_int_equal(m.edns.cookie_malformed, !ok);
			assert_int_equal(m.edns.cookie_len, ok ? len : 0);
			if (ok)
				assert_ptr_equal(m.edns.cookie, b + sizeof(q) - 1 + 4);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_vectors),
	    cmocka_unit_test(test_age),
	    cmocka_unit_test(test_forged),
	    cmocka_unit_test(test_option),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
