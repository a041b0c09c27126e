/* SPDX-License-Identifier: BSD-2-Clause */
/* What a forced transfer leads to, and what became of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "core/forced.h"

#define S ZR_US_PER_S
#define MINUTE (60 * S)
#define HOUR (3600 * S)
#define WINDOW (600 * S)

static struct forced f;
static struct forced_result r;
static uint8_t served; /* content, named by a number */

static int
setup(void **state)
{
	(void)state;
	f = (struct forced){0};
	r = (struct forced_result){.at = {1800000000 * S},
	    .serial = 10,
	    .version = 1,
	    .duration_us = S,
	    .window_us = WINDOW};
	served = 1;
	return 0;
}

/* A forced transfer brings this content, so long after the last one. */
static enum forced_verdict
bring(uint8_t content, int64_t after_us)
{
	r.at.us += after_us;
	r.version += content != served;
	memset(r.digest, content, sizeof(r.digest));
	memset(r.old_digest, served, sizeof(r.old_digest));
	served = content;
	enum forced_verdict v = forced_judge(&f, &r);
	assert_int_equal(f.verdict, v);
	assert_int_equal(f.at.us, r.at.us);
	assert_int_equal(f.serial, r.serial);
	assert_int_equal(f.version, r.version);
	assert_int_equal(f.duration_us, r.duration_us);
	assert_memory_equal(f.digest, r.digest, sizeof(f.digest));
	return v;
}

/* It goes to these: one letter for each state a downstream can be in. */
static const char *
goes(void)
{
	static char s[FORCED_PEER_STATE_COUNT + 1];
	unsigned n = 0;

	for (unsigned p = 0; p < FORCED_PEER_STATE_COUNT; p++)
		if (forced_goes(&f, (enum forced_peer_state)p))
			s[n++] = "osaVuxrg"[p];
	s[n] = '\0';
	return s;
}

#define ALL "osaVuxrg"
#define NEEDY "osauxrg"

static void
new_then_duplicates(void **state)
{
	struct zr_wall since;

	(void)state;
	assert_int_equal(bring(2, 0), FORCED_NEW);
	since = f.at;
	assert_int_equal(f.event, 1);
	assert_int_equal(f.before[0], 1);
	assert_string_equal(goes(), ALL);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(bring(2, WINDOW), FORCED_DUPLICATE); /* the window moves on */
		assert_int_equal(f.event, 1);
		assert_int_equal(f.since.us, since.us);
		assert_int_equal(f.before[0], 1);
		assert_string_equal(goes(), NEEDY);
	}
	assert_int_equal(bring(3, S), FORCED_NEW);
	assert_int_equal(f.event, 2);
	assert_int_equal(f.before[0], 2);
	assert_int_equal(f.since.us, f.at.us);
	assert_string_equal(goes(), ALL);
}

/* the first one is passed on though it changed nothing here. */
static void
first_one_without_a_change(void **state)
{
	(void)state;
	assert_int_equal(bring(1, 0), FORCED_NEW);
	assert_int_equal(f.event, 1);
	assert_int_equal(f.before[0], 1);
	assert_int_equal(bring(1, S), FORCED_DUPLICATE);
	assert_int_equal(f.alternations, 0);
}

static void
repeats_double_the_window(void **state)
{
	int64_t w = WINDOW;

	(void)state;
	bring(2, 0);
	for (unsigned n = 0; n < 7; n++) {
		assert_int_equal(forced_window(&f, WINDOW, 0), w);
		assert_int_equal(f.repeats, n);
		assert_int_equal(bring(2, w), FORCED_DUPLICATE);
		assert_int_equal(f.event, n + 1);
		assert_int_equal(bring(2, w + 1), FORCED_REPEAT);
		assert_int_equal(f.event, n + 2);
		assert_int_equal(f.since.us, f.at.us);
		assert_string_equal(goes(), ALL);
		w *= 2;
	}
	/* 600 s x 2^7 is not yet 24 h; the next one would be more. */
	assert_int_equal(bring(2, w + 1), FORCED_REPEAT);
	assert_int_equal(forced_window(&f, WINDOW, 0), FORCED_WINDOW_MAX_US);
	/* Other content ends it. */
	assert_int_equal(bring(3, S), FORCED_NEW);
	assert_int_equal(f.repeats, 0);
	assert_int_equal(forced_window(&f, WINDOW, 0), WINDOW);
}

