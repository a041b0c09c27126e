/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The configuration as an immutable snapshot.  config_load() reads the YAML file and the zone
 * lists, checks everything, reports every error as file:line:column, and returns a snapshot or
 * NULL.  The main loop owns it; a reload makes a second one and compares.  Zones point to
 * primaries, downstreams and policy by index or pointer into the same snapshot.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/buf.h"
#include "base/log.h"
#include "wire/keyref.h"

#define CONFIG_COOKIE_SECRETS 4 /* one in use, others of before and after */
#define CONFIG_COOKIE_SECRET 16 /* octets */
#define CONFIG_NAME_MAX 63	/* octets of the name of a primary, downstream or template */

struct config_addrs {
	struct zr_addr *v;
	size_t n;
};

struct config_prefixes {
	struct zr_prefix *v;
	size_t n;
};

/* A command and its arguments; ends with NULL.  Arguments may hold {zone} and the like. */
struct config_argv {
	char **v;
	size_t n; /* 0: none */
};

/* Public keys, as SHA-256 in base64 (RFC 7858 section 4.2). */
struct config_pins {
	char **v;
	size_t n;
};

/* Where a map was written; file NULL: it was not. */
struct config_place {
	const char *file;
	uint32_t line, col;
};

/* Whom we trust on a TLS connection that we open, and who we are there. */
struct config_tls {
	struct config_place at; /* first */
	char *name;		/* in its certificate; NULL: only with pins */
	char *ca;		/* file, or CONFIG_CA_SYSTEM; NULL: only with pins */
	struct config_pins pin;
	char *cert, *key; /* files, both or none */
};

#define CONFIG_CA_SYSTEM "system"

/* Where connections under TLS are accepted, and who we are there. */
struct config_server_tls {
	struct config_place at; /* first */
	struct config_addrs listen;
	char *cert, *key;
	char *client_ca; /* NULL: no chain of a client is trusted */
};

/* XO-34 */
enum config_xot { CONFIG_XOT_NO, CONFIG_XOT_REQUIRE };

/* A TSIG key.  What goes on after a reload holds `ref`. */
struct config_key {
	char *name;	   /* as zones are shown: lower case, no final dot */
	char *secret_file; /* NULL: the secret stands in the configuration itself */
	uint32_t min_mac;  /* octets of the shortest MAC that is taken; 0: a whole one */
	struct keyref *ref;
};

/* In the order of enum primary_forced and enum zone_lower. */
enum config_forced {
	CONFIG_FORCED_AUTO,
	CONFIG_FORCED_ADDRESS,
	CONFIG_FORCED_KEY,
	CONFIG_FORCED_OFF
};
enum config_lower { CONFIG_LOWER_AUTHENTICATED, CONFIG_LOWER_ALWAYS, CONFIG_LOWER_NEVER };

struct config_primary {
	char *name;
	struct config_addrs address;	    /* tried in order */
	struct zr_addr source4, source6;    /* family 0: let the kernel choose */
	struct config_prefixes notify_from; /* besides the addresses */
	const struct config_key *key;	    /* signs our queries to it; NULL: none */
	const struct config_key
	    *notify_key;		    /* all its NOTIFYs must be signed with it; NULL: none */
	struct config_tls tls;		    /* nothing goes to it but under TLS */
	uint32_t max_transfers;		    /* concurrent transfers from it */
	uint32_t soa_rate;		    /* SOA queries per second to it */
	bool ixfr;			    /* no: only AXFR is asked for */
	bool ixfr_strict;		    /* no: needless additions in differences are ignored */
	bool edns;			    /* no: never send OPT */
	bool soa_tcp;			    /* yes: SOA queries over TCP (F-07) */
	enum config_forced forced;	    /* whose NOTIFY(AXFR) is taken */
	uint32_t max_forced;		    /* concurrent forced transfers from it */
	uint32_t forced_rate, forced_burst; /* forced transfers per minute, and at once */
};

