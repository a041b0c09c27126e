/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Landlock (Linux 5.13 and later).  The C library has no functions for it, and the headers of a
 * build machine are often older than the kernel it runs on: the numbers of the interface, which do
 * not change, stand here.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cage/cage_p.h"

/* The same on every architecture but alpha. */
#ifdef SYS_landlock_create_ruleset
#define CREATE_RULESET SYS_landlock_create_ruleset
#define ADD_RULE SYS_landlock_add_rule
#define RESTRICT_SELF SYS_landlock_restrict_self
#else
#define CREATE_RULESET 444
#define ADD_RULE 445
#define RESTRICT_SELF 446
#endif
#define ASK_VERSION 1U
#define PATH_BENEATH 1

#define FS(bit) (UINT64_C(1) << (bit))
#define FS_WRITE_FILE FS(1)
#define FS_READ_FILE FS(2)
#define FS_READ_DIR FS(3)
#define FS_REMOVE_FILE FS(5)
#define FS_MAKE_REG FS(8)
#define FS_TRUNCATE FS(14)
/* Rights that a rule for one file may have. */
#define FS_OF_FILE (FS(0) | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS(15))
#define SCOPE_ABSTRACT_SOCKET FS(0)
#define SCOPE_SIGNAL FS(1)

struct ruleset {
	uint64_t fs, net, scope;
};

struct rule {
	uint64_t allowed;
	int32_t parent;
} __attribute__((packed));

/* What each version can forbid: all of it is, but for the network, whose addresses change with a
 * reload. */
static uint64_t
handled_by(int version)
{
	unsigned bits = version >= 5 ? 16 : version >= 3 ? 15 : version >= 2 ? 14 : 13;

	return FS(bits) - 1;
}

static const uint64_t allowed[] = {
    [CAGE_READ] = FS_READ_FILE | FS_READ_DIR,
    [CAGE_WRITE] =
	FS_READ_FILE | FS_READ_DIR | FS_WRITE_FILE | FS_MAKE_REG | FS_REMOVE_FILE | FS_TRUNCATE,
    [CAGE_REMOVE] = FS_READ_DIR | FS_REMOVE_FILE,
    [CAGE_DEVICE] = FS_READ_FILE | FS_WRITE_FILE,
};

static int
add_rule(int set, const struct cage_path *p, uint64_t handled, struct zr_err *e)
{
	struct rule r = {.allowed = allowed[p->access] & handled};
	struct stat st;
	int rc;

	r.parent = open(p->path, O_PATH | O_CLOEXEC);
	if (r.parent < 0)
		return 0;
	if (fstat(r.parent, &st) == 0 && !S_ISDIR(st.st_mode))
		r.allowed &= FS_OF_FILE;
	rc = r.allowed == 0 ? 0 : (int)syscall(ADD_RULE, set, PATH_BENEATH, &r, 0U);
	if (rc != 0)
		zr_fail(e, ZR_IO, "landlock: a rule for %s: %s", p->path, strerror(errno));
	close(r.parent);
	return rc;
}

int
landlock_enter(const struct cage_path *v, size_t n, struct zr_err *e)
{
	int version = (int)syscall(CREATE_RULESET, NULL, (size_t)0, ASK_VERSION), set, rc = 0;
	struct ruleset rs = {0};
	size_t size = sizeof(rs.fs);

	if (version < 1) {
		zr_fail(e, ZR_IO, "landlock: %s", strerror(errno));
		return 0;
	}
	rs.fs = handled_by(version);
	if (version >= 6) {
		rs.scope = SCOPE_ABSTRACT_SOCKET | SCOPE_SIGNAL;
		size = sizeof(rs);
	}
	set = (int)syscall(CREATE_RULESET, &rs, size, 0U);
	if (set < 0) {
		zr_fail(e, ZR_IO, "landlock: %s", strerror(errno));
		return 0;
	}
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = add_rule(set, &v[i], rs.fs, e);
	if (rc == 0 && syscall(RESTRICT_SELF, set, 0U) != 0)
		rc = zr_fail(e, ZR_IO, "landlock: %s", strerror(errno));
	close(set);
	return rc == 0 ? version : 0;
}
