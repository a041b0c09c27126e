/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Server cookies (RFC 7873, the form of RFC 9018 section 4, C-07): version, three reserved octets,
 * time, and a SipHash-2-4 over them, the client's cookie and its address.  Whoever returns one has
 * received what was sent to that address.  It says nothing else: a cookie is no authentication.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

#define COOKIE_CLIENT 8	     /* octets of a client cookie */
#define COOKIE_SERVER 16     /* octets of a server cookie of ours */
#define COOKIE_SERVER_MIN 8  /* and of those of others */
#define COOKIE_SERVER_MAX 32 /* RFC 7873 section 4.2 */
#define COOKIE_MAX (COOKIE_CLIENT + COOKIE_SERVER_MAX)
#define COOKIE_OURS (COOKIE_CLIENT + COOKIE_SERVER) /* the option's data in an answer of ours */
#define COOKIE_SECRET 16

#define COOKIE_PAST_S 3600    /* as old as one may be */
#define COOKIE_FUTURE_S 300   /* as far as the clocks of servers with one secret may differ */
#define COOKIE_REFRESH_S 1800 /* an older one is replaced */

/* Is this a length that the option's data may have (RFC 7873 section 5.2.2, C-05)? */
static inline bool
cookie_len_ok(size_t len)
{
	return len == COOKIE_CLIENT ||
	       (len >= COOKIE_CLIENT + COOKIE_SERVER_MIN && len <= COOKIE_MAX);
}

/* The hash of libcrypto, made ready once; one owner thread. */
struct cookie_mac;

struct cookie_mac *cookie_mac_new(void);    /* NULL: this libcrypto has none */
void cookie_mac_free(struct cookie_mac *m); /* NULL is allowed */

/* `now`: seconds since 1970, its lower 32 bits.  out: client cookie and server cookie. */
bool cookie_make(struct cookie_mac *m, const uint8_t secret[COOKIE_SECRET],
    const uint8_t client[COOKIE_CLIENT], const struct zr_addr *from, uint32_t now,
    uint8_t out[COOKIE_OURS]);

enum cookie_state {
	COOKIE_BAD,
	COOKIE_OLD, /* good, but to be replaced */
	COOKIE_GOOD
};

/* data: what the option holds, at least COOKIE_CLIENT octets.  Reserved octets may be any. */
enum cookie_state cookie_check(struct cookie_mac *m, const uint8_t secret[COOKIE_SECRET],
    const uint8_t *data, size_t len, const struct zr_addr *from, uint32_t now);
