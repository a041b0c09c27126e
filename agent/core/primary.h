/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is known about one configured primary, shared by all zones that use it: back-off of
 * each address (10 s doubling to 640 s, cleared by a success or a NOTIFY from it), whether it
 * understands EDNS and IXFR (I-05, I-12), and its place in the scheduler.  Pure; the main
 * loop owns it.  The app tells it the outcome of every query before it tells the zone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/err.h"
#include "core/sched.h"

#define PRIMARY_HOLD_FIRST_US (10 * ZR_US_PER_S)
#define PRIMARY_HOLD_MAX_US (640 * ZR_US_PER_S)
#define PRIMARY_PLAIN_US (3600 * ZR_US_PER_S)	      /* no EDNS for so long, then try again */
#define PRIMARY_IXFR_OFF_US (48 * 3600 * ZR_US_PER_S) /* no IXFR for so long */
#define PRIMARY_IXFR_BAD_MAX 3			      /* bad IXFRs in a row that switch it off */

struct primary_address {
	struct zr_addr addr;
	int64_t hold_us;  /* not asked before then */
	int64_t plain_us; /* asked without EDNS until then */
	uint8_t failures; /* exponent of the hold */
	bool alive;	  /* the last query was answered, and there was one */
};

/* Who may send NOTIFY(AXFR) on its behalf. */
enum primary_forced {
	PRIMARY_FORCED_AUTO, /* authenticated when it has a key or certificate, else by address */
	PRIMARY_FORCED_ADDRESS, /* by address */
	PRIMARY_FORCED_KEY,	/* authenticated only */
	PRIMARY_FORCED_OFF	/* nobody */
};

struct primary {
	struct sched_peer peer;
	uint32_t id; /* as in the acl */
	uint16_t address_count;
	uint8_t ixfr_bad;
	bool ixfr;		    /* configuration: may be asked for IXFR */
	bool edns;		    /* configuration: may be sent OPT */
	bool keyed;		    /* configuration: has a key or certificate for its NOTIFYs */
	bool notify_signed;	    /* configuration: each of its NOTIFYs must have it */
	enum primary_forced forced; /* configuration; these are set after primary_init() */
	const uint8_t *notify_key;  /* the name of the key, lower-case wire; NULL: none; borrowed */
	int64_t ixfr_off_us;
	struct primary_address *address; /* owned */
	void *app;			 /* the app's: its configuration */
};

/* Copies the addresses.  Limits as sched_peer_init(). */
void primary_init(struct primary *p, uint32_t id, const struct zr_addr *addrs, size_t n, bool ixfr,
    bool edns, const struct sched_limits limits[SCHED_WHAT_COUNT]);
void primary_clear(struct primary *p);

/* First address with index >= from that is not held, or -1. */
int primary_pick(const struct primary *p, unsigned from, struct zr_mono now);
/* When the first of its addresses may be asked again; <= now: at once. */
struct zr_mono primary_ready_at(const struct primary *p);

/*
 * The outcome of a query to an address.  Only codes which mean that nothing is there (timeout, I/O,
 * closed before any answer) start a hold; an answer of any RCODE proves life.  Of many
 * queries failing together only the first counts.  True when the address went on hold.
 */
bool primary_failed(struct primary *p, unsigned address, enum zr_code code, struct zr_mono now);
void primary_ok(struct primary *p, unsigned address, struct zr_mono now);
/* A NOTIFY came: the hold ends.  address -1: from another host on its behalf, all addresses. */
void primary_notified(struct primary *p, int address);

/* Index of the address with this IP, or -1. */
int primary_find(const struct primary *p, const struct zr_addr *a);

bool primary_use_edns(const struct primary *p, unsigned address, struct zr_mono now);
void primary_edns_failed(struct primary *p, unsigned address, struct zr_mono now);
bool primary_use_ixfr(const struct primary *p, struct zr_mono now);
/* at_once: NOTIMP or FORMERR, it does not know IXFR; else one bad answer among others. */
void primary_ixfr_failed(struct primary *p, bool at_once, struct zr_mono now);
void primary_ixfr_ok(struct primary *p);
