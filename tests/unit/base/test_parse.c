/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/clock.h"
#include "base/parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void
test_u64(void **state)
{
	static const char *const bad[] = {"", " 1", "1 ", "+1", "-1", "0x10", "1.0",
	    "18446744073709551616", "99999999999999999999"};
	uint64_t v = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(parse_u64(bad[i], &v));
	assert_true(v == 7);
	assert_true(parse_u64("18446744073709551615", &v) && v == UINT64_MAX);
	assert_true(parse_u64("007", &v) && v == 7);
}

static void
duration_is(const char *in, int64_t want, const char *text)
{
	char out[PARSE_TEXT_MAX];
	int64_t us;

	if (!parse_duration(in, &us))
		fail_msg("%s was refused", in);
	assert_true(us == want);
	assert_string_equal(duration_text(us, out), text);
}

static void
test_durations(void **state)
{
	(void)state;
	duration_is("0", 0, "0s");
	duration_is("300", 300 * ZR_US_PER_S, "5m");
	duration_is("300s", 300 * ZR_US_PER_S, "5m");
	duration_is("250ms", 250 * ZR_US_PER_MS, "250ms");
	duration_is("1h30m", 5400 * ZR_US_PER_S, "1h30m");
	duration_is("1m500ms", 60500 * ZR_US_PER_MS, "1m500ms");
	duration_is("4w", 4 * 7 * 86400 * ZR_US_PER_S, "4w");
	duration_is("10d", 10 * 86400 * ZR_US_PER_S, "1w3d");
	duration_is("2147483647", INT64_C(2147483647) * ZR_US_PER_S, "3550w5d3h14m7s");
}

static void
test_durations_refused(void **state)
{
	static const char *const bad[] = {"", "s", "-1s", "1 h", "1h ", "1x", "1S", "1hm", "1h30",
	    "30m1h", "1h1h", "1.5h", "1us", "9223372036854775807", "9223372036854775807w",
	    "15250284w3d14h59m60s"};
	int64_t us = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (parse_duration(bad[i], &us))
			fail_msg("%s was taken", bad[i]);
	assert_true(us == 7);
}

static void
test_duration_text_of_anything(void **state)
{
	char out[PARSE_TEXT_MAX];
	int64_t us;

	(void)state;
	assert_string_equal(duration_text(999, out), "0s");
	assert_string_equal(duration_text(-999, out), "0s");
	assert_string_equal(duration_text(-90 * ZR_US_PER_S, out), "-1m30s");
	assert_string_equal(duration_text(INT64_MIN, out), "-15250284w3d4h54s775ms");
	assert_string_equal(duration_text(INT64_MAX, out), "15250284w3d4h54s775ms");
	/* The longest there is fits. */
	us = (((INT64_C(15250283) * 7 + 6) * 24 + 23) * 3600 + 59 * 60 + 59) * ZR_US_PER_S + 999000;
	assert_string_equal(duration_text(us, out), "15250283w6d23h59m59s999ms");
	assert_string_equal(duration_text(-us, out), "-15250283w6d23h59m59s999ms");
}

static void
size_is(const char *in, uint64_t want, const char *text)
{
	char out[PARSE_TEXT_MAX];
	uint64_t bytes;

	if (!parse_size(in, &bytes))
		fail_msg("%s was refused", in);
	assert_true(bytes == want);
	assert_string_equal(size_text(bytes, out), text);
}

static void
test_sizes(void **state)
{
	char out[PARSE_TEXT_MAX];

	(void)state;
	size_is("0", 0, "0B");
	size_is("512", 512, "512B");
	size_is("512B", 512, "512B");
	size_is("1536", 1536, "1.5KiB");
	size_is("64KiB", 65536, "64KiB");
	size_is("64K", 65536, "64KiB");
	size_is("2GiB", UINT64_C(2) << 30, "2GiB");
	size_is("3M", 3 << 20, "3MiB");
	size_is("1T", UINT64_C(1) << 40, "1TiB");
	size_is("18446744073709551615", UINT64_MAX, "16777215.9TiB");
	assert_string_equal(size_text((1 << 20) - 1, out), "1023.9KiB");
}

static void
test_sizes_refused(void **state)
{
	static const char *const bad[] = {"", "K", "1.5G", "1k", "1KB", "1 K", "1KiBx", "-1", "1Ki",
	    "16777216TiB", "18446744073709551616"};
	uint64_t bytes = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (parse_size(bad[i], &bytes))
			fail_msg("%s was taken", bad[i]);
	assert_true(bytes == 7);
}

static void
test_bools(void **state)
{
	bool b = false;

	(void)state;
	assert_true(parse_bool("yes", &b) && b);
	assert_true(parse_bool("off", &b) && !b);
	assert_true(parse_bool("True", &b) && b);
	assert_true(parse_bool("false", &b) && !b);
	assert_true(parse_bool("on", &b) && b);
	assert_true(parse_bool("no", &b) && !b);
	assert_false(parse_bool("", &b));
	assert_false(parse_bool("1", &b));
	assert_false(parse_bool("yess", &b));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_u64),
	    cmocka_unit_test(test_durations),
	    cmocka_unit_test(test_durations_refused),
	    cmocka_unit_test(test_duration_text_of_anything),
	    cmocka_unit_test(test_sizes),
	    cmocka_unit_test(test_sizes_refused),
	    cmocka_unit_test(test_bools),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
