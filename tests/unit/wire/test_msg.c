/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/mem.h"
#include "base/rand.h"
#include "wire/msg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define LIT(s) (s), (sizeof(s) - 1)
#define QNAME 12	     /* offset of the question's name */
#define ANSWER (12 + 13 + 4) /* behind the question <example.org, SOA, IN> */

/* A message grows record by record; the counts follow. */
static void
begin(struct buf *b, uint16_t flags)
{
	buf_reset(b);
	buf_u16(b, 0xbeef);
	buf_u16(b, flags);
	buf_u16(b, 1);
	buf_u16(b, 0);
	buf_u32(b, 0);
	buf_bytes(b, LIT("\007Example\003org\000"));
	buf_u16(b, TYPE_SOA);
	buf_u16(b, CLASS_IN);
}

static void
count_up(struct buf *b, enum msg_section s)
{
	size_t at = 6 + 2 * (size_t)s;

	buf_put_u16(b, at, (uint16_t)(get_u16(b->data + at) + 1));
}

static void
add(struct buf *b, enum msg_section s, const char *owner, size_t owner_len, uint16_t type,
    const char *rdata, size_t rdlen)
{
	buf_bytes(b, owner, owner_len);
	buf_u16(b, type);
	buf_u16(b, type == TYPE_TSIG ? CLASS_ANY : CLASS_IN);
	buf_u32(b, 3600);
	buf_u16(b, (uint16_t)rdlen);
	buf_bytes(b, rdata, rdlen);
	count_up(b, s);
}

static void
add_opt(struct buf *b, uint16_t size, uint32_t ttl, const char *options, size_t len)
{
	buf_u8(b, 0);
	buf_u16(b, TYPE_OPT);
	buf_u16(b, size);
	buf_u32(b, ttl);
	buf_u16(b, (uint16_t)len);
	buf_bytes(b, options, len);
	count_up(b, SECTION_ADDITIONAL);
}

/* Parses a copy of exactly that size, so that a read past the end is seen. */
static int
parse(struct msg *m, const struct buf *b, enum msg_level level, uint8_t **copy)
{
	struct zr_err e = {0};
	int rc;

	*copy = zr_xmemdup(b->data, b->len);
	rc = msg_parse(m, *copy, b->len, level, &e);
	assert_int_equal(rc == 0 ? ZR_OK : ZR_FORMERR, e.code);
	return rc;
}

static int
parse_only(struct msg *m, const struct buf *b, enum msg_level level)
{
	uint8_t *copy;
	int rc = parse(m, b, level, &copy);

	free(copy);
	return rc;
}

static void
test_header_and_question(void **state)
{
	static const uint8_t lower[] = "\007example\003org", other[] = "\007example\003net";
	struct buf b = BUF_INIT;
	struct msg m;

	(void)state;
	begin(&b, FLAG_QR | OPCODE_NOTIFY << 11 | FLAG_AA | FLAG_RD | RCODE_REFUSED);
	assert_int_equal(parse_only(&m, &b, MSG_HEADER_ONLY), 0);
	assert_int_equal(m.id, 0xbeef);
	assert_int_equal(m.opcode, OPCODE_NOTIFY);
	assert_int_equal(m.rcode, RCODE_REFUSED);
	assert_true(m.flags & FLAG_QR && m.flags & FLAG_AA && m.flags & FLAG_RD);
	assert_false(m.flags & FLAG_TC);
	assert_true(m.has_question);
	assert_int_equal(m.qname_len, 13);
	assert_memory_equal(m.qname, "\007Example\003org", 13); /* case as sent */
	assert_int_equal(m.answer_at, ANSWER);
	assert_true(msg_question_is(&m, lower, TYPE_SOA, CLASS_IN));
	assert_false(msg_question_is(&m, other, TYPE_SOA, CLASS_IN));
	assert_false(msg_question_is(&m, lower, TYPE_AXFR, CLASS_IN));
	assert_false(msg_question_is(&m, lower, TYPE_SOA, CLASS_ANY));
	buf_clear(&b);
}

static void
test_too_short_or_long(void **state)
{
	static uint8_t big[MSG_MAX + 1] = {1, 2, 3};
	struct zr_err e;
	struct msg m;

	(void)state;
	for (size_t n = 0; n < MSG_HEADER; n++) {
		assert_int_equal(msg_parse(&m, big, n, MSG_FULL, &e), -1);
		assert_int_equal(e.code, ZR_FORMERR);
		assert_int_equal(m.len, 0);
	}
	assert_int_equal(msg_parse(&m, big, sizeof(big), MSG_HEADER_ONLY, &e), -1);
	assert_int_equal(m.len, 0);
	memset(big, 0, 12);
	assert_int_equal(msg_parse(&m, big, MSG_HEADER, MSG_FULL, &e), 0);
	assert_false(m.has_question);
	assert_int_equal(msg_parse(&m, big, MSG_HEADER + 1, MSG_FULL, &e), -1); /* trailing */
	assert_int_equal(m.len, MSG_HEADER + 1);
}

