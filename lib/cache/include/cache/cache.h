// SPDX-License-Identifier: BSD-3-Clause
#ifndef SLUICE_CACHE_CACHE_H
#define SLUICE_CACHE_CACHE_H

#include <assert.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow/key.h"

// The exact-match flow cache of one worker.
//
// Problem: most packets belong to flows seen before; deciding anew costs hundreds of cycles.
// Idea: buckets of 8 short signatures in one cache line (found with one vector comparison) lead to
// entries. An entry is two cache lines that lie apart: one has all that a packet of IPv4 touches
// (its key, which has 40 bytes that can differ, the counters and a word on the decision), the other
// the rest of an IPv6 key and the decision itself. A burst is looked up in stages (hash and
// prefetch the buckets, compare signatures and prefetch the entries, compare keys), so that the
// misses of 64 packets overlap and the usual hit takes no branch. A key has two buckets (Azar et
// al., Balanced Allocations, SIAM J. Comput. 1999); it goes to the second one only when the first
// is crowded, and a look-up goes there, in a stage of its own, only when an entry did. Entries come
// from one array, so memory follows the flows: 142 to 156 bytes a flow in all. State of
// connections, or whatever else is of a few flows, finds room in an array beside: an entry's place
// is a number.
//
// Cost: a hit touches one bucket line and one entry line (IPv6: and the other half; 4 % of the
// flows: two bucket lines); about 18 cycles (TSC, 2.6 GHz) with the counters while all fits the
// second-level cache. With a million flows both lines come from the third level, and how many a
// core can wait for at a time is what bounds the look-up: a third line (key and counters in two)
// cost 11 cycles a packet of the whole path, a second bucket without its own stage 6.
//
// Full: when all entries are taken, the least recently used of those in the key's two buckets and
// in one more that takes turns leaves (about 12 are compared); a flow of a single packet counts as
// CACHE_ONCE_TICKS older than it is, and up to three buckets more are looked at while only flows in
// use were found. Before that an entry leaves only when both of its buckets are
// full: in runs with 2^18 buckets that happened first with 57 to 62 % of the slots taken, and never
// more than 57 % are.
//
// Floods: senders of flows that never come back would push out those that do, and have the worker
// make entries instead of forwarding. So a full cache takes new flows within a budget: one token to
// look for a flow of one packet or an idle one, CACHE_USED_TOKENS in all where one in use has to
// leave. A flow that is refused comes again with its next packet, so that its chance grows with its
// rate (as OVS inserts into its EMC by chance, Pfaff et al., NSDI 2015; that one seen once gives
// way first is of 2Q, Johnson and Shasha, VLDB 1994).
//
// CPUs with AVX-512 take half the instructions (lookup_wide.c), in registers of 256 bits.
//
// Another size: by another cache, made beside, that takes this one over while packets flow. Entries
// go there in steps as small as the owner likes, and those that are looked up meanwhile at once, so
// that none is ever in neither; a look-up that hits costs nothing more. What is too much for a
// smaller one leaves as from a full one: first all that is in use goes over, and then of the rest
// what is younger.
//
// A NIC's RSS hash is not used. To be trusted it would have to be one that no sender can foretell
// collisions of, and RSS cannot be that here: both directions of a flow are to reach one worker, so
// its key repeats 16 bits, and the hash is of the XOR of all 16-bit words of the addresses and
// ports alone. Whatever the key, two flows with the same XOR collide; the halves of the hash are
// equal (60,000 random flows: 39,277 hashes, as of 16 bits), and a million flows would share
// 65,536. MACs, VLANs and the port that it leaves out would have to be hashed all the same: half of
// the key.
//
// The hash is seeded and universal, so that a sender cannot aim at one bucket. Refuses: to fail an
// insert for want of room; to take memory after cache_new.
//
// Thread safety: owner thread only; cache_new, cache_free and cache_memory: any thread. No heap, no
// lock after cache_new.

