/* SPDX-License-Identifier: BSD-2-Clause */
/* Lookups at a resolver whose behaviour the first label of the name asks for. */
#include "net/resolve.h"
#include "pump.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/rand.h"
#include "wire/name.h"

#define MANY 200

static struct event_base *base;

/* ---- the resolver ---- */

struct server {
	int fd;
	struct event *ev;
	struct zr_addr addr;
	unsigned queries;
	uint16_t ports[64]; /* of the queries */
	bool silent, refuse, gone;
	struct rng rng;
};

static void
put_rr(struct buf *b, uint16_t type, uint32_t ttl, const void *rdata, uint16_t len)
{
	buf_u16(b, 0xc00c);
	buf_u16(b, type);
	buf_u16(b, 1);
	buf_u32(b, ttl);
	buf_u16(b, len);
	buf_bytes(b, rdata, len);
	buf_put_u16(b, 6, (uint16_t)(get_u16(b->data + 6) + 1));
}

static void
put_v4(struct buf *b, uint16_t type, uint32_t ttl, const char *text)
{
	struct zr_addr a = ip(text);

	put_rr(b, type, ttl, a.ip, a.family == 4 ? 4 : 16);
}

static bool
asked_for(const struct buf *b, const char *label)
{
	size_t len = strlen(label);

	return b->data[12] == len && memcmp(b->data + 13, label, len) == 0;
}

/* Nothing of these may do harm; some are answers all the same. */
static void
put_hostile(struct server *s, struct buf *b, uint16_t type)
{
	if (asked_for(b, "badid"))
		buf_put_u16(b, 0, (uint16_t)(get_u16(b->data) ^ 1));
	if (asked_for(b, "badname"))
		b->data[13] = 'x';
	if (asked_for(b, "counts"))
		buf_put_u16(b, 6, 0xffff);
	if (asked_for(b, "short"))
		put_rr(b, type, 60, "\1\2\3", 3);
	if (asked_for(b, "loop")) {
		buf_put_u16(b, 6, 1);
		buf_u16(b, (uint16_t)(0xc000 | b->len));
	}
	if (asked_for(b, "beyond")) {
		put_v4(b, 1, 60, "192.0.2.1");
		buf_put_u16(b, b->len - 6, 60000);
	}
	if (asked_for(b, "noise"))
		for (size_t i = 12; i < b->len; i++)
			b->data[i] = (uint8_t)rng_next(&s->rng);
	if (asked_for(b, "cut"))
		b->len = 12 + rng_below(&s->rng, b->len - 12);
	if (asked_for(b, "flood"))
		for (int i = 0; i < 100; i++)
			put_rr(b, type, 60, "\12\0\0\1\12\0\0\1\12\0\0\1\12\0\0\1",
			    type == 1 ? 4 : 16);
}

static void
put_answer(struct server *s, struct buf *b, uint16_t type)
{
	static const uint8_t mapped[16] = {[10] = 0xff, 0xff, 192, 0, 2, 7};

	if (asked_for(b, "nx") || s->gone)
		b->data[3] |= 3;
	if (asked_for(b, "refused") || s->refuse) {
		b->data[3] |= 5;
		return;
	}
	if (asked_for(b, "two") && type == 1)
		put_v4(b, 1, 0, "192.0.2.1");
	if (asked_for(b, "two") && type == 28)
		put_v4(b, 28, 86400 * 30, "2001:db8::1");
	if (asked_for(b, "half") && type == 28 && !s->gone)
		put_v4(b, 28, 60, "2001:db8::2");
	if (asked_for(b, "half") && type == 1 && !s->gone)
		b->data[3] |= 5;
	if (asked_for(b, "mapped") && type == 28)
		put_rr(b, 28, 60, mapped, sizeof(mapped));
	if (asked_for(b, "nobody") && type == 1) {
		put_v4(b, 1, 60, "0.0.0.0");
		put_v4(b, 1, 60, "224.0.0.1");
		put_v4(b, 1, 60, "255.255.255.255");
	}
	if (asked_for(b, "nobody") && type == 28) {
		put_v4(b, 28, 60, "::");
		put_v4(b, 28, 60, "ff02::1");
	}
	put_hostile(s, b, type);
}