static void
test_bad_questions(void **state)
{
	/* Each begins at offset 12. */
	static const struct {
		const char *wire;
		size_t len;
		unsigned qdcount;
		bool has;
	} cases[] = {
	    {LIT(""), 1, false},
	    {LIT("\001a"), 1, false},
	    {LIT("\001a\000\000\006\000"), 1, false},
	    {LIT("\300\014\000\006\000\001"), 1, false},     /* to itself */
	    {LIT("\300\000\000\006\000\001"), 1, false},     /* into the header */
	    {LIT("\300\020\000\006\000\001\000"), 1, false}, /* forward */
	    {LIT("\100a\000\000\006\000\001"), 1, false},
	    {LIT("\200a\000\000\006\000\001"), 1, false},
	    {LIT("\001a\000\000\006\000\001"), 2, true},
	    {LIT("\001a\000\000\006\000\001\300\014\000\006\000"), 2, true},
	};
	struct buf b = BUF_INIT;
	struct msg m;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		begin(&b, 0);
		b.len = MSG_HEADER;
		buf_put_u16(&b, 4, (uint16_t)cases[i].qdcount);
		buf_bytes(&b, cases[i].wire, cases[i].len);
		assert_int_equal(parse_only(&m, &b, MSG_HEADER_ONLY), -1);
		assert_int_equal(m.has_question, cases[i].has);
		assert_int_equal(m.id, 0xbeef);
	}
	/* Two good ones: the first is kept. */
	buf_u8(&b, 1);
	assert_int_equal(parse_only(&m, &b, MSG_FULL), 0);
	assert_int_equal(m.qdcount, 2);
	assert_memory_equal(m.qname, "\001a", 3);
	assert_int_equal(m.answer_at, b.len);
	buf_clear(&b);
}

/* Reads one name at the end of a message whose question is Example.org. */
static size_t
name_behind(const char *wire, size_t len, uint8_t out[NAME_MAX_LEN], size_t *pos)
{
	struct buf b = BUF_INIT;
	uint8_t *copy;
	size_t n;

	begin(&b, 0);
	*pos = b.len;
	buf_bytes(&b, wire, len);
	copy = zr_xmemdup(b.data, b.len);
	n = msg_name_at(copy, b.len, pos, out);
	*pos -= ANSWER;
	free(copy);
	buf_clear(&b);
	return n;
}

static void
test_decompression(void **state)
{
	static const struct {
		const char *wire;
		size_t len, pos;
		const char *name;
		size_t name_len;
	} good[] = {
	    {LIT("\300\014"), 2, LIT("\007Example\003org\000")},
	    {LIT("\001a\300\014"), 4, LIT("\001a\007Example\003org\000")},
	    {LIT("\001a\300\024rest"), 4, LIT("\001a\003org\000")},
	    {LIT("\300\030"), 2, LIT("\000")}, /* the root label of the question */
	    {LIT("\000"), 1, LIT("\000")},
	    {LIT("\001a\001B\000x"), 5, LIT("\001a\001B\000")},
	};
	static const struct {
		const char *wire;
		size_t len;
	} bad[] = {
	    {LIT("")},
	    {LIT("\300")},
	    {LIT("\001")},
	    {LIT("\001a")},
	    {LIT("\002a\000")},
	    {LIT("\300\035")},	       /* to itself: 29 */
	    {LIT("\001a\300\035")},    /* to its own first label: a loop */
	    {LIT("\001a\300\037")},    /* to its own pointer */
	    {LIT("\300\037\000\000")}, /* forward */
	    {LIT("\300\000")},	       /* header */
	    {LIT("\300\013")},
	    {LIT("\377\377")},
	    {LIT("\100\000")}, /* reserved label types */
	    {LIT("\101a\000")},
	    {LIT("\200\014")},
	    {LIT("\277a\000")},
	};
	uint8_t out[NAME_MAX_LEN];
	size_t pos;

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		assert_int_equal(
		    name_behind(good[i].wire, good[i].len, out, &pos), good[i].name_len);
		assert_memory_equal(out, good[i].name, good[i].name_len);
		assert_int_equal(pos, good[i].pos);
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		assert_int_equal(name_behind(bad[i].wire, bad[i].len, out, &pos), 0);
		assert_int_equal(pos, 0);
	}
}

