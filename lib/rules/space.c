// SPDX-License-Identifier: BSD-3-Clause
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/rng.h"
#include "impl.h"

// Multilinear hash of the masked words (Lemire, Kaser, Computer Journal 2014): independent products
// with secret odd factors. Fills words.
static inline uint32_t
masked_hash(const struct rules_space *t, const struct rules_subtable *st, const uint64_t *key,
	uint64_t *words)
{
	__uint128_t sum = t->secret[0];

	for (unsigned i = 0; i < st->words; i++) {
		words[i] = key[st->at[i]] & st->mask[i];
		sum += (__uint128_t)words[i] * t->secret[i];
	}
	return (uint32_t)(((uint64_t)sum ^ (uint64_t)(sum >> 64)) >> 24);
}

static inline bool
words_equal(const uint64_t *a, const uint64_t *b, unsigned n)
{
	uint64_t diff = 0;

	for (unsigned i = 0; i < n; i++)
		diff |= a[i] ^ b[i];
	return diff == 0;
}

// The slot of that masked key, or the free one where it belongs.
static inline struct rules_slot *
slot_find(const struct rules_space *t, const struct rules_subtable *st, uint32_t hash,
	const uint64_t *words)
{
	for (uint32_t i = hash;; i++) {
		struct rules_slot *slot = &t->slots[st->slots + (i & st->slot_mask)];

		if (slot->node == RULES_NONE)
			return slot;
		if (slot->hash == hash && words_equal(t->nodes[slot->node].key, words, st->words))
			return slot;
	}
}

static void
key_words(const struct flow_key *key, uint64_t *words)
{
	memcpy(words, key, sizeof(*key));
}

static inline bool
in_range(const struct flow_range *r, uint16_t port_be)
{
	uint16_t port = __builtin_bswap16(port_be);

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	port = port_be;
#endif
	return port >= r->lo && port <= r->hi;
}

static inline bool
node_hits(const struct rules_node *node, const struct flow_key *key)
{
	return !node->ranged ||
	       (in_range(&node->sport, key->l4_src) && in_range(&node->dport, key->l4_dst));
}

// The best node of the masked key in a subtable, or RULES_NONE.
static inline uint32_t
probe(const struct rules_space *t, const struct rules_subtable *st, const uint64_t *words)
{
	uint64_t masked[RULES_WORDS];
	uint32_t hash = masked_hash(t, st, words, masked);

	return slot_find(t, st, hash, masked)->node;
}

const struct rule *
rules_space_first(const struct rules_space *t, const struct flow_key *key)
{
	uint16_t failed[RULES_PARTIALS];
	uint64_t words[RULES_WORDS];
	uint32_t best = RULES_NONE, n_failed;

	key_words(key, words);
	n_failed = rules_filter_failed(&t->filter, words, failed);
	for (uint32_t chunk = 0; chunk < t->filter.chunks; chunk++) {
		uint64_t left = rules_filter_left(&t->filter, chunk, failed, n_failed);

		for (; left != 0; left &= left - 1) {
			uint32_t s = chunk * 64 + (uint32_t)__builtin_ctzll(left);

			// Behind the last subtable, or all that is left ranks behind.
			if (s >= t->n_subtables || t->subtables[s].best >= best)
				goto out;
			for (uint32_t n = probe(t, &t->subtables[s], words); n < best;
				n = t->nodes[n].next)
				if (node_hits(&t->nodes[n], key))
					best = n;
		}
	}
out:
	return best != RULES_NONE ? t->nodes[best].rule : NULL;
}

void
rules_space_each(const struct rules_space *t, const struct flow_key *key, uint64_t limit,
	rules_space_fn fn, void *ctx)
{
	uint16_t failed[RULES_PARTIALS];
	uint64_t words[RULES_WORDS];
	uint32_t n_failed;

	key_words(key, words);
	n_failed = rules_filter_failed(&t->filter, words, failed);
	for (uint32_t chunk = 0; chunk < t->filter.chunks; chunk++) {
		uint64_t left = rules_filter_left(&t->filter, chunk, failed, n_failed);

		for (; left != 0; left &= left - 1) {
			uint32_t s = chunk * 64 + (uint32_t)__builtin_ctzll(left);

			if (s >= t->n_subtables)
				return;
			for (uint32_t n = probe(t, &t->subtables[s], words); n != RULES_NONE;
				n = t->nodes[n].next) {
				if (t->nodes[n].rule->order >= limit)
					break;
				if (node_hits(&t->nodes[n], key))
					fn(ctx, t->nodes[n].rule);
			}
		}
	}
}

// The mask under which an entry stands in the space.
static struct flow_key
mask_in(const struct rule *rule, bool loose)
{
	struct flow_key mask = rule->e.match.mask;

	if (loose)
		flow_key_keep(&mask, 0);
	return mask;
}

// Which subtable each rule of a list belongs to: by mask, in order of first appearance, which is
// the order of best rank.
struct grouping {
	bool loose;
	uint32_t *of;    // by rank
	uint32_t *first; // rank of the first rule of each subtable
	uint32_t *count; // rules of each
	uint32_t *index; // open addressing: mask -> subtable
	uint32_t index_mask;
	uint32_t n;
	uint64_t seed;
};

