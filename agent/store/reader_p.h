/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside of a reader: shared by reader.c, journal.c and status.c. */
#pragma once

#include "store/db.h"
#include "store/reader.h"

struct reader {
	struct db *db;
};
