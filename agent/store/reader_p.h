/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside of a reader: shared by reader.c, journal.c and status.c. */
#pragma once

#include "store/db.h"
#include "store/reader.h"

struct reader {
	struct db *db;
};

/* -1 with ZR_DAMAGED: the octets of this content are not those that were written. */
int reader_damaged(const struct reader *r, int64_t id, struct zr_err *e);
