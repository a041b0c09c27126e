/* SPDX-License-Identifier: BSD-2-Clause */
/* Chains of differences: found, read, trimmed, dropped (A-10, I-22, I-25). */
#include "tests/unit/store/util.h"

#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A version with one more segment and the steps from -> ... -> serial, each `chunks` long. */
static struct store_order *
version(struct fx *b, uint32_t serial, const uint32_t *steps, unsigned n, unsigned chunks)
{
	struct version v;

	fx_version(b, &v, "a", serial);
	fx_put(&v, (unsigned)v.version, 1, 100);
	for (unsigned i = 0; i + 1 < n; i++)
		fx_step(&v, i, steps[i], steps[i + 1], chunks);
	return fx_commit(&v);
}

static void
step(struct fx *b, uint32_t from, uint32_t to)
{
	fx_ok(b, version(b, to, (uint32_t[]){from, to}, 2, 1));
}

/* -1: send the whole zone; else the octets of the difference. */
static int
find(struct fx *b, uint32_t serial, int64_t v)
{
	struct journal_pos first;
	uint64_t octets = 0;
	struct zr_err e = {0};
	int rc = reader_journal_find(b->r, 1, serial, v, &first, &octets, &e);

	if (rc < 0)
		fail_msg("%s", e.text);
	return rc > 0 ? (int)octets : -1;
}

/* The chunks as "serial/part.chunk ", where serial is that of the SOA before or after. */
static const char *
read_all(struct fx *b, uint32_t serial, int64_t v)
{
	static char text[4000];
	struct buf data = BUF_INIT;
	struct journal_pos pos;
	struct zr_err e = {0};
	size_t len = 0;
	uint64_t octets, sum = 0;
	uint32_t rrs;
	int rc;

	assert_int_equal(reader_journal_find(b->r, 1, serial, v, &pos, &octets, &e), 1);
	text[0] = '\0';
	while ((rc = reader_journal_chunk(b->r, 1, v, &pos, &data, &rrs, &e)) > 0) {
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%u/%u.%u ",
		    get_u32(data.data), data.data[4], data.data[5]);
		assert_int_equal(rrs, 1u + data.data[5]);
		sum += data.len;
		buf_reset(&data);
	}
	if (rc < 0)
		fail_msg("%s", e.text);
	assert_int_equal(sum, octets);
	buf_clear(&data);
	return text;
}

static void
test_chain(void **state)
{
	struct fx *b = *state;

	fx_zone(b, "a");
	fx_load(b, "a", 10, "900");
	assert_int_equal(find(b, 10, 1), -1); /* nothing leads anywhere yet */
	step(b, 10, 11);
	fx_ok(b, version(b, 14, (uint32_t[]){11, 12, 14}, 3, 2));
	step(b, 14, 20);
	assert_int_equal(find(b, 10, 4), 200 + 800 + 200);
	assert_int_equal(find(b, 11, 4), 800 + 200);
	assert_int_equal(find(b, 12, 4), 400 + 200);
	assert_int_equal(find(b, 14, 4), 200);
	assert_int_equal(find(b, 20, 4), -1);
	assert_int_equal(find(b, 13, 4), -1);
	assert_int_equal(find(b, 9, 4), -1);
	assert_string_equal(read_all(b, 12, 4), "12/0.0 12/0.1 14/1.0 14/1.1 14/0.0 20/1.0 ");
	assert_string_equal(read_all(b, 10, 4), "10/0.0 11/1.0 11/0.0 11/0.1 12/1.0 12/1.1 "
						"12/0.0 12/0.1 14/1.0 14/1.1 14/0.0 20/1.0 ");
	/* A stream that began before the last commit still goes to its own version. */
	assert_int_equal(find(b, 11, 3), 800);
	assert_string_equal(read_all(b, 12, 3), "12/0.0 12/0.1 14/1.0 14/1.1 ");
}

static void
test_staged_steps_are_not_found(void **state)
{
	struct fx *b = *state;
	struct version v;

	fx_zone(b, "a");
	fx_load(b, "a", 1, "900");
	step(b, 1, 2);
	fx_version(b, &v, "a", 3);
	fx_step(&v, 0, 2, 3, 1);
	fx_ok(b, fx_stage(&v));
	assert_int_equal(find(b, 1, 2), 200);
	assert_string_equal(read_all(b, 1, 2), "1/0.0 2/1.0 ");
	fx_ok(b, fx_commit(&v));
	assert_int_equal(find(b, 1, 3), 400);
}

