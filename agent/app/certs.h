/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The certificates of one configuration: a TLS context for the server and for each peer whose
 * connections are under TLS.  Opened with the configuration and freed with it; connections hold
 * what they use.  Main thread.
 */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/clock.h"
#include "config/config.h"
#include "net/tls.h"

struct agent;
struct certs;

/* Every fault is reported as file:line:col of the map `tls` in question; NULL when there was one.
 */
struct certs *certs_load(const struct config *c, struct config_report *r);
/* What was made from the same goes on as it is, with its sessions, and with what peers of the same
 * name have shown; the rest is what it is now. */
void certs_adopt(struct certs *now, const struct certs *before);
void certs_free(struct certs *s); /* NULL is allowed */

/* Borrowed; NULL: no TLS.  A primary is one of the configuration. */
struct tls_ctx *certs_server(const struct certs *s);
struct tls_ctx *certs_primary(const struct certs *s, const struct config_primary *p);
struct tls_ctx *certs_downstream(const struct certs *s, const struct config_downstream *d);

/*
 * What a client showed is what is configured for it: all that is given must hold, and something
 * must be given (XO-27).  A name counts only with a valid chain to client-ca; then a pin may be
 * that of any certificate of the chain, and without a name that of its own.
 */
bool certs_proves(const struct tls_peer *peer, const char *name, const struct config_pins *pins);
/*
 * Who has connected to us and shown this is the primary: what it is known by when we connect to it,
 * its own CA and pins, is what it is known by then (NT-04).
 */
bool certs_primary_is(const struct certs *s, const struct config_primary *p, struct tls_peer *peer);

/* Expiry (XO-39): is said so long before, and again every day. */
#define CERTS_WARN_US (30 * 86400 * ZR_US_PER_S)
#define CERTS_EVERY_US (86400 * ZR_US_PER_S)

/* A peer showed this (NULL: nothing); its end is said as well, once a day for each. */
void certs_seen(struct certs *s, const char *what, const char *name, const struct tls_peer *peer,
    struct zr_wall now);
/* Own certificates that end soon are written to the log. */
void certs_check(const struct certs *s, struct zr_wall now);
/* certs_watch.c: that, now and then every day. */
void certs_watch(struct agent *a);
/* One line of kind "certificate" for each of our own, and the newest that each peer has shown. */
void certs_json(struct buf *b, const struct certs *s);
