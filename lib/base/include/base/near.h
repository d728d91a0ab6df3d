// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_BASE_NEAR_H
#define SLUICE_BASE_NEAR_H

#include <stddef.h>

// The known word that a mistyped one is nearest to: "did you mean". Near is what at most two slips
// make of it (a letter too many, too few, another one, or two neighbours exchanged), and at most
// one where the word has three letters or less. Of equally near ones the first counts. Cost: the
// product of the two lengths, for each word that is tried; words of more than SL_NEAR_MAX bytes are
// near to nothing. Source: optimal string alignment (Damerau 1964). Thread safety: any thread (no
// state).

#define SL_NEAR_MAX 31

struct sl_near {
	const char *word; // what was typed; borrowed
	const char *best; // the nearest so far, as it was given to sl_near_try; NULL: none is near
	size_t best_len;
	unsigned least;
};

void sl_near_init(struct sl_near *n, const char *word);
void sl_near_try(struct sl_near *n, const char *known);
// The same for a known word that does not end with NUL.
void sl_near_try_len(struct sl_near *n, const char *known, size_t len);

#endif
