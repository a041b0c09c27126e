/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A whole zone: order -> packer -> layout (what is new) and diff (what changed) -> stager.
 *
 *   SMALL --last record--> APPEND (sorted in memory) -----------------------> FINISH -> DONE
 *         --too many--> what came joins, sorted
 *   RECEIVING --last record--> nothing spilled ----------------------------> FINISH -> DONE
 *                              only NSEC3 spilled --> APPEND (sorted) ------> FINISH
 *                              out of order --> COLLECT (staged records join the spill)
 *                                               -> ABORTING -> APPEND ------> FINISH
 *
 * The last road is for senders that keep no order at all: what had been staged goes into the
 * spill as well, the stage is thrown away, and the whole zone is staged again in order.
 */
#include <stdlib.h>
#include <string.h>

#include "app/load.h"
#include "app/oldsegs.h"
#include "base/mem.h"
#include "base/serial.h"
#include "core/diff.h"
#include "core/layout.h"
#include "core/order.h"
#include "store/spill.h"
#include "wire/delta.h"
#include "wire/segment.h"

/* Records handled by one fullload_step(). */
#define STEP_RECORDS 4000
/* Segments read back by one fullload_step() while collecting. */
#define STEP_SEGMENTS 64
/* What a record may take in a spill beside its octets. */
#define SMALL_HEAD (RR_KEY_MAX + 24)
/* The temporary file may take so many times the size limit of the zone: keys and row overhead. */
#define SPILL_FACTOR 4

enum phase { SMALL, RECEIVING, APPEND, COLLECT, ABORTING, DONE };

struct fullload {
	struct load_env env;
	enum phase phase;
	struct oldsegs old;
	struct segref_array old_layout, old_diff; /* two cursors over `old` */
	struct buf old_data;
	struct order *order;
	struct packer *packer;
	struct layout *layout;
	struct diff *diff; /* NULL: no difference is wanted */
	struct deltapack *dels, *adds;
	uint32_t chunk[2];
	uint32_t from_serial, to_serial;
	struct spill *small; /* SMALL: all records so far */
	size_t small_octets;
	struct spill *spill;
	struct oldsegs staged; /* COLLECT */
	size_t staged_pos;
	uint8_t *soa_owner, *soa_rdata; /* of the new SOA, owned */
	struct rr soa;
	struct load_result result;
};

/* ---- callbacks ---- */

static int
on_write(void *arg, const struct segment *s, struct zr_err *e)
{
	struct fullload *l = arg;

	return stager_segment(l->env.stager, s, e);
}

static int
on_kill(void *arg, const struct segref *old, struct zr_err *e)
{
	struct fullload *l = arg;

	return stager_kill(l->env.stager, old->id, old->len, e);
}

/*
 * A segment that is damaged must not be kept because what is noted of it is right: it is given a
 * digest that no segment has, and so is written anew.  Then there is no difference either.
 */
static int
next_old_layout(void *arg, struct segref *out, struct zr_err *e)
{
	struct fullload *l = arg;
	struct zr_err bad = {0};
	int rc = segref_array_next(&l->old_layout, out, e);

	if (rc <= 0)
		return rc;
	buf_reset(&l->old_data);
	if (reader_segment_data(l->env.reader, out->id, &l->old_data, &bad) == 0)
		return 1;
	if (bad.code != ZR_DAMAGED) {
		*e = bad;
		return -1;
	}
	l->result.repaired = true;
	memset(out->digest, 0, sizeof(out->digest));
	return 1;
}

/* Of what the difference reports: damage to the old content only ends it. */
static int
diff_result(struct fullload *l, int rc, const struct zr_err *e)
{
	if (rc == 0 || e->code != ZR_DAMAGED)
		return rc;
	l->result.repaired = true;
	return 0;
}

static int
next_old_diff(void *arg, struct segref *out, struct zr_err *e)
{
	struct fullload *l = arg;

	return segref_array_next(&l->old_diff, out, e);
}

static int
read_old(void *arg, const struct segref *ref, const uint8_t **data, size_t *len, struct zr_err *e)
{
	struct fullload *l = arg;

	buf_reset(&l->old_data);
	if (reader_segment_data(l->env.reader, ref->id, &l->old_data, e) != 0)
		return -1;
	*data = l->old_data.data;
	*len = l->old_data.len;
	return 0;
}