static uint32_t
group_of(struct grouping *g, struct rule *const *list, uint32_t rank)
{
	struct flow_key mask = mask_in(list[rank], g->loose), other;
	uint64_t words[RULES_WORDS];
	uint32_t i;

	key_words(&mask, words);
	for (i = (uint32_t)sl_hash_words(words, RULES_WORDS, g->seed);; i++) {
		uint32_t *at = &g->index[i & g->index_mask];

		if (*at == RULES_NONE) {
			g->first[g->n] = rank;
			g->count[g->n] = 0;
			*at = g->n++;
			return *at;
		}
		other = mask_in(list[g->first[*at]], g->loose);
		if (flow_key_equal(&other, &mask))
			return *at;
	}
}

static bool
grouping_init(struct grouping *g, struct rule *const *list, uint32_t n)
{
	uint32_t slots = 2;

	while (slots < 2 * n)
		slots *= 2;
	g->of = malloc((3 * (size_t)n + slots) * sizeof(uint32_t));
	if (g->of == NULL)
		return false;
	g->first = g->of + n;
	g->count = g->first + n;
	g->index = g->count + n;
	g->index_mask = slots - 1;
	g->n = 0;
	memset(g->index, 0xff, slots * sizeof(uint32_t));
	for (uint32_t rank = 0; rank < n; rank++) {
		g->of[rank] = group_of(g, list, rank);
		g->count[g->of[rank]]++;
	}
	return true;
}

static uint32_t
slots_for(uint32_t rules)
{
	uint32_t slots = 2;

	while (slots < rules + rules / 2)
		slots *= 2;
	return slots;
}

static void
subtable_init(struct rules_subtable *st, const struct flow_key *mask, uint32_t best, uint32_t rules,
	uint32_t *slots)
{
	uint64_t words[RULES_WORDS];

	key_words(mask, words);
	memset(st, 0, sizeof(*st));
	for (uint8_t i = 0; i < RULES_WORDS; i++) {
		if (words[i] == 0)
			continue;
		st->at[st->words] = i;
		st->mask[st->words++] = words[i];
	}
	st->best = best;
	st->rules = rules;
	st->slots = *slots;
	st->slot_mask = slots_for(rules) - 1;
	*slots += st->slot_mask + 1;
}

// Rules are linked in from the last to the first, so that each goes to the head of its chain.
// Behind one without ranges nothing can match first, so the chain ends with it unless all that
// match are asked for.
static void
link_node(struct rules_space *t, const struct rules_subtable *st, uint32_t rank)
{
	struct rules_node *node = &t->nodes[rank];
	const struct rules_entry *e = &node->rule->e;
	uint64_t words[RULES_WORDS];
	struct rules_slot *slot;
	uint32_t hash;

	key_words(&e->match.key, words);
	hash = masked_hash(t, st, words, node->key);
	node->sport = e->match.sport;
	node->dport = e->match.dport;
	node->ranged = flow_match_has_range(&e->match);
	rules_filter_add(&t->filter, st, node->key);
	slot = slot_find(t, st, hash, node->key);
	node->next = node->ranged || t->loose ? slot->node : RULES_NONE;
	slot->node = rank;
	slot->hash = hash;
}

static int
fill(struct rules_space *t, struct rule *const *list, const struct grouping *g)
{
	uint32_t slots = 0;
	int rc;

	for (uint32_t s = 0; s < g->n; s++) {
		struct flow_key mask = mask_in(list[g->first[s]], g->loose);

		subtable_init(&t->subtables[s], &mask, g->first[s], g->count[s], &slots);
	}
	rc = rules_filter_build(&t->filter, t->subtables, g->n, t->secret[0]);
	if (rc < 0)
		return rc;
	memset(t->slots, 0xff, slots * sizeof(*t->slots));
	for (uint32_t rank = t->n; rank-- > 0;) {
		struct rule *rule = list[rank];

		atomic_fetch_add_explicit(&rule->refs, 1, memory_order_relaxed);
		t->nodes[rank].rule = rule;
		link_node(t, &t->subtables[g->of[rank]], rank);
	}
	return 0;
}

struct rules_space *
rules_space_build(struct rule *const *list, uint32_t n, bool loose, uint64_t seed)
{
	struct sl_rng rng = {.state = seed};
	struct rules_space *t;
	struct grouping g = {.loose = loose, .seed = seed};
	size_t slots = 0, len;

	if (!grouping_init(&g, list, n))
		return NULL;
	for (uint32_t s = 0; s < g.n; s++)
		slots += slots_for(g.count[s]);
	// All parts are of 8-byte words, so they may follow each other in one piece.
	len = sizeof(*t) + g.n * sizeof(*t->subtables) + n * sizeof(*t->nodes) +
	      slots * sizeof(*t->slots);
	t = malloc(len);
	if (t != NULL) {
		memset(t, 0, sizeof(*t));
		t->n = n;
		t->n_subtables = g.n;
		t->memory = len;
		t->loose = loose;
		t->nodes = (struct rules_node *)(t + 1);
		t->subtables = (struct rules_subtable *)(t->nodes + n);
		t->slots = (struct rules_slot *)(t->subtables + g.n);
		for (unsigned i = 0; i < RULES_WORDS; i++)
			t->secret[i] = sl_rng_next(&rng) | 1;
		if (fill(t, list, &g) < 0) {
			free(t);
			t = NULL;
		} else {
			t->memory += t->filter.memory;
		}
	}
	free(g.of);
	return t;
}

void
rules_space_free(struct rules_space *t)
{
	if (t == NULL)
		return;
	for (uint32_t i = 0; i < t->n; i++)
		rule_put(t->nodes[i].rule);
	rules_filter_free(&t->filter);
	free(t);
}
