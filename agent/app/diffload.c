/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Differences: the steps are kept as received for the journal (I-27), their net effect is applied
 * to the touched segments by core/patch.  Chunks of deletions wait in memory until the step's new
 * serial is known; all of it together is bounded by DIFFLOAD_MEMORY.
 */
#include <stdlib.h>
#include <string.h>

#include "app/load.h"
#include "app/oldsegs.h"
#include "base/mem.h"
#include "core/changes.h"
#include "core/patch.h"
#include "wire/delta.h"

/* Segments read by one diffload_step(). */
#define STEP_SEGMENTS 32

struct held {
	struct held *next;
	uint32_t rrs;
	size_t len;
	uint8_t data[];
};

struct diffload {
	struct load_env env;
	struct changes *changes;
	struct deltapack *pack;
	struct held *head, **tail; /* deletions of the running step */
	size_t held;
	uint32_t step; /* of the next step_old */
	uint8_t part;
	uint32_t chunk;
	uint32_t from_serial, to_serial;
	struct deltapack *net[2]; /* readd: deletions, additions */
	uint32_t net_chunk[2];
	uint32_t first_serial;
	struct patch *patch;
	struct segment_row at, next, prev; /* what each callback gave last: its key is borrowed */
	struct buf data;
	struct load_result result;
};

/* ---- journal ---- */

static int
stage_chunk(struct diffload *l, uint8_t part, const uint8_t *data, size_t len, uint32_t rrs,
    struct zr_err *e)
{
	return stager_delta(l->env.stager, l->step - 1, part, l->chunk++, l->from_serial,
	    l->to_serial, data, len, rrs, e);
}

static int
hold_chunk(struct diffload *l, const struct delta_chunk *c, struct zr_err *e)
{
	struct held *h;

	l->held += c->len;
	if (l->held > DIFFLOAD_MEMORY)
		return zr_fail(e, ZR_LIMIT, "the difference is too large to be applied");
	h = zr_try_alloc(sizeof(*h) + c->len);
	if (h == NULL)
		return zr_fail(e, ZR_NOMEM, "no memory for a difference");
	h->next = NULL;
	h->rrs = c->rrs;
	h->len = c->len;
	memcpy(h->data, c->data, c->len);
	*l->tail = h;
	l->tail = &h->next;
	return 0;
}

static int
on_chunk(void *arg, const struct delta_chunk *c, struct zr_err *e)
{
	struct diffload *l = arg;

	return l->part == 0 ? hold_chunk(l, c, e) : stage_chunk(l, 1, c->data, c->len, c->rrs, e);
}

static int
release_held(struct diffload *l, bool stage, struct zr_err *e)
{
	struct held *h;
	int rc = 0;

	while ((h = l->head) != NULL) {
		if (stage && rc == 0)
			rc = stage_chunk(l, 0, h->data, h->len, h->rrs, e);
		l->head = h->next;
		free(h);
	}
	l->tail = &l->head;
	l->held = 0;
	return rc;
}

static int
on_net_del(void *arg, const struct delta_chunk *c, struct zr_err *e)
{
	struct diffload *l = arg;

	return stager_delta(l->env.stager, 0, 0, l->net_chunk[0]++, l->first_serial, l->to_serial,
	    c->data, c->len, c->rrs, e);
}

static int
on_net_add(void *arg, const struct delta_chunk *c, struct zr_err *e)
{
	struct diffload *l = arg;

	return stager_delta(l->env.stager, 0, 1, l->net_chunk[1]++, l->first_serial, l->to_serial,
	    c->data, c->len, c->rrs, e);
}

/* One record for the journal as received. */
static int
keep(struct diffload *l, const struct rr *rr, struct zr_err *e)
{
	return l->pack == NULL ? 0 : deltapack_add(l->pack, rr, e);
}

/* ---- the reader's side ---- */

struct diffload *
diffload_new(const struct load_env *env)
{
	struct diffload *l = zr_xcalloc(1, sizeof(*l));

	l->env = *env;
	l->tail = &l->head;
	l->changes = changes_new(env->job->zone, DIFFLOAD_MEMORY);
	if (env->job->readd) {
		changes_allow_readd(l->changes);
		l->net[0] = deltapack_new(env->job->zone, on_net_del, l);
		l->net[1] = deltapack_new(env->job->zone, on_net_add, l);
	} else {
		l->pack = deltapack_new(env->job->zone, on_chunk, l);
	}
	buf_init(&l->data, 0);
	return l;
}

void
diffload_free(struct diffload *l)
{
	if (l == NULL)
		return;
	release_held(l, false, NULL);
	patch_free(l->patch);
	changes_free(l->changes);
	deltapack_free(l->pack);
	deltapack_free(l->net[0]);
	deltapack_free(l->net[1]);
	buf_clear(&l->data);
	free(l);
}

static int
soa_serial(const struct rr *rr, uint32_t *serial, struct zr_err *e)
{
	struct soa soa;

	if (!rr_soa(rr, &soa))
		return zr_fail(e, ZR_FORMERR, "a malformed SOA in a difference");
	*serial = soa.serial;
	return 0;
}

static int
end_step(struct diffload *l, struct zr_err *e)
{
	return l->step == 0 || l->pack == NULL ? 0 : deltapack_flush(l->pack, e);
}

int
diffload_old(struct diffload *l, const struct rr *soa, struct zr_err *e)
{
	if (end_step(l, e) != 0 || soa_serial(soa, &l->from_serial, e) != 0)
		return -1;
	if (l->step++ == 0)
		l->first_serial = l->from_serial;
	l->part = 0;
	l->chunk = 0;
	if (changes_del(l->changes, soa, e) != 0)
		return -1;
	return keep(l, soa, e);
}

