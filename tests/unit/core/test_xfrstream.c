/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Outgoing streams, read back by the transfer reader: what goes in as records comes out as the
 * same records.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/xfrin.h"
#include "core/xfrstream.h"
#include "wire/delta.h"
#include "wire/segment.h"
#include "xfrmsg.h"

#define PIECES_MAX 200

/* Pieces in a row, and where to fail (from 1); with `once` each is gone when the next is pulled. */
struct pieces {
	bool once;
	struct buf shown;
	struct buf data[PIECES_MAX];
	uint32_t rrs[PIECES_MAX];
	unsigned n, next, fail_at;
};

static int
pull(void *arg, struct xfrstream_piece *p, struct zr_err *e)
{
	struct pieces *v = arg;

	if (v->fail_at != 0 && v->next + 1 == v->fail_at)
		return zr_fail(e, ZR_DB, "the test said so");
	if (v->next == v->n)
		return 0;
	buf_clear(&v->shown);
	*p = (struct xfrstream_piece){v->data[v->next].data, v->data[v->next].len, v->rrs[v->next]};
	if (v->once) {
		buf_bytes(&v->shown, p->data, p->len);
		p->data = v->shown.data;
		p->more = v->next + 1 < v->n;
	}
	v->next++;
	return 1;
}

static void
pieces_add(struct pieces *v, const uint8_t *data, size_t len, uint32_t rrs)
{
	assert_true(v->n < PIECES_MAX);
	v->data[v->n] = BUF_INIT;
	buf_bytes(&v->data[v->n], data, len);
	v->rrs[v->n++] = rrs;
}

static void
pieces_clear(struct pieces *v)
{
	for (unsigned i = 0; i < v->n; i++)
		buf_clear(&v->data[i]);
	buf_clear(&v->shown);
}

static int
on_segment(void *arg, const struct segment *s, struct zr_err *e)
{
	(void)e;
	pieces_add(arg, s->data, s->len, s->rrs);
	return 0;
}

static int
on_chunk(void *arg, const struct delta_chunk *c, struct zr_err *e)
{
	(void)e;
	pieces_add(arg, c->data, c->len, c->rrs);
	return 0;
}

struct own {
	struct buf wire;
	struct rr rr;
	uint8_t owner[NAME_MAX_LEN], rdata[MSG_MAX];
};

static void
own_set(struct own *o, const char *word)
{
	size_t pos = MSG_HEADER;

	buf_reset(&o->wire);
	for (int i = 0; i < MSG_HEADER; i++)
		buf_u8(&o->wire, 0);
	assert_true(xfrmsg_record(&o->wire, word));
	assert_int_equal(
	    msg_rr_at(o->wire.data, o->wire.len, &pos, &o->rr, o->owner, o->rdata, NULL), 0);
}

/* A zone of `hosts` addresses in zone order, as segments; what the reader must hand out. */
static void
make_zone(struct pieces *v, unsigned hosts, struct buf *expect)
{
	uint8_t zone[255];
	struct own o = {.wire = BUF_INIT};
	struct packer *p = packer_new(xfrmsg_zone(zone), on_segment, v);
	char word[64];

	*v = (struct pieces){.n = 0};
	buf_str(expect, "full=7 soa=7 ns");
	own_set(&o, "soa=7");
	assert_int_equal(packer_add(p, &o.rr, NULL), 0);
	own_set(&o, "ns");
	assert_int_equal(packer_add(p, &o.rr, NULL), 0);
	for (unsigned i = 0; i < hosts; i++) {
		snprintf(word, sizeof(word), "a@h%06u=%u", i, i % 250);
		own_set(&o, word);
		assert_int_equal(packer_add(p, &o.rr, NULL), 0);
		buf_fmt(expect, " %s", word);
	}
	assert_int_equal(packer_flush(p, NULL), 0);
	packer_free(p);
	buf_clear(&o.wire);
}

static void
put_part(struct pieces *v, const char *soa, const char *sign, unsigned hosts, struct buf *expect)
{
	uint8_t zone[255];
	struct own o = {.wire = BUF_INIT};
	struct deltapack *d = deltapack_new(xfrmsg_zone(zone), on_chunk, v);
	char word[64];

	buf_fmt(expect, " %s%s", *sign == '-' ? "old" : "new", soa + 3);
	own_set(&o, soa);
	assert_int_equal(deltapack_add(d, &o.rr, NULL), 0);
	for (unsigned i = 0; i < hosts; i++) {
		snprintf(word, sizeof(word), "a@h%06u=%u", i, i % 250);
		own_set(&o, word);
		assert_int_equal(deltapack_add(d, &o.rr, NULL), 0);
		buf_fmt(expect, " %s%s", sign, word);
	}
	assert_int_equal(deltapack_flush(d, NULL), 0);
	deltapack_free(d);
	buf_clear(&o.wire);
}

