/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kill -9 and power cuts.  A child works on the database until it is killed at a random moment;
 * what it was told is done is written to memory shared with the parent, which compares.  A power
 * cut is a copy of the files without what had not been synced.
 */
#include "tests/unit/store/util.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ZONES 5
#define ROUNDS 200
#define ROUNDS_MIN 20		     /* however slow the machine is */
#define BUDGET_US (15 * ZR_US_PER_S) /* for all rounds, where the machine is slow */

/* Written by the child, read when it is dead. */
struct ledger {
	int64_t version[ZONES]; /* last commit that was reported done */
	int64_t trying[ZONES];	/* version of the last commit posted */
	int marked[ZONES]; /* a mark was reported done, and no commit that clears it posted since */
	int64_t notifier[ZONES]; /* with PENDING_FORCE: who asked first */
	int64_t hook[ZONES];	 /* id of the one that is owed, 0: none that we know of */
	unsigned steps;
	atomic_bool ready; /* it has opened the database */
};

static int64_t
column(struct fx *b, const char *what, int zone)
{
	char sql[200];

	snprintf(sql, sizeof(sql), "SELECT %s FROM zone WHERE id = %d", what, zone + 1);
	return fx_sql(b, sql);
}

/* ---- the child ---- */

static const char *
label(int zone)
{
	static char text[2];

	text[0] = (char)('a' + zone);
	return text;
}

/* What must stand with the version or not at all. */
static void
fill_forced(struct store_commit *c, const struct version *v)
{
	c->has_forced = true;
	c->forced.event = (uint64_t)v->version;
	c->forced.version = v->version;
	c->forced.serial = v->serial;
	c->hooks = zr_xcalloc(1, sizeof(*c->hooks));
	c->hook_count = 1;
	strcpy(c->hooks[0].name, "x");
	c->hooks[0].forced = v->version % 2 == 0;
	c->hooks[0].serial = v->serial;
	c->hooks[0].has_old = v->version > 1;
	c->hooks[0].old_serial = v->old_serial;
}

/* Answers come in no particular order between lanes; all must be there before the commit. */
static void
drain(struct fx *b, unsigned n, bool must)
{
	for (; n > 0; n--) {
		struct store_order *o = fx_wait(b);

		if (must && o->err.code != ZR_OK) {
			print_error("order %d: %s\n", (int)o->op, o->err.text);
			_exit(3);
		}
		store_order_free(o);
	}
}

static void
fill_commit(struct store_order *o, const struct version *v, struct rng *rng)
{
	struct store_commit *c = &o->commit;

	c->notify = zr_xcalloc(1, sizeof(*c->notify));
	c->notify_count = 1;
	strcpy(c->notify[0].downstream, "x");
	if (!addr_parse("192.0.2.1@53", 0, &c->notify[0].target))
		_exit(4);
	c->notify[0].qtype = 6;
	c->notify[0].serial = v->serial;
	strcpy(c->log.kind, "IXFR");
	c->log.to_serial = v->serial;
	c->journal_max_steps = 4;
	c->drop_journal = rng_below(rng, 10) == 0;
	o->durable = rng_below(rng, 4) == 0;
	fill_forced(c, v);
}

struct live {
	struct segment_row row[64];
	unsigned n;
};

static int
collect(void *arg, const struct segment_row *row)
{
	struct live *live = arg;

	if (live->n < 64)
		live->row[live->n++] = *row;
	return 0;
}

/* Ends more than half of what lives, so that zones do not grow. */
static void
kill_some(struct fx *b, struct version *v, struct rng *rng)
{
	static struct live live;
	struct zr_err e = {0};

	live.n = 0;
	if (reader_segments(b->r, v->zone, v->version - 1, collect, &live, &e) < 0)
		_exit(5);
	for (unsigned i = 0; i < live.n; i++) {
		if (rng_below(rng, 5) < 2)
			continue;
		if (stage_kill(v->batch, live.row[i].id, live.row[i].octets, &e) < 0)
			_exit(6);
		digest_sub(v->digest, live.row[i].digest);
		v->segments--;
	}
}

