/* SPDX-License-Identifier: BSD-2-Clause */
/* The store's thread: groups, lanes, stopping; and readers beside it. */
#include "tests/unit/store/util.h"

#include "base/clock.h"
#include "store/status.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Opens without starting, so that what is posted next is one group. */
static void
reopen_stopped(struct fx *b, unsigned slow_ms)
{
	struct store_conf conf = {.path = b->path, .slow = slow_ms != 0, .slow_ms = slow_ms};
	struct zr_err e = {0};

	reader_close(b->r);
	b->r = NULL;
	store_stop(b->s);
	if (store_open(&b->s, &conf, &e) != 0)
		fail_msg("%s", e.text);
}

static void
start(struct fx *b)
{
	struct zr_err e = {0};

	assert_int_equal(store_start(b->s, &e), 0);
	assert_int_equal(reader_open(&b->r, b->path, &e), 0);
}

static struct store_order *
mark_order(int64_t zone)
{
	struct store_order *o = store_order_new(STORE_MARK, zone);

	o->mark.pending = PENDING_CHECK;
	return o;
}

/* One bad order among good ones fails alone, and every answer is the right one. */
static void
test_bad_order_fails_alone(void **state)
{
	struct fx *b = *state;
	int64_t zone[10];
	char label[3] = "a";
	struct store_order *o;
	struct version v;
	int commits = 0;

	for (int i = 0; i < 10; i++) {
		label[0] = (char)('a' + i);
		zone[i] = fx_zone(b, label);
	}
	fx_version(b, &v, "a", 1);
	v.version = 9;
	reopen_stopped(b, 0);
	for (int i = 0; i < 10; i++) {
		fx_post(b, mark_order(zone[i]));
		if (i == 5)
			fx_post(b, fx_commit(&v));
	}
	start(b);
	for (int i = 0; i < 11; i++) {
		o = fx_wait(b);
		commits += o->op == STORE_COMMIT; /* the marks are synced meanwhile */
		assert_int_equal(o->err.code, o->op == STORE_COMMIT ? ZR_INTERNAL : ZR_OK);
		store_order_free(o);
	}
	assert_int_equal(commits, 1);
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM mark"), 10);
}

/* A large transfer does not delay others: orders overtake what is staged. */
static void
test_control_overtakes_stage(void **state)
{
	struct fx *b = *state;
	struct store_order *o;
	struct version v;
	unsigned before = 0, stages = 0;
	bool posted = false, marked = false;

	fx_zone(b, "a");
	fx_version(b, &v, "a", 1);
	reopen_stopped(b, 0);
	for (unsigned i = 0; i < 400; i++) {
		for (unsigned k = 0; k < 8; k++)
			fx_put(&v, i * 8 + k, 1, 12000);
		fx_post(b, fx_stage(&v));
	}
	fx_post(b, mark_order(v.zone));
	start(b);
	o = fx_wait(b);
	assert_int_equal(o->op, STORE_MARK); /* posted last, done first */
	store_order_free(o);
	while (stages < 400 || !marked) {
		o = fx_wait(b);
		assert_int_equal(o->err.code, ZR_OK);
		if (o->op == STORE_MARK) {
			marked = true;
			before = stages;
		} else if (stages++ == 50 && !posted) {
			posted = true;
			fx_post(b, mark_order(v.zone));
		}
		store_order_free(o);
	}
	assert_true(before < 300); /* posted after 51 of 400 */
	fx_ok(b, fx_commit(&v));
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM segment"), 3200);
}

/* Staging 60 MB through credits keeps the WAL small. */
static void
test_wal_is_bounded(void **state)
{
	struct fx *b = *state;
	struct version v;
	char wal[100];
	struct stat st;
	off_t largest = 0;
	unsigned key = 0, flying = 0;

	snprintf(wal, sizeof(wal), "%s-wal", b->path);
	fx_zone(b, "a");
	fx_version(b, &v, "a", 1);
	for (unsigned i = 0; i < 300; i++) {
		for (unsigned k = 0; k < 16; k++)
			fx_put(&v, key++, 1, 13000);
		fx_post(b, fx_stage(&v));
		for (flying++; flying > 4 || (i == 299 && flying > 0); flying--) {
			struct store_order *o = fx_wait(b);

			assert_int_equal(o->err.code, ZR_OK);
			store_order_free(o);
		}
		if (stat(wal, &st) == 0 && st.st_size > largest)
			largest = st.st_size;
	}
	fx_ok(b, fx_commit(&v));
	assert_true(largest > 0);
	if (largest > 40 * 1024 * 1024)
		fail_msg("the WAL grew to %lld octets", (long long)largest);
}

static void
test_stop_carries_out_the_queue(void **state)
{
	struct fx *b = *state;
	struct version v;

	fx_zone(b, "a");
	fx_version(b, &v, "a", 1);
	for (unsigned i = 0; i < 300; i++) {
		struct store_order *o;

		fx_put(&v, i, 1, 5000);
		o = fx_stage(&v);
		store_post(b->s, o); /* nobody waits for it */
	}
	stage_batch_free(v.batch);
	for (int i = 0; i < 50; i++)
		store_post(
		    b->s, store_order_new(STORE_ADD_ZONE, 0)); /* the root, again and again */
	store_post(b->s, mark_order(v.zone));
	reader_close(b->r);
	store_stop(b->s);
	b->s = NULL;
	b->r = NULL;
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM segment"), 300);
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM zone"), 2);
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM mark"), 1);
}

