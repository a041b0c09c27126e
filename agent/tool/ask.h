/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NOTIFYs to many targets at the same time, each from a socket of its own that is connected to it,
 * with an ID of its own (N-14).  Blocks until every target has answered or had its time.
 */
#pragma once

#include "base/addr.h"
#include "base/buf.h"
#include "tool/meaning.h"
#include "wire/tsig.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ASK_TRIES_MAX 10

struct ask_conf {
	const uint8_t *zone; /* lower-case wire */
	enum notifyout_kind kind;
	bool has_serial; /* SOA only: the hint (N-07) */
	uint32_t serial;
	bool tcp;	       /* one try, for as long as all tries over UDP would wait */
	struct zr_addr source; /* family 0: let the kernel choose */
	int64_t timeout_us;    /* wait after the first try; doubled with each */
	unsigned tries;
	const struct tsig_key *key; /* NULL: not signed */
};

struct ask_target {
	struct zr_addr addr;
	struct answer answer;
	unsigned tries; /* messages sent */
	int64_t took_us;

	/* of ask.c */
	struct notifyout o;
	struct tsig_txn txn;
	struct buf message; /* with the length in front when over TCP */
	struct buf in;	    /* TCP: what has come */
	size_t sent;	    /* TCP: octets of the message */
	int fd;
	bool over, connected, edns;
	int64_t began_us, due_us;
};

/* `done` (may be NULL) is called for each target when its answer stands. */
void ask_all(struct ask_target *v, size_t n, const struct ask_conf *c,
    void (*done)(void *arg, const struct ask_target *t), void *arg);
