/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/mem.h"
#include "base/rand.h"
#include "wire/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void
from(const char *text, uint8_t out[NAME_MAX_LEN])
{
	assert_int_not_equal(name_from_text(text, out), 0);
}

static void
test_text_and_back(void **state)
{
	static const struct {
		const char *in, *out, *show;
		size_t len;
	} cases[] = {
	    {".", ".", ".", 1},
	    {"example.org", "example.org.", "example.org", 13},
	    {"Example.ORG.", "Example.ORG.", "Example.ORG", 13},
	    {"a\\.b.c.", "a\\.b.c.", "a\\.b.c", 7},
	    {"a\\046b.c.", "a\\.b.c.", "a\\.b.c", 7},
	    {"\\000\\255.c.", "\\000\\255.c.", "\\000\\255.c", 6},
	    {"\\032\\009\\127.", "\\032\\009\\127.", "\\032\\009\\127", 5},
	    {"\\ x.", "\\032x.", "\\032x", 4},
	    {"\\(\\)\\;\\@\\$\\\"\\\\.", "\\(\\)\\;\\@\\$\\\"\\\\.", "\\(\\)\\;\\@\\$\\\"\\\\", 9},
	    {"*.a", "*.a.", "*.a", 5},
	    {"\\a\\b.", "ab.", "ab", 4},
	    {"_sip._udp.a-b", "_sip._udp.a-b.", "_sip._udp.a-b", 15},
	};
	char text[NAME_TEXT_MAX];
	uint8_t name[NAME_MAX_LEN], again[NAME_MAX_LEN];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(name_from_text(cases[i].in, name), cases[i].len);
		assert_int_equal(name_check(name, sizeof(name)), cases[i].len);
		assert_int_equal(name_len(name), cases[i].len);
		assert_string_equal(name_text(name, text), cases[i].out);
		assert_int_equal(name_from_text(text, again), cases[i].len);
		assert_true(name_equal_case(name, again));
		assert_string_equal(name_show(name, text), cases[i].show);
	}
}

static void
test_malformed_text(void **state)
{
	static const char *const cases[] = {"", "..", ".a", "a..b", "a..", "a b", "a\tb",
	    "\xc3\xa4", "a\\", "a\\1", "a\\12", "a\\12x", "a\\256", "a\\999", "a;b", "a(b", "a)b",
	    "a\"b", "a\\\n"};
	uint8_t name[NAME_MAX_LEN];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(name_from_text(cases[i], name), 0);
}

/* "x...x." of labels with the given lengths, ended by 0. */
static const char *
long_text(char *out, const unsigned *labels)
{
	char *o = out;

	for (; *labels != 0; labels++) {
		memset(o, 'x', *labels);
		o += *labels;
		*o++ = '.';
	}
	*o = '\0';
	return out;
}

static void
test_limits(void **state)
{
	char text[400];
	uint8_t name[NAME_MAX_LEN + 1];

	(void)state;
	name[NAME_MAX_LEN] = 0xaa;
	assert_int_equal(name_from_text(long_text(text, (unsigned[]){63, 0}), name), 65);
	assert_int_equal(name_from_text(long_text(text, (unsigned[]){64, 0}), name), 0);
	assert_int_equal(
	    name_from_text(long_text(text, (unsigned[]){63, 63, 63, 61, 0}), name), NAME_MAX_LEN);
	assert_int_equal(name_check(name, NAME_MAX_LEN), NAME_MAX_LEN);
	assert_int_equal(name_check(name, NAME_MAX_LEN - 1), 0);
	assert_int_equal(name_from_text(long_text(text, (unsigned[]){63, 63, 63, 62, 0}), name), 0);
	assert_int_equal(
	    name_from_text(long_text(text, (unsigned[]){63, 63, 63, 60, 1, 0}), name), 0);
	assert_int_equal(
	    name_from_text(long_text(text, (unsigned[]){63, 63, 63, 59, 1, 0}), name), 255);
	assert_int_equal(name[NAME_MAX_LEN], 0xaa);
}

