/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Queries from downstreams: SOA from memory, transfers by leave to a worker.  A stream pins its
 * version: its segments are not swept before the stream has ended.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "app/agent_p.h"
#include "base/mem.h"
#include "core/xfrout.h"
#include "core/xfrstream.h"
#include "wire/name.h"
#include "wire/query.h"

#define REPAIR_US (600 * ZR_US_PER_S)

struct asker {
	const struct config_downstream *downstream; /* of this zone; NULL: may not transfer */
	bool proved;				    /* by its key or certificate */
	bool sure;				    /* it is this one and no other */
	const char *lacks; /* the address is right, but this is not there */
};

/*
 * What somebody at the right address lacks to be this downstream; NULL: nothing.  over_tls: XoT is
 * required, and by an address alone nobody is authorised (XO-25).
 */
static const char *
lacks(const struct config_downstream *d, const struct replyto *to, bool over_tls)
{
	bool client = config_has_client(d);

	/* By name: the key in force is that of the present configuration. */
	if (d->key != NULL &&
	    (to->key == NULL || !name_equal(to->key->key.name, d->key->ref->key.name)))
		return "not signed with its key";
	if (over_tls && !to->tls)
		return "xot is required";
	if (client && to->tls && to->tls_peer == NULL)
		return "no client certificate";
	if (client && to->tls && !certs_proves(to->tls_peer, d->client_name, &d->client_pin))
		return "not its client certificate";
	if (over_tls && !client && d->key == NULL)
		return "xot is required, and it has neither certificate nor key";
	return NULL;
}

/*
 * A downstream at the asker's address.  One with a key or certificate is meant only when the query
 * came with it, and then the others are not.
 */
static void
consider(
    struct asker *who, const struct config_downstream *d, const struct replyto *to, bool over_tls)
{
	bool proved = d->key != NULL || (to->tls && config_has_client(d));
	const char *why = lacks(d, to, over_tls);

	if (why != NULL) {
		who->lacks = why;
	} else if (who->downstream == NULL || (proved && !who->proved)) {
		who->downstream = d;
		who->proved = proved;
		who->sure = true;
	} else if (who->downstream != d && proved == who->proved) {
		who->sure = false;
	}
}

/*
 * Who is it?  Several downstreams of a zone may share an address (servers on one host): without
 * keys any of them may transfer, but nothing is concluded about one of them (`sure`).
 */
static void
find_downstream(struct agent *a, const struct entry *en, const struct replyto *to, uint16_t qtype,
    struct asker *who)
{
	const struct config_policy *p = entry_config(en);
	bool checked = qtype != TYPE_SOA || p->soa_over_tls;
	struct acl_iter it;
	uint32_t id;

	acl_start(a->downstream_acl, &to->from, &it);
	while (acl_next(a->downstream_acl, &it, &id)) {
		for (size_t i = 0; i < p->downstream_count; i++) {
			const struct config_downstream *d = p->downstreams[i];
			bool xot = p->xot == CONFIG_XOT_REQUIRE || d->xot == CONFIG_XOT_REQUIRE;

			if (d == &a->cfg->downstreams[id])
				consider(who, d, to, xot && checked);
		}
	}
}

static unsigned
streams_of(struct agent *a, const struct zr_addr *peer)
{
	struct stream *s;
	size_t pos = 0;
	unsigned n = 0;

	while ((s = table_next(a->streams, &pos)) != NULL)
		n += addr_ip_equal(&s->peer, peer);
	return n;
}

static bool
busy(struct agent *a, const struct zr_addr *peer)
{
	const struct config_server *c = &a->cfg->server;

	return a->stopping || table_count(a->streams) >= c->max_transfers_out ||
	       streams_of(a, peer) >= c->max_transfers_out_per_downstream;
}

/* ---- answers ---- */

static void
send_reply(struct agent *a, const struct replyto *to, const struct msg *m, const struct reply *r)
{
	struct buf b = BUF_INIT;

	query_reply(&b, m, r);
	if ((!b.bad && b.len > 0) || to->tcp)
		answer_buf(a, to, &b);
	buf_clear(&b);
}

/*
 * A stored difference is not what was written.  The zone is: who asks gets it whole, and there are
 * differences again from the next change on.
 */
static void
drop_journal(struct agent *a, struct entry *en, const struct zr_err *why)
{
	char name[NAME_TEXT_MAX];
	uint64_t more;

	if (log_limit_pass(&a->zone_log, a->now.mono.us, &more))
		log_event(LOG_LVL_ERROR, "journal-damaged", LS("zone", name_show(en->name, name)),
		    LS("reason", why->text),
		    LS("next", "nothing: the whole zone is sent until it changes"),
		    LU("left_out", more));
	agent_store(a, store_order_new(STORE_JOURNAL_VOID, en->z.id), false);
	en->journal_void = en->version;
	en->sweep = true;
}