static void
a_day_of_silence_forgets(void **state)
{
	(void)state;
	bring(2, 0);
	bring(2, 700 * S);
	bring(2, 2000 * S);
	assert_int_equal(f.repeats, 2);
	assert_int_equal(bring(2, 24 * HOUR), FORCED_REPEAT);
	assert_int_equal(f.repeats, 0);
	assert_int_equal(bring(2, WINDOW), FORCED_DUPLICATE);
	/* With the window at its cap there is no time between duplicate and forgotten. */
	f.repeats = 30;
	assert_int_equal(bring(2, 24 * HOUR - 1), FORCED_DUPLICATE);
	assert_int_equal(f.repeats, 30);
}

static void
window_of_splay_and_duration(void **state)
{
	(void)state;
	f.duration_us = 100 * S;
	assert_int_equal(forced_window(&f, WINDOW, 60 * S), WINDOW);
	assert_int_equal(forced_window(&f, 10 * S, 60 * S), 320 * S);
	f.duration_us = 400 * S;
	assert_int_equal(forced_window(&f, WINDOW, 0), 800 * S);
	f.repeats = 3;
	assert_int_equal(forced_window(&f, WINDOW, 0), 6400 * S);
	/* Nonsense from a file or a clock. */
	f.repeats = UINT32_MAX;
	assert_int_equal(forced_window(&f, WINDOW, 0), FORCED_WINDOW_MAX_US);
	f = (struct forced){.duration_us = INT64_MAX};
	assert_int_equal(forced_window(&f, INT64_MAX, INT64_MAX), FORCED_WINDOW_MAX_US);
	f = (struct forced){.duration_us = INT64_MIN, .repeats = 5};
	assert_int_equal(forced_window(&f, INT64_MIN, INT64_MIN), 0);
}

/* What waited for its rate, or for a primary, was asked for within the window all the same. */
static void
time_of_the_trigger_counts(void **state)
{
	(void)state;
	bring(2, 0);
	r.asked.us = r.at.us + WINDOW;
	assert_int_equal(bring(2, 3 * WINDOW), FORCED_DUPLICATE);
	r.asked.us = r.at.us - 5 * S; /* while the last one was running */
	assert_int_equal(bring(2, 20 * HOUR), FORCED_DUPLICATE);
	r.asked.us = r.at.us + WINDOW + 1;
	assert_int_equal(bring(2, WINDOW + 2), FORCED_REPEAT);
	r.asked.us = r.at.us + 9 * HOUR; /* later than the commit: the clock was set back */
	assert_int_equal(bring(2, 2 * WINDOW), FORCED_DUPLICATE);
}

static void
by_command(void **state)
{
	(void)state;
	bring(2, 0);
	bring(2, 700 * S);
	r.operator= true;
	assert_int_equal(bring(2, S), FORCED_REPEAT);
	assert_int_equal(f.event, 3);
	assert_int_equal(f.repeats, 0);
	assert_string_equal(goes(), ALL);
	r.operator= false;
	assert_int_equal(bring(2, S), FORCED_DUPLICATE);
}

