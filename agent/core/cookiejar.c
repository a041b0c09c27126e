/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/cookiejar.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/table.h"

#define WAYS 8 /* places that a server may take: the one not asked for longest gives way */

struct place {
	struct zr_addr server, source; /* family 0: empty, unknown */
	int64_t used_us, source_us;
	int64_t without_us; /* until then none is sent; 0: not so */
	uint8_t client[COOKIE_CLIENT];
	uint8_t server_len; /* 0: it has not sent one */
	uint8_t of_server[COOKIE_SERVER_MAX];
};

struct cookiejar {
	size_t sets; /* power of two */
	void (*draw)(void *p, unsigned n);
	struct place *place;
};

struct cookiejar *
cookiejar_new(size_t places, void (*draw)(void *p, unsigned n))
{
	struct cookiejar *j = zr_xcalloc(1, sizeof(*j));

	j->draw = draw;
	j->sets = 1;
	while (j->sets * WAYS < places)
		j->sets *= 2;
	j->place = zr_xcalloc(j->sets * WAYS, sizeof(*j->place));
	return j;
}

void
cookiejar_free(struct cookiejar *j)
{
	if (j == NULL)
		return;
	free(j->place);
	free(j);
}

static struct place *
set_of(const struct cookiejar *j, const struct zr_addr *server)
{
	uint8_t b[sizeof(server->ip) + 7] = {
	    server->family, (uint8_t)(server->port >> 8), (uint8_t)server->port};

	for (unsigned i = 0; i < 4; i++)
		b[3 + i] = (uint8_t)(server->scope >> (8 * i));
	memcpy(b + 7, server->ip, sizeof(server->ip));
	return &j->place[(table_hash(b, sizeof(b)) & (j->sets - 1)) * WAYS];
}

static struct place *
find(const struct cookiejar *j, const struct zr_addr *server)
{
	struct place *set = set_of(j, server);

	for (unsigned i = 0; i < WAYS; i++)
		if (set[i].server.family != 0 && addr_equal(&set[i].server, server))
			return &set[i];
	return NULL;
}

/* A new relation with the server: nothing of the old one is ever sent again (C-02). */
static void
begin(struct cookiejar *j, struct place *p)
{
	j->draw(p->client, sizeof(p->client));
	p->server_len = 0;
	p->without_us = 0;
}

static struct place *
find_or_add(struct cookiejar *j, const struct zr_addr *server)
{
	struct place *p = find(j, server), *set = set_of(j, server);

	if (p != NULL)
		return p;
	p = &set[0];
	for (unsigned i = 0; i < WAYS; i++) {
		if (set[i].server.family == 0) {
			p = &set[i];
			break;
		}
		if (set[i].used_us < p->used_us)
			p = &set[i];
	}
	*p = (struct place){.server = *server};
	begin(j, p);
	return p;
}

bool
cookiejar_stale(const struct cookiejar *j, const struct zr_addr *server, struct zr_mono now)
{
	const struct place *p = find(j, server);

	return p == NULL || p->source.family == 0 || now.us - p->source_us > COOKIEJAR_SOURCE_US;
}

void
cookiejar_ask(struct cookiejar *j, const struct zr_addr *server, const struct zr_addr *source,
    struct zr_mono now, struct cookie_sent *out)
{
	struct place *p = find_or_add(j, server);

	out->len = 0;
	p->used_us = now.us;
	if (source != NULL) {
		if (p->source.family != 0 && !addr_ip_equal(&p->source, source))
			begin(j, p);
		p->source = *source;
		p->source_us = now.us;
	}
	if (p->without_us != 0 && now.us < p->without_us)
		return;
	if (p->without_us != 0)
		begin(j, p);
	memcpy(out->data, p->client, COOKIE_CLIENT);
	memcpy(out->data + COOKIE_CLIENT, p->of_server, p->server_len);
	out->len = (uint8_t)(COOKIE_CLIENT + p->server_len);
}

/* The relation that the query was sent in, if it is still the same. */
static struct place *
current(struct cookiejar *j, const struct zr_addr *server, const struct cookie_sent *sent)
{
	struct place *p = find(j, server);

	return p != NULL && memcmp(p->client, sent->data, COOKIE_CLIENT) == 0 ? p : NULL;
}

enum cookiejar_verdict
cookiejar_answer(struct cookiejar *j, const struct zr_addr *server, const struct cookie_sent *sent,
    const struct msg *m, struct zr_mono now)
{
	const struct edns *o = &m->edns;
	struct place *p;

	if (sent->len == 0) /* whatever there is belongs to no query of ours */
		return COOKIEJAR_FINE;
	p = current(j, server, sent);
	if (o->cookie_malformed)
		return COOKIEJAR_FORGED;
	if (o->cookie_len == 0) {
		if (p != NULL && p->server_len != 0)
			return COOKIEJAR_MISSING;
		if (p != NULL)
			p->without_us = now.us + COOKIEJAR_WITHOUT_US;
		return COOKIEJAR_FINE;
	}
	if (memcmp(o->cookie, sent->data, COOKIE_CLIENT) != 0)
		return COOKIEJAR_FORGED;
	if (p != NULL && o->cookie_len > COOKIE_CLIENT) {
		p->server_len = (uint8_t)(o->cookie_len - COOKIE_CLIENT);
		memcpy(p->of_server, o->cookie + COOKIE_CLIENT, p->server_len);
	}
	return msg_rcode(m) == RCODE_BADCOOKIE ? COOKIEJAR_AGAIN : COOKIEJAR_FINE;
}

void
cookiejar_without(struct cookiejar *j, const struct zr_addr *server, struct zr_mono now)
{
	struct place *p = find(j, server);

	if (p != NULL) {
		p->server_len = 0;
		p->without_us = now.us + COOKIEJAR_WITHOUT_US;
	}
}
