/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NOTIFY out.  Rows of the outbox are written with the commit; here they are sent, repeated,
 * answered and struck off.  What a target was last known to do is told to the store.
 */
#include <stdlib.h>
#include <string.h>

#include "app/agent_p.h"
#include "app/owed_p.h"
#include "base/buf.h"
#include "base/mem.h"
#include "wire/name.h"
#include "wire/query.h"

/* ---- one owed NOTIFY ---- */

static void
owed_free(struct owed *o)
{
	struct owed **p = &o->entry->owed;

	while (*p != o)
		p = &(*p)->next;
	*p = o->next;
	owed_stop(o);
	heap_del(&o->agent->owed_timers, &o->timer);
	owed_sign_set(o, NULL);
	tls_drop(o->tls);
	o->agent->outbox--;
	free(o);
}

static void
peer_event(struct owed *o, enum peer_event ev, enum zr_code code, const char *text)
{
	struct store_order *so = store_order_new(STORE_PEER_SEEN, o->entry->z.id);
	struct store_peer *p = &so->peer;

	p->event = ev;
	snprintf(p->name, sizeof(p->name), "%s", o->downstream);
	p->addr = o->target;
	p->serial = o->o.serial;
	p->version = o->entry->version;
	p->at = o->agent->now.wall;
	p->code = code;
	snprintf(p->text, sizeof(p->text), "%s", text);
	agent_store(o->agent, so, false);
}

static struct store_notify
row_of(const struct owed *o)
{
	struct store_notify r = {
	    .id = o->row,
	    .zone_id = o->entry->z.id,
	    .target = o->target,
	    .qtype = o->o.kind == NOTIFYOUT_AXFR ? TYPE_AXFR : TYPE_SOA,
	    .serial = o->o.serial,
	    .tries = o->o.tries,
	    .not_before = zone_wall(o->o.at_us, o->agent->now),
	};

	snprintf(r.downstream, sizeof(r.downstream), "%s", o->downstream);
	return r;
}

static void
store_row(struct owed *o, bool remove)
{
	struct store_notify r = row_of(o);

	outbox_store(o->entry, &r, remove);
}

static void
log_kind(const struct owed *o, const char *qtype, enum log_level level, const char *event,
    const char *reason)
{
	char name[NAME_TEXT_MAX], at[ADDR_TEXT_MAX];

	if (!log_enabled(level))
		return;
	log_event(level, event, LS("zone", name_show(o->entry->name, name)),
	    LS("downstream", o->downstream), LS("address", addr_text(&o->target, at)),
	    LS("qtype", qtype), LU("serial", o->o.serial), LU("tries", o->o.tries),
	    LS("reason", reason));
}

static void
log_owed(const struct owed *o, enum log_level level, const char *event, const char *reason)
{
	log_kind(o, o->o.kind == NOTIFYOUT_AXFR ? "AXFR" : "SOA", level, event, reason);
}

static void ended(struct owed *o, const char *why);
static void send_now(struct owed *o);

/* It is NOTIFY(AXFR): what becomes of it is remembered. */
static void
forced_seen(const struct owed *o, enum forced_peer_event ev, const char *text)
{
	if (o->o.kind == NOTIFYOUT_AXFR)
		forced_peer_seen(o->entry, o->downstream, &o->target, ev, text);
}

/* from now on, and after a crash, it is NOTIFY(SOA) that this target gets. */
static void
learn_no_axfr(struct owed *o, const char *why)
{
	o->rcode = RCODE_NOTIMP; /* until what follows is answered */
	forced_remember(o->agent, &o->target, why != NULL ? why : "");
	forced_peer_seen(o->entry, o->downstream, &o->target, FORCED_PEER_EV_UNSUPPORTED, why);
	log_kind(o, "AXFR", LOG_LVL_INFO, "notify-unsupported", why);
}

static void
step(struct owed *o, enum notifyout_event ev, const struct notifyout_arg *arg, const char *why)
{
	struct agent *a = o->agent;
	struct notifyout_rate *rate = o->late ? &a->late_rate : &a->notify_rate;
	bool no_axfr = o->o.no_axfr;
	enum notifyout_do what = notifyout_step(&o->o, ev, arg, &o->policy, rate, a->now.mono);

	if ((what == NOTIFYOUT_SAVE || what == NOTIFYOUT_END) && ev == NOTIFYOUT_EV_TIMER &&
	    owed_sign_why(o) != NULL)
		why = owed_sign_why(o);
	if (o->o.no_axfr && !no_axfr)
		learn_no_axfr(o, why);
	switch (what) {
	case NOTIFYOUT_NOTHING:
		break;
	case NOTIFYOUT_SEND:
		send_now(o);
		break;
	case NOTIFYOUT_SAVE:
		forced_seen(o, FORCED_PEER_EV_UNANSWERED, why);
		owed_stop(o);
		log_owed(o, LOG_LVL_WARN, "notify-unanswered", why);
		peer_event(o, PEER_DOWNSTREAM_FAILED, ZR_TIMEOUT,
		    owed_sign_why(o) != NULL ? owed_sign_why(o)
					     : "no answer to NOTIFY; it is tried again");
		store_row(o, false);
		break;
	case NOTIFYOUT_END:
		ended(o, why);
		return;
	}
	if (o->o.at_us != 0)
		heap_set(&a->owed_timers, &o->timer, o->o.at_us);
	else
		heap_del(&a->owed_timers, &o->timer);
}

