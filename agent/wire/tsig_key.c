/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/mem.h"
#include "wire/tsig_p.h"

#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
	const char *name;
	const char *digest; /* as libcrypto calls it */
	uint8_t mac;
	uint8_t wire_len;
	const char *wire;
} algs[TSIG_ALG_COUNT] = {
    [TSIG_HMAC_SHA1] = {"hmac-sha1", "SHA1", 20, 11, "\011hmac-sha1"},
    [TSIG_HMAC_SHA224] = {"hmac-sha224", "SHA2-224", 28, 13, "\013hmac-sha224"},
    [TSIG_HMAC_SHA256] = {"hmac-sha256", "SHA2-256", 32, 13, "\013hmac-sha256"},
    [TSIG_HMAC_SHA384] = {"hmac-sha384", "SHA2-384", 48, 13, "\013hmac-sha384"},
    [TSIG_HMAC_SHA512] = {"hmac-sha512", "SHA2-512", 64, 13, "\013hmac-sha512"},
};

const char *
tsig_alg_name(enum tsig_alg alg)
{
	return algs[alg].name;
}

size_t
tsig_alg_mac(enum tsig_alg alg)
{
	return algs[alg].mac;
}

const uint8_t *
tsig_alg_wire(enum tsig_alg alg, size_t *len)
{
	*len = algs[alg].wire_len;
	return (const uint8_t *)algs[alg].wire;
}

bool
tsig_alg_find(enum tsig_alg *out, const uint8_t *name)
{
	for (unsigned i = 0; i < TSIG_ALG_COUNT; i++)
		if (name_equal(name, (const uint8_t *)algs[i].wire)) {
			*out = (enum tsig_alg)i;
			return true;
		}
	return false;
}

int
tsig_alg_parse(enum tsig_alg *out, const char *text, struct zr_err *e)
{
	size_t len = strlen(text);

	if (len > 0 && text[len - 1] == '.')
		len--;
	for (unsigned i = 0; i < TSIG_ALG_COUNT; i++)
		if (strlen(algs[i].name) == len && strncasecmp(text, algs[i].name, len) == 0) {
			*out = (enum tsig_alg)i;
			return 0;
		}
	/* Without the text: who mixes up the parts of a key would find the secret in a log. */
	if (strncasecmp(text, "hmac-md5", 8) == 0)
		return zr_fail(e, ZR_CONF, "hmac-md5 is not safe, and not supported");
	return zr_fail(e, ZR_CONF,
	    "the algorithm is not one of hmac-sha1, hmac-sha224, hmac-sha256, hmac-sha384 and "
	    "hmac-sha512");
}

/* A context which has taken in the secret: what every message starts from. */
static EVP_MAC_CTX *
prepare(enum tsig_alg alg, const uint8_t *secret, size_t len)
{
	char digest[16] = ""; /* the parameter wants one that may be written to */
	OSSL_PARAM params[2];
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *ctx = hmac != NULL ? EVP_MAC_CTX_new(hmac) : NULL;

	assert(strlen(algs[alg].digest) < sizeof(digest));
	memcpy(digest, algs[alg].digest, strlen(algs[alg].digest) + 1);
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0);
	params[1] = OSSL_PARAM_construct_end();
	EVP_MAC_free(hmac); /* the context holds it */
	if (ctx != NULL && EVP_MAC_init(ctx, secret, len, params) == 1)
		return ctx;
	EVP_MAC_CTX_free(ctx);
	return NULL;
}

int
tsig_key_init(struct tsig_key *k, const uint8_t *name, enum tsig_alg alg, const void *secret,
    size_t len, struct zr_err *e)
{
	*k = (struct tsig_key){.alg = alg};
	if (len == 0)
		return zr_fail(e, ZR_CONF, "the secret is empty");
	if (len > TSIG_SECRET_MAX)
		return zr_fail(
		    e, ZR_CONF, "a secret of %zu octets is longer than %d", len, TSIG_SECRET_MAX);
	name_lower(k->name, name);
	k->name_len = (uint8_t)name_len(name);
	k->secret = zr_xmemdup(secret, len);
	k->secret_len = len;
	k->ready = prepare(alg, k->secret, len);
	if (k->ready != NULL)
		return 0;
	tsig_key_clear(k);
	return zr_fail(e, ZR_INTERNAL, "libcrypto cannot do %s", algs[alg].name);
}

