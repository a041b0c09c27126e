/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/query.h"

#include "wire/cookie.h"
#include "wire/name.h"

#include <string.h>

#define AT_QDCOUNT 4
#define AT_ANCOUNT 6
#define AT_NSCOUNT 8
#define AT_ARCOUNT 10
#define TO_QUESTION (0xc000 | MSG_HEADER) /* a pointer to the name of the question */
#define OPCODE_FLAGS(opcode) ((uint16_t)((opcode) << 11))
#define FLAG_DO 0x8000
#define OPT_FIXED 11	 /* owner, type, class, TTL, RDLENGTH */
#define OPTION_FIXED 4	 /* code and length */
#define EDE_TEXT_MAX 128 /* octets; a response stays well below 512 */

static void
header(struct buf *b, uint16_t id, unsigned flags, bool question)
{
	buf_u16(b, id);
	buf_u16(b, (uint16_t)flags);
	buf_u16(b, question);
	buf_u16(b, 0);
	buf_u16(b, 0);
	buf_u16(b, 0);
}

static void
question(struct buf *b, const uint8_t *qname, uint16_t qtype, uint16_t qclass)
{
	buf_bytes(b, qname, name_len(qname));
	buf_u16(b, qtype);
	buf_u16(b, qclass);
}

/* The counts of the header exist unless the buffer has failed. */
static void
set_count(struct buf *b, size_t at, unsigned count)
{
	if (!b->bad)
		buf_put_u16(b, at, (uint16_t)count);
}

/*
 * An OPT record grows option by option; opt_end() writes its length.  Its start is where its
 * owner stands.
 */
static size_t
opt_begin(struct buf *b, unsigned ext_rcode, bool do_bit)
{
	size_t start = b->len;

	buf_u8(b, 0);
	buf_u16(b, TYPE_OPT);
	buf_u16(b, EDNS_UDP_SIZE);
	buf_u8(b, (uint8_t)ext_rcode);
	buf_u8(b, 0); /* version */
	buf_u16(b, do_bit ? FLAG_DO : 0);
	buf_u16(b, 0);
	return start;
}

static void
opt_option(struct buf *b, uint16_t code, uint16_t len)
{
	buf_u16(b, code);
	buf_u16(b, len);
}

static void
opt_end(struct buf *b, size_t start)
{
	if (b->bad)
		return;
	buf_put_u16(b, start + OPT_FIXED - 2, (uint16_t)(b->len - start - OPT_FIXED));
	set_count(b, AT_ARCOUNT, 1);
}

static void
opt_cookie(struct buf *b, const uint8_t *cookie, uint16_t len)
{
	if (cookie == NULL || len == 0)
		return;
	opt_option(b, OPT_COOKIE, len);
	buf_bytes(b, cookie, len);
}

static void
query_opt(struct buf *b, const struct query_edns *o)
{
	size_t start;

	if (o == NULL || !o->enabled)
		return;
	start = opt_begin(b, 0, false);
	if (o->expire)
		opt_option(b, OPT_EXPIRE, 0);
	if (o->keepalive)
		opt_option(b, OPT_KEEPALIVE, 0);
	opt_cookie(b, o->cookie, o->cookie_len);
	opt_end(b, start);
}

void
query_soa(struct buf *b, uint16_t id, const uint8_t *zone, const struct query_edns *o)
{
	header(b, id, OPCODE_FLAGS(OPCODE_QUERY), true);
	question(b, zone, TYPE_SOA, CLASS_IN);
	query_opt(b, o);
}

void
query_axfr(struct buf *b, uint16_t id, const uint8_t *zone, const struct query_edns *o)
{
	header(b, id, OPCODE_FLAGS(OPCODE_QUERY), true);
	question(b, zone, TYPE_AXFR, CLASS_IN);
	query_opt(b, o);
}

void
query_ixfr(struct buf *b, uint16_t id, const uint8_t *zone, const struct rr *soa,
    const struct query_edns *o)
{
	header(b, id, OPCODE_FLAGS(OPCODE_QUERY), true);
	question(b, zone, TYPE_IXFR, CLASS_IN);
	xfr_soa(b, soa);
	set_count(b, AT_NSCOUNT, 1);
	query_opt(b, o);
}

void
query_notify(struct buf *b, uint16_t id, const uint8_t *zone, uint16_t qtype, const struct rr *soa,
    const struct query_edns *o)
{
	header(b, id, OPCODE_FLAGS(OPCODE_NOTIFY) | FLAG_AA, true);
	question(b, zone, qtype, CLASS_IN);
	if (qtype == TYPE_SOA && soa != NULL) {
		xfr_soa(b, soa);
		set_count(b, AT_ANCOUNT, 1);
	}
	query_opt(b, o);
}

static uint16_t
reply_flags(const struct msg *req, bool aa)
{
	uint16_t flags = FLAG_QR | OPCODE_FLAGS(req->opcode);

	return (uint16_t)(flags | (req->flags & FLAG_RD) | (aa ? FLAG_AA : 0));
}

