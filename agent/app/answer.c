/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests as they come in, over UDP or through a worker: NOTIFY to the zone machine, everything
 * else to serve.c.  The opcode is looked at before anything else (AN-19).
 */
#include <stdlib.h>
#include <string.h>

#include "app/agent_p.h"
#include "base/mem.h"
#include "wire/name.h"
#include "wire/query.h"

/* Answers that wait for the disk, over UDP: memory when it stands still in a flood. */
#define WAITERS_MAX 20000

static struct listener *
listener_by_id(struct agent *a, uint32_t id)
{
	struct listener *l;

	for (l = a->listeners; l != NULL && l->id != id; l = l->next)
		;
	return l;
}

void
answer_send(struct agent *a, const struct replyto *to, const uint8_t *p, size_t len)
{
	struct listener *l;
	struct bytes_mail *m;

	if (!to->tcp) {
		l = listener_by_id(a, to->listener);
		if (l != NULL && l->udp != NULL && len > 0)
			udp_send(l->udp, p, len, &to->from, &to->local);
		return;
	}
	/* Over TCP every request is answered, if only with "nothing": the worker counts. */
	m = mail_new(MAIL_REPLY, sizeof(*m) + len);
	m->client = to->client;
	m->len = len;
	if (len > 0)
		memcpy(m->bytes, p, len);
	m->close = len == 0;
	worker_post(a->workers[to->worker], &m->mail);
}

/* ---- NOTIFY ---- */

/* A primary with an address beside this one: behind NAT, or it has several (N-17). */
static const char *
near_primary(const struct agent *a, const struct zr_addr *from)
{
	for (size_t i = 0; i < a->cfg->primary_count; i++) {
		const struct config_primary *p = &a->cfg->primaries[i];

		for (size_t k = 0; k < p->address.n; k++) {
			const struct zr_addr *mine = &p->address.v[k];

			if (mine->family == from->family &&
			    memcmp(mine->ip, from->ip, from->family == 4 ? 3 : 8) == 0)
				return p->name;
		}
	}
	return NULL;
}

static void
log_notify(struct agent *a, const struct replyto *to, const struct msg *m,
    const struct notifyin_verdict *v)
{
	char name[NAME_TEXT_MAX], from[ADDR_TEXT_MAX], type[16], key[NAME_TEXT_MAX];
	enum log_level level = v->zone != NULL ? LOG_LVL_INFO : LOG_LVL_WARN;
	uint64_t more = 0;

	if (v->why == NOTIFYIN_REPEAT || v->why == NOTIFYIN_REPEAT_WAITS || v->notify.deferred)
		level = LOG_LVL_DEBUG; /* deferred: above its rate, so there are many of them */
	if (!log_enabled(level))
		return;
	if (v->zone == NULL && !log_limit_pass(&a->stranger_log, a->now.mono.us, &more))
		return; /* R-03, MI-03: counted, and written as often as is good */
	log_event(level, v->zone != NULL ? "notify-received" : "notify-refused",
	    LS("zone", m->has_question ? name_show(m->qname, name) : NULL),
	    LS("qtype", m->has_question ? rr_type_text(m->qtype, type) : NULL),
	    LS("from", addr_text(&to->from, from)),
	    LS("primary",
		v->primary != NULL ? ((const struct config_primary *)v->primary->app)->name : NULL),
	    LS("transport", to->tls   ? "tls"
			    : to->tcp ? "tcp"
				      : "udp"),
	    LS("certificate", to->tls_peer != NULL ? tls_peer_text(to->tls_peer) : NULL),
	    LS("key", to->key != NULL ? name_show(to->key->key.name, key) : NULL),
	    LS("why", notifyin_why_names[v->why]),
	    LS("hint", v->zone != NULL && v->notify.hinted ? "yes" : NULL),
	    LS("near", v->why == NOTIFYIN_STRANGER ? near_primary(a, &to->from) : NULL),
	    LU("left_out", more));
}

