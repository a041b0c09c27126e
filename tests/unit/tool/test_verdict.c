/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/verdict.h"

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define S INT64_C(1000000)

static const int64_t now = INT64_C(1795244339000000); /* 2026-11-21T06:58:59Z */

static struct verdict
blank(const char *state)
{
	return (struct verdict){.name = "example.org",
	    .state = state,
	    .activity = "",
	    .pending = "none",
	    .has_serial = true,
	    .serial = 2026112101,
	    .ahead_primary = "",
	    .error = "",
	    .error_code = "",
	    .error_peer = "",
	    .error_address = "",
	    .transfer = "",
	    .primary = ""};
}

static void
expect(const struct verdict *v, const char *want)
{
	struct buf b = BUF_INIT;

	verdict_line(v, now, &b);
	assert_string_equal(buf_cstr(&b), want);
	buf_clear(&b);
}

static void
current(void **state)
{
	struct verdict v = blank("current");

	(void)state;
	expect(&v, "current: serial 2026112101");
	v.checked_at = now - 192 * S;
	expect(&v, "current: serial 2026112101, checked 3m12s ago");
	v.refresh_at = now - 2 * S;
	expect(&v, "current: serial 2026112101, checked 3m12s ago");
	v.refresh_at = now - 3 * 3600 * S;
	expect(
	    &v, "current: serial 2026112101, checked 3m12s ago, the next check is overdue by 3h");
	v.pending = "check";
	v.activity = "queued";
	expect(&v, "current: serial 2026112101, checked 3m12s ago, a check is owed, now queued");
	v.pending = "force";
	v.activity = "idle";
	expect(&v, "current: serial 2026112101, checked 3m12s ago, a full transfer is owed");
	v.pending = "none";
	v.refresh_at = 0;
	v.activity = "held";
	expect(&v, "current: serial 2026112101, checked 3m12s ago, frozen by an operator");
}

static void
behind(void **state)
{
	struct verdict v = blank("behind");

	(void)state;
	v.has_ahead = true;
	v.ahead_primary = "hidden";
	v.ahead_serial = 2026112102;
	v.error = "connection reset";
	v.error_peer = "hidden";
	v.error_at = now - 120 * S;
	v.failures = 1;
	v.next_at = now + 252 * S;
	expect(&v, "behind: primary hidden has 2026112102, we have 2026112101, last attempt failed "
		   "2m ago: "
		   "connection reset (hidden), next try in 4m12s (2026-11-21T07:03:11Z)");
	v.failures = 3;
	v.activity = "held";
	expect(&v,
	    "behind: primary hidden has 2026112102, we have 2026112101, last attempt failed 2m ago "
	    "(3 in a row): connection reset (hidden), next try in 4m12s (2026-11-21T07:03:11Z)");
	v.next_at = now - S;
	v.error = "";
	v.failures = 0;
	v.activity = "";
	expect(&v, "behind: primary hidden has 2026112102, we have 2026112101, next try is due");
	v.has_ahead = false;
	v.has_want = true;
	v.want_serial = 2026112103;
	v.activity = "transferring";
	v.transfer = "AXFR";
	v.primary = "hidden";
	v.transfer_at = now - 3 * S;
	v.transfer_records = 120000;
	v.transfer_octets = 14 * 1024 * 1024;
	expect(&v,
	    "behind: a NOTIFY announced 2026112103, we have 2026112101, now transferring AXFR from "
	    "hidden: 120000 records, 14.0 MiB in 3s");
}

static void
failing(void **state)
{
	struct verdict v = blank("failing");

	(void)state;
	v.expire_at = now + 7 * 86400 * S;
	v.error = "no answer";
	v.failures = 1;
	v.activity = "checking";
	v.primary = "hidden";
	expect(&v,
	    "failing: no primary could be asked; serial 2026112101 is served for another 1w (until "
	    "2026-11-28T06:58:59Z), last attempt failed: no answer, now checking at hidden");
}

static void
expired(void **state)
{
	struct verdict v = blank("expired");

	(void)state;
	v.expire_at = now - 300 * S;
	v.error = "primary answered REFUSED";
	expect(&v,
	    "expired since 2026-11-21T06:53:59Z (5m ago): serial 2026112101 is not served any "
	    "more, last attempt failed: primary answered REFUSED");
}

static void
never(void **state)
{
	struct verdict v = blank("never");

	(void)state;
	v.has_serial = false;
	expect(&v, "never loaded: no primary has answered yet");
	v.error = "no\x1b[31m answer";
	expect(&v, "never loaded, last attempt failed: no?[31m answer");
}

static const char *
hint(const struct verdict *v)
{
	static char text[512];
	struct buf b = BUF_INIT;

	verdict_hint(v, &b);
	strcpy(text, buf_cstr(&b));
	buf_clear(&b);
	return text;
}

/* Whatever goes wrong, there is something to say. */
static void
hints(void **state)
{
	struct verdict v = blank("behind");

	(void)state;
	v.error = "something";
	for (int code = ZR_OK + 1; code < ZR_CODE_COUNT; code++) {
		v.error_code = zr_code_name((enum zr_code)code);
		if (code != ZR_NOTFOUND && code != ZR_INTERNAL)
			assert_true(strlen(hint(&v)) > 20);
	}
	v.error_code = "refused";
	v.error_address = "192.0.2.53@53";
	assert_non_null(strstr(hint(&v), "; try: dig @192.0.2.53 example.org SOA"));
	v.error_code = "io";
	v.error_address = "2001:db8::1@5300";
	assert_non_null(strstr(hint(&v), "? try: dig @2001:db8::1 -p 5300 example.org SOA +tcp"));
	v.state = "current";
	assert_string_equal(hint(&v), "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(current),
	    cmocka_unit_test(behind),
	    cmocka_unit_test(failing),
	    cmocka_unit_test(expired),
	    cmocka_unit_test(never),
	    cmocka_unit_test(hints),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
