/* SPDX-License-Identifier: BSD-2-Clause */
/* The flip: what a transfer staged becomes the zone, with its timers and its NOTIFYs, or is thrown
 * away. */
#include <stdlib.h>
#include <string.h>

#include "app/agent_p.h"
#include "base/mem.h"
#include "wire/name.h"
#include "wire/rr.h"

/* The journal of a zone may take as much as the zone itself (I-22), but a small one is never cut
 * short. */
#define JOURNAL_MIN_OCTETS (64 * 1024)

static void
fill_log(const struct entry *en, struct store_commit *c, const struct job_done_mail *d)
{
	struct store_log *l = &c->log;
	const struct primary *p = en->z.policy->primaries[en->fetch.primary];
	const struct config_primary *pc = p->app;

	l->at = d->started;
	l->duration_us = d->duration_us;
	snprintf(l->kind, sizeof(l->kind), "%s", store_kind(d->used_diff, d->tls));
	snprintf(l->peer, sizeof(l->peer), "%s", pc->name);
	addr_text(&p->address[en->fetch.address].addr, l->address);
	l->has_from = en->has_rows;
	l->from_serial = en->z.serial;
	l->to_serial = d->serial;
	l->octets = d->wire_octets;
	l->records = d->wire_records;
	l->messages = d->wire_messages;
}

/* Ownership of the staged rest and of the SOA goes to the order. */
static void
fill_content(struct entry *en, struct store_commit *c, struct job_done_mail *d)
{
	c->version = d->version;
	c->batch = d->batch;
	d->batch = NULL;
	c->soa = d->soa;
	d->soa = NULL;
	c->soa_len = d->soa_len;
	c->soa_ttl = d->soa_ttl;
	c->soa_owner = d->soa_owner;
	d->soa_owner = NULL;
	memcpy(c->digest, d->digest, sizeof(c->digest));
	c->segments = d->segments;
	c->records = d->records;
	c->octets = d->octets;
	c->loaded_at = en->agent->now.wall;
	if (en->has_rows && !d->has_delta)
		c->drop_journal = true;
}

static void
fill_same(const struct entry *en, struct store_commit *c)
{
	c->version = en->version;
	c->soa = en->soa == NULL ? NULL : zr_xmemdup(en->soa, en->soa_len);
	c->soa_len = en->soa_len;
	c->soa_ttl = en->soa_ttl;
	c->soa_owner = zr_xmemdup(en->name, name_len(en->name));
	memcpy(c->digest, en->digest, sizeof(c->digest));
	c->segments = en->segments;
	c->records = en->records;
	c->octets = en->octets;
	c->loaded_at = en->loaded_at;
}

/* After a forced transfer that brought a greater serial NOTIFY(AXFR) says it all. */
static void
fill_rows(struct entry *en, const struct zone_commit *zc, struct store_commit *c)
{
	struct outbox_ask q = {
	    .qtype = zc->announce == ZONE_ANNOUNCE_AXFR ? TYPE_AXFR : TYPE_SOA,
	    .serial = zc->serial,
	    .commit = true,
	};

	if (zc->announce != ZONE_ANNOUNCE_NONE)
		c->notify = outbox_rows(en, &q, &c->notify_count);
}

/* Commands are for whom the event is for. */
static void
leave_out_hooks(const struct entry *en, struct store_commit *c)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->hook_count; i++)
		if (!forced_leave_out_all(en, c->hooks[i].name))
			c->hooks[kept++] = c->hooks[i];
	c->hook_count = kept;
}

/* They are splayed like the NOTIFYs that follow them (rows.c): each leads to a whole transfer. */
static void
splay_hooks(struct store_commit *c)
{
	for (size_t i = 0; i < c->hook_count; i++)
		for (size_t k = 0; k < c->notify_count; k++) {
			const struct store_notify *n = &c->notify[k];
			int64_t at =
			    n->not_before.us - (n->qtype == TYPE_AXFR ? OUTBOX_COMMAND_US : 0);

			if (strcmp(c->hooks[i].name, n->downstream) == 0 &&
			    c->hooks[i].not_before.us < at)
				c->hooks[i].not_before.us = at;
		}
}

