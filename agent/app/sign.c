/* SPDX-License-Identifier: BSD-2-Clause */
#include "app/sign.h"

#include <inttypes.h>

#include "wire/name.h"

/* TS-25: the clocks are for people to set. */
static int
clocks(struct zr_err *e, const char *who, uint64_t theirs, uint64_t ours)
{
	bool ahead = theirs > ours;

	return zr_fail(e, ZR_REFUSED, "BADTIME%s: its clock is %" PRIu64 " s %s ours", who,
	    ahead ? theirs - ours : ours - theirs, ahead ? "ahead of" : "behind");
}

/* An authentic error, or BADKEY and BADSIG without a signature. */
static int
rejected(struct zr_err *e, const char *key, const struct tsig_rr *rr, uint64_t now)
{
	uint64_t theirs;

	switch (rr->error) {
	case TSIG_ERROR_BADKEY:
		return zr_fail(e, ZR_REFUSED,
		    "it answers BADKEY: it does not know the key %s, or not with this algorithm",
		    key);
	case TSIG_ERROR_BADSIG:
		return zr_fail(
		    e, ZR_REFUSED, "it answers BADSIG: its secret of the key %s is another", key);
	case TSIG_ERROR_BADTIME:
		if (tsig_peer_time(rr, &theirs))
			return clocks(e, " is its answer", theirs, now);
		break;
	default:
		break;
	}
	return zr_fail(
	    e, ZR_REFUSED, "it answers %s to the key %s", tsig_error_text(rr->error), key);
}

int
sign_fail(struct zr_err *e, enum tsig_result why, const struct tsig_key *k,
    const struct tsig_rr *rr, const struct msg *m, uint64_t now)
{
	char key[NAME_TEXT_MAX];

	name_show(k->name, key);
	switch (why) {
	case TSIG_NONE:
		return zr_fail(e, ZR_FORMERR, "the answer (%s) is not signed with the key %s",
		    rcode_text(msg_rcode(m)), key);
	case TSIG_BADKEY:
		return zr_fail(e, ZR_FORMERR,
		    "the answer is signed with another key or algorithm than %s, %s", key,
		    tsig_alg_name(k->alg));
	case TSIG_BADSIG:
		return zr_fail(e, ZR_FORMERR,
		    "the signature of the answer with the key %s is wrong (BADSIG)", key);
	case TSIG_BADTIME:
		return clocks(e, "", rr->time, now);
	case TSIG_BADTRUNC:
		return zr_fail(e, ZR_FORMERR,
		    "the signature of the answer has %u octets, fewer than min-mac of the key %s",
		    rr->mac_len, key);
	case TSIG_REJECTED:
	case TSIG_REJECTED_UNSIGNED:
		return rejected(e, key, rr, now);
	case TSIG_FAILED:
		return zr_fail(e, ZR_INTERNAL, "libcrypto could not verify the answer");
	default:
		return zr_fail(e, ZR_FORMERR, "the signature of the answer is malformed");
	}
}
