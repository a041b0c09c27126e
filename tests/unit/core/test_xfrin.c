/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The transfer reader over hand-built messages.  Each row: the query, the messages of the
 * answer separated by " | ", what happens after them, the last step, what the receiver got and
 * a piece of the reason.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/xfrin.h"
#include "xfrmsg.h"

#define A XFRIN_AXFR
#define I XFRIN_IXFR

enum { UDP = 1, FORCED = 2, BARE = 4 /* no valid copy */, EOF_AFTER = 8, CLEAN = 16 };

struct row {
	const char *what;
	enum xfrin_kind kind;
	unsigned how;
	uint32_t serial; /* ours */
	const char *messages;
	enum xfrin_step step;
	const char *got; /* NULL: not looked at */
	const char *text;
};

static const struct row rows[] = {
    /* ---- AXFR that is well ---- */
    {"one message", A, CLEAN, 6, "soa=7 ns a@www=1 soa=7", XFRIN_DONE, "full=7 soa=7 ns a@www=1"},
    {"one record per message", A, CLEAN, 6, "soa=7 | ns | a@www=1 | a@www=2 | soa=7", XFRIN_DONE,
	"full=7 soa=7 ns a@www=1 a@www=2"},
    {"no question later (X-14)", A, CLEAN, 6, "soa=7 | !noq ns | !noq soa=7", XFRIN_DONE,
	"full=7 soa=7 ns"},
    {"empty messages anywhere (XO-30)", A, CLEAN, 6,
	"!padding=400 | !opt soa=7 | !noq | ns | !noq !padding=9 | !noq soa=7", XFRIN_DONE,
	"full=7 soa=7 ns"},
    {"no records but an authority section, later", A, CLEAN, 6, "soa=7 ns | !noq !ns=1 | soa=7",
	XFRIN_DONE, "full=7 soa=7 ns"},
    {"TC, RA, AD, CD are not looked at", A, CLEAN, 6, "!tc !ra soa=7 ns soa=7", XFRIN_DONE,
	"full=7 soa=7 ns"},
    {"AA=0 is taken", A, CLEAN, 6, "!aa=0 soa=7 ns soa=7", XFRIN_DONE, "full=7 soa=7 ns"},
    {"case variants", A, CLEAN, 6, "!q=EXAMPLE.org. SOA=7 NS A@www=1 soa=7", XFRIN_DONE,
	"full=7 soa=7 ns a@WWW=1"},
    {"duplicates are the receiver's", A, CLEAN, 6, "soa=7 ns ns a@x=1 a@x=1 soa=7", XFRIN_DONE,
	"full=7 soa=7 ns ns a@x=1 a@x=1"},
    {"occluded names (X-17)", A, CLEAN, 6, "soa=7 ns ns@sub a@www.sub=1 soa=7", XFRIN_DONE,
	"full=7 soa=7 ns ns@sub a@www.sub=1"},
    {"unknown types, RDATA like a pointer, empty RDATA", A, CLEAN, 6,
	"soa=7 t65280@x=c00c t65281@x= ns soa=7", XFRIN_DONE,
	"full=7 soa=7 t65280@x=c00c t65281@x= ns"},
    {"any order", A, CLEAN, 6, "soa=7 a@z=1 a@a=1 ns soa=7", XFRIN_DONE,
	"full=7 soa=7 a@z=1 a@a=1 ns"},
    {"top bit of TTL (T-16)", A, CLEAN, 6, "soa=7 ns ttl@x=2147483648 soa=7", XFRIN_DONE,
	"full=7 soa=7 ns ttl@x=0"},
    {"no copy yet, serial 0", A, CLEAN | BARE, 0, "soa=0 ns soa=0", XFRIN_DONE, "full=0 soa=0 ns"},
    {"more than a second of messages", A, 0, 6, "soa=7 ns | a@www=1", XFRIN_MORE,
	"full=7 soa=7 ns a@www=1"},
    /* ---- serials (Q-10) ---- */
    {"wrap to 0", A, CLEAN, 4294967295, "soa=0 ns soa=0", XFRIN_DONE, "full=0 soa=0 ns"},
    {"from serial 0", A, CLEAN, 0, "soa=1 ns soa=1", XFRIN_DONE, NULL},
    {"equal serial", A, 0, 7, "soa=7 ns soa=7", XFRIN_CURRENT, ""},
    {"equal serial, the SOA alone at first", A, 0, 7, "soa=7", XFRIN_CURRENT, ""},
    {"lower serial", A, 0, 8, "soa=7 ns soa=7", XFRIN_CURRENT, ""},
    {"incomparable serial", A, 0, 0, "soa=2147483648 ns soa=2147483648", XFRIN_CURRENT, ""},
    {"just comparable", A, CLEAN, 0, "soa=2147483647 ns soa=2147483647", XFRIN_DONE, NULL},
    {"forced, equal", A, CLEAN | FORCED, 7, "soa=7 ns soa=7", XFRIN_DONE, "full=7 soa=7 ns"},
    {"forced, lower", A, CLEAN | FORCED, 9, "soa=7 ns soa=7", XFRIN_DONE, "full=7 soa=7 ns"},
    {"forced, incomparable", A, CLEAN | FORCED, 0, "soa=2147483648 ns soa=2147483648", XFRIN_DONE,
	NULL},
    /* ---- AXFR that is not ---- */
    {"a query", A, 0, 6, "!query soa=7 ns soa=7", XFRIN_FAIL, "", "expected a response"},
    {"opcode", A, 0, 6, "!opcode=4 soa=7 ns soa=7", XFRIN_FAIL, "",
	"opcode 0 in the response, found 4"},
    {"ID", A, 0, 6, "!id=1 soa=7 ns soa=7", XFRIN_FAIL, "", "expected ID 4711"},
    {"other QNAME", A, 0, 6, "!q=other.org. soa=7 ns soa=7", XFRIN_FAIL, "", "question"},
    {"other QTYPE", A, 0, 6, "!qtype=6 soa=7 ns soa=7", XFRIN_FAIL, "", "our AXFR query"},
    {"other QNAME later", A, 0, 6, "soa=7 ns | !q=other.org. soa=7", XFRIN_FAIL, "full=7 soa=7 ns",
	"question"},
    {"two zones in turns (Q-11)", A, 0, 6,
	"soa=7 ns | !q=other.org. soa=9@other.org. ns@other.org.", XFRIN_FAIL, "full=7 soa=7 ns",
	"question"},
    {"two zones in turns, one question", A, 0, 6, "soa=7 ns | !noq soa=9@other.org. ns@other.org.",
	XFRIN_FAIL, "full=7 soa=7 ns", "name in the zone"},
    {"two questions", A, 0, 6, "!twoq soa=7 ns soa=7", XFRIN_FAIL, "", "one question, found 2"},
    {"no question at first", A, 0, 6, "!noq soa=7 ns soa=7", XFRIN_FAIL, "", "no question"},
    {"REFUSED", A, CLEAN, 6, "!rcode=5 !ede=18", XFRIN_FAIL, "", "REFUSED (5), EDE 18"},
    {"REFUSED without question", A, CLEAN, 6, "!rcode=5 !noq", XFRIN_FAIL, "", "REFUSED"},
    {"BADVERS", A, CLEAN, 6, "!extrcode=1", XFRIN_FAIL, "", "(16)"},
    {"RCODE in the middle (X-09)", A, CLEAN, 6, "soa=7 ns | !rcode=2 a@www=1", XFRIN_FAIL,
	"full=7 soa=7 ns", "SERVFAIL"},
    {"negative answer", A, CLEAN, 6, "!ns=1", XFRIN_FAIL, "", "without records"},
    {"first record no SOA", A, 0, 6, "ns soa=7 soa=7", XFRIN_FAIL, "",
	"record 1: expected the SOA of the zone, found another (example.org NS)"},
    {"first SOA of another zone", A, 0, 6, "soa=7@other.org. ns soa=7", XFRIN_FAIL, "",
	"expected the SOA of the zone"},
    {"SOA in the middle", A, 0, 6, "soa=7 ns soa=8 soa=7", XFRIN_FAIL, "full=7 soa=7 ns",
	"record 3: expected the closing SOA to equal the first, with serial 7"},
    {"SOA below the apex", A, 0, 6, "soa=7 ns soa=7@sub soa=7", XFRIN_FAIL, "full=7 soa=7 ns",
	"SOA below the apex"},
    {"closing SOA differs", A, 0, 6, "soa=7 ns soa=7/ns2", XFRIN_FAIL, NULL, "closing SOA"},
    {"closing SOA differs in its RNAME", A, 0, 6, "soa=7 ns soa=7/ns1/boot", XFRIN_FAIL, NULL,
	"closing SOA"},
    {"records after the end", A, 0, 6, "soa=7 ns soa=7 a@www=1", XFRIN_FAIL, NULL,
	"found 1 more records"},
    {"out of zone", A, 0, 6, "soa=7 ns a@www.other.org.=1 soa=7", XFRIN_FAIL, "full=7 soa=7 ns",
	"record 3: expected a name in the zone, found another (www.other.org A)"},
    {"apex as a part of a label", A, 0, 6, "soa=7 ns a@badexample.org.=1 soa=7", XFRIN_FAIL, NULL,
	"expected a name in the zone"},
    {"above the zone", A, 0, 6, "soa=7 ns a@org.=1 soa=7", XFRIN_FAIL, NULL, "name in the zone"},
    {"class", A, 0, 6, "soa=7 ns ch@www soa=7", XFRIN_FAIL, NULL,
	"expected class 1, found class 3"},
    {"type ANY", A, 0, 6, "soa=7 ns t255@x=00 soa=7", XFRIN_FAIL, NULL, "cannot stand in a zone"},
    {"type 0", A, 0, 6, "soa=7 ns t0@x=00 soa=7", XFRIN_FAIL, NULL, "cannot stand in a zone"},
    {"type AXFR", A, 0, 6, "soa=7 ns t252@x= soa=7", XFRIN_FAIL, NULL, "cannot stand in a zone"},
    {"no apex NS (T-17)", A, CLEAN, 6, "soa=7 ns@sub a@www=1 soa=7", XFRIN_FAIL, NULL,
	"no NS record at its apex"},
    {"malformed record", A, 0, 6, "soa=7 ns t2@x=c0 soa=7", XFRIN_FAIL, "full=7 soa=7 ns",
	"record 3: malformed RDATA"},
    {"a message cut off", A, 0, 6, "!count=1 soa=7 ns", XFRIN_FAIL, "",
	"before the first record: "},
    {"a later message cut off", A, 0, 6, "soa=7 ns | !count=1 a@www=1", XFRIN_FAIL,
	"full=7 soa=7 ns", "after 2 records: "},
    {"closed at once", A, EOF_AFTER, 6, "", XFRIN_FAIL, "", "before the first record"},
    {"closed in the middle (X-15)", A, EOF_AFTER, 6, "soa=7 ns a@www=1", XFRIN_FAIL, NULL,
	"after 3 records: connection closed"},
    /* ---- IXFR that is well ---- */
    {"up to date", I, CLEAN, 7, "soa=7", XFRIN_CURRENT, ""},
    {"older primary", I, CLEAN, 9, "soa=7", XFRIN_CURRENT, ""},
    {"up to date, serial 0", I, CLEAN, 0, "soa=0", XFRIN_CURRENT, ""},
    {"older whole zone (I-BINDSOA)", I, 0, 9, "soa=7 ns soa=7", XFRIN_CURRENT, ""},
    {"one step", I, CLEAN, 7, "soa=9 soa=7 a@x=1 soa=9 a@x=2 soa=9", XFRIN_DONE,
	"diff=9 old=7 -a@x=1 new=9 +a@x=2"},
    {"one record per message", I, CLEAN, 7, "soa=9 | soa=7 | a@x=1 | !noq | soa=9 | a@x=2 | soa=9",
	XFRIN_DONE, "diff=9 old=7 -a@x=1 new=9 +a@x=2"},
    {"steps", I, CLEAN, 7, "soa=9 soa=7 a@x=1 soa=8 soa=8 soa=9 ns@z soa=9", XFRIN_DONE,
	"diff=9 old=7 -a@x=1 new=8 old=8 new=9 +ns@z"},
    {"over the wrap", I, CLEAN, 4294967295, "soa=1 soa=4294967295 soa=0 soa=0 soa=1 soa=1",
	XFRIN_DONE, "diff=1 old=4294967295 new=0 old=0 new=1"},
    {"whole zone", I, CLEAN, 7, "soa=9 ns a@www=1 soa=9", XFRIN_DONE, "full=9 soa=9 ns a@www=1"},
    {"whole zone, SOA alone first (I-10)", I, CLEAN, 7, "soa=9 | ns a@www=1 soa=9", XFRIN_DONE,
	"full=9 soa=9 ns a@www=1"},
    {"closing SOA in other case", I, CLEAN, 7, "SOA=9 soa=7 soa=9 soa=9", XFRIN_DONE,
	"diff=9 old=7 new=9"},
    {"no copy: whole zone only", I, CLEAN | BARE, 7, "soa=9 ns soa=9", XFRIN_DONE,
	"full=9 soa=9 ns"},
    {"forced, equal, whole zone", I, CLEAN | FORCED, 7, "soa=7 ns soa=7", XFRIN_DONE,
	"full=7 soa=7 ns"},
    /* ---- IXFR that fails: AXFR is next (I-05, I-12, Q-13) ---- */
    {"lone newer SOA", I, 0, 7, "soa=9", XFRIN_MORE, ""},
    {"lone newer SOA, then nothing", I, EOF_AFTER, 7, "soa=9", XFRIN_TRY_AXFR, "",
	"after the SOA with serial 9 alone"},
    {"closed at once", I, EOF_AFTER, 7, "", XFRIN_TRY_AXFR, "", "before the first record"},
    {"closed in a difference", I, EOF_AFTER, 7, "soa=9 soa=7 a@x=1", XFRIN_TRY_AXFR, NULL,
	"after 3 records"},
    {"closed in a whole zone", I, EOF_AFTER, 7, "soa=9 ns a@x=1", XFRIN_TRY_AXFR, NULL, "closed"},
    {"NOTIMP", I, CLEAN, 7, "!rcode=4", XFRIN_TRY_AXFR, "", "NOTIMP"},
    {"FORMERR", I, CLEAN, 7, "!rcode=1 !noq", XFRIN_TRY_AXFR, "", "FORMERR"},
    {"SERVFAIL", I, CLEAN, 7, "!rcode=2", XFRIN_TRY_AXFR, "", "SERVFAIL"},
    {"REFUSED", I, CLEAN, 7, "!rcode=5", XFRIN_TRY_AXFR, "", "REFUSED"},
    {"NXDOMAIN", I, CLEAN, 7, "!rcode=3 !ns=1", XFRIN_TRY_AXFR, "", "NXDOMAIN"},
    {"NOTAUTH", I, CLEAN, 7, "!rcode=9", XFRIN_TRY_AXFR, "", "NOTAUTH"},
    {"NODATA", I, CLEAN, 7, "!ns=1", XFRIN_TRY_AXFR, "", "without records"},
    {"RCODE in the middle", I, CLEAN, 7, "soa=9 soa=7 | !rcode=2", XFRIN_TRY_AXFR, NULL,
	"SERVFAIL"},
    {"wrong question", I, 0, 7, "!qtype=252 soa=9 ns soa=9", XFRIN_TRY_AXFR, "", "our IXFR query"},
    {"first record no SOA", I, 0, 7, "ns soa=9", XFRIN_TRY_AXFR, "", "record 1"},
    {"gap in the chain", I, 0, 7, "soa=9 soa=7 soa=8 soa=81 soa=9 soa=9", XFRIN_TRY_AXFR, NULL,
	"record 4: expected a step from serial 8, found one from 81"},
    {"chain ends early", I, 0, 7, "soa=9 soa=7 soa=8 soa=9", XFRIN_TRY_AXFR, NULL,
	"expected a step from serial 8, found one from 9"},
    {"chain goes back", I, 0, 7, "soa=9 soa=7 soa=6 soa=6 soa=9 soa=9", XFRIN_TRY_AXFR, NULL,
	"to a greater one, found 6"},
    {"step to itself", I, 0, 7, "soa=9 soa=7 soa=7 soa=9", XFRIN_TRY_AXFR, NULL, "greater one"},
    {"chain goes on after the newest", I, 0, 7, "soa=9 soa=7 soa=9 soa=10", XFRIN_TRY_AXFR, NULL,
	"found another, with serial 10"},
    {"last SOA differs from the first", I, 0, 7, "soa=9 soa=7 soa=9/ns2 soa=9", XFRIN_TRY_AXFR,
	"diff=9 old=7", "last step"},
    {"closing SOA differs", I, 0, 7, "soa=9 soa=7 soa=9 soa=9/ns2", XFRIN_TRY_AXFR, NULL,
	"closing SOA"},
    {"records after the end", I, 0, 7, "soa=9 soa=7 soa=9 soa=9 a@x=1", XFRIN_TRY_AXFR, NULL,
	"1 more records"},
    {"chain from another serial", I, 0, 7, "soa=9 soa=8 soa=9 soa=9", XFRIN_TRY_AXFR, NULL,
	"record 2: expected the closing SOA"},
    {"two SOAs and no zone", I, CLEAN, 7, "soa=9 soa=9", XFRIN_TRY_AXFR, NULL, "no NS"},
    {"out of zone in a difference", I, 0, 7, "soa=9 soa=7 a@x.other.org.=1", XFRIN_TRY_AXFR, NULL,
	"record 3: expected a name in the zone"},
    {"SOA below the apex in a difference", I, 0, 7, "soa=9 soa=7 soa=7@sub", XFRIN_TRY_AXFR, NULL,
	"below the apex"},
    {"class in a difference", I, 0, 7, "soa=9 soa=7 ch@x", XFRIN_TRY_AXFR, NULL, "class 3"},
    {"meta type in a difference", I, 0, 7, "soa=9 soa=7 t251@x=00", XFRIN_TRY_AXFR, NULL, "stand"},
    {"TSIG in the answer section", I, 0, 7, "soa=9 | soa=7 t250@x=00", XFRIN_TRY_AXFR, "", NULL},
    {"malformed in a difference", I, 0, 7, "soa=9 soa=7 t2@x=c0", XFRIN_TRY_AXFR, NULL,
	"malformed"},
    {"no copy, but a difference", I, BARE, 7, "soa=9 soa=7 soa=9 soa=9", XFRIN_TRY_AXFR, NULL,
	"record 2"},
    {"forced and a difference back", I, FORCED, 9, "soa=7 soa=9 soa=7 soa=7", XFRIN_TRY_AXFR, NULL,
	"greater one"},
    /* ---- IXFR over UDP (I-04) ---- */
    {"whole in one datagram", I, UDP | CLEAN, 7, "soa=9 soa=7 a@x=1 soa=9 soa=9", XFRIN_DONE,
	"diff=9 old=7 -a@x=1 new=9"},
    {"up to date", I, UDP | CLEAN, 7, "soa=7", XFRIN_CURRENT, ""},
    {"lone newer SOA", I, UDP, 7, "soa=9", XFRIN_TRY_TCP, ""},
    {"TC", I, UDP, 7, "!tc soa=9 soa=7", XFRIN_TRY_TCP, ""},
    {"not whole", I, UDP, 7, "soa=9 soa=7 a@x=1", XFRIN_TRY_TCP, NULL},
    {"no answer", I, UDP | EOF_AFTER, 7, "", XFRIN_TRY_TCP, "", "first record"},
    {"nothing in it", I, UDP | CLEAN, 7, "!opt", XFRIN_TRY_AXFR, "", "without records"},
    {"NOTIMP", I, UDP | CLEAN, 7, "!rcode=4", XFRIN_TRY_AXFR, "", "NOTIMP"},
};

