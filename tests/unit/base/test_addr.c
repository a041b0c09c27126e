/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/addr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static void
addr_is(const char *in, uint16_t port, const char *want)
{
	char out[ADDR_TEXT_MAX];
	struct zr_addr a;

	if (!addr_parse(in, port, &a))
		fail_msg("%s was refused", in);
	assert_string_equal(addr_text(&a, out), want);
}

static void
addr_fails(const char *in, uint16_t port)
{
	struct zr_addr a;

	if (addr_parse(in, port, &a))
		fail_msg("%s was taken", in);
}

static void
test_parse(void **state)
{
	(void)state;
	addr_is("192.0.2.1", 53, "192.0.2.1@53");
	addr_is("192.0.2.1@5300", 53, "192.0.2.1@5300");
	addr_is("2001:DB8:0::1@53", 0, "2001:db8::1@53");
	addr_is("::1", 65535, "::1@65535");
	addr_is("fe80::1%lo@53", 0, "fe80::1%lo@53");
	addr_is("fe80::1%4000000000", 53, "fe80::1%4000000000@53");
	addr_is("::ffff:192.0.2.1@53", 0, "192.0.2.1@53"); /* A-38 */
}

static void
test_parse_refuses(void **state)
{
	static const char *const bad[] = {"", "@53", "192.0.2.1@", "192.0.2.1@0", "192.0.2.1@65536",
	    "192.0.2.1@53x", "192.0.2.1@-1", "192.0.2.256", "192.0.2", "192.0.2.1 ", " 192.0.2.1",
	    "192.0.2.1%lo", "example.org", "::1::", "fe80::1%", "fe80::1%nosuchinterface",
	    "192.0.2.1@53@53",
	    "1111:2222:3333:4444:5555:6666:7777:8888:1111:2222:3333:4444:5555:6666:7777:8888:9999"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		addr_fails(bad[i], 53);
	addr_fails("192.0.2.1", 0);
}

static void
test_text(void **state)
{
	char out[ADDR_TEXT_MAX];
	struct zr_addr a;

	(void)state;
	memset(&a, 0, sizeof(a));
	assert_string_equal(addr_text(&a, out), "-");
	assert_true(addr_parse_ip("2001:db8::1", &a));
	assert_string_equal(addr_text(&a, out), "2001:db8::1");
	a.port = 53;
	assert_string_equal(addr_ip_text(&a, out), "2001:db8::1");
	assert_false(addr_parse_ip("192.0.2.1@53", &a));
}

static void
test_equality(void **state)
{
	struct zr_addr a, b;

	(void)state;
	assert_true(addr_parse("192.0.2.1@53", 0, &a));
	assert_true(addr_parse("::ffff:192.0.2.1@54", 0, &b));
	assert_true(addr_ip_equal(&a, &b));
	assert_false(addr_equal(&a, &b));
	b.port = 53;
	assert_true(addr_equal(&a, &b));
	assert_memory_equal(&a, &b, sizeof(a)); /* padding included: some hash it */
	assert_true(addr_parse("fe80::1%1@53", 0, &a));
	assert_true(addr_parse("fe80::1%2@53", 0, &b));
	assert_false(addr_ip_equal(&a, &b));
	assert_true(addr_parse("c000:0201::@53", 0, &b)); /* same first octets, other family */
	assert_true(addr_parse("192.0.2.1@53", 0, &a));
	assert_false(addr_ip_equal(&a, &b));
}

static bool
matches(const char *prefix, const char *ip)
{
	struct zr_prefix p;
	struct zr_addr a;

	if (!prefix_parse(prefix, &p))
		fail_msg("%s was refused", prefix);
	assert_true(addr_parse_ip(ip, &a));
	return prefix_match(&p, &a);
}

static void
test_prefix_match(void **state)
{
	(void)state;
	assert_true(matches("192.0.2.0/24", "192.0.2.255"));
	assert_false(matches("192.0.2.0/24", "192.0.3.0"));
	assert_true(matches("192.0.2.128/25", "192.0.2.128"));
	assert_false(matches("192.0.2.128/25", "192.0.2.127"));
	assert_true(matches("192.0.2.7", "192.0.2.7"));
	assert_false(matches("192.0.2.7/32", "192.0.2.6"));
	assert_true(matches("0.0.0.0/0", "203.0.113.1"));
	assert_false(matches("0.0.0.0/0", "2001:db8::1"));
	assert_false(matches("::/0", "203.0.113.1"));
	assert_true(matches("2001:db8::/33", "2001:db8:7fff::1"));
	assert_false(matches("2001:db8::/33", "2001:db8:8000::1"));
	assert_true(matches("2001:db8::1", "2001:db8::1"));
	assert_false(matches("2001:db8::1/128", "2001:db8::2"));
	assert_true(matches("::ffff:192.0.2.0/120", "192.0.2.9"));
	assert_true(matches("192.0.2.0/24", "::ffff:192.0.2.9"));
	assert_true(matches("fe80::/10", "fe80::1%3"));
	assert_false(matches("fe80::1%2", "fe80::1%3"));
}

static void
test_prefix_refuses(void **state)
{
	static const char *const bad[] = {"", "/24", "192.0.2.0/", "192.0.2.0/33", "::/129",
	    "192.0.2.1/24", "2001:db8::1/64", "192.0.2.0/24/24", "192.0.2.0/x",
	    "::ffff:192.0.2.0/24", "192.0.2.0/4294967320"};
	struct zr_prefix p;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (prefix_parse(bad[i], &p))
			fail_msg("%s was taken", bad[i]);
}

static void
test_prefix_text(void **state)
{
	char out[ADDR_TEXT_MAX];
	struct zr_prefix p;

	(void)state;
	assert_true(prefix_parse("192.0.2.0/24", &p));
	assert_string_equal(prefix_text(&p, out), "192.0.2.0/24");
	assert_true(prefix_parse("2001:db8::1", &p));
	assert_string_equal(prefix_text(&p, out), "2001:db8::1");
	assert_true(prefix_parse("::/0", &p));
	assert_string_equal(prefix_text(&p, out), "::/0");
}

static void
test_sockaddr_both_ways(void **state)
{
	static const char *const text[] = {"192.0.2.1@53", "2001:db8::1@5300", "fe80::1%7@1"};
	struct sockaddr_storage ss;
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(53)};
	struct sockaddr local = {.sa_family = AF_UNIX};
	struct zr_addr a, b;

	(void)state;
	for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
		assert_true(addr_parse(text[i], 0, &a));
		assert_int_equal(addr_to_sockaddr(&a, &ss),
		    a.family == 4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
		assert_true(addr_from_sockaddr((struct sockaddr *)&ss, &b));
		assert_true(addr_equal(&a, &b));
	}
	inet_pton(AF_INET6, "::ffff:192.0.2.1", &v6.sin6_addr);
	assert_true(addr_from_sockaddr((struct sockaddr *)&v6, &a));
	assert_int_equal(a.family, 4);
	assert_int_equal(a.port, 53);
	assert_false(addr_from_sockaddr(&local, &a));
}

