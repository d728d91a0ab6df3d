// SPDX-License-Identifier: BSD-3-Clause
// The look-up, compiled once for each set of vector instructions (RULES_FIND names it).
#include "begin.h"
#include "bits.h"

static inline rules_ref
child_of(const struct rules_node *node, const struct flow_key *key)
{
	return node->child[rules_take_bits(rules_word(key, node->word[0]), node->mask[0]) |
			   rules_take_bits(rules_word(key, node->word[1]), node->mask[1])
				   << node->shift];
}

// Which one is better can hardly be foretold, and compilers make branches of it whatever it is
// written as.
static inline void
take_better(const struct rules_hit *h, uint64_t *order, const struct rule **rule)
{
#if defined(__x86_64__)
	uint64_t least = *order;
	const struct rule *its = *rule;

	__asm__("cmpq %[with], %[least]\n\t"
		"cmovaq %[with], %[least]\n\t"
		"cmovaq %[rule], %[its]"
		: [least] "+&r"(least), [its] "+r"(its)
		: [with] "r"(h->order), [rule] "m"(h->rule)
		: "cc");
	*order = least;
	*rule = its;
#else
	if (h->order < *order) {
		*order = h->order;
		*rule = h->rule;
	}
#endif
}

// The better one of what was found and the first hit, if any.
static inline void
take_hit(const struct rules_hit *at, uint64_t hit, uint64_t *order, const struct rule **rule)
{
	static const struct rules_hit none = {.order = UINT64_MAX};
	const struct rules_hit *h = rules_hit_of(at, hit);

#if defined(__x86_64__)
	__asm__("testq %[hit], %[hit]\n\t"
		"cmovzq %[none], %[h]"
		: [h] "+r"(h)
		: [hit] "r"(hit), [none] "r"(&none)
		: "cc");
#else
	h = hit != 0 ? h : &none;
#endif
	take_better(h, order, rule);
}

