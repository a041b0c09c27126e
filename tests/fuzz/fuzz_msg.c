/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Input: one DNS message.  Parses it, walks every section in both ways, puts the records in
 * order, and answers the message.
 */
#include "fuzz.h"

#include "base/buf.h"
#include "base/mem.h"
#include "wire/cookie.h"
#include "wire/msg.h"
#include "wire/query.h"

#include <stdlib.h>
#include <string.h>

struct state {
	struct msg m, again;
	struct msg_walk walk;
	uint8_t owner[NAME_MAX_LEN];
	uint8_t rdata[MSG_MAX + 2 * NAME_MAX_LEN + 2];
	uint8_t last_key[RR_KEY_MAX], key[RR_KEY_MAX];
};

static int
sign(int v)
{
	return (v > 0) - (v < 0);
}

/* Names in RDATA are whole and uncompressed, and the parts fill it. */
static void
check_layout(const struct rr *rr)
{
	const struct rdata_part *p = rdata_layout(rr->type);
	size_t at = 0, n;

	for (; p != NULL && p->kind != 0; p++) {
		n = p->count;
		if (p->kind == 's')
			n = 1u + rr->rdata[at];
		if (p->kind == '*')
			n = rr->rdlen - at;
		if (p->kind == 'n' || p->kind == 'd') {
			n = name_check(rr->rdata + at, rr->rdlen - at);
			FUZZ_CHECK(n > 0);
		}
		at += n;
	}
	FUZZ_CHECK(rdata_layout(rr->type) == NULL || at == rr->rdlen);
}

/* The owner's last label but the root is the apex here, so that any name is within it. */
static const uint8_t root[1];

static void
check_order(struct state *s, const struct rr *rr, size_t *last_len)
{
	size_t owner_len, n = rr_key(rr, root, s->key, &owner_len);

	FUZZ_CHECK(n <= RR_KEY_MAX && owner_len < n);
	FUZZ_CHECK(rr_cmp(rr, rr, root) == 0 && rr_same(rr, rr) && rr_identical(rr, rr));
	FUZZ_CHECK(s->key[0] == rr_part(rr));
	memcpy(s->last_key, s->key, n);
	FUZZ_CHECK(rr_key_tail(rr, owner_len, s->last_key) == n);
	FUZZ_CHECK(memcmp(s->last_key, s->key, n) == 0);
	*last_len = n;
}

/* Two records of one message side by side: their keys and rr_cmp() must agree. */
static void
check_pair(const struct rr *a, const struct rr *b)
{
	uint8_t ka[RR_KEY_MAX], kb[RR_KEY_MAX];
	size_t an = rr_key(a, root, ka, NULL), bn = rr_key(b, root, kb, NULL);
	int c = memcmp(ka, kb, an < bn ? an : bn), order = rr_cmp(a, b, root);

	FUZZ_CHECK(sign(order) == -sign(rr_cmp(b, a, root)));
	FUZZ_CHECK((order == 0) == (rr_same(a, b) || (a->class != b->class && order == 0)));
	if (c != 0)
		FUZZ_CHECK(sign(c) == sign(order));
	else if (an < RR_KEY_MAX && bn < RR_KEY_MAX)
		FUZZ_CHECK(sign((int)an - (int)bn) == sign(order));
}

