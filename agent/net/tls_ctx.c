/* SPDX-License-Identifier: BSD-2-Clause */
/* How a context is set up; its files are read by tls_load.c. */
#include "base/mem.h"
#include "net/tls_load.h"

#include <openssl/err.h>
#include <openssl/tls1.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#define DOT "\003dot" /* ALPN of RFC 7858 as it goes over the wire */

/* The fastest first: transfers are long, and all of them are safe. */
#define SUITES "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

/* ---- where the engine reads and writes ---- */

static int
bio_read(BIO *bio, char *out, int max)
{
	struct tls *t = BIO_get_data(bio);
	size_t n = t->in_left < (size_t)max ? t->in_left : (size_t)max;

	BIO_clear_retry_flags(bio);
	if (n == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	memcpy(out, t->in, n);
	t->in += n;
	t->in_left -= n;
	return (int)n;
}

static int
bio_write(BIO *bio, const char *p, int n)
{
	struct tls *t = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	buf_bytes(&t->out, p, (size_t)n);
	if (!t->out.bad)
		return n;
	(void)zr_fail(&t->why, ZR_LIMIT, "the peer takes nothing of what it makes TLS send");
	return -1;
}

static long
bio_ctrl(BIO *bio, int what, long num, void *arg)
{
	(void)bio;
	(void)num;
	(void)arg;
	return what == BIO_CTRL_FLUSH;
}

static int
bio_create(BIO *bio)
{
	BIO_set_init(bio, 1);
	return 1;
}

static BIO_METHOD *
bio_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "zonerelay connection");

	if (m != NULL && BIO_meth_set_read(m, bio_read) == 1 &&
	    BIO_meth_set_write(m, bio_write) == 1 && BIO_meth_set_ctrl(m, bio_ctrl) == 1 &&
	    BIO_meth_set_create(m, bio_create) == 1)
		return m;
	BIO_meth_free(m);
	return NULL;
}

/* ---- callbacks ---- */

/*
 * RFC 9103 section 7.1 wants 'dot' to be selected, so a client that offers no ALPN is refused like
 * one that offers others (XO-20).  One without TLS 1.3 is left to OpenSSL, which says so.
 */
static int
on_hello(SSL *ssl, int *alert, void *arg)
{
	struct tls *t = SSL_get_app_data(ssl);
	const unsigned char *p;
	size_t n;

	(void)arg;
	if (SSL_client_hello_get0_ext(
		ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &p, &n) == 1 ||
	    SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_supported_versions, &p, &n) != 1)
		return SSL_CLIENT_HELLO_SUCCESS;
	(void)zr_fail(&t->why, ZR_TLS, "the client offers no ALPN, and 'dot' is needed");
	*alert = SSL_AD_NO_APPLICATION_PROTOCOL;
	return SSL_CLIENT_HELLO_ERROR;
}

static int
on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
    unsigned in_len, void *arg)
{
	struct tls *t = SSL_get_app_data(ssl);

	(void)arg;
	for (unsigned at = 0; at < in_len && in[at] < in_len - at; at += 1u + in[at])
		if (in[at] == DOT[0] && memcmp(in + at + 1, &DOT[1], 3) == 0) {
			*out = in + at + 1;
			*out_len = 3;
			return SSL_TLSEXT_ERR_OK;
		}
	(void)zr_fail(&t->why, ZR_TLS, "the client does not offer ALPN 'dot'");
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int
on_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls *t = SSL_get_app_data(ssl);

	if (!t->up)
		return 0;
	tls_keep(t, session);
	return 1;
}

/* ---- both roles ---- */

static struct tls_ctx *
make(bool server)
{
	struct tls_ctx *t = zr_xcalloc(1, sizeof(*t));

	atomic_init(&t->refs, 1);
	t->server = server;
	t->ssl = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
	t->bio = bio_method();
	return t;
}

struct tls_ctx *
tls_hold(struct tls_ctx *t)
{
	if (t != NULL)
		atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	return t;
}

void
tls_drop(struct tls_ctx *t)
{
	if (t == NULL || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
		return;
	tls_keep_clear(t);
	SSL_CTX_free(t->ssl);
	BIO_meth_free(t->bio);
	free(t->pins);
	free(t->name);
	free(t);
}

/* What holds in both roles.  The configuration file of OpenSSL may say otherwise; we insist. */
static int
common(struct tls_ctx *t, struct zr_err *e)
{
	SSL_CTX *c = t->ssl;

	if (c == NULL || t->bio == NULL || SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set_max_proto_version(c, 0) != 1 || SSL_CTX_set_ciphersuites(c, SUITES) != 1 ||
	    SSL_CTX_set_max_early_data(c, 0) != 1 || SSL_CTX_set_recv_max_early_data(c, 0) != 1)
		return zr_fail(e, ZR_CONF, "OpenSSL cannot do TLS 1.3: %s",
		    tls_load_reason("is it built without?"));
	SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_clear_options(c, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_TICKET);
	SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS);
	(void)SSL_CTX_set_timeout(c, TLS_SESSION_S);
	return 0;
}

static struct tls_ctx *
done(struct tls_ctx *t, struct tls_load *l, int rc)
{
	tls_load_end(l, t);
	ERR_clear_error();
	if (rc == 0)
		return t;
	tls_drop(t);
	return NULL;
}

/* ---- server ---- */

static int
server_setup(
    struct tls_ctx *t, struct tls_load *l, const struct tls_server_spec *s, struct zr_err *e)
{
	SSL_CTX *c = t->ssl;

