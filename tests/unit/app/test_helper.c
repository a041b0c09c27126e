/* SPDX-License-Identifier: BSD-2-Clause */
/* What the process of the commands makes of its orders, honest ones and those of an intruder. */
#include "app/helper_p.h"

#include <errno.h>
#include <event2/event.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char file[] = "/tmp/zr-helper.XXXXXX";
static struct zr_err e;

static void
ignore(void *arg, bool error, const char *text)
{
	(void)arg;
	(void)error;
	(void)text;
}

static struct config *
load(const char *text)
{
	struct config_report r = {.line = ignore};
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	return config_load(file, &r);
}

static const char conf[] =
    "downstreams:\n"
    "  one: {address: 127.0.0.1@5301, on-change: [/bin/echo, \"{zone}\", \"{serial}\"]}\n"
    "  two: {address: 127.0.0.2@5301, on-forced: [/bin/false]}\n"
    "  three: {address: 127.0.0.3@5301}\n"
    "  four: {address: 127.0.0.4@5301, on-change: [sh, -c, \"echo gone >&2; exec sleep 100\"]}\n";

static struct helper_ask
ask(const char *downstream, const char *zone, bool forced)
{
	struct helper_ask q = {.what = HELPER_RUN, .serial = 7, .forced = forced};

	snprintf(q.downstream, sizeof(q.downstream), "%s", downstream);
	snprintf(q.zone, sizeof(q.zone), "%s", zone);
	snprintf(q.primary, sizeof(q.primary), "up");
	return q;
}

static void
table(void **state)
{
	struct config *c = load(conf);
	struct helper_table *t = helper_table_new(c);
	struct helper_ask q = ask("one", "a.example", false);
	char **argv, **env;

	(void)state;
	config_free(c);
	assert_int_equal(helper_table_command(t, &q, &argv, &env, &e), 0);
	assert_string_equal(argv[0], "/bin/echo");
	assert_string_equal(argv[1], "a.example");
	assert_string_equal(argv[2], "7");
	assert_null(argv[3]);
	hook_vector_free(argv);
	hook_vector_free(env);
	helper_table_free(t);
}

static void
nonsense(void **state)
{
	static const char *const wrong[][2] = {{"one", ""}, {"one", "-x"}, {"one", "a b"},
	    {"one", "a\nb"}, {"one", "a\x80"}, {"two", "a.example"}, {"three", "a.example"},
	    {"/bin/sh", "a.example"}, {"", "a.example"}, {"-one", "a.example"}};
	struct config *c = load(conf);
	struct helper_table *t = helper_table_new(c);
	struct helper_ask q;
	char **argv, **env;

	(void)state;
	config_free(c);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		q = ask(wrong[i][0], wrong[i][1], false);
		if (helper_table_command(t, &q, &argv, &env, &e) != -1)
			fail_msg("%zu is taken", i);
	}
	/* Without an end. */
	q = ask("one", "a.example", false);
	memset(q.zone, 'a', sizeof(q.zone));
	assert_int_equal(helper_table_command(t, &q, &argv, &env, &e), -1);
	q = ask("one", "a.example", false);
	memset(q.downstream, 'a', sizeof(q.downstream));
	assert_int_equal(helper_table_command(t, &q, &argv, &env, &e), -1);
	helper_table_free(t);
}

/* ---- the process ---- */

struct heard {
	struct event_base *base;
	unsigned started, ended, stale, gone;
	int status;
	bool ran;
	pid_t pid;
	char line[256];
};

static void
on_started(void *arg, uint64_t id, pid_t pid)
{
	struct heard *h = arg;

	(void)id;
	h->started++;
	h->pid = pid;
	event_base_loopbreak(h->base);
}

static void
on_ended(void *arg, uint64_t id, bool ran, int status, const char *line)
{
	struct heard *h = arg;

	(void)id;
	h->ended++;
	h->ran = ran;
	h->status = status;
	snprintf(h->line, sizeof(h->line), "%s", line);
	event_base_loopbreak(h->base);
}

static void
on_stale(void *arg, const char *why)
{
	struct heard *h = arg;

	h->stale++;
	snprintf(h->line, sizeof(h->line), "%s", why);
	event_base_loopbreak(h->base);
}

static void
on_gone(void *arg)
{
	struct heard *h = arg;

	h->gone++;
	event_base_loopbreak(h->base);
}

static const struct helper_events events = {on_started, on_ended, on_stale, on_gone};

static void
wait_next(struct heard *h)
{
	const struct timeval limit = {20, 0};

	event_base_loopexit(h->base, &limit);
	event_base_dispatch(h->base);
}

static void
order(struct helper *h, uint64_t id, const char *downstream)
{
	const struct helper_job j = {
	    .id = id, .downstream = downstream, .zone = "a.example", .primary = "up", .serial = 1};

	assert_int_equal(helper_run(h, &j, &e), 0);
}

static void
process(void **state)
{
	struct heard h = {.base = event_base_new()};
	struct config *c = load(conf);
	struct helper *p;

	(void)state;
	assert_int_equal(helper_fork(&p, file, &e), 0);
	assert_int_equal(helper_begin(p, c, &e), 0);
	config_free(c);
	assert_int_equal(helper_attach(p, h.base, &events, &h, &e), 0);
	order(p, 1, "one");
	wait_next(&h);
	wait_next(&h);
	assert_true(h.started == 1 && h.ended == 1 && h.ran && h.status == 0);
	/* One that is not there, until a reload brings it. */
	order(p, 2, "new");
	wait_next(&h);
	assert_true(h.ended == 2 && !h.ran);
	assert_non_null(strstr(h.line, "no such command"));
	c = load("downstreams: {new: {address: 127.0.0.1@1, on-change: [/bin/false]}}\n");
	config_free(c);
	helper_reload(p);
	order(p, 3, "new");
	wait_next(&h);
	wait_next(&h);
	assert_true(h.ended == 3 && h.ran && WEXITSTATUS(h.status) == 1);
	/* A file with errors leaves what was. */
	c = load("downstreams: {new: {}\n");
	assert_null(c);
	helper_reload(p);
	wait_next(&h);
	assert_int_equal(h.stale, 1);
	order(p, 4, "new");
	wait_next(&h);
	wait_next(&h);
	assert_true(h.ended == 4 && h.ran);
	helper_free(p);
	event_base_free(h.base);
}

