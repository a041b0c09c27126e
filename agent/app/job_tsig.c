/* SPDX-License-Identifier: BSD-2-Clause */
/* Signatures of a transfer: of its query, and of each message that comes (TS-16..TS-25). */
#include "app/job_p.h"
#include "app/sign.h"
#include "wire/name.h"
#include "wire/query.h"

static const struct tsig_key *
key_of(const struct job *j)
{
	return j->m->kind == JOB_TRANSFER && j->m->key != NULL ? &j->m->key->key : NULL;
}

/* XO-12, PD-01: a message that is signed already, and one without EDNS, stay as they are. */
void
job_pad(const struct job *j, struct buf *b)
{
	const struct tsig_key *k = key_of(j);

	if (j->m->tls != NULL && j->m->kind == JOB_TRANSFER && j->m->edns && !j->plain)
		query_pad(b, PAD_QUERY, k != NULL ? tsig_size(k) : 0);
}

int
job_sign(struct job *j, struct buf *b, struct zr_err *e)
{
	const struct tsig_key *k = key_of(j);
	struct tsig_txn t;

	if (k == NULL)
		return 0;
	if (tsig_sign_request(&t, k, b, sign_time(clock_now().wall), e) != 0)
		return -1;
	tsig_stream_clear(&j->tsig);
	tsig_stream_init(&j->tsig, &t);
	return 0;
}

int
job_verify(struct job *j, const struct msg *m, struct zr_err *e)
{
	const struct tsig_key *k = key_of(j);
	uint64_t now = sign_time(clock_now().wall);
	enum tsig_result why;
	struct tsig_rr rr;

	if (k == NULL)
		return 0;
	why = tsig_stream_verify(&j->tsig, &rr, m, now);
	if (why == TSIG_OK)
		j->m->key->good++;
	if (why == TSIG_OK || why == TSIG_PENDING)
		return 0;
	j->m->key->bad++;
	if (why == TSIG_NONE && j->tsig.txn.answers > 0)
		return zr_fail(e, ZR_FORMERR, "more than %d messages in a row are not signed",
		    TSIG_UNSIGNED_MAX);
	return sign_fail(e, why, k, &rr, m, now);
}

int
job_verify_end(const struct job *j, struct zr_err *e)
{
	if (key_of(j) == NULL || tsig_stream_whole(&j->tsig))
		return 0;
	return zr_fail(e, ZR_FORMERR, "the last message of the answer is not signed");
}
