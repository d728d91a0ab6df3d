// SPDX-License-Identifier: BSD-3-Clause
#include "tree.h"

int
rules_go_to(const struct flow_actions *actions)
{
	for (unsigned i = 0; i < actions->n; i++)
		if (actions->list[i].type == FLOW_ACT_GOTO)
			return actions->list[i].index;
	return -1;
}

const struct rules_find *
rules_find_form(unsigned i)
{
	const struct rules_find *form[3];
	unsigned n = 0;

#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512bw") &&
		__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
		__builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2"))
		form[n++] = rules_find_wide();
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
		__builtin_cpu_supports("bmi2"))
		form[n++] = rules_find_avx2();
#endif
	form[n++] = rules_find_base();
	return i < n ? form[i] : NULL;
}

static void
reach_table(struct rules_reach *out, int go_to)
{
	if (go_to >= 0)
		out->tables |= 1ULL << go_to;
}

struct loose_ctx {
	const struct flow_key *key;
	struct rules_reach *out;
};

static void
loose_match(void *ctx, const struct rule *rule)
{
	struct loose_ctx *l = ctx;
	struct rules_reach *out = l->out;

	out->fields |= rule->fields;
	reach_table(out, rule->go_to);
	if ((out->first == NULL || rule->order < out->first->order) &&
		(rule->e.asks & ~l->key->switch_id) == 0 && flow_match_hits(&rule->e.match, l->key))
		out->first = rule;
}

void
rules_table_reach(const struct rules_find *find, const struct rules_table *t,
	const struct flow_key *key, struct rules_reach *out)
{
	struct loose_ctx l = {.key = key, .out = out};
	const struct rule *sure = NULL;

	if (t->sure != NULL)
		find->first(t->sure, &key, 1, &sure);
	*out = (struct rules_reach){.first = sure};
	reach_table(out, sure != NULL ? sure->go_to : t->go_to);
	if (t->loose != NULL)
		find->each(t->loose, key, sure != NULL ? sure->order : UINT64_MAX, loose_match, &l);
}
