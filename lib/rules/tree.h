// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_RULES_TREE_H
#define SLUICE_RULES_TREE_H

#include <stdalign.h>

#include "impl.h"

// The first of thousands of overlapping entries that a key matches.
//
// Idea: a decision tree whose nodes look at some bits of the key at once. A node takes up to 8 bits
// out of one or two words of the key (PEXT) as the index of the child; the bits are chosen so that
// the entries of the node, which have them as 0, as 1 or as "any", spread best (discrete bit
// selection, as BitCuts by Liu et al., IEEE/ACM ToN 2019, and EffiCuts' separable trees, Vamanan et
// al., SIGCOMM 2010). An entry that has "any" in few of the bits stands in several children; one
// that has it in many goes to the node's rest, a tree of its own that is looked at as well. Entries
// that fix different addresses (none, source, destination, both) begin in different trees, as cuts
// that fit the ones would copy the others. A leaf has blocks of 8 entries laid out by word, so that
// 8 are compared at once; entries are in order, so the first hit of a leaf is its answer. Trees and
// leaves know the order of their best entry and are passed over when something better was found.
//
// Updates copy the nodes on the way to the leaves of one entry (tens of microseconds); what is
// replaced is retired (mem.h), so that each set goes on seeing its own. A part of a tree that has
// grown to 4 times of what it was built for is built anew.
//
// Cost: memory is linear: the entries of a tree have room for at most RULES_COPIES / RULES_ONE
// places each (more where the tree has a small part of its table, up to half of the table in all),
// and what cannot be spread within that stands in rest, or in a leaf of more blocks. Refuses: to
// cut by a range that is no prefix; such ports are compared in the leaf.

#define RULES_LANES 8
#define RULES_NODE_BITS 10
#define RULES_GROUPS 8

// A node, or a leaf (lowest bit set), or 0: nothing.
typedef uintptr_t rules_ref;

struct rules_node {
	struct rules_obj obj;
	uint64_t best; // order of its first entry, or less
	uint64_t mask[2];
	rules_ref rest;
	uint8_t word[2]; // of the key, which mask is for
	uint8_t shift;   // of what the second mask takes
	uint8_t bits;
	uint8_t wild_max; // an entry with more bits as "any" is in rest
	uint32_t count;   // entries, rest included
	uint32_t built;   // as count, when it was built
	rules_ref child[];
};

// 32 bits of the key that a leaf compares, in 8 entries.
struct rules_lanes {
	uint32_t key[RULES_LANES];
	uint32_t mask[RULES_LANES];
};

struct rules_block {
	uint64_t order[RULES_LANES];
	const struct rule *rule[RULES_LANES];
	uint16_t slo[RULES_LANES], shi[RULES_LANES], dlo[RULES_LANES], dhi[RULES_LANES];
	struct rules_lanes lanes[]; // one for each of the leaf's words
};

struct rules_leaf {
	struct rules_obj obj;
	uint64_t best;
	uint32_t n;      // entries
	uint32_t blocks; // of 8
	uint16_t size;   // of a block, bytes
	uint8_t words;   // that an entry looks at
	bool ranged;     // an entry has a range
	uint8_t word[16];
	alignas(RULES_LINE) unsigned char block[];
};

// The words that the entries of a group have under the mask that all of them have in common, hashed
// into a bit set: most keys that match none of them fail it. Shared by all versions of its group:
// bits are only ever set, and an old set that sees a new one does a look-up in vain.
struct rules_sieve {
	struct rules_obj obj;
	uint8_t words;
	uint8_t shift; // of the hash: 64 - log2(bits)
	uint8_t word[RULES_WORDS];
	uint64_t mask[RULES_WORDS]; // by place in word
	_Atomic uint64_t bits[];
};

static inline uint64_t
rules_sieve_bit(const struct rules_sieve *s, const uint64_t *key)
{
	uint64_t sum = 0;

	// Words are folded first: high bits of a product depend on all bits below only.
	for (unsigned i = 0; i < s->words; i++) {
		uint64_t w = key[s->word[i]] & s->mask[i];

		sum += (w ^ w >> 32 ^ sum >> 29) * 0x9e3779b97f4a7c15ULL;
	}
	return sum >> s->shift;
}

