/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The store: SQLite behind one thread, which is the only writer.
 *
 * Life: store_open() locks, opens and migrates in the calling thread, and only notes what a crash
 * left; store_each_*() read what the main loop needs; store_start()
 * starts the thread (and helpers that write the WAL back and sync it); from then on only
 * store_post() until store_stop().
 *
 * An order is one heap object.  Posting hands it over; when it has been carried out and its
 * transaction has committed, it is posted back to order->reply (mail.type STORE_DONE) with err
 * filled, or freed when reply is NULL.  Whoever gets it back frees it with store_order_free().
 *
 * Orders are executed in groups, one transaction each (group commit).  Lanes: every order but
 * STORE_STAGE goes first, in order of posting; STORE_STAGE orders follow in small groups, so a huge
 * zone never delays the commit of a small one.  Hence a STORE_COMMIT must be posted only after the
 * STORE_STAGE orders of its version have come back.  STORE_SWEEP, and
 * STORE_PEER_SEEN of a primary's serial, may be held back (100 and 20 ms) and come behind orders
 * posted after them, but not the latter behind STORE_COMMIT or STORE_TIMERS of its zone;
 * STORE_SYNC comes behind all but sweeping.
 *
 * A group with a durable order is fsynced before anything of it is reported; others are not (WAL,
 * synchronous=NORMAL).  STORE_MARK and STORE_SYNC are synced and reported by a thread of its own,
 * while the next group is carried out: so the answer to a later order may come before.
 *
 * When a group fails its orders are tried one by one; what fails then carries the reason in
 * err and has changed nothing (but what could not be synced may yet be there): ZR_DB (disk full,
 * ...: the same order may work later), ZR_NOTFOUND (the zone is removed), ZR_INTERNAL (the order
 * makes no sense), ZR_NOMEM.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mbox.h"
#include "wire/segment.h"

struct store;

/* A transfer stops reading from its primary while it has this much staged and unanswered. */
#define STORE_CREDIT_BYTES (1024 * 1024)
/* Up to this much is not staged but travels inside the commit order. */
#define STORE_INLINE_BYTES (256 * 1024)

enum store_pending { PENDING_NONE = 0, PENDING_CHECK = 1, PENDING_FORCE = 2 };

/* A zone as stored. */
struct store_zone {
	int64_t id;
	const uint8_t *name; /* lower-case wire; borrowed during the callback */
	int64_t version;     /* 0 = nothing was ever stored */
	bool has_data;
	uint32_t serial; /* valid with has_data */
	uint32_t soa_ttl;
	const uint8_t *soa; /* RDATA; borrowed */
	uint16_t soa_len;
	const uint8_t *soa_owner; /* apex with the case the primary sent; borrowed */
	uint8_t digest[SEGMENT_DIGEST];
	uint64_t segments, records, octets;
	struct zr_wall loaded_at;  /* commit of this version */
	struct zr_wall checked_at; /* last successful check */
	struct zr_wall refresh_at;
	struct zr_wall expire_at;
	enum store_pending pending;
	struct zr_wall pending_since;
	const char *pending_notifier; /* primary whose NOTIFY it is; "" = nobody's; borrowed */
	bool pending_authenticated;
	uint32_t failures;  /* checks or transfers failed in a row */
	bool ambiguous;	    /* `serial` may name two contents: next refresh by AXFR (A-10 (4)) */
	enum zr_code error; /* last failure, ZR_OK = none since the last success */
	const char *error_text, *error_peer; /* "" = none; borrowed */
	struct zr_wall error_at, next_try;
};

/*
 * One owed NOTIFY.  Without a target (family 0, name ""): who must hear of it is still to be
 * found out; STORE_OUTBOX_ADD with `replaces` puts the targets in its place.
 */
struct store_notify {
	int64_t id;
	int64_t zone_id;
	char downstream[64]; /* name in the configuration */
	struct zr_addr target;
	uint16_t qtype; /* SOA or AXFR */
	uint32_t serial;
	struct zr_wall not_before;
	uint32_t tries;
};

/* The last forced transfer of a zone; core/forced.h says what it means. */
struct store_forced {
	int64_t zone_id;
	uint64_t event;
	struct zr_wall at, event_at;
	uint32_t serial;
	int64_t version;
	uint8_t digest[SEGMENT_DIGEST], before[SEGMENT_DIGEST];
	uint32_t repeats, alternations;
	int64_t duration_us;
	char verdict[16];
	char notifier[64], source[64]; /* names of primaries; notifier "": the operator */
	uint64_t keep; /* order only: what is known of addresses since lower events goes; 0: none */
};

