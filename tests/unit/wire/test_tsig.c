/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TSIG against messages that dnspython signed (tsig_vectors.h, written by mktsig.py), against
 * itself, and against what is not right.
 */
#include "base/mem.h"
#include "wire/query.h"
#include "wire/tsig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tsig_vectors.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define NOW ((uint64_t)VECTOR_NOW)
#define TSIG_NAME 16 /* octets of "relay-key.test" */

static uint8_t
nibble(char c)
{
	return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* A message of the vectors in a buffer of its own. */
static struct buf
hex(const char *text)
{
	struct buf b = BUF_INIT;

	for (; *text != '\0'; text += 2)
		buf_u8(&b, (uint8_t)(nibble(text[0]) << 4 | nibble(text[1])));
	assert_false(b.bad);
	return b;
}

static struct tsig_key
key_of(enum tsig_alg alg)
{
	struct buf secret = hex(vector_secret);
	uint8_t name[NAME_MAX_LEN];
	struct tsig_key k;

	assert_int_equal(name_from_text(VECTOR_KEY, name), TSIG_NAME);
	assert_int_equal(tsig_key_init(&k, name, alg, secret.data, secret.len, NULL), 0);
	buf_clear(&secret);
	return k;
}

/* The only key of a server. */
static const struct tsig_key *
find(void *arg, const uint8_t *name)
{
	const struct tsig_key *k = arg;

	return name_equal_case(k->name, name) ? k : NULL;
}

struct got {
	struct msg m;
	struct tsig_txn txn;
	struct tsig_rr rr;
};

static enum tsig_result
verify(struct got *g, const struct buf *b, struct tsig_key *k, uint64_t now)
{
	assert_int_equal(msg_parse(&g->m, b->data, b->len, MSG_FULL, NULL), 0);
	return tsig_verify_request(&g->txn, &g->rr, &g->m, find, k, now);
}

static enum tsig_result
verify_hex(struct got *g, const char *text, struct tsig_key *k, uint64_t now)
{
	struct buf b = hex(text);
	enum tsig_result r = verify(g, &b, k, now);

	buf_clear(&b);
	return r;
}

static enum tsig_result
verify_answer(const struct tsig_txn *t, struct tsig_rr *rr, const struct buf *b, uint64_t now)
{
	struct msg m;

	assert_int_equal(msg_parse(&m, b->data, b->len, MSG_FULL, NULL), 0);
	return tsig_verify_answer(t, rr, &m, now);
}

static void
same(const struct buf *b, const char *text)
{
	struct buf want = hex(text);

	assert_int_equal(b->len, want.len);
	assert_memory_equal(b->data, want.data, want.len);
	buf_clear(&want);
}

/* ---- against the other implementation ---- */

/* Octet by octet what it sends, as the asker and as the one who answers. */
static void
test_signs_as_the_vectors(void **state)
{
	(void)state;
	for (unsigned alg = 0; alg < TSIG_ALG_COUNT; alg++) {
		struct tsig_key k = key_of((enum tsig_alg)alg);
		struct buf req = hex(request_plain), ans = hex(answer_plain);
		size_t plain = req.len;
		struct tsig_txn t;
		struct got g;

		assert_int_equal(tsig_sign_request(&t, &k, &req, NOW, NULL), 0);
		same(&req, requests[alg]);
		assert_int_equal(req.len, plain + tsig_size(&k));
		assert_int_equal(t.mac_len, tsig_alg_mac(k.alg));
		assert_int_equal(verify(&g, &req, &k, NOW), TSIG_OK);
		assert_int_equal(tsig_sign_answer(&g.txn, &ans, NOW + 2, NULL), 0);
		same(&ans, answers[alg]);
		assert_int_equal(verify_answer(&t, &g.rr, &ans, NOW + 3), TSIG_OK);
		assert_int_equal(g.rr.time, NOW + 2);
		assert_int_equal(g.rr.fudge, TSIG_FUDGE);
		buf_clear(&req);
		buf_clear(&ans);
		tsig_key_clear(&k);
	}
}

static void
test_reads_the_vectors(void **state)
{
	struct tsig_key k = key_of(TSIG_HMAC_SHA256);
	struct got g;

	(void)state;
	assert_int_equal(verify_hex(&g, request_sha256, &k, NOW + 300), TSIG_OK);
	assert_int_equal(g.rr.time, NOW);
	assert_int_equal(g.rr.mac_len, 32);
	assert_int_equal(g.rr.error, 0);
	assert_int_equal(verify_hex(&g, request_case, &k, NOW), TSIG_OK);
	assert_int_equal(verify_hex(&g, request_forwarded, &k, NOW), TSIG_OK);
	assert_int_equal(g.rr.original_id, 0x1234);
	assert_int_equal(verify_hex(&g, request_late, &k, UINT64_C(0x100000000) + 12), TSIG_OK);
	assert_int_equal(
	    verify_hex(&g, request_late, &k, UINT64_C(0x100000000) + 13), TSIG_BADTIME);
	tsig_key_clear(&k);
}

static void
test_root_key_and_long_secret(void **state)
{
	struct buf secret = hex(secret_edns);
	struct tsig_key k;
	struct got g;

	(void)state;
	assert_int_equal(
	    tsig_key_init(&k, (const uint8_t *)"", TSIG_HMAC_SHA512, secret.data, secret.len, NULL),
	    0);
	assert_int_equal(verify_hex(&g, request_edns, &k, NOW), TSIG_OK);
	assert_true(g.m.edns.present);
	tsig_key_clear(&k);
	buf_clear(&secret);
}

/* The request of the vectors, sent by us. */
static struct tsig_txn
asked(const struct tsig_key *k)
{
	struct buf req = hex(request_plain);
	struct tsig_txn t;

	assert_int_equal(tsig_sign_request(&t, k, &req, NOW, NULL), 0);
	buf_clear(&req);
	return t;
}

static void
test_error_answers(void **state)
{
	struct tsig_key k = key_of(TSIG_HMAC_SHA256);
	struct buf late = hex(answer_badtime), trunc = hex(answer_badtrunc), ours;
	struct tsig_txn t = asked(&k);
	uint64_t peer;
	struct got g;

	(void)state;
	assert_int_equal(verify_answer(&t, &g.rr, &late, NOW + 10), TSIG_REJECTED);
	assert_int_equal(g.rr.error, TSIG_ERROR_BADTIME);
	assert_true(tsig_peer_time(&g.rr, &peer));
	assert_int_equal(peer, NOW + 4000);
	assert_int_equal(verify_answer(&t, &g.rr, &trunc, NOW), TSIG_REJECTED);
	assert_int_equal(g.rr.error, TSIG_ERROR_BADTRUNC);
	assert_false(tsig_peer_time(&g.rr, &peer));

	/* The same as the server. */
	ours = hex(answer_notauth);
	assert_int_equal(verify_hex(&g, request_sha256, &k, NOW + 4000), TSIG_BADTIME);
	assert_int_equal(tsig_sign_error(&g.txn, &g.rr, TSIG_BADTIME, &ours, NOW + 4000, NULL), 0);
	same(&ours, answer_badtime);
	buf_clear(&ours);
	ours = hex(answer_notauth);
	k.mac_min = 33;
	assert_int_equal(verify_hex(&g, request_sha256, &k, NOW + 1), TSIG_BADTRUNC);
	assert_int_equal(tsig_sign_error(&g.txn, &g.rr, TSIG_BADTRUNC, &ours, NOW + 1, NULL), 0);
	same(&ours, answer_badtrunc);
	buf_clear(&ours);
	buf_clear(&late);
	buf_clear(&trunc);
	tsig_key_clear(&k);
}

struct vector_stream {
	const char *query;
	const char *const *message;
	const int *seconds;
	size_t count;
	enum tsig_alg alg;
	unsigned unsigned_bits;
};

static const struct vector_stream streams[] = {
    {full_query, full, full_seconds, COUNT(full), TSIG_HMAC_SHA256, 0},
    {sparse_query, sparse, sparse_seconds, COUNT(sparse), TSIG_HMAC_SHA1, 0x26},
    {slow_query, slow, slow_seconds, COUNT(slow), TSIG_HMAC_SHA384, 0x04},
};

/* The query as it was signed: what the asker remembers. */
static struct tsig_txn
asked_hex(const char *text, struct tsig_key *k)
{
	struct got g;

	assert_int_equal(verify_hex(&g, text, k, NOW), TSIG_OK);
	return g.txn;
}

static enum tsig_result
feed(struct tsig_stream *s, const char *text, uint64_t now)
{
	struct buf b = hex(text);
	enum tsig_result r;
	struct tsig_rr rr;
	struct msg m;

	assert_int_equal(msg_parse(&m, b.data, b.len, MSG_FULL, NULL), 0);
	r = tsig_stream_verify(s, &rr, &m, now);
	buf_clear(&b);
	return r;
}

static void
test_streams_of_the_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(streams); i++) {
		const struct vector_stream *v = &streams[i];
		struct tsig_key k = key_of(v->alg);
		struct tsig_txn t = asked_hex(v->query, &k);
		struct tsig_stream s;

		tsig_stream_init(&s, &t);
		assert_false(tsig_stream_whole(&s));
		for (size_t n = 0; n < v->count; n++) {
			bool bare = (v->unsigned_bits >> n & 1) != 0;
			uint64_t now = NOW + (uint64_t)v->seconds[n];

			assert_int_equal(
			    feed(&s, v->message[n], now), bare ? TSIG_PENDING : TSIG_OK);
			assert_int_equal(tsig_stream_whole(&s), !bare);
		}
		tsig_stream_clear(&s);
		tsig_key_clear(&k);
	}
}

