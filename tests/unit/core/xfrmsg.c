/* SPDX-License-Identifier: BSD-2-Clause */
#include "xfrmsg.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/msg.h"
#include "wire/name.h"

#define WORD_MAX 600
#define NS_TEXT "ns1."

const uint8_t *
xfrmsg_zone(uint8_t out[255])
{
	name_from_text(XFRMSG_ZONE, out);
	return out;
}

static void
die(const char *what, const char *word)
{
	fprintf(stderr, "xfrmsg: %s: %s\n", what, word);
	abort();
}

static void
put_name(struct buf *b, const char *text, bool upper)
{
	uint8_t name[NAME_MAX_LEN];
	char up[WORD_MAX];
	size_t n;

	snprintf(up, sizeof(up), "%s", text);
	for (char *p = up; upper && *p != '\0'; p++)
		*p = *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p;
	n = name_from_text(up, name);
	if (n == 0)
		die("bad name", text);
	buf_bytes(b, name, n);
}

/* "" is the apex, "www" is below it, "www.other." stands as it is. */
static void
put_owner(struct buf *b, const char *text, bool upper)
{
	char full[WORD_MAX];

	if (*text != '\0' && text[strlen(text) - 1] == '.')
		snprintf(full, sizeof(full), "%s", text);
	else
		snprintf(full, sizeof(full), "%s%s" XFRMSG_ZONE, text, *text == '\0' ? "" : ".");
	put_name(b, full, upper);
}

static void
put_fixed(struct buf *b, uint16_t type, uint16_t class, uint32_t ttl)
{
	buf_u16(b, type);
	buf_u16(b, class);
	buf_u32(b, ttl);
}

static void
put_soa_rdata(struct buf *b, uint32_t serial, const char *mname, const char *rname, bool upper)
{
	size_t at = b->len;
	char full[WORD_MAX];

	buf_u16(b, 0);
	snprintf(full, sizeof(full), "%s." XFRMSG_ZONE, mname);
	put_name(b, full, upper);
	snprintf(full, sizeof(full), "%s." XFRMSG_ZONE, rname);
	put_name(b, full, upper);
	buf_u32(b, serial);
	buf_u32(b, 3600);
	buf_u32(b, 600);
	buf_u32(b, 86400);
	buf_u32(b, 300);
	buf_put_u16(b, at, (uint16_t)(b->len - at - 2));
}

static void
put_hex(struct buf *b, const char *hex)
{
	size_t n = strlen(hex) / 2;

	buf_u16(b, (uint16_t)n);
	for (size_t i = 0; i < n; i++) {
		unsigned v;

		if (sscanf(hex + 2 * i, "%2x", &v) != 1)
			die("bad hex", hex);
		buf_u8(b, (uint8_t)v);
	}
}

static void
put_a(struct buf *b, unsigned last)
{
	buf_u16(b, 4);
	buf_u32(b, 0xc0000200 + last);
}

bool
xfrmsg_record(struct buf *b, const char *word)
{
	char w[WORD_MAX], *owner, *value;
	unsigned type;

	snprintf(w, sizeof(w), "%s", word);
	value = strchr(w, '=');
	if (value != NULL)
		*value++ = '\0';
	owner = strchr(w, '@');
	if (owner != NULL)
		*owner++ = '\0';
	else
		owner = w + strlen(w);
	if (strcasecmp(w, "soa") == 0 && value != NULL) {
		char *slash = strchr(value, '/'), *at = strchr(value, '@'), *rname = NULL;
		bool upper = w[0] == 'S';

		if (slash != NULL)
			*slash++ = '\0';
		if (slash != NULL && (rname = strchr(slash, '/')) != NULL)
			*rname++ = '\0';
		if (at != NULL)
			*at++ = '\0';
		put_owner(b, at != NULL ? at : owner, upper);
		put_fixed(b, TYPE_SOA, CLASS_IN, 3600);
		put_soa_rdata(b, (uint32_t)strtoul(value, NULL, 10), slash ? slash : "ns1",
		    rname != NULL ? rname : "root", upper);
	} else if (strcasecmp(w, "a") == 0 && value != NULL) {
		put_owner(b, owner, w[0] == 'A');
		put_fixed(b, TYPE_A, CLASS_IN, 300);
		put_a(b, (unsigned)atoi(value));
	} else if (strcmp(w, "ttl") == 0 && value != NULL) {
		put_owner(b, owner, false);
		put_fixed(b, TYPE_A, CLASS_IN, (uint32_t)strtoul(value, NULL, 10));
		put_a(b, 1);
	} else if (strcasecmp(w, "ns") == 0) {
		put_owner(b, owner, w[0] == 'N');
		put_fixed(b, TYPE_NS, CLASS_IN, 3600);
		buf_u16(b, (uint16_t)(name_len((const uint8_t *)"\3ns1\7example\3org")));
		put_name(b, NS_TEXT XFRMSG_ZONE, false);
	} else if (strcmp(w, "ch") == 0) {
		put_owner(b, owner, false);
		put_fixed(b, TYPE_A, 3, 300);
		put_a(b, 1);
	} else if (sscanf(w, "t%u", &type) == 1 && value != NULL) {
		put_owner(b, owner, false);
		put_fixed(b, (uint16_t)type, CLASS_IN, 300);
		put_hex(b, value);
	} else {
		return false;
	}
	return true;
}

