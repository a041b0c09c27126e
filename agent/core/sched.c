/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/sched.h"

#include <assert.h>

#include "base/mem.h"

const char *const sched_lane_names[] = {
    "operator", "forced", "notify", "refresh", "start", "recheck"};
_Static_assert(sizeof(sched_lane_names) / sizeof(sched_lane_names[0]) == LANE_COUNT, "names");

const char *const sched_what_names[] = {"soa", "transfer", "forced"};
_Static_assert(sizeof(sched_what_names) / sizeof(sched_what_names[0]) == SCHED_WHAT_COUNT, "names");

/* Of so many grants of a kind one goes to start-up, and one to rechecks, before any other lane. */
#define TURNS 16
#define TURN_START 15
#define TURN_RECHECK 7

/* ---- rings: the lines of one kind which have work in one lane and are not parked ---- */

static void
ring_add(struct sched *s, struct sched_line *l, unsigned lane)
{
	struct sched_line **head = &s->ring[l->what][lane];

	if (*head == NULL) {
		l->next[lane] = l->prev[lane] = l;
		*head = l;
		return;
	}
	l->next[lane] = *head;
	l->prev[lane] = (*head)->prev[lane];
	l->prev[lane]->next[lane] = l;
	(*head)->prev[lane] = l;
}

static void
ring_del(struct sched *s, struct sched_line *l, unsigned lane)
{
	struct sched_line **head = &s->ring[l->what][lane];

	if (l->next[lane] == l) {
		*head = NULL;
	} else {
		l->prev[lane]->next[lane] = l->next[lane];
		l->next[lane]->prev[lane] = l->prev[lane];
		if (*head == l)
			*head = l->next[lane];
	}
	l->next[lane] = l->prev[lane] = NULL;
}

static void
park(struct sched *s, struct sched_line *l)
{
	l->parked = true;
	for (unsigned lane = 0; lane < LANE_COUNT; lane++)
		if (l->head[lane] != NULL)
			ring_del(s, l, lane);
}

static void
unpark(struct sched *s, struct sched_line *l)
{
	if (!l->parked)
		return;
	l->parked = false;
	heap_del(&s->wait[l->what], &l->wait);
	for (unsigned lane = 0; lane < LANE_COUNT; lane++)
		if (l->head[lane] != NULL)
			ring_add(s, l, lane);
}

/* ---- the list of a line ---- */

static void
list_append(struct sched *s, struct sched_line *l, struct sched_node *n)
{
	n->prev = l->tail[n->lane];
	n->next = NULL;
	if (n->prev != NULL) {
		n->prev->next = n;
	} else {
		l->head[n->lane] = n;
		if (!l->parked)
			ring_add(s, l, n->lane);
	}
	l->tail[n->lane] = n;
	l->queued++;
	s->queued[l->what]++;
}

static void
list_prepend(struct sched *s, struct sched_line *l, struct sched_node *n)
{
	n->prev = NULL;
	n->next = l->head[n->lane];
	if (n->next != NULL) {
		n->next->prev = n;
	} else {
		l->tail[n->lane] = n;
		if (!l->parked)
			ring_add(s, l, n->lane);
	}
	l->head[n->lane] = n;
	l->queued++;
	s->queued[l->what]++;
}

static void
list_remove(struct sched *s, struct sched_line *l, struct sched_node *n)
{
	if (n->prev != NULL)
		n->prev->next = n->next;
	else
		l->head[n->lane] = n->next;
	if (n->next != NULL)
		n->next->prev = n->prev;
	else
		l->tail[n->lane] = n->prev;
	n->next = n->prev = NULL;
	if (l->head[n->lane] == NULL && !l->parked)
		ring_del(s, l, n->lane);
	l->queued--;
	s->queued[l->what]--;
}

/* ---- life ---- */

void
sched_init(struct sched *s, const struct sched_limits limits[SCHED_WHAT_COUNT])
{
	*s = (struct sched){0};
	for (unsigned w = 0; w < SCHED_WHAT_COUNT; w++)
		heap_init(&s->wait[w]);
	sched_set_limits(s, limits);
}

void
sched_clear(struct sched *s)
{
	for (unsigned w = 0; w < SCHED_WHAT_COUNT; w++)
		heap_clear(&s->wait[w]);
}

