/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Grouping and splitting change nothing: the same records, put into messages at random, sent as a
 * TCP stream that arrives in random pieces, give the same calls and the same end (X-11, T-14).
 * So do damaged streams.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/rand.h"
#include "core/xfrin.h"
#include "wire/frame.h"
#include "xfrmsg.h"

#define RECORDS_MAX 64
#define ROUNDS 3000
#define OUR_SERIAL 5

struct stream {
	char word[RECORDS_MAX][32];
	unsigned n;
};

static void
put(struct stream *s, const char *fmt, unsigned v)
{
	if (s->n < RECORDS_MAX) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(s->word[s->n++], sizeof(s->word[0]), fmt, v);
#pragma GCC diagnostic pop
	}
}

static void
put_some(struct stream *s, struct rng *r)
{
	for (uint64_t n = rng_below(r, 6); n > 0; n--) {
		unsigned v = (unsigned)rng_below(r, 200);

		put(s, v % 2 ? "a@www=%u" : v % 3 ? "a@x.sub=%u" : "t65280@u=%04u", v);
	}
}

static void
make_full(struct stream *s, struct rng *r)
{
	unsigned serial = OUR_SERIAL + 1 + (unsigned)rng_below(r, 3);

	put(s, "soa=%u", serial);
	put_some(s, r);
	put(s, "ns@", 0);
	put_some(s, r);
	put(s, "soa=%u", serial);
}

static void
make_diff(struct stream *s, struct rng *r)
{
	unsigned steps = 1 + (unsigned)rng_below(r, 3);

	put(s, "soa=%u", OUR_SERIAL + steps);
	for (unsigned i = 0; i < steps; i++) {
		put(s, "soa=%u", OUR_SERIAL + i);
		put_some(s, r);
		put(s, "soa=%u", OUR_SERIAL + i + 1);
		put_some(s, r);
	}
	put(s, "soa=%u", OUR_SERIAL + steps);
}

/* Takes one record out, doubles it, or replaces it. */
static void
damage(struct stream *s, struct rng *r)
{
	static const char *const bad[] = {
	    "soa=6", "soa=99", "ch@x", "a@other.=1", "t255@x=", "a@y=9"};
	size_t at = (size_t)rng_below(r, s->n);

	switch (rng_below(r, 3)) {
	case 0:
		memmove(s->word[at], s->word[at + 1], (s->n - at - 1) * sizeof(s->word[0]));
		s->n--;
		break;
	case 1:
		if (s->n < RECORDS_MAX) {
			memmove(s->word[at + 1], s->word[at], (s->n - at) * sizeof(s->word[0]));
			s->n++;
		}
		break;
	default:
		snprintf(s->word[at], sizeof(s->word[0]), "%s",
		    bad[rng_below(r, sizeof(bad) / sizeof(bad[0]))]);
		break;
	}
}

/* The stream as length-prefixed messages.  group 0: at random; else that many records each. */
static void
to_wire(struct buf *out, const struct stream *s, uint16_t qtype, unsigned group, struct rng *r)
{
	char text[RECORDS_MAX * 40];
	bool first = true;

	for (unsigned i = 0; i < s->n; first = false) {
		unsigned take = group != 0 ? group : (unsigned)rng_below(r, 7);
		size_t at = out->len;

		text[0] = '\0';
		if (!first && group == 0 && rng_below(r, 2) == 0)
			strcat(text, "!noq ");
		if (group == 0 && rng_below(r, 4) == 0)
			strcat(text, "!padding=17 ");
		for (; take > 0 && i < s->n; take--, i++) {
			strcat(text, s->word[i]);
			strcat(text, " ");
		}
		buf_u16(out, 0);
		xfrmsg_build(out, text, qtype);
		buf_put_u16(out, at, (uint16_t)(out->len - at - 2));
	}
}

struct run {
	struct xfrin *x;
	struct xfrmsg_sink sink;
	enum xfrin_step step;
	struct zr_err e;
	bool more_behind; /* messages were left when it ended */
};

static int
on_message(void *arg, const uint8_t *data, size_t len)
{
	struct run *run = arg;
	struct msg m;

	if (run->step != XFRIN_MORE) {
		run->more_behind = true;
		return 0;
	}
	assert_int_equal(msg_parse(&m, data, len, MSG_FULL, &run->e), 0);
	run->step = xfrin_feed(run->x, &m, &run->e);
	return 0;
}

/* pieces 0: in one go. */
static void
run_wire(
    struct run *run, enum xfrin_kind kind, const struct buf *wire, size_t pieces, struct rng *r)
{
	uint8_t zone[255];
	struct xfrin_query q = {.kind = kind,
	    .id = XFRMSG_ID,
	    .zone = xfrmsg_zone(zone),
	    .have_serial = true,
	    .serial = OUR_SERIAL};
	struct frame frame;
	size_t used;

	*run = (struct run){.sink = {.text = BUF_INIT}};
	run->x = xfrin_new(&q, &xfrmsg_ops, &run->sink);
	frame_init(&frame);
	for (size_t at = 0; at < wire->len;) {
		size_t n = pieces == 0 ? wire->len : 1 + (size_t)rng_below(r, pieces);

		if (n > wire->len - at)
			n = wire->len - at;
		assert_int_equal(frame_feed(&frame, wire->data + at, n, &used, on_message, run), 0);
		at += n;
	}
	assert_int_equal(frame_partial(&frame), 0);
	frame_clear(&frame);
	xfrin_free(run->x);
}

