/* SPDX-License-Identifier: BSD-2-Clause */
#include "model.h"

#include "base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- zones ---- */

void
model_init(struct model *m, const char *apex)
{
	*m = (struct model){0};
	if (name_from_text(apex, m->apex) == 0)
		abort();
}

void
model_clear(struct model *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->v[i]);
	free(m->v);
	m->v = NULL;
	m->n = m->cap = 0;
}

void
model_copy(struct model *to, const struct model *from)
{
	*to = *from;
	to->cap = from->n + 1;
	to->v = zr_xmalloc(to->cap * sizeof(struct rr *));
	for (size_t i = 0; i < from->n; i++)
		to->v[i] = rr_dup(from->v[i]);
}

struct rr *
rr_dup(const struct rr *rr)
{
	struct rr *r = zr_xmalloc(sizeof(*r) + rr->owner_len + rr->rdlen);
	uint8_t *p = (uint8_t *)(r + 1);

	*r = *rr;
	memcpy(p, rr->owner, rr->owner_len);
	r->owner = p;
	p += rr->owner_len;
	if (rr->rdlen > 0)
		memcpy(p, rr->rdata, rr->rdlen);
	r->rdata = p;
	return r;
}

size_t
model_find(const struct model *m, const struct rr *rr, bool *found)
{
	size_t lo = 0, hi = m->n, mid;
	int c;

	*found = false;
	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		c = rr_cmp(m->v[mid], rr, m->apex);
		if (c == 0) {
			*found = true;
			return mid;
		}
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool
model_put(struct model *m, const struct rr *rr)
{
	bool found;
	size_t at = model_find(m, rr, &found);

	if (found) {
		free(m->v[at]);
		m->v[at] = rr_dup(rr);
		return true;
	}
	if (m->n == m->cap) {
		m->cap = m->cap == 0 ? 64 : 2 * m->cap;
		m->v = zr_xrealloc(m->v, m->cap * sizeof(struct rr *));
	}
	memmove(m->v + at + 1, m->v + at, (m->n - at) * sizeof(struct rr *));
	m->v[at] = rr_dup(rr);
	m->n++;
	return false;
}

bool
model_del(struct model *m, const struct rr *rr)
{
	bool found;
	size_t at = model_find(m, rr, &found);

	if (!found)
		return false;
	free(m->v[at]);
	m->n--;
	memmove(m->v + at, m->v + at + 1, (m->n - at) * sizeof(struct rr *));
	return true;
}

bool
model_equal(const struct model *a, const struct model *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		if (!rr_identical(a->v[i], b->v[i]))
			return false;
	}
	return true;
}

/* ---- random records ---- */

void
gen_init(struct gen *g, uint64_t seed)
{
	memset(g, 0, sizeof(*g));
	rng_seed(&g->rng, seed);
	g->owners = 300;
	g->rdata = 60;
}

static size_t
put_label(struct gen *g, struct rng *r, uint8_t *out)
{
	size_t n = 1 + rng_below(r, 10);

	if (g->odd && rng_below(r, 8) == 0) {
		n = 1 + rng_below(r, 3);
		for (size_t i = 1; i <= n; i++)
			out[i] = (uint8_t)rng_below(r, 4) == 0 ? '.' : (uint8_t)rng_below(r, 3);
	} else {
		for (size_t i = 1; i <= n; i++)
			out[i] = (uint8_t)('a' + rng_below(r, 26));
	}
	if (rng_below(r, 40) == 0) {
		n = 1;
		out[1] = '*';
	}
	out[0] = (uint8_t)n;
	return n + 1;
}

size_t
gen_owner(struct gen *g, const uint8_t *apex, unsigned i, uint8_t out[NAME_MAX_LEN])
{
	struct rng r; /* the same name for the same number */
	size_t at = 0, apex_len = name_len(apex), end;
	unsigned labels;

	rng_seed(&r, 1000003u * i + 17);
	labels = i == 0 ? 0 : 1 + (unsigned)rng_below(&r, 10) / 8;
	if (g->odd && i % 50 == 7)
		labels = 1 + (unsigned)rng_below(&r, 20);
	while (labels-- > 0 && at + 12 + apex_len < NAME_MAX_LEN)
		at += put_label(g, &r, out + at);
	memcpy(out + at, apex, apex_len);
	end = at + apex_len;
	if (!g->odd || rng_below(&g->rng, 10) != 0)
		return end;
	for (size_t k = 0; k < end; k++) {
		if (out[k] >= 'a' && out[k] <= 'z' && rng_below(&g->rng, 2) == 0)
			out[k] = (uint8_t)(out[k] - 'a' + 'A');
	}
	return end;
}

