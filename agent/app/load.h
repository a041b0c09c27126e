/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From records to staged segments, on a worker's thread.  Two roads with one end: a whole zone
 * (fullload) and differences (diffload).  Records go in as the reader hands them out; load_step()
 * then does the rest in bounded pieces, so that one transfer never holds up the others of its
 * worker.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "app/mail.h"
#include "app/stager.h"
#include "base/err.h"
#include "core/segref.h"
#include "store/reader.h"
#include "wire/rr.h"

enum load_state {
	LOAD_MORE, /* call again, when the stager is not full */
	LOAD_WAIT, /* call again when the stager is quiet */
	LOAD_DONE, /* load_result() is valid */
	LOAD_FAIL  /* ZR_DIFF, ZR_LIMIT of a difference: a whole zone may help */
};

struct load_env {
	const struct job_mail *job; /* zone, our copy, limits */
	struct stager *stager;
	struct reader *reader;
	const char *spill_dir;
	size_t small; /* a whole zone of so many octets is sorted before it is packed; 0: none */
};

struct load_result {
	struct version_sum sum;
	bool has_delta; /* the journal goes on with this version */
	bool repaired;	/* stored segments were damaged: to be committed also if all is the same */
};

/* ---- a whole zone ---- */

/* Such a zone is sorted in memory, in whatever order it comes. */
#define FULLLOAD_SMALL (64 * 1024)

struct fullload;

/* soa: the first record of the new zone; it must also be given to fullload_add(). */
struct fullload *fullload_new(const struct load_env *env, const struct rr *soa, struct zr_err *e);
void fullload_free(struct fullload *l);
int fullload_add(struct fullload *l, const struct rr *rr, struct zr_err *e);
/* After the last record. */
enum load_state fullload_step(struct fullload *l, struct zr_err *e);
const struct load_result *fullload_result(const struct fullload *l);

/* ---- differences ---- */

/* Octets that the records of one incremental transfer may take in memory; above it: AXFR. */
#define DIFFLOAD_MEMORY (64 * 1024 * 1024)

struct diffload;

struct diffload *diffload_new(const struct load_env *env);
void diffload_free(struct diffload *l);
int diffload_old(struct diffload *l, const struct rr *soa, struct zr_err *e);
int diffload_del(struct diffload *l, const struct rr *rr, struct zr_err *e);
int diffload_new_soa(struct diffload *l, const struct rr *soa, struct zr_err *e);
int diffload_add(struct diffload *l, const struct rr *rr, struct zr_err *e);
enum load_state diffload_step(struct diffload *l, struct zr_err *e);
const struct load_result *diffload_result(const struct diffload *l);
