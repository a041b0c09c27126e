/* SPDX-License-Identifier: BSD-2-Clause */
#include "app/oldsegs.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void
segref_from_row(struct segref *out, const struct segment_row *row)
{
	out->id = row->id;
	out->key = row->key;
	out->key_len = row->key_len;
	memcpy(out->digest, row->digest, sizeof(out->digest));
	out->rrs = row->rrs;
	out->len = row->octets;
}

static int
grow(struct oldsegs *o)
{
	size_t cap = o->cap == 0 ? 16 : o->cap * 2;
	struct segref *v = zr_try_realloc(o->v, cap * sizeof(*v));

	if (v == NULL)
		return -1;
	o->v = v;
	o->cap = cap;
	return 0;
}

static int
collect(void *arg, const struct segment_row *row)
{
	struct oldsegs *o = arg;
	bool room = o->n < o->cap || grow(o) == 0;
	uint8_t *key = room ? zr_try_alloc(row->key_len + 1u) : NULL;

	o->no_memory = key == NULL;
	if (o->no_memory)
		return -1;
	memcpy(key, row->key, row->key_len);
	segref_from_row(&o->v[o->n], row);
	o->v[o->n].key = key;
	o->n++;
	return 0;
}

int
oldsegs_load(struct oldsegs *o, struct reader *r, int64_t zone, int64_t version, struct zr_err *e)
{
	int rc;

	memset(o, 0, sizeof(*o));
	if (version == 0)
		return 0;
	rc = reader_segments(r, zone, version, collect, o, e);
	if (rc == 0 && o->no_memory) /* to the reader an early end is no error */
		rc = zr_fail(e, ZR_NOMEM, "no memory for the list of segments");
	if (rc != 0)
		oldsegs_clear(o);
	return rc;
}

void
oldsegs_clear(struct oldsegs *o)
{
	for (size_t i = 0; i < o->n; i++)
		free((void *)(uintptr_t)o->v[i].key);
	free(o->v);
	memset(o, 0, sizeof(*o));
}
