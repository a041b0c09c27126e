/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * the table of who is notified.  An ask is written as text; so is what must come of it, one
 * word for each target: [host/]address:why[=downstream].
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/targets.h"
#include "wire/name.h"

#define SOME_MAX 16

struct row {
	const char *name;
	enum targets_mode mode;
	const char *hosts;     /* "ns1.example=192.0.2.1,2001:db8::1 ns2.example!no such name" */
	const char *mname;     /* NULL: notify-mname */
	const char *acl;       /* "192.0.2.0/24 192.0.2.1@5353 -192.0.2.9": '-' is notify: no */
	const char *primaries; /* of the zone */
	const char *also, *own;
	const char *wanted;
};

/* What a row amounts to; everything the ask borrows. */
struct asked {
	struct targets_ask q;
	struct target_host hosts[SOME_MAX];
	struct zr_addr addrs[SOME_MAX][SOME_MAX];
	uint8_t names[SOME_MAX][NAME_MAX_LEN], mname[NAME_MAX_LEN];
	char errors[SOME_MAX][64];
	struct target_acl acl[SOME_MAX];
	struct zr_addr primaries[SOME_MAX], also[SOME_MAX], own[SOME_MAX];
	size_t own_count;
};

static bool
own(void *arg, const struct zr_addr *a)
{
	const struct asked *k = arg;

	for (size_t i = 0; i < k->own_count; i++)
		if (addr_ip_equal(&k->own[i], a) &&
		    (k->own[i].port == 0 || k->own[i].port == a->port))
			return true;
	return false;
}

/*
 * Octet by octet, for the base's own parser would make IPv4 of "::ffff:192.0.2.1", and what comes
 * out of an AAAA record has not gone through it.
 */
static struct zr_addr
address(const char *text, uint16_t port)
{
	struct zr_addr a = {.family = 6, .port = port};

	if (strncmp(text, "mapped:", 7) != 0) {
		assert_true(strchr(text, '@') != NULL || port != 0 ? addr_parse(text, port, &a)
								   : addr_parse_ip(text, &a));
		return a;
	}
	a.ip[10] = a.ip[11] = 0xff;
	assert_int_equal(
	    sscanf(text + 7, "%hhu.%hhu.%hhu.%hhu", &a.ip[12], &a.ip[13], &a.ip[14], &a.ip[15]), 4);
	return a;
}

/* The next word, or NULL; *text moves behind it. */
static char *
word(char **text, const char *sep)
{
	char *w = strsep(text, sep);

	return w == NULL || *w == '\0' ? NULL : w;
}

static size_t
addresses(const char *text, const char *sep, uint16_t port, struct zr_addr v[SOME_MAX])
{
	char copy[512], *p = copy, *w;
	size_t n = 0;

	snprintf(copy, sizeof(copy), "%s", text == NULL ? "" : text);
	while ((w = word(&p, sep)) != NULL) {
		assert_true(n < SOME_MAX);
		v[n++] = address(w, port);
	}
	return n;
}

static void
read_hosts(struct asked *k, const char *text)
{
	char copy[1024], *p = copy, *w, *more;
	size_t n = 0;

	snprintf(copy, sizeof(copy), "%s", text == NULL ? "" : text);
	for (; (w = word(&p, " ")) != NULL; n++) {
		struct target_host *h = &k->hosts[n];

		more = strpbrk(w, "=!");
		assert_true(more != NULL && n < SOME_MAX);
		if (*more == '!') {
			snprintf(k->errors[n], sizeof(k->errors[n]), "%s", more + 1);
			h->error = k->errors[n];
		} else {
			h->count = addresses(more + 1, ",", 53, k->addrs[n]);
		}
		*more = '\0';
		assert_true(name_from_text(w, k->names[n]) != 0);
		h->name = k->names[n];
		h->addr = k->addrs[n];
	}
	k->q.hosts = k->hosts;
	k->q.host_count = n;
}

static void
read_acl(struct asked *k, const char *text)
{
	char copy[512], *p = copy, *w, *at;
	size_t n = 0;

	snprintf(copy, sizeof(copy), "%s", text == NULL ? "" : text);
	for (; (w = word(&p, " ")) != NULL; n++) {
		struct target_acl *e = &k->acl[n];

		e->notify = *w != '-';
		w += *w == '-';
		at = strchr(w, '@');
		if (at != NULL) {
			*at = '\0';
			e->port = (uint16_t)atoi(at + 1);
		}
		assert_true(prefix_parse(w, &e->prefix));
		e->downstream = (uint32_t)n;
	}
	k->q.acl = k->acl;
	k->q.acl_count = n;
}

