/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The packer.  Where it cuts depends on the records since the last cut and on nothing else, and a
 * cut is decided when the next record is known.  That is what lets core/patch stop
 * rewriting as soon as one of its cuts falls on a boundary that is there already.
 *
 * The record before the current one is kept: as a check of order, to see the owner change, and to
 * make keys inside an owner differ.
 */
#include "wire/segment.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/octets.h"
#include "wire/compress.h"
#include "wire/name.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define CUT_SEED 1 /* of the hash that decides over cuts */
#define KEY_TYPE 2
#define APEX_KEY 2 /* octets of part and owner for the apex */

/* What is known of a record beside its octets. */
struct place {
	uint8_t part;
	uint8_t owner_len;
	uint16_t sort_type;
	uint16_t rdlen;
	size_t key_len; /* of key: part and owner */
	uint8_t owner[NAME_MAX_LEN];
	uint8_t key[RR_KEY_MAX];
};

struct packer {
	struct compress *c;
	size_t max; /* octets of a segment of more than one record */
	segment_sink sink;
	void *arg;
	EVP_MD *sha256;
	EVP_MD_CTX *md;

	uint32_t rrs; /* in the segment under construction */
	uint8_t seg_key[RR_KEY_MAX];
	size_t seg_key_len;
	uint8_t resume_key[RR_KEY_MAX];
	size_t resume_key_len; /* 0: none */

	bool has_prev;
	unsigned cur; /* place[cur] is the record before, the other one is free */
	struct place place[2];
	uint8_t apex[NAME_MAX_LEN];
	uint8_t rdata[UINT16_MAX]; /* of the record before */
};

/* How a record stands to the one before. */
enum step {
	STEP_BACK,	 /* not in order */
	STEP_SAME_OWNER, /* octet for octet */
	STEP_SAME_KEY,	 /* same owner but for its case */
	STEP_NEW_OWNER
};

/*
 * The cut, as a pure function.  `size` octets are in the segment, the next record takes `len`; key
 * is its part and owner when that is new, else NULL.
 */
static bool
cut_before(size_t size, size_t len, size_t max, const uint8_t *key, size_t key_len)
{
	if (size == 0)
		return false;
	if (size + len > max)
		return true;
	if (key == NULL || size < SEGMENT_CUT_MIN)
		return false;
	return size >= SEGMENT_CUT_SOFT ||
	       (compress_hash(key, key_len, CUT_SEED) & SEGMENT_CUT_MASK) == 0;
}

static int
octets_cmp(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	size_t n = a_len < b_len ? a_len : b_len;
	int c = n == 0 ? 0 : memcmp(a, b, n);

	return c != 0 ? c : (a_len > b_len) - (a_len < b_len);
}

/* Fills the free place for rr, all but what is equal in both: see commit(). */
static enum step
relate(struct packer *p, const struct rr *rr)
{
	const struct place *prev = &p->place[p->cur];
	struct place *now = &p->place[p->cur ^ 1];
	enum step step = STEP_SAME_OWNER;
	int c;

	now->part = rr_part(rr);
	now->rdlen = rr->rdlen;
	now->owner_len = rr->owner_len;
	if (!p->has_prev || prev->part != now->part || prev->owner_len != rr->owner_len ||
	    !octets_same(prev->owner, rr->owner, rr->owner_len)) {
		memcpy(now->owner, rr->owner, rr->owner_len);
		now->key_len = rr_key_owner(rr, p->apex, now->key);
		c = p->has_prev ? octets_cmp(prev->key, prev->key_len, now->key, now->key_len) : -1;
		step = c < 0 ? STEP_NEW_OWNER : c == 0 ? STEP_SAME_KEY : STEP_BACK;
	} else {
		now->key_len = prev->key_len;
	}
	now->sort_type = rr->type == TYPE_SOA && now->key_len == APEX_KEY ? 0 : rr->type;
	if (step == STEP_NEW_OWNER || step == STEP_BACK)
		return step;
	if (prev->sort_type != now->sort_type)
		return prev->sort_type < now->sort_type ? step : STEP_BACK;
	return octets_cmp(p->rdata, prev->rdlen, rr->rdata, rr->rdlen) < 0 ? step : STEP_BACK;
}

/* The record becomes the one before. */
static void
commit(struct packer *p, const struct rr *rr, enum step step)
{
	struct place *now = &p->place[p->cur ^ 1];

	if (step == STEP_SAME_OWNER) {
		p->place[p->cur].sort_type = now->sort_type;
		p->place[p->cur].rdlen = now->rdlen;
	} else {
		p->cur ^= 1;
	}
	if (rr->rdlen > 0)
		memcpy(p->rdata, rr->rdata, rr->rdlen);
	p->has_prev = true;
	p->rrs++;
}

/* Key of a segment that begins with rr behind the record before. */
static size_t
first_key(const struct packer *p, const struct rr *rr, enum step step, uint8_t key[RR_KEY_MAX])
{
	const struct place *prev = &p->place[p->cur], *now = &p->place[p->cur ^ 1];
	const struct place *owner = step == STEP_SAME_OWNER ? prev : now;
	size_t len = owner->key_len, room = SEGMENT_KEY_INNER - len - KEY_TYPE;
	uint32_t number = 1;

	memcpy(key, owner->key, len);
	if (step == STEP_NEW_OWNER)
		return len;
	len = rr_key_tail(rr, len, key);
	if (len <= SEGMENT_KEY_INNER)
		return len;
	if (prev->sort_type != now->sort_type || prev->rdlen < room ||
	    memcmp(p->rdata, rr->rdata, room) != 0)
		return SEGMENT_KEY_INNER;
	if (p->seg_key_len == RR_KEY_MAX && memcmp(p->seg_key, key, SEGMENT_KEY_INNER) == 0)
		number = get_u32(p->seg_key + SEGMENT_KEY_INNER) + 1;
	put_u32(key + SEGMENT_KEY_INNER, number);
	return RR_KEY_MAX;
}

