/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clients and streams that end before their time: whatever becomes of them is told once, and half
 * a zone never looks like a whole one.
 */
#include "lobby.h"

#include <string.h>
#include <unistd.h>

static void
test_client_vanishes(void **state)
{
	struct bytes_mail *req[2];
	uint64_t a, b;
	int fd;

	(void)state;
	lobby.gen.rdata = 2000;
	lobby_version(1, 9000, 0);
	assert_true(lobby.d.b.sum.octets > 1000000);
	for (unsigned how = 0; how < 3; how++) {
		fd = visit(true, 0);
		visit_ask(fd, 1, TYPE_AXFR);
		visit_ask(fd, 2, TYPE_AXFR);
		req[0] = lobby_request(lobby.clients, 1);
		req[1] = lobby_request(lobby.clients, 2);
		a = lobby_stream(req[0], STREAM_FULL, lobby.d.b.version);
		if (how != 2) /* in the third round main is still busy with it */
			b = lobby_stream(req[1], STREAM_FULL, lobby.d.b.version);
		else
			b = 0;
		assert_true(tcp_read(fd, lobby.bytes) > 0);
		/* Nothing ends by itself while the client takes nothing. */
		assert_null(desk_try(&lobby.d, MAIL_STREAM_DONE, 30));
		if (how == 1)
			close(fd);
		else
			visit_reset(fd);
		for (unsigned i = 0; i < (b == 0 ? 1 : 2); i++) {
			struct stream_done_mail *done = desk_take(&lobby.d, MAIL_STREAM_DONE);

			assert_true(done->stream == a || done->stream == b);
			assert_int_equal(done->err.code, ZR_CLOSED);
			mail_free(&done->mail);
		}
		lobby_gone(lobby.clients);
		/* What main says to it afterwards meets nobody. */
		if (b == 0) {
			b = lobby_stream(req[1], STREAM_FULL, lobby.d.b.version);
			lobby_stream_done(b, ZR_CLOSED, false, NULL);
		}
		lobby_reply(req[1], req[1]->len, false);
		assert_null(desk_try(&lobby.d, MAIL_STREAM_DONE, 10));
		mail_free(&req[0]->mail);
		mail_free(&req[1]->mail);
	}
	assert_null(desk_try(&lobby.d, MAIL_CLIENT_GONE, 10));
}

/* Pieces that are no longer there: a reset, never an end that looks like one. */
static void
test_swept_under_the_stream(void **state)
{
	struct bytes_mail *req;
	uint64_t stream;
	int fd;

	(void)state;
	lobby.gen.rdata = 2000;
	lobby_version(1, 9000, 0);
	fd = visit(true, 0);
	visit_ask(fd, 1, TYPE_AXFR);
	req = lobby_request(1, 1);
	stream = lobby_stream(req, STREAM_FULL, lobby.d.b.version);
	assert_true(tcp_read(fd, lobby.bytes) > 0);
	lobby_version(2, 0, 9000);
	bed_sweep(&lobby.d.b);
	assert_true(tcp_at_end(fd));
	lobby_stream_done(stream, ZR_NOTFOUND, false, NULL);
	lobby_gone(1);
	close(fd);
	mail_free(&req->mail);
}

static void
test_request_that_cannot_be_read(void **state)
{
	struct bytes_mail *req;
	uint64_t stream;
	size_t len;
	int fd = visit(false, 0);

	(void)state;
	lobby_version(1, 20, 0);
	visit_ask(fd, 77, TYPE_AXFR);
	req = lobby_request(1, 77);
	put_u16(req->bytes + 10, 9); /* more additional records than there are */
	stream = lobby_stream(req, STREAM_FULL, lobby.d.b.version);
	len = tcp_read(fd, lobby.bytes);
	assert_true(len >= MSG_HEADER);
	assert_int_equal(get_u16(lobby.bytes), 77);
	assert_int_equal(lobby.bytes[3] & 15, RCODE_SERVFAIL);
	lobby_stream_done(stream, ZR_FORMERR, false, NULL);
	mail_free(&req->mail);
	/* The connection goes on. */
	visit_ask(fd, 78, TYPE_SOA);
	req = lobby_request(1, 78);
	mail_free(&req->mail);
	close(fd);
	assert_null(desk_try(&lobby.d, MAIL_CLIENT_GONE, 50)); /* it waits for our answer */
	desk_stop(&lobby.d);
	lobby_gone(1);
}

static void
test_stop(void **state)
{
	struct bytes_mail *req;
	struct accept_mail *gone;
	uint64_t seen = 0;
	int fd[8];

	(void)state;
	lobby.gen.rdata = 2000;
	lobby_version(1, 9000, 0);
	for (unsigned i = 0; i < 8; i++) {
		fd[i] = visit(true, 0);
		if (i % 2 == 1)
			continue;
		visit_ask(fd[i], 1, TYPE_AXFR);
		req = lobby_request(lobby.clients, 1);
		lobby_stream(req, STREAM_FULL, lobby.d.b.version);
		mail_free(&req->mail);
		assert_true(tcp_read(fd[i], lobby.bytes) > 0);
	}
	desk_stop(&lobby.d);
	for (unsigned i = 0; i < 4; i++) {
		struct stream_done_mail *done = desk_try(&lobby.d, MAIL_STREAM_DONE, 0);

		assert_non_null(done);
		assert_int_not_equal(done->err.code, ZR_OK);
		mail_free(&done->mail);
	}
	for (unsigned i = 0; i < 8; i++) {
		gone = desk_try(&lobby.d, MAIL_CLIENT_GONE, 0);
		assert_non_null(gone);
		seen |= UINT64_C(1) << gone->client;
		mail_free(&gone->mail);
		assert_true(tcp_at_end(fd[i]));
		close(fd[i]);
	}
	assert_int_equal(seen, 0x1fe);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    LOBBY_TEST(test_client_vanishes),
	    LOBBY_TEST(test_swept_under_the_stream),
	    LOBBY_TEST(test_request_that_cannot_be_read),
	    LOBBY_TEST(test_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