static void
ended(struct owed *o, const char *why)
{
	enum notifyout_result result = o->o.result;

	/* What the NOTIFY(SOA) in place of the other one led to. */
	if (result == NOTIFYOUT_UNSUPPORTED && o->o.no_axfr && o->rcode == RCODE_NOERROR)
		result = NOTIFYOUT_ACKED;
	switch (result) {
	case NOTIFYOUT_ACKED:
		if (o->o.kind == NOTIFYOUT_AXFR)
			forced_forget(o->agent, &o->target);
		forced_seen(o, FORCED_PEER_EV_ACKED, NULL);
		log_owed(o, LOG_LVL_INFO, "notify-acked", NULL);
		peer_event(o, PEER_DOWNSTREAM_ACKED, ZR_OK, "");
		break;
	case NOTIFYOUT_FETCHED:
		log_owed(o, LOG_LVL_DEBUG, "notify-needless", "it has fetched this serial");
		break;
	case NOTIFYOUT_UNSUPPORTED:
		log_owed(o, LOG_LVL_WARN, "notify-unsupported", why);
		peer_event(o, PEER_DOWNSTREAM_FAILED, ZR_NOTIMP, why != NULL ? why : "unsupported");
		break;
	case NOTIFYOUT_REFUSED:
		forced_seen(o, FORCED_PEER_EV_REFUSED, why);
		log_owed(o, LOG_LVL_WARN, "notify-refused-by", why);
		peer_event(o, PEER_DOWNSTREAM_FAILED, ZR_REFUSED, why != NULL ? why : "refused");
		break;
	default:
		forced_seen(o, FORCED_PEER_EV_GIVEN_UP, "never answered; given up");
		log_owed(o, LOG_LVL_ERROR, "notify-given-up", why);
		peer_event(o, PEER_DOWNSTREAM_FAILED, ZR_TIMEOUT, "never answered; given up");
		break;
	}
	store_row(o, true);
	owed_free(o);
}

static bool
is_answer(const struct owed *o, const uint8_t *data, size_t len, struct msg *m)
{
	struct zr_err e;
	bool parsed = msg_parse(m, data, len, MSG_FULL, &e) == 0;

	/* What cannot be read to its end may still say NOTIMP in its header; it is not signed. */
	return (parsed || (m->len != 0 && o->sign == NULL)) &&
	       notifyout_match(&o->o, m, o->entry->name);
}

static void
answered(struct owed *o, const struct msg *m)
{
	struct notifyout_arg arg = {.rcode = msg_rcode(m)};
	char why[64];

	o->rcode = arg.rcode;
	/* We put no SOA there that could have come back: it answers an AXFR query (NT-06).
	 */
	if (o->o.kind == NOTIFYOUT_AXFR && arg.rcode == RCODE_NOERROR && m->ancount > 0) {
		step(o, NOTIFYOUT_EV_ZONE_DATA, NULL, "it answered with zone data");
		return;
	}
	snprintf(why, sizeof(why), "answer %s", rcode_text(arg.rcode));
	step(o, NOTIFYOUT_EV_ANSWER, &arg, why);
}

/* A signed answer, if it has to be.  False: it is none. */
static bool
authentic(struct owed *o, const struct msg *m)
{
	enum owed_trust t = owed_sign_verify(o, m);

	if (t == OWED_TRUSTED)
		return true;
	/* Over TCP nothing better is to come. */
	if (t == OWED_REJECTED || o->policy.tcp) {
		owed_stop(o);
		step(o, NOTIFYOUT_EV_UNREACHABLE, NULL, owed_sign_why(o));
	}
	return false;
}

static bool
may_be_zone(struct owed *o, const uint8_t *data, size_t len)
{
	struct zr_err e;
	struct msg m;

	return o->sign == NULL || (msg_parse(&m, data, len, MSG_FULL, &e) == 0 &&
				      owed_sign_verify(o, &m) == OWED_TRUSTED);
}

