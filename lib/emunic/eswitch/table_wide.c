// SPDX-License-Identifier: BSD-3-Clause
#include "eswitch/table_scan.h"

// Scans for CPUs with AVX-512. Registers of 256 bits: wider ones may lower the clock of the core.

#if defined(__x86_64__)

#include <immintrin.h>

#define WIDE __attribute__((target("avx2,avx512f,avx512bw,avx512vl,avx512dq,avx512cd,bmi,bmi2")))
#define WIDE_INLINE                                                                                \
	__attribute__((target("avx2,avx512f,avx512bw,avx512vl,avx512dq,avx512cd,bmi,bmi2"),        \
		always_inline))
#define LANES 8
#define GROUPS 4 // at once

bool
emu_wide_here(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
	       __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
	       __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("bmi") &&
	       __builtin_cpu_supports("bmi2");
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

// What is known of eight packets.
struct lanes {
	__m256i shape, hash;
	__mmask8 open;
};

// What shapes are held against: all of it stays in registers.
struct eye {
	const int *tags;
	__m256i bucket_mask;
};

// Which bytes of tags are the tag of this hash: all of their bits.
static inline WIDE_INLINE __m256i
fitting(__m256i tags, __m256i h)
{
	const __m256i spread = _mm256_setr_epi8(0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12,
		0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12);
	__m256i tag = _mm256_srli_epi32(h, 24);

	tag = _mm256_max_epu32(tag, _mm256_set1_epi32(TAG_MIN));
	tag = _mm256_min_epu32(tag, _mm256_set1_epi32(TAG_MAX));
	return _mm256_cmpeq_epi8(tags, _mm256_shuffle_epi8(tag, spread));
}

static inline WIDE_INLINE void
look(const struct eye *e, struct lanes *l, __m256i h, __m256i shape)
{
	__m256i tags = _mm256_i32gather_epi32(e->tags, _mm256_and_si256(h, e->bucket_mask), 4);
	__m256i tag = fitting(tags, h);
	__mmask8 hit;

	hit = _mm256_mask_test_epi32_mask(l->open, tag, tag) |
	      _mm256_mask_cmpge_epu32_mask(l->open, tags, _mm256_set1_epi32((int)TAG_CHAIN));
	l->open &= ~hit;
	l->shape = _mm256_mask_mov_epi32(l->shape, hit, shape);
	l->hash = _mm256_mask_mov_epi32(l->hash, hit, h);
}

// Packets from first on, groups of eight.
static inline WIDE_INLINE void
scan_groups(struct emu_scan *c, unsigned int first, unsigned int groups, uint32_t from, uint32_t to)
{
	const struct eye e = {
		.tags = (const int *)c->r->tags,
		.bucket_mask = _mm256_set1_epi32((int)c->r->bucket_mask),
	};
	struct lanes l[EMU_SCAN_MAX / LANES];

	for (unsigned int g = 0; g < groups; g++) {
		unsigned int at = first + g * LANES;

		l[g].shape = _mm256_load_si256((const __m256i *)&c->shape[at]);
		l[g].hash = _mm256_load_si256((const __m256i *)&c->hash[at]);
		l[g].open = (__mmask8)(c->open >> at);
	}
	for (uint32_t j = from; j < to; j++) {
		const struct emu_shape *s = c->t->shapes[j];
		const __m256i shape = _mm256_set1_epi32((int)j);
		__m256i h[EMU_SCAN_MAX / LANES];

		for (unsigned int g = 0; g < groups; g++)
			h[g] = _mm256_set1_epi32((int)s->seed);
		for (unsigned int i = 0; i < s->n_words; i++) {
			const uint32_t *part = &c->part[s->term[i]][first];

			for (unsigned int g = 0; g < groups; g++)
				h[g] = _mm256_add_epi32(
					h[g], _mm256_load_si256((const __m256i *)&part[g * LANES]));
		}
		for (unsigned int g = 0; g < groups; g++)
			look(&e, &l[g], h[g], shape);
	}
	for (unsigned int g = 0; g < groups; g++) {
		unsigned int at = first + g * LANES;

		_mm256_store_si256((__m256i *)&c->shape[at], l[g].shape);
		_mm256_store_si256((__m256i *)&c->hash[at], l[g].hash);
		c->open &= ~(0xffU << at);
		c->open |= (uint32_t)l[g].open << at;
	}
}

WIDE void
emu_wide_scan(struct emu_scan *c, uint32_t from, uint32_t to, uint64_t terms)
{
	compute(c, terms);
	for (unsigned int i = 0; i < c->n; i += GROUPS * LANES)
		scan_groups(c, i, GROUPS, from, to);
}

WIDE void
emu_wide_places(struct emu_scan *c)
{
	const __m256i bucket_mask = _mm256_set1_epi32((int)c->r->bucket_mask);

	for (unsigned int i = 0; i < c->n; i += LANES) {
		__m256i h = _mm256_load_si256((const __m256i *)&c->hash[i]);
		__m256i at = _mm256_and_si256(h, bucket_mask);
		__m256i fit = fitting(_mm256_i32gather_epi32((const int *)c->r->tags, at, 4), h);
		__mmask8 found = _mm256_test_epi32_mask(fit, fit) & (__mmask8) ~(c->open >> i);
		// The number of the first byte that fits: 31 less the zeros above its lowest bit.
		__m256i low = _mm256_and_si256(fit, _mm256_sub_epi32(_mm256_setzero_si256(), fit));
		__m256i slot = _mm256_srli_epi32(
			_mm256_sub_epi32(_mm256_set1_epi32(31), _mm256_lzcnt_epi32(low)), 3);
		__m256i place = _mm256_mmask_i32gather_epi32(_mm256_setzero_si256(), found,
			_mm256_add_epi32(_mm256_slli_epi32(at, 2), slot), c->r->buckets, 4);

		_mm256_store_si256((__m256i *)&c->place[i], place);
	}
}

#else

bool
emu_wide_here(void)
{
	return false;
}

void
emu_wide_scan(struct emu_scan *c, uint32_t from, uint32_t to, uint64_t terms)
{
}

void
emu_wide_places(struct emu_scan *c)
{
}

#endif
