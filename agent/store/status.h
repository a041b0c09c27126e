/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What people ask: zones, peers, transfers.  Through a reader (store/reader.h), so also while the
 * daemon is down.  What a callback is given is borrowed during the call; it must not use the
 * reader; anything but 0 ends the enumeration, which is no error.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "store/reader.h"
#include "store/store.h"

/* 1: *out is the caller's, one block for free(); 0: no such zone; -1. */
int reader_zone(struct reader *r, const uint8_t *name, struct store_zone **out, struct zr_err *e);
/* In octet order of the names. */
int reader_zones(
    struct reader *r, int (*cb)(void *, const struct store_zone *), void *arg, struct zr_err *e);

struct store_primary {
	const char *name, *address; /* address@port */
	bool has_serial;	    /* it has answered once */
	uint32_t serial;
	struct zr_wall seen_at;
	enum zr_code error; /* the last one; past when seen_at is later */
	const char *error_text;
	struct zr_wall error_at;
};
int reader_primaries(struct reader *r, int64_t zone,
    int (*cb)(void *, const struct store_primary *), void *arg, struct zr_err *e);

struct store_downstream {
	const char *name, *target; /* target "": fetched, but never notified */
	bool has_notified, has_acked, has_fetched;
	uint32_t notified_serial, acked_serial, fetched_serial;
	int64_t fetched_version;
	struct zr_wall notified_at, acked_at, fetched_at;
	enum zr_code error; /* of the last NOTIFY that failed */
	const char *error_text;
	struct zr_wall error_at;
};
int reader_downstreams(struct reader *r, int64_t zone,
    int (*cb)(void *, const struct store_downstream *), void *arg, struct zr_err *e);

/* Newest first. */
int reader_transfers(struct reader *r, int64_t zone, int (*cb)(void *, const struct store_log *),
    void *arg, struct zr_err *e);

int reader_outbox(struct reader *r, int64_t zone, int (*cb)(void *, const struct store_notify *),
    void *arg, struct zr_err *e);
