/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The judgement of requests from downstreams.  Every reply is also built, and read back as the
 * client would.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "core/xfrout.h"
#include "xfrmsg.h"

#define SERIAL 7

enum how {
	TCP = 0,
	UDP = 1,
	STRANGER = 2,
	NOZONE = 4,
	DENIED = 8,
	UNLOADED = 16,
	EXPIRED = 32,
	BUSY = 64
};

struct row {
	const char *what;
	unsigned how;
	const char *request;
	uint16_t qtype;
	enum xfrout_action action;
	unsigned rcode;
	int ede;
	bool soa; /* an SOA comes back, or would for UDP */
};

#define REPLY XFROUT_REPLY
#define NONE -1

static const struct row rows[] = {
    /* ---- the message ---- */
    {"a response", TCP, "", TYPE_SOA, XFROUT_DROP},
    {"unknown opcode", TCP, "!query !opcode=7", TYPE_SOA, REPLY, RCODE_NOTIMP, NONE},
    {"UPDATE from a stranger", UDP | STRANGER, "!query !opcode=5", TYPE_SOA, REPLY, RCODE_NOTIMP,
	NONE},
    {"opcode in an EDNS version of the future", TCP, "!query !opcode=7 !version=1", TYPE_SOA, REPLY,
	RCODE_BADVERS, NONE},
    {"BADVERS (ED-04)", TCP, "!query !version=1", TYPE_SOA, REPLY, RCODE_BADVERS, NONE},
    {"BADVERS, broken options", TCP, "!query !version=1 !expire=1", TYPE_SOA, REPLY, RCODE_BADVERS,
	NONE},
    {"two OPT (ED-02)", TCP, "!query !opts=2", TYPE_SOA, REPLY, RCODE_FORMERR, NONE},
    {"EXPIRE with a value in a query (E-11)", TCP, "!query !expire=1", TYPE_SOA, REPLY,
	RCODE_FORMERR, NONE},
    {"keepalive of a wrong length", TCP, "!query !oddkeepalive", TYPE_SOA, REPLY, RCODE_FORMERR,
	NONE},
    {"the same over UDP, where it is ignored (KA-01)", UDP, "!query !oddkeepalive", TYPE_SOA, REPLY,
	RCODE_NOERROR, NONE, true},
    {"no question", TCP, "!query !noq", TYPE_SOA, REPLY, RCODE_FORMERR, NONE},
    {"two questions", TCP, "!query !twoq", TYPE_SOA, REPLY, RCODE_FORMERR, NONE},
    {"counts that lie", TCP, "!query !count=1", TYPE_SOA, REPLY, RCODE_FORMERR, NONE},
    {"counts that lie, other opcode", TCP, "!query !opcode=5 !count=1", TYPE_SOA, REPLY,
	RCODE_NOTIMP, NONE},
    {"AXFR over UDP (X-39)", UDP, "!query", TYPE_AXFR, REPLY, RCODE_FORMERR, NONE},
    {"AXFR over UDP, busy", UDP | BUSY, "!query", TYPE_AXFR, REPLY, RCODE_FORMERR, NONE},
    {"AXFR over UDP from a stranger", UDP | STRANGER, "!query !opt", TYPE_AXFR, REPLY,
	RCODE_FORMERR, NONE},
    /* ---- the source: the same whatever the zone ---- */
    {"stranger, SOA", UDP | STRANGER, "!query !opt", TYPE_SOA, REPLY, RCODE_REFUSED, 18},
    {"stranger, no zone", UDP | STRANGER | NOZONE, "!query !opt", TYPE_SOA, REPLY, RCODE_REFUSED,
	18},
    {"stranger, expired", TCP | STRANGER | EXPIRED, "!query !opt", TYPE_AXFR, REPLY, RCODE_REFUSED,
	18},
    {"stranger, AXFR", TCP | STRANGER, "!query !opt", TYPE_AXFR, REPLY, RCODE_REFUSED, 18},
    {"stranger, IXFR without a serial", TCP | STRANGER, "!query !opt", TYPE_IXFR, REPLY,
	RCODE_REFUSED, 18},
    {"stranger, A", TCP | STRANGER, "!query !opt", TYPE_A, REPLY, RCODE_REFUSED, 18},
    {"stranger, class", TCP | STRANGER, "!query !opt !qclass=3", TYPE_SOA, REPLY, RCODE_REFUSED,
	18},
    {"signed with a key nobody knows", TCP, "!query !tsig", TYPE_AXFR, REPLY, RCODE_NOTAUTH, NONE},
    /* ---- the zone ---- */
    {"class CH (A-37)", TCP, "!query !opt !qclass=3", TYPE_SOA, REPLY, RCODE_NOTAUTH, 20},
    {"class ANY", TCP, "!query !opt !qclass=255", TYPE_AXFR, REPLY, RCODE_NOTAUTH, 20},
    {"type A (T-22)", UDP, "!query !opt", TYPE_A, REPLY, RCODE_REFUSED, 21},
    {"type ANY", UDP, "!query !opt", TYPE_ANY, REPLY, RCODE_REFUSED, 21},
    {"type A, no zone", UDP | NOZONE, "!query !opt", TYPE_A, REPLY, RCODE_REFUSED, 21},
    {"no zone (X-30)", TCP | NOZONE, "!query !opt", TYPE_AXFR, REPLY, RCODE_NOTAUTH, 20},
    {"no zone, SOA", UDP | NOZONE, "!query !opt", TYPE_SOA, REPLY, RCODE_NOTAUTH, 20},
    {"not this zone (XO-11)", TCP | DENIED, "!query !opt", TYPE_AXFR, REPLY, RCODE_REFUSED, 18},
    {"not this zone, SOA", UDP | DENIED, "!query !opt", TYPE_SOA, REPLY, RCODE_REFUSED, 18},
    {"not this zone, not loaded", UDP | DENIED | UNLOADED, "!query !opt", TYPE_SOA, REPLY,
	RCODE_REFUSED, 18},
    {"not loaded (A-20)", UDP | UNLOADED, "!query !opt", TYPE_SOA, REPLY, RCODE_SERVFAIL, 14},
    {"not loaded, AXFR", TCP | UNLOADED, "!query !opt", TYPE_AXFR, REPLY, RCODE_SERVFAIL, 14},
    {"expired, SOA", UDP | EXPIRED, "!query !opt", TYPE_SOA, REPLY, RCODE_SERVFAIL, 24},
    {"expired, AXFR", TCP | EXPIRED, "!query !opt", TYPE_AXFR, REPLY, RCODE_SERVFAIL, 24},
    {"expired, IXFR", TCP | EXPIRED, "!query !opt -- soa=7", TYPE_IXFR, REPLY, RCODE_SERVFAIL, 24},
    {"expired, without EDNS", TCP | EXPIRED, "!query", TYPE_AXFR, REPLY, RCODE_SERVFAIL, 24},
    /* ---- SOA ---- */
    {"SOA", UDP, "!query", TYPE_SOA, REPLY, RCODE_NOERROR, NONE, true},
    {"SOA, every flag (X-02)", UDP, "!query !tc !ra !aa=1 !rcode=5", TYPE_SOA, REPLY, RCODE_NOERROR,
	NONE, true},
    {"SOA, 0x20 (A-37)", UDP, "!query !q=ExAmPle.oRg.", TYPE_SOA, REPLY, RCODE_NOERROR, NONE, true},
    {"SOA, EXPIRE and keepalive asked over UDP", UDP, "!query !askexpire !askkeepalive", TYPE_SOA,
	REPLY, RCODE_NOERROR, NONE, true},
    {"SOA, EXPIRE and keepalive asked over TCP", TCP, "!query !askexpire !askkeepalive", TYPE_SOA,
	REPLY, RCODE_NOERROR, NONE, true},
    {"SOA while busy", TCP | BUSY, "!query", TYPE_SOA, REPLY, RCODE_NOERROR, NONE, true},
    /* ---- AXFR ---- */
    {"AXFR", TCP, "!query", TYPE_AXFR, XFROUT_FULL},
    {"AXFR, with all asked", TCP, "!query !askexpire !askkeepalive", TYPE_AXFR, XFROUT_FULL},
    {"AXFR, limit (XO-09)", TCP | BUSY, "!query !opt", TYPE_AXFR, REPLY, RCODE_SERVFAIL, NONE},
    /* ---- IXFR ---- */
    {"IXFR", TCP, "!query -- soa=5", TYPE_IXFR, XFROUT_DIFF},
    {"IXFR, SOA in other case", TCP, "!query -- SOA=5", TYPE_IXFR, XFROUT_DIFF},
    {"IXFR, from an incomparable serial (I-19)", TCP, "!query -- soa=2147483655", TYPE_IXFR,
	XFROUT_DIFF},
    {"IXFR, current (I-16)", TCP, "!query -- soa=7", TYPE_IXFR, REPLY, RCODE_NOERROR, NONE, true},
    {"IXFR, newer", TCP, "!query -- soa=9", TYPE_IXFR, REPLY, RCODE_NOERROR, NONE, true},
    {"IXFR, over the wrap", TCP, "!query -- soa=4294967295", TYPE_IXFR, XFROUT_DIFF},
    {"IXFR, current, busy", TCP | BUSY, "!query -- soa=7", TYPE_IXFR, REPLY, RCODE_NOERROR, NONE,
	true},
    {"IXFR, limit", TCP | BUSY, "!query -- soa=5", TYPE_IXFR, REPLY, RCODE_SERVFAIL, NONE},
    {"IXFR, no SOA (I-15)", TCP, "!query", TYPE_IXFR, REPLY, RCODE_FORMERR, NONE},
    {"IXFR, SOA in the answer section", TCP, "!query soa=5", TYPE_IXFR, REPLY, RCODE_FORMERR, NONE},
    {"IXFR, two SOAs", TCP, "!query -- soa=5 soa=5", TYPE_IXFR, REPLY, RCODE_FORMERR, NONE},
    {"IXFR, SOA of another zone", TCP, "!query -- soa=5@sub", TYPE_IXFR, REPLY, RCODE_FORMERR,
	NONE},
    {"IXFR, malformed authority", TCP, "!query -- t6@=0102", TYPE_IXFR, REPLY, RCODE_FORMERR, NONE},
    {"IXFR over UDP", UDP, "!query -- soa=5", TYPE_IXFR, XFROUT_DIFF, RCODE_NOERROR, NONE, true},
    {"IXFR over UDP, current", UDP, "!query -- soa=7", TYPE_IXFR, REPLY, RCODE_NOERROR, NONE, true},
    {"IXFR over UDP, busy", UDP | BUSY, "!query -- soa=5", TYPE_IXFR, REPLY, RCODE_NOERROR, NONE,
	true},
};

