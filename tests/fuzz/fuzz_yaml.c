/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Input: a configuration file.  Zone lists are not opened.  Whatever the input is, it is either
 * refused with faults that have a position, or it can be printed, read again and printed
 * the same.
 */
#include "fuzz.h"

#include "config/config.h"
#include "config/load.h"

#include <string.h>

#define NAME "f.yaml"

struct seen {
	unsigned errors, warnings;
	unsigned long line, col; /* of the one before */
};

/* "f.yaml:LINE:COL: text", in order, one line each. */
static void
on_line(void *arg, bool error, const char *text)
{
	struct seen *s = arg;
	unsigned long line, col;
	char *end;

	FUZZ_CHECK(strncmp(text, NAME ":", sizeof(NAME)) == 0);
	line = strtoul(text + sizeof(NAME), &end, 10);
	FUZZ_CHECK(line > 0 && *end == ':');
	col = strtoul(end + 1, &end, 10);
	FUZZ_CHECK(col > 0 && end[0] == ':' && end[1] == ' ' && end[2] != '\0');
	FUZZ_CHECK(strchr(text, '\n') == NULL);
	if (strstr(end, "are not shown") == NULL) { /* that line looks back */
		FUZZ_CHECK(line > s->line || (line == s->line && col >= s->col));
		s->line = line;
		s->col = col;
	}
	if (error)
		s->errors++;
	else
		s->warnings++;
}

static struct config *
load(const void *data, size_t size)
{
	struct seen seen = {0};
	struct config_report r = {.line = on_line, .arg = &seen};
	struct config *c = config_load_text(NAME, data, size, false, &r);

	FUZZ_CHECK((c == NULL) == (r.errors != 0));
	FUZZ_CHECK((seen.errors != 0) == (r.errors != 0));
	FUZZ_CHECK((seen.warnings != 0) == (r.warnings != 0));
	return c;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf first = BUF_INIT, second = BUF_INIT;
	struct config *c = load(data, size), *again;

	if (c == NULL)
		return 0;
	config_print(c, &first);
	again = load(first.data, first.len);
	FUZZ_CHECK(again != NULL && again->zone_count == c->zone_count);
	for (size_t i = 0; i < c->zone_count; i++) {
		FUZZ_CHECK(zones_cmp(c->zones[i].name, again->zones[i].name) == 0);
		FUZZ_CHECK(config_policy_equal(c->zones[i].policy, again->zones[i].policy));
		FUZZ_CHECK(c->zones[i].policy->primary_count > 0);
		FUZZ_CHECK(config_zone_find(c, c->zones[i].name) == &c->zones[i]);
	}
	config_print(again, &second);
	FUZZ_CHECK(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
	buf_clear(&first);
	buf_clear(&second);
	config_free(c);
	config_free(again);
	return 0;
}
