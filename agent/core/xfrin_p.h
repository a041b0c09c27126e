/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Private to xfrin*.c: the state of a reader.
 *
 *            first SOA                         closing SOA
 *   FIRST --------------------> FULL -------------------------------> END (DONE)
 *     |  \                        ^                                    ^
 *     |   \ IXFR                  | second record is no SOA with       |
 *     |    +------------> SHAPE --+ our serial                         |
 *     |                     |                                          |
 *     | not newer           | SOA with our serial       closing SOA    |
 *     v                     v                                          |
 *    END (CURRENT)         DEL ----SOA (new)----> ADD -----------------+
 *                           ^---SOA (old of next)--+
 */
#pragma once

#include "core/xfrin.h"

enum xfrin_phase {
	XFRIN_FIRST, /* waiting for the first record */
	XFRIN_SHAPE, /* IXFR: first SOA seen, the second record tells what it is */
	XFRIN_FULL,
	XFRIN_DEL,
	XFRIN_ADD,
	XFRIN_END
};

#define XFRIN_SOA_RDATA (2 * NAME_MAX_LEN + 20)

struct xfrin {
	struct xfrin_query q;
	struct xfrin_ops ops;
	void *arg;
	enum xfrin_phase phase;
	uint8_t zone_len;
	bool apex_ns; /* T-17 */
	bool diff;
	bool closed; /* the closing SOA has come */
	bool clean;
	bool question; /* a message had it */
	bool local;    /* what failed is on our side: the receiver */
	bool have_soa;
	uint32_t serial;  /* of the first SOA */
	uint32_t reached; /* DEL, ADD: serial up to which the chain leads */
	unsigned empty;	  /* messages without records since the last record */
	struct rr soa;	  /* the first one; points into the two below */
	uint8_t soa_owner[NAME_MAX_LEN];
	uint8_t soa_rdata[XFRIN_SOA_RDATA];
	struct xfrin_stats stats;
	struct msg_walk walk;
};

/*
 * One record of the answer.  MORE, DONE (closing SOA), CURRENT, or FAIL with *e filled, which the
 * caller turns into the step that fits.
 */
enum xfrin_step xfrin_record(struct xfrin *x, const struct rr *rr, struct zr_err *e);

/* Describes a response with an RCODE other than NOERROR; returns -1. */
int xfrin_rcode_fail(const struct msg *m, struct zr_err *e);
