/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/near.h"

#include <stdio.h>
#include <string.h>

#define WORD_MAX 64 /* longer words are not compared */

static unsigned
min(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static unsigned
steps(const char *a, const char *b)
{
	unsigned row[3][WORD_MAX + 1];
	unsigned *before = row[0], *last = row[1], *now = row[2];
	size_t an = strlen(a), bn = strlen(b);

	if (an > WORD_MAX || bn > WORD_MAX)
		return WORD_MAX;
	for (unsigned j = 0; j <= bn; j++)
		last[j] = j;
	for (unsigned i = 1; i <= an; i++) {
		unsigned *t = before;

		now[0] = i;
		for (unsigned j = 1; j <= bn; j++) {
			now[j] = min(last[j], now[j - 1]) + 1;
			now[j] = min(now[j], last[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = min(now[j], before[j - 2] + 1);
		}
		before = last;
		last = now;
		now = t;
	}
	return last[bn];
}

void
near_init(struct near *n, const char *word)
{
	*n = (struct near){.word = word};
}

void
near_try(struct near *n, const char *candidate)
{
	size_t len = strlen(n->word);
	unsigned s = steps(n->word, candidate);

	if (s > (len < 3 ? 1 : (len + 1) / 3) || s >= strlen(candidate))
		return;
	if (n->best != NULL && s == n->best_steps)
		n->tie = true;
	if (n->best != NULL && s >= n->best_steps)
		return;
	n->best = candidate;
	n->best_steps = s;
	n->tie = false;
}

const char *
near_text(const struct near *n, char out[NEAR_TEXT_MAX])
{
	out[0] = '\0';
	if (n->best != NULL && !n->tie)
		snprintf(out, NEAR_TEXT_MAX, ": did you mean '%s'?", n->best);
	return out;
}
