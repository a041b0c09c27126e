/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside of the main loop: its objects and what its files offer each other.  All of it belongs to
 * the main thread.
 */
#pragma once

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "app/agent.h"
#include "app/certs.h"
#include "app/mail.h"
#include "app/worker.h"
#include "base/heap.h"
#include "base/rand.h"
#include "base/table.h"
#include "config/config.h"
#include "core/acl.h"
#include "core/cookiejar.h"
#include "core/cookies.h"
#include "core/forced.h"
#include "core/limiter.h"
#include "core/notifyin.h"
#include "core/notifyout.h"
#include "core/primary.h"
#include "core/replay.h"
#include "core/sched.h"
#include "core/targets.h"
#include "core/zone.h"
#include "ctl/ctl.h"
#include "net/listen.h"
#include "net/udp.h"
#include "net/udpq.h"
#include "store/reader.h"
#include "store/store.h"
#include "wire/keyref.h"

struct agent_cookies;
struct entry;
struct forced_zone;
struct hooks;
struct hook_job;
struct owed_sign;
struct probe;
struct targets;
struct watchdog;
struct zone_targets;

/* Where an answer goes. */
struct replyto {
	bool tcp;
	uint32_t listener; /* UDP: number of the socket; it may have gone meanwhile */
	struct zr_addr from;
	struct udp_local local;
	unsigned worker; /* TCP */
	uint64_t client;
	bool tls;		   /* TCP, under TLS */
	struct tls_peer *tls_peer; /* its certificate, or NULL; only in the turn of the request */
	bool pad;		   /* the answer is padded (PD-03) */
	/*
	 * The request was signed, and its signature is right: so is the answer (TS-14).  The
	 * configuration's; who keeps a copy of this beyond the turn holds it.
	 */
	struct keyref *key;
	struct tsig_txn txn; /* with its MAC */
	uint64_t signed_at;
	bool forced, seen; /* a NOTIFY(AXFR); one that was acted upon before (TS-09) */
	bool cookie_seen;  /* cookie_look() has been there */
	enum cookies_verdict cookie;
	uint8_t cookie_answer[COOKIE_OURS]; /* unless COOKIES_NONE */
};

/* An answer to a NOTIFY, or to a command, that waits until the mark is on disk. */
struct waiter {
	struct waiter *next;
	struct ctl_reply *reply; /* not NULL: a command; what follows is not set */
	uint16_t seq;
	uint32_t memory; /* notifyin_answered() */
	struct replyto to;
	size_t len;
	uint8_t bytes[]; /* the NOERROR answer, not signed yet; `to` holds the key */
};

/* A version that a stream still reads. */
struct stream {
	uint64_t id;
	struct entry *entry;
	struct stream *next; /* of the entry */
	int64_t version;
	int64_t oldest; /* whose rows it may read */
	uint32_t serial;
	bool has_from;
	uint32_t from_serial;
	struct zr_now started;
	struct zr_addr peer;
	const char *downstream; /* interned name */
	bool tls;
	struct tls_peer *tls_peer; /* held */
	bool sure;		   /* of who it is */
	uint64_t forced_event;	   /* forced_stream_event() when it began */
};

/* A NOTIFY owed to one target. */
struct owed {
	struct heap_node timer;
	struct notifyout o;
	struct notifyout_policy policy;
	struct agent *agent;
	struct entry *entry;
	struct owed *next;	/* of the entry */
	int64_t row;		/* in the outbox */
	const char *downstream; /* interned name */
	struct zr_addr target, source;
	bool secure;	     /* not in the clear */
	struct tls_ctx *tls; /* held; with `secure` */
	bool hint, late;     /* late: owed from before a start */
	bool cookie_again;   /* asked anew after BADCOOKIE */
	struct cookie_sent cookie;
	struct owed_sign *sign; /* owed_sign.c; NULL: not signed */
	struct udpq_query *query;
	struct owed *asking, **asking_link; /* while there is one: others that wait */
	uint64_t job;			    /* over TCP */
	struct zr_mono sent;
	uint16_t rcode; /* of the last answer */
};

