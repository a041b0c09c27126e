/* SPDX-License-Identifier: BSD-2-Clause */
#include "app/certs.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "app/json.h"
#include "base/log.h"
#include "base/mem.h"

/* One context; the server's has no name. */
struct cert {
	struct tls_ctx *tls;
	const char *what; /* "server", "primary", "downstream" */
	const char *name;
	const char *file; /* our certificate; NULL: none */
	/* What the other side showed; unset: nothing yet. */
	struct zr_wall seen_end, seen_told;
	char seen[TLS_TEXT_MAX];
};

struct certs {
	const struct config *cfg;
	struct cert server, *primary, *downstream;
};

/* ---- loading ---- */

static void
report(struct config_report *r, const struct config_place *at, const struct cert *c,
    const struct zr_err *e)
{
	struct buf b = BUF_INIT;

	buf_fmt(&b, "%s:%u:%u: tls of the %s%s%s%s: %s", at->file, at->line, at->col, c->what,
	    c->name != NULL ? " '" : "", c->name != NULL ? c->name : "", c->name != NULL ? "'" : "",
	    e->text);
	r->errors++;
	r->line(r->arg, true, buf_cstr(&b));
	buf_clear(&b);
}

static bool
asks_clients(const struct config *c)
{
	for (size_t i = 0; i < c->primary_count; i++)
		if (c->primaries[i].tls.at.file != NULL)
			return true;
	for (size_t i = 0; i < c->downstream_count; i++)
		if (c->downstreams[i].client_pin.n > 0)
			return true;
	return false;
}

static int
load_server(struct cert *out, const struct config *c, struct config_report *r)
{
	const struct config_server_tls *t = &c->server.tls;
	struct tls_server_spec spec = {
	    .cert_file = t->cert,
	    .key_file = t->key,
	    .client_ca_file = t->client_ca,
	    .ask_client = asks_clients(c),
	};
	struct zr_err e;

	*out = (struct cert){.what = "server", .file = t->cert};
	if (t->at.file == NULL)
		return 0;
	out->tls = tls_server_new(&spec, &e);
	if (out->tls == NULL)
		report(r, &t->at, out, &e);
	return out->tls == NULL ? -1 : 0;
}

static int
load_peer(struct cert *out, const struct config_tls *t, struct config_report *r)
{
	bool system = t->ca != NULL && strcmp(t->ca, CONFIG_CA_SYSTEM) == 0;
	struct tls_client_spec spec = {
	    .name = t->name,
	    .ca_file = system ? NULL : t->ca,
	    .system_ca = system,
	    .cert_file = t->cert,
	    .key_file = t->key,
	};
	struct tls_pin *pins;
	struct zr_err e = {0};
	bool good = true;

	out->file = t->cert;
	if (t->at.file == NULL)
		return 0;
	pins = zr_xcalloc(t->pin.n + 1, sizeof(*pins));
	for (size_t i = 0; i < t->pin.n; i++)
		good = good && tls_pin_parse(&pins[i], t->pin.v[i]);
	spec.pins = pins;
	spec.pin_count = t->pin.n;
	if (good)
		out->tls = tls_client_new(&spec, &e);
	else
		zr_fail(&e, ZR_CONF, "a pin is not base64");
	free(pins);
	if (out->tls == NULL)
		report(r, &t->at, out, &e);
	return out->tls == NULL ? -1 : 0;
}

struct certs *
certs_load(const struct config *c, struct config_report *r)
{
	struct certs *s = zr_xcalloc(1, sizeof(*s));
	int rc;

	s->cfg = c;
	s->primary = zr_xcalloc(c->primary_count + 1, sizeof(*s->primary));
	s->downstream = zr_xcalloc(c->downstream_count + 1, sizeof(*s->downstream));
	rc = load_server(&s->server, c, r);
	for (size_t i = 0; i < c->primary_count; i++) {
		s->primary[i] = (struct cert){.what = "primary", .name = c->primaries[i].name};
		rc |= load_peer(&s->primary[i], &c->primaries[i].tls, r);
	}
	for (size_t i = 0; i < c->downstream_count; i++) {
		s->downstream[i] =
		    (struct cert){.what = "downstream", .name = c->downstreams[i].name};
		rc |= load_peer(&s->downstream[i], &c->downstreams[i].tls, r);
	}
	if (rc == 0)
		return s;
	certs_free(s);
	return NULL;
}

