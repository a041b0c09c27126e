/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The server in this thread, its clients as plain non-blocking sockets: the loop is turned
 * by hand, so that every interleaving below happens on purpose.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "ctl/ctl.h"
#include "ctl/request.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define STREAM_LINES 100000

struct world {
	struct event_base *base;
	struct ctl *ctl;
	char dir[64], path[96];
	struct ctl_reply *later; /* of the command "later" */
	int streamed, ended;
};

static void
cmd_echo(void *arg, struct ctl_reply *r, int argc, const char *const *argv)
{
	struct buf b = BUF_INIT;

	(void)arg;
	for (int i = 1; i < argc; i++) {
		buf_reset(&b);
		buf_str(&b, "{\"word\":");
		buf_json(&b, argv[i]);
		buf_str(&b, "}");
		ctl_body(r, &b);
	}
	buf_clear(&b);
	ctl_done(r);
}

static void
cmd_fail(void *arg, struct ctl_reply *r, int argc, const char *const *argv)
{
	(void)arg;
	(void)argc;
	(void)argv;
	ctl_fail(r, ZR_NOTFOUND, "no such zone\n%s", "or so");
}

static void
cmd_later(void *arg, struct ctl_reply *r, int argc, const char *const *argv)
{
	struct world *w = arg;

	(void)argc;
	(void)argv;
	w->later = r;
}

static bool
pull(void *arg, struct ctl_reply *r)
{
	struct world *w = arg;
	struct buf b = BUF_INIT;

	for (int i = 0; i < 100; i++) {
		buf_reset(&b);
		buf_fmt(&b, "{\"kind\":\"zone\",\"name\":\"zone-%d.example\"}", w->streamed++);
		ctl_body(r, &b);
	}
	buf_clear(&b);
	return w->streamed < STREAM_LINES;
}

static void
stream_end(void *arg)
{
	struct world *w = arg;

	w->ended++;
}

static void
cmd_stream(void *arg, struct ctl_reply *r, int argc, const char *const *argv)
{
	struct world *w = arg;

	(void)argc;
	(void)argv;
	w->streamed = 0;
	ctl_stream(r, pull, stream_end, w);
}

/* More than a client may have waiting, without a stream. */
static void
cmd_flood(void *arg, struct ctl_reply *r, int argc, const char *const *argv)
{
	struct buf b = BUF_INIT;

	(void)arg;
	(void)argc;
	(void)argv;
	buf_str(&b, "{\"x\":\"");
	for (int i = 0; i < 1000; i++)
		buf_u8(&b, 'x');
	buf_str(&b, "\"}");
	for (int i = 0; i < 2000; i++)
		ctl_body(r, &b);
	buf_clear(&b);
	ctl_done(r);
}

static void
cmd_bad(void *arg, struct ctl_reply *r, int argc, const char *const *argv)
{
	struct buf b = BUF_INIT;

	(void)arg;
	(void)argc;
	(void)argv;
	buf_str(&b, "{\"a\":\n1}");
	ctl_body(r, &b);
	buf_clear(&b);
	ctl_done(r);
}

static const struct ctl_command commands[] = {
    {"echo", 0, 8, cmd_echo},
    {"fail", 0, 0, cmd_fail},
    {"later", 0, 0, cmd_later},
    {"stream", 0, 0, cmd_stream},
    {"flood", 0, 0, cmd_flood},
    {"bad", 0, 0, cmd_bad},
    {"one", 1, 1, cmd_echo},
};

static struct ctl_conf
conf_of(struct world *w)
{
	return (struct ctl_conf){.path = w->path,
	    .commands = commands,
	    .command_count = sizeof(commands) / sizeof(commands[0]),
	    .arg = w};
}

static void
open_with(struct world *w, unsigned clients, int64_t idle_us)
{
	struct ctl_conf c = conf_of(w);
	struct zr_err e;

	c.clients_max = clients;
	c.idle_us = idle_us;
	assert_int_equal(ctl_open(&w->ctl, w->base, &c, &e), 0);
}

static int
setup(void **state)
{
	struct world *w = zr_xcalloc(1, sizeof(*w));

	strcpy(w->dir, "/tmp/zr-ctl-XXXXXX");
	if (mkdtemp(w->dir) == NULL)
		return -1;
	snprintf(w->path, sizeof(w->path), "%s/sock", w->dir);
	w->base = event_base_new();
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	ctl_close(w->ctl);
	event_base_free(w->base);
	unlink(w->path);
	rmdir(w->dir);
	free(w);
	return 0;
}

static void
turn(struct world *w, int times)
{
	while (times-- > 0)
		event_base_loop(w->base, EVLOOP_NONBLOCK);
}

