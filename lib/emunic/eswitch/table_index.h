// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_TABLE_INDEX_H
#define EMUNIC_TABLE_INDEX_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_common.h>

#include "eswitch/table.h"

// What table.c (changes) and table_lookup.c share: shapes, and the buckets that hold their rules.
//
// Problem: of the many shapes that a look-up asks, most have no rule for the packet, and a bucket
// is a cache line in a memory that only the outer caches hold. Idea: each bucket of the first rank
// has eight bytes of tags in an array of their own, one byte of the hash for each slot (0: empty)
// and one that says whether there is a chain. A look-up reads tags until they fit, which they do by
// chance for one in a hundred shapes. Thread safety: owner thread only.

#define BUCKET_SLOTS 6
#define NO_BUCKET UINT32_MAX

// One cache line. Slots are filled from the front; a chained bucket is in use only while all
// before it are full.
struct emu_bucket {
	uint16_t sig[BUCKET_SLOTS];
	uint32_t next;
	struct rte_flow *rule[BUCKET_SLOTS];
} __rte_aligned(64);
static_assert(sizeof(struct emu_bucket) == 64, "a bucket is one cache line");

struct emu_shape {
	union emu_key mask;
	uint8_t word[EMU_KEY_WORDS]; // the words of the mask that are not zero
	uint8_t n_words;
	bool ranged; // its rules have ranges
	uint16_t bits;
	uint32_t seed;
	uint32_t best;    // no rule of the shape has a lower priority number
	uint32_t worst;   // nor a higher one
	uint32_t n_rules; // in the shape
	uint32_t removed; // since best and worst were last exact
	struct emu_rule_list rules;
};

// A sum of products is quick, since no step waits for another; the last two spread its high bits,
// which are all that the high bits of a word reach.
static inline uint32_t
hash_n(const struct emu_shape *s, const union emu_key *k, unsigned int n_words)
{
	uint64_t h = s->seed;

	for (unsigned int i = 0; i < n_words; i++) {
		unsigned int w = s->word[i];

		h += (k->w[w] & s->mask.w[w]) * (0x9e3779b97f4a7c15ULL + i * 0x7f4a7c15f39cc060ULL);
	}
	h ^= h >> 32;
	return (uint32_t)((h * 0xe7037ed1a0b428dbULL) >> 32);
}

static inline uint32_t
hash_words(const struct emu_shape *s, const union emu_key *k)
{
	return hash_n(s, k, s->n_words);
}

static inline bool
matches(const struct emu_shape *s, const union emu_key *k, const struct rte_flow *f)
{
	uint64_t diff = 0;

	for (unsigned int i = 0; i < s->n_words; i++) {
		unsigned int w = s->word[i];

		diff |= (k->w[w] & s->mask.w[w]) ^ f->key[i];
	}
	return diff == 0;
}

static inline uint16_t
signature(uint32_t hash)
{
	return hash >> 16;
}

#define TAG_ALL 0x0101010101010101ULL
#define TAG_SLOTS 0x0000808080808080ULL
#define TAG_CHAIN (1ULL << 63)

static inline uint64_t
tag_of(uint32_t hash)
{
	uint64_t tag = hash >> 24;

	return tag + (tag == 0);
}

// False when the bucket has no rule with this hash.
static inline bool
tags_fit(const struct emu_rules *r, uint32_t hash)
{
	uint64_t tags = r->tags[hash & r->bucket_mask];
	uint64_t diff = tags ^ (TAG_ALL * tag_of(hash));

	// The highest bit of each byte that is zero (and maybe of one above it), or of the chain.
	return (((diff - TAG_ALL) & ~diff & TAG_SLOTS) | (tags & TAG_CHAIN)) != 0;
}

// Negative when a is tried before b: by best priority, then by rank.
static inline int
shape_rank(const struct emu_shape *a, const struct emu_shape *b)
{
	if (a->bits != b->bits)
		return a->bits > b->bits ? -1 : 1;
	if (a->ranged != b->ranged)
		return a->ranged ? -1 : 1;
	return -memcmp(&a->mask, &b->mask, sizeof(a->mask));
}

// The first of the rules of the shape with this (masked) key.
static inline struct rte_flow *
bucket_get(
	const struct emu_rules *r, const struct emu_shape *s, const union emu_key *k, uint32_t hash)
{
	const struct emu_bucket *b = &r->buckets[hash & r->bucket_mask];
	uint16_t sig = signature(hash);

	for (;;) {
		for (unsigned int i = 0; i < BUCKET_SLOTS; i++) {
			struct rte_flow *f = b->rule[i];

			if (b->sig[i] == sig && f != NULL && f->shape == s && matches(s, k, f))
				return f;
		}
		if (likely(b->next == NO_BUCKET))
			return NULL;
		b = &r->buckets[b->next];
	}
}

#endif