/* Ours are all signed (TS-16), and so are those of the first vector. */
static void
test_stream_signed_as_the_vectors(void **state)
{
	struct tsig_key k = key_of(TSIG_HMAC_SHA256);
	struct tsig_txn t = asked_hex(full_query, &k);

	(void)state;
	for (size_t i = 0; i < COUNT(full); i++) {
		struct buf b = hex(full[i]);
		struct msg m;

		assert_int_equal(msg_parse(&m, b.data, b.len, MSG_FULL, NULL), 0);
		b.len = m.tsig_at;
		buf_put_u16(&b, 10, (uint16_t)(m.arcount - 1));
		assert_int_equal(
		    tsig_sign_answer(&t, &b, NOW + (uint64_t)full_seconds[i], NULL), 0);
		same(&b, full[i]);
		buf_clear(&b);
	}
	tsig_key_clear(&k);
}

/* A message lost, twice, in another order, changed, or of another stream. */
static void
test_streams_are_chains(void **state)
{
	static const struct {
		size_t at[4]; /* of `full`; 9 ends it */
		enum tsig_result last;
	} order[] = {{{0, 1, 2, 9}, TSIG_OK}, {{0, 2, 9}, TSIG_BADSIG}, {{1, 9}, TSIG_BADSIG},
	    {{0, 0, 9}, TSIG_BADSIG}, {{0, 1, 1, 9}, TSIG_BADSIG}, {{2, 9}, TSIG_BADSIG}};
	struct tsig_key k = key_of(TSIG_HMAC_SHA256);
	struct tsig_txn t = asked_hex(full_query, &k);

	(void)state;
	for (size_t i = 0; i < COUNT(order); i++) {
		enum tsig_result r = TSIG_OK;
		struct tsig_stream s;

		tsig_stream_init(&s, &t);
		for (size_t n = 0; order[i].at[n] != 9; n++) {
			assert_int_equal(r, TSIG_OK);
			r = feed(&s, full[order[i].at[n]], NOW);
		}
		assert_int_equal(r, order[i].last);
		if (r != TSIG_OK) { /* and that was it */
			assert_int_equal(feed(&s, full[0], NOW), TSIG_FAILED);
			assert_false(tsig_stream_whole(&s));
		}
		tsig_stream_clear(&s);
	}
	/* The answer of another query. */
	t = asked(&k);
	{
		struct tsig_stream s;

		tsig_stream_init(&s, &t);
		assert_int_equal(feed(&s, full[0], NOW), TSIG_BADSIG);
		tsig_stream_clear(&s);
	}
	tsig_key_clear(&k);
}

