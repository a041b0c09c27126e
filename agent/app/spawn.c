/* SPDX-License-Identifier: BSD-2-Clause */
#include "app/spawn.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* Descriptor 2 first: when our own 0 to 2 are closed, the pipe may be one of them. */
static int
set_files(posix_spawn_file_actions_t *f, int errors)
{
	int rc = posix_spawn_file_actions_adddup2(f, errors, 2);

	if (rc == 0)
		rc = posix_spawn_file_actions_addopen(f, 0, "/dev/null", O_RDONLY, 0);
	if (rc == 0)
		rc = posix_spawn_file_actions_addopen(f, 1, "/dev/null", O_WRONLY, 0);
#ifdef HAVE_POSIX_SPAWN_FILE_ACTIONS_ADDCLOSEFROM_NP
	/* All of ours are close-on-exec anyway; this is for those we were started with. */
	if (rc == 0)
		rc = posix_spawn_file_actions_addclosefrom_np(f, 3);
#endif
	if (rc == 0)
		rc = posix_spawn_file_actions_addchdir_np(f, "/");
	return rc;
}

static int
set_attributes(posix_spawnattr_t *at)
{
	short flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
	sigset_t all, none;
	int rc;

	sigfillset(&all);
	sigdelset(&all, SIGKILL);
	sigdelset(&all, SIGSTOP);
	sigemptyset(&none);
	rc = posix_spawnattr_setflags(at, flags);
	if (rc == 0)
		rc = posix_spawnattr_setpgroup(at, 0);
	if (rc == 0)
		rc = posix_spawnattr_setsigdefault(at, &all);
	if (rc == 0)
		rc = posix_spawnattr_setsigmask(at, &none);
	return rc;
}

/* 0, or what is to be said. */
static int
spawn_now(pid_t *pid, const char *path, char *const argv[], char *const env[], int errors)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t at;
	int rc = posix_spawn_file_actions_init(&files);

	if (rc != 0)
		return rc;
	rc = posix_spawnattr_init(&at);
	if (rc == 0) {
		rc = set_files(&files, errors);
		if (rc == 0)
			rc = set_attributes(&at);
		if (rc == 0)
			rc = posix_spawn(pid, path, &files, &at, argv, env);
		posix_spawnattr_destroy(&at);
	}
	posix_spawn_file_actions_destroy(&files);
	return rc;
}

int
spawn_start(struct spawn **out, struct event_base *base, char *const argv[], char *const env[],
    struct zr_err *e)
{
	char path[4096];
	struct spawn *s;
	int fds[2], rc;
	pid_t pid;

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
