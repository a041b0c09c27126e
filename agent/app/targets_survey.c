/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What core/targets is asked for a zone: the hosts of its NS records with their addresses, from our
 * own copy or the resolvers, and what the configuration says.
 */
#include <stdlib.h>
#include <string.h>

#include "app/targets_p.h"
#include "base/mem.h"
#include "wire/name.h"

static const char *const no_glue = "the zone has no address for this name of its own";
static const char *const asking = "it is being looked up";

/* ---- hosts ---- */

struct collect {
	struct survey *s;
	size_t room;
};

static bool
take_ns(void *arg, const struct rr *rr)
{
	struct collect *k = arg;
	struct survey *s = k->s;
	struct survey_host *h;

	if (rr->type != TYPE_NS || name_check(rr->rdata, rr->rdlen) != rr->rdlen)
		return true;
	if (s->host_count == k->room) {
		k->room = k->room == 0 ? 4 : k->room * 2;
		s->hosts = zr_xrealloc(s->hosts, k->room * sizeof(*s->hosts));
	}
	h = &s->hosts[s->host_count++];
	memset(h, 0, sizeof(*h));
	name_lower(h->name, rr->rdata);
	return s->host_count <= TARGETS_MAX;
}

static bool
add_address(struct survey_host *h, const struct zr_addr *a)
{
	if (!resolve_usable(a))
		return true;
	if (h->count % 4 == 0)
		h->addr = zr_xrealloc(h->addr, (h->count + 4) * sizeof(*h->addr));
	h->addr[h->count] = *a;
	h->addr[h->count++].port = 53;
	return h->count <= TARGETS_MAX;
}

static bool
take_glue(void *arg, const struct rr *rr)
{
	struct zr_addr a = {.family = rr->type == TYPE_A ? 4 : 6};
	unsigned size = rr->type == TYPE_A ? 4 : 16;

	if ((rr->type != TYPE_A && rr->type != TYPE_AAAA) || rr->rdlen != size)
		return true;
	memcpy(a.ip, rr->rdata, size);
	return add_address(arg, &a);
}

static void
take_answer(struct survey_host *h, const struct resolve_answer *an)
{
	for (size_t i = 0; i < an->count; i++)
		if (!add_address(h, &an->addr[i]))
			break;
	if (an->state == RESOLVE_UNKNOWN || an->state == RESOLVE_ASKING)
		h->error = asking;
	else
		h->error = an->error;
	h->again = an->state != RESOLVE_FOUND && !an->lasting;
}

static void
resolve(struct survey_host *h, struct entry *en, enum survey_how how, struct host_wait **waits)
{
	struct resolver *r = en->agent->targets->resolver;
	struct resolve_answer an = {.state = RESOLVE_ASKING};
	struct host_wait *w = NULL;

	if (how == SURVEY_WAIT) {
		w = zr_xcalloc(1, sizeof(*w));
		w->w.done = targets_resolved;
		w->w.arg = en->targets;
	}
	if (how != SURVEY_KNOWN)
		resolver_ask(r, h->name, w == NULL ? NULL : &w->w, &an);
	if (w != NULL && w->w.link != NULL) {
		w->next = *waits;
		*waits = w;
	} else {
		free(w);
	}
	if (an.state != RESOLVE_ASKING) {
		take_answer(h, &an);
		return;
	}
	h->asking = how == SURVEY_WAIT;
	if (how != SURVEY_WAIT)
		resolver_peek(r, h->name, &an);
	take_answer(h, &an);
}

/* For names inside the zone nobody knows better than the zone (PL-09). */
static int
find_host(struct survey_host *h, struct copy *c, enum survey_how how, struct host_wait **waits,
    struct zr_err *e)
{
	if (!name_within(h->name, c->entry->name)) {
		resolve(h, c->entry, how, waits);
		return 0;
	}
	if (copy_each(c, h->name, TYPE_A, TYPE_AAAA, take_glue, h, e) != 0)
		return -1;
	if (h->count == 0)
		h->error = no_glue;
	return 0;
}

/* The SOA's RDATA begins with it; NULL: it may be notified. */
static const uint8_t *
mname_of(const struct entry *en, uint8_t out[NAME_MAX_LEN])
{
	size_t len = en->soa == NULL ? 0 : name_check(en->soa, en->soa_len);

	if (len == 0 || entry_config(en)->notify_mname)
		return NULL;
	name_lower(out, en->soa);
	return out;
}

static int
find_hosts(struct survey *s, struct entry *en, const uint8_t *mname, enum survey_how how,
    struct host_wait **waits, struct zr_err *e)
{
	struct collect k = {.s = s};
	struct copy c;
	int rc;

	copy_open(&c, en);
	rc = copy_each(&c, en->name, TYPE_NS, TYPE_NS, take_ns, &k, e);
	for (size_t i = 0; rc == 0 && i < s->host_count; i++) {
		struct survey_host *h = &s->hosts[i];

		bool left_out = mname != NULL && name_equal(mname, h->name);

		rc = find_host(h, &c, left_out ? SURVEY_KNOWN : how, waits, e);
		h->again = h->again && !left_out;
		s->asking += h->asking;
		s->again += h->again && !h->asking;
	}
	copy_close(&c);
	return rc;
}

