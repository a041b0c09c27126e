/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whole commands: a database made by the store, and for some tests a daemon that says what the test
 * wants, on a real control socket in a thread of its own.
 */
#include "tests/unit/store/util.h"

#include "base/clock.h"
#include "base/mem.h"
#include "ctl/ctl.h"
#include "tool/tool.h"
#include "wire/name.h"
#include "wire/rr.h"

#include <event2/event.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define S ZR_US_PER_S

/* ---- running a command ---- */

static struct fx fx;
static char *out, *err; /* of the last command */
static size_t out_len;
static char sock[120];

static char *
slurp(int fd)
{
	struct stat st;
	char *text;

	assert_int_equal(fstat(fd, &st), 0);
	text = zr_xcalloc(1, (size_t)st.st_size + 1);
	assert_int_equal(pread(fd, text, (size_t)st.st_size, 0), st.st_size);
	return text;
}

/* Words separated by blanks; -d and -s are added.  Exit status. */
static int
run(const char *line)
{
	static char text[1024];
	const char *argv[32] = {"zonerelayctl", "-d", fx.path, "-s", sock};
	struct tool t = {0};
	struct zr_err e;
	int argc = 5, rc, saved = dup(STDERR_FILENO);
	FILE *to = tmpfile();

	strcpy(text, line);
	for (char *p = strtok(text, " "); p != NULL; p = strtok(NULL, " "))
		argv[argc++] = p;
	if (args_parse(&t.args, argc, argv, &e) != 0)
		fail_msg("%s", e.text);
	free(out);
	free(err);
	out = NULL;
	t.out = open_memstream(&out, &out_len);
	assert_non_null(to);
	fflush(stderr);
	dup2(fileno(to), STDERR_FILENO);
	rc = tool_run(&t);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	fclose(t.out);
	err = slurp(fileno(to));
	fclose(to);
	return rc;
}

static void
assert_in(const char *text, const char *word)
{
	if (strstr(text, word) == NULL)
		fail_msg("\"%s\" is not in:\n%s", word, text);
}

static void
assert_not_in(const char *text, const char *word)
{
	if (strstr(text, word) != NULL)
		fail_msg("\"%s\" is in:\n%s", word, text);
}

/* ---- the database ---- */

static struct stage_batch *batch;
static uint8_t digest[SEGMENT_DIGEST];
static unsigned segments;
static struct buf expected; /* what export must write */

static int
sink(void *arg, const struct segment *s, struct zr_err *e)
{
	(void)arg;
	segments++;
	digest_add(digest, s->digest);
	return stage_segment(batch, s, e);
}

static void
add_rr(struct packer *p, const char *owner, uint16_t type, const void *rdata, uint16_t rdlen)
{
	uint8_t name[NAME_MAX_LEN];
	struct zr_err e;
	struct rr rr = {.owner = name,
	    .owner_len = (uint8_t)name_from_text(owner, name),
	    .type = type,
	    .class = CLASS_IN,
	    .ttl = 300,
	    .rdata = rdata,
	    .rdlen = rdlen};

	if (packer_add(p, &rr, &e) != 0 || rr_print(&rr, &expected, &e) != 0)
		fail_msg("%s: %s", owner, e.text);
}

static const uint8_t soa_rdata[] =
    "\002ns\007example\000\004host\007example\000"
    "\000\000\000\012\000\000\000\074\000\000\000\074\000\001\121\200"
    "\000\000\000\074";
#define SOA_LEN (sizeof(soa_rdata) - 1)

