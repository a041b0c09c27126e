/* SPDX-License-Identifier: BSD-2-Clause */
#include "story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/delta.h"

struct gen story_gen;

uint64_t
story_below(uint64_t n)
{
	return rng_below(&story_gen.rng, n);
}

void
story_del(struct story *s, const struct rr *rr)
{
	struct rr *copy = rr_dup(rr);

	copy->ttl += (uint32_t)story_below(2); /* a deletion's TTL does not matter (U-06) */
	assert_int_equal(changes_del(s->c, copy, NULL), 0);
	assert_true(model_del(&s->m, copy));
	free(copy);
}

void
story_add(struct story *s, const struct rr *rr)
{
	bool found;

	model_find(&s->m, rr, &found);
	if (found)
		return;
	assert_int_equal(changes_add(s->c, rr, NULL), 0);
	model_put(&s->m, rr);
}

size_t
story_any(const struct story *s)
{
	return 1 + story_below(s->m.n - 1); /* never the SOA */
}

void
story_add_some(struct story *s, unsigned n)
{
	struct rr rr;

	while (n-- > 0) {
		gen_rr(&story_gen, s->m.apex, &rr);
		story_add(s, &rr);
	}
}

static void
add_at_owner(struct story *s, unsigned n)
{
	unsigned owner = (unsigned)story_below(story_gen.owners);
	struct rr rr;

	while (n-- > 0) {
		gen_rr_at(&story_gen, s->m.apex, owner, &rr);
		story_add(s, &rr);
	}
}

void
story_del_some(struct story *s, unsigned n)
{
	while (n-- > 0 && s->m.n > 1)
		story_del(s, s->m.v[story_any(s)]);
}

void
story_del_range(struct story *s, size_t from, size_t n)
{
	while (n-- > 0 && from < s->m.n)
		story_del(s, s->m.v[from]);
}

/* All records of the owner of record `at`, in both parts or in one. */
static void
del_owner(struct story *s, size_t at)
{
	struct rr *like = rr_dup(s->m.v[at]);

	for (size_t i = s->m.n; i-- > 1;) {
		if (name_equal(s->m.v[i]->owner, like->owner))
			story_del(s, s->m.v[i]);
	}
	free(like);
}

static void
change_ttl(struct story *s, unsigned n)
{
	struct rr *rr;

	while (n-- > 0 && s->m.n > 1) {
		rr = rr_dup(s->m.v[story_any(s)]);
		story_del(s, rr);
		rr->ttl = 1 + (uint32_t)story_below(5000);
		story_add(s, rr);
		free(rr);
	}
}

static void
change_case(struct story *s, unsigned n)
{
	struct rr *rr;
	uint8_t *owner;

	while (n-- > 0 && s->m.n > 1) {
		rr = rr_dup(s->m.v[story_any(s)]);
		owner = zr_xmemdup(rr->owner, rr->owner_len);
		for (unsigned i = 0; i < rr->owner_len; i++) {
			if (owner[i] >= 'a' && owner[i] <= 'z' && story_below(2) == 0)
				owner[i] = (uint8_t)(owner[i] - 32);
		}
		story_del(s, rr);
		rr->owner = owner;
		story_add(s, rr);
		free(owner);
		free(rr);
	}
}

/* Added and deleted again, or deleted and added again. */
static void
no_ops(struct story *s, unsigned n)
{
	struct rr rr, *copy;
	bool found;

	while (n-- > 0 && s->m.n > 1) {
		gen_rr(&story_gen, s->m.apex, &rr);
		model_find(&s->m, &rr, &found);
		if (!found) {
			story_add(s, &rr);
			story_del(s, &rr);
		}
		copy = rr_dup(s->m.v[story_any(s)]);
		story_del(s, copy);
		story_add(s, copy);
		free(copy);
	}
}

/* Records that share all the octets that a key holds. */
void
story_add_alike(struct story *s)
{
	static uint8_t rdata[9000];
	struct rr rr = {.owner = story_gen.owner,
	    .type = 16,
	    .class = CLASS_IN,
	    .ttl = 60,
	    .rdata = rdata,
	    .rdlen = (uint16_t)(3000 + story_below(6000))};

	rr.owner_len = (uint8_t)gen_owner(&story_gen, s->m.apex, 3, story_gen.owner);
	for (unsigned n = 1 + (unsigned)story_below(8); n-- > 0;) {
		put_u32(rdata + 1000, (uint32_t)story_below(20));
		rr.rdlen = (uint16_t)(3000 + 500 * story_below(3));
		story_add(s, &rr);
	}
}

static void
del_alike(struct story *s)
{
	for (size_t i = s->m.n; i-- > 1;) {
		if (s->m.v[i]->rdlen >= 3000 && s->m.v[i]->rdata[0] == 0 && story_below(3) == 0)
			story_del(s, s->m.v[i]);
	}
}

