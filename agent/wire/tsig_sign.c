/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/rr.h"
#include "wire/tsig_p.h"

#include <assert.h>
#include <openssl/evp.h>
#include <string.h>

#define ARCOUNT_AT 10
#define OTHER_TIME 6 /* octets of the time in a BADTIME answer */

static void
put_time(uint8_t out[OTHER_TIME], uint64_t t)
{
	put_u16(out, (uint16_t)(t >> 32));
	put_u32(out + 2, (uint32_t)t);
}

/* The record goes behind the message.  `alg` is in wire form. */
static int
append(struct buf *b, const uint8_t *name, const uint8_t *alg, const struct tsig_rr *rr,
    struct zr_err *e)
{
	size_t nlen = name_len(name), alen = name_len(alg);
	size_t rdlen = alen + TSIG_FIXED + rr->mac_len + rr->other_len, more = nlen + 10 + rdlen;
	size_t max = b->max != 0 && b->max < MSG_MAX ? b->max : MSG_MAX;
	uint16_t arcount = get_u16(b->data + ARCOUNT_AT);
	uint8_t when[OTHER_TIME];

	if (b->len > max || more > max - b->len || arcount == UINT16_MAX)
		return zr_fail(e, ZR_LIMIT, "no room for TSIG in a message of %zu octets", b->len);
	if (!buf_reserve(b, more))
		return zr_fail(e, ZR_NOMEM, "no memory for TSIG");
	put_time(when, rr->time);
	buf_bytes(b, name, nlen);
	buf_u16(b, TYPE_TSIG);
	buf_u16(b, CLASS_ANY);
	buf_u32(b, 0);
	buf_u16(b, (uint16_t)rdlen);
	buf_bytes(b, alg, alen);
	buf_bytes(b, when, sizeof(when));
	buf_u16(b, rr->fudge);
	buf_u16(b, rr->mac_len);
	buf_bytes(b, rr->mac, rr->mac_len);
	buf_u16(b, rr->original_id);
	buf_u16(b, rr->error);
	buf_u16(b, rr->other_len);
	buf_bytes(b, rr->other, rr->other_len);
	buf_put_u16(b, ARCOUNT_AT, (uint16_t)(arcount + 1));
	return 0;
}

enum cover { COVER_REQUEST, COVER_ANSWER, COVER_NEXT };

static int
sign(struct tsig_txn *t, struct tsig_rr *rr, enum cover cover, struct buf *b, struct zr_err *e)
{
	const struct tsig_key *k = t->key;
	uint8_t mac[TSIG_MAC_MAX];
	size_t alg_len;
	EVP_MAC_CTX *m;
	int rc;

	if (b->bad)
		return zr_fail(e, ZR_NOMEM, "the message is not complete");
	assert(k != NULL && b->len >= MSG_HEADER);
	rr->original_id = get_u16(b->data);
	m = mac_start(k);
	if (cover != COVER_REQUEST)
		mac_prior(&m, t->mac, t->mac_len);
	mac_message(&m, b->data, b->len, rr->original_id, get_u16(b->data + ARCOUNT_AT));
	if (cover == COVER_NEXT)
		mac_timers(&m, rr);
	else
		mac_variables(&m, k, rr);
	if (!mac_end(&m, k, mac))
		return zr_fail(e, ZR_INTERNAL, "libcrypto could not sign");
	rr->mac = mac;
	rr->mac_len = (uint16_t)tsig_alg_mac(k->alg);
	rc = append(b, k->name, tsig_alg_wire(k->alg, &alg_len), rr, e);
	rr->mac = NULL; /* that one ends here */
	if (rc < 0)
		return -1;
	memcpy(t->mac, mac, rr->mac_len);
	t->mac_len = (uint8_t)rr->mac_len;
	return 0;
}

int
tsig_sign_request(
    struct tsig_txn *t, const struct tsig_key *k, struct buf *b, uint64_t now, struct zr_err *e)
{
	struct tsig_rr rr = {.time = now, .fudge = TSIG_FUDGE};

	*t = (struct tsig_txn){.key = k};
	return sign(t, &rr, COVER_REQUEST, b, e);
}

int
tsig_sign_answer(struct tsig_txn *t, struct buf *b, uint64_t now, struct zr_err *e)
{
	struct tsig_rr rr = {.time = now, .fudge = TSIG_FUDGE};

	if (rr.time < t->answer_time) /* our clock was set back */
		rr.time = t->answer_time;
	if (sign(t, &rr, t->answers == 0 ? COVER_ANSWER : COVER_NEXT, b, e) < 0)
		return -1;
	t->answer_time = rr.time;
	t->answers++;
	return 0;
}

int
tsig_sign_error(struct tsig_txn *t, const struct tsig_rr *req, enum tsig_result why, struct buf *b,
    uint64_t now, struct zr_err *e)
{
	struct tsig_rr rr = {.time = now, .fudge = TSIG_FUDGE};
	uint8_t other[OTHER_TIME];

	rr.error = (uint16_t)tsig_result_error(why);
	assert(rr.error != 0);
	if (why == TSIG_BADKEY || why == TSIG_BADSIG) {
		/* Not signed: neither the key nor the asker is known (TS-14). */
		if (b->bad)
			return zr_fail(e, ZR_NOMEM, "the message is not complete");
		rr.time = req->time;
		rr.fudge = req->fudge;
		rr.original_id = get_u16(b->data);
		return append(b, req->name, req->alg, &rr, e);
	}
	if (why == TSIG_BADTIME) { /* with the asker's time, or the asker could not verify it */
		put_time(other, now);
		rr.time = req->time;
		rr.fudge = req->fudge;
		rr.other = other;
		rr.other_len = sizeof(other);
	}
	return sign(t, &rr, COVER_ANSWER, b, e);
}
