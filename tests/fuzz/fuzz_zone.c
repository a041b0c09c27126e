/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Input: what happens to a zone, as tests/unit/core/zonewalk.c asks: events in any order at any
 * times.  Its rig checks after every step that orders are well-formed and that nothing is
 * forgotten; in the end the world turns kind, and all that was promised must have been done.
 */
#include "fuzz.h"

#include "choose.h"
#include "zonewalk.h"

#define STEPS_MAX 4000
#define KIND_EVERY 100

static uint32_t
choose(void *arg, uint32_t n)
{
	return choose_below(arg, n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd in;

	setenv("CMOCKA_TEST_ABORT", "1", 1); /* the rig's checks end the process, as ours do */
	rd_init(&in, data, size);
	zonewalk_begin(choose, &in);
	for (unsigned n = 0; n < STEPS_MAX && rd_left(&in) > 0; n++) {
		zonewalk_step();
		if (choose_rarely(&in, KIND_EVERY))
			zonewalk_kind();
	}
	rd_init(&in, NULL, 0);
	zonewalk_kind();
	rig_clear(&zonewalk_rig);
	return 0;
}
