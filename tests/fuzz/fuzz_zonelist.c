/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Input: a zone list.  It is either refused, or every line that is neither empty nor a comment has
 * become one zone.
 */
#include "fuzz.h"

#include "config/config.h"
#include "config/load.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void
on_line(void *arg, bool error, const char *text)
{
	unsigned *lines = arg;

	FUZZ_CHECK(strchr(text, '\n') == NULL);
	*lines += error;
}

/* Counted in another way than the reader does it. */
static size_t
count_names(const uint8_t *data, size_t size)
{
	size_t n = 0, at = 0;
	bool found = false, over = false;

	if (size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0)
		at = 3;
	for (; at <= size; at++) {
		if (at == size || data[at] == '\n') {
			n += found;
			found = over = false;
		} else if (data[at] == '#' && !found) {
			over = true;
		} else if (strchr(" \t\r", data[at]) == NULL || data[at] == 0) {
			found = found || !over;
		}
	}
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char yaml[256];
	unsigned lines = 0;
	struct config_report r = {.line = on_line, .arg = &lines};
	int fd = memfd_create("list", 0);
	struct config *c;

	FUZZ_CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	snprintf(yaml, sizeof(yaml),
	    "primaries: {a: {address: 192.0.2.1}}\nzone-lists: [{file: /proc/self/fd/%d}]\n", fd);
	c = config_load_text("f.yaml", yaml, strlen(yaml), true, &r);
	close(fd);
	FUZZ_CHECK((c == NULL) == (r.errors != 0) && (lines != 0) == (r.errors != 0));
	if (c == NULL)
		return 0;
	FUZZ_CHECK(c->zone_count == count_names(data, size));
	for (size_t i = 1; i < c->zone_count; i++)
		FUZZ_CHECK(zones_cmp(c->zones[i - 1].name, c->zones[i].name) < 0);
	config_free(c);
	return 0;
}
