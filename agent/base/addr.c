/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/addr.h"

#include "base/parse.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}; /* ::ffff:0:0/96 */

static void
set_v4(struct zr_addr *a, const void *ip)
{
	a->family = 4;
	memcpy(a->ip, ip, 4);
}

static void
set_v6(struct zr_addr *a, const void *ip, uint32_t scope)
{
	if (memcmp(ip, mapped, sizeof(mapped)) == 0) {
		set_v4(a, (const uint8_t *)ip + sizeof(mapped));
		return;
	}
	a->family = 6;
	a->scope = scope;
	memcpy(a->ip, ip, 16);
}

static bool
parse_scope(const char *text, uint32_t *scope)
{
	uint64_t n;

	*scope = if_nametoindex(text);
	if (*scope == 0 && parse_u64(text, &n) && n <= UINT32_MAX)
		*scope = (uint32_t)n;
	return *scope != 0;
}

bool
addr_parse_ip(const char *text, struct zr_addr *out)
{
	char ip[INET6_ADDRSTRLEN + 1 + IF_NAMESIZE];
	size_t len = strlen(text);
	uint32_t scope = 0;
	uint8_t raw[16];
	char *percent;

	if (len >= sizeof(ip))
		return false;
	memcpy(ip, text, len + 1);
	memset(out, 0, sizeof(*out)); /* the padding too: some hash the octets */
	if (inet_pton(AF_INET, ip, raw) == 1) {
		set_v4(out, raw);
		return true;
	}
	percent = strchr(ip, '%');
	if (percent != NULL) {
		*percent = '\0';
		if (!parse_scope(percent + 1, &scope))
			return false;
	}
	if (inet_pton(AF_INET6, ip, raw) != 1)
		return false;
	set_v6(out, raw, scope);
	return true;
}

bool
addr_parse(const char *text, uint16_t default_port, struct zr_addr *out)
{
	const char *at = strrchr(text, '@');
	size_t len = at != NULL ? (size_t)(at - text) : strlen(text);
	uint64_t port = default_port;
	char ip[ADDR_TEXT_MAX];

	if (len >= sizeof(ip) || (at != NULL && !parse_u64(at + 1, &port)) || port == 0 ||
	    port > UINT16_MAX)
		return false;
	memcpy(ip, text, len);
	ip[len] = '\0';
	if (!addr_parse_ip(ip, out))
		return false;
	out->port = (uint16_t)port;
	return true;
}

static unsigned
family_bits(const struct zr_addr *a)
{
	return a->family == 4 ? 32 : 128;
}

/* Whether the first `bits` bits agree. */
static bool
same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned rest = bits % 8;

	if (memcmp(a, b, bits / 8) != 0)
		return false;
	return rest == 0 || ((a[bits / 8] ^ b[bits / 8]) & (0xff00 >> rest & 0xff)) == 0;
}

/* Keeps the first `bits` bits. */
static void
mask(uint8_t ip[16], unsigned bits)
{
	for (unsigned i = 0; i < 16; i++, bits -= bits < 8 ? bits : 8)
		if (bits < 8)
			ip[i] &= (uint8_t)(0xff00 >> bits);
}

bool
prefix_parse(const char *text, struct zr_prefix *out)
{
	const char *slash = strchr(text, '/');
	size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
	struct zr_addr net;
	char ip[ADDR_TEXT_MAX];
	uint64_t bits;

	if (len >= sizeof(ip))
		return false;
	memcpy(ip, text, len);
	ip[len] = '\0';
	memset(out, 0, sizeof(*out));
	if (!addr_parse_ip(ip, &out->addr))
		return false;
	bits = family_bits(&out->addr);
	if (slash != NULL && !parse_u64(slash + 1, &bits))
		return false;
	/* "::ffff:192.0.2.0/120" has become an IPv4 address: so do its bits. */
	if (slash != NULL && out->addr.family == 4 && strchr(ip, ':') != NULL) {
		if (bits < 96)
			return false;
		bits -= 96;
	}
	if (bits > family_bits(&out->addr))
		return false;
	out->bits = (uint8_t)bits;
	net = out->addr;
	mask(net.ip, out->bits);
	return addr_ip_equal(&net, &out->addr); /* bits behind the prefix: a slip */
}

