/* SPDX-License-Identifier: BSD-2-Clause */
#include "cage/priv.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/parse.h"

#define ID_MAX 0x7fffffff
#define BIT(cap) (UINT64_C(1) << (cap))

/* ---- users ---- */

static bool
number(const char *text, id_t *out)
{
	uint64_t v;

	if (!parse_u64(text, &v) || v > ID_MAX)
		return false;
	*out = (id_t)v;
	return true;
}

static int
find_group(struct priv_user *u, const char *text, struct zr_err *e)
{
	const struct group *g = getgrnam(text);
	id_t id;

	if (g != NULL)
		id = g->gr_gid;
	else if (!number(text, &id))
		return zr_fail(e, ZR_CONF, "there is no group %s on this machine", text);
	u->gid = (gid_t)id;
	snprintf(u->group, sizeof(u->group), "%s", text);
	return 0;
}

static int
find_groups(struct priv_user *u, bool known, struct zr_err *e)
{
	int n = PRIV_GROUPS_MAX;

	if (!known) { /* a number only: nothing is known of its groups */
		u->groups[0] = u->gid;
		u->group_count = 1;
		return 0;
	}
	if (getgrouplist(u->name, u->gid, u->groups, &n) < 0)
		return zr_fail(
		    e, ZR_CONF, "user %s is in more than %d groups", u->name, PRIV_GROUPS_MAX);
	u->group_count = (size_t)n;
	return 0;
}

int
priv_find(struct priv_user *u, const char *text, struct zr_err *e)
{
	char name[PRIV_NAME_MAX + 1];
	const char *colon = strchr(text, ':');
	const struct passwd *p;
	const struct group *g;
	bool known;
	id_t id;

	*u = (struct priv_user){.uid = 0};
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(text, ":"), text);
	p = getpwnam(name);
	if (p == NULL && number(name, &id))
		p = getpwuid((uid_t)id);
	else if (p == NULL)
		return zr_fail(e, ZR_CONF,
		    "there is no user %s on this machine: useradd --system %s would make it, or "
		    "another is to be named",
		    name, name);
	known = p != NULL;
	if (!known && colon == NULL)
		return zr_fail(e, ZR_CONF,
		    "the number %s is no user of this machine, so it needs a group: %s:GROUP", name,
		    name);
	u->uid = known ? p->pw_uid : (uid_t)id;
	u->gid = known ? p->pw_gid : 0;
	snprintf(u->name, sizeof(u->name), "%s", known ? p->pw_name : name);
	g = known && colon == NULL ? getgrgid(u->gid) : NULL;
	snprintf(u->group, sizeof(u->group), "%s", g != NULL ? g->gr_name : u->name);
	if (colon != NULL && find_group(u, colon + 1, e) != 0)
		return -1;
	if (u->uid == 0 || u->gid == 0)
		return zr_fail(e, ZR_CONF,
		    "%s is the superuser or its group: name a user without rights", text);
	return find_groups(u, known, e);
}

/* ---- capabilities ---- */

struct caps {
	uint64_t effective, permitted, inheritable;
};

static int
caps_get(struct caps *c)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2];

	if (syscall(SYS_capget, &h, d) != 0)
		return -1;
	c->effective = (uint64_t)d[1].effective << 32 | d[0].effective;
	c->permitted = (uint64_t)d[1].permitted << 32 | d[0].permitted;
	c->inheritable = (uint64_t)d[1].inheritable << 32 | d[0].inheritable;
	return 0;
}

static int
caps_set(uint64_t keep)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2] = {
	    {.effective = (uint32_t)keep, .permitted = (uint32_t)keep},
	    {.effective = (uint32_t)(keep >> 32), .permitted = (uint32_t)(keep >> 32)}};

	return (int)syscall(SYS_capset, &h, d);
}

bool
priv_may_bind(void)
{
	struct caps c;

	return caps_get(&c) == 0 && (c.effective & BIT(CAP_NET_BIND_SERVICE)) != 0;
}

/* What no program could have again; only who may do so does. */
static void
bound(uint64_t keep)
{
	struct caps c;

	if (caps_get(&c) != 0 || (c.effective & BIT(CAP_SETPCAP)) == 0)
		return;
	for (unsigned long cap = 0; cap < 64; cap++)
		if ((keep & BIT(cap)) == 0 && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
			(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
}

int
priv_shed(bool all, bool programs, struct zr_err *e)
{
	uint64_t keep = all ? 0 : BIT(CAP_NET_BIND_SERVICE);
	struct caps c;

	if (!programs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return zr_fail(e, ZR_IO, "no_new_privs cannot be set: %s", strerror(errno));
	if (geteuid() == 0)
		return 0; /* it would still own every file of the system */
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (!programs)
		bound(keep);
	if (caps_get(&c) != 0 || caps_set(c.permitted & keep) != 0 || caps_get(&c) != 0)
		return zr_fail(e, ZR_IO, "capabilities cannot be given up: %s", strerror(errno));
	if ((c.permitted & ~keep) != 0 || c.inheritable != 0)
		return zr_fail(e, ZR_INTERNAL, "capabilities are left that were given up");
	return 0;
}

/* ---- becoming ---- */

static int
check_gone(const struct priv_user *u, struct zr_err *e)
{
	uid_t r, eff, s;
	gid_t gr, geff, gs;

	if (getresuid(&r, &eff, &s) != 0 || getresgid(&gr, &geff, &gs) != 0 || r != u->uid ||
	    eff != u->uid || s != u->uid || gr != u->gid || geff != u->gid || gs != u->gid)
		return zr_fail(e, ZR_INTERNAL, "this is not wholly user %s", u->name);
	if (setresuid(0, 0, 0) == 0 || setuid(0) == 0 || setresgid(0, 0, 0) == 0)
		return zr_fail(e, ZR_INTERNAL, "user %s can become the superuser again", u->name);
	return 0;
}

int
priv_become(const struct priv_user *u, struct zr_err *e)
{
	/* For the listeners: their ports, and as much room as they want. */
	const uint64_t want = BIT(CAP_NET_BIND_SERVICE) | BIT(CAP_NET_ADMIN) | BIT(CAP_SETPCAP);
	struct caps c;

	if (caps_get(&c) != 0 || prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0)
		return zr_fail(e, ZR_IO, "capabilities: %s", strerror(errno));
	if (setgroups(u->group_count, u->groups) != 0 || setresgid(u->gid, u->gid, u->gid) != 0 ||
	    setresuid(u->uid, u->uid, u->uid) != 0)
		return zr_fail(
		    e, ZR_IO, "becoming user %s:%s: %s", u->name, u->group, strerror(errno));
	if (caps_set(c.permitted & want) != 0 || prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) != 0)
		return zr_fail(e, ZR_IO, "capabilities: %s", strerror(errno));
	return check_gone(u, e);
}

int
priv_memory(bool hidden, struct zr_err *e)
{
	const struct rlimit none = {0, 0};

	if (hidden) /* the second is enough, but this one is seen */
		(void)setrlimit(RLIMIT_CORE, &none);
	if (prctl(PR_SET_DUMPABLE, hidden ? 0 : 1, 0, 0, 0) != 0)
		return zr_fail(e, ZR_IO, "core dumps: %s", strerror(errno));
	return 0;
}
