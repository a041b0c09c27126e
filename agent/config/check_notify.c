/* SPDX-License-Identifier: BSD-2-Clause */
/* Who would be notified, and what would run: what looks right in each key, and is not in all. */
#include "config/load.h"
#include "config/schema.h"

#include <string.h>

static bool
is_loopback(const struct zr_addr *a)
{
	static const uint8_t one[16] = {[15] = 1};

	return a->family == 4 ? a->ip[0] == 127 : memcmp(a->ip, one, sizeof(one)) == 0;
}

enum ours
check_is_ours(const struct config_server *s, const struct zr_addr *a)
{
	enum ours answer = NOT_OURS;

	for (size_t i = 0; i < s->listen.n + s->tls.listen.n; i++) {
		const struct zr_addr *own =
		    i < s->listen.n ? &s->listen.v[i] : &s->tls.listen.v[i - s->listen.n];

		if (addr_equal(own, a))
			return OURS;
		if (addr_is_any(own) && own->port == a->port && own->family == a->family &&
		    is_loopback(a))
			answer = MAYBE_OURS;
	}
	for (size_t i = 0; i < s->self_address.n; i++)
		if (answer == NOT_OURS && addr_equal(&s->self_address.v[i], a))
			answer = MAYBE_OURS;
	return answer;
}

/* The addresses of a list: no wildcards, none twice. */
static bool
check_list(struct load *l, const struct node *n, const struct config_addrs *a)
{
	char text[ADDR_TEXT_MAX];
	bool good = node_items(n) == a->n; /* some were faulty: which is which? */

	for (size_t i = 0; i < a->n && good; i++) {
		const struct node *at = node_item(n, i);

		addr_text(&a->v[i], text);
		if (addr_is_any(&a->v[i]))
			load_error(l, at, "%s: %s is not the address of a server", n->key, text);
		for (size_t k = 0; k < i; k++)
			if (addr_equal(&a->v[i], &a->v[k])) {
				load_error(l, at, "%s: duplicate address %s", n->key, text);
				break;
			}
	}
	return good;
}

static void
check_server_lists(struct load *l, const struct node *server)
{
	const struct config_server *s = &l->c->server;
	const struct node *self = node_get(server, "self-address");
	const struct node *resolver = node_get(server, "resolver");
	char text[ADDR_TEXT_MAX];

	if (self != NULL)
		(void)check_list(l, self, &s->self_address);
	if (resolver == NULL || !check_list(l, resolver, &s->resolver))
		return;
	for (size_t i = 0; i < s->resolver.n; i++)
		if (check_is_ours(s, &s->resolver.v[i]) == OURS)
			load_warning(l, node_item(resolver, i),
			    "resolver: %s is where zonerelayd itself listens, and that looks up "
			    "nothing",
			    addr_text(&s->resolver.v[i], text));
}

static bool
has_addr(const struct config_addrs *a, const struct zr_addr *addr)
{
	for (size_t i = 0; i < a->n; i++)
		if (addr_equal(&a->v[i], addr))
			return true;
	return false;
}

/* Written by hand, so it is done; but nobody can want these. */
static void
check_also(struct load *l, const struct node *n, const struct config_policy *p)
{
	char text[ADDR_TEXT_MAX];

	if (!check_list(l, n, &p->also_notify))
		return;
	for (size_t i = 0; i < p->also_notify.n; i++) {
		const struct zr_addr *a = &p->also_notify.v[i];
		enum ours ours = check_is_ours(&l->c->server, a);

		addr_text(a, text);
		if (ours != NOT_OURS)
			load_warning(l, node_item(n, i),
			    "also-notify: %s %s where zonerelayd itself listens", text,
			    ours == OURS ? "is" : "may be");
		for (size_t k = 0; k < p->primary_count; k++)
			if (has_addr(&p->primaries[k]->address, a))
				load_warning(l, node_item(n, i),
				    "also-notify: %s is the primary '%s': changes would go in a "
				    "circle",
				    text, p->primaries[k]->name);
	}
}