/* ---- what the configuration says ---- */

struct lists {
	struct target_host *hosts;
	struct target_acl *acl;
	struct zr_addr *primaries;
	size_t acl_count, primary_count;
};

static uint16_t
port_of(const struct config_downstream *d, const struct zr_prefix *p)
{
	unsigned bits = p->addr.family == 4 ? 32 : 128;

	for (size_t i = 0; p->bits == bits && i < d->address.n; i++)
		if (addr_ip_equal(&d->address.v[i], &p->addr))
			return d->address.v[i].port;
	return 0;
}

static void
add_single(
    struct lists *l, const struct config_downstream *d, uint32_t index, const struct zr_addr *a)
{
	struct zr_prefix p = acl_host(a);

	l->acl[l->acl_count++] = (struct target_acl){
	    .prefix = p, .downstream = index, .notify = d->notify, .port = a->port};
}

static void
add_downstream(
    struct lists *l, const struct config_downstream *d, uint32_t index, enum targets_mode mode)
{
	if (mode == TARGETS_EXPLICIT) {
		for (size_t i = 0; i < d->address.n; i++)
			add_single(l, d, index, &d->address.v[i]);
		return;
	}
	for (size_t i = 0; i < d->transfer_from.n; i++) {
		const struct zr_prefix *p = &d->transfer_from.v[i];

		l->acl[l->acl_count++] = (struct target_acl){
		    .prefix = *p, .downstream = index, .notify = d->notify, .port = port_of(d, p)};
		/* Of an address inside a prefix the port is known too. */
		for (size_t k = 0; mode != TARGETS_ACL && k < d->address.n; k++)
			if (prefix_match(p, &d->address.v[k]))
				add_single(l, d, index, &d->address.v[k]);
	}
}

static void
make_lists(struct lists *l, const struct entry *en, enum targets_mode mode)
{
	const struct config_policy *p = entry_config(en);
	size_t acl = 1, primaries = 1;

	for (size_t i = 0; i < p->downstream_count; i++)
		acl += p->downstreams[i]->address.n +
		       p->downstreams[i]->transfer_from.n * (1 + p->downstreams[i]->address.n);
	for (size_t i = 0; i < p->primary_count; i++)
		primaries += p->primaries[i]->address.n;
	l->acl = zr_xcalloc(acl, sizeof(*l->acl));
	l->primaries = zr_xcalloc(primaries, sizeof(*l->primaries));
	for (size_t i = 0; i < p->downstream_count; i++)
		add_downstream(l, p->downstreams[i], (uint32_t)i, mode);
	for (size_t i = 0; i < p->primary_count; i++)
		for (size_t k = 0; k < p->primaries[i]->address.n; k++)
			l->primaries[l->primary_count++] = p->primaries[i]->address.v[k];
}

static enum targets_mode
mode_of(const struct entry *en)
{
	switch (entry_config(en)->notify_targets) {
	case CONFIG_TARGETS_NS:
		return TARGETS_NS;
	case CONFIG_TARGETS_NS_AND_ACL:
		return TARGETS_NS_AND_ACL;
	case CONFIG_TARGETS_ACL:
		return TARGETS_ACL;
	default:
		return TARGETS_EXPLICIT;
	}
}

static void
judge(struct survey *s, struct entry *en, enum targets_mode mode, const uint8_t *mname)
{
	const struct config_policy *p = entry_config(en);
	struct lists l = {.hosts = zr_xcalloc(s->host_count + 1, sizeof(*l.hosts))};
	struct targets_ask q = {.mode = mode,
	    .hosts = l.hosts,
	    .host_count = s->host_count,
	    .mname = mname,
	    .also = p->also_notify.v,
	    .also_count = p->also_notify.n,
	    .own = targets_is_own,
	    .arg = en->agent->targets};

	for (size_t i = 0; i < s->host_count; i++) {
		const struct survey_host *h = &s->hosts[i];

		l.hosts[i] = (struct target_host){
		    .name = h->name, .addr = h->addr, .count = h->count, .error = h->error};
	}
	make_lists(&l, en, mode);
	q.acl = l.acl;
	q.acl_count = l.acl_count;
	q.primaries = l.primaries;
	q.primary_count = l.primary_count;
	s->v = targets_find(&q, &s->count);
	free(l.hosts);
	free(l.acl);
	free(l.primaries);
}

int
survey_take(struct survey *s, struct entry *en, enum survey_how how, struct host_wait **waits,
    struct zr_err *e)
{
	enum targets_mode mode = mode_of(en);
	uint8_t name[NAME_MAX_LEN];
	const uint8_t *mname = mname_of(en, name);

	*s = (struct survey){0};
	targets_see_interfaces(en->agent->targets);
	if ((mode == TARGETS_NS || mode == TARGETS_NS_AND_ACL) && en->has_rows &&
	    find_hosts(s, en, mname, how, waits, e) != 0) {
		survey_clear(s);
		return -1;
	}
	judge(s, en, mode, mname);
	return 0;
}

void
survey_clear(struct survey *s)
{
	for (size_t i = 0; i < s->host_count; i++)
		free(s->hosts[i].addr);
	free(s->hosts);
	free(s->v);
	*s = (struct survey){0};
}
