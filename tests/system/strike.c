/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loaded before the daemon (LD_PRELOAD) by strike.py: ends the process, or lets a call fail, at a
 * call that was chosen, and keeps what a power cut would take away.
 *
 *     ZR_STRIKE   file with a struct control, shared with the test
 *     ZR_UNDO     NAME: NAME.db and NAME.wal get what the database and its WAL had, before each
 *                 write, where the write went; they are emptied when the file is synced
 *     ZR_CLOCK    file with the nanoseconds by which all clocks are ahead; nobody sleeps longer
 *                 than 10 ms in a loop then, so that a jump is seen at once
 */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum class { DISK, NET, MEMORY, SQL, CLASSES };
enum action { NOTHING, KILL_BEFORE, KILL_AFTER, KILL_HALF, FAIL };
enum file { NEITHER, DATABASE, WAL };

#define SITES 16384
#define FRAMES 7

/* All of them 64 bits wide; strike.py has the same list. */
struct control {
	atomic_llong armed;   /* 1: acts; 2: notes where calls come from, too */
	atomic_llong action;  /* enum action */
	atomic_llong classes; /* a bit for each class that counts */
	atomic_llong left;    /* so many calls more, then it acts */
	atomic_llong site;    /* only calls from there count; 0: all */
	atomic_llong error;   /* errno, or the code of SQLite */
	atomic_llong times;   /* so often it fails */
	atomic_llong hits;    /* so often it has */
	atomic_llong calls[CLASSES];
	atomic_llong caller; /* of `site`, innermost: so that others are told apart quickly */
	char rest[4096 - 13 * 8];
	struct site {
		atomic_ullong hash;
		atomic_llong calls;
		int64_t class;
		char name[24];
		uint64_t caller;
		uint64_t pc[4]; /* in the program itself, innermost first */
	} site_of[SITES];
};

static struct control *control;
static atomic_llong *skew;
static int undo_fd[3] = {-1, -1, -1};
static __thread int inside __attribute__((tls_model("initial-exec")));

static struct {
	uintptr_t from, to, base;
} modules[64];
static unsigned module_count;

static int
note_module(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	(void)arg;
	for (int i = 0; i < info->dlpi_phnum && module_count < 64; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type != PT_LOAD || (p->p_flags & PF_X) == 0)
			continue;
		modules[module_count].base = info->dlpi_addr;
		modules[module_count].from = info->dlpi_addr + p->p_vaddr;
		modules[module_count].to = info->dlpi_addr + p->p_vaddr + p->p_memsz;
		module_count++;
	}
	return 0;
}

static void *
shared(const char *variable, size_t size)
{
	const char *path = getenv(variable);
	void *p = NULL;
	int fd;

	if (path == NULL || (fd = open(path, O_RDWR | O_CLOEXEC)) < 0)
		return NULL;
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return p == MAP_FAILED ? NULL : p;
}

