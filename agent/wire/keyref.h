/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A TSIG key that several owners share: the configuration, and what is under way when a new one
 * takes its place.  The last owner's keyref_drop() wipes the secret.  Immutable once shared; any
 * thread may hold and drop.
 */
#pragma once

#include <stdatomic.h>

#include "wire/tsig.h"

struct keyref {
	atomic_uint refs;
	atomic_ulong good, bad; /* signatures of others, verified by whoever counts (TS-26) */
	struct tsig_key key;
};

/* One reference; the key is to be filled in by the caller, before anybody else sees it. */
struct keyref *keyref_new(void);
struct keyref *keyref_hold(struct keyref *r); /* NULL: NULL */
void keyref_drop(struct keyref *r);	      /* NULL is allowed */
