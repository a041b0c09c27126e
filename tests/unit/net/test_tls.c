/* SPDX-License-Identifier: BSD-2-Clause */
/* Who is trusted, and what is spoken (XO-20, XO-21, XO-24, XO-26, XO-27; Q-14). */
#include "tls_pair.h"

static struct pair p;

/* Contexts are the pair's from here on. */
static void
meet(struct tls_ctx *client, struct tls_ctx *server)
{
	pair_plain(&p, client, server);
	tls_drop(client);
	tls_drop(server);
}

/* A message goes there and back. */
static void
talk(void)
{
	p.server.echo = true;
	assert_true(conn_send(p.client.c, "hello", 5, NULL, 0)); /* before it stands */
	PUMP(base, p.client.messages == 1 || p.client.closed || p.server.closed);
	if (p.client.closed || p.server.closed)
		fail_msg("%s; %s", p.client.why.text, p.server.why.text);
	assert_int_equal(p.client.connected, 1);
	assert_int_equal(p.server.connected, 0); /* for outgoing ones only */
	assert_int_equal(p.client.octets, 5);
	assert_int_equal(conn_stats(p.client.c)->octets_in, 7);
	assert_int_equal(conn_stats(p.client.c)->octets_out, 7);
}

/* The client refuses, nothing of what it has queued is sent, and the server is told. */
static void
refused(const char *why, const char *at_server)
{
	assert_true(conn_send(p.client.c, "secret", 6, NULL, 0));
	PUMP(base, p.client.closed && p.server.closed);
	assert_int_equal(p.client.why.code, ZR_TLS);
	assert_says(p.client.why.text, why);
	assert_says(p.client.why.text, "no TLS with 127.0.0.1@");
	assert_int_equal(p.client.connected, 0);
	assert_int_equal(p.server.messages, 0);
	assert_int_equal(p.server.why.code, ZR_TLS);
	assert_says(p.server.why.text, at_server);
	pair_stop(&p);
}

static void
test_both_roles(void **state)
{
	struct tls_peer *kept;

	(void)state;
	meet(
	    client_ctx("ns1.example.net", "ca.pem", NULL, NULL), server_ctx("server", NULL, false));
	assert_true(conn_is_tls(p.client.c));
	assert_null(conn_tls_peer(p.client.c)); /* not yet */
	assert_false(conn_is_up(p.client.c));
	talk();
	assert_true(conn_is_up(p.server.c));
	assert_null(conn_tls_peer(p.server.c));
	assert_true(tls_peer_verified(conn_tls_peer(p.client.c)));
	assert_says(tls_peer_text(conn_tls_peer(p.client.c)), "ns1.example.net");
	assert_true(tls_peer_not_after(conn_tls_peer(p.client.c)).us >
		    clock_now().wall.us + 29 * DAY * ZR_US_PER_S);
	kept = tls_peer_hold(conn_tls_peer(p.client.c));
	conn_finish(p.client.c);
	PUMP(base, p.client.closed && p.server.closed);
	assert_int_equal(p.server.why.code, ZR_CLOSED);
	assert_string_equal(p.server.why.text, "the peer closed the connection"); /* XO-37 */
	assert_true(tls_peer_named(kept, "ns2.example.net"));
	tls_peer_drop(kept);
	pair_stop(&p);
}

static void
test_good_names(void **state)
{
	static const char *const names[] = {
	    "ns2.example.net", "NS1.Example.Net", "ns1.example.net.", "a.wild.example.net"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		meet(client_ctx(names[i], "ca.pem", NULL, NULL), server_ctx("server", NULL, false));
		talk();
		pair_stop(&p);
	}
	meet(client_ctx("127.0.0.1", "ca.pem", NULL, NULL), server_ctx("address", NULL, false));
	talk();
	pair_stop(&p);
	meet(client_ctx("2001:db8::1", "ca.pem", NULL, NULL), server_ctx("address", NULL, false));
	talk();
	pair_stop(&p);
}

