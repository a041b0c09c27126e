/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading the store beside the writer: a read-only handle of its own for each thread.  Every call
 * is a short transaction; nothing pins the WAL between calls.  Consistency over several calls comes
 * from the immutability of segments: a version's segments stay until STORE_SWEEP passes it, and the
 * main loop does not order that while a transfer has the version pinned.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "store/store.h"
#include "wire/rr.h"
#include "wire/segment.h"

struct reader;

int reader_open(struct reader **out, const char *path, struct zr_err *e);
void reader_close(struct reader *r);

/* Row of a segment without its data. */
struct segment_row {
	int64_t id;
	uint16_t key_len;
	uint8_t key[RR_KEY_MAX];
	uint8_t digest[SEGMENT_DIGEST];
	uint32_t rrs;
	uint32_t octets;
};

/* By version.  1 found, 0 none, -1 error. */
int reader_segment_at(struct reader *r, int64_t zone, int64_t version, const uint8_t *key,
    size_t key_len, struct segment_row *out, struct zr_err *e); /* last one with key <= */
int reader_segment_next(struct reader *r, int64_t zone, int64_t version, const uint8_t *key,
    size_t key_len, struct segment_row *out, struct zr_err *e); /* first one with key > */
int reader_segment_prev(struct reader *r, int64_t zone, int64_t version, const uint8_t *key,
    size_t key_len, struct segment_row *out, struct zr_err *e); /* last one with key < */

/* All of a version in order of key: the ids alone are what a transfer out keeps. */
int reader_segments(struct reader *r, int64_t zone, int64_t version,
    int (*cb)(void *, const struct segment_row *), void *arg, struct zr_err *e);

/*
 * Appends the data of one segment; -1, and nothing appended: ZR_NOTFOUND when it was swept,
 * ZR_DAMAGED when it cannot be read or is not what was written, and a whole transfer is needed.
 */
int reader_segment_data(struct reader *r, int64_t id, struct buf *out, struct zr_err *e);

/*
 * Several calls in one transaction, for those who read much: it saves the locks of each.  While it
 * lasts the WAL cannot start anew, so it must end within milliseconds, and before the loop turns.
 * reader_end() is also right after a failure.
 */
int reader_begin(struct reader *r, struct zr_err *e);
void reader_end(struct reader *r);

/*
 * Journal: is there an unbroken, unambiguous chain from `from_serial` to `version`?  1 yes (total
 * octets and first chunk position given), 0 no: send the whole zone.
 */
struct journal_pos {
	int64_t version; /* chunks in order of (version, step, part, chunk) */
	uint32_t step;
	uint8_t part;
	uint32_t chunk;
};
int reader_journal_find(struct reader *r, int64_t zone, uint32_t from_serial, int64_t version,
    struct journal_pos *first, uint64_t *octets, struct zr_err *e);
/*
 * Appends the chunk at *pos to `data`; moves *pos behind it.  1 read, 0 end (past `version`), -1
 * error; ZR_NOTFOUND when what comes next was swept, ZR_DAMAGED when it is not what was written:
 * the zone itself is sound, and its journal is to be dropped (STORE_JOURNAL_VOID).
 */
int reader_journal_chunk(struct reader *r, int64_t zone, int64_t version, struct journal_pos *pos,
    struct buf *data, uint32_t *rrs, struct zr_err *e);
