/* SPDX-License-Identifier: BSD-2-Clause */
#include "peer.h"

#include "base/mem.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 10000

/* ---- main ---- */

void
desk_open(struct desk *d, unsigned slow_ms)
{
	struct worker_conf conf = {.index = 3};
	struct zr_err e = {0};

	memset(d, 0, sizeof(*d));
	bed_open(&d->b, slow_ms);
	d->main = mbox_new();
	d->tail = &d->rest;
	conf.store = d->b.fx.s;
	conf.main = d->main;
	conf.database = d->b.fx.path;
	d->w = worker_start(&conf, &e);
	if (d->w == NULL)
		fail_msg("%s", e.text);
}

static void
sort_in(struct desk *d, struct mail *m)
{
	struct mail *next;
	struct job_done_mail *done;

	for (; m != NULL; m = next) {
		next = m->next;
		m->next = NULL;
		if (m->type == MAIL_JOB_PROGRESS) {
			d->progress++;
			mail_free(m);
			continue;
		}
		if (m->type == MAIL_JOB_DONE) {
			done = (struct job_done_mail *)(void *)m;
			assert_in_range(done->job, 1, d->jobs);
			assert_int_equal(done->zone_id, d->b.zone);
			assert_int_equal(done->epoch, 7);
			assert_int_equal(++d->done[done->job], 1);
		}
		*d->tail = m;
		d->tail = &m->next;
	}
}

void *
desk_try(struct desk *d, enum mail_type type, int ms)
{
	struct mail **p, *m;
	int64_t end = clock_now().mono.us + ms * ZR_US_PER_MS, left;

	for (;;) {
		for (p = &d->rest; (m = *p) != NULL; p = &m->next) {
			if (m->type != (int)type)
				continue;
			*p = m->next;
			if (*p == NULL)
				d->tail = p;
			return m;
		}
		left = (end - clock_now().mono.us) / ZR_US_PER_MS;
		m = mbox_wait(d->main, left > 0 ? (int)left : 0);
		if (m == NULL)
			return NULL;
		sort_in(d, m);
	}
}

void *
desk_take(struct desk *d, enum mail_type type)
{
	void *m = desk_try(d, type, PATIENCE_MS);

	if (m == NULL)
		fail_msg("no mail of type %d comes", (int)type);
	return m;
}

void
desk_stop(struct desk *d)
{
	if (d->w == NULL)
		return;
	worker_post(d->w, mail_new(MAIL_STOP, sizeof(struct mail)));
	mail_free(desk_take(d, MAIL_STOPPED));
	worker_free(d->w);
	d->w = NULL;
	sort_in(d, mbox_take(d->main));
	for (uint64_t i = 1; i <= d->jobs; i++)
		assert_int_equal(d->done[i], 1);
}

void
desk_close(struct desk *d)
{
	desk_stop(d);
	if (d->rest != NULL)
		fail_msg("mail of type %d is left", d->rest->type);
	mbox_free(d->main);
	bed_close(&d->b);
}

uint64_t
desk_post(struct desk *d, struct job_mail *m, const struct zr_addr *to)
{
	m->dest = *to;
	m->job = ++d->jobs;
	assert_true(m->job < DESK_JOBS);
	worker_post(d->w, &m->mail);
	return d->jobs;
}

uint64_t
desk_job(struct desk *d, enum xfrin_kind kind, const struct zr_addr *to)
{
	return desk_post(d, bed_job(&d->b, kind), to);
}

void
desk_cancel(struct desk *d, uint64_t job)
{
	struct job_ref_mail *m = mail_new(MAIL_JOB_CANCEL, sizeof(*m));

	m->job = job;
	worker_post(d->w, &m->mail);
}

struct job_done_mail *
desk_done(struct desk *d, uint64_t job, enum job_outcome outcome)
{
	struct job_done_mail *m = desk_take(d, MAIL_JOB_DONE);

	if (m->job != job || m->outcome != outcome)
		fail_msg("job %llu (want %llu): outcome %d instead of %d: %s",
		    (unsigned long long)m->job, (unsigned long long)job, (int)m->outcome,
		    (int)outcome, m->err.text);
	assert_true((m->batch == NULL) || outcome == JOB_READY);
	return m;
}

