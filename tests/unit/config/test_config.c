/* SPDX-License-Identifier: BSD-2-Clause */
#include "catch.h"

#include "base/clock.h"
#include "config/schema.h"
#include "wire/name.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHORTEST                                                                                   \
	"primaries: {hidden: {address: 192.0.2.53}}\n"                                             \
	"downstreams: {bind: {address: 127.0.0.1@5301}}\n"                                         \
	"zones:\n"                                                                                 \
	"  example.org: {}\n"

static const struct config_zone *
zone(const struct config *c, const char *text)
{
	uint8_t name[NAME_MAX_LEN];

	assert_true(name_from_text(text, name) > 0);
	name_lower(name, name);
	return config_zone_find(c, name);
}

static void
address_is(const struct zr_addr *a, const char *want)
{
	char text[ADDR_TEXT_MAX];

	assert_string_equal(addr_text(a, text), want);
}

static void
test_server_defaults(void **state)
{
	struct config *c = load_good(SHORTEST);
	const struct config_server *s = &c->server;

	(void)state;
	assert_int_equal(s->listen.n, 2);
	address_is(&s->listen.v[0], "127.0.0.1@5300");
	address_is(&s->listen.v[1], "::1@5300");
	assert_true(s->listen_default);
	assert_string_equal(s->database, ZR_LOCALSTATEDIR "/lib/zonerelay/zonerelay.db");
	assert_string_equal(s->control, ZR_RUNSTATEDIR "/zonerelay/zonerelay.sock");
	assert_int_equal(s->workers, 2);
	assert_int_equal(s->max_transfers_in, 32);
	assert_int_equal(s->max_transfers_out, 512);
	assert_int_equal(s->max_transfers_out_per_downstream, 256);
	assert_int_equal(s->soa_rate, 20000);
	assert_int_equal(s->notify_rate, 500);
	assert_int_equal(s->notify_in_rate, 1000);
	assert_int_equal(s->tcp_clients, 150);
	assert_int_equal(s->tcp_per_client, 25);
	assert_int_equal(s->tcp_idle_us, 10 * ZR_US_PER_S);
	assert_int_equal(s->soa_timeout_us, 5 * ZR_US_PER_S);
	assert_int_equal(s->soa_tries, 3);
	assert_int_equal(s->connect_timeout_us, 5 * ZR_US_PER_S);
	assert_int_equal(s->transfer_idle_us, 60 * ZR_US_PER_S);
	assert_int_equal(s->min_rate, 10240);
	assert_int_equal(s->min_rate_us, 300 * ZR_US_PER_S);
	assert_int_equal(s->tcp_stall_us, 60 * ZR_US_PER_S);
	assert_int_equal(s->max_forced, 10);
	assert_int_equal(s->forced_rate, 600);
	assert_int_equal(s->forced_burst, 50);
	assert_int_equal(s->max_hooks, 4);
	assert_int_equal(s->self_address.n, 0);
	assert_int_equal(s->resolver.n, 0);
	assert_int_equal(c->log.level, LOG_LVL_INFO);
	assert_int_equal(c->log.format, LOG_FMT_TEXT);
	assert_int_equal(c->log.dest, LOG_DEST_STDERR);
	config_free(c);
}

static void
test_peer_defaults(void **state)
{
	struct config *c = load_good(SHORTEST);
	const struct config_primary *p = &c->primaries[0];
	const struct config_downstream *d = &c->downstreams[0];
	char text[ADDR_TEXT_MAX];

	(void)state;
	assert_int_equal(c->primary_count, 1);
	assert_string_equal(p->name, "hidden");
	assert_int_equal(p->address.n, 1);
	address_is(&p->address.v[0], "192.0.2.53@53");
	assert_int_equal(p->source4.family, 0);
	assert_int_equal(p->notify_from.n, 0);
	assert_int_equal(p->max_transfers, 8);
	assert_int_equal(p->soa_rate, 10000);
	assert_true(p->ixfr && p->edns && !p->soa_tcp);
	assert_int_equal(p->forced, CONFIG_FORCED_AUTO);
	assert_int_equal(p->max_forced, 4);
	assert_int_equal(p->forced_rate, 60);
	assert_int_equal(p->forced_burst, 10);
	assert_int_equal(c->downstream_count, 1);
	assert_string_equal(d->name, "bind");
	address_is(&d->address.v[0], "127.0.0.1@5301");
	assert_int_equal(d->transfer_from.n, 1);
	assert_string_equal(prefix_text(&d->transfer_from.v[0], text), "127.0.0.1");
	assert_true(d->notify && d->notify_hint);
	assert_int_equal(d->notify_transport, CONFIG_UDP);
	assert_int_equal(d->server, CONFIG_KIND_NONE);
	assert_int_equal(d->on_forced.n, 0);
	assert_int_equal(d->on_change.n, 0);
	assert_int_equal(d->hook_timeout_us, 60 * ZR_US_PER_S);
	assert_int_equal(d->hook_tries, 5);
	config_free(c);
}

