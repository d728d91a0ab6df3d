// SPDX-License-Identifier: BSD-3-Clause
#include <stdlib.h>

#include "impl.h"

int
rules_go_to(const struct flow_actions *actions)
{
	for (unsigned i = 0; i < actions->n; i++)
		if (actions->list[i].type == FLOW_ACT_GOTO)
			return actions->list[i].index;
	return -1;
}

static bool
fill(struct rules_table *t, struct rule *const *list, uint32_t n, uint64_t seed)
{
	struct rule **split = malloc((n + 1) * sizeof(struct rule *));
	uint32_t sure = 0, loose = n;

	if (split == NULL)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		t->fields |= list[i]->fields;
		if (list[i]->fields == 0)
			split[sure++] = list[i];
	}
	for (uint32_t i = n; i-- > 0;)
		if (list[i]->fields != 0)
			split[--loose] = list[i];
	t->sure = rules_space_build(split, sure, false, seed);
	if (loose < n)
		t->loose = rules_space_build(split + loose, n - loose, true, seed);
	free(split);
	return t->sure != NULL && (t->loose != NULL) == (loose < n);
}

struct rules_table *
rules_table_build(
	struct rule *const *list, uint32_t n, const struct flow_actions *fallback, uint64_t seed)
{
	struct rules_table *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	atomic_init(&t->refs, 1);
	t->n = n;
	t->fallback = *fallback;
	t->go_to = rules_go_to(fallback);
	if (!fill(t, list, n, seed)) {
		rules_table_put(t);
		return NULL;
	}
	return t;
}

void
rules_table_put(struct rules_table *t)
{
	if (t == NULL || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
		return;
	rules_space_free(t->sure);
	rules_space_free(t->loose);
	free(t);
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
		flow_match_hits(&rule->e.match, l->key))
		out->first = rule;
}

void
rules_table_reach(const struct rules_table *t, const struct flow_key *key, struct rules_reach *out)
{
	const struct rule *sure = rules_space_first(t->sure, key);
	struct loose_ctx l = {.key = key, .out = out};

	*out = (struct rules_reach){.first = sure};
	reach_table(out, sure != NULL ? sure->go_to : t->go_to);
	if (t->loose != NULL)
		rules_space_each(
			t->loose, key, sure != NULL ? sure->order : UINT64_MAX, loose_match, &l);
}
