// SPDX-License-Identifier: BSD-3-Clause
#include <stdlib.h>
#include <string.h>

#include "impl.h"
#include "tree.h"

#define FEW 2 // actions

void
rules_set_ref(struct rules_set *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
}

void
rules_set_put(struct rules_set *s)
{
	if (s == NULL || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	rules_mem_gone(s->mem, &s->live);
	free(s);
}

uint32_t
rules_set_fields(const struct rules_set *s)
{
	return s->fields;
}

uint16_t
rules_set_asks(const struct rules_set *s)
{
	return s->asks;
}

static inline void
append(struct rules_result *out, const struct flow_actions *actions)
{
	// All that there is of nearly all results: copied without asking how many there are.
	if (out->actions.n == 0 && actions->n <= FEW) {
		out->actions.n = actions->n;
		memcpy(out->actions.list, actions->list, FEW * sizeof(actions->list[0]));
		return;
	}
	for (unsigned i = 0; i < actions->n; i++) {
		if (out->actions.n == FLOW_ACTIONS_MAX)
			out->too_long = true;
		else
			out->actions.list[out->actions.n++] = actions->list[i];
	}
}

static bool
drops(const struct flow_actions *actions)
{
	return actions->n == 0 || actions->list[0].type == FLOW_ACT_DROP;
}

// Adds what a table says to the result; returns the table that it goes to, or -1.
static inline __attribute__((always_inline)) int
take(const struct rules_table *t, const struct rule *first, struct rules_result *out)
{
	if (first == NULL) {
		out->no_rule = drops(&t->fallback);
		append(out, &t->other);
		return t->go_to;
	}
	out->rule[out->n++] = first->id;
	append(out, &first->actions);
	return first->go_to;
}

// The same of the first table, for a result that holds nothing yet.
static inline __attribute__((always_inline)) int
take_first(const struct rules_table *t, const struct rule *first, struct rules_result *out)
{
	out->fields = 0;
	out->too_long = false;
	if (__builtin_expect(first == NULL || first->actions.n > FEW, 0)) {
		out->actions.n = 0;
		out->n = 0;
		out->no_rule = false;
		return take(t, first, out);
	}
	out->n = 1;
	out->no_rule = false;
	out->rule[0] = first->id;
	out->actions.n = first->actions.n;
	memcpy(out->actions.list, first->actions.list, FEW * sizeof(out->actions.list[0]));
	return first->go_to;
}

// The depth of a table is the least on any way to it.
static void
reached(uint8_t *depth, uint64_t tables, uint8_t from)
{
	for (; tables != 0; tables &= tables - 1) {
		unsigned t = (unsigned)__builtin_ctzll(tables);

		if (depth[t] > from + 1)
			depth[t] = (uint8_t)(from + 1);
	}
}

// All tables that the flow can reach, in their order: a goto only goes upward.
static uint32_t
lookup_all(const struct rules_set *s, const struct flow_key *key, struct rules_result *out)
{
	uint8_t depth[RULES_TABLES];
	uint32_t fields = 0;
	uint64_t todo = 1;
	int table = 0;
	unsigned n = 0;

	memset(depth, UINT8_MAX, sizeof(depth));
	depth[0] = 0;
	for (; todo != 0; todo &= todo - 1) {
		int i = __builtin_ctzll(todo);
		const struct rules_table *t = s->tables[i];
		struct rules_reach r;

		if (depth[i] == RULES_DEPTH || t == NULL) {
			if (i == table)
				*(n == RULES_DEPTH ? &out->too_long : &out->no_rule) = true;
			continue;
		}
		rules_table_reach(s->find, t, key, &r);
		fields |= r.fields;
		todo |= r.tables;
		reached(depth, r.tables, depth[i]);
		if (i != table)
			continue;
		if (n == RULES_DEPTH)
			out->too_long = true;
		else
			table = take(t, r.first, out);
		n++;
	}
	return fields;
}

static const struct rule *
first_of(const struct rules_set *s, const struct rules_table *t, const struct flow_key *key)
{
	const struct rule *rule = NULL;

	if (t->sure != NULL)
		s->find->first(t->sure, &key, 1, &rule);
	return rule;
}

static void
lookup_one(const struct rules_set *s, const struct flow_key *key, struct rules_result *out)
{
	int table = 0;

	for (unsigned depth = 0; table >= 0; depth++) {
		const struct rules_table *t = s->tables[table];

		if (depth == RULES_DEPTH) {
			out->too_long = true;
			return;
		}
		if (t == NULL) {
			out->no_rule = true;
			return;
		}
		table = take(t, first_of(s, t, key), out);
	}
}

static void
clear(struct rules_result *out)
{
	out->actions.n = 0;
	out->n = 0;
	out->no_rule = false;
	out->too_long = false;
	out->fields = 0;
}

void
rules_lookup(const struct rules_set *s, const struct flow_key *key, struct rules_result *out)
{
	clear(out);
	if (s->fields == 0)
		lookup_one(s, key, out);
	else
		out->fields = lookup_all(s, key, out);
}

// Keys on their way through the tables.
struct burst {
	uint16_t n;
	uint8_t at[RULES_BURST];    // which of them go on
	uint8_t depth[RULES_BURST]; // tables seen
	int table[RULES_BURST];
};

// All keys that are in table t.
static uint64_t
burst_table(const struct rules_set *s, int t, struct burst *b, const struct flow_key *const *keys,
	struct rules_result *out)
{
	const struct rule *rule[RULES_BURST] = {NULL};
	const struct flow_key *in[RULES_BURST];
	uint64_t next = 0;
	uint16_t n = 0;

	for (uint16_t i = 0; i < b->n; i++) {
		if (b->table[i] != t)
			continue;
		if (b->depth[i]++ == RULES_DEPTH) {
			out[i].too_long = true;
			continue;
		}
		if (s->tables[t] == NULL) {
			out[i].no_rule = true;
			continue;
		}
		b->at[n] = (uint8_t)i;
		in[n++] = keys[i];
	}
	if (n > 0 && s->tables[t]->sure != NULL)
		s->find->first(s->tables[t]->sure, in, n, rule);
	for (uint16_t i = 0; i < n; i++) {
		int to = take(s->tables[t], rule[i], &out[b->at[i]]);

		b->table[b->at[i]] = to;
		if (to >= 0)
			next |= 1ULL << to;
	}
	return next;
}

// The first table, which all keys are in. Returns which tables some go on in.
static uint64_t
burst_begin(const struct rules_set *s, struct burst *b, const struct flow_key *const *keys,
	struct rules_result *out)
{
	const struct rules_table *t = s->tables[0];
	const struct rule *rule[RULES_BURST];
	uint64_t next = 0;

	if (t == NULL) {
		for (uint16_t i = 0; i < b->n; i++) {
			clear(&out[i]);
			out[i].no_rule = true;
		}
		return 0;
	}
	if (t->sure == NULL)
		memset(rule, 0, sizeof(rule));
	else
		s->find->first(t->sure, keys, b->n, rule);
	memset(b->depth, 1, sizeof(b->depth));
	for (unsigned i = 0, n = b->n; i < n; i++) {
		int to = take_first(t, rule[i], &out[i]);

		b->table[i] = to;
		if (__builtin_expect(to >= 0, 0))
			next |= 1ULL << to;
	}
	return next;
}

void
rules_lookup_burst(const struct rules_set *s, const struct flow_key *const *keys, uint16_t n,
	struct rules_result *out)
{
	for (uint16_t from = 0; from < n; from += RULES_BURST) {
		struct burst b;
		uint64_t todo;

		b.n = n - from < RULES_BURST ? n - from : RULES_BURST;
		if (s->fields != 0) {
			for (uint16_t i = from; i < from + b.n; i++)
				rules_lookup(s, keys[i], &out[i]);
			continue;
		}
		for (todo = burst_begin(s, &b, keys + from, out + from); todo != 0;
			todo &= todo - 1) {
			int t = __builtin_ctzll(todo);

			todo |= burst_table(s, t, &b, keys + from, out + from);
		}
	}
}

void
rules_set_stats_get(const struct rules_set *s, struct rules_set_stats *out)
{
	*out = (struct rules_set_stats){.rules = s->rules, .trees = s->trees, .memory = s->memory};
	for (unsigned i = 0; i < RULES_TABLES; i++)
		out->tables += s->tables[i] != NULL;
}
