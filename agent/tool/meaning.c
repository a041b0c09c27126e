/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/meaning.h"

#include "wire/msg.h"

#include <stdio.h>
#include <string.h>

const char *const answer_kind_names[ANSWER_KIND_COUNT] = {
    [ANSWER_NONE] = "no-answer",
    [ANSWER_ACKNOWLEDGED] = "acknowledged",
    [ANSWER_UNSUPPORTED] = "unsupported",
    [ANSWER_REFUSED] = "refused",
    [ANSWER_FAILED] = "failed",
    [ANSWER_ZONE_DATA] = "zone-data",
    [ANSWER_ODD] = "not-an-answer",
    [ANSWER_UNREACHABLE] = "unreachable",
    [ANSWER_UNPROVED] = "bad-signature",
};

static bool
odd(struct answer *a, const char *text)
{
	a->kind = ANSWER_ODD;
	snprintf(a->text, sizeof(a->text), "%s", text);
	return true;
}

static enum answer_kind
kind_of(uint16_t rcode)
{
	switch (rcode) {
	case RCODE_NOERROR:
		return ANSWER_ACKNOWLEDGED;
	case RCODE_FORMERR:
	case RCODE_NOTIMP:
		return ANSWER_UNSUPPORTED;
	case RCODE_REFUSED:
	case RCODE_NOTAUTH:
	case RCODE_NXDOMAIN:
		return ANSWER_REFUSED;
	default:
		return ANSWER_FAILED;
	}
}

static void
take_edns(struct answer *a, const struct edns *e)
{
	size_t n = e->ede_text_len;

	a->opt = e->present;
	a->has_ede = e->present && e->has_ede;
	if (!a->has_ede)
		return;
	a->ede = e->ede;
	if (n >= sizeof(a->ede_text))
		n = sizeof(a->ede_text) - 1;
	if (n > 0)
		memcpy(a->ede_text, e->ede_text, n);
	a->ede_text[n] = '\0';
}

bool
answer_read(struct answer *a, const struct notifyout *o, const uint8_t *zone, const uint8_t *data,
    size_t len)
{
	struct zr_err e;
	struct msg m;
	int rc = msg_parse(&m, data, len, MSG_FULL, &e);

	*a = (struct answer){.kind = ANSWER_NONE};
	if (m.len < MSG_HEADER || m.id != o->id)
		return false;
	if ((m.flags & FLAG_QR) == 0)
		return odd(a, "what came back is itself a request");
	/* Whoever looks at QTYPE first does as if asked for the zone, with either opcode. */
	if (o->kind == NOTIFYOUT_AXFR && m.ancount > 0 &&
	    (m.opcode == OPCODE_NOTIFY || m.opcode == OPCODE_QUERY)) {
		a->kind = ANSWER_ZONE_DATA;
		return true;
	}
	if (m.opcode == OPCODE_QUERY)
		return odd(a, "it answers an ordinary query: it does not look at the opcode, so it "
			      "has not understood that this is a NOTIFY");
	if (m.opcode != OPCODE_NOTIFY)
		return odd(a, "the answer has another opcode than NOTIFY");
	if (rc != 0)
		return odd(a, "the answer is malformed");
	if (!notifyout_match(o, &m, zone))
		return odd(a, "the answer has another question than we sent");
	a->has_rcode = true;
	a->rcode = msg_rcode(&m);
	a->kind = kind_of(a->rcode);
	take_edns(a, &m.edns);
	return true;
}

const char *
answer_word(const struct answer *a)
{
	if (a->has_rcode)
		return rcode_text(a->rcode);
	switch (a->kind) {
	case ANSWER_NONE:
		return "no answer";
	case ANSWER_ZONE_DATA:
		return "zone data";
	case ANSWER_UNREACHABLE:
		return "unreachable";
	case ANSWER_UNPROVED:
		return "bad TSIG";
	default:
		return "no NOTIFY";
	}
}

static const char *
refused(uint16_t rcode)
{
	switch (rcode) {
	case RCODE_NXDOMAIN:
		return "it does not have this zone (NSD answers so): configure it there";
	case RCODE_NOTAUTH:
		return "it is not a secondary of this zone, or this host may not notify it (Knot: "
		       "acl with action notify; with a key: is it the same there?)";
	default:
		return "this host may not notify it: it must be one of the primaries there, or be "
		       "allowed to (BIND primaries or allow-notify, NSD allow-notify, PowerDNS "
		       "primary or trusted-notification-proxy)";
	}
}

static void
forced_by_hand(const char *zone, struct buf *out)
{
	buf_fmt(out, "rndc retransfer %s, knotc zone-retransfer %s", zone, zone);
}

static void
unsupported(enum notifyout_kind kind, const char *zone, struct buf *out)
{
	if (kind == NOTIFYOUT_SOA) {
		buf_str(out, "it does not know NOTIFY; it finds out at its next refresh");
		return;
	}
	buf_str(out, "does not know NOTIFY(AXFR) (BIND, Knot); run its own forced retransfer: ");
	forced_by_hand(zone, out);
}

static void
acknowledged(enum notifyout_kind kind, struct buf *out)
{
	if (kind == NOTIFYOUT_SOA)
		buf_str(out, "acknowledged; it will ask its primary for the serial");
	else
		buf_str(out,
		    "acknowledged; this does not prove that it transfers: NSD and PowerDNS "
		    "answer so and take it for NOTIFY(SOA)");
}

static void
zone_data(bool tcp, struct buf *out)
{
	buf_str(out, "took it for a query and sends the zone (PowerDNS over TCP does): it will not "
		     "transfer");
	if (tcp)
		buf_str(out, "; over UDP it would answer as it does to NOTIFY(SOA)");
}

void
answer_meaning(
    const struct answer *a, enum notifyout_kind kind, bool tcp, const char *zone, struct buf *out)
{
	switch (a->kind) {
	case ANSWER_NONE:
		buf_str(out, tcp ? "it did not answer in time"
				 : "does it run, and do firewalls let UDP through both ways? many "
				   "servers do not answer hosts they do not know");
		break;
	case ANSWER_ACKNOWLEDGED:
		acknowledged(kind, out);
		break;
	case ANSWER_UNSUPPORTED:
		unsupported(kind, zone, out);
		break;
	case ANSWER_REFUSED:
		buf_str(out, refused(a->rcode));
		break;
	case ANSWER_FAILED:
		buf_str(out, "it could not take it; its log says why");
		break;
	case ANSWER_ZONE_DATA:
		zone_data(tcp, out);
		break;
	case ANSWER_ODD:
	case ANSWER_UNREACHABLE:
	case ANSWER_UNPROVED:
	case ANSWER_KIND_COUNT:
		buf_str(out, a->text);
		break;
	}
	if (a->has_ede)
		buf_fmt(out, "; it says EDE %u%s%s", a->ede, *a->ede_text != '\0' ? ": " : "",
		    a->ede_text);
}
