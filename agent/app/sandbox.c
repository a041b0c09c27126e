/* SPDX-License-Identifier: BSD-2-Clause */
#include "app/sandbox.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "cage/cage.h"
#include "cage/priv.h"

#define LOW_PORTS 1024

/* Of the process, as these rights are. */
static bool became; /* another user than the one that started it */
static bool caged;  /* of files, only what is named */

/* ---- paths ---- */

struct paths {
	struct cage_path *v;
	size_t n, room;
};

static void
add(struct paths *p, const char *path, enum cage_access access)
{
	if (p->n == p->room) {
		p->room = p->room * 2 + 32;
		p->v = zr_xrealloc(p->v, p->room * sizeof(*p->v));
	}
	p->v[p->n++] = (struct cage_path){zr_xstrdup(path), access};
}

static void
clear(struct paths *p)
{
	for (size_t i = 0; i < p->n; i++)
		free((char *)(uintptr_t)p->v[i].path);
	free(p->v);
}

static void
folder_of(const char *path, char out[PATH_MAX])
{
	char copy[PATH_MAX];

	snprintf(copy, sizeof(copy), "%s", path);
	snprintf(out, PATH_MAX, "%s", dirname(copy));
}

static void
add_folder(struct paths *p, const char *path, enum cage_access access)
{
	char folder[PATH_MAX];

	folder_of(path, folder);
	add(p, folder, access);
}

/* By its name and by where it really is: both may get a new file. */
static void
add_file(struct paths *p, const char *path)
{
	char *real = realpath(path, NULL);

	add_folder(p, path, CAGE_READ);
	if (real != NULL)
		add_folder(p, real, CAGE_READ);
	free(real);
}

/* What libraries read, at one time or another. */
static void
add_system(struct paths *p)
{
	static const char *const files[] = {"/etc/gai.conf", "/etc/host.conf", "/etc/hosts",
	    "/etc/localtime", "/etc/nsswitch.conf", "/etc/pki", "/etc/resolv.conf", "/etc/ssl",
	    "/etc/ca-certificates", "/proc/self", "/dev/random", "/dev/urandom", "/usr",
	    "/sys/devices/system/cpu"};
	static const char *const stores[] = {"SSL_CERT_FILE", "SSL_CERT_DIR", "OPENSSL_CONF"};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		add(p, files[i], CAGE_READ);
	for (size_t i = 0; i < sizeof(stores) / sizeof(stores[0]); i++)
		if (getenv(stores[i]) != NULL)
			add(p, getenv(stores[i]), CAGE_READ);
	add(p, "/dev/null", CAGE_DEVICE);
	/* It is replaced, not rewritten, when the network changes.  But root could read all. */
	if (geteuid() != 0)
		add_file(p, "/etc/resolv.conf");
}

/* ---- the beginning ---- */

/* Is it in a folder that this user can make files in? */
static int
check_folder(const char *path, const char *user, struct zr_err *e)
{
	char folder[PATH_MAX];

	folder_of(path, folder);
	if (access(folder, R_OK | W_OK | X_OK) == 0)
		return 0;
	if (errno == ENOENT)
		return zr_fail(e, ZR_CONF,
		    "%s: there is no such folder: mkdir -p %s && chown %s %s", path, folder, user,
		    folder);
	if (errno == EROFS) /* whoever owns it */
		return zr_fail(e, ZR_CONF, "%s: %s: make the file system of %s writable", path,
		    strerror(errno), folder);
	return zr_fail(e, ZR_CONF,
	    "%s: its folder, which should be its own, cannot be written (%s): chown %s %s", path,
	    strerror(errno), user, folder);
}

/* Is the file in this folder, or below it? */
static bool
is_below(const char *path, const char *folder)
{
	char *real = realpath(path, NULL);
	size_t len = strlen(folder);
	bool below = real != NULL && strncmp(real, folder, len) == 0 &&
		     (real[len] == '/' || strcmp(folder, "/") == 0);

	free(real);
	return below;
}

/*
 * The cage lets us write in the folder of the database.  Who takes over the daemon must not be able
 * to give it other commands for its next start, or keys.
 */
static void
check_apart(const struct config *c)
{
	char folder[PATH_MAX], *real;

	folder_of(c->server.database, folder);
	real = realpath(folder, NULL);
	for (const struct config_file *f = c->files; real != NULL && f != NULL; f = f->next)
		if (is_below(f->path, real)) {
			log_event(LOG_LVL_WARN, "config-can-be-rewritten", LS("file", f->path),
			    LS("reason", "zonerelayd may write in the folder of the database"),
			    LS("next", "keep the database in a folder of its own"));
			break;
		}
	free(real);
}

