/* SPDX-License-Identifier: BSD-2-Clause */
/* TS-09: what was seen is known again, what is too old is not taken, what is a little late is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/replay.h"

static const uint8_t key[] = "\003one", other[] = "\003two";

#define NOW 1000

static uint8_t mac[32];

/* A request of this key with the n-th MAC. */
static struct replay_request
sign(const uint8_t *name, uint64_t time, unsigned n)
{
	for (unsigned i = 0; i < 32; i++)
		mac[i] = (uint8_t)(i < 4 ? n >> (8 * i) : i);
	return (struct replay_request){.key = name, .time = time, .mac = mac, .mac_len = 32};
}

static enum replay_verdict
check(struct replay *r, const uint8_t *name, uint64_t time, unsigned n)
{
	struct replay_request q = sign(name, time, n);

	return replay_check(r, &q, NOW);
}

static enum replay_verdict
check_forced(struct replay *r, const uint8_t *name, uint64_t time, unsigned n)
{
	struct replay_request q = sign(name, time, n);

	q.forced = true;
	return replay_check(r, &q, NOW);
}

static void
note(struct replay *r, const uint8_t *name, uint64_t time, unsigned n)
{
	struct replay_request q = sign(name, time, n);

	replay_note(r, &q, NOW);
}

static bool
keep(struct replay *r, const uint8_t *name, uint64_t time)
{
	struct replay_request q = sign(name, time, 0);

	return replay_keep(r, &q);
}

static void
test_seen(void **state)
{
	struct replay *r = replay_new();
	struct replay_request q;

	(void)state;
	assert_int_equal(check(r, key, 1000, 1), REPLAY_NEW);
	assert_int_equal(check(r, key, 1000, 1), REPLAY_NEW);
	note(r, key, 1000, 1);
	assert_int_equal(check(r, key, 1000, 1), REPLAY_SEEN);
	assert_int_equal(check(r, other, 1000, 1), REPLAY_NEW);
	note(r, key, 1000, 1);
	q = sign(key, 1000, 1);
	replay_forget(r, &q);
	assert_int_equal(check(r, key, 1000, 1), REPLAY_NEW);
	replay_forget(r, &q);
	replay_free(r);
	replay_free(NULL);
}

static void
test_late(void **state)
{
	struct replay *r = replay_new();

	(void)state;
	note(r, key, 1000, 1);
	assert_int_equal(check(r, key, 1000 - REPLAY_LATE_S, 2), REPLAY_NEW);
	assert_int_equal(check(r, key, 999 - REPLAY_LATE_S, 2), REPLAY_LATE);
	assert_int_equal(check(r, other, 1, 2), REPLAY_NEW);
	note(r, key, 990, 2); /* the newest stays */
	assert_int_equal(check(r, key, 999 - REPLAY_LATE_S, 3), REPLAY_LATE);
	/* What was seen is answered however old it is: its sender still waits. */
	note(r, key, 2000, 4);
	assert_int_equal(check(r, key, 1000, 1), REPLAY_SEEN);
	replay_free(r);
}

/* A crowd: most are known again, and the newest always is. */
static void
test_many(void **state)
{
	struct replay *r = replay_new();
	unsigned known = 0;

	(void)state;
	for (unsigned i = 0; i < REPLAY_PLACES; i++) {
		note(r, key, 1000 + i, i);
		assert_int_equal(check(r, key, 1000 + i, i), REPLAY_SEEN);
	}
	for (unsigned i = 0; i < REPLAY_PLACES; i++)
		known += check(r, key, 1000 + i, i) == REPLAY_SEEN;
	assert_true(known > REPLAY_PLACES / 2);
	replay_free(r);
}

/* What the process before this one acted upon. */
static void
test_floor(void **state)
{
	struct replay *r = replay_new();

	(void)state;
	replay_floor(r, key, 1000);
	assert_int_equal(check(r, key, 999, 1), REPLAY_OLD);
	assert_int_equal(check(r, key, 1000, 1), REPLAY_NEW);
	assert_int_equal(check_forced(r, key, 999, 1), REPLAY_OLD);
	assert_int_equal(check_forced(r, key, 1000, 1), REPLAY_OLD);
	assert_int_equal(check_forced(r, key, 1001, 1), REPLAY_NEW);
	assert_int_equal(check_forced(r, other, 1, 1), REPLAY_NEW);
	/* It stays where it is, and does not hold up who is a little late from now on. */
	note(r, key, 1020, 1);
	assert_int_equal(check(r, key, 1001, 2), REPLAY_NEW);
	assert_int_equal(check_forced(r, key, 1000, 2), REPLAY_OLD);
	/* This process has seen it: answered again. */
	note(r, key, 1000, 3);
	assert_int_equal(check_forced(r, key, 1000, 3), REPLAY_SEEN);
	replay_free(r);
}

/* A clock that was a day ahead when it was noted must not keep everybody out for a day. */
static void
test_wrong_clock(void **state)
{
	struct replay *r = replay_new();
	struct replay_request q;

	(void)state;
	replay_floor(r, key, NOW + REPLAY_AHEAD_S + 1);
	assert_int_equal(check_forced(r, key, NOW, 1), REPLAY_NEW);
	replay_floor(r, key, NOW + REPLAY_AHEAD_S);
	assert_int_equal(check_forced(r, key, NOW, 1), REPLAY_OLD);
	q = sign(other, 90000, 2);
	replay_note(r, &q, 90000);
	assert_int_equal(check(r, other, NOW, 3), REPLAY_NEW);
	note(r, other, NOW, 3);
	assert_int_equal(check(r, other, NOW - REPLAY_LATE_S - 1, 4), REPLAY_LATE);
	replay_free(r);
}

/* What is written is written once, and again when it was not to be. */
static void
test_keep(void **state)
{
	struct replay *r = replay_new();
	struct replay_request q = sign(key, 1001, 0);

	(void)state;
	assert_true(keep(r, key, 1000));
	assert_false(keep(r, key, 1000));
	assert_false(keep(r, key, 999));
	assert_true(keep(r, key, 1001));
	assert_true(keep(r, other, 1));
	replay_forget(r, &q);
	assert_true(keep(r, key, 1001));
	/* Two clocks. */
	assert_true(keep(r, key, 90000));
	assert_true(keep(r, key, 1002));
	assert_false(keep(r, key, 1002));
	replay_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_seen),
	    cmocka_unit_test(test_late),
	    cmocka_unit_test(test_many),
	    cmocka_unit_test(test_floor),
	    cmocka_unit_test(test_wrong_clock),
	    cmocka_unit_test(test_keep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
