/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every state with every event: where it leads and what it orders, each pair listed.  Then the same
 * for every kind of data and of pending work, with the rig's invariants alone.
 */
#include "zonerig.h"

#include <stdio.h>
#include <string.h>

static struct rig r;

/* From loaded with serial 10, at rest, to the state; a NOTIFY without hint brings it there. */
static bool
bring_to(enum zone_state st)
{
	if (st == ZONE_HELD)
		rig_step(&r, ZONE_EV_HOLD, NULL);
	else if (st == ZONE_GONE)
		rig_step(&r, ZONE_EV_REMOVE, NULL);
	if (st == ZONE_IDLE || st == ZONE_HELD || st == ZONE_GONE)
		return r.z.state == st;
	if (r.z.state == ZONE_IDLE)
		rig_notify(&r, 0, -1);
	for (unsigned i = 0; i < 4 && r.z.state != st; i++) {
		if (r.queued)
			rig_grant(&r);
		else if (r.op == OP_PROBE)
			rig_soa(&r, 11);
		else if (r.op == OP_FETCH)
			rig_ready(&r, 11, false, false);
	}
	return r.z.state == st;
}

static struct zone_policy other;

/* The event with its plain argument. */
static void
apply(enum zone_event ev, uint32_t attempt)
{
	struct zone_arg a = {.attempt = attempt};

	switch (ev) {
	case ZONE_EV_START:
		a.start = (struct zone_start){.has_data = true, .serial = 3};
		break;
	case ZONE_EV_NOTIFY:
		a.notify = (struct zone_notify){.hinted = true, .hint = 12, .primary = 1};
		break;
	case ZONE_EV_MARKED:
	case ZONE_EV_MARK_FAIL:
		a.marked.seq = r.z.mark_seq;
		break;
	case ZONE_EV_SOA_OK:
	case ZONE_EV_XFER_CURRENT:
		a.soa.serial = 11;
		break;
	case ZONE_EV_XFER_READY:
		a.ready = (struct zone_ready){.serial = 11, .times = rig_times};
		r.commit_times = rig_times;
		break;
	case ZONE_EV_SOA_FAIL:
	case ZONE_EV_XFER_FAIL:
	case ZONE_EV_COMMIT_FAIL:
		a.fail.code = ZR_SERVFAIL;
		break;
	case ZONE_EV_POLICY:
		other = r.policy;
		a.policy = (struct zone_new_policy){&other, true};
		break;
	case ZONE_EV_GRANT:
		r.queued = false;
		r.slot = true;
		break;
	case ZONE_EV_DENIED:
		r.queued = false;
		break;
	default:
		break;
	}
	rig_step(&r, ev, &a);
}

/* May the main loop send this event in this state?  (A grant without having asked for one, and so
 * on.) */
static bool
possible(enum zone_event ev)
{
	if (ev == ZONE_EV_GRANT)
		return !r.slot;
	if (ev == ZONE_EV_DENIED)
		return r.queued;
	return true;
}

