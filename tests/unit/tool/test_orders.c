/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands with a daemon, which says what the test wants, in a thread of its own. */
#include "tests/unit/tool/rig.h"

#include "base/clock.h"
#include "ctl/ctl.h"
#include "tool/tool.h"

#include <event2/event.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct daemon {
	pthread_t thread;
	struct event_base *base;
	struct ctl *ctl;
	struct event *quit;
	int wake[2];
	unsigned polls; /* of `live NAME` */
	bool fails;	/* the order comes to nothing */
};

static void
say(struct ctl_reply *r, const char *line)
{
	struct buf b = BUF_INIT;

	buf_str(&b, line);
	ctl_body(r, &b);
	buf_clear(&b);
}

static const char daemon_line[] =
    "{\"kind\":\"daemon\",\"version\":\"9.8.7\",\"pid\":4711,\"started_at\":1,\"rss\":1048576,"
    "\"config\":\"/x.yaml\",\"listen\":[\"192.0.2.1@53\"],\"transfers_in\":2,\"queued\":3,"
    "\"outbox\":1,\"transfers_out\":0}";

static void
on_live_zone(struct daemon *d, struct ctl_reply *r, const char *name)
{
	if (strcmp(name, "good.example") != 0 && strcmp(name, "old.example") != 0) {
		ctl_fail(r, ZR_NOTFOUND, "zone %s is not configured", name);
		return;
	}
	if (d->polls++ < 3)
		say(r, "{\"kind\":\"zone\",\"name\":\"old.example\",\"activity\":\"transferring\","
		       "\"transfer\":\"AXFR\",\"primary\":\"hidden\",\"records\":1000,\"octets\":"
		       "20480,"
		       "\"pending\":\"none\",\"serial\":10,\"failures\":2,\"want_serial\":12,"
		       "\"error\":\"connection reset\",\"error_code\":\"closed\"}");
	else if (d->fails)
		say(r, "{\"kind\":\"zone\",\"name\":\"old.example\",\"activity\":\"held\","
		       "\"pending\":\"check\",\"serial\":10,\"failures\":3,\"want_serial\":12,"
		       "\"error\":\"it broke\",\"error_code\":\"closed\"}");
	else
		say(r, "{\"kind\":\"zone\",\"name\":\"old.example\",\"activity\":\"idle\","
		       "\"pending\":\"none\",\"serial\":12,\"failures\":0}");
	say(r, "{\"kind\":\"primary\",\"name\":\"hidden\",\"address\":\"192.0.2.53@53\","
	       "\"failures\":1,"
	       "\"held_until_at\":4000000000000000}");
	say(r, "{\"kind\":\"primary\",\"name\":\"second\",\"address\":\"192.0.2.54@53\"}");
	ctl_done(r);
}

static void
on_live(void *arg, struct ctl_reply *r, int argc, const char *const *argv)
{
	if (argc > 1) {
		on_live_zone(arg, r, argv[1]);
		return;
	}
	say(r, daemon_line);
	say(r, "{\"kind\":\"primary\",\"name\":\"hidden\",\"address\":\"192.0.2.53@53\","
	       "\"transfers\":2}");
	say(r, "{\"kind\":\"downstream\",\"name\":\"bind\",\"address\":\"192.0.2.80@53\","
	       "\"inflight\":1}");
	say(r, "{\"kind\":\"downstream\",\"name\":\"quiet\"}");
	ctl_done(r);
}

static void
on_live_zones(void *arg, struct ctl_reply *r, int argc, const char *const *argv)
{
	(void)arg;
	(void)argc;
	(void)argv;
	say(r, "{\"kind\":\"zone\",\"name\":\"old.example\",\"activity\":\"checking\",\"failures\":"
	       "0}");
	say(r,
	    "{\"kind\":\"zone\",\"name\":\"good.example\",\"activity\":\"queued\",\"failures\":1,"
	    "\"error\":\"bad luck\"}");
	ctl_done(r);
}

static void
on_version(void *arg, struct ctl_reply *r, int argc, const char *const *argv)
{
	(void)arg;
	(void)argc;
	(void)argv;
	say(r, daemon_line);
	ctl_done(r);
}

static void
on_order(void *arg, struct ctl_reply *r, int argc, const char *const *argv)
{
	struct daemon *d = arg;

	d->polls = 0;
	if (argc > 1 && strcmp(argv[1], "nope.example") == 0)
		ctl_fail(r, ZR_NOTFOUND, "zone nope.example is not configured");
	else {
		say(r, "{\"kind\":\"order\",\"zones\":7,\"notifies\":2,\"added\":1,\"removed\":0,"
		       "\"changed\":4}");
		ctl_done(r);
	}
}

static void
on_reload(void *arg, struct ctl_reply *r, int argc, const char *const *argv)
{
	struct daemon *d = arg;

	if (!d->fails) {
		on_order(arg, r, argc, argv);
		return;
	}
	say(r, "{\"kind\":\"problem\",\"text\":\"x.yaml:1:2: unknown key\"}");
	ctl_fail(r, ZR_CONF, "the configuration has errors");
}

