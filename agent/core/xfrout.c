/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The checks stand in the order in which they may speak: first what can be told to anybody, then
 * whether the source is known, then whether the zone is ours, then whether this source may have it.
 */
#include "core/xfrout.h"

#include "base/serial.h"
#include "wire/cookie.h"

#define UDP_MIN 512
#define RR_FIXED 12 /* a record with its owner as a pointer, without RDATA */
#define OPT_MAX 19  /* an OPT record with EXPIRE */
#define OPT_COOKIE_MAX (4 + COOKIE_OURS)
#define QUESTION_FIX 4 /* type and class */

/* One check: true when it has decided. */
typedef bool (*check)(const struct xfrout_ask *ask, struct xfrout *out);

static bool
reply(struct xfrout *out, unsigned rcode, int ede, const char *why)
{
	out->action = XFROUT_REPLY;
	out->reply.rcode = rcode;
	out->reply.ede = ede;
	out->why = why;
	return true;
}

static size_t
datagram_max(const struct xfrout_ask *ask)
{
	const struct edns *o = &ask->req->edns;

	if (!o->present || o->udp_size < UDP_MIN)
		return UDP_MIN;
	return o->udp_size < EDNS_UDP_SIZE ? o->udp_size : EDNS_UDP_SIZE;
}

/* Without the TSIG that is put behind it. */
static size_t
max_octets(const struct xfrout_ask *ask)
{
	size_t max = ask->udp ? datagram_max(ask) : MSG_MAX; /* ED-11: the size in OPT is UDP's */

	return max - ask->reserve;
}

/* Only a monstrous SOA does not fit into 512 octets; then TCP has to be used. */
static void
reply_soa(const struct xfrout_ask *ask, struct xfrout *out, const char *why)
{
	const struct rr *soa = ask->zone->soa;
	size_t size = MSG_HEADER + ask->req->qname_len + QUESTION_FIX + RR_FIXED + soa->rdlen;

	reply(out, RCODE_NOERROR, -1, why);
	out->reply.aa = true;
	size += ask->req->edns.present ? OPT_MAX : 0;
	size += ask->cookie != COOKIES_NONE ? OPT_COOKIE_MAX : 0;
	if (size > out->max_octets)
		out->reply.tc = true;
	else
		out->reply.soa = soa;
	out->reply.expire = out->expire;
	out->reply.expire_s = out->expire_s;
}

/* Nothing but the option: the client wants to learn its server cookie. */
static bool
ask_for_cookie(const struct xfrout_ask *ask)
{
	const struct msg *m = ask->req;

	return ask->cookie != COOKIES_NONE && m->qdcount == 0 && m->ancount == 0 && m->nscount == 0;
}

static bool
is_served(uint16_t qtype)
{
	return qtype == TYPE_SOA || qtype == TYPE_AXFR || qtype == TYPE_IXFR;
}

/* The message as such. */
static bool
check_message(const struct xfrout_ask *ask, struct xfrout *out)
{
	const struct msg *m = ask->req;

	if (m->len < MSG_HEADER || (m->flags & FLAG_QR) != 0) {
		out->action = XFROUT_DROP;
		out->why = "not a request";
		return true;
	}
	if (!ask->parsed && m->opcode == OPCODE_QUERY)
		return reply(out, RCODE_FORMERR, -1, "malformed");
	if (ask->parsed && m->edns.version > 0)
		return reply(out, RCODE_BADVERS, -1, "edns version"); /* ED-04, before all else */
	if (ask->parsed &&
	    (m->edns.malformed || m->opt_count > 1 || (m->edns.keepalive_malformed && !ask->udp)))
		return reply(out, RCODE_FORMERR, -1, "malformed edns");
	if (m->opcode != OPCODE_QUERY)
		return reply(out, RCODE_NOTIMP, -1, "opcode");
	if (ask_for_cookie(ask)) /* RFC 7873 section 5.4 */
		return reply(out, ask->cookie == COOKIES_WRONG ? RCODE_BADCOOKIE : RCODE_NOERROR,
		    -1, "cookie");
	if (m->qdcount != 1 || !m->has_question)
		return reply(out, RCODE_FORMERR, -1, "not one question");
	if (ask->tls && !is_served(m->qtype))
		return reply(out, RCODE_REFUSED, EDE_NOT_SUPPORTED, "query type");
	if (ask->udp && m->qtype == TYPE_AXFR)
		return reply(out, RCODE_FORMERR, -1, "axfr over udp"); /* */
	return false;
}

