/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Set by tests only, before they call anything else. */
static unsigned fail_after;

/* No stdio and no log here: both allocate. */
_Noreturn void
zr_no_memory(void)
{
	static const char text[] = "zonerelay: out of memory\n";

	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0) {
		/* nothing is left to be told */
	}
	abort();
}

void *
zr_xmalloc(size_t size)
{
	void *p = malloc(size != 0 ? size : 1);

	if (p == NULL)
		zr_no_memory();
	return p;
}

void *
zr_xcalloc(size_t n, size_t size)
{
	void *p = n != 0 && size != 0 ? calloc(n, size) : calloc(1, 1);

	if (p == NULL)
		zr_no_memory();
	return p;
}

void *
zr_xrealloc(void *p, size_t size)
{
	p = realloc(p, size != 0 ? size : 1);
	if (p == NULL)
		zr_no_memory();
	return p;
}

char *
zr_xstrdup(const char *s)
{
	return zr_xmemdup(s, strlen(s) + 1);
}

void *
zr_xmemdup(const void *p, size_t size)
{
	void *copy = zr_xmalloc(size);

	if (size != 0)
		memcpy(copy, p, size);
	return copy;
}

static int
fails_now(void)
{
	return fail_after != 0 && --fail_after == 0;
}

void *
zr_try_alloc(size_t size)
{
	return fails_now() ? NULL : malloc(size != 0 ? size : 1);
}

void *
zr_try_realloc(void *p, size_t size)
{
	return fails_now() ? NULL : realloc(p, size != 0 ? size : 1);
}

void
zr_mem_fail_after(unsigned n)
{
	fail_after = n;
}
