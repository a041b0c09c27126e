/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Resource records as borrowed views: names uncompressed, case preserved, RDATA
 * exactly as received after decompression (RFC 3597).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define TYPE_A 1
#define TYPE_NS 2
#define TYPE_CNAME 5
#define TYPE_SOA 6
#define TYPE_AAAA 28
#define TYPE_OPT 41
#define TYPE_RRSIG 46
#define TYPE_NSEC3 50
#define TYPE_TSIG 250
#define TYPE_IXFR 251
#define TYPE_AXFR 252
#define TYPE_ANY 255
#define CLASS_IN 1
#define CLASS_ANY 255

struct rr {
	const uint8_t *owner; /* wire name */
	const uint8_t *rdata;
	uint32_t ttl; /* RFC 2181 section 8: top bit set means 0, done on receipt */
	uint16_t type;
	uint16_t class;
	uint16_t rdlen;
	uint8_t owner_len;
};

struct soa {
	uint32_t serial, refresh, retry, expire, minimum;
	uint32_t ttl;
};

/* False when the RDATA is not that of an SOA. */
bool rr_soa(const struct rr *rr, struct soa *out);

/*
 * Where names stand in the RDATA of a type.  For each: whether a pointer may be followed on
 * receipt (RFC 3597 section 4: the RFC 1035 types, and RP AFSDB RT SIG PX NXT NAPTR SRV KX too) and
 * whether it may be compressed when sent (RFC 1035 types only).  Types not listed are
 * opaque.  The layout is a string: a byte count of fixed octets, 'n' a name that may be compressed,
 * 'd' a name to be decompressed only, 's' a character-string, '*' the opaque rest.
 */
struct rdata_part {
	uint8_t kind;  /* 'f' fixed octets, 'n', 'd', 's', '*' ; 0 ends the list */
	uint8_t count; /* for 'f' */
};
const struct rdata_part *rdata_layout(uint16_t type);

/* Types that may never stand in a zone: type 0, OPT, TSIG, TKEY, 128-255 meta (U-09). */
bool rr_type_is_meta(uint16_t type);

/* RRSIG: the type it covers; 0 for other types or short RDATA. */
uint16_t rr_covers(const struct rr *rr);

/*
 * Zone order (the order in which a zone is stored and sent): NSEC3 records and the
 * RRSIGs over them last; canonical owner order; type, with the apex SOA as type 0;
 * RDATA octets.  Identity (U-06) ignores TTL and the case of the owner.
 */
#define RR_KEY_MAX 600
/* Whole key, cut to RR_KEY_MAX.  *owner_len, if not NULL: how much of it is part and owner. */
size_t rr_key(const struct rr *rr, const uint8_t *apex, uint8_t out[RR_KEY_MAX], size_t *owner_len);
uint8_t rr_part(const struct rr *rr); /* 0 or 1 */
/*
 * The same in two steps, for runs of records of one owner and one part: rr_key_owner() once,
 * rr_key_tail() for each record into the same out[] behind the owner_len octets already there.
 * Both return the length of the key so far.
 */
size_t rr_key_owner(const struct rr *rr, const uint8_t *apex, uint8_t out[RR_KEY_MAX]);
size_t rr_key_tail(const struct rr *rr, size_t owner_len, uint8_t out[RR_KEY_MAX]);
int rr_cmp(const struct rr *a, const struct rr *b, const uint8_t *apex); /* zone order, exact */
bool rr_same(const struct rr *a, const struct rr *b);
/* rr_same and also TTL and the owner's case: nothing to change. */
bool rr_identical(const struct rr *a, const struct rr *b);

/*
 * One line of presentation format with a newline, for any reader of zone files; it reads back
 * to the same octets.  What has no safe text (types without one, RDATA that does not fit its
 * type) gets the form of RFC 3597 section 5.  Uses ldns.  Fails only with ZR_NOMEM.
 */
int rr_print(const struct rr *rr, struct buf *out, struct zr_err *e);

/* "A", "TYPE65280": static or written to out. */
const char *rr_type_text(uint16_t type, char out[16]);