static bool
check_source(const struct xfrout_ask *ask, struct xfrout *out)
{
	if (!ask->known)
		return reply(out, RCODE_REFUSED, EDE_PROHIBITED, "source not known");
	/* The caller deals with those that are wrong; this one nobody has looked at. */
	if (ask->req->has_tsig && !ask->proved)
		return reply(out, RCODE_NOTAUTH, -1, "tsig not verified");
	/* C-10: who may be forged shows that it is not, or comes over TCP. */
	if (ask->flooded && ask->cookie == COOKIES_NONE) {
		out->reply.tc = true;
		return reply(out, RCODE_NOERROR, -1, "query rate, by tcp please");
	}
	if (ask->flooded)
		return reply(out, RCODE_BADCOOKIE, -1, "query rate, with a cookie please");
	return false;
}

static bool
check_zone(const struct xfrout_ask *ask, struct xfrout *out)
{
	const struct msg *m = ask->req;
	const struct xfrout_zone *z = ask->zone;

	if (m->qclass != CLASS_IN)
		return reply(out, RCODE_NOTAUTH, EDE_NOT_AUTHORITATIVE, "class");
	if (!is_served(m->qtype))
		return reply(out, RCODE_REFUSED, EDE_NOT_SUPPORTED, "query type");
	if (z == NULL)
		return reply(out, RCODE_NOTAUTH, EDE_NOT_AUTHORITATIVE, "no such zone");
	if (!z->may_transfer)
		return reply(out, RCODE_REFUSED, EDE_PROHIBITED,
		    z->lacks != NULL ? z->lacks : "source not allowed");
	if (z->expired)
		return reply(out, RCODE_SERVFAIL, EDE_INVALID_DATA, "zone expired");
	if (!z->loaded)
		return reply(out, RCODE_SERVFAIL, EDE_NOT_READY, "zone not loaded");
	return false;
}

/* The serial the client has: exactly one SOA of the zone in the authority section (I-15). */
static bool
client_serial(const struct msg *m, uint32_t *serial)
{
	struct msg_walk w;
	struct rr rr;
	struct soa soa;
	unsigned found = 0;
	int got;

	if (msg_walk_start(&w, m, SECTION_AUTHORITY, NULL) < 0)
		return false;
	while ((got = msg_next(&w, &rr, NULL)) == 1) {
		if (rr.type != TYPE_SOA)
			continue;
		if (rr.class != CLASS_IN || !name_equal(rr.owner, m->qname) || !rr_soa(&rr, &soa))
			return false;
		*serial = soa.serial;
		found++;
	}
	return got == 0 && found == 1;
}

static void
judge_ixfr(const struct xfrout_ask *ask, struct xfrout *out)
{
	uint32_t serial = 0;

	if (!client_serial(ask->req, &serial)) {
		reply(out, RCODE_FORMERR, -1, "ixfr without a serial");
		return;
	}
	if (serial_ge(serial, ask->zone->serial)) {
		reply_soa(ask, out, "ixfr, up to date"); /* I-16, A-10 (3) */
		out->client_current = serial == ask->zone->serial;
		return;
	}
	if (ask->busy && !ask->udp) {
		reply(out, RCODE_SERVFAIL, -1, "transfer limit");
		return;
	}
	if (ask->udp) {
		reply_soa(ask, out, "ixfr over udp, by tcp please");
		if (ask->busy)
			return;
	}
	out->action = XFROUT_DIFF;
	out->from_serial = serial;
	out->why = "ixfr";
}

static void
judge_served(const struct xfrout_ask *ask, struct xfrout *out)
{
	out->expire = ask->req->edns.has_expire;
	out->expire_s = ask->zone->expire_left_s;
	if (ask->req->qtype == TYPE_SOA) {
		reply_soa(ask, out, "soa");
	} else if (ask->req->qtype == TYPE_IXFR) {
		judge_ixfr(ask, out);
	} else if (ask->busy) {
		reply(out, RCODE_SERVFAIL, -1, "transfer limit"); /* XO-09, A-24 */
	} else {
		out->action = XFROUT_FULL;
		out->why = "axfr";
	}
}

void
xfrout_judge(const struct xfrout_ask *ask, struct xfrout *out)
{
	static const check checks[] = {check_message, check_source, check_zone};

	*out = (struct xfrout){.reply = {.ede = -1}};
	out->keepalive = ask->udp ? -1 : ask->keepalive; /* KA-01 */
	out->reply.keepalive = out->keepalive;
	out->max_octets = max_octets(ask);
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		if (checks[i](ask, out))
			return;
	judge_served(ask, out);
}