void
desk_failed(struct desk *d, uint64_t job, enum zr_code code)
{
	struct job_done_mail *m = desk_done(d, job, JOB_FAILED);

	if (m->err.code != code)
		fail_msg("%s instead of %s: %s", zr_code_name(m->err.code), zr_code_name(code),
		    m->err.text);
	assert_true(m->err.text[0] != '\0');
	assert_null(m->batch);
	mail_free(&m->mail);
	bed_check(&d->b);
}

struct job_done_mail *
desk_ready(struct desk *d, uint64_t job, struct model *m)
{
	struct job_done_mail *done = desk_done(d, job, JOB_READY);

	assert_true(done->connected);
	bed_commit_job(&d->b, done, m);
	bed_check(&d->b);
	return done;
}

/* ---- sockets ---- */

void
server_open(struct server *s)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(sin);

	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(s->fd >= 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&sin, len), 0);
	assert_int_equal(listen(s->fd, 16), 0);
	assert_int_equal(getsockname(s->fd, (struct sockaddr *)&sin, &len), 0);
	assert_true(addr_from_sockaddr((struct sockaddr *)&sin, &s->addr));
}

void
server_close(struct server *s)
{
	close(s->fd);
	s->fd = -1;
}

static bool
wait_for(int fd, short what, int ms)
{
	struct pollfd p = {.fd = fd, .events = what};
	int rc;

	do
		rc = poll(&p, 1, ms);
	while (rc < 0 && errno == EINTR);
	return rc > 0;
}

int
server_accept(struct server *s)
{
	int fd;

	if (!wait_for(s->fd, POLLIN, PATIENCE_MS))
		fail_msg("nobody connects");
	fd = accept(s->fd, NULL, NULL);
	assert_true(fd >= 0);
	return fd;
}

bool
server_quiet(struct server *s, int ms)
{
	return !wait_for(s->fd, POLLIN, ms);
}

