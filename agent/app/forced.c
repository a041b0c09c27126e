/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The last forced transfer of each zone that had one: judged before its commit, in force after it
 * (AN-11, A-05, A-06, A-10).
 */
#include <stdlib.h>
#include <string.h>

#include "app/forced_p.h"
#include "base/mem.h"
#include "base/serial.h"
#include "wire/name.h"

struct forced_zone *
forced_zone_new(struct agent *a, int64_t zone_id)
{
	struct forced_zone *fz = zr_xcalloc(1, sizeof(*fz));

	fz->agent = a;
	fz->zone_id = zone_id;
	fz->notifier = fz->source = agent_intern(a, "");
	return fz;
}

struct forced_zone *
forced_zone_get(struct entry *en)
{
	if (en->forced == NULL) {
		en->forced = forced_zone_new(en->agent, en->z.id);
		en->forced->entry = en;
	}
	return en->forced;
}

static void
zone_free(struct forced_zone *fz)
{
	if (fz == NULL)
		return;
	heap_del(&fz->agent->forced_timers, &fz->timer);
	forced_clear_peers(fz);
	free(fz);
}

void
forced_drop(struct entry *en)
{
	zone_free(en->forced);
	en->forced = NULL;
}

/* ---- before the commit ---- */

static const char *
primary_name(const struct entry *en, uint16_t index)
{
	if (index >= en->z.policy->primary_count)
		return "";
	return ((const struct config_primary *)en->z.policy->primaries[index]->app)->name;
}

static void
fill_row(const struct forced_zone *fz, struct store_forced *r)
{
	const struct forced *f = &fz->next;

	r->zone_id = fz->zone_id;
	r->event = f->event;
	r->at = f->at;
	r->event_at = f->since;
	r->serial = f->serial;
	r->version = f->version;
	memcpy(r->digest, f->digest, sizeof(r->digest));
	memcpy(r->before, f->before, sizeof(r->before));
	r->keep = f->verdict == FORCED_DUPLICATE ? 0 : fz->same_since;
	r->repeats = f->repeats;
	r->alternations = f->alternations;
	r->duration_us = f->duration_us;
	snprintf(r->verdict, sizeof(r->verdict), "%s", forced_verdict_names[f->verdict]);
	snprintf(r->notifier, sizeof(r->notifier), "%s", fz->next_notifier);
	snprintf(r->source, sizeof(r->source), "%s", fz->next_source);
}

/* The notifier is one of those who were told of the last event. */
static bool
may_be_echo(const struct entry *en, uint16_t notifier)
{
	const struct forced_zone *fz = en->forced;
	const struct forced_peer *p;

	if (notifier >= en->z.policy->primary_count)
		return false;
	for (p = fz->peers; p != NULL; p = p->next)
		if (p->event >= fz->same_since && forced_peer_echoes(p->state) &&
		    primary_find(en->z.policy->primaries[notifier], &p->target) >= 0)
			return true;
	return false;
}

enum forced_verdict
forced_before(struct entry *en, const struct zone_commit *zc, struct store_commit *c)
{
	struct forced_zone *fz = forced_zone_get(en);
	const struct config_policy *p = entry_config(en);
	struct forced_result r = {
	    .at = en->agent->now.wall,
	    .serial = zc->serial,
	    .version = c->version,
	    .duration_us = c->log.duration_us,
	    .window_us = p->forced_window_us,
	    .splay_us = p->splay_us > p->forced_splay_us ? p->splay_us : p->forced_splay_us,
	    .operator= zc->operator,
	    .asked = zc->asked,
	    .echo = may_be_echo(en, zc->notifier),
	};

	memcpy(r.digest, c->digest, sizeof(r.digest));
	if (en->has_rows)
		memcpy(r.old_digest, en->digest, sizeof(r.old_digest));
	fz->next = fz->f;
	forced_judge(&fz->next, &r);
	fz->next_notifier =
	    agent_intern(en->agent, zc->operator? "" : primary_name(en, zc->notifier));
	fz->next_source = agent_intern(en->agent, c->log.peer);
	fz->next_raised = !zc->had_data || serial_gt(zc->serial, zc->old_serial);
	fz->next_odd = zc->had_data && zc->content && !fz->next_raised;
	c->has_forced = true;
	fill_row(fz, &c->forced);
	return fz->next.verdict;
}

