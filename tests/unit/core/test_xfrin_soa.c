/* SPDX-License-Identifier: BSD-2-Clause */
/* The judgement of answers to SOA queries (T-10, F-01, X-05). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "core/xfrin.h"
#include "xfrmsg.h"

struct row {
	const char *message;
	enum zr_code code;
	const char *text;
	bool retry_plain, retry_tcp;
};

static const struct row rows[] = {
    {"soa=7", ZR_OK},
    {"!q=EXAMPLE.Org. SOA=7", ZR_OK},
    {"!opt !ra soa=7", ZR_OK},
    {"!expire=55 soa=7", ZR_OK},
    {"soa=7 t46@=0006", ZR_OK}, /* its RRSIG */
    {"!query soa=7", ZR_FORMERR, "expected a response"},
    {"!opcode=4 soa=7", ZR_FORMERR, "expected a response"},
    {"!q=other.org. soa=7", ZR_FORMERR, "question"},
    {"!qtype=1 soa=7", ZR_FORMERR, "question"},
    {"!twoq soa=7", ZR_FORMERR, "question"},
    {"!noq soa=7", ZR_FORMERR, "no question"},
    {"!q=other.org. !rcode=5", ZR_FORMERR, "question"},
    {"!aa=0 soa=7", ZR_REFUSED, "not authoritative"},
    {"!aa=0 !ns=1", ZR_REFUSED, "not authoritative"}, /* referral */
    {"", ZR_FORMERR, "found 0"},
    {"!ns=1", ZR_FORMERR, "found 0"},
    {"a@=1", ZR_FORMERR, "found 0"},
    {"soa=7 soa=7", ZR_FORMERR, "found 2"},
    {"soa=7@other.org.", ZR_FORMERR, "another zone"},
    {"soa=7@sub", ZR_FORMERR, "another zone"},
    {"!tc", ZR_FORMERR, "truncated", false, true},
    {"!tc soa=7", ZR_FORMERR, "truncated", false, true},
    {"!rcode=5", ZR_REFUSED, "REFUSED (5)"},
    {"!rcode=5 !noq !ede=18", ZR_REFUSED, "REFUSED (5), EDE 18"},
    {"!rcode=9", ZR_REFUSED, "NOTAUTH"},
    {"!rcode=1", ZR_FORMERR, "FORMERR", true},
    {"!rcode=1 !opt", ZR_FORMERR, "FORMERR", true},
    {"!rcode=4", ZR_NOTIMP, "NOTIMP", true},
    {"!rcode=2", ZR_SERVFAIL, "SERVFAIL", true},
    {"!rcode=2 !opt", ZR_SERVFAIL, "SERVFAIL"},
    {"!rcode=3", ZR_SERVFAIL, "NXDOMAIN"},
    {"!extrcode=1", ZR_FORMERR, "(16)", true},
};

static void
test_rows(void **state)
{
	uint8_t zone[255];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		struct soa_answer out;
		struct buf b = BUF_INIT;
		struct zr_err e = {0};
		struct msg m;

		xfrmsg_build(&b, r->message, TYPE_SOA);
		assert_int_equal(msg_parse(&m, b.data, b.len, MSG_FULL, &e), 0);
		print_message("\"%s\"\n", r->message);
		assert_int_equal(
		    xfrin_soa_answer(&m, xfrmsg_zone(zone), &out, &e), r->code == ZR_OK ? 0 : -1);
		assert_int_equal(e.code, r->code);
		if (r->text != NULL)
			assert_non_null(strstr(e.text, r->text));
		assert_int_equal(out.retry_plain, r->retry_plain);
		assert_int_equal(out.retry_tcp, r->retry_tcp);
		if (r->code == ZR_OK) {
			assert_int_equal(out.soa.serial, 7);
			assert_int_equal(out.soa.expire, 86400);
			assert_int_equal(out.expire_valid, strstr(r->message, "!expire") != NULL);
			assert_int_equal(out.expire, out.expire_valid ? 55 : 0);
		}
		buf_clear(&b);
	}
}

/* A peer's text reaches the log as printable ASCII only. */
static void
test_ede_text(void **state)
{
	uint8_t zone[255], wire[] = {0, 0, 0x84, 5, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 41, 4, 208, 0, 0,
			       0, 0, 0, 12, 0, 15, 0, 8, 0, 18, 'n', 'o', 27, '\n', 0xff, '!'};
	struct soa_answer out;
	struct zr_err e = {0};
	struct msg m;

	(void)state;
	assert_int_equal(msg_parse(&m, wire, sizeof(wire), MSG_FULL, &e), 0);
	assert_int_equal(xfrin_soa_answer(&m, xfrmsg_zone(zone), &out, &e), -1);
	assert_string_equal(e.text, "primary answered REFUSED (5), EDE 18: no??"
				    "?!");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rows),
	    cmocka_unit_test(test_ede_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