/* At the very places where segments meet. */
void
story_at_boundary(struct story *s)
{
	const struct stored_list *l = &s->rig.base;
	size_t seg = story_below(l->n), at = 0;
	struct rr rr;
	unsigned n = 1 + (unsigned)story_below(4);

	for (size_t i = 0; i < seg; i++)
		at += l->v[i].rrs;
	/* Earlier changes of this step may have moved it a little; that does no harm. */
	switch (story_below(5)) {
	case 0: /* the first records */
		story_del_range(s, at == 0 ? 1 : at, n);
		break;
	case 1: /* the last records before */
		story_del_range(s, at > n ? at - n : 1, n);
		break;
	case 2: /* the whole first owner */
		if (at > 0 && at < s->m.n)
			del_owner(s, at);
		break;
	case 3: /* one more of the first owner */
		if (at == 0 || at >= s->m.n)
			break;
		gen_rr(&story_gen, s->m.apex, &rr);
		rr.owner = s->m.v[at]->owner;
		rr.owner_len = s->m.v[at]->owner_len;
		story_add(s, &rr);
		break;
	default: /* both sides */
		story_del_range(s, at > 1 ? at - 1 : 1, 2);
		break;
	}
}

static void
giant(struct story *s)
{
	unsigned was = story_gen.rdata;
	struct rr rr;

	story_gen.rdata = 1000 + (unsigned)story_below(60000);
	gen_rr(&story_gen, s->m.apex, &rr);
	if (rr.rdlen <= 62000)
		story_add(s, &rr);
	story_gen.rdata = was;
}

static void
change_something(struct story *s)
{
	switch (story_below(16)) {
	case 0:
		story_add_some(s, 1 + (unsigned)story_below(60));
		break;
	case 1:
		story_del_some(s, 1 + (unsigned)story_below(60));
		break;
	case 2:
		add_at_owner(s, 1 + (unsigned)story_below(50));
		break;
	case 3:
		if (s->m.n > 1)
			del_owner(s, story_any(s));
		break;
	case 4:
		if (s->m.n > 1)
			story_del_range(s, story_any(s), story_below(300));
		break;
	case 5:
		change_ttl(s, 1 + (unsigned)story_below(10));
		break;
	case 6:
		change_case(s, 1 + (unsigned)story_below(10));
		break;
	case 7:
		no_ops(s, 1 + (unsigned)story_below(5));
		break;
	case 8:
		story_add_alike(s);
		break;
	case 9:
		del_alike(s);
		break;
	case 10:
	case 11:
	case 12:
		story_at_boundary(s);
		break;
	case 13:
		giant(s);
		break;
	case 14:
		if (s->m.n > 1) /* the last owner, or the first behind the apex */
			del_owner(s, story_below(2) == 0 ? s->m.n - 1 : 1);
		break;
	default:
		if (story_below(20) == 0)
			story_del_range(s, 1, s->m.n);
		else
			story_add_some(s, (unsigned)story_below(300));
		break;
	}
}

static void
bump_serial(struct story *s)
{
	struct rr rr;

	gen_soa(&story_gen, s->m.apex, s->serial, &rr);
	story_del(s, &rr);
	gen_soa(&story_gen, s->m.apex, ++s->serial, &rr);
	story_add(s, &rr);
}

/* ---- the checks ---- */

static int
to_downstream(void *arg, const struct delta_chunk *c, struct zr_err *e)
{
	struct buf *b = arg;

	(void)e;
	buf_u32(b, (uint32_t)c->len);
	buf_bytes(b, c->data, c->len);
	return 0;
}

/* Net changes through delta chunks to the downstream's copy: deletions first. */
static void
send_delta(struct story *s)
{
	struct buf part[2] = {BUF_INIT, BUF_INIT};
	struct deltapack *d[2];
	struct unpacker *u = unpacker_new(s->m.apex);
	struct change c;
	struct rr rr;
	struct rd rd;
	size_t n;

	for (unsigned i = 0; i < 2; i++)
		d[i] = deltapack_new(s->m.apex, to_downstream, &part[i]);
	assert_int_equal(changes_sort(s->c, NULL), 0);
	while (changes_next(s->c, &c, NULL) > 0) {
		if (c.op == CHANGE_DEL || c.op == CHANGE_REPLACE)
			assert_int_equal(deltapack_add(d[0], &c.rr, NULL), 0);
		if (c.op == CHANGE_ADD || c.op == CHANGE_REPLACE)
			assert_int_equal(deltapack_add(d[1], &c.rr, NULL), 0);
	}
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(deltapack_flush(d[i], NULL), 0);
		deltapack_free(d[i]);
		rd_init(&rd, part[i].data, part[i].len);
		while (rd_left(&rd) > 0) {
			n = rd_u32(&rd);
			unpacker_start(u, rd_bytes(&rd, n), n);
			while (unpacker_next(u, &rr, NULL) > 0) {
				if (i == 0)
					assert_true(model_del(&s->down, &rr));
				else
					assert_false(model_put(&s->down, &rr));
			}
		}
		buf_clear(&part[i]);
	}
	unpacker_free(u);
}

