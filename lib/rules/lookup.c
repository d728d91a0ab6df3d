// SPDX-License-Identifier: BSD-3-Clause
#include <stdlib.h>

#include "impl.h"

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
	for (unsigned i = 0; i < RULES_TABLES; i++)
		rules_table_put(s->tables[i]);
	free(s);
}

uint32_t
rules_set_fields(const struct rules_set *s)
{
	return s->fields;
}

// Appends actions to the result; returns the table that they go to, or -1.
static int
append(struct rules_result *out, const struct flow_actions *actions)
{
	for (unsigned i = 0; i < actions->n; i++) {
		if (actions->list[i].type == FLOW_ACT_GOTO)
			return actions->list[i].index;
		if (out->actions.n == FLOW_ACTIONS_MAX)
			out->too_long = true;
		else
			out->actions.list[out->actions.n++] = actions->list[i];
	}
	return -1;
}

static bool
drops(const struct flow_actions *actions)
{
	return actions->n == 0 || actions->list[0].type == FLOW_ACT_DROP;
}

void
rules_lookup(const struct rules_set *s, const struct flow_key *key, struct rules_result *out)
{
	int table = 0;

	out->actions.n = 0;
	out->n = 0;
	out->no_rule = false;
	out->too_long = false;
	out->fields = 0;
	for (unsigned depth = 0; table >= 0; depth++) {
		const struct rules_table *t = s->tables[table];
		uint32_t rank;

		if (depth == RULES_DEPTH) {
			out->too_long = true;
			return;
		}
		if (t == NULL) {
			out->no_rule = true;
			return;
		}
		out->fields |= t->fields;
		rank = rules_table_find(t, key);
		if (rank == RULES_NONE) {
			out->no_rule = drops(&t->fallback);
			table = append(out, &t->fallback);
		} else {
			const struct rules_entry *e = &t->nodes[rank].rule->e;

			out->rule[out->n++] = e->id;
			table = append(out, &e->actions);
		}
	}
}

void
rules_lookup_burst(const struct rules_set *s, const struct flow_key *const *keys, uint16_t n,
	struct rules_result *out)
{
	for (uint16_t i = 0; i < n; i++)
		rules_lookup(s, keys[i], &out[i]);
}

void
rules_set_stats_get(const struct rules_set *s, struct rules_set_stats *out)
{
	*out = (struct rules_set_stats){.rules = s->rules, .memory = sizeof(*s)};
	for (unsigned i = 0; i < RULES_TABLES; i++) {
		const struct rules_table *t = s->tables[i];

		if (t == NULL)
			continue;
		out->tables++;
		out->subtables += t->n_subtables;
		out->memory += t->memory + t->n * sizeof(struct rule);
	}
}
