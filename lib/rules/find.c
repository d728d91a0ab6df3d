// SPDX-License-Identifier: BSD-3-Clause
// The look-up, compiled once for each set of vector instructions (RULES_FIND names it).
#include "compare.h"

#define ITEMS (4 * RULES_BURST) // a power of two

static inline uint32_t
take_bits(uint64_t v, uint64_t mask)
{
#if defined(__BMI2__)
	return (uint32_t)_pext_u64(v, mask);
#else
	uint32_t out = 0;

	for (unsigned i = 0; mask != 0; i++, mask &= mask - 1)
		out |= (uint32_t)(v >> __builtin_ctzll(mask) & 1) << i;
	return out;
#endif
}

static inline rules_ref
child_of(const struct rules_node *node, const union rules_probe *key)
{
	return node->child[take_bits(key->w64[node->word[0]], node->mask[0]) |
			   take_bits(key->w64[node->word[1]], node->mask[1]) << node->shift];
}

static inline void
probe_of(const struct flow_key *key, union rules_probe *p)
{
	memcpy(p->w64, key, sizeof(p->w64));
}

// What was found so far, for each key.
struct found {
	alignas(RULES_LINE) uint64_t order[RULES_BURST];
	const struct rule *rule[RULES_BURST];
};

static inline void
leaf_first(const struct rules_leaf *leaf, const union rules_probe *key, uint64_t *order,
	const struct rule **rule)
{
	const struct rules_hit *at = rules_hits_of(leaf);
	uint32_t from = 0;

	do {
		uint32_t hit = rules_rows_hit(leaf, from, key);
		const struct rules_hit *h = at + from + __builtin_ctz(hit | 1u << 31) / 2;
		bool better = hit != 0 && h->order < *order;

		*order = better ? h->order : *order;
		*rule = better ? h->rule : *rule;
		from += RULES_ROWS;
		if (__builtin_expect(from >= leaf->n, 1) || hit != 0)
			return;
	} while (true);
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

// A node or leaf that a key comes to, in the low bits of the reference: a leaf's mark, the key.
typedef uint64_t item;
static_assert(RULES_BURST << 1 <= RULES_LINE, "a key's number has room beside a reference");

// Nodes to look at, as a ring, and leaves for later: their lines are on their way while others are
// looked at.
struct work {
	uint32_t head, tail, leaves;
	item node[ITEMS + 8], leaf[ITEMS + 8]; // 8 are written at once
};

static inline item
item_of(rules_ref ref, uint32_t key)
{
	return ref | key << 1;
}

static inline uint32_t
item_key(item i)
{
	return i >> 1 & (RULES_BURST - 1);
}

static inline rules_ref
item_ref(item i)
{
	return i & ~(item)(RULES_LINE - 2);
}

static inline bool
full(const struct work *to)
{
	return to->tail - to->head == ITEMS || to->leaves == ITEMS;
}

// What comes next for a key: a node, a leaf or nothing; which one is hard to foretell, so there is
// no branch for it. Neither list is full.
static inline void
give(struct work *to, rules_ref ref, uint32_t key, bool wanted)
{
	to->node[to->tail % ITEMS] = item_of(ref, key);
	to->leaf[to->leaves] = item_of(ref, key);
	to->tail += wanted & (ref != 0) & !rules_is_leaf(ref);
	to->leaves += wanted & rules_is_leaf(ref);
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

// A burst on its way.
struct burst {
	union rules_probe key[RULES_BURST];
	unsigned n;
	struct found found;
	struct work work;
#if RULES_WIDE
	alignas(RULES_LINE) uint64_t word[RULES_WORDS][RULES_BURST]; // those that indices look at
#endif
};

// The tree that a place has for a hash, 0: none.
static inline rules_ref
tree_of(const struct rules_group *g, const union rules_probe *key)
{
	const struct rules_index *x = g->index;
	const struct rules_page *page;
	uint64_t place;
	uint32_t hash;

	if (x == NULL)
		return g->root;
	hash = rules_index_hash(x, key->w64);
	page = x->page[rules_index_page(x, hash)];
	place = page != NULL ? page->place[rules_index_place(x, hash)] : 0;
	return place >> RULES_MARKS_AT & rules_index_mark(x, hash) ? rules_place_ref(place) : 0;
}

#if RULES_WIDE

// What is beyond the last key is never looked at.
static inline void
turn_words(struct burst *b, uint32_t words)
{
	for (; words != 0; words &= words - 1) {
		unsigned w = (unsigned)__builtin_ctz(words);

		for (unsigned i = 0; i < b->n; i++)
			b->word[w][i] = b->key[i].w64[w];
	}
}

// As rules_index_hash, of 8 keys.
static inline __m512i
hash_of(const struct rules_index *x, const struct burst *b, unsigned k)
{
	__m512i sum = _mm512_setzero_si512();

	for (unsigned i = 0; i < x->words; i++) {
		__m512i w = _mm512_and_si512(_mm512_load_si512(&b->word[x->word[i]][k]),
			_mm512_set1_epi64((long long)x->mask[i]));
		__m512i low = _mm512_set1_epi64(rules_index_mix[i].low);
		__m512i high = _mm512_set1_epi64(rules_index_mix[i].high);

		low = _mm512_add_epi64(w, low);
		high = _mm512_add_epi64(_mm512_srli_epi64(w, 32), high);
		sum = _mm512_add_epi64(sum, _mm512_mul_epu32(low, high));
	}
	return _mm512_and_si512(sum, _mm512_set1_epi64(UINT32_MAX));
}

// As tree_of. in: which of them to look at; then, which have a tree.
static inline __m512i
trees_of(const struct rules_index *x, const struct burst *b, unsigned k, __mmask8 *in)
{
	__m512i zero = _mm512_setzero_si512(), hash = hash_of(x, b, k);
	__m512i at = _mm512_srl_epi64(hash, _mm_cvtsi32_si128(x->shift));
	__m512i mark = _mm512_srl_epi64(hash, _mm_cvtsi32_si128(x->shift - 4));
	__m512i page, place;

	page = _mm512_mask_i64gather_epi64(
		zero, *in, _mm512_srli_epi64(at, RULES_PAGE_LOG), (const void *)x->page, 8);
	at = _mm512_and_si512(at, _mm512_set1_epi64(RULES_PAGE - 1));
	at = _mm512_add_epi64(page, _mm512_slli_epi64(at, 3));
	*in = _mm512_mask_test_epi64_mask(*in, page, page);
	place = _mm512_mask_i64gather_epi64(
		zero, *in, at, (const void *)offsetof(struct rules_page, place), 1);
	mark = _mm512_and_si512(mark, _mm512_set1_epi64(15));
	mark = _mm512_sllv_epi64(_mm512_set1_epi64(1LL << RULES_MARKS_AT), mark);
	*in = _mm512_mask_test_epi64_mask(*in, place, mark);
	return _mm512_and_si512(place, _mm512_set1_epi64((1LL << RULES_MARKS_AT) - 1));
}

// Where keys that found nothing better begin in a group.
static inline void
begin(const struct rules_group *g, struct burst *b)
{
	__m512i lane = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14);
	__m512i best = _mm512_set1_epi64((long long)g->best);
	struct work *to = &b->work;

	for (unsigned k = 0; k < b->n; k += 8) {
		__mmask8 in = (__mmask8)_bzhi_u32(UINT8_MAX, b->n - k), leaf;
		__m512i ref;

		in = _mm512_mask_cmpgt_epu64_mask(in, _mm512_load_si512(&b->found.order[k]), best);
		ref = g->index != NULL ? trees_of(g->index, b, k, &in)
				       : _mm512_set1_epi64((long long)g->root);
		leaf = _mm512_mask_test_epi64_mask(in, ref, _mm512_set1_epi64(1));
		ref = _mm512_or_si512(ref, _mm512_add_epi64(lane, _mm512_set1_epi64(2 * k)));
		_mm512_storeu_si512(&to->node[to->tail],
			_mm512_maskz_compress_epi64(in & (__mmask8)~leaf, ref));
		_mm512_storeu_si512(&to->leaf[to->leaves], _mm512_maskz_compress_epi64(leaf, ref));
		to->tail += (uint32_t)__builtin_popcount(in & (uint8_t)~leaf);
		to->leaves += (uint32_t)__builtin_popcount(leaf);
	}
}

#else

static inline void
turn_words(struct burst *b, uint32_t words)
{
	(void)b;
	(void)words;
}

static inline void
begin(const struct rules_group *g, struct burst *b)
{
	for (unsigned k = 0; k < b->n; k++)
		give(&b->work, tree_of(g, &b->key[k]), k, g->best < b->found.order[k]);
}

#endif

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
	const struct rules_hit *at;

	while (ref != 0 && !rules_is_leaf(ref)) {
		const struct rules_node *node = rules_node_of(ref);

		if (node->rest != 0)
			tree_each(node->rest, key, limit, fn, ctx);
		ref = child_of(node, key);
	}
	if (ref == 0)
		return;
	leaf = rules_leaf_of(ref);
	at = rules_hits_of(leaf);
	for (uint32_t i = 0; i < leaf->n; i += RULES_ROWS) {
		uint32_t hit = rules_rows_hit(leaf, i, key);

		for (; hit != 0; hit &= hit - 1) {
			const struct rules_hit *h = &at[i + (unsigned)__builtin_ctz(hit) / 2];

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
