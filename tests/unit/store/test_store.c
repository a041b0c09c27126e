/* SPDX-License-Identifier: BSD-2-Clause */
/* Versions, orders and what readers see of them. */
#include "tests/unit/store/util.h"

#include "base/mem.h"
#include "store/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
test_zone_life(void **state)
{
	struct fx *b = *state;
	int64_t id = fx_zone(b, "a");
	struct store_zone *z = fx_zone_row(b, "a");

	assert_int_equal(z->id, id);
	assert_false(z->has_data);
	assert_int_equal(z->version, 0);
	free(z);
	assert_int_equal(fx_zone(b, "a"), id); /* taken over */
	assert_int_not_equal(fx_zone(b, "b"), id);
	assert_null(fx_zone_row(b, "c"));
}

static void
test_stage_is_invisible_until_commit(void **state)
{
	struct fx *b = *state;
	struct store_zone *z;
	struct version v;

	fx_zone(b, "a");
	fx_version(b, &v, "a", 7);
	fx_put(&v, 1, 1, 100);
	fx_put(&v, 2, 1, 14000);
	fx_ok(b, fx_stage(&v));
	fx_put(&v, 3, 1, 9000);
	assert_string_equal(fx_list(b, v.zone, 0), "");
	z = fx_zone_row(b, "a");
	assert_int_equal(z->version, 0);
	free(z);
	fx_ok(b, fx_commit(&v));
	z = fx_zone_row(b, "a");
	assert_true(z->has_data);
	assert_int_equal(z->version, 1);
	assert_int_equal(z->serial, 7);
	assert_int_equal(z->segments, 3);
	assert_int_equal(z->octets, 23100);
	assert_int_equal(z->records, 6);
	assert_int_equal(z->soa_len, 22);
	assert_memory_equal(z->soa_owner, "\001Z\007eXample", 11);
	assert_int_equal(z->expire_at.us, 3000000);
	free(z);
	assert_string_equal(fx_list(b, v.zone, 1), "1:1 2:1 3:1 ");
	assert_string_equal(fx_list(b, v.zone, 0), "");
}

static void
test_versions_stand_side_by_side(void **state)
{
	struct fx *b = *state;
	struct store_order *o;
	struct version v;

	fx_zone(b, "a");
	fx_load(b, "a", 1, "10 20 30");
	fx_version(b, &v, "a", 2);
	fx_kill(b, &v, 20, 1, 100);
	fx_put(&v, 20, 2, 100);
	fx_put(&v, 25, 2, 100);
	fx_ok(b, fx_commit(&v));
	fx_version(b, &v, "a", 3);
	fx_kill(b, &v, 20, 2, 100);
	fx_kill(b, &v, 10, 1, 100);
	fx_ok(b, fx_commit(&v));
	assert_string_equal(fx_list(b, v.zone, 1), "10:1 20:1 30:1 ");
	assert_string_equal(fx_list(b, v.zone, 2), "10:1 20:2 25:2 30:1 ");
	assert_string_equal(fx_list(b, v.zone, 3), "25:2 30:1 ");

	/* Version 2 is still being read. */
	o = store_order_new(STORE_SWEEP, v.zone);
	o->sweep.keep_version = 2;
	fx_run(b, o);
	assert_int_equal(o->err.code, ZR_OK);
	assert_false(o->sweep.more);
	store_order_free(o);
	assert_string_equal(fx_list(b, v.zone, 1), "10:1 30:1 "); /* no longer whole */
	assert_string_equal(fx_list(b, v.zone, 2), "10:1 20:2 25:2 30:1 ");
	o = store_order_new(STORE_SWEEP, v.zone);
	o->sweep.keep_version = INT64_MAX;
	fx_ok(b, o);
	assert_string_equal(fx_list(b, v.zone, 3), "25:2 30:1 ");
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM content"), 2);
}

