/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Errors: a code from a closed list for machines, a text for people.
 *
 * A function that can fail returns 0 or -1 and takes a struct zr_err * as its
 * last argument.  The text is written once, where the fact is known, in lower
 * case, without a full stop, and says what was expected and what was found.
 */
#pragma once

#include <stdarg.h>

enum zr_code {
	ZR_OK = 0,
	ZR_NOMEM,    /* allocation sized by a peer failed */
	ZR_LIMIT,    /* a configured limit was reached */
	ZR_TIMEOUT,  /* no answer in time */
	ZR_IO,	     /* socket or file error */
	ZR_CLOSED,   /* peer closed the connection */
	ZR_TLS,	     /* no TLS connection as it must be: trust, version, certificate */
	ZR_FORMERR,  /* a peer sent something malformed */
	ZR_REFUSED,  /* a peer refused (RCODE REFUSED, NOTAUTH) */
	ZR_NOTIMP,   /* a peer does not implement it */
	ZR_SERVFAIL, /* a peer failed (RCODE SERVFAIL and all others) */
	ZR_BADZONE,  /* zone data which may not be served: no SOA, no NS, foreign owner */
	ZR_DIFF,     /* an incremental transfer does not fit our copy */
	ZR_DB,	     /* the store failed; temporary unless the text says otherwise */
	ZR_CONF,     /* configuration */
	ZR_NOTFOUND, /* no such zone, target, row */
	ZR_INTERNAL, /* a bug of ours, survived */
	ZR_DAMAGED,  /* the store's file does not hold what was written to it */
	ZR_CODE_COUNT
};

#define ZR_ERR_TEXT 256 /* octets of the text, including the NUL; longer ones are cut */

struct zr_err {
	enum zr_code code;
	char text[ZR_ERR_TEXT];
};

/* Fills *e (which may be NULL) and returns -1, so that "return zr_fail(...)" works. */
int zr_fail(struct zr_err *e, enum zr_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "prefix: " in front of the text already there; returns -1. */
int zr_fail_in(struct zr_err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

void zr_err_clear(struct zr_err *e);

/* "nomem", "limit", ...: stable names, written to the log and the database. */
const char *zr_code_name(enum zr_code code);
