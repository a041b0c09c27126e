/* SPDX-License-Identifier: BSD-2-Clause */
#include "notifyrig.h"

#include <stdio.h>

#include "wire/name.h"
#include "wire/query.h"

static void
table(void **state)
{
	static const struct {
		const char *text, *from;
		uint16_t qtype;
		enum notifyin_why why;
		bool drop;
		uint16_t rcode;
		int ede;
		int zone; /* -1: none */
	} rows[] = {
	    {"", HIDDEN, TYPE_SOA, NOTIFYIN_OK, false, RCODE_NOERROR, -1, 0},
	    {"soa=7", SECOND, TYPE_SOA, NOTIFYIN_OK, false, RCODE_NOERROR, -1, 0},
	    {"", NEAR, TYPE_SOA, NOTIFYIN_OK, false, RCODE_NOERROR, -1, 0},
	    {"", "::ffff:192.0.2.1", TYPE_SOA, NOTIFYIN_OK, false, RCODE_NOERROR, -1, 0},
	    /* tolerated */
	    {"!aa=0", HIDDEN, TYPE_SOA, NOTIFYIN_OK, false, RCODE_NOERROR, -1, 0},
	    {"!ra", HIDDEN, TYPE_SOA, NOTIFYIN_OK, false, RCODE_NOERROR, -1, 0},
	    {"!ns=1", HIDDEN, TYPE_SOA, NOTIFYIN_OK, false, RCODE_NOERROR, -1, 0}, /* N-06 */
	    {"!opt", HIDDEN, TYPE_SOA, NOTIFYIN_OK, false, RCODE_NOERROR, -1, 0},
	    {"!q=EXAMPLE.oRg.", HIDDEN, TYPE_SOA, NOTIFYIN_OK, false, RCODE_NOERROR, -1, 0},
	    /* not tolerated */
	    {"!tc", HIDDEN, TYPE_SOA, NOTIFYIN_TRUNCATED, false, RCODE_FORMERR, -1, -1},
	    {"!noq", HIDDEN, TYPE_SOA, NOTIFYIN_QUESTIONS, false, RCODE_FORMERR, -1, -1},
	    {"!twoq", HIDDEN, TYPE_SOA, NOTIFYIN_QUESTIONS, false, RCODE_FORMERR, -1, -1},
	    {"!rcode=5", HIDDEN, TYPE_SOA, NOTIFYIN_RCODE, true, 0, -1, -1},
	    {"!opts=2", HIDDEN, TYPE_SOA, NOTIFYIN_MALFORMED, false, RCODE_FORMERR, -1, -1},
	    {"!oddkeepalive", HIDDEN, TYPE_SOA, NOTIFYIN_OK, false, RCODE_NOERROR, -1,
		0}, /* KA-01 */
	    {"!version=1", HIDDEN, TYPE_SOA, NOTIFYIN_VERSION, false, RCODE_BADVERS, -1, -1},
	    {"!count=3", HIDDEN, TYPE_SOA, NOTIFYIN_MALFORMED, false, RCODE_FORMERR, -1, -1},
	    {"!tsig", HIDDEN, TYPE_SOA, NOTIFYIN_SIGNED, false, RCODE_NOTAUTH, -1, -1},
	    /* A-18, N-34 */
	    {"", HIDDEN, TYPE_A, NOTIFYIN_QTYPE, false, RCODE_NOTIMP, EDE_NOT_SUPPORTED, -1},
	    {"", HIDDEN, 66, NOTIFYIN_QTYPE, false, RCODE_NOTIMP, EDE_NOT_SUPPORTED, -1},
	    {"!q=none.test.", HIDDEN, TYPE_IXFR, NOTIFYIN_QTYPE, false, RCODE_NOTIMP,
		EDE_NOT_SUPPORTED, -1},
	    /* */
	    {"!qclass=3", HIDDEN, TYPE_SOA, NOTIFYIN_CLASS, false, RCODE_NOTAUTH,
		EDE_NOT_AUTHORITATIVE, -1},
	    {"!qclass=255", HIDDEN, TYPE_SOA, NOTIFYIN_CLASS, false, RCODE_NOTAUTH,
		EDE_NOT_AUTHORITATIVE, -1},
	    /* */
	    {"", STRANGER, TYPE_SOA, NOTIFYIN_STRANGER, false, RCODE_REFUSED, EDE_PROHIBITED, -1},
	    {"!q=none.test.", STRANGER, TYPE_SOA, NOTIFYIN_STRANGER, false, RCODE_REFUSED,
		EDE_PROHIBITED, -1},
	    {"!twoq", STRANGER, TYPE_A, NOTIFYIN_STRANGER, false, RCODE_REFUSED, EDE_PROHIBITED,
		-1},
	    {"!q=none.test.", HIDDEN, TYPE_SOA, NOTIFYIN_NO_ZONE, false, RCODE_NOTAUTH,
		EDE_NOT_AUTHORITATIVE, -1},
	    {"!q=org.", HIDDEN, TYPE_SOA, NOTIFYIN_NO_ZONE, false, RCODE_NOTAUTH,
		EDE_NOT_AUTHORITATIVE, -1},
	    {"!q=.", HIDDEN, TYPE_SOA, NOTIFYIN_NO_ZONE, false, RCODE_NOTAUTH,
		EDE_NOT_AUTHORITATIVE, -1},
	    {"", THIRD, TYPE_SOA, NOTIFYIN_NOT_PRIMARY, false, RCODE_REFUSED, EDE_PROHIBITED, -1},
	    {"!q=other.test.", HIDDEN, TYPE_SOA, NOTIFYIN_NOT_PRIMARY, false, RCODE_REFUSED,
		EDE_PROHIBITED, -1},
	    {"!q=other.test.", THIRD, TYPE_SOA, NOTIFYIN_OK, false, RCODE_NOERROR, -1, 2},
	    /* */
	    {"!q=www.example.org.", HIDDEN, TYPE_SOA, NOTIFYIN_OK, false, RCODE_NOERROR, -1, 0},
	    {"!q=a.b.c.EXAMPLE.org.", HIDDEN, TYPE_SOA, NOTIFYIN_OK, false, RCODE_NOERROR, -1, 0},
	    {"!q=cut.example.org.", HIDDEN, TYPE_SOA, NOTIFYIN_CHILD, false, RCODE_NOTAUTH,
		EDE_NOT_AUTHORITATIVE, -1},
	    {"!q=www.cut.example.org.", HIDDEN, TYPE_SOA, NOTIFYIN_CHILD, false, RCODE_NOTAUTH,
		EDE_NOT_AUTHORITATIVE, -1},
	    {"!q=www.deep.example.org.", THIRD, TYPE_SOA, NOTIFYIN_OK, false, RCODE_NOERROR, -1, 1},
	    {"!q=www.deep.example.org.", HIDDEN, TYPE_SOA, NOTIFYIN_NOT_PRIMARY, false,
		RCODE_REFUSED, EDE_PROHIBITED, -1},
	    {"!q=exact.test.", HIDDEN, TYPE_SOA, NOTIFYIN_OK, false, RCODE_NOERROR, -1, 3},
	    {"!q=www.exact.test.", HIDDEN, TYPE_SOA, NOTIFYIN_NO_ZONE, false, RCODE_NOTAUTH,
		EDE_NOT_AUTHORITATIVE, -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		now.us += 10 * S; /* no limit, no memory */
		judge(rows[i].text, rows[i].qtype, rows[i].from);
		if (v.why != rows[i].why)
			print_message(
			    "row %zu \"%s\": %s\n", i, rows[i].text, notifyin_why_names[v.why]);
		assert_int_equal(v.why, rows[i].why);
		assert_int_equal(v.drop, rows[i].drop);
		if (!v.drop) {
			assert_int_equal(v.rcode, rows[i].rcode);
			assert_int_equal(v.ede, rows[i].ede);
			assert_int_equal(v.aa, rows[i].rcode == RCODE_NOERROR);
		}
		assert_ptr_equal(v.zone, rows[i].zone < 0 ? NULL : &zone[rows[i].zone]);
	}
}

/* AN-15, N-01 */
static void
responses_are_dropped(void **state)
{
	(void)state;
	buf_reset(&message);
	xfrmsg_build(&message, "!opcode=4", TYPE_SOA);
	judge_raw(HIDDEN, false, false);
	assert_int_equal(v.why, NOTIFYIN_RESPONSE);
	assert_true(v.drop);
	message.len = 11;
	judge_raw(HIDDEN, false, false);
	assert_int_equal(v.why, NOTIFYIN_SHORT);
	assert_true(v.drop);
}

/* Over UDP it is ignored (KA-01). */
static void
odd_keepalive_over_tcp(void **state)
{
	(void)state;
	buf_reset(&message);
	xfrmsg_build(&message, "!query !opcode=4 !oddkeepalive", TYPE_SOA);
	judge_raw(HIDDEN, true, false);
	assert_int_equal(v.why, NOTIFYIN_MALFORMED);
	assert_int_equal(v.rcode, RCODE_FORMERR);
}

static void
who_it_was(void **state)
{
	(void)state;
	judge("", TYPE_SOA, HIDDEN);
	assert_int_equal(v.notify.primary, 0);
	assert_int_equal(v.notify.address, 0);
	assert_ptr_equal(v.primary, &primary[0]);
	judge("", TYPE_SOA, NEAR); /* on its behalf (N-17) */
	assert_int_equal(v.notify.primary, 0);
	assert_int_equal(v.notify.address, ZONE_NO_INDEX);
	judge("", TYPE_SOA, SECOND);
	assert_int_equal(v.notify.primary, 1);
	assert_false(v.notify.authenticated);
	assert_false(v.notify.forced);
	assert_false(v.notify.deferred);
	judge_raw(SECOND, true, true);
	assert_true(v.notify.authenticated);
}

/* N-08: a hint is a hint only as our apex's SOA; anything else leads to a check. */
static void
hints(void **state)
{
	static const struct {
		const char *text;
		bool hinted;
		uint32_t hint;
	} rows[] = {
	    {"", false, 0},
	    {"soa=7", true, 7},
	    {"SOA=9", true, 9},
	    {"soa=0", true, 0}, /* S-04 */
	    {"soa=4294967295", true, UINT32_MAX},
	    {"soa=7@sub", false, 0},
	    {"a@www=1 soa=8", true, 8},
	    {"a@www=1", false, 0},
	    {"soa=5 soa=6", true, 5},
	    {"-- soa=7", false, 0},
	    {"!q=www.example.org. soa=7", true, 7},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		judge(rows[i].text, TYPE_SOA, HIDDEN);
		assert_int_equal(v.why, NOTIFYIN_OK);
		assert_int_equal(v.notify.hinted, rows[i].hinted);
		if (rows[i].hinted)
			assert_int_equal(v.notify.hint, rows[i].hint);
	}
}

/* AN-21: the answer section of NOTIFY(AXFR) is nothing to us. */
static void
forced_takes_no_hint(void **state)
{
	(void)state;
	judge("soa=7", TYPE_AXFR, HIDDEN);
	assert_int_equal(v.why, NOTIFYIN_OK);
	assert_true(v.notify.forced);
	assert_false(v.notify.hinted);
	judge("", TYPE_IXFR, HIDDEN);
	assert_int_equal(v.why, NOTIFYIN_QTYPE);
}

static void
zone_that_goes_is_no_zone(void **state)
{
	(void)state;
	zone[0].state = ZONE_GONE;
	judge("", TYPE_SOA, HIDDEN);
	assert_int_equal(v.why, NOTIFYIN_NO_ZONE);
}

static void
no_configuration_no_friends(void **state)
{
	(void)state;
	notifyin_configure(n, &conf, NULL);
	judge("", TYPE_SOA, HIDDEN);
	assert_int_equal(v.why, NOTIFYIN_STRANGER);
}

/* */
static void
retransmissions(void **state)
{
	(void)state;
	judge("soa=7", TYPE_SOA, HIDDEN);
	uint32_t memory = v.memory;
	assert_int_not_equal(memory, 0);
	judge_raw(HIDDEN, false, false);
	assert_int_equal(v.why, NOTIFYIN_REPEAT_WAITS);
	assert_true(v.drop);
	assert_null(v.zone);
	notifyin_answered(n, memory, RCODE_NOERROR);
	judge_raw(HIDDEN, false, false);
	assert_int_equal(v.why, NOTIFYIN_REPEAT);
	assert_false(v.drop);
	assert_int_equal(v.rcode, RCODE_NOERROR);
	assert_true(v.aa);
	assert_null(v.zone);
	/* Anything that differs is another request. */
	judge_raw("192.0.2.1@54", false, false);
	assert_int_equal(v.why, NOTIFYIN_OK);
	judge("soa=8", TYPE_SOA, HIDDEN);
	assert_int_equal(v.why, NOTIFYIN_OK);
	judge("!id=9 soa=7", TYPE_SOA, HIDDEN);
	assert_int_equal(v.why, NOTIFYIN_OK);
	/* TCP does not retransmit, and memory ends. */
	judge("soa=7", TYPE_SOA, HIDDEN);
	assert_int_equal(v.why, NOTIFYIN_REPEAT);
	judge_raw(HIDDEN, true, false);
	assert_int_equal(v.why, NOTIFYIN_OK);
	assert_int_equal(v.memory, 0);
	now.us += NOTIFYIN_MEMORY_US + 1;
	judge_raw(HIDDEN, false, false);
	assert_int_equal(v.why, NOTIFYIN_OK);
	/* The store failed: so does the answer to the repeat. */
	notifyin_answered(n, v.memory, RCODE_SERVFAIL);
	judge_raw(HIDDEN, false, false);
	assert_int_equal(v.rcode, RCODE_SERVFAIL);
	assert_false(v.aa);
	/* A late word about a request whose place was taken is ignored. */
	notifyin_answered(n, memory, RCODE_REFUSED);
	notifyin_answered(n, 0, RCODE_REFUSED);
	judge_raw(HIDDEN, false, false);
	assert_int_equal(v.rcode, RCODE_SERVFAIL);
}

/* Errors are not remembered: the next reload may make them right. */
static void
errors_are_judged_afresh(void **state)
{
	(void)state;
	judge("!q=none.test.", TYPE_SOA, HIDDEN);
	judge_raw(HIDDEN, false, false);
	assert_int_equal(v.why, NOTIFYIN_NO_ZONE);
	assert_int_equal(v.memory, 0);
}

/* strangers get few answers, however many questions they have. */
static void
strangers_are_limited(void **state)
{
	unsigned answers = 0;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		judge("", TYPE_SOA, STRANGER);
		answers += !v.drop;
	}
	assert_int_equal(answers, 5);
	assert_int_equal(v.why, NOTIFYIN_FLOOD);
	judge("", TYPE_SOA, HIDDEN);
	assert_int_equal(v.why, NOTIFYIN_OK);
}

