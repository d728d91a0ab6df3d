// SPDX-License-Identifier: BSD-3-Clause
#include "lookup_wide.h"

#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_prefetch.h>

#if defined(__x86_64__)

#include <immintrin.h>

#define WIDE __attribute__((target("avx2,avx512f,avx512bw,avx512vl,avx512dq,bmi,bmi2")))
#define WIDE_INLINE                                                                                \
	__attribute__((target("avx2,avx512f,avx512bw,avx512vl,avx512dq,bmi,bmi2"), always_inline))

bool
lookup_wide_here(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
	       __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
	       __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}

// Up to so many flows, 8 MB of buckets and entries, there is nothing to gain from more misses at
// once than the first-level cache can wait for.
#define LOOKUP_NEAR 65536

// Four parts of NH's sum.
static inline WIDE_INLINE __m256i
nh(const struct flow_key *key, __m256i low, __m256i high)
{
	const __m256i *half = (const __m256i *)key;
	__m256i a = _mm256_add_epi32(_mm256_loadu_si256(half), low);
	__m256i b = _mm256_add_epi32(_mm256_loadu_si256(half + 1), high);

	return _mm256_add_epi64(_mm256_mul_epu32(a, _mm256_srli_epi64(a, 32)),
		_mm256_mul_epu32(b, _mm256_srli_epi64(b, 32)));
}