/* "<label>.example." with serial 10 and `hosts` more records; times relative to now. */
static int64_t
load_zone(const char *label, unsigned hosts, int64_t expire_us)
{
	int64_t zone = fx_zone(&fx, label), now = clock_now().wall.us;
	char owner[64];
	uint8_t name[NAME_MAX_LEN];
	struct store_order *o = store_order_new(STORE_COMMIT, zone);
	struct zr_err e;

	snprintf(owner, sizeof(owner), "%s.example.", label);
	size_t len = name_from_text(owner, name);
	struct packer *p = packer_new(name, sink, NULL);
	batch = stage_batch_new();
	memset(digest, 0, sizeof(digest));
	segments = 0;
	buf_reset(&expected);
	add_rr(p, owner, TYPE_SOA, soa_rdata, SOA_LEN);
	add_rr(p, owner, TYPE_NS, "\002ns\007example", 12);
	add_rr(p, owner, 65280, "\001\002\003", 3);
	for (unsigned i = 0; i < hosts; i++) {
		snprintf(owner, sizeof(owner), "host%06u\\046x.%s.example.", i, label);
		add_rr(p, owner, TYPE_A, (uint8_t[]){192, 0, (uint8_t)(i >> 8), (uint8_t)i}, 4);
	}
	assert_int_equal(packer_flush(p, &e), 0);
	packer_free(p);

	o->commit.version = 1;
	o->commit.batch = batch;
	o->commit.content = true;
	o->commit.serial = 10;
	o->commit.soa_ttl = 300;
	o->commit.soa = zr_xmemdup(soa_rdata, SOA_LEN);
	o->commit.soa_len = SOA_LEN;
	o->commit.soa_owner = zr_xmemdup(name, len);
	memcpy(o->commit.digest, digest, sizeof(digest));
	o->commit.segments = segments;
	o->commit.loaded_at.us = now - 600 * S;
	o->commit.checked_at.us = now - 120 * S;
	o->commit.refresh_at.us = now + 60 * S;
	o->commit.expire_at.us = now + expire_us;
	o->commit.log = (struct store_log){.at.us = now - 601 * S,
	    .duration_us = 2500,
	    .kind = "AXFR",
	    .peer = "hidden",
	    .address = "192.0.2.53@53",
	    .to_serial = 10,
	    .octets = 1000,
	    .records = hosts + 3,
	    .messages = 1};
	fx_ok(&fx, o);
	return zone;
}

static void
peer(int64_t zone, enum peer_event ev, const char *name, uint32_t serial, const char *text)
{
	struct store_order *o = store_order_new(STORE_PEER_SEEN, zone);

	o->peer.event = ev;
	snprintf(o->peer.name, sizeof(o->peer.name), "%s", name);
	assert_true(addr_parse(
	    ev <= PEER_PRIMARY_ERROR ? "192.0.2.53@53" : "192.0.2.80@53", 53, &o->peer.addr));
	o->peer.serial = serial;
	o->peer.version = serial == 10 ? 1 : 0;
	o->peer.at.us = clock_now().wall.us - 60 * S;
	if (text != NULL) {
		o->peer.code = ZR_TIMEOUT;
		snprintf(o->peer.text, sizeof(o->peer.text), "%s", text);
	}
	fx_ok(&fx, o);
}

static void
failed(int64_t zone, enum zr_code code, const char *text)
{
	struct store_order *o = store_order_new(STORE_TIMERS, zone);

	o->timers.failures = 2;
	o->timers.code = code;
	snprintf(o->timers.text, sizeof(o->timers.text), "%s", text);
	strcpy(o->timers.peer, "hidden");
	o->timers.at.us = clock_now().wall.us - 30 * S;
	o->timers.next_try.us = clock_now().wall.us + 252 * S + S / 2;
	fx_ok(&fx, o);
}

static void
owe(int64_t zone, const char *downstream)
{
	struct store_order *o = store_order_new(STORE_OUTBOX_ADD, zone);

	o->outbox.v = zr_xcalloc(1, sizeof(*o->outbox.v));
	o->outbox.count = 1;
	o->outbox.v[0].zone_id = zone;
	snprintf(o->outbox.v[0].downstream, sizeof(o->outbox.v[0].downstream), "%s", downstream);
	assert_true(addr_parse("192.0.2.81@53", 53, &o->outbox.v[0].target));
	o->outbox.v[0].qtype = TYPE_SOA;
	o->outbox.v[0].serial = 10;
	o->outbox.v[0].tries = 3;
	fx_ok(&fx, o);
}

