/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `verify`: is what the database holds of a zone sound?  The zone is read piece by piece while the
 * daemon goes on; when it has moved on meanwhile, what was found is forgotten and it is read again.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "store/audit.h"
#include "tool/tool.h"
#include "wire/rr.h"

#include <stdbool.h>
#include <stdint.h>

#define VERIFY_FAULTS 20 /* shown of one zone, or of the file */

struct verify_counts {
	uint64_t zones, segments, records, octets, steps, again;
};

struct verify {
	struct tool *t;
	struct audit *audit;
	int64_t began_us; /* monotonic */
	int64_t shown_us; /* when the line of progress was written last; 0: there is none */
	size_t shown;	  /* its characters */
	uint64_t zone_number, zone_count;
	struct verify_counts counts; /* of zones that are done */
	uint64_t faults;	     /* all */
	struct buf json;	     /* "faults" so far */

	/* the zone being read */
	const struct audit_zone *zone; /* NULL: the file */
	char zone_text[1024];
	bool pinned; /* in one transaction: it cannot move on */
	bool moved;  /* it did: stop reading */
	struct verify_counts now;
	struct {
		char where[160], what[ZR_ERR_TEXT + 64];
	} found[VERIFY_FAULTS];
	unsigned found_count; /* also those that are not kept */
};

/*
 * Notes a fault of the zone, or finds that the zone has moved on since and sets `moved`.  Both
 * texts are for people; `where` is a place in the zone, "" for all of it.
 */
void verify_fault(struct verify *v, const char *where, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Shows how far it is when somebody watches. */
void verify_progress(struct verify *v, uint64_t done, uint64_t total);

/* verify_zone.c: v->zone with its journal.  -1: nothing more can be read. */
int verify_zone(struct verify *v, struct zr_err *e);

/* ---- verify_journal.c: the journal against the content ---- */

struct vjournal;

/*
 * Reads the journal of v->zone from its end to its beginning.  *out is NULL when there is none, or
 * none that could be compared with the content.
 */
int vjournal_read(struct verify *v, struct vjournal **out, struct zr_err *e);
void vjournal_free(struct vjournal *j); /* NULL is fine */
/* Every record of the content, in zone order; then the end. */
int vjournal_record(struct vjournal *j, const struct rr *rr, struct zr_err *e);
int vjournal_end(struct vjournal *j, struct zr_err *e);
