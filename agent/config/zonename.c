/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/load.h"
#include "wire/name.h"

#include <string.h>

_Static_assert(NAME_MAX_LEN == 255 && ZONENAME_TEXT_MAX >= NAME_TEXT_MAX, "as load.h says");

/* Octets of the escape at p ("\." or "\046"), or 0 when it is none. */
static size_t
escape_len(const char *p)
{
	if (p[1] < '0' || p[1] > '9')
		return p[1] != '\0' ? 2 : 0;
	for (int i = 2; i <= 3; i++)
		if (p[i] < '0' || p[i] > '9')
			return 0;
	return (p[1] - '0') * 100 + (p[2] - '0') * 10 + (p[3] - '0') <= 255 ? 4 : 0;
}

/* Why name_from_text() said no: only looked for when it did. */
static const char *
reason(const char *text, size_t *at)
{
	size_t label = 0, start = 0, i = 0, step;

	while (text[i] != '\0') {
		*at = i;
		if (text[i] == '.') {
			if (label == 0)
				return "an empty label";
			label = 0;
			start = ++i;
			continue;
		}
		step = text[i] == '\\' ? escape_len(text + i) : 1;
		if (step == 0)
			return "a backslash must be followed by a character or three digits up to "
			       "255";
		i += step;
		*at = start;
		if (++label > 63)
			return "a label longer than 63 octets";
	}
	*at = 0;
	return i == 0 ? "an empty name" : "a name longer than 255 octets";
}

size_t
zonename_read(const char *text, uint8_t out[NAME_MAX_LEN], const char **why, size_t *at)
{
	size_t len;

	*at = 0;
	for (const char *p = text; *p != '\0'; p++) {
		if (*p > 0x20 && *p < 0x7f)
			continue;
		*at = (size_t)(p - text);
		*why = (*p & 0x80) != 0 ? "a letter beyond ASCII: write the name in its xn-- form"
					: "a blank or control character: write it as \\DDD";
		return 0;
	}
	len = name_from_text(text, out);
	if (len == 0) {
		*why = reason(text, at);
		return 0;
	}
	name_lower(out, out);
	return len;
}