/* Some segments in, some out, in one to five orders; then a commit or an abort. */
static void
change(struct fx *b, struct ledger *l, int zone, struct rng *rng)
{
	struct version v;
	unsigned batches = (unsigned)rng_below(rng, 5), posted = 0;
	uint64_t end = rng_below(rng, 8);
	struct store_order *o;

	fx_version(b, &v, label(zone), (uint32_t)l->trying[zone] + 1);
	v.serial = (uint32_t)v.version;
	kill_some(b, &v, rng);
	for (unsigned i = 0; i <= batches; i++) {
		for (unsigned k = 0; k < 1 + rng_below(rng, 6); k++)
			fx_put(&v, (unsigned)(v.version * 100 + i * 10 + k) % 60000, 1,
			    100 + rng_below(rng, 12000));
		if (i == 0)
			fx_step(&v, 0, v.old_serial, v.serial, 1);
		if (i < batches) {
			fx_post(b, fx_stage(&v));
			posted++;
		}
	}
	drain(b, posted, true);
	if (end <= 1) {
		stage_batch_free(v.batch);
		o = store_order_new(STORE_ABORT, v.zone);
		o->stage.version = v.version;
		fx_post(b, o);
		drain(b, 1, true);
		return;
	}
	l->trying[zone] = v.version;
	l->marked[zone] = 0;
	o = fx_commit(&v);
	fill_commit(o, &v, rng);
	o = fx_run(b, o);
	if (o->err.code != ZR_OK)
		_exit(3);
	l->hook[zone] = o->commit.hooks[0].id;
	l->version[zone] = v.version;
	store_order_free(o);
}

static void
mark(struct fx *b, struct ledger *l, int zone, bool force)
{
	struct store_order *o = store_order_new(STORE_MARK, zone + 1);
	enum store_pending pending = force ? PENDING_FORCE : PENDING_CHECK;
	int64_t who = l->steps + 1;

	o->mark.pending = pending;
	snprintf(o->mark.notifier, sizeof(o->mark.notifier), "p%d", (int)who);
	fx_post(b, o);
	drain(b, 1, true);
	if (force && l->marked[zone] != PENDING_FORCE)
		l->notifier[zone] = who;
	if (l->marked[zone] < (int)pending)
		l->marked[zone] = (int)pending;
}

/* It has been run: the server has what the zone has. */
static void
run_hook(struct fx *b, struct ledger *l, int zone)
{
	struct store_order *o = store_order_new(STORE_HOOK_SET, zone + 1);

	o->hook.row = (struct store_hook){.id = l->hook[zone], .name = "x"};
	o->hook.remove = o->hook.has_result = true;
	o->hook.result.serial = (uint32_t)l->version[zone];
	l->hook[zone] = 0;
	fx_post(b, o);
	drain(b, 1, true);
}

static void
other(struct fx *b, struct ledger *l, int zone, struct rng *rng)
{
	uint64_t what = rng_below(rng, 4);
	struct store_order *o;

	if (what <= 1) {
		mark(b, l, zone, what == 0);
		return;
	}
	if (what == 2 && l->hook[zone] != 0) {
		run_hook(b, l, zone);
		return;
	}
	o = store_order_new(STORE_SWEEP, zone + 1);
	o->sweep.keep_version = INT64_MAX;
	fx_post(b, o);
	drain(b, 1, true);
}

static void
child(struct fx *b, struct ledger *l, uint64_t seed)
{
	struct rng rng;

	rng_seed(&rng, seed);
	fx_open(b);
	l->ready = true;
	for (;; l->steps++) {
		int zone = (int)rng_below(&rng, ZONES);

		if (rng_below(&rng, 3) != 0)
			change(b, l, zone, &rng);
		else
			other(b, l, zone, &rng);
	}
}