static void
test_wrong_names(void **state)
{
	static const char *const names[] = {
	    "ns3.example.net", "example.net", "server" /* its CN */, "a.b.wild.example.net"};
	char want[100];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		meet(client_ctx(names[i], "ca.pem", NULL, NULL), server_ctx("server", NULL, false));
		snprintf(want, sizeof(want),
		    "the name %s is not in the certificate (it has: ns1.example.net, ns2",
		    names[i]);
		refused(want, "refuses our certificate");
	}
	meet(client_ctx("127.0.0.2", "ca.pem", NULL, NULL), server_ctx("address", NULL, false));
	refused("it has: 127.0.0.1, 2001:db8::1", "refuses our certificate");
}

static void
test_chains(void **state)
{
	(void)state;
	meet(client_ctx("ns1.example.net", "ca.pem", NULL, NULL),
	    server_ctx("chained", NULL, false));
	talk();
	pair_stop(&p);
	meet(client_ctx("ns1.example.net", "sub.pem", NULL, NULL),
	    server_ctx("chained", NULL, false));
	talk();
	pair_stop(&p);
	meet(client_ctx("alone.example.net", "alone.pem", NULL, NULL),
	    server_ctx("alone", NULL, false));
	talk();
	pair_stop(&p);
	meet(client_ctx("ns1.example.net", "other.pem", NULL, NULL),
	    server_ctx("server", NULL, false));
	refused("no trusted CA has issued the certificate", "does not trust the CA");
	meet(client_ctx("alone.example.net", "ca.pem", NULL, NULL),
	    server_ctx("alone", NULL, false));
	refused("no trusted CA has issued the certificate", "does not trust the CA");
}

static void
test_times(void **state)
{
	(void)state;
	meet(client_ctx("ns1.example.net", "ca.pem", NULL, NULL),
	    server_ctx("expired", NULL, false));
	refused("the certificate expired at 20", "has expired");
	meet(client_ctx("ns1.example.net", "ca.pem", NULL, NULL), server_ctx("early", NULL, false));
	refused("the certificate is not valid before 20", "refuses our certificate");
}

static void
test_pins(void **state)
{
	struct tls_pin good = pki_pin_of("server.pem"), bad = pki_pin_of("other.pem");
	struct tls_pin alone = pki_pin_of("alone.pem"), ca = pki_pin_of("ca.pem");
	struct tls_pin late = pki_pin_of("expired.pem");
	char pin[TLS_PIN_TEXT], want[100];

	(void)state;
	meet(client_ctx("ns1.example.net", "ca.pem", &good, NULL),
	    server_ctx("server", NULL, false));
	talk();
	pair_stop(&p);
	meet(client_ctx("ns1.example.net", "ca.pem", &ca, NULL), server_ctx("server", NULL, false));
	talk();
	pair_stop(&p);
	snprintf(
	    want, sizeof(want), "no pin matches; its key is sha256/%s", tls_pin_text(&good, pin));
	meet(
	    client_ctx("ns1.example.net", "ca.pem", &bad, NULL), server_ctx("server", NULL, false));
	refused(want, "refuses our certificate");
	/* A pin does not make up for the name or the chain when they are demanded. */
	meet(client_ctx("ns3.example.net", "ca.pem", &good, NULL),
	    server_ctx("server", NULL, false));
	refused("the name ns3.example.net is not in the certificate", "refuses our certificate");
	meet(client_ctx("ns1.example.net", "other.pem", &good, NULL),
	    server_ctx("server", NULL, false));
	refused("no trusted CA", "does not trust");
	/* Pins alone: RFC 7858 section 4.2. */
	meet(client_ctx(NULL, NULL, &alone, NULL), server_ctx("alone", NULL, false));
	talk();
	assert_false(tls_peer_verified(conn_tls_peer(p.client.c)));
	pair_stop(&p);
	meet(client_ctx(NULL, NULL, &late, NULL), server_ctx("expired", NULL, false));
	talk();
	pair_stop(&p);
	meet(client_ctx(NULL, NULL, &bad, NULL), server_ctx("alone", NULL, false));
	refused("no pin matches", "refuses our certificate");
	meet(client_ctx("other.example.net", NULL, &alone, NULL), server_ctx("alone", NULL, false));
	refused("the name other.example.net is not in the certificate", "refuses our certificate");
	/* A certificate that the server only adds proves nothing, as nobody has verified it. */
	struct tls_pin sub = pki_pin_of("sub.pem");
	meet(client_ctx(NULL, NULL, &sub, NULL), server_ctx("chained", NULL, false));
	refused("no pin matches", "refuses our certificate");
}