static struct asked *
ask(const struct row *r)
{
	struct asked *k = calloc(1, sizeof(*k));

	assert_non_null(k);
	k->q.mode = r->mode;
	read_hosts(k, r->hosts);
	read_acl(k, r->acl);
	if (r->mname != NULL) {
		assert_true(name_from_text(r->mname, k->mname) != 0);
		k->q.mname = k->mname;
	}
	k->q.primaries = k->primaries;
	k->q.primary_count = addresses(r->primaries, " ", 53, k->primaries);
	k->q.also = k->also;
	k->q.also_count = addresses(r->also, " ", 53, k->also);
	k->own_count = addresses(r->own, " ", 0, k->own);
	k->q.own = own;
	k->q.arg = k;
	return k;
}

static void
show(const struct target *t, char *out, size_t size)
{
	char name[NAME_TEXT_MAX] = "", at[ADDR_TEXT_MAX] = "";
	struct zr_prefix p = {t->addr, t->bits};
	size_t len;

	if (t->host != NULL)
		name_show(t->host, name);
	if (t->addr.family != 0 && t->why == TARGETS_PREFIX)
		prefix_text(&p, at);
	else if (t->addr.family != 0)
		addr_text(&t->addr, at);
	len = (size_t)snprintf(
	    out, size, "%s%s%s:%s", name, *name != '\0' ? "/" : "", at, targets_why_names[t->why]);
	if (t->downstream != TARGETS_NOBODY)
		len += (size_t)snprintf(out + len, size - len, "=%u", t->downstream);
	if (t->text != NULL)
		snprintf(out + len, size - len, "!%s", t->text);
}

static void
check(const struct row *r)
{
	struct asked *k = ask(r);
	char found[2048] = "", one[NAME_TEXT_MAX + 200];
	struct target *v;
	size_t n;

	v = targets_find(&k->q, &n);
	for (size_t i = 0; i < n; i++) {
		show(&v[i], one, sizeof(one));
		assert_true(strlen(found) + strlen(one) + 2 < sizeof(found));
		strcat(found, i == 0 ? "" : " ");
		strcat(found, one);
	}
	if (strcmp(found, r->wanted) != 0)
		fail_msg("%s:\n  wanted %s\n  found  %s", r->name, r->wanted, found);
	free(v);
	free(k);
}

