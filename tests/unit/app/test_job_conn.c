/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The connections of jobs: such as do not come about, are used again, and go away.
 */
#include "peer.h"

#include "base/mem.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct gen gen;
static struct desk d;
static struct server srv;
static struct asked q;

static int
setup_with(unsigned slow_ms)
{
	gen_init(&gen, 43);
	gen.owners = 4000;
	gen.nsec3 = 10;
	desk_open(&d, slow_ms);
	server_open(&srv);
	return 0;
}

static int
setup(void **state)
{
	(void)state;
	return setup_with(0);
}

static int
teardown(void **state)
{
	(void)state;
	server_close(&srv);
	desk_close(&d);
	return 0;
}

static void
load(uint32_t serial, size_t records)
{
	struct model m;
	uint64_t job = desk_job(&d, XFRIN_AXFR, &srv.addr);
	int fd = server_accept(&srv);

	bed_make(&gen, &m, serial, records);
	ask_read(fd, &q, TYPE_AXFR);
	answer_axfr(fd, &q, &m, 0);
	mail_free(&desk_ready(&d, job, &m)->mail);
	close(fd);
}

static void
next_version(struct model *m, unsigned changes)
{
	model_copy(m, &d.b.now);
	bed_change(&gen, m, changes, changes);
	bed_set_serial(&gen, m, d.b.serial + 1);
}

/* A whole transfer over a connection which is there already. */
static void
fetch_on(int fd)
{
	struct model m;
	uint64_t job = desk_job(&d, XFRIN_AXFR, &srv.addr);

	next_version(&m, 10);
	ask_read(fd, &q, TYPE_AXFR);
	answer_axfr(fd, &q, &m, 0);
	mail_free(&desk_ready(&d, job, &m)->mail);
}

static void
test_refused(void **state)
{
	struct zr_addr dest;
	struct job_done_mail *done;
	uint64_t job;

	(void)state;
	load(1, 20);
	dest = srv.addr;
	server_close(&srv);
	job = desk_job(&d, XFRIN_IXFR, &dest);
	done = desk_done(&d, job, JOB_FAILED);
	assert_false(done->connected);
	assert_int_equal(done->err.code, ZR_IO);
	mail_free(&done->mail);
	bed_check(&d.b);
	server_open(&srv);
}

static void
test_source_that_is_not_ours(void **state)
{
	struct job_mail *j = bed_job(&d.b, XFRIN_AXFR);
	uint64_t job;

	(void)state;
	assert_true(addr_parse_ip("192.0.2.77", &j->source));
	job = desk_post(&d, j, &srv.addr);
	desk_failed(&d, job, ZR_IO);
}

static void
test_reuse(void **state)
{
	struct model m;
	uint64_t job;
	int fd, other;

	(void)state;
	bed_make(&gen, &m, 1, 200);
	job = desk_job(&d, XFRIN_AXFR, &srv.addr);
	fd = server_accept(&srv);
	ask_read(fd, &q, TYPE_AXFR);
	answer_axfr(fd, &q, &m, 0);
	mail_free(&desk_ready(&d, job, &m)->mail);
	fetch_on(fd);
	fetch_on(fd);
	/* It dies while nobody uses it, which is no secret when the next job comes. */
	close(fd);
	usleep(20000);
	job = desk_job(&d, XFRIN_AXFR, &srv.addr);
	fd = server_accept(&srv);
	next_version(&m, 10);
	ask_read(fd, &q, TYPE_AXFR);
	answer_axfr(fd, &q, &m, 0);
	mail_free(&desk_ready(&d, job, &m)->mail);
	/* It dies when it is asked: once more on a new one (TC-09). */
	for (unsigned i = 0; i < 2; i++) {
		next_version(&m, 10);
		job = desk_job(&d, i == 0 ? XFRIN_AXFR : XFRIN_IXFR, &srv.addr);
		ask_read(fd, &q, i == 0 ? TYPE_AXFR : TYPE_IXFR);
		close(fd);
		fd = server_accept(&srv);
		ask_read(fd, &q, i == 0 ? TYPE_AXFR : TYPE_IXFR);
		answer_axfr(fd, &q, &m, 0);
		mail_free(&desk_ready(&d, job, &m)->mail);
	}
	/* But only when nothing of the answer had come. */
	next_version(&m, 10);
	job = desk_job(&d, XFRIN_AXFR, &srv.addr);
	ask_read(fd, &q, TYPE_AXFR);
	answer_part(fd, &q, &m, 0, 10);
	close(fd);
	desk_failed(&d, job, ZR_CLOSED);
	assert_true(server_quiet(&srv, 50));
	model_clear(&m);
	/* And not again and again. */
	fd = -1;
	job = desk_job(&d, XFRIN_AXFR, &srv.addr);
	other = server_accept(&srv);
	ask_read(other, &q, TYPE_AXFR);
	close(other);
	desk_failed(&d, job, ZR_CLOSED);
	assert_true(server_quiet(&srv, 50));
}