/* primaries that disagree. */
static void
alternating(void **state)
{
	(void)state;
	bring(2, 0);
	assert_int_equal(bring(3, MINUTE), FORCED_NEW);
	assert_int_equal(bring(2, MINUTE), FORCED_NEW); /* might be a correction */
	assert_int_equal(f.alternations, 1);
	assert_int_equal(bring(3, MINUTE), FORCED_NEW); /* of a late old content */
	assert_string_equal(goes(), ALL);
	assert_int_equal(f.alternations, 2);
	assert_false(forced_pinned(&f, f.at));
	uint64_t event = f.event;
	assert_int_equal(bring(2, MINUTE), FORCED_ALTERNATING);
	assert_string_equal(goes(), "");
	assert_true(forced_pinned(&f, f.at));
	/* Now the first one is believed: its content comes once more, and then stays. */
	assert_int_equal(bring(3, MINUTE), FORCED_ALTERNATING);
	assert_int_equal(bring(3, MINUTE), FORCED_ALTERNATING);
	assert_int_equal(f.event, event);
	assert_true(forced_pinned(&f, (struct zr_wall){f.at.us + 24 * HOUR - 1}));
	assert_false(forced_pinned(&f, (struct zr_wall){f.at.us + 24 * HOUR}));
	/* Different content ends it. */
	assert_int_equal(bring(4, MINUTE), FORCED_NEW);
	assert_int_equal(f.event, event + 1);
	assert_int_equal(f.alternations, 0);
	assert_false(forced_pinned(&f, f.at));
}

static void
alternating_ends_by_command_or_after_a_day(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		setup(NULL);
		for (uint8_t k = 0; k < 6; k++)
			bring(2 + k % 2, MINUTE);
		assert_int_equal(f.verdict, FORCED_ALTERNATING);
		assert_int_equal(served, 3);
		r.operator= i<2;
		assert_int_equal(bring(2 + i % 2, i < 2 ? MINUTE : 24 * HOUR),
		    i % 2 == 0 ? FORCED_NEW : FORCED_REPEAT);
		assert_int_equal(f.alternations, 0);
		assert_false(forced_pinned(&f, f.at));
	}
}

/* Going back counts under the same serial only, and only when nothing came in between. */
static void
going_back_that_does_not_count(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		bring(2 + i % 2, MINUTE);
		r.serial++;
		assert_int_equal(f.verdict, FORCED_NEW);
		assert_int_equal(f.alternations, 0);
	}
	setup(NULL);
	for (unsigned i = 0; i < 6; i++) {
		bring(2 + i % 2, MINUTE);
		served = 9; /* an ordinary transfer */
		assert_int_equal(f.verdict, FORCED_NEW);
		assert_int_equal(f.alternations, 0);
	}
}

/*
 * The content of the event again, but not what is served: the downstreams that have fetched it
 * since have gone on to the other one with us.
 */
static void
same_as_the_event_but_not_as_what_is_served(void **state)
{
	(void)state;
	bring(2, 0);
	served = 9;
	assert_int_equal(bring(2, MINUTE), FORCED_NEW);
	assert_int_equal(f.event, 2);
	/* The other way round: the same as what is served, but not as the event brought. */
	served = 9;
	assert_int_equal(bring(9, MINUTE), FORCED_NEW);
	assert_int_equal(bring(9, MINUTE), FORCED_DUPLICATE);
}

static void
echoes_and_too_many(void **state)
{
	(void)state;
	bring(2, 0);
	r.echo = true;
	assert_int_equal(bring(2, MINUTE), FORCED_DUPLICATE);
	assert_true(f.quiet);
	assert_string_equal(goes(), "");
	r.echo = false;
	assert_int_equal(bring(2, MINUTE), FORCED_DUPLICATE);
	assert_false(f.quiet);
	/* News is news, whoever brings it. */
	r.echo = true;
	assert_int_equal(bring(3, MINUTE), FORCED_NEW);
	assert_string_equal(goes(), ALL);
	assert_int_equal(bring(3, WINDOW + 1), FORCED_REPEAT);
	assert_string_equal(goes(), ALL);
	r.echo = false;
	for (unsigned i = 0; i < FORCED_DUPLICATES_MAX; i++) {
		bring(3, MINUTE);
		assert_string_equal(goes(), NEEDY);
	}
	assert_int_equal(bring(3, MINUTE), FORCED_DUPLICATE);
	assert_string_equal(goes(), "");
	bring(4, MINUTE);
	bring(4, MINUTE);
	assert_string_equal(goes(), NEEDY);
}

