/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/notifyin.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/table.h"
#include "core/limiter.h"
#include "wire/name.h"
#include "wire/rr.h"

#define MEMORY_OCTETS 512 /* longer requests are not remembered */

/* An answered request, found by a keyed hash of its octets and where it came from. */
struct remembered {
	uint64_t key;
	int64_t at_us;
	uint32_t ticket; /* which request took the place; 0 = empty */
	uint16_t rcode;
	bool waits; /* its answer is still to come */
	bool forced;
};

struct notifyin {
	struct notifyin_conf conf;
	struct notifyin_zones zones;
	const struct acl *primaries;
	struct limiter *known, *stranger;
	struct limiter *reached, *proved, *keys; /* what others forge holds none of it up */
	struct limiter *again;			 /* what anybody may have overheard */
	uint32_t tickets;			 /* given out so far */
	struct remembered memory[NOTIFYIN_MEMORY];
};

_Static_assert((NOTIFYIN_MEMORY & (NOTIFYIN_MEMORY - 1)) == 0, "a power of two");

const char *const notifyin_why_names[] = {"ok", "repeat", "repeat_waits", "response", "rcode",
    "short", "flood", "stranger", "malformed", "questions", "truncated", "version", "signed",
    "class", "qtype", "no_zone", "child", "not_primary", "forced_off", "forced_auth", "unsigned"};
_Static_assert(
    sizeof(notifyin_why_names) / sizeof(notifyin_why_names[0]) == NOTIFYIN_WHY_COUNT, "names");

/* What a NOTIFY may be about, by QTYPE; everything else is NOTIMP (N-34, A-18). */
static const struct notify_type {
	uint16_t opcode, qtype;
	bool forced;
} notify_types[] = {
    {OPCODE_NOTIFY, TYPE_SOA, false},
    {OPCODE_NOTIFY, TYPE_AXFR, true},
};

struct notifyin *
notifyin_new(const struct notifyin_conf *c, const struct notifyin_zones *z)
{
	struct notifyin *n = zr_xcalloc(1, sizeof(*n));

	n->conf = *c;
	n->zones = *z;
	n->known = limiter_new(c->known, NOTIFYIN_SOURCES);
	n->reached = limiter_new(c->known, NOTIFYIN_SOURCES);
	n->proved = limiter_new(c->known, NOTIFYIN_SOURCES);
	n->keys = limiter_new(c->known, NOTIFYIN_SOURCES);
	n->again = limiter_new(c->known, NOTIFYIN_SOURCES);
	n->stranger = limiter_new(c->stranger, NOTIFYIN_SOURCES);
	return n;
}

void
notifyin_free(struct notifyin *n)
{
	if (n == NULL)
		return;
	limiter_free(n->known);
	limiter_free(n->reached);
	limiter_free(n->proved);
	limiter_free(n->keys);
	limiter_free(n->again);
	limiter_free(n->stranger);
	free(n);
}

void
notifyin_configure(struct notifyin *n, const struct notifyin_conf *c, const struct acl *primaries)
{
	n->conf = *c;
	n->primaries = primaries;
	limiter_set_rate(n->known, c->known);
	limiter_set_rate(n->reached, c->known);
	limiter_set_rate(n->proved, c->known);
	limiter_set_rate(n->keys, c->known);
	limiter_set_rate(n->again, c->known);
	limiter_set_rate(n->stranger, c->stranger);
}

/* ---- retransmissions (A-11) ---- */

static uint64_t
request_key(const struct notifyin_source *src, const struct msg *m)
{
	uint8_t b[sizeof(src->from.ip) + 8 + MEMORY_OCTETS];
	size_t n = 0;

	if (src->tcp || m->len > MEMORY_OCTETS)
		return 0;
	b[n++] = src->from.family;
	b[n++] = (uint8_t)(src->from.port >> 8);
	b[n++] = (uint8_t)src->from.port;
	for (unsigned i = 0; i < 4; i++)
		b[n++] = (uint8_t)(src->from.scope >> (8 * i));
	memcpy(b + n, src->from.ip, sizeof(src->from.ip));
	n += sizeof(src->from.ip);
	memcpy(b + n, m->data, m->len);
	uint64_t key = table_hash(b, n + m->len);
	return key != 0 ? key : 1;
}