static void
take_tcp(struct owed *o, const uint8_t *data, size_t len)
{
	struct msg m;

	if (len < MSG_HEADER)
		return;
	o->o.id = get_u16(data); /* the worker draws an ID of its own, and has compared it */
	if (is_answer(o, data, len, &m)) {
		if (authentic(o, &m))
			answered(o, &m);
	} else if (m.len != 0 && m.ancount > 0 && may_be_zone(o, data, len)) {
		step(o, NOTIFYOUT_EV_ZONE_DATA, NULL, "it answered with zone data");
	}
}

/* False: it is no answer to act upon; over: nor will there be one on this socket. */
static bool
cookie_holds(struct owed *o, const struct msg *m, bool *over)
{
	switch (owed_cookie_answer(o, m)) {
	case OWED_COOKIE_AGAIN:
		(void)owed_transmit(o, false);
		return false;
	case OWED_COOKIE_TCP:
		*over = true;
		owed_forget_query(o);
		(void)owed_transmit(o, true);
		return false;
	case OWED_COOKIE_WAIT:
		return false;
	default:
		return true;
	}
}

bool
owed_on_udp(void *arg, enum udpq_event ev, const uint8_t *data, size_t len, const struct zr_err *e)
{
	struct owed *o = arg;
	struct agent *a = o->agent;
	bool over = false;
	struct msg m;

	agent_touch(a);
	switch (ev) {
	case UDPQ_DATA:
		if (!is_answer(o, data, len, &m))
			return false;
		if (!cookie_holds(o, &m, &over) || !authentic(o, &m)) {
			agent_rearm(a);
			return over;
		}
		owed_forget_query(o); /* the step may send again, or free us */
		answered(o, &m);
		break;
	case UDPQ_TIMEOUT:
		owed_forget_query(o); /* the owed timer does the rest */
		break;
	case UDPQ_ERROR:
		owed_forget_query(o);
		step(o, NOTIFYOUT_EV_UNREACHABLE, NULL, e->text);
		break;
	}
	agent_rearm(a);
	return true;
}

void
owed_on_tcp(struct agent *a, void *arg, struct job_done_mail **dp)
{
	struct owed *o = arg;
	struct job_done_mail *d = *dp;

	o->job = 0;
	if (d->outcome == JOB_ANSWER)
		take_tcp(o, d->answer, d->answer_len);
	else
		step(o, NOTIFYOUT_EV_UNREACHABLE, NULL, d->err.text);
	agent_rearm(a);
}

/* Repeats of a burst are the same message from the same port (N-13). */
static void
send_now(struct owed *o)
{
	if (o->o.burst <= 1 || o->policy.tcp) {
		owed_stop(o);
		owed_sign_begin(o);
		o->o.id = rand_id();
		o->cookie_again = false;
		peer_event(o, PEER_DOWNSTREAM_SENT, ZR_OK, "");
		forced_seen(o, FORCED_PEER_EV_SENT, NULL);
	}
	if (owed_transmit(o, o->policy.tcp)) {
		o->agent->stats.notify_out++;
		log_owed(o, LOG_LVL_INFO, "notify-sent", NULL);
	}
}

void
outbox_timer(struct owed *o)
{
	step(o, NOTIFYOUT_EV_TIMER, NULL, "no answer");
}

/* ---- rows ---- */

static struct owed *
find(struct entry *en, const char *downstream, const struct zr_addr *target)
{
	struct owed *o;

	for (o = en->owed; o != NULL; o = o->next)
		if (addr_equal(&o->target, target) && strcmp(o->downstream, downstream) == 0)
			return o;
	return NULL;
}

static void
set_policy(struct owed *o, const struct config_downstream *d)
{
	const struct zr_addr *s = source_for(&o->target, &d->source4, &d->source6);
	const struct config_policy *p = entry_config(o->entry);
	int64_t retry = (int64_t)o->entry->z.times.retry * ZR_US_PER_S;
	int64_t expire = (int64_t)o->entry->z.times.expire * ZR_US_PER_S;

	o->policy = notifyout_default;
	o->policy.tcp = d->notify_transport != CONFIG_UDP;
	/* What left in the clear before is neither repeated nor is an answer to it believed. */
	if (d->tls.at.file != NULL && !o->secure)
		owed_stop(o);
	o->secure = d->tls.at.file != NULL;
	tls_drop(o->tls);
	o->tls = tls_hold(certs_downstream(o->agent->certs, d));
	/* RETRY, within the bounds that the configuration sets it. */
	if (retry < p->retry_min_us)
		retry = p->retry_min_us;
	if (retry < o->policy.owed_us)
		o->policy.owed_us = retry;
	if (expire > 0)
		o->policy.give_up_us = expire;
	o->hint = d->notify_hint;
	owed_sign_set(o, d->notify_key);
	o->source = s != NULL ? *s : (struct zr_addr){0};
}

