/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How NOTIFYs out leave: sockets, and DNS cookies (C-01..C-04).  Those need EDNS, which a few
 * servers of old drop or do not understand: so the third try of a burst goes without, and so does
 * the next one after an answer that speaks of the message and not of its content.
 */
#include "app/owed_p.h"
#include "base/rand.h"
#include "wire/query.h"

#define COOKIE_TRIES 2

/* ---- sockets ---- */

/* Its socket is gone, or another's turn. */
void
owed_forget_query(struct owed *o)
{
	struct agent *a = o->agent;

	o->query = NULL;
	if (o->asking_link == NULL)
		return;
	*o->asking_link = o->asking;
	if (o->asking != NULL)
		o->asking->asking_link = o->asking_link;
	else
		a->asking_end = o->asking_link;
	o->asking = NULL;
	o->asking_link = NULL;
}

static void
stop_query(struct owed *o)
{
	udpq_cancel(o->query);
	owed_forget_query(o);
}

void
owed_stop(struct owed *o)
{
	stop_query(o);
	if (o->job != 0)
		job_forget(o->agent, o->job);
	o->job = 0;
}

/* The socket of a burst stays open for late answers until the burst has ended. */
static int64_t
burst_us(const struct owed *o)
{
	return o->policy.cap_us * (int64_t)(o->policy.repeats + 2);
}

/*
 * When all sockets wait, the oldest gives its own up: those who live answer in milliseconds, and a
 * dead downstream of many zones must not keep the others from hearing of theirs.
 */
static void
send_udp(struct owed *o, const struct buf *b, const struct zr_addr *source)
{
	struct agent *a = o->agent;
	struct zr_err e;

	if (o->query != NULL) {
		udpq_resend(o->query, b->data, b->len, burst_us(o));
		return;
	}
	if (udpq_full(a->notifyq) && a->asking != NULL)
		stop_query(a->asking);
	o->query = udpq_send(
	    a->notifyq, &o->target, source, b->data, b->len, burst_us(o), owed_on_udp, o, &e);
	if (o->query == NULL)
		return;
	o->asking_link = a->asking_end;
	*a->asking_end = o;
	a->asking_end = &o->asking;
}

/* ---- cookies ---- */

/* What goes into the next NOTIFY: NULL, or *edns. */
static const struct query_edns *
cookie_edns(struct owed *o, bool tcp, struct query_edns *edns)
{
	if (tcp || o->o.burst > COOKIE_TRIES)
		o->cookie.len = 0;
	else if (o->o.burst <= 1 || o->cookie_again)
		cookie_ask(o->agent, &o->target, &o->source, &o->cookie);
	if (o->cookie.len == 0)
		return NULL;
	*edns = (struct query_edns){
	    .enabled = true, .cookie = o->cookie.data, .cookie_len = o->cookie.len};
	return edns;
}

/* It has not read the question, for the OPT record behind it. */
static bool
knows_no_edns(const struct owed *o, const struct msg *m)
{
	return o->cookie.len != 0 && !m->edns.present &&
	       (m->rcode == RCODE_FORMERR || m->rcode == RCODE_NOTIMP);
}

enum owed_cookie
owed_cookie_answer(struct owed *o, const struct msg *m)
{
	if (knows_no_edns(o, m)) {
		cookie_without(o->agent, &o->target);
		o->cookie.len = 0;
		return OWED_COOKIE_AGAIN;
	}
	switch (cookie_answer(o->agent, &o->target, &o->cookie, m)) {
	case COOKIEJAR_MISSING:
		if (o->sign != NULL)
			return OWED_COOKIE_FINE; /* its signature proves more */
		/* Cookies have been turned off there, or it is forged: it is asked once more. */
		cookie_without(o->agent, &o->target);
		o->cookie.len = 0;
		return OWED_COOKIE_WAIT;
	case COOKIEJAR_FORGED:
		return OWED_COOKIE_WAIT;
	case COOKIEJAR_AGAIN:
		if (o->cookie_again)
			return OWED_COOKIE_TCP;
		o->cookie_again = true;
		return OWED_COOKIE_AGAIN;
	default:
		return OWED_COOKIE_FINE;
	}
}

/* ---- the message ---- */

bool
owed_transmit(struct owed *o, bool tcp)
{
	struct agent *a = o->agent;
	struct entry *en = o->entry;
	struct buf b = BUF_INIT;
	struct rr soa = entry_soa(en);
	struct query_edns edns;
	const struct zr_addr *source = o->source.family == 0 ? NULL : &o->source;

	if (o->secure && o->tls == NULL)
		return false; /* its zone is being removed */
	query_notify(&b, o->o.id, en->name, o->o.kind == NOTIFYOUT_AXFR ? TYPE_AXFR : TYPE_SOA,
	    o->hint && en->soa != NULL ? &soa : NULL, cookie_edns(o, tcp, &edns));
	if (o->tls != NULL)
		query_pad(&b, PAD_QUERY, owed_sign_size(o));
	if (owed_sign_query(o, &b) != 0) {
		buf_clear(&b);
		return false; /* the timer tries again */
	}
	if (tcp)
		o->job = job_query(a, &o->target, source, o->tls, b.data, b.len,
		    o->policy.tcp_timeout_us, owed_on_tcp, o);
	else
		send_udp(o, &b, source);
	buf_clear(&b);
	return true;
}
