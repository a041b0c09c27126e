/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/buf.h"
#include "base/mem.h"
#include "base/rand.h"
#include "wire/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define STOP 7

struct seen {
	struct buf all; /* the messages again, framed */
	unsigned count;
	unsigned stop_at; /* stop at the message with this number; 0 = never */
	const uint8_t *last;
};

static int
take(void *arg, const uint8_t *msg, size_t len)
{
	struct seen *s = arg;

	buf_u16(&s->all, (uint16_t)len);
	buf_bytes(&s->all, msg, len);
	s->last = msg;
	return ++s->count == s->stop_at ? STOP : 0;
}

/* Messages of 0, 1, 2, 511, 512, 513 and 65535 octets and a few in between. */
static void
make(struct buf *b)
{
	static const uint16_t len[] = {
	    0, 1, 2, 3, 12, 0, 0, 255, 256, 511, 512, 513, 4095, 65535, 1};
	struct rng r;

	rng_seed(&r, 1);
	for (size_t i = 0; i < sizeof(len) / sizeof(len[0]); i++) {
		buf_u16(b, len[i]);
		for (unsigned j = 0; j < len[i]; j++)
			buf_u8(b, (uint8_t)rng_next(&r));
	}
	assert_false(b->bad);
}

static void
expect_all(const struct seen *s, const struct buf *in)
{
	assert_int_equal(s->all.len, in->len);
	assert_memory_equal(s->all.data, in->data, in->len);
}

/* T-14: the pieces in which octets arrive do not matter. */
static void
test_split_anywhere(void **state)
{
	struct buf in = BUF_INIT;
	struct seen s = {0};
	struct frame f;
	size_t used, cut;

	(void)state;
	make(&in);
	for (cut = 0; cut <= 6000; cut++) {
		frame_init(&f);
		buf_reset(&s.all);
		assert_int_equal(frame_feed(&f, in.data, cut, &used, take, &s), 0);
		assert_int_equal(used, cut);
		assert_int_equal(s.all.len + frame_partial(&f), cut);
		assert_int_equal(frame_feed(&f, in.data + cut, in.len - cut, &used, take, &s), 0);
		assert_int_equal(used, in.len - cut);
		assert_int_equal(frame_partial(&f), 0);
		expect_all(&s, &in);
		frame_clear(&f);
	}
	buf_clear(&in);
	buf_clear(&s.all);
}

static void
test_pieces(void **state)
{
	static const size_t most[] = {1, 2, 3, 5, 100, 1500, 70000};
	struct buf in = BUF_INIT;
	struct seen s = {0};
	struct frame f;
	struct rng r;
	size_t used, n;

	(void)state;
	make(&in);
	rng_seed(&r, 2);
	for (size_t i = 0; i < sizeof(most) / sizeof(most[0]); i++) {
		frame_init(&f);
		buf_reset(&s.all);
		for (size_t at = 0; at < in.len; at += n) {
			n = 1 + (size_t)rng_below(&r, most[i]);
			if (n > in.len - at)
				n = in.len - at;
			assert_int_equal(frame_feed(&f, in.data + at, n, &used, take, &s), 0);
			assert_int_equal(used, n);
		}
		expect_all(&s, &in);
		frame_clear(&f);
	}
	buf_clear(&in);
	buf_clear(&s.all);
}

static void
test_sink_stops(void **state)
{
	struct buf in = BUF_INIT;
	struct seen s = {0};
	struct frame f;
	size_t used, at;
	unsigned all = 0;

	(void)state;
	make(&in);
	for (size_t i = 0; i < in.len; i += 2u + get_u16(in.data + i))
		all++;
	for (size_t first = 0; first < 800; first += 13) {
		frame_init(&f);
		buf_reset(&s.all);
		s.count = 0;
		at = 0;
		/* Every message stops the feeding; what was not eaten is fed again. */
		for (size_t end = first;; end = in.len) {
			s.stop_at = s.count + 1;
			while (frame_feed(&f, in.data + at, end - at, &used, take, &s) == STOP) {
				at += used;
				s.stop_at = s.count + 1;
				assert_int_equal(s.all.len, at);
			}
			at += used;
			if (end == in.len)
				break;
		}
		assert_int_equal(s.count, all);
		expect_all(&s, &in);
		frame_clear(&f);
	}
	buf_clear(&in);
	buf_clear(&s.all);
}

static void
test_no_copy(void **state)
{
	static const uint8_t in[] = {0, 2, 'a', 'b', 0, 3, 'c', 'd'};
	struct seen s = {0};
	struct frame f;
	size_t used;

	(void)state;
	frame_init(&f);
	assert_int_equal(frame_feed(&f, in, sizeof(in), &used, take, &s), 0);
	assert_ptr_equal(s.last, in + 2);
	assert_int_equal(frame_partial(&f), 4);
	frame_clear(&f);
	assert_int_equal(frame_partial(&f), 0);
	assert_int_equal(frame_feed(&f, in, 0, &used, take, &s), 0);
	frame_clear(&f);
	buf_clear(&s.all);
}

/* What a peer announces costs nothing until it arrives, and a large message leaves nothing. */
static void
test_memory(void **state)
{
	static uint8_t big[2 + 65535] = {0xff, 0xff};
	struct seen s = {0};
	struct frame f;
	size_t used;

	(void)state;
	frame_init(&f);
	assert_int_equal(frame_feed(&f, big, 3, &used, take, &s), 0);
	assert_in_range(f.cap, 3, 1024);
	assert_int_equal(frame_feed(&f, big + 3, sizeof(big) - 4, &used, take, &s), 0);
	assert_int_equal(s.count, 0);
	assert_in_range(f.cap, 65536, 131072);
	assert_int_equal(frame_feed(&f, big, 1, &used, take, &s), 0);
	assert_int_equal(s.count, 1);
	assert_in_range(f.cap, 0, 4096);
	frame_clear(&f);
	buf_clear(&s.all);
}

static void
test_out_of_memory(void **state)
{
	static const uint8_t in[] = {0, 2, 'a'};
	struct seen s = {0};
	struct frame f;
	size_t used;

	(void)state;
	frame_init(&f);
	zr_mem_fail_after(1);
	assert_int_equal(frame_feed(&f, in, sizeof(in), &used, take, &s), -1);
	zr_mem_fail_after(0);
	assert_int_equal(s.count, 0);
	frame_clear(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_split_anywhere),
	    cmocka_unit_test(test_pieces),
	    cmocka_unit_test(test_sink_stops),
	    cmocka_unit_test(test_no_copy),
	    cmocka_unit_test(test_memory),
	    cmocka_unit_test(test_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
