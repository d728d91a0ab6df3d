// SPDX-License-Identifier: BSD-3-Clause
#ifndef EMUNIC_TABLE_INDEX_H
#define EMUNIC_TABLE_INDEX_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_common.h>
#include <rte_prefetch.h>

#include "eswitch/table.h"

// What changes (table.c, table_shape.c) and look-ups (table_lookup.c) share: shapes, and the
// buckets that hold their rules.
//
// Problem: of the many shapes that a look-up asks, most have no rule for the packet, and a bucket
// is a cache line in a memory that only the outer caches hold. Idea: each bucket of the first rank
// has four bytes of tags in an array of their own, one byte of the hash for each slot (0: empty;
// TAG_CHAIN in the last one: there is a chain, so look). A look-up reads tags until they fit, which
// they do by chance for less than one in a hundred shapes.
//
// The hash of a rule is the sum of its shape's seed and of one part for each word of the mask:
// multilinear hashing (Lemire and Kaser, Strongly universal string hashing is fast, 2014) with
// multipliers that depend on the word's place in the key alone. So shapes that ask for the same
// bits of the same word share that part, and a look-up computes it once (table_scan.h). Thread
// safety: owner thread only.

#define BUCKET_SLOTS 4
#define NO_BUCKET UINT32_MAX
#define SHAPE_COMPARED 4 // words that every comparison looks at, those of no mask included

// Places in the array of rules; 0: empty. Slots are filled from the front; a chained
// bucket is in use only while all before it are full.
struct emu_bucket {
	uint32_t rule[BUCKET_SLOTS];
};
static_assert(RTE_CACHE_LINE_SIZE % sizeof(struct emu_bucket) == 0, "buckets do not cross lines");

// A word of a mask, and what its part of the hash is made with.
struct emu_word {
	uint64_t mask;
	uint64_t low, high; // multipliers of its two halves
	uint32_t at;        // in the key
};

struct emu_shape {
	// Of the first words of the mask; 0 where there are less.
	uint64_t compared[SHAPE_COMPARED];
	uint16_t compared_at[SHAPE_COMPARED];
	uint32_t seed; // of the hash; no two shapes of a NIC have the same, and none has 0
	uint8_t n_words;
	bool ranged; // its rules have ranges
	bool apart;  // not all of its words have a term of the table: term is not all set
	uint8_t term[EMU_KEY_WORDS];
	uint64_t terms; // the set of them
	// Of the lines (table_lines.h): a cluster or NULL, the number there, the word that has the
	// locator, the rules that are in no line, and whether a look-up needs the lines only.
	struct emu_cluster *cluster;
	uint8_t lane;
	uint8_t located;
	bool lined;
	uint32_t spilled;
	uint32_t best;  // no rule of the shape has a lower priority number
	uint32_t worst; // nor a higher one
	uint16_t bits;
	uint32_t n_rules; // in the shape
	uint32_t removed; // since best and worst were last exact
	struct emu_rule_list rules;
	union emu_key mask;
	struct emu_word word[];
};

static inline uint32_t
hash_part(uint64_t word, uint64_t low, uint64_t high)
{
	return (uint32_t)(((uint32_t)word * low + (word >> 32) * high) >> 32);
}

static inline uint32_t
hash_key(const struct emu_shape *s, const union emu_key *k)
{
	uint32_t h = s->seed;

	for (unsigned int i = 0; i < s->n_words; i++) {
		const struct emu_word *w = &s->word[i];

		h += hash_part(k->w[w->at] & w->mask, w->low, w->high);
	}
	return h;
}

static inline bool
matches(const struct emu_shape *s, const union emu_key *k, const struct rte_flow *f)
{
	uint64_t diff = 0;
	unsigned int i;

	for (i = 0; i < SHAPE_COMPARED; i++)
		diff |= (k->w[s->compared_at[i]] & s->compared[i]) ^ f->key[i];
	for (; i < s->n_words; i++)
		diff |= (k->w[s->word[i].at] & s->word[i].mask) ^ f->key[i];
	return diff == 0;
}

#define TAG_MIN 1
#define TAG_MAX 0xfe
#define TAG_CHAIN 0xff000000U // in the last byte
#define TAG_ALL 0x01010101U

static inline uint32_t
tag_of(uint32_t hash)
{
	uint32_t tag = RTE_MAX(hash >> 24, (uint32_t)TAG_MIN);

	return RTE_MIN(tag, (uint32_t)TAG_MAX);
}

static inline bool
tags_chained(uint32_t tags)
{
	return tags >= TAG_CHAIN;
}

// Where tags have this hash: the highest bit of each byte that does, and maybe of ones above it.
static inline uint32_t
tags_find(uint32_t tags, uint32_t hash)
{
	uint32_t diff = tags ^ (TAG_ALL * tag_of(hash));

	return (diff - TAG_ALL) & ~diff & (TAG_ALL << 7);
}

// False when the bucket has no rule with this hash.
static inline bool
tags_fit(const struct emu_rules *r, uint32_t hash)
{
	uint32_t tags = r->tags[hash & r->bucket_mask];

	return tags_chained(tags) || tags_find(tags, hash) != 0;
}

static inline uint32_t
place_of(const struct emu_rules *r, const struct rte_flow *f)
{
	return (uint32_t)(f - r->slots);
}

static inline struct rte_flow *
rule_at(const struct emu_rules *r, uint32_t place)
{
	return &r->slots[place];
}

// What a packet touches of it.
static inline void
emu_rule_fetch(const struct rte_flow *f)
{
	rte_prefetch0((const char *)f + EMU_RULE_HOT);
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
	uint32_t at = hash & r->bucket_mask;

	do {
		const struct emu_bucket *b = &r->buckets[at];

		for (unsigned int i = 0; i < BUCKET_SLOTS && b->rule[i] != 0; i++) {
			struct rte_flow *f = rule_at(r, b->rule[i]);

			if (f->shape == s && matches(s, k, f))
				return f;
		}
		at = tags_chained(r->tags[hash & r->bucket_mask]) ? r->chain[at] : NO_BUCKET;
	} while (unlikely(at != NO_BUCKET));
	return NULL;
}

// table_shape.c
// A word of a mask with its multipliers.
struct emu_word emu_word_make(const struct emu_rules *r, uint32_t at, uint64_t mask);
// The term of the table for a word, or EMU_SCAN_TERMS (table_scan.h) when there are too many.
unsigned int emu_term_get(struct emu_table *t, const struct emu_word *w);

// table_bucket.c
// Puts a rule, whose hash is set, into its bucket. False: there is no memory.
bool emu_bucket_put(struct emu_rules *r, const struct rte_flow *f);
void emu_bucket_drop(struct emu_rules *r, const struct rte_flow *f);
// Puts a rule of the same hash into the place of f.
void emu_bucket_swap(struct emu_rules *r, const struct rte_flow *f, const struct rte_flow *by);

#endif
