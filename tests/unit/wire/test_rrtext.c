/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What rr_print() writes is read back by ldns, on its own from a whole zone file and record by
 * record, and by named-checkzone when it is installed.
 */
#include "base/mem.h"
#include "wire/name.h"
#include "wire/rr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ldns/ldns.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define LIT(s) (s), (sizeof(s) - 1)

static struct rr
record(const uint8_t *owner, uint16_t type, const void *rdata, size_t rdlen)
{
	return (struct rr){.owner = owner,
	    .owner_len = (uint8_t)name_len(owner),
	    .type = type,
	    .class = CLASS_IN,
	    .ttl = 300,
	    .rdata = rdata,
	    .rdlen = (uint16_t)rdlen};
}

static const uint8_t owner[] = "\001a\007example";

/* RDATA in zone file form as its authors wrote it, and what we make of it (NULL: the same). */
static const struct {
	const char *type, *in, *out;
} known[] = {
    {"A", "192.0.2.1", NULL},
    {"NS", "ns.example.", NULL},
    {"CNAME", "b\\.c\\000.example.", NULL},
    {"SOA", "ns.example. host\\.master.example. 4294967295 1 2 3 4", NULL},
    {"PTR", ".", NULL},
    {"HINFO", "\"a b\" \"\"", NULL},
    {"MX", "65535 mx.example.", NULL},
    {"TXT", "\"a b\" \"\" \"c\\\"\\\\;\\000\\127\\255$@()\"", NULL},
    {"TXT", "\"\"", NULL},
    {"RP", "m.example. t.example.", NULL},
    {"AFSDB", "1 a.example.", NULL},
    {"AAAA", "2001:db8::1", NULL},
    {"AAAA", "::ffff:192.0.2.1", NULL},
    {"LOC", "52 22 23.000 N 04 53 32.000 E -2.00m 0.00m 10000m 10m",
	"52 22 23.000 N 04 53 32.000 E -2m 0.00m 10000m 10m"},
    {"SRV", "1 2 3 s.example.", NULL},
    {"NAPTR", "1 2 \"S\" \"SIP+D2U\" \"!^(.*)$!sip:\\\\1@b!\" _sip._udp.example.", NULL},
    {"KX", "1 k.example.", NULL},
    {"CERT", "PKIX 1 8 AQID", "1 1 8 AQID"},
    {"CERT", "65535 65535 255 AQIDBA==", NULL},
    {"DNAME", "d.example.", NULL},
    {"APL", "1:192.168.32.0/21 !1:192.168.38.0/28", NULL},
    {"DS", "1 8 2 0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20", NULL},
    {"SSHFP", "1 1 0102030405060708090a0b0c0d0e0f1011121314", NULL},
    {"RRSIG", "A 8 2 3600 21060207062815 19700101000000 12345 example. AwEAAQ==", NULL},
    {"RRSIG",
	"TYPE65280 8 2 3600 20300101000000 20200101000000 12345 \\000.example. AwEAAQ==", NULL},
    {"NSEC", "\\000.a.example. A NS TYPE65280", NULL},
    {"DNSKEY", "256 3 8 AwEAAQ==", NULL},
    {"NSEC3", "1 1 5 aabb 2t7b4g4vsa5smi47k61mv5bv1a22bojr A RRSIG", NULL},
    {"NSEC3", "1 0 0 - 2t7b4g4vsa5smi47k61mv5bv1a22bojr", NULL},
    {"NSEC3PARAM", "1 0 65535 00ff", NULL},
    {"NSEC3PARAM", "1 0 0 -", NULL},
    {"TLSA", "3 1 1 0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20", NULL},
    {"SMIMEA", "3 1 0 010203", NULL},
    {"CDS", "0 0 0 00", NULL},
    {"CDNSKEY", "0 3 0 AA==", NULL},
    {"OPENPGPKEY", "AQID", NULL},
    {"OPENPGPKEY", "AQIDBAU=", NULL},
    {"CSYNC", "66 3 A NS AAAA", NULL},
    {"ZONEMD",
	"1 1 1 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	"202122232425262728292a2b2c2d2e2f",
	NULL},
    {"SVCB", "1 foo.example. alpn=h2 port=53", NULL},
    {"SVCB", "16 foo.example. key65333=ex", NULL},
    {"HTTPS", "0 foo.example.", NULL},
    {"SPF", "\"v=spf1 -all\"", NULL},
    {"EUI48", "00-00-5e-00-53-2a", NULL},
    {"EUI64", "00-00-5e-ef-10-00-00-2a", NULL},
    {"URI", "10 1 \"ftp://ftp.example/\\\"x\\\"\"", NULL},
    {"CAA", "0 issue \"ca.example.net; policy=ev\"", NULL},
    {"CAA", "128 tbs \"\"", NULL},
    {"TYPE65280", "\\# 4 c00c00ff", NULL},
    {"TYPE65280", "\\# 0", NULL},
};