/* what is authorised is never dropped, only put back; complaints are. */
static void
primaries_are_deferred_not_dropped(void **state)
{
	char text[32];
	unsigned deferred = 0;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "!id=%u", i);
		judge(text, TYPE_SOA, HIDDEN);
		assert_int_equal(v.why, NOTIFYIN_OK);
		assert_ptr_equal(v.zone, &zone[0]);
		deferred += v.notify.deferred;
	}
	assert_int_equal(deferred, 950);
	judge("!q=none.test.", TYPE_SOA, HIDDEN);
	assert_int_equal(v.why, NOTIFYIN_FLOOD);
	assert_true(v.drop);
	judge("", TYPE_SOA, SECOND);
	assert_false(v.notify.deferred);
}

/* Names below an apex above the rate: nothing is read for them; what they hide is not lost. */
static void
junk_below_the_apex_is_limited(void **state)
{
	char text[64];

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "!id=%u !q=n%u.example.org.", i, i % 3 != 0 ? i : 0);
		judge(text, TYPE_SOA, HIDDEN);
		assert_int_equal(v.why, i < 50 ? NOTIFYIN_OK : NOTIFYIN_FLOOD);
		assert_int_equal(v.drop, i >= 50);
		assert_true((v.zone != NULL) == (i < 50));
	}
	assert_int_equal(delegations, 50);
	judge("!id=9", TYPE_SOA, HIDDEN);
	assert_int_equal(v.why, NOTIFYIN_OK);
	assert_true(v.notify.deferred);
	judge("!id=9", TYPE_AXFR, HIDDEN);
	assert_int_equal(v.why, NOTIFYIN_OK);
	assert_true(v.notify.deferred);
}

