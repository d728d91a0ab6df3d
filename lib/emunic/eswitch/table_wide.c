// SPDX-License-Identifier: BSD-3-Clause
#include "eswitch/table_scan.h"

#include <rte_prefetch.h>

// Scans for CPUs with AVX-512. Registers of 256 bits: wider ones may lower the clock of the core.

#if defined(__x86_64__)

#include <immintrin.h>

#define WIDE __attribute__((target("avx2,avx512f,avx512bw,avx512vl,avx512dq,bmi,bmi2")))
#define WIDE_INLINE                                                                                \
	__attribute__((target("avx2,avx512f,avx512bw,avx512vl,avx512dq,bmi,bmi2"), always_inline))
#define LANES 8

bool
emu_wide_here(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
	       __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
	       __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}

// The upper halves of four 64-bit products of 32 bits (in the lower halves of x) and 64.
static inline WIDE_INLINE __m256i
times(__m256i x, __m256i by, __m256i by_high)
{
	return _mm256_add_epi64(
		_mm256_mul_epu32(x, by), _mm256_slli_epi64(_mm256_mul_epu32(x, by_high), 32));
}

static WIDE void
compute_term(struct emu_scan *c, unsigned int term)
{
	const struct emu_word *w = &c->t->terms[term].word;
	const __m256i mask = _mm256_set1_epi64x((long long)w->mask);
	const __m256i low = _mm256_set1_epi64x((long long)w->low);
	const __m256i high = _mm256_set1_epi64x((long long)w->high);
	const __m256i low_high = _mm256_srli_epi64(low, 32),
		      high_high = _mm256_srli_epi64(high, 32);
	const uint64_t *words = c->word[w->at];
	bool has_low = (uint32_t)w->mask != 0, has_high = w->mask >> 32 != 0;

	for (unsigned int i = 0; i < c->n; i += LANES / 2) {
		__m256i x = _mm256_and_si256(_mm256_load_si256((const __m256i *)&words[i]), mask);
		__m256i sum = _mm256_setzero_si256();

		if (has_low)
			sum = times(x, low, low_high);
		if (has_high)
			sum = _mm256_add_epi64(
				sum, times(_mm256_srli_epi64(x, 32), high, high_high));
		_mm_store_si128((__m128i *)&c->part[term][i],
			_mm256_cvtepi64_epi32(_mm256_srli_epi64(sum, 32)));
	}
}

static WIDE void
compute(struct emu_scan *c, uint64_t terms)
{
	for (terms &= ~c->terms; terms != 0; terms &= terms - 1) {
		unsigned int term = (unsigned int)__builtin_ctzll(terms);
		uint32_t at = c->t->terms[term].word.at;

		if (!(c->words & 1U << at)) {
			for (unsigned int i = 0; i < c->n; i++)
				c->word[at][i] = c->pkts[i]->key.w[at];
			c->words |= 1U << at;
		}
		compute_term(c, term);
		c->terms |= 1ULL << term;
	}
}

// Eight packets. Returns those that are still open.
static inline WIDE_INLINE __mmask8
scan_lanes(struct emu_scan *c, unsigned int first, uint32_t from, uint32_t to)
{
	const struct emu_rules *r = c->r;
	struct emu_shape *const *shapes = c->t->shapes;
	const __m256i bucket_mask = _mm256_set1_epi32((int)r->bucket_mask);
	const __m256i spread = _mm256_setr_epi8(0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12,
		0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12);
	__m256i shape = _mm256_load_si256((const __m256i *)&c->shape[first]);
	__m256i hash = _mm256_load_si256((const __m256i *)&c->hash[first]);
	__mmask8 open = _mm256_movepi32_mask(shape);

	for (uint32_t j = from; j < to && open != 0; j++) {
		const struct emu_shape *s = shapes[j];
		__m256i h = _mm256_set1_epi32((int)s->seed), tags, tag;
		__mmask8 hit;

		for (unsigned int i = 0; i < s->n_words; i++)
			h = _mm256_add_epi32(
				h, _mm256_load_si256((const __m256i *)&c->part[s->term[i]][first]));
		tags = _mm256_i32gather_epi32(
			(const int *)r->tags, _mm256_and_si256(h, bucket_mask), 4);
		tag = _mm256_srli_epi32(h, 24);
		tag = _mm256_max_epu32(tag, _mm256_set1_epi32(TAG_MIN));
		tag = _mm256_min_epu32(tag, _mm256_set1_epi32(TAG_MAX));
		tag = _mm256_cmpeq_epi8(tags, _mm256_shuffle_epi8(tag, spread));
		hit = _mm256_test_epi32_mask(tag, tag) |
		      _mm256_cmpge_epu32_mask(tags, _mm256_set1_epi32((int)TAG_CHAIN));
		hit &= open;
		open &= ~hit;
		shape = _mm256_mask_mov_epi32(shape, hit, _mm256_set1_epi32((int)j));
		hash = _mm256_mask_mov_epi32(hash, hit, h);
	}
	_mm256_store_si256((__m256i *)&c->shape[first], shape);
	_mm256_store_si256((__m256i *)&c->hash[first], hash);
	return open;
}

WIDE bool
emu_wide_scan(struct emu_scan *c, uint32_t from, uint32_t to, uint64_t terms)
{
	bool open = false;

	compute(c, terms);
	for (unsigned int i = 0; i < c->n; i += LANES) {
		open |= scan_lanes(c, i, from, to) != 0;
		for (unsigned int k = i; k < i + LANES; k++)
			rte_prefetch0(&c->r->buckets[c->hash[k] & c->r->bucket_mask]);
	}
	return open;
}

#else

bool
emu_wide_here(void)
{
	return false;
}

bool
emu_wide_scan(struct emu_scan *c, uint32_t from, uint32_t to, uint64_t terms)
{
	return false;
}

#endif
