/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/udp.h"

#include "base/mem.h"
#include "net/sock.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH 64	       /* datagrams per system call */
#define SHORT_MAX 512	       /* octets; nearly every answer: it has a place of its own */
#define QUEUE_MAX 1024	       /* datagrams */
#define PAYLOAD_MAX 65507      /* octets; IPv4, without options */
#define RECEIVE_BUFFER 4194304 /* octets asked for: a burst of NOTIFYs for many zones */

#define CONTROL_MAX CMSG_SPACE(sizeof(struct in6_pktinfo)) /* the larger of the two */

struct out {
	struct out *next;
	struct zr_addr to;
	struct udp_local local;
	size_t len;
	uint8_t data[];
};

/* One place per datagram of a batch, for both directions. */
struct place {
	struct sockaddr_storage peer;
	struct iovec iov;
	union {
		struct cmsghdr align;
		uint8_t octets[CONTROL_MAX];
	} control;
};

struct udp_sock {
	int fd;
	struct zr_addr addr;
	udp_recv_cb cb;
	void *arg;
	struct event *readable;
	struct event *writable;	  /* added while the kernel takes no more */
	struct event *soon;	  /* flush in the next turn */
	struct out *head, **tail; /* what has no place; leaves after what has */
	size_t queued;
	struct udp_stats stats;
	struct udp_turn turn;
	bool in_callback;
	bool closed;	   /* in a callback: freed when it returns */
	bool any;	   /* bound to no address: the kernel tells which was asked */
	bool used;	   /* the places of all datagrams read have been prepared once */
	unsigned last;	   /* how many of them the last batch used */
	unsigned from, to; /* short ones that wait: out_msg[from..to] */
	struct mmsghdr msg[BATCH], out_msg[BATCH];
	struct place in[BATCH], out[BATCH];
	uint8_t data[BATCH][UDP_DATAGRAM_MAX];
	uint8_t out_data[BATCH][SHORT_MAX];
};

static void
prepare(struct msghdr *h, struct place *p, void *data, size_t len)
{
	p->iov = (struct iovec){.iov_base = data, .iov_len = len};
	*h = (struct msghdr){
	    .msg_name = &p->peer,
	    .msg_namelen = sizeof(p->peer),
	    .msg_iov = &p->iov,
	    .msg_iovlen = 1,
	    .msg_control = p->control.octets,
	    .msg_controllen = sizeof(p->control.octets),
	};
}

/* The address the datagram was sent to; family 0 when a reply could not come from there. */
static struct udp_local
local_of(const struct udp_sock *s, struct msghdr *h)
{
	struct udp_local local;

	memset(&local, 0, sizeof(local));
	if (!s->any) {
		local.addr = s->addr;
		return local;
	}
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c != NULL; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			local.ifindex = (uint32_t)info.ipi_ifindex;
			local.addr.family = 4;
			memcpy(local.addr.ip, &info.ipi_spec_dst, 4);
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			local.ifindex = info.ipi6_ifindex;
			if (IN6_IS_ADDR_MULTICAST(&info.ipi6_addr))
				continue;
			local.addr.family = 6;
			memcpy(local.addr.ip, &info.ipi6_addr, 16);
			if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr))
				local.addr.scope = local.ifindex;
		}
	}
	local.addr.port = s->addr.port;
	return local;
}

/* Makes the datagram leave from `local`; from a socket with an address it does so anyway. */
static void
set_source(const struct udp_sock *s, struct msghdr *h, const struct udp_local *local)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(h);

	if (!s->any) {
		h->msg_control = NULL;
		h->msg_controllen = 0;
		return;
	}
	assert(c != NULL); /* the caller gives room for it */
	memset(h->msg_control, 0, h->msg_controllen);
	if (local->addr.family == 4) {
		struct in_pktinfo info = {0};

		memcpy(&info.ipi_spec_dst, local->addr.ip, 4);
		c->cmsg_level = IPPROTO_IP;
		c->cmsg_type = IP_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(c), &info, sizeof(info));
		h->msg_controllen = CMSG_SPACE(sizeof(info));
	} else if (local->addr.family == 6) {
		struct in6_pktinfo info = {0};

		memcpy(&info.ipi6_addr, local->addr.ip, 16);
		if (local->addr.scope != 0) /* else routing decides */
			info.ipi6_ifindex = local->ifindex;
		c->cmsg_level = IPPROTO_IPV6;
		c->cmsg_type = IPV6_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(c), &info, sizeof(info));
		h->msg_controllen = CMSG_SPACE(sizeof(info));
	} else {
		h->msg_control = NULL;
		h->msg_controllen = 0;
	}
}

