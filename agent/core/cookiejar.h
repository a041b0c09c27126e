/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DNS cookies as a client (RFC 7873 section 5.1 and 5.3, RFC 9018 section 3; C-01..C-04): the
 * cookies of the servers that were asked last, in a table of fixed size.  Each server gets a client
 * cookie of its own, drawn at random, and another one when our own address towards it has changed.
 * A server that answers without a cookie is sent none for COOKIEJAR_WITHOUT_US, and then a new one;
 * unless it had sent one before: then that answer is none.  Pure; one owner thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/clock.h"
#include "wire/cookie.h"
#include "wire/msg.h"

#define COOKIEJAR_WITHOUT_US (300 * ZR_US_PER_S)
#define COOKIEJAR_SOURCE_US (10 * ZR_US_PER_S) /* our address is looked at anew after so long */

struct cookiejar;

/* What goes into a query, and is to come back. */
struct cookie_sent {
	uint8_t len; /* 0: none */
	uint8_t data[COOKIE_MAX];
};

/* draw: fills with random octets.  places is rounded up to a power of two. */
struct cookiejar *cookiejar_new(size_t places, void (*draw)(void *p, unsigned n));
void cookiejar_free(struct cookiejar *j); /* NULL is allowed */

/* Is our address towards this server, as it was last given, too long ago? */
bool cookiejar_stale(const struct cookiejar *j, const struct zr_addr *server, struct zr_mono now);
/* source: our address towards it, NULL when not stale; its port is of no matter. */
void cookiejar_ask(struct cookiejar *j, const struct zr_addr *server, const struct zr_addr *source,
    struct zr_mono now, struct cookie_sent *out);

enum cookiejar_verdict {
	COOKIEJAR_FINE,	   /* go on with the answer */
	COOKIEJAR_FORGED,  /* a wrong cookie, or a broken one: it is no answer */
	COOKIEJAR_MISSING, /* the same: this server sends cookies */
	COOKIEJAR_AGAIN	   /* BADCOOKIE: ask again, with what was learned from it */
};

/* sent: with the query that m answers. */
enum cookiejar_verdict cookiejar_answer(struct cookiejar *j, const struct zr_addr *server,
    const struct cookie_sent *sent, const struct msg *m, struct zr_mono now);
/* It goes on without cookies: an answer without came over TCP, or no other one at all. */
void cookiejar_without(struct cookiejar *j, const struct zr_addr *server, struct zr_mono now);
