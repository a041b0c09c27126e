/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The input of a fuzz target as a run of decisions.  At its end every decision is 0, so that the
 * shortest input is the simplest course.
 */
#pragma once

#include "base/buf.h"

/* A number below n, n > 0; takes as few octets as will do. */
static inline uint32_t
choose_below(struct rd *in, uint32_t n)
{
	if (n <= 256)
		return rd_left(in) >= 1 ? rd_u8(in) % n : 0;
	if (n <= 65536)
		return rd_left(in) >= 2 ? rd_u16(in) % n : 0;
	return rd_left(in) >= 4 ? rd_u32(in) % n : 0;
}

/* Once in n times, and not at the end of the input. */
static inline bool
choose_rarely(struct rd *in, uint32_t n)
{
	return choose_below(in, n) == n - 1;
}
