/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The decompressor and the walk over records.  This is the hot path of a transfer: no
 * allocation, one pass over the octets.
 */
#include "base/buf.h"
#include "wire/msg.h"

#include <string.h>

#define LABEL_MAX 63
#define POINTER 0xc0
#define POINTER_MASK 0x3fff
#define RR_FIXED 10 /* type, class, TTL, RDLENGTH */

/*
 * Every pointer costs a step and adds, in honest messages, at least one label; a chain of bare
 * pointers could otherwise be followed for thousands of steps by each of thousands of names.
 */
#define HOPS_MAX 127

/*
 * Skips labels from `at` to the octet that is no label: a root, a pointer, a reserved type.
 * Returns its offset, or len when the run leaves the message or is longer than any name.
 */
static inline size_t
skip_labels(const uint8_t *data, size_t len, size_t at)
{
	size_t start = at;

	while (at < len && data[at] != 0 && data[at] <= LABEL_MAX) {
		at += 1u + data[at];
		if (at - start >= NAME_MAX_LEN)
			return len;
	}
	return at < len ? at : len;
}

/*
 * The target of the pointer at `at`, which ends the labels that began at `start`; 0 when it is
 * none.  "A prior occurrence" (RFC 1035 section 4.1.4) lies before the labels it completes and
 * behind the header, so every step leads strictly backward and no chain can loop.
 */
static inline size_t
pointer_target(const uint8_t *data, size_t len, size_t at, size_t start)
{
	size_t target;

	if (at + 1 >= len || data[at] < POINTER)
		return 0;
	target = get_u16(data + at) & POINTER_MASK;
	return target >= MSG_HEADER && target < start ? target : 0;
}

size_t
msg_name_at(const uint8_t *data, size_t len, size_t *pos, uint8_t out[NAME_MAX_LEN])
{
	size_t start = *pos, at, run, n = 0, behind = 0;

	for (unsigned hops = 0; hops <= HOPS_MAX; hops++) {
		at = skip_labels(data, len, start);
		run = at - start;
		if (at >= len || n + run >= NAME_MAX_LEN)
			return 0;
		memcpy(out + n, data + start, run);
		n += run;
		if (data[at] == 0) {
			out[n] = 0;
			*pos = behind != 0 ? behind : at + 1;
			return n + 1;
		}
		start = pointer_target(data, len, at, start);
		if (start == 0)
			return 0;
		if (behind == 0)
			behind = at + 2;
	}
	return 0;
}

/* Moves *pos behind a name without following its pointer. */
static bool
name_skip(const uint8_t *data, size_t len, size_t *pos)
{
	size_t at = skip_labels(data, len, *pos);

	if (at >= len)
		return false;
	if (data[at] == 0) {
		*pos = at + 1;
		return true;
	}
	if (pointer_target(data, len, at, *pos) == 0)
		return false;
	*pos = at + 2;
	return true;
}

bool
msg_rr_skip(const uint8_t *data, size_t len, size_t *pos, uint16_t *type)
{
	size_t at = *pos, rdlen;

	if (!name_skip(data, len, &at) || len - at < RR_FIXED)
		return false;
	*type = get_u16(data + at);
	rdlen = get_u16(data + at + 8);
	at += RR_FIXED;
	if (rdlen > len - at)
		return false;
	*pos = at + rdlen;
	return true;
}

/*
 * Copies the RDATA at [at, end) with its names decompressed.  Returns the length, which may
 * exceed 65535, or -1 when it does not have the parts of its type.
 */
static long
expand(const uint8_t *data, size_t at, size_t end, const struct rdata_part *part, uint8_t *out)
{
	size_t n = 0, take;

	for (; part->kind != 0; part++) {
		switch (part->kind) {
		case 'n':
		case 'd':
			/* `end` bounds the octets standing here; pointers lead before them. */
			take = msg_name_at(data, end, &at, out + n);
			if (take == 0)
				return -1;
			n += take;
			continue;
		case 's':
			take = at < end ? 1u + data[at] : 1;
			break;
		case '*':
			take = end - at;
			break;
		default:
			take = part->count;
			break;
		}
		if (take > end - at)
			return -1;
		memcpy(out + n, data + at, take);
		n += take;
		at += take;
	}
	return at == end ? (long)n : -1;
}

