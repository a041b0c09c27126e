/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mailboxes: the only way threads meet.  Posting hands the mail over; the poster
 * forgets it.  mbox_post() never blocks and never fails: whoever posts work whose
 * volume a peer decides holds credits (see store.h, STORE_CREDIT_BYTES) and stops
 * reading from the peer when they are used up, so that a box is bounded by construction.
 *
 * With log.c the only locks of the program.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct mail {
	struct mail *next;
	int type; /* meaning is the receiver's */
};

struct mbox;

struct mbox *mbox_new(void);	/* NULL, with errno: no file descriptor left */
void mbox_free(struct mbox *m); /* must be empty */

/* Any thread.  Wakes the reader only when the box was empty. */
void mbox_post(struct mbox *m, struct mail *mail);

/* Owner thread: everything in the box in order of posting, as a list, or NULL. */
struct mail *mbox_take(struct mbox *m);

/* Owner thread: blocks until there is mail, at most timeout_ms (-1 = for ever). */
struct mail *mbox_wait(struct mbox *m, int timeout_ms);

/* Readable when there is mail; for an event loop.  mbox_take() makes it quiet. */
int mbox_fd(const struct mbox *m);

size_t mbox_depth(struct mbox *m); /* any thread; for status and tests */