static void
test_unsigned_messages_count(void **state)
{
	struct tsig_key k = key_of(TSIG_HMAC_SHA1);
	struct tsig_txn t = asked_hex(sparse_query, &k);
	struct tsig_stream s;

	(void)state;
	/* One of the unsigned ones is missing. */
	tsig_stream_init(&s, &t);
	assert_int_equal(feed(&s, sparse[0], NOW), TSIG_OK);
	assert_int_equal(feed(&s, sparse[1], NOW), TSIG_PENDING);
	assert_int_equal(feed(&s, sparse[3], NOW), TSIG_BADSIG);
	tsig_stream_clear(&s);
	/* They are swapped. */
	tsig_stream_init(&s, &t);
	assert_int_equal(feed(&s, sparse[0], NOW), TSIG_OK);
	assert_int_equal(feed(&s, sparse[2], NOW), TSIG_PENDING);
	assert_int_equal(feed(&s, sparse[1], NOW), TSIG_PENDING);
	assert_int_equal(feed(&s, sparse[3], NOW), TSIG_BADSIG);
	tsig_stream_clear(&s);
	/* The first one must be signed. */
	tsig_stream_init(&s, &t);
	assert_int_equal(feed(&s, sparse[1], NOW), TSIG_NONE);
	assert_false(tsig_stream_whole(&s));
	tsig_stream_clear(&s);
	tsig_key_clear(&k);
}

/* TS-17, TS-20, Q-12: 99 are fine, the hundredth ends it. */
static void
test_gap(void **state)
{
	struct tsig_key k = key_of(TSIG_HMAC_SHA256);
	struct tsig_txn t = asked_hex(full_query, &k);
	struct tsig_stream s = {0};

	(void)state;
	tsig_stream_clear(&s);
	tsig_stream_init(&s, &t);
	assert_int_equal(feed(&s, full[0], NOW), TSIG_OK);
	for (int i = 0; i < 99; i++)
		assert_int_equal(feed(&s, answer_plain, NOW), TSIG_PENDING);
	assert_false(tsig_stream_whole(&s));
	assert_int_equal(feed(&s, answer_plain, NOW), TSIG_NONE);
	tsig_stream_clear(&s);
	tsig_key_clear(&k);
}

/* ---- against itself ---- */

/* Every message is signed. */
static void
run_stream(struct tsig_key *k, unsigned count)
{
	struct tsig_txn asker = asked(k), server = asker;
	struct tsig_stream s;
	struct tsig_rr rr;
	struct msg m;

	tsig_stream_init(&s, &asker);
	for (unsigned i = 0; i < count; i++) {
		struct buf b = hex(answer_plain);

		assert_int_equal(tsig_sign_answer(&server, &b, NOW + i, NULL), 0);
		assert_int_equal(msg_parse(&m, b.data, b.len, MSG_FULL, NULL), 0);
		assert_int_equal(tsig_stream_verify(&s, &rr, &m, NOW + i), TSIG_OK);
		buf_clear(&b);
	}
	assert_true(tsig_stream_whole(&s));
	tsig_stream_clear(&s);
}

static void
test_long_stream(void **state)
{
	(void)state;
	for (unsigned alg = 0; alg < TSIG_ALG_COUNT; alg++) {
		struct tsig_key k = key_of((enum tsig_alg)alg);

		run_stream(&k, 250);
		tsig_key_clear(&k);
	}
}

