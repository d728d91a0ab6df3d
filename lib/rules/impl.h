// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_RULES_IMPL_H
#define SLUICE_RULES_IMPL_H

#include "mem.h"
#include "rules/rules.h"

// What the writer and the look-up share: a rule, a table as a set sees it, a set. Thread safety:
// one writer, many readers under RCU; readers see constant things only.

#define RULES_WORDS 8 // of a key

struct rules_space;
struct rules_find;

struct rule {
	struct rules_obj obj;
	// What a look-up takes from it, in one line: id, and actions without goto.
	uint32_t id;
	int16_t go_to; // table, -1: none
	struct flow_actions actions;
	uint32_t fields; // that its match reads
	uint32_t pos;    // in the list of its table
	struct rules_entry e;
	uint64_t order; // in its table: lower is first
	// What the look-up compares: the key under the mask, without per-packet fields.
	uint64_t key[RULES_WORDS];
	uint64_t mask[RULES_WORDS];
	bool sport_only, dport_only; // the range says all of that port's mask
	struct flow_range sport;
	struct flow_range dport;
};

// rule.c: as rules_add is given it, without order and place. NULL: no memory.
struct rule *rules_rule_new(struct rules_mem *m, const struct rules_entry *e);
// By order, the same rules side by side.
void rules_sort(const struct rule **list, uint32_t n);

// A table of a set.
//
// Problem: which per-packet fields does the decision on a flow depend on? An entry that reads one
// is reachable for a flow when it matches without them (loosely) and no entry before it matches for
// sure, that is without reading any. Idea: entries that read none and the others, loosely, are two
// spaces. The first sure match bounds the search for loose ones, all of which are found; those
// whose fields the key has too are candidates for the decision itself. Cost: nothing where no entry
// reads one; else a second look-up that finds all and not the first only.
struct rules_table {
	struct rules_obj obj;
	uint32_t fields; // that any entry reads
	uint16_t asks;   // RULES_ASK_* of any entry
	uint32_t n;
	struct flow_actions fallback; // when nothing matches
	struct flow_actions other;    // fallback without goto
	int go_to;                    // of fallback
	const struct rules_space *sure;
	const struct rules_space *loose; // NULL: no entry reads a per-packet field
};

// Where a list of actions goes to, -1: nowhere.
int rules_go_to(const struct flow_actions *actions);

// What a flow can meet in a table.
struct rules_reach {
	const struct rule *first; // that the key matches, NULL: none
	uint32_t fields;          // that reachable entries read
	uint64_t tables;          // bit mask of what they, or the fallback, go to
};
void rules_table_reach(const struct rules_find *find, const struct rules_table *t,
	const struct flow_key *key, struct rules_reach *out);

struct rules_set {
	struct rules_mem *mem;
	const struct rules_find *find;
	struct rules_live live;
	atomic_uint refs;
	uint32_t fields;
	uint16_t asks;
	uint32_t rules;
	uint32_t trees;
	size_t memory;
	const struct rules_table
		*tables[RULES_TABLES]; // NULL: no entry, and the default is to drop
};

#endif
