/* SPDX-License-Identifier: BSD-2-Clause */
/* How connections begin and end: connect, timers, half-closed peers, finish. */
#include "conn_pair.h"

#include <netinet/in.h>

#define MS ZR_US_PER_MS

static void
why_is(struct seen *s, enum zr_code code, const char *part)
{
	assert_int_equal(s->closed, 1);
	assert_string_equal(zr_code_name(s->why.code), zr_code_name(code));
	if (strstr(s->why.text, part) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", s->why.text, part);
}

/* Resets instead of closing. */
static void
reset_peer(struct seen *s)
{
	struct linger now = {1, 0};

	setsockopt(s->peer, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(s->peer);
	s->peer = -1;
}

/* ---- the peer ends ---- */

static void
test_peer_closes(void **state)
{
	struct seen *s = start((struct conn_spec){0});

	(void)state;
	s->close_in_closed = true;
	shutdown(s->peer, SHUT_WR);
	PUMP(base, s->closed);
	why_is(s, ZR_CLOSED, "the peer closed the connection");
	stop(s);

	s = start((struct conn_spec){0});
	say(s, "\0\5par", 5);
	shutdown(s->peer, SHUT_WR);
	PUMP(base, s->closed);
	why_is(s, ZR_CLOSED, "in the middle of a message");
	assert_int_equal(s->messages, 0);
	stop(s);
}

static void
test_peer_resets(void **state)
{
	struct seen *s = start((struct conn_spec){0});

	(void)state;
	reset_peer(s);
	PUMP(base, s->closed);
	why_is(s, ZR_CLOSED, "reset");
	stop(s);

	/* Seen when writing, too, and without SIGPIPE. */
	s = start((struct conn_spec){0});
	conn_pause(s->c);
	reset_peer(s);
	for (int i = 0; i < 100 && !s->closed; i++) {
		conn_send(s->c, "x", 1, NULL, 0);
		pump_once(base, 5);
	}
	why_is(s, ZR_CLOSED, "cannot send to 127.0.0.1");
	stop(s);
}

/* TC-15: FIN right behind the query; the answer comes at once. */
static void
test_half_closed_answer_at_once(void **state)
{
	struct seen *s = start((struct conn_spec){0});

	(void)state;
	s->echo = true;
	say(s, "\0\1q\0\1r", 6);
	shutdown(s->peer, SHUT_WR);
	PUMP(base, s->closed);
	hear(s, "\0\1q\0\1r", 6);
	hear_end(s);
	why_is(s, ZR_CLOSED, "the peer closed");
	stop(s);
}

/* TC-15: the answers are still being made when the FIN comes. */
static void
test_half_closed_answer_later(void **state)
{
	struct seen *s = start((struct conn_spec){.idle_us = 20 * MS});

	(void)state;
	s->hold_each = true;
	say(s, "\0\1q\0\1r", 6);
	shutdown(s->peer, SHUT_WR);
	PUMP(base, s->messages == 2);
	pump_for(base, 60); /* nor does the idle timer end it */
	assert_int_equal(s->closed, 0);
	assert_true(conn_send(s->c, "first", 5, NULL, 0));
	conn_unhold(s->c);
	pump_for(base, 10);
	assert_int_equal(s->closed, 0);
	assert_true(conn_send(s->c, "second", 6, NULL, 0));
	conn_unhold(s->c);
	assert_int_equal(s->closed, 0); /* never from inside */
	PUMP(base, s->closed);
	hear(s, "\0\5first\0\6second", 15);
	hear_end(s);
	stop(s);
}

/* The peer is gone while answers are made: no signal, just the end. */
static void
test_peer_gone_while_answering(void **state)
{
	struct seen *s = start((struct conn_spec){0});

	(void)state;
	s->hold_each = true;
	say(s, "\0\1q", 3);
	close(s->peer);
	s->peer = -1;
	PUMP(base, s->messages == 1);
	pump_for(base, 10);
	for (int i = 0; i < 100 && !s->closed; i++) {
		conn_send(s->c, "x", 1, NULL, 0);
		pump_for(base, 5);
	}
	why_is(s, ZR_CLOSED, "cannot send to 127.0.0.1");
	stop(s);
}

/* Messages read before the FIN are handed out before the end. */
static void
test_half_closed_while_paused(void **state)
{
	struct seen *s = start((struct conn_spec){0});

	(void)state;
	s->pause_each = true;
	say(s, "\0\1q\0\1r", 6);
	shutdown(s->peer, SHUT_WR);
	PUMP(base, s->messages == 1);
	pump_for(base, 20);
	assert_int_equal(s->closed, 0);
	conn_resume(s->c);
	PUMP(base, s->messages == 2);
	assert_int_equal(s->closed, 0);
	conn_resume(s->c);
	PUMP(base, s->closed);
	got_is(s, "qr");
	stop(s);
}

/* ---- timers ---- */

static int64_t
closed_after(struct seen *s)
{
	int64_t begin = clock_now().mono.us;

	PUMP(base, s->closed);
	return clock_now().mono.us - begin;
}

static void
test_idle(void **state)
{
	struct seen *s = start((struct conn_spec){.idle_us = 500 * MS});

	(void)state;
	for (int i = 0; i < 7; i++) { /* complete messages keep it open */
		pump_for(base, 100);
		say(s, "\0\1x", 3);
	}
	assert_int_equal(s->closed, 0);
	assert_true(closed_after(s) >= 400 * MS);
	why_is(s, ZR_TIMEOUT, "idle");
	stop(s);
}

/* TC-08: octets alone do not keep a connection open. */
static void
test_idle_is_not_reset_by_octets(void **state)
{
	struct seen *s = start((struct conn_spec){.idle_us = 80 * MS});
	int64_t begin = clock_now().mono.us;

	(void)state;
	say(s, "\1\0", 2);
	for (int i = 0; i < 200 && !s->closed; i++) {
		send(s->peer, "x", 1, MSG_NOSIGNAL);
		pump_for(base, 5);
	}
	why_is(s, ZR_TIMEOUT, "idle");
	assert_true(clock_now().mono.us - begin >= 75 * MS);
	stop(s);
}

static void
test_message_deadline(void **state)
{
	struct seen *s = start((struct conn_spec){.message_us = 80 * MS});
	int64_t begin;

	(void)state;
	pump_for(base, 120); /* it does not run between messages */
	assert_int_equal(s->closed, 0);
	begin = clock_now().mono.us;
	say(s, "\0\1x\0\300", 5); /* a whole one, and the start of the next */
	for (int i = 0; i < 150 && !s->closed; i++) {
		send(s->peer, "x", 1, MSG_NOSIGNAL);
		pump_for(base, 5);
	}
	why_is(s, ZR_TIMEOUT, "not complete");
	assert_true(clock_now().mono.us - begin >= 75 * MS);
	assert_int_equal(s->messages, 1);
	stop(s);
}

/* Always in the middle of a message, but each comes in time. */
static void
test_message_deadline_is_per_message(void **state)
{
	struct seen *s = start((struct conn_spec){.message_us = 500 * MS});

	(void)state;
	say(s, "\0\2a", 3);
	for (int i = 0; i < 8; i++) {
		pump_for(base, 100);
		say(s, "b\0\2a", 4);
	}
	pump_for(base, 10);
	assert_int_equal(s->messages, 8);
	assert_int_equal(s->closed, 0);
	stop(s);
}

static void
test_no_idle_end_while_held(void **state)
{
	struct seen *s = start((struct conn_spec){.idle_us = 40 * MS});

	(void)state;
	conn_hold(s->c);
	pump_for(base, 120);
	assert_int_equal(s->closed, 0);
	conn_unhold(s->c);
	assert_true(closed_after(s) >= 30 * MS);
	why_is(s, ZR_TIMEOUT, "idle");
	stop(s);
}

/* The time in which we do not read is not the peer's fault. */
static void
test_no_deadline_while_paused(void **state)
{
	struct seen *s = start((struct conn_spec){.message_us = 40 * MS, .idle_us = 40 * MS});

	(void)state;
	s->pause_each = true;
	say(s, "\0\1x\0\2y", 5);
	PUMP(base, s->messages == 1);
	pump_for(base, 120);
	assert_int_equal(s->closed, 0);
	conn_resume(s->c);
	assert_true(closed_after(s) >= 35 * MS);
	stop(s);
}

static void
test_stall(void **state)
{
	struct seen *s = start((struct conn_spec){.stall_us = 80 * MS, .idle_us = 40 * MS});
	uint8_t block[60000] = {0};

	(void)state;
	while (conn_pending(s->c) < 10 * sizeof(block)) {
		assert_true(conn_send(s->c, block, sizeof(block), NULL, 0));
		pump_once(base, 1);
	}
	assert_true(closed_after(s) >= 40 * MS);
	why_is(s, ZR_TIMEOUT, "takes nothing");
	stop(s);
}

/* Slow is not stalled. */
static void
test_slow_reader_is_no_stall(void **state)
{
	struct seen *s = start((struct conn_spec){.stall_us = 500 * MS});
	int small = 8192;
	uint8_t block[60000] = {0};
	size_t before;

	(void)state;
	setsockopt(s->peer, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	setsockopt(s->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	for (int i = 0; i < 20; i++)
		assert_true(conn_send(s->c, block, sizeof(block), NULL, 0));
	pump_for(base, 50);
	before = conn_pending(s->c);
	assert_true(before > 10 * sizeof(block));
	for (int i = 0; i < 8; i++) {
		for (int k = 0; k < 4; k++)
			(void)recv(s->peer, block, sizeof(block), MSG_DONTWAIT);
		pump_for(base, 100);
	}
	assert_int_equal(s->closed, 0);
	assert_in_range(conn_pending(s->c), 1, before - 1);
	stop(s);
}

static void
test_set_idle(void **state)
{
	struct seen *s = start((struct conn_spec){0});

	(void)state;
	pump_for(base, 20);
	conn_set_idle(s->c, 10 * ZR_US_PER_S);
	conn_set_idle(s->c, 30 * MS); /* earlier than what the timer was set to */
	assert_true(closed_after(s) < 5 * ZR_US_PER_S);
	why_is(s, ZR_TIMEOUT, "idle");
	stop(s);

	s = start((struct conn_spec){.idle_us = 30 * MS});
	conn_set_idle(s->c, 0);
	pump_for(base, 80);
	assert_int_equal(s->closed, 0);
	stop(s);
}

/* ---- conn_finish() ---- */

static void
test_finish_sends_everything(void **state)
{
	struct seen *s = start((struct conn_spec){0});

	(void)state;
	s->finish_each = true;
	s->echo = true;
	say(s, "\0\1q\0\1r", 6);
	PUMP(base, s->messages == 1);
	hear(s, "\0\1q", 3);
	hear_end(s);
	assert_false(conn_send(s->c, "x", 1, NULL, 0));
	/* What the peer still says is swallowed, so that no reset overtakes the answer. */
	say(s, "\0\1s", 3);
	pump_for(base, 20);
	assert_int_equal(s->closed, 0);
	shutdown(s->peer, SHUT_WR);
	PUMP(base, s->closed);
	why_is(s, ZR_CLOSED, "finished");
	assert_int_equal(s->messages, 1);
	stop(s);
}

static void
test_finish_does_not_wait_for_ever(void **state)
{
	struct seen *s = start((struct conn_spec){0});
	int64_t took;

	(void)state;
	conn_finish(s->c);
	conn_finish(s->c);
	took = closed_after(s);
	assert_in_range(took, 1900 * MS, 10000 * MS);
	why_is(s, ZR_CLOSED, "finished");
	stop(s);
}

/* ---- outgoing ---- */

/* An outgoing connection to a plain listener, whose end is accepted later. */
static struct seen *
dial(struct conn_spec spec, const struct zr_addr *to, const struct zr_addr *source)
{
	struct seen *s = calloc(1, sizeof(*s));
	struct zr_err e = {0};

	spec.base = base;
	spec.ops = &ops;
	spec.arg = s;
	s->peer = -1;
	s->c = conn_connect(&spec, to, source, &e);
	if (s->c == NULL)
		fail_msg("%s", e.text);
	return s;
}

static void
test_connect(void **state)
{
	struct zr_addr to, source = ip("127.0.0.7"), from;
	int l = listener(&to);
	struct seen *s = dial((struct conn_spec){.connect_us = 10000 * MS}, &to, &source);
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	(void)state;
	assert_false(conn_is_up(s->c));
	assert_int_equal(conn_local(s->c)->family, 0);
	assert_true(conn_send(s->c, "early", 5, NULL, 0));
	PUMP(base, s->connected == 1);
	assert_true(conn_is_up(s->c));
	s->peer = accept(l, (struct sockaddr *)&ss, &len);
	assert_true(addr_from_sockaddr((struct sockaddr *)&ss, &from));
	assert_true(addr_ip_equal(&from, &source));
	assert_true(addr_equal(&from, conn_local(s->c)));
	assert_true(addr_equal(&to, conn_peer(s->c)));
	hear(s, "\0\5early", 7);
	say(s, "\0\2ok", 4);
	PUMP(base, s->messages == 1);
	got_is(s, "ok");
	/* A client takes no holds: the FIN is the end at once. */
	shutdown(s->peer, SHUT_WR);
	PUMP(base, s->closed);
	assert_int_equal(s->connected, 1);
	close(l);
	stop(s);
}

static void
test_connect_refused(void **state)
{
	struct zr_addr to = ip("127.0.0.1");
	int fd = plain_bound(SOCK_STREAM, &to); /* bound, not listening */
	struct seen *s = dial((struct conn_spec){0}, &to, NULL);

	(void)state;
	assert_int_equal(s->closed, 0);
	PUMP(base, s->closed);
	why_is(s, ZR_IO, "cannot connect to 127.0.0.1@");
	assert_int_equal(s->connected, 0);
	close(fd);
	stop(s);
}

static void
test_connect_fails_at_once(void **state)
{
	struct conn_spec spec = {.base = base, .ops = &ops};
	struct zr_addr to = at("127.0.0.1", 9), foreign = ip("192.0.2.1");
	struct zr_err e = {0};

	(void)state;
	assert_null(conn_connect(&spec, &to, &foreign, &e));
	assert_int_equal(e.code, ZR_IO);
	assert_non_null(strstr(e.text, "cannot bind to 192.0.2.1"));
}

/* A listener whose backlog is full lets SYNs fall. */
static void
test_connect_times_out(void **state)
{
	struct zr_addr to = ip("127.0.0.1");
	int l = plain_bound(SOCK_STREAM, &to), fill[4];
	struct seen *s;

	(void)state;
	assert_int_equal(listen(l, 0), 0);
	for (int i = 0; i < 4; i++) {
		fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)plain_connect(fill[i], &to);
	}
	pump_for(base, 20);
	s = dial((struct conn_spec){.connect_us = 80 * MS}, &to, NULL);
	assert_true(closed_after(s) >= 70 * MS);
	why_is(s, ZR_TIMEOUT, "no connection in time");
	for (int i = 0; i < 4; i++)
		close(fill[i]);
	close(l);
	stop(s);
}

static void
test_close_before_and_in_connected(void **state)
{
	struct zr_addr to;
	int l = listener(&to);
	struct seen *s = dial((struct conn_spec){0}, &to, NULL);

	(void)state;
	conn_close(s->c);
	conn_close(NULL);
	s->closed = 1;
	pump_for(base, 10);
	assert_int_equal(s->connected, 0);
	stop(s);
	s = dial((struct conn_spec){0}, &to, NULL);
	s->close_in_connected = true;
	assert_true(conn_send(s->c, "x", 1, NULL, 0));
	s->closed = 1;
	PUMP(base, s->connected == 1);
	pump_for(base, 10);
	stop(s);
	close(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_peer_closes),
	    cmocka_unit_test(test_peer_resets),
	    cmocka_unit_test(test_half_closed_answer_at_once),
	    cmocka_unit_test(test_half_closed_answer_later),
	    cmocka_unit_test(test_peer_gone_while_answering),
	    cmocka_unit_test(test_half_closed_while_paused),
	    cmocka_unit_test(test_idle),
	    cmocka_unit_test(test_idle_is_not_reset_by_octets),
	    cmocka_unit_test(test_message_deadline),
	    cmocka_unit_test(test_message_deadline_is_per_message),
	    cmocka_unit_test(test_no_idle_end_while_held),
	    cmocka_unit_test(test_no_deadline_while_paused),
	    cmocka_unit_test(test_stall),
	    cmocka_unit_test(test_slow_reader_is_no_stall),
	    cmocka_unit_test(test_set_idle),
	    cmocka_unit_test(test_finish_sends_everything),
	    cmocka_unit_test(test_finish_does_not_wait_for_ever),
	    cmocka_unit_test(test_connect),
	    cmocka_unit_test(test_connect_refused),
	    cmocka_unit_test(test_connect_fails_at_once),
	    cmocka_unit_test(test_connect_times_out),
	    cmocka_unit_test(test_close_before_and_in_connected),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
