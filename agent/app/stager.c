/* SPDX-License-Identifier: BSD-2-Clause */
#include "app/stager.h"

#include <string.h>

void
stager_init(struct stager *s, struct store *store, struct mbox *reply, void *owner, int64_t zone_id,
    int64_t version)
{
	memset(s, 0, sizeof(*s));
	s->store = store;
	s->reply = reply;
	s->owner = owner;
	s->zone_id = zone_id;
	s->version = version;
}

void
stager_clear(struct stager *s)
{
	if (s->batch != NULL)
		stage_batch_free(s->batch);
	s->batch = NULL;
}

static void
post(struct stager *s, struct store_order *o, size_t octets)
{
	o->reply = s->reply;
	o->owner = s->owner;
	o->cookie = octets;
	s->outstanding += octets;
	s->orders++;
	store_post(s->store, o);
}

static void
post_batch(struct stager *s)
{
	struct store_order *o = store_order_new(STORE_STAGE, s->zone_id);
	size_t octets = s->batch->octets;

	o->stage.version = s->version;
	o->stage.batch = s->batch;
	s->batch = NULL;
	s->posted = true;
	post(s, o, octets);
}

/* The batch to add to: a full one is posted first, so the last one always stays for the commit. */
static struct stage_batch *
room(struct stager *s)
{
	if (s->batch != NULL && s->batch->octets >= STORE_INLINE_BYTES)
		post_batch(s);
	if (s->batch == NULL)
		s->batch = stage_batch_new();
	return s->batch;
}

int
stager_segment(struct stager *s, const struct segment *seg, struct zr_err *e)
{
	return stage_segment(room(s), seg, e);
}

int
stager_kill(struct stager *s, int64_t segment_id, size_t octets, struct zr_err *e)
{
	return stage_kill(room(s), segment_id, octets, e);
}

int
stager_delta(struct stager *s, uint32_t step, uint8_t part, uint32_t chunk, uint32_t from_serial,
    uint32_t to_serial, const uint8_t *data, size_t len, uint32_t rrs, struct zr_err *e)
{
	return stage_delta(room(s), step, part, chunk, from_serial, to_serial, data, len, rrs, e);
}

void
stager_flush(struct stager *s)
{
	if (s->batch != NULL)
		post_batch(s);
}

void
stager_returned(struct stager *s, struct store_order *o)
{
	s->outstanding -= (size_t)o->cookie;
	s->orders--;
	if (o->err.code != ZR_OK && s->err.code == ZR_OK)
		s->err = o->err;
	if (o->op == STORE_ABORT && o->err.code != ZR_OK)
		s->posted = true; /* it is there still */
	store_order_free(o);
}

struct stage_batch *
stager_take(struct stager *s)
{
	struct stage_batch *b = s->batch;

	s->batch = NULL;
	return b;
}

void
stager_abort(struct stager *s)
{
	struct store_order *o;

	stager_clear(s);
	if (!s->posted)
		return;
	o = store_order_new(STORE_ABORT, s->zone_id);
	o->stage.version = s->version;
	s->posted = false;
	post(s, o, 0);
}
