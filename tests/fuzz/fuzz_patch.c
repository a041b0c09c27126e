/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Input: operations of 8 octets each, on a zone kept three ways: as a sorted array, as changes, as
 * stored segments.  A commit patches the segments; they must be those that packing the array
 * gives, and what does not fit must be refused.  Any allocation and any receiver may fail: then it
 * says so, and the zone is as it was.
 */
#include "fuzz.h"

#include "base/buf.h"
#include "base/mem.h"
#include "core/changes.h"
#include "core/patch.h"
#include "core/segref.h"
#include "model.h"

#include <string.h>

#define OP_SIZE 8
#define OPS_MAX 600
#define RDATA_MAX 20000
#define CHANGES_LIMIT ((size_t)64 * 1024 * 1024)

struct zone {
	struct model was, now;
	struct stored_list base, out;
	struct changes *c;
	bool broken;		 /* something in the changes cannot fit */
	unsigned calls, fail_at; /* of on_write and on_kill; 0 = none */
};

static uint8_t owner[NAME_MAX_LEN], rdata[RDATA_MAX];

/* op, owner, type, TTL, length of the RDATA (2), its first octet, its last */
static struct rr
record(const uint8_t *p, const uint8_t *apex)
{
	static const uint16_t types[] = {1, 16, TYPE_NSEC3, 65280};
	struct rr rr = {.owner = owner,
	    .rdata = rdata,
	    .type = types[p[2] % 4],
	    .class = CLASS_IN,
	    .ttl = p[3]};
	size_t n = (size_t)get_u16(p + 4) % RDATA_MAX, at = 0;

	owner[at++] = 2;
	owner[at++] = (uint8_t)(p[1] % 16 + (p[2] & 0x80 ? 'A' : 'a'));
	owner[at++] = (uint8_t)(p[1] / 16 + 'a');
	memcpy(owner + at, apex, name_len(apex));
	rr.owner_len = (uint8_t)(at + name_len(apex));
	memset(rdata, 0, n);
	if (n > 0) {
		rdata[0] = p[6];
		rdata[n - 1] ^= p[7];
	}
	rr.rdlen = (uint16_t)n;
	return rr;
}

static int
give(const struct stored_list *l, size_t at, struct segref *out)
{
	if (at >= l->n)
		return 0;
	*out = (struct segref){.id = l->v[at].id,
	    .key = l->v[at].key,
	    .key_len = l->v[at].key_len,
	    .rrs = l->v[at].rrs,
	    .len = (uint32_t)l->v[at].len};
	memcpy(out->digest, l->v[at].digest, SEGMENT_DIGEST);
	return 1;
}

static int
on_at(void *arg, const uint8_t *key, size_t len, struct segref *out, struct zr_err *e)
{
	struct zone *z = arg;

	(void)e;
	return give(&z->base, stored_at(&z->base, key, len), out);
}

static int
on_next(void *arg, const struct segref *ref, struct segref *out, struct zr_err *e)
{
	struct zone *z = arg;
	size_t at = stored_at(&z->base, ref->key, ref->key_len);

	(void)e;
	return give(&z->base, ref->key_len == 0 ? 0 : at + 1, out);
}

static int
on_prev(void *arg, const struct segref *ref, struct segref *out, struct zr_err *e)
{
	struct zone *z = arg;
	size_t at = stored_at(&z->base, ref->key, ref->key_len);

	(void)e;
	return give(&z->base, at == 0 ? z->base.n : at - 1, out);
}

static int
on_read(void *arg, const struct segref *ref, const uint8_t **data, size_t *len, struct zr_err *e)
{
	struct zone *z = arg;
	const struct stored *s = &z->base.v[stored_at(&z->base, ref->key, ref->key_len)];

	(void)e;
	FUZZ_CHECK(s->id == ref->id);
	*data = s->data;
	*len = s->len;
	return 0;
}

static int
called(struct zone *z, struct zr_err *e)
{
	if (z->fail_at == 0 || ++z->calls != z->fail_at)
		return 0;
	return zr_fail(e, ZR_DB, "no");
}

static int
on_write(void *arg, const struct segment *s, struct zr_err *e)
{
	struct zone *z = arg;

	stored_insert(&z->out, s);
	return called(z, e);
}

static int
on_kill(void *arg, const struct segref *ref, struct zr_err *e)
{
	struct zone *z = arg;

	FUZZ_CHECK(stored_remove(&z->out, ref->id));
	return called(z, e);
}

