/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The engine of one connection: octets of the socket in, octets of messages out, and the other way.
 * It stands between two runs of memory instead of on the socket, so that the connection keeps its
 * own reading, writing and limits, and several records leave in one call of send().
 */
#include "net/tls_p.h"

#include "base/mem.h"

#include <openssl/err.h>
#include <openssl/tls1.h>
#include <stdlib.h>
#include <string.h>

/* Octets of records nobody has asked for: a peer that never reads must not make them grow. */
#define OUT_MAX 262144

struct tls *
tls_open(struct tls_ctx *ctx, const struct zr_addr *peer)
{
	struct tls *t = zr_xcalloc(1, sizeof(*t));
	BIO *bio = BIO_new(ctx->bio);

	t->ctx = tls_hold(ctx);
	t->dest = *peer;
	buf_init(&t->out, OUT_MAX);
	t->ssl = SSL_new(ctx->ssl);
	if (t->ssl == NULL || bio == NULL ||
	    (ctx->name != NULL && !ctx->name_is_ip &&
		SSL_set_tlsext_host_name(t->ssl, ctx->name) != 1)) {
		BIO_free(bio);
		ERR_clear_error();
		tls_free(t);
		return NULL;
	}
	BIO_set_data(bio, t);
	SSL_set_bio(t->ssl, bio, bio);
	SSL_set_app_data(t->ssl, t);
	if (ctx->server) {
		SSL_set_accept_state(t->ssl);
	} else {
		SSL_set_connect_state(t->ssl);
		tls_resume(t);
	}
	return t;
}

void
tls_free(struct tls *t)
{
	if (t == NULL)
		return;
	SSL_free(t->ssl);
	tls_peer_drop(t->peer);
	buf_clear(&t->out);
	tls_drop(t->ctx);
	free(t);
}

/* ---- reasons ---- */

#define ALERT(number) (SSL_AD_REASON_OFFSET + (number))

static const char *
reason_text(unsigned long err)
{
	switch (ERR_GET_REASON(err)) {
	case ALERT(SSL_AD_NO_APPLICATION_PROTOCOL):
		return "the peer does not take ALPN 'dot': is that a port for DNS over TLS?";
	case ALERT(SSL_AD_CERTIFICATE_REQUIRED):
		return "the peer demands a certificate of us: give cert and key";
	case ALERT(SSL_AD_UNKNOWN_CA):
		return "the peer does not trust the CA of our certificate";
	case ALERT(SSL_AD_CERTIFICATE_EXPIRED):
		return "the peer says that our certificate has expired";
	case ALERT(SSL_AD_BAD_CERTIFICATE):
	case ALERT(SSL_AD_UNSUPPORTED_CERTIFICATE):
	case ALERT(SSL_AD_CERTIFICATE_REVOKED):
	case ALERT(SSL_AD_CERTIFICATE_UNKNOWN):
	case ALERT(SSL_AD_ACCESS_DENIED):
		return "the peer refuses our certificate";
	case ALERT(SSL_AD_PROTOCOL_VERSION):
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_WRONG_SSL_VERSION:
	case SSL_R_NO_PROTOCOLS_AVAILABLE:
		return "the peer does not speak TLS 1.3";
	case SSL_R_WRONG_VERSION_NUMBER:
	case SSL_R_HTTP_REQUEST:
	case SSL_R_HTTPS_PROXY_REQUEST:
	case SSL_R_PACKET_LENGTH_TOO_LONG:
	case SSL_R_RECORD_LENGTH_MISMATCH:
		return "what the peer sends is not TLS";
	default:
		return NULL;
	}
}

/* The reason of what has just failed, unless a callback has said it already. */
static int
failed(struct tls *t)
{
	unsigned long err = ERR_peek_error();
	const char *text = reason_text(err);

	if (t->why.code == ZR_OK && text != NULL)
		(void)zr_fail(&t->why, ZR_TLS, "%s", text);
	if (t->why.code == ZR_OK) {
		text = ERR_reason_error_string(err);
		(void)zr_fail(&t->why, ZR_TLS, "%s", text != NULL ? text : "unknown failure");
	}
	ERR_clear_error();
	return -1;
}

/* ---- octets ---- */

static int
handshake(struct tls *t)
{
	int rc = SSL_do_handshake(t->ssl);

	if (rc != 1)
		return SSL_get_error(t->ssl, rc) == SSL_ERROR_WANT_READ ? 0 : failed(t);
	rc = tls_judge(t);
	ERR_clear_error(); /* of odd certificates; the next call would take it for its own */
	if (rc != 0)
		return -1;
	t->up = true;
	return 0;
}

ssize_t
tls_take(struct tls *t, const uint8_t *in, size_t n, uint8_t *plain, size_t cap)
{
	size_t len = 0, got;

	if (t->why.code != ZR_OK)
		return -1;
	t->in = in;
	t->in_left = n;
	ERR_clear_error();
	if (!t->up && handshake(t) != 0)
		return -1;
	while (t->up && !t->closed && len < cap) {
		if (SSL_read_ex(t->ssl, plain + len, cap - len, &got) == 1) {
			len += got;
			continue;
		}
		switch (SSL_get_error(t->ssl, 0)) {
		case SSL_ERROR_WANT_READ:
			return (ssize_t)len;
		case SSL_ERROR_ZERO_RETURN:
			t->closed = true;
			break;
		default:
			(void)failed(t);
			return len > 0 ? (ssize_t)len : -1;
		}
	}
	if (t->in_left > 0 && !t->closed && len > 0)
		return zr_fail(&t->why, ZR_INTERNAL, "more octets than expected");
	return (ssize_t)len;
}

int
tls_seal(struct tls *t, const uint8_t *p, size_t n)
{
	size_t done;

	ERR_clear_error();
	for (size_t at = 0; at < n; at += done)
		if (SSL_write_ex(
			t->ssl, p + at, n - at < TLS_RECORD ? n - at : TLS_RECORD, &done) != 1)
			return failed(t);
	t->out_plain += n;
	return 0;
}

void
tls_bye(struct tls *t)
{
	ERR_clear_error();
	if (t->up && t->why.code == ZR_OK)
		(void)SSL_shutdown(t->ssl);
	ERR_clear_error();
}
