/* SPDX-License-Identifier: BSD-2-Clause */
/* Timers: clamps, jitter, start-up with honest and absurd clocks (T-01..T-13). */
#define ZONERIG_PRIMARIES 1
#include "zonerig_each.h"

#define H INT64_C(3600)
#define D (24 * H)

/* Loads a zone with these timers; how long until the next check and until expiry, in seconds. */
static void
load(uint32_t refresh, uint32_t retry, uint32_t expire, int64_t *check_us, int64_t *expire_us)
{
	rig_start_empty(&r);
	rig_grant(&r);
	rig_soa(&r, 1);
	rig_grant(&r);
	struct zone_arg a = {
	    .attempt = r.attempt, .ready = {.serial = 1, .times = {refresh, retry, expire}}};
	r.commit_times = a.ready.times;
	rig_step(&r, ZONE_EV_XFER_READY, &a);
	rig_store_all(&r);
	*check_us = r.z.refresh_us - r.now.mono.us;
	*expire_us = r.z.expire_us - r.now.mono.us;
}

/* T-11, T-13: the result lies between lo and hi seconds. */
static void
refresh_table(void **state)
{
	static const struct {
		uint32_t refresh, retry, expire;
		int64_t lo, hi;
	} rows[] = {
	    {3600, 600, 604800, 3240, 3600},
	    {0, 600, 604800, 270, 300}, /* below the minimum */
	    {1, 0, 604800, 270, 300},
	    {UINT32_MAX, 600, UINT32_MAX, 28 * D * 9 / 10, 28 * D}, /* above the maximum */
	    {0x80000000, 600, UINT32_MAX, 28 * D * 9 / 10, 28 * D},
	    {86400, 7200, 86400, 76000, 79200}, /* one RETRY before EXPIRE */
	    {86400, 7200, 100000, 77760, 86400},
	    {86400, 7200, 3600, 1800, 1800}, /* half of what there is */
	    {86400, 7200, 60, 60, 60},	     /* no more often than RETRY may be */
	    {86400, 7200, 0, 60, 60},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (unsigned seed = 0; seed < 200; seed++) {
			int64_t check, expire;
			rig_init(&r, 1);
			r.policy.seed = seed;
			load(rows[i].refresh, rows[i].retry, rows[i].expire, &check, &expire);
			assert_in_range(check, rows[i].lo * S, rows[i].hi * S);
			assert_int_equal(expire, rows[i].expire * S);
		}
	}
}

static void
retry_table(void **state)
{
	static const struct {
		uint32_t retry;
		int64_t us;
	} rows[] = {{600, 600}, {0, 60}, {59, 60}, {61, 61}, {UINT32_MAX, 14 * D}};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (unsigned seed = 0; seed < 200; seed++) {
			int64_t check, expire;
			rig_init(&r, 1);
			r.policy.seed = seed;
			load(3600, rows[i].retry, UINT32_MAX, &check, &expire);
			rig_step(&r, ZONE_EV_REFRESH, NULL);
			rig_grant(&r);
			rig_soa_fail(&r, ZR_REFUSED, true);
			int64_t wait = r.z.refresh_us - r.now.mono.us;
			assert_in_range(wait, rows[i].us * S * 9 / 10, rows[i].us * S);
		}
	}
}

static void
expire_bounds(void **state)
{
	int64_t check, expire;

	(void)state;
	r.policy.expire_max_us = 1000 * S;
	load(300, 60, 604800, &check, &expire);
	assert_int_equal(expire, 1000 * S);
	rig_init(&r, 1);
	r.policy.expire_min_us = 1000 * S;
	load(300, 60, 0, &check, &expire);
	assert_int_equal(expire, 1000 * S);
}

/* Whatever the configuration says, no zone spins. */
static void
no_zone_spins(void **state)
{
	(void)state;
	r.policy.refresh_min_us = r.policy.retry_min_us = 0;
	int64_t check, expire;
	load(0, 0, 0, &check, &expire);
	assert_true(check >= S);
	for (unsigned i = 0; i < 100; i++) {
		int64_t before = r.now.mono.us;
		unsigned probes = r.probes;
		while (r.probes == probes) {
			if (r.queued) {
				rig_grant(&r);
				continue;
			}
			rig_pass(&r, r.armed_us > r.now.mono.us ? r.armed_us - r.now.mono.us : 0);
			rig_timer(&r);
		}
		rig_soa_fail(&r, ZR_REFUSED, true);
		rig_store_all(&r);
		assert_true(r.now.mono.us - before >= S * 9 / 10 || i == 0);
	}
}

/* The jitter spreads: of 1,000 zones not many are checked in the same tenth of the window. */
static void
jitter_spreads(void **state)
{
	unsigned tenth[10] = {0};

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		int64_t check, expire;
		rig_init(&r, 1);
		r.z.id = i;
		load(100000, 600, UINT32_MAX, &check, &expire);
		unsigned t = (unsigned)((100000 * S - check) / (1000 * S));
		tenth[t < 10 ? t : 9]++;
	}
	for (unsigned i = 0; i < 10; i++)
		assert_in_range(tenth[i], 50, 200);
}

/* ---- start-up (T-12) ---- */

