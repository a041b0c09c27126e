/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The messages of an answer: header, question, limits, and what each kind of end means.
 * The records are in xfrin_rr.c.
 */
#include "core/xfrin.h"

#include "base/mem.h"
#include "core/xfrin_p.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* In a row.  A server whose message is too small for the next record may send them for ever. */
#define EMPTY_MAX 1000

struct xfrin *
xfrin_new(const struct xfrin_query *q, const struct xfrin_ops *ops, void *arg)
{
	struct xfrin *x = zr_xcalloc(1, sizeof(*x));

	x->q = *q;
	x->ops = *ops;
	x->arg = arg;
	x->phase = XFRIN_FIRST;
	x->zone_len = (uint8_t)name_len(q->zone);
	return x;
}

void
xfrin_free(struct xfrin *x)
{
	free(x);
}

/*
 * Can AXFR mend what ended this answer?  For an IXFR always (I-12), except that a whole zone which
 * is too large stays too large, and that our own side's faults do not go away: there the receiver's
 * code tells whether it is the difference that does not fit (I-08).
 */
static bool
axfr_may_mend(const struct xfrin *x, enum zr_code code)
{
	if (x->q.kind != XFRIN_IXFR)
		return false;
	if (x->local)
		return code == ZR_DIFF || (code == ZR_LIMIT && x->diff);
	return code != ZR_LIMIT || x->phase != XFRIN_FULL;
}

static enum xfrin_step
lost(struct xfrin *x, const struct zr_err *e)
{
	enum xfrin_step step = axfr_may_mend(x, e->code) ? XFRIN_TRY_AXFR : XFRIN_FAIL;

	x->phase = XFRIN_END;
	return step;
}

/* The header and, where there is one, the question.  F-01, X-09, X-14. */
static int
check_header(struct xfrin *x, const struct msg *m, struct zr_err *e)
{
	static const char *const kinds[] = {[XFRIN_AXFR] = "AXFR", [XFRIN_IXFR] = "IXFR"};
	uint16_t qtype = x->q.kind == XFRIN_IXFR ? TYPE_IXFR : TYPE_AXFR;

	if ((m->flags & FLAG_QR) == 0)
		return zr_fail(e, ZR_FORMERR, "expected a response, found a query");
	if (m->opcode != OPCODE_QUERY) {
		return zr_fail(e, ZR_FORMERR, "expected opcode %d in the response, found %u",
		    OPCODE_QUERY, m->opcode);
	}
	if (m->id != x->q.id) {
		return zr_fail(
		    e, ZR_FORMERR, "expected ID %u in the response, found %u", x->q.id, m->id);
	}
	if (m->qdcount > 1) {
		return zr_fail(
		    e, ZR_FORMERR, "expected at most one question, found %u", m->qdcount);
	}
	if (m->has_question && !msg_question_is(m, x->q.zone, qtype, CLASS_IN)) {
		return zr_fail(e, ZR_FORMERR,
		    "the question in the response is not that of our %s query", kinds[x->q.kind]);
	}
	x->stats.rcode = msg_rcode(m);
	if (x->stats.rcode != RCODE_NOERROR) {
		x->clean = true; /* an error is one message and ends the session */
		return xfrin_rcode_fail(m, e);
	}
	/* Empty ones may stand in front (XO-30), with or without it. */
	x->question |= m->has_question;
	if (!x->question && m->ancount > 0)
		return zr_fail(e, ZR_FORMERR, "the first response has no question");
	return 0;
}

static int
check_limits(const struct xfrin *x, struct zr_err *e)
{
	const struct xfrin_limits *l = &x->q.limits;

	if (l->max_octets != 0 && x->stats.octets > l->max_octets) {
		return zr_fail(e, ZR_LIMIT,
		    "the answer is larger than the limit of %" PRIu64 " octets", l->max_octets);
	}
	if (l->max_messages != 0 && x->stats.messages > l->max_messages) {
		return zr_fail(e, ZR_LIMIT,
		    "the answer has more messages than the limit of %" PRIu64, l->max_messages);
	}
	return 0;
}

static void
take_edns(struct xfrin_stats *s, const struct edns *o)
{
	if (o->expire_valid) {
		s->expire_valid = true;
		s->expire = o->expire;
	}
	if (o->keepalive_valid) {
		s->keepalive_valid = true;
		s->keepalive = o->keepalive;
	}
}

/*
 * A message without records may stand anywhere (XO-30).  Only before the first record one with an
 * authority section is something else: a negative answer or a referral (I-05).
 */
