/* SPDX-License-Identifier: BSD-2-Clause */
/* Orders and batches as objects: made by any thread, freed by whoever holds them. */
#include "base/mem.h"
#include "store/store.h"

#include <stdlib.h>
#include <string.h>

struct stage_batch *
stage_batch_new(void)
{
	struct stage_batch *b = zr_xcalloc(1, sizeof(*b));

	b->tail = &b->head;
	return b;
}

void
stage_batch_free(struct stage_batch *b)
{
	struct stage_op *op, *next;

	if (b == NULL)
		return;
	for (op = b->head; op != NULL; op = next) {
		next = op->next;
		free(op);
	}
	free(b);
}

/* How much follows is decided by a peer: this may fail. */
static struct stage_op *
op_new(struct stage_batch *b, enum stage_kind kind, size_t extra, struct zr_err *e)
{
	struct stage_op *op = zr_try_alloc(sizeof(*op) + extra);

	if (op == NULL) {
		zr_fail(e, ZR_NOMEM, "no memory for %zu octets on their way to the store", extra);
		return NULL;
	}
	memset(op, 0, sizeof(*op));
	op->kind = kind;
	*b->tail = op;
	b->tail = &op->next;
	b->octets += sizeof(*op) + extra;
	b->count++;
	return op;
}

int
stage_segment(struct stage_batch *b, const struct segment *s, struct zr_err *e)
{
	struct stage_op *op;

	if (s->key_len > RR_KEY_MAX || s->len > UINT16_MAX)
		return zr_fail(
		    e, ZR_INTERNAL, "segment of %zu octets with a key of %zu", s->len, s->key_len);
	op = op_new(b, STAGE_SEGMENT, s->key_len + s->len, e);
	if (op == NULL)
		return -1;
	op->rrs = s->rrs;
	memcpy(op->digest, s->digest, sizeof(op->digest));
	op->key_len = (uint16_t)s->key_len;
	op->len = s->len;
	memcpy(op->bytes, s->key, s->key_len);
	memcpy(op->bytes + s->key_len, s->data, s->len);
	return 0;
}

int
stage_kill(struct stage_batch *b, int64_t segment_id, size_t octets, struct zr_err *e)
{
	struct stage_op *op = op_new(b, STAGE_KILL, 0, e);

	if (op == NULL)
		return -1;
	op->segment_id = segment_id;
	op->len = octets;
	return 0;
}

int
stage_delta(struct stage_batch *b, uint32_t step, uint8_t part, uint32_t chunk,
    uint32_t from_serial, uint32_t to_serial, const uint8_t *data, size_t len, uint32_t rrs,
    struct zr_err *e)
{
	struct stage_op *op = op_new(b, STAGE_DELTA, len, e);

	if (op == NULL)
		return -1;
	op->step = step;
	op->part = part;
	op->chunk = chunk;
	op->from_serial = from_serial;
	op->to_serial = to_serial;
	op->rrs = rrs;
	op->len = len;
	memcpy(op->bytes, data, len);
	return 0;
}

#define SIZE_WITH(member)                                                                          \
	(offsetof(struct store_order, member) + sizeof(((struct store_order *)0)->member))

/* A commit is three times as large as a mark, and there may be 100,000 orders of one kind at once.
 */
static size_t
order_size(enum store_op op)
{
	switch (op) {
	case STORE_ADD_ZONE:
		return SIZE_WITH(add);
	case STORE_MARK:
		return SIZE_WITH(mark);
	case STORE_STAGE:
	case STORE_ABORT:
		return SIZE_WITH(stage);
	case STORE_COMMIT:
		return SIZE_WITH(commit);
	case STORE_TIMERS:
		return SIZE_WITH(timers);
	case STORE_OUTBOX_ADD:
		return SIZE_WITH(outbox);
	case STORE_OUTBOX_SET:
		return SIZE_WITH(notify);
	case STORE_PEER_SEEN:
		return SIZE_WITH(peer);
	case STORE_LOG_TRANSFER:
		return SIZE_WITH(log);
	case STORE_SWEEP:
		return SIZE_WITH(sweep);
	case STORE_FORCED_PEER:
		return SIZE_WITH(forced_peer);
	case STORE_NO_AXFR:
		return SIZE_WITH(no_axfr);
	case STORE_SIGNED:
		return SIZE_WITH(signature);
	case STORE_HOOK_SET:
		return SIZE_WITH(hook);
	case STORE_AMBIGUOUS_CLEAR:
		return SIZE_WITH(settle);
	case STORE_REMOVE_ZONE:
	case STORE_JOURNAL_VOID:
	case STORE_SYNC:
	case STORE_PING:
		break;
	}
	return SIZE_WITH(err);
}

struct store_order *
store_order_new(enum store_op op, int64_t zone_id)
{
	struct store_order *o = zr_xcalloc(1, order_size(op));

	o->op = op;
	o->zone_id = zone_id;
	return o;
}

void
store_order_free(struct store_order *o)
{
	if (o == NULL)
		return;
	switch (o->op) {
	case STORE_ADD_ZONE:
		free(o->add.zone);
		break;
	case STORE_MARK:
		free(o->mark.signature);
		break;
	case STORE_STAGE:
		stage_batch_free(o->stage.batch);
		break;
	case STORE_COMMIT:
		stage_batch_free(o->commit.batch);
		free(o->commit.soa);
		free(o->commit.soa_owner);
		free(o->commit.notify);
		free(o->commit.hooks);
		break;
	case STORE_OUTBOX_ADD:
		free(o->outbox.v);
		break;
	default: /* the others own nothing */
		break;
	}
	free(o);
}