/* TS-21: our clock going back does not show; a peer's does. */
static void
test_time_in_a_stream(void **state)
{
	struct tsig_key k = key_of(TSIG_HMAC_SHA256);
	struct tsig_txn asker = asked(&k), server = asker;
	struct buf first = hex(answer_plain), second = hex(answer_plain);
	struct tsig_stream s;
	struct tsig_rr rr;
	struct msg m;

	(void)state;
	tsig_stream_init(&s, &asker);
	assert_int_equal(tsig_sign_answer(&server, &first, NOW + 50, NULL), 0);
	assert_int_equal(tsig_sign_answer(&server, &second, NOW, NULL), 0);
	assert_int_equal(msg_parse(&m, first.data, first.len, MSG_FULL, NULL), 0);
	assert_int_equal(tsig_stream_verify(&s, &rr, &m, NOW + 50), TSIG_OK);
	assert_int_equal(msg_parse(&m, second.data, second.len, MSG_FULL, NULL), 0);
	assert_int_equal(tsig_stream_verify(&s, &rr, &m, NOW), TSIG_OK);
	assert_int_equal(rr.time, NOW + 50);
	buf_clear(&second);
	second = hex(answer_plain);
	server.answer_time = 0;
	assert_int_equal(tsig_sign_answer(&server, &second, NOW + 49, NULL), 0);
	assert_int_equal(msg_parse(&m, second.data, second.len, MSG_FULL, NULL), 0);
	assert_int_equal(tsig_stream_verify(&s, &rr, &m, NOW + 50), TSIG_BADTIME);
	tsig_stream_clear(&s);
	buf_clear(&first);
	buf_clear(&second);
	tsig_key_clear(&k);
}

/* An answer to a truncated request hashes its MAC as it was sent. */
static void
cut_mac(struct buf *b, const struct msg *m, size_t whole, size_t left)
{
	size_t rdlen_at = m->tsig_at + TSIG_NAME + 8, mac_at = rdlen_at + 2 + 13 + 10;

	buf_put_u16(b, rdlen_at, (uint16_t)(get_u16(b->data + rdlen_at) - (whole - left)));
	buf_put_u16(b, mac_at - 2, (uint16_t)left);
	memmove(b->data + mac_at + left, b->data + mac_at + whole, 6);
	b->len -= whole - left;
}

static enum tsig_result
verify_cut(struct got *g, struct tsig_key *k, size_t left)
{
	struct buf b = hex(requests[k->alg]);
	enum tsig_result r;

	assert_int_equal(msg_parse(&g->m, b.data, b.len, MSG_FULL, NULL), 0);
	cut_mac(&b, &g->m, tsig_alg_mac(k->alg), left);
	r = verify(g, &b, k, NOW);
	buf_clear(&b);
	return r;
}

static void
test_truncated_macs(void **state)
{
	struct tsig_key k = key_of(TSIG_HMAC_SHA256), k512 = key_of(TSIG_HMAC_SHA512);
	struct got g;

	(void)state;
	assert_int_equal(verify_cut(&g, &k, 16), TSIG_OK); /* half of 32 */
	assert_int_equal(g.txn.mac_len, 16);
	assert_int_equal(verify_cut(&g, &k, 31), TSIG_OK);
	for (size_t n = 0; n < 16; n++)
		assert_int_equal(verify_cut(&g, &k, n), TSIG_FORMERR);
	assert_int_equal(verify_cut(&g, &k512, 32), TSIG_OK);
	assert_int_equal(verify_cut(&g, &k512, 31), TSIG_FORMERR);
	/* Policy is looked at last, when all else is right (TS-04, TS-10). */
	k.mac_min = 20;
	assert_int_equal(verify_cut(&g, &k, 20), TSIG_OK);
	assert_int_equal(verify_cut(&g, &k, 19), TSIG_BADTRUNC);
	assert_ptr_equal(g.txn.key, &k);
	tsig_key_clear(&k);
	tsig_key_clear(&k512);
}

/* hmac-sha1: 10 octets are half of 20 and the least of all. */
static void
test_least_mac(void **state)
{
	struct tsig_key k = key_of(TSIG_HMAC_SHA1);
	struct buf b = hex(request_sha1);
	struct got g;
	size_t at;

	(void)state;
	for (size_t left = 9; left <= 11; left++) {
		buf_clear(&b);
		b = hex(request_sha1);
		assert_int_equal(msg_parse(&g.m, b.data, b.len, MSG_FULL, NULL), 0);
		at = g.m.tsig_at + TSIG_NAME + 8;
		buf_put_u16(&b, at, (uint16_t)(get_u16(b.data + at) - (20 - left)));
		at += 2 + 11 + 10; /* the name of the algorithm is shorter */
		buf_put_u16(&b, at - 2, (uint16_t)left);
		memmove(b.data + at + left, b.data + at + 20, 6);
		b.len -= 20 - left;
		assert_int_equal(verify(&g, &b, &k, NOW), left < 10 ? TSIG_FORMERR : TSIG_OK);
	}
	buf_clear(&b);
	tsig_key_clear(&k);
}

static void
test_answer_to_truncated_request(void **state)
{
	struct tsig_key k = key_of(TSIG_HMAC_SHA256);
	struct tsig_txn asker = asked(&k);
	struct buf ans = hex(answer_plain);
	struct got g;

	(void)state;
	assert_int_equal(verify_cut(&g, &k, 16), TSIG_OK);
	assert_int_equal(tsig_sign_answer(&g.txn, &ans, NOW, NULL), 0);
	assert_int_equal(verify_answer(&asker, &g.rr, &ans, NOW), TSIG_BADSIG);
	asker.mac_len = 16;
	assert_int_equal(verify_answer(&asker, &g.rr, &ans, NOW), TSIG_OK);
	buf_clear(&ans);
	tsig_key_clear(&k);
}

/* ---- against what is not right ---- */

