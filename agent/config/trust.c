/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TLS: who proves what to whom.  Files are only named here; the app opens them.  XoT asks for both
 * sides to be authenticated (RFC 9103 section 7.5), so a configuration in which one is not is an
 * error and not a matter of taste.
 */
#include "config/load.h"
#include "config/schema.h"
#include "wire/name.h"

#include <string.h>

#define PORT_DNS 53
#define PORT_DOT 853
#define PIN_LEN 44 /* octets of base64 for 32, with one '=' */

/* ---- values ---- */

bool
trust_read_ca(struct load *l, const struct schema_key *k, const struct node *n, char **out)
{
	const char *text = value_scalar(l, k, n);

	if (text == NULL)
		return false;
	if (strcmp(text, CONFIG_CA_SYSTEM) != 0)
		return value_path(l, k, n, out);
	*out = pool_str(l->arena, text);
	return true;
}

bool
trust_read_host(struct load *l, const struct schema_key *k, const struct node *n, char **out)
{
	const char *text = value_scalar(l, k, n), *why;
	char show[SHOW_MAX], lower[NAME_TEXT_MAX], ip[ADDR_TEXT_MAX];
	uint8_t wire[NAME_MAX_LEN];
	struct zr_addr addr;
	size_t at;

	if (text == NULL)
		return false;
	if (addr_parse_ip(text, &addr)) {
		*out = pool_str(l->arena, addr_text(&addr, ip));
		return true;
	}
	if (zonename_read(text, wire, &why, &at) == 0) {
		load_error(
		    l, n, "%s: %s is not a domain name: %s", k->key, fault_show(text, show), why);
		return false;
	}
	if (wire[0] == 0) {
		load_error(l, n, "%s: no certificate has the name of the root", k->key);
		return false;
	}
	*out = pool_str(l->arena, name_show(wire, lower));
	return true;
}

static bool
is_pin(const char *text)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	/* The last digit has two bits that nothing stands for. */
	return strlen(text) == PIN_LEN && strspn(text, digits) == PIN_LEN - 1 &&
	       text[PIN_LEN - 1] == '=' && (strchr(digits, text[PIN_LEN - 2]) - digits) % 4 == 0;
}

bool
trust_read_pins(
    struct load *l, const struct schema_key *k, const struct node *n, struct config_pins *out)
{
	long count = value_items(l, k, n);
	struct config_pins p = {0};
	bool good = count >= 0;
	char show[SHOW_MAX];

	if (!good)
		return false;
	p.v = pool_array(l->arena, (size_t)count, sizeof(*p.v));
	for (const struct node *i = node_item(n, 0); i != NULL; i = i == n ? NULL : i->next) {
		const char *text = value_scalar(l, k, i);

		if (text != NULL && is_pin(text)) {
			p.v[p.n++] = pool_str(l->arena, text);
			continue;
		}
		good = false;
		if (text != NULL)
			load_error(l, i,
			    "%s: %s is not the SHA-256 of a public key in base64 (%d characters)",
			    k->key, fault_show(text, show), PIN_LEN);
	}
	*out = p;
	return good;
}

bool
trust_read_map(struct load *l, const struct schema_key *k, const struct node *n, void *at)
{
	struct config_place *place = at;
	struct place p = load_at_key(l, n);
	size_t before = l->faults.errors;

	if (node_empty(n))
		return true;
	*place = (struct config_place){p.file, p.line, p.col};
	schema_apply(k->sub, n, at, l);
	return l->faults.errors == before;
}

/* ---- one peer ---- */

uint16_t
trust_port(const struct node *peer)
{
	return node_empty(node_get(peer, "tls")) ? PORT_DNS : PORT_DOT;
}

/* Something stands there, right or wrong. */
static bool
has(const struct node *map, const char *key)
{
	return node_get(map, key) != NULL;
}

/* The app opens them, at each reload as well. */
static void
note_files(struct load *l, const char *const *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (v[i] != NULL && strcmp(v[i], CONFIG_CA_SYSTEM) != 0)
			load_file(l, v[i]);
}

/* A certificate without its key, or the other way round. */
static void
check_pair(struct load *l, const struct node *n)
{
	if (has(n, "cert") && !has(n, "key"))
		load_key_error(l, node_get(n, "cert"), "cert: its key is missing");
	else if (has(n, "key") && !has(n, "cert"))
		load_key_error(l, node_get(n, "key"), "key: its cert is missing");
}

void
trust_check_peer(struct load *l, const struct node *n, const struct config_tls *t)
{
	if (t->at.file == NULL || n->kind != NODE_MAP)
		return;
	note_files(l, (const char *const[]){t->ca, t->cert, t->key}, 3);
	if (!has(n, "ca") && t->pin.n == 0 &&
	    (!has(n, "pin") || node_items(node_get(n, "pin")) == 0))
		load_key_error(
		    l, n, "tls: neither ca nor pin: nothing would prove who the server is");
	else if (has(n, "ca") && !has(n, "name"))
		load_key_error(l, n,
		    "tls: ca without name: any server with a certificate of that CA would do");
	check_pair(l, n);
}

/* By address alone nobody is authorised (XO-25). */
static bool
proves_itself(const struct config_downstream *d)
{
	return config_has_client(d) || d->key != NULL;
}

