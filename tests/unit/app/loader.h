/* SPDX-License-Identifier: BSD-2-Clause */
/* fullload and diffload driven as a job drives them, without a worker. */
#pragma once

#include "bed.h"

#include "app/load.h"

/* Records in the order in which a primary would send them; borrowed from the models. */
struct stream {
	struct rr **v; /* each owned */
	size_t n, cap;
};
void stream_add(struct stream *s, const struct rr *rr);
void stream_clear(struct stream *s);

enum stream_style {
	STREAM_SORTED,
	STREAM_OWNERS,	/* owners in order, the records of each in none, some twice */
	STREAM_MIXED,	/* owners in order, NSEC3 among them */
	STREAM_STRAY,	/* in order but for a few */
	STREAM_SHUFFLED /* in no order at all */
};
void stream_make(struct stream *s, struct gen *g, const struct model *m, enum stream_style style);

/* A difference: one operation after the other. */
enum diff_op { DIFF_OLD, DIFF_DEL, DIFF_NEW, DIFF_ADD };
struct script {
	struct stream rr;
	enum diff_op *op;
};
void script_add(struct script *s, enum diff_op op, const struct rr *rr);
void script_clear(struct script *s);
/* The operations of one step from `from` to `to`, in no particular order within a part. */
void script_step(struct script *s, struct gen *g, const struct model *from, const struct model *to);

struct load {
	struct bed *b;
	struct job_mail *job;
	struct mbox *box;
	struct stager stager;
	struct load_result result;
	size_t small;	       /* of load_env; 0 after load_init() */
	unsigned waits, mores; /* answers of load_step() */
	unsigned posted;       /* orders the stager sent */
	bool ok;
	struct zr_err err;
	unsigned pause_after; /* records; 0: never.  Then pause() is called once */
	void (*pause)(struct load *l);
	void (*abort)(struct load *l); /* before what failed is thrown away; may be NULL */
};

/* Everything as main would order it; may be changed before it runs. */
void load_init(struct load *l, struct bed *b, enum xfrin_kind kind);
/* Until loaded and settled, or failed: then everything is thrown away. */
void load_full(struct load *l, const struct stream *s);
void load_diff(struct load *l, const struct script *s);
/* Commits what was loaded. */
void load_commit(struct load *l, struct model *m, struct past *steps, size_t step_count);
void load_clear(struct load *l);