static const struct ctl_command commands[] = {{"live", 0, 1, on_live},
    {"live-zones", 0, 0, on_live_zones}, {"version", 0, 0, on_version}, {"refresh", 1, 1, on_order},
    {"retransfer", 1, 1, on_order}, {"notify", 1, 2, on_order}, {"reload", 0, 0, on_reload}};

static void
on_quit(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	(void)fd;
	(void)what;
	event_base_loopbreak(d->base);
}

static void *
daemon_main(void *arg)
{
	struct daemon *d = arg;

	event_base_dispatch(d->base);
	return NULL;
}

static void
start(struct daemon *d, bool fails)
{
	struct ctl_conf c = {.path = sock,
	    .commands = commands,
	    .command_count = sizeof(commands) / sizeof(commands[0]),
	    .arg = d};
	struct zr_err e;

	memset(d, 0, sizeof(*d));
	d->fails = fails;
	d->base = event_base_new();
	assert_int_equal(pipe(d->wake), 0);
	d->quit = event_new(d->base, d->wake[0], EV_READ, on_quit, d);
	event_add(d->quit, NULL);
	assert_int_equal(ctl_open(&d->ctl, d->base, &c, &e), 0);
	assert_int_equal(pthread_create(&d->thread, NULL, daemon_main, d), 0);
}

static void
stop(struct daemon *d)
{
	assert_int_equal(write(d->wake[1], "x", 1), 1);
	pthread_join(d->thread, NULL);
	ctl_close(d->ctl);
	event_free(d->quit);
	event_base_free(d->base);
	close(d->wake[0]);
	close(d->wake[1]);
}

static void
overlay(void **state)
{
	struct daemon d;

	(void)state;
	start(&d, false);
	assert_int_equal(run("status"), TOOL_OK);
	assert_string_equal(err, "");
	assert_in(out, "zonerelayd      9.8.7, pid 4711, up ");
	assert_in(out, "2 transfers in, 0 out; 3 zones queued; 1 NOTIFYs owed");
	assert_in(out, "hidden   192.0.2.53@53        2");
	assert_int_equal(run("-j status"), TOOL_OK);
	assert_in(out, "\"listen\":[\"192.0.2.1@53\"]}");
	/* The daemon knows better than the rows. */
	assert_int_equal(run("zones"), TOOL_OK);
	assert_in(out, "old.example    behind       10");
	assert_in(out, "checking  -");
	assert_in(out, "good.example   failing ");
	assert_in(out, "queued    bad luck");
	assert_int_equal(run("zone old.example"), TOOL_OK);
	assert_in(out, "now transferring AXFR from hidden: 1000 records, 20.0 KiB\n");
	assert_in(out, "second   192.0.2.54@53  -");
	assert_in(out, "hidden   192.0.2.53@53  11 1m ago         in ");
	assert_int_equal(run("zone late.example"), TOOL_OK);
	assert_int_equal(run("downstreams"), TOOL_OK);
	assert_in(out, "quiet           0");
	assert_not_in(out, "nsd");
	assert_int_equal(run("version"), TOOL_OK);
	assert_in(out, "zonerelayd   9.8.7");
	stop(&d);
}

static void
orders(void **state)
{
	struct daemon d;

	(void)state;
	start(&d, false);
	assert_int_equal(run("refresh good.example"), TOOL_OK);
	assert_string_equal(out, "good.example will be checked\n");
	assert_int_equal(run("refresh --all"), TOOL_OK);
	assert_string_equal(out, "7 zones will be checked\n");
	assert_int_equal(run("retransfer good.example"), TOOL_OK);
	assert_string_equal(out, "good.example will be transferred\n");
	assert_int_equal(run("notify good.example bind"), TOOL_OK);
	assert_string_equal(out, "good.example: 2 NOTIFYs will be sent\n");
	assert_int_equal(run("reload"), TOOL_OK);
	assert_string_equal(out, "7 zones: 1 added, 0 removed, 4 changed\n");
	assert_int_equal(run("reload -j"), TOOL_OK);
	assert_in(out, "{\"kind\":\"order\",\"zones\":7,");
	assert_int_equal(run("refresh nope.example"), TOOL_NO_ZONE);
	assert_in(err, "zone nope.example is not configured");
	assert_int_equal(run("stop"), TOOL_FAILED); /* this daemon has no such command */
	assert_int_equal(run("refresh --wait old.example"), TOOL_OK);
	assert_in(out, "old.example: current: serial 12 (waited ");
	assert_int_equal(d.polls, 4);
	assert_int_equal(run("refresh --wait -j old.example"), TOOL_OK);
	assert_in(out, "{\"name\":\"old.example\",");
	assert_in(out, "\"serial\":12,\"failures\":0");
	assert_int_equal(run("refresh --wait -t 1ms old.example"), TOOL_FAILED);
	assert_in(err, "not done in time");
	stop(&d);

	start(&d, true);
	assert_int_equal(run("retransfer --wait old.example"), TOOL_FAILED);
	assert_in(out,
	    "old.example: behind: a NOTIFY announced 12, we have 10, last attempt failed "
	    "(3 in a row): it broke (waited ");
	assert_int_equal(run("reload"), TOOL_USAGE);
	assert_in(err, "x.yaml:1:2: unknown key");
	stop(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    RIG_TEST(overlay),
	    RIG_TEST(orders),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