static void
test_long_names_by_pointers(void **state)
{
	uint8_t out[NAME_MAX_LEN], wire[600] = {0};
	size_t pos, at;

	(void)state;
	/* 12: 63 x, pointed to by 63 y, by 63 z: 193 octets. */
	at = MSG_HEADER;
	for (unsigned i = 0; i < 3; i++, at += 66) {
		wire[at] = 63;
		memset(wire + at + 1, 'x' + (int)i, 63);
		if (i > 0)
			put_u16(wire + at + 64, (uint16_t)(0xc000 | (at - 66 + (i == 1))));
		else
			at--; /* ended by a root, not a pointer */
	}
	/* Then 61 octets and the pointer: 255 in all. */
	wire[at] = 61;
	put_u16(wire + at + 62, (uint16_t)(0xc000 | (at - 66)));
	pos = at;
	assert_int_equal(msg_name_at(wire, sizeof(wire), &pos, out), 255);
	assert_int_equal(pos, at + 64);
	assert_int_equal(name_check(out, 255), 255);
	wire[at] = 62;
	put_u16(wire + at + 63, (uint16_t)(0xc000 | (at - 66)));
	pos = at;
	assert_int_equal(msg_name_at(wire, sizeof(wire), &pos, out), 0);
	/* 127 labels of one octet are the most; without a pointer, and one too many. */
	memset(wire, 1, sizeof(wire));
	wire[12 + 254] = 0;
	pos = 12;
	assert_int_equal(msg_name_at(wire, sizeof(wire), &pos, out), 255);
	wire[12 + 254] = 1;
	wire[12 + 256] = 0;
	pos = 12;
	assert_int_equal(msg_name_at(wire, sizeof(wire), &pos, out), 0);
}

/* Each pointer leads to the one before: legal backward steps, but no honest message has them. */
static void
test_pointer_chains(void **state)
{
	uint8_t out[NAME_MAX_LEN], wire[4000] = {0};
	size_t pos;

	(void)state;
	wire[12] = 0;
	put_u16(wire + 13, 0xc000 | 12);
	for (size_t at = 15; at + 2 <= sizeof(wire); at += 2)
		put_u16(wire + at, (uint16_t)(0xc000 | (at - 2)));
	pos = 13 + 2 * 126; /* the 127th pointer */
	assert_int_equal(msg_name_at(wire, sizeof(wire), &pos, out), 1);
	pos = 13 + 2 * 127;
	assert_int_equal(msg_name_at(wire, sizeof(wire), &pos, out), 0);
	pos = 13 + 2 * 1000;
	assert_int_equal(msg_name_at(wire, sizeof(wire), &pos, out), 0);
}

struct decoded {
	int rc;
	struct rr rr;
	uint8_t owner[NAME_MAX_LEN];
	uint8_t rdata[MSG_MAX + 2 * NAME_MAX_LEN + 2];
};

/* Reads the one record of a message through the whole path. */
static void
decode(struct decoded *d, uint16_t type, const char *rdata, size_t rdlen)
{
	struct buf b = BUF_INIT;
	struct msg_walk *w = zr_xcalloc(1, sizeof(*w));
	struct zr_err e;
	uint8_t *copy;
	struct msg m;

	begin(&b, FLAG_QR);
	add(&b, SECTION_ANSWER, LIT("\300\014"), type, rdata, rdlen);
	assert_int_equal(parse(&m, &b, MSG_FULL, &copy), 0);
	assert_int_equal(msg_walk_start(w, &m, SECTION_ANSWER, &e), 0);
	d->rc = msg_next(w, &d->rr, &e);
	if (d->rc == 1) {
		memcpy(d->rdata, d->rr.rdata, d->rr.rdlen);
		d->rr.rdata = d->rdata;
		assert_memory_equal(d->rr.owner, "\007Example\003org", 13);
		assert_int_equal(d->rr.owner_len, 13);
		assert_int_equal(msg_next(w, &d->rr, &e), 0);
	} else {
		assert_int_equal(e.code, ZR_FORMERR);
	}
	free(copy);
	free(w);
	buf_clear(&b);
}

#define EXP "\007Example\003org\000"