static size_t
put_record(struct packer *p, const struct rr *rr, enum step step)
{
	return compress_rr(p->c, rr, step == STEP_SAME_OWNER && p->rrs > 0);
}

static bool
cut_here(const struct packer *p, size_t len, enum step step)
{
	const struct place *now = &p->place[p->cur ^ 1];

	return p->rrs > 0 && cut_before(compress_len(p->c) - len, len, p->max,
				 step == STEP_NEW_OWNER ? now->key : NULL, now->key_len);
}

static int
emit(struct packer *p, struct zr_err *e)
{
	struct segment s = {.key = p->seg_key,
	    .key_len = p->seg_key_len,
	    .data = compress_data(p->c),
	    .len = compress_len(p->c),
	    .rrs = p->rrs};

	if (EVP_DigestInit_ex2(p->md, p->sha256, NULL) != 1 ||
	    EVP_DigestUpdate(p->md, s.data, s.len) != 1 ||
	    EVP_DigestFinal_ex(p->md, s.digest, NULL) != 1)
		return zr_fail(e, ZR_INTERNAL, "SHA-256 failed");
	if (p->sink(p->arg, &s, e) != 0)
		return -1;
	compress_reset(p->c);
	p->rrs = 0;
	return 0;
}

static void
begin(struct packer *p, const struct rr *rr, enum step step)
{
	uint8_t key[RR_KEY_MAX];
	size_t len;

	if (!p->has_prev && p->resume_key_len > 0) {
		p->seg_key_len = p->resume_key_len;
		memcpy(p->seg_key, p->resume_key, p->resume_key_len);
		return;
	}
	len = first_key(p, rr, step, key);
	memcpy(p->seg_key, key, len);
	p->seg_key_len = len;
}

int
packer_add(struct packer *p, const struct rr *rr, struct zr_err *e)
{
	enum step step = relate(p, rr);
	size_t len;

	if (step == STEP_BACK)
		return zr_fail(e, ZR_INTERNAL, "records to be packed are not in zone order");
	len = put_record(p, rr, step);
	if (len == 0)
		return zr_fail(e, ZR_FORMERR, "RDATA of type %u does not fit its type", rr->type);
	if (cut_here(p, len, step)) {
		compress_undo(p->c);
		if (emit(p, e) != 0)
			return -1;
		len = put_record(p, rr, step);
	}
	if (len > SEGMENT_DATA_MAX) {
		compress_undo(p->c);
		return zr_fail(e, ZR_LIMIT, "a record of %zu octets is too large to be sent", len);
	}
	if (p->rrs == 0)
		begin(p, rr, step);
	commit(p, rr, step);
	return 0;
}

bool
packer_would_cut(struct packer *p, const struct rr *rr, uint8_t key[RR_KEY_MAX], size_t *key_len)
{
	enum step step = relate(p, rr);
	size_t len = put_record(p, rr, step);
	bool cut = step != STEP_BACK && len > 0 && cut_here(p, len, step);

	if (len > 0)
		compress_undo(p->c);
	if (cut && key != NULL)
		*key_len = first_key(p, rr, step, key);
	return cut;
}

bool
packer_would_cut_at(const struct packer *p, const uint8_t *key, size_t key_len)
{
	const struct place *prev = &p->place[p->cur];

	return p->rrs > 0 && octets_cmp(prev->key, prev->key_len, key, key_len) < 0 &&
	       cut_before(compress_len(p->c), 0, p->max, key, key_len);
}

int
packer_flush(struct packer *p, struct zr_err *e)
{
	if (p->rrs > 0 && emit(p, e) != 0)
		return -1;
	p->has_prev = false;
	p->resume_key_len = 0;
	p->seg_key_len = 0;
	return 0;
}

void
packer_resume(struct packer *p, const uint8_t *key, size_t key_len)
{
	if (key_len > RR_KEY_MAX)
		key_len = RR_KEY_MAX; /* never of our making */
	memcpy(p->resume_key, key, key_len);
	p->resume_key_len = key_len;
}

size_t
packer_pending(const struct packer *p)
{
	return compress_len(p->c);
}

const uint8_t *
packer_key(const struct packer *p, size_t *key_len)
{
	*key_len = p->rrs > 0 ? p->seg_key_len : 0;
	return p->seg_key;
}

struct packer *
packer_new(const uint8_t *apex, segment_sink sink, void *arg)
{
	struct packer *p = zr_xcalloc(1, sizeof(*p));

	p->c = compress_new(apex, false);
	p->max = SEGMENT_OFFSET_MAX + 1 - compress_base(p->c);
	p->sink = sink;
	p->arg = arg;
	p->sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL);
	p->md = EVP_MD_CTX_new();
	if (p->sha256 == NULL || p->md == NULL)
		zr_no_memory();
	memcpy(p->apex, apex, name_len(apex));
	return p;
}

void
packer_free(struct packer *p)
{
	if (p == NULL)
		return;
	compress_free(p->c);
	EVP_MD_free(p->sha256);
	EVP_MD_CTX_free(p->md);
	free(p);
}