/* What is staged ends segments with a version to come: sweeping must not take it for the past. */
static void
test_sweep_leaves_staged_kills(void **state)
{
	struct fx *b = *state;
	struct store_order *o;
	struct version v;

	fx_zone(b, "a");
	fx_load(b, "a", 1, "10 20");
	fx_version(b, &v, "a", 2);
	fx_kill(b, &v, 10, 1, 100);
	fx_ok(b, fx_stage(&v));
	o = store_order_new(STORE_SWEEP, v.zone);
	o->sweep.keep_version = INT64_MAX;
	fx_ok(b, o);
	assert_string_equal(fx_list(b, v.zone, 1), "10:1 20:1 ");
	fx_ok(b, fx_commit(&v));
	assert_string_equal(fx_list(b, v.zone, 2), "20:1 ");
}

static void
test_sweep_is_bounded(void **state)
{
	struct fx *b = *state;
	struct store_order *o;
	struct version v;
	int rounds = 0;
	bool more;

	fx_zone(b, "a");
	fx_version(b, &v, "a", 1);
	for (unsigned i = 0; i < 1000; i++)
		fx_put(&v, i, 1, 100);
	fx_ok(b, fx_commit(&v));
	fx_version(b, &v, "a", 2);
	for (unsigned i = 0; i < 1000; i++)
		fx_kill(b, &v, i, 1, 100);
	fx_put(&v, 5, 2, 100);
	fx_ok(b, fx_commit(&v));
	do {
		o = fx_run(b, store_order_new(STORE_SWEEP, v.zone));
		assert_int_equal(o->err.code, ZR_OK);
		store_order_free(o);
		o = store_order_new(STORE_SWEEP, v.zone);
		o->sweep.keep_version = 2;
		fx_run(b, o);
		more = o->sweep.more;
		store_order_free(o);
		rounds++;
	} while (more);
	assert_true(rounds >= 3);
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM content"), 1);
}

static int
look(int (*f)(struct reader *, int64_t, int64_t, const uint8_t *, size_t, struct segment_row *,
	 struct zr_err *),
    struct fx *b, int64_t zone, int64_t version, unsigned key)
{
	uint8_t k[2] = {(uint8_t)(key >> 8), (uint8_t)key};
	struct segment_row row;
	struct zr_err e = {0};
	int rc = f(b->r, zone, version, k, 2, &row, &e);

	assert_true(rc >= 0);
	return rc == 0 ? -1 : get_u16(row.key);
}

static void
test_find_by_key(void **state)
{
	struct fx *b = *state;
	struct segment_row row;
	struct version v;
	struct zr_err e;
	int64_t z = fx_zone(b, "a");

	fx_load(b, "a", 1, "0 10 20 30");
	fx_version(b, &v, "a", 2);
	fx_kill(b, &v, 20, 1, 100);
	fx_put(&v, 15, 2, 100);
	fx_ok(b, fx_commit(&v));
	assert_int_equal(look(reader_segment_at, b, z, 1, 25), 20);
	assert_int_equal(look(reader_segment_at, b, z, 1, 20), 20);
	assert_int_equal(look(reader_segment_at, b, z, 2, 25), 15);
	assert_int_equal(look(reader_segment_at, b, z, 1, 19), 10);
	assert_int_equal(look(reader_segment_at, b, z, 2, 9999), 30);
	assert_int_equal(look(reader_segment_next, b, z, 2, 15), 30);
	assert_int_equal(look(reader_segment_next, b, z, 1, 15), 20);
	assert_int_equal(look(reader_segment_next, b, z, 2, 30), -1);
	assert_int_equal(look(reader_segment_prev, b, z, 2, 30), 15);
	assert_int_equal(look(reader_segment_prev, b, z, 1, 30), 20);
	assert_int_equal(look(reader_segment_prev, b, z, 1, 0), -1);
	assert_int_equal(look(reader_segment_at, b, z, 0, 20), -1);
	assert_int_equal(look(reader_segment_at, b, z + 1, 1, 20), -1);
	/* A key of no octets comes before all others. */
	assert_int_equal(reader_segment_at(b->r, z, 1, NULL, 0, &row, &e), 0);
	assert_int_equal(reader_segment_next(b->r, z, 1, NULL, 0, &row, &e), 1);
	assert_int_equal(get_u16(row.key), 0);
}

