/* SPDX-License-Identifier: BSD-2-Clause */
/* Delta chunks: bounded, relocatable, and read back as they went in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "model.h"
#include "wire/delta.h"

#define CHUNKS_MAX 2000

static struct gen g;

struct chunks {
	struct buf data[CHUNKS_MAX];
	uint32_t rrs[CHUNKS_MAX];
	size_t n;
};

static struct chunks chunks;

static int
keep(void *arg, const struct delta_chunk *c, struct zr_err *e)
{
	struct chunks *k = arg;

	(void)e;
	assert_true(k->n < CHUNKS_MAX);
	assert_true(c->len <= DELTA_CHUNK || c->rrs == 1);
	assert_true(c->rrs > 0);
	buf_init(&k->data[k->n], 0);
	buf_bytes(&k->data[k->n], c->data, c->len);
	k->rrs[k->n++] = c->rrs;
	return 0;
}

static void
drop_chunks(void)
{
	for (size_t i = 0; i < chunks.n; i++)
		buf_clear(&chunks.data[i]);
	chunks.n = 0;
}

static void
test_round_trip(void **state)
{
	struct rr *want[3000], rr;
	struct deltapack *d;
	struct unpacker *u;
	uint8_t apex[NAME_MAX_LEN];
	size_t at = 0;
	uint32_t rrs;

	(void)state;
	gen_init(&g, 11);
	g.odd = true;
	g.rdata = 200;
	name_from_text("Sub.Example.", apex);
	d = deltapack_new(apex, keep, &chunks);
	for (unsigned i = 0; i < 3000; i++) {
		g.rdata = i % 100 == 0 ? 60000 : 200;
		gen_rr(&g, apex, &rr);
		want[i] = rr_dup(&rr);
		assert_int_equal(deltapack_add(d, &rr, NULL), 0);
	}
	assert_int_equal(deltapack_flush(d, NULL), 0);
	rrs = (uint32_t)chunks.n;
	assert_int_equal(deltapack_flush(d, NULL), 0); /* nothing left: no chunk */
	assert_int_equal(chunks.n, rrs);
	deltapack_free(d);
	u = unpacker_new(apex);
	for (size_t i = 0; i < chunks.n; i++) {
		unpacker_start(u, chunks.data[i].data, chunks.data[i].len);
		for (rrs = 0; unpacker_next(u, &rr, NULL) > 0; rrs++) {
			assert_true(rr_identical(&rr, want[at]));
			free(want[at++]);
		}
		assert_int_equal(rrs, chunks.rrs[i]);
	}
	assert_int_equal(at, 3000);
	unpacker_free(u);
	drop_chunks();
}

/* Any chunk behind anything else in a message: no pointer leads into the records. */
static void
test_relocatable(void **state)
{
	struct buf all = BUF_INIT;
	struct deltapack *d;
	struct unpacker *u;
	uint8_t apex[NAME_MAX_LEN];
	struct model m, back;
	struct rr rr;
	int rc;

	(void)state;
	gen_init(&g, 12);
	g.odd = true;
	model_init(&m, "example.");
	model_init(&back, "example.");
	memcpy(apex, m.apex, sizeof(apex));
	d = deltapack_new(apex, keep, &chunks);
	for (unsigned i = 0; i < 1000; i++) {
		gen_rr(&g, apex, &rr);
		model_put(&m, &rr);
	}
	for (size_t i = 0; i < m.n; i++)
		assert_int_equal(deltapack_add(d, m.v[i], NULL), 0);
	deltapack_flush(d, NULL);
	deltapack_free(d);
	u = unpacker_new(apex);
	for (size_t i = chunks.n; i-- > 0;) {
		buf_reset(&all);
		buf_bytes(&all, chunks.data[chunks.n - 1].data, chunks.data[chunks.n - 1].len);
		buf_bytes(&all, chunks.data[i].data, chunks.data[i].len);
		unpacker_start(u, all.data, all.len);
		while ((rc = unpacker_next(u, &rr, NULL)) > 0)
			model_put(&back, &rr);
		assert_int_equal(rc, 0);
	}
	assert_true(model_equal(&m, &back));
	unpacker_free(u);
	buf_clear(&all);
	drop_chunks();
	model_clear(&m);
	model_clear(&back);
}

static void
test_compresses_against_question(void **state)
{
	uint8_t apex[NAME_MAX_LEN], owner[NAME_MAX_LEN], rdata[NAME_MAX_LEN];
	static const uint8_t want[] = {1, 'a', 0xc0, 12, 0, 2, 0, 1, 0, 0, 1, 0x2c, 0, 5, 2, 'n',
	    's', 0xc0, 16, /* ns.test */
	    1, 'a', 0xc0, 12, 0, 2, 0, 1, 0, 0, 1, 0x2c, 0, 2, 0xc0, 12};
	struct deltapack *d;
	struct rr rr = {.owner = owner, .type = TYPE_NS, .class = CLASS_IN, .ttl = 300};

	(void)state;
	name_from_text("sub.test.", apex); /* "sub" at 12, "test" at 16 */
	rr.owner_len = (uint8_t)name_from_text("a.sub.test.", owner);
	d = deltapack_new(apex, keep, &chunks);
	rr.rdata = rdata;
	rr.rdlen = (uint16_t)name_from_text("ns.test.", rdata);
	assert_int_equal(deltapack_add(d, &rr, NULL), 0);
	rr.rdlen = (uint16_t)name_from_text("sub.test.", rdata);
	assert_int_equal(deltapack_add(d, &rr, NULL), 0);
	assert_int_equal(deltapack_flush(d, NULL), 0);
	assert_int_equal(chunks.n, 1);
	assert_int_equal(chunks.data[0].len, sizeof(want));
	assert_memory_equal(chunks.data[0].data, want, sizeof(want));
	deltapack_free(d);
	drop_chunks();
}

static void
test_refuses(void **state)
{
	static uint8_t big[UINT16_MAX];
	uint8_t apex[NAME_MAX_LEN];
	struct zr_err e = {0};
	struct deltapack *d;
	struct rr rr = {.type = 16, .class = CLASS_IN, .rdata = big, .rdlen = UINT16_MAX};

	(void)state;
	rr.owner = apex;
	rr.owner_len = (uint8_t)name_from_text("example.", apex);
	d = deltapack_new(apex, keep, &chunks);
	assert_int_equal(deltapack_add(d, &rr, &e), -1);
	assert_int_equal(e.code, ZR_LIMIT);
	rr.rdlen = 3;
	rr.type = TYPE_NS;
	memset(big, 70, 3);
	assert_int_equal(deltapack_add(d, &rr, &e), -1);
	assert_int_equal(e.code, ZR_FORMERR);
	deltapack_free(d);
	assert_int_equal(chunks.n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_relocatable),
	    cmocka_unit_test(test_compresses_against_question),
	    cmocka_unit_test(test_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
