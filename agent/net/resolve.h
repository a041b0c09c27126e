/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Addresses of hosts, from recursive resolvers (PL-09): A and AAAA, without blocking, remembered.
 * Many may wait for one name: it is looked up once.  Owner: the thread of the base.
 *
 * The work is done by libevent's evdns, of which this needs to be known:
 * - It keeps one socket for each server, hence one port for all queries, and asks for google.com
 * when a server has failed.  So every lookup here is an evdns of its own: a port of its own, drawn
 * by the kernel, and it is gone before it would ask anything else.  IDs are of libevent's own
 * generator, which arc4random feeds; its hooks for other generators do nothing since 2.0.
 * - It takes names as text and knows no escapes.  Names of anything but letters, digits, '-' and
 *   '_' are no names of hosts and never looked up; nor are the root and what is below "invalid".
 * - It believes the answer section of whoever answers with the right ID and question, from the
 *   right address, and asks by UDP without EDNS alone: a list of addresses that does not fit
 *   into 512 octets is an error.
 * - A server that answers SERVFAIL is asked again as if it had not answered.
 * Neither search domains nor the hosts file are used.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

struct event_base;
struct resolver;

#define RESOLVE_ADDRS_MAX 64	/* of one name, both families together; further ones are left out */
#define RESOLVE_RUNNING_MAX 64	/* lookups under way; others wait for their turn */
#define RESOLVE_NAMES_MAX 65536 /* remembered and waiting; more is an error of the name */
#define RESOLVE_SERVERS_MAX 8	/* that are asked; further ones are left out */
#define RESOLVE_TTL_MIN_S 30
#define RESOLVE_TTL_MAX_S 3600
#define RESOLVE_FAILED_S 60
#define RESOLVE_STALE_S                                                                            \
	(24 * 3600) /* so long known addresses are good enough when nobody answers */

enum resolve_state {
	RESOLVE_UNKNOWN, /* peek: never asked, or forgotten */
	RESOLVE_ASKING,
	RESOLVE_FOUND,
	RESOLVE_FAILED
};

struct resolve_answer {
	enum resolve_state state;
	const struct zr_addr *addr; /* FOUND: port 0; borrowed until the next call or turn */
	size_t count;
	const char *error; /* FAILED: static text */
	bool lasting;	   /* FAILED: this name will never have an address */
};

/* One who waits; the caller's, who fills in done and arg.  link NULL: does not wait. */
struct resolve_wait {
	struct resolve_wait *next, **link;
	/* Called once when there is an answer, from the loop; may ask and cancel. */
	void (*done)(void *arg);
	void *arg;
};

/* `servers`: with port; none: those of /etc/resolv.conf, as it is at the time of each lookup. */
struct resolver *resolver_new(
    struct event_base *base, const struct zr_addr *servers, size_t server_count);
void resolver_free(struct resolver *r); /* done() is not called; NULL is allowed */
/* Other servers from the next lookup on.  What is known is no longer fresh. */
void resolver_configure(struct resolver *r, const struct zr_addr *servers, size_t server_count);

/*
 * The answer as far as it is known and fresh; else the name is looked up, the state is
 * RESOLVE_ASKING, and `w` (which does not wait; NULL: nobody) waits.  name: lower-case wire,
 * absolute.
 */
void resolver_ask(
    struct resolver *r, const uint8_t *name, struct resolve_wait *w, struct resolve_answer *out);
/* What was found last, however old; asks nobody. */
void resolver_peek(const struct resolver *r, const uint8_t *name, struct resolve_answer *out);
void resolver_cancel(struct resolve_wait *w); /* no-op when it does not wait */

/* False: nobody can be reached there, or many at once: no address of a host. */
bool resolve_usable(const struct zr_addr *a);

/* For tests and status: names known, lookups under way. */
size_t resolver_names(const struct resolver *r);
unsigned resolver_running(const struct resolver *r);
