/* SPDX-License-Identifier: BSD-2-Clause */
/* What a client may not do, how many there may be, and the socket in the file system. */
#include "tests/unit/ctl/world.h"

#include "base/clock.h"
#include "ctl/request.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void
long_lines(void **state)
{
	struct world *w = *state;
	char big[CTL_LINE_MAX + 100];

	world_open(w, 0, 0);
	int fd = dial(w);
	memset(big, 'x', sizeof(big));
	for (int i = 0; i < 20; i++) {
		assert_int_equal(send(fd, big, sizeof(big), MSG_NOSIGNAL), (ssize_t)sizeof(big));
		turn(w, 4);
	}
	say(fd, "\necho after\n");
	expect(
	    w, fd, "error limit the line is longer than 4096 octets\n{\"word\":\"after\"}\nok\n");
	/* The longest one that is allowed. */
	memcpy(big, "echo ", 5);
	big[CTL_LINE_MAX] = '\n';
	assert_int_equal(send(fd, big, CTL_LINE_MAX + 1, MSG_NOSIGNAL), CTL_LINE_MAX + 1);
	bool closed;
	assert_non_null(strstr(hear(w, fd, &closed), "xxx\"}\nok\n"));
	close(fd);
}

static void
too_much(void **state)
{
	struct world *w = *state;
	static char chunk[65536];
	char tail[128] = "";
	size_t total = 0;

	world_open(w, 0, 0);
	int fd = dial(w);
	say(fd, "flood\n");
	for (int i = 0; i < 200; i++) {
		turn(w, 1);
		ssize_t n = recv(fd, chunk, sizeof(chunk) - 1, 0);
		if (n <= 0)
			continue;
		total += (size_t)n;
		chunk[n] = '\0';
		snprintf(tail, sizeof(tail), "%.100s", n > 100 ? chunk + n - 100 : chunk);
	}
	assert_true(total <= CTL_OUT_MAX + 200);
	assert_non_null(strstr(tail, "\nerror limit the answer is longer"));
	say(fd, "echo x\n");
	expect(w, fd, "{\"word\":\"x\"}\nok\n");
	close(fd);
}

static void
thousand_connects(void **state)
{
	struct world *w = *state;
	int keep[8];

	world_open(w, 8, 0);
	for (int i = 0; i < 1000; i++) {
		int fd = dial(w);
		turn(w, 2);
		if (i % 2 == 0)
			say(fd, "echo x\n");
		if (i % 3 == 0)
			turn(w, 2);
		close(fd);
	}
	turn(w, 20);
	/* Eight silent ones do not keep the ninth out: the idlest leaves. */
	for (int i = 0; i < 8; i++) {
		keep[i] = dial(w);
		turn(w, 3);
		say(keep[i], "echo k\n");
		expect(w, keep[i], "{\"word\":\"k\"}\nok\n");
	}
	int fd = dial(w);
	say(fd, "echo ninth\n");
	expect(w, fd, "{\"word\":\"ninth\"}\nok\n");
	bool closed;
	hear(w, keep[0], &closed);
	assert_true(closed);
	hear(w, keep[1], &closed);
	assert_false(closed);
	for (int i = 0; i < 8; i++)
		close(keep[i]);
	close(fd);
}

/* With all places taken by requests under way the newcomer is told so. */
static void
all_busy(void **state)
{
	struct world *w = *state;
	struct ctl_reply *r[2];
	int fd[2];
	bool closed;

	world_open(w, 2, 0);
	for (int i = 0; i < 2; i++) {
		fd[i] = dial(w);
		say(fd[i], "later\n");
		turn(w, 5);
		r[i] = w->later;
	}
	int third = dial(w);
	assert_string_equal(hear(w, third, &closed), "error limit too many control connections\n");
	assert_true(closed);
	close(third);
	for (int i = 0; i < 2; i++) {
		ctl_done(r[i]);
		expect(w, fd[i], "ok\n");
		close(fd[i]);
	}
}

static void
wait_ms(struct world *w, int ms)
{
	int64_t until = clock_now().mono.us + ms * ZR_US_PER_MS;

	while (clock_now().mono.us < until) {
		turn(w, 1);
		usleep(1000);
	}
}

