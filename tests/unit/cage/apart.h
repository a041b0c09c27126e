/* SPDX-License-Identifier: BSD-2-Clause */
/* What cannot be taken back is done by a process of its own. */
#pragma once

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* What waitpid() says of it: its exit status is that of act(). */
static int
apart(int (*act)(void *arg), void *arg)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(act(arg));
	if (pid > 0)
		waitpid(pid, &status, 0);
	return status;
}
