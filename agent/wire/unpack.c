/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A segment is read by the decoder of messages: its octets are put behind the header and the
 * question that they were packed for, once for each segment.
 */
#include "base/mem.h"
#include "wire/msg.h"
#include "wire/name.h"
#include "wire/segment.h"

#include <stdlib.h>
#include <string.h>

#define QUESTION_TAIL 4 /* type and class */

struct unpacker {
	size_t base;
	size_t len; /* of msg */
	size_t pos;
	bool bad; /* too long to be a segment */
	struct owner_memo memo;
	uint8_t owner[NAME_MAX_LEN];
	uint8_t msg[MSG_MAX];
	uint8_t rdata[MSG_MAX + 2 * NAME_MAX_LEN + 2];
};

struct unpacker *
unpacker_new(const uint8_t *apex)
{
	struct unpacker *u = zr_xmalloc(sizeof(*u));
	size_t n = name_len(apex);

	u->base = MSG_HEADER + n + QUESTION_TAIL;
	memset(u->msg, 0, u->base);
	memcpy(u->msg + MSG_HEADER, apex, n);
	unpacker_start(u, NULL, 0);
	return u;
}

void
unpacker_free(struct unpacker *u)
{
	free(u);
}

void
unpacker_start(struct unpacker *u, const uint8_t *data, size_t len)
{
	u->bad = len > sizeof(u->msg) - u->base;
	u->pos = u->base;
	u->len = u->base;
	u->memo = (struct owner_memo){0};
	if (u->bad || len == 0)
		return;
	memcpy(u->msg + u->base, data, len);
	u->len = u->base + len;
}

int
unpacker_next(struct unpacker *u, struct rr *rr, struct zr_err *e)
{
	if (u->bad)
		return zr_fail(e, ZR_FORMERR, "a segment is longer than a message");
	if (u->pos >= u->len)
		return 0;
	if (msg_rr_next(u->msg, u->len, &u->pos, rr, u->owner, u->rdata, &u->memo, e) != 0) {
		u->pos = u->len;
		return zr_fail_in(e, "segment");
	}
	return 1;
}
