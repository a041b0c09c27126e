/* SPDX-License-Identifier: BSD-2-Clause */
/* Certificates made for one run, in a directory of its own. */
#pragma once

#include "net/tls.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY 86400L

static char pki_dir[32];
static char pki_paths[8][128]; /* several are used in one call */
static unsigned pki_turn;

struct pki {
	EVP_PKEY *key;
	X509 *x;
};

static struct pki pki_ca, pki_sub, pki_other;

static inline const char *
pki_path(const char *name)
{
	char *p = pki_paths[pki_turn++ % 8];

	snprintf(p, sizeof(pki_paths[0]), "%s/%s", pki_dir, name);
	return p;
}

static inline void
pki_ext(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX v;
	X509_EXTENSION *ext;

	X509V3_set_ctx(&v, issuer, x, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &v, nid, value);
	assert_non_null(ext);
	assert_int_equal(X509_add_ext(x, ext, -1), 1);
	X509_EXTENSION_free(ext);
}

/* `by` NULL: signed by itself.  `san` NULL: a CA.  Times in seconds from now. */
static inline struct pki
pki_make(const char *cn, const char *san, long from, long to, const struct pki *by)
{
	static long serial;
	struct pki p = {EVP_EC_gen("P-256"), X509_new()};
	X509_NAME *name = X509_get_subject_name(p.x);

	assert_non_null(p.key);
	X509_set_version(p.x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(p.x), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(p.x), from);
	X509_gmtime_adj(X509_getm_notAfter(p.x), to);
	X509_set_pubkey(p.x, p.key);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0);
	X509_set_issuer_name(p.x, by != NULL ? X509_get_subject_name(by->x) : name);
	pki_ext(p.x, p.x, NID_basic_constraints, san == NULL ? "critical,CA:TRUE" : "CA:FALSE");
	if (san != NULL)
		pki_ext(p.x, p.x, NID_subject_alt_name, san);
	assert_true(X509_sign(p.x, by != NULL ? by->key : p.key, EVP_sha256()) > 0);
	return p;
}

static inline void
pki_free(struct pki *p)
{
	EVP_PKEY_free(p->key);
	X509_free(p->x);
}

static inline void
pki_write(const char *name, const struct pki *p, const struct pki *also)
{
	char file[64];
	FILE *f;

	snprintf(file, sizeof(file), "%s.pem", name);
	f = fopen(pki_path(file), "w");
	assert_non_null(f);
	PEM_write_X509(f, p->x);
	if (also != NULL)
		PEM_write_X509(f, also->x);
	fclose(f);
	snprintf(file, sizeof(file), "%s.key", name);
	f = fopen(pki_path(file), "w");
	assert_non_null(f);
	PEM_write_PrivateKey(f, p->key, NULL, NULL, 0, NULL, NULL);
	fclose(f);
	chmod(pki_path(file), 0600);
}

static inline void
pki_leaf(const char *name, const char *san, long from, long to, const struct pki *by)
{
	struct pki p = pki_make(name, san, from, to, by);

	pki_write(name, &p, by == &pki_sub ? &pki_sub : NULL);
	pki_free(&p);
}

static inline int
pki_setup(void **state)
{
	(void)state;
	strcpy(pki_dir, "/tmp/zr-tls-XXXXXX");
	assert_non_null(mkdtemp(pki_dir));
	pki_ca = pki_make("test CA", NULL, -DAY, 90 * DAY, NULL);
	pki_sub = pki_make("test sub CA", NULL, -DAY, 60 * DAY, &pki_ca);
	pki_other = pki_make("other CA", NULL, -DAY, 90 * DAY, NULL);
	pki_write("ca", &pki_ca, NULL);
	pki_write("sub", &pki_sub, NULL);
	pki_write("other", &pki_other, NULL);
	pki_leaf("server", "DNS:ns1.example.net,DNS:ns2.example.net,DNS:*.wild.example.net", -DAY,
	    30 * DAY, &pki_ca);
	pki_leaf("chained", "DNS:ns1.example.net", -DAY, 80 * DAY, &pki_sub);
	pki_leaf("expired", "DNS:ns1.example.net", -9 * DAY, -DAY, &pki_ca);
	pki_leaf("early", "DNS:ns1.example.net", DAY, 9 * DAY, &pki_ca);
	pki_leaf("address", "IP:127.0.0.1,IP:2001:db8::1", -DAY, 30 * DAY, &pki_ca);
	pki_leaf("alone", "DNS:alone.example.net", -DAY, 30 * DAY, NULL);
	pki_leaf("client", "DNS:edge.example.net,DNS:*.many.example.net", -DAY, 30 * DAY, &pki_ca);
	pki_leaf("stranger", "DNS:edge.example.net", -DAY, 30 * DAY, &pki_other);
	pki_leaf("late", "DNS:edge.example.net", -9 * DAY, -DAY, &pki_ca);
	return 0;
}

static inline int
pki_teardown(void **state)
{
	char command[64];

	(void)state;
	pki_free(&pki_ca);
	pki_free(&pki_sub);
	pki_free(&pki_other);
	snprintf(command, sizeof(command), "rm -rf %s", pki_dir);
	return system(command);
}

static inline struct tls_pin
pki_pin_of(const char *file)
{
	FILE *f = fopen(pki_path(file), "r");
	X509 *x = f != NULL ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;
	unsigned char *der = NULL;
	struct tls_pin pin;
	int len;

	assert_non_null(x);
	len = i2d_PUBKEY(X509_get0_pubkey(x), &der);
	assert_true(len > 0);
	assert_int_equal(EVP_Digest(der, (size_t)len, pin.sha256, NULL, EVP_sha256(), NULL), 1);
	OPENSSL_free(der);
	X509_free(x);
	fclose(f);
	return pin;
}

/* ---- contexts ---- */

static inline struct tls_ctx *
server_ctx(const char *name, const char *client_ca, bool ask)
{
	char cert[64], key[64];
	struct zr_err e = {0};
	struct tls_server_spec s = {.ask_client = ask};
	struct tls_ctx *t;

	snprintf(cert, sizeof(cert), "%s.pem", name);
	snprintf(key, sizeof(key), "%s.key", name);
	s.cert_file = pki_path(cert);
	s.key_file = pki_path(key);
	s.client_ca_file = client_ca != NULL ? pki_path(client_ca) : NULL;
	t = tls_server_new(&s, &e);
	if (t == NULL)
		fail_msg("%s", e.text);
	return t;
}

static inline struct tls_ctx *
client_ctx(const char *name, const char *ca, const struct tls_pin *pin, const char *own)
{
	struct zr_err e = {0};
	struct tls_client_spec s = {.name = name, .pins = pin, .pin_count = pin != NULL};
	char cert[64], key[64];
	struct tls_ctx *t;

	s.ca_file = ca != NULL ? pki_path(ca) : NULL;
	if (own != NULL) {
		snprintf(cert, sizeof(cert), "%s.pem", own);
		snprintf(key, sizeof(key), "%s.key", own);
		s.cert_file = pki_path(cert);
		s.key_file = pki_path(key);
	}
	t = tls_client_new(&s, &e);
	if (t == NULL)
		fail_msg("%s", e.text);
	return t;
}
