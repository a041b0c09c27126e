/* SPDX-License-Identifier: BSD-2-Clause */
/* Contexts shared by threads, as workers share them: for ThreadSanitizer above all. */
#include "pump.h"

#include "tls_pair.h"

#include <pthread.h>

#define THREADS 3
#define ROUNDS 40

static struct tls_ctx *client, *server;
static struct tls_peer *shown; /* by the first connection */

/* One worker: nothing here may end the test from another thread, so it counts. */
struct work {
	pthread_t thread;
	struct event_base *base;
	struct zr_addr at;
	int listener;
	struct conn *client, *server;
	bool answered, closed;
	unsigned good, resumed;
};

static void
at_server(void *arg, struct conn *c, const uint8_t *msg, size_t len)
{
	struct work *w = arg;

	if (tls_peer_verified(conn_tls_peer(c)) && conn_send(c, msg, len, NULL, 0))
		w->good++;
}

static void
at_client(void *arg, struct conn *c, const uint8_t *msg, size_t len)
{
	struct work *w = arg;

	(void)msg;
	(void)len;
	w->answered = true;
	w->resumed += conn_tls_resumed(c);
}

static void
at_end(void *arg, struct conn *c, const struct zr_err *why)
{
	struct work *w = arg;

	(void)why;
	w->closed = true;
	if (c == w->client)
		w->client = NULL;
	else
		w->server = NULL;
}

static void
round_trip(struct work *w)
{
	static const struct conn_ops ops[] = {
	    {.message = at_client, .closed = at_end}, {.message = at_server, .closed = at_end}};
	struct tls_ctx *mine = tls_hold(client), *theirs = tls_hold(server);
	struct conn_spec c = {.base = w->base, .ops = &ops[0], .arg = w, .tls = mine};
	struct conn_spec s = {.base = w->base, .ops = &ops[1], .arg = w, .tls = theirs};
	struct zr_err e;

	w->answered = w->closed = false;
	w->client = conn_connect(&c, &w->at, NULL, &e);
	w->server = conn_open_fd(
	    &s, accept4(w->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), &w->at, &w->at);
	tls_drop(mine);
	tls_drop(theirs);
	if (w->client != NULL)
		conn_send(w->client, "hello", 5, NULL, 0);
	while (!w->answered && !w->closed)
		event_base_loop(w->base, EVLOOP_ONCE);
	conn_close(w->client);
	conn_close(w->server);
}

static void *
worker(void *arg)
{
	struct work *w = arg;

	for (int i = 0; i < ROUNDS; i++) {
		struct tls_peer *peer = tls_peer_hold(shown);

		w->good += tls_peer_named(peer, "ns1.example.net");
		tls_peer_drop(peer);
		round_trip(w);
	}
	return NULL;
}

/* Each has a destination, all have the places where sessions are kept. */
static void
test_shared_contexts(void **state)
{
	struct work w[THREADS];
	unsigned resumed = 0;
	struct pair first;

	(void)state;
	client = client_ctx("ns1.example.net", "ca.pem", NULL, "client");
	server = server_ctx("server", "ca.pem", false);
	pair_open(&first);
	pair_plain(&first, client, server);
	PUMP(base, first.client.connected == 1);
	shown = tls_peer_hold(conn_tls_peer(first.client.c));
	pair_clear(&first);
	memset(w, 0, sizeof(w));
	for (int i = 0; i < THREADS; i++) {
		w[i].base = event_base_new();
		w[i].listener = end_listener(&w[i].at);
	}
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&w[i].thread, NULL, worker, &w[i]), 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(w[i].thread, NULL);
		assert_int_equal(w[i].good, 2 * ROUNDS);
		resumed += w[i].resumed;
		event_base_free(w[i].base);
		close(w[i].listener);
	}
	assert_true(resumed > THREADS * ROUNDS / 2); /* one may miss what another looks at */
	tls_peer_drop(shown);
	tls_drop(client);
	tls_drop(server);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_shared_contexts),
	};

	return cmocka_run_group_tests(tests, tls_setup, tls_teardown);
}
