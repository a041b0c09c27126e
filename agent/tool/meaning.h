/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What came back for a NOTIFY, and what that means for the server it was sent to (A-12, N-14, N-20,
 * NT-06, PL-13).  Pure.
 */
#pragma once

#include "base/buf.h"
#include "core/notifyout.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum answer_kind {
	ANSWER_NONE,	     /* no answer in time */
	ANSWER_ACKNOWLEDGED, /* NOERROR */
	ANSWER_UNSUPPORTED,  /* it does not know this kind of NOTIFY, or none */
	ANSWER_REFUSED,	     /* REFUSED, NOTAUTH, NXDOMAIN: configuration, there or here */
	ANSWER_FAILED,	     /* any other RCODE */
	ANSWER_ZONE_DATA,    /* it took it for a query and sends the zone */
	ANSWER_ODD,	     /* something that is no answer to this NOTIFY; text says what */
	ANSWER_UNREACHABLE,  /* text has the error of the system */
	ANSWER_UNPROVED,     /* its signature is missing or wrong; text says what */
	ANSWER_KIND_COUNT
};

/* "no-answer", "acknowledged", ...: stable names. */
extern const char *const answer_kind_names[ANSWER_KIND_COUNT];

#define ANSWER_TEXT 160

struct answer {
	enum answer_kind kind;
	bool has_rcode, has_ede;
	bool opt; /* it had OPT: the server knows EDNS */
	uint16_t rcode, ede;
	char text[ANSWER_TEXT];	    /* ODD, UNREACHABLE, UNPROVED */
	char ede_text[ANSWER_TEXT]; /* of the peer: not trusted; cut */
};

/*
 * Looks at a message from the target.  False: it is not the answer to the NOTIFY `o` (which is in
 * state SENT), go on waiting.  True with *a filled.
 */
bool answer_read(struct answer *a, const struct notifyout *o, const uint8_t *zone,
    const uint8_t *data, size_t len);

/* One word or two for a column: "NOERROR", "no answer". */
const char *answer_word(const struct answer *a);

/* A sentence: what it means, and what to do.  `zone` for people; tcp: how it was sent. */
void answer_meaning(
    const struct answer *a, enum notifyout_kind kind, bool tcp, const char *zone, struct buf *out);
