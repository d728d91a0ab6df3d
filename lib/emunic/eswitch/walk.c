// SPDX-License-Identifier: BSD-3-Clause
#include "eswitch/walk.h"

#include <string.h>

#include <rte_branch_prediction.h>

#include "eswitch/miss.h"
#include "eswitch/program.h"

// What rules wrote becomes part of what later ones match.
static inline void
refresh_key(struct emu_pkt *p)
{
	p->key.mark = p->marked ? p->mark : 0;
	if (p->marked)
		p->key.layers |= EMU_L_MARKED;
	p->key.meta = p->meta;
	memcpy(p->key.tag, p->tag, sizeof(p->tag));
}

// What a rule does with a packet wherever it then goes.
static inline void
run(struct emu_nic *nic, struct emu_pkt *p, struct rte_flow *rule)
{
	emu_rule_hit(rule, nic->reading, p->m->pkt_len);
	if (rule->act.mark) {
		p->marked = true;
		p->mark = rule->act.mark_id;
	}
	if (unlikely(rule->act.program != NULL) && !emu_program_run(nic, p, rule->act.program))
		p->m = NULL;
}

// Drops the packet; the walk leaves it out in the end.
static void
drop(struct emu_nic *nic, enum emu_drop why, struct emu_pkt *p)
{
	emu_drop(nic, why, p->m);
	p->m = NULL;
}

// Has the miss a way of its own?
static bool
goes_to_vm(struct emu_nic *nic, const struct emu_table *t, const struct emu_pkt *p)
{
	return nic->misses_to_vm > 0 && t->root == &nic->transfer && emu_miss_side(nic, p) != 0;
}

// No rule of t decides about p.
static void
miss(struct emu_nic *nic, const struct emu_table *t, struct emu_pkt *p)
{
	p->missed = t->group;
	if (t->root != NULL && nic->moods.jump_miss_drop && !goes_to_vm(nic, t, p))
		drop(nic, EMU_DROP_JUMP_MISS, p);
}

// Runs the rules of t that come for p behind `rule`, which lets it pass, until one does not. True
// when p jumps by that one.
static bool
pass(struct emu_nic *nic, const struct emu_table *t, struct emu_pkt *p, struct rte_flow *rule)
{
	for (unsigned int passed = 1; rule->act.fate == EMU_FATE_PASS; passed++) {
		const struct rte_flow *after = rule;

		refresh_key(p);
		rule = emu_table_next(&nic->rules, t, p, after);
		p->rule = rule;
		if (rule == emu_rule_none(&nic->rules)) {
			miss(nic, t, p);
			return false;
		}
		if (passed == EMU_MAX_PASSES) {
			drop(nic, EMU_DROP_PASS_LIMIT, p);
			return false;
		}
		if (unlikely(emu_must_split(p, &rule->act))) {
			p->split = t;
			p->after = after;
			return false;
		}
		run(nic, p, rule);
		if (p->m == NULL)
			return false;
	}
	return rule->act.fate == EMU_FATE_JUMP;
}

// What the rule that p met in t does. True when p jumps by p->rule.
static inline bool
obey(struct emu_nic *nic, const struct emu_table *t, struct emu_pkt *p, struct rte_flow *rule)
{
	p->rule = rule;
	p->missed = t->group; // where it goes on from, unless the rule decides
	if (likely(rule->plain)) {
		emu_counter_hit(&rule->counter, nic->reading, p->m->pkt_len);
		if (unlikely(t->root != NULL) && rule == emu_rule_none(&nic->rules))
			miss(nic, t, p);
		return false;
	}
	if (unlikely(emu_must_split(p, &rule->act))) {
		p->split = t;
		return false;
	}
	run(nic, p, rule);
	if (likely(rule->act.fate < EMU_FATE_JUMP) || p->m == NULL)
		return false;
	return rule->act.fate == EMU_FATE_JUMP || pass(nic, t, p, rule);
}

