/* SPDX-License-Identifier: BSD-2-Clause */
/* Two of our connections against each other, or one against OpenSSL or a plain socket. */
#pragma once

#include "pump.h"

#include "net/conn.h"
#include "tls_pki.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>

#define MS ZR_US_PER_MS

static struct event_base *base;

struct end {
	struct conn *c;
	int fd;
	unsigned connected, messages, drained, closed;
	uint64_t octets;
	uint32_t sum; /* of all messages, in order */
	struct zr_err why;
	bool echo, pause_each;
	uint64_t to_send; /* messages of MESSAGE octets, a few at a time */
	bool finish;	  /* after them */
};

#define MESSAGE 16000

static inline uint32_t
sum_of(uint32_t sum, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i += 61)
		sum = sum * 31 + p[i] + (uint32_t)n;
	return sum;
}

static inline const uint8_t *
pattern(uint64_t number)
{
	static uint8_t p[MESSAGE];

	for (size_t i = 0; i < MESSAGE; i++)
		p[i] = (uint8_t)(i * 7 + number * 13);
	return p;
}

static inline void
send_more(struct end *s)
{
	while (s->to_send > 0 && conn_pending(s->c) < 10 * MESSAGE) {
		s->to_send--;
		assert_true(conn_send(
		    s->c, pattern(s->to_send), 100, pattern(s->to_send) + 100, MESSAGE - 100));
	}
	if (s->to_send == 0 && s->finish) {
		s->finish = false;
		conn_finish(s->c);
	}
}

static inline void
end_connected(void *arg, struct conn *c)
{
	struct end *s = arg;

	(void)c;
	s->connected++;
	assert_non_null(conn_tls_peer(s->c)); /* verified by now */
	send_more(s);
}

static inline void
end_message(void *arg, struct conn *c, const uint8_t *msg, size_t len)
{
	struct end *s = arg;

	s->messages++;
	s->octets += len;
	s->sum = sum_of(s->sum, msg, len);
	if (s->echo)
		assert_true(conn_send(c, msg, len, NULL, 0));
	if (s->pause_each)
		conn_pause(c);
}

static inline void
end_drained(void *arg, struct conn *c)
{
	struct end *s = arg;

	(void)c;
	s->drained++;
	send_more(s);
}

static inline void
end_closed(void *arg, struct conn *c, const struct zr_err *why)
{
	struct end *s = arg;

	(void)c;
	s->closed++;
	s->why = *why;
}

static const struct conn_ops end_ops = {end_connected, end_message, end_drained, end_closed};

static inline int
end_listener(struct zr_addr *a)
{
	int fd;

	*a = ip("127.0.0.1");
	fd = plain_bound(SOCK_STREAM, a);
	assert_int_equal(listen(fd, 16), 0);
	return fd;
}

static inline struct conn_spec
end_spec(struct end *s, struct tls_ctx *t)
{
	return (struct conn_spec){.base = base, .ops = &end_ops, .arg = s, .tls = t};
}

/* Ours, accepted; returns the plain end, connected. */
static inline int
accepted(struct end *s, struct conn_spec spec)
{
	struct zr_addr a, local = ip("127.0.0.1");
	int l = end_listener(&a), fd = plain_bound(SOCK_STREAM, &local);

	assert_int_equal(plain_connect(fd, &a), 0);
	s->fd = accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(s->fd >= 0);
	close(l);
	s->c = conn_open_fd(&spec, s->fd, &local, &a);
	assert_non_null(s->c);
	return fd;
}

/* Ours, outgoing; returns the plain end, accepted. */
static inline int
outgoing(struct end *s, struct conn_spec spec, struct zr_addr *at, int l)
{
	struct timeval tv = {10, 0};
	struct zr_err e = {0};
	int fd;

	s->c = conn_connect(&spec, at, NULL, &e);
	assert_non_null(s->c);
	fd = accept4(l, NULL, NULL, SOCK_CLOEXEC);
	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	return fd;
}