static void
on_query(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct buf b = BUF_INIT;
	struct zr_addr from;
	uint8_t q[512];
	ssize_t n = recvfrom(fd, q, sizeof(q), 0, (struct sockaddr *)&ss, &len);

	(void)what;
	if (n < 17 || !addr_from_sockaddr((struct sockaddr *)&ss, &from))
		return;
	s->ports[s->queries % 64] = from.port;
	s->queries++;
	buf_bytes(&b, q, (size_t)n);
	if (s->silent || asked_for(&b, "silent")) {
		buf_clear(&b);
		return;
	}
	b.data[2] = 0x81;
	b.data[3] = 0x80;
	put_answer(s, &b, get_u16(q + n - 4));
	plain_sendto(fd, b.data, b.len, &from);
	buf_clear(&b);
}

static struct server *
server_new(void)
{
	struct server *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->addr = at("127.0.0.1", 0);
	s->fd = plain_bound(SOCK_DGRAM, &s->addr);
	s->ev = event_new(base, s->fd, EV_READ | EV_PERSIST, on_query, s);
	event_add(s->ev, NULL);
	rng_seed(&s->rng, 7);
	return s;
}

static void
server_free(struct server *s)
{
	event_free(s->ev);
	close(s->fd);
	free(s);
}

/* ---- one who asks ---- */

struct ask {
	struct resolve_wait w;
	struct resolver *r;
	uint8_t name[NAME_MAX_LEN];
	unsigned done;
	struct resolve_answer answer; /* as it was then */
	char text[512];
	struct ask *cancel; /* in the callback */
};

static void
look(struct ask *k)
{
	struct resolve_wait none = {0};
	char one[ADDR_TEXT_MAX];

	resolver_ask(k->r, k->name, &none, &k->answer);
	assert_null(none.link); /* what has just been found is known */
	k->text[0] = '\0';
	for (size_t i = 0; i < k->answer.count && i < 4; i++)
		snprintf(k->text + strlen(k->text), sizeof(k->text) - strlen(k->text), "%s%s",
		    i == 0 ? "" : " ", addr_text(&k->answer.addr[i], one));
	if (k->answer.state == RESOLVE_FAILED)
		snprintf(k->text, sizeof(k->text), "%s", k->answer.error);
}

static void
on_done(void *arg)
{
	struct ask *k = arg;

	k->done++;
	assert_null(k->w.link);
	look(k);
	if (k->cancel != NULL)
		resolver_cancel(&k->cancel->w);
}

static void
ask(struct ask *k, struct resolver *r, const char *name)
{
	k->r = r;
	k->w.done = on_done;
	k->w.arg = k;
	assert_true(name_from_text(name, k->name) != 0);
	resolver_ask(r, k->name, &k->w, &k->answer);
}

/* What becomes of a name. */
static const char *
find(struct ask *k, struct resolver *r, const char *name)
{
	memset(k, 0, sizeof(*k));
	ask(k, r, name);
	if (k->answer.state != RESOLVE_ASKING) {
		look(k);
		return k->text;
	}
	PUMP(base, k->done == 1);
	return k->text;
}

struct rig {
	struct server *s;
	struct resolver *r;
};

static struct rig
rig_new(void)
{
	struct rig g;

	g.s = server_new();
	g.r = resolver_new(base, &g.s->addr, 1);
	return g;
}

static void
rig_free(struct rig *g)
{
	resolver_free(g->r);
	server_free(g->s);
}

/* ---- tests ---- */

static void
test_found(void **state)
{
	struct rig g = rig_new();
	struct resolve_answer peek;
	struct ask k;

	(void)state;
	assert_true(name_from_text("two.example", k.name) != 0);
	resolver_peek(g.r, k.name, &peek);
	assert_int_equal(peek.state, RESOLVE_UNKNOWN);
	find(&k, g.r, "two.example");
	assert_int_equal(k.answer.state, RESOLVE_FOUND);
	assert_int_equal(k.answer.count, 2);
	assert_non_null(strstr(k.text, "192.0.2.1"));
	assert_non_null(strstr(k.text, "2001:db8::1"));
	assert_int_equal(g.s->queries, 2);
	/* TTL 0 counts as RESOLVE_TTL_MIN_S. */
	find(&k, g.r, "two.example");
	assert_int_equal(k.done, 0);
	assert_int_equal(g.s->queries, 2);
	resolver_peek(g.r, k.name, &peek);
	assert_int_equal(peek.state, RESOLVE_FOUND);
	assert_int_equal(peek.count, 2);
	pump_for(base, 50);
	assert_int_equal(resolver_running(g.r), 0);
	rig_free(&g);
}

