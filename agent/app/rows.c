/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows of the outbox: for whom, of which kind, when.  A zone whose targets are computed gets one
 * row without a target; targets.c finds out whom it is for.
 */
#include <stdlib.h>
#include <string.h>

#include "app/agent_p.h"
#include "app/forced_p.h"
#include "base/mem.h"
#include "wire/name.h"

static bool
has(const struct config_addrs *v, const struct zr_addr *target)
{
	for (size_t i = 0; i < v->n; i++)
		if (addr_equal(&v->v[i], target))
			return true;
	return false;
}

const struct config_downstream *
outbox_downstream(const struct entry *en, const char *name)
{
	const struct config_policy *p = entry_config(en);

	for (size_t i = 0; i < p->downstream_count; i++)
		if (strcmp(p->downstreams[i]->name, name) == 0)
			return p->downstreams[i];
	return NULL;
}

static bool
is_computed(const struct entry *en, const struct zr_addr *target)
{
	return targets_computed(en) && targets_has(en, target);
}

bool
outbox_has_command(const struct entry *en, const char *name)
{
	const struct config_downstream *d = outbox_downstream(en, name);

	return d != NULL && d->on_forced.n > 0;
}

const struct config_downstream *
outbox_target(const struct entry *en, const char *name, const struct zr_addr *target)
{
	const struct config_downstream *d = outbox_downstream(en, name);

	if (d != NULL)
		return d->notify && (has(&d->address, target) || is_computed(en, target)) ? d
											  : NULL;
	if (strcmp(name, "also") == 0 && has(&entry_config(en)->also_notify, target))
		return &entry_config(en)->others;
	return strcmp(name, "ns") == 0 && is_computed(en, target) ? &entry_config(en)->others
								  : NULL;
}

/* Of several the one that names it most closely, as core/targets.h has it. */
static const char *
by_transfer_list(const struct config_policy *p, const struct zr_addr *target)
{
	const char *found = NULL;
	unsigned bits = 0;

	for (size_t i = 0; i < p->downstream_count; i++) {
		const struct config_downstream *d = p->downstreams[i];

		for (size_t k = 0; d->notify && k < d->transfer_from.n; k++) {
			const struct zr_prefix *x = &d->transfer_from.v[k];

			if (prefix_match(x, target) && (found == NULL || x->bits > bits)) {
				found = d->name;
				bits = x->bits;
			}
		}
	}
	return found;
}

/* Names and places of a configuration change while something is owed to an address. */
const char *
outbox_name(const struct entry *en, const char *name, const struct zr_addr *target)
{
	const struct config_policy *p = entry_config(en);
	const char *other;

	if (outbox_target(en, name, target) != NULL)
		return name;
	for (size_t i = 0; i < p->downstream_count; i++)
		if (p->downstreams[i]->notify && has(&p->downstreams[i]->address, target))
			return p->downstreams[i]->name;
	if (outbox_target(en, "also", target) != NULL)
		return "also";
	if (!is_computed(en, target))
		return NULL;
	other = by_transfer_list(p, target);
	return other != NULL ? other : "ns";
}

/* ---- in the store ---- */

void
outbox_store(struct entry *en, const struct store_notify *r, bool remove)
{
	struct store_order *so = store_order_new(STORE_OUTBOX_SET, en->z.id);

	so->notify.row = *r;
	so->notify.remove = remove;
	agent_store(en->agent, so, false);
}

void
outbox_strike(struct entry *en, const struct store_notify *r)
{
	char name[NAME_TEXT_MAX], at[ADDR_TEXT_MAX];

	log_event(LOG_LVL_WARN, "notify-dropped", LS("zone", name_show(en->name, name)),
	    LS("downstream", r->downstream), LS("address", addr_text(&r->target, at)),
	    LS("qtype", r->qtype == TYPE_AXFR ? "AXFR" : "SOA"), LU("serial", r->serial),
	    LS("reason", "this address is not notified of the zone any more"));
	outbox_store(en, r, true);
}

/* ---- whom ---- */

struct rows {
	struct entry *entry;
	const struct outbox_ask *ask;
	struct store_notify *v;
	size_t n;
};

static void
add(struct rows *r, const char *name, const struct zr_addr *target)
{
	struct store_notify *row = &r->v[r->n];

	if (agent_own_address(r->entry->agent, target))
		return; /* PL-04 */
	row->zone_id = r->entry->z.id;
	snprintf(row->downstream, sizeof(row->downstream), "%s", name);
	row->target = *target;
	row->qtype = r->ask->qtype;
	row->serial = r->ask->serial;
	row->not_before = r->entry->agent->now.wall;
	r->n++;
}

static void
add_downstreams(struct rows *r)
{
	const struct config_policy *p = entry_config(r->entry);

	for (size_t i = 0; i < p->downstream_count; i++) {
		const struct config_downstream *d = p->downstreams[i];

		if (!d->notify || (r->ask->only != NULL && strcmp(r->ask->only, d->name) != 0))
			continue;
		for (size_t k = 0; k < d->address.n; k++)
			add(r, d->name, &d->address.v[k]);
	}
}

