/* SPDX-License-Identifier: BSD-2-Clause */
#include "bed.h"

#include "base/mem.h"
#include "base/serial.h"
#include "store/status.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JOURNAL_MIN_OCTETS (64 * 1024) /* app/commit.c */

/* ---- life ---- */

void
bed_open(struct bed *b, unsigned slow_ms)
{
	struct store_conf conf = {.slow = slow_ms > 0, .slow_ms = slow_ms};
	struct zr_err e = {0};

	memset(b, 0, sizeof(*b));
	model_init(&b->now, BED_ZONE);
	fx_init(&b->fx);
	conf.path = b->fx.path;
	b->fx.reply = mbox_new();
	if (store_open(&b->fx.s, &conf, &e) != 0 || store_start(b->fx.s, &e) != 0 ||
	    reader_open(&b->fx.r, b->fx.path, &e) != 0)
		fail_msg("open: %s", e.text);
	b->zone = fx_zone(&b->fx, "a");
}

static void
forget_past(struct bed *b)
{
	for (size_t i = 0; i < b->pasts; i++)
		model_clear(&b->past[i].m);
	b->pasts = 0;
}

void
bed_close(struct bed *b)
{
	char path[sizeof(b->fx.path)];

	memcpy(path, b->fx.path, sizeof(path));
	fx_close(&b->fx);
	assert_int_equal(fx_check(path), 0);
	fx_clear(&b->fx);
	forget_past(b);
	model_clear(&b->now);
}

/* ---- orders ---- */

struct job_mail *
bed_job(const struct bed *b, enum xfrin_kind kind)
{
	struct job_mail *j = mail_new(MAIL_JOB, sizeof(*j));
	const struct rr *soa = b->now.n > 0 ? b->now.v[0] : NULL;

	j->kind = JOB_TRANSFER;
	j->zone_id = b->zone;
	j->epoch = 7;
	memcpy(j->zone, b->now.apex, name_len(b->now.apex));
	j->edns = true;
	j->connect_timeout_us = j->idle_timeout_us = j->total_timeout_us = 20 * ZR_US_PER_S;
	j->xfr = kind;
	j->have = b->have;
	j->stored = b->stored;
	j->version = b->version;
	j->journal_steps = 100;
	j->limits = (struct xfrin_limits){.max_octets = 1 << 30, .max_records = 50000000};
	if (!b->stored)
		return j;
	j->serial = b->serial;
	j->soa_ttl = soa->ttl;
	j->soa = zr_xmemdup(soa->rdata, soa->rdlen);
	j->soa_len = soa->rdlen;
	memcpy(j->digest, b->sum.digest, sizeof(j->digest));
	j->segments = b->sum.segments;
	j->records = b->sum.records;
	j->octets = b->sum.octets;
	return j;
}

static void
fill(struct bed *b, struct store_commit *c, const struct bed_commit *from)
{
	const struct rr *soa = from->m->v[0];
	struct zr_now now = clock_now();

	c->content = !from->identical;
	c->version = b->version + (from->identical ? 0 : 1);
	c->batch = from->batch;
	c->serial = bed_model_serial(from->m);
	c->soa = zr_xmemdup(soa->rdata, soa->rdlen);
	c->soa_len = soa->rdlen;
	c->soa_ttl = soa->ttl;
	c->soa_owner = zr_xmemdup(soa->owner, soa->owner_len);
	memcpy(c->digest, from->sum.digest, sizeof(c->digest));
	c->segments = from->sum.segments;
	c->records = from->sum.records;
	c->octets = from->sum.octets;
	c->old_serial = b->serial;
	if (!from->identical && b->stored) {
		c->drop_journal = !from->has_delta;
		c->ambiguous = b->have && !serial_gt(c->serial, b->serial);
	}
	c->loaded_at = c->checked_at = now.wall;
	c->refresh_at.us = now.wall.us + ZR_US_PER_S * 3600;
	c->expire_at.us = now.wall.us + ZR_US_PER_S * 7200;
	c->journal_max_steps = 100;
	c->journal_max_octets = c->octets > JOURNAL_MIN_OCTETS ? c->octets : JOURNAL_MIN_OCTETS;
	if (!b->tight)
		c->journal_max_octets = UINT32_MAX;
	snprintf(c->log.kind, sizeof(c->log.kind), "AXFR");
}

