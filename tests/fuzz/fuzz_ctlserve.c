/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Input: how the connection goes (1), then what a client of the
 * control socket sends.  Commands answer in every way there is, at once, later, in pieces, wrongly.
 * Each request has one last line and nothing behind it, in the order of the requests.
 */
#include "fuzz.h"

#include "ctl/ctl_p.h"

#include <event2/event.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD 1
#define HOW_SHUT 0x01	/* the client says that it will send no more */
#define HOW_GONE 0x02	/* the client closes without reading */
#define HOW_PIECES 0x04 /* octet by octet */
#define HOW_CLOSE 0x08	/* the server closes in the middle */
#define TURNS_MAX 200
#define LATER_MAX 64

struct world {
	struct event_base *base;
	struct ctl *ctl;
	struct ctl_reply *later[LATER_MAX];
	unsigned later_count;
	unsigned started, ended_streams, streams;
	struct buf got;
};

struct stream {
	struct world *w;
	unsigned left;
};

static void
body(struct ctl_reply *r, const char *text)
{
	struct buf b = BUF_INIT;

	buf_str(&b, text);
	ctl_body(r, &b);
	buf_clear(&b);
}

static void
do_ok(void *arg, struct ctl_reply *r, int argc, const char *const *argv)
{
	struct buf b = BUF_INIT;

	((struct world *)arg)->started++;
	FUZZ_CHECK(argc >= 1 && argv[argc] == NULL);
	for (int i = 1; i < argc; i++) {
		buf_str(&b, "{\"word\":");
		buf_json(&b, argv[i]);
		buf_str(&b, "}");
		ctl_body(r, &b);
		buf_reset(&b);
	}
	buf_clear(&b);
	ctl_done(r);
}

static void
do_wrong(void *arg, struct ctl_reply *r, int argc, const char *const *argv)
{
	((struct world *)arg)->started++;
	body(r, argc > 1 ? argv[1] : "");
	ctl_done(r);
}

static void
do_fail(void *arg, struct ctl_reply *r, int argc, const char *const *argv)
{
	((struct world *)arg)->started++;
	ctl_fail(r, ZR_NOTFOUND, "no\n%s", argc > 1 ? argv[1] : "");
}

static void
do_later(void *arg, struct ctl_reply *r, int argc, const char *const *argv)
{
	struct world *w = arg;

	(void)argc;
	(void)argv;
	w->started++;
	if (w->later_count == LATER_MAX)
		ctl_done(r);
	else
		w->later[w->later_count++] = r;
}

static bool
pull(void *arg, struct ctl_reply *r)
{
	struct stream *s = arg;

	FUZZ_CHECK(ctl_alive(r));
	body(r, "{\"n\":\"0123456789012345678901234567890123456789\"}");
	return s->left-- > 0;
}

static void
stream_end(void *arg)
{
	struct stream *s = arg;

	s->w->ended_streams++;
	free(s);
}

static void
do_stream(void *arg, struct ctl_reply *r, int argc, const char *const *argv)
{
	struct stream *s = malloc(sizeof(*s));

	FUZZ_CHECK(s != NULL);
	*s = (struct stream){.w = arg, .left = argc > 1 ? (unsigned)(uint8_t)argv[1][0] * 10 : 3};
	s->w->started++;
	s->w->streams++;
	ctl_stream(r, pull, stream_end, s);
}

/* Short names, which a fuzzer finds. */
static const struct ctl_command commands[] = {
    {"a", 0, 15, do_ok},
    {"w", 0, 1, do_wrong},
    {"f", 0, 1, do_fail},
    {"l", 0, 0, do_later},
    {"s", 0, 1, do_stream},
};

static void
turn(struct world *w, int fd)
{
	uint8_t octets[4096];
	ssize_t n;

	event_base_loop(w->base, EVLOOP_NONBLOCK);
	while (fd >= 0 && (n = recv(fd, octets, sizeof(octets), MSG_DONTWAIT)) > 0)
		buf_bytes(&w->got, octets, (size_t)n);
	if (w->later_count > 0)
		ctl_done(w->later[--w->later_count]);
}

/* Lines of JSON, then a last line, again and again; the last one may be cut off by the end. */
static unsigned
answers(const struct buf *got, bool whole)
{
	const char *p = (const char *)got->data, *end;
	unsigned count = 0;

	if (got->len == 0)
		return 0;
	end = p + got->len;
	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		if (nl == NULL) {
			FUZZ_CHECK(!whole);
			break;
		}
		bool ok = nl - p == 2 && memcmp(p, "ok", 2) == 0;
		bool error = nl - p > 6 && memcmp(p, "error ", 6) == 0;
		FUZZ_CHECK(ok || error || *p == '{');
		for (const char *c = p; c < nl; c++)
			FUZZ_CHECK((uint8_t)*c >= 0x20);
		count += ok || error;
		p = nl + 1;
	}
	return count;
}

static void
talk(struct world *w, int fd, uint8_t how, const uint8_t *data, size_t size)
{
	size_t at = 0, step = (how & HOW_PIECES) != 0 ? 1 : 3000;

	for (unsigned n = 0; n < TURNS_MAX && at < size; n++) {
		size_t len = step < size - at ? step : size - at;
		ssize_t sent = send(fd, data + at, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		at += sent > 0 ? (size_t)sent : 0;
		turn(w, fd);
	}
	if ((how & HOW_SHUT) != 0)
		shutdown(fd, SHUT_WR);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w = {.base = event_base_new()};
	char path[100];
	int fd[2];
	uint8_t how = size < HEAD ? 0 : data[0];

	if (size < HEAD)
		goto out;
	snprintf(path, sizeof(path), "/tmp/zonerelay-fuzz-%ld", (long)getpid());
	const struct ctl_conf conf = {.path = path,
	    .commands = commands,
	    .command_count = sizeof(commands) / sizeof(commands[0]),
	    .arg = &w};
	FUZZ_CHECK(ctl_open(&w.ctl, w.base, &conf, NULL) == 0);
	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) == 0);
	session_new(w.ctl, fd[0]);
	talk(&w, fd[1], how, data + HEAD, size - HEAD);
	if ((how & HOW_CLOSE) != 0) {
		ctl_close(w.ctl);
		w.ctl = NULL;
	}
	if ((how & HOW_GONE) != 0) {
		close(fd[1]);
		fd[1] = -1;
	}
	for (unsigned n = 0; n < TURNS_MAX; n++)
		turn(&w, fd[1]);
	unsigned count = answers(&w.got, w.ctl != NULL && fd[1] >= 0);
	if (w.ctl != NULL && fd[1] >= 0)
		FUZZ_CHECK(count >= w.started && !w.got.bad);
	ctl_close(w.ctl);
	while (w.later_count > 0)
		turn(&w, -1);
	FUZZ_CHECK(w.streams == w.ended_streams);
	if (fd[1] >= 0)
		close(fd[1]);
	buf_clear(&w.got);
out:
	event_base_free(w.base);
	return 0;
}
