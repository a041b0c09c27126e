/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A worker fetches a zone from a name server that the test plays: every kind of answer, and every
 * way in which a connection may end.
 */
#include "peer.h"

#include "base/mem.h"
#include "base/serial.h"
#include "wire/query.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct gen gen;
static struct desk d;
static struct server srv;
static struct asked q;

static int
setup(void **state)
{
	(void)state;
	gen_init(&gen, 42);
	gen.owners = 2000;
	gen.nsec3 = 10;
	desk_open(&d, 0);
	server_open(&srv);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	assert_true(server_quiet(&srv, 0));
	server_close(&srv);
	desk_close(&d);
	return 0;
}

/* The zone has a first version; its connection is closed by both. */
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

/* ---- answers ---- */

static void
test_axfr(void **state)
{
	static const unsigned per_message[] = {0, 1, 7};
	struct job_done_mail *done;
	struct model m;
	uint64_t job;
	int fd;

	(void)state;
	load(1, 100);
	for (size_t i = 0; i < 3; i++) {
		next_version(&m, 50);
		job = desk_job(&d, XFRIN_AXFR, &srv.addr);
		fd = server_accept(&srv);
		ask_read(fd, &q, TYPE_AXFR);
		assert_true(q.m.edns.present && q.m.edns.has_expire);
		answer_axfr(fd, &q, &m, per_message[i]);
		done = desk_ready(&d, job, &m);
		assert_false(done->used_diff);
		assert_true(done->has_delta);
		assert_false(done->plain);
		assert_int_equal(done->wire_records, d.b.now.n);
		mail_free(&done->mail);
		close(fd);
	}
}

static void
test_ixfr(void **state)
{
	struct job_done_mail *done;
	struct model m[3];
	const struct model *v[] = {&d.b.now, &m[0], &m[1]};
	uint64_t job;
	struct msg_walk *w = zr_xmalloc(sizeof(*w));
	struct rr rr;
	struct soa soa;
	int fd;

	(void)state;
	load(1, 3000);
	next_version(&m[0], 40);
	model_copy(&m[1], &m[0]);
	bed_change(&gen, &m[1], 40, 40);
	bed_set_serial(&gen, &m[1], 9);
	job = desk_job(&d, XFRIN_IXFR, &srv.addr);
	fd = server_accept(&srv);
	ask_read(fd, &q, TYPE_IXFR);
	assert_int_equal(msg_walk_start(w, &q.m, SECTION_AUTHORITY, NULL), 0);
	assert_int_equal(msg_next(w, &rr, NULL), 1);
	assert_true(rr_soa(&rr, &soa) && soa.serial == 1);
	free(w);
	answer_ixfr(fd, &q, v, 3);
	done = desk_ready(&d, job, &m[1]);
	assert_true(done->used_diff && done->has_delta && !done->ixfr_failed);
	mail_free(&done->mail);
	model_clear(&m[0]);
	/* A whole zone in answer to IXFR, on the same connection. */
	next_version(&m[0], 40);
	job = desk_job(&d, XFRIN_IXFR, &srv.addr);
	ask_read(fd, &q, TYPE_IXFR);
	answer_axfr(fd, &q, &m[0], 0);
	done = desk_ready(&d, job, &m[0]);
	assert_true(!done->used_diff && !done->ixfr_failed);
	mail_free(&done->mail);
	/* Nothing newer. */
	job = desk_job(&d, XFRIN_IXFR, &srv.addr);
	ask_read(fd, &q, TYPE_IXFR);
	answer_soa(fd, &q, &d.b.now);
	done = desk_done(&d, job, JOB_CURRENT);
	assert_int_equal(done->serial, d.b.serial);
	assert_true(done->serial_valid);
	mail_free(&done->mail);
	bed_check(&d.b);
	close(fd);
}

static void
test_identical(void **state)
{
	struct job_done_mail *done;
	struct job_mail *j;
	struct model m;
	uint64_t job;
	int fd;

	(void)state;
	load(5, 4000);
	for (unsigned i = 0; i < 2; i++) {
		j = bed_job(&d.b, XFRIN_AXFR);
		j->forced = true;
		job = desk_post(&d, j, &srv.addr);
		fd = server_accept(&srv);
		ask_read(fd, &q, TYPE_AXFR);
		model_copy(&m, &d.b.now);
		if (i == 0)
			answer_axfr(fd, &q, &m, 0);
		else
			answer_shuffled(fd, &q, &gen, &m);
		done = desk_done(&d, job, JOB_IDENTICAL);
		assert_null(done->batch);
		bed_commit_job(&d.b, done, &m);
		mail_free(&done->mail);
		assert_int_equal(d.b.version, 1);
		bed_check(&d.b);
		close(fd);
	}
}

