/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The keys of the configuration as tables: what a key is called, what it may say, where its value
 * goes, its default, and what the man page says about it.  One table per kind of map.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "config/load.h"
#include "config/node.h"

enum value_type {
	VALUE_BOOL,	/* bool */
	VALUE_COUNT,	/* uint32_t, between min and max */
	VALUE_NUMBER,	/* uint64_t, between min and max */
	VALUE_SIZE,	/* uint64_t, octets, between min and max */
	VALUE_DURATION, /* int64_t, microseconds, between min and max */
	VALUE_RANGE,	/* int64_t[2], microseconds, each between min and max */
	VALUE_CHOICE,	/* an enum, the index of the word in `choice` */
	VALUE_ADDRS,	/* struct config_addrs; port `min` when none is written, 0: load.port */
	VALUE_SOURCE,	/* struct zr_addr[2]: one of IPv4, one of IPv6 */
	VALUE_PREFIXES, /* struct config_prefixes */
	VALUE_ARGV,	/* struct config_argv: a list of strings; one string is none */
	VALUE_PATH,	/* char *, absolute: relative to the folder of the file */
	VALUE_CA,	/* the same, or CONFIG_CA_SYSTEM */
	VALUE_USER,	/* char *: "user" or "user:group"; NULL: none */
	VALUE_HOST,	/* char *: a domain name in lower case, or an address */
	VALUE_PINS,	/* struct config_pins */
	VALUE_KEY,	/* const struct config_key *; "none" is NULL */
	VALUE_SUB,	/* a map with the table `sub`; there it begins with struct config_place */
	VALUE_NAMES,	/* const struct node *: a list of names, looked up later */
	VALUE_NAME,	/* const struct node *: one name */
	VALUE_MAP,	/* const struct node *: a map with a table of its own, or of named maps */
	VALUE_MAPS,	/* const struct node *: a list of maps */
};

struct schema_key {
	const char *key;
	enum value_type type;
	size_t at; /* offsetof */
	/* As it would be written, lists with blanks between; NULL: none. */
	const char *def;
	const char *def_doc; /* for the man page, where `def` does not tell */
	uint64_t min, max;
	const char *const *choice; /* ends with NULL */
	const struct schema *sub;
	const char *doc; /* whole sentences */
};

struct schema {
	const char *name; /* "server": the key; also for messages */
	const char *what; /* "a primary": for messages */
	const char *doc;
	const struct schema_key *keys;
	size_t count;
	const struct schema *base; /* keys of that table are accepted too, at the same offsets */
};

/* What the file holds at its top. */
struct schema_file {
	const struct node *server, *log, *keys, *primaries, *downstreams, *templates, *zones,
	    *zone_lists;
};

/* A policy being put together; the names are resolved by policy.c. */
struct policy_draft {
	struct config_policy p;
	const struct node *primaries, *downstreams;
	const struct node *template; /* zones only */
};

struct key_draft {
	struct config_key k;
	const struct node *algorithm, *secret;
};

struct zone_list_draft {
	const struct node *file, *template;
};

extern const struct schema schema_file;	      /* struct schema_file */
extern const struct schema schema_server;     /* struct config_server */
extern const struct schema schema_server_tls; /* struct config_server_tls */
extern const struct schema schema_tls;	      /* struct config_tls */
extern const struct schema schema_log;	      /* struct config_log */
extern const struct schema schema_key;	      /* struct key_draft */
extern const struct schema schema_primary;    /* struct config_primary */
extern const struct schema schema_downstream; /* struct config_downstream */
extern const struct schema schema_template;   /* struct policy_draft */
extern const struct schema schema_zone;	      /* struct policy_draft */
extern const struct schema schema_zone_list;  /* struct zone_list_draft */

/* All of them, in the order of the man page; ends with NULL. */
extern const struct schema *const schema_all[];

/* Writes the defaults into *out. */
void schema_defaults(const struct schema *s, void *out, struct load *l);
/* Writes what the map says into *out; NULL or an empty value: nothing.  Faults go to the load. */
void schema_apply(const struct schema *s, const struct node *map, void *out, struct load *l);

/*
 * argv.c: a command.  Its program is a path or is found in PATH; {word}s must be known ones.
 * What is left as it was written may hold other braces.
 */
bool argv_read(
    struct load *l, const struct schema_key *k, const struct node *n, struct config_argv *out);
/* The command that makes a server of this kind transfer a zone; none for CONFIG_KIND_NONE. */
void argv_of_server(struct load *l, enum config_server_kind kind, struct config_argv *out);

/* value.c: one value of a key to where it belongs; false after a fault. */
bool value_read(struct load *l, const struct schema_key *k, const struct node *n, void *at);
/* trust.c: parts of the maps `tls`. */
bool trust_read_ca(struct load *l, const struct schema_key *k, const struct node *n, char **out);
bool trust_read_host(struct load *l, const struct schema_key *k, const struct node *n, char **out);
bool trust_read_pins(
    struct load *l, const struct schema_key *k, const struct node *n, struct config_pins *out);
bool trust_read_map(struct load *l, const struct schema_key *k, const struct node *n, void *at);
/* A relative path counts from the folder of the file. */
bool value_path(struct load *l, const struct schema_key *k, const struct node *n, char **out);
/* The number of items of a list, which may be written as the only item; -1 after a fault. */
long value_items(struct load *l, const struct schema_key *k, const struct node *n);
/* keys_load.c: the key with that name, or none; false after a fault. */
bool key_read(struct load *l, const struct schema_key *k, const struct node *n,
    const struct config_key **out);
/* The scalar's text; NULL after a fault. */
const char *value_scalar(struct load *l, const struct schema_key *k, const struct node *n);
/* Whether a scalar may be a path; what is written for people stays on one line. */
bool value_path_ok(struct load *l, const char *key, const struct node *n);