static void
remember(struct bed *b, struct past p)
{
	if (b->pasts == PAST_MAX) {
		model_clear(&b->past[0].m);
		memmove(b->past, b->past + 1, (PAST_MAX - 1) * sizeof(b->past[0]));
		b->pasts--;
	}
	p.must = !b->tight && !(b->has_lost && !serial_gt(p.serial, b->lost));
	b->past[b->pasts++] = p;
}

static void
go_on(struct bed *b, const struct bed_commit *c)
{
	uint32_t serial = bed_model_serial(c->m);

	if (!b->stored)
		return;
	if (!c->has_delta) {
		forget_past(b);
		if (!b->has_lost || serial_gt(b->serial, b->lost))
			b->lost = b->serial;
		b->has_lost = true;
		return;
	}
	remember(b, (struct past){.serial = b->serial, .m = b->now});
	memset(&b->now, 0, sizeof(b->now));
	for (size_t i = 0; i < c->step_count; i++) {
		assert_true(serial_gt(serial, c->steps[i].serial));
		remember(b, c->steps[i]);
	}
}

void
bed_commit(struct bed *b, const struct bed_commit *from)
{
	struct store_order *o = store_order_new(STORE_COMMIT, b->zone);

	fill(b, &o->commit, from);
	fx_ok(&b->fx, o);
	b->commits++;
	if (!from->identical) {
		go_on(b, from);
		b->version++;
	}
	b->stored = b->have = true;
	b->serial = bed_model_serial(from->m);
	b->sum = from->sum;
	model_clear(&b->now);
	b->now = *from->m;
	memset(from->m, 0, sizeof(*from->m));
}

void
bed_commit_job(struct bed *b, struct job_done_mail *d, struct model *m)
{
	struct bed_commit c = {
	    .batch = d->batch,
	    .has_delta = d->has_delta,
	    .identical = d->outcome == JOB_IDENTICAL,
	    .m = m,
	    .sum = {.segments = d->segments, .records = d->records, .octets = d->octets},
	};

	if (d->outcome != JOB_READY && d->outcome != JOB_IDENTICAL)
		fail_msg("outcome %d: %s", (int)d->outcome, d->err.text);
	memcpy(c.sum.digest, d->digest, sizeof(c.sum.digest));
	assert_int_equal(d->version, b->version + 1);
	assert_int_equal(d->serial, bed_model_serial(m));
	assert_int_equal(d->soa_fields.serial, d->serial);
	assert_int_equal(d->soa_len, m->v[0]->rdlen);
	assert_memory_equal(d->soa, m->v[0]->rdata, d->soa_len);
	assert_memory_equal(d->soa_owner, m->v[0]->owner, m->v[0]->owner_len);
	assert_int_equal(d->soa_ttl, m->v[0]->ttl);
	d->batch = NULL;
	bed_commit(b, &c);
}

void
bed_sweep(struct bed *b)
{
	struct store_order *o;
	bool more = true;

	while (more) {
		o = store_order_new(STORE_SWEEP, b->zone);
		o->sweep.keep_version = b->version;
		fx_run(&b->fx, o);
		assert_int_equal(o->err.code, ZR_OK);
		more = o->sweep.more;
		store_order_free(o);
	}
}

void
bed_abort(struct bed *b)
{
	struct store_order *o = store_order_new(STORE_ABORT, b->zone);

	o->stage.version = b->version + 1;
	fx_ok(&b->fx, o);
	fx_tidied(&b->fx);
}

/* ---- what must be ---- */

static int
take_row(void *arg, const struct segment_row *row)
{
	struct stored_list *l = arg;
	struct segment s = {
	    .key = row->key, .key_len = row->key_len, .data = row->key, .rrs = row->rrs};

	memcpy(s.digest, row->digest, sizeof(s.digest));
	assert_int_equal(stored_sink(l, &s, NULL), 0);
	l->v[l->n - 1].id = row->id;
	l->v[l->n - 1].len = row->octets;
	return 0;
}

static void
check_sums(const struct bed *b, const struct stored_list *want)
{
	struct version_sum sum = {0};

	for (size_t i = 0; i < want->n; i++)
		version_sum_add(&sum, want->v[i].digest, want->v[i].rrs, want->v[i].len);
	assert_int_equal(sum.segments, b->sum.segments);
	assert_int_equal(sum.records, b->sum.records);
	assert_int_equal(sum.records, b->now.n);
	assert_int_equal(sum.octets, b->sum.octets);
	assert_memory_equal(sum.digest, b->sum.digest, sizeof(sum.digest));
}