struct policy {
	struct policy *next;
	struct zone_policy zp;
	const struct config_policy *cfg;
};

/* A configuration that is no longer in force, until nothing looks at it any more. */
struct snapshot {
	struct snapshot *next;
	struct config *cfg;
	struct policy *policies;
};

struct entry {
	struct zone z; /* first: a struct zone * is a struct entry * */
	struct agent *agent;
	uint32_t epoch;
	bool adding;				 /* STORE_ADD_ZONE is under way */
	bool started;				 /* ZONE_EV_START was given */
	bool has_rows, removed, sweeping, sweep; /* the last: an older version may be swept */
	int64_t version;
	uint8_t *soa; /* RDATA, NULL when there are no rows */
	uint16_t soa_len;
	uint32_t soa_ttl;
	uint64_t segments, records, octets;
	uint8_t digest[SEGMENT_DIGEST];
	struct zr_wall loaded_at, checked_at;
	struct probe *probe;
	uint64_t job; /* the running one, also one cancelled and not yet back */
	uint32_t job_attempt, fetch_attempt; /* of the running one; of `fetch` */
	bool job_cancelled, fetch_waits; /* `fetch` is to start when the cancelled job is back */
	struct zone_fetch fetch;
	struct job_done_mail *ready; /* staged: for COMMIT or ABORT */
	uint64_t progress_octets, progress_records;
	struct zr_wall job_started;
	bool committing;
	uint32_t commit_attempt;
	struct waiter *waiters, **waiters_end; /* in the order of their marks */
	struct stream *streams;
	struct owed *owed;
	struct forced_zone *forced;   /* forced.c: last event and its downstreams; NULL: none */
	struct hook_job *hooks;	      /* hook.c: commands owed */
	struct zone_targets *targets; /* targets.c: of zones without a list; NULL: not looked for */
	char *error;		      /* text of the last failure, for live status; NULL = none */
	struct zr_mono triggered;     /* when the running round was asked for, for the log */
	struct zr_wall pending_at;    /* since when something is owed; unset: nothing is */
	struct zr_mono repair_at;     /* no damage makes us transfer it again before that */
	int64_t journal_void;	      /* up to this version it has no differences to be read */
	uint8_t name[];		      /* z.name */
};

struct listener {
	struct listener *next;
	struct agent *agent;
	uint32_t id;
	struct zr_addr addr;
	bool tls; /* and no UDP */
	struct udp_sock *udp;
	struct listen_sock *tcp;
};

/* What a number given to a worker means. */
struct job_rec {
	uint64_t id;
	unsigned worker;
	/* Called once; `d` is freed by the caller unless taken (set to NULL). */
	void (*done)(struct agent *a, void *arg, struct job_done_mail **d);
	void *arg; /* NULL after job_forget(): nobody wants the answer */
};

/*
 * TCP never uses a descriptor as high as these, so that some are left for UDP, files and commands
 * whatever others do (TB-12).  The kernel gives the lowest that is free: a high one means that as
 * many are in use.
 */
struct fd_limits {
	int strangers, peers; /* accepted from them */
	int own;	      /* connections of ours */
};

struct agent_stats {
	uint64_t notify_in, notify_refused, notify_out, checks, transfers, transfers_failed,
	    commits, streams, streams_failed, queries;
};