void
tsig_key_clear(struct tsig_key *k)
{
	if (k->secret != NULL)
		OPENSSL_cleanse(k->secret, k->secret_len);
	free(k->secret);
	EVP_MAC_CTX_free(k->ready); /* wipes its copy */
	*k = (struct tsig_key){0};
}

bool
tsig_key_equal(const struct tsig_key *a, const struct tsig_key *b)
{
	return name_equal(a->name, b->name) && a->alg == b->alg && a->mac_min == b->mac_min &&
	       a->secret_len == b->secret_len &&
	       CRYPTO_memcmp(a->secret, b->secret, a->secret_len) == 0;
}

static int
digit(char c)
{
	static const char all[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c != '\0' ? strchr(all, c) : NULL;

	return at != NULL ? (int)(at - all) : -1;
}

/* RFC 4648 section 4, with its padding and nothing else; the octets, or -1.  out: 3/4 of it. */
static long
base64(const char *text, size_t len, uint8_t *out)
{
	size_t pad = 0, n = 0;
	uint32_t bits = 0;

	while (pad < 2 && pad < len && text[len - 1 - pad] == '=')
		pad++;
	if (len % 4 != 0)
		return -1;
	for (size_t i = 0; i < len; i++) {
		int v = i < len - pad ? digit(text[i]) : 0;

		if (v < 0)
			return -1;
		bits = bits << 6 | (uint32_t)v;
		if (i % 4 != 3)
			continue;
		out[n++] = (uint8_t)(bits >> 16);
		out[n++] = (uint8_t)(bits >> 8);
		out[n++] = (uint8_t)bits;
		bits = 0;
	}
	/* What the padding hides must be zero, or two texts would be the same secret. */
	for (size_t i = 0; i < pad; i++)
		if (out[--n] != 0)
			return -1;
	return (long)n;
}

static int
set_parts(
    struct tsig_key *k, const char *name, enum tsig_alg alg, const char *secret, struct zr_err *e)
{
	size_t len = strlen(secret);
	uint8_t wire[NAME_MAX_LEN], *octets;
	long n;
	int rc;

	*k = (struct tsig_key){0};
	if (name_from_text(name, wire) == 0)
		return zr_fail(e, ZR_CONF, "the name of the key is not a domain name");
	if (len > (TSIG_SECRET_MAX + 2) / 3 * 4)
		return zr_fail(e, ZR_CONF, "the secret is longer than %d octets", TSIG_SECRET_MAX);
	octets = zr_xmalloc(len + 1);
	n = base64(secret, len, octets);
	if (n < 0)
		rc = zr_fail(e, ZR_CONF, "the secret is not base64");
	else
		rc = tsig_key_init(k, wire, alg, octets, (size_t)n, e);
	OPENSSL_cleanse(octets, len + 1);
	free(octets);
	return rc;
}

int
tsig_key_set(
    struct tsig_key *k, const char *name, const char *alg, const char *secret, struct zr_err *e)
{
	enum tsig_alg a;

	*k = (struct tsig_key){0};
	if (tsig_alg_parse(&a, alg, e) < 0)
		return -1;
	return set_parts(k, name, a, secret, e);
}

/* The text up to `end` in out[size]; false when it does not fit. */
static bool
part(const char *from, const char *end, char *out, size_t size)
{
	size_t n = (size_t)(end - from);

	if (n >= size)
		return false;
	memcpy(out, from, n);
	out[n] = '\0';
	return true;
}

int
tsig_key_parse(struct tsig_key *k, const char *text, struct zr_err *e)
{
	const char *last = strrchr(text, ':'), *first = strchr(text, ':');
	char name[NAME_TEXT_MAX], word[64] = "hmac-sha256";
	enum tsig_alg alg;

	*k = (struct tsig_key){0};
	if (last == NULL)
		return zr_fail(e, ZR_CONF, "a key is written [algorithm:]name:secret");
	if (first != last && !part(text, first, word, sizeof(word)))
		return zr_fail(e, ZR_CONF, "the algorithm of the key is too long");
	if (tsig_alg_parse(&alg, word, e) < 0)
		return -1;
	if (!part(first != last ? first + 1 : text, last, name, sizeof(name)))
		return zr_fail(e, ZR_CONF, "the name of the key is too long");
	return set_parts(k, name, alg, last + 1, e);
}

size_t
tsig_size(const struct tsig_key *k)
{
	return k->name_len + 10u + algs[k->alg].wire_len + TSIG_FIXED + algs[k->alg].mac;
}
