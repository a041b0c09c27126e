/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One conversation with a primary (or downstream) over TCP.
 *
 *   CONNECT -> ASK -> (messages) -> LOAD (load_step until done) -> SETTLE -> report
 *                \-> IXFR did not work -> CLEAN (staged things thrown away) -> ASK with AXFR
 *                \-> failed -----------> CLEAN -> report
 *
 * SETTLE and CLEAN wait until the store has answered everything.  Exactly one
 * MAIL_JOB_DONE leaves for each job.
 */
#include <stdlib.h>
#include <string.h>

#include "app/job_p.h"
#include "base/mem.h"
#include "base/rand.h"
#include "wire/query.h"

/* How often a job looks at its clock and reports progress. */
#define TICK_US INT64_C(1000000)
/* Messages with an ID we did not ask for, before the connection is given up. */
#define STRAY_MAX 64

static void proceed(struct job *j);

/* proceed() in the next turn of the loop.  event_active() would keep the loop from its sockets. */
static void
kick(struct job *j)
{
	static const struct timeval now = {0, 0};

	event_add(j->kick, &now);
}

/* ---- the report ---- */

static void
drop_conn(struct job *j, bool keep)
{
	if (j->pc != NULL)
		pconn_put(j->pc, keep);
	j->pc = NULL;
}

static void
drop_answer(struct job *j)
{
	xfrin_free(j->x);
	j->x = NULL;
	tsig_stream_clear(&j->tsig);
}

static void
drop_load(struct job *j)
{
	fullload_free(j->full);
	diffload_free(j->diff);
	j->full = NULL;
	j->diff = NULL;
}

static void
report(struct job *j)
{
	struct worker *w = j->w;
	struct job_done_mail *d = mail_new(MAIL_JOB_DONE, sizeof(*d));

	job_fill_result(j, d);
	worker_report(w, &d->mail);

	drop_conn(j, false);
	drop_load(j);
	drop_answer(j);
	stager_clear(&j->stager);
	table_del(w->jobs, &j->m->job, sizeof(j->m->job));
	event_free(j->tick);
	event_free(j->kick);
	tls_peer_drop(j->peer);
	mail_free(&j->m->mail);
	free(j);
	worker_maybe_stop(w);
}

/* ---- ends ---- */

/* Nothing of this version may stay; then `next`. */
static void
clean(struct job *j, enum job_phase next)
{
	drop_load(j);
	if (next == JOB_ASK)
		drop_answer(j); /* else the report tells how far it came, and which serial */
	stager_abort(&j->stager);
	j->phase = JOB_CLEAN;
	j->next = next;
	if (stager_quiet(&j->stager))
		proceed(j);
}

static void
fail(struct job *j, const struct zr_err *why)
{
	j->outcome = JOB_FAILED;
	j->err = *why;
	drop_conn(j, false);
	clean(j, JOB_REPORT);
}

static void
end(struct job *j, enum job_outcome outcome, bool keep)
{
	j->outcome = outcome;
	drop_conn(j, keep);
	j->phase = JOB_REPORT;
	kick(j);
}

static void
loaded(struct job *j)
{
	const struct job_mail *m = j->m;

	j->result = j->diff != NULL ? *diffload_result(j->diff) : *fullload_result(j->full);
	if (j->stager.err.code != ZR_OK) {
		fail(j, &j->stager.err);
		return;
	}
	j->outcome = JOB_READY;
	if (m->stored && m->have && xfrin_soa(j->x) != NULL && !j->result.repaired &&
	    memcmp(m->digest, j->result.sum.digest, SEGMENT_DIGEST) == 0)
		j->outcome = JOB_IDENTICAL;
	j->phase = JOB_REPORT;
	report(j);
}

/* IXFR did not work: the same zone by AXFR, on this connection if it stands (I-12, XO-32). */
static void
fall_back(struct job *j, const struct zr_err *why)
{
	j->ixfr_failed = true;
	j->ixfr_code = why->code;
	memcpy(j->ixfr_text, why->text, sizeof(j->ixfr_text));
	j->kind = XFRIN_AXFR;
	clean(j, JOB_ASK);
}

/* ---- loading ---- */