static void
make_notify_reply(struct agent *a, struct replyto *to, struct buf *b, const struct msg *m,
    const struct notifyin_verdict *v)
{
	struct reply r = {.rcode = v->rcode,
	    .aa = v->aa,
	    .ede = v->ede,
	    .keepalive = -1,
	    .cookie = cookie_reply(a, to, m)};

	query_reply(b, m, &r);
}

static void
add_waiter(struct entry *en, struct waiter *w)
{
	*en->waiters_end = w;
	en->waiters_end = &w->next;
	en->agent->waiters++;
}

/* The event itself is recorded; a sender whose answer is left out asks again. */
static void
wait_for_disk(
    struct entry *en, uint16_t seq, uint32_t memory, const struct replyto *to, const struct buf *b)
{
	struct waiter *w;

	if (en->agent->waiters >= WAITERS_MAX && !to->tcp)
		return;
	w = zr_xcalloc(1, sizeof(*w) + b->len);
	w->seq = seq;
	w->memory = memory;
	w->to = *to;
	w->to.tls_peer = NULL;
	keyref_hold(w->to.key);
	w->len = b->len;
	memcpy(w->bytes, b->data, b->len);
	add_waiter(en, w);
}

void
answer_command(struct entry *en, uint16_t seq, struct ctl_reply *r)
{
	struct waiter *w = zr_xcalloc(1, sizeof(*w));

	w->seq = seq;
	w->reply = r;
	add_waiter(en, w);
}

/* The first one, if its mark is not behind `seq`. */
static struct waiter *
take_waiter(struct entry *en, uint16_t seq)
{
	struct waiter *w = en->waiters;

	if (w == NULL || (int16_t)(uint16_t)(w->seq - seq) > 0)
		return NULL;
	en->waiters = w->next;
	if (w->next == NULL)
		en->waiters_end = &en->waiters;
	en->agent->waiters--;
	return w;
}

static void
waiter_free(struct waiter *w)
{
	if (w->reply == NULL)
		keyref_drop(w->to.key);
	free(w);
}

/*
 * Nothing was to be marked, for something is owed already: when that is done and forgotten, this
 * one is not to count again after a crash.  At most one a second for each key, for so fine is its
 * time; nobody waits for it.
 */
static void
keep_signature(struct agent *a)
{
	struct store_signed *v = verify_keep(a);
	struct store_order *o;

	if (v == NULL)
		return;
	o = store_order_new(STORE_SIGNED, 0);
	o->signature = *v;
	free(v);
	agent_store(a, o, false);
}

static void
take_notify(
    struct agent *a, struct replyto *to, const struct msg *m, const struct notifyin_verdict *v)
{
	struct entry *en = entry_of(v->zone);
	struct zone_arg arg = {.notify = v->notify};
	struct zone_orders os = {0};
	struct buf b = BUF_INIT;

	primary_notified(
	    v->primary, v->notify.address == ZONE_NO_INDEX ? -1 : (int)v->notify.address);
	if (v->notify.forced &&
	    forced_is_pinned(en)) { /* whoever says it, the first is asked */
		arg.notify.primary = 0;
		arg.notify.address = ZONE_NO_INDEX;
	}
	make_notify_reply(a, to, &b, m, v);
	/* The answer is queued first: the step may free nothing, but it may mark at once. */
	verify_acted(a, to, true);
	a->acting = to;
	route_event(en, ZONE_EV_NOTIFY, &arg, &os);
	if ((os.notes & ZONE_NOTE_HINT_OLD) == 0)
		keep_signature(a);
	a->acting = NULL;
	if (os.answer == ZONE_ANSWER_MARKED && !b.bad)
		wait_for_disk(en, os.answer_seq, v->memory, to, &b);
	else
		answer_buf(a, to, &b);
	if (os.answer != ZONE_ANSWER_MARKED)
		notifyin_answered(a->notifyin, v->memory, v->rcode);
	buf_clear(&b);
}

struct shown {
	const struct agent *agent;
	struct tls_peer *peer;
};

static bool
certified(const void *certificate, const struct primary *p)
{
	const struct shown *s = certificate;

	return certs_primary_is(s->agent->certs, p->app, s->peer);
}

