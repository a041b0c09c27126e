/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection with TLS: the engine of tls.c between the socket and the rest.  What recv() gave is
 * decrypted at once and whole, so that nothing waits in the engine but the part of a record, and
 * pausing is what it is without TLS.  What is queued becomes records only when all earlier ones are
 * the kernel's, so that what waits for a slow peer waits once, and conn_pending() is true.
 */
#include "net/conn_p.h"
#include "net/tls_p.h"

#include <errno.h>
#include <event2/event.h>
#include <sys/socket.h>

#define BATCH ((size_t)4 * TLS_RECORD) /* octets of messages sealed for one send() */

struct tls_peer *
conn_tls_peer(const struct conn *c)
{
	return c->tls != NULL ? c->tls->peer : NULL;
}

bool
conn_is_tls(const struct conn *c)
{
	return c->tls != NULL;
}

bool
conn_tls_resumed(const struct conn *c)
{
	return c->tls != NULL && c->tls->up && SSL_session_reused(c->tls->ssl) == 1;
}

size_t
conn_records(const struct conn *c)
{
	return c->tls != NULL ? tls_unsent(c->tls) : 0;
}

/* Records, as far as the kernel takes them in one call.  0, or -1 with errno. */
static int
flush(struct conn *c)
{
	struct tls *t = c->tls;
	ssize_t n;

	if (tls_unsent(t) == 0)
		return 0;
	n = send(c->fd, t->out.data + t->out_sent, tls_unsent(t), MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return -1;
	c->stall_at = 0;
	t->out_sent += (size_t)n;
	if (tls_unsent(t) > 0) {
		errno = EAGAIN;
		return -1;
	}
	buf_reset(&t->out);
	t->out_sent = 0;
	return 0;
}

/* The alert, if there is one, says to the peer what the text says here. */
static void
fail(struct conn *c)
{
	struct zr_err e = c->tls->why;
	char peer[ADDR_TEXT_MAX];

	(void)flush(c);
	(void)zr_fail_in(&e, "no TLS with %s", addr_text(&c->peer, peer));
	conn_end(c, e.code, e.text);
}

void
conn_tls_end(struct conn *c)
{
	struct tls *t = c->tls;

	if (t == NULL || !conn_wants_octets(c) || !(t->closed || t->why.code != ZR_OK))
		return; /* while a message waits to be handed out, this waits as well */
	if (t->why.code != ZR_OK)
		fail(c);
	else
		c->eof = true;
}

void
conn_tls_start(struct conn *c)
{
	uint8_t none[1] = {0};

	if (tls_take(c->tls, none, 0, none, sizeof(none)) < 0)
		fail(c);
}

void
conn_tls_bye(struct conn *c)
{
	if (c->tls == NULL)
		return;
	tls_bye(c->tls);
	if (flush(c) != 0 && tls_unsent(c->tls) > 0)
		event_add(&c->writable, NULL);
}

void
conn_tls_trim(struct conn *c, size_t keep)
{
	if (c->tls != NULL && tls_unsent(c->tls) == 0 && c->tls->out.cap > keep)
		buf_clear(&c->tls->out);
}

/* Not when something is lost: then the peer shall see that the end came too early. */
void
conn_tls_last(struct conn *c)
{
	if (c->tls == NULL || !c->up || c->bye_said || conn_pending(c) + conn_records(c) > 0)
		return;
	tls_bye(c->tls);
	(void)flush(c);
}

/*
 * The socket's end without close_notify may have been made by anybody on the way; messages say
 * themselves whether they are whole, and streams too.
 */
static ssize_t
cut(struct conn *c)
{
	if (!c->up)
		conn_end(c, ZR_TLS,
		    "the peer closed in the TLS handshake: is that a port for DNS over TLS?");
	c->cut = !c->tls->closed;
	return 0;
}

ssize_t
conn_tls_get(struct conn *c, uint8_t *p, size_t n, bool *more)
{
	uint8_t in[CONN_TLS_READ];
	ssize_t got = recv(c->fd, in, sizeof(in), MSG_DONTWAIT);

	if (got < 0)
		return -1;
	if (c->finishing && c->up) /* only its end matters */
		return got;
	if (got == 0)
		return cut(c);
	*more = got == sizeof(in);
	got = tls_take(c->tls, in, (size_t)got, p, n);
	if (got < 0)
		fail(c);
	if (!c->up && c->tls->up && !conn_over(c)) /* not with an alert behind it */
		conn_stand(c);
	if (got > 0 && !conn_over(c))
		return got;
	errno = EAGAIN;
	return -1;
}

ssize_t
conn_tls_put(struct conn *c, const uint8_t *p, size_t n)
{
	struct tls *t = c->tls;
	size_t sent;

	if (c->up && t->out_plain == 0 && n > 0 && tls_seal(t, p, n < BATCH ? n : BATCH) != 0) {
		fail(c);
		errno = EAGAIN;
		return -1;
	}
	if (flush(c) != 0)
		return -1;
	sent = t->out_plain;
	t->out_plain = 0;
	return (ssize_t)sent;
}
