/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/udp.h"
#include "pump.h"

#include <errno.h>
#include <sys/syscall.h>

static struct event_base *base;
static unsigned again; /* so many calls of sendmmsg() find the socket full */

int
sendmmsg(int fd, struct mmsghdr *msg, unsigned n, int flags)
{
	if (again > 0) {
		again--;
		errno = EAGAIN;
		return -1;
	}
	return (int)syscall(SYS_sendmmsg, fd, msg, n, flags);
}

struct seen {
	struct udp_sock *sock;
	unsigned count;
	size_t len;
	uint8_t first;
	struct zr_addr from;
	struct udp_local local;
	bool echo;
	bool close;
};

static void
on_datagram(void *arg, const uint8_t *data, size_t len, const struct zr_addr *from,
    const struct udp_local *local)
{
	struct seen *s = arg;

	s->count++;
	s->len = len;
	s->first = len > 0 ? data[0] : 0;
	s->from = *from;
	s->local = *local;
	if (s->echo)
		assert_true(udp_send(s->sock, data, len, from, local));
	if (s->close)
		udp_close(s->sock);
}

static struct zr_addr
open_at(struct seen *s, const char *text)
{
	struct zr_addr a = ip(text);
	struct zr_err e = {0};

	s->sock = udp_open(base, &a, on_datagram, s, &e);
	if (s->sock == NULL)
		fail_msg("%s", e.text);
	assert_int_not_equal(udp_addr(s->sock)->port, 0);
	return *udp_addr(s->sock);
}

/* T-20: a connected client takes the reply only from the address it asked. */
static void
reply_from_asked(const char *any, const char *asked)
{
	struct seen s = {.echo = true};
	uint16_t port = open_at(&s, any).port;
	struct zr_addr server = at(asked, port), client = ip(asked);
	int fd = plain_bound(SOCK_DGRAM, &client);
	char back[16];

	assert_int_equal(plain_connect(fd, &server), 0);
	assert_int_equal(send(fd, "hello", 5, 0), 5);
	PUMP(base, s.count == 1);
	assert_int_equal(recv(fd, back, sizeof(back), 0), 5);
	assert_memory_equal(back, "hello", 5);
	assert_true(addr_equal(&s.from, &client));
	assert_true(addr_equal(&s.local.addr, &server));
	assert_int_equal(udp_stats(s.sock)->received, 1);
	assert_int_equal(udp_stats(s.sock)->sent, 1);
	close(fd);
	udp_close(s.sock);
}

static void
test_reply_leaves_from_the_address_asked(void **state)
{
	(void)state;
	reply_from_asked("0.0.0.0", "127.0.0.3");
	reply_from_asked("0.0.0.0", "127.0.0.1");
	reply_from_asked("127.0.0.2", "127.0.0.2");
}

static void
test_ipv6(void **state)
{
	struct seen six = {0}, four = {0};
	struct zr_addr a;
	struct zr_err e;

	(void)state;
	if (!have_ipv6())
		skip();
	reply_from_asked("::", "::1");
	/* The IPv6 socket leaves the IPv4 port to others. */
	a = at("0.0.0.0", open_at(&six, "::").port);
	four.sock = udp_open(base, &a, on_datagram, &four, &e);
	assert_non_null(four.sock);
	udp_close(four.sock);
	udp_close(six.sock);
}

static void
test_bind_failure_is_told(void **state)
{
	struct zr_addr a = ip("127.0.0.1"), foreign = ip("192.0.2.1");
	struct zr_err e = {0};
	int fd = plain_bound(SOCK_DGRAM, &a);

	(void)state;
	assert_null(udp_open(base, &a, on_datagram, NULL, &e));
	assert_int_equal(e.code, ZR_IO);
	assert_non_null(strstr(e.text, "cannot bind to 127.0.0.1@"));
	assert_null(udp_open(base, &foreign, on_datagram, NULL, &e));
	close(fd);
}

/* More than one batch each way. */
static void
test_bursts(void **state)
{
	struct seen s = {.echo = true};
	struct zr_addr server = open_at(&s, "127.0.0.1"), client = ip("127.0.0.1");
	int fd = plain_bound(SOCK_DGRAM, &client);
	uint8_t back[16], got[150] = {0};

	(void)state;
	assert_int_equal(plain_connect(fd, &server), 0);
	for (uint8_t i = 0; i < sizeof(got); i++)
		assert_int_equal(send(fd, &i, 1, 0), 1);
	PUMP(base, s.count == sizeof(got));
	for (unsigned i = 0; i < sizeof(got); i++) {
		assert_int_equal(recv(fd, back, sizeof(back), 0), 1);
		got[back[0]]++;
	}
	for (unsigned i = 0; i < sizeof(got); i++)
		assert_int_equal(got[i], 1);
	close(fd);
	udp_close(s.sock);
}

