/* SPDX-License-Identifier: BSD-2-Clause */
#include "notifyrig.h"

#include <stdio.h>
#include <string.h>

#include "wire/name.h"

struct primary primary[3];
static struct primary *both[] = {&primary[0], &primary[1]}, *third[] = {&primary[2]};
static struct zone_policy policy[3];
struct zone zone[ZONES];
static uint8_t names[ZONES][NAME_MAX_LEN];
struct notifyin *n;
static struct acl *acl;
struct notifyin_conf conf;
struct zr_mono now;
struct buf message;
struct notifyin_verdict v;
unsigned delegations;

static struct zone *
find(void *arg, const uint8_t *name)
{
	(void)arg;
	for (unsigned i = 0; i < ZONES; i++)
		if (strcmp((const char *)zone[i].name, (const char *)name) == 0)
			return &zone[i];
	return NULL;
}

/* cut.example.org is delegated. */
static bool
delegated(void *arg, const struct zone *z, const uint8_t *qname)
{
	uint8_t cut[NAME_MAX_LEN];

	(void)arg;
	delegations++;
	assert_true(name_within(qname, z->name));
	name_from_text("cut.example.org", cut);
	return name_within(qname, cut);
}

static void
add_primary(unsigned i, const char *address)
{
	static const struct sched_limits none[SCHED_WHAT_COUNT];
	struct zr_addr a;

	assert_true(addr_parse(address, 53, &a));
	primary_init(&primary[i], 100 + i, &a, 1, true, true, none);
}

static void
add_zone(unsigned i, const char *name, const struct zone_policy *p)
{
	assert_true(name_from_text(name, names[i]) > 0);
	zone_init(&zone[i], i, names[i], p);
}

int
notifyrig_setup(void **state)
{
	const struct notifyin_zones zones = {find, delegated, NULL};
	struct acl_entry e[4];

	(void)state;
	add_primary(0, "192.0.2.1");
	add_primary(1, "2001:db8::1");
	add_primary(2, "192.0.2.3");
	for (unsigned i = 0; i < 3; i++)
		e[i] = (struct acl_entry){acl_host(&primary[i].address[0].addr), 100 + i};
	assert_true(prefix_parse("198.51.100.0/24", &e[3].prefix));
	e[3].id = 100;
	acl = acl_new(e, 4);
	policy[0] = (struct zone_policy){both, 2, .notify_enclosing = true};
	policy[1] = (struct zone_policy){third, 1, .notify_enclosing = true};
	policy[2] = (struct zone_policy){.primaries = both, .primary_count = 2};
	add_zone(0, "example.org", &policy[0]);
	add_zone(1, "deep.example.org", &policy[1]);
	add_zone(2, "other.test", &policy[1]);
	add_zone(3, "exact.test", &policy[2]);
	conf = (struct notifyin_conf){.known = bucket_rate(50, 50), .stranger = bucket_rate(5, 5)};
	n = notifyin_new(&conf, &zones);
	notifyin_configure(n, &conf, acl);
	now.us = 1000 * S;
	delegations = 0;
	return 0;
}

int
notifyrig_teardown(void **state)
{
	(void)state;
	notifyin_free(n);
	acl_free(acl);
	buf_clear(&message);
	for (unsigned i = 0; i < 3; i++)
		primary_clear(&primary[i]);
	return 0;
}

static bool
certified(const void *certificate, const struct primary *p)
{
	return certificate == n && p != NULL;
}

void
judge_raw(const char *from, bool tcp, bool authenticated)
{
	struct notifyin_source src = {
	    .tcp = tcp, .certified = authenticated ? certified : NULL, .certificate = n};
	struct zr_err e;
	struct msg m;

	assert_true(addr_parse(from, 4711, &src.from));
	int parsed = msg_parse(&m, message.data, message.len, MSG_FULL, &e);
	notifyin_judge(n, &src, &m, parsed, now, &v);
}

void
judge(const char *text, uint16_t qtype, const char *from)
{
	char whole[512];

	buf_reset(&message);
	snprintf(whole, sizeof(whole), "!query !opcode=4 %s", text);
	xfrmsg_build(&message, whole, qtype);
	judge_raw(from, false, false);
}
