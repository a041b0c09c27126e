/* SPDX-License-Identifier: BSD-2-Clause */
/* What main asks of workers: transfers in, and single messages over TCP. */
#include <stdlib.h>
#include <string.h>

#include "app/agent_p.h"
#include "base/mem.h"
#include "base/serial.h"
#include "wire/name.h"

const struct zr_addr *
source_for(const struct zr_addr *dest, const struct zr_addr *s4, const struct zr_addr *s6)
{
	const struct zr_addr *s = dest->family == 4 ? s4 : s6;

	return s->family == 0 ? NULL : s;
}

static void
post_job(struct agent *a, unsigned worker, struct job_mail *m,
    void (*done)(struct agent *, void *, struct job_done_mail **), void *arg)
{
	struct job_rec *r = zr_xcalloc(1, sizeof(*r));

	r->id = m->job;
	r->worker = worker;
	r->done = done;
	r->arg = arg;
	table_put(a->jobs, &r->id, sizeof(r->id), r);
	worker_post(a->workers[worker], &m->mail);
}

/* Under TLS all that goes to one server goes by one worker: only there can it share connections. */
static unsigned
worker_for(const struct agent *a, const struct job_mail *m, uint64_t number)
{
	if (m->tls != NULL)
		number = table_hash(&m->dest, sizeof(m->dest));
	return (unsigned)(number % a->worker_count);
}

static void
send_cancel(struct agent *a, const struct job_rec *r)
{
	struct job_ref_mail *m;

	if (r->worker >= a->worker_count)
		return; /* at the end: the workers have gone */
	m = mail_new(MAIL_JOB_CANCEL, sizeof(*m));
	m->job = r->id;
	worker_post(a->workers[r->worker], &m->mail);
}

void
job_forget(struct agent *a, uint64_t job)
{
	struct job_rec *r = table_get(a->jobs, &job, sizeof(job));

	if (r == NULL)
		return;
	r->arg = NULL;
	send_cancel(a, r);
}

/* What a forgotten job had staged is thrown away: its worker reported READY before it was told. */
static void
discard(struct agent *a, const struct job_done_mail *m)
{
	struct store_order *o;

	if (m->outcome != JOB_READY)
		return;
	o = store_order_new(STORE_ABORT, m->zone_id);
	o->stage.version = m->version;
	agent_store(a, o, false);
}

void
job_done(struct agent *a, struct job_done_mail *m)
{
	struct job_rec *r = table_del(a->jobs, &m->job, sizeof(m->job));

	if (r != NULL && r->arg != NULL)
		r->done(a, r->arg, &m);
	else
		discard(a, m);
	free(r);
	if (m != NULL)
		mail_free(&m->mail);
}

uint64_t
job_query(struct agent *a, const struct zr_addr *dest, const struct zr_addr *source,
    struct tls_ctx *tls, const uint8_t *msg, size_t len, int64_t timeout_us,
    void (*done)(struct agent *, void *, struct job_done_mail **), void *arg)
{
	struct job_mail *m = mail_new(MAIL_JOB, sizeof(*m));
	int64_t connect = a->cfg->server.connect_timeout_us;
	uint64_t job = agent_number(a);

	m->kind = JOB_QUERY;
	m->job = job;
	m->dest = *dest;
	if (source != NULL)
		m->source = *source;
	m->tls = tls_hold(tls);
	m->query = zr_xmemdup(msg, len);
	m->query_len = len;
	m->connect_timeout_us = connect;
	m->fd_max = a->fds.own;
	m->idle_timeout_us = timeout_us;
	m->total_timeout_us = timeout_us + connect;
	post_job(a, worker_for(a, m, job), m, done, arg);
	return job; /* m is the worker's now, and may be gone */
}

/* ---- transfers ---- */

static void
primary_learns(struct agent *a, struct primary *p, unsigned address, const struct job_done_mail *d)
{
	if (d->outcome != JOB_FAILED) {
		primary_ok(p, address, a->now.mono);
		if (d->used_diff)
			primary_ixfr_ok(p);
	}
	if (d->plain && d->outcome != JOB_FAILED)
		primary_edns_failed(p, address, a->now.mono);
	if (d->ixfr_failed && d->ixfr_code != ZR_DAMAGED) /* that is our own fault */
		primary_ixfr_failed(
		    p, d->ixfr_code == ZR_NOTIMP || d->ixfr_code == ZR_FORMERR, a->now.mono);
	if (d->outcome == JOB_FAILED && (!d->connected || d->err.code == ZR_TIMEOUT))
		primary_failed(p, address, d->err.code, a->now.mono);
}