struct agent {
	struct agent_options opt;
	struct config *cfg;
	struct certs *certs;	  /* of cfg */
	char *database, *control; /* fixed for the life of the process */
	struct event_base *base;
	struct event *signals[4];
	struct mbox *in;
	struct mail *mail; /* taken from `in`, for the next turn */
	struct event *mail_event, *more_event, *timer_event, *sched_event, *lines_event,
	    *certs_event;
	struct store *store;
	struct reader *reader;
	struct worker **workers;
	unsigned worker_count, next_worker, stopped_workers;
	struct listener *listeners;
	uint32_t next_listener;
	struct fd_limits fds;
	struct udpq *udpq, *notifyq;
	unsigned query_sockets;		   /* of udpq */
	struct owed *asking, **asking_end; /* NOTIFYs whose socket waits, oldest first */
	unsigned waiters;
	struct sched sched;
	struct primary **primaries; /* in the order of the configuration */
	size_t primary_count;
	struct primary **retired;	   /* of older configurations, still in use */
	size_t retired_count, zone_octets; /* names and SOAs of the zones */
	struct policy *policies;
	struct snapshot *old;
	unsigned lingering;			  /* removed zones not gone yet */
	struct acl *primary_acl, *downstream_acl; /* id: index into cfg->primaries, downstreams */
	struct notifyin *notifyin;
	struct replay *replay;
	const struct replyto *acting;  /* of the signed NOTIFY that a zone is stepped with */
	struct limiter *query_limit;   /* strangers' queries */
	struct agent_cookies *cookies; /* cookie.c */
	struct notifyout_rate notify_rate, late_rate;
	struct table *zones;   /* by lower-case name */
	struct table *by_id;   /* by store id */
	struct table *jobs;    /* struct job_rec by number */
	struct table *clients; /* struct client_rec by number */
	struct table *client_ips;
	struct table *streams;		 /* by number */
	struct table *names;		 /* interned names of downstreams */
	struct heap timers, owed_timers; /* zones and owed NOTIFYs: by deadline */
	struct heap forced_timers;	 /* zones whose verify window ends */
	struct table *forced_rows;	 /* while the store is loaded: struct forced_zone by zone */
	struct table *no_axfr;		 /* noaxfr.c */
	size_t no_axfr_sweep;		 /* entries at which expired ones are looked for */
	unsigned streams_running;
	uint64_t next_number; /* jobs, clients, streams */
	uint32_t next_epoch;
	struct rng rng;
	struct ctl *ctl;
	struct hooks *hooks;	   /* hook.c */
	struct targets *targets;   /* targets.c: resolver and its cache */
	struct watchdog *watchdog; /* watchdog.c; NULL: nobody waits for it */
	struct log_limit stranger_log, zone_log;
	struct agent_stats stats;
	struct zr_now started;
	struct zr_now now; /* read once per turn */
	unsigned adding;   /* zones whose STORE_ADD_ZONE is under way */
	unsigned outbox;   /* NOTIFYs owed */
	unsigned unseen;   /* zones whose row is not trusted and that nobody was asked about yet */
	bool stopping, ready_told, recheck; /* the last: of rows that are loaded now */
	unsigned store_outstanding;	    /* orders that will come back */
};

bool cut_above(void *arg, const struct zone *z, const uint8_t *qname); /* cut.c */

static inline struct entry *
entry_of(struct zone *z)
{
	return (struct entry *)(void *)z;
}

/* ---- agent.c ---- */

void agent_touch(struct agent *a); /* reads the clock into a->now */
void agent_stop(struct agent *a);
void agent_maybe_quit(struct agent *a); /* ends the loop when stopping and nothing is left */
uint64_t agent_number(struct agent *a);
/* Posts an order whose return on_store() handles. */
void agent_store(struct agent *a, struct store_order *o, bool reply);
const char *agent_intern(struct agent *a, const char *name);
/* Arms the loop's timer for the earliest deadline. */
void agent_rearm(struct agent *a);
/* Sets a timer for a monotonic time, at once when that is past; INT64_MAX: off. */
void agent_arm(const struct agent *a, struct event *timer, int64_t at);
/* When what the store says was not to be done before t may be done. */
struct zr_mono agent_mono(const struct agent *a, struct zr_wall t);
/* Lets the scheduler grant what it can. */
void agent_schedule(struct agent *a);

/* ---- inbox.c: mail, and the log ---- */

