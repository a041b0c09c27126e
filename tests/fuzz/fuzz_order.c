/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Input: how (1), call of a receiver that fails (1), allocation that fails (1), then records of a
 * transfer of 8 octets each, in any order.  What is emitted is in order; with what was spilled it
 * is the zone, as a sorted array has it; and whatever fails is told, and ends it.
 */
#include "fuzz.h"

#include "base/buf.h"
#include "base/mem.h"
#include "core/order.h"
#include "model.h"

#include <string.h>

#define HEAD 3
#define RR_SIZE 8
#define RRS_MAX 400
#define RDATA_MAX 3000
#define HOW_SMALL 0x01 /* little room for the records of one owner */
#define HOW_SORTED 0x02

struct world {
	struct model all, emitted, spilled;
	struct rr last;
	uint8_t last_owner[NAME_MAX_LEN];
	unsigned calls, fail_at;
	bool failed;
};

static uint8_t owner[NAME_MAX_LEN], rdata[RDATA_MAX];

static struct rr
record(const uint8_t *p, const uint8_t *apex)
{
	static const uint16_t types[] = {1, 16, TYPE_NSEC3, 65280};
	struct rr rr = {.owner = owner,
	    .rdata = rdata,
	    .type = types[p[1] % 4],
	    .class = CLASS_IN,
	    .ttl = p[2] % 4};
	size_t n = (size_t)get_u16(p + 4) % RDATA_MAX, at = 0;

	owner[at++] = 1;
	owner[at++] = (uint8_t)(p[0] % 26 + ((p[1] & 0x80) != 0 ? 'A' : 'a'));
	memcpy(owner + at, apex, name_len(apex));
	rr.owner_len = (uint8_t)(at + name_len(apex));
	memset(rdata, 0, n);
	if (n > 0) {
		rdata[0] = p[6];
		rdata[n - 1] ^= p[7];
	}
	rr.rdlen = (uint16_t)n;
	return rr;
}

static int
called(struct world *w, struct zr_err *e)
{
	FUZZ_CHECK(!w->failed);
	if (++w->calls != w->fail_at)
		return 0;
	w->failed = true;
	return zr_fail(e, ZR_DB, "no");
}

/* As order_prefer() says which of two stays. */
static void
keep(struct model *m, const struct rr *rr)
{
	bool there;
	size_t at = model_find(m, rr, &there);

	if (!there || order_prefer(rr, m->v[at]))
		model_put(m, rr);
}

static int
on_emit(void *arg, const struct rr *rr, struct zr_err *e)
{
	struct world *w = arg;
	bool there;

	model_find(&w->emitted, rr, &there);
	FUZZ_CHECK(!there);
	FUZZ_CHECK(
	    w->emitted.n == 0 || rr_cmp(w->emitted.v[w->emitted.n - 1], rr, w->all.apex) < 0);
	model_put(&w->emitted, rr);
	return called(w, e);
}

static int
on_spill(void *arg, const uint8_t *key, size_t len, const struct rr *rr, struct zr_err *e)
{
	struct world *w = arg;
	uint8_t want[RR_KEY_MAX];

	FUZZ_CHECK(len == rr_key(rr, w->all.apex, want, NULL) && memcmp(key, want, len) == 0);
	keep(&w->spilled, rr);
	return called(w, e);
}

static const struct order_ops ops = {.emit = on_emit, .spill = on_spill};

static void
same_models(const struct model *a, const struct model *b)
{
	FUZZ_CHECK(a->n == b->n);
	for (size_t i = 0; i < a->n; i++)
		FUZZ_CHECK(rr_identical(a->v[i], b->v[i]));
}

static int
append(struct world *w, struct order *o, struct zr_err *e)
{
	for (size_t i = 0; i < w->spilled.n; i++)
		if (order_append(o, w->spilled.v[i], e) != 0)
			return -1;
	return order_append_finish(o, e);
}

/* The end: all of it, once. */
static int
finish(struct world *w, struct order *o, struct zr_err *e)
{
	enum order_end end;

	if (order_finish(o, &end, e) != 0)
		return -1;
	FUZZ_CHECK((end == ORDER_DONE) == (w->spilled.n == 0));
	FUZZ_CHECK((end == ORDER_DONE) == (order_spilled(o) == 0));
	if (end == ORDER_APPEND && append(w, o, e) != 0)
		return -1;
	if (end == ORDER_MERGE)
		for (size_t i = 0; i < w->spilled.n; i++)
			keep(&w->emitted, w->spilled.v[i]);
	same_models(&w->emitted, &w->all);
	return 0;
}

static int
give(struct world *w, struct order *o, const uint8_t *data, size_t n, struct zr_err *e)
{
	static const uint8_t soa_rdata[22];
	const uint8_t *apex = w->all.apex;
	struct rr soa = {.owner = apex,
	    .owner_len = (uint8_t)name_len(apex),
	    .type = TYPE_SOA,
	    .class = CLASS_IN,
	    .rdata = soa_rdata,
	    .rdlen = sizeof(soa_rdata)};

	keep(&w->all, &soa);
	if (order_add(o, &soa, e) != 0)
		return -1;
	for (size_t i = 0; i < n && i < RRS_MAX; i++) {
		struct rr rr = record(data + i * RR_SIZE, apex);
		keep(&w->all, &rr);
		if (order_add(o, &rr, e) != 0)
			return -1;
	}
	return finish(w, o, e);
}

static int
cmp(const void *a, const void *b)
{
	return memcmp(a, b, 2);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w = {.fail_at = 0};
	struct zr_err e = {0};
	struct order *o;
	uint8_t *copy;
	size_t n;
	int rc;

	if (size < HEAD)
		return 0;
	n = (size - HEAD) / RR_SIZE;
	copy = zr_xmemdup(data + HEAD, size - HEAD);
	if ((data[0] & HOW_SORTED) != 0)
		qsort(copy, n, RR_SIZE, cmp); /* mostly in order, as senders do */
	w.fail_at = data[1];
	model_init(&w.all, "example.org.");
	model_init(&w.emitted, "example.org.");
	model_init(&w.spilled, "example.org.");
	o = order_new(w.all.apex, (data[0] & HOW_SMALL) != 0 ? 4000 : ORDER_GROUP_MAX, &ops, &w);
	zr_mem_fail_after(data[2]);
	rc = give(&w, o, copy, n, &e);
	zr_mem_fail_after(0);
	FUZZ_CHECK((rc == 0) == (e.code == ZR_OK));
	FUZZ_CHECK(!w.failed || (rc != 0 && e.code == ZR_DB));
	FUZZ_CHECK(rc == 0 || w.failed || (e.code == ZR_NOMEM && data[2] != 0));
	order_free(o);
	model_clear(&w.all);
	model_clear(&w.emitted);
	model_clear(&w.spilled);
	free(copy);
	return 0;
}
