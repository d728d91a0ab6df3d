// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CONTROL_RULE_BOOK_H
#define SLUICE_CONTROL_RULE_BOOK_H

#include "state.h"

// The rules of one switch as people know them (names, text, VM matches) over the rule engine. A
// rule that matches on a VM becomes one entry for each vport of the VM, all counted together. Edits
// are in force once published. Thread safety: owner thread only (control).

struct rule_book;
struct asked_list;

struct rule_info {
	const struct config_rule *rule;
	bool from_config; // else added live
};

int rule_book_new(struct control *c, uint16_t sw, struct rule_book **out, struct sl_err *err);
void rule_book_free(struct rule_book *b);

// Fails with nothing changed. rule->id is given here. -EEXIST (name), -ENOSPC, -EINVAL.
int rule_book_add(struct rule_book *b, const struct config_rule *rule, bool from_config,
	uint32_t *id, struct sl_err *err);
// In the place of another one, whose name it takes, and its age among rules of one priority; both
// edits are in force at once. A rule of the file stays one: a reload brings the file's back. Fails
// with nothing changed. -ENOENT, -ENOSPC, -EINVAL.
int rule_book_replace(struct rule_book *b, uint32_t old, const struct config_rule *rule,
	uint32_t *id, struct sl_err *err);
// It will be deleted in a moment, and makes room for others already: what replaces it comes first.
void rule_book_leaves(struct rule_book *b, uint32_t id, bool on);
// -ENOENT.
int rule_book_del(struct rule_book *b, uint32_t id);
// The same of a rule that is there and was added since the last commit, as if it never was.
void rule_book_take_back(struct rule_book *b, uint32_t id);
// By name or number text.
const struct config_rule *rule_book_find(const struct rule_book *b, const char *name_or_id);
const struct config_rule *rule_book_get(const struct rule_book *b, uint32_t id);
// The rule that an engine entry belongs to.
const struct config_rule *rule_book_of_entry(const struct rule_book *b, uint32_t entry);

typedef void (*rule_book_fn)(void *ctx, const struct rule_info *info);
void rule_book_each(
	const struct rule_book *b, rule_book_fn fn, void *ctx); // in the order of effect
uint32_t rule_book_count(const struct rule_book *b);

// Sum of the rule's counters over its entries and the workers.
void rule_book_counters(const struct rule_book *b, uint32_t id, uint64_t *packets, uint64_t *bytes);
// What NICs carried (or dropped) by the rule with no host in between. gen: as rule_book_entries
// gives it; what belongs to an earlier rule of that id is forgotten.
void rule_book_carried(
	struct rule_book *b, uint32_t id, uint32_t gen, uint64_t packets, uint64_t bytes);
// The rule that a counter index belongs to. False: none.
bool rule_book_entry_rule(const struct rule_book *b, uint32_t entry, uint32_t *id, uint32_t *gen);
void rule_book_hardware(const struct rule_book *b, uint32_t id, uint64_t *packets, uint64_t *bytes);

// The engine's entries in order of table and effect, each with its rule. fn must not edit.
typedef void (*rule_book_entry_fn)(
	void *ctx, const struct rules_entry *entry, uint32_t rule, uint32_t gen);
void rule_book_entries(const struct rule_book *b, rule_book_entry_fn fn, void *ctx);

// Makes the VM entries follow the vports of the config (a vport came or went).
int rule_book_refresh(struct rule_book *b, struct sl_err *err);
// What they ask besides a packet's key (switch/asked.h).
const struct asked_list *rule_book_asked(const struct rule_book *b);
// Would rule_book_refresh have room when the vports are those of next? -ENOSPC.
int rule_book_check(const struct rule_book *b, const struct config *next, struct sl_err *err);
// The edits before the last commit are in force everywhere: entries that were deleted have their
// final counters and may be used again. After each publish.
void rule_book_retire(struct rule_book *b);
int rule_book_table_default(struct rule_book *b, uint16_t table, const struct flow_actions *actions,
	struct sl_err *err);
// The engine's set with all edits, for a snapshot; it has one reference for the caller.
struct rules_set *rule_book_commit(struct rule_book *b);
struct dp_meter *rule_book_meters(const struct rule_book *b);
uint32_t rule_book_max(const struct rule_book *b);

#endif
