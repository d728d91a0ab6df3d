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

// What is told of rows: 2 bits for each, the low one set where the key matches.
#define RULES_ROW_BITS 2

#if RULES_WIDE

// Of the rows of a block, which ones the key is in.
static inline uint64_t
rules_part_hit(const struct rules_leaf *leaf, unsigned part, const void *at,
	const struct rules_rows *rows, const struct flow_key *key, bool masked)
{
	__mmask8 low = rows->half[0], high = rows->half[1];
	const char *lo = at, *span = lo + rows->span_at;
	__m512i units = _mm512_broadcast_i32x4(
		_mm_load_si128((const __m128i *)(leaf->at + (size_t)part * 2 * RULES_UNITS)));
	__m512i x = _mm512_permutexvar_epi8(units, _mm512_loadu_si512(key)), y = x;
	uint32_t in;

	if (masked) {
		const char *mask = span + rows->span_at;

		x = _mm512_and_si512(x, _mm512_maskz_loadu_epi64(low, mask));
		y = _mm512_and_si512(y, _mm512_maskz_loadu_epi64(high, mask + RULES_LINE));
	}
	x = _mm512_sub_epi16(x, _mm512_maskz_loadu_epi64(low, lo));
	y = _mm512_sub_epi16(y, _mm512_maskz_loadu_epi64(high, lo + RULES_LINE));
	x = _mm512_subs_epu16(x, _mm512_maskz_loadu_epi64(low, span));
	y = _mm512_subs_epu16(y, _mm512_maskz_loadu_epi64(high, span + RULES_LINE));
	in = _cvtmask32_u32(
		_mm512_kunpackb(_mm512_testn_epi64_mask(y, y), _mm512_testn_epi64_mask(x, x)));
	return in & in >> 1 & rows->bits;
}

#elif defined(__AVX2__) && defined(__BMI2__)

// The units of the key, twice.
static inline __m256i
units_of(const uint8_t *of, const struct flow_key *key)
{
	__m128i at = _mm_load_si128((const __m128i *)of), x = _mm_setzero_si128();

	for (int q = 0; q < 4; q++) {
		// Where it is not in this quarter, the high bit says so.
		__m128i in = _mm_add_epi8(
			_mm_xor_si128(at, _mm_set1_epi8((char)(16 * q))), _mm_set1_epi8(0x70));
		__m128i from = _mm_loadu_si128((const __m128i *)key + q);

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
rules_part_hit(const struct rules_leaf *leaf, unsigned part, const void *at,
	const struct rules_rows *rows, const struct flow_key *key, bool masked)
{
	const uint16_t *lo = at;
	size_t all = (size_t)rows->n * RULES_UNITS;
	__m256i units = units_of(leaf->at + (size_t)part * 2 * RULES_UNITS, key);
	uint32_t hit = 0;

	for (uint32_t i = 0; i < rows->n; i += 2, lo += 2 * RULES_UNITS) {
		__m256i x = units;

		if (masked)
			x = _mm256_and_si256(x, load(lo + 2 * all));
		x = _mm256_subs_epu16(_mm256_sub_epi16(x, load(lo)), load(lo + all));
		x = _mm256_cmpeq_epi64(x, _mm256_setzero_si256());
		hit |= (uint32_t)_mm256_movemask_pd(_mm256_castsi256_pd(x)) << 2 * i;
	}
	return hit & hit >> 1 & rows->bits;
}

#else

static inline uint64_t
rules_part_hit(const struct rules_leaf *leaf, unsigned part, const void *at,
	const struct rules_rows *rows, const struct flow_key *key, bool masked)
{
	const uint8_t *of = leaf->at + (size_t)part * 2 * RULES_UNITS, *byte = (const void *)key;
	const uint16_t *lo = at;
	size_t all = (size_t)rows->n * RULES_UNITS;
	uint32_t miss = 0;

	for (unsigned u = 0; u < RULES_UNITS; u++) {
		unsigned x = byte[of[2 * u]] | byte[of[2 * u + 1]] << 8;

		for (uint32_t i = 0; i < rows->n; i++) {
			const uint16_t *unit = lo + (size_t)i * RULES_UNITS + u;
			unsigned mask = masked ? unit[2 * all] : UINT16_MAX;

			miss |= (uint32_t)((uint16_t)((x & mask) - unit[0]) > unit[all]) << 2 * i;
		}
	}
	return ~miss & rows->bits;
}

#endif

// The rows of a block that the key matches.
static inline uint64_t
rules_rows_hit(const struct rules_leaf *leaf, const unsigned char *block, uint32_t n,
	const struct flow_key *key)
{
	struct rules_rows rows = rules_rows(n);
	uint64_t hit = rules_part_hit(leaf, 0, block, &rows, key, leaf->masked);

	for (unsigned p = 1; p < leaf->parts; p++)
		hit &= rules_part_hit(
			leaf, p, block + rules_part_at(leaf, p, n), &rows, key, leaf->masked);
	return hit;
}

// The first of them; any where there is none.
static inline const struct rules_hit *
rules_hit_of(const struct rules_hit *hits, uint64_t hit)
{
#if defined(__BMI__)
	uint64_t at = _tzcnt_u64(hit);
#else
	uint64_t at = (uint64_t)__builtin_ctzll(hit | 1ULL << 63);
#endif
	// Even: only the low bit of a row is set.
	return (const void *)((const char *)hits + at * (sizeof(*hits) / RULES_ROW_BITS));
}

#endif
