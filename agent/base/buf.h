/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * struct buf: a growable run of octets that latches failure: after the first
 * allocation that fails, or a write past `max`, every further write is a no-op and
 * `bad` stays set; check once at the end.
 * struct rd: a reading cursor over borrowed octets with the same latch: reads past the
 * end return zero and set `bad`.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	uint8_t *data;
	size_t len;
	size_t cap;
	size_t max; /* 0 = no limit */
	bool bad;
};

#define BUF_INIT ((struct buf){0})

void buf_init(struct buf *b, size_t max);
void buf_clear(struct buf *b); /* frees; the buffer may be used again */
void buf_reset(struct buf *b); /* len = 0, bad = false, memory kept */
bool buf_reserve(struct buf *b, size_t more);
void buf_bytes(struct buf *b, const void *p, size_t n);
void buf_u8(struct buf *b, uint8_t v);
void buf_u16(struct buf *b, uint16_t v); /* network order */
void buf_u32(struct buf *b, uint32_t v);
void buf_u64(struct buf *b, uint64_t v);
void buf_str(struct buf *b, const char *s); /* without the NUL */
void buf_fmt(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_put_u16(struct buf *b, size_t at, uint16_t v); /* overwrite; at+2 <= len */
void buf_json(struct buf *b, const char *s);		/* a JSON string with its quotes */
uint8_t *buf_take(struct buf *b, size_t *len);		/* caller frees with free() */
const char *buf_cstr(struct buf *b); /* NUL behind the content, not counted; "" when bad */

struct rd {
	const uint8_t *p;
	size_t len;
	size_t pos;
	bool bad;
};

void rd_init(struct rd *r, const void *p, size_t len);
size_t rd_left(const struct rd *r);
uint8_t rd_u8(struct rd *r);
uint16_t rd_u16(struct rd *r);
uint32_t rd_u32(struct rd *r);
uint64_t rd_u64(struct rd *r);
const uint8_t *rd_bytes(struct rd *r, size_t n); /* NULL and bad when short */
void rd_skip(struct rd *r, size_t n);

/* Unaligned big-endian access where the caller has checked the length. */
static inline uint16_t
get_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t
get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void
put_u16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void
put_u32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}
