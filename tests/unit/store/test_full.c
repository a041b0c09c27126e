/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * No space left: orders fail with ZR_DB and what to do, nothing is lost or half done, and when
 * there is space again everything goes on.  On a small tmpfs where we may mount one, and with a
 * limit on the size of files everywhere.
 */
#include "tests/unit/store/util.h"

#include "base/mem.h"
#include "store/spill.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/mount.h>
#endif

static struct store_order *
mark_order(int64_t zone)
{
	struct store_order *o = store_order_new(STORE_MARK, zone);

	o->mark.pending = PENDING_CHECK;
	return o;
}

/* Stages until the store says no; the number that went. */
static unsigned
stage_until_full(struct fx *b, struct version *v, const char *words)
{
	unsigned n = 0;
	struct store_order *o;
	enum zr_code code;

	for (;; n++) {
		struct version before = *v;

		for (unsigned k = 0; k < 8; k++)
			fx_put(v, 100 + n * 8 + k, 1, 14000);
		o = fx_run(b, fx_stage(v));
		code = o->err.code;
		if (code != ZR_OK) {
			assert_int_equal(code, ZR_DB);
			if (strstr(o->err.text, words) == NULL)
				fail_msg("\"%s\" does not say \"%s\"", o->err.text, words);
			memcpy(v->digest, before.digest, sizeof(v->digest));
			v->segments = before.segments;
		}
		store_order_free(o);
		if (code != ZR_OK)
			return n;
		assert_true(n < 10000);
	}
}

/* Marks until one fails: each answer is true. */
static unsigned
mark_until_full(struct fx *b, int64_t zone, unsigned max)
{
	unsigned n = 0;

	for (; n < max; n++) {
		struct store_order *o = fx_run(b, mark_order(zone));
		enum zr_code code = o->err.code;

		if (code != ZR_OK)
			assert_int_equal(code, ZR_DB);
		store_order_free(o);
		if (code != ZR_OK)
			break;
	}
	return n;
}

/* The whole story; `full` and `free_space` change what the disk has. */
static void
fill_and_go_on(
    struct fx *b, void (*full)(struct fx *), void (*free_space)(struct fx *), const char *words)
{
	struct version v, w;
	struct store_order *o;
	unsigned staged;

	fx_zone(b, "a");
	fx_zone(b, "b");
	fx_load(b, "a", 1, "1 2 3");
	fx_load(b, "b", 1, "1 2 3");
	fx_version(b, &v, "a", 2);
	full(b);
	staged = stage_until_full(b, &v, words);
	assert_true(staged > 0);
	(void)mark_until_full(b, v.zone, 5000);
	assert_string_equal(fx_list(b, v.zone, 1), "1:1 2:1 3:1 ");
	fx_version(b, &w, "b", 2);
	for (unsigned k = 10; k < 40; k++)
		fx_put(&w, k, 1, 14000);
	o = fx_run(b, fx_commit(&w));
	assert_int_equal(o->err.code, ZR_DB);
	store_order_free(o);
	assert_string_equal(fx_list(b, w.zone, 1), "1:1 2:1 3:1 ");

	free_space(b);
	/* What was reported staged is still staged: the transfer may simply go on. */
	fx_put(&v, 60000, 1, 14000);
	fx_ok(b, fx_stage(&v));
	fx_ok(b, fx_commit(&v));
	assert_int_equal(fx_sql(b, "SELECT segments FROM zone WHERE id = 1"), 3 + staged * 8 + 1);
	assert_int_equal(mark_until_full(b, w.zone, 10), 10);
	fx_version(b, &w, "b", 2);
	fx_put(&w, 10, 2, 14000);
	fx_ok(b, fx_commit(&w));
	fx_close(b);
	assert_int_equal(fx_check(b->path), 0);
}

/* ---- a small disk ---- */

static void
filler(const struct fx *b, char out[200])
{
	snprintf(out, 200, "%s/filler", b->dir);
}

/* All but `left` octets. */
static void
fill_disk_but(struct fx *b, off_t left)
{
	char name[200];
	static const char junk[65536];
	int fd;

	filler(b, name);
	fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	for (size_t size = sizeof(junk); size >= 512;)
		if (write(fd, junk, size) < (ssize_t)size)
			size /= 2;
	assert_int_equal(ftruncate(fd, lseek(fd, 0, SEEK_END) - left), 0);
	close(fd);
}