static void
test_times(void **state)
{
	static const struct {
		int apart;
		enum tsig_result want;
	} at[] = {{0, TSIG_OK}, {300, TSIG_OK}, {-300, TSIG_OK}, {301, TSIG_BADTIME},
	    {-301, TSIG_BADTIME}, {1 << 30, TSIG_BADTIME}, {-VECTOR_NOW, TSIG_BADTIME}};
	struct tsig_key k = key_of(TSIG_HMAC_SHA256);
	struct tsig_txn t = asked(&k);
	struct buf ans = hex(answer_sha256);
	struct tsig_rr rr;
	struct got g;

	(void)state;
	for (size_t i = 0; i < COUNT(at); i++) {
		uint64_t now = (uint64_t)((int64_t)NOW + at[i].apart);

		assert_int_equal(verify_hex(&g, request_sha256, &k, now), at[i].want);
	}
	assert_int_equal(verify_answer(&t, &rr, &ans, NOW + 302), TSIG_OK);
	assert_int_equal(verify_answer(&t, &rr, &ans, NOW + 303), TSIG_BADTIME);
	buf_clear(&ans);
	tsig_key_clear(&k);
}

/* TS-04: the key comes first, then the MAC, then the time. */
static void
test_order_of_checks(void **state)
{
	struct tsig_key k = key_of(TSIG_HMAC_SHA256), sha1 = key_of(TSIG_HMAC_SHA1);
	struct tsig_key other, stranger;
	struct got g;

	(void)state;
	assert_int_equal(tsig_key_set(&other, VECTOR_KEY, "hmac-sha256", "b3RoZXI=", NULL), 0);
	assert_int_equal(tsig_key_set(&stranger, "other.test", "hmac-sha256", "b3RoZXI=", NULL), 0);
	assert_int_equal(verify_hex(&g, request_sha256, &stranger, 0), TSIG_BADKEY);
	assert_null(g.txn.key);
	assert_int_equal(verify_hex(&g, request_sha256, &sha1, 0), TSIG_BADKEY);
	assert_int_equal(verify_hex(&g, request_sha256, &other, 0), TSIG_BADSIG);
	assert_null(g.txn.key); /* TS-14 */
	k.mac_min = 40;
	assert_int_equal(verify_hex(&g, request_sha256, &k, 0), TSIG_BADTIME);
	assert_int_equal(verify_hex(&g, request_sha256, &k, NOW), TSIG_BADTRUNC);
	tsig_key_clear(&k);
	tsig_key_clear(&sha1);
	tsig_key_clear(&other);
	tsig_key_clear(&stranger);
}

/* TS-05, TS-06: an error that is not signed is noticed, and is not believed (TS-24). */
static void
test_unsigned_errors(void **state)
{
	static const enum tsig_result why[] = {TSIG_BADKEY, TSIG_BADSIG};
	struct tsig_key k = key_of(TSIG_HMAC_SHA256), other;
	struct tsig_txn t = asked(&k);

	(void)state;
	assert_int_equal(tsig_key_set(&other, "other.test", "sha1", "b3RoZXI=", NULL), -1);
	assert_int_equal(tsig_key_set(&other, "other.test", "hmac-sha1", "b3RoZXI=", NULL), 0);
	for (size_t i = 0; i < COUNT(why); i++) {
		struct buf b = hex(answer_notauth);
		struct got g;
		size_t len = b.len;

		(void)verify_hex(&g, request_sha256, &other, NOW);
		assert_int_equal(tsig_sign_error(&g.txn, &g.rr, why[i], &b, NOW, NULL), 0);
		assert_int_equal(b.len, len + tsig_size(&k) - 32);
		assert_int_equal(verify_answer(&t, &g.rr, &b, NOW), TSIG_REJECTED_UNSIGNED);
		assert_int_equal(g.rr.error, tsig_result_error(why[i]));
		assert_int_equal(g.rr.original_id, 0x1234);
		/* The same with another RCODE, or another error, is nonsense. */
		b.data[3] = (uint8_t)(b.data[3] & 0xf0);
		assert_int_equal(verify_answer(&t, &g.rr, &b, NOW), TSIG_FORMERR);
		b.data[3] |= RCODE_NOTAUTH;
		b.data[b.len - 3] = TSIG_ERROR_BADTIME;
		assert_int_equal(verify_answer(&t, &g.rr, &b, NOW), TSIG_FORMERR);
		buf_clear(&b);
	}
	tsig_key_clear(&k);
	tsig_key_clear(&other);
}

/* The answer must be signed, and with the key of the question (TS-13, TS-23). */
static void
test_other_answers(void **state)
{
	struct tsig_key k = key_of(TSIG_HMAC_SHA256), other;
	struct tsig_txn t = asked(&k), t2;
	struct buf bare = hex(answer_plain), b = hex(answer_plain), req = hex(request_plain);
	struct tsig_rr rr;

	(void)state;
	assert_int_equal(verify_answer(&t, &rr, &bare, NOW), TSIG_NONE);
	assert_int_equal(tsig_key_set(&other, "other.test", "hmac-sha256", "b3RoZXI=", NULL), 0);
	t2 = t;
	t2.key = &other;
	assert_int_equal(tsig_sign_answer(&t2, &b, NOW, NULL), 0);
	assert_int_equal(verify_answer(&t, &rr, &b, NOW), TSIG_BADKEY);
	/* A request with our key is no answer, even to itself. */
	assert_int_equal(tsig_sign_request(&t2, &k, &req, NOW, NULL), 0);
	assert_int_equal(verify_answer(&t, &rr, &req, NOW), TSIG_BADSIG);
	tsig_key_clear(&other);
	buf_clear(&bare);
	buf_clear(&b);
	buf_clear(&req);
	tsig_key_clear(&k);
}