static void
test_send_outside_of_a_callback(void **state)
{
	struct seen s = {0};
	struct zr_addr client = ip("127.0.0.1");
	int fd = plain_bound(SOCK_DGRAM, &client);
	char back[16];

	(void)state;
	(void)open_at(&s, "127.0.0.1");
	assert_true(udp_send(s.sock, "one", 3, &client, NULL));
	assert_int_equal(recv(fd, back, sizeof(back), MSG_DONTWAIT), -1);
	pump_once(base, 100);
	assert_int_equal(recv(fd, back, sizeof(back), 0), 3);
	assert_true(udp_send(s.sock, "four", 4, &client, NULL));
	udp_flush(s.sock);
	assert_int_equal(recv(fd, back, sizeof(back), 0), 4);
	assert_true(udp_send(s.sock, "", 0, &client, NULL));
	udp_close(s.sock); /* what is queued gets its chance */
	assert_int_equal(recv(fd, back, sizeof(back), 0), 0);
	close(fd);
}

static void
test_queue_is_bounded_and_survives_a_full_socket(void **state)
{
	struct seen s = {0};
	struct zr_addr client = ip("127.0.0.1");
	int fd = plain_bound(SOCK_DGRAM, &client), n = 0;
	static uint8_t big[65508];
	char back[16];

	(void)state;
	(void)open_at(&s, "127.0.0.1");
	again = 2; /* now, and when the loop says that there is room */
	for (unsigned i = 0; i < 1024; i++)
		assert_true(udp_send(s.sock, &i, sizeof(i), &client, NULL));
	assert_false(udp_send(s.sock, "x", 1, &client, NULL));
	assert_int_equal(udp_stats(s.sock)->dropped, 1);
	udp_flush(s.sock);
	assert_int_equal(udp_stats(s.sock)->sent, 0);
	PUMP(base, udp_stats(s.sock)->sent == 1024);
	assert_int_equal(again, 0);
	for (unsigned i = 0; recv(fd, back, sizeof(back), MSG_DONTWAIT) == sizeof(i); i++, n++)
		assert_memory_equal(back, &i, sizeof(i)); /* in order */
	assert_true(n > 100);
	assert_false(udp_send(s.sock, big, sizeof(big), &client, NULL));
	close(fd);
	udp_close(s.sock);
}

/* What the kernel refuses is dropped; what stands behind it leaves all the same. */
static void
test_one_bad_destination_harms_no_other(void **state)
{
	struct seen s = {0};
	struct zr_addr client = ip("127.0.0.1"), bad = at("255.255.255.255", 9);
	int fd = plain_bound(SOCK_DGRAM, &client);
	char back[16];

	(void)state;
	(void)open_at(&s, "127.0.0.1");
	assert_true(udp_send(s.sock, "a", 1, &client, NULL));
	assert_true(udp_send(s.sock, "b", 1, &bad, NULL));
	assert_true(udp_send(s.sock, "c", 1, &client, NULL));
	udp_flush(s.sock);
	assert_int_equal(recv(fd, back, sizeof(back), 0), 1);
	assert_int_equal(back[0], 'a');
	assert_int_equal(recv(fd, back, sizeof(back), 0), 1);
	assert_int_equal(back[0], 'c');
	assert_int_equal(udp_stats(s.sock)->dropped, 1);
	close(fd);
	udp_close(s.sock);
}

static void
test_long_datagram_is_cut(void **state)
{
	struct seen s = {0};
	struct zr_addr server = open_at(&s, "127.0.0.1"), client = ip("127.0.0.1");
	int fd = plain_bound(SOCK_DGRAM, &client);
	static uint8_t big[UDP_DATAGRAM_MAX + 1] = {7};

	(void)state;
	plain_sendto(fd, big, sizeof(big), &server);
	PUMP(base, s.count == 1);
	assert_int_equal(s.len, UDP_DATAGRAM_MAX);
	assert_int_equal(s.first, 7);
	assert_int_equal(udp_stats(s.sock)->cut, 1);
	plain_sendto(fd, big, UDP_DATAGRAM_MAX, &server);
	plain_sendto(fd, big, 0, &server);
	PUMP(base, s.count == 3);
	assert_int_equal(s.len, 0);
	assert_int_equal(udp_stats(s.sock)->cut, 1);
	close(fd);
	udp_close(s.sock);
}

static void
test_close_in_the_callback(void **state)
{
	struct seen s = {.close = true, .echo = true};
	struct zr_addr server = open_at(&s, "127.0.0.1"), client = ip("127.0.0.1");
	int fd = plain_bound(SOCK_DGRAM, &client);
	char back[16];

	(void)state;
	for (int i = 0; i < 3; i++)
		plain_sendto(fd, "x", 1, &server);
	PUMP(base, s.count == 1);
	pump_for(base, 20);
	assert_int_equal(s.count, 1);
	assert_int_equal(recv(fd, back, sizeof(back), 0), 1);
	udp_close(NULL);
	close(fd);
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
	    cmocka_unit_test(test_reply_leaves_from_the_address_asked),
	    cmocka_unit_test(test_ipv6),
	    cmocka_unit_test(test_bind_failure_is_told),
	    cmocka_unit_test(test_bursts),
	    cmocka_unit_test(test_send_outside_of_a_callback),
	    cmocka_unit_test(test_queue_is_bounded_and_survives_a_full_socket),
	    cmocka_unit_test(test_one_bad_destination_harms_no_other),
	    cmocka_unit_test(test_long_datagram_is_cut),
	    cmocka_unit_test(test_close_in_the_callback),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
