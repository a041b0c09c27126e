/* SPDX-License-Identifier: BSD-2-Clause */
/* DNS cookies on both sides: what is sent, what counts, what is remembered (C-01..C-08). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/cookiejar.h"
#include "core/cookies.h"

#define S ZR_US_PER_S

static const uint8_t secrets[3][COOKIE_SECRET] = {"0123456789abcde", "123456789abcdef", "x"};
static const struct zr_addr peer = {.family = 4, .port = 1053, .ip = {192, 0, 2, 1}};
static const struct zr_addr here = {.family = 4, .ip = {192, 0, 2, 77}};
static const struct zr_addr there = {.family = 4, .ip = {192, 0, 2, 78}};

static enum cookies_verdict
take(struct cookies *c, const uint8_t *p, size_t len, int64_t at_s, uint8_t out[COOKIE_OURS])
{
	struct edns o = {.present = true, .cookie = p, .cookie_len = (uint8_t)len};

	return cookies_take(c, &o, &peer, (struct zr_wall){at_s * S}, out);
}

static void
as_a_server(void **state)
{
	struct cookies *c = cookies_new();
	uint8_t first[COOKIE_OURS], next[COOKIE_OURS], wrong[COOKIE_MAX] = "12345678";
	const int64_t t = 1559731985;

	(void)state;
	/* Nothing is set yet, and cookies: no. */
	assert_int_equal(take(c, wrong, 8, t, first), COOKIES_NONE);
	assert_true(cookies_set(c, secrets, 1));
	assert_int_equal(take(c, wrong, 0, t, first), COOKIES_NONE);
	assert_int_equal(take(c, wrong, 8, t, first), COOKIES_FIRST);
	assert_memory_equal(first, wrong, COOKIE_CLIENT);
	/* It is good, and kept for half an hour; then it is replaced, and taken for an hour. */
	assert_int_equal(take(c, first, COOKIE_OURS, t + 1800, next), COOKIES_RIGHT);
	assert_memory_equal(next, first, COOKIE_OURS);
	assert_int_equal(take(c, first, COOKIE_OURS, t + 1801, next), COOKIES_RIGHT);
	assert_memory_not_equal(next, first, COOKIE_OURS);
	assert_int_equal(take(c, next, COOKIE_OURS, t + 1801 + 3600, next), COOKIES_RIGHT);
	assert_int_equal(take(c, first, COOKIE_OURS, t + 3601, next), COOKIES_WRONG);
	/* Whatever was wrong, the answer tells the right one. */
	assert_int_equal(take(c, next, COOKIE_OURS, t + 3601, next), COOKIES_RIGHT);
	for (size_t len = 16; len <= COOKIE_MAX; len++) {
		assert_int_equal(take(c, wrong, len, t, next), COOKIES_WRONG);
		assert_memory_equal(next, wrong, COOKIE_CLIENT);
		assert_int_equal(take(c, next, COOKIE_OURS, t, next), COOKIES_RIGHT);
	}
	cookies_free(c);
}

/* RFC 9018 section 5: at no step is a cookie that some server made refused by another. */
static void
secrets_roll(void **state)
{
	static const uint8_t swapped[2][COOKIE_SECRET] = {"123456789abcdef", "0123456789abcde"};
	struct cookies *c = cookies_new();
	uint8_t old[COOKIE_OURS], new[COOKIE_OURS], out[COOKIE_OURS];

	(void)state;
	assert_true(cookies_set(c, secrets, 1));
	assert_int_equal(take(c, (const uint8_t *)"12345678", 8, 9000, old), COOKIES_FIRST);
	assert_true(cookies_set(c, secrets + 1, 1));
	assert_int_equal(take(c, old, COOKIE_OURS, 9000, new), COOKIES_WRONG);
	/* 1: the new one is taken already. */
	assert_true(cookies_set(c, secrets, 2));
	assert_int_equal(take(c, old, COOKIE_OURS, 9000, out), COOKIES_RIGHT);
	assert_memory_equal(out, old, COOKIE_OURS);
	assert_int_equal(take(c, new, COOKIE_OURS, 9000, out), COOKIES_RIGHT);
	assert_memory_equal(out, old, COOKIE_OURS);
	/* 2: it is in use; the old one is replaced at once. */
	assert_true(cookies_set(c, swapped, 2));
	assert_int_equal(take(c, old, COOKIE_OURS, 9000, out), COOKIES_RIGHT);
	assert_memory_equal(out, new, COOKIE_OURS);
	/* 3: the old one is gone. */
	assert_true(cookies_set(c, swapped, 1));
	assert_int_equal(take(c, old, COOKIE_OURS, 9000, out), COOKIES_WRONG);
	assert_int_equal(take(c, new, COOKIE_OURS, 9000, out), COOKIES_RIGHT);
	cookies_free(c);
}

static uint8_t drawn; /* counts up, so that cookies differ */

static void
draw(void *p, unsigned n)
{
	memset(p, ++drawn, n);
}

/* An answer with this cookie, or with none. */
static enum cookiejar_verdict
answer(struct cookiejar *j, const struct cookie_sent *sent, const uint8_t *p, size_t len,
    unsigned rcode, int64_t at)
{
	struct msg m = {.rcode = rcode & 15,
	    .edns = {.present = true,
		.ext_rcode = (uint8_t)(rcode >> 4),
		.cookie = p,
		.cookie_len = (uint8_t)len}};

	return cookiejar_answer(j, &peer, sent, &m, (struct zr_mono){at});
}

