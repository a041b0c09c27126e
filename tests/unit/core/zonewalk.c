/* SPDX-License-Identifier: BSD-2-Clause */
#include "zonewalk.h"

#include <string.h>

#include "base/serial.h"

struct rig zonewalk_rig;
struct zonewalk_seen zonewalk_seen;
static struct zone_policy policies[3];
static uint32_t serial; /* newest anywhere */
static uint32_t old_attempt;
static zonewalk_choose choose;
static void *choose_arg;

static uint32_t
any(uint32_t n)
{
	return choose(choose_arg, n);
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
		return zonewalk_rig.z.serial + UINT32_C(0x80000000);
	case 2:
		return any(UINT32_MAX);
	case 3:
	case 4:
	case 5:
		return zonewalk_rig.z.serial;
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
	return (uint16_t)any(zonewalk_rig.z.policy->primary_count);
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
		rig_notify_axfr(&zonewalk_rig, p, chance(50));
	else
		rig_notify(&zonewalk_rig, p, chance(30) ? -1 : (int64_t)some_serial());
}

static void
queue_moves(void)
{
	struct primary *p = zonewalk_rig.z.policy->primaries[zonewalk_rig.asked];

	if (chance(10)) {
		for (unsigned a = 0; a < p->address_count; a++)
			primary_failed(p, a, ZR_TIMEOUT, zonewalk_rig.now.mono);
		rig_denied(&zonewalk_rig);
	} else {
		rig_grant(&zonewalk_rig);
	}
}

static void
probe_answers(void)
{
	struct primary *p = zonewalk_rig.z.policy->primaries[zonewalk_rig.asked];
	struct zone_arg a = {.attempt = zonewalk_rig.attempt};

	if (chance(25)) {
		enum zr_code code = some_code();
		primary_failed(p, zonewalk_rig.asked_address, code, zonewalk_rig.now.mono);
		rig_soa_fail(&zonewalk_rig, code, chance(20));
		return;
	}
	primary_ok(p, zonewalk_rig.asked_address, zonewalk_rig.now.mono);
	a.soa.serial = some_serial();
	a.soa.expire_valid = chance(30);
	a.soa.expire = some_times().expire;
	rig_step(&zonewalk_rig, ZONE_EV_SOA_OK, &a);
}

static void
transfer_ends(void)
{
	struct primary *p = zonewalk_rig.z.policy->primaries[zonewalk_rig.asked];
	struct zone_arg a = {.attempt = zonewalk_rig.attempt};

	if (chance(25)) {
		enum zr_code code = some_code();
		primary_failed(p, zonewalk_rig.asked_address, code, zonewalk_rig.now.mono);
		a.fail.code = code;
		a.fail.whole = chance(50);
		a.fail.serial_valid = chance(50);
		a.fail.serial = some_serial();
		rig_step(&zonewalk_rig, ZONE_EV_XFER_FAIL, &a);
		return;
	}
	if (chance(10)) {
		rig_current(&zonewalk_rig, some_serial());
		return;
	}
	a.ready.serial = some_serial();
	a.ready.diff = zonewalk_rig.fetch_ixfr && chance(80);
	a.ready.identical = !a.ready.diff && zonewalk_rig.z.data != ZONE_EMPTY &&
			    a.ready.serial == zonewalk_rig.z.serial && chance(50);
	a.ready.times = some_times();
	a.ready.expire_valid = chance(30);
	a.ready.expire = some_times().expire;
	a.ready.duration_us = any(100) * S;
	zonewalk_rig.commit_times = a.ready.times;
	rig_step(&zonewalk_rig, ZONE_EV_XFER_READY, &a);
}

static void
late_result(void)
{
	struct zone_arg a = {.attempt = old_attempt};

	if (old_attempt == zonewalk_rig.attempt)
		return;
	a.soa.serial = some_serial();
	rig_step(&zonewalk_rig, ZONE_EV_SOA_OK + any(5), &a);
	zonewalk_seen.stale += (zonewalk_rig.out.notes & ZONE_NOTE_STALE) != 0;
}

static void
time_goes_by(void)
{
	static const int64_t v[] = {ZR_US_PER_MS, S, 10 * S, 60 * S, 600 * S, 3600 * S, 86400 * S};

	rig_pass(&zonewalk_rig, v[any(7)] * (1 + any(5)));
	rig_timer(&zonewalk_rig);
	zonewalk_seen.expired += zonewalk_rig.expired;
}

static void
operator_acts(void)
{
	struct zone_arg a = {0};

	switch (any(6)) {
	case 0:
		rig_step(&zonewalk_rig, ZONE_EV_REFRESH, NULL);
		break;
	case 1:
		rig_step(&zonewalk_rig, ZONE_EV_RETRANSFER, NULL);
		break;
	case 2:
		rig_step(&zonewalk_rig, ZONE_EV_HOLD, NULL);
		zonewalk_seen.held += zonewalk_rig.z.state == ZONE_HELD;
		break;
	case 3:
		rig_step(&zonewalk_rig, ZONE_EV_RESUME, NULL);
		break;
	case 4:
		a.policy.policy = &policies[any(3)];
		a.policy.primaries_changed =
		    a.policy.policy->primary_count != zonewalk_rig.z.policy->primary_count;
		rig_step(&zonewalk_rig, ZONE_EV_POLICY, &a);
		break;
	default:
		if (!chance(5))
			break;
		/* Removed and configured again: the rows of a removed zone go with it. */
		rig_step(&zonewalk_rig, ZONE_EV_REMOVE, NULL);
		while (!zonewalk_rig.gone)
			rig_store(&zonewalk_rig, false);
		memset(&zonewalk_rig.row, 0, sizeof(zonewalk_rig.row));
		zonewalk_rig.durable = zonewalk_rig.row;
		zonewalk_rig.row.notifier = zonewalk_rig.durable.notifier = ZONE_NO_INDEX;
		rig_restart(&zonewalk_rig, false);
		break;
	}
}

