/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/buf.h"

#include "base/mem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 64 /* octets; most texts fit */

void
buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){.max = max};
}

void
buf_clear(struct buf *b)
{
	free(b->data);
	buf_init(b, b->max);
}

void
buf_reset(struct buf *b)
{
	b->len = 0;
	b->bad = false;
}

/* Room for `more` octets of content and `slack` behind it which max does not count. */
static bool
grow(struct buf *b, size_t more, size_t slack)
{
	size_t need, cap;
	uint8_t *p;

	if (b->bad)
		return false;
	if (more > SIZE_MAX / 4 - b->len || (b->max != 0 && b->len + more > b->max))
		goto bad;
	need = b->len + more + slack;
	if (need <= b->cap)
		return true;
	cap = b->cap < FIRST_CAP ? FIRST_CAP : b->cap + b->cap / 2;
	if (cap < need)
		cap = need;
	p = zr_try_realloc(b->data, cap);
	if (p == NULL)
		goto bad;
	b->data = p;
	b->cap = cap;
	return true;
bad:
	b->bad = true;
	return false;
}

bool
buf_reserve(struct buf *b, size_t more)
{
	return grow(b, more, 0);
}

void
buf_bytes(struct buf *b, const void *p, size_t n)
{
	if (n == 0 || !grow(b, n, 0))
		return;
	memcpy(b->data + b->len, p, n);
	b->len += n;
}

void
buf_u8(struct buf *b, uint8_t v)
{
	buf_bytes(b, &v, 1);
}

void
buf_u16(struct buf *b, uint16_t v)
{
	uint8_t raw[2];

	put_u16(raw, v);
	buf_bytes(b, raw, sizeof(raw));
}

void
buf_u32(struct buf *b, uint32_t v)
{
	uint8_t raw[4];

	put_u32(raw, v);
	buf_bytes(b, raw, sizeof(raw));
}

void
buf_u64(struct buf *b, uint64_t v)
{
	uint8_t raw[8];

	put_u32(raw, (uint32_t)(v >> 32));
	put_u32(raw + 4, (uint32_t)v);
	buf_bytes(b, raw, sizeof(raw));
}

void
buf_str(struct buf *b, const char *s)
{
	buf_bytes(b, s, strlen(s));
}

void
buf_fmt(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0) {
		b->bad = true;
		return;
	}
	if (!grow(b, (size_t)n, 1))
		return;
	va_start(ap, fmt);
	vsnprintf((char *)b->data + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

void
buf_put_u16(struct buf *b, size_t at, uint16_t v)
{
	if (b->bad) /* what should be overwritten may never have been written */
		return;
	assert(b->len >= 2 && at <= b->len - 2);
	put_u16(b->data + at, v);
}

/* The length of the UTF-8 sequence at p, 0 when it is not one (RFC 3629 section 4). */
static size_t
utf8_len(const uint8_t *p)
{
	size_t n, i;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	for (i = 1; i < n; i++) /* stops at the NUL of a cut sequence */
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0; /* overlong, surrogate, beyond U+10FFFF */
	return n;
}

/* Octets which are not UTF-8 become U+0080..U+00FF: always valid JSON, nothing is lost. */
void
buf_json(struct buf *b, const char *s)
{
	const uint8_t *p = (const uint8_t *)s;
	const uint8_t *plain = p; /* start of what needs no escape */

	buf_u8(b, '"');
	while (*p != 0) {
		size_t n = utf8_len(p);

		if (n != 0 && *p >= 0x20 && *p != '"' && *p != '\\' && *p != 0x7f) {
			p += n;
			continue;
		}
		buf_bytes(b, plain, (size_t)(p - plain));
		if (*p == '"' || *p == '\\')
			buf_fmt(b, "\\%c", *p);
		else if (*p == '\n')
			buf_str(b, "\\n");
		else
			buf_fmt(b, "\\u%04x", *p);
		plain = ++p;
	}
	buf_bytes(b, plain, (size_t)(p - plain));
	buf_u8(b, '"');
}

uint8_t *
buf_take(struct buf *b, size_t *len)
{
	uint8_t *p = NULL;

	*len = 0;
	if (grow(b, 0, 1)) { /* an empty result is not NULL */
		p = b->data;
		*len = b->len;
		b->data = NULL;
	}
	buf_clear(b);
	return p;
}

const char *
buf_cstr(struct buf *b)
{
	if (!grow(b, 0, 1))
		return "";
	b->data[b->len] = '\0';
	return (const char *)b->data;
}

void
rd_init(struct rd *r, const void *p, size_t len)
{
	*r = (struct rd){.p = p, .len = len};
}

size_t
rd_left(const struct rd *r)
{
	return r->bad ? 0 : r->len - r->pos;
}

const uint8_t *
rd_bytes(struct rd *r, size_t n)
{
	const uint8_t *p;

	if (r->bad || n > r->len - r->pos) {
		r->bad = true;
		return NULL;
	}
	p = r->p + r->pos;
	r->pos += n;
	return p;
}

void
rd_skip(struct rd *r, size_t n)
{
	(void)rd_bytes(r, n);
}

uint8_t
rd_u8(struct rd *r)
{
	const uint8_t *p = rd_bytes(r, 1);

	return p != NULL ? p[0] : 0;
}

uint16_t
rd_u16(struct rd *r)
{
	const uint8_t *p = rd_bytes(r, 2);

	return p != NULL ? get_u16(p) : 0;
}

uint32_t
rd_u32(struct rd *r)
{
	const uint8_t *p = rd_bytes(r, 4);

	return p != NULL ? get_u32(p) : 0;
}

uint64_t
rd_u64(struct rd *r)
{
	const uint8_t *p = rd_bytes(r, 8);

	return p != NULL ? (uint64_t)get_u32(p) << 32 | get_u32(p + 4) : 0;
}
