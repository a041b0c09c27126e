/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/ctl.h"

#include "base/clock.h"
#include "base/mem.h"
#include "ctl/ctl_p.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The one that has been silent longest; NULL when all have requests under way. */
static struct session *
idlest(const struct ctl *c)
{
	struct session *best = NULL;

	for (struct session *s = c->head; s != NULL; s = s->next)
		if (session_idle(s) && (best == NULL || s->active_us < best->active_us))
			best = s;
	return best;
}

static void
turn_away(int fd)
{
	static const char text[] = "error limit too many control connections\n";

	(void)send(fd, text, sizeof(text) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fd);
}

/* No descriptor is left: a sleeper gives up its own, or accepting rests a second instead of
 * spinning on a listener that stays readable. */
static void
starved(struct ctl *c)
{
	const struct timeval second = {.tv_sec = 1};
	struct session *s = idlest(c);

	if (s != NULL) {
		session_free(s);
		return;
	}
	event_del(c->accept);
	event_add(c->resume, &second);
}

static void
on_accept(evutil_socket_t lfd, short what, void *arg)
{
	struct ctl *c = arg;
	int fd = accept4(lfd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)what;
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
			starved(c);
		return;
	}
	if (c->count >= c->clients_max) {
		struct session *s = idlest(c);
		if (s == NULL) {
			turn_away(fd);
			return;
		}
		session_free(s);
	}
	session_new(c, fd);
}

static void
on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct ctl *c = arg;

	(void)fd;
	(void)what;
	event_add(c->accept, NULL);
}

int
ctl_open(struct ctl **out, struct event_base *base, const struct ctl_conf *conf, struct zr_err *e)
{
	struct ctl *c = zr_xcalloc(1, sizeof(*c));

	*out = NULL;
	c->base = base;
	c->commands = conf->commands;
	c->command_count = conf->command_count;
	c->arg = conf->arg;
	c->clients_max = conf->clients_max != 0 ? conf->clients_max : CTL_CLIENTS_MAX;
	c->idle_us = conf->idle_us != 0 ? conf->idle_us : CTL_IDLE_S * ZR_US_PER_S;
	c->fd = sockpath_listen(&c->where, conf->path, e);
	if (c->fd < 0) {
		free(c);
		return -1;
	}
	c->accept = event_new(base, c->fd, EV_READ | EV_PERSIST, on_accept, c);
	c->resume = evtimer_new(base, on_resume, c);
	if (c->accept == NULL || c->resume == NULL || event_add(c->accept, NULL) != 0) {
		ctl_close(c);
		return zr_fail(e, ZR_IO, "no event for the control socket");
	}
	*out = c;
	return 0;
}

void
ctl_close(struct ctl *c)
{
	if (c == NULL)
		return;
	while (c->head != NULL)
		session_free(c->head);
	if (c->accept != NULL)
		event_free(c->accept);
	if (c->resume != NULL)
		event_free(c->resume);
	sockpath_remove(&c->where);
	close(c->fd);
	free(c);
}

bool
ctl_busy(const struct ctl *c)
{
	for (const struct session *s = c->head; s != NULL; s = s->next)
		if (session_owed(s) > 0 || session_streams(s))
			return true;
	return false;
}
