// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_RULES_RULES_H
#define SLUICE_RULES_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "flow/action.h"
#include "flow/match.h"

// The rule engine of one switch: tables of entries, the highest priority that matches ends the
// traversal of its table, `goto` goes on in a table of a higher number, whose own default applies
// when nothing matches there.
//
// Problem: thousands of entries overlap, a miss of the flow cache waits for the answer, and entries
// come and go while packets flow. Idea: a hash of what many entries fix alike finds a small
// decision tree over bits of the key, whose leaves compare 8 entries at once (lib/rules/tree.h,
// with the sources); an edit copies the few nodes on its way, so that a set is a version of them
// (mem.h).
//
// Cost, in TSC cycles (2.6 GHz, AVX-512), bursts of 32, ClassBench sets of 10,000 entries: a
// look-up takes 36 to 63, 49 in the mean. rte_acl took 33 to 154, 84 in the mean, in huge pages
// with AVX-512, for 50 to 750 MB and seconds of building. An update takes tens of microseconds (one
// in some ten thousand has its table built anew, about 5 us an entry). An entry takes 0.6 to 0.9 kB
// with its actions. Tried before: tuple space search ranked by the best entry of each mask, with a
// filter that passes over masks (as in OVS, Pfaff et al., NSDI 2015): 500 to 3,800 cycles, since
// 10,000 entries have up to 770 masks. rte_acl as a snapshot with a layer of newer entries: no
// faster than rte_acl by itself, its memory is not linear, and an update waits for seconds. Trees
// alone, behind a filter of the hash: 88 to 152, for three times the instructions. All keys a level
// at a time, and all groups at once: 110 and 86 in the mean, since what is found in one group saves
// most of the next. Groups by port as well: 97. Leaves of 8 instead of 28 entries: 9 % more, since
// each step down is a branch that is hard to foretell. Half a burst after the other: 6 % more. One
// step down for all keys, then the next: 2 % more. Prefetch 8 leaves ahead instead of all at once:
// 3 % more. Only the keys that want a group looked up in it: 3 % more. Prefetch 3, 5 or 7 lines of
// a leaf instead of 4: 1 to 4 % more. Branches for what a leaf says, instead of conditional moves:
// less where they can be foretold (7 %), more where they cannot (15 %). What is left is bound by
// instructions, about five in a cycle. Refuses: to split ranges into prefixes, so that memory stays
// linear.
//
// Writer side (struct rules): rules are edited and then committed; a commit yields an immutable
// set. Tables that did not change are shared with the set before. Reader side (struct rules_set):
// look-ups without locks; a set lives until its last reference is put, and the caller keeps the
// reference beyond the readers' grace period (RCU). Thread safety: struct rules: owner thread only;
// struct rules_set: one writer, many readers under RCU.

#define RULES_DEPTH 8            // tables that one packet may go through
#define RULES_TABLES 64          // tables of a switch, numbered from 0
#define RULES_PRIORITY_MAX 65535 // higher wins; of equal ones the one added first

struct rules;
struct rules_set;

// How an entry matches: told apart by what it reads. mask, exact, prefix and range read the key;
// learned and extension also an answer that is not in the packet (RULES_ASK_*).
enum rules_function {
	RULES_MASK,
	RULES_EXACT,
	RULES_PREFIX,
	RULES_RANGE,
	RULES_LEARNED,
	RULES_EXTENSION
};

// Questions that the key does not answer. A set says which of them its entries ask
// (rules_set_asks). Where that is any, its user gives look-ups keys that have the answers (bits)
// in switch_id: a set is of one switch, so its number tells nothing there. What a decision rests on
// besides the flow's key is so for the user to know: an answer that follows from the flow's key and
// the state of the switch is as good as cached, one that needs the packet is good for that packet.
#define RULES_ASK_SRC 0x0001u // the source MAC was learned at the port that the packet came by
#define RULES_ASK_DST 0x0002u // the destination MAC was learned
#define RULES_ASK_LEARNED (RULES_ASK_SRC | RULES_ASK_DST)
#define RULES_ASK_EXTENSIONS 14                      // that a set can ask
#define RULES_ASK_EXTENSION(i) (uint16_t)(4u << (i)) // the i-th says that it matches

