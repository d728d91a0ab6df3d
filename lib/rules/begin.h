// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_RULES_BEGIN_H
#define SLUICE_RULES_BEGIN_H

#include "compare.h"

// A burst of keys on its way through the groups, and where each of them begins in a group: at the
// root of its tree, or in the one that the index has for the key's hash. Thread safety: any thread.

#define ITEMS (4 * RULES_BURST) // a power of two

// What was found so far, for each key.
struct found {
	alignas(RULES_LINE) uint64_t order[RULES_BURST];
	const struct rule *rule[RULES_BURST];
};

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

		ref = g->index != NULL ? trees_of(g->index, b, k, &in)
				       : _mm512_set1_epi64((long long)g->root);
		in = _mm512_mask_cmpgt_epu64_mask(in, _mm512_load_si512(&b->found.order[k]), best);
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

#endif
