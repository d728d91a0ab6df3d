// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_RULES_TREE_H
#define SLUICE_RULES_TREE_H

#include <stdalign.h>
#include <string.h>

#include "impl.h"

// The first of thousands of overlapping entries that a key matches.
//
// Problem: cycles go to instructions and to branches that cannot be foretold long before they go to
// memory: of the 10,000 entries of a set a look-up meets one or two leaves. Idea: few, equal steps.
// - Entries are grouped by the addresses that they fix (none, source, destination, both; MACs), as
//   cuts that fit the ones would copy the others (EffiCuts' separable trees, Vamanan et al.,
//   SIGCOMM 2010). What all of a group fix is hashed (coarse tuples, as TupleMerge by Daly et al.,
//   IEEE/ACM ToN 2019): one line tells most keys that the group has nothing for them, and has the
//   others' tree. Entries that fix too little have one tree.
// - A tree is for the few tens of entries that share a hash; most are a leaf. A node takes bits out
//   of one or two words of the key (PEXT) as the index of the child; the bits are chosen so that
//   its entries, which have them as 0, as 1 or as "any", spread best (discrete bit selection, as
//   BitCuts by Liu et al., IEEE/ACM ToN 2019). An entry that has "any" in few of the bits stands in
//   several children; one that has it in many goes to the node's rest, a tree of its own that is
//   looked at as well.
// - A leaf compares 16 bits of the key as ((unit & mask) - lo) <= span, which says exact values,
//   prefixes, ranges and any mask alike: 8 entries at once, with no branch. Entries are in order,
//   so the first hit of a leaf is its answer.
// - A burst goes through one group after the other, those with the best entries first; groups,
//   trees and leaves know the order of their best entry and are passed over when something better
//   was found. Which keys a step is for is said by a bit for each. Hashes, places and marks are
//   worked out for 8 keys at once with AVX-512, of all groups before the first is gone through.
//   Whether the first 8 entries have the hit, and which hit is better, takes no branch.
//
// Updates copy a page of the index (16 kB) and the nodes on the way to the leaves of one entry
// (tens of microseconds); what is replaced is retired (mem.h), so that each set goes on seeing its
// own. A part of a tree that has grown to 4 times of what it was built for is built anew; so is a
// table.
//
// Cost: memory is linear: the entries of a tree have room for at most RULES_COPIES / RULES_ONE
// places each (more where the tree has a small part of its table, up to half of the table in all),
// and what cannot be spread within that stands in rest, or in a leaf of more rows. An index has 2
// to 4 places of 8 bytes for each entry. Refuses: to cut by a range that is no prefix; such ports
// are compared in the leaf.

#define RULES_ROWS 8 // entries of a leaf that are compared at once
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

// A unit is 16 bits of the key, a row 8 units of an entry: those of an IPv4 five-tuple are 7.
// Leaves whose entries look at more have more parts.
#define RULES_UNITS 8

// What an entry is to a look-up.
struct rules_hit {
	uint64_t order;
	const struct rule *rule;
};

// The rows of a block, as those want to know them who compare them.
struct rules_rows {
	uint8_t half[2];  // two bits for each of the first 4, and of the others
	uint16_t bits;    // the low one of two for each
	uint8_t n;        // at most RULES_ROWS
	uint8_t span_at;  // bytes from lo to span
	uint16_t hits_at; // and to the hits, when there is one part and no mask
};

static inline struct rules_rows
rules_rows(uint32_t n)
{
	uint32_t two = (1u << 2 * n) - 1;

	return (struct rules_rows){.half = {(uint8_t)two, (uint8_t)(two >> 8)},
		.bits = two & 0x5555,
		.n = (uint8_t)n,
		.span_at = (uint8_t)(n * RULES_UNITS * sizeof(uint16_t)),
		.hits_at = (uint16_t)(2 * n * RULES_UNITS * sizeof(uint16_t))};
}