static void
log_transfer_failed(
    struct entry *en, const struct job_done_mail *d, const char *peer, const struct zr_addr *addr)
{
	struct store_order *o = store_order_new(STORE_LOG_TRANSFER, en->z.id);
	struct store_log *l = &o->log;

	l->at = d->started;
	l->duration_us = d->duration_us;
	snprintf(l->kind, sizeof(l->kind), "%s", store_kind(d->used_diff, d->tls));
	snprintf(l->peer, sizeof(l->peer), "%s", peer);
	addr_text(addr, l->address);
	l->has_from = en->has_rows;
	l->from_serial = en->z.serial;
	l->to_serial = d->serial;
	l->octets = d->wire_octets;
	l->records = d->wire_records;
	l->messages = d->wire_messages;
	l->code = d->err.code;
	snprintf(l->text, sizeof(l->text), "%s", d->err.text);
	agent_store(en->agent, o, false);
}

static void
log_done(
    struct entry *en, const struct job_done_mail *d, const char *peer, const struct zr_addr *addr)
{
	char name[NAME_TEXT_MAX], at[ADDR_TEXT_MAX];

	if (d->ixfr_failed)
		log_event(LOG_LVL_INFO, "ixfr-failed", LS("zone", name_show(en->name, name)),
		    LS("primary", peer), LS("address", addr_text(addr, at)),
		    LS("reason", d->ixfr_text), LS("next", "AXFR"));
	if (d->outcome == JOB_FAILED) {
		log_event(LOG_LVL_WARN, "transfer-failed", LS("zone", name_show(en->name, name)),
		    LS("primary", peer), LS("address", addr_text(addr, at)),
		    LS("transport", d->tls ? "tls" : "tcp"), LS("code", zr_code_name(d->err.code)),
		    LS("reason", d->err.text), LU("octets", d->wire_octets),
		    LU("records", d->wire_records));
		log_transfer_failed(en, d, peer, addr);
		return;
	}
	log_event(LOG_LVL_INFO, "transfer-done", LS("zone", name_show(en->name, name)),
	    LS("primary", peer), LS("address", addr_text(addr, at)),
	    LS("kind", d->outcome == JOB_CURRENT ? "current"
		       : d->used_diff		 ? "IXFR"
						 : "AXFR"),
	    LS("transport", d->tls ? "tls" : "tcp"), LS("session", d->resumed ? "resumed" : NULL),
	    LU("serial", d->serial), LU("octets", d->wire_octets), LU("records", d->wire_records),
	    LU("messages", d->wire_messages), LI("duration_us", d->duration_us));
}

static void
fill_ready(struct zone_ready *r, const struct job_done_mail *d)
{
	r->serial = d->serial;
	r->diff = d->used_diff;
	r->identical = d->outcome == JOB_IDENTICAL;
	r->expire_valid = d->expire_valid;
	r->expire = d->expire;
	r->times = (struct zone_soa_times){
	    d->soa_fields.refresh, d->soa_fields.retry, d->soa_fields.expire};
	r->duration_us = d->duration_us;
}

static void
finished(struct entry *en, struct job_done_mail **dp)
{
	struct job_done_mail *d = *dp;
	struct zone_arg arg = {.attempt = en->job_attempt};

	switch (d->outcome) {
	case JOB_READY:
	case JOB_IDENTICAL:
		fill_ready(&arg.ready, d);
		en->ready = d;
		*dp = NULL;
		en->agent->stats.transfers++;
		route_event(en, ZONE_EV_XFER_READY, &arg, NULL);
		return;
	case JOB_CURRENT:
		arg.soa = (struct zone_soa){
		    .serial = d->serial, .expire_valid = d->expire_valid, .expire = d->expire};
		route_event(en, ZONE_EV_XFER_CURRENT, &arg, NULL);
		return;
	default:
		arg.fail = (struct zone_fail){
		    .code = d->err.code, .serial_valid = d->serial_valid, .serial = d->serial};
		en->agent->stats.transfers_failed++;
		route_event(en, ZONE_EV_XFER_FAIL, &arg, NULL);
		return;
	}
}

static void start(struct entry *en);

