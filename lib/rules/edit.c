// SPDX-License-Identifier: BSD-3-Clause
#include <stdlib.h>
#include <string.h>

#include "tree.h"

#define COPIES_SPLIT (RULES_ONE * 3 / 2) // a leaf that is full; splits may follow splits
#define GROWN 4                          // times of what a node was built for

void
rules_tree_retire(struct rules_mem *m, rules_ref ref)
{
	struct rules_node *node;

	if (ref == 0)
		return;
	if (rules_is_leaf(ref)) {
		rules_mem_retire(m, &rules_leaf_of(ref)->obj);
		return;
	}
	node = rules_node_of(ref);
	for (uint32_t i = 0; i < 1u << node->bits; i++)
		rules_tree_retire(m, node->child[i]);
	rules_tree_retire(m, node->rest);
	rules_mem_retire(m, &node->obj);
}

// The node, or a copy of it, that no set sees yet.
static struct rules_node *
own(struct rules_mem *m, rules_ref *ref)
{
	struct rules_node *node = rules_node_of(*ref);
	size_t size = sizeof(*node) + (sizeof(rules_ref) << node->bits);

	node = rules_mem_own(m, &node->obj, size);
	if (node != NULL)
		*ref = (rules_ref)node;
	return node;
}

static bool
leaf_replace(struct rules_mem *m, rules_ref *ref, rules_ref with)
{
	if (with == 0)
		return false;
	rules_mem_retire(m, &rules_leaf_of(*ref)->obj);
	*ref = with;
	return true;
}

static bool
leaf_add(struct rules_mem *m, rules_ref *ref, const struct rule *rule)
{
	const struct rules_leaf *leaf = rules_leaf_of(*ref);
	const struct rule **list = malloc((leaf->n + 1u) * sizeof(list[0]));
	uint32_t n, at;
	rules_ref made;
	bool ok = true;

	if (list == NULL)
		return false;
	n = rules_leaf_list(leaf, list);
	for (at = n; at > 0 && list[at - 1]->order > rule->order; at--)
		list[at] = list[at - 1];
	list[at] = rule;
	if (at > 0 && list[at - 1] == rule) {
		free(list); // it was done by an edit that then ran out of memory elsewhere
		return true;
	}
	if (n % RULES_ROWS == 0)
		ok = rules_tree_build(m, list, n + 1, COPIES_SPLIT, &made);
	else
		made = rules_leaf_new(m, list, n + 1);
	ok = ok && leaf_replace(m, ref, made);
	free(list);
	return ok;
}

static bool
leaf_del(struct rules_mem *m, rules_ref *ref, const struct rule *rule)
{
	const struct rules_leaf *leaf = rules_leaf_of(*ref);
	const struct rule **list = malloc(leaf->n * sizeof(list[0]));
	uint32_t n, at = 0;
	bool ok = true;

	if (list == NULL)
		return false;
	n = rules_leaf_list(leaf, list);
	while (at < n && list[at] != rule)
		at++;
	if (at < n && n == 1) {
		rules_mem_retire(m, &rules_leaf_of(*ref)->obj);
		*ref = 0;
	} else if (at < n) {
		memmove(&list[at], &list[at + 1], (n - at - 1) * sizeof(list[0]));
		ok = leaf_replace(m, ref, rules_leaf_new(m, list, n - 1));
	}
	free(list);
	return ok;
}

// The entries of a tree, each as often as it stands there.
struct gather {
	const struct rule **list;
	uint32_t n, cap;
};

static bool
gather(struct gather *g, rules_ref ref)
{
	const struct rules_node *node;

	if (ref == 0)
		return true;
	if (rules_is_leaf(ref)) {
		const struct rules_leaf *leaf = rules_leaf_of(ref);

		if (g->n + leaf->n > g->cap) {
			uint32_t cap = 2 * (g->n + leaf->n);
			const struct rule **list = realloc(g->list, cap * sizeof(list[0]));

			if (list == NULL)
				return false;
			g->list = list;
			g->cap = cap;
		}
		g->n += rules_leaf_list(leaf, g->list + g->n);
		return true;
	}
	node = rules_node_of(ref);
	for (uint32_t i = 0; i < 1u << node->bits; i++)
		if (!gather(g, node->child[i]))
			return false;
	return gather(g, node->rest);
}

// Builds a tree anew that has become another than it was built for. Without memory it stays.
static void
rebuild(struct rules_mem *m, rules_ref *ref)
{
	struct gather g = {.n = 0};
	uint32_t n = 0;
	rules_ref made;

	if (gather(&g, *ref) && g.n > 0) {
		rules_sort(g.list, g.n);
		for (uint32_t i = 1; i < g.n; i++)
			if (g.list[i] != g.list[n])
				g.list[++n] = g.list[i];
		if (rules_tree_build(m, g.list, n + 1, RULES_COPIES, &made)) {
			rules_tree_retire(m, *ref);
			*ref = made;
		}
	}
	free(g.list);
}

// The same in all children that the entry stands in.
static bool
edit_children(
	struct rules_mem *m, struct rules_node *node, const struct rule *rule, rules_tree_edit edit)
{
	uint32_t val, any, sub;
	bool ok = true;

	rules_node_bits(node, rule, &val, &any);
	if (__builtin_popcount(any) > node->wild_max)
		return edit(m, &node->rest, rule);
	for (sub = any;; sub = (sub - 1) & any) {
		ok = edit(m, &node->child[val | sub], rule) && ok;
		if (sub == 0)
			return ok;
	}
}

bool
rules_tree_add(struct rules_mem *m, rules_ref *ref, const struct rule *rule)
{
	struct rules_node *node;

	if (*ref == 0) {
		*ref = rules_leaf_new(m, &rule, 1);
		return *ref != 0;
	}
	if (rules_is_leaf(*ref))
		return leaf_add(m, ref, rule);
	node = own(m, ref);
	if (node == NULL || !edit_children(m, node, rule, rules_tree_add))
		return false;
	if (rule->order < node->best)
		node->best = rule->order;
	if (++node->count > GROWN * node->built)
		rebuild(m, ref);
	return true;
}

bool
rules_tree_del(struct rules_mem *m, rules_ref *ref, const struct rule *rule)
{
	struct rules_node *node;

	if (*ref == 0)
		return true;
	if (rules_is_leaf(*ref))
		return leaf_del(m, ref, rule);
	node = own(m, ref);
	if (node == NULL || !edit_children(m, node, rule, rules_tree_del))
		return false;
	if (--node->count == 0) {
		rules_tree_retire(m, *ref);
		*ref = 0;
	}
	return true;
}
