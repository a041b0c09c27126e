/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/resolve.h"

#include <event2/dns.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/table.h"
#include "wire/name.h"

/* One try and two more, the servers taking turns. */
#define TRY_S "2"
#define TRIES "3"
#define NEVER_S "3600" /* no lookup lives so long */
#define HOST_TEXT_MAX 256
/* When the table is full, not every name above it looks for room. */
#define FORGET_US (10 * ZR_US_PER_S)

static const char *const unresolvable = "it is not the name of a host";
static const char *const full = "too many other names are being looked up";

/* A name, and what is known of it. */
struct host {
	struct resolve_wait *waits;
	struct host *next; /* in the queue */
	struct zr_addr *addr;
	size_t count;
	const char *error;
	int64_t until_us; /* monotonic; 0: nothing is known yet */
	int64_t stale_us; /* until then the addresses do when nobody answers */
	bool asking;	  /* queued or under way */
	bool failed;
	uint8_t len;
	uint8_t name[];
};

/* Both queries for one name. */
struct lookup {
	struct lookup *next, **link;
	struct resolver *r;
	struct host *host; /* NULL: settled */
	struct evdns_base *dns;
	unsigned open; /* queries without an answer */
	bool failed;   /* one of them, not for want of addresses */
	const char *error;
	int64_t ttl_s;
	size_t count;
	struct zr_addr addr[RESOLVE_ADDRS_MAX];
};

struct resolver {
	struct event_base *base;
	struct event *turn; /* begins and clears away lookups: never from within a call */
	struct table *hosts;
	struct host *queue, **queue_end;
	struct lookup *running, *settled;
	unsigned running_count;
	int64_t forgot_us;
	size_t server_count;
	struct zr_addr servers[RESOLVE_SERVERS_MAX];
};

static const struct timeval at_once = {0, 0};

static void
wake(struct resolver *r)
{
	event_add(r->turn, &at_once);
}

/* ---- names ---- */

