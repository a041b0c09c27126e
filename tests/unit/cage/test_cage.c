/* SPDX-License-Identifier: BSD-2-Clause */
/* Enters the cage, and tries to get out. */
#include "cage/cage.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include <cmocka.h>

#include "tests/unit/cage/apart.h"

#define DONE 0	    /* as it should be */
#define WRONG 1	    /* it should have been otherwise */
#define NO_FILES 7  /* this kernel has no Landlock */
#define NO_FILTER 8 /* this kernel or build does not filter */

static char home[64], other[64]; /* folders: in the cage, and outside of it */

static const char *
in(const char *folder, const char *name)
{
	static char path[2][128];
	static unsigned turn;

	turn ^= 1;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", folder, name);
	return path[turn];
}

static struct cage_outcome
enter(void)
{
	const struct cage_path paths[] = {{home, CAGE_WRITE}, {"/usr", CAGE_READ},
	    {"/dev/null", CAGE_DEVICE}, {"/nonexistent/at/all", CAGE_READ}};
	struct cage_outcome o;

	/* As the daemon, which was there before, and needs it for both. */
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	cage_enter(paths, sizeof(paths) / sizeof(paths[0]), &o);
	return o;
}

/* ---- files ---- */

static int
fails_with(int rc, int err)
{
	return rc < 0 && errno == err ? DONE : WRONG;
}

static int
touch(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? -1 : 0;
}

static int
files(void *arg)
{
	int fd;

	(void)arg;
	if (enter().landlock == 0)
		return NO_FILES;
	/* Its own folder, as SQLite and the spill use it. */
	if (touch(in(home, "a")) != 0 || rename(in(home, "a"), in(home, "b")) != 0 ||
	    unlink(in(home, "b")) != 0)
		return WRONG;
	fd = open("/dev/null", O_RDWR);
	if (fd < 0 || write(fd, "x", 1) != 1)
		return WRONG;
	/* Read, not written. */
	fd = open("/usr", O_RDONLY | O_DIRECTORY);
	if (fd < 0 || touch("/usr/zr-cage-test") == 0)
		return WRONG;
	/* Neither read nor written, made, removed, or reached by a way round. */
	if (fails_with(open("/etc/passwd", O_RDONLY), EACCES) ||
	    fails_with(open(in(other, "there"), O_RDONLY), EACCES) ||
	    fails_with(touch(in(other, "new")), EACCES) ||
	    fails_with(unlink(in(other, "there")), EACCES) ||
	    fails_with(open(in(home, "../"), O_RDONLY | O_DIRECTORY), EACCES) ||
	    fails_with(open("/", O_RDONLY | O_DIRECTORY), EACCES))
		return WRONG;
	/* A link leads nowhere, whoever made it. */
	return fails_with(open(in(home, "link"), O_RDONLY), EACCES);
}

static void
file_system(void **state)
{
	int status = apart(files, NULL);

	(void)state;
	if (WIFEXITED(status) && WEXITSTATUS(status) == NO_FILES)
		skip();
	assert_int_equal(status, 0);
}

static int
signals(void *arg)
{
	struct cage_outcome o = enter();

	(void)arg;
	if (o.landlock < 6 && !o.seccomp)
		return NO_FILES;
	return fails_with(kill(getppid(), 0), EPERM);
}

static void
other_processes(void **state)
{
	int status = apart(signals, NULL);

	(void)state;
	if (WIFEXITED(status) && WEXITSTATUS(status) == NO_FILES)
		skip();
	assert_int_equal(status, 0);
}

/* ---- calls ---- */

static int
execs(void)
{
	char *const argv[] = {(char *)(uintptr_t) "/bin/true", NULL};

	return execve(argv[0], argv, argv + 1);
}

static int
traces(void)
{
	return (int)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static int
mounts(void)
{
	return (int)syscall(SYS_mount, "none", "/mnt", "tmpfs", 0UL, NULL);
}

static int
loads_bpf(void)
{
	return (int)syscall(SYS_bpf, 0, NULL, 0);
}

static int
asks_keys(void)
{
	return (int)syscall(SYS_keyctl, 0, 0, 0, 0, 0);
}

static int
becomes_root(void)
{
	return (int)syscall(SYS_setresuid, 0, 0, 0);
}

static int
leaves(void)
{
	return (int)syscall(SYS_unshare, 0);
}

static int
uses_ring(void)
{
	return (int)syscall(425, 1, NULL); /* io_uring_setup */
}

static int
peeks(void)
{
	return (int)syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0);
}