static int
on_del(void *arg, const struct rr *rr, struct zr_err *e)
{
	struct fullload *l = arg;

	return deltapack_add(l->dels, rr, e);
}

static int
on_add(void *arg, const struct rr *rr, struct zr_err *e)
{
	struct fullload *l = arg;

	return deltapack_add(l->adds, rr, e);
}

static int
on_chunk(struct fullload *l, uint8_t part, const struct delta_chunk *c, struct zr_err *e)
{
	return stager_delta(l->env.stager, 0, part, l->chunk[part]++, l->from_serial, l->to_serial,
	    c->data, c->len, c->rrs, e);
}

static int
on_del_chunk(void *arg, const struct delta_chunk *c, struct zr_err *e)
{
	return on_chunk(arg, 0, c, e);
}

static int
on_add_chunk(void *arg, const struct delta_chunk *c, struct zr_err *e)
{
	return on_chunk(arg, 1, c, e);
}

/* A finished segment: first what of it is new, then what changed in it. */
static int
on_segment(void *arg, const struct segment *s, struct zr_err *e)
{
	struct fullload *l = arg;

	if (layout_add(l->layout, s, e) != 0)
		return -1;
	if (l->diff == NULL || l->result.repaired)
		return 0;
	return diff_result(l, diff_add(l->diff, s, e), e);
}

static int
on_emit(void *arg, const struct rr *rr, struct zr_err *e)
{
	struct fullload *l = arg;

	return packer_add(l->packer, rr, e);
}

static int
on_spill(void *arg, const uint8_t *key, size_t key_len, const struct rr *rr, struct zr_err *e)
{
	struct fullload *l = arg;

	if (l->spill == NULL && spill_open(&l->spill, l->env.spill_dir,
				    l->env.job->limits.max_octets * SPILL_FACTOR, e) != 0)
		return -1;
	return spill_add(l->spill, key, key_len, rr, e);
}

static const struct layout_ops layout_ops = {
    .next_old = next_old_layout,
    .write = on_write,
    .kill = on_kill,
};

static const struct diff_ops diff_ops = {
    .next_old = next_old_diff,
    .read_old = read_old,
    .del = on_del,
    .add = on_add,
};

static const struct order_ops order_ops = {
    .emit = on_emit,
    .spill = on_spill,
};

/* ---- small zones ---- */

/*
 * A zone that ends within so many octets is sorted before anything is packed.  Else each that comes
 * in another order than ours would be staged, read back and staged again: with 10,000 of them that
 * was half of all the work.
 */
static int
start_small(struct fullload *l, struct zr_err *e)
{
	if (l->env.small == 0) {
		l->phase = RECEIVING;
		return 0;
	}
	if (spill_open(&l->small, l->env.spill_dir, UINT64_MAX, e) != 0)
		return -1;
	spill_set_memory(l->small, l->env.small);
	return 0;
}

static int
small_add(struct fullload *l, const struct rr *rr, struct zr_err *e)
{
	uint8_t key[RR_KEY_MAX];
	size_t key_len = rr_key(rr, l->env.job->zone, key, NULL);

	l->small_octets += key_len + rr->owner_len + rr->rdlen + SMALL_HEAD - RR_KEY_MAX;
	return spill_add(l->small, key, key_len, rr, e);
}

/* It is larger: the order in which records come does not matter, so the sorted ones go first. */
static int
small_ends(struct fullload *l, struct zr_err *e)
{
	struct rr rr;
	int rc;

	l->phase = RECEIVING;
	if (spill_sort(l->small, e) != 0)
		return -1;
	while ((rc = spill_next(l->small, &rr, e)) > 0)
		if (order_add(l->order, &rr, e) != 0)
			return -1;
	spill_close(l->small);
	l->small = NULL;
	return rc;
}

/* ---- life ---- */

static void
clear_pipeline(struct fullload *l)
{
	order_free(l->order);
	packer_free(l->packer);
	layout_free(l->layout);
	diff_free(l->diff);
	deltapack_free(l->dels);
	deltapack_free(l->adds);
	l->order = NULL;
	l->packer = NULL;
	l->layout = NULL;
	l->diff = NULL;
	l->dels = l->adds = NULL;
}

