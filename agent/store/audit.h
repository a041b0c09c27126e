/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading the store to find out whether it is sound, beside the daemon that writes it: a read-only
 * handle, on which every call but audit_file() and audit_strays() is a short transaction.  What a
 * call gives is what stands in the file, judged by nobody; so it may be anything.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "wire/rr.h"
#include "wire/segment.h"

struct audit;

/* -1: ZR_DAMAGED when the file is damaged or no database, else ZR_DB. */
int audit_open(struct audit **out, const char *path, struct zr_err *e);
void audit_close(struct audit *a); /* NULL is fine */

/*
 * The file as SQLite sees it: its trees, and then (unless `quick`) that indexes and rows agree.
 * Each fault goes to the callback; at most 20.  -1: it could not be read to the end.
 */
int audit_file(
    struct audit *a, bool quick, void (*cb)(void *, const char *), void *arg, struct zr_err *e);

/* Rows that refer to no zone, by table, and octets that belong to no row. */
int audit_strays(struct audit *a, void (*cb)(void *, const char *table, int64_t rows), void *arg,
    struct zr_err *e);

/* From begin to end all calls see one state of the file, and the WAL cannot start anew. */
int audit_begin(struct audit *a, struct zr_err *e);
void audit_end(struct audit *a);

#define AUDIT_SOA_MAX 530 /* two names and five numbers */

struct audit_zone {
	int64_t id, version;
	uint8_t name[255]; /* wire, lower case */
	size_t name_len;
	bool has_data;
	uint32_t serial, soa_ttl;
	uint8_t soa[AUDIT_SOA_MAX]; /* RDATA */
	size_t soa_len;		    /* 0: none, or too long to be one */
	uint8_t digest[SEGMENT_DIGEST];
	int64_t segments, records, octets;
	int64_t journal_from, journal_steps, journal_octets;
};

int audit_zone_count(struct audit *a, int64_t *n, struct zr_err *e);
/* The first zone behind this name (length 0: of all); `name` may be that in *out.  1, 0, -1. */
int audit_zone_next(
    struct audit *a, const uint8_t *name, size_t len, struct audit_zone *out, struct zr_err *e);
int audit_zone(
    struct audit *a, const uint8_t *name, size_t len, struct audit_zone *out, struct zr_err *e);

struct audit_segment {
	int64_t id, born;
	size_t key_len;
	uint8_t key[RR_KEY_MAX];
	uint8_t digest[SEGMENT_DIGEST];
	int64_t rrs, octets;
};

/* The first segment of the version behind this key (length 0: of all).  1, 0, -1. */
int audit_segment_next(struct audit *a, int64_t zone, int64_t version, const uint8_t *key,
    size_t key_len, struct audit_segment *out, struct zr_err *e);

/*
 * The octets of a segment or a chunk (key length 0), into an empty buffer.  1, 0 not there, -1.
 */
struct audit_octets {
	bool owned;  /* they say of themselves that they belong to it */
	bool intact; /* they have the sum that is noted, or none is */
};
int audit_content(struct audit *a, int64_t id, int64_t zone, const uint8_t *key, size_t key_len,
    int64_t born, struct buf *data, struct audit_octets *out, struct zr_err *e);

struct audit_chunk {
	int64_t version, step, part, chunk; /* its place */
	int64_t id;
	uint32_t from_serial, to_serial;
	int64_t rrs, octets;
};

/* The last chunk before the place in *at that is of version `from` or later, into *at.  1, 0, -1.
 */
int audit_chunk_before(
    struct audit *a, int64_t zone, int64_t from, struct audit_chunk *at, struct zr_err *e);