struct rules_entry {
	uint32_t id; // stable and unique in the switch; index of the rule's counters
	uint16_t table;
	uint16_t priority;
	uint16_t asks;           // RULES_ASK_*: all have to be answered with yes, besides the match
	struct flow_match match; // normalised; where an entry of the set asks, not on switch_id
	struct flow_actions actions;
};

struct rules_result {
	struct flow_actions actions; // of all matched entries in order, goto left out; empty: drop
	uint8_t n;                   // matched entries
	bool no_rule;                // the last table had no match and its default is to drop
	// More than FLOW_ACTIONS_MAX actions, or more than RULES_DEPTH tables, in all: to be
	// treated as a drop.
	bool too_long;
	uint32_t fields; // FLOW_FIELD_* that the decision on the flow depends on, see rules_lookup
	uint32_t rule[RULES_DEPTH]; // ids of the matched entries
};

// max_rules bounds ids (0 to max_rules - 1) and so the count. NULL when out of memory.
struct rules *rules_new(uint32_t max_rules);
void rules_free(struct rules *r);

// What a table does when nothing matches; drop at first. -EINVAL: no such table, or a goto that
// does not go upward.
int rules_table_default(
	struct rules *r, uint16_t table, const struct flow_actions *actions, struct sl_err *err);
// The match is normalised on the way in. -EEXIST (id), -ENOSPC (id), -EINVAL (table, actions,
// goto), -ENOMEM.
int rules_add(struct rules *r, const struct rules_entry *e, struct sl_err *err);
// The same, but among equal priorities as old as another entry of the table. -ENOENT: that one is
// not there. Where both match one key the other one is deleted before the next commit.
int rules_add_as_old(
	struct rules *r, const struct rules_entry *e, uint32_t as_old_as, struct sl_err *err);
// Needs no memory. -ENOENT.
int rules_del(struct rules *r, uint32_t id);
const struct rules_entry *rules_find(const struct rules *r, uint32_t id);
uint32_t rules_count(const struct rules *r);
// In order of table, priority (highest first), age. fn must not edit.
typedef void (*rules_each_fn)(void *ctx, const struct rules_entry *e);
void rules_each(const struct rules *r, rules_each_fn fn, void *ctx);
enum rules_function rules_function_of(const struct rules_entry *e);
const char *rules_function_name(enum rules_function f);

// A new immutable set with one reference. NULL when out of memory (the edits stay pending). Cost: a
// few microseconds for each edit since the last one; a table of which more than a quarter was
// edited is built anew.
struct rules_set *rules_commit(struct rules *r);
void rules_set_ref(struct rules_set *s);
void rules_set_put(struct rules_set *s); // owner thread only; the writer may be gone

// FLOW_FIELD_* that any entry of the set reads.
uint32_t rules_set_fields(const struct rules_set *s);
// RULES_ASK_* that any of them asks.
uint16_t rules_set_asks(const struct rules_set *s);
// From table 0. In out->fields it tells which per-packet fields the decision on the flow depends
// on: those that an entry reads which the flow can reach. It can reach an entry of a reachable
// table when the entry matches with its per-packet fields left out, and no entry before it matches
// for sure, that is without reading one. Reachable are table 0 and what reachable entries (and the
// default, when nothing matches for sure) go to. Per-packet fields in the key make no difference to
// this: all packets of a flow get one answer, and those that agree in these fields get one
// decision.
void rules_lookup(const struct rules_set *s, const struct flow_key *key, struct rules_result *out);
// All of n keys; their tables, trees and leaves are gone through together, so that their memory is
// waited for together: half the cycles of as many single look-ups.
void rules_lookup_burst(const struct rules_set *s, const struct flow_key *const *keys, uint16_t n,
	struct rules_result *out);

struct rules_set_stats {
	uint32_t rules;
	uint32_t tables;
	uint32_t trees; // over all tables
	size_t memory;  // bytes of the engine when the set was made, older sets included
};
void rules_set_stats_get(const struct rules_set *s, struct rules_set_stats *out);

#endif