static int
setup(void **state)
{
	int64_t z;

	(void)state;
	fx_init(&fx);
	fx_open(&fx);
	snprintf(sock, sizeof(sock), "%s/ctl", fx.dir);

	z = load_zone("good", 2, 3600 * S);
	peer(z, PEER_PRIMARY_SOA, "hidden", 10, NULL);
	peer(z, PEER_DOWNSTREAM_SENT, "bind", 10, NULL);
	peer(z, PEER_DOWNSTREAM_ACKED, "bind", 10, NULL);
	peer(z, PEER_DOWNSTREAM_FETCHED, "bind", 10, NULL);

	z = load_zone("old", 2, 3600 * S);
	peer(z, PEER_PRIMARY_SOA, "hidden", 11, NULL);
	failed(z, ZR_CLOSED, "connection reset");
	peer(z, PEER_DOWNSTREAM_SENT, "bind", 10, NULL);
	peer(z, PEER_DOWNSTREAM_ACKED, "bind", 10, NULL);
	peer(z, PEER_DOWNSTREAM_FETCHED, "bind", 9, NULL);
	owe(z, "nsd");

	z = load_zone("fail", 0, 3600 * S);
	peer(z, PEER_PRIMARY_SOA, "hidden", 10, NULL);
	failed(z, ZR_TIMEOUT, "no answer");
	peer(z, PEER_PRIMARY_ERROR, "hidden", 0, "no answer");

	z = load_zone("late", 0, -300 * S);
	failed(z, ZR_REFUSED, "primary answered REFUSED (5)");

	fx_zone(&fx, "empty");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	unlink(sock);
	fx_clear(&fx);
	buf_clear(&expected);
	free(out);
	free(err);
	out = err = NULL;
	return 0;
}

/* ---- without a daemon ---- */

static void
states(void **state)
{
	(void)state;
	assert_int_equal(run("zones"), TOOL_OK);
	assert_in(err, "zonerelayd is not running; showing what the database knows");
	assert_in(out, "ZONE           STATE");
	assert_in(out, "\ngood.example   current      10        5");
	assert_in(out, "\nold.example    behind       10        5");
	assert_in(out, "\nfail.example   failing      10        3");
	assert_in(out, "\nlate.example   expired      10        3");
	assert_in(out, "\nempty.example  never         -        0");
	assert_in(out, "10m ago");
	assert_in(out, "connection reset");
	assert_int_equal(run("zones --state behind"), TOOL_OK);
	assert_in(out, "old.example");
	assert_not_in(out, "good.example");
	assert_int_equal(run("zones --state odd"), TOOL_USAGE);
	assert_int_equal(run("zones --limit 1 --json"), TOOL_OK);
	assert_in(out,
	    "[\n{\"name\":\"empty.example\",\"state\":\"never\",\"activity\":null,\"serial\":null");
	assert_not_in(out, "fail.example");
	assert_int_equal(run("status"), TOOL_OK);
	assert_in(out, "zonerelayd      not running");
	assert_in(out, "1 current, 1 behind, 1 failing, 1 expired, 1 never");
	assert_in(out, "1 NOTIFYs owed");
	assert_int_equal(run("-j status"), TOOL_OK);
	assert_in(out, "{\"running\":false,\n\"daemon\":null,");
	assert_in(out, "{\"state\":\"failing\",\"zones\":1}");
}