static void
owe(struct entry *en, const struct store_notify *r, const struct config_downstream *d, bool late)
{
	struct agent *a = en->agent;
	struct owed *o = find(en, r->downstream, &r->target);
	enum notifyout_kind kind = r->qtype == TYPE_AXFR ? NOTIFYOUT_AXFR : NOTIFYOUT_SOA;
	struct notifyout_arg arg = {
	    .kind = kind, .serial = r->serial, .not_before = agent_mono(a, r->not_before)};

	if (late && kind == NOTIFYOUT_AXFR && outbox_has_command(en, r->downstream) &&
	    arg.not_before.us < a->now.mono.us + OUTBOX_COMMAND_US)
		arg.not_before.us = a->now.mono.us + OUTBOX_COMMAND_US;
	if (o != NULL) {
		o->row = r->id;
		o->late = late;
		set_policy(o, d);
		step(o, NOTIFYOUT_EV_NEWER, &arg, NULL);
		return;
	}
	o = zr_xcalloc(1, sizeof(*o));
	o->agent = a;
	o->entry = en;
	o->row = r->id;
	o->downstream = agent_intern(a, r->downstream);
	o->target = r->target;
	o->late = late;
	set_policy(o, d);
	notifyout_init(&o->o, kind, r->serial, a->now.mono, arg.not_before, r->tries);
	o->next = en->owed;
	en->owed = o;
	a->outbox++;
	/* What is owed from before a start leaves when the loop runs: who is told may come at once,
	 * and the listeners are opened only after this. */
	if (o->o.at_us <= a->now.mono.us && !late)
		step(o, NOTIFYOUT_EV_TIMER, NULL, NULL);
	else
		heap_set(&a->owed_timers, &o->timer, o->o.at_us);
}

/* Under another name when its own has gone, but not its address. */
static void
owe_row(struct entry *en, const struct store_notify *row, bool late)
{
	const char *name = outbox_name(en, row->downstream, &row->target);
	struct store_notify r = *row;

	if (name == NULL) {
		outbox_strike(en, &r);
		return;
	}
	if (strcmp(name, r.downstream) != 0) {
		snprintf(r.downstream, sizeof(r.downstream), "%s", name);
		outbox_store(en, &r, false);
	}
	owe(en, &r, outbox_target(en, name, &r.target), late);
}

void
outbox_owe(struct entry *en, const struct store_notify *rows, size_t n, bool late)
{
	for (size_t i = 0; i < n; i++) {
		if (rows[i].target.family == 0)
			targets_expand(en, &rows[i]);
		else
			owe_row(en, &rows[i], late);
	}
	agent_rearm(en->agent);
}

void
outbox_fetched(struct entry *en, const char *downstream, const struct zr_addr *peer,
    uint32_t serial, int64_t version, uint64_t event, bool has)
{
	struct notifyout_arg arg = {.serial = serial, .has = has};
	struct owed *o, *next;

	outbox_store_fetched(en, downstream, peer, serial, version);
	for (o = en->owed; o != NULL; o = next) {
		next = o->next;
		if (strcmp(o->downstream, downstream) != 0 || !addr_ip_equal(&o->target, peer))
			continue;
		arg.kind = forced_covers(en, downstream, &o->target, event) ? NOTIFYOUT_AXFR
									    : NOTIFYOUT_SOA;
		step(o, NOTIFYOUT_EV_FETCHED, &arg, NULL);
	}
}

void
outbox_drop(struct entry *en)
{
	while (en->owed != NULL)
		owed_free(en->owed);
}

/* False: it is owed to the same address under this name as well, and that one will do. */
static bool
rename_owed(struct owed *o, const char *name)
{
	struct owed *other = find(o->entry, name, &o->target);
	struct notifyout_arg arg = {.kind = o->o.kind, .not_before = o->agent->now.mono};

	o->downstream = agent_intern(o->agent, name);
	store_row(o, false);
	if (other == NULL)
		return true;
	if (other->row < o->row) /* the store keeps the newer of the two */
		other->row = o->row;
	arg.serial = other->o.serial;
	if (o->o.kind == NOTIFYOUT_AXFR && other->o.kind != NOTIFYOUT_AXFR)
		step(other, NOTIFYOUT_EV_NEWER, &arg, NULL);
	return false;
}

/*
 * After a reload: what is owed goes to the address, whatever it is called now; it is struck off
 * when that is not notified any more.
 */
void
outbox_reconfigure(struct entry *en)
{
	struct owed *o, *next;
	struct store_notify r;
	const char *name;

	for (o = en->owed; o != NULL; o = next) {
		name = outbox_name(en, o->downstream, &o->target);
		next = o->next;
		if (name == NULL) {
			r = row_of(o);
			outbox_strike(en, &r);
			owed_free(o);
		} else if (strcmp(name, o->downstream) != 0 && !rename_owed(o, name)) {
			owed_free(o);
		} else {
			set_policy(o, outbox_target(en, name, &o->target));
		}
	}
}