static uint8_t zone[255];

static struct xfrin_query
query_of(const struct row *r)
{
	return (struct xfrin_query){
	    .kind = r->kind,
	    .udp = (r->how & UDP) != 0,
	    .id = XFRMSG_ID,
	    .zone = xfrmsg_zone(zone),
	    .have_serial = (r->how & BARE) == 0,
	    .serial = r->serial,
	    .forced = (r->how & FORCED) != 0,
	};
}

static enum xfrin_step
feed_text(struct xfrin *x, enum xfrin_kind kind, const char *text, struct zr_err *e)
{
	struct buf b = BUF_INIT;
	struct msg m;
	enum xfrin_step step;

	xfrmsg_build(&b, text, kind == XFRIN_IXFR ? TYPE_IXFR : TYPE_AXFR);
	if (msg_parse(&m, b.data, b.len, MSG_FULL, e) < 0)
		step = xfrin_broken(x, e);
	else
		step = xfrin_feed(x, &m, e);
	buf_clear(&b);
	return step;
}

/* Feeds "message | message | ..." until the reader has had enough. */
static enum xfrin_step
feed_all(struct xfrin *x, enum xfrin_kind kind, const char *messages, struct zr_err *e)
{
	enum xfrin_step step = XFRIN_MORE;
	char copy[8192], *next, *one = copy;

	assert_true(strlen(messages) < sizeof(copy));
	snprintf(copy, sizeof(copy), "%s", messages);
	for (; one != NULL && *one != '\0' && step == XFRIN_MORE; one = next) {
		next = strstr(one, " | ");
		if (next != NULL) {
			*next = '\0';
			next += 3;
		}
		step = feed_text(x, kind, one, e);
	}
	if (one != NULL && *one != '\0' && step != XFRIN_MORE)
		fail_msg("messages left behind: %s", one);
	return step;
}