void
commit_start(struct entry *en, const struct zone_order *zo)
{
	const struct zone_commit *zc = &zo->commit;
	struct store_order *o = store_order_new(STORE_COMMIT, en->z.id);
	struct store_commit *c = &o->commit;
	struct job_done_mail *d = en->ready;

	o->durable = zc->durable;
	o->cookie = en->epoch;
	c->content = zc->content;
	c->serial = zc->serial;
	c->old_serial = zc->old_serial;
	c->drop_journal = zc->drop_journal;
	c->ambiguous = zc->ambiguous;
	c->checked_at = zc->checked_at;
	c->refresh_at = zc->refresh_at;
	c->expire_at = zc->expire_at;
	c->pending_after = (enum store_pending)zc->pending_after;
	c->caller_after.authenticated = zc->authenticated_after;
	entry_primary_name(
	    en, zc->notifier_after, c->caller_after.notifier, sizeof(c->caller_after.notifier));
	if (d != NULL)
		fill_log(en, c, d);
	if (zc->content && d != NULL)
		fill_content(en, c, d);
	else
		fill_same(en, c);
	c->journal_max_steps = entry_config(en)->journal_steps;
	c->journal_max_octets = c->octets > JOURNAL_MIN_OCTETS ? c->octets : JOURNAL_MIN_OCTETS;
	if (zc->forced)
		forced_before(en, zc, c);
	fill_rows(en, zc, c);
	c->hooks = hook_rows(en, zc, c->log.peer, &c->hook_count);
	if (zc->forced) {
		leave_out_hooks(en, c);
		splay_hooks(c);
	}
	en->committing = true;
	en->commit_attempt = zo->attempt;
	agent_store(en->agent, o, true);
}

static void
take_content(struct entry *en, struct store_commit *c)
{
	entry_set_soa(en, c->soa, c->soa_len, c->soa_ttl);
	c->soa = NULL;
	en->has_rows = true;
	en->version = c->version;
	memcpy(en->digest, c->digest, sizeof(en->digest));
	en->segments = c->segments;
	en->records = c->records;
	en->octets = c->octets;
	en->loaded_at = c->loaded_at;
	en->sweep = true;
}

static void
log_commit(const struct entry *en, const struct store_commit *c)
{
	char name[NAME_TEXT_MAX];

	log_event(LOG_LVL_INFO, "committed", LS("zone", name_show(en->name, name)),
	    LU("serial", c->serial), LU("version", (uint64_t)c->version), LU("records", c->records),
	    LU("octets", c->octets), LB("content", c->content), LU("notifies", c->notify_count),
	    LI("since_trigger_us",
		en->triggered.us == 0 ? 0 : en->agent->now.mono.us - en->triggered.us));
}

void
commit_done(struct entry *en, struct store_order *o)
{
	struct agent *a = en->agent;
	struct store_commit *c = &o->commit;
	struct zone_arg arg = {.attempt = en->commit_attempt};

	en->committing = false;
	if (o->err.code != ZR_OK) {
		char name[NAME_TEXT_MAX];

		log_event(LOG_LVL_ERROR, "commit-failed", LS("zone", name_show(en->name, name)),
		    LS("reason", o->err.text));
		entry_error(en, o->err.text);
		arg.fail = (struct zone_fail){.code = o->err.code};
		route_event(en, ZONE_EV_COMMIT_FAIL, &arg, NULL);
		return;
	}
	a->stats.commits++;
	if (en->ready != NULL)
		mail_free(&en->ready->mail);
	en->ready = NULL;
	log_commit(en, c);
	entry_error(en, NULL);
	en->checked_at = c->checked_at;
	if (c->content)
		take_content(en, c);
	if (c->has_forced)
		forced_committed(en, c);
	if (!en->removed) {
		outbox_owe(en, c->notify, c->notify_count, false);
		hook_owe(en, c->hooks, c->hook_count);
	}
	route_event(en, ZONE_EV_COMMITTED, &arg, NULL);
	/* The entry may be gone now: look it up again. */
	en = entry_by_id(a, o->zone_id);
	if (en != NULL)
		route_sweep(en);
}

void
commit_abort(struct entry *en)
{
	struct store_order *o;

	if (en->ready == NULL)
		return;
	if (en->ready->outcome == JOB_READY) {
		o = store_order_new(STORE_ABORT, en->z.id);
		o->stage.version = en->ready->version;
		agent_store(en->agent, o, false);
	}
	mail_free(&en->ready->mail);
	en->ready = NULL;
}
