// SPDX-License-Identifier: BSD-3-Clause
#include "base/near.h"

#include <string.h>

#define SLIPS_MAX 2
#define SHORT_WORD 3
#define FAR (SLIPS_MAX + 1)

static unsigned
min_of(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

// Three rows of the table of distances are enough: this one, the one above, the one above that.
static unsigned
slips(const char *a, size_t la, const char *b, size_t lb)
{
	unsigned rows[3][SL_NEAR_MAX + 1];

	for (unsigned j = 0; j <= lb; j++)
		rows[0][j] = j;
	for (unsigned i = 1; i <= la; i++) {
		const unsigned *up = rows[(i - 1) % 3], *up2 = rows[(i + 1) % 3];
		unsigned *row = rows[i % 3];

		row[0] = i;
		for (unsigned j = 1; j <= lb; j++) {
			row[j] = min_of(
				up[j - 1] + (a[i - 1] != b[j - 1]), min_of(up[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = min_of(row[j], up2[j - 2] + 1);
		}
	}
	return rows[la % 3][lb];
}

void
sl_near_init(struct sl_near *n, const char *word)
{
	const size_t len = strlen(word);

	*n = (struct sl_near){.word = word, .least = len <= SHORT_WORD ? SLIPS_MAX : FAR};
}

void
sl_near_try_len(struct sl_near *n, const char *known, size_t len)
{
	const size_t word_len = strlen(n->word);
	unsigned d;

	if (word_len > SL_NEAR_MAX || len > SL_NEAR_MAX)
		return;
	d = slips(n->word, word_len, known, len);
	if (d >= n->least || d >= len)
		return;
	n->least = d;
	n->best = known;
	n->best_len = len;
}

void
sl_near_try(struct sl_near *n, const char *known)
{
	sl_near_try_len(n, known, strlen(known));
}