static void
check_row(const struct row *r)
{
	struct xfrin_query q = query_of(r);
	struct xfrmsg_sink sink = {.text = BUF_INIT};
	struct xfrin *x = xfrin_new(&q, &xfrmsg_ops, &sink);
	struct zr_err e = {0};
	enum xfrin_step step = feed_all(x, r->kind, r->messages, &e);

	if ((r->how & EOF_AFTER) != 0 && step == XFRIN_MORE)
		step = xfrin_eof(x, &e);
	print_message("%s %s: %s\n", r->kind == I ? "IXFR" : "AXFR", r->what, e.text);
	assert_int_equal(step, r->step);
	if (r->got != NULL)
		assert_string_equal(buf_cstr(&sink.text), r->got);
	if (r->text != NULL)
		assert_non_null(strstr(e.text, r->text));
	if (step == XFRIN_FAIL || step == XFRIN_TRY_AXFR)
		assert_int_not_equal(e.code, ZR_OK);
	assert_int_equal(xfrin_clean(x), (r->how & CLEAN) != 0);
	if (r->got != NULL)
		assert_int_equal(xfrin_is_diff(x), strncmp(r->got, "diff", 4) == 0);
	xfrin_free(x);
	buf_clear(&sink.text);
}

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_row(&rows[i]);
}

