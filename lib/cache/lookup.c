// SPDX-License-Identifier: BSD-3-Clause

#include <rte_branch_prediction.h>
#include <rte_prefetch.h>

#include "lookup_wide.h"

static struct cache_entry *
find_in(const struct cache *c, const struct cache_bucket *b, const struct flow_key *key,
	uint16_t sig)
{
	for (uint32_t m = cache_candidates(b, sig); m != 0; m &= m - 1) {
		struct cache_entry *e = &c->entries[b->idx[__builtin_ctz(m)]];

		if (cache_key_equal(c, e, key))
			return e;
	}
	return NULL;
}

struct cache_entry *
cache_find(const struct cache *c, const struct flow_key *key, uint64_t hash)
{
	const struct cache_bucket *first = cache_first(c, hash);
	struct cache_entry *e = find_in(c, first, key, cache_sig(hash));

	if (e == NULL && first->moved != 0)
		e = find_in(c, cache_second(c, hash), key, cache_sig(hash));
	return e;
}

struct cache_entry *
cache_lookup(struct cache *c, const struct flow_key *key)
{
	uint64_t hash = cache_hash(&c->secret, key);
	struct cache_entry *e = cache_find(c, key, hash);

	if (e == NULL && unlikely(c->from != NULL) && cache_take(c, key, hash))
		e = cache_find(c, key, hash);
	return e;
}

// The packets of todo: those whose first candidate was not it. Apart from the burst, so that the
// common case has no branch.
static __attribute__((noinline)) uint64_t
settle(const struct cache *c, const struct flow_key *keys, const uint64_t *hashes,
	struct cache_entry **out, uint64_t todo)
{
	uint64_t hits = 0;

	for (; todo != 0; todo &= todo - 1) {
		unsigned i = (unsigned)__builtin_ctzll(todo);

		out[i] = cache_find(c, &keys[i], hashes[i]);
		hits |= (uint64_t)(out[i] != NULL) << i;
	}
	return hits;
}

// Returns a word in which CACHE_L3_MORE is set when it is in a key's l3.
static uint32_t
hash_burst(const struct cache *c, const struct flow_key *keys, uint16_t n, uint64_t *hashes,
	const struct cache_bucket **at)
{
	uint32_t any = 0;
	uint16_t i;

	if (c->wide)
		return lookup_wide_hash(c, keys, n, hashes, at);
	for (i = 0; i < n; i++) {
		hashes[i] = cache_hash(&c->secret, &keys[i]);
		any |= keys[i].l3;
		at[i] = cache_first(c, hashes[i]);
		rte_prefetch0(at[i]);
	}
	return any;
}

// Reads the buckets, prefetches entries: out[i] is a candidate. Returns those whose candidate, if
// any, is in the second bucket.
static uint64_t
find_burst(const struct cache *c, const uint64_t *hashes, const struct cache_bucket *const *at,
	uint16_t n, struct cache_entry **out)
{
	uint64_t later = 0;
	uint16_t i;

	if (c->wide)
		return lookup_wide_find(c, hashes, at, n, out);
	for (i = 0; i < n; i++) {
		const struct cache_bucket *b = at[i];
		uint32_t m = cache_candidates(b, cache_sig(hashes[i]));
		struct cache_entry *e;

		if (unlikely(m == 0)) {
			if (b->moved != 0) {
				rte_prefetch0(cache_second(c, hashes[i]));
				later |= 1ULL << i;
			}
			out[i] = c->nobody;
			continue;
		}
		e = &c->entries[b->idx[__builtin_ctz(m)]];
		rte_prefetch0(e);
		out[i] = e;
	}
	return later;
}

// The same in the second buckets, which are on their way.
static __attribute__((noinline)) void
find_later(const struct cache *c, const uint64_t *hashes, uint64_t todo, struct cache_entry **out)
{
	for (; todo != 0; todo &= todo - 1) {
		unsigned i = (unsigned)__builtin_ctzll(todo);
		const struct cache_bucket *b = cache_second(c, hashes[i]);
		uint32_t m = cache_candidates(b, cache_sig(hashes[i]));

		if (m == 0)
			continue;
		out[i] = &c->entries[b->idx[__builtin_ctz(m)]];
		rte_prefetch0(out[i]);
	}
}

static __attribute__((noinline)) void
prefetch_far(const struct cache *c, const struct flow_key *keys, uint16_t n,
	struct cache_entry *const *e)
{
	for (uint16_t i = 0; i < n; i++)
		if (keys[i].l3 & CACHE_L3_MORE)
			rte_prefetch0(cache_more(e[i], c->apart));
}

// Returns the candidates that are not it after all.
static __attribute__((noinline)) uint64_t
match_far(const struct cache *c, const struct flow_key *keys, uint16_t n,
	struct cache_entry *const *e)
{
	uint64_t misses = 0;

	for (uint16_t i = 0; i < n; i++)
		if (keys[i].l3 & CACHE_L3_MORE)
			misses |= (uint64_t)!cache_key_far(cache_more(e[i], c->apart), &keys[i])
				  << i;
	return misses;
}

static uint64_t
match_near(const struct cache *c, const struct flow_key *keys, uint16_t n,
	struct cache_entry *const *e, struct cache_alike *alike)
{
	uint64_t misses = 0;

	if (c->wide)
		return lookup_wide_match(keys, n, e, alike);
	for (uint16_t i = 0; i < n; i++)
		misses |= (uint64_t)!cache_key_near(e[i], &keys[i]) << i;
	return misses;
}

void
cache_compare(struct cache_entry *const *e, uint16_t n, struct cache_alike *alike)
{
	uint32_t ticks = 0, gens = 0, hints = 0;
	uintptr_t others = 0;
	uint16_t i;

	for (i = 0; i < n; i++) {
		ticks |= e[i]->last_tick ^ alike->tick;
		gens |= e[i]->gen ^ alike->gen;
		hints |= e[i]->hint ^ e[0]->hint;
		others |= (uintptr_t)e[i] ^ (uintptr_t)e[0];
	}
	*alike =
		(struct cache_alike){.tick = ticks, .gen = gens, .hint = hints, .one = others == 0};
}

uint64_t
cache_lookup_burst(struct cache *c, const struct flow_key *keys, uint16_t n, uint64_t *hashes,
	struct cache_entry **out, struct cache_alike *alike)
{
	const uint64_t all = n < 64 ? (1ULL << n) - 1 : UINT64_MAX;
	struct cache_alike found = {0};
	const struct cache_bucket *at[CACHE_BURST_MAX];
	uint64_t hits, later;
	bool far, again;

	if (unlikely(n == 0))
		return 0;
	if (alike != NULL)
		found = *alike;
	far = hash_burst(c, keys, n, hashes, at) & CACHE_L3_MORE;
	later = find_burst(c, hashes, at, n, out);
	if (unlikely(later != 0))
		find_later(c, hashes, later, out);
	if (unlikely(far))
		prefetch_far(c, keys, n, out);
	hits = all & ~match_near(c, keys, n, out, &found);
	if (unlikely(far))
		hits &= ~match_far(c, keys, n, out);
	again = !c->wide || far || hits != all; // then it did not see what it says of them
	if (unlikely(hits != all)) {
		hits |= settle(c, keys, hashes, out, all & ~hits);
		if (unlikely(c->from != NULL) && hits != all)
			hits = cache_take_burst(c, keys, n, hashes, out, hits);
	}
	if (alike == NULL || hits != all)
		return hits;
	if (likely(!again))
		*alike = found;
	else
		cache_compare(out, n, alike);
	return hits; // out[i] is the entry or NULL
}