static void
check_layout(const struct story *s, const struct patch *p)
{
	struct stored_list want = {0};
	struct version_sum sum;
	const char *what;

	stored_pack(&want, &s->m);
	what = stored_differ(&s->rig.now, &want);
	if (what != NULL)
		fail_msg("serial %u: layouts differ in %s", s->serial, what);
	sum = stored_sum(&want);
	assert_memory_equal(&sum, patch_sum(p), sizeof(sum));
	assert_int_equal(patch_count(p)->written, s->rig.written);
	assert_int_equal(patch_count(p)->killed, s->rig.killed);
	stored_clear(&want);
}

static void
check_diff(const struct story *s, const struct model *before)
{
	struct model m;
	struct diff_count count;
	struct rr soa;

	model_copy(&m, before);
	assert_true(rig_diff(&s->rig.base, &s->rig.now, &m, &count));
	gen_soa(&story_gen, m.apex, s->serial, &soa); /* the caller's part */
	model_del(&m, m.v[0]);
	model_put(&m, &soa);
	assert_true(model_equal(&m, &s->m));
	model_clear(&m);
}

void
story_apply(struct story *s)
{
	struct model track;
	struct version_sum base = stored_sum(&s->rig.base);
	struct patch *p;
	struct zr_err e = {0};

	stored_clear(&s->rig.now);
	stored_copy(&s->rig.now, &s->rig.base);
	s->rig.written = s->rig.killed = 0;
	assert_int_equal(changes_sort(s->c, NULL), 0);
	track = (struct model){0};
	memcpy(track.apex, s->m.apex, sizeof(track.apex));
	assert_true(stored_unpack(&s->rig.base, &track));
	s->rig.track = &track;
	p = patch_new(s->m.apex, &rig_patch_ops, &s->rig, s->c, &base, s->readd ? PATCH_READD : 0);
	if (rig_run(p, (unsigned)story_below(20), &e) != PATCH_DONE)
		fail_msg("serial %u: %s", s->serial, e.text);
	check_layout(s, p);
	assert_true(model_equal(&track, &s->m));
	model_clear(&track);
	s->rig.track = NULL;
	patch_free(p);
}

/* Lists records again that are there, with their TTL. */
static void
add_again(struct story *s)
{
	for (unsigned n = (unsigned)story_below(30); n-- > 0 && s->m.n > 1;)
		assert_int_equal(changes_add(s->c, s->m.v[story_any(s)], NULL), 0);
}

void
story_step(struct story *s)
{
	struct model before;
	unsigned sequences = 1 + (unsigned)story_below(3);

	model_copy(&before, &s->m);
	s->c = changes_new(s->m.apex, LIMIT);
	if (s->readd)
		changes_allow_readd(s->c);
	while (sequences-- > 0) {
		for (unsigned n = (unsigned)story_below(4); n-- > 0;)
			change_something(s);
		bump_serial(s);
	}
	if (s->readd)
		add_again(s);
	story_apply(s);
	check_diff(s, &before);
	if (s->readd) { /* what is sent on is what changed, not what was received */
		model_clear(&s->down);
		model_copy(&s->down, &s->m);
	} else {
		send_delta(s);
	}
	rig_commit(&s->rig);
	changes_free(s->c);
	model_clear(&before);
}

void
story_begin(struct story *s, uint64_t seed, unsigned records)
{
	struct rr rr;

	gen_init(&story_gen, seed);
	*s = (struct story){.serial = 1};
	model_init(&s->m, seed % 3 == 0 ? "." : "Zone.Example.");
	story_gen.odd = seed % 2 == 0;
	story_gen.nsec3 = seed % 4 == 3 ? 30 : 5;
	story_gen.rdata = seed % 5 == 0 ? 700 : 90;
	story_gen.owners = seed % 4 == 1 ? 12 : 500;
	gen_soa(&story_gen, s->m.apex, s->serial, &rr);
	model_put(&s->m, &rr);
	for (unsigned i = 0; i < records; i++) {
		gen_rr(&story_gen, s->m.apex, &rr);
		model_put(&s->m, &rr);
	}
	model_copy(&s->down, &s->m);
	rig_load(&s->rig, &s->m);
}

void
story_end(struct story *s)
{
	assert_true(model_equal(&s->m, &s->down));
	model_clear(&s->m);
	model_clear(&s->down);
	rig_clear(&s->rig);
}
