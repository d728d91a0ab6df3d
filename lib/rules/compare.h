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

// What is told of rows: RULES_ROW_BITS for each, some of them set where the key matches.
#if RULES_WIDE

#define RULES_ROW_BITS 8

// Of the rows of a block, at most 8, that lanes says (8 bits each), which ones the key is in. A bit
// for each unit first; rows that have all of theirs keep one.
static inline uint64_t
rules_part_hit(const struct rules_leaf *leaf, unsigned part, const void *rows, uint32_t n,
	uint64_t lanes, const union rules_probe *key)
{
	__mmask32 low = (__mmask32)lanes, high = (__mmask32)(lanes >> 32);
	const uint16_t *lo = rows, *span = lo + (size_t)n * RULES_UNITS;
	__m512i at = _mm512_broadcast_i32x4(
		_mm_load_si128((const __m128i *)(leaf->at + (size_t)part * 2 * RULES_UNITS)));
	__m512i x = _mm512_permutexvar_epi8(at, _mm512_load_si512(key->w64)), y = x;
	const uint64_t most = 0x7f7f7f7f7f7f7f7f;
	uint64_t in;

	if (__builtin_expect(leaf->masked, 0)) {
		const uint16_t *mask = span + (size_t)n * RULES_UNITS;

		x = _mm512_and_si512(x, _mm512_maskz_loadu_epi16(low, mask));
		y = _mm512_and_si512(y, _mm512_maskz_loadu_epi16(high, mask + 32));
	}
	x = _mm512_sub_epi16(x, _mm512_maskz_loadu_epi16(low, lo));
	y = _mm512_sub_epi16(y, _mm512_maskz_loadu_epi16(high, lo + 32));
	low = _mm512_mask_cmple_epu16_mask(low, x, _mm512_maskz_loadu_epi16(low, span));
	high = _mm512_mask_cmple_epu16_mask(high, y, _mm512_maskz_loadu_epi16(high, span + 32));
	in = _cvtmask64_u64(_mm512_kunpackd(high, low));
	return in & ~((~in & most) + most) & ~most;
}

#elif defined(__AVX2__) && defined(__BMI2__)

#define RULES_ROW_BITS 2

// The units of the key, twice.
static inline __m256i
units_of(const uint8_t *of, const union rules_probe *key)
{
	__m128i at = _mm_load_si128((const __m128i *)of), x = _mm_setzero_si128();

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

static inline uint64_t
rules_part_hit(const struct rules_leaf *leaf, unsigned part, const void *rows, uint32_t n,
	uint64_t lanes, const union rules_probe *key)
{
	const uint16_t *lo = rows;
	size_t all = (size_t)n * RULES_UNITS;
	__m256i units = units_of(leaf->at + (size_t)part * 2 * RULES_UNITS, key);
	uint32_t hit = 0;

	(void)lanes;
	for (uint32_t i = 0; i < n; i += 2, lo += 2 * RULES_UNITS) {
		__m256i x = units;

		if (__builtin_expect(leaf->masked, 0))
			x = _mm256_and_si256(x, load(lo + 2 * all));
		x = _mm256_subs_epu16(_mm256_sub_epi16(x, load(lo)), load(lo + all));
		x = _mm256_cmpeq_epi64(x, _mm256_setzero_si256());
		hit |= (uint32_t)_mm256_movemask_pd(_mm256_castsi256_pd(x)) << 2 * i;
	}
	return hit & hit >> 1 & 0x5555 >> (2 * (RULES_ROWS - n));
}

#else

#define RULES_ROW_BITS 2

static inline uint64_t
rules_part_hit(const struct rules_leaf *leaf, unsigned part, const void *rows, uint32_t n,
	uint64_t lanes, const union rules_probe *key)
{
	const uint8_t *of = leaf->at + (size_t)part * 2 * RULES_UNITS;
	const uint16_t *lo = rows;
	size_t all = (size_t)n * RULES_UNITS;
	uint32_t miss = 0;

	(void)lanes;
	for (unsigned u = 0; u < RULES_UNITS; u++) {
		unsigned x = key->byte[of[2 * u]] | key->byte[of[2 * u + 1]] << 8;

		for (uint32_t i = 0; i < n; i++) {
			const uint16_t *at = lo + (size_t)i * RULES_UNITS + u;
			unsigned mask = leaf->masked ? at[2 * all] : UINT16_MAX;

			miss |= (uint32_t)((uint16_t)((x & mask) - at[0]) > at[all]) << 2 * i;
		}
	}
	return ~miss & 0x5555 >> (2 * (RULES_ROWS - n));
}

#endif

// The rows of a block that the key matches.
static inline uint64_t
rules_rows_hit(const struct rules_leaf *leaf, const unsigned char *block, uint32_t rows,
	const union rules_probe *key)
{
	uint64_t lanes = UINT64_MAX >> (64 - RULES_UNITS * rows);
	uint64_t hit = rules_part_hit(leaf, 0, block, rows, lanes, key);

	for (unsigned p = 1; p < leaf->parts; p++)
		hit &= rules_part_hit(
			leaf, p, block + rules_part_at(leaf, p, rows), rows, lanes, key);
	return hit;
}

static inline unsigned
rules_row_of(uint64_t hit)
{
	return (unsigned)__builtin_ctzll(hit) / RULES_ROW_BITS;
}

#endif
