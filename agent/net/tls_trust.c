/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who the peer is.  A client judges inside the handshake, so that the server gets an alert which
 * says why; a server only notes what it is shown, and the policy of a zone judges later.
 */
#include "net/tls_p.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <string.h>

#define NAMES_MAX 120 /* octets of other people's names in a reason */

static struct tls *
owner(X509_STORE_CTX *sc)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(sc, SSL_get_ex_data_X509_STORE_CTX_idx());

	return SSL_get_app_data(ssl);
}

bool
tls_has_dot(const SSL *ssl)
{
	const unsigned char *p = NULL;
	unsigned n = 0;

	SSL_get0_alpn_selected(ssl, &p, &n);
	return n == 3 && memcmp(p, "dot", 3) == 0;
}

static void
no_dot(struct tls *t)
{
	(void)zr_fail(&t->why, ZR_TLS,
	    "the server did not select ALPN 'dot', which RFC 9103 demands: is that a port for "
	    "DNS over TLS, and its software new enough?");
}

/* ---- why a chain does not hold ---- */

static void
explain_time(struct tls *t, const X509 *x, int depth, bool ended)
{
	char when[CLOCK_RFC3339_LEN], who[NAMES_MAX];

	clock_rfc3339(ended ? x509_not_after(x) : x509_not_before(x), false, when);
	x509_names(x, who, sizeof(who));
	(void)zr_fail(&t->why, ZR_TLS, "%s %s %s (%s)%s",
	    depth > 0 ? "the certificate of its CA" : "the certificate",
	    ended ? "expired at" : "is not valid before", when, who,
	    ended ? "" : ": is a clock wrong?");
}

static void
explain_name(struct tls *t, const X509 *x)
{
	char who[NAMES_MAX];

	x509_names(x, who, sizeof(who));
	(void)zr_fail(&t->why, ZR_TLS, "the name %s is not in the certificate (it has: %s)",
	    t->ctx->name, who);
}

static void
explain_issuer(struct tls *t, const X509 *leaf, const char *reason)
{
	char pin[TLS_PIN_TEXT] = "", who[NAMES_MAX];
	struct tls_pin p;

	x509_names(leaf, who, sizeof(who));
	if (x509_pin(leaf, &p))
		tls_pin_text(&p, pin);
	(void)zr_fail(&t->why, ZR_TLS,
	    "no trusted CA has issued the certificate: %s (%s; its key is " TLS_SHA256 "%s)",
	    reason, who, pin);
}

static void
explain(struct tls *t, X509_STORE_CTX *sc)
{
	int err = X509_STORE_CTX_get_error(sc), depth = X509_STORE_CTX_get_error_depth(sc);
	const X509 *leaf = X509_STORE_CTX_get0_cert(sc);
	const X509 *at = X509_STORE_CTX_get_current_cert(sc);

	if (at == NULL)
		at = leaf;
	switch (err) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
		explain_time(t, at, depth, err == X509_V_ERR_CERT_HAS_EXPIRED);
		break;
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		explain_name(t, leaf);
		break;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
		explain_issuer(t, leaf, X509_verify_cert_error_string(err));
		break;
	default:
		(void)zr_fail(&t->why, ZR_TLS, "the certificate is not accepted: %s",
		    X509_verify_cert_error_string(err));
	}
}

/* ---- a client's judgement ---- */

static bool
pinned(const struct tls_ctx *ctx, const X509 *x)
{
	struct tls_pin p;

	if (!x509_pin(x, &p))
		return false;
	for (size_t i = 0; i < ctx->pin_count; i++)
		if (memcmp(&ctx->pins[i], &p, sizeof(p)) == 0)
			return true;
	return false;
}

/* The key of the other side's own certificate, or of any of a chain that is valid (may be NULL). */
static bool
pins_match(const struct tls_ctx *ctx, const X509 *leaf, struct stack_st_X509 *chain)
{
	if (ctx->pin_count == 0 || pinned(ctx, leaf))
		return true;
	for (int i = 0; chain != NULL && i < sk_X509_num(chain); i++)
		if (pinned(ctx, sk_X509_value(chain, i)))
			return true;
	return false;
}

static bool
pins_hold(struct tls *t, X509_STORE_CTX *sc)
{
	const X509 *leaf = X509_STORE_CTX_get0_cert(sc);
	struct stack_st_X509 *chain = t->ctx->has_ca ? X509_STORE_CTX_get0_chain(sc) : NULL;
	char text[TLS_PIN_TEXT] = "", who[NAMES_MAX];
	struct tls_pin p;

	if (pins_match(t->ctx, leaf, chain))
		return true;
	if (x509_pin(leaf, &p))
		tls_pin_text(&p, text);
	x509_names(leaf, who, sizeof(who));
	(void)zr_fail(
	    &t->why, ZR_TLS, "no pin matches; its key is " TLS_SHA256 "%s (%s)", text, who);
	return false;
}

static bool
name_holds(struct tls *t, X509 *leaf)
{
	const char *name = t->ctx->name;
	const unsigned flags =
	    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT;

	if (name == NULL ||
	    (t->ctx->name_is_ip ? X509_check_ip_asc(leaf, name, flags)
				: X509_check_host(leaf, name, strlen(name), flags, NULL)) == 1)
		return true;
	explain_name(t, leaf);
	return false;
}

/* A session of this connection is worth no more than the chain it began with. */
static void
set_trust_until(struct tls *t, X509_STORE_CTX *sc)
{
	struct stack_st_X509 *chain = X509_STORE_CTX_get0_chain(sc);

	t->trust_until = INT64_MAX;
	for (int i = 0; t->ctx->has_ca && i < sk_X509_num(chain); i++) {
		int64_t end = x509_not_after(sk_X509_value(chain, i)).us;

		if (end < t->trust_until)
			t->trust_until = end;
	}
}

