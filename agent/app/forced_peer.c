/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What became of the last event at each downstream: NOERROR proves nothing, only an AXFR does
 * (A-12, A-36).
 */
#include <stdlib.h>
#include <string.h>

#include "app/forced_p.h"
#include "base/mem.h"
#include "wire/name.h"

/* Windows that end about the same time end in one line of the log. */
#define TOGETHER(verify_us) ((verify_us) / 8)
#define NAMES_MAX 512

struct forced_peer *
forced_peer_find(const struct forced_zone *fz, const char *downstream, const struct zr_addr *target)
{
	struct forced_peer *p;

	for (p = fz->peers; p != NULL; p = p->next)
		if (addr_equal(&p->target, target) && strcmp(p->downstream, downstream) == 0)
			return p;
	return NULL;
}

static struct forced_peer *
add(struct forced_zone *fz, const char *downstream, const struct zr_addr *target)
{
	struct forced_peer *p = zr_xcalloc(1, sizeof(*p)), **end = &fz->peers;

	p->downstream = agent_intern(fz->agent, downstream);
	p->target = *target;
	p->event = fz->f.event;
	p->at = fz->agent->now.wall;
	while (*end != NULL)
		end = &(*end)->next;
	*end = p;
	return p;
}

void
forced_forget_peers(struct forced_zone *fz, uint64_t event)
{
	struct forced_peer **p = &fz->peers, *gone;

	while ((gone = *p) != NULL) {
		if (gone->event >= event) {
			p = &gone->next;
			continue;
		}
		*p = gone->next;
		free(gone);
	}
}

void
forced_clear_peers(struct forced_zone *fz)
{
	struct forced_peer *p;

	while ((p = fz->peers) != NULL) {
		fz->peers = p->next;
		free(p);
	}
}

static void
store_row(const struct forced_zone *fz, const struct forced_peer *p, bool remove)
{
	struct store_order *o = store_order_new(STORE_FORCED_PEER, fz->zone_id);
	struct store_forced_peer *r = &o->forced_peer;

	r->zone_id = fz->zone_id;
	r->remove = remove;
	snprintf(r->name, sizeof(r->name), "%s", p->downstream);
	r->target = p->target;
	r->event = p->event;
	/* After a crash it is sent again. */
	snprintf(r->state, sizeof(r->state), "%s",
	    forced_peer_names[p->state == FORCED_PEER_SENT ? FORCED_PEER_OWED : p->state]);
	r->at = p->at;
	snprintf(r->text, sizeof(r->text), "%s", p->text);
	agent_store(fz->agent, o, false);
}

static void
store(const struct forced_zone *fz, const struct forced_peer *p)
{
	store_row(fz, p, false);
}

/* ---- names for the log ---- */

struct names {
	char text[NAMES_MAX];
	size_t len;
	unsigned more;
};

static bool
is_named(const struct names *n, const char *word)
{
	size_t len = strlen(word);
	const char *p;

	for (p = n->text; (p = strstr(p, word)) != NULL; p += len)
		if ((p == n->text || p[-1] == ' ') && (p[len] == ',' || p[len] == '\0'))
			return true;
	return false;
}

/* The downstream's name; without one the address. */
static void
name_peer(struct names *n, const struct forced_peer *p)
{
	char at[ADDR_TEXT_MAX];
	const char *word = p->downstream;
	int len;

	if (strcmp(word, "ns") == 0 || strcmp(word, "also") == 0)
		word = addr_text(&p->target, at);
	if (is_named(n, word))
		return;
	len = snprintf(
	    n->text + n->len, sizeof(n->text) - n->len, "%s%s", n->len > 0 ? ", " : "", word);
	if (len > 0 && (size_t)len < sizeof(n->text) - n->len) {
		n->len += (size_t)len;
		return;
	}
	n->text[n->len] = '\0';
	n->more++;
}

static void
log_names(const struct forced_zone *fz, const char *event, const struct names *n, const char *why)
{
	char name[NAME_TEXT_MAX];

	if (n->len == 0)
		return;
	log_event(LOG_LVL_WARN, event, LS("zone", name_show(fz->entry->name, name)),
	    LU("serial", fz->f.serial), LU("event", fz->f.event), LS("downstreams", n->text),
	    LU("more", n->more), LS("reason", why));
}

