/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connections that others opened to us.  Requests go to main as they are; what comes back is bytes,
 * or leave to stream a version.  Several streams of one connection take turns, message by message
 * (XO-02, XO-03), and only so much is queued as the client takes.
 */
#include <stdlib.h>
#include <string.h>

#include "app/sign.h"
#include "app/worker_p.h"
#include "base/clock.h"
#include "base/mem.h"
#include "core/xfrstream.h"
#include "wire/query.h"

/* Queued for one client before its streams wait; less when there are many clients. */
#define OUT_HIGH (256 * 1024)
#define OUT_LEAST (48 * 1024)
#define OUT_LOW (32 * 1024)
#define OUT_ALL (8 * 1024 * 1024)
/* A message must come in whole within this. */
#define MESSAGE_US (10 * ZR_US_PER_S)
/* How often a client to whom something is being sent is looked at. */
#define TICK_US ZR_US_PER_S
/* Requests of one connection with main at once; then nothing more is read from it. */
#define ASKED_MAX 64

struct outstream {
	struct outstream *next;
	struct client *client;
	struct stream_mail *m; /* owned */
	struct msg req;
	struct rr soa;
	struct xfrstream x;
	bool diff;
	int64_t *ids; /* FULL: segments */
	uint32_t *rrs;
	size_t n, cap, pos;
	bool no_memory;
	struct journal_pos journal;
	struct zr_err journal_fault;
	struct buf piece;
	struct zr_now started;
};

struct client {
	struct worker *w;
	uint64_t id;
	struct conn *conn;
	struct zr_addr peer, local;
	unsigned asked;		   /* requests not answered yet */
	struct outstream *streams; /* first one is next to send */
	struct event *tick;	   /* pending while something is queued or streamed */
	uint64_t min_rate;
	int64_t min_rate_us;
	int64_t window_us; /* of the rate: since when, and from where on */
	uint64_t window_octets;
};

/* ---- streams ---- */

static void
stream_end(struct outstream *s, const struct zr_err *why)
{
	struct worker *w = s->client->w;
	struct stream_done_mail *d = mail_new(MAIL_STREAM_DONE, sizeof(*d));
	struct outstream **p = &s->client->streams;

	while (*p != s)
		p = &(*p)->next;
	*p = s->next;
	d->client = s->client->id;
	d->stream = s->m->stream;
	d->zone_id = s->m->zone_id;
	d->epoch = s->m->epoch;
	d->diff = s->diff;
	if (why != NULL)
		d->err = *why;
	d->journal = s->journal_fault;
	d->duration_us = clock_now().mono.us - s->started.mono.us;
	d->octets = s->x.octets;
	d->records = s->x.records;
	d->messages = s->x.messages;
	worker_report(w, &d->mail);
	if (--w->streams == 0)
		segcache_forget(w->segments);
	buf_clear(&s->piece);
	free(s->ids);
	free(s->rrs);
	mail_free(&s->m->mail);
	free(s);
}

static int
grow(struct outstream *s)
{
	size_t cap = s->cap == 0 ? 16 : s->cap * 2;
	int64_t *ids = zr_try_realloc(s->ids, cap * sizeof(*ids));
	uint32_t *rrs;

	if (ids == NULL)
		return -1;
	s->ids = ids;
	rrs = zr_try_realloc(s->rrs, cap * sizeof(*rrs));
	if (rrs == NULL)
		return -1;
	s->rrs = rrs;
	s->cap = cap;
	return 0;
}

static int
collect(void *arg, const struct segment_row *row)
{
	struct outstream *s = arg;

	if (s->n == s->cap && grow(s) != 0) {
		s->no_memory = true;
		return -1;
	}
	s->ids[s->n] = row->id;
	s->rrs[s->n++] = row->rrs;
	return 0;
}

static int
pull_segment(void *arg, struct xfrstream_piece *p, struct zr_err *e)
{
	struct outstream *s = arg;
	struct worker *w = s->client->w;
	const uint8_t *data;
	size_t len;

	if (s->pos == s->n)
		return 0;
	if (segcache_get(w->segments, s->ids + s->pos, s->n - s->pos, w->streams, &data, &len, e) !=
	    0)
		return -1;
	*p = (struct xfrstream_piece){
	    .data = data,
	    .len = len,
	    .rrs = s->rrs[s->pos],
	    .more = s->pos + 1 < s->n,
	};
	s->pos++;
	return 1;
}