static int
dial(struct world *w)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	strcpy(sun.sun_path, w->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

static void
say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* What comes within a few turns of the loop; *closed: the server ended the connection. */
static const char *
hear(struct world *w, int fd, bool *closed)
{
	static char text[65536];
	size_t len = 0;

	*closed = false;
	for (int i = 0; i < 50; i++) {
		turn(w, 1);
		ssize_t n = recv(fd, text + len, sizeof(text) - 1 - len, 0);
		if (n == 0 || (n < 0 && errno == ECONNRESET)) {
			*closed = true;
			break;
		}
		if (n > 0)
			len += (size_t)n;
	}
	text[len] = '\0';
	return text;
}

static void
expect(struct world *w, int fd, const char *want)
{
	bool closed;

	assert_string_equal(hear(w, fd, &closed), want);
	assert_false(closed);
}

static void
answers(void **state)
{
	struct world *w = *state;
	struct stat st;

	open_with(w, 0, 0);
	assert_int_equal(stat(w->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	int fd = dial(w);
	say(fd, "echo a \"b c\"\n");
	expect(w, fd, "{\"word\":\"a\"}\n{\"word\":\"b c\"}\nok\n");
	say(fd, "fail\r\n");
	expect(w, fd, "error notfound no such zone or so\n");
	say(fd, "\n\nnonsense\n");
	expect(w, fd, "error notimp unknown command nonsense\n");
	say(fd, "one\n");
	expect(w, fd, "error formerr one takes 1 arguments, not 0\n");
	say(fd, "echo 1 2 3 4 5 6 7 8 9\n");
	expect(w, fd, "error formerr echo takes 0 to 8 arguments, not 9\n");
	say(fd, "echo \"open\n");
	expect(w, fd, "error formerr a quote is not closed\n");
	say(fd, "bad\n");
	expect(w, fd, "error internal a line of the answer is not an object\n");
	/* Three at once are answered in order; one octet at a time is no different. */
	say(fd, "echo 1\necho 2\necho 3\n");
	expect(w, fd, "{\"word\":\"1\"}\nok\n{\"word\":\"2\"}\nok\n{\"word\":\"3\"}\nok\n");
	for (const char *p = "echo slow\n"; *p != '\0'; p++) {
		say(fd, (const char[]){*p, '\0'});
		turn(w, 2);
	}
	expect(w, fd, "{\"word\":\"slow\"}\nok\n");
	close(fd);
}

static void
half_close(void **state)
{
	struct world *w = *state;
	bool closed;

	open_with(w, 0, 0);
	int fd = dial(w);
	say(fd, "echo 1\necho 2\nunfinished");
	shutdown(fd, SHUT_WR);
	assert_string_equal(hear(w, fd, &closed), "{\"word\":\"1\"}\nok\n{\"word\":\"2\"}\nok\n");
	assert_true(closed);
	close(fd);
}

static void
long_lines(void **state)
{
	struct world *w = *state;
	char big[CTL_LINE_MAX + 100];

	open_with(w, 0, 0);
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

/* A stream is made only as fast as it is read, and is whole. */
static void
slow_reader(void **state)
{
	struct world *w = *state;
	static char chunk[4096];
	size_t newlines = 0, total = 0;
	char tail[4] = "";

	open_with(w, 0, 0);
	int fd = dial(w);
	say(fd, "stream\n");
	turn(w, 1000);
	int made = w->streamed;
	assert_true(made > 0 && made < STREAM_LINES);
	turn(w, 1000);
	assert_int_equal(w->streamed, made);
	assert_true(ctl_busy(w->ctl));
	for (int idle = 0; idle < 10;) {
		ssize_t n = recv(fd, chunk, sizeof(chunk), 0);
		turn(w, 1);
		if (n <= 0) {
			idle++;
			continue;
		}
		idle = 0;
		total += (size_t)n;
		for (ssize_t i = 0; i < n; i++) {
			newlines += chunk[i] == '\n';
			memmove(tail, tail + 1, 2);
			tail[2] = chunk[i];
		}
	}
	assert_int_equal(newlines, STREAM_LINES + 1);
	assert_true(total > STREAM_LINES * 20);
	assert_string_equal(tail, "ok\n");
	assert_int_equal(w->ended, 1);
	assert_false(ctl_busy(w->ctl));
	say(fd, "echo next\n");
	expect(w, fd, "{\"word\":\"next\"}\nok\n");
	close(fd);
}

static void
stream_abandoned(void **state)
{
	struct world *w = *state;

	open_with(w, 0, 0);
	int fd = dial(w);
	say(fd, "stream\n");
	turn(w, 20);
	assert_int_equal(w->ended, 0);
	close(fd);
	turn(w, 20);
	assert_int_equal(w->ended, 1);
	assert_true(w->streamed < STREAM_LINES);
	/* Still there when the server goes. */
	fd = dial(w);
	say(fd, "stream\n");
	turn(w, 20);
	ctl_close(w->ctl);
	w->ctl = NULL;
	assert_int_equal(w->ended, 2);
	close(fd);
}

static void
too_much(void **state)
{
	struct world *w = *state;
	static char chunk[65536];
	char tail[128] = "";
	size_t total = 0;

	open_with(w, 0, 0);
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

/* A handler that ends after its client has left, and after the server has. */
static void
late_handlers(void **state)
{
	struct world *w = *state;
	struct buf b = BUF_INIT;

	open_with(w, 0, 0);
	int fd = dial(w);
	say(fd, "later\necho behind\n");
	expect(w, fd, "");
	assert_non_null(w->later);
	assert_true(ctl_alive(w->later));
	buf_str(&b, "{\"a\":1}");
	ctl_body(w->later, &b);
	expect(w, fd, "{\"a\":1}\n");
	ctl_done(w->later);
	expect(w, fd, "ok\n{\"word\":\"behind\"}\nok\n");

	w->later = NULL;
	say(fd, "later\n");
	turn(w, 5);
	assert_non_null(w->later);
	close(fd);
	turn(w, 5);
	assert_false(ctl_alive(w->later));
	ctl_body(w->later, &b);
	ctl_fail(w->later, ZR_TIMEOUT, "nobody hears this");

	w->later = NULL;
	fd = dial(w);
	say(fd, "later\n");
	turn(w, 5);
	assert_non_null(w->later);
	ctl_close(w->ctl);
	w->ctl = NULL;
	assert_false(ctl_alive(w->later));
	ctl_body(w->later, &b);
	ctl_done(w->later);
	close(fd);

	/* A stream begun when nobody is there any more ends at once. */
	w->later = NULL;
	open_with(w, 0, 0);
	fd = dial(w);
	say(fd, "later\n");
	turn(w, 5);
	close(fd);
	turn(w, 5);
	ctl_stream(w->later, pull, stream_end, w);
	assert_int_equal(w->ended, 1);
	buf_clear(&b);
}

/* A client that has shut its sending side and waits is answered. */
static void
late_half_close(void **state)
{
	struct world *w = *state;
	bool closed;

	open_with(w, 0, 0);
	int fd = dial(w);
	say(fd, "later\n");
	shutdown(fd, SHUT_WR);
	turn(w, 20);
	assert_true(ctl_alive(w->later));
	ctl_done(w->later);
	assert_string_equal(hear(w, fd, &closed), "ok\n");
	assert_true(closed);
	close(fd);
}

static void
thousand_connects(void **state)
{
	struct world *w = *state;
	int keep[8];

	open_with(w, 8, 0);
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

	open_with(w, 2, 0);
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

	open_with(w, 0, 100 * ZR_US_PER_MS);
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

	open_with(w, 0, 0);
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
	struct ctl_conf c = conf_of(w);
	struct ctl *other = NULL;
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	struct zr_err e;
	struct stat st;

	/* The socket of a daemon that died: bound, never closed properly. */
	strcpy(sun.sun_path, w->path);
	int dead = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(dead, (struct sockaddr *)&sun, sizeof(sun)), 0);
	close(dead);
	open_with(w, 0, 0);
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
	open_with(w, 0, 0);
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
	    cmocka_unit_test_setup_teardown(answers, setup, teardown),
	    cmocka_unit_test_setup_teardown(half_close, setup, teardown),
	    cmocka_unit_test_setup_teardown(long_lines, setup, teardown),
	    cmocka_unit_test_setup_teardown(slow_reader, setup, teardown),
	    cmocka_unit_test_setup_teardown(stream_abandoned, setup, teardown),
	    cmocka_unit_test_setup_teardown(too_much, setup, teardown),
	    cmocka_unit_test_setup_teardown(late_handlers, setup, teardown),
	    cmocka_unit_test_setup_teardown(late_half_close, setup, teardown),
	    cmocka_unit_test_setup_teardown(thousand_connects, setup, teardown),
	    cmocka_unit_test_setup_teardown(all_busy, setup, teardown),
	    cmocka_unit_test_setup_teardown(idle_clients, setup, teardown),
	    cmocka_unit_test_setup_teardown(no_descriptors, setup, teardown),
	    cmocka_unit_test_setup_teardown(paths, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
