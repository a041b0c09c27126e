/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Short runs by insertion, then merging bottom up.  Two runs that are in order already are
 * not merged, which makes sorted input cheap.
 */
#include "core/sort.h"

#include <string.h>

#define RUN 8 /* longest run sorted by insertion */

static void
insertion(const void **v, size_t n, sort_cmp cmp, const void *arg)
{
	const void *x;
	size_t j;

	for (size_t i = 1; i < n; i++) {
		x = v[i];
		for (j = i; j > 0 && cmp(v[j - 1], x, arg) > 0; j--)
			v[j] = v[j - 1];
		v[j] = x;
	}
}

/* Merges v[0..mid) and v[mid..n); only the first run has to be moved out of the way. */
static void
merge(const void **v, const void **spare, size_t mid, size_t n, sort_cmp cmp, const void *arg)
{
	size_t a = 0, b = mid, out = 0;

	if (cmp(v[mid - 1], v[mid], arg) <= 0)
		return;
	memcpy(spare, v, mid * sizeof(*v));
	while (a < mid && b < n) {
		if (cmp(spare[a], v[b], arg) <= 0)
			v[out++] = spare[a++];
		else
			v[out++] = v[b++];
	}
	memcpy(v + out, spare + a, (mid - a) * sizeof(*v));
}

void
sort_pointers(const void **v, const void **spare, size_t n, sort_cmp cmp, const void *arg)
{
	for (size_t i = 0; i < n; i += RUN)
		insertion(v + i, n - i < RUN ? n - i : RUN, cmp, arg);
	for (size_t width = RUN; width < n; width *= 2) {
		for (size_t i = 0; n - i > width; i += 2 * width) {
			merge(v + i, spare, width, n - i < 2 * width ? n - i : 2 * width, cmp, arg);
			if (n - i <= 2 * width)
				break;
		}
	}
}