/* What became of it at one address of a downstream. */
struct store_forced_peer {
	int64_t zone_id;
	char name[64];
	struct zr_addr target;
	uint64_t event;
	char state[16];
	struct zr_wall at;
	char text[ZR_ERR_TEXT];
	bool remove; /* nothing is to be known of it any more: zone, name and target say which */
};

/* An address that does not know NOTIFY(AXFR). */
struct store_no_axfr {
	struct zr_addr target;
	struct zr_wall until;
	char text[64];
};

/* A command of a downstream that is to be run; one for each zone and name, newer replaces older. */
struct store_hook {
	int64_t id; /* filled in by the store */
	int64_t zone_id;
	char name[64];		     /* of the downstream */
	bool forced;		     /* stays set when a newer one that is not forced replaces it */
	uint32_t serial, old_serial; /* the newest, and what the server had before the oldest */
	bool has_old;
	char source[64]; /* name of the primary */
	struct zr_wall not_before;
	uint32_t tries;
};

/* The newest time at which a key has signed a NOTIFY that was acted upon (TS-09). */
struct store_signed {
	uint64_t time;	  /* seconds */
	uint8_t key[255]; /* its name, lower-case wire */
};
/* Two clocks, not one: the later time takes the place of an earlier one that is so much above. */
#define STORE_SIGNED_APART_S 7200

/* How a try of it ended. */
struct store_hook_result {
	struct zr_wall at;
	int64_t duration_us;
	bool forced;
	uint32_t serial;
	char state[8]; /* "done", "retry", "failed" */
	char text[ZR_ERR_TEXT];
};

/* ---- staged content ---- */

/* A KILL may take back a segment staged before for the same version. */
enum stage_kind { STAGE_SEGMENT, STAGE_KILL, STAGE_DELTA };

/* One change to the segments or the journal of a version under construction. */
struct stage_op {
	struct stage_op *next;
	enum stage_kind kind;
	int64_t segment_id; /* KILL: row that ends with this version */
	uint32_t step;	    /* DELTA: step within the version, from 0 */
	uint8_t part;	    /* DELTA: 0 deletions (old SOA first), 1 additions (new SOA first) */
	uint32_t chunk;	    /* DELTA: number within the part, from 0 */
	uint32_t from_serial, to_serial; /* DELTA */
	uint32_t rrs;
	uint8_t digest[SEGMENT_DIGEST]; /* SEGMENT */
	uint16_t key_len;		/* SEGMENT; the key stands in front of the data */
	size_t len;			/* octets of data */
	uint8_t bytes[];		/* key, then data */
};

struct stage_batch {
	struct stage_op *head;
	struct stage_op **tail;
	size_t octets;
	size_t count;
};

struct stage_batch *stage_batch_new(void);
void stage_batch_free(struct stage_batch *b);
/* Copies; -1 with ZR_NOMEM. */
int stage_segment(struct stage_batch *b, const struct segment *s, struct zr_err *e);
int stage_kill(struct stage_batch *b, int64_t segment_id, size_t octets, struct zr_err *e);
int stage_delta(struct stage_batch *b, uint32_t step, uint8_t part, uint32_t chunk,
    uint32_t from_serial, uint32_t to_serial, const uint8_t *data, size_t len, uint32_t rrs,
    struct zr_err *e);

/* ---- orders ---- */

enum store_op {
	STORE_ADD_ZONE,	   /* zone.name -> zone_id; an existing row is taken over with its data */
	STORE_REMOVE_ZONE, /* marks it removed; data is swept after STORE_REMOVED_KEEP_S */
	STORE_MARK,	   /* durable: pending := max(pending, mark.pending) */
	STORE_STAGE,	   /* stage: batch for (zone_id, version) */
	STORE_COMMIT,	   /* commit: the flip */
	/*
	 * Forget everything staged for (zone_id, version), also STAGE orders that still wait.  What
	 * is in the database is removed bit by bit; later STAGE orders of the zone wait for that.
	 */
	STORE_ABORT,
	STORE_TIMERS, /* timers: a check that changed nothing, or failed */
	/*
	 * outbox: NOTIFYs owed without a commit (operator).  One row for each zone, target and
	 * downstream: newer absorbs older under a new id, AXFR absorbs SOA.
	 */
	STORE_OUTBOX_ADD,
	/*
	 * notify: tries, next time and name of one row, or its end; no row: nothing.  With the name
	 * and target of another row it and that become one, under the higher of the two ids.
	 */
	STORE_OUTBOX_SET,
	STORE_PEER_SEEN,    /* peer: what a primary or downstream was seen to hold or do */
	STORE_LOG_TRANSFER, /* log: a transfer out, or one that failed */
	STORE_FORCED_PEER,  /* forced_peer: what became of the last forced transfer at an address */
	STORE_NO_AXFR,	    /* no_axfr: remembers an address; until unset: forgets it */
	STORE_SIGNED,	    /* signature: remembers the time of a key; time 0: forgets it */
	/*
	 * settle: every downstream has fetched this version or a later one, so nobody holds what
	 * was before it (A-10 (2)).  What became ambiguous later stays as it is.
	 */
	STORE_AMBIGUOUS_CLEAR,
	STORE_JOURNAL_VOID, /* no fields: none of its differences is to be read any more */
	STORE_HOOK_SET,	    /* hook: the result of a try, and the end of the row, or its next try */
	STORE_SWEEP,	    /* sweep: remove dead segments and old journal of one zone */
	STORE_SYNC,	    /* nothing; durable; comes back when all before it is on disk */
	STORE_PING	    /* nothing: comes back from a store that works */
};