static const struct patch_ops ops = {.next_change = changes_next,
    .at = on_at,
    .next = on_next,
    .prev = on_prev,
    .read = on_read,
    .write = on_write,
    .kill = on_kill};

static void
begin(struct zone *z)
{
	z->c = changes_new(z->now.apex, CHANGES_LIMIT);
	z->broken = false;
	stored_copy(&z->out, &z->base);
}

static void
check_done(struct zone *z, const struct patch *p)
{
	struct stored_list want = {0};
	struct version_sum sum = {0};

	stored_pack(&want, &z->now);
	FUZZ_CHECK(stored_differ(&z->out, &want) == NULL);
	for (size_t i = 0; i < want.n; i++)
		version_sum_add(&sum, want.v[i].digest, want.v[i].rrs, want.v[i].len);
	FUZZ_CHECK(memcmp(&sum, patch_sum(p), sizeof(sum)) == 0);
	stored_clear(&want);
}

static void
swap_models(struct model *to, const struct model *from)
{
	model_clear(to);
	model_copy(to, from);
}

static void
commit(struct zone *z, unsigned budget, unsigned fail_memory, unsigned fail_call)
{
	struct version_sum sum = {0};
	struct zr_err e = {0};
	enum patch_state rc;
	struct patch *p;

	for (size_t i = 0; i < z->base.n; i++)
		version_sum_add(&sum, z->base.v[i].digest, z->base.v[i].rrs, z->base.v[i].len);
	z->calls = 0;
	z->fail_at = fail_call;
	zr_mem_fail_after(fail_memory);
	rc = changes_sort(z->c, &e) == 0 ? PATCH_MORE : PATCH_FAIL;
	p = patch_new(z->now.apex, &ops, z, z->c, &sum, 0);
	while (rc == PATCH_MORE)
		rc = patch_step(p, budget, &e);
	zr_mem_fail_after(0);
	FUZZ_CHECK(rc != PATCH_DONE || !z->broken);
	FUZZ_CHECK(rc == PATCH_DONE || z->broken || fail_memory != 0 || fail_call != 0);
	if (rc == PATCH_DONE) {
		check_done(z, p);
		stored_clear(&z->base);
		stored_copy(&z->base, &z->out);
		swap_models(&z->was, &z->now);
	} else {
		FUZZ_CHECK((e.code == ZR_DIFF && z->broken) ||
			   (e.code == ZR_NOMEM && fail_memory != 0) ||
			   (e.code == ZR_DB && fail_call != 0));
		swap_models(&z->now, &z->was);
	}
	patch_free(p);
	changes_free(z->c);
	stored_clear(&z->out);
	begin(z);
}

/* Gives up the changes so far. */
static void
refuse(struct zone *z)
{
	changes_free(z->c);
	stored_clear(&z->out);
	swap_models(&z->now, &z->was);
	begin(z);
}

static void
run(struct zone *z, const uint8_t *p)
{
	struct rr rr = record(p, z->now.apex);
	struct zr_err e = {0};
	bool there, add = p[0] % 4 != 1;
	int rc;

	if (p[0] % 4 == 3) {
		commit(z, p[1] % 8, p[2], p[3]);
		return;
	}
	model_find(&z->now, &rr, &there);
	if (there == add) {
		if ((p[0] & 0x80) == 0)
			return; /* mostly, what would not fit is left out */
		z->broken = true;
	}
	zr_mem_fail_after((p[0] & 0x40) != 0 ? 1 + (p[0] >> 2 & 3) : 0);
	rc = add ? changes_add(z->c, &rr, &e) : changes_del(z->c, &rr, &e);
	zr_mem_fail_after(0);
	if (rc != 0) {
		FUZZ_CHECK(
		    (e.code == ZR_DIFF && z->broken) || (e.code == ZR_NOMEM && (p[0] & 0x40) != 0));
		refuse(z);
		return;
	}
	if (add)
		model_put(&z->now, &rr);
	else
		model_del(&z->now, &rr);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct zone z = {0};
	size_t n = size / OP_SIZE;

	model_init(&z.now, "example.org.");
	model_copy(&z.was, &z.now);
	begin(&z);
	for (size_t i = 0; i < n && i < OPS_MAX; i++)
		run(&z, data + i * OP_SIZE);
	commit(&z, 1, 0, 0);
	changes_free(z.c);
	stored_clear(&z.base);
	stored_clear(&z.out);
	model_clear(&z.was);
	model_clear(&z.now);
	return 0;
}
