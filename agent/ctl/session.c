/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One connection.  It reads a line, lets reply.c answer it, writes, and only then looks at
 * the next line.  The idle timer runs while a request is awaited (from its
 * beginning: dribbling octets do not extend it) and while a client does not read; it does
 * not run while a handler takes its time.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "ctl/ctl_p.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define OUT_KEEP (4 * CTL_OUT_LOW) /* memory kept while a session has nothing to say */
/* Written octets are dropped when they are more than half; and there must be room for last lines.
 */
#define OUT_BUF_MAX (2 * CTL_OUT_MAX + 4 * ZR_ERR_TEXT)

static void
arm_idle(struct session *s)
{
	const struct timeval tv = {.tv_sec = (time_t)(s->ctl->idle_us / ZR_US_PER_S),
	    .tv_usec = (suseconds_t)(s->ctl->idle_us % ZR_US_PER_S)};

	s->active_us = clock_now().mono.us;
	event_add(s->idle, &tv);
}

size_t
session_owed(const struct session *s)
{
	return s->out.len - s->out_pos;
}

bool
session_streams(const struct session *s)
{
	return s->reply != NULL && s->reply->pull != NULL;
}

bool
session_idle(const struct session *s)
{
	return s->reply == NULL && session_owed(s) == 0;
}

void
session_free(struct session *s)
{
	if (s->reply != NULL)
		reply_orphan(s->reply);
	*s->prev = s->next;
	if (s->next != NULL)
		s->next->prev = s->prev;
	s->ctl->count--;
	event_free(s->readable);
	event_free(s->writable);
	event_free(s->idle);
	close(s->fd);
	buf_clear(&s->out);
	free(s);
}

void
session_wake(struct session *s)
{
	event_add(s->writable, NULL);
}

/* Writes what it can; false when the client is gone. */
static bool
flush(struct session *s, bool *progress)
{
	while (session_owed(s) > 0) {
		ssize_t n = send(s->fd, s->out.data + s->out_pos, session_owed(s), MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (n < 0)
			return false;
		s->out_pos += (size_t)n;
		*progress = true;
	}
	if (session_owed(s) == 0) {
		if (s->out.cap > OUT_KEEP)
			buf_clear(&s->out);
		buf_reset(&s->out);
		s->out_pos = 0;
	} else if (s->out_pos > s->out.len / 2) {
		memmove(s->out.data, s->out.data + s->out_pos, session_owed(s));
		s->out.len -= s->out_pos;
		s->out_pos = 0;
	}
	return true;
}

/* Starts the next request if there is a whole line and nothing before it is under way. */
static void
next_request(struct session *s)
{
	while (s->reply == NULL && session_owed(s) < CTL_OUT_LOW) {
		char *nl = memchr(s->in, '\n', s->in_len);
		size_t len, used;

		if (nl == NULL) {
			if (s->in_len > CTL_LINE_MAX) {
				if (!s->discard)
					buf_fmt(&s->out,
					    "error limit the line is longer than %d octets\n",
					    CTL_LINE_MAX);
				s->discard = true;
				s->in_len = 0;
			}
			return;
		}
		len = (size_t)(nl - s->in);
		used = len + 1;
		if (s->discard)
			s->discard = false;
		else
			reply_start(s, s->in, len);
		s->in_len -= used;
		memmove(s->in, s->in + used, s->in_len);
	}
}

/* What to wait for; false: nothing more will come. */
static bool
rearm(struct session *s, bool progress)
{
	bool more_input = memchr(s->in, '\n', s->in_len) != NULL;
	bool streaming = session_streams(s);

	if (s->eof && session_idle(s) && !more_input)
		return false;
	if (session_owed(s) > 0 || streaming || (s->reply == NULL && more_input))
		event_add(s->writable, NULL);
	else
		event_del(s->writable);
	if (!s->eof && s->in_len < sizeof(s->in))
		event_add(s->readable, NULL);
	else
		event_del(s->readable);
	/* With a stream it is the client's turn even when nothing is left over here: the
	 * system's buffer is full. */
	if (s->reply != NULL && !streaming && session_owed(s) == 0)
		event_del(s->idle); /* the handler's turn */
	else if (progress || !event_pending(s->idle, EV_TIMEOUT, NULL))
		arm_idle(s);
	return true;
}

/* Everything a session can do now. */
static void
work(struct session *s)
{
	bool progress = false;

	if (session_streams(s))
		reply_pull(s->reply);
	next_request(s);
	if (s->out.bad || !flush(s, &progress) || !rearm(s, progress))
		session_free(s);
}

/* After the end of the input: has the other side gone altogether, or may it still read? */
static bool
hung_up(const struct session *s)
{
	struct pollfd p = {.fd = s->fd};

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR)) != 0;
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct session *s = arg;
	ssize_t n = recv(fd, s->in + s->in_len, sizeof(s->in) - s->in_len, 0);

	(void)what;
	if (n < 0) {
		if (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK)
			session_free(s);
		return;
	}
	if (n == 0) {
		s->eof = true;
		if (hung_up(s)) {
			session_free(s);
			return;
		}
	}
	s->in_len += (size_t)n;
	work(s);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	work(arg);
}

static void
on_idle(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	session_free(arg);
}

void
session_new(struct ctl *c, int fd)
{
	struct session *s = zr_xcalloc(1, sizeof(*s));

	s->ctl = c;
	s->fd = fd;
	buf_init(&s->out, OUT_BUF_MAX);
	s->next = c->head;
	s->prev = &c->head;
	if (c->head != NULL)
		c->head->prev = &s->next;
	c->head = s;
	c->count++;
	s->readable = event_new(c->base, fd, EV_READ | EV_PERSIST, on_readable, s);
	s->writable = event_new(c->base, fd, EV_WRITE, on_writable, s);
	s->idle = evtimer_new(c->base, on_idle, s);
	event_add(s->readable, NULL);
	arm_idle(s);
}
