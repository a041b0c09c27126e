/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/name.h"

#include "base/octets.h"

#include <string.h>

#define LABEL_MAX 63
#define LABELS_MAX 127 /* 127 labels of one octet and the root make 255 octets */

/*
 * A length octet is at most 63 and no letter, so a whole name can be folded octet by octet
 * without looking at its structure.
 */
static inline uint8_t
lower(uint8_t c)
{
	return (uint8_t)(c + ((uint8_t)(c - 'A') < 26 ? 'a' - 'A' : 0));
}

size_t
name_check(const uint8_t *p, size_t avail)
{
	size_t at = 0;

	if (avail > NAME_MAX_LEN)
		avail = NAME_MAX_LEN;
	while (at < avail) {
		if (p[at] == 0)
			return at + 1;
		if (p[at] > LABEL_MAX)
			return 0;
		at += 1u + p[at];
	}
	return 0;
}

size_t
name_len(const uint8_t *name)
{
	size_t at = 0;

	while (name[at] != 0)
		at += 1u + name[at];
	return at + 1;
}

unsigned
name_labels(const uint8_t *name)
{
	unsigned n = 0;

	for (; *name != 0; name += 1 + *name)
		n++;
	return n;
}

/* The octet an escape stands for; moves *text behind it.  -1: not an escape of RFC 1035. */
static int
unescape(const char **text)
{
	const char *t = *text;
	int v = 0;

	if (*t < '0' || *t > '9') {
		if ((unsigned char)*t < 0x20 || (unsigned char)*t > 0x7e)
			return -1;
		*text = t + 1;
		return *t;
	}
	for (int i = 0; i < 3; i++) {
		if (t[i] < '0' || t[i] > '9')
			return -1;
		v = v * 10 + (t[i] - '0');
	}
	*text = t + 3;
	return v <= 255 ? v : -1;
}

/* Reads one label to out[1..]; returns its length, 0 when empty, -1 when malformed. */
static int
label_from_text(const char **text, uint8_t *out, size_t room)
{
	const char *t = *text;
	size_t n = 0;
	int c;

	while (*t != '\0' && *t != '.') {
		c = (unsigned char)*t++;
		if (c == '\\')
			c = unescape(&t);
		else if (c <= 0x20 || c > 0x7e || strchr("();\"", c) != NULL)
			c = -1;
		if (c < 0 || n == LABEL_MAX || n + 1 >= room)
			return -1;
		out[++n] = (uint8_t)c;
	}
	*text = t;
	return (int)n;
}

size_t
name_from_text(const char *text, uint8_t out[NAME_MAX_LEN])
{
	size_t at = 0;
	int n;

	if (strcmp(text, ".") == 0) {
		out[0] = 0;
		return 1;
	}
	do {
		/* One octet is kept back for the root label. */
		n = label_from_text(&text, out + at, NAME_MAX_LEN - 1 - at);
		if (n <= 0)
			return 0;
		out[at] = (uint8_t)n;
		at += 1 + (size_t)n;
		if (*text == '.')
			text++;
	} while (*text != '\0');
	out[at] = 0;
	return at + 1;
}

static char *
octet_to_text(char *o, uint8_t c)
{
	if (c <= 0x20 || c >= 0x7f) {
		*o++ = '\\';
		*o++ = (char)('0' + c / 100);
		*o++ = (char)('0' + c / 10 % 10);
		*o++ = (char)('0' + c % 10);
		return o;
	}
	if (strchr(".\\();@$\"", c) != NULL)
		*o++ = '\\';
	*o++ = (char)c;
	return o;
}

const char *
name_text(const uint8_t *name, char out[NAME_TEXT_MAX])
{
	char *o = out;

	if (*name == 0)
		*o++ = '.';
	while (*name != 0) {
		for (unsigned i = 1; i <= *name; i++)
			o = octet_to_text(o, name[i]);
		*o++ = '.';
		name += 1 + *name;
	}
	*o = '\0';
	return out;
}

const char *
name_show(const uint8_t *name, char out[NAME_TEXT_MAX])
{
	name_text(name, out);
	if (*name != 0)
		out[strlen(out) - 1] = '\0';
	return out;
}

void
name_lower(uint8_t *out, const uint8_t *name)
{
	size_t n = name_len(name);

	for (size_t i = 0; i < n; i++)
		out[i] = lower(name[i]);
}