static void
test_zone_defaults(void **state)
{
	struct config *c = load_good(SHORTEST);
	const struct config_zone *z = zone(c, "Example.ORG.");
	const struct config_policy *p;

	(void)state;
	assert_non_null(z);
	assert_string_equal(z->file, "t.yaml");
	assert_int_equal(z->line, 4);
	assert_int_equal(z->col, 3);
	p = z->policy;
	assert_int_equal(p->primary_count, 1);
	assert_ptr_equal(p->primaries[0], &c->primaries[0]);
	assert_int_equal(p->downstream_count, 1);
	assert_ptr_equal(p->downstreams[0], &c->downstreams[0]);
	assert_int_equal(p->refresh_min_us, 300 * ZR_US_PER_S);
	assert_int_equal(p->refresh_max_us, 28 * 86400 * ZR_US_PER_S);
	assert_int_equal(p->retry_min_us, 60 * ZR_US_PER_S);
	assert_int_equal(p->retry_max_us, 14 * 86400 * ZR_US_PER_S);
	assert_int_equal(p->max_size, UINT64_C(2) << 30);
	assert_int_equal(p->max_records, 50000000);
	assert_int_equal(p->max_messages, 10000000);
	assert_int_equal(p->max_steps, 10000);
	assert_int_equal(p->max_transfer_us, 7200 * ZR_US_PER_S);
	assert_int_equal(p->max_transfer_out_us, 7200 * ZR_US_PER_S);
	assert_int_equal(p->splay_us, 0);
	assert_int_equal(p->journal_steps, 1000);
	assert_true(p->ixfr && p->notify_enclosing);
	assert_int_equal(p->forced_interval_us, 60 * ZR_US_PER_S);
	assert_int_equal(p->forced_burst, 1);
	assert_int_equal(p->forced_lower, CONFIG_LOWER_AUTHENTICATED);
	assert_int_equal(p->forced_splay_us, 60 * ZR_US_PER_S);
	assert_int_equal(p->forced_window_us, 600 * ZR_US_PER_S);
	assert_int_equal(p->forced_verify_us, 300 * ZR_US_PER_S);
	assert_true(p->forced_return && !p->notify_mname);
	assert_int_equal(p->notify_targets, CONFIG_TARGETS_EXPLICIT);
	assert_int_equal(p->also_notify.n, 0);
	config_free(c);
}

static const struct config_downstream *
downstream(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->downstream_count; i++)
		if (strcmp(c->downstreams[i].name, name) == 0)
			return &c->downstreams[i];
	fail_msg("no downstream %s", name);
	return NULL;
}

static void
command_is(const struct config_argv *a, const char *const *want)
{
	size_t n = 0;

	for (; want[n] != NULL; n++) {
		assert_true(n < a->n);
		assert_string_equal(a->v[n], want[n]);
	}
	assert_int_equal(a->n, n);
	if (n > 0)
		assert_null(a->v[n]); /* as posix_spawn() wants it */
}

/* The words of a choice are in the order of the enums. */
static void
test_choices(void **state)
{
	static const char *const forced[] = {"auto", "address", "key", "off"};
	static const char *const lower[] = {"authenticated", "always", "never"};
	static const char *const kind[] = {"none", "bind", "nsd", "knot", "powerdns"};
	static const char *const targets[] = {"explicit", "ns", "ns-and-acl", "acl"};
	char yaml[512];

	(void)state;
	for (int i = 0; i < 20; i++) {
		struct config *c;

		snprintf(yaml, sizeof(yaml),
		    "primaries: {a: {address: 192.0.2.1, forced: %s}}\n"
		    "downstreams: {d: {address: 192.0.2.2, server: %s}}\n"
		    "zones: {example.org: {forced-lower-serial: %s, notify-targets: %s}}\n",
		    forced[i % 4], kind[i % 5], lower[i % 3], targets[i % 4]);
		c = load_good(yaml);
		assert_int_equal(c->primaries[0].forced, i % 4);
		assert_int_equal(c->downstreams[0].server, i % 5);
		assert_int_equal(c->zones[0].policy->forced_lower, i % 3);
		assert_int_equal(c->zones[0].policy->notify_targets, i % 4);
		config_free(c);
	}
}

