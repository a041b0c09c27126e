/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker and both of its neighbours, played by the test: the main loop (mail) and a name server
 * or client (blocking sockets with a time limit).
 */
#pragma once

#include "bed.h"

#include "app/worker.h"
#include "wire/msg.h"

/* ---- main ---- */

#define DESK_JOBS 512

struct desk {
	struct bed b;
	struct mbox *main;
	struct worker *w;
	struct mail *rest, **tail; /* came, but nobody asked for it yet */
	uint64_t jobs;		   /* posted: numbers 1 to this */
	unsigned done[DESK_JOBS];  /* MAIL_JOB_DONE for each */
	unsigned progress;
};

void desk_open(struct desk *d, unsigned slow_ms);
/* Stops the worker; every job has been reported once, and nothing is left. */
void desk_close(struct desk *d);
void desk_stop(struct desk *d); /* only the worker; desk_close() may follow */

/* The next mail of this type, however long it takes (10 s); NULL when there is none for ms. */
void *desk_take(struct desk *d, enum mail_type type);
void *desk_try(struct desk *d, enum mail_type type, int ms);

uint64_t desk_post(struct desk *d, struct job_mail *m, const struct zr_addr *to);
uint64_t desk_job(struct desk *d, enum xfrin_kind kind, const struct zr_addr *to);
void desk_cancel(struct desk *d, uint64_t job);
/* The report on this job; asserts the outcome.  mail_free(). */
struct job_done_mail *desk_done(struct desk *d, uint64_t job, enum job_outcome outcome);
/* It failed so, and the store is as before. */
void desk_failed(struct desk *d, uint64_t job, enum zr_code code);
/* It is ready, and what it brought is `m` (moved): commits and checks. */
struct job_done_mail *desk_ready(struct desk *d, uint64_t job, struct model *m);

/* ---- name server ---- */

struct server {
	int fd;
	struct zr_addr addr;
};
void server_open(struct server *s);
void server_close(struct server *s);
int server_accept(struct server *s);	     /* waits */
bool server_quiet(struct server *s, int ms); /* nobody knocks */

void tcp_write(int fd, const void *p, size_t len); /* with its length in front */
/* One message into p (65535 octets); 0: the other side closed. */
size_t tcp_read(int fd, uint8_t *p);
bool tcp_at_end(int fd); /* closed behind what has come, or will be within the time limit */
bool tcp_quiet(int fd, int ms);

struct asked {
	uint8_t bytes[MSG_MAX];
	size_t len;
	struct msg m;
};
/* The next query; asserts that there is one, and its type. */
void ask_read(int fd, struct asked *q, uint16_t qtype);

/* Answers.  Records are not compressed. */
struct answer {
	int fd;
	const struct asked *q;
	unsigned per_message; /* records; 0: as many as fit into 16 KiB */
	struct buf b;
	unsigned an;
	uint16_t id;
};
void answer_begin(struct answer *a, int fd, const struct asked *q, unsigned per_message);
void answer_rr(struct answer *a, const struct rr *rr);
void answer_end(struct answer *a); /* sends the rest */

void answer_axfr(int fd, const struct asked *q, const struct model *m, unsigned per_message);
/* Records from..to-1 of the zone, without the closing SOA. */
void answer_part(int fd, const struct asked *q, const struct model *m, size_t from, size_t to);
void answer_shuffled(int fd, const struct asked *q, struct gen *g, const struct model *m);
/* The differences between each and the next of n versions. */
void answer_ixfr(int fd, const struct asked *q, const struct model *const *v, size_t n);
void answer_soa(int fd, const struct asked *q, const struct model *m);
void answer_rcode(int fd, const struct asked *q, unsigned rcode);
