/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Input: requests, each as: how (1), who (1), length (2), octets.  Each is judged; what is accepted
 * goes to the zone, what is answered is built and read back.
 */
#include "fuzz.h"

#include "base/buf.h"
#include "core/notifyin.h"
#include "wire/query.h"

#include <string.h>

#define HEAD 4
#define HOW_TCP 0x01
#define HOW_AUTHENTICATED 0x02
#define HOW_KEYED 0x04	  /* the primary has a key */
#define HOW_ANSWERED 0x08 /* the delayed answer is sent before the next request comes */
#define HOW_LATER 0x10	  /* ten seconds later */
#define HOW_CUT 0x20	  /* names below the zone are delegated */
#define HOW_POLICY 6	  /* in the upper two bits: enum primary_forced */

#define ZONE "\7example\3org"

struct world {
	struct primary primary;
	struct primary *list[1];
	struct zone_policy policy;
	struct zone zone;
	struct acl *acl;
	struct notifyin *n;
	struct zr_now now;
	bool cut;
};

static struct zone *
find(void *arg, const uint8_t *name)
{
	struct world *w = arg;

	FUZZ_CHECK(name_check(name, NAME_MAX_LEN) > 0);
	return memcmp(name, ZONE, sizeof(ZONE)) == 0 ? &w->zone : NULL;
}

static bool
delegated(void *arg, const struct zone *z, const uint8_t *qname)
{
	const struct world *w = arg;

	FUZZ_CHECK(name_within(qname, z->name) && !name_equal(qname, z->name));
	return w->cut;
}

/* 0: a stranger, 1: the primary, 2: its network, 3: known, but not for this zone. */
static struct zr_addr
who(unsigned i)
{
	struct zr_addr a = {
	    .family = i & 4 ? 6 : 4, .port = 53, .ip = {192, 0, 2, (uint8_t)(i & 3)}};
	return a;
}

static struct world *
open_world(void)
{
	static const struct sched_limits none[SCHED_WHAT_COUNT];
	struct world *w = calloc(1, sizeof(*w));
	struct zr_addr a = who(1);
	struct acl_entry e[3];

	FUZZ_CHECK(w != NULL);
	primary_init(&w->primary, 1, &a, 1, true, true, none);
	w->list[0] = &w->primary;
	w->policy = (struct zone_policy){
	    .primaries = w->list, .primary_count = 1, .notify_enclosing = true, .ixfr = true};
	w->now = (struct zr_now){{1000 * ZR_US_PER_S}, {2000 * ZR_US_PER_S}};
	zone_init(&w->zone, 1, (const uint8_t *)ZONE, &w->policy);
	for (unsigned i = 0; i < 3; i++) {
		struct zr_addr host = who(i + 1);
		e[i] = (struct acl_entry){acl_host(&host), i < 2 ? 1 : 2};
	}
	w->acl = acl_new(e, 3);
	w->n = notifyin_new(&(struct notifyin_conf){bucket_rate(50, 50), bucket_rate(5, 5)},
	    &(struct notifyin_zones){find, delegated, w});
	return w;
}

static void
close_world(struct world *w)
{
	notifyin_free(w->n);
	acl_free(w->acl);
	primary_clear(&w->primary);
	free(w);
}

/* A-14, said another way. */
static bool
may_force(uint8_t how)
{
	switch (how >> HOW_POLICY) {
	case PRIMARY_FORCED_AUTO:
		return (how & HOW_AUTHENTICATED) || !(how & HOW_KEYED);
	case PRIMARY_FORCED_ADDRESS:
		return true;
	case PRIMARY_FORCED_KEY:
		return how & HOW_AUTHENTICATED;
	default:
		return false;
	}
}