static void
test_not_found(void **state)
{
	static const struct {
		const char *name, *text;
	} t[] = {
	    {"nx.example", "there is no such name"},
	    {"nodata.example", "the name has no address"},
	    {"nobody.example", "the name has no address"},
	    {"refused.example", "the resolver refuses to look it up"},
	};
	struct rig g = rig_new();
	struct ask k;

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		unsigned queries;

		find(&k, g.r, t[i].name);
		assert_int_equal(k.answer.state, RESOLVE_FAILED);
		assert_int_equal(k.answer.count, 0);
		assert_false(k.answer.lasting);
		assert_string_equal(k.text, t[i].text);
		queries = g.s->queries;
		find(&k, g.r, t[i].name);
		assert_int_equal(g.s->queries, queries);
		assert_string_equal(k.text, t[i].text);
		resolver_configure(g.r, &g.s->addr, 1);
		find(&k, g.r, t[i].name);
		assert_true(g.s->queries > queries);
	}
	rig_free(&g);
}

/* When the resolvers are out of order, addresses found before do; not when the name has gone. */
static void
test_stale(void **state)
{
	struct rig g = rig_new();
	struct ask k;

	(void)state;
	assert_string_equal(find(&k, g.r, "half.example"), "2001:db8::2");
	resolver_configure(g.r, &g.s->addr, 1);
	g.s->refuse = true;
	assert_string_equal(find(&k, g.r, "half.example"), "2001:db8::2");
	assert_int_equal(k.done, 1);
	assert_string_equal(find(&k, g.r, "two.example"), "the resolver refuses to look it up");
	g.s->refuse = false;
	g.s->gone = true;
	resolver_configure(g.r, &g.s->addr, 1);
	assert_string_equal(find(&k, g.r, "half.example"), "there is no such name");
	rig_free(&g);
}

/* One family is enough; IPv4 in IPv6 dress is IPv4. */
static void
test_families(void **state)
{
	struct rig g = rig_new();
	struct ask k;

	(void)state;
	assert_string_equal(find(&k, g.r, "half.example"), "2001:db8::2");
	assert_string_equal(find(&k, g.r, "mapped.example"), "192.0.2.7");
	rig_free(&g);
}

/* Names of no host cost no query. */
static void
test_no_hosts(void **state)
{
	static const char *const names[] = {".", "invalid", "ns1.invalid", "a\\032b.example",
	    "a\\.b.example", "\\000.example", "\\255.example", "*.example", "a/b.example",
	    "ns\\\".example"};
	struct rig g = rig_new();
	struct resolve_answer peek;
	struct ask k;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_string_equal(find(&k, g.r, names[i]), "it is not the name of a host");
		assert_int_equal(k.done, 0);
		assert_true(k.answer.lasting);
		resolver_peek(g.r, k.name, &peek);
		assert_true(peek.state == RESOLVE_FAILED && peek.lasting);
	}
	pump_for(base, 20);
	assert_int_equal(g.s->queries, 0);
	assert_int_equal(resolver_names(g.r), 0);
	assert_string_equal(find(&k, g.r, "nx._tcp-1.example"), "there is no such name");
	rig_free(&g);
}

/* However many wait for a name, it is asked for once. */
static void
test_together(void **state)
{
	struct rig g = rig_new();
	struct ask *k = calloc(MANY, sizeof(*k));
	unsigned done = 0;

	(void)state;
	assert_non_null(k);
	for (size_t i = 0; i < MANY; i++)
		ask(&k[i], g.r, i % 2 == 0 ? "two.example" : "nx.example");
	/* 4 goes by itself; 6 is taken away by whoever of 8 and 10 is called first. */
	resolver_cancel(&k[4].w);
	resolver_cancel(&k[4].w);
	k[8].cancel = &k[10];
	k[10].cancel = &k[8];
	PUMP(base, k[0].done == 1 && k[1].done == 1);
	for (size_t i = 0; i < MANY; i++) {
		assert_true(k[i].done <= 1);
		done += k[i].done;
		if (k[i].done == 1)
			assert_int_equal(
			    k[i].answer.state, i % 2 == 0 ? RESOLVE_FOUND : RESOLVE_FAILED);
	}
	assert_int_equal(done, MANY - 2);
	assert_int_equal(k[4].done, 0);
	assert_int_equal(g.s->queries, 4);
	assert_int_equal(resolver_names(g.r), 2);
	free(k);
	rig_free(&g);
}