/* What is answered can be read by whoever asked: never more than the question and OPT. */
static void
replies_fit_the_verdict(void **state)
{
	struct buf out = {0};
	struct msg req, rsp;
	struct zr_err e;

	(void)state;
	judge("!q=EXAMPLE.oRg. !opt soa=7", TYPE_SOA, HIDDEN);
	assert_int_equal(msg_parse(&req, message.data, message.len, MSG_FULL, &e), 0);
	const struct reply r = {.rcode = v.rcode, .aa = v.aa, .ede = v.ede, .keepalive = -1};
	query_reply(&out, &req, &r);
	assert_int_equal(msg_parse(&rsp, out.data, out.len, MSG_FULL, &e), 0);
	assert_true(out.len <= message.len);
	assert_true(name_equal_case(req.qname, rsp.qname)); /* */
	assert_int_equal(rsp.opcode, OPCODE_NOTIFY);
	assert_int_equal(rsp.flags & (FLAG_QR | FLAG_AA), FLAG_QR | FLAG_AA);
	buf_clear(&out);
}

static void
judge_signed(const char *text, uint16_t qtype, const char *from, const uint8_t *key, bool seen)
{
	struct notifyin_source src = {.key = key, .seen = seen};
	static unsigned id;
	char whole[512];
	struct zr_err e;
	struct msg m;

	buf_reset(&message);
	snprintf(whole, sizeof(whole), "!query !opcode=4 !id=%u %s", ++id, text);
	xfrmsg_build(&message, whole, qtype);
	assert_true(addr_parse(from, 4711, &src.from));
	int parsed = msg_parse(&m, message.data, message.len, MSG_FULL, &e);
	notifyin_judge(n, &src, &m, parsed, now, &v);
}

