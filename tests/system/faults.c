/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loaded before the daemon (LD_PRELOAD) by test_disk.py.  Files in the folder $ZR_FAULTS say what
 * is wrong with the world:
 *
 *     write   "ERRNO AFTER": changes to the database fail with this error, the first AFTER ones not
 *     clock   seconds by which the wall clock is off
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static atomic_long writes;

/* The number in a file of the folder, and a second one; false when there is none. */
static int
told(const char *what, long *a, long *b)
{
	static ssize_t (*real_read)(int, void *, size_t);
	const char *folder = getenv("ZR_FAULTS");
	char path[512], text[64];
	ssize_t n;
	int fd;

	if (real_read == NULL)
		*(void **)&real_read = dlsym(RTLD_NEXT, "read");
	if (folder == NULL)
		return 0;
	snprintf(path, sizeof(path), "%s/%s", folder, what);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = real_read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	*b = 0;
	return sscanf(text, "%ld %ld", a, b) >= 1;
}

static int
of_database(int fd)
{
	char link[64], path[512];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0)
		return 0;
	path[n] = '\0';
	return strstr(path, "zonerelay.db") != NULL && strstr(path, ".lock") == NULL;
}

/* Not 0: it fails, errno is set. */
static int
fails(int fd)
{
	long err, after;
	int saved = errno, bad = 0;

	if (!told("write", &err, &after))
		atomic_store(&writes, 0);
	else
		bad = of_database(fd) && atomic_fetch_add(&writes, 1) >= after;
	errno = bad ? (int)err : saved;
	return bad;
}

#define REAL(name) (*(void **)&real = dlsym(RTLD_NEXT, name))

ssize_t
pwrite(int fd, const void *p, size_t n, off_t at)
{
	static ssize_t (*real)(int, const void *, size_t, off_t);

	if (real == NULL)
		REAL("pwrite");
	return fails(fd) ? -1 : real(fd, p, n, at);
}

ssize_t
pwrite64(int fd, const void *p, size_t n, off64_t at)
{
	static ssize_t (*real)(int, const void *, size_t, off64_t);

	if (real == NULL)
		REAL("pwrite64");
	return fails(fd) ? -1 : real(fd, p, n, at);
}

int
ftruncate64(int fd, off64_t size)
{
	static int (*real)(int, off64_t);

	if (real == NULL)
		REAL("ftruncate64");
	return fails(fd) ? -1 : real(fd, size);
}

int
fsync(int fd)
{
	static int (*real)(int);

	if (real == NULL)
		REAL("fsync");
	return fails(fd) ? -1 : real(fd);
}

int
fdatasync(int fd)
{
	static int (*real)(int);

	if (real == NULL)
		REAL("fdatasync");
	return fails(fd) ? -1 : real(fd);
}

int
clock_gettime(clockid_t id, struct timespec *t)
{
	static int (*real)(clockid_t, struct timespec *);
	long seconds, none;
	int rc, saved = errno;

	if (real == NULL)
		REAL("clock_gettime");
	rc = real(id, t);
	if (rc == 0 && id == CLOCK_REALTIME && told("clock", &seconds, &none))
		t->tv_sec += seconds;
	errno = saved;
	return rc;
}
