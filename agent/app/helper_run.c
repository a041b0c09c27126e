/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The process that runs commands: its loop.  It has one thread, and no secret is ever in its
 * memory: it opens no file of one, and those in the configuration itself are wiped as they are
 * read.
 */
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/helper_p.h"
#include "app/spawn.h"
#include "base/mem.h"

struct child {
	struct child *next;
	uint64_t id;
	struct spawn *spawn;
	bool signalled; /* told to end: then all of its group */
};

struct runner {
	struct event_base *base;
	struct event *asked, *chld;
	int fd;
	const char *path; /* of the configuration */
	struct helper_table *table;
	struct child *children;
};

static void
tell(struct runner *r, const struct helper_tell *t)
{
	ssize_t n;

	do /* the daemon reads all the time: this waits for no long */
		n = send(r->fd, t, sizeof(*t), MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
}

/* ---- children ---- */

static void
run(struct runner *r, const struct helper_ask *q)
{
	struct helper_tell t = {.id = q->id, .news = HELPER_FAILED};
	char **argv = NULL, **env = NULL;
	struct child *c = zr_xcalloc(1, sizeof(*c));
	struct zr_err e;

	if (helper_table_command(r->table, q, &argv, &env, &e) != 0 ||
	    spawn_start(&c->spawn, r->base, argv, env, &e) != 0) {
		snprintf(t.text, sizeof(t.text), "%s", e.text);
		free(c);
	} else {
		c->id = q->id;
		c->next = r->children;
		r->children = c;
		t.news = HELPER_STARTED;
		t.pid = spawn_pid(c->spawn);
	}
	hook_vector_free(argv);
	hook_vector_free(env);
	tell(r, &t);
}

static void
on_chld(evutil_socket_t sig, short what, void *arg)
{
	struct runner *r = arg;
	struct child *c, **p = &r->children;
	int status;

	(void)sig;
	(void)what;
	while ((c = *p) != NULL) {
		struct helper_tell t = {.id = c->id, .news = HELPER_ENDED};

		if (!spawn_ended(c->spawn, c->signalled, &status)) {
			p = &c->next;
			continue;
		}
		t.status = status;
		snprintf(t.text, sizeof(t.text), "%s", spawn_line(c->spawn));
		*p = c->next;
		spawn_free(c->spawn);
		free(c);
		tell(r, &t);
	}
}

static void
pass_signal(struct runner *r, uint64_t id, int sig)
{
	for (struct child *c = r->children; c != NULL; c = c->next) {
		if (c->id != id || (sig != SIGTERM && sig != SIGKILL))
			continue;
		c->signalled = true;
		spawn_signal(c->spawn, sig);
	}
}

/* ---- the configuration ---- */

static void
note_first(void *arg, bool error, const char *text)
{
	struct helper_tell *t = arg;

	if (error && t->text[0] == '\0')
		snprintf(t->text, sizeof(t->text), "%s", text);
}

static void
reload(struct runner *r)
{
	struct helper_tell t = {.news = HELPER_STALE};
	struct config_report report = {
	    .line = note_first, .arg = &t, .no_secrets = true, .no_lists = true};
	struct config *c = config_load(r->path, &report);

	if (c == NULL) {
		tell(r, &t);
		return;
	}
	helper_table_free(r->table);
	r->table = helper_table_new(c);
	config_free(c);
}

/* The daemon may have found faults in the configuration, and ended. */
static bool
begin(struct runner *r)
{
	struct helper_tell t = {.news = HELPER_READY};
	struct zr_err e;

	r->table = helper_table_new(NULL);
	if (helper_take(r->fd, r->table, &e) != 0) {
		t.news = HELPER_FAILED;
		snprintf(t.text, sizeof(t.text), "%s", e.text);
	}
	tell(r, &t);
	return t.news == HELPER_READY;
}

/* ---- orders ---- */

static void
on_asked(evutil_socket_t fd, short what, void *arg)
{
	struct runner *r = arg;
	struct helper_ask q;
	ssize_t n = recv(fd, &q, sizeof(q), MSG_DONTWAIT);

	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) { /* the daemon has ended, in whatever way */
		event_base_loopbreak(r->base);
		return;
	}
	if (n != (ssize_t)sizeof(q))
		return;
	if (q.what == HELPER_RUN)
		run(r, &q);
	else if (q.what == HELPER_SIGNAL)
		pass_signal(r, q.id, q.sig);
	else if (q.what == HELPER_RELOAD)
		reload(r);
}

static void
kill_all(struct runner *r)
{
	struct child *c;

	while ((c = r->children) != NULL) {
		r->children = c->next;
		spawn_signal(c->spawn, SIGKILL);
		spawn_free(c->spawn);
		free(c);
	}
}

int
helper_main(int fd, const char *path)
{
	struct runner r = {.fd = fd, .path = path};

	if (!begin(&r) || (r.base = event_base_new()) == NULL)
		return EXIT_FAILURE;
	r.asked = event_new(r.base, fd, EV_READ | EV_PERSIST, on_asked, &r);
	r.chld = evsignal_new(r.base, SIGCHLD, on_chld, &r);
	if (event_add(r.asked, NULL) == 0 && event_add(r.chld, NULL) == 0)
		event_base_dispatch(r.base);
	kill_all(&r);
	helper_table_free(r.table);
	event_free(r.asked);
	event_free(r.chld);
	event_base_free(r.base);
	return EXIT_SUCCESS;
}