static void
one_zone(void **state)
{
	(void)state;
	assert_int_equal(run("zone --check GOOD.example."), TOOL_OK);
	assert_in(out, "good.example: current: serial 10, checked 2m ago\n");
	assert_in(out, "content   serial 10, version 1, 5 records");
	assert_in(out, "hidden   192.0.2.53@53  10 1m ago");
	assert_in(out, "bind        192.0.2.80@53  current  10 1m ago  10 1m ago  10 1m ago  -");
	assert_in(out, "10m1s ago  in   AXFR  hidden  192.0.2.53@53     -  10");

	assert_int_equal(run("zone old.example"), TOOL_OK);
	assert_in(out,
	    "old.example: behind: primary hidden has 11, we have 10, last attempt failed "
	    "30s ago (2 in a row): connection reset (hidden), next try in 4m12s (20");
	assert_in(out, "\nhint      the primary broke off");
	assert_in(
	    out, "192.0.2.80@53  behind, acked but not fetched  10 1m ago  10 1m ago  9 1m ago");
	assert_in(out, "nsd         192.0.2.81@53  owed, 3 tries, next now");
	assert_int_equal(run("zone --check old.example"), TOOL_FAILED);

	assert_int_equal(run("zone fail.example"), TOOL_OK);
	assert_in(out, "fail.example: failing: no primary could be asked; serial 10 is served for "
		       "another 59m");
	assert_in(out, "try: dig @192.0.2.53 fail.example SOA\n");
	assert_int_equal(run("zone late.example"), TOOL_OK);
	assert_in(out, "late.example: expired since 20");
	assert_in(out, "(5m ago): serial 10 is not served any more, last attempt failed 30s ago");
	assert_int_equal(run("zone \\102MPTY.example"), TOOL_NO_ZONE);
	assert_int_equal(run("zone \\101..example"), TOOL_USAGE);
	assert_int_equal(run("zone \\069MPTY.example"), TOOL_OK);
	assert_in(out, "empty.example: never loaded: no primary has answered yet");
	assert_int_equal(run("zone other.example"), TOOL_NO_ZONE);
	assert_in(err, "no such zone: other.example");

	assert_int_equal(run("zone --json old.example"), TOOL_OK);
	assert_in(out, "{\"running\":false,\n\"verdict\":\"behind: primary hidden has 11,");
	assert_in(out, "\"state\":\"behind\"");
	assert_in(out, "\"ahead_primary\":\"hidden\",\"ahead_serial\":11,");
	assert_in(out,
	    "\"primaries\":[\n{\"name\":\"hidden\",\"address\":\"192.0.2.53@53\",\"serial\":11,");
	assert_in(out, "\"error_code\":\"closed\"");
}

static void
lists(void **state)
{
	(void)state;
	assert_int_equal(run("transfers"), TOOL_OK);
	assert_in(out, "good.example  10m1s ago  in   AXFR  hidden  192.0.2.53@53     -  10");
	assert_in(out, "2ms  ok\n");
	assert_int_equal(run("transfers --limit 2 --json"), TOOL_OK);
	unsigned rows = 0;
	for (const char *p = out; (p = strstr(p, "\"duration_us\":2500")) != NULL; p++)
		rows++;
	assert_int_equal(rows, 2);
	assert_int_equal(run("transfers old.example"), TOOL_OK);
	assert_not_in(out, "good.example");
	assert_int_equal(run("transfers nope.example"), TOOL_NO_ZONE);
	assert_int_equal(run("transfers empty.example"), TOOL_OK);
	assert_string_equal(out, "no transfer yet\n");
	/* Two zones of bind: one has it, one acknowledged and did not come. */
	assert_int_equal(run("downstreams --json"), TOOL_OK);
	assert_in(out, "{\"name\":\"bind\",\"zones\":2,\"current\":1,\"behind\":1,\"owed\":0,"
		       "\"acked_only\":1,");
	assert_in(out, "{\"name\":\"nsd\",\"zones\":0,\"current\":0,\"behind\":0,\"owed\":1,");
}

static void
needs_daemon(void **state)
{
	static const char *const lines[] = {"refresh good.example", "refresh --all", "reload",
	    "stop", "retransfer good.example", "notify good.example"};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_int_equal(run(lines[i]), TOOL_NO_DAEMON);
		assert_in(err, "zonerelayd is not running");
	}
	assert_int_equal(run("version"), TOOL_OK);
	assert_in(out, "zonerelayd   not running");
}

static void
no_database(void **state)
{
	char path[120];

	(void)state;
	snprintf(path, sizeof(path), "%s", fx.path);
	strcat(fx.path, "-other");
	assert_int_equal(run("zones"), TOOL_NO_DATABASE);
	assert_in(err, "was zonerelayd ever started");
	int fd = open(fx.path, O_CREAT | O_WRONLY, 0600);
	assert_int_equal(write(fd, "this is no database, not at all, it is a text", 45), 45);
	close(fd);
	assert_int_equal(run("zones"), TOOL_NO_DATABASE);
	assert_int_equal(ftruncate(open(fx.path, O_WRONLY), 0), 0);
	assert_int_equal(run("zones"), TOOL_NO_DATABASE);
	assert_in(err, "version 0 of its tables");
	strcpy(fx.path, path);
}