static int
pull_chunk(void *arg, struct xfrstream_piece *p, struct zr_err *e)
{
	struct outstream *s = arg;
	uint32_t rrs;
	int rc;

	buf_reset(&s->piece);
	rc = reader_journal_chunk(
	    s->client->w->reader, s->m->zone_id, s->m->version, &s->journal, &s->piece, &rrs, e);
	if (rc > 0)
		*p = (struct xfrstream_piece){
		    .data = s->piece.data, .len = s->piece.len, .rrs = rrs};
	else if (rc < 0)
		s->journal_fault = *e;
	return rc;
}

/* True when the journal has differences that are worth it, else it is the whole zone (I-19). */
static bool
find_diff(struct outstream *s)
{
	const struct stream_mail *m = s->m;
	uint64_t octets;

	return m->kind == STREAM_DIFF &&
	       reader_journal_find(s->client->w->reader, m->zone_id, m->from_serial, m->version,
		   &s->journal, &octets, &s->journal_fault) == 1;
}

static int
list_segments(struct outstream *s, struct zr_err *e)
{
	const struct stream_mail *m = s->m;
	int rc = reader_segments(s->client->w->reader, m->zone_id, m->version, collect, s, e);

	if (rc == 0 && s->no_memory) /* to the reader an early end is no error */
		rc = zr_fail(e, ZR_NOMEM, "no memory for the list of segments");
	return rc;
}

static int
stream_begin(struct outstream *s, bool diff, struct zr_err *e)
{
	const struct stream_mail *m = s->m;
	struct xfrstream_spec spec = {
	    .req = &s->req,
	    .soa = &s->soa,
	    .keepalive = m->keepalive,
	    .cookie = m->has_cookie ? m->cookie : NULL,
	    .expire = m->expire,
	    .expire_s = m->expire_s,
	    .reserve = m->key != NULL ? tsig_size(&m->key->key) : 0,
	    .arg = s,
	};

	s->diff = diff;
	if (!diff && list_segments(s, e) != 0)
		return -1;
	s->soa = (struct rr){
	    .owner = m->zone,
	    .owner_len = (uint8_t)name_len(m->zone),
	    .type = TYPE_SOA,
	    .class = CLASS_IN,
	    .ttl = m->soa_ttl,
	    .rdata = m->soa,
	    .rdlen = m->soa_len,
	};
	spec.kind = diff ? XFRSTREAM_DIFF : XFRSTREAM_FULL;
	spec.pull = diff ? pull_chunk : pull_segment;
	xfrstream_init(&s->x, &spec);
	return 0;
}

static int
stream_open(struct outstream *s, struct zr_err *e)
{
	if (msg_parse(&s->req, s->m->bytes, s->m->len, MSG_FULL, e) != 0)
		return -1;
	return stream_begin(s, find_diff(s), e);
}

/* TS-16: each message. */
static int
sign(struct outstream *s, struct buf *b, struct zr_err *e)
{
	if (s->m->key == NULL)
		return 0;
	return tsig_sign_answer(&s->m->txn, b, sign_time(clock_now().wall), e);
}

/* Only who asks for it under TLS gets it (PD-03). */
static void
pad(const struct outstream *s, struct buf *b)
{
	if (conn_is_tls(s->client->conn) && s->req.edns.has_padding)
		query_pad(b, PAD_RESPONSE, s->m->key != NULL ? tsig_size(&s->m->key->key) : 0);
}

static void
send_servfail(struct client *c, struct outstream *s)
{
	const struct msg *req = &s->req;
	struct reply r = {.rcode = RCODE_SERVFAIL, .ede = -1, .keepalive = -1};
	struct buf b = BUF_INIT;

	r.cookie = s->m->has_cookie ? s->m->cookie : NULL;
	query_reply(&b, req, &r);
	pad(s, &b);
	if (sign(s, &b, NULL) == 0 && !b.bad)
		conn_send(c->conn, b.data, b.len, NULL, 0);
	buf_clear(&b);
}

