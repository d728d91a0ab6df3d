// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_SLUICECTL_CELL_H
#define SLUICE_SLUICECTL_CELL_H

#include <jansson.h>
#include <stddef.h>

#include "base/strbuf.h"

// One value of an answer as people read it: the unit comes from the end of its key
// (ctl/commands.h). Thread safety: any thread (no state).

// Text of a server, which may repeat what a guest sent: nothing in it moves the cursor, each
// character that would is shown as "?".
void cell_add_text(struct sl_strbuf *sb, const char *text);
void cell_add(struct sl_strbuf *sb, const char *key, const json_t *value);
// "rx_packets" as "rx packets", "rate_bps" as "rate": the unit stands at the values.
void cell_add_key(struct sl_strbuf *sb, const char *key);
size_t cell_width(const char *text); // characters of UTF-8

#endif
