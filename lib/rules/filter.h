// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_RULES_FILTER_H
#define SLUICE_RULES_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Which subtables of a table can match a key at all.
//
// Problem: a table has hundreds of subtables, a key matches entries of a few. Idea (tuple pruning,
// Srinivasan, Suri, Varghese, SIGCOMM 1999): a subtable can match only if each masked word of the
// key is a word of one of its entries. A partial is one mask of one word, shared by all subtables
// that have it, with a bit set of the words that occur under it (one hash function, 16 to 32 bits a
// word, so up to 6 % false hits: those cost one look into a subtable). A look-up tests each partial
// once, and clears the subtables of the partials that failed, 64 at a time. Cost: some cycles a
// partial, one AND for each failed partial and 64 subtables; 2 to 4 bytes a masked word and 8 bytes
// a partial and 64 subtables. Refuses: more than 64 partials a word; the further ones are not
// tested.
// Thread safety: built by one thread, then immutable.

#define RULES_WORDS 8 // of a key
#define RULES_PARTIALS (64 * RULES_WORDS)
#define RULES_NO_PARTIAL UINT16_MAX

struct rules_subtable;

struct rules_partial {
	uint64_t mask;
	uint32_t words; // at most, that occur
	uint32_t at;    // its bits start at that word of bits
	uint8_t word;   // of the key
	uint8_t shift;  // of the hash: 64 - log2(bits)
};

struct rules_filter {
	uint32_t n;      // partials
	uint32_t chunks; // of 64 subtables
	struct rules_partial *partials;
	uint64_t *bits;
	uint64_t *users; // by chunk, then by partial: the subtables that have it
	uint64_t factor; // of the hash, odd
	size_t memory;
};

// Finds the partials of n subtables and numbers them there. -ENOMEM.
int rules_filter_build(
	struct rules_filter *f, struct rules_subtable *subtables, uint32_t n, uint64_t factor);
void rules_filter_free(struct rules_filter *f);
// Says that a subtable has an entry of these masked words (in the subtable's order).
void rules_filter_add(
	struct rules_filter *f, const struct rules_subtable *st, const uint64_t *words);

// The partials that the key fails, in failed (RULES_PARTIALS of them); returns how many.
uint32_t rules_filter_failed(
	const struct rules_filter *f, const uint64_t *key_words, uint16_t *failed);

// The subtables 64 * chunk to 64 * chunk + 63 that are left, as a bit mask.
static inline uint64_t
rules_filter_left(
	const struct rules_filter *f, uint32_t chunk, const uint16_t *failed, uint32_t n_failed)
{
	const uint64_t *users = &f->users[(size_t)chunk * f->n];
	uint64_t gone = 0;

	for (uint32_t i = 0; i < n_failed; i++)
		gone |= users[failed[i]];
	return ~gone;
}

#endif