void inbox_event(evutil_socket_t fd, short what, void *agent);
void inbox_tell_ready(struct agent *a); /* once, when every zone has its row */
void inbox_free(struct agent *a);
void inbox_log(struct agent *a, bool together); /* the lines of a turn; at first each by itself */

/* ---- zones.c: the registry ---- */

struct entry *entry_new(struct agent *a, const uint8_t *name, const struct zone_policy *p);
void entry_free(struct entry *en); /* out of every table */
struct entry *entry_by_id(struct agent *a, int64_t id);
struct entry *entry_by_name(struct agent *a, const uint8_t *name);
/* Row of the store -> entry, then ZONE_EV_START. */
void entry_start(struct entry *en, const struct store_zone *row);
void entry_take_row(struct entry *en, const struct store_zone *row);
struct rr entry_soa(const struct entry *en); /* borrowed; owner is the zone's name */
void entry_set_soa(struct entry *en, uint8_t *soa, uint16_t len, uint32_t ttl); /* takes it */
size_t entry_memory(const struct agent *a); /* octets for all zones when they are at rest */
const struct config_policy *entry_config(const struct entry *en);
/* Of its policy; "" when there is none. */
void entry_primary_name(const struct entry *en, uint16_t i, char *out, size_t size);
void entry_error(struct entry *en, const char *text); /* NULL clears */
/* The error is that this primary is behind us. */
void entry_behind(struct entry *en, const char *primary, const char *address, uint32_t serial);
/* Configured zones without an entry get one; others are removed; policies are renewed. */
struct reload_count {
	unsigned zones, added, removed, changed;
};
void zones_apply(struct agent *a, struct reload_count *n);
void zones_added(struct agent *a, struct store_order *o); /* STORE_ADD_ZONE came back */
void zones_timer(struct entry *en);			  /* its timer is due */

/* ---- policy.c: what the configuration means to core ---- */

/* Makes primaries, policies, acls and limits of a->cfg; `old` is the snapshot before or NULL. */
void policy_build(struct agent *a, const struct config *old);
const struct zone_policy *policy_for(struct agent *a, const struct config_policy *c);
void policy_clear(struct agent *a);
void policy_sweep_retired(struct agent *a);

/* ---- route.c: orders of the zone machine ---- */

/* Steps the zone, carries out its orders, logs. */
void route_event(
    struct entry *en, enum zone_event ev, const struct zone_arg *arg, struct zone_orders *answer);
void route_store(struct agent *a, struct store_order *o); /* every order that comes back */
void route_sweep(struct entry *en);

/* ---- probe.c: SOA checks ---- */

void probe_start(struct entry *en, const struct zone_order *o);
void probe_cancel(struct entry *en);

/* ---- fetch.c: transfers in, and other work of workers ---- */

void fetch_start(struct entry *en, const struct zone_order *o);
void fetch_cancel(struct entry *en);
void fetch_progress(struct agent *a, const struct job_progress_mail *m);
/* Sends one message over TCP; `done` gets JOB_ANSWER or JOB_FAILED.  Returns the job's number. */
uint64_t job_query(struct agent *a, const struct zr_addr *dest, const struct zr_addr *source,
    struct tls_ctx *tls, const uint8_t *msg, size_t len, int64_t timeout_us,
    void (*done)(struct agent *, void *, struct job_done_mail **), void *arg);
void job_forget(struct agent *a, uint64_t job); /* cancels; done() is not called */
void job_done(struct agent *a, struct job_done_mail *m);
const struct zr_addr *source_for(
    const struct zr_addr *dest, const struct zr_addr *s4, const struct zr_addr *s6);

/* ---- commit.c ---- */

void commit_start(struct entry *en, const struct zone_order *o);
void commit_done(struct entry *en, struct store_order *o);
void commit_abort(struct entry *en); /* throws en->ready and what is staged away */

/* ---- listeners.c, answer.c: requests ---- */

