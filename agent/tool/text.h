/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Values for people: spans, sizes, points in time; and peers' texts made harmless for a
 * terminal.  Pure; time is a parameter (microseconds since 1970).
 */
#pragma once

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

#define TEXT_MAX 64

/* The two largest units: "3d2h", "4m12s", "1.5s" "250ms", "<1ms", "0s".  Negative as positive. */
const char *text_span(int64_t us, char out[TEXT_MAX]);
/* "512 B", "14.2 MiB". */
const char *text_size(uint64_t octets, char out[TEXT_MAX]);
/* "3m12s ago", "in 4m12s", "now"; "-" for 0. */
const char *text_ago(int64_t at, int64_t now, char out[TEXT_MAX]);
/* "2026-11-21T07:03:11Z (in 4m12s)"; "-" for 0. */
const char *text_when(int64_t at, int64_t now, char out[TEXT_MAX]);
/* Appends s with everything but printing ASCII as '?'; NULL is "". */
void text_clean(struct buf *out, const char *s);
