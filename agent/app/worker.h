/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A transfer loop: a thread with an event base of its own that carries all TCP.  Main tells it
 * what to do by mail (mail.h) and is told by mail what came of it.  Nothing in it blocks except
 * short reads of the store.
 */
#pragma once

#include "base/err.h"
#include "base/mbox.h"

struct store;
struct worker;

struct worker_conf {
	unsigned index;
	struct store *store;
	struct mbox *main;    /* where reports go */
	const char *database; /* borrowed: outlives the worker */
};

struct worker *worker_start(const struct worker_conf *c, struct zr_err *e);
/* Any thread; ownership of the mail passes. */
void worker_post(struct worker *w, struct mail *m);
/* After MAIL_STOPPED came: joins and frees. */
void worker_free(struct worker *w);
