// SPDX-License-Identifier: BSD-3-Clause
#include "eswitch/table_lines.h"

#include <rte_prefetch.h>

// Scans for CPUs with AVX-512, in registers of 256 bits: wider ones may lower the clock of the
// core, and DPDK lets nobody use them unless it is asked to (rte_vect_get_max_simd_bitwidth).

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
	const uint64_t missing = terms & ~c->terms;
	uint32_t words = 0;

	for (uint64_t left = missing; left != 0; left &= left - 1)
		words |= 1U << c->t->terms[__builtin_ctzll(left)].word.at;
	// All of them before the first term, so that what it reads is not on its way into L1.
	for (uint32_t left = words & ~c->words; left != 0; left &= left - 1) {
		unsigned int at = (unsigned int)__builtin_ctz(left);

		for (unsigned int i = 0; i < c->n; i++)
			c->word[at][i] = c->pkts[i]->key.w[at];
	}
	for (uint64_t left = missing; left != 0; left &= left - 1)
		compute_term(c, (unsigned int)__builtin_ctzll(left));
	c->words |= words;
	c->terms |= missing;
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
	hit = _mm256_mask_cmplt_epu32_mask(hit, shape, l->shape); // what lines found may be better
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

		if (s->lined)
			continue;
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

// What a cluster's lines have for packets.
struct lines {
	alignas(32) uint32_t at[EMU_SCAN_MAX];
	alignas(32) uint32_t hits[EMU_SCAN_MAX]; // the set of entries
};

// A packet's hashes in the 16 shapes of a cluster.
struct hashes {
	__m256i lower, upper;
};

// Adds x to the lanes that of names. Compilers make three instructions of the intrinsics' one.
static inline WIDE_INLINE __m256i
add_to(__m256i h, __mmask8 of, const uint32_t *x)
{
	__asm__("vpaddd %2%{1to8%}, %0, %0%{%1%}" : "+v"(h) : "Yk"(of), "m"(*x));
	return h;
}

// Adds a part of the hashes of the shapes that it belongs to.
static inline WIDE_INLINE struct hashes
add_part(struct hashes h, __mmask8 lower, __mmask8 upper, const uint32_t *part)
{
	h.lower = add_to(h.lower, lower, part);
	h.upper = add_to(h.upper, upper, part);
	return h;
}

static inline WIDE_INLINE uint32_t
line_hits(const struct emu_line *l, struct hashes h)
{
	const __m256i hashed = _mm256_set1_epi32((int)~EMU_LANE_BITS);
	__m256i entries = _mm256_load_si256((const __m256i *)l->entry), diff;

	static_assert(EMU_LINE_ENTRIES == LANES && EMU_CLUSTER_SHAPES == 2 * LANES,
		"a register has all entries, and two have the hashes");
	diff = _mm256_permutex2var_epi32(h.lower, entries, h.upper);
	return _mm256_testn_epi32_mask(_mm256_xor_si256(entries, diff), hashed);
}

// Four packets from first on.
static inline WIDE_INLINE void
compare_lines(struct emu_scan *c, const struct emu_cluster *cl, struct lines *l, unsigned int first)
{
	const struct emu_line *lines = c->r->lines;
	const struct hashes seeds = {_mm256_load_si256((const __m256i *)cl->seeds),
		_mm256_load_si256((const __m256i *)&cl->seeds[LANES])};
	struct hashes h0 = seeds, h1 = seeds, h2 = seeds, h3 = seeds;

	for (uint32_t k = 0; k < cl->n_sums; k++) {
		const uint32_t *part = &c->part[cl->sum[k]][first];
		__mmask8 lower = (__mmask8)cl->sum_of[k];
		__mmask8 upper = (__mmask8)(cl->sum_of[k] >> LANES);

		h0 = add_part(h0, lower, upper, &part[0]);
		h1 = add_part(h1, lower, upper, &part[1]);
		h2 = add_part(h2, lower, upper, &part[2]);
		h3 = add_part(h3, lower, upper, &part[3]);
	}
	l->hits[first] = line_hits(&lines[l->at[first]], h0);
	l->hits[first + 1] = line_hits(&lines[l->at[first + 1]], h1);
	l->hits[first + 2] = line_hits(&lines[l->at[first + 2]], h2);
	l->hits[first + 3] = line_hits(&lines[l->at[first + 3]], h3);
}

