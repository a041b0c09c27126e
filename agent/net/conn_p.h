/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside of a connection, for conn.c (life, timers, events), conn_io.c (octets) and
 * conn_tls.c, which stands between conn_io.c and the socket where there is TLS.
 *
 * Every entry from the loop is bracketed by enter() and leave() of conn.c.  Between them
 * callbacks may do anything, also end the connection: that only sets a flag, and leave()
 * acts on it.  Functions of conn.h never call back; they have work() called.
 */
#pragma once

#include "base/buf.h"
#include "net/conn.h"
#include "wire/frame.h"

#include <event2/event_struct.h>
#include <sys/types.h>

struct conn {
	struct conn_spec spec;
	int fd;
	struct tls *tls; /* or NULL */
	struct zr_addr peer, local;
	struct event readable, writable, timer, soon;
	struct frame frame;
	struct buf rest; /* read, but not handed out: paused, or too much is queued */
	struct buf out;
	size_t out_sent; /* octets at the start of `out` which the kernel has */
	unsigned holds;
	struct conn_stats stats;
	/* Monotonic times in microseconds; 0 = not running. */
	int64_t connect_at, idle_at, message_at, stall_at, linger_at;
	int64_t armed_at; /* what the timer is set to */
	bool outgoing;
	bool tcp; /* connected */
	bool up;  /* likewise, and the TLS handshake is over */
	bool eof; /* the peer's FIN, or close_notify, was read */
	bool cut; /* by a FIN without close_notify */
	bool paused;
	bool owes_drained;
	bool finishing; /* conn_finish() */
	bool bye_said;	/* close_notify, before the FIN */
	bool fin_sent;
	bool busy;  /* between enter() and leave() */
	bool ended; /* `why` is set: call closed, then free */
	bool dead;  /* conn_close(): free */
	bool woken; /* in a callback: something is left for the next turn */
	struct zr_err why;
};

static inline bool
conn_over(const struct conn *c)
{
	return c->ended || c->dead;
}

/* Sets the reason for the end, once; `closed` is called on the way out. */
void conn_end(struct conn *c, enum zr_code code, const char *text);
void conn_end_errno(struct conn *c, int err, const char *what); /* "WHAT PEER: reason" */

bool conn_may_hand_out(const struct conn *c); /* messages, now */
bool conn_wants_octets(const struct conn *c); /* from the socket, now */

void conn_stand(struct conn *c); /* it is up now: says so */

void conn_read(struct conn *c);	     /* the socket, and hands messages out */
void conn_feed_rest(struct conn *c); /* what was read before and may be handed out now */
void conn_write(struct conn *c);     /* what is queued, as far as the kernel takes it */
void conn_tell_drained(struct conn *c);

/* ---- conn_tls.c ---- */

size_t conn_records(const struct conn *c);	 /* octets of TLS itself, not yet the kernel's */
void conn_tls_end(struct conn *c);		 /* acts on what TLS has seen: an end, a failure */
void conn_tls_start(struct conn *c);		 /* the handshake */
void conn_tls_bye(struct conn *c);		 /* queues close_notify */
void conn_tls_last(struct conn *c);		 /* before close(): close_notify, if it is honest */
void conn_tls_trim(struct conn *c, size_t keep); /* frees buffers above so many octets */
#define CONN_TLS_READ 45056 /* octets of one recv(); conn_io.c has room for more */
/* As recv() and send(), of messages; *more: the socket may have more. */
ssize_t conn_tls_get(struct conn *c, uint8_t *p, size_t n, bool *more);
ssize_t conn_tls_put(struct conn *c, const uint8_t *p, size_t n);
