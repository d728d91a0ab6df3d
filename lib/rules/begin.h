// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_RULES_BEGIN_H
#define SLUICE_RULES_BEGIN_H

#include "compare.h"

// A burst of keys on its way through the groups, and where each of them begins in a group: at the
// root of its tree, or in the one that the index has for the key's hash. Which keys are meant is
// said by a bit for each: what is not there costs no branch. Thread safety: any thread.

typedef uint32_t keys_mask;
static_assert(RULES_BURST == 32, "a bit for each key");

static inline size_t
first_of(keys_mask m)
{
	return (unsigned)__builtin_ctz(m);
}

// What a key comes to in the rest of a node.
struct item {
	rules_ref ref;
	uint32_t key;
};

// Nodes to look at, as a ring, and leaves for later: their lines are on their way while others are
// looked at.
#define ITEMS (2 * RULES_BURST) // a power of two
struct work {
	uint32_t head, tail, leaves;
	struct item node[ITEMS], leaf[ITEMS];
};

static inline bool
full(const struct work *to)
{
	return to->tail - to->head == ITEMS || to->leaves == ITEMS;
}

// A burst on its way.
struct burst {
	const struct flow_key *const *key;
	unsigned n;
	keys_mask all_keys;
	// What was found so far.
	alignas(RULES_LINE) uint64_t order[RULES_BURST];
	const struct rule **rule;
	struct work work;
#if RULES_WIDE
	const struct flow_key *all[RULES_BURST];                     // as key, but a multiple of 8
	alignas(RULES_LINE) uint64_t word[RULES_WORDS][RULES_BURST]; // those that indices look at
	// Of each group that has an index.
	alignas(RULES_LINE) rules_ref ref[RULES_GROUPS][RULES_BURST];
	keys_mask leaf[RULES_GROUPS], node[RULES_GROUPS];
#else
	const struct flow_key *all[1];
	rules_ref ref[1][RULES_BURST];
#endif
};

// Where the keys of a burst begin in a group, and which of them come to a leaf or a node there.
struct starts {
	rules_ref *ref;
	keys_mask leaf, node;
};

// The tree that a place has for a hash, 0: none.
static inline rules_ref
tree_of(const struct rules_group *g, const struct flow_key *key)
{
	const struct rules_index *x = g->index;
	uint64_t place;
	uint32_t hash;

	if (x == NULL)
		return g->root;
	hash = rules_index_hash(x, key);
	place = x->page[rules_index_page(x, hash)]->place[rules_index_place(x, hash)];
	return place >> RULES_MARKS_AT & rules_index_mark(x, hash) ? rules_place_ref(place) : 0;
}

#if RULES_WIDE

// The words that indices look at, of 8 keys.
static inline void
turn_words(const struct rules_turn *turn, struct burst *b, unsigned k)
{
	const __m512i low = _mm512_setr_epi64(0, 4, 8, 12, 1, 5, 9, 13);
	const __m512i high = _mm512_setr_epi64(2, 6, 10, 14, 3, 7, 11, 15);
	__m512i pick = _mm512_cvtepu8_epi64(_mm_loadl_epi64((const void *)turn->pick));
	__m512i two[4], x[2], y[2];

	for (unsigned i = 0; i < 4; i++)
		two[i] = _mm512_permutex2var_epi64(_mm512_loadu_si512(b->key[k + 2 * i]), pick,
			_mm512_loadu_si512(b->key[k + 2 * i + 1]));
	for (unsigned i = 0; i < 2; i++) {
		x[i] = _mm512_permutex2var_epi64(two[2 * i], low, two[2 * i + 1]);
		y[i] = _mm512_permutex2var_epi64(two[2 * i], high, two[2 * i + 1]);
	}
	_mm512_store_si512(&b->word[turn->word[0]][k], _mm512_shuffle_i64x2(x[0], x[1], 0x44));
	_mm512_store_si512(&b->word[turn->word[1]][k], _mm512_shuffle_i64x2(x[0], x[1], 0xee));
	_mm512_store_si512(&b->word[turn->word[2]][k], _mm512_shuffle_i64x2(y[0], y[1], 0x44));
	_mm512_store_si512(&b->word[turn->word[3]][k], _mm512_shuffle_i64x2(y[0], y[1], 0xee));
}

#define VECTORS (RULES_BURST / 8)

// As rules_index_hash, of all keys.
static inline void
hash_all(const struct rules_index *x, const struct burst *b, __m512i *hash)
{
	for (unsigned v = 0; v < VECTORS; v++)
		hash[v] = _mm512_setzero_si512();
	for (unsigned i = 0; i < x->words; i++) {
		__m512i mask = _mm512_set1_epi64((long long)x->mask[i]);
		__m512i low = _mm512_set1_epi64(rules_index_mix[i].low);
		__m512i high = _mm512_set1_epi64(rules_index_mix[i].high);

		for (unsigned v = 0; v < VECTORS; v++) {
			__m512i w = _mm512_and_si512(
				_mm512_load_si512(&b->word[x->word[i]][8 * v]), mask);

			hash[v] = _mm512_add_epi64(
				hash[v], _mm512_mul_epu32(_mm512_add_epi64(w, low),
						 _mm512_add_epi64(_mm512_srli_epi64(w, 32), high)));
		}
	}
}

