/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Transfer messages in shorthand, for tests: words separated by blanks, flags first.
 *
 *   !rcode=2 !tc !aa=0 !ra !query !opcode=4 !id=9 !noq !twoq !q=other.test. !qtype=252 !ns=1
 *   !opt !expire=60 !keepalive=30 !padding=100 !ede=18 !extrcode=1 !count=+1
 *   --               what follows stands in the authority section
 *   !askexpire !askkeepalive !version=1 !opts=2 !udp=4096 !tsig !qclass=3     for requests
 *   soa=7            apex SOA with serial 7            soa=7/ns2   with another MNAME
 *                                                    soa=7/ns1/boot  and RNAME
 *   soa=7@sub        owner sub.example.org             SOA=7       owner and names in upper case
 *   ns  ns@sub       NS ns1.example.org                a@www=1     A 192.0.2.1
 *   a@www.other.=1   owner as it stands                t65280@www=c00c   any type, RDATA in hex
 *   ch@www           class CH                          ttl@www=60  A 192.0.2.1 with that TTL
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "core/xfrin.h"

#define XFRMSG_ID 4711
#define XFRMSG_ZONE "example.org."

/* Appends one message; qtype stands in the question unless !qtype says otherwise. */
void xfrmsg_build(struct buf *b, const char *text, uint16_t qtype);

/* Appends one record in shorthand; false when the word is none. */
bool xfrmsg_record(struct buf *b, const char *word);

/*
 * A receiver that writes what it gets in the same shorthand: "full=7 soa=7 ns a@www=1",
 * "diff=9 old=7 -a@www=1 new=9 +a@www=2".  fail_at: that call (from 1) returns -1 with fail_code.
 */
struct xfrmsg_sink {
	struct buf text;
	unsigned calls;
	unsigned fail_at;
	enum zr_code fail_code;
};

extern const struct xfrin_ops xfrmsg_ops;

const uint8_t *xfrmsg_zone(uint8_t out[255]);
