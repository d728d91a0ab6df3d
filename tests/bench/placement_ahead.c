// SPDX-License-Identifier: BSD-3-Clause
#include "placement_ahead.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "offload/pays.h"

#define ROUND_NS (250 * SL_NS_PER_MS) // as src/control/place/ahead_worth.c
#define ENTRIES_MAX 256

struct rule {
	uint64_t name, bytes;
	bool wanted, busy, in;
};

struct sim_ahead {
	struct ahead_setup setup;
	struct ahead_pays *pays;
	struct rule *rule;
	uint32_t n, n_flows, *of_flow; // rule of each flow
	uint32_t budget;
	uint64_t next_ns;
	bool changed;
};

static uint64_t
name_of(const struct flow_key *key, enum ahead_rules rules)
{
	uint64_t to = trace_to(key);

	if (rules == AHEAD_RULES_ADDRESSES)
		to = key->l3 == FLOW_L3_NONE ? sl_hash_bytes(key->eth_dst, 6, 1)
					     : sl_hash_bytes(key->dst, 16, 1);
	return sl_hash_words((uint64_t[]){key->vport, to}, 2, 1);
}

static int
by_name(const void *a, const void *b)
{
	const struct rule *x = a, *y = b;

	return (x->name > y->name) - (x->name < y->name);
}

static void
name_rules(struct sim_ahead *a, const struct trace *t)
{
	uint32_t i, n = 0;

	for (i = 0; i < t->n_flows; i++)
		a->rule[i].name = name_of(&t->keys[i], a->setup.rules);
	qsort(a->rule, t->n_flows, sizeof(*a->rule), by_name);
	for (i = 0; i < t->n_flows; i++) {
		if (n == 0 || a->rule[n - 1].name != a->rule[i].name)
			a->rule[n++].name = a->rule[i].name;
	}
	a->n = n;
	for (i = 0; i < t->n_flows; i++) {
		const struct rule look = {.name = name_of(&t->keys[i], a->setup.rules)};
		const struct rule *r = bsearch(&look, a->rule, n, sizeof(*a->rule), by_name);

		a->of_flow[i] = (uint32_t)(r - a->rule);
	}
}

struct sim_ahead *
sim_ahead_new(const struct trace *t, const struct ahead_setup *setup, uint32_t entries)
{
	struct sim_ahead *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->setup = *setup;
	a->n_flows = t->n_flows;
	a->budget = setup->when == AHEAD_NEVER ? 0 : entries / 2;
	if (a->budget > ENTRIES_MAX)
		a->budget = ENTRIES_MAX;
	a->rule = calloc(t->n_flows + 1, sizeof(*a->rule));
	a->of_flow = calloc(t->n_flows + 1, sizeof(*a->of_flow));
	if (a->rule == NULL || a->of_flow == NULL || ahead_pays_new(&a->pays) != 0) {
		sim_ahead_free(a);
		return NULL;
	}
	if (setup->rules != AHEAD_RULES_NONE)
		name_rules(a, t);
	return a;
}

void
sim_ahead_free(struct sim_ahead *a)
{
	if (a == NULL)
		return;
	ahead_pays_free(a->pays);
	free(a->rule);
	free(a->of_flow);
	free(a);
}

uint32_t
sim_ahead_rules(const struct sim_ahead *a)
{
	return a->n;
}

bool
sim_ahead_serves(const struct sim_ahead *a, uint32_t flow)
{
	return a->n > 0 && flow < a->n_flows && a->rule[a->of_flow[flow]].in;
}

bool
sim_ahead_packet(struct sim_ahead *a, uint32_t flow, uint32_t len)
{
	if (a->n == 0)
		return false;
	a->rule[a->of_flow[flow]].bytes += len;
	return a->rule[a->of_flow[flow]].in;
}

static void
judge(struct sim_ahead *a, uint64_t ns, struct offload *o)
{
	bool wanted;
	double margin = offload_nic_margin(o, 0, &wanted);
	uint32_t i;

	ahead_pays_begin(a->pays, ns, margin, wanted, a->budget);
	for (i = 0; i < a->n; i++)
		ahead_pays_rule(
			a->pays, a->rule[i].name, a->rule[i].bytes, a->rule[i].wanted, true);
	(void)ahead_pays_end(a->pays);
}

static void
want(struct sim_ahead *a)
{
	uint32_t i, n = 0;

	for (i = 0; i < a->n; i++) {
		bool pays = a->setup.when == AHEAD_ALWAYS || ahead_pays(a->pays, a->rule[i].name);

		a->rule[i].wanted = n < a->budget && pays;
		n += a->rule[i].wanted;
	}
}

bool
sim_ahead_run(
	struct sim_ahead *a, uint64_t ns, struct offload *o, struct nic_model *nic, uint32_t *held)
{
	bool changed = a->changed;
	uint32_t i;

	if (a->n > 0 && ns >= a->next_ns) {
		a->next_ns = ns + ROUND_NS;
		judge(a, ns, o);
		want(a);
	}
	*held = 0;
	for (i = 0; i < a->n; i++) {
		struct rule *r = &a->rule[i];

		if (!r->busy && r->wanted != r->in &&
			nic_model_put(nic, ns, TRACE_NO_FLOW, AHEAD_TAG | i, r->wanted) == 0)
			r->busy = true;
		*held += r->in || r->busy;
	}
	a->changed = false;
	return changed;
}

void
sim_ahead_done(struct sim_ahead *a, const struct nic_op *op)
{
	struct rule *r = &a->rule[op->tag & ~AHEAD_TAG];

	r->busy = false;
	r->in = op->insert;
	a->changed = true;
}