static void
test_any(void **state)
{
	struct zr_addr a;

	(void)state;
	assert_true(addr_parse_ip("0.0.0.0", &a) && addr_is_any(&a));
	assert_true(addr_parse_ip("::", &a) && addr_is_any(&a));
	assert_true(addr_parse_ip("::1", &a) && !addr_is_any(&a));
	memset(&a, 0, sizeof(a));
	assert_false(addr_is_any(&a));
}

static void
test_client(void **state)
{
	char out[ADDR_TEXT_MAX];
	struct zr_addr a, c;

	(void)state;
	assert_true(addr_parse("192.0.2.1@1024", 0, &a));
	c = addr_client(&a);
	assert_string_equal(addr_text(&c, out), "192.0.2.1");
	assert_true(addr_parse("2001:db8:1:2:3:4:5:6@1024", 0, &a));
	c = addr_client(&a);
	assert_string_equal(addr_text(&c, out), "2001:db8:1:2::");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parse),
	    cmocka_unit_test(test_parse_refuses),
	    cmocka_unit_test(test_text),
	    cmocka_unit_test(test_equality),
	    cmocka_unit_test(test_prefix_match),
	    cmocka_unit_test(test_prefix_refuses),
	    cmocka_unit_test(test_prefix_text),
	    cmocka_unit_test(test_sockaddr_both_ways),
	    cmocka_unit_test(test_any),
	    cmocka_unit_test(test_client),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
