/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DNS cookies (RFC 7873): those of clients and those that servers gave us.  Without a file of
 * secrets ours is drawn at every start: who has an older cookie gets a new one with the next
 * answer.
 */
#include <stdlib.h>
#include <string.h>

#include "app/agent_p.h"
#include "base/mem.h"
#include "core/cookiejar.h"

#define SERVERS 4096 /* whose cookies are kept */
/* What may be answered with differences counts for so many SOA queries: about as many octets. */
#define LONG_COST 50

struct agent_cookies {
	struct cookies *server;
	struct cookiejar *jar;
	struct limiter *queries; /* over UDP, by those who may be forged */
	uint8_t secret[1][COOKIE_SECRET];
	bool on;
};

void
cookie_open(struct agent *a)
{
	struct agent_cookies *c = zr_xcalloc(1, sizeof(*c));

	a->cookies = c;
	c->server = cookies_new();
	c->jar = cookiejar_new(SERVERS, rand_secure);
	c->queries = limiter_new(bucket_rate(1, 1), NOTIFYIN_SOURCES);
	rand_secure(c->secret, sizeof(c->secret));
}

void
cookie_close(struct agent *a)
{
	struct agent_cookies *c = a->cookies;

	if (c == NULL)
		return;
	cookies_free(c->server);
	cookiejar_free(c->jar);
	limiter_free(c->queries);
	explicit_bzero(c->secret, sizeof(c->secret));
	free(c);
	a->cookies = NULL;
}

void
cookie_configure(struct agent *a)
{
	const struct config_server *s = &a->cfg->server;
	struct agent_cookies *c = a->cookies;

	c->on = s->cookies;
	limiter_set_rate(c->queries, bucket_rate(s->query_rate, s->query_rate));
	if (!s->cookies)
		(void)cookies_set(c->server, NULL, 0);
	else if (!cookies_set(c->server,
		     s->cookie_count != 0 ? s->cookie_secret
					  : (const uint8_t(*)[COOKIE_SECRET])c->secret,
		     s->cookie_count != 0 ? s->cookie_count : 1))
		log_event(LOG_LVL_WARN, "cookies-off",
		    LS("reason", "the OpenSSL of this machine has no SipHash (a FIPS mode?)"));
}

void
cookie_look(struct agent *a, struct replyto *to, const struct msg *m)
{
	if (to->cookie_seen)
		return;
	to->cookie_seen = true;
	to->cookie =
	    cookies_take(a->cookies->server, &m->edns, &to->from, a->now.wall, to->cookie_answer);
}

const uint8_t *
cookie_reply(struct agent *a, struct replyto *to, const struct msg *m)
{
	cookie_look(a, to, m);
	return to->cookie != COOKIES_NONE ? to->cookie_answer : NULL;
}

bool
cookie_flooded(struct agent *a, const struct replyto *to, uint16_t qtype)
{
	if (to->tcp || to->key != NULL || to->cookie == COOKIES_RIGHT)
		return false;
	return !limiter_take_cost(
	    a->cookies->queries, &to->from, qtype == TYPE_SOA ? 1 : LONG_COST, a->now.mono);
}

void
cookie_ask(struct agent *a, const struct zr_addr *dest, const struct zr_addr *source,
    struct cookie_sent *out)
{
	struct agent_cookies *c = a->cookies;
	struct zr_addr local;

	out->len = 0;
	if (!c->on)
		return;
	if (!cookiejar_stale(c->jar, dest, a->now.mono)) {
		cookiejar_ask(c->jar, dest, NULL, a->now.mono, out);
		return;
	}
	if (source == NULL || source->family == 0)
		source = udpq_source(dest, &local) ? &local : NULL;
	if (source != NULL) /* else there is no way to it anyway */
		cookiejar_ask(c->jar, dest, source, a->now.mono, out);
}

enum cookiejar_verdict
cookie_answer(struct agent *a, const struct zr_addr *dest, const struct cookie_sent *sent,
    const struct msg *m)
{
	return cookiejar_answer(a->cookies->jar, dest, sent, m, a->now.mono);
}

void
cookie_without(struct agent *a, const struct zr_addr *dest)
{
	cookiejar_without(a->cookies->jar, dest, a->now.mono);
}