/* `server` gives a command, unless one is written, be it the empty one. */
static void
test_server_gives_a_command(void **state)
{
	static const char *const none[] = {NULL};
	static const char *const bind[] = {"rndc", "retransfer", "{zone}", NULL};
	static const char *const nsd[] = {"nsd-control", "force_transfer", "{zone}", NULL};
	static const char *const knot[] = {"knotc", "zone-retransfer", "{zone}", NULL};
	static const char *const powerdns[] = {"pdns_control", "retrieve", "{zone}", NULL};
	static const char *const own[] = {"/bin/x", "-z{zone}", "", NULL};
	struct config *c =
	    load_good("primaries: {a: {address: 192.0.2.1}}\n"
		      "downstreams:\n"
		      "  no: {address: 192.0.2.10}\n"
		      "  none: {address: 192.0.2.11, server: none}\n"
		      "  bind: {address: 192.0.2.12, server: bind}\n"
		      "  nsd: {address: 192.0.2.13, server: nsd, on-change: [touch, x]}\n"
		      "  knot: {address: 192.0.2.14, on-change: [], server: knot}\n"
		      "  powerdns: {address: 192.0.2.15, server: powerdns}\n"
		      "  off: {address: 192.0.2.16, server: bind, on-forced: []}\n"
		      "  own: {address: 192.0.2.17, on-forced: [/bin/x, '-z{zone}', ''],\n"
		      "        server: bind}\n"
		      "zones: {example.org: {}}\n");

	(void)state;
	command_is(&downstream(c, "no")->on_forced, none);
	command_is(&downstream(c, "none")->on_forced, none);
	command_is(&downstream(c, "bind")->on_forced, bind);
	command_is(&downstream(c, "bind")->on_change, none);
	command_is(&downstream(c, "nsd")->on_forced, nsd);
	command_is(&downstream(c, "nsd")->on_change, (const char *const[]){"touch", "x", NULL});
	command_is(&downstream(c, "knot")->on_forced, knot);
	command_is(&downstream(c, "knot")->on_change, none);
	command_is(&downstream(c, "powerdns")->on_forced, powerdns);
	command_is(&downstream(c, "off")->on_forced, none);
	command_is(&downstream(c, "own")->on_forced, own);
	config_free(c);
}

static void
test_commands(void **state)
{
	static const char *const all[] = {"x", "{zone}{serial}", "{old-serial} {primary}",
	    "--kind={kind}", "{}", "{ zone }", "{\"zone\": 1}", "{zone", "zone}", "{{zone}}", "a b",
	    "$(x)", "null", "é", NULL};
	struct config *c = load_good("primaries: {a: {address: 192.0.2.1}}\n"
				     "downstreams:\n"
				     "  d:\n"
				     "    address: 192.0.2.2\n"
				     "    on-change:\n"
				     "      - x\n"
				     "      - '{zone}{serial}'\n"
				     "      - \"{old-serial} {primary}\"\n"
				     "      - --kind={kind}\n"
				     "      - '{}'\n"
				     "      - '{ zone }'\n"
				     "      - '{\"zone\": 1}'\n"
				     "      - '{zone'\n"
				     "      - zone}\n"
				     "      - '{{zone}}'\n"
				     "      - a b\n"
				     "      - $(x)\n"
				     "      - \"null\"\n"
				     "      - \u00e9\n"
				     "zones: {example.org: {}}\n");
	char *text = printed(c);
	struct config *again = load_good(text);

	(void)state;
	command_is(&c->downstreams[0].on_change, all);
	command_is(&again->downstreams[0].on_change, all);
	free(text);
	config_free(again);
	config_free(c);
}

/* As many arguments as there may be, and one more. */
static void
test_command_length(void **state)
{
	struct buf b = BUF_INIT;
	struct config *c;

	(void)state;
	buf_str(&b, "downstreams: {d: {address: 192.0.2.2, on-forced: [x");
	for (int i = 1; i < 64; i++)
		buf_str(&b, ", a");
	buf_str(&b, "]}}\n");
	c = load_good(buf_cstr(&b));
	assert_int_equal(c->downstreams[0].on_forced.n, 64);
	config_free(c);
	b.len -= strlen("]}}\n");
	buf_str(&b, ", a]}}\n");
	load_bad(buf_cstr(&b), "t.yaml:1:50: on-forced: more than 64 arguments\n");
	buf_clear(&b);
}

static void
test_default_template_is_everything_in_file_order(void **state)
{
	struct config *c = load_good("primaries:\n"
				     "  b: {address: 192.0.2.2}\n"
				     "  a: {address: 192.0.2.1}\n"
				     "downstreams:\n"
				     "  y: {address: 192.0.2.4}\n"
				     "  x: {notify: no, transfer-from: 192.0.2.3}\n"
				     "templates: {default: {splay: 1s}}\n"
				     "zones: {example.org: {}}\n");
	const struct config_policy *p = zone(c, "example.org")->policy;

	(void)state;
	assert_int_equal(p->primary_count, 2);
	assert_string_equal(p->primaries[0]->name, "b");
	assert_string_equal(p->primaries[1]->name, "a");
	assert_int_equal(p->downstream_count, 2);
	assert_string_equal(p->downstreams[0]->name, "y");
	assert_string_equal(p->downstreams[1]->name, "x");
	assert_int_equal(p->splay_us, ZR_US_PER_S);
	config_free(c);
}

