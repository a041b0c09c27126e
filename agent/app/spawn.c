/* SPDX-License-Identifier: BSD-2-Clause */
#include "app/spawn.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"

/* Read at once; as much as a pipe holds. */
#define PIECE (64 * 1024)
/* Who fills the pipe as fast as we empty it is read at this pace, 64 MB/s: not all our time. */
static const struct timeval pace = {0, 1000};

struct spawn {
	pid_t pid;
	int fd; /* -1: it has closed its errors, or ended */
	struct event *readable, *again;
	bool whole; /* the line is */
	size_t len;
	char line[SPAWN_LINE_MAX + 1];
};

/* ---- what it says ---- */

static void
take_octet(struct spawn *s, char c)
{
	if (c == '\n') {
		s->whole = s->len > 0;
		return;
	}
	if (c == '\t' || c == '\r')
		c = ' ';
	if (c == ' ' && s->len == 0)
		return;
	s->line[s->len++] = (char)(c >= ' ' && c < 0x7f ? c : '?');
	s->whole = s->len == SPAWN_LINE_MAX;
}

static void
shut(struct spawn *s)
{
	if (s->fd < 0)
		return;
	event_free(s->readable);
	event_free(s->again);
	close(s->fd);
	s->fd = -1;
}

/* True: there may be more at once. */
static bool
read_piece(struct spawn *s)
{
	char piece[PIECE];
	ssize_t n = read(s->fd, piece, sizeof(piece));

	for (ssize_t i = 0; i < n && !s->whole; i++)
		take_octet(s, piece[i]);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		shut(s);
	return n == (ssize_t)sizeof(piece);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct spawn *s = arg;

	(void)fd;
	(void)what;
	if (!read_piece(s))
		return;
	event_del(s->readable);
	event_add(s->again, &pace);
}

static void
on_again(evutil_socket_t fd, short what, void *arg)
{
	struct spawn *s = arg;

	(void)fd;
	(void)what;
	event_add(s->readable, NULL);
}

/* ---- its start ---- */

static bool
is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

static int
find_program(const char *name, char *path, size_t size, struct zr_err *e)
{
	const char *folder = SPAWN_PATH, *end;

	if (strchr(name, '/') != NULL) {
		if ((size_t)snprintf(path, size, "%s", name) >= size)
			return zr_fail(e, ZR_CONF, "%s: %s", name, strerror(ENAMETOOLONG));
		return 0;
	}
	for (;; folder = end + 1) {
		end = strchrnul(folder, ':');
		if ((size_t)snprintf(path, size, "%.*s/%s", (int)(end - folder), folder, name) <
			size &&
		    is_program(path))
			return 0;
		if (*end == '\0')
			return zr_fail(e, ZR_NOTFOUND, "%s is not in " SPAWN_PATH, name);
	}
}

/* In the child.  All descriptors of ours are close-on-exec; what cannot be done is `told`. */
static _Noreturn void
become(const char *path, char *const argv[], char *const env[], int errors, int told, pid_t parent)
{
	sigset_t none;
	int null, err;

	setpgid(0, 0);
	for (int sig = 1; sig < NSIG; sig++)
		(void)signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* Who starts it may be killed without a chance to end it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (getppid() == parent && null >= 0 && dup2(null, 0) == 0 && dup2(null, 1) == 1 &&
	    dup2(errors, 2) == 2 && chdir("/") == 0)
		execve(path, argv, env);
	err = errno;
	(void)!write(told, &err, sizeof(err));
	_exit(127);
}

/* 0, or what is to be said. */
static int
spawn_now(pid_t *pid, const char *path, char *const argv[], char *const env[], int errors)
{
	pid_t parent = getpid();
	int told[2], err = 0;
	ssize_t n;

	if (pipe2(told, O_CLOEXEC) != 0)
		return errno;
	*pid = fork();
	if (*pid == 0)
		become(path, argv, env, errors, told[1], parent);
	if (*pid < 0)
		err = errno;
	close(told[1]);
	do /* until it is another program, or has failed to become it */
		n = *pid < 0 ? 0 : read(told[0], &err, sizeof(err));
	while (n < 0 && errno == EINTR);
	close(told[0]);
	if (n > 0)
		waitpid(*pid, NULL, 0);
	return err;
}

int
spawn_start(struct spawn **out, struct event_base *base, char *const argv[], char *const env[],
    struct zr_err *e)
{
	char path[4096];
	struct spawn *s;
	int fds[2], rc;
	pid_t pid = 0;

	if (find_program(argv[0], path, sizeof(path), e) != 0)
		return -1;
	if (pipe2(fds, O_CLOEXEC) != 0)
		return zr_fail(e, ZR_IO, "no pipe: %s", strerror(errno));
	rc = spawn_now(&pid, path, argv, env, fds[1]);
	close(fds[1]);
	if (rc != 0) {
		close(fds[0]);
		return zr_fail(e, ZR_IO, "%s: %s", path, strerror(rc));
	}
	evutil_make_socket_nonblocking(fds[0]);
	s = zr_xcalloc(1, sizeof(*s));
	s->pid = pid;
	s->fd = fds[0];
	s->readable = event_new(base, s->fd, EV_READ | EV_PERSIST, on_readable, s);
	s->again = event_new(base, -1, 0, on_again, s);
	event_add(s->readable, NULL);
	*out = s;
	return 0;
}

/* ---- its life and end ---- */

pid_t
spawn_pid(const struct spawn *s)
{
	return s->pid;
}

void
spawn_signal(const struct spawn *s, int sig)
{
	if (s->pid > 0)
		kill(-s->pid, sig);
}

/* Its number is ours, as a group's too, until it is waited for: so the group first. */
bool
spawn_ended(struct spawn *s, bool all, int *status)
{
	siginfo_t si = {0};
	int rc;

	if (s->pid == 0)
		return false;
	do
		rc = waitid(P_PID, (id_t)s->pid, &si, WEXITED | WNOHANG | WNOWAIT);
	while (rc != 0 && errno == EINTR);
	if (rc == 0 && si.si_pid == 0)
		return false;
	if (all)
		spawn_signal(s, SIGKILL);
	do
		rc = waitpid(s->pid, status, 0);
	while (rc < 0 && errno == EINTR);
	if (rc < 0)
		*status = -1;
	s->pid = 0;
	/* What it said last.  Two pieces are more than a pipe holds; others may still write to it.
	 */
	for (int i = 0; i < 2 && s->fd >= 0 && !s->whole; i++)
		if (!read_piece(s))
			break;
	shut(s);
	return true;
}

const char *
spawn_line(const struct spawn *s)
{
	return s->line;
}

void
spawn_free(struct spawn *s)
{
	if (s == NULL)
		return;
	shut(s);
	free(s);
}
