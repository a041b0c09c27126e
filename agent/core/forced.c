/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/forced.h"

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define TARGETS 1000000 /* more do not make the spread longer; keeps it far from overflow */

const char *const forced_verdict_names[] = {"new", "repeat", "duplicate", "alternating"};
_Static_assert(COUNT(forced_verdict_names) == FORCED_VERDICT_COUNT, "names");

const char *const forced_peer_names[] = {
    "owed", "sent", "acked", "verified", "unverified", "unsupported", "refused", "given-up"};
_Static_assert(COUNT(forced_peer_names) == FORCED_PEER_STATE_COUNT, "names");

static int64_t
between(int64_t us, int64_t least, int64_t most)
{
	return us < least ? least : us > most ? most : us;
}

/* From `since` to `at`; clocks and files may say anything. */
static int64_t
elapsed(struct zr_wall since, struct zr_wall at)
{
	int64_t us;

	if (__builtin_sub_overflow(at.us, since.us, &us))
		return at.us > since.us ? INT64_MAX : INT64_MIN;
	return us;
}

int64_t
forced_window(const struct forced *f, int64_t window_us, int64_t splay_us)
{
	/* Each is bounded before they are added up. */
	int64_t need = 2 * between(splay_us, 0, FORCED_WINDOW_MAX_US) +
		       2 * between(f->duration_us, 0, FORCED_WINDOW_MAX_US);
	int64_t us = between(window_us > need ? window_us : need, 0, FORCED_WINDOW_MAX_US);

	for (uint32_t i = 0; i < f->repeats && us > 0 && us < FORCED_WINDOW_MAX_US; i++)
		us *= 2;
	return between(us, 0, FORCED_WINDOW_MAX_US);
}

/*
 * Nothing for a day: what happened before is forgotten.  A clock that was set back by little makes
 * the event look as if it were still to come, which is "just now"; by more than a day it proves
 * nothing.
 */
static bool
is_past(struct zr_wall at, struct zr_wall now)
{
	int64_t us = elapsed(at, now);

	return us >= FORCED_WINDOW_MAX_US || us <= -FORCED_WINDOW_MAX_US;
}

bool
forced_pinned(const struct forced *f, struct zr_wall now)
{
	return f->alternations > FORCED_ALTERNATIONS_MAX && !is_past(f->at, now);
}

static bool
same_digest(const uint8_t *a, const uint8_t *b)
{
	return memcmp(a, b, SEGMENT_DIGEST) == 0;
}

/*
 * The same as the event brought, and nothing else was served in between: those who have fetched it
 * since have it.
 */
static bool
is_same(const struct forced *f, const struct forced_result *r)
{
	return same_digest(r->digest, f->digest) && same_digest(r->digest, r->old_digest);
}

/* What the last forced transfer replaced is there again, under the same serial. */
static bool
went_back(const struct forced *f, const struct forced_result *r)
{
	return same_digest(r->digest, f->before) && same_digest(r->old_digest, f->digest) &&
	       !same_digest(r->digest, f->digest) && r->serial == f->serial;
}

/*
 * A trigger that came while the last transfer was running, or waited for its rate, came within the
 * window, however long ago that transfer was committed.
 */
static bool
in_window(const struct forced *f, const struct forced_result *r)
{
	bool asked = r->asked.us != 0 && r->asked.us < r->at.us;

	return elapsed(f->at, asked ? r->asked : r->at) <=
	       forced_window(f, r->window_us, r->splay_us);
}

static enum forced_verdict
verdict(struct forced *f, const struct forced_result *r)
{
	if (f->event == 0)
		return FORCED_NEW;
	if (r->operator|| is_past(f->at, r->at))
		f->repeats = f->alternations = 0;
	else if (went_back(f, r) && f->alternations < UINT32_MAX)
		f->alternations++;
	else if (!is_same(f, r))
		f->alternations = 0;
	if (f->alternations > FORCED_ALTERNATIONS_MAX)
		return FORCED_ALTERNATING;
	if (!is_same(f, r)) {
		f->repeats = 0;
		return FORCED_NEW;
	}
	if (r->operator|| is_past(f->at, r->at))
		return FORCED_REPEAT;
	if (in_window(f, r))
		return FORCED_DUPLICATE;
	f->repeats += f->repeats < UINT32_MAX;
	return FORCED_REPEAT;
}

/*
 * Two relays that feed each other, and meshes of them: when one that we told tells us the same, all
 * are being told by each other already.  Without this the third transfer of each pair would begin
 * only because each has seen the other fetch from somebody else.
 */
static void
count_duplicate(struct forced *f, const struct forced_result *r)
{
	f->duplicates += f->duplicates < UINT32_MAX;
	f->quiet = r->echo || f->duplicates > FORCED_DUPLICATES_MAX;
}

