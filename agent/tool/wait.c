/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/wait.h"

#include "base/clock.h"
#include "base/serial.h"
#include "tool/text.h"
#include "tool/tool.h"
#include "tool/verdict.h"

#include <string.h>
#include <time.h>

#define POLL_FIRST_MS 20 /* small zones are there within milliseconds */
#define POLL_LAST_MS 500

struct waiting {
	struct tool *t;
	int64_t began_us; /* monotonic */
	size_t shown;	  /* characters of the progress line on the terminal */
};

static int
take_line(void *arg, const char *text, struct zr_err *e)
{
	return look_line(arg, text, e);
}

/* One look at the zone: 1 with the row in *out, 0 gone, -1. */
static int
look_once(struct tool *t, sqlite3_stmt **out, struct zr_err *e)
{
	const char *words[] = {"live", t->zone_text};

	*out = NULL;
	if (look_run(t->look, SQL_TOOL_FORGET_LIVE_ZONES, e) != 0 ||
	    daemon_ask(t, 2, words, take_line, t->look, e) != 0)
		return -1;
	*out = look_stmt(t->look, SQL_TOOL_WAIT, e);
	return *out == NULL ? -1 : look_step(t->look, *out, e);
}

static bool
is_done(sqlite3_stmt *s)
{
	const char *activity = look_text(s, "activity");

	if (strcmp(activity, "idle") != 0 && strcmp(activity, "waiting") != 0 &&
	    strcmp(activity, "held") != 0)
		return false;
	return strcmp(look_text(s, "pending"), "none") == 0 || look_int(s, "failures") > 0;
}

static void
show_progress(struct waiting *w, sqlite3_stmt *s)
{
	char span[TEXT_MAX], size[TEXT_MAX];
	struct buf b = BUF_INIT;

	if (!w->t->progress)
		return;
	text_clean(&b, w->t->zone_text);
	buf_str(&b, ": ");
	text_clean(&b, look_text(s, "activity"));
	if (look_int(s, "transfer_records") > 0)
		buf_fmt(&b, ", %lld records, %s", (long long)look_int(s, "transfer_records"),
		    text_size((uint64_t)look_int(s, "transfer_octets"), size));
	if (*look_text(s, "forced_wait") != '\0') {
		buf_str(&b, ", waits: ");
		text_clean(&b, look_text(s, "forced_wait"));
	}
	buf_fmt(&b, ", %s", text_span(clock_now().mono.us - w->began_us, span));
	size_t len = b.len < 79 ? b.len : 79;
	fprintf(stderr, "\r%-*.*s", (int)(w->shown > len ? w->shown : len), (int)len, buf_cstr(&b));
	w->shown = len;
	buf_clear(&b);
}

static void
end_progress(struct waiting *w)
{
	if (w->shown > 0)
		fprintf(stderr, "\r%*s\r", (int)w->shown, "");
	w->shown = 0;
}

/* As zone_now decides it for `zone`. */
static const char *
state_of(sqlite3_stmt *s, int64_t now)
{
	uint32_t serial = (uint32_t)look_int(s, "serial");

	if (!look_has(s, "serial"))
		return "never";
	if (look_int(s, "expire_at") > 0 && look_int(s, "expire_at") <= now)
		return "expired";
	if (look_int(s, "failures") == 0)
		return "current";
	if (look_has(s, "want_serial") && serial_gt((uint32_t)look_int(s, "want_serial"), serial))
		return "behind";
	return "failing";
}

static int
report(struct waiting *w, sqlite3_stmt *s)
{
	struct buf b = BUF_INIT;
	int64_t now = clock_now().wall.us;
	struct verdict v = verdict_blank;
	bool current;
	char span[TEXT_MAX];

	v.name = look_text(s, "name");
	v.state = state_of(s, now);
	v.pending = look_text(s, "pending");
	v.has_serial = look_has(s, "serial");
	v.serial = (uint32_t)look_int(s, "serial");
	v.has_want = look_has(s, "want_serial");
	v.want_serial = (uint32_t)look_int(s, "want_serial");
	v.error = look_text(s, "error");
	v.error_code = look_text(s, "error_code");
	v.error_peer = look_text(s, "error_peer");
	v.failures = look_int(s, "failures");
	v.expire_at = look_int(s, "expire_at");
	v.next_at = look_int(s, "next_at");
	v.forced_wait = look_text(s, "forced_wait");
	v.forced_wait_at = look_int(s, "forced_wait_at");
	current = strcmp(v.state, "current") == 0;
	if (w->t->args.json) {
		look_json(&b, s);
		fprintf(w->t->out, "%s\n", buf_cstr(&b));
	} else {
		verdict_line(&v, now, &b);
		fprintf(w->t->out, "%s: %s (waited %s)\n", w->t->zone_text, buf_cstr(&b),
		    text_span(clock_now().mono.us - w->began_us, span));
	}
	buf_clear(&b);
	return current ? TOOL_OK : TOOL_FAILED;
}

int
wait_zone(struct tool *t)
{
	struct waiting w = {.t = t, .began_us = clock_now().mono.us};
	int pause_ms = POLL_FIRST_MS;
	sqlite3_stmt *s;
	struct zr_err e;

	for (;;) {
		int rc = look_once(t, &s, &e);
		if (rc != 1) {
			end_progress(&w);
			tool_warn(
			    "%s", rc == 0 ? "the daemon says nothing about the zone" : e.text);
			return rc < 0 && ctl_client_broken(t->client) ? TOOL_NO_DAEMON
			       : rc < 0 && e.code == ZR_NOTFOUND      ? TOOL_NO_ZONE
								      : TOOL_FAILED;
		}
		if (is_done(s)) {
			end_progress(&w);
			rc = report(&w, s);
			sqlite3_reset(s);
			return rc;
		}
		show_progress(&w, s);
		sqlite3_reset(s);
		if (t->args.timeout_us > 0 &&
		    clock_now().mono.us - w.began_us > t->args.timeout_us) {
			end_progress(&w);
			tool_warn("%s: not done in time; it goes on without us", t->zone_text);
			return TOOL_FAILED;
		}
		nanosleep(&(struct timespec){.tv_nsec = pause_ms * 1000000L}, NULL);
		pause_ms = pause_ms * 3 / 2 < POLL_LAST_MS ? pause_ms * 3 / 2 : POLL_LAST_MS;
	}
}
