/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hostile world around the zone machine: NOTIFYs, failing primaries, a slow and failing store,
 * crashes, power cuts, operators.  The rig checks after every step.  What happens is chosen by the
 * caller: at random (test_zone_walk) or by a fuzzer (fuzz_zone).  One walk at a time.
 */
#pragma once

#include "zonerig.h"

/* A number below n, n > 0. */
typedef uint32_t (*zonewalk_choose)(void *arg, uint32_t n);

/* How often the walk came to where it should come. */
struct zonewalk_seen {
	unsigned long expired, restarts, power_cuts, forced_kept, held, stale, aside;
};

extern struct rig zonewalk_rig; /* rig_clear() it in the end */
extern struct zonewalk_seen zonewalk_seen;

void zonewalk_begin(zonewalk_choose how, void *arg);
void zonewalk_step(void);
/*
 * Everybody is reachable and has the same, newer version; time passes: then everything that was
 * promised has been done.
 */
void zonewalk_kind(void);
