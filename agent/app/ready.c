/* SPDX-License-Identifier: BSD-2-Clause */
#include "app/ready.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/parse.h"

static int notify = -1;

void
ready_open(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	size_t len;

	if (path == NULL || (path[0] != '/' && path[0] != '@'))
		return;
	len = strlen(path);
	if (len >= sizeof(sa.sun_path))
		return;
	memcpy(sa.sun_path, path, len);
	if (path[0] == '@') /* the abstract name space */
		sa.sun_path[0] = '\0';
	notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (notify < 0)
		return;
	if (connect(notify, (struct sockaddr *)(void *)&sa,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) == 0)
		return;
	close(notify);
	notify = -1;
}

/* Nothing depends on it: a manager that has gone, or does not read, is not our trouble. */
void
ready_tell(const char *state)
{
	if (notify >= 0)
		(void)!send(notify, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void
ready_reloading(void)
{
	char text[64];

	snprintf(
	    text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)clock_now().mono.us);
	ready_tell(text);
}

int64_t
ready_watchdog_us(void)
{
	const char *pid = getenv("WATCHDOG_PID"), *us = getenv("WATCHDOG_USEC");
	uint64_t v;

	if (notify < 0 || us == NULL || !parse_u64(us, &v) || v == 0 || v > INT64_MAX)
		return 0;
	if (pid != NULL) {
		uint64_t whose;

		if (!parse_u64(pid, &whose) || whose != (uint64_t)getpid())
			return 0;
	}
	return (int64_t)v;
}