int listeners_open(struct agent *a, struct zr_err *e); /* opens missing ones, closes others */
void listeners_close(struct agent *a);
void answer_udp(struct listener *l, const uint8_t *data, size_t len, const struct zr_addr *from,
    const struct udp_local *local);
void answer_tcp(struct agent *a, struct bytes_mail *m);
void answer_send(struct agent *a, const struct replyto *to, const uint8_t *p, size_t len);
/* The same, signed when the request was.  It may change *b. */
void answer_buf(struct agent *a, const struct replyto *to, struct buf *b);
void answer_marked(struct entry *en, uint16_t seq, bool ok);
void answer_command(struct entry *en, uint16_t seq, struct ctl_reply *r); /* waits as well */
void answer_drop_waiters(struct entry *en);

/* ---- verify.c: signed requests ---- */

/* False: it has been answered, or dropped.  Else to->key tells whether it was signed. */
bool verify_request(struct agent *a, struct replyto *to, const struct msg *m, int parsed);
/* Some primary or downstream has this address. */
bool verify_known(const struct agent *a, const struct zr_addr *from);
/* A NOTIFY was acted upon, or that came to nothing. */
void verify_acted(struct agent *a, const struct replyto *to, bool acted);
struct store_signed *verify_keep(struct agent *a);  /* of a->acting, to be stored; or NULL */
int verify_load(struct agent *a, struct zr_err *e); /* what it has kept */

/* ---- cookie.c: DNS cookies ---- */

void cookie_open(struct agent *a);
void cookie_close(struct agent *a);
void cookie_configure(struct agent *a);
/* Fills to->cookie, once. */
void cookie_look(struct agent *a, struct replyto *to, const struct msg *m);
/* For the answer: COOKIE_OURS octets that live as long as *to, or NULL. */
const uint8_t *cookie_reply(struct agent *a, struct replyto *to, const struct msg *m);
/* Its source sends more than query-rate, and may be forged; after cookie_look(). */
bool cookie_flooded(struct agent *a, const struct replyto *to, uint16_t qtype);
/* For a query of ours; source may be NULL or unset. */
void cookie_ask(struct agent *a, const struct zr_addr *dest, const struct zr_addr *source,
    struct cookie_sent *out);
enum cookiejar_verdict cookie_answer(struct agent *a, const struct zr_addr *dest,
    const struct cookie_sent *sent, const struct msg *m);
void cookie_without(struct agent *a, const struct zr_addr *dest);

void clients_accept(void *arg, int fd, const struct zr_addr *peer, const struct zr_addr *local);
void clients_gone(struct agent *a, const struct accept_mail *m);

/* ---- serve.c: transfers out ---- */

void serve_query(struct agent *a, struct replyto *to, const struct msg *m, int parsed);
void serve_stream_done(struct agent *a, struct stream_done_mail *m);
int64_t serve_oldest(const struct entry *en); /* oldest version still being read */

/* ---- outbox.c: NOTIFY out ---- */

/* rows.c: rows for a commit, or for the operator: who must hear of it. */
struct outbox_ask {
	uint16_t qtype;
	uint32_t serial;
	const char *only; /* name of a downstream; NULL: all */
	bool operator;	  /* by command: at once, and whoever it is */
	bool commit;	  /* of the commit that is being prepared */
};
struct store_notify *outbox_rows(struct entry *en, const struct outbox_ask *q, size_t *count);
/*
 * Rows that are about to be written, of one event of the zone: leaves out those whom a
 * forced one is not for, turns AXFR into SOA where AXFR is not known, spreads the first sends
 * (A-09; not_before of the first row is when that begins).  Returns how many are left.  Also for
 * targets.c when it replaces a row.
 */
size_t outbox_spread(struct entry *en, struct store_notify *v, size_t n);
/* How a row is sent; NULL: not at all, it is nobody's any more.  For the pseudo names too. */
const struct config_downstream *outbox_target(
    const struct entry *en, const char *name, const struct zr_addr *target);
