/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the helper is given once, when the daemon has read the configuration and nobody has been let
 * near it: whom to become, and the commands.  The configuration may be a pipe, which can be read
 * once.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "app/helper_p.h"
#include "app/sandbox.h"
#include "base/mem.h"
#include "base/parse.h"
#include "cage/priv.h"

#define PIECE 16384 /* octets of a datagram */

/* ---- as words, each with its NUL ---- */

static void
put(struct buf *b, const char *word)
{
	buf_bytes(b, word, strlen(word) + 1);
}

static void
put_argv(struct buf *b, const struct config_argv *v)
{
	char n[PARSE_TEXT_MAX];

	snprintf(n, sizeof(n), "%zu", v->n);
	put(b, n);
	for (size_t i = 0; i < v->n; i++)
		put(b, v->v[i]);
}

void
helper_pack(struct buf *b, const struct config *c)
{
	put(b, c->server.user != NULL ? c->server.user : "");
	put(b, c->server.core_dumps ? "yes" : "no");
	for (size_t i = 0; i < c->downstream_count; i++) {
		const struct config_downstream *d = &c->downstreams[i];

		if (d->on_forced.n == 0 && d->on_change.n == 0)
			continue;
		put(b, d->name);
		put_argv(b, &d->on_forced);
		put_argv(b, &d->on_change);
	}
}

/* NULL: no whole one is left. */
static const char *
take(struct helper_words *w)
{
	const char *word = w->at;
	size_t n = strnlen(word, w->left);

	if (n == w->left)
		return NULL;
	w->at += n + 1;
	w->left -= n + 1;
	return word;
}

static bool
take_argv(struct helper_words *w, struct config_argv *v)
{
	const char *n = take(w), *word;
	uint64_t count;

	if (n == NULL || !parse_u64(n, &count) || count > w->left)
		return false;
	*v = (struct config_argv){zr_xcalloc((size_t)count + 1, sizeof(*v->v)), (size_t)count};
	for (size_t i = 0; i < v->n; i++) {
		word = take(w);
		if (word == NULL)
			return false;
		v->v[i] = zr_xstrdup(word);
	}
	return true;
}

bool
helper_unpack(struct helper_words *w, struct helper_table *t, const char **user, bool *core_dumps)
{
	const char *cores, *name;

	*user = take(w);
	cores = take(w);
	if (*user == NULL || cores == NULL)
		return false;
	*core_dumps = strcmp(cores, "yes") == 0;
	while ((name = take(w)) != NULL) {
		struct config_argv forced = {0}, change = {0};

		if (!take_argv(w, &forced) || !take_argv(w, &change)) {
			hook_vector_free(forced.v);
			hook_vector_free(change.v);
			return false;
		}
		helper_table_add(t, name, &forced, &change);
	}
	return w->left == 0;
}

/* ---- over the socket ---- */

bool
helper_receive(int fd, void *p, size_t n)
{
	char *at = p;
	ssize_t got;

	while (n > 0) {
		got = recv(fd, at, n, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		at += got;
		n -= (size_t)got;
	}
	return true;
}

static int
send_all(int fd, const void *p, size_t n)
{
	const char *at = p;
	ssize_t sent;

	while (n > 0) {
		sent = send(fd, at, n < PIECE ? n : PIECE, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return -1;
		at += sent;
		n -= (size_t)sent;
	}
	return 0;
}

/* ---- the daemon's side ---- */

int
helper_give(int fd, const struct config *c)
{
	struct buf b = BUF_INIT;
	uint64_t n;
	int rc;

	helper_pack(&b, c);
	n = b.len;
	rc = b.bad || send_all(fd, &n, sizeof(n)) != 0 ? -1 : send_all(fd, b.data, b.len);
	buf_clear(&b);
	return rc;
}

/* ---- the helper's side ---- */

static int
follow(struct helper_words *w, struct helper_table *t, struct zr_err *e)
{
	const char *user;
	bool core_dumps;

	if (!helper_unpack(w, t, &user, &core_dumps))
		return zr_fail(e, ZR_INTERNAL, "what it was given makes no sense");
	return sandbox_follow(user, core_dumps, e) != 0 ? -1 : priv_shed(true, true, e);
}

int
helper_take(int fd, struct helper_table *t, struct zr_err *e)
{
	struct helper_words w;
	uint64_t n;
	char *all;
	int rc;

	if (!helper_receive(fd, &n, sizeof(n)))
		return zr_fail(e, ZR_CLOSED, "the daemon has ended");
	all = zr_xmalloc((size_t)n + 1);
	w = (struct helper_words){all, (size_t)n};
	rc = helper_receive(fd, all, (size_t)n) ? follow(&w, t, e)
						: zr_fail(e, ZR_CLOSED, "the daemon has ended");
	free(all);
	return rc;
}
