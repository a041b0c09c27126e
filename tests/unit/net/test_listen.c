/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/listen.h"
#include "pump.h"

#include <fcntl.h>
#include <sys/resource.h>

static struct event_base *base;

struct seen {
	struct listen_sock *sock;
	unsigned count;
	int fd[256];
	struct zr_addr peer, local;
	bool pause, close;
};

static void
on_accept(void *arg, int fd, const struct zr_addr *peer, const struct zr_addr *local)
{
	struct seen *s = arg;

	s->fd[s->count++] = fd;
	s->peer = *peer;
	s->local = *local;
	if (s->pause)
		listen_pause(s->sock);
	if (s->close)
		listen_close(s->sock);
}

static struct zr_addr
open_at(struct seen *s, const char *text)
{
	struct zr_addr a = ip(text);
	struct zr_err e = {0};

	s->sock = listen_open(base, &a, 0, on_accept, s, &e);
	if (s->sock == NULL)
		fail_msg("%s", e.text);
	return *listen_addr(s->sock);
}

static int
client(const struct zr_addr *server)
{
	struct zr_addr a = ip(server->family == 4 ? "127.0.0.1" : "::1");
	int fd = plain_bound(SOCK_STREAM, &a);

	assert_int_equal(plain_connect(fd, server), 0);
	return fd;
}

static void
close_all(struct seen *s)
{
	for (unsigned i = 0; i < s->count; i++)
		close(s->fd[i]);
}

static void
test_accept(void **state)
{
	struct seen s = {0};
	struct zr_addr server = at("127.0.0.9", open_at(&s, "0.0.0.0").port), me = ip("127.0.0.8");
	int fd = plain_bound(SOCK_STREAM, &me);

	(void)state;
	assert_int_equal(plain_connect(fd, &server), 0);
	PUMP(base, s.count == 1);
	assert_true(addr_equal(&s.peer, &me));
	assert_true(addr_equal(&s.local, &server));
	assert_true((fcntl(s.fd[0], F_GETFL) & O_NONBLOCK) != 0);
	assert_true((fcntl(s.fd[0], F_GETFD) & FD_CLOEXEC) != 0);
	assert_int_equal(listen_stats(s.sock)->accepted, 1);
	listen_close(s.sock);
	close_all(&s);
	close(fd);
}

static void
test_ipv6_leaves_ipv4_alone(void **state)
{
	struct seen six = {0}, four = {0};
	struct zr_addr a;
	struct zr_err e;
	int fd;

	(void)state;
	if (!have_ipv6())
		skip();
	a = open_at(&six, "::1");
	fd = client(&a);
	PUMP(base, six.count == 1);
	assert_int_equal(six.peer.family, 6);
	close(fd);
	listen_close(six.sock);
	close_all(&six);
	a = at("0.0.0.0", open_at(&six, "::").port);
	four.sock = listen_open(base, &a, 5, on_accept, &four, &e);
	assert_non_null(four.sock);
	listen_close(four.sock);
	listen_close(six.sock);
}

static void
test_open_failure_is_told(void **state)
{
	struct seen s = {0};
	struct zr_addr a = open_at(&s, "127.0.0.1");
	struct zr_err e = {0};

	(void)state;
	assert_null(listen_open(base, &a, 0, on_accept, NULL, &e));
	assert_int_equal(e.code, ZR_IO);
	assert_non_null(strstr(e.text, "127.0.0.1@"));
	listen_close(s.sock);
}

static void
test_many_and_pause(void **state)
{
	struct seen s = {.pause = true};
	struct zr_addr a = open_at(&s, "127.0.0.1");
	int fd[100];

	(void)state;
	for (int i = 0; i < 100; i++)
		fd[i] = client(&a);
	PUMP(base, s.count == 1);
	pump_for(base, 30);
	assert_int_equal(s.count, 1); /* the others wait in the backlog */
	s.pause = false;
	listen_resume(s.sock);
	PUMP(base, s.count == 100);
	listen_close(s.sock);
	close_all(&s);
	for (int i = 0; i < 100; i++)
		close(fd[i]);
}

/* Under valgrind, which refuses after the kernel has accepted, each refusal takes two of them. */
#define CROWD 6

/* TB-12: nobody hangs, the loop does not spin, and all is well when descriptors are back. */
static void
test_no_descriptor_left(void **state)
{
	struct seen s = {0};
	struct zr_addr a = open_at(&s, "127.0.0.1");
	struct rlimit before, now;
	int fd[CROWD], next = client(&a), top;
	int64_t begin;
	char c;

	(void)state;
	PUMP(base, s.count == 1);
	for (int i = 0; i < CROWD; i++)
		fd[i] = client(&a);
	top = dup(0);
	close(top);
	getrlimit(RLIMIT_NOFILE, &before);
	now = before;
	now.rlim_cur = (rlim_t)top;
	setrlimit(RLIMIT_NOFILE, &now);
	begin = clock_now().mono.us;
	pump_for(base, 100);
	assert_int_equal(s.count, 1);
	/* It rests 200 ms each time; this machine may be slow, but it must not spin. */
	assert_in_range(listen_stats(s.sock)->shed, 1,
	    1 + (clock_now().mono.us - begin) / (200 * ZR_US_PER_MS));
	assert_int_equal(listen_stats(s.sock)->pauses, listen_stats(s.sock)->shed);
	assert_int_equal(recv(fd[0], &c, 1, 0), 0);  /* closed, not left hanging */
	PUMP(base, listen_stats(s.sock)->shed >= 2); /* the reserve was made again */
	setrlimit(RLIMIT_NOFILE, &before);
	if (listen_stats(s.sock)->shed < CROWD / 2)
		PUMP(base, s.count > 1);
	assert_int_equal(listen_stats(s.sock)->accepted, s.count);
	listen_close(s.sock);
	close_all(&s);
	for (int i = 0; i < CROWD; i++)
		close(fd[i]);
	close(next);
}

static void
test_close_in_the_callback(void **state)
{
	struct seen s = {.close = true};
	struct zr_addr a = open_at(&s, "127.0.0.1");
	int one = client(&a), two = client(&a);

	(void)state;
	PUMP(base, s.count == 1);
	pump_for(base, 20);
	assert_int_equal(s.count, 1);
	listen_close(NULL);
	close_all(&s);
	close(one);
	close(two);
}

static int
setup(void **state)
{
	(void)state;
	base = event_base_new();
	return base == NULL;
}

static int
teardown(void **state)
{
	(void)state;
	event_base_free(base);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_accept),
	    cmocka_unit_test(test_ipv6_leaves_ipv4_alone),
	    cmocka_unit_test(test_open_failure_is_told),
	    cmocka_unit_test(test_many_and_pause),
	    cmocka_unit_test(test_no_descriptor_left),
	    cmocka_unit_test(test_close_in_the_callback),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
