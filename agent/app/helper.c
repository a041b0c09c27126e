/* SPDX-License-Identifier: BSD-2-Clause */
/* The daemon's side of its helper. */
#include "app/helper.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/helper_p.h"
#include "base/mem.h"

/* Orders that wait for the helper: as many as there may be commands, each with two signals. */
#define QUEUE_OCTETS (2 * 1024 * 1024)

struct helper {
	pid_t pid;
	int fd; /* -1: it is gone */
	struct event *readable;
	const struct helper_events *ev;
	void *arg;
};

/* ---- its start ---- */

static void
close_others(int fd)
{
#ifdef SYS_close_range
	if (fd > 3)
		syscall(SYS_close_range, 3U, (unsigned)fd - 1, 0U);
	syscall(SYS_close_range, (unsigned)fd + 1, ~0U, 0U);
#else
	(void)fd; /* all of ours are close-on-exec */
#endif
}

static _Noreturn void
be_helper(int fd, const char *path)
{
	prctl(PR_SET_NAME, "zonerelay-hooks", 0, 0, 0);
	/* It ends when its socket does: a signal to all of the service must not come first. */
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	close_others(fd);
	_exit(helper_main(fd, path));
}

int
helper_fork(struct helper **out, const char *path, struct zr_err *e)
{
	const int room = QUEUE_OCTETS;
	struct helper *h;
	int fds[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0)
		return zr_fail(e, ZR_IO, "socketpair: %s", strerror(errno));
	(void)setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		be_helper(fds[1], path);
	}
	close(fds[1]);
	if (pid < 0) {
		close(fds[0]);
		return zr_fail(e, ZR_IO, "the process for commands: %s", strerror(errno));
	}
	h = zr_xcalloc(1, sizeof(*h));
	h->pid = pid;
	h->fd = fds[0];
	*out = h;
	return 0;
}

int
helper_begin(struct helper *h, const struct config *c, struct zr_err *e)
{
	struct helper_tell t;

	if (helper_give(h->fd, c) != 0)
		return zr_fail(e, ZR_IO, "the process for commands: %s", strerror(errno));
	if (!helper_receive(h->fd, &t, sizeof(t)))
		return zr_fail(e, ZR_IO, "the process for commands has ended at once");
	t.text[sizeof(t.text) - 1] = '\0';
	return t.news == HELPER_READY ? 0
				      : zr_fail(e, ZR_CONF, "the process for commands: %s", t.text);
}

/* ---- its news ---- */

static void
lost(struct helper *h)
{
	helper_detach(h);
	close(h->fd);
	h->fd = -1;
}

static void
take(struct helper *h, struct helper_tell *t)
{
	t->text[sizeof(t->text) - 1] = '\0';
	switch (t->news) {
	case HELPER_STARTED:
		h->ev->started(h->arg, t->id, t->pid);
		break;
	case HELPER_ENDED:
		h->ev->ended(h->arg, t->id, true, t->status, t->text);
		break;
	case HELPER_FAILED:
		h->ev->ended(h->arg, t->id, false, -1, t->text);
		break;
	case HELPER_STALE:
		h->ev->stale(h->arg, t->text);
		break;
	default:
		break;
	}
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct helper *h = arg;
	struct helper_tell t;
	ssize_t n = recv(fd, &t, sizeof(t), MSG_DONTWAIT);

	(void)what;
	if (n == (ssize_t)sizeof(t)) {
		take(h, &t);
	} else if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		lost(h);
		h->ev->gone(h->arg);
	}
}

int
helper_attach(struct helper *h, struct event_base *base, const struct helper_events *ev, void *arg,
    struct zr_err *e)
{
	h->ev = ev;
	h->arg = arg;
	h->readable = event_new(base, h->fd, EV_READ | EV_PERSIST, on_readable, h);
	if (h->readable == NULL || event_add(h->readable, NULL) != 0)
		return zr_fail(e, ZR_IO, "the process for commands cannot be listened to");
	return 0;
}

void
helper_detach(struct helper *h)
{
	if (h != NULL && h->readable != NULL)
		event_free(h->readable);
	if (h != NULL)
		h->readable = NULL;
}

/* ---- orders ---- */

static int
ask(struct helper *h, const struct helper_ask *q, struct zr_err *e)
{
	if (h->fd < 0)
		return zr_fail(e, ZR_CLOSED, "the process that runs commands has ended");
	if (send(h->fd, q, sizeof(*q), MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizeof(*q))
		return 0;
	if (errno == EAGAIN || errno == ENOBUFS)
		return zr_fail(e, ZR_LIMIT, "the process that runs commands has orders enough");
	return zr_fail(e, ZR_IO, "the process that runs commands: %s", strerror(errno));
}

int
helper_run(struct helper *h, const struct helper_job *j, struct zr_err *e)
{
	struct helper_ask q = {.id = j->id,
	    .what = HELPER_RUN,
	    .serial = j->serial,
	    .old_serial = j->old_serial,
	    .has_old = j->has_old,
	    .forced = j->forced};

	snprintf(q.downstream, sizeof(q.downstream), "%s", j->downstream);
	snprintf(q.primary, sizeof(q.primary), "%s", j->primary);
	snprintf(q.zone, sizeof(q.zone), "%s", j->zone);
	return ask(h, &q, e);
}

void
helper_signal(struct helper *h, uint64_t id, int sig)
{
	const struct helper_ask q = {.id = id, .what = HELPER_SIGNAL, .sig = sig};

	(void)ask(h, &q, NULL);
}

void
helper_reload(struct helper *h)
{
	const struct helper_ask q = {.what = HELPER_RELOAD};
	struct zr_err e;

	if (ask(h, &q, &e) != 0 && h->fd >= 0)
		h->ev->stale(h->arg, e.text);
}

pid_t
helper_pid(const struct helper *h)
{
	return h->pid;
}

void
helper_free(struct helper *h)
{
	if (h == NULL)
		return;
	helper_detach(h);
	if (h->fd >= 0)
		close(h->fd);
	while (waitpid(h->pid, NULL, 0) < 0 && errno == EINTR)
		;
	free(h);
}
