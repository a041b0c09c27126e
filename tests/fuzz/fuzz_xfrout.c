/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Input: how (1), our serial (4), then a request.  It is judged; a reply is built and read back, a
 * stream is made and given to the transfer reader, as the client would; and made once more with an
 * allocation or a piece that fails.
 */
#include "fuzz.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/serial.h"
#include "core/xfrin.h"
#include "core/xfrout.h"
#include "core/xfrstream.h"

#include <string.h>

#define HEAD 5
#define HOW_UDP 0x01
#define HOW_KNOWN 0x02
#define HOW_ZONE 0x04
#define HOW_MAY 0x08
#define HOW_LOADED 0x10
#define HOW_EXPIRED 0x20
#define HOW_BUSY 0x40
#define HOW_MANY 0x80 /* many pieces */

#define SOA_RDATA_LEN 22 /* two root names and five numbers */
#define PIECES_MAX 40

/* What the stream is made of: written so that each piece may stand behind any other. */
struct pieces {
	struct buf b[PIECES_MAX];
	uint32_t rrs[PIECES_MAX];
	unsigned n, next;
	unsigned fail_at; /* this piece cannot be had; 0 = all can */
};

static int
pull(void *arg, struct xfrstream_piece *p, struct zr_err *e)
{
	struct pieces *v = arg;

	if (v->fail_at != 0 && v->next + 1 == v->fail_at)
		return zr_fail(e, ZR_DB, "no");
	if (v->next == v->n)
		return 0;
	*p = (struct xfrstream_piece){v->b[v->next].data, v->b[v->next].len, v->rrs[v->next]};
	v->next++;
	return 1;
}

static void
put_rr(struct pieces *v, uint16_t type, const uint8_t *rdata, uint16_t rdlen)
{
	struct buf *b = &v->b[v->n - 1];

	buf_u16(b, 0xc000 | MSG_HEADER);
	buf_u16(b, type);
	buf_u16(b, CLASS_IN);
	buf_u32(b, 300);
	buf_u16(b, rdlen);
	buf_bytes(b, rdata, rdlen);
	v->rrs[v->n - 1]++;
}

static void
soa_rdata(uint8_t out[SOA_RDATA_LEN], uint32_t serial)
{
	memset(out, 0, SOA_RDATA_LEN);
	put_u32(out + 2, serial);
}

/* A whole zone, or one step from `from`; each piece has a few records. */
static void
make_pieces(struct pieces *v, bool diff, uint32_t from, uint32_t serial, bool many)
{
	static const uint8_t big[3000];
	uint8_t rdata[SOA_RDATA_LEN];
	unsigned want = many ? PIECES_MAX - 2 : 1;

	v->n = 1;
	soa_rdata(rdata, diff ? from : serial);
	put_rr(v, TYPE_SOA, rdata, sizeof(rdata));
	if (!diff)
		put_rr(v, TYPE_NS, (const uint8_t *)"", 1);
	for (unsigned i = 0; i < want; i++) {
		v->n++;
		if (diff && i == want / 2) {
			soa_rdata(rdata, serial);
			put_rr(v, TYPE_SOA, rdata, sizeof(rdata));
		}
		put_rr(v, 65280, big, many ? sizeof(big) : 4);
	}
}

static int
ignore_rr(void *arg, const struct rr *rr, struct zr_err *e)
{
	(void)rr;
	(void)e;
	++*(unsigned *)arg;
	return 0;
}

static const struct xfrin_ops ops = {
    .full = ignore_rr,
    .record = ignore_rr,
    .diff = ignore_rr,
    .step_old = ignore_rr,
    .del = ignore_rr,
    .step_new = ignore_rr,
    .add = ignore_rr,
};

static void
read_back(const struct buf *b, const struct msg *req, struct msg *m)
{
	FUZZ_CHECK(!b->bad && b->len <= MSG_MAX);
	FUZZ_CHECK(msg_parse(m, b->data, b->len, MSG_FULL, NULL) == 0);
	FUZZ_CHECK(m->id == req->id && m->opcode == req->opcode);
	FUZZ_CHECK((m->flags & FLAG_QR) != 0 && (m->flags & FLAG_RD) == (req->flags & FLAG_RD));
	FUZZ_CHECK(m->edns.present == req->edns.present && m->opt_count <= 1 && !m->edns.malformed);
	FUZZ_CHECK(m->has_question == req->has_question);
	FUZZ_CHECK(!m->has_question || (m->qtype == req->qtype && m->qclass == req->qclass &&
					   memcmp(m->qname, req->qname, req->qname_len) == 0));
}

static void
check_reply(const struct xfrout_ask *ask, const struct xfrout *out)
{
	struct buf b = BUF_INIT;
	struct msg m;

	query_reply(&b, ask->req, &out->reply);
	read_back(&b, ask->req, &m);
	FUZZ_CHECK(b.len <= out->max_octets || !ask->udp);
	FUZZ_CHECK(ask->req->edns.present || msg_rcode(&m) == (out->reply.rcode & 15));
	FUZZ_CHECK(!ask->req->edns.present || msg_rcode(&m) == out->reply.rcode);
	FUZZ_CHECK(((m.flags & FLAG_AA) != 0) == (msg_rcode(&m) == RCODE_NOERROR));
	FUZZ_CHECK(m.nscount == 0 && m.ancount <= 1);
	/* Only who may transfer learns anything of the zone (A-16, E-04). */
	FUZZ_CHECK((ask->known && ask->zone != NULL && ask->zone->may_transfer) ||
		   (m.ancount == 0 && !m.edns.expire_valid && msg_rcode(&m) != RCODE_NOERROR));
	buf_clear(&b);
}

