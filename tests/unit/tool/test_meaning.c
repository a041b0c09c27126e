/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers to NOTIFYs, and words for them and for what became of forced transfers. */
#include "tool/meaning.h"
#include "tool/reach.h"

#include "core/forced.h"
#include "wire/msg.h"
#include "wire/name.h"
#include "wire/query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define S INT64_C(1000000)

static const int64_t now = INT64_C(1795244339000000); /* 2026-11-21T06:58:59Z */
static const uint8_t zone[] = "\007example\003org";
static struct notifyout o;
static struct buf b;
static struct answer a;

/* An answer to our NOTIFY, to be spoilt by the test. */
static void
answer(uint16_t qtype, unsigned rcode)
{
	o = (struct notifyout){.id = 0x1234,
	    .state = NOTIFYOUT_SENT,
	    .kind = qtype == TYPE_AXFR ? NOTIFYOUT_AXFR : NOTIFYOUT_SOA};
	buf_reset(&b);
	query_notify(&b, o.id, zone, qtype, NULL, NULL);
	b.data[2] |= 0x80; /* QR */
	b.data[3] = (uint8_t)rcode;
}

static bool
take(void)
{
	return answer_read(&a, &o, zone, b.data, b.len);
}

static const char *
meaning(bool tcp)
{
	static char text[600];
	struct buf out = BUF_INIT;

	answer_meaning(&a, (enum notifyout_kind)o.kind, tcp, "example.org", &out);
	assert_true(out.len < sizeof(text));
	strcpy(text, buf_cstr(&out));
	buf_clear(&out);
	return text;
}

