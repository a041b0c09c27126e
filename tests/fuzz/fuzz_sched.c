/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Input: what zones and primaries do to the scheduler.  Limits hold for every grant; when nothing
 * is granted, each zone that waits has a reason to, and the time at which to look again is not too
 * late for it.  In the end every limit is lifted, and all who wait have their turn.
 */
#include "fuzz.h"

#include "choose.h"
#include "core/sched.h"

#include <string.h>

#define PEERS 4
#define NODES 24
#define OPS_MAX 3000
#define S ZR_US_PER_S

struct world {
	struct sched s;
	struct sched_peer peer[PEERS];
	struct sched_node node[NODES];
	struct zr_mono now;
	unsigned queued[SCHED_WHAT_COUNT], running[SCHED_WHAT_COUNT];
};

static const struct sched_limits unlimited[SCHED_WHAT_COUNT];

static void
some_limits(struct rd *in, struct sched_limits out[SCHED_WHAT_COUNT])
{
	static const int64_t intervals[] = {0, 1, S / 1000, S / 10, S, 60 * S};

	for (unsigned w = 0; w < SCHED_WHAT_COUNT; w++) {
		out[w].slots = choose_below(in, 4);
		out[w].rate =
		    bucket_rate_every(intervals[choose_below(in, 6)], 1 + choose_below(in, 3));
	}
}

static bool
full(uint32_t running, uint32_t slots)
{
	return slots != 0 && running >= slots;
}

static bool
no_slot(const struct world *w, const struct sched_peer *p, unsigned what)
{
	return full(w->s.running[what], w->s.limits[what].slots) ||
	       full(p->line[what].running, p->line[what].limits.slots) ||
	       (what == SCHED_FORCED && no_slot(w, p, SCHED_TRANSFER));
}

/* When there are tokens for it. */
static int64_t
ready_us(const struct world *w, const struct sched_peer *p, unsigned what)
{
	const struct sched_line *l = &p->line[what];
	int64_t all = bucket_ready_us(&w->s.bucket[what], &w->s.limits[what].rate, w->now.us);
	int64_t one = bucket_ready_us(&l->bucket, &l->limits.rate, w->now.us);

	return all > one ? all : one;
}

static void
check_counts(const struct world *w)
{
	for (unsigned k = 0; k < SCHED_WHAT_COUNT; k++) {
		unsigned running = 0, queued = 0;

		for (unsigned i = 0; i < PEERS; i++) {
			running += w->peer[i].line[k].running;
			queued += w->peer[i].line[k].queued;
		}
		FUZZ_CHECK(w->s.running[k] == w->running[k] && running == w->running[k]);
		FUZZ_CHECK(w->s.queued[k] == w->queued[k] && queued == w->queued[k]);
	}
}

static void
count_running(struct world *w, unsigned what, int by)
{
	w->running[what] += (unsigned)by;
	if (what == SCHED_FORCED)
		w->running[SCHED_TRANSFER] += (unsigned)by;
}

/* Nobody was granted anything: everybody who waits must have a reason, and a time. */
static void
check_waiting(const struct world *w, struct zr_mono again)
{
	FUZZ_CHECK(again.us == 0 || again.us > w->now.us);
	for (unsigned i = 0; i < NODES; i++) {
		const struct sched_node *n = &w->node[i];
		int64_t ready;

		if (n->state != SCHED_QUEUED || no_slot(w, n->peer, n->what))
			continue;
		ready = ready_us(w, n->peer, n->what);
		FUZZ_CHECK(ready > w->now.us);
		FUZZ_CHECK(again.us != 0 && again.us <= ready);
	}
}