static void
load(struct job *j)
{
	struct zr_err e = {0};
	enum load_state st;

	if (stager_full(&j->stager))
		return; /* the store's answer wakes us */
	st = j->diff != NULL ? diffload_step(j->diff, &e) : fullload_step(j->full, &e);
	switch (st) {
	case LOAD_MORE:
		kick(j);
		return;
	case LOAD_WAIT:
		j->phase = JOB_LOAD_WAIT;
		if (stager_quiet(&j->stager))
			proceed(j);
		return;
	case LOAD_DONE:
		j->phase = JOB_SETTLE;
		if (stager_quiet(&j->stager))
			proceed(j);
		return;
	case LOAD_FAIL:
		break;
	}
	if (j->diff != NULL && (e.code == ZR_DIFF || e.code == ZR_LIMIT || e.code == ZR_DAMAGED))
		fall_back(j, &e);
	else
		fail(j, &e);
}

static void ask(struct job *j);

static void
proceed(struct job *j)
{
	/* A kick may be left from the phase before; only loading goes on while the store works. */
	if (j->phase != JOB_LOAD && j->phase != JOB_ASK && !stager_quiet(&j->stager))
		return;
	switch (j->phase) {
	case JOB_LOAD_WAIT:
		j->phase = JOB_LOAD;
		load(j);
		return;
	case JOB_LOAD:
		load(j);
		return;
	case JOB_SETTLE:
		loaded(j);
		return;
	case JOB_CLEAN:
		if (j->stager.posted) { /* the store could not throw it away */
			j->outcome = JOB_FAILED;
			j->err = j->stager.err;
			j->next = JOB_REPORT;
		}
		/* What the store said about things thrown away no longer matters. */
		j->stager.err.code = ZR_OK;
		j->phase = j->next;
		if (j->phase == JOB_ASK)
			ask(j);
		else
			kick(j);
		return;
	case JOB_REPORT:
		report(j);
		return;
	case JOB_ASK:
		return;
	}
}

static void
on_kick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	proceed(arg);
}

/* Content still goes to the store: when it refuses a piece, the rest need not come. */
static bool
loading(const struct job *j)
{
	return j->phase == JOB_ASK || j->phase == JOB_LOAD || j->phase == JOB_LOAD_WAIT;
}

void
job_store_done(struct store_order *o)
{
	struct job *j = o->owner;

	stager_returned(&j->stager, o);
	if (j->stager.err.code != ZR_OK && loading(j)) {
		fail(j, &j->stager.err);
		return;
	}
	if (j->phase == JOB_ASK) {
		if (!stager_full(&j->stager) && j->pc != NULL)
			conn_resume(pconn_conn(j->pc));
		return;
	}
	if (j->phase == JOB_LOAD ? !stager_full(&j->stager) : stager_quiet(&j->stager))
		proceed(j);
}

/* ---- messages ---- */

static bool
edns_unknown(uint16_t rcode)
{
	return rcode == RCODE_FORMERR || rcode == RCODE_NOTIMP || rcode == RCODE_BADVERS;
}

/* KA-03: a server that closes as soon as we would is not asked again on this connection. */
static bool
may_keep(const struct job *j)
{
	const struct xfrin_stats *st = xfrin_stats(j->x);

	return xfrin_clean(j->x) &&
	       !(st->keepalive_valid && st->keepalive * 100 * ZR_US_PER_MS <= PCONN_KEEP_US);
}

static void
act(struct job *j, enum xfrin_step step, const struct zr_err *e)
{
	switch (step) {
	case XFRIN_MORE:
		if (stager_full(&j->stager) && j->pc != NULL)
			conn_pause(pconn_conn(j->pc));
		return;
	case XFRIN_DONE:
		drop_conn(j, may_keep(j));
		j->phase = JOB_LOAD;
		load(j);
		return;
	case XFRIN_CURRENT:
		end(j, JOB_CURRENT, may_keep(j));
		return;
	case XFRIN_TRY_TCP: /* not on TCP */
	case XFRIN_TRY_AXFR:
		if (!may_keep(j))
			drop_conn(j, false);
		fall_back(j, e);
		return;
	case XFRIN_FAIL:
		break;
	}
	/* A server that chokes on EDNS gets the same question without. */
	if (edns_unknown(xfrin_stats(j->x)->rcode) && j->m->edns && !j->plain) {
		j->plain = true;
		if (!may_keep(j))
			drop_conn(j, false);
		clean(j, JOB_ASK);
		return;
	}
	fail(j, e);
}