static void
adopt(struct cert *now, const struct cert *before)
{
	if (now->tls == NULL || now->tls == before->tls || !tls_same(now->tls, before->tls))
		return;
	tls_drop(now->tls);
	now->tls = tls_hold(before->tls);
}

/* The peer is the same one: what was seen of it, and said, stays. */
static void
remember(struct cert *now, const struct cert *before)
{
	if (now->tls != before->tls || strcmp(now->name, before->name) != 0)
		return;
	now->seen_end = before->seen_end;
	now->seen_told = before->seen_told;
	memcpy(now->seen, before->seen, sizeof(now->seen));
}

static void
adopt_peers(struct cert *now, size_t n, const struct cert *before, size_t count)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < count; k++)
			adopt(&now[i], &before[k]);
		for (size_t k = 0; k < count; k++)
			remember(&now[i], &before[k]);
	}
}

void
certs_adopt(struct certs *now, const struct certs *before)
{
	adopt(&now->server, &before->server);
	adopt_peers(
	    now->primary, now->cfg->primary_count, before->primary, before->cfg->primary_count);
	adopt_peers(now->downstream, now->cfg->downstream_count, before->downstream,
	    before->cfg->downstream_count);
}

void
certs_free(struct certs *s)
{
	if (s == NULL)
		return;
	tls_drop(s->server.tls);
	for (size_t i = 0; i < s->cfg->primary_count; i++)
		tls_drop(s->primary[i].tls);
	for (size_t i = 0; i < s->cfg->downstream_count; i++)
		tls_drop(s->downstream[i].tls);
	free(s->primary);
	free(s->downstream);
	free(s);
}

/* ---- asking ---- */

struct tls_ctx *
certs_server(const struct certs *s)
{
	return s->server.tls;
}

struct tls_ctx *
certs_primary(const struct certs *s, const struct config_primary *p)
{
	/* Else it would be asked in the clear. */
	assert(p >= s->cfg->primaries && p < s->cfg->primaries + s->cfg->primary_count);
	return s->primary[p - s->cfg->primaries].tls;
}

/* By name: a zone that is being removed still has those of the configuration before. */
static struct cert *
find(const struct certs *s, const char *what, const char *name)
{
	struct cert *v[] = {s->primary, s->downstream};
	size_t n[] = {s->cfg->primary_count, s->cfg->downstream_count};

	for (unsigned k = 0; k < 2; k++)
		for (size_t i = 0; i < n[k]; i++)
			if (strcmp(v[k][i].what, what) == 0 && strcmp(v[k][i].name, name) == 0)
				return &v[k][i];
	return NULL;
}

struct tls_ctx *
certs_downstream(const struct certs *s, const struct config_downstream *d)
{
	const struct cert *c = d->tls.at.file != NULL ? find(s, "downstream", d->name) : NULL;

	return c != NULL ? c->tls : NULL;
}

static bool
pinned(const struct tls_peer *peer, const struct config_pins *pins, bool chain)
{
	struct tls_pin pin;

	for (size_t i = 0; i < pins->n; i++)
		if (tls_pin_parse(&pin, pins->v[i]) && tls_peer_pinned(peer, &pin, chain))
			return true;
	return false;
}

bool
certs_proves(const struct tls_peer *peer, const char *name, const struct config_pins *pins)
{
	if (peer == NULL || (name == NULL && pins->n == 0))
		return false;
	if (name != NULL && (!tls_peer_verified(peer) || !tls_peer_named(peer, name)))
		return false;
	return pins->n == 0 || pinned(peer, pins, name != NULL);
}

