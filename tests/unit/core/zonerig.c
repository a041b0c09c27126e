/* SPDX-License-Identifier: BSD-2-Clause */
#include "zonerig.h"

#include <string.h>

#include "base/serial.h"

const struct zone_soa_times rig_times = {.refresh = 3600, .retry = 600, .expire = 604800};

static const struct sched_limits no_limits[SCHED_WHAT_COUNT];

void
rig_init(struct rig *r, unsigned primaries)
{
	rig_clear(r);
	memset(r, 0, sizeof(*r));
	r->now.mono.us = 1000 * S;
	r->now.wall.us = INT64_C(1800000000) * S;
	for (unsigned i = 0; i < RIG_PRIMARIES; i++) {
		struct zr_addr a[2];
		assert_true(addr_parse("192.0.2.1@53", 53, &a[0]));
		a[0].ip[3] = (uint8_t)(i + 1);
		assert_true(addr_parse("2001:db8::1@53", 53, &a[1]));
		a[1].ip[15] = (uint8_t)(i + 1);
		primary_init(&r->primary[i], 100 + i, a, 2, true, true, no_limits);
		r->list[i] = &r->primary[i];
	}
	r->policy = (struct zone_policy){
	    .primaries = r->list,
	    .primary_count = (uint16_t)primaries,
	    .refresh_min_us = 300 * S,
	    .refresh_max_us = 28 * 24 * 3600 * S,
	    .retry_min_us = 60 * S,
	    .retry_max_us = 14 * 24 * 3600 * S,
	    .forced_every_us = 60 * S,
	    .forced_burst = 1,
	    .ixfr = true,
	    .seed = 1,
	};
	zone_init(&r->z, 7, (const uint8_t *)"\7example\0", &r->policy);
}

void
rig_clear(struct rig *r)
{
	for (unsigned i = 0; i < RIG_PRIMARIES; i++)
		primary_clear(&r->primary[i]);
}

void
rig_pass(struct rig *r, int64_t us)
{
	r->now.mono.us += us;
	r->now.wall.us += us;
}

bool
rig_ordered(const struct rig *r, enum zone_order_kind kind)
{
	return rig_order(r, kind) != NULL;
}

const struct zone_order *
rig_order(const struct rig *r, enum zone_order_kind kind)
{
	for (unsigned i = 0; i < r->out.n; i++)
		if (r->out.v[i].kind == kind)
			return &r->out.v[i];
	return NULL;
}

/* ---- carrying out orders ---- */

static void
post(struct rig *r, const struct zone_order *o)
{
	struct rig_store_order *q = &r->store[r->posted % RIG_STORE];

	assert_true(r->posted - r->stored < RIG_STORE);
	*q = (struct rig_store_order){
	    .o = *o, .times = r->commit_times, .duration_us = r->commit_duration_us};
	r->posted++;
}

