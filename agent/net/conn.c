/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/conn.h"

#include "base/clock.h"
#include "base/mem.h"
#include "net/conn_p.h"
#include "net/sock.h"
#include "net/tls_p.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINGER_US (2 * ZR_US_PER_S) /* for the peer's FIN after ours */
#define MESSAGE_MAX 65535	    /* octets: what the length can say */
#define NEVER INT64_MAX
/* Octets the kernel takes that it cannot send yet: else megabytes wait for a peer that reads none.
 */
#define KERNEL_UNSENT 131072

void
conn_end(struct conn *c, enum zr_code code, const char *text)
{
	if (c->ended)
		return;
	c->ended = true;
	zr_fail(&c->why, code, "%s", text);
}

void
conn_end_errno(struct conn *c, int err, const char *what)
{
	if (c->ended)
		return;
	c->ended = true;
	sock_fail(&c->why, err, what, &c->peer);
	if (err == ECONNRESET || err == EPIPE)
		c->why.code = ZR_CLOSED;
}

size_t
conn_pending(const struct conn *c)
{
	return c->out.len - c->out_sent;
}

bool
conn_may_hand_out(const struct conn *c)
{
	return c->up && !c->paused && !c->finishing && !conn_over(c) &&
	       (c->spec.high_mark == 0 || conn_pending(c) <= c->spec.high_mark);
}

bool
conn_wants_octets(const struct conn *c)
{
	if (!c->tcp || c->eof || conn_over(c))
		return false;
	return !c->up || c->finishing || (conn_may_hand_out(c) && c->rest.len == 0);
}

/* Runs or stops one timer; one that runs already keeps its time. */
static int64_t
run(int64_t *at, bool wanted, int64_t span_us, int64_t now)
{
	if (!wanted || span_us <= 0)
		*at = 0;
	else if (*at == 0)
		*at = now + span_us;
	return *at != 0 ? *at : NEVER;
}

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t
next_deadline(struct conn *c, int64_t now)
{
	bool reading = conn_may_hand_out(c) && c->rest.len == 0;
	bool idle = reading && !c->eof && c->holds == 0 && conn_pending(c) == 0;
	bool partial = reading && frame_partial(&c->frame) > 0;
	bool stuck = c->up && conn_pending(c) + conn_records(c) > 0;
	int64_t next;

	next = run(&c->connect_at, !c->up, c->spec.connect_us, now);
	next = earlier(next, run(&c->idle_at, idle, c->spec.idle_us, now));
	next = earlier(next, run(&c->message_at, partial, c->spec.message_us, now));
	next = earlier(next, run(&c->stall_at, stuck, c->spec.stall_us, now));
	return earlier(next, run(&c->linger_at, c->fin_sent, LINGER_US, now));
}

/* Brings events and timer in line with the state.  A timer which is early is left alone. */
static void
settle(struct conn *c)
{
	int64_t now = clock_now().mono.us, next = next_deadline(c, now);
	bool reading = event_pending(&c->readable, EV_READ, NULL) != 0;

	if (conn_wants_octets(c) != reading) {
		if (reading)
			event_del(&c->readable);
		else
			event_add(&c->readable, NULL);
	}
	if (next < c->armed_at) {
		int64_t left = next > now ? next - now : 0;
		struct timeval tv = {
		    .tv_sec = (time_t)(left / ZR_US_PER_S),
		    .tv_usec = (suseconds_t)(left % ZR_US_PER_S),
		};

		c->armed_at = next;
		event_add(&c->timer, &tv);
	}
}

static void
stop_events(struct conn *c)
{
	event_del(&c->readable);
	event_del(&c->writable);
	event_del(&c->timer);
	event_del(&c->soon);
}

static void
destroy(struct conn *c)
{
	stop_events(c);
	conn_tls_last(c);
	close(c->fd);
	tls_free(c->tls);
	frame_clear(&c->frame);
	buf_clear(&c->rest);
	buf_clear(&c->out);
	free(c);
}

/* work() in the next turn.  Not in this one: a fast peer must not keep the loop to itself. */
static void
wake(struct conn *c)
{
	static const struct timeval now = {0, 0};

	if (conn_over(c))
		return;
	c->woken = true;
	if (!c->busy) {
		event_add(&c->soon, &now);
		settle(c);
	}
}

static void
enter(struct conn *c)
{
	c->busy = true;
}

static void
leave(struct conn *c)
{
	if (c->ended && !c->dead) {
		stop_events(c);
		c->spec.ops->closed(c->spec.arg, c, &c->why);
		c->dead = true;
	}
	c->busy = false;
	if (c->dead)
		destroy(c);
	else if (c->woken)
		wake(c);
	else
		settle(c);
}

