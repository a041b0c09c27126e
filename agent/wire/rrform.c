/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/rrform.h"

#include "wire/name.h"

#include <arpa/inet.h>
#include <string.h>

/*
 * b h w: a number of 8, 16, 32 bits; n a name; 4 6 an address; s a character-string; S one or
 * more of them up to the end; q the rest as one string; x the rest in hex; t the tag of a CAA.
 */
static const struct {
	uint16_t type;
	const char *form;
} forms[] = {
    {TYPE_A, "4"}, {TYPE_NS, "n"}, {28, "6"},		 /* AAAA */
    {43, "hbbx"},					 /* DS */
    {TYPE_CNAME, "n"}, {TYPE_SOA, "nnwwwww"}, {12, "n"}, /* PTR */
    {13, "ss"},						 /* HINFO */
    {15, "hn"},						 /* MX */
    {16, "S"},						 /* TXT */
    {17, "nn"},						 /* RP */
    {18, "hn"},						 /* AFSDB */
    {33, "hhhn"},					 /* SRV */
    {35, "hhsssn"},					 /* NAPTR */
    {36, "hn"},						 /* KX */
    {39, "n"},						 /* DNAME */
    {44, "bbx"},					 /* SSHFP */
    {52, "bbbx"},					 /* TLSA */
    {53, "bbbx"},					 /* SMIMEA */
    {59, "hbbx"},					 /* CDS */
    {63, "wbbx"},					 /* ZONEMD */
    {99, "S"},						 /* SPF */
    {256, "hhq"},					 /* URI */
    {257, "btq"},					 /* CAA */
};

#define REST_TEXT_MAX 255 /* octets of 'q' that are sure to fit every reader's idea of a token */

static const char *
form_of(uint16_t type)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (forms[i].type == type)
			return forms[i].form;
	}
	return NULL;
}

static void
quoted(struct buf *out, const uint8_t *p, size_t n)
{
	buf_u8(out, '"');
	for (size_t i = 0; i < n; i++) {
		if (p[i] < 0x20 || p[i] > 0x7e) {
			buf_fmt(out, "\\%03u", p[i]);
			continue;
		}
		if (p[i] == '"' || p[i] == '\\')
			buf_u8(out, '\\');
		buf_u8(out, p[i]);
	}
	buf_u8(out, '"');
}

static bool
strings(struct rd *r, struct buf *out, bool all)
{
	const uint8_t *p;
	uint8_t n;

	do {
		n = rd_u8(r);
		p = rd_bytes(r, n);
		if (p == NULL)
			return false;
		quoted(out, p, n);
		if (all && rd_left(r) > 0)
			buf_u8(out, ' ');
	} while (all && rd_left(r) > 0);
	return true;
}

static bool
name(struct rd *r, struct buf *out)
{
	char text[NAME_TEXT_MAX];
	size_t n = name_check(r->p + r->pos, rd_left(r));

	if (n == 0)
		return false;
	buf_str(out, name_text(rd_bytes(r, n), text));
	return true;
}

static bool
address(struct rd *r, struct buf *out, int family)
{
	char text[INET6_ADDRSTRLEN];
	const uint8_t *p = rd_bytes(r, family == AF_INET ? 4 : 16);

	if (p == NULL || inet_ntop(family, p, text, sizeof(text)) == NULL)
		return false;
	buf_str(out, text);
	return true;
}

/* RFC 8659 section 4.1: letters and digits. */
static bool
tag(struct rd *r, struct buf *out)
{
	size_t n = rd_u8(r);
	const uint8_t *p = rd_bytes(r, n);

	if (p == NULL || n == 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!(p[i] >= '0' && p[i] <= '9') && !((p[i] | 32) >= 'a' && (p[i] | 32) <= 'z'))
			return false;
	}
	buf_bytes(out, p, n);
	return true;
}

void
rr_hex(const uint8_t *p, size_t n, struct buf *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		buf_u8(out, (uint8_t)digits[p[i] >> 4]);
		buf_u8(out, (uint8_t)digits[p[i] & 15]);
	}
}

static bool
hex(struct rd *r, struct buf *out)
{
	size_t n = rd_left(r);

	if (n == 0)
		return false; /* nothing is no token */
	rr_hex(rd_bytes(r, n), n, out);
	return true;
}

static bool
rest(struct rd *r, struct buf *out)
{
	size_t n = rd_left(r);

	if (n > REST_TEXT_MAX)
		return false;
	quoted(out, rd_bytes(r, n), n);
	return true;
}

static bool
field(char kind, struct rd *r, struct buf *out)
{
	switch (kind) {
	case 'b':
		buf_fmt(out, "%u", rd_u8(r));
		return true;
	case 'h':
		buf_fmt(out, "%u", rd_u16(r));
		return true;
	case 'w':
		buf_fmt(out, "%u", rd_u32(r));
		return true;
	case 'n':
		return name(r, out);
	case '4':
		return address(r, out, AF_INET);
	case '6':
		return address(r, out, AF_INET6);
	case 's':
		return strings(r, out, false);
	case 'S':
		return strings(r, out, true);
	case 'q':
		return rest(r, out);
	case 't':
		return tag(r, out);
	default:
		return hex(r, out);
	}
}

bool
rr_form(const struct rr *rr, struct buf *out)
{
	const char *form = form_of(rr->type);
	struct rd r;

	if (form == NULL)
		return false;
	rd_init(&r, rr->rdata, rr->rdlen);
	for (const char *f = form; *f != '\0'; f++) {
		if (f != form)
			buf_u8(out, ' ');
		if (!field(*f, &r, out))
			return false;
	}
	return !r.bad && rd_left(&r) == 0;
}