static void
reply_ede(struct buf *b, const struct reply *r)
{
	size_t n = r->ede_text == NULL ? 0 : strnlen(r->ede_text, EDE_TEXT_MAX);

	if (r->ede < 0)
		return;
	opt_option(b, OPT_EDE, (uint16_t)(2 + n));
	buf_u16(b, (uint16_t)r->ede);
	buf_bytes(b, r->ede_text, n);
}

static void
opt_keepalive(struct buf *b, const struct msg *req, int keepalive)
{
	if (keepalive < 0 || !req->edns.has_keepalive)
		return;
	opt_option(b, OPT_KEEPALIVE, 2);
	buf_u16(b, keepalive > UINT16_MAX ? UINT16_MAX : (uint16_t)keepalive);
}

static void
reply_opt(struct buf *b, const struct msg *req, const struct reply *r, unsigned rcode)
{
	size_t start;

	if (!req->edns.present)
		return; /* ED-01 */
	start = opt_begin(b, rcode >> 4, req->edns.do_bit);
	if (r->expire && req->edns.has_expire) {
		opt_option(b, OPT_EXPIRE, 4);
		buf_u32(b, r->expire_s);
	}
	opt_keepalive(b, req, r->keepalive);
	opt_cookie(b, r->cookie, COOKIE_OURS);
	reply_ede(b, r);
	opt_end(b, start);
}

void
query_reply(struct buf *b, const struct msg *req, const struct reply *r)
{
	unsigned rcode = r->rcode;

	/* An extended RCODE cut to four bits would mean something else. */
	if (rcode > 15 && !req->edns.present)
		rcode = RCODE_SERVFAIL;
	header(b, req->id, reply_flags(req, r->aa) | (r->tc ? FLAG_TC : 0) | (rcode & 15),
	    req->has_question);
	if (req->has_question)
		question(b, req->qname, req->qtype, req->qclass);
	if (r->soa != NULL && req->has_question) {
		xfr_soa(b, r->soa);
		set_count(b, AT_ANCOUNT, 1);
	}
	reply_opt(b, req, r, rcode);
}

void
xfr_begin(struct buf *b, const struct msg *req)
{
	header(b, req->id, reply_flags(req, true), true);
	question(b, req->qname, req->qtype, req->qclass);
}

void
xfr_finish(
    struct buf *b, const struct msg *req, unsigned ancount, int keepalive, const uint8_t *cookie)
{
	size_t start;

	set_count(b, AT_ANCOUNT, ancount);
	if (!req->edns.present)
		return;
	start = opt_begin(b, 0, req->edns.do_bit);
	opt_keepalive(b, req, keepalive);
	opt_cookie(b, cookie, COOKIE_OURS);
	opt_end(b, start);
}

void
xfr_soa(struct buf *b, const struct rr *soa)
{
	buf_u16(b, TO_QUESTION);
	buf_u16(b, TYPE_SOA);
	buf_u16(b, CLASS_IN);
	buf_u32(b, soa->ttl);
	buf_u16(b, soa->rdlen);
	buf_bytes(b, soa->rdata, soa->rdlen);
}

/* Where the last record of a message of ours stands when it is an OPT; else 0. */
static size_t
last_opt(const struct buf *b)
{
	size_t at = MSG_HEADER, start = 0;
	uint16_t type = 0;
	unsigned left = 0;

	if (get_u16(b->data + AT_ARCOUNT) == 0)
		return 0;
	for (unsigned i = 0; i < get_u16(b->data + AT_QDCOUNT); i++)
		at += name_len(b->data + at) + 4;
	for (size_t i = AT_ANCOUNT; i <= AT_ARCOUNT; i += 2)
		left += get_u16(b->data + i);
	for (; left > 0; left--) {
		start = at;
		if (!msg_rr_skip(b->data, b->len, &at, &type))
			return 0;
	}
	return at == b->len && type == TYPE_OPT ? start : 0;
}

bool
query_pad(struct buf *b, size_t block, size_t tail)
{
	static const uint8_t zeros[PAD_RESPONSE];
	size_t start, bare, more;

	if (b->bad || b->len < MSG_HEADER || block == 0 || block > sizeof(zeros))
		return false;
	start = last_opt(b);
	if (start == 0 &&
	    ((get_u16(b->data + 2) & FLAG_QR) != 0 || get_u16(b->data + AT_ARCOUNT) != 0))
		return false;
	bare = b->len + (start == 0 ? OPT_FIXED : 0) + OPTION_FIXED + tail;
	if (bare > MSG_MAX)
		return false;
	more = (block - bare % block) % block;
	if (more > MSG_MAX - bare)
		more = MSG_MAX - bare;
	if (!buf_reserve(b, OPT_FIXED + OPTION_FIXED + more)) {
		b->bad = false; /* it is whole, and can be sent as it is */
		return false;
	}
	if (start == 0)
		start = opt_begin(b, 0, false);
	opt_option(b, OPT_PADDING, (uint16_t)more);
	buf_bytes(b, zeros, more);
	opt_end(b, start);
	return true;
}