/* ---- verify windows ---- */

static const struct config_policy *
conf(const struct forced_zone *fz)
{
	return entry_config(fz->entry);
}

static size_t
count(const struct forced_zone *fz)
{
	const struct forced_peer *p;
	size_t n = 0;

	for (p = fz->peers; p != NULL; p = p->next)
		n += p->event == fz->f.event;
	return n;
}

static int64_t
later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* Wall time at which an acknowledgement without an AXFR is called out. */
static int64_t
window_end(const struct forced_zone *fz, const struct forced_peer *p, int64_t splay_us)
{
	int64_t verify = conf(fz)->forced_verify_us;

	return later(p->at.us + verify, fz->event_at.us + verify + 2 * splay_us);
}

static void
rearm(struct forced_zone *fz)
{
	struct agent *a = fz->agent;
	const struct forced_peer *p;
	int64_t at = INT64_MAX, end, splay;

	if (fz->entry == NULL)
		return;
	splay = outbox_splay(fz->entry, count(fz));
	for (p = fz->peers; p != NULL; p = p->next) {
		end = window_end(fz, p, splay);
		if (p->state == FORCED_PEER_ACKED && end < at)
			at = end;
	}
	if (at == INT64_MAX)
		heap_del(&a->forced_timers, &fz->timer);
	else
		heap_set(&a->forced_timers, &fz->timer,
		    later(a->now.mono.us, a->now.mono.us + at - a->now.wall.us));
}

static void settle(struct forced_zone *fz);

/* ---- steps ---- */

/* NOTIFY(SOA) does nothing there, for the serial is no greater; a command of its own may. */
static bool
is_stuck(const struct forced_zone *fz, const struct forced_peer *p)
{
	return p->state == FORCED_PEER_UNSUPPORTED && !fz->raised &&
	       !outbox_has_command(fz->entry, p->downstream);
}

static const char stuck_text[] =
    "it does not know NOTIFY(AXFR), and the serial is no greater: a manual retransfer is needed";

static void
step(struct forced_zone *fz, struct forced_peer *p, enum forced_peer_event ev, const char *text)
{
	enum forced_peer_state before = p->state;
	bool told = text != NULL && ev != FORCED_PEER_EV_SENT && strcmp(text, p->text) != 0;

	p->state = forced_peer_step(before, ev);
	if (p->state != before || ev == FORCED_PEER_EV_EVENT)
		p->at = fz->agent->now.wall;
	if (told)
		snprintf(p->text, sizeof(p->text), "%s", text);
	if (p->state == before && !told && ev != FORCED_PEER_EV_EVENT)
		return;
	if (p->state != FORCED_PEER_SENT) /* it is OWED there */
		store(fz, p);
	if (p->state != before && p->state == FORCED_PEER_VERIFIED)
		settle(fz);
	rearm(fz);
}

void
forced_peer_seen(struct entry *en, const char *downstream, const struct zr_addr *target,
    enum forced_peer_event ev, const char *text)
{
	struct forced_zone *fz = en->forced;
	struct names n = {.len = 0};
	struct forced_peer *p;
	bool stuck;

	if (fz == NULL)
		return;
	p = forced_peer_find(fz, downstream, target);
	if (p == NULL)
		p = add(fz, downstream, target);
	stuck = is_stuck(fz, p);
	step(fz, p, ev, text == NULL ? "" : text);
	if (!stuck && is_stuck(fz, p)) {
		name_peer(&n, p);
		log_names(fz, "forced-unsupported", &n, stuck_text);
	}
}

static void
begin(struct forced_zone *fz, const char *downstream, const struct zr_addr *target)
{
	struct forced_peer *p = forced_peer_find(fz, downstream, target);

	if (p == NULL)
		p = add(fz, downstream, target);
	p->event = fz->f.event;
	step(fz, p, FORCED_PEER_EV_EVENT, "");
}

