/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What to do with a request from a downstream: SOA, AXFR, IXFR, and everything else that is not a
 * NOTIFY.  Pure: no I/O, no clock, no state.  RFC 5936 section 2.2, RFC 1995 section 2 and 3;
 * X-24..X-43, I-15..I-24, T-07, T-21, T-22, A-16, A-20, A-37, ED-02..ED-09.
 *
 * Every well-formed request gets an answer (T-21); only responses and what is shorter than a
 * header are dropped.  A stranger learns nothing about which zones exist.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/cookies.h"
#include "wire/msg.h"
#include "wire/query.h"
#include "wire/rr.h"

/* The zone that bears the name in the question, as the main loop sees it. */
struct xfrout_zone {
	bool may_transfer; /* the source may transfer this zone */
	/* Why a source with the right address may not, a static text; NULL: it is not that. */
	const char *lacks;
	bool loaded;	 /* has a version */
	bool expired;	 /* has one, but not to be served */
	uint32_t serial; /* this and the next two: with loaded */
	const struct rr *soa;
	uint32_t expire_left_s; /* E-03 */
};

struct xfrout_ask {
	const struct msg *req; /* parsed with MSG_FULL */
	bool parsed;	       /* msg_parse() returned 0 */
	bool udp;
	bool tls;	/* nothing but SOA, AXFR, IXFR and NOTIFY (XO-29) */
	bool known;	/* the source is a peer in the configuration */
	bool proved;	/* its TSIG has been verified */
	size_t reserve; /* octets of the answer's TSIG (TS-15) */
	enum cookies_verdict cookie;
	bool flooded; /* udp, above the rate of its source, and nothing proves the source */
	const struct xfrout_zone *zone; /* exact match of the QNAME; NULL = not configured */
	bool busy;     /* no room for another transfer now: in total, or of this source (XO-09) */
	int keepalive; /* idle timeout in force, units of 100 ms; -1 = none; used over TCP (KA-02)
			*/
};

enum xfrout_action {
	XFROUT_DROP,
	XFROUT_REPLY, /* query_reply() with `reply` */
	XFROUT_FULL,  /* stream the whole zone */
	XFROUT_DIFF   /* stream the differences from from_serial, or the whole zone when the journal
			 has no unbroken chain (I-19, A-10) */
};

struct xfrout {
	enum xfrout_action action;
	/*
	 * REPLY: the answer.  DIFF over UDP: what to send when the differences do not fit into
	 * max_octets or are not there: the current SOA (I-20).  Points into the zone view.
	 */
	struct reply reply;
	uint32_t from_serial; /* DIFF */
	bool client_current;  /* REPLY to an IXFR: the client holds the very serial we serve */
	size_t max_octets;    /* size of a response over this transport (ED-06, X-46) */
	int keepalive;	      /* FULL, DIFF: for every message, -1 = none */
	bool expire;	      /* FULL, DIFF: EXPIRE was asked for; the value is expire_s */
	uint32_t expire_s;
	const char *why; /* static text for the log: "source not allowed", "ixfr" ... */
};

void xfrout_judge(const struct xfrout_ask *ask, struct xfrout *out);