static bool
host_octet(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* As evdns wants it; false when it is not the name of a host. */
static bool
host_text(const uint8_t *name, char out[HOST_TEXT_MAX])
{
	static const uint8_t invalid[] = "\7invalid";
	size_t n = 0;

	if (*name == 0 || name_within(name, invalid))
		return false;
	for (; *name != 0; name += 1 + *name) {
		for (uint8_t i = 1; i <= *name; i++) {
			if (!host_octet(name[i]))
				return false;
			out[n++] = (char)name[i];
		}
		out[n++] = '.';
	}
	out[n - 1] = '\0';
	return true;
}

/* ---- waiting ---- */

void
resolver_cancel(struct resolve_wait *w)
{
	if (w->link == NULL)
		return;
	*w->link = w->next;
	if (w->next != NULL)
		w->next->link = w->link;
	w->link = NULL;
}

static void
wait_for(struct host *h, struct resolve_wait *w)
{
	w->next = h->waits;
	if (w->next != NULL)
		w->next->link = &w->next;
	w->link = &h->waits;
	h->waits = w;
}

/* A callback may ask for this name again: it then finds the answer, and does not wait. */
static void
tell_all(struct host *h)
{
	struct resolve_wait *w;

	while ((w = h->waits) != NULL) {
		resolver_cancel(w);
		w->done(w->arg);
	}
}

/* ---- one lookup ---- */

static void
set_addresses(struct host *h, const struct lookup *l, int64_t now_us)
{
	int64_t ttl_s = l->ttl_s;

	if (ttl_s < RESOLVE_TTL_MIN_S)
		ttl_s = RESOLVE_TTL_MIN_S;
	if (ttl_s > RESOLVE_TTL_MAX_S)
		ttl_s = RESOLVE_TTL_MAX_S;
	free(h->addr);
	h->addr = zr_xmemdup(l->addr, l->count * sizeof(*l->addr));
	h->count = l->count;
	h->failed = false;
	h->error = NULL;
	h->until_us = now_us + ttl_s * ZR_US_PER_S;
	h->stale_us = now_us + RESOLVE_STALE_S * ZR_US_PER_S;
}

/* When the servers are out of order, what they said before is better than nothing. */
static void
set_failure(struct host *h, bool failed, const char *error, int64_t now_us)
{
	h->error = error;
	h->until_us = now_us + RESOLVE_FAILED_S * ZR_US_PER_S;
	if (failed && h->count > 0 && now_us < h->stale_us)
		return;
	free(h->addr);
	h->addr = NULL;
	h->count = 0;
	h->failed = true;
}

/* evdns is still at work above us: it is freed in the next turn. */
static void
settle(struct lookup *l)
{
	struct resolver *r = l->r;
	struct host *h = l->host;
	int64_t now_us = clock_now().mono.us;

	*l->link = l->next;
	if (l->next != NULL)
		l->next->link = l->link;
	l->next = r->settled;
	r->settled = l;
	r->running_count--;
	l->host = NULL;
	wake(r);
	h->asking = false;
	if (l->count > 0)
		set_addresses(h, l, now_us);
	else
		set_failure(h, l->failed, l->error, now_us);
	tell_all(h);
}

static const char *
error_text(int result)
{
	switch (result) {
	case DNS_ERR_NOTEXIST:
		return "there is no such name";
	case DNS_ERR_NODATA:
	case DNS_ERR_NONE:
		return "the name has no address";
	case DNS_ERR_TIMEOUT:
		return "no resolver answers";
	case DNS_ERR_REFUSED:
		return "the resolver refuses to look it up";
	case DNS_ERR_TRUNCATED:
		return "the answer of the resolver is cut off";
	default:
		return "the resolver has failed";
	}
}

bool
resolve_usable(const struct zr_addr *a)
{
	if (addr_is_any(a))
		return false;
	return a->family == 4 ? a->ip[0] < 224 && a->ip[0] != 0 : a->ip[0] != 0xff;
}

static void
take_addresses(struct lookup *l, char type, int count, const void *addresses)
{
	size_t size = type == DNS_IPv4_A ? 4 : 16;
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	for (int i = 0; i < count && l->count < RESOLVE_ADDRS_MAX; i++) {
		struct zr_addr *a = &l->addr[l->count];
		const uint8_t *ip = (const uint8_t *)addresses + (size_t)i * size;

		*a = (struct zr_addr){.family = size == 4 ? 4 : 6};
		if (size == 16 && memcmp(ip, mapped, sizeof(mapped)) == 0) {
			a->family = 4;
			memcpy(a->ip, ip + sizeof(mapped), 4);
		} else {
			memcpy(a->ip, ip, size);
		}
		if (resolve_usable(a))
			l->count++;
	}
}

static bool
definite(int result)
{
	return result == DNS_ERR_NONE || result == DNS_ERR_NOTEXIST || result == DNS_ERR_NODATA;
}

/* Of two reasons the one that may pass counts: the name is then asked for again. */
static void
on_answer(int result, char type, int count, int ttl, void *addresses, void *arg)
{
	struct lookup *l = arg;

	if (result == DNS_ERR_NONE && count > 0 && (type == DNS_IPv4_A || type == DNS_IPv6_AAAA)) {
		take_addresses(l, type, count, addresses);
		if (ttl < l->ttl_s)
			l->ttl_s = ttl;
	}
	if (!definite(result) && !l->failed) {
		l->failed = true;
		l->error = error_text(result);
	} else if (!l->failed) {
		l->error = error_text(result);
	}
	if (--l->open == 0)
		settle(l);
}

static bool
add_servers(const struct resolver *r, struct evdns_base *dns)
{
	struct sockaddr_storage ss;

	if (r->server_count == 0)
		evdns_base_resolv_conf_parse(dns, DNS_OPTION_NAMESERVERS, "/etc/resolv.conf");
	for (size_t i = 0; i < r->server_count; i++) {
		unsigned len = addr_to_sockaddr(&r->servers[i], &ss);

		evdns_base_nameserver_sockaddr_add(
		    dns, (const struct sockaddr *)&ss, (ev_socklen_t)len, 0);
	}
	return evdns_base_count_nameservers(dns) > 0;
}

static bool
start(struct lookup *l, const char *name)
{
	struct evdns_base *dns = l->dns = evdns_base_new(l->r->base, 0);

	if (dns == NULL)
		return false;
	evdns_base_set_option(dns, "timeout", TRY_S);
	evdns_base_set_option(dns, "attempts", TRIES);
	evdns_base_set_option(dns, "initial-probe-timeout", NEVER_S);
	evdns_base_set_option(dns, "randomize-case", "0");
	if (!add_servers(l->r, dns))
		return false;
	if (evdns_base_resolve_ipv4(dns, name, DNS_QUERY_NO_SEARCH, on_answer, l) != NULL)
		l->open++;
	if (evdns_base_resolve_ipv6(dns, name, DNS_QUERY_NO_SEARCH, on_answer, l) != NULL)
		l->open++;
	return l->open > 0;
}

static void
begin(struct resolver *r, struct host *h)
{
	struct lookup *l = zr_xcalloc(1, sizeof(*l));
	char name[HOST_TEXT_MAX];

	l->r = r;
	l->host = h;
	l->ttl_s = RESOLVE_TTL_MAX_S;
	l->next = r->running;
	if (l->next != NULL)
		l->next->link = &l->next;
	l->link = &r->running;
	r->running = l;
	r->running_count++;
	host_text(h->name, name);
	if (start(l, name))
		return;
	l->failed = true;
	l->error = "there is no resolver that could be asked";
	settle(l);
}

static void
lookup_free(struct lookup *l)
{
	if (l->dns != NULL)
		evdns_base_free(l->dns, 0);
	free(l);
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct resolver *r = arg;
	struct lookup *l;
	struct host *h;

	(void)fd;
	(void)what;
	while ((l = r->settled) != NULL) {
		r->settled = l->next;
		lookup_free(l);
	}
	while (r->running_count < RESOLVE_RUNNING_MAX && (h = r->queue) != NULL) {
		r->queue = h->next;
		if (r->queue == NULL)
			r->queue_end = &r->queue;
		h->next = NULL;
		begin(r, h);
	}
}

/* ---- the table ---- */

static void
host_free(struct host *h)
{
	free(h->addr);
	free(h);
}

/* Names that nobody waits for and whose time is over. */
static void
forget(struct resolver *r, int64_t now_us)
{
	struct host *h;
	size_t pos = 0;

	if (r->forgot_us != 0 && now_us - r->forgot_us < FORGET_US)
		return;
	r->forgot_us = now_us;
	while ((h = table_next(r->hosts, &pos)) != NULL) {
		if (h->asking || h->waits != NULL || h->until_us > now_us)
			continue;
		table_del(r->hosts, h->name, h->len);
		host_free(h);
	}
}

static struct host *
host_get(struct resolver *r, const uint8_t *name, int64_t now_us)
{
	size_t len = name_len(name);
	struct host *h = table_get(r->hosts, name, len);

	if (h != NULL)
		return h;
	if (table_count(r->hosts) >= RESOLVE_NAMES_MAX)
		forget(r, now_us);
	if (table_count(r->hosts) >= RESOLVE_NAMES_MAX)
		return NULL;
	h = zr_xcalloc(1, sizeof(*h) + len);
	h->len = (uint8_t)len;
	memcpy(h->name, name, len);
	table_put(r->hosts, h->name, len, h);
	return h;
}

static void
fill(const struct host *h, struct resolve_answer *out)
{
	out->state = h->failed ? RESOLVE_FAILED : RESOLVE_FOUND;
	out->addr = h->addr;
	out->count = h->count;
	out->error = h->failed ? h->error : NULL;
}

static void
fail(struct resolve_answer *out, const char *error, bool lasting)
{
	*out = (struct resolve_answer){.state = RESOLVE_FAILED, .error = error, .lasting = lasting};
}

void
resolver_ask(
    struct resolver *r, const uint8_t *name, struct resolve_wait *w, struct resolve_answer *out)
{
	int64_t now_us = clock_now().mono.us;
	char text[HOST_TEXT_MAX];
	struct host *h;

	*out = (struct resolve_answer){.state = RESOLVE_ASKING};
	if (!host_text(name, text)) {
		fail(out, unresolvable, true);
		return;
	}
	h = host_get(r, name, now_us);
	if (h == NULL) {
		fail(out, full, false);
		return;
	}
	if (!h->asking && h->until_us > now_us) {
		fill(h, out);
		return;
	}
	if (w != NULL)
		wait_for(h, w);
	if (h->asking)
		return;
	h->asking = true;
	*r->queue_end = h;
	r->queue_end = &h->next;
	wake(r);
}

void
resolver_peek(const struct resolver *r, const uint8_t *name, struct resolve_answer *out)
{
	char text[HOST_TEXT_MAX];
	const struct host *h;

	*out = (struct resolve_answer){.state = RESOLVE_UNKNOWN};
	if (!host_text(name, text)) {
		fail(out, unresolvable, true);
		return;
	}
	h = table_get(r->hosts, name, name_len(name));
	if (h != NULL && h->until_us != 0)
		fill(h, out);
	else if (h != NULL)
		out->state = RESOLVE_ASKING;
}

size_t
resolver_names(const struct resolver *r)
{
	return table_count(r->hosts);
}

unsigned
resolver_running(const struct resolver *r)
{
	return r->running_count;
}

/* ---- life ---- */

static void
set_servers(struct resolver *r, const struct zr_addr *servers, size_t n)
{
	r->server_count = n < RESOLVE_SERVERS_MAX ? n : RESOLVE_SERVERS_MAX;
	memcpy(r->servers, servers, r->server_count * sizeof(*servers));
}

/* It would write to stderr; what fails is said by whoever asked. */
static void
no_log(int is_warning, const char *text)
{
	(void)is_warning;
	(void)text;
}

struct resolver *
resolver_new(struct event_base *base, const struct zr_addr *servers, size_t server_count)
{
	struct resolver *r = zr_xcalloc(1, sizeof(*r));

	r->base = base;
	r->turn = event_new(base, -1, 0, on_turn, r);
	r->hosts = table_new();
	r->queue_end = &r->queue;
	if (server_count > 0)
		set_servers(r, servers, server_count);
	evdns_set_log_fn(no_log);
	return r;
}

void
resolver_configure(struct resolver *r, const struct zr_addr *servers, size_t server_count)
{
	struct host *h;
	size_t pos = 0;

	r->server_count = 0;
	if (server_count > 0)
		set_servers(r, servers, server_count);
	while ((h = table_next(r->hosts, &pos)) != NULL)
		if (h->until_us != 0)
			h->until_us = 1; /* known, but not fresh */
}

static void
lookups_free(struct lookup *l)
{
	struct lookup *next;

	for (; l != NULL; l = next) {
		next = l->next;
		lookup_free(l);
	}
}

void
resolver_free(struct resolver *r)
{
	struct host *h;
	size_t pos = 0;

	if (r == NULL)
		return;
	lookups_free(r->running);
	lookups_free(r->settled);
	while ((h = table_next(r->hosts, &pos)) != NULL) {
		while (h->waits != NULL)
			resolver_cancel(h->waits);
		host_free(h);
	}
	table_free(r->hosts);
	event_free(r->turn);
	free(r);
}