static void
as_a_client(void **state)
{
	struct cookiejar *j = cookiejar_new(16, draw);
	struct cookie_sent a, b;
	uint8_t reply[COOKIE_MAX];
	struct zr_mono t = {1000 * S};

	(void)state;
	assert_true(cookiejar_stale(j, &peer, t));
	cookiejar_ask(j, &peer, &here, t, &a);
	assert_int_equal(a.len, COOKIE_CLIENT);
	assert_false(cookiejar_stale(j, &peer, t));
	assert_true(cookiejar_stale(j, &peer, (struct zr_mono){t.us + 11 * S}));
	/* Another server, be it at the same address, has another one (C-02). */
	struct zr_addr other = peer;
	other.port++;
	cookiejar_ask(j, &other, &here, t, &b);
	assert_memory_not_equal(a.data, b.data, COOKIE_CLIENT);
	/* C-03: forged answers. */
	memset(reply, 'x', sizeof(reply));
	assert_int_equal(answer(j, &a, reply, COOKIE_MAX, 0, t.us), COOKIEJAR_FORGED);
	struct msg broken = {.edns = {.present = true, .cookie_malformed = true}};
	assert_int_equal(cookiejar_answer(j, &peer, &a, &broken, t), COOKIEJAR_FORGED);
	/* The true one; from now on it must always be there. */
	memcpy(reply, a.data, COOKIE_CLIENT);
	assert_int_equal(answer(j, &a, reply, 29, 0, t.us), COOKIEJAR_FINE);
	assert_int_equal(answer(j, &a, NULL, 0, 0, t.us), COOKIEJAR_MISSING);
	cookiejar_ask(j, &peer, NULL, t, &a);
	assert_int_equal(a.len, 29);
	assert_memory_equal(a.data, reply, 29);
	/* C-04 */
	reply[8] = 'y';
	assert_int_equal(answer(j, &a, reply, 40, RCODE_BADCOOKIE, t.us), COOKIEJAR_AGAIN);
	cookiejar_ask(j, &peer, NULL, t, &a);
	assert_int_equal(a.len, 40);
	assert_memory_equal(a.data, reply, 40);
	/* Our address has changed: nothing that was sent from the old one is sent again. */
	cookiejar_ask(j, &peer, &there, t, &b);
	assert_int_equal(b.len, COOKIE_CLIENT);
	assert_memory_not_equal(a.data, b.data, COOKIE_CLIENT);
	/* A late answer to the old one teaches nothing. */
	assert_int_equal(answer(j, &a, reply, 40, 0, t.us), COOKIEJAR_FINE);
	cookiejar_ask(j, &peer, NULL, t, &b);
	assert_int_equal(b.len, COOKIE_CLIENT);
	cookiejar_free(j);
}

/* C-02: one that knows no cookies is left alone for five minutes, and then gets a new one. */
static void
without_support(void **state)
{
	struct cookiejar *j = cookiejar_new(16, draw);
	struct cookie_sent a, b;
	struct zr_mono t = {1000 * S};

	(void)state;
	cookiejar_ask(j, &peer, &here, t, &a);
	assert_int_equal(answer(j, &a, NULL, 0, 0, t.us), COOKIEJAR_FINE);
	cookiejar_ask(j, &peer, NULL, t, &b);
	assert_int_equal(b.len, 0);
	/* To a query without anything goes. */
	assert_int_equal(answer(j, &b, (const uint8_t *)"12345678", 8, 0, t.us), COOKIEJAR_FINE);
	t.us += COOKIEJAR_WITHOUT_US - 1;
	cookiejar_ask(j, &peer, &here, t, &b);
	assert_int_equal(b.len, 0);
	t.us++;
	cookiejar_ask(j, &peer, NULL, t, &b);
	assert_int_equal(b.len, COOKIE_CLIENT);
	assert_memory_not_equal(a.data, b.data, COOKIE_CLIENT);
	/* One that had them and has turned them off, as its TCP has shown. */
	uint8_t reply[COOKIE_MAX] = {0};
	memcpy(reply, b.data, COOKIE_CLIENT);
	assert_int_equal(answer(j, &b, reply, 24, 0, t.us), COOKIEJAR_FINE);
	cookiejar_without(j, &peer, t);
	cookiejar_ask(j, &peer, NULL, t, &a);
	assert_int_equal(a.len, 0);
	assert_int_equal(answer(j, &b, NULL, 0, 0, t.us), COOKIEJAR_FINE);
	cookiejar_free(j);
}

/* However many servers there are, the table stays as it is, and the last ones are known. */
static void
jar_is_bounded(void **state)
{
	struct cookiejar *j = cookiejar_new(16, draw);
	struct cookie_sent a, b;
	struct zr_addr s = peer;
	struct zr_mono t = {1000 * S};

	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		s.ip[1] = (uint8_t)(i >> 8);
		s.ip[3] = (uint8_t)i;
		t.us += S / 100;
		cookiejar_ask(j, &s, &here, t, &a);
		cookiejar_ask(j, &s, NULL, t, &b);
		assert_memory_equal(a.data, b.data, COOKIE_CLIENT);
	}
	cookiejar_free(j);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(as_a_server),
	    cmocka_unit_test(secrets_roll),
	    cmocka_unit_test(as_a_client),
	    cmocka_unit_test(without_support),
	    cmocka_unit_test(jar_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
