/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The blocking client against a scripted peer: a thread that accepts one connection,
 * reads a line and sends what the test says, in the pieces it says.
 */
#include "base/mem.h"
#include "ctl/client.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

struct peer {
	pthread_t thread;
	int fd;
	const char *const *pieces;
	int hold_ms; /* before the connection ends */
	char dir[64], path[96];
	char heard[256];
};

static void *
peer_main(void *arg)
{
	struct peer *p = arg;
	int fd = accept(p->fd, NULL, NULL);
	size_t len = 0;

	while (len + 1 < sizeof(p->heard) && memchr(p->heard, '\n', len) == NULL) {
		ssize_t n = recv(fd, p->heard + len, sizeof(p->heard) - 1 - len, 0);
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	for (const char *const *s = p->pieces; *s != NULL; s++) {
		(void)send(fd, *s, strlen(*s), MSG_NOSIGNAL);
		usleep(2000);
	}
	usleep((useconds_t)p->hold_ms * 1000);
	close(fd);
	return NULL;
}

static void
start(struct peer *p, const char *const *pieces, int hold_ms)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};

	memset(p, 0, sizeof(*p));
	strcpy(p->dir, "/tmp/zr-ctl-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->path, sizeof(p->path), "%s/sock", p->dir);
	strcpy(sun.sun_path, p->path);
	p->pieces = pieces;
	p->hold_ms = hold_ms;
	p->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(p->fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(p->fd, 1), 0);
	assert_int_equal(pthread_create(&p->thread, NULL, peer_main, p), 0);
}

static void
finish(struct peer *p, struct ctl_client *c)
{
	ctl_client_close(c);
	pthread_join(p->thread, NULL);
	close(p->fd);
	unlink(p->path);
	rmdir(p->dir);
}

static struct ctl_client *
ask(struct peer *p)
{
	static const char *const words[] = {"zone", "a b"};
	struct ctl_client *c;
	struct zr_err e;

	assert_int_equal(ctl_client_open(&c, p->path, &e), 0);
	assert_int_equal(ctl_client_ask(c, 2, words, &e), 0);
	assert_int_equal(ctl_client_ask(c, 2, words, &e), -1);
	return c;
}

static void
body_and_ok(void **state)
{
	static const char *const pieces[] = {"{\"a\":1}\n{\"b\"", ":2}\no", "k\n", NULL};
	struct peer p;
	struct zr_err e;
	const char *line;

	(void)state;
	start(&p, pieces, 0);
	struct ctl_client *c = ask(&p);
	assert_int_equal(ctl_client_line(c, &line, &e), 1);
	assert_string_equal(line, "{\"a\":1}");
	assert_int_equal(ctl_client_line(c, &line, &e), 1);
	assert_string_equal(line, "{\"b\":2}");
	assert_int_equal(ctl_client_line(c, &line, &e), 0);
	assert_int_equal(ctl_client_line(c, &line, &e), -1);
	assert_false(ctl_client_broken(c));
	finish(&p, c);
	assert_string_equal(p.heard, "zone \"a b\"\n");
}

static void
errors(void **state)
{
	static const char *const pieces[] = {"error notfound no such ", "zone\n", NULL};
	struct peer p;
	struct zr_err e;
	const char *line;

	(void)state;
	start(&p, pieces, 0);
	struct ctl_client *c = ask(&p);
	assert_int_equal(ctl_client_line(c, &line, &e), -1);
	assert_int_equal(e.code, ZR_NOTFOUND);
	assert_string_equal(e.text, "no such zone");
	assert_false(ctl_client_broken(c));
	finish(&p, c);
}

static void
nonsense(void **state)
{
	static const char *const pieces[] = {"220 mail.example ESMTP\n", NULL};
	struct peer p;
	struct zr_err e;
	const char *line;

	(void)state;
	start(&p, pieces, 0);
	struct ctl_client *c = ask(&p);
	assert_int_equal(ctl_client_line(c, &line, &e), -1);
	assert_true(ctl_client_broken(c));
	finish(&p, c);
}

static void
cut_off(void **state)
{
	static const char *const pieces[] = {"{\"a\":1}\n{\"b", NULL};
	struct peer p;
	struct zr_err e;
	const char *line;

	(void)state;
	start(&p, pieces, 0);
	struct ctl_client *c = ask(&p);
	assert_int_equal(ctl_client_line(c, &line, &e), 1);
	assert_int_equal(ctl_client_line(c, &line, &e), -1);
	assert_int_equal(e.code, ZR_CLOSED);
	assert_true(ctl_client_broken(c));
	finish(&p, c);
}

static void
silence(void **state)
{
	static const char *const pieces[] = {NULL};
	struct peer p;
	struct zr_err e;
	const char *line;

	(void)state;
	start(&p, pieces, 300);
	struct ctl_client *c = ask(&p);
	ctl_client_timeout(c, 50);
	assert_int_equal(ctl_client_line(c, &line, &e), -1);
	assert_int_equal(e.code, ZR_TIMEOUT);
	assert_true(ctl_client_broken(c));
	finish(&p, c);
}

static void
nobody(void **state)
{
	struct ctl_client *c;
	struct zr_err e;
	char longpath[200];

	(void)state;
	assert_int_equal(ctl_client_open(&c, "/nonexistent/sock", &e), -1);
	assert_int_equal(e.code, ZR_CLOSED);
	assert_null(c);
	memset(longpath, 'p', sizeof(longpath) - 1);
	longpath[sizeof(longpath) - 1] = '\0';
	assert_int_equal(ctl_client_open(&c, longpath, &e), -1);
	assert_int_equal(e.code, ZR_IO);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(body_and_ok),
	    cmocka_unit_test(errors),
	    cmocka_unit_test(nonsense),
	    cmocka_unit_test(cut_off),
	    cmocka_unit_test(silence),
	    cmocka_unit_test(nobody),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
