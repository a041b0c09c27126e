/* SPDX-License-Identifier: BSD-2-Clause */
#include "lobby.h"

#include "base/mem.h"
#include "wire/query.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct lobby lobby;

int
lobby_setup(void **state)
{
	(void)state;
	gen_init(&lobby.gen, 44);
	lobby.gen.owners = 5000;
	lobby.gen.nsec3 = 10;
	lobby.gen.rdata = 200;
	lobby.clients = lobby.streams = 0;
	desk_open(&lobby.d, 0);
	server_open(&lobby.srv);
	return 0;
}

int
lobby_teardown(void **state)
{
	(void)state;
	server_close(&lobby.srv);
	desk_close(&lobby.d);
	model_clear(&lobby.old);
	return 0;
}

/* ---- the zone ---- */

void
lobby_version(uint32_t serial, size_t records, unsigned changes)
{
	struct model m;
	struct load l;
	struct stream s;

	if (lobby.d.b.stored) {
		model_clear(&lobby.old);
		model_copy(&lobby.old, &lobby.d.b.now);
		model_copy(&m, &lobby.d.b.now);
		bed_change(&lobby.gen, &m, changes, changes);
		bed_set_serial(&lobby.gen, &m, serial);
	} else {
		bed_make(&lobby.gen, &m, serial, records);
	}
	stream_make(&s, &lobby.gen, &m, STREAM_SORTED);
	load_init(&l, &lobby.d.b, XFRIN_AXFR);
	load_full(&l, &s);
	load_commit(&l, &m, NULL, 0);
	load_clear(&l);
	stream_clear(&s);
}

/* ---- the client's side ---- */

