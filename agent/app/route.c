/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The zone machine's orders, carried out; and the store's answers, turned into events.  One log
 * line per step.
 */
#include "app/agent_p.h"
#include "wire/name.h"

void
entry_primary_name(const struct entry *en, uint16_t i, char *out, size_t size)
{
	const struct zone_policy *p = en->z.policy;

	snprintf(out, size, "%s",
	    i < p->primary_count ? ((const struct config_primary *)p->primaries[i]->app)->name
				 : "");
}

static void
mark(struct entry *en, const struct zone_order *o)
{
	struct store_order *so = store_order_new(STORE_MARK, en->z.id);

	so->durable = true;
	so->mark.pending = (enum store_pending)o->mark.pending;
	so->mark.since = en->agent->now.wall;
	so->mark.authenticated = o->mark.authenticated;
	so->mark.signature = verify_keep(en->agent);
	entry_primary_name(en, o->mark.notifier, so->mark.notifier, sizeof(so->mark.notifier));
	so->cookie = (uint64_t)en->epoch << 16 | o->mark.seq;
	agent_store(en->agent, so, true);
}

static void
save(struct entry *en, const struct zone_order *o)
{
	struct store_order *so = store_order_new(STORE_TIMERS, en->z.id);
	struct store_timers *t = &so->timers;
	const struct zone_save *s = &o->save;
	struct agent *a = en->agent;

	t->checked_at = s->checked_at;
	t->refresh_at = s->refresh_at;
	t->expire_at = s->expire_at;
	t->set_pending = true;
	t->pending = (enum store_pending)s->pending;
	t->caller.authenticated = s->authenticated;
	entry_primary_name(en, s->notifier, t->caller.notifier, sizeof(t->caller.notifier));
	t->failures = s->failures;
	t->code = s->code;
	t->at = a->now.wall;
	if (s->checked_at.us != 0)
		en->checked_at = s->checked_at;
	if (s->failures == 0) {
		entry_error(en, NULL);
	} else {
		snprintf(t->text, sizeof(t->text), "%s",
		    en->error != NULL ? en->error : zr_code_name(s->code));
		t->next_try = zone_wall(en->z.armed_us, a->now);
	}
	agent_store(a, so, false);
}

static void
enqueue(struct entry *en, const struct zone_order *o)
{
	struct primary *p = en->z.policy->primaries[o->enqueue.primary];

	(o->enqueue.first ? sched_enqueue_first : sched_enqueue)(
	    &en->agent->sched, &en->z.sched, &p->peer, o->enqueue.what, o->enqueue.lane);
}

static void
arm(struct entry *en, const struct zone_order *o)
{
	struct agent *a = en->agent;

	if (o->arm.us == 0)
		heap_del(&a->timers, &en->z.timer);
	else
		heap_set(&a->timers, &en->z.timer, o->arm.us);
}

static void
cancel(struct entry *en)
{
	probe_cancel(en);
	fetch_cancel(en);
	commit_abort(en);
}

static void
announce_state(struct entry *en, const char *event, enum log_level level)
{
	char name[NAME_TEXT_MAX];

	log_event(level, event, LS("zone", name_show(en->name, name)), LU("serial", en->z.serial),
	    LS("reason", en->error));
}

/* False: the entry is gone. */
static bool
carry_out(struct entry *en, const struct zone_order *o)
{
	struct agent *a = en->agent;

	switch (o->kind) {
	case ZONE_OR_MARK:
		mark(en, o);
		break;
	case ZONE_OR_ENQUEUE:
		enqueue(en, o);
		break;
	case ZONE_OR_DEQUEUE:
		sched_dequeue(&a->sched, &en->z.sched);
		break;
	case ZONE_OR_RELEASE:
		(o->release.unused ? sched_return : sched_release)(&a->sched, &en->z.sched);
		break;
	case ZONE_OR_PROBE:
		probe_start(en, o);
		break;
	case ZONE_OR_FETCH:
		fetch_start(en, o);
		break;
	case ZONE_OR_CANCEL:
		cancel(en);
		break;
	case ZONE_OR_ABORT:
		commit_abort(en);
		break;
	case ZONE_OR_COMMIT:
		commit_start(en, o);
		break;
	case ZONE_OR_SAVE:
		save(en, o);
		break;
	case ZONE_OR_ARM:
		arm(en, o);
		break;
	case ZONE_OR_EXPIRED:
		announce_state(en, "zone-expired", LOG_LVL_ERROR);
		break;
	case ZONE_OR_UNEXPIRED:
		announce_state(en, "zone-unexpired", LOG_LVL_INFO);
		break;
	case ZONE_OR_GONE:
		entry_free(en);
		return false;
	case ZONE_ORDER_COUNT:
		break;
	}
	return true;
}

