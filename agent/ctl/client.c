/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/client.h"

#include "base/buf.h"
#include "base/mem.h"
#include "ctl/request.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define TIMEOUT_MS 30000
#define READ_STEP 65536
#define BODY_LINE_MAX (4 * 1024 * 1024) /* a daemon gone wrong must not eat our memory */

struct ctl_client {
	int fd;
	int timeout_ms;
	bool broken;
	bool waiting; /* an answer is still to be read */
	struct buf in;
	size_t pos; /* start of what was not yet given out */
};

int
ctl_client_open(struct ctl_client **out, const char *path, struct zr_err *e)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	struct timeval tv = {.tv_sec = TIMEOUT_MS / 1000};
	int fd;

	*out = NULL;
	if (strlen(path) >= sizeof(sun.sun_path))
		return zr_fail(
		    e, ZR_IO, "%s: longer than %zu octets", path, sizeof(sun.sun_path) - 1);
	memcpy(sun.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return zr_fail(e, ZR_IO, "socket: %s", strerror(errno));
	/* A daemon which does not accept would let connect() wait for ever. */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	if (connect(fd, (const struct sockaddr *)&sun, sizeof(sun)) != 0) {
		int err = errno;
		close(fd);
		if (err == ENOENT || err == ECONNREFUSED)
			return zr_fail(e, ZR_CLOSED, "nothing listens at %s", path);
		if (err == EAGAIN)
			return zr_fail(e, ZR_TIMEOUT, "%s: no answer", path);
		return zr_fail(e, ZR_IO, "%s: %s", path, strerror(err));
	}
	struct ctl_client *c = zr_xcalloc(1, sizeof(*c));
	c->fd = fd;
	c->timeout_ms = TIMEOUT_MS;
	buf_init(&c->in, BODY_LINE_MAX);
	*out = c;
	return 0;
}

void
ctl_client_close(struct ctl_client *c)
{
	if (c == NULL)
		return;
	close(c->fd);
	buf_clear(&c->in);
	free(c);
}

void
ctl_client_timeout(struct ctl_client *c, int ms)
{
	c->timeout_ms = ms;
}

bool
ctl_client_broken(const struct ctl_client *c)
{
	return c->broken;
}

int
ctl_client_ask(struct ctl_client *c, int argc, const char *const *argv, struct zr_err *e)
{
	struct buf line = BUF_INIT;
	int rc = -1;

	if (c->broken || c->waiting)
		return zr_fail(e, ZR_INTERNAL, "the answer before was not read to its end");
	if (ctl_request_write(&line, argc, argv, e) != 0)
		goto out;
	for (size_t at = 0; at < line.len;) {
		ssize_t n = send(c->fd, line.data + at, line.len - at, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			c->broken = true;
			zr_fail(e, ZR_IO, "sending to the daemon: %s", strerror(errno));
			goto out;
		}
		at += (size_t)n;
	}
	c->waiting = true;
	rc = 0;
out:
	buf_clear(&line);
	return rc;
}

/* Reads some more behind what is there. */
static int
fill(struct ctl_client *c, struct zr_err *e)
{
	struct pollfd pfd = {.fd = c->fd, .events = POLLIN};
	ssize_t n;

	if (c->pos > 0) {
		memmove(c->in.data, c->in.data + c->pos, c->in.len - c->pos);
		c->in.len -= c->pos;
		c->pos = 0;
	}
	if (!buf_reserve(&c->in, READ_STEP))
		return zr_fail(e, ZR_LIMIT, "a line of the answer is longer than %d octets",
		    BODY_LINE_MAX - READ_STEP);
	int ready = poll(&pfd, 1, c->timeout_ms > 0 ? c->timeout_ms : -1);
	if (ready == 0)
		return zr_fail(e, ZR_TIMEOUT, "the daemon did not answer in %d ms", c->timeout_ms);
	if (ready < 0)
		return errno == EINTR ? 0 : zr_fail(e, ZR_IO, "poll: %s", strerror(errno));
	n = recv(c->fd, c->in.data + c->in.len, READ_STEP, 0);
	if (n < 0)
		return errno == EINTR
			   ? 0
			   : zr_fail(e, ZR_IO, "reading from the daemon: %s", strerror(errno));
	if (n == 0)
		return zr_fail(e, ZR_CLOSED, "the daemon closed the connection");
	c->in.len += (size_t)n;
	return 0;
}

static enum zr_code
code_parse(const char *name, size_t len)
{
	for (int code = ZR_OK + 1; code < ZR_CODE_COUNT; code++) {
		const char *n = zr_code_name((enum zr_code)code);
		if (strlen(n) == len && memcmp(n, name, len) == 0)
			return (enum zr_code)code;
	}
	return ZR_INTERNAL;
}

/* "error CODE text" behind "error ". */
static int
error_line(const char *rest, struct zr_err *e)
{
	size_t n = strcspn(rest, " ");
	enum zr_code code = code_parse(rest, n);

	return zr_fail(e, code, "%s", rest[n] == ' ' ? rest + n + 1 : rest);
}

int
ctl_client_line(struct ctl_client *c, const char **line, struct zr_err *e)
{
	size_t seen = c->pos; /* no newline before this */
	char *text, *nl = NULL;

	*line = NULL;
	if (!c->waiting)
		return zr_fail(e, ZR_INTERNAL, "there is no answer to read");
	while (
	    c->in.len == seen || (nl = memchr(c->in.data + seen, '\n', c->in.len - seen)) == NULL) {
		size_t have = c->in.len - c->pos;
		if (fill(c, e) != 0) {
			c->broken = true;
			c->waiting = false;
			return -1;
		}
		seen = have; /* fill() moved what was there to the front */
	}
	*nl = '\0';
	text = (char *)c->in.data + c->pos;
	c->pos = (size_t)(nl + 1 - (char *)c->in.data);
	if (*text == '{') {
		*line = text;
		return 1;
	}
	c->waiting = false;
	if (strcmp(text, "ok") == 0)
		return 0;
	if (strncmp(text, "error ", 6) == 0)
		return error_line(text + 6, e);
	c->broken = true;
	return zr_fail(e, ZR_FORMERR, "the daemon answered \"%.60s\"", text);
}
