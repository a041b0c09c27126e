/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One TCP connection which carries DNS messages, accepted or outgoing, in the clear or under TLS.
 * Owner: the thread of the base.
 *
 * Life: conn_open_fd() or conn_connect(), then any callbacks, then either conn_close()
 * (by the user, no callback follows) or `closed` (by the peer, a timer, or the end of
 * conn_finish()).  `closed` is the last callback and the connection is freed when it
 * returns.  A callback may close its own connection, or any other.  No callback is
 * ever called from inside a function of this header.
 *
 * With TLS (conn_spec.tls) all promises of this header are the same ones; octets and marks are
 * those of messages.  A connection stands, "connected", when the handshake is over and the peer is
 * who it must be; before that no message goes out or comes in.  The peer's close_notify counts as
 * its FIN; ours goes before the FIN of conn_finish(), and before a close where nothing is queued
 * (XO-37).
 */
#pragma once

#include "base/addr.h"
#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct conn;
struct tls_ctx;
struct tls_peer;

struct conn_ops {
	/* Outgoing only, once, with TLS after the peer was verified; may be NULL. */
	void (*connected)(void *arg, struct conn *c);
	/* A complete message, borrowed; without the two octets of length. */
	void (*message)(void *arg, struct conn *c, const uint8_t *msg, size_t len);
	/*
	 * After one or more conn_send(): no more than low_mark octets are queued.  Called
	 * once for everything sent before; may be NULL.
	 */
	void (*drained)(void *arg, struct conn *c);
	/*
	 * The end.  ZR_CLOSED: the peer closed, in order or by reset; ZR_TIMEOUT: connect,
	 * idle, message or stall, as the text says; ZR_TLS: the peer is not trusted, or does
	 * not trust us, or does not speak TLS as we do, as the text says; ZR_IO; ZR_NOMEM.
	 */
	void (*closed)(void *arg, struct conn *c, const struct zr_err *why);
};

/* Copied when the connection is made; ops must outlive it.  A time of 0 = no limit. */
struct conn_spec {
	struct event_base *base;
	const struct conn_ops *ops;
	void *arg;
	int64_t connect_us;  /* until connected; accepted with TLS: 0 = CONN_HANDSHAKE_US */
	int64_t idle_us;     /* no complete message came, nothing queued, no hold (TC-08) */
	int64_t message_us;  /* from the first octet of a message to its last (TC-08) */
	int64_t stall_us;    /* the peer takes nothing of what is queued */
	size_t low_mark;     /* octets; see drained */
	size_t high_mark;    /* octets; while more is queued nothing is read; 0 = no limit */
	int fd_max;	     /* conn_connect(): a descriptor this high is ZR_LIMIT; 0 = any */
	struct tls_ctx *tls; /* of net/tls.h, for a client or a server; NULL: in the clear */
};

#define CONN_HANDSHAKE_US INT64_C(10000000) /* strangers do not get longer */

/* Takes a non-blocking connected socket, in every case.  NULL: no memory for TLS. */
struct conn *conn_open_fd(
    const struct conn_spec *spec, int fd, const struct zr_addr *peer, const struct zr_addr *local);

/*
 * `source` may be NULL.  NULL: *e is ZR_LIMIT (no descriptor left) or ZR_IO.  Messages
 * may be sent at once; they leave when the connection stands.
 */
struct conn *conn_connect(const struct conn_spec *spec, const struct zr_addr *dest,
    const struct zr_addr *source, struct zr_err *e);

void conn_close(struct conn *c); /* at once: what is queued is lost; NULL is allowed */

/*
 * Orderly end: sends what is queued, then FIN, waits for the peer's FIN for a short time
 * so that a reset cannot destroy what was sent, then `closed` (ZR_CLOSED).  No message
 * is handed out any more and conn_send() fails.
 */
void conn_finish(struct conn *c);

/*
 * Queues one message made of two pieces (copied), with its length in front; the whole
 * goes to the kernel in one call where it fits (TC-12), at the end of this turn of the
 * loop.  `data` may be NULL with len 0.  False: longer than 65,535 octets, the connection is
 * at its end, or out of memory; nothing was queued then.
 */
bool conn_send(struct conn *c, const void *hdr, size_t hdrlen, const void *data, size_t len);
/*
 * The same without a copy: *b becomes room for one message, at most 65,535 octets, behind what is
 * queued.  It is written with the functions of base/buf.h and never cleared; conn_end_message()
 * queues what is in it.  Between the two nothing else is done with the connection; a message that
 * is not to be sent after all is just not ended.  False: as conn_send().
 */
bool conn_begin_message(struct conn *c, struct buf *b);
bool conn_end_message(struct conn *c, const struct buf *b);
size_t conn_pending(const struct conn *c); /* octets queued, not yet the kernel's */

/*
 * Backpressure: no message is handed out until conn_resume(); the octets already read are
 * kept, the rest stays in the kernel and closes the peer's window.  Not counted.
 */
void conn_pause(struct conn *c);
void conn_resume(struct conn *c);

/*
 * "An answer is being made": while at least one hold is taken, neither the idle timer nor
 * the peer's FIN ends the connection (TC-15).  After a FIN it ends when the last hold is
 * gone and everything has been sent.  Only for those who will send; a client waiting for
 * an answer takes none, because after a FIN none will come.
 */
void conn_hold(struct conn *c);
void conn_unhold(struct conn *c);

void conn_set_idle(struct conn *c, int64_t idle_us); /* restarts the idle timer */

struct conn_stats {
	uint64_t octets_in;
	uint64_t octets_out; /* taken by the kernel */
	uint64_t messages_in;
	uint64_t messages_out; /* queued */
};

const struct zr_addr *conn_peer(const struct conn *c);
const struct zr_addr *conn_local(const struct conn *c); /* family 0 until connected */
const struct conn_stats *conn_stats(const struct conn *c);
bool conn_is_up(const struct conn *c); /* connected, and not at its end */

/*
 * Of the peer's certificate; NULL: none, no TLS, or the handshake is not over (a message implies
 * that it is).  Borrowed: lives as long as the connection, or hold it.
 */
struct tls_peer *conn_tls_peer(const struct conn *c);
bool conn_is_tls(const struct conn *c);	     /* from the start */
bool conn_tls_resumed(const struct conn *c); /* the handshake used an earlier session */