static void
test_backup_pin(void **state)
{
	struct tls_pin pins[2] = {pki_pin_of("other.pem"), pki_pin_of("alone.pem")};
	struct tls_client_spec s = {.pins = pins, .pin_count = 2};
	struct zr_err e;

	(void)state;
	meet(tls_client_new(&s, &e), server_ctx("alone", NULL, false));
	talk();
	pair_stop(&p);
}

static void
test_client_certificates(void **state)
{
	struct tls_pin pin = pki_pin_of("client.pem"), other = pki_pin_of("stranger.pem");
	const struct tls_peer *peer;

	(void)state;
	meet(client_ctx("ns1.example.net", "ca.pem", NULL, "client"),
	    server_ctx("server", "ca.pem", false));
	talk();
	peer = conn_tls_peer(p.server.c);
	assert_true(tls_peer_verified(peer));
	assert_true(tls_peer_named(peer, "edge.example.net"));
	assert_true(tls_peer_named(peer, "EDGE.example.net."));
	assert_false(tls_peer_named(peer, "client")); /* CN */
	assert_false(tls_peer_named(peer, "edge.example.ne"));
	assert_false(tls_peer_named(peer, "a.many.example.net"));
	assert_false(tls_peer_named(peer, "*.many.example.net"));
	assert_false(tls_peer_named(peer, ""));
	assert_true(tls_peer_pinned(peer, &pin, true));
	assert_false(tls_peer_pinned(peer, &other, true));
	pair_stop(&p);
	/* None: the policy decides. */
	meet(client_ctx("ns1.example.net", "ca.pem", NULL, NULL),
	    server_ctx("server", "ca.pem", false));
	talk();
	peer = conn_tls_peer(p.server.c);
	assert_null(peer);
	assert_false(tls_peer_verified(peer));
	assert_false(tls_peer_named(peer, "edge.example.net"));
	assert_false(tls_peer_pinned(peer, &pin, true));
	assert_string_equal(tls_peer_text(peer), "no certificate");
	pair_stop(&p);
	/* The right name from a CA nobody knows. */
	meet(client_ctx("ns1.example.net", "ca.pem", NULL, "stranger"),
	    server_ctx("server", "ca.pem", false));
	talk();
	peer = conn_tls_peer(p.server.c);
	assert_false(tls_peer_verified(peer));
	assert_true(tls_peer_pinned(peer, &other, true));
	assert_says(tls_peer_text(peer), "not verified");
	pair_stop(&p);
	meet(client_ctx("ns1.example.net", "ca.pem", NULL, "late"),
	    server_ctx("server", "ca.pem", false));
	talk();
	assert_false(tls_peer_verified(conn_tls_peer(p.server.c)));
	assert_says(tls_peer_text(conn_tls_peer(p.server.c)), "expired");
	pair_stop(&p);
	/* For pins alone. */
	meet(client_ctx("ns1.example.net", "ca.pem", NULL, "client"),
	    server_ctx("server", NULL, true));
	talk();
	assert_false(tls_peer_verified(conn_tls_peer(p.server.c)));
	assert_true(tls_peer_pinned(conn_tls_peer(p.server.c), &pin, true));
	pair_stop(&p);
	meet(client_ctx("ns1.example.net", "ca.pem", NULL, "client"),
	    server_ctx("server", NULL, false));
	talk();
	assert_null(conn_tls_peer(p.server.c));
	pair_stop(&p);
}

/* `t` is dropped. */
static bool
vouches(struct tls_ctx *t)
{
	bool good = tls_vouches(t, conn_tls_peer(p.server.c));

	assert_int_equal(tls_vouches(t, conn_tls_peer(p.server.c)), good); /* remembered, or not */
	tls_drop(t);
	return good;
}

