/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Input: messages with their length before them, as over TCP.  Each is verified as a request, as
 * an answer and as the next one of a stream, and gets the answer that it deserves.  One without
 * TSIG is signed, which must verify, and with a bit changed must not.  The key and the time are
 * those of tests/unit/wire/mktsig.py, from which the corpus has messages that verify.
 */
#include "fuzz.h"

#include "base/mem.h"
#include "wire/query.h"
#include "wire/tsig.h"

#include <string.h>

#define NOW UINT64_C(1700000000)

struct state {
	struct msg m, again;
	struct tsig_rr rr;
	struct tsig_txn asked;
	struct tsig_stream stream;
	bool stream_over;
};

static const struct tsig_key *
the_key(void)
{
	static struct tsig_key key;
	uint8_t secret[48];

	if (key.ready != NULL)
		return &key;
	for (unsigned i = 0; i < sizeof(secret); i++)
		secret[i] = (uint8_t)(i + 1);
	FUZZ_CHECK(tsig_key_init(&key, (const uint8_t *)"\011relay-key\004test", TSIG_HMAC_SHA256,
		       secret, sizeof(secret), NULL) == 0);
	return &key;
}

static const struct tsig_key *
find(void *arg, const uint8_t *name)
{
	(void)arg;
	return name_equal(name, the_key()->name) ? the_key() : NULL;
}

static void
parse(struct msg *m, const struct buf *b)
{
	FUZZ_CHECK(!b->bad && msg_parse(m, b->data, b->len, MSG_FULL, NULL) == 0);
}

/* What was signed with our key is what we would have signed. */
static void
sign_again(const struct state *s)
{
	struct buf b = BUF_INIT;
	struct tsig_txn t;

	if (s->rr.fudge != TSIG_FUDGE || s->rr.error != 0 || s->rr.other_len != 0)
		return;
	buf_bytes(&b, s->m.data, s->m.tsig_at);
	buf_put_u16(&b, 0, s->rr.original_id);
	buf_put_u16(&b, 10, (uint16_t)(s->m.arcount - 1));
	FUZZ_CHECK(tsig_sign_request(&t, the_key(), &b, s->rr.time, NULL) == 0);
	FUZZ_CHECK(memcmp(t.mac, s->rr.mac, s->rr.mac_len) == 0);
	buf_clear(&b);
}

/* As it came, the answer verifies for whoever sent the request with the right key. */
static void
answer(struct state *s, struct tsig_txn *t, enum tsig_result res)
{
	const struct reply r = {
	    .rcode = res == TSIG_OK ? RCODE_NOERROR : RCODE_NOTAUTH, .ede = -1, .keepalive = -1};
	const struct tsig_txn asker = *t;
	struct buf b = BUF_INIT;
	enum tsig_result back;
	struct tsig_rr rr;
	int rc;

	query_reply(&b, &s->m, &r);
	if (res == TSIG_OK)
		rc = tsig_sign_answer(t, &b, NOW, NULL);
	else
		rc = tsig_sign_error(t, &s->rr, res, &b, NOW, NULL);
	FUZZ_CHECK(rc == 0);
	parse(&s->again, &b);
	FUZZ_CHECK(s->again.has_tsig && tsig_read(&rr, &s->again) == TSIG_OK);
	FUZZ_CHECK(rr.error == tsig_result_error(res) && rr.original_id == s->m.id);
	FUZZ_CHECK((asker.key == NULL) == (rr.mac_len == 0));
	if (asker.key != NULL) {
		/* BADTIME has the time of the asker. */
		back = tsig_verify_answer(
		    &asker, &rr, &s->again, res == TSIG_BADTIME ? s->rr.time : NOW);
		FUZZ_CHECK(back == (res == TSIG_OK ? TSIG_OK : TSIG_REJECTED));
	}
	buf_clear(&b);
}

