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

		if (cache_key_equal(&e->key, key))
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
	return cache_find(c, key, cache_hash(&c->secret, key));
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

static void
hash_burst(const struct cache *c, const struct flow_key *keys, uint16_t n, uint64_t *hashes)
{
	uint16_t i;

	if (c->wide) {
		lookup_wide_hash(c, keys, n, hashes);
		return;
	}
	for (i = 0; i < n; i++) {
		hashes[i] = cache_hash(&c->secret, &keys[i]);
		rte_prefetch0(cache_first(c, hashes[i]));
	}
}

// Reads the buckets, prefetches entries: out[i] is a candidate.
static void
find_burst(const struct cache *c, const uint64_t *hashes, uint16_t n, struct cache_entry **out)
{
	uint16_t i;

	if (c->wide) {
		lookup_wide_find(c, hashes, n, out);
		return;
	}
	for (i = 0; i < n; i++) {
		const struct cache_bucket *b = cache_first(c, hashes[i]);
		uint32_t m = cache_candidates(b, cache_sig(hashes[i]));
		struct cache_entry *e;

		if (unlikely(m == 0)) {
			if (b->moved != 0)
				rte_prefetch0(cache_second(c, hashes[i]));
			out[i] = c->nobody;
			continue;
		}
		e = &c->entries[b->idx[__builtin_ctz(m)]];
		rte_prefetch0(e);
		rte_prefetch0(&e->packets);
		out[i] = e;
	}
}

// Now out[i] is the entry or NULL.
static uint64_t
match_burst(const struct cache *c, const struct flow_key *keys, const uint64_t *hashes, uint16_t n,
	struct cache_entry **out)
{
	uint64_t all = n < 64 ? (1ULL << n) - 1 : UINT64_MAX;
	uint64_t hits = 0, bit;
	uint16_t i;

	if (c->wide)
		hits = all & ~lookup_wide_match(keys, n, out);
	else
		for (i = 0, bit = 1; i < n; i++, bit += bit)
			hits |= cache_key_equal(&out[i]->key, &keys[i]) ? bit : 0;
	if (unlikely(hits != all))
		hits |= settle(c, keys, hashes, out, all & ~hits);
	return hits;
}

uint64_t
cache_lookup_burst(struct cache *c, const struct flow_key *keys, uint16_t n, uint64_t *hashes,
	struct cache_entry **out)
{
	hash_burst(c, keys, n, hashes);
	find_burst(c, hashes, n, out);
	return match_burst(c, keys, hashes, n, out);
}
