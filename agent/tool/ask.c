/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A server that knows no EDNS may answer FORMERR to the OPT, which would look like one that does
 * not know NOTIFY(AXFR): so such an answer, when it has no OPT itself, is followed by one more
 * message without.
 */
#include "tool/ask.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "wire/query.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- the message ---- */

/* An SOA with nothing but its serial: a hint, nobody stores it. */
static void
put_notify(struct buf *b, const struct ask_conf *c, uint16_t id)
{
	uint8_t rdata[22] = {0}; /* MNAME and RNAME are the root */
	struct rr soa = {.owner = c->zone,
	    .owner_len = (uint8_t)name_len(c->zone),
	    .type = TYPE_SOA,
	    .class = CLASS_IN,
	    .rdata = rdata,
	    .rdlen = sizeof(rdata)};

	put_u32(rdata + 2, c->serial);
	query_notify(b, id, c->zone, c->kind == NOTIFYOUT_AXFR ? TYPE_AXFR : TYPE_SOA,
	    c->has_serial ? &soa : NULL, NULL);
}

static void
put_opt(struct buf *b)
{
	buf_u8(b, 0);
	buf_u16(b, TYPE_OPT);
	buf_u16(b, EDNS_UDP_SIZE);
	buf_u32(b, 0);
	buf_u16(b, 0);
	buf_put_u16(b, 10, 1); /* ARCOUNT */
}

static uint64_t
seconds(void)
{
	return (uint64_t)(clock_now().wall.us / ZR_US_PER_S);
}

/* False: it could not be signed, and the answer says so. */
static bool
build(struct ask_target *t, const struct ask_conf *c)
{
	struct buf b = BUF_INIT;
	struct zr_err e;
	bool ok;

	t->o.id = rand_id();
	put_notify(&b, c, t->o.id);
	if (t->edns)
		put_opt(&b);
	ok = c->key == NULL || tsig_sign_request(&t->txn, c->key, &b, seconds(), &e) == 0;
	if (!ok) {
		t->answer = (struct answer){.kind = ANSWER_UNREACHABLE};
		snprintf(t->answer.text, sizeof(t->answer.text), "%.150s", e.text);
	}
	buf_reset(&t->message);
	if (c->tcp)
		buf_u16(&t->message, (uint16_t)b.len);
	buf_bytes(&t->message, b.data, b.len);
	buf_clear(&b);
	return ok;
}

/* ---- one target ---- */

struct asking {
	const struct ask_conf *c;
	struct ask_target *v;
	size_t n;
	void (*done)(void *arg, const struct ask_target *t);
	void *arg;
};

static void
finish(struct asking *k, struct ask_target *t)
{
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
	t->over = true;
	t->took_us = clock_now().mono.us - t->began_us;
	buf_clear(&t->message);
	buf_clear(&t->in);
	if (k->done != NULL)
		k->done(k->arg, t);
}

static void
unreachable(struct asking *k, struct ask_target *t, const char *doing, int error)
{
	if (!t->answer.has_rcode)
		t->answer.kind = ANSWER_UNREACHABLE;
	if (error == ECONNREFUSED)
		snprintf(t->answer.text, sizeof(t->answer.text), "nothing listens there (%s)",
		    strerror(error));
	else
		snprintf(t->answer.text, sizeof(t->answer.text), "%s: %s", doing, strerror(error));
	finish(k, t);
}

static bool
passing(int error)
{
	return error == EAGAIN || error == EINTR || error == ENOBUFS || error == EINPROGRESS;
}

/* Waits for the answer: over UDP until the next try. */
static void
set_due(struct ask_target *t, const struct ask_conf *c)
{
	int64_t wait = c->timeout_us << (t->tries - 1);

	if (c->tcp)
		wait = (c->timeout_us << c->tries) - c->timeout_us;
	t->due_us = clock_now().mono.us + wait;
}

static void
send_udp(struct asking *k, struct ask_target *t)
{
	ssize_t n = send(t->fd, t->message.data, t->message.len, MSG_NOSIGNAL);

	t->tries++;
	set_due(t, k->c);
	if (n < 0 && !passing(errno))
		unreachable(k, t, "sending", errno);
}

static void
send_tcp(struct asking *k, struct ask_target *t)
{
	ssize_t n = send(t->fd, t->message.data + t->sent, t->message.len - t->sent, MSG_NOSIGNAL);

	if (n < 0 && !passing(errno))
		unreachable(k, t, "sending", errno);
	else if (n > 0)
		t->sent += (size_t)n;
}