/* The owner at *pos, from memory when the record points to where the last one was read. */
static inline size_t
owner_at(const uint8_t *data, size_t len, size_t *pos, uint8_t owner[NAME_MAX_LEN],
    struct owner_memo *memo)
{
	size_t at = *pos, target = at, n;

	if (len - at >= 2 && data[at] >= POINTER) {
		target = get_u16(data + at) & POINTER_MASK;
		if (memo->len != 0 && target == memo->at) {
			*pos = at + 2;
			memo->kept = true;
			return memo->len;
		}
	}
	n = msg_name_at(data, len, pos, owner);
	memo->at = target;
	memo->len = (uint8_t)n; /* 0 after a failure: owner[] is spoilt */
	memo->kept = false;
	return n;
}

int
msg_rr_next(const uint8_t *data, size_t len, size_t *pos, struct rr *rr,
    uint8_t owner[NAME_MAX_LEN], uint8_t *rdata, struct owner_memo *memo, struct zr_err *e)
{
	const struct rdata_part *layout;
	size_t at = *pos, n;
	long expanded;

	n = at < len ? owner_at(data, len, &at, owner, memo) : 0;
	if (n == 0)
		return zr_fail(e, ZR_FORMERR, "malformed owner name at octet %zu", *pos);
	if (len - at < RR_FIXED)
		return zr_fail(e, ZR_FORMERR, "record at octet %zu is cut off", *pos);
	rr->owner = owner;
	rr->owner_len = (uint8_t)n;
	rr->type = get_u16(data + at);
	rr->class = get_u16(data + at + 2);
	rr->ttl = get_u32(data + at + 4);
	if (rr->ttl > INT32_MAX)
		rr->ttl = 0; /* RFC 2181 section 8, T-16 */
	rr->rdlen = get_u16(data + at + 8);
	at += RR_FIXED;
	if (rr->rdlen > len - at)
		return zr_fail(e, ZR_FORMERR, "record at octet %zu is cut off", *pos);
	rr->rdata = data + at;
	layout = rdata_layout(rr->type);
	if (layout != NULL) {
		expanded = expand(data, at, at + rr->rdlen, layout, rdata);
		if (expanded < 0 || expanded > UINT16_MAX) {
			return zr_fail(
			    e, ZR_FORMERR, "malformed RDATA of type %u at octet %zu", rr->type, at);
		}
		at += rr->rdlen;
		rr->rdata = rdata;
		rr->rdlen = (uint16_t)expanded;
	} else {
		at += rr->rdlen;
	}
	*pos = at;
	return 0;
}

int
msg_rr_at(const uint8_t *data, size_t len, size_t *pos, struct rr *rr, uint8_t owner[NAME_MAX_LEN],
    uint8_t *rdata, struct zr_err *e)
{
	struct owner_memo none = {0};

	return msg_rr_next(data, len, pos, rr, owner, rdata, &none, e);
}

int
msg_walk_start(struct msg_walk *w, const struct msg *m, enum msg_section s, struct zr_err *e)
{
	unsigned skip = 0;
	uint16_t type;

	w->m = m;
	w->pos = m->answer_at;
	w->left = m->ancount;
	w->memo = (struct owner_memo){0};
	if (s >= SECTION_AUTHORITY) {
		skip += m->ancount;
		w->left = m->nscount;
	}
	if (s == SECTION_ADDITIONAL) {
		skip += m->nscount;
		w->left = m->arcount;
	}
	for (; skip > 0; skip--) {
		if (!msg_rr_skip(m->data, m->len, &w->pos, &type)) {
			return zr_fail(e, ZR_FORMERR, "malformed record at octet %zu", w->pos);
		}
	}
	return 0;
}

int
msg_next(struct msg_walk *w, struct rr *rr, struct zr_err *e)
{
	if (w->left == 0)
		return 0;
	if (msg_rr_next(w->m->data, w->m->len, &w->pos, rr, w->owner, w->rdata, &w->memo, e) < 0)
		return -1;
	w->left--;
	return 1;
}