/* As it is given: nothing is lost, and nothing that makes no sense is taken. */
static void
packed(void **state)
{
	struct config *c =
	    load("server: {core-dumps: yes}\n"
		 "downstreams:\n"
		 "  one: {address: 127.0.0.1@1, on-change: [a, '', \"b c\"]}\n"
		 "  two: {address: 127.0.0.1@2}\n"
		 "  three: {address: 127.0.0.1@3, on-forced: [d], on-change: [e]}\n");
	struct helper_ask q = ask("three", "a.example", true);
	struct helper_table *t = helper_table_new(NULL);
	struct buf b = BUF_INIT;
	struct helper_words w;
	char **argv, **env;
	const char *user;
	bool cores;

	(void)state;
	assert_non_null(c);
	helper_pack(&b, c);
	config_free(c);
	w = (struct helper_words){(const char *)b.data, b.len};
	assert_true(helper_unpack(&w, t, &user, &cores));
	assert_string_equal(user, "");
	assert_true(cores);
	assert_int_equal(helper_table_command(t, &q, &argv, &env, &e), 0);
	assert_string_equal(argv[0], "d");
	assert_null(argv[1]);
	hook_vector_free(argv);
	hook_vector_free(env);
	q = ask("one", "a.example", false);
	assert_int_equal(helper_table_command(t, &q, &argv, &env, &e), 0);
	assert_string_equal(argv[1], "");
	assert_string_equal(argv[2], "b c");
	assert_null(argv[3]);
	hook_vector_free(argv);
	hook_vector_free(env);
	helper_table_free(t);
	for (size_t n = 0; n < b.len; n++) {
		bool whole;

		t = helper_table_new(NULL);
		w = (struct helper_words){(const char *)b.data, n};
		whole = helper_unpack(&w, t, &user, &cores);
		assert_true(!whole || b.data[n - 1] == 0); /* between two of them */
		helper_table_free(t);
	}
	buf_clear(&b);
}

/* The daemon ends before it gives anything: so does the helper. */
static void
never_begins(void **state)
{
	struct helper *p;

	(void)state;
	assert_int_equal(helper_fork(&p, file, &e), 0);
	helper_free(p);
}

static void
busy(void **state)
{
	struct heard h = {.base = event_base_new()};
	struct helper_job j = {
	    .downstream = "one", .zone = "a.example", .primary = "up", .serial = 1};
	struct config *c = load(conf);
	struct helper *p;
	pid_t pid;

	(void)state;
	assert_int_equal(helper_fork(&p, file, &e), 0);
	assert_int_equal(helper_begin(p, c, &e), 0);
	config_free(c);
	assert_int_equal(helper_attach(p, h.base, &events, &h, &e), 0);
	pid = helper_pid(p);
	assert_int_equal(kill(pid, SIGSTOP), 0);
	do
		j.id++;
	while (helper_run(p, &j, &e) == 0 && j.id < 1000000);
	assert_int_equal(e.code, ZR_LIMIT);
	assert_int_equal(kill(pid, SIGCONT), 0);
	for (uint64_t n = 1; n < j.id;) { /* what it took it does */
		unsigned before = h.ended;

		wait_next(&h);
		n += h.ended - before;
	}
	assert_int_equal(helper_run(p, &j, &e), 0);
	helper_free(p);
	event_base_free(h.base);
}

static void
ends_with_us(void **state)
{
	struct heard h = {.base = event_base_new()};
	struct config *c = load(conf);
	struct helper *p;

	(void)state;
	assert_int_equal(helper_fork(&p, file, &e), 0);
	assert_int_equal(helper_begin(p, c, &e), 0);
	config_free(c);
	assert_int_equal(helper_attach(p, h.base, &events, &h, &e), 0);
	order(p, 1, "four");
	wait_next(&h);
	assert_int_equal(h.started, 1);
	helper_signal(p, 1, SIGTERM);
	wait_next(&h);
	assert_true(h.ended == 1 && WIFSIGNALED(h.status) && WTERMSIG(h.status) == SIGTERM);
	order(p, 2, "four");
	wait_next(&h);
	helper_free(p);
	/* A zombie at most: whoever inherited it takes his time. */
	for (int i = 0; i < 200 && getpgid(h.pid) >= 0; i++) {
		char path[64], letter = 0;
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%d/stat", (int)h.pid);
		f = fopen(path, "r");
		if (f == NULL || fscanf(f, "%*d (%*[^)]) %c", &letter) != 1)
			letter = 'X';
		if (f != NULL)
			fclose(f);
		if (letter == 'Z' || letter == 'X')
			break;
		usleep(50000);
		assert_true(i < 199);
	}
	event_base_free(h.base);
}

static int
set_up(void **state)
{
	int fd = mkstemp(file);

	(void)state;
	return fd >= 0 ? close(fd) : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	return unlink(file);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(table),
	    cmocka_unit_test(nonsense),
	    cmocka_unit_test(process),
	    cmocka_unit_test(packed),
	    cmocka_unit_test(never_begins),
	    cmocka_unit_test(busy),
	    cmocka_unit_test(ends_with_us),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
