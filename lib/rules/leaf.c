// SPDX-License-Identifier: BSD-3-Clause
#include <string.h>

#include "tree.h"

#define KEY_LANES 16 // words of 32 bits in a key

// The mask that is compared lane by lane: ports that their range says are not.
static void
lane_mask(const struct rule *rule, uint32_t *mask)
{
	struct flow_key k;

	memcpy(&k, rule->mask, sizeof(k));
	if (rule->sport_only)
		k.l4_src = 0;
	if (rule->dport_only)
		k.l4_dst = 0;
	memcpy(mask, &k, sizeof(k));
}

// Which words of 32 bits any of the entries looks at.
static uint8_t
words_of(const struct rule *const *list, uint32_t n, uint8_t *word)
{
	uint32_t any[KEY_LANES] = {0}, mask[KEY_LANES];
	uint8_t words = 0;

	for (uint32_t i = 0; i < n; i++) {
		lane_mask(list[i], mask);
		for (unsigned w = 0; w < KEY_LANES; w++)
			any[w] |= mask[w];
	}
	for (uint8_t w = 0; w < KEY_LANES; w++)
		if (any[w] != 0)
			word[words++] = w;
	return words;
}

static void
set_lane(struct rules_leaf *leaf, struct rules_block *b, unsigned lane, const struct rule *rule)
{
	uint32_t key[KEY_LANES], mask[KEY_LANES];

	memcpy(key, rule->key, sizeof(key));
	lane_mask(rule, mask);
	b->order[lane] = rule->order;
	b->rule[lane] = rule;
	b->slo[lane] = rule->sport.lo;
	b->shi[lane] = rule->sport.hi;
	b->dlo[lane] = rule->dport.lo;
	b->dhi[lane] = rule->dport.hi;
	leaf->ranged |= rule->sport.lo != 0 || rule->sport.hi != UINT16_MAX ||
			rule->dport.lo != 0 || rule->dport.hi != UINT16_MAX;
	for (unsigned w = 0; w < leaf->words; w++) {
		b->lanes[w].key[lane] = key[leaf->word[w]];
		b->lanes[w].mask[lane] = mask[leaf->word[w]];
	}
}

rules_ref
rules_leaf_new(struct rules_mem *m, const struct rule *const *list, uint32_t n)
{
	uint32_t blocks = (n + RULES_LANES - 1) / RULES_LANES;
	struct rules_leaf *leaf;
	uint8_t word[KEY_LANES];
	uint8_t words = words_of(list, n, word);
	size_t size = sizeof(struct rules_block) + words * sizeof(struct rules_lanes);

	leaf = rules_mem_get(m, sizeof(*leaf) + blocks * size);
	if (leaf == NULL)
		return 0;
	leaf->best = list[0]->order;
	leaf->n = n;
	leaf->blocks = blocks;
	leaf->size = (uint16_t)size;
	leaf->words = words;
	memcpy(leaf->word, word, words);
	for (uint32_t i = 0; i < n; i++)
		set_lane(leaf, rules_block_of(leaf, i / RULES_LANES), i % RULES_LANES, list[i]);
	return (rules_ref)leaf | 1;
}

uint32_t
rules_leaf_list(const struct rules_leaf *leaf, const struct rule **list)
{
	for (uint32_t i = 0; i < leaf->n; i++)
		list[i] = rules_block_of(leaf, i / RULES_LANES)->rule[i % RULES_LANES];
	return leaf->n;
}