static ldns_rr *
read_line(const char *text)
{
	ldns_rr *rr = NULL;
	char *line = zr_xstrdup(text);

	line[strcspn(line, "\n")] = '\0'; /* some types of ldns stumble over a newline */
	if (ldns_rr_new_frm_str(&rr, line, 0, NULL, NULL) != LDNS_STATUS_OK)
		fail_msg("ldns cannot read: %s", line);
	free(line);
	return rr;
}

static ldns_buffer *
rdata_of(const ldns_rr *rr)
{
	ldns_buffer *b = ldns_buffer_new(LDNS_MIN_BUFLEN);

	assert_int_equal(ldns_rr_rdata2buffer_wire(b, rr), LDNS_STATUS_OK);
	return b;
}

/* The RDATA of known[i] as octets, through ldns. */
static ldns_buffer *
known_rdata(size_t i, uint16_t *type)
{
	char line[600];
	ldns_buffer *b;
	ldns_rr *rr;

	snprintf(line, sizeof(line), "a.example. 300 IN %s %s", known[i].type, known[i].in);
	rr = read_line(line);
	b = rdata_of(rr);
	*type = (uint16_t)ldns_rr_get_type(rr);
	ldns_rr_free(rr);
	return b;
}

static void
expect_line(const struct rr *rr, const char *want)
{
	struct buf out = BUF_INIT;

	assert_int_equal(rr_print(rr, &out, NULL), 0);
	assert_string_equal(buf_cstr(&out), want);
	buf_clear(&out);
}

/* ldns reads the line and finds the very same record. */
static void
expect_reads_back(const struct rr *rr)
{
	struct buf out = BUF_INIT;
	ldns_buffer *wire;
	ldns_rr *again;

	assert_int_equal(rr_print(rr, &out, NULL), 0);
	again = read_line(buf_cstr(&out));
	wire = rdata_of(again);
	assert_int_equal(ldns_rr_get_type(again), rr->type);
	assert_int_equal(ldns_rr_ttl(again), rr->ttl);
	assert_int_equal(ldns_rdf_size(ldns_rr_owner(again)), rr->owner_len);
	assert_memory_equal(ldns_rdf_data(ldns_rr_owner(again)), rr->owner, rr->owner_len);
	assert_int_equal(ldns_buffer_position(wire), rr->rdlen);
	assert_memory_equal(ldns_buffer_begin(wire), rr->rdata, rr->rdlen);
	ldns_buffer_free(wire);
	ldns_rr_free(again);
	buf_clear(&out);
}

static void
test_known_types(void **state)
{
	char want[700];
	ldns_buffer *rdata;
	uint16_t type;
	struct rr rr;

	(void)state;
	for (size_t i = 0; i < COUNT(known); i++) {
		rdata = known_rdata(i, &type);
		rr = record(owner, type, ldns_buffer_begin(rdata), ldns_buffer_position(rdata));
		snprintf(want, sizeof(want), "a.example.\t300\tIN\t%s\t%s\n", known[i].type,
		    known[i].out != NULL ? known[i].out : known[i].in);
		expect_line(&rr, want);
		expect_reads_back(&rr);
		ldns_buffer_free(rdata);
	}
}

