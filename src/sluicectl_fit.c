// SPDX-License-Identifier: BSD-3-Clause
#include "sluicectl_fit.h"

#include <stdlib.h>
#include <string.h>

#include "sluicectl_cell.h"

#define TEXT_LEAST 24
#define MATCH_LEAST 30

static bool
is_match(const char *key)
{
	return strcmp(key, "match") == 0;
}

size_t
fit_least(const char *key, size_t head, size_t natural)
{
	size_t least = is_match(key) ? MATCH_LEAST : TEXT_LEAST;

	if (least < head)
		least = head;
	return natural < least ? natural : least;
}

static size_t
least_of(const struct fit_column *cols, unsigned n)
{
	size_t sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += cols[i].least + (i > 0 ? FIT_GAP : 0);
	return sum;
}

unsigned
fit_columns(struct fit_column *cols, unsigned n, size_t width)
{
	size_t spare;
	bool given = true;

	if (width == 0)
		return n;
	while (n > 1 && least_of(cols, n) > width)
		n--;
	spare = least_of(cols, n) < width ? width - least_of(cols, n) : 0;
	while (spare > 0 && given) { // one character to each that is cut, in turn
		given = false;
		for (unsigned i = 0; i < n && spare > 0; i++) {
			if (cols[i].least >= cols[i].width)
				continue;
			cols[i].least++;
			spare--;
			given = true;
		}
	}
	for (unsigned i = 0; i < n; i++)
		cols[i].width = cols[i].least;
	return n;
}

// Where the character number `at` begins.
static size_t
offset_of(const char *text, size_t at)
{
	size_t i = 0;

	for (; text[i] != '\0'; i++) {
		if (((unsigned char)text[i] & 0xc0) == 0x80)
			continue; // inside a character of UTF-8
		if (at-- == 0)
			break;
	}
	return i;
}

void
fit_cut(struct sl_strbuf *cell, const char *key, size_t width)
{
	const char *text = sl_strbuf_str(cell);
	const size_t n = cell_width(text), keep = width > 2 ? width - 2 : 0;
	char *whole;

	if (n <= width)
		return;
	whole = strdup(text);
	if (whole == NULL)
		return;
	sl_strbuf_reset(cell);
	if (is_match(key))
		sl_strbuf_addf(cell, "..%s", whole + offset_of(whole, n - keep));
	else
		sl_strbuf_addf(cell, "%.*s..", (int)offset_of(whole, keep), whole);
	free(whole);
}
