/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Input: one octet that says how to cut, then a TCP stream.  Fed whole, fed in pieces, and with a
 * sink that stops, the same messages come out; and with an allocation that fails, no others.
 */
#include "fuzz.h"

#include "base/buf.h"
#include "base/mem.h"
#include "wire/frame.h"

#include <string.h>

#define STOP 1

struct sink {
	struct buf out;
	unsigned count;
	unsigned stop_every; /* 0 = never */
};

static int
take(void *arg, const uint8_t *msg, size_t len)
{
	struct sink *s = arg;

	buf_u16(&s->out, (uint16_t)len);
	buf_bytes(&s->out, msg, len);
	s->count++;
	return s->stop_every != 0 && s->count % s->stop_every == 0 ? STOP : 0;
}

static void
feed_all(struct frame *f, const uint8_t *p, size_t n, struct sink *s)
{
	size_t used = 0;
	int rc;

	do {
		p += used;
		n -= used;
		rc = frame_feed(f, p, n, &used, take, s);
		FUZZ_CHECK(rc >= 0 && used <= n);
	} while (rc == STOP);
	FUZZ_CHECK(used == n);
}

/* Octet by octet, and memory is short: -1 once, and what came out before is right. */
static void
feed_starved(const uint8_t *data, size_t size, unsigned fail_after, const struct buf *want)
{
	struct sink s = {.stop_every = 0};
	struct frame f;
	size_t used;
	int rc = 0;

	buf_reserve(&s.out, size + 1); /* not the one that fails */
	frame_init(&f);
	zr_mem_fail_after(fail_after);
	for (size_t at = 0; at < size && rc == 0; at++)
		rc = frame_feed(&f, data + at, 1, &used, take, &s);
	zr_mem_fail_after(0);
	FUZZ_CHECK(rc == 0 || rc == -1);
	FUZZ_CHECK(!s.out.bad && s.out.len <= want->len && (rc != 0 || s.out.len == want->len));
	FUZZ_CHECK(s.out.len == 0 || memcmp(s.out.data, want->data, s.out.len) == 0);
	frame_clear(&f);
	buf_clear(&s.out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sink whole = {.stop_every = 0}, pieces = {.stop_every = 0};
	struct frame f;
	size_t left, step, n;

	if (size == 0)
		return 0;
	step = data[0];
	pieces.stop_every = data[0] & 3;
	data++;
	size--;
	frame_init(&f);
	feed_all(&f, data, size, &whole);
	left = frame_partial(&f);
	frame_clear(&f);
	FUZZ_CHECK(!whole.out.bad && whole.out.len + left == size);
	FUZZ_CHECK(whole.out.len == 0 || memcmp(whole.out.data, data, whole.out.len) == 0);
	FUZZ_CHECK(left < 2 || left < 2u + get_u16(data + whole.out.len));
	for (size_t at = 0; at < size; at += n) {
		step = step * 5 + 1; /* any sequence will do, if it repeats */
		n = 1 + step % (data[at] + 1u);
		if (n > size - at)
			n = size - at;
		feed_all(&f, data + at, n, &pieces);
	}
	FUZZ_CHECK(frame_partial(&f) == left && pieces.count == whole.count);
	FUZZ_CHECK(pieces.out.len == whole.out.len);
	FUZZ_CHECK(
	    whole.out.len == 0 || memcmp(pieces.out.data, whole.out.data, whole.out.len) == 0);
	frame_clear(&f);
	feed_starved(data, size, 1 + left % 3, &whole.out);
	buf_clear(&whole.out);
	buf_clear(&pieces.out);
	return 0;
}
