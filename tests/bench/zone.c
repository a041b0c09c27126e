/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What taking in and changing a zone costs, without I/O: nanoseconds per record.
 * Usage: zone [RECORDS].  Processor time, so that a busy machine disturbs less.
 */
#include "base/buf.h"
#include "base/mem.h"
#include "core/changes.h"
#include "core/diff.h"
#include "core/layout.h"
#include "core/order.h"
#include "core/patch.h"
#include "stream.h"
#include "wire/frame.h"
#include "wire/msg.h"
#include "wire/segment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RECORDS 1000000
#define ROUNDS 5 /* the best one counts */
#define PIECE 65536
#define LIMIT ((size_t)1 << 30)

struct kept {
	struct segref ref;
	uint8_t *key;
	uint8_t *data;
};

struct bench {
	struct stream stream;
	struct records records;
	struct kept *v; /* the stored version, in key order */
	size_t n, cap;
	bool keep;
	size_t cursor[2]; /* of the layout, of the diff */
	struct msg m;
	struct msg_walk w;
	struct order *order;
	struct packer *packer;
	struct layout *layout;
	struct diff *diff;
	unsigned step; /* every so many records a change; 0: none */
	uint64_t sum;
};

static void
fail(const char *what, const struct zr_err *e)
{
	fprintf(stderr, "%s: %s\n", what, e->text);
	exit(1);
}

/* ---- a store in memory ---- */

static int
on_segment(void *arg, const struct segment *s, struct zr_err *e)
{
	struct bench *b = arg;
	struct kept *k;

	(void)e;
	b->sum += s->len;
	if (!b->keep)
		return 0;
	if (b->n == b->cap) {
		b->cap = b->cap == 0 ? 1024 : 2 * b->cap;
		b->v = zr_xrealloc(b->v, b->cap * sizeof(*b->v));
	}
	k = &b->v[b->n];
	k->key = zr_xmemdup(s->key, s->key_len);
	k->data = zr_xmemdup(s->data, s->len);
	k->ref = (struct segref){.id = (int64_t)b->n++,
	    .key = k->key,
	    .key_len = s->key_len,
	    .rrs = s->rrs,
	    .len = (uint32_t)s->len};
	memcpy(k->ref.digest, s->digest, SEGMENT_DIGEST);
	return 0;
}

static int
give(const struct bench *b, size_t at, struct segref *out)
{
	if (at >= b->n)
		return 0;
	*out = b->v[at].ref;
	return 1;
}

