// SPDX-License-Identifier: BSD-3-Clause
// The look-up, compiled once for each set of vector instructions (RULES_FIND names it).
#include <string.h>

#include "tree.h"

#if defined(__AVX2__) && defined(__BMI2__)
#include <immintrin.h>
#endif

#define ITEMS (4 * RULES_BURST)

struct probe {
	union {
		uint64_t w64[RULES_WORDS];
		uint32_t w32[2 * RULES_WORDS];
	};
	uint16_t sport, dport; // host order
};

static inline uint32_t
take_bits(uint64_t v, uint64_t mask)
{
#if defined(__AVX2__) && defined(__BMI2__)
	return (uint32_t)_pext_u64(v, mask);
#else
	uint32_t out = 0;

	for (unsigned i = 0; mask != 0; i++, mask &= mask - 1)
		out |= (uint32_t)(v >> __builtin_ctzll(mask) & 1) << i;
	return out;
#endif
}

static inline rules_ref
child_of(const struct rules_node *node, const uint64_t *key)
{
	return node->child[take_bits(key[node->word[0]], node->mask[0]) |
			   take_bits(key[node->word[1]], node->mask[1]) << node->shift];
}

static inline uint16_t
port(uint16_t be)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return __builtin_bswap16(be);
#else
	return be;
#endif
}

static inline void
probe_of(const struct flow_key *key, struct probe *p)
{
	memcpy(p->w64, key, sizeof(p->w64));
	p->sport = port(key->l4_src);
	p->dport = port(key->l4_dst);
}

#if defined(__AVX2__) && defined(__BMI2__)

static inline unsigned
ports_hit(const struct rules_block *b, uint16_t sport, uint16_t dport)
{
	__m128i s = _mm_set1_epi16((short)sport), d = _mm_set1_epi16((short)dport);
	__m128i slo = _mm_loadu_si128((const __m128i *)b->slo);
	__m128i shi = _mm_loadu_si128((const __m128i *)b->shi);
	__m128i dlo = _mm_loadu_si128((const __m128i *)b->dlo);
	__m128i dhi = _mm_loadu_si128((const __m128i *)b->dhi);
	__m128i in = _mm_and_si128(_mm_and_si128(_mm_cmpeq_epi16(_mm_max_epu16(s, slo), s),
					   _mm_cmpeq_epi16(_mm_min_epu16(s, shi), s)),
		_mm_and_si128(_mm_cmpeq_epi16(_mm_max_epu16(d, dlo), d),
			_mm_cmpeq_epi16(_mm_min_epu16(d, dhi), d)));

	return (unsigned)_mm_movemask_epi8(_mm_packs_epi16(in, _mm_setzero_si128()));
}

// Which of the 8 entries the key matches.
static inline unsigned
block_hit(const struct rules_leaf *leaf, const struct rules_block *b, const struct probe *key)
{
	__m256i differ = _mm256_setzero_si256();
	unsigned hit;

	for (unsigned w = 0; w < leaf->words; w++) {
		__m256i k = _mm256_set1_epi32((int)key->w32[leaf->word[w]]);
		__m256i want = _mm256_loadu_si256((const __m256i *)b->lanes[w].key);
		__m256i mask = _mm256_loadu_si256((const __m256i *)b->lanes[w].mask);

		differ = _mm256_or_si256(differ, _mm256_and_si256(_mm256_xor_si256(k, want), mask));
	}
	hit = (unsigned)_mm256_movemask_ps(
		_mm256_castsi256_ps(_mm256_cmpeq_epi32(differ, _mm256_setzero_si256())));
	return hit & ports_hit(b, key->sport, key->dport);
}

#else

static inline unsigned
block_hit(const struct rules_leaf *leaf, const struct rules_block *b, const struct probe *key)
{
	unsigned hit = 0;

	for (unsigned lane = 0; lane < RULES_LANES; lane++) {
		uint32_t differ = 0;

		for (unsigned w = 0; w < leaf->words; w++)
			differ |= (key->w32[leaf->word[w]] ^ b->lanes[w].key[lane]) &
				  b->lanes[w].mask[lane];
		hit |= (unsigned)(differ == 0 && key->sport >= b->slo[lane] &&
				  key->sport <= b->shi[lane] && key->dport >= b->dlo[lane] &&
				  key->dport <= b->dhi[lane])
		       << lane;
	}
	return hit;
}

#endif

static inline unsigned
lanes_of(const struct rules_leaf *leaf, uint32_t block)
{
	uint32_t n = leaf->n - block * RULES_LANES;

	return n < RULES_LANES ? (1u << n) - 1 : (1u << RULES_LANES) - 1;
}

struct best {
	uint64_t order;
	const struct rule *rule;
};

static inline void
leaf_first(const struct rules_leaf *leaf, const struct probe *key, struct best *best)
{
	uint32_t i = 0;

	do {
		const struct rules_block *b = rules_block_of(leaf, i);
		unsigned hit = block_hit(leaf, b, key) & lanes_of(leaf, i);
		unsigned lane = (unsigned)__builtin_ctz(hit | 1u << (RULES_LANES - 1));
		uint64_t order = hit != 0 ? b->order[lane] : UINT64_MAX;
		bool better = order < best->order;

		best->order = better ? order : best->order;
		best->rule = better ? b->rule[lane] : best->rule;
		if (hit != 0 && leaf->blocks > 1)
			return;
	} while (++i < leaf->blocks);
}