/* Carried out also when the thread was never started. */
static void
test_stop_without_start(void **state)
{
	struct fx *b = *state;
	int64_t zone = fx_zone(b, "a");

	reopen_stopped(b, 0);
	store_post(b->s, mark_order(zone));
	store_stop(b->s);
	b->s = NULL;
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM mark"), 1);
}

static void
test_slow_waits_before_commit(void **state)
{
	struct fx *b = *state;
	int64_t zone = fx_zone(b, "a"), begin;

	reopen_stopped(b, 60);
	start(b);
	begin = clock_now().mono.us;
	fx_ok(b, mark_order(zone));
	assert_true(clock_now().mono.us - begin >= 60 * ZR_US_PER_MS);
}

/* In place of the C library's, for SQLite as well. */
static atomic_int syncs, syncs_to_fail, sync_us;

__attribute__((visibility("default"))) int
fdatasync(int fd)
{
	if (atomic_load(&syncs_to_fail) > 0) {
		atomic_fetch_sub(&syncs_to_fail, 1);
		errno = EIO;
		return -1;
	}
	atomic_fetch_add(&syncs, 1);
	usleep((useconds_t)atomic_load(&sync_us));
	return (int)syscall(SYS_fdatasync, fd);
}

/* Also what changes nothing is reported only when everything before it is on disk. */
static void
test_sync_syncs(void **state)
{
	struct fx *b = *state;
	int64_t zone = fx_zone(b, "a");
	int before;

	for (int i = 0; i < 3; i++) {
		before = atomic_load(&syncs);
		fx_ok(b, store_order_new(STORE_SYNC, 0));
		assert_true(atomic_load(&syncs) > before);
		before = atomic_load(&syncs);
		fx_ok(b, mark_order(zone));
		assert_true(atomic_load(&syncs) > before);
	}
}

/* What the process before this one has written and not synced is read here as if it were. */
static void
test_start_syncs(void **state)
{
	struct fx *b = *state;
	int before;

	reopen_stopped(b, 0);
	before = atomic_load(&syncs);
	start(b);
	assert_true(atomic_load(&syncs) > before);
	reopen_stopped(b, 0);
	atomic_store(&syncs_to_fail, 1);
	assert_int_equal(store_start(b->s, &(struct zr_err){0}), -1);
	assert_int_equal(atomic_load(&syncs_to_fail), 0);
	reopen_stopped(b, 0);
	start(b);
}

/* Only the answer to a mark waits for the disk. */
static void
test_commit_overtakes_sync(void **state)
{
	struct fx *b = *state;
	int64_t zone = fx_zone(b, "a");
	struct store_order *o;
	struct version v;

	fx_ok(b, mark_order(zone)); /* the first is synced by SQLite */
	atomic_store(&sync_us, 300000);
	fx_post(b, mark_order(zone));
	fx_version(b, &v, "a", 1);
	fx_put(&v, 1, 1, 100);
	fx_post(b, fx_commit(&v));
	for (int i = 0; i < 2; i++) {
		o = fx_wait(b);
		assert_int_equal(o->op, i == 0 ? STORE_COMMIT : STORE_MARK);
		assert_int_equal(o->err.code, ZR_OK);
		store_order_free(o);
	}
	/* What is under way at the end is reported still. */
	fx_post(b, mark_order(zone));
	store_stop(b->s);
	b->s = NULL;
	atomic_store(&sync_us, 0);
	o = fx_wait(b);
	assert_int_equal(o->err.code, ZR_OK);
	store_order_free(o);
}

/* What could not be synced is reported so, and what comes after it is not called durable by it. */
static void
test_sync_fails(void **state)
{
	struct fx *b = *state;
	int64_t zone = fx_zone(b, "a");
	struct store_order *o;
	struct version v;

	fx_ok(b, mark_order(zone)); /* the first is synced by SQLite */
	atomic_store(&syncs_to_fail, 1);
	fx_fails(b, mark_order(zone), ZR_DB);
	/* Now the write-ahead log must be written back and synced, and that fails as well, twice.
	 */
	atomic_store(&syncs_to_fail, 2);
	fx_fails(b, mark_order(zone), ZR_DB);
	/* Those who want nothing durable go on. */
	atomic_store(&syncs_to_fail, 1000);
	fx_version(b, &v, "a", 1);
	fx_put(&v, 1, 1, 100);
	fx_ok(b, fx_commit(&v));
	o = mark_order(zone);
	fx_run(b, o);
	assert_int_equal(o->err.code, ZR_DB);
	store_order_free(o);
	atomic_store(&syncs_to_fail, 0);
	fx_ok(b, mark_order(zone));
	assert_int_equal(fx_sql(b, "SELECT pending FROM mark"), PENDING_CHECK);
}

/* ---- threads ---- */

