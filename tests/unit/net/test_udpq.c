/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/udp.h"
#include "net/udpq.h"
#include "pump.h"

#include <netinet/in.h>
#include <sys/resource.h>

#define LONG_US (10 * ZR_US_PER_S)

static struct event_base *base;

/* What a query met, and what its callback does. */
struct ask {
	struct udpq *pool;
	struct udpq_query *q;
	struct udpq_query *cancel; /* in the callback */
	unsigned data, timeouts, errors;
	size_t len;
	uint8_t first;
	unsigned refuse; /* answers to refuse before one is accepted */
	struct zr_err err;
	struct zr_addr again; /* family set: send another query from the callback */
};

static bool
on_event(void *arg, enum udpq_event ev, const uint8_t *data, size_t len, const struct zr_err *e)
{
	struct ask *a = arg;

	a->timeouts += ev == UDPQ_TIMEOUT;
	if (ev == UDPQ_ERROR) {
		a->errors++;
		a->err = *e;
	}
	if (ev == UDPQ_DATA) {
		a->data++;
		a->len = len;
		a->first = len > 0 ? data[0] : 0;
	}
	udpq_cancel(a->cancel);
	a->cancel = NULL;
	if (a->again.family != 0) {
		struct zr_addr to = a->again;

		a->again.family = 0;
		a->q = udpq_send(a->pool, &to, NULL, "2", 1, LONG_US, on_event, a, &a->err);
	}
	if (ev == UDPQ_DATA && a->refuse > 0) {
		a->refuse--;
		return false;
	}
	return true;
}

static bool
ask(struct ask *a, struct udpq *pool, const struct zr_addr *dest, int64_t timeout_us)
{
	a->pool = pool;
	a->q = udpq_send(pool, dest, NULL, "?", 1, timeout_us, on_event, a, &a->err);
	return a->q != NULL;
}

/* A peer which reads one query and tells from where it came. */
static struct zr_addr
read_query(int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct zr_addr from;
	char q[16];

	assert_true(recvfrom(fd, q, sizeof(q), 0, (struct sockaddr *)&ss, &len) > 0);
	assert_true(addr_from_sockaddr((struct sockaddr *)&ss, &from));
	return from;
}

static void
test_answer(void **state)
{
	struct udpq *pool = udpq_new(base, 10);
	struct zr_addr peer = ip("127.0.0.1"), from;
	int fd = plain_bound(SOCK_DGRAM, &peer);
	struct ask a = {.refuse = 2};

	(void)state;
	assert_true(ask(&a, pool, &peer, LONG_US));
	assert_int_equal(udpq_count(pool), 1);
	from = read_query(fd);
	plain_sendto(fd, "wrong id", 8, &from);
	plain_sendto(fd, "", 0, &from);
	plain_sendto(fd, "yes", 3, &from);
	plain_sendto(fd, "late", 4, &from);
	PUMP(base, udpq_count(pool) == 0);
	assert_int_equal(a.data, 3);
	assert_int_equal(a.len, 3);
	assert_int_equal(a.first, 'y');
	udpq_free(pool);
	udpq_free(NULL);
	close(fd);
}

/* F-01, F-09: what comes from any other address or port is not even seen. */
static void
test_strangers_are_not_heard(void **state)
{
	struct udpq *pool = udpq_new(base, 10);
	struct zr_addr peer = ip("127.0.0.1"), other = ip("127.0.0.1"), third = ip("127.0.0.2");
	int fd = plain_bound(SOCK_DGRAM, &peer), spoof = plain_bound(SOCK_DGRAM, &other);
	int spoof2;
	struct zr_addr from;
	struct ask a = {0};

	(void)state;
	third.port = peer.port;
	spoof2 = plain_bound(SOCK_DGRAM, &third);
	assert_true(ask(&a, pool, &peer, LONG_US));
	from = read_query(fd);
	plain_sendto(spoof, "forged", 6, &from);
	plain_sendto(spoof2, "forged", 6, &from);
	pump_for(base, 30);
	assert_int_equal(a.data, 0);
	plain_sendto(fd, "true", 4, &from);
	PUMP(base, a.data == 1);
	assert_int_equal(a.first, 't');
	udpq_free(pool);
	close(fd);
	close(spoof);
	close(spoof2);
}

/* F-02: queries do not share a port, and ports do not follow each other. */
static void
test_ports_differ(void **state)
{
	enum { N = 40 };
	struct udpq *pool = udpq_new(base, N);
	struct zr_addr peer = ip("127.0.0.1");
	int fd = plain_bound(SOCK_DGRAM, &peer);
	struct ask a[N] = {{0}};
	uint16_t port[N];
	unsigned steps = 0;

	(void)state;
	for (int i = 0; i < N; i++) {
		assert_true(ask(&a[i], pool, &peer, LONG_US));
		port[i] = read_query(fd).port;
		for (int k = 0; k < i; k++)
			assert_int_not_equal(port[i], port[k]);
		if (i > 0)
			steps += abs((int)port[i] - (int)port[i - 1]) <= 2;
	}
	assert_true(steps < 5);
	udpq_free(pool); /* with all of them under way */
	close(fd);
}

