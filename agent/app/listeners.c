/* SPDX-License-Identifier: BSD-2-Clause */
/* Listening sockets, and the count of the connections that came through them. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/agent_p.h"
#include "app/sandbox.h"
#include "base/mem.h"

#define BACKLOG 512
#define RECORD_KEY_MAX sizeof(struct zr_addr)

/* One accepted connection. */
struct client_rec {
	uint64_t id;
	struct zr_addr ip; /* as the limiter sees it */
};

/* Connections of one source. */
struct client_ip {
	struct zr_addr ip;
	unsigned n;
};

/* ---- connections ---- */

static struct client_ip *
ip_get(struct agent *a, const struct zr_addr *ip, bool make)
{
	struct client_ip *c = table_get(a->client_ips, ip, RECORD_KEY_MAX);

	if (c != NULL || !make)
		return c;
	c = zr_xcalloc(1, sizeof(*c));
	c->ip = *ip;
	table_put(a->client_ips, &c->ip, RECORD_KEY_MAX, c);
	return c;
}

/*
 * Peers of the configuration are never turned away before strangers are (TB-05, TB-06), neither by
 * number nor when descriptors become rare (TB-12).
 */
static bool
too_many(struct agent *a, int fd, bool known, unsigned of_ip)
{
	const struct config_server *s = &a->cfg->server;

	if (known)
		return fd >= a->fds.peers || table_count(a->clients) >= 8 * (size_t)s->tcp_clients;
	return fd >= a->fds.strangers || table_count(a->clients) >= s->tcp_clients ||
	       of_ip >= s->tcp_per_client;
}

/* A handshake costs us far more than its client; who has no rights here has few of them. */
static bool
handshakes_flooded(struct agent *a, const struct zr_addr *peer)
{
	agent_touch(a);
	return !limiter_take(a->query_limit, peer, a->now.mono);
}

void
clients_accept(void *arg, int fd, const struct zr_addr *peer, const struct zr_addr *local)
{
	struct listener *l = arg;
	struct agent *a = l->agent;
	struct zr_addr ip = addr_client(peer);
	struct client_ip *of_ip = ip_get(a, &ip, false);
	bool known = verify_known(a, peer);
	struct client_rec *r;
	struct accept_mail *m;

	if (a->stopping || too_many(a, fd, known, of_ip == NULL ? 0 : of_ip->n) ||
	    (l->tls && !known && handshakes_flooded(a, peer))) {
		close(fd);
		return;
	}
	r = zr_xcalloc(1, sizeof(*r));
	r->id = agent_number(a);
	r->ip = ip;
	ip_get(a, &ip, true)->n++;
	table_put(a->clients, &r->id, sizeof(r->id), r);
	m = mail_new(MAIL_ACCEPT, sizeof(*m));
	m->fd = fd;
	m->client = r->id;
	m->peer = *peer;
	m->local = *local;
	m->tls = l->tls ? tls_hold(certs_server(a->certs)) : NULL;
	m->idle_us = a->cfg->server.tcp_idle_us;
	m->stall_us = a->cfg->server.tcp_stall_us;
	m->min_rate = a->cfg->server.min_rate;
	m->min_rate_us = a->cfg->server.min_rate_us;
	worker_post(a->workers[a->next_worker++ % a->worker_count], &m->mail);
}

void
clients_gone(struct agent *a, const struct accept_mail *m)
{
	struct client_rec *r = table_del(a->clients, &m->client, sizeof(m->client));
	struct client_ip *c;

	if (r == NULL)
		return;
	c = ip_get(a, &r->ip, false);
	if (c != NULL && --c->n == 0) {
		table_del(a->client_ips, &c->ip, RECORD_KEY_MAX);
		free(c);
	}
	free(r);
}

/* ---- sockets ---- */

static void
on_udp(void *arg, const uint8_t *data, size_t len, const struct zr_addr *from,
    const struct udp_local *local)
{
	answer_udp(arg, data, len, from, local);
}

static void
on_udp_begin(void *arg)
{
	agent_touch(arg);
}

static void
on_udp_end(void *arg)
{
	agent_schedule(arg);
}

static void
listener_free(struct listener *l)
{
	if (l->udp != NULL)
		udp_close(l->udp);
	if (l->tcp != NULL)
		listen_close(l->tcp);
	free(l);
}

static struct listener *
listener_new(struct agent *a, const struct zr_addr *addr, bool tls, struct zr_err *e)
{
	struct listener *l = zr_xcalloc(1, sizeof(*l));
	struct udp_turn turn = {.begin = on_udp_begin, .end = on_udp_end, .arg = a};
	char text[ADDR_TEXT_MAX];

	l->agent = a;
	l->id = ++a->next_listener;
	l->addr = *addr;
	l->tls = tls;
	if (!tls)
		l->udp = udp_open(a->base, addr, on_udp, l, e);
	if (l->udp != NULL)
		udp_set_turn(l->udp, &turn);
	if (tls || l->udp != NULL)
		l->tcp = listen_open(a->base, addr, BACKLOG, clients_accept, l, e);
	if (l->tcp == NULL) {
		zr_fail_in(e, "cannot listen on %s", addr_text(addr, text));
		strncat(e->text, sandbox_port_advice(addr->port),
		    sizeof(e->text) - strlen(e->text) - 1);
		listener_free(l);
		return NULL;
	}
	log_event(LOG_LVL_INFO, "listening", LS("address", addr_text(addr, text)),
	    LS("transport", tls ? "tls" : NULL));
	return l;
}

static bool
wanted(const struct config_addrs *w, const struct zr_addr *addr)
{
	for (size_t i = 0; i < w->n; i++)
		if (addr_equal(&w->v[i], addr))
			return true;
	return false;
}

static bool
listening(const struct agent *a, const struct zr_addr *addr)
{
	const struct listener *l;

	for (l = a->listeners; l != NULL; l = l->next)
		if (addr_equal(&l->addr, addr))
			return true;
	return false;
}

static void
close_unwanted(struct agent *a)
{
	const struct config_server *s = &a->cfg->server;
	struct listener **p = &a->listeners, *l;

	while ((l = *p) != NULL) {
		if (wanted(l->tls ? &s->tls.listen : &s->listen, &l->addr)) {
			p = &l->next;
			continue;
		}
		*p = l->next;
		listener_free(l);
	}
}

/* may_lack: a default may be an address family that this host does not have. */
static int
open_wanted(
    struct agent *a, const struct config_addrs *w, bool tls, bool may_lack, struct zr_err *e)
{
	struct listener *l;
	int rc = 0;

	for (size_t i = 0; i < w->n; i++) {
		if (listening(a, &w->v[i]))
			continue;
		l = listener_new(a, &w->v[i], tls, e);
		if (l == NULL) {
			rc = -1;
			log_event(may_lack ? LOG_LVL_WARN : LOG_LVL_ERROR, "listen-failed",
			    LS("reason", e->text));
			continue;
		}
		l->next = a->listeners;
		a->listeners = l;
	}
	return may_lack && a->listeners != NULL ? 0 : rc;
}

int
listeners_open(struct agent *a, struct zr_err *e)
{
	const struct config_server *s = &a->cfg->server;
	int rc;

	close_unwanted(a);
	rc = open_wanted(a, &s->listen, false, s->listen_default, e);
	return open_wanted(a, &s->tls.listen, true, false, e) != 0 ? -1 : rc;
}

void
listeners_close(struct agent *a)
{
	struct listener *l;

	while ((l = a->listeners) != NULL) {
		a->listeners = l->next;
		listener_free(l);
	}
}
