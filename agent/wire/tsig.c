/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/tsig.h"

#include "wire/rr.h"
#include "wire/tsig_p.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#define MAC_LEAST 10 /* octets, or half of the MAC (RFC 8945 section 5.2.2.1) */
#define PEER_TIME 6

const char *const tsig_result_names[TSIG_RESULT_COUNT] = {"ok", "pending", "none", "formerr",
    "badkey", "badsig", "badtime", "badtrunc", "rejected", "rejected-unsigned", "failed"};

const char *
tsig_error_text(unsigned error)
{
	switch (error) {
	case 0:
		return "NOERROR";
	case TSIG_ERROR_BADSIG:
		return "BADSIG";
	case TSIG_ERROR_BADKEY:
		return "BADKEY";
	case TSIG_ERROR_BADTIME:
		return "BADTIME";
	case TSIG_ERROR_BADTRUNC:
		return "BADTRUNC";
	default:
		return "unknown error";
	}
}

unsigned
tsig_result_error(enum tsig_result r)
{
	switch (r) {
	case TSIG_BADKEY:
		return TSIG_ERROR_BADKEY;
	case TSIG_BADSIG:
		return TSIG_ERROR_BADSIG;
	case TSIG_BADTIME:
		return TSIG_ERROR_BADTIME;
	case TSIG_BADTRUNC:
		return TSIG_ERROR_BADTRUNC;
	default:
		return 0;
	}
}

static uint64_t
rd_u48(struct rd *r)
{
	uint64_t high = rd_u16(r);

	return high << 32 | rd_u32(r);
}

/* The RDATA must be used up: what is behind it would not be signed. */
static bool
read_rdata(struct tsig_rr *rr, const uint8_t *rdata, size_t len)
{
	size_t alg_len = name_check(rdata, len); /* compressed: no name (TS-01) */
	struct rd r;

	if (alg_len == 0)
		return false;
	name_lower(rr->alg, rdata);
	rd_init(&r, rdata + alg_len, len - alg_len);
	rr->time = rd_u48(&r);
	rr->fudge = rd_u16(&r);
	rr->mac_len = rd_u16(&r);
	rr->mac = rd_bytes(&r, rr->mac_len);
	rr->original_id = rd_u16(&r);
	rr->error = rd_u16(&r);
	rr->other_len = rd_u16(&r);
	rr->other = rd_bytes(&r, rr->other_len);
	return !r.bad && rd_left(&r) == 0;
}

enum tsig_result
tsig_read(struct tsig_rr *rr, const struct msg *m)
{
	size_t at = m->tsig_at, left;
	const uint8_t *p;

	if (!m->has_tsig)
		return TSIG_NONE;
	if (msg_name_at(m->data, m->len, &at, rr->name) == 0)
		return TSIG_FORMERR;
	name_lower(rr->name, rr->name);
	p = m->data + at;
	left = m->len - at;
	if (left < 10 || get_u16(p + 2) != CLASS_ANY || get_u32(p + 4) != 0 ||
	    get_u16(p + 8) != left - 10 || !read_rdata(rr, p + 10, left - 10))
		return TSIG_FORMERR;
	return TSIG_OK;
}

bool
tsig_peer_time(const struct tsig_rr *rr, uint64_t *out)
{
	struct rd r;

	if (rr->error != TSIG_ERROR_BADTIME || rr->other_len != PEER_TIME)
		return false;
	rd_init(&r, rr->other, rr->other_len);
	*out = rd_u48(&r);
	return true;
}

/* TS-07: lengths that nobody can have meant. */
static bool
mac_len_ok(enum tsig_alg alg, size_t len)
{
	size_t whole = tsig_alg_mac(alg), least = whole / 2;

	return len <= whole && len >= (least > MAC_LEAST ? least : MAC_LEAST);
}

/* The key has been found, the MAC is complete but for its end: the rest of the checks (TS-04). */
static enum tsig_result
judge(EVP_MAC_CTX **m, const struct tsig_key *k, const struct tsig_rr *rr, uint64_t now)
{
	uint8_t mac[TSIG_MAC_MAX];
	uint64_t apart = now > rr->time ? now - rr->time : rr->time - now;

	if (!mac_end(m, k, mac))
		return TSIG_FAILED;
	if (CRYPTO_memcmp(mac, rr->mac, rr->mac_len) != 0)
		return TSIG_BADSIG;
	if (apart > rr->fudge)
		return TSIG_BADTIME;
	return rr->mac_len < k->mac_min ? TSIG_BADTRUNC : TSIG_OK;
}

static void
mac_of_msg(EVP_MAC_CTX **m, const struct msg *msg, const struct tsig_rr *rr)
{
	mac_message(m, msg->data, msg->tsig_at, rr->original_id, (uint16_t)(msg->arcount - 1));
}

