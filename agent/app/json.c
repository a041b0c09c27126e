/* SPDX-License-Identifier: BSD-2-Clause */
#include "app/json.h"

#include <string.h>
#include <unistd.h>

#include "base/serial.h"
#include "wire/name.h"

static const char *const face_names[] = {"current", "behind", "expired", "never"};
_Static_assert(sizeof(face_names) / sizeof(face_names[0]) == ZONE_FACE_COUNT, "a name for each");

/* ---- pieces: every function writes `,"key":value` ---- */

void
json_str(struct buf *b, const char *key, const char *value)
{
	if (value == NULL)
		return;
	buf_fmt(b, ",\"%s\":", key);
	buf_json(b, value);
}

void
json_num(struct buf *b, const char *key, uint64_t v)
{
	buf_fmt(b, ",\"%s\":%llu", key, (unsigned long long)v);
}

void
json_wall(struct buf *b, const char *key, struct zr_wall t)
{
	if (t.us != 0)
		buf_fmt(b, ",\"%s\":%lld", key, (long long)t.us);
}

static void
mono(struct buf *b, const char *key, int64_t us, const struct agent *a)
{
	if (us != 0)
		json_wall(b, key, zone_wall(us, a->now));
}

static void
open_object(struct buf *b, const char *kind)
{
	buf_fmt(b, "{\"kind\":\"%s\"", kind);
}

/* ---- the daemon ---- */

static uint64_t
resident(void)
{
	unsigned long long size, pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f == NULL)
		return 0;
	/* NOLINTNEXTLINE(cert-err34-c): the kernel's numbers fit */
	if (fscanf(f, "%llu %llu", &size, &pages) != 2)
		pages = 0;
	fclose(f);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void
listen_list(struct buf *b, const struct agent *a, const char *key, bool tls)
{
	const struct listener *l;
	char text[ADDR_TEXT_MAX];
	const char *sep = "";

	buf_fmt(b, ",\"%s\":[", key);
	for (l = a->listeners; l != NULL; l = l->next) {
		if (l->tls != tls)
			continue;
		buf_str(b, sep);
		buf_json(b, addr_text(&l->addr, text));
		sep = ",";
	}
	buf_str(b, "]");
}

static uint64_t
lost_by_kernel(const struct agent *a)
{
	uint64_t n = 0;

	for (const struct listener *l = a->listeners; l != NULL; l = l->next)
		n += l->udp != NULL ? udp_lost(l->udp) : 0;
	return n;
}

void
json_daemon(struct buf *b, const struct agent *a)
{
	unsigned queued = 0;

	for (unsigned i = 0; i < SCHED_WHAT_COUNT; i++)
		queued += a->sched.queued[i];
	open_object(b, "daemon");
	json_str(b, "version", a->opt.version);
	json_num(b, "pid", (uint64_t)getpid());
	json_wall(b, "started_at", a->started.wall);
	json_wall(b, "now_at", a->now.wall);
	json_str(b, "config", a->opt.config_path);
	json_str(b, "database", a->database);
	listen_list(b, a, "listen", false);
	listen_list(b, a, "listen_tls", true);
	json_num(b, "workers", a->worker_count);
	json_num(b, "zones", table_count(a->zones));
	json_str(b, "log_level",
	    log_enabled(LOG_LVL_DEBUG)	? "debug"
	    : log_enabled(LOG_LVL_INFO) ? "info"
	    : log_enabled(LOG_LVL_WARN) ? "warn"
					: "error");
	json_num(b, "rss", resident());
	json_num(b, "zone_octets",
	    table_count(a->zones) > 0 ? entry_memory(a) / table_count(a->zones) : 0);
	json_num(b, "tcp_in", table_count(a->clients));
	json_num(b, "tcp_out", table_count(a->jobs));
	json_num(
	    b, "transfers_in", a->sched.running[SCHED_TRANSFER] + a->sched.running[SCHED_FORCED]);
	json_num(b, "transfers_out", table_count(a->streams));
	json_num(b, "queued", queued);
	json_num(b, "unseen", a->unseen);
	json_num(b, "outbox", a->outbox);
	json_num(b, "datagrams_lost", lost_by_kernel(a));
	json_num(b, "notifies_in", a->stats.notify_in);
	json_num(b, "notifies_refused", a->stats.notify_refused);
	json_num(b, "notifies_out", a->stats.notify_out);
	json_num(b, "checks", a->stats.checks);
	json_num(b, "commits", a->stats.commits);
	buf_str(b, "}");
}