/* ---- whom it is not for ---- */

static bool
is_of_primary(const struct entry *en, const char *name, const struct zr_addr *target)
{
	const struct zone_policy *p = en->z.policy;

	for (unsigned i = 0; i < p->primary_count; i++)
		if (*name != '\0' && strcmp(primary_name(en, (uint16_t)i), name) == 0)
			return primary_find(p->primaries[i], target) >= 0;
	return false;
}

bool
forced_leave_all(const struct entry *en)
{
	return en->forced != NULL &&
	       (en->forced->next.verdict == FORCED_ALTERNATING || en->forced->next.quiet);
}

bool
forced_leave_out(
    const struct entry *en, bool next, const char *downstream, const struct zr_addr *target)
{
	const struct forced_zone *fz = en->forced;
	const struct forced_peer *p;
	enum forced_verdict v;

	if (fz == NULL)
		return false;
	v = next ? fz->next.verdict : fz->f.verdict;
	if (v == FORCED_ALTERNATING || (next && fz->next.quiet))
		return true;
	if (!entry_config(en)->forced_return &&
	    (is_of_primary(en, next ? fz->next_notifier : fz->notifier, target) ||
		is_of_primary(en, next ? fz->next_source : fz->source, target)))
		return true; /* */
	if (v != FORCED_DUPLICATE)
		return false;
	p = forced_peer_find(fz, downstream, target);
	return p != NULL && p->event >= fz->same_since && !forced_peer_needs(p->state);
}

bool
forced_leave_out_all(const struct entry *en, const char *name)
{
	const struct config_downstream *d = outbox_downstream(en, name);

	if (forced_leave_all(en))
		return true;
	if (d == NULL || !d->notify || d->address.n == 0)
		return false;
	for (size_t i = 0; i < d->address.n; i++)
		if (!forced_leave_out(en, true, name, &d->address.v[i]))
			return false;
	return true;
}

/* ---- in force ---- */

static void
log_forced(const struct entry *en, const struct store_commit *c)
{
	const struct forced_zone *fz = en->forced;
	char name[NAME_TEXT_MAX];

	log_event(fz->odd ? LOG_LVL_WARN : LOG_LVL_INFO, "forced-committed",
	    LS("zone", name_show(en->name, name)), LU("serial", c->serial),
	    LU("old_serial", c->old_serial), LU("event", fz->f.event),
	    LS("verdict", forced_verdict_names[fz->f.verdict]), LB("content", c->content),
	    LS("notifier", *fz->notifier == '\0' ? "operator" : fz->notifier),
	    LS("source", fz->source), LU("notifies", c->notify_count),
	    LI("duration_us", fz->f.duration_us));
	if (fz->f.verdict == FORCED_ALTERNATING)
		log_event(LOG_LVL_ERROR, "forced-alternating",
		    LS("zone", name_show(en->name, name)), LU("serial", c->serial),
		    LU("alternations", fz->f.alternations),
		    LS("reason", "the primaries disagree about the content; it is passed on to "
				 "nobody, and only the first primary is believed for now; when "
				 "they agree: zonerelayctl notify --axfr ZONE"));
}

static void
be_command(struct entry *en, uint64_t event)
{
	struct forced_zone *fz = en->forced;

	fz->f.event = event;
	fz->f.verdict = FORCED_NEW;
	fz->f.quiet = false;
	fz->notifier = fz->source = agent_intern(en->agent, "");
	fz->raised = false;
}

void
forced_committed(struct entry *en, const struct store_commit *c)
{
	struct forced_zone *fz = en->forced;
	enum forced_verdict v = fz->next.verdict;
	uint64_t command = fz->f.event > fz->next.event ? fz->f.event : 0;

	forced_forget_peers(fz, c->forced.keep);
	fz->f = fz->next;
	fz->notifier = fz->next_notifier;
	fz->source = fz->next_source;
	fz->raised = fz->next_raised;
	fz->odd = fz->next_odd;
	fz->settled = false;
	if (v != FORCED_DUPLICATE) {
		fz->same_since = fz->f.event;
		fz->event_at = fz->f.since;
	}
	log_forced(en, c);
	/* It was given meanwhile, and is for this content.  A number of its own: whoever came after
	 * the command may have got the content of before. */
	if (command != 0)
		be_command(en, command + 1);
	forced_owed(en, c->notify, c->notify_count, false);
	forced_skip_rows(en, c->notify, c->notify_count);
}

