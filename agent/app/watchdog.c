/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * WATCHDOG=1 for the service manager (WatchdogSec= of systemd): only when not just this loop but
 * every worker and the store have answered a question since the last one.  So one thread that is
 * stuck is enough for the manager to start the daemon anew.
 */
#include <stdlib.h>

#include "app/agent_p.h"
#include "app/ready.h"
#include "base/mem.h"

/* Rounds in the time of the manager: one may be lost to a slow disk. */
#define ROUNDS 4
#define TICK_MIN_US (10 * ZR_US_PER_MS)

struct watchdog {
	struct event *tick;
	unsigned unanswered;
};

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct agent *a = arg;

	(void)fd;
	(void)what;
	if (a->stopping || a->watchdog->unanswered > 0)
		return;
	ready_tell("WATCHDOG=1");
	a->watchdog->unanswered = a->worker_count + 1;
	for (unsigned i = 0; i < a->worker_count; i++)
		worker_post(a->workers[i], mail_new(MAIL_PING, sizeof(struct mail)));
	agent_store(a, store_order_new(STORE_PING, 0), true);
}

int
watchdog_open(struct agent *a, struct zr_err *e)
{
	int64_t us = ready_watchdog_us() / ROUNDS;
	struct timeval every;

	if (us == 0)
		return 0;
	if (us < TICK_MIN_US)
		us = TICK_MIN_US;
	every = (struct timeval){us / ZR_US_PER_S, us % ZR_US_PER_S};
	a->watchdog = zr_xcalloc(1, sizeof(*a->watchdog));
	a->watchdog->tick = event_new(a->base, -1, EV_PERSIST, on_tick, a);
	if (a->watchdog->tick == NULL || event_add(a->watchdog->tick, &every) != 0)
		return zr_fail(e, ZR_IO, "the watchdog has no timer");
	return 0;
}

void
watchdog_answered(struct agent *a)
{
	a->watchdog->unanswered--;
}

void
watchdog_close(struct agent *a)
{
	if (a->watchdog == NULL)
		return;
	if (a->watchdog->tick != NULL)
		event_free(a->watchdog->tick);
	free(a->watchdog);
	a->watchdog = NULL;
}