/* It ends with an error, or as ever; `serial` decides what fails. */
static void
check_starved(const struct xfrstream_spec *spec, struct pieces *v, uint32_t serial)
{
	struct zr_err e = {0};
	struct xfrstream s;
	struct buf b = BUF_INIT;
	int got;

	v->next = 0;
	v->fail_at = serial % 4 == 0 ? 1 + serial / 4 % v->n : 0;
	zr_mem_fail_after(serial % 4 == 0 ? 0 : 1 + serial / 4 % 8);
	xfrstream_init(&s, spec);
	while ((got = xfrstream_next(&s, &b, &e)) == 1)
		;
	zr_mem_fail_after(0);
	FUZZ_CHECK((got == 0) == (e.code == ZR_OK));
	FUZZ_CHECK(got == 0 || e.code == (v->fail_at != 0 ? ZR_DB : ZR_NOMEM));
	FUZZ_CHECK(got != 0 || v->fail_at == 0);
	buf_clear(&b);
}

static void
check_stream(const struct xfrout_ask *ask, const struct xfrout *out, bool many)
{
	bool diff = out->action == XFROUT_DIFF;
	/* There is no step from an incomparable serial; the journal would not have one. */
	bool odd = diff && serial_incomparable(out->from_serial, ask->zone->serial);
	struct pieces v = {.n = 0};
	unsigned told = 0;
	struct xfrstream_spec spec = {.kind = diff ? XFRSTREAM_DIFF : XFRSTREAM_FULL,
	    .req = ask->req,
	    .soa = ask->zone->soa,
	    .keepalive = out->keepalive,
	    .expire = out->expire,
	    .expire_s = out->expire_s,
	    .pull = pull,
	    .arg = &v};
	struct xfrin_query q = {.kind = diff ? XFRIN_IXFR : XFRIN_AXFR,
	    .id = ask->req->id,
	    .zone = ask->req->qname,
	    .have_serial = diff,
	    .serial = out->from_serial};
	struct xfrin *x = xfrin_new(&q, &ops, &told);
	enum xfrin_step step = XFRIN_MORE;
	struct xfrstream s;
	struct buf b = BUF_INIT;
	struct msg m;
	int got;

	make_pieces(&v, diff, out->from_serial, ask->zone->serial, many);
	if (ask->udp && xfrstream_datagram(&spec, out->max_octets, &b, NULL) == 1) {
		FUZZ_CHECK(b.len <= out->max_octets);
		read_back(&b, ask->req, &m);
	}
	v.next = 0;
	xfrstream_init(&s, &spec);
	while ((got = xfrstream_next(&s, &b, NULL)) == 1) {
		read_back(&b, ask->req, &m);
		FUZZ_CHECK(m.flags == (FLAG_QR | FLAG_AA | (ask->req->flags & FLAG_RD)));
		FUZZ_CHECK(m.edns.expire_valid == ask->req->edns.has_expire);
		if (odd)
			continue;
		FUZZ_CHECK(step == XFRIN_MORE);
		step = xfrin_feed(x, &m, NULL);
	}
	FUZZ_CHECK(got == 0 && (step == XFRIN_DONE || odd));
	check_starved(&spec, &v, ask->zone->serial);
	for (unsigned i = 0; i < v.n; i++)
		buf_clear(&v.b[i]);
	buf_clear(&b);
	xfrin_free(x);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t rdata[SOA_RDATA_LEN], how;
	struct xfrout_zone z = {.expire_left_s = 77};
	struct rr soa = {.type = TYPE_SOA, .class = CLASS_IN, .ttl = 300};
	struct xfrout_ask ask = {.keepalive = 300};
	struct xfrout out;
	struct msg m;

	if (size < HEAD)
		return 0;
	how = data[0];
	z.serial = get_u32(data + 1);
	soa_rdata(rdata, z.serial);
	ask.parsed = msg_parse(&m, data + HEAD, size - HEAD, MSG_FULL, NULL) == 0;
	soa.owner = m.qname;
	soa.owner_len = m.qname_len;
	soa.rdata = rdata;
	soa.rdlen = sizeof(rdata);
	z.soa = &soa;
	z.may_transfer = (how & HOW_MAY) != 0;
	z.loaded = (how & HOW_LOADED) != 0;
	z.expired = (how & HOW_EXPIRED) != 0;
	ask.req = &m;
	ask.udp = (how & HOW_UDP) != 0;
	ask.known = (how & HOW_KNOWN) != 0;
	ask.busy = (how & HOW_BUSY) != 0;
	if (m.len != 0 && m.has_question && (how & HOW_ZONE) != 0)
		ask.zone = &z;
	xfrout_judge(&ask, &out);
	FUZZ_CHECK(out.why != NULL);
	/* T-21: silence only for what is no request. */
	FUZZ_CHECK(
	    (out.action == XFROUT_DROP) == (size - HEAD < MSG_HEADER || (m.flags & FLAG_QR) != 0));
	if (out.action == XFROUT_REPLY || (out.action == XFROUT_DIFF && ask.udp))
		check_reply(&ask, &out);
	if (out.action == XFROUT_DIFF || out.action == XFROUT_FULL) {
		FUZZ_CHECK(ask.known && z.may_transfer && z.loaded && !z.expired && !ask.busy);
		FUZZ_CHECK(!ask.udp || out.action == XFROUT_DIFF);
		check_stream(&ask, &out, (how & HOW_MANY) != 0);
	}
	return 0;
}