/* A reader for one test: ask with q, get what came to sink. */
struct fixture {
	struct xfrin_query q;
	struct xfrmsg_sink sink;
	struct xfrin *x;
	struct zr_err e;
};

static void
begin(struct fixture *f, enum xfrin_kind kind, uint32_t serial)
{
	struct row r = {.kind = kind, .serial = serial};

	*f = (struct fixture){.q = query_of(&r), .sink = {.text = BUF_INIT}};
	f->x = xfrin_new(&f->q, &xfrmsg_ops, &f->sink);
}

static void
end(struct fixture *f)
{
	xfrin_free(f->x);
	buf_clear(&f->sink.text);
}

static enum xfrin_step
run_limited(enum xfrin_kind kind, const struct xfrin_limits *l, const char *messages)
{
	struct fixture f;
	enum xfrin_step step;

	begin(&f, kind, 6);
	xfrin_free(f.x);
	f.q.limits = *l;
	f.x = xfrin_new(&f.q, &xfrmsg_ops, &f.sink);
	step = feed_all(f.x, kind, messages, &f.e);
	if (step != XFRIN_DONE && step != XFRIN_MORE)
		assert_int_equal(f.e.code, ZR_LIMIT);
	end(&f);
	return step;
}

static void
test_limits(void **state)
{
	const char *four = "soa=7 ns a@x=1 a@y=1 | soa=7",
		   *diff = "soa=7 soa=6 a@x=1 | soa=7 soa=7";
	struct xfrin_limits l = {.max_records = 4};

	(void)state;
	assert_int_equal(run_limited(A, &l, four), XFRIN_DONE);
	assert_int_equal(run_limited(I, &l, diff), XFRIN_DONE);
	l.max_records = 3;
	assert_int_equal(run_limited(A, &l, "soa=7 ns a@x=1 a@y=1"), XFRIN_FAIL);
	assert_int_equal(run_limited(I, &l, "soa=7 ns a@x=1 a@y=1"), XFRIN_FAIL);
	/* A difference may be larger than the zone. */
	assert_int_equal(run_limited(I, &l, "soa=7 soa=6 a@x=1 a@y=1"), XFRIN_TRY_AXFR);
	/* SOAs count too: a chain is bounded. */
	l.max_records = 2;
	assert_int_equal(run_limited(I, &l, "soa=9 soa=6 soa=7 soa=7"), XFRIN_TRY_AXFR);
	l = (struct xfrin_limits){.max_steps = 2};
	assert_int_equal(run_limited(I, &l, "soa=8 soa=6 soa=7 | soa=7 soa=8 soa=8"), XFRIN_DONE);
	l.max_steps = 1;
	assert_int_equal(run_limited(I, &l, diff), XFRIN_DONE);
	assert_int_equal(run_limited(I, &l, "soa=8 soa=6 soa=7 | soa=7"), XFRIN_TRY_AXFR);
	assert_int_equal(run_limited(I, &l, "soa=7 ns a@x=1 | soa=7"), XFRIN_DONE);
	l = (struct xfrin_limits){.max_messages = 2};
	assert_int_equal(run_limited(A, &l, "soa=7 ns | soa=7"), XFRIN_DONE);
	assert_int_equal(run_limited(A, &l, "soa=7 ns | !noq | soa=7"), XFRIN_FAIL);
	l = (struct xfrin_limits){.max_octets = 400};
	assert_int_equal(run_limited(A, &l, "soa=7 ns | soa=7"), XFRIN_DONE);
	assert_int_equal(run_limited(A, &l, "soa=7 ns | !noq !padding=350"), XFRIN_FAIL);
	assert_int_equal(run_limited(I, &l, "soa=7 ns | !noq !padding=350"), XFRIN_FAIL);
}