void
json_state(struct buf *b, enum zone_face face, unsigned zones)
{
	open_object(b, "state");
	json_str(b, "state", face_names[face]);
	json_num(b, "zones", zones);
	buf_str(b, "}");
}

void
json_key(struct buf *b, const struct config_key *k)
{
	open_object(b, "key");
	json_str(b, "name", k->name);
	json_str(b, "algorithm", tsig_alg_name(k->ref->key.alg));
	json_num(b, "verified", k->ref->good);
	json_num(b, "failed", k->ref->bad);
	buf_str(b, "}");
}

/* ---- zones ---- */

enum zone_face
json_face(const struct entry *en)
{
	if (en->z.data == ZONE_EMPTY)
		return ZONE_FACE_NEVER;
	if (en->z.data == ZONE_EXPIRED)
		return ZONE_FACE_EXPIRED;
	return en->z.failures > 0 ? ZONE_FACE_BEHIND : ZONE_FACE_CURRENT;
}

bool
json_is_idle(const struct entry *en)
{
	return en->z.state == ZONE_IDLE;
}

static const char *
activity(const struct entry *en)
{
	switch ((enum zone_state)en->z.state) {
	case ZONE_QUEUED:
		return "queued";
	case ZONE_PROBING:
		return "checking";
	case ZONE_FETCHING:
		return "transferring";
	case ZONE_STORING:
		return "committing";
	case ZONE_HELD:
		return "held";
	default:
		return en->z.failures > 0 ? "held" : "idle";
	}
}

static void
work(struct buf *b, const struct entry *en)
{
	const struct zone *z = &en->z;
	const struct primary *p;
	char text[ADDR_TEXT_MAX];

	if (z->state == ZONE_QUEUED)
		json_str(b, "lane", sched_lane_names[z->sched.lane]);
	if ((z->state != ZONE_PROBING && z->state != ZONE_FETCHING) ||
	    z->primary >= z->policy->primary_count)
		return;
	p = z->policy->primaries[z->primary];
	json_str(b, "primary", ((const struct config_primary *)p->app)->name);
	if (z->address < p->address_count)
		json_str(b, "address", addr_text(&p->address[z->address].addr, text));
	if (z->state == ZONE_PROBING) {
		json_str(b, "transfer", "SOA");
		return;
	}
	json_str(b, "transfer", en->fetch.ixfr ? "IXFR" : "AXFR");
	json_wall(b, "transfer_at", en->job_started);
	json_num(b, "records", en->progress_records);
	json_num(b, "octets", en->progress_octets);
}

/* A bucket or the slots of one kind of work: why it cannot begin now. */
static bool
is_full(const struct sched_limits *l, const struct bucket *bucket, uint32_t running,
    const struct agent *a, int64_t *at)
{
	*at = bucket_ready_us(bucket, &l->rate, a->now.mono.us);
	if (*at <= a->now.mono.us)
		*at = 0;
	return *at != 0 || (l->slots != 0 && running >= l->slots);
}

/* Why a forced transfer that is owed does not run (AN-13). */
static const char *
forced_wait(const struct entry *en, int64_t *at)
{
	const struct zone *z = &en->z;
	const struct agent *a = en->agent;
	const struct sched *s = &a->sched;
	int64_t now = a->now.mono.us;

	if (z->state != ZONE_QUEUED) {
		*at = z->forced_limit_us > z->forced_retry_us ? z->forced_limit_us
							      : z->forced_retry_us;
		if (z->state != ZONE_IDLE || *at <= now)
			return NULL;
		return *at == z->forced_limit_us ? "zone limit" : "failed, retry";
	}
	if (z->sched.what != SCHED_FORCED)
		return NULL;
	for (unsigned w = SCHED_TRANSFER; w <= SCHED_FORCED; w++) {
		const struct sched_line *l = &z->sched.peer->line[w];

		if (is_full(&l->limits, &l->bucket, l->running, a, at))
			return "primary limit";
		if (is_full(&s->limits[w], &s->bucket[w], s->running[w], a, at))
			return "global limit";
	}
	return NULL;
}

static void
owed_work(struct buf *b, const struct entry *en)
{
	const struct zone *z = &en->z;
	const char *why;
	int64_t at = 0;
	uint16_t by;

	json_str(b, "pending", zone_pending_names[zone_owed(z)]);
	json_wall(b, "pending_at", en->pending_at);
	if (zone_owed(z) != ZONE_PENDING_FORCE)
		return;
	by = (z->pending & ZONE_BIT_FORCE) != 0 ? z->force_by : z->round_by;
	if (by < z->policy->primary_count)
		json_str(b, "pending_notifier",
		    ((const struct config_primary *)z->policy->primaries[by]->app)->name);
	why = forced_wait(en, &at);
	if (why == NULL)
		return;
	json_str(b, "forced_wait", why);
	mono(b, "forced_wait_at", at, en->agent);
}