static void
check_client(struct load *l, const struct node *n, const struct config_downstream *d)
{
	const struct config_server_tls *s = &l->c->server.tls;
	const struct node *name = node_get(n, "client-name"), *pin = node_get(n, "client-pin");
	const struct node *xot = node_get(n, "xot");

	if (name != NULL && s->client_ca == NULL)
		load_key_error(l, name,
		    "client-name: the server's tls has no client-ca that certificates could come "
		    "from");
	else if (d->client_pin.n > 0 && pin != NULL && s->at.file == NULL)
		load_key_error(l, pin, "client-pin: the server has no tls: nobody can show one");
	else if (xot != NULL && d->xot == CONFIG_XOT_REQUIRE && s->at.file == NULL)
		load_error(l, xot, "xot: the server has no tls: nobody could transfer");
	else if (xot != NULL && d->xot == CONFIG_XOT_REQUIRE && !proves_itself(d))
		load_error(l, xot,
		    "xot: '%s' proves by nothing who it is: client-name, client-pin or key is "
		    "needed (RFC 9103 section 7.5)",
		    d->name);
	else if (xot != NULL && d->xot == CONFIG_XOT_NO && config_has_client(d))
		load_warning(l, xot,
		    "xot: over TCP '%s' needs no certificate: this is for a time of transition",
		    d->name);
}

void
trust_downstream(struct load *l, const struct node *n, struct config_downstream *d)
{
	const struct node *transport = node_get(n, "notify-transport");
	bool tls = d->tls.at.file != NULL;

	trust_check_peer(l, node_get(n, "tls"), &d->tls);
	if (node_get(n, "xot") == NULL && config_has_client(d))
		d->xot = CONFIG_XOT_REQUIRE;
	if (transport == NULL && tls)
		d->notify_transport = CONFIG_TLS;
	else if (tls && d->notify_transport != CONFIG_TLS)
		load_error(l, transport, "notify-transport: with tls, NOTIFY goes over TLS only");
	else if (!tls && d->notify_transport == CONFIG_TLS)
		load_error(l, transport,
		    "notify-transport: '%s' has no tls that says whom to trust", d->name);
	if (tls && !d->notify)
		load_key_warning(
		    l, node_get(n, "tls"), "tls: without effect, as '%s' is not notified", d->name);
	check_client(l, n, d);
}

/* ---- the server ---- */

void
trust_check_server(struct load *l, const struct node *n)
{
	const struct config_server *s = &l->c->server;
	const struct node *listen = node_get(n, "listen");
	char text[ADDR_TEXT_MAX];

	if (s->tls.at.file == NULL || n->kind != NODE_MAP)
		return;
	note_files(l, (const char *const[]){s->tls.cert, s->tls.key, s->tls.client_ca}, 3);
	if (listen == NULL || (listen->kind == NODE_LIST && listen->count == 0))
		load_key_error(l, n, "tls: no address to listen on");
	if (!has(n, "cert") && !has(n, "key"))
		load_key_error(l, n, "tls: a server needs cert and key");
	check_pair(l, n);
	for (size_t i = 0; i < s->tls.listen.n && node_items(listen) == s->tls.listen.n; i++) {
		const struct zr_addr *a = &s->tls.listen.v[i];
		bool twice = false, plain = false;

		for (size_t k = 0; k < i; k++)
			twice = twice || addr_equal(a, &s->tls.listen.v[k]);
		for (size_t k = 0; k < s->listen.n; k++)
			plain = plain || addr_equal(a, &s->listen.v[k]);
		if (twice)
			load_error(l, node_item(listen, i), "listen: duplicate address %s",
			    addr_text(a, text));
		else if (plain)
			load_error(l, node_item(listen, i),
			    "listen: %s is where the server listens without TLS",
			    addr_text(a, text));
	}
}

/* ---- zones ---- */

static const char *
of_what(const struct policy_entry *e)
{
	return e->zone != NULL ? e->zone : e->node != NULL ? e->node->key : "default";
}

static void
check_required(struct load *l, const struct policy_entry *e, const struct node *xot)
{
	for (size_t i = 0; i < e->p.primary_count; i++)
		if (e->p.primaries[i]->tls.at.file == NULL)
			load_error(l, xot, "xot: the primary '%s' of '%s' has no tls",
			    e->p.primaries[i]->name, of_what(e));
	if (e->p.downstream_count > 0 && l->c->server.tls.at.file == NULL)
		load_error(l, xot,
		    "xot: the server has no tls: none of its downstreams could transfer '%s'",
		    of_what(e));
	for (size_t i = 0; i < e->p.downstream_count && l->c->server.tls.at.file != NULL; i++) {
		const struct config_downstream *d = e->p.downstreams[i];

		if (!proves_itself(d))
			load_error(l, xot,
			    "xot: the downstream '%s' of '%s' proves by nothing who it is: "
			    "client-name, client-pin or key is needed (RFC 9103 section 7.5)",
			    d->name, of_what(e));
	}
}

/* XO-34: some of the zone's transfers are protected and some are not. */
static void
check_mixture(struct load *l, const struct policy_entry *e)
{
	const struct config_policy *p = &e->p;
	const struct config_primary *with = NULL, *without = NULL;

	for (size_t i = 0; i < p->primary_count; i++)
		*(p->primaries[i]->tls.at.file != NULL ? &with : &without) = p->primaries[i];
	if (with != NULL && without != NULL)
		load_key_warning(l, l->primary_node[without - l->c->primaries],
		    "'%s' has no tls, and the primary '%s' of the same zones has: this is for a "
		    "time of transition",
		    without->name, with->name);
}

void
trust_check_policies(struct load *l)
{
	bool told = false;

	for (const struct policy_entry *e = l->policies; e != NULL; e = e->next) {
		const struct node *xot = node_get(e->node, "xot");
		size_t before = l->faults.warnings;

		if (e->p.xot == CONFIG_XOT_REQUIRE && (xot != NULL || e->used))
			check_required(l, e, xot != NULL ? xot : e->node);
		else if (e->used && !told)
			check_mixture(l, e);
		told = told || l->faults.warnings != before;
	}
}
