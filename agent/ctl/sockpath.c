/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The socket in the file system.  A path left behind by a daemon that died refuses connections and
 * is replaced; one that accepts them belongs to a living daemon.  Asking and replacing happen under
 * a lock of the directory, so that two daemons started at once cannot both find the path dead and
 * the second one remove the socket the first has just made.
 */
#include "ctl/ctl_p.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define SOCKET_MODE 0660
#define BACKLOG 64
#define LOCK_TRIES 100
#define LOCK_WAIT_NS 20000000 /* 100 times 20 ms: far longer than the holder needs */

static int
lock_dir(const char *path, struct zr_err *e)
{
	char copy[sizeof(((struct sockpath *)0)->path)];
	const struct timespec wait = {.tv_nsec = LOCK_WAIT_NS};
	const char *dir;
	int fd;

	snprintf(copy, sizeof(copy), "%s", path);
	dir = dirname(copy);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return zr_fail(
		    e, ZR_IO, "directory %s of the control socket: %s", dir, strerror(errno));
	for (int i = 0; i < LOCK_TRIES; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return fd;
		nanosleep(&wait, NULL);
	}
	close(fd);
	return zr_fail(
	    e, ZR_IO, "directory %s of the control socket is locked by another process", dir);
}

/* 0: the path is free now. */
static int
clear_path(const struct sockaddr_un *sun, struct zr_err *e)
{
	struct stat st;
	int fd, err;

	if (lstat(sun->sun_path, &st) != 0) {
		if (errno == ENOENT)
			return 0;
		return zr_fail(e, ZR_IO, "%s: %s", sun->sun_path, strerror(errno));
	}
	if (!S_ISSOCK(st.st_mode))
		return zr_fail(e, ZR_CONF, "%s is there and is not a socket", sun->sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return zr_fail(e, ZR_IO, "socket: %s", strerror(errno));
	err = connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) == 0 ? 0 : errno;
	close(fd);
	if (err == ENOENT)
		return 0;
	/* EAGAIN: it lives, its queue is full. */
	if (err == 0 || err == EAGAIN)
		return zr_fail(
		    e, ZR_CONF, "another daemon answers at %s; stop it first", sun->sun_path);
	if (err != ECONNREFUSED)
		return zr_fail(e, ZR_IO, "%s: %s", sun->sun_path, strerror(err));
	if (unlink(sun->sun_path) != 0 && errno != ENOENT)
		return zr_fail(
		    e, ZR_IO, "removing the dead socket %s: %s", sun->sun_path, strerror(errno));
	return 0;
}

static int
bind_listen(struct sockpath *s, const struct sockaddr_un *sun, struct zr_err *e)
{
	struct stat st;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return zr_fail(e, ZR_IO, "socket: %s", strerror(errno));
	/* On Linux the new file takes this mode, so it is never open to all, not even for a
	 * moment; elsewhere this fails and the chmod() below is what counts. */
	(void)fchmod(fd, SOCKET_MODE);
	if (bind(fd, (const struct sockaddr *)sun, sizeof(*sun)) != 0) {
		zr_fail(e, ZR_IO, "%s: %s", sun->sun_path, strerror(errno));
		goto fail;
	}
	if (chmod(sun->sun_path, SOCKET_MODE) != 0 || lstat(sun->sun_path, &st) != 0 ||
	    listen(fd, BACKLOG) != 0) {
		zr_fail(e, ZR_IO, "%s: %s", sun->sun_path, strerror(errno));
		unlink(sun->sun_path);
		goto fail;
	}
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	return fd;
fail:
	close(fd);
	return -1;
}

int
sockpath_listen(struct sockpath *s, const char *path, struct zr_err *e)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = -1, lock;

	if (strlen(path) >= sizeof(sun.sun_path) || strlen(path) >= sizeof(s->path))
		return zr_fail(e, ZR_CONF,
		    "path of the control socket is longer than %zu octets: %s",
		    sizeof(sun.sun_path) - 1, path);
	memcpy(sun.sun_path, path, strlen(path) + 1);
	memcpy(s->path, path, strlen(path) + 1);
	lock = lock_dir(path, e);
	if (lock < 0)
		return -1;
	if (clear_path(&sun, e) == 0)
		fd = bind_listen(s, &sun, e);
	close(lock);
	return fd;
}

void
sockpath_remove(const struct sockpath *s)
{
	struct stat st;

	if (lstat(s->path, &st) == 0 && st.st_dev == s->dev && st.st_ino == s->ino)
		unlink(s->path);
}