static void
take_transfer(struct job *j, const uint8_t *p, size_t len)
{
	struct zr_err e = {0};
	enum xfrin_step step;
	struct msg m;

	if (msg_parse(&m, p, len, MSG_FULL, &e) != 0) {
		act(j, xfrin_broken(j->x, &e), &e);
		return;
	}
	if (job_verify(j, &m, &e) != 0) { /* TS-19 */
		fail(j, &e);
		return;
	}
	step = xfrin_feed(j->x, &m, &e);
	if ((step == XFRIN_DONE || step == XFRIN_CURRENT) && job_verify_end(j, &e) != 0) {
		fail(j, &e);
		return;
	}
	act(j, step, &e);
}

static void
on_message(void *arg, const uint8_t *p, size_t len)
{
	struct job *j = arg;

	if (j->phase != JOB_ASK)
		return;
	if (!j->waiting || len < MSG_HEADER || get_u16(p) != j->qid ||
	    (get_u16(p + 2) & FLAG_QR) == 0) {
		if (++j->strays > STRAY_MAX) {
			struct zr_err e;

			zr_fail(&e, ZR_FORMERR, "%u messages that answer no question of ours",
			    j->strays);
			fail(j, &e);
		}
		return; /* */
	}
	j->last_us = clock_now().mono.us;
	j->heard = true;
	if (j->m->kind == JOB_TRANSFER) {
		take_transfer(j, p, len);
		return;
	}
	j->answer = zr_xmemdup(p, len);
	j->answer_len = len;
	end(j, JOB_ANSWER, true);
}

static void
on_closed(void *arg, const struct zr_err *why)
{
	struct job *j = arg;
	struct zr_err e = *why;
	bool reused = j->reused;

	j->pc = NULL;
	if (j->phase != JOB_ASK)
		return;
	/* It died while nobody used it, or the answer before was the last one there (TC-09). */
	if (reused && !j->heard) {
		j->fresh = true;
		clean(j, JOB_ASK);
		return;
	}
	if (j->x == NULL) {
		fail(j, &e);
		return;
	}
	j->fresh = true;
	if ((why->code == ZR_CLOSED ? xfrin_eof(j->x, &e) : xfrin_broken(j->x, &e)) ==
	    XFRIN_TRY_AXFR)
		fall_back(j, &e);
	else
		fail(j, &e);
}

/* ---- asking ---- */

static void
make_query(struct job *j, struct buf *b)
{
	const struct job_mail *m = j->m;
	struct query_edns o = {.enabled = m->edns && !j->plain, .expire = true, .keepalive = true};
	struct rr soa = {
	    .owner = m->zone,
	    .owner_len = (uint8_t)name_len(m->zone),
	    .type = TYPE_SOA,
	    .class = CLASS_IN,
	    .ttl = m->soa_ttl,
	    .rdata = m->soa,
	    .rdlen = m->soa_len,
	};

	if (m->kind == JOB_QUERY) {
		buf_bytes(b, m->query, m->query_len);
		buf_put_u16(b, 0, j->qid);
	} else if (j->kind == XFRIN_IXFR) {
		query_ixfr(b, j->qid, m->zone, &soa, &o);
	} else {
		query_axfr(b, j->qid, m->zone, &o);
	}
}

static void
on_ready(void *arg)
{
	struct job *j = arg;
	const struct job_mail *m = j->m;
	struct buf b = BUF_INIT;
	bool sent;

	j->connected = true;
	tls_peer_drop(j->peer);
	j->peer = tls_peer_hold(conn_tls_peer(pconn_conn(j->pc)));
	j->resumed = conn_tls_resumed(pconn_conn(j->pc));
	j->reused = pconn_reused(j->pc) || j->asked;
	j->asked = true;
	j->waiting = true;
	j->heard = false;
	conn_resume(pconn_conn(j->pc));
	j->last_us = clock_now().mono.us;
	j->qid = rand_id();
	if (m->kind == JOB_TRANSFER) {
		struct xfrin_query q = {
		    .kind = j->kind,
		    .id = j->qid,
		    .zone = m->zone,
		    .have_serial = m->have,
		    .serial = m->serial,
		    .forced = m->forced,
		    .limits = m->limits,
		};

		j->x = xfrin_new(&q, &job_xfrin_ops, j);
	}
	make_query(j, &b);
	job_pad(j, &b);
	sent = job_sign(j, &b, NULL) == 0 && !b.bad &&
	       conn_send(pconn_conn(j->pc), b.data, b.len, NULL, 0);
	buf_clear(&b);
	if (!sent) {
		struct zr_err e;

		zr_fail(&e, ZR_IO, "the query could not be sent");
		fail(j, &e);
	}
}

