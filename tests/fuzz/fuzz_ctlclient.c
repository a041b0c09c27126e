/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Input: what a daemon, or whatever else listens there, answers to zonerelayctl.
 * Every line that is given out is an object, and an answer ends once.
 */
#include "fuzz.h"

#include "ctl/client.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int
listener(const char **path)
{
	static struct sockaddr_un sun = {.sun_family = AF_UNIX};
	static int fd = -1;

	*path = sun.sun_path;
	if (fd >= 0)
		return fd;
	snprintf(
	    sun.sun_path, sizeof(sun.sun_path), "/tmp/zonerelay-fuzz-client-%ld", (long)getpid());
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	FUZZ_CHECK(fd >= 0);
	(void)unlink(sun.sun_path);
	FUZZ_CHECK(bind(fd, (const struct sockaddr *)&sun, sizeof(sun)) == 0);
	FUZZ_CHECK(listen(fd, 4) == 0);
	return fd;
}

/* The daemon reads the request, else its socket would be full. */
static void
read_request(int fd)
{
	char octets[100];

	FUZZ_CHECK(recv(fd, octets, sizeof(octets), MSG_DONTWAIT) > 0);
}

/* Reads one answer; false when the connection is of no more use. */
static bool
answer(struct ctl_client *c, int fd)
{
	static const char *const words[] = {"zones", "x"};
	const char *line;
	struct zr_err e = {0};
	int rc;

	if (ctl_client_ask(c, 2, words, &e) != 0) {
		FUZZ_CHECK(e.code != ZR_OK);
		return false;
	}
	read_request(fd);
	while ((rc = ctl_client_line(c, &line, &e)) == 1) {
		FUZZ_CHECK(line != NULL && line[0] == '{' && strchr(line, '\n') == NULL);
		FUZZ_CHECK(!ctl_client_broken(c));
	}
	FUZZ_CHECK(line == NULL);
	FUZZ_CHECK((rc == 0) == (e.code == ZR_OK));
	FUZZ_CHECK(rc != 0 || !ctl_client_broken(c));
	FUZZ_CHECK(ctl_client_line(c, &line, NULL) == -1);
	return !ctl_client_broken(c);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ctl_client *c;
	const char *path;
	int lfd = listener(&path), fd;

	FUZZ_CHECK(ctl_client_open(&c, path, NULL) == 0);
	fd = accept(lfd, NULL, NULL);
	FUZZ_CHECK(fd >= 0);
	if (size > 100000)
		size = 100000; /* what the socket takes at once */
	if (size > 0)
		FUZZ_CHECK(send(fd, data, size, MSG_NOSIGNAL) == (ssize_t)size);
	shutdown(fd, SHUT_WR);
	while (answer(c, fd))
		;
	FUZZ_CHECK(!answer(c, fd)); /* it stays so */
	ctl_client_close(c);
	close(fd);
	return 0;
}
