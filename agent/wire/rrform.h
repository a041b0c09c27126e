/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Text of the types whose RDATA is a plain row of numbers, names, addresses and strings: most
 * records of most zones, written without ldns.  Private to this room: rr_print() is the door.
 */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "wire/rr.h"

#define RR_FORM_LDNS "L" /* the form of types left to ldns */

/* How the RDATA of a type is written, for rr_form(); NULL: only in the form of RFC 3597. */
const char *rr_type_form(uint16_t type);

/*
 * Appends the RDATA as text.  False when it does not have that form; out may then hold a part of
 * it, which the caller cuts off.
 */
bool rr_form(const struct rr *rr, const char *form, struct buf *out);

void rr_hex(const uint8_t *p, size_t n, struct buf *out); /* lower case, no spaces */
