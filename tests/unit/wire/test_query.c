/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/mem.h"
#include "wire/msg.h"
#include "wire/query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define LIT(s) (s), (sizeof(s) - 1)

static const uint8_t zone[] = "\007example\003org";
static const uint8_t soa_rdata[] = "\002ns\007example\003org\000\001h\000"
				   "\000\000\000\007aaaabbbbccccdddd";
static const struct rr soa = {.owner = zone,
    .owner_len = sizeof(zone),
    .rdata = soa_rdata,
    .rdlen = sizeof(soa_rdata) - 1,
    .ttl = 3600,
    .type = TYPE_SOA,
    .class = CLASS_IN};

static void
expect(struct buf *b, const char *want, size_t len)
{
	assert_false(b->bad);
	assert_int_equal(b->len, len);
	assert_memory_equal(b->data, want, len);
	buf_reset(b);
}

#define QUESTION(type) "\007example\003org\000\000" type "\000\001"
#define SOA_AT_QUESTION                                                                            \
	"\300\014\000\006\000\001\000\000\016\020\000\047"                                         \
	"\002ns\007example\003org\000\001h\000\000\000\000\007aaaabbbbccccdddd"

static void
test_queries(void **state)
{
	const struct query_edns none = {0}, plain = {.enabled = true},
				both = {.enabled = true, .expire = true, .keepalive = true},
				off = {.enabled = false, .expire = true};
	struct buf b = BUF_INIT;

	(void)state;
	query_soa(&b, 0x1234, zone, &none);
	expect(&b, LIT("\022\064\000\000\000\001\000\000\000\000\000\000" QUESTION("\006")));
	query_soa(&b, 0x1234, zone, NULL);
	expect(&b, LIT("\022\064\000\000\000\001\000\000\000\000\000\000" QUESTION("\006")));
	query_soa(&b, 0x1234, zone, &off);
	expect(&b, LIT("\022\064\000\000\000\001\000\000\000\000\000\000" QUESTION("\006")));
	/* E-01, ED-06 */
	query_soa(&b, 0xffff, zone, &plain);
	expect(&b, LIT("\377\377\000\000\000\001\000\000\000\000\000\001" QUESTION(
		       "\006") "\000\000\051\004\320\000\000\000\000\000\000"));
	query_axfr(&b, 1, zone, &both);
	expect(&b, LIT("\000\001\000\000\000\001\000\000\000\000\000\001" QUESTION(
		       "\374") "\000\000\051\004\320\000\000\000\000\000\010"
			       "\000\011\000\000\000\013\000\000"));
	/* I-01 */
	query_ixfr(&b, 1, zone, &soa, &plain);
	expect(&b, LIT("\000\001\000\000\000\001\000\000\000\001\000\001" QUESTION("\373")
			   SOA_AT_QUESTION "\000\000\051\004\320\000\000\000\000\000\000"));
	buf_clear(&b);
}

static void
test_notify(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	/* AN-01, N-27: AA=1, nothing else; N-07: the hint. */
	query_notify(&b, 2, zone, TYPE_SOA, &soa, NULL);
	expect(&b, LIT("\000\002\044\000\000\001\000\001\000\000\000\000" QUESTION("\006")
			   SOA_AT_QUESTION));
	query_notify(&b, 2, zone, TYPE_SOA, NULL, NULL);
	expect(&b, LIT("\000\002\044\000\000\001\000\000\000\000\000\000" QUESTION("\006")));
	/* AN-02 */
	query_notify(&b, 2, zone, TYPE_AXFR, &soa, NULL);
	expect(&b, LIT("\000\002\044\000\000\001\000\000\000\000\000\000" QUESTION("\374")));
	buf_clear(&b);
}

/* A request as it is parsed; returns it in *m, which borrows from *copy. */
static void
request(struct msg *m, struct buf *copy, unsigned flags, uint16_t qtype, const char *opt,
    size_t opt_len)
{
	buf_reset(copy);
	buf_u16(copy, 0xabcd);
	buf_u16(copy, (uint16_t)flags);
	buf_u16(copy, 1);
	buf_u32(copy, 0);
	buf_u16(copy, opt != NULL);
	buf_bytes(copy, LIT("\007eXample\003Org\000"));
	buf_u16(copy, qtype);
	buf_u16(copy, CLASS_IN);
	if (opt != NULL) {
		buf_bytes(copy, LIT("\000\000\051\020\000\000\000\200\001"));
		buf_u16(copy, (uint16_t)opt_len);
		buf_bytes(copy, opt, opt_len);
	}
	assert_int_equal(msg_parse(m, copy->data, copy->len, MSG_FULL, NULL), 0);
}

