/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests and answers, clients that read slowly or leave. */
#include "tests/unit/ctl/world.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void
answers(void **state)
{
	struct world *w = *state;
	struct stat st;

	world_open(w, 0, 0);
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

	world_open(w, 0, 0);
	int fd = dial(w);
	say(fd, "echo 1\necho 2\nunfinished");
	shutdown(fd, SHUT_WR);
	assert_string_equal(hear(w, fd, &closed), "{\"word\":\"1\"}\nok\n{\"word\":\"2\"}\nok\n");
	assert_true(closed);
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

	world_open(w, 0, 0);
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

	world_open(w, 0, 0);
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

/* A handler that ends after its client has left, and after the server has. */
static void
late_handlers(void **state)
{
	struct world *w = *state;
	struct buf b = BUF_INIT;

	world_open(w, 0, 0);
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
	world_open(w, 0, 0);
	fd = dial(w);
	say(fd, "later\n");
	turn(w, 5);
	close(fd);
	turn(w, 5);
	ctl_stream(w->later, world_pull, world_stream_end, w);
	assert_int_equal(w->ended, 1);
	buf_clear(&b);
}

/* A client that has shut its sending side and waits is answered. */
static void
late_half_close(void **state)
{
	struct world *w = *state;
	bool closed;

	world_open(w, 0, 0);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    WORLD_TEST(answers),
	    WORLD_TEST(half_close),
	    WORLD_TEST(slow_reader),
	    WORLD_TEST(stream_abandoned),
	    WORLD_TEST(late_handlers),
	    WORLD_TEST(late_half_close),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
