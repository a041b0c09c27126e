/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Orders to stop in every phase of a job, and limits of time.  Always one report, and a store
 * that holds the old version.
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
setup_slow(void **state)
{
	(void)state;
	return setup_with(15);
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

/* ---- cancelled ---- */

/* A port to which connections neither come about nor fail: its queue is full. */
static int
full_queue(struct server *s, int filler[], unsigned n)
{
	struct sockaddr_storage ss;
	socklen_t len;

	assert_int_equal(listen(s->fd, 0), 0);
	len = addr_to_sockaddr(&s->addr, &ss);
	for (unsigned i = 0; i < n; i++) {
		filler[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)connect(filler[i], (struct sockaddr *)&ss, len);
	}
	return 0;
}

static void
test_cancel_while_connecting(void **state)
{
	struct server hole;
	struct job_mail *j;
	struct job_done_mail *done;
	uint64_t job;
	int filler[4];

	(void)state;
	load(1, 20);
	server_open(&hole);
	full_queue(&hole, filler, 4);
	job = desk_job(&d, XFRIN_AXFR, &hole.addr);
	assert_null(desk_try(&d, MAIL_JOB_DONE, 50));
	desk_cancel(&d, job);
	desk_cancel(&d, job);
	desk_failed(&d, job, ZR_CLOSED);
	desk_cancel(&d, job); /* nobody there any more */
	desk_cancel(&d, 99999);
	/* In the same breath. */
	job = desk_job(&d, XFRIN_AXFR, &hole.addr);
	desk_cancel(&d, job);
	desk_failed(&d, job, ZR_CLOSED);
	/* And left to itself it gives up. */
	j = bed_job(&d.b, XFRIN_IXFR);
	j->connect_timeout_us = 100000;
	job = desk_post(&d, j, &hole.addr);
	done = desk_done(&d, job, JOB_FAILED);
	assert_int_equal(done->err.code, ZR_TIMEOUT);
	assert_false(done->connected);
	mail_free(&done->mail);
	for (unsigned i = 0; i < 4; i++)
		close(filler[i]);
	server_close(&hole);
}

static void
test_cancel_while_receiving(void **state)
{
	struct model m;
	uint64_t job;
	int fd;

	(void)state;
	load(1, 12000);
	next_version(&m, 5000);
	for (unsigned i = 0; i < 3; i++) {
		job = desk_job(&d, i == 2 ? XFRIN_IXFR : XFRIN_AXFR, &srv.addr);
		fd = server_accept(&srv);
		ask_read(fd, &q, i == 2 ? TYPE_IXFR : TYPE_AXFR);
		if (i > 0)
			answer_part(fd, &q, &m, 0, m.n - 5);
		if (i > 0)
			usleep(30000);
		desk_cancel(&d, job);
		desk_failed(&d, job, ZR_CLOSED);
		assert_true(tcp_at_end(fd));
		close(fd);
	}
	model_clear(&m);
}

/* The whole answer, in one of the ways that make a job go through all its phases. */
static void
answer_hard(int fd, const struct model *m, unsigned how)
{
	struct model wrong;
	const struct model *v[] = {&wrong, m};
	struct rr *rr;

	if (how == 0) {
		answer_shuffled(fd, &q, &gen, m); /* COLLECT, ABORTING, APPEND */
		return;
	}
	/* A difference that turns out not to fit when most of it has been staged. */
	model_copy(&wrong, &d.b.now);
	rr = rr_dup(wrong.v[wrong.n - 1]);
	rr->type = 65000;
	model_put(&wrong, rr);
	free(rr);
	answer_ixfr(fd, &q, v, 2);
	model_clear(&wrong);
}

/* Ends in the time it takes the store to do it, not later and not twice. */
static void
cancelled(uint64_t job)
{
	struct job_done_mail *done = desk_take(&d, MAIL_JOB_DONE);

	assert_int_equal(done->job, job);
	if (done->outcome == JOB_READY) { /* it was too late: main throws it away */
		assert_int_equal(done->version, d.b.version + 1);
		bed_abort(&d.b);
	} else {
		assert_int_equal(done->outcome, JOB_FAILED);
		assert_int_equal(done->err.code, ZR_CLOSED);
		assert_null(done->batch);
	}
	mail_free(&done->mail);
	bed_check(&d.b);
}

static void
test_cancel_at_any_time(void **state)
{
	struct model m;
	uint64_t job;
	int fd;

	(void)state;
	load(1, 9000);
	next_version(&m, 4000);
	for (unsigned i = 0; i < 24; i++) {
		job = desk_job(&d, i % 2 == 0 ? XFRIN_AXFR : XFRIN_IXFR, &srv.addr);
		fd = server_accept(&srv);
		ask_read(fd, &q, i % 2 == 0 ? TYPE_AXFR : TYPE_IXFR);
		answer_hard(fd, &m, i % 2);
		usleep((useconds_t)(i * 9000));
		desk_cancel(&d, job);
		cancelled(job);
		close(fd);
	}
	/* The very same, left alone. */
	job = desk_job(&d, XFRIN_IXFR, &srv.addr);
	fd = server_accept(&srv);
	ask_read(fd, &q, TYPE_IXFR);
	answer_hard(fd, &m, 1);
	ask_read(fd, &q, TYPE_AXFR);
	answer_hard(fd, &m, 0);
	mail_free(&desk_ready(&d, job, &m)->mail);
	close(fd);
}

/* ---- stopped ---- */

static void
test_stop_with_jobs_running(void **state)
{
	struct model m;
	struct server hole;
	struct job_done_mail *done;
	int fd[3], idle, filler[4];

	(void)state;
	load(1, 9000);
	next_version(&m, 4000);
	server_open(&hole);
	full_queue(&hole, filler, 4);
	for (unsigned i = 0; i < 3; i++) {
		desk_job(&d, i == 1 ? XFRIN_IXFR : XFRIN_AXFR, &srv.addr);
		fd[i] = server_accept(&srv);
		ask_read(fd[i], &q, i == 1 ? TYPE_IXFR : TYPE_AXFR);
		if (i == 0)
			answer_part(fd[i], &q, &m, 0, m.n / 2);
		if (i == 1)
			answer_hard(fd[i], &m, 1);
	}
	desk_job(&d, XFRIN_AXFR, &hole.addr); /* connecting */
	usleep(40000);
	worker_post(d.w, mail_new(MAIL_STOP, sizeof(struct mail)));
	desk_job(&d, XFRIN_AXFR, &srv.addr); /* comes too late */
	mail_free(desk_take(&d, MAIL_STOPPED));
	worker_free(d.w);
	d.w = NULL;
	for (unsigned i = 0; i < 4; i++) {
		done = desk_take(&d, MAIL_JOB_DONE);
		assert_int_equal(done->outcome, JOB_FAILED);
		mail_free(&done->mail);
	}
	/* The late one was refused, or met nobody. */
	done = desk_try(&d, MAIL_JOB_DONE, 0);
	if (done != NULL)
		mail_free(&done->mail);
	else
		d.jobs--;
	bed_check(&d.b);
	for (unsigned i = 0; i < 3; i++) {
		assert_true(tcp_at_end(fd[i]));
		close(fd[i]);
	}
	for (unsigned i = 0; i < 4; i++)
		close(filler[i]);
	if (!server_quiet(&srv, 0)) { /* it had asked on before it was stopped */
		idle = server_accept(&srv);
		close(idle);
	}
	model_clear(&m);
	server_close(&hole);
}

/* ---- time ---- */

static void
test_limits_of_time(void **state)
{
	struct job_mail *j;
	struct model m;
	uint64_t job;
	int fd;

	(void)state;
	load(1, 100);
	next_version(&m, 10);
	/* Silence. */
	j = bed_job(&d.b, XFRIN_AXFR);
	j->idle_timeout_us = 100000;
	job = desk_post(&d, j, &srv.addr);
	fd = server_accept(&srv);
	ask_read(fd, &q, TYPE_AXFR);
	answer_part(fd, &q, &m, 0, 5);
	desk_failed(&d, job, ZR_TIMEOUT);
	assert_true(tcp_at_end(fd));
	close(fd);
	/* Too long altogether. */
	j = bed_job(&d.b, XFRIN_AXFR);
	j->total_timeout_us = 100000;
	job = desk_post(&d, j, &srv.addr);
	fd = server_accept(&srv);
	ask_read(fd, &q, TYPE_AXFR);
	desk_failed(&d, job, ZR_TIMEOUT);
	close(fd);
	/* Silence in answer to IXFR: the same by AXFR, elsewhere. */
	j = bed_job(&d.b, XFRIN_IXFR);
	j->idle_timeout_us = 500000;
	job = desk_post(&d, j, &srv.addr);
	fd = server_accept(&srv);
	ask_read(fd, &q, TYPE_IXFR);
	assert_true(tcp_at_end(fd));
	close(fd);
	fd = server_accept(&srv);
	ask_read(fd, &q, TYPE_AXFR);
	answer_axfr(fd, &q, &m, 0);
	mail_free(&desk_ready(&d, job, &m)->mail);
	close(fd);
	assert_true(d.progress > 0);
}

int
main(void)
{
#define JOB_TEST(name, before) cmocka_unit_test_setup_teardown(name, before, teardown)
	const struct CMUnitTest tests[] = {
	    JOB_TEST(test_cancel_while_connecting, setup),
	    JOB_TEST(test_cancel_while_receiving, setup),
	    JOB_TEST(test_cancel_at_any_time, setup_slow),
	    JOB_TEST(test_stop_with_jobs_running, setup_slow),
	    JOB_TEST(test_limits_of_time, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
