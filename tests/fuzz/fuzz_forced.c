/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Input: forced transfers of a zone, one after the other, and what four downstreams do with the
 * NOTIFYs of them.  Whatever the clock and the contents do: news goes to all, echoes come to rest.
 */
#include "fuzz.h"

#include "choose.h"
#include "core/forced.h"

#include <string.h>

#define OPS_MAX 2000
#define PEERS 4
#define CONTENTS 3
#define S ZR_US_PER_S

struct world {
	struct forced f;
	enum forced_peer_state peer[PEERS];
	struct zr_wall now;
	uint8_t content;    /* served now; 0 before the first */
	unsigned passed_on; /* duplicates of the event */
};

static void
digest(uint8_t out[SEGMENT_DIGEST], uint8_t content)
{
	memset(out, content, SEGMENT_DIGEST);
}

/* Times that make sense, and some that do not. */
static int64_t
some_time(struct rd *in)
{
	static const int64_t v[] = {
	    0, 1, S, 60 * S, 600 * S, 3600 * S, 86400 * S, -S, -90000 * S, INT64_MAX, INT64_MIN};

	return v[choose_below(in, 32) < 30 ? choose_below(in, 7) : choose_below(in, 11)];
}

static int64_t
add(int64_t a, int64_t b)
{
	int64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? a : sum;
}

static void
check_verdict(const struct world *w, const struct forced *was, const struct forced_result *r)
{
	const struct forced *f = &w->f;
	bool same = was->event != 0 && memcmp(r->digest, was->digest, SEGMENT_DIGEST) == 0 &&
		    memcmp(r->digest, r->old_digest, SEGMENT_DIGEST) == 0;
	bool event = f->verdict == FORCED_NEW || f->verdict == FORCED_REPEAT;

	FUZZ_CHECK(f->event == was->event + event);
	FUZZ_CHECK(f->since.us == (event ? r->at.us : was->since.us));
	FUZZ_CHECK(f->at.us == r->at.us && f->serial == r->serial && f->version == r->version);
	FUZZ_CHECK(memcmp(f->digest, r->digest, SEGMENT_DIGEST) == 0);
	FUZZ_CHECK(f->verdict != FORCED_DUPLICATE || (same && !r->operator));
	FUZZ_CHECK(f->verdict != FORCED_REPEAT || same);
	FUZZ_CHECK(f->verdict != FORCED_ALTERNATING || !r->operator);
	FUZZ_CHECK((f->verdict == FORCED_ALTERNATING) == (f->alternations > 2));
	FUZZ_CHECK(was->event != 0 || f->verdict == FORCED_NEW);
	FUZZ_CHECK(!f->quiet || f->verdict == FORCED_DUPLICATE);
}

static void
commit(struct world *w, struct rd *in)
{
	const struct forced was = w->f;
	struct forced_result r = {.at = w->now, .version = w->f.version + 1};
	uint8_t content = (uint8_t)(1 + choose_below(in, CONTENTS));

	digest(r.digest, content);
	digest(r.old_digest, w->content);
	if (choose_rarely(in, 4)) /* something else was committed in between */
		digest(r.old_digest, (uint8_t)(1 + choose_below(in, CONTENTS)));
	r.serial = 1 + choose_below(in, 2);
	r.asked.us = choose_below(in, 2) != 0 ? add(w->now.us, some_time(in)) : 0;
	r.duration_us = some_time(in);
	r.window_us = some_time(in);
	r.splay_us = some_time(in);
	r.operator= choose_rarely(in, 8);
	r.echo = choose_rarely(in, 3);
	forced_judge(&w->f, &r);
	check_verdict(w, &was, &r);
	w->content = content;
	if (w->f.event != was.event)
		w->passed_on = 0;
	for (unsigned i = 0; i < PEERS; i++) {
		enum forced_peer_state s = w->peer[i];
		bool goes = forced_goes(&w->f, s);

		FUZZ_CHECK(w->f.verdict != FORCED_ALTERNATING || !goes);
		FUZZ_CHECK(w->f.event == was.event || goes);
		FUZZ_CHECK(w->f.verdict != FORCED_DUPLICATE || !goes || s != FORCED_PEER_VERIFIED);
		if (goes)
			w->peer[i] = forced_peer_step(s, FORCED_PEER_EV_EVENT);
		FUZZ_CHECK(!goes || w->peer[i] == FORCED_PEER_OWED);
	}
	if (w->f.verdict == FORCED_DUPLICATE && !w->f.quiet)
		FUZZ_CHECK(++w->passed_on <= FORCED_DUPLICATES_MAX);
}

static void
peer(struct world *w, struct rd *in)
{
	enum forced_peer_state *s = &w->peer[choose_below(in, PEERS)], was = *s;
	enum forced_peer_event ev =
	    (enum forced_peer_event)choose_below(in, FORCED_PEER_EVENT_COUNT);

	*s = forced_peer_step(was, ev);
	FUZZ_CHECK(*s < FORCED_PEER_STATE_COUNT);
	FUZZ_CHECK((ev != FORCED_PEER_EV_FETCHED) || *s == FORCED_PEER_VERIFIED);
	FUZZ_CHECK(was != FORCED_PEER_VERIFIED || *s == was || ev == FORCED_PEER_EV_EVENT);
	FUZZ_CHECK(forced_peer_step(*s, ev) == *s); /* heard twice: nothing new */
	FUZZ_CHECK(forced_peer_needs(*s) == (*s != FORCED_PEER_VERIFIED));
	FUZZ_CHECK(!forced_peer_echoes(FORCED_PEER_OWED));
}

static void
numbers(const struct world *w, struct rd *in)
{
	struct forced more = w->f;
	int64_t window = some_time(in), splay = some_time(in), us;
	uint32_t refresh = choose_below(in, 10000);

	us = forced_window(&w->f, window, splay);
	FUZZ_CHECK(us >= 0 && us <= FORCED_WINDOW_MAX_US);
	more.repeats = w->f.repeats + 1;
	FUZZ_CHECK(forced_window(&more, window, splay) >= us);
	us = forced_splay(choose_below(in, 65536) * 65536, some_time(in), splay, window, refresh);
	FUZZ_CHECK(us >= 0 && (us == 0 || us <= window));
	FUZZ_CHECK(refresh == 0 || us <= refresh * S);
	FUZZ_CHECK(!forced_pinned(&w->f, w->now) || w->f.verdict == FORCED_ALTERNATING);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w = {.now = {INT64_C(1800000000) * S}};
	struct rd in;

	rd_init(&in, data, size);
	for (unsigned n = 0; n < OPS_MAX && rd_left(&in) > 0; n++) {
		switch (choose_below(&in, 8)) {
		case 0:
		case 1:
			commit(&w, &in);
			break;
		case 2:
			w.now.us = add(w.now.us, some_time(&in));
			if (w.now.us == 0)
				w.now.us = 1;
			break;
		case 3:
			numbers(&w, &in);
			break;
		default:
			peer(&w, &in);
			break;
		}
	}
	return 0;
}