/* ---- export ---- */

static void
export_file(void **state)
{
	char line[256], file[160], tmp[170];

	(void)state;
	load_zone("large", 5000, 3600 * S);
	assert_true(segments > 5);
	snprintf(file, sizeof(file), "%s/large.zone", fx.dir);
	snprintf(tmp, sizeof(tmp), "%s.tmp", file);
	snprintf(line, sizeof(line), "export large.example %s", file);
	assert_int_equal(run(line), TOOL_OK);
	assert_int_equal(access(tmp, F_OK), -1);
	int fd = open(file, O_RDONLY);
	char *text = slurp(fd);
	close(fd);
	const char *body = strchr(text, '\n') + 1;
	assert_in(text, "; large.example serial 10,");
	buf_u8(&expected, 0);
	assert_string_equal(body, (const char *)expected.data);
	free(text);
	/* A damaged database gives no file, and leaves the one that is there. */
	assert_int_equal(
	    fx_sql(&fx, "UPDATE segment SET died = 1 WHERE key = (SELECT max(key) FROM "
			"segment) RETURNING 1"),
	    1);
	assert_int_equal(run(line), TOOL_NO_DATABASE);
	assert_in(err, "records found, 5003 expected");
	assert_int_equal(access(tmp, F_OK), -1);
	assert_int_equal(access(file, F_OK), 0);
	assert_int_equal(run("export large.example /nonexistent/x"), TOOL_FAILED);
	assert_int_equal(run("export nope.example"), TOOL_NO_ZONE);
	assert_int_equal(run("export empty.example"), TOOL_FAILED);
	assert_in(err, "was never loaded");
}

static void
export_stdout(void **state)
{
	(void)state;
	load_zone("last", 3, -S);
	assert_int_equal(run("export last.example -"), TOOL_OK);
	assert_in(err, "has expired; this is its last content");
	buf_u8(&expected, 0);
	assert_string_equal(strchr(out, '\n') + 1, (const char *)expected.data);
	assert_in(out, "\nhost000002\\.x.last.example.");
}

/* ---- with a daemon ---- */

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
	assert_int_equal(run("reload"), TOOL_FAILED);
	assert_in(err, "x.yaml:1:2: unknown key");
	stop(&d);
}

/* A daemon that talks nonsense is not believed, and the rest is shown. */
static void
not_json(void **state)
{
	struct zr_err e;
	struct look *l;

	(void)state;
	assert_int_equal(look_open(&l, fx.path, clock_now().wall.us, &e), 0);
	assert_int_equal(look_line(l, "{\"kind\":\"zone\",", &e), -1);
	assert_in(e.text, "malformed JSON");
	assert_int_equal(look_line(l, "{}", &e), 0);
	assert_int_equal(look_line(l, "{\"kind\":\"new\",\"x\":1}", &e), 0);
	look_close(l);
}

/* Every statement of the tool can be prepared. */
static void
statements(void **state)
{
	struct zr_err e;
	struct look *l;

	(void)state;
	assert_int_equal(look_open(&l, fx.path, clock_now().wall.us, &e), 0);
	for (int i = SQL_IN_TOOL_FIRST; i <= SQL_IN_TOOL_LAST; i++) {
		if (strncmp(sql_name[i], "tool_create_", 12) == 0)
			continue; /* done by look_open(): they cannot be prepared twice */
		if (look_stmt(l, (enum sql_id)i, &e) == NULL)
			fail_msg("%s: %s", sql_name[i], e.text);
	}
	look_close(l);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(statements),
	    TEST(states),
	    TEST(one_zone),
	    TEST(lists),
	    TEST(needs_daemon),
	    TEST(no_database),
	    TEST(export_file),
	    TEST(export_stdout),
	    TEST(overlay),
	    TEST(orders),
	    TEST(not_json),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
