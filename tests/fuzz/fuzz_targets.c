/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Input: the hosts of a zone with addresses, a transfer list, also-notify and primaries.  Whoever
 * is found is somebody of these, for the reason given, and nobody is told twice.
 */
#include "fuzz.h"

#include "choose.h"
#include "core/targets.h"
#include "wire/name.h"

#include <string.h>

#define HOSTS 8
#define ADDRS 300
#define ACLS 12
#define FEW 6

struct world {
	struct targets_ask q;
	uint8_t name[HOSTS][8];
	struct target_host host[HOSTS];
	struct zr_addr addr[ADDRS], primary[FEW], also[FEW];
	struct target_acl acl[ACLS];
};

/* A small world, so that things meet: some of it is IPv4 in IPv6 dress. */
static struct zr_addr
some_addr(struct rd *in, bool port)
{
	struct zr_addr a = {.family = 4, .ip = {192, 0, 2}};
	unsigned how = choose_below(in, 4);

	a.ip[3] = (uint8_t)choose_below(in, 12);
	if (how == 1)
		a = (struct zr_addr){.family = 6, .ip = {0x20, 1, 0xd, 0xb8, [15] = a.ip[3]}};
	if (how == 2)
		a = (struct zr_addr){.family = 6,
		    .ip = {[10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = a.ip[3]}};
	if (port)
		a.port = (uint16_t)(choose_below(in, 2) * 5300);
	return a;
}

static struct zr_addr
plain(struct zr_addr a)
{
	if (a.family == 6 && a.ip[10] == 0xff)
		return (struct zr_addr){
		    .family = 4, .port = a.port, .ip = {a.ip[12], a.ip[13], a.ip[14], a.ip[15]}};
	return a;
}

static bool
own(void *arg, const struct zr_addr *a)
{
	(void)arg;
	FUZZ_CHECK(a->family == 4 || a->ip[10] != 0xff);
	return a->ip[a->family == 4 ? 3 : 15] == 11;
}

static void
make(struct world *w, struct rd *in)
{
	size_t used = 0;

	w->q = (struct targets_ask){.mode = (enum targets_mode)choose_below(in, 4),
	    .hosts = w->host,
	    .acl = w->acl,
	    .primaries = w->primary,
	    .also = w->also,
	    .own = own};
	w->q.host_count = choose_below(in, HOSTS + 1);
	for (size_t i = 0; i < w->q.host_count; i++) {
		struct target_host *h = &w->host[i];
		memcpy(w->name[i], "\2ns\1x", 6);
		w->name[i][4] = (uint8_t)('a' + choose_below(in, 4));
		h->name = w->name[i];
		h->addr = w->addr + used;
		h->count = choose_below(in, choose_rarely(in, 8) ? 256 : 4);
		if (h->count > ADDRS - used)
			h->count = ADDRS - used;
		for (size_t k = 0; k < h->count; k++)
			w->addr[used++] = plain(some_addr(in, false));
		h->error = h->count == 0 ? "no" : NULL;
	}
	if (w->q.host_count > 0 && choose_below(in, 2) != 0)
		w->q.mname = w->host[choose_below(in, (uint32_t)w->q.host_count)].name;
	w->q.acl_count = choose_below(in, ACLS + 1);
	for (size_t i = 0; i < w->q.acl_count; i++) {
		struct target_acl *e = &w->acl[i];
		e->prefix.addr = plain(some_addr(in, false));
		e->prefix.bits = e->prefix.addr.family == 4 ? 32 : 128;
		if (choose_rarely(in, 4))
			e->prefix.bits = (uint8_t)choose_below(in, e->prefix.bits);
		e->downstream = choose_below(in, 5);
		e->notify = choose_below(in, 4) != 0;
		e->port = (uint16_t)(choose_below(in, 3) * 77);
	}
	w->q.primary_count = choose_below(in, FEW + 1);
	for (size_t i = 0; i < w->q.primary_count; i++)
		w->primary[i] = plain(some_addr(in, true));
	w->q.also_count = choose_below(in, FEW + 1);
	for (size_t i = 0; i < w->q.also_count; i++)
		w->also[i] = some_addr(in, true);
}

static bool
is_primary(const struct world *w, const struct zr_addr *a)
{
	for (size_t i = 0; i < w->q.primary_count; i++)
		if (addr_ip_equal(&w->primary[i], a))
			return true;
	return false;
}

static bool
in_acl(const struct world *w, const struct zr_addr *a)
{
	for (size_t i = 0; i < w->q.acl_count; i++)
		if (prefix_match(&w->acl[i].prefix, a))
			return true;
	return false;
}

static bool
told(enum targets_why why)
{
	return why == TARGETS_IN || why == TARGETS_ALSO;
}

static void
check(const struct world *w, const struct target *v, size_t n, size_t i)
{
	const struct target *t = &v[i];
	bool hosts = w->q.mode == TARGETS_NS || w->q.mode == TARGETS_NS_AND_ACL;
	bool before = false;

	FUZZ_CHECK(t->why < TARGETS_WHY_COUNT && targets_why_text[t->why] != NULL);
	FUZZ_CHECK(t->host == NULL || hosts);
	FUZZ_CHECK(
	    (t->why == TARGETS_UNRESOLVED) == (t->text != NULL) || t->why == TARGETS_TOO_MANY);
	FUZZ_CHECK(t->why != TARGETS_TOO_MANY || (hosts && i == TARGETS_MAX));
	for (size_t k = 0; k < i; k++)
		before |= told(v[k].why) && addr_equal(&v[k].addr, &t->addr);
	FUZZ_CHECK(t->why != TARGETS_TWICE || before);
	FUZZ_CHECK((t->why == TARGETS_OWN) ==
		       (t->addr.family != 0 && t->why != TARGETS_MNAME && t->bits == 0 &&
			   t->why != TARGETS_PREFIX && own(NULL, &t->addr)) ||
		   t->why == TARGETS_TOO_MANY);
	FUZZ_CHECK(t->why != TARGETS_PRIMARY || is_primary(w, &t->addr));
	FUZZ_CHECK(t->why != TARGETS_NOT_ALLOWED || !in_acl(w, &t->addr));
	if (!told(t->why))
		return;
	FUZZ_CHECK(!before && t->addr.port != 0 && t->addr.family != 0);
	if (t->why == TARGETS_IN && w->q.mode != TARGETS_EXPLICIT)
		FUZZ_CHECK(!is_primary(w, &t->addr));
	if (t->why == TARGETS_IN && w->q.mode == TARGETS_NS_AND_ACL)
		FUZZ_CHECK(in_acl(w, &t->addr));
	FUZZ_CHECK(t->why != TARGETS_ALSO || i >= n - w->q.also_count);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world w;
	struct target *v;
	struct rd in;
	size_t n;

	memset(&w, 0, sizeof(w));
	rd_init(&in, data, size);
	make(&w, &in);
	v = targets_find(&w.q, &n);
	FUZZ_CHECK(n >= w.q.also_count);
	for (size_t i = 0; i < n; i++)
		check(&w, v, n, i);
	free(v);
	return 0;
}
