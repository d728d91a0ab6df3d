// SPDX-License-Identifier: BSD-3-Clause
#include "lookup_wide.h"

#include <rte_branch_prediction.h>
#include <rte_prefetch.h>

#if defined(__x86_64__)

#include <immintrin.h>

#define WIDE __attribute__((target("avx2,avx512f,avx512bw,avx512vl,avx512dq,bmi,bmi2")))

bool
lookup_wide_here(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
	       __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
	       __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}

WIDE void
lookup_wide_hash(const struct cache *c, const struct flow_key *keys, uint16_t n, uint64_t *hashes)
{
	const __m256i *secret = (const __m256i *)c->secret.add;
	const __m256i low = _mm256_load_si256(secret), high = _mm256_load_si256(secret + 1);
	const uint64_t mix0 = c->secret.mix[0], mix1 = c->secret.mix[1];
	uint16_t i;

	for (i = 0; i < n; i++) {
		const __m256i *key = (const __m256i *)&keys[i];
		__m256i a = _mm256_add_epi32(_mm256_loadu_si256(key), low);
		__m256i d = _mm256_add_epi32(_mm256_loadu_si256(key + 1), high);
		__m256i s = _mm256_add_epi64(_mm256_mul_epu32(a, _mm256_srli_epi64(a, 32)),
			_mm256_mul_epu32(d, _mm256_srli_epi64(d, 32)));
		__m128i t =
			_mm_add_epi64(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1));
		uint64_t sum =
			(uint64_t)_mm_cvtsi128_si64(_mm_add_epi64(t, _mm_unpackhi_epi64(t, t)));

		hashes[i] = sl_hash_mix(sum ^ mix0, mix1);
		rte_prefetch1(cache_first(c, hashes[i]));
	}
}

WIDE void
lookup_wide_find(
	const struct cache *c, const uint64_t *hashes, uint16_t n, struct cache_entry **out)
{
	uint16_t i;

	for (i = 0; i < n; i++) {
		const struct cache_bucket *b = cache_first(c, hashes[i]);
		uint32_t m = _mm_cmpeq_epi16_mask(_mm_load_si128((const __m128i *)b->sig),
				     _mm_set1_epi16((short)cache_sig(hashes[i]))) &
			     b->used;
		struct cache_entry *e;

		if (unlikely(m == 0)) {
			if (b->moved != 0)
				rte_prefetch1(cache_second(c, hashes[i]));
			out[i] = c->nobody;
			continue;
		}
		e = &c->entries[b->idx[__builtin_ctz(m)]];
		rte_prefetch1(e);
		rte_prefetch1(&e->packets);
		out[i] = e;
	}
}

WIDE uint64_t
lookup_wide_match(const struct flow_key *keys, uint16_t n, struct cache_entry *const *e)
{
	uint64_t misses = 0;
	uint16_t i;

	for (i = 0; i < n; i++) {
		const __m256i *key = (const __m256i *)&keys[i];
		const __m256i *have = (const __m256i *)&e[i]->key;
		__m256i low = _mm256_xor_si256(_mm256_loadu_si256(key), _mm256_load_si256(have));
		__m256i high =
			_mm256_xor_si256(_mm256_loadu_si256(key + 1), _mm256_load_si256(have + 1));
		__m256i both = _mm256_or_si256(low, high);

		if (unlikely(!_mm256_testz_si256(both, both)))
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

void
lookup_wide_hash(const struct cache *c, const struct flow_key *keys, uint16_t n, uint64_t *hashes)
{
}

void
lookup_wide_find(
	const struct cache *c, const uint64_t *hashes, uint16_t n, struct cache_entry **out)
{
}

uint64_t
lookup_wide_match(const struct flow_key *keys, uint16_t n, struct cache_entry *const *e)
{
	return UINT64_MAX;
}

#endif