/* a primary with a key must sign NOTIFY(AXFR), and with notify_signed every NOTIFY. */
static void
with_keys(void **state)
{
	static const uint8_t mine[] = "\004mine", other[] = "\005other";

	(void)state;
	primary[0].keyed = true;
	primary[0].notify_key = mine;
	judge_signed("", TYPE_SOA, HIDDEN, NULL, false);
	assert_int_equal(v.why, NOTIFYIN_OK);
	assert_false(v.notify.authenticated);
	judge_signed("", TYPE_SOA, HIDDEN, other, false);
	assert_int_equal(v.why, NOTIFYIN_OK);
	assert_false(v.notify.authenticated);
	judge_signed("", TYPE_AXFR, HIDDEN, NULL, false);
	assert_int_equal(v.why, NOTIFYIN_FORCED_AUTH);
	assert_int_equal(v.rcode, RCODE_REFUSED);
	judge_signed("", TYPE_AXFR, HIDDEN, other, false);
	assert_int_equal(v.why, NOTIFYIN_FORCED_AUTH);
	judge_signed("", TYPE_AXFR, HIDDEN, mine, false);
	assert_int_equal(v.why, NOTIFYIN_OK);
	assert_true(v.notify.authenticated);
	primary[0].notify_signed = true;
	judge_signed("", TYPE_SOA, HIDDEN, other, false);
	assert_int_equal(v.why, NOTIFYIN_UNSIGNED);
	assert_int_equal(v.rcode, RCODE_REFUSED);
	assert_int_equal(v.ede, EDE_PROHIBITED);
	assert_null(v.zone);
	primary[0].forced = PRIMARY_FORCED_ADDRESS;
	judge_signed("", TYPE_AXFR, NEAR, NULL, false);
	assert_int_equal(v.why, NOTIFYIN_UNSIGNED);
	judge_signed("", TYPE_SOA, NEAR, mine, false);
	assert_int_equal(v.why, NOTIFYIN_OK);
	assert_true(v.notify.authenticated);
	/* Seen before: the answer again, and the zone does not hear of it (TS-09). */
	judge_signed("", TYPE_AXFR, HIDDEN, mine, true);
	assert_int_equal(v.why, NOTIFYIN_REPEAT);
	assert_int_equal(v.rcode, RCODE_NOERROR);
	assert_true(v.aa);
	assert_false(v.drop);
	assert_null(v.zone);
}

