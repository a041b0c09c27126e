/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RFC 1982 serial number arithmetic, 32 bit.  At a distance of exactly 2^31 both lt
 * and gt are false (S-03); le and ge are built from lt, gt and equality (S-06).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

static inline bool
serial_lt(uint32_t a, uint32_t b)
{
	return a != b && (uint32_t)(b - a) < UINT32_C(0x80000000);
}

static inline bool
serial_gt(uint32_t a, uint32_t b)
{
	return serial_lt(b, a);
}

static inline bool
serial_le(uint32_t a, uint32_t b)
{
	return a == b || serial_lt(a, b);
}

static inline bool
serial_ge(uint32_t a, uint32_t b)
{
	return a == b || serial_gt(a, b);
}

/* Neither equal nor ordered. */
static inline bool
serial_incomparable(uint32_t a, uint32_t b)
{
	return (uint32_t)(b - a) == UINT32_C(0x80000000);
}
