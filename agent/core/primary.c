/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/primary.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

void
primary_init(struct primary *p, uint32_t id, const struct zr_addr *addrs, size_t n, bool ixfr,
    bool edns, const struct sched_limits limits[SCHED_WHAT_COUNT])
{
	assert(n <= UINT16_MAX);
	*p = (struct primary){.id = id, .ixfr = ixfr, .edns = edns};
	p->address_count = (uint16_t)n;
	p->address = zr_xcalloc(n > 0 ? n : 1, sizeof(*p->address));
	for (size_t i = 0; i < n; i++)
		p->address[i].addr = addrs[i];
	sched_peer_init(&p->peer, limits);
}

void
primary_clear(struct primary *p)
{
	free(p->address);
	p->address = NULL;
	p->address_count = 0;
}

int
primary_pick(const struct primary *p, unsigned from, struct zr_mono now)
{
	for (unsigned i = from; i < p->address_count; i++)
		if (p->address[i].hold_us <= now.us)
			return (int)i;
	return -1;
}

struct zr_mono
primary_ready_at(const struct primary *p)
{
	return (struct zr_mono){p->peer.hold_us};
}

/* The primary as a whole is held only while all its addresses are. */
static void
update_hold(struct primary *p)
{
	int64_t first = p->address_count > 0 ? p->address[0].hold_us : 0;

	for (unsigned i = 1; i < p->address_count; i++)
		if (p->address[i].hold_us < first)
			first = p->address[i].hold_us;
	p->peer.hold_us = first;
}

static bool
is_silence(enum zr_code code)
{
	return code == ZR_TIMEOUT || code == ZR_IO || code == ZR_CLOSED || code == ZR_TLS;
}

bool
primary_failed(struct primary *p, unsigned address, enum zr_code code, struct zr_mono now)
{
	if (address >= p->address_count)
		return false;
	struct primary_address *a = &p->address[address];
	if (!is_silence(code)) {
		primary_ok(p, address, now);
		return false;
	}
	a->alive = false;
	if (a->hold_us > now.us)
		return false; /* sent before the hold began: the same failure seen again */
	int64_t hold = PRIMARY_HOLD_FIRST_US << a->failures;
	if (hold >= PRIMARY_HOLD_MAX_US)
		hold = PRIMARY_HOLD_MAX_US;
	else
		a->failures++;
	a->hold_us = now.us + hold;
	update_hold(p);
	return true;
}

void
primary_ok(struct primary *p, unsigned address, struct zr_mono now)
{
	(void)now;
	if (address >= p->address_count)
		return;
	p->address[address].hold_us = 0;
	p->address[address].failures = 0;
	p->address[address].alive = true;
	update_hold(p);
}

/*
 * The exponent stays: when the query that follows gets no answer either, the next hold is longer
 * than the last, so forged NOTIFYs in the name of a dead primary gain little.
 */
void
primary_notified(struct primary *p, int address)
{
	for (unsigned i = 0; i < p->address_count; i++)
		if (address < 0 || (unsigned)address == i)
			p->address[i].hold_us = 0;
	update_hold(p);
}

int
primary_find(const struct primary *p, const struct zr_addr *a)
{
	for (unsigned i = 0; i < p->address_count; i++)
		if (addr_ip_equal(&p->address[i].addr, a))
			return (int)i;
	return -1;
}

bool
primary_use_edns(const struct primary *p, unsigned address, struct zr_mono now)
{
	return p->edns && address < p->address_count && p->address[address].plain_us <= now.us;
}

void
primary_edns_failed(struct primary *p, unsigned address, struct zr_mono now)
{
	if (address < p->address_count)
		p->address[address].plain_us = now.us + PRIMARY_PLAIN_US;
}

bool
primary_use_ixfr(const struct primary *p, struct zr_mono now)
{
	return p->ixfr && p->ixfr_off_us <= now.us;
}

void
primary_ixfr_failed(struct primary *p, bool at_once, struct zr_mono now)
{
	if (!at_once && ++p->ixfr_bad < PRIMARY_IXFR_BAD_MAX)
		return;
	p->ixfr_bad = 0;
	p->ixfr_off_us = now.us + PRIMARY_IXFR_OFF_US;
}

void
primary_ixfr_ok(struct primary *p)
{
	p->ixfr_bad = 0;
	p->ixfr_off_us = 0;
}
