/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/wait.h"

#include "base/clock.h"
#include "core/forced.h"
#include "tool/list.h"
#include "tool/text.h"
#include "tool/zone.h"

#include <string.h>
#include <time.h>

#define POLL_FIRST_MS 20
#define POLL_LAST_MS 500
/* A target that is down is tried for days; nobody waits so long. */
#define TIMEOUT_US (60 * ZR_US_PER_S)

static int
take_line(void *arg, const char *text, struct zr_err *e)
{
	return look_line(arg, text, e);
}

/* The database and the daemon as they are now. */
static int
look_again(struct tool *t, struct zr_err *e)
{
	const char *words[] = {"live", t->zone_text};

	if (look_run(t->look, SQL_TOOL_COMMIT, e) != 0 ||
	    look_run(t->look, SQL_TOOL_FORGET_LIVE_ZONES, e) != 0 ||
	    look_run(t->look, SQL_TOOL_FORGET_LIVE_LINES, e) != 0 ||
	    daemon_ask(t, 2, words, take_line, t->look, e) != 0)
		return -1;
	t->look->live = true;
	t->look->now_us = clock_now().wall.us;
	return look_run(t->look, SQL_TOOL_BEGIN, e);
}

static sqlite3_stmt *
targets(struct tool *t, const struct wait_notify *w, struct zr_err *e)
{
	sqlite3_stmt *s = look_stmt(t->look, SQL_TOOL_WAIT_NOTIFY, e);

	if (s == NULL)
		return NULL;
	look_bind_int(s, ":zone", w->zone);
	look_bind_int(s, ":axfr", w->axfr);
	look_bind_int(s, ":since", w->since_us);
	look_bind_text(s, ":only", w->only);
	return s;
}

static bool
is_state(const char *name, enum forced_peer_state s)
{
	return strcmp(name, forced_peer_names[s]) == 0;
}

/* SOA: the answer is the end of it.  AXFR: the answer proves nothing. */
static bool
is_fine(const struct wait_notify *w, const char *state)
{
	return is_state(state, FORCED_PEER_VERIFIED) ||
	       (!w->axfr && is_state(state, FORCED_PEER_ACKED));
}

static bool
is_over(const struct wait_notify *w, const char *state)
{
	return is_fine(w, state) ||
	       !(is_state(state, FORCED_PEER_OWED) || is_state(state, FORCED_PEER_SENT) ||
		   is_state(state, FORCED_PEER_ACKED));
}

struct count {
	int64_t all, over, fine;
};

static int
count(struct tool *t, const struct wait_notify *w, struct count *n, struct zr_err *e)
{
	sqlite3_stmt *s = targets(t, w, e);
	int rc = -1;

	*n = (struct count){0};
	while (s != NULL && (rc = look_step(t->look, s, e)) == 1) {
		n->all++;
		n->over += is_over(w, look_text(s, "forced_state"));
		n->fine += is_fine(w, look_text(s, "forced_state"));
	}
	return rc;
}

static void
row_axfr(struct grid *g, sqlite3_stmt *s, int64_t now)
{
	struct buf b = BUF_INIT;
	struct reach r = zone_reach(NULL, s);

	cell_text(g, s, "name");
	cell_text(g, s, "address");
	reach_words(&r, now, &b);
	grid_cell(g, buf_cstr(&b));
	buf_clear(&b);
}

static void
row_soa(struct grid *g, sqlite3_stmt *s, int64_t now)
{
	const char *state = look_text(s, "forced_state");
	char when[TEXT_MAX];

	if (!is_state(state, FORCED_PEER_ACKED) && !is_state(state, FORCED_PEER_VERIFIED)) {
		row_axfr(g, s, now);
		return;
	}
	cell_text(g, s, "name");
	cell_text(g, s, "address");
	if (is_state(state, FORCED_PEER_ACKED))
		grid_cellf(g, "acknowledged at %s", text_when(look_int(s, "forced_at"), now, when));
	else
		grid_cell(g, "has fetched this version");
}

static const char *const head[] = {"DOWNSTREAM", "ADDRESS", "WHAT BECAME OF IT"};
static const struct list list_axfr = {NULL, head, 3, row_axfr};
static const struct list list_soa = {NULL, head, 3, row_soa};

static int
report(struct tool *t, const struct wait_notify *w, struct zr_err *e)
{
	sqlite3_stmt *s = targets(t, w, e);
	int rc;

	if (s == NULL)
		return -1;
	if (!t->args.json)
		return list_table(t, s, w->axfr ? &list_axfr : &list_soa, NULL, e);
	rc = list_json(t, s, e);
	fputc('\n', t->out);
	return rc;
}

static int
failed(struct tool *t, const struct zr_err *e)
{
	int rc = tool_fail(e);

	return ctl_client_broken(t->client) ? TOOL_NO_DAEMON : rc;
}

int
wait_notify(struct tool *t, const struct wait_notify *w)
{
	int64_t began = clock_now().mono.us;
	int64_t limit = t->args.timeout_us > 0 ? t->args.timeout_us : TIMEOUT_US;
	int64_t want = w->want > 0 ? w->want : 1;
	int pause_ms = POLL_FIRST_MS;
	struct count n;
	struct zr_err e;
	bool late;

	for (;;) {
		if (look_again(t, &e) != 0 || count(t, w, &n, &e) != 0)
			return failed(t, &e);
		late = clock_now().mono.us - began > limit;
		if (late || (n.all >= want && n.over == n.all))
			break;
		nanosleep(&(struct timespec){.tv_nsec = pause_ms * 1000000L}, NULL);
		pause_ms = pause_ms * 3 / 2 < POLL_LAST_MS ? pause_ms * 3 / 2 : POLL_LAST_MS;
	}
	if (report(t, w, &e) != 0)
		return failed(t, &e);
	if (late)
		tool_warn("%s: not done in time; it goes on without us", t->zone_text);
	return !late && n.fine == n.all ? TOOL_OK : TOOL_FAILED;
}