static void
test_serials_run_round_the_circle(void **state)
{
	struct fx *b = *state;

	fx_zone(b, "a");
	fx_load(b, "a", 0xfffffff0u, "900");
	step(b, 0xfffffff0u, 0xffffffffu);
	step(b, 0xffffffffu, 0);
	step(b, 0, 0x7fffffffu);
	assert_int_equal(find(b, 0xfffffff0u, 4), 600);
	assert_int_equal(find(b, 0xffffffffu, 4), 400);
	assert_int_equal(find(b, 0, 4), 200);
	assert_string_equal(
	    read_all(b, 0xffffffffu, 4), "4294967295/0.0 0/1.0 0/0.0 2147483647/1.0 ");
	/* Once round: the same serial starts two steps, so who holds it may hold either content. */
	step(b, 0x7fffffffu, 0xfffffff0u);
	step(b, 0xfffffff0u, 0xfffffff1u);
	assert_int_equal(find(b, 0xfffffff0u, 6), -1);
	assert_int_equal(find(b, 0xffffffffu, 6), 800);
}

static void
test_gap_breaks_the_chain(void **state)
{
	struct fx *b = *state;

	fx_zone(b, "a");
	fx_load(b, "a", 1, "900");
	step(b, 1, 2);
	fx_load(b, "a", 3, "800"); /* came without a difference */
	assert_int_equal(find(b, 1, 3), -1);
	assert_int_equal(find(b, 2, 3), -1);
	step(b, 3, 4);
	assert_int_equal(find(b, 3, 4), 200);
	assert_int_equal(find(b, 2, 4), -1);
	assert_int_equal(find(b, 1, 4), -1);
	/* Steps whose serials do not meet are no chain either, whoever made them. */
	step(b, 5, 6);
	assert_int_equal(find(b, 5, 5), 200);
	assert_int_equal(find(b, 3, 5), -1);
}

static void
test_drop(void **state)
{
	struct fx *b = *state;
	struct store_order *o;

	fx_zone(b, "a");
	fx_load(b, "a", 1, "900");
	step(b, 1, 2);
	step(b, 2, 3);
	o = version(b, 9, (uint32_t[]){3, 9}, 2, 1);
	o->commit.drop_journal = true;
	fx_ok(b, o);
	assert_int_equal(find(b, 3, 4), -1); /* its own step is void, too */
	assert_int_equal(find(b, 1, 4), -1);
	step(b, 9, 10);
	assert_int_equal(find(b, 9, 5), 200);
	assert_int_equal(find(b, 3, 5), -1);
	o = store_order_new(STORE_SWEEP, 1);
	o->sweep.keep_version = 5;
	fx_ok(b, o);
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM journal"), 2);
	assert_int_equal(find(b, 9, 5), 200);
}

static void
test_limits(void **state)
{
	struct fx *b = *state;
	struct store_order *o;

	fx_zone(b, "a");
	fx_load(b, "a", 0, "900");
	for (uint32_t i = 0; i < 20; i++) {
		o = version(b, i + 1, (uint32_t[]){i, i + 1}, 2, 1);
		o->commit.journal_max_steps = 5;
		fx_ok(b, o);
	}
	assert_int_equal(find(b, 15, 21), 1000);
	assert_int_equal(find(b, 14, 21), -1);
	/* By octets: 200 a step. */
	o = version(b, 21, (uint32_t[]){20, 21}, 2, 1);
	o->commit.journal_max_octets = 799;
	fx_ok(b, o);
	assert_int_equal(find(b, 18, 22), 600);
	assert_int_equal(find(b, 17, 22), -1);
	/* A version of many steps stays whole while its octets fit, and pushes out the others. */
	o = version(b, 29, (uint32_t[]){21, 22, 23, 24, 25, 26, 27, 28, 29}, 9, 1);
	o->commit.journal_max_steps = 5;
	fx_ok(b, o);
	assert_int_equal(find(b, 21, 23), 1600);
	assert_int_equal(find(b, 20, 23), -1);
	/* More octets than allowed: the zone itself is cheaper (I-22). */
	o = version(b, 30, (uint32_t[]){29, 30}, 2, 5);
	o->commit.journal_max_octets = 999;
	fx_ok(b, o);
	assert_int_equal(find(b, 29, 24), -1);
	step(b, 30, 31);
	assert_int_equal(find(b, 30, 25), 200);
	/* No journal wanted. */
	o = version(b, 32, (uint32_t[]){31, 32}, 2, 1);
	o->commit.journal_max_steps = 0;
	fx_ok(b, o);
	assert_int_equal(find(b, 31, 26), -1);
}

