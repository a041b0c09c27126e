/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests that are signed, once each before anything else is made of them, and their answers.
 * Strangers are left to the judges, which refuse them: for them nothing is computed (R-01..R-05).
 */
#include <string.h>

#include "app/agent_p.h"
#include "app/sign.h"
#include "base/mem.h"
#include "wire/name.h"
#include "wire/query.h"

static const struct tsig_key *
find_key(void *arg, const uint8_t *name)
{
	const struct agent *a = arg;
	const struct config_key *k = config_key_find(a->cfg, name);

	return k != NULL ? &k->ref->key : NULL;
}

static struct replay_request
as_seen(const struct replyto *to)
{
	return (struct replay_request){
	    .key = to->key->key.name,
	    .time = to->signed_at,
	    .mac = to->txn.mac,
	    .mac_len = to->txn.mac_len,
	    .forced = to->forced,
	};
}

/* TS-09.  Only a NOTIFY makes us do something that its answer does not show. */
static enum tsig_result
check_replay(struct agent *a, struct replyto *to, const struct msg *m, const struct tsig_rr *rr,
    const char **note)
{
	struct replay_request q;

	if (m->opcode != OPCODE_NOTIFY)
		return TSIG_OK;
	to->signed_at = rr->time;
	to->forced = m->has_question && m->qtype == TYPE_AXFR;
	q = as_seen(to);
	switch (replay_check(a->replay, &q, sign_time(a->now.wall))) {
	case REPLAY_NEW:
		return TSIG_OK;
	case REPLAY_SEEN:
		to->seen = true;
		return TSIG_OK;
	case REPLAY_LATE:
		*note = "older than another one of this key";
		break;
	case REPLAY_OLD:
		*note = "not newer than what was acted upon before the start";
		break;
	}
	return TSIG_BADTIME;
}

static void
log_wrong(struct agent *a, const struct replyto *to, const struct msg *m, const struct tsig_rr *rr,
    enum tsig_result why, const char *note)
{
	char key[NAME_TEXT_MAX], from[ADDR_TEXT_MAX], name[NAME_TEXT_MAX];
	int64_t now = (int64_t)sign_time(a->now.wall);
	uint64_t more;

	if (!log_limit_pass(&a->stranger_log, a->now.mono.us, &more))
		return;
	if (why == TSIG_BADTIME) {
		log_event(LOG_LVL_WARN, "tsig-failed", LS("from", addr_text(&to->from, from)),
		    LS("zone", m->has_question ? name_show(m->qname, name) : NULL),
		    LS("key", name_show(rr->name, key)), LS("reason", tsig_result_names[why]),
		    LI("clock_off_s", (int64_t)rr->time - now), LS("note", note),
		    LU("left_out", more));
		return;
	}
	log_event(LOG_LVL_WARN, "tsig-failed", LS("from", addr_text(&to->from, from)),
	    LS("zone", m->has_question ? name_show(m->qname, name) : NULL),
	    LS("key", why == TSIG_FORMERR ? NULL : name_show(rr->name, key)),
	    LS("reason", tsig_result_names[why]), LU("left_out", more));
}

/* TS-26 */
static void
count_wrong(struct agent *a, const struct tsig_rr *rr, enum tsig_result why)
{
	const struct config_key *k =
	    why != TSIG_FORMERR && why != TSIG_FAILED ? config_key_find(a->cfg, rr->name) : NULL;

	if (k != NULL)
		k->ref->bad++;
}

/* complaints to a source that may be forged are few. */
static void
complain(struct agent *a, struct replyto *to, const struct msg *m, struct tsig_txn *t,
    const struct tsig_rr *rr, enum tsig_result why)
{
	struct reply r = {.rcode = RCODE_NOTAUTH, .ede = -1, .keepalive = -1};
	struct buf b = BUF_INIT;
	struct zr_err e;

	if (why == TSIG_FORMERR)
		r.rcode = RCODE_FORMERR;
	else if (why == TSIG_FAILED)
		r.rcode = RCODE_SERVFAIL;
	if (to->tcp || limiter_take(a->query_limit, &to->from, a->now.mono)) {
		r.cookie = cookie_reply(a, to, m);
		query_reply(&b, m, &r);
		if (r.rcode == RCODE_NOTAUTH &&
		    tsig_sign_error(t, rr, why, &b, sign_time(a->now.wall), &e) != 0)
			buf_reset(&b);
	}
	answer_send(a, to, b.data, b.bad ? 0 : b.len);
	buf_clear(&b);
}