/* Whatever clocks say, one wrong verdict at most, and no overflow. */
static void
clocks_that_jump(void **state)
{
	static const int64_t at[] = {INT64_MIN, -1, 0, 1, INT64_MAX};

	(void)state;
	bring(2, 0);
	assert_int_equal(bring(2, -HOUR), FORCED_DUPLICATE); /* set back by an hour */
	assert_int_equal(bring(2, WINDOW + 1), FORCED_REPEAT);
	assert_int_equal(bring(2, -365 * 24 * HOUR), FORCED_REPEAT); /* by a year: forgotten */
	assert_int_equal(bring(2, WINDOW), FORCED_DUPLICATE);
	f.alternations = 3;
	assert_false(forced_pinned(&f, (struct zr_wall){f.at.us - 24 * HOUR}));
	assert_true(forced_pinned(&f, (struct zr_wall){f.at.us - HOUR}));
	for (unsigned i = 0; i < 5; i++) {
		for (unsigned k = 0; k < 5; k++) {
			f.at.us = at[i];
			r.at.us = at[k];
			r.asked.us = at[(i + k) % 5];
			bring(2, 0);
			forced_pinned(&f, (struct zr_wall){at[i]});
		}
	}
}

/* Every combination of what is known and what comes; the rules said once more, another way. */
static void
every_combination(void **state)
{
	static const int64_t ages[] = {
	    0, WINDOW, WINDOW + 1, 4 * WINDOW, 4 * WINDOW + 1, 24 * HOUR - 1, 24 * HOUR};
	unsigned seen[FORCED_VERDICT_COUNT] = {0};

	(void)state;
	for (unsigned i = 0; i < 2 * 4 * 3 * 4 * 3 * 2 * 7; i++) {
		unsigned k = i;
		bool had = k % 2;
		unsigned alternations = (k /= 2) % 4;
		unsigned repeats = ((k /= 4) % 3) * 2;
		uint8_t now = 1 + (k /= 3) % 4, was = 1 + (k /= 4) % 3;
		bool operator=(k /= 3) % 2;
		int64_t age = ages[(k /= 2) % 7];

		setup(NULL);
		if (had) {
			bring(1, 0);
			bring(2, MINUTE); /* before: 1 */
			f.repeats = repeats;
			f.alternations = alternations;
		}
		uint64_t event = f.event;
		served = was;
		r.operator= operator;
		enum forced_verdict v = bring(now, age);
		bool past = age >= 24 * HOUR, same = had && now == 2 && was == 2;
		bool back = had && now == 1 && was == 2 && !operator&& !past;
		bool stays = had && same && !operator&& !past;
		unsigned count = back ? alternations + 1 : stays ? alternations : 0;
		if (!had)
			count = 0;
		int64_t w = WINDOW << repeats;
		enum forced_verdict want = count > 2 ? FORCED_ALTERNATING
					   : !same   ? FORCED_NEW
					   :
					   operator|| past ? FORCED_REPEAT
					   : age <=(w < 24 * HOUR ? w : 24 * HOUR)
					       ? FORCED_DUPLICATE
					       : FORCED_REPEAT;
		assert_int_equal(v, want);
		assert_int_equal(f.alternations, count);
		assert_int_equal(f.event, event + (v == FORCED_NEW || v == FORCED_REPEAT));
		if (v == FORCED_NEW || operator|| past)
			assert_int_equal(f.repeats, had && v == FORCED_ALTERNATING ? repeats : 0);
		seen[v]++;
	}
	for (unsigned v = 0; v < FORCED_VERDICT_COUNT; v++)
		assert_true(seen[v] > 10);
}

