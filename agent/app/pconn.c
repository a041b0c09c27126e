/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connections to primaries.  One user at a time; between users a connection waits a few
 * seconds, so that SOA, transfer and the next zone of the same primary share it (XO-05, XO-06).
 */
#include <stdlib.h>
#include <string.h>

#include "app/worker_p.h"
#include "base/mem.h"

struct pconn {
	struct worker *w;
	struct conn *conn;
	struct zr_addr dest, source;
	struct tls_ctx *tls; /* held; NULL: in the clear */
	const struct pconn_user *user;
	void *arg;
	struct pconn *next, **link; /* while idle */
	struct event *kick;	    /* ready() for a reused connection */
	bool reused;
};

static void
unlink_idle(struct pconn *p)
{
	if (p->link == NULL)
		return;
	*p->link = p->next;
	if (p->next != NULL)
		p->next->link = p->link;
	p->link = NULL;
	p->next = NULL;
	p->w->idle_count--;
}

static void
free_pconn(struct pconn *p)
{
	unlink_idle(p);
	if (p->kick != NULL)
		event_free(p->kick);
	tls_drop(p->tls);
	free(p);
}

static void
on_connected(void *arg, struct conn *c)
{
	struct pconn *p = arg;

	(void)c;
	if (p->user != NULL)
		p->user->ready(p->arg);
}

static void
on_message(void *arg, struct conn *c, const uint8_t *msg, size_t len)
{
	struct pconn *p = arg;

	(void)c;
	if (p->user != NULL) {
		p->user->message(p->arg, msg, len);
		return;
	}
	/* Nobody asked for anything: this server is not one to share a connection with. */
	conn_close(p->conn);
	free_pconn(p);
}

static void
on_closed(void *arg, struct conn *c, const struct zr_err *why)
{
	struct pconn *p = arg;
	const struct pconn_user *user = p->user;
	void *user_arg = p->arg;

	(void)c;
	free_pconn(p);
	if (user != NULL)
		user->closed(user_arg, why);
}

static const struct conn_ops ops = {
    .connected = on_connected,
    .message = on_message,
    .closed = on_closed,
};

static void
on_kick(evutil_socket_t fd, short what, void *arg)
{
	struct pconn *p = arg;

	(void)fd;
	(void)what;
	if (p->user != NULL)
		p->user->ready(p->arg);
}

static struct pconn *
find_idle(struct worker *w, const struct zr_addr *dest, const struct zr_addr *source,
    const struct tls_ctx *tls)
{
	struct pconn *p;

	for (p = w->idle; p != NULL; p = p->next)
		if (p->tls == tls && addr_equal(&p->dest, dest) && addr_equal(&p->source, source))
			return p;
	return NULL;
}

struct pconn *
pconn_get(struct worker *w, const struct zr_addr *dest, const struct zr_addr *source,
    struct tls_ctx *tls, int64_t connect_us, int fd_max, bool fresh, const struct pconn_user *user,
    void *arg, struct zr_err *e)
{
	struct pconn *p = fresh ? NULL : find_idle(w, dest, source, tls);
	struct conn_spec spec = {
	    .base = w->base,
	    .ops = &ops,
	    .connect_us = connect_us,
	    .stall_us = connect_us,
	    .fd_max = fd_max,
	    .tls = tls,
	};

	if (p != NULL) {
		unlink_idle(p);
		p->user = user;
		p->arg = arg;
		p->reused = true;
		conn_set_idle(p->conn, 0);
		event_active(p->kick, EV_TIMEOUT, 0);
		return p;
	}
	p = zr_xcalloc(1, sizeof(*p));
	p->w = w;
	p->dest = *dest;
	p->source = *source;
	p->tls = tls_hold(tls);
	p->user = user;
	p->arg = arg;
	p->kick = event_new(w->base, -1, 0, on_kick, p);
	spec.arg = p;
	p->conn = conn_connect(&spec, dest, source->family != 0 ? source : NULL, e);
	if (p->conn == NULL) {
		free_pconn(p);
		return NULL;
	}
	return p;
}

bool
pconn_reused(const struct pconn *p)
{
	return p->reused;
}

struct conn *
pconn_conn(struct pconn *p)
{
	return p->conn;
}

void
pconn_put(struct pconn *p, bool keep)
{
	struct worker *w = p->w;

	p->user = NULL;
	p->arg = NULL;
	if (!keep || w->stopping || w->idle_count >= PCONN_IDLE_MAX || !conn_is_up(p->conn)) {
		conn_close(p->conn);
		free_pconn(p);
		return;
	}
	conn_resume(p->conn);
	conn_set_idle(p->conn, PCONN_KEEP_US);
	p->next = w->idle;
	p->link = &w->idle;
	if (p->next != NULL)
		p->next->link = &p->next;
	w->idle = p;
	w->idle_count++;
}

void
pconn_close_idle(struct worker *w)
{
	while (w->idle != NULL) {
		struct pconn *p = w->idle;

		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): freeing took it out of the list */
		conn_close(p->conn);
		free_pconn(p);
	}
}
