/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/text.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>

const char *
text_span(int64_t us, char out[TEXT_MAX])
{
	static const struct {
		const char *name;
		uint64_t seconds;
	} unit[] = {{"w", 604800}, {"d", 86400}, {"h", 3600}, {"m", 60}, {"s", 1}};
	const unsigned n = sizeof(unit) / sizeof(unit[0]);
	uint64_t u = us < 0 ? -(uint64_t)us : (uint64_t)us;
	uint64_t s = u / (uint64_t)ZR_US_PER_S;
	unsigned i = 0;

	if (s < 10) {
		unsigned ms = (unsigned)(u / (uint64_t)ZR_US_PER_MS);
		if (s >= 1 && ms % 1000 >= 100)
			snprintf(out, TEXT_MAX, "%u.%us", ms / 1000, ms % 1000 / 100);
		else if (u > 0 && ms == 0)
			snprintf(out, TEXT_MAX, "<1ms");
		else if (s >= 1 || ms == 0)
			snprintf(out, TEXT_MAX, "%us", ms / 1000);
		else
			snprintf(out, TEXT_MAX, "%ums", ms);
		return out;
	}
	while (i < n - 1 && s < unit[i].seconds)
		i++;
	uint64_t rest = i < n - 1 ? s % unit[i].seconds / unit[i + 1].seconds : 0;
	if (rest != 0)
		snprintf(out, TEXT_MAX, "%" PRIu64 "%s%" PRIu64 "%s", s / unit[i].seconds,
		    unit[i].name, rest, unit[i + 1].name);
	else
		snprintf(out, TEXT_MAX, "%" PRIu64 "%s", s / unit[i].seconds, unit[i].name);
	return out;
}

const char *
text_size(uint64_t octets, char out[TEXT_MAX])
{
	static const char *const unit[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	unsigned shift = 10, i = 0;

	if (octets < 1024) {
		snprintf(out, TEXT_MAX, "%" PRIu64 " B", octets);
		return out;
	}
	while (i < 5 && octets >> shift >= 1024) {
		shift += 10;
		i++;
	}
	uint64_t tenths = (octets >> (shift - 10) & 1023) * 10 / 1024;
	snprintf(out, TEXT_MAX, "%" PRIu64 ".%" PRIu64 " %s", octets >> shift, tenths, unit[i]);
	return out;
}

const char *
text_ago(int64_t at, int64_t now, char out[TEXT_MAX])
{
	char span[TEXT_MAX];
	int64_t diff;

	if (at == 0)
		snprintf(out, TEXT_MAX, "-");
	else if (__builtin_sub_overflow(at, now, &diff))
		snprintf(out, TEXT_MAX, "?");
	else if (diff > 0)
		snprintf(out, TEXT_MAX, "in %.24s", text_span(diff, span));
	else if (diff > -ZR_US_PER_MS)
		snprintf(out, TEXT_MAX, "now");
	else
		snprintf(out, TEXT_MAX, "%.24s ago", text_span(diff, span));
	return out;
}

const char *
text_when(int64_t at, int64_t now, char out[TEXT_MAX])
{
	char stamp[CLOCK_RFC3339_LEN], ago[TEXT_MAX];

	if (at == 0) {
		snprintf(out, TEXT_MAX, "-");
		return out;
	}
	clock_rfc3339((struct zr_wall){at}, false, stamp);
	snprintf(out, TEXT_MAX, "%s (%.30s)", stamp, text_ago(at, now, ago));
	return out;
}

void
text_clean(struct buf *out, const char *s)
{
	for (; s != NULL && *s != '\0'; s++)
		buf_u8(out, *s >= 0x20 && *s < 0x7f ? (uint8_t)*s : '?');
}
