/* SPDX-License-Identifier: BSD-2-Clause */
/* Between outbox.c, owed_send.c and owed_sign.c: what is owed, and how it leaves. */
#pragma once

#include "app/agent_p.h"

/* outbox.c */
bool owed_on_udp(
    void *arg, enum udpq_event ev, const uint8_t *data, size_t len, const struct zr_err *e);
void owed_on_tcp(struct agent *a, void *arg, struct job_done_mail **dp);

/* owed_send.c */

/* Its socket is gone, or another's turn. */
void owed_forget_query(struct owed *o);
/* Nothing is waited for any more. */
void owed_stop(struct owed *o);
/* False: it could not be signed. */
bool owed_transmit(struct owed *o, bool tcp);

enum owed_cookie {
	OWED_COOKIE_FINE,
	OWED_COOKIE_WAIT,  /* it is no answer, or not the one to a cookie: drop it, and wait on */
	OWED_COOKIE_AGAIN, /* send it again now */
	OWED_COOKIE_TCP	   /* over TCP */
};
enum owed_cookie owed_cookie_answer(struct owed *o, const struct msg *m);

/* ---- owed_sign.c: signatures of NOTIFYs out; without a key everything is trusted ---- */

enum owed_trust {
	OWED_TRUSTED,
	OWED_REJECTED, /* authentic, and says that it does not take ours: BADTIME */
	OWED_FORGED    /* nobody knows whose it is: drop it, and wait on (TS-23, TS-24) */
};
void owed_sign_set(struct owed *o, const struct config_key *key); /* NULL frees */
size_t owed_sign_size(const struct owed *o);			  /* octets of a signature */
void owed_sign_begin(struct owed *o);				  /* a burst */
int owed_sign_query(struct owed *o, struct buf *b);
enum owed_trust owed_sign_verify(struct owed *o, const struct msg *m);
/* What was wrong with an answer to this burst; NULL: nothing. */
const char *owed_sign_why(const struct owed *o);
