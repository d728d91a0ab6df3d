// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_WALK_H
#define EMUNIC_WALK_H

#include "emunic.h"

// The way of packets through the groups of a domain.
//
// Each round looks up all packets of a burst that are in the same table at once, runs the rule that
// each met, and goes on with those that jumped. A rule's own actions (COUNT, MARK, edits)
// hold also when it jumps, or lets the packet pass (PASSTHRU): then the next rule of the same table
// in its order (table.h) that matches the packet, as it now is, runs too. A packet that meets no
// rule in a group above 0, or none behind one that let it pass, fares as if it had met none in
// group 0, or, unless it goes through a VM, is dropped by name (jump_miss_drop=). After
// EMU_MAX_JUMPS jumps, or EMU_MAX_PASSES rules of one table, a packet is dropped by name, so that
// rules cannot make the NIC go round for ever.
//
// A packet that stands for several (TCP segmentation offload) and meets a rule that puts a tunnel
// header on, or takes one off, stops there: its split says in which table, and its after behind
// which rule. The caller cuts it into its segments and walks them, which have both, from there on.
// Thread safety: under the gate.

#define EMU_MAX_JUMPS 16
#define EMU_MAX_PASSES 64

// Walks pkts (at most EMU_BURST) from a table on. Afterwards pkts[i]->rule is the rule that
// decides, or that of none (table.h); those that were dropped on the way are taken out of pkts,
// whose order stays. Returns how many are left.
unsigned int emu_walk(
	struct emu_nic *nic, const struct emu_table *root, struct emu_pkt **pkts, unsigned int n);

#endif
