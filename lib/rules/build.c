// SPDX-License-Identifier: BSD-3-Clause
#include <stdlib.h>
#include <string.h>

#include "bits.h"
#include "tree.h"

#define LEAF_MAX 28 // entries that need no node: comparing 8 costs less than a step

void
rules_node_bits(
	const struct rules_node *node, const struct rule *rule, uint32_t *val, uint32_t *any)
{
	uint32_t cares = rules_take_bits(rule->mask[node->word[0]], node->mask[0]) |
			 rules_take_bits(rule->mask[node->word[1]], node->mask[1]) << node->shift;

	*val = (rules_take_bits(rule->key[node->word[0]], node->mask[0]) |
		       rules_take_bits(rule->key[node->word[1]], node->mask[1]) << node->shift) &
	       cares;
	*any = ~cares & ((1u << node->bits) - 1);
}

// Where the entries of a list go.
struct parts {
	uint32_t *val, *any; // of each entry
	uint32_t *start;     // of each child, and the end; the last one is rest
	const struct rule **entry;
};

static bool
parts_init(struct parts *p, struct rules_node *node, const struct rule *const *list, uint32_t n,
	uint32_t copies)
{
	uint32_t children = 1u << node->bits, with[RULES_NODE_BITS + 1] = {0};
	uint64_t total = 0;
	uint8_t w;

	p->val = malloc((2 * (size_t)n + children + 2) * sizeof(uint32_t));
	if (p->val == NULL)
		return false;
	p->any = p->val + n;
	p->start = p->any + n;
	for (uint32_t i = 0; i < n; i++) {
		rules_node_bits(node, list[i], &p->val[i], &p->any[i]);
		with[__builtin_popcount(p->any[i])]++;
	}
	for (w = 0; w <= node->bits; w++) {
		total += (uint64_t)with[w] << w;
		if (total > (uint64_t)copies * n / RULES_ONE)
			break;
		node->wild_max = w;
	}
	p->entry = malloc(((copies / RULES_ONE + 2) * (size_t)n + 1) * sizeof(p->entry[0]));
	if (p->entry == NULL)
		free(p->val);
	return p->entry != NULL;
}

static bool
in_rest(const struct rules_node *node, uint32_t any)
{
	return __builtin_popcount(any) > node->wild_max;
}

// Sorts the entries into their children, keeping their order.
static void
parts_fill(
	struct parts *p, const struct rules_node *node, const struct rule *const *list, uint32_t n)
{
	uint32_t children = 1u << node->bits, at = 0;

	memset(p->start, 0, (children + 2) * sizeof(uint32_t));
	for (unsigned pass = 0; pass < 2; pass++) {
		for (uint32_t i = 0; i < n; i++) {
			uint32_t sub = p->any[i];

			if (in_rest(node, sub)) {
				if (pass == 1)
					p->entry[p->start[children]] = list[i];
				p->start[children]++;
				continue;
			}
			for (;; sub = (sub - 1) & p->any[i]) {
				uint32_t *s = &p->start[p->val[i] | sub];

				if (pass == 1)
					p->entry[*s] = list[i];
				(*s)++;
				if (sub == 0)
					break;
			}
		}
		if (pass == 1)
			break;
		for (uint32_t ch = 0; ch <= children; ch++) {
			uint32_t here = p->start[ch];

			p->start[ch] = at;
			at += here;
		}
	}
	// start[] of each is its end now: that is the start of the next.
	memmove(p->start + 1, p->start, (children + 1) * sizeof(uint32_t));
	p->start[0] = 0;
}

static bool
build_children(struct rules_mem *m, struct rules_node *node, const struct parts *p, uint32_t copies)
{
	uint32_t children = 1u << node->bits;

	for (uint32_t ch = 0; ch <= children; ch++) {
		rules_ref *to = ch < children ? &node->child[ch] : &node->rest;

		if (!rules_tree_build(m, p->entry + p->start[ch], p->start[ch + 1] - p->start[ch],
			    copies, to))
			return false;
	}
	return true;
}

// A node that has all entries in one child would not end.
static bool
spreads(const struct rules_node *node, const struct parts *p, uint32_t n)
{
	uint32_t children = 1u << node->bits;

	for (uint32_t ch = 0; ch <= children; ch++)
		if (p->start[ch + 1] - p->start[ch] >= n)
			return false;
	return true;
}

// What the children may copy of what their parent might.
static uint32_t
left_of(uint32_t copies, const struct parts *p, const struct rules_node *node, uint32_t n)
{
	uint32_t left = (uint32_t)((uint64_t)copies * n / p->start[(1u << node->bits) + 1]);

	return left > RULES_ONE ? left : RULES_ONE;
}

bool
rules_tree_build(struct rules_mem *m, const struct rule *const *list, uint32_t n, uint32_t copies,
	rules_ref *out)
{
	struct rules_node plan = {.count = n}, *node;
	struct parts p;
	bool ok = true;

	*out = 0;
	if (n == 0)
		return true;
	if (n <= LEAF_MAX || !rules_choose(&plan, list, n, copies)) {
		*out = rules_leaf_new(m, list, n);
		return *out != 0;
	}
	if (!parts_init(&p, &plan, list, n, copies))
		return false;
	parts_fill(&p, &plan, list, n);
	if (!spreads(&plan, &p, n)) {
		*out = rules_leaf_new(m, list, n);
		ok = *out != 0;
	} else {
		node = rules_mem_get(m, sizeof(*node) + (sizeof(rules_ref) << plan.bits));
		ok = node != NULL;
		if (ok) {
			plan.obj = node->obj;
			*node = plan;
			node->best = list[0]->order;
			node->built = n;
			*out = (rules_ref)node;
			ok = build_children(m, node, &p, left_of(copies, &p, &plan, n));
			if (!ok) {
				rules_tree_retire(m, *out);
				*out = 0;
			}
		}
	}
	free(p.val);
	free(p.entry);
	return ok;
}
