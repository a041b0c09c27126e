/* SPDX-License-Identifier: BSD-2-Clause */
/* A store in memory behind the callbacks of core/patch, core/diff and core/layout. */
#pragma once

#include "core/changes.h"
#include "core/diff.h"
#include "core/patch.h"
#include "core/segref.h"
#include "model.h"

/* `base` is the version before, which the callbacks show; `now` gets what is written and killed. */
struct rig {
	struct stored_list base;
	struct stored_list now;
	uint64_t written, killed;
	struct model *track; /* if not NULL: follows what is reported as removed and added */
	unsigned fail_after; /* fail the n-th callback from now; 0: never */
};

extern const struct patch_ops rig_patch_ops; /* next_change is changes_next() */
struct patch_ops rig_patch_ops_with(change_next next_change);

/* base := the packed model; now := a copy of it. */
void rig_load(struct rig *r, const struct model *m);
/* base := now, and now a copy of it: the patch is committed. */
void rig_commit(struct rig *r);
void rig_clear(struct rig *r);
struct version_sum stored_sum(const struct stored_list *l);
void stored_ref(const struct stored *s, struct segref *out);

/* Steps the patch with this budget until it is done or has failed. */
enum patch_state rig_run(struct patch *p, unsigned budget, struct zr_err *e);

/* The difference from `old` to `new`, applied to a model: false when it does not fit. */
bool rig_diff(const struct stored_list *old, const struct stored_list *new, struct model *m,
    struct diff_count *count);
