/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/ctl/world.h"

#include "base/mem.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void
cmd_echo(void *arg, struct ctl_reply *r, int argc, const char *const *argv)
{
	struct buf b = BUF_INIT;

	(void)arg;
	for (int i = 1; i < argc; i++) {
		buf_reset(&b);
		buf_str(&b, "{\"word\":");
		buf_json(&b, argv[i]);
		buf_str(&b, "}");
		ctl_body(r, &b);
	}
	buf_clear(&b);
	ctl_done(r);
}

static void
cmd_fail(void *arg, struct ctl_reply *r, int argc, const char *const *argv)
{
	(void)arg;
	(void)argc;
	(void)argv;
	ctl_fail(r, ZR_NOTFOUND, "no such zone\n%s", "or so");
}

static void
cmd_later(void *arg, struct ctl_reply *r, int argc, const char *const *argv)
{
	struct world *w = arg;

	(void)argc;
	(void)argv;
	w->later = r;
}

bool
world_pull(void *arg, struct ctl_reply *r)
{
	struct world *w = arg;
	struct buf b = BUF_INIT;

	for (int i = 0; i < 100; i++) {
		buf_reset(&b);
		buf_fmt(&b, "{\"kind\":\"zone\",\"name\":\"zone-%d.example\"}", w->streamed++);
		ctl_body(r, &b);
	}
	buf_clear(&b);
	return w->streamed < STREAM_LINES;
}

void
world_stream_end(void *arg)
{
	struct world *w = arg;

	w->ended++;
}

static void
cmd_stream(void *arg, struct ctl_reply *r, int argc, const char *const *argv)
{
	struct world *w = arg;

	(void)argc;
	(void)argv;
	w->streamed = 0;
	ctl_stream(r, world_pull, world_stream_end, w);
}

/* More than a client may have waiting, without a stream. */
static void
cmd_flood(void *arg, struct ctl_reply *r, int argc, const char *const *argv)
{
	struct buf b = BUF_INIT;

	(void)arg;
	(void)argc;
	(void)argv;
	buf_str(&b, "{\"x\":\"");
	for (int i = 0; i < 1000; i++)
		buf_u8(&b, 'x');
	buf_str(&b, "\"}");
	for (int i = 0; i < 2000; i++)
		ctl_body(r, &b);
	buf_clear(&b);
	ctl_done(r);
}

static void
cmd_bad(void *arg, struct ctl_reply *r, int argc, const char *const *argv)
{
	struct buf b = BUF_INIT;

	(void)arg;
	(void)argc;
	(void)argv;
	buf_str(&b, "{\"a\":\n1}");
	ctl_body(r, &b);
	buf_clear(&b);
	ctl_done(r);
}

static const struct ctl_command commands[] = {
    {"echo", 0, 8, cmd_echo},
    {"fail", 0, 0, cmd_fail},
    {"later", 0, 0, cmd_later},
    {"stream", 0, 0, cmd_stream},
    {"flood", 0, 0, cmd_flood},
    {"bad", 0, 0, cmd_bad},
    {"one", 1, 1, cmd_echo},
};

struct ctl_conf
world_conf(struct world *w)
{
	return (struct ctl_conf){.path = w->path,
	    .commands = commands,
	    .command_count = sizeof(commands) / sizeof(commands[0]),
	    .arg = w};
}

void
world_open(struct world *w, unsigned clients, int64_t idle_us)
{
	struct ctl_conf c = world_conf(w);
	struct zr_err e;

	c.clients_max = clients;
	c.idle_us = idle_us;
	assert_int_equal(ctl_open(&w->ctl, w->base, &c, &e), 0);
}

int
world_setup(void **state)
{
	struct world *w = zr_xcalloc(1, sizeof(*w));

	strcpy(w->dir, "/tmp/zr-ctl-XXXXXX");
	if (mkdtemp(w->dir) == NULL)
		return -1;
	snprintf(w->path, sizeof(w->path), "%s/sock", w->dir);
	w->base = event_base_new();
	*state = w;
	return 0;
}

int
world_teardown(void **state)
{
	struct world *w = *state;

	ctl_close(w->ctl);
	event_base_free(w->base);
	unlink(w->path);
	rmdir(w->dir);
	free(w);
	return 0;
}

void
turn(struct world *w, int times)
{
	while (times-- > 0)
		event_base_loop(w->base, EVLOOP_NONBLOCK);
}

int
dial(struct world *w)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	strcpy(sun.sun_path, w->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

void
say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

const char *
hear(struct world *w, int fd, bool *closed)
{
	static char text[65536];
	size_t len = 0;

	*closed = false;
	for (int i = 0; i < 50; i++) {
		turn(w, 1);
		ssize_t n = recv(fd, text + len, sizeof(text) - 1 - len, 0);
		if (n == 0 || (n < 0 && errno == ECONNRESET)) {
			*closed = true;
			break;
		}
		if (n > 0)
			len += (size_t)n;
	}
	text[len] = '\0';
	return text;
}

void
expect(struct world *w, int fd, const char *want)
{
	bool closed;

	assert_string_equal(hear(w, fd, &closed), want);
	assert_false(closed);
}
