/* SPDX-License-Identifier: BSD-2-Clause */
/* One job of a worker; private to job.c and its tests. */
#pragma once

#include "app/load.h"
#include "app/worker_p.h"
#include "base/clock.h"
#include "wire/tsig.h"

enum job_phase {
	JOB_ASK,       /* connecting, asking, receiving */
	JOB_LOAD,      /* everything is here: load_step() */
	JOB_LOAD_WAIT, /* load_step() wants the store to be quiet */
	JOB_SETTLE,    /* loaded: the store has something to answer still */
	JOB_CLEAN,     /* thrown away: the same; then `next` */
	JOB_REPORT
};

struct job {
	struct worker *w;
	struct job_mail *m; /* owned */
	enum job_phase phase, next;
	enum xfrin_kind kind; /* being asked for */
	bool plain;	      /* without EDNS */
	bool fresh;	      /* no idle connection */
	bool reused;	      /* the connection had served another query before this one */
	bool asked;	      /* something was asked on this connection */
	bool waiting;	      /* the present query is out */
	bool heard;	      /* a message came for it */
	bool connected;
	struct tls_peer *peer; /* held, of the present connection */
	bool resumed;
	uint16_t qid;
	unsigned strays;
	struct pconn *pc;
	struct xfrin *x;
	struct tsig_stream tsig; /* of the present query, when it is signed */
	struct fullload *full;
	struct diffload *diff;
	struct stager stager;
	struct load_env env;
	struct load_result result;
	struct event *tick, *kick;
	struct zr_now started;
	int64_t last_us; /* last message, monotonic */
	int64_t window_us;
	uint64_t window_octets;
	enum job_outcome outcome;
	struct zr_err err;
	bool ixfr_failed;
	enum zr_code ixfr_code;
	char ixfr_text[ZR_ERR_TEXT];
	uint8_t *answer;
	size_t answer_len;
};

extern const struct xfrin_ops job_xfrin_ops; /* arg: the job */
/* job_tsig.c.  Without a key they do nothing and find nothing wrong. */
void job_pad(const struct job *j, struct buf *b); /* before it is signed */
int job_sign(struct job *j, struct buf *b, struct zr_err *e);
/* 0: authentic, or it may yet turn out to be (TS-22): it may be staged, not more. */
int job_verify(struct job *j, const struct msg *m, struct zr_err *e);
/* The answer ends here: was its last message signed? */
int job_verify_end(const struct job *j, struct zr_err *e);
void job_fill_result(struct job *j, struct job_done_mail *d);