static void
walk(struct state *s, enum msg_section section)
{
	uint8_t *kept_rdata = NULL, kept_owner[NAME_MAX_LEN];
	struct rr rr, slow, kept = {0};
	struct zr_err e;
	size_t pos, key_len;
	int rc;

	if (msg_walk_start(&s->walk, &s->m, section, &e) < 0)
		return;
	for (;;) {
		pos = s->walk.pos;
		rc = msg_next(&s->walk, &rr, &e);
		if (rc != 1)
			break;
		FUZZ_CHECK(s->walk.pos > pos && s->walk.pos <= s->m.len);
		FUZZ_CHECK(name_check(rr.owner, rr.owner_len) == rr.owner_len);
		FUZZ_CHECK(rr.ttl <= INT32_MAX);
		check_layout(&rr);
		FUZZ_CHECK(
		    msg_rr_at(s->m.data, s->m.len, &pos, &slow, s->owner, s->rdata, &e) == 0);
		FUZZ_CHECK(pos == s->walk.pos && rr_identical(&rr, &slow));
		check_order(s, &rr, &key_len);
		if (kept_rdata != NULL)
			check_pair(&kept, &rr);
		free(kept_rdata);
		kept = rr;
		kept_rdata = zr_xmemdup(rr.rdata, rr.rdlen);
		memcpy(kept_owner, rr.owner, rr.owner_len);
		kept.owner = kept_owner;
		kept.rdata = kept_rdata;
	}
	FUZZ_CHECK(rc == 0 || e.code == ZR_FORMERR);
	free(kept_rdata);
}

/* Whatever was asked, the answer is a message we can read ourselves. */
static void
answer(struct state *s)
{
	const uint8_t ours[] = "clientC.server-cookie-16";
	const struct reply r = {.rcode = RCODE_BADCOOKIE,
	    .cookie = s->m.edns.cookie_len != 0 ? ours : NULL,
	    .ede = EDE_PROHIBITED,
	    .ede_text = "fuzz",
	    .keepalive = 1,
	    .expire = true,
	    .expire_s = 7};
	struct buf b = BUF_INIT;

	zr_mem_fail_after(1);
	query_reply(&b, &s->m, &r);
	zr_mem_fail_after(0);
	FUZZ_CHECK(b.bad);
	buf_clear(&b);
	query_reply(&b, &s->m, &r);
	FUZZ_CHECK(!b.bad && msg_parse(&s->again, b.data, b.len, MSG_FULL, NULL) == 0);
	FUZZ_CHECK(s->again.id == s->m.id && s->again.opcode == s->m.opcode);
	FUZZ_CHECK(s->again.edns.present == s->m.edns.present && !s->again.edns.malformed);
	FUZZ_CHECK(s->again.edns.cookie_len == (r.cookie != NULL ? COOKIE_OURS : 0));
	FUZZ_CHECK(
	    s->again.edns.cookie_len == 0 || memcmp(s->again.edns.cookie, ours, COOKIE_OURS) == 0);
	FUZZ_CHECK(msg_rcode(&s->again) == (s->m.edns.present ? RCODE_BADCOOKIE : RCODE_SERVFAIL));
	FUZZ_CHECK(s->again.has_question == s->m.has_question);
	buf_clear(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct state *s = zr_xcalloc(1, sizeof(*s));
	struct zr_err e = {0};
	int full;

	if (msg_parse(&s->m, data, size, MSG_HEADER_ONLY, &e) < 0)
		FUZZ_CHECK(e.code == ZR_FORMERR);
	full = msg_parse(&s->m, data, size, MSG_FULL, &e);
	if (s->m.len != 0) {
		const struct edns *o = &s->m.edns;

		/* C-05: read from within the message, of a legal length only. */
		FUZZ_CHECK(o->cookie_len == 0 || cookie_len_ok(o->cookie_len));
		FUZZ_CHECK(o->cookie_len == 0 ||
			   (o->cookie > data && o->cookie + o->cookie_len <= data + size));
		FUZZ_CHECK(!o->cookie_malformed || o->malformed || (s->m.flags & FLAG_QR) != 0);
		answer(s);
		FUZZ_CHECK(!s->m.has_question ||
			   msg_question_is(&s->m, s->m.qname, s->m.qtype, s->m.qclass));
		if (full == 0 || s->m.answer_at != 0) {
			walk(s, SECTION_ANSWER);
			walk(s, SECTION_AUTHORITY);
			walk(s, SECTION_ADDITIONAL);
		}
	}
	free(s);
	return 0;
}
