/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/udpq.h"

#include "base/clock.h"
#include "base/mem.h"
#include "net/sock.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define READS 16	   /* datagrams of one query per turn: more is a flood */
#define DATAGRAM_MAX 65536 /* octets; on the stack, pages beyond an answer stay untouched */

struct udpq {
	struct event_base *base;
	struct udpq_query *all;
	unsigned count;
	unsigned max;
};

struct udpq_query {
	struct udpq *pool;
	struct udpq_query *next, **link;
	struct event ev; /* readable, or time is up */
	int fd;
	struct zr_addr dest;
	int64_t deadline_us; /* monotonic */
	udpq_cb cb;
	void *arg;
	bool in_callback;
	bool cancelled; /* in the callback: freed when it returns */
};

struct udpq *
udpq_new(struct event_base *base, unsigned max_open)
{
	struct udpq *p = zr_xcalloc(1, sizeof(*p));

	p->base = base;
	p->max = max_open;
	return p;
}

static void
destroy(struct udpq_query *q)
{
	*q->link = q->next;
	if (q->next != NULL)
		q->next->link = q->link;
	q->pool->count--;
	event_del(&q->ev);
	close(q->fd);
	free(q);
}

void
udpq_free(struct udpq *p)
{
	if (p == NULL)
		return;
	while (p->all != NULL)
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): its end unlinks it */
		destroy(p->all);
	free(p);
}

void
udpq_set_max(struct udpq *p, unsigned max_open)
{
	p->max = max_open;
}

bool
udpq_full(const struct udpq *p)
{
	return p->count >= p->max;
}

unsigned
udpq_count(const struct udpq *p)
{
	return p->count;
}

void
udpq_cancel(struct udpq_query *q)
{
	if (q == NULL)
		return;
	q->cancelled = true;
	if (!q->in_callback)
		destroy(q);
}

/* True: the query is over. */
static bool
call(struct udpq_query *q, enum udpq_event ev, const uint8_t *data, size_t len,
    const struct zr_err *e)
{
	bool done;

	q->in_callback = true;
	done = q->cb(q->arg, ev, data, len, e);
	q->in_callback = false;
	return done || q->cancelled || ev != UDPQ_DATA;
}

/* Everything the socket holds, within reason.  True: the query is over. */
static bool
read_all(struct udpq_query *q)
{
	uint8_t data[DATAGRAM_MAX];
	struct zr_err e;

	for (int i = 0; i < READS; i++) {
		ssize_t n = recv(q->fd, data, sizeof(data), MSG_DONTWAIT);

		if (n >= 0) {
			if (call(q, UDPQ_DATA, data, (size_t)n, NULL))
				return true;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			return false;
		} else if (errno != EINTR) {
			sock_fail(&e, errno, "no answer from", &q->dest);
			e.code = ZR_IO;
			return call(q, UDPQ_ERROR, NULL, 0, &e);
		}
	}
	return false;
}

static void on_event(evutil_socket_t fd, short what, void *arg);

/* The event is not persistent: what peers send must not put off the deadline. */
static void
arm(struct udpq_query *q, int64_t left_us)
{
	struct timeval tv = {
	    .tv_sec = (time_t)(left_us / ZR_US_PER_S),
	    .tv_usec = (suseconds_t)(left_us % ZR_US_PER_S),
	};

	if (event_add(&q->ev, &tv) == 0)
		return;
	/* The kernel has no room for one more: when the time is up, we look whether an answer lies
	 * there. */
	(void)event_assign(&q->ev, q->pool->base, -1, 0, on_event, q);
	(void)event_add(&q->ev, &tv);
}

static void
on_event(evutil_socket_t fd, short what, void *arg)
{
	struct udpq_query *q = arg;
	int64_t until_us = q->deadline_us, left_us;
	bool late = (what & EV_TIMEOUT) != 0, over;

	(void)fd;
	/* Also when the time is up: while we stood still an answer may have come (the loop tells of
	 * the time only). */
	over = read_all(q);
	if (!over) {
		left_us = q->deadline_us - clock_now().mono.us;
		/* The loop's idea of the time may be a little ahead of ours. */
		if (left_us > 0 && (!late || q->deadline_us != until_us)) {
			arm(q, left_us);
			return;
		}
		(void)call(q, UDPQ_TIMEOUT, NULL, 0, NULL);
	}
	destroy(q);
}

/* A connected socket on which the query has been sent, or -1. */
static int
send_from_new_socket(const struct zr_addr *dest, const struct zr_addr *source, const void *data,
    size_t len, struct zr_err *e)
{
	struct sockaddr_storage ss;
	socklen_t ss_len = addr_to_sockaddr(dest, &ss);
	int fd = sock_open(dest, SOCK_DGRAM, e);

	if (fd < 0)
		return -1;
	if (source != NULL && source->family != 0 && sock_bind(fd, source, e) < 0)
		goto fail;
	if (connect(fd, (struct sockaddr *)&ss, ss_len) < 0) {
		sock_fail(e, errno, "cannot send to", dest);
		goto fail;
	}
	/* What the kernel has no room for is as good as lost on the way. */
	if (send(fd, data, len, MSG_DONTWAIT) < 0 && errno != EAGAIN && errno != ENOBUFS) {
		sock_fail(e, errno, "cannot send to", dest);
		goto fail;
	}
	return fd;
fail:
	close(fd);
	return -1;
}

struct udpq_query *
udpq_send(struct udpq *p, const struct zr_addr *dest, const struct zr_addr *source,
    const void *data, size_t len, int64_t timeout_us, udpq_cb cb, void *arg, struct zr_err *e)
{
	struct udpq_query *q;
	int fd;

	if (udpq_full(p)) {
		zr_fail(e, ZR_LIMIT, "%u queries are under way, the limit", p->count);
		return NULL;
	}
	fd = send_from_new_socket(dest, source, data, len, e);
	if (fd < 0)
		return NULL;
	q = zr_xcalloc(1, sizeof(*q));
	q->pool = p;
	q->fd = fd;
	q->dest = *dest;
	q->cb = cb;
	q->arg = arg;
	q->deadline_us = clock_now().mono.us + timeout_us;
	q->next = p->all;
	q->link = &p->all;
	if (q->next != NULL)
		q->next->link = &q->next;
	p->all = q;
	p->count++;
	event_assign(&q->ev, p->base, fd, EV_READ, on_event, q);
	arm(q, timeout_us);
	return q;
}

bool
udpq_resend(struct udpq_query *q, const void *data, size_t len, int64_t timeout_us)
{
	/* What cannot leave now is as good as lost; an error of the peer comes as UDPQ_ERROR. */
	bool sent = send(q->fd, data, len, MSG_DONTWAIT) >= 0;

	q->deadline_us = clock_now().mono.us + timeout_us;
	if (!q->in_callback)
		arm(q, timeout_us);
	return sent;
}

bool
udpq_source(const struct zr_addr *dest, struct zr_addr *local)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(dest, &ss);
	int fd = sock_open(dest, SOCK_DGRAM, NULL);
	bool found;

	if (fd < 0)
		return false;
	found = connect(fd, (struct sockaddr *)&ss, len) == 0 && sock_local(fd, local);
	close(fd);
	return found;
}