/* A difference that is not what was written is not sent; one of an earlier release has no sum. */
static void
test_spoiled_step(void **state)
{
	struct fx *b = *state;
	struct journal_pos pos, first;
	struct buf data = BUF_INIT;
	struct zr_err e = {0};
	uint64_t octets;
	uint32_t rrs;

	fx_zone(b, "a");
	fx_load(b, "a", 0, "900");
	fx_ok(b, version(b, 1, (uint32_t[]){0, 1}, 2, 1));
	assert_int_equal(reader_journal_find(b->r, 1, 0, 2, &first, &octets, &e), 1);
	fx_sql(b, "UPDATE content SET data = randomblob(length(data)) "
		  "WHERE id IN (SELECT id FROM journal)");
	pos = first;
	assert_int_equal(reader_journal_chunk(b->r, 1, 2, &pos, &data, &rrs, &e), -1);
	assert_int_equal(e.code, ZR_DAMAGED);
	fx_sql(b, "UPDATE content SET sum = NULL");
	pos = first;
	buf_reset(&data);
	assert_int_equal(reader_journal_chunk(b->r, 1, 2, &pos, &data, &rrs, &e), 1);
	buf_clear(&data);
}

/* A stream that reads a step keeps it by keep_version; without that it notices the hole. */
static void
test_sweep_and_streams(void **state)
{
	struct fx *b = *state;
	struct journal_pos pos;
	struct buf data = BUF_INIT;
	struct store_order *o;
	struct zr_err e = {0};
	uint64_t octets;
	uint32_t rrs;

	fx_zone(b, "a");
	fx_load(b, "a", 0, "900");
	for (uint32_t i = 0; i < 6; i++)
		fx_ok(b, version(b, i + 1, (uint32_t[]){i, i + 1}, 2, 2));
	assert_int_equal(reader_journal_find(b->r, 1, 2, 7, &pos, &octets, &e), 1);
	assert_int_equal(pos.version, 4);
	assert_int_equal(reader_journal_chunk(b->r, 1, 7, &pos, &data, &rrs, &e), 1);
	o = version(b, 7, (uint32_t[]){6, 7}, 2, 1);
	o->commit.journal_max_steps = 1;
	fx_ok(b, o);
	o = store_order_new(STORE_SWEEP, 1);
	o->sweep.keep_version = 4;
	fx_ok(b, o);
	assert_int_equal(fx_sql(b, "SELECT min(version) FROM journal"), 4);
	for (int i = 0; i < 15; i++)
		assert_int_equal(reader_journal_chunk(b->r, 1, 7, &pos, &data, &rrs, &e), 1);
	assert_int_equal(reader_journal_chunk(b->r, 1, 7, &pos, &data, &rrs, &e), 0);

	pos = (struct journal_pos){.version = 4, .part = 1, .chunk = 1};
	o = store_order_new(STORE_SWEEP, 1);
	o->sweep.keep_version = 5;
	fx_ok(b, o);
	assert_int_equal(reader_journal_chunk(b->r, 1, 7, &pos, &data, &rrs, &e), -1);
	assert_int_equal(e.code, ZR_NOTFOUND);
	buf_clear(&data);
}

/* ---- damage ---- */

/* 1 to the end, 0, or -1 with *e. */
static int
read_through(struct fx *b, uint32_t serial, int64_t v, struct zr_err *e)
{
	struct buf data = BUF_INIT;
	struct journal_pos pos;
	uint64_t octets;
	uint32_t rrs;
	int rc = reader_journal_find(b->r, 1, serial, v, &pos, &octets, e);

	if (rc == 1)
		while ((rc = reader_journal_chunk(b->r, 1, v, &pos, &data, &rrs, e)) > 0)
			;
	buf_clear(&data);
	return rc;
}

