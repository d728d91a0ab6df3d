// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CACHE_IMPL_H
#define SLUICE_CACHE_IMPL_H

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
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
	struct cache_entry *entries; // and behind them, in the same order, their other halves
	ptrdiff_t apart;
	uint64_t bucket_mask;
	struct cache_entry *nobody;  // the candidate of those that have none: its key is nobody's
	struct cache_entry *leaving; // what goes without ever having had a place here (move.c)
	bool wide;                   // lookup_wide.h
	cache_evict_fn evict;
	void *evict_ctx;
	uint32_t fresh;       // entries from here on were never used
	uint32_t free_head;   // first of the entries that were given back, or CACHE_NONE
	uint32_t expire_hand; // next bucket that cache_expire looks at
	uint32_t evict_hand;  // next bucket that an eviction samples
	uint32_t tokens;      // for insertions, CACHE_NO_BUDGET: no end of them
	struct cache *from;   // whose entries come here (move.c), NULL: nobody's
	uint32_t from_at;     // its next bucket
	uint32_t from_now;    // tick, as cache_move was told last
	bool from_in_use;     // of this pass: only what is in use
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

#define CACHE_L3 (offsetof(struct flow_key, l3) - offsetof(struct flow_key, eth_dst)) // in rest
static_assert(offsetof(struct flow_key, eth_dst) == 32 && offsetof(struct flow_key, dst) == 16 &&
		      sizeof(struct flow_key) == 32 + CACHE_KEY_REST,
	"an entry has a key's addresses apart from its rest");

// The words that an entry has of a key's addresses, as it has them.
static inline uint64_t
cache_addrs(const struct flow_key *key)
{
	uint32_t src, dst;

	memcpy(&src, key->src, sizeof(src));
	memcpy(&dst, key->dst, sizeof(dst));
	return (uint64_t)dst << 32 | src;
}

static inline uint64_t
cache_entry_addrs(const struct cache_entry *e)
{
	return (uint64_t)e->dst << 32 | e->src;
}

// Which of FLOW_L3_* have more than that is told by one bit; ARP has it too.
#define CACHE_L3_MORE 2
static_assert((FLOW_L3_IPV6 & CACHE_L3_MORE) != 0 && (FLOW_L3_IPV4 & CACHE_L3_MORE) == 0 &&
		      (FLOW_L3_NONE & CACHE_L3_MORE) == 0,
	"IPv4 has one word of an address");

// The key but for what IPv6 has more.
static inline bool
cache_key_near(const struct cache_entry *e, const struct flow_key *key)
{
#ifdef __SSE2__
	const __m128i *x = (const __m128i *)e->rest;
	const __m128i *y = (const __m128i *)key + 2;
	__m128i a = _mm_cmpeq_epi8(_mm_load_si128(&x[0]), _mm_loadu_si128(&y[0]));
	__m128i b = _mm_cmpeq_epi8(_mm_load_si128(&x[1]), _mm_loadu_si128(&y[1]));

	return _mm_movemask_epi8(_mm_and_si128(a, b)) == 0xffff &&
	       cache_entry_addrs(e) == cache_addrs(key);
#else
	return memcmp(e->rest, (const char *)key + 32, sizeof(e->rest)) == 0 &&
	       cache_entry_addrs(e) == cache_addrs(key);
#endif
}

// The rest of its addresses.
static inline bool
cache_key_far(const struct cache_more *more, const struct flow_key *key)
{
	return memcmp(more->src, key->src + 4, sizeof(more->src)) == 0 &&
	       memcmp(more->dst, key->dst + 4, sizeof(more->dst)) == 0;
}

static inline bool
cache_key_equal(const struct cache *c, const struct cache_entry *e, const struct flow_key *key)
{
	return cache_key_near(e, key) &&
	       (!(key->l3 & CACHE_L3_MORE) || cache_key_far(cache_more(e, c->apart), key));
}

// 0 for a tick that is ahead of now.
static inline uint32_t
cache_age(uint32_t now, uint32_t tick)
{
	uint32_t age = now - tick;

	return age > INT32_MAX ? 0 : age;
}

// What goes first is the highest of these.
static inline uint32_t
cache_worth_leaving(const struct cache_entry *e, uint32_t now)
{
	return cache_age(now, e->last_tick) + (e->packets <= 1 ? CACHE_ONCE_TICKS : 0);
}

// Room for one more entry: where it would have to be made, the one that goes first of some that are
// looked at leaves, and nobody when that is below least (cache_worth_leaving). False: there is
// none.
bool cache_room(struct cache *c, uint64_t hash, uint32_t now, uint32_t least);
// Where there is room: a place, in the bucket that it belongs to. Its contents are the caller's.
struct cache_entry *cache_place(struct cache *c, uint64_t hash);

// Of a burst, those not among hits are looked for in the cache that is taken over, and all looked
// up again when that brought some. Returns the hits.
uint64_t cache_take_burst(struct cache *c, const struct flow_key *keys, uint16_t n,
	const uint64_t *hashes, struct cache_entry **out, uint64_t hits);
// The same of one key. Returns whether an entry came.
bool cache_take(struct cache *c, const struct flow_key *key, uint64_t hash);
// Nothing more comes: what is left there leaves.
void cache_move_none(struct cache *c);

// All candidates in the first bucket, then in the second one if entries of the first moved there.
struct cache_entry *cache_find(const struct cache *c, const struct flow_key *key, uint64_t hash);

#endif