static void
test_rdata(void **state)
{
	static const struct {
		uint16_t type;
		const char *in;
		size_t in_len;
		const char *out; /* NULL: malformed */
		size_t out_len;
	} cases[] = {
	    {2, LIT("\002ns\300\014"), LIT("\002ns" EXP)},
	    {5, LIT("\300\014"), LIT(EXP)},
	    {12, LIT("\001a\000"), LIT("\001a\000")},
	    {14, LIT("\300\014\001x\300\024"), LIT(EXP "\001x\003org\000")},
	    {15, LIT("\000\012\300\014"), LIT("\000\012" EXP)},
	    {6, LIT("\300\014\300\0241234567890abcdefghij"),
		LIT(EXP "\003org\0001234567890abcdefghij")},
	    {17, LIT("\300\014\300\014"), LIT(EXP EXP)},
	    {18, LIT("\000\001\300\014"), LIT("\000\001" EXP)},
	    {21, LIT("\000\001\300\014"), LIT("\000\001" EXP)},
	    {24, LIT("123456789012345678\300\014sig"), LIT("123456789012345678" EXP "sig")},
	    {24, LIT("123456789012345678\300\014"), LIT("123456789012345678" EXP)},
	    {26, LIT("\000\001\300\014\300\024"), LIT("\000\001" EXP "\003org\000")},
	    {30, LIT("\300\014\100\000"), LIT(EXP "\100\000")},
	    {33, LIT("123456\300\014"), LIT("123456" EXP)},
	    {35, LIT("1234\001a\000\002bc\300\014"), LIT("1234\001a\000\002bc" EXP)},
	    {36, LIT("\000\001\300\014"), LIT("\000\001" EXP)},
	    /* U-04: pointers in types not listed are opaque data, in known types too. */
	    {39, LIT("\300\014"), LIT("\300\014")},
	    {46, LIT("123456789012345678\300\014"), LIT("123456789012345678\300\014")},
	    {47, LIT("\300\014\000"), LIT("\300\014\000")},
	    {65280, LIT("\300\014"), LIT("\300\014")},
	    {64, LIT("\000\001\300\377"), LIT("\000\001\300\377")},
	    {65280, LIT(""), LIT("")}, /* U-08 */
	    {42, LIT(""), LIT("")},
	    {1, LIT("\001\002\003"), LIT("\001\002\003")}, /* not our business */
	    /* Structure of the types that bear names. */
	    {2, LIT(""), NULL, 0},
	    {2, LIT("\001a"), NULL, 0},
	    {2, LIT("\001a\000x"), NULL, 0},
	    {2, LIT("\300\014x"), NULL, 0},
	    {2, LIT("\300"), NULL, 0},
	    {2, LIT("\300\377"), NULL, 0},
	    {2, LIT("\300\050"), NULL, 0}, /* into its own record, behind the owner, forward */
	    {2, LIT("\100a\000"), NULL, 0},
	    {6, LIT("\300\014\300\0141234567890abcdefghi"), NULL, 0},
	    {6, LIT("\300\014\300\0141234567890abcdefghijk"), NULL, 0},
	    {6, LIT("\300\014"), NULL, 0},
	    {15, LIT("\000"), NULL, 0},
	    {15, LIT("\000\001"), NULL, 0},
	    {33, LIT("12345"), NULL, 0},
	    {33, LIT("123456\300\014x"), NULL, 0},
	    {35, LIT("1234\001a\000\003bc"), NULL, 0},
	    {35, LIT("1234\001a\000"), NULL, 0},
	    {35, LIT("1234"), NULL, 0},
	    {24, LIT("12345678901234567"), NULL, 0},
	    {30, LIT(""), NULL, 0},
	};
	struct decoded *d = zr_xcalloc(1, sizeof(*d));

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		decode(d, cases[i].type, cases[i].in, cases[i].in_len);
		assert_int_equal(d->rc, cases[i].out == NULL ? -1 : 1);
		if (cases[i].out == NULL)
			continue;
		assert_int_equal(d->rr.rdlen, cases[i].out_len);
		assert_memory_equal(d->rr.rdata, cases[i].out, cases[i].out_len);
		assert_int_equal(d->rr.type, cases[i].type);
		assert_int_equal(d->rr.ttl, 3600);
	}
	free(d);
}

/* A name in the RDATA of one record may complete one in the next, but never reach beyond its own.
 */
static void
test_rdata_is_bounded(void **state)
{
	struct decoded *d = zr_xcalloc(1, sizeof(*d));
	struct buf b = BUF_INIT;
	struct zr_err e;
	size_t pos;

	(void)state;
	begin(&b, FLAG_QR);
	add(&b, SECTION_ANSWER, LIT("\300\014"), 2, LIT("\001a"));
	buf_bytes(&b, LIT("\001b\000")); /* would complete the name */
	pos = ANSWER;
	assert_int_equal(msg_rr_at(b.data, b.len, &pos, &d->rr, d->owner, d->rdata, &e), -1);
	assert_int_equal(e.code, ZR_FORMERR);
	begin(&b, FLAG_QR);
	add(&b, SECTION_ANSWER, LIT("\300\014"), 2, LIT("\002ns\300\014"));
	add(&b, SECTION_ANSWER, LIT("\300\014"), 2, LIT("\001x\300\051")); /* the RDATA before */
	pos = ANSWER + 2 + 10 + 5;
	assert_int_equal(msg_rr_at(b.data, b.len, &pos, &d->rr, d->owner, d->rdata, &e), 0);
	assert_int_equal(pos, b.len);
	assert_int_equal(d->rr.rdlen, 18);
	assert_memory_equal(d->rr.rdata, "\001x\002ns" EXP, 18);
	buf_clear(&b);
	free(d);
}