/*
 * An echo of it that comes round a ring is a duplicate, as if the content had come by a forced
 * transfer.  That is not stored: the commit of the next one does it.
 */
void
forced_command(struct entry *en)
{
	struct forced_zone *fz = forced_zone_get(en);
	struct forced *f = &fz->f;
	bool same = f->event != 0 && memcmp(f->digest, en->digest, sizeof(f->digest)) == 0;

	/* Above that of a commit that is in the store. */
	if (en->committing && f->event < fz->next.event)
		f->event = fz->next.event;
	f->at = f->since = fz->event_at = en->agent->now.wall;
	be_command(en, f->event + 1);
	if (same)
		return;
	fz->same_since = f->event;
	f->serial = en->z.serial;
	f->version = en->version;
	memcpy(f->digest, en->digest, sizeof(f->digest));
	memcpy(f->before, en->digest, sizeof(f->before));
	f->repeats = f->alternations = f->duplicates = 0;
}

uint64_t
forced_stream_event(const struct entry *en)
{
	return en->forced == NULL ? 0 : en->forced->f.event;
}

bool
forced_is_pinned(const struct entry *en)
{
	return en->forced != NULL && forced_pinned(&en->forced->f, en->agent->now.wall);
}

/* ---- from the store ---- */

static enum forced_verdict
verdict_of(const char *name)
{
	for (unsigned i = 0; i < FORCED_VERDICT_COUNT; i++)
		if (strcmp(forced_verdict_names[i], name) == 0)
			return (enum forced_verdict)i;
	return FORCED_NEW;
}

static int
load_row(void *arg, const struct store_forced *r)
{
	struct agent *a = arg;
	struct forced_zone *fz = forced_zone_new(a, r->zone_id);
	struct forced *f = &fz->f;

	f->event = fz->same_since = r->event;
	f->at = r->at;
	f->since = fz->event_at = r->event_at;
	f->serial = r->serial;
	f->version = r->version;
	memcpy(f->digest, r->digest, sizeof(f->digest));
	memcpy(f->before, r->before, sizeof(f->before));
	f->repeats = r->repeats;
	f->alternations = r->alternations;
	f->duration_us = r->duration_us;
	f->verdict = verdict_of(r->verdict);
	fz->notifier = agent_intern(a, r->notifier);
	fz->source = agent_intern(a, r->source);
	table_put(a->forced_rows, &fz->zone_id, sizeof(fz->zone_id), fz);
	return 0;
}

int
forced_load(struct agent *a, struct zr_err *e)
{
	a->forced_rows = table_new();
	if (store_each_forced(a->store, load_row, a, e) != 0 || forced_load_peers(a, e) != 0)
		return -1;
	return noaxfr_load(a, e);
}

/* Zones that are not configured any more. */
void
forced_loaded(struct agent *a)
{
	struct forced_zone *fz;
	size_t pos = 0;

	while (a->forced_rows != NULL && (fz = table_next(a->forced_rows, &pos)) != NULL)
		zone_free(fz);
	table_free(a->forced_rows);
	a->forced_rows = NULL;
}

static uint16_t
primary_index(const struct entry *en, const char *name)
{
	for (uint16_t i = 0; i < en->z.policy->primary_count; i++)
		if (name != NULL && *name != '\0' && strcmp(primary_name(en, i), name) == 0)
			return i;
	return ZONE_NO_INDEX;
}

void
forced_start(struct entry *en, const struct store_zone *row, struct zone_start *st)
{
	struct agent *a = en->agent;
	struct forced_zone *fz = NULL;

	st->notifier = primary_index(en, row->pending_notifier);
	st->authenticated = row->pending_authenticated;
	if (a->forced_rows != NULL)
		fz = table_del(a->forced_rows, &row->id, sizeof(row->id));
	if (fz == NULL)
		return;
	fz->entry = en;
	en->forced = fz;
	st->forced_at = fz->f.at;
	st->forced_duration_us = fz->f.duration_us;
}

void
forced_free(struct agent *a)
{
	forced_loaded(a);
	noaxfr_free(a);
}
