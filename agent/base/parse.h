/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbers with units.  Durations: "300s" "5m" "2h" "1d" "4w" "250ms", also combined
 * from large to small ("1h30m"); a bare number is seconds.  Sizes: "512", "512B",
 * "64KiB", "2GiB", "1TiB"; K M G T mean the same powers of 1024.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool parse_u64(const char *text, uint64_t *out); /* decimal, whole string */
bool parse_duration(const char *text, int64_t *us);
bool parse_size(const char *text, uint64_t *bytes);
bool parse_bool(const char *text, bool *out); /* yes no true false on off */

#define PARSE_TEXT_MAX 32
const char *duration_text(int64_t us, char out[PARSE_TEXT_MAX]); /* "1h30m", "250ms", "0s" */
const char *size_text(uint64_t bytes, char out[PARSE_TEXT_MAX]); /* "2GiB", "1.5MiB", "512B" */