// A leaf: for each part which bytes its units are (low one first), then a block for each 8 entries:
// for each part lo of all its rows, span of all, (masked) mask of all; then a rules_hit for each.
// So what a look-up reads of the first 8 entries, which is where most of them end, is in one piece.
struct rules_leaf {
	struct rules_obj obj;
	uint64_t best;
	struct rules_rows rows; // of the first block
	uint32_t n;             // entries
	uint8_t parts;
	bool masked; // an entry has a mask that is no prefix
	bool plain;  // one part, not masked
	int8_t more; // -1: blocks than the first, 0: none
	alignas(16) uint8_t at[];
};
static_assert(offsetof(struct rules_leaf, at) + 2 * (size_t)RULES_UNITS == RULES_LINE,
	"the rows of a leaf begin with a line");

// The trees of a group, found by a hash of the bits that all of its entries fix. Of the 64 bits of
// a place 16 say which hashes are meant (a bit each), so that most keys that match nothing of the
// group are done after one line. Pages bound what an edit copies; there are few of them up to
// 16,000 entries, so that a vector look-up needs no memory to find one.
#define RULES_PAGE_LOG 11  // places of a page at most
#define RULES_PAGES_FEW 16 // that a vector look-up keeps in two registers
#define RULES_MARKS_AT 48  // above all bits of a user's pointer

struct rules_page {
	struct rules_obj obj;
	alignas(RULES_LINE) uint64_t place[]; // rules_ref, and marks
};

struct rules_index {
	struct rules_obj obj;
	uint8_t words;
	uint8_t shift;    // of the hash: 32 - log2(places)
	uint8_t page_log; // of the places of a page
	uint8_t word[RULES_WORDS];
	uint64_t mask[RULES_WORDS]; // by place in word
	struct rules_page *page[];  // all there; of at least RULES_PAGES_FEW, unused ones NULL
};

// Of a word, 32 bits times 32 bits, which vectors can multiply. The upper of the lower 32 bits of
// the sum are mixed best.
static const struct {
	uint32_t low, high; // added to the halves of a word
} rules_index_mix[] = {
	{0x85ebca6b, 0x9e3779b1}, {0xc2b2ae35, 0x27d4eb2f}, {0x165667b1, 0xcc9e2d51}};

// A word of a key, which need not be aligned.
static inline uint64_t
rules_word(const void *key, unsigned i)
{
	uint64_t w;

	memcpy(&w, (const char *)key + i * sizeof(w), sizeof(w));
	return w;
}

static inline uint32_t
rules_index_hash(const struct rules_index *x, const void *key)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < x->words; i++) {
		uint64_t w = rules_word(key, x->word[i]) & x->mask[i];

		sum += ((uint32_t)w + rules_index_mix[i].low) *
		       ((uint32_t)(w >> 32) + rules_index_mix[i].high);
	}
	return sum;
}

static inline uint32_t
rules_index_page(const struct rules_index *x, uint32_t hash)
{
	return hash >> x->shift >> x->page_log;
}

static inline uint32_t
rules_index_place(const struct rules_index *x, uint32_t hash)
{
	return hash >> x->shift & ((1u << x->page_log) - 1);
}

static inline uint32_t
rules_index_pages(const struct rules_index *x)
{
	return 1u << (32 - x->shift - x->page_log);
}

// A bit for the hash among those that share a place.
static inline uint64_t
rules_index_mark(const struct rules_index *x, uint32_t hash)
{
	return 1ULL << (hash >> (x->shift - 4) & 15);
}

static inline rules_ref
rules_place_ref(uint64_t place)
{
	return place & ((1ULL << RULES_MARKS_AT) - 1);
}

// index.c; false: the entries have too little in common.
bool rules_index_plan(const struct rule *const *list, uint32_t n, struct rules_index *plan);
bool rules_index_fits(const struct rules_index *x, const struct rule *rule);
// False: no memory; *out is what there is of it.
bool rules_index_build(struct rules_mem *m, const struct rules_index *plan,
	const struct rule *const *list, uint32_t n, uint32_t copies, struct rules_index **out);
