/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/mem.h"
#include "base/table.h"
#include "config/load.h"
#include "config/schema.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define CONTROL_MAX (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

static void
check_server(struct load *l, const struct node *server)
{
	const struct config_server *s = &l->c->server;
	const struct node *n = node_get(server, "listen");
	char text[ADDR_TEXT_MAX], show[SHOW_MAX];

	if (n != NULL && n->kind == NODE_LIST && n->count == 0)
		load_error(l, n, "listen: no address is left to listen on");
	for (size_t i = 0; i < s->listen.n && node_items(n) == s->listen.n; i++)
		for (size_t k = 0; k < i; k++)
			if (addr_equal(&s->listen.v[i], &s->listen.v[k])) {
				load_error(l, node_item(n, i), "listen: duplicate address %s",
				    addr_text(&s->listen.v[i], text));
				break;
			}
	n = node_get(server, "database");
	if (n != NULL && s->database != NULL && strlen(s->database) >= PATH_MAX)
		load_error(l, n, "database: longer than the %d octets of a path", PATH_MAX - 1);
	n = node_get(server, "control");
	if (s->control != NULL && strlen(s->control) > CONTROL_MAX)
		fault_error(&l->faults, n != NULL ? load_at(l, n) : (struct place){l->file, 1, 1},
		    "control: %s is longer than the %zu octets of a socket's name",
		    fault_show(s->control, show), CONTROL_MAX);
	if (s->control != NULL && s->database != NULL && strcmp(s->control, s->database) == 0)
		load_error(l, n != NULL ? n : node_get(server, "database"),
		    "control: the same path as database");
}

static void
check_ours(struct load *l, const struct config_addrs *a, const struct node *peer, const char *does)
{
	const struct node *n = node_get(peer, "address");
	char addr[ADDR_TEXT_MAX];

	for (size_t i = 0; i < a->n && node_items(n) == a->n; i++) {
		enum ours ours = check_is_ours(&l->c->server, &a->v[i]);

		addr_text(&a->v[i], addr);
		if (ours == OURS)
			load_error(l, node_item(n, i),
			    "%s is where zonerelayd itself listens: it would %s itself", addr,
			    does);
		else if (ours == MAYBE_OURS)
			load_warning(l, node_item(n, i),
			    "%s may be where zonerelayd itself listens: it would %s itself", addr,
			    does);
	}
}

static void
check_self(struct load *l)
{
	const struct config *c = l->c;

	for (size_t i = 0; i < c->primary_count; i++)
		check_ours(l, &c->primaries[i].address, l->primary_node[i], "transfer from");
	for (size_t i = 0; i < c->downstream_count; i++)
		check_ours(l, &c->downstreams[i].address, l->downstream_node[i], "notify");
}

/* A primary and a downstream of some zone, met before: one warning is enough. */
struct pair {
	const struct config_primary *p;
	const struct config_downstream *d;
};

static void
check_pair(struct load *l, const struct pair *key, const struct policy_entry *e, struct table *met)
{
	const struct config_addrs *pa = &key->p->address, *da = &key->d->address;
	const struct node *n = l->downstream_node[key->d - l->c->downstreams];
	char text[ADDR_TEXT_MAX];
	struct pair *seen;

	for (size_t i = 0; i < da->n; i++)
		for (size_t k = 0; k < pa->n; k++) {
			if (!addr_equal(&da->v[i], &pa->v[k]) ||
			    table_get(met, key, sizeof(*key)) != NULL)
				continue;
			seen = pool_bytes(&l->nodes, key, sizeof(*key));
			(void)table_put(met, seen, sizeof(*seen), seen);
			load_warning(l, node_item(node_get(n, "address"), i),
			    "%s is the primary '%s' and the downstream '%s' of %s '%s': changes "
			    "would "
			    "go in a circle",
			    addr_text(&da->v[i], text), key->p->name, key->d->name,
			    e->zone != NULL ? "the zone" : "the template",
			    e->zone != NULL   ? e->zone
			    : e->node != NULL ? e->node->key
					      : "default");
		}
}

/* N-32: a host which is both primary and notify target of a zone. */
static void
check_circles(struct load *l)
{
	struct table *met = table_new();

	for (const struct policy_entry *e = l->policies; e != NULL; e = e->next) {
		if (!e->used)
			continue;
		for (size_t i = 0; i < e->p.primary_count; i++)
			for (size_t k = 0; k < e->p.downstream_count; k++)
				if (e->p.downstreams[k]->notify)
					check_pair(l,
					    &(struct pair){e->p.primaries[i], e->p.downstreams[k]},
					    e, met);
	}
	table_free(met);
}

/* Without a primary a zone would never be loaded. */
static void
check_primaries(struct load *l, const struct schema_file *top)
{
	bool none = node_empty(top->primaries) || top->primaries->count == 0;

	for (const struct policy_entry *e = l->policies; e != NULL; e = e->next) {
		const struct node *n = node_get(e->node, "primaries");

		if (!e->used || e->p.primary_count != 0)
			continue;
		if (none) {
			load_key_error(l, top->zones != NULL ? top->zones : top->zone_lists,
			    "zones need a primary: there is none in 'primaries'");
			return;
		}
		if (n != NULL && n->kind == NODE_LIST && n->count == 0)
			load_error(l, n, "a zone needs a primary");
		else if (n == NULL && e->node != NULL && e->zone != NULL)
			load_key_error(
			    l, e->node, "the zone has no primary: its template has none");
	}
}

void
check_all(struct load *l, const struct schema_file *top)
{
	check_server(l, top->server);
	check_self(l);
	check_circles(l);
	check_primaries(l, top);
	check_notify(l, top->server);
	trust_check_server(l, node_get(top->server, "tls"));
	trust_check_policies(l);
	if (l->c->zone_count == 0 && l->faults.errors == 0)
		fault_warning(&l->faults, (struct place){l->file, 1, 1}, "no zones are configured");
}