/* The end of the connection and the next order reach the worker together, many times. */
static void
test_reuse_race(void **state)
{
	struct model m;
	uint64_t job;
	int fd;

	(void)state;
	load(1, 20);
	for (unsigned i = 0; i < 60; i++) {
		next_version(&m, 3);
		job = desk_job(&d, XFRIN_AXFR, &srv.addr);
		fd = server_accept(&srv);
		ask_read(fd, &q, TYPE_AXFR);
		answer_axfr(fd, &q, &m, 0);
		mail_free(&desk_ready(&d, job, &m)->mail);
		next_version(&m, 3);
		if (i % 2 == 0)
			close(fd);
		job = desk_job(&d, XFRIN_AXFR, &srv.addr);
		if (i % 2 == 1)
			close(fd);
		fd = server_accept(&srv);
		ask_read(fd, &q, TYPE_AXFR);
		answer_axfr(fd, &q, &m, 0);
		mail_free(&desk_ready(&d, job, &m)->mail);
		close(fd);
		usleep(2000);
	}
}

static void
test_two_at_once(void **state)
{
	uint64_t one, two;
	struct job_done_mail *done;
	struct asked *p = zr_xmalloc(sizeof(*p));
	int a, b;

	(void)state;
	load(1, 100);
	one = desk_job(&d, XFRIN_IXFR, &srv.addr);
	a = server_accept(&srv);
	two = desk_job(&d, XFRIN_IXFR, &srv.addr); /* one user for each connection */
	b = server_accept(&srv);
	ask_read(a, &q, TYPE_IXFR);
	ask_read(b, p, TYPE_IXFR);
	answer_soa(b, p, &d.b.now);
	done = desk_done(&d, two, JOB_CURRENT);
	mail_free(&done->mail);
	answer_soa(a, &q, &d.b.now);
	done = desk_done(&d, one, JOB_CURRENT);
	mail_free(&done->mail);
	close(a);
	close(b);
	free(p);
}

/* Two connections to one server wait, and both have died: one of them is tried, then a new one. */
static void
test_several_idle(void **state)
{
	struct server elsewhere;
	struct model m;
	uint64_t job[2];
	struct asked *p = zr_xmalloc(sizeof(*p));
	int fd[2], other;

	(void)state;
	load(1, 50);
	for (unsigned i = 0; i < 2; i++) {
		job[i] = desk_job(&d, XFRIN_IXFR, &srv.addr);
		fd[i] = server_accept(&srv);
	}
	for (unsigned i = 0; i < 2; i++) {
		ask_read(fd[i], p, TYPE_IXFR);
		answer_soa(fd[i], p, &d.b.now);
		mail_free(&desk_done(&d, job[i], JOB_CURRENT)->mail);
	}
	/* Another server has nothing to do with them. */
	server_open(&elsewhere);
	job[0] = desk_job(&d, XFRIN_IXFR, &elsewhere.addr);
	other = server_accept(&elsewhere);
	ask_read(other, p, TYPE_IXFR);
	answer_soa(other, p, &d.b.now);
	mail_free(&desk_done(&d, job[0], JOB_CURRENT)->mail);
	close(other);
	server_close(&elsewhere);
	/* The one that became free last is asked first. */
	next_version(&m, 5);
	job[0] = desk_job(&d, XFRIN_AXFR, &srv.addr);
	ask_read(fd[1], p, TYPE_AXFR);
	close(fd[1]);
	other = server_accept(&srv);
	assert_true(tcp_quiet(fd[0], 20));
	ask_read(other, p, TYPE_AXFR);
	answer_axfr(other, p, &m, 0);
	mail_free(&desk_ready(&d, job[0], &m)->mail);
	close(other);
	close(fd[0]);
	free(p);
}

/* What arrives after the answer spoils the connection, not the next transfer. */
static void
test_chatter_after_the_answer(void **state)
{
	struct model m;
	uint64_t job;
	int fd;

	(void)state;
	load(1, 50);
	next_version(&m, 5);
	job = desk_job(&d, XFRIN_AXFR, &srv.addr);
	fd = server_accept(&srv);
	ask_read(fd, &q, TYPE_AXFR);
	answer_axfr(fd, &q, &m, 0);
	mail_free(&desk_ready(&d, job, &m)->mail);
	answer_soa(fd, &q, &d.b.now);
	assert_true(tcp_at_end(fd));
	close(fd);
}

static void
test_closed_in_the_middle(void **state)
{
	struct model m;
	struct linger reset = {.l_onoff = 1};
	uint64_t job;
	int fd;

	(void)state;
	load(1, 16000);
	next_version(&m, 8000);
	for (unsigned i = 0; i < 4; i++) {
		job = desk_job(&d, XFRIN_AXFR, &srv.addr);
		fd = server_accept(&srv);
		ask_read(fd, &q, TYPE_AXFR);
		switch (i) {
		case 0: /* much has been staged */
			answer_part(fd, &q, &m, 0, m.n);
			break;
		case 1:
			answer_part(fd, &q, &m, 0, 1);
			break;
		case 2: /* in the middle of a message */
			answer_part(fd, &q, &m, 0, m.n / 2);
			assert_int_equal(send(fd, "\377\377abc", 5, MSG_NOSIGNAL), 5);
			break;
		default:
			answer_part(fd, &q, &m, 0, m.n / 2);
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
			break;
		}
		close(fd);
		desk_failed(&d, job, ZR_CLOSED);
	}
	model_clear(&m);
	fd = -1;
}

int
main(void)
{
#define JOB_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    JOB_TEST(test_refused),
	    JOB_TEST(test_source_that_is_not_ours),
	    JOB_TEST(test_reuse),
	    JOB_TEST(test_reuse_race),
	    JOB_TEST(test_two_at_once),
	    JOB_TEST(test_several_idle),
	    JOB_TEST(test_chatter_after_the_answer),
	    JOB_TEST(test_closed_in_the_middle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