const char *
addr_ip_text(const struct zr_addr *a, char out[ADDR_TEXT_MAX])
{
	char name[IF_NAMESIZE];
	size_t len;

	if (a->family == 0 ||
	    inet_ntop(a->family == 4 ? AF_INET : AF_INET6, a->ip, out, ADDR_TEXT_MAX) == NULL) {
		snprintf(out, ADDR_TEXT_MAX, "-");
		return out;
	}
	if (a->scope == 0)
		return out;
	len = strlen(out);
	if (if_indextoname(a->scope, name) != NULL)
		snprintf(out + len, ADDR_TEXT_MAX - len, "%%%s", name);
	else
		snprintf(out + len, ADDR_TEXT_MAX - len, "%%%u", a->scope);
	return out;
}

const char *
addr_text(const struct zr_addr *a, char out[ADDR_TEXT_MAX])
{
	size_t len = strlen(addr_ip_text(a, out));

	if (a->port != 0)
		snprintf(out + len, ADDR_TEXT_MAX - len, "@%u", a->port);
	return out;
}

const char *
prefix_text(const struct zr_prefix *p, char out[ADDR_TEXT_MAX])
{
	size_t len = strlen(addr_ip_text(&p->addr, out));

	if (p->bits != family_bits(&p->addr))
		snprintf(out + len, ADDR_TEXT_MAX - len, "/%u", p->bits);
	return out;
}

bool
addr_from_sockaddr(const struct sockaddr *sa, struct zr_addr *out)
{
	struct sockaddr_in6 v6;
	struct sockaddr_in v4;

	memset(out, 0, sizeof(*out));
	switch (sa->sa_family) {
	case AF_INET:
		memcpy(&v4, sa, sizeof(v4));
		set_v4(out, &v4.sin_addr);
		out->port = ntohs(v4.sin_port);
		return true;
	case AF_INET6:
		memcpy(&v6, sa, sizeof(v6));
		set_v6(out, &v6.sin6_addr, v6.sin6_scope_id);
		out->port = ntohs(v6.sin6_port);
		return true;
	default:
		return false;
	}
}

unsigned
addr_to_sockaddr(const struct zr_addr *a, struct sockaddr_storage *out)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	struct sockaddr_in v4 = {.sin_family = AF_INET};

	memset(out, 0, sizeof(*out));
	if (a->family == 4) {
		v4.sin_port = htons(a->port);
		memcpy(&v4.sin_addr, a->ip, 4);
		memcpy(out, &v4, sizeof(v4));
		return sizeof(v4);
	}
	v6.sin6_port = htons(a->port);
	v6.sin6_scope_id = a->scope;
	memcpy(&v6.sin6_addr, a->ip, 16);
	memcpy(out, &v6, sizeof(v6));
	return sizeof(v6);
}

bool
addr_ip_equal(const struct zr_addr *a, const struct zr_addr *b)
{
	return a->family == b->family && a->scope == b->scope &&
	       memcmp(a->ip, b->ip, a->family == 4 ? 4 : 16) == 0;
}

bool
addr_equal(const struct zr_addr *a, const struct zr_addr *b)
{
	return a->port == b->port && addr_ip_equal(a, b);
}

bool
prefix_match(const struct zr_prefix *p, const struct zr_addr *a)
{
	return p->addr.family == a->family && (p->addr.scope == 0 || p->addr.scope == a->scope) &&
	       same_bits(p->addr.ip, a->ip, p->bits);
}

bool
addr_is_any(const struct zr_addr *a)
{
	static const uint8_t zero[16];

	return a->family != 0 && memcmp(a->ip, zero, a->family == 4 ? 4 : 16) == 0;
}

struct zr_addr
addr_client(const struct zr_addr *a)
{
	struct zr_addr c = *a;

	c.port = 0;
	if (c.family == 6)
		mask(c.ip, 64);
	return c;
}