enum tsig_result
tsig_verify_request(struct tsig_txn *t, struct tsig_rr *rr, const struct msg *msg, tsig_find find,
    void *arg, uint64_t now)
{
	enum tsig_result res = tsig_read(rr, msg);
	const struct tsig_key *k;
	enum tsig_alg alg;
	EVP_MAC_CTX *m;

	*t = (struct tsig_txn){0}; /* nothing is signed for whom we do not know (TS-14) */
	if (res != TSIG_OK)
		return res;
	k = find(arg, rr->name);
	if (k == NULL || !tsig_alg_find(&alg, rr->alg) || alg != k->alg)
		return TSIG_BADKEY;
	if (!mac_len_ok(k->alg, rr->mac_len))
		return TSIG_FORMERR;
	m = mac_start(k);
	mac_of_msg(&m, msg, rr);
	mac_variables(&m, k, rr);
	res = judge(&m, k, rr, now);
	if (res == TSIG_OK || res == TSIG_BADTIME || res == TSIG_BADTRUNC) {
		t->key = k;
		memcpy(t->mac, rr->mac, rr->mac_len);
		t->mac_len = (uint8_t)rr->mac_len;
	}
	return res;
}

/*
 * The record of an answer, before its MAC is looked at.  TSIG_OK: there is one, and it is of our
 * key.  An empty MAC is what a peer sends that could not verify our request; nothing else may be
 * unsigned.
 */
static enum tsig_result
read_answer(struct tsig_rr *rr, const struct msg *msg, const struct tsig_key *k)
{
	enum tsig_result res = tsig_read(rr, msg);
	enum tsig_alg alg;

	if (res != TSIG_OK)
		return res;
	if (!name_equal(rr->name, k->name) || !tsig_alg_find(&alg, rr->alg) || alg != k->alg)
		return TSIG_BADKEY;
	if (rr->mac_len == 0 && msg->rcode == RCODE_NOTAUTH &&
	    (rr->error == TSIG_ERROR_BADKEY || rr->error == TSIG_ERROR_BADSIG))
		return TSIG_REJECTED_UNSIGNED;
	return mac_len_ok(alg, rr->mac_len) ? TSIG_OK : TSIG_FORMERR;
}

enum tsig_result
tsig_verify_answer(
    const struct tsig_txn *t, struct tsig_rr *rr, const struct msg *msg, uint64_t now)
{
	enum tsig_result res = read_answer(rr, msg, t->key);
	EVP_MAC_CTX *m;

	if (res != TSIG_OK)
		return res;
	m = mac_start(t->key);
	mac_prior(&m, t->mac, t->mac_len);
	mac_of_msg(&m, msg, rr);
	mac_variables(&m, t->key, rr);
	res = judge(&m, t->key, rr, now);
	return res == TSIG_OK && rr->error != 0 ? TSIG_REJECTED : res;
}

void
tsig_stream_init(struct tsig_stream *s, const struct tsig_txn *t)
{
	*s = (struct tsig_stream){.txn = *t};
}

void
tsig_stream_clear(struct tsig_stream *s)
{
	mac_drop(&s->run);
}

bool
tsig_stream_whole(const struct tsig_stream *s)
{
	return s->txn.answers > 0 && s->waiting == 0 && !s->failed;
}

/* A message without TSIG is hashed as it came. */
static enum tsig_result
take_unsigned(struct tsig_stream *s, const struct msg *msg)
{
	if (s->txn.answers == 0 || s->waiting == TSIG_UNSIGNED_MAX)
		return TSIG_NONE;
	mac_octets(&s->run, msg->data, msg->len);
	s->waiting++;
	return s->run != NULL ? TSIG_PENDING : TSIG_FAILED;
}

static enum tsig_result
take_signed(struct tsig_stream *s, const struct tsig_rr *rr, const struct msg *msg, uint64_t now)
{
	struct tsig_txn *t = &s->txn;
	enum tsig_result res;

	mac_of_msg(&s->run, msg, rr);
	if (t->answers == 0)
		mac_variables(&s->run, t->key, rr);
	else
		mac_timers(&s->run, rr);
	res = judge(&s->run, t->key, rr, now);
	if (res == TSIG_OK && rr->time < t->answer_time)
		res = TSIG_BADTIME; /* TS-21 */
	if (res != TSIG_OK)
		return res;
	if (rr->error != 0)
		return TSIG_REJECTED;
	memcpy(t->mac, rr->mac, rr->mac_len);
	t->mac_len = (uint8_t)rr->mac_len;
	t->answer_time = rr->time;
	t->answers++;
	s->waiting = 0;
	return TSIG_OK;
}

enum tsig_result
tsig_stream_verify(struct tsig_stream *s, struct tsig_rr *rr, const struct msg *msg, uint64_t now)
{
	enum tsig_result res;

	if (s->failed)
		return TSIG_FAILED;
	if (s->run == NULL) {
		s->run = mac_start(s->txn.key);
		mac_prior(&s->run, s->txn.mac, s->txn.mac_len);
	}
	if (!msg->has_tsig) {
		res = take_unsigned(s, msg);
	} else {
		res = read_answer(rr, msg, s->txn.key);
		if (res == TSIG_OK)
			res = take_signed(s, rr, msg, now);
	}
	s->failed = res != TSIG_OK && res != TSIG_PENDING;
	if (s->failed)
		mac_drop(&s->run);
	return res;
}