static const struct row rows[] = {
    {.name = "nothing", .mode = TARGETS_NS, .wanted = ""},
    {.name = "hosts of NS, in the zone and not",
	.mode = TARGETS_NS,
	.hosts = "ns1.example=192.0.2.1,2001:db8::1 ns.elsewhere.test=198.51.100.1",
	.wanted = "ns1.example/192.0.2.1@53:in ns1.example/2001:db8::1@53:in "
		  "ns.elsewhere.test/198.51.100.1@53:in"},
    {.name = "unresolvable: the others are in",
	.mode = TARGETS_NS,
	.hosts = "ns1.example!no-answer invalid!never-looked-up .!the-root ns2.example=192.0.2.2",
	.wanted = "ns1.example/:unresolved!no-answer invalid/:unresolved!never-looked-up "
		  "./:unresolved!the-root ns2.example/192.0.2.2@53:in"},
    {.name = "own address, IPv4 and IPv6",
	.mode = TARGETS_NS,
	.hosts = "a.example=192.0.2.1,2001:db8::1 b.example=192.0.2.2,2001:db8::2",
	.own = "192.0.2.1@53 2001:db8::2@53",
	.wanted = "a.example/192.0.2.1@53:own a.example/2001:db8::1@53:in "
		  "b.example/192.0.2.2@53:in b.example/2001:db8::2@53:own"},
    {.name = "our IP address at a port where somebody else listens",
	.mode = TARGETS_NS,
	.hosts = "a.example=192.0.2.1 b.example=192.0.2.2",
	.own = "192.0.2.1@5300 192.0.2.2",
	.wanted = "a.example/192.0.2.1@53:in b.example/192.0.2.2@53:own"},
    {.name = "own address mapped into IPv6, and one that is not ours",
	.mode = TARGETS_NS,
	.hosts = "a.example=mapped:192.0.2.1,mapped:192.0.2.2",
	.own = "192.0.2.1",
	.wanted = "a.example/192.0.2.1@53:own a.example/192.0.2.2@53:in"},
    {.name = "own address behind an address translation",
	.mode = TARGETS_ACL,
	.acl = "203.0.113.5 203.0.113.6",
	.own = "10.0.0.1@53 203.0.113.5@53",
	.wanted = "203.0.113.5@53:own=0 203.0.113.6@53:in=1"},
    {.name = "MNAME is left out by name, with all its addresses, also without",
	.mode = TARGETS_NS,
	.hosts = "Ns1.example=192.0.2.1,2001:db8::1 ns2.example=192.0.2.2",
	.mname = "ns1.example",
	.wanted = "Ns1.example/192.0.2.1@53:mname Ns1.example/2001:db8::1@53:mname "
		  "ns2.example/192.0.2.2@53:in"},
    {.name = "MNAME that does not resolve is no trouble",
	.mode = TARGETS_NS,
	.hosts = "ns1.example!not-asked ns2.example=192.0.2.2",
	.mname = "ns1.example",
	.wanted = "ns1.example/:mname ns2.example/192.0.2.2@53:in"},
    {.name = "MNAME with notify-mname",
	.mode = TARGETS_NS,
	.hosts = "ns1.example=192.0.2.1",
	.wanted = "ns1.example/192.0.2.1@53:in"},
    {.name = "MNAME under another name, and in also-notify",
	.mode = TARGETS_NS,
	.hosts = "ns1.example=192.0.2.1 ns2.example=192.0.2.1",
	.mname = "ns1.example",
	.also = "192.0.2.1@54",
	.wanted = "ns1.example/192.0.2.1@53:mname ns2.example/192.0.2.1@53:in "
		  "192.0.2.1@54:also-notify"},
    {.name = "a primary, at whatever port; in also-notify it is meant",
	.mode = TARGETS_NS,
	.hosts = "a.example=192.0.2.1 b.example=192.0.2.2 c.example=mapped:192.0.2.1",
	.primaries = "192.0.2.1@5300",
	.also = "192.0.2.1",
	.wanted = "a.example/192.0.2.1@53:primary b.example/192.0.2.2@53:in "
		  "c.example/192.0.2.1@53:primary 192.0.2.1@53:also-notify"},
    {.name = "duplicates by address and port",
	.mode = TARGETS_NS,
	.hosts = "a.example=192.0.2.1,192.0.2.1 b.example=192.0.2.1,192.0.2.3",
	.also = "192.0.2.3 192.0.2.3@54 192.0.2.3@54",
	.wanted = "a.example/192.0.2.1@53:in a.example/192.0.2.1@53:twice "
		  "b.example/192.0.2.1@53:twice b.example/192.0.2.3@53:in 192.0.2.3@53:twice "
		  "192.0.2.3@54:also-notify 192.0.2.3@54:twice"},
    {.name = "who may not transfer",
	.mode = TARGETS_NS_AND_ACL,
	.hosts = "a.example=192.0.2.1,2001:db8::1 b.example=198.51.100.1",
	.acl = "192.0.2.0/24 2001:db8::/32",
	.wanted = "a.example/192.0.2.1@53:in=0 a.example/2001:db8::1@53:in=1 "
		  "b.example/198.51.100.1@53:not-allowed"},
    {.name = "the list is no condition of ns, but names the downstream and its port",
	.mode = TARGETS_NS,
	.hosts = "a.example=192.0.2.1 b.example=198.51.100.1",
	.acl = "192.0.2.0/24 192.0.2.1@5353",
	.wanted = "a.example/192.0.2.1@5353:in=1 b.example/198.51.100.1@53:in"},
    {.name = "the longest prefix says whose it is; a silent one is silent",
	.mode = TARGETS_NS_AND_ACL,
	.hosts = "a.example=192.0.2.1 b.example=192.0.2.9 c.example=192.0.2.10",
	.acl = "192.0.2.0/24 -192.0.2.9 -192.0.2.10 192.0.2.10@5353",
	.wanted = "a.example/192.0.2.1@53:in=0 b.example/192.0.2.9@53:silent=1 "
		  "c.example/192.0.2.10@5353:in=3"},
    {.name = "an address of ours that the list gives a port",
	.mode = TARGETS_NS_AND_ACL,
	.hosts = "a.example=192.0.2.1",
	.acl = "192.0.2.1@5353",
	.own = "192.0.2.1@53",
	.wanted = "a.example/192.0.2.1@5353:in=0"},
    {.name = "the list alone: prefixes name nobody, NS and MNAME do not count",
	.mode = TARGETS_ACL,
	.hosts = "a.example=192.0.2.1",
	.mname = "a.example",
	.acl = "192.0.2.0/24 192.0.2.7 192.0.2.8@5353 2001:db8::/127 2001:db8::5 -192.0.2.9 "
	       "192.0.2.7 192.0.2.11",
	.primaries = "192.0.2.11",
	.also = "203.0.113.1 192.0.2.7",
	.wanted = "192.0.2.0/24:prefix=0 192.0.2.7@53:in=1 192.0.2.8@5353:in=2 "
		  "2001:db8::/127:prefix=3 2001:db8::5@53:in=4 192.0.2.9@53:silent=5 "
		  "192.0.2.7@53:twice=6 192.0.2.11@53:primary=7 203.0.113.1@53:also-notify "
		  "192.0.2.7@53:twice=1"},
    {.name = "0.0.0.0/0 is a prefix like any other",
	.mode = TARGETS_NS_AND_ACL,
	.hosts = "a.example=192.0.2.1,2001:db8::1",
	.acl = "0.0.0.0/0",
	.wanted = "a.example/192.0.2.1@53:in=0 a.example/2001:db8::1@53:not-allowed"},
    {.name = "explicit: all that is written, primaries too, but not ourselves",
	.mode = TARGETS_EXPLICIT,
	.hosts = "a.example=192.0.2.1",
	.acl = "192.0.2.2@53 192.0.2.3@53 -192.0.2.4@53 192.0.2.2@54 192.0.2.2@53",
	.primaries = "192.0.2.2",
	.own = "192.0.2.3",
	.also = "192.0.2.5 192.0.2.3 192.0.2.4",
	.wanted = "192.0.2.2@53:in=0 192.0.2.3@53:own=1 192.0.2.4@53:silent=2 192.0.2.2@54:in=3 "
		  "192.0.2.2@53:twice=4 192.0.2.5@53:also-notify 192.0.2.3@53:own=1 "
		  "192.0.2.4@53:also-notify=2"},
};