/* Who connects to us, by what we know of it when we connect: whatever CA the server asks for. */
static void
test_vouching(void **state)
{
	const char *const edge = "edge.example.net";
	struct tls_pin own = pki_pin_of("client.pem"), ca = pki_pin_of("ca.pem"),
		       sub = pki_pin_of("sub.pem"), other = pki_pin_of("stranger.pem");

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		const char *const client_ca[] = {NULL, "ca.pem", "other.pem"};

		meet(client_ctx("ns1.example.net", "ca.pem", NULL, "client"),
		    server_ctx("server", client_ca[i], true));
		talk();
		assert_true(vouches(client_ctx(edge, "ca.pem", NULL, NULL)));
		assert_true(vouches(client_ctx("EDGE.example.net.", "ca.pem", NULL, NULL)));
		assert_false(vouches(client_ctx(edge, "other.pem", NULL, NULL)));
		assert_false(vouches(client_ctx("ns1.example.net", "ca.pem", NULL, NULL)));
		assert_false(vouches(client_ctx("a.many.example.net", "ca.pem", NULL, NULL)));
		assert_false(vouches(client_ctx("127.0.0.1", "ca.pem", NULL, NULL)));
		assert_true(vouches(client_ctx(edge, "ca.pem", &own, NULL)));
		assert_true(vouches(client_ctx(edge, "ca.pem", &ca, NULL)));
		assert_false(vouches(client_ctx(edge, "ca.pem", &other, NULL)));
		assert_false(vouches(client_ctx(edge, "other.pem", &own, NULL)));
		assert_true(vouches(client_ctx(NULL, NULL, &own, NULL)));
		assert_true(vouches(client_ctx(edge, NULL, &own, NULL)));
		assert_false(vouches(client_ctx("ns1.example.net", NULL, &own, NULL)));
		assert_false(vouches(client_ctx(NULL, NULL, &ca, NULL)));
		pair_stop(&p);
	}
	meet(client_ctx("ns1.example.net", "ca.pem", NULL, "late"),
	    server_ctx("server", "ca.pem", false));
	talk();
	assert_false(vouches(client_ctx(edge, "ca.pem", NULL, NULL)));
	pair_stop(&p);
	meet(client_ctx("ns1.example.net", "ca.pem", NULL, "chained"),
	    server_ctx("server", "other.pem", false));
	talk();
	assert_true(vouches(client_ctx("ns1.example.net", "ca.pem", NULL, NULL)));
	assert_true(vouches(client_ctx("ns1.example.net", "ca.pem", &sub, NULL)));
	assert_false(vouches(client_ctx("ns1.example.net", "other.pem", NULL, NULL)));
	pair_stop(&p);
	assert_false(tls_vouches(NULL, NULL));
}

/* RFC 7858 section 4.2: of any certificate of a chain that is valid, also when it has resumed. */
static void
test_pins_of_the_chain(void **state)
{
	struct tls_pin leaf = pki_pin_of("client.pem"), ca = pki_pin_of("ca.pem"),
		       sub = pki_pin_of("sub.pem");
	struct tls_ctx *client = client_ctx("ns1.example.net", "ca.pem", NULL, "client");
	struct tls_ctx *server = server_ctx("server", "ca.pem", false);
	const struct tls_peer *peer;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		meet(tls_hold(client), tls_hold(server));
		talk();
		assert_int_equal(conn_tls_resumed(p.client.c), i > 0);
		peer = conn_tls_peer(p.server.c);
		assert_true(tls_peer_pinned(peer, &leaf, false));
		assert_true(tls_peer_pinned(peer, &ca, true));
		assert_false(tls_peer_pinned(peer, &ca, false));
		assert_false(tls_peer_pinned(peer, &sub, true));
		pair_stop(&p);
	}
	tls_drop(client);
	/* What it shows besides its own is not in a ticket, so there is none. */
	client = client_ctx("ns1.example.net", "ca.pem", NULL, "chained");
	for (unsigned i = 0; i < 2; i++) {
		meet(tls_hold(client), tls_hold(server));
		talk();
		assert_false(conn_tls_resumed(p.client.c));
		assert_true(tls_peer_pinned(conn_tls_peer(p.server.c), &sub, true));
		pair_stop(&p);
	}
	tls_drop(client);
	tls_drop(server);
}

/* ---- what is spoken ---- */