static void
notify(struct agent *a, struct replyto *to, const struct msg *m, int parsed)
{
	const struct shown shown = {a, to->tls_peer};
	struct notifyin_source src = {
	    .from = to->from,
	    .tcp = to->tcp,
	    .reached = to->cookie == COOKIES_RIGHT,
	    .key = to->key != NULL ? to->key->key.name : NULL,
	    .seen = to->seen,
	    .certified = to->tls_peer != NULL ? certified : NULL,
	    .certificate = &shown,
	};
	struct notifyin_verdict v;
	struct buf b = BUF_INIT;

	a->stats.notify_in++;
	notifyin_judge(a->notifyin, &src, m, parsed, a->now.mono, &v);
	log_notify(a, to, m, &v);
	if (v.zone != NULL && !v.drop && entry_of(v.zone)->started) {
		take_notify(a, to, m, &v);
		return;
	}
	if (v.zone != NULL && !v.drop) { /* being added to the store: the sender tries again */
		v.rcode = RCODE_SERVFAIL;
		v.aa = false;
		notifyin_answered(a->notifyin, v.memory, v.rcode);
	}
	a->stats.notify_refused++;
	if (!v.drop)
		make_notify_reply(a, to, &b, m, &v);
	answer_buf(a, to, &b);
	buf_clear(&b);
}

void
answer_marked(struct entry *en, uint16_t seq, bool ok)
{
	struct agent *a = en->agent;
	struct waiter *w;

	while ((w = take_waiter(en, seq)) != NULL) {
		struct buf b = BUF_INIT;

		if (w->reply != NULL) {
			live_marked(w->reply, ok);
			waiter_free(w);
			continue;
		}
		if (!ok && w->len >= MSG_HEADER) { /* SERVFAIL instead, and not AA */
			w->bytes[2] &= (uint8_t) ~(FLAG_AA >> 8);
			w->bytes[3] = (uint8_t)((w->bytes[3] & 0xf0) | RCODE_SERVFAIL);
		}
		if (!ok)
			verify_acted(a, &w->to, false);
		buf_bytes(&b, w->bytes, w->len);
		answer_buf(a, &w->to, &b);
		buf_clear(&b);
		notifyin_answered(a->notifyin, w->memory, ok ? RCODE_NOERROR : RCODE_SERVFAIL);
		waiter_free(w);
	}
}

void
answer_drop_waiters(struct entry *en)
{
	struct waiter *w;

	while (en->waiters != NULL) {
		w = take_waiter(en, en->waiters->seq);
		if (w->reply != NULL)
			live_marked(w->reply, false);
		else if (w->to.tcp)
			answer_send(en->agent, &w->to, NULL, 0);
		waiter_free(w);
	}
}

/* ---- dispatch ---- */

static void
dispatch(struct agent *a, struct replyto *to, const uint8_t *data, size_t len)
{
	struct zr_err e;
	struct msg m;
	int parsed = msg_parse(&m, data, len, MSG_FULL, &e);

	/* Of a stranger it matters only if there is an answer. */
	if (m.edns.cookie_len > COOKIE_CLIENT && verify_known(a, &to->from))
		cookie_look(a, to, &m);
	to->pad = to->tls && parsed == 0 && m.edns.has_padding;
	if (!verify_request(a, to, &m, parsed))
		return;
	if (m.len != 0 && m.opcode == OPCODE_NOTIFY)
		notify(a, to, &m, parsed);
	else
		serve_query(a, to, &m, parsed);
}

void
answer_udp(struct listener *l, const uint8_t *data, size_t len, const struct zr_addr *from,
    const struct udp_local *local)
{
	struct agent *a = l->agent;
	struct replyto to = {.listener = l->id, .from = *from, .local = *local};

	dispatch(a, &to, data, len);
}

void
answer_tcp(struct agent *a, struct bytes_mail *m)
{
	struct replyto to = {
	    .tcp = true,
	    .from = m->peer,
	    .worker = m->worker,
	    .client = m->client,
	    .tls = m->tls,
	    .tls_peer = m->tls_peer,
	};

	dispatch(a, &to, m->bytes, m->len);
}