/* False: nothing can be granted now. */
static bool
take(struct world *w)
{
	struct sched before = w->s;
	struct sched_peer peers[PEERS];
	struct sched_node *n;
	struct zr_mono again;
	enum sched_verdict v;

	memcpy(peers, w->peer, sizeof(peers));
	v = sched_take(&w->s, w->now, &n, &again);
	if (v == SCHED_NOTHING) {
		FUZZ_CHECK(n == NULL);
		check_waiting(w, again);
		return false;
	}
	FUZZ_CHECK(n >= w->node && n < w->node + NODES);
	w->queued[n->what]--;
	if (v == SCHED_DENY) {
		FUZZ_CHECK(n->state == SCHED_OUT && n->peer == NULL);
		check_counts(w);
		return true;
	}
	FUZZ_CHECK(v == SCHED_GRANT && n->state == SCHED_GRANTED);
	const struct sched_peer *p = &peers[n->peer - w->peer];
	FUZZ_CHECK(p->hold_us <= w->now.us);
	/* Against what was there before it was granted. */
	for (unsigned k = n->what;; k = SCHED_TRANSFER) {
		FUZZ_CHECK(!full(before.running[k], before.limits[k].slots));
		FUZZ_CHECK(!full(p->line[k].running, p->line[k].limits.slots));
		if (k != SCHED_FORCED)
			break;
	}
	FUZZ_CHECK(bucket_ready_us(&before.bucket[n->what], &before.limits[n->what].rate,
		       w->now.us) <= w->now.us);
	FUZZ_CHECK(bucket_ready_us(&p->line[n->what].bucket, &p->line[n->what].limits.rate,
		       w->now.us) <= w->now.us);
	count_running(w, n->what, 1);
	check_counts(w);
	return true;
}

static void
enqueue(struct world *w, struct rd *in)
{
	struct sched_node *n = &w->node[choose_below(in, NODES)];
	struct sched_peer *p = &w->peer[choose_below(in, PEERS)];
	enum sched_what what = (enum sched_what)choose_below(in, SCHED_WHAT_COUNT);
	enum sched_lane lane = (enum sched_lane)choose_below(in, LANE_COUNT);

	if (n->state != SCHED_OUT)
		return;
	if (choose_rarely(in, 4))
		sched_enqueue_first(&w->s, n, p, what, lane);
	else
		sched_enqueue(&w->s, n, p, what, lane);
	w->queued[what]++;
}

static void
leave(struct world *w, struct sched_node *n, bool granted)
{
	if (granted && n->state == SCHED_GRANTED)
		count_running(w, n->what, -1);
	if (!granted && n->state == SCHED_QUEUED)
		w->queued[n->what]--;
	if (granted)
		sched_release(&w->s, n);
	else
		sched_dequeue(&w->s, n);
}

static void
one(struct world *w, struct rd *in)
{
	static const int64_t steps[] = {0, 1, S / 1000, S / 10, S, 100 * S};
	struct sched_limits limits[SCHED_WHAT_COUNT];
	struct sched_peer *p;

	switch (choose_below(in, 10)) {
	case 0:
	case 1:
	case 2:
		enqueue(w, in);
		break;
	case 3:
		leave(w, &w->node[choose_below(in, NODES)], false);
		break;
	case 4:
		leave(w, &w->node[choose_below(in, NODES)], true);
		break;
	case 5:
		w->now.us += steps[choose_below(in, 6)];
		break;
	case 6:
		some_limits(in, limits);
		sched_set_limits(&w->s, limits);
		break;
	case 7:
		p = &w->peer[choose_below(in, PEERS)];
		some_limits(in, limits);
		sched_peer_set_limits(&w->s, p, limits);
		break;
	case 8:
		w->peer[choose_below(in, PEERS)].hold_us = w->now.us + steps[choose_below(in, 6)];
		break;
	default:
		for (unsigned k = choose_below(in, NODES); take(w) && k > 0; k--)
			;
		break;
	}
	check_counts(w);
}

static void
drain(struct world *w)
{
	sched_set_limits(&w->s, unlimited);
	for (unsigned i = 0; i < PEERS; i++) {
		w->peer[i].hold_us = 0;
		sched_peer_set_limits(&w->s, &w->peer[i], unlimited);
	}
	while (take(w))
		;
	for (unsigned i = 0; i < NODES; i++) {
		FUZZ_CHECK(w->node[i].state != SCHED_QUEUED);
		leave(w, &w->node[i], true);
	}
	check_counts(w);
	for (unsigned i = 0; i < PEERS; i++) {
		FUZZ_CHECK(sched_peer_unused(&w->peer[i]));
		sched_peer_clear(&w->s, &w->peer[i]);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w = {.now = {1000 * S}};
	struct sched_limits limits[SCHED_WHAT_COUNT];
	struct rd in;

	rd_init(&in, data, size);
	some_limits(&in, limits);
	sched_init(&w.s, limits);
	for (unsigned i = 0; i < PEERS; i++) {
		some_limits(&in, limits);
		sched_peer_init(&w.peer[i], limits);
	}
	for (unsigned n = 0; n < OPS_MAX && rd_left(&in) > 0; n++)
		one(&w, &in);
	drain(&w);
	sched_clear(&w.s);
	return 0;
}