/* Whichever call the receiver refuses, the step follows from its code and the kind. */
static void
check_refusal(enum xfrin_kind kind, const char *messages, unsigned calls, bool diff)
{
	static const enum zr_code codes[] = {ZR_DIFF, ZR_LIMIT, ZR_DB, ZR_NOMEM, ZR_BADZONE, ZR_IO};
	struct fixture f;

	for (unsigned n = 1; n <= calls; n++) {
		for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
			bool axfr =
			    kind == I && (codes[i] == ZR_DIFF || (codes[i] == ZR_LIMIT && diff));
			enum xfrin_step step;

			begin(&f, kind, 6);
			f.sink.fail_at = n;
			f.sink.fail_code = codes[i];
			step = feed_all(f.x, kind, messages, &f.e);
			assert_int_equal(step, axfr ? XFRIN_TRY_AXFR : XFRIN_FAIL);
			assert_int_equal(f.e.code, codes[i]);
			assert_non_null(strstr(f.e.text, "the test said so"));
			assert_int_equal(f.sink.calls, n);
			assert_false(xfrin_clean(f.x));
			end(&f);
		}
	}
	begin(&f, kind, 6);
	f.sink.fail_at = calls + 1;
	assert_int_equal(feed_all(f.x, kind, messages, &f.e), XFRIN_DONE);
	assert_int_equal(f.sink.calls, calls);
	end(&f);
}