void
forced_owed(struct entry *en, const struct store_notify *rows, size_t n, bool late)
{
	const struct forced_peer *p;

	for (size_t i = 0; i < n; i++) {
		const struct store_notify *r = &rows[i];
		const char *name;

		if (r->qtype != TYPE_AXFR || r->target.family == 0)
			continue;
		name = outbox_name(en, r->downstream, &r->target);
		if (name == NULL) /* outbox_owe() strikes it off */
			continue;
		if (en->forced == NULL) /* of a command, and nothing else was written */
			forced_command(en);
		p = forced_peer_find(en->forced, name, &r->target);
		if (!late || p == NULL || p->event < en->forced->same_since)
			begin(en->forced, name, &r->target);
	}
}

static struct forced_peer *
skip(struct forced_zone *fz, const char *downstream, const struct zr_addr *target)
{
	struct forced_peer *p;

	begin(fz, downstream, target);
	p = forced_peer_find(fz, downstream, target);
	step(fz, p, FORCED_PEER_EV_UNSUPPORTED, "known not to support NOTIFY(AXFR)");
	return p;
}

void
forced_skipped(struct entry *en, const char *downstream, const struct zr_addr *target)
{
	struct names n = {.len = 0};
	struct forced_peer *p;

	if (en->forced == NULL)
		return;
	p = skip(en->forced, downstream, target);
	if (is_stuck(en->forced, p)) {
		name_peer(&n, p);
		log_names(en->forced, "forced-unsupported", &n, stuck_text);
	}
}

void
forced_skip_rows(struct entry *en, const struct store_notify *rows, size_t n)
{
	struct names names = {.len = 0};
	struct forced_peer *p;
	const char *name;

	for (size_t i = 0; i < n; i++) {
		if (rows[i].qtype == TYPE_AXFR || rows[i].target.family == 0)
			continue;
		name = outbox_name(en, rows[i].downstream, &rows[i].target);
		if (name == NULL)
			continue;
		p = skip(en->forced, name, &rows[i].target);
		if (is_stuck(en->forced, p))
			name_peer(&names, p);
	}
	log_names(en->forced, "forced-unsupported", &names, stuck_text);
}

void
forced_timer(struct forced_zone *fz)
{
	int64_t until = fz->agent->now.wall.us + TOGETHER(conf(fz)->forced_verify_us);
	int64_t splay = outbox_splay(fz->entry, count(fz));
	struct names n = {.len = 0};
	struct forced_peer *p;

	for (p = fz->peers; p != NULL; p = p->next) {
		if (p->state != FORCED_PEER_ACKED || window_end(fz, p, splay) > until)
			continue;
		step(fz, p, FORCED_PEER_EV_WINDOW, "acknowledged, but no AXFR was seen");
		name_peer(&n, p);
	}
	log_names(fz, "forced-unverified", &n, "acknowledged NOTIFY(AXFR), but no AXFR was seen");
	rearm(fz);
}

/* ---- fetched ---- */

static bool
is_host(const struct zr_prefix *p)
{
	return p->bits == (p->addr.family == 4 ? 32 : 128);
}

/* A server that is notified at one address may ask from another of its own. */
static bool
is_one_server(const struct config_downstream *d)
{
	for (size_t i = 0; d != NULL && i < d->transfer_from.n; i++)
		if (!is_host(&d->transfer_from.v[i]))
			return false;
	return d != NULL && d->address.n == 1;
}

void
forced_fetched(struct entry *en, const char *name, const struct zr_addr *peer, uint64_t event)
{
	struct forced_zone *fz = en->forced;
	struct forced_peer *p;

	if (fz == NULL || event == 0)
		return;
	for (p = fz->peers; p != NULL; p = p->next)
		if (event >= p->event && strcmp(p->downstream, name) == 0 &&
		    (addr_ip_equal(&p->target, peer) || is_one_server(outbox_downstream(en, name))))
			step(fz, p, FORCED_PEER_EV_FETCHED, "");
}

bool
forced_covers(
    const struct entry *en, const char *name, const struct zr_addr *target, uint64_t event)
{
	const struct forced_peer *p;

	if (en->forced == NULL || event == 0)
		return false;
	p = forced_peer_find(en->forced, name, target);
	return event >= (p == NULL ? en->forced->f.event : p->event);
}

