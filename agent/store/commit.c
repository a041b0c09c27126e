/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The flip: everything that makes a version the current one, in the transaction of its group.  The
 * content was staged before or comes with the order; what is staged must add up to
 * what the order says, so that a lost or doubled piece never becomes visible.
 */
#include "base/buf.h"
#include "base/serial.h"
#include "store/store_p.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* A row costs a whole-zone answer where a difference would do, no more; so few are enough. */
#define AMBIGUOUS_MAX 64
#define AMBIGUOUS_KEEP_S (366 * 86400) /* SOAs may say 136 years */

static int
mismatch(const struct store_commit *c, const struct zone_base *now, struct zr_err *e)
{
	if ((int64_t)c->segments != now->segments)
		return zr_fail(e, ZR_INTERNAL,
		    "version %lld should have %llu segments, what is staged makes %lld",
		    (long long)c->version, (unsigned long long)c->segments,
		    (long long)now->segments);
	if (memcmp(c->digest, now->digest, SEGMENT_DIGEST) != 0)
		return zr_fail(e, ZR_INTERNAL,
		    "the digest of version %lld is not that of its segments",
		    (long long)c->version);
	return 0;
}

/* The sums of the old version become those of the new one. */
static void
add_tally(struct zone_base *z, const struct tally *t)
{
	z->segments += t->segments;
	z->records += t->records;
	z->octets += t->octets;
	digest_add(z->digest, t->digest);
}

/* What was staged, the rest of the content, the check. */
static int
take_content(
    struct store *s, struct store_order *o, struct zone_base *z, struct tally *t, struct zr_err *e)
{
	struct store_commit *c = &o->commit;
	struct key_cursor cursor = {0};
	unsigned all = UINT_MAX;
	int rc;

	rc = stage_tally(s, o->zone_id, t, e);
	if (rc > 0 && tidy_given_up(s, o->zone_id)) {
		/* An earlier attempt is not yet gone: rare, so all at once. */
		rc = sweep_staged(s, o->zone_id, t->version, &cursor, &all, e);
		free(cursor.key);
		memset(t, 0, sizeof(*t));
	}
	if (rc < 0)
		return -1;
	if (c->batch != NULL && stage_apply(s, o->zone_id, c->version, c->batch, t, e) < 0)
		return -1;
	add_tally(z, t);
	if (mismatch(c, z, e) < 0)
		return -1;
	return run_zone(s->db, SQL_STAGING_REMOVE, o->zone_id, e);
}

/* Makes the steps of the oldest version void. */
static int
drop_oldest(struct store *s, int64_t zone, struct zone_base *z, struct zr_err *e)
{
	struct q q;
	int rc;

	q_open(&q, s->db, SQL_JOURNAL_SIZE);
	q_int(&q, ":zone", zone);
	q_int(&q, ":version", z->journal_from);
	rc = q_step(&q, e);
	if (rc > 0) {
		z->journal_steps -= q_col(&q, 0);
		z->journal_octets -= q_col(&q, 1);
	}
	q_close(&q);
	z->journal_from++;
	return rc < 0 ? -1 : 0;
}

/*
 * Steps are never removed here, only made void: an IXFR may be reading them (STORE_SWEEP).  Whole
 * versions go, the oldest first; the newest stays however many steps it has, but not with more
 * octets than the limit: then the zone itself is cheaper to send (I-22).
 */
static int
trim_journal(struct store *s, struct store_order *o, struct zone_base *z, const struct tally *t,
    struct zr_err *e)
{
	const struct store_commit *c = &o->commit;

	if (c->drop_journal || t->journal_steps == 0 || c->journal_max_steps == 0 ||
	    (uint64_t)t->journal_octets > c->journal_max_octets) {
		z->journal_from = c->version + 1;
		z->journal_steps = z->journal_octets = 0;
		return 0;
	}
	z->journal_steps += t->journal_steps;
	z->journal_octets += t->journal_octets;
	while (z->journal_from < c->version &&
	       (z->journal_steps > (int64_t)c->journal_max_steps ||
		   (uint64_t)z->journal_octets > c->journal_max_octets))
		if (drop_oldest(s, o->zone_id, z, e) < 0)
			return -1;
	return 0;
}

