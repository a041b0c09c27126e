/* SPDX-License-Identifier: BSD-2-Clause */
/* What was spoiled or taken away behind the store's back. */
#include "tests/unit/store/util.h"

#include "store/audit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void
test_spoiled_segment(void **state)
{
	struct fx *b = *state;
	struct buf data = BUF_INIT;
	struct segment_row row;
	struct zr_err e = {0};
	uint8_t key[2] = {0, 2};

	fx_zone(b, "a");
	fx_load(b, "a", 1, "1 2 3");
	assert_int_equal(reader_segment_at(b->r, 1, 1, key, 2, &row, &e), 1);
	assert_int_equal(reader_segment_data(b->r, row.id, &data, &e), 0);
	fx_sql(b, "UPDATE content SET data = zeroblob(100) WHERE id = 2");
	buf_reset(&data);
	assert_int_equal(reader_segment_data(b->r, row.id, &data, &e), -1);
	assert_int_equal(e.code, ZR_DAMAGED);
	assert_non_null(strstr(e.text, b->path));
	/* Written by an earlier release: it is the digest that tells. */
	fx_sql(b, "UPDATE content SET sum = NULL");
	assert_int_equal(reader_segment_data(b->r, row.id, &data, &e), -1);
	assert_int_equal(e.code, ZR_DAMAGED);
	assert_int_equal(data.len, 0);
	/* Several in one transaction, which also ends after a failure. */
	assert_int_equal(reader_segment_at(b->r, 1, 1, (uint8_t[]){0, 1}, 2, &row, &e), 1);
	assert_int_equal(reader_begin(b->r, &e), 0);
	assert_int_equal(reader_segment_data(b->r, row.id, &data, &e), 0);
	assert_int_equal(reader_segment_data(b->r, 99, &data, &e), -1);
	assert_int_equal(e.code, ZR_NOTFOUND);
	reader_end(b->r);
	reader_end(b->r);
	assert_int_equal(reader_begin(b->r, &e), 0);
	reader_end(b->r);
	buf_clear(&data);
}

static struct store_order *
mark(int64_t zone)
{
	struct store_order *o = store_order_new(STORE_MARK, zone);

	o->mark.pending = PENDING_CHECK;
	return o;
}

static void
peer_seen(struct fx *b, int64_t zone, uint32_t serial)
{
	struct store_order *o = store_order_new(STORE_PEER_SEEN, zone);

	o->peer.event = PEER_PRIMARY_SOA;
	snprintf(o->peer.name, sizeof(o->peer.name), "up");
	o->peer.serial = serial;
	o->peer.at.us = serial;
	store_post(b->s, o); /* nobody waits for it */
}

/* Nothing is promised while the file is away; what nobody waits for is made up for, in order. */
static void
test_file_away(void **state)
{
	struct fx *b = *state;
	int64_t zone = fx_zone(b, "a");
	char away[120];

	snprintf(away, sizeof(away), "%s.away", b->path);
	fx_ok(b, mark(zone));
	assert_int_equal(rename(b->path, away), 0);
	fx_fails(b, mark(zone), ZR_DB);
	peer_seen(b, zone, 1);
	fx_fails(b, mark(zone), ZR_DB);
	peer_seen(b, zone, 2);
	fx_fails(b, mark(zone), ZR_DB);
	assert_int_equal(rename(away, b->path), 0);
	fx_ok(b, mark(zone));
	for (int i = 0; i < 100 && fx_sql(b, "SELECT count(*) FROM primary_state") == 0; i++)
		usleep(100000);
	assert_int_equal(fx_sql(b, "SELECT serial FROM primary_state"), 2);
}

/* Also when the end comes before the next try. */
static void
test_file_back_at_the_end(void **state)
{
	struct fx *b = *state;
	int64_t zone = fx_zone(b, "a");
	char away[120];

	snprintf(away, sizeof(away), "%s.away", b->path);
	assert_int_equal(rename(b->path, away), 0);
	peer_seen(b, zone, 1);
	fx_fails(b, mark(zone), ZR_DB);
	assert_int_equal(rename(away, b->path), 0);
	fx_close(b);
	fx_open(b);
	assert_int_equal(fx_sql(b, "SELECT serial FROM primary_state"), 1);
}

static void
test_audit(void **state)
{
	struct fx *b = *state;
	struct audit *a;
	struct audit_zone z;
	struct zr_err e = {0};

	fx_zone(b, "a");
	fx_load(b, "a", 7, "1 2 3");
	assert_int_equal(audit_open(&a, b->path, &e), 0);
	assert_int_equal(audit_zone_next(a, NULL, 0, &z, &e), 1);
	assert_int_equal(z.serial, 7);
	assert_int_equal(z.segments, 3);
	assert_int_equal(audit_zone_next(a, z.name, z.name_len, &z, &e), 0);
	audit_close(a);
}

static const struct CMUnitTest tests[] = {
    FX_TEST(test_spoiled_segment),
    FX_TEST(test_file_away),
    FX_TEST(test_file_back_at_the_end),
    FX_TEST(test_audit),
};

int
main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