static int
check_files(const char *path, const char *user, struct zr_err *e)
{
	static const char *const ends[] = {"", "-wal", "-shm", ".lock"};
	char name[PATH_MAX];

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		snprintf(name, sizeof(name), "%s%s", path, ends[i]);
		if (access(name, R_OK | W_OK) != 0 && errno == EACCES)
			return zr_fail(
			    e, ZR_CONF, "%s cannot be written: chown %s %s*", name, user, path);
	}
	return 0;
}

/* Read before, as who started us: what would a reload do? */
static void
check_readable(const struct config *c, const struct priv_user *u)
{
	for (const struct config_file *f = c->files; f != NULL; f = f->next)
		if (access(f->path, R_OK) != 0)
			log_event(LOG_LVL_WARN, "reload-would-fail", LS("file", f->path),
			    LS("user", u->name), LS("reason", strerror(errno)),
			    LS("next", "chgrp it, and its folder, to the group of that user, and "
				       "chmod g+r"));
}

static int
become(const char *user, struct priv_user *u, struct zr_err *e)
{
	if (priv_find(u, user, e) != 0)
		return zr_fail_in(e, "server.user");
	return priv_become(u, e);
}

static int
hide(bool core_dumps, struct zr_err *e)
{
	return priv_memory(!core_dumps && cage_unfit() == NULL, e);
}

int
sandbox_follow(const char *user, bool core_dumps, struct zr_err *e)
{
	struct priv_user u;

	if (geteuid() == 0 && user[0] != '\0' && become(user, &u, e) != 0)
		return -1;
	return hide(core_dumps, e);
}

static int
choose_user(const struct config *c, char *who, size_t size, struct zr_err *e)
{
	const struct config_server *s = &c->server;
	struct priv_user u;

	if (geteuid() != 0) {
		snprintf(who, size, "%u:%u", (unsigned)geteuid(), (unsigned)getegid());
	} else if (s->user == NULL) {
		log_event(LOG_LVL_WARN, "runs-as-root",
		    LS("next", "name a user that it is to become: server: user: zonerelay"));
	} else {
		if (become(s->user, &u, e) != 0)
			return -1;
		became = true;
		snprintf(who, size, "%s:%s", u.name, u.group);
		log_event(LOG_LVL_INFO, "user", LS("name", u.name), LS("group", u.group),
		    LU("groups", u.group_count));
		check_readable(c, &u);
	}
	return 0;
}

int
sandbox_begin(const struct config *c, struct zr_err *e)
{
	const struct config_server *s = &c->server;
	char who[2 * PRIV_NAME_MAX + 2] = "root";

	if (choose_user(c, who, sizeof(who), e) != 0 || hide(s->core_dumps, e) != 0)
		return -1;
	if (check_folder(s->database, who, e) != 0 || check_files(s->database, who, e) != 0)
		return -1;
	if (check_folder(s->control, who, e) != 0)
		return -1;
	check_apart(c);
	return 0;
}

/* ---- the cage ---- */

static void
enter(const struct config *c)
{
	struct paths p = {0};
	struct cage_outcome o;

	add_system(&p);
	add_folder(&p, c->server.database, CAGE_WRITE);
	add_folder(&p, c->server.control, CAGE_REMOVE);
	for (const struct config_file *f = c->files; f != NULL; f = f->next)
		add_file(&p, f->path);
	cage_enter(p.v, p.n, &o);
	clear(&p);
	caged = o.landlock > 0;
	if (caged && o.seccomp)
		log_event(
		    LOG_LVL_INFO, "confined", LI("landlock", o.landlock), LB("seccomp", true));
	else
		log_event(LOG_LVL_WARN, "partly-confined", LI("landlock", o.landlock),
		    LB("seccomp", o.seccomp), LS("reason", o.why));
}

int
sandbox_close(const struct config *c, struct zr_err *e)
{
	const char *unfit = cage_unfit();

	/* A capability that a service manager gave is for reloads, too. */
	if (priv_shed(became, false, e) != 0)
		return -1;
	if (!c->server.confine)
		log_event(LOG_LVL_WARN, "not-confined", LS("reason", "server: confine: no"));
	else if (unfit != NULL)
		log_event(LOG_LVL_WARN, "not-confined", LS("reason", unfit));
	else
		enter(c);
	return 0;
}

const char *
sandbox_file_advice(void)
{
	return caged ? "; a file in a folder that the configuration did not name when zonerelayd "
		       "was started is read after a restart"
		     : "";
}

const char *
sandbox_port_advice(unsigned port)
{
	return port < LOW_PORTS && !priv_may_bind()
		   ? "; a port below 1024 needs root or CAP_NET_BIND_SERVICE; started as root, it "
		     "is opened at the start only: restart zonerelayd"
		   : "";
}
