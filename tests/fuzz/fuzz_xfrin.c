/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Input: how (1), call of the receiver that fails (1, 0 = none), serial (4), then messages with
 * their length in front.  The first message tells ID, zone and kind of the query, so that there is
 * something to find; `how` twists that.  The receiver checks the grammar of what it is told.
 */
#include "fuzz.h"

#include "base/buf.h"
#include "base/serial.h"
#include "core/xfrin.h"

#include <string.h>

#define HEAD 6
#define HOW_OTHER_KIND 0x01
#define HOW_UDP 0x02
#define HOW_HAVE 0x04
#define HOW_FORCED 0x08
#define HOW_LIMITS 0x10
#define HOW_TIMEOUT 0x20 /* ends by a timeout instead of a close */
#define HOW_CODE 0xc0	 /* of the failing receiver */

enum phase { NOTHING, FULL, DIFF, OLD, NEW };

struct sink {
	const struct xfrin_query *q;
	enum phase phase;
	unsigned calls, fail_at;
	enum zr_code fail_code;
	bool failed, apex_ns;
	uint32_t newest, reached;
	uint64_t records;
	unsigned steps;
};

static int
called(struct sink *s, struct zr_err *e)
{
	FUZZ_CHECK(!s->failed);
	if (++s->calls != s->fail_at)
		return 0;
	s->failed = true;
	return zr_fail(e, s->fail_code, "no");
}

static uint32_t
serial_of(const struct sink *s, const struct rr *rr)
{
	struct soa soa;

	FUZZ_CHECK(rr_soa(rr, &soa));
	FUZZ_CHECK(rr->class == CLASS_IN && name_equal(rr->owner, s->q->zone));
	return soa.serial;
}

static void
check_record(const struct sink *s, const struct rr *rr)
{
	FUZZ_CHECK(rr->class == CLASS_IN && !rr_type_is_meta(rr->type));
	FUZZ_CHECK(name_check(rr->owner, rr->owner_len) == rr->owner_len);
	FUZZ_CHECK(name_within(rr->owner, s->q->zone));
	FUZZ_CHECK(rr->ttl <= INT32_MAX);
}

static int
on_full(void *arg, const struct rr *soa, struct zr_err *e)
{
	struct sink *s = arg;

	FUZZ_CHECK(s->phase == NOTHING);
	s->phase = FULL;
	s->newest = serial_of(s, soa);
	return called(s, e);
}

static int
on_record(void *arg, const struct rr *rr, struct zr_err *e)
{
	struct sink *s = arg;

	FUZZ_CHECK(s->phase == FULL);
	check_record(s, rr);
	FUZZ_CHECK((rr->type == TYPE_SOA) == (s->records == 0));
	s->records++;
	s->apex_ns |= rr->type == TYPE_NS && name_equal(rr->owner, s->q->zone);
	return called(s, e);
}

static int
on_diff(void *arg, const struct rr *soa, struct zr_err *e)
{
	struct sink *s = arg;

	FUZZ_CHECK(s->phase == NOTHING && s->q->kind == XFRIN_IXFR && s->q->have_serial);
	s->phase = DIFF;
	s->newest = serial_of(s, soa);
	s->reached = s->q->serial;
	return called(s, e);
}

static int
on_old(void *arg, const struct rr *soa, struct zr_err *e)
{
	struct sink *s = arg;

	FUZZ_CHECK(s->phase == DIFF || s->phase == NEW);
	s->phase = OLD;
	s->steps++;
	FUZZ_CHECK(serial_of(s, soa) == s->reached);
	return called(s, e);
}

static int
on_new(void *arg, const struct rr *soa, struct zr_err *e)
{
	struct sink *s = arg;

	FUZZ_CHECK(s->phase == OLD);
	s->phase = NEW;
	FUZZ_CHECK(serial_gt(serial_of(s, soa), s->reached));
	s->reached = serial_of(s, soa);
	return called(s, e);
}

static int
on_del(void *arg, const struct rr *rr, struct zr_err *e)
{
	struct sink *s = arg;

	FUZZ_CHECK(s->phase == OLD && rr->type != TYPE_SOA);
	check_record(s, rr);
	return called(s, e);
}

static int
on_add(void *arg, const struct rr *rr, struct zr_err *e)
{
	struct sink *s = arg;

	FUZZ_CHECK(s->phase == NEW && rr->type != TYPE_SOA);
	check_record(s, rr);
	return called(s, e);
}

static const struct xfrin_ops ops = {
    .full = on_full,
    .record = on_record,
    .diff = on_diff,
    .step_old = on_old,
    .del = on_del,
    .step_new = on_new,
    .add = on_add,
};