static struct remembered *
place_of(struct notifyin *n, uint64_t key)
{
	return &n->memory[key & (NOTIFYIN_MEMORY - 1)];
}

static bool
seen(struct notifyin *n, uint64_t key, struct zr_mono now, struct notifyin_verdict *v)
{
	struct remembered *r = place_of(n, key);
	bool longer = r->forced && !r->waits && r->rcode == RCODE_NOERROR;
	int64_t most = longer ? NOTIFYIN_FORCED_US : NOTIFYIN_MEMORY_US;

	if (key == 0 || r->ticket == 0 || r->key != key || now.us - r->at_us > most)
		return false;
	if (longer)
		r->at_us = now.us;
	v->why = r->waits ? NOTIFYIN_REPEAT_WAITS : NOTIFYIN_REPEAT;
	v->drop = r->waits;
	v->rcode = r->rcode;
	v->aa = r->rcode == RCODE_NOERROR;
	return true;
}

/* The lower bits of a ticket are the place, so that it can be found again. */
static uint32_t
remember(struct notifyin *n, uint64_t key, bool forced, struct zr_mono now)
{
	if (key == 0)
		return 0;
	struct remembered *r = place_of(n, key);
	uint32_t place = (uint32_t)(r - n->memory);
	uint32_t count = ++n->tickets & (UINT32_MAX / NOTIFYIN_MEMORY);
	*r = (struct remembered){.key = key, .at_us = now.us, .waits = true, .forced = forced};
	r->ticket = (count != 0 ? count : 1) * NOTIFYIN_MEMORY + place;
	return r->ticket;
}

void
notifyin_answered(struct notifyin *n, uint32_t memory, uint16_t rcode)
{
	struct remembered *r = &n->memory[memory & (NOTIFYIN_MEMORY - 1)];

	if (memory == 0 || r->ticket != memory)
		return;
	r->waits = false;
	r->rcode = rcode;
}

/* ---- the request as such ---- */

static void
answer(struct notifyin_verdict *v, enum notifyin_why why, uint16_t rcode, int ede)
{
	v->why = why;
	v->drop = false;
	v->rcode = rcode;
	v->aa = false;
	v->ede = ede;
}

static const struct notify_type *
find_type(const struct msg *m)
{
	for (size_t i = 0; i < sizeof(notify_types) / sizeof(notify_types[0]); i++) {
		const struct notify_type *t = &notify_types[i];
		if (t->opcode == m->opcode && t->qtype == m->qtype)
			return t;
	}
	return NULL;
}

/* No answer at all: it answers itself, or nothing sensible can be said (A-17, AN-15). */
static bool
unanswerable(const struct msg *m, struct notifyin_verdict *v)
{
	if (m->len < MSG_HEADER)
		v->why = NOTIFYIN_SHORT;
	else if ((m->flags & FLAG_QR) != 0)
		v->why = NOTIFYIN_RESPONSE;
	else if ((m->flags & 0xf) != 0)
		v->why = NOTIFYIN_RCODE;
	else
		return false;
	return true;
}

/* Everything that can be said without looking for the zone. */
static const struct notify_type *
check_form(
    const struct notifyin_source *src, const struct msg *m, int parsed, struct notifyin_verdict *v)
{
	const struct notify_type *t = NULL;

	if (m->qdcount != 1)
		answer(v, NOTIFYIN_QUESTIONS, RCODE_FORMERR, -1);
	else if (parsed != 0 || !m->has_question || m->edns.malformed || m->opt_count > 1 ||
		 (m->edns.keepalive_malformed && src->tcp))
		answer(v, NOTIFYIN_MALFORMED, RCODE_FORMERR, -1);
	else if ((m->flags & FLAG_TC) != 0)
		answer(v, NOTIFYIN_TRUNCATED, RCODE_FORMERR, -1);
	else if (m->edns.present && m->edns.version > 0)
		answer(v, NOTIFYIN_VERSION, RCODE_BADVERS, -1);
	else if (m->has_tsig && src->key == NULL)
		answer(v, NOTIFYIN_SIGNED, RCODE_NOTAUTH, -1);
	else if ((t = find_type(m)) == NULL)
		answer(v, NOTIFYIN_QTYPE, RCODE_NOTIMP, EDE_NOT_SUPPORTED);
	else if (m->qclass != CLASS_IN)
		answer(v, NOTIFYIN_CLASS, RCODE_NOTAUTH, EDE_NOT_AUTHORITATIVE);
	else
		return t;
	return NULL;
}