static int
open_socket(const struct ask_target *t, const struct ask_conf *c, const char **doing)
{
	struct sockaddr_storage to, from;
	unsigned to_len = addr_to_sockaddr(&t->addr, &to);
	int fd = socket(t->addr.family == 6 ? AF_INET6 : AF_INET,
	    (c->tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	*doing = "no socket";
	if (fd < 0)
		return -1;
	if (c->source.family != 0) {
		unsigned len = addr_to_sockaddr(&c->source, &from);
		*doing = "the address given with --source cannot be used";
		if (c->source.family != t->addr.family)
			errno = EAFNOSUPPORT;
		if (c->source.family != t->addr.family ||
		    bind(fd, (struct sockaddr *)&from, len) != 0)
			goto fail;
	}
	*doing = "it cannot be reached";
	if (connect(fd, (struct sockaddr *)&to, to_len) != 0 && !passing(errno))
		goto fail;
	return fd;
fail:;
	int error = errno;
	close(fd);
	errno = error;
	return -1;
}

static void
start(struct asking *k, struct ask_target *t)
{
	const char *doing;

	t->answer = (struct answer){.kind = ANSWER_NONE};
	notifyout_init(
	    &t->o, k->c->kind, k->c->serial, (struct zr_mono){0}, (struct zr_mono){0}, 0);
	t->o.state = NOTIFYOUT_SENT;
	t->edns = true;
	t->began_us = clock_now().mono.us;
	if (!build(t, k->c)) {
		finish(k, t);
		return;
	}
	t->fd = open_socket(t, k->c, &doing);
	if (t->fd < 0) {
		unreachable(k, t, doing, errno);
	} else if (k->c->tcp) {
		t->tries = 1;
		set_due(t, k->c);
	} else {
		send_udp(k, t);
	}
}

static void
due(struct asking *k, struct ask_target *t)
{
	if (k->c->tcp || t->tries >= k->c->tries)
		finish(k, t);
	else
		send_udp(k, t);
}

/* ---- what comes back ---- */

/* What is wrong with the signature of an answer, instead of the answer. */
static void
unproved(struct answer *a, enum tsig_result r, const struct tsig_rr *rr)
{
	const char *rcode = rcode_text(a->rcode);

	*a = (struct answer){.kind = ANSWER_UNPROVED};
	if (r == TSIG_REJECTED || r == TSIG_REJECTED_UNSIGNED)
		snprintf(a->text, sizeof(a->text), "it does not accept our signature: %s%s",
		    tsig_error_text(rr->error),
		    rr->error == TSIG_ERROR_BADTIME ? "; are both clocks right?"
						    : "; is the key the same there?");
	else if (r == TSIG_NONE)
		snprintf(a->text, sizeof(a->text),
		    "it answers %s, but without a signature: has it got the key?", rcode);
	else
		snprintf(a->text, sizeof(a->text), "the signature of the answer is not good: %s",
		    tsig_result_names[r]);
}

/*
 * Whether the answer ends the waiting.  One without a good signature may be somebody else's: it is
 * kept in case nothing better comes (RFC 8945 section 5.3).
 */
static bool
is_final(struct ask_target *t, const struct ask_conf *c, struct answer *a, const uint8_t *data,
    size_t len)
{
	struct tsig_rr rr = {0};
	enum tsig_result r;
	struct zr_err e;
	struct msg m;

	if (c->key == NULL || !a->has_rcode)
		return true;
	if (msg_parse(&m, data, len, MSG_FULL, &e) != 0)
		r = TSIG_FORMERR;
	else
		r = tsig_verify_answer(&t->txn, &rr, &m, seconds());
	if (r != TSIG_OK)
		unproved(a, r, &rr);
	return r == TSIG_OK || r == TSIG_REJECTED || r == TSIG_REJECTED_UNSIGNED || c->tcp;
}

static bool
may_be_edns(const struct ask_target *t)
{
	return t->edns && t->answer.has_rcode && !t->answer.opt &&
	       (t->answer.rcode == RCODE_FORMERR || t->answer.rcode == RCODE_NOTIMP);
}

static void
take(struct asking *k, struct ask_target *t, const uint8_t *data, size_t len)
{
	struct answer a;

	if (!answer_read(&a, &t->o, k->c->zone, data, len))
		return;
	bool final = is_final(t, k->c, &a, data, len);
	t->answer = a;
	if (!final)
		return;
	if (!may_be_edns(t)) {
		finish(k, t);
		return;
	}
	/* If nothing comes to the second one, the first answer stands. */
	t->edns = false;
	if (!build(t, k->c)) {
		finish(k, t);
		return;
	}
	t->sent = 0;
	if (!k->c->tcp)
		send_udp(k, t);
}

static void
recv_udp(struct asking *k, struct ask_target *t)
{
	uint8_t data[4096];

	while (!t->over) {
		ssize_t n = recv(t->fd, data, sizeof(data), 0);
		if (n < 0) {
			if (!passing(errno))
				unreachable(k, t, "it cannot be reached", errno);
			return;
		}
		take(k, t, data, (size_t)n);
	}
}

/* One message is read; of a zone that is sent the rest is not wanted. */
static void
recv_tcp(struct asking *k, struct ask_target *t)
{
	uint8_t data[4096];
	size_t want = t->in.len < 2 ? 2 : 2 + (size_t)get_u16(t->in.data);
	ssize_t n;

	if (want > t->in.len + sizeof(data))
		want = t->in.len + sizeof(data);
	n = recv(t->fd, data, want - t->in.len, 0);
	if (n < 0) {
		if (!passing(errno))
			unreachable(k, t, "reading", errno);
		return;
	}
	if (n == 0) {
		t->answer.kind = t->answer.has_rcode ? t->answer.kind : ANSWER_ODD;
		snprintf(t->answer.text, sizeof(t->answer.text), "%s",
		    "it closed the connection without an answer");
		finish(k, t);
		return;
	}
	buf_bytes(&t->in, data, (size_t)n);
	if (t->in.len < 2 || t->in.len < 2 + (size_t)get_u16(t->in.data))
		return;
	take(k, t, t->in.data + 2, t->in.len - 2);
	if (!t->over)
		buf_reset(&t->in);
}

static void
event(struct asking *k, struct ask_target *t, short what)
{
	socklen_t len = sizeof(int);
	int error = 0;

	if (!k->c->tcp) {
		recv_udp(k, t);
		return;
	}
	if (!t->connected) {
		if (getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error != 0) {
			unreachable(k, t, "it cannot be reached", error);
			return;
		}
		t->connected = true;
	}
	if ((what & POLLOUT) != 0 && t->sent < t->message.len)
		send_tcp(k, t);
	if (!t->over && (what & (POLLIN | POLLHUP | POLLERR)) != 0)
		recv_tcp(k, t);
}

/* The sockets of those still asked; the time of the first that is due. */
static size_t
fill(const struct asking *k, struct pollfd *p, size_t *of, int64_t *first)
{
	size_t n = 0;

	*first = INT64_MAX;
	for (size_t i = 0; i < k->n; i++) {
		const struct ask_target *t = &k->v[i];
		if (t->over)
			continue;
		if (t->due_us < *first)
			*first = t->due_us;
		p[n].fd = t->fd;
		p[n].revents = 0;
		p[n].events = POLLIN;
		if (k->c->tcp && t->sent < t->message.len)
			p[n].events = POLLIN | POLLOUT;
		of[n++] = i;
	}
	return n;
}

void
ask_all(struct ask_target *v, size_t n, const struct ask_conf *c,
    void (*done)(void *arg, const struct ask_target *t), void *arg)
{
	struct asking k = {.c = c, .v = v, .n = n, .done = done, .arg = arg};
	struct pollfd *p = zr_xcalloc(n, sizeof(*p));
	size_t *of = zr_xcalloc(n, sizeof(*of)), left;
	int64_t first;

	assert(c->tries >= 1 && c->tries <= ASK_TRIES_MAX);
	for (size_t i = 0; i < n; i++)
		start(&k, &v[i]);
	while ((left = fill(&k, p, of, &first)) > 0) {
		int64_t ms = (first - clock_now().mono.us + ZR_US_PER_MS - 1) / ZR_US_PER_MS;
		int ready = poll(p, left, ms < 0 ? 0 : ms > 60000 ? 60000 : (int)ms);

		for (size_t i = 0; i < left && ready > 0; i++)
			if (p[i].revents != 0)
				event(&k, &v[of[i]], p[i].revents);
		for (size_t i = 0; i < left; i++)
			if (!v[of[i]].over && v[of[i]].due_us <= clock_now().mono.us)
				due(&k, &v[of[i]]);
	}
	free(p);
	free(of);
}