/* The row was written `ago` seconds before now; deadlines count from then. */
static void
start(int64_t ago, int64_t refresh, int64_t expire)
{
	int64_t then = r.now.wall.us - ago * S;

	r.row = (struct rig_row){
	    .has_data = true,
	    .serial = 10,
	    .times = rig_times,
	    .checked_at = {then},
	    .refresh_at = {then + refresh * S},
	    .expire_at = {then + expire * S},
	};
	rig_start_row(&r);
}

static void
start_table(void **state)
{
	static const struct {
		int64_t ago, refresh, expire; /* seconds; of the row */
		bool expired;
		int64_t refresh_left, expire_left; /* -1 = queued at once */
	} rows[] = {
	    {0, 3600, 604800, false, 3600, 604800},
	    {1000, 3600, 604800, false, 2600, 603800},
	    {5000, 3600, 604800, false, -1, 599800},
	    {604799, 3600, 604800, false, -1, 1},
	    {604800, 3600, 604800, true, -1, 0},
	    {20 * 365 * D, 3600, 604800, true, -1, 0},
	    /* The clock was set back: no more is left than was left when it was stored. */
	    {-1000, 3600, 604800, false, 3600, 604800},
	    {-1000, 600, 5000, false, 600, 5000},
	    {-50 * 365 * D, 600, 5000, false, 600, 5000},
	    /* A row that promises more than the SOA allows. */
	    {0, 100 * D, 1000 * D, false, 3600, 604800},
	    /* Deadlines before the time of storing. */
	    {0, -5, -5, true, -1, 0},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		rig_init(&r, 1);
		start(rows[i].ago, rows[i].refresh, rows[i].expire);
		assert_int_equal(r.expired, rows[i].expired);
		assert_int_equal(r.z.state == ZONE_QUEUED, rows[i].refresh_left < 0);
		if (rows[i].refresh_left >= 0)
			assert_int_equal(r.z.refresh_us - r.now.mono.us, rows[i].refresh_left * S);
		if (!rows[i].expired)
			assert_int_equal(r.z.expire_us - r.now.mono.us, rows[i].expire_left * S);
	}
}

static void
absurd_rows(void **state)
{
	static const int64_t v[] = {0, 1, -1, INT64_MAX, INT64_MIN, INT64_MAX / 2, INT64_MIN / 2};

	(void)state;
	for (unsigned c = 0; c < 7; c++) {
		for (unsigned f = 0; f < 7; f++) {
			for (unsigned e = 0; e < 7; e++) {
				rig_init(&r, 1);
				r.row = (struct rig_row){
				    .has_data = true,
				    .times = {UINT32_MAX, UINT32_MAX, UINT32_MAX},
				    .checked_at = {v[c]},
				    .refresh_at = {v[f]},
				    .expire_at = {v[e]},
				};
				rig_start_row(&r);
				assert_true(r.z.expire_us - r.now.mono.us <= UINT32_MAX * S);
				assert_true(r.z.refresh_us - r.now.mono.us <= 28 * D * S);
				rig_run(&r, 5);
				assert_false(r.expired);
			}
		}
	}
}

static void
a_row_without_times_is_checked_at_once(void **state)
{
	(void)state;
	r.row = (struct rig_row){.has_data = true, .times = rig_times};
	rig_start_row(&r);
	assert_int_equal(r.z.data, ZONE_LOADED);
	assert_int_equal(r.z.state, ZONE_QUEUED);
	assert_int_equal(r.lane, LANE_START);
}

/* A jump of the wall clock moves no deadline of a running zone. */
static void
wall_clock_jumps(void **state)
{
	(void)state;
	rig_start_loaded(&r, 10, ZONE_PENDING_NONE);
	int64_t armed = r.armed_us;
	for (int sign = -1; sign <= 1; sign += 2) {
		r.now.wall.us += sign * 400 * D * S;
		rig_pass(&r, S);
		rig_timer(&r);
		assert_int_equal(r.z.state, ZONE_IDLE);
		assert_int_equal(r.armed_us, armed);
	}
	r.now.wall.us += 400 * D * S;
	rig_step(&r, ZONE_EV_REFRESH, NULL);
	rig_run(&r, 10);
	assert_int_equal(r.row.expire_at.us, r.now.wall.us + 604800 * S);
}

/* A restart keeps the deadline to within a second (E-10). */
static void
restart_keeps_the_expiry(void **state)
{
	(void)state;
	rig_start_loaded(&r, 10, ZONE_PENDING_NONE);
	rig_pass(&r, 100000 * S);
	rig_timer(&r);
	rig_grant(&r);
	struct zone_arg a = {
	    .attempt = r.attempt, .soa = {.serial = 10, .expire_valid = true, .expire = 550000}};
	rig_step(&r, ZONE_EV_SOA_OK, &a);
	rig_store_all(&r);
	int64_t at = r.z.expire_us;
	rig_pass(&r, 1234 * S);
	rig_restart(&r, false);
	assert_int_equal(r.z.expire_us, at);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(refresh_table),
	    T(retry_table),
	    T(expire_bounds),
	    T(no_zone_spins),
	    T(jitter_spreads),
	    T(start_table),
	    T(absurd_rows),
	    T(a_row_without_times_is_checked_at_once),
	    T(wall_clock_jumps),
	    T(restart_keeps_the_expiry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
