/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Text of the types whose RDATA is a plain row of numbers, names, addresses and strings: most
 * records of most zones, written without ldns.  Private to this room: rr_print() is the door.
 */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "wire/rr.h"

/*
 * Appends the RDATA as text.  False when the type is not one of them or the RDATA does not
 * have its form; out may then hold a part of it, which the caller cuts off.
 */
bool rr_form(const struct rr *rr, struct buf *out);
void rr_hex(const uint8_t *p, size_t n, struct buf *out); /* lower case, no spaces */