/* The orderly ends: ours after conn_finish(), the peer's after its FIN (TC-15). */
static void
maybe_end(struct conn *c)
{
	conn_tls_end(c);
	if (!c->up || conn_over(c) || conn_pending(c) > 0)
		return;
	if (c->finishing) {
		if (!c->bye_said) {
			c->bye_said = true;
			conn_tls_bye(c);
		}
		if (conn_records(c) > 0)
			return;
		if (!c->fin_sent)
			(void)shutdown(c->fd, SHUT_WR);
		c->fin_sent = true;
		buf_clear(&c->rest);
		if (c->eof)
			conn_end(c, ZR_CLOSED, "finished");
	} else if (c->eof && c->holds == 0) { /* nothing is read while there is a rest */
		conn_end(c, ZR_CLOSED,
		    frame_partial(&c->frame) > 0 ? "the peer closed in the middle of a message"
		    : c->cut			 ? "the peer closed without an end of TLS"
						 : "the peer closed the connection");
	}
}

/* Whatever can be done without waiting. */
static void
work(struct conn *c)
{
	conn_feed_rest(c);
	c->woken = false; /* what callbacks asked for up to here is done below */
	conn_write(c);
	conn_tell_drained(c);
	conn_feed_rest(c); /* there may be room again */
	maybe_end(c);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd;
	(void)what;
	enter(c);
	conn_read(c);
	work(c);
	leave(c);
}

static void
on_soon(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd;
	(void)what;
	enter(c);
	work(c);
	leave(c);
}

void
conn_stand(struct conn *c)
{
	c->up = true;
	if (c->outgoing && c->spec.ops->connected != NULL && !c->finishing)
		c->spec.ops->connected(c->spec.arg, c);
}

static void
finish_connect(struct conn *c)
{
	socklen_t len = sizeof(int);
	int err = 0;

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		err = errno;
	if (err != 0) {
		conn_end_errno(c, err, "cannot connect to");
		c->why.code = err == ETIMEDOUT ? ZR_TIMEOUT : ZR_IO;
		return;
	}
	c->tcp = true;
	(void)sock_local(c->fd, &c->local);
	if (c->tls != NULL)
		conn_tls_start(c);
	else
		conn_stand(c);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd;
	(void)what;
	enter(c);
	if (!c->tcp)
		finish_connect(c);
	work(c);
	leave(c);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	int64_t now = clock_now().mono.us + ZR_US_PER_MS; /* the loop may be a little early */

	(void)fd;
	(void)what;
	enter(c);
	c->armed_at = NEVER;
	if (c->connect_at != 0 && c->connect_at <= now)
		conn_end(c, ZR_TIMEOUT,
		    c->tcp ? "the TLS handshake was not over in time" : "no connection in time");
	else if (c->message_at != 0 && c->message_at <= now)
		conn_end(c, ZR_TIMEOUT, "a message was not complete in time");
	else if (c->stall_at != 0 && c->stall_at <= now)
		conn_end(c, ZR_TIMEOUT, "the peer takes nothing of what is sent");
	else if (c->idle_at != 0 && c->idle_at <= now)
		conn_end(c, ZR_TIMEOUT, "idle for too long");
	else if (c->linger_at != 0 && c->linger_at <= now)
		conn_end(c, ZR_CLOSED, "finished");
	leave(c);
}

/* With TLS where the specification wants it; NULL: out of memory, and fd is not closed. */
static struct conn *
make(const struct conn_spec *spec, int fd, const struct zr_addr *peer)
{
	struct tls *tls = spec->tls != NULL ? tls_open(spec->tls, peer) : NULL;
	struct conn *c;

	if (tls == NULL && spec->tls != NULL) /* never in the clear instead */
		return NULL;
	c = zr_xcalloc(1, sizeof(*c));
	c->spec = *spec;
	c->tls = tls;
	c->fd = fd;
	c->peer = *peer;
	c->armed_at = NEVER;
	frame_init(&c->frame);
	event_assign(&c->readable, spec->base, fd, EV_READ | EV_PERSIST, on_readable, c);
	event_assign(&c->writable, spec->base, fd, EV_WRITE, on_writable, c);
	event_assign(&c->timer, spec->base, -1, 0, on_timer, c);
	event_assign(&c->soon, spec->base, -1, 0, on_soon, c);
	/* Messages are written whole; waiting for more would only delay them. */
	sock_set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	sock_set(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, KERNEL_UNSENT);
	return c;
}

