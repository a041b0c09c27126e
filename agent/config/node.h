/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A YAML file as nodes which know where they were written.  Only what a configuration needs:
 * maps, lists and scalars; anchors, aliases, tags and a second document are faults.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/fault.h"
#include "config/pool.h"

#define NODE_DEPTH_MAX 8	    /* the form needs 4 */
#define NODE_COUNT_MAX 8000000	    /* a million zones with keys of their own */
#define NODE_TEXT_MAX 4096	    /* octets of a scalar: a path */
#define NODE_FILE_MAX (256UL << 20) /* octets of the file */

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP, NODE_BAD /* a fault was reported: skip */ };

struct node {
	enum node_kind kind;
	bool plain; /* scalar without quotes */
	uint32_t line, col;
	uint32_t key_line, key_col;
	const char *key;  /* of this value, when its parent is a map */
	const char *text; /* scalar */
	struct node *first, *next;
	size_t count; /* of children */
};

/* The first value with the key, or NULL; map may be NULL. */
const struct node *node_get(const struct node *map, const char *key);
/* NULL, or nothing was written behind the colon. */
bool node_empty(const struct node *n);
/* The i-th item of a list; the scalar itself, since one is accepted where a list is meant. */
const struct node *node_item(const struct node *n, size_t i);
size_t node_items(const struct node *n);
const char *node_kind_text(const struct node *n); /* "a list", ... */

/*
 * The root, an empty map for an empty file; NULL when the rest of the file makes no sense after
 * a fault.  `file` is from faults_file().
 */
struct node *yaml_read(
    struct pool *a, struct faults *f, const char *file, const void *data, size_t len);