static void
test_zone_over_template(void **state)
{
	struct config *c = load_good("primaries:\n"
				     "  a: {address: 192.0.2.1}\n"
				     "  b: {address: 192.0.2.2}\n"
				     "downstreams: {x: {address: 192.0.2.3}}\n"
				     "templates:\n"
				     "  default: {primaries: b, refresh: 1h}\n"
				     "  other: {splay: 3s, primaries: a}\n"
				     "zones:\n"
				     "  none.example: {downstreams: []}\n"
				     "  other.example: {retry: 2m..3m, template: other}\n");
	const struct config_policy *none = zone(c, "none.example")->policy;
	const struct config_policy *other = zone(c, "other.example")->policy;

	(void)state;
	assert_int_equal(none->downstream_count, 0);
	assert_string_equal(none->primaries[0]->name, "b");
	assert_int_equal(none->refresh_min_us, 3600 * ZR_US_PER_S);
	assert_int_equal(none->refresh_max_us, 3600 * ZR_US_PER_S);
	assert_int_equal(other->splay_us, 3 * ZR_US_PER_S);
	assert_int_equal(other->retry_min_us, 120 * ZR_US_PER_S);
	assert_int_equal(other->retry_max_us, 180 * ZR_US_PER_S);
	assert_string_equal(other->primaries[0]->name, "a");
	/* A template does not inherit from the default one. */
	assert_int_equal(other->refresh_min_us, 300 * ZR_US_PER_S);
	config_free(c);
}

static void
test_equal_policies_are_shared(void **state)
{
	struct config *c = load_good("primaries: {a: {address: 192.0.2.1}}\n"
				     "downstreams: {x: {address: 192.0.2.3}}\n"
				     "templates: {other: {splay: 3s}}\n"
				     "zones:\n"
				     "  a.example: {splay: 3000ms}\n"
				     "  b.example: {template: other}\n"
				     "  c.example: {template: other, primaries: [a]}\n"
				     "  d.example: {}\n"
				     "  e.example: {splay: 0s}\n"
				     "  f.example: {splay: 4s}\n");
	const struct config_policy *p = zone(c, "a.example")->policy;

	(void)state;
	assert_ptr_equal(p, zone(c, "b.example")->policy);
	assert_ptr_equal(p, zone(c, "c.example")->policy);
	assert_ptr_not_equal(p, zone(c, "d.example")->policy);
	assert_ptr_equal(zone(c, "d.example")->policy, zone(c, "e.example")->policy);
	assert_ptr_not_equal(zone(c, "f.example")->policy, p);
	config_free(c);
}

static void
test_find(void **state)
{
	struct config *c = load_good("primaries: {a: {address: 192.0.2.1}}\n"
				     "zones:\n"
				     "  example.org: {}\n"
				     "  sub.example.org: {}\n"
				     "  .: {}\n"
				     "  org: {}\n"
				     "  EXAMPLE.net: {}\n"
				     "  xexample.org: {}\n");

	(void)state;
	assert_int_equal(c->zone_count, 6);
	for (size_t i = 1; i < c->zone_count; i++)
		assert_true(zones_cmp(c->zones[i - 1].name, c->zones[i].name) < 0);
	for (size_t i = 0; i < c->zone_count; i++)
		assert_ptr_equal(config_zone_find(c, c->zones[i].name), &c->zones[i]);
	assert_non_null(zone(c, "."));
	assert_non_null(zone(c, "example.net"));
	assert_null(zone(c, "net"));
	assert_null(zone(c, "b.example.org"));
	assert_null(zone(c, "zz"));
	config_free(c);
	c = load_good("");
	assert_null(zone(c, "example.org"));
	config_free(c);
}

/* Every key of a primary, a downstream and a policy counts. */
struct variant {
	const char *section; /* 'p', 'd' or 't' */
	const char *keys;
};

#define PIN_A "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define PIN_B "BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define TLS "server: {tls: {listen: 192.0.2.99, cert: /cert, key: /key, client-ca: /ca}}\n"

