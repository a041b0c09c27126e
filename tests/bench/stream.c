/* SPDX-License-Identifier: BSD-2-Clause */
#include "stream.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/rand.h"
#include "wire/frame.h"
#include "wire/msg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_FILL 16000 /* octets; about what BIND and Knot put into a message */
#define PROVIDERS 2000	   /* different operators of name servers */
#define PTR_QUESTION 0xc00c
#define TYPE_DS 43

struct maker {
	struct buf out;
	struct rng rng;
	size_t start; /* of the message, behind its length */
	unsigned in_message;
	uint16_t
	    provider_at[PROVIDERS]; /* where "nsN.providerM.net." stands in the message, or 0 */
	struct stream *s;
};

static size_t
here(const struct maker *m)
{
	return m->out.len - m->start;
}

static void
label(struct maker *m, const char *text)
{
	buf_u8(&m->out, (uint8_t)strlen(text));
	buf_str(&m->out, text);
}

static void
message_begin(struct maker *m)
{
	buf_u16(&m->out, 0);
	m->start = m->out.len;
	m->in_message = 0;
	memset(m->provider_at, 0, sizeof(m->provider_at));
	buf_u16(&m->out, 0x1234);
	buf_u16(&m->out, FLAG_QR | FLAG_AA);
	buf_u16(&m->out, 1);
	buf_u16(&m->out, 0);
	buf_u32(&m->out, 0);
	buf_bytes(&m->out, m->s->apex, name_len(m->s->apex));
	buf_u16(&m->out, TYPE_AXFR);
	buf_u16(&m->out, CLASS_IN);
}

static void
message_end(struct maker *m)
{
	buf_put_u16(&m->out, m->start + 6, (uint16_t)m->in_message);
	buf_put_u16(&m->out, m->start - 2, (uint16_t)here(m));
	m->s->messages++;
}

static size_t
rr_begin(struct maker *m, uint16_t type)
{
	buf_u16(&m->out, type);
	buf_u16(&m->out, CLASS_IN);
	buf_u32(&m->out, 86400);
	buf_u16(&m->out, 0);
	return m->out.len;
}

static void
rr_end(struct maker *m, size_t rdata)
{
	buf_put_u16(&m->out, rdata - 2, (uint16_t)(m->out.len - rdata));
	m->in_message++;
	m->s->rrs++;
}

static void
soa(struct maker *m)
{
	size_t rdata;

	buf_u16(&m->out, PTR_QUESTION);
	rdata = rr_begin(m, TYPE_SOA);
	label(m, "ns");
	buf_u16(&m->out, PTR_QUESTION);
	label(m, "hostmaster");
	buf_u16(&m->out, PTR_QUESTION);
	for (unsigned i = 0; i < 5; i++)
		buf_u32(&m->out, 1000 * (i + 1));
	rr_end(m, rdata);
}

/* A name server: compressed when this message has named it already. */
static void
target(struct maker *m, unsigned provider)
{
	char text[32];

	if (m->provider_at[provider] != 0) {
		buf_u16(&m->out, 0xc000 | m->provider_at[provider]);
		return;
	}
	m->provider_at[provider] = (uint16_t)here(m);
	snprintf(text, sizeof(text), "ns%u", provider % 4);
	label(m, text);
	snprintf(text, sizeof(text), "provider%u", provider / 4);
	label(m, text);
	label(m, "net");
	buf_u8(&m->out, 0);
}

/* A delegation: two to four NS, for a third of them DS, for a tenth glue below the name. */
static void
delegation(struct maker *m, unsigned number)
{
	unsigned ns = 2 + (unsigned)rng_below(&m->rng, 3);
	unsigned provider = (unsigned)rng_below(&m->rng, PROVIDERS / 4) * 4;
	uint16_t owner = (uint16_t)here(m);
	char text[32];
	size_t rdata;

	snprintf(text, sizeof(text), "domain-%08u", number);
	label(m, text);
	buf_u16(&m->out, PTR_QUESTION);
	for (unsigned i = 0; i < ns; i++) {
		if (i > 0)
			buf_u16(&m->out, 0xc000 | owner);
		rdata = rr_begin(m, TYPE_NS);
		target(m, provider + i);
		rr_end(m, rdata);
	}
	if (rng_below(&m->rng, 3) == 0) {
		buf_u16(&m->out, 0xc000 | owner);
		rdata = rr_begin(m, TYPE_DS);
		for (unsigned i = 0; i < 9; i++)
			buf_u32(&m->out, (uint32_t)rng_next(&m->rng));
		rr_end(m, rdata);
	}
	if (rng_below(&m->rng, 10) == 0) {
		label(m, "ns");
		buf_u16(&m->out, 0xc000 | owner);
		rdata = rr_begin(m, TYPE_A);
		buf_u32(&m->out, (uint32_t)rng_next(&m->rng));
		rr_end(m, rdata);
	}
}

void
stream_make(struct stream *s, unsigned rrs)
{
	struct maker m = {.s = s};

	*s = (struct stream){0};
	name_from_text("example.", s->apex);
	rng_seed(&m.rng, 1);
	message_begin(&m);
	soa(&m);
	for (unsigned i = 0; s->rrs + 1 < rrs; i++) {
		if (here(&m) > MESSAGE_FILL) {
			message_end(&m);
			message_begin(&m);
		}
		delegation(&m, i * 7);
	}
	soa(&m);
	message_end(&m);
	if (m.out.bad) {
		fprintf(stderr, "out of memory\n");
		exit(1);
	}
	s->octets = buf_take(&m.out, &s->len);
}

void
stream_clear(struct stream *s)
{
	free(s->octets);
}

struct collector {
	struct records *r;
	struct buf octets;
	struct msg m;
	struct msg_walk w;
};

static int
collect(void *arg, const uint8_t *data, size_t len)
{
	struct collector *c = arg;
	struct zr_err e;
	struct rr rr;

	if (msg_parse(&c->m, data, len, MSG_FULL, &e) < 0 ||
	    msg_walk_start(&c->w, &c->m, SECTION_ANSWER, &e) < 0)
		return 1;
	while (msg_next(&c->w, &rr, &e) == 1) {
		c->r->rr[c->r->count++] = rr;
		buf_bytes(&c->octets, rr.owner, rr.owner_len);
		buf_bytes(&c->octets, rr.rdata, rr.rdlen);
	}
	return 0;
}

void
records_make(struct records *r, const struct stream *s)
{
	struct collector *c = zr_xcalloc(1, sizeof(*c));
	struct frame f;
	size_t used, at = 0;

	r->rr = zr_xcalloc(s->rrs, sizeof(*r->rr));
	r->count = 0;
	c->r = r;
	frame_init(&f);
	if (frame_feed(&f, s->octets, s->len, &used, collect, c) != 0 || c->octets.bad) {
		fprintf(stderr, "the stream is malformed\n");
		exit(1);
	}
	frame_clear(&f);
	r->octets = buf_take(&c->octets, &used);
	for (unsigned i = 0; i < r->count; i++) {
		r->rr[i].owner = r->octets + at;
		at += r->rr[i].owner_len;
		r->rr[i].rdata = r->octets + at;
		at += r->rr[i].rdlen;
	}
	free(c);
}

void
records_clear(struct records *r)
{
	free(r->rr);
	free(r->octets);
}