/* A later pass over the version under construction takes back what an earlier one wrote. */
static void
test_kill_takes_back_staged(void **state)
{
	struct fx *b = *state;
	struct version v;

	fx_zone(b, "a");
	fx_version(b, &v, "a", 1);
	fx_put(&v, 10, 1, 100);
	fx_put(&v, 20, 1, 9000);
	fx_ok(b, fx_stage(&v));
	fx_kill(b, &v, 20, 1, 9000);
	fx_put(&v, 20, 2, 100); /* under the same key */
	fx_ok(b, fx_stage(&v));
	assert_string_equal(fx_list(b, v.zone, 1), "10:1 20:2 ");
	fx_ok(b, fx_commit(&v));
	assert_string_equal(fx_list(b, v.zone, 1), "10:1 20:2 ");
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM content"), 2);
}

static void
test_kill_of_what_does_not_live(void **state)
{
	struct fx *b = *state;
	struct version v, w;

	fx_zone(b, "a");
	fx_zone(b, "b");
	fx_load(b, "a", 1, "10 20");
	fx_load(b, "b", 1, "10 20");
	fx_version(b, &v, "a", 2);
	assert_int_equal(stage_kill(v.batch, 999999, 1, NULL), 0);
	fx_fails(b, fx_stage(&v), ZR_INTERNAL);
	stage_batch_free(v.batch);
	/* Of another zone. */
	fx_version(b, &v, "a", 2);
	fx_version(b, &w, "b", 2);
	fx_kill(b, &w, 10, 1, 100);
	w.zone = v.zone;
	fx_fails(b, fx_stage(&w), ZR_INTERNAL);
	stage_batch_free(w.batch);
	/* Twice. */
	fx_kill(b, &v, 10, 1, 100);
	fx_kill(b, &v, 10, 1, 100);
	fx_fails(b, fx_stage(&v), ZR_INTERNAL);
	stage_batch_free(v.batch);
	assert_string_equal(fx_list(b, v.zone, 1), "10:1 20:1 ");
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM segment WHERE died IS NOT NULL"), 0);
}

static struct store_order *
abort_order(const struct version *v)
{
	struct store_order *o = store_order_new(STORE_ABORT, v->zone);

	o->stage.version = v->version;
	return o;
}

static void
test_abort_forgets(void **state)
{
	struct fx *b = *state;
	struct version v;

	fx_zone(b, "a");
	fx_load(b, "a", 1, "10 20");
	fx_version(b, &v, "a", 2);
	fx_kill(b, &v, 10, 1, 100);
	fx_put(&v, 30, 1, 100);
	fx_step(&v, 0, 1, 2, 3);
	fx_ok(b, fx_stage(&v));
	stage_batch_free(v.batch);
	fx_ok(b, abort_order(&v));
	fx_tidied(b);
	assert_string_equal(fx_list(b, v.zone, 1), "10:1 20:1 ");
	assert_string_equal(fx_list(b, v.zone, 2), "10:1 20:1 ");
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM content"), 2);
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM journal"), 0);
	fx_ok(b, abort_order(&v)); /* nothing is left: no fault */
}

/* The next attempt bears the same version and may begin at once. */
static void
test_stage_after_abort(void **state)
{
	struct fx *b = *state;
	struct store_order *o[2];
	struct version v, w;

	fx_zone(b, "a");
	fx_load(b, "a", 1, "1 2");
	fx_version(b, &v, "a", 2);
	fx_kill(b, &v, 1, 1, 100);
	for (unsigned i = 10; i < 2000; i++)
		fx_put(&v, i, 7, 200);
	fx_ok(b, fx_stage(&v));
	stage_batch_free(v.batch);
	fx_version(b, &w, "a", 2);
	for (unsigned i = 10; i < 30; i++)
		fx_put(&w, i, 8, 100);
	o[0] = abort_order(&v);
	o[1] = fx_stage(&w);
	fx_post(b, o[0]);
	fx_post(b, o[1]);
	assert_ptr_equal(fx_wait(b), o[0]);
	assert_ptr_equal(fx_wait(b), o[1]);
	assert_int_equal(o[0]->err.code, ZR_OK);
	assert_int_equal(o[1]->err.code, ZR_OK);
	assert_true(o[0]->stage.found);
	store_order_free(o[0]);
	store_order_free(o[1]);
	fx_ok(b, fx_commit(&w));
	assert_true(strncmp(fx_list(b, w.zone, 2), "1:1 2:1 10:8 11:8 ", 18) == 0);
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM segment"), 22);
}

