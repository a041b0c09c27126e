/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside of TLS, for the files tls_*.c, and what conn_tls.c needs of them: the engine of one
 * connection, which touches no socket.
 */
#pragma once

#include "base/buf.h"
#include "net/tls.h"

#include <openssl/ssl.h>
#include <stdatomic.h>
#include <sys/types.h>

#define TLS_RECORD 16384 /* octets of messages in one record at most (RFC 8446 section 5.1) */
#define TLS_KEPT 16	 /* sessions kept to be resumed: some for each address of a primary */
#define TLS_SESSION_S 7200
#define TLS_SHA256 "sha256/" /* before pins, as others write them */

struct tls_kept;

struct tls_ctx {
	atomic_uint refs;
	SSL_CTX *ssl;
	BIO_METHOD *bio;
	bool server;
	bool has_ca;
	char *name;	 /* client: whom to expect; may be NULL */
	bool name_is_ip; /* then no SNI */
	struct tls_pin *pins;
	size_t pin_count;
	struct zr_wall not_after;
	char text[TLS_TEXT_MAX];
	uint8_t made_from[TLS_PIN_LEN]; /* a digest of all the input */
	_Atomic(struct tls_kept *) kept[TLS_KEPT];
	atomic_uint kept_next;
};

/* One connection; owned by its thread. */
struct tls {
	struct tls_ctx *ctx;
	SSL *ssl;
	struct zr_addr dest;
	struct tls_peer *peer;
	const uint8_t *in; /* records not yet eaten; set by tls_take() only */
	size_t in_left;
	struct buf out; /* records to be sent */
	size_t out_sent;
	size_t out_plain; /* octets of messages in `out` */
	int64_t trust_until;
	bool up;     /* the handshake is over, the peer trusted */
	bool closed; /* the peer's close_notify */
	struct zr_err why;
};

/* tls.c; NULL: out of memory. */
struct tls *tls_open(struct tls_ctx *ctx, const struct zr_addr *peer);
void tls_free(struct tls *t);
/*
 * Takes n octets from the socket and returns how many octets of messages they hold; 0 may also be
 * the end: see `closed`.  What is to be sent now is in `out`.  -1: t->why.  It may be set besides a
 * number as well, for what stands behind those octets.  `cap` is at least n + TLS_RECORD; with n =
 * 0 the handshake begins.
 */
ssize_t tls_take(struct tls *t, const uint8_t *in, size_t n, uint8_t *plain, size_t cap);
int tls_seal(struct tls *t, const uint8_t *p, size_t n); /* to records in `out`; -1: t->why */
void tls_bye(struct tls *t);				 /* close_notify to `out` */
static inline size_t
tls_unsent(const struct tls *t)
{
	return t->out.len - t->out_sent;
}

/* tls_keep.c: sessions to be resumed.  A session is used once (RFC 8446 section C.4). */
void tls_keep(struct tls *t, SSL_SESSION *session); /* takes it */
void tls_resume(struct tls *t);			    /* before the handshake */
void tls_keep_clear(struct tls_ctx *ctx);

/* tls_trust.c: callbacks for SSL_CTX_set_cert_verify_callback(); and after the handshake. */
int tls_trust_server(X509_STORE_CTX *sc, void *arg);
int tls_note_client(X509_STORE_CTX *sc, void *arg);
int tls_judge(struct tls *t);	  /* -1: t->why */
bool tls_has_dot(const SSL *ssl); /* ALPN */

/* tls_cert.c */
struct zr_wall x509_not_after(const X509 *x);
struct zr_wall x509_not_before(const X509 *x);
bool x509_pin(const X509 *x, struct tls_pin *out);
void x509_names(const X509 *x, char *out, size_t size); /* "a, b"; the subject when it has none */
void x509_text(const X509 *x, char out[TLS_TEXT_MAX]);	/* names, and pin */
/*
 * `x` is taken over; `doubt` is NULL when the chain is valid.  `shown` is what came along with it,
 * `chain` the valid one; both are borrowed and may be NULL.
 */
struct tls_peer *tls_peer_new(
    X509 *x, const char *doubt, struct stack_st_X509 *shown, struct stack_st_X509 *chain);

/* tls_cert.c; what has been said is found again, for the first few contexts. */
bool tls_peer_judged(const struct tls_peer *p, const struct tls_ctx *by, bool *good);
void tls_peer_remember(struct tls_peer *p, struct tls_ctx *by, bool good);
X509 *tls_peer_x509(const struct tls_peer *p);
struct stack_st_X509 *tls_peer_shown(const struct tls_peer *p);