static void
carry_out(struct rig *r, const struct zone_order *o)
{
	switch (o->kind) {
	case ZONE_OR_MARK:
		assert_int_equal(o->mark.seq, r->z.mark_seq);
		r->marks++;
		post(r, o);
		break;
	case ZONE_OR_ENQUEUE:
		assert_false(r->queued);
		assert_false(r->slot);
		assert_int_equal(r->op, OP_NONE);
		assert_true(o->enqueue.primary < r->z.policy->primary_count);
		r->queued = true;
		r->lane = o->enqueue.lane;
		r->what = o->enqueue.what;
		r->first = o->enqueue.first;
		assert_true(r->what == SCHED_FORCED || !r->first);
		r->asked = o->enqueue.primary;
		break;
	case ZONE_OR_DEQUEUE:
		assert_true(r->queued);
		r->queued = false;
		break;
	case ZONE_OR_RELEASE:
		assert_true(r->slot);
		r->slot = false;
		break;
	case ZONE_OR_PROBE:
		assert_true(r->slot);
		assert_int_equal(r->op, OP_NONE);
		assert_int_equal(r->what, SCHED_SOA);
		assert_int_equal(o->probe.primary, r->asked);
		r->op = OP_PROBE;
		r->attempt = o->attempt;
		r->asked_address = o->probe.address;
		r->probes++;
		rig_query_written(r, false);
		break;
	case ZONE_OR_FETCH:
		assert_true(r->slot);
		assert_int_equal(r->op, OP_NONE);
		assert_int_equal(r->what, o->fetch.forced ? SCHED_FORCED : SCHED_TRANSFER);
		assert_int_equal(o->fetch.primary, r->asked);
		assert_int_equal(o->fetch.have_serial, r->z.data == ZONE_LOADED);
		r->op = OP_FETCH;
		r->attempt = o->attempt;
		r->asked_address = o->fetch.address;
		r->fetch_ixfr = o->fetch.ixfr;
		r->fetch_forced = o->fetch.forced;
		assert_false(o->fetch.ixfr && (o->fetch.forced || r->z.data != ZONE_LOADED));
		r->fetches++;
		r->forced_fetches += o->fetch.forced;
		rig_query_written(r, o->fetch.forced);
		break;
	case ZONE_OR_CANCEL:
		assert_true(r->op == OP_PROBE || r->op == OP_FETCH);
		assert_int_equal(o->attempt, r->attempt);
		r->op = OP_NONE;
		rig_round_failed(r);
		break;
	case ZONE_OR_ABORT:
		break;
	case ZONE_OR_COMMIT:
		assert_int_equal(r->op, OP_NONE);
		assert_int_equal(o->attempt, r->attempt);
		assert_false(o->commit.drop_journal && !o->commit.content);
		r->op = OP_COMMIT;
		r->commits++;
		post(r, o);
		break;
	case ZONE_OR_SAVE:
		r->saves++;
		post(r, o);
		break;
	case ZONE_OR_ARM:
		r->armed_us = o->arm.us;
		break;
	case ZONE_OR_EXPIRED:
		assert_false(r->expired);
		r->expired = true;
		break;
	case ZONE_OR_UNEXPIRED:
		assert_true(r->expired);
		r->expired = false;
		break;
	case ZONE_OR_GONE:
		assert_false(r->gone);
		r->gone = true;
		break;
	case ZONE_ORDER_COUNT:
		fail();
	}
}

/* The end of a round as the outside sees it. */
static void
judge_end(struct rig *r, enum zone_event ev)
{
	uint32_t notes = r->out.notes;

	if (ev == ZONE_EV_COMMITTED)
		rig_round_ended(r, r->fetch_forced);
	if ((notes & ZONE_NOTE_CURRENT) != 0)
		rig_round_ended(r, false);
	if ((notes & ZONE_NOTE_ALL_BEHIND) != 0)
		rig_round_ended(r, (notes & ZONE_NOTE_FORCE_KEPT) != 0);
	if ((notes & ZONE_NOTE_ROUND_FAILED) != 0)
		rig_round_failed(r);
	rig_hints_met(r);
}

void
rig_step(struct rig *r, enum zone_event ev, const struct zone_arg *arg)
{
	bool was_fetch = r->op == OP_FETCH;
	bool mine = arg != NULL && arg->attempt == r->attempt;

	if (ev == ZONE_EV_TIMER)
		r->armed_us = 0;
	if (mine && (ev == ZONE_EV_SOA_OK || ev == ZONE_EV_SOA_FAIL) && r->op == OP_PROBE)
		r->op = OP_NONE;
	if (mine && ev >= ZONE_EV_XFER_READY && ev <= ZONE_EV_XFER_FAIL && was_fetch)
		r->op = OP_NONE;
	if ((ev == ZONE_EV_COMMITTED || ev == ZONE_EV_COMMIT_FAIL) && mine && r->op == OP_COMMIT)
		r->op = OP_NONE;
	if (ev == ZONE_EV_XFER_READY)
		r->commit_duration_us = arg->ready.duration_us;
	zone_step(&r->z, ev, arg, r->now, &r->out);
	for (unsigned i = 0; i < r->out.n; i++) {
		/* What ended in this step ended before the next round began. */
		if (r->out.v[i].kind == ZONE_OR_PROBE || r->out.v[i].kind == ZONE_OR_FETCH)
			continue;
		carry_out(r, &r->out.v[i]);
	}
	judge_end(r, ev);
	for (unsigned i = 0; i < r->out.n; i++)
		if (r->out.v[i].kind == ZONE_OR_PROBE || r->out.v[i].kind == ZONE_OR_FETCH)
			carry_out(r, &r->out.v[i]);
	if (r->gone)
		memset(r->trigger, 0, sizeof(r->trigger));
	rig_check_state(r);
	if (ev != ZONE_EV_NOTIFY && ev != ZONE_EV_REFRESH && ev != ZONE_EV_RETRANSFER)
		rig_check_owed(r);
}

