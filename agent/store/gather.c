/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is not urgent: sweeping, and the serial that a primary was seen to have.  That one comes
 * between the mark of a zone and its commit; it waits for the order in which the check ends, and
 * shares its transaction.
 */
#include "store/store_p.h"

/* How long it may be held back. */
#define GATHER_US (20 * ZR_US_PER_MS)
#define GATHER_SWEEP_US (100 * ZR_US_PER_MS)
#define GATHER_MAX 512 /* so many go at once */

bool
gather_may(const struct store_order *o)
{
	return o->op == STORE_SWEEP ||
	       (o->op == STORE_PEER_SEEN && o->reply == NULL && o->peer.event == PEER_PRIMARY_SOA);
}

void
gather_put(struct store *s, struct mail *m)
{
	bool sweep = order_of(m)->op == STORE_SWEEP;
	int64_t at = clock_now().mono.us + (sweep ? GATHER_SWEEP_US : GATHER_US);

	if (s->gathered.head == NULL || at < s->gathered_at.us)
		s->gathered_at.us = at;
	lane_put(&s->gathered, m);
	s->gathered_count++;
}

bool
gather_due(const struct store *s)
{
	return s->gathered.head != NULL && (s->quitting || s->gathered_count >= GATHER_MAX ||
					       s->gathered_at.us <= clock_now().mono.us);
}

int
gather_wait_ms(const struct store *s, int ms)
{
	int64_t left = s->gathered_at.us - clock_now().mono.us;

	if (s->gathered.head == NULL || left >= ms * ZR_US_PER_MS)
		return ms;
	return left <= 0 ? 0 : (int)(left / ZR_US_PER_MS) + 1;
}

/* Sweeping waits for itself only; SYNC is behind all else that was posted. */
static bool
goes_before(const struct store_order *g, const struct store_order *o)
{
	return g->op != STORE_SWEEP && (o->op == STORE_SYNC || g->zone_id == o->zone_id);
}

void
gather_hurry(struct store *s, const struct store_order *o)
{
	struct mail **at = &s->gathered.head;

	if (o->op != STORE_COMMIT && o->op != STORE_TIMERS && o->op != STORE_SYNC)
		return;
	while (*at != NULL) {
		if (!goes_before(order_of(*at), o)) {
			at = &(*at)->next;
			continue;
		}
		lane_put(&s->control, lane_take(&s->gathered, at));
		s->gathered_count--;
	}
}
