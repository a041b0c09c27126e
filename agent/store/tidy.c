/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Work nobody ordered, done in small transactions between the groups: pieces of versions that
 * were given up, dead segments of an earlier run, zones removed long ago.  Opening
 * only makes notes of it, however much it is.
 */
#include "base/log.h"
#include "base/mem.h"
#include "store/store_p.h"

#include <stdlib.h>

#define RETRY_US (2 * ZR_US_PER_S)    /* after a failure, usually a full disk */
#define PURGE_US (3600 * ZR_US_PER_S) /* between looks for zones removed long ago */

enum chore_kind { CHORE_GIVEN_UP, CHORE_DEAD, CHORE_REMOVED };

struct chore {
	struct chore *next;
	enum chore_kind kind;
	int64_t zone;
	int64_t version; /* GIVEN_UP: which; DEAD: what to keep */
	struct key_cursor cursor;
};

static struct chore *
chore_new(enum chore_kind kind, int64_t zone, int64_t version)
{
	struct chore *c = zr_xcalloc(1, sizeof(*c));

	c->kind = kind;
	c->zone = zone;
	c->version = version;
	return c;
}

static void
add(struct store *s, enum chore_kind kind, int64_t zone, int64_t version)
{
	struct chore *c = chore_new(kind, zone, version);

	*s->chores_tail = c;
	s->chores_tail = &c->next;
}

static void
drop_first(struct store *s)
{
	struct chore *c = s->chores;

	s->chores = c->next;
	if (s->chores == NULL)
		s->chores_tail = &s->chores;
	free(c->cursor.key);
	free(c);
}

static int
note_rows(struct store *s, enum sql_id id, enum chore_kind kind, struct zr_err *e)
{
	struct q q;
	int rc;

	q_open(&q, s->db, id);
	while ((rc = q_step(&q, e)) > 0)
		add(s, kind, q_col(&q, 0), q_col(&q, 1));
	q_close(&q);
	return rc;
}

/* Nothing is being read yet: whatever has died is dead for all.  Writes nothing. */
int
tidy_open(struct store *s, struct zr_err *e)
{
	s->chores_tail = &s->chores;
	if (note_rows(s, SQL_STAGING_EACH, CHORE_GIVEN_UP, e) < 0)
		return -1;
	return note_rows(s, SQL_SWEEP_EACH, CHORE_DEAD, e);
}

void
tidy_close(struct store *s)
{
	while (s->chores != NULL)
		drop_first(s);
}

/* These go first: a transfer may wait for them. */
void
tidy_give_up(struct store *s, int64_t zone, int64_t version)
{
	struct chore *c;

	if (tidy_given_up(s, zone))
		return;
	c = chore_new(CHORE_GIVEN_UP, zone, version);
	c->next = s->chores;
	if (s->chores == NULL)
		s->chores_tail = &c->next;
	s->chores = c;
}

bool
tidy_given_up(const struct store *s, int64_t zone)
{
	for (const struct chore *c = s->chores; c != NULL && c->kind == CHORE_GIVEN_UP; c = c->next)
		if (c->zone == zone)
			return true;
	return false;
}

/* A commit may have finished it already, and the version may be a living one now. */
static int
given_up_slice(struct store *s, struct chore *c, unsigned *budget, struct zr_err *e)
{
	struct tally t;
	int rc = stage_tally(s, c->zone, &t, e);

	if (rc <= 0)
		return rc;
	if (t.version != c->version)
		return 0;
	return sweep_staged(s, c->zone, c->version, &c->cursor, budget, e);
}

static int
run_chore(struct store *s, struct chore *c, unsigned *budget, struct zr_err *e)
{
	int rc;

	switch (c->kind) {
	case CHORE_GIVEN_UP:
		return given_up_slice(s, c, budget, e);
	case CHORE_REMOVED:
		return sweep_removed(s, c->zone, budget, e);
	case CHORE_DEAD:
		break;
	}
	rc = sweep_dead(s, c->zone, c->version, budget, e);
	return rc < 0 && e->code == ZR_NOTFOUND ? 0 : rc; /* removed meanwhile */
}

/*
 * One transaction over as many chores as the budget allows.  They leave the list when it has
 * been committed.  The number done, or -1 with the zone of the one that failed.
 */
static int
slice(struct store *s, int64_t *failed, struct zr_err *e)
{
	struct chore *c = s->chores;
	unsigned budget = SWEEP_ROWS;
	int done = 0, rc = 0;

	*failed = c->zone;
	if (db_begin(s->db, false, e) < 0)
		return -1;
	for (; c != NULL && budget > 0 && rc == 0; c = c->next) {
		*failed = c->zone;
		rc = run_chore(s, c, &budget, e);
		done += rc == 0;
		if (rc != 0)
			break;
	}
	if (rc >= 0 && db_commit(s->db, e) == 0)
		return done;
	db_rollback(s->db);
	for (c = s->chores; c != NULL; c = c->next) { /* what they had passed is back */
		free(c->cursor.key);
		c->cursor = (struct key_cursor){0};
	}
	return -1;
}

/* One zone at a time: the next one is found when its rows are gone. */
static int
find_removed(struct store *s, struct zr_now now, struct zr_err *e)
{
	int64_t zone = 0;
	struct q q;
	int rc;

	q_open(&q, s->db, SQL_PURGE_FIND);
	q_int(&q, ":before", now.wall.us - STORE_REMOVED_KEEP_S * ZR_US_PER_S);
	rc = q_value(&q, &zone, e);
	if (rc > 0)
		add(s, CHORE_REMOVED, zone, 0);
	else
		s->purge_at.us = now.mono.us + PURGE_US;
	return rc < 0 ? -1 : 0;
}

bool
tidy_step(struct store *s, int64_t *failed, struct zr_err *e)
{
	struct zr_now now = clock_now();
	int rc;

	*failed = 0;
	if (s->chores_at.us > now.mono.us)
		return false;
	if (s->chores == NULL && s->purge_at.us <= now.mono.us && find_removed(s, now, e) < 0)
		goto failed;
	if (s->chores == NULL)
		return false;
	rc = slice(s, failed, e);
	if (rc >= 0) {
		*failed = 0;
		while (rc-- > 0)
			drop_first(s);
		return true;
	}
failed:
	s->chores_at.us = now.mono.us + RETRY_US;
	log_event(LOG_LVL_WARN, "store-tidy-failed", LS("error", e->text));
	return false;
}

int
tidy_wait_ms(const struct store *s)
{
	int64_t at = s->chores != NULL ? s->chores_at.us : s->purge_at.us;
	int64_t left = at - clock_now().mono.us;

	if (left <= 0)
		return 0;
	return (int)(left / ZR_US_PER_MS) + 1;
}