/* RDATA that has no safe text in its type: the form of RFC 3597, and the octets survive. */
static void
test_fallback(void **state)
{
	static const struct {
		uint16_t type;
		const char *rdata;
		size_t rdlen;
		const char *text;
	} cases[] = {
	    {1, LIT("\001\002\003"), "TYPE1\t\\# 3 010203"},
	    {1, LIT("\001\002\003\004\005"), "TYPE1\t\\# 5 0102030405"},
	    {2, LIT("\300\014"), "TYPE2\t\\# 2 c00c"},
	    {2, LIT("\001@\000"), "TYPE2\t\\# 3 014000"},
	    {2, LIT(""), "TYPE2\t\\# 0"},
	    {16, LIT(""), "TYPE16\t\\# 0"},
	    {16, LIT("\002a"), "TYPE16\t\\# 2 0261"},
	    {13, LIT("\001a\001b\001c"), "TYPE13\t\\# 6 016101620163"},
	    {43, LIT("\000\001\010\002"), "TYPE43\t\\# 4 00010802"}, /* no digest */
	    {39, LIT("\300\014"), "TYPE39\t\\# 2 c00c"},	     /* opaque: not a name */
	    {47, LIT("\300\000\000\001\100"), "TYPE47\t\\# 5 c000000140"},
	    {47, LIT("\001b\000\000\002\100\000"), "TYPE47\t\\# 7 01620000024000"}, /* bitmap */
	    {47, LIT("\001b\000\000\000"), "TYPE47\t\\# 5 0162000000"},
	    {47, LIT("\001b\000\001\001\100\001\001\100"), "TYPE47\t\\# 9 016200010140010140"},
	    {47, LIT("\001b\000"), "TYPE47\t\\# 3 016200"},
	    {62, LIT("\000\000\000\001\000\003"), "TYPE62\t\\# 6 000000010003"},
	    {37, LIT("\000\000\000\001\010k"), "TYPE37\t\\# 6 00000001086b"},
	    {50, LIT("\001\000\000\000\000\002hi"), "TYPE50\t\\# 8 0100000000026869"},
	    {108, LIT("\001\002\003\004\005"), "TYPE108\t\\# 5 0102030405"},
	    {42, LIT(""), "TYPE42\t\\# 0"},
	    {50, LIT("\001\000\000\000\000\000"), "TYPE50\t\\# 6 010000000000"},
	    {46, LIT("\000\001"), "TYPE46\t\\# 2 0001"},
	    {48, LIT("\001\000\003\010"), "TYPE48\t\\# 4 01000308"},
	    {257, LIT("\000\001-x"), "TYPE257\t\\# 4 00012d78"},
	    {257, LIT("\000\000x"), "TYPE257\t\\# 3 000078"},
	    {257, LIT("\000"), "TYPE257\t\\# 1 00"},
	    {64, LIT("\000\001\000\000\001\000\005\004a\\,b"),
		"TYPE64\t\\# 12 0001000001000504615c2c62"},
	    {3, LIT("\000"), "TYPE3\t\\# 1 00"},
	    {41, LIT(""), "TYPE41\t\\# 0"},
	    {0, LIT("x"), "TYPE0\t\\# 1 78"},
	};
	struct buf want = BUF_INIT;
	struct rr rr;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		rr = record(owner, cases[i].type, cases[i].rdata, cases[i].rdlen);
		buf_reset(&want);
		buf_str(&want, "a.example.\t300\tIN\t");
		buf_str(&want, cases[i].text);
		buf_u8(&want, '\n');
		expect_line(&rr, buf_cstr(&want));
	}
	rr = record(owner, 1, "\001\002\003\004", 4);
	rr.class = 3;
	expect_line(&rr, "a.example.\t300\tCLASS3\tTYPE1\t\\# 4 01020304\n");
	buf_clear(&want);
}

static void
test_owners(void **state)
{
	static const struct {
		const char *wire, *text;
	} cases[] = {
	    {"", "."},
	    {"\001*\001A", "*.A."},
	    {"\006.\\();@\002$\"", "\\.\\\\\\(\\)\\;\\@.\\$\\\"."},
	    {"\004 \t\177\377", "\\032\\009\\127\\255."},
	};
	char want[100];
	struct rr rr;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		rr = record((const uint8_t *)cases[i].wire, 1, "\001\002\003\004", 4);
		snprintf(want, sizeof(want), "%s\t300\tIN\tA\t1.2.3.4\n", cases[i].text);
		expect_line(&rr, want);
		expect_reads_back(&rr);
	}
	rr = record((const uint8_t *)"\003\000\001\002", 1, "\001\002\003\004", 4);
	rr.ttl = INT32_MAX;
	expect_line(&rr, "\\000\\001\\002.\t2147483647\tIN\tA\t1.2.3.4\n");
	expect_reads_back(&rr);
}