static const struct variant variants[] = {
    {"p", "address: 192.0.2.9"},
    {"p", "address: [192.0.2.1, 192.0.2.9]"},
    {"p", "address: 192.0.2.1@54"},
    {"p", "address: 192.0.2.1, source: 192.0.2.8"},
    {"p", "address: [192.0.2.1], notify-from: 192.0.2.8"},
    {"p", "address: [192.0.2.1], notify-from: 192.0.2.8/31"},
    {"p", "address: 192.0.2.1, max-transfers: 9"},
    {"p", "address: 192.0.2.1, soa-rate: 501"},
    {"p", "address: 192.0.2.1, ixfr: no"},
    {"p", "address: 192.0.2.1, ixfr-strict: no"},
    {"p", "address: 192.0.2.1, edns: no"},
    {"p", "address: 192.0.2.1, soa-tcp: yes"},
    {"p", "address: 192.0.2.1, forced: address"},
    {"p", "address: 192.0.2.1, forced: off"},
    {"p", "address: 192.0.2.1, max-forced: 5"},
    {"p", "address: 192.0.2.1, forced-rate: 61"},
    {"p", "address: 192.0.2.1, forced-burst: 11"},
    {"p", "address: 192.0.2.1, key: k"},
    {"p", "address: 192.0.2.1, notify-key: k"},
    {"p", "address: 192.0.2.1@53, tls: {pin: " PIN_A "}"},
    {"p", "address: 192.0.2.1@53, tls: {ca: /ca, name: a.example}"},
    {"d", "address: 192.0.2.9"},
    {"d", "address: 192.0.2.2@53, tls: {pin: " PIN_A "}, notify-transport: tls"},
    {"d", "address: 192.0.2.2, client-name: a.example"},
    {"d", "address: 192.0.2.2, client-pin: " PIN_A},
    {"d", "address: 192.0.2.2, key: k, xot: require"},
    {"d", "address: 192.0.2.2, key: k"},
    {"d", "address: 192.0.2.2, notify-key: k"},
    {"d", "address: 192.0.2.2, transfer-from: 192.0.2.0/24"},
    {"d", "address: 192.0.2.2, transfer-from: []"},
    {"d", "address: 192.0.2.2, notify: no"},
    {"d", "address: 192.0.2.2, notify-hint: no"},
    {"d", "address: 192.0.2.2, notify-transport: tcp"},
    {"d", "address: 192.0.2.2, source: 192.0.2.7"},
    {"d", "address: 192.0.2.2, server: bind"},
    {"d", "address: 192.0.2.2, server: bind, on-forced: []"},
    {"d", "address: 192.0.2.2, on-forced: [x]"},
    {"d", "address: 192.0.2.2, on-change: [x]"},
    {"d", "address: 192.0.2.2, hook-timeout: 59s"},
    {"d", "address: 192.0.2.2, hook-tries: 4"},
    {"t", "primaries: [b]"},
    {"t", "primaries: [b, a]"},
    {"t", "downstreams: []"},
    {"t", "primaries: [t], downstreams: [], xot: require"},
    {"t", "soa-over-tls: no"},
    {"t", "refresh: 299s..4w"},
    {"t", "refresh: 300s..3w"},
    {"t", "retry: 61s..2w"},
    {"t", "retry: 60s..1w"},
    {"t", "max-size: 1GiB"},
    {"t", "max-records: 50000001"},
    {"t", "max-messages: 10000001"},
    {"t", "max-steps: 10001"},
    {"t", "max-transfer-time: 1h"},
    {"t", "max-transfer-time-out: 1h"},
    {"t", "splay: 1ms"},
    {"t", "journal-steps: 21"},
    {"t", "ixfr: no"},
    {"t", "notify-enclosing: no"},
    {"t", "forced-interval: 61s"},
    {"t", "forced-burst: 2"},
    {"t", "forced-lower-serial: always"},
    {"t", "forced-lower-serial: never"},
    {"t", "forced-splay: 59s"},
    {"t", "forced-window: 9m"},
    {"t", "forced-verify: 301s"},
    {"t", "forced-return: no"},
    {"t", "notify-targets: ns"},
    {"t", "notify-targets: acl"},
    {"t", "also-notify: 192.0.2.8"},
    {"t", "notify-key: k"},
    {"t", "notify-mname: yes"},
};

static struct config *
variant(const struct variant *v)
{
	char yaml[1024];
	char what = v != NULL ? v->section[0] : ' ';

	snprintf(yaml, sizeof(yaml),
	    TLS "keys: {k: {secret: c2VjcmV0}}\n"
		"primaries:\n"
		"  a: {%s}\n"
		"  b: {address: 192.0.2.6}\n"
		"  t: {address: 192.0.2.5, tls: {pin: " PIN_B "}}\n"
		"downstreams: {x: {%s}}\n"
		"templates: {default: {%s}}\n"
		"zones: {example.org: {}}\n",
	    what == 'p' ? v->keys : "address: 192.0.2.1",
	    what == 'd' ? v->keys : "address: 192.0.2.2", what == 't' ? v->keys : "");
	return load_good(yaml);
}