/* Our SOA, as a record view. */
struct own {
	struct buf wire;
	struct rr soa;
	uint8_t owner[NAME_MAX_LEN], rdata[MSG_MAX];
};

static void
own_open(struct own *o, const char *word)
{
	size_t pos = MSG_HEADER;

	o->wire = BUF_INIT;
	for (int i = 0; i < MSG_HEADER; i++)
		buf_u8(&o->wire, 0);
	assert_true(xfrmsg_record(&o->wire, word));
	assert_int_equal(
	    msg_rr_at(o->wire.data, o->wire.len, &pos, &o->soa, o->owner, o->rdata, NULL), 0);
}

static void
check_reply_wire(const struct row *r, const struct msg *req, const struct xfrout *out)
{
	bool tcp = (r->how & UDP) == 0;
	struct buf b = BUF_INIT;
	struct zr_err e = {0};
	struct msg m;

	query_reply(&b, req, &out->reply);
	assert_false(b.bad);
	assert_true(b.len <= out->max_octets);
	assert_int_equal(msg_parse(&m, b.data, b.len, MSG_FULL, &e), 0);
	assert_int_equal(m.id, req->id);
	assert_int_equal(m.opcode, req->opcode);
	assert_int_equal(m.flags & (FLAG_QR | FLAG_TC | FLAG_RA | FLAG_AD | FLAG_CD), FLAG_QR);
	assert_int_equal((m.flags & FLAG_AA) != 0, r->rcode == RCODE_NOERROR);
	assert_int_equal(msg_rcode(&m), r->rcode);
	assert_int_equal(m.ancount, r->soa);
	assert_int_equal(m.nscount, 0);
	assert_int_equal(m.has_question, req->has_question);
	if (req->has_question)
		assert_memory_equal(m.qname, req->qname, req->qname_len);
	assert_int_equal(m.edns.present, req->edns.present); /* ED-01 */
	assert_int_equal(m.edns.has_ede, req->edns.present && r->ede >= 0);
	if (m.edns.has_ede)
		assert_int_equal(m.edns.ede, r->ede);
	/* E-03, E-04: only with an authoritative answer, and only when asked. */
	assert_int_equal(m.edns.expire_valid, req->edns.has_expire && r->soa);
	if (m.edns.expire_valid)
		assert_int_equal(m.edns.expire, 4242);
	assert_int_equal(
	    m.edns.keepalive_valid, tcp && req->edns.has_keepalive && req->edns.version == 0);
	buf_clear(&b);
}

