/* SPDX-License-Identifier: BSD-2-Clause */
/* Octets in and out; how connections begin and end is in test_conn_life.c. */
#include "conn_pair.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

/* ---- reading ---- */

static const char three[] = "\0\3one\0\0\0\5three"; /* and an empty one between */
#define THREE_LEN (sizeof(three) - 1)

static void
test_messages_in_any_pieces(void **state)
{
	(void)state;
	for (size_t cut = 0; cut <= THREE_LEN; cut++) {
		struct seen *s = start((struct conn_spec){0});

		say(s, three, cut);
		pump_once(base, 2);
		say(s, three + cut, THREE_LEN - cut);
		PUMP(base, s->messages == 3);
		got_is(s, "onethree");
		assert_int_equal(conn_stats(s->c)->messages_in, 3);
		assert_int_equal(conn_stats(s->c)->octets_in, THREE_LEN);
		stop(s);
	}
}

static void
test_octet_by_octet(void **state)
{
	struct seen *s = start((struct conn_spec){0});

	(void)state;
	for (size_t i = 0; i < THREE_LEN; i++) {
		say(s, three + i, 1);
		pump_once(base, 2);
	}
	PUMP(base, s->messages == 3);
	got_is(s, "onethree");
	stop(s);
}

static void
test_largest_message(void **state)
{
	struct seen *s = start((struct conn_spec){0});
	uint8_t *big = malloc(2 + 65535);

	(void)state;
	memset(big, 0xff, 2);
	for (size_t i = 2; i < 2 + 65535; i++)
		big[i] = (uint8_t)(i * 7);
	say(s, big, 2 + 65535);
	PUMP(base, s->messages == 1);
	assert_int_equal(s->got_len, 65535);
	assert_memory_equal(s->got, big + 2, 65535);
	free(big);
	stop(s);
}

static void
test_pause_holds_back_what_was_read(void **state)
{
	struct seen *s = start((struct conn_spec){0});

	(void)state;
	s->pause_each = true;
	say(s, three, THREE_LEN);
	PUMP(base, s->messages == 1);
	for (unsigned i = 2; i <= 3; i++) {
		pump_for(base, 10);
		assert_int_equal(s->messages, i - 1);
		conn_resume(s->c);
		assert_int_equal(s->messages, i - 1); /* never from inside */
		PUMP(base, s->messages == i);
	}
	got_is(s, "onethree");
	s->pause_each = false;
	say(s, three, THREE_LEN);
	pump_for(base, 10);
	assert_int_equal(s->messages, 3);
	conn_resume(s->c);
	PUMP(base, s->messages == 6);
	stop(s);
}

/* A paused connection takes nothing from the kernel: the peer's window closes. */
static void
test_pause_slows_the_peer(void **state)
{
	struct seen *s = start((struct conn_spec){0});
	uint8_t block[65536] = {0};
	size_t sent = 0;
	ssize_t n;

	(void)state;
	conn_pause(s->c);
	while ((n = send(s->peer, block, sizeof(block), MSG_DONTWAIT)) > 0) {
		sent += (size_t)n;
		pump_once(base, 1);
		assert_true(sent < (size_t)64 << 20);
	}
	assert_int_equal(conn_stats(s->c)->octets_in, 0);
	conn_resume(s->c);
	PUMP(base, conn_stats(s->c)->octets_in == sent);
	stop(s);
}

/* ---- writing ---- */

static void
test_send_puts_the_length_in_front(void **state)
{
	struct seen *s = start((struct conn_spec){0});
	uint8_t *big = calloc(1, 65536);
	char raw[32];

	(void)state;
	assert_true(conn_send(s->c, "head", 4, "body", 4));
	assert_int_equal(conn_pending(s->c), 10);
	assert_int_equal(recv(s->peer, raw, sizeof(raw), MSG_DONTWAIT), -1);
	pump_once(base, 100);
	/* TC-12: all in one segment. */
	assert_int_equal(recv(s->peer, raw, sizeof(raw), 0), 10);
	assert_memory_equal(raw, "\0\10headbody", 10);
	assert_int_equal(conn_pending(s->c), 0);
	assert_int_equal(s->drained, 1);
	assert_true(conn_send(s->c, NULL, 0, NULL, 0));
	pump_once(base, 100);
	hear(s, "\0\0", 2);
	assert_false(conn_send(s->c, big, 1, big, 65535));
	assert_false(conn_send(s->c, big, 65536, NULL, 0));
	assert_int_equal(conn_pending(s->c), 0);
	assert_true(conn_send(s->c, big, 1, big, 65534));
	PUMP(base, conn_pending(s->c) == 0);
	assert_int_equal(conn_stats(s->c)->messages_out, 3);
	assert_int_equal(conn_stats(s->c)->octets_out, 12 + 65537);
	free(big);
	stop(s);
}