static int (*const deadly[])(void) = {
    execs, traces, mounts, loads_bpf, asks_keys, becomes_root, leaves, uses_ring, peeks};

static int
try_deadly(void *arg)
{
	if (!enter().seccomp)
		return NO_FILTER;
	deadly[*(size_t *)arg]();
	return WRONG;
}

static void
ends_at_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++) {
		int status = apart(try_deadly, &i);

		if (WIFEXITED(status) && WEXITSTATUS(status) == NO_FILTER)
			skip();
		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
			fail_msg("%zu: status %x", i, (unsigned)status);
	}
}

static int
try_refused(void *arg)
{
	const struct rlimit r = {1, 1};
	void *p;

	(void)arg;
	if (!enter().seccomp)
		return NO_FILTER;
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED || fails_with(mprotect(p, 4096, PROT_READ | PROT_EXEC), EPERM) ||
	    mmap(NULL, 4096, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
		return WRONG;
	if (fails_with(socket(AF_PACKET, SOCK_RAW, 0), EPERM) ||
	    fails_with(socket(38, SOCK_SEQPACKET, 0), EPERM) /* AF_ALG */ ||
	    fails_with(socket(AF_NETLINK, SOCK_RAW, 12), EPERM) /* NETLINK_NETFILTER */ ||
	    fails_with(setrlimit(RLIMIT_NOFILE, &r), EPERM) || fails_with(fork(), EPERM) ||
	    fails_with(kill(getpid(), 0), EPERM) ||
	    fails_with(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), EPERM) ||
	    fails_with(mkdir(in(home, "d"), 0700), EPERM) ||
	    fails_with(symlink("/etc/passwd", in(home, "s")), EPERM))
		return WRONG;
	/* And what it is for still works. */
	if (socket(AF_INET6, SOCK_DGRAM, 0) < 0 || socket(AF_UNIX, SOCK_STREAM, 0) < 0 ||
	    socket(AF_NETLINK, SOCK_RAW, 0) < 0 || touch(in(home, "c")) != 0)
		return WRONG;
	return DONE;
}

static void
fails(void **state)
{
	int status = apart(try_refused, NULL);

	(void)state;
	if (WIFEXITED(status) && WEXITSTATUS(status) == NO_FILTER)
		skip();
	assert_int_equal(status, 0);
}

/* ---- threads ---- */

static void *
in_thread(void *arg)
{
	*(int *)arg = fails_with(open(in(other, "there"), O_RDONLY), EACCES) ||
		      fails_with(socket(AF_PACKET, SOCK_RAW, 0), EPERM);
	return NULL;
}

static int
thread(void *arg)
{
	struct cage_outcome o = enter();
	int result = WRONG;
	pthread_t t;

	(void)arg;
	if (o.landlock == 0 || !o.seccomp)
		return NO_FILTER;
	if (pthread_create(&t, NULL, in_thread, &result) != 0)
		return WRONG;
	pthread_join(t, NULL);
	return result;
}

static void
threads_too(void **state)
{
	int status = apart(thread, NULL);

	(void)state;
	if (WIFEXITED(status) && WEXITSTATUS(status) == NO_FILTER)
		skip();
	assert_int_equal(status, 0);
}

static int
aborts(void *arg)
{
	(void)arg;
	if (!enter().seccomp)
		return NO_FILTER;
	abort();
}

/* A failed assertion must be told from an intruder. */
static void
abort_is_abort(void **state)
{
	int status = apart(aborts, NULL);

	(void)state;
	if (WIFEXITED(status) && WEXITSTATUS(status) == NO_FILTER)
		skip();
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

static int
set_up(void **state)
{
	(void)state;
	snprintf(home, sizeof(home), "/tmp/zr-cage-in.XXXXXX");
	snprintf(other, sizeof(other), "/tmp/zr-cage-out.XXXXXX");
	if (mkdtemp(home) == NULL || mkdtemp(other) == NULL || touch(in(other, "there")) != 0)
		return -1;
	return symlink(in(other, "there"), in(home, "link"));
}

static int
tear_down(void **state)
{
	(void)state;
	unlink(in(home, "link"));
	unlink(in(home, "c"));
	unlink(in(other, "there"));
	rmdir(home);
	rmdir(other);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(file_system),
	    cmocka_unit_test(other_processes),
	    cmocka_unit_test(ends_at_once),
	    cmocka_unit_test(fails),
	    cmocka_unit_test(threads_too),
	    cmocka_unit_test(abort_is_abort),
	};

	if (cage_unfit() != NULL) {
		printf("no cage to test: %s\n", cage_unfit());
		return 0;
	}
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
