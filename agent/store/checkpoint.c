/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing the WAL back takes tens of milliseconds for every 16 MiB, most of it fsync: a thread and
 * a handle of its own do it, so that no NOTIFY waits for it and staging goes on meanwhile.
 *
 * The WAL starts anew only when all of it is written back at a moment when nobody writes.  During a
 * large transfer a pass is always behind; so when little is left the store's thread does the
 * rest itself, and at WAL_HARD the stage lane waits until it has come to that.
 */
#include "base/mem.h"
#include "store/store_p.h"

#include <stdlib.h>
#include <string.h>

/* Pages of 4 KiB in the WAL. */
#define WAL_IDLE 512  /* from here on when nobody waits */
#define WAL_BUSY 1024 /* in any case */
#define WAL_REST 128  /* up to this much the store's thread writes itself: about one millisecond */
#define WAL_HARD 8192
/* A pass that readers kept from its end (they are done in milliseconds) is repeated after as many
 * more. */
#define WAL_STEP 1024

struct checkpointer {
	struct mail mail; /* goes to it as the request, comes back as the answer */
	struct aide aide;
	struct mbox *back;
	struct db *db;
	/* the store's thread */
	bool running;
	bool held_by_readers; /* the last pass could not end */
	int not_before;	      /* pages in the WAL */
	/* answer */
	int rc, log, done;
	char text[ZR_ERR_TEXT];
};

static void *
run_passes(void *arg)
{
	struct checkpointer *c = arg;
	bool quit = false;
	struct mail *m;

	while (!quit) {
		for (m = mbox_wait(c->aide.box, -1); m != NULL; m = m->next)
			quit |= m == &c->aide.quit;
		if (quit)
			break;
		c->rc = sqlite3_wal_checkpoint_v2(
		    c->db->sql, NULL, SQLITE_CHECKPOINT_PASSIVE, &c->log, &c->done);
		row_text(c->text, sizeof(c->text), sqlite3_errmsg(c->db->sql));
		c->mail.type = MAIL_CHECKPOINTED;
		mbox_post(c->back, &c->mail);
	}
	return NULL;
}

int
checkpoint_start(struct store *s, struct zr_err *e)
{
	struct checkpointer *c = zr_xcalloc(1, sizeof(*c));

	s->checkpointer = c;
	c->back = s->box;
	if (db_open(&c->db, s->db->path, DB_HELPER, e) < 0)
		return -1;
	return aide_start(&c->aide, run_passes, c, e);
}

void
checkpoint_stop(struct store *s)
{
	struct checkpointer *c = s->checkpointer;

	if (c == NULL)
		return;
	aide_stop(&c->aide);
	db_close(c->db);
	(void)mbox_take(s->box); /* the answer nobody took */
	free(c);
	s->checkpointer = NULL;
}

void
checkpoint_poke(struct store *s, bool idle)
{
	struct checkpointer *c = s->checkpointer;
	int pages = s->db->wal_pages;

	if (c == NULL || c->running || pages < (idle ? WAL_IDLE : WAL_BUSY) ||
	    pages < c->not_before)
		return;
	c->running = true;
	mbox_post(c->aide.box, &c->mail);
}

bool
checkpoint_holds(const struct store *s)
{
	const struct checkpointer *c = s->checkpointer;

	return c != NULL && c->running && !c->held_by_readers && s->db->wal_pages >= WAL_HARD;
}

/* What came to the WAL during the pass.  Nobody writes meanwhile: that is us. */
static void
write_rest(struct store *s)
{
	int log = 0, done = 0;

	if (sqlite3_wal_checkpoint_v2(s->db->sql, NULL, SQLITE_CHECKPOINT_PASSIVE, &log, &done) ==
		SQLITE_OK &&
	    log == done)
		s->db->wal_pages = 0; /* the next transaction starts it anew */
}

void
checkpoint_done(struct store *s)
{
	struct checkpointer *c = s->checkpointer;
	int rest = s->db->wal_pages - c->log;

	c->running = false;
	c->held_by_readers = c->rc != SQLITE_OK || c->log != c->done;
	c->not_before = 0;
	if (c->held_by_readers) {
		c->not_before = s->db->wal_pages + WAL_STEP;
		if (c->rc != SQLITE_OK && (c->rc & 0xff) != SQLITE_BUSY)
			log_event(LOG_LVL_WARN, "store-checkpoint-failed", LS("error", c->text));
		return;
	}
	if (rest >= 0 && rest <= WAL_REST) /* less than 0: it has started anew already */
		write_rest(s);
}
