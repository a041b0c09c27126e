/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/rr.h"

#include "wire/name.h"

#include <string.h>

#define SOA_NUMBERS 20 /* five numbers of 32 bits behind the two names */

/* 'd': followed on receipt, never compressed when sent (RFC 3597 section 4). */
static const struct rdata_part one_name[] = {{'n', 0}, {0, 0}};
static const struct rdata_part two_names[] = {{'n', 0}, {'n', 0}, {0, 0}};
static const struct rdata_part soa_parts[] = {{'n', 0}, {'n', 0}, {'f', SOA_NUMBERS}, {0, 0}};
static const struct rdata_part mx_parts[] = {{'f', 2}, {'n', 0}, {0, 0}};
static const struct rdata_part rp_parts[] = {{'d', 0}, {'d', 0}, {0, 0}};
static const struct rdata_part pref_parts[] = {{'f', 2}, {'d', 0}, {0, 0}};
static const struct rdata_part sig_parts[] = {{'f', 18}, {'d', 0}, {'*', 0}, {0, 0}};
static const struct rdata_part px_parts[] = {{'f', 2}, {'d', 0}, {'d', 0}, {0, 0}};
static const struct rdata_part nxt_parts[] = {{'d', 0}, {'*', 0}, {0, 0}};
static const struct rdata_part srv_parts[] = {{'f', 6}, {'d', 0}, {0, 0}};
static const struct rdata_part naptr_parts[] = {
    {'f', 4}, {'s', 0}, {'s', 0}, {'s', 0}, {'d', 0}, {0, 0}};

static const struct rdata_part *const layouts[] = {
    [TYPE_NS] = one_name,
    [3] = one_name, /* MD */
    [4] = one_name, /* MF */
    [TYPE_CNAME] = one_name,
    [TYPE_SOA] = soa_parts,
    [7] = one_name,   /* MB */
    [8] = one_name,   /* MG */
    [9] = one_name,   /* MR */
    [12] = one_name,  /* PTR */
    [14] = two_names, /* MINFO */
    [15] = mx_parts,
    [17] = rp_parts,
    [18] = pref_parts, /* AFSDB */
    [21] = pref_parts, /* RT */
    [24] = sig_parts,
    [26] = px_parts,
    [30] = nxt_parts,
    [33] = srv_parts,
    [35] = naptr_parts,
    [36] = pref_parts, /* KX */
};

const struct rdata_part *
rdata_layout(uint16_t type)
{
	return type < sizeof(layouts) / sizeof(layouts[0]) ? layouts[type] : NULL;
}

bool
rr_soa(const struct rr *rr, struct soa *out)
{
	const uint8_t *p = rr->rdata;
	size_t mname, rname;

	if (rr->type != TYPE_SOA)
		return false;
	mname = name_check(p, rr->rdlen);
	rname = mname == 0 ? 0 : name_check(p + mname, rr->rdlen - mname);
	if (rname == 0 || mname + rname + SOA_NUMBERS != rr->rdlen)
		return false;
	p += mname + rname;
	*out = (struct soa){.serial = get_u32(p),
	    .refresh = get_u32(p + 4),
	    .retry = get_u32(p + 8),
	    .expire = get_u32(p + 12),
	    .minimum = get_u32(p + 16),
	    .ttl = rr->ttl};
	return true;
}

/* RFC 6895 section 3.1 gives 128-255 to query and meta types; 0 and OPT stand outside it. */
bool
rr_type_is_meta(uint16_t type)
{
	return type == 0 || type == TYPE_OPT || (type >= 128 && type <= 255);
}

uint16_t
rr_covers(const struct rr *rr)
{
	return rr->type == TYPE_RRSIG && rr->rdlen >= 2 ? get_u16(rr->rdata) : 0;
}

uint8_t
rr_part(const struct rr *rr)
{
	return rr->type == TYPE_NSEC3 || rr_covers(rr) == TYPE_NSEC3;
}

size_t
rr_key_owner(const struct rr *rr, const uint8_t *apex, uint8_t out[RR_KEY_MAX])
{
	out[0] = rr_part(rr);
	return 1 + name_key(rr->owner, apex, out + 1);
}

/* Part and the key of the apex itself, which is the terminator alone. */
#define APEX_KEY_LEN 2

size_t
rr_key_tail(const struct rr *rr, size_t owner_len, uint8_t out[RR_KEY_MAX])
{
	bool apex_soa = rr->type == TYPE_SOA && owner_len == APEX_KEY_LEN;
	size_t at = owner_len, n = rr->rdlen;

	put_u16(out + at, apex_soa ? 0 : rr->type);
	at += 2;
	if (n > RR_KEY_MAX - at)
		n = RR_KEY_MAX - at;
	if (n > 0)
		memcpy(out + at, rr->rdata, n);
	return at + n;
}

size_t
rr_key(const struct rr *rr, const uint8_t *apex, uint8_t out[RR_KEY_MAX], size_t *owner_len)
{
	size_t n = rr_key_owner(rr, apex, out);

	if (owner_len != NULL)
		*owner_len = n;
	return rr_key_tail(rr, n, out);
}

static bool
owners_identical(const struct rr *a, const struct rr *b)
{
	return a->owner_len == b->owner_len &&
	       (a->owner == b->owner || memcmp(a->owner, b->owner, a->owner_len) == 0);
}

static int
order_of_type(const struct rr *rr, const uint8_t *apex)
{
	return rr->type == TYPE_SOA && name_equal(rr->owner, apex) ? 0 : rr->type;
}

static int
rdata_cmp(const struct rr *a, const struct rr *b)
{
	size_t n = a->rdlen < b->rdlen ? a->rdlen : b->rdlen;
	int c = n == 0 ? 0 : memcmp(a->rdata, b->rdata, n);

	return c != 0 ? c : a->rdlen - b->rdlen;
}

int
rr_cmp(const struct rr *a, const struct rr *b, const uint8_t *apex)
{
	int c = rr_part(a) - rr_part(b);

	if (c == 0 && !owners_identical(a, b))
		c = name_cmp(a->owner, b->owner);
	if (c == 0 && a->type != b->type)
		c = order_of_type(a, apex) - order_of_type(b, apex);
	return c != 0 ? c : rdata_cmp(a, b);
}

bool
rr_same(const struct rr *a, const struct rr *b)
{
	return a->type == b->type && a->class == b->class && rdata_cmp(a, b) == 0 &&
	       (owners_identical(a, b) || name_equal(a->owner, b->owner));
}

bool
rr_identical(const struct rr *a, const struct rr *b)
{
	return a->type == b->type && a->class == b->class && a->ttl == b->ttl &&
	       owners_identical(a, b) && rdata_cmp(a, b) == 0;
}