static void
on_transfer(struct agent *a, void *arg, struct job_done_mail **dp)
{
	struct entry *en = arg;
	struct job_done_mail *d = *dp;
	const struct zr_addr *addr;
	struct primary *p;
	const char *peer;
	char text[ZR_ERR_TEXT + ADDR_TEXT_MAX + 80], at[ADDR_TEXT_MAX];

	en->job = 0;
	if (en->job_cancelled) {
		discard(a, d);
		en->job_cancelled = false;
		if (en->fetch_waits) {
			en->fetch_waits = false;
			start(en);
		}
		return;
	}
	/* Not cancelled: the policy is still the one the order was made with. */
	p = en->z.policy->primaries[en->fetch.primary];
	addr = &p->address[en->fetch.address].addr;
	peer = ((const struct config_primary *)p->app)->name;
	if (a->stopping && d->outcome == JOB_FAILED) {
		/* We broke it off: neither the primary nor the zone has failed, and the row says
		 * what is owed. */
		log_done(en, d, peer, addr);
		return;
	}
	primary_learns(a, p, en->fetch.address, d);
	certs_seen(a->certs, "primary", peer, d->peer, a->now.wall);
	if (d->outcome == JOB_FAILED) {
		snprintf(text, sizeof(text), "transfer from %s %s: %s", peer, addr_text(addr, at),
		    d->err.text);
		entry_error(en, text);
	} else if (en->has_rows && serial_gt(en->z.serial, d->serial)) {
		entry_behind(en, peer, addr_text(addr, at), d->serial);
	}
	log_done(en, d, peer, addr);
	finished(en, dp);
}

static void
fill_copy(struct job_mail *m, const struct entry *en)
{
	m->stored = en->has_rows;
	m->version = en->version;
	if (!en->has_rows)
		return;
	m->serial = en->z.serial;
	m->soa_ttl = en->soa_ttl;
	m->soa = zr_xmemdup(en->soa, en->soa_len);
	m->soa_len = en->soa_len;
	memcpy(m->digest, en->digest, sizeof(m->digest));
	m->segments = en->segments;
	m->records = en->records;
	m->octets = en->octets;
}

static void
start(struct entry *en)
{
	struct agent *a = en->agent;
	const struct config_policy *cp = entry_config(en);
	const struct zone_fetch *f = &en->fetch;
	struct primary *p = en->z.policy->primaries[f->primary];
	const struct config_primary *pc = p->app;
	const struct zr_addr *source;
	struct job_mail *m;

	m = mail_new(MAIL_JOB, sizeof(*m));
	m->kind = JOB_TRANSFER;
	m->job = agent_number(a);
	m->zone_id = en->z.id;
	m->epoch = en->epoch;
	memcpy(m->zone, en->name, name_len(en->name));
	m->dest = p->address[f->address].addr;
	source = source_for(&m->dest, &pc->source4, &pc->source6);
	if (source != NULL)
		m->source = *source;
	m->tls = tls_hold(certs_primary(a->certs, pc));
	m->key = pc->key != NULL ? keyref_hold(pc->key->ref) : NULL;
	m->edns = primary_use_edns(p, f->address, a->now.mono);
	m->connect_timeout_us = a->cfg->server.connect_timeout_us;
	m->fd_max = a->fds.own;
	m->idle_timeout_us = a->cfg->server.transfer_idle_us;
	m->min_rate = a->cfg->server.min_rate;
	m->min_rate_us = a->cfg->server.min_rate_us;
	m->total_timeout_us = cp->max_transfer_us;
	m->have = f->have_serial && en->has_rows;
	m->xfr = f->ixfr && m->have && primary_use_ixfr(p, a->now.mono) ? XFRIN_IXFR : XFRIN_AXFR;
	m->forced = f->forced;
	m->readd = !pc->ixfr_strict;
	m->limits = (struct xfrin_limits){
	    .max_octets = cp->max_size,
	    .max_records = cp->max_records,
	    .max_messages = cp->max_messages,
	    .max_steps = cp->max_steps,
	};
	m->journal_steps = cp->journal_steps;
	fill_copy(m, en);
	en->job = m->job;
	en->job_attempt = en->fetch_attempt;
	en->job_started = a->now.wall;
	en->progress_octets = en->progress_records = 0;
	post_job(a, worker_for(a, m, (uint64_t)en->z.id), m, on_transfer, en);
}

void
fetch_start(struct entry *en, const struct zone_order *o)
{
	en->fetch = o->fetch;
	en->fetch_attempt = o->attempt;
	if (en->job != 0) /* a cancelled one has not let go yet */
		en->fetch_waits = true;
	else
		start(en);
}

void
fetch_cancel(struct entry *en)
{
	struct job_rec *r;

	en->fetch_waits = false;
	if (en->job == 0 || en->job_cancelled)
		return;
	en->job_cancelled = true;
	r = table_get(en->agent->jobs, &en->job, sizeof(en->job));
	if (r != NULL)
		send_cancel(en->agent, r);
}

void
fetch_progress(struct agent *a, const struct job_progress_mail *m)
{
	struct entry *en = entry_by_id(a, m->zone_id);

	if (en == NULL || en->job != m->job)
		return;
	en->progress_octets = m->octets;
	en->progress_records = m->records;
}