static void
crash(void)
{
	bool power_cut = chance(50);

	zonewalk_seen.restarts++;
	zonewalk_seen.power_cuts += power_cut;
	rig_restart(&zonewalk_rig, power_cut);
}

void
zonewalk_step(void)
{
	uint32_t before = zonewalk_rig.attempt;
	unsigned what = any(100);

	if (zonewalk_rig.posted - zonewalk_rig.stored > RIG_STORE / 2)
		rig_store_all(&zonewalk_rig);
	if (what < 25)
		notify();
	else if (what < 40)
		rig_store(&zonewalk_rig, chance(8));
	else if (what < 48)
		time_goes_by();
	else if (what < 50)
		operator_acts();
	else if (what < 52)
		late_result();
	else if (zonewalk_rig.queued)
		queue_moves();
	else if (zonewalk_rig.op == OP_PROBE)
		probe_answers();
	else if (zonewalk_rig.op == OP_FETCH)
		transfer_ends();
	else if (any(400) == 0)
		crash();
	if (zonewalk_rig.attempt != before)
		old_attempt = before;
	zonewalk_seen.aside += zonewalk_rig.z.aside == (ZONE_ASIDE_ROUND | ZONE_ASIDE_FIRST);
	zonewalk_seen.forced_kept += (zonewalk_rig.out.notes & ZONE_NOTE_FORCE_KEPT) != 0;
}

/* Everybody is reachable and has the same, newer version; time passes. */
void
zonewalk_kind(void)
{
	uint32_t good = zonewalk_rig.z.data == ZONE_EMPTY ? serial : zonewalk_rig.z.serial + 1;
	unsigned queries = zonewalk_rig.probes + zonewalk_rig.fetches;

	if (zonewalk_rig.z.state == ZONE_HELD || chance(20))
		rig_step(&zonewalk_rig, ZONE_EV_RESUME, NULL);
	rig_step(&zonewalk_rig, ZONE_EV_RESUME, NULL);
	for (unsigned i = 0; i < RIG_PRIMARIES; i++)
		primary_notified(&zonewalk_rig.primary[i], -1);
	for (unsigned n = 0; n < 12; n++) {
		rig_run(&zonewalk_rig, good);
		/* A commit on its way may have brought something newer still. */
		if (zonewalk_rig.z.data == ZONE_LOADED && !serial_ge(good, zonewalk_rig.z.serial))
			good = zonewalk_rig.z.serial + 1;
		if (zonewalk_rig.z.data == ZONE_LOADED &&
		    zone_owed(&zonewalk_rig.z) == ZONE_PENDING_NONE &&
		    zonewalk_rig.z.serial == good)
			break;
		rig_pass(&zonewalk_rig, zonewalk_rig.armed_us > zonewalk_rig.now.mono.us
					    ? zonewalk_rig.armed_us - zonewalk_rig.now.mono.us
					    : 0);
		rig_timer(&zonewalk_rig);
	}
	rig_run(&zonewalk_rig, good);
	assert_int_equal(zonewalk_rig.z.state, ZONE_IDLE);
	assert_int_equal(zonewalk_rig.z.data, ZONE_LOADED);
	assert_int_equal(zone_owed(&zonewalk_rig.z), ZONE_PENDING_NONE);
	assert_true(zonewalk_rig.probes + zonewalk_rig.fetches - queries < 60);
	for (unsigned i = 0; i < RIG_TRIGGERS; i++)
		assert_false(zonewalk_rig.trigger[i].open && zonewalk_rig.trigger[i].answered);
	serial = zonewalk_rig.z.serial;
}

void
zonewalk_begin(zonewalk_choose how, void *arg)
{
	struct rig *r = &zonewalk_rig;

	choose = how;
	choose_arg = arg;
	old_attempt = 0;
	memset(&zonewalk_seen, 0, sizeof(zonewalk_seen));
	rig_init(r, RIG_PRIMARIES);
	for (unsigned i = 0; i < 3; i++) {
		policies[i] = r->policy;
		policies[i].primary_count = (uint16_t)(i + 1);
		policies[i].forced_lower = (enum zone_lower)i;
		policies[i].ixfr = i != 1;
		policies[i].forced_burst = i + 1;
		policies[i].mutual = i * 3;
		policies[i].refresh_max_us = (i + 1) * 86400 * S;
	}
	r->z.policy = &policies[2];
	r->policy = policies[2];
	serial = 100;
	rig_start_empty(r);
}