/* Decompression must not make RDATA longer than a record can hold. */
static void
test_expansion_limit(void **state)
{
	struct decoded *d = zr_xcalloc(1, sizeof(*d));
	struct buf b = BUF_INIT;
	struct zr_err e;
	size_t pos;

	(void)state;
	for (unsigned over = 0; over < 2; over++) {
		begin(&b, FLAG_QR);
		buf_bytes(&b, LIT("\300\014\000\030\000\001\000\000\000\000"));
		buf_u16(&b, (uint16_t)(UINT16_MAX - 13 + 2 + over));
		buf_bytes(&b, LIT("123456789012345678\300\014"));
		while (b.len < ANSWER + 12u + UINT16_MAX - 13 + 2 + over)
			buf_u8(&b, 's');
		pos = ANSWER;
		assert_int_equal(
		    msg_rr_at(b.data, b.len, &pos, &d->rr, d->owner, d->rdata, &e), over ? -1 : 0);
		assert_int_equal(over || d->rr.rdlen == UINT16_MAX, true);
	}
	buf_clear(&b);
	free(d);
}

static void
test_ttl_top_bit(void **state)
{
	static const struct {
		uint32_t in, out;
	} cases[] = {{0, 0}, {0x7fffffff, 0x7fffffff}, {0x80000000, 0}, {0xffffffff, 0}}; /* T-16 */
	struct decoded *d = zr_xcalloc(1, sizeof(*d));
	struct buf b = BUF_INIT;
	size_t pos;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		begin(&b, FLAG_QR);
		buf_bytes(&b, LIT("\000\000\001\000\003"));
		buf_u32(&b, cases[i].in);
		buf_u16(&b, 0);
		pos = ANSWER;
		assert_int_equal(
		    msg_rr_at(b.data, b.len, &pos, &d->rr, d->owner, d->rdata, NULL), 0);
		assert_int_equal(d->rr.ttl, cases[i].out);
		assert_int_equal(d->rr.class, 3); /* as it is, others judge it */
		assert_int_equal(d->rr.owner_len, 1);
	}
	buf_clear(&b);
	free(d);
}

static void
test_sections(void **state)
{
	struct msg_walk *w = zr_xcalloc(1, sizeof(*w));
	struct buf b = BUF_INIT;
	uint8_t *copy;
	struct msg m;
	struct rr rr;

	(void)state;
	begin(&b, FLAG_QR);
	add(&b, SECTION_ANSWER, LIT("\300\014"), 1, LIT("aaaa"));
	add(&b, SECTION_ANSWER, LIT("\001x\300\014"), 1, LIT("bbbb"));
	add(&b, SECTION_AUTHORITY, LIT("\300\014"), 2, LIT("\300\014"));
	add(&b, SECTION_ADDITIONAL, LIT("\001y\000"), 1, LIT("cccc"));
	assert_int_equal(parse(&m, &b, MSG_FULL, &copy), 0);
	assert_int_equal(msg_walk_start(w, &m, SECTION_ANSWER, NULL), 0);
	assert_int_equal(msg_next(w, &rr, NULL), 1);
	assert_memory_equal(rr.rdata, "aaaa", 4);
	assert_int_equal(msg_next(w, &rr, NULL), 1);
	assert_memory_equal(rr.rdata, "bbbb", 4);
	assert_int_equal(msg_next(w, &rr, NULL), 0);
	assert_int_equal(msg_next(w, &rr, NULL), 0);
	assert_int_equal(msg_walk_start(w, &m, SECTION_AUTHORITY, NULL), 0);
	assert_int_equal(msg_next(w, &rr, NULL), 1);
	assert_int_equal(rr.type, TYPE_NS);
	assert_int_equal(msg_next(w, &rr, NULL), 0);
	assert_int_equal(msg_walk_start(w, &m, SECTION_ADDITIONAL, NULL), 0);
	assert_int_equal(msg_next(w, &rr, NULL), 1);
	assert_memory_equal(rr.rdata, "cccc", 4);
	assert_int_equal(msg_next(w, &rr, NULL), 0);
	free(copy);
	buf_clear(&b);
	free(w);
}

