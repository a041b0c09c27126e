/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/keyref.h"

#include <stdlib.h>

#include "base/mem.h"

struct keyref *
keyref_new(void)
{
	struct keyref *r = zr_xcalloc(1, sizeof(*r));

	atomic_init(&r->refs, 1);
	return r;
}

struct keyref *
keyref_hold(struct keyref *r)
{
	if (r != NULL)
		atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
	return r;
}

void
keyref_drop(struct keyref *r)
{
	if (r == NULL || atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) != 1)
		return;
	tsig_key_clear(&r->key);
	free(r);
}
