/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/edns.h"

#include "base/buf.h"
#include "wire/cookie.h"

#define UDP_SIZE_MIN 512 /* RFC 6891 section 6.2.3 */
#define OPTION_FIXED 4	 /* code and length */
#define EXPIRE_LEN 4
#define KEEPALIVE_LEN 2
#define EDE_LEN_MIN 2
#define TTL_DO 0x8000

/* RFC 7314: empty in a query, four octets in a response; else see E-11. */
static bool
option_expire(struct edns *o, const uint8_t *p, uint16_t len, bool response)
{
	if (len != (response ? EXPIRE_LEN : 0))
		return false;
	o->has_expire = true;
	if (response) {
		o->expire = get_u32(p);
		o->expire_valid = true;
	}
	return true;
}

/*
 * RFC 7828 section 3.1: empty or two octets; only a response may carry a value.  Over UDP it must
 * be ignored whatever it holds (section 3.2.1), and the transport is not known here.
 */
static bool
option_keepalive(struct edns *o, const uint8_t *p, uint16_t len, bool response)
{
	if (len != 0 && len != KEEPALIVE_LEN) {
		o->keepalive_malformed = true;
		return true;
	}
	o->has_keepalive = true;
	if (response && len == KEEPALIVE_LEN) {
		o->keepalive = get_u16(p);
		o->keepalive_valid = true;
	}
	return true;
}

static bool
option_ede(struct edns *o, const uint8_t *p, uint16_t len)
{
	if (len < EDE_LEN_MIN)
		return false;
	if (o->has_ede)
		return true; /* several are legal, the first one is reported */
	o->has_ede = true;
	o->ede = get_u16(p);
	o->ede_text = p + EDE_LEN_MIN;
	o->ede_text_len = (uint16_t)(len - EDE_LEN_MIN);
	return true;
}

/* RFC 7873 section 5.2: what stands behind the first one is ignored. */
static bool
option_cookie(struct edns *o, const uint8_t *p, uint16_t len)
{
	if (o->cookie_len != 0 || o->cookie_malformed)
		return true;
	if (!cookie_len_ok(len)) {
		o->cookie_malformed = true;
		return false;
	}
	o->cookie = p;
	o->cookie_len = (uint8_t)len;
	return true;
}

static bool
option(struct edns *o, uint16_t code, const uint8_t *p, uint16_t len, bool response)
{
	switch (code) {
	case OPT_EXPIRE:
		return option_expire(o, p, len, response);
	case OPT_COOKIE:
		return option_cookie(o, p, len);
	case OPT_KEEPALIVE:
		return option_keepalive(o, p, len, response);
	case OPT_EDE:
		return option_ede(o, p, len);
	case OPT_PADDING:
		o->has_padding = true; /* whatever it holds (PD-01) */
		return true;
	default:
		return true; /* ED-03 */
	}
}

void
edns_parse(struct edns *o, const uint8_t *fixed, bool response)
{
	uint32_t ttl = get_u32(fixed + 4);
	const uint8_t *p = fixed + 10;
	size_t left = get_u16(fixed + 8), len;

	o->present = true;
	o->udp_size = get_u16(fixed + 2);
	if (o->udp_size < UDP_SIZE_MIN)
		o->udp_size = UDP_SIZE_MIN;
	o->ext_rcode = (uint8_t)(ttl >> 24);
	o->version = (uint8_t)(ttl >> 16);
	o->do_bit = (ttl & TTL_DO) != 0;
	if (o->version != 0)
		return;
	while (left > 0) {
		if (left < OPTION_FIXED || get_u16(p + 2) > left - OPTION_FIXED) {
			o->malformed = true;
			return;
		}
		len = get_u16(p + 2);
		/* A response with an odd option is not worth losing: the option is ignored. */
		if (!option(o, get_u16(p), p + OPTION_FIXED, (uint16_t)len, response) && !response)
			o->malformed = true;
		p += OPTION_FIXED + len;
		left -= OPTION_FIXED + len;
	}
}