/* A name for RDATA: in the zone, elsewhere, the root. */
static size_t
put_target(struct gen *g, const uint8_t *apex, uint8_t *out)
{
	static const char *const elsewhere[] = {
	    "ns1.provider.test", "ns2.provider.test", "NS1.Provider.Test", "mail.other.example"};
	uint64_t k = rng_below(&g->rng, 10);

	if (k < 6)
		return gen_owner(g, apex, (unsigned)rng_below(&g->rng, g->owners), out);
	if (k < 9)
		return name_from_text(elsewhere[rng_below(&g->rng, 4)], out);
	out[0] = 0;
	return 1;
}

static void
put_random(struct gen *g, size_t n, size_t at)
{
	for (size_t i = 0; i < n; i++)
		g->data[at + i] = (uint8_t)rng_next(&g->rng);
}

/* RDATA of the layout of a type, so that it survives decompression. */
static size_t
put_layout(struct gen *g, const uint8_t *apex, const struct rdata_part *part)
{
	size_t at = 0, n;

	for (; part->kind != 0; part++) {
		switch (part->kind) {
		case 'n':
		case 'd':
			at += put_target(g, apex, g->data + at);
			break;
		case 's':
			n = rng_below(&g->rng, 20);
			g->data[at] = (uint8_t)n;
			put_random(g, n, at + 1);
			at += n + 1;
			break;
		default:
			n = part->kind == 'f' ? part->count : rng_below(&g->rng, 30);
			put_random(g, n, at);
			at += n;
			break;
		}
	}
	return at;
}

static const uint16_t plain[] = {1, 1, 1, 28, 2, 2, 2, 43, 16, 46};
static const uint16_t odd[] = {
    1, 2, 3, 4, 5, 7, 8, 9, 12, 14, 15, 16, 17, 18, 21, 24, 26, 28, 30, 33, 35, 36, 39, 46, 65280};

static size_t
put_rdata(struct gen *g, const uint8_t *apex, uint16_t type)
{
	const struct rdata_part *layout = rdata_layout(type);
	size_t n;

	if (layout != NULL)
		return put_layout(g, apex, layout);
	switch (type) {
	case 1:
		n = 4;
		break;
	case 28:
		n = 16;
		break;
	case 43:
		n = 36;
		break;
	default:
		n = rng_below(&g->rng, g->rdata + 1);
		break;
	}
	put_random(g, n, 0);
	if (type == TYPE_RRSIG && n >= 2)
		put_u16(g->data, 1);
	return n;
}

void
gen_rr_at(struct gen *g, const uint8_t *apex, unsigned owner, struct rr *out)
{
	uint16_t type = g->odd ? odd[rng_below(&g->rng, sizeof(odd) / sizeof(odd[0]))]
			       : plain[rng_below(&g->rng, sizeof(plain) / sizeof(plain[0]))];
	bool nsec3 = rng_below(&g->rng, 100) < g->nsec3;
	size_t n;

	if (nsec3)
		type = rng_below(&g->rng, 2) == 0 ? TYPE_NSEC3 : TYPE_RRSIG;
	n = put_rdata(g, apex, type);
	if (nsec3 && type == TYPE_RRSIG) {
		n = n < 2 ? 2 : n;
		put_u16(g->data, TYPE_NSEC3);
	}
	*out = (struct rr){.owner = g->owner,
	    .owner_len = (uint8_t)gen_owner(g, apex, owner, g->owner),
	    .type = type,
	    .class = CLASS_IN,
	    .ttl = 300 * (1 + (uint32_t)rng_below(&g->rng, 3)),
	    .rdata = g->data,
	    .rdlen = (uint16_t)n};
}

void
gen_rr(struct gen *g, const uint8_t *apex, struct rr *out)
{
	gen_rr_at(g, apex, (unsigned)rng_below(&g->rng, g->owners), out);
}

void
gen_soa(struct gen *g, const uint8_t *apex, uint32_t serial, struct rr *out)
{
	size_t n = name_len(apex), at;

	memcpy(g->owner, apex, n);
	at = name_from_text("ns.example", g->data);
	at += name_from_text("Admin.example", g->data + at);
	memset(g->data + at, 0, 20);
	put_u32(g->data + at, serial);
	*out = (struct rr){.owner = g->owner,
	    .owner_len = (uint8_t)n,
	    .type = TYPE_SOA,
	    .class = CLASS_IN,
	    .ttl = 3600,
	    .rdata = g->data,
	    .rdlen = (uint16_t)(at + 20)};
}