static int
undo_file(const char *end)
{
	const char *start = getenv("ZR_UNDO");
	char name[600];

	snprintf(name, sizeof(name), "%s.%s", start != NULL ? start : "", end);
	return start == NULL ? -1 : open(name, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* A helper that the daemon forks is nobody's target. */
static void
forked(void)
{
	control = NULL;
}

/* Where it was when it crashed, on standard error. */
__attribute__((unused)) static void
tell(int number)
{
	void *pc[30];

	signal(number, SIG_DFL);
	backtrace_symbols_fd(pc, backtrace(pc, 30), STDERR_FILENO);
	raise(number);
}

__attribute__((constructor)) static void
begin(void)
{
	void *pc[FRAMES];

	inside = 1;
	backtrace(pc, FRAMES); /* it loads a library the first time */
	dl_iterate_phdr(note_module, NULL);
	undo_fd[DATABASE] = undo_file("db");
	undo_fd[WAL] = undo_file("wal");
	pthread_atfork(NULL, NULL, forked);
	skew = shared("ZR_CLOCK", 4096);
	control = shared("ZR_STRIKE", sizeof(struct control));
	inside = 0;
#ifndef ZR_NO_MEMORY
	signal(SIGSEGV, tell);
	signal(SIGBUS, tell);
#endif
}

/* Where the cage forbids kill(), a call that it answers with death (agent/cage/seccomp.c). */
static void
die(void)
{
	syscall(SYS_kill, getpid(), SIGKILL);
	for (;;)
		syscall(SYS_ptrace, 0, 0, 0, 0);
}

/* An address that is the same in every run; 0: nobody knows. */
static uint64_t
relative(uintptr_t at, unsigned *module)
{
	for (unsigned m = 0; m < module_count; m++) {
		*module = m;
		if (at >= modules[m].from && at < modules[m].to)
			return (at - modules[m].base) ^ ((uint64_t)m << 48);
	}
	return 0;
}

/* Where the call comes from: a number that is the same in every run. */
static uint64_t
whence(const char *name, uint64_t pcs[4])
{
	uint64_t h = 14695981039346656037u;
	void *pc[FRAMES + 3];
	int n = backtrace(pc, FRAMES + 3), own = 0;

	for (const char *c = name; *c != '\0'; c++)
		h = (h ^ (unsigned char)*c) * 1099511628211u;
	for (int i = 3; i < n; i++) {
		unsigned m;
		uint64_t at = relative((uintptr_t)pc[i], &m);

		h = (h ^ at) * 1099511628211u;
		if (at != 0 && m == 0 && own < 4)
			pcs[own++] = at;
	}
	return h >> 1 != 0 ? h >> 1 : 1;
}

static void
note_site(uint64_t h, enum class c, const char *name, uint64_t caller, const uint64_t pcs[4])
{
	for (unsigned i = 0; i < SITES; i++) {
		struct site *s = &control->site_of[(h + i) % SITES];
		unsigned long long none = 0;

		if (s->hash != h && !atomic_compare_exchange_strong(&s->hash, &none, h)) {
			if (none != h)
				continue;
		} else if (s->name[0] == '\0') {
			s->class = c;
			s->caller = caller;
			strncpy(s->name, name, sizeof(s->name) - 1);
			memcpy(s->pc, pcs, sizeof(s->pc));
		}
		s->calls++;
		return;
	}
}

/* What is to become of this call. */
static enum action
strike_at(enum class c, const char *name, void *from)
{
	uint64_t pcs[4] = {0}, h, caller;
	unsigned module;
	enum action todo = NOTHING;
	int saved = errno;

	if (control == NULL || control->armed == 0 || inside)
		return NOTHING;
	if ((control->classes & (1 << c)) == 0)
		return NOTHING;
	inside = 1;
	control->calls[c]++;
	if (control->armed >= 2 || control->site != 0) {
		caller = relative((uintptr_t)from, &module);
		if (control->armed < 2 && (uint64_t)control->caller != caller)
			goto out;
		h = whence(name, pcs);
		if (control->armed >= 2)
			note_site(h, c, name, caller, pcs);
		if (control->site != 0 && (uint64_t)control->site != h)
			goto out;
	}
	if (control->action == NOTHING || control->left-- > 0)
		goto out;
	todo = (enum action)control->action;
	if (todo == KILL_BEFORE)
		die();
	if (todo == FAIL) {
		if (control->hits++ >= control->times)
			todo = NOTHING;
		else
			saved = (int)control->error;
	}
out:
	inside = 0;
	errno = saved;
	return todo;
}

#define strike(c, name) strike_at(c, name, __builtin_return_address(0))

/* ---- power cuts ---- */

static unsigned char file_of[1024];
static pthread_mutex_t undo_lock = PTHREAD_MUTEX_INITIALIZER;

static void
opened(int fd, const char *path)
{
	size_t n = strlen(path);

	if (fd < 0 || fd >= (int)sizeof(file_of))
		return;
	file_of[fd] = n > 3 && strcmp(path + n - 3, ".db") == 0	      ? DATABASE
		      : n > 7 && strcmp(path + n - 7, ".db-wal") == 0 ? WAL
								      : NEITHER;
}

static enum file
kept(int fd)
{
	if (undo_fd[WAL] < 0 || inside || fd < 0 || fd >= (int)sizeof(file_of))
		return NEITHER;
	return (enum file)file_of[fd];
}

/* By sectors: offset, octets that follow, octets that were there. */
static void
keep(int fd, enum file f, off_t at, size_t n)
{
	static char buf[24 + (1 << 17)];
	int64_t head[3];
	off_t from = at & ~(off_t)511, to = (at + (off_t)n + 511) & ~(off_t)511;

	for (; from < to; from += head[1]) {
		ssize_t got;

		head[0] = from;
		head[1] = to - from < 1 << 17 ? to - from : 1 << 17;
		got = syscall(SYS_pread64, fd, buf + 24, (size_t)head[1], from);
		head[2] = got > 0 ? got : 0;
		memset(buf + 24 + head[2], 0, (size_t)(head[1] - head[2]));
		memcpy(buf, head, 24);
		syscall(SYS_write, undo_fd[f], buf, 24 + (size_t)head[1]);
	}
}

static ssize_t
put(int fd, const void *p, size_t n, off_t at, enum action a)
{
	enum file f = kept(fd);
	ssize_t rc;

	if (a == FAIL)
		return -1;
	if (a == KILL_HALF)
		n /= 2;
	if (f != NEITHER) {
		pthread_mutex_lock(&undo_lock);
		keep(fd, f, at, n);
	}
	rc = syscall(SYS_pwrite64, fd, p, n, at);
	if (f != NEITHER)
		pthread_mutex_unlock(&undo_lock);
	if (a != NOTHING)
		die();
	return rc;
}

static int
synced(int fd, int rc, enum action a)
{
	enum file f = kept(fd);

	/* What a process before this one has written is on the disk now, too. */
	if (rc == 0 && f != NEITHER)
		syscall(SYS_ftruncate, undo_fd[f], 0);
	if (a != NOTHING)
		die();
	return rc;
}

static int
do_sync(int fd, long call, enum action a)
{
	int rc;

	if (a == FAIL)
		return -1;
	pthread_mutex_lock(&undo_lock);
	rc = synced(fd, (int)syscall(call, fd), a);
	pthread_mutex_unlock(&undo_lock);
	return rc;
}

ssize_t
pwrite(int fd, const void *p, size_t n, off_t at)
{
	return put(fd, p, n, at, strike(DISK, "pwrite"));
}

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at) __attribute__((alias("pwrite")));

int
fsync(int fd)
{
	return do_sync(fd, SYS_fsync, strike(DISK, "fsync"));
}

int
fdatasync(int fd)
{
	return do_sync(fd, SYS_fdatasync, strike(DISK, "fdatasync"));
}

/* ---- the clocks ---- */

int
clock_gettime(clockid_t id, struct timespec *t)
{
	int rc = (int)syscall(SYS_clock_gettime, id, t);
	int64_t ns;

	if (rc == 0 && skew != NULL &&
	    (id == CLOCK_REALTIME || id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE ||
		id == CLOCK_BOOTTIME)) {
		ns = t->tv_nsec + *skew;
		t->tv_sec += ns / 1000000000;
		t->tv_nsec = ns % 1000000000;
	}
	return rc;
}

int
epoll_wait(int fd, struct epoll_event *events, int max, int timeout)
{
	static int (*real)(int, struct epoll_event *, int, int);

	if (strike(NET, "epoll_wait") == FAIL)
		return -1;
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "epoll_wait");
	if (skew != NULL && (timeout < 0 || timeout > 10))
		timeout = 10;
	return real(fd, events, max, timeout);
}

