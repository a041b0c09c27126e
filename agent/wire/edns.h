/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading the OPT record (RFC 6891).  Private to this room: msg_parse() is the door.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "wire/msg.h"

/*
 * Fills *o from an OPT record whose fixed part (type, class, TTL, RDLENGTH) stands at `fixed`;
 * the caller has seen that RDLENGTH octets follow.  Which option lengths are legal depends on
 * the direction.
 */
void edns_parse(struct edns *o, const uint8_t *fixed, bool response);