/* A commit that staged nothing does not wait for the remains of the attempt before. */
static void
test_commit_after_abort(void **state)
{
	struct fx *b = *state;
	struct version v, w;

	fx_zone(b, "a");
	fx_load(b, "a", 1, "1 2");
	fx_version(b, &v, "a", 2);
	for (unsigned i = 10; i < 3000; i++)
		fx_put(&v, i, 7, 100);
	fx_ok(b, fx_stage(&v));
	stage_batch_free(v.batch);
	fx_version(b, &w, "a", 2);
	fx_put(&w, 10, 8, 100);
	fx_post(b, abort_order(&v));
	fx_post(b, fx_commit(&w));
	store_order_free(fx_wait(b));
	{
		struct store_order *o = fx_wait(b);

		assert_int_equal(o->err.code, ZR_OK);
		store_order_free(o);
	}
	assert_string_equal(fx_list(b, w.zone, 2), "1:1 2:1 10:8 ");
	fx_ok(b, store_order_new(STORE_SYNC, 0));
	usleep(20000); /* chores of the attempt must not touch the version that took its place */
	assert_string_equal(fx_list(b, w.zone, 2), "1:1 2:1 10:8 ");
}

/* Two commits before the store had time for the remains: they are removed once. */
static void
test_two_commits_after_abort(void **state)
{
	struct fx *b = *state;
	struct store_conf conf = {.path = b->path};
	struct zr_err e = {0};
	struct journal_pos pos;
	struct store_order *o;
	struct version v, w;
	uint64_t octets;

	fx_zone(b, "a");
	fx_load(b, "a", 1, "1 2");
	fx_version(b, &v, "a", 2);
	fx_put(&v, 10, 7, 100);
	fx_step(&v, 0, 1, 2, 1);
	fx_ok(b, fx_stage(&v));
	stage_batch_free(v.batch);
	fx_version(b, &w, "a", 2);
	/* Not started: all three are one group. */
	reader_close(b->r);
	store_stop(b->s);
	b->r = NULL;
	assert_int_equal(store_open(&b->s, &conf, &e), 0);
	fx_post(b, abort_order(&v));
	for (uint32_t i = 1; i <= 2; i++) {
		fx_put(&w, 10 + i, 8, 100);
		fx_step(&w, 0, i, i + 1, 1);
		fx_post(b, fx_commit(&w));
		w.version++;
		w.serial++;
		w.batch = stage_batch_new();
	}
	stage_batch_free(w.batch);
	assert_int_equal(store_start(b->s, &e), 0);
	assert_int_equal(reader_open(&b->r, b->path, &e), 0);
	for (int i = 0; i < 3; i++) {
		o = fx_wait(b);
		assert_int_equal(o->err.code, ZR_OK);
		store_order_free(o);
	}
	fx_tidied(b);
	fx_ok(b, store_order_new(STORE_SYNC, 0));
	assert_string_equal(fx_list(b, w.zone, 3), "1:1 2:1 11:8 12:8 ");
	assert_int_equal(reader_journal_find(b->r, w.zone, 1, 3, &pos, &octets, &e), 1);
	assert_int_equal(octets, 400);
}

/* STAGE orders still waiting when their ABORT comes do not come back to life. */
static void
test_abort_overtakes_stage(void **state)
{
	struct fx *b = *state;
	struct store_conf conf = {.path = b->path};
	struct zr_err e = {0};
	struct version v;

	fx_zone(b, "a");
	fx_version(b, &v, "a", 1);
	reader_close(b->r);
	store_stop(b->s);
	b->r = NULL;
	assert_int_equal(store_open(&b->s, &conf, &e), 0);
	for (unsigned i = 0; i < 200; i++) {
		fx_put(&v, i, 1, 100);
		fx_post(b, fx_stage(&v));
	}
	stage_batch_free(v.batch);
	fx_post(b, abort_order(&v));
	assert_int_equal(store_start(b->s, &e), 0);
	for (unsigned i = 0; i < 201; i++) {
		struct store_order *o = fx_wait(b);

		assert_int_equal(o->err.code, ZR_OK);
		store_order_free(o);
	}
	assert_int_equal(reader_open(&b->r, b->path, &e), 0);
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM segment"), 0);
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM staging"), 0);
}