static bool
all_also(const struct config_downstream *d, const struct config_policy *p)
{
	for (size_t i = 0; i < d->address.n; i++)
		if (!has_addr(&p->also_notify, &d->address.v[i]))
			return false;
	return true;
}

/* With another mode than `explicit` the addresses of downstreams no longer are where NOTIFY goes.
 */
static void
check_targets(struct load *l, const struct node *n, const struct config_policy *p)
{
	if (p->notify_targets == CONFIG_TARGETS_EXPLICIT)
		return;
	if (p->downstream_count == 0) {
		load_warning(
		    l, n, "notify-targets: nobody may transfer the zone: it has no downstreams");
		return;
	}
	for (size_t i = 0; i < p->downstream_count && p->notify_targets == CONFIG_TARGETS_NS; i++)
		if (p->downstreams[i]->notify && !all_also(p->downstreams[i], p))
			load_warning(l, n,
			    "notify-targets: the addresses of the downstream '%s' are notified "
			    "only where NS records name them: ns does not use them",
			    p->downstreams[i]->name);
}

static void
check_policies(struct load *l)
{
	for (const struct policy_entry *e = l->policies; e != NULL; e = e->next) {
		const struct node *also = node_get(e->node, "also-notify");
		const struct node *targets = node_get(e->node, "notify-targets");

		if (also != NULL)
			check_also(l, also, &e->p);
		if (targets != NULL)
			check_targets(l, targets, &e->p);
	}
}

/* Its addresses come from elsewhere than the configuration. */
static bool
is_computed(const struct load *l, const struct config_downstream *d)
{
	for (const struct policy_entry *e = l->policies; e != NULL; e = e->next)
		for (size_t i = 0; i < e->p.downstream_count; i++)
			if (e->p.downstreams[i] == d &&
			    e->p.notify_targets != CONFIG_TARGETS_EXPLICIT)
				return true;
	return false;
}

/* Whom a prefix stands for is not known, except where NS records name them. */
static void
check_addresses(struct load *l)
{
	for (size_t i = 0; i < l->c->downstream_count; i++) {
		const struct config_downstream *d = &l->c->downstreams[i];
		const struct node *n = l->downstream_node[i];

		if (d->notify && node_get(n, "address") == NULL &&
		    node_get(n, "transfer-from") != NULL && !is_computed(l, d))
			load_key_error(l, n,
			    "the downstream '%s' has no address: give one, or notify: no", d->name);
	}
}

static bool
is_used(const struct load *l, const struct config_downstream *d)
{
	for (const struct policy_entry *e = l->policies; e != NULL; e = e->next)
		for (size_t i = 0; i < e->p.downstream_count && e->used; i++)
			if (e->p.downstreams[i] == d)
				return true;
	return false;
}

/* A command of a downstream that no zone has. */
static void
check_hooks(struct load *l)
{
	static const char *const keys[] = {"on-forced", "on-change", "server"};
	const struct config *c = l->c;

	for (size_t i = 0; i < c->downstream_count && c->zone_count != 0; i++) {
		const struct config_downstream *d = &c->downstreams[i];

		if ((d->on_forced.n == 0 && d->on_change.n == 0) || is_used(l, d))
			continue;
		for (size_t k = 0; k < 3; k++) {
			const struct node *n = node_get(l->downstream_node[i], keys[k]);

			if (n == NULL || (n->kind == NODE_LIST && n->count == 0))
				continue;
			load_key_warning(l, n,
			    "%s: without effect: no zone has the downstream '%s'", keys[k],
			    d->name);
			break;
		}
	}
}

void
check_notify(struct load *l, const struct node *server)
{
	check_server_lists(l, server);
	check_policies(l);
	check_addresses(l);
	check_hooks(l);
}
