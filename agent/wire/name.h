/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Domain names in uncompressed wire form, case preserved: a run of labels ending in the
 * root label, at most 255 octets (RFC 1035 section 2.3.4).  "Trusted" names have been
 * through name_check(), name_from_text() or the message walker.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAME_MAX_LEN 255
#define NAME_TEXT_MAX 1024 /* every octet as \DDD, dots, NUL */
#define NAME_KEY_MAX 520   /* sort key: every octet may take two, plus terminators */

/* Length in octets of the name at p, or 0 when it is not a whole uncompressed name. */
size_t name_check(const uint8_t *p, size_t avail);
size_t name_len(const uint8_t *name);	   /* trusted */
unsigned name_labels(const uint8_t *name); /* without the root */

/*
 * Text with RFC 1035 escapes; a missing final dot is accepted.  Octets that are not printable
 * ASCII, and ( ) ; ", must be escaped.  Returns the length or 0.
 */
size_t name_from_text(const char *text, uint8_t out[NAME_MAX_LEN]);
/* With the final dot; "." for the root.  Non-printing octets and . \ ( ) ; @ $ " are escaped. */
const char *name_text(const uint8_t *name, char out[NAME_TEXT_MAX]);
/* The same without the final dot, except for the root: for people. */
const char *name_show(const uint8_t *name, char out[NAME_TEXT_MAX]);

void name_lower(uint8_t *out, const uint8_t *name);  /* copies; out may be name */
bool name_equal(const uint8_t *a, const uint8_t *b); /* case-insensitive */
bool name_equal_case(const uint8_t *a, const uint8_t *b);
bool name_within(const uint8_t *name, const uint8_t *apex); /* equal to or below apex */
/* Canonical order, RFC 4034 section 6.1: <0, 0, >0. */
int name_cmp(const uint8_t *a, const uint8_t *b);

/*
 * The owner part of a sort key: memcmp() of two keys gives the canonical order of two
 * names below the same apex.  Labels from the one next to the apex downward, lower case,
 * octet 0 as 01 01 and octet 1 as 01 02, each label ended by 00; a final 00 ends the key.
 * `name` must be within `apex`.  Returns the length.
 */
size_t name_key(const uint8_t *name, const uint8_t *apex, uint8_t out[NAME_KEY_MAX]);
