/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/listen.h"

#include "base/mem.h"
#include "net/sock.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define PER_TURN 64	/* connections; then the other events have their turn */
#define PAUSE_US 200000 /* after running out of descriptors: long enough for some to close */

struct listen_sock {
	int fd;
	int reserve; /* a descriptor to give up when there is no other; -1: lost */
	struct zr_addr addr;
	listen_cb cb;
	void *arg;
	struct event *readable;
	struct event *pause_over;
	struct listen_stats stats;
	bool held; /* listen_pause() */
	bool in_callback;
	bool closed;
};

static int
open_reserve(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Takes the client at the head of the backlog only to tell it that we are here but full. */
static void
shed(struct listen_sock *l)
{
	int fd;

	if (l->reserve >= 0)
		close(l->reserve);
	fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0) {
		close(fd);
		l->stats.shed++;
	}
	l->reserve = open_reserve();
}

static void
pause_a_moment(struct listen_sock *l)
{
	static const struct timeval tv = {0, PAUSE_US};

	l->stats.pauses++;
	event_del(l->readable);
	event_add(l->pause_over, &tv);
}

/* False: nothing more to accept now. */
static bool
accept_one(struct listen_sock *l)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct zr_addr peer, local;
	int fd = accept4(l->fd, (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0 && sock_exhausted(errno)) {
		shed(l);
		pause_a_moment(l);
		return false;
	}
	if (fd < 0) /* any other error belongs to that one connection */
		return errno != EAGAIN && errno != EWOULDBLOCK && errno != EBADF;
	if (!addr_from_sockaddr((struct sockaddr *)&ss, &peer) || !sock_local(fd, &local)) {
		close(fd);
		return true;
	}
	l->stats.accepted++;
	l->cb(l->arg, fd, &peer, &local);
	return !l->closed && !l->held;
}

static void
destroy(struct listen_sock *l)
{
	event_free(l->readable);
	event_free(l->pause_over);
	if (l->reserve >= 0)
		close(l->reserve);
	close(l->fd);
	free(l);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct listen_sock *l = arg;

	(void)fd;
	(void)what;
	l->in_callback = true;
	for (int i = 0; i < PER_TURN && accept_one(l); i++)
		;
	l->in_callback = false;
	if (l->closed)
		destroy(l);
}

static void
on_pause_over(evutil_socket_t fd, short what, void *arg)
{
	struct listen_sock *l = arg;

	(void)fd;
	(void)what;
	if (l->reserve < 0)
		l->reserve = open_reserve();
	if (!l->held)
		event_add(l->readable, NULL);
}

struct listen_sock *
listen_open(struct event_base *base, const struct zr_addr *bind, int backlog, listen_cb cb,
    void *arg, struct zr_err *e)
{
	int fd = sock_open(bind, SOCK_STREAM, e);
	struct listen_sock *l;

	if (fd < 0)
		return NULL;
	sock_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (sock_bind(fd, bind, e) < 0)
		goto fail;
	if (listen(fd, backlog > 0 ? backlog : SOMAXCONN) < 0) {
		sock_fail(e, errno, "cannot listen on", bind);
		goto fail;
	}
	l = zr_xcalloc(1, sizeof(*l));
	l->fd = fd;
	l->cb = cb;
	l->arg = arg;
	l->reserve = open_reserve();
	(void)sock_local(fd, &l->addr);
	l->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, l);
	l->pause_over = event_new(base, -1, 0, on_pause_over, l);
	event_add(l->readable, NULL);
	return l;
fail:
	close(fd);
	return NULL;
}

void
listen_close(struct listen_sock *l)
{
	if (l == NULL)
		return;
	l->closed = true;
	if (!l->in_callback)
		destroy(l);
}

void
listen_pause(struct listen_sock *l)
{
	l->held = true;
	event_del(l->readable);
}

void
listen_resume(struct listen_sock *l)
{
	l->held = false;
	if (!event_pending(l->pause_over, EV_TIMEOUT, NULL))
		event_add(l->readable, NULL);
}

const struct zr_addr *
listen_addr(const struct listen_sock *l)
{
	return &l->addr;
}

const struct listen_stats *
listen_stats(const struct listen_sock *l)
{
	return &l->stats;
}
