/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * "Did you mean": the candidate closest to a word that is not known.  Insertions, deletions,
 * changed letters and swapped neighbours count one each; more than a third of the word is not
 * close, and of two equally close candidates none is offered.
 */
#pragma once

#include <stdbool.h>

struct near {
	const char *word;
	const char *best; /* NULL: none yet */
	unsigned best_steps;
	bool tie;
};

void near_init(struct near *n, const char *word);
void near_try(struct near *n, const char *candidate); /* borrowed until the answer is used */

/* ": did you mean 'address'?", or "". */
#define NEAR_TEXT_MAX 128
const char *near_text(const struct near *n, char out[NEAR_TEXT_MAX]);
