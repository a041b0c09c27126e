/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/hookrun.h"

#include <assert.h>

const char *const hookrun_state_names[HOOKRUN_STATE_COUNT] = {
    [HOOKRUN_WAITING] = "waiting",
    [HOOKRUN_QUEUED] = "queued",
    [HOOKRUN_RUNNING] = "running",
    [HOOKRUN_ENDING] = "ending",
    [HOOKRUN_OVER] = "over",
};

const char *const hookrun_event_names[HOOKRUN_EVENT_COUNT] = {
    [HOOKRUN_EV_NEWER] = "newer",
    [HOOKRUN_EV_TIMER] = "timer",
    [HOOKRUN_EV_STARTED] = "started",
    [HOOKRUN_EV_ENDED] = "ended",
    [HOOKRUN_EV_PUT_OFF] = "put_off",
    [HOOKRUN_EV_STRUCK] = "struck",
};

/* An unset time is long past: 0 would mean for ever. */
static void
wait_until(struct hookrun *h, int64_t us, uint32_t tries)
{
	h->state = HOOKRUN_WAITING;
	h->at_us = us > 0 ? us : 1;
	h->tries = tries;
}

void
hookrun_init(struct hookrun *h, struct zr_mono not_before, uint32_t tries)
{
	*h = (struct hookrun){0};
	wait_until(h, not_before.us, tries);
}

static int64_t
pause_us(uint32_t tries)
{
	int64_t us = HOOKRUN_FIRST_US;

	while (--tries > 0 && us < HOOKRUN_CAP_US)
		us *= 2;
	return us < HOOKRUN_CAP_US ? us : HOOKRUN_CAP_US;
}

/* A newer one is news: it does not wait for the pause of the older one's failures. */
static enum hookrun_do
newer(struct hookrun *h, const struct hookrun_arg *arg)
{
	if (hookrun_runs(h)) {
		h->newer = true;
		h->newer_us = arg->not_before.us;
		h->newer_tries = arg->tries;
		h->struck = false;
	} else if (h->state == HOOKRUN_QUEUED) {
		h->tries = arg->tries; /* keeps its place */
	} else {
		wait_until(h, arg->not_before.us, arg->tries);
	}
	return HOOKRUN_NOTHING;
}

static enum hookrun_do
timer(struct hookrun *h, struct zr_mono now)
{
	if (h->at_us == 0 || h->at_us > now.us)
		return HOOKRUN_NOTHING;
	switch ((enum hookrun_state)h->state) {
	case HOOKRUN_WAITING:
		h->state = HOOKRUN_QUEUED;
		h->at_us = 0;
		return HOOKRUN_QUEUE;
	case HOOKRUN_RUNNING:
		h->state = HOOKRUN_ENDING;
		h->at_us = now.us + HOOKRUN_KILL_US;
		return HOOKRUN_TERM;
	case HOOKRUN_ENDING: /* nothing can refuse it, but an order may be lost */
		h->at_us = now.us + HOOKRUN_KILL_US;
		return HOOKRUN_KILL;
	default:
		return HOOKRUN_NOTHING;
	}
}

static enum hookrun_do
started(struct hookrun *h, const struct hookrun_arg *arg, struct zr_mono now)
{
	if (h->state != HOOKRUN_QUEUED)
		return HOOKRUN_NOTHING;
	h->state = HOOKRUN_RUNNING;
	h->at_us = now.us + arg->timeout_us;
	return HOOKRUN_NOTHING;
}

static enum hookrun_do
judge(const struct hookrun *h, const struct hookrun_arg *arg)
{
	if (arg->end == HOOKRUN_END_OK)
		return HOOKRUN_DONE;
	if (arg->end == HOOKRUN_END_NEVER)
		return HOOKRUN_FAILED;
	if (h->newer)
		return HOOKRUN_RETRY;
	return h->struck || h->tries >= arg->max_tries ? HOOKRUN_FAILED : HOOKRUN_RETRY;
}