/* clang-format off */
static const struct {
	enum zone_state st;
	enum zone_event ev;
	const char *leads; /* state: orders */
} rows[] = {
    {ZONE_IDLE, ZONE_EV_START, "idle:"},
    {ZONE_IDLE, ZONE_EV_NOTIFY, "queued: mark enqueue arm"},
    {ZONE_IDLE, ZONE_EV_MARKED, "idle:"},
    {ZONE_IDLE, ZONE_EV_MARK_FAIL, "idle:"},
    {ZONE_IDLE, ZONE_EV_TIMER, "idle: arm"},
    {ZONE_IDLE, ZONE_EV_GRANT, "idle: release"},
    {ZONE_IDLE, ZONE_EV_DENIED, "impossible"},
    {ZONE_IDLE, ZONE_EV_SOA_OK, "idle:"},
    {ZONE_IDLE, ZONE_EV_SOA_FAIL, "idle:"},
    {ZONE_IDLE, ZONE_EV_XFER_READY, "idle: abort"},
    {ZONE_IDLE, ZONE_EV_XFER_CURRENT, "idle:"},
    {ZONE_IDLE, ZONE_EV_XFER_FAIL, "idle:"},
    {ZONE_IDLE, ZONE_EV_COMMITTED, "idle:"},
    {ZONE_IDLE, ZONE_EV_COMMIT_FAIL, "idle:"},
    {ZONE_IDLE, ZONE_EV_REFRESH, "queued: mark enqueue arm"},
    {ZONE_IDLE, ZONE_EV_RETRANSFER, "queued: mark enqueue"},
    {ZONE_IDLE, ZONE_EV_HOLD, "held: arm"},
    {ZONE_IDLE, ZONE_EV_RESUME, "idle:"},
    {ZONE_IDLE, ZONE_EV_POLICY, "queued: enqueue arm"},
    {ZONE_IDLE, ZONE_EV_REMOVE, "gone: arm gone"},
    {ZONE_QUEUED, ZONE_EV_START, "queued:"},
    {ZONE_QUEUED, ZONE_EV_NOTIFY, "queued:"},
    {ZONE_QUEUED, ZONE_EV_MARKED, "queued:"},
    {ZONE_QUEUED, ZONE_EV_MARK_FAIL, "queued:"},
    {ZONE_QUEUED, ZONE_EV_TIMER, "queued: arm"},
    {ZONE_QUEUED, ZONE_EV_GRANT, "probing: probe"},
    {ZONE_QUEUED, ZONE_EV_DENIED, "queued: enqueue"},
    {ZONE_QUEUED, ZONE_EV_SOA_OK, "queued:"},
    {ZONE_QUEUED, ZONE_EV_SOA_FAIL, "queued:"},
    {ZONE_QUEUED, ZONE_EV_XFER_READY, "queued: abort"},
    {ZONE_QUEUED, ZONE_EV_XFER_CURRENT, "queued:"},
    {ZONE_QUEUED, ZONE_EV_XFER_FAIL, "queued:"},
    {ZONE_QUEUED, ZONE_EV_COMMITTED, "queued:"},
    {ZONE_QUEUED, ZONE_EV_COMMIT_FAIL, "queued:"},
    {ZONE_QUEUED, ZONE_EV_REFRESH, "queued: dequeue enqueue"},
    {ZONE_QUEUED, ZONE_EV_RETRANSFER, "queued: mark dequeue enqueue arm"},
    {ZONE_QUEUED, ZONE_EV_HOLD, "held: dequeue"},
    {ZONE_QUEUED, ZONE_EV_RESUME, "queued:"},
    {ZONE_QUEUED, ZONE_EV_POLICY, "queued: dequeue enqueue"},
    {ZONE_QUEUED, ZONE_EV_REMOVE, "gone: dequeue arm gone"},
    {ZONE_PROBING, ZONE_EV_START, "probing:"},
    {ZONE_PROBING, ZONE_EV_NOTIFY, "probing:"},
    {ZONE_PROBING, ZONE_EV_MARKED, "probing:"},
    {ZONE_PROBING, ZONE_EV_MARK_FAIL, "probing:"},
    {ZONE_PROBING, ZONE_EV_TIMER, "probing: arm"},
    {ZONE_PROBING, ZONE_EV_GRANT, "impossible"},
    {ZONE_PROBING, ZONE_EV_DENIED, "impossible"},
    {ZONE_PROBING, ZONE_EV_SOA_OK, "queued: release enqueue"},
    {ZONE_PROBING, ZONE_EV_SOA_FAIL, "queued: release enqueue"},
    {ZONE_PROBING, ZONE_EV_XFER_READY, "probing: abort"},
    {ZONE_PROBING, ZONE_EV_XFER_CURRENT, "probing:"},
    {ZONE_PROBING, ZONE_EV_XFER_FAIL, "probing:"},
    {ZONE_PROBING, ZONE_EV_COMMITTED, "probing:"},
    {ZONE_PROBING, ZONE_EV_COMMIT_FAIL, "probing:"},
    {ZONE_PROBING, ZONE_EV_REFRESH, "probing:"},
    {ZONE_PROBING, ZONE_EV_RETRANSFER, "probing: mark"},
    {ZONE_PROBING, ZONE_EV_HOLD, "held: cancel release"},
    {ZONE_PROBING, ZONE_EV_RESUME, "probing:"},
    {ZONE_PROBING, ZONE_EV_POLICY, "queued: cancel release enqueue"},
    {ZONE_PROBING, ZONE_EV_REMOVE, "gone: cancel release arm gone"},
    {ZONE_FETCHING, ZONE_EV_START, "fetching:"},
    {ZONE_FETCHING, ZONE_EV_NOTIFY, "fetching:"},
    {ZONE_FETCHING, ZONE_EV_MARKED, "fetching:"},
    {ZONE_FETCHING, ZONE_EV_MARK_FAIL, "fetching:"},
    {ZONE_FETCHING, ZONE_EV_TIMER, "fetching: arm"},
    {ZONE_FETCHING, ZONE_EV_GRANT, "impossible"},
    {ZONE_FETCHING, ZONE_EV_DENIED, "impossible"},
    {ZONE_FETCHING, ZONE_EV_SOA_OK, "fetching:"},
    {ZONE_FETCHING, ZONE_EV_SOA_FAIL, "fetching:"},
    {ZONE_FETCHING, ZONE_EV_XFER_READY, "storing: release commit"},
    {ZONE_FETCHING, ZONE_EV_XFER_CURRENT, "queued: release enqueue"},
    {ZONE_FETCHING, ZONE_EV_XFER_FAIL, "queued: abort release enqueue"},
    {ZONE_FETCHING, ZONE_EV_COMMITTED, "fetching:"},
    {ZONE_FETCHING, ZONE_EV_COMMIT_FAIL, "fetching:"},
    {ZONE_FETCHING, ZONE_EV_REFRESH, "fetching:"},
    {ZONE_FETCHING, ZONE_EV_RETRANSFER, "fetching: mark"},
    {ZONE_FETCHING, ZONE_EV_HOLD, "held: cancel release"},
    {ZONE_FETCHING, ZONE_EV_RESUME, "fetching:"},
    {ZONE_FETCHING, ZONE_EV_POLICY, "queued: cancel release enqueue"},
    {ZONE_FETCHING, ZONE_EV_REMOVE, "gone: cancel release arm gone"},
    {ZONE_STORING, ZONE_EV_START, "storing:"},
    {ZONE_STORING, ZONE_EV_NOTIFY, "storing: mark"},
    {ZONE_STORING, ZONE_EV_MARKED, "storing:"},
    {ZONE_STORING, ZONE_EV_MARK_FAIL, "storing:"},
    {ZONE_STORING, ZONE_EV_TIMER, "storing: arm"},
    {ZONE_STORING, ZONE_EV_GRANT, "storing: release"},
    {ZONE_STORING, ZONE_EV_DENIED, "impossible"},
    {ZONE_STORING, ZONE_EV_SOA_OK, "storing:"},
    {ZONE_STORING, ZONE_EV_SOA_FAIL, "storing:"},
    {ZONE_STORING, ZONE_EV_XFER_READY, "storing: abort"},
    {ZONE_STORING, ZONE_EV_XFER_CURRENT, "storing:"},
    {ZONE_STORING, ZONE_EV_XFER_FAIL, "storing:"},
    {ZONE_STORING, ZONE_EV_COMMITTED, "idle: arm"},
    {ZONE_STORING, ZONE_EV_COMMIT_FAIL, "idle: abort save arm"},
    {ZONE_STORING, ZONE_EV_REFRESH, "storing: mark"},
    {ZONE_STORING, ZONE_EV_RETRANSFER, "storing: mark"},
    {ZONE_STORING, ZONE_EV_HOLD, "storing:"},
    {ZONE_STORING, ZONE_EV_RESUME, "storing:"},
    {ZONE_STORING, ZONE_EV_POLICY, "storing:"},
    {ZONE_STORING, ZONE_EV_REMOVE, "storing:"},
    {ZONE_HELD, ZONE_EV_START, "held:"},
    {ZONE_HELD, ZONE_EV_NOTIFY, "held: mark"},
    {ZONE_HELD, ZONE_EV_MARKED, "held:"},
    {ZONE_HELD, ZONE_EV_MARK_FAIL, "held:"},
    {ZONE_HELD, ZONE_EV_TIMER, "held: arm"},
    {ZONE_HELD, ZONE_EV_GRANT, "held: release"},
    {ZONE_HELD, ZONE_EV_DENIED, "impossible"},
    {ZONE_HELD, ZONE_EV_SOA_OK, "held:"},
    {ZONE_HELD, ZONE_EV_SOA_FAIL, "held:"},
    {ZONE_HELD, ZONE_EV_XFER_READY, "held: abort"},
    {ZONE_HELD, ZONE_EV_XFER_CURRENT, "held:"},
    {ZONE_HELD, ZONE_EV_XFER_FAIL, "held:"},
    {ZONE_HELD, ZONE_EV_COMMITTED, "held:"},
    {ZONE_HELD, ZONE_EV_COMMIT_FAIL, "held:"},
    {ZONE_HELD, ZONE_EV_REFRESH, "held: mark"},
    {ZONE_HELD, ZONE_EV_RETRANSFER, "held: mark"},
    {ZONE_HELD, ZONE_EV_HOLD, "held:"},
    {ZONE_HELD, ZONE_EV_RESUME, "idle: arm"},
    {ZONE_HELD, ZONE_EV_POLICY, "held:"},
    {ZONE_HELD, ZONE_EV_REMOVE, "gone: arm gone"},
    {ZONE_GONE, ZONE_EV_START, "gone:"},
    {ZONE_GONE, ZONE_EV_NOTIFY, "gone:"},
    {ZONE_GONE, ZONE_EV_MARKED, "gone:"},
    {ZONE_GONE, ZONE_EV_MARK_FAIL, "gone:"},
    {ZONE_GONE, ZONE_EV_TIMER, "gone:"},
    {ZONE_GONE, ZONE_EV_GRANT, "gone: release"},
    {ZONE_GONE, ZONE_EV_DENIED, "impossible"},
    {ZONE_GONE, ZONE_EV_SOA_OK, "gone:"},
    {ZONE_GONE, ZONE_EV_SOA_FAIL, "gone:"},
    {ZONE_GONE, ZONE_EV_XFER_READY, "gone: abort"},
    {ZONE_GONE, ZONE_EV_XFER_CURRENT, "gone:"},
    {ZONE_GONE, ZONE_EV_XFER_FAIL, "gone:"},
    {ZONE_GONE, ZONE_EV_COMMITTED, "gone:"},
    {ZONE_GONE, ZONE_EV_COMMIT_FAIL, "gone:"},
    {ZONE_GONE, ZONE_EV_REFRESH, "gone:"},
    {ZONE_GONE, ZONE_EV_RETRANSFER, "gone:"},
    {ZONE_GONE, ZONE_EV_HOLD, "gone:"},
    {ZONE_GONE, ZONE_EV_RESUME, "gone:"},
    {ZONE_GONE, ZONE_EV_POLICY, "gone:"},
    {ZONE_GONE, ZONE_EV_REMOVE, "gone:"},
};
/* clang-format on */