static void
test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check(&rows[i]);
}

/* A zone whose NS records name more than anybody needs, be it by many hosts or by many addresses.
 */
static void
many(size_t hosts, size_t each)
{
	struct row r = {.mode = TARGETS_NS, .also = "192.0.2.1 192.0.2.2"};
	struct target_host *h = calloc(hosts, sizeof(*h));
	struct zr_addr *addr = calloc(hosts * each, sizeof(*addr));
	static const uint8_t name[] = "\2ns\7example";
	struct asked *k = ask(&r);
	struct target *v;
	size_t n, in = 0;

	assert_true(h != NULL && addr != NULL);
	for (size_t i = 0; i < hosts * each; i++)
		addr[i] = (struct zr_addr){
		    .family = 4, .port = 53, .ip = {10, (uint8_t)(i >> 8), (uint8_t)i, 1}};
	for (size_t i = 0; i < hosts; i++)
		h[i] = (struct target_host){.name = name, .addr = addr + i * each, .count = each};
	k->q.hosts = h;
	k->q.host_count = hosts;
	v = targets_find(&k->q, &n);
	assert_int_equal(n, TARGETS_MAX + 1 + 2);
	for (size_t i = 0; i < n; i++)
		in += v[i].why == TARGETS_IN;
	assert_int_equal(in, TARGETS_MAX);
	assert_int_equal(v[TARGETS_MAX].why, TARGETS_TOO_MANY);
	assert_int_equal(v[TARGETS_MAX + 1].why, TARGETS_ALSO);
	assert_int_equal(v[TARGETS_MAX + 2].why, TARGETS_ALSO);
	free(v);
	free(h);
	free(addr);
	free(k);
}

static void
test_many(void **state)
{
	(void)state;
	many(TARGETS_MAX + 1, 1);
	many(5000, 1);
	many(2, 400);
}

/* Exactly the limit: nothing is left out. */
static void
test_full(void **state)
{
	struct row r = {.mode = TARGETS_NS};
	struct target_host h[TARGETS_MAX];
	static const uint8_t name[] = "\2ns\7example";
	struct asked *k = ask(&r);
	struct target *v;
	size_t n;

	(void)state;
	for (size_t i = 0; i < TARGETS_MAX; i++)
		h[i] = (struct target_host){.name = name, .error = "none"};
	k->q.hosts = h;
	k->q.host_count = TARGETS_MAX;
	v = targets_find(&k->q, &n);
	assert_int_equal(n, TARGETS_MAX);
	assert_int_equal(v[n - 1].why, TARGETS_UNRESOLVED);
	free(v);
	free(k);
}

static void
test_names(void **state)
{
	(void)state;
	for (unsigned i = 0; i < TARGETS_WHY_COUNT; i++) {
		assert_non_null(targets_why_names[i]);
		assert_non_null(targets_why_text[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_table),
	    cmocka_unit_test(test_many),
	    cmocka_unit_test(test_full),
	    cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
