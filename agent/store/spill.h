/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sorting more records than memory should hold: sorted runs in a private file without a name,
 * merged when read.  Some 8 MiB of memory whatever the number; what fits into that never touches
 * the disk.  Owned and used by one thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "wire/rr.h"

struct spill;

/*
 * `dir`: where the file goes (the folder of the database).  More than max_octets of records,
 * each with its key and 20 octets, is ZR_LIMIT.
 */
int spill_open(struct spill **out, const char *dir, uint64_t max_octets, struct zr_err *e);
/* Before the first record: so much memory instead; no record may take more. */
void spill_set_memory(struct spill *s, size_t octets);
void spill_close(struct spill *s); /* NULL is fine; removes the file */
int spill_add(
    struct spill *s, const uint8_t *key, size_t key_len, const struct rr *rr, struct zr_err *e);
uint64_t spill_count(const struct spill *s);
/* Starts reading in order of (key, RDATA, order of arrival). */
int spill_sort(struct spill *s, struct zr_err *e);
/* 1: *rr valid until the next call; 0 end; -1 error. */
int spill_next(struct spill *s, struct rr *rr, struct zr_err *e);