struct conn *
conn_open_fd(
    const struct conn_spec *spec, int fd, const struct zr_addr *peer, const struct zr_addr *local)
{
	struct conn *c;

	assert(spec->tls == NULL || spec->tls->server);
	c = make(spec, fd, peer);
	if (c == NULL) {
		close(fd);
		return NULL;
	}
	c->local = *local;
	c->tcp = true;
	c->up = c->tls == NULL;
	if (c->tls != NULL && spec->connect_us <= 0)
		c->spec.connect_us = CONN_HANDSHAKE_US;
	settle(c);
	return c;
}

struct conn *
conn_connect(const struct conn_spec *spec, const struct zr_addr *dest, const struct zr_addr *source,
    struct zr_err *e)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(dest, &ss);
	int fd = sock_open(dest, SOCK_STREAM, e);
	struct conn *c;

	assert(spec->tls == NULL || !spec->tls->server);
	if (fd < 0)
		return NULL;
	if (spec->fd_max > 0 && fd >= spec->fd_max) {
		sock_fail(e, EMFILE, "no connection to", dest);
		goto fail;
	}
	if (source != NULL && source->family != 0) {
		/* The port can be chosen by connect(), per destination: more of them. */
		sock_set(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
		if (sock_bind(fd, source, e) < 0)
			goto fail;
	}
	if (connect(fd, (struct sockaddr *)&ss, len) < 0 && errno != EINPROGRESS) {
		sock_fail(e, errno, "cannot connect to", dest);
		goto fail;
	}
	c = make(spec, fd, dest);
	if (c == NULL) {
		(void)zr_fail(e, ZR_LIMIT, "no memory for TLS");
		goto fail;
	}
	c->outgoing = true;
	event_add(&c->writable, NULL);
	settle(c);
	return c;
fail:
	close(fd);
	return NULL;
}

void
conn_close(struct conn *c)
{
	if (c == NULL)
		return;
	c->dead = true;
	if (!c->busy)
		destroy(c);
}

void
conn_finish(struct conn *c)
{
	if (conn_over(c) || c->finishing)
		return;
	c->finishing = true;
	wake(c);
}

/* Room for more octets of output; what is queued stays whole when there is none. */
static bool
room(struct conn *c, size_t octets)
{
	if (conn_over(c) || c->finishing)
		return false;
	if (buf_reserve(&c->out, octets))
		return true;
	c->out.bad = false;
	return false;
}

static void
queued(struct conn *c)
{
	c->owes_drained = true;
	c->stats.messages_out++;
	wake(c);
}

bool
conn_begin_message(struct conn *c, struct buf *b)
{
	if (!room(c, 2 + MESSAGE_MAX))
		return false;
	*b = (struct buf){
	    .data = c->out.data + c->out.len + 2,
	    .cap = MESSAGE_MAX,
	    .max = MESSAGE_MAX,
	};
	return true;
}

bool
conn_end_message(struct conn *c, const struct buf *b)
{
	assert(b->data == c->out.data + c->out.len + 2);
	if (b->bad || b->len == 0 || conn_over(c) || c->finishing)
		return false;
	buf_u16(&c->out, (uint16_t)b->len);
	c->out.len += b->len; /* it stands there already */
	queued(c);
	return true;
}

bool
conn_send(struct conn *c, const void *hdr, size_t hdrlen, const void *data, size_t len)
{
	if (hdrlen > MESSAGE_MAX || len > MESSAGE_MAX - hdrlen || !room(c, 2 + hdrlen + len))
		return false;
	buf_u16(&c->out, (uint16_t)(hdrlen + len));
	buf_bytes(&c->out, hdr, hdrlen);
	buf_bytes(&c->out, data, len);
	queued(c);
	return true;
}

void
conn_pause(struct conn *c)
{
	c->paused = true;
	if (!c->busy)
		settle(c);
}

void
conn_resume(struct conn *c)
{
	c->paused = false;
	wake(c);
}

void
conn_hold(struct conn *c)
{
	c->holds++;
	if (!c->busy)
		settle(c);
}

void
conn_unhold(struct conn *c)
{
	if (c->holds > 0)
		c->holds--;
	wake(c);
}

void
conn_set_idle(struct conn *c, int64_t idle_us)
{
	c->spec.idle_us = idle_us;
	c->idle_at = 0;
	if (!c->busy)
		settle(c);
}

const struct zr_addr *
conn_peer(const struct conn *c)
{
	return &c->peer;
}

const struct zr_addr *
conn_local(const struct conn *c)
{
	return &c->local;
}

const struct conn_stats *
conn_stats(const struct conn *c)
{
	return &c->stats;
}

bool
conn_is_up(const struct conn *c)
{
	return c->up && !c->eof && !c->finishing && !conn_over(c);
}