/* Both ours.  The listener's address stays the same, for sessions. */
struct pair {
	struct end client, server;
	struct zr_addr at;
	int listener;
};

static inline void
pair_open(struct pair *p)
{
	memset(p, 0, sizeof(*p));
	p->listener = end_listener(&p->at);
}

static inline void
pair_start(struct pair *p, struct conn_spec client, struct conn_spec server)
{
	struct zr_addr peer = ip("127.0.0.1");
	int fd = outgoing(&p->client, client, &p->at, p->listener);

	fcntl(fd, F_SETFL, O_NONBLOCK);
	p->server.fd = fd;
	p->server.c = conn_open_fd(&server, fd, &peer, &p->at);
	assert_non_null(p->server.c);
}

static inline void
pair_plain(struct pair *p, struct tls_ctx *client, struct tls_ctx *server)
{
	pair_start(p, end_spec(&p->client, client), end_spec(&p->server, server));
}

/* Ends what still lives; the pair can be started again. */
static inline void
pair_stop(struct pair *p)
{
	if (p->client.c != NULL && !p->client.closed)
		conn_close(p->client.c);
	if (p->server.c != NULL && !p->server.closed)
		conn_close(p->server.c);
	memset(&p->client, 0, sizeof(p->client));
	memset(&p->server, 0, sizeof(p->server));
}

static inline void
pair_clear(struct pair *p)
{
	pair_stop(p);
	close(p->listener);
}

/* ---- OpenSSL by itself, without blocking ---- */

struct raw {
	SSL_CTX *ctx;
	SSL *ssl;
	int fd;
	bool done, failed;
	int alert; /* received, or 0 */
};

static inline void
raw_info(const SSL *ssl, int where, int ret)
{
	struct raw *r = SSL_get_app_data(ssl);

	if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && (ret >> 8) == SSL3_AL_FATAL)
		r->alert = ret & 0xff;
}

static inline void
raw_begin(struct raw *r, int fd, bool server)
{
	if (r->ctx == NULL)
		r->ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
	fcntl(fd, F_SETFL, O_NONBLOCK);
	r->fd = fd;
	r->ssl = SSL_new(r->ctx);
	SSL_set_fd(r->ssl, fd);
	SSL_set_app_data(r->ssl, r);
	SSL_set_info_callback(r->ssl, raw_info);
	if (server) {
		assert_int_equal(
		    SSL_use_certificate_file(r->ssl, pki_path("server.pem"), SSL_FILETYPE_PEM), 1);
		assert_int_equal(
		    SSL_use_PrivateKey_file(r->ssl, pki_path("server.key"), SSL_FILETYPE_PEM), 1);
		SSL_set_accept_state(r->ssl);
	} else {
		SSL_set_connect_state(r->ssl);
	}
}

/* A step of the handshake, or reading what comes instead of it. */
static inline bool
raw_step(struct raw *r)
{
	char c;
	int rc = r->done ? SSL_read(r->ssl, &c, 1) : SSL_do_handshake(r->ssl);
	int err = SSL_get_error(r->ssl, rc);

	if (rc == 1 && !r->done)
		r->done = true;
	else if (rc <= 0 && err != SSL_ERROR_WANT_READ && err != SSL_ERROR_WANT_WRITE)
		r->failed = true;
	ERR_clear_error();
	return r->done || r->failed;
}

static inline void
raw_end(struct raw *r)
{
	SSL_free(r->ssl);
	SSL_CTX_free(r->ctx);
	close(r->fd);
	memset(r, 0, sizeof(*r));
}

static inline int
tls_setup(void **state)
{
	base = event_base_new();
	assert_non_null(base);
	return pki_setup(state);
}

static inline int
tls_teardown(void **state)
{
	event_base_free(base);
	return pki_teardown(state);
}

#define assert_says(text, part)                                                                    \
	do {                                                                                       \
		if (strstr(text, part) == NULL)                                                    \
			fail_msg("\"%s\" does not say \"%s\"", text, part);                        \
	} while (0)