static void
describe(char *out, size_t size)
{
	size_t n = (size_t)snprintf(out, size, "%s:", zone_state_names[r.z.state]);

	for (unsigned i = 0; i < r.out.n; i++)
		n += (size_t)snprintf(out + n, size - n, " %s", zone_order_names[r.out.v[i].kind]);
}

static void
every_pair(void **state)
{
	unsigned next = 0;

	(void)state;
	for (unsigned st = 0; st < ZONE_STATE_COUNT; st++) {
		for (unsigned ev = 0; ev < ZONE_EVENT_COUNT; ev++) {
			char got[200];
			rig_init(&r, 2);
			rig_start_loaded(&r, 10, ZONE_PENDING_NONE);
			assert_true(bring_to((enum zone_state)st));
			if (!possible((enum zone_event)ev))
				snprintf(got, sizeof(got), "impossible");
			else {
				apply((enum zone_event)ev, r.attempt);
				describe(got, sizeof(got));
			}
			assert_true(next < sizeof(rows) / sizeof(rows[0]));
			assert_int_equal(rows[next].st, st);
			assert_int_equal(rows[next].ev, ev);
			if (strcmp(rows[next].leads, got) != 0)
				print_message(
				    "%s, %s\n", zone_state_names[st], zone_event_names[ev]);
			assert_string_equal(got, rows[next].leads);
			next++;
		}
	}
	assert_int_equal(next, sizeof(rows) / sizeof(rows[0]));
}