/* From 5 to 7 in two steps. */
static void
make_diff(struct pieces *v, unsigned hosts, struct buf *expect)
{
	*v = (struct pieces){.n = 0};
	buf_str(expect, "diff=7");
	put_part(v, "soa=5", "-", hosts, expect);
	put_part(v, "soa=6", "+", hosts / 2, expect);
	put_part(v, "soa=6", "-", 1, expect);
	put_part(v, "soa=7", "+", hosts, expect);
}

/* A stream under test and the reader at its other end. */
struct end2end {
	struct buf request, message;
	struct msg req;
	struct own soa;
	struct xfrstream s;
	struct xfrin *x;
	struct xfrmsg_sink sink;
	size_t largest;
	unsigned messages, lone_soa;
};

static void
open_stream(struct end2end *t, const char *request, uint16_t qtype, struct pieces *v,
    enum xfrstream_kind kind)
{
	static uint8_t zone[255];
	struct xfrin_query q = {.kind = qtype == TYPE_IXFR ? XFRIN_IXFR : XFRIN_AXFR,
	    .id = XFRMSG_ID,
	    .zone = xfrmsg_zone(zone),
	    .have_serial = true,
	    .serial = 5};
	struct xfrstream_spec spec = {.kind = kind,
	    .req = &t->req,
	    .soa = &t->soa.rr,
	    .keepalive = 300,
	    .expire = true,
	    .expire_s = 99,
	    .pull = pull,
	    .arg = v};

	v->once =
	    kind == XFRSTREAM_FULL && strchr(request, ' ') != NULL; /* and the first without */
	*t = (struct end2end){.request = BUF_INIT};
	own_set(&t->soa, "soa=7");
	xfrmsg_build(&t->request, request, qtype);
	assert_int_equal(msg_parse(&t->req, t->request.data, t->request.len, MSG_FULL, NULL), 0);
	t->x = xfrin_new(&q, &xfrmsg_ops, &t->sink);
	xfrstream_init(&t->s, &spec);
}

static void
close_stream(struct end2end *t)
{
	xfrin_free(t->x);
	buf_clear(&t->request);
	buf_clear(&t->message);
	buf_clear(&t->soa.wire);
	buf_clear(&t->sink.text);
}

static void
check_message(struct end2end *t, const struct msg *m)
{
	bool opt = t->req.edns.present;

	assert_int_equal(m->flags, FLAG_QR | FLAG_AA | (t->req.flags & FLAG_RD)); /* */
	assert_int_equal(m->qdcount, 1);
	assert_memory_equal(m->qname, t->req.qname, t->req.qname_len);
	assert_int_equal(m->qtype, t->req.qtype);
	assert_int_equal(m->nscount, 0);
	assert_int_equal(m->edns.present, opt); /* XO-08: each and every one */
	assert_false(m->edns.malformed);
	assert_int_equal(m->edns.expire_valid, t->req.edns.has_expire);
	assert_int_equal(m->edns.expire, t->req.edns.has_expire ? 99 : 0);
	assert_int_equal(m->edns.keepalive_valid, t->req.edns.has_keepalive);
	assert_int_equal(m->edns.keepalive, t->req.edns.has_keepalive ? 300 : 0);
}

/* Runs the stream into the reader to its end. */
static enum xfrin_step
run(struct end2end *t)
{
	enum xfrin_step step = XFRIN_MORE;
	struct zr_err e = {0};
	struct msg m;
	int got;

	while ((got = xfrstream_next(&t->s, &t->message, &e)) == 1) {
		assert_int_equal(step, XFRIN_MORE);
		assert_true(t->message.len <= MSG_MAX);
		if (msg_parse(&m, t->message.data, t->message.len, MSG_FULL, &e) < 0)
			fail_msg("%s", e.text);
		check_message(t, &m);
		step = xfrin_feed(t->x, &m, &e);
		if (step == XFRIN_FAIL || step == XFRIN_TRY_AXFR)
			fail_msg("%s", e.text);
		t->messages++;
		t->lone_soa += m.ancount == 1 && t->messages == 1;
		if (t->message.len > t->largest)
			t->largest = t->message.len;
	}
	assert_int_equal(got, 0);
	assert_int_equal(xfrstream_next(&t->s, &t->message, &e), 0);
	assert_int_equal(t->s.messages, t->messages);
	assert_int_equal(t->s.octets, xfrin_stats(t->x)->octets);
	assert_int_equal(t->s.records, xfrin_stats(t->x)->records + 1);
	return step;
}