bool
verify_known(const struct agent *a, const struct zr_addr *from)
{
	return acl_known(a->primary_acl, from) || acl_known(a->downstream_acl, from);
}

/*
 * For a peer's address and the name of a key a MAC is always computed, also in a flood of guesses
 * that is forged in its name: of 4 to 7 us that one costs us, it is 0.4 us of SHA-256 over a short
 * request, and 3 us of SHA-512 over 1200 octets.  To compute fewer would be to leave out genuine
 * ones with the same chance, for nothing tells them apart before.
 */
bool
verify_request(struct agent *a, struct replyto *to, const struct msg *m, int parsed)
{
	const char *note = NULL;
	enum tsig_result why;
	struct tsig_rr rr;

	if (parsed != 0 || !m->has_tsig || (m->flags & FLAG_QR) != 0)
		return true;
	if (!verify_known(a, &to->from))
		return true;
	why = tsig_verify_request(&to->txn, &rr, m, find_key, a, sign_time(a->now.wall));
	if (why == TSIG_OK) {
		to->key = config_key_find(a->cfg, rr.name)->ref;
		why = check_replay(a, to, m, &rr, &note);
	}
	if (why == TSIG_OK) {
		to->key->good++;
		return true;
	}
	to->key = NULL;
	count_wrong(a, &rr, why);
	log_wrong(a, to, m, &rr, why, note);
	complain(a, to, m, &to->txn, &rr, why);
	return false;
}

void
verify_acted(struct agent *a, const struct replyto *to, bool acted)
{
	struct replay_request q;

	if (to->key == NULL)
		return;
	q = as_seen(to);
	if (acted)
		replay_note(a->replay, &q, sign_time(a->now.wall));
	else
		replay_forget(a->replay, &q);
}

struct store_signed *
verify_keep(struct agent *a)
{
	struct replay_request q;
	struct store_signed *v;

	if (a->acting == NULL || a->acting->key == NULL)
		return NULL;
	q = as_seen(a->acting);
	if (!replay_keep(a->replay, &q))
		return NULL;
	v = zr_xcalloc(1, sizeof(*v));
	v->time = q.time;
	memcpy(v->key, q.key, name_len(q.key));
	return v;
}

/* Keys that are not configured any more leave nothing behind. */
static int
load_signed(void *arg, const struct store_signed *v)
{
	struct agent *a = arg;
	struct store_order *o;

	if (config_key_find(a->cfg, v->key) != NULL) {
		replay_floor(a->replay, v->key, v->time);
		return 0;
	}
	o = store_order_new(STORE_SIGNED, 0);
	memcpy(o->signature.key, v->key, sizeof(o->signature.key));
	agent_store(a, o, false);
	return 0;
}

int
verify_load(struct agent *a, struct zr_err *e)
{
	return store_each_signed(a->store, load_signed, a, e);
}

void
answer_buf(struct agent *a, const struct replyto *to, struct buf *b)
{
	struct tsig_txn t = to->txn;
	struct zr_err e;

	if (to->pad)
		query_pad(b, PAD_RESPONSE, to->key != NULL ? tsig_size(&to->key->key) : 0);
	if (to->key != NULL && !b->bad && b->len > 0 &&
	    tsig_sign_answer(&t, b, sign_time(a->now.wall), &e) != 0) {
		log_event(LOG_LVL_ERROR, "tsig-not-signed", LS("reason", e.text));
		buf_reset(b);
	}
	answer_send(a, to, b->data, b->bad ? 0 : b->len);
}