static void
test_source(void **state)
{
	struct udpq *pool = udpq_new(base, 10);
	struct zr_addr peer = ip("127.0.0.1"), source = ip("127.0.0.5"), from;
	struct zr_addr foreign = ip("192.0.2.77");
	int fd = plain_bound(SOCK_DGRAM, &peer);
	struct ask a = {0};

	(void)state;
	a.q = udpq_send(pool, &peer, &source, "?", 1, LONG_US, on_event, &a, &a.err);
	assert_non_null(a.q);
	from = read_query(fd);
	assert_true(addr_ip_equal(&from, &source));
	plain_sendto(fd, "yes", 3, &from);
	PUMP(base, a.data == 1);
	assert_null(udpq_send(pool, &peer, &foreign, "?", 1, LONG_US, on_event, &a, &a.err));
	assert_int_equal(a.err.code, ZR_IO);
	udpq_free(pool);
	close(fd);
}

/* A flood of wrong answers does not put off the end. */
static void
test_timeout(void **state)
{
	struct udpq *pool = udpq_new(base, 10);
	struct zr_addr peer = ip("127.0.0.1"), from;
	int fd = plain_bound(SOCK_DGRAM, &peer);
	struct ask a = {.refuse = 100000};
	int64_t start = clock_now().mono.us, took;

	(void)state;
	assert_true(ask(&a, pool, &peer, 100 * ZR_US_PER_MS));
	from = read_query(fd);
	while (a.timeouts == 0) {
		plain_sendto(fd, "no", 2, &from);
		pump_once(base, 5);
		assert_true(clock_now().mono.us - start < patience_us());
	}
	took = clock_now().mono.us - start;
	/* libevent counts from the beginning of the turn, which may be some time ago on a busy
	 * machine */
	assert_true(took >= 50 * ZR_US_PER_MS && took < 5 * ZR_US_PER_S);
	assert_true(a.data > 3);
	assert_int_equal(udpq_count(pool), 0);
	udpq_free(pool);
	close(fd);
}

/* N-13: a repeat comes from the same port, and an answer to either one counts. */
static void
test_resend(void **state)
{
	struct udpq *pool = udpq_new(base, 10);
	struct zr_addr peer = ip("127.0.0.1"), first, second;
	int fd = plain_bound(SOCK_DGRAM, &peer);
	struct ask a = {0};

	(void)state;
	assert_true(ask(&a, pool, &peer, 300 * ZR_US_PER_MS));
	first = read_query(fd);
	pump_for(base, 200);
	assert_true(udpq_resend(a.q, "?", 1, 600 * ZR_US_PER_MS));
	second = read_query(fd);
	assert_true(addr_equal(&first, &second));
	pump_for(base, 250); /* the first time is up, the new one is not */
	assert_int_equal(a.timeouts, 0);
	plain_sendto(fd, "yes", 3, &first);
	PUMP(base, a.data == 1);
	assert_int_equal(udpq_count(pool), 0);
	udpq_free(pool);
	close(fd);
}

/* The process stood still for longer than the answer took: what the kernel has is no silence. */
static void
test_answer_while_standing_still(void **state)
{
	struct udpq *pool = udpq_new(base, 10);
	struct zr_addr peer = ip("127.0.0.1"), from;
	int fd = plain_bound(SOCK_DGRAM, &peer);
	struct ask a = {.refuse = 1};

	(void)state;
	assert_true(ask(&a, pool, &peer, 20 * ZR_US_PER_MS));
	from = read_query(fd);
	plain_sendto(fd, "no", 2, &from);
	plain_sendto(fd, "yes", 3, &from);
	usleep(50000);
	PUMP(base, udpq_count(pool) == 0);
	assert_int_equal(a.timeouts, 0);
	assert_int_equal(a.data, 2);
	assert_int_equal(a.first, 'y');
	udpq_free(pool);
	close(fd);
}

static void
test_icmp_error(void **state)
{
	struct udpq *pool = udpq_new(base, 10);
	struct zr_addr peer = ip("127.0.0.1");
	int fd = plain_bound(SOCK_DGRAM, &peer);
	struct ask a = {0};

	(void)state;
	close(fd); /* nobody there now */
	assert_true(ask(&a, pool, &peer, LONG_US));
	PUMP(base, a.errors == 1);
	assert_int_equal(a.err.code, ZR_IO);
	assert_non_null(strstr(a.err.text, "no answer from 127.0.0.1@"));
	assert_int_equal(udpq_count(pool), 0);
	udpq_free(pool);
}

