/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hash table from octet strings to pointers: open addressing, keyed hash (SipHash-1-3
 * with a key of the process, so that strangers cannot choose collisions).  Keys are
 * borrowed: they live in the object that is the value.  One owner thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table;

struct table *table_new(void);
void table_free(struct table *t); /* not the values */
void *table_get(const struct table *t, const void *key, size_t len);
/* False when the key is there already; the old value stays. */
bool table_put(struct table *t, const void *key, size_t len, void *value);
void *table_del(struct table *t, const void *key, size_t len);
size_t table_count(const struct table *t);
size_t table_bytes(const struct table *t); /* memory used by the table itself */

/* Iteration: start with *pos = 0; NULL at the end.  The table must not change meanwhile,
 * except that the value just returned may be deleted. */
void *table_next(const struct table *t, size_t *pos);

/* The same hash for other uses, e.g. sharding. */
uint64_t table_hash(const void *key, size_t len);