static const struct pconn_user user = {
    .ready = on_ready,
    .message = on_message,
    .closed = on_closed,
};

static void
ask(struct job *j)
{
	const struct job_mail *m = j->m;
	struct zr_err e;

	j->phase = JOB_ASK;
	j->last_us = clock_now().mono.us;
	j->waiting = false; /* what comes before the query has left answers nothing */
	j->heard = false;
	if (j->pc != NULL) {
		on_ready(j);
		return;
	}
	j->asked = false;
	j->pc = pconn_get(j->w, &m->dest, &m->source, m->tls, m->connect_timeout_us, m->fd_max,
	    j->fresh, &user, j, &e);
	if (j->pc == NULL)
		fail(j, &e);
	else
		j->reused = pconn_reused(j->pc); /* it may die before it is ready */
}

/* ---- clock ---- */

static void
progress(struct job *j)
{
	struct job_progress_mail *p;
	const struct xfrin_stats *st;

	if (j->x == NULL || j->m->kind != JOB_TRANSFER)
		return;
	st = xfrin_stats(j->x);
	p = mail_new(MAIL_JOB_PROGRESS, sizeof(*p));
	p->job = j->m->job;
	p->zone_id = j->m->zone_id;
	p->epoch = j->m->epoch;
	p->octets = st->octets;
	p->records = st->records;
	worker_report(j->w, &p->mail);
}

static bool
too_slow(struct job *j, int64_t now)
{
	uint64_t octets = j->x == NULL ? 0 : xfrin_stats(j->x)->octets;
	bool slow;

	if (now - j->window_us < j->m->min_rate_us)
		return false;
	slow = octets - j->window_octets < j->m->min_rate;
	j->window_us = now;
	j->window_octets = octets;
	return slow;
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct job *j = arg;
	int64_t now = clock_now().mono.us;
	struct zr_err e = {0};

	(void)fd;
	(void)what;
	progress(j);
	if (j->phase != JOB_ASK)
		return;
	if (stager_full(&j->stager)) /* it is the store that lets the primary wait */
		j->last_us = j->window_us = now;
	if (now - j->started.mono.us > j->m->total_timeout_us)
		zr_fail(&e, ZR_TIMEOUT, "not finished after %lld s",
		    (long long)(j->m->total_timeout_us / ZR_US_PER_S));
	else if (j->connected && now - j->last_us > j->m->idle_timeout_us)
		zr_fail(&e, ZR_TIMEOUT, "no message for %lld s",
		    (long long)(j->m->idle_timeout_us / ZR_US_PER_S));
	else if (j->m->kind == JOB_TRANSFER && too_slow(j, now))
		zr_fail(&e, ZR_TIMEOUT, "slower than %llu octets in %lld s",
		    (unsigned long long)j->m->min_rate,
		    (long long)(j->m->min_rate_us / ZR_US_PER_S));
	if (e.code == ZR_OK)
		return;
	if (j->x != NULL && xfrin_broken(j->x, &e) == XFRIN_TRY_AXFR) {
		drop_conn(j, false);
		j->fresh = true;
		fall_back(j, &e);
		return;
	}
	fail(j, &e);
}

/* ---- life ---- */

void
job_start(struct worker *w, struct job_mail *m)
{
	struct job *j = zr_xcalloc(1, sizeof(*j));
	struct timeval tick = {.tv_sec = TICK_US / ZR_US_PER_S};

	j->w = w;
	j->m = m;
	j->kind = m->xfr;
	j->started = clock_now();
	j->window_us = j->started.mono.us;
	j->tick = event_new(w->base, -1, EV_PERSIST, on_tick, j);
	j->kick = event_new(w->base, -1, 0, on_kick, j);
	event_add(j->tick, &tick);
	stager_init(&j->stager, w->conf.store, w->in, j, m->zone_id, m->version + 1);
	j->env = (struct load_env){m, &j->stager, w->reader, w->spill_dir, FULLLOAD_SMALL};
	table_put(w->jobs, &m->job, sizeof(m->job), j);
	if (w->stopping)
		job_cancel(j);
	else
		ask(j);
}

void
job_cancel(struct job *j)
{
	struct zr_err e;

	if (j->phase == JOB_REPORT || (j->phase == JOB_CLEAN && j->next == JOB_REPORT))
		return;
	zr_fail(&e, ZR_CLOSED, "cancelled");
	fail(j, &e);
}