static void
test_limit(void **state)
{
	struct udpq *pool = udpq_new(base, 2);
	struct zr_addr peer = ip("127.0.0.1"), from;
	int fd = plain_bound(SOCK_DGRAM, &peer);
	struct ask a[3] = {{0}};

	(void)state;
	assert_true(ask(&a[0], pool, &peer, LONG_US));
	assert_false(udpq_full(pool));
	assert_true(ask(&a[1], pool, &peer, LONG_US));
	assert_true(udpq_full(pool));
	assert_false(ask(&a[2], pool, &peer, LONG_US));
	assert_int_equal(a[2].err.code, ZR_LIMIT);
	udpq_set_max(pool, 3);
	assert_true(ask(&a[2], pool, &peer, LONG_US));
	from = read_query(fd);
	plain_sendto(fd, "yes", 3, &from);
	PUMP(base, udpq_count(pool) == 2);
	assert_int_equal(a[0].data, 1);
	udpq_free(pool);
	close(fd);
}

/* TB-12: without descriptors a query is a matter of waiting, not a failure. */
static void
test_no_descriptor_left(void **state)
{
	struct udpq *pool = udpq_new(base, 10);
	struct zr_addr peer = ip("127.0.0.1");
	int fd = plain_bound(SOCK_DGRAM, &peer);
	struct rlimit before, now;
	struct ask a = {0};

	(void)state;
	getrlimit(RLIMIT_NOFILE, &before);
	now = before;
	now.rlim_cur = 3;
	setrlimit(RLIMIT_NOFILE, &now);
	assert_false(ask(&a, pool, &peer, LONG_US));
	setrlimit(RLIMIT_NOFILE, &before);
	assert_int_equal(a.err.code, ZR_LIMIT);
	assert_true(ask(&a, pool, &peer, LONG_US));
	udpq_free(pool);
	close(fd);
}

static void
test_callback_cancels_and_sends(void **state)
{
	struct udpq *pool = udpq_new(base, 10);
	struct zr_addr peer = ip("127.0.0.1"), from;
	int fd = plain_bound(SOCK_DGRAM, &peer);
	struct ask own = {.refuse = 5}, other = {0}, third = {0};

	(void)state;
	assert_true(ask(&own, pool, &peer, LONG_US));
	own.cancel = own.q; /* although it says "go on waiting" */
	from = read_query(fd);
	plain_sendto(fd, "a", 1, &from);
	plain_sendto(fd, "b", 1, &from);
	PUMP(base, udpq_count(pool) == 0);
	assert_int_equal(own.data, 1);

	assert_true(ask(&other, pool, &peer, LONG_US));
	(void)read_query(fd);
	assert_true(ask(&third, pool, &peer, 20 * ZR_US_PER_MS));
	(void)read_query(fd);
	third.cancel = other.q;
	third.again = peer;
	PUMP(base, third.timeouts == 1);
	assert_int_equal(udpq_count(pool), 1);
	from = read_query(fd);
	plain_sendto(fd, "c", 1, &from);
	PUMP(base, udpq_count(pool) == 0);
	assert_int_equal(third.first, 'c');
	assert_int_equal(other.data + other.timeouts + other.errors, 0);
	udpq_cancel(NULL);
	udpq_free(pool);
	close(fd);
}

static void
echo(void *arg, const uint8_t *data, size_t len, const struct zr_addr *from,
    const struct udp_local *local)
{
	udp_send(*(struct udp_sock **)arg, data, len, from, local);
}

/* Both ends in one loop: thousands of queries, 100 at a time. */
static void
test_many(void **state)
{
	enum { TOTAL = 5000, WIDTH = 100 };
	struct udpq *pool = udpq_new(base, WIDTH);
	struct ask a = {0};
	struct udp_sock *server;
	struct zr_addr any = ip("127.0.0.1");
	int64_t start = clock_now().mono.us;
	unsigned sent = 0;

	(void)state;
	server = udp_open(base, &any, echo, &server, NULL);
	assert_non_null(server);
	while (a.data + a.timeouts + a.errors < TOTAL) {
		while (sent < TOTAL && !udpq_full(pool)) {
			assert_true(ask(&a, pool, udp_addr(server), LONG_US));
			sent++;
		}
		pump_once(base, 20);
		assert_true(clock_now().mono.us - start < patience_us());
	}
	assert_int_equal(a.data, TOTAL);
	print_message(
	    "%d queries in %d ms\n", TOTAL, (int)((clock_now().mono.us - start) / ZR_US_PER_MS));
	udp_close(server);
	udpq_free(pool);
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
	    cmocka_unit_test(test_answer),
	    cmocka_unit_test(test_strangers_are_not_heard),
	    cmocka_unit_test(test_ports_differ),
	    cmocka_unit_test(test_source),
	    cmocka_unit_test(test_timeout),
	    cmocka_unit_test(test_resend),
	    cmocka_unit_test(test_answer_while_standing_still),
	    cmocka_unit_test(test_icmp_error),
	    cmocka_unit_test(test_limit),
	    cmocka_unit_test(test_no_descriptor_left),
	    cmocka_unit_test(test_callback_cancels_and_sends),
	    cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
