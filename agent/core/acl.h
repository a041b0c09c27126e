/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who is at this address: an index from source address to the ids of the entries whose prefix
 * contains it.  Built once per configuration, then read only.  A look-up is one binary search per
 * prefix length in use and allocates nothing.  Ports are ignored.  Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

struct acl;

struct acl_entry {
	struct zr_prefix prefix; /* a single host: /32 or /128 */
	uint32_t id;		 /* several entries may have the same id */
};

/* Copies; the order of the entries does not matter.  n may be 0. */
struct acl *acl_new(const struct acl_entry *v, size_t n);
void acl_free(struct acl *a);

/* The prefix of exactly one host. */
struct zr_prefix acl_host(const struct zr_addr *a);

/* Every match, longest prefix first; an id may come up more than once. */
struct acl_iter {
	struct zr_addr addr;
	unsigned level;
	uint32_t pos, end;
};

void acl_start(const struct acl *a, const struct zr_addr *addr, struct acl_iter *it);
bool acl_next(const struct acl *a, struct acl_iter *it, uint32_t *id);

bool acl_known(const struct acl *a, const struct zr_addr *addr);
bool acl_has(const struct acl *a, const struct zr_addr *addr, uint32_t id);