/* Every octet and the longest string, in the types that have strings. */
static void
test_strings(void **state)
{
	static const uint16_t type[] = {16, 99, 256, 257};
	uint8_t rdata[600];
	struct rr rr;
	size_t n;

	(void)state;
	for (size_t i = 0; i < COUNT(type); i++) {
		n = 0;
		if (type[i] == 257)
			n = (size_t)snprintf((char *)rdata, 10, "%c%cissue", 1, 5);
		if (type[i] == 256)
			n = (size_t)snprintf((char *)rdata, 10, "%c%c%c%c", 1, 5, 6, 7);
		for (unsigned v = 0; v < (type[i] < 256 ? 512 : 255); v++) {
			if (type[i] < 256 && v % 256 == 0)
				rdata[n++] = v == 0 ? 255 : 1;
			if (type[i] >= 256 || v < 255 || v == 511)
				rdata[n++] = (uint8_t)(v == 511 ? 255 : v);
		}
		rr = record(owner, type[i], rdata, n);
		expect_reads_back(&rr);
	}
}

static void
test_type_names(void **state)
{
	char text[16];

	(void)state;
	assert_string_equal(rr_type_text(1, text), "A");
	assert_string_equal(rr_type_text(65, text), "HTTPS");
	assert_string_equal(rr_type_text(252, text), "AXFR");
	assert_string_equal(rr_type_text(257, text), "CAA");
	assert_string_equal(rr_type_text(32769, text), "DLV");
	assert_string_equal(rr_type_text(0, text), "TYPE0");
	assert_string_equal(rr_type_text(65280, text), "TYPE65280");
	assert_string_equal(rr_type_text(65535, text), "TYPE65535");
}

/* A zone of all the above, for readers of whole files. */
static void
write_zone(FILE *f)
{
	static const uint8_t binary[] = "\004.\000\"\377\007example";
	static uint8_t giant[2000];
	struct buf out = BUF_INIT;
	ldns_buffer *rdata;
	uint8_t name[NAME_MAX_LEN];
	char text[32];
	struct rr rr;

	fprintf(f, "example.\t300\tIN\tSOA\tns.example. h.example. 1 2 3 4 5\n");
	fprintf(f, "example.\t300\tIN\tNS\tns.elsewhere.\n");
	for (size_t i = 0; i < COUNT(known); i++) {
		if (strcmp(known[i].type, "SOA") == 0 || strcmp(known[i].type, "NSEC3") == 0 ||
		    strcmp(known[i].type, "NSEC3PARAM") == 0)
			continue; /* have a place of their own */
		snprintf(text, sizeof(text), "t%zu.example.", i);
		name_from_text(text, name);
		rdata = known_rdata(i, &rr.type);
		rr = record(name, rr.type, ldns_buffer_begin(rdata), ldns_buffer_position(rdata));
		assert_int_equal(rr_print(&rr, &out, NULL), 0);
		ldns_buffer_free(rdata);
	}
	rr = record(binary, 16, "\004a\000;\"", 5);
	assert_int_equal(rr_print(&rr, &out, NULL), 0);
	rr = record(binary, 65281, giant, sizeof(giant));
	assert_int_equal(rr_print(&rr, &out, NULL), 0);
	fwrite(out.data, 1, out.len, f);
	buf_clear(&out);
}

static void
run_reader(const char *reader)
{
	char path[] = "/tmp/zr-rrtext-XXXXXX", command[200];
	int fd = mkstemp(path), rc;
	FILE *f;

	assert_true(fd >= 0);
	f = fdopen(fd, "w");
	assert_non_null(f);
	write_zone(f);
	assert_int_equal(fclose(f), 0);
	snprintf(command, sizeof(command), "%s %s >/dev/null", reader, path);
	rc = system(command);
	unlink(path);
	assert_int_equal(rc, 0);
}

static void
test_named_checkzone(void **state)
{
	(void)state;
	if (system("command -v named-checkzone >/dev/null 2>&1") != 0)
		skip();
	run_reader("named-checkzone -q -i none -k ignore example");
}

static void
test_ldns_read_zone(void **state)
{
	(void)state;
	if (system("command -v ldns-read-zone >/dev/null 2>&1") != 0)
		skip();
	run_reader("ldns-read-zone");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_known_types),
	    cmocka_unit_test(test_fallback),
	    cmocka_unit_test(test_owners),
	    cmocka_unit_test(test_strings),
	    cmocka_unit_test(test_type_names),
	    cmocka_unit_test(test_named_checkzone),
	    cmocka_unit_test(test_ldns_read_zone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