#define STORE_DONE 1 /* mail.type of an order that comes back */
#define STORE_REMOVED_KEEP_S (7 * 24 * 3600)

/* A line of the transfer log. */
struct store_log {
	struct zr_wall at; /* start */
	int64_t duration_us;
	bool out;      /* to a downstream; else from a primary */
	char kind[8];  /* "AXFR", "IXFR"; under TLS "AXoT", "IXoT" */
	char peer[64]; /* name in the configuration, or address when unknown */
	char address[ADDR_TEXT_MAX];
	bool has_from;
	uint32_t from_serial, to_serial;
	uint64_t octets, records, messages;
	enum zr_code code; /* ZR_OK = success */
	char text[ZR_ERR_TEXT];
};

static inline const char *
store_kind(bool diff, bool tls)
{
	return diff ? (tls ? "IXoT" : "IXFR") : tls ? "AXoT" : "AXFR";
}

/* Of a forced transfer that is owed; otherwise not looked at. */
struct store_caller {
	char notifier[64]; /* name of the primary; "": by command */
	bool authenticated;
};

struct store_commit {
	/* The new one: that of the zone + 1, ZR_INTERNAL otherwise.  Without content the zone keeps
	 * its version, and this is set to it on return. */
	int64_t version;
	struct stage_batch *batch; /* rest of the content, or NULL; owned by the order */
	bool content;		   /* false: identical content, only timers and marks move */
	uint32_t serial;
	uint32_t soa_ttl;
	uint8_t *soa; /* RDATA; owned (free) */
	uint16_t soa_len;
	uint8_t *soa_owner; /* wire name; owned (free) */
	uint8_t digest[SEGMENT_DIGEST];
	/* segments and digest must be what the stage amounts to, ZR_INTERNAL otherwise; records and
	 * octets are counted by the store */
	uint64_t segments, records, octets;
	bool drop_journal; /* the chain is broken: every step is void, those staged for this version
			      too; so it is when a version brings no step */
	bool ambiguous;	   /* old_serial, and what lies between it and a lower serial, is ambiguous
			      until all who may hold it have expired */
	uint32_t old_serial;
	struct zr_wall loaded_at, checked_at, refresh_at, expire_at;
	enum store_pending pending_after; /* what is still owed after this commit */
	struct store_caller caller_after;
	struct store_notify *notify; /* outbox rows; as STORE_OUTBOX_ADD; owned (free) */
	size_t notify_count;
	bool has_forced;
	struct store_forced forced; /* with has_forced: what the zone's row becomes */
	/* Owned (free); filled in: ids, and what is left of a row that was absorbed: forced, old
	 * serial. */
	struct store_hook *hooks;
	size_t hook_count;
	struct store_log log;
	uint32_t journal_max_steps; /* older versions' steps are void; 0 = no journal */
	uint64_t journal_max_octets;
};

struct store_timers {
	struct zr_wall checked_at, refresh_at, expire_at; /* unset: leave as it is */
	bool set_pending;
	enum store_pending pending;
	struct store_caller caller;
	uint32_t failures;
	enum zr_code code; /* last error; ZR_OK clears it */
	char text[ZR_ERR_TEXT];
	char peer[64];
	struct zr_wall at, next_try;
};

enum peer_event {
	PEER_PRIMARY_SOA,	/* a primary answered with this serial */
	PEER_PRIMARY_ERROR,	/* a primary failed: text */
	PEER_DOWNSTREAM_SENT,	/* NOTIFY left */
	PEER_DOWNSTREAM_ACKED,	/* NOTIFY answered NOERROR */
	PEER_DOWNSTREAM_FAILED, /* NOTIFY refused or given up: text */
	PEER_DOWNSTREAM_FETCHED /* it transferred this serial and version, or has them already */
};

