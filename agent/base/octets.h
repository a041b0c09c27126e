/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Comparing few octets: names and labels of a zone have 5 to 40, where a call of memcmp() costs
 * more than the comparison.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t
octets_word(const uint8_t *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	return w;
}

/* The last octets are compared again with those before them rather than one by one. */
static inline bool
octets_same(const uint8_t *a, const uint8_t *b, size_t n)
{
	uint32_t x, y;

	if (n >= sizeof(uint64_t)) {
		for (size_t i = 0; i + sizeof(uint64_t) < n; i += sizeof(uint64_t))
			if (octets_word(a + i) != octets_word(b + i))
				return false;
		n -= sizeof(uint64_t);
		return octets_word(a + n) == octets_word(b + n);
	}
	if (n >= sizeof(x)) {
		memcpy(&x, a, sizeof(x));
		memcpy(&y, b, sizeof(y));
		if (x != y)
			return false;
		memcpy(&x, a + n - sizeof(x), sizeof(x));
		memcpy(&y, b + n - sizeof(y), sizeof(y));
		return x == y;
	}
	for (size_t i = 0; i < n; i++)
		if (a[i] != b[i])
			return false;
	return true;
}
