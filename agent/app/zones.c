/* SPDX-License-Identifier: BSD-2-Clause */
/* The registry of zones: entries by name and by number in the store. */
#include <stdlib.h>
#include <string.h>

#include "app/agent_p.h"
#include "base/mem.h"
#include "wire/name.h"

/* When the store could not write the row of a new zone. */
#define ADD_AGAIN_US (10 * ZR_US_PER_S)

struct entry *
entry_new(struct agent *a, const uint8_t *name, const struct zone_policy *p)
{
	size_t len = name_len(name);
	struct entry *en = zr_xcalloc(1, sizeof(*en) + len);

	en->agent = a;
	memcpy(en->name, name, len);
	a->zone_octets += len;
	en->epoch = ++a->next_epoch;
	en->waiters_end = &en->waiters;
	zone_init(&en->z, 0, en->name, p);
	en->z.app = en;
	table_put(a->zones, en->name, name_len(en->name), en);
	return en;
}

static void
drop_ready(struct entry *en)
{
	if (en->ready != NULL)
		mail_free(&en->ready->mail);
	en->ready = NULL;
}

void
entry_free(struct entry *en)
{
	struct agent *a = en->agent;
	struct stream *s;

	if (table_get(a->zones, en->name, name_len(en->name)) == en)
		table_del(a->zones, en->name, name_len(en->name));
	if (en->z.id != 0 && entry_by_id(a, en->z.id) == en)
		table_del(a->by_id, &en->z.id, sizeof(en->z.id));
	heap_del(&a->timers, &en->z.timer);
	forced_drop(en);
	hook_drop(en);
	targets_drop(en);
	probe_cancel(en);
	if (en->job != 0)
		job_forget(a, en->job);
	answer_drop_waiters(en);
	outbox_drop(en);
	for (s = en->streams; s != NULL; s = s->next)
		s->entry = NULL;
	drop_ready(en);
	if (en->removed)
		a->lingering--;
	a->unseen -= en->z.unseen;
	entry_set_soa(en, NULL, 0, 0);
	a->zone_octets -= name_len(en->name);
	free(en->error);
	free(en);
}

struct entry *
entry_by_id(struct agent *a, int64_t id)
{
	return table_get(a->by_id, &id, sizeof(id));
}

struct entry *
entry_by_name(struct agent *a, const uint8_t *name)
{
	return table_get(a->zones, name, name_len(name));
}

const struct config_policy *
entry_config(const struct entry *en)
{
	return ((const struct policy *)en->z.policy->app)->cfg;
}

void
entry_set_soa(struct entry *en, uint8_t *soa, uint16_t len, uint32_t ttl)
{
	struct agent *a = en->agent;

	a->zone_octets -= en->soa_len;
	a->zone_octets += len;
	free(en->soa);
	en->soa = soa;
	en->soa_len = len;
	en->soa_ttl = ttl;
}

size_t
entry_memory(const struct agent *a)
{
	return table_count(a->zones) * (sizeof(struct entry) + sizeof(struct config_zone)) +
	       a->zone_octets + table_bytes(a->zones) + table_bytes(a->by_id) +
	       a->timers.cap * sizeof(*a->timers.v);
}

struct rr
entry_soa(const struct entry *en)
{
	return (struct rr){
	    .owner = en->name,
	    .owner_len = (uint8_t)name_len(en->name),
	    .type = TYPE_SOA,
	    .class = CLASS_IN,
	    .ttl = en->soa_ttl,
	    .rdata = en->soa,
	    .rdlen = en->soa_len,
	};
}

void
entry_error(struct entry *en, const char *text)
{
	free(en->error);
	en->error = text == NULL ? NULL : zr_xstrdup(text);
}

void
entry_behind(struct entry *en, const char *primary, const char *address, uint32_t serial)
{
	char text[ADDR_TEXT_MAX + 160];

	snprintf(text, sizeof(text), "%s %s has serial %u, lower than ours, %u", primary, address,
	    serial, en->z.serial);
	entry_error(en, text);
}

void
entry_take_row(struct entry *en, const struct store_zone *row)
{
	en->has_rows = row->has_data;
	en->version = row->version;
	en->loaded_at = row->loaded_at;
	en->checked_at = row->checked_at;
	if (!row->has_data)
		return;
	entry_set_soa(en, zr_xmemdup(row->soa, row->soa_len), row->soa_len, row->soa_ttl);
	en->segments = row->segments;
	en->records = row->records;
	en->octets = row->octets;
	memcpy(en->digest, row->digest, sizeof(en->digest));
}

void
entry_start(struct entry *en, const struct store_zone *row)
{
	struct agent *a = en->agent;
	struct zone_arg arg = {0};
	struct zone_start *st = &arg.start;
	struct rr rr;
	struct soa soa;

	en->z.id = row->id;
	table_put(a->by_id, &en->z.id, sizeof(en->z.id), en);
	entry_take_row(en, row);
	rr = entry_soa(en);
	if (row->has_data && rr_soa(&rr, &soa)) {
		st->has_data = true;
		st->serial = soa.serial;
		st->times = (struct zone_soa_times){soa.refresh, soa.retry, soa.expire};
	}
	st->checked_at = row->checked_at;
	st->refresh_at = row->refresh_at;
	st->expire_at = row->expire_at;
	st->pending = (enum zone_pending)row->pending;
	st->failures = row->failures;
	st->axfr_next = row->ambiguous;
	st->recheck = a->recheck;
	en->pending_at = row->pending_since;
	forced_start(en, row, st);
	en->started = true;
	route_event(en, ZONE_EV_START, &arg, NULL);
	forced_reconfigure(en);
}