struct build {
	struct buf *b;
	size_t start;
	struct buf rrs;
	struct buf options;
	unsigned id, flags, qdcount, ancount, nscount, count_shift;
	unsigned qtype, qclass, ext_rcode, version, udp_size;
	unsigned opts;
	bool in_authority, tsig;
	char qname[WORD_MAX];
};

static void
option(struct build *m, uint16_t code, uint16_t len, uint32_t value)
{
	m->opts = 1;
	buf_u16(&m->options, code);
	buf_u16(&m->options, len);
	if (len == 4)
		buf_u32(&m->options, value);
	else if (len == 2)
		buf_u16(&m->options, (uint16_t)value);
	else
		for (uint16_t i = 0; i < len; i++)
			buf_u8(&m->options, 0);
}

static void
flag(struct build *m, const char *w)
{
	const char *eq = strchr(w, '=');
	unsigned v = eq != NULL ? (unsigned)strtoul(eq + 1, NULL, 10) : 0;
	size_t n = eq != NULL ? (size_t)(eq - w) : strlen(w);

#define IS(s) (n == sizeof(s) - 1 && strncmp(w, (s), n) == 0)
	if (IS("rcode"))
		m->flags = (m->flags & ~15u) | v;
	else if (IS("tc"))
		m->flags |= FLAG_TC;
	else if (IS("aa"))
		m->flags = v ? m->flags | FLAG_AA : m->flags & ~(unsigned)FLAG_AA;
	else if (IS("ra"))
		m->flags |= FLAG_RA | FLAG_AD | FLAG_CD;
	else if (IS("query"))
		m->flags &= ~(unsigned)FLAG_QR;
	else if (IS("opcode"))
		m->flags |= v << 11;
	else if (IS("id"))
		m->id = v;
	else if (IS("noq"))
		m->qdcount = 0;
	else if (IS("twoq"))
		m->qdcount = 2;
	else if (IS("q"))
		snprintf(m->qname, sizeof(m->qname), "%s", eq + 1);
	else if (IS("qtype"))
		m->qtype = v;
	else if (IS("qclass"))
		m->qclass = v;
	else if (IS("ns"))
		m->nscount = v;
	else if (IS("opt"))
		m->opts = 1;
	else if (IS("opts"))
		m->opts = v;
	else if (IS("version"))
		m->opts = 1, m->version = v;
	else if (IS("udp"))
		m->opts = 1, m->udp_size = v;
	else if (IS("tsig"))
		m->tsig = true;
	else if (IS("askexpire"))
		option(m, OPT_EXPIRE, 0, 0);
	else if (IS("askkeepalive"))
		option(m, OPT_KEEPALIVE, 0, 0);
	else if (IS("oddkeepalive"))
		option(m, OPT_KEEPALIVE, 1, 0);
	else if (IS("expire"))
		option(m, OPT_EXPIRE, 4, v);
	else if (IS("keepalive"))
		option(m, OPT_KEEPALIVE, 2, v);
	else if (IS("padding"))
		option(m, OPT_PADDING, (uint16_t)(v == 2 || v == 4 ? v + 1 : v), 0);
	else if (IS("ede"))
		option(m, OPT_EDE, 2, v);
	else if (IS("extrcode"))
		m->opts = 1, m->ext_rcode = v;
	else if (IS("count"))
		m->count_shift = v;
	else
		die("unknown flag", w);
#undef IS
}

static void
assemble(struct build *m)
{
	struct buf *b = m->b;

	buf_u16(b, (uint16_t)m->id);
	buf_u16(b, (uint16_t)m->flags);
	buf_u16(b, (uint16_t)m->qdcount);
	buf_u16(b, (uint16_t)(m->ancount + m->count_shift));
	buf_u16(b, (uint16_t)m->nscount);
	buf_u16(b, (uint16_t)(m->opts + m->tsig));
	for (unsigned i = 0; i < m->qdcount; i++) {
		put_name(b, m->qname, false);
		buf_u16(b, (uint16_t)m->qtype);
		buf_u16(b, (uint16_t)m->qclass);
	}
	buf_bytes(b, m->rrs.data, m->rrs.len);
	for (unsigned i = 0; i < m->nscount && !m->in_authority; i++)
		xfrmsg_record(b, "soa=1");
	for (unsigned i = 0; i < m->opts; i++) {
		buf_u8(b, 0);
		buf_u16(b, TYPE_OPT);
		buf_u16(b, (uint16_t)m->udp_size);
		buf_u8(b, (uint8_t)m->ext_rcode);
		buf_u8(b, (uint8_t)m->version);
		buf_u16(b, 0);
		buf_u16(b, (uint16_t)m->options.len);
		buf_bytes(b, m->options.data, m->options.len);
	}
	if (m->tsig) {
		put_name(b, "key.", false);
		put_fixed(b, TYPE_TSIG, CLASS_ANY, 0);
		put_hex(b, "00");
	}
}

