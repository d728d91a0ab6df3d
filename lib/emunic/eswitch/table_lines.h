// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_TABLE_LINES_H
#define EMUNIC_TABLE_LINES_H

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>

#include "eswitch/table_index.h"
#include "eswitch/table_scan.h"

// One cache line for many shapes.
//
// Problem: each shape keeps its rules by its own hash, so a packet reads a piece of memory for each
// shape, and of 16 shapes it matches one at most. Idea: most shapes of a table have something in
// common, the upper 24 bits of a destination address, say. Shapes with a common part, their
// locator, form a cluster, and a hash of that part alone says in which line of 64 bytes a packet
// finds the rules of all of them: 8 entries, each the rule's full hash, whose lowest four bits are
// the number of its shape in the cluster, and their places in the array of rules. A CPU with
// AVX-512 has the packet's hashes in all 16 shapes in two registers, permutes them by these
// numbers, and compares all 8 at once (table_wide.c). The idea to hash rules of several masks by
// what they share is that of TupleMerge (Daly et al., IEEE/ACM Transactions on Networking 2019);
// here it finds candidates only.
//
// Buckets (table_index.h) remain what holds all rules. A rule that finds its line full stays out of
// it, and while a shape has such a rule (spilled), it is scanned by its buckets' tags like shapes
// without a locator. So nothing has to be moved when many rules have the same locator; these only
// cost what they would without lines. Cost: a line for each rule of the
// NIC's capacity (64 to 128 bytes, as it is rounded up), one cache line more for an insertion. What
// it refuses: more than 16 shapes in a cluster, and more than EMU_CLUSTERS of these in a table;
// further ones are scanned by tags. Thread safety: owner thread only.

#define EMU_CLUSTERS 4
#define EMU_CLUSTER_SHAPES 16
#define EMU_LANE_BITS (EMU_CLUSTER_SHAPES - 1U) // of an entry: the number of its shape
#define EMU_LINE_ENTRIES 8
// Shapes that a cluster needs to be worth a line: fewer are scanned by tags at the same cost.
#define EMU_CLUSTER_MIN 3

struct emu_line {
	alignas(64) uint32_t entry[EMU_LINE_ENTRIES];
	uint32_t place[EMU_LINE_ENTRIES]; // in the array of rules; 0: the entry is empty
};

struct emu_cluster {
	struct emu_word locator;
	uint8_t locator_term; // of the table
	uint32_t seed;        // of the locator's hash
	uint32_t n;           // shapes
	struct emu_shape *shape[EMU_CLUSTER_SHAPES];
	// What a look-up needs, made by emu_clusters_settle. Nothing of it holds when n_lined is 0.
	uint32_t n_lined; // shapes that the lines say all about
	uint64_t terms;   // the set of those that are needed
	uint32_t n_sums;
	uint8_t sum[EMU_SCAN_TERMS];                    // terms, and
	uint16_t sum_of[EMU_SCAN_TERMS];                // the shapes whose hash each is part of
	alignas(64) uint32_t seeds[EMU_CLUSTER_SHAPES]; // of the shapes
	alignas(64) uint32_t
		rank[EMU_CLUSTER_SHAPES]; // in the table; UINT32_MAX: the lines do not say all
};

// A new shape, whose terms are set, joins a cluster if there is one for it; one that goes leaves
// it.
void emu_cluster_join(struct emu_rules *r, struct emu_table *t, struct emu_shape *s);
void emu_cluster_leave(struct emu_table *t, struct emu_shape *s);
// After a change of the table's shapes, their order, or of whether one of them has spilled rules.
void emu_clusters_settle(struct emu_table *t);

// The first rule of its key comes, goes, or has another take its place. True when
// emu_clusters_settle is due.
bool emu_line_put(struct emu_rules *r, struct rte_flow *f);
bool emu_line_drop(struct emu_rules *r, struct rte_flow *f);
void emu_line_swap(struct emu_rules *r, struct rte_flow *f, struct rte_flow *by);

#endif