static void
drop_head(struct udp_sock *s)
{
	struct out *o = s->head;

	s->head = o->next;
	if (s->head == NULL)
		s->tail = &s->head;
	s->queued--;
	free(o);
}

/* One system call; how many datagrams are done with, 0 when the kernel takes no more. */
static unsigned
send_some(struct udp_sock *s, struct mmsghdr *msg, unsigned n)
{
	int sent;

	do
		sent = sendmmsg(s->fd, msg, n, MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	if (sent > 0) {
		s->stats.sent += (unsigned)sent;
		return (unsigned)sent;
	}
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return 0;
	/* The first one is to blame: no route, filtered, source address gone. */
	s->stats.dropped++;
	return 1;
}

static unsigned
send_queued(struct udp_sock *s)
{
	struct mmsghdr msg[BATCH];
	struct place place[BATCH];
	unsigned n = 0;

	for (struct out *o = s->head; o != NULL && n < BATCH; o = o->next, n++) {
		prepare(&msg[n].msg_hdr, &place[n], o->data, o->len);
		msg[n].msg_hdr.msg_namelen = addr_to_sockaddr(&o->to, &place[n].peer);
		set_source(s, &msg[n].msg_hdr, &o->local);
	}
	return send_some(s, msg, n);
}

/* False: the kernel takes no more, which is waited for. */
static bool
flush_short(struct udp_sock *s)
{
	while (s->from < s->to) {
		unsigned done = send_some(s, s->out_msg + s->from, s->to - s->from);

		if (done == 0) {
			event_add(s->writable, NULL);
			return false;
		}
		s->from += done;
	}
	s->from = s->to = 0;
	return true;
}

void
udp_flush(struct udp_sock *s)
{
	if (!flush_short(s))
		return;
	while (s->head != NULL) {
		unsigned done = send_queued(s);

		if (done == 0) {
			event_add(s->writable, NULL);
			return;
		}
		while (done-- > 0)
			drop_head(s);
	}
}

/* One that is short leaves from a place of its own, when there is one and none waits behind. */
static bool
put_short(struct udp_sock *s, const void *data, size_t len, const struct zr_addr *to,
    const struct udp_local *local)
{
	static const struct udp_local none;
	unsigned i;

	if (len > SHORT_MAX || s->head != NULL || s->to == BATCH)
		return false;
	i = s->to++;
	memcpy(s->out_data[i], data, len);
	prepare(&s->out_msg[i].msg_hdr, &s->out[i], s->out_data[i], len);
	s->out_msg[i].msg_hdr.msg_namelen = addr_to_sockaddr(to, &s->out[i].peer);
	set_source(s, &s->out_msg[i].msg_hdr, local != NULL ? local : &none);
	return true;
}

bool
udp_send(struct udp_sock *s, const void *data, size_t len, const struct zr_addr *to,
    const struct udp_local *local)
{
	static const struct timeval now = {0, 0};
	bool first = s->head == NULL && s->from == s->to;
	struct out *o;

	if (s->queued + (s->to - s->from) >= QUEUE_MAX || len > PAYLOAD_MAX) {
		s->stats.dropped++;
		return false;
	}
	if (!put_short(s, data, len, to, local)) {
		o = zr_xcalloc(1, sizeof(*o) + len);
		o->to = *to;
		if (local != NULL)
			o->local = *local;
		o->len = len;
		memcpy(o->data, data, len);
		*s->tail = o;
		s->tail = &o->next;
		s->queued++;
	}
	if (first && !s->in_callback)
		event_add(s->soon, &now);
	return true;
}

static void
on_send(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	udp_flush(arg);
}

static void
destroy(struct udp_sock *s)
{
	udp_flush(s);
	event_free(s->readable);
	event_free(s->writable);
	event_free(s->soon);
	while (s->head != NULL)
		drop_head(s);
	close(s->fd);
	free(s);
}

static void
hand_over(struct udp_sock *s, unsigned i)
{
	struct msghdr *h = &s->msg[i].msg_hdr;
	struct udp_local local = local_of(s, h);
	struct zr_addr from;

	s->stats.received++;
	if ((h->msg_flags & MSG_TRUNC) != 0)
		s->stats.cut++;
	/* Nobody can be answered at port 0. */
	if (addr_from_sockaddr((struct sockaddr *)&s->in[i].peer, &from) && from.port != 0)
		s->cb(s->arg, s->data[i], s->msg[i].msg_len, &from, &local);
}

/* The kernel changes only what it fills. */
static void
prepare_places(struct udp_sock *s)
{
	unsigned n = s->used ? s->last : BATCH;

	for (unsigned i = 0; i < n; i++) {
		prepare(&s->msg[i].msg_hdr, &s->in[i], s->data[i], sizeof(s->data[i]));
		if (!s->any) {
			s->msg[i].msg_hdr.msg_control = NULL;
			s->msg[i].msg_hdr.msg_controllen = 0;
		}
	}
	s->used = true;
}

/* One batch per turn of the loop: a flood on one socket does not starve the others. */
static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct udp_sock *s = arg;
	int n;

	(void)what;
	prepare_places(s);
	n = recvmmsg(fd, s->msg, BATCH, MSG_DONTWAIT, NULL);
	s->last = n > 0 ? (unsigned)n : 0;
	s->in_callback = true;
	if (n > 0 && s->turn.begin != NULL)
		s->turn.begin(s->turn.arg);
	for (int i = 0; i < n && !s->closed; i++)
		hand_over(s, (unsigned)i);
	if (n > 0 && s->turn.end != NULL)
		s->turn.end(s->turn.arg);
	s->in_callback = false;
	if (s->closed)
		destroy(s);
	else
		udp_flush(s);
}

