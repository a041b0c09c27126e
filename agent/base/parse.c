/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/parse.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct unit {
	const char *name;
	int64_t factor;
};

/* Largest first: duration_text() walks down. */
static const struct unit time_unit[] = {
    {"w", 604800 * ZR_US_PER_S},
    {"d", 86400 * ZR_US_PER_S},
    {"h", 3600 * ZR_US_PER_S},
    {"m", 60 * ZR_US_PER_S},
    {"s", ZR_US_PER_S},
    {"ms", ZR_US_PER_MS},
};

/* The first name of a factor is the one size_text() writes. */
static const struct unit size_unit[] = {
    {"TiB", INT64_C(1) << 40},
    {"GiB", INT64_C(1) << 30},
    {"MiB", INT64_C(1) << 20},
    {"KiB", INT64_C(1) << 10},
    {"T", INT64_C(1) << 40},
    {"G", INT64_C(1) << 30},
    {"M", INT64_C(1) << 20},
    {"K", INT64_C(1) << 10},
    {"B", 1},
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Digits at *s; moves *s behind them.  False: none, or more than 64 bits. */
static bool
take_number(const char **s, uint64_t *out)
{
	const char *p = *s;
	uint64_t v = 0;

	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (unsigned)(*p - '0'), &v))
			return false;
	*s = p;
	*out = v;
	return true;
}

/* The letters at *s as a unit; moves *s behind them. */
static int64_t
take_unit(const char **s, const struct unit *u, size_t n)
{
	size_t len = 0;

	while (((*s)[len] | 0x20) >= 'a' && ((*s)[len] | 0x20) <= 'z')
		len++;
	for (size_t i = 0; i < n; i++) {
		if (strlen(u[i].name) == len && strncmp(*s, u[i].name, len) == 0) {
			*s += len;
			return u[i].factor;
		}
	}
	return 0;
}

bool
parse_u64(const char *text, uint64_t *out)
{
	uint64_t v;

	if (!take_number(&text, &v) || *text != '\0')
		return false;
	*out = v;
	return true;
}

bool
parse_duration(const char *text, int64_t *us)
{
	int64_t sum = 0, part, factor, before = INT64_MAX;
	uint64_t n;

	if (parse_u64(text, &n)) {
		if (__builtin_mul_overflow(n, ZR_US_PER_S, &sum))
			return false;
		*us = sum;
		return true;
	}
	do {
		if (!take_number(&text, &n))
			return false;
		factor = take_unit(&text, time_unit, COUNT(time_unit));
		if (factor == 0 || factor >= before) /* "30m1h", "1h1h": most likely a slip */
			return false;
		before = factor;
		if (__builtin_mul_overflow(n, factor, &part) ||
		    __builtin_add_overflow(sum, part, &sum))
			return false;
	} while (*text != '\0');
	*us = sum;
	return true;
}

bool
parse_size(const char *text, uint64_t *bytes)
{
	int64_t factor = 1;
	uint64_t n;

	if (!take_number(&text, &n))
		return false;
	if (*text != '\0')
		factor = take_unit(&text, size_unit, COUNT(size_unit));
	if (factor == 0 || *text != '\0' || __builtin_mul_overflow(n, (uint64_t)factor, &n))
		return false;
	*bytes = n;
	return true;
}

bool
parse_bool(const char *text, bool *out)
{
	static const char *const yes[] = {"yes", "true", "on"};
	static const char *const no[] = {"no", "false", "off"};

	for (size_t i = 0; i < COUNT(yes); i++) {
		if (strcasecmp(text, yes[i]) == 0 || strcasecmp(text, no[i]) == 0) {
			*out = strcasecmp(text, yes[i]) == 0;
			return true;
		}
	}
	return false;
}

const char *
duration_text(int64_t us, char out[PARSE_TEXT_MAX])
{
	uint64_t left = us < 0 ? -(uint64_t)us : (uint64_t)us;
	size_t at = 0;

	if (left < (uint64_t)ZR_US_PER_MS) {
		snprintf(out, PARSE_TEXT_MAX, "0s");
		return out;
	}
	if (us < 0)
		out[at++] = '-';
	for (size_t i = 0; i < COUNT(time_unit); i++) {
		uint64_t n = left / (uint64_t)time_unit[i].factor;

		left %= (uint64_t)time_unit[i].factor;
		if (n != 0)
			at += (size_t)snprintf(
			    out + at, PARSE_TEXT_MAX - at, "%" PRIu64 "%s", n, time_unit[i].name);
	}
	return out;
}

const char *
size_text(uint64_t bytes, char out[PARSE_TEXT_MAX])
{
	size_t i = 0;
	uint64_t unit, tenths;

	while (i < 4 && bytes < (uint64_t)size_unit[i].factor)
		i++;
	if (i == 4) {
		snprintf(out, PARSE_TEXT_MAX, "%" PRIu64 "B", bytes);
		return out;
	}
	unit = (uint64_t)size_unit[i].factor;
	tenths = bytes % unit * 10 / unit; /* cut, not rounded: never more than there is */
	if (tenths == 0)
		snprintf(out, PARSE_TEXT_MAX, "%" PRIu64 "%s", bytes / unit, size_unit[i].name);
	else
		snprintf(out, PARSE_TEXT_MAX, "%" PRIu64 ".%u%s", bytes / unit, (unsigned)tenths,
		    size_unit[i].name);
	return out;
}
