/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the NOTIFYs of a zone go when no list is given (N-30, PL-03..PL-08, PL-10): the hosts
 * of its NS RRset, or the single addresses of its transfer list, less those that need none, each
 * with the reason.  Pure: names are resolved before, addresses of this machine are asked for.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

#define TARGETS_MAX                                                                                \
	256 /* addresses considered for one zone; what is above is left out (hostile NS) */

enum targets_mode { TARGETS_EXPLICIT, TARGETS_NS, TARGETS_NS_AND_ACL, TARGETS_ACL };

enum targets_why {
	TARGETS_IN,	     /* is notified */
	TARGETS_ALSO,	     /* is notified: also-notify */
	TARGETS_OWN,	     /* an address of ours (PL-04) */
	TARGETS_MNAME,	     /* the host of SOA MNAME (PL-07) */
	TARGETS_PRIMARY,     /* a primary of the zone (PL-08) */
	TARGETS_NOT_ALLOWED, /* may not transfer (PL-05) */
	TARGETS_SILENT,	     /* belongs to a downstream with notify: no */
	TARGETS_PREFIX,	     /* a prefix of the transfer list, which names no host (PL-06) */
	TARGETS_UNRESOLVED,  /* its name has no address; text says why (PL-09) */
	TARGETS_TWICE,	     /* another name of an address that is in already */
	TARGETS_TOO_MANY,
	TARGETS_WHY_COUNT
};

extern const char *const targets_why_names[TARGETS_WHY_COUNT]; /* "in", "also-notify", "own", ... */
/* A sentence for people. */
extern const char *const targets_why_text[TARGETS_WHY_COUNT];

struct target {
	const uint8_t *host; /* lower-case wire name; NULL: given as an address; borrowed */
	struct zr_addr
	    addr;     /* with port; family 0: none (UNRESOLVED); PREFIX: its address, port 0 */
	uint8_t bits; /* PREFIX */
	uint32_t downstream; /* index of the caller's it belongs to; TARGETS_NOBODY: none */
	enum targets_why why;
	const char *text; /* UNRESOLVED: of the resolver; borrowed; else NULL */
};

#define TARGETS_NOBODY UINT32_MAX

/* One NS host with what the resolver knows of it. */
struct target_host {
	const uint8_t *name;	    /* lower-case wire */
	const struct zr_addr *addr; /* port 53 */
	size_t count;
	const char *error; /* with count 0 */
};

/* One entry of the zone's transfer list. */
struct target_acl {
	struct zr_prefix prefix;
	uint32_t downstream; /* index of the caller's */
	bool notify;
	/* Where this downstream is notified, when the prefix is one of its addresses: the port. */
	uint16_t port; /* 0: 53 */
};

struct targets_ask {
	enum targets_mode mode;
	const struct target_host *hosts; /* of the NS RRset, in its order */
	size_t host_count;
	const uint8_t *mname; /* lower-case wire; NULL: not to be left out */
	const struct target_acl *acl;
	size_t acl_count;
	const struct zr_addr *primaries, *also;
	size_t primary_count, also_count;
	bool (*own)(void *arg, const struct zr_addr *a);
	void *arg;
};

/*
 * Everybody considered, in order: NS hosts or the transfer list (in mode EXPLICIT `acl` is the
 * addresses of the downstreams), then also-notify.  Of the addresses of NS hosts TARGETS_MAX are
 * considered; the next one is TARGETS_TOO_MANY and stands for the rest.  The caller frees the array
 * with free(); names and texts in it are those of the ask.
 */
struct target *targets_find(const struct targets_ask *q, size_t *count);
