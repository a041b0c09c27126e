/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One name per line.  100,000 lines are a few milliseconds: the file is in memory, a line is
 * looked at once, and only a bad line costs more.
 */
#include "config/load.h"

#include <inttypes.h>
#include <string.h>

/* A blank ends the name: only a comment may follow. */
static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static size_t
blanks(const char *p, size_t len)
{
	size_t n = 0;

	while (n < len && is_blank(p[n]))
		n++;
	return n;
}

static void
read_name(
    struct load *l, const char *p, size_t len, struct place at, const struct config_policy *policy)
{
	char text[ZONENAME_TEXT_MAX], show[SHOW_MAX];
	const char *why, *nul = memchr(p, '\0', len);
	uint8_t name[255];
	size_t n, where;

	if (nul != NULL) {
		at.col += (uint32_t)(nul - p);
		fault_error(&l->faults, at, "a NUL character: this is not a text file");
		return;
	}
	if (len >= sizeof(text)) {
		fault_error(&l->faults, at, "%zu octets are too long for a domain name", len);
		return;
	}
	memcpy(text, p, len);
	text[len] = '\0';
	n = zonename_read(text, name, &why, &where);
	if (n == 0) {
		at.col += (uint32_t)where;
		fault_error(
		    &l->faults, at, "%s is not a domain name: %s", fault_show(text, show), why);
		return;
	}
	if (policy != NULL)
		zones_put(l, name, policy, at);
}

static void
read_line(
    struct load *l, const char *p, size_t len, struct place at, const struct config_policy *policy)
{
	size_t from = blanks(p, len), to, next;

	if (from == len || p[from] == '#')
		return;
	for (to = from; to < len && !is_blank(p[to]); to++)
		;
	next = to + blanks(p + to, len - to);
	at.col = (uint32_t)from + 1;
	if (next == len || p[next] == '#') {
		read_name(l, p + from, to - from, at, policy);
		return;
	}
	at.col = (uint32_t)next + 1;
	fault_error(&l->faults, at, "one name per line: only a comment (#) may follow a name");
}

void
zonelist_read(
    struct load *l, const char *shown, const char *data, size_t len, const struct config_policy *p)
{
	struct place at = {.file = shown, .line = 1};
	const char *end = data + len;

	if (len >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0)
		data += 3; /* a byte order mark, as some editors leave it */
	for (; data < end; at.line++) {
		const char *nl = memchr(data, '\n', (size_t)(end - data));
		const char *stop = nl != NULL ? nl : end;

		read_line(l, data, (size_t)(stop - data), at, p);
		data = nl != NULL ? nl + 1 : end;
	}
}
