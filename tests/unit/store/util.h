/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of the store share: a database in a folder of its own, orders carried out one by
 * one. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mbox.h"
#include "store/reader.h"
#include "store/store.h"

struct fx {
	char dir[64];
	char path[80];
	struct store *s;
	struct mbox *reply;
	struct reader *r;
};

/* A fresh folder; nothing open. */
void fx_init(struct fx *b);
void fx_init_in(struct fx *b, const char *parent);
/* Store (started) and reader. */
void fx_open(struct fx *b);
void fx_close(struct fx *b);
/* Closes, removes the folder. */
void fx_clear(struct fx *b);

/* Posts and waits for the answer. */
struct store_order *fx_run(struct fx *b, struct store_order *o);
void fx_post(struct fx *b, struct store_order *o);
struct store_order *fx_wait(struct fx *b);
/* Runs, asserts success, frees. */
void fx_ok(struct fx *b, struct store_order *o);
/* A STORE_OUTBOX_ADD of these rows was carried out: the ids go to id[], which has room for n. */
void fx_owe(struct fx *b, int64_t zone, const struct store_notify *v, size_t n, int64_t *id);
/* Runs, asserts this failure, frees. */
void fx_fails(struct fx *b, struct store_order *o, enum zr_code code);

/* Waits until nothing is left to tidy up. */
void fx_tidied(struct fx *b);

/* A zone "<label>.example." */
int64_t fx_zone(struct fx *b, const char *label);
struct store_zone *fx_zone_row(struct fx *b, const char *label); /* free() */

/*
 * Content.  A segment has a key of two octets and data made of key and `salt`; its digest
 * follows from the data.
 */
void fx_segment(struct stage_batch *b, unsigned key, unsigned salt, size_t len);
void fx_digest(unsigned key, unsigned salt, size_t len, uint8_t out[SEGMENT_DIGEST]);

/* A version being made: keeps what the commit must say. */
struct version {
	int64_t zone, version;
	uint32_t serial, old_serial;
	uint64_t segments;
	uint8_t digest[SEGMENT_DIGEST];
	struct stage_batch *batch;
};
void fx_version(struct fx *b, struct version *v, const char *label, uint32_t serial);
void fx_put(struct version *v, unsigned key, unsigned salt, size_t len);
void fx_kill(struct fx *b, struct version *v, unsigned key, unsigned salt, size_t len);
void fx_step(struct version *v, uint32_t step, uint32_t from, uint32_t to, unsigned chunks);
/* The batch as a STAGE order; a new one is begun. */
struct store_order *fx_stage(struct version *v);
/* The rest as a COMMIT order. */
struct store_order *fx_commit(struct version *v);

/* The visible segments of a version as text: "key:salt key:salt ". */
const char *fx_list(struct fx *b, int64_t zone, int64_t version);
/* First column of the first row; SQL of the tests alone. */
int64_t fx_sql(struct fx *b, const char *sql);

/* Everything that must hold in any state of the file: the number of faults, printed. */
unsigned fx_check(const char *path);

/* A version of the segments given as "key key ...", all of salt 1 and 100 octets. */
void fx_load(struct fx *b, const char *label, uint32_t serial, const char *keys);

/* For cmocka: *state is a struct fx with everything open; afterwards the file is checked. */
int fx_setup(void **state);
int fx_teardown(void **state);
#define FX_TEST(name) cmocka_unit_test_setup_teardown(name, fx_setup, fx_teardown)
