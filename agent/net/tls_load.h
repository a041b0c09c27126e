/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading the files of a context, and a digest of all that it is made from.  For tls_ctx.c. */
#pragma once

#include "net/tls_p.h"

#include <openssl/evp.h>

struct tls_load {
	EVP_MD_CTX *digest;
};

void tls_load_begin(struct tls_load *l, bool server);
void tls_load_octets(struct tls_load *l, const void *p, size_t n);
void tls_load_text(struct tls_load *l, const char *text);
void tls_load_flag(struct tls_load *l, bool value);
void tls_load_end(struct tls_load *l, struct tls_ctx *t); /* frees; fills made_from */

/* -1: *e has file, reason and remedy. */
int tls_load_own(struct tls_load *l, struct tls_ctx *t, const char *cert_file, const char *key_file,
    struct zr_err *e);
int tls_load_ca(struct tls_load *l, struct tls_ctx *t, const char *file, struct zr_err *e);
int tls_load_system_ca(struct tls_load *l, struct tls_ctx *t, struct zr_err *e);

/* What OpenSSL says of its last failure, or `otherwise`. */
const char *tls_load_reason(const char *otherwise);