int
tls_trust_server(X509_STORE_CTX *sc, void *arg)
{
	struct tls *t = owner(sc);
	SSL *ssl = t->ssl;

	(void)arg;
	if (!tls_has_dot(ssl)) {
		no_dot(t);
		X509_STORE_CTX_set_error(sc, X509_V_ERR_APPLICATION_VERIFICATION);
		return 0;
	}
	if (t->ctx->has_ca) {
		if (X509_verify_cert(sc) != 1) {
			explain(t, sc);
			return 0;
		}
	} else if (!name_holds(t, X509_STORE_CTX_get0_cert(sc))) {
		X509_STORE_CTX_set_error(sc, X509_V_ERR_HOSTNAME_MISMATCH);
		return 0;
	}
	if (!pins_hold(t, sc)) {
		X509_STORE_CTX_set_error(sc, X509_V_ERR_CERT_REJECTED);
		return 0;
	}
	X509_STORE_CTX_set_error(sc, X509_V_OK);
	set_trust_until(t, sc);
	return 1;
}

/* ---- a server's note ---- */

/* Something between its own certificate and a CA; many show the CA as well, which we have or not.
 */
static bool
has_links(struct stack_st_X509 *shown)
{
	for (int i = 1; shown != NULL && i < sk_X509_num(shown); i++)
		if (X509_self_signed(sk_X509_value(shown, i), 0) != 1)
			return true;
	return false;
}

/*
 * A ticket holds the client's certificate and not what it showed besides, which a primary's own CA
 * may need: then there is none.
 */
int
tls_note_client(X509_STORE_CTX *sc, void *arg)
{
	(void)arg;
	if (has_links(X509_STORE_CTX_get0_untrusted(sc)))
		(void)SSL_set_num_tickets(owner(sc)->ssl, 0);
	if (!owner(sc)->ctx->has_ca)
		X509_STORE_CTX_set_error(sc, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
	else
		(void)X509_verify_cert(sc); /* leaves its error, which the session keeps as well */
	ERR_clear_error();		    /* the handshake goes on */
	return 1;
}

/*
 * From x over what was shown to a CA of the context, for a client's certificate; NULL: none is
 * valid. The caller frees it, and its references.
 */
static struct stack_st_X509 *
find_chain(const struct tls_ctx *t, X509 *x, struct stack_st_X509 *shown)
{
	X509_STORE_CTX *sc = X509_STORE_CTX_new();
	struct stack_st_X509 *chain = NULL;

	if (sc != NULL && t->has_ca &&
	    X509_STORE_CTX_init(sc, SSL_CTX_get_cert_store(t->ssl), x, shown) == 1 &&
	    X509_STORE_CTX_set_default(sc, "ssl_client") == 1 && X509_verify_cert(sc) == 1)
		chain = X509_STORE_CTX_get1_chain(sc);
	X509_STORE_CTX_free(sc);
	ERR_clear_error();
	return chain;
}

static bool
judge_client(const struct tls_ctx *t, const struct tls_peer *p)
{
	struct stack_st_X509 *chain = NULL;
	bool good;

	if (t->name != NULL && (t->name_is_ip ? X509_check_ip_asc(tls_peer_x509(p), t->name, 0) != 1
					      : !tls_peer_named(p, t->name)))
		return false;
	if (t->has_ca) {
		chain = find_chain(t, tls_peer_x509(p), tls_peer_shown(p));
		if (chain == NULL)
			return false;
	}
	good = pins_match(t, tls_peer_x509(p), chain);
	sk_X509_pop_free(chain, X509_free);
	return good;
}

bool
tls_vouches(struct tls_ctx *t, struct tls_peer *p)
{
	bool good;

	if (t == NULL || p == NULL)
		return false;
	if (!tls_peer_judged(p, t, &good)) {
		good = judge_client(t, p);
		tls_peer_remember(p, t, good);
	}
	return good;
}

/* Of a client: what it showed, and the chain that was found, again after it has resumed. */
static struct tls_peer *
note_peer(struct tls *t, X509 *x, const char *doubt)
{
	struct stack_st_X509 *chain = NULL, *again = NULL, *shown = NULL;
	struct tls_peer *p;

	if (t->ctx->server) {
		shown = SSL_get_peer_cert_chain(t->ssl);
		chain = SSL_get0_verified_chain(t->ssl);
		if (chain == NULL && doubt == NULL)
			chain = again = find_chain(t->ctx, x, shown);
	}
	p = tls_peer_new(x, doubt, shown, chain);
	sk_X509_pop_free(again, X509_free);
	return p;
}

int
tls_judge(struct tls *t)
{
	long result = SSL_get_verify_result(t->ssl);
	X509 *x = SSL_get1_peer_certificate(t->ssl);
	const char *doubt = result == X509_V_OK ? NULL : X509_verify_cert_error_string(result);

	if (!tls_has_dot(t->ssl) || SSL_version(t->ssl) != TLS1_3_VERSION) { /* when resumed */
		X509_free(x);
		no_dot(t);
		return -1;
	}
	if (x != NULL && doubt == NULL && t->ctx->has_ca &&
	    x509_not_after(x).us <= clock_now().wall.us)
		doubt = "the certificate has expired";
	if (!t->ctx->server && (x == NULL || doubt != NULL)) { /* resumed, and older than trust */
		X509_free(x);
		return zr_fail(&t->why, ZR_TLS, "the server is not verified: %s",
		    doubt != NULL ? doubt : "it has shown no certificate");
	}
	if (!t->ctx->has_ca && doubt == NULL)
		doubt = "trusted by its pin";
	if (x != NULL)
		t->peer = note_peer(t, x, doubt);
	return 0;
}