/* ---- all the others ---- */

#define WRAP_BY(type, name, how, args, call, bad)                                                  \
	type name args                                                                             \
	{                                                                                          \
		static type(*real) args;                                                           \
		enum action a = how;                                                               \
		type rc;                                                                           \
                                                                                                   \
		if (a == FAIL)                                                                     \
			return bad;                                                                \
		if (real == NULL)                                                                  \
			*(void **)&real = dlsym(RTLD_NEXT, #name);                                 \
		rc = real call;                                                                    \
		if (a != NOTHING)                                                                  \
			die();                                                                     \
		return rc;                                                                         \
	}
#define WRAP_AS(type, name, text, class, args, call, bad)                                          \
	WRAP_BY(type, name, strike(class, text), args, call, bad)
#define WRAP(type, name, class, args, call) WRAP_AS(type, name, #name, class, args, call, -1)

WRAP_AS(int, ftruncate64, "ftruncate", DISK, (int fd, off64_t n), (fd, n), -1)
WRAP(int, ftruncate, DISK, (int fd, off_t n), (fd, n))
WRAP_AS(
    ssize_t, pread64, "pread", DISK, (int fd, void *p, size_t n, off64_t at), (fd, p, n, at), -1)
WRAP(ssize_t, pread, DISK, (int fd, void *p, size_t n, off_t at), (fd, p, n, at))
WRAP(int, unlink, DISK, (const char *path), (path))
WRAP(int, stat, DISK, (const char *path, struct stat *st), (path, st))
WRAP_AS(int, stat64, "stat", DISK, (const char *path, struct stat64 *st), (path, st), -1)
WRAP(int, lstat, DISK, (const char *path, struct stat *st), (path, st))
WRAP_AS(int, lstat64, "lstat", DISK, (const char *path, struct stat64 *st), (path, st), -1)
WRAP(int, fstat, DISK, (int fd, struct stat *st), (fd, st))
WRAP_AS(int, fstat64, "fstat", DISK, (int fd, struct stat64 *st), (fd, st), -1)
WRAP(int, access, DISK, (const char *path, int mode), (path, mode))
WRAP(int, flock, DISK, (int fd, int how), (fd, how))
WRAP(int, fchmod, DISK, (int fd, mode_t mode), (fd, mode))
WRAP(int, chmod, DISK, (const char *path, mode_t mode), (path, mode))
WRAP_AS(FILE *, fopen, "fopen", DISK, (const char *path, const char *how), (path, how), NULL)
FILE *fopen64(const char *path, const char *how) __attribute__((alias("fopen")));
WRAP_AS(char *, realpath, "realpath", DISK, (const char *path, char *out), (path, out), NULL)
WRAP_AS(void *, mmap64, "mmap", DISK, (void *p, size_t n, int prot, int how, int fd, off64_t at),
    (p, n, prot, how, fd, at), MAP_FAILED)

int
open(const char *path, int how, ...)
{
	enum action a = strike(DISK, "open");
	va_list ap;
	int fd;

	va_start(ap, how);
	fd = a == FAIL ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, how, va_arg(ap, int));
	va_end(ap);
	if (a == KILL_AFTER || a == KILL_HALF)
		die();
	opened(fd, path);
	return fd;
}

