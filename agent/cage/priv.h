/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Users, groups and capabilities of the process.  All of this is for the time before there are
 * threads: what it changes belongs to the calling thread or goes to all by way of the C library.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

#define PRIV_GROUPS_MAX 64
#define PRIV_NAME_MAX 63 /* octets of the name of a user or group */

struct priv_user {
	char name[PRIV_NAME_MAX + 1]; /* as it was found, or the number in digits */
	char group[PRIV_NAME_MAX + 1];
	uid_t uid;
	gid_t gid;
	gid_t groups[PRIV_GROUPS_MAX]; /* gid among them; those of the group database */
	size_t group_count;
};

/*
 * "user" or "user:group", by name or by number.  -1 when there is none, and when it is the
 * superuser, as nothing would be given up then.
 */
int priv_find(struct priv_user *u, const char *text, struct zr_err *e);
/*
 * The superuser becomes this one, for good: real, effective and saved numbers and all groups, and
 * that there is no way back is tried.  What is left until priv_shed(): CAP_NET_BIND_SERVICE, to
 * open ports below 1024, and CAP_SETPCAP, if there were such.
 */
int priv_become(const struct priv_user *u, struct zr_err *e);
/*
 * Gives up every capability but CAP_NET_BIND_SERVICE, and with `all` that too, also for programs
 * that might be started; no program started from now on can gain any (no_new_privs) unless
 * `programs`: that is for who starts them.  Of the superuser only no_new_privs is taken.
 */
int priv_shed(bool all, bool programs, struct zr_err *e);
/* Whether ports below 1024 can be opened. */
bool priv_may_bind(void);
/*
 * Hidden: no core dumps, and nobody of the same user may look into the memory.  Else both are
 * allowed again, also after priv_become(), which hides it.
 */
int priv_memory(bool hidden, struct zr_err *e);