/* Two primaries at one address: the key tells which it is. */
static void
key_decides(void **state)
{
	static const uint8_t one[] = "\003one", two[] = "\003two";
	struct acl_entry e[2];
	struct acl *shared;

	(void)state;
	for (unsigned i = 0; i < 2; i++)
		e[i] = (struct acl_entry){acl_host(&primary[0].address[0].addr), 100 + i};
	shared = acl_new(e, 2);
	notifyin_configure(n, &conf, shared);
	primary[0].notify_key = one;
	primary[1].notify_key = two;
	primary[0].keyed = primary[1].keyed = primary[0].notify_signed = true;
	judge_signed("", TYPE_SOA, HIDDEN, two, false);
	assert_int_equal(v.notify.primary, 1);
	assert_true(v.notify.authenticated);
	judge_signed("", TYPE_SOA, HIDDEN, one, false);
	assert_int_equal(v.notify.primary, 0);
	assert_true(v.notify.authenticated);
	judge_signed("", TYPE_SOA, HIDDEN, NULL, false); /* the one that need not sign */
	assert_int_equal(v.why, NOTIFYIN_OK);
	assert_int_equal(v.notify.primary, 1);
	acl_free(shared);
}

/* what is forged with its address does not hold up what is signed. */
static void
own_rate(void **state)
{
	static const uint8_t mine[] = "\004mine";

	(void)state;
	primary[0].notify_key = mine;
	for (unsigned i = 0; i < 60; i++)
		judge_signed("", TYPE_SOA, HIDDEN, NULL, false);
	assert_true(v.notify.deferred || v.drop);
	judge_signed("", TYPE_SOA, HIDDEN, mine, false);
	assert_int_equal(v.why, NOTIFYIN_OK);
	assert_false(v.notify.deferred);
}

