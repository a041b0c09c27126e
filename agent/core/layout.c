/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/layout.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct layout {
	const struct layout_ops *ops;
	void *arg;
	struct segref old; /* the first one not decided upon */
	bool have_old;
	bool old_ended;
	struct version_sum sum;
	struct layout_count count;
	size_t last_len; /* key of the segment before, to check the order */
	uint8_t last[RR_KEY_MAX];
};

/* 1: l->old is there; 0: none left; -1. */
static int
peek_old(struct layout *l, struct zr_err *e)
{
	int rc;

	if (l->have_old)
		return 1;
	if (l->old_ended || l->ops->next_old == NULL)
		return 0;
	rc = l->ops->next_old(l->arg, &l->old, e);
	l->have_old = rc > 0;
	l->old_ended = rc == 0;
	return rc;
}

static int
kill_old(struct layout *l, struct zr_err *e)
{
	l->have_old = false;
	l->count.killed++;
	return l->ops->kill == NULL ? 0 : l->ops->kill(l->arg, &l->old, e);
}

static int
keep_old(struct layout *l, struct zr_err *e)
{
	l->have_old = false;
	l->count.kept++;
	return l->ops->keep == NULL ? 0 : l->ops->keep(l->arg, &l->old, e);
}

static int
check_order(struct layout *l, const struct segment *s, struct zr_err *e)
{
	if (s->key_len > sizeof(l->last) ||
	    (l->sum.segments > 0 && segment_key_cmp(l->last, l->last_len, s->key, s->key_len) >= 0))
		return zr_fail(e, ZR_INTERNAL, "segments are not in order of their keys");
	memcpy(l->last, s->key, s->key_len);
	l->last_len = s->key_len;
	return 0;
}

int
layout_add(void *arg, const struct segment *s, struct zr_err *e)
{
	struct layout *l = arg;
	int c = 1, rc;

	if (check_order(l, s, e) != 0)
		return -1;
	version_sum_add(&l->sum, s->digest, s->rrs, s->len);
	while ((rc = peek_old(l, e)) > 0) {
		c = segment_key_cmp(l->old.key, l->old.key_len, s->key, s->key_len);
		if (c >= 0)
			break;
		if (kill_old(l, e) != 0)
			return -1;
	}
	if (rc < 0)
		return -1;
	if (rc > 0 && c == 0) {
		if (memcmp(l->old.digest, s->digest, SEGMENT_DIGEST) == 0)
			return keep_old(l, e);
		if (kill_old(l, e) != 0)
			return -1;
	}
	l->count.written++;
	return l->ops->write == NULL ? 0 : l->ops->write(l->arg, s, e);
}

int
layout_finish(struct layout *l, struct zr_err *e)
{
	int rc;

	while ((rc = peek_old(l, e)) > 0) {
		if (kill_old(l, e) != 0)
			return -1;
	}
	return rc;
}

const struct version_sum *
layout_sum(const struct layout *l)
{
	return &l->sum;
}

const struct layout_count *
layout_count(const struct layout *l)
{
	return &l->count;
}

struct layout *
layout_new(const struct layout_ops *ops, void *arg)
{
	struct layout *l = zr_xcalloc(1, sizeof(*l));

	l->ops = ops;
	l->arg = arg;
	return l;
}

void
layout_free(struct layout *l)
{
	free(l);
}
