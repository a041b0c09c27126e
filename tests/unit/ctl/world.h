/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of the control socket share: a server in this thread, its clients as plain
 * non-blocking sockets.  The loop is turned by hand, so that every interleaving happens on purpose.
 */
#pragma once

#include "ctl/ctl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define STREAM_LINES 100000 /* of the command "stream" */

struct event_base;

struct world {
	struct event_base *base;
	struct ctl *ctl;
	char dir[64], path[96];
	struct ctl_reply *later; /* of the command "later" */
	int streamed, ended;	 /* lines made by the last "stream"; streams that ended */
};

/* Commands: echo WORD..., fail, later, stream, flood, bad, one WORD. */
struct ctl_conf world_conf(struct world *w);
void world_open(struct world *w, unsigned clients, int64_t idle_us); /* 0: the defaults */

/* For cmocka. */
int world_setup(void **state);
int world_teardown(void **state);
#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

void turn(struct world *w, int times);
int dial(struct world *w); /* a client */
void say(int fd, const char *text);
/* What comes within a few turns of the loop; *closed: the server ended the connection. */
const char *hear(struct world *w, int fd, bool *closed);
void expect(struct world *w, int fd, const char *want);

/* For `later` in the hands of a test. */
bool world_pull(void *arg, struct ctl_reply *r);
void world_stream_end(void *arg);