static void
foreign_client(int version, const char *alpn, const char *why, int alert)
{
	struct tls_ctx *t = server_ctx("server", NULL, false);
	struct end s = {0};
	struct raw r = {0};

	r.ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_max_proto_version(r.ctx, version);
	if (alpn != NULL)
		SSL_CTX_set_alpn_protos(r.ctx, (const unsigned char *)alpn, (unsigned)strlen(alpn));
	raw_begin(&r, accepted(&s, end_spec(&s, t)), false);
	PUMP(base, raw_step(&r) && (s.closed || why == NULL));
	if (why == NULL) {
		assert_false(r.failed);
		conn_close(s.c);
	} else {
		PUMP(base, raw_step(&r) && r.failed);
		assert_int_equal(s.why.code, ZR_TLS);
		assert_says(s.why.text, why);
		assert_int_equal(r.alert, alert);
	}
	raw_end(&r);
	tls_drop(t);
}

static void
test_clients_must_offer_dot(void **state)
{
	(void)state;
	foreign_client(0, "\003dot", NULL, 0);
	foreign_client(0, "\002h2\003dot", NULL, 0);
	foreign_client(
	    0, "\002h2\010http/1.1", "does not offer ALPN 'dot'", SSL_AD_NO_APPLICATION_PROTOCOL);
	foreign_client(0, "\004dots", "does not offer ALPN", SSL_AD_NO_APPLICATION_PROTOCOL);
	foreign_client(0, NULL, "offers no ALPN", SSL_AD_NO_APPLICATION_PROTOCOL);
	foreign_client(
	    TLS1_2_VERSION, "\003dot", "does not speak TLS 1.3", SSL_AD_PROTOCOL_VERSION);
	foreign_client(TLS1_2_VERSION, NULL, "does not speak TLS 1.3", SSL_AD_PROTOCOL_VERSION);
}

static int
select_protocol(SSL *ssl, const unsigned char **out, unsigned char *len, const unsigned char *in,
    unsigned n, void *arg)
{
	(void)ssl;
	(void)in;
	(void)n;
	*out = arg;
	*len = (unsigned char)strlen(arg);
	return SSL_TLSEXT_ERR_OK;
}

static void
foreign_server(int version, const char *alpn, bool demand, const char *why)
{
	struct tls_ctx *t = client_ctx("ns1.example.net", "ca.pem", NULL, NULL);
	struct end s = {0};
	struct raw r = {0};
	struct zr_addr a;
	int l = end_listener(&a);

	r.ctx = SSL_CTX_new(TLS_server_method());
	SSL_CTX_set_max_proto_version(r.ctx, version);
	if (alpn != NULL)
		SSL_CTX_set_alpn_select_cb(r.ctx, select_protocol, (void *)(uintptr_t)alpn);
	if (demand)
		SSL_CTX_set_verify(r.ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	raw_begin(&r, outgoing(&s, end_spec(&s, t), &a, l), true);
	assert_true(conn_send(s.c, "secret", 6, NULL, 0));
	PUMP(base, raw_step(&r) && (s.closed || why == NULL));
	if (why == NULL) {
		assert_false(r.failed);
		conn_close(s.c);
	} else {
		assert_int_equal(s.why.code, ZR_TLS);
		assert_says(s.why.text, why);
		assert_int_equal(s.connected, demand); /* TLS 1.3 lets it say so only afterwards */
	}
	raw_end(&r);
	close(l);
	tls_drop(t);
}

static void
test_servers_must_select_dot(void **state)
{
	(void)state;
	foreign_server(0, "dot", false, NULL);
	foreign_server(0, NULL, false, "did not select ALPN 'dot'");
	foreign_server(0, "h2", false, "no TLS with");
	foreign_server(TLS1_2_VERSION, "dot", false, "does not speak TLS 1.3");
	foreign_server(0, "dot", true, "demands a certificate of us");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_both_roles),
	    cmocka_unit_test(test_good_names),
	    cmocka_unit_test(test_wrong_names),
	    cmocka_unit_test(test_chains),
	    cmocka_unit_test(test_times),
	    cmocka_unit_test(test_pins),
	    cmocka_unit_test(test_backup_pin),
	    cmocka_unit_test(test_client_certificates),
	    cmocka_unit_test(test_vouching),
	    cmocka_unit_test(test_pins_of_the_chain),
	    cmocka_unit_test(test_clients_must_offer_dot),
	    cmocka_unit_test(test_servers_must_select_dot),
	};

	pair_open(&p);
	int rc = cmocka_run_group_tests(tests, tls_setup, tls_teardown);
	pair_clear(&p);
	return rc;
}