struct note {
	uint32_t bit;
	enum log_level level;
	const char *text;
};

static const struct note notes[] = {
    {ZONE_NOTE_BEHIND, LOG_LVL_WARN, "the primary's serial is lower than ours"},
    {ZONE_NOTE_INCOMPARABLE, LOG_LVL_WARN, "the primary's serial cannot be compared with ours"},
    {ZONE_NOTE_INCONSISTENT, LOG_LVL_WARN, "SOA answer and transfer of the primary disagree"},
    {ZONE_NOTE_REJECTED, LOG_LVL_WARN, "this serial was rejected lately and is not fetched again"},
    {ZONE_NOTE_ROUND_FAILED, LOG_LVL_WARN, "no primary could be used, trying again later"},
    {ZONE_NOTE_SAME_SERIAL, LOG_LVL_WARN, "the primary changed the zone without its serial"},
    {ZONE_NOTE_SERIAL_BACK, LOG_LVL_WARN, "the serial goes back"},
    {ZONE_NOTE_FORCE_KEPT, LOG_LVL_WARN, "the forced transfer brought a lower serial: not taken"},
    {ZONE_NOTE_SAME_ELSEWHERE, LOG_LVL_WARN,
	"forced transfer: not from who called for it, and nothing new, so it is tried again"},
    {ZONE_NOTE_FORCE_WAITS, LOG_LVL_INFO, "the forced transfer waits for its rate"},
    {ZONE_NOTE_HINT_UNMET, LOG_LVL_WARN, "no primary had the serial that a NOTIFY announced"},
    {ZONE_NOTE_STALE, LOG_LVL_DEBUG, "result of an attempt that is over"},
    {ZONE_NOTE_HINT_OLD, LOG_LVL_DEBUG, "the NOTIFY announced nothing new"},
    {ZONE_NOTE_CURRENT, LOG_LVL_DEBUG, "checked: ours is the newest serial there is"},
    {ZONE_NOTE_ALL_BEHIND, LOG_LVL_WARN, "no primary has our serial or a newer one"},
};

static void
log_notes(const struct entry *en, uint32_t bits)
{
	struct agent *a = en->agent;
	char name[NAME_TEXT_MAX];
	uint64_t more = 0;

	for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++)
		if ((bits & notes[i].bit) != 0 && log_enabled(notes[i].level) &&
		    (notes[i].level == LOG_LVL_DEBUG ||
			log_limit_pass(&a->zone_log, a->now.mono.us, &more)))
			log_event(notes[i].level, "zone-note",
			    LS("zone", name_show(en->name, name)), LU("serial", en->z.serial),
			    LS("note", notes[i].text), LS("reason", en->error),
			    LU("left_out", more));
}

static void
log_step(const struct entry *en, enum zone_event ev, uint8_t from, const struct zone_orders *os)
{
	char name[NAME_TEXT_MAX];

	if (os->notes != 0)
		log_notes(en, os->notes);
	if (!log_enabled(LOG_LVL_DEBUG))
		return;
	log_event(LOG_LVL_DEBUG, "zone-step", LS("zone", name_show(en->name, name)),
	    LS("why", zone_event_names[ev]), LS("from", zone_state_names[from]),
	    LS("to", zone_state_names[en->z.state]), LS("data", zone_data_names[en->z.data]),
	    LS("pending", zone_pending_names[zone_owed(&en->z)]), LU("serial", en->z.serial));
}