/* ---- events ---- */

void
rig_start_row(struct rig *r)
{
	const struct rig_row *w = &r->row;
	struct zone_arg a = {.start = {
				 .has_data = w->has_data,
				 .serial = w->serial,
				 .times = w->times,
				 .checked_at = w->checked_at,
				 .refresh_at = w->refresh_at,
				 .expire_at = w->expire_at,
				 .pending = w->pending,
				 .notifier = w->notifier,
				 .authenticated = w->authenticated,
				 .forced_at = w->forced_at,
				 .forced_duration_us = w->forced_duration_us,
				 .recheck = w->recheck,
			     }};
	rig_step(r, ZONE_EV_START, &a);
}

void
rig_start_empty(struct rig *r)
{
	rig_start_row(r);
}

void
rig_start_loaded(struct rig *r, uint32_t serial, enum zone_pending pending)
{
	r->row = (struct rig_row){
	    .has_data = true,
	    .serial = serial,
	    .times = rig_times,
	    .checked_at = r->now.wall,
	    .refresh_at = {r->now.wall.us + rig_times.refresh * S},
	    .expire_at = {r->now.wall.us + rig_times.expire * S},
	    .pending = pending,
	    .notifier = ZONE_NO_INDEX,
	};
	r->durable = r->row;
	rig_start_row(r);
}

void
rig_notify(struct rig *r, uint16_t primary, int64_t hint)
{
	struct zone_arg a = {.notify = {
				 .hinted = hint >= 0,
				 .hint = (uint32_t)hint,
				 .primary = primary,
				 .address = ZONE_NO_INDEX,
			     }};
	primary_notified(&r->primary[primary], -1);
	rig_step(r, ZONE_EV_NOTIFY, &a);
	rig_add_trigger(r, false, false, hint);
	rig_check_owed(r);
}

void
rig_notify_axfr(struct rig *r, uint16_t primary, bool authenticated)
{
	struct zone_arg a = {.notify = {
				 .forced = true,
				 .authenticated = authenticated,
				 .primary = primary,
				 .address = ZONE_NO_INDEX,
			     }};
	primary_notified(&r->primary[primary], -1);
	rig_step(r, ZONE_EV_NOTIFY, &a);
	rig_add_trigger(r, true, authenticated, -1);
	rig_check_owed(r);
}

void
rig_grant(struct rig *r)
{
	assert_true(r->queued);
	r->queued = false;
	r->slot = true;
	rig_step(r, ZONE_EV_GRANT, NULL);
}

void
rig_denied(struct rig *r)
{
	assert_true(r->queued);
	r->queued = false;
	rig_step(r, ZONE_EV_DENIED, NULL);
}

void
rig_soa(struct rig *r, uint32_t serial)
{
	struct zone_arg a = {.attempt = r->attempt, .soa = {.serial = serial}};
	rig_step(r, ZONE_EV_SOA_OK, &a);
}

void
rig_soa_fail(struct rig *r, enum zr_code code, bool whole)
{
	struct zone_arg a = {.attempt = r->attempt, .fail = {.code = code, .whole = whole}};
	rig_step(r, ZONE_EV_SOA_FAIL, &a);
}

void
rig_ready(struct rig *r, uint32_t serial, bool diff, bool identical)
{
	struct zone_arg a = {.attempt = r->attempt,
	    .ready = {
		.serial = serial,
		.diff = diff,
		.identical = identical,
		.times = rig_times,
		.duration_us = S / 2,
	    }};
	r->commit_times = a.ready.times;
	rig_step(r, ZONE_EV_XFER_READY, &a);
}

void
rig_current(struct rig *r, uint32_t serial)
{
	struct zone_arg a = {.attempt = r->attempt, .soa = {.serial = serial}};
	rig_step(r, ZONE_EV_XFER_CURRENT, &a);
}

void
rig_xfer_fail(struct rig *r, enum zr_code code, bool whole)
{
	struct zone_arg a = {.attempt = r->attempt, .fail = {.code = code, .whole = whole}};
	rig_step(r, ZONE_EV_XFER_FAIL, &a);
}

void
rig_timer(struct rig *r)
{
	if (r->armed_us != 0 && r->armed_us <= r->now.mono.us)
		rig_step(r, ZONE_EV_TIMER, NULL);
}

/* ---- the store ---- */

