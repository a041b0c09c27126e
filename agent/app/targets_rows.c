/* SPDX-License-Identifier: BSD-2-Clause */
/* What was found out about a zone's targets, as those rows of the outbox that are not there yet. */
#include <stdlib.h>
#include <string.h>

#include "app/targets_p.h"
#include "base/mem.h"

/*
 * Hosts that have no rows yet, by their places among the NS records, which are the same as long as
 * the row is; with MISSING_VALID.  0: not known, or too many hosts.
 */
#define MISSING_HOSTS 31
#define MISSING_VALID 0x80000000u

bool
targets_among(const struct zr_addr *v, size_t n, const struct zr_addr *a)
{
	for (size_t i = 0; i < n; i++)
		if (addr_equal(&v[i], a))
			return true;
	return false;
}

uint32_t
targets_missing(const struct survey *s)
{
	uint32_t bits = MISSING_VALID;

	if (s->host_count > MISSING_HOSTS)
		return 0;
	for (size_t i = 0; i < s->host_count; i++)
		if (s->hosts[i].asking || s->hosts[i].again)
			bits |= UINT32_C(1) << i;
	return bits;
}

/* Has it got its row before a restart? */
static bool
written(const struct targets_run *run, const struct survey *s, const struct target *t)
{
	if (run->row.tries == 0)
		return false;
	for (size_t i = 0; i < s->host_count && i < MISSING_HOSTS; i++)
		if (t->host == s->hosts[i].name)
			return (run->row.tries & UINT32_C(1) << i) == 0;
	return false;
}

/* Addresses of also-notify have got their rows with the commit, whatever else they are. */
static bool
wanted(const struct zone_targets *zt, const struct survey *s, const struct target *t)
{
	const struct config_addrs *also = &entry_config(zt->entry)->also_notify;

	return t->why == TARGETS_IN && !targets_among(also->v, also->n, &t->addr) &&
	       !targets_among(zt->run->posted, zt->run->posted_count, &t->addr) &&
	       !written(zt->run, s, t);
}

struct store_notify *
targets_rows(struct zone_targets *zt, const struct survey *s, size_t *count)
{
	const struct config_policy *p = entry_config(zt->entry);
	struct targets_run *run = zt->run;
	struct store_notify *v = zr_xcalloc(s->count + 1, sizeof(*v)), *r;
	size_t n = 0;

	run->posted =
	    zr_xrealloc(run->posted, (run->posted_count + s->count + 1) * sizeof(*run->posted));
	for (size_t i = 0; i < s->count; i++) {
		const struct target *t = &s->v[i];

		if (!wanted(zt, s, t))
			continue;
		r = &v[n++];
		*r = run->row;
		r->id = 0;
		r->tries = 0;
		r->target = t->addr;
		snprintf(r->downstream, sizeof(r->downstream), "%s",
		    t->downstream == TARGETS_NOBODY ? "ns" : p->downstreams[t->downstream]->name);
		run->posted[run->posted_count++] = t->addr;
	}
	*count = n;
	return v;
}
