/* SPDX-License-Identifier: BSD-2-Clause */
/* TS-09: what was seen is known again, what is too old is not taken, what is a little late is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/replay.h"

static const uint8_t key[] = "\003one", other[] = "\003two";

static void
mac_of(uint8_t mac[32], unsigned n)
{
	for (unsigned i = 0; i < 32; i++)
		mac[i] = (uint8_t)(i < 4 ? n >> (8 * i) : i);
}

static void
test_seen(void **state)
{
	struct replay *r = replay_new();
	uint8_t mac[32];

	(void)state;
	mac_of(mac, 1);
	assert_int_equal(replay_check(r, key, 1000, mac, 32), REPLAY_NEW);
	assert_int_equal(replay_check(r, key, 1000, mac, 32), REPLAY_NEW);
	replay_note(r, key, 1000, mac, 32);
	assert_int_equal(replay_check(r, key, 1000, mac, 32), REPLAY_SEEN);
	assert_int_equal(replay_check(r, other, 1000, mac, 32), REPLAY_NEW);
	replay_note(r, key, 1000, mac, 32);
	replay_forget(r, key, mac, 32);
	assert_int_equal(replay_check(r, key, 1000, mac, 32), REPLAY_NEW);
	replay_forget(r, key, mac, 32);
	replay_free(r);
	replay_free(NULL);
}

static void
test_late(void **state)
{
	struct replay *r = replay_new();
	uint8_t mac[32];

	(void)state;
	mac_of(mac, 1);
	replay_note(r, key, 1000, mac, 32);
	mac_of(mac, 2);
	assert_int_equal(replay_check(r, key, 1000 - REPLAY_LATE_S, mac, 32), REPLAY_NEW);
	assert_int_equal(replay_check(r, key, 999 - REPLAY_LATE_S, mac, 32), REPLAY_LATE);
	assert_int_equal(replay_check(r, other, 1, mac, 32), REPLAY_NEW);
	replay_note(r, key, 990, mac, 32); /* the newest stays */
	mac_of(mac, 3);
	assert_int_equal(replay_check(r, key, 999 - REPLAY_LATE_S, mac, 32), REPLAY_LATE);
	/* What was seen is answered however old it is: its sender still waits. */
	mac_of(mac, 4);
	replay_note(r, key, 2000, mac, 32);
	mac_of(mac, 1);
	assert_int_equal(replay_check(r, key, 1000, mac, 32), REPLAY_SEEN);
	replay_free(r);
}

/* A crowd: most are known again, and the newest always is. */
static void
test_many(void **state)
{
	struct replay *r = replay_new();
	unsigned known = 0;
	uint8_t mac[32];

	(void)state;
	for (unsigned i = 0; i < REPLAY_PLACES; i++) {
		mac_of(mac, i);
		replay_note(r, key, 1000 + i, mac, 32);
		assert_int_equal(replay_check(r, key, 1000 + i, mac, 32), REPLAY_SEEN);
	}
	for (unsigned i = 0; i < REPLAY_PLACES; i++) {
		mac_of(mac, i);
		known += replay_check(r, key, 1000 + i, mac, 32) == REPLAY_SEEN;
	}
	assert_true(known > REPLAY_PLACES / 2);
	replay_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_seen),
	    cmocka_unit_test(test_late),
	    cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
