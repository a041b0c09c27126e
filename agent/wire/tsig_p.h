/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of TSIG share: a MAC over parts of messages.  Not for others. */
#pragma once

#include "wire/tsig.h"

#define TSIG_FIXED 16 /* octets of RDATA besides algorithm, MAC and other data */

const uint8_t *tsig_alg_wire(enum tsig_alg alg, size_t *len);

/* A MAC being computed; NULL: failed, which all of these pass on. */
struct evp_mac_ctx_st *mac_start(const struct tsig_key *k);
void mac_octets(struct evp_mac_ctx_st **m, const void *p, size_t n);
/* A MAC that went before, with its length (RFC 8945 section 4.3.1). */
void mac_prior(struct evp_mac_ctx_st **m, const uint8_t *mac, size_t n);
/* A message without its TSIG record, which begins at `len` (section 4.3.2, TS-11). */
void mac_message(struct evp_mac_ctx_st **m, const uint8_t *msg, size_t len, uint16_t original_id,
    uint16_t arcount);
/* The variables of the record (section 4.3.3), or its timers only (TS-18). */
void mac_variables(struct evp_mac_ctx_st **m, const struct tsig_key *k, const struct tsig_rr *rr);
void mac_timers(struct evp_mac_ctx_st **m, const struct tsig_rr *rr);
/* Frees it; false when anything failed. */
bool mac_end(struct evp_mac_ctx_st **m, const struct tsig_key *k, uint8_t out[TSIG_MAC_MAX]);
void mac_drop(struct evp_mac_ctx_st **m);