	tls_load_flag(l, s->ask_client);
	tls_load_flag(l, s->client_ca_file != NULL);
	if (common(t, e) != 0 || tls_load_own(l, t, s->cert_file, s->key_file, e) != 0 ||
	    (s->client_ca_file != NULL && tls_load_ca(l, t, s->client_ca_file, e) != 0))
		return -1;
	SSL_CTX_set_client_hello_cb(c, on_hello, NULL);
	SSL_CTX_set_alpn_select_cb(c, on_alpn, NULL);
	/* Sessions are in the tickets, under keys that only this context has. */
	SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_session_id_context(c, (const unsigned char *)"dot", 3);
	if (s->client_ca_file != NULL || s->ask_client) {
		SSL_CTX_set_verify(c, SSL_VERIFY_PEER, NULL);
		SSL_CTX_set_cert_verify_callback(c, tls_note_client, NULL);
	}
	return 0;
}

struct tls_ctx *
tls_server_new(const struct tls_server_spec *spec, struct zr_err *e)
{
	struct tls_ctx *t = make(true);
	struct tls_load l;
	int rc;

	tls_load_begin(&l, true);
	rc = spec->cert_file == NULL || spec->key_file == NULL
		 ? zr_fail(e, ZR_CONF, "a TLS server needs cert and key")
		 : server_setup(t, &l, spec, e);
	return done(t, &l, rc);
}

/* ---- client ---- */

static int
client_check(const struct tls_client_spec *s, struct zr_err *e)
{
	bool ca = s->ca_file != NULL || s->system_ca;

	if (s->ca_file != NULL && s->system_ca)
		return zr_fail(e, ZR_CONF, "either the CAs of a file or those of the system");
	if (!ca && s->pin_count == 0)
		return zr_fail(e, ZR_CONF,
		    "nothing says which server is the right one: give a name and a CA, or pins");
	if (ca && s->name == NULL)
		return zr_fail(e, ZR_CONF,
		    "a CA without the server's name would trust every server that has a "
		    "certificate: give name");
	if ((s->cert_file == NULL) != (s->key_file == NULL))
		return zr_fail(e, ZR_CONF, "%s is missing", s->cert_file == NULL ? "cert" : "key");
	return 0;
}

/* RFC 8310 section 8.1: names of the subjectAltName only. */
static int
expect_name(struct tls_ctx *t, struct tls_load *l, const char *name, struct zr_err *e)
{
	X509_VERIFY_PARAM *param = SSL_CTX_get0_param(t->ssl);
	size_t len = strlen(name);
	struct zr_addr a;

	tls_load_text(l, name);
	t->name = zr_xstrdup(name);
	if (len > 1 && name[len - 1] == '.')
		t->name[len - 1] = '\0'; /* certificates and SNI have none */
	t->name_is_ip = addr_parse_ip(t->name, &a);
	X509_VERIFY_PARAM_set_hostflags(
	    param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	if (t->name[0] == '\0' || strlen(t->name) > TLSEXT_MAXLEN_host_name ||
	    (t->name_is_ip ? X509_VERIFY_PARAM_set1_ip_asc(param, t->name)
			   : X509_VERIFY_PARAM_set1_host(param, t->name, 0)) != 1)
		return zr_fail(e, ZR_CONF, "%.100s cannot be the name of a server", name);
	return 0;
}

static int
client_setup(
    struct tls_ctx *t, struct tls_load *l, const struct tls_client_spec *s, struct zr_err *e)
{
	SSL_CTX *c = t->ssl;

	tls_load_flag(l, s->name != NULL);
	tls_load_flag(l, s->ca_file != NULL || s->system_ca);
	tls_load_flag(l, s->cert_file != NULL);
	if (client_check(s, e) != 0 || common(t, e) != 0 ||
	    (s->name != NULL && expect_name(t, l, s->name, e) != 0) ||
	    (s->ca_file != NULL && tls_load_ca(l, t, s->ca_file, e) != 0) ||
	    (s->system_ca && tls_load_system_ca(l, t, e) != 0) ||
	    (s->cert_file != NULL && tls_load_own(l, t, s->cert_file, s->key_file, e) != 0))
		return -1;
	t->pin_count = s->pin_count;
	t->pins = zr_xmemdup(s->pins, s->pin_count * sizeof(*s->pins));
	tls_load_octets(l, s->pins, s->pin_count * sizeof(*s->pins));
	if (SSL_CTX_set_alpn_protos(c, (const unsigned char *)DOT, sizeof(DOT) - 1) != 0)
		return zr_fail(e, ZR_CONF, "OpenSSL takes no ALPN: %s", tls_load_reason("memory"));
	SSL_CTX_set_verify(c, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(c, tls_trust_server, NULL);
	SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(c, on_session);
	return 0;
}

struct tls_ctx *
tls_client_new(const struct tls_client_spec *spec, struct zr_err *e)
{
	struct tls_ctx *t = make(false);
	struct tls_load l;

	tls_load_begin(&l, false);
	return done(t, &l, client_setup(t, &l, spec, e));
}

/* ---- what is asked ---- */

bool
tls_same(const struct tls_ctx *a, const struct tls_ctx *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return memcmp(a->made_from, b->made_from, sizeof(a->made_from)) == 0;
}

struct zr_wall
tls_not_after(const struct tls_ctx *t)
{
	return t->not_after;
}

const char *
tls_text(const struct tls_ctx *t)
{
	return t->text;
}