/* A message is written where it is sent from; one that is not ended leaves no trace. */
static void
test_message_in_its_place(void **state)
{
	struct seen *s = start((struct conn_spec){0});
	uint8_t *big = calloc(1, 65536);
	char raw[32];
	struct buf b;

	(void)state;
	assert_true(conn_send(s->c, "one", 3, NULL, 0));
	assert_true(conn_begin_message(s->c, &b));
	buf_str(&b, "nothing of this");
	assert_true(conn_begin_message(s->c, &b));
	buf_str(&b, "head");
	buf_str(&b, "body");
	assert_true(conn_end_message(s->c, &b));
	assert_int_equal(conn_pending(s->c), 15);
	pump_once(base, 100);
	assert_int_equal(recv(s->peer, raw, sizeof(raw), 0), 15);
	assert_memory_equal(raw, "\0\3one\0\10headbody", 15);
	assert_int_equal(s->drained, 1);
	assert_int_equal(conn_stats(s->c)->messages_out, 2);

	assert_true(conn_begin_message(s->c, &b));
	buf_bytes(&b, big, 65536);
	assert_false(conn_end_message(s->c, &b));
	assert_true(conn_begin_message(s->c, &b));
	buf_bytes(&b, big, 65535);
	assert_true(conn_end_message(s->c, &b));
	assert_int_equal(conn_pending(s->c), 65537);
	PUMP(base, conn_pending(s->c) == 0);

	conn_finish(s->c);
	assert_false(conn_begin_message(s->c, &b));
	free(big);
	stop(s);
}

#define STREAM_MESSAGES 3000
#define STREAM_SIZE 16000
#define STREAM_WHOLE (2 + sizeof(unsigned) + STREAM_SIZE)
#define LOW 65536
#define HIGH 262144

struct stream {
	unsigned made; /* messages */
	unsigned seen; /* by the peer */
	size_t most;   /* octets ever pending */
	uint8_t in[STREAM_WHOLE];
	size_t have;
};

static void
produce(struct stream *st, struct conn *c)
{
	uint8_t body[STREAM_SIZE];

	while (st->made < STREAM_MESSAGES && conn_pending(c) < HIGH) {
		memset(body, (int)(st->made % 251), sizeof(body));
		assert_true(conn_send(c, &st->made, sizeof(st->made), body, sizeof(body)));
		st->made++;
	}
	if (conn_pending(c) > st->most)
		st->most = conn_pending(c);
}

static void
on_stream_drained(void *arg, struct conn *c)
{
	struct seen *s = arg;

	s->drained++;
	assert_true(conn_pending(c) <= LOW);
	produce(s->more, c);
}

/* What has come, without waiting, up to one message. */
static bool
swallow(int fd, struct stream *st)
{
	ssize_t n = recv(fd, st->in + st->have, STREAM_WHOLE - st->have, MSG_DONTWAIT);

	if (n <= 0)
		return false;
	st->have += (size_t)n;
	if (st->have == STREAM_WHOLE) {
		assert_memory_equal(st->in + 2, &st->seen, sizeof(st->seen));
		assert_int_equal(st->in[2 + sizeof(unsigned)], st->seen % 251);
		assert_int_equal(st->in[STREAM_WHOLE - 1], st->seen % 251);
		st->have = 0;
		st->seen++;
	}
	return true;
}

/* 48 MB through a queue that never holds much more than the high mark. */
static void
test_streaming(void **state)
{
	static const struct conn_ops stream_ops = {
	    .message = on_message,
	    .drained = on_stream_drained,
	    .closed = on_closed,
	};
	struct seen *s = start((struct conn_spec){.ops = &stream_ops, .low_mark = LOW});
	struct stream *st = calloc(1, sizeof(*st));
	int64_t end = clock_now().mono.us + patience_us();

	(void)state;
	s->more = st;
	produce(st, s->c);
	while (st->seen < STREAM_MESSAGES) {
		/* In fits, so that the socket is sometimes full and sometimes empty. */
		for (int i = 0; i < 400 && swallow(s->peer, st); i++)
			;
		pump_once(base, 1);
		assert_true(clock_now().mono.us < end);
	}
	assert_int_equal(conn_pending(s->c), 0);
	assert_int_equal(conn_stats(s->c)->octets_out, STREAM_MESSAGES * STREAM_WHOLE);
	assert_in_range(st->most, HIGH, HIGH + STREAM_WHOLE);
	assert_true(s->drained > 10);
	free(st);
	stop(s);
}

