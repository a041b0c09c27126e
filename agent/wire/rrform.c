/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/rrform.h"

#include "wire/name.h"

#include <arpa/inet.h>
#include <string.h>
#include <time.h>

/*
 * The letters of a form, each one field: b h w a number of 8, 16, 32 bits; H one of 16 that is
 * not 0; n a name; 4 6 an address; s a character-string; S one or more of them up to the end; q
 * the rest as one string; x the rest in hex; B the rest in base64; t the tag of a CAA; e E an EUI
 * of 6 or 8 octets; T a type; d a date; z a salt and k a hash of NSEC3; m M types as a
 * bitmap, which may be empty in NSEC3 only.
 */

#define REST_TEXT_MAX 255 /* octets of 'q' that are sure to fit every reader's idea of a token */

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

	/* ldns takes any name in RDATA that begins with an at-sign, escaped or not, for the origin.
	 */
	if (n == 0 || (n > 1 && r->p[r->pos + 1] == '@'))
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

/* RFC 7043 */
static bool
eui(struct rd *r, struct buf *out, size_t n)
{
	const uint8_t *p = rd_bytes(r, n);

	if (p == NULL)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_u8(out, '-');
		rr_hex(p + i, 1, out);
	}
	return true;
}

/* `bits` to a character, as many characters as are needed; RFC 4648. */
static void
base_n(const uint8_t *p, size_t n, unsigned bits, const char *digits, struct buf *out)
{
	unsigned have = 0, mask = (1u << bits) - 1;
	uint32_t acc = 0;

	for (size_t i = 0; i < n; i++) {
		acc = acc << 8 | p[i];
		for (have += 8; have >= bits; have -= bits)
			buf_u8(out, (uint8_t)digits[acc >> (have - bits) & mask]);
	}
	if (have > 0)
		buf_u8(out, (uint8_t)digits[acc << (bits - have) & mask]);
}

static bool
base64(struct rd *r, struct buf *out)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t n = rd_left(r);

	if (n == 0)
		return false;
	base_n(rd_bytes(r, n), n, 6, digits, out);
	for (; n % 3 != 0; n++)
		buf_u8(out, '=');
	return true;
}

static bool
salt(struct rd *r, struct buf *out)
{
	size_t n = rd_u8(r);
	const uint8_t *p = rd_bytes(r, n);

	if (p == NULL)
		return false;
	if (n == 0)
		buf_u8(out, '-');
	rr_hex(p, n, out);
	return true;
}

/* RFC 5155 section 3.3: base32 with the extended hex alphabet, no padding. */
static bool
hash(struct rd *r, struct buf *out)
{
	size_t n = rd_u8(r);
	const uint8_t *p = rd_bytes(r, n);

	if (p == NULL || n == 0 || n % 5 != 0) /* without padding, groups must be whole */
		return false;
	base_n(p, n, 5, "0123456789abcdefghijklmnopqrstuv", out);
	return true;
}

/* RFC 4034 section 3.2: YYYYMMDDHHmmSS. */
static bool
date(struct rd *r, struct buf *out)
{
	time_t t = (time_t)rd_u32(r);
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL)
		return false;
	buf_fmt(out, "%04d%02d%02d%02d%02d%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
	    tm.tm_hour, tm.tm_min, tm.tm_sec);
	return true;
}

static void
type_name(uint16_t type, struct buf *out)
{
	char text[16];

	/* Readers differ in which names of query types they take. */
	if (rr_type_is_meta(type))
		buf_fmt(out, "TYPE%u", type);
	else
		buf_str(out, rr_type_text(type, text));
}

/*
 * RFC 4034 section 4.1.2.  The text is a set, so only the one bitmap a reader would make of it may
 * become text: windows ascending, none empty, no zero octet at an end.
 */
static bool
bitmap(struct rd *r, struct buf *out)
{
	int last = -1;
	const uint8_t *p;
	uint8_t window, n;

	while (rd_left(r) > 0) {
		window = rd_u8(r);
		n = rd_u8(r);
		p = rd_bytes(r, n);
		if (p == NULL || n == 0 || n > 32 || p[n - 1] == 0 || window <= last)
			return false;
		last = window;
		for (unsigned i = 0; i < n * 8u; i++) {
			if ((p[i / 8] & 0x80 >> i % 8) == 0)
				continue;
			buf_u8(out, ' ');
			type_name((uint16_t)(window << 8 | i), out);
		}
	}
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
	unsigned n;

	switch (kind) {
	case 'b':
		buf_fmt(out, "%u", rd_u8(r));
		return true;
	case 'h':
		buf_fmt(out, "%u", rd_u16(r));
		return true;
	case 'H': /* ldns does not read a CERT of type 0 */
		n = rd_u16(r);
		buf_fmt(out, "%u", n);
		return n != 0;
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
	case 'T':
		type_name(rd_u16(r), out);
		return true;
	case 'd':
		return date(r, out);
	case 'z':
		return salt(r, out);
	case 'k':
		return hash(r, out);
	case 'm':
		return rd_left(r) > 0 && bitmap(r, out);
	case 'M':
		return bitmap(r, out);
	case 'B':
		return base64(r, out);
	case 'e':
		return eui(r, out, 6);
	case 'E':
		return eui(r, out, 8);
	default:
		return hex(r, out);
	}
}

bool
rr_form(const struct rr *rr, const char *form, struct buf *out)
{
	struct rd r;

	rd_init(&r, rr->rdata, rr->rdlen);
	for (const char *f = form; *f != '\0'; f++) {
		if (f != form && *f != 'm' && *f != 'M') /* each type brings a space */
			buf_u8(out, ' ');
		if (!field(*f, &r, out))
			return false;
	}
	return !r.bad && rd_left(&r) == 0;
}
