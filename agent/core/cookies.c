/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/cookies.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct cookies {
	struct cookie_mac *mac;
	unsigned count;
	uint8_t secret[COOKIES_SECRETS][COOKIE_SECRET];
};

struct cookies *
cookies_new(void)
{
	struct cookies *c = zr_xcalloc(1, sizeof(*c));

	c->mac = cookie_mac_new();
	return c;
}

void
cookies_free(struct cookies *c)
{
	if (c == NULL)
		return;
	cookie_mac_free(c->mac);
	explicit_bzero(c->secret, sizeof(c->secret));
	free(c);
}

bool
cookies_set(struct cookies *c, const uint8_t (*secret)[COOKIE_SECRET], unsigned count)
{
	explicit_bzero(c->secret, sizeof(c->secret));
	c->count = 0;
	if (count == 0)
		return true;
	if (c->mac == NULL)
		return false;
	if (count > COOKIES_SECRETS)
		count = COOKIES_SECRETS;
	memcpy(c->secret, secret, (size_t)count * COOKIE_SECRET);
	c->count = count;
	return true;
}

enum cookies_verdict
cookies_take(struct cookies *c, const struct edns *o, const struct zr_addr *from,
    struct zr_wall now, uint8_t answer[COOKIE_OURS])
{
	uint32_t seconds = (uint32_t)(now.us / ZR_US_PER_S);
	enum cookie_state state = COOKIE_BAD;
	unsigned i;

	if (c->count == 0 || o->cookie_len == 0)
		return COOKIES_NONE;
	if (o->cookie_len > COOKIE_CLIENT)
		for (i = 0; i < c->count && state == COOKIE_BAD; i++)
			state = cookie_check(
			    c->mac, c->secret[i], o->cookie, o->cookie_len, from, seconds);
	/* Of the secret in use, and not old: the client keeps what it has. */
	if (state == COOKIE_GOOD && i == 1)
		memcpy(answer, o->cookie, COOKIE_OURS);
	else if (!cookie_make(c->mac, c->secret[0], o->cookie, from, seconds, answer))
		return COOKIES_NONE;
	if (state != COOKIE_BAD)
		return COOKIES_RIGHT;
	return o->cookie_len > COOKIE_CLIENT ? COOKIES_WRONG : COOKIES_FIRST;
}