static void
add_also(struct rows *r)
{
	const struct config_addrs *also = &entry_config(r->entry)->also_notify;
	size_t before = r->n, k;

	for (size_t i = 0; i < also->n; i++) {
		for (k = 0; k < before && !addr_equal(&r->v[k].target, &also->v[i]); k++)
			;
		if (k == before)
			add(r, "also", &also->v[i]);
	}
}

/* Whoever the hosts of the zone are, once their addresses are known; spread when they are. */
static void
add_unknown(struct rows *r)
{
	struct store_notify *row = &r->v[r->n++];

	row->zone_id = r->entry->z.id;
	row->qtype = r->ask->qtype;
	row->serial = r->ask->serial;
	row->not_before = r->entry->agent->now.wall;
}

static size_t
room(const struct config_policy *p)
{
	size_t n = 1 + p->also_notify.n;

	for (size_t i = 0; i < p->downstream_count; i++)
		n += p->downstreams[i]->address.n;
	return n;
}

/* ---- which kind, and when ---- */

/* How long the first sends of these rows are spread over. */
static int64_t
spread_us(const struct entry *en, const struct forced *f, uint16_t qtype, size_t n)
{
	const struct config_policy *p = entry_config(en);
	uint32_t refresh =
	    en->z.state == ZONE_STORING ? en->z.next_times.refresh : en->z.times.refresh;

	if (qtype != TYPE_AXFR)
		return p->splay_us;
	return forced_splay(
	    (unsigned)n, f == NULL ? 0 : f->duration_us, p->splay_us, p->forced_splay_us, refresh);
}

int64_t
outbox_splay(const struct entry *en, size_t targets)
{
	return spread_us(en, en->forced == NULL ? NULL : &en->forced->f, TYPE_AXFR, targets);
}

/* Each target has a slot of its own in an order drawn anew, and any time in it. */
static void
spread(struct entry *en, struct store_notify *v, size_t n, int64_t us)
{
	struct rng *rng = &en->agent->rng;
	size_t *slot;

	if (us <= 0 || n == 0)
		return;
	slot = zr_xcalloc(n, sizeof(*slot));
	for (size_t i = 0; i < n; i++) {
		size_t k = (size_t)rng_below(rng, i + 1);

		slot[i] = slot[k];
		slot[k] = i;
	}
	for (size_t i = 0; i < n; i++) {
		int64_t from = us / (int64_t)n * (int64_t)slot[i];

		v[i].not_before.us +=
		    from + (int64_t)rng_below(rng, (uint64_t)(us / (int64_t)n + 1));
	}
	free(slot);
}

/* next: the event is not in force yet, and forced_committed() says what became of them. */
static size_t
choose(struct entry *en, struct store_notify *v, size_t n, bool next)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		struct store_notify *r = &v[i];

		if (r->qtype == TYPE_AXFR) {
			if (forced_leave_out(en, next, r->downstream, &r->target))
				continue;
			if (forced_unsupported(en->agent, &r->target, NULL)) {
				r->qtype = TYPE_SOA;
				if (!next)
					forced_skipped(en, r->downstream, &r->target);
			}
		}
		v[kept++] = *r;
	}
	return kept;
}

/*
 * Where a command of its own makes the server fetch the zone, that goes first, and NOTIFY(AXFR) is
 * only sent when nothing has come of it: NSD loses a force_transfer that meets a NOTIFY it is just
 * looking into.
 */
static void
wait_for_commands(const struct entry *en, struct store_notify *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].qtype == TYPE_AXFR && outbox_has_command(en, v[i].downstream))
			v[i].not_before.us += OUTBOX_COMMAND_US;
}

static size_t
finish(struct entry *en, struct store_notify *v, size_t n, bool next)
{
	const struct forced_zone *fz = en->forced;
	const struct forced *f = fz == NULL ? NULL : next ? &fz->next : &fz->f;
	uint16_t qtype = n > 0 ? v[0].qtype : TYPE_SOA;

	wait_for_commands(en, v, n);
	n = choose(en, v, n, next);
	spread(en, v, n, spread_us(en, f, qtype, n));
	return n;
}

size_t
outbox_spread(struct entry *en, struct store_notify *v, size_t n)
{
	return finish(en, v, n, false);
}

struct store_notify *
outbox_rows(struct entry *en, const struct outbox_ask *q, size_t *count)
{
	bool all = q->only == NULL, computed = all && targets_computed(en);
	struct rows r = {.entry = en, .ask = q};

	r.v = zr_xcalloc(room(entry_config(en)), sizeof(*r.v));
	if (!computed)
		add_downstreams(&r);
	if (all)
		add_also(&r);
	if (!q->operator)
		r.n = finish(en, r.v, r.n, q->commit);
	if (computed && !(q->commit && q->qtype == TYPE_AXFR && forced_leave_all(en)))
		add_unknown(&r);
	*count = r.n;
	return r.v;
}

void
outbox_store_fetched(struct entry *en, const char *downstream, const struct zr_addr *peer,
    uint32_t serial, int64_t version)
{
	struct store_order *so = store_order_new(STORE_PEER_SEEN, en->z.id);

	so->peer.event = PEER_DOWNSTREAM_FETCHED;
	snprintf(so->peer.name, sizeof(so->peer.name), "%s", downstream);
	so->peer.addr = *peer;
	so->peer.serial = serial;
	so->peer.version = version;
	so->peer.at = en->agent->now.wall;
	agent_store(en->agent, so, false);
}