struct store_peer {
	enum peer_event event;
	char name[64];
	struct zr_addr addr;
	uint32_t serial;
	int64_t version;
	struct zr_wall at;
	enum zr_code code;
	char text[ZR_ERR_TEXT];
};

struct store_order {
	struct mail mail;
	enum store_op op;
	bool durable;	    /* fsync before it is reported; STORE_MARK and STORE_SYNC always */
	struct mbox *reply; /* NULL: nobody waits */
	uint64_t cookie;    /* the poster's */
	void *owner;	    /* the poster's */
	int64_t zone_id;
	struct zr_err err; /* result */
	union {
		struct {
			uint8_t name[255];
			/* result when the row existed; freed with the order */
			struct store_zone *zone;
		} add;
		/*
		 * Notifier and authenticated are taken over when the row rises to FORCE, and when
		 * an authenticated one comes on top of one that was not.
		 */
		struct {
			enum store_pending pending;
			struct zr_wall since;
			char notifier[64];
			bool authenticated;
			/* Of the NOTIFY, when it was signed; owned (free), may be NULL. */
			struct store_signed *signature;
		} mark;
		struct {
			int64_t version;
			struct stage_batch *batch; /* owned */
			bool found;		   /* result of ABORT: something had been staged */
		} stage;			   /* also STORE_ABORT */
		struct store_commit commit;
		struct store_timers timers;
		struct {
			struct store_notify *v; /* owned */
			size_t count;
			int64_t replaces; /* id of a row without target that goes; 0: none */
			/* Result: that row was not there, for a newer one has absorbed it; nothing
			 * was added, and the ids are 0. */
			bool gone;
		} outbox; /* ids, and qtype where a row was absorbed, are filled in on return */
		struct {
			struct store_notify row;
			bool remove;
		} notify;
		struct store_peer peer;
		struct store_forced_peer forced_peer;
		struct store_no_axfr no_axfr;
		struct store_signed signature;
		struct {
			int64_t version; /* 0: whatever is ambiguous now */
		} settle;
		struct {
			struct store_hook row;
			bool remove;
			bool has_result;
			struct store_hook_result result;
		} hook; /* a row that is gone was replaced by a newer one: only the result is kept
			 */
		struct store_log log;
		struct {
			/* Oldest version a transfer out still reads; for an IXFR that of its first
			 * chunk.  Segments that died up to it and void steps before it go. */
			int64_t keep_version;
			bool more; /* result: there is more to sweep */
		} sweep;
	};
};

/* Only as large as this op needs: neither change op nor copy the struct. */
struct store_order *store_order_new(enum store_op op, int64_t zone_id);
void store_order_free(struct store_order *o);

/* ---- door ---- */

struct store_conf {
	const char *path;
	bool slow; /* tests: sleep slow_ms before every commit */
	unsigned slow_ms;
};

/* 0, or -1 with a text that says what to do.  Refuses a database of a newer version. */
int store_open(struct store **out, const struct store_conf *c, struct zr_err *e);
/* Before store_start().  The callback returns 0 to go on. */
int store_each_zone(
    struct store *s, int (*cb)(void *, const struct store_zone *), void *arg, struct zr_err *e);
int store_each_outbox(
    struct store *s, int (*cb)(void *, const struct store_notify *), void *arg, struct zr_err *e);
/* What is there to be loaded by the main loop, in no particular order. */
int store_each_forced(
    struct store *s, int (*cb)(void *, const struct store_forced *), void *arg, struct zr_err *e);
int store_each_forced_peer(struct store *s, int (*cb)(void *, const struct store_forced_peer *),
    void *arg, struct zr_err *e);
int store_each_no_axfr(
    struct store *s, int (*cb)(void *, const struct store_no_axfr *), void *arg, struct zr_err *e);
int store_each_signed(
    struct store *s, int (*cb)(void *, const struct store_signed *), void *arg, struct zr_err *e);
int store_each_hook(
    struct store *s, int (*cb)(void *, const struct store_hook *), void *arg, struct zr_err *e);
/*
 * When the run before ended in order: all that it had committed is on the disk.  Unset: it did not,
 * so versions that were served may be lost, and with them what they had ended.
 */
struct zr_wall store_ended(const struct store *s);
int store_start(struct store *s, struct zr_err *e);
void store_post(struct store *s, struct store_order *o); /* any thread */
/* Before store_stop(): this run ends in order, and nothing is open of how the one before did. */
void store_end_in_order(struct store *s);
/* Carries out what is queued, ends the thread, checkpoints, closes, frees. */
void store_stop(struct store *s);
