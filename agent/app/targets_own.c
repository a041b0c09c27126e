/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Addresses at which a NOTIFY would come back to ourselves (PL-04).  The kernel is not asked for
 * each of them: 100,000 zones have as many targets to be judged at once.
 */
#include <ifaddrs.h>
#include <stdlib.h>

#include "app/targets_p.h"
#include "base/mem.h"

#define SEEN_US (30 * ZR_US_PER_S)

void
targets_see_interfaces(struct targets *t)
{
	struct ifaddrs *all, *i;
	size_t n = 0;

	if (t->interfaces_at.us != 0 && t->agent->now.mono.us - t->interfaces_at.us < SEEN_US)
		return;
	t->interfaces_at = t->agent->now.mono;
	if (getifaddrs(&all) != 0) /* those of before */
		return;
	for (i = all; i != NULL; i = i->ifa_next)
		n++;
	free(t->interfaces);
	t->interfaces = zr_xcalloc(n + 1, sizeof(*t->interfaces));
	t->interface_count = 0;
	for (i = all; i != NULL; i = i->ifa_next)
		if (i->ifa_addr != NULL &&
		    addr_from_sockaddr(i->ifa_addr, &t->interfaces[t->interface_count]))
			t->interface_count++;
	freeifaddrs(all);
}

static bool
on_interface(const struct targets *t, const struct zr_addr *addr)
{
	for (size_t i = 0; i < t->interface_count; i++)
		if (addr_ip_equal(&t->interfaces[i], addr))
			return true;
	return false;
}

/* Somebody else may listen on one of our addresses at another port. */
bool
targets_is_own(void *targets, const struct zr_addr *addr)
{
	const struct targets *t = targets;
	const struct config_server *s = &t->agent->cfg->server;

	for (size_t i = 0; i < s->self_address.n; i++)
		if (addr_equal(&s->self_address.v[i], addr))
			return true;
	for (size_t i = 0; i < s->listen.n + s->tls.listen.n; i++) {
		const struct zr_addr *l =
		    i < s->listen.n ? &s->listen.v[i] : &s->tls.listen.v[i - s->listen.n];

		if (l->family != addr->family || l->port != addr->port)
			continue;
		if (addr_ip_equal(l, addr) || (addr_is_any(l) && on_interface(t, addr)))
			return true;
	}
	return false;
}

bool
agent_own_address(const struct agent *a, const struct zr_addr *addr)
{
	targets_see_interfaces(a->targets);
	return targets_is_own(a->targets, addr);
}