/* One bit anywhere: only the ID and the case of the names in the record may change. */
static void
test_every_bit_counts(void **state)
{
	struct tsig_key k = key_of(TSIG_HMAC_SHA256);
	struct buf b = hex(request_sha256);
	struct got *g = zr_xcalloc(1, sizeof(*g));
	unsigned taken = 0;
	size_t tsig_at;

	(void)state;
	assert_int_equal(verify(g, &b, &k, NOW), TSIG_OK);
	tsig_at = g->m.tsig_at;
	for (size_t i = 0; i < b.len * 8; i++) {
		uint8_t bit = (uint8_t)(1 << i % 8), *at = &b.data[i / 8];
		bool name = i / 8 > tsig_at && bit == 0x20;

		*at ^= bit;
		if (msg_parse(&g->m, b.data, b.len, MSG_FULL, NULL) == 0 &&
		    tsig_verify_request(&g->txn, &g->rr, &g->m, find, &k, NOW) == TSIG_OK) {
			if (i / 8 >= 2 && !name)
				fail_msg("bit %zu made no difference", i);
			taken++;
		}
		*at ^= bit;
	}
	/* 16 of the ID; the letters of relay-key.test and hmac-sha */
	assert_int_equal(taken, 16 + 12 + 7);
	buf_clear(&b);
	free(g);
	tsig_key_clear(&k);
}

/* A message with one TSIG record, whose parts are as given. */
static enum tsig_result
handmade(const char *owner, size_t owner_len, uint16_t class, uint32_t ttl, const char *rdata,
    size_t rdlen)
{
	struct tsig_key k = key_of(TSIG_HMAC_SHA256);
	struct buf b = hex(request_plain);
	enum tsig_result r;
	struct got g;

	buf_bytes(&b, owner, owner_len);
	buf_u16(&b, TYPE_TSIG);
	buf_u16(&b, class);
	buf_u32(&b, ttl);
	buf_u16(&b, (uint16_t)rdlen);
	buf_bytes(&b, rdata, rdlen);
	buf_put_u16(&b, 10, 1);
	r = verify(&g, &b, &k, NOW);
	buf_clear(&b);
	tsig_key_clear(&k);
	return r;
}

#define NAME "\011relay-key\004test\0"
#define ALG "\013hmac-sha256\0"
#define TIMERS "\0\0\x65\x53\xf1\0\x01\x2c"
#define MAC                                                                                        \
	"\0\x20"                                                                                   \
	"0123456789abcdef0123456789abcdef"
#define REST "\x12\x34\0\0\0\0"
#define H(owner, class, ttl, rdata)                                                                \
	handmade(owner, sizeof(owner) - 1, class, ttl, rdata, sizeof(rdata) - 1)

static void
test_forms(void **state)
{
	(void)state;
	assert_int_equal(H(NAME, CLASS_ANY, 0, ALG TIMERS MAC REST), TSIG_BADSIG);
	assert_int_equal(H(NAME, CLASS_IN, 0, ALG TIMERS MAC REST), TSIG_FORMERR);
	assert_int_equal(H(NAME, CLASS_ANY, 1, ALG TIMERS MAC REST), TSIG_FORMERR);
	assert_int_equal(H(NAME, CLASS_ANY, 0, ALG TIMERS MAC REST "x"), TSIG_FORMERR);
	assert_int_equal(H(NAME, CLASS_ANY, 0, ALG TIMERS MAC "\x12\x34\0\0\0"), TSIG_FORMERR);
	assert_int_equal(H(NAME, CLASS_ANY, 0, ALG TIMERS MAC "\x12\x34\0\0\0\x01"), TSIG_FORMERR);
	assert_int_equal(H(NAME, CLASS_ANY, 0, ALG TIMERS MAC "\x12\x34\0\0\0\x01x"), TSIG_BADSIG);
	assert_int_equal(H(NAME, CLASS_ANY, 0, ALG TIMERS "\xff\xff" REST), TSIG_FORMERR);
	assert_int_equal(H(NAME, CLASS_ANY, 0, ALG TIMERS "\0\0" REST), TSIG_FORMERR);
	assert_int_equal(H(NAME, CLASS_ANY, 0, ALG), TSIG_FORMERR);
	assert_int_equal(H(NAME, CLASS_ANY, 0, ""), TSIG_FORMERR);
	assert_int_equal(H(NAME, CLASS_ANY, 0, "\xc0\x0c" TIMERS MAC REST), TSIG_FORMERR);
	assert_int_equal(H(NAME, CLASS_ANY, 0, "\013hmac"), TSIG_FORMERR);
	assert_int_equal(H("\0", CLASS_ANY, 0, ALG TIMERS MAC REST), TSIG_BADKEY);
	/* A MAC which is longer than the algorithm's (TS-07). */
	assert_int_equal(H(NAME, CLASS_ANY, 0,
			     ALG TIMERS "\0\x21"
					"0123456789abcdef0123456789abcdefx" REST),
	    TSIG_FORMERR);
	/* What is not known is a wrong key, whatever the MAC is; HMAC-MD5 is not known (TS-28). */
	assert_int_equal(
	    H(NAME, CLASS_ANY, 0, "\010hmac-md5\007sig-alg\003reg\003int\0" TIMERS MAC REST),
	    TSIG_BADKEY);
	assert_int_equal(H(NAME, CLASS_ANY, 0, "\0" TIMERS "\0\0" REST), TSIG_BADKEY);
	assert_int_equal(H("\x05stran\0", CLASS_ANY, 0, ALG TIMERS "\0\0" REST), TSIG_BADKEY);
}

