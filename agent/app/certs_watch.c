/* SPDX-License-Identifier: BSD-2-Clause */
#include "app/agent_p.h"

static void
on_day(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	agent_touch(arg);
	certs_watch(arg);
}

void
certs_watch(struct agent *a)
{
	static const struct timeval day = {.tv_sec = CERTS_EVERY_US / ZR_US_PER_S};

	certs_check(a->certs, a->now.wall);
	if (a->certs_event == NULL)
		a->certs_event = event_new(a->base, -1, 0, on_day, a);
	event_add(a->certs_event, &day);
}