int
visit(bool narrow, int64_t idle_us)
{
	struct accept_mail *m = mail_new(MAIL_ACCEPT, sizeof(*m));
	struct sockaddr_storage ss;
	int small = 8192;
	socklen_t len = addr_to_sockaddr(&lobby.srv.addr, &ss);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	if (narrow)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	assert_int_equal(connect(fd, (struct sockaddr *)&ss, len), 0);
	m->fd = server_accept(&lobby.srv);
	if (narrow)
		setsockopt(m->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	assert_int_equal(fcntl(m->fd, F_SETFL, O_NONBLOCK), 0);
	m->client = ++lobby.clients;
	m->local = lobby.srv.addr;
	m->peer = (struct zr_addr){.family = 4, .port = 4242, .ip = {127, 0, 0, 1}};
	m->idle_us = idle_us;
	worker_post(lobby.d.w, &m->mail);
	return fd;
}

void
visit_ask(int fd, uint16_t id, uint16_t qtype)
{
	struct query_edns o = {.enabled = true, .expire = true, .keepalive = true};
	struct buf b = BUF_INIT;

	if (qtype == TYPE_AXFR)
		query_axfr(&b, id, lobby.d.b.now.apex, &o);
	else if (qtype == TYPE_IXFR)
		query_ixfr(&b, id, lobby.d.b.now.apex, lobby.old.v[0], &o);
	else
		query_soa(&b, id, lobby.d.b.now.apex, &o);
	tcp_write(fd, b.data, b.len);
	buf_clear(&b);
}

void
visit_reset(int fd)
{
	struct linger reset = {.l_onoff = 1};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(fd);
}

static int
on_full(void *arg, const struct rr *soa, struct zr_err *e)
{
	(void)soa;
	(void)e;
	model_clear(&((struct reading *)arg)->m);
	return 0;
}

static int
on_put(void *arg, const struct rr *rr, struct zr_err *e)
{
	(void)e;
	assert_false(model_put(&((struct reading *)arg)->m, rr));
	return 0;
}

static int
on_del(void *arg, const struct rr *rr, struct zr_err *e)
{
	(void)e;
	assert_true(model_del(&((struct reading *)arg)->m, rr));
	return 0;
}

static int
on_diff(void *arg, const struct rr *soa, struct zr_err *e)
{
	(void)arg;
	(void)soa;
	(void)e;
	return 0;
}

static const struct xfrin_ops reading_ops = {
    .full = on_full,
    .record = on_put,
    .diff = on_diff,
    .step_old = on_del,
    .del = on_del,
    .step_new = on_put,
    .add = on_put,
};

void
reading_start(struct reading *r, uint16_t id, enum xfrin_kind kind)
{
	struct xfrin_query q = {.kind = kind, .id = id, .zone = lobby.d.b.now.apex};

	memset(r, 0, sizeof(*r));
	if (kind == XFRIN_IXFR) {
		q.have_serial = true;
		q.serial = bed_model_serial(&lobby.old);
		model_copy(&r->m, &lobby.old);
	} else {
		model_init(&r->m, BED_ZONE);
	}
	r->x = xfrin_new(&q, &reading_ops, r);
	r->step = XFRIN_MORE;
}

void
reading_feed(struct reading *r, size_t len)
{
	struct msg m;
	struct zr_err e = {0};

	assert_int_equal(r->step, XFRIN_MORE);
	if (msg_parse(&m, lobby.bytes, len, MSG_FULL, &e) != 0)
		fail_msg("%s", e.text);
	assert_true((m.flags & FLAG_AA) != 0);
	assert_true(m.edns.present);
	r->step = xfrin_feed(r->x, &m, &e);
	r->messages++;
	if (r->step != XFRIN_MORE && r->step != XFRIN_DONE)
		fail_msg("step %d: %s", (int)r->step, e.text);
}

void
reading_all(struct reading *r, int fd)
{
	while (r->step == XFRIN_MORE)
		reading_feed(r, tcp_read(fd, lobby.bytes));
}

void
reading_end(struct reading *r, bool diff)
{
	assert_int_equal(r->step, XFRIN_DONE);
	assert_int_equal(xfrin_is_diff(r->x), diff);
	assert_true(xfrin_stats(r->x)->expire_valid);
	assert_int_equal(xfrin_stats(r->x)->expire, 777);
	assert_true(xfrin_stats(r->x)->keepalive_valid);
	assert_int_equal(xfrin_stats(r->x)->keepalive, 50);
	assert_true(model_equal(&r->m, &lobby.d.b.now));
	xfrin_free(r->x);
	model_clear(&r->m);
}

/* ---- main's side ---- */

struct bytes_mail *
lobby_request(uint64_t client, uint16_t id)
{
	struct bytes_mail *m = desk_take(&lobby.d, MAIL_REQUEST);

	assert_int_equal(m->client, client);
	assert_int_equal(m->worker, 3);
	assert_int_equal(m->peer.port, 4242);
	assert_true(addr_equal(&m->local, &lobby.srv.addr));
	assert_int_equal(get_u16(m->bytes), id);
	return m;
}

void
lobby_reply(const struct bytes_mail *req, size_t len, bool finish)
{
	struct bytes_mail *m = mail_new(MAIL_REPLY, sizeof(*m) + req->len);

	m->client = req->client;
	m->len = len;
	m->close = finish;
	memcpy(m->bytes, req->bytes, len);
	worker_post(lobby.d.w, &m->mail);
}

uint64_t
lobby_stream(const struct bytes_mail *req, enum stream_kind kind, int64_t stored)
{
	struct stream_mail *m = mail_new(MAIL_STREAM, sizeof(*m) + req->len);
	const struct rr *soa = lobby.d.b.now.v[0];

	m->client = req->client;
	m->stream = ++lobby.streams;
	m->kind = kind;
	m->zone_id = lobby.d.b.zone;
	m->epoch = 7;
	m->version = stored;
	m->from_serial = lobby.old.n > 0 ? bed_model_serial(&lobby.old) : 0;
	m->soa_ttl = soa->ttl;
	m->soa = zr_xmemdup(soa->rdata, soa->rdlen);
	m->soa_len = soa->rdlen;
	memcpy(m->zone, lobby.d.b.now.apex, name_len(lobby.d.b.now.apex));
	m->keepalive = 50;
	m->expire = true;
	m->expire_s = 777;
	m->len = req->len;
	memcpy(m->bytes, req->bytes, req->len);
	worker_post(lobby.d.w, &m->mail);
	return lobby.streams;
}

void
lobby_stream_done(uint64_t stream, enum zr_code code, bool diff, const struct reading *r)
{
	struct stream_done_mail *m = desk_take(&lobby.d, MAIL_STREAM_DONE);

	assert_int_equal(m->stream, stream);
	if (m->err.code != code)
		fail_msg("%s instead of %s: %s", zr_code_name(m->err.code), zr_code_name(code),
		    m->err.text);
	assert_int_equal(m->diff, diff);
	assert_int_equal(m->zone_id, lobby.d.b.zone);
	assert_int_equal(m->epoch, 7);
	lobby.journal = m->journal.code;
	if (r != NULL) {
		assert_int_equal(m->messages, r->messages);
		assert_true(m->records > 0 && m->octets > 0);
	}
	mail_free(&m->mail);
}

void
lobby_gone(uint64_t client)
{
	struct accept_mail *m = desk_take(&lobby.d, MAIL_CLIENT_GONE);

	assert_int_equal(m->client, client);
	mail_free(&m->mail);
	assert_null(desk_try(&lobby.d, MAIL_CLIENT_GONE, 20));
}
