/* SPDX-License-Identifier: BSD-2-Clause */
/* What is hashed (RFC 8945 section 4.3).  Every octet of it is in canonical form. */
#include "wire/rr.h"
#include "wire/tsig_p.h"

#include <assert.h>
#include <openssl/evp.h>
#include <string.h>

EVP_MAC_CTX *
mac_start(const struct tsig_key *k)
{
	return EVP_MAC_CTX_dup(k->ready);
}

void
mac_drop(EVP_MAC_CTX **m)
{
	EVP_MAC_CTX_free(*m);
	*m = NULL;
}

void
mac_octets(EVP_MAC_CTX **m, const void *p, size_t n)
{
	if (*m != NULL && n > 0 && EVP_MAC_update(*m, p, n) != 1)
		mac_drop(m);
}

static void
mac_u16(EVP_MAC_CTX **m, uint16_t v)
{
	uint8_t p[2];

	put_u16(p, v);
	mac_octets(m, p, sizeof(p));
}

void
mac_prior(EVP_MAC_CTX **m, const uint8_t *mac, size_t n)
{
	mac_u16(m, (uint16_t)n);
	mac_octets(m, mac, n);
}

void
mac_message(EVP_MAC_CTX **m, const uint8_t *msg, size_t len, uint16_t original_id, uint16_t arcount)
{
	uint8_t header[MSG_HEADER];

	assert(len >= MSG_HEADER);
	memcpy(header, msg, sizeof(header));
	put_u16(header, original_id);
	put_u16(header + 10, arcount);
	mac_octets(m, header, sizeof(header));
	mac_octets(m, msg + MSG_HEADER, len - MSG_HEADER);
}

void
mac_timers(EVP_MAC_CTX **m, const struct tsig_rr *rr)
{
	mac_u16(m, (uint16_t)(rr->time >> 32));
	mac_u16(m, (uint16_t)(rr->time >> 16));
	mac_u16(m, (uint16_t)rr->time);
	mac_u16(m, rr->fudge);
}

void
mac_variables(EVP_MAC_CTX **m, const struct tsig_key *k, const struct tsig_rr *rr)
{
	size_t alg_len;
	const uint8_t *alg = tsig_alg_wire(k->alg, &alg_len);

	mac_octets(m, k->name, k->name_len);
	mac_u16(m, CLASS_ANY);
	mac_u16(m, 0); /* TTL */
	mac_u16(m, 0);
	mac_octets(m, alg, alg_len);
	mac_timers(m, rr);
	mac_u16(m, rr->error);
	mac_u16(m, rr->other_len);
	mac_octets(m, rr->other, rr->other_len);
}

bool
mac_end(EVP_MAC_CTX **m, const struct tsig_key *k, uint8_t out[TSIG_MAC_MAX])
{
	size_t n = 0;
	bool good = *m != NULL && EVP_MAC_final(*m, out, &n, TSIG_MAC_MAX) == 1 &&
		    n == tsig_alg_mac(k->alg);

	mac_drop(m);
	return good;
}
