/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/xfrstream.h"

#include "wire/cookie.h"
#include "wire/query.h"

#define OPT_FIXED 11	    /* octets of an OPT record without options */
#define OPT_AT_RDLEN 9	    /* offset of RDLENGTH in it */
#define OPT_KEEPALIVE_LEN 6 /* option header and two octets */
#define OPT_EXPIRE_LEN 8
#define OPT_COOKIE_LEN (4 + COOKIE_OURS)
#define OPT_MAX (OPT_FIXED + OPT_KEEPALIVE_LEN + OPT_EXPIRE_LEN)
#define SOA_FIXED 12	/* a record without RDATA, its owner a pointer */
#define COUNT_MAX 65535 /* ANCOUNT */

void
xfrstream_init(struct xfrstream *s, const struct xfrstream_spec *spec)
{
	*s = (struct xfrstream){.spec = *spec};
	if (s->spec.target == 0)
		s->spec.target = XFRSTREAM_TARGET;
}

static int
pull(struct xfrstream *s, struct zr_err *e)
{
	int got = s->spec.pull(s->spec.arg, &s->piece, e);

	s->have_piece = got == 1;
	s->due = false;
	return got < 0 ? -1 : 0;
}

static size_t
room(const struct xfrstream *s, const struct buf *b)
{
	size_t opt = OPT_MAX + (s->spec.cookie != NULL ? OPT_COOKIE_LEN : 0);
	size_t used = b->len + (s->spec.req->edns.present ? opt : 0) + s->spec.reserve;

	return used < MSG_MAX ? MSG_MAX - used : 0;
}

/* Does the waiting piece belong into the message under construction? */
static bool
joins(const struct xfrstream *s, const struct buf *b, unsigned pieces, uint64_t count)
{
	if (s->piece.len > room(s, b) || count + s->piece.rrs > COUNT_MAX)
		return false;
	/* A segment's compression counts on standing right behind the question. */
	if (pieces > 0 && s->spec.kind == XFRSTREAM_FULL)
		return false;
	/* The first piece always follows the first SOA: a lone SOA would mean something else. */
	return pieces == 0 || b->len + s->piece.len <= s->spec.target;
}

static int
put_pieces(struct xfrstream *s, struct buf *b, uint64_t *count, struct zr_err *e)
{
	for (unsigned n = 0; s->have_piece && joins(s, b, n, *count); n++) {
		buf_bytes(b, s->piece.data, s->piece.len);
		*count += s->piece.rrs;
		if (s->piece.more) {
			s->have_piece = false;
			s->due = true;
		} else if (pull(s, e) < 0)
			return -1;
	}
	return 0;
}

/* xfr_finish() has put OPT last, so that it can grow by one more option. */
static void
finish(const struct xfrstream *s, struct buf *b, uint64_t count)
{
	const struct xfrstream_spec *spec = &s->spec;
	size_t opt = b->len;

	xfr_finish(b, spec->req, (unsigned)count, spec->keepalive, spec->cookie);
	if (b->bad || !spec->expire || !spec->req->edns.has_expire || b->len < opt + OPT_FIXED)
		return;
	buf_u16(b, OPT_EXPIRE);
	buf_u16(b, 4);
	buf_u32(b, spec->expire_s);
	if (!b->bad)
		buf_put_u16(b, opt + OPT_AT_RDLEN, (uint16_t)(b->len - opt - OPT_FIXED));
}

static int
start(struct xfrstream *s, struct zr_err *e)
{
	if (pull(s, e) < 0)
		return -1;
	if (!s->have_piece)
		return zr_fail(e, ZR_NOTFOUND, "nothing to send");
	s->started = true;
	return 0;
}

int
xfrstream_next(struct xfrstream *s, struct buf *b, struct zr_err *e)
{
	bool first = !s->started;
	uint64_t count = 0;

	buf_reset(b);
	if (s->closed)
		return 0;
	if (first && start(s, e) < 0)
		return -1;
	if (s->due && pull(s, e) < 0)
		return -1;
	xfr_begin(b, s->spec.req);
	if (first && s->spec.kind == XFRSTREAM_DIFF) {
		xfr_soa(b, s->spec.soa);
		count++;
	}
	if (put_pieces(s, b, &count, e) < 0)
		return -1;
	if (!s->have_piece && !s->due && count < COUNT_MAX &&
	    room(s, b) >= SOA_FIXED + (size_t)s->spec.soa->rdlen) {
		xfr_soa(b, s->spec.soa);
		count++;
		s->closed = true;
	}
	if (count == 0) {
		return zr_fail(e, ZR_LIMIT, "a piece of %zu octets fits no message", s->piece.len);
	}
	finish(s, b, count);
	if (b->bad)
		return zr_fail(e, ZR_NOMEM, "no memory for a message");
	s->messages++;
	s->records += count;
	s->octets += b->len;
	return 1;
}

int
xfrstream_datagram(const struct xfrstream_spec *spec, size_t max, struct buf *b, struct zr_err *e)
{
	struct xfrstream s;

	xfrstream_init(&s, spec);
	s.spec.target = max;
	if (xfrstream_next(&s, b, e) < 0)
		return -1;
	if (s.closed && b->len <= max)
		return 1;
	buf_reset(b);
	return 0;
}