static void
check_verdict(const struct notifyin_verdict *v, const struct msg *m, unsigned source, uint8_t how)
{
	FUZZ_CHECK(!v->notify.forced || may_force(how));
	FUZZ_CHECK(!v->notify.forced || m->qtype == TYPE_AXFR);
	FUZZ_CHECK(!v->notify.authenticated || (how & HOW_AUTHENTICATED));
	FUZZ_CHECK(v->why < NOTIFYIN_WHY_COUNT);
	FUZZ_CHECK((v->zone != NULL) == (v->why == NOTIFYIN_OK));
	FUZZ_CHECK(v->zone == NULL || (!v->drop && v->aa && v->rcode == RCODE_NOERROR));
	FUZZ_CHECK(!v->aa || v->rcode == RCODE_NOERROR);
	/* Nothing happens on the word of anybody but the primary. */
	FUZZ_CHECK(v->zone == NULL || (source & 4) == 0);
	FUZZ_CHECK(v->zone == NULL || (source & 3) == 1 || (source & 3) == 2);
	FUZZ_CHECK(v->zone == NULL || m->qtype == TYPE_SOA || v->notify.forced);
	FUZZ_CHECK(v->drop || (m->flags & FLAG_QR) == 0);
	FUZZ_CHECK(!v->notify.forced || !v->notify.hinted);
}

static void
check_reply(const struct notifyin_verdict *v, const struct msg *m)
{
	const struct reply r = {.rcode = v->rcode, .aa = v->aa, .ede = v->ede, .keepalive = -1};
	struct buf out = {0};
	struct msg back;

	query_reply(&out, m, &r);
	FUZZ_CHECK(!out.bad);
	FUZZ_CHECK(msg_parse(&back, out.data, out.len, MSG_FULL, NULL) == 0);
	FUZZ_CHECK(back.id == m->id && (back.flags & FLAG_QR) != 0);
	FUZZ_CHECK(((back.flags & FLAG_AA) != 0) == v->aa);
	buf_clear(&out);
}

static bool
certified(const void *certificate, const struct primary *p)
{
	const struct world *w = certificate;

	return p == &w->primary;
}

static void
request(struct world *w, uint8_t how, uint8_t from, const uint8_t *data, size_t len)
{
	struct notifyin_source src = {
	    .from = who(from),
	    .tcp = how & HOW_TCP,
	    .certified = how & HOW_AUTHENTICATED ? certified : NULL,
	    .certificate = w,
	};
	const struct notifyin_conf conf = {bucket_rate(50, 50), bucket_rate(5, 5)};
	struct notifyin_verdict v;
	struct msg m;

	w->primary.keyed = how & HOW_KEYED;
	w->primary.forced = (enum primary_forced)(how >> HOW_POLICY);
	notifyin_configure(w->n, &conf, w->acl);
	w->cut = how & HOW_CUT;
	if (how & HOW_LATER) {
		w->now.mono.us += 10 * ZR_US_PER_S;
		w->now.wall.us += 10 * ZR_US_PER_S;
	}
	int parsed = msg_parse(&m, data, len, MSG_FULL, NULL);
	if (m.len >= MSG_HEADER && m.opcode != OPCODE_NOTIFY)
		return; /* not for the judge */
	notifyin_judge(w->n, &src, &m, parsed, w->now.mono, &v);
	check_verdict(&v, &m, from, how);
	if (!v.drop)
		check_reply(&v, &m);
	if (v.zone != NULL) {
		struct zone_orders orders;
		struct zone_arg arg = {.notify = v.notify};
		zone_step(v.zone, ZONE_EV_NOTIFY, &arg, w->now, &orders);
		FUZZ_CHECK(orders.answer != ZONE_ANSWER_NONE);
	}
	if (how & HOW_ANSWERED)
		notifyin_answered(w->n, v.memory, RCODE_NOERROR);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world *w = open_world();
	struct zone_arg start = {
	    .start = {.has_data = true, .serial = 7, .times = {3600, 600, 86400}}};
	struct zone_orders orders;

	start.start.refresh_at.us = w->now.wall.us + 3600 * ZR_US_PER_S;
	zone_step(&w->zone, ZONE_EV_START, &start, w->now, &orders);
	while (size >= HEAD) {
		size_t len = (size_t)(data[2] << 8 | data[3]);
		uint8_t how = data[0], from = data[1];
		data += HEAD;
		size -= HEAD;
		if (len > size)
			len = size;
		uint8_t *copy = fuzz_copy(data, len);
		request(w, how, from, copy, len);
		free(copy);
		data += len;
		size -= len;
	}
	close_world(w);
	return 0;
}