// Keeps the first hit of eight packets, unless something better was found, and takes it off.
// Returns which of them have a further one.
static inline WIDE_INLINE __mmask8
keep(struct emu_scan *c, const struct emu_cluster *cl, struct lines *l, unsigned int first)
{
	const int *words = (const int *)c->r->lines;
	__m256i hits = _mm256_load_si256((const __m256i *)&l->hits[first]);
	__m256i low = _mm256_and_si256(hits, _mm256_sub_epi32(_mm256_setzero_si256(), hits));
	__mmask8 hit = _mm256_test_epi32_mask(hits, hits);
	__m256i at = _mm256_load_si256((const __m256i *)&l->at[first]);
	__m256i shape = _mm256_load_si256((const __m256i *)&c->shape[first]);
	__m256i place = _mm256_load_si256((const __m256i *)&c->place[first]);
	__m256i rank;

	static_assert(sizeof(struct emu_line) == 16 * sizeof(uint32_t) &&
			      offsetof(struct emu_line, place) == 8 * sizeof(uint32_t),
		"a line is 16 words, and places are the later 8");
	at = _mm256_add_epi32(_mm256_slli_epi32(at, 4),
		_mm256_sub_epi32(_mm256_set1_epi32(31), _mm256_lzcnt_epi32(low)));
	rank = _mm256_mmask_i32gather_epi32(_mm256_setzero_si256(), hit, at, words, 4);
	rank = _mm256_permutex2var_epi32(_mm256_load_si256((const __m256i *)cl->rank), rank,
		_mm256_load_si256((const __m256i *)&cl->rank[LANES]));
	hit = _mm256_mask_cmplt_epu32_mask(hit, rank, shape);
	// Whole registers are stored: parts of them could not be read back before they are in L1.
	_mm256_store_si256((__m256i *)&c->shape[first], _mm256_mask_mov_epi32(shape, hit, rank));
	place = _mm256_mmask_i32gather_epi32(
		place, hit, _mm256_add_epi32(at, _mm256_set1_epi32(8)), words, 4);
	_mm256_store_si256((__m256i *)&c->place[first], place);
	hits = _mm256_xor_si256(hits, low);
	_mm256_store_si256((__m256i *)&l->hits[first], hits);
	return _mm256_test_epi32_mask(hits, hits);
}

// Where the packets' lines are; they are fetched.
static WIDE void
find_lines(const struct emu_scan *c, const struct emu_cluster *cl, struct lines *l)
{
	const __m256i mask = _mm256_set1_epi32((int)c->r->line_mask);
	const __m256i seed = _mm256_set1_epi32((int)cl->seed);
	const uint32_t *part = c->part[cl->locator_term];

	for (unsigned int i = 0; i < c->n; i += LANES) {
		__m256i h = _mm256_add_epi32(_mm256_load_si256((const __m256i *)&part[i]), seed);

		_mm256_store_si256((__m256i *)&l->at[i], _mm256_and_si256(h, mask));
	}
	for (unsigned int i = 0; i < c->n; i++)
		rte_prefetch0(&c->r->lines[l->at[i]]);
}

static WIDE void
scan_lines(struct emu_scan *c, const struct emu_cluster *cl, struct lines *l)
{
	for (unsigned int i = 0; i < c->n; i += LANES) {
		compare_lines(c, cl, l, i);
		compare_lines(c, cl, l, i + LANES / 2);
		while (unlikely(keep(c, cl, l, i) != 0))
			;
	}
}

WIDE void
emu_wide_lines(struct emu_scan *c)
{
	struct lines l;

	for (unsigned int i = 0; i < EMU_CLUSTERS; i++) {
		const struct emu_cluster *cl = &c->t->clusters[i];

		if (cl->n_lined == 0)
			continue;
		compute(c, 1ULL << cl->locator_term);
		find_lines(c, cl, &l);
		compute(c, cl->terms); // while the lines are on their way
		scan_lines(c, cl, &l);
	}
	for (unsigned int i = 0; i < c->n; i++)
		emu_rule_fetch(rule_at(c->r, c->place[i]));
}

WIDE void
emu_wide_scan(struct emu_scan *c, uint32_t from, uint32_t to, uint64_t terms)
{
	compute(c, terms);
	for (unsigned int i = 0; i < c->n; i += GROUPS * LANES)
		scan_groups(c, i, GROUPS, from, to);
}

#else

bool
emu_wide_here(void)
{
	return false;
}

void
emu_wide_lines(struct emu_scan *c)
{
}

void
emu_wide_scan(struct emu_scan *c, uint32_t from, uint32_t to, uint64_t terms)
{
}

#endif
