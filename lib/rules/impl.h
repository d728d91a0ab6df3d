// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_RULES_IMPL_H
#define SLUICE_RULES_IMPL_H

#include <stdatomic.h>

#include "filter.h"
#include "rules/rules.h"

// What the writer and the look-up share: a rule, and a table frozen at a commit.
//
// Problem: of thousands of overlapping entries find the one of the highest priority in a few
// hundred cycles. Idea: tuple space search (Srinivasan, Suri, Varghese, SIGCOMM 1999): entries with
// one mask form a subtable, a hash table over the masked key. Entries have a rank (0 is the first
// in order of priority and age); subtables are visited by their best rank, and the visit ends when
// the best entry found is ahead of all that is left (as in OVS: Pfaff et al., NSDI 2015). Entries
// of one masked key form a chain by rank; port ranges, which no mask can say, are checked on the
// chain. Cost: one hash and one probe for each subtable visited; about 130 bytes an entry beside
// the entry itself; a build sorts, then touches each entry once. Refuses: to split ranges into
// prefixes (the memory would no longer be linear), to change a table in place (a commit builds it
// anew). Thread safety: a table is immutable; its references are counted atomically.

#define RULES_NONE UINT32_MAX

struct rule {
	struct rules_entry e;
	atomic_uint refs; // of the writer, and of each frozen table
	uint32_t fields;  // that its match reads
	uint64_t order;   // in its table: lower is first
	uint32_t pos;     // in the list of its table
	int go_to;        // table, -1: none
};

struct rule *rule_new(const struct rules_entry *e);
void rule_put(struct rule *rule);

struct rules_subtable {
	uint64_t mask[RULES_WORDS]; // of the words that have one
	uint8_t at[RULES_WORDS];    // which words of the key these are
	uint8_t words;
	uint32_t best;                 // rank
	uint32_t rules;                // in it
	uint32_t slot_mask;            // slots - 1
	uint32_t slots;                // where its slots start
	uint16_t partial[RULES_WORDS]; // its masks in the filter
};

// An entry in its subtable, at the index of its rank.
struct rules_node {
	uint64_t key[RULES_WORDS]; // the masked words, in the order of the subtable
	struct flow_range sport;
	struct flow_range dport;
	struct rule *rule; // counted
	uint32_t next;     // in rank, of the same masked key
	bool ranged;
};

struct rules_slot {
	uint32_t hash;
	uint32_t node; // the best of its masked key, or RULES_NONE
};

// Entries of one kind in one table: those that read no per-packet field, under their masks, or
// those that do, loose: under their masks without those fields.
struct rules_space {
	bool loose;
	uint32_t n;
	uint32_t n_subtables;
	size_t memory;
	uint64_t secret[RULES_WORDS];
	struct rules_subtable *subtables;
	struct rules_node *nodes;
	struct rules_slot *slots;
	struct rules_filter filter;
};

// list is sorted. NULL when out of memory.
struct rules_space *rules_space_build(
	struct rule *const *list, uint32_t n, bool loose, uint64_t seed);
void rules_space_free(struct rules_space *t);
// The first that matches, or NULL.
const struct rule *rules_space_first(const struct rules_space *t, const struct flow_key *key);
// All that match and are before limit, in no order.
typedef void (*rules_space_fn)(void *ctx, const struct rule *rule);
void rules_space_each(const struct rules_space *t, const struct flow_key *key, uint64_t limit,
	rules_space_fn fn, void *ctx);

// A table frozen at a commit.
//
// Problem: which per-packet fields does the decision on a flow depend on? An entry that reads one
// is reachable for a flow when it matches without them (loosely) and no entry before it matches for
// sure, that is without reading any. Idea: entries that read none and the others, loosely, are two
// spaces. The first sure match bounds the search for loose ones, all of which are found; those
// whose fields the key has too are candidates for the decision itself. Cost: nothing where no entry
// reads one; else a second look-up that visits all its candidate subtables.
struct rules_table {
	atomic_uint refs;
	uint32_t fields; // that any entry reads
	uint32_t n;
	int go_to;                    // of fallback
	struct flow_actions fallback; // when nothing matches
	struct rules_space *sure;
	struct rules_space *loose; // NULL: no entry reads a per-packet field
};

// list is sorted. NULL when out of memory.
struct rules_table *rules_table_build(
	struct rule *const *list, uint32_t n, const struct flow_actions *fallback, uint64_t seed);
void rules_table_put(struct rules_table *t);
// Where a list of actions goes to, -1: nowhere.
int rules_go_to(const struct flow_actions *actions);

// What a flow can meet in a table.
struct rules_reach {
	const struct rule *first; // that the key matches, NULL: none
	uint32_t fields;          // that reachable entries read
	uint64_t tables;          // bit mask of what they, or the fallback, go to
};
void rules_table_reach(
	const struct rules_table *t, const struct flow_key *key, struct rules_reach *out);

struct rules_set {
	atomic_uint refs;
	uint32_t fields;
	uint32_t rules;
	struct rules_table *tables[RULES_TABLES]; // NULL: no entry, and the default is to drop
};

#endif
