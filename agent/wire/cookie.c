/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/cookie.h"

#include "base/buf.h"
#include "base/mem.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

#define COOKIE_VERSION 1
#define AT_TIME (COOKIE_CLIENT + 4)
#define AT_HASH (COOKIE_CLIENT + 8)
#define HASH 8

struct cookie_mac {
	EVP_MAC *mac;
	EVP_MAC_CTX *ctx;
};

struct cookie_mac *
cookie_mac_new(void)
{
	struct cookie_mac *m = zr_xcalloc(1, sizeof(*m));

	m->mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
	if (m->mac != NULL)
		m->ctx = EVP_MAC_CTX_new(m->mac);
	if (m->ctx != NULL)
		return m;
	cookie_mac_free(m);
	return NULL;
}

void
cookie_mac_free(struct cookie_mac *m)
{
	if (m == NULL)
		return;
	EVP_MAC_CTX_free(m->ctx);
	EVP_MAC_free(m->mac);
	free(m);
}

/* Over what stands before the hash, and the address; 2 and 4 rounds are libcrypto's default. */
static bool
hash(struct cookie_mac *m, const uint8_t secret[COOKIE_SECRET], const uint8_t *data,
    const struct zr_addr *from, uint8_t out[HASH])
{
	size_t size = HASH, got = 0;
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size), OSSL_PARAM_construct_end()};

	return EVP_MAC_init(m->ctx, secret, COOKIE_SECRET, params) == 1 &&
	       EVP_MAC_update(m->ctx, data, AT_HASH) == 1 &&
	       EVP_MAC_update(m->ctx, from->ip, from->family == 4 ? 4 : 16) == 1 &&
	       EVP_MAC_final(m->ctx, out, &got, HASH) == 1 && got == HASH;
}

bool
cookie_make(struct cookie_mac *m, const uint8_t secret[COOKIE_SECRET],
    const uint8_t client[COOKIE_CLIENT], const struct zr_addr *from, uint32_t now,
    uint8_t out[COOKIE_OURS])
{
	memmove(out, client, COOKIE_CLIENT);
	out[COOKIE_CLIENT] = COOKIE_VERSION;
	memset(out + COOKIE_CLIENT + 1, 0, 3);
	for (unsigned i = 0; i < 4; i++)
		out[AT_TIME + i] = (uint8_t)(now >> (24 - 8 * i));
	return hash(m, secret, out, from, out + AT_HASH);
}

enum cookie_state
cookie_check(struct cookie_mac *m, const uint8_t secret[COOKIE_SECRET], const uint8_t *data,
    size_t len, const struct zr_addr *from, uint32_t now)
{
	uint8_t want[HASH];

	if (len != COOKIE_OURS || data[COOKIE_CLIENT] != COOKIE_VERSION)
		return COOKIE_BAD;
	/* RFC 1982: the clock may have gone round. */
	int32_t age = (int32_t)(now - get_u32(data + AT_TIME));
	if (age > COOKIE_PAST_S || age < -COOKIE_FUTURE_S)
		return COOKIE_BAD;
	if (!hash(m, secret, data, from, want) || CRYPTO_memcmp(want, data + AT_HASH, HASH) != 0)
		return COOKIE_BAD;
	return age > COOKIE_REFRESH_S ? COOKIE_OLD : COOKIE_GOOD;
}
