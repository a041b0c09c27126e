/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the configuration means to core: runtime primaries with their health, one zone policy for
 * each distinct configured one, and the indexes of addresses.  A primary that did not change keeps
 * its state over a reload; one that did is retired and freed when nothing uses it any more.
 */
#include <stdlib.h>
#include <string.h>

#include "app/agent_p.h"
#include "base/mem.h"

/* SOA checks outstanding: together, and to one primary (a dead one must not take all sockets). */
#define SOA_SLOTS 1024
#define SOA_SLOTS_PRIMARY 256
/* Each is a connection while it runs, and the next one goes over it (XO-05). */
#define SOA_SLOTS_TLS 2

_Static_assert((int)CONFIG_FORCED_OFF == (int)PRIMARY_FORCED_OFF &&
		   (int)CONFIG_FORCED_KEY == (int)PRIMARY_FORCED_KEY,
    "the same order");
_Static_assert((int)CONFIG_LOWER_NEVER == (int)ZONE_LOWER_NEVER &&
		   (int)CONFIG_LOWER_ALWAYS == (int)ZONE_LOWER_ALWAYS,
    "the same order");

/* 0 = unlimited */
static struct bucket_rate
per_minute(uint32_t rate, uint32_t burst)
{
	return bucket_rate_every(rate == 0 ? 0 : 60 * ZR_US_PER_S / rate, burst);
}

static void
primary_limits(const struct config_primary *c, struct sched_limits l[SCHED_WHAT_COUNT])
{
	l[SCHED_SOA] =
	    (struct sched_limits){c->tls.at.file != NULL ? SOA_SLOTS_TLS : SOA_SLOTS_PRIMARY,
		bucket_rate(c->soa_rate, c->soa_rate)};
	l[SCHED_TRANSFER] = (struct sched_limits){c->max_transfers, {0, 0}};
	l[SCHED_FORCED] =
	    (struct sched_limits){c->max_forced, per_minute(c->forced_rate, c->forced_burst)};
}

static void
global_limits(const struct agent *a, struct sched_limits l[SCHED_WHAT_COUNT])
{
	const struct config_server *c = &a->cfg->server;
	uint32_t checks = a->query_sockets < SOA_SLOTS ? a->query_sockets : SOA_SLOTS;

	l[SCHED_SOA] = (struct sched_limits){checks, bucket_rate(c->soa_rate, c->soa_rate)};
	l[SCHED_TRANSFER] = (struct sched_limits){c->max_transfers_in, {0, 0}};
	l[SCHED_FORCED] =
	    (struct sched_limits){c->max_forced, per_minute(c->forced_rate, c->forced_burst)};
}

static const struct config_primary *
old_config(const struct config *old, const char *name)
{
	for (size_t i = 0; old != NULL && i < old->primary_count; i++)
		if (strcmp(old->primaries[i].name, name) == 0)
			return &old->primaries[i];
	return NULL;
}

/* Nothing changed but how much is asked of it: what is known about it, and what runs, stays. */
static bool
same_server(const struct config_primary *before, const struct config_primary *now)
{
	struct config_primary c = *now;

	c.max_transfers = before->max_transfers;
	c.soa_rate = before->soa_rate;
	c.forced = before->forced;
	c.key = before->key; /* what runs keeps its own */
	c.notify_key = before->notify_key;
	c.max_forced = before->max_forced;
	c.forced_rate = before->forced_rate;
	c.forced_burst = before->forced_burst;
	return config_primary_equal(before, &c);
}

static struct primary *
make_primary(const struct config_primary *c, uint32_t id)
{
	struct primary *p = zr_xcalloc(1, sizeof(*p));
	struct sched_limits limits[SCHED_WHAT_COUNT];

	primary_limits(c, limits);
	primary_init(p, id, c->address.v, c->address.n, c->ixfr, c->edns, limits);
	return p;
}

