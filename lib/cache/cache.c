// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>

#include <rte_bitops.h>
#include <rte_branch_prediction.h>
#include <rte_common.h>
#include <rte_prefetch.h>

#include "base/rng.h"
#include "cache_impl.h"
#include "lookup_wide.h"

#define CACHE_L3_NOBODY 0xff // no FLOW_L3_*
#define CACHE_SIZE_MIN 64
#define CACHE_SIZE_MAX (1u << 26)
// An entry goes to its second bucket when the first one has that many and the second one fewer.
#define CACHE_CROWDED 6
#define CACHE_SAMPLES 3 // more buckets that are looked at for an entry that is not in use

// Where the parts lie.
struct layout {
	uint32_t size, n_buckets;
	size_t entries_at, apart, buckets_at, len;
};

static bool
lay_out(uint32_t size, struct layout *l)
{
	if (size < CACHE_SIZE_MIN || size > CACHE_SIZE_MAX)
		return false;
	l->size = RTE_ALIGN_CEIL(size, CACHE_WAYS);
	// 1.75 to 3.5 slots for each entry.
	l->n_buckets = rte_align32pow2((l->size + l->size / 2 + l->size / 4) / CACHE_WAYS);
	l->entries_at = RTE_ALIGN_CEIL(sizeof(struct cache), 64);
	l->apart =
		((size_t)l->size + 2) * sizeof(struct cache_entry); // nobody's, and one that leaves
	l->buckets_at = l->entries_at + 2 * l->apart;
	l->len = l->buckets_at + (size_t)l->n_buckets * sizeof(struct cache_bucket);
	return true;
}

size_t
cache_memory(uint32_t size)
{
	struct layout l;

	return lay_out(size, &l) ? l.len : 0;
}

int
cache_new(uint32_t size, int socket_id, uint64_t seed, cache_evict_fn evict, void *ctx,
	struct cache **out)
{
	struct sl_rng rng = {.state = seed};
	struct cache_memory mem;
	struct layout l;
	struct cache *c;

	if (!lay_out(size, &l))
		return -EINVAL;
	if (cache_memory_take(&mem, l.len, socket_id) < 0)
		return -ENOMEM;
	c = mem.data;
	c->mem = mem;
	c->entries = (struct cache_entry *)((char *)mem.data + l.entries_at);
	c->apart = (ptrdiff_t)l.apart;
	c->nobody = &c->entries[l.size];
	c->leaving = &c->entries[l.size + 1];
	c->nobody->rest[CACHE_L3] = CACHE_L3_NOBODY;
	c->entries[0].rest[CACHE_L3] = CACHE_L3_NOBODY; // slots that were never taken lead there
	c->wide = lookup_wide_here();
	c->buckets = (struct cache_bucket *)((char *)mem.data + l.buckets_at);
	c->bucket_mask = l.n_buckets - 1;
	for (unsigned i = 0; i < RTE_DIM(c->secret.add); i++)
		c->secret.add[i] = (uint32_t)(sl_rng_next(&rng) >> 32);
	c->secret.mix[0] = sl_rng_next(&rng);
	c->secret.mix[1] = sl_rng_next(&rng) | 1;
	c->evict = evict;
	c->evict_ctx = ctx;
	c->free_head = CACHE_NONE;
	c->tokens = CACHE_NO_BUDGET;
	c->stats.size = l.size;
	c->stats.memory = l.len;
	*out = c;
	return 0;
}

void
cache_free(struct cache *c)
{
	struct cache_memory mem;

	if (c == NULL)
		return;
	mem = c->mem;
	cache_memory_free(&mem);
}

static struct cache_entry *
entry_at(const struct cache *c, const struct cache_bucket *b, unsigned slot)
{
	return &c->entries[b->idx[slot]];
}

// Free entries form a list through the place of their packet counter.
static uint32_t
entry_take(struct cache *c)
{
	uint32_t idx = c->free_head;

	if (idx != CACHE_NONE)
		c->free_head = c->entries[idx].packets;
	else if (c->fresh < c->stats.size)
		idx = c->fresh++;
	return idx;
}

