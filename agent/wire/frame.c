/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/frame.h"

#include "base/buf.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define PREFIX 2    /* octets of the length in front of a message */
#define CAP_MIN 512 /* most queries fit */
#define KEEP 4096   /* an idle connection does not hold more than this */

void
frame_init(struct frame *f)
{
	*f = (struct frame){0};
}

void
frame_clear(struct frame *f)
{
	free(f->data);
	frame_init(f);
}

size_t
frame_partial(const struct frame *f)
{
	return f->len;
}

/*
 * Room for what has arrived, not for what the prefix promises: a peer which announces 65535
 * octets and sends one must not cost 64 KiB.
 */
static bool
reserve(struct frame *f, size_t need)
{
	size_t cap = f->cap < CAP_MIN ? CAP_MIN : f->cap;
	uint8_t *p;

	if (need <= f->cap)
		return true;
	while (cap < need)
		cap *= 2;
	p = zr_try_realloc(f->data, cap);
	if (p == NULL)
		return false;
	f->data = p;
	f->cap = cap;
	return true;
}

/* Takes up to `want` octets in all into the partial message; false: out of memory. */
static bool
collect(struct frame *f, size_t want, const uint8_t *p, size_t n, size_t *used)
{
	size_t take = want - f->len;

	if (take > n - *used)
		take = n - *used;
	if (take == 0)
		return true;
	if (!reserve(f, f->len + take))
		return false;
	memcpy(f->data + f->len, p + *used, take);
	f->len += take;
	*used += take;
	return true;
}

static size_t
whole(const uint8_t *p)
{
	return PREFIX + (size_t)get_u16(p);
}

/* Goes on with the partial message.  1: it is whole, 0: more is needed, -1: out of memory. */
static int
complete(struct frame *f, const uint8_t *p, size_t n, size_t *used)
{
	if (f->len < PREFIX && !collect(f, PREFIX, p, n, used))
		return -1;
	if (f->len < PREFIX)
		return 0;
	if (!collect(f, whole(f->data), p, n, used))
		return -1;
	return f->len == whole(f->data);
}

int
frame_feed(struct frame *f, const uint8_t *p, size_t n, size_t *used, frame_sink sink, void *arg)
{
	const uint8_t *msg;
	int rc = 0;

	*used = 0;
	while (rc == 0 && *used < n) {
		msg = p + *used;
		if (f->len == 0 && n - *used >= PREFIX && n - *used >= whole(msg)) {
			*used += whole(msg);
			rc = sink(arg, msg + PREFIX, whole(msg) - PREFIX);
			continue;
		}
		rc = complete(f, p, n, used);
		if (rc > 0) {
			f->len = 0;
			rc = sink(arg, f->data + PREFIX, whole(f->data) - PREFIX);
		}
	}
	if (f->len == 0 && f->cap > KEEP)
		frame_clear(f);
	return rc;
}