void
json_zone(struct buf *b, const struct entry *en)
{
	const struct zone *z = &en->z;
	const struct agent *a = en->agent;
	char name[NAME_TEXT_MAX];

	open_object(b, "zone");
	json_str(b, "name", name_show(en->name, name));
	json_str(b, "state", face_names[json_face(en)]);
	json_str(b, "activity", activity(en));
	work(b, en);
	owed_work(b, en);
	if (z->data != ZONE_EMPTY)
		json_num(b, "serial", z->serial);
	if ((z->state != ZONE_IDLE || z->failures > 0) && z->data != ZONE_EMPTY &&
	    serial_gt(z->wanted, z->serial))
		json_num(b, "want_serial", z->wanted);
	json_num(b, "version", (uint64_t)en->version);
	mono(b, "refresh_at", z->refresh_us, a);
	mono(b, "expire_at", z->expire_us, a);
	mono(b, "next_at", z->armed_us, a);
	json_num(b, "failures", z->failures);
	if (z->failures > 0) {
		json_str(b, "error", en->error);
		json_str(
		    b, "error_code", z->code == ZR_OK ? NULL : zr_code_name((enum zr_code)z->code));
	}
	json_event(b, en);
	buf_str(b, "}");
}

/* ---- peers ---- */

void
json_primary(struct buf *b, const struct agent *a, const struct primary *p, unsigned address)
{
	const struct primary_address *pa = &p->address[address];
	char text[ADDR_TEXT_MAX];
	unsigned running = 0, queued = 0;

	for (unsigned i = 0; i < SCHED_WHAT_COUNT; i++) {
		running += p->peer.line[i].running;
		queued += p->peer.line[i].queued;
	}
	open_object(b, "primary");
	json_str(b, "name", ((const struct config_primary *)p->app)->name);
	json_str(b, "address", addr_text(&pa->addr, text));
	json_num(b, "failures", pa->failures);
	if (pa->hold_us > a->now.mono.us)
		mono(b, "held_until_at", pa->hold_us, a);
	json_num(b, "transfers", running);
	json_num(b, "queued", queued);
	json_primary_trust(b, p->app);
	buf_str(b, "}");
}

void
json_downstream(struct buf *b, struct agent *a, const struct config_downstream *d)
{
	struct zr_wall until, unsupported = {0};
	const struct stream *s;
	const struct entry *en;
	const struct owed *o;
	unsigned transfers = 0, outbox = 0, inflight = 0;
	size_t pos = 0;
	char text[ADDR_TEXT_MAX];

	while ((s = table_next(a->streams, &pos)) != NULL)
		transfers += strcmp(s->downstream, d->name) == 0;
	pos = 0;
	while (a->outbox > 0 && (en = table_next(a->zones, &pos)) != NULL) {
		for (o = en->owed; o != NULL; o = o->next) {
			if (strcmp(o->downstream, d->name) != 0)
				continue;
			outbox++;
			inflight += o->o.state == NOTIFYOUT_SENT;
		}
	}
	open_object(b, "downstream");
	json_str(b, "name", d->name);
	if (d->address.n > 0)
		json_str(b, "address", addr_text(&d->address.v[0], text));
	json_num(b, "outbox", outbox);
	json_num(b, "inflight", inflight);
	json_num(b, "transfers", transfers);
	for (size_t i = 0; i < d->address.n; i++)
		if (forced_unsupported(a, &d->address.v[i], &until) && until.us > unsupported.us)
			unsupported = until;
	json_wall(b, "unsupported_until_at", unsupported);
	json_downstream_trust(b, d);
	buf_str(b, "}");
}

void
json_owed(struct buf *b, const struct owed *o)
{
	char text[ADDR_TEXT_MAX];

	open_object(b, "downstream");
	json_str(b, "name", o->downstream);
	json_str(b, "address", addr_text(&o->target, text));
	json_num(b, "outbox", 1);
	json_num(b, "inflight", o->o.state == NOTIFYOUT_SENT);
	json_num(b, "serial", o->o.serial);
	json_str(b, "qtype", o->o.kind == NOTIFYOUT_AXFR ? "AXFR" : "SOA");
	json_num(b, "tries", o->o.tries);
	mono(b, "next_at", o->o.at_us, o->agent);
	buf_str(b, "}");
}
