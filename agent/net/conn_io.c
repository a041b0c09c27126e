/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A plain non-blocking socket, not a bufferevent: what arrives is framed straight from the
 * buffer of recv() without being copied, timers follow whole messages instead of octets
 * (TC-08), and the half-closed state is ours to handle (TC-15).  Output is copied once,
 * into one run of octets that send() takes from; beside the system calls the copy does
 * not show.
 */
#include "base/mem.h"
#include "net/conn_p.h"

#include <errno.h>
#include <event2/event.h>
#include <string.h>
#include <sys/socket.h>

#define READ_MAX 65536 /* octets of one recv(), on the stack */
#define READS 4	       /* recv() calls per turn: others wait as well */
#define WRITES 4       /* likewise send(), with TLS */
#define COMPACT 65536  /* octets sent before the rest is moved to the front */
#define KEEP 4096      /* octets of output buffer an idle connection may hold */

/* *more: a short count says the same as EAGAIN would next. */
static ssize_t
get(struct conn *c, uint8_t *p, size_t n, bool *more)
{
	ssize_t got;

	if (c->tls != NULL)
		return conn_tls_get(c, p, n, more);
	got = recv(c->fd, p, n, MSG_DONTWAIT);
	*more = got == (ssize_t)n;
	return got;
}

static ssize_t
put(struct conn *c, const uint8_t *p, size_t n)
{
	if (c->tls != NULL)
		return conn_tls_put(c, p, n);
	return send(c->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int
hand_out(void *arg, const uint8_t *msg, size_t len)
{
	struct conn *c = arg;

	c->stats.messages_in++;
	c->idle_at = 0;
	c->message_at = 0;
	c->spec.ops->message(c->spec.arg, c, msg, len);
	return !conn_may_hand_out(c);
}

/* How many of the octets were used; what is left waits for conn_resume() or less output. */
static size_t
feed(struct conn *c, const uint8_t *p, size_t n)
{
	size_t used = 0;

	if (frame_feed(&c->frame, p, n, &used, hand_out, c) < 0)
		conn_end(c, ZR_NOMEM, "out of memory for a message");
	return used;
}

void
conn_feed_rest(struct conn *c)
{
	size_t used;

	if (c->rest.len == 0 || !conn_may_hand_out(c))
		return;
	used = feed(c, c->rest.data, c->rest.len);
	c->rest.len -= used;
	if (c->rest.len == 0)
		buf_clear(&c->rest);
	else
		memmove(c->rest.data, c->rest.data + used, c->rest.len);
}

static void
take_octets(struct conn *c, const uint8_t *p, size_t n)
{
	size_t used;

	c->stats.octets_in += n;
	if (c->finishing) /* read only so that no reset follows our last octets */
		return;
	used = conn_may_hand_out(c) ? feed(c, p, n) : 0; /* `connected` may have paused */
	buf_bytes(&c->rest, p + used, n - used);
	if (c->rest.bad)
		conn_end(c, ZR_NOMEM, "out of memory for a message");
}

void
conn_read(struct conn *c)
{
	_Static_assert(READ_MAX >= CONN_TLS_READ + 16384, "a record may have begun before");
	uint8_t p[READ_MAX];

	for (int i = 0; i < READS && conn_wants_octets(c); i++) {
		bool more = false;
		ssize_t n = get(c, p, sizeof(p), &more);

		if (n > 0) {
			take_octets(c, p, (size_t)n);
			if (!more)
				return;
		} else if (n == 0) {
			c->eof = true;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			return;
		} else if (errno != EINTR) {
			conn_end_errno(c, errno, "cannot read from");
		}
	}
}

/* One call; a short count says the same as EAGAIN would next: no room for more. */
static bool
send_some(struct conn *c)
{
	ssize_t n;

	do
		n = put(c, c->out.data + c->out_sent, conn_pending(c));
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
		conn_end_errno(c, errno, "cannot send to");
	if (n <= 0)
		return false;
	c->out_sent += (size_t)n;
	c->stats.octets_out += (size_t)n;
	c->stall_at = 0;
	return true;
}

/* With TLS a call takes the octets of a few records. */
static void
send_queued(struct conn *c)
{
	for (int i = 0; send_some(c); i++)
		if (c->tls == NULL || i + 1 == WRITES || conn_pending(c) == 0)
			break;
	if (!conn_over(c) && conn_pending(c) + conn_records(c) > 0)
		event_add(&c->writable, NULL);
}

void
conn_write(struct conn *c)
{
	bool some = c->up ? conn_pending(c) + conn_records(c) > 0 : conn_records(c) > 0;

	if (some && !conn_over(c))
		send_queued(c);
	if (conn_pending(c) == 0) {
		buf_reset(&c->out);
		c->out_sent = 0;
	} else if (c->out_sent >= COMPACT && c->out_sent >= conn_pending(c)) {
		c->out.len -= c->out_sent;
		memmove(c->out.data, c->out.data + c->out_sent, c->out.len);
		c->out_sent = 0;
	}
}

void
conn_tell_drained(struct conn *c)
{
	if (c->owes_drained && c->up && !c->finishing && !conn_over(c) &&
	    conn_pending(c) <= c->spec.low_mark) {
		c->owes_drained = false;
		if (c->spec.ops->drained != NULL)
			c->spec.ops->drained(c->spec.arg, c);
	}
	if (conn_pending(c) > 0)
		return;
	if (c->out.cap > KEEP)
		buf_clear(&c->out);
	conn_tls_trim(c, KEEP);
}