// One look-up of all packets that are in t. next[i] becomes the table that they jump to.
// Returns how many jumped.
static unsigned int
step(struct emu_nic *nic, const struct emu_table *t, struct emu_pkt **pkts,
	const struct emu_table **at, const struct emu_table **next, unsigned int n)
{
	struct emu_pkt *in[EMU_BURST];
	struct rte_flow *rules[EMU_BURST];
	unsigned int from[EMU_BURST], k = 0, jumped = 0;

	for (unsigned int i = 0; i < n; i++) {
		if (at[i] != t)
			continue;
		at[i] = NULL;
		in[k] = pkts[i];
		from[k++] = i;
	}
	emu_table_lookup(&nic->rules, t, in, k, rules);
	for (unsigned int i = 0; i < k; i++) {
		if (!obey(nic, t, in[i], rules[i]))
			continue;
		refresh_key(in[i]);
		next[from[i]] = in[i]->rule->next;
		jumped++;
	}
	return jumped;
}

// What comes behind the first table: at[i] is the table that pkts[i] jumped to, or NULL. Takes
// those out that were dropped, here or before; returns how many are left.
static unsigned int
go_on(struct emu_nic *nic, struct emu_pkt **pkts, const struct emu_table **at, unsigned int n)
{
	const struct emu_table *next[EMU_BURST] = {NULL};
	unsigned int left = n, kept = 0;

	for (unsigned int jumps = 1; left > 0 && jumps <= EMU_MAX_JUMPS; jumps++) {
		left = 0;
		for (unsigned int i = 0; i < n; i++)
			if (at[i] != NULL)
				left += step(nic, at[i], pkts, at, next, n);
		for (unsigned int i = 0; left > 0 && i < n; i++) {
			at[i] = next[i];
			next[i] = NULL;
		}
	}
	for (unsigned int i = 0; i < n; i++) {
		if (left > 0 && at[i] != NULL)
			drop(nic, EMU_DROP_JUMP_LOOP, pkts[i]);
		if (pkts[i]->m != NULL)
			pkts[kept++] = pkts[i];
	}
	return kept;
}

// The rules that a burst meets first: of segments behind the one that let their packet pass.
static void
look_up(struct emu_nic *nic, const struct emu_table *t, const struct rte_flow *after,
	struct emu_pkt **pkts, unsigned int n, struct rte_flow **out)
{
	if (likely(after == NULL)) {
		emu_table_lookup(&nic->rules, t, pkts, n, out);
		return;
	}
	for (unsigned int i = 0; i < n; i++)
		out[i] = emu_table_next(&nic->rules, t, pkts[i], after);
}

unsigned int
emu_walk(struct emu_nic *nic, const struct emu_table *root, struct emu_pkt **pkts, unsigned int n)
{
	const struct emu_table *at[EMU_BURST];
	struct rte_flow *rules[EMU_BURST];
	// Segments of one packet are walked together, and have the same.
	const struct rte_flow *after = n > 0 ? pkts[0]->after : NULL;
	bool all_done = true;

	for (unsigned int i = 0; i < n; i++) {
		pkts[i]->rule = emu_rule_none(&nic->rules);
		pkts[i]->split = NULL;
		pkts[i]->after = NULL;
		if (root->n_rules > 0)
			refresh_key(pkts[i]);
	}
	if (root->n_rules == 0)
		return n;
	look_up(nic, root, after, pkts, n, rules);
	for (unsigned int i = 0; i < n; i++) {
		struct emu_pkt *p = pkts[i];
		bool jumps = obey(nic, root, p, rules[i]);

		if (likely(!jumps && p->m != NULL))
			continue;
		if (all_done) // the first that is not
			memset(at, 0, n * sizeof(at[0]));
		all_done = false;
		if (!jumps)
			continue;
		refresh_key(p);
		at[i] = p->rule->next;
	}
	return likely(all_done) ? n : go_on(nic, pkts, at, n);
}
