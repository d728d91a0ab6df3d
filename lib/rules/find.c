// SPDX-License-Identifier: BSD-3-Clause
// The look-up, compiled once for each set of vector instructions (RULES_FIND names it).
#include "begin.h"
#include "bits.h"

static inline rules_ref
child_of(const struct rules_node *node, const union rules_probe *key)
{
	return node->child[rules_take_bits(key->w64[node->word[0]], node->mask[0]) |
			   rules_take_bits(key->w64[node->word[1]], node->mask[1]) << node->shift];
}

static inline void
probe_of(const struct flow_key *key, union rules_probe *p)
{
	memcpy(p->w64, key, sizeof(p->w64));
}

// One that is better than nothing is taken, with no branch for whether it is.
static inline void
take_hit(const struct rules_hit *at, uint64_t hit, uint64_t *order, const struct rule **rule)
{
	static const struct rules_hit none = {.order = UINT64_MAX};
	const struct rules_hit *h = hit != 0 ? at + rules_row_of(hit) : &none;
	bool better = h->order < *order;

	*order = better ? h->order : *order;
	*rule = better ? h->rule : *rule;
}

// Of any leaf.
static __attribute__((noinline)) void
leaf_all(const struct rules_leaf *leaf, const union rules_probe *key, uint64_t *order,
	const struct rule **rule)
{
	for (uint32_t from = 0; from < leaf->n; from += RULES_ROWS) {
		const unsigned char *block = rules_block_of(leaf, from);
		uint32_t rows = rules_rows_of(leaf, from);
		uint64_t hit = rules_rows_hit(leaf, block, rows, key);

		if (hit != 0) {
			take_hit(rules_hits_of(leaf, block, rows), hit, order, rule);
			return;
		}
	}
}

#define PLAIN_ROW (2 * RULES_UNITS * sizeof(uint16_t)) // lo and span

// What is behind the first block of a plain leaf.
static __attribute__((noinline)) void
plain_rest(const struct rules_leaf *leaf, const union rules_probe *key, uint64_t *order,
	const struct rule **rule)
{
	const unsigned char *block = (const unsigned char *)leaf + RULES_LINE;
	uint32_t left = leaf->n;

	while (left > RULES_ROWS) {
		uint32_t rows;
		uint64_t hit;

		block += RULES_ROWS * (PLAIN_ROW + sizeof(struct rules_hit));
		left -= RULES_ROWS;
		rows = left < RULES_ROWS ? left : RULES_ROWS;
		hit = rules_part_hit(
			leaf, 0, block, rows, UINT64_MAX >> (64 - RULES_UNITS * rows), key);
		if (hit != 0) {
			take_hit((const void *)(block + rows * PLAIN_ROW), hit, order, rule);
			return;
		}
	}
}

static inline void
leaf_first(const struct rules_leaf *leaf, const union rules_probe *key, uint64_t *order,
	const struct rule **rule)
{
	const unsigned char *block = (const unsigned char *)leaf + RULES_LINE;
	uint32_t rows = leaf->rows;
	uint64_t hit;

	if (__builtin_expect(!leaf->plain, 0)) {
		leaf_all(leaf, key, order, rule);
		return;
	}
	hit = rules_part_hit(leaf, 0, block, rows, leaf->lanes, key);
	take_hit((const void *)(block + rows * PLAIN_ROW), hit, order, rule);
	if (__builtin_expect((hit == 0) & (leaf->n > RULES_ROWS), 0))
		plain_rest(leaf, key, order, rule);
}

// Not of 0: address 0 is no page, which takes long to find out each time.
static inline void
prefetch(rules_ref ref)
{
	const char *p = (const char *)(ref & ~(rules_ref)1); // NOLINT

	for (size_t line = 0; line < 4; line++)
		__builtin_prefetch(p + line * RULES_LINE);
}

// One tree, one key.
static void
tree_first(rules_ref ref, const union rules_probe *key, uint64_t *order, const struct rule **rule)
{
	while (ref != 0 && !rules_is_leaf(ref)) {
		const struct rules_node *node = rules_node_of(ref);

		if (node->best >= *order)
			return;
		if (node->rest != 0)
			tree_first(node->rest, key, order, rule);
		ref = child_of(node, key);
	}
	if (ref != 0 && rules_leaf_of(ref)->best < *order)
		leaf_first(rules_leaf_of(ref), key, order, rule);
}