int open64(const char *path, int how, ...) __attribute__((alias("open")));

int
fcntl64(int fd, int what, ...)
{
	enum action a;
	va_list ap;
	void *arg;
	int rc;

	va_start(ap, what);
	arg = va_arg(ap, void *);
	va_end(ap);
	/* To give a lock back does not fail. */
	a = what == F_SETLK && ((struct flock *)arg)->l_type == F_UNLCK ? NOTHING
									: strike(DISK, "fcntl");
	rc = a == FAIL ? -1 : (int)syscall(SYS_fcntl, fd, what, arg);
	if (a == KILL_AFTER || a == KILL_HALF)
		die();
	return rc;
}

/* The loop's own pipes and counters do not fail. */
static bool
can_fail(int fd)
{
	struct stat st;

	return syscall(SYS_fstat, fd, &st) == 0 && (S_ISSOCK(st.st_mode) || S_ISREG(st.st_mode));
}

#define strike_fd(text) (can_fail(fd) ? strike(NET, text) : NOTHING)
#define WRAP_FD(name, args, call) WRAP_BY(ssize_t, name, strike_fd(#name), args, call, -1)

WRAP_FD(read, (int fd, void *p, size_t n), (fd, p, n))
WRAP_FD(write, (int fd, const void *p, size_t n), (fd, p, n))
WRAP(ssize_t, readv, NET, (int fd, const struct iovec *v, int n), (fd, v, n))
WRAP(ssize_t, writev, NET, (int fd, const struct iovec *v, int n), (fd, v, n))
WRAP(ssize_t, send, NET, (int fd, const void *p, size_t n, int f), (fd, p, n, f))
WRAP(ssize_t, sendto, NET,
    (int fd, const void *p, size_t n, int f, const struct sockaddr *to, socklen_t len),
    (fd, p, n, f, to, len))
WRAP(ssize_t, sendmsg, NET, (int fd, const struct msghdr *m, int f), (fd, m, f))
WRAP(int, sendmmsg, NET, (int fd, struct mmsghdr *m, unsigned n, int f), (fd, m, n, f))
WRAP(ssize_t, recv, NET, (int fd, void *p, size_t n, int f), (fd, p, n, f))
WRAP(ssize_t, recvfrom, NET,
    (int fd, void *p, size_t n, int f, struct sockaddr *from, socklen_t *len),
    (fd, p, n, f, from, len))
WRAP(ssize_t, recvmsg, NET, (int fd, struct msghdr *m, int f), (fd, m, f))
WRAP(int, recvmmsg, NET, (int fd, struct mmsghdr *m, unsigned n, int f, struct timespec *t),
    (fd, m, n, f, t))
