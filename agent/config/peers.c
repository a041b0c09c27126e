/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/mem.h"
#include "base/table.h"
#include "config/load.h"
#include "config/schema.h"

#include <string.h>

/* Addresses of one kind of peer, so that one which belongs to two of them is seen. */
struct owner {
	struct zr_addr addr; /* the key */
	const char *name;
};

/* A second use of an address within one peer is a slip; by two peers it makes NOTIFYs ambiguous. */
static void
claim(struct load *l, struct table *owners, const char *what, const char *name,
    const struct config_addrs *a, const struct node *node)
{
	char text[ADDR_TEXT_MAX];

	if (node_items(node) != a->n) /* some were faulty: which is which? */
		return;
	for (size_t i = 0; i < a->n; i++) {
		const struct node *at = node_item(node, i);
		struct owner *o = table_get(owners, &a->v[i], sizeof(a->v[i]));

		addr_text(&a->v[i], text);
		if (addr_is_any(&a->v[i])) {
			load_error(l, at, "%s is not the address of a server", text);
		} else if (o == NULL) {
			o = pool_alloc(&l->nodes, sizeof(*o));
			o->addr = a->v[i];
			o->name = name;
			(void)table_put(owners, &o->addr, sizeof(o->addr), o);
		} else if (strcmp(o->name, name) == 0) {
			load_error(l, at, "duplicate address %s", text);
		} else {
			load_warning(
			    l, at, "%s is also an address of the %s '%s'", text, what, o->name);
		}
	}
}

static bool
has_family(const struct config_addrs *a, unsigned family)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->v[i].family == family)
			return true;
	return false;
}

static void
check_source(struct load *l, const struct node *peer, const struct config_addrs *a,
    const struct zr_addr *source4, const struct zr_addr *source6)
{
	const struct node *n = node_get(peer, "source");

	if (n == NULL || a->n == 0)
		return;
	if (source4->family != 0 && !has_family(a, 4))
		load_warning(l, n, "source: none of the addresses is IPv4");
	if (source6->family != 0 && !has_family(a, 6))
		load_warning(l, n, "source: none of the addresses is IPv6");
}

/* Whether something was written which could not be read: no need to say that it is missing. */
static bool
was_written(const struct node *peer, const char *key)
{
	const struct node *n = node_get(peer, key);

	if (peer->kind != NODE_MAP && !node_empty(peer)) /* a fault already */
		return true;
	return n != NULL && !(n->kind == NODE_LIST && n->count == 0);
}

static void
check_forced(struct load *l, const struct node *n, const struct config_primary *p)
{
	const struct node *forced = node_get(n, "forced");

	if (forced != NULL && p->forced == CONFIG_FORCED_KEY && config_notify_key(p) == NULL &&
	    (p->tls.at.file == NULL || l->c->server.tls.at.file == NULL))
		load_warning(l, forced,
		    "forced: the primary '%s' has no key%s: every NOTIFY(AXFR) from it will be "
		    "refused",
		    p->name,
		    p->tls.at.file != NULL
			? ", and without tls of the server nobody can show a certificate"
			: "");
}

static void
load_primary(struct load *l, const struct node *n, struct config_primary *p, struct table *owners)
{
	l->port = trust_port(n);
	schema_defaults(&schema_primary, p, l);
	schema_apply(&schema_primary, n, p, l);
	p->name = pool_str(l->arena, n->key);
	if (p->address.n == 0 && !was_written(n, "address"))
		load_key_error(l, n, "the primary '%s' has no address", p->name);
	claim(l, owners, "primary", p->name, &p->address, node_get(n, "address"));
	check_source(l, n, &p->address, &p->source4, &p->source6);
	check_forced(l, n, p);
	trust_check_peer(l, node_get(n, "tls"), &p->tls);
}

static void
transfer_from_addresses(struct load *l, struct config_downstream *d)
{
	struct config_prefixes *f = &d->transfer_from;

	f->v = pool_array(l->arena, d->address.n, sizeof(*f->v));
	for (f->n = 0; f->n < d->address.n; f->n++) {
		f->v[f->n].addr = d->address.v[f->n];
		f->v[f->n].addr.port = 0;
		f->v[f->n].bits = d->address.v[f->n].family == 4 ? 32 : 128;
	}
}

static void
load_downstream(
    struct load *l, const struct node *n, struct config_downstream *d, struct table *owners)
{
	l->port = trust_port(n);
	schema_defaults(&schema_downstream, d, l);
	schema_apply(&schema_downstream, n, d, l);
	d->name = pool_str(l->arena, n->key);
	if (d->address.n == 0 && !was_written(n, "address")) {
		bool may_transfer = was_written(n, "transfer-from");

		if (d->notify && !may_transfer) /* else it depends: check_notify.c */
			load_key_error(l, n,
			    "the downstream '%s' has no address: give one, or notify: no", d->name);
		else if (!may_transfer)
			load_key_error(l, n,
			    "the downstream '%s' has neither address nor transfer-from: nobody "
			    "could transfer as it",
			    d->name);
	}
	if (node_get(n, "transfer-from") == NULL)
		transfer_from_addresses(l, d);
	if (node_get(n, "notify-key") == NULL)
		d->notify_key = d->key;
	trust_downstream(l, n, d);
	if (node_get(n, "on-forced") == NULL) /* [] is an answer, too */
		argv_of_server(l, d->server, &d->on_forced);
	claim(l, owners, "downstream", d->name, &d->address, node_get(n, "address"));
	check_source(l, n, &d->address, &d->source4, &d->source6);
}

static size_t
named(struct load *l, const struct node *map, const char *what, const struct node ***v)
{
	*v = pool_array(&l->nodes, map != NULL ? map->count : 0, sizeof(**v));
	return load_named(l, map, what, *v);
}

void
peers_load(struct load *l, const struct node *primaries, const struct node *downstreams)
{
	struct config *c = l->c;
	struct table *owners = table_new();

	c->primary_count = named(l, primaries, "primary", &l->primary_node);
	c->primaries = pool_array(l->arena, c->primary_count, sizeof(*c->primaries));
	for (size_t i = 0; i < c->primary_count; i++) {
		struct config_primary *p = &c->primaries[i];

		load_primary(l, l->primary_node[i], p, owners);
		(void)table_put(l->primary_name, p->name, strlen(p->name), p);
	}
	table_free(owners);
	owners = table_new();
	c->downstream_count = named(l, downstreams, "downstream", &l->downstream_node);
	c->downstreams = pool_array(l->arena, c->downstream_count, sizeof(*c->downstreams));
	for (size_t i = 0; i < c->downstream_count; i++) {
		struct config_downstream *d = &c->downstreams[i];

		load_downstream(l, l->downstream_node[i], d, owners);
		(void)table_put(l->downstream_name, d->name, strlen(d->name), d);
	}
	table_free(owners);
}
