/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signatures of NOTIFYs out.  A repetition is signed anew, for its time must not grow old; so the
 * answer to any of the last few counts.
 */
#include <stdlib.h>
#include <string.h>

#include "app/owed_p.h"
#include "app/sign.h"
#include "base/mem.h"
#include "wire/name.h"

#define SENT_MAX 4

struct owed_sign {
	struct keyref *key; /* held */
	struct tsig_txn sent[SENT_MAX];
	unsigned count; /* so many were sent */
	bool told;	/* the log has heard of a bad answer to them */
	char why[ZR_ERR_TEXT];
};

void
owed_sign_set(struct owed *o, const struct config_key *key)
{
	struct keyref *ref = key != NULL ? key->ref : NULL;

	if (ref == (o->sign != NULL ? o->sign->key : NULL))
		return;
	if (o->sign != NULL)
		keyref_drop(o->sign->key);
	free(o->sign);
	o->sign = NULL;
	if (ref == NULL)
		return;
	o->sign = zr_xcalloc(1, sizeof(*o->sign));
	o->sign->key = keyref_hold(ref);
}

size_t
owed_sign_size(const struct owed *o)
{
	return o->sign != NULL ? tsig_size(&o->sign->key->key) : 0;
}

void
owed_sign_begin(struct owed *o)
{
	if (o->sign == NULL)
		return;
	o->sign->count = 0;
	o->sign->told = false;
	o->sign->why[0] = '\0';
}

int
owed_sign_query(struct owed *o, struct buf *b)
{
	struct owed_sign *s = o->sign;
	struct zr_err e;

	if (s == NULL)
		return 0;
	if (tsig_sign_request(&s->sent[s->count % SENT_MAX], &s->key->key, b,
		sign_time(o->agent->now.wall), &e) != 0) {
		log_event(LOG_LVL_ERROR, "tsig-not-signed", LS("reason", e.text));
		return -1;
	}
	s->count++;
	return 0;
}

static void
complain(struct owed *o, const char *why)
{
	char name[NAME_TEXT_MAX], at[ADDR_TEXT_MAX];
	struct owed_sign *s = o->sign;
	uint64_t more;

	snprintf(s->why, sizeof(s->why), "%s", why);
	s->key->bad++;
	if (s->told || !log_limit_pass(&o->agent->zone_log, o->agent->now.mono.us, &more))
		return;
	s->told = true;
	log_event(LOG_LVL_WARN, "notify-untrusted", LS("zone", name_show(o->entry->name, name)),
	    LS("downstream", o->downstream), LS("address", addr_text(&o->target, at)),
	    LS("reason", why), LU("left_out", more));
}

enum owed_trust
owed_sign_verify(struct owed *o, const struct msg *m)
{
	struct owed_sign *s = o->sign;
	enum tsig_result why = TSIG_NONE;
	uint64_t now = sign_time(o->agent->now.wall);
	struct tsig_rr rr;
	struct zr_err e;

	if (s == NULL)
		return OWED_TRUSTED;
	if (s->count == 0) /* the key is another since it was sent */
		return OWED_FORGED;
	/* The newest is the likeliest. */
	for (unsigned i = 0; i < SENT_MAX && i < s->count; i++) {
		why = tsig_verify_answer(&s->sent[(s->count - 1 - i) % SENT_MAX], &rr, m, now);
		if (why == TSIG_OK) {
			s->key->good++;
			return OWED_TRUSTED;
		}
		if (why != TSIG_BADSIG)
			break;
	}
	sign_fail(&e, why, &s->key->key, &rr, m, now);
	complain(o, e.text);
	return why == TSIG_REJECTED ? OWED_REJECTED : OWED_FORGED;
}

const char *
owed_sign_why(const struct owed *o)
{
	return o->sign != NULL && o->sign->why[0] != '\0' ? o->sign->why : NULL;
}
