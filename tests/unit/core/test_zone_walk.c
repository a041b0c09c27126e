/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Long random walks: a hostile world of NOTIFYs, failing primaries, a slow and failing store,
 * crashes, power cuts, operators.  The rig checks after every step; now and then the world turns
 * kind, and then everything that was promised must have been done.  ZR_WALK_STEPS and ZR_WALK_SEED
 * repeat or lengthen it.
 */
#include "zonerig.h"

#include <stdlib.h>
#include <string.h>

#include "base/serial.h"

#define STEPS 600000
#define KIND_EVERY 400 /* steps on average */

static struct rig r;
static struct rng rng;
static struct zone_policy policies[3];
static uint32_t serial; /* newest anywhere */
static uint32_t old_attempt;
static unsigned long expired_seen, restarts, power_cuts, forced_kept, held_seen, stale_seen,
    aside_seen;

static uint32_t
any(uint32_t n)
{
	return (uint32_t)rng_below(&rng, n);
}

static bool
chance(unsigned percent)
{
	return any(100) < percent;
}

/* Mostly near the newest, sometimes anything. */
static uint32_t
some_serial(void)
{
	switch (any(12)) {
	case 0:
		return serial - any(5);
	case 1:
		return r.z.serial + UINT32_C(0x80000000);
	case 2:
		return (uint32_t)rng_next(&rng);
	case 3:
	case 4:
	case 5:
		return r.z.serial;
	case 6:
	case 7:
		serial += 1 + any(3);
		return serial;
	default:
		return serial;
	}
}

static uint16_t
some_primary(void)
{
	return (uint16_t)any(r.z.policy->primary_count);
}

static struct zone_soa_times
some_times(void)
{
	static const uint32_t v[] = {0, 1, 60, 600, 3600, 86400, 604800, UINT32_MAX};

	return (struct zone_soa_times){v[any(8)], v[any(8)], v[any(8)]};
}

static enum zr_code
some_code(void)
{
	return (enum zr_code)(1 + any(ZR_CODE_COUNT - 1));
}

static void
notify(void)
{
	uint16_t p = some_primary();

	if (chance(12))
		rig_notify_axfr(&r, p, chance(50));
	else
		rig_notify(&r, p, chance(30) ? -1 : (int64_t)some_serial());
}

static void
queue_moves(void)
{
	struct primary *p = r.z.policy->primaries[r.asked];

	if (chance(10)) {
		for (unsigned a = 0; a < p->address_count; a++)
			primary_failed(p, a, ZR_TIMEOUT, r.now.mono);
		rig_denied(&r);
	} else {
		rig_grant(&r);
	}
}

static void
probe_answers(void)
{
	struct primary *p = r.z.policy->primaries[r.asked];
	struct zone_arg a = {.attempt = r.attempt};

	if (chance(25)) {
		enum zr_code code = some_code();
		primary_failed(p, r.asked_address, code, r.now.mono);
		rig_soa_fail(&r, code, chance(20));
		return;
	}
	primary_ok(p, r.asked_address, r.now.mono);
	a.soa.serial = some_serial();
	a.soa.expire_valid = chance(30);
	a.soa.expire = some_times().expire;
	rig_step(&r, ZONE_EV_SOA_OK, &a);
}

static void
transfer_ends(void)
{
	struct primary *p = r.z.policy->primaries[r.asked];
	struct zone_arg a = {.attempt = r.attempt};

	if (chance(25)) {
		enum zr_code code = some_code();
		primary_failed(p, r.asked_address, code, r.now.mono);
		a.fail.code = code;
		a.fail.whole = chance(50);
		a.fail.serial_valid = chance(50);
		a.fail.serial = some_serial();
		rig_step(&r, ZONE_EV_XFER_FAIL, &a);
		return;
	}
	if (chance(10)) {
		rig_current(&r, some_serial());
		return;
	}
	a.ready.serial = some_serial();
	a.ready.diff = r.fetch_ixfr && chance(80);
	a.ready.identical =
	    !a.ready.diff && r.z.data != ZONE_EMPTY && a.ready.serial == r.z.serial && chance(50);
	a.ready.times = some_times();
	a.ready.expire_valid = chance(30);
	a.ready.expire = some_times().expire;
	a.ready.duration_us = any(100) * S;
	r.commit_times = a.ready.times;
	rig_step(&r, ZONE_EV_XFER_READY, &a);
}

static void
late_result(void)
{
	struct zone_arg a = {.attempt = old_attempt};

	if (old_attempt == r.attempt)
		return;
	a.soa.serial = some_serial();
	rig_step(&r, ZONE_EV_SOA_OK + any(5), &a);
	stale_seen += (r.out.notes & ZONE_NOTE_STALE) != 0;
}

static void
time_goes_by(void)
{
	static const int64_t v[] = {ZR_US_PER_MS, S, 10 * S, 60 * S, 600 * S, 3600 * S, 86400 * S};

	rig_pass(&r, v[any(7)] * (1 + any(5)));
	rig_timer(&r);
	expired_seen += r.expired;
}