static const char *const requests[] = {"!query", "!query !opt", "!query !askexpire",
    "!query !askkeepalive !askexpire !q=EXAMPLE.org."};

static void
test_zones(void **state)
{
	static const unsigned hosts[] = {0, 1, 100, 3000, 20000};

	(void)state;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		for (unsigned r = 0; r < 8; r++) {
			uint16_t qtype = r & 4 ? TYPE_IXFR : TYPE_AXFR; /* I-19: both */
			struct buf expect = BUF_INIT;
			struct pieces v;
			struct end2end t;

			make_zone(&v, hosts[i], &expect);
			open_stream(&t, requests[r & 3], qtype, &v, XFRSTREAM_FULL);
			assert_int_equal(run(&t), XFRIN_DONE);
			assert_string_equal(buf_cstr(&t.sink.text), buf_cstr(&expect));
			assert_int_equal(t.messages, v.n); /* a segment, a message */
			assert_true(hosts[i] > 100 || t.messages == 1);
			close_stream(&t);
			pieces_clear(&v);
			buf_clear(&expect);
		}
	}
}

static void
test_differences(void **state)
{
	static const unsigned hosts[] = {0, 1, 100, 700, 5000};

	(void)state;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		for (unsigned r = 0; r < 4; r++) {
			struct buf expect = BUF_INIT;
			struct pieces v;
			struct end2end t;

			make_diff(&v, hosts[i], &expect);
			open_stream(&t, requests[r], TYPE_IXFR, &v, XFRSTREAM_DIFF);
			assert_int_equal(run(&t), XFRIN_DONE);
			assert_true(xfrin_is_diff(t.x));
			assert_string_equal(buf_cstr(&t.sink.text), buf_cstr(&expect));
			assert_true(hosts[i] > 100 || t.messages == 1); /* small: one message */
			assert_true(t.largest <= XFRSTREAM_TARGET + 700);
			assert_int_equal(t.lone_soa, 0);
			close_stream(&t);
			pieces_clear(&v);
			buf_clear(&expect);
		}
	}
}

/* One raw chunk with one record of that many octets of RDATA behind an SOA if given. */
static void
add_raw(struct pieces *v, const char *soa, size_t octets)
{
	struct buf b = BUF_INIT;
	uint32_t rrs = 0;

	if (soa != NULL)
		assert_true(xfrmsg_record(&b, soa)), rrs++;
	if (octets > 0) {
		uint8_t fixed[] = {0xc0, 12, 0xff, 0, 0, 1, 0, 0, 0, 9};

		buf_bytes(&b, fixed, sizeof(fixed));
		buf_u16(&b, (uint16_t)octets);
		for (size_t i = 0; i < octets; i++)
			buf_u8(&b, (uint8_t)i);
		rrs++;
	}
	pieces_add(v, b.data, b.len, rrs);
	buf_clear(&b);
}

static void
test_giant_records(void **state)
{
	/* From far below to the largest that fits a message behind header, question and OPT. */
	static const size_t octets[] = {
	    3000, 16000, 40000, 64800, 64900, 65000, 65100, 65200, 65535 - 12 - 17 - 25 - 12};

	(void)state;
	for (size_t i = 0; i < sizeof(octets) / sizeof(octets[0]); i++) {
		struct pieces v = {.n = 0};
		struct end2end t;

		add_raw(&v, "soa=5", 0);
		add_raw(&v, NULL, octets[i]);
		add_raw(&v, "soa=7", 0);
		add_raw(&v, NULL, octets[i]);
		open_stream(&t, "!query !askexpire !askkeepalive", TYPE_IXFR, &v, XFRSTREAM_DIFF);
		assert_int_equal(run(&t), XFRIN_DONE);
		assert_int_equal(xfrin_stats(t.x)->records, 5);
		assert_int_equal(t.lone_soa, 0);
		close_stream(&t);
		pieces_clear(&v);

		/* And as segments, the last of which leaves no room for the closing SOA. */
		v = (struct pieces){.n = 0};
		add_raw(&v, "soa=7", 0);
		add_raw(&v, NULL, octets[i]);
		open_stream(&t, "!query !askexpire !askkeepalive", TYPE_IXFR, &v, XFRSTREAM_FULL);
		t.s.spec.target = 1; /* means nothing here */
		while (xfrstream_next(&t.s, &t.message, NULL) == 1)
			assert_true(t.message.len <= MSG_MAX);
		assert_true(t.s.closed);
		assert_int_equal(t.s.records, 3);
		assert_int_equal(t.s.messages, octets[i] > 65300 ? 3 : 2);
		close_stream(&t);
		pieces_clear(&v);
	}
}