/* The difference is worth making when a downstream could ask for it (I-26). */
static bool
want_diff(const struct fullload *l)
{
	const struct job_mail *j = l->env.job;

	return j->journal_steps > 0 && j->stored && j->soa != NULL &&
	       serial_gt(l->to_serial, l->from_serial);
}

static int
start_diff(struct fullload *l, struct zr_err *e)
{
	const struct job_mail *j = l->env.job;
	struct rr old_soa = l->soa;

	l->diff = diff_new(j->zone, &diff_ops, l);
	l->dels = deltapack_new(j->zone, on_del_chunk, l);
	l->adds = deltapack_new(j->zone, on_add_chunk, l);
	l->chunk[0] = l->chunk[1] = 0;
	old_soa.owner = j->zone;
	old_soa.rdata = j->soa;
	old_soa.rdlen = j->soa_len;
	old_soa.ttl = j->soa_ttl;
	if (deltapack_add(l->dels, &old_soa, e) != 0)
		return -1;
	return deltapack_add(l->adds, &l->soa, e);
}

static int
start_pipeline(struct fullload *l, struct zr_err *e)
{
	const uint8_t *zone = l->env.job->zone;

	l->old_layout = (struct segref_array){.v = l->old.v, .n = l->old.n};
	l->old_diff = l->old_layout;
	l->order = order_new(zone, ORDER_GROUP_MAX, &order_ops, l);
	l->packer = packer_new(zone, on_segment, l);
	l->layout = layout_new(&layout_ops, l);
	return want_diff(l) ? start_diff(l, e) : 0;
}

struct fullload *
fullload_new(const struct load_env *env, const struct rr *soa, struct zr_err *e)
{
	struct fullload *l = zr_xcalloc(1, sizeof(*l));
	struct soa fields;

	l->env = *env;
	buf_init(&l->old_data, 0);
	l->soa = *soa;
	l->soa_owner = zr_xmemdup(soa->owner, soa->owner_len);
	l->soa_rdata = zr_xmemdup(soa->rdata, soa->rdlen);
	l->soa.owner = l->soa_owner;
	l->soa.rdata = l->soa_rdata;
	if (!rr_soa(soa, &fields)) {
		zr_fail(e, ZR_FORMERR, "the first record is not a well-formed SOA");
		goto fail;
	}
	l->from_serial = env->job->serial;
	l->to_serial = fields.serial;
	if (oldsegs_load(&l->old, env->reader, env->job->zone_id,
		env->job->stored ? env->job->version : 0, e) != 0)
		goto fail;
	if (start_pipeline(l, e) != 0 || start_small(l, e) != 0)
		goto fail;
	return l;
fail:
	fullload_free(l);
	return NULL;
}

void
fullload_free(struct fullload *l)
{
	if (l == NULL)
		return;
	clear_pipeline(l);
	spill_close(l->small);
	spill_close(l->spill);
	oldsegs_clear(&l->old);
	oldsegs_clear(&l->staged);
	buf_clear(&l->old_data);
	free(l->soa_owner);
	free(l->soa_rdata);
	free(l);
}

int
fullload_add(struct fullload *l, const struct rr *rr, struct zr_err *e)
{
	if (l->phase == SMALL) {
		if (l->small_octets + rr->owner_len + rr->rdlen + SMALL_HEAD <= l->env.small)
			return small_add(l, rr, e);
		if (small_ends(l, e) != 0)
			return -1;
	}
	return order_add(l->order, rr, e);
}

/* ---- the end ---- */

static int
finish_layout(struct fullload *l, struct zr_err *e)
{
	if (packer_flush(l->packer, e) != 0)
		return -1;
	return layout_finish(l->layout, e);
}

static enum load_state
finish(struct fullload *l, struct zr_err *e)
{
	if (finish_layout(l, e) != 0)
		return LOAD_FAIL;
	if (l->diff != NULL && !l->result.repaired &&
	    diff_result(l, diff_finish(l->diff, e), e) != 0)
		return LOAD_FAIL;
	l->result.has_delta = l->diff != NULL && !l->result.repaired;
	if (l->result.has_delta &&
	    (deltapack_flush(l->dels, e) != 0 || deltapack_flush(l->adds, e) != 0))
		return LOAD_FAIL;
	l->result.sum = *layout_sum(l->layout);
	l->phase = DONE;
	return LOAD_DONE;
}