enum config_transport { CONFIG_UDP, CONFIG_TCP, CONFIG_TLS };
enum config_server_kind {
	CONFIG_KIND_NONE,
	CONFIG_KIND_BIND,
	CONFIG_KIND_NSD,
	CONFIG_KIND_KNOT,
	CONFIG_KIND_POWERDNS
};

struct config_downstream {
	char *name;
	struct config_addrs address;	      /* NOTIFY goes to each */
	struct config_prefixes transfer_from; /* who may transfer; default: the addresses */
	const struct config_key *key;	      /* demanded on its queries; NULL: none */
	const struct config_key *notify_key;  /* signs NOTIFYs to it; NULL: none */
	bool notify;
	bool notify_hint; /* SOA in the answer section (N-07) */
	enum config_transport notify_transport;
	struct config_tls tls;	       /* of the connection for NOTIFY */
	char *client_name;	       /* in the certificate it shows us; NULL: any */
	struct config_pins client_pin; /* its key; empty: any */
	enum config_xot xot;
	struct zr_addr source4, source6;
	enum config_server_kind server;
	struct config_argv on_forced; /* after a forced transfer; `server` gives a default */
	struct config_argv on_change; /* after every other commit that changed the content */
	int64_t hook_timeout_us;
	uint32_t hook_tries;
};

/* Where NOTIFYs of a zone go besides also-notify (PL-06). */
enum config_targets {
	CONFIG_TARGETS_EXPLICIT,   /* addresses of the downstreams */
	CONFIG_TARGETS_NS,	   /* hosts of the NS RRset */
	CONFIG_TARGETS_NS_AND_ACL, /* those of them that may transfer */
	CONFIG_TARGETS_ACL	   /* single addresses that may transfer */
};

/* What a template says; zones without keys of their own share their template's. */
struct config_policy {
	const struct config_primary **primaries;
	size_t primary_count;
	const struct config_downstream **downstreams;
	size_t downstream_count;
	enum config_xot xot;
	bool soa_over_tls; /* with xot: SOA queries of downstreams as well */
	int64_t refresh_min_us, refresh_max_us;
	int64_t retry_min_us, retry_max_us;
	uint64_t max_size; /* octets of a zone */
	uint64_t max_records;
	uint64_t max_messages;	     /* of a transfer in */
	uint32_t max_steps;	     /* of a difference in */
	int64_t max_transfer_us;     /* in */
	int64_t max_transfer_out_us; /* out */
	int64_t splay_us;	     /* random delay of first onward NOTIFYs, 0 = none */
	uint32_t journal_steps;	     /* kept per zone */
	bool ixfr;		     /* ask for IXFR */
	bool notify_enclosing;	     /* */
	int64_t forced_interval_us;  /* one forced transfer in so long */
	uint32_t forced_burst;	     /* so many at once before that */
	enum config_lower forced_lower;
	int64_t
	    forced_splay_us; /* NOTIFY(AXFR) to many downstreams is spread over at most so long */
	int64_t forced_window_us; /* the same content within it is a duplicate */
	int64_t forced_verify_us; /* besides twice the splay */
	bool forced_return;	  /* A-05; no: not to the peers that are party to the event */
	enum config_targets notify_targets;
	struct config_addrs also_notify;
	const struct config_key *notify_key; /* of targets that are no downstream; NULL: none */
	struct config_downstream others;     /* how these are notified; it has no name */
	bool notify_mname; /* the host of SOA MNAME is notified like the others (PL-07) */
};

struct config_zone {
	const uint8_t *name; /* lower-case wire */
	const struct config_policy *policy;
	const char *file; /* where it was written */
	uint32_t line, col;
};

