// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_RULES_COMPARE_H
#define SLUICE_RULES_COMPARE_H

#include <string.h>

#include "tree.h"

// Which of 8 entries of a leaf a key matches, with the vector instructions that the file including
// it is compiled for: AVX-512 with VBMI compares 4 rows in three instructions and has no branch for
// how many there are, AVX2 does 2 at a time. Thread safety: any thread.

#if defined(__AVX512VBMI__) && defined(__AVX512BW__)
#define RULES_WIDE 1
#else
#define RULES_WIDE 0
#endif

#if defined(__AVX2__) && defined(__BMI2__)
#include <immintrin.h>
#endif

union rules_probe {
	alignas(RULES_LINE) uint64_t w64[RULES_WORDS];
	uint8_t byte[sizeof(uint64_t) * RULES_WORDS];
};

#if RULES_WIDE

// Of 8 rows (fewer at the end of the leaf) which halves, of 4 units each, the key is in: bits 2 *
// row and 2 * row + 1.
static inline uint32_t
rules_part_hit(const struct rules_leaf *leaf, const struct rules_part *part, uint32_t from,
	uint32_t rows, const union rules_probe *key)
{
	uint32_t lanes = _bzhi_u32(UINT16_MAX, 2 * rows); // of 64 bits
	__mmask8 low = (__mmask8)lanes, high = (__mmask8)(lanes >> 8);
	const uint16_t *lo = &part->row[(size_t)from * RULES_UNITS];
	const uint16_t *span = lo + (size_t)leaf->n * RULES_UNITS;
	__m512i at = _mm512_broadcast_i32x4(_mm_load_si128((const __m128i *)part->at));
	__m512i x = _mm512_permutexvar_epi8(at, _mm512_load_si512(key->w64)), y = x;

	if (__builtin_expect(leaf->masked, 0)) {
		const uint16_t *mask = span + (size_t)leaf->n * RULES_UNITS;

		x = _mm512_and_si512(x, _mm512_maskz_loadu_epi64(low, mask));
		y = _mm512_and_si512(y, _mm512_maskz_loadu_epi64(high, mask + 32));
	}
	x = _mm512_sub_epi16(x, _mm512_maskz_loadu_epi64(low, lo));
	y = _mm512_sub_epi16(y, _mm512_maskz_loadu_epi64(high, lo + 32));
	x = _mm512_subs_epu16(x, _mm512_maskz_loadu_epi64(low, span));
	y = _mm512_subs_epu16(y, _mm512_maskz_loadu_epi64(high, span + 32));
	return _cvtmask16_u32(_mm512_kunpackb(
		_mm512_mask_testn_epi64_mask(high, y, y), _mm512_mask_testn_epi64_mask(low, x, x)));
}

#elif defined(__AVX2__) && defined(__BMI2__)

// The units of the key, twice.
static inline __m256i
units_of(const struct rules_part *part, const union rules_probe *key)
{
	__m128i at = _mm_load_si128((const __m128i *)part->at), x = _mm_setzero_si128();

	for (int q = 0; q < 4; q++) {
		// Where it is not in this quarter, the high bit says so.
		__m128i in = _mm_add_epi8(
			_mm_xor_si128(at, _mm_set1_epi8((char)(16 * q))), _mm_set1_epi8(0x70));
		__m128i from = _mm_load_si128((const __m128i *)&key->byte[16 * q]);

		x = _mm_or_si128(x, _mm_shuffle_epi8(from, in));
	}
	return _mm256_broadcastsi128_si256(x);
}

static inline __m256i
load(const uint16_t *at)
{
	return _mm256_loadu_si256((const __m256i *)at);
}

static inline uint32_t
rules_part_hit(const struct rules_leaf *leaf, const struct rules_part *part, uint32_t from,
	uint32_t rows, const union rules_probe *key)
{
	const uint16_t *lo = &part->row[(size_t)from * RULES_UNITS];
	size_t all = (size_t)leaf->n * RULES_UNITS;
	__m256i units = units_of(part, key);
	uint32_t hit = 0;

	for (uint32_t i = 0; i < rows; i += 2, lo += 2 * RULES_UNITS) {
		__m256i x = units;

		if (__builtin_expect(leaf->masked, 0))
			x = _mm256_and_si256(x, load(lo + 2 * all));
		x = _mm256_subs_epu16(_mm256_sub_epi16(x, load(lo)), load(lo + all));
		x = _mm256_cmpeq_epi64(x, _mm256_setzero_si256());
		hit |= (uint32_t)_mm256_movemask_pd(_mm256_castsi256_pd(x)) << 2 * i;
	}
	return hit;
}

#else

static inline uint32_t
rules_part_hit(const struct rules_leaf *leaf, const struct rules_part *part, uint32_t from,
	uint32_t rows, const union rules_probe *key)
{
	const uint16_t *lo = &part->row[(size_t)from * RULES_UNITS];
	size_t all = (size_t)leaf->n * RULES_UNITS;
	uint32_t miss = 0;

	for (unsigned u = 0; u < RULES_UNITS; u++) {
		unsigned x = key->byte[part->at[2 * u]] | key->byte[part->at[2 * u + 1]] << 8;

		for (uint32_t i = 0; i < rows; i++) {
			const uint16_t *at = lo + (size_t)i * RULES_UNITS + u;
			unsigned mask = leaf->masked ? at[2 * all] : UINT16_MAX;

			miss |= (uint32_t)((uint16_t)((x & mask) - at[0]) > at[all]) << 2 * i;
		}
	}
	return ~(miss | miss << 1);
}

#endif

// The rows, at most 8, from `from` on that the key matches: bit 2 * row.
static inline uint32_t
rules_rows_hit(const struct rules_leaf *leaf, uint32_t from, const union rules_probe *key)
{
	uint32_t rows = leaf->n - from < RULES_ROWS ? leaf->n - from : RULES_ROWS;
	uint32_t hit = rules_part_hit(leaf, rules_part_of(leaf, 0), from, rows, key);

	for (unsigned p = 1; p < leaf->parts; p++)
		hit &= rules_part_hit(leaf, rules_part_of(leaf, p), from, rows, key);
	return hit & hit >> 1 & 0x5555 >> (2 * (RULES_ROWS - rows));
}

#endif
