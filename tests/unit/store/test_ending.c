/* SPDX-License-Identifier: BSD-2-Clause */
/* What the file says about how the run before has ended. */
#include "tests/unit/store/util.h"

#include "base/clock.h"

static struct zr_wall
ended(struct fx *b)
{
	return store_ended(b->s);
}

static void
load(struct fx *b, const char *label)
{
	fx_zone(b, label);
	fx_load(b, label, 1, "1 2 3");
}

static void
mark(struct fx *b, int64_t zone)
{
	struct store_order *o = store_order_new(STORE_MARK, zone);

	o->mark.pending = PENDING_CHECK;
	o->mark.since = clock_now().wall;
	fx_ok(b, o);
}

static void
close_in_order(struct fx *b)
{
	store_end_in_order(b->s);
	fx_close(b);
}

static void
a_new_file_was_not_closed(void **state)
{
	struct fx *b = *state;

	assert_int_equal(ended(b).us, 0);
}

static void
only_an_orderly_end_is_on_record(void **state)
{
	struct fx *b = *state;
	struct zr_wall before = clock_now().wall;

	load(b, "a");
	fx_close(b);
	fx_open(b);
	assert_int_equal(ended(b).us, 0);
	load(b, "b");
	close_in_order(b);
	fx_open(b);
	assert_in_range(ended(b).us, before.us, clock_now().wall.us);
	/* Nothing was written: nothing can have been lost. */
	fx_close(b);
	fx_open(b);
	assert_in_range(ended(b).us, before.us, clock_now().wall.us);
	mark(b, 1);
	fx_close(b);
	fx_open(b);
	assert_int_equal(ended(b).us, 0);
}

/* The first transaction says that the file is open, and syncs; those behind it need not. */
static void
the_first_transaction_takes_it_back(void **state)
{
	struct fx *b = *state;
	int64_t syncs;

	load(b, "a");
	close_in_order(b);
	fx_open(b);
	syncs = fx_sql(b, "SELECT value FROM meta WHERE key = 'sync'");
	assert_true(fx_sql(b, "SELECT value FROM meta WHERE key = 'ended'") > 0);
	for (int i = 0; i < 3; i++) {
		struct store_order *o = store_order_new(STORE_TIMERS, 1);

		o->timers.failures = 1;
		fx_ok(b, o);
		assert_int_equal(fx_sql(b, "SELECT value FROM meta WHERE key = 'ended'"), 0);
		assert_int_equal(fx_sql(b, "SELECT value FROM meta WHERE key = 'sync'"), syncs + 1);
	}
	/* What the one before has said is known as long as the store is open. */
	assert_true(ended(b).us > 0);
}

/* An order that fails takes the transaction along, and the next one says it. */
static void
not_with_a_transaction_that_failed(void **state)
{
	struct fx *b = *state;

	load(b, "a");
	close_in_order(b);
	fx_open(b);
	fx_fails(b, store_order_new(STORE_TIMERS, 77), ZR_NOTFOUND);
	assert_true(fx_sql(b, "SELECT value FROM meta WHERE key = 'ended'") > 0);
	mark(b, 1);
	assert_int_equal(fx_sql(b, "SELECT value FROM meta WHERE key = 'ended'"), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    FX_TEST(a_new_file_was_not_closed),
	    FX_TEST(only_an_orderly_end_is_on_record),
	    FX_TEST(the_first_transaction_takes_it_back),
	    FX_TEST(not_with_a_transaction_that_failed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
