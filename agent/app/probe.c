/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SOA checks: UDP first, some tries, the last one without EDNS, then TCP through a worker
 * (peers of all kinds drop one or the other).  A configured soa-tcp goes straight to TCP.
 */
#include <stdlib.h>
#include <string.h>

#include "app/agent_p.h"
#include "app/sign.h"
#include "base/mem.h"
#include "base/serial.h"
#include "core/xfrin.h"
#include "wire/name.h"
#include "wire/query.h"

/* Answers that match nothing, before UDP is given up for this check (F-06). */
#define MISMATCH_MAX 16

struct probe {
	struct entry *entry;
	uint32_t attempt;
	struct primary *primary;
	unsigned address;
	struct zr_addr source; /* a copy: the configuration may go while we wait */
	uint16_t id;
	bool plain;
	unsigned tries, mismatches;
	struct udpq_query *query;
	uint64_t job;
	struct zr_mono started;
	struct keyref *key;  /* held; NULL: not signed */
	struct tls_ctx *tls; /* held; NULL: UDP, or TCP in the clear */
	struct cookie_sent cookie;
	bool again;    /* asked anew after BADCOOKIE */
	bool crumbled; /* an answer came without the cookie that this server has always sent */
	struct tsig_txn txn;
};

static void send_udp(struct probe *p);

static const struct config_primary *
conf_of(const struct probe *p)
{
	return p->primary->app;
}

static const struct zr_addr *
dest_of(const struct probe *p)
{
	return &p->primary->address[p->address].addr;
}

static void
probe_free(struct probe *p)
{
	udpq_cancel(p->query);
	if (p->job != 0)
		job_forget(p->entry->agent, p->job);
	p->entry->probe = NULL;
	keyref_drop(p->key);
	tls_drop(p->tls);
	free(p);
}

void
probe_cancel(struct entry *en)
{
	if (en->probe != NULL)
		probe_free(en->probe);
}

static void
peer_seen(struct probe *p, enum peer_event ev, uint32_t serial, const struct zr_err *e)
{
	struct store_order *o = store_order_new(STORE_PEER_SEEN, p->entry->z.id);
	struct store_peer *sp = &o->peer;

	sp->event = ev;
	snprintf(sp->name, sizeof(sp->name), "%s", conf_of(p)->name);
	sp->addr = p->primary->address[p->address].addr;
	sp->serial = serial;
	sp->at = p->entry->agent->now.wall;
	if (e != NULL) {
		sp->code = e->code;
		snprintf(sp->text, sizeof(sp->text), "%s", e->text);
	}
	agent_store(p->entry->agent, o, false);
}

static void
succeed(struct probe *p, const struct soa_answer *s)
{
	struct entry *en = p->entry;
	struct agent *a = en->agent;
	struct zone_arg arg = {.attempt = p->attempt};
	char name[NAME_TEXT_MAX], addr[ADDR_TEXT_MAX];
	bool news = en->z.data == ZONE_EMPTY || s->soa.serial != en->z.serial;

	addr_text(&p->primary->address[p->address].addr, addr);
	arg.soa = (struct zone_soa){
	    .serial = s->soa.serial, .expire_valid = s->expire_valid, .expire = s->expire};
	log_event(news ? LOG_LVL_INFO : LOG_LVL_DEBUG, "soa-checked",
	    LS("zone", name_show(en->name, name)), LS("primary", conf_of(p)->name),
	    LS("address", addr), LU("serial", s->soa.serial),
	    LU("duration_us", (uint64_t)(a->now.mono.us - p->started.us)));
	if (en->z.data != ZONE_EMPTY && serial_gt(en->z.serial, s->soa.serial))
		entry_behind(en, conf_of(p)->name, addr, s->soa.serial);
	primary_ok(p->primary, p->address, a->now.mono);
	peer_seen(p, PEER_PRIMARY_SOA, s->soa.serial, NULL);
	probe_free(p);
	route_event(en, ZONE_EV_SOA_OK, &arg, NULL);
}