/* The name under which the address is notified now: this one, or another if it has none of that
 * name any more; NULL: it is nobody's. */
const char *outbox_name(const struct entry *en, const char *name, const struct zr_addr *target);
/* Tries, time and name of a row, or its end; the latter because nobody has the address any more. */
void outbox_store(struct entry *en, const struct store_notify *r, bool remove);
void outbox_strike(struct entry *en, const struct store_notify *r);
/* The zone's downstream of this name, or NULL. */
const struct config_downstream *outbox_downstream(const struct entry *en, const char *name);
/* NOTIFY(AXFR) leaves so long after the command of a downstream that has one for it. */
#define OUTBOX_COMMAND_US (1 * ZR_US_PER_S)
bool outbox_has_command(const struct entry *en, const char *name);
/* How long the first NOTIFY(AXFR)s of the last event are spread over. */
int64_t outbox_splay(const struct entry *en, size_t targets);
/* Rows came back from the store with their ids: from now on they are owed. */
void outbox_owe(struct entry *en, const struct store_notify *rows, size_t n, bool late);
void outbox_timer(struct owed *o);
/* event: when it was the whole zone, what forced_stream_event() said as it began; else 0. */
void outbox_fetched(struct entry *en, const char *downstream, const struct zr_addr *peer,
    uint32_t serial, int64_t version, uint64_t event, bool has);
/* rows.c: it is remembered for status. */
void outbox_store_fetched(struct entry *en, const char *downstream, const struct zr_addr *peer,
    uint32_t serial, int64_t version);
void outbox_drop(struct entry *en);
void outbox_reconfigure(struct entry *en);

/* ---- forced.c: the last forced transfer and what became of it ---- */

/* Before the commit of a forced transfer: judges it (core/forced.h) and fills c->forced. */
enum forced_verdict forced_before(
    struct entry *en, const struct zone_commit *zc, struct store_commit *c);
/*
 * Is a NOTIFY(AXFR) of the last event not for this address?  next: of the one that
 * forced_before() has just judged.
 */
bool forced_leave_out(
    const struct entry *en, bool next, const char *downstream, const struct zr_addr *target);
/* Of the commit being prepared: it goes to nobody; to no address of this downstream. */
bool forced_leave_all(const struct entry *en);
bool forced_leave_out_all(const struct entry *en, const char *downstream);
/* When the commit is done: the event is in force, and its downstreams are waited for. */
void forced_committed(struct entry *en, const struct store_commit *c);
/* The operator sends NOTIFY(AXFR) without a transfer: a new event. */
void forced_command(struct entry *en);
/* Rows are on disk: whom the last event is for.  late: they were there at the start. */
void forced_owed(struct entry *en, const struct store_notify *rows, size_t n, bool late);
/* An AXFR out begins: the number of the event it satisfies. */
uint64_t forced_stream_event(const struct entry *en);
/* The primaries disagree: only the first one is believed. */
bool forced_is_pinned(const struct entry *en);
/* Takes over what the store has of it; before ZONE_EV_START. */
void forced_start(struct entry *en, const struct store_zone *row, struct zone_start *st);
/* At start, from the store: before the zones, and after them. */
int forced_load(struct agent *a, struct zr_err *e);
void forced_loaded(struct agent *a);
void forced_drop(struct entry *en);
void forced_free(struct agent *a);

/* ---- forced_peer.c: its downstreams ---- */

/* outbox.c tells what happens to a NOTIFY(AXFR). */
void forced_peer_seen(struct entry *en, const char *downstream, const struct zr_addr *target,
    enum forced_peer_event ev, const char *text);
/* An AXFR out has ended well; event: what forced_stream_event() said when it began. */
void forced_fetched(
    struct entry *en, const char *downstream, const struct zr_addr *peer, uint64_t event);
/* The address has had the zone since the newest event that was for it. */
bool forced_covers(
    const struct entry *en, const char *downstream, const struct zr_addr *target, uint64_t event);