bool
certs_primary_is(const struct certs *s, const struct config_primary *p, struct tls_peer *peer)
{
	const struct cert *c = find(s, "primary", p->name);

	return c != NULL && tls_vouches(c->tls, peer);
}

/* ---- expiry ---- */

typedef void (*visit)(const struct cert *c, const void *arg);

static void
each_own(const struct certs *s, visit v, const void *arg)
{
	if (s->server.tls != NULL)
		v(&s->server, arg);
	for (size_t i = 0; i < s->cfg->primary_count; i++)
		if (s->primary[i].tls != NULL && s->primary[i].file != NULL)
			v(&s->primary[i], arg);
	for (size_t i = 0; i < s->cfg->downstream_count; i++)
		if (s->downstream[i].tls != NULL && s->downstream[i].file != NULL)
			v(&s->downstream[i], arg);
}

/* file: of ours; NULL: a peer's. */
static void
tell(const struct cert *c, const char *file, const char *text, int64_t left)
{
	log_event(left > 0 ? LOG_LVL_WARN : LOG_LVL_ERROR,
	    left > 0 ? "certificate-expires" : "certificate-expired", LS("of", c->what),
	    LS("name", c->name), LS("file", file), LS("certificate", text),
	    LI("days", left / (86400 * ZR_US_PER_S)));
}

static void
check_one(const struct cert *c, const void *arg)
{
	const struct zr_wall *now = arg;
	int64_t left = tls_not_after(c->tls).us - now->us;

	if (left <= CERTS_WARN_US)
		tell(c, c->file, tls_text(c->tls), left);
}

void
certs_seen(struct certs *s, const char *what, const char *name, const struct tls_peer *peer,
    struct zr_wall now)
{
	struct cert *c = peer != NULL ? find(s, what, name) : NULL;
	struct zr_wall end = tls_peer_not_after(peer);

	if (c == NULL)
		return;
	if (c->seen_end.us != end.us || strcmp(c->seen, tls_peer_text(peer)) != 0)
		c->seen_told.us = 0;
	c->seen_end = end;
	snprintf(c->seen, sizeof(c->seen), "%s", tls_peer_text(peer));
	if (end.us - now.us > CERTS_WARN_US ||
	    (c->seen_told.us != 0 && now.us - c->seen_told.us < CERTS_EVERY_US))
		return;
	c->seen_told = now;
	tell(c, NULL, c->seen, end.us - now.us);
}

void
certs_check(const struct certs *s, struct zr_wall now)
{
	each_own(s, check_one, &now);
}

static void
json_cert(
    struct buf *b, const struct cert *c, const char *file, const char *text, struct zr_wall end)
{
	struct buf name = BUF_INIT;

	buf_fmt(&name, "%s%s%s%s", c->what, c->name != NULL ? " " : "",
	    c->name != NULL ? c->name : "", c->name != NULL && file != NULL ? ", ours" : "");
	buf_str(b, "{\"kind\":\"certificate\"");
	json_str(b, "name", buf_cstr(&name));
	json_str(b, "file", file);
	json_str(b, "certificate", text);
	json_wall(b, "not_after_at", end);
	buf_str(b, "}\n");
	buf_clear(&name);
}

static void
json_own(const struct cert *c, const void *arg)
{
	json_cert(
	    (struct buf *)(uintptr_t)arg, c, c->file, tls_text(c->tls), tls_not_after(c->tls));
}

static void
json_seen(struct buf *b, const struct cert *c)
{
	if (c->seen_end.us != 0)
		json_cert(b, c, NULL, c->seen, c->seen_end);
}

void
certs_json(struct buf *b, const struct certs *s)
{
	each_own(s, json_own, b);
	for (size_t i = 0; i < s->cfg->primary_count; i++)
		json_seen(b, &s->primary[i]);
	for (size_t i = 0; i < s->cfg->downstream_count; i++)
		json_seen(b, &s->downstream[i]);
}