static bool
octets_equal(const uint8_t *a, const uint8_t *b, size_t n)
{
	if (octets_same(a, b, n))
		return true;
	for (size_t i = 0; i < n; i++) {
		if (lower(a[i]) != lower(b[i]))
			return false;
	}
	return true;
}

bool
name_equal(const uint8_t *a, const uint8_t *b)
{
	size_t n = name_len(a);

	return n == name_len(b) && octets_equal(a, b, n);
}

bool
name_equal_case(const uint8_t *a, const uint8_t *b)
{
	size_t n = name_len(a);

	return n == name_len(b) && memcmp(a, b, n) == 0;
}

bool
name_within(const uint8_t *name, const uint8_t *apex)
{
	size_t n = name_len(name), zone = name_len(apex), at = 0;

	if (n < zone)
		return false;
	while (at < n - zone)
		at += 1u + name[at];
	return at == n - zone && octets_equal(name + at, apex, zone);
}

/* Offsets of the labels that start before `end`. */
static unsigned
label_starts(const uint8_t *name, size_t end, uint8_t at[LABELS_MAX])
{
	unsigned n = 0;

	for (size_t i = 0; i < end && name[i] != 0 && n < LABELS_MAX; i += 1u + name[i])
		at[n++] = (uint8_t)i;
	return n;
}

static int
label_cmp(const uint8_t *a, const uint8_t *b)
{
	unsigned n = *a < *b ? *a : *b;

	for (unsigned i = 1; i <= n; i++) {
		if (a[i] != b[i] && lower(a[i]) != lower(b[i]))
			return lower(a[i]) - lower(b[i]);
	}
	return *a - *b;
}

int
name_cmp(const uint8_t *a, const uint8_t *b)
{
	uint8_t a_at[LABELS_MAX], b_at[LABELS_MAX];
	unsigned an = label_starts(a, NAME_MAX_LEN, a_at);
	unsigned bn = label_starts(b, NAME_MAX_LEN, b_at);
	int c;

	while (an > 0 && bn > 0) {
		c = label_cmp(a + a_at[--an], b + b_at[--bn]);
		if (c != 0)
			return c;
	}
	return (int)an - (int)bn;
}

/* Eight octets at once: those from 'A' to 'Z' get the bit that makes them small. */
static inline uint64_t
lower_word(uint64_t w)
{
	uint64_t low7 = w & UINT64_C(0x7f7f7f7f7f7f7f7f);
	uint64_t from_a = low7 + UINT64_C(0x3f3f3f3f3f3f3f3f);	/* top bit: >= 'A' */
	uint64_t above_z = low7 + UINT64_C(0x2525252525252525); /* top bit: > 'Z' */

	return w | ((from_a & ~above_z & ~w & UINT64_C(0x8080808080808080)) >> 2);
}

/* Is one of the octets 0 or 1? */
static inline bool
has_low(uint64_t w)
{
	w &= ~UINT64_C(0x0101010101010101);
	return ((w - UINT64_C(0x0101010101010101)) & ~w & UINT64_C(0x8080808080808080)) != 0;
}

static uint8_t *
label_key_slow(uint8_t *o, const uint8_t *label)
{
	uint8_t c;

	for (unsigned i = 1; i <= *label; i++) {
		c = lower(label[i]);
		if (__builtin_expect(c <= 1, 0)) {
			*o++ = 1;
			c++;
		}
		*o++ = c;
	}
	*o++ = 0;
	return o;
}

/* The last octets are done again with those before them rather than one by one. */
static inline uint8_t *
label_key(uint8_t *o, const uint8_t *label)
{
	size_t n = *label;
	uint64_t w;

	if (n < sizeof(w))
		return label_key_slow(o, label);
	for (size_t i = 0; i < n; i += sizeof(w)) {
		if (i + sizeof(w) > n)
			i = n - sizeof(w);
		w = octets_word(label + 1 + i);
		if (__builtin_expect(has_low(w), 0))
			return label_key_slow(o, label);
		w = lower_word(w);
		memcpy(o + i, &w, sizeof(w));
	}
	o[n] = 0;
	return o + n + 1;
}

size_t
name_key(const uint8_t *name, const uint8_t *apex, uint8_t out[NAME_KEY_MAX])
{
	uint8_t at[LABELS_MAX];
	size_t n = name_len(name), zone = name_len(apex);
	unsigned labels = label_starts(name, n > zone ? n - zone : 0, at);
	uint8_t *o = out;

	while (labels > 0)
		o = label_key(o, name + at[--labels]);
	*o++ = 0;
	return (size_t)(o - out);
}
