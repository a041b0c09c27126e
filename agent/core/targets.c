/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/targets.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "wire/name.h"

#define PORT_DNS 53

const char *const targets_why_names[TARGETS_WHY_COUNT] = {
    [TARGETS_IN] = "in",
    [TARGETS_ALSO] = "also-notify",
    [TARGETS_OWN] = "own",
    [TARGETS_MNAME] = "mname",
    [TARGETS_PRIMARY] = "primary",
    [TARGETS_NOT_ALLOWED] = "not-allowed",
    [TARGETS_SILENT] = "silent",
    [TARGETS_PREFIX] = "prefix",
    [TARGETS_UNRESOLVED] = "unresolved",
    [TARGETS_TWICE] = "twice",
    [TARGETS_TOO_MANY] = "too-many",
};

const char *const targets_why_text[TARGETS_WHY_COUNT] = {
    [TARGETS_IN] = "is notified",
    [TARGETS_ALSO] = "is notified, because also-notify names it",
    [TARGETS_OWN] = "is an address of this daemon",
    [TARGETS_MNAME] = "is the primary that the SOA names; notify-mname would include it",
    [TARGETS_PRIMARY] = "is a primary of the zone",
    [TARGETS_NOT_ALLOWED] = "is in no transfer-from of the zone, so a NOTIFY would be of no use",
    [TARGETS_SILENT] = "belongs to a downstream with notify: no",
    [TARGETS_PREFIX] = "is a prefix, which names no single host",
    [TARGETS_UNRESOLVED] = "has no address that could be found",
    [TARGETS_TWICE] = "is notified already under another name",
    [TARGETS_TOO_MANY] = "and what follows are left out: the NS records name too many addresses",
};

struct list {
	const struct targets_ask *q;
	struct target *v;
	size_t n;
};

/* What reaches us as IPv4 in IPv6 dress is the IPv4 address. */
static struct zr_addr
plain(const struct zr_addr *a)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct zr_addr out = {.family = 4, .port = a->port};

	if (a->family != 6 || memcmp(a->ip, mapped, sizeof(mapped)) != 0)
		return *a;
	memcpy(out.ip, a->ip + sizeof(mapped), 4);
	return out;
}

static bool
single(const struct zr_prefix *p)
{
	return p->bits == (p->addr.family == 4 ? 32 : 128);
}

static bool
is_primary(const struct targets_ask *q, const struct zr_addr *a)
{
	for (size_t i = 0; i < q->primary_count; i++)
		if (addr_ip_equal(&q->primaries[i], a))
			return true;
	return false;
}

static bool
is_in(const struct list *l, const struct zr_addr *a)
{
	for (size_t i = 0; i < l->n; i++)
		if ((l->v[i].why == TARGETS_IN || l->v[i].why == TARGETS_ALSO) &&
		    addr_equal(&l->v[i].addr, a))
			return true;
	return false;
}

/*
 * Does `a` say more about an address that both match?  The longer prefix does; of two downstreams
 * at one place the one that is notified, and the one whose port is known.
 */
static bool
closer(const struct target_acl *a, const struct target_acl *b)
{
	if (a->prefix.bits != b->prefix.bits)
		return a->prefix.bits > b->prefix.bits;
	if (a->notify != b->notify)
		return a->notify;
	return a->port != 0 && b->port == 0;
}

static const struct target_acl *
match(const struct targets_ask *q, const struct zr_addr *a)
{
	const struct target_acl *best = NULL;

	for (size_t i = 0; i < q->acl_count; i++)
		if (prefix_match(&q->acl[i].prefix, a) &&
		    (best == NULL || closer(&q->acl[i], best)))
			best = &q->acl[i];
	return best;
}

/* ---- hosts of the NS RRset ---- */

