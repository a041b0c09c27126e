/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Private to agent/ctl: the server's parts.  ctl.c accepts, session.c is one connection,
 * reply.c the answer to one request, sockpath.c the socket in the file system.
 *
 * To keep callbacks from freeing what stands below them on the stack: a session is freed by its own
 * event callbacks, by accepting (which evicts) and by ctl_close() only.  Handlers and replies
 * never do; they wake the session and the loop does the rest.
 */
#pragma once

#include "ctl/ctl.h"
#include "ctl/request.h"

#include <event2/event.h>
#include <sys/types.h>

/* ---- sockpath.c ---- */

struct sockpath {
	char path[108];
	dev_t dev; /* of the socket we made: nobody else's is removed */
	ino_t ino;
};

/* A listening, non-blocking, close-on-exec socket, or -1. */
int sockpath_listen(struct sockpath *s, const char *path, struct zr_err *e);
void sockpath_remove(const struct sockpath *s);

/* ---- ctl.c ---- */

struct session;

struct ctl {
	struct event_base *base;
	const struct ctl_command *commands;
	size_t command_count;
	void *arg;
	unsigned clients_max;
	int64_t idle_us;
	struct sockpath where;
	int fd;
	struct event *accept;
	struct event *resume; /* timer: accept again after running out of descriptors */
	struct session *head; /* all sessions */
	unsigned count;
};

/* ---- session.c ---- */

struct session {
	struct session *next, **prev;
	struct ctl *ctl;
	int fd;
	struct event *readable, *writable, *idle;
	struct ctl_reply *reply; /* request under way, or NULL */
	int64_t active_us;	 /* monotonic; end of the last request, for eviction */
	struct buf out;
	size_t out_pos;
	size_t in_len;
	bool discard; /* rest of a line that was too long */
	bool eof;     /* no further requests will come */
	char in[CTL_LINE_MAX + 2];
};

void session_new(struct ctl *c, int fd); /* takes fd */
void session_free(struct session *s);
bool session_idle(const struct session *s);    /* may be evicted */
bool session_streams(const struct session *s); /* its reply is being pulled */
size_t session_owed(const struct session *s);  /* octets not yet written */
void session_wake(struct session *s); /* there is something to write or to do, from the loop */

/* ---- reply.c ---- */

struct ctl_reply {
	struct session *session; /* NULL: nobody listens any more */
	struct zr_err err;	 /* code != ZR_OK: the answer will end with it */
	ctl_pull pull;
	void (*end)(void *arg);
	void *pull_arg;
};

/* Runs the handler of a request; afterwards s->reply is set or the answer is in s->out. */
void reply_start(struct session *s, const char *line, size_t len);
/* Pulls until there is enough to write. */
void reply_pull(struct ctl_reply *r);
/* The session is going away. */
void reply_orphan(struct ctl_reply *r);