/* The memory of the last owner changes nothing but the time it takes. */
static void
test_owner_memo(void **state)
{
	/* Owners in turn; offsets as they come to stand with empty RDATA of type 1. */
	static const struct {
		const char *wire;
		size_t len;
		bool kept;
		const char *name;
	} cases[] = {
	    {LIT("\300\014"), false, EXP},
	    {LIT("\300\014"), true, EXP},
	    {LIT("\001a\300\014"), false, "\001a" EXP}, /* at 29 + 24 = 53 */
	    {LIT("\300\065"), true, "\001a" EXP},
	    {LIT("\300\065"), true, "\001a" EXP},
	    {LIT("\300\014"), false, EXP},
	    {LIT("\300\065"), false, "\001a" EXP},
	    {LIT("\001a\300\014"), false, "\001a" EXP}, /* said again in full */
	    {LIT("\300\024"), false, "\003org"},
	};
	struct decoded *d = zr_xcalloc(1, sizeof(*d));
	struct owner_memo memo = {0};
	struct buf b = BUF_INIT;
	size_t pos = ANSWER, again;
	uint8_t owner[NAME_MAX_LEN];
	struct rr rr;

	(void)state;
	begin(&b, FLAG_QR);
	for (size_t i = 0; i < COUNT(cases); i++)
		add(&b, SECTION_ANSWER, cases[i].wire, cases[i].len, 1, "", 0);
	for (size_t i = 0; i < COUNT(cases); i++) {
		again = pos;
		assert_int_equal(
		    msg_rr_next(b.data, b.len, &pos, &rr, owner, d->rdata, &memo, NULL), 0);
		assert_int_equal(memo.kept, cases[i].kept);
		assert_int_equal(rr.owner_len, strlen(cases[i].name) + 1);
		assert_memory_equal(rr.owner, cases[i].name, rr.owner_len);
		assert_int_equal(
		    msg_rr_at(b.data, b.len, &again, &d->rr, d->owner, d->rdata, NULL), 0);
		assert_int_equal(again, pos);
		assert_memory_equal(d->owner, owner, rr.owner_len);
	}
	assert_int_equal(pos, b.len);
	/* A failed record leaves no memory behind. */
	b.len = ANSWER;
	buf_bytes(&b, LIT("\001z\300\377"));
	pos = ANSWER;
	assert_int_equal(msg_rr_next(b.data, b.len, &pos, &rr, owner, d->rdata, &memo, NULL), -1);
	assert_int_equal(memo.len, 0);
	buf_clear(&b);
	free(d);
}

static void
test_edns(void **state)
{
	struct buf b = BUF_INIT;
	struct msg m;

	(void)state;
	begin(&b, 0);
	assert_int_equal(parse_only(&m, &b, MSG_FULL), 0);
	assert_false(m.edns.present);
	assert_int_equal(m.opt_count, 0);
	/* ED-03: unknown options are skipped, ED-05: so are unknown flags, ED-06: 512 at least. */
	add_opt(&b, 100, 0x0000ffff, LIT("\376\376\000\003abc\000\014\000\002\000\000"));
	add(&b, SECTION_ADDITIONAL, LIT("\300\014"), 1, LIT("aaaa")); /* ED-02: OPT anywhere */
	assert_int_equal(parse_only(&m, &b, MSG_FULL), 0);
	assert_true(m.edns.present);
	assert_false(m.edns.malformed);
	assert_true(m.edns.do_bit);
	assert_int_equal(m.edns.udp_size, 512);
	assert_int_equal(m.edns.version, 0);
	assert_false(m.edns.has_expire || m.edns.has_keepalive || m.edns.has_ede);
	/* A second one. */
	add_opt(&b, 1232, 0, "", 0);
	assert_int_equal(parse_only(&m, &b, MSG_FULL), 0);
	assert_int_equal(m.opt_count, 2);
	assert_true(m.edns.present);
	assert_true(m.edns.malformed);
	/* Not looked for. */
	assert_int_equal(parse_only(&m, &b, MSG_HEADER_ONLY), 0);
	assert_false(m.edns.present);
	/* ED-04: nothing is read of other versions but the version. */
	begin(&b, 0);
	add_opt(&b, 4096, 0x00010000, LIT("\000\011\000\377"));
	assert_int_equal(parse_only(&m, &b, MSG_FULL), 0);
	assert_int_equal(m.edns.version, 1);
	assert_false(m.edns.malformed);
	assert_int_equal(m.edns.udp_size, 4096);
	/* ED-03: the owner is the root. */
	begin(&b, 0);
	add(&b, SECTION_ADDITIONAL, LIT("\300\014"), TYPE_OPT, "", 0);
	assert_int_equal(parse_only(&m, &b, MSG_FULL), 0);
	assert_true(m.edns.malformed);
	/* Extended RCODE. */
	begin(&b, FLAG_QR | 7);
	add_opt(&b, 1232, 0x01000000, "", 0);
	assert_int_equal(parse_only(&m, &b, MSG_FULL), 0);
	assert_int_equal(msg_rcode(&m), 23);
	buf_clear(&b);
}

