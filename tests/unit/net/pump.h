/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of agent/net share: a loop with patience, and plain blocking peers. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/addr.h"
#include "base/clock.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Longer where everything is slow: ZONERELAY_TEST_SLOW is a factor. */
static inline int64_t
patience_us(void)
{
	const char *slow = getenv("ZONERELAY_TEST_SLOW");
	long factor = slow == NULL ? 1 : strtol(slow, NULL, 10);

	return (factor > 1 ? factor : 1) * 20 * ZR_US_PER_S;
}

/* Runs the loop until the condition holds; a test that waits in vain fails. */
#define PUMP(base, cond)                                                                           \
	do {                                                                                       \
		int64_t pump_end = clock_now().mono.us + patience_us();                            \
                                                                                                   \
		while (!(cond)) {                                                                  \
			if (clock_now().mono.us > pump_end)                                        \
				fail_msg("in vain: %s", #cond);                                    \
			pump_once(base, 20);                                                       \
		}                                                                                  \
	} while (0)

/* One turn of the loop, of at most so many milliseconds. */
static inline void
pump_once(struct event_base *base, int ms)
{
	struct timeval tv = {0, ms * 1000};

	event_base_loopexit(base, &tv);
	event_base_loop(base, EVLOOP_ONCE);
}

/* Runs the loop for a while, for what must not happen. */
static inline void
pump_for(struct event_base *base, int ms)
{
	int64_t end = clock_now().mono.us + ms * ZR_US_PER_MS;

	while (clock_now().mono.us < end)
		pump_once(base, 5);
}

static inline struct zr_addr
ip(const char *text)
{
	struct zr_addr a;

	if (!addr_parse_ip(text, &a))
		fail_msg("%s is no address", text);
	return a;
}

static inline struct zr_addr
at(const char *text, uint16_t port)
{
	struct zr_addr a = ip(text);

	a.port = port;
	return a;
}

/* A plain socket bound to `a`; its address with the real port is put there. */
static inline int
plain_bound(int type, struct zr_addr *a)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(a, &ss);
	int fd = socket(ss.ss_family, type | SOCK_CLOEXEC, 0);
	struct timeval tv = {10, 0};

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&ss, len), 0);
	len = sizeof(ss);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&ss, &len), 0);
	assert_true(addr_from_sockaddr((struct sockaddr *)&ss, a));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	return fd;
}

static inline int
plain_connect(int fd, const struct zr_addr *a)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(a, &ss);

	return connect(fd, (struct sockaddr *)&ss, len);
}

static inline ssize_t
plain_sendto(int fd, const void *p, size_t n, const struct zr_addr *a)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(a, &ss);

	return sendto(fd, p, n, 0, (struct sockaddr *)&ss, len);
}

static inline bool
have_ipv6(void)
{
	struct zr_addr a = ip("::1");
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&a, &ss);
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);
	bool have = fd >= 0 && bind(fd, (struct sockaddr *)&ss, len) == 0;

	if (fd >= 0)
		close(fd);
	return have;
}