static int
flip(struct store *s, const struct store_order *o, const struct zone_base *z, struct zr_err *e)
{
	const struct store_commit *c = &o->commit;
	struct q q;

	q_open(&q, s->db, SQL_ZONE_FLIP);
	q_int(&q, ":zone", o->zone_id);
	q_int(&q, ":version", c->version);
	q_int(&q, ":serial", c->serial);
	q_int(&q, ":soa_ttl", c->soa_ttl);
	q_blob(&q, ":soa", c->soa, c->soa_len);
	q_blob(&q, ":soa_owner", c->soa_owner, row_name_len(c->soa_owner, 255));
	q_digest(&q, ":digest", z->digest);
	q_int(&q, ":segments", z->segments);
	q_int(&q, ":records", z->records);
	q_int(&q, ":octets", z->octets);
	q_int(&q, ":journal_from", z->journal_from);
	q_int(&q, ":journal_steps", z->journal_steps);
	q_int(&q, ":journal_octets", z->journal_octets);
	q_time(&q, ":loaded_at", c->loaded_at);
	q_time(&q, ":checked_at", c->checked_at);
	q_time(&q, ":refresh_at", c->refresh_at);
	q_time(&q, ":expire_at", c->expire_at);
	if (q_run(&q, e) < 0)
		return -1;
	if (sqlite3_changes(s->db->sql) != 1)
		return zr_fail(e, ZR_INTERNAL, "zone %lld was not flipped", (long long)o->zone_id);
	return 0;
}

static int
put_ambiguous(struct store *s, const struct store_order *o, uint32_t low, uint32_t high,
    int64_t until, struct zr_err *e)
{
	struct q q;

	q_open(&q, s->db, SQL_AMBIGUOUS_ADD);
	q_int(&q, ":zone", o->zone_id);
	q_int(&q, ":low", low);
	q_int(&q, ":high", high);
	q_int(&q, ":until", until);
	q_int(&q, ":version", o->commit.version);
	return q_run(&q, e);
}

/*
 * Under which serials may a downstream hold content that our journal does not start from (A-10
 * (2))? With an equal serial that one; when the serial went back from a to b, all from b up to a,
 * for they may all come again.
 */
static int
add_ambiguous(struct store *s, const struct store_order *o, int64_t until, struct zr_err *e)
{
	const struct store_commit *c = &o->commit;
	uint32_t low = serial_gt(c->serial, c->old_serial) ? c->old_serial : c->serial;
	int64_t count = 0;
	struct q q;

	if (put_ambiguous(s, o, low, c->old_serial, 0, e) < 0)
		return -1;
	q_open(&q, s->db, SQL_AMBIGUOUS_COUNT);
	q_int(&q, ":zone", o->zone_id);
	if (q_value(&q, &count, e) < 0)
		return -1;
	if (count <= AMBIGUOUS_MAX)
		return 0;
	/* A primary that plays games: for a while every serial is, and ours as before. */
	if (run_zone(s->db, SQL_AMBIGUOUS_CLEAR, o->zone_id, e) < 0 ||
	    put_ambiguous(s, o, low, c->old_serial, 0, e) < 0)
		return -1;
	return put_ambiguous(s, o, 0, UINT32_MAX, until, e);
}

/* A serial stays ambiguous while it is ours, and then until who still has it must have expired. */
static int
age_ambiguous(struct store *s, const struct store_order *o, int64_t until, struct zr_err *e)
{
	const struct store_commit *c = &o->commit;
	int64_t any = 0;
	struct q q;

	q_open(&q, s->db, SQL_AMBIGUOUS_ANY);
	q_int(&q, ":zone", o->zone_id);
	if (q_value(&q, &any, e) < 0)
		return -1;
	if (any == 0)
		return 0;
	q_open(&q, s->db, SQL_AMBIGUOUS_LEAVE);
	q_int(&q, ":zone", o->zone_id);
	q_int(&q, ":serial", c->serial);
	q_int(&q, ":until", until);
	if (q_run(&q, e) < 0)
		return -1;
	q_open(&q, s->db, SQL_AMBIGUOUS_EXPIRE);
	q_int(&q, ":zone", o->zone_id);
	q_time(&q, ":now", c->loaded_at);
	return q_run(&q, e);
}