/* ---- which zone (A-01) ---- */

/* The name itself, or the nearest configured zone above it. */
static struct zone *
enclosing(const struct notifyin *n, const uint8_t *qname, bool *exact)
{
	const uint8_t *name = qname;

	for (;;) {
		struct zone *z = n->zones.find(n->zones.arg, name);
		*exact = name == qname;
		if (z != NULL || *name == 0)
			return z;
		name += 1 + *name;
	}
}

/*
 * above: its source is above its rate.  Then only a zone's own name will do: to look for
 * delegations is to read the database, and there is no end of names below an apex.
 */
static struct zone *
find_zone(const struct notifyin *n, const struct msg *m, bool above, struct notifyin_verdict *v)
{
	uint8_t qname[NAME_MAX_LEN];
	bool exact;

	name_lower(qname, m->qname);
	struct zone *z = enclosing(n, qname, &exact);
	if (z == NULL || z->state == ZONE_GONE || (!exact && !z->policy->notify_enclosing)) {
		answer(v, NOTIFYIN_NO_ZONE, RCODE_NOTAUTH, EDE_NOT_AUTHORITATIVE);
		return NULL;
	}
	if (!exact && above) {
		v->why = NOTIFYIN_FLOOD;
		return NULL;
	}
	if (!exact && n->zones.delegated != NULL && n->zones.delegated(n->zones.arg, z, qname)) {
		answer(v, NOTIFYIN_CHILD, RCODE_NOTAUTH, EDE_NOT_AUTHORITATIVE);
		return NULL;
	}
	return z;
}

static bool
is_proved(const struct primary *p, const struct notifyin_source *src)
{
	return (src->certified != NULL && src->certified(src->certificate, p)) ||
	       (src->key != NULL && p->notify_key != NULL && name_equal(src->key, p->notify_key));
}

/* NOTIFY(AXFR) lifts the serial gate, so a primary with a key must use it. */
static bool
must_prove(const struct primary *p, bool forced)
{
	return p->notify_signed || (forced && (p->forced == PRIMARY_FORCED_KEY ||
						  (p->forced == PRIMARY_FORCED_AUTO && p->keyed)));
}

/*
 * Which of the zone's primaries is this?  The key decides where several share an address, then
 * whether one is needed, then the longest prefix.
 */
static bool
find_primary(const struct notifyin *n, const struct notifyin_source *src, const struct zone *z,
    bool forced, struct zone_notify *out)
{
	unsigned best = 0, fits;
	struct acl_iter it;
	uint32_t id;

	acl_start(n->primaries, &src->from, &it);
	while (acl_next(n->primaries, &it, &id)) {
		for (uint16_t i = 0; i < z->policy->primary_count; i++) {
			const struct primary *p = z->policy->primaries[i];
			if (p->id != id)
				continue;
			fits = is_proved(p, src) ? 3 : must_prove(p, forced) ? 1 : 2;
			if (fits <= best)
				continue;
			int a = primary_find(p, &src->from);
			best = fits;
			out->primary = i;
			out->address = a >= 0 ? (uint16_t)a : ZONE_NO_INDEX;
		}
	}
	return best > 0;
}

/*
 * The SOA hint: the first SOA of the answer section that is our apex's.  A section that cannot be
 * read holds no hint (N-06, N-08): the check is then simply made.
 */
static void
read_hint(const struct msg *m, const struct zone *z, struct zone_notify *out)
{
	struct msg_walk w;
	struct rr rr;
	struct soa soa;

	if (m->ancount == 0 || msg_walk_start(&w, m, SECTION_ANSWER, NULL) != 0)
		return;
	while (msg_next(&w, &rr, NULL) > 0) {
		if (rr.type != TYPE_SOA || rr.class != CLASS_IN || !name_equal(rr.owner, z->name) ||
		    !rr_soa(&rr, &soa))
			continue;
		out->hinted = true;
		out->hint = soa.serial;
		return;
	}
}

