/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of agent/app share: a store with one zone, what the main loop would know of that
 * zone, the model of what it should hold, and everything that must be true of it after each step.
 */
#pragma once

#include "tests/unit/store/util.h"
#include "tests/unit/wire/model.h"

#include "app/mail.h"
#include "core/segref.h"

#define BED_ZONE "a.example."
#define PAST_MAX 24

/* A version from which the journal leads to the present one. */
struct past {
	uint32_t serial;
	bool must; /* the journal has to know it; else it may be cut off already */
	struct model m;
};

struct bed {
	struct fx fx;
	int64_t zone;
	bool stored, have;
	struct model now;
	int64_t version;
	uint32_t serial;
	struct version_sum sum;
	struct past past[PAST_MAX]; /* oldest first */
	size_t pasts;
	bool tight;    /* journal limits as the daemon has them; else there is room for all */
	uint32_t lost; /* this and older serials were dropped with the journal ... */
	bool has_lost; /* ... if this is set */
	unsigned commits;
};

void bed_open(struct bed *b, unsigned slow_ms);
void bed_close(struct bed *b); /* also checks the whole file */

/* An order to fetch the zone, as the main loop fills it in but for the addresses. */
struct job_mail *bed_job(const struct bed *b, enum xfrin_kind kind);

/* The zone became what `m` is (moved); `steps`: intermediate versions of a difference (moved). */
struct bed_commit {
	struct stage_batch *batch; /* moved */
	struct version_sum sum;
	bool has_delta;
	bool identical;
	struct model *m;
	struct past *steps;
	size_t step_count;
};
void bed_commit(struct bed *b, const struct bed_commit *c);
/* The same from what a job brought. */
void bed_commit_job(struct bed *b, struct job_done_mail *d, struct model *m);

void bed_sweep(struct bed *b);
void bed_abort(struct bed *b); /* as app/commit.c throws a ready version away */

/* Segments, sums, zone row and journal are those of the model; nothing is staged. */
void bed_check(struct bed *b);
/* The number of rows that a STAGE or COMMIT brought for this version. */
int64_t bed_born(struct bed *b, int64_t version);
/* Only the files of the database are in its folder. */
void bed_check_folder(struct bed *b);
unsigned bed_descriptors(void);

/* A zone of n records, NS at the apex included, and its SOA. */
void bed_make(struct gen *g, struct model *m, uint32_t serial, size_t n);
/* The SOA of m becomes that of `serial`. */
void bed_set_serial(struct gen *g, struct model *m, uint32_t serial);
uint32_t bed_model_serial(const struct model *m);
/* Some records go, come, change their TTL. */
void bed_change(struct gen *g, struct model *m, unsigned dels, unsigned adds);
