/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The secrets of DNS cookies.  They are as public as the cookies' use is small, but whoever knows
 * them can forge sources; so no message shows any part of one.
 */
#include "config/load.h"

#include <string.h>

static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
read_hex(const char *text, size_t len, uint8_t out[CONFIG_COOKIE_SECRET])
{
	if (len != 2 * CONFIG_COOKIE_SECRET)
		return false;
	for (size_t i = 0; i < CONFIG_COOKIE_SECRET; i++) {
		int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

/* One line each; empty ones and those that begin with '#' are none. */
static void
read_lines(struct load *l, const struct node *file, char *text)
{
	struct config_server *s = &l->c->server;
	unsigned line = 0;

	for (char *p = text, *next; p != NULL; p = next) {
		size_t len = strcspn(p, "\n");

		next = p[len] != '\0' ? p + len + 1 : NULL;
		line++;
		while (len > 0 && strchr(" \t\r", p[len - 1]) != NULL)
			len--;
		if (len == 0 || *p == '#')
			continue;
		if (s->cookie_count == CONFIG_COOKIE_SECRETS) {
			load_error(l, file, "cookie-secret-file: more than %d secrets",
			    CONFIG_COOKIE_SECRETS);
			return;
		}
		if (!read_hex(p, len, s->cookie_secret[s->cookie_count])) {
			load_error(l, file,
			    "cookie-secret-file: line %u is not a secret of %d hexadecimal digits",
			    line, 2 * CONFIG_COOKIE_SECRET);
			return;
		}
		s->cookie_count++;
	}
	if (s->cookie_count == 0)
		load_error(l, file, "cookie-secret-file: there is no secret in it");
}

void
cookie_load(struct load *l, const struct node *file)
{
	const struct config_server *s = &l->c->server;
	char text[SECRET_FILE_MAX + 1];

	if (file == NULL || s->cookie_secret_file == NULL)
		return;
	load_file(l, s->cookie_secret_file);
	if (l->no_secrets)
		return;
	if (secret_read(l, file, "cookie-secret-file", s->cookie_secret_file, text) == 0)
		read_lines(l, file, text);
	explicit_bzero(text, sizeof(text));
}