static inline void
prefetch(rules_ref ref)
{
	const char *p = (const char *)(ref & ~(rules_ref)1);

	__builtin_prefetch(p);
	__builtin_prefetch(p + RULES_LINE);
	__builtin_prefetch(p + (size_t)3 * RULES_LINE);
}

// One tree, one key.
static void
tree_first(rules_ref ref, const struct probe *key, struct best *best)
{
	while (ref != 0 && !rules_is_leaf(ref)) {
		const struct rules_node *node = rules_node_of(ref);

		if (node->best >= best->order)
			return;
		if (node->rest != 0)
			tree_first(node->rest, key, best);
		ref = child_of(node, key->w64);
	}
	if (ref != 0 && rules_leaf_of(ref)->best < best->order)
		leaf_first(rules_leaf_of(ref), key, best);
}

struct item {
	rules_ref ref;
	uint32_t key;
};

struct work {
	uint32_t nodes, leaves;
	struct item node[ITEMS], leaf[ITEMS];
};

// What comes next for a key: a node, a leaf or nothing; which one is hard to foretell, so there is
// no branch for it. Neither list is full.
static inline void
give(struct work *to, rules_ref ref, uint32_t key, bool wanted)
{
	to->node[to->nodes] = (struct item){.ref = ref, .key = key};
	to->leaf[to->leaves] = (struct item){.ref = ref, .key = key};
	to->nodes += wanted & (ref != 0) & !rules_is_leaf(ref);
	to->leaves += wanted & rules_is_leaf(ref);
}

// One tree, all keys: a level of nodes in each round, so that the lines of all are on their way at
// the same time; then the leaves.
static void
group_first(const struct rules_group *g, const struct probe *keys, unsigned n, struct best *best)
{
	struct item from[ITEMS];
	struct work to;
	uint32_t nodes;

	to.nodes = 0;
	to.leaves = 0;
	for (uint32_t i = 0; i < n; i++)
		give(&to, g->root, i,
			(g->best < best[i].order) & rules_sieve_passes(g->sieve, keys[i].w64));
	while (to.nodes > 0) {
		nodes = to.nodes;
		memcpy(from, to.node, nodes * sizeof(from[0]));
		to.nodes = 0;
		for (uint32_t i = 0; i < nodes; i++) {
			const struct rules_node *node = rules_node_of(from[i].ref);
			uint32_t k = from[i].key;
			rules_ref next;
			bool wanted;

			if (__builtin_expect(to.nodes + 2 > ITEMS || to.leaves + 2 > ITEMS, 0)) {
				tree_first(from[i].ref, &keys[k], &best[k]);
				continue;
			}
			wanted = node->best < best[k].order;
			next = child_of(node, keys[k].w64);
			prefetch(next != 0 ? next : from[i].ref);
			give(&to, next, k, wanted);
			if (node->rest != 0) {
				prefetch(node->rest);
				give(&to, node->rest, k, wanted);
			}
		}
	}
	for (uint32_t i = 0; i < to.leaves; i++) {
		uint32_t k = to.leaf[i].key;

		leaf_first(rules_leaf_of(to.leaf[i].ref), &keys[k], &best[k]);
	}
}

static void
first(const struct rules_space *s, const struct flow_key *const *keys, unsigned n,
	const struct rule **out)
{
	struct probe words[RULES_BURST];
	struct best best[RULES_BURST];

	for (unsigned i = 0; i < n; i++) {
		probe_of(keys[i], &words[i]);
		best[i] = (struct best){.order = UINT64_MAX};
	}
	for (uint32_t g = 0; g < s->groups; g++) {
		if (s->group[g].root == 0)
			continue;
		if (n == 1) {
			if (rules_sieve_passes(s->group[g].sieve, words[0].w64))
				tree_first(s->group[g].root, &words[0], &best[0]);
		} else {
			group_first(&s->group[g], words, n, best);
		}
	}
	for (unsigned i = 0; i < n; i++) {
		__builtin_prefetch(best[i].rule);
		out[i] = best[i].rule;
	}
}

static void
tree_each(rules_ref ref, const struct probe *key, uint64_t limit, rules_fn fn, void *ctx)
{
	const struct rules_leaf *leaf;

	while (ref != 0 && !rules_is_leaf(ref)) {
		const struct rules_node *node = rules_node_of(ref);

		if (node->rest != 0)
			tree_each(node->rest, key, limit, fn, ctx);
		ref = child_of(node, key->w64);
	}
	if (ref == 0)
		return;
	leaf = rules_leaf_of(ref);
	for (uint32_t i = 0; i < leaf->blocks; i++) {
		const struct rules_block *b = rules_block_of(leaf, i);
		unsigned hit = block_hit(leaf, b, key) & lanes_of(leaf, i);

		for (; hit != 0; hit &= hit - 1)
			if (b->order[__builtin_ctz(hit)] < limit)
				fn(ctx, b->rule[__builtin_ctz(hit)]);
	}
}

static void
each(const struct rules_space *s, const struct flow_key *key, uint64_t limit, rules_fn fn,
	void *ctx)
{
	struct probe words;

	probe_of(key, &words);
	for (uint32_t g = 0; g < s->groups; g++)
		if (s->group[g].best < limit && rules_sieve_passes(s->group[g].sieve, words.w64))
			tree_each(s->group[g].root, &words, limit, fn, ctx);
}

const struct rules_find *
RULES_FIND(void)
{
	static const struct rules_find find = {.first = first, .each = each};

	return &find;
}
