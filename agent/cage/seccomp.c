/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The system calls of the daemon.  Everything else fails with EPERM, and the kernel notes it in its
 * own log; calls that only an intruder would make end the process.  A library or a change that
 * needs a further call: add it to `calls`.
 */
#include <errno.h>
#include <string.h>

#include "cage/cage_p.h"

#ifdef HAVE_SECCOMP

#include <linux/netlink.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *const calls[] = {
    /* files */
    "access", "chmod", "close", "close_range", "dup", "dup2", "dup3", "faccessat", "faccessat2",
    "fadvise64", "fallocate", "fchmod", "fchmodat", "fchown", "fchown32", "fcntl", "fcntl64",
    "fdatasync", "flock", "fstat", "fstat64", "fstatat64", "fstatfs", "fstatfs64", "fsync",
    "ftruncate", "ftruncate64", "getcwd", "getdents64", "_llseek", "lseek", "lstat", "lstat64",
    "newfstatat", "open", "openat", "pipe2", "pread64", "preadv", "pwrite64", "pwritev", "read",
    "readlink", "readlinkat", "readv", "rename", "renameat", "renameat2", "stat", "stat64",
    "statfs", "statfs64", "statx", "sync_file_range", "truncate", "unlink", "unlinkat", "write",
    "writev",
    /* memory */
    "brk", "madvise", "mremap", "msync", "munmap",
    /* network; socket() below */
    "accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt", "listen",
    "recv", "recvfrom", "recvmmsg", "recvmsg", "send", "sendmmsg", "sendmsg", "sendto",
    "setsockopt", "shutdown", "sendfile", "sendfile64", "splice",
    /* waiting */
    "clock_nanosleep", "clock_nanosleep_time64", "epoll_create1", "epoll_ctl", "epoll_pwait",
    "epoll_pwait2", "epoll_wait", "eventfd2", "futex", "futex_time64", "futex_waitv", "nanosleep",
    "poll", "ppoll", "ppoll_time64", "pselect6", "pselect6_time64", "restart_syscall", "select",
    "timerfd_create", "timerfd_gettime", "timerfd_settime", "wait4", "waitid",
    /* threads, signals, the end */
    "exit", "exit_group", "get_robust_list", "getpid", "gettid", "membarrier", "rseq",
    "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait",
    "sched_getaffinity", "sched_yield", "set_robust_list", "set_tid_address", "sigaltstack",
    /* facts */
    "capget", "clock_getres", "clock_gettime", "clock_gettime64", "getegid", "geteuid", "getgid",
    "getppid", "getrandom", "getresgid", "getresuid", "getrlimit", "getrusage", "gettimeofday",
    "getuid", "sysinfo", "time", "times", "ugetrlimit", "uname"};

static const char *const deadly[] = {
    /* programs */
    "execve", "execveat", "fork", "vfork", "memfd_create",
    /* other processes */
    "kcmp", "pidfd_getfd", "process_madvise", "process_vm_readv", "process_vm_writev", "ptrace",
    /* other users, wider rights */
    "capset", "chroot", "keyctl", "add_key", "request_key", "personality", "setfsgid", "setfsuid",
    "setgid", "setgroups", "setregid", "setresgid", "setresuid", "setreuid", "setuid",
    /* the file system as a whole */
    "fsconfig", "fsmount", "fsopen", "mount", "mount_setattr", "move_mount", "open_by_handle_at",
    "open_tree", "pivot_root", "setns", "swapoff", "swapon", "umount", "umount2", "unshare",
    /* the kernel */
    "acct", "bpf", "delete_module", "finit_module", "init_module", "io_uring_enter",
    "io_uring_register", "io_uring_setup", "ioperm", "iopl", "kexec_file_load", "kexec_load",
    "modify_ldt", "perf_event_open", "quotactl", "reboot", "syslog", "userfaultfd"};