static inline WIDE_INLINE __m256i
add_neighbours(__m256i a, __m256i b)
{
	return _mm256_add_epi64(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
}

// As cache_hash, of four keys at a time: what is summed across a register is summed for all four.
WIDE uint32_t
lookup_wide_hash(const struct cache *c, const struct flow_key *keys, uint16_t n, uint64_t *hashes,
	const struct cache_bucket **at)
{
	const __m256i *secret = (const __m256i *)c->secret.add;
	const __m256i low = _mm256_load_si256(secret), high = _mm256_load_si256(secret + 1);
	const __m256i mix0 = _mm256_set1_epi64x((long long)c->secret.mix[0]);
	const __m256i mix1 = _mm256_set1_epi64x((long long)c->secret.mix[1]);
	const __m256i mask = _mm256_set1_epi64x((long long)c->bucket_mask);
	const __m256i base = _mm256_set1_epi64x((long long)(uintptr_t)c->buckets);
	uint32_t any = 0;
	uint16_t i;

	for (i = 0; i + 4 <= n; i += 4, keys += 4, hashes += 4, at += 4) {
		__m256i x = add_neighbours(nh(&keys[0], low, high), nh(&keys[1], low, high));
		__m256i y = add_neighbours(nh(&keys[2], low, high), nh(&keys[3], low, high));
		__m256i h = _mm256_add_epi64(_mm256_permute2x128_si256(x, y, 0x20),
			_mm256_permute2x128_si256(x, y, 0x31));

		any |= keys[0].l3 | keys[1].l3 | keys[2].l3 | keys[3].l3;
		h = _mm256_mullo_epi64(_mm256_xor_si256(h, mix0), mix1);
		h = _mm256_xor_si256(h, _mm256_srli_epi64(h, 32));
		_mm256_storeu_si256((__m256i *)hashes, h);
		_mm256_storeu_si256((__m256i *)at,
			_mm256_add_epi64(base, _mm256_slli_epi64(_mm256_and_si256(h, mask), 6)));
		rte_prefetch0(at[0]);
		rte_prefetch0(at[1]);
		rte_prefetch0(at[2]);
		rte_prefetch0(at[3]);
	}
	for (; i < n; i++, keys++, hashes++, at++) {
		*hashes = cache_hash(&c->secret, keys);
		any |= keys->l3;
		*at = cache_first(c, *hashes);
		rte_prefetch0(*at);
	}
	return any;
}
static_assert(sizeof(struct cache_bucket) == 1 << 6, "the shift above");

// A slot that is not taken may be a candidate too: its entry then has a key that is nobody's, or
// is the right one all the same.
// near: the entries go to the first-level cache. Otherwise to the second: it waits for more at
// once.
static inline WIDE_INLINE uint64_t
find(const struct cache *c, const uint64_t *hashes, const struct cache_bucket *const *at,
	uint16_t n, struct cache_entry **out, bool near)
{
	struct cache_entry *const entries = c->entries;
	uint64_t later = 0;
	uint16_t i;

	for (i = 0; i < n; i++) {
		const struct cache_bucket *b = at[i];
		uint32_t m = (uint32_t)_mm_movemask_epi8(
			_mm_cmpeq_epi16(_mm_load_si128((const __m128i *)b->sig),
				_mm_set1_epi16((short)cache_sig(hashes[i]))));
		uint32_t idx;

		if (unlikely(m == 0)) {
			if (b->moved != 0) {
				rte_prefetch0(cache_second(c, hashes[i]));
				later |= 1ULL << i;
			}
			out[i] = c->nobody;
			continue;
		}
		// Of a slot, m has two bits, and idx four bytes.
		memcpy(&idx, (const char *)b->idx + 2ul * (unsigned)__builtin_ctz(m), sizeof(idx));
		out[i] = &entries[idx];
		if (near)
			rte_prefetch0(out[i]);
		else
			rte_prefetch1(out[i]);
	}
	return later;
}

WIDE uint64_t
lookup_wide_find(const struct cache *c, const uint64_t *hashes,
	const struct cache_bucket *const *at, uint16_t n, struct cache_entry **out)
{
	return c->stats.used <= LOOKUP_NEAR ? find(c, hashes, at, n, out, true)
					    : find(c, hashes, at, n, out, false);
}

static_assert(offsetof(struct cache_entry, src) == 32 && offsetof(struct cache_entry, dst) == 36 &&
		      offsetof(struct cache_entry, last_tick) == 40 &&
		      offsetof(struct cache_entry, gen) == 44 &&
		      offsetof(struct cache_entry, hint) == 60,
	"two registers");

// An entry's second half: addresses and times in one register, of which the key gives the former.
WIDE uint64_t
lookup_wide_match(const struct flow_key *keys, uint16_t n, struct cache_entry *const *e,
	struct cache_alike *alike)
{
	const __m128i now = _mm_set_epi32((int)alike->gen, (int)alike->tick, 0, 0);
	const struct cache_entry *const one = e[0];
	const __m128i first = _mm_load_si128((const __m128i *)one + 3);
	const __m256i addrs = _mm256_set_epi64x(0, 0, 0, -1);
	__m128i times = _mm_setzero_si128(), counts = times;
	uintptr_t others = 0;
	uint64_t misses = 0;
	uint16_t i;

	for (i = 0; i < n; i++) {
		const __m256i *key = (const __m256i *)&keys[i];
		const __m128i *words = (const __m128i *)e[i]; // four
		__m128i near = _mm_unpacklo_epi32(_mm_loadu_si128((const __m128i *)key),
			_mm_loadu_si128((const __m128i *)key + 1));
		__m256i rest = _mm256_xor_si256(
			_mm256_loadu_si256(key + 1), _mm256_load_si256((const __m256i *)words));

		near = _mm_xor_si128(near, _mm_load_si128(words + 2));
		// a | (b & c), a | (b ^ c)
		rest = _mm256_ternarylogic_epi64(rest, _mm256_castsi128_si256(near), addrs, 0xf8);
		times = _mm_ternarylogic_epi64(times, near, now, 0xf6);
		counts = _mm_ternarylogic_epi64(counts, first, _mm_load_si128(words + 3), 0xf6);
		others |= (uintptr_t)words ^ (uintptr_t)one;
		if (unlikely(!_mm256_testz_si256(rest, rest)))
			misses |= 1ULL << i;
	}
	alike->tick = (uint32_t)_mm_extract_epi32(times, 2);
	alike->gen = (uint32_t)_mm_extract_epi32(times, 3);
	alike->hint = (uint32_t)_mm_extract_epi32(counts, 3);
	alike->one = others == 0;
	return misses;
}

#else

bool
lookup_wide_here(void)
{
	return false;
}

uint32_t
lookup_wide_hash(const struct cache *c, const struct flow_key *keys, uint16_t n, uint64_t *hashes,
	const struct cache_bucket **at)
{
	return 0;
}

uint64_t
lookup_wide_find(const struct cache *c, const uint64_t *hashes,
	const struct cache_bucket *const *at, uint16_t n, struct cache_entry **out)
{
	return 0;
}

uint64_t
lookup_wide_match(const struct flow_key *keys, uint16_t n, struct cache_entry *const *e,
	struct cache_alike *alike)
{
	return UINT64_MAX;
}

#endif