static enum load_state
received(struct fullload *l, struct zr_err *e)
{
	enum order_end end;

	if (order_finish(l->order, &end, e) != 0)
		return LOAD_FAIL;
	switch (end) {
	case ORDER_DONE:
		return finish(l, e);
	case ORDER_APPEND:
		if (spill_sort(l->spill, e) != 0)
			return LOAD_FAIL;
		l->phase = APPEND;
		return LOAD_MORE;
	case ORDER_MERGE:
		break;
	}
	if (finish_layout(l, e) != 0)
		return LOAD_FAIL;
	stager_flush(l->env.stager);
	l->phase = COLLECT;
	return LOAD_WAIT;
}

/* Sorted records from the spill into the pipeline, a bounded number of them. */
static enum load_state
append(struct fullload *l, struct zr_err *e)
{
	struct rr rr;
	int rc = 1;

	for (int i = 0; i < STEP_RECORDS && !stager_full(l->env.stager); i++) {
		rc = spill_next(l->spill, &rr, e);
		if (rc > 0)
			rc = order_append(l->order, &rr, e) == 0 ? 1 : -1;
		if (rc <= 0)
			break;
	}
	if (rc != 0)
		return rc > 0 ? LOAD_MORE : LOAD_FAIL;
	if (order_append_finish(l->order, e) != 0)
		return LOAD_FAIL;
	return finish(l, e);
}

static enum load_state
received_small(struct fullload *l, struct zr_err *e)
{
	if (spill_sort(l->small, e) != 0)
		return LOAD_FAIL;
	l->spill = l->small;
	l->small = NULL;
	l->phase = APPEND;
	return append(l, e);
}

static int
collect_segment(struct fullload *l, struct unpacker *u, const struct segref *ref, struct zr_err *e)
{
	uint8_t key[RR_KEY_MAX];
	struct rr rr;
	size_t key_len;
	const uint8_t *data;
	size_t len;
	int rc;

	if (read_old(l, ref, &data, &len, e) != 0)
		return -1;
	unpacker_start(u, data, len);
	while ((rc = unpacker_next(u, &rr, e)) > 0) {
		key_len = rr_key(&rr, l->env.job->zone, key, NULL);
		if (on_spill(l, key, key_len, &rr, e) != 0)
			return -1;
	}
	return rc;
}

/* Everything staged so far joins the spill. */
static enum load_state
collect(struct fullload *l, struct zr_err *e)
{
	const struct job_mail *j = l->env.job;
	struct unpacker *u;
	int rc = 0;

	if (l->env.stager->err.code != ZR_OK) {
		*e = l->env.stager->err;
		return LOAD_FAIL;
	}
	if (l->staged.v == NULL &&
	    oldsegs_load(&l->staged, l->env.reader, j->zone_id, j->version + 1, e) != 0)
		return LOAD_FAIL;
	u = unpacker_new(j->zone);
	for (int i = 0; rc == 0 && i < STEP_SEGMENTS && l->staged_pos < l->staged.n; i++)
		rc = collect_segment(l, u, &l->staged.v[l->staged_pos++], e);
	unpacker_free(u);
	if (rc != 0)
		return LOAD_FAIL;
	if (l->staged_pos < l->staged.n)
		return LOAD_MORE;
	oldsegs_clear(&l->staged);
	stager_abort(l->env.stager);
	l->phase = ABORTING;
	return LOAD_WAIT;
}

static enum load_state
aborted(struct fullload *l, struct zr_err *e)
{
	if (l->env.stager->err.code != ZR_OK) {
		*e = l->env.stager->err;
		return LOAD_FAIL;
	}
	clear_pipeline(l);
	if (start_pipeline(l, e) != 0 || spill_sort(l->spill, e) != 0)
		return LOAD_FAIL;
	l->phase = APPEND;
	return LOAD_MORE;
}

enum load_state
fullload_step(struct fullload *l, struct zr_err *e)
{
	switch (l->phase) {
	case SMALL:
		return received_small(l, e);
	case RECEIVING:
		return received(l, e);
	case APPEND:
		return append(l, e);
	case COLLECT:
		return collect(l, e);
	case ABORTING:
		return aborted(l, e);
	case DONE:
		return LOAD_DONE;
	}
	return LOAD_FAIL;
}

const struct load_result *
fullload_result(const struct fullload *l)
{
	return &l->result;
}