void
xfrmsg_build(struct buf *b, const char *text, uint16_t qtype)
{
	struct build m = {.b = b,
	    .id = XFRMSG_ID,
	    .flags = FLAG_QR | FLAG_AA,
	    .qdcount = 1,
	    .qtype = qtype,
	    .qclass = CLASS_IN,
	    .udp_size = 1232,
	    .qname = XFRMSG_ZONE};
	char copy[8192], *save = NULL;

	if (strlen(text) >= sizeof(copy))
		die("too long", text);
	snprintf(copy, sizeof(copy), "%s", text);
	for (char *w = strtok_r(copy, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save)) {
		if (*w == '!')
			flag(&m, w + 1);
		else if (strcmp(w, "--") == 0)
			m.in_authority = true;
		else if (xfrmsg_record(&m.rrs, w))
			*(m.in_authority ? &m.nscount : &m.ancount) += 1;
		else
			die("unknown word", w);
	}
	assemble(&m);
	buf_clear(&m.rrs);
	buf_clear(&m.options);
	if (b->bad)
		die("out of memory", text);
}

static int
say(struct xfrmsg_sink *s, const char *prefix, const struct rr *rr, bool short_soa,
    struct zr_err *e)
{
	char name[NAME_TEXT_MAX];
	size_t n;
	struct soa soa;
	bool is_soa = rr_soa(rr, &soa);

	if (++s->calls == s->fail_at)
		return zr_fail(e, s->fail_code, "the test said so");
	if (s->text.len > 0)
		buf_u8(&s->text, ' ');
	buf_str(&s->text, prefix);
	if (short_soa) {
		buf_fmt(&s->text, "%" PRIu32, soa.serial);
		return 0;
	}
	name_show(rr->owner, name);
	n = strlen(name);
	if (n >= strlen("example.org") &&
	    strcasecmp(name + n - strlen("example.org"), "example.org") == 0) {
		n -= strlen("example.org");
		name[n > 0 ? n - 1 : 0] = '\0';
	}
	if (is_soa)
		buf_fmt(&s->text, "soa%s%s=%" PRIu32, *name ? "@" : "", name, soa.serial);
	else if (rr->type == TYPE_NS)
		buf_fmt(&s->text, "ns%s%s", *name ? "@" : "", name);
	else if (rr->type == TYPE_A && rr->rdlen == 4 && rr->ttl == 300)
		buf_fmt(&s->text, "a@%s=%u", name, rr->rdata[3]);
	else if (rr->type == TYPE_A && rr->rdlen == 4)
		buf_fmt(&s->text, "ttl@%s=%" PRIu32, name, rr->ttl);
	else {
		buf_fmt(&s->text, "t%u@%s=", rr->type, name);
		for (unsigned i = 0; i < rr->rdlen; i++)
			buf_fmt(&s->text, "%02x", rr->rdata[i]);
	}
	return 0;
}

static int
on_full(void *arg, const struct rr *rr, struct zr_err *e)
{
	return say(arg, "full=", rr, true, e);
}

static int
on_record(void *arg, const struct rr *rr, struct zr_err *e)
{
	return say(arg, "", rr, false, e);
}

static int
on_diff(void *arg, const struct rr *rr, struct zr_err *e)
{
	return say(arg, "diff=", rr, true, e);
}

static int
on_old(void *arg, const struct rr *rr, struct zr_err *e)
{
	return say(arg, "old=", rr, true, e);
}

static int
on_del(void *arg, const struct rr *rr, struct zr_err *e)
{
	return say(arg, "-", rr, false, e);
}

static int
on_new(void *arg, const struct rr *rr, struct zr_err *e)
{
	return say(arg, "new=", rr, true, e);
}

static int
on_add(void *arg, const struct rr *rr, struct zr_err *e)
{
	return say(arg, "+", rr, false, e);
}

const struct xfrin_ops xfrmsg_ops = {
    .full = on_full,
    .record = on_record,
    .diff = on_diff,
    .step_old = on_old,
    .del = on_del,
    .step_new = on_new,
    .add = on_add,
};