int
diffload_del(struct diffload *l, const struct rr *rr, struct zr_err *e)
{
	if (changes_del(l->changes, rr, e) != 0)
		return -1;
	return keep(l, rr, e);
}

int
diffload_new_soa(struct diffload *l, const struct rr *soa, struct zr_err *e)
{
	if (end_step(l, e) != 0 || soa_serial(soa, &l->to_serial, e) != 0 ||
	    release_held(l, true, e) != 0)
		return -1;
	l->part = 1;
	l->chunk = 0;
	if (changes_add(l->changes, soa, e) != 0)
		return -1;
	return keep(l, soa, e);
}

int
diffload_add(struct diffload *l, const struct rr *rr, struct zr_err *e)
{
	if (changes_add(l->changes, rr, e) != 0)
		return -1;
	return keep(l, rr, e);
}

/* ---- applying ---- */

static int
seg_at(void *arg, const uint8_t *key, size_t key_len, struct segref *out, struct zr_err *e)
{
	struct diffload *l = arg;
	const struct job_mail *j = l->env.job;
	int rc = reader_segment_at(l->env.reader, j->zone_id, j->version, key, key_len, &l->at, e);

	if (rc > 0)
		segref_from_row(out, &l->at);
	return rc;
}

typedef int (*neighbour)(struct reader *, int64_t, int64_t, const uint8_t *, size_t,
    struct segment_row *, struct zr_err *);

/* ref->key may be the key of *keep itself, so the row is read beside it. */
static int
seg_neighbour(struct diffload *l, neighbour look, const struct segref *ref,
    struct segment_row *keep, struct segref *out, struct zr_err *e)
{
	const struct job_mail *j = l->env.job;
	struct segment_row row;
	int rc = look(l->env.reader, j->zone_id, j->version, ref->key, ref->key_len, &row, e);

	if (rc > 0) {
		*keep = row;
		segref_from_row(out, keep);
	}
	return rc;
}

static int
seg_next(void *arg, const struct segref *ref, struct segref *out, struct zr_err *e)
{
	struct diffload *l = arg;

	return seg_neighbour(l, reader_segment_next, ref, &l->next, out, e);
}

static int
seg_prev(void *arg, const struct segref *ref, struct segref *out, struct zr_err *e)
{
	struct diffload *l = arg;

	return seg_neighbour(l, reader_segment_prev, ref, &l->prev, out, e);
}

static int
seg_read(void *arg, const struct segref *ref, const uint8_t **data, size_t *len, struct zr_err *e)
{
	struct diffload *l = arg;

	buf_reset(&l->data);
	if (reader_segment_data(l->env.reader, ref->id, &l->data, e) != 0)
		return -1;
	*data = l->data.data;
	*len = l->data.len;
	return 0;
}

static int
seg_write(void *arg, const struct segment *s, struct zr_err *e)
{
	struct diffload *l = arg;

	return stager_segment(l->env.stager, s, e);
}

static int
seg_kill(void *arg, const struct segref *ref, struct zr_err *e)
{
	struct diffload *l = arg;

	return stager_kill(l->env.stager, ref->id, ref->len, e);
}

static int
on_removed(void *arg, const struct rr *rr, struct zr_err *e)
{
	struct diffload *l = arg;

	return l->net[0] == NULL ? 0 : deltapack_add(l->net[0], rr, e);
}

static int
on_added(void *arg, const struct rr *rr, struct zr_err *e)
{
	struct diffload *l = arg;

	return l->net[1] == NULL ? 0 : deltapack_add(l->net[1], rr, e);
}

static const struct patch_ops patch_ops = {
    .next_change = changes_next,
    .at = seg_at,
    .next = seg_next,
    .prev = seg_prev,
    .read = seg_read,
    .write = seg_write,
    .kill = seg_kill,
    .removed = on_removed,
    .added = on_added,
};

static int
start_patch(struct diffload *l, struct zr_err *e)
{
	const struct job_mail *j = l->env.job;
	struct version_sum base = {
	    .segments = j->segments,
	    .records = j->records,
	    .octets = j->octets,
	};

	memcpy(base.digest, j->digest, sizeof(base.digest));
	if (end_step(l, e) != 0 || changes_sort(l->changes, e) != 0)
		return -1;
	l->patch = patch_new(j->zone, &patch_ops, l, l->changes, &base, j->readd ? PATCH_READD : 0);
	return 0;
}

enum load_state
diffload_step(struct diffload *l, struct zr_err *e)
{
	enum patch_state st;

	if (l->patch == NULL && start_patch(l, e) != 0)
		return LOAD_FAIL;
	if (reader_begin(l->env.reader, e) != 0)
		return LOAD_FAIL;
	st = patch_step(l->patch, STEP_SEGMENTS, e);
	reader_end(l->env.reader);
	switch (st) {
	case PATCH_MORE:
		return LOAD_MORE;
	case PATCH_DONE:
		if (l->net[0] != NULL &&
		    (deltapack_flush(l->net[0], e) != 0 || deltapack_flush(l->net[1], e) != 0))
			return LOAD_FAIL;
		l->result.sum = *patch_sum(l->patch);
		l->result.has_delta = true;
		return LOAD_DONE;
	case PATCH_FAIL:
		break;
	}
	return LOAD_FAIL;
}

const struct load_result *
diffload_result(const struct diffload *l)
{
	return &l->result;
}
