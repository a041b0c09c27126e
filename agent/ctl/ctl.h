/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket: a unix stream socket on which zonerelayctl (or a person with nc -U) asks the
 * daemon.  Owner of everything here: the thread of the event base (the main loop).
 *
 * A request is one line: `command arg arg ...` LF (ctl/request.h has the quoting).  The answer is
 * any number of body lines, each one JSON object, then one last line: `ok`, or `error CODE text`
 * with CODE from zr_code_name().  Requests on one connection are answered one after the other.
 *
 * The commands zonerelayctl uses, for the table that app gives (times are integers,
 * microseconds since 1970, keys `*_at`; durations are microseconds, keys `*_us`; a key without
 * a value is left out or null; names of zones are written by name_show()):
 *
 *   version                  one line of kind "daemon"
 *   live                     "daemon", one "state" per state, every "primary", every "downstream",
 *                            every "key"
 *   live NAME                "zone", "primary" per primary of the zone, "downstream" for each
 *                            NOTIFY owed, "forced" for each address of the last event, "hook",
 *                            "target"; error notfound when it is not configured
 *   live-zones               streamed: "zone" for each configured zone; zones in state
 *                            "current" with activity "idle" may be left out
 *   refresh NAME|--all       check now, lane operator, holds of its primaries are lifted;
 *                            answers {"kind":"order","zones":N} when its mark is on disk
 *   retransfer NAME          as refresh, with AXFR whatever the serial
 *   notify NAME [DOWNSTREAM] owe a NOTIFY again; {"kind":"order","zones":1,"notifies":N} when the
 *                            rows are on disk (0: whom it is for is still to be found out)
 *   notify-axfr NAME [DOWNSTREAM]  the same with NOTIFY(AXFR): a new event
 *   reload                   {"kind":"order","zones":N,"added":N,"removed":N,"changed":N}; or one
 *                            {"kind":"problem","text":"file:line:col: ..."} each, and error conf;
 *                            with ok: a warning, or what could not be applied
 *   stop                     ok, then the daemon ends
 *
 * Keys by kind:
 *   daemon      version pid started_at now_at config database listen[] workers zones
 *               log_level rss (octets of memory) tcp_in tcp_out (connections) transfers_in
 *               transfers_out queued (zones waiting) unseen (zones that are still owed the
 *               check of the start) outbox (NOTIFYs owed) store_lag_us
 *   state       state zones
 *   zone        name state activity lane queued_at pending
 *               pending_at serial version refresh_at expire_at failures next_at primary address
 *               transfer transfer_at records octets messages want_serial error error_code
 *               error_peer error_at
 *               pending_notifier (primary, with pending "force") forced_wait_at forced_wait
 *               ("zone limit", "primary limit", "global limit", "failed, retry"; without
 *               forced_wait_at: until a slot is free) and of the last event, if there was one:
 *               event (number) event_at (its commit, or command) and, when it was a transfer,
 *               event_last_at (duplicates included) event_serial event_verdict event_repeats
 *               event_notifier ("" the operator) event_source event_pinned (1: only the
 *               first primary is believed for now)
 *   primary     name address failures held_until_at error error_at transfers queued
 *               and for `live NAME`: serial serial_at
 *   downstream  name address outbox inflight transfers error error_at unsupported_until_at (of any
 *               of its addresses)
 *               and for `live NAME`: serial (owed or in flight) qtype tries next_at
 *   forced      name address state (forced_peer_names) at text event
 *   key         name algorithm, and signatures of others that were right, and wrong: verified
 * failed hook        zone name (downstream) state ("waiting", "running", "retry") forced serial
 * since_at (in this state) tries (ended) next_at (not before then; "running": end of its time) text
 * (how the last try ended)
 *
 *   state       "never" (nothing was ever loaded), "expired", "behind" (a primary or a NOTIFY
 *               announced a newer serial), "failing" (the last round of checks failed; what is
 *               newest is not known), "current".  zonerelayctl decides by itself from serial,
 *               want_serial, expire_at and failures; the counts are for other readers
 *   activity    "idle" "queued" "checking" "transferring" "committing" "held" (idle after a
 *               failure, or frozen by the operator)
 *   lane        "operator" "forced" "notify" "refresh" "start" "recheck"
 *   pending     "none" "check" "force"
 *   transfer    "SOA" "IXFR" "AXFR": what is under way; records, octets, messages so far
 *
 * zonerelayctl --wait asks `live NAME` again and again after its order: the zone is done when
 * activity is "idle" or "held", and pending is "none" or failures not 0; it was a success when
 * failures is 0 and there is a serial that has not expired.  So an order must have moved
 * activity from "idle" and "held" before it is answered ok.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct ctl;
struct ctl_reply;

#define CTL_CLIENTS_MAX 64 /* default; the idlest makes room for a new one */
#define CTL_IDLE_S 60 /* default: silence between requests, or of a reader that does not read */
#define CTL_OUT_MAX (1024 * 1024) /* octets waiting for one client; more is error limit */
#define CTL_OUT_LOW (32 * 1024)	  /* a stream is pulled again below this */

/*
 * Called once for a request.  argv[0] is the command; argv is valid during the call only.
 * Must bring about exactly one ctl_done() or ctl_error(), now or later from the same thread.
 */
typedef void (*ctl_handler)(void *arg, struct ctl_reply *r, int argc, const char *const *argv);

struct ctl_command {
	const char *name;
	unsigned min_args, max_args; /* without the command itself */
	ctl_handler handler;
};

struct ctl_conf {
	const char *path;		    /* at most 107 octets */
	const struct ctl_command *commands; /* borrowed for the life of the server */
	size_t command_count;
	void *arg;	      /* for the handlers */
	unsigned clients_max; /* 0: CTL_CLIENTS_MAX */
	int64_t idle_us;      /* 0: CTL_IDLE_S */
};

/*
 * Listens, mode 0660.  Fails when another daemon answers at the path or something
 * there is not a socket; the socket of a dead one is replaced.
 */
int ctl_open(struct ctl **out, struct event_base *base, const struct ctl_conf *c, struct zr_err *e);
/*
 * Drops all clients and removes the socket.  Replies not finished yet stay valid: their
 * owner still ends them, nothing is sent.  Not from inside a handler.  NULL-safe.
 */
void ctl_close(struct ctl *c);
/* For `stop`: is anything still to be written to a client? */
bool ctl_busy(const struct ctl *c);

/*
 * The answer to one request.  Stays valid until ctl_done() or ctl_error(), whether
 * or not the client is still there.
 */

/* One body line: a JSON object without newline (one found ends the answer with error internal). */
void ctl_body(struct ctl_reply *r, struct buf *line);
void ctl_done(struct ctl_reply *r);			     /* r is gone */
void ctl_error(struct ctl_reply *r, const struct zr_err *e); /* r is gone */
void ctl_fail(struct ctl_reply *r, enum zr_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4))); /* ctl_error() with a text; r is gone */
/* False when the client has left or was dropped: work only for the answer may stop. */
bool ctl_alive(const struct ctl_reply *r);

/*
 * Long answers: `pull` is called from the loop whenever the client has room; it writes one or
 * some lines with ctl_body() and returns true for more (without a line: it is asked again at once).
 * When it returns false, or when the client is gone, `end` (may be NULL) is called once to free arg
 * and the answer ends with ok.  After ctl_stream() the caller no longer owns r: neither done nor
 * error may be called.
 */
typedef bool (*ctl_pull)(void *arg, struct ctl_reply *r);
void ctl_stream(struct ctl_reply *r, ctl_pull pull, void (*end)(void *arg), void *arg);