/* ---- stored versions ---- */

void
stored_clear(struct stored_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i].data);
	free(l->v);
	l->v = NULL;
	l->n = l->cap = 0;
}

static struct stored
stored_of(const struct segment *s, int64_t id)
{
	struct stored d = {.id = id, .key_len = s->key_len, .len = s->len, .rrs = s->rrs};

	assert(s->key_len <= sizeof(d.key));
	memcpy(d.key, s->key, s->key_len);
	d.data = zr_xmemdup(s->data, s->len);
	memcpy(d.digest, s->digest, sizeof(d.digest));
	return d;
}

static void
insert_at(struct stored_list *l, size_t at, const struct stored *d)
{
	if (l->n == l->cap) {
		l->cap = l->cap == 0 ? 16 : 2 * l->cap;
		l->v = zr_xrealloc(l->v, l->cap * sizeof(*l->v));
	}
	memmove(l->v + at + 1, l->v + at, (l->n - at) * sizeof(*l->v));
	l->v[at] = *d;
	l->n++;
}

void
stored_copy(struct stored_list *to, const struct stored_list *from)
{
	*to = (struct stored_list){.next_id = from->next_id};
	for (size_t i = 0; i < from->n; i++) {
		insert_at(to, i, &from->v[i]);
		to->v[i].data = zr_xmemdup(from->v[i].data, from->v[i].len);
	}
}

int
stored_sink(void *arg, const struct segment *s, struct zr_err *e)
{
	struct stored_list *l = arg;
	struct stored d = stored_of(s, ++l->next_id);

	(void)e;
	insert_at(l, l->n, &d);
	return 0;
}

static int
key_cmp(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	size_t n = a_len < b_len ? a_len : b_len;
	int c = n == 0 ? 0 : memcmp(a, b, n);

	return c != 0 ? c : (a_len > b_len) - (a_len < b_len);
}

size_t
stored_at(const struct stored_list *l, const uint8_t *key, size_t len)
{
	size_t i = 0;

	while (i < l->n && key_cmp(l->v[i].key, l->v[i].key_len, key, len) <= 0)
		i++;
	return i == 0 ? l->n : i - 1;
}

void
stored_insert(struct stored_list *l, const struct segment *s)
{
	struct stored d = stored_of(s, ++l->next_id);
	size_t at = 0;

	while (at < l->n && key_cmp(l->v[at].key, l->v[at].key_len, s->key, s->key_len) < 0)
		at++;
	insert_at(l, at, &d);
}

bool
stored_remove(struct stored_list *l, int64_t id)
{
	for (size_t i = 0; i < l->n; i++) {
		if (l->v[i].id != id)
			continue;
		free(l->v[i].data);
		l->n--;
		memmove(l->v + i, l->v + i + 1, (l->n - i) * sizeof(*l->v));
		return true;
	}
	return false;
}

void
stored_pack(struct stored_list *l, const struct model *m)
{
	struct packer *p = packer_new(m->apex, stored_sink, l);
	struct zr_err e = {0};

	for (size_t i = 0; i < m->n; i++) {
		if (packer_add(p, m->v[i], &e) != 0) {
			fprintf(stderr, "packer_add: %s\n", e.text);
			abort();
		}
	}
	if (packer_flush(p, &e) != 0)
		abort();
	packer_free(p);
}

const char *
stored_differ(const struct stored_list *a, const struct stored_list *b)
{
	const struct stored *x, *y;

	for (size_t i = 0; i < a->n && i < b->n; i++) {
		x = &a->v[i];
		y = &b->v[i];
		if (x->len != y->len || memcmp(x->data, y->data, x->len) != 0)
			return "data";
		if (key_cmp(x->key, x->key_len, y->key, y->key_len) != 0)
			return "key";
		if (x->rrs != y->rrs)
			return "count of records";
		if (memcmp(x->digest, y->digest, SEGMENT_DIGEST) != 0)
			return "digest";
	}
	return a->n == b->n ? NULL : "count of segments";
}

bool
stored_unpack(const struct stored_list *l, struct model *m)
{
	struct unpacker *u = unpacker_new(m->apex);
	struct rr rr;
	int rc = 0;

	for (size_t i = 0; i < l->n && rc == 0; i++) {
		unpacker_start(u, l->v[i].data, l->v[i].len);
		while ((rc = unpacker_next(u, &rr, NULL)) > 0)
			model_put(m, &rr);
	}
	unpacker_free(u);
	return rc == 0;
}