static void
leave(struct cache *c, struct cache_bucket *b, unsigned slot)
{
	struct cache_entry *e = entry_at(c, b, slot);
	struct cache_bucket *home;
	struct flow_key key;

	cache_key(e, c->apart, &key);
	home = cache_first(c, cache_hash(&c->secret, &key));
	if (c->evict != NULL)
		c->evict(c->evict_ctx, e);
	if (home != b)
		home->moved--;
	b->used &= (uint8_t) ~(1u << slot);
	b->sig[slot] = 0;
	e->rest[CACHE_L3] =
		CACHE_L3_NOBODY; // it may be a candidate between two stages of a look-up
	e->packets = c->free_head;
	c->free_head = b->idx[slot];
	c->stats.used--;
}

struct victim {
	struct cache_bucket *bucket;
	unsigned slot;
	uint32_t age;
};

static void
victim_look(const struct cache *c, struct cache_bucket *b, uint32_t now, struct victim *v)
{
	for (uint32_t m = b->used; m != 0; m &= m - 1) {
		unsigned slot = (unsigned)__builtin_ctz(m);
		uint32_t age = cache_worth_leaving(entry_at(c, b, slot), now);

		if (v->bucket == NULL || age > v->age)
			*v = (struct victim){.bucket = b, .slot = slot, .age = age};
	}
}

static void
victim_prefetch(const struct cache *c, const struct cache_bucket *b)
{
	for (uint32_t m = b->used; m != 0; m &= m - 1)
		rte_prefetch0(entry_at(c, b, (unsigned)__builtin_ctz(m)));
}

// The next bucket in turn that holds something: there is one when the cache is not empty.
static struct cache_bucket *
sample(struct cache *c)
{
	struct cache_bucket *b;

	do {
		b = &c->buckets[c->evict_hand];
		c->evict_hand = (c->evict_hand + 1) & (uint32_t)c->bucket_mask;
	} while (b->used == 0);
	return b;
}

static bool
spend(struct cache *c, uint32_t tokens)
{
	if (c->tokens < tokens)
		return false;
	if (c->tokens != CACHE_NO_BUDGET)
		c->tokens -= tokens;
	return true;
}

static bool
in_use(const struct victim *v)
{
	return v->age < CACHE_ONCE_TICKS;
}

// Who leaves for an entry that is to come into one of these buckets. Both full: the oldest in them.
// No entry free: the oldest in them and in one more bucket, or in a few when all those are in use.
static inline __attribute__((always_inline)) struct victim
find_victim(struct cache *c, struct cache_bucket *first, struct cache_bucket *second, bool full,
	uint32_t now)
{
	struct victim v = {.bucket = NULL};
	struct cache_bucket *other = full ? first : sample(c);
	unsigned i;

	victim_prefetch(c, first);
	victim_prefetch(c, second);
	victim_prefetch(c, other);
	victim_look(c, first, now, &v);
	victim_look(c, second, now, &v);
	victim_look(c, other, now, &v);
	for (i = 0; i < CACHE_SAMPLES && !full && in_use(&v); i++) {
		other = sample(c);
		victim_prefetch(c, other);
		victim_look(c, other, now, &v);
	}
	return v;
}

// False: the budget does not reach; the look costs a token, so that they bound the work.
static bool
make_room(struct cache *c, struct cache_bucket *first, struct cache_bucket *second, bool full,
	uint32_t now)
{
	struct victim v;

	if (!spend(c, 1))
		return false;
	v = find_victim(c, first, second, full, now);
	if (in_use(&v) && !spend(c, CACHE_USED_TOKENS - 1))
		return false;
	c->stats.evicted_full++;
	leave(c, v.bucket, v.slot);
	return true;
}

bool
cache_room(struct cache *c, uint64_t hash, uint32_t now, uint32_t least)
{
	struct cache_bucket *first = cache_first(c, hash), *second = cache_second(c, hash);
	bool full = (first->used & second->used) == UINT8_MAX;
	struct victim v;

	if (!full && c->stats.used < c->stats.size)
		return true;
	v = find_victim(c, first, second, full, now);
	c->stats.evicted_full++; // it, or the one that does not come
	if (v.age < least)
		return false;
	leave(c, v.bucket, v.slot);
	return true;
}

