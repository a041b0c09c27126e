/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Building the messages we send, all but zone data: queries to primaries, NOTIFYs to
 * downstreams, and responses.  Every function appends one whole message (without TCP length)
 * to an empty buf; failure is latched in it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "wire/msg.h"
#include "wire/rr.h"

#define EDNS_UDP_SIZE 1232 /* octets advertised (ED-06) */

/* What goes into the OPT record of a query. */
struct query_edns {
	bool enabled;
	bool expire;	       /* empty EXPIRE option (E-01) */
	bool keepalive;	       /* empty tcp-keepalive option; TCP only (KA-01) */
	const uint8_t *cookie; /* COOKIE with so many octets (C-01) */
	uint8_t cookie_len;    /* 0: none */
};

void query_soa(struct buf *b, uint16_t id, const uint8_t *zone, const struct query_edns *o);
void query_axfr(struct buf *b, uint16_t id, const uint8_t *zone, const struct query_edns *o);
/* `soa` is our current one and goes into the authority section (I-01). */
void query_ixfr(struct buf *b, uint16_t id, const uint8_t *zone, const struct rr *soa,
    const struct query_edns *o);
/*
 * qtype SOA or AXFR.  `soa` (may be NULL) is the hint of a NOTIFY(SOA), N-07; it is never put
 * into a NOTIFY(AXFR) (AN-02).  AA=1, all other flags 0 (AN-01, N-27).  o: NULL for none.
 */
void query_notify(struct buf *b, uint16_t id, const uint8_t *zone, uint16_t qtype,
    const struct rr *soa, const struct query_edns *o);

/* What a response says besides its RCODE. */
struct reply {
	unsigned rcode; /* extended ones need EDNS in the request */
	bool aa;
	int ede;	      /* -1 = none (EE-02) */
	const char *ede_text; /* may be NULL */
	const struct rr *soa; /* answer section: one SOA, or NULL */
	bool expire;	      /* put EXPIRE with expire_s (only when asked and authoritative) */
	uint32_t expire_s;
	int keepalive; /* units of 100 ms, -1 = none; TCP and only when asked (KA-02) */
	bool tc;
	const uint8_t *cookie; /* COOKIE_OURS octets, or NULL (C-06) */
};

/*
 * A response to `req`: ID, opcode, RD and the question echoed as received, OPT iff the
 * request had one (ED-01), never a question that could not be parsed.
 */
void query_reply(struct buf *b, const struct msg *req, const struct reply *r);

/*
 * Transfer messages.  Header and question of message number n of a stream (first: n = 0) for
 * `qtype` as asked; ANCOUNT and ARCOUNT are filled by xfr_finish().  The question is put into every
 * message because the segments' compression points into it (X-26 allows it).
 */
void xfr_begin(struct buf *b, const struct msg *req);
/*
 * Sets ANCOUNT, and appends OPT when the request had OPT (XO-08), with keepalive (or -1) and cookie
 * (COOKIE_OURS octets, or NULL).
 */
void xfr_finish(
    struct buf *b, const struct msg *req, unsigned ancount, int keepalive, const uint8_t *cookie);
/* The SOA with its owner as a pointer to the question, RDATA names uncompressed. */
void xfr_soa(struct buf *b, const struct rr *soa);

/*
 * Padding, over TLS only (PD-02): b is one whole message made by the functions above, before it is
 * signed; zeros in a PADDING option, the last one of its OPT record, make it a multiple of `block`
 * octets together with the `tail` octets of TSIG that will follow (PD-04, PD-05), as far as a
 * message may grow.  A request without OPT gets one.  False, and nothing changed: a response
 * without OPT (PD-03), or no room.  Of a transfer all messages may be padded, or some, or none (RFC
 * 9103 section 7.9).
 */
#define PAD_QUERY 128	 /* octets, RFC 8467 section 4.1; NOTIFY as well */
#define PAD_RESPONSE 468 /* octets, to requests that had PADDING */
bool query_pad(struct buf *b, size_t block, size_t tail);