struct udp_diff {
	struct agent *agent;
	struct entry *entry;
	struct journal_pos pos;
	struct buf piece;
};

static int
pull_chunk(void *arg, struct xfrstream_piece *p, struct zr_err *e)
{
	struct udp_diff *u = arg;
	uint32_t rrs;
	int rc;

	buf_reset(&u->piece);
	rc = reader_journal_chunk(
	    u->agent->reader, u->entry->z.id, u->entry->version, &u->pos, &u->piece, &rrs, e);
	if (rc > 0)
		*p = (struct xfrstream_piece){u->piece.data, u->piece.len, rrs};
	return rc;
}

/* A difference that fits into one datagram, or else our SOA (I-20). */
static void
send_udp_diff(struct agent *a, struct entry *en, const struct replyto *to, const struct msg *m,
    const struct xfrout *out)
{
	struct udp_diff u = {.agent = a, .entry = en};
	struct rr soa = entry_soa(en);
	struct xfrstream_spec spec = {
	    .kind = XFRSTREAM_DIFF,
	    .req = m,
	    .soa = &soa,
	    .keepalive = -1,
	    .cookie = out->reply.cookie,
	    .expire = out->expire,
	    .expire_s = out->expire_s,
	    .pull = pull_chunk,
	    .arg = &u,
	};
	struct buf b = BUF_INIT;
	struct zr_err e = {0};
	uint64_t octets;

	if (en->version > en->journal_void &&
	    reader_journal_find(
		a->reader, en->z.id, out->from_serial, en->version, &u.pos, &octets, &e) == 1 &&
	    octets <= out->max_octets && xfrstream_datagram(&spec, out->max_octets, &b, &e) == 1)
		answer_buf(a, to, &b);
	else
		send_reply(a, to, m, &out->reply);
	if (e.code == ZR_DAMAGED) {
		drop_journal(a, en, &e);
		route_sweep(en);
	}
	buf_clear(&u.piece);
	buf_clear(&b);
}

static void
start_stream(struct agent *a, struct entry *en, const struct asker *who, const struct replyto *to,
    const struct msg *m, const struct xfrout *out)
{
	struct stream_mail *sm = mail_new(MAIL_STREAM, sizeof(*sm) + m->len);
	struct stream *s = zr_xcalloc(1, sizeof(*s));

	sm->client = to->client;
	sm->stream = agent_number(a);
	sm->kind = out->action == XFROUT_FULL || en->version <= en->journal_void ? STREAM_FULL
										 : STREAM_DIFF;
	sm->total_timeout_us = entry_config(en)->max_transfer_out_us;
	sm->zone_id = en->z.id;
	sm->epoch = en->epoch;
	sm->version = en->version;
	sm->from_serial = out->from_serial;
	sm->soa_ttl = en->soa_ttl;
	sm->soa = zr_xmemdup(en->soa, en->soa_len);
	sm->soa_len = en->soa_len;
	memcpy(sm->zone, en->name, name_len(en->name));
	sm->keepalive = out->keepalive;
	sm->has_cookie = out->reply.cookie != NULL;
	memcpy(sm->cookie, to->cookie_answer, sizeof(sm->cookie));
	sm->expire = out->expire;
	sm->expire_s = out->expire_s;
	sm->key = keyref_hold(to->key);
	sm->txn = to->txn;
	sm->len = m->len;
	memcpy(sm->bytes, m->data, m->len);

	s->id = sm->stream;
	s->entry = en;
	s->version = en->version;
	/* Only the worker knows how far back in the journal a difference begins. */
	s->oldest = sm->kind == STREAM_DIFF ? 0 : en->version;
	s->serial = en->z.serial;
	s->has_from = out->action == XFROUT_DIFF;
	s->from_serial = out->from_serial;
	s->started = a->now;
	s->peer = to->from;
	assert(who->downstream != NULL); /* else it may not transfer */
	s->downstream = agent_intern(a, who->downstream->name);
	s->sure = who->sure;
	s->tls = to->tls;
	s->tls_peer = tls_peer_hold(to->tls_peer);
	certs_seen(a->certs, "downstream", who->downstream->name, to->tls_peer, a->now.wall);
	/* A whole zone in answer to IXFR proves nothing: BIND looks at its first SOA and stops. */
	s->forced_event = m->qtype == TYPE_AXFR ? forced_stream_event(en) : 0;
	s->next = en->streams;
	en->streams = s;
	table_put(a->streams, &s->id, sizeof(s->id), s);
	a->stats.streams++;
	worker_post(a->workers[to->worker], &sm->mail);
}

