/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/mem.h"
#include "ctl/ctl_p.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The last line of an answer. */
static void
last_line(struct session *s, const struct zr_err *e)
{
	size_t text;

	if (e->code == ZR_OK) {
		buf_str(&s->out, "ok\n");
		return;
	}
	buf_fmt(&s->out, "error %s ", zr_code_name(e->code));
	text = s->out.len;
	buf_str(&s->out, e->text[0] != '\0' ? e->text : "no reason given");
	for (size_t i = text; i < s->out.len; i++)
		if (s->out.data[i] < 0x20)
			s->out.data[i] = ' ';
	buf_u8(&s->out, '\n');
}

static void
finish(struct ctl_reply *r)
{
	struct session *s = r->session;

	if (s != NULL) {
		assert(s->reply == r);
		s->reply = NULL;
		last_line(s, &r->err);
		session_wake(s);
	}
	if (r->pull != NULL && r->end != NULL)
		r->end(r->pull_arg);
	free(r);
}

static const struct ctl_command *
find(const struct ctl *c, const char *name)
{
	for (size_t i = 0; i < c->command_count; i++)
		if (strcmp(c->commands[i].name, name) == 0)
			return &c->commands[i];
	return NULL;
}

static int
check_args(const struct ctl_command *cmd, const struct ctl_request *q, struct zr_err *e)
{
	unsigned n = (unsigned)q->argc - 1;

	if (cmd == NULL)
		return zr_fail(e, ZR_NOTIMP, "unknown command %.40s", q->argv[0]);
	if (n >= cmd->min_args && n <= cmd->max_args)
		return 0;
	if (cmd->min_args == cmd->max_args)
		return zr_fail(
		    e, ZR_FORMERR, "%s takes %u arguments, not %u", cmd->name, cmd->min_args, n);
	return zr_fail(e, ZR_FORMERR, "%s takes %u to %u arguments, not %u", cmd->name,
	    cmd->min_args, cmd->max_args, n);
}

void
reply_start(struct session *s, const char *line, size_t len)
{
	const struct ctl_command *cmd;
	struct ctl_request q;
	struct zr_err err = {.code = ZR_OK};

	if (ctl_request_parse(&q, line, len, &err) != 0) {
		last_line(s, &err);
		return;
	}
	if (q.argc == 0)
		return;
	cmd = find(s->ctl, q.argv[0]);
	if (check_args(cmd, &q, &err) != 0) {
		last_line(s, &err);
		return;
	}
	assert(cmd != NULL); /* else check_args() has failed */
	s->reply = zr_xcalloc(1, sizeof(*s->reply));
	s->reply->session = s;
	cmd->handler(s->ctl->arg, s->reply, q.argc, q.argv);
}

void
reply_pull(struct ctl_reply *r)
{
	while (session_owed(r->session) < CTL_OUT_LOW) {
		size_t before = r->session->out.len;
		if (!r->pull(r->pull_arg, r) || r->err.code != ZR_OK) {
			finish(r);
			return;
		}
		if (r->session->out.len == before)
			return; /* nothing for now; others have their turn */
	}
}

void
reply_orphan(struct ctl_reply *r)
{
	r->session->reply = NULL;
	r->session = NULL;
	if (r->pull != NULL)
		finish(r);
}

void
ctl_body(struct ctl_reply *r, struct buf *line)
{
	struct session *s = r->session;

	if (s == NULL || r->err.code != ZR_OK)
		return;
	if (line->bad)
		zr_fail(&r->err, ZR_NOMEM, "no memory for the answer");
	else if (line->len == 0 || line->data[0] != '{' ||
		 memchr(line->data, '\n', line->len) != NULL)
		zr_fail(&r->err, ZR_INTERNAL, "a line of the answer is not an object");
	else if (session_owed(s) + line->len + 1 > CTL_OUT_MAX)
		zr_fail(&r->err, ZR_LIMIT, "the answer is longer than %d octets", CTL_OUT_MAX);
	if (r->err.code != ZR_OK)
		return;
	buf_bytes(&s->out, line->data, line->len);
	buf_u8(&s->out, '\n');
	session_wake(s);
}

void
ctl_done(struct ctl_reply *r)
{
	assert(r->pull == NULL);
	finish(r);
}

void
ctl_error(struct ctl_reply *r, const struct zr_err *e)
{
	assert(r->pull == NULL);
	r->err = *e;
	if (r->err.code == ZR_OK)
		r->err.code = ZR_INTERNAL;
	finish(r);
}

void
ctl_fail(struct ctl_reply *r, enum zr_code code, const char *fmt, ...)
{
	struct zr_err e = {.code = code};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(e.text, sizeof(e.text), fmt, ap);
	va_end(ap);
	ctl_error(r, &e);
}

bool
ctl_alive(const struct ctl_reply *r)
{
	return r->session != NULL;
}

void
ctl_stream(struct ctl_reply *r, ctl_pull pull, void (*end)(void *arg), void *arg)
{
	r->pull = pull;
	r->end = end;
	r->pull_arg = arg;
	if (r->session == NULL)
		finish(r);
	else
		session_wake(r->session);
}