// As rules_tree_add and its kind.
bool rules_index_add(struct rules_mem *m, struct rules_index **x, const struct rule *rule);
bool rules_index_del(struct rules_mem *m, struct rules_index **x, const struct rule *rule);
void rules_index_retire(struct rules_mem *m, struct rules_index *x);

// The entries that fix the same addresses.
struct rules_group {
	struct rules_index *index; // NULL: one tree
	rules_ref root;
	uint64_t best;
	uint64_t mean; // of the orders of its entries, when it was built
	uint32_t kind; // of its entries
};

// Up to 4 words of the key that indices look at, and for a vector of two keys, 8 words each, which
// words these are.
struct rules_turn {
	uint8_t word[4], pick[8];
};

// Immutable when its version is committed. Sorted by mean, so that what is found in one group saves
// most of the way through the next ones.
struct rules_space {
	struct rules_obj obj;
	uint32_t n;     // entries
	uint32_t built; // as n, when it was built
	uint32_t edits; // since
	uint32_t words; // of the key that indices look at, a bit each
	uint32_t turns; // of words, 4 at a time
	struct rules_turn turn[RULES_WORDS / 4];
	int address_bits; // that an entry has to fix of an address for a group of its kind
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

// Where the rows of a part begin in a block of so many rows, and where its hits do (part: parts).
static inline size_t
rules_part_at(const struct rules_leaf *leaf, unsigned part, size_t rows)
{
	return part * rows * RULES_UNITS * sizeof(uint16_t) * (leaf->masked ? 3 : 2);
}

static inline const unsigned char *
rules_blocks_of(const struct rules_leaf *leaf)
{
	return leaf->at + (size_t)leaf->parts * 2 * RULES_UNITS;
}

// The block with entry `from`, a multiple of 8: all before it are full.
static inline const unsigned char *
rules_block_of(const struct rules_leaf *leaf, uint32_t from)
{
	return rules_blocks_of(leaf) + from / RULES_ROWS *
					       (rules_part_at(leaf, leaf->parts, RULES_ROWS) +
						       RULES_ROWS * sizeof(struct rules_hit));
}

static inline const struct rules_hit *
rules_hits_of(const struct rules_leaf *leaf, const unsigned char *block, uint32_t rows)
{
	return (const void *)(block + rules_part_at(leaf, leaf->parts, rows));
}

static inline uint32_t
rules_rows_of(const struct rules_leaf *leaf, uint32_t from)
{
	return leaf->n - from < RULES_ROWS ? leaf->n - from : RULES_ROWS;
}

// leaf.c; lists are sorted by order. 0: no memory (n is not 0).
rules_ref rules_leaf_new(struct rules_mem *m, const struct rule *const *list, uint32_t n);
uint32_t rules_leaf_list(const struct rules_leaf *leaf, const struct rule **list);

// build.c: a tree of a sorted list. False: no memory.
// copies: places in leaves that the entries may take in all, by entry.
#define RULES_ONE 16                 // one place for each
#define RULES_COPIES (8 * RULES_ONE) // where they are dear
bool rules_tree_build(struct rules_mem *m, const struct rule *const *list, uint32_t n,
	uint32_t copies, rules_ref *out);
// choose.c: the bits of a node. False: no bits are of use.
bool rules_choose(
	struct rules_node *node, const struct rule *const *list, uint32_t n, uint32_t copies);
// The indices of the children that an entry stands in: val | each subset of any.
void rules_node_bits(
	const struct rules_node *node, const struct rule *rule, uint32_t *val, uint32_t *any);

// edit.c: false: no memory; the tree is as good as before, and the same edit may be made again.
typedef bool (*rules_tree_edit)(struct rules_mem *m, rules_ref *ref, const struct rule *rule);
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
const struct rules_find *rules_find_wide(void); // AVX-512 with VBMI
// Those that this processor can do, best first; NULL: that is all.
const struct rules_find *rules_find_form(unsigned i);

#endif