/* Results of an attempt that is over: no state changes, only staged content is thrown away. */
static void
every_late_result(void **state)
{
	(void)state;
	for (unsigned st = 0; st < ZONE_STATE_COUNT; st++) {
		for (unsigned ev = ZONE_EV_SOA_OK; ev <= ZONE_EV_COMMIT_FAIL; ev++) {
			rig_init(&r, 2);
			rig_start_loaded(&r, 10, ZONE_PENDING_NONE);
			assert_true(bring_to((enum zone_state)st));
			struct zone before = r.z;
			apply((enum zone_event)ev, r.attempt - 1);
			assert_memory_equal(&before, &r.z, sizeof(before));
			assert_int_equal(r.out.n, ev == ZONE_EV_XFER_READY ? 1 : 0);
			if (r.out.n == 1)
				assert_int_equal(r.out.v[0].kind, ZONE_OR_ABORT);
		}
	}
}

static void
prepare(enum zone_data data, enum zone_pending pending)
{
	rig_init(&r, 2);
	if (data == ZONE_LOADED) {
		rig_start_loaded(&r, 10, pending);
		return;
	}
	r.row.pending = r.durable.pending = pending;
	if (data == ZONE_EXPIRED) {
		r.row.has_data = true;
		r.row.times = rig_times;
		r.row.expire_at.us = 1;
	}
	rig_start_row(&r);
}

