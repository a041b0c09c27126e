/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keeps the list of keys in zonerelay.yaml.5 equal to the tables that the daemon reads its
 * configuration with: copies the page from standard input to standard output, and writes what
 * stands between the two marks anew.  "make update-man" runs it, "make check" compares.
 */
#include "base/parse.h"
#include "config/schema.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BEGIN ".\\\" keys: begin"
#define END ".\\\" keys: end"

/* One line per sentence; nothing that roff would take for a request or an escape. */
static void
put_text(const char *text)
{
	bool start = true;

	for (const char *p = text; *p != '\0'; p++) {
		if (start && (*p == '.' || *p == '\''))
			fputs("\\&", stdout);
		start = false;
		if (*p == '\\')
			fputs("\\e", stdout);
		else if (p[0] == ' ' && p > text && p[-1] == '.')
			start = putchar('\n') == '\n';
		else
			putchar(*p);
	}
	putchar('\n');
}

static const char *
type_text(const struct schema_key *k, char *out, size_t size)
{
	switch (k->type) {
	case VALUE_BOOL:
		return "yes | no";
	case VALUE_COUNT:
	case VALUE_NUMBER:
		return "number";
	case VALUE_SIZE:
		return "size";
	case VALUE_DURATION:
		return "duration";
	case VALUE_RANGE:
		return "range";
	case VALUE_CHOICE:
		out[0] = '\0';
		for (size_t i = 0, n = 0; k->choice[i] != NULL; i++)
			n += (size_t)snprintf(
			    out + n, size - n, "%s%s", i != 0 ? " | " : "", k->choice[i]);
		return out;
	case VALUE_ADDRS:
	case VALUE_SOURCE:
		return "addresses";
	case VALUE_PREFIXES:
		return "prefixes";
	case VALUE_ARGV:
		return "command";
	case VALUE_PATH:
	case VALUE_CA:
		return "path";
	case VALUE_HOST:
		return "name";
	case VALUE_PINS:
		return "pins";
	case VALUE_NAMES:
		return "names";
	case VALUE_USER:
		return "user";
	case VALUE_KEY:
		return "name";
	case VALUE_NAME:
		return k->key[0] == 'f' ? "path" : k->key[0] == 's' ? "base64" : "name";
	case VALUE_SUB:
	case VALUE_MAP:
		return "map";
	case VALUE_MAPS:
		return "list";
	}
	return "";
}

static void
put_limits(const struct schema_key *k)
{
	char low[PARSE_TEXT_MAX], high[PARSE_TEXT_MAX];

	switch (k->type) {
	case VALUE_COUNT:
	case VALUE_NUMBER:
		printf("From %" PRIu64 " to %" PRIu64 ".\n", k->min, k->max);
		break;
	case VALUE_SIZE:
		printf("From %s to %s.\n", size_text(k->min, low), size_text(k->max, high));
		break;
	case VALUE_DURATION:
	case VALUE_RANGE:
		printf("From %s to %s.\n", duration_text((int64_t)k->min, low),
		    duration_text((int64_t)k->max, high));
		break;
	default:
		break;
	}
}

static void
put_default(const struct schema_key *k)
{
	if (k->def_doc == NULL && k->def == NULL)
		return;
	fputs("Default: ", stdout);
	if (k->def_doc != NULL) {
		printf("%s.\n", k->def_doc);
		return;
	}
	for (const char *p = k->def; *p != '\0'; p++)
		*p == ' ' ? fputs(", ", stdout) : putchar(*p);
	fputs(".\n", stdout);
}

static void
put_schema(const struct schema *s)
{
	char words[128];

	if (s->name[0] != '\0')
		printf(".Ss Keys of %s\n", s->what);
	if (s->doc != NULL)
		put_text(s->doc);
	fputs(".Bl -tag -width Ds\n", stdout);
	for (size_t i = 0; i < s->count; i++) {
		const struct schema_key *k = &s->keys[i];

		printf(".It Ic %s : Ar %s\n", k->key, type_text(k, words, sizeof(words)));
		put_text(k->doc);
		put_limits(k);
		put_default(k);
	}
	fputs(".El\n", stdout);
}

int
main(void)
{
	char line[4096];
	bool inside = false;
	int marks = 0;

	while (fgets(line, sizeof(line), stdin) != NULL) {
		if (strcmp(line, END "\n") == 0) {
			inside = false;
			marks++;
		}
		if (!inside)
			fputs(line, stdout);
		if (strcmp(line, BEGIN "\n") == 0) {
			inside = true;
			marks++;
			for (size_t i = 0; schema_all[i] != NULL; i++)
				put_schema(schema_all[i]);
		}
	}
	if (marks != 2 || inside || ferror(stdin) || fflush(stdout) != 0) {
		fputs("keys2mdoc: the page does not have its two marks\n", stderr);
		return 1;
	}
	return 0;
}
