/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/acl.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/*
 * The entries are sorted by family and length of the prefix, longest first, then by address.  The
 * entries of one family and length are a level; within a level the ones that match an address
 * are neighbours.
 */
struct level {
	uint8_t family, bits;
	uint32_t from, to;
};

struct acl {
	struct acl_entry *entry;
	size_t count;
	struct level *level;
	unsigned levels;
};

static void
mask_ip(struct zr_addr *a, unsigned bits)
{
	unsigned size = a->family == 4 ? 4 : 16;

	for (unsigned i = 0; i < sizeof(a->ip); i++) {
		unsigned keep = bits > 8 * i ? bits - 8 * i : 0;
		if (i >= size)
			a->ip[i] = 0;
		else if (keep < 8)
			a->ip[i] &= (uint8_t)(0xff00u >> keep);
	}
}

static int
compare(const void *va, const void *vb)
{
	const struct acl_entry *a = va, *b = vb;

	if (a->prefix.addr.family != b->prefix.addr.family)
		return a->prefix.addr.family < b->prefix.addr.family ? -1 : 1;
	if (a->prefix.bits != b->prefix.bits)
		return a->prefix.bits > b->prefix.bits ? -1 : 1;
	int c = memcmp(a->prefix.addr.ip, b->prefix.addr.ip, sizeof(a->prefix.addr.ip));
	if (c != 0)
		return c;
	return a->id < b->id ? -1 : a->id > b->id;
}

static void
make_levels(struct acl *a)
{
	for (uint32_t i = 0; i < a->count; i++) {
		const struct zr_prefix *p = &a->entry[i].prefix;
		struct level *l = a->levels > 0 ? &a->level[a->levels - 1] : NULL;
		if (l == NULL || l->family != p->addr.family || l->bits != p->bits) {
			a->level = zr_xrealloc(a->level, (a->levels + 1) * sizeof(*a->level));
			l = &a->level[a->levels++];
			*l = (struct level){p->addr.family, p->bits, i, i};
		}
		l->to = i + 1;
	}
}

struct acl *
acl_new(const struct acl_entry *v, size_t n)
{
	struct acl *a = zr_xcalloc(1, sizeof(*a));

	if (n == 0)
		return a;
	a->entry = zr_xcalloc(n, sizeof(*a->entry));
	a->count = n;
	for (size_t i = 0; i < n; i++) {
		a->entry[i] = v[i];
		mask_ip(&a->entry[i].prefix.addr, v[i].prefix.bits);
	}
	qsort(a->entry, n, sizeof(*a->entry), compare);
	make_levels(a);
	return a;
}

void
acl_free(struct acl *a)
{
	if (a == NULL)
		return;
	free(a->entry);
	free(a->level);
	free(a);
}

struct zr_prefix
acl_host(const struct zr_addr *a)
{
	struct zr_prefix p = {.addr = *a, .bits = a->family == 4 ? 32 : 128};
	p.addr.port = 0;
	return p;
}

void
acl_start(const struct acl *a, const struct zr_addr *addr, struct acl_iter *it)
{
	(void)a;
	*it = (struct acl_iter){.addr = *addr};
}

/* First entry of the level whose address is not below ip (strict: above ip). */
static uint32_t
bound(const struct acl *a, const struct level *l, const uint8_t *ip, bool strict)
{
	uint32_t lo = l->from, hi = l->to;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		int c = memcmp(a->entry[mid].prefix.addr.ip, ip, sizeof(((struct zr_addr *)0)->ip));
		if (c < 0 || (strict && c == 0))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void
enter_level(const struct acl *a, const struct level *l, struct acl_iter *it)
{
	struct zr_addr m = it->addr;

	it->pos = it->end = 0;
	if (l->family != m.family)
		return;
	mask_ip(&m, l->bits);
	it->pos = bound(a, l, m.ip, false);
	it->end = bound(a, l, m.ip, true);
}

bool
acl_next(const struct acl *a, struct acl_iter *it, uint32_t *id)
{
	for (;;) {
		while (it->pos < it->end) {
			const struct acl_entry *e = &a->entry[it->pos++];
			/* Once more, for the scope of link-local addresses. */
			if (prefix_match(&e->prefix, &it->addr)) {
				*id = e->id;
				return true;
			}
		}
		if (it->level >= a->levels)
			return false;
		enter_level(a, &a->level[it->level++], it);
	}
}

bool
acl_known(const struct acl *a, const struct zr_addr *addr)
{
	struct acl_iter it;
	uint32_t id;

	acl_start(a, addr, &it);
	return acl_next(a, &it, &id);
}

bool
acl_has(const struct acl *a, const struct zr_addr *addr, uint32_t id)
{
	struct acl_iter it;
	uint32_t got;

	acl_start(a, addr, &it);
	while (acl_next(a, &it, &got))
		if (got == id)
			return true;
	return false;
}