static void
test_damaged_chunk(void **state)
{
	static const char *const spoil[] = {
	    "UPDATE content SET data = zeroblob(100) WHERE id = (SELECT max(id) FROM journal)",
	    "UPDATE content SET sum = sum + 1 WHERE id = (SELECT max(id) - 3 FROM journal)",
	    "DELETE FROM content WHERE id = (SELECT max(id) FROM journal WHERE part = 0)"};
	struct fx *b = *state;
	struct zr_err e;
	uint32_t serial = 1;

	fx_zone(b, "a");
	fx_load(b, "a", 1, "900");
	for (size_t i = 0; i < sizeof(spoil) / sizeof(spoil[0]); i++) {
		step(b, serial, serial + 1);
		step(b, serial + 1, serial + 2);
		serial += 2;
		e = (struct zr_err){0};
		assert_int_equal(read_through(b, serial - 2, serial, &e), 0);
		fx_sql(b, spoil[i]);
		assert_int_equal(read_through(b, serial - 2, serial, &e), -1);
		assert_int_equal(e.code, ZR_DAMAGED);
		assert_non_null(strstr(e.text, b->path));
		/* Dropped: whoever asks gets the whole zone, until there is a step again. */
		fx_ok(b, store_order_new(STORE_JOURNAL_VOID, 1));
		assert_int_equal(find(b, serial - 2, serial), -1);
		assert_int_equal(find(b, serial - 1, serial), -1);
		assert_int_equal(fx_sql(b, "SELECT journal_steps + journal_octets FROM zone"), 0);
	}
	step(b, serial, serial + 1);
	assert_int_equal(find(b, serial, serial + 1), 200);
	assert_int_equal(find(b, serial - 1, serial + 1), -1);
	/* What is void is swept like any other, and the file is in order. */
	for (bool more = true; more;) {
		struct store_order *o = store_order_new(STORE_SWEEP, 1);

		o->sweep.keep_version = serial + 1;
		o = fx_run(b, o);
		assert_int_equal(o->err.code, ZR_OK);
		more = o->sweep.more;
		store_order_free(o);
	}
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM journal"), 2);
}

/* ---- ambiguous serials ---- */

static struct store_order *
changed(struct fx *b, uint32_t serial)
{
	struct store_order *o;
	struct version v;

	fx_version(b, &v, "a", serial);
	fx_put(&v, (unsigned)v.version, 1, 100);
	o = fx_commit(&v);
	o->commit.drop_journal = true;
	o->commit.ambiguous = true;
	return o;
}

static bool
own_is_ambiguous(struct fx *b)
{
	struct store_zone *z = fx_zone_row(b, "a");
	bool yes = z->ambiguous;

	free(z);
	return yes;
}

static void
test_same_serial_is_ambiguous(void **state)
{
	struct fx *b = *state;
	struct store_order *o;

	fx_zone(b, "a");
	fx_load(b, "a", 5, "900");
	assert_false(own_is_ambiguous(b));
	fx_ok(b, changed(b, 5));
	assert_true(own_is_ambiguous(b)); /* our own next refresh: AXFR (A-10 (4)) */
	step(b, 5, 6);
	assert_false(own_is_ambiguous(b));
	/* The difference is there, but who holds 5 may hold the older content (A-10 (2)). */
	assert_int_equal(find(b, 5, 3), -1);
	step(b, 6, 7);
	assert_int_equal(find(b, 6, 4), 200);
	assert_int_equal(find(b, 5, 4), -1);
	/* One EXPIRE (1000 s) after the serial was left nobody can hold it any more. */
	o = version(b, 8, (uint32_t[]){7, 8}, 2, 1);
	o->commit.loaded_at.us = (1 + 999) * ZR_US_PER_S;
	fx_ok(b, o);
	assert_int_equal(find(b, 5, 5), -1);
	o = version(b, 9, (uint32_t[]){8, 9}, 2, 1);
	o->commit.loaded_at.us = (1 + 1001) * ZR_US_PER_S;
	fx_ok(b, o);
	assert_int_equal(find(b, 5, 6), 800);
}

static void
test_lower_serial_makes_a_range(void **state)
{
	struct fx *b = *state;

	fx_zone(b, "a");
	fx_load(b, "a", 0xfffffffau, "900");
	fx_ok(b, changed(b, 0xfffffff0u));
	assert_true(own_is_ambiguous(b));
	step(b, 0xfffffff0u, 0xfffffff5u);
	assert_true(own_is_ambiguous(b)); /* still on ground that was walked before */
	assert_int_equal(find(b, 0xfffffff0u, 3), -1);
	step(b, 0xfffffff5u, 0xfffffffau);
	step(b, 0xfffffffau, 3);
	assert_false(own_is_ambiguous(b));
	step(b, 3, 4);
	for (uint32_t s = 0xfffffff0u; s <= 0xfffffffau; s++)
		assert_int_equal(find(b, s, 6), -1);
	assert_int_equal(find(b, 3, 6), 200);
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM ambiguous"), 1);
}

static void
test_ambiguous_rows_are_bounded(void **state)
{
	struct fx *b = *state;

	fx_zone(b, "a");
	fx_load(b, "a", 1, "900");
	for (uint32_t i = 0; i < 100; i++)
		fx_ok(b, changed(b, i % 2 == 0 ? 1000 + i : 2000 + i));
	assert_true(fx_sql(b, "SELECT count(*) FROM ambiguous") <= 64);
	step(b, 2099, 3000);
	assert_int_equal(find(b, 2099, 102), -1);
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM ambiguous WHERE until = 0"), 0);
}