/* What was signed, overheard and sent again without end: it gets few answers, and its key has all
 * of its rate. */
static void
overheard_rate(void **state)
{
	static const uint8_t mine[] = "\004mine";
	unsigned answers = 0;

	(void)state;
	primary[0].notify_key = mine;
	for (unsigned i = 0; i < 1000; i++) {
		judge_signed("", TYPE_AXFR, HIDDEN, mine, true);
		assert_null(v.zone);
		answers += !v.drop;
	}
	assert_in_range(answers, 1, 60);
	assert_int_equal(v.why, NOTIFYIN_FLOOD);
	judge_signed("", TYPE_SOA, HIDDEN, mine, false);
	assert_int_equal(v.why, NOTIFYIN_OK);
	assert_false(v.notify.deferred);
}

/* The same without a signature: octet by octet, from the same port. */
static void
repeated_rate(void **state)
{
	unsigned answers = 0;

	(void)state;
	judge("", TYPE_SOA, HIDDEN);
	assert_non_null(v.zone);
	notifyin_answered(n, v.memory, RCODE_NOERROR);
	for (unsigned i = 0; i < 1000; i++) {
		judge_raw(HIDDEN, false, false);
		assert_null(v.zone);
		answers += !v.drop;
	}
	assert_in_range(answers, 50, 120);
}

/* C-11: a cookie of ours, or TCP, is a class of its own, and proves nothing else. */
static void
reached_rate(void **state)
{
	struct notifyin_source src = {.reached = true};
	struct zr_err e;
	struct msg m;

	(void)state;
	for (unsigned i = 0; i < 60; i++)
		judge_signed("", TYPE_SOA, HIDDEN, NULL, false);
	assert_true(v.notify.deferred);
	assert_true(addr_parse(HIDDEN, 4711, &src.from));
	primary[0].keyed = true;
	for (unsigned i = 0; i < 60; i++) {
		buf_reset(&message);
		xfrmsg_build(&message, "!query !opcode=4 !id=7", i < 58 ? TYPE_SOA : TYPE_AXFR);
		message.data[1] = (uint8_t)i;
		int parsed = msg_parse(&m, message.data, message.len, MSG_FULL, &e);
		notifyin_judge(n, &src, &m, parsed, now, &v);
		if (i < 50) {
			assert_int_equal(v.why, NOTIFYIN_OK);
			assert_false(v.notify.deferred);
			assert_false(v.notify.authenticated);
		}
		if (i == 50) {
			assert_true(v.notify.deferred);
			now.us += 100 * S;
		}
	}
	assert_int_equal(v.why, NOTIFYIN_FORCED_AUTH);
}

/* a key has its rate, from however many addresses it comes. */
static void
key_rate(void **state)
{
	static const uint8_t mine[] = "\004mine", other[] = "\005other";
	char from[32];

	(void)state;
	primary[0].notify_key = mine;
	for (unsigned i = 0; i < 60; i++) {
		snprintf(from, sizeof(from), "198.51.100.%u@5", 64 + i % 16);
		judge_signed("", TYPE_SOA, from, mine, false);
		assert_int_equal(v.why, NOTIFYIN_OK);
		assert_int_equal(v.notify.deferred, i >= 50);
	}
	judge_signed("", TYPE_SOA, HIDDEN, other, false);
	assert_false(v.notify.deferred);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, notifyrig_setup, notifyrig_teardown)
	const struct CMUnitTest tests[] = {
	    T(table),
	    T(responses_are_dropped),
	    T(odd_keepalive_over_tcp),
	    T(who_it_was),
	    T(hints),
	    T(forced_takes_no_hint),
	    T(zone_that_goes_is_no_zone),
	    T(no_configuration_no_friends),
	    T(with_keys),
	    T(key_decides),
	    T(own_rate),
	    T(overheard_rate),
	    T(repeated_rate),
	    T(reached_rate),
	    T(key_rate),
	    T(retransmissions),
	    T(errors_are_judged_afresh),
	    T(strangers_are_limited),
	    T(primaries_are_deferred_not_dropped),
	    T(junk_below_the_apex_is_limited),
	    T(replies_fit_the_verdict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