static enum xfrin_step
empty(struct xfrin *x, const struct msg *m, struct zr_err *e)
{
	if (++x->empty > EMPTY_MAX) {
		zr_fail(e, ZR_FORMERR, "more than %d messages without records in a row", EMPTY_MAX);
		return lost(x, e);
	}
	if (x->phase != XFRIN_FIRST || (m->nscount == 0 && !x->q.udp))
		return XFRIN_MORE;
	x->clean = true;
	zr_fail(e, ZR_FORMERR, "expected a zone transfer, found an answer without records");
	return lost(x, e);
}

static enum xfrin_step
records(struct xfrin *x, const struct msg *m, struct zr_err *e)
{
	enum xfrin_step step = XFRIN_MORE;
	struct rr rr;
	int got;

	if (msg_walk_start(&x->walk, m, SECTION_ANSWER, e) < 0)
		return XFRIN_FAIL;
	while (step == XFRIN_MORE) {
		got = msg_next(&x->walk, &rr, e);
		if (got == 0)
			return XFRIN_MORE;
		if (got < 0) {
			zr_fail_in(e, "record %" PRIu64, x->stats.records + 1);
			return XFRIN_FAIL;
		}
		step = xfrin_record(x, &rr, e);
	}
	if (step == XFRIN_DONE && x->walk.left != 0) {
		zr_fail(e, ZR_FORMERR,
		    "expected the end after the closing SOA, found %u more records", x->walk.left);
		return XFRIN_FAIL;
	}
	/* A lone SOA is all that is to come, unless it is the beginning of an older zone. */
	if (x->closed || (step == XFRIN_CURRENT && x->q.kind == XFRIN_IXFR))
		x->clean = x->walk.left == 0;
	return step;
}

enum xfrin_step
xfrin_feed(struct xfrin *x, const struct msg *m, struct zr_err *e)
{
	struct zr_err own;
	enum xfrin_step step;

	if (e == NULL)
		e = &own;
	zr_err_clear(e);
	if (x->phase == XFRIN_END) {
		zr_fail(e, ZR_INTERNAL, "message fed to a finished transfer");
		return XFRIN_FAIL;
	}
	x->stats.messages++;
	x->stats.octets += m->len;
	if (check_header(x, m, e) < 0 || check_limits(x, e) < 0)
		return lost(x, e);
	if ((m->flags & FLAG_AA) == 0)
		x->stats.not_authoritative = true;
	take_edns(&x->stats, &m->edns);
	if (x->q.udp && (m->flags & FLAG_TC) != 0) {
		x->phase = XFRIN_END;
		return XFRIN_TRY_TCP;
	}
	if (m->ancount == 0)
		return empty(x, m, e);
	x->empty = 0;
	step = records(x, m, e);
	if (step == XFRIN_FAIL)
		return lost(x, e);
	if (step == XFRIN_MORE && x->q.udp)
		step = XFRIN_TRY_TCP; /* one datagram is all there is (I-04) */
	if (step != XFRIN_MORE)
		x->phase = XFRIN_END;
	return step;
}

enum xfrin_step
xfrin_broken(struct xfrin *x, struct zr_err *e)
{
	struct zr_err own = {.code = ZR_CLOSED};

	if (e == NULL)
		e = &own;
	if (x->phase == XFRIN_END) {
		zr_fail(e, ZR_INTERNAL, "end reported to a finished transfer");
		return XFRIN_FAIL;
	}
	if (x->phase == XFRIN_FIRST)
		zr_fail_in(e, "before the first record");
	else if (x->phase == XFRIN_SHAPE)
		zr_fail_in(e, "after the SOA with serial %" PRIu32 " alone", x->serial);
	else
		zr_fail_in(e, "after %" PRIu64 " records", x->stats.records);
	if (x->q.udp) {
		x->phase = XFRIN_END;
		return XFRIN_TRY_TCP;
	}
	return lost(x, e);
}

enum xfrin_step
xfrin_eof(struct xfrin *x, struct zr_err *e)
{
	zr_fail(e, ZR_CLOSED, "connection closed before the closing SOA");
	return xfrin_broken(x, e);
}

bool
xfrin_clean(const struct xfrin *x)
{
	return x->clean;
}

bool
xfrin_is_diff(const struct xfrin *x)
{
	return x->diff;
}

bool
xfrin_serial(const struct xfrin *x, uint32_t *serial)
{
	if (x->have_soa)
		*serial = x->serial;
	return x->have_soa;
}

const struct rr *
xfrin_soa(const struct xfrin *x)
{
	return x->have_soa ? &x->soa : NULL;
}

const struct xfrin_stats *
xfrin_stats(const struct xfrin *x)
{
	return &x->stats;
}
