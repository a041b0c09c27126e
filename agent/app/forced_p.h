/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is remembered of the forced transfers of one zone (forced.c, forced_peer.c; json.c and
 * rows.c look).  Only zones that had one have it.
 */
#pragma once

#include "app/agent_p.h"

#define FORCED_TEXT_MAX 96

/* What became of the last event at one address. */
struct forced_peer {
	struct forced_peer *next;
	const char *downstream; /* interned name, or "ns", "also" */
	struct zr_addr target;
	uint64_t event; /* newest one that was for it */
	enum forced_peer_state state;
	struct zr_wall at;
	char text[FORCED_TEXT_MAX];
};

struct forced_zone {
	struct heap_node timer; /* a verify window ends */
	struct agent *agent;
	struct entry *entry; /* NULL while the store is loaded */
	int64_t zone_id;
	struct forced f;			 /* f.event: commands of the operator count too */
	struct forced next;			 /* of the commit under way */
	const char *notifier, *source;		 /* interned names of primaries; "" = nobody */
	const char *next_notifier, *next_source; /* of the commit under way */
	uint64_t same_since; /* first event with this content: who verified one since needs none */
	struct zr_wall event_at;  /* commit, or command */
	bool raised, next_raised; /* to a greater serial, so that NOTIFY(SOA) does something */
	bool odd, next_odd;	  /* content changed, and no greater serial says so */
	bool settled;		  /* the store has been told that all downstreams hold it */
	struct forced_peer *peers;
};

struct forced_zone *forced_zone_get(struct entry *en);		       /* makes it */
struct forced_zone *forced_zone_new(struct agent *a, int64_t zone_id); /* while loading */
struct forced_peer *forced_peer_find(
    const struct forced_zone *fz, const char *downstream, const struct zr_addr *target);
int forced_load_peers(struct agent *a, struct zr_err *e);
void forced_clear_peers(struct forced_zone *fz);
/* Addresses that no event was for since this one (A-06 compares with that at most). */
void forced_forget_peers(struct forced_zone *fz, uint64_t event);
/* Of the rows of a commit: those that got NOTIFY(SOA) because they do not know AXFR. */
void forced_skip_rows(struct entry *en, const struct store_notify *rows, size_t n);