static void
test_longest_text_and_key(void **state)
{
	uint8_t name[NAME_MAX_LEN], back[NAME_MAX_LEN], key[NAME_KEY_MAX];
	char text[NAME_TEXT_MAX];
	static const uint8_t root[1] = {0};

	(void)state;
	/* Three labels of 63 and one of 61 zero octets: the longest text and the longest key. */
	memset(name, 0, sizeof(name));
	name[0] = name[64] = name[128] = 63;
	name[192] = 61;
	assert_int_equal(strlen(name_text(name, text)), 250 * 4 + 4);
	assert_int_equal(name_from_text(text, back), NAME_MAX_LEN);
	assert_true(name_equal_case(name, back));
	assert_int_equal(name_key(name, root, key), 250 * 2 + 4 + 1);
	/* 127 labels of one octet: the most labels. */
	for (unsigned i = 0; i < 127; i++)
		name[2 * i] = 1;
	name[254] = 0;
	assert_int_equal(name_labels(name), 127);
	assert_int_equal(name_key(name, root, key), 127 * 3 + 1);
	assert_int_equal(name_cmp(name, name), 0);
}

static void
test_check_refuses(void **state)
{
	static const struct {
		uint8_t wire[8];
		size_t avail;
	} cases[] = {
	    {{0}, 0},
	    {{1, 'a'}, 2},	       /* no root */
	    {{3, 'a', 'b', 0}, 4},     /* label leaves the buffer */
	    {{1, 'a', 0xc0, 0x0c}, 4}, /* pointer */
	    {{0x40, 'a', 0}, 3},       /* reserved label types */
	    {{0x80, 'a', 0}, 3},
	    {{64, 'a', 0}, 3},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(name_check(cases[i].wire, cases[i].avail), 0);
}

/* RFC 4034 section 6.1, with NUL and \001 added (their escaping in keys must keep the order). */
static const char *const canonical[] = {
    "example.",
    "a.example.",
    "yljkjljk.a.example.",
    "Z.a.example.",
    "zABC.a.EXAMPLE.",
    "z.example.",
    "\\000.z.example.",
    "\\000\\000.z.example.",
    "\\000\\001.z.example.",
    "\\000\\002.z.example.",
    "\\001.z.example.",
    "a.\\001.z.example.",
    "\\001\\000.z.example.",
    "\\001a.z.example.",
    "\\002.z.example.",
    "*.z.example.",
    "Z.z.example.",
    "zz.z.example.",
    "{.z.example.",
    "\\200.z.example.",
    "\\255.z.example.",
};

static int
sign(int v)
{
	return (v > 0) - (v < 0);
}

static int
key_cmp(const uint8_t *a, const uint8_t *b, const uint8_t *apex)
{
	uint8_t ka[NAME_KEY_MAX], kb[NAME_KEY_MAX];
	size_t an = name_key(a, apex, ka), bn = name_key(b, apex, kb);
	int c = memcmp(ka, kb, an < bn ? an : bn);

	return c != 0 ? c : (int)an - (int)bn;
}

static void
test_canonical_order(void **state)
{
	uint8_t a[NAME_MAX_LEN], b[NAME_MAX_LEN], apex[NAME_MAX_LEN];

	(void)state;
	from("Example", apex);
	for (size_t i = 0; i < COUNT(canonical); i++) {
		for (size_t j = 0; j < COUNT(canonical); j++) {
			from(canonical[i], a);
			from(canonical[j], b);
			assert_int_equal(sign(name_cmp(a, b)), i < j ? -1 : i > j);
			assert_int_equal(sign(key_cmp(a, b, apex)), i < j ? -1 : i > j);
		}
	}
}

static void
test_key_octets(void **state)
{
	static const uint8_t want[] = {'b', 1, 1, 0, 'a', 1, 2, 0xff, 0, 0};
	uint8_t name[NAME_MAX_LEN], apex[NAME_MAX_LEN], key[NAME_KEY_MAX];

	(void)state;
	from("A\\001\\255.B\\000.example.ORG.", name);
	from("example.org.", apex);
	assert_int_equal(name_key(name, apex, key), sizeof(want));
	assert_memory_equal(key, want, sizeof(want));
	assert_int_equal(name_key(apex, apex, key), 1);
	assert_int_equal(key[0], 0);
}

/* Names over an alphabet that provokes collisions of escapes, case and lengths. */
static void
random_name(struct rng *r, uint8_t *out)
{
	static const uint8_t alphabet[] = {0, 1, 2, 'a', 'A', 'z', 'Z', '@', '[', '{', 0xff};
	size_t at = 0;

	for (unsigned labels = (unsigned)rng_below(r, 4); labels > 0; labels--) {
		out[at] = (uint8_t)(1 + rng_below(r, 3));
		for (unsigned i = 1; i <= out[at]; i++)
			out[at + i] = alphabet[rng_below(r, sizeof(alphabet))];
		at += 1u + out[at];
	}
	memcpy(out + at, "\001Q", 3);
}

static void
test_order_and_keys_agree(void **state)
{
	uint8_t a[NAME_MAX_LEN], b[NAME_MAX_LEN], low[NAME_MAX_LEN];
	static const uint8_t apex[] = {1, 'q', 0};
	struct rng r;
	int c;

	(void)state;
	rng_seed(&r, 4034);
	for (unsigned i = 0; i < 50000; i++) {
		random_name(&r, a);
		random_name(&r, b);
		c = sign(name_cmp(a, b));
		assert_int_equal(c, -sign(name_cmp(b, a)));
		assert_int_equal(c, sign(key_cmp(a, b, apex)));
		assert_int_equal(c == 0, name_equal(a, b));
		name_lower(low, a);
		assert_true(name_equal(a, low));
		assert_int_equal(name_cmp(a, low), 0);
		assert_true(name_within(a, apex));
	}
}

static void
test_equal(void **state)
{
	uint8_t a[NAME_MAX_LEN], b[NAME_MAX_LEN];

	(void)state;
	from("wWw.ExAmPlE.oRg", a); /* 0x20 */
	from("WwW.eXaMpLe.OrG", b);
	assert_true(name_equal(a, b));
	assert_false(name_equal_case(a, b));
	name_lower(a, a);
	name_lower(b, b);
	assert_true(name_equal_case(a, b));
	/* '@' and '`', '[' and '{' differ by 0x20 and are no letters. */
	from("\\@", a);
	from("`", b);
	assert_false(name_equal(a, b));
	from("[", a);
	from("{", b);
	assert_false(name_equal(a, b));
	from("\\193", a); /* 'A' with the top bit */
	from("\\225", b);
	assert_false(name_equal(a, b));
	from("a.b", a);
	from("a.b.c", b);
	assert_false(name_equal(a, b));
}

static void
test_within(void **state)
{
	static const struct {
		const char *name, *apex;
		bool within;
	} cases[] = {
	    {"example.org", "example.org", true},
	    {"EXAMPLE.org", "example.ORG", true},
	    {"a.b.example.org", "example.org", true},
	    {"org", "example.org", false},
	    {"xexample.org", "example.org", false},
	    {"example.org.", ".", true},
	    {".", ".", true},
	    {".", "org", false},
	    {"a\\.example.org", "example.org", false},
	    {"a.example.net", "example.org", false},
	    /* The octets of the apex stand at the end, but not at a label boundary. */
	    {"x\\007example\\003org.", "example.org", false},
	};
	uint8_t name[NAME_MAX_LEN], apex[NAME_MAX_LEN], *exact;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		from(cases[i].name, name);
		from(cases[i].apex, apex);
		exact = zr_xmemdup(name, name_len(name)); /* so that a read past its end shows */
		assert_int_equal(name_within(exact, apex), cases[i].within);
		free(exact);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_text_and_back),
	    cmocka_unit_test(test_malformed_text),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_longest_text_and_key),
	    cmocka_unit_test(test_check_refuses),
	    cmocka_unit_test(test_canonical_order),
	    cmocka_unit_test(test_key_octets),
	    cmocka_unit_test(test_order_and_keys_agree),
	    cmocka_unit_test(test_equal),
	    cmocka_unit_test(test_within),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
