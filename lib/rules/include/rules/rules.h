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
// Problem: thousands of entries overlap, and a miss of the flow cache waits for the answer. Idea:
// tuple space search with ranked and filtered subtables (lib/rules/impl.h, filter.h, with their
// sources). Cost of a look-up in ClassBench sets of 1000 and 10,000 entries: 1,100 to 3,800 cycles
// (TSC, 2.6 GHz), where rte_acl takes 60 to 600; an entry takes about 350 bytes with its actions.
// Refuses: to split ranges into prefixes, so that memory stays linear.
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

// How an entry matches. exact, mask and range are told apart by the match itself; learned entries
// are made by the switch; extensions come with ext.
enum rules_function {
	RULES_MASK,
	RULES_EXACT,
	RULES_PREFIX,
	RULES_RANGE,
	RULES_LEARNED,
	RULES_EXTENSION
};

struct rules_entry {
	uint32_t id; // stable and unique in the switch; index of the rule's counters
	uint16_t table;
	uint16_t priority;
	struct flow_match match; // normalised
	struct flow_actions actions;
};

struct rules_result {
	struct flow_actions actions; // of all matched entries in order, goto left out; empty: drop
	uint8_t n;                   // matched entries
	bool no_rule;                // the last table had no match and its default is to drop
	// More than FLOW_ACTIONS_MAX actions, or more than RULES_DEPTH tables, in all: to be
	// treated as a drop.
	bool too_long;
	uint32_t fields;            // as rules_reachable: the decision on the flow depends on them
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
int rules_del(struct rules *r, uint32_t id); // -ENOENT
const struct rules_entry *rules_find(const struct rules *r, uint32_t id);
uint32_t rules_count(const struct rules *r);
// In order of table, priority (highest first), age. fn must not edit.
typedef void (*rules_each_fn)(void *ctx, const struct rules_entry *e);
void rules_each(const struct rules *r, rules_each_fn fn, void *ctx);
enum rules_function rules_function_of(const struct rules_entry *e);
const char *rules_function_name(enum rules_function f);

// A new immutable set with one reference. NULL when out of memory (the edits stay pending). Cost:
// the tables that changed are built anew, about 0.2 ms for each 1000 entries; the others are
// shared.
struct rules_set *rules_commit(struct rules *r);
void rules_set_ref(struct rules_set *s);
void rules_set_put(struct rules_set *s);

// FLOW_FIELD_* that any entry of the set reads.
uint32_t rules_set_fields(const struct rules_set *s);
// From table 0. In out->fields it tells which per-packet fields the decision on the flow depends
// on: those that an entry reads which the flow can reach. It can reach an entry of a reachable
// table when the entry matches with its per-packet fields left out, and no entry before it matches
// for sure, that is without reading one. Reachable are table 0 and what reachable entries (and the
// default, when nothing matches for sure) go to. Per-packet fields in the key make no difference to
// this: all packets of a flow get one answer, and those that agree in these fields get one
// decision.
void rules_lookup(const struct rules_set *s, const struct flow_key *key, struct rules_result *out);
void rules_lookup_burst(const struct rules_set *s, const struct flow_key *const *keys, uint16_t n,
	struct rules_result *out);

struct rules_set_stats {
	uint32_t rules;
	uint32_t tables;
	uint32_t subtables; // distinct masks, over all tables
	size_t memory;
};
void rules_set_stats_get(const struct rules_set *s, struct rules_set_stats *out);

#endif