enum forced_verdict
forced_judge(struct forced *f, const struct forced_result *r)
{
	f->verdict = verdict(f, r);
	f->quiet = false;
	if (f->verdict == FORCED_DUPLICATE)
		count_duplicate(f, r);
	if (f->verdict == FORCED_NEW || f->verdict == FORCED_REPEAT) {
		f->event++;
		f->since = r->at;
		f->duplicates = 0;
	}
	if (f->verdict == FORCED_NEW || !same_digest(r->digest, f->digest)) {
		memcpy(f->before, r->old_digest, SEGMENT_DIGEST);
		memcpy(f->digest, r->digest, SEGMENT_DIGEST);
	}
	f->at = r->at;
	f->serial = r->serial;
	f->version = r->version;
	f->duration_us = r->duration_us;
	return f->verdict;
}

bool
forced_goes(const struct forced *f, enum forced_peer_state peer)
{
	switch (f->verdict) {
	case FORCED_ALTERNATING:
		return false;
	case FORCED_DUPLICATE:
		return !f->quiet && forced_peer_needs(peer);
	case FORCED_NEW:
	case FORCED_REPEAT:
	case FORCED_VERDICT_COUNT:
		break;
	}
	return true;
}

int64_t
forced_splay(unsigned n, int64_t duration_us, int64_t least_us, int64_t most_us, uint32_t refresh_s)
{
	int64_t each = between(duration_us, 0, FORCED_WINDOW_MAX_US);
	int64_t us = n > 1 ? (int64_t)(n < TARGETS ? n : TARGETS) * each : 0;

	if (us < least_us)
		us = least_us;
	if (us > most_us)
		us = most_us;
	if (refresh_s != 0 && us > refresh_s * ZR_US_PER_S)
		us = refresh_s * ZR_US_PER_S;
	return us > 0 ? us : 0;
}

/* ---- the course at one address ---- */

#define OWED FORCED_PEER_OWED
#define SENT FORCED_PEER_SENT
#define ACKD FORCED_PEER_ACKED
#define VERI FORCED_PEER_VERIFIED
#define UNVR FORCED_PEER_UNVERIFIED
#define UNSU FORCED_PEER_UNSUPPORTED
#define REFU FORCED_PEER_REFUSED
#define GIVN FORCED_PEER_GIVEN_UP

/*
 * To have come for it outweighs whatever was answered.  What is said to the NOTIFY(SOA) that is
 * sent instead does not make up for NOTIFY(AXFR) not being understood.
 */
/* clang-format off */
static const uint8_t steps[FORCED_PEER_STATE_COUNT][FORCED_PEER_EVENT_COUNT] = {
/*                            event sent  unans acked unsup refus given fetch window */
[FORCED_PEER_OWED]        = { OWED, SENT, OWED, ACKD, UNSU, REFU, GIVN, VERI, OWED },
[FORCED_PEER_SENT]        = { OWED, SENT, OWED, ACKD, UNSU, REFU, GIVN, VERI, SENT },
[FORCED_PEER_ACKED]       = { OWED, ACKD, ACKD, ACKD, ACKD, ACKD, ACKD, VERI, UNVR },
[FORCED_PEER_VERIFIED]    = { OWED, VERI, VERI, VERI, VERI, VERI, VERI, VERI, VERI },
[FORCED_PEER_UNVERIFIED]  = { OWED, UNVR, UNVR, UNVR, UNVR, UNVR, UNVR, VERI, UNVR },
[FORCED_PEER_UNSUPPORTED] = { OWED, UNSU, UNSU, UNSU, UNSU, UNSU, UNSU, VERI, UNSU },
[FORCED_PEER_REFUSED]     = { OWED, REFU, REFU, REFU, REFU, REFU, REFU, VERI, REFU },
[FORCED_PEER_GIVEN_UP]    = { OWED, GIVN, GIVN, GIVN, GIVN, GIVN, GIVN, VERI, GIVN },
};
/* clang-format on */

enum forced_peer_state
forced_peer_step(enum forced_peer_state s, enum forced_peer_event ev)
{
	return (enum forced_peer_state)steps[s][ev];
}

static const bool needs[FORCED_PEER_STATE_COUNT] = {
    [FORCED_PEER_OWED] = true,
    [FORCED_PEER_SENT] = true,
    [FORCED_PEER_ACKED] = true,
    [FORCED_PEER_VERIFIED] = false,
    [FORCED_PEER_UNVERIFIED] = true,
    [FORCED_PEER_UNSUPPORTED] = true,
    [FORCED_PEER_REFUSED] = true,
    [FORCED_PEER_GIVEN_UP] = true,
};

bool
forced_peer_needs(enum forced_peer_state s)
{
	return needs[s];
}

bool
forced_peer_echoes(enum forced_peer_state s)
{
	return s == FORCED_PEER_SENT || s == FORCED_PEER_ACKED || s == FORCED_PEER_VERIFIED ||
	       s == FORCED_PEER_UNVERIFIED;
}