#define ECHO(type) "\007eXample\003Org\000\000" type "\000\001"

static void
test_reply_flags(void **state)
{
	struct buf b = BUF_INIT, in = BUF_INIT;
	struct reply r = {.ede = -1, .keepalive = -1};
	struct msg m;

	(void)state;
	/* the question as sent; RD is copied, AD and CD are not, RA stays 0. */
	request(&m, &in, FLAG_RD | FLAG_CD | FLAG_AD, TYPE_SOA, NULL, 0);
	r.rcode = RCODE_REFUSED;
	query_reply(&b, &m, &r);
	expect(&b, LIT("\253\315\201\005\000\001\000\000\000\000\000\000" ECHO("\006")));
	r = (struct reply){.aa = true, .ede = -1, .keepalive = -1, .soa = &soa};
	query_reply(&b, &m, &r);
	expect(&b,
	    LIT("\253\315\205\000\000\001\000\001\000\000\000\000" ECHO("\006") SOA_AT_QUESTION));
	r = (struct reply){.tc = true, .ede = -1, .keepalive = -1};
	query_reply(&b, &m, &r);
	expect(&b, LIT("\253\315\203\000\000\001\000\000\000\000\000\000" ECHO("\006")));
	/* N-28, AN-09: opcode and AA; A-16: an error to a NOTIFY has no AA. */
	request(&m, &in, OPCODE_NOTIFY << 11 | FLAG_AA, TYPE_AXFR, NULL, 0);
	r = (struct reply){.aa = true, .ede = -1, .keepalive = -1};
	query_reply(&b, &m, &r);
	expect(&b, LIT("\253\315\244\000\000\001\000\000\000\000\000\000" ECHO("\374")));
	r = (struct reply){.rcode = RCODE_NOTAUTH, .ede = EDE_NOT_AUTHORITATIVE, .keepalive = -1};
	query_reply(&b, &m, &r);
	expect(&b, LIT("\253\315\240\011\000\001\000\000\000\000\000\000" ECHO("\374")));
	buf_clear(&in);
	buf_clear(&b);
}

static void
test_reply_without_question(void **state)
{
	static const uint8_t broken[] = "\253\315\060\000\000\001\000\000\000\000\000\000\100";
	struct reply r = {
	    .rcode = RCODE_FORMERR, .aa = false, .ede = -1, .keepalive = -1, .soa = &soa};
	struct buf b = BUF_INIT;
	struct msg m;

	(void)state;
	assert_int_equal(msg_parse(&m, broken, sizeof(broken) - 1, MSG_FULL, NULL), -1);
	query_reply(&b, &m, &r);
	expect(&b, LIT("\253\315\260\001\000\000\000\000\000\000\000\000")); /* T-21: opcode 6 */
	buf_clear(&b);
}

static void
test_reply_edns(void **state)
{
	struct buf b = BUF_INIT, in = BUF_INIT;
	struct reply r = {.rcode = RCODE_REFUSED,
	    .ede = EDE_PROHIBITED,
	    .ede_text = "why",
	    .keepalive = 260,
	    .expire = true,
	    .expire_s = 65538};
	struct msg m;

	(void)state;
	/* ED-01, ED-05 (DO copied, other flags not), E-03 and KA-02: only when asked. */
	request(&m, &in, 0, TYPE_SOA, "", 0);
	query_reply(&b, &m, &r);
	expect(&b, LIT("\253\315\200\005\000\001\000\000\000\000\000\001" ECHO(
		       "\006") "\000\000\051\004\320\000\000\200\000\000\011"
			       "\000\017\000\005\000\022why"));
	request(&m, &in, 0, TYPE_SOA, LIT("\000\011\000\000\000\013\000\000"));
	r.ede = -1;
	query_reply(&b, &m, &r);
	expect(&b, LIT("\253\315\200\005\000\001\000\000\000\000\000\001" ECHO(
		       "\006") "\000\000\051\004\320\000\000\200\000\000\016"
			       "\000\011\000\004\000\001\000\002\000\013\000\002\001\004"));
	r = (struct reply){.ede = -1, .keepalive = -1, .expire = false};
	query_reply(&b, &m, &r);
	expect(&b, LIT("\253\315\200\000\000\001\000\000\000\000\000\001" ECHO(
		       "\006") "\000\000\051\004\320\000\000\200\000\000\000"));
	/* ED-04 */
	r.rcode = RCODE_BADVERS;
	query_reply(&b, &m, &r);
	expect(&b, LIT("\253\315\200\000\000\001\000\000\000\000\000\001" ECHO(
		       "\006") "\000\000\051\004\320\001\000\200\000\000\000"));
	request(&m, &in, 0, TYPE_SOA, NULL, 0);
	query_reply(&b, &m, &r);
	expect(&b, LIT("\253\315\200\002\000\001\000\000\000\000\000\000" ECHO("\006")));
	buf_clear(&in);
	buf_clear(&b);
}