void
sched_set_limits(struct sched *s, const struct sched_limits limits[SCHED_WHAT_COUNT])
{
	for (unsigned w = 0; w < SCHED_WHAT_COUNT; w++)
		s->limits[w] = limits[w];
}

void
sched_peer_init(struct sched_peer *p, const struct sched_limits limits[SCHED_WHAT_COUNT])
{
	*p = (struct sched_peer){0};
	for (unsigned w = 0; w < SCHED_WHAT_COUNT; w++) {
		p->line[w].peer = p;
		p->line[w].what = (uint8_t)w;
		p->line[w].limits = limits[w];
	}
}

void
sched_peer_set_limits(
    struct sched *s, struct sched_peer *p, const struct sched_limits limits[SCHED_WHAT_COUNT])
{
	for (unsigned w = 0; w < SCHED_WHAT_COUNT; w++) {
		p->line[w].limits = limits[w];
		unpark(s, &p->line[w]);
	}
}

bool
sched_peer_unused(const struct sched_peer *p)
{
	for (unsigned w = 0; w < SCHED_WHAT_COUNT; w++)
		if (p->line[w].queued > 0 || p->line[w].running > 0)
			return false;
	return true;
}

void
sched_peer_clear(struct sched *s, struct sched_peer *p)
{
	assert(sched_peer_unused(p));
	for (unsigned w = 0; w < SCHED_WHAT_COUNT; w++)
		unpark(s, &p->line[w]);
}

/* ---- in and out ---- */

static void
queue_up(struct sched_node *n, struct sched_peer *p, enum sched_what what, enum sched_lane lane)
{
	assert(n->state == SCHED_OUT);
	n->peer = p;
	n->what = (uint8_t)what;
	n->lane = (uint8_t)lane;
	n->state = SCHED_QUEUED;
}

void
sched_enqueue(struct sched *s, struct sched_node *n, struct sched_peer *p, enum sched_what what,
    enum sched_lane lane)
{
	queue_up(n, p, what, lane);
	list_append(s, &p->line[what], n);
}

void
sched_enqueue_first(struct sched *s, struct sched_node *n, struct sched_peer *p,
    enum sched_what what, enum sched_lane lane)
{
	queue_up(n, p, what, lane);
	list_prepend(s, &p->line[what], n);
}

void
sched_dequeue(struct sched *s, struct sched_node *n)
{
	if (n->state != SCHED_QUEUED)
		return;
	list_remove(s, &n->peer->line[n->what], n);
	n->state = SCHED_OUT;
	n->peer = NULL;
}

static void
count_running(struct sched *s, struct sched_peer *p, unsigned what, int by)
{
	s->running[what] += (uint32_t)by;
	p->line[what].running += (uint32_t)by;
	if (what == SCHED_FORCED)
		count_running(s, p, SCHED_TRANSFER, by);
}

void
sched_release(struct sched *s, struct sched_node *n)
{
	if (n->state != SCHED_GRANTED)
		return;
	struct sched_peer *p = n->peer;
	count_running(s, p, n->what, -1);
	n->state = SCHED_OUT;
	n->peer = NULL;
	/* Those that wait for a token have their own time. */
	for (unsigned w = 0; w < SCHED_WHAT_COUNT; w++)
		if (!heap_in(&p->line[w].wait))
			unpark(s, &p->line[w]);
}

void
sched_return(struct sched *s, struct sched_node *n)
{
	if (n->state != SCHED_GRANTED)
		return;
	struct sched_line *l = &n->peer->line[n->what];
	bucket_return(&l->bucket, &l->limits.rate);
	bucket_return(&s->bucket[n->what], &s->limits[n->what].rate);
	sched_release(s, n);
}

/* ---- taking ---- */

static bool
slot_free(uint32_t running, uint32_t slots)
{
	return slots == 0 || running < slots;
}

static bool
has_slot(const struct sched *s, unsigned what)
{
	if (!slot_free(s->running[what], s->limits[what].slots))
		return false;
	return what != SCHED_FORCED || has_slot(s, SCHED_TRANSFER);
}