static void
fail(struct probe *p, const struct zr_err *e, bool alive)
{
	struct entry *en = p->entry;
	struct agent *a = en->agent;
	struct zone_arg arg = {.attempt = p->attempt, .fail = {.code = e->code}};
	char name[NAME_TEXT_MAX], addr[ADDR_TEXT_MAX], text[ZR_ERR_TEXT + ADDR_TEXT_MAX + 80];

	addr_text(&p->primary->address[p->address].addr, addr);
	snprintf(text, sizeof(text), "SOA check at %s %s: %s", conf_of(p)->name, addr, e->text);
	entry_error(en, text);
	if (alive)
		primary_ok(p->primary, p->address, a->now.mono);
	else if (primary_failed(p->primary, p->address, e->code, a->now.mono))
		log_event(LOG_LVL_WARN, "primary-held", LS("primary", conf_of(p)->name),
		    LS("address", addr), LS("reason", e->text),
		    LI("hold_s",
			(p->primary->address[p->address].hold_us - a->now.mono.us) / ZR_US_PER_S));
	log_event(LOG_LVL_INFO, "soa-failed", LS("zone", name_show(en->name, name)),
	    LS("primary", conf_of(p)->name), LS("address", addr), LS("reason", e->text));
	peer_seen(p, PEER_PRIMARY_ERROR, 0, e);
	probe_free(p);
	route_event(en, ZONE_EV_SOA_FAIL, &arg, NULL);
}

static void
make_query(struct probe *p, struct buf *b, bool tcp)
{
	struct query_edns o = {
	    .enabled =
		!p->plain && primary_use_edns(p->primary, p->address, p->entry->agent->now.mono),
	    .expire = true,
	    .keepalive = tcp,
	};

	struct zr_err e;

	p->cookie.len = 0;
	if (o.enabled)
		cookie_ask(p->entry->agent, dest_of(p), &p->source, &p->cookie);
	o.cookie = p->cookie.data;
	o.cookie_len = p->cookie.len;
	p->id = rand_id();
	query_soa(b, p->id, p->entry->name, &o);
	if (p->tls != NULL && o.enabled)
		query_pad(b, PAD_QUERY, p->key != NULL ? tsig_size(&p->key->key) : 0);
	if (p->key != NULL && tsig_sign_request(&p->txn, &p->key->key, b,
				  sign_time(p->entry->agent->now.wall), &e) != 0)
		b->bad = true;
}

/* Only what is signed with our key is an answer (TS-23, TS-24). */
static int
verify(const struct probe *p, const struct msg *m, struct zr_err *e)
{
	uint64_t now = sign_time(p->entry->agent->now.wall);
	enum tsig_result why;
	struct tsig_rr rr;

	if (p->key == NULL)
		return 0;
	why = tsig_verify_answer(&p->txn, &rr, m, now);
	if (why == TSIG_OK) {
		p->key->good++;
		return 0;
	}
	p->key->bad++;
	return sign_fail(e, why, &p->key->key, &rr, m, now);
}

/* ---- TCP ---- */

static void
on_tcp(struct agent *a, void *arg, struct job_done_mail **d)
{
	struct probe *p = arg;
	struct job_done_mail *done = *d;
	struct soa_answer s;
	struct zr_err e = {0};
	struct msg m;

	(void)a;
	p->job = 0;
	if (done->outcome != JOB_ANSWER) {
		fail(p, &done->err, false);
		return;
	}
	if (msg_parse(&m, done->answer, done->answer_len, MSG_FULL, &e) != 0) {
		fail(p, &e, true);
		return;
	}
	if (verify(p, &m, &e) != 0) {
		fail(p, &e, true);
		return;
	}
	m.flags &= (uint16_t)~FLAG_TC; /* meaningless over TCP */
	if (xfrin_soa_answer(&m, p->entry->name, &s, &e) == 0)
		succeed(p, &s);
	else
		fail(p, &e, true);
}

static void
send_tcp(struct probe *p)
{
	struct agent *a = p->entry->agent;
	struct buf b = BUF_INIT;
	int64_t timeout = a->cfg->server.soa_timeout_us;

	if (p->crumbled)
		cookie_without(a, dest_of(p));
	make_query(p, &b, true);
	p->job = job_query(a, &p->primary->address[p->address].addr, &p->source, p->tls, b.data,
	    b.len, timeout, on_tcp, p);
	buf_clear(&b);
}

/* ---- UDP ---- */

static void
try_again(struct probe *p)
{
	const struct config_server *s = &p->entry->agent->cfg->server;

	p->tries++;
	if (p->crumbled || p->tries >= s->soa_tries) {
		send_tcp(p);
		return;
	}
	p->plain = p->tries + 1 == s->soa_tries;
	send_udp(p);
}