static void
set_options(int fd, const struct zr_addr *bind, bool any)
{
	int octets = RECEIVE_BUFFER;

	/* The limit of the system is 11 ms of a flood on most machines; who may exceed it does. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &octets, sizeof(octets)) != 0)
		sock_set(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER);
	if (bind->family == 4) {
		sock_set(fd, IPPROTO_IP, IP_PKTINFO, any);
		/* A forged "fragmentation needed" must not shrink what we send. */
		sock_set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT);
	} else {
		sock_set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, any);
		sock_set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT);
	}
}

struct udp_sock *
udp_open(struct event_base *base, const struct zr_addr *bind, udp_recv_cb cb, void *arg,
    struct zr_err *e)
{
	static const uint8_t no_ip[sizeof(bind->ip)];
	bool any = memcmp(bind->ip, no_ip, sizeof(no_ip)) == 0;
	int fd = sock_open(bind, SOCK_DGRAM, e);
	struct udp_sock *s;

	if (fd < 0)
		return NULL;
	set_options(fd, bind, any);
	if (sock_bind(fd, bind, e) < 0) {
		close(fd);
		return NULL;
	}
	/* Not cleared: the buffers shall not cost memory before they are used. */
	s = zr_xmalloc(sizeof(*s));
	memset(s, 0, offsetof(struct udp_sock, msg));
	s->fd = fd;
	s->cb = cb;
	s->arg = arg;
	s->any = any;
	s->tail = &s->head;
	(void)sock_local(fd, &s->addr);
	s->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, s);
	s->writable = event_new(base, fd, EV_WRITE, on_send, s);
	s->soon = event_new(base, -1, 0, on_send, s);
	event_add(s->readable, NULL);
	return s;
}

void
udp_set_turn(struct udp_sock *s, const struct udp_turn *t)
{
	s->turn = *t;
}

void
udp_close(struct udp_sock *s)
{
	if (s == NULL)
		return;
	s->closed = true;
	if (!s->in_callback)
		destroy(s);
}

const struct zr_addr *
udp_addr(const struct udp_sock *s)
{
	return &s->addr;
}

const struct udp_stats *
udp_stats(const struct udp_sock *s)
{
	return &s->stats;
}

uint32_t
udp_lost(const struct udp_sock *s)
{
	uint32_t v[SK_MEMINFO_VARS] = {0};
	socklen_t len = sizeof(v);

	if (getsockopt(s->fd, SOL_SOCKET, SO_MEMINFO, v, &len) != 0)
		return 0;
	return v[SK_MEMINFO_DROPS];
}
