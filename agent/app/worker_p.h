/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside of a worker: shared by the files that run on its thread, by nobody else. */
#pragma once

#include <event2/event.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "app/mail.h"
#include "app/segcache.h"
#include "app/worker.h"
#include "base/table.h"
#include "net/conn.h"
#include "store/reader.h"

struct job;
struct client;
struct pconn;

struct worker {
	struct worker_conf conf;
	char *spill_dir;
	pthread_t thread;
	struct event_base *base;
	struct event *mail_event;
	struct mbox *in;
	struct reader *reader;
	struct segcache *segments; /* of zones being sent */
	unsigned streams;	   /* that send */
	struct table *jobs;	   /* by job number */
	struct table *clients;	   /* by client number */
	struct pconn *idle;	   /* connections to primaries nobody uses now, newest first */
	unsigned idle_count;
	bool stopping;
};

/* Reports to main. */
void worker_report(struct worker *w, struct mail *m);
/* Called when a job or client has gone: ends the loop when stopping and nothing is left. */
void worker_maybe_stop(struct worker *w);

/* ---- connections to primaries and downstreams (pconn.c) ---- */

/* Connections are kept this long for the next transfer from the same server (XO-05, TC-06). */
#define PCONN_KEEP_US (5 * INT64_C(1000000))
#define PCONN_IDLE_MAX 64

struct pconn_user {
	void (*ready)(void *arg);				  /* connected: send */
	void (*message)(void *arg, const uint8_t *p, size_t len); /* borrowed */
	void (*closed)(void *arg, const struct zr_err *why);	  /* the connection is gone */
};

/*
 * A connection for one user.  An idle one to the same server, with the same trust, is taken first
 * (`reused`); ready() is called either way, never from inside this call.
 */
struct pconn *pconn_get(struct worker *w, const struct zr_addr *dest, const struct zr_addr *source,
    struct tls_ctx *tls, int64_t connect_us, int fd_max, bool fresh, const struct pconn_user *user,
    void *arg, struct zr_err *e);
bool pconn_reused(const struct pconn *p);
struct conn *pconn_conn(struct pconn *p);
/* Back to the idle ones, or closed when `keep` is false.  No callbacks afterwards. */
void pconn_put(struct pconn *p, bool keep);
void pconn_close_idle(struct worker *w);

/* ---- jobs (job.c) ---- */

void job_start(struct worker *w, struct job_mail *m); /* takes m */
void job_cancel(struct job *j);
void job_store_done(struct store_order *o); /* a staged order came back */

/* ---- accepted connections (client.c) ---- */

void client_start(struct worker *w, struct accept_mail *m);  /* takes m */
void client_reply(struct worker *w, struct bytes_mail *m);   /* takes m */
void client_stream(struct worker *w, struct stream_mail *m); /* takes m */
void client_close(struct client *c);