/* AN-14, A-09 */
static void
splay(void **state)
{
	(void)state;
	assert_int_equal(forced_splay(0, 10 * S, 0, 60 * S, 3600), 0);
	assert_int_equal(forced_splay(1, 10 * S, 0, 60 * S, 3600), 0);
	assert_int_equal(forced_splay(1, 10 * S, 5 * S, 60 * S, 3600), 5 * S);
	assert_int_equal(forced_splay(2, 10 * S, 0, 60 * S, 3600), 20 * S);
	assert_int_equal(forced_splay(50, 10 * S, 0, 60 * S, 3600), 60 * S);
	assert_int_equal(forced_splay(50, 10 * S, 0, 60 * S, 30), 30 * S);
	assert_int_equal(forced_splay(50, 10 * S, 0, 60 * S, 0), 60 * S);
	assert_int_equal(forced_splay(3, 1000, 30 * S, 60 * S, 3600), 30 * S);
	assert_int_equal(forced_splay(3, 1000, 300 * S, 60 * S, 3600), 60 * S);
	assert_int_equal(forced_splay(3, 10 * S, 0, 0, 3600), 0);
	assert_int_equal(
	    forced_splay(UINT32_MAX, INT64_MAX, 0, INT64_MAX, UINT32_MAX), (int64_t)UINT32_MAX * S);
	assert_int_equal(forced_splay(5, INT64_MIN, INT64_MIN, 60 * S, 1), 0);
}

/* ---- the course at one address ---- */

/* clang-format off */
static const char *const course[FORCED_PEER_STATE_COUNT][FORCED_PEER_EVENT_COUNT] = {
/* event   sent           unanswered     acked          unsupported    refused        given up       fetched     window */
{ "owed",  "sent",        "owed",        "acked",       "unsupported", "refused",     "given-up",    "verified", "owed" },
{ "owed",  "sent",        "owed",        "acked",       "unsupported", "refused",     "given-up",    "verified", "sent" },
{ "owed",  "acked",       "acked",       "acked",       "acked",       "acked",       "acked",       "verified", "unverified" },
{ "owed",  "verified",    "verified",    "verified",    "verified",    "verified",    "verified",    "verified", "verified" },
{ "owed",  "unverified",  "unverified",  "unverified",  "unverified",  "unverified",  "unverified",  "verified", "unverified" },
{ "owed",  "unsupported", "unsupported", "unsupported", "unsupported", "unsupported", "unsupported", "verified", "unsupported" },
{ "owed",  "refused",     "refused",     "refused",     "refused",     "refused",     "refused",     "verified", "refused" },
{ "owed",  "given-up",    "given-up",    "given-up",    "given-up",    "given-up",    "given-up",    "verified", "given-up" },
};
/* clang-format on */

static void
every_step_at_a_downstream(void **state)
{
	(void)state;
	for (unsigned s = 0; s < FORCED_PEER_STATE_COUNT; s++) {
		for (unsigned e = 0; e < FORCED_PEER_EVENT_COUNT; e++) {
			enum forced_peer_state to =
			    forced_peer_step((enum forced_peer_state)s, (enum forced_peer_event)e);
			assert_true(to < FORCED_PEER_STATE_COUNT);
			assert_string_equal(forced_peer_names[to], course[s][e]);
		}
		assert_int_equal(
		    forced_peer_needs((enum forced_peer_state)s), s != FORCED_PEER_VERIFIED);
		assert_int_equal(forced_peer_echoes((enum forced_peer_state)s),
		    strchr("saVu", "osaVuxrg"[s]) != NULL);
	}
	assert_string_equal(forced_verdict_names[FORCED_NEW], "new");
	assert_string_equal(forced_verdict_names[FORCED_REPEAT], "repeat");
	assert_string_equal(forced_verdict_names[FORCED_DUPLICATE], "duplicate");
	assert_string_equal(forced_verdict_names[FORCED_ALTERNATING], "alternating");
}

int
main(void)
{
#define T(x) cmocka_unit_test_setup(x, setup)
	const struct CMUnitTest tests[] = {
	    T(new_then_duplicates),
	    T(first_one_without_a_change),
	    T(repeats_double_the_window),
	    T(a_day_of_silence_forgets),
	    T(window_of_splay_and_duration),
	    T(time_of_the_trigger_counts),
	    T(by_command),
	    T(alternating),
	    T(alternating_ends_by_command_or_after_a_day),
	    T(going_back_that_does_not_count),
	    T(same_as_the_event_but_not_as_what_is_served),
	    T(echoes_and_too_many),
	    T(clocks_that_jump),
	    T(every_combination),
	    T(splay),
	    T(every_step_at_a_downstream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
