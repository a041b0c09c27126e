/* SPDX-License-Identifier: BSD-2-Clause */
/* Primaries, zones and a judge of NOTIFYs for its tests. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/notifyin.h"
#include "wire/rr.h"
#include "xfrmsg.h"

#define S ZR_US_PER_S
#define ZONES 4

/* Primaries: 0 "hidden" with a network, 1 "second", 2 of other.test only. */
extern struct primary primary[3];
extern struct zone zone[ZONES];
extern struct notifyin *n;
extern struct notifyin_conf conf;
extern struct zr_mono now;
extern struct buf message;
extern struct notifyin_verdict v;
extern unsigned delegations; /* so often a delegation was looked for */

#define HIDDEN "192.0.2.1@53"
#define SECOND "2001:db8::1@40000"
#define NEAR "198.51.100.77@5"
#define THIRD "192.0.2.3"
#define STRANGER "203.0.113.9"

int notifyrig_setup(void **state);
int notifyrig_teardown(void **state);
/* What is in `message`. */
void judge_raw(const char *from, bool tcp, bool authenticated);
/* A NOTIFY in shorthand ("!query !opcode=4" is put in front). */
void judge(const char *text, uint16_t qtype, const char *from);
