// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_TABLE_SCAN_H
#define EMUNIC_TABLE_SCAN_H

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>

#include "eswitch/table_index.h"

// A burst of packets held against many shapes at once.
//
// Problem: with 16 shapes, hashing a packet for each costs more than all else that a look-up does.
// Idea: shapes of one table mostly ask for the same bits of the same words (the same prefixes of an
// address, say) in other combinations. Each such pair of word and mask is a term of the table. A
// burst first computes its terms' parts of the hash, each packet's in a row of the term; a shape's
// hashes then are the sum of some rows, eight packets in one register where the CPU has those
// (table_wide.c). Who meets a tag that fits is done with: only shapes are scanned in which a match
// is final.
// What it refuses: more than EMU_SCAN_TERMS terms in a table; shapes that would need one more are
// asked one by one.
// Thread safety: owner thread only.

#define EMU_SCAN_MAX 32 // packets
#define EMU_SCAN_TERMS 64
#define EMU_SCAN_STEP 16 // shapes whose terms are computed at once

// A word and mask that shapes of a table have.
struct emu_term {
	struct emu_word word;
	uint32_t users; // shapes; 0: not in use
};

struct emu_scan {
	const struct emu_rules *r;
	const struct emu_table *t;
	struct emu_pkt *const *pkts;
	unsigned int n;
	uint32_t words; // the set of those in word, and
	uint64_t terms; // of those in part
	uint32_t open;  // the set of packets whose tags fit in no shape so far
	// The number of the shape where they fit, and the table's n_scan where they do in none; the
	// hash there, unless lines told; and the place of the rule that has it: 0 where that has to
	// be found out, or there is none.
	alignas(32) uint32_t shape[EMU_SCAN_MAX];
	alignas(32) uint32_t hash[EMU_SCAN_MAX];
	alignas(32) uint32_t place[EMU_SCAN_MAX];
	alignas(32) uint64_t word[EMU_KEY_WORDS][EMU_SCAN_MAX]; // of the keys
	alignas(32) uint32_t part[EMU_SCAN_TERMS][EMU_SCAN_MAX];
};

// table_wide.c; scan those shapes.
bool emu_wide_here(void);
// Before that, what the lines tell (table_lines.h).
void emu_wide_lines(struct emu_scan *c);
void emu_wide_scan(struct emu_scan *c, uint32_t from, uint32_t to, uint64_t terms);

#endif