static void
check_row(const struct row *r, const struct rr *soa)
{
	struct xfrout_zone z = {
	    .may_transfer = (r->how & DENIED) == 0,
	    .loaded = (r->how & UNLOADED) == 0,
	    .expired = (r->how & EXPIRED) != 0,
	    .serial = SERIAL,
	    .soa = soa,
	    .expire_left_s = 4242,
	};
	struct buf b = BUF_INIT;
	struct msg m;
	struct xfrout out;
	struct xfrout_ask ask = {.req = &m,
	    .udp = (r->how & UDP) != 0,
	    .known = (r->how & STRANGER) == 0,
	    .zone = (r->how & NOZONE) != 0 ? NULL : &z,
	    .busy = (r->how & BUSY) != 0,
	    .keepalive = 100};

	xfrmsg_build(&b, r->request, r->qtype);
	ask.parsed = msg_parse(&m, b.data, b.len, MSG_FULL, NULL) == 0;
	xfrout_judge(&ask, &out);
	print_message("%s: %s\n", r->what, out.why);
	assert_int_equal(out.action, r->action);
	assert_non_null(out.why);
	if (r->action == XFROUT_REPLY || (r->action == XFROUT_DIFF && ask.udp)) {
		assert_int_equal(out.reply.rcode, r->rcode);
		assert_int_equal(out.reply.ede, r->ede);
		check_reply_wire(r, &m, &out);
	}
	if (r->action == XFROUT_DIFF)
		assert_int_equal(
		    out.from_serial, strtoul(strchr(strstr(r->request, "--"), '=') + 1, NULL, 10));
	if (r->action == XFROUT_DIFF || r->action == XFROUT_FULL) {
		assert_int_equal(out.keepalive, ask.udp ? -1 : 100);
		assert_int_equal(out.expire, m.edns.has_expire);
		assert_int_equal(out.expire_s, 4242);
	}
	buf_clear(&b);
}

