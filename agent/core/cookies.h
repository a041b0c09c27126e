/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DNS cookies as a server (RFC 7873 section 5.2, RFC 9018; C-05..C-11): what a request's cookie is
 * worth, and the one that its answer carries.  Several servers behind one address share their
 * secrets; to change them, RFC 9018 section 5: the new one is added behind the one in use, then
 * they change places, then the old one goes.  Pure; one owner thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/clock.h"
#include "wire/cookie.h"
#include "wire/msg.h"

#define COOKIES_SECRETS 4

struct cookies;

enum cookies_verdict {
	COOKIES_NONE,  /* no cookie, or none are wanted: nothing goes into the answer */
	COOKIES_FIRST, /* the client does not know ours yet */
	COOKIES_WRONG, /* forged, too old, or another server's */
	COOKIES_RIGHT  /* the client can be reached at the address that it sends from */
};

struct cookies *cookies_new(void);
void cookies_free(struct cookies *c); /* wipes the secrets; NULL is allowed */
/*
 * The first secret signs, all of them verify.  count 0: no cookies.  False: libcrypto has no
 * SipHash, and there are none either.
 */
bool cookies_set(struct cookies *c, const uint8_t (*secret)[COOKIE_SECRET], unsigned count);
/* answer is filled unless the verdict is COOKIES_NONE. */
enum cookies_verdict cookies_take(struct cookies *c, const struct edns *o,
    const struct zr_addr *from, struct zr_wall now, uint8_t answer[COOKIE_OURS]);