#define CACHE_BURST_MAX 64
#define CACHE_VALUE_SIZE 32
#define CACHE_ONCE_TICKS 64u
#define CACHE_USED_TOKENS 64u
#define CACHE_NO_BUDGET UINT32_MAX            // tokens without end
#define CACHE_KEY_REST 32                     // bytes of a key behind its addresses
#define CACHE_CARRY (1ULL << 63 | 1ULL << 31) // of counts: a low part runs over

// What each packet of a flow touches. The caller writes all from last_tick on, and packets and
// bytes by cache_count (of a new entry, straight); the cache owns the key.
struct cache_entry {
	alignas(64) uint8_t rest[CACHE_KEY_REST]; // of the key, from eth_dst on
	uint32_t src, dst;  // the first words of its addresses: all there is, but for IPv6
	uint32_t last_tick; // of the last packet, in the caller's ticks
	uint32_t gen;       // of the rules that made the decision; stale: decide again in place
	union {             // the low 31 bits of cache_packets and cache_bytes, counted at once
		uint64_t counts;
		struct {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
			uint32_t packets, bytes;
#else
			uint32_t bytes, packets;
#endif
		};
	};
	uint32_t rate; // decayed bytes, the caller's
	uint32_t hint; // the caller's: what it asks of value with every packet
};
static_assert(sizeof(struct cache_entry) == 64, "a packet touches one cache line of its flow");

// The other half of an entry: for IPv6, and for what the hint does not tell.
struct cache_more {
	alignas(64) uint8_t src[12]; // of the key: the rest of its addresses
	uint8_t dst[12];
	uint32_t bytes_high;
	uint16_t packets_high;
	uint16_t flags;                  // the caller's
	uint8_t value[CACHE_VALUE_SIZE]; // the caller's decision (an action program)
};
static_assert(sizeof(struct cache_more) == 64, "one cache line");

// A copy of both, as a plain value.
struct cache_flow {
	struct flow_key key;
	uint64_t packets, bytes;
	uint32_t last_tick, gen, rate;
	uint16_t flags;
	uint8_t value[CACHE_VALUE_SIZE];
};

struct cache;

// An entry is left: to be counted and told. Called from cache_insert, cache_expire, cache_remove,
// cache_clear and cache_move, and from look-ups while a cache is being taken over.
typedef void (*cache_evict_fn)(void *ctx, const struct cache_entry *e);

struct cache_stats {
	uint64_t inserts;
	uint64_t evicted_full; // an entry left for a newer one
	uint64_t refused;      // insertions beyond the budget
	uint64_t expired;
	uint32_t used; // with those that have not come yet: may be above size then
	uint32_t size; // entries
	size_t memory; // bytes in all, with those of a cache that is being taken over
};

// size: entries, rounded up to what the structure needs (64 to 2^26). On DPDK's heap of the socket
// (hugepages); where it has no room, a mapping of its own for which huge pages are asked. seed:
// from sl_hash_seed. Returns 0 or -ENOMEM, -EINVAL.
int cache_new(uint32_t size, int socket_id, uint64_t seed, cache_evict_fn evict, void *ctx,
	struct cache **out);
void cache_free(struct cache *c); // no evict calls
// Bytes that a cache of that size takes, 0: there is none of that size.
size_t cache_memory(uint32_t size);

// From now on c, which is empty and of the same seed, evict and ctx, is asked in the place of from,
// whose entries come to it with the calls of cache_move, and when they are looked up. The totals of
// from's statistics go on in c's. from is not asked for anything any more; it is nobody's again,
// to be freed, when cache_move has returned false. While they come:
// - a look-up may have entries of c leave, but for those that it answers itself: what an earlier
//   one answered is void when cache_moving has changed since;
// - cache_expire and cache_walk do not see what has not come yet; cache_stats_get counts it.
// -EINVAL: c is not empty or of another seed, or one of the two already takes another one over.
int cache_take_over(struct cache *c, struct cache *from);
// Looks at up to max buckets of the other one. Those of its entries for which older ones would have
// to leave, were they not the oldest themselves, do so. Returns whether there is more to come.
bool cache_move(struct cache *c, uint32_t now_tick, uint32_t max);
// How many entries have not come yet. 0: none, or c takes no other one over.
uint32_t cache_moving(const struct cache *c);

