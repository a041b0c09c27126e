/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Error responses in words, and the judgement of the answer to an SOA query.
 */
#include "core/xfrin_p.h"

#include <stdio.h>
#include <string.h>

#define EDE_TEXT_SHOWN 80 /* octets of a peer's free text that are worth a place in the log */

static enum zr_code
code_of(unsigned rcode)
{
	switch (rcode) {
	case RCODE_REFUSED:
	case RCODE_NOTAUTH:
		return ZR_REFUSED;
	case RCODE_NOTIMP:
		return ZR_NOTIMP;
	case RCODE_FORMERR:
	case RCODE_BADVERS:
		return ZR_FORMERR;
	default:
		return ZR_SERVFAIL;
	}
}

/* A peer's text is not trusted: printable ASCII only. */
static const char *
ede_shown(const struct edns *o, char out[EDE_TEXT_SHOWN + 4])
{
	size_t n = o->ede_text_len < EDE_TEXT_SHOWN ? o->ede_text_len : EDE_TEXT_SHOWN;
	size_t at = 0;

	if (n == 0)
		return "";
	out[at++] = ':';
	out[at++] = ' ';
	for (size_t i = 0; i < n; i++) {
		uint8_t c = o->ede_text[i];

		out[at++] = (char)(c >= 0x20 && c < 0x7f ? c : '?');
	}
	out[at] = '\0';
	return out;
}

int
xfrin_rcode_fail(const struct msg *m, struct zr_err *e)
{
	char text[EDE_TEXT_SHOWN + 4];
	unsigned rcode = msg_rcode(m);

	if (m->edns.has_ede) {
		return zr_fail(e, code_of(rcode), "primary answered %s (%u), EDE %u%s",
		    rcode_text(rcode), rcode, m->edns.ede, ede_shown(&m->edns, text));
	}
	return zr_fail(e, code_of(rcode), "primary answered %s (%u)", rcode_text(rcode), rcode);
}

/* Servers without EDNS answer in each of these ways; SERVFAIL says so only without OPT. */
static bool
plain_may_help(const struct msg *m)
{
	unsigned rcode = msg_rcode(m);

	return rcode == RCODE_FORMERR || rcode == RCODE_NOTIMP || rcode == RCODE_BADVERS ||
	       (rcode == RCODE_SERVFAIL && !m->edns.present);
}

static int
check_soa_header(const struct msg *m, const uint8_t *zone, struct soa_answer *out, struct zr_err *e)
{
	if ((m->flags & FLAG_QR) == 0 || m->opcode != OPCODE_QUERY)
		return zr_fail(e, ZR_FORMERR, "expected a response to our SOA query");
	if (m->qdcount > 1 || (m->has_question && !msg_question_is(m, zone, TYPE_SOA, CLASS_IN))) {
		return zr_fail(
		    e, ZR_FORMERR, "the question in the response is not that of our SOA query");
	}
	if (msg_rcode(m) != RCODE_NOERROR) {
		out->retry_plain = plain_may_help(m);
		return xfrin_rcode_fail(m, e);
	}
	if (!m->has_question)
		return zr_fail(e, ZR_FORMERR, "the SOA answer has no question");
	if ((m->flags & FLAG_TC) != 0) {
		out->retry_tcp = true;
		return zr_fail(e, ZR_FORMERR, "the SOA answer is truncated");
	}
	if ((m->flags & FLAG_AA) == 0)
		return zr_fail(e, ZR_REFUSED, "the SOA answer is not authoritative");
	return 0;
}

/* The one SOA of the answer section; what else stands there (an RRSIG) is not ours to judge. */
static int
find_soa(const struct msg *m, const uint8_t *zone, struct soa *soa, struct zr_err *e)
{
	struct msg_walk w;
	struct rr rr;
	unsigned found = 0;
	int got;

	if (msg_walk_start(&w, m, SECTION_ANSWER, e) < 0)
		return -1;
	while ((got = msg_next(&w, &rr, e)) == 1) {
		if (rr.type != TYPE_SOA)
			continue;
		if (rr.class != CLASS_IN || !name_equal(rr.owner, zone))
			return zr_fail(e, ZR_FORMERR, "the SOA in the answer is of another zone");
		if (!rr_soa(&rr, soa))
			return zr_fail(e, ZR_FORMERR, "the SOA in the answer is malformed");
		found++;
	}
	if (got < 0)
		return -1;
	if (found != 1)
		return zr_fail(e, ZR_FORMERR, "expected one SOA in the answer, found %u", found);
	return 0;
}

int
xfrin_soa_answer(const struct msg *m, const uint8_t *zone, struct soa_answer *out, struct zr_err *e)
{
	*out = (struct soa_answer){0};
	if (check_soa_header(m, zone, out, e) < 0 || find_soa(m, zone, &out->soa, e) < 0)
		return -1;
	out->expire_valid = m->edns.expire_valid;
	out->expire = m->edns.expire;
	return 0;
}