static int
on_at(void *arg, const uint8_t *key, size_t len, struct segref *out, struct zr_err *e)
{
	struct bench *b = arg;
	size_t lo = 0, hi = b->n, mid;

	(void)e;
	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (segment_key_cmp(b->v[mid].ref.key, b->v[mid].ref.key_len, key, len) <= 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo == 0 ? 0 : give(b, lo - 1, out);
}

static int
on_next(void *arg, const struct segref *ref, struct segref *out, struct zr_err *e)
{
	(void)e;
	return give(arg, ref->key_len == 0 ? 0 : (size_t)ref->id + 1, out);
}

static int
on_prev(void *arg, const struct segref *ref, struct segref *out, struct zr_err *e)
{
	(void)e;
	return ref->id == 0 ? 0 : give(arg, (size_t)ref->id - 1, out);
}

static int
on_read(void *arg, const struct segref *ref, const uint8_t **data, size_t *len, struct zr_err *e)
{
	struct bench *b = arg;

	(void)e;
	*data = b->v[ref->id].data;
	*len = ref->len;
	return 0;
}

static int
on_write(void *arg, const struct segment *s, struct zr_err *e)
{
	struct bench *b = arg;

	(void)e;
	b->sum += s->len;
	return 0;
}

static int
on_kill(void *arg, const struct segref *ref, struct zr_err *e)
{
	struct bench *b = arg;

	(void)e;
	b->sum += ref->len;
	return 0;
}

static const struct patch_ops patch_ops = {.next_change = changes_next,
    .at = on_at,
    .next = on_next,
    .prev = on_prev,
    .read = on_read,
    .write = on_write,
    .kill = on_kill};

static int
layout_next_old(void *arg, struct segref *out, struct zr_err *e)
{
	struct bench *b = arg;

	(void)e;
	return give(b, b->cursor[0]++, out);
}

static int
diff_next_old(void *arg, struct segref *out, struct zr_err *e)
{
	struct bench *b = arg;

	(void)e;
	return give(b, b->cursor[1]++, out);
}

static int
on_change(void *arg, const struct rr *rr, struct zr_err *e)
{
	struct bench *b = arg;

	(void)e;
	b->sum += rr->rdlen;
	return 0;
}

static const struct layout_ops layout_ops = {
    .next_old = layout_next_old, .write = on_write, .kill = on_kill};
static const struct diff_ops diff_ops = {
    .next_old = diff_next_old, .read_old = on_read, .del = on_change, .add = on_change};

/* ---- stages ---- */

static void
pack(struct bench *b, segment_sink sink)
{
	struct packer *p = packer_new(b->stream.apex, sink, b);
	struct zr_err e;

	for (unsigned i = 0; i < b->records.count; i++) {
		if (packer_add(p, &b->records.rr[i], &e) != 0)
			fail("packer_add", &e);
	}
	packer_flush(p, &e);
	packer_free(p);
}

static void
stage_pack(struct bench *b)
{
	pack(b, on_segment);
}

static void
stage_unpack(struct bench *b)
{
	struct unpacker *u = unpacker_new(b->stream.apex);
	struct zr_err e;
	struct rr rr;
	int rc;

	for (size_t i = 0; i < b->n; i++) {
		unpacker_start(u, b->v[i].data, b->v[i].ref.len);
		while ((rc = unpacker_next(u, &rr, &e)) > 0)
			b->sum += rr.rdlen;
		if (rc < 0)
			fail("unpacker_next", &e);
	}
	unpacker_free(u);
}

static void
stage_digest(struct bench *b)
{
	uint8_t sum[SEGMENT_DIGEST] = {0};

	for (size_t i = 0; i < b->n; i++)
		digest_add(sum, b->v[i].ref.digest);
	b->sum += sum[0];
}

static int
no_emit(void *arg, const struct rr *rr, struct zr_err *e)
{
	return on_change(arg, rr, e);
}

static int
on_spill(void *arg, const uint8_t *key, size_t n, const struct rr *rr, struct zr_err *e)
{
	(void)arg;
	(void)key;
	(void)n;
	(void)rr;
	return zr_fail(e, ZR_INTERNAL, "the stream is in order, but something was spilled");
}

static int
emit_to_packer(void *arg, const struct rr *rr, struct zr_err *e)
{
	struct bench *b = arg;

	return packer_add(b->packer, rr, e);
}

static const struct order_ops order_only = {.emit = no_emit, .spill = on_spill};
static const struct order_ops order_and_pack = {.emit = emit_to_packer, .spill = on_spill};

static void
stage_order(struct bench *b)
{
	struct order *o = order_new(b->stream.apex, ORDER_GROUP_MAX, &order_only, b);
	enum order_end end;
	struct zr_err e;

	for (unsigned i = 0; i < b->records.count; i++) {
		if (order_add(o, &b->records.rr[i], &e) != 0)
			fail("order_add", &e);
	}
	order_finish(o, &end, &e);
	order_free(o);
}

static int
layout_and_diff(void *arg, const struct segment *s, struct zr_err *e)
{
	struct bench *b = arg;

	if (layout_add(b->layout, s, e) != 0)
		return -1;
	return b->diff == NULL ? 0 : diff_add(b->diff, s, e);
}

static int
on_frame(void *arg, const uint8_t *data, size_t len)
{
	struct bench *b = arg;
	struct zr_err e;
	struct rr rr;
	int rc;

	if (msg_parse(&b->m, data, len, MSG_FULL, &e) < 0 ||
	    msg_walk_start(&b->w, &b->m, SECTION_ANSWER, &e) < 0)
		fail("message", &e);
	while ((rc = msg_next(&b->w, &rr, &e)) == 1) {
		/* The closing SOA; the opening one finds nothing behind it in the group. */
		if (rr.type == TYPE_SOA && b->sum++ > 0)
			continue;
		if (order_add(b->order, &rr, &e) != 0)
			fail("order_add", &e);
	}
	return rc;
}

static void
begin_transfer(struct bench *b, bool diff)
{
	b->cursor[0] = b->cursor[1] = 0;
	b->order = order_new(b->stream.apex, ORDER_GROUP_MAX, &order_and_pack, b);
	b->layout = layout_new(&layout_ops, b);
	b->diff = diff ? diff_new(b->stream.apex, &diff_ops, b) : NULL;
	b->packer = packer_new(b->stream.apex, layout_and_diff, b);
}

static void
end_transfer(struct bench *b)
{
	enum order_end end;
	struct zr_err e;

	if (order_finish(b->order, &end, &e) != 0 || packer_flush(b->packer, &e) != 0 ||
	    layout_finish(b->layout, &e) != 0 || (b->diff != NULL && diff_finish(b->diff, &e) != 0))
		fail("end of the transfer", &e);
	if (b->step == 0 && layout_count(b->layout)->written > 0)
		fail("layout", &(struct zr_err){.text = "an unchanged zone was written"});
	order_free(b->order);
	packer_free(b->packer);
	layout_free(b->layout);
	diff_free(b->diff);
}

static void
stage_transfer(struct bench *b)
{
	const uint8_t *p = b->stream.octets;
	struct frame f;
	size_t n, used;

	b->step = 0;
	b->sum = 0;
	begin_transfer(b, true);
	frame_init(&f);
	for (size_t at = 0; at < b->stream.len; at += n) {
		n = b->stream.len - at < PIECE ? b->stream.len - at : PIECE;
		if (frame_feed(&f, p + at, n, &used, on_frame, b) != 0)
			exit(1);
	}
	frame_clear(&f);
	end_transfer(b);
}

static void
transfer_changed(struct bench *b, unsigned step, bool diff)
{
	struct zr_err e;
	struct rr rr;

	b->step = step;
	begin_transfer(b, diff);
	for (unsigned i = 0; i < b->records.count; i++) {
		rr = b->records.rr[i];
		if (i % step == step / 2)
			rr.ttl++;
		if (order_add(b->order, &rr, &e) != 0)
			fail("order_add", &e);
	}
	end_transfer(b);
}

static void
stage_layout(struct bench *b)
{
	transfer_changed(b, 10, false);
}

static void
stage_diff_sparse(struct bench *b)
{
	transfer_changed(b, 10000, true);
}

static void
stage_diff_dense(struct bench *b)
{
	transfer_changed(b, 10, true);
}

static struct changes *
make_changes(const struct bench *b, unsigned step)
{
	struct changes *c = changes_new(b->stream.apex, LIMIT);
	struct zr_err e;
	struct rr rr;

	for (unsigned i = step / 2; i < b->records.count; i += step) {
		rr = b->records.rr[i];
		if (changes_del(c, &rr, &e) != 0)
			fail("changes_del", &e);
		rr.ttl++;
		if (changes_add(c, &rr, &e) != 0)
			fail("changes_add", &e);
	}
	changes_sort(c, &e);
	return c;
}

static void
patch(struct bench *b, unsigned step)
{
	struct changes *c = make_changes(b, step);
	struct patch *p = patch_new(b->stream.apex, &patch_ops, b, c, NULL, 0);
	struct zr_err e;
	enum patch_state s;

	while ((s = patch_step(p, 64, &e)) == PATCH_MORE)
		;
	if (s == PATCH_FAIL)
		fail("patch", &e);
	patch_free(p);
	changes_free(c);
}

static void
stage_changes(struct bench *b)
{
	changes_free(make_changes(b, 10));
}

static void
stage_patch_one(struct bench *b)
{
	patch(b, b->records.count);
}

static void
stage_patch_sparse(struct bench *b)
{
	patch(b, 10000);
}

static void
stage_patch_dense(struct bench *b)
{
	patch(b, 10);
}

static const struct {
	const char *name;
	void (*run)(struct bench *b);
	unsigned per; /* 0: of the zone's records, else of every so many-th */
} stages[] = {
    {"pack", stage_pack, 0},
    {"unpack", stage_unpack, 0},
    {"sum of digests", stage_digest, 0},
    {"order", stage_order, 0},
    {"octets to layout and diff, unchanged", stage_transfer, 0},
    {"order, pack, layout, 10 % changed", stage_layout, 0},
    {"the same with diff", stage_diff_dense, 0},
    {"the same with diff, 0.01 % changed", stage_diff_sparse, 0},
    {"changes, per change", stage_changes, 10},
    {"patch, 10 %, per change", stage_patch_dense, 10},
    {"patch, 0.01 %, per change", stage_patch_sparse, 10000},
    {"patch, a single change", stage_patch_one, 1},
};

static double
cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

static double
best_of(struct bench *b, void (*run)(struct bench *))
{
	double best = 0, start, took;

	for (unsigned i = 0; i < ROUNDS; i++) {
		start = cpu_ns();
		run(b);
		took = cpu_ns() - start;
		if (i == 0 || took < best)
			best = took;
	}
	return best;
}

int
main(int argc, char **argv)
{
	unsigned rrs = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : RECORDS;
	struct bench *b = zr_xcalloc(1, sizeof(*b));
	double per;
	size_t octets = 0;

	stream_make(&b->stream, rrs);
	records_make(&b->records, &b->stream);
	if (b->records.count > 1 && b->records.rr[b->records.count - 1].type == TYPE_SOA)
		b->records.count--; /* the closing one */
	b->keep = true;
	pack(b, on_segment);
	b->keep = false;
	for (size_t i = 0; i < b->n; i++)
		octets += b->v[i].ref.len;
	printf("%u records, %zu segments, %zu octets\n", b->records.count, b->n, octets);
	for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
		per = stages[i].per == 0 ? b->records.count
					 : (double)b->records.count / stages[i].per;
		if (stages[i].run == stage_patch_one)
			per = 1;
		printf("%-40s %10.1f ns\n", stages[i].name, best_of(b, stages[i].run) / per);
	}
	for (size_t i = 0; i < b->n; i++) {
		free(b->v[i].key);
		free(b->v[i].data);
	}
	free(b->v);
	records_clear(&b->records);
	stream_clear(&b->stream);
	free(b);
	return 0;
}
