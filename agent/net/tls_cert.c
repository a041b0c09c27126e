/* SPDX-License-Identifier: BSD-2-Clause */
/* What stands in a certificate.  Its names come from a peer: only what can be printed is shown. */
#include "base/mem.h"
#include "net/tls_p.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define JUDGED_MAX 4 /* primaries at one address seldom are more */

struct tls_peer {
	atomic_uint refs;
	X509 *x;
	struct stack_st_X509 *shown; /* between it and its CA, as the peer says; NULL: nothing */
	bool verified;
	struct tls_pin *pins; /* of the valid chain, but for its own */
	size_t pin_count;
	struct zr_wall not_after;
	struct {
		struct tls_ctx *by; /* held; NULL: none */
		bool good;
	} judged[JUDGED_MAX];
	unsigned judgements;
	char text[TLS_TEXT_MAX];
};

/* ---- pins ---- */

const char *
tls_pin_text(const struct tls_pin *pin, char out[TLS_PIN_TEXT])
{
	(void)EVP_EncodeBlock((unsigned char *)out, pin->sha256, TLS_PIN_LEN);
	return out;
}

bool
tls_pin_parse(struct tls_pin *out, const char *text)
{
	unsigned char raw[TLS_PIN_LEN + 4];
	char again[TLS_PIN_TEXT];

	if (strncmp(text, TLS_SHA256, strlen(TLS_SHA256)) == 0)
		text += strlen(TLS_SHA256);
	if (strlen(text) != TLS_PIN_TEXT - 1 ||
	    EVP_DecodeBlock(raw, (const unsigned char *)text, TLS_PIN_TEXT - 1) != TLS_PIN_LEN + 1)
		return false;
	memcpy(out->sha256, raw, TLS_PIN_LEN);
	/* The decoder forgives what another text of the same pin would have in its last octets. */
	return strcmp(tls_pin_text(out, again), text) == 0;
}

bool
x509_pin(const X509 *x, struct tls_pin *out)
{
	unsigned char *der = NULL;
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);
	bool ok =
	    len > 0 && EVP_Digest(der, (size_t)len, out->sha256, NULL, EVP_sha256(), NULL) == 1;

	OPENSSL_free(der);
	return ok;
}

/* ---- times ---- */

/* 0 for what is no time: then it has ended long ago. */
static struct zr_wall
wall(const ASN1_TIME *a)
{
	struct zr_wall w = {0};
	struct tm tm;

	if (a != NULL && ASN1_TIME_to_tm(a, &tm) == 1)
		w.us = (int64_t)timegm(&tm) * ZR_US_PER_S;
	return w;
}

struct zr_wall
x509_not_after(const X509 *x)
{
	return wall(X509_get0_notAfter(x));
}

struct zr_wall
x509_not_before(const X509 *x)
{
	return wall(X509_get0_notBefore(x));
}

/* ---- names ---- */

/* A text of bounded room; what does not fit ends in "...". */
struct show {
	char *out;
	size_t size, len;
};

static void
show(struct show *s, const void *text, size_t n)
{
	const unsigned char *p = text;

	for (size_t i = 0; i < n; i++) {
		if (s->len + 4 >= s->size) {
			memcpy(s->out + s->len, "...", 3);
			s->out[s->len + 3] = '\0';
			s->size = 0; /* nothing more */
			return;
		}
		s->out[s->len++] = (char)(p[i] >= ' ' && p[i] < 0x7f ? p[i] : '?');
	}
	if (s->size > 0)
		s->out[s->len] = '\0';
}

static void
show_name(struct show *s, const GENERAL_NAME *g)
{
	char text[INET6_ADDRSTRLEN];
	int n;

	if (g->type == GEN_DNS) {
		if (s->len > 0)
			show(s, ", ", 2);
		show(s, ASN1_STRING_get0_data(g->d.dNSName),
		    (size_t)ASN1_STRING_length(g->d.dNSName));
	} else if (g->type == GEN_IPADD) {
		n = ASN1_STRING_length(g->d.iPAddress);
		if ((n == 4 || n == 16) &&
		    inet_ntop(n == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(g->d.iPAddress),
			text, sizeof(text)) != NULL) {
			if (s->len > 0)
				show(s, ", ", 2);
			show(s, text, strlen(text));
		}
	}
}

void
x509_names(const X509 *x, char *out, size_t size)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	struct show s = {out, size, 0};
	char *subject;

	out[0] = '\0';
	for (int i = 0; i < sk_GENERAL_NAME_num(names) && s.size > 0; i++)
		show_name(&s, sk_GENERAL_NAME_value(names, i));
	GENERAL_NAMES_free(names);
	if (s.len > 0)
		return;
	subject = X509_NAME_oneline(X509_get_subject_name(x), NULL, 0);
	if (subject != NULL && subject[0] != '\0')
		show(&s, subject, strlen(subject));
	else
		show(&s, "no name", 7);
	OPENSSL_free(subject);
}