static void
test_transfer_messages(void **state)
{
	struct buf b = BUF_INIT, in = BUF_INIT;
	struct msg m;

	(void)state;
	request(&m, &in, FLAG_RD, TYPE_AXFR, NULL, 0);
	xfr_begin(&b, &m);
	xfr_soa(&b, &soa);
	xfr_finish(&b, &m, 1, 260, NULL);
	expect(&b,
	    LIT("\253\315\205\000\000\001\000\001\000\000\000\000" ECHO("\374") SOA_AT_QUESTION));
	/* XO-08: OPT in every message when the request had one. */
	request(&m, &in, 0, TYPE_IXFR, LIT("\000\013\000\000"));
	xfr_begin(&b, &m);
	xfr_finish(&b, &m, 65535, 260, NULL);
	expect(&b,
	    LIT("\253\315\204\000\000\001\377\377\000\000\000\001" ECHO(
		"\373") "\000\000\051\004\320\000\000\200\000\000\006\000\013\000\002\001\004"));
	xfr_begin(&b, &m);
	xfr_finish(&b, &m, 0, -1, NULL);
	expect(&b, LIT("\253\315\204\000\000\001\000\000\000\000\000\001" ECHO(
		       "\373") "\000\000\051\004\320\000\000\200\000\000\000"));
	buf_clear(&in);
	buf_clear(&b);
}

/* Everything sent can be read by the parser of the other side. */
static void
test_sent_is_parsed(void **state)
{
	const struct query_edns o = {.enabled = true, .expire = true, .keepalive = true};
	struct msg_walk *w = zr_xcalloc(1, sizeof(*w));
	struct buf b = BUF_INIT;
	struct soa numbers;
	struct msg m;
	struct rr rr;

	(void)state;
	query_ixfr(&b, 9, zone, &soa, &o);
	assert_int_equal(msg_parse(&m, b.data, b.len, MSG_FULL, NULL), 0);
	assert_true(msg_question_is(&m, zone, TYPE_IXFR, CLASS_IN));
	assert_true(m.edns.has_expire && m.edns.has_keepalive && !m.edns.malformed);
	assert_int_equal(m.edns.udp_size, EDNS_UDP_SIZE);
	assert_int_equal(msg_walk_start(w, &m, SECTION_AUTHORITY, NULL), 0);
	assert_int_equal(msg_next(w, &rr, NULL), 1);
	assert_true(rr_identical(&rr, &soa));
	assert_true(rr_soa(&rr, &numbers));
	assert_int_equal(numbers.serial, 7);
	assert_int_equal(msg_next(w, &rr, NULL), 0);
	buf_clear(&b);
	free(w);
}

/* Padded messages parse, are whole blocks with their TSIG, and say the same as before. */
static void
padded(struct buf *b, size_t block, size_t tail)
{
	uint8_t was[600];
	size_t len = b->len;
	struct zr_err e;
	struct msg m;

	assert_true(len <= sizeof(was));
	memcpy(was, b->data, len);
	assert_true(query_pad(b, block, tail));
	assert_int_equal((b->len + tail) % block, 0);
	assert_true(b->len - len < block + 15);
	assert_int_equal(msg_parse(&m, b->data, b->len, MSG_FULL, &e), 0);
	assert_true(m.edns.has_padding);
	assert_false(m.edns.malformed);
	assert_memory_equal(b->data, was, 10);
	buf_reset(b);
}