static void
operator_acts(void)
{
	struct zone_arg a = {0};

	switch (any(6)) {
	case 0:
		rig_step(&r, ZONE_EV_REFRESH, NULL);
		break;
	case 1:
		rig_step(&r, ZONE_EV_RETRANSFER, NULL);
		break;
	case 2:
		rig_step(&r, ZONE_EV_HOLD, NULL);
		held_seen += r.z.state == ZONE_HELD;
		break;
	case 3:
		rig_step(&r, ZONE_EV_RESUME, NULL);
		break;
	case 4:
		a.policy.policy = &policies[any(3)];
		a.policy.primaries_changed =
		    a.policy.policy->primary_count != r.z.policy->primary_count;
		rig_step(&r, ZONE_EV_POLICY, &a);
		break;
	default:
		if (!chance(5))
			break;
		/* Removed and configured again: the rows of a removed zone go with it. */
		rig_step(&r, ZONE_EV_REMOVE, NULL);
		while (!r.gone)
			rig_store(&r, false);
		memset(&r.row, 0, sizeof(r.row));
		r.durable = r.row;
		r.row.notifier = r.durable.notifier = ZONE_NO_INDEX;
		rig_restart(&r, false);
		break;
	}
}

static void
crash(void)
{
	bool power_cut = chance(50);

	restarts++;
	power_cuts += power_cut;
	rig_restart(&r, power_cut);
}

static void
one_step(void)
{
	uint32_t before = r.attempt;
	unsigned what = any(100);

	if (r.posted - r.stored > RIG_STORE / 2)
		rig_store_all(&r);
	if (what < 25)
		notify();
	else if (what < 40)
		rig_store(&r, chance(8));
	else if (what < 48)
		time_goes_by();
	else if (what < 50)
		operator_acts();
	else if (what < 52)
		late_result();
	else if (r.queued)
		queue_moves();
	else if (r.op == OP_PROBE)
		probe_answers();
	else if (r.op == OP_FETCH)
		transfer_ends();
	else if (any(400) == 0)
		crash();
	if (r.attempt != before)
		old_attempt = before;
	aside_seen += r.z.aside == (ZONE_ASIDE_ROUND | ZONE_ASIDE_FIRST);
	forced_kept += (r.out.notes & ZONE_NOTE_FORCE_KEPT) != 0;
}

/* Everybody is reachable and has the same, newer version; time passes. */
static void
kind_phase(void)
{
	uint32_t good = r.z.data == ZONE_EMPTY ? serial : r.z.serial + 1;
	unsigned queries = r.probes + r.fetches;

	if (r.z.state == ZONE_HELD || chance(20))
		rig_step(&r, ZONE_EV_RESUME, NULL);
	rig_step(&r, ZONE_EV_RESUME, NULL);
	for (unsigned i = 0; i < RIG_PRIMARIES; i++)
		primary_notified(&r.primary[i], -1);
	for (unsigned n = 0; n < 12; n++) {
		rig_run(&r, good);
		/* A commit on its way may have brought something newer still. */
		if (r.z.data == ZONE_LOADED && !serial_ge(good, r.z.serial))
			good = r.z.serial + 1;
		if (r.z.data == ZONE_LOADED && zone_owed(&r.z) == ZONE_PENDING_NONE &&
		    r.z.serial == good)
			break;
		rig_pass(&r, r.armed_us > r.now.mono.us ? r.armed_us - r.now.mono.us : 0);
		rig_timer(&r);
	}
	rig_run(&r, good);
	assert_int_equal(r.z.state, ZONE_IDLE);
	assert_int_equal(r.z.data, ZONE_LOADED);
	assert_int_equal(zone_owed(&r.z), ZONE_PENDING_NONE);
	assert_true(r.probes + r.fetches - queries < 60);
	for (unsigned i = 0; i < RIG_TRIGGERS; i++)
		assert_false(r.trigger[i].open && r.trigger[i].answered);
	serial = r.z.serial;
}

static unsigned long
setting(const char *name, unsigned long otherwise)
{
	const char *s = getenv(name);

	return s != NULL ? strtoul(s, NULL, 0) : otherwise;
}

static void
walk(void **state)
{
	unsigned long steps = setting("ZR_WALK_STEPS", STEPS);

	(void)state;
	rng_seed(&rng, setting("ZR_WALK_SEED", 1));
	rig_init(&r, RIG_PRIMARIES);
	for (unsigned i = 0; i < 3; i++) {
		policies[i] = r.policy;
		policies[i].primary_count = (uint16_t)(i + 1);
		policies[i].forced_lower = (enum zone_lower)i;
		policies[i].ixfr = i != 1;
		policies[i].forced_burst = i + 1;
		policies[i].mutual = i * 3;
		policies[i].refresh_max_us = (i + 1) * 86400 * S;
	}
	r.z.policy = &policies[2];
	r.policy = policies[2];
	serial = 100;
	rig_start_empty(&r);
	for (unsigned long i = 0; i < steps; i++) {
		one_step();
		if (any(KIND_EVERY) == 0)
			kind_phase();
	}
	kind_phase();
	/* The walk went everywhere it was meant to. */
	assert_true(expired_seen > 0 && restarts > 0 && power_cuts > 0 && forced_kept > 0);
	assert_true(held_seen > 0 && stale_seen > 0 && aside_seen > steps / 1000);
	assert_true(r.commits > steps / 100 && r.probes > steps / 100);
	rig_clear(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
