/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lock stands in a file of its own: closing a second descriptor of the database itself would
 * drop the locks of SQLite (POSIX locks belong to the process).  The file stays; removing it could
 * take it from under a process that is just locking it.
 */
#include "store/store_p.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* The number the holder wrote; 0 when it cannot be read. */
static long
holder(int fd)
{
	char text[32] = "";
	long pid = 0;
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	for (ssize_t i = 0; i < n && text[i] >= '0' && text[i] <= '9' && pid < 100000000; i++)
		pid = pid * 10 + (text[i] - '0');
	return pid;
}

int
lock_take(const char *path, struct zr_err *e)
{
	char name[4096], text[32];
	int fd, len;

	len = snprintf(name, sizeof(name), "%s.lock", path);
	if (len < 0 || (size_t)len >= sizeof(name))
		return zr_fail(e, ZR_DB, "the path of the database is too long");
	fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return zr_fail(e, ZR_DB,
		    "cannot create %s (%s): its folder must exist and be writable", name,
		    strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			zr_fail(e, ZR_DB,
			    "the database %s is in use by another zonerelayd, process %ld: "
			    "stop that one, or give this one a database of its own",
			    path, holder(fd));
		else
			zr_fail(e, ZR_DB, "cannot lock %s (%s): it must be on a local file system",
			    name, strerror(errno));
		close(fd);
		return -1;
	}
	len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	/* Only for the text above: not worth failing for. */
	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)len, 0) < 0)
		errno = 0;
	return fd;
}