static struct cache_bucket *
choose(struct cache_bucket *first, struct cache_bucket *second)
{
	int n = __builtin_popcount(first->used);

	if (n < CACHE_CROWDED || n <= __builtin_popcount(second->used))
		return first;
	return second;
}

static inline struct cache_entry *
place(struct cache *c, struct cache_bucket *first, struct cache_bucket *second, uint16_t sig)
{
	struct cache_bucket *b = choose(first, second);
	unsigned slot = (unsigned)__builtin_ctz(~(uint32_t)b->used);

	b->idx[slot] = entry_take(c);
	b->sig[slot] = sig;
	b->used |= (uint8_t)(1u << slot);
	if (b != first)
		first->moved++;
	c->stats.used++;
	return entry_at(c, b, slot);
}

struct cache_entry *
cache_place(struct cache *c, uint64_t hash)
{
	return place(c, cache_first(c, hash), cache_second(c, hash), cache_sig(hash));
}

static void
start(const struct cache *c, struct cache_entry *e, const struct flow_key *key, uint32_t tick)
{
	struct cache_more *more = cache_more(e, c->apart);
	uint64_t addrs = cache_addrs(key);

	*e = (struct cache_entry){
		.src = (uint32_t)addrs, .dst = (uint32_t)(addrs >> 32), .last_tick = tick};
	memcpy(e->rest, (const char *)key + sizeof(*key) - sizeof(e->rest), sizeof(e->rest));
	memset(more, 0, sizeof(*more));
	memcpy(more->src, key->src + sizeof(e->src), sizeof(more->src));
	memcpy(more->dst, key->dst + sizeof(e->dst), sizeof(more->dst));
}

struct cache_entry *
cache_insert(struct cache *c, const struct flow_key *key, uint64_t hash, uint32_t tick)
{
	struct cache_bucket *first = cache_first(c, hash);
	struct cache_bucket *second = cache_second(c, hash);
	struct cache_entry *e = cache_find(c, key, hash);
	bool full;

	if (unlikely(c->from != NULL) && e == NULL && cache_take(c, key, hash))
		e = cache_find(c, key, hash);
	if (e != NULL)
		return e;
	full = (first->used & second->used) == UINT8_MAX;
	if ((full || c->stats.used == c->stats.size) && !make_room(c, first, second, full, tick)) {
		c->stats.refused++;
		return NULL;
	}
	e = place(c, first, second, cache_sig(hash));
	start(c, e, key, tick);
	c->stats.inserts++;
	return e;
}

void
cache_budget(struct cache *c, uint32_t tokens)
{
	uint32_t left = c->tokens == CACHE_NO_BUDGET ? 0 : RTE_MIN(c->tokens, CACHE_USED_TOKENS);

	if (tokens < CACHE_USED_TOKENS)
		tokens = RTE_MIN(tokens + left, CACHE_USED_TOKENS);
	c->tokens = tokens;
}

static bool
leave_from(struct cache *c, struct cache_bucket *b, uint32_t idx)
{
	for (uint32_t m = b->used; m != 0; m &= m - 1) {
		unsigned slot = (unsigned)__builtin_ctz(m);

		if (b->idx[slot] == idx) {
			leave(c, b, slot);
			return true;
		}
	}
	return false;
}

void
cache_remove(struct cache *c, struct cache_entry *e)
{
	uint32_t idx = (uint32_t)(e - c->entries);
	struct flow_key key;
	uint64_t hash;

	cache_key(e, c->apart, &key);
	hash = cache_hash(&c->secret, &key);
	if (!leave_from(c, cache_first(c, hash), idx))
		leave_from(c, cache_second(c, hash), idx);
}

