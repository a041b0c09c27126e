/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The records of an answer: RFC 5936 section 2.2 for a whole zone, RFC 1995 section 4 for a
 * difference.  Called for every record of a zone: nothing is allocated or copied here but the first
 * SOA.
 */
#include "core/xfrin_p.h"

#include "base/serial.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define REASON_MAX 160
#define SOA_NUMBERS 20 /* octets of the five numbers behind the names */

static enum xfrin_step refuse(const struct xfrin *x, const struct rr *rr, struct zr_err *e,
    enum zr_code code, const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* "record 17: REASON (www.example.org A)": the owner last, since it may be long and is cut. */
static enum xfrin_step
refuse(const struct xfrin *x, const struct rr *rr, struct zr_err *e, enum zr_code code,
    const char *fmt, ...)
{
	char reason[REASON_MAX], owner[NAME_TEXT_MAX], type[16];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	zr_fail(e, code, "record %" PRIu64 ": %s (%s %s)", x->stats.records, reason,
	    name_show(rr->owner, owner), rr_type_text(rr->type, type));
	return XFRIN_FAIL;
}

/* The receiver has said no. */
static enum xfrin_step
rejected(struct xfrin *x, struct zr_err *e)
{
	x->local = true;
	zr_fail_in(e, "record %" PRIu64, x->stats.records);
	return XFRIN_FAIL;
}

static enum xfrin_step
hand(struct xfrin *x, int (*op)(void *, const struct rr *, struct zr_err *), const struct rr *rr,
    struct zr_err *e)
{
	return op(x->arg, rr, e) < 0 ? rejected(x, e) : XFRIN_MORE;
}

static bool
at_apex(const struct xfrin *x, const struct rr *rr)
{
	return rr->owner_len == x->zone_len; /* it is within the zone: in_zone() */
}

static bool
in_zone(const struct xfrin *x, const struct rr *rr)
{
	/* The owner of the record before was judged already. */
	return x->walk.memo.kept || name_within(rr->owner, x->q.zone);
}

/* What holds for every record: T-18, T-19, U-09. */
static enum xfrin_step
check_rr(const struct xfrin *x, const struct rr *rr, struct zr_err *e)
{
	if (rr->class != CLASS_IN) {
		return refuse(
		    x, rr, e, ZR_BADZONE, "expected class %d, found class %u", CLASS_IN, rr->class);
	}
	if (rr_type_is_meta(rr->type))
		return refuse(x, rr, e, ZR_BADZONE, "found a type that cannot stand in a zone");
	if (!in_zone(x, rr))
		return refuse(x, rr, e, ZR_BADZONE, "expected a name in the zone, found another");
	if (rr->type == TYPE_SOA && !at_apex(x, rr))
		return refuse(x, rr, e, ZR_BADZONE, "found an SOA below the apex");
	return XFRIN_MORE;
}

static void
keep_soa(struct xfrin *x, const struct rr *rr, uint32_t serial)
{
	memcpy(x->soa_owner, rr->owner, rr->owner_len);
	memcpy(x->soa_rdata, rr->rdata, rr->rdlen);
	x->soa = *rr;
	x->soa.owner = x->soa_owner;
	x->soa.rdata = x->soa_rdata;
	x->serial = serial;
	x->have_soa = true;
}

/*
 * The same SOA again?  Names without regard to case: a sender that compresses against names in
 * other spelling changes it.  TTL is not part of it.
 */
static bool
is_first_soa(const struct xfrin *x, const struct rr *rr)
{
	const uint8_t *a = x->soa.rdata, *b = rr->rdata;
	size_t len = x->soa.rdlen, names = len - SOA_NUMBERS;

	if (rr->rdlen != len || memcmp(a + names, b + names, SOA_NUMBERS) != 0)
		return false;
	return name_equal(a, b) && name_equal(a + name_len(a), b + name_len(b));
}

static enum xfrin_step
begin_full(struct xfrin *x, struct zr_err *e)
{
	enum xfrin_step step;

	x->phase = XFRIN_FULL;
	step = hand(x, x->ops.full, &x->soa, e);
	return step == XFRIN_MORE ? hand(x, x->ops.record, &x->soa, e) : step;
}

/* X-13, I-03, S-02; I-BINDSOA: an SOA that is not newer ends it, whatever might follow. */
static enum xfrin_step
first_record(struct xfrin *x, const struct rr *rr, struct zr_err *e)
{
	struct soa soa;

	if (rr->type != TYPE_SOA || rr->class != CLASS_IN || !name_equal(rr->owner, x->q.zone))
		return refuse(x, rr, e, ZR_FORMERR, "expected the SOA of the zone, found another");
	if (!rr_soa(rr, &soa))
		return refuse(x, rr, e, ZR_FORMERR, "malformed SOA");
	keep_soa(x, rr, soa.serial);
	if (x->q.have_serial && !x->q.forced && !serial_gt(soa.serial, x->q.serial))
		return XFRIN_CURRENT;
	if (x->q.kind == XFRIN_AXFR)
		return begin_full(x, e);
	x->phase = XFRIN_SHAPE;
	return XFRIN_MORE;
}

static enum xfrin_step
not_closing(const struct xfrin *x, const struct rr *rr, struct zr_err *e)
{
	struct soa soa = {0};

	rr_soa(rr, &soa);
	return refuse(x, rr, e, ZR_FORMERR,
	    "expected the closing SOA to equal the first, with serial %" PRIu32
	    ", found another, with serial %" PRIu32,
	    x->serial, soa.serial);
}

static enum xfrin_step
full_end(struct xfrin *x, const struct rr *rr, struct zr_err *e)
{
	if (!is_first_soa(x, rr))
		return not_closing(x, rr, e);
	x->stats.records--;
	x->closed = true;
	if (!x->apex_ns) {
		zr_fail(e, ZR_BADZONE, "the zone has no NS record at its apex");
		return XFRIN_FAIL;
	}
	return XFRIN_DONE;
}

static enum xfrin_step
full_record(struct xfrin *x, const struct rr *rr, struct zr_err *e)
{
	if (rr->type == TYPE_SOA)
		return full_end(x, rr, e);
	if (rr->type == TYPE_NS && at_apex(x, rr))
		x->apex_ns = true;
	return hand(x, x->ops.record, rr, e);
}

/* A step begins: its old SOA continues where the last step ended (I-06). */
static enum xfrin_step
begin_step(struct xfrin *x, const struct rr *rr, uint32_t serial, struct zr_err *e)
{
	if (serial != x->reached) {
		return refuse(x, rr, e, ZR_DIFF,
		    "expected a step from serial %" PRIu32 ", found one from %" PRIu32, x->reached,
		    serial);
	}
	if (x->q.limits.max_steps != 0 && x->stats.steps == x->q.limits.max_steps) {
		zr_fail(e, ZR_LIMIT, "the difference has more steps than the limit of %u",
		    x->q.limits.max_steps);
		return XFRIN_FAIL;
	}
	x->stats.steps++;
	x->phase = XFRIN_DEL;
	return hand(x, x->ops.step_old, rr, e);
}

/* I-02: the second record is an SOA with our serial: a difference.  Anything else: a whole zone. */
static enum xfrin_step
second_record(struct xfrin *x, const struct rr *rr, struct zr_err *e)
{
	enum xfrin_step step;
	struct soa soa;

	if (x->q.have_serial && rr_soa(rr, &soa) && soa.serial == x->q.serial) {
		x->diff = true;
		x->reached = x->q.serial;
		step = hand(x, x->ops.diff, &x->soa, e);
		return step == XFRIN_MORE ? begin_step(x, rr, soa.serial, e) : step;
	}
	step = begin_full(x, e);
	return step == XFRIN_MORE ? full_record(x, rr, e) : step;
}

static enum xfrin_step
del_end(struct xfrin *x, const struct rr *rr, uint32_t serial, struct zr_err *e)
{
	if (!serial_gt(serial, x->reached)) {
		return refuse(x, rr, e, ZR_DIFF,
		    "expected a step from serial %" PRIu32 " to a greater one, found %" PRIu32,
		    x->reached, serial);
	}
	if (serial == x->serial && !is_first_soa(x, rr)) {
		return refuse(x, rr, e, ZR_DIFF,
		    "expected the SOA of the last step to equal the first record, found another");
	}
	x->reached = serial;
	x->phase = XFRIN_ADD;
	return hand(x, x->ops.step_new, rr, e);
}

static enum xfrin_step
add_end(struct xfrin *x, const struct rr *rr, uint32_t serial, struct zr_err *e)
{
	if (x->reached != x->serial)
		return begin_step(x, rr, serial, e);
	if (!is_first_soa(x, rr))
		return not_closing(x, rr, e);
	x->stats.records--;
	x->closed = true;
	return XFRIN_DONE;
}

static enum xfrin_step
diff_record(struct xfrin *x, const struct rr *rr, struct zr_err *e)
{
	struct soa soa;

	if (rr->type != TYPE_SOA)
		return hand(x, x->phase == XFRIN_DEL ? x->ops.del : x->ops.add, rr, e);
	if (!rr_soa(rr, &soa))
		return refuse(x, rr, e, ZR_FORMERR, "malformed SOA");
	if (x->phase == XFRIN_DEL)
		return del_end(x, rr, soa.serial, e);
	return add_end(x, rr, soa.serial, e);
}

enum xfrin_step
xfrin_record(struct xfrin *x, const struct rr *rr, struct zr_err *e)
{
	uint64_t max = x->q.limits.max_records;
	enum xfrin_step step;

	x->stats.records++;
	if (x->phase == XFRIN_FIRST)
		return first_record(x, rr, e);
	step = check_rr(x, rr, e);
	if (step != XFRIN_MORE)
		return step;
	/* An SOA may turn out to be the closing one, which does not count. */
	if (max != 0 && x->stats.records - (rr->type == TYPE_SOA) > max) {
		zr_fail(e, ZR_LIMIT, "the answer has more records than the limit of %" PRIu64, max);
		return XFRIN_FAIL;
	}
	switch (x->phase) {
	case XFRIN_SHAPE:
		return second_record(x, rr, e);
	case XFRIN_FULL:
		return full_record(x, rr, e);
	default:
		return diff_record(x, rr, e);
	}
}