/* The largest records that the segments' cutter lets through, and behind each message a TSIG. */
static void
test_reserve(void **state)
{
	static const size_t octets[] = {100, 40000, 64800, 65535 - 12 - 17 - 512};
	const size_t reserve = 358;

	(void)state;
	for (size_t i = 0; i < sizeof(octets) / sizeof(octets[0]); i++) {
		struct pieces v = {.n = 0};
		struct end2end t;
		unsigned n = 0;

		add_raw(&v, "soa=7", 0);
		add_raw(&v, NULL, octets[i]);
		open_stream(&t, "!query !askexpire !askkeepalive", TYPE_IXFR, &v, XFRSTREAM_FULL);
		t.s.spec.reserve = reserve;
		for (; xfrstream_next(&t.s, &t.message, NULL) == 1; n++)
			assert_true(t.message.len <= MSG_MAX - reserve);
		assert_true(t.s.closed);
		assert_true(n >= 2);
		close_stream(&t);
		pieces_clear(&v);
	}
}

/* Every size near the limit: no message is ever longer than TCP can say. */
static void
test_sizes_near_the_limit(void **state)
{
	(void)state;
	for (size_t octets = 65360; octets <= 65535 - 12 - 17 - 25 - 12; octets++) {
		struct pieces v = {.n = 0};
		struct end2end t;

		add_raw(&v, "soa=5", 0);
		add_raw(&v, "soa=7", 0);
		add_raw(&v, NULL, octets);
		open_stream(&t, "!query !askexpire !askkeepalive", TYPE_IXFR, &v, XFRSTREAM_DIFF);
		assert_int_equal(run(&t), XFRIN_DONE);
		close_stream(&t);
		pieces_clear(&v);
	}
}

/* ANCOUNT has 16 bits. */
static void
test_many_records(void **state)
{
	struct pieces v = {.n = 0};
	struct end2end t;

	(void)state;
	for (int i = 0; i < 3; i++) {
		add_raw(&v, NULL, 1);
		v.rrs[i] = i == 0 ? 65534 : 32768;
	}
	open_stream(&t, "!query", TYPE_IXFR, &v, XFRSTREAM_DIFF);
	assert_int_equal(xfrstream_next(&t.s, &t.message, NULL), 1);
	assert_int_equal(get_u16(t.message.data + 6), 65535);
	assert_int_equal(xfrstream_next(&t.s, &t.message, NULL), 1);
	assert_int_equal(get_u16(t.message.data + 6), 32768);
	assert_int_equal(xfrstream_next(&t.s, &t.message, NULL), 1);
	assert_int_equal(get_u16(t.message.data + 6), 32769);
	assert_int_equal(xfrstream_next(&t.s, &t.message, NULL), 0);
	close_stream(&t);
	pieces_clear(&v);
}

/* EXPIRE is sent only where the caller has a value. */
static void
test_no_expire(void **state)
{
	struct buf expect = BUF_INIT;
	struct pieces v;
	struct end2end t;
	struct msg m;

	(void)state;
	make_zone(&v, 1, &expect);
	open_stream(&t, "!query !askexpire", TYPE_AXFR, &v, XFRSTREAM_FULL);
	t.s.spec.expire = false;
	assert_int_equal(xfrstream_next(&t.s, &t.message, NULL), 1);
	assert_int_equal(msg_parse(&m, t.message.data, t.message.len, MSG_FULL, NULL), 0);
	assert_true(m.edns.present);
	assert_false(m.edns.has_expire);
	close_stream(&t);
	pieces_clear(&v);
	buf_clear(&expect);
}

static void
test_too_large(void **state)
{
	struct pieces v = {.n = 0};
	struct end2end t;
	struct zr_err e = {0};

	(void)state;
	add_raw(&v, "soa=5", 0);
	add_raw(&v, NULL, 65535);
	open_stream(&t, "!query", TYPE_IXFR, &v, XFRSTREAM_DIFF);
	assert_int_equal(xfrstream_next(&t.s, &t.message, &e), 1);
	assert_int_equal(xfrstream_next(&t.s, &t.message, &e), -1);
	assert_int_equal(e.code, ZR_LIMIT);
	close_stream(&t);
	pieces_clear(&v);
}

