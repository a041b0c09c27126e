/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A sum, so that the digest of a version follows from that of the version before and the
 * segments that changed.
 */
#include "wire/segment.h"

#include "base/mem.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

static void *
get(size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return n > 0 ? zr_xmalloc(n) : NULL;
}

static void
drop(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	free(p);
}

static void *
change(void *p, size_t n, const char *file, int line)
{
	if (n > 0)
		return zr_xrealloc(p, n);
	drop(p, file, line);
	return NULL;
}

int
digest_start(struct zr_err *e)
{
	uint8_t digest[SEGMENT_DIGEST] = {0};

	/* Refused when OpenSSL has memory already: then its own functions must do. */
	CRYPTO_set_mem_functions(get, change, drop);
	if (!digest_of(digest, 0, digest))
		return zr_fail(e, ZR_INTERNAL, "OpenSSL offers no SHA-256");
	return 0;
}

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