static void
test_equal_sees_every_key(void **state)
{
	struct config *base = variant(NULL), *same = variant(NULL);
	const struct config_policy *p = zone(base, "example.org")->policy;

	(void)state;
	assert_true(config_policy_equal(p, zone(same, "example.org")->policy));
	assert_true(config_primary_equal(&base->primaries[0], &same->primaries[0]));
	assert_true(config_downstream_equal(&base->downstreams[0], &same->downstreams[0]));
	config_free(same);
	for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++) {
		const struct variant *v = &variants[i];
		struct config *c = variant(v);
		char what = v->section[0];

		if (config_policy_equal(p, zone(c, "example.org")->policy))
			fail_msg("%s made no difference", v->keys);
		assert_int_equal(
		    config_primary_equal(&base->primaries[0], &c->primaries[0]), what != 'p');
		assert_int_equal(config_downstream_equal(&base->downstreams[0], &c->downstreams[0]),
		    what != 'd');
		config_free(c);
	}
	config_free(base);
}

/* An argument more, less or other; an address or a port more, less or other. */
static void
test_equal_looks_into_lists(void **state)
{
	static const char *const d[] = {"on-forced: [x, a]", "on-forced: [x, b]", "on-forced: [x]",
	    "on-forced: [x, a, a]", "on-change: [x, a]"};
	static const char *const t[] = {"also-notify: [192.0.2.8, 192.0.2.9]",
	    "also-notify: [192.0.2.8@54, 192.0.2.9]", "also-notify: [192.0.2.9, 192.0.2.8]",
	    "also-notify: [192.0.2.8]", "also-notify: [192.0.2.8, \"2001:db8::9\"]"};
	char keys[2][128];

	(void)state;
	for (size_t i = 0; i < 5; i++)
		for (size_t k = 0; k < 5; k++) {
			struct config *a, *b;

			snprintf(keys[0], sizeof(keys[0]), "address: 192.0.2.2, %s", d[i]);
			snprintf(keys[1], sizeof(keys[1]), "address: 192.0.2.2, %s", d[k]);
			a = variant(&(struct variant){"d", keys[0]});
			b = variant(&(struct variant){"d", keys[1]});
			assert_int_equal(
			    config_downstream_equal(&a->downstreams[0], &b->downstreams[0]),
			    i == k);
			config_free(a);
			config_free(b);
			a = variant(&(struct variant){"t", t[i]});
			b = variant(&(struct variant){"t", t[k]});
			assert_int_equal(
			    config_policy_equal(a->zones[0].policy, b->zones[0].policy), i == k);
			config_free(a);
			config_free(b);
		}
}

/* Trust is compared member by member, and a change of the file's name alone counts. */
static void
test_equal_looks_into_trust(void **state)
{
	static const char *const tls[] = {"ca: /ca, name: a.example", "ca: /cb, name: a.example",
	    "ca: /ca, name: b.example", "ca: system, name: a.example",
	    "ca: /ca, name: a.example, pin: " PIN_A,
	    "ca: /ca, name: a.example, pin: [" PIN_A ", " PIN_B "]",
	    "ca: /ca, name: a.example, cert: /c, key: /k",
	    "ca: /ca, name: a.example, cert: /d, key: /k",
	    "ca: /ca, name: a.example, cert: /c, key: /l", "pin: " PIN_A, "pin: " PIN_B};
	const size_t n = sizeof(tls) / sizeof(tls[0]);

	(void)state;
	for (size_t i = 0; i < n * n; i++) {
		bool same = i / n == i % n;
		char keys[2][256];
		struct config *a, *b;

		for (unsigned k = 0; k < 2; k++)
			snprintf(keys[k], sizeof(keys[k]), "address: 192.0.2.1, tls: {%s}",
			    tls[k == 0 ? i / n : i % n]);
		a = variant(&(struct variant){"p", keys[0]});
		b = variant(&(struct variant){"p", keys[1]});
		assert_int_equal(config_primary_equal(&a->primaries[0], &b->primaries[0]), same);
		config_free(a);
		config_free(b);
		a = variant(&(struct variant){"d", keys[0]});
		b = variant(&(struct variant){"d", keys[1]});
		assert_int_equal(
		    config_downstream_equal(&a->downstreams[0], &b->downstreams[0]), same);
		config_free(a);
		config_free(b);
	}
}

static void
test_equal_sees_xot_alone(void **state)
{
	struct config *c[2];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		char yaml[512];

		snprintf(yaml, sizeof(yaml),
		    "primaries: {t: {address: 192.0.2.5, tls: {pin: " PIN_A "}}}\n"
		    "zones: {a.example: {xot: %s}}\n",
		    i == 0 ? "no" : "require");
		c[i] = load_good(yaml);
	}
	assert_false(config_policy_equal(c[0]->zones[0].policy, c[1]->zones[0].policy));
	config_free(c[0]);
	config_free(c[1]);
}

