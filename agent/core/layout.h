/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Compares the segments of a new version, as the packer makes them, with the live segments of the
 * old one: equal key and digest means that the stored segment is kept, anything else is
 * written or killed.  So the transfer of an unchanged zone writes nothing.  Keeps the sums
 * of the new version.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "core/segref.h"
#include "wire/segment.h"

struct layout_ops {
	segref_next next_old; /* live segments of the old version; NULL: there is none */
	/* Any of these may be NULL. */
	int (*write)(void *arg, const struct segment *s, struct zr_err *e);
	int (*keep)(void *arg, const struct segref *old, struct zr_err *e);
	int (*kill)(void *arg, const struct segref *old, struct zr_err *e);
};

struct layout_count {
	uint64_t written;
	uint64_t kept;
	uint64_t killed;
};

struct layout;

/* `ops` is borrowed for the object's life. */
struct layout *layout_new(const struct layout_ops *ops, void *arg);
void layout_free(struct layout *l);
/* A segment_sink; `arg` is the layout.  In key order, ZR_INTERNAL otherwise.  s->data is only
 * passed on to write(). */
int layout_add(void *arg, const struct segment *s, struct zr_err *e);
/* Kills what is left of the old version.  Not to be called when the transfer failed. */
int layout_finish(struct layout *l, struct zr_err *e);
const struct version_sum *layout_sum(const struct layout *l);
const struct layout_count *layout_count(const struct layout *l);