static void
add_row(struct entry *en)
{
	struct agent *a = en->agent;
	struct store_order *o = store_order_new(STORE_ADD_ZONE, 0);

	memcpy(o->add.name, en->name, name_len(en->name));
	o->cookie = en->epoch;
	en->adding = true;
	a->adding++;
	agent_store(a, o, true);
}

static void
add_failed(struct entry *en, const struct zr_err *e)
{
	struct agent *a = en->agent;
	char text[NAME_TEXT_MAX];
	uint64_t more;

	entry_error(en, e->text);
	heap_set(&a->timers, &en->z.timer, a->now.mono.us + ADD_AGAIN_US);
	if (log_limit_pass(&a->zone_log, a->now.mono.us, &more))
		log_event(LOG_LVL_ERROR, "zone-add-failed", LS("zone", name_show(en->name, text)),
		    LS("reason", e->text), LU("left_out", more));
}

/* A zone that comes back may have missed any number of NOTIFYs, so it is checked now. */
void
zones_added(struct agent *a, struct store_order *o)
{
	struct entry *en = entry_by_name(a, o->add.name);
	struct store_zone fresh = {.id = o->zone_id, .name = o->add.name};
	bool ok = o->err.code == ZR_OK;

	a->adding--;
	if (en == NULL && ok) /* removed again meanwhile */
		agent_store(a, store_order_new(STORE_REMOVE_ZONE, o->zone_id), false);
	if (en == NULL || en->epoch != o->cookie || !en->adding)
		return;
	en->adding = false;
	if (!ok) {
		add_failed(en, &o->err);
		return;
	}
	entry_error(en, NULL);
	if (o->add.zone != NULL)
		o->add.zone->refresh_at.us = 0;
	entry_start(en, o->add.zone != NULL ? o->add.zone : &fresh);
}

void
zones_timer(struct entry *en)
{
	if (en->started)
		route_event(en, ZONE_EV_TIMER, NULL, NULL);
	else if (!en->adding)
		add_row(en);
}

static void
remove_zone(struct agent *a, struct entry *en)
{
	struct store_order *o;

	en->removed = true;
	a->lingering++;
	outbox_drop(en);
	hook_drop(en);
	targets_drop(en);
	table_del(a->zones, en->name, name_len(en->name));
	if (en->z.id != 0) {
		o = store_order_new(STORE_REMOVE_ZONE, en->z.id);
		agent_store(a, o, true);
	}
	if (en->started)
		route_event(en, ZONE_EV_REMOVE, NULL, NULL);
	else
		entry_free(en);
}

static bool
primaries_differ(const struct zone_policy *a, const struct zone_policy *b)
{
	if (a->primary_count != b->primary_count)
		return true;
	for (unsigned i = 0; i < a->primary_count; i++)
		if (a->primaries[i] != b->primaries[i])
			return true;
	return false;
}

static bool
keys_differ(const struct config_policy *a, const struct config_policy *b)
{
	for (size_t i = 0; i < a->primary_count && i < b->primary_count; i++)
		if (!config_key_equal(a->primaries[i]->key, b->primaries[i]->key))
			return true;
	return false;
}

/* Old policies are still there: policy_build() keeps them until the zones have moved. */
static bool
renew_policy(struct agent *a, struct entry *en, const struct config_zone *cz)
{
	const struct zone_policy *p = policy_for(a, cz->policy);
	const struct config_policy *before = entry_config(en);
	struct zone_arg arg = {0};
	bool changed = !config_policy_equal(before, cz->policy);

	if (p == en->z.policy)
		return false;
	arg.policy.policy = p;
	arg.policy.primaries_changed = primaries_differ(en->z.policy, p);
	if (en->started)
		route_event(en, ZONE_EV_POLICY, &arg, NULL);
	else
		en->z.policy = p;
	/* A key may have been what was wrong: then nobody wants to wait for RETRY. */
	if (en->started && en->z.failures > 0 && keys_differ(before, cz->policy))
		route_event(en, ZONE_EV_REFRESH, NULL, NULL);
	forced_reconfigure(en); /* first: what is owed is looked up there by its new name */
	outbox_reconfigure(en);
	hook_reconfigure(en);
	return changed || arg.policy.primaries_changed;
}

void
zones_apply(struct agent *a, struct reload_count *n)
{
	struct entry *en;
	size_t pos = 0;

	memset(n, 0, sizeof(*n));
	while ((en = table_next(a->zones, &pos)) != NULL) {
		const struct config_zone *cz = config_zone_find(a->cfg, en->name);

		if (cz == NULL) {
			remove_zone(a, en);
			n->removed++;
		} else if (renew_policy(a, en, cz)) {
			n->changed++;
		}
	}
	for (size_t i = 0; i < a->cfg->zone_count; i++) {
		if (entry_by_name(a, a->cfg->zones[i].name) == NULL) {
			add_row(entry_new(
			    a, a->cfg->zones[i].name, policy_for(a, a->cfg->zones[i].policy)));
			n->added++;
		}
	}
	n->zones = (unsigned)a->cfg->zone_count;
}