static void
log_refused(struct agent *a, const struct replyto *to, const struct msg *m, const char *why)
{
	char name[NAME_TEXT_MAX], from[ADDR_TEXT_MAX], type[16];
	uint64_t more;

	if (!log_limit_pass(&a->stranger_log, a->now.mono.us, &more))
		return;
	log_event(LOG_LVL_INFO, "query-refused", LS("from", addr_text(&to->from, from)),
	    LS("zone", m->has_question ? name_show(m->qname, name) : NULL),
	    LS("qtype", m->has_question ? rr_type_text(m->qtype, type) : NULL), LS("reason", why),
	    LS("transport", to->tls   ? "tls"
			    : to->tcp ? "tcp"
				      : "udp"),
	    LS("certificate", to->tls ? tls_peer_text(to->tls_peer) : NULL), LU("left_out", more));
}

/* Came for the version it was told of, or is current at it already. */
static void
note_current(
    struct entry *en, const struct asker *who, const struct replyto *to, const struct xfrout *out)
{
	if (who->downstream == NULL || !who->sure || !out->client_current)
		return;
	outbox_fetched(en, who->downstream->name, &to->from, en->z.serial, en->version, 0, true);
}

static void
fill_zone(const struct entry *en, struct agent *a, const struct rr *soa, const struct asker *who,
    struct xfrout_zone *z)
{
	*z = (struct xfrout_zone){
	    .may_transfer = who->downstream != NULL,
	    .lacks = who->lacks,
	    .loaded = en->z.data != ZONE_EMPTY && en->soa != NULL,
	    .expired = en->z.data == ZONE_EXPIRED,
	    .serial = en->z.serial,
	    .soa = soa,
	    .expire_left_s = zone_expire_left(&en->z, a->now.mono),
	};
}

static void
carry_out(struct agent *a, struct entry *en, const struct asker *who, const struct replyto *to,
    const struct msg *m, const struct xfrout *out)
{
	switch (out->action) {
	case XFROUT_DROP:
		if (to->tcp)
			answer_send(a, to, NULL, 0);
		return;
	case XFROUT_REPLY:
		if (out->reply.rcode == RCODE_REFUSED)
			log_refused(a, to, m, out->why);
		send_reply(a, to, m, &out->reply);
		if (en != NULL)
			note_current(en, who, to, out);
		return;
	case XFROUT_FULL:
		assert(en != NULL); /* the judge sends a zone only when it was given one */
		start_stream(a, en, who, to, m, out);
		return;
	case XFROUT_DIFF:
		assert(en != NULL);
		if (to->tcp)
			start_stream(a, en, who, to, m, out);
		else
			send_udp_diff(a, en, to, m, out);
		return;
	}
}

void
serve_query(struct agent *a, struct replyto *to, const struct msg *m, int parsed)
{
	struct asker who = {.sure = false};
	struct entry *en = NULL;
	struct xfrout_zone zone;
	struct xfrout out;
	struct rr soa;
	uint8_t name[NAME_MAX_LEN];
	struct xfrout_ask ask = {
	    .req = m,
	    .parsed = parsed == 0,
	    .udp = !to->tcp,
	    .tls = to->tls,
	    .known = verify_known(a, &to->from),
	    .proved = to->key != NULL,
	    .reserve = to->key != NULL ? tsig_size(&to->key->key) : 0,
	    .keepalive = (int)(a->cfg->server.tcp_idle_us / (100 * ZR_US_PER_MS)),
	};

	a->stats.queries++;
	if (!ask.known && !to->tcp && !limiter_take(a->query_limit, &to->from, a->now.mono))
		return; /* a stranger's flood is not reflected */
	if (ask.known && parsed == 0 && m->has_question) {
		name_lower(name, m->qname);
		en = entry_by_name(a, name);
	}
	if (en != NULL) {
		find_downstream(a, en, to, m->qtype, &who);
		soa = entry_soa(en);
		fill_zone(en, a, &soa, &who, &zone);
		ask.zone = &zone;
		ask.busy = to->tcp && m->qtype != TYPE_SOA && busy(a, &to->from);
	}
	cookie_look(a, to, m);
	ask.cookie = to->cookie;
	ask.flooded = ask.known && cookie_flooded(a, to, m->qtype);
	xfrout_judge(&ask, &out);
	out.reply.cookie = ask.cookie != COOKIES_NONE ? to->cookie_answer : NULL;
	carry_out(a, en, &who, to, m, &out);
}