/* False when the other side has gone: the tests of that look for it elsewhere. */
static bool
write_all(int fd, const uint8_t *p, size_t len)
{
	ssize_t n;

	while (len > 0) {
		if (!wait_for(fd, POLLOUT, PATIENCE_MS))
			fail_msg("the other side takes nothing");
		n = send(fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN)
			return false;
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
	return true;
}

void
tcp_write(int fd, const void *p, size_t len)
{
	uint8_t *b = zr_xmalloc(len + 2);

	put_u16(b, (uint16_t)len);
	memcpy(b + 2, p, len);
	(void)write_all(fd, b, len + 2);
	free(b);
}

static bool
read_all(int fd, uint8_t *p, size_t len)
{
	ssize_t n;

	while (len > 0) {
		if (!wait_for(fd, POLLIN, PATIENCE_MS))
			fail_msg("the other side sends nothing");
		n = recv(fd, p, len, 0);
		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

size_t
tcp_read(int fd, uint8_t *p)
{
	uint8_t two[2];
	size_t len;

	if (!read_all(fd, two, 2))
		return 0;
	len = get_u16(two);
	return read_all(fd, p, len) ? len : 0;
}

bool
tcp_at_end(int fd)
{
	uint8_t rest[4096];

	while (wait_for(fd, POLLIN, PATIENCE_MS))
		if (recv(fd, rest, sizeof(rest), 0) <= 0)
			return true;
	return false;
}

bool
tcp_quiet(int fd, int ms)
{
	return !wait_for(fd, POLLIN, ms);
}

void
ask_read(int fd, struct asked *q, uint16_t qtype)
{
	struct zr_err e = {0};

	q->len = tcp_read(fd, q->bytes);
	if (q->len == 0)
		fail_msg("no query came");
	if (msg_parse(&q->m, q->bytes, q->len, MSG_FULL, &e) != 0)
		fail_msg("%s", e.text);
	assert_int_equal(q->m.flags & FLAG_QR, 0);
	assert_int_equal(q->m.qtype, qtype);
}

/* ---- answers ---- */

static void
head(struct answer *a)
{
	const struct asked *q = a->q;

	buf_reset(&a->b);
	buf_u16(&a->b, a->id);
	buf_u16(&a->b, FLAG_QR | FLAG_AA);
	buf_u16(&a->b, 1);
	buf_u16(&a->b, 0);
	buf_u32(&a->b, 0);
	buf_bytes(&a->b, q->bytes + MSG_HEADER, q->m.answer_at - MSG_HEADER);
	a->an = 0;
}

void
answer_begin(struct answer *a, int fd, const struct asked *q, unsigned per_message)
{
	*a = (struct answer){.fd = fd, .q = q, .per_message = per_message, .id = q->m.id};
	head(a);
}

static void
flush(struct answer *a)
{
	buf_put_u16(&a->b, 6, (uint16_t)a->an);
	tcp_write(a->fd, a->b.data, a->b.len);
	head(a);
}

void
answer_rr(struct answer *a, const struct rr *rr)
{
	if (a->an > 0 &&
	    (a->per_message != 0 ? a->an >= a->per_message : a->b.len + rr->rdlen + 300u > 16384))
		flush(a);
	buf_bytes(&a->b, rr->owner, rr->owner_len);
	buf_u16(&a->b, rr->type);
	buf_u16(&a->b, rr->class);
	buf_u32(&a->b, rr->ttl);
	buf_u16(&a->b, rr->rdlen);
	buf_bytes(&a->b, rr->rdata, rr->rdlen);
	a->an++;
}

void
answer_end(struct answer *a)
{
	flush(a);
	buf_clear(&a->b);
}

void
answer_axfr(int fd, const struct asked *q, const struct model *m, unsigned per_message)
{
	struct answer a;

	answer_begin(&a, fd, q, per_message);
	for (size_t i = 0; i < m->n; i++)
		answer_rr(&a, m->v[i]);
	answer_rr(&a, m->v[0]);
	answer_end(&a);
}

void
answer_part(int fd, const struct asked *q, const struct model *m, size_t from, size_t to)
{
	struct answer a;

	answer_begin(&a, fd, q, 0);
	for (size_t i = from; i < to && i < m->n; i++)
		answer_rr(&a, m->v[i]);
	answer_end(&a);
}

void
answer_shuffled(int fd, const struct asked *q, struct gen *g, const struct model *m)
{
	struct answer a;
	struct rr **v = zr_xmemdup(m->v, m->n * sizeof(*v)), *t;
	size_t k;

	for (size_t i = m->n; i > 2; i--) {
		k = 1 + rng_below(&g->rng, i - 1);
		t = v[i - 1];
		v[i - 1] = v[k];
		v[k] = t;
	}
	answer_begin(&a, fd, q, 0);
	for (size_t i = 0; i < m->n; i++)
		answer_rr(&a, v[i]);
	answer_rr(&a, v[0]);
	answer_end(&a);
	free(v);
}

/* What of x is not in y as it is; the SOA first. */
static void
part(struct answer *a, const struct model *x, const struct model *y)
{
	size_t at;
	bool found;

	answer_rr(a, x->v[0]);
	for (size_t i = 1; i < x->n; i++) {
		at = model_find(y, x->v[i], &found);
		if (!found || !rr_identical(y->v[at], x->v[i]))
			answer_rr(a, x->v[i]);
	}
}

void
answer_ixfr(int fd, const struct asked *q, const struct model *const *v, size_t n)
{
	struct answer a;

	answer_begin(&a, fd, q, 0);
	answer_rr(&a, v[n - 1]->v[0]);
	for (size_t i = 0; i + 1 < n; i++) {
		part(&a, v[i], v[i + 1]);
		part(&a, v[i + 1], v[i]);
	}
	answer_rr(&a, v[n - 1]->v[0]);
	answer_end(&a);
}

void
answer_soa(int fd, const struct asked *q, const struct model *m)
{
	struct answer a;

	answer_begin(&a, fd, q, 0);
	answer_rr(&a, m->v[0]);
	answer_end(&a);
}

void
answer_rcode(int fd, const struct asked *q, unsigned rcode)
{
	uint8_t b[512];
	size_t n = q->m.answer_at;

	assert_true(n <= sizeof(b));
	memcpy(b, q->bytes, n);
	put_u16(b + 2, (uint16_t)(FLAG_QR | rcode));
	put_u16(b + 4, 1);
	memset(b + 6, 0, 6);
	tcp_write(fd, b, n);
}