// As tree_of, of 8 keys; what is not marked is 0.
static inline __m512i
trees_of(const struct rules_index *x, __m512i hash, const __m512i *few)
{
	__m512i at, mark, page, place;

	hash = _mm512_and_si512(hash, _mm512_set1_epi64(UINT32_MAX));
	at = _mm512_srl_epi64(hash, _mm_cvtsi32_si128(x->shift));
	mark = _mm512_srl_epi64(hash, _mm_cvtsi32_si128(x->shift - 4));
	page = _mm512_srl_epi64(at, _mm_cvtsi32_si128(x->page_log));
	page = few != NULL ? _mm512_permutex2var_epi64(few[0], page, few[1])
			   : _mm512_i64gather_epi64(page, (const void *)x->page, 8);
	at = _mm512_and_si512(at, _mm512_set1_epi64((1LL << x->page_log) - 1));
	at = _mm512_add_epi64(page, _mm512_slli_epi64(at, 3));
	place = _mm512_i64gather_epi64(at, (const void *)offsetof(struct rules_page, place), 1);
	mark = _mm512_and_si512(mark, _mm512_set1_epi64(15));
	mark = _mm512_sllv_epi64(_mm512_set1_epi64(1LL << RULES_MARKS_AT), mark);
	return _mm512_maskz_and_epi64(_mm512_test_epi64_mask(place, mark), place,
		_mm512_set1_epi64((1LL << RULES_MARKS_AT) - 1));
}

static inline keys_mask
mask_of(const __mmask8 *m)
{
	return _cvtmask32_u32(
		_mm512_kunpackw(_mm512_kunpackb(m[3], m[2]), _mm512_kunpackb(m[1], m[0])));
}

// Of all groups that have an index, so that what one waits for others use.
static inline void
begin_all(const struct rules_space *s, struct burst *b)
{
	for (unsigned k = 0; k < b->n; k += 8)
		for (unsigned t = 0; t < s->turns; t++)
			turn_words(&s->turn[t], b, k);
	for (uint32_t i = 0; i < s->groups; i++) {
		const struct rules_index *x = s->group[i].index;
		__mmask8 leaf[VECTORS], some[VECTORS];
		__m512i ref[VECTORS], few[2];

		if (x == NULL)
			continue;
		hash_all(x, b, ref);
		if (__builtin_expect(rules_index_pages(x) <= RULES_PAGES_FEW, 1)) {
			few[0] = _mm512_loadu_si512(x->page);
			few[1] = _mm512_loadu_si512(x->page + 8);
			for (unsigned v = 0; v < VECTORS; v++)
				ref[v] = trees_of(x, ref[v], few);
		} else {
			for (unsigned v = 0; v < VECTORS; v++)
				ref[v] = trees_of(x, ref[v], NULL);
		}
		for (unsigned v = 0; v < VECTORS; v++) {
			leaf[v] = _mm512_test_epi64_mask(ref[v], _mm512_set1_epi64(1));
			some[v] = _mm512_test_epi64_mask(ref[v], ref[v]);
			_mm512_store_si512(&b->ref[i][8 * v], ref[v]);
		}
		b->leaf[i] = mask_of(leaf) & b->all_keys;
		b->node[i] = mask_of(some) & ~b->leaf[i] & b->all_keys;
	}
}

// Those that found nothing better.
static inline keys_mask
wanting(const struct burst *b, uint64_t best)
{
	__m512i than = _mm512_set1_epi64((long long)best);
	__mmask8 m[VECTORS];

	for (unsigned v = 0; v < VECTORS; v++)
		m[v] = _mm512_cmpgt_epu64_mask(_mm512_load_si512(&b->order[8 * v]), than);
	return mask_of(m);
}

// Where keys that found nothing better begin in a group.
static inline struct starts
begin(const struct rules_space *s, uint32_t i, struct burst *b)
{
	const struct rules_group *g = &s->group[i];
	keys_mask want = i > 0 ? wanting(b, g->best) : UINT32_MAX;

	if (g->index == NULL) {
		__m512i root = _mm512_set1_epi64((long long)g->root);

		for (unsigned k = 0; k < RULES_BURST; k += 8)
			_mm512_store_si512(&b->ref[i][k], root);
		b->leaf[i] = rules_is_leaf(g->root) ? b->all_keys : 0;
		b->node[i] = rules_is_leaf(g->root) ? 0 : b->all_keys;
	}
	return (struct starts){b->ref[i], b->leaf[i] & want, b->node[i] & want};
}

#else

static inline void
begin_all(const struct rules_space *s, struct burst *b)
{
	(void)s;
	(void)b;
}

static inline struct starts
begin(const struct rules_space *s, uint32_t i, struct burst *b)
{
	const struct rules_group *g = &s->group[i];
	struct starts at = {.ref = b->ref[0]};

	for (unsigned k = 0; k < b->n; k++) {
		keys_mask want = (keys_mask)(g->best < b->order[k]) << k;
		rules_ref ref = tree_of(g, b->key[k]);

		at.ref[k] = ref;
		at.leaf |= rules_is_leaf(ref) ? want : 0;
		at.node |= ((ref != 0) & !rules_is_leaf(ref)) ? want : 0;
	}
	return at;
}

#endif

#endif