/* What stands behind the closing SOA is seen only when it shares its message. */
static bool
same_end(const struct run *a, const struct run *b)
{
	if (a->step == XFRIN_DONE && a->more_behind)
		return b->step == XFRIN_DONE || strstr(b->e.text, "more records") != NULL;
	return a->step == b->step && strcmp(a->e.text, b->e.text) == 0;
}

static void
one_round(struct rng *r, unsigned seen[XFRIN_FAIL + 1])
{
	enum xfrin_kind kind = rng_below(r, 3) == 0 ? XFRIN_AXFR : XFRIN_IXFR;
	uint16_t qtype = kind == XFRIN_IXFR ? TYPE_IXFR : TYPE_AXFR;
	struct stream s = {.n = 0};
	struct buf plain = BUF_INIT, mixed = BUF_INIT;
	struct run a, b;

	if (kind == XFRIN_IXFR && rng_below(r, 2) == 0)
		make_diff(&s, r);
	else
		make_full(&s, r);
	if (rng_below(r, 2) == 0)
		damage(&s, r);
	to_wire(&plain, &s, qtype, 1, r);
	to_wire(&mixed, &s, qtype, rng_below(r, 5) == 0 ? RECORDS_MAX : 0, r);
	run_wire(&a, kind, &plain, 0, r);
	run_wire(&b, kind, &mixed, 1 + (size_t)rng_below(r, 300), r);
	if (strcmp(buf_cstr(&a.sink.text), buf_cstr(&b.sink.text)) != 0 || !same_end(&a, &b))
		fail_msg("step %d %d\n%s\n%s\n%s\n%s", a.step, b.step, buf_cstr(&a.sink.text),
		    buf_cstr(&b.sink.text), a.e.text, b.e.text);
	seen[a.step]++;
	buf_clear(&plain);
	buf_clear(&mixed);
	buf_clear(&a.sink.text);
	buf_clear(&b.sink.text);
}

static void
test_any_grouping(void **state)
{
	unsigned seen[XFRIN_FAIL + 1] = {0};
	struct rng r;

	(void)state;
	rng_seed(&r, 20260801);
	for (unsigned i = 0; i < ROUNDS; i++)
		one_round(&r, seen);
	/* The rounds have been through each kind of end. */
	assert_true(seen[XFRIN_MORE] > 0);
	assert_true(seen[XFRIN_DONE] > ROUNDS / 3);
	assert_true(seen[XFRIN_TRY_AXFR] > 0);
	assert_true(seen[XFRIN_FAIL] > 0);
}

static enum xfrin_step
feed_one(struct xfrin *x, const char *text)
{
	struct buf b = BUF_INIT;
	enum xfrin_step step;
	struct msg m;

	xfrmsg_build(&b, text, TYPE_AXFR);
	assert_int_equal(msg_parse(&m, b.data, b.len, MSG_FULL, NULL), 0);
	step = xfrin_feed(x, &m, NULL);
	buf_clear(&b);
	return step;
}

/* Two streams on one connection, told apart by their IDs, know nothing of each other (XO-04). */
static void
test_intermingled(void **state)
{
	static const char *const messages[2][4] = {
	    {"soa=7", "ns", "a@www=1", "soa=7"},
	    {"!id=9 !q=other.org. soa=8@other.org.", "!id=9 !noq ns@other.org.",
		"!id=9 !noq a@x.other.org.=2", "!id=9 !noq soa=8@other.org."},
	};
	static const unsigned turns[] = {0, 1, 1, 0, 0, 1, 0, 1};
	struct xfrmsg_sink sink[2] = {{.calls = 0}, {.calls = 0}};
	uint8_t zone[2][255];
	struct xfrin *x[2];
	unsigned at[2] = {0, 0};

	(void)state;
	xfrmsg_zone(zone[0]);
	name_from_text("other.org.", zone[1]);
	for (int i = 0; i < 2; i++) {
		struct xfrin_query q = {
		    .kind = XFRIN_AXFR, .id = i == 0 ? XFRMSG_ID : 9, .zone = zone[i]};

		x[i] = xfrin_new(&q, &xfrmsg_ops, &sink[i]);
	}
	for (size_t i = 0; i < sizeof(turns) / sizeof(turns[0]); i++) {
		unsigned t = turns[i];
		enum xfrin_step step = feed_one(x[t], messages[t][at[t]]);

		assert_int_equal(step, ++at[t] == 4 ? XFRIN_DONE : XFRIN_MORE);
	}
	assert_string_equal(buf_cstr(&sink[0].text), "full=7 soa=7 ns a@www=1");
	assert_string_equal(
	    buf_cstr(&sink[1].text), "full=8 soa@other.org=8 ns@other.org a@x.other.org=2");
	for (int i = 0; i < 2; i++) {
		xfrin_free(x[i]);
		buf_clear(&sink[i].text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_any_grouping),
	    cmocka_unit_test(test_intermingled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