static void
fill_disk(struct fx *b)
{
	fill_disk_but(b, 0);
}

static void
nearly_fill_disk(struct fx *b)
{
	fill_disk_but(b, 1500000);
}

static void
empty_disk(struct fx *b)
{
	char name[200];

	filler(b, name);
	assert_int_equal(unlink(name), 0);
}

static int
mount_small(const char *dir)
{
#ifdef __linux__
	return mount("none", dir, "tmpfs", 0, "size=24m");
#else
	(void)dir;
	return -1;
#endif
}

static void
unmount(const char *dir)
{
#ifdef __linux__
	(void)umount2(dir, MNT_DETACH);
#else
	(void)dir;
#endif
}

/* A tmpfs of its own; without the right to mount one these tests are skipped. */
static int
setup_small(void **state)
{
	static struct fx b;

	fx_init(&b);
	*state = mount_small(b.dir) == 0 ? &b : NULL;
	if (*state == NULL) {
		print_message("no tmpfs (%s): skipped\n", strerror(errno));
		rmdir(b.dir);
	}
	return 0;
}

static int
teardown_small(void **state)
{
	struct fx *b = *state;

	if (b == NULL)
		return 0;
	fx_close(b);
	unmount(b->dir);
	rmdir(b->dir);
	return 0;
}

static void
test_full_disk(void **state)
{
	struct fx *b = *state;

	if (b == NULL)
		skip();
	fx_open(b);
	fill_and_go_on(b, nearly_fill_disk, empty_disk, "free space on its disk");
}

/* A database that cannot even be made leaves no half. */
static void
test_open_on_full_disk(void **state)
{
	struct fx *b = *state;
	struct store_conf conf = {0};
	struct zr_err e = {0};

	if (b == NULL)
		skip();
	fill_disk(b);
	conf.path = b->path;
	assert_int_equal(store_open(&b->s, &conf, &e), -1);
	assert_int_equal(e.code, ZR_DB);
	empty_disk(b);
	fx_open(b);
	assert_true(fx_zone(b, "a") > 0);
}

static void
test_spill_on_full_disk(void **state)
{
	struct fx *b = *state;
	uint8_t data[1000] = {0};
	struct rr rr = {.owner = data, .owner_len = 1, .rdata = data, .rdlen = 1000};
	struct spill *s = NULL;
	struct zr_err e = {0};

	if (b == NULL)
		skip();
	fill_disk(b);
	assert_int_equal(spill_open(&s, b->dir, UINT64_C(1) << 40, &e), 0);
	for (unsigned i = 0; i < 100000; i++)
		if (spill_add(s, data, 10, &rr, &e) < 0)
			break;
	spill_close(s);
	assert_int_equal(e.code, ZR_DB);
	assert_non_null(strstr(e.text, "free space"));
}

/* ---- a limit on the size of files: in a process of its own, it holds for all of it ---- */

static void
set_limit(rlim_t octets)
{
	struct rlimit l;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &l), 0);
	l.rlim_cur = octets < l.rlim_max ? octets : l.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &l), 0);
}

static void
limit_on(struct fx *b)
{
	(void)b;
	set_limit(2 * 1024 * 1024);
}

static void
limit_off(struct fx *b)
{
	(void)b;
	set_limit(RLIM_INFINITY);
}

static void
story_with_limit(void **state)
{
	struct fx b;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	fx_init(&b);
	fx_open(&b);
	fill_and_go_on(&b, limit_on, limit_off, "limit on the size of files");
	fx_clear(&b);
}

static void
test_file_size_limit(void **state)
{
	static const struct CMUnitTest story[] = {cmocka_unit_test(story_with_limit)};
	int status;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(cmocka_run_group_tests_name("limit", story, NULL, NULL) == 0 ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_file_size_limit),
    cmocka_unit_test_setup_teardown(test_full_disk, setup_small, teardown_small),
    cmocka_unit_test_setup_teardown(test_open_on_full_disk, setup_small, teardown_small),
    cmocka_unit_test_setup_teardown(test_spill_on_full_disk, setup_small, teardown_small),
};

int
main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
