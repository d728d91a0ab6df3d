// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_SLUICECTL_FIT_H
#define SLUICE_SLUICECTL_FIT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/strbuf.h"

// A table on a terminal that is too narrow for it. The first columns are those that people look
// for, so the last ones give way; text that is long is cut before that, and has what is left over.
// Thread safety: any thread (no state).

#define FIT_GAP 2 // blanks between columns

struct fit_column {
	size_t width; // natural; becomes what it has
	size_t least; // not cut below that
};

// How many of the n columns are shown on width characters, at least one; 0: no bound, all.
unsigned fit_columns(struct fit_column *cols, unsigned n, size_t width);

// The least width of a text column of that natural width under that key.
size_t fit_least(const char *key, size_t head, size_t natural);
// Cuts a cell to width characters, "..": a match loses its front (ports stand at its end), other
// text its end.
void fit_cut(struct sl_strbuf *cell, const char *key, size_t width);

#endif