static int
add_names(scmp_filter_ctx f, uint32_t action, const char *const *names, size_t n)
{
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		int nr = seccomp_syscall_resolve_name(names[i]);

		/* An older library does not know every name; no architecture has all of them. */
		if (nr != __NR_SCMP_ERROR)
			rc = seccomp_rule_add(f, action, nr, 0);
	}
	return rc;
}

#define ALLOW(call, n, ...) seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(call), n, __VA_ARGS__)

static int
add_sockets(scmp_filter_ctx f)
{
	static const int families[] = {AF_UNIX, AF_INET, AF_INET6};
	int rc = 0;

	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]) && rc == 0; i++)
		rc = ALLOW(socket, 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i]));
	if (rc == 0) /* the C library asks which addresses the machine has */
		rc = ALLOW(socket, 2, SCMP_A0(SCMP_CMP_EQ, AF_NETLINK),
		    SCMP_A2(SCMP_CMP_EQ, NETLINK_ROUTE));
	return rc;
}

static int
add_ioctls(scmp_filter_ctx f)
{
	static const unsigned long requests[] = {FIONREAD, FIONBIO, TCGETS, TIOCOUTQ, TIOCGWINSZ};
	int rc = 0;

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]) && rc == 0; i++)
		rc = ALLOW(ioctl, 1, SCMP_A1(SCMP_CMP_EQ, requests[i]));
	return rc;
}

/*
 * Memory that holds code was mapped long ago.  A thread is made by clone(): its arguments can be
 * looked at, those of clone3() cannot, and the C library falls back when that is not there.
 */
static int
add_careful(scmp_filter_ctx f)
{
	const scmp_datum_t code = PROT_EXEC, thread = CLONE_THREAD;
	int rc = ALLOW(mmap, 1, SCMP_A2(SCMP_CMP_MASKED_EQ, code, 0));

	if (rc == 0)
		rc = ALLOW(mprotect, 1, SCMP_A2(SCMP_CMP_MASKED_EQ, code, 0));
#ifdef __s390__
	if (rc == 0)
		rc = ALLOW(clone, 1, SCMP_A1(SCMP_CMP_MASKED_EQ, thread, thread));
#else
	if (rc == 0)
		rc = ALLOW(clone, 1, SCMP_A0(SCMP_CMP_MASKED_EQ, thread, thread));
#endif
	if (rc == 0)
		rc = seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	if (rc == 0)
		rc = ALLOW(tgkill, 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
	if (rc == 0)
		rc = ALLOW(prctl, 1, SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
	if (rc == 0) /* asking for a limit, not setting it */
		rc = ALLOW(prlimit64, 1, SCMP_A2(SCMP_CMP_EQ, 0));
	return rc;
}

int
seccomp_enter(struct zr_err *e)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int rc;

	if (f == NULL)
		return zr_fail(e, ZR_IO, "seccomp: %s", strerror(ENOMEM));
	/* Every thread; kept in the kernel's log; a tree, as the list is long. */
	rc = seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1);
	(void)seccomp_attr_set(f, SCMP_FLTATR_CTL_LOG, 1);
	(void)seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (rc == 0)
		rc = add_names(f, SCMP_ACT_ALLOW, calls, sizeof(calls) / sizeof(calls[0]));
	if (rc == 0)
		rc =
		    add_names(f, SCMP_ACT_KILL_PROCESS, deadly, sizeof(deadly) / sizeof(deadly[0]));
	if (rc == 0)
		rc = add_sockets(f);
	if (rc == 0)
		rc = add_ioctls(f);
	if (rc == 0)
		rc = add_careful(f);
	if (rc == 0)
		rc = seccomp_load(f);
	seccomp_release(f);
	return rc == 0 ? 0 : zr_fail(e, ZR_IO, "seccomp: %s", strerror(-rc));
}

#else

int
seccomp_enter(struct zr_err *e)
{
	return zr_fail(e, ZR_IO, "seccomp: not in this build");
}

#endif
