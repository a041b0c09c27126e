/* SPDX-License-Identifier: BSD-2-Clause */
/* Connections keep their promises under TLS; sessions; ends of every kind. */
#include "tls_pair.h"

static struct pair p;
static struct tls_ctx *client, *server;

static int
setup(void **state)
{
	int rc = tls_setup(state);

	client = client_ctx("ns1.example.net", "ca.pem", NULL, "client");
	server = server_ctx("server", "ca.pem", false);
	pair_open(&p);
	return rc;
}

static int
teardown(void **state)
{
	pair_clear(&p);
	tls_drop(client);
	tls_drop(server);
	return tls_teardown(state);
}

static int
between(void **state)
{
	(void)state;
	pair_stop(&p);
	return 0;
}

static void
stands(void)
{
	PUMP(base, conn_is_up(p.client.c) && conn_is_up(p.server.c));
}

/* ---- streams ---- */

static uint32_t
sum_of_stream(uint64_t messages)
{
	uint32_t sum = 0;

	while (messages-- > 0)
		sum = sum_of(sum, pattern(messages), MESSAGE);
	return sum;
}

static void
test_large_streams_both_ways(void **state)
{
	const uint64_t n = 2000; /* 32 MB each way */
	struct conn_spec c = end_spec(&p.client, client), s = end_spec(&p.server, server);

	(void)state;
	c.low_mark = s.low_mark = 4 * MESSAGE;
	pair_start(&p, c, s);
	p.client.to_send = p.server.to_send = n;
	send_more(&p.server); /* waits for the handshake */
	PUMP(base, p.client.messages == n && p.server.messages == n);
	assert_int_equal(p.client.sum, sum_of_stream(n));
	assert_int_equal(p.server.sum, sum_of_stream(n));
	assert_int_equal(conn_stats(p.client.c)->octets_out, n * (MESSAGE + 2));
	assert_int_equal(conn_stats(p.server.c)->octets_in, n * (MESSAGE + 2));
	assert_int_equal(conn_pending(p.client.c), 0);
	assert_true(p.client.drained > n / 20);
}

/* A reader that stops closes the window: what waits is what was queued, nothing is lost. */
static void
test_backpressure(void **state)
{
	const uint64_t n = 1000;
	struct conn_spec c = end_spec(&p.client, client), s = end_spec(&p.server, server);
	uint64_t left;

	(void)state;
	s.low_mark = 4 * MESSAGE;
	pair_start(&p, c, s);
	stands();
	conn_pause(p.client.c);
	p.server.to_send = n;
	send_more(&p.server);
	pump_for(base, 200);
	left = p.server.to_send;
	assert_int_equal(p.client.messages, 0);
	assert_true(left > 0 && conn_pending(p.server.c) > 0);
	pump_for(base, 100);
	assert_int_equal(p.server.to_send, left);
	/* One at a time from what was read already, then freely. */
	p.client.pause_each = true;
	for (unsigned i = 1; i <= 5; i++) {
		conn_resume(p.client.c);
		PUMP(base, p.client.messages == i);
		pump_for(base, 5);
		assert_int_equal(p.client.messages, i);
	}
	p.client.pause_each = false;
	conn_resume(p.client.c);
	PUMP(base, p.client.messages == n);
	assert_int_equal(p.client.sum, sum_of_stream(n));
}

/* Nothing is read while the answers are not taken. */
static void
test_high_mark(void **state)
{
	const uint64_t n = 3000;
	struct conn_spec c = end_spec(&p.client, client), s = end_spec(&p.server, server);

	(void)state;
	s.high_mark = 100000;
	c.low_mark = 4 * MESSAGE;
	pair_start(&p, c, s);
	stands();
	p.server.echo = true;
	conn_pause(p.client.c);
	p.client.to_send = n;
	send_more(&p.client);
	pump_for(base, 300);
	assert_true(p.server.messages < n);
	assert_true(conn_pending(p.server.c) > s.high_mark);
	assert_true(conn_pending(p.server.c) < s.high_mark + 70000 + 2 * MESSAGE);
	conn_resume(p.client.c);
	PUMP(base, p.client.messages == n);
	assert_int_equal(p.client.sum, sum_of_stream(n));
}

