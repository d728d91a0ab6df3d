// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>

#include <rte_prefetch.h>

#include "cache_impl.h"

#define MOVE_AHEAD 2 // buckets

int
cache_take_over(struct cache *c, struct cache *from)
{
	if (c->stats.used != 0 || c->from != NULL || from->from != NULL ||
		memcmp(&c->secret, &from->secret, sizeof(c->secret)) != 0)
		return -EINVAL;
	c->stats.inserts = from->stats.inserts;
	c->stats.evicted_full = from->stats.evicted_full;
	c->stats.refused = from->stats.refused;
	c->stats.expired = from->stats.expired;
	c->tokens = from->tokens;
	c->from = from;
	c->from_at = 0;
	c->from_in_use = from->stats.used > c->stats.size;
	return 0;
}

uint32_t
cache_moving(const struct cache *c)
{
	return c->from != NULL ? c->from->stats.used : 0;
}

// The entry in that slot comes, and another one leaves for it where that has to be. Where only
// those would do that are worth less leaving than `least`, it is itself the one that leaves: told
// from a place of this cache, as all are.
static void
move_entry(struct cache *c, struct cache_bucket *b, unsigned slot, uint64_t hash, uint32_t least)
{
	struct cache *from = c->from;
	const struct cache_entry *old = &from->entries[b->idx[slot]];
	struct cache_bucket *home = cache_first(from, hash);
	bool stays = cache_room(c, hash, c->from_now, least);
	struct cache_entry *e = stays ? cache_place(c, hash) : c->leaving;

	*e = *old;
	*cache_more(e, c->apart) = *cache_more(old, from->apart);
	if (home != b)
		home->moved--;
	b->used &= (uint8_t) ~(1u << slot);
	from->stats.used--;
	if (!stays && c->evict != NULL)
		c->evict(c->evict_ctx, e);
}

static void
prefetch_bucket(const struct cache *from, uint32_t at)
{
	const struct cache_bucket *b = &from->buckets[at & from->bucket_mask];

	rte_prefetch0(&from->buckets[(at + MOVE_AHEAD) & from->bucket_mask]);
	for (uint32_t m = b->used; m != 0; m &= m - 1) {
		const struct cache_entry *e = &from->entries[b->idx[__builtin_ctz(m)]];

		rte_prefetch0(e);
		rte_prefetch0(cache_more(e, from->apart));
	}
}

static void
move_bucket(struct cache *c, struct cache_bucket *b)
{
	const struct cache *from = c->from;
	uint64_t hashes[CACHE_WAYS];
	uint32_t worth[CACHE_WAYS], wanted = 0;

	for (uint32_t m = b->used; m != 0; m &= m - 1) {
		unsigned slot = (unsigned)__builtin_ctz(m);
		const struct cache_entry *e = &from->entries[b->idx[slot]];
		struct flow_key key;

		worth[slot] = cache_worth_leaving(e, c->from_now);
		if (c->from_in_use && worth[slot] >= CACHE_ONCE_TICKS)
			continue;
		cache_key(e, from->apart, &key);
		hashes[slot] = cache_hash(&c->secret, &key);
		rte_prefetch0(cache_first(c, hashes[slot]));
		wanted |= 1u << slot;
	}
	for (; wanted != 0; wanted &= wanted - 1) {
		unsigned slot = (unsigned)__builtin_ctz(wanted);

		move_entry(c, b, slot, hashes[slot], worth[slot]);
	}
}

bool
cache_move(struct cache *c, uint32_t now_tick, uint32_t max)
{
	struct cache *from = c->from;

	if (from == NULL)
		return false;
	c->from_now = now_tick;
	for (; max > 0 && from->stats.used > 0; max--) {
		prefetch_bucket(from, c->from_at + MOVE_AHEAD);
		move_bucket(c, &from->buckets[c->from_at]);
		c->from_at = (c->from_at + 1) & (uint32_t)from->bucket_mask;
		if (c->from_at == 0)
			c->from_in_use = false;
	}
	if (from->stats.used > 0)
		return true;
	c->from = NULL;
	return false;
}

void
cache_move_none(struct cache *c)
{
	struct cache *from = c->from;

	for (uint64_t i = 0; from != NULL && i <= from->bucket_mask; i++) {
		struct cache_bucket *b = &from->buckets[i];

		for (uint32_t m = b->used; m != 0; m &= m - 1) {
			const struct cache_entry *e = &from->entries[b->idx[__builtin_ctz(m)]];

			*c->leaving = *e;
			*cache_more(c->leaving, c->apart) = *cache_more(e, from->apart);
			if (c->evict != NULL)
				c->evict(c->evict_ctx, c->leaving);
		}
		from->stats.used -= (uint32_t)__builtin_popcount(b->used);
		b->used = 0;
		b->moved = 0;
	}
}

// A packet of it is here: it goes first of none.
static bool
take_from(struct cache *c, struct cache_bucket *b, const struct flow_key *key, uint64_t hash)
{
	const struct cache *from = c->from;

	for (uint32_t m = cache_candidates(b, cache_sig(hash)); m != 0; m &= m - 1) {
		unsigned slot = (unsigned)__builtin_ctz(m);

		if (!cache_key_equal(from, &from->entries[b->idx[slot]], key))
			continue;
		move_entry(c, b, slot, hash, 0);
		return true;
	}
	return false;
}

bool
cache_take(struct cache *c, const struct flow_key *key, uint64_t hash)
{
	struct cache_bucket *first = cache_first(c->from, hash);

	return take_from(c, first, key, hash) ||
	       (first->moved != 0 && take_from(c, cache_second(c->from, hash), key, hash));
}

uint64_t
cache_take_burst(struct cache *c, const struct flow_key *keys, uint16_t n, const uint64_t *hashes,
	struct cache_entry **out, uint64_t hits)
{
	uint32_t before = c->from->stats.used;
	uint16_t i;

	for (i = 0; i < n; i++)
		if (!(hits >> i & 1))
			rte_prefetch0(cache_first(c->from, hashes[i]));
	for (i = 0; i < n; i++)
		if (!(hits >> i & 1))
			(void)cache_take(c, &keys[i], hashes[i]);
	if (c->from->stats.used == before)
		return hits;
	// One that came may have had one leave that was found before.
	hits = 0;
	for (i = 0; i < n; i++) {
		out[i] = cache_find(c, &keys[i], hashes[i]);
		hits |= (uint64_t)(out[i] != NULL) << i;
	}
	return hits;
}