/* ---- IXFR that does not work ---- */

enum ixfr_trouble { NOT_IMPLEMENTED, DOES_NOT_FIT, HANGS_UP, NONSENSE, LATE_MISFIT };

/* Nothing of it is in the zone. */
static void
answer_misfit(int fd, const struct model *m, enum ixfr_trouble what)
{
	struct model wrong[2];
	const struct model *v[] = {&wrong[0], &wrong[1]};
	struct rr *rr;

	model_copy(&wrong[0], &d.b.now);
	model_copy(&wrong[1], m);
	/* Behind all others: much has been staged when it is noticed. */
	rr = rr_dup(wrong[0].v[what == LATE_MISFIT ? wrong[0].n - 1 : 5]);
	rr->type = 65000;
	model_put(&wrong[0], rr);
	free(rr);
	answer_ixfr(fd, &q, v, 2);
	model_clear(&wrong[0]);
	model_clear(&wrong[1]);
}

static void
trouble(int fd, const struct model *m, enum ixfr_trouble what)
{
	switch (what) {
	case NOT_IMPLEMENTED:
		answer_rcode(fd, &q, RCODE_NOTIMP);
		break;
	case DOES_NOT_FIT:
	case LATE_MISFIT:
		answer_misfit(fd, m, what);
		break;
	case HANGS_UP:
		answer_part(fd, &q, m, 0, 20);
		close(fd);
		break;
	case NONSENSE:
		memset(q.bytes + 4, 0xff, 40);
		q.bytes[2] |= 0x80;
		tcp_write(fd, q.bytes, 44);
		break;
	}
}

static void
test_ixfr_falls_back(void **state)
{
	struct job_done_mail *done;
	struct model m;
	uint64_t job;
	int fd, other;

	(void)state;
	load(1, 9000);
	for (enum ixfr_trouble what = NOT_IMPLEMENTED; what <= LATE_MISFIT; what++) {
		next_version(&m, 3000);
		job = desk_job(&d, XFRIN_IXFR, &srv.addr);
		fd = server_accept(&srv);
		ask_read(fd, &q, TYPE_IXFR);
		trouble(fd, &m, what);
		other = fd;
		/* On the same connection when the answer had an end (XO-32). */
		if (what == HANGS_UP || what == NONSENSE)
			other = server_accept(&srv);
		ask_read(other, &q, TYPE_AXFR);
		answer_axfr(other, &q, &m, 0);
		done = desk_ready(&d, job, &m);
		assert_true(done->ixfr_failed && !done->used_diff);
		assert_true(done->ixfr_text[0] != '\0');
		if (what == DOES_NOT_FIT || what == LATE_MISFIT)
			assert_int_equal(done->ixfr_code, ZR_DIFF);
		mail_free(&done->mail);
		close(other);
		if (other != fd && what != HANGS_UP)
			close(fd);
	}
}

/* It says no, and closes at once: the AXFR finds another connection. */
static void
test_refuses_and_hangs_up(void **state)
{
	static const unsigned rcodes[] = {RCODE_NOTIMP, RCODE_FORMERR, RCODE_SERVFAIL};
	struct job_done_mail *done;
	struct model m;
	uint64_t job;
	int fd;

	(void)state;
	load(1, 50);
	for (size_t i = 0; i < 3; i++) {
		next_version(&m, 5);
		job = desk_job(&d, XFRIN_IXFR, &srv.addr);
		fd = server_accept(&srv);
		ask_read(fd, &q, TYPE_IXFR);
		answer_rcode(fd, &q, rcodes[i]);
		close(fd);
		fd = server_accept(&srv);
		ask_read(fd, &q, TYPE_AXFR);
		answer_axfr(fd, &q, &m, 0);
		done = desk_ready(&d, job, &m);
		assert_true(done->ixfr_failed);
		mail_free(&done->mail);
		close(fd);
	}
}