/* The stream at the head makes one message and goes to the end of the line.  False: client gone. */
static bool
stream_turn(struct client *c)
{
	struct outstream *s = c->streams, **tail = &c->streams;
	struct zr_err e = {0};
	struct buf b;
	int rc;

	if (conn_begin_message(c->conn, &b))
		rc = xfrstream_next(&s->x, &b, &e);
	else
		rc = zr_fail(&e, ZR_IO, "the connection takes nothing more");

	if (rc < 0 && s->x.messages == 0 && s->diff && s->journal_fault.code != ZR_OK &&
	    stream_begin(s, false, &e) == 0)
		return true;		    /* nothing was sent: it may as well be the whole zone */
	if (rc < 0 && s->x.messages == 0) { /* or it can be said in words */
		send_servfail(c, s);
		stream_end(s, &e);
		conn_unhold(c->conn);
		return true;
	}
	if (rc > 0)
		pad(s, &b);
	if (rc > 0 && sign(s, &b, &e) != 0)
		rc = -1;
	if (rc > 0 && !conn_end_message(c->conn, &b))
		rc = zr_fail(&e, ZR_IO, "the connection takes nothing more");
	if (rc < 0) {
		/* Half a zone must not look like a whole one: reset. */
		stream_end(s, &e);
		client_close(c);
		return false;
	}
	if (rc == 0) {
		stream_end(s, NULL);
		conn_unhold(c->conn);
		return true;
	}
	c->streams = s->next;
	while (*tail != NULL)
		tail = &(*tail)->next;
	s->next = NULL;
	*tail = s;
	return true;
}

static size_t
out_high(const struct worker *w)
{
	size_t share = OUT_ALL / (table_count(w->clients) + 1);

	return share > OUT_HIGH ? OUT_HIGH : share < OUT_LEAST ? OUT_LEAST : share;
}

/* False: the client is gone. */
static bool
pump(struct client *c)
{
	bool there = true;

	while (there && c->streams != NULL && conn_pending(c->conn) < out_high(c->w))
		there = stream_turn(c);
	return there;
}

/* ---- slow ones ---- */

static bool
too_slow(struct client *c, int64_t now)
{
	uint64_t octets = conn_stats(c->conn)->octets_out;
	bool slow;

	if (conn_pending(c->conn) > 0 && now - c->window_us < c->min_rate_us)
		return false;
	slow = conn_pending(c->conn) > 0 && octets - c->window_octets < c->min_rate;
	c->window_us = now;
	c->window_octets = octets;
	return slow;
}

static const struct outstream *
too_long(const struct client *c, int64_t now)
{
	const struct outstream *s = c->streams;

	while (s != NULL &&
	       (s->m->total_timeout_us == 0 || now - s->started.mono.us <= s->m->total_timeout_us))
		s = s->next;
	return s;
}

static void
watch(struct client *c)
{
	static const struct timeval tick = {.tv_sec = TICK_US / ZR_US_PER_S};

	if (event_pending(c->tick, EV_TIMEOUT, NULL) ||
	    (c->streams == NULL && conn_pending(c->conn) == 0))
		return;
	c->window_us = clock_now().mono.us;
	c->window_octets = conn_stats(c->conn)->octets_out;
	event_add(c->tick, &tick);
}

static void client_free(struct client *c, const struct zr_err *why);

/* Half a zone must not look like a whole one: all of the connection ends. */
static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval tick = {.tv_sec = TICK_US / ZR_US_PER_S};
	struct client *c = arg;
	int64_t now = clock_now().mono.us;
	const struct outstream *late = too_long(c, now);
	struct zr_err e = {0};

	(void)fd;
	(void)what;
	if (late != NULL)
		zr_fail(&e, ZR_TIMEOUT, "not finished after %lld s",
		    (long long)(late->m->total_timeout_us / ZR_US_PER_S));
	else if (too_slow(c, now))
		zr_fail(&e, ZR_TIMEOUT, "the peer takes less than %llu octets in %lld s",
		    (unsigned long long)c->min_rate, (long long)(c->min_rate_us / ZR_US_PER_S));
	if (e.code != ZR_OK) {
		conn_close(c->conn);
		c->conn = NULL;
		client_free(c, &e);
	} else if (c->streams != NULL || conn_pending(c->conn) > 0) {
		event_add(c->tick, &tick);
	}
}