static void
test_rows(void **state)
{
	struct own own;

	(void)state;
	own_open(&own, "soa=7");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_row(&rows[i], &own.soa);
	buf_clear(&own.wire);
}

static void
judge_text(const char *request, uint16_t qtype, bool udp, const struct rr *soa, struct xfrout *out,
    struct buf *b, struct msg *m)
{
	struct xfrout_zone z = {.may_transfer = true, .loaded = true, .serial = SERIAL, .soa = soa};
	struct xfrout_ask ask = {
	    .req = m, .parsed = true, .udp = udp, .known = true, .zone = &z, .keepalive = -1};

	xfrmsg_build(b, request, qtype);
	assert_int_equal(msg_parse(m, b->data, b->len, MSG_FULL, NULL), 0);
	xfrout_judge(&ask, out);
}

static void
test_sizes(void **state)
{
	static const struct {
		const char *request;
		bool udp;
		size_t max;
	} sizes[] = {
	    {"!query -- soa=5", true, 512}, {"!query !udp=100 -- soa=5", true, 512}, /* ED-06 */
	    {"!query !udp=600 -- soa=5", true, 600},
	    {"!query !udp=4096 -- soa=5", true, EDNS_UDP_SIZE},
	    {"!query !udp=600 -- soa=5", false, 65535}, /* ED-11 */
	};
	struct own own;

	(void)state;
	own_open(&own, "soa=7");
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct xfrout out;
		struct buf b = BUF_INIT;
		struct msg m;

		judge_text(sizes[i].request, TYPE_IXFR, sizes[i].udp, &own.soa, &out, &b, &m);
		assert_int_equal(out.max_octets, sizes[i].max);
		buf_clear(&b);
	}
	buf_clear(&own.wire);
}

