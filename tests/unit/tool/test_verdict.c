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
	struct verdict v = verdict_blank;

	v.name = "example.org";
	v.state = state;
	v.pending = "none";
	v.has_serial = true;
	v.serial = 2026112101;
	return v;
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
	expect(&v, "current: serial 2026112101, checked 3m12s ago, a forced transfer is pending");
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
	v.activity = "waiting";
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

/* They answer, with serials that are not newer: that is no want of answers. */
static void
primaries_behind(void **state)
{
	struct verdict v = blank("failing");

	(void)state;
	v.older = "hidden has 2026112009, second has 7";
	v.failures = 2;
	v.next_at = now + 600 * S;
	v.activity = "waiting";
	expect(&v, "failing: hidden has 2026112009, second has 7, which is not newer; serial "
		   "2026112101 is served, next try in 10m (2026-11-21T07:08:59Z)");
}

static void
forced(void **state)
{
	struct verdict v = blank("current");

	(void)state;
	v.checked_at = now - 60 * S;
	v.pending = "force";
	v.pending_notifier = "hidden";
	v.pending_at = now - 5 * S;
	expect(&v, "current: serial 2026112101, checked 1m ago, a forced transfer is pending "
		   "since 5s (asked for by hidden)");
	v.forced_wait = "zone limit";
	v.forced_limit = "1 per 60s";
	v.forced_wait_at = now + 42 * S;
	expect(&v, "current: serial 2026112101, checked 1m ago, a forced transfer is pending "
		   "since 5s (asked for by hidden) and waits until 2026-11-21T06:59:41Z (zone "
		   "limit: 1 per 60s)");
	v.forced_wait = "global limit";
	v.forced_limit = "";
	v.forced_wait_at = 0;
	expect(&v, "current: serial 2026112101, checked 1m ago, a forced transfer is pending "
		   "since 5s (asked for by hidden) and waits for its turn (global limit)");
	v.activity = "transferring";
	v.transfer = "AXFR";
	v.primary = "hidden";
	expect(&v,
	    "current: serial 2026112101, checked 1m ago, now transferring AXFR from hidden, a "
	    "forced transfer is pending since 5s (asked for by hidden)");
}

static void
trouble(void **state)
{
	struct verdict v = blank("current");

	(void)state;
	v.unverified = "nsd, pdns";
	v.hooks_failed = "bind";
	expect(&v,
	    "current: serial 2026112101; acknowledged the forced transfer but has not come for "
	    "it: nsd, pdns; command failed: bind");
	v = blank("behind");
	v.has_want = true;
	v.want_serial = 2026112102;
	v.unsupported = "bind";
	v.refused = "knot";
	v.unanswered = "far\x1b";
	expect(&v,
	    "behind: a NOTIFY announced 2026112102, we have 2026112101; does not know "
	    "NOTIFY(AXFR): bind; refused NOTIFY(AXFR): knot; never answered NOTIFY(AXFR): far?");
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
	v.state = "failing";
	v.older = "hidden has 7";
	assert_non_null(strstr(hint(&v), "above 2026112101; or, to take over what it has: "
					 "zonerelayctl retransfer example.org"));
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
	    cmocka_unit_test(primaries_behind),
	    cmocka_unit_test(forced),
	    cmocka_unit_test(trouble),
	    cmocka_unit_test(expired),
	    cmocka_unit_test(never),
	    cmocka_unit_test(hints),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
