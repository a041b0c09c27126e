/* SPDX-License-Identifier: BSD-2-Clause */
/* What was promised to whom, and what must hold after every step. */
#include "base/serial.h"
#include "zonerig.h"

/* ---- triggers and their ends ---- */

static enum zone_pending
level_of(const struct rig_trigger *t)
{
	return t->forced ? ZONE_PENDING_FORCE : ZONE_PENDING_CHECK;
}

void
rig_query_written(struct rig *r, bool forced)
{
	for (unsigned i = 0; i < RIG_TRIGGERS; i++) {
		struct rig_trigger *t = &r->trigger[i];
		if (t->open && (!t->forced || forced))
			t->asked = true;
	}
}

/* A round came to a good end: who was asked for since is satisfied. */
void
rig_round_ended(struct rig *r, bool forced)
{
	for (unsigned i = 0; i < RIG_TRIGGERS; i++) {
		struct rig_trigger *t = &r->trigger[i];
		if (t->open && t->asked && (!t->forced || forced))
			t->open = false;
	}
}

void
rig_hints_met(struct rig *r)
{
	if (r->z.data != ZONE_LOADED)
		return;
	for (unsigned i = 0; i < RIG_TRIGGERS; i++) {
		struct rig_trigger *t = &r->trigger[i];
		if (t->open && t->hinted && !t->forced && serial_ge(r->z.serial, t->hint))
			t->open = false;
	}
}

void
rig_round_failed(struct rig *r)
{
	for (unsigned i = 0; i < RIG_TRIGGERS; i++)
		r->trigger[i].asked = false;
}

void
rig_add_trigger(struct rig *r, bool forced, bool authenticated, int64_t hint)
{
	assert_int_not_equal(r->out.answer, ZONE_ANSWER_NONE);
	/* Answered at once for its hint: nothing is promised. */
	if ((r->out.notes & ZONE_NOTE_HINT_OLD) != 0)
		return;
	for (unsigned i = 0; i < RIG_TRIGGERS; i++) {
		struct rig_trigger *t = &r->trigger[i];
		if (t->open)
			continue;
		*t = (struct rig_trigger){
		    .open = true,
		    .forced = forced,
		    .authenticated = authenticated,
		    .hinted = hint >= 0,
		    .hint = (uint32_t)hint,
		    .waits = r->out.answer == ZONE_ANSWER_MARKED,
		    .answered = r->out.answer == ZONE_ANSWER_NOW,
		    .seq = r->out.answer_seq,
		};
		return;
	}
}

void
rig_triggers_marked(struct rig *r, uint16_t seq, bool ok)
{
	for (unsigned i = 0; i < RIG_TRIGGERS; i++) {
		struct rig_trigger *t = &r->trigger[i];
		if (!t->waits || (int16_t)(seq - t->seq) < 0)
			continue;
		t->waits = false;
		t->answered = ok;
		t->low = !ok;
	}
}

/* ---- what must always hold ---- */

void
rig_check_state(const struct rig *r)
{
	unsigned st = r->z.state;

	assert_int_equal(r->queued, st == ZONE_QUEUED);
	assert_int_equal(r->slot, st == ZONE_PROBING || st == ZONE_FETCHING);
	assert_int_equal(r->op == OP_PROBE, st == ZONE_PROBING);
	assert_int_equal(r->op == OP_FETCH, st == ZONE_FETCHING);
	assert_int_equal(r->op == OP_COMMIT, st == ZONE_STORING);
	assert_int_equal(r->gone, st == ZONE_GONE);
	assert_int_equal(r->expired, r->z.data == ZONE_EXPIRED);
	assert_int_equal(r->armed_us, r->z.armed_us);
	if (st == ZONE_IDLE)
		assert_true(r->armed_us > 0);
	if (st != ZONE_GONE && r->z.data == ZONE_LOADED)
		assert_in_range(r->armed_us, 1, r->z.expire_us > 0 ? r->z.expire_us : 1);
	if (st == ZONE_IDLE || st == ZONE_HELD || st == ZONE_GONE)
		assert_int_equal(r->z.serving, 0);
}

void
rig_check_owed(const struct rig *r)
{
	if (r->gone)
		return;
	for (unsigned i = 0; i < RIG_TRIGGERS; i++) {
		const struct rig_trigger *t = &r->trigger[i];
		if (!t->open)
			continue;
		assert_true(zone_owed(&r->z) >= level_of(t));
		/* The commit on its way brings what its hint announced. */
		if (r->z.state == ZONE_STORING && t->hinted && serial_ge(r->z.next_serial, t->hint))
			continue;
		/* Not yet asked for: it must not count as being served. */
		if (!t->asked && t->forced)
			assert_true((r->z.pending & ZONE_BIT_FORCE) != 0);
		else if (!t->asked)
			assert_true((r->z.pending & ZONE_BIT_CHECK) != 0);
	}
}

/* After a crash the row is all there is. */
void
rig_check_rows(const struct rig *r)
{
	if (r->gone)
		return;
	for (unsigned i = 0; i < RIG_TRIGGERS; i++) {
		const struct rig_trigger *t = &r->trigger[i];
		if (!t->open || !t->answered)
			continue;
		assert_true(r->row.pending >= level_of(t));
		assert_true(r->durable.pending >= level_of(t));
		/* The proof is as durable as the mark. */
		assert_true(!t->authenticated || r->row.authenticated);
		assert_true(!t->authenticated || r->durable.authenticated);
	}
}