static struct primary **
find_running(struct agent *a, const char *name)
{
	for (size_t i = 0; i < a->primary_count; i++) {
		struct primary *p = a->primaries[i];

		if (p != NULL && strcmp(((const struct config_primary *)p->app)->name, name) == 0)
			return &a->primaries[i];
	}
	return NULL;
}

static void
retire(struct agent *a, struct primary *p)
{
	a->retired = zr_xrealloc(a->retired, (a->retired_count + 1) * sizeof(struct primary *));
	a->retired[a->retired_count++] = p;
}

void
policy_sweep_retired(struct agent *a)
{
	size_t kept = 0;

	for (size_t i = 0; i < a->retired_count; i++) {
		struct primary *p = a->retired[i];

		if (!sched_peer_unused(&p->peer)) {
			a->retired[kept++] = p;
			continue;
		}
		sched_peer_clear(&a->sched, &p->peer);
		primary_clear(p);
		free(p);
	}
	a->retired_count = kept;
}

static void
set_key(struct primary *p, const struct config_primary *c)
{
	const struct config_key *k = config_notify_key(c);

	p->notify_key = k != NULL ? k->ref->key.name : NULL;
	p->keyed = k != NULL || c->tls.at.file != NULL;
	p->notify_signed = c->notify_key != NULL;
}

static void
build_primaries(struct agent *a, const struct config *old)
{
	const struct config *c = a->cfg;
	struct primary **v = zr_xcalloc(c->primary_count + 1, sizeof(struct primary *));

	for (size_t i = 0; i < c->primary_count; i++) {
		const struct config_primary *now = &c->primaries[i];
		const struct config_primary *before = old_config(old, now->name);
		struct primary **running = find_running(a, now->name);

		if (running != NULL && before != NULL && same_server(before, now)) {
			struct sched_limits limits[SCHED_WHAT_COUNT];

			v[i] = *running;
			*running = NULL;
			primary_limits(now, limits);
			sched_peer_set_limits(&a->sched, &v[i]->peer, limits);
		} else {
			v[i] = make_primary(now, (uint32_t)i);
		}
		v[i]->id = (uint32_t)i;
		v[i]->forced = (enum primary_forced)now->forced;
		set_key(v[i], now);
	}
	for (size_t i = 0; i < a->primary_count; i++)
		if (a->primaries[i] != NULL)
			retire(a, a->primaries[i]);
	free(a->primaries);
	a->primaries = v;
	a->primary_count = c->primary_count;
	for (size_t i = 0; i < c->primary_count; i++)
		v[i]->app = (void *)(uintptr_t)&c->primaries[i];
}

static bool
has_address(const struct config_addrs *v, const struct config_primary *p)
{
	for (size_t i = 0; i < v->n; i++)
		for (size_t k = 0; k < p->address.n; k++)
			if (addr_ip_equal(&v->v[i], &p->address.v[k]))
				return true;
	return false;
}

/* Which primaries are downstreams as well. */
static uint64_t
mutual(const struct config_policy *c)
{
	uint64_t set = 0;

	for (size_t i = 0; i < c->primary_count && i < 64; i++) {
		bool is = has_address(&c->also_notify, c->primaries[i]);

		for (size_t k = 0; k < c->downstream_count && !is; k++)
			is = has_address(&c->downstreams[k]->address, c->primaries[i]);
		set |= (uint64_t)is << i;
	}
	return set;
}

static struct policy *
make_policy(struct agent *a, const struct config_policy *c)
{
	struct policy *p = zr_xcalloc(1, sizeof(*p));
	struct zone_policy *zp = &p->zp;

	p->cfg = c;
	zp->app = p;
	zp->primary_count = (uint16_t)c->primary_count;
	zp->primaries = zr_xcalloc(c->primary_count + 1, sizeof(struct primary *));
	for (size_t i = 0; i < c->primary_count; i++)
		zp->primaries[i] = a->primaries[c->primaries[i] - a->cfg->primaries];
	zp->refresh_min_us = c->refresh_min_us;
	zp->refresh_max_us = c->refresh_max_us;
	zp->retry_min_us = c->retry_min_us;
	zp->retry_max_us = c->retry_max_us;
	zp->forced_every_us = c->forced_interval_us;
	zp->forced_burst = c->forced_burst;
	zp->forced_lower = (enum zone_lower)c->forced_lower;
	zp->mutual = mutual(c);
	zp->ixfr = c->ixfr;
	zp->notify_enclosing = c->notify_enclosing;
	zp->seed = ((uint64_t)rand_secure32() << 32) | rand_secure32();
	p->next = a->policies;
	a->policies = p;
	return p;
}