static bool
peer_has_slot(const struct sched_peer *p, unsigned what)
{
	const struct sched_line *l = &p->line[what];

	if (!slot_free(l->running, l->limits.slots))
		return false;
	return what != SCHED_FORCED || peer_has_slot(p, SCHED_TRANSFER);
}

static void
sooner(struct zr_mono *again, int64_t at)
{
	if (again->us == 0 || at < again->us)
		again->us = at;
}

/* May anything of this kind start now? */
static bool
kind_open(struct sched *s, unsigned what, int64_t now, struct zr_mono *again)
{
	if (!has_slot(s, what))
		return false;
	int64_t ready = bucket_ready_us(&s->bucket[what], &s->limits[what].rate, now);
	if (ready <= now)
		return true;
	sooner(again, ready);
	return false;
}

/* Puts a line aside that cannot have a grant now; true when it can. */
static bool
line_open(struct sched *s, struct sched_line *l, int64_t now)
{
	if (!peer_has_slot(l->peer, l->what)) {
		park(s, l);
		return false;
	}
	int64_t ready = bucket_ready_us(&l->bucket, &l->limits.rate, now);
	if (ready > now) {
		park(s, l);
		heap_set(&s->wait[l->what], &l->wait, ready);
		return false;
	}
	return true;
}

/* Forced transfers use the slots of the others, so they share their turns. */
static unsigned
turns_of(unsigned what)
{
	return what == SCHED_FORCED ? SCHED_TRANSFER : what;
}

static void
grant(struct sched *s, struct sched_line *l, struct sched_node *n, int64_t now)
{
	s->ring[l->what][n->lane] = l->next[n->lane]; /* the next primary's turn */
	list_remove(s, l, n);
	n->state = SCHED_GRANTED;
	count_running(s, l->peer, l->what, 1);
	bucket_take(&l->bucket, &l->limits.rate, now);
	bucket_take(&s->bucket[l->what], &s->limits[l->what].rate, now);
	s->turn[turns_of(l->what)]++;
}

static enum sched_verdict
take_from(struct sched *s, unsigned what, unsigned lane, int64_t now, struct sched_node **node,
    struct zr_mono *again)
{
	struct sched_line *l;

	while ((l = s->ring[what][lane]) != NULL) {
		if (l->peer->hold_us > now) {
			*node = l->head[lane];
			sched_dequeue(s, *node);
			return SCHED_DENY;
		}
		if (!kind_open(s, what, now, again))
			return SCHED_NOTHING;
		if (!line_open(s, l, now))
			continue;
		*node = l->head[lane];
		grant(s, l, *node, now);
		return SCHED_GRANT;
	}
	return SCHED_NOTHING;
}

static void
wake_waiting(struct sched *s, int64_t now)
{
	for (unsigned w = 0; w < SCHED_WHAT_COUNT; w++) {
		struct heap_node *h;
		while ((h = heap_pop_due(&s->wait[w], now)) != NULL)
			unpark(s, ZR_CONTAINER(h, struct sched_line, wait));
	}
}

/* The lanes in the order of this turn. */
static unsigned
lane_at(uint64_t turn, unsigned i)
{
	switch (turn % TURNS) {
	case TURN_START:
		return i <= LANE_START ? LANE_START - i : i;
	case TURN_RECHECK:
		return i == 0 ? LANE_RECHECK : i - 1;
	default:
		return i;
	}
}

enum sched_verdict
sched_take(struct sched *s, struct zr_mono now, struct sched_node **node, struct zr_mono *again)
{
	*node = NULL;
	again->us = 0;
	wake_waiting(s, now.us);
	for (unsigned i = 0; i < LANE_COUNT; i++) {
		for (unsigned w = 0; w < SCHED_WHAT_COUNT; w++) {
			unsigned lane = lane_at(s->turn[turns_of(w)], i);
			enum sched_verdict v = take_from(s, w, lane, now.us, node, again);
			if (v != SCHED_NOTHING)
				return v;
		}
	}
	for (unsigned w = 0; w < SCHED_WHAT_COUNT; w++) {
		struct heap_node *h = heap_peek(&s->wait[w]);
		if (h != NULL)
			sooner(again, h->at);
	}
	return SCHED_NOTHING;
}