static void
test_edns_options(void **state)
{
	/* q and r: malformed as a query, as a response (E-11, KA-02, ED-09). */
	static const struct {
		const char *options;
		size_t len;
		bool q, r;
	} cases[] = {
	    {LIT(""), false, false},
	    {LIT("\000"), true, true},
	    {LIT("\000\011\000"), true, true},
	    {LIT("\000\011\000\001"), true, true},
	    {LIT("\377\000\000\002a"), true, true},
	    {LIT("\377\000\377\377a"), true, true},
	    {LIT("\377\000\000\001ab"), true, true},
	    {LIT("\000\011\000\000"), false, false},
	    {LIT("\000\011\000\004abcd"), true, false},
	    {LIT("\000\011\000\003abc"), true, false},
	    {LIT("\000\013\000\000"), false, false},
	    {LIT("\000\013\000\002ab"), false, false},
	    {LIT("\000\013\000\001a"), false, false}, /* its own flag, see below */
	    {LIT("\000\017\000\001a"), true, false},
	    {LIT("\000\017\000\002\000\022"), false, false},
	};
	struct buf b = BUF_INIT;
	struct msg m;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		for (unsigned response = 0; response < 2; response++) {
			begin(&b, response ? FLAG_QR : 0);
			add_opt(&b, 1232, 0, cases[i].options, cases[i].len);
			assert_int_equal(parse_only(&m, &b, MSG_FULL), 0);
			assert_int_equal(m.edns.malformed, response ? cases[i].r : cases[i].q);
		}
	}
	begin(&b, 0);
	add_opt(&b, 1232, 0, LIT("\000\013\000\000\000\011\000\000"));
	assert_int_equal(parse_only(&m, &b, MSG_FULL), 0);
	assert_true(m.edns.has_expire && m.edns.has_keepalive);
	assert_false(m.edns.expire_valid || m.edns.keepalive_valid);
	assert_false(m.edns.keepalive_malformed);
	begin(&b, 0);
	add_opt(&b, 1232, 0, LIT("\000\013\000\001a"));
	assert_int_equal(parse_only(&m, &b, MSG_FULL), 0);
	assert_true(m.edns.keepalive_malformed);
	assert_false(m.edns.has_keepalive);
	begin(&b, FLAG_QR);
	add_opt(&b, 1232, 0,
	    LIT("\000\017\000\005\000\022why\000\011\000\004\000\001\000\002"
		"\000\013\000\002\001\004\000\017\000\002\000\024"));
	assert_int_equal(parse_only(&m, &b, MSG_FULL), 0);
	assert_true(m.edns.expire_valid && m.edns.keepalive_valid && m.edns.has_ede);
	assert_int_equal(m.edns.expire, 65538);
	assert_int_equal(m.edns.keepalive, 260);
	assert_int_equal(m.edns.ede, EDE_PROHIBITED);
	assert_int_equal(m.edns.ede_text_len, 3);
	/* E-11: a response with a wrong length has no EXPIRE. */
	begin(&b, FLAG_QR);
	add_opt(&b, 1232, 0, LIT("\000\011\000\000\000\013\000\000"));
	assert_int_equal(parse_only(&m, &b, MSG_FULL), 0);
	assert_false(m.edns.has_expire || m.edns.expire_valid || m.edns.keepalive_valid);
	buf_clear(&b);
}

static void
test_tsig_and_order(void **state)
{
	struct buf b = BUF_INIT;
	struct msg m;
	size_t at;

	(void)state;
	begin(&b, 0);
	add_opt(&b, 1232, 0, "", 0);
	at = b.len;
	add(&b, SECTION_ADDITIONAL, LIT("\003key\000"), TYPE_TSIG, LIT("opaque"));
	assert_int_equal(parse_only(&m, &b, MSG_FULL), 0);
	assert_true(m.has_tsig);
	assert_int_equal(m.tsig_at, at);
	assert_true(m.edns.present);
	/* RFC 8945 section 5.2: not last, or elsewhere: FORMERR. */
	add(&b, SECTION_ADDITIONAL, LIT("\000"), 1, LIT("aaaa"));
	assert_int_equal(parse_only(&m, &b, MSG_FULL), -1);
	assert_false(m.has_tsig);
	for (enum msg_section s = SECTION_ANSWER; s <= SECTION_AUTHORITY; s++) {
		begin(&b, 0);
		add(&b, s, LIT("\000"), TYPE_TSIG, "", 0);
		assert_int_equal(parse_only(&m, &b, MSG_FULL), -1);
		begin(&b, 0);
		add(&b, s, LIT("\000"), TYPE_OPT, "", 0);
		assert_int_equal(parse_only(&m, &b, MSG_FULL), -1);
		assert_true(m.has_question);
	}
	buf_clear(&b);
}