static void
test_without_edns(void **state)
{
	struct job_done_mail *done;
	struct model m;
	uint64_t job;
	int fd, hang_up;

	(void)state;
	for (hang_up = 0; hang_up < 2; hang_up++) {
		bed_make(&gen, &m, 1 + (uint32_t)hang_up, 50);
		job = desk_job(&d, XFRIN_AXFR, &srv.addr);
		fd = server_accept(&srv);
		ask_read(fd, &q, TYPE_AXFR);
		assert_true(q.m.edns.present);
		answer_rcode(fd, &q, RCODE_FORMERR);
		if (hang_up == 1) {
			close(fd);
			fd = server_accept(&srv);
		}
		ask_read(fd, &q, TYPE_AXFR);
		assert_false(q.m.edns.present);
		answer_axfr(fd, &q, &m, 0);
		done = desk_ready(&d, job, &m);
		assert_true(done->plain);
		mail_free(&done->mail);
		close(fd);
	}
	/* Once is enough. */
	job = desk_job(&d, XFRIN_AXFR, &srv.addr);
	fd = server_accept(&srv);
	ask_read(fd, &q, TYPE_AXFR);
	answer_rcode(fd, &q, RCODE_FORMERR);
	ask_read(fd, &q, TYPE_AXFR);
	answer_rcode(fd, &q, RCODE_FORMERR);
	desk_failed(&d, job, ZR_FORMERR);
	close(fd);
	/* And REFUSED is no matter of EDNS. */
	job = desk_job(&d, XFRIN_AXFR, &srv.addr);
	fd = server_accept(&srv);
	ask_read(fd, &q, TYPE_AXFR);
	answer_rcode(fd, &q, RCODE_REFUSED);
	desk_failed(&d, job, ZR_REFUSED);
	close(fd);
}

/* ---- messages that are not the answer ---- */

static void
test_strays(void **state)
{
	struct model m;
	uint64_t job;
	struct answer a;
	int fd;

	(void)state;
	for (unsigned n = 40; n <= 80; n += 40) {
		bed_make(&gen, &m, n, 50);
		job = desk_job(&d, XFRIN_AXFR, &srv.addr);
		fd = server_accept(&srv);
		ask_read(fd, &q, TYPE_AXFR);
		for (unsigned i = 0; i < n; i++) {
			switch (i % 3) {
			case 0: /* another ID */
				answer_begin(&a, fd, &q, 0);
				a.id++;
				put_u16(a.b.data, a.id);
				answer_rr(&a, m.v[0]);
				answer_end(&a);
				break;
			case 1: /* our own query */
				tcp_write(fd, q.bytes, q.len);
				break;
			default: /* no message at all */
				tcp_write(fd, "xyz", 3);
				break;
			}
		}
		answer_axfr(fd, &q, &m, 0);
		if (n == 40)
			mail_free(&desk_ready(&d, job, &m)->mail);
		else
			desk_failed(&d, job, ZR_FORMERR);
		model_clear(&m);
		close(fd);
	}
}

/* ---- questions over TCP ---- */

static uint64_t
post_query(void)
{
	struct job_mail *j = bed_job(&d.b, XFRIN_AXFR);
	struct buf b = BUF_INIT;
	struct query_edns o = {.enabled = true};

	query_soa(&b, 0, j->zone, &o);
	j->kind = JOB_QUERY;
	j->query = buf_take(&b, &j->query_len);
	return desk_post(&d, j, &srv.addr);
}

static void
test_query(void **state)
{
	struct job_done_mail *done;
	struct model m;
	uint64_t job;
	int fd;

	(void)state;
	bed_make(&gen, &m, 33, 10);
	job = post_query();
	fd = server_accept(&srv);
	for (unsigned i = 0; i < 3; i++) {
		ask_read(fd, &q, TYPE_SOA);
		answer_soa(fd, &q, &m);
		done = desk_done(&d, job, JOB_ANSWER);
		assert_true(done->connected && done->answer_len > MSG_HEADER);
		assert_int_equal(get_u16(done->answer), q.m.id);
		assert_int_equal(get_u16(done->answer + 6), 1);
		mail_free(&done->mail);
		job = post_query(); /* on the same connection */
	}
	ask_read(fd, &q, TYPE_SOA);
	close(fd); /* without an answer: asked again on a new one (TC-09) */
	fd = server_accept(&srv);
	ask_read(fd, &q, TYPE_SOA);
	close(fd); /* which is not old: that was it */
	desk_failed(&d, job, ZR_CLOSED);
	model_clear(&m);
}

int
main(void)
{
#define JOB_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    JOB_TEST(test_axfr),
	    JOB_TEST(test_ixfr),
	    JOB_TEST(test_identical),
	    JOB_TEST(test_ixfr_falls_back),
	    JOB_TEST(test_refuses_and_hangs_up),
	    JOB_TEST(test_without_edns),
	    JOB_TEST(test_strays),
	    JOB_TEST(test_query),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