static void
settle(struct fx *b, int64_t version)
{
	struct store_order *o = store_order_new(STORE_AMBIGUOUS_CLEAR, 1);

	o->settle.version = version;
	fx_ok(b, o);
}

/* Every downstream has fetched the zone since: nobody holds the older content (A-10 (2)). */
static void
test_settled_serials_are_not_ambiguous(void **state)
{
	struct fx *b = *state;

	fx_zone(b, "a");
	fx_load(b, "a", 5, "900");
	fx_ok(b, changed(b, 5)); /* version 2 */
	step(b, 5, 6);
	assert_int_equal(find(b, 5, 3), -1);
	settle(b, 1); /* they have fetched what was before it: that says nothing */
	assert_int_equal(find(b, 5, 3), -1);
	settle(b, 2);
	assert_int_equal(find(b, 5, 3), 200);
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM ambiguous"), 0);
	settle(b, 0); /* nothing left: nothing happens */
}

static void
test_settled_serial_that_is_ours(void **state)
{
	struct fx *b = *state;

	fx_zone(b, "a");
	fx_load(b, "a", 5, "900");
	fx_ok(b, changed(b, 5));
	settle(b, 2);
	/* It is the primary's journal that may start from other content (A-10 (4)). */
	assert_true(own_is_ambiguous(b));
	step(b, 5, 6);
	assert_false(own_is_ambiguous(b));
	assert_int_equal(find(b, 5, 3), 200);
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM ambiguous"), 0);
	/* A second change under one serial makes it ambiguous once more. */
	fx_ok(b, changed(b, 6));
	settle(b, 4);
	fx_ok(b, changed(b, 6));
	settle(b, 4); /* the answer to what was before comes late */
	assert_int_equal(fx_sql(b, "SELECT cleared FROM ambiguous"), 0);
	step(b, 6, 7);
	assert_int_equal(find(b, 6, 6), -1);
	settle(b, 0); /* whatever it is */
	assert_int_equal(find(b, 6, 6), 200);
}

/* Within a range that was walked before, each step keeps it. */
static void
test_settled_range(void **state)
{
	struct fx *b = *state;

	fx_zone(b, "a");
	fx_load(b, "a", 100, "900");
	fx_ok(b, changed(b, 90));
	step(b, 90, 95);
	assert_int_equal(find(b, 90, 3), -1);
	settle(b, 3);
	assert_int_equal(find(b, 90, 3), 200);
	step(b, 95, 96);
	assert_int_equal(find(b, 95, 4), 200);
	assert_true(own_is_ambiguous(b));
	/* The same range again. */
	fx_ok(b, changed(b, 101));
	fx_ok(b, changed(b, 90));
	step(b, 90, 91);
	assert_int_equal(find(b, 90, 7), -1);
	step(b, 91, 102);
	assert_int_equal(find(b, 95, 8), -1);
	assert_int_equal(find(b, 90, 8), -1);
	settle(b, 0);
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM ambiguous"), 0);
	assert_int_equal(find(b, 90, 8), 400);
}

/* Also when there were too many to keep them apart. */
static void
test_settled_circle(void **state)
{
	struct fx *b = *state;

	fx_zone(b, "a");
	fx_load(b, "a", 1, "900");
	for (uint32_t i = 0; i < 65; i++)
		fx_ok(b, changed(b, i % 2 == 0 ? 1000 + i : 2000 + i));
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM ambiguous WHERE high = 4294967295"), 1);
	assert_true(own_is_ambiguous(b));
	settle(b, 66);
	assert_true(own_is_ambiguous(b));
	step(b, 1064, 3000);
	assert_int_equal(find(b, 1064, 67), 200);
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM ambiguous"), 0);
}

static const struct CMUnitTest tests[] = {
    FX_TEST(test_chain),
    FX_TEST(test_staged_steps_are_not_found),
    FX_TEST(test_serials_run_round_the_circle),
    FX_TEST(test_gap_breaks_the_chain),
    FX_TEST(test_drop),
    FX_TEST(test_limits),
    FX_TEST(test_spoiled_step),
    FX_TEST(test_sweep_and_streams),
    FX_TEST(test_damaged_chunk),
    FX_TEST(test_same_serial_is_ambiguous),
    FX_TEST(test_lower_serial_makes_a_range),
    FX_TEST(test_ambiguous_rows_are_bounded),
    FX_TEST(test_settled_serials_are_not_ambiguous),
    FX_TEST(test_settled_serial_that_is_ours),
    FX_TEST(test_settled_range),
    FX_TEST(test_settled_circle),
};

int
main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