// What the entries of a burst have in common, told by a look-up that found all of them: it has them
// in its hand.
struct cache_alike {
	uint32_t tick, gen; // what last_tick and gen should be; then: the bits in which any differ
	uint32_t hint;      // the bits in which any differ from the first one
	bool one;           // all are the same entry
};

// Finds n (at most CACHE_BURST_MAX) keys: out[i] is the entry or NULL. Returns a bit mask of the
// hits. hashes (n of them) are kept for cache_insert. Of a hit's other half nothing is prefetched,
// but for IPv6. Entries stay where they are until they are evicted: by an insert, remove, expire or
// clear.
// alike: NULL: not asked for; nothing is said of it unless all hit.
uint64_t cache_lookup_burst(struct cache *c, const struct flow_key *keys, uint16_t n,
	uint64_t *hashes, struct cache_entry **out, struct cache_alike *alike);
// The same of n (1 or more) entries, however they were found.
void cache_compare(struct cache_entry *const *e, uint16_t n, struct cache_alike *alike);

struct cache_entry *cache_lookup(struct cache *c, const struct flow_key *key);

// The new entry of key (all else zero but last_tick), or the one that is there already. NULL when
// an entry would have to leave for it and the budget does not reach: never without a budget. Ticks
// may wrap; a flow idle for 2^31 ticks or more looks young.
struct cache_entry *cache_insert(
	struct cache *c, const struct flow_key *key, uint64_t hash, uint32_t tick);
// Tokens for insertions until the next call; of what was left over as many stay as make
// CACHE_USED_TOKENS together. CACHE_NO_BUDGET at first.
void cache_budget(struct cache *c, uint32_t tokens);
void cache_remove(struct cache *c, struct cache_entry *e);

// Looks at up to max buckets from where the last call stopped and removes entries whose last_tick
// is older than idle ticks. Returns how many were removed.
uint32_t cache_expire(struct cache *c, uint32_t now_tick, uint32_t idle, uint32_t max);
void cache_clear(struct cache *c);

// Walks all entries in bounded chunks: starts at *cursor (0 first), calls fn for up to max entries,
// and moves the cursor; false when the end was reached. Entries that come or go between calls may
// or may not be seen. A call also ends after looking at 4 * max + 1 buckets.
typedef void (*cache_walk_fn)(void *ctx, const struct cache_entry *e);
bool cache_walk(struct cache *c, uint32_t *cursor, uint32_t max, cache_walk_fn fn, void *ctx);

void cache_stats_get(const struct cache *c, struct cache_stats *out);

// How far the other half of an entry is from it, in bytes: the same for all entries of a cache.
ptrdiff_t cache_apart(const struct cache *c);

static inline struct cache_more *
cache_more(const struct cache_entry *e, ptrdiff_t apart)
{
	return (struct cache_more *)((uintptr_t)e + (uintptr_t)apart);
}

// As cache_count, where low bits run over, or so much is added at once that they could.
void cache_carry(struct cache_entry *e, ptrdiff_t apart, uint32_t packets, uint32_t bytes);

static inline void
cache_count(struct cache_entry *e, ptrdiff_t apart, uint32_t packets, uint32_t bytes)
{
	uint64_t more = (uint64_t)bytes << 32 | packets, counts = e->counts + more;

	if (__builtin_expect(((counts | more) & CACHE_CARRY) != 0, 0))
		cache_carry(e, apart, packets, bytes);
	else
		e->counts = counts;
}

static inline uint64_t
cache_packets(const struct cache_entry *e, ptrdiff_t apart)
{
	return (uint64_t)cache_more(e, apart)->packets_high << 31 | e->packets;
}

static inline uint64_t
cache_bytes(const struct cache_entry *e, ptrdiff_t apart)
{
	return (uint64_t)cache_more(e, apart)->bytes_high << 31 | e->bytes;
}

void cache_key(const struct cache_entry *e, ptrdiff_t apart, struct flow_key *out);
void cache_read(const struct cache_entry *e, ptrdiff_t apart, struct cache_flow *out);

#endif