static void
check_segments(struct bed *b)
{
	struct stored_list got = {0}, want = {0};
	struct buf data = BUF_INIT;
	struct zr_err e = {0};
	const char *what;

	if (reader_segments(b->fx.r, b->zone, b->version, take_row, &got, &e) != 0)
		fail_msg("%s", e.text);
	for (size_t i = 0; i < got.n; i++) {
		buf_reset(&data);
		if (reader_segment_data(b->fx.r, got.v[i].id, &data, &e) != 0)
			fail_msg("%s", e.text);
		assert_int_equal(data.len, got.v[i].len);
		free(got.v[i].data);
		got.v[i].data = zr_xmemdup(data.data, data.len);
	}
	stored_pack(&want, &b->now);
	what = stored_differ(&got, &want);
	if (what != NULL)
		fail_msg("the %s of version %lld is not what packing gives (%zu of %zu segments)",
		    what, (long long)b->version, got.n, want.n);
	check_sums(b, &want);
	buf_clear(&data);
	stored_clear(&got);
	stored_clear(&want);
}

static void
check_row(struct bed *b)
{
	struct store_zone *z = fx_zone_row(&b->fx, "a");

	assert_non_null(z);
	assert_int_equal(z->version, b->version);
	assert_int_equal(z->has_data, b->stored);
	if (b->stored) {
		assert_int_equal(z->serial, b->serial);
		assert_int_equal(z->segments, b->sum.segments);
		assert_int_equal(z->records, b->sum.records);
		assert_int_equal(z->octets, b->sum.octets);
		assert_memory_equal(z->digest, b->sum.digest, SEGMENT_DIGEST);
		assert_int_equal(z->soa_len, b->now.v[0]->rdlen);
		assert_memory_equal(z->soa, b->now.v[0]->rdata, z->soa_len);
	}
	free(z);
}

/* ---- the journal ---- */

struct replay {
	struct model *m;
	unsigned soas;
	uint32_t serial; /* reached */
};

/* One record of the journal, as a strict receiver takes it. */
static void
replay_rr(struct replay *r, const struct rr *rr)
{
	struct soa soa;

	if (rr->type == TYPE_SOA && name_equal(rr->owner, r->m->apex)) {
		assert_true(rr_soa(rr, &soa));
		if (++r->soas % 2 == 1) {
			assert_int_equal(soa.serial, r->serial);
			assert_true(model_del(r->m, rr));
		} else {
			assert_true(serial_gt(soa.serial, r->serial));
			r->serial = soa.serial;
			assert_false(model_put(r->m, rr));
		}
		return;
	}
	assert_true(r->soas > 0);
	if (r->soas % 2 == 1)
		assert_true(model_del(r->m, rr));
	else
		assert_false(model_put(r->m, rr));
}

static void
replay_chunk(struct replay *r, struct unpacker *u, const struct buf *data, uint32_t rrs)
{
	struct rr rr;
	struct zr_err e = {0};
	int rc;

	unpacker_start(u, data->data, data->len);
	while ((rc = unpacker_next(u, &rr, &e)) > 0) {
		replay_rr(r, &rr);
		assert_true(rrs-- > 0);
	}
	if (rc < 0)
		fail_msg("%s", e.text);
	assert_int_equal(rrs, 0);
}

static void
replay(struct bed *b, const struct past *p, struct journal_pos pos, uint64_t octets)
{
	struct model m;
	struct replay r = {.m = &m, .serial = p->serial};
	struct unpacker *u = unpacker_new(b->now.apex);
	struct buf data = BUF_INIT;
	struct zr_err e = {0};
	uint32_t rrs;
	int rc;

	model_copy(&m, &p->m);
	while (
	    (rc = reader_journal_chunk(b->fx.r, b->zone, b->version, &pos, &data, &rrs, &e)) > 0) {
		replay_chunk(&r, u, &data, rrs);
		octets -= data.len;
		buf_reset(&data);
	}
	if (rc < 0)
		fail_msg("%s", e.text);
	assert_int_equal(octets, 0);
	assert_int_equal(r.soas % 2, 0);
	assert_int_equal(r.serial, b->serial);
	if (!model_equal(&m, &b->now))
		fail_msg("the journal from %u does not lead to version %lld", p->serial,
		    (long long)b->version);
	buf_clear(&data);
	unpacker_free(u);
	model_clear(&m);
}