/* What waits for the low mark is told once. */
static void
test_drained_waits_for_the_low_mark(void **state)
{
	struct seen *s = start((struct conn_spec){.low_mark = 1000});
	uint8_t block[60000] = {0};

	(void)state;
	do {
		assert_true(conn_send(s->c, block, sizeof(block), NULL, 0));
		pump_once(base, 2);
	} while (conn_pending(s->c) < 10 * sizeof(block));
	s->drained = 0;
	while (conn_pending(s->c) > 1000) {
		pump_once(base, 2);
		assert_int_equal(s->drained, conn_pending(s->c) <= 1000);
		while (recv(s->peer, block, sizeof(block), MSG_DONTWAIT) > 0)
			;
	}
	pump_for(base, 10);
	assert_int_equal(s->drained, 1);
	stop(s);
}

/* A peer which asks and asks but does not read is not read either. */
static void
test_high_mark_stops_reading(void **state)
{
	enum { QUERIES = 8000, SIZE = 1002, MARK = 100000 };
	struct seen *s = start((struct conn_spec){.high_mark = MARK});
	uint8_t *all = calloc(QUERIES, SIZE), back[65536];
	size_t said = 0, heard = 0, most = 0;
	int small = 16384, quiet;
	ssize_t n;

	(void)state;
	setsockopt(s->peer, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	setsockopt(s->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	s->echo = true;
	for (size_t i = 0; i < QUERIES; i++)
		memcpy(all + i * SIZE, "\3\350", 2);
	for (quiet = 0; quiet < 20; quiet++) {
		while ((n = send(s->peer, all + said, QUERIES * SIZE - said, MSG_DONTWAIT)) > 0) {
			said += (size_t)n;
			quiet = 0;
		}
		pump_once(base, 2);
		if (conn_pending(s->c) > most)
			most = conn_pending(s->c);
	}
	assert_in_range(most, MARK, MARK + SIZE);
	assert_true(s->messages < QUERIES);
	while (heard < QUERIES * SIZE) {
		n = send(s->peer, all + said, QUERIES * SIZE - said, MSG_DONTWAIT);
		said += n > 0 ? (size_t)n : 0;
		n = recv(s->peer, back, sizeof(back), MSG_DONTWAIT);
		heard += n > 0 ? (size_t)n : 0;
		pump_once(base, 1);
	}
	assert_int_equal(s->messages, QUERIES);
	free(all);
	stop(s);
}

/* What was held back goes on when the queue is empty at once, without another event. */
static void
test_high_mark_lets_go(void **state)
{
	struct seen *s = start((struct conn_spec){.high_mark = 1});

	(void)state;
	s->echo = true;
	say(s, "\0\1a\0\1b\0\1c", 9);
	PUMP(base, s->messages == 3 && conn_pending(s->c) == 0);
	hear(s, "\0\1a\0\1b\0\1c", 9);
	stop(s);
}

static void
test_no_delay(void **state)
{
	struct seen *s = start((struct conn_spec){0});
	socklen_t len = sizeof(int);
	int on = 0;

	(void)state;
	assert_int_equal(getsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
	assert_int_not_equal(on, 0);
	stop(s);
}

static void
test_callback_closes_its_own(void **state)
{
	struct seen *s = start((struct conn_spec){0});

	(void)state;
	s->close_in_message = true;
	say(s, three, THREE_LEN);
	s->closed = 1; /* so that stop() does not close it again */
	PUMP(base, s->messages == 1);
	hear_end(s);
	pump_for(base, 10);
	assert_int_equal(s->messages, 1);
	stop(s);

	s = start((struct conn_spec){0});
	s->close_in_drained = true;
	s->closed = 1;
	assert_true(conn_send(s->c, "x", 1, NULL, 0));
	PUMP(base, s->drained == 1);
	hear(s, "\0\1x", 3);
	hear_end(s);
	stop(s);
}

static void
test_callback_closes_another(void **state)
{
	struct seen *s = start((struct conn_spec){0}), *victim = start((struct conn_spec){0});

	(void)state;
	/* Both have work in the same turn. */
	say(s, three, THREE_LEN);
	say(victim, three, THREE_LEN);
	assert_true(conn_send(victim->c, "x", 1, NULL, 0));
	s->victim = victim->c;
	victim->closed = 1;
	PUMP(base, s->messages == 3);
	hear_end_or_reset(victim);
	pump_for(base, 10);
	stop(victim);
	stop(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_messages_in_any_pieces),
	    cmocka_unit_test(test_octet_by_octet),
	    cmocka_unit_test(test_largest_message),
	    cmocka_unit_test(test_pause_holds_back_what_was_read),
	    cmocka_unit_test(test_pause_slows_the_peer),
	    cmocka_unit_test(test_send_puts_the_length_in_front),
	    cmocka_unit_test(test_message_in_its_place),
	    cmocka_unit_test(test_streaming),
	    cmocka_unit_test(test_drained_waits_for_the_low_mark),
	    cmocka_unit_test(test_high_mark_stops_reading),
	    cmocka_unit_test(test_high_mark_lets_go),
	    cmocka_unit_test(test_no_delay),
	    cmocka_unit_test(test_callback_closes_its_own),
	    cmocka_unit_test(test_callback_closes_another),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
