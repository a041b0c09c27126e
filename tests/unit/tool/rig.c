/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/tool/rig.h"

#include "base/clock.h"
#include "base/mem.h"
#include "tool/tool.h"
#include "wire/name.h"
#include "wire/rr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define S ZR_US_PER_S

/* ---- running a command ---- */

struct fx fx;
char *out, *err;
static size_t out_len;
char sock[120];

char *
slurp(int fd)
{
	struct stat st;
	char *text;

	assert_int_equal(fstat(fd, &st), 0);
	text = zr_xcalloc(1, (size_t)st.st_size + 1);
	assert_int_equal(pread(fd, text, (size_t)st.st_size, 0), st.st_size);
	return text;
}

int
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

void
assert_in(const char *text, const char *word)
{
	if (strstr(text, word) == NULL)
		fail_msg("\"%s\" is not in:\n%s", word, text);
}

void
assert_not_in(const char *text, const char *word)
{
	if (strstr(text, word) != NULL)
		fail_msg("\"%s\" is in:\n%s", word, text);
}

/* ---- the database ---- */

static struct stage_batch *batch;
static uint8_t digest[SEGMENT_DIGEST];
unsigned segments;
struct buf expected;

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

int64_t
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

int
rig_setup(void **state)
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

int
rig_teardown(void **state)
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
