// SPDX-License-Identifier: BSD-3-Clause
#include "filter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "impl.h"

#define CHUNK 64
#define BITS_A_WORD 16
#define BITS_MIN_LOG 6

// The partial of that mask and word, a new one if there is room, or RULES_NO_PARTIAL.
static uint16_t
partial_of(struct rules_filter *f, uint8_t word, uint64_t mask)
{
	uint32_t of_word = 0;

	for (uint32_t i = 0; i < f->n; i++) {
		if (f->partials[i].word != word)
			continue;
		if (f->partials[i].mask == mask)
			return (uint16_t)i;
		of_word++;
	}
	if (of_word == RULES_PARTIALS / RULES_WORDS)
		return RULES_NO_PARTIAL;
	f->partials[f->n] = (struct rules_partial){.mask = mask, .word = word};
	return (uint16_t)f->n++;
}

// Lays out the bit sets; returns their words in all.
static size_t
layout(struct rules_filter *f)
{
	size_t at = 0;

	for (uint32_t i = 0; i < f->n; i++) {
		struct rules_partial *p = &f->partials[i];
		uint8_t log = BITS_MIN_LOG;

		while ((1ULL << log) < (uint64_t)p->words * BITS_A_WORD)
			log++;
		p->at = (uint32_t)at;
		p->shift = (uint8_t)(64 - log);
		at += (1ULL << log) / 64;
	}
	return at;
}

int
rules_filter_build(
	struct rules_filter *f, struct rules_subtable *subtables, uint32_t n, uint64_t factor)
{
	struct rules_partial *fitting;
	size_t bits, users;

	memset(f, 0, sizeof(*f));
	f->factor = factor;
	f->chunks = (n + CHUNK - 1) / CHUNK;
	f->partials = malloc(RULES_PARTIALS * sizeof(*f->partials));
	if (f->partials == NULL)
		return -ENOMEM;
	for (uint32_t s = 0; s < n; s++) {
		struct rules_subtable *st = &subtables[s];

		for (unsigned i = 0; i < st->words; i++) {
			st->partial[i] = partial_of(f, st->at[i], st->mask[i]);
			if (st->partial[i] != RULES_NO_PARTIAL)
				f->partials[st->partial[i]].words += st->rules;
		}
	}
	fitting = realloc(f->partials, (f->n + 1) * sizeof(*f->partials));
	f->partials = fitting != NULL ? fitting : f->partials;
	bits = layout(f);
	users = (size_t)f->chunks * f->n;
	f->memory = f->n * sizeof(*f->partials) + (bits + users) * sizeof(uint64_t);
	f->bits = calloc(bits + users + 1, sizeof(uint64_t));
	if (f->bits == NULL) {
		rules_filter_free(f);
		return -ENOMEM;
	}
	f->users = f->bits + bits;
	for (uint32_t s = 0; s < n; s++)
		for (unsigned i = 0; i < subtables[s].words; i++)
			if (subtables[s].partial[i] != RULES_NO_PARTIAL)
				f->users[(size_t)(s / CHUNK) * f->n + subtables[s].partial[i]] |=
					1ULL << (s % CHUNK);
	return 0;
}

void
rules_filter_free(struct rules_filter *f)
{
	free(f->partials);
	free(f->bits);
	memset(f, 0, sizeof(*f));
}

// Folds the high half in, because a product's high bits depend little on a few high bits.
static inline uint64_t
bit_of(const struct rules_filter *f, const struct rules_partial *p, uint64_t masked)
{
	return (masked ^ masked >> 29) * f->factor >> p->shift;
}

void
rules_filter_add(struct rules_filter *f, const struct rules_subtable *st, const uint64_t *words)
{
	for (unsigned i = 0; i < st->words; i++) {
		const struct rules_partial *p;
		uint64_t bit;

		if (st->partial[i] == RULES_NO_PARTIAL)
			continue;
		p = &f->partials[st->partial[i]];
		bit = bit_of(f, p, words[i]);
		f->bits[p->at + bit / 64] |= 1ULL << (bit % 64);
	}
}

uint32_t
rules_filter_failed(const struct rules_filter *f, const uint64_t *key_words, uint16_t *failed)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < f->n; i++) {
		const struct rules_partial *p = &f->partials[i];
		uint64_t bit = bit_of(f, p, key_words[p->word] & p->mask);

		failed[n] = (uint16_t)i;
		n += (~f->bits[p->at + bit / 64] >> (bit % 64)) & 1;
	}
	return n;
}