/* Nobody else can have fetched it but those whom we ask to, and each of them has it anew. */
static bool
is_verified(const struct forced_zone *fz, const struct config_downstream *d)
{
	size_t k;

	if (!d->notify || d->address.n == 0)
		return false;
	for (size_t i = 0; i < d->transfer_from.n; i++) {
		for (k = 0; k < d->address.n &&
			    !addr_ip_equal(&d->transfer_from.v[i].addr, &d->address.v[k]);
		     k++)
			;
		if (k == d->address.n || !is_host(&d->transfer_from.v[i]))
			return false;
	}
	for (size_t i = 0; i < d->address.n; i++) {
		const struct forced_peer *p = forced_peer_find(fz, d->name, &d->address.v[i]);

		if (agent_own_address(fz->agent, &d->address.v[i]))
			continue;
		if (p == NULL || p->state != FORCED_PEER_VERIFIED || p->event < fz->same_since)
			return false;
	}
	return true;
}

static void
settle(struct forced_zone *fz)
{
	const struct config_policy *c = conf(fz);
	struct store_order *o;

	if (fz->settled)
		return;
	for (size_t i = 0; i < c->downstream_count; i++)
		if (!is_verified(fz, c->downstreams[i]))
			return;
	fz->settled = true;
	o = store_order_new(STORE_AMBIGUOUS_CLEAR, fz->zone_id);
	o->settle.version = fz->f.version;
	agent_store(fz->agent, o, false);
}

/* ---- the configuration, the store ---- */

/* What is known of the address stays so, whatever it is called.  False: known by that name. */
static bool
rename_peer(struct forced_zone *fz, struct forced_peer *p, const char *name)
{
	struct forced_peer *other = forced_peer_find(fz, name, &p->target);

	if (other == NULL) {
		p->downstream = agent_intern(fz->agent, name);
		store(fz, p);
		return true;
	}
	if (other->event < p->event) {
		other->event = p->event;
		other->state = p->state;
		other->at = p->at;
		memcpy(other->text, p->text, sizeof(other->text));
		store(fz, other);
	}
	return false;
}

void
forced_reconfigure(struct entry *en)
{
	struct forced_zone *fz = en->forced;
	struct forced_peer **p, *gone;
	const char *name;

	if (fz == NULL)
		return;
	for (p = &fz->peers; *p != NULL;) {
		name = outbox_name(en, (*p)->downstream, &(*p)->target);
		if (name != NULL && strcmp(name, (*p)->downstream) == 0) {
			p = &(*p)->next;
			continue;
		}
		store_row(fz, *p, true);
		if (name != NULL && rename_peer(fz, *p, name)) {
			p = &(*p)->next;
			continue;
		}
		gone = *p;
		*p = gone->next;
		free(gone);
	}
	rearm(fz);
}

static enum forced_peer_state
state_of(const char *name)
{
	for (unsigned i = 0; i < FORCED_PEER_STATE_COUNT; i++)
		if (strcmp(forced_peer_names[i], name) == 0)
			return (enum forced_peer_state)i;
	return FORCED_PEER_OWED;
}

/* An event above that of the zone's row was a command. */
static int
load_peer(void *arg, const struct store_forced_peer *r)
{
	struct agent *a = arg;
	struct forced_zone *fz = table_get(a->forced_rows, &r->zone_id, sizeof(r->zone_id));
	struct forced_peer *p;

	if (fz == NULL) {
		fz = forced_zone_new(a, r->zone_id);
		table_put(a->forced_rows, &fz->zone_id, sizeof(fz->zone_id), fz);
	}
	p = add(fz, r->name, &r->target);
	p->event = r->event;
	p->state = state_of(r->state);
	p->at = r->at;
	snprintf(p->text, sizeof(p->text), "%.*s", FORCED_TEXT_MAX - 1, r->text);
	if (fz->f.event < r->event) {
		fz->f.event = r->event;
		fz->event_at = r->at;
	}
	return 0;
}

int
forced_load_peers(struct agent *a, struct zr_err *e)
{
	return store_each_forced_peer(a->store, load_peer, a, e);
}