static int
find(struct bed *b, uint32_t serial, struct journal_pos *pos, uint64_t *octets)
{
	struct zr_err e = {0};
	int rc = reader_journal_find(b->fx.r, b->zone, serial, b->version, pos, octets, &e);

	if (rc < 0)
		fail_msg("%s", e.text);
	return rc;
}

static void
check_journal(struct bed *b)
{
	struct journal_pos pos;
	uint64_t octets;

	for (size_t i = 0; i < b->pasts; i++) {
		if (find(b, b->past[i].serial, &pos, &octets) != 1) {
			if (b->past[i].must)
				fail_msg("the journal does not know serial %u", b->past[i].serial);
			continue;
		}
		/* All of them each time would take most of the time. */
		if (i == 0 || i + 1 == b->pasts || (i + b->commits) % 5 == 0)
			replay(b, &b->past[i], pos, octets);
	}
	if (b->pasts == 0)
		assert_int_equal(fx_sql(&b->fx, "SELECT count(*) FROM journal JOIN zone ON "
						"zone.id = journal.zone WHERE "
						"journal.version BETWEEN journal_from AND "
						"zone.version"),
		    0);
	assert_int_equal(find(b, b->serial + 1000003, &pos, &octets), 0);
}

void
bed_check(struct bed *b)
{
	fx_tidied(&b->fx);
	assert_int_equal(fx_sql(&b->fx, "SELECT count(*) FROM staging"), 0);
	check_row(b);
	if (!b->stored)
		return;
	check_segments(b);
	check_journal(b);
}

int64_t
bed_born(struct bed *b, int64_t version)
{
	char text[80];

	snprintf(text, sizeof(text), "SELECT count(*) FROM segment WHERE born = %lld",
	    (long long)version);
	return fx_sql(&b->fx, text);
}

void
bed_check_folder(struct bed *b)
{
	DIR *d = opendir(b->fx.dir);
	struct dirent *f;

	assert_non_null(d);
	while ((f = readdir(d)) != NULL)
		if (f->d_name[0] != '.' && strncmp(f->d_name, "zr.db", 5) != 0)
			fail_msg("%s is left in the folder", f->d_name);
	closedir(d);
}

unsigned
bed_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	if (d == NULL)
		return 0;
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

/* ---- zones ---- */

uint32_t
bed_model_serial(const struct model *m)
{
	struct soa soa;

	assert_true(m->n > 0 && rr_soa(m->v[0], &soa));
	return soa.serial;
}

void
bed_set_serial(struct gen *g, struct model *m, uint32_t serial)
{
	struct rr soa;

	if (m->n > 0 && m->v[0]->type == TYPE_SOA) {
		struct rr *old = rr_dup(m->v[0]);

		model_del(m, old);
		free(old);
	}
	gen_soa(g, m->apex, serial, &soa);
	model_put(m, &soa);
	assert_int_equal(m->v[0]->type, TYPE_SOA);
}

static void
put_ns(struct model *m)
{
	static const uint8_t target[] = "\002ns\007example";
	struct rr ns = {
	    .owner = m->apex,
	    .owner_len = (uint8_t)name_len(m->apex),
	    .type = TYPE_NS,
	    .class = CLASS_IN,
	    .ttl = 3600,
	    .rdata = target,
	    .rdlen = sizeof(target),
	};

	model_put(m, &ns);
}

static bool
add_one(struct gen *g, struct model *m)
{
	struct rr rr;
	bool found;

	gen_rr(g, m->apex, &rr);
	model_find(m, &rr, &found);
	if (!found && rr.type != TYPE_SOA)
		model_put(m, &rr);
	return !found;
}

void
bed_make(struct gen *g, struct model *m, uint32_t serial, size_t n)
{
	model_init(m, BED_ZONE);
	bed_set_serial(g, m, serial);
	put_ns(m);
	for (size_t tries = 3 * n; m->n < n && tries > 0; tries--)
		add_one(g, m);
}

static bool
is_fixed(const struct rr *rr)
{
	return rr->type == TYPE_SOA || (rr->type == TYPE_NS && rr->ttl == 3600);
}

void
bed_change(struct gen *g, struct model *m, unsigned dels, unsigned adds)
{
	struct rr *rr;

	while (dels-- > 0 && m->n > 2) {
		rr = rr_dup(m->v[rng_below(&g->rng, m->n)]);
		if (!is_fixed(rr)) {
			model_del(m, rr);
			rr->ttl++;
			if (rng_below(&g->rng, 4) == 0)
				model_put(m, rr);
		}
		free(rr);
	}
	while (adds-- > 0)
		add_one(g, m);
}