static void
test_no_tsig(void **state)
{
	struct tsig_key k = key_of(TSIG_HMAC_SHA256);
	struct tsig_rr rr;
	struct got g;

	(void)state;
	assert_int_equal(verify_hex(&g, request_plain, &k, NOW), TSIG_NONE);
	assert_int_equal(tsig_read(&rr, &g.m), TSIG_NONE);
	assert_null(g.txn.key);
	tsig_key_clear(&k);
}

/* No room: the message stays as it was. */
static void
test_limits(void **state)
{
	struct tsig_key k = key_of(TSIG_HMAC_SHA256);
	struct buf b = hex(request_plain), want = hex(request_plain);
	struct zr_err e;
	struct tsig_txn t;

	(void)state;
	b.max = b.len + tsig_size(&k) - 1;
	assert_int_equal(tsig_sign_request(&t, &k, &b, NOW, &e), -1);
	assert_int_equal(e.code, ZR_LIMIT);
	assert_false(b.bad);
	assert_int_equal(b.len, want.len);
	assert_memory_equal(b.data, want.data, want.len);
	b.max++;
	assert_int_equal(tsig_sign_request(&t, &k, &b, NOW, &e), 0);
	buf_clear(&b);
	/* As long as a message can be. */
	b = hex(request_plain);
	b.max = 0;
	while (b.len < MSG_MAX - tsig_size(&k) + 1)
		buf_u8(&b, 0);
	assert_int_equal(tsig_sign_request(&t, &k, &b, NOW, &e), -1);
	b.len--;
	assert_int_equal(tsig_sign_request(&t, &k, &b, NOW, &e), 0);
	assert_int_equal(b.len, MSG_MAX);
	buf_clear(&b);
	/* ARCOUNT is full; the buffer has failed before. */
	b = hex(request_plain);
	buf_put_u16(&b, 10, UINT16_MAX);
	assert_int_equal(tsig_sign_request(&t, &k, &b, NOW, &e), -1);
	b.bad = true;
	assert_int_equal(tsig_sign_request(&t, &k, &b, NOW, &e), -1);
	assert_int_equal(e.code, ZR_NOMEM);
	buf_clear(&b);
	buf_clear(&want);
	tsig_key_clear(&k);
}

static void
test_longest(void **state)
{
	char name[300];
	struct tsig_key k;

	(void)state;
	snprintf(name, sizeof(name), "%063d.%063d.%063d.%061d", 1, 2, 3, 4);
	assert_int_equal(tsig_key_set(&k, name, "hmac-sha512", "b3RoZXI=", NULL), 0);
	assert_int_equal(k.name_len, NAME_MAX_LEN);
	assert_int_equal(tsig_size(&k) + 6, TSIG_SIZE_MAX);
	tsig_key_clear(&k);
}

/* ---- keys ---- */

static void
test_algorithms(void **state)
{
	enum tsig_alg alg;
	struct zr_err e;

	(void)state;
	for (unsigned i = 0; i < TSIG_ALG_COUNT; i++) {
		char text[32];
		uint8_t wire[NAME_MAX_LEN];

		assert_int_equal(tsig_alg_parse(&alg, tsig_alg_name((enum tsig_alg)i), &e), 0);
		assert_int_equal(alg, i);
		snprintf(text, sizeof(text), "%s.", tsig_alg_name((enum tsig_alg)i));
		text[0] = 'H';
		assert_int_equal(tsig_alg_parse(&alg, text, &e), 0);
		assert_int_equal(alg, i);
		assert_true(name_from_text(text, wire) > 0);
		assert_true(tsig_alg_find(&alg, wire));
		assert_int_equal(alg, i);
	}
	assert_int_equal(tsig_alg_parse(&alg, "hmac-md5", &e), -1);
	assert_string_equal(e.text, "hmac-md5 is not safe, and not supported");
	assert_int_equal(tsig_alg_parse(&alg, "HMAC-MD5.SIG-ALG.REG.INT.", &e), -1);
	assert_string_equal(e.text, "hmac-md5 is not safe, and not supported");
	assert_int_equal(tsig_alg_parse(&alg, "hmac-sha25", &e), -1);
	assert_int_equal(tsig_alg_parse(&alg, "hmac-sha2566", &e), -1);
	assert_int_equal(tsig_alg_parse(&alg, "", &e), -1);
	assert_int_equal(tsig_alg_parse(&alg, ".", &e), -1);
}

static void
test_key_texts(void **state)
{
	static const struct {
		const char *text, *name;
		enum tsig_alg alg;
		const char *secret;
		size_t len;
	} good[] = {
	    {"a.b:Zm9v", "a.b.", TSIG_HMAC_SHA256, "foo", 3},
	    {"hmac-sha1:A.b.:Zm9vYg==", "a.b.", TSIG_HMAC_SHA1, "foob", 4},
	    {"HMAC-SHA512.:.:Zm9vYmE=", ".", TSIG_HMAC_SHA512, "fooba", 5},
	    {"hmac-sha384:a:Zm9vYmFy", "a.", TSIG_HMAC_SHA384, "foobar", 6},
	    {"hmac-sha224:a:////+++/", "a.", TSIG_HMAC_SHA224, "\xff\xff\xff\xfb\xef\xbf", 6},
	    {"hmac-sha256:a:AAAA", "a.", TSIG_HMAC_SHA256, "\0\0\0", 3},
	};
	char text[NAME_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		struct tsig_key k;
		struct zr_err e;

		if (tsig_key_parse(&k, good[i].text, &e) != 0)
			fail_msg("%s: %s", good[i].text, e.text);
		assert_string_equal(name_text(k.name, text), good[i].name);
		assert_int_equal(k.alg, good[i].alg);
		assert_int_equal(k.secret_len, good[i].len);
		assert_memory_equal(k.secret, good[i].secret, good[i].len);
		tsig_key_clear(&k);
		assert_null(k.secret);
		tsig_key_clear(&k);
	}
}