static void
test_padding(void **state)
{
	const struct query_edns o = {.enabled = true, .expire = true};
	struct reply r = {.ede = -1, .keepalive = -1, .soa = &soa};
	struct buf b = BUF_INIT, q = BUF_INIT;
	struct zr_err e;
	struct msg m;

	(void)state;
	for (size_t tail = 0; tail < 2 * PAD_QUERY; tail++) {
		query_soa(&b, 1, zone, &o);
		padded(&b, PAD_QUERY, tail); /* PD-04, PD-05 */
	}
	query_ixfr(&b, 1, zone, &soa, &o);
	padded(&b, PAD_QUERY, 0);
	query_notify(&b, 1, zone, TYPE_SOA, &soa, NULL); /* gets an OPT */
	padded(&b, PAD_QUERY, 80);

	query_soa(&q, 1, zone, &o);
	assert_int_equal(msg_parse(&m, q.data, q.len, MSG_FULL, &e), 0);
	assert_false(m.edns.has_padding);
	query_reply(&b, &m, &r);
	padded(&b, PAD_RESPONSE, 61);
	xfr_begin(&b, &m);
	xfr_soa(&b, &soa);
	xfr_finish(&b, &m, 1, -1, NULL);
	padded(&b, PAD_RESPONSE, 0);

	/* PD-03 */
	buf_reset(&q);
	query_soa(&q, 1, zone, NULL);
	assert_int_equal(msg_parse(&m, q.data, q.len, MSG_FULL, &e), 0);
	query_reply(&b, &m, &r);
	assert_false(query_pad(&b, PAD_RESPONSE, 0));
	assert_false(b.bad);
	buf_clear(&b);
	buf_clear(&q);
}

/* A message may be as long as its length can say, and not longer. */
static void
test_padding_has_room(void **state)
{
	static const uint8_t rdata[60000];
	const struct rr big = {.ttl = 1, .rdata = rdata, .rdlen = sizeof(rdata)};
	const struct query_edns o = {.enabled = true};
	struct buf b = BUF_INIT, q = BUF_INIT;
	struct zr_err e;
	struct msg m;

	(void)state;
	query_soa(&q, 1, zone, &o);
	assert_int_equal(msg_parse(&m, q.data, q.len, MSG_FULL, &e), 0);
	for (size_t tail = 5400; tail < 5600; tail++) {
		bool fits;

		xfr_begin(&b, &m);
		xfr_soa(&b, &big);
		xfr_finish(&b, &m, 1, -1, NULL);
		fits = b.len + tail + 4 <= MSG_MAX;
		assert_int_equal(query_pad(&b, PAD_RESPONSE, tail), fits);
		assert_true(!fits || (b.len + tail) % PAD_RESPONSE == 0 || b.len + tail == MSG_MAX);
		buf_reset(&b);
	}
	buf_clear(&b);
	query_soa(&b, 1, zone, &o);
	zr_mem_fail_after(1);
	assert_false(query_pad(&b, PAD_RESPONSE, 0));
	zr_mem_fail_after(0);
	assert_false(b.bad);
	buf_clear(&b);
	buf_clear(&q);
}

static void
test_failure_is_latched(void **state)
{
	const struct query_edns o = {.enabled = true, .expire = true};
	struct buf b, in = BUF_INIT;
	struct reply r = {.ede = 18, .keepalive = -1, .soa = &soa};
	struct msg m;

	(void)state;
	request(&m, &in, 0, TYPE_SOA, "", 0);
	for (size_t max = 1; max < 60; max++) {
		buf_init(&b, max);
		query_ixfr(&b, 1, zone, &soa, &o);
		assert_true(b.bad);
		buf_reset(&b);
		query_reply(&b, &m, &r);
		assert_true(b.bad);
		buf_reset(&b);
		xfr_begin(&b, &m);
		xfr_soa(&b, &soa);
		xfr_finish(&b, &m, 1, -1, NULL);
		assert_true(b.bad);
		buf_clear(&b);
	}
	buf_clear(&in);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_queries),
	    cmocka_unit_test(test_notify),
	    cmocka_unit_test(test_reply_flags),
	    cmocka_unit_test(test_reply_without_question),
	    cmocka_unit_test(test_reply_edns),
	    cmocka_unit_test(test_transfer_messages),
	    cmocka_unit_test(test_sent_is_parsed),
	    cmocka_unit_test(test_padding),
	    cmocka_unit_test(test_padding_has_room),
	    cmocka_unit_test(test_failure_is_latched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
