/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP framing (RFC 1035 section 4.2.2): octets in, complete messages out.  Owned by the connection.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct frame {
	uint8_t *data; /* grows up to 2 + 65535 octets */
	size_t len;
	size_t cap;
};

/* Called with each complete message (borrowed).  Nonzero stops feeding and is returned. */
typedef int (*frame_sink)(void *arg, const uint8_t *msg, size_t len);

void frame_init(struct frame *f);
void frame_clear(struct frame *f);
/*
 * Feeds octets that arrived in any pieces (T-14).  Whole messages inside `p` are handed out without
 * a copy.  Returns 0, or what the sink returned: then *used tells how many octets of p were eaten
 * (the message the sink stopped at included) and the rest may be fed later.  -1: out of memory.
 */
int frame_feed(
    struct frame *f, const uint8_t *p, size_t n, size_t *used, frame_sink sink, void *arg);
size_t frame_partial(const struct frame *f); /* octets of an unfinished message */