/* An SOA too large for 512 octets is not cut in two: TC=1, and by TCP it comes whole. */
static void
test_monstrous_soa(void **state)
{
	uint8_t rdata[530] = {0};
	struct rr soa = {.owner = (const uint8_t *)"\7example\3org",
	    .owner_len = 13,
	    .type = TYPE_SOA,
	    .class = CLASS_IN,
	    .rdata = rdata,
	    .rdlen = sizeof(rdata)};
	struct xfrout out;
	struct buf b = BUF_INIT;
	struct msg m;

	(void)state;
	judge_text("!query", TYPE_SOA, true, &soa, &out, &b, &m);
	assert_true(out.reply.tc);
	assert_null(out.reply.soa);
	buf_reset(&b);
	judge_text("!query !opt", TYPE_SOA, true, &soa, &out, &b, &m);
	assert_false(out.reply.tc);
	assert_ptr_equal(out.reply.soa, &soa);
	buf_reset(&b);
	judge_text("!query", TYPE_SOA, false, &soa, &out, &b, &m);
	assert_false(out.reply.tc);
	assert_ptr_equal(out.reply.soa, &soa);
	/* To the octet: what fits alone does not fit beside OPT. */
	soa.rdlen = 512 - 12 - 13 - 4 - 12;
	buf_reset(&b);
	judge_text("!query", TYPE_SOA, true, &soa, &out, &b, &m);
	assert_false(out.reply.tc);
	buf_reset(&b);
	judge_text("!query !udp=512 !askexpire", TYPE_SOA, true, &soa, &out, &b, &m);
	assert_true(out.reply.tc);
	buf_clear(&b);
}

static void
test_too_short(void **state)
{
	struct msg m;
	struct xfrout out;
	struct xfrout_ask ask = {.req = &m, .known = true};

	(void)state;
	ask.parsed = msg_parse(&m, "\0\1\0\0\0\1\0\0\0\0\0", 11, MSG_FULL, NULL) == 0;
	xfrout_judge(&ask, &out);
	assert_int_equal(out.action, XFROUT_DROP);
	/* A header alone gets its answer. */
	ask.parsed = msg_parse(&m, "\0\1\0\0\0\1\0\0\0\0\0\0", 12, MSG_FULL, NULL) == 0;
	xfrout_judge(&ask, &out);
	assert_int_equal(out.action, XFROUT_REPLY);
	assert_int_equal(out.reply.rcode, RCODE_FORMERR);
}

/* What is signed: the room that its TSIG takes (TS-15), and who may not for want of a key. */
static void
test_signed(void **state)
{
	struct xfrout_zone z = {.may_transfer = true, .loaded = true, .serial = SERIAL};
	struct xfrout_ask ask = {.parsed = true,
	    .udp = true,
	    .known = true,
	    .proved = true,
	    .zone = &z,
	    .keepalive = -1};
	struct buf b = BUF_INIT;
	struct xfrout out;
	struct own own;
	struct msg m;
	size_t size;

	(void)state;
	own_open(&own, "soa=7");
	z.soa = &own.soa;
	ask.req = &m;
	xfrmsg_build(&b, "!query !tsig", TYPE_SOA);
	assert_int_equal(msg_parse(&m, b.data, b.len, MSG_FULL, NULL), 0);
	xfrout_judge(&ask, &out);
	assert_int_equal(out.reply.rcode, RCODE_NOERROR);
	assert_non_null(out.reply.soa);
	assert_int_equal(out.max_octets, 512);
	size = MSG_HEADER + m.qname_len + 4 + 12 + own.soa.rdlen;
	ask.reserve = 512 - size;
	xfrout_judge(&ask, &out);
	assert_non_null(out.reply.soa);
	assert_false(out.reply.tc);
	ask.reserve++;
	xfrout_judge(&ask, &out);
	assert_null(out.reply.soa);
	assert_true(out.reply.tc);
	assert_int_equal(out.reply.rcode, RCODE_NOERROR);
	z.may_transfer = false;
	z.lacks = "not signed with its key";
	xfrout_judge(&ask, &out);
	assert_int_equal(out.reply.rcode, RCODE_REFUSED);
	assert_int_equal(out.reply.ede, EDE_PROHIBITED);
	assert_string_equal(out.why, "not signed with its key");
	buf_clear(&b);
	buf_clear(&own.wire);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rows),
	    cmocka_unit_test(test_sizes),
	    cmocka_unit_test(test_monstrous_soa),
	    cmocka_unit_test(test_too_short),
	    cmocka_unit_test(test_signed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
