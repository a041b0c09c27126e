/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For a file of tests that need one rig each: `r`, fresh for every one of them, with as many
 * primaries as ZONERIG_PRIMARIES says.
 */
#pragma once

#include "zonerig.h"

#ifndef ZONERIG_PRIMARIES
#define ZONERIG_PRIMARIES RIG_PRIMARIES
#endif

static struct rig r;

static int
setup(void **state)
{
	(void)state;
	rig_init(&r, ZONERIG_PRIMARIES);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	rig_clear(&r);
	return 0;
}
