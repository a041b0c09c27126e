/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Input: two names in wire form one behind the other, as far as they are names; and the whole
 * as text.
 */
#include "fuzz.h"

#include "base/mem.h"
#include "wire/name.h"

#include <stdlib.h>
#include <string.h>

static int
sign(int v)
{
	return (v > 0) - (v < 0);
}

/* Writing a name and reading it again gives the same octets, with and without the final dot. */
static void
text_and_back(const uint8_t *name)
{
	char text[NAME_TEXT_MAX];
	uint8_t again[NAME_MAX_LEN];
	size_t n = name_len(name);

	name_text(name, text);
	FUZZ_CHECK(strlen(text) < NAME_TEXT_MAX);
	FUZZ_CHECK(name_from_text(text, again) == n && memcmp(again, name, n) == 0);
	name_show(name, text);
	FUZZ_CHECK(name_from_text(text, again) == n && memcmp(again, name, n) == 0);
}

static void
one_name(const uint8_t *name)
{
	static const uint8_t root[1];
	uint8_t low[NAME_MAX_LEN], key[NAME_KEY_MAX];
	size_t n = name_len(name);

	text_and_back(name);
	name_lower(low, name);
	FUZZ_CHECK(name_check(low, n) == n && name_len(low) == n);
	FUZZ_CHECK(name_equal(low, name) && name_cmp(low, name) == 0);
	FUZZ_CHECK(name_within(name, name) && name_within(name, root));
	FUZZ_CHECK(name_key(name, root, key) <= NAME_KEY_MAX);
	FUZZ_CHECK(name_key(name, low, key) == 1);
	if (n > 1) {
		FUZZ_CHECK(name_within(name, name + 1 + name[0]));
		FUZZ_CHECK(!name_within(name + 1 + name[0], name));
		FUZZ_CHECK(name_cmp(name, name + 1 + name[0]) > 0);
		FUZZ_CHECK(name_labels(name) == name_labels(name + 1 + name[0]) + 1);
	}
}

static void
two_names(const uint8_t *a, const uint8_t *b)
{
	static const uint8_t root[1];
	uint8_t ka[NAME_KEY_MAX], kb[NAME_KEY_MAX];
	size_t an = name_key(a, root, ka), bn = name_key(b, root, kb);
	int c = name_cmp(a, b), k = memcmp(ka, kb, an < bn ? an : bn);

	FUZZ_CHECK(sign(c) == sign(k != 0 ? k : (int)an - (int)bn));
	FUZZ_CHECK(sign(c) == -sign(name_cmp(b, a)));
	FUZZ_CHECK((c == 0) == name_equal(a, b));
	FUZZ_CHECK(!name_equal_case(a, b) || c == 0);
	FUZZ_CHECK(c == 0 || !name_within(a, b) || !name_within(b, a));
	/* Keys below a common apex, which the second name may be. */
	if (name_within(a, b))
		FUZZ_CHECK(name_key(a, b, ka) + bn == an + 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = zr_xmalloc(size + 1);
	uint8_t name[NAME_MAX_LEN];
	size_t first, second;

	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	if (name_from_text(text, name) != 0) {
		FUZZ_CHECK(name_check(name, sizeof(name)) == name_len(name));
		one_name(name);
	}
	free(text);
	first = name_check(data, size);
	if (first == 0)
		return 0;
	FUZZ_CHECK(first <= NAME_MAX_LEN && name_check(data, first - 1) == 0);
	one_name(data);
	second = name_check(data + first, size - first);
	if (second != 0)
		two_names(data, data + first);
	return 0;
}
