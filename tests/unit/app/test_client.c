/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connections that others open to us, through a worker: requests go to main, answers and streams
 * come back.
 */
#include "lobby.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- requests and replies ---- */

static void
test_request_and_reply(void **state)
{
	struct bytes_mail *req[3];
	int fd = visit(false, 0);

	(void)state;
	for (uint16_t i = 0; i < 3; i++)
		visit_ask(fd, 100 + i, TYPE_SOA);
	for (uint16_t i = 0; i < 3; i++)
		req[i] = lobby_request(1, 100 + i);
	lobby_reply(req[2], req[2]->len, false); /* in any order */
	assert_int_equal(tcp_read(fd, lobby.bytes), req[2]->len);
	assert_memory_equal(lobby.bytes, req[2]->bytes, req[2]->len);
	lobby_reply(req[0], 0, false); /* no answer at all */
	lobby_reply(req[1], req[1]->len, true);
	assert_int_equal(tcp_read(fd, lobby.bytes), req[1]->len);
	assert_true(tcp_at_end(fd));
	close(fd);
	lobby_gone(1);
	for (unsigned i = 0; i < 3; i++)
		mail_free(&req[i]->mail);
}

static void
test_too_many_requests_wait(void **state)
{
	struct bytes_mail *m, *first = NULL;
	unsigned n = 0, more;
	int fd = visit(false, 0);

	(void)state;
	for (uint16_t i = 0; i < 200; i++)
		visit_ask(fd, i, TYPE_SOA);
	while ((m = desk_try(&lobby.d, MAIL_REQUEST, 100)) != NULL) {
		if (first == NULL)
			first = m;
		else
			mail_free(&m->mail);
		n++;
	}
	assert_int_equal(n, 64);
	/* As many come as are answered. */
	for (more = 0; more < 200 - 64; more++) {
		lobby_reply(first, first->len, false);
		mail_free(desk_take(&lobby.d, MAIL_REQUEST));
	}
	assert_null(desk_try(&lobby.d, MAIL_REQUEST, 20));
	for (n = 0; n < 64; n++)
		lobby_reply(first, first->len, false);
	for (n = 0; n < 200; n++)
		assert_true(tcp_read(fd, lobby.bytes) > 0);
	mail_free(&first->mail);
	close(fd);
	lobby_gone(1);
}

/* The client says that it will ask nothing more, and still gets its answers (TC-15). */
static void
test_half_closed(void **state)
{
	struct bytes_mail *req;
	struct reading r;
	uint64_t stream;
	int fd = visit(false, 0);

	(void)state;
	lobby_version(1, 2000, 0);
	visit_ask(fd, 9, TYPE_AXFR);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	req = lobby_request(1, 9);
	assert_null(desk_try(&lobby.d, MAIL_CLIENT_GONE, 50));
	stream = lobby_stream(req, STREAM_FULL, lobby.d.b.version);
	reading_start(&r, 9, XFRIN_AXFR);
	reading_all(&r, fd);
	lobby_stream_done(stream, ZR_OK, false, &r);
	reading_end(&r, false);
	assert_true(tcp_at_end(fd));
	lobby_gone(1);
	close(fd);
	mail_free(&req->mail);
}

static void
test_idle(void **state)
{
	struct bytes_mail *req;
	int fd = visit(false, 100000);

	(void)state;
	visit_ask(fd, 5, TYPE_SOA);
	req = lobby_request(1, 5);
	/* While an answer is being made nobody is idle. */
	assert_null(desk_try(&lobby.d, MAIL_CLIENT_GONE, 250));
	lobby_reply(req, req->len, false);
	assert_true(tcp_read(fd, lobby.bytes) > 0);
	lobby_gone(1);
	assert_true(tcp_at_end(fd));
	close(fd);
	mail_free(&req->mail);
}

/* ---- streams ---- */

static void
test_axfr_and_ixfr(void **state)
{
	static const size_t sizes[] = {2, 40, 8000};
	struct bytes_mail *req;
	struct reading r;
	uint64_t stream;
	bool ixfr, diff;
	int fd;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		lobby_version(10 * i + 1, sizes[i], 10);
		if (i > 0) /* grow */
			lobby_version(10 * i + 2, 0, (unsigned)sizes[i]);
		lobby_version(10 * i + 3, 0, 10);
		bed_check(&lobby.d.b);
		fd = visit(false, 0);
		for (uint16_t k = 0; k < 4; k++) {
			ixfr = k == 1 || k == 2;
			diff = k == 1; /* k 2: main has decided for the whole zone */
			visit_ask(fd, 70 + k, ixfr ? TYPE_IXFR : TYPE_AXFR);
			req = lobby_request(lobby.clients, 70 + k);
			stream =
			    lobby_stream(req, diff ? STREAM_DIFF : STREAM_FULL, lobby.d.b.version);
			reading_start(&r, 70 + k, ixfr ? XFRIN_IXFR : XFRIN_AXFR);
			reading_all(&r, fd);
			lobby_stream_done(stream, ZR_OK, diff, &r);
			reading_end(&r, diff);
			mail_free(&req->mail);
		}
		assert_true(tcp_quiet(fd, 20));
		close(fd);
		lobby_gone(lobby.clients);
	}
}

