/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * UDP sockets which answer strangers: NOTIFY in, SOA and IXFR out.  Datagrams are read
 * and written in batches of 64.  A reply leaves from the address that was asked (T-20):
 * hand the `local` of the request back to udp_send().  Owner: the thread of the base.
 */
#pragma once

#include "base/addr.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct udp_sock;

/* Where a datagram arrived: the address asked, with the port of the socket. */
struct udp_local {
	struct zr_addr addr; /* family 0: unknown, the kernel chooses */
	uint32_t ifindex;    /* interface; used for link-local addresses only */
};

/* Octets of a datagram; longer ones (nobody's DNS request) are handed over cut. */
#define UDP_DATAGRAM_MAX 4096

/* `data` is borrowed until the callback returns.  The callback may close the socket. */
typedef void (*udp_recv_cb)(void *arg, const uint8_t *data, size_t len, const struct zr_addr *from,
    const struct udp_local *local);

struct udp_stats {
	uint64_t received;
	uint64_t cut; /* received, longer than UDP_DATAGRAM_MAX */
	uint64_t sent;
	uint64_t dropped; /* not sent: queue full, or refused by the kernel */
};

/* `bind` may have port 0.  IPv6 sockets never take IPv4.  NULL: *e tells why. */
struct udp_sock *udp_open(struct event_base *base, const struct zr_addr *bind, udp_recv_cb cb,
    void *arg, struct zr_err *e);
void udp_close(struct udp_sock *s); /* queued datagrams get one last try */

/* Called before the first and after the last datagram of a batch: what need not be done for each.
 * The answers leave after end().  Either may be NULL. */
struct udp_turn {
	void (*begin)(void *arg);
	void (*end)(void *arg);
	void *arg;
};
void udp_set_turn(struct udp_sock *s, const struct udp_turn *t);

/*
 * Queues a copy.  It leaves at the end of the running read callback, or of this turn of
 * the loop, or with udp_flush().  `local` may be NULL.  False: dropped (the queue, of at
 * most 1,024 datagrams, is full, or len > 65,507); whoever asked will ask again.
 */
bool udp_send(struct udp_sock *s, const void *data, size_t len, const struct zr_addr *to,
    const struct udp_local *local);
void udp_flush(struct udp_sock *s);

const struct zr_addr *udp_addr(const struct udp_sock *s); /* with the real port */
const struct udp_stats *udp_stats(const struct udp_sock *s);
/* Datagrams that the kernel had no room for, since it was opened. */
uint32_t udp_lost(const struct udp_sock *s);
