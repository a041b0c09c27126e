/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What TLS needs besides a connection: who we are and whom we trust (RFC 9103, RFC 8310).  TLS 1.3
 * and ALPN "dot" in both roles, no 0-RTT, no fallback of any kind (XO-20, XO-21, XO-24, XO-36).
 * conn_spec.tls of net/conn.h puts a context to use.
 *
 * A context is immutable; any thread may hold, drop and use it, and the last drop wipes the key.
 * A reload makes a new one: connections keep the one they began with (XO-39).  Sessions resumed
 * belong to one context as well, so what a new one no longer trusts is not resumed.
 */
#pragma once

#include "base/addr.h"
#include "base/clock.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls_ctx;

#define TLS_PIN_LEN 32 /* SHA-256 of the SubjectPublicKeyInfo (RFC 7858 section 4.2) */
#define TLS_PIN_TEXT 45
#define TLS_TEXT_MAX 160 /* octets of the texts below, with the NUL; longer ones are cut */

struct tls_pin {
	uint8_t sha256[TLS_PIN_LEN];
};

/* The base64 of a pin, as `openssl dgst -sha256 -binary | base64` writes it; false: is none. */
bool tls_pin_parse(struct tls_pin *out, const char *text);
const char *tls_pin_text(const struct tls_pin *pin, char out[TLS_PIN_TEXT]);

/* Strings and arrays are not kept.  Paths are opened as they are. */
struct tls_server_spec {
	const char *cert_file;	    /* PEM: the certificate, then those between it and the CA */
	const char *key_file;	    /* PEM, without passphrase, closed to others */
	const char *client_ca_file; /* PEM; NULL: no chain of a client is ever verified */
	/* For a certificate also without client_ca_file: for pins, and for tls_vouches(). */
	bool ask_client;
};

/*
 * All that is given must hold (XO-24, XO-26).  With a CA: a valid chain for `name`, which is then
 * needed; a pin may be that of any certificate of the chain.  Pins without CA: the key of the
 * server's own certificate is pinned, its dates and its issuer do not matter, a `name` must be in
 * it. Neither: refused.
 */
struct tls_client_spec {
	const char *name;    /* authentication domain name, or an address */
	const char *ca_file; /* PEM */
	bool system_ca;	     /* the system's CAs, read once, here */
	const struct tls_pin *pins;
	size_t pin_count;
	const char *cert_file, *key_file; /* ours, as for a server; both or none */
};

/*
 * NULL: *e is ZR_CONF and names the file, the reason and the remedy; no part of a key stands in
 * it.  The caller has one reference.
 */
struct tls_ctx *tls_server_new(const struct tls_server_spec *spec, struct zr_err *e);
struct tls_ctx *tls_client_new(const struct tls_client_spec *spec, struct zr_err *e);
struct tls_ctx *tls_hold(struct tls_ctx *t); /* NULL: NULL */
void tls_drop(struct tls_ctx *t);	     /* NULL is allowed */

/* Of the same role, and made from the same: a reload keeps the old one. */
bool tls_same(const struct tls_ctx *a, const struct tls_ctx *b); /* NULL is like NULL only */

/*
 * Our own certificate: the earliest end of the chain in cert_file, and "edge.example.net,
 * sha256/...": names and pin, for people.  Without one: 0 and "".
 */
struct zr_wall tls_not_after(const struct tls_ctx *t);
const char *tls_text(const struct tls_ctx *t);

/*
 * The certificate that the other side of a connection showed.  Reference counted, any thread;
 * immutable, but for what tls_vouches() remembers.  A server judges with it (XO-27): a chain alone
 * says nothing, compare a name or a pin.
 */
struct tls_peer;

struct tls_peer *tls_peer_hold(struct tls_peer *p); /* NULL: NULL */
void tls_peer_drop(struct tls_peer *p);		    /* NULL is allowed */

/* A valid chain to a CA of the context.  At a client true unless pins alone are trusted. */
bool tls_peer_verified(const struct tls_peer *p); /* NULL: false, as below */
/*
 * `name` is a DNS name of the subjectAltName, without regard to case or a final dot.  Wildcards of
 * the certificate match nothing: one certificate for several peers would not tell them apart.
 */
bool tls_peer_named(const struct tls_peer *p, const char *name);
/*
 * The key of its certificate.  chain: or that of another one in the valid chain (RFC 7858
 * section 4.2), if there is one: as every certificate below that one would do, compare the name as
 * well.
 */
bool tls_peer_pinned(const struct tls_peer *p, const struct tls_pin *pin, bool chain);
/*
 * Somebody has connected to us and shown this: would `t`, a client's context, take it from the
 * server that it is for?  Its CAs and pins count, not those of the server's context; wildcards
 * match nothing.  Costs the verification of a chain, once for each of a few contexts.  Of one peer
 * it is asked by one thread only.
 */
bool tls_vouches(struct tls_ctx *t, struct tls_peer *p);
struct zr_wall tls_peer_not_after(const struct tls_peer *p); /* of the certificate alone; 0: NULL */
/*
 * "edge.example.net, sha256/...", as far as not verified with ", not verified: REASON" behind it;
 * "no certificate" for NULL.
 */
const char *tls_peer_text(const struct tls_peer *p);