/* The address gets NOTIFY(SOA) in place of the event. */
void forced_skipped(struct entry *en, const char *downstream, const struct zr_addr *target);
void forced_reconfigure(struct entry *en);
void forced_timer(struct forced_zone *fz);

/* ---- noaxfr.c: addresses that do not know NOTIFY(AXFR) (A-12) ---- */

/* It is known now; *until (may be NULL) is set. */
bool forced_unsupported(struct agent *a, const struct zr_addr *target, struct zr_wall *until);
void forced_remember(struct agent *a, const struct zr_addr *target, const char *text);
void forced_forget(struct agent *a, const struct zr_addr *target);
int noaxfr_load(struct agent *a, struct zr_err *e);
void noaxfr_free(struct agent *a);

/* ---- hook.c: commands of downstreams ---- */

/* Rows for the commit order; NULL and 0 when no downstream has a command for it. */
struct store_hook *hook_rows(
    struct entry *en, const struct zone_commit *zc, const char *source, size_t *count);
/* Rows are on disk: they are run when it is their turn.  Also at start. */
void hook_owe(struct entry *en, const struct store_hook *rows, size_t n);
int hook_open(struct agent *a, struct zr_err *e); /* queue; before hook_owe() */
/*
 * Stopping: what runs is told to end, and stays owed until after the next start.  While hook_busy()
 * the loop is not to end; it asks agent_maybe_quit() again, after 5 s at the latest.
 */
void hook_stop(struct agent *a);
bool hook_busy(const struct agent *a);
void hook_close(struct agent *a); /* kills what still runs; NULL-safe, before or after the zones */
void hook_drop(struct entry *en);
void hook_reconfigure(struct entry *en);
/* One object of kind "hook" for each, ended by a newline (which ctl_body() does not want). */
void hook_json(struct buf *b, const struct entry *en);

/* ---- targets.c: whom to notify when no list is given ---- */

int targets_open(struct agent *a, struct zr_err *e);
void targets_close(struct agent *a);
/* After a reload: own addresses, resolvers. */
void targets_reconfigure(struct agent *a);
/* The zone's NOTIFYs go to computed targets; also-notify alone does not make it so. */
bool targets_computed(const struct entry *en);
/*
 * A row without target is owed: finds out whom it is for, then posts a STORE_OUTBOX_ADD that
 * replaces it.  Names that do not resolve are tried again while the others are notified.
 */
void targets_expand(struct entry *en, const struct store_notify *row);
/* A STORE_OUTBOX_ADD has come back, whatever became of it. */
void targets_posted(struct entry *en, const struct store_order *o);
/* Is this address one of the zone's targets as far as is known (also-notify included)? */
bool targets_has(const struct entry *en, const struct zr_addr *target);
void targets_drop(struct entry *en);
void targets_json(struct buf *b, struct entry *en); /* one line of kind "target" for each */

/* Would a message to this address reach ourselves (PL-04, D-3e)?  As of 30 s ago. */
bool agent_own_address(const struct agent *a, const struct zr_addr *addr);

/* ---- live.c: the control socket ---- */

int live_open(struct agent *a, struct zr_err *e);
void live_marked(struct ctl_reply *r, bool ok);		    /* the zone's mark is on disk */
void live_synced(struct agent *a, struct store_order *o);   /* STORE_SYNC came back */
void live_notified(struct agent *a, struct store_order *o); /* rows of `notify` came back */

/* ---- watchdog.c ---- */

int watchdog_open(struct agent *a, struct zr_err *e);
void watchdog_answered(struct agent *a); /* a worker, or the store */
void watchdog_close(struct agent *a);

/* ---- reload.c ---- */

/* Frees old configurations when nothing uses them any more. */
void reload_sweep(struct agent *a);
/* Loads the file again and applies the difference.  Problems go to the log, and to `problem` if not
 * NULL. */
int agent_reload(struct agent *a, struct reload_count *n,
    void (*problem)(void *arg, bool error, const char *text), void *arg);