struct config_server {
	struct config_addrs listen;
	bool listen_default; /* nobody asked for these: an address family we lack is no fault */
	struct config_server_tls tls;
	char *database;
	char *control;
	char *user;	 /* "user" or "user:group" to become; NULL: nobody */
	bool confine;	 /* enter the cage */
	bool core_dumps; /* may be left */
	uint32_t workers;
	uint32_t max_transfers_in;  /* total concurrent */
	uint32_t max_transfers_out; /* total concurrent */
	uint32_t max_transfers_out_per_downstream;
	uint32_t soa_rate;		    /* SOA queries per second, all primaries */
	uint32_t notify_rate;		    /* NOTIFYs out per second */
	uint32_t max_forced;		    /* concurrent forced transfers, all primaries */
	uint32_t forced_rate, forced_burst; /* per minute, all primaries */
	uint32_t max_hooks;		    /* commands running at the same time */
	struct config_addrs self_address;   /* further addresses that are ours (PL-04) */
	struct config_addrs resolver;	    /* empty: those of the system */
	uint32_t notify_in_rate;	    /* accepted per source and second; strangers a tenth */
	uint32_t query_rate; /* UDP queries per source and second that may be forged */
	bool cookies;
	char *cookie_secret_file; /* NULL: a secret is drawn at the start */
	uint8_t cookie_secret[CONFIG_COOKIE_SECRETS][CONFIG_COOKIE_SECRET];
	uint32_t cookie_count;	 /* of them */
	uint32_t tcp_clients;	 /* connections in total */
	uint32_t tcp_per_client; /* per source address */
	int64_t tcp_idle_us;
	int64_t soa_timeout_us; /* per try over UDP */
	uint32_t soa_tries;
	int64_t connect_timeout_us;
	int64_t transfer_idle_us; /* no data from a primary for so long */
	uint64_t min_rate;	  /* octets of a transfer in min_rate_us; 0: no limit */
	int64_t min_rate_us;
	int64_t tcp_stall_us; /* an accepted connection takes nothing for so long */
};

struct config_log {
	enum log_level level;
	enum log_format format;
	enum log_dest dest;
};

/* A file that was read, by the name with which it was opened. */
struct config_file {
	const char *path;
	struct config_file *next;
};

struct config {
	struct config_server server;
	struct config_file *files; /* the configuration itself among them */
	struct config_log log;
	struct config_key *keys;
	size_t key_count;
	struct config_primary *primaries;
	size_t primary_count;
	struct config_downstream *downstreams;
	size_t downstream_count;
	struct config_zone *zones; /* sorted by the octets of the name, no duplicates */
	size_t zone_count;
	/* internal: what the above points into */
	struct config_mem *mem;
};

/*
 * Where errors and warnings go, one call each, in the order of the files and of the lines:
 * "file:line:col: text", or "file: text" when the file cannot be read.
 */
struct config_report {
	void (*line)(void *arg, bool error, const char *text);
	void *arg;
	bool no_secrets;	   /* the files with the secrets of keys are not opened */
	bool no_lists;		   /* nor are the zone lists */
	const char *denied;	   /* said behind every "Permission denied"; NULL: nothing */
	unsigned errors, warnings; /* counted by config_load() */
};

/* NULL when there was at least one error; all of them have been reported. */
struct config *config_load(const char *path, struct config_report *r);
void config_free(struct config *c);
/*
 * Prints the effective configuration, defaults included, in a form config_load() accepts (-nv);
 * but in place of a secret it says so, and that is refused.
 */
void config_print(const struct config *c, struct buf *out);

/* It proves who it is by a certificate. */
bool config_has_client(const struct config_downstream *d);
/* The key of a primary's NOTIFYs, demanded or not; NULL: it has none. */
const struct config_key *config_notify_key(const struct config_primary *p);
/* Keys that are as they were keep their `ref`, so that what is under way with them goes on. */
void config_keys_adopt(struct config *now, const struct config *before);
/* By lower-case wire name; few, one after the other. */
const struct config_key *config_key_find(const struct config *c, const uint8_t *name);
/* Also for two that are not there. */
bool config_key_equal(const struct config_key *a, const struct config_key *b);
/* By lower-case wire name; binary search. */
const struct config_zone *config_zone_find(const struct config *c, const uint8_t *name);
/* Same primaries, downstreams and numbers, by value: nothing changed for the zone. */
bool config_policy_equal(const struct config_policy *a, const struct config_policy *b);
bool config_primary_equal(const struct config_primary *a, const struct config_primary *b);
bool config_downstream_equal(const struct config_downstream *a, const struct config_downstream *b);
