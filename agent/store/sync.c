/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A mark is reported when it is on disk, but nothing else need wait for that: the transaction of a
 * group of marks is written like any other, and a thread of its own syncs the WAL and reports them,
 * while the store's thread goes on, usually with the commit of what the NOTIFY announced.  What
 * comes into the WAL meanwhile is behind the marks; so a power cut still takes the newest first.
 *
 * What the process before this one has written, and not synced, is read from the pages of the
 * system as if it were on disk.  So it is synced at the start: else a NOTIFY whose mark is found in
 * its row would be answered at once, and forgotten with the power.
 *
 * When the WAL starts anew in between, all that was in it has been written back and synced.
 *
 * After a sync that failed the system takes pages for written which are not, and the next sync says
 * nothing of them.  So from then on nothing is durable until the WAL has been written back and
 * synced as a whole: that does not depend on what is on the disk.
 */
#include "base/mem.h"
#include "store/store_p.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct syncer {
	struct aide aide;
	int fd; /* of the WAL, from which SQLite's locks are far */
	atomic_bool broken;
	/* the store's thread */
	bool begun; /* SQLite has synced the file and its folder once */
};

static void
sync_and_report(struct syncer *c, struct mail *list)
{
	struct zr_err e = {0};
	struct mail *next;

	if (fdatasync(c->fd) != 0) {
		zr_fail(&e, ZR_DB, "syncing the write-ahead log failed (%s): check the disk",
		    strerror(errno));
		atomic_store(&c->broken, true);
	}
	for (; list != NULL; list = next) {
		next = list->next;
		order_of(list)->err = e;
		order_report(order_of(list));
	}
}

static void *
run(void *arg)
{
	struct syncer *c = arg;
	struct mail *m, *next;
	struct lane orders;
	bool quit = false;

	while (!quit) {
		lane_init(&orders);
		for (m = mbox_wait(c->aide.box, -1); m != NULL; m = next) {
			next = m->next;
			if (m == &c->aide.quit)
				quit = true;
			else
				lane_put(&orders, m);
		}
		if (orders.head != NULL)
			sync_and_report(c, orders.head);
	}
	return NULL;
}

int
sync_start(struct store *s, struct zr_err *e)
{
	struct syncer *c = zr_xcalloc(1, sizeof(*c));
	char name[4096];

	s->syncer = c;
	atomic_init(&c->broken, false);
	snprintf(name, sizeof(name), "%s-wal", s->db->path);
	c->fd = open(name, O_RDONLY | O_CLOEXEC);
	if (c->fd >= 0 && fdatasync(c->fd) != 0)
		return zr_fail(
		    e, ZR_DB, "syncing %s failed (%s): check the disk", name, strerror(errno));
	return aide_start(&c->aide, run, c, e);
}

void
sync_stop(struct store *s)
{
	struct syncer *c = s->syncer;

	if (c == NULL)
		return;
	aide_stop(&c->aide);
	if (c->fd >= 0)
		close(c->fd);
	free(c);
	s->syncer = NULL;
}

bool
sync_may(const struct store *s)
{
	return s->syncer != NULL && s->syncer->fd >= 0 && s->syncer->begun;
}

void
sync_begun(struct store *s)
{
	if (s->syncer != NULL)
		s->syncer->begun = true;
}

void
sync_post(struct store *s, struct store_order *o)
{
	mbox_post(s->syncer->aide.box, &o->mail);
}

int
sync_mend(struct store *s, struct zr_err *e)
{
	struct syncer *c = s->syncer;
	int log = 0, done = -1;

	if (c == NULL || !atomic_load(&c->broken))
		return 0;
	if (sqlite3_wal_checkpoint_v2(s->db->sql, NULL, SQLITE_CHECKPOINT_PASSIVE, &log, &done) !=
		SQLITE_OK ||
	    log != done)
		return zr_fail(e, ZR_DB,
		    "%s: the disk failed to sync what was written, and it could not be written "
		    "anew: check the disk",
		    s->db->path);
	atomic_store(&c->broken, false);
	return 0;
}