// Of any leaf.
static __attribute__((noinline)) void
leaf_all(const struct rules_leaf *leaf, const struct flow_key *key, uint64_t *order,
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
plain_rest(const struct rules_leaf *leaf, const struct flow_key *key, uint64_t *order,
	const struct rule **rule)
{
	const unsigned char *block = (const unsigned char *)leaf + RULES_LINE;
	uint32_t left = leaf->n;

	while (left > RULES_ROWS) {
		struct rules_rows rows;
		uint64_t hit;

		block += RULES_ROWS * (PLAIN_ROW + sizeof(struct rules_hit));
		left -= RULES_ROWS;
		rows = rules_rows(left < RULES_ROWS ? left : RULES_ROWS);
		hit = rules_part_hit(leaf, 0, block, &rows, key, false);
		if (hit != 0) {
			take_hit((const void *)(block + rows.hits_at), hit, order, rule);
			return;
		}
	}
}

// Of a leaf.
static inline void
leaf_first(const struct rules_leaf *leaf, const struct flow_key *key, uint64_t *order,
	const struct rule **rule)
{
	const unsigned char *block = (const unsigned char *)leaf + RULES_LINE;
	uint64_t hit;

	if (__builtin_expect(!leaf->plain, 0)) {
		leaf_all(leaf, key, order, rule);
		return;
	}
	hit = rules_part_hit(leaf, 0, block, &leaf->rows, key, false);
	take_hit((const void *)(block + leaf->rows.hits_at), hit, order, rule);
	if (hit == 0 && leaf->more)
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
tree_first(rules_ref ref, const struct flow_key *key, uint64_t *order, const struct rule **rule)
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

// What is in the rest of a node comes behind the others.
static __attribute__((noinline)) void
keep_rest(struct burst *b, rules_ref rest, size_t k)
{
	struct work *to = &b->work;

	prefetch(rest);
	if (full(to))
		tree_first(rest, b->key[k], &b->order[k], &b->rule[k]);
	else if (rules_is_leaf(rest))
		to->leaf[to->leaves++] = (struct item){rest, (uint32_t)k};
	else
		to->node[to->tail++ % ITEMS] = (struct item){rest, (uint32_t)k};
}

// From a node down to a leaf, for one key. 0: none.
static inline rules_ref
descend(struct burst *b, rules_ref ref, size_t k)
{
	const struct flow_key *key = b->key[k];

	do {
		const struct rules_node *node = rules_node_of(ref);

		if (node->best >= b->order[k])
			return 0;
		if (node->rest != 0)
			keep_rest(b, node->rest, k);
		ref = child_of(node, key);
		if (ref == 0)
			return 0;
	} while (!rules_is_leaf(ref));
	prefetch(ref);
	return ref;
}

// From nodes down to leaves: those that come to one.
static __attribute__((noinline)) keys_mask
walk_nodes(struct burst *b, rules_ref *at, keys_mask m)
{
	keys_mask leaves = 0;

	for (; m != 0; m &= m - 1) {
		size_t k = first_of(m);
		rules_ref ref = descend(b, at[k], k);

		if (ref == 0)
			continue;
		at[k] = ref;
		leaves |= m & -m;
	}
	return leaves;
}

// The first entries of leaves: those that have to look at more of theirs.
static __attribute__((noinline)) keys_mask
walk_leaves(struct burst *b, const rules_ref *at, keys_mask m)
{
	const struct flow_key *const *keys = b->key;
	const struct rule **rule = b->rule;
	keys_mask more = 0;

	for (; m != 0; m &= m - 1) {
		size_t k = first_of(m);
		const struct rules_leaf *leaf = rules_leaf_of(at[k]);
		const unsigned char *block = (const unsigned char *)leaf + RULES_LINE;
		keys_mask missed;
		uint64_t hit;

		if (leaf->best >= b->order[k])
			continue;
		if (__builtin_expect(!leaf->plain, 0)) {
			leaf_all(leaf, keys[k], &b->order[k], &rule[k]);
			continue;
		}
		hit = rules_part_hit(leaf, 0, block, &leaf->rows, keys[k], false);
		take_hit((const void *)(block + leaf->rows.hits_at), hit, &b->order[k], &rule[k]);
		missed = (keys_mask)((int32_t)((uint32_t)hit - 1) >> 31); // all ones for 0
		more |= missed & (keys_mask)leaf->more & m & -m;
	}
	return more;
}

// What is in the rests of nodes: down to leaves, then these.
static __attribute__((noinline)) void
walk_rest(struct burst *b)
{
	struct work *to = &b->work;

	while (to->head != to->tail) {
		struct item from = to->node[to->head++ % ITEMS];
		rules_ref ref = descend(b, from.ref, from.key);

		if (ref != 0)
			keep_rest(b, ref, from.key);
	}
	for (uint32_t i = 0; i < to->leaves; i++) {
		const struct rules_leaf *leaf = rules_leaf_of(to->leaf[i].ref);
		uint32_t k = to->leaf[i].key;

		if (leaf->best < b->order[k])
			leaf_first(leaf, b->key[k], &b->order[k], &b->rule[k]);
	}
	to->head = 0;
	to->tail = 0;
	to->leaves = 0;
}

// From nodes down to leaves, then the first entries of these, then, for the few that need it, all
// others of them; last what is in the rests of nodes.
static inline void
walk(struct burst *b, const struct starts *at)
{
	keys_mask leaves = at->leaf, more;

	if (at->node != 0)
		leaves |= walk_nodes(b, at->ref, at->node);
	for (more = walk_leaves(b, at->ref, leaves); more != 0; more &= more - 1) {
		size_t k = first_of(more);

		plain_rest(rules_leaf_of(at->ref[k]), b->key[k], &b->order[k], &b->rule[k]);
	}
	if (b->work.leaves != 0 || b->work.tail != 0)
		walk_rest(b);
}

// Group after group, so that what is found in one saves most of the way through the next ones.
static inline void
walk_all(const struct rules_space *s, struct burst *b)
{
	b->work.head = 0;
	b->work.tail = 0;
	b->work.leaves = 0;
	begin_all(s, b);
	for (uint32_t i = 0; i < s->groups; i++) {
		struct starts at;

		if (s->group[i].index == NULL && s->group[i].root == 0)
			continue;
		at = begin(s, i, b);
		for (keys_mask m = at.node; m != 0; m &= m - 1)
			__builtin_prefetch((const void *)at.ref[first_of(m)]);
		for (keys_mask m = at.leaf; m != 0; m &= m - 1)
			prefetch(at.ref[first_of(m)]);
		walk(b, &at);
	}
}

static void
first_one(const struct rules_space *s, const struct flow_key *key, const struct rule **out)
{
	uint64_t order = UINT64_MAX;

	*out = NULL;
	for (uint32_t g = 0; g < s->groups; g++)
		if (s->group[g].best < order)
			tree_first(tree_of(&s->group[g], key), key, &order, out);
}

static inline void
burst_init(struct burst *b, const struct flow_key *const *keys, unsigned n)
{
	b->key = keys;
	b->n = n;
	b->all_keys = UINT32_MAX >> (RULES_BURST - n);
	for (unsigned i = 0; i < RULES_BURST; i++)
		b->order[i] = UINT64_MAX;
	if (!RULES_WIDE || n % 8 == 0)
		return;
	for (unsigned i = 0; i < RULES_BURST; i++)
		b->all[i] = keys[i < n ? i : 0];
	b->key = b->all;
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
	burst_init(&b, keys, n);
	b.rule = out;
	memset(out, 0, n * sizeof(out[0]));
	walk_all(s, &b);
#pragma GCC unroll 4
	for (unsigned i = 0; i < n; i++)
		__builtin_prefetch(out[i] != NULL ? (const void *)out[i] : s);
}

static void
tree_each(rules_ref ref, const struct flow_key *key, uint64_t limit, rules_fn fn, void *ctx)
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
				rules_hit_of(rules_hits_of(leaf, block, rows), hit);

			if (h->order < limit)
				fn(ctx, h->rule);
		}
	}
}

static void
each(const struct rules_space *s, const struct flow_key *key, uint64_t limit, rules_fn fn,
	void *ctx)
{
	for (uint32_t g = 0; g < s->groups; g++)
		if (s->group[g].best < limit)
			tree_each(tree_of(&s->group[g], key), key, limit, fn, ctx);
}

const struct rules_find *
RULES_FIND(void)
{
	static const struct rules_find find = {.first = first, .each = each};

	return &find;
}