void
x509_text(const X509 *x, char out[TLS_TEXT_MAX])
{
	const size_t tail = strlen(", " TLS_SHA256) + TLS_PIN_TEXT;
	char pin[TLS_PIN_TEXT];
	struct tls_pin p;

	x509_names(x, out, TLS_TEXT_MAX - tail);
	if (x509_pin(x, &p))
		snprintf(out + strlen(out), tail, ", " TLS_SHA256 "%s", tls_pin_text(&p, pin));
}

/* ---- the peer ---- */

static void
keep_pins(struct tls_peer *p, struct stack_st_X509 *chain)
{
	int n = chain != NULL ? sk_X509_num(chain) : 0;

	p->pins = zr_xcalloc((size_t)n + 1, sizeof(*p->pins));
	for (int i = 1; i < n; i++)
		p->pin_count += x509_pin(sk_X509_value(chain, i), &p->pins[p->pin_count]);
}

struct tls_peer *
tls_peer_new(X509 *x, const char *doubt, struct stack_st_X509 *shown, struct stack_st_X509 *chain)
{
	struct tls_peer *p = zr_xcalloc(1, sizeof(*p));
	size_t len;

	atomic_init(&p->refs, 1);
	p->x = x;
	p->verified = doubt == NULL;
	if (shown != NULL && sk_X509_num(shown) > 0)
		p->shown = X509_chain_up_ref(shown);
	keep_pins(p, doubt == NULL ? chain : NULL);
	p->not_after = x509_not_after(x);
	x509_text(x, p->text);
	len = strlen(p->text);
	if (doubt != NULL)
		snprintf(p->text + len, sizeof(p->text) - len, ", not verified: %s", doubt);
	return p;
}

struct tls_peer *
tls_peer_hold(struct tls_peer *p)
{
	if (p != NULL)
		atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
	return p;
}

void
tls_peer_drop(struct tls_peer *p)
{
	if (p == NULL || atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
		return;
	X509_free(p->x);
	sk_X509_pop_free(p->shown, X509_free);
	for (unsigned i = 0; i < JUDGED_MAX; i++)
		tls_drop(p->judged[i].by);
	free(p->pins);
	free(p);
}

bool
tls_peer_judged(const struct tls_peer *p, const struct tls_ctx *by, bool *good)
{
	for (unsigned i = 0; i < JUDGED_MAX; i++)
		if (p->judged[i].by == by) {
			*good = p->judged[i].good;
			return true;
		}
	return false;
}

/* The oldest gives way: it may be of a configuration that is gone. */
void
tls_peer_remember(struct tls_peer *p, struct tls_ctx *by, bool good)
{
	unsigned i = p->judgements++ % JUDGED_MAX;

	tls_drop(p->judged[i].by);
	p->judged[i].by = tls_hold(by);
	p->judged[i].good = good;
}

X509 *
tls_peer_x509(const struct tls_peer *p)
{
	return p->x;
}

struct stack_st_X509 *
tls_peer_shown(const struct tls_peer *p)
{
	return p->shown;
}

bool
tls_peer_verified(const struct tls_peer *p)
{
	return p != NULL && p->verified;
}

static bool
same_name(const ASN1_STRING *a, const char *name, size_t len)
{
	size_t n = (size_t)ASN1_STRING_length(a);
	const char *p = (const char *)ASN1_STRING_get0_data(a);

	if (n > 0 && p[n - 1] == '.')
		n--;
	return n == len && n > 0 && memchr(p, '\0', n) == NULL && strncasecmp(p, name, n) == 0;
}

bool
tls_peer_named(const struct tls_peer *p, const char *name)
{
	size_t len = strlen(name);
	GENERAL_NAMES *names;
	bool found = false;

	if (p == NULL || strchr(name, '*') != NULL)
		return false;
	if (len > 0 && name[len - 1] == '.')
		len--;
	names = X509_get_ext_d2i(p->x, NID_subject_alt_name, NULL, NULL);
	for (int i = 0; i < sk_GENERAL_NAME_num(names) && !found; i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);

		found = g->type == GEN_DNS && same_name(g->d.dNSName, name, len);
	}
	GENERAL_NAMES_free(names);
	return found;
}

bool
tls_peer_pinned(const struct tls_peer *p, const struct tls_pin *pin, bool chain)
{
	struct tls_pin own;

	if (p == NULL)
		return false;
	if (x509_pin(p->x, &own) && memcmp(&own, pin, sizeof(own)) == 0)
		return true;
	for (size_t i = 0; chain && i < p->pin_count; i++)
		if (memcmp(&p->pins[i], pin, sizeof(*pin)) == 0)
			return true;
	return false;
}

struct zr_wall
tls_peer_not_after(const struct tls_peer *p)
{
	return p != NULL ? p->not_after : (struct zr_wall){0};
}

const char *
tls_peer_text(const struct tls_peer *p)
{
	return p != NULL ? p->text : "no certificate";
}