/* ---- what a commit refuses ---- */

static void
test_commit_checks_version_and_sums(void **state)
{
	struct fx *b = *state;
	struct store_order *o;
	struct version v;

	fx_zone(b, "a");
	fx_load(b, "a", 1, "10 20");
	for (int fault = 0; fault < 5; fault++) {
		fx_version(b, &v, "a", 2);
		fx_put(&v, 30, 1, 100);
		o = fx_commit(&v);
		if (fault == 0)
			o->commit.version = 3;
		else if (fault == 1)
			o->commit.version = 1;
		else if (fault == 2)
			o->commit.digest[31] ^= 1;
		else if (fault == 3)
			o->commit.segments++;
		else
			o->zone_id += 1000;
		fx_fails(b, o, fault == 4 ? ZR_NOTFOUND : ZR_INTERNAL);
	}
	fx_version(b, &v, "a", 2);
	v.version = 5;
	fx_put(&v, 30, 1, 100);
	fx_fails(b, fx_stage(&v), ZR_INTERNAL);
	stage_batch_free(v.batch);
	assert_string_equal(fx_list(b, v.zone, 2), "10:1 20:1 ");
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM content"), 2);
	/* And the right one still goes. */
	fx_version(b, &v, "a", 2);
	fx_put(&v, 30, 1, 100);
	fx_ok(b, fx_commit(&v));
}

/* A piece lost on the way (its order failed, nobody looked) never becomes visible. */
static void
test_lost_piece_is_noticed(void **state)
{
	struct fx *b = *state;
	struct version v;
	struct stage_batch *lost;

	fx_zone(b, "a");
	fx_version(b, &v, "a", 1);
	fx_put(&v, 1, 1, 100);
	fx_ok(b, fx_stage(&v));
	fx_put(&v, 2, 1, 100);
	lost = v.batch;
	v.batch = stage_batch_new();
	fx_put(&v, 3, 1, 100);
	fx_fails(b, fx_commit(&v), ZR_INTERNAL);
	stage_batch_free(lost);
	assert_string_equal(fx_list(b, v.zone, 0), "");
	v.batch = NULL;
	fx_ok(b, abort_order(&v));
	fx_tidied(b);
}

static void
test_identical_content(void **state)
{
	struct fx *b = *state;
	struct store_order *o;
	struct store_zone *z;
	struct version v;

	fx_zone(b, "a");
	fx_load(b, "a", 1, "10 20");
	fx_version(b, &v, "a", 1);
	stage_batch_free(v.batch);
	v.batch = NULL;
	o = fx_commit(&v);
	o->commit.content = false;
	o->commit.refresh_at.us = 77;
	o->commit.loaded_at.us = 99;
	o->commit.pending_after = PENDING_CHECK;
	fx_run(b, o);
	assert_int_equal(o->err.code, ZR_OK);
	assert_int_equal(o->commit.version, 1);
	store_order_free(o);
	z = fx_zone_row(b, "a");
	assert_int_equal(z->version, 1);
	assert_int_equal(z->refresh_at.us, 77);
	assert_int_equal(z->loaded_at.us, 1000000); /* still that of the version */
	assert_int_equal(z->pending, PENDING_CHECK);
	free(z);
}

static const struct CMUnitTest tests[] = {
    FX_TEST(test_zone_life),
    FX_TEST(test_stage_is_invisible_until_commit),
    FX_TEST(test_versions_stand_side_by_side),
    FX_TEST(test_sweep_leaves_staged_kills),
    FX_TEST(test_sweep_is_bounded),
    FX_TEST(test_find_by_key),
    FX_TEST(test_kill_takes_back_staged),
    FX_TEST(test_kill_of_what_does_not_live),
    FX_TEST(test_abort_forgets),
    FX_TEST(test_stage_after_abort),
    FX_TEST(test_commit_after_abort),
    FX_TEST(test_two_commits_after_abort),
    FX_TEST(test_abort_overtakes_stage),
    FX_TEST(test_commit_checks_version_and_sums),
    FX_TEST(test_lost_piece_is_noticed),
    FX_TEST(test_identical_content),
};

int
main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