/* As apply(), but what the store says is what it has done. */
static void
apply_truly(enum zone_event ev)
{
	if (ev == ZONE_EV_MARKED || ev == ZONE_EV_COMMITTED)
		rig_store(&r, false);
	else if (ev == ZONE_EV_MARK_FAIL || ev == ZONE_EV_COMMIT_FAIL)
		rig_store(&r, true);
	else if (possible(ev))
		apply(ev, r.attempt);
}

/* Two events in a row from everywhere, and then it must still come to a good end. */
static void
every_pair_of_everything(void **state)
{
	unsigned reached = 0;

	(void)state;
	for (unsigned i = 0; i < 3 * 3 * ZONE_STATE_COUNT * ZONE_EVENT_COUNT * ZONE_EVENT_COUNT;
	     i++) {
		unsigned k = i;
		enum zone_data data = k % 3;
		enum zone_pending pending = (k /= 3) % 3;
		enum zone_state st = (k /= 3) % ZONE_STATE_COUNT;
		enum zone_event one = (k /= ZONE_STATE_COUNT) % ZONE_EVENT_COUNT;
		enum zone_event two = (k /= ZONE_EVENT_COUNT) % ZONE_EVENT_COUNT;
		prepare(data, pending);
		if (!bring_to(st))
			continue;
		reached++;
		apply_truly(one);
		apply_truly(two);
		rig_store_all(&r);
		if (r.gone)
			continue;
		rig_step(&r, ZONE_EV_RESUME, NULL);
		for (unsigned n = 0; n < 6; n++) {
			rig_run(&r, 20);
			rig_pass(&r, r.armed_us > r.now.mono.us ? r.armed_us - r.now.mono.us : 0);
			rig_timer(&r);
		}
		rig_run(&r, 20);
		assert_int_equal(r.z.data, ZONE_LOADED);
		assert_int_equal(r.z.state, ZONE_IDLE);
		assert_int_equal(r.row.serial, 20);
		assert_int_equal(r.row.pending, ZONE_PENDING_NONE);
	}
	assert_true(reached > 15000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_pair),
	    cmocka_unit_test(every_late_result),
	    cmocka_unit_test(every_pair_of_everything),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);

	rig_clear(&r);
	return rc;
}
