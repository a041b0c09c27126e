/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * UDP queries of our own: SOA checks and NOTIFY out.  Each query has a connected socket
 * of its own on a port the kernel draws (F-02, F-03, F-09), so that the kernel drops
 * whatever does not come from the address and port asked.  ID and question are compared
 * by the callback (F-01).  Owner: the thread of the base.
 */
#pragma once

#include "base/addr.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct udpq;	   /* the pool: bounds the sockets */
struct udpq_query; /* one query under way */

enum udpq_event {
	UDPQ_DATA,    /* a datagram from the peer */
	UDPQ_TIMEOUT, /* nothing accepted in time */
	UDPQ_ERROR,   /* the peer is not there: ICMP error; *e is ZR_IO */
};

/*
 * UDPQ_DATA: `data` is borrowed; return true to accept it, which ends the query, false
 * to go on waiting for the real answer.  After true, UDPQ_TIMEOUT or UDPQ_ERROR the
 * handle is dead.  The callback may send, and may cancel any query, also its own (then
 * the returned value does not matter), but not free the pool.
 */
typedef bool (*udpq_cb)(
    void *arg, enum udpq_event ev, const uint8_t *data, size_t len, const struct zr_err *e);

struct udpq *udpq_new(struct event_base *base, unsigned max_open);
void udpq_free(struct udpq *p); /* cancels what is under way, without callbacks */
void udpq_set_max(struct udpq *p, unsigned max_open);

/*
 * `source` (may be NULL) is the local address; its port counts too when not 0 (F-03).
 * The callback is never called from here.  NULL: ZR_LIMIT when the pool is full or the
 * process has no descriptor left (try again when another query has ended), else ZR_IO.
 */
struct udpq_query *udpq_send(struct udpq *p, const struct zr_addr *dest,
    const struct zr_addr *source, const void *data, size_t len, int64_t timeout_us, udpq_cb cb,
    void *arg, struct zr_err *e);
/*
 * The same query again from the same port: a retransmission that the peer can recognise.  The time
 * begins anew.  False: not sent; the query goes on all the same.
 */
bool udpq_resend(struct udpq_query *q, const void *data, size_t len, int64_t timeout_us);
/* The local address that a query to it would come from; false: there is no way to it. */
bool udpq_source(const struct zr_addr *dest, struct zr_addr *local);
void udpq_cancel(struct udpq_query *q); /* no callback; NULL is allowed */

bool udpq_full(const struct udpq *p);
unsigned udpq_count(const struct udpq *p); /* queries under way */