/* As mark_set in the store. */
static void
row_pending(struct rig *r, enum zone_pending pending, uint16_t notifier, bool authenticated)
{
	bool force = pending == ZONE_PENDING_FORCE;

	r->row.pending = pending;
	r->row.notifier = force ? notifier : ZONE_NO_INDEX;
	r->row.authenticated = force && authenticated;
}

/* As mark_raise. */
static void
row_mark(struct rig *r, const struct zone_order *o)
{
	struct rig_row *w = &r->row;
	bool proved = o->mark.pending == w->pending && o->mark.authenticated && !w->authenticated;

	assert_true(o->mark.pending == ZONE_PENDING_FORCE || !o->mark.authenticated);
	if (o->mark.pending <= w->pending && !proved)
		return;
	w->pending = o->mark.pending;
	w->notifier = o->mark.notifier;
	w->authenticated = o->mark.authenticated;
}

static void
row_commit(struct rig *r, const struct rig_store_order *q)
{
	const struct zone_commit *c = &q->o.commit;

	r->row.has_data = true;
	r->row.serial = c->serial;
	r->row.times = q->times;
	r->row.checked_at = c->checked_at;
	r->row.refresh_at = c->refresh_at;
	r->row.expire_at = c->expire_at;
	row_pending(r, c->pending_after, c->notifier_after, c->authenticated_after);
	if (c->forced) {
		r->row.forced_at = r->now.wall;
		r->row.forced_duration_us = q->duration_us;
	}
}

static void
row_save(struct rig *r, const struct zone_save *v)
{
	if (v->checked_at.us != 0)
		r->row.checked_at = v->checked_at;
	if (v->refresh_at.us != 0)
		r->row.refresh_at = v->refresh_at;
	if (v->expire_at.us != 0)
		r->row.expire_at = v->expire_at;
	row_pending(r, v->pending, v->notifier, v->authenticated);
}

bool
rig_store(struct rig *r, bool fails)
{
	if (r->stored == r->posted)
		return false;
	struct rig_store_order q = r->store[r->stored++ % RIG_STORE];
	struct zone_arg a = {.attempt = q.o.attempt};
	switch (q.o.kind) {
	case ZONE_OR_MARK:
		if (!fails) {
			row_mark(r, &q.o);
			r->durable = r->row; /* all before it is on disk too */
		}
		rig_triggers_marked(r, q.o.mark.seq, !fails);
		a.marked.seq = q.o.mark.seq;
		rig_check_rows(r);
		rig_step(r, fails ? ZONE_EV_MARK_FAIL : ZONE_EV_MARKED, &a);
		break;
	case ZONE_OR_COMMIT:
		if (!fails)
			row_commit(r, &q);
		if (!fails && q.o.commit.durable)
			r->durable = r->row;
		a.fail.code = ZR_DB;
		rig_step(r, fails ? ZONE_EV_COMMIT_FAIL : ZONE_EV_COMMITTED, &a);
		break;
	case ZONE_OR_SAVE:
		if (!fails)
			row_save(r, &q.o.save);
		break;
	default:
		fail();
	}
	rig_check_rows(r);
	return true;
}

void
rig_store_all(struct rig *r)
{
	while (rig_store(r, false))
		;
}

void
rig_run(struct rig *r, uint32_t serial)
{
	for (unsigned i = 0; i < 100; i++) {
		if (r->queued)
			rig_grant(r);
		else if (r->op == OP_PROBE)
			rig_soa(r, serial);
		else if (r->op == OP_FETCH)
			rig_ready(r, serial, r->fetch_ixfr, false);
		else if (!rig_store(r, false))
			return;
	}
	fail_msg("it never ends");
}

void
rig_restart(struct rig *r, bool power_cut)
{
	/* A version that went with the power is asked for again: nobody need owe it. */
	if (power_cut)
		r->row = r->durable;
	else
		r->durable = r->row; /* the store syncs what it finds */
	r->row.recheck = power_cut;
	for (unsigned i = 0; i < RIG_TRIGGERS; i++) {
		struct rig_trigger *t = &r->trigger[i];
		t->asked = t->waits = false;
		if (!t->answered)
			t->open = false; /* its sender got no answer, and sends again */
	}
	r->queued = r->slot = r->expired = r->gone = false;
	r->op = OP_NONE;
	r->armed_us = 0;
	r->stored = r->posted;
	zone_init(&r->z, 7, (const uint8_t *)"\7example\0", &r->policy);
	rig_start_row(r);
}