// From a node down to a leaf, for one key.
static inline void
descend(struct work *to, item from, const union rules_probe *keys, struct found *found)
{
	const struct rules_node *node = rules_node_of(item_ref(from));
	uint32_t k = item_key(from);
	rules_ref next;

	while (node->best < found->order[k]) {
		if (node->rest != 0) {
			prefetch(node->rest);
			if (__builtin_expect(full(to), 0))
				tree_first(node->rest, &keys[k], &found->order[k], &found->rule[k]);
			else
				give(to, node->rest, k, true);
		}
		next = child_of(node, &keys[k]);
		if (next == 0)
			return;
		if (rules_is_leaf(next)) {
			prefetch(next);
			if (__builtin_expect(full(to), 0))
				tree_first(next, &keys[k], &found->order[k], &found->rule[k]);
			else
				to->leaf[to->leaves++] = item_of(next, k);
			return;
		}
		node = rules_node_of(next);
	}
}

// From each node down to a leaf; what is in rest comes behind the others. Then the leaves.
static inline void
walk(struct work *to, const union rules_probe *keys, struct found *found)
{
	while (to->head != to->tail)
		descend(to, to->node[to->head++ % ITEMS], keys, found);
	for (uint32_t i = 0; i < to->leaves; i++) {
		const struct rules_leaf *leaf = rules_leaf_of(item_ref(to->leaf[i]));
		uint32_t k = item_key(to->leaf[i]);

		if (leaf->best < found->order[k])
			leaf_first(leaf, &keys[k], &found->order[k], &found->rule[k]);
	}
}

// Group after group, so that what is found in one saves most of the way through the next ones.
static inline void
walk_all(const struct rules_space *s, struct burst *b)
{
	struct work *to = &b->work;

	for (uint32_t i = 0; i < s->groups; i++) {
		const struct rules_group *g = &s->group[i];

		if (g->index == NULL && g->root == 0)
			continue;
		to->head = 0;
		to->tail = 0;
		to->leaves = 0;
		begin(g, b);
		for (uint32_t j = 0; j < to->tail; j++)
			__builtin_prefetch((const void *)item_ref(to->node[j]));
		for (uint32_t j = 0; j < to->leaves; j++)
			prefetch(item_ref(to->leaf[j]));
		walk(to, b->key, &b->found);
	}
}

static void
first_one(const struct rules_space *s, const struct flow_key *key, const struct rule **out)
{
	uint64_t order = UINT64_MAX;
	union rules_probe probe;

	*out = NULL;
	probe_of(key, &probe);
	for (uint32_t g = 0; g < s->groups; g++)
		if (s->group[g].best < order)
			tree_first(tree_of(&s->group[g], &probe), &probe, &order, out);
}

static void
first(const struct rules_space *s, const struct flow_key *const *keys, unsigned n,
	const struct rule **out)
{
	struct burst b;

	if (n == 1) {
		first_one(s, keys[0], out);
		return;
	}
	b.n = n;
	for (unsigned i = 0; i < n; i++) {
		probe_of(keys[i], &b.key[i]);
		b.found.order[i] = UINT64_MAX;
		b.found.rule[i] = NULL;
	}
	turn_words(&b, s->words);
	walk_all(s, &b);
	for (unsigned i = 0; i < n; i++) {
		__builtin_prefetch(b.found.rule[i] != NULL ? (const void *)b.found.rule[i] : s);
		out[i] = b.found.rule[i];
	}
}

static void
tree_each(rules_ref ref, const union rules_probe *key, uint64_t limit, rules_fn fn, void *ctx)
{
	const struct rules_leaf *leaf;

	while (ref != 0 && !rules_is_leaf(ref)) {
		const struct rules_node *node = rules_node_of(ref);

		if (node->rest != 0)
			tree_each(node->rest, key, limit, fn, ctx);
		ref = child_of(node, key);
	}
	if (ref == 0)
		return;
	leaf = rules_leaf_of(ref);
	for (uint32_t from = 0; from < leaf->n; from += RULES_ROWS) {
		const unsigned char *block = rules_block_of(leaf, from);
		uint32_t rows = rules_rows_of(leaf, from);
		uint64_t hit = rules_rows_hit(leaf, block, rows, key);

		for (; hit != 0; hit &= hit - 1) {
			const struct rules_hit *h =
				rules_hits_of(leaf, block, rows) + rules_row_of(hit);

			if (h->order < limit)
				fn(ctx, h->rule);
		}
	}
}

static void
each(const struct rules_space *s, const struct flow_key *key, uint64_t limit, rules_fn fn,
	void *ctx)
{
	union rules_probe probe;

	probe_of(key, &probe);
	for (uint32_t g = 0; g < s->groups; g++)
		if (s->group[g].best < limit)
			tree_each(tree_of(&s->group[g], &probe), &probe, limit, fn, ctx);
}

const struct rules_find *
RULES_FIND(void)
{
	static const struct rules_find find = {.first = first, .each = each};

	return &find;
}
