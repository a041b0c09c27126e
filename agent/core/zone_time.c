/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/zone_p.h"

/* Whatever a configuration or an SOA says, nothing is done more often than this (T-11). */
#define FLOOR_US ZR_US_PER_S

static int64_t
min64(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t
max64(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t
clamp(uint32_t seconds, int64_t min_us, int64_t max_us)
{
	int64_t us = max64(seconds * ZR_US_PER_S, min_us);
	return max_us > 0 ? min64(us, max_us) : us;
}

/*
 * Reduces by up to 10 % (T-13).  No generator to carry around: the number follows from the seed,
 * the zone and what it has done so far (splitmix64's finish).
 */
static int64_t
jitter(const struct zone *z, int64_t us)
{
	uint64_t x = z->policy->seed + (uint64_t)z->id * UINT64_C(0x9e3779b97f4a7c15) +
		     ((uint64_t)z->attempt << 32) + z->failures;

	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	x ^= x >> 31;
	return us - (int64_t)(x % (uint64_t)(us / 10 + 1));
}

static int64_t
retry_interval(const struct zone *z, const struct zone_soa_times *t)
{
	return max64(clamp(t->retry, z->policy->retry_min_us, z->policy->retry_max_us), FLOOR_US);
}

int64_t
zone_refresh_whole(const struct zone *z, const struct zone_soa_times *t)
{
	return clamp(t->refresh, z->policy->refresh_min_us, z->policy->refresh_max_us);
}

/* Never loaded, so no SOA says how often: 5 s, 20 s, 45 s, ... 2 h. */
static int64_t
boot_interval(const struct zone *z)
{
	int64_t n = min64(max64(z->failures, 1), 100);
	return min64(ZONE_BOOT_UNIT_US * n * n, ZONE_BOOT_MAX_US);
}

int64_t
zone_retry_after(const struct zone *z)
{
	return jitter(z, z->data == ZONE_EMPTY ? boot_interval(z) : retry_interval(z, &z->times));
}

/*
 * The check comes early enough for one retry before the data expires (T-13); not more often than
 * RETRY may be, though, when EXPIRE is shorter than that.
 */
int64_t
zone_refresh_after(const struct zone *z, const struct zone_soa_times *t, int64_t expire_left)
{
	int64_t us = zone_refresh_whole(z, t);
	int64_t spare = min64(retry_interval(z, t), expire_left / 2);

	us = min64(jitter(z, us), expire_left - spare);
	return max64(us, max64(min64(z->policy->retry_min_us, retry_interval(z, t)), FLOOR_US));
}

int64_t
zone_expire_after(const struct zone *z, const struct zone_soa_times *t)
{
	return clamp(t->expire, z->policy->expire_min_us, z->policy->expire_max_us);
}

/* Whatever a clock or a row says a transfer has taken. */
#define DURATION_MAX_US (24 * 3600 * ZR_US_PER_S)
#define BURST_MAX 1000000 /* with the interval far from the end of int64_t */

/* From one forced transfer to the next, begin to begin, when the burst is used up. */
static int64_t
forced_interval(const struct zone *z)
{
	int64_t every = z->policy->forced_every_us;

	if (every <= 0)
		return 0;
	int64_t us = max64(every, ZONE_FORCED_TIMES * z->forced_duration_us);
	if (z->data == ZONE_EMPTY)
		return us;
	int64_t refresh = zone_refresh_whole(z, &z->times);
	return min64(us, max64(refresh, every));
}

/* A token bucket by the time at which it is full; its interval follows the duration. */
static int64_t
forced_burst(const struct zone *z)
{
	return min64(max64(z->policy->forced_burst, 1), BURST_MAX);
}

static void
forced_limit(struct zone *z, int64_t full_us)
{
	z->forced_full_us = full_us;
	z->forced_limit_us = max64(full_us - (forced_burst(z) - 1) * forced_interval(z), 0);
}

/* A command that passes the limit does not put the next NOTIFY off for longer than an empty bucket.
 */
void
zone_forced_begins(struct zone *z, int64_t now)
{
	int64_t every = forced_interval(z);
	int64_t full = max64(z->forced_full_us, now) + every;

	forced_limit(z, min64(full, now + forced_burst(z) * every));
}

void
zone_forced_policy(struct zone *z, int64_t now)
{
	int64_t most = now + forced_burst(z) * forced_interval(z);

	forced_limit(z, min64(z->forced_full_us, most));
}

void
zone_forced_took(struct zone *z, int64_t duration_us)
{
	int64_t before = forced_interval(z);

	z->forced_duration_us = min64(max64(duration_us, 0), DURATION_MAX_US);
	forced_limit(z, z->forced_full_us + forced_interval(z) - before);
}

/*
 * The limit survives a restart.  The row knows the last transfer only, and when it was
 * committed in wall time; with a clock that was set back it counts as just begun.
 */
static void
start_forced(struct zone *z, const struct zone_start *st, struct zr_now now)
{
	int64_t ago = 0;

	if (st->forced_at.us == 0)
		return;
	z->forced_duration_us = min64(max64(st->forced_duration_us, 0), DURATION_MAX_US);
	if (__builtin_sub_overflow(now.wall.us, st->forced_at.us, &ago) || ago < 0)
		ago = 0;
	else
		ago = min64(ago, INT64_MAX / 2) + z->forced_duration_us;
	int64_t left = forced_interval(z) - ago;
	if (left > 0)
		forced_limit(z, now.mono.us + left);
}

void
zone_extend(struct zone *z, const struct zone_soa *soa, struct zr_mono now)
{
	int64_t left = zone_expire_after(z, &z->times); /* E-08: the bound */

	if (soa->expire_valid)
		left = min64(left, soa->expire * ZR_US_PER_S);
	z->expire_us = max64(z->expire_us, now.us + left);
}

/*
 * T-12.  Stored times are wall time.  What is left of a deadline is at most the whole interval,
 * and, when the clock stands before the time of storing, at most what was left then; so a clock set
 * back extends nothing.  A clock set forward cannot be told from a long pause: the data counts as
 * expired, and the checks that follow at once bring it back.
 */
static int64_t
time_left(struct zr_wall at, struct zr_wall stored, struct zr_wall now, int64_t whole_us)
{
	/* Differences of stored numbers must not overflow, whatever they are. */
	int64_t left = 0;

	if (__builtin_sub_overflow(at.us, now.us, &left))
		left = at.us > 0 ? INT64_MAX : INT64_MIN;
	left = min64(left, whole_us);
	if (stored.us > now.us && at.us >= stored.us) {
		int64_t then = 0;
		if (!__builtin_sub_overflow(at.us, stored.us, &then))
			left = min64(left, then);
	}
	return max64(left, 0);
}

void
zone_start_times(struct zone *z, const struct zone_start *st, struct zr_now now)
{
	int64_t whole = zone_expire_after(z, &z->times);
	int64_t left = whole;

	if (!st->has_data) {
		start_forced(z, st, now);
		return;
	}
	if (st->expire_at.us != 0)
		left = time_left(st->expire_at, st->checked_at, now.wall, whole);
	z->expire_us = now.mono.us + left;
	z->data = left > 0 ? ZONE_LOADED : ZONE_EXPIRED;

	z->refresh_us = now.mono.us;
	if (st->refresh_at.us != 0)
		z->refresh_us += time_left(st->refresh_at, st->checked_at, now.wall,
		    max64(zone_refresh_whole(z, &z->times), FLOOR_US));
	z->unseen = st->recheck;
	if (z->unseen)
		z->flags |= ZF_FRESH;
	start_forced(z, st, now);
}

int64_t
zone_deadline(const struct zone *z)
{
	int64_t at = 0;

	if (z->state == ZONE_GONE || !zone_is(z, ZF_STARTED))
		return 0;
	if (z->data == ZONE_LOADED)
		at = z->expire_us;
	if (z->state == ZONE_QUEUED && zone_is(z, ZF_ROUND_FORCE) && (at == 0 || z->check_us < at))
		return max64(z->check_us, 1);
	if (z->state != ZONE_IDLE)
		return at;
	if (at == 0 || z->refresh_us < at)
		at = z->refresh_us;
	if ((z->pending & ZONE_BIT_FORCE) != 0) {
		int64_t limit = zone_is(z, ZF_COMMAND) ? 0 : z->forced_limit_us;
		at = min64(at, max64(limit, z->forced_retry_us));
	}
	return max64(at, 1);
}

struct zr_wall
zone_wall(int64_t mono_us, struct zr_now now)
{
	if (mono_us == 0)
		return (struct zr_wall){0};
	return (struct zr_wall){now.wall.us + (mono_us - now.mono.us)};
}

uint32_t
zone_expire_left(const struct zone *z, struct zr_mono now)
{
	if (z->data != ZONE_LOADED || z->expire_us <= now.us)
		return 0;
	int64_t s = (z->expire_us - now.us) / ZR_US_PER_S;
	return s > UINT32_MAX ? UINT32_MAX : (uint32_t)s;
}