static void
assert_in(const char *text, const char *word)
{
	if (strstr(text, word) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", word, text);
}

static void
rcodes(void **state)
{
	static const struct {
		uint16_t qtype;
		unsigned rcode;
		enum answer_kind kind;
		const char *word, *text;
	} cases[] = {
	    {TYPE_SOA, RCODE_NOERROR, ANSWER_ACKNOWLEDGED, "NOERROR", "will ask its primary"},
	    {TYPE_AXFR, RCODE_NOERROR, ANSWER_ACKNOWLEDGED, "NOERROR",
		"does not prove that it transfers"},
	    {TYPE_SOA, RCODE_NOTIMP, ANSWER_UNSUPPORTED, "NOTIMP", "does not know NOTIFY;"},
	    {TYPE_AXFR, RCODE_NOTIMP, ANSWER_UNSUPPORTED, "NOTIMP", "does not know NOTIFY(AXFR)"},
	    {TYPE_AXFR, RCODE_FORMERR, ANSWER_UNSUPPORTED, "FORMERR",
		"rndc retransfer example.org, knotc zone-retransfer example.org"},
	    {TYPE_AXFR, RCODE_REFUSED, ANSWER_REFUSED, "REFUSED", "may not notify it"},
	    {TYPE_SOA, RCODE_NOTAUTH, ANSWER_REFUSED, "NOTAUTH", "not a secondary of this zone"},
	    {TYPE_SOA, RCODE_NXDOMAIN, ANSWER_REFUSED, "NXDOMAIN", "does not have this zone"},
	    {TYPE_SOA, RCODE_SERVFAIL, ANSWER_FAILED, "SERVFAIL", "its log says why"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		answer(cases[i].qtype, cases[i].rcode);
		assert_true(take());
		assert_int_equal(a.kind, cases[i].kind);
		assert_string_equal(answer_word(&a), cases[i].word);
		assert_in(meaning(false), cases[i].text);
	}
}

/* PL-13, N-14: what is no answer to this NOTIFY is not taken for one. */
static void
not_an_answer(void **state)
{
	(void)state;
	answer(TYPE_SOA, RCODE_NOERROR);
	b.data[1] ^= 1;
	assert_false(take()); /* another ID: go on waiting */
	answer(TYPE_SOA, RCODE_NOERROR);
	b.len = MSG_HEADER - 1;
	assert_false(take());

	answer(TYPE_SOA, RCODE_NOERROR);
	b.data[2] &= 0x87; /* opcode 0: it answers queries */
	assert_true(take());
	assert_int_equal(a.kind, ANSWER_ODD);
	assert_in(meaning(false), "ordinary query");
	assert_string_equal(answer_word(&a), "no NOTIFY");
	answer(TYPE_SOA, RCODE_NOERROR);
	b.data[2] &= 0x7f; /* our own message */
	assert_true(take());
	assert_in(meaning(false), "itself a request");
	answer(TYPE_SOA, RCODE_NOERROR);
	b.data[2] = 0xa8; /* opcode 5 */
	assert_true(take());
	assert_in(meaning(false), "another opcode");
	answer(TYPE_SOA, RCODE_NOERROR);
	b.data[MSG_HEADER + 1] = 'x';
	assert_true(take());
	assert_in(meaning(false), "another question");
	answer(TYPE_SOA, RCODE_NOERROR);
	b.data[b.len - 3] = TYPE_AXFR;
	assert_true(take());
	assert_int_equal(a.kind, ANSWER_ODD);
	answer(TYPE_SOA, RCODE_NOERROR);
	b.data[5] = 0; /* no question: only errors may be without (NSD) */
	b.len = MSG_HEADER;
	assert_true(take());
	assert_int_equal(a.kind, ANSWER_ODD);
	b.data[3] = RCODE_REFUSED;
	assert_true(take());
	assert_int_equal(a.kind, ANSWER_REFUSED);
	answer(TYPE_SOA, RCODE_NOERROR);
	buf_u8(&b, 0); /* something behind the end */
	assert_true(take());
	assert_in(meaning(false), "malformed");
}

/* NT-06, I-PDNS-TCP: the zone instead of an answer, with either opcode. */
static void
zone_data(void **state)
{
	uint8_t rdata[22] = {0};
	struct rr soa = {.owner = zone,
	    .owner_len = sizeof(zone),
	    .type = TYPE_SOA,
	    .class = CLASS_IN,
	    .rdata = rdata,
	    .rdlen = sizeof(rdata)};

	(void)state;
	for (int opcode = 0; opcode <= 4; opcode += 4) {
		answer(TYPE_AXFR, RCODE_NOERROR);
		xfr_soa(&b, &soa);
		b.data[7] = 1;
		b.data[2] = (uint8_t)(0x84 | opcode << 3);
		assert_true(take());
		assert_int_equal(a.kind, ANSWER_ZONE_DATA);
		assert_string_equal(answer_word(&a), "zone data");
		assert_in(meaning(true), "took it for a query");
		/* Cut off in the middle of the records: the same. */
		b.len -= 3;
		assert_true(take());
		assert_int_equal(a.kind, ANSWER_ZONE_DATA);
	}
	/* A hint that comes back is no zone. */
	answer(TYPE_SOA, RCODE_NOERROR);
	xfr_soa(&b, &soa);
	b.data[7] = 1;
	assert_true(take());
	assert_int_equal(a.kind, ANSWER_ACKNOWLEDGED);
}

static void
extended_errors(void **state)
{
	(void)state;
	answer(TYPE_AXFR, RCODE_REFUSED);
	b.data[11] = 1;
	buf_bytes(&b, "\0\0\x29\x04\xd0\0\0\0\0\0\x0a\0\x0f\0\x06\0\x12go\x1b!", 21);
	assert_true(take());
	assert_true(a.opt);
	assert_true(a.has_ede);
	assert_int_equal(a.ede, EDE_PROHIBITED);
	assert_in(meaning(false), "; it says EDE 18: go\x1b!"); /* cleaned where it is printed */
	answer(TYPE_AXFR, RCODE_REFUSED);
	assert_true(take());
	assert_false(a.opt);
	assert_false(a.has_ede);
}

/* Every octet of an answer may be anything: no crash, and what is not ours stays unread. */
static void
damage(void **state)
{
	(void)state;
	for (size_t at = 0; at < 40; at++)
		for (unsigned v = 0; v < 256; v++) {
			answer(TYPE_AXFR, RCODE_NOERROR);
			b.data[11] = 1;
			buf_bytes(&b, "\0\0\x29\x04\xd0\0\0\0\0\0\x0a\0\x0f\0\x06\0\x12good", 21);
			if (at >= b.len)
				return;
			b.data[at] = (uint8_t)v;
			if (take())
				assert_true(strlen(meaning(false)) > 0);
		}
}

/* ---- what became of forced transfers ---- */

static struct reach
reach(const char *state)
{
	return (struct reach){.zone = "example.org",
	    .name = "nsd",
	    .address = "192.0.2.81@53",
	    .state = state,
	    .text = "",
	    .at = now - 60 * S};
}

static const char *
words(const struct reach *r)
{
	static char text[600];
	struct buf out = BUF_INIT;

	reach_words(r, now, &out);
	strcpy(text, buf_cstr(&out));
	buf_clear(&out);
	return text;
}

static const char *
problem(const struct reach *r)
{
	static char text[600];
	struct buf out = BUF_INIT;

	if (!reach_problem(r, &out))
		assert_int_equal(out.len, 0);
	strcpy(text, buf_cstr(&out));
	buf_clear(&out);
	return text;
}

static void
addresses(void **state)
{
	struct reach r = reach("owed");

	(void)state;
	r.has_tries = true;
	r.tries = 12;
	r.next_at = now + 300 * S;
	assert_string_equal(
	    words(&r), "owed: tried 12 times, next at 2026-11-21T07:03:59Z (in 5m)");
	assert_string_equal(problem(&r), "");
	r = reach("verified");
	assert_string_equal(
	    words(&r), "verified: fetched the whole zone at 2026-11-21T06:57:59Z (1m ago)");
	assert_string_equal(problem(&r), "");
	r = reach("unverified");
	assert_in(words(&r), "acknowledged, but has not come for the zone");
	assert_in(problem(&r), "nsd at 192.0.2.81@53 acknowledged NOTIFY(AXFR), but has not come");
	assert_in(problem(&r), "own forced retransfer there (rndc retransfer, nsd-control");
	r.kind = CONFIG_KIND_NSD;
	assert_in(problem(&r), "; run there: nsd-control force_transfer example.org");
	r = reach("unsupported");
	r.unsupported_until = now + 86400 * S;
	r.kind = CONFIG_KIND_BIND;
	assert_string_equal(words(&r),
	    "does not know NOTIFY(AXFR), got NOTIFY(SOA); run a retransfer "
	    "there; not tried again until 2026-11-22T06:58:59Z (in 1d)");
	assert_in(problem(&r), "run there: rndc retransfer example.org");
	r.current = true;
	assert_in(words(&r), "got NOTIFY(SOA); not tried");
	assert_string_equal(problem(&r), "");
	r.current = false;
	r.excused = true; /* its command runs */
	assert_string_equal(problem(&r), "");
	r = reach("refused");
	r.text = "REFUSED";
	assert_in(words(&r), "refused at 2026-11-21T06:57:59Z (1m ago): REFUSED");
	assert_in(problem(&r), "zonerelayctl notify --axfr example.org nsd");
	/* Every state has words. */
	for (unsigned i = 0; i < FORCED_PEER_STATE_COUNT; i++) {
		r = reach(forced_peer_names[i]);
		assert_true(strlen(words(&r)) > 3);
	}
	r = reach("strange");
	assert_string_equal(words(&r), "strange");
}

static void
events(void **state)
{
	struct reach_event v = {.event = 2,
	    .at = now - 60 * S,
	    .last_at = now - 60 * S,
	    .serial = 7,
	    .verdict = "new",
	    .notifier = "hidden",
	    .source = "second"};
	struct buf out = BUF_INIT;

	(void)state;
	reach_event_words(&v, now, &out);
	assert_string_equal(buf_cstr(&out),
	    "2 at 2026-11-21T06:57:59Z (1m ago): serial 7 from second, "
	    "asked for by hidden: other content than before, passed on to "
	    "all");
	assert_false(reach_event_problem(&v, &out));
	for (unsigned i = 0; i < FORCED_VERDICT_COUNT; i++) {
		v.verdict = forced_verdict_names[i];
		buf_reset(&out);
		reach_event_words(&v, now, &out);
		assert_in(buf_cstr(&out), "passed on to");
	}
	v.verdict = forced_verdict_names[FORCED_ALTERNATING];
	buf_reset(&out);
	assert_true(reach_event_problem(&v, &out));
	assert_in(buf_cstr(&out), "make them agree");
	v.pinned = true;
	v.verdict = "new";
	buf_reset(&out);
	assert_true(reach_event_problem(&v, &out));
	assert_in(buf_cstr(&out), "only the first one of the zone is believed");
	v.source = "";
	buf_reset(&out);
	reach_event_words(&v, now, &out);
	assert_in(buf_cstr(&out), "NOTIFY(AXFR) by command");
	buf_clear(&out);
}

static void
hooks(void **state)
{
	static const struct {
		const char *state, *last, *want;
	} cases[] = {
	    {"running", "", "running since 1m"},
	    {"waiting", "done", "waits for its turn; last: ended well 2m ago, took 1.5s"},
	    {"retry", "retry",
		"failed 3 times, next at 2026-11-21T06:59:19Z (in 20s); last: failed 2m ago, took "
		"1.5s: exit status 1: no such zone"},
	    {"done", "done", "ended well 2m ago, took 1.5s"},
	    {"failed", "failed", "failed 2m ago, took 1.5s: exit status 1: no such zone; given up"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf out = BUF_INIT;
		struct reach_hook h = {.name = "bind",
		    .state = cases[i].state,
		    .last_state = cases[i].last,
		    .last_text = "exit status 1: no such zone",
		    .since = now - 60 * S,
		    .tries = 3,
		    .next_at = now + 20 * S,
		    .last_at = *cases[i].last != '\0' ? now - 120 * S : 0,
		    .last_duration_us = 1500000};
		reach_hook_words(&h, now, &out);
		assert_string_equal(buf_cstr(&out), cases[i].want);
		buf_reset(&out);
		assert_int_equal(
		    reach_hook_problem(&h, &out), strcmp(cases[i].state, "failed") == 0);
		buf_clear(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rcodes),
	    cmocka_unit_test(not_an_answer),
	    cmocka_unit_test(zone_data),
	    cmocka_unit_test(extended_errors),
	    cmocka_unit_test(damage),
	    cmocka_unit_test(addresses),
	    cmocka_unit_test(events),
	    cmocka_unit_test(hooks),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);

	buf_clear(&b);
	return rc;
}
