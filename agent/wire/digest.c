/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A sum, so that the digest of a version follows from that of the version before and the
 * segments that changed.
 */
#include "wire/segment.h"

#include <openssl/evp.h>

bool
digest_of(const uint8_t *data, size_t len, uint8_t out[SEGMENT_DIGEST])
{
	return EVP_Digest(data, len, out, NULL, EVP_sha256(), NULL) == 1;
}

void
digest_add(uint8_t sum[SEGMENT_DIGEST], const uint8_t d[SEGMENT_DIGEST])
{
	unsigned carry = 0;

	for (unsigned i = SEGMENT_DIGEST; i-- > 0;) {
		carry += (unsigned)sum[i] + d[i];
		sum[i] = (uint8_t)carry;
		carry >>= 8;
	}
}

void
digest_sub(uint8_t sum[SEGMENT_DIGEST], const uint8_t d[SEGMENT_DIGEST])
{
	unsigned borrow = 0;

	for (unsigned i = SEGMENT_DIGEST; i-- > 0;) {
		unsigned v = 256u + sum[i] - d[i] - borrow;

		sum[i] = (uint8_t)v;
		borrow = v < 256;
	}
}
