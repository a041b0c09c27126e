/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A sum that tells whether octets are still those that were written.  Against accidents, not
 * against malice: whoever chooses the octets can make two with one sum.  Any change within one
 * aligned group of 8 octets is noticed for certain, any other but once in 2^64.  Several octets per
 * nanosecond, the same on every machine.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* `seed` makes the same octets in another place have another sum. */
uint64_t sum_of(const uint8_t *p, size_t n, uint64_t seed);