struct poster {
	struct fx *b;
	int64_t zone;
	int done;
};

static void *
post_many(void *arg)
{
	struct poster *p = arg;
	struct mbox *box = mbox_new();
	int flying = 0;

	for (int i = 0; i < 300 || flying > 0;) {
		struct mail *m;

		for (; i < 300 && flying < 16; i++, flying++) {
			struct store_order *o = mark_order(p->zone);

			o->cookie = (uint64_t)i;
			o->owner = p;
			o->reply = box;
			store_post(p->b->s, o);
		}
		for (m = mbox_wait(box, -1); m != NULL;) {
			struct store_order *o = (struct store_order *)(void *)m;

			m = m->next;
			p->done +=
			    o->err.code == ZR_OK && o->owner == p && o->cookie == (uint64_t)p->done;
			store_order_free(o);
			flying--;
		}
	}
	mbox_free(box);
	return NULL;
}

static void
test_many_posters(void **state)
{
	struct fx *b = *state;
	struct poster p[4];
	pthread_t t[4];
	char label[2] = "a";

	for (int i = 0; i < 4; i++) {
		label[0] = (char)('a' + i);
		p[i] = (struct poster){.b = b, .zone = fx_zone(b, label)};
	}
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, post_many, &p[i]), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(t[i], NULL);
		assert_int_equal(p[i].done, 300); /* each once, in order */
	}
}

struct watcher {
	const char *path;
	atomic_bool stop;
	atomic_uint rounds, wrong;
};

static int
count_segment(void *arg, const struct segment_row *row)
{
	unsigned *n = arg;

	(void)row;
	++*n;
	return 0;
}

/* Whatever version the zone row names is there and whole. */
static void
watch_once(struct reader *r, struct watcher *w)
{
	static const uint8_t name[] = "\001a\007example";
	struct store_zone *z = NULL;
	struct zr_err e = {0};
	unsigned n = 0;

	if (reader_zone(r, name, &z, &e) != 1 ||
	    reader_segments(r, z->id, z->version, count_segment, &n, &e) != 0 || n != z->segments) {
		print_error(
		    "version %d: %u segments; %s\n", z != NULL ? (int)z->version : -1, n, e.text);
		w->wrong++;
	}
	w->rounds++;
	free(z);
}

static void *
watch(void *arg)
{
	struct watcher *w = arg;
	struct reader *r = NULL;
	struct zr_err e = {0};

	if (reader_open(&r, w->path, &e) != 0) {
		w->wrong++;
		return NULL;
	}
	while (!w->stop)
		watch_once(r, w);
	reader_close(r);
	return NULL;
}

static void
test_readers_see_whole_versions(void **state)
{
	struct fx *b = *state;
	struct watcher w = {.path = b->path};
	struct store_zone *z;
	pthread_t t[2];

	fx_zone(b, "a");
	fx_load(b, "a", 0, "1 2 3 4 5");
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&t[i], NULL, watch, &w), 0);
	for (uint32_t i = 1; i <= 150; i++) {
		struct version v;

		fx_version(b, &v, "a", i);
		for (unsigned k = 0; k < i % 20; k++)
			fx_put(&v, 100 * i + k, 1, 3000 + 100 * k);
		fx_ok(b, fx_commit(&v));
		z = fx_zone_row(b, "a");
		assert_int_equal(z->serial, i); /* seen at once */
		free(z);
	}
	w.stop = true;
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	assert_true(w.rounds > 0);
	assert_int_equal(w.wrong, 0);
}

/* Another program holds the database: all orders of a group fail after one wait, not each after its
 * own. */
static void
test_locked_by_another(void **state)
{
	struct fx *b = *state;
	int64_t start_us, zone = fx_zone(b, "a");
	sqlite3 *other;
	struct store_order *o;

	reopen_stopped(b, 0);
	assert_int_equal(sqlite3_open(b->path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	for (int i = 0; i < 20; i++)
		fx_post(b, mark_order(zone));
	start_us = clock_now().mono.us;
	start(b);
	for (int i = 0; i < 20; i++) {
		o = fx_wait(b);
		assert_int_equal(o->err.code, ZR_DB);
		assert_non_null(strstr(o->err.text, "locked"));
		store_order_free(o);
	}
	assert_true(clock_now().mono.us - start_us < 15 * ZR_US_PER_S);
	assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(other), SQLITE_OK);
	fx_ok(b, mark_order(zone));
}

static const struct CMUnitTest tests[] = {
    FX_TEST(test_bad_order_fails_alone),
    FX_TEST(test_control_overtakes_stage),
    FX_TEST(test_wal_is_bounded),
    FX_TEST(test_stop_carries_out_the_queue),
    FX_TEST(test_stop_without_start),
    FX_TEST(test_slow_waits_before_commit),
    FX_TEST(test_sync_syncs),
    FX_TEST(test_sync_fails),
    FX_TEST(test_start_syncs),
    FX_TEST(test_commit_overtakes_sync),
    FX_TEST(test_many_posters),
    FX_TEST(test_locked_by_another),
    FX_TEST(test_readers_see_whole_versions),
};

int
main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
