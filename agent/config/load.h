/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One load of the configuration, shared by the files of this room; not for others.
 * Order: yaml.c reads nodes, schema.c fills structures, peers.c, policy.c and zones.c put the
 * snapshot together, check.c looks at the whole.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "config/fault.h"
#include "config/node.h"
#include "config/pool.h"

struct table;
struct schema_file;

/* A policy which exists once, however many zones have it. */
struct policy_entry {
	struct config_policy p;
	bool used;		 /* by a zone */
	const struct node *node; /* where it was first written; NULL: nowhere */
	const char *zone;	 /* a zone which uses it, for messages; NULL: a template */
	struct policy_entry *next;
};

struct config_template {
	const char *name;
	const struct config_policy *policy;
};

/* What a snapshot points into. */
struct config_mem {
	struct pool arena;
	struct config_template *templates; /* for config_print() */
	size_t template_count;
};

struct load {
	struct config *c;
	struct pool *arena; /* the snapshot's */
	struct pool nodes;  /* until the end of the load */
	struct faults faults;
	const char *file;   /* as it was given */
	const char *dir;    /* its folder, absolute: for paths kept in the snapshot */
	const char *folder; /* the same as it was given, with "/", or "": for messages */
	bool lists;	    /* read zone lists */
	bool no_secrets;    /* do not open files with secrets */
	const char *denied; /* of the report; "" */
	bool open_to_all;   /* others may read the file itself */
	uint16_t port;	    /* of the addresses of the peer being read, when none is written */
	bool secrets;	    /* the file has some: wipe what was read */
	const struct node **primary_node;    /* by index */
	const struct node **downstream_node; /* by index */
	struct table *key_name;		     /* lower-case wire name -> struct config_key */
	struct table *primary_name;	     /* name -> struct config_primary */
	struct table *downstream_name;
	struct table *template_name;			/* name -> struct config_template */
	struct table *policy_key;			/* octets -> struct policy_entry */
	struct policy_entry *policies, **policies_tail; /* templates first */
	size_t zone_cap;
};

/* config.c: everything but reading the file itself.  For tests and fuzzing, too. */
struct config *config_load_text(
    const char *path, const void *data, size_t len, bool lists, struct config_report *r);
/* A regular file as a whole; 0, or errno.  Caller frees. */
int load_slurp(const char *path, bool regular, size_t max, char **data, size_t *len);

/* A file of the configuration is going to be opened. */
void load_file(struct load *l, const char *path);
/* What is to be said behind strerror(err). */
const char *load_advice(const struct load *l, int err);

/* Faults at a value, and at its key. */
struct place load_at(const struct load *l, const struct node *n);
struct place load_at_key(const struct load *l, const struct node *n);
#define load_error(l, n, ...) fault_error(&(l)->faults, load_at((l), (n)), __VA_ARGS__)
#define load_key_error(l, n, ...) fault_error(&(l)->faults, load_at_key((l), (n)), __VA_ARGS__)
#define load_warning(l, n, ...) fault_warning(&(l)->faults, load_at((l), (n)), __VA_ARGS__)
#define load_key_warning(l, n, ...) fault_warning(&(l)->faults, load_at_key((l), (n)), __VA_ARGS__)

/*
 * Named maps (primaries, downstreams, templates): the children of `map` whose name may be
 * used, each name once; the others are faults.  Returns how many were written to v[], which has
 * room for map->count.
 */
size_t load_named(struct load *l, const struct node *map, const char *what, const struct node **v);

/*
 * keys_load.c: a file that holds secrets as text without blanks around it; `word` is the key that
 * names it.  0, or -1 with the fault reported.  The caller wipes `out`.
 */
#define SECRET_FILE_MAX 4096 /* octets */
int secret_read(struct load *l, const struct node *n, const char *word, const char *path,
    char out[SECRET_FILE_MAX + 1]);
/* cookie.c: the secrets of DNS cookies. */
void cookie_load(struct load *l, const struct node *file);

/* keys_load.c: TSIG keys; and, with the peers there, whose they are. */
void keys_load(struct load *l, const struct node *keys);
void keys_check(struct load *l, const struct node *keys);

/* peers.c: primaries and downstreams with their own checks. */
void peers_load(struct load *l, const struct node *primaries, const struct node *downstreams);

/* trust.c: maps `tls` and what hangs on them. */
uint16_t trust_port(const struct node *peer); /* of its addresses, when none is written */
void trust_check_peer(struct load *l, const struct node *n, const struct config_tls *t);
void trust_downstream(struct load *l, const struct node *n, struct config_downstream *d);
void trust_check_server(struct load *l, const struct node *n);
void trust_check_policies(struct load *l);

/* policy.c */
void policy_load(struct load *l, const struct node *templates);
/* The policy of a zone: its own keys over its template; NULL after a fault. */
const struct config_policy *policy_of_zone(
    struct load *l, const struct node *zone, const char *name);
/* By the name in the node; NULL node: "default"; NULL after a fault. */
const struct config_policy *policy_of_template(struct load *l, const struct node *name);
struct policy_entry *policy_entry(const struct config_policy *p);

/* zones.c: zones and zone lists; sorts them and finds duplicates. */
void zones_load(struct load *l, const struct node *zones, const struct node *lists);
void zones_put(struct load *l, const uint8_t *name, const struct config_policy *p, struct place at);
/* The order of config.zones: by the octets of the names; <0, 0, >0. */
int zones_cmp(const uint8_t *a, const uint8_t *b);

/* zonelist.c: one name per line.  `shown` is the path for messages, from faults_file(). */
void zonelist_read(
    struct load *l, const char *shown, const char *data, size_t len, const struct config_policy *p);

/*
 * zonename.c: text to a lower-case wire name; its length, or 0 with *why (a constant text) and
 * *at, the offset of the octet in question.
 */
#define ZONENAME_TEXT_MAX 1024 /* octets that a name may be written with, and the NUL */
size_t zonename_read(const char *text, uint8_t out[255], const char **why, size_t *at);

/* check.c: what can only be seen when everything has been read. */
void check_all(struct load *l, const struct schema_file *top);
/*
 * check_notify.c: the part of it about NOTIFY and commands.  A wildcard and a loopback address
 * need not meet, since another server may hold the exact address; self-address is a word only.
 */
enum ours { NOT_OURS, MAYBE_OURS, OURS };
void check_notify(struct load *l, const struct node *server);
enum ours check_is_ours(const struct config_server *s, const struct zr_addr *a);