static void
test_receiver_refuses(void **state)
{
	(void)state;
	check_refusal(A, "soa=7 ns a@x=1 soa=7", 4, false);
	check_refusal(I, "soa=7 ns a@x=1 soa=7", 4, false);
	check_refusal(I, "soa=8 soa=6 a@x=1 soa=7 a@y=1 soa=7 soa=8 soa=8", 7, true);
}

static void
test_stats(void **state)
{
	const struct xfrin_stats *s;
	struct fixture f;
	uint32_t serial = 0;

	(void)state;
	begin(&f, I, 6);
	assert_false(xfrin_serial(f.x, &serial));
	assert_null(xfrin_soa(f.x));
	assert_int_equal(feed_all(f.x, I,
			     "!expire=77 soa=8 soa=6 | !expire=78 !keepalive=30 a@x=1 "
			     "soa=7 soa=7 | !aa=0 !opt soa=8 soa=8",
			     &f.e),
	    XFRIN_DONE);
	s = xfrin_stats(f.x);
	assert_int_equal(s->messages, 3);
	assert_int_equal(s->records, 6);
	assert_int_equal(s->steps, 2);
	assert_true(s->octets > 6 * 20);
	assert_true(s->expire_valid);
	assert_int_equal(s->expire, 78);
	assert_true(s->keepalive_valid);
	assert_int_equal(s->keepalive, 30);
	assert_true(s->not_authoritative);
	assert_int_equal(s->rcode, 0);
	assert_true(xfrin_serial(f.x, &serial));
	assert_int_equal(serial, 8);
	assert_int_equal(xfrin_soa(f.x)->type, TYPE_SOA);
	assert_int_equal(xfrin_soa(f.x)->ttl, 3600);
	end(&f);

	begin(&f, A, 6);
	feed_all(f.x, A, "soa=7 | !rcode=1", &f.e);
	assert_int_equal(xfrin_stats(f.x)->rcode, RCODE_FORMERR);
	assert_false(xfrin_stats(f.x)->not_authoritative);
	assert_false(xfrin_stats(f.x)->expire_valid);
	end(&f);
}

