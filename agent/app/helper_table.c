/* SPDX-License-Identifier: BSD-2-Clause */
/* The commands that may be run, and what an order to run one comes to. */
#include <stdlib.h>
#include <string.h>

#include "app/helper_p.h"
#include "base/mem.h"

struct command {
	char *name; /* of the downstream */
	struct config_argv on_forced, on_change;
};

struct helper_table {
	struct command *v;
	size_t n;
};

static struct config_argv
copy(const struct config_argv *from)
{
	struct config_argv to = {zr_xcalloc(from->n + 1, sizeof(*to.v)), from->n};

	for (size_t i = 0; i < from->n; i++)
		to.v[i] = zr_xstrdup(from->v[i]);
	return to;
}

void
helper_table_add(struct helper_table *t, const char *name, struct config_argv *on_forced,
    struct config_argv *on_change)
{
	t->v = zr_xrealloc(t->v, (t->n + 1) * sizeof(*t->v));
	t->v[t->n++] = (struct command){zr_xstrdup(name), *on_forced, *on_change};
	*on_forced = *on_change = (struct config_argv){0};
}

struct helper_table *
helper_table_new(const struct config *c)
{
	struct helper_table *t = zr_xcalloc(1, sizeof(*t));

	for (size_t i = 0; c != NULL && i < c->downstream_count; i++) {
		const struct config_downstream *d = &c->downstreams[i];
		struct config_argv forced, change;

		if (d->on_forced.n == 0 && d->on_change.n == 0)
			continue;
		forced = copy(&d->on_forced);
		change = copy(&d->on_change);
		helper_table_add(t, d->name, &forced, &change);
	}
	return t;
}

void
helper_table_free(struct helper_table *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->n; i++) {
		free(t->v[i].name);
		hook_vector_free(t->v[i].on_forced.v);
		hook_vector_free(t->v[i].on_change.v);
	}
	free(t->v);
	free(t);
}

/* Printable and of one word: what names are made of. */
static bool
is_word(const char *text, size_t size)
{
	size_t n = strnlen(text, size);

	for (size_t i = 0; i < n; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	return n < size && text[0] != '-';
}

int
helper_table_command(const struct helper_table *t, const struct helper_ask *q, char ***argv,
    char ***env, struct zr_err *e)
{
	const struct config_argv *c = NULL;
	struct hook_vars vars = {.primary = q->primary,
	    .downstream = q->downstream,
	    .kind = q->forced != 0 ? "AXFR" : "SOA"};

	if (!is_word(q->downstream, sizeof(q->downstream)) ||
	    !is_word(q->primary, sizeof(q->primary)) || !is_word(q->zone, sizeof(q->zone)) ||
	    q->zone[0] == '\0')
		return zr_fail(e, ZR_INTERNAL, "an order that makes no sense");
	for (size_t i = 0; i < t->n && c == NULL; i++)
		if (strcmp(t->v[i].name, q->downstream) == 0)
			c = q->forced != 0 ? &t->v[i].on_forced : &t->v[i].on_change;
	if (c == NULL || c->n == 0)
		return zr_fail(e, ZR_CONF, "%s has no such command", q->downstream);
	snprintf(vars.zone, sizeof(vars.zone), "%s", q->zone);
	snprintf(vars.serial, sizeof(vars.serial), "%u", q->serial);
	if (q->has_old != 0)
		snprintf(vars.old_serial, sizeof(vars.old_serial), "%u", q->old_serial);
	*argv = hook_argv(c, &vars);
	*env = hook_env(&vars);
	return 0;
}
