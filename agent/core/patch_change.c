/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/order.h"
#include "core/patch_p.h"

static int
copy_change(struct patch *p, struct change *out, const struct change *c, struct zr_err *e)
{
	struct arena *a = &p->copy[p->copy_cur ^= 1];

	arena_reset(a);
	out->op = c->op;
	if (!arena_rr(a, &out->rr, &c->rr, NULL))
		return zr_fail(e, ZR_NOMEM, "no memory for a record");
	return 1;
}

/* next_change() is not called again after its end. */
static int
pull_change(struct patch *p, struct change *out, struct zr_err *e)
{
	int rc = p->source_ended ? 0 : p->ops->next_change(p->change_arg, out, e);

	p->source_ended |= rc == 0;
	return rc;
}

/* The next change without the duplicates behind it.  1, 0, -1. */
static int
next_unique(struct patch *p, struct zr_err *e)
{
	struct change c;
	int rc = 1;

	if (!p->have_waiting) {
		rc = pull_change(p, &c, e);
		if (rc > 0)
			rc = copy_change(p, &p->waiting, &c, e);
		if (rc <= 0)
			return rc;
	}
	p->change = p->waiting;
	p->have_waiting = false;
	while ((rc = pull_change(p, &c, e)) > 0) {
		if (!rr_same(&c.rr, &p->change.rr)) {
			rc = copy_change(p, &p->waiting, &c, e);
			p->have_waiting = rc > 0;
			break;
		}
		if (!order_prefer(&p->change.rr, &c.rr)) {
			/* Its copy may go: it is the one replaced. */
			p->copy_cur ^= 1;
			if (copy_change(p, &p->change, &c, e) < 0)
				return -1;
		}
	}
	return rc < 0 ? -1 : 1;
}

/* 1: p->change is the next change; 0: there is none; -1. */
int
patch_peek_change(struct patch *p, struct zr_err *e)
{
	int rc;

	if (p->have_change)
		return 1;
	if (p->flags & PATCH_DEDUP)
		rc = next_unique(p, e);
	else
		rc = pull_change(p, &p->change, e);
	p->have_change = rc > 0;
	return rc;
}

static int
misfit(const struct change *c, const char *what, struct zr_err *e)
{
	char name[NAME_TEXT_MAX], type[16];

	return zr_fail(e, ZR_DIFF, "%.100s %s %s", name_show(c->rr.owner, name),
	    rr_type_text(c->rr.type, type), what);
}

static int
removed(struct patch *p, const struct rr *rr, struct zr_err *e)
{
	return p->ops->removed == NULL ? 0 : p->ops->removed(p->arg, rr, e);
}

static int
add(struct patch *p, const struct rr *rr, struct zr_err *e)
{
	if (p->ops->added != NULL && p->ops->added(p->arg, rr, e) != 0)
		return -1;
	return packer_add(p->packer, rr, e);
}

/* The next change is about a record that the version does not hold. */
int
patch_absent(struct patch *p, struct zr_err *e)
{
	p->have_change = false;
	switch (p->change.op) {
	case CHANGE_ADD:
		return add(p, &p->change.rr, e);
	case CHANGE_ABSENT:
		return 0;
	case CHANGE_DEL:
	case CHANGE_REPLACE:
		break;
	}
	return misfit(&p->change, "is to be deleted but not there", e);
}

/* The next change is about this record of the version. */
int
patch_present(struct patch *p, const struct rr *rr, struct zr_err *e)
{
	const struct change *c = &p->change;

	p->have_change = false;
	switch (c->op) {
	case CHANGE_DEL:
		return removed(p, rr, e);
	case CHANGE_REPLACE:
		if (rr_identical(rr, &c->rr))
			return packer_add(p->packer, rr, e);
		return removed(p, rr, e) != 0 ? -1 : add(p, &c->rr, e);
	case CHANGE_ADD:
		if (p->flags & PATCH_DEDUP)
			return packer_add(p->packer, order_prefer(rr, &c->rr) ? rr : &c->rr, e);
		if ((p->flags & PATCH_READD) != 0 && rr->ttl == c->rr.ttl)
			return packer_add(p->packer, rr, e);
		break;
	case CHANGE_ABSENT: /* added again, then deleted */
		if (p->flags & PATCH_READD)
			return removed(p, rr, e);
		break;
	}
	return misfit(c, "is to be added but there already", e);
}