static enum hookrun_do
ended(struct hookrun *h, const struct hookrun_arg *arg, struct zr_mono now)
{
	enum hookrun_do verdict;

	if (h->state != HOOKRUN_QUEUED && !hookrun_runs(h))
		return HOOKRUN_NOTHING;
	h->tries++;
	verdict = judge(h, arg);
	if (h->newer) {
		h->newer = false;
		wait_until(h, h->newer_us > now.us ? h->newer_us : now.us, h->newer_tries);
	} else if (verdict == HOOKRUN_RETRY) {
		wait_until(h, now.us + pause_us(h->tries), h->tries);
	} else {
		h->state = HOOKRUN_OVER;
		h->at_us = 0;
	}
	return verdict;
}

static enum hookrun_do
strike(struct hookrun *h)
{
	if (hookrun_runs(h)) {
		h->struck = true;
		h->newer = false;
		return HOOKRUN_NOTHING;
	}
	if (h->state == HOOKRUN_OVER)
		return HOOKRUN_NOTHING;
	h->state = HOOKRUN_OVER;
	h->at_us = 0;
	return HOOKRUN_STOP;
}

enum hookrun_do
hookrun_step(
    struct hookrun *h, enum hookrun_event ev, const struct hookrun_arg *arg, struct zr_mono now)
{
	switch (ev) {
	case HOOKRUN_EV_NEWER:
		return newer(h, arg);
	case HOOKRUN_EV_TIMER:
		return timer(h, now);
	case HOOKRUN_EV_STARTED:
		return started(h, arg, now);
	case HOOKRUN_EV_ENDED:
		return ended(h, arg, now);
	case HOOKRUN_EV_PUT_OFF:
		if (h->state == HOOKRUN_QUEUED)
			wait_until(h, now.us + HOOKRUN_BUSY_US, h->tries);
		return HOOKRUN_NOTHING;
	case HOOKRUN_EV_STRUCK:
		return strike(h);
	case HOOKRUN_EVENT_COUNT:
		break;
	}
	return HOOKRUN_NOTHING;
}

/* ---- turns ---- */

/* Behind the others: its turn comes when all of them had theirs. */
static void
ring_add(struct hookq *q, struct hookq_line *l)
{
	if (q->ring == NULL) {
		l->next = l->prev = l;
		q->ring = l;
		return;
	}
	l->next = q->ring;
	l->prev = q->ring->prev;
	l->prev->next = l;
	l->next->prev = l;
}

static void
ring_del(struct hookq *q, struct hookq_line *l)
{
	if (q->ring == l)
		q->ring = l->next == l ? NULL : l->next;
	l->prev->next = l->next;
	l->next->prev = l->prev;
	l->next = l->prev = NULL;
}

void
hookq_add(struct hookq *q, struct hookq_line *l, struct hookq_node *n)
{
	assert(n->line == NULL);
	n->line = l;
	n->next = NULL;
	n->prev = l->tail;
	if (l->tail != NULL)
		l->tail->next = n;
	else
		l->head = n;
	l->tail = n;
	q->queued++;
	if (l->next == NULL)
		ring_add(q, l);
}

void
hookq_del(struct hookq *q, struct hookq_node *n)
{
	struct hookq_line *l = n->line;

	if (l == NULL)
		return;
	if (n->prev != NULL)
		n->prev->next = n->next;
	else
		l->head = n->next;
	if (n->next != NULL)
		n->next->prev = n->prev;
	else
		l->tail = n->prev;
	*n = (struct hookq_node){0};
	q->queued--;
	if (l->head == NULL)
		ring_del(q, l);
}

static bool
may_start(const struct hookq *q, const struct hookq_line *l, uint32_t max, bool shared)
{
	if (q->running >= max)
		return false;
	return !shared || l->running == 0 || l->running + 1 <= max - q->running - 1;
}

struct hookq_node *
hookq_take(struct hookq *q, uint32_t max, bool shared, struct hookq_line **line)
{
	struct hookq_line *first = q->ring, *l = first;
	struct hookq_node *n;

	if (l == NULL)
		return NULL;
	while (!may_start(q, l, max, shared)) {
		l = l->next;
		if (l == first)
			return NULL;
	}
	n = l->head;
	q->ring = l->next;
	hookq_del(q, n);
	l->running++;
	q->running++;
	*line = l;
	return n;
}

void
hookq_done(struct hookq *q, struct hookq_line *l)
{
	assert(l->running > 0 && q->running > 0);
	l->running--;
	q->running--;
}