/* What follows from `tls` and from client-name, where nothing else is written. */
static void
test_trust_defaults(void **state)
{
	struct config *c = load_good(
	    TLS "primaries: {t: {address: [192.0.2.5, 192.0.2.6@54], tls: {pin: " PIN_A "}}}\n"
		"downstreams:\n"
		"  plain: {address: 192.0.2.7}\n"
		"  tls: {address: 192.0.2.8, tls: {ca: system, name: A.Example.}}\n"
		"  cert: {address: 192.0.2.9, client-name: B.Example}\n");

	(void)state;
	assert_int_equal(c->server.tls.listen.v[0].port, 853);
	assert_int_equal(c->primaries[0].address.v[0].port, 853);
	assert_int_equal(c->primaries[0].address.v[1].port, 54);
	assert_int_equal(c->downstreams[0].address.v[0].port, 53);
	assert_int_equal(c->downstreams[0].notify_transport, CONFIG_UDP);
	assert_int_equal(c->downstreams[0].xot, CONFIG_XOT_NO);
	assert_int_equal(c->downstreams[1].address.v[0].port, 853);
	assert_int_equal(c->downstreams[1].notify_transport, CONFIG_TLS);
	assert_string_equal(c->downstreams[1].tls.name, "a.example");
	assert_string_equal(c->downstreams[1].tls.ca, CONFIG_CA_SYSTEM);
	assert_int_equal(c->downstreams[2].address.v[0].port, 53);
	assert_int_equal(c->downstreams[2].xot, CONFIG_XOT_REQUIRE);
	assert_string_equal(c->downstreams[2].client_name, "b.example");
	config_free(c);
}

/* Zones with different keys have different policies, zones with the same ones share. */
static void
test_every_variant_is_a_policy(void **state)
{
	for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++) {
		struct config *c;
		char yaml[1024];

		if (variants[i].section[0] != 't')
			continue;
		snprintf(yaml, sizeof(yaml),
		    "keys: {k: {secret: c2VjcmV0}}\n"
		    "primaries: {a: {address: 192.0.2.1}, b: {address: 192.0.2.6},\n"
		    "  t: {address: 192.0.2.5, tls: {pin: " PIN_B "}}}\n"
		    "downstreams: {x: {address: 192.0.2.2}}\n"
		    "zones:\n"
		    "  a.example: {}\n"
		    "  b.example: {%s}\n"
		    "  c.example: {%s}\n",
		    variants[i].keys, variants[i].keys);
		c = load_good(yaml);
		assert_ptr_not_equal(zone(c, "a.example")->policy, zone(c, "b.example")->policy);
		assert_ptr_equal(zone(c, "b.example")->policy, zone(c, "c.example")->policy);
		config_free(c);
	}
	(void)state;
}

/* The number of keys above; a new key needs a variant. */
static void
test_equal_has_a_variant_for_every_key(void **state)
{
	const struct {
		const struct schema *s;
		char what;
	} all[] = {{&schema_primary, 'p'}, {&schema_downstream, 'd'}, {&schema_template, 't'}};

	(void)state;
	for (size_t i = 0; i < 3; i++)
		for (size_t k = 0; k < all[i].s->count; k++) {
			const char *key = all[i].s->keys[k].key;
			bool found = false;

			for (size_t v = 0; v < sizeof(variants) / sizeof(variants[0]); v++) {
				const char *at = strstr(variants[v].keys, key);

				found = found || (variants[v].section[0] == all[i].what &&
						     at != NULL && at[strlen(key)] == ':');
			}
			if (!found)
				fail_msg("no variant for '%s' of %s", key, all[i].s->what);
		}
}

/* Every key has its text and a default that its own limits allow. */
static void
test_schema_is_sound(void **state)
{
	char space[1024];
	struct caught caught;
	struct config *c = catch_text(&caught, "");
	struct load l = {.c = c, .arena = &c->mem->arena, .dir = "/"};

	(void)state;
	for (size_t i = 0; schema_all[i] != NULL; i++) {
		const struct schema *s = schema_all[i];

		memset(space, 0, sizeof(space));
		schema_defaults(s, space, &l); /* asserts that each is accepted */
		for (size_t k = 0; k < s->count; k++) {
			const struct schema_key *key = &s->keys[k];
			size_t len = strlen(key->doc);

			if (len < 10 || key->doc[len - 1] != '.')
				fail_msg(
				    "'%s' of %s: the text is not a sentence", key->key, s->what);
			assert_int_equal(
			    strspn(key->key, "abcdefghijklmnopqrstuvwxyz-"), strlen(key->key));
			assert_true(key->at < sizeof(space));
			assert_int_equal(key->type == VALUE_CHOICE, key->choice != NULL);
			for (size_t j = 0; j < k; j++)
				assert_string_not_equal(key->key, s->keys[j].key);
		}
	}
	buf_clear(&caught.text);
	config_free(c);
}