/* True: there are too many of them, and TCP is asked. */
static bool
mismatch(struct probe *p)
{
	if (++p->mismatches < MISMATCH_MAX)
		return false;
	log_event(LOG_LVL_WARN, "soa-spoofed", LS("primary", conf_of(p)->name),
	    LS("reason", "many answers that match no question of ours; asking over TCP"));
	p->query = NULL;
	send_tcp(p);
	return true;
}

/*
 * C-03, C-04.  False: it is no answer, or (over) the query was sent again.  A signature proves more
 * than a cookie that is missing.
 */
static bool
cookie_holds(struct probe *p, const struct msg *m, bool *over)
{
	*over = false;
	switch (cookie_answer(p->entry->agent, dest_of(p), &p->cookie, m)) {
	case COOKIEJAR_MISSING:
		p->crumbled = p->key == NULL;
		return p->key != NULL;
	case COOKIEJAR_FORGED:
		*over = mismatch(p);
		return false;
	case COOKIEJAR_AGAIN:
		*over = true;
		p->query = NULL;
		if (p->again)
			send_tcp(p);
		else
			send_udp(p);
		p->again = true;
		return false;
	default:
		return true;
	}
}

static bool
take_answer(struct probe *p, const uint8_t *data, size_t len)
{
	struct soa_answer s;
	struct zr_err e = {0};
	struct msg m;
	bool parsed = msg_parse(&m, data, len, MSG_FULL, &e) == 0, over;

	if (m.len == 0 || m.id != p->id || (m.flags & FLAG_QR) == 0 ||
	    (m.has_question && !msg_question_is(&m, p->entry->name, TYPE_SOA, CLASS_IN)) ||
	    (parsed && !m.has_question && m.rcode == RCODE_NOERROR))
		return mismatch(p);
	if (parsed && !cookie_holds(p, &m, &over))
		return over;
	p->query = NULL;
	/* One that is not authentic is dropped.  A forger cannot easily answer over TCP, too. */
	if (!parsed || verify(p, &m, &e) != 0) {
		send_tcp(p);
		return true;
	}
	if (xfrin_soa_answer(&m, p->entry->name, &s, &e) == 0) {
		succeed(p, &s);
	} else if (s.retry_tcp) {
		send_tcp(p);
	} else if (s.retry_plain && !p->plain) {
		primary_edns_failed(p->primary, p->address, p->entry->agent->now.mono);
		p->plain = true;
		send_udp(p);
	} else {
		fail(p, &e, true);
	}
	return true;
}

static bool
on_udp(void *arg, enum udpq_event ev, const uint8_t *data, size_t len, const struct zr_err *e)
{
	struct probe *p = arg;
	struct agent *a = p->entry->agent;
	bool done = true;

	(void)e;
	agent_touch(a);
	switch (ev) {
	case UDPQ_DATA:
		done = take_answer(p, data, len);
		break;
	case UDPQ_TIMEOUT:
		p->query = NULL;
		try_again(p);
		break;
	case UDPQ_ERROR:
		p->query = NULL;
		send_tcp(p);
		break;
	}
	agent_schedule(a);
	return done;
}

static void
send_udp(struct probe *p)
{
	struct agent *a = p->entry->agent;
	struct buf b = BUF_INIT;
	struct zr_err e = {0};

	make_query(p, &b, false);
	p->query = udpq_send(a->udpq, &p->primary->address[p->address].addr, &p->source, b.data,
	    b.len, a->cfg->server.soa_timeout_us, on_udp, p, &e);
	buf_clear(&b);
	if (p->query == NULL)
		send_tcp(p); /* no socket, or no route: the worker will say which */
}

void
probe_start(struct entry *en, const struct zone_order *o)
{
	struct agent *a = en->agent;
	struct probe *p = zr_xcalloc(1, sizeof(*p));
	const struct config_primary *c;
	const struct zr_addr *source;

	probe_cancel(en);
	p->entry = en;
	p->attempt = o->attempt;
	p->primary = en->z.policy->primaries[o->probe.primary];
	p->address = o->probe.address;
	p->started = a->now.mono;
	c = conf_of(p);
	source = source_for(&p->primary->address[p->address].addr, &c->source4, &c->source6);
	if (source != NULL)
		p->source = *source;
	if (c->key != NULL)
		p->key = keyref_hold(c->key->ref);
	p->tls = tls_hold(certs_primary(a->certs, c));
	en->probe = p;
	a->stats.checks++;
	if (c->soa_tcp || p->tls != NULL)
		send_tcp(p);
	else
		send_udp(p);
}