/* Many small messages share records and calls. */
static void
test_small_messages(void **state)
{
	uint8_t m[40];

	(void)state;
	pair_plain(&p, client, server);
	stands();
	for (unsigned i = 0; i < 20000; i++) {
		memset(m, (int)i, sizeof(m));
		assert_true(conn_send(p.client.c, m, i % 41, NULL, 0));
	}
	PUMP(base, p.server.messages == 20000);
}

/* ---- ends ---- */

static void
test_finish_sends_all(void **state)
{
	const uint64_t n = 300;

	(void)state;
	pair_plain(&p, client, server);
	stands();
	p.server.to_send = n;
	p.server.finish = true;
	while (p.server.to_send > 0) /* beyond any mark */
		conn_send(p.server.c, pattern(--p.server.to_send), MESSAGE, NULL, 0);
	conn_finish(p.server.c);
	assert_false(conn_send(p.server.c, "late", 4, NULL, 0));
	PUMP(base, p.client.closed && p.server.closed);
	assert_int_equal(p.client.sum, sum_of_stream(n));
	assert_string_equal(p.client.why.text, "the peer closed the connection");
	assert_string_equal(p.server.why.text, "finished");
}

static void
test_finish_before_it_stands(void **state)
{
	(void)state;
	pair_plain(&p, client, server);
	assert_true(conn_send(p.client.c, "hello", 5, NULL, 0));
	conn_finish(p.client.c);
	PUMP(base, p.client.closed && p.server.closed);
	assert_int_equal(p.client.connected, 0);
	assert_int_equal(p.server.messages, 1);
	assert_int_equal(p.server.why.code, ZR_CLOSED);
}

/* A client that is not ours, which stands; what it is sent has been read. */
static void
raw_stands(struct end *s, struct raw *r)
{
	memset(s, 0, sizeof(*s));
	r->ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_alpn_protos(r->ctx, (const unsigned char *)"\003dot", 4);
	raw_begin(r, accepted(s, end_spec(s, server)), false);
	PUMP(base, raw_step(r) && conn_is_up(s->c));
	pump_for(base, 5);
	raw_step(r);
	assert_false(r->failed);
}