/* A resolver that says nothing holds up nobody but those who ask it, and not for ever. */
static void
test_silent(void **state)
{
	struct server *other = server_new();
	struct rig g = rig_new(), both;
	struct zr_addr servers[2] = {g.s->addr, other->addr};
	int64_t before = clock_now().mono.us;
	struct ask k = {0}, m = {0}, n = {0}, o = {0};
	struct zr_addr gone = at("127.0.0.1", 0);
	int fd = plain_bound(SOCK_DGRAM, &gone);
	struct resolver *nobody = resolver_new(base, &gone, 1);

	(void)state;
	close(fd);
	both = (struct rig){other, resolver_new(base, servers, 2)};
	g.s->silent = true;
	ask(&k, g.r, "two.example");
	ask(&m, both.r, "two.example");
	ask(&n, both.r, "nx.example");
	ask(&o, nobody, "two.example");
	assert_int_equal(k.answer.state, RESOLVE_ASKING);
	assert_true(clock_now().mono.us - before < ZR_US_PER_S);
	PUMP(base, k.done == 1 && m.done == 1 && n.done == 1 && o.done == 1);
	assert_string_equal(k.text, "no resolver answers");
	assert_int_equal(m.answer.state, RESOLVE_FOUND);
	assert_string_equal(n.text, "there is no such name");
	assert_int_equal(g.s->queries % 2, 0);
	assert_int_equal(o.answer.state, RESOLVE_FAILED);
	resolver_free(nobody);
	resolver_free(NULL);
	rig_free(&g);
	rig_free(&both);
}

/* So many at a time, the others in their turn; what is under way at the end leaves nothing behind.
 */
static void
test_bounded(void **state)
{
	struct rig g = rig_new();
	struct ask *k = calloc(MANY, sizeof(*k));
	unsigned most = 0, ports = 0;
	char name[64];

	(void)state;
	assert_non_null(k);
	for (size_t i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "nx.h%zu.example", i);
		ask(&k[i], g.r, name);
	}
	for (size_t i = 0; i < MANY; i++)
		while (k[i].done == 0) {
			pump_once(base, 1000);
			if (resolver_running(g.r) > most)
				most = resolver_running(g.r);
		}
	assert_int_equal(g.s->queries, 2 * MANY);
	assert_true(most <= RESOLVE_RUNNING_MAX);
	/* Both queries of a lookup share a port; the lookups do not. */
	for (size_t i = 1; i < 64; i++)
		ports += g.s->ports[i] != g.s->ports[i - 1];
	assert_true(ports > 16);
	memset(k, 0, MANY * sizeof(*k));
	for (size_t i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "silent.h%zu.example", i);
		ask(&k[i], g.r, name);
	}
	pump_for(base, 100);
	assert_int_equal(resolver_running(g.r), RESOLVE_RUNNING_MAX);
	resolver_free(g.r);
	for (size_t i = 0; i < MANY; i++) {
		assert_int_equal(k[i].done, 0);
		assert_null(k[i].w.link);
	}
	server_free(g.s);
	free(k);
}

static void
test_hostile(void **state)
{
	static const char *const kinds[] = {"badid", "badname", "counts", "short", "loop", "beyond",
	    "noise", "cut", "flood", "noise", "cut", "noise", "cut"};
	struct rig g = rig_new();
	struct ask k[sizeof(kinds) / sizeof(kinds[0])];
	size_t n = sizeof(kinds) / sizeof(kinds[0]);
	char name[64];

	(void)state;
	memset(k, 0, sizeof(k));
	for (size_t i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%s.n%zu.example", kinds[i], i);
		ask(&k[i], g.r, name);
	}
	for (size_t i = 0; i < n; i++) {
		PUMP(base, k[i].done == 1);
		if (strcmp(kinds[i], "flood") == 0)
			assert_true(
			    k[i].answer.count > 0 && k[i].answer.count <= RESOLVE_ADDRS_MAX);
		else
			assert_int_equal(k[i].answer.state, RESOLVE_FAILED);
	}
	rig_free(&g);
}

static int
open_base(void **state)
{
	(void)state;
	base = event_base_new();
	return base == NULL;
}

static int
close_base(void **state)
{
	(void)state;
	event_base_free(base);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_found, open_base, close_base),
	    cmocka_unit_test_setup_teardown(test_not_found, open_base, close_base),
	    cmocka_unit_test_setup_teardown(test_stale, open_base, close_base),
	    cmocka_unit_test_setup_teardown(test_families, open_base, close_base),
	    cmocka_unit_test_setup_teardown(test_no_hosts, open_base, close_base),
	    cmocka_unit_test_setup_teardown(test_together, open_base, close_base),
	    cmocka_unit_test_setup_teardown(test_bounded, open_base, close_base),
	    cmocka_unit_test_setup_teardown(test_silent, open_base, close_base),
	    cmocka_unit_test_setup_teardown(test_hostile, open_base, close_base),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
