// SPDX-License-Identifier: BSD-3-Clause
#include "lookup_wide.h"

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
lookup_wide_hash(const struct cache *c, const struct flow_key *keys, uint16_t n, uint64_t *hashes)
{
	const __m256i *secret = (const __m256i *)c->secret.add;
	const __m256i low = _mm256_load_si256(secret), high = _mm256_load_si256(secret + 1);
	const __m256i mix0 = _mm256_set1_epi64x((long long)c->secret.mix[0]);
	const __m256i mix1 = _mm256_set1_epi64x((long long)c->secret.mix[1]);
	const __m256i mask = _mm256_set1_epi64x((long long)c->bucket_mask);
	const __m256i base = _mm256_set1_epi64x((long long)(uintptr_t)c->buckets);
	alignas(32) const struct cache_bucket *at[4];
	uint32_t any = 0;
	uint16_t i;

	for (i = 0; i + 4 <= n; i += 4) {
		__m256i x = add_neighbours(nh(&keys[i], low, high), nh(&keys[i + 1], low, high));
		__m256i y =
			add_neighbours(nh(&keys[i + 2], low, high), nh(&keys[i + 3], low, high));
		__m256i h = _mm256_add_epi64(_mm256_permute2x128_si256(x, y, 0x20),
			_mm256_permute2x128_si256(x, y, 0x31));

		any |= keys[i].l3 | keys[i + 1].l3 | keys[i + 2].l3 | keys[i + 3].l3;
		h = _mm256_mullo_epi64(_mm256_xor_si256(h, mix0), mix1);
		h = _mm256_xor_si256(h, _mm256_srli_epi64(h, 32));
		_mm256_storeu_si256((__m256i *)&hashes[i], h);
		_mm256_store_si256((__m256i *)at,
			_mm256_add_epi64(base, _mm256_slli_epi64(_mm256_and_si256(h, mask), 6)));
		rte_prefetch1(at[0]);
		rte_prefetch1(at[1]);
		rte_prefetch1(at[2]);
		rte_prefetch1(at[3]);
	}
	for (; i < n; i++) {
		hashes[i] = cache_hash(&c->secret, &keys[i]);
		any |= keys[i].l3;
		rte_prefetch1(cache_first(c, hashes[i]));
	}
	return any;
}
static_assert(sizeof(struct cache_bucket) == 1 << 6, "the shift above");

// A slot that is not taken may be a candidate too: its entry then has a key that is nobody's, or
// is the right one all the same.
WIDE uint64_t
lookup_wide_find(
	const struct cache *c, const uint64_t *hashes, uint16_t n, struct cache_entry **out)
{
	struct cache_bucket *const buckets = c->buckets;
	struct cache_entry *const entries = c->entries;
	const uint64_t mask = c->bucket_mask;
	uint64_t later = 0;
	uint16_t i;

	for (i = 0; i < n; i++) {
		const struct cache_bucket *b = &buckets[hashes[i] & mask];
		uint32_t m = _mm_cmpeq_epi16_mask(_mm_load_si128((const __m128i *)b->sig),
			_mm_set1_epi16((short)cache_sig(hashes[i])));
		struct cache_entry *e;

		if (unlikely(m == 0)) {
			if (b->moved != 0) {
				rte_prefetch1(cache_second(c, hashes[i]));
				later |= 1ULL << i;
			}
			out[i] = c->nobody;
			continue;
		}
		e = &entries[b->idx[__builtin_ctz(m)]];
		rte_prefetch1(e);
		out[i] = e;
	}
	return later;
}

WIDE uint64_t
lookup_wide_match(const struct flow_key *keys, uint16_t n, struct cache_entry *const *e)
{
	uint64_t misses = 0;
	uint16_t i;

	for (i = 0; i < n; i++) {
		const __m256i *key = (const __m256i *)&keys[i];
		__m256i rest = _mm256_xor_si256(_mm256_loadu_si256(key + 1),
			_mm256_load_si256((const __m256i *)e[i]->rest));
		uint64_t addrs = cache_addrs(&keys[i]) ^ cache_entry_addrs(e[i]);

		if (unlikely(!_mm256_testz_si256(rest, rest) || addrs != 0))
			misses |= 1ULL << i;
	}
	return misses;
}

#else

bool
lookup_wide_here(void)
{
	return false;
}

uint32_t
lookup_wide_hash(const struct cache *c, const struct flow_key *keys, uint16_t n, uint64_t *hashes)
{
	return 0;
}

uint64_t
lookup_wide_find(
	const struct cache *c, const uint64_t *hashes, uint16_t n, struct cache_entry **out)
{
	return 0;
}

uint64_t
lookup_wide_match(const struct flow_key *keys, uint16_t n, struct cache_entry *const *e)
{
	return UINT64_MAX;
}

#endif
