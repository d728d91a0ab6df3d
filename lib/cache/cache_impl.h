// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CACHE_IMPL_H
#define SLUICE_CACHE_IMPL_H

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/hash.h"
#include "cache/cache.h"
#include "memory.h"

// What the parts of the cache share: the layout, the hash, and how a hash splits into two bucket
// numbers and a signature. Thread safety: owner thread only.

#define CACHE_WAYS 8
#define CACHE_BUCKET_BITS 24 // bits 0-23 of a hash: first bucket; 24-47: second; 48-63: signature

// One cache line: which of 8 slots are taken, what to expect there, where the entry is.
struct cache_bucket {
	alignas(64) uint16_t sig[CACHE_WAYS];
	uint32_t idx[CACHE_WAYS];
	uint32_t moved; // entries of this bucket that had to go to their second one
	uint8_t used;   // a bit for each taken slot
};
static_assert(sizeof(struct cache_bucket) == 64, "a bucket is one cache line");

struct cache_secret {
	alignas(64) uint32_t add[16];
	uint64_t mix[2]; // the second one is odd
};

struct cache {
	struct cache_secret secret; // of the hash
	struct cache_bucket *buckets;
	struct cache_entry *entries;
	uint64_t bucket_mask;
	struct cache_entry *nobody; // the candidate of those that have none: its key is nobody's
	bool wide;                  // lookup_wide.h
	cache_evict_fn evict;
	void *evict_ctx;
	uint32_t fresh;       // entries from here on were never used
	uint32_t free_head;   // first of the entries that were given back, or CACHE_NONE
	uint32_t expire_hand; // next bucket that cache_expire looks at
	uint32_t evict_hand;  // next bucket that an eviction samples
	uint32_t tokens;      // for insertions, CACHE_NO_BUDGET: no end of them
	struct cache_stats stats;
	struct cache_memory mem;
};

#define CACHE_NONE UINT32_MAX

static inline uint64_t
cache_hash_mix(const struct cache_secret *secret, uint64_t sum)
{
	uint64_t product = (sum ^ secret->mix[0]) * secret->mix[1];

	return product ^ product >> 32;
}

// NH of UMAC (Black et al., CRYPTO 1999) over 32-bit words: a secret is added to each word, and the
// products of neighbours are summed, which leaves no chain between them. Two keys chosen without
// knowing the secret collide in the sum with probability 2^-32; a CRC would collide for every seed
// alike, as it is linear. One multiplication then mixes the sum; of it the high half, which all
// bits of the sum reach, is laid over the low one.
static inline uint64_t
cache_hash(const struct cache_secret *secret, const struct flow_key *key)
{
	uint64_t sum;
#ifdef __SSE2__
	const __m128i *k = (const __m128i *)key;
	const __m128i *s = (const __m128i *)secret->add;
	__m128i acc = _mm_setzero_si128();

	for (unsigned i = 0; i < 4; i++) {
		__m128i w = _mm_add_epi32(_mm_loadu_si128(&k[i]), _mm_load_si128(&s[i]));

		acc = _mm_add_epi64(acc, _mm_mul_epu32(w, _mm_srli_epi64(w, 32)));
	}
	sum = (uint64_t)_mm_cvtsi128_si64(_mm_add_epi64(acc, _mm_unpackhi_epi64(acc, acc)));
#else
	uint32_t w[16];

	memcpy(w, key, sizeof(w));
	sum = 0;
	for (unsigned i = 0; i < 16; i += 2)
		sum += (uint64_t)(w[i] + secret->add[i]) * (w[i + 1] + secret->add[i + 1]);
#endif
	return cache_hash_mix(secret, sum);
}

static inline struct cache_bucket *
cache_first(const struct cache *c, uint64_t hash)
{
	return &c->buckets[hash & c->bucket_mask];
}

static inline struct cache_bucket *
cache_second(const struct cache *c, uint64_t hash)
{
	return &c->buckets[(hash >> CACHE_BUCKET_BITS) & c->bucket_mask];
}

static inline uint16_t
cache_sig(uint64_t hash)
{
	return (uint16_t)(hash >> 48);
}

// The taken slots of b whose signature is sig, as a bit mask.
static inline uint32_t
cache_candidates(const struct cache_bucket *b, uint16_t sig)
{
#ifdef __SSE2__
	__m128i eq = _mm_cmpeq_epi16(
		_mm_load_si128((const __m128i *)b->sig), _mm_set1_epi16((short)sig));

	return (uint32_t)_mm_movemask_epi8(_mm_packs_epi16(eq, eq)) & b->used;
#else
	uint32_t mask = 0;

	for (unsigned i = 0; i < CACHE_WAYS; i++)
		mask |= (uint32_t)(b->sig[i] == sig) << i;
	return mask & b->used;
#endif
}

// a: that of an entry, which is aligned.
static inline bool
cache_key_equal(const struct flow_key *a, const struct flow_key *b)
{
#ifdef __SSE2__
	const __m128i *x = (const __m128i *)a;
	const __m128i *y = (const __m128i *)b;
	__m128i d[4];

	for (unsigned i = 0; i < 4; i++)
		d[i] = _mm_cmpeq_epi8(_mm_load_si128(&x[i]), _mm_loadu_si128(&y[i]));
	return _mm_movemask_epi8(_mm_and_si128(
		       _mm_and_si128(d[0], d[1]), _mm_and_si128(d[2], d[3]))) == 0xffff;
#else
	return memcmp(a, b, sizeof(*a)) == 0;
#endif
}

// All candidates in the first bucket, then in the second one if entries of the first moved there.
struct cache_entry *cache_find(const struct cache *c, const struct flow_key *key, uint64_t hash);

#endif
