/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading one answer to an SOA, IXFR or AXFR query: fed messages, it answers with the next
 * move.  Pure: no I/O, no clock.  RFC 5936 section 2.2 and 3, RFC 1995 section 4; X-*, I-*, U-09,
 * T-17, T-19.
 *
 * Records go to the sink as they come.  What was handed out counts only when XFRIN_DONE was
 * answered; after any other end the receiver throws it away.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "wire/msg.h"
#include "wire/rr.h"

enum xfrin_kind { XFRIN_AXFR, XFRIN_IXFR };

enum xfrin_step {
	XFRIN_MORE,	/* feed the next message */
	XFRIN_DONE,	/* complete: a full zone or a chain of differences, see xfrin_is_diff() */
	XFRIN_CURRENT,	/* the primary has nothing newer (I-03); see xfrin_serial() */
	XFRIN_TRY_TCP,	/* IXFR over UDP did not fit, broke or timed out (I-04) */
	XFRIN_TRY_AXFR, /* IXFR failed in a way that AXFR may mend (I-05, I-12); err says why */
	XFRIN_FAIL	/* failed; err says why */
};

/*
 * The receiver.  -1 from any of them makes the step XFRIN_FAIL (TRY_AXFR when the code is ZR_DIFF,
 * or ZR_LIMIT in a diff).  Duplicates are handed out as they come; the receiver drops them.
 */
struct xfrin_ops {
	/* A full zone begins; soa is its first record. */
	int (*full)(void *arg, const struct rr *soa, struct zr_err *e);
	/* One record of a full zone; the closing SOA is not handed out, the first one is. */
	int (*record)(void *arg, const struct rr *rr, struct zr_err *e);
	/* A difference begins: soa is the newest. */
	int (*diff)(void *arg, const struct rr *soa, struct zr_err *e);
	/* A step begins with its old SOA, and goes over to additions with its new SOA. */
	int (*step_old)(void *arg, const struct rr *soa, struct zr_err *e);
	int (*del)(void *arg, const struct rr *rr, struct zr_err *e);
	int (*step_new)(void *arg, const struct rr *soa, struct zr_err *e);
	int (*add)(void *arg, const struct rr *rr, struct zr_err *e);
};

/* 0 = none. */
struct xfrin_limits {
	uint64_t max_octets; /* of messages */
	uint64_t max_records;
	uint64_t max_messages;
	unsigned max_steps; /* of a difference */
};

struct xfrin_query {
	enum xfrin_kind kind;
	bool udp;
	uint16_t id;
	const uint8_t *zone; /* lower-case or as configured; borrowed for the life of the reader */
	bool have_serial;    /* false: no valid copy */
	uint32_t serial;     /* ours, for IXFR */
	bool forced;	     /* take any serial (AN-05) */
	struct xfrin_limits limits;
};

struct xfrin;

struct xfrin *xfrin_new(const struct xfrin_query *q, const struct xfrin_ops *ops, void *arg);
void xfrin_free(struct xfrin *x);
/*
 * One message, already matched by ID and source, parsed with MSG_FULL.  err is filled for TRY_AXFR
 * and FAIL, and for TRY_TCP where something broke.  After any step but MORE only the questions
 * below may be asked.
 */
enum xfrin_step xfrin_feed(struct xfrin *x, const struct msg *m, struct zr_err *e);
/* The connection was closed instead of bringing the next message. */
enum xfrin_step xfrin_eof(struct xfrin *x, struct zr_err *e);
/*
 * The next message did not come, or msg_parse() refused it, for the reason the caller has put
 * into *e (ZR_TIMEOUT, ZR_IO, ZR_FORMERR ...); the text is completed with how far the answer got.
 */
enum xfrin_step xfrin_broken(struct xfrin *x, struct zr_err *e);

/*
 * After the end: nothing more of this answer is to be expected, so that the connection may be used
 * for the next query (X-19, XO-32).  When false the rest of the stream may still arrive.
 */
bool xfrin_clean(const struct xfrin *x);
bool xfrin_is_diff(const struct xfrin *x);
bool xfrin_serial(const struct xfrin *x, uint32_t *serial); /* of the first SOA seen */
const struct rr *xfrin_soa(const struct xfrin *x);	    /* first SOA; owned by x; NULL before */
struct xfrin_stats {
	uint64_t octets, messages;
	uint64_t records;  /* of the answer, the closing SOA not counted */
	unsigned steps;	   /* of a difference */
	bool expire_valid; /* EDNS EXPIRE of the last message that had it (E-05..E-07) */
	uint32_t expire;
	bool keepalive_valid;
	uint16_t keepalive;
	bool not_authoritative; /* AA was 0 somewhere (X-10: logged only) */
	uint16_t rcode; /* of the last message; FORMERR, NOTIMP, BADVERS: no EDNS may help */
};
const struct xfrin_stats *xfrin_stats(const struct xfrin *x);

/*
 * Judging the answer to an SOA query (T-10, F-01): 0 with *soa and *m's EXPIRE, or -1 with
 * ZR_REFUSED ZR_NOTIMP ZR_SERVFAIL ZR_FORMERR; *retry_plain set when the same query without EDNS
 * may help, *retry_tcp when it was truncated.  An answer that came over TCP is judged with
 * FLAG_TC cleared in m->flags by the caller.
 */
struct soa_answer {
	struct soa soa;
	bool retry_plain, retry_tcp;
	bool expire_valid;
	uint32_t expire;
};
int xfrin_soa_answer(
    const struct msg *m, const uint8_t *zone, struct soa_answer *out, struct zr_err *e);