/* ---- the parent ---- */

#define NOTIFIER "(SELECT CAST(substr(notifier, 2) AS INTEGER) FROM mark WHERE zone = id)"

static void
compare(struct fx *b, const struct ledger *l, unsigned round)
{
	for (int i = 0; i < ZONES; i++) {
		int64_t version = column(b, "version", i);

		if (version != l->version[i] && version != l->trying[i])
			fail_msg("round %u: zone %d has version %d, not %d or %d", round, i,
			    (int)version, (int)l->version[i], (int)l->trying[i]);
		/* Who says OK to a NOTIFY may rely on it. */
		if (column(b, "coalesce((SELECT pending FROM mark WHERE zone = id), 0)", i) <
		    l->marked[i])
			fail_msg("round %u: the mark of zone %d is lost", round, i);
		if (l->marked[i] == PENDING_FORCE && column(b, NOTIFIER, i) != l->notifier[i])
			fail_msg("round %u: zone %d has forgotten who asked", round, i);
	}
	/* No commit without its NOTIFY and its line in the log, none of them without their commit.
	 */
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM zone WHERE version > 0 AND serial IS NOT "
				   "(SELECT serial FROM outbox WHERE outbox.zone = zone.id)"),
	    0);
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM zone WHERE version <> coalesce((SELECT "
				   "max(n) FROM transfer WHERE transfer.zone = zone.id), 0)"),
	    0);
	/* Nor without its event and its hook, which starts from what the last one brought. */
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM zone LEFT JOIN forced ON zone = id "
				   "WHERE zone.version <> coalesce(event, 0)"),
	    0);
	assert_int_equal(
	    fx_sql(b, "SELECT count(*) FROM zone LEFT JOIN hook ON hook.zone = zone.id "
		      "LEFT JOIN hook_result AS r ON r.zone = zone.id WHERE CASE "
		      "WHEN hook.id IS NULL THEN zone.version <> coalesce(r.serial, 0) "
		      "ELSE hook.serial <> zone.serial OR hook.old_serial IS NOT r.serial END"),
	    0);
	assert_int_equal(fx_check(b->path), 0);
}

/* Opened again, everything half done goes away by itself. */
static void
recover(struct fx *b, struct ledger *l)
{
	fx_open(b);
	fx_tidied(b);
	for (int i = 0; i < ZONES; i++) {
		struct store_order *o = store_order_new(STORE_SWEEP, i + 1);

		o->sweep.keep_version = INT64_MAX;
		fx_ok(b, o);
	}
	fx_close(b);
	assert_int_equal(fx_check(b->path), 0);
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM staging"), 0);
	assert_int_equal(fx_sql(b, "SELECT count(*) FROM segment JOIN zone ON zone.id = zone "
				   "WHERE born > version OR died IS NOT NULL"),
	    0);
	/* What was done and not reported is there, too. */
	for (int i = 0; i < ZONES; i++) {
		l->version[i] = l->trying[i] = column(b, "version", i);
		l->marked[i] =
		    (int)column(b, "coalesce((SELECT pending FROM mark WHERE zone = id), 0)", i);
		l->notifier[i] = l->marked[i] == PENDING_FORCE ? column(b, NOTIFIER, i) : 0;
		l->hook[i] = column(
		    b, "coalesce((SELECT hook.id FROM hook WHERE hook.zone = zone.id), 0)", i);
	}
}

static void
kill_one(struct fx *b, struct ledger *l, uint64_t seed, useconds_t after)
{
	int status;
	pid_t pid;

	l->ready = false;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		child(b, l, seed);
		_exit(2);
	}
	/* Sometimes while it opens. */
	for (int i = 0; i < 2000 && !l->ready && seed % 8 != 0; i++)
		usleep(500);
	usleep(after);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		fail_msg("the child ended by itself: %d", status);
}

