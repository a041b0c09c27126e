/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Puts the messages of an outgoing transfer together: AXFR, IXFR, and a whole zone as the answer to
 * IXFR.  Content is pulled piece by piece: segments (wire/segment.h), of which each fills a
 * message of its own, or journal chunks (wire/delta.h), which are joined.  Pure: what a pull does
 * is its own matter.  RFC 5936 section 2.2, RFC 1995 section 4; X-24..X-27, I-17, XO-08.
 *
 * Segments lie where they are read only until the next pull, which is one of the next message
 * (`more`): so nobody keeps a copy while other streams have their turns.
 *
 * Each message is header and question, then whole pieces as they are, then perhaps the closing SOA,
 * then perhaps OPT.  So a piece could also be sent from where it lies, between two small buffers.
 *
 * Owner: one thread.  Holds no memory of its own.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "wire/msg.h"
#include "wire/rr.h"

#define XFRSTREAM_TARGET (16 * 1024) /* octets of a message of joined chunks */

enum xfrstream_kind {
	XFRSTREAM_FULL, /* pieces are segments; the first record of the first is the SOA */
	XFRSTREAM_DIFF /* pieces are chunks: for each step old SOA, deletions, new SOA, additions */
};

struct xfrstream_piece {
	const uint8_t *data;
	size_t len;
	uint32_t rrs;
	bool more; /* there are more, but not yet: pulled only when this one is in its message */
};

/* 1: *p filled, valid until the next call; 0: there are no more; -1: *e filled. */
typedef int (*xfrstream_pull)(void *arg, struct xfrstream_piece *p, struct zr_err *e);

/* All borrowed for the life of the stream. */
struct xfrstream_spec {
	enum xfrstream_kind kind;
	const struct msg *req;
	const struct rr *soa; /* of the version sent */
	int keepalive;	      /* units of 100 ms, -1 = none */
	bool expire;	      /* EXPIRE with expire_s, if the request has that option (E-03) */
	uint32_t expire_s;
	const uint8_t *cookie; /* COOKIE_OURS octets for each message, or NULL */
	size_t target;	       /* 0 = XFRSTREAM_TARGET */
	size_t reserve;	       /* octets that are put behind each message: its TSIG */
	xfrstream_pull pull;
	void *arg;
};

struct xfrstream {
	struct xfrstream_spec spec;
	struct xfrstream_piece piece;
	bool have_piece;
	bool due;	      /* the next one is pulled for the next message */
	bool started, closed; /* the first SOA, the closing SOA is out */
	uint64_t messages, records, octets;
};

void xfrstream_init(struct xfrstream *s, const struct xfrstream_spec *spec);
/*
 * 1: b holds the next message (what was in it is gone); 0: all was sent; -1: *e filled, the
 * connection must be reset: ZR_NOMEM, ZR_LIMIT (a piece too large for a message),
 * ZR_NOTFOUND (no piece at all), or what the pull reported.
 */
int xfrstream_next(struct xfrstream *s, struct buf *b, struct zr_err *e);

/*
 * The whole answer to an IXFR over UDP in one message of at most max octets.  1: b holds it; 0: it
 * does not fit (I-20) and b is empty; -1: as above.
 */
int xfrstream_datagram(
    const struct xfrstream_spec *spec, size_t max, struct buf *b, struct zr_err *e);