static void
test_failing_pull(void **state)
{
	(void)state;
	for (unsigned at = 1; at <= 5; at++) {
		struct buf expect = BUF_INIT;
		struct pieces v;
		struct end2end t;
		struct zr_err e = {0};
		int got;

		make_diff(&v, 3, &expect);
		assert_int_equal(v.n, 4);
		v.fail_at = at; /* 5: instead of the end */
		open_stream(&t, "!query", TYPE_IXFR, &v, XFRSTREAM_DIFF);
		while ((got = xfrstream_next(&t.s, &t.message, &e)) == 1)
			;
		assert_int_equal(got, -1);
		assert_int_equal(e.code, ZR_DB);
		assert_false(t.s.closed);
		close_stream(&t);
		pieces_clear(&v);
		buf_clear(&expect);
	}
}

static void
test_nothing(void **state)
{
	struct pieces v = {.n = 0};
	struct end2end t;
	struct zr_err e = {0};

	(void)state;
	open_stream(&t, "!query", TYPE_AXFR, &v, XFRSTREAM_FULL);
	assert_int_equal(xfrstream_next(&t.s, &t.message, &e), -1);
	assert_int_equal(e.code, ZR_NOTFOUND);
	close_stream(&t);
}

static void
test_no_memory(void **state)
{
	struct buf expect = BUF_INIT;
	struct pieces v;
	struct end2end t;
	struct zr_err e = {0};

	(void)state;
	make_zone(&v, 100, &expect);
	open_stream(&t, "!query !askexpire", TYPE_AXFR, &v, XFRSTREAM_FULL);
	t.message.max = 200;
	assert_int_equal(xfrstream_next(&t.s, &t.message, &e), -1);
	assert_int_equal(e.code, ZR_NOMEM);
	close_stream(&t);
	pieces_clear(&v);
	buf_clear(&expect);
}

/* I-20: the whole answer or nothing, whatever the limit. */
static void
test_datagram(void **state)
{
	struct buf expect = BUF_INIT;
	struct pieces v;
	struct end2end t;
	struct msg m;
	size_t whole = 0;

	(void)state;
	make_diff(&v, 4, &expect);
	for (size_t max = 100; max < 1300; max++) {
		int got;

		v.next = 0;
		open_stream(&t, "!query !askexpire", TYPE_IXFR, &v, XFRSTREAM_DIFF);
		t.s.spec.keepalive = -1;
		got = xfrstream_datagram(&t.s.spec, max, &t.message, NULL);
		if (whole == 0 && got == 1)
			whole = t.message.len;
		assert_int_equal(got, whole != 0 && max >= whole);
		assert_int_equal(t.message.len, got ? whole : 0);
		if (got == 1) {
			assert_int_equal(max >= whole, 1);
			assert_int_equal(
			    msg_parse(&m, t.message.data, t.message.len, MSG_FULL, NULL), 0);
			assert_int_equal(xfrin_feed(t.x, &m, NULL), XFRIN_DONE);
			assert_string_equal(buf_cstr(&t.sink.text), buf_cstr(&expect));
		}
		close_stream(&t);
	}
	assert_true(whole > 0);
	pieces_clear(&v);
	make_diff(&v, 5000, &expect);
	open_stream(&t, "!query", TYPE_IXFR, &v, XFRSTREAM_DIFF);
	assert_int_equal(xfrstream_datagram(&t.s.spec, 1232, &t.message, NULL), 0);
	assert_true(v.next < 4); /* it has not read the journal to its end to find that out */
	v.next = 0;
	v.fail_at = 1;
	assert_int_equal(xfrstream_datagram(&t.s.spec, 1232, &t.message, NULL), -1);
	close_stream(&t);
	pieces_clear(&v);
	buf_clear(&expect);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_zones),
	    cmocka_unit_test(test_differences),
	    cmocka_unit_test(test_giant_records),
	    cmocka_unit_test(test_reserve),
	    cmocka_unit_test(test_sizes_near_the_limit),
	    cmocka_unit_test(test_many_records),
	    cmocka_unit_test(test_no_expire),
	    cmocka_unit_test(test_too_large),
	    cmocka_unit_test(test_failing_pull),
	    cmocka_unit_test(test_nothing),
	    cmocka_unit_test(test_no_memory),
	    cmocka_unit_test(test_datagram),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
