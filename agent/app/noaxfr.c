/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Addresses that do not know NOTIFY(AXFR), whatever the zone: for a day they get NOTIFY(SOA) in its
 * place, and are then asked again.
 */
#include <stdlib.h>
#include <string.h>

#include "app/agent_p.h"
#include "base/mem.h"

#define REMEMBER_US (24 * 3600 * ZR_US_PER_S)
/* What has expired is looked for when the number of entries has doubled, at least these. */
#define SWEEP_MIN 256

struct key {
	uint8_t bytes[23];
};

struct no_axfr {
	struct key key;
	struct zr_addr target;
	struct zr_wall until;
};

static struct key
key_of(const struct zr_addr *t)
{
	struct key k = {{0}};

	k.bytes[0] = t->family;
	memcpy(k.bytes + 1, &t->port, sizeof(t->port));
	memcpy(k.bytes + 3, &t->scope, sizeof(t->scope));
	memcpy(k.bytes + 7, t->ip, t->family == 4 ? 4 : 16);
	return k;
}

static struct no_axfr *
find(struct agent *a, const struct zr_addr *target)
{
	struct key k = key_of(target);

	return a->no_axfr == NULL ? NULL : table_get(a->no_axfr, &k, sizeof(k));
}

bool
forced_unsupported(struct agent *a, const struct zr_addr *target, struct zr_wall *until)
{
	const struct no_axfr *n = find(a, target);

	/* Learned by a clock that stood wrong: it must not last for years. */
	if (n == NULL || n->until.us <= a->now.wall.us ||
	    n->until.us > a->now.wall.us + REMEMBER_US)
		return false;
	if (until != NULL)
		*until = n->until;
	return true;
}

static void
sweep(struct agent *a)
{
	struct no_axfr *n;
	size_t pos = 0;

	if (table_count(a->no_axfr) < a->no_axfr_sweep)
		return;
	while ((n = table_next(a->no_axfr, &pos)) != NULL) {
		if (n->until.us > a->now.wall.us)
			continue;
		table_del(a->no_axfr, &n->key, sizeof(n->key));
		free(n);
	}
	a->no_axfr_sweep = 2 * table_count(a->no_axfr) + SWEEP_MIN;
}

static void
put(struct agent *a, const struct zr_addr *target, struct zr_wall until)
{
	struct no_axfr *n = find(a, target);

	if (a->no_axfr == NULL) {
		a->no_axfr = table_new();
		a->no_axfr_sweep = SWEEP_MIN;
	}
	if (n == NULL) {
		sweep(a);
		n = zr_xcalloc(1, sizeof(*n));
		n->key = key_of(target);
		n->target = *target;
		table_put(a->no_axfr, &n->key, sizeof(n->key), n);
	}
	n->until = until;
}

static void
tell(struct agent *a, const struct zr_addr *target, struct zr_wall until, const char *text)
{
	struct store_order *o = store_order_new(STORE_NO_AXFR, 0);

	o->no_axfr.target = *target;
	o->no_axfr.until = until;
	snprintf(o->no_axfr.text, sizeof(o->no_axfr.text), "%s", text);
	agent_store(a, o, false);
}

void
forced_remember(struct agent *a, const struct zr_addr *target, const char *text)
{
	struct zr_wall until = {a->now.wall.us + REMEMBER_US};

	put(a, target, until);
	tell(a, target, until, text);
}

void
forced_forget(struct agent *a, const struct zr_addr *target)
{
	struct no_axfr *n = find(a, target);
	const struct zr_wall never = {0};

	if (n == NULL)
		return;
	tell(a, target, never, "");
	table_del(a->no_axfr, &n->key, sizeof(n->key));
	free(n);
}

static int
load(void *arg, const struct store_no_axfr *row)
{
	struct agent *a = arg;

	/* A clock that stood wrong must not make it last for years. */
	if (row->until.us > a->now.wall.us && row->until.us <= a->now.wall.us + REMEMBER_US)
		put(a, &row->target, row->until);
	return 0;
}

int
noaxfr_load(struct agent *a, struct zr_err *e)
{
	return store_each_no_axfr(a->store, load, a, e);
}

void
noaxfr_free(struct agent *a)
{
	struct no_axfr *n;
	size_t pos = 0;

	while (a->no_axfr != NULL && (n = table_next(a->no_axfr, &pos)) != NULL)
		free(n);
	table_free(a->no_axfr);
	a->no_axfr = NULL;
}
