/* SPDX-License-Identifier: BSD-2-Clause */
/* Signatures that are wrong, said so that an operator knows what to do.  For any thread. */
#pragma once

#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "wire/msg.h"
#include "wire/tsig.h"

static inline uint64_t
sign_time(struct zr_wall now)
{
	return now.us > 0 ? (uint64_t)now.us / ZR_US_PER_S : 0;
}

/* Why this answer to what was signed with `k` is not taken.  rr as tsig_verify_*() left it. */
int sign_fail(struct zr_err *e, enum tsig_result why, const struct tsig_key *k,
    const struct tsig_rr *rr, const struct msg *m, uint64_t now);
