/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/msg.h"

#include "base/buf.h"
#include "wire/edns.h"

#include <string.h>

#define QUESTION_FIXED 4 /* type and class */
#define OPCODE_OF(flags) ((flags) >> 11 & 15)

static int
parse_header(struct msg *m, const uint8_t *p, size_t len, struct zr_err *e)
{
	if (len < MSG_HEADER)
		return zr_fail(e, ZR_FORMERR, "message of %zu octets has no header", len);
	if (len > MSG_MAX)
		return zr_fail(e, ZR_FORMERR, "message of %zu octets is too long", len);
	m->data = p;
	m->len = len;
	m->id = get_u16(p);
	m->flags = get_u16(p + 2);
	m->opcode = OPCODE_OF(m->flags);
	m->rcode = m->flags & 15;
	m->qdcount = get_u16(p + 4);
	m->ancount = get_u16(p + 6);
	m->nscount = get_u16(p + 8);
	m->arcount = get_u16(p + 10);
	return 0;
}

/* The first question is kept, further ones are only stepped over. */
static int
parse_questions(struct msg *m, struct zr_err *e)
{
	uint8_t further[NAME_MAX_LEN], *name = m->qname;
	size_t at = MSG_HEADER, n;

	for (unsigned i = 0; i < m->qdcount; i++, name = further) {
		n = msg_name_at(m->data, m->len, &at, name);
		if (n == 0 || m->len - at < QUESTION_FIXED)
			return zr_fail(e, ZR_FORMERR, "malformed question");
		if (i == 0) {
			m->qname_len = (uint8_t)n;
			m->qtype = get_u16(m->data + at);
			m->qclass = get_u16(m->data + at + 2);
			m->has_question = true;
		}
		at += QUESTION_FIXED;
	}
	m->answer_at = at;
	return 0;
}

/*
 * Answer and authority: only the bounds, a reader of zone data walks them anyway.  OPT and TSIG
 * have no business there.
 */
static int
skip_section(const struct msg *m, size_t *at, unsigned count, struct zr_err *e)
{
	uint16_t type;

	for (; count > 0; count--) {
		if (!msg_rr_skip(m->data, m->len, at, &type))
			return zr_fail(e, ZR_FORMERR, "malformed record at octet %zu", *at);
		if (type == TYPE_OPT || type == TYPE_TSIG)
			return zr_fail(e, ZR_FORMERR, "OPT or TSIG in a wrong section");
	}
	return 0;
}

static int
parse_additional(struct msg *m, size_t *at, struct zr_err *e)
{
	uint8_t owner[NAME_MAX_LEN];
	size_t start, name_end;
	uint16_t type;

	for (unsigned i = 0; i < m->arcount; i++) {
		start = name_end = *at;
		if (msg_name_at(m->data, m->len, &name_end, owner) == 0 ||
		    !msg_rr_skip(m->data, m->len, at, &type))
			return zr_fail(e, ZR_FORMERR, "malformed record at octet %zu", start);
		if (type == TYPE_TSIG) {
			if (i + 1u != m->arcount)
				return zr_fail(e, ZR_FORMERR, "TSIG is not the last record");
			m->has_tsig = true;
			m->tsig_at = start;
		} else if (type == TYPE_OPT && ++m->opt_count > 1) {
			m->edns.malformed = true;
		} else if (type == TYPE_OPT) {
			edns_parse(&m->edns, m->data + name_end, (m->flags & FLAG_QR) != 0);
			if (owner[0] != 0)
				m->edns.malformed = true;
		}
	}
	return 0;
}

int
msg_parse(struct msg *m, const void *data, size_t len, enum msg_level level, struct zr_err *e)
{
	size_t at;

	memset(m, 0, sizeof(*m));
	if (parse_header(m, data, len, e) < 0 || parse_questions(m, e) < 0)
		return -1;
	if (level == MSG_HEADER_ONLY)
		return 0;
	at = m->answer_at;
	if (skip_section(m, &at, m->ancount, e) < 0 || skip_section(m, &at, m->nscount, e) < 0 ||
	    parse_additional(m, &at, e) < 0)
		return -1;
	if (at != len) {
		return zr_fail(
		    e, ZR_FORMERR, "%zu octets follow the last record of a message", len - at);
	}
	return 0;
}

uint16_t
msg_rcode(const struct msg *m)
{
	return (uint16_t)(m->edns.ext_rcode << 4 | m->rcode);
}

const char *
rcode_text(unsigned rcode)
{
	/* The names of the IANA registry; 12 to 15 are free, 16 and up need EDNS. */
	static const char *const names[] = {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP",
	    "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH", "NOTZONE", "DSOTYPENI", NULL,
	    NULL, NULL, NULL, "BADVERS", "BADKEY", "BADTIME", "BADMODE", "BADNAME", "BADALG",
	    "BADTRUNC", "BADCOOKIE"};

	if (rcode >= sizeof(names) / sizeof(names[0]) || names[rcode] == NULL)
		return "unknown rcode";
	return names[rcode];
}

bool
msg_question_is(const struct msg *m, const uint8_t *qname, uint16_t qtype, uint16_t qclass)
{
	return m->has_question && m->qtype == qtype && m->qclass == qclass &&
	       name_equal(m->qname, qname);
}