static void
write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* Paths count from the folder of the file, not from where the daemon was started. */
static void
test_relative_paths(void **state)
{
	char dir[] = "/tmp/zonerelay-test-XXXXXX", path[64], want[PATH_MAX + 64];
	struct caught caught;
	struct config *c;
	char *real;

	(void)state;
	assert_non_null(mkdtemp(dir));
	real = realpath(dir, NULL);
	snprintf(path, sizeof(path), "%s/z.txt", dir);
	write_file(path, "one.example\nb..d\n");
	snprintf(path, sizeof(path), "%s/z.yaml", dir);
	write_file(path, "server: {database: zr.db, control: run/zr.sock}\n"
			 "primaries: {a: {address: 192.0.2.1}}\n"
			 "zone-lists: [{file: z.txt}, {file: ./none.txt}]\n");
	c = catch_load(&caught, path);
	assert_null(c);
	snprintf(want, sizeof(want),
	    "%s/z.yaml:3:36: cannot read %s/./none.txt: No such file or directory\n"
	    "%s/z.txt:2:3: 'b..d' is not a domain name: an empty label\n",
	    dir, dir, dir);
	assert_string_equal(buf_cstr(&caught.text), want);
	buf_clear(&caught.text);
	write_file(path, "server: {database: zr.db, control: run/zr.sock}\n");
	c = catch_load(&caught, path);
	assert_non_null(c);
	snprintf(want, sizeof(want), "%s/zr.db", real);
	assert_string_equal(c->server.database, want);
	snprintf(want, sizeof(want), "%s/run/zr.sock", real);
	assert_string_equal(c->server.control, want);
	config_free(c);
	buf_clear(&caught.text);
	unlink(path);
	snprintf(path, sizeof(path), "%s/z.txt", dir);
	unlink(path);
	rmdir(dir);
	free(real);
}

static void
test_unreadable(void **state)
{
	struct caught caught;

	(void)state;
	assert_null(catch_load(&caught, "/nonexistent/zonerelay.yaml"));
	assert_string_equal(buf_cstr(&caught.text),
	    "/nonexistent/zonerelay.yaml: cannot be read: No such file or directory\n");
	assert_int_equal(caught.r.errors, 1);
	buf_clear(&caught.text);
	assert_null(catch_load(&caught, "/"));
	assert_string_equal(buf_cstr(&caught.text), "/: cannot be read: Is a directory\n");
	buf_clear(&caught.text);
}

/* A fifo where a list should be must not hold anything up. */
static void
test_fifo_is_no_zone_list(void **state)
{
	char dir[] = "/tmp/zonerelay-test-XXXXXX", path[64], yaml[256], want[256];

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/fifo", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	snprintf(yaml, sizeof(yaml), "zone-lists: [{file: %s}]\n", path);
	snprintf(want, sizeof(want), "t.yaml:1:21: %s is not a regular file\n", path);
	load_bad(yaml, want);
	unlink(path);
	rmdir(dir);
}

static void
test_counts(void **state)
{
	struct caught caught;
	struct config *c;

	(void)state;
	c = catch_text(&caught, "server: {workers: 0, soa-tries: 0}\n"
				"primaries:\n"
				"  a: {address: 192.0.2.1, source: \"::1\"}\n");
	assert_null(c);
	assert_int_equal(caught.r.errors, 2);
	assert_int_equal(caught.r.warnings, 1);
	buf_clear(&caught.text);
	c = catch_text(&caught, "");
	assert_non_null(c);
	assert_int_equal(caught.r.errors, 0);
	assert_int_equal(caught.r.warnings, 1);
	config_free(c);
	buf_clear(&caught.text);
	config_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_server_defaults),
	    cmocka_unit_test(test_peer_defaults),
	    cmocka_unit_test(test_zone_defaults),
	    cmocka_unit_test(test_choices),
	    cmocka_unit_test(test_server_gives_a_command),
	    cmocka_unit_test(test_commands),
	    cmocka_unit_test(test_command_length),
	    cmocka_unit_test(test_default_template_is_everything_in_file_order),
	    cmocka_unit_test(test_zone_over_template),
	    cmocka_unit_test(test_equal_policies_are_shared),
	    cmocka_unit_test(test_find),
	    cmocka_unit_test(test_equal_sees_every_key),
	    cmocka_unit_test(test_equal_looks_into_lists),
	    cmocka_unit_test(test_equal_looks_into_trust),
	    cmocka_unit_test(test_equal_sees_xot_alone),
	    cmocka_unit_test(test_trust_defaults),
	    cmocka_unit_test(test_every_variant_is_a_policy),
	    cmocka_unit_test(test_equal_has_a_variant_for_every_key),
	    cmocka_unit_test(test_schema_is_sound),
	    cmocka_unit_test(test_relative_paths),
	    cmocka_unit_test(test_unreadable),
	    cmocka_unit_test(test_fifo_is_no_zone_list),
	    cmocka_unit_test(test_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