const struct zone_policy *
policy_for(struct agent *a, const struct config_policy *c)
{
	struct policy *p;

	for (p = a->policies; p != NULL; p = p->next)
		if (p->cfg == c)
			return &p->zp;
	return &make_policy(a, c)->zp;
}

static struct acl *
build_primary_acl(const struct config *c)
{
	struct acl_entry *v;
	struct acl *acl;
	size_t n = 0;

	for (size_t i = 0; i < c->primary_count; i++)
		n += c->primaries[i].address.n + c->primaries[i].notify_from.n;
	v = zr_xcalloc(n + 1, sizeof(*v));
	n = 0;
	for (size_t i = 0; i < c->primary_count; i++) {
		const struct config_primary *p = &c->primaries[i];

		for (size_t k = 0; k < p->address.n; k++)
			v[n++] = (struct acl_entry){acl_host(&p->address.v[k]), (uint32_t)i};
		for (size_t k = 0; k < p->notify_from.n; k++)
			v[n++] = (struct acl_entry){p->notify_from.v[k], (uint32_t)i};
	}
	acl = acl_new(v, n);
	free(v);
	return acl;
}

static struct acl *
build_downstream_acl(const struct config *c)
{
	struct acl_entry *v;
	struct acl *acl;
	size_t n = 0;

	for (size_t i = 0; i < c->downstream_count; i++)
		n += c->downstreams[i].transfer_from.n;
	v = zr_xcalloc(n + 1, sizeof(*v));
	n = 0;
	for (size_t i = 0; i < c->downstream_count; i++) {
		const struct config_downstream *d = &c->downstreams[i];

		for (size_t k = 0; k < d->transfer_from.n; k++)
			v[n++] = (struct acl_entry){d->transfer_from.v[k], (uint32_t)i};
	}
	acl = acl_new(v, n);
	free(v);
	return acl;
}

static void
set_rates(struct agent *a)
{
	const struct config_server *s = &a->cfg->server;
	struct notifyin_conf nc = {
	    .known = bucket_rate(s->notify_in_rate, s->notify_in_rate * 4),
	    .stranger = bucket_rate(s->notify_in_rate / 10 + 1, s->notify_in_rate / 10 + 1),
	};
	struct sched_limits limits[SCHED_WHAT_COUNT];

	notifyin_configure(a->notifyin, &nc, a->primary_acl);
	limiter_set_rate(a->query_limit, nc.stranger);
	cookie_configure(a);
	a->notify_rate.rate = bucket_rate(s->notify_rate, s->notify_rate);
	a->late_rate.rate = bucket_rate(s->notify_rate, s->notify_rate);
	global_limits(a, limits);
	sched_set_limits(&a->sched, limits);
}

void
policy_build(struct agent *a, const struct config *old)
{
	struct acl *pacl = a->primary_acl, *dacl = a->downstream_acl;

	build_primaries(a, old);
	a->policies = NULL; /* the caller has the old ones, see policy_clear() */
	a->primary_acl = build_primary_acl(a->cfg);
	a->downstream_acl = build_downstream_acl(a->cfg);
	set_rates(a);
	acl_free(pacl);
	acl_free(dacl);
}

void
policy_clear(struct agent *a)
{
	struct policy *p;

	while ((p = a->policies) != NULL) {
		a->policies = p->next;
		free(p->zp.primaries);
		free(p);
	}
}
