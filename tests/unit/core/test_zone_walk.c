/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Long random walks through the world of zonewalk.c.  Now and then it turns kind, and then
 * everything that was promised must have been done.  ZR_WALK_STEPS and ZR_WALK_SEED repeat or
 * lengthen it.
 */
#include "zonewalk.h"

#include <stdlib.h>

#define STEPS 600000
#define KIND_EVERY 400 /* steps on average */

static uint32_t
choose(void *arg, uint32_t n)
{
	return (uint32_t)rng_below(arg, n);
}

static unsigned long
setting(const char *name, unsigned long otherwise)
{
	const char *s = getenv(name);

	return s != NULL ? strtoul(s, NULL, 0) : otherwise;
}

static void
walk(void **state)
{
	unsigned long steps = setting("ZR_WALK_STEPS", STEPS);
	const struct zonewalk_seen *seen = &zonewalk_seen;
	struct rng rng;

	(void)state;
	rng_seed(&rng, setting("ZR_WALK_SEED", 1));
	zonewalk_begin(choose, &rng);
	for (unsigned long i = 0; i < steps; i++) {
		zonewalk_step();
		if (rng_below(&rng, KIND_EVERY) == 0)
			zonewalk_kind();
	}
	zonewalk_kind();
	/* The walk went everywhere it was meant to. */
	assert_true(seen->expired > 0 && seen->restarts > 0 && seen->power_cuts > 0);
	assert_true(seen->forced_kept > 0 && seen->held > 0 && seen->stale > 0);
	assert_true(seen->aside > steps / 1000);
	assert_true(zonewalk_rig.commits > steps / 100 && zonewalk_rig.probes > steps / 100);
	rig_clear(&zonewalk_rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