/* TC-15: after the peer's close_notify what is held is still answered. */
static void
test_half_close(void **state)
{
	struct end s;
	struct raw r = {0};
	char in[8];

	(void)state;
	raw_stands(&s, &r);
	assert_int_equal(SSL_write(r.ssl, "\0\3one", 5), 5);
	assert_int_equal(SSL_shutdown(r.ssl), 0);
	conn_hold(s.c);
	PUMP(base, s.messages == 1);
	pump_for(base, 30);
	assert_int_equal(s.closed, 0);
	assert_true(conn_send(s.c, "two", 3, NULL, 0));
	conn_unhold(s.c);
	PUMP(base, s.closed);
	assert_int_equal(s.why.code, ZR_CLOSED);
	assert_string_equal(s.why.text, "the peer closed the connection");
	assert_int_equal(SSL_read(r.ssl, in, sizeof(in)), 5);
	assert_memory_equal(in, "\0\3two", 5);
	assert_int_equal(SSL_read(r.ssl, in, sizeof(in)), 0);
	assert_int_equal(SSL_get_shutdown(r.ssl), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	raw_end(&r);
}

static void
test_close_notify_behind_a_pause(void **state)
{
	(void)state;
	pair_plain(&p, client, server);
	stands();
	p.client.pause_each = true;
	assert_true(conn_send(p.server.c, "one", 3, NULL, 0));
	assert_true(conn_send(p.server.c, "two", 3, NULL, 0));
	conn_finish(p.server.c);
	PUMP(base, p.client.messages == 1);
	pump_for(base, 30);
	assert_int_equal(p.client.closed, 0);
	conn_resume(p.client.c);
	PUMP(base, p.client.messages == 2);
	conn_resume(p.client.c);
	PUMP(base, p.client.closed);
	assert_string_equal(p.client.why.text, "the peer closed the connection");
}

/* Anybody on the way can make a FIN; it is told from the peer's own end. */
static void
test_truncated(void **state)
{
	const struct linger hard = {.l_onoff = 1};
	struct end s;
	struct raw r = {0};

	(void)state;
	for (int reset = 0; reset <= 1; reset++) {
		raw_stands(&s, &r);
		assert_int_equal(SSL_write(r.ssl, "\0\3one\0", 6), 6);
		PUMP(base, s.messages == 1);
		if (reset)
			setsockopt(r.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
		raw_end(&r);
		PUMP(base, s.closed);
		assert_int_equal(s.why.code, ZR_CLOSED);
		assert_says(s.why.text, reset ? "reset" : "in the middle of a message");
	}
	raw_stands(&s, &r);
	raw_end(&r);
	PUMP(base, s.closed);
	assert_string_equal(s.why.text, "the peer closed without an end of TLS");
}

/* ---- hostile ---- */

static void
test_garbage(void **state)
{
	static const char *const texts[] = {"GET / HTTP/1.0\r\n\r\n",
	    "\0\035not TLS but DNS over TCP.....", "\026\003\001\177\377"};
	char junk[300];

	(void)state;
	for (size_t i = 0; i < 40; i++) {
		struct end s = {0};
		int fd = accepted(&s, end_spec(&s, server));

		for (size_t k = 0; k < sizeof(junk); k++)
			junk[k] = (char)(rand() >> 7);
		if (i < 3)
			memcpy(junk, texts[i], i < 2 ? 18 : 5);
		assert_int_equal(send(fd, junk, sizeof(junk), MSG_NOSIGNAL), sizeof(junk));
		shutdown(fd, SHUT_WR);
		PUMP(base, s.closed);
		assert_int_equal(s.why.code, ZR_TLS);
		if (i < 2)
			assert_says(s.why.text, "is not TLS");
		assert_int_equal(s.messages, 0);
		close(fd);
	}
}

/* A record that was changed on the way. */
static void
test_forged_record(void **state)
{
	static const char record[] = "\027\003\003\000\040................................";
	struct end s;
	struct raw r = {0};

	(void)state;
	raw_stands(&s, &r);
	assert_int_equal(SSL_write(r.ssl, "\0\3one", 5), 5);
	assert_int_equal(send(r.fd, record, 37, MSG_NOSIGNAL), 37);
	PUMP(base, s.closed);
	assert_int_equal(s.messages, 1); /* what came before is good */
	assert_int_equal(s.why.code, ZR_TLS);
	raw_end(&r);
}

/* Through a peer in between which passes on one octet at a time. */
static void
test_octet_by_octet(void **state)
{
	struct zr_addr a, peer = ip("127.0.0.1");
	int l = end_listener(&a), from, to[2];
	struct conn_spec spec = end_spec(&p.server, server);

	(void)state;
	from = outgoing(&p.client, end_spec(&p.client, client), &a, l);
	close(l);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, to), 0);
	p.server.c = conn_open_fd(&spec, to[0], &peer, &a);
	assert_true(conn_send(p.client.c, "hello", 5, NULL, 0));
	p.server.echo = true;
	for (int i = 0; i < 100000 && p.client.messages == 0; i++) {
		char c;

		if (recv(from, &c, 1, MSG_DONTWAIT) == 1)
			assert_int_equal(send(to[1], &c, 1, MSG_NOSIGNAL), 1);
		if (recv(to[1], &c, 1, MSG_DONTWAIT) == 1)
			assert_int_equal(send(from, &c, 1, MSG_NOSIGNAL), 1);
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	assert_int_equal(p.client.messages, 1);
	conn_close(p.client.c);
	p.client.closed = 1;
	close(from);
	close(to[1]);
	PUMP(base, p.server.closed);
}

/* Half-open handshakes end, however busy they look. */
static void
test_handshake_in_time(void **state)
{
	struct end s = {0};
	struct conn_spec spec = end_spec(&s, server);
	int64_t began = clock_now().mono.us;
	int fd;

	(void)state;
	spec.connect_us = 200 * MS;
	fd = accepted(&s, spec);
	send(fd, "\026\003\001\002\000\001\000\001\374", 9, MSG_NOSIGNAL);
	while (!s.closed && clock_now().mono.us < began + 5000 * MS) {
		send(fd, "x", 1, MSG_NOSIGNAL);
		pump_for(base, 10);
	}
	assert_int_equal(s.closed, 1);
	assert_string_equal(s.why.text, "the TLS handshake was not over in time");
	assert_true(clock_now().mono.us >= began + 190 * MS);
	close(fd);
}

static void
test_connect_time_covers_the_handshake(void **state)
{
	struct conn_spec spec = end_spec(&p.client, client);
	int fd;

	(void)state;
	spec.connect_us = 100 * MS;
	fd = outgoing(&p.client, spec, &p.at, p.listener);
	PUMP(base, p.client.closed);
	assert_int_equal(p.client.why.code, ZR_TIMEOUT);
	assert_string_equal(p.client.why.text, "the TLS handshake was not over in time");
	close(fd);
	/* And a server which hangs up says something. */
	memset(&p.client, 0, sizeof(p.client));
	close(outgoing(&p.client, end_spec(&p.client, client), &p.at, p.listener));
	PUMP(base, p.client.closed);
	assert_true(p.client.why.code == ZR_TLS || p.client.why.code == ZR_CLOSED);
}

static void
test_stall_and_idle(void **state)
{
	struct conn_spec c = end_spec(&p.client, client), s = end_spec(&p.server, server);

	(void)state;
	s.stall_us = 150 * MS;
	pair_start(&p, c, s);
	stands();
	conn_pause(p.client.c);
	p.server.to_send = 100000;
	for (int i = 0; i < 1000; i++)
		conn_send(p.server.c, pattern(0), MESSAGE, NULL, 0);
	PUMP(base, p.server.closed);
	assert_int_equal(p.server.why.code, ZR_TIMEOUT);
	assert_string_equal(p.server.why.text, "the peer takes nothing of what is sent");
	pair_stop(&p);

	s = end_spec(&p.server, server);
	s.idle_us = 100 * MS;
	pair_start(&p, end_spec(&p.client, client), s);
	PUMP(base, p.server.closed && p.client.closed);
	assert_string_equal(p.server.why.text, "idle for too long");
	assert_string_equal(p.client.why.text, "the peer closed the connection"); /* XO-37 */
}

/* ---- sessions and reload ---- */

static void
once(struct tls_ctx *c, struct tls_ctx *s, bool resumed)
{
	pair_plain(&p, c, s);
	p.server.echo = true;
	assert_true(conn_send(p.client.c, "hello", 5, NULL, 0));
	PUMP(base, p.client.messages == 1);
	assert_int_equal(conn_tls_resumed(p.client.c), resumed);
	assert_int_equal(conn_tls_resumed(p.server.c), resumed);
	/* A session says who it was. */
	assert_true(tls_peer_verified(conn_tls_peer(p.client.c)));
	assert_true(tls_peer_named(conn_tls_peer(p.client.c), "ns1.example.net"));
	assert_true(tls_peer_verified(conn_tls_peer(p.server.c)));
	assert_true(tls_peer_named(conn_tls_peer(p.server.c), "edge.example.net"));
	pair_stop(&p);
}

static void
test_resumption(void **state)
{
	struct tls_ctx *c = client_ctx("ns1.example.net", "ca.pem", NULL, "client");
	struct tls_ctx *c2 = client_ctx("ns1.example.net", "ca.pem", NULL, "client");
	struct tls_ctx *s = server_ctx("server", "ca.pem", false);
	struct pair other;

	(void)state;
	once(c, s, false);
	once(c, s, true);
	once(c, s, true);
	once(c2, s, false);	/* another context has its own */
	once(c, server, false); /* and so has another server's: whole handshake, no failure */
	once(c, s, false);	/* what it had was offered in vain */
	once(c, s, true);
	/* Sessions belong to a destination. */
	pair_open(&other);
	pair_plain(&other, c, s);
	PUMP(base, other.client.connected == 1);
	assert_false(conn_tls_resumed(other.client.c));
	pair_clear(&other);
	tls_drop(c);
	tls_drop(c2);
	tls_drop(s);
}

/* More destinations than places; concurrent connections take a session each. */
static void
test_sessions_are_bounded(void **state)
{
	struct tls_ctx *c = client_ctx("ns1.example.net", "ca.pem", NULL, "client");
	struct pair many[20];
	unsigned resumed = 0;

	(void)state;
	for (unsigned turn = 0; turn < 2; turn++)
		for (unsigned i = 0; i < 20; i++) {
			if (turn == 0)
				pair_open(&many[i]);
			pair_plain(&many[i], c, server);
			many[i].server.echo = true;
			assert_true(conn_send(many[i].client.c, "hello", 5, NULL, 0));
			PUMP(base, many[i].client.messages == 1);
			resumed += conn_tls_resumed(many[i].client.c);
			pair_stop(&many[i]);
		}
	assert_true(resumed <= 16);
	pair_plain(&many[19], c, server); /* the newest is there */
	PUMP(base, many[19].client.connected == 1);
	assert_true(conn_tls_resumed(many[19].client.c));
	for (unsigned i = 0; i < 20; i++)
		pair_clear(&many[i]);
	tls_drop(c);
}

/* XO-39: what runs keeps its context, though nobody else holds it. */
static void
test_reload_while_streaming(void **state)
{
	const uint64_t n = 500;
	struct tls_ctx *old = server_ctx("server", "ca.pem", false), *new;
	struct tls_ctx *mine = client_ctx("ns1.example.net", "ca.pem", NULL, "client");

	(void)state;
	pair_plain(&p, mine, old);
	p.client.to_send = p.server.to_send = n;
	PUMP(base, p.client.connected == 1);
	send_more(&p.server);
	PUMP(base, p.client.messages > 0);
	tls_drop(old);
	tls_drop(mine);
	new = server_ctx("chained", "ca.pem", false);
	assert_false(tls_same(new, server));
	PUMP(base, p.client.messages == n && p.server.messages == n);
	assert_int_equal(p.client.sum, sum_of_stream(n));
	pair_stop(&p);
	once(client, new, false);
	tls_drop(new);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(test_large_streams_both_ways, between),
	    cmocka_unit_test_teardown(test_backpressure, between),
	    cmocka_unit_test_teardown(test_high_mark, between),
	    cmocka_unit_test_teardown(test_small_messages, between),
	    cmocka_unit_test_teardown(test_finish_sends_all, between),
	    cmocka_unit_test_teardown(test_finish_before_it_stands, between),
	    cmocka_unit_test_teardown(test_half_close, between),
	    cmocka_unit_test_teardown(test_close_notify_behind_a_pause, between),
	    cmocka_unit_test_teardown(test_truncated, between),
	    cmocka_unit_test_teardown(test_garbage, between),
	    cmocka_unit_test_teardown(test_forged_record, between),
	    cmocka_unit_test_teardown(test_octet_by_octet, between),
	    cmocka_unit_test_teardown(test_handshake_in_time, between),
	    cmocka_unit_test_teardown(test_connect_time_covers_the_handshake, between),
	    cmocka_unit_test_teardown(test_stall_and_idle, between),
	    cmocka_unit_test_teardown(test_resumption, between),
	    cmocka_unit_test_teardown(test_sessions_are_bounded, between),
	    cmocka_unit_test_teardown(test_reload_while_streaming, between),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