/*
 * Nobody holds the content of before the order's version: differences from those serials are safe
 * again.  Our own next refresh is a whole transfer all the same, for it is the primary's journal
 * that may start from other content (A-10 (4)).
 */
int
commit_settle(struct store *s, struct store_order *o, struct zr_err *e)
{
	static const enum sql_id ids[] = {SQL_AMBIGUOUS_SETTLE_LEFT, SQL_AMBIGUOUS_SETTLE_OWN};
	struct q q;

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		q_open(&q, s->db, ids[i]);
		q_int(&q, ":zone", o->zone_id);
		q_int(&q, ":version", o->settle.version == 0 ? INT64_MAX : o->settle.version);
		if (q_run(&q, e) < 0)
			return -1;
	}
	return 0;
}

/* Its steps are removed by the next sweep, like all that are void. */
int
commit_void(struct store *s, struct store_order *o, struct zr_err *e)
{
	return run_zone(s->db, SQL_JOURNAL_VOID, o->zone_id, e);
}

/* When the copies of those who fetched the old or the new version have expired. */
static int64_t
expired_by(const struct store_commit *c, const struct zone_base *old)
{
	uint32_t keep = c->soa_len >= 8 ? get_u32(c->soa + c->soa_len - 8) : 0;

	keep = keep < old->expire ? old->expire : keep;
	keep = keep > AMBIGUOUS_KEEP_S ? AMBIGUOUS_KEEP_S : keep;
	return c->loaded_at.us + keep * ZR_US_PER_S;
}

static int
new_content(struct store *s, struct store_order *o, struct zone_base *z, struct zr_err *e)
{
	int64_t until = expired_by(&o->commit, z);
	struct tally t;

	if (o->commit.version != z->version + 1 || o->commit.soa == NULL ||
	    o->commit.soa_owner == NULL)
		return zr_fail(e, ZR_INTERNAL, "commit of version %lld for a zone at %lld",
		    (long long)o->commit.version, (long long)z->version);
	if (take_content(s, o, z, &t, e) < 0 || trim_journal(s, o, z, &t, e) < 0 ||
	    flip(s, o, z, e) < 0)
		return -1;
	if (o->commit.ambiguous && add_ambiguous(s, o, until, e) < 0)
		return -1;
	return age_ambiguous(s, o, until, e);
}

static int
same_content(struct store *s, struct store_order *o, const struct zone_base *z, struct zr_err *e)
{
	struct store_commit *c = &o->commit;
	struct tally t;
	struct q q;
	int rc;

	if (c->batch != NULL && c->batch->count > 0)
		return zr_fail(e, ZR_INTERNAL, "commit without content brings some");
	rc = stage_tally(s, o->zone_id, &t, e);
	if (rc < 0)
		return -1;
	if (rc > 0) /* staged for nothing */
		tidy_give_up(s, o->zone_id, t.version);
	c->version = z->version;
	q_open(&q, s->db, SQL_ZONE_CONFIRM);
	q_int(&q, ":zone", o->zone_id);
	q_time(&q, ":checked_at", c->checked_at);
	q_time(&q, ":refresh_at", c->refresh_at);
	q_time(&q, ":expire_at", c->expire_at);
	return q_run(&q, e);
}

int
commit_run(struct store *s, struct store_order *o, struct zr_err *e)
{
	struct store_commit *c = &o->commit;
	struct zone_base z;

	if (zones_base(s, o->zone_id, &z, e) < 0)
		return -1;
	if ((c->content ? new_content(s, o, &z, e) : same_content(s, o, &z, e)) < 0)
		return -1;
	if (zones_mark_set(s, o->zone_id, c->pending_after, &c->caller_after, c->checked_at, e) < 0)
		return -1;
	if (c->has_forced && forced_row_put(s, o->zone_id, &c->forced, e) < 0)
		return -1;
	for (size_t i = 0; i < c->notify_count; i++)
		if (outbox_insert(s, o->zone_id, &c->notify[i], e) < 0)
			return -1;
	for (size_t i = 0; i < c->hook_count; i++)
		if (hook_row_put(s, o->zone_id, &c->hooks[i], e) < 0)
			return -1;
	return peers_insert_log(s, o->zone_id, &c->log, e);
}
