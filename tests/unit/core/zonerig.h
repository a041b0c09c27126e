/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A world for the zone machine: it carries out the orders the way the main loop does, keeps the
 * store's row, and after every step checks what must always hold.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rand.h"
#include "core/zone.h"

#define RIG_PRIMARIES 3
#define RIG_STORE 64 /* orders on their way to the store */
#define RIG_TRIGGERS 64
#define S ZR_US_PER_S

enum rig_op { OP_NONE, OP_PROBE, OP_FETCH, OP_COMMIT };

/* The row of the zone in the store. */
struct rig_row {
	bool has_data;
	bool recheck; /* not of the row: how it is started */
	uint32_t serial;
	struct zone_soa_times times;
	struct zr_wall checked_at, refresh_at, expire_at;
	enum zone_pending pending;
	uint16_t notifier; /* of a pending force */
	bool authenticated;
	struct zr_wall forced_at;
	int64_t forced_duration_us;
};

/* Something that was asked for and is not answered for yet. */
struct rig_trigger {
	bool open, answered, forced, hinted, authenticated;
	bool low;   /* MARK failed: no promise was made */
	bool asked; /* a query that can answer it was written since */
	uint32_t hint;
	uint16_t seq; /* answer when this MARK is there */
	bool waits;
};

struct rig_store_order {
	struct zone_order o;
	struct zone_soa_times times; /* COMMIT */
	int64_t duration_us;
};

struct rig {
	struct zone z;
	struct zone_policy policy;
	struct primary primary[RIG_PRIMARIES];
	struct primary *list[RIG_PRIMARIES];
	struct zr_now now;
	struct zone_orders out;
	bool queued, slot;
	bool first; /* put at the front of its line */
	enum sched_lane lane;
	enum sched_what what;
	uint16_t asked; /* primary of the last ENQUEUE, PROBE or FETCH */
	uint16_t asked_address;
	enum rig_op op;
	uint32_t attempt;
	bool fetch_ixfr, fetch_forced;
	int64_t armed_us;
	bool expired, gone;
	struct zone_soa_times commit_times; /* of the READY being stored */
	int64_t commit_duration_us;
	struct rig_row row, durable;
	struct rig_store_order store[RIG_STORE];
	unsigned stored, posted;
	struct rig_trigger trigger[RIG_TRIGGERS];
	unsigned probes, fetches, forced_fetches, commits, saves, marks;
};

/* r is zeroed before the first use. */
void rig_init(struct rig *r, unsigned primaries);
void rig_clear(struct rig *r);
void rig_pass(struct rig *r, int64_t us); /* time goes by; the timer is not fired */

void rig_step(struct rig *r, enum zone_event ev, const struct zone_arg *arg);
bool rig_ordered(const struct rig *r, enum zone_order_kind kind);
const struct zone_order *rig_order(const struct rig *r, enum zone_order_kind kind);

/* ---- events ---- */

void rig_start_empty(struct rig *r);
/* Loaded, checked just now. */
void rig_start_loaded(struct rig *r, uint32_t serial, enum zone_pending pending);
void rig_start_row(struct rig *r);
/* hint -1: none */
void rig_notify(struct rig *r, uint16_t primary, int64_t hint);
void rig_notify_axfr(struct rig *r, uint16_t primary, bool authenticated);
void rig_grant(struct rig *r);
void rig_denied(struct rig *r);
void rig_soa(struct rig *r, uint32_t serial);
void rig_soa_fail(struct rig *r, enum zr_code code, bool whole);
void rig_ready(struct rig *r, uint32_t serial, bool diff, bool identical);
void rig_current(struct rig *r, uint32_t serial);
void rig_xfer_fail(struct rig *r, enum zr_code code, bool whole);
void rig_timer(struct rig *r); /* when due */
/* Carries out the next order of the store and reports it; false when there is none. */
bool rig_store(struct rig *r, bool fail);
void rig_store_all(struct rig *r);
/* To the end of what is under way: every primary has `serial`. */
void rig_run(struct rig *r, uint32_t serial);
/* A new process finds the row (durable: after a power cut). */
void rig_restart(struct rig *r, bool power_cut);

extern const struct zone_soa_times rig_times;

/* ---- inside: zonerig_check.c ---- */

void rig_query_written(struct rig *r, bool forced);
void rig_round_ended(struct rig *r, bool forced); /* well */
void rig_round_failed(struct rig *r);
void rig_hints_met(struct rig *r);
void rig_add_trigger(struct rig *r, bool forced, bool authenticated, int64_t hint);
void rig_triggers_marked(struct rig *r, uint16_t seq, bool ok);
void rig_check_state(const struct rig *r);
void rig_check_owed(const struct rig *r);
void rig_check_rows(const struct rig *r);
