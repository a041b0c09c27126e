/* SPDX-License-Identifier: BSD-2-Clause */
#include "app/restore.h"

#include "app/forced_p.h"

/*
 * An orderly stop loses nothing but the NOTIFYs that come while nobody listens.  Who sends one and
 * hears nothing repeats it for about so long, so a restart within that time needs no checks.
 */
#define RESTART_US (60 * ZR_US_PER_S)

static int
load_zone(void *arg, const struct store_zone *row)
{
	struct agent *a = arg;
	const struct config_zone *cz = config_zone_find(a->cfg, row->name);
	struct store_order *o;
	struct entry *en;

	if (cz == NULL) {
		o = store_order_new(STORE_REMOVE_ZONE, row->id);
		agent_store(a, o, false);
		return 0;
	}
	en = entry_new(a, cz->name, policy_for(a, cz->policy));
	entry_start(en, row);
	return 0;
}

static int
load_notify(void *arg, const struct store_notify *row)
{
	struct agent *a = arg;
	struct entry *en = entry_by_id(a, row->zone_id);

	if (en == NULL)
		return 0;
	forced_owed(en, row, 1, true);
	outbox_owe(en, row, 1, true);
	return 0;
}

static int
load_hook(void *arg, const struct store_hook *row)
{
	struct entry *en = entry_by_id(arg, row->zone_id);

	if (en != NULL)
		hook_owe(en, row, 1);
	return 0;
}

/* Why every zone is to be checked; NULL: none needs to be. */
static const char *
distrust(const struct agent *a)
{
	struct zr_wall ended = store_ended(a->store);

	if (ended.us == 0)
		return "the run before did not end in order";
	if (ended.us > a->now.wall.us)
		return "the clock was set back";
	return a->now.wall.us - ended.us > RESTART_US ? "nobody listened for a while" : NULL;
}

static int
load_zones(struct agent *a, struct zr_err *e)
{
	const char *why = distrust(a);
	int rc;

	a->recheck = why != NULL;
	rc = store_each_zone(a->store, load_zone, a, e);
	a->recheck = false;
	if (a->unseen > 0)
		log_event(LOG_LVL_INFO, "checking-all", LU("zones", a->unseen), LS("why", why));
	return rc;
}

int
restore_zones(struct agent *a, struct zr_err *e)
{
	struct reload_count n;

	if (verify_load(a, e) != 0 || forced_load(a, e) != 0 || load_zones(a, e) != 0 ||
	    store_each_outbox(a->store, load_notify, a, e) != 0 || hook_open(a, e) != 0 ||
	    store_each_hook(a->store, load_hook, a, e) != 0 || store_start(a->store, e) != 0)
		return -1;
	forced_loaded(a);
	zones_apply(a, &n);
	return 0;
}

void
restore_end(struct agent *a)
{
	if (a->store == NULL)
		return;
	if (a->stopping && a->unseen == 0)
		store_end_in_order(a->store);
	store_stop(a->store);
	a->store = NULL;
}