/* A visitor asks for the difference and gets the whole zone (I-19). */
static void
visitor_gets_all(void)
{
	struct bytes_mail *req;
	struct reading r;
	uint64_t stream;
	int fd;

	fd = visit(false, 0);
	visit_ask(fd, 1, TYPE_IXFR);
	req = lobby_request(1, 1);
	stream = lobby_stream(req, STREAM_DIFF, lobby.d.b.version);
	reading_start(&r, 1, XFRIN_IXFR);
	reading_all(&r, fd);
	lobby_stream_done(stream, ZR_OK, false, &r);
	reading_end(&r, false);
	mail_free(&req->mail);
	close(fd);
	lobby_gone(1);
}

/* The journal does not reach back so far: the whole zone, in answer to IXFR (I-19). */
static void
test_ixfr_without_a_chain(void **state)
{
	(void)state;
	lobby_version(5, 3000, 0);
	lobby_version(3, 0, 10); /* backwards: the journal is dropped */
	model_clear(&lobby.old);
	model_init(&lobby.old, BED_ZONE);
	bed_set_serial(&lobby.gen, &lobby.old, 2);
	visitor_gets_all();
}

/* The zone is sound, so who asks has it; and main learns what is wrong. */
static void
test_ixfr_with_a_damaged_journal(void **state)
{
	(void)state;
	lobby_version(1, 3000, 0);
	lobby_version(2, 0, 10);
	fx_sql(&lobby.d.b.fx, "UPDATE content SET data = zeroblob(length(data)) WHERE id IN "
			      "(SELECT id FROM journal)");
	visitor_gets_all();
	assert_int_equal(lobby.journal, ZR_DAMAGED);
}

/* Three at once on one connection take turns; each stays with its own version (XO-02). */
static void
test_several_streams(void **state)
{
	struct bytes_mail *req[3];
	struct reading r[3];
	uint64_t stream[3];
	unsigned turns = 0;
	size_t len;
	uint16_t id, last = 0;
	int fd;

	(void)state;
	lobby_version(1, 12000, 0);
	lobby_version(2, 0, 4000);
	fd = visit(true, 0);
	for (uint16_t i = 0; i < 3; i++) {
		visit_ask(fd, i, i == 1 ? TYPE_IXFR : TYPE_AXFR);
		req[i] = lobby_request(1, i);
		stream[i] =
		    lobby_stream(req[i], i == 1 ? STREAM_DIFF : STREAM_FULL, lobby.d.b.version);
		reading_start(&r[i], i, i == 1 ? XFRIN_IXFR : XFRIN_AXFR);
	}
	while (r[0].step == XFRIN_MORE || r[1].step == XFRIN_MORE || r[2].step == XFRIN_MORE) {
		len = tcp_read(fd, lobby.bytes);
		assert_true(len > MSG_HEADER);
		id = get_u16(lobby.bytes);
		assert_in_range(id, 0, 2);
		turns += id != last;
		last = id;
		reading_feed(&r[id], len);
	}
	assert_true(turns > 20);
	for (unsigned i = 0; i < 3; i++) {
		struct stream_done_mail *done = desk_take(&lobby.d, MAIL_STREAM_DONE);

		assert_int_equal(done->err.code, ZR_OK);
		assert_in_range(done->stream, stream[0], stream[2]);
		mail_free(&done->mail);
		reading_end(&r[i], i == 1);
		mail_free(&req[i]->mail);
	}
	close(fd);
	lobby_gone(1);
}

/* A commit and a sweep of what no transfer needs, under a stream of the version before. */
static void
test_stream_keeps_its_version(void **state)
{
	struct bytes_mail *req;
	struct reading r;
	struct store_order *o;
	struct model before;
	uint64_t stream;
	int fd;

	(void)state;
	lobby_version(1, 12000, 0);
	fd = visit(true, 0);
	visit_ask(fd, 6, TYPE_AXFR);
	req = lobby_request(1, 6);
	stream = lobby_stream(req, STREAM_FULL, lobby.d.b.version);
	reading_start(&r, 6, XFRIN_AXFR);
	reading_feed(&r, tcp_read(fd, lobby.bytes));
	model_copy(&before, &lobby.d.b.now);
	lobby_version(2, 0, 4000);
	o = store_order_new(STORE_SWEEP, lobby.d.b.zone);
	o->sweep.keep_version = 1;
	fx_ok(&lobby.d.b.fx, o);
	reading_all(&r, fd);
	lobby_stream_done(stream, ZR_OK, false, &r);
	assert_true(model_equal(&r.m, &before));
	model_clear(&before);
	model_clear(&r.m);
	xfrin_free(r.x);
	mail_free(&req->mail);
	close(fd);
	lobby_gone(1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    LOBBY_TEST(test_request_and_reply),
	    LOBBY_TEST(test_too_many_requests_wait),
	    LOBBY_TEST(test_half_closed),
	    LOBBY_TEST(test_idle),
	    LOBBY_TEST(test_axfr_and_ixfr),
	    LOBBY_TEST(test_ixfr_without_a_chain),
	    LOBBY_TEST(test_ixfr_with_a_damaged_journal),
	    LOBBY_TEST(test_several_streams),
	    LOBBY_TEST(test_stream_keeps_its_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
