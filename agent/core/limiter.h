/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Token buckets per source address in a table of fixed size: IPv4 by /32, IPv6 by /64.
 * Buckets that are full again carry no information and are the first to be replaced, then the
 * one that will be full soonest, among the few places an address may take.  So spoofed
 * sources cost no memory, and can at worst push out each other.  Pure; one owner thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/clock.h"
#include "core/bucket.h"

struct limiter;

/* places: sources remembered, rounded up to a power of two. */
struct limiter *limiter_new(struct bucket_rate rate, size_t places);
void limiter_free(struct limiter *l);
void limiter_set_rate(struct limiter *l, struct bucket_rate rate);
bool limiter_take(struct limiter *l, const struct zr_addr *source, struct zr_mono now);
/* Takes one, and owes cost - 1 more when there was one: what comes next waits for longer. */
bool limiter_take_cost(
    struct limiter *l, const struct zr_addr *source, uint32_t cost, struct zr_mono now);
/* One, for whoever bears this name. */
bool limiter_take_key(struct limiter *l, const void *name, size_t len, struct zr_mono now);
size_t limiter_bytes(const struct limiter *l);