/* None of them shows the secret, wherever it stands. */
static void
test_bad_key_texts(void **state)
{
	static const char *const bad[] = {"", "a", "c2VjcmV0", ":", "a:", "a:c2VjcmV0x",
	    "a:c2VjcmV", "a:c2Vjc mV0", "a:c2VjcmV=", "a:c2Vj=mV0", "a:====", "a:=", "a:c2Vjcm==x",
	    "a:c2Vjc-_0", "a:Zh==", "a:Zm9=", ":c2VjcmV0", "a..b:c2VjcmV0", "md5:a:c2VjcmV0",
	    "hmac-md5:a:c2VjcmV0", "c2VjcmV0:hmac-sha256:a", "hmac-sha256:c2VjcmV0..x:abc",
	    "hmac-sha256:a:b:c2VjcmV0:", "a:c2VjcmV0\n", "a:c2VjcmV0 "};
	struct tsig_key k;
	struct zr_err e;
	char *text;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		if (tsig_key_parse(&k, bad[i], &e) == 0)
			fail_msg("'%s' was accepted", bad[i]);
		assert_int_equal(e.code, ZR_CONF);
		assert_null(strstr(e.text, "c2V"));
		tsig_key_clear(&k);
	}
	/* The longest secret, and one octet more. */
	text = zr_xmalloc(4000);
	for (size_t n = TSIG_SECRET_MAX; n <= TSIG_SECRET_MAX + 5; n++) {
		size_t groups = (n + 2) / 3;

		strcpy(text, "a:");
		memset(text + 2, 'A', groups * 4);
		text[2 + groups * 4] = '\0';
		if (n % 3 != 0)
			memset(text + 2 + groups * 4 - (3 - n % 3), '=', 3 - n % 3);
		assert_int_equal(tsig_key_parse(&k, text, &e), n <= TSIG_SECRET_MAX ? 0 : -1);
		if (n <= TSIG_SECRET_MAX)
			assert_int_equal(k.secret_len, n);
		tsig_key_clear(&k);
	}
	free(text);
}

static void
test_key_equal(void **state)
{
	static const char *const keys[] = {
	    "a:Zm9v", "b:Zm9v", "a:Zm9w", "a:Zm9vYg==", "hmac-sha1:a:Zm9v"};

	(void)state;
	for (size_t i = 0; i < COUNT(keys); i++)
		for (size_t n = 0; n < COUNT(keys); n++) {
			struct tsig_key a, b;

			assert_int_equal(tsig_key_parse(&a, keys[i], NULL), 0);
			assert_int_equal(tsig_key_parse(&b, keys[n], NULL), 0);
			assert_int_equal(tsig_key_equal(&a, &b), i == n);
			b.mac_min = 16;
			assert_false(tsig_key_equal(&a, &b));
			tsig_key_clear(&a);
			tsig_key_clear(&b);
		}
}

static void
test_texts(void **state)
{
	(void)state;
	for (unsigned i = 0; i < TSIG_RESULT_COUNT; i++) {
		unsigned error = tsig_result_error((enum tsig_result)i);

		assert_non_null(tsig_result_names[i]);
		if (error != 0) /* "badsig" and "BADSIG" */
			assert_int_equal(
			    strcasecmp(tsig_result_names[i], tsig_error_text(error)), 0);
	}
	assert_int_equal(tsig_result_error(TSIG_BADTRUNC), 22);
	assert_int_equal(tsig_result_error(TSIG_FORMERR), 0);
	assert_string_equal(tsig_error_text(99), "unknown error");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_signs_as_the_vectors),
	    cmocka_unit_test(test_reads_the_vectors),
	    cmocka_unit_test(test_root_key_and_long_secret),
	    cmocka_unit_test(test_error_answers),
	    cmocka_unit_test(test_streams_of_the_vectors),
	    cmocka_unit_test(test_stream_signed_as_the_vectors),
	    cmocka_unit_test(test_streams_are_chains),
	    cmocka_unit_test(test_unsigned_messages_count),
	    cmocka_unit_test(test_gap),
	    cmocka_unit_test(test_long_stream),
	    cmocka_unit_test(test_time_in_a_stream),
	    cmocka_unit_test(test_truncated_macs),
	    cmocka_unit_test(test_least_mac),
	    cmocka_unit_test(test_answer_to_truncated_request),
	    cmocka_unit_test(test_times),
	    cmocka_unit_test(test_order_of_checks),
	    cmocka_unit_test(test_unsigned_errors),
	    cmocka_unit_test(test_other_answers),
	    cmocka_unit_test(test_every_bit_counts),
	    cmocka_unit_test(test_forms),
	    cmocka_unit_test(test_no_tsig),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_longest),
	    cmocka_unit_test(test_algorithms),
	    cmocka_unit_test(test_key_texts),
	    cmocka_unit_test(test_bad_key_texts),
	    cmocka_unit_test(test_key_equal),
	    cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