void
route_event(
    struct entry *en, enum zone_event ev, const struct zone_arg *arg, struct zone_orders *answer)
{
	struct agent *a = en->agent;
	struct zone_orders os;
	uint8_t from = en->z.state;
	bool unseen = en->z.unseen;

	zone_step(&en->z, ev, arg, a->now, &os);
	a->unseen += (unsigned)en->z.unseen - (unsigned)unseen;
	log_step(en, ev, from, &os);
	if (answer != NULL)
		*answer = os;
	if (from == ZONE_IDLE && en->z.state != ZONE_IDLE)
		en->triggered = a->now.mono;
	if (zone_owed(&en->z) == ZONE_PENDING_NONE)
		en->pending_at.us = 0;
	else if (en->pending_at.us == 0)
		en->pending_at = a->now.wall;
	for (unsigned i = 0; i < os.n; i++)
		if (!carry_out(en, &os.v[i]))
			return;
}

/* ---- the store's answers ---- */

static void
marked(struct agent *a, struct store_order *o)
{
	struct entry *en = entry_by_id(a, o->zone_id);
	struct zone_arg arg = {.marked = {.seq = (uint16_t)o->cookie}};
	bool ok = o->err.code == ZR_OK;

	if (en == NULL || en->epoch != o->cookie >> 16)
		return;
	if (!ok)
		log_event(LOG_LVL_ERROR, "mark-failed", LS("reason", o->err.text));
	answer_marked(en, arg.marked.seq, ok);
	route_event(en, ok ? ZONE_EV_MARKED : ZONE_EV_MARK_FAIL, &arg, NULL);
}

void
route_sweep(struct entry *en)
{
	struct store_order *o;

	if (!en->sweep || en->sweeping || en->z.id == 0 || en->agent->stopping)
		return;
	/* While a difference is sent; its end comes here again. */
	if (serve_oldest(en) == 0)
		return;
	en->sweep = false;
	en->sweeping = true;
	o = store_order_new(STORE_SWEEP, en->z.id);
	o->sweep.keep_version = serve_oldest(en);
	o->cookie = en->epoch;
	agent_store(en->agent, o, true);
}

static void
swept(struct agent *a, struct store_order *o)
{
	struct entry *en = entry_by_id(a, o->zone_id);

	if (en == NULL || en->epoch != o->cookie)
		return;
	en->sweeping = false;
	if (o->err.code != ZR_OK) { /* with the next commit or transfer out */
		en->sweep = true;
		return;
	}
	if (o->sweep.more || serve_oldest(en) > o->sweep.keep_version)
		en->sweep = true;
	route_sweep(en);
}

static void
committed(struct agent *a, struct store_order *o)
{
	struct entry *en = entry_by_id(a, o->zone_id);

	if (en != NULL && en->epoch == o->cookie)
		commit_done(en, o);
}

static void
owed(struct agent *a, struct store_order *o)
{
	struct entry *en = entry_by_id(a, o->zone_id);

	if (o->owner != NULL)
		live_notified(a, o);
	if (en == NULL || en->epoch != o->cookie)
		return;
	if (o->owner == NULL)
		targets_posted(en, o);
	if (o->err.code != ZR_OK) {
		log_event(LOG_LVL_ERROR, "outbox-failed", LS("reason", o->err.text));
		return;
	}
	if (o->outbox.gone) /* newer rows are there */
		return;
	forced_owed(en, o->outbox.v, o->outbox.count, false);
	outbox_owe(en, o->outbox.v, o->outbox.count, false);
}

void
route_store(struct agent *a, struct store_order *o)
{
	a->store_outstanding--;
	switch (o->op) {
	case STORE_ADD_ZONE:
		zones_added(a, o);
		break;
	case STORE_MARK:
		marked(a, o);
		break;
	case STORE_COMMIT:
		committed(a, o);
		break;
	case STORE_OUTBOX_ADD:
		owed(a, o);
		break;
	case STORE_SWEEP:
		swept(a, o);
		break;
	case STORE_SYNC:
		live_synced(a, o);
		break;
	case STORE_PING:
		watchdog_answered(a);
		break;
	default:
		break;
	}
	store_order_free(o);
}