/* `t` has its address; finds the rest. */
static void
judge(const struct list *l, struct target *t)
{
	const struct targets_ask *q = l->q;
	const struct target_acl *acl = match(q, &t->addr);

	if (acl != NULL) {
		t->downstream = acl->downstream;
		if (acl->port != 0)
			t->addr.port = acl->port;
	}
	if (q->own(q->arg, &t->addr))
		t->why = TARGETS_OWN;
	else if (is_primary(q, &t->addr))
		t->why = TARGETS_PRIMARY;
	else if (acl == NULL && q->mode == TARGETS_NS_AND_ACL)
		t->why = TARGETS_NOT_ALLOWED;
	else if (acl != NULL && !acl->notify)
		t->why = TARGETS_SILENT;
	else
		t->why = is_in(l, &t->addr) ? TARGETS_TWICE : TARGETS_IN;
}

/* False when there is room for no more. */
static bool
add(struct list *l, const struct target *t)
{
	l->v[l->n] = *t;
	if (l->n < TARGETS_MAX) {
		l->n++;
		return true;
	}
	l->v[l->n++].why = TARGETS_TOO_MANY;
	return false;
}

static bool
add_host(struct list *l, const struct target_host *h)
{
	bool mname = l->q->mname != NULL && name_equal(l->q->mname, h->name);
	struct target t = {.host = h->name, .downstream = TARGETS_NOBODY};

	if (h->count == 0) {
		t.why = mname ? TARGETS_MNAME : TARGETS_UNRESOLVED;
		t.text = mname ? NULL : h->error;
		return add(l, &t);
	}
	for (size_t i = 0; i < h->count; i++) {
		t = (struct target){.host = h->name,
		    .addr = plain(&h->addr[i]),
		    .downstream = TARGETS_NOBODY,
		    .why = TARGETS_MNAME};
		if (t.addr.port == 0)
			t.addr.port = PORT_DNS;
		if (!mname)
			judge(l, &t);
		if (!add(l, &t))
			return false;
	}
	return true;
}

static void
add_hosts(struct list *l)
{
	for (size_t i = 0; i < l->q->host_count; i++)
		if (!add_host(l, &l->q->hosts[i]))
			return;
}

/* ---- single addresses ---- */

static void
add_acl(struct list *l)
{
	const struct targets_ask *q = l->q;

	for (size_t i = 0; i < q->acl_count; i++) {
		const struct target_acl *e = &q->acl[i];
		struct target t = {.addr = e->prefix.addr, .downstream = e->downstream};

		t.addr.port = 0;
		if (!single(&e->prefix)) {
			t.bits = e->prefix.bits;
			t.why = TARGETS_PREFIX;
			l->v[l->n++] = t;
			continue;
		}
		t.addr = plain(&t.addr);
		t.addr.port = e->port != 0 ? e->port : PORT_DNS;
		if (q->own(q->arg, &t.addr))
			t.why = TARGETS_OWN;
		else if (q->mode != TARGETS_EXPLICIT && is_primary(q, &t.addr))
			t.why = TARGETS_PRIMARY;
		else if (!e->notify)
			t.why = TARGETS_SILENT;
		else
			t.why = is_in(l, &t.addr) ? TARGETS_TWICE : TARGETS_IN;
		l->v[l->n++] = t;
	}
}

/* The operator means these: only what would come back to us is left out. */
static void
add_also(struct list *l)
{
	const struct targets_ask *q = l->q;

	for (size_t i = 0; i < q->also_count; i++) {
		struct target t = {.addr = plain(&q->also[i]), .downstream = TARGETS_NOBODY};
		const struct target_acl *acl = match(q, &t.addr);

		if (acl != NULL)
			t.downstream = acl->downstream;
		if (t.addr.port == 0)
			t.addr.port = PORT_DNS;
		if (q->own(q->arg, &t.addr))
			t.why = TARGETS_OWN;
		else
			t.why = is_in(l, &t.addr) ? TARGETS_TWICE : TARGETS_ALSO;
		l->v[l->n++] = t;
	}
}

struct target *
targets_find(const struct targets_ask *q, size_t *count)
{
	bool hosts = q->mode == TARGETS_NS || q->mode == TARGETS_NS_AND_ACL;
	size_t max = (hosts ? TARGETS_MAX : q->acl_count) + 1 + q->also_count;
	struct list l = {.q = q, .v = zr_xcalloc(max, sizeof(struct target))};

	if (hosts)
		add_hosts(&l);
	else
		add_acl(&l);
	add_also(&l);
	*count = l.n;
	return l.v;
}