static void
as_request(struct state *s)
{
	struct tsig_txn t;
	enum tsig_result r = tsig_verify_request(&t, &s->rr, &s->m, find, NULL, NOW);

	FUZZ_CHECK(r < TSIG_RESULT_COUNT && r != TSIG_PENDING && r != TSIG_FAILED &&
		   r != TSIG_REJECTED && r != TSIG_REJECTED_UNSIGNED);
	FUZZ_CHECK((r == TSIG_NONE) == !s->m.has_tsig);
	FUZZ_CHECK((t.key != NULL) == (r == TSIG_OK || r == TSIG_BADTIME || r == TSIG_BADTRUNC));
	if (r == TSIG_OK)
		sign_again(s);
	if (r == TSIG_OK || tsig_result_error(r) != 0)
		answer(s, &t, r);
}

static void
as_answer(struct state *s)
{
	enum tsig_result r = tsig_verify_answer(&s->asked, &s->rr, &s->m, NOW);

	FUZZ_CHECK((r == TSIG_NONE) == !s->m.has_tsig && r != TSIG_PENDING && r != TSIG_FAILED);
	if (s->stream_over)
		return;
	r = tsig_stream_verify(&s->stream, &s->rr, &s->m, NOW);
	FUZZ_CHECK(r != TSIG_FAILED);
	FUZZ_CHECK(r != TSIG_PENDING || !s->m.has_tsig);
	FUZZ_CHECK(tsig_stream_whole(&s->stream) == (r == TSIG_OK));
	s->stream_over = r != TSIG_OK && r != TSIG_PENDING;
}

/* The ID may change on the way, and the case of the names in the record does not matter. */
static bool
may_change(size_t tsig_at, size_t bit)
{
	return bit / 8 < 2 || (bit / 8 > tsig_at && bit % 8 == 5);
}

static void
as_ours(struct state *s)
{
	struct buf b = BUF_INIT;
	struct tsig_txn t;
	size_t bit, tsig_at = s->m.len;
	uint32_t hash = 2166136261;

	buf_bytes(&b, s->m.data, s->m.len);
	for (size_t i = 0; i < b.len; i++)
		hash = (hash ^ b.data[i]) * 16777619;
	zr_mem_fail_after(1);
	if (tsig_sign_request(&t, the_key(), &b, NOW, NULL) == 0)
		FUZZ_CHECK(!b.bad);
	zr_mem_fail_after(0);
	buf_clear(&b);
	buf_bytes(&b, s->m.data, s->m.len);
	if (tsig_sign_request(&t, the_key(), &b, NOW, NULL) < 0) {
		FUZZ_CHECK(s->m.len + tsig_size(the_key()) > MSG_MAX || s->m.arcount == 65535);
		buf_clear(&b);
		return;
	}
	parse(&s->again, &b);
	FUZZ_CHECK(s->again.has_tsig && s->again.tsig_at == tsig_at);
	FUZZ_CHECK(tsig_verify_request(&t, &s->rr, &s->again, find, NULL, NOW) == TSIG_OK);
	bit = hash % (b.len * 8);
	b.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	if (!may_change(tsig_at, bit) && msg_parse(&s->again, b.data, b.len, MSG_FULL, NULL) == 0)
		FUZZ_CHECK(tsig_verify_request(&t, &s->rr, &s->again, find, NULL, NOW) != TSIG_OK);
	buf_clear(&b);
}

/* The first message that verifies is the request which all others answer. */
static void
ask(struct state *s)
{
	if (tsig_verify_request(&s->asked, &s->rr, &s->m, find, NULL, NOW) != TSIG_OK)
		s->asked = (struct tsig_txn){.key = the_key()};
	tsig_stream_clear(&s->stream);
	tsig_stream_init(&s->stream, &s->asked);
	s->stream_over = false;
}

static void
one(struct state *s, const uint8_t *data, size_t len)
{
	if (msg_parse(&s->m, data, len, MSG_FULL, NULL) < 0)
		return;
	as_request(s);
	as_answer(s);
	if (!s->m.has_tsig)
		as_ours(s);
	else if (s->asked.mac_len == 0)
		ask(s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct state *s = zr_xcalloc(1, sizeof(*s));
	size_t at = 0, len;

	s->asked.key = the_key();
	tsig_stream_init(&s->stream, &s->asked);
	while (size - at >= 2) {
		len = get_u16(data + at);
		at += 2;
		len = len < size - at ? len : size - at;
		one(s, data + at, len);
		at += len;
	}
	tsig_stream_clear(&s->stream);
	free(s);
	return 0;
}