/* ---- judging ---- */

static bool
may_notify(const struct primary *p, const struct notifyin_source *src, bool forced,
    struct notifyin_verdict *v)
{
	bool proved = is_proved(p, src);

	if (p->notify_signed && !proved)
		answer(v, NOTIFYIN_UNSIGNED, RCODE_REFUSED, EDE_PROHIBITED);
	else if (forced && p->forced == PRIMARY_FORCED_OFF)
		answer(v, NOTIFYIN_FORCED_OFF, RCODE_REFUSED, EDE_PROHIBITED);
	else if (must_prove(p, forced) && !proved)
		answer(v, NOTIFYIN_FORCED_AUTH, RCODE_REFUSED, EDE_PROHIBITED);
	else
		return true;
	return false;
}

static void
judge_known(struct notifyin *n, const struct notifyin_source *src, const struct msg *m, int parsed,
    bool above, struct zr_mono now, struct notifyin_verdict *v)
{
	const struct notify_type *t = check_form(src, m, parsed, v);
	if (t == NULL)
		return;
	uint64_t key = request_key(src, m);
	if (seen(n, key, now, v))
		return;
	struct zone *z = find_zone(n, m, above, v);
	if (z == NULL)
		return;
	if (!find_primary(n, src, z, t->forced, &v->notify)) {
		answer(v, NOTIFYIN_NOT_PRIMARY, RCODE_REFUSED, EDE_PROHIBITED);
		return;
	}
	struct primary *p = z->policy->primaries[v->notify.primary];
	if (!may_notify(p, src, t->forced, v))
		return;
	answer(v, src->seen ? NOTIFYIN_REPEAT : NOTIFYIN_OK, RCODE_NOERROR, -1);
	v->aa = true;
	if (src->seen)
		return;
	v->zone = z;
	v->primary = p;
	v->notify.forced = t->forced;
	v->notify.authenticated = is_proved(p, src);
	if (!t->forced)
		read_hint(m, z, &v->notify);
	v->memory = remember(n, key, t->forced, now);
}

/*
 * The key is its holder's limit as well, from however many addresses.  What it signed and
 * was seen before takes nothing of that: whoever has overheard it can send it, as often as he
 * likes.
 */
static bool
take_token(struct notifyin *n, const struct notifyin_source *src, struct zr_mono now)
{
	if (src->seen)
		return limiter_take(n->again, &src->from, now);
	if (src->key != NULL)
		return limiter_take_key(n->keys, src->key, name_len(src->key), now) &&
		       limiter_take(n->proved, &src->from, now);
	return limiter_take(src->tcp || src->reached ? n->reached : n->known, &src->from, now);
}

void
notifyin_judge(struct notifyin *n, const struct notifyin_source *src, const struct msg *m,
    int parsed, struct zr_mono now, struct notifyin_verdict *v)
{
	*v = (struct notifyin_verdict){.drop = true, .ede = -1};
	if (unanswerable(m, v))
		return;
	/* Nobody learns from us which zones we have. */
	if (n->primaries == NULL || !acl_known(n->primaries, &src->from)) {
		v->why = NOTIFYIN_FLOOD;
		if (limiter_take(n->stranger, &src->from, now))
			answer(v, NOTIFYIN_STRANGER, RCODE_REFUSED, EDE_PROHIBITED);
		return;
	}
	/* Above its rate an authorised event is only served later, if it names the zone
	 * itself; complaints are not sent. */
	bool above = !take_token(n, src, now);
	judge_known(n, src, m, parsed, above, now, v);
	if (!above)
		return;
	/* Who repeats its request for want of an answer gets one, though not without end. */
	if (v->why == NOTIFYIN_REPEAT && !src->seen && limiter_take(n->again, &src->from, now))
		return;
	v->notify.deferred = true;
	if (v->zone == NULL) {
		v->why = NOTIFYIN_FLOOD;
		v->drop = true;
	}
}