static void
test_kill(void **state)
{
	struct fx *b = *state;
	struct ledger *l =
	    mmap(NULL, sizeof(*l), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int64_t end = clock_now().mono.us + BUDGET_US;
	uint32_t span_us = 30000;
	struct rng rng;
	unsigned round;

	assert_ptr_not_equal(l, MAP_FAILED);
	rng_seed(&rng, 1);
	for (int i = 0; i < ZONES; i++)
		fx_zone(b, label(i));
	fx_close(b);
	for (round = 0; round < ROUNDS && (round < ROUNDS_MIN || clock_now().mono.us < end);
	     round++) {
		kill_one(b, l, rng_next(&rng), 1000 + (useconds_t)rng_below(&rng, span_us));
		compare(b, l, round);
		recover(b, l);
		if (l->steps <= round && span_us < 500000) /* it hardly gets to work */
			span_us *= 2;
	}
	print_message("%u rounds, %u changes\n", round, l->steps);
	assert_true(l->steps > round); /* it was killed at work */
	munmap(l, sizeof(*l));
}

/* ---- power cuts ---- */

/*
 * Stands before the C library's: what SQLite syncs of a WAL is noted.  (It calls no other function
 * for that where this one exists.)
 */
static atomic_llong synced_wal;

__attribute__((visibility("default"))) int
fdatasync(int fd)
{
	char link[64], name[256] = "";
	struct stat st;
	int rc = fsync(fd);

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (readlink(link, name, sizeof(name) - 1) > 4 && strstr(name, ".db-wal") != NULL &&
	    fstat(fd, &st) == 0)
		synced_wal = st.st_size;
	return rc;
}

static void
copy(const char *from, const char *to, off_t len)
{
	char buf[65536];
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	ssize_t n;

	assert_true(in >= 0 && out >= 0);
	while (len != 0 && (n = read(in, buf, sizeof(buf))) > 0) {
		if (len > 0 && n > len)
			n = len;
		assert_int_equal(write(out, buf, (size_t)n), n);
		if (len > 0)
			len -= n;
	}
	close(in);
	close(out);
}

static void
name_of(const struct fx *b, const char *suffix, char out[100])
{
	snprintf(out, 100, "%s%s", b->path, suffix);
}

/* The database as a disk would have it that got `len` octets of the WAL; flip: one octet is wrong.
 */
static void
cut(struct fx *b, struct fx *disk, off_t len, off_t flip)
{
	char from[100], to[100];

	copy(b->path, disk->path, -1);
	name_of(b, "-wal", from);
	name_of(disk, "-wal", to);
	copy(from, to, len);
	if (flip >= 0) {
		int fd = open(to, O_RDWR);
		char c;

		assert_int_equal(pread(fd, &c, 1, flip), 1);
		c ^= 0x40;
		assert_int_equal(pwrite(fd, &c, 1, flip), 1);
		close(fd);
	}
	name_of(disk, "-shm", to);
	unlink(to);
}

static off_t
wal_size(struct fx *b)
{
	char name[100];
	struct stat st;

	name_of(b, "-wal", name);
	assert_int_equal(stat(name, &st), 0);
	return st.st_size;
}

/*
 * The promise of section 5 of the architecture: what was synced when the mark was
 * answered is enough.  Either the commit is there, or the mark still is.
 */
static void
expect_commit_or_mark(struct fx *disk, bool must_be_old)
{
	int64_t version, pending;

	fx_open(disk);
	fx_tidied(disk);
	version = fx_sql(disk, "SELECT version FROM zone");
	pending = fx_sql(disk, "SELECT coalesce((SELECT pending FROM mark), 0)");
	if (version == 1)
		assert_int_equal(pending, PENDING_FORCE);
	else
		assert_int_equal(pending, 0);
	assert_in_range(version, 1, must_be_old ? 1 : 2);
	assert_int_equal(fx_sql(disk, "SELECT count(*) FROM mark WHERE notifier = 'hidden' AND "
				      "authenticated"),
	    2 - version);
	assert_int_equal(fx_sql(disk, "SELECT count(*) FROM outbox"), version - 1);
	assert_int_equal(fx_sql(disk, "SELECT count(*) FROM forced"), version - 1);
	assert_int_equal(fx_sql(disk, "SELECT count(*) FROM hook"), version - 1);
	fx_close(disk);
	assert_int_equal(fx_check(disk->path), 0);
}

static void
test_power_cut(void **state)
{
	struct fx *b = *state, disk;
	struct store_order *o;
	struct version v;
	off_t synced, end;
	struct rng rng;
	unsigned old = 0, new = 0;

	rng_seed(&rng, 7);
	fx_zone(b, "a");
	fx_load(b, "a", 1, "1 2 3");
	o = store_order_new(STORE_MARK, 1);
	o->mark.pending = PENDING_FORCE;
	o->mark.authenticated = true;
	strcpy(o->mark.notifier, "hidden");
	fx_ok(b, o);
	synced = (off_t)synced_wal;
	assert_int_equal(synced, wal_size(b)); /* synced before the answer */
	fx_version(b, &v, "a", 2);
	fx_put(&v, 9, 1, 14000);
	fx_kill(b, &v, 1, 1, 100);
	fx_ok(b, fx_stage(&v));
	fx_put(&v, 10, 1, 9000);
	o = fx_commit(&v);
	fill_commit(o, &v, &rng);
	o->durable = false;
	fx_ok(b, o);
	end = wal_size(b);
	assert_true(end > synced + 20000);
	assert_int_equal(synced, synced_wal); /* these were not */

	fx_init(&disk);
	for (off_t len = synced;; len += len + 1111 < end ? 1111 : end - len) {
		cut(b, &disk, len, -1);
		expect_commit_or_mark(&disk, len < end - 4096);
		if (fx_sql(&disk, "SELECT version FROM zone") == 1)
			old++;
		else
			new ++;
		if (len == end)
			break;
	}
	assert_true(old > 10);
	assert_int_equal(new, 1); /* only all of it is the new version */
	/* Sectors reach a disk in any order: what is wrong in the tail is noticed. */
	for (int i = 0; i < 20; i++) {
		cut(b, &disk, end, synced + (off_t)rng_below(&rng, (uint64_t)(end - synced)));
		expect_commit_or_mark(&disk, false);
	}
	fx_clear(&disk);
}

/* The other side: a durable commit is there whatever happens to the rest. */
static void
test_durable_commit_survives(void **state)
{
	struct fx *b = *state, disk;
	struct store_order *o;
	struct version v;
	off_t synced;

	fx_zone(b, "a");
	fx_version(b, &v, "a", 5);
	fx_put(&v, 1, 1, 100);
	o = fx_commit(&v);
	o->durable = true;
	fx_ok(b, o);
	synced = (off_t)synced_wal;
	assert_int_equal(synced, wal_size(b));
	fx_load(b, "a", 6, "2");
	fx_init(&disk);
	cut(b, &disk, synced, -1);
	fx_open(&disk);
	assert_int_equal(fx_sql(&disk, "SELECT serial FROM zone"), 5);
	fx_clear(&disk);
}

/* Memory will do where only the process dies: ten times as many rounds. */
static int
setup_in_memory(void **state)
{
	static struct fx b;

	if (access("/dev/shm", W_OK) == 0)
		fx_init_in(&b, "/dev/shm");
	else
		fx_init(&b);
	fx_open(&b);
	*state = &b;
	return 0;
}

static int
teardown_in_memory(void **state)
{
	fx_clear(*state);
	return 0;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(test_kill, setup_in_memory, teardown_in_memory),
    FX_TEST(test_power_cut),
    FX_TEST(test_durable_commit_survives),
};

int
main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
