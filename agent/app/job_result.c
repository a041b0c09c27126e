/* SPDX-License-Identifier: BSD-2-Clause */
/* What a job takes from the reader's records, and what it tells main at its end. */
#include <string.h>

#include "app/job_p.h"
#include "base/mem.h"

/* ---- records ---- */

static int
on_full(void *arg, const struct rr *soa, struct zr_err *e)
{
	struct job *j = arg;

	j->full = fullload_new(&j->env, soa, e);
	return j->full == NULL ? -1 : 0;
}

static int
on_record(void *arg, const struct rr *rr, struct zr_err *e)
{
	struct job *j = arg;

	return fullload_add(j->full, rr, e);
}

static int
on_diff(void *arg, const struct rr *soa, struct zr_err *e)
{
	struct job *j = arg;

	(void)soa;
	(void)e;
	j->diff = diffload_new(&j->env);
	return 0;
}

static int
on_step_old(void *arg, const struct rr *rr, struct zr_err *e)
{
	return diffload_old(((struct job *)arg)->diff, rr, e);
}

static int
on_del(void *arg, const struct rr *rr, struct zr_err *e)
{
	return diffload_del(((struct job *)arg)->diff, rr, e);
}

static int
on_step_new(void *arg, const struct rr *rr, struct zr_err *e)
{
	return diffload_new_soa(((struct job *)arg)->diff, rr, e);
}

static int
on_add(void *arg, const struct rr *rr, struct zr_err *e)
{
	return diffload_add(((struct job *)arg)->diff, rr, e);
}

const struct xfrin_ops job_xfrin_ops = {
    .full = on_full,
    .record = on_record,
    .diff = on_diff,
    .step_old = on_step_old,
    .del = on_del,
    .step_new = on_step_new,
    .add = on_add,
};

/* ---- the report ---- */

static void
fill_soa(struct job_done_mail *d, const struct rr *soa)
{
	rr_soa(soa, &d->soa_fields);
	d->soa = zr_xmemdup(soa->rdata, soa->rdlen);
	d->soa_len = soa->rdlen;
	d->soa_ttl = soa->ttl;
	d->soa_owner = zr_xmemdup(soa->owner, soa->owner_len);
	d->serial = d->soa_fields.serial;
}

void
job_fill_result(struct job *j, struct job_done_mail *d)
{
	const struct xfrin_stats *st;

	d->job = j->m->job;
	d->zone_id = j->m->zone_id;
	d->epoch = j->m->epoch;
	d->outcome = j->outcome;
	d->err = j->err;
	d->connected = j->connected;
	d->ixfr_failed = j->ixfr_failed;
	d->ixfr_code = j->ixfr_code;
	memcpy(d->ixfr_text, j->ixfr_text, sizeof(d->ixfr_text));
	d->plain = j->plain;
	d->tls = j->m->tls != NULL;
	d->peer = tls_peer_hold(j->peer);
	d->resumed = j->resumed;
	d->started = j->started.wall;
	d->duration_us = clock_now().mono.us - j->started.mono.us;
	d->answer = j->answer;
	d->answer_len = j->answer_len;

	if (j->x == NULL)
		return;
	st = xfrin_stats(j->x);
	d->wire_octets = st->octets;
	d->wire_records = st->records;
	d->wire_messages = st->messages;
	d->expire_valid = st->expire_valid;
	d->expire = st->expire;
	d->serial_valid = xfrin_serial(j->x, &d->serial);
	if (xfrin_soa(j->x) != NULL && d->outcome != JOB_FAILED)
		fill_soa(d, xfrin_soa(j->x));
	if (d->outcome != JOB_READY && d->outcome != JOB_IDENTICAL)
		return;
	d->used_diff = j->diff != NULL;
	memcpy(d->digest, j->result.sum.digest, sizeof(d->digest));
	d->segments = j->result.sum.segments;
	d->records = j->result.sum.records;
	d->octets = j->result.sum.octets;
	d->version = j->m->version + 1;
	d->has_delta = j->result.has_delta;
	if (d->outcome == JOB_READY)
		d->batch = stager_take(&j->stager);
}
