/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Input: events, each as: what (1), server (1), seconds (1), length (1), octets: the data of a
 * COOKIE option.  As a server each is judged; as a client it comes in an answer.
 */
#include "fuzz.h"

#include "core/cookiejar.h"
#include "core/cookies.h"

#include <stdlib.h>
#include <string.h>

#define HEAD 4
#define WHAT_ANSWER 0x01 /* to what was asked last; else a request */
#define WHAT_ECHO 0x02	 /* it begins with the client cookie that was sent */
#define WHAT_BADCOOKIE 0x04
#define WHAT_WITHOUT 0x08
#define WHAT_MOVED 0x10	 /* we have another address */
#define WHAT_BROKEN 0x20 /* its length is illegal */

static uint8_t drawn;

static void
draw(void *p, unsigned n)
{
	memset(p, ++drawn, n);
}

static struct zr_addr
addr(unsigned i)
{
	return (struct zr_addr){.family = i & 1 ? 6 : 4, .port = 53, .ip = {10, 0, 0, (uint8_t)i}};
}

static void
as_server(struct cookies *c, const struct edns *o, unsigned who, int64_t now_s)
{
	struct zr_wall now = {now_s * ZR_US_PER_S};
	struct zr_addr from = addr(who);
	uint8_t out[COOKIE_OURS], again[COOKIE_OURS];
	enum cookies_verdict v = cookies_take(c, o, &from, now, out);

	FUZZ_CHECK((v == COOKIES_NONE) == (o->cookie_len == 0));
	FUZZ_CHECK((v == COOKIES_FIRST) == (o->cookie_len == COOKIE_CLIENT));
	if (v == COOKIES_NONE)
		return;
	/* Whatever came, what goes back is good, here and only here. */
	struct edns back = {.cookie = out, .cookie_len = COOKIE_OURS};
	FUZZ_CHECK(cookies_take(c, &back, &from, now, again) == COOKIES_RIGHT);
	FUZZ_CHECK(memcmp(out, again, COOKIE_OURS) == 0);
	FUZZ_CHECK(memcmp(out, o->cookie, COOKIE_CLIENT) == 0);
	from.ip[1] ^= 1;
	FUZZ_CHECK(cookies_take(c, &back, &from, now, again) == COOKIES_WRONG);
}

static void
as_client(struct cookiejar *j, const struct msg *m, unsigned what, unsigned who, int64_t now_s)
{
	struct zr_mono now = {now_s * ZR_US_PER_S};
	struct zr_addr server = addr(who), here = addr(200 + (what & WHAT_MOVED ? 1 : 0));
	struct cookie_sent sent, next;
	uint8_t echo[COOKIE_MAX];
	struct msg r = *m;
	bool moved = (what & WHAT_MOVED) != 0;

	cookiejar_ask(
	    j, &server, moved || cookiejar_stale(j, &server, now) ? &here : NULL, now, &sent);
	FUZZ_CHECK(sent.len == 0 || cookie_len_ok(sent.len));
	if ((what & WHAT_ECHO) != 0 && sent.len != 0 && r.edns.cookie_len != 0) {
		memcpy(echo, r.edns.cookie, r.edns.cookie_len);
		memcpy(echo, sent.data, COOKIE_CLIENT);
		r.edns.cookie = echo;
	}
	enum cookiejar_verdict v = cookiejar_answer(j, &server, &sent, &r, now);
	bool ours = r.edns.cookie_len != 0 && sent.len != 0 &&
		    memcmp(r.edns.cookie, sent.data, COOKIE_CLIENT) == 0;
	FUZZ_CHECK(sent.len != 0 || v == COOKIEJAR_FINE);
	FUZZ_CHECK(!r.edns.cookie_malformed || sent.len == 0 || v == COOKIEJAR_FORGED);
	FUZZ_CHECK(r.edns.cookie_len == 0 || ours || sent.len == 0 || v == COOKIEJAR_FORGED);
	FUZZ_CHECK(v != COOKIEJAR_AGAIN || ours);
	/* What was learned is sent back to the octet. */
	cookiejar_ask(j, &server, NULL, now, &next);
	if (ours && r.edns.cookie_len > COOKIE_CLIENT)
		FUZZ_CHECK(next.len == r.edns.cookie_len &&
			   memcmp(next.data, r.edns.cookie, next.len) == 0);
	if ((what & WHAT_WITHOUT) != 0) {
		cookiejar_without(j, &server, now);
		cookiejar_ask(j, &server, NULL, now, &next);
		FUZZ_CHECK(next.len == 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t secret[2][COOKIE_SECRET] = {"0123456789abcde", "another secret."};
	struct cookies *c = cookies_new();
	struct cookiejar *j = cookiejar_new(16, draw);
	int64_t now = 1000000;

	FUZZ_CHECK(cookies_set(c, secret, 2));
	while (size >= HEAD) {
		unsigned what = data[0], who = data[1];
		size_t len = data[3] % (COOKIE_MAX + 1);

		now += data[2] * 7;
		data += HEAD;
		size -= HEAD;
		if (len > size)
			len = size;
		uint8_t *copy = fuzz_copy(data, len);
		struct msg m = {.edns = {.present = true}};
		if ((what & WHAT_BROKEN) != 0)
			m.edns.cookie_malformed = true;
		else if (cookie_len_ok(len))
			m.edns = (struct edns){
			    .present = true, .cookie = copy, .cookie_len = (uint8_t)len};
		if ((what & WHAT_BADCOOKIE) != 0) {
			m.edns.ext_rcode = RCODE_BADCOOKIE >> 4;
			m.rcode = RCODE_BADCOOKIE & 15;
		}
		if ((what & WHAT_ANSWER) != 0)
			as_client(j, &m, what, who, now);
		else
			as_server(c, &m.edns, who, now);
		free(copy);
		data += len;
		size -= len;
	}
	cookies_free(c);
	cookiejar_free(j);
	return 0;
}