static void
whole_message(struct buf *b)
{
	begin(b, FLAG_QR);
	add(b, SECTION_ANSWER, LIT("\300\014"), TYPE_SOA,
	    LIT("\002ns\300\014\300\024aaaabbbbccccddddeeee"));
	add(b, SECTION_ANSWER, LIT("\001a\300\014"), 1, LIT("aaaa"));
	add(b, SECTION_AUTHORITY, LIT("\300\014"), 35, LIT("1234\001a\000\002bc\300\014"));
	add(b, SECTION_ADDITIONAL, LIT("\001z\300\024"), 16, LIT("\003abc"));
	add_opt(b, 1232, 0, LIT("\000\017\000\005\000\022why\000\011\000\004abcd"));
	add(b, SECTION_ADDITIONAL, LIT("\003key\000"), TYPE_TSIG, LIT("opaque"));
}

/* Everything a reader would do with a message that may be broken. */
static int
read_all(const uint8_t *data, size_t len, struct msg_walk *w)
{
	struct msg m;
	struct rr rr;
	int rc = 0;

	if (msg_parse(&m, data, len, MSG_FULL, NULL) < 0)
		return -1;
	for (enum msg_section s = SECTION_ANSWER; s <= SECTION_ADDITIONAL && rc == 0; s++) {
		rc = msg_walk_start(w, &m, s, NULL);
		while (rc == 0 && (rc = msg_next(w, &rr, NULL)) == 1)
			rc = name_check(rr.owner, rr.owner_len) == rr.owner_len ? 0 : -2;
	}
	return rc;
}

static void
test_cut_anywhere(void **state)
{
	struct msg_walk *w = zr_xcalloc(1, sizeof(*w));
	struct buf b = BUF_INIT;
	uint8_t *copy;

	(void)state;
	whole_message(&b);
	assert_int_equal(read_all(b.data, b.len, w), 0);
	for (size_t n = 0; n < b.len; n++) {
		copy = zr_xmemdup(b.data, n == 0 ? 1 : n);
		assert_int_equal(read_all(copy, n, w), -1);
		free(copy);
	}
	buf_u8(&b, 0);
	assert_int_equal(read_all(b.data, b.len, w), -1); /* one more octet */
	buf_clear(&b);
	free(w);
}

static void
test_damaged_anywhere(void **state)
{
	struct msg_walk *w = zr_xcalloc(1, sizeof(*w));
	struct buf b = BUF_INIT;
	struct rng r;
	uint8_t *copy;

	(void)state;
	whole_message(&b);
	rng_seed(&r, 3);
	for (size_t i = 0; i < b.len; i++) {
		for (unsigned v = 0; v < 256; v++) {
			copy = zr_xmemdup(b.data, b.len);
			copy[i] = (uint8_t)v;
			copy[rng_below(&r, b.len)] ^= (uint8_t)(v & 1 ? rng_next(&r) : 0);
			assert_in_range(read_all(copy, b.len, w) + 1, 0, 1);
			free(copy);
		}
	}
	buf_clear(&b);
	free(w);
}

static void
test_rcode_text(void **state)
{
	(void)state;
	assert_string_equal(rcode_text(0), "NOERROR");
	assert_string_equal(rcode_text(RCODE_REFUSED), "REFUSED");
	assert_string_equal(rcode_text(RCODE_NOTAUTH), "NOTAUTH");
	assert_string_equal(rcode_text(RCODE_BADVERS), "BADVERS");
	assert_string_equal(rcode_text(23), "BADCOOKIE");
	assert_string_equal(rcode_text(12), "unknown rcode");
	assert_string_equal(rcode_text(4095), "unknown rcode");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_header_and_question),
	    cmocka_unit_test(test_too_short_or_long),
	    cmocka_unit_test(test_bad_questions),
	    cmocka_unit_test(test_decompression),
	    cmocka_unit_test(test_long_names_by_pointers),
	    cmocka_unit_test(test_pointer_chains),
	    cmocka_unit_test(test_rdata),
	    cmocka_unit_test(test_rdata_is_bounded),
	    cmocka_unit_test(test_expansion_limit),
	    cmocka_unit_test(test_ttl_top_bit),
	    cmocka_unit_test(test_sections),
	    cmocka_unit_test(test_owner_memo),
	    cmocka_unit_test(test_edns),
	    cmocka_unit_test(test_edns_options),
	    cmocka_unit_test(test_tsig_and_order),
	    cmocka_unit_test(test_cut_anywhere),
	    cmocka_unit_test(test_damaged_anywhere),
	    cmocka_unit_test(test_rcode_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