static inline bool
rules_sieve_passes(const struct rules_sieve *s, const uint64_t *key)
{
	uint64_t bit;

	if (s == NULL)
		return true;
	bit = rules_sieve_bit(s, key);
	return atomic_load_explicit(&s->bits[bit / 64], memory_order_relaxed) >> (bit % 64) & 1;
}

// sieve.c: NULL: the entries have too little in common, or there is no memory.
struct rules_sieve *rules_sieve_new(
	struct rules_mem *m, const struct rule *const *list, uint32_t n);
// False: the entry has not the mask that the sieve needs.
bool rules_sieve_add(struct rules_sieve *s, const struct rule *rule);

// A tree for the entries that fix the same addresses.
struct rules_group {
	struct rules_sieve *sieve; // NULL: none
	rules_ref root;
	uint64_t best;
	uint64_t mean; // of the orders of its entries, when it was built
	uint32_t kind; // of its entries
};

// Immutable when its version is committed. Sorted by mean, so that what is found in one group saves
// most of the way through the next ones.
struct rules_space {
	struct rules_obj obj;
	uint32_t n;     // entries
	uint32_t built; // as n, when it was built
	uint32_t edits; // since
	uint32_t groups;
	struct rules_group group[RULES_GROUPS];
};

static inline bool
rules_is_leaf(rules_ref ref)
{
	return ref & 1;
}

static inline struct rules_leaf *
rules_leaf_of(rules_ref ref)
{
	return (struct rules_leaf *)(ref - 1); // NOLINT
}

static inline struct rules_node *
rules_node_of(rules_ref ref)
{
	return (struct rules_node *)ref; // NOLINT
}

static inline struct rules_block *
rules_block_of(const struct rules_leaf *leaf, unsigned i)
{
	return (struct rules_block *)(uintptr_t)(leaf->block + (size_t)i * leaf->size);
}

// leaf.c; lists are sorted by order. 0: no memory (n is not 0).
rules_ref rules_leaf_new(struct rules_mem *m, const struct rule *const *list, uint32_t n);
uint32_t rules_leaf_list(const struct rules_leaf *leaf, const struct rule **list);

// build.c: a tree of a sorted list. False: no memory.
// copies: places in leaves that the entries may take in all, by entry.
#define RULES_ONE 16                 // one place for each
#define RULES_COPIES (4 * RULES_ONE) // where they are dear
bool rules_tree_build(struct rules_mem *m, const struct rule *const *list, uint32_t n,
	uint32_t copies, rules_ref *out);
// The indices of the children that an entry stands in: val | each subset of any.
void rules_node_bits(
	const struct rules_node *node, const struct rule *rule, uint32_t *val, uint32_t *any);

// edit.c: false: no memory; the tree is as good as before, and the same edit may be made again.
bool rules_tree_add(struct rules_mem *m, rules_ref *ref, const struct rule *rule);
bool rules_tree_del(struct rules_mem *m, rules_ref *ref, const struct rule *rule);
// Retires all of it but the entries.
void rules_tree_retire(struct rules_mem *m, rules_ref ref);

// space.c: *space is replaced by one of the version that is being made. NULL is an empty space.
bool rules_space_build(struct rules_mem *m, struct rule *const *list, uint32_t n, bool loose,
	struct rules_space **space);
bool rules_space_add(struct rules_mem *m, struct rules_space **space, const struct rule *rule);
bool rules_space_del(struct rules_mem *m, struct rules_space **space, const struct rule *rule);
void rules_space_retire(struct rules_mem *m, struct rules_space *space);

// find.c, for the vector instructions that the processor has.
#define RULES_BURST 32
typedef void (*rules_fn)(void *ctx, const struct rule *rule);
struct rules_find {
	// The first that each of n keys matches, or NULL.
	void (*first)(const struct rules_space *s, const struct flow_key *const *keys, unsigned n,
		const struct rule **out);
	// All that match and are before limit, in no order.
	void (*each)(const struct rules_space *s, const struct flow_key *key, uint64_t limit,
		rules_fn fn, void *ctx);
};
const struct rules_find *rules_find_base(void);
const struct rules_find *rules_find_avx2(void);
const struct rules_find *rules_find_best(void);

#endif