WRAP(int, socket, NET, (int family, int kind, int protocol), (family, kind, protocol))
WRAP(int, bind, NET, (int fd, const struct sockaddr *a_, socklen_t n), (fd, a_, n))
WRAP(int, listen, NET, (int fd, int n), (fd, n))
WRAP(int, connect, NET, (int fd, const struct sockaddr *to, socklen_t n), (fd, to, n))
WRAP(int, accept4, NET, (int fd, struct sockaddr *from, socklen_t *n, int f), (fd, from, n, f))
WRAP(int, shutdown, NET, (int fd, int how), (fd, how))
WRAP(int, setsockopt, NET, (int fd, int level, int what, const void *p, socklen_t n),
    (fd, level, what, p, n))
WRAP(int, getsockopt, NET, (int fd, int level, int what, void *p, socklen_t *n),
    (fd, level, what, p, n))
WRAP(int, getsockname, NET, (int fd, struct sockaddr *to, socklen_t *n), (fd, to, n))
WRAP(int, epoll_create1, NET, (int f), (f))
WRAP(int, epoll_ctl, NET, (int fd, int what, int of, struct epoll_event *e), (fd, what, of, e))
WRAP(int, eventfd, NET, (unsigned n, int f), (n, f))
WRAP(int, eventfd_read, NET, (int fd, eventfd_t *n), (fd, n))
WRAP(int, eventfd_write, NET, (int fd, eventfd_t n), (fd, n))
WRAP(int, pipe2, NET, (int fd[2], int f), (fd, f))
WRAP(ssize_t, getrandom, NET, (void *p, size_t n, unsigned f), (p, n, f))

int
pthread_create(pthread_t *t, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
	static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

	if (strike(NET, "pthread_create") == FAIL)
		return EAGAIN;
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
	return real(t, attr, run, arg);
}

/* ---- memory ---- */

#ifndef ZR_NO_MEMORY /* sanitizers have their own */

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);

void *
malloc(size_t n)
{
	return strike(MEMORY, "malloc") == FAIL ? NULL : __libc_malloc(n);
}

void *
calloc(size_t n, size_t size)
{
	return strike(MEMORY, "calloc") == FAIL ? NULL : __libc_calloc(n, size);
}

void *
realloc(void *p, size_t n)
{
	return strike(MEMORY, "realloc") == FAIL ? NULL : __libc_realloc(p, n);
}

#endif

/* ---- SQLite: the call is not made ---- */

#define WRAP_SQL(name, args, call)                                                                 \
	WRAP_AS(int, sqlite3_##name, #name, SQL, args, call, (int)control->error)

typedef void *sql;
WRAP_SQL(open_v2, (const char *path, sql *db, int f, const char *vfs), (path, db, f, vfs))
WRAP_SQL(prepare_v2, (sql db, const char *text, int n, sql *out, const char **end),
    (db, text, n, out, end))
WRAP_SQL(prepare_v3, (sql db, const char *text, int n, unsigned f, sql *out, const char **end),
    (db, text, n, f, out, end))

/* sqlite3_exec() steps by itself, and returns what finalize says: a step in it that was not made
 * would pass for one that was. */
static _Thread_local unsigned executing; /* how deep: to read a schema it calls itself */

WRAP_BY(int, sqlite3_step, executing > 0 ? NOTHING : strike(SQL, "step"), (sql s), (s),
    (int)control->error)

int
sqlite3_exec(sql db, const char *text, sql fn, void *arg, char **error)
{
	static int (*real)(sql, const char *, sql, void *, char **);
	enum action a = strike(SQL, "exec");
	int rc;

	if (a == FAIL)
		return (int)control->error;
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "sqlite3_exec");
	executing++;
	rc = real(db, text, fn, arg, error);
	executing--;
	if (a != NOTHING)
		die();
	return rc;
}

WRAP_SQL(bind_int64, (sql s, int i, int64_t v), (s, i, v))
WRAP_SQL(bind_blob64, (sql s, int i, const void *p, uint64_t n, sql f), (s, i, p, n, f))
WRAP_SQL(bind_text, (sql s, int i, const char *p, int n, sql f), (s, i, p, n, f))
WRAP_SQL(wal_checkpoint_v2, (sql db, const char *name, int how, int *log, int *done),
    (db, name, how, log, done))