void
client_stream(struct worker *w, struct stream_mail *m)
{
	struct client *c = table_get(w->clients, &m->client, sizeof(m->client));
	struct client nobody = {.w = w, .id = m->client};
	struct outstream *s = zr_xcalloc(1, sizeof(*s));
	struct zr_err e = {0};

	s->client = c != NULL ? c : &nobody;
	s->m = m;
	s->started = clock_now();
	s->next = s->client->streams;
	s->client->streams = s;
	w->streams++;
	if (c == NULL) {
		zr_fail(&e, ZR_CLOSED, "the client has left");
		stream_end(s, &e);
		return;
	}
	c->asked--;
	if (stream_open(s, &e) != 0) {
		send_servfail(c, s);
		stream_end(s, &e);
		conn_resume(c->conn);
		conn_unhold(c->conn);
		return;
	}
	conn_resume(c->conn);
	if (pump(c))
		watch(c);
}

/* ---- the connection ---- */

static void
client_free(struct client *c, const struct zr_err *why)
{
	struct worker *w = c->w;
	struct accept_mail *gone = mail_new(MAIL_CLIENT_GONE, sizeof(*gone));

	while (c->streams != NULL)
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): its end unlinks it */
		stream_end(c->streams, why);
	gone->fd = -1;
	gone->client = c->id;
	gone->peer = c->peer;
	worker_report(w, &gone->mail);
	table_del(w->clients, &c->id, sizeof(c->id));
	event_free(c->tick);
	free(c);
	worker_maybe_stop(w);
}

static void
on_message(void *arg, struct conn *conn, const uint8_t *msg, size_t len)
{
	struct client *c = arg;
	struct bytes_mail *m = mail_new(MAIL_REQUEST, sizeof(*m) + len);

	m->worker = c->w->conf.index;
	m->client = c->id;
	m->peer = c->peer;
	m->local = c->local;
	m->tls = conn_is_tls(conn);
	m->tls_peer = tls_peer_hold(conn_tls_peer(conn));
	m->len = len;
	memcpy(m->bytes, msg, len);
	conn_hold(conn);
	if (++c->asked >= ASKED_MAX)
		conn_pause(conn);
	worker_report(c->w, &m->mail);
}

static void
on_drained(void *arg, struct conn *conn)
{
	(void)conn;
	pump(arg);
}

static void
on_closed(void *arg, struct conn *conn, const struct zr_err *why)
{
	(void)conn;
	client_free(arg, why);
}

static const struct conn_ops ops = {
    .message = on_message,
    .drained = on_drained,
    .closed = on_closed,
};

void
client_start(struct worker *w, struct accept_mail *m)
{
	struct client *c = zr_xcalloc(1, sizeof(*c));
	struct conn_spec spec = {
	    .base = w->base,
	    .ops = &ops,
	    .arg = c,
	    .idle_us = m->idle_us,
	    .message_us = MESSAGE_US,
	    .stall_us = m->stall_us,
	    .low_mark = OUT_LOW,
	    .high_mark = 2 * OUT_HIGH,
	    .tls = m->tls,
	};

	c->w = w;
	c->id = m->client;
	c->peer = m->peer;
	c->local = m->local;
	c->min_rate = m->min_rate;
	c->min_rate_us = m->min_rate_us;
	c->tick = event_new(w->base, -1, 0, on_tick, c);
	table_put(w->clients, &c->id, sizeof(c->id), c);
	c->conn = conn_open_fd(&spec, m->fd, &m->peer, &m->local);
	m->fd = -1;
	mail_free(&m->mail);
	if (c->conn == NULL || w->stopping)
		client_close(c);
}

void
client_reply(struct worker *w, struct bytes_mail *m)
{
	struct client *c = table_get(w->clients, &m->client, sizeof(m->client));

	if (c != NULL) {
		c->asked--;
		if (m->len > 0)
			conn_send(c->conn, m->bytes, m->len, NULL, 0);
		watch(c);
		conn_resume(c->conn);
		conn_unhold(c->conn);
		if (m->close)
			conn_finish(c->conn);
	}
	mail_free(&m->mail);
}

void
client_close(struct client *c)
{
	struct zr_err e;

	zr_fail(&e, ZR_CLOSED, "we closed the connection");
	conn_close(c->conn);
	c->conn = NULL;
	client_free(c, &e);
}