/* ---- ends ---- */

int64_t
serve_oldest(const struct entry *en)
{
	int64_t v = en->version;
	const struct stream *s;

	for (s = en->streams; s != NULL; s = s->next)
		if (s->oldest < v)
			v = s->oldest;
	return v;
}

static void
log_stream(struct agent *a, const struct stream *s, const struct stream_done_mail *d)
{
	struct entry *en = s->entry;
	struct store_order *o;
	char name[NAME_TEXT_MAX], peer[ADDR_TEXT_MAX];
	bool ok = d->err.code == ZR_OK;

	addr_text(&s->peer, peer);
	log_event(ok ? LOG_LVL_INFO : LOG_LVL_WARN, ok ? "served" : "serve-failed",
	    LS("zone", name_show(en->name, name)), LS("downstream", s->downstream),
	    LS("address", peer), LS("kind", d->diff ? "IXFR" : "AXFR"),
	    LS("transport", s->tls ? "tls" : "tcp"),
	    LS("certificate", s->tls_peer != NULL ? tls_peer_text(s->tls_peer) : NULL),
	    LU("serial", s->serial), LU("octets", d->octets), LU("records", d->records),
	    LU("messages", d->messages), LI("duration_us", d->duration_us),
	    LS("reason", ok ? NULL : d->err.text));
	o = store_order_new(STORE_LOG_TRANSFER, en->z.id);
	o->log.at = s->started.wall;
	o->log.duration_us = d->duration_us;
	o->log.out = true;
	snprintf(o->log.kind, sizeof(o->log.kind), "%s", store_kind(d->diff, s->tls));
	snprintf(o->log.peer, sizeof(o->log.peer), "%s", s->downstream);
	snprintf(o->log.address, sizeof(o->log.address), "%s", peer);
	o->log.has_from = s->has_from;
	o->log.from_serial = s->from_serial;
	o->log.to_serial = s->serial;
	o->log.octets = d->octets;
	o->log.records = d->records;
	o->log.messages = d->messages;
	o->log.code = d->err.code;
	snprintf(o->log.text, sizeof(o->log.text), "%s", d->err.text);
	agent_store(a, o, false);
}

/* event: 0 when it was a difference, which repairs nothing. */
static void
fetched(const struct stream *s, uint64_t event)
{
	/* First what it proves: after a crash between the two it is sent once more, not forgotten.
	 */
	forced_fetched(s->entry, s->downstream, &s->peer, event);
	outbox_fetched(s->entry, s->downstream, &s->peer, s->serial, s->version, event, false);
}

/*
 * A stored segment was found damaged.  A whole transfer writes it anew; not more often than every
 * REPAIR_US, for a disk that fails may spoil what is written, too.
 */
static void
repair(struct agent *a, struct entry *en, const struct zr_err *why)
{
	bool now = a->now.mono.us >= en->repair_at.us;
	char name[NAME_TEXT_MAX];
	uint64_t more;

	if (!now && !log_limit_pass(&a->stranger_log, a->now.mono.us, &more))
		return;
	log_event(LOG_LVL_ERROR, "zone-damaged", LS("zone", name_show(en->name, name)),
	    LS("reason", why->text), LS("next", now ? "retransfer" : "zonerelayctl verify"));
	if (!now || a->stopping || en->removed)
		return;
	en->repair_at.us = a->now.mono.us + REPAIR_US;
	route_event(en, ZONE_EV_RETRANSFER, NULL, NULL);
	agent_schedule(a);
}

void
serve_stream_done(struct agent *a, struct stream_done_mail *d)
{
	struct stream *s = table_del(a->streams, &d->stream, sizeof(d->stream)), **p;
	struct entry *en;

	if (s == NULL)
		return;
	en = s->entry;
	if (en != NULL) {
		for (p = &en->streams; *p != s; p = &(*p)->next)
			;
		*p = s->next;
		log_stream(a, s, d);
		if (d->err.code == ZR_OK && s->sure)
			fetched(s, d->diff ? 0 : s->forced_event);
		if (d->err.code != ZR_OK)
			a->stats.streams_failed++;
		if (s->version != en->version)
			en->sweep = true;
		if (d->journal.code == ZR_DAMAGED)
			drop_journal(a, en, &d->journal);
		route_sweep(en);
		if (d->err.code == ZR_DAMAGED && !d->diff)
			repair(a, en, &d->err);
	}
	tls_peer_drop(s->tls_peer);
	free(s);
}
