/* SPDX-License-Identifier: BSD-2-Clause */
/* Arguments and environment of a command. */
#include <stdlib.h>
#include <string.h>

#include "app/hook_p.h"
#include "app/spawn.h"
#include "base/mem.h"
#include "wire/name.h"

const char *
hook_zone(const uint8_t *name, char out[NAME_TEXT_MAX])
{
	static const char dash[] = "\\045";

	name_show(name, out);
	if (out[0] == '-') { /* one octet of at most 255, each of which may take four */
		/* NOLINTNEXTLINE(bugprone-not-null-terminated-result): with its NUL, from + 1 */
		memmove(out + strlen(dash), out + 1, strlen(out));
		/* NOLINTNEXTLINE(bugprone-not-null-terminated-result): in front of it */
		memcpy(out, dash, strlen(dash));
	}
	return out;
}

struct word {
	const char *name;
	const char *value;
};

#define WORDS 5

/* The value of the {word} at `text`, whose length goes to *len; NULL: there is none. */
static const char *
value_of(const struct word words[WORDS], const char *text, size_t *len)
{
	for (unsigned i = 0; i < WORDS; i++) {
		*len = strlen(words[i].name);
		if (strncmp(text, words[i].name, *len) == 0)
			return words[i].value;
	}
	return NULL;
}

/* Once from left to right: what was put in is not looked at again. */
static char *
expand(const struct word words[WORDS], const char *text)
{
	struct buf b = BUF_INIT;
	const char *value;
	size_t len;

	while (*text != '\0') {
		value = *text == '{' ? value_of(words, text, &len) : NULL;
		if (value != NULL) {
			buf_str(&b, value);
			text += len;
		} else {
			buf_u8(&b, (uint8_t)*text++);
		}
	}
	buf_u8(&b, 0);
	return (char *)buf_take(&b, &len);
}

/* The program is the configuration's alone. */
char **
hook_argv(const struct config_argv *c, const struct hook_vars *v)
{
	const struct word words[WORDS] = {
	    {"{zone}", v->zone},
	    {"{serial}", v->serial},
	    {"{old-serial}", v->old_serial},
	    {"{primary}", v->primary},
	    {"{kind}", v->kind},
	};
	char **out = zr_xcalloc(c->n + 1, sizeof(*out));

	for (size_t i = 0; i < c->n; i++)
		out[i] = i == 0 ? zr_xstrdup(c->v[0]) : expand(words, c->v[i]);
	return out;
}

static char *
pair(const char *name, const char *value)
{
	struct buf b = BUF_INIT;
	size_t len;

	buf_fmt(&b, "%s=%s", name, value);
	buf_u8(&b, 0);
	return (char *)buf_take(&b, &len);
}

char **
hook_env(const struct hook_vars *v)
{
	const struct word words[] = {
	    {"PATH", SPAWN_PATH},
	    {"LANG", "C"},
	    {"ZONERELAY_ZONE", v->zone},
	    {"ZONERELAY_SERIAL", v->serial},
	    {"ZONERELAY_OLD_SERIAL", v->old_serial},
	    {"ZONERELAY_PRIMARY", v->primary},
	    {"ZONERELAY_KIND", v->kind},
	    {"ZONERELAY_DOWNSTREAM", v->downstream},
	};
	const size_t n = sizeof(words) / sizeof(words[0]);
	char **out = zr_xcalloc(n + 1, sizeof(*out));

	for (size_t i = 0; i < n; i++)
		out[i] = pair(words[i].name, words[i].value);
	return out;
}

void
hook_vector_free(char **v)
{
	if (v == NULL)
		return;
	for (size_t i = 0; v[i] != NULL; i++)
		free(v[i]);
	free(v);
}