static void
idle_clients(void **state)
{
	struct world *w = *state;
	bool closed;

	world_open(w, 0, 100 * ZR_US_PER_MS);
	int silent = dial(w), dribble = dial(w), busy = dial(w), deaf = dial(w);
	say(busy, "later\n");
	say(deaf, "stream\n");
	for (int i = 0; i < 6; i++) {
		(void)send(dribble, "x", 1, MSG_NOSIGNAL);
		wait_ms(w, 40);
	}
	hear(w, silent, &closed);
	assert_true(closed);
	hear(w, dribble, &closed);
	assert_true(closed);
	/* One who does not read its stream is dropped as well; the handler was told. */
	assert_int_equal(w->ended, 1);
	/* A request under way may take its time. */
	assert_true(ctl_alive(w->later));
	ctl_done(w->later);
	expect(w, busy, "ok\n");
	wait_ms(w, 200);
	hear(w, busy, &closed);
	assert_true(closed);
	close(silent);
	close(dribble);
	close(busy);
	close(deaf);
}

static void
no_descriptors(void **state)
{
	struct world *w = *state;
	struct rlimit old, few;
	int pair[2], hog[1024], n = 0;

	world_open(w, 0, 0);
	int fd = dial(w);
	say(fd, "echo x\n");
	expect(w, fd, "{\"word\":\"x\"}\nok\n");
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	int second = dial(w); /* waits in the queue */
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = old;
	few.rlim_cur = (rlim_t)second + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	while (n < 1024 && (hog[n] = dup(0)) >= 0)
		n++;
	/* The idle one gives its descriptor to the newcomer. */
	say(second, "echo second\n");
	expect(w, second, "{\"word\":\"second\"}\nok\n");
	bool closed;
	hear(w, fd, &closed);
	assert_true(closed);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	while (n > 0)
		close(hog[--n]);
	close(pair[0]);
	close(pair[1]);
	close(second);
	close(fd);
}

static void
paths(void **state)
{
	struct world *w = *state;
	struct ctl_conf c = world_conf(w);
	struct ctl *other = NULL;
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	struct zr_err e;
	struct stat st;

	/* The socket of a daemon that died: bound, never closed properly. */
	strcpy(sun.sun_path, w->path);
	int dead = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(dead, (struct sockaddr *)&sun, sizeof(sun)), 0);
	close(dead);
	world_open(w, 0, 0);
	int fd = dial(w);
	say(fd, "echo x\n");
	expect(w, fd, "{\"word\":\"x\"}\nok\n");
	close(fd);

	/* A living one is left alone. */
	assert_int_equal(ctl_open(&other, w->base, &c, &e), -1);
	assert_int_equal(e.code, ZR_CONF);
	assert_non_null(strstr(e.text, "another daemon"));
	assert_null(other);
	fd = dial(w);
	close(fd);
	ctl_close(w->ctl);
	w->ctl = NULL;
	assert_int_equal(lstat(w->path, &st), -1);

	/* Not a socket: not ours to remove. */
	fd = open(w->path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	assert_int_equal(ctl_open(&other, w->base, &c, &e), -1);
	assert_int_equal(lstat(w->path, &st), 0);
	unlink(w->path);

	c.path = "/nonexistent-directory/sock";
	assert_int_equal(ctl_open(&other, w->base, &c, &e), -1);
	char longpath[200];
	memset(longpath, 'p', sizeof(longpath) - 1);
	longpath[sizeof(longpath) - 1] = '\0';
	c.path = longpath;
	assert_int_equal(ctl_open(&other, w->base, &c, &e), -1);

	/* A socket somebody put there after ours was taken away stays. */
	world_open(w, 0, 0);
	unlink(w->path);
	dead = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(dead, (struct sockaddr *)&sun, sizeof(sun)), 0);
	ctl_close(w->ctl);
	w->ctl = NULL;
	assert_int_equal(lstat(w->path, &st), 0);
	close(dead);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    WORLD_TEST(long_lines),
	    WORLD_TEST(too_much),
	    WORLD_TEST(thousand_connects),
	    WORLD_TEST(all_busy),
	    WORLD_TEST(idle_clients),
	    WORLD_TEST(no_descriptors),
	    WORLD_TEST(paths),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
