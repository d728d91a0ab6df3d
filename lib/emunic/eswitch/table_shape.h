// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_TABLE_SHAPE_H
#define EMUNIC_TABLE_SHAPE_H

#include <stdbool.h>

#include "eswitch/table_index.h"

// The shapes of a table, each with the rules that it has, in the order in which a look-up asks them
// (shape_rank, by best priority first). A shape lives as long as it has rules, and its words' terms
// (table_scan.h) and place in a cluster (table_lines.h) with it.
//
// Cost: a rule that comes or goes within its shape's priorities is O(1), on the average; a shape
// that comes, goes or changes its best or worst priority is O(shapes) of its table. Thread safety:
// owner thread only.

// The shape of this mask, or NULL.
struct emu_shape *emu_shape_find(const struct emu_table *t, const union emu_key *mask, bool ranged);
// A shape that has no rules yet; NULL: there is no memory. One that gets none has to be freed.
struct emu_shape *emu_shape_new(
	struct emu_rules *r, struct emu_table *t, const union emu_key *mask, bool ranged);
void emu_shape_free(struct emu_rules *r, struct emu_table *t, struct emu_shape *s);

// The rule, with its priority, comes into the shape or leaves it. With the last one the shape goes.
void emu_shape_add(
	struct emu_rules *r, struct emu_table *t, struct emu_shape *s, struct rte_flow *f);
void emu_shape_del(
	struct emu_rules *r, struct emu_table *t, struct emu_shape *s, struct rte_flow *f);

#endif