static void
check_end(const struct xfrin *x, const struct sink *s, enum xfrin_step step, const struct zr_err *e)
{
	const struct xfrin_query *q = s->q;
	uint32_t serial = 0;
	bool have = xfrin_serial(x, &serial);

	FUZZ_CHECK(have == (xfrin_soa(x) != NULL));
	FUZZ_CHECK(xfrin_is_diff(x) == (s->phase >= DIFF));
	FUZZ_CHECK(xfrin_stats(x)->steps == s->steps);
	FUZZ_CHECK(!s->failed || step == XFRIN_FAIL || step == XFRIN_TRY_AXFR);
	FUZZ_CHECK(s->phase == NOTHING || have);
	switch (step) {
	case XFRIN_MORE:
		return;
	case XFRIN_DONE:
		FUZZ_CHECK(s->phase == FULL || s->phase == NEW);
		FUZZ_CHECK(s->newest == serial);
		FUZZ_CHECK(
		    s->phase != FULL || (s->apex_ns && s->records == xfrin_stats(x)->records));
		FUZZ_CHECK(s->phase != NEW || s->reached == s->newest);
		FUZZ_CHECK(!q->have_serial || q->forced || serial_gt(serial, q->serial));
		FUZZ_CHECK(xfrin_clean(x));
		return;
	case XFRIN_CURRENT:
		FUZZ_CHECK(have && q->have_serial && !q->forced && !serial_gt(serial, q->serial));
		FUZZ_CHECK(s->calls == 0);
		return;
	case XFRIN_TRY_TCP:
		FUZZ_CHECK(q->udp);
		return;
	case XFRIN_TRY_AXFR:
		FUZZ_CHECK(q->kind == XFRIN_IXFR);
		break;
	case XFRIN_FAIL:
		break;
	}
	FUZZ_CHECK(e->code != ZR_OK && e->text[0] != '\0');
	FUZZ_CHECK(!s->failed || e->code == s->fail_code);
}

/* The next message of the input, or false. */
static bool
next_message(struct rd *r, const uint8_t **data, size_t *len)
{
	if (rd_left(r) < 2)
		return false;
	*len = rd_u16(r);
	if (*len > rd_left(r))
		*len = rd_left(r);
	*data = rd_bytes(r, *len);
	return true;
}

static void
query_from(struct xfrin_query *q, uint8_t zone[NAME_MAX_LEN], const struct msg *m, uint8_t how)
{
	bool ixfr = m->has_question && m->qtype == TYPE_IXFR;

	memset(zone, 0, NAME_MAX_LEN);
	if (m->has_question)
		memcpy(zone, m->qname, m->qname_len);
	q->zone = zone;
	q->id = m->id;
	q->kind = ixfr != ((how & HOW_OTHER_KIND) != 0) ? XFRIN_IXFR : XFRIN_AXFR;
	q->udp = (how & HOW_UDP) != 0;
	q->have_serial = (how & HOW_HAVE) != 0;
	q->forced = (how & HOW_FORCED) != 0;
	if ((how & HOW_LIMITS) != 0)
		q->limits =
		    (struct xfrin_limits){.max_octets = 2000, .max_records = 12, .max_messages = 6};
}

static enum xfrin_step
run(struct xfrin *x, struct rd *r, uint8_t how, struct zr_err *e)
{
	enum xfrin_step step = XFRIN_MORE;
	const uint8_t *data;
	struct msg m;
	size_t len;

	while (step == XFRIN_MORE && next_message(r, &data, &len)) {
		zr_err_clear(e);
		if (msg_parse(&m, data, len, MSG_FULL, e) < 0)
			step = xfrin_broken(x, e);
		else
			step = xfrin_feed(x, &m, e);
	}
	if (step == XFRIN_MORE && (how & HOW_TIMEOUT) != 0) {
		zr_fail(e, ZR_TIMEOUT, "nothing came");
		step = xfrin_broken(x, e);
		FUZZ_CHECK(step != XFRIN_MORE);
	} else if (step == XFRIN_MORE) {
		step = xfrin_eof(x, e);
		FUZZ_CHECK(step != XFRIN_MORE);
	}
	return step;
}

static void
judge_as_soa(const struct msg *m, const uint8_t *zone)
{
	struct soa_answer a;
	struct zr_err e = {0};
	int rc = xfrin_soa_answer(m, zone, &a, &e);

	FUZZ_CHECK((rc == 0) == (e.code == ZR_OK));
	FUZZ_CHECK(rc != 0 || (msg_rcode(m) == 0 && (m->flags & FLAG_AA) != 0 && m->ancount >= 1));
	FUZZ_CHECK(rc != 0 || (!a.retry_plain && !a.retry_tcp));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum zr_code codes[] = {ZR_DIFF, ZR_LIMIT, ZR_DB, ZR_NOMEM};
	uint8_t zone[NAME_MAX_LEN];
	struct xfrin_query q = {0};
	struct sink s = {.q = &q};
	struct zr_err e = {0};
	const uint8_t *first;
	struct rd r, peek;
	struct xfrin *x;
	struct msg m;
	uint8_t how;
	size_t len;

	if (size < HEAD)
		return 0;
	rd_init(&r, data, size);
	how = rd_u8(&r);
	s.fail_at = rd_u8(&r);
	s.fail_code = codes[how >> 6];
	q.serial = rd_u32(&r);
	peek = r;
	if (!next_message(&peek, &first, &len))
		return 0;
	if (msg_parse(&m, first, len, MSG_FULL, NULL) == 0) {
		query_from(&q, zone, &m, how);
		judge_as_soa(&m, zone);
	} else {
		query_from(&q, zone, &m, how);
	}
	x = xfrin_new(&q, &ops, &s);
	check_end(x, &s, run(x, &r, how, &e), &e);
	FUZZ_CHECK(xfrin_feed(x, &m, NULL) == XFRIN_FAIL); /* it has ended */
	xfrin_free(x);
	return 0;
}