/* Padding has an end; a record in between begins it anew. */
static void
test_only_empty_messages(void **state)
{
	struct fixture f;

	(void)state;
	for (unsigned turn = 0; turn < 2; turn++) {
		begin(&f, turn == 0 ? A : I, 6);
		for (unsigned i = 0; i < 1000; i++)
			assert_int_equal(feed_text(f.x, f.q.kind, "!noq", &f.e), XFRIN_MORE);
		assert_int_equal(feed_text(f.x, f.q.kind, "soa=7", &f.e), XFRIN_MORE);
		for (unsigned i = 0; i < 1000; i++)
			assert_int_equal(feed_text(f.x, f.q.kind, "!noq", &f.e), XFRIN_MORE);
		assert_int_equal(feed_text(f.x, f.q.kind, "!noq", &f.e),
		    turn == 0 ? XFRIN_FAIL : XFRIN_TRY_AXFR);
		assert_int_equal(f.e.code, ZR_FORMERR);
		assert_non_null(strstr(f.e.text, "without records in a row"));
		assert_false(xfrin_clean(f.x));
		end(&f);
	}
}

/* After its end a reader answers whatever comes, without touching the receiver. */
static void
test_after_the_end(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, A, 6);
	assert_int_equal(feed_all(f.x, A, "soa=7 ns soa=7", &f.e), XFRIN_DONE);
	assert_int_equal(feed_text(f.x, A, "soa=7 ns soa=7", &f.e), XFRIN_FAIL);
	assert_int_equal(f.e.code, ZR_INTERNAL);
	assert_int_equal(xfrin_eof(f.x, NULL), XFRIN_FAIL);
	assert_string_equal(buf_cstr(&f.sink.text), "full=7 soa=7 ns");
	end(&f);
}

static void
test_reason_of_the_caller(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f, I, 6);
	assert_int_equal(feed_all(f.x, I, "soa=7", &f.e), XFRIN_MORE);
	zr_fail(&f.e, ZR_TIMEOUT, "nothing came in 30s");
	assert_int_equal(xfrin_broken(f.x, &f.e), XFRIN_TRY_AXFR);
	assert_int_equal(f.e.code, ZR_TIMEOUT);
	assert_string_equal(f.e.text, "after the SOA with serial 7 alone: nothing came in 30s");
	end(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rows),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_receiver_refuses),
	    cmocka_unit_test(test_stats),
	    cmocka_unit_test(test_only_empty_messages),
	    cmocka_unit_test(test_after_the_end),
	    cmocka_unit_test(test_reason_of_the_caller),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
