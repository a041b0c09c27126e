/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where visitors are received: a worker, the main loop behind it, and clients which are read by the
 * receiver that has tests of its own (core/xfrin).
 */
#pragma once

#include "loader.h"
#include "peer.h"

struct lobby {
	struct desk d;
	struct server srv;
	struct gen gen;
	struct model old;	   /* the version before the present one */
	uint64_t clients, streams; /* numbers given so far */
	enum zr_code journal;	   /* what the stream that ended last said of it */
	uint8_t bytes[MSG_MAX];
};
extern struct lobby lobby;

int lobby_setup(void **state);
int lobby_teardown(void **state);
#define LOBBY_TEST(name) cmocka_unit_test_setup_teardown(name, lobby_setup, lobby_teardown)

/* The next version of the zone; the first has so many records, each other so many changes. */
void lobby_version(uint32_t serial, size_t records, unsigned changes);

/*
 * A connection, given to the worker.  With `narrow` little waits in the kernel, so that it shows
 * when the client takes nothing.
 */
int visit(bool narrow, int64_t idle_us);
void visit_ask(int fd, uint16_t id, uint16_t qtype);
void visit_reset(int fd);

struct reading {
	struct model m;
	struct xfrin *x;
	enum xfrin_step step;
	unsigned messages;
};
void reading_start(struct reading *r, uint16_t id, enum xfrin_kind kind);
void reading_feed(struct reading *r, size_t len); /* the message in lobby.bytes */
void reading_all(struct reading *r, int fd);
/* It is the present version. */
void reading_end(struct reading *r, bool diff);

/* As the main loop. */
struct bytes_mail *lobby_request(uint64_t client, uint16_t id);
void lobby_reply(const struct bytes_mail *req, size_t len, bool finish);
uint64_t lobby_stream(const struct bytes_mail *req, enum stream_kind kind, int64_t stored);
void lobby_stream_done(uint64_t stream, enum zr_code code, bool diff, const struct reading *r);
void lobby_gone(uint64_t client);
