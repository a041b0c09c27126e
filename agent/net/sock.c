/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/sock.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void
sock_set(int fd, int level, int option, int value)
{
	(void)setsockopt(fd, level, option, &value, sizeof(value));
}

bool
sock_exhausted(int err)
{
	return err == EMFILE || err == ENFILE || err == ENOBUFS || err == ENOMEM;
}

int
sock_fail(struct zr_err *e, int err, const char *what, const struct zr_addr *a)
{
	enum zr_code code = sock_exhausted(err) ? ZR_LIMIT : err == ETIMEDOUT ? ZR_TIMEOUT : ZR_IO;
	char text[ADDR_TEXT_MAX];

	return zr_fail(e, code, "%s %s: %s", what, addr_text(a, text), strerror(err));
}

int
sock_open(const struct zr_addr *a, int type, struct zr_err *e)
{
	int domain = a->family == 4 ? AF_INET : AF_INET6;
	int fd = socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return sock_fail(e, errno, "cannot make a socket for", a);
	if (domain == AF_INET6)
		sock_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	return fd;
}

int
sock_bind(int fd, const struct zr_addr *a, struct zr_err *e)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(a, &ss);

	if (bind(fd, (struct sockaddr *)&ss, len) < 0)
		return sock_fail(e, errno, "cannot bind to", a);
	return 0;
}

bool
sock_local(int fd, struct zr_addr *out)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	*out = (struct zr_addr){0};
	return getsockname(fd, (struct sockaddr *)&ss, &len) == 0 &&
	       addr_from_sockaddr((struct sockaddr *)&ss, out);
}