uint32_t
cache_expire(struct cache *c, uint32_t now_tick, uint32_t idle, uint32_t max)
{
	uint32_t mask = (uint32_t)c->bucket_mask;
	uint32_t gone = 0;

	if (max > mask + 1)
		max = mask + 1;
	for (uint32_t i = 0; i < max; i++) {
		struct cache_bucket *b = &c->buckets[c->expire_hand];

		// The entries of the bucket after the next one are on their way meanwhile.
		rte_prefetch0(&c->buckets[(c->expire_hand + 4) & mask]);
		victim_prefetch(c, &c->buckets[(c->expire_hand + 2) & mask]);
		c->expire_hand = (c->expire_hand + 1) & mask;
		for (uint32_t m = b->used; m != 0; m &= m - 1) {
			unsigned slot = (unsigned)__builtin_ctz(m);

			if (cache_age(now_tick, entry_at(c, b, slot)->last_tick) <= idle)
				continue;
			leave(c, b, slot);
			gone++;
		}
	}
	c->stats.expired += gone;
	return gone;
}

void
cache_clear(struct cache *c)
{
	cache_move_none(c);
	for (uint64_t i = 0; i <= c->bucket_mask; i++) {
		struct cache_bucket *b = &c->buckets[i];

		while (b->used != 0)
			leave(c, b, (unsigned)__builtin_ctz(b->used));
	}
}

bool
cache_walk(struct cache *c, uint32_t *cursor, uint32_t max, cache_walk_fn fn, void *ctx)
{
	uint32_t end = (uint32_t)(c->bucket_mask + 1) * CACHE_WAYS;
	uint64_t looks = (uint64_t)max * 4 * CACHE_WAYS + CACHE_WAYS;
	uint32_t at = *cursor;

	for (; at < end && max > 0 && looks > 0; at++, looks--) {
		const struct cache_bucket *b = &c->buckets[at / CACHE_WAYS];

		if ((b->used & (1u << (at % CACHE_WAYS))) == 0)
			continue;
		fn(ctx, entry_at(c, b, at % CACHE_WAYS));
		max--;
	}
	*cursor = at;
	return at < end;
}

void
cache_stats_get(const struct cache *c, struct cache_stats *out)
{
	*out = c->stats;
	out->used += cache_moving(c);
	if (c->from != NULL)
		out->memory += c->from->stats.memory;
}

ptrdiff_t
cache_apart(const struct cache *c)
{
	return c->apart;
}

void
cache_carry(struct cache_entry *e, ptrdiff_t apart, uint32_t packets, uint32_t bytes)
{
	struct cache_more *more = cache_more(e, apart);

	const uint64_t p = (uint64_t)e->packets + packets, b = (uint64_t)e->bytes + bytes;

	e->packets = (uint32_t)p & INT32_MAX;
	e->bytes = (uint32_t)b & INT32_MAX;
	more->packets_high = (uint16_t)(more->packets_high + (p >> 31));
	more->bytes_high += (uint32_t)(b >> 31);
}

void
cache_key(const struct cache_entry *e, ptrdiff_t apart, struct flow_key *out)
{
	const struct cache_more *more;

	memset(out->src, 0, sizeof(out->src));
	memset(out->dst, 0, sizeof(out->dst));
	memcpy(out->src, &e->src, sizeof(e->src));
	memcpy(out->dst, &e->dst, sizeof(e->dst));
	memcpy((char *)out + sizeof(*out) - sizeof(e->rest), e->rest, sizeof(e->rest));
	if (!(out->l3 & CACHE_L3_MORE))
		return;
	more = cache_more(e, apart);
	memcpy(out->src + sizeof(e->src), more->src, sizeof(more->src));
	memcpy(out->dst + sizeof(e->dst), more->dst, sizeof(more->dst));
}

void
cache_read(const struct cache_entry *e, ptrdiff_t apart, struct cache_flow *out)
{
	const struct cache_more *more = cache_more(e, apart);

	cache_key(e, apart, &out->key);
	out->packets = cache_packets(e, apart);
	out->bytes = cache_bytes(e, apart);
	out->last_tick = e->last_tick;
	out->gen = e->gen;
	out->rate = e->rate;
	out->flags = more->flags;
	memcpy(out->value, more->value, sizeof(out->value));
}
