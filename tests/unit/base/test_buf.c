/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/buf.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static void
test_numbers_are_big_endian(void **state)
{
	static const uint8_t want[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
	struct buf b = BUF_INIT;

	(void)state;
	buf_u8(&b, 0x01);
	buf_u16(&b, 0x0203);
	buf_u32(&b, 0x04050607);
	buf_u64(&b, UINT64_C(0x08090a0b0c0d0e0f));
	assert_int_equal(b.len, sizeof(want));
	assert_memory_equal(b.data, want, sizeof(want));
	buf_put_u16(&b, 1, 0xfffe);
	assert_int_equal(get_u16(b.data + 1), 0xfffe);
	assert_false(b.bad);
	buf_clear(&b);
}

static void
test_max_latches(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4);
	buf_u32(&b, 1);
	assert_false(b.bad);
	assert_string_not_equal(buf_cstr(&b), "x"); /* the NUL does not count */
	assert_false(b.bad);
	buf_u8(&b, 1);
	assert_true(b.bad);
	assert_int_equal(b.len, 4);
	assert_string_equal(buf_cstr(&b), "");
	buf_reset(&b);
	buf_fmt(&b, "%s", "four");
	assert_string_equal(buf_cstr(&b), "four");
	buf_fmt(&b, "%d", 5);
	assert_true(b.bad);
	buf_put_u16(&b, 60, 1); /* latched: no access */
	buf_clear(&b);
	assert_int_equal(b.max, 4);
	assert_false(b.bad);
}

static void
test_no_memory_latches(void **state)
{
	struct buf b = BUF_INIT;
	size_t len = 1;

	(void)state;
	zr_mem_fail_after(1);
	buf_str(&b, "lost");
	buf_str(&b, "also lost, although there is memory now");
	assert_true(b.bad);
	assert_int_equal(b.len, 0);
	assert_null(buf_take(&b, &len));
	assert_int_equal(len, 0);
	buf_str(&b, "fresh");
	assert_string_equal(buf_cstr(&b), "fresh");
	assert_false(buf_reserve(&b, SIZE_MAX - 2));
	assert_true(b.bad);
	buf_clear(&b);
}

static void
test_take_hands_over(void **state)
{
	struct buf b = BUF_INIT;
	uint8_t *p;
	size_t len;

	(void)state;
	p = buf_take(&b, &len);
	assert_non_null(p);
	assert_int_equal(len, 0);
	free(p);
	for (int i = 0; i < 10000; i++)
		buf_u16(&b, (uint16_t)i);
	p = buf_take(&b, &len);
	assert_null(b.data);
	assert_int_equal(len, 20000);
	for (int i = 0; i < 10000; i++)
		assert_int_equal(get_u16(p + 2 * i), i);
	free(p);
}

static void
json_is(const char *in, const char *want)
{
	struct buf b = BUF_INIT;

	buf_json(&b, in);
	assert_string_equal(buf_cstr(&b), want);
	buf_clear(&b);
}

static void
test_json_is_always_valid(void **state)
{
	(void)state;
	json_is("", "\"\"");
	json_is("a\"b\\c\nd\te\x7f", "\"a\\\"b\\\\c\\nd\\u0009e\\u007f\"");
	json_is("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8c\x8d",
	    "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8c\x8d\"");
	json_is("\x80 \xff", "\"\\u0080 \\u00ff\"");
	json_is("\xc3", "\"\\u00c3\"");			      /* cut */
	json_is("\xc0\xaf", "\"\\u00c0\\u00af\"");	      /* overlong */
	json_is("\xe0\x80\xaf", "\"\\u00e0\\u0080\\u00af\""); /* overlong */
	json_is("\xed\xa0\x80", "\"\\u00ed\\u00a0\\u0080\""); /* surrogate */
	json_is("\xf4\x90\x80\x80", "\"\\u00f4\\u0090\\u0080\\u0080\"");
	json_is("\xf0\x8f\xbf\xbf", "\"\\u00f0\\u008f\\u00bf\\u00bf\"");
}

static void
test_reader_reads(void **state)
{
	static const uint8_t raw[] = {1, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 4, 9, 8, 7};
	struct rd r;

	(void)state;
	rd_init(&r, raw, sizeof(raw));
	assert_int_equal(rd_u8(&r), 1);
	assert_int_equal(rd_u16(&r), 2);
	assert_int_equal(rd_u32(&r), 3);
	assert_int_equal(rd_u64(&r), 4);
	rd_skip(&r, 1);
	assert_int_equal(rd_left(&r), 2);
	assert_memory_equal(rd_bytes(&r, 2), "\x08\x07", 2);
	assert_int_equal(rd_left(&r), 0);
	assert_non_null(rd_bytes(&r, 0));
	assert_false(r.bad);
}

static void
test_reader_latches(void **state)
{
	static const uint8_t raw[] = {1, 2, 3};
	struct rd r;

	(void)state;
	rd_init(&r, raw, sizeof(raw));
	assert_int_equal(rd_u32(&r), 0);
	assert_true(r.bad);
	assert_int_equal(rd_u8(&r), 0); /* although there is one */
	assert_int_equal(rd_left(&r), 0);
	assert_null(rd_bytes(&r, 0));
	rd_init(&r, raw, sizeof(raw));
	rd_skip(&r, SIZE_MAX);
	assert_true(r.bad);
	assert_int_equal(rd_u64(&r), 0);
}

static void
test_raw_access(void **state)
{
	uint8_t p[4];

	(void)state;
	put_u32(p, UINT32_C(0xfffefdfc));
	assert_true(get_u32(p) == UINT32_C(0xfffefdfc));
	put_u16(p, 0x8001);
	assert_int_equal(get_u16(p), 0x8001);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_numbers_are_big_endian),
	    cmocka_unit_test(test_max_latches),
	    cmocka_unit_test(test_no_memory_latches),
	    cmocka_unit_test(test_take_hands_over),
	    cmocka_unit_test(test_json_is_always_valid),
	    cmocka_unit_test(test_reader_reads),
	    cmocka_unit_test(test_reader_latches),
	    cmocka_unit_test(test_raw_access),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
