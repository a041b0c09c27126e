/* SPDX-License-Identifier: BSD-2-Clause */
/* A connection against a plain blocking socket, both in this thread. */
#pragma once

#include "net/conn.h"
#include "pump.h"

#include <errno.h>
#include <fcntl.h>

#define MS ZR_US_PER_MS

static struct event_base *base;

/* What happened to a connection, and what its callbacks do. */
struct seen {
	struct conn *c;
	int fd;	  /* of the connection */
	int peer; /* the plain end */
	unsigned connected, messages, drained, closed;
	void *more;	      /* of the test */
	uint8_t got[1 << 20]; /* all messages, one behind the other */
	size_t got_len;
	struct zr_err why;
	bool pause_each;     /* in the message callback */
	bool hold_each;	     /* likewise */
	bool echo;	     /* likewise */
	bool finish_each;    /* likewise */
	struct conn *victim; /* closed in the message callback */
	bool close_in_message, close_in_drained, close_in_connected, close_in_closed;
};

static inline void
on_connected(void *arg, struct conn *c)
{
	struct seen *s = arg;

	assert_ptr_equal(c, s->c);
	s->connected++;
	if (s->close_in_connected)
		conn_close(c);
}

static inline void
on_message(void *arg, struct conn *c, const uint8_t *msg, size_t len)
{
	struct seen *s = arg;

	s->messages++;
	if (s->got_len + len <= sizeof(s->got)) {
		memcpy(s->got + s->got_len, msg, len);
		s->got_len += len;
	}
	if (s->echo)
		assert_true(conn_send(c, msg, len, NULL, 0));
	if (s->hold_each)
		conn_hold(c);
	if (s->pause_each)
		conn_pause(c);
	if (s->finish_each)
		conn_finish(c);
	if (s->victim != NULL)
		conn_close(s->victim);
	s->victim = NULL;
	if (s->close_in_message)
		conn_close(c);
}

static inline void
on_drained(void *arg, struct conn *c)
{
	struct seen *s = arg;

	s->drained++;
	if (s->close_in_drained)
		conn_close(c);
}

static inline void
on_closed(void *arg, struct conn *c, const struct zr_err *why)
{
	struct seen *s = arg;

	s->closed++;
	s->why = *why;
	assert_false(conn_send(c, "late", 4, NULL, 0));
	if (s->close_in_closed)
		conn_close(c);
}

static const struct conn_ops ops = {
    .connected = on_connected,
    .message = on_message,
    .drained = on_drained,
    .closed = on_closed,
};

static inline int
listener(struct zr_addr *a)
{
	int fd;

	*a = ip("127.0.0.1");
	fd = plain_bound(SOCK_STREAM, a);
	assert_int_equal(listen(fd, 16), 0);
	return fd;
}

/* A fresh connection, ours accepted from the plain end. */
static inline struct seen *
start(struct conn_spec spec)
{
	struct seen *s = calloc(1, sizeof(*s));
	struct zr_addr a, local = ip("127.0.0.1");
	int l = listener(&a);

	s->peer = plain_bound(SOCK_STREAM, &local);
	assert_int_equal(plain_connect(s->peer, &a), 0);
	s->fd = accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(s->fd >= 0);
	close(l);
	spec.base = base;
	if (spec.ops == NULL)
		spec.ops = &ops;
	spec.arg = s;
	s->c = conn_open_fd(&spec, s->fd, &local, &a);
	return s;
}

static inline void
stop(struct seen *s)
{
	if (!s->closed)
		conn_close(s->c);
	if (s->peer >= 0)
		close(s->peer);
	free(s);
}

static inline void
say(struct seen *s, const void *p, size_t n)
{
	assert_int_equal(send(s->peer, p, n, MSG_NOSIGNAL), n);
}

static inline void
hear(struct seen *s, const void *want, size_t n)
{
	uint8_t *p = malloc(n + 1);

	assert_int_equal(recv(s->peer, p, n, MSG_WAITALL), n);
	assert_memory_equal(p, want, n);
	free(p);
}

static inline void
hear_end(struct seen *s)
{
	char c;

	assert_int_equal(recv(s->peer, &c, 1, 0), 0);
}

/* A connection closed with octets unread resets. */
static inline void
hear_end_or_reset(struct seen *s)
{
	char c;
	ssize_t n = recv(s->peer, &c, 1, 0);

	assert_true(n == 0 || (n < 0 && errno == ECONNRESET) || n == 1);
}

static inline void
got_is(struct seen *s, const char *want)
{
	assert_int_equal(s->got_len, strlen(want));
	assert_memory_equal(s->got, want, s->got_len);
}

static inline int
setup(void **state)
{
	(void)state;
	base = event_base_new();
	return base == NULL;
}

static inline int
teardown(void **state)
{
	(void)state;
	event_base_free(base);
	return 0;
}
