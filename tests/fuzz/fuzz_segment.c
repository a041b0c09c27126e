/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Input: which apex, then the data of a segment.  Reads it; packs what was read in zone order, as
 * segments and as deltas, and reads that back: the same records must come out.
 */
#include "fuzz.h"

#include "model.h"
#include "wire/delta.h"

#include <string.h>

#define RECORDS_MAX 3000

static const char *const apexes[] = {"example.org.", ".", "Sub.Zone.Example."};

/* Packs record by record; drops from the model what is too large to be sent. */
static void
pack(struct model *m, struct stored_list *l)
{
	struct packer *p = packer_new(m->apex, stored_sink, l);
	struct zr_err e = {0};

	for (size_t i = 0; i < m->n;) {
		if (packer_add(p, m->v[i], &e) == 0) {
			i++;
			continue;
		}
		FUZZ_CHECK(e.code == ZR_LIMIT);
		FUZZ_CHECK(model_del(m, m->v[i]));
	}
	FUZZ_CHECK(packer_flush(p, &e) == 0);
	packer_free(p);
}

static void
check_segments(struct model *m)
{
	struct stored_list l = {0}, again = {0};
	struct model back;
	uint8_t key[RR_KEY_MAX];
	size_t n, max = SEGMENT_OFFSET_MAX + 1 - 12 - name_len(m->apex) - 4;

	pack(m, &l);
	model_copy(&back, m);
	model_clear(&back);
	FUZZ_CHECK(stored_unpack(&l, &back));
	FUZZ_CHECK(model_equal(m, &back));
	pack(&back, &again);
	FUZZ_CHECK(stored_differ(&l, &again) == NULL);
	for (size_t i = 0; i < l.n; i++) {
		FUZZ_CHECK(l.v[i].len <= max || l.v[i].rrs == 1);
		FUZZ_CHECK(stored_at(&l, l.v[i].key, l.v[i].key_len) == i);
	}
	for (size_t i = 0; i < m->n; i++) {
		n = rr_key(m->v[i], m->apex, key, NULL);
		FUZZ_CHECK(stored_at(&l, key, n) < l.n);
	}
	stored_clear(&l);
	stored_clear(&again);
	model_clear(&back);
}

struct reading {
	struct model *m;
	struct unpacker *u;
	size_t at;
};

static int
on_chunk(void *arg, const struct delta_chunk *c, struct zr_err *e)
{
	struct reading *r = arg;
	struct rr rr;

	FUZZ_CHECK(c->len <= DELTA_CHUNK || c->rrs == 1);
	unpacker_start(r->u, c->data, c->len);
	for (uint32_t i = 0; i < c->rrs; i++) {
		FUZZ_CHECK(unpacker_next(r->u, &rr, e) == 1);
		FUZZ_CHECK(rr_identical(&rr, r->m->v[r->at++]));
	}
	FUZZ_CHECK(unpacker_next(r->u, &rr, e) == 0);
	return 0;
}

static void
check_deltas(struct model *m)
{
	struct reading r = {.m = m, .u = unpacker_new(m->apex)};
	struct deltapack *d = deltapack_new(m->apex, on_chunk, &r);

	for (size_t i = 0; i < m->n; i++)
		FUZZ_CHECK(deltapack_add(d, m->v[i], NULL) == 0);
	FUZZ_CHECK(deltapack_flush(d, NULL) == 0);
	FUZZ_CHECK(r.at == m->n);
	deltapack_free(d);
	unpacker_free(r.u);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct unpacker *u;
	struct model m;
	struct zr_err e;
	struct rr rr;
	int rc;

	if (size == 0)
		return 0;
	model_init(&m, apexes[data[0] % (sizeof(apexes) / sizeof(apexes[0]))]);
	u = unpacker_new(m.apex);
	unpacker_start(u, data + 1, size - 1);
	while ((rc = unpacker_next(u, &rr, &e)) > 0 && m.n < RECORDS_MAX) {
		if (name_within(rr.owner, m.apex))
			model_put(&m, &rr);
	}
	FUZZ_CHECK(rc >= 0 || e.code == ZR_FORMERR);
	unpacker_free(u);
	check_segments(&m);
	check_deltas(&m);
	model_clear(&m);
	return 0;
}
