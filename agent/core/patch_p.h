/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside core/patch: patch.c has the regions and the merge, patch_change.c what comes in,
 * patch_old.c the segments of the version before and what becomes of them.
 */
#pragma once

#include "core/arena.h"
#include "core/patch.h"
#include "wire/name.h"

/* A reference with its key. */
struct own_ref {
	struct segref ref;
	uint8_t key[RR_KEY_MAX];
};

enum phase { IDLE, MERGE, GAP };

/* A segment open for reading, with one record peeked. */
struct reading {
	struct unpacker *u;
	struct rr rr;
	bool have_rr;
};

struct patch {
	const struct patch_ops *ops;
	void *arg, *change_arg;
	unsigned flags;
	enum phase phase;
	unsigned cost; /* segments read and written in this step */
	struct packer *packer;

	struct change change; /* the next one */
	bool have_change;
	struct arena copy[2];  /* PATCH_DEDUP: the next change and the one behind it */
	struct change waiting; /* PATCH_DEDUP: the one behind */
	bool have_waiting;
	bool source_ended;
	unsigned copy_cur; /* which arena holds `waiting` */

	struct reading in[2];
	unsigned cur;	 /* in[cur]: being merged; in[cur ^ 1]: of the next segment */
	bool ahead_open; /* in[cur ^ 1] holds the next segment */
	bool have_next;	 /* there is a next segment */
	struct own_ref next;

	/* Old segments of the region whose fate is open: of the one under construction, the last.
	 */
	struct own_ref held[2];
	unsigned held_count;

	struct version_sum sum;
	struct layout_count count;
	uint8_t apex[NAME_MAX_LEN];
};

/* ---- patch_change.c ---- */

/* 1: p->change is the next change; 0: there is none; -1. */
int patch_peek_change(struct patch *p, struct zr_err *e);
/* The next change is about a record that the version does not hold. */
int patch_absent(struct patch *p, struct zr_err *e);
/* The next change is about this record of the version. */
int patch_present(struct patch *p, const struct rr *rr, struct zr_err *e);

/* ---- patch_old.c ---- */

int patch_own(struct own_ref *o, const struct segref *ref, struct zr_err *e);
void patch_copy_ref(struct own_ref *to, const struct own_ref *from);
/* A segment joins the region. */
int patch_hold(struct patch *p, const struct own_ref *ref, struct zr_err *e);
int patch_kill_all(struct patch *p, struct zr_err *e);
/* The sink of the packer. */
int patch_segment(void *arg, const struct segment *s, struct zr_err *e);
/* 1: r->rr is the next record; 0: no more; -1. */
int patch_peek_rr(struct reading *r, struct zr_err *e);
/* Opens a segment; its first record is peeked. */
int patch_open(struct patch *p, struct reading *r, const struct segref *ref, struct zr_err *e);
/* p->next := the segment behind this one. */
int patch_fetch_next(struct patch *p, const struct segref *behind, struct zr_err *e);
/* Opens p->next, if there is one and it is not open. */
int patch_open_ahead(struct patch *p, struct zr_err *e);
